"""Projections: connections, weights and their signs, delays, connectors."""

from __future__ import annotations

import numpy as np
import pytest
from fake_session import FakeLab

import pynn_brainscales.brainscales2 as pynn
from dlens_vx_v3 import halco
from neckar.errors import ConfigurationError

StaticSynapse = pynn.synapses.StaticSynapse

pytestmark = pytest.mark.usefixtures("experiment")


def sources(n: int) -> pynn.Population:
    return pynn.Population(n, pynn.cells.SpikeSourceArray(spike_times=[0.01]))


def neurons(n: int) -> pynn.Population:
    return pynn.Population(n, pynn.cells.HXNeuron())


def test_connections_are_sorted_by_source_then_target() -> None:
    projection = pynn.Projection(sources(2), neurons(3), pynn.AllToAllConnector(), synapse_type=StaticSynapse(weight=32))
    pairs = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert projection.get("weight", format="list") == [(*pair, 32) for pair in pairs]
    assert [(c.presynaptic_index, c.postsynaptic_index) for c in projection] == pairs
    assert (len(projection), projection[1].weight, projection.connections[5].as_tuple("weight", "delay")) == (6, 32, (32, 0))
    assert projection.get("weight", format="array").tolist() == [[32, 32, 32], [32, 32, 32]]


def test_the_default_weight_is_zero_and_excitatory() -> None:
    projection = pynn.Projection(sources(1), neurons(1), pynn.AllToAllConnector())
    assert projection.get("weight", format="array") == 0
    assert projection.receptor_type == "excitatory"


def test_weights_are_rounded_to_even() -> None:
    projection = pynn.Projection(sources(1), neurons(1), pynn.AllToAllConnector(), synapse_type=StaticSynapse(weight=42.5))
    assert projection.get("weight", format="array") == 42
    projection.set(weight=43.5)
    assert projection.get("weight", format="list") == [(0, 0, 44)]
    projection[0].weight = 63.0
    assert projection.get("weight", format="list", with_address=False) == [63]


def test_weights_are_set_by_value_matrix_or_list() -> None:
    projection = pynn.Projection(sources(2), neurons(2), pynn.AllToAllConnector())
    projection.set(weight=np.array([[1, 2], [3, 4]]))
    assert projection.get("weight", format="array").tolist() == [[1, 2], [3, 4]]
    projection.set(weight=[5, 6, 7, 8])
    assert projection.get("weight", format="array").tolist() == [[5, 6], [7, 8]]
    with pytest.warns(DeprecationWarning, match="set"):
        projection.setWeights(9)
    assert projection.get("weight", format="array").tolist() == [[9, 9], [9, 9]]


def test_wrong_signs_are_refused_and_leave_no_projection() -> None:
    pre, post = sources(1), neurons(1)
    for receptor, weight in (("excitatory", -32), ("inhibitory", 32)):
        with pytest.raises(pynn.errors.ConnectionError, match=f"{receptor} weights are at"):
            pynn.Projection(pre, post, pynn.AllToAllConnector(), receptor_type=receptor, synapse_type=StaticSynapse(weight=weight))
    assert pynn.simulator.state.projections == []
    excitatory = pynn.Projection(pre, post, pynn.AllToAllConnector(), receptor_type="excitatory", synapse_type=StaticSynapse(weight=32))
    inhibitory = pynn.Projection(pre, post, pynn.AllToAllConnector(), receptor_type="inhibitory", synapse_type=StaticSynapse(weight=-32))
    for projection, weight in ((excitatory, -1), (inhibitory, 1)):
        with pytest.raises(pynn.errors.ConnectionError):
            projection.set(weight=weight)
        with pytest.raises(pynn.errors.ConnectionError):
            projection[0].weight = weight
        assert abs(projection[0].weight) == 32


def test_delays_are_zero() -> None:
    projection = pynn.Projection(sources(1), neurons(1), pynn.AllToAllConnector())
    assert projection.get("delay", format="array") == 0
    projection.set(delay=0)
    projection[0].delay = 0
    for call in (lambda: projection.set(delay=1), lambda: pynn.Projection(sources(1), neurons(1), pynn.AllToAllConnector(), StaticSynapse(delay=1))):
        with pytest.raises(ValueError, match="delay of 1"):
            call()


