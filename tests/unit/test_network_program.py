"""Lowering: whole fields, deltas, events, reuse of what did not change, and splitting of recordings."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest

from neckar.chip import ChipConfig
from neckar.errors import ParameterRangeError
from neckar.network import (
    Compartment,
    MappedNetwork,
    Morphology,
    Network,
    NeuronPopulation,
    Projection,
    Section,
    SourcePopulation,
    build_program,
    map_network,
    split_madc,
)
from neckar.program import MadcChannel, Record, dumps, loads

BASE = ChipConfig.default()


def network(weight: int = 10, v_leak: int = 700, ticks: tuple[int, ...] = (100, 300)) -> Network:
    neurons = NeuronPopulation("n", 2, {"leak_v_leak": np.array([v_leak, v_leak])})
    sources = SourcePopulation.from_lists("s", [np.array(ticks), np.array([200])])
    pre, post = np.array([0, 1]), np.array([0, 1])
    return Network((neurons, sources), (Projection("p", 1, 0, "excitatory", pre, post, np.array([weight, weight])),))


def with_neurons(old: Network, v_leak: int) -> Network:
    """Return a network in which only the neurons are new."""
    return Network((network(v_leak=v_leak).populations[0], *old.populations[1:]), old.projections)


def mapped(net: Network, previous: MappedNetwork | None = None) -> MappedNetwork:
    return map_network(net, base=BASE, previous=previous)


def test_the_first_program_holds_every_field_and_later_ones_what_changed() -> None:
    net = network()
    first = mapped(net)
    program = build_program([Section(first, 1000, Record())], held=None)
    assert program.whole
    assert program.config["leak_v_leak"][:3].tolist() == [700, 700, 0]
    again = build_program([Section(mapped(net, first), 1000, Record())], held=first.codes)
    assert again.config == {}
    changed = mapped(with_neurons(net, 650), first)
    assert list(build_program([Section(changed, 1000, Record())], held=first.codes).config) == ["leak_v_leak"]


def test_a_field_back_at_its_base_value_is_sent() -> None:
    first = mapped(network())
    bare = mapped(Network((NeuronPopulation("n", 2), network().populations[1])), first)
    config = build_program([Section(bare, 1000, Record())], held=first.codes).config
    assert not config["leak_v_leak"].any()
    assert not config["synapse_weight"].any()
    assert BASE.updated(first.fields).updated(config) == BASE


def test_the_config_after_a_program_is_that_of_its_last_section() -> None:
    net = network()
    first = mapped(net)
    second = mapped(with_neurons(net, 600), first)
    program = build_program([Section(first, 1000, Record()), Section(second, 500, Record(spikes=()))], held=None)
    assert list(program.snippets[1].config) == ["leak_v_leak"]
    assert program.snippets[1].record == Record(spikes=())
    assert BASE.updated(program.config).updated(program.snippets[1].config) == BASE.updated(second.fields)


def test_events_carry_their_sources_labels_and_are_cut_at_the_end() -> None:
    net = network(ticks=(999, 100, 1000))
    result = mapped(net)
    program = build_program([Section(result, 1000, Record()), Section(result, 1000, Record())], held=None)
    tick, label = program.entries.entry(0)
    assert tick.tolist() == [100, 200, 999, 1100, 1200, 1999]
    assert [result.routing.sources()[int(one)] for one in label[:3]] == [(1, 0), (1, 1), (1, 0)]


def trials(*entries: list[list[int]]) -> Network:
    """Two sources, one neuron in each hemisphere; source 0 drives both."""
    sources = SourcePopulation.from_entries("s", [[np.array(train, np.int64) for train in entry] for entry in entries])
    pre, post = np.array([0, 0, 1]), np.array([0, 1, 0])
    return Network((NeuronPopulation("n", 2), sources), (Projection("p", 1, 0, "excitatory", pre, post, np.array([1, 2, 3])),))


def test_each_trial_plays_its_own_spikes_in_every_section() -> None:
    network = trials([[10, 90], [20]], [[], []], [[5], [30, 7]])
    result = map_network(network, base=BASE, permutation=[0, 256])
    program = build_program([Section(result, 50, Record()), Section(result, 100, Record())], held=None)
    sources = result.routing.sources()
    played = [[(int(t), sources[int(one)][1]) for t, one in zip(*program.entries.entry(e), strict=True)] for e in range(program.n_entries)]
    assert played == [[(10, 0), (20, 1), (60, 0), (70, 1), (140, 0)], [], [(5, 0), (7, 1), (30, 1), (55, 0), (57, 1), (80, 1)]]


def test_a_source_that_is_sent_twice_plays_both_labels_at_once() -> None:
    heavy = Projection("p", 1, 0, "excitatory", np.array([0]), np.array([0]), np.array([65 * 63]))
    network = Network((NeuronPopulation("n", 1), SourcePopulation.from_lists("s", [np.array([40, 4])])), (heavy,))
    tick, label = build_program([Section(mapped(network), 50, Record())], held=None).entries.entry(0)
    assert tick.tolist() == [4, 4, 40, 40]
    assert label[:2].tolist() == label[2:].tolist() == sorted(set(label.tolist()))


def test_a_network_may_have_trials_without_external_sources() -> None:
    program = build_program([Section(mapped(Network((NeuronPopulation("n", 1),), trials=5)), 50, Record())], held=None)
    assert program.n_entries == 5


def test_signed_weights_land_on_the_row_of_their_sign_and_change_without_a_route() -> None:
    def signed(*weights: int) -> Network:
        net = network()
        pre, post = np.array([0, 1, 1]), np.array([0, 1, 0])
        return Network(net.populations, (Projection("p", 1, 0, "signed", pre, post, np.array(weights), max_weight=130),))

    first = mapped(signed(100, -130, 0))
    connection, hemisphere, row, column = first.synapses(0)
    assert connection.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2] * 2, "three synapses of each sign for weights up to 130"
    mode, weight = (first.fields[name][hemisphere, row] for name in ("synapse_row_mode", "synapse_weight"))
    assert mode.tolist() == [1] * 9 + [2] * 9
    assert weight[np.arange(18), column].tolist() == [63, 37, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 63, 63, 4, 0, 0, 0]
    second = mapped(signed(-1, 1, 130), first)
    assert second.routing is first.routing
    assert second.fields["synapse_weight"].sum() == 132


def test_views_are_the_rows_and_columns_of_a_projection_in_each_hemisphere() -> None:
    net = Network((*trials([[], []]).populations, NeuronPopulation("other", 1)), ())
    pre, post = np.array([0, 1, 1]), np.array([0, 1, 0])
    mine = Projection("mine", 1, 0, "excitatory", pre, post, np.array([100, 5, 6]))
    others = Projection("others", 1, 2, "excitatory", np.array([0]), np.array([0]), np.array([7]))
    result = map_network(Network(net.populations, (others, mine)), base=BASE, permutation=[3, 300, 8])
    assert [(view.hemisphere, view.columns) for view in result.views(1)] == [(0, (3,)), (1, (44,))]
    connection, hemisphere, row, column = result.synapses(1)
    assert connection.tolist() == [0, 0, 1, 2]
    for h, view in enumerate(result.views(1)):
        assert set(row[hemisphere == h].tolist()) == set(view.rows)
        assert set(column[hemisphere == h].tolist()) == set(view.columns)
    assert result.fields["synapse_weight"][hemisphere, row, column].tolist() == [63, 37, 5, 6]
    assert [view.columns for view in result.views(0)] == [(8,)]


def test_circuits_of_a_shape_have_their_own_codes_and_only_masters_send_spikes() -> None:
    shape = Morphology(((0, 0), (0, 1)), (Compartment("soma", (0, 1), 1),), {"multicompartment_connect_vertical": (1, 1)})
    codes = {"leak_v_leak": np.array([[1, 2], [3, 4]]), "leak_i_bias": np.array([5, 6])}
    fields = map_network(Network((NeuronPopulation("n", 2, codes, shape),)), base=BASE, permutation=[9, 7, 263, 265]).fields
    assert fields["leak_v_leak"][[9, 265, 7, 263]].tolist() == [1, 2, 3, 4]
    assert fields["leak_i_bias"][[9, 265, 7, 263]].tolist() == [5, 5, 6, 6]
    assert np.flatnonzero(fields["multicompartment_connect_vertical"]).tolist() == [7, 9, 263, 265]
    assert np.flatnonzero(~fields["event_routing_enable_digital"]).tolist() == [7, 9]


def test_neurons_in_use_send_their_spikes_whatever_the_base_says() -> None:
    base = BASE.updated({"event_routing_analog_output": 0, "event_routing_enable_digital": False})
    fields = map_network(Network((NeuronPopulation("n", 2),)), base=base, permutation=[9, 7]).fields
    assert np.flatnonzero(fields["event_routing_enable_digital"]).tolist() == np.flatnonzero(fields["event_routing_analog_output"]).tolist() == [7, 9]
    assert not {"event_routing_enable_digital", "event_routing_analog_output"} & set(map_network(Network((NeuronPopulation("n", 2),)), base=BASE).fields)


def test_synapses_go_to_the_circuit_with_the_fewest() -> None:
    shape = Morphology(((0, 0), (1, 0), (2, 0)), (Compartment("all", (0, 1, 2), 0, excitatory=(0, 1, 2), inhibitory=(2,)),))
    net = Network((NeuronPopulation("n", 1, morphology=shape), SourcePopulation.from_lists("s", [np.zeros(0, np.int64)] * 9)), ())
    i = np.arange(9)
    inhibitory = Projection("i", 1, 0, "inhibitory", i[:4], i[:4] * 0, i[:4] + 1)
    excitatory = Projection("e", 1, 0, "excitatory", i, i * 0, i + 1)
    result = mapped(Network(net.populations, (inhibitory, excitatory)))
    assert result.synapses(0)[3].tolist() == [2] * 4
    assert np.bincount(result.synapses(1)[3], minlength=3).tolist() == [5, 4, 0]
    even = mapped(Network((NeuronPopulation("n", 1, morphology=Morphology.single_compartment(3)), net.populations[1]), (excitatory,)))
    assert even.synapses(0)[3].tolist() == [0, 0, 1] * 3


def test_sources_without_targets_send_nothing() -> None:
    bare = Network(network().populations)
    assert len(build_program([Section(mapped(bare), 1000, Record())], held=None).entries) == 0


def test_unchanged_parts_are_reused() -> None:
    net = network()
    first = mapped(net)
    second = mapped(with_neurons(net, 600), first)
    assert second.routing is first.routing
    assert second.synapse_fields is first.synapse_fields
    other_ticks = Network((net.populations[0], network(ticks=(5,)).populations[1]), net.projections)
    third = mapped(other_ticks, first)
    assert third.neuron_fields is first.neuron_fields
    assert third.synapse_fields is first.synapse_fields


def test_a_route_survives_weights_that_need_the_same_synapses() -> None:
    first = mapped(network(weight=10))
    second = mapped(network(weight=63), first)
    assert second.routing is first.routing
    assert second.fields["synapse_weight"].max() == 63
    third = mapped(network(weight=64), second)
    assert third.routing is not second.routing


def test_codes_outside_their_range_are_refused() -> None:
    with pytest.raises(ParameterRangeError, match=r"leak_v_leak\[0\] is 1500"):
        mapped(network(v_leak=1500))


def channels(*circuits: int) -> tuple[MadcChannel, ...]:
    return tuple(MadcChannel(circuit) for circuit in circuits)


def test_the_open_instrument_records_everything_at_once() -> None:
    record = Record(spikes=(0, 1, 2), madc=channels(0, 2, 4, 1))
    assert split_madc([record], "open") == ((record,),)


def test_silicon_records_one_even_and_one_odd_column_per_execution() -> None:
    first, second = split_madc([Record(spikes=(0, 1, 2), madc=channels(0, 1, 2))], "silicon")
    assert first[0].madc == channels(0, 1)
    assert second[0].madc == channels(2)


def test_each_channel_and_each_spike_train_belong_to_one_execution() -> None:
    records = [Record(spikes=tuple(range(9)), madc=channels(*range(7))), Record(spikes="all", madc=channels(4, 6, 258)), Record(spikes=())]
    passes = split_madc(records, "silicon")
    assert len(passes) == 4
    for i, record in enumerate(records):
        assert sorted(channel.circuit for part in passes for channel in part[i].madc) == sorted(channel.circuit for channel in record.madc)
        spikes = [circuit for part in passes for circuit in part[i].spikes]
        assert sorted(spikes) == sorted(range(512) if record.spikes == "all" else record.spikes)
        for part in passes:
            assert all(channel.circuit in part[i].spikes for channel in part[i].madc if record.spikes)
            assert len({channel.circuit % 2 for channel in part[i].madc}) == len(part[i].madc)


def test_programs_equal_their_copies_from_a_file_and_another_process() -> None:
    first = mapped(network())
    program = build_program([Section(first, 1000, Record())], held=None)
    assert pickle.loads(pickle.dumps(program)) == program
    assert loads(dumps(program=program)).program == program
    assert program.seeded(1, 2) == dataclasses.replace(program, run_seed=(1, 2)) != program
    with pytest.raises(TypeError):
        program.config["leak_v_leak"] = 0
    with pytest.raises(ValueError, match="read-only"):
        program.config["leak_v_leak"][0] = 1


def test_a_base_configuration_that_changes_is_sent_between_sections_and_programs() -> None:
    net, other = network(), BASE.updated({"backend_clock_scale_fast": 3})
    first, second = mapped(net), map_network(net, base=other, previous=mapped(net))
    program = build_program([Section(first, 1000, Record()), Section(second, 1000, Record())], held=None)
    assert list(program.snippets[1].config) == ["backend_clock_scale_fast"]
    assert list(build_program([Section(first, 1000, Record())], held=second.codes).config) == ["backend_clock_scale_fast"]


def test_fields_that_are_not_known_to_be_held_are_sent() -> None:
    first = mapped(network())
    held = {name: codes for name, codes in first.codes.items() if name != "synapse_weight"}
    assert list(build_program([Section(first, 1000, Record())], held=held).config) == ["synapse_weight"]


def test_further_events_are_played_in_every_trial() -> None:
    sources = SourcePopulation.from_entries("s", [[np.array([100])], [np.array([50])]])
    net = Network((NeuronPopulation("n", 1), sources), (Projection("p", 1, 0, "excitatory", np.array([0]), np.array([0]), np.array([5])),))
    plain = build_program([Section(mapped(net), 1000, Record())], held=None).entries
    label = int(plain.label[0])
    more = build_program([Section(mapped(net), 1000, Record())], held=None, events=[(70, label)]).entries
    assert [more.entry(e)[0].tolist() for e in range(2)] == [[70, 100], [50, 70]]
