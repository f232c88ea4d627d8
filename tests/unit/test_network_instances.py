"""Execution instances and automatic partition: a network over several runs of the chip does what it would do in one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fake_machine import recording_of
from hypothesis import given, settings
from hypothesis import strategies as st
from network_walk import assert_realised, drives, neuron_event

from neckar.chip import ChipConfig
from neckar.errors import CapacityError, MappingError
from neckar.network import (
    BackgroundPopulation,
    Compartment,
    Morphology,
    Network,
    NeuronPopulation,
    Projection,
    SourcePopulation,
    map_network,
    partition,
    run_instances,
    split_instances,
)
from neckar.program import Program, Record, Recording

BASE = ChipConfig.default()
LATENCY = 10
"""Ticks after which the relay fires."""


def neurons(size: int, instance: int = 0, label: str = "n", **rest: object) -> NeuronPopulation:
    return NeuronPopulation(label, size, instance=instance, **rest)  # type: ignore[arg-type]


def sources(entries: list[list[list[int]]], label: str = "s") -> SourcePopulation:
    return SourcePopulation.from_entries(label, [[np.array(train, np.int64) for train in entry] for entry in entries])


def dense(pre: int, post: int, n_pre: int, n_post: int, weight: int = 5, receptor: str = "excitatory") -> Projection:
    i, j = (index.ravel() for index in np.meshgrid(np.arange(n_pre), np.arange(n_post), indexing="ij"))
    return Projection("dense", pre, post, receptor, i, j, np.full(len(i), weight))  # type: ignore[arg-type]


def pairs(pre: int, post: int, *connections: tuple[int, int]) -> Projection:
    i, j = np.array(connections, np.int64).reshape(-1, 2).T
    return Projection("pairs", pre, post, "excitatory", i, j, np.full(len(i), 5))


def relay(program: Program) -> Recording:
    """Run a program on a chip whose neurons, of one circuit or of two in a column, fire once for each event that drives a synapse of theirs."""
    config = BASE.updated(program.config)
    spikes: list[tuple[int, int, int]] = []
    for entry in range(program.n_entries):
        tick, label = program.entries.entry(entry)
        waiting = [(t, 8 + (one >> 14), one) for t, one in zip(tick.tolist(), label.tolist(), strict=True)]
        while waiting:
            t, crossbar_input, one = waiting.pop()
            reached = {circuit for circuit, _, _ in drives(config, crossbar_input, one)}
            for circuit in {circuit if config.event_routing_enable_digital[circuit] else circuit % 256 for circuit in reached}:
                if t + LATENCY < program.duration:
                    spikes.append((entry, t + LATENCY, circuit))
                    waiting.append((t + LATENCY, *neuron_event(config, circuit)))
    wanted = range(512) if program.record.spikes == "all" else program.record.spikes
    return recording_of(program, [spike for spike in spikes if spike[2] in wanted])


def trains(population: SourcePopulation) -> list[list[list[int]]]:
    return [[sorted(population.train(i, entry).tolist()) for i in range(population.size)] for entry in range(population.n_entries)]


def test_instances_run_after_those_they_take_spikes_from() -> None:
    network = Network((neurons(1, 7), neurons(1, 2), neurons(1, 5)), (pairs(0, 2, (0, 0)), pairs(2, 1, (0, 0))))
    assert [part.instance for part in split_instances(network)] == [7, 5, 2]


def test_a_border_replaces_neurons_by_sources_with_their_recorded_spikes() -> None:
    network = Network(
        (sources([[[100], [300]], [[], [200]]]), neurons(2, 0), neurons(3, 1)),
        (pairs(0, 1, (0, 0), (1, 1)), pairs(1, 2, (0, 2), (1, 0)), pairs(0, 2, (1, 1))),
    )
    first, second = split_instances(network)
    assert [type(population) for population in first.network.populations] == [SourcePopulation, NeuronPopulation]
    assert [type(population) for population in second.network.populations] == [SourcePopulation, NeuronPopulation, SourcePopulation]
    assert (second.origin, second.stand_ins) == ((0, 2, 1), {2: (1, 0)})
    runs = run_instances((first, second), relay, 1000, base=BASE)
    assert trains(partition(network, base=BASE).recorded(runs, 1)) == [[[110], [310]], [[], [210]]]
    assert trains(partition(network, base=BASE).recorded(runs, 2)) == [[[320], [310], [120]], [[220], [210], []]]


def test_other_weights_keep_the_routes_of_all_instances() -> None:
    def network(weight: int) -> Network:
        heavy = dataclasses.replace(pairs(1, 2, (0, 0)), weight=np.array([weight]))
        return Network((sources([[[100]]]), neurons(1, 0), neurons(1, 1)), (pairs(0, 1, (0, 0)), heavy))

    first = run_instances(split_instances(network(5)), relay, 1000, base=BASE)
    second = run_instances(split_instances(network(9)), relay, 1000, base=BASE, previous=first)
    assert [b.mapped.routing is a.mapped.routing for a, b in zip(first, second, strict=True)] == [True, True]
    assert second[1].mapped.fields["synapse_weight"].max() == 9


def test_spikes_that_cross_a_border_are_recorded_whatever_was_asked_for() -> None:
    network = Network((sources([[[100]]]), neurons(1, 0), neurons(1, 1)), (pairs(0, 1, (0, 0)), pairs(1, 2, (0, 0))))
    runs = run_instances(split_instances(network), relay, 1000, base=BASE, record=lambda part, mapped: Record(spikes=()))
    assert [run.recording.spikes.tick.tolist() for run in runs] == [[110], []]


def test_each_compartment_that_sends_over_a_border_has_a_stand_in() -> None:
    two = Morphology(((0, 0), (1, 0)), (Compartment("soma", (0,), 0), Compartment("dendrite", (1,), 1)))
    to_dendrite = dataclasses.replace(pairs(0, 1, (0, 1)), post_compartment=1)
    from_both = [dataclasses.replace(pairs(1, 2, (1, c)), pre_compartment=c) for c in (0, 1)]
    network = Network((sources([[[5]]]), neurons(2, 0, morphology=two), neurons(2, 1)), (to_dendrite, *from_both))
    parts = split_instances(network)
    assert sorted(parts[1].stand_ins.values()) == [(1, 0), (1, 1)]
    runs = run_instances(parts, relay, 1000, base=BASE)
    assert trains(partition(network, base=BASE).recorded(runs, 2)) == [[[], [25]]]


def test_background_sources_belong_to_every_instance_with_targets() -> None:
    network = Network((BackgroundPopulation("b", 2, 100), neurons(1, 0), neurons(1, 1)), (pairs(0, 1, (0, 0)), pairs(0, 2, (1, 0))))
    for part in split_instances(network):
        assert map_network(part.network, base=BASE).fields["background_enable"].sum() == 1


def test_a_recurrent_group_cut_by_a_border_names_its_populations() -> None:
    network = Network((neurons(1, 0, "a"), neurons(1, 1, "b"), neurons(1, 1, "c")), (pairs(0, 1, (0, 0)), pairs(1, 2, (0, 0)), pairs(2, 0, (0, 0))))
    with pytest.raises(MappingError, match=r"cuts a recurrent group: the populations 'a', 'b', 'c' .* instances \[0, 1\]; .* Give them the same"):
        split_instances(network)


def test_instances_that_wait_for_each_other_are_refused() -> None:
    network = Network((neurons(1, 0), neurons(1, 1), neurons(1, 0)), (pairs(0, 1, (0, 0)), pairs(1, 2, (0, 0))))
    with pytest.raises(MappingError, match=r"execution instances \[0, 1\] depend on each other in a cycle; allowed"):
        split_instances(network)


def test_one_configuration_holds_one_instance() -> None:
    with pytest.raises(ValueError, match=r"execution instances \[0, 1\]; one chip configuration holds one. Split"):
        map_network(Network((neurons(1, 0), neurons(1, 1))), base=BASE)


def test_a_network_that_fits_keeps_one_instance() -> None:
    network = Network((sources([[[]] * 20]), neurons(100, 3), neurons(50, 9)), (dense(0, 1, 20, 100), dense(1, 2, 100, 50)))
    found = partition(network, "auto", base=BASE)
    assert len(found.parts) == 1
    assert [piece[0][1].instance for piece in found.pieces[1:]] == [0, 0]


def test_dense_layers_take_the_published_number_of_runs() -> None:
    """MNIST, 784-256-10: 7 circuits per hidden neuron (8 with whole columns), 64 neurons per chip, 4 + 1 runs."""
    hidden, output = (Morphology.single_compartment(-(-n_in // 128)) for n_in in (784, 256))
    rng = np.random.default_rng(0)

    def signed(pre: int, post: int, n_pre: int, n_post: int) -> Projection:
        return dataclasses.replace(dense(pre, post, n_pre, n_post, receptor="signed"), weight=rng.integers(-63, 64, n_pre * n_post), max_weight=63)

    layers = sources([[[]] * 784]), neurons(256, label="hidden", morphology=hidden), neurons(10, label="output", morphology=output)
    found = partition(Network(layers, (signed(0, 1, 784, 256), signed(1, 2, 256, 10))), "auto", base=BASE)
    assert [piece.stop - piece.start for _, piece in found.pieces[1]] == [64] * 4
    assert len(found.parts) == 5
    assert_realised(map_network(found.parts[4].network, base=BASE))


def test_consecutive_layers_share_a_chip_while_their_circuits_last() -> None:
    layers = [sources([[[]]]), *(neurons(size) for size in (200, 200, 200, 600, 100))]
    chain = [pairs(0, 1, (0, 0)), *(pairs(k, k + 1, (0, 0), (7, 5)) for k in range(1, 5))]
    found = partition(Network(tuple(layers), tuple(chain)), "auto", base=BASE)
    assert [[piece.instance for _, piece in pieces] for pieces in found.pieces[1:]] == [[0], [0], [1], [2, 3], [4]]


def test_rows_count_as_well_as_circuits() -> None:
    """Each layer fits, but together they need 300 synapse rows above the same columns."""
    layers = sources([[[]] * 200]), sources([[[]] * 200]), neurons(2, label="a"), neurons(2, label="b")
    found = partition(Network(layers, (dense(0, 2, 200, 2), dense(1, 3, 200, 2, receptor="inhibitory"))), "auto", base=BASE)
    assert [pieces[0][1].instance for pieces in found.pieces[2:]] == [0, 1]


def test_recurrent_groups_stay_whole() -> None:
    ring = neurons(300), neurons(100), neurons(300)
    found = partition(Network(ring, (pairs(0, 1, (0, 0)), pairs(1, 0, (0, 0)), pairs(1, 2, (0, 0)))), "auto", base=BASE)
    assert [pieces[0][1].instance for pieces in found.pieces] == [0, 0, 1]
    with pytest.raises(CapacityError, match=r"recurrent group 'n' .* allowed is what one chip holds. .* Placement unsuccessful"):
        partition(Network((neurons(513),), (pairs(0, 0, (0, 1)),)), "auto", base=BASE)


def test_a_neuron_that_no_chip_holds_is_refused_with_its_own_error() -> None:
    with pytest.raises(CapacityError, match=r"needs 300 synapses; allowed are 256.*SingleCompartmentNeuron\(2\)"):
        partition(Network((sources([[[]] * 300]), neurons(600)), (dense(0, 1, 300, 1),)), "auto", base=BASE)


@st.composite
def feed_forward(draw: st.DrawFn) -> Network:
    """Random chains and fans of layers, some too large for one chip, with trials."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_entries = draw(st.integers(1, 3))
    populations: list = [sources([[rng.integers(0, 500, rng.integers(0, 3)).tolist() for _ in range(4)] for _ in range(n_entries)])]
    projections = []
    for number in range(1, draw(st.integers(2, 4))):
        populations.append(neurons(draw(st.sampled_from([3, 40, 700])), label=str(number), morphology=Morphology.single_compartment(int(rng.integers(1, 3)))))
        for pre in range(number):
            i, j = (rng.integers(0, populations[end].size, 6) for end in (pre, number))
            projections.append(Projection("p", pre, number, "excitatory", i, j, np.full(6, 5)))
    return Network(tuple(populations), tuple(projections))


def expected(network: Network) -> list[list[list[list[int]]]]:
    """Return the spikes of each population if every spike of a source fires each of its targets once."""
    found = [trains(network.populations[0])]  # type: ignore[arg-type]
    for number in range(1, len(network.populations)):
        spikes: list[list[list[int]]] = [[[] for _ in range(network.populations[number].size)] for _ in range(network.n_entries)]
        mine = [projection for projection in network.projections if projection.post == number]
        for pre, i, j in {(one.pre, i, j) for one in mine for i, j in zip(one.pre_index.tolist(), one.post_index.tolist(), strict=True)}:
            for entry in range(network.n_entries):
                spikes[entry][j] += [t + LATENCY for t in found[pre][entry][i]]
        found.append([[sorted(train) for train in entry] for entry in spikes])
    return found


@settings(max_examples=12, deadline=None)
@given(feed_forward())
def test_a_partitioned_network_fires_like_the_whole_one(network: Network) -> None:
    found = partition(network, "auto", base=BASE)
    runs = run_instances(found.parts, relay, 5000, base=BASE)
    for number, wanted in list(enumerate(expected(network)))[1:]:
        assert trains(found.recorded(runs, number)) == wanted