@pytest.mark.parametrize(("n_pre", "n_post", "pairs"), [(1, 1, 1), (1, 3, 1), (3, 1, 1), (3, 3, 3), (2, 3, 2)])
def test_one_to_one_connects_for_every_pair_of_sizes(n_pre: int, n_post: int, pairs: int) -> None:
    projection = pynn.Projection(sources(n_pre), neurons(n_post), pynn.OneToOneConnector(), StaticSynapse(weight=3))
    assert projection.get("weight", format="list") == [(i, i, 3) for i in range(pairs)]
    view = pynn.Projection(sources(n_pre)[[n_pre - 1]], neurons(n_post)[[n_post - 1]], pynn.OneToOneConnector())
    assert [(c.pop_pre_index, c.pop_post_index, c.presynaptic_index) for c in view] == [(n_pre - 1, n_post - 1, 0)]


def test_per_connection_weights_follow_their_connection_in_partial_connectors() -> None:
    weights = np.arange(9).reshape(3, 3)
    projection = pynn.Projection(sources(3), neurons(3), pynn.OneToOneConnector(), StaticSynapse(weight=weights))
    assert projection.get("weight", format="list") == [(0, 0, 0), (1, 1, 4), (2, 2, 8)]
    listed = pynn.Projection(sources(3), neurons(3), pynn.FromListConnector([(2, 0, 5), (0, 1, 6)], column_names=["weight"]))
    assert listed.get("weight", format="list") == [(0, 1, 6), (2, 0, 5)]
    assert np.isnan(listed.get("weight", format="array")).sum() == 7


@pytest.mark.parametrize(
    ("connector", "n"),
    [
        (pynn.FixedProbabilityConnector(1), 12),
        (pynn.FixedNumberPreConnector(2), 8),
        (pynn.FixedNumberPostConnector(2), 6),
        (pynn.FixedTotalNumberConnector(5), 5),
        (pynn.ArrayConnector(np.eye(3, 4, dtype=bool)), 3),
        (pynn.IndexBasedProbabilityConnector, None),
    ],
)
def test_pynns_connectors_work(connector: object, n: int | None) -> None:
    if n is not None:
        assert len(pynn.Projection(sources(3), neurons(4), connector)) == n
    assert issubclass(connector if isinstance(connector, type) else type(connector), pynn.Connector)


def test_parallel_projections_add_up() -> None:
    pre, post = sources(1), neurons(1)
    for weight in (20, 43):
        pynn.Projection(pre, post, pynn.AllToAllConnector(), StaticSynapse(weight=weight))
    pynn.run(None, pynn.RunCommand.PREPARE)
    weights = pynn.simulator.state.mapped[0].fields["synapse_weight"]
    assert sorted(weights[weights > 0].tolist()) == [20, 43]


def test_neurons_project_to_each_other_and_to_themselves(lab: FakeLab) -> None:
    first, second = neurons(3), neurons(2)
    pynn.Projection(first, second, pynn.AllToAllConnector(), StaticSynapse(weight=11))
    pynn.Projection(second, second, pynn.OneToOneConnector(), StaticSynapse(weight=-70), receptor_type="inhibitory")
    pynn.run(0.1)
    config = lab.sessions[0].config
    assert sorted(config.synapse_weight[config.synapse_weight > 0].tolist()) == [7] * 2 + [11] * 6 + [63] * 2
    assert config.crossbar_target[0, 0] != 1, "the event output of columns 0 to 31 reaches its bus"


def test_weights_above_63_take_several_synapses(lab: FakeLab) -> None:
    projection = pynn.Projection(sources(1), neurons(1), pynn.AllToAllConnector(), StaticSynapse(weight=-150), receptor_type="inhibitory")
    pynn.run(0.1)
    weights = lab.sessions[0].config.synapse_weight
    assert sorted(weights[weights > 0].tolist()) == [24, 63, 63]
    pynn.reset()
    projection.set(weight=-10)
    pynn.run(0.1)
    assert lab.sessions[0].config.synapse_weight.sum() == 10


def test_projections_can_be_dropped(lab: FakeLab) -> None:
    pynn.Projection(sources(1), neurons(1), pynn.AllToAllConnector(), StaticSynapse(weight=5))
    pynn.run(0.1)
    pynn.reset()
    pynn.simulator.state.projections = []
    pynn.run(0.1)
    assert lab.sessions[0].config.synapse_weight.sum() == 0
    assert len(lab.sessions[0].programs[1].entries) == 0


def test_what_cannot_be_mapped_says_so() -> None:
    first, second = neurons(1), neurons(2)
    pynn.Projection(sources(1) + sources(1), second, pynn.AllToAllConnector())
    with pytest.raises(NotImplementedError, match="assembly"):
        pynn.run(None, pynn.RunCommand.PREPARE)
    pynn.setup()
    pynn.Projection(sources(1), first, pynn.AllToAllConnector())
    with pytest.raises(ValueError, match="not part of this experiment"):
        pynn.run(0.1)


