"""Routing: what an event meets on the chip is what the network asks for, for external, on-chip and background sources and neurons of every shape."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from network_walk import assert_realised, drives, neuron_event, walked

from neckar.chip import ChipConfig
from neckar.errors import CapacityError
from neckar.network import (
    MAX_WEIGHT,
    POINT,
    BackgroundPopulation,
    Compartment,
    ConnectumError,
    MappedNetwork,
    Morphology,
    Network,
    NeuronPopulation,
    Population,
    Projection,
    SourcePopulation,
    check_connectum,
    map_network,
    split_weights,
    synapses_per_weight,
)
from neckar.network._graph import n_compartments

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


def mapped(populations: list[Population], *projections: Projection, permutation: object = None) -> MappedNetwork:
    return map_network(Network(tuple(populations), projections), base=BASE, permutation=permutation)  # type: ignore[arg-type]


def check(result: MappedNetwork, **changed: np.ndarray) -> None:
    """Run the mapper's own check on its configuration, with some fields changed."""
    config = {**BASE.as_mapping(), **result.fields, **changed}
    check_connectum(result.network, result.placement, result.connections, result.routing, config)


def background(size: int, **parameters: int) -> BackgroundPopulation:
    return BackgroundPopulation("background", size, period=1000, random=size > 1, **parameters)


def three_kinds() -> MappedNetwork:
    """Three neurons with external, recurrent and background input."""
    populations: list[Population] = [sources(3), NeuronPopulation("n", 3), background(4, bus=3)]
    return mapped(populations, dense(0, 1, 3, 3, 20), dense(1, 1, 3, 3, 30), dense(2, 1, 4, 3, 40))


SHAPES = (
    POINT,
    Morphology.single_compartment(3),
    Morphology(
        ((0, 0), (1, 0), (1, 1)),
        (Compartment("soma", (0,), 0), Compartment("dendrite", (1, 2), 2, excitatory=(1, 2), inhibitory=(2,))),
        {"multicompartment_connect_vertical": (0, 1, 1), "multicompartment_connect_soma": (1, 0, 0)},
    ),
)


