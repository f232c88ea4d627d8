"""Routing of external sources: what an event meets on the chip is what the network asks for, and what does not fit says why."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neckar.chip import ChipConfig
from neckar.errors import CapacityError, UnsupportedFeatureError
from neckar.network import (
    MAX_WEIGHT,
    RECEPTORS,
    ConnectumError,
    MappedNetwork,
    Network,
    NeuronPopulation,
    Projection,
    SourcePopulation,
    check_connectum,
    map_network,
    split_weights,
    synapses_per_weight,
)

BASE = ChipConfig.default()
NO_SPIKES = np.zeros(0, np.int64)


def sources(size: int, label: str = "sources") -> SourcePopulation:
    return SourcePopulation.from_lists(label, [NO_SPIKES] * size)


def dense(pre: int, post: int, n_pre: int, n_post: int, weight: int = 63, receptor: str = "excitatory") -> Projection:
    """All-to-all connections."""
    i, j = (index.ravel() for index in np.meshgrid(np.arange(n_pre), np.arange(n_post), indexing="ij"))
    return Projection("dense", pre, post, receptor, i, j, np.full(len(i), weight))  # type: ignore[arg-type]


def one_to_one(pre: int, post: int, n: int, weight: int = 63, receptor: str = "excitatory") -> Projection:
    return Projection("one to one", pre, post, receptor, np.arange(n), np.arange(n), np.full(n, weight))  # type: ignore[arg-type]


def mapped(populations: list[SourcePopulation | NeuronPopulation], *projections: Projection, permutation: object = None) -> MappedNetwork:
    return map_network(Network(tuple(populations), projections), base=BASE, permutation=permutation)  # type: ignore[arg-type]


def walk(fields: dict[str, np.ndarray], label: int) -> Counter[tuple[int, str, int]]:
    """Follow one event through the chip, slowly and as the data sheet says: (circuit, receptor, weight) of every synapse it drives."""
    config = BASE.updated(fields)
    channel, select, address = label >> 14, label >> 6 & 31, label & 63
    found: Counter[tuple[int, str, int]] = Counter()
    for bus in range(8):
        if (label & 16383 & int(config.crossbar_mask[8 + channel, bus])) != int(config.crossbar_target[8 + channel, bus]):
            continue
        hemisphere = bus // 4
        for position in range(32):
            driver = position * 4 + bus % 4
            mask = int(config.driver_row_address_compare_mask[hemisphere, driver])
            if not config.driver_enable_receiver[hemisphere, driver] or (select & mask) != (position & mask):
                continue
            for row in (2 * driver, 2 * driver + 1):
                mode = ("disabled", "excitatory", "inhibitory", "both")[config.synapse_row_mode[hemisphere, row]]
                for column in np.flatnonzero((config.synapse_label[hemisphere, row] == address) & (config.synapse_weight[hemisphere, row] > 0)).tolist():
                    if mode != "disabled":
                        found[hemisphere * 256 + column, mode, int(config.synapse_weight[hemisphere, row, column])] += 1
    return found


def asked(network: Network, result: MappedNetwork, population: int, index: int) -> Counter[tuple[int, str, int]]:
    """What the network asks of one source, slowly."""
    wanted: Counter[tuple[int, str, int]] = Counter()
    for projection in network.projections:
        if projection.pre == population:
            for i, j, weight in zip(projection.pre_index, projection.post_index, projection.weight.tolist(), strict=True):
                while i == index and weight > 0:
                    wanted[int(result.placement.circuits[projection.post][j]), projection.receptor, min(weight, 63)] += 1
                    weight -= 63
    return wanted


@st.composite
def networks(draw: st.DrawFn) -> tuple[Network, np.ndarray]:
    """Random networks of a few populations on a random permutation."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_sources, n_neurons = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    populations = [sources(int(rng.integers(1, 90))) for _ in range(n_sources)]
    populations += [NeuronPopulation("n", int(rng.integers(1, 60))) for _ in range(n_neurons)]  # type: ignore[arg-type]
    projections = []
    for _ in range(draw(st.integers(1, 4))):
        pre, post = int(rng.integers(n_sources)), n_sources + int(rng.integers(n_neurons))
        n = int(rng.integers(0, 60))
        weight = rng.integers(0, draw(st.sampled_from([1, 64, 200])), n)
        pre_index, post_index = rng.integers(0, populations[pre].size, n), rng.integers(0, populations[post].size, n)
        projections.append(Projection("p", pre, post, RECEPTORS[rng.integers(2)], pre_index, post_index, weight))  # type: ignore[arg-type]
    return Network(tuple(populations), tuple(projections)), rng.permutation(512)