def test_compartments_cannot_be_selected_on_point_neurons() -> None:
    for selector in ("location_selector", "source_location_selector"):
        with pytest.raises(ValueError, match=selector):
            pynn.Projection(sources(1), neurons(1), pynn.AllToAllConnector(**{selector: "soma"}))
    assert pynn.simulator.state.projections == []


def test_placed_connections_need_a_mapping() -> None:
    projection = pynn.Projection(sources(1), neurons(1), pynn.AllToAllConnector())
    with pytest.raises(RuntimeError, match="before the network was mapped"):
        projection.placed_connections  # noqa: B018


def test_placed_connections_are_where_the_configuration_has_their_weight_and_label(lab: FakeLab) -> None:
    """Every synapse that is named holds its part of the weight, and no other synapse holds any."""
    weights = np.array([[0, 63], [64, 200], [5, 126]])
    pre, post = sources(3), neurons(2)
    projection = pynn.Projection(pre, post, pynn.AllToAllConnector(), StaticSynapse(weight=weights))
    inhibitory = pynn.Projection(post, post, pynn.OneToOneConnector(), StaticSynapse(weight=-9), receptor_type="inhibitory")
    pynn.run(0.01)
    held = lab.sessions[-1].config.synapse_weight
    named = np.zeros_like(held)
    for one in (projection, inhibitory):
        for connection, placed in zip(one.connections, one.placed_connections, strict=True):
            assert len(placed) == max(1, -(-abs(connection.weight) // 63))
            assert sum(synapse.weight for synapse in placed) == abs(connection.weight)
            for synapse in placed:
                hemisphere, row = divmod(int(synapse.synapse_row), 256)
                assert int(synapse.synapse_on_row) == post.circuits[connection.postsynaptic_index, 0] % 256
                assert synapse == halco.SynapseOnDLS(halco.common.Enum(int(synapse.synapse_row) * 256 + int(synapse.synapse_on_row)))
                named[hemisphere, row, int(synapse.synapse_on_row)] += synapse.weight
    assert np.array_equal(named, held)


def test_placed_connections_of_networks_larger_than_the_chip_end_at_their_neurons() -> None:
    pre, large, post = sources(2), neurons(700), neurons(100)
    first = pynn.Projection(pre, large, pynn.AllToAllConnector(), StaticSynapse(weight=70))
    second = pynn.Projection(large, post, pynn.FromListConnector([(699 - 7 * i, i, i, 0) for i in range(100)]))
    pynn.run(None, pynn.RunCommand.PREPARE)
    assert len(pynn.simulator.state.mapped) > 1
    for projection in (first, second):
        for connection, placed in zip(projection.connections, projection.placed_connections, strict=True):
            circuit = int(projection.post.circuits[connection.postsynaptic_index, 0])
            assert sum(synapse.weight for synapse in placed) == connection.weight
            assert {(int(synapse.synapse_row) // 256, int(synapse.synapse_on_row)) for synapse in placed} == {divmod(circuit, 256)}


def test_placed_connections_are_those_of_the_last_mapping() -> None:
    projection = pynn.Projection(sources(1), neurons(1), pynn.OneToOneConnector(), StaticSynapse(weight=1))
    pynn.run(None, pynn.RunCommand.PREPARE)
    assert len(projection.placed_connections[0]) == 1
    assert projection.placed_connections is projection.placed_connections, "a loop over them would be quadratic"
    projection.set(weight=100)
    pynn.run(None, pynn.RunCommand.PREPARE)
    assert [synapse.weight for synapse in projection.placed_connections[0]] == [63, 37]


def test_weights_of_connections_are_set_by_position_also_where_connections_repeat() -> None:
    connector = pynn.FromListConnector([(0, 1, 10, 0), (0, 1, 20, 0), (1, 0, 30, 0)])
    projection = pynn.Projection(sources(2), neurons(2), connector, StaticSynapse())
    assert projection.get("weight", format="list") == [(0, 1, 10), (0, 1, 20), (1, 0, 30)]
    projection.set(weight=[1, 2, 3])
    assert projection.get("weight", format="list") == [(0, 1, 1), (0, 1, 2), (1, 0, 3)]
    for wrong in ([1, 2], np.zeros((3, 3)), "x", None):
        with pytest.raises((ConfigurationError, pynn.errors.InvalidDimensionsError, pynn.errors.InvalidParameterValueError)):
            projection.set(weight=wrong)
    with pytest.raises(pynn.errors.NonExistentParameterError):
        projection.set(typo=3)
    with pytest.raises(pynn.errors.NonExistentParameterError):
        projection.get("typo", format="list")
    with pytest.raises(ConfigurationError, match="format"):
        projection.get("weight", format="matrix")


def test_the_procedural_interface_connects() -> None:
    with pytest.warns(DeprecationWarning, match="Population"):
        cells = pynn.create(pynn.cells.HXNeuron, {"leak_v_leak": 7}, n=2)
    with pytest.warns(DeprecationWarning, match="Projection"):
        projection = pynn.connect(sources(2), cells, weight=4)
    assert len(projection) == 4
    assert cells.get("leak_v_leak") == 7


@pytest.mark.parametrize("weight", [1e12, 256 * 63 + 1])
def test_a_weight_that_no_column_can_hold_is_refused_before_it_takes_memory(weight: float) -> None:
    pynn.Projection(sources(1), neurons(1), pynn.OneToOneConnector(), StaticSynapse(weight=weight))
    with pytest.raises(OverflowError, match=r"connection 0 has weight .* synapses; allowed are 256"):
        pynn.run(None, pynn.RunCommand.PREPARE)


def test_a_weight_beyond_counting_is_refused() -> None:
    projection = pynn.Projection(sources(1), neurons(1), pynn.OneToOneConnector(), StaticSynapse(weight=1))
    with pytest.raises(ConfigurationError, match="magnitudes up to"):
        projection.set(weight=1e30)
    with pytest.raises(ConfigurationError, match="magnitudes up to"):
        pynn.Projection(sources(1), neurons(1), pynn.OneToOneConnector(), StaticSynapse(weight=1e30))


def test_a_projection_onto_spike_sources_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"ends in spike sources.*Exchange"):
        pynn.Projection(neurons(1), sources(1), pynn.OneToOneConnector())


def test_setting_weights_with_a_delay_changes_nothing() -> None:
    projection = pynn.Projection(sources(1), neurons(1), pynn.OneToOneConnector(), StaticSynapse(weight=7))
    with pytest.raises(ConfigurationError, match="delay"):
        projection.set(weight=33, delay=1)
    assert projection.get("weight", format="list", with_address=False) == [7]


def test_the_sign_of_a_weight_counts_before_it_is_rounded() -> None:
    projection = pynn.Projection(sources(1), neurons(1), pynn.OneToOneConnector(), StaticSynapse(weight=7))
    with pytest.raises(pynn.projections.WeightSignError):
        projection.set(weight=-0.3)


@pytest.mark.parametrize(("receptor", "sign"), [("excitatory", "at least 0"), ("inhibitory", "at most 0")])
def test_a_weight_that_is_no_number_has_no_wrong_sign(receptor: str, sign: str) -> None:
    with pytest.raises(pynn.projections.WeightSignError, match=f"weight nan was asked for; {receptor} weights are {sign} and finite. Give a finite number."):
        pynn.Projection(sources(1), neurons(1), pynn.OneToOneConnector(), StaticSynapse(weight=float("nan")), receptor_type=receptor)


def test_weights_are_rounded_to_the_nearest_whole_number_and_halves_to_the_even_one() -> None:
    projection = pynn.Projection(sources(1), neurons(1), pynn.OneToOneConnector(), StaticSynapse(weight=5.4))
    for asked, used in ((5.4, 5), (5.5, 6), (42.5, 42)):
        projection.set(weight=asked)
        assert projection.get("weight", format="list", with_address=False) == [used]


def test_a_file_of_connections_that_does_not_exist_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        pynn.FromFileConnector("missing.txt")


def test_a_misspelt_attribute_of_a_connection_is_named_when_it_is_set() -> None:
    projection = pynn.Projection(sources(1), neurons(1), pynn.OneToOneConnector(), StaticSynapse(weight=1))
    with pytest.raises(pynn.errors.NonExistentParameterError, match="wait"):
        projection[0].wait = 3
    projection[0].weight = 3
    assert projection.get("weight", format="list") == [(0, 0, 3)]


def test_connections_of_an_experiment_that_has_ended_are_refused() -> None:
    projection = pynn.Projection(sources(1), neurons(1), pynn.OneToOneConnector(), StaticSynapse(weight=1))
    pynn.end()
    assert projection.describe()
    with pytest.raises(RuntimeError, match=r"get\('weight'\) of projection .* after end\(\)"):
        projection.get("weight", format="list")