@st.composite
def networks(draw: st.DrawFn) -> tuple[Network, np.ndarray]:
    """Random networks of all kinds of populations and projections on a random permutation."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    populations: list[Population] = [replace(sources(int(rng.integers(1, 90))), record=bool(rng.integers(2))) for _ in range(draw(st.integers(0, 2)))]
    populations += [background(1 << int(rng.integers(0, 9)), record=bool(rng.integers(2))) for _ in range(draw(st.integers(0, 2)))]
    first = len(populations)
    for _ in range(draw(st.integers(1, 3))):
        shape = SHAPES[draw(st.integers(0, len(SHAPES) - 1))]
        populations.append(NeuronPopulation("n", int(rng.integers(1, 40 // shape.size + 2)), morphology=shape))
    projections = []
    for _ in range(draw(st.integers(1, 5))):
        pre, post = int(rng.integers(len(populations))), int(rng.integers(first, len(populations)))
        receptor = ("excitatory", "inhibitory", "signed")[rng.integers(3)]
        n = int(rng.integers(0, 60))
        limit = draw(st.sampled_from([1, 64, 201]))
        weight = rng.integers(-limit + 1 if receptor == "signed" else 0, limit, n)
        pre_index, post_index = rng.integers(0, populations[pre].size, n), rng.integers(0, populations[post].size, n)
        ends = [int(rng.integers(n_compartments(populations[end]))) for end in (pre, post)]
        projections.append(Projection("p", pre, post, receptor, pre_index, post_index, weight, *ends, draw(st.sampled_from([None, 300]))))  # type: ignore[arg-type]
    return Network(tuple(populations), tuple(projections)), rng.permutation(512)


@settings(max_examples=60, deadline=None)
@given(networks())
def test_every_event_drives_exactly_the_synapses_of_its_source(case: tuple[Network, np.ndarray]) -> None:
    network, permutation = case
    try:
        result = map_network(network, base=BASE, permutation=permutation)
    except CapacityError:  # hypothesis complains if that happens too often
        reject()
    assert_realised(result)


@settings(deadline=None)
@given(st.lists(st.integers(0, 2000), max_size=20))
def test_weights_split_greedily_and_keep_their_sum(weights: list[int]) -> None:
    connection, parts = split_weights(np.array(weights, np.int64))
    for i, weight in enumerate(weights):
        mine = parts[connection == i].tolist()
        assert sum(mine) == weight
        assert len(mine) == synapses_per_weight(weight) == max(1, -(-weight // MAX_WEIGHT))
        assert mine[:-1] == [MAX_WEIGHT] * (len(mine) - 1)


def test_an_external_event_has_hemisphere_channel_row_select_and_label_in_their_bits() -> None:
    result = mapped([sources(3), NeuronPopulation("n", 1)], dense(0, 1, 3, 1))
    assert [column.tolist() for column in result.routing.labels_of(0)] == [[0, 1, 2], [0, 1, 2]]
    result = mapped([sources(65), NeuronPopulation("n", 1)], dense(0, 1, 65, 1, weight=0))
    assert result.routing.labels_of(0)[1][-1] == 1 << 14
    result = mapped([sources(1), NeuronPopulation("n", 2)], dense(0, 1, 1, 2), permutation=[0, 256])
    assert result.routing.labels_of(0)[1].tolist() == [1 << 12], "one event serves both hemispheres"
    result = mapped([sources(1), NeuronPopulation("n", 1)], dense(0, 1, 1, 1), permutation=[256])
    assert result.routing.labels_of(0)[1].tolist() == [1 << 12 | 1 << 13]


def test_excitatory_and_inhibitory_connections_use_separate_rows_of_a_driver() -> None:
    result = mapped([sources(1), NeuronPopulation("n", 1)], dense(0, 1, 1, 1), dense(0, 1, 1, 1, receptor="inhibitory"))
    assert result.fields["synapse_row_mode"][0, :2].tolist() == [1, 2]
    assert np.flatnonzero(result.fields["driver_enable_receiver"][0]).tolist() == [0]
    assert not result.fields["driver_enable_receiver"][1].any()


def test_sources_with_disjoint_targets_share_a_row() -> None:
    result = mapped([sources(64), NeuronPopulation("n", 64)], one_to_one(0, 1, 64))
    assert np.count_nonzero(result.fields["synapse_row_mode"]) == 1


def test_a_source_without_targets_sends_nothing_and_takes_no_rows() -> None:
    result = mapped([sources(2), background(4), NeuronPopulation("n", 1)])
    assert len(result.routing.labels_of(0)[0]) == 0
    assert result.fields == {}


@pytest.mark.parametrize(
    ("n_sources", "n_neurons", "projections"),
    [
        (256, 256, [dense(0, 1, 256, 256)]),
        (128, 512, [dense(0, 1, 128, 512), dense(0, 1, 128, 512, receptor="inhibitory")]),
        (128, 512, [dense(0, 1, 128, 512, receptor="signed", weight=-3)]),
        (512, 512, [one_to_one(0, 1, 512, 200), one_to_one(0, 1, 512, 200, "inhibitory")]),
        (60, 4, [dense(0, 1, 60, 4, 252)]),
        (1, 1, [dense(0, 1, 1, 1, 256 * 63)]),
        (84, 3, [dense(0, 1, 84, 3, 189)]),
        (5, 1, [dense(0, 1, 5, 1, 33 * 63)]),
    ],
)
def test_networks_up_to_the_rows_of_the_chip_fit(n_sources: int, n_neurons: int, projections: list[Projection]) -> None:
    assert_realised(mapped([sources(n_sources), NeuronPopulation("n", n_neurons)], *projections))


def test_a_weight_that_no_bus_holds_is_sent_several_times() -> None:
    result = mapped([sources(5), NeuronPopulation("n", 1)], dense(0, 1, 5, 1, 33 * 63))
    index, label = result.routing.labels_of(0)
    assert np.bincount(index).tolist() == [1, 1, 1, 1, 2]
    assert len(set(label.tolist())) == 6
    assert_realised(result)


def test_sources_of_different_hemispheres_share_row_selects() -> None:
    half = np.arange(256)
    pre, post = (index.ravel() for index in np.meshgrid(half, half[:8], indexing="ij"))
    top = Projection("top", 0, 1, "excitatory", pre, post, np.full(len(pre), 5))
    bottom = Projection("bottom", 0, 1, "inhibitory", pre + 256, post + 8, np.full(len(pre), 5))
    result = mapped([sources(512), NeuronPopulation("n", 16)], top, bottom, permutation=[*range(8), *range(256, 264)])
    assert (result.fields["synapse_row_mode"] == [[1], [2]]).all(), "512 sources take all 256 rows of each hemisphere, excitatory above and inhibitory below"
    assert_realised(result)


def test_neurons_of_the_whole_chip_connect_to_each_other() -> None:
    rng = np.random.default_rng(5)
    pre = np.concatenate([rng.permutation(512)[:100] for _ in range(512)])
    ring = Projection("random", 0, 0, "excitatory", pre, np.repeat(np.arange(512), 100), rng.integers(1, 64, len(pre)))
    result = mapped([NeuronPopulation("n", 512)], ring)
    assert_realised(result)
    assert set(np.unique(result.fields["event_routing_address"] & 63)) == set(range(64))


def test_every_circuit_takes_256_synapses_from_the_256_neurons_of_a_row() -> None:
    top, bottom = NeuronPopulation("top", 256), NeuronPopulation("bottom", 256)
    result = mapped([top, bottom], dense(0, 0, 256, 256, 7), dense(0, 1, 256, 256, 9))
    assert_realised(result)
    assert (result.fields["synapse_weight"][0] == 7).all()
    assert (result.fields["synapse_weight"][1] == 9).all()


def test_neurons_send_on_the_bus_of_their_columns_and_their_events_keep_it_in_bits_8_to_10() -> None:
    for circuit in (0, 33, 95, 130, 511):
        result = mapped([NeuronPopulation("n", 2)], one_to_one(0, 0, 1), permutation=[circuit, 5])
        config = BASE.updated(result.fields)
        output, label = neuron_event(config, circuit)
        assert (output, label >> 8) == (circuit % 256 // 32, circuit % 256 // 32)
        hemisphere = circuit // 256
        open_ = config.crossbar_target[output, :8] != 1
        assert np.flatnonzero(open_).tolist() == [output % 4 + 4 * hemisphere], "only the bus of the target is open"
        assert drives(config, output, label) == Counter({(circuit, "excitatory", 63): 1})


def test_a_source_may_send_to_both_hemispheres() -> None:
    result = mapped([NeuronPopulation("n", 2)], dense(0, 0, 2, 2, 10), permutation=[3, 300])
    assert_realised(result)
    assert (result.fields["synapse_weight"] > 0).sum(axis=(1, 2)).tolist() == [2, 2]


def test_internal_and_external_sources_share_a_bus_without_sharing_labels() -> None:
    recurrent, driven = one_to_one(0, 0, 64), dense(1, 0, 160, 64, 3)
    result = mapped([NeuronPopulation("n", 64), sources(160)], recurrent, driven)
    assert_realised(result)
    assert result.fields["driver_enable_receiver"][0].reshape(32, 4).any(axis=0).all()


def test_event_outputs_of_one_bus_share_rows_if_they_do_not_fit_apart() -> None:
    west, east = np.arange(32), np.arange(128, 160)
    populations: list[Population] = [NeuronPopulation("west", 32), NeuronPopulation("east", 32)]
    two_rows_each = [dense(0, 0, 32, 32, 100), dense(1, 1, 32, 32, 100)]  # 64 rows under the columns of each population
    result = mapped(populations, *two_rows_each, permutation=[*west, *east])
    assert_realised(result)


def test_neurons_without_targets_drive_nothing_even_if_labels_are_full() -> None:
    populations: list[Population] = [NeuronPopulation("a", 512), sources(60)]
    result = mapped(populations, one_to_one(0, 0, 20), dense(1, 0, 60, 200, 5))
    assert_realised(result)
    assert set(walked(result)) == {(0, i, 0) for i in range(20)} | {(1, i, 0) for i in range(60)}


@pytest.mark.parametrize("size", [1, 2, 64, 128, 256])
def test_a_background_generator_is_as_many_sources_as_its_random_bits_tell_apart(size: int) -> None:
    result = mapped([background(size, rate=7, seed=2**32 - 1), NeuronPopulation("n", 256)], one_to_one(0, 1, size))
    assert_realised(result)
    fields = result.fields
    assert fields["background_enable"].tolist() == [False] * 3 + [True] + [False] * 4, "bus 3 of the top hemisphere comes first"
    assert [int(fields[f"background_{name}"][3]) for name in ("period", "seed")] == [1000, 2**32 - 1]
    assert fields.get("background_mask", BASE.background_mask)[3] == size - 1


def test_background_sources_of_both_hemispheres_use_two_equal_generators() -> None:
    result = mapped([background(8, seed=5), NeuronPopulation("n", 2)], dense(0, 1, 8, 2), permutation=[0, 256])
    assert_realised(result)
    for name in ("enable", "period", "rate", "seed", "mask", "label"):
        codes = result.fields.get(f"background_{name}", BASE[f"background_{name}"])
        assert codes[3] == codes[7]
    assert np.flatnonzero(result.fields["background_enable"]).tolist() == [3, 7]


def test_background_sources_take_the_bus_asked_for_or_one_with_rows_left() -> None:
    populations: list[Population] = [background(4), background(4, bus=3), NeuronPopulation("n", 40), background(64)]
    result = mapped(populations, dense(0, 2, 4, 40), dense(1, 2, 4, 40), dense(2, 2, 20, 40), dense(3, 2, 64, 40))
    assert_realised(result)
    assert result.routing.generators.population[:4].tolist() == [-1, 3, 0, 1], "bus 0 belongs to the neurons"


def test_recorded_sources_come_back_to_the_host_even_without_targets() -> None:
    lonely, split = replace(sources(70), record=True), replace(sources(2), record=True)
    populations: list[Population] = [lonely, background(8, record=True), split, NeuronPopulation("n", 2)]
    result = mapped(populations, dense(2, 3, 2, 2, 65 * 63), permutation=[0, 256])
    assert_realised(result)
    assert len(result.routing.labels_of(2)[0]) > 2, "these sources are sent several times"
    bare = mapped([lonely])
    assert_realised(bare)
    assert len(bare.routing.looped_labels(0)[0]) == 70


def test_other_settings_of_a_generator_keep_the_route() -> None:
    neurons, projection = NeuronPopulation("n", 2), one_to_one(0, 1, 2)
    first = map_network(Network((background(2), neurons), (projection,)), base=BASE)
    second = map_network(Network((background(2, rate=3), neurons), (projection,)), base=BASE, previous=first)
    assert second.synapse_fields is first.synapse_fields
    assert second.fields["background_rate"][3] == 3


@pytest.mark.parametrize(
    ("field", "index", "value"),
    [
        ("synapse_weight", (0, 0, 0), 1),
        ("synapse_weight", (0, 1, 5), 1),
        ("synapse_label", (0, 0, 1), 60),
        ("synapse_row_mode", (0, 0), 2),
        ("synapse_row_mode", (0, 1), 3),
        ("driver_enable_receiver", (0, 0), False),
        ("driver_row_address_compare_mask", (0, 8), 31),
        ("crossbar_target", (8, 0), 1),
        ("padi_enable_spl1", (0,), False),
        ("event_routing_address", (0,), 1),
        ("event_routing_address", (10,), 0),
        ("event_routing_enable_digital", (0,), False),
        ("background_enable", (3,), False),
        ("background_mask", (3,), 1),
        ("background_label", (3,), 4),
        ("crossbar_target", (15, 3), 1),
    ],
)
def test_the_connectum_check_sees_every_wrong_field(field: str, index: tuple[int, ...], value: int) -> None:
    result = three_kinds()
    check(result)
    wrong = {**BASE.as_mapping(), **result.fields}[field].copy()
    assert wrong[index] != value, "the test changes something"
    wrong[index] = value
    with pytest.raises(ConnectumError, match="defect of Neckar"):
        check(result, **{field: wrong})


def test_the_connectum_check_ignores_events_that_reach_nothing() -> None:
    result = three_kinds()
    address = result.fields["event_routing_address"].copy()
    address[40] = address[0]  # a circuit of the next event output
    target = result.fields["crossbar_target"].copy()
    target[1, 1] = 0  # a node on a bus that nobody listens to
    enable = result.fields["background_enable"].copy()
    enable[0] = True  # a generator that the crossbar keeps out
    check(result, event_routing_address=address, crossbar_target=target, background_enable=enable)
    target[12, 0] = 0
    with pytest.raises(ConnectumError, match="defect of Neckar"):
        check(result, background_enable=enable, crossbar_target=target)