@settings(max_examples=30, deadline=None)
@given(networks())
def test_every_event_drives_exactly_the_synapses_of_its_source(case: tuple[Network, np.ndarray]) -> None:
    network, permutation = case
    result = map_network(network, base=BASE, permutation=permutation)
    by_label = result.routing.sources()
    for population, part in enumerate(network.populations):
        labels = result.routing.labels_of(population)
        assert len(labels) == (part.size if isinstance(part, SourcePopulation) else 0)
        for index, label in enumerate(labels.tolist()):
            wanted = asked(network, result, population, index)
            if label < 0:
                assert not wanted
            else:
                assert by_label[label] == (population, index)
                assert walk(dict(result.fields), label) == wanted


@settings(deadline=None)
@given(st.lists(st.integers(0, 2000), max_size=20))
def test_weights_split_greedily_and_keep_their_sum(weights: list[int]) -> None:
    connection, parts = split_weights(np.array(weights, np.int64))
    for i, weight in enumerate(weights):
        mine = parts[connection == i].tolist()
        assert sum(mine) == weight
        assert len(mine) == synapses_per_weight(weight) == max(1, -(-weight // MAX_WEIGHT))
        assert mine[:-1] == [MAX_WEIGHT] * (len(mine) - 1)


def test_an_event_has_channel_row_select_and_label_in_their_bits() -> None:
    result = mapped([sources(3), NeuronPopulation("n", 1)], dense(0, 1, 3, 1))
    assert result.routing.labels_of(0).tolist() == [0, 1, 2]
    result = mapped([sources(65), NeuronPopulation("n", 1)], dense(0, 1, 65, 1, weight=0))
    assert result.routing.labels_of(0)[-1] == 1 << 14


def test_excitatory_and_inhibitory_connections_use_separate_rows_of_a_driver() -> None:
    result = mapped([sources(1), NeuronPopulation("n", 1)], dense(0, 1, 1, 1), dense(0, 1, 1, 1, receptor="inhibitory"))
    assert result.fields["synapse_row_mode"][0, :2].tolist() == [1, 2]
    assert np.flatnonzero(result.fields["driver_enable_receiver"][0]).tolist() == [0]
    assert not result.fields["driver_enable_receiver"][1].any()


def test_sources_with_disjoint_targets_share_a_row() -> None:
    result = mapped([sources(64), NeuronPopulation("n", 64)], one_to_one(0, 1, 64))
    assert np.count_nonzero(result.fields["synapse_row_mode"]) == 1


def test_a_source_without_targets_has_no_label_and_no_rows() -> None:
    result = mapped([sources(2), NeuronPopulation("n", 1)])
    assert result.routing.labels_of(0).tolist() == [-1, -1]
    assert result.fields == {}


@pytest.mark.parametrize(
    ("n_sources", "n_neurons", "projections"),
    [
        (256, 256, [dense(0, 1, 256, 256)]),
        (128, 512, [dense(0, 1, 128, 512), dense(0, 1, 128, 512, receptor="inhibitory")]),
        (512, 512, [one_to_one(0, 1, 512, 200), one_to_one(0, 1, 512, 200, "inhibitory")]),
        (60, 4, [dense(0, 1, 60, 4, 252)]),
        (1, 1, [dense(0, 1, 1, 1, 64 * 63)]),
        (84, 3, [dense(0, 1, 84, 3, 189)]),
    ],
)
def test_networks_up_to_the_rows_of_the_chip_fit(n_sources: int, n_neurons: int, projections: list[Projection]) -> None:
    result = mapped([sources(n_sources), NeuronPopulation("n", n_neurons)], *projections)
    check_connectum(result.connections, {**BASE.as_mapping(), **result.fields}, result.routing.label)


def test_sources_of_different_hemispheres_share_drivers() -> None:
    half = np.arange(256)
    pre, post = (index.ravel() for index in np.meshgrid(half, half[:8], indexing="ij"))
    top = Projection("top", 0, 1, "excitatory", pre, post, np.full(len(pre), 5))
    bottom = Projection("bottom", 0, 1, "inhibitory", pre + 256, post + 8, np.full(len(pre), 5))
    result = mapped([sources(512), NeuronPopulation("n", 16)], top, bottom, permutation=[*range(8), *range(256, 264)])
    assert (result.fields["synapse_row_mode"] == [[1], [2]]).all(), "512 sources take all 256 rows of each hemisphere, excitatory above and inhibitory below"
    for index in (0, 255, 256, 511):
        assert walk(result.fields, int(result.routing.label[index])) == asked(result.network, result, 0, index)


def test_more_synapses_than_rows_in_a_column_name_neuron_and_limit() -> None:
    with pytest.raises(CapacityError, match=r"neuron 0 of population 'n' \(circuit 0\) needs 257 synapses; allowed are 256"):
        mapped([sources(257), NeuronPopulation("n", 1)], dense(0, 1, 257, 1))


def test_rows_of_both_signs_are_counted_together() -> None:
    halves = Projection("exc", 0, 1, "excitatory", np.arange(200), np.zeros(200, np.int64), np.full(200, 1))
    others = Projection("inh", 0, 1, "inhibitory", np.arange(100), np.ones(100, np.int64), np.full(100, 1))
    with pytest.raises(CapacityError, match="200 excitatory and 100 inhibitory synapse rows; allowed are 256"):
        mapped([sources(200), NeuronPopulation("n", 2)], halves, others)


def test_a_weight_beyond_the_rows_of_a_bus_names_source_and_limit() -> None:
    with pytest.raises(CapacityError, match=r"source 1 of population 'sources' needs 65 synapse rows; allowed are 64, .* weights up to 4032"):
        mapped([sources(2), NeuronPopulation("n", 1)], Projection("p", 0, 1, "excitatory", np.array([1]), np.array([0]), np.array([64 * 63 + 1])))


def test_blocks_that_no_order_fits_say_so() -> None:
    with pytest.raises(CapacityError, match="drivers of the four buses do not suffice: 5 external sources need 165 synapse rows"):
        mapped([sources(5), NeuronPopulation("n", 1)], dense(0, 1, 5, 1, 33 * 63))


def test_connections_on_the_chip_are_refused_with_the_way_out() -> None:
    with pytest.raises(UnsupportedFeatureError, match=r"connects neurons on the chip.*SpikeSourceArray"):
        mapped([NeuronPopulation("n", 2)], one_to_one(0, 0, 2))


@pytest.mark.parametrize(
    ("field", "index", "value"),
    [
        ("synapse_weight", (0, 0, 0), 1),
        ("synapse_weight", (0, 1, 5), 1),
        ("synapse_label", (0, 0, 1), 60),
        ("synapse_row_mode", (0, 0), 2),
        ("synapse_row_mode", (0, 1), 3),
        ("driver_enable_receiver", (0, 0), False),
        ("crossbar_target", (8, 0), 1),
        ("padi_enable_spl1", (0,), False),
        ("driver_row_address_compare_mask", (0, 0), 30),
    ],
)
def test_the_connectum_check_sees_every_wrong_field(field: str, index: tuple[int, ...], value: int) -> None:
    result = mapped([sources(3), NeuronPopulation("n", 3)], dense(0, 1, 3, 3, 20))
    config = {**BASE.as_mapping(), **result.fields}
    config[field] = config[field].copy()
    config[field][index] = value
    label = result.routing.label + (64 if field == "driver_row_address_compare_mask" else 0)
    check_connectum(result.connections, {**BASE.as_mapping(), **result.fields}, result.routing.label)
    if field == "driver_row_address_compare_mask":
        check_connectum(result.connections, config, result.routing.label)  # row select 0 still answers ...
        config[field][0, 0] = 31
    with pytest.raises(ConnectumError, match="defect of Neckar"):
        check_connectum(result.connections, config, label)
