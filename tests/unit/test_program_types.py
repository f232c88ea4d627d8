"""The data types: time, CSR, read-only arrays, equality, repr, pickling, losses, provenance."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neckar.program
from neckar.errors import ConservationError, FileFormatError, ParameterRangeError, ProgramError, UnknownNameError
from neckar.program import (
    TICK_S,
    TICKS_PER_US,
    CadcRecord,
    Cost,
    DriverProbeSamples,
    EnergyRange,
    Events,
    Losses,
    Machine,
    MachineState,
    MadcChannel,
    ProbeSamples,
    Program,
    Provenance,
    Record,
    Recording,
    Samples,
    SensorProbeSamples,
    Snippet,
    Spikes,
    TimedRead,
    TimedWrite,
    seconds,
    ticks,
)
from neckar.program._plain import FrozenDict, frozen, packed

PAIRS = st.lists(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 511)), max_size=20), min_size=1, max_size=5)


def provenance(**changes: object) -> Provenance:
    values: dict[str, object] = {
        "neckar": "0.1.0",
        "model_version": "1",
        "chip": {"id": "a", "seed": 1, "age_h": 0.5},
        "effects": {"noise": True},
        "instruments": "silicon",
        "run_seed": (0, 0),
        "step_ticks": (250,),
        "active_circuits": (0, 1),
        "environment": {"python": "3.11"},
    }
    return Provenance(**{**values, **changes})  # type: ignore[arg-type]


def recording(**changes: object) -> Recording:
    values: dict[str, object] = {
        "machine": "brainscales2",
        "duration": 100,
        "spikes": Spikes.from_lists([[(3, 1)], []]),
        "losses": Losses(),
        "cost": Cost(hardware_s=1.0, configuration_s=0.0, transfer_s=0.0, energy_j=EnergyRange(0.1, 0.2)),
        "chip_ticks": 200,
        "provenance": provenance(),
    }
    return Recording(**{**values, **changes})  # type: ignore[arg-type]


# time


def test_a_microsecond_has_500_ticks_of_2_ns() -> None:
    assert ticks(1e-6) == TICKS_PER_US == 500
    assert seconds(1) == TICK_S == 2e-9
    assert type(ticks(1e-6)) is int
    assert type(seconds(1)) is float


@given(st.integers(-(2**50), 2**50))
def test_ticks_inverts_seconds(n: int) -> None:
    assert ticks(seconds(n)) == n


def test_time_conversion_keeps_the_shape_of_arrays() -> None:
    t = ticks(np.array([[0.0, 1e-6], [2e-6, 3.1e-9]]))
    assert t.dtype == np.int64
    assert t.tolist() == [[0, 500], [1000, 2]]
    assert np.allclose(seconds(t), [[0, 1e-6], [2e-6, 4e-9]])


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e11, -1e11])
def test_a_time_that_ticks_cannot_count_is_refused(bad: float) -> None:
    with pytest.raises(ParameterRangeError, match="seconds of hardware time"):
        ticks(np.array([0.0, bad]))


# CSR


@given(PAIRS)
def test_events_are_sorted_by_tick_then_label_inside_each_entry(lists: list[list[tuple[int, int]]]) -> None:
    events = Events.from_lists(lists)
    assert events.n_entries == len(lists)
    assert len(events) == sum(map(len, lists))
    for e, pairs in enumerate(lists):
        tick, label = events.entry(e)
        assert list(zip(tick.tolist(), label.tolist(), strict=True)) == sorted(pairs)


@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_the_columns_does_not_matter(lists: list[list[tuple[int, int]]], random: object) -> None:
    rows = [(e, *pair) for e, pairs in enumerate(lists) for pair in pairs]
    random.shuffle(rows)  # type: ignore[attr-defined]
    entry, tick, circuit = (np.array([row[i] for row in rows], np.int64) for i in range(3))
    assert Spikes.from_columns(entry, tick, circuit, len(lists)) == Spikes.from_lists(lists)


def test_no_event_at_all_keeps_the_number_of_entries() -> None:
    assert Events.empty(3) == Events.from_lists([[], [], []])
    assert Spikes.empty(3) == Spikes.from_lists([[], [], []])
    assert Events.empty(3).n_entries == 3


def test_a_fall_between_entries_is_no_disorder() -> None:
    assert Events([0, 1, 1, 2], [9, 3], [5, 1]).n_entries == 3


@pytest.mark.parametrize(
    ("entry_ptr", "tick", "label", "words"),
    [
        ([0, 3], [1, 5, 4], [0, 0, 0], "element 2 of Events .entry 0, tick 4. comes before its predecessor .tick 5."),
        ([0, 2], [1, 1], [2, 1], "equal ticks by the second column"),
        ([0, 1, 4], [9, 1, 5, 4], [0, 0, 0, 0], "element 3 of Events .entry 1"),
        ([0, 1], [1, 2], [0, 0], "must rise from 0 to the number of elements, 2"),
        ([1, 2], [1, 2], [0, 0], "must rise from 0"),
        ([0, 2, 1, 2], [1, 2], [0, 0], "must rise from 0"),
        ([], [], [], "must rise from 0"),
        ([0, 2], [1, 2], [0], "one length"),
        ([0, 1], [1.5], [0], "Round and convert"),
    ],
)
def test_columns_that_are_no_csr_are_refused(entry_ptr: list[int], tick: list[float], label: list[int], words: str) -> None:
    with pytest.raises(ProgramError, match=words):
        Events(entry_ptr, tick, label)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tick", "label", "words"),
    [(-1, 0, r"Events.tick\[0\] is -1; allowed is 0 to"), (0, 70000, r"Events.label\[0\] is 70000; allowed is 0 to 65535")],
)
def test_events_outside_their_range_are_refused_not_wrapped(tick: int, label: int, words: str) -> None:
    with pytest.raises(ParameterRangeError, match=words):
        Events.from_lists([[(tick, label)]])


def test_an_element_outside_the_entries_is_refused() -> None:
    with pytest.raises(ParameterRangeError, match="Raise n_entries"):
        Events.from_columns([2], [0], [0], 2)
    with pytest.raises(IndexError, match="entries 0 to 1"):
        Events.empty(2).entry(2)


def test_spikes_of_the_wafer_keep_their_wide_circuits() -> None:
    spikes = Spikes.from_lists([[(0, 100_000)]], dtype=np.int32)
    assert spikes.circuit.dtype == np.int32
    assert spikes != Spikes.from_lists([[(0, 1)]])
    with pytest.raises(ParameterRangeError, match="int16"):
        Spikes.from_lists([[(0, 100_000)]])
    with pytest.raises(ProgramError, match="allowed are int16"):
        Spikes([0, 1], [0], np.zeros(1, np.int64))  # type: ignore[arg-type]


# read-only


def test_arrays_are_read_only_contiguous_and_native() -> None:
    array = frozen(np.arange(20, dtype=">i4").reshape(4, 5)[:, ::2], "x")
    assert array.flags.c_contiguous
    assert not array.flags.writeable
    assert array.dtype.isnative
    assert array.tolist() == [[0, 2, 4], [5, 7, 9], [10, 12, 14], [15, 17, 19]]


def test_later_changes_of_the_callers_array_do_not_reach_the_program() -> None:
    mine = np.zeros(512, np.uint16)
    view = mine.view()
    view.setflags(write=False)
    program = Program(machine="brainscales2", snippets=(Snippet(10, {"leak_v_leak": view}),), config={"leak_v_leak": mine})
    mine[:] = 7
    assert not program.config["leak_v_leak"].any()
    assert not program.snippets[0].config["leak_v_leak"].any()
    assert mine.flags.writeable


def test_an_array_that_nobody_can_write_is_not_copied() -> None:
    mine = np.zeros(512, np.uint16)
    mine.setflags(write=False)
    assert frozen(mine, "x") is mine


def test_zero_dimensional_arrays_stay_zero_dimensional() -> None:
    assert TimedWrite(at=0, field="x", value=3).value.shape == ()  # type: ignore[arg-type]


def test_fields_and_mappings_cannot_be_changed() -> None:
    program = Program(machine="brainscales2", snippets=(Snippet(10),), labels={"title": "a"})
    with pytest.raises(dataclasses.FrozenInstanceError):
        program.machine = "brainscales1"  # type: ignore[misc]
    for change in (lambda d: d.update(title="b"), lambda d: d.pop("title"), lambda d: d.clear(), lambda d: d.setdefault("x", "y")):
        with pytest.raises(TypeError, match="derive a new one"):
            change(program.labels)
    with pytest.raises(TypeError, match="derive a new one"):
        program.labels["title"] = "b"  # type: ignore[index]
    assert program.labels == {"title": "a"}


# equality


def test_equal_parts_make_equal_programs_and_every_field_counts() -> None:
    base = Program(machine="brainscales2", snippets=(Snippet(10),))
    other: dict[str, object] = {
        "config": {"leak_v_leak": np.zeros(512, np.uint16)},
        "snippets": (Snippet(11),),
        "entries": Events.empty(2),
        "sequential": True,
        "neuron_reset": True,
        "writes": (TimedWrite(at=0, field="leak_v_leak", value=1),),  # type: ignore[arg-type]
        "reads": (TimedRead(name="a", at=0, field="spike_counter"),),
        "record": Record(spikes=()),
        "plasticity": (neckar.program.PlasticityTask(name="a", kernel=""),),
        "run_seed": (0, 0),
        "labels": {"a": "b"},
    }
    assert {f.name for f in dataclasses.fields(Program)} == {"machine", *other}
    assert base == copy.deepcopy(base) == dataclasses.replace(base)
    for name, value in other.items():
        changed = dataclasses.replace(base, **{name: value})  # type: ignore[arg-type]
        assert changed != base, name
        assert changed == dataclasses.replace(base, **{name: value}), name  # type: ignore[arg-type]


def nan(payload: int) -> float:
    return struct.unpack("d", struct.pack("Q", 0x7FF8_0000_0000_0000 | payload))[0]


def test_equality_compares_nan_patterns_signed_zeros_dtypes_and_shapes() -> None:
    def reads(array: object) -> Recording:
        return recording(reads={"a": np.asarray(array)})

    assert reads([nan(1), 2]) == reads([nan(1), 2])
    assert reads([nan(1), 2]) != reads([nan(2), 2])
    assert reads([0.0, 1]) != reads([-0.0, 1])
    assert reads(np.zeros(2, np.int32)) != reads(np.zeros(2, np.float32))
    assert reads(np.zeros((2, 1))) != reads(np.zeros((2,)))
    assert reads(np.zeros((2, 0, 3))) != reads(np.zeros((2, 3, 0)))
    cost = {"hardware_s": nan(1), "configuration_s": 0.0, "transfer_s": 0.0, "energy_j": EnergyRange(0, 1)}
    assert recording(cost=Cost(**cost)) == recording(cost=Cost(**cost))  # type: ignore[arg-type]
    assert recording(cost=Cost(**cost)) != recording(cost=Cost(**{**cost, "hardware_s": nan(2)}))  # type: ignore[arg-type]


def test_the_wall_clock_is_no_part_of_equality() -> None:
    assert recording(wall={"run": 1.0}) == recording(wall={"run": 2.0})
    assert recording(reads={}) != recording(reads={"a": np.zeros(2)})


def test_the_order_of_a_mapping_is_no_part_of_equality() -> None:
    assert recording(reads={"a": np.zeros(2), "b": np.ones(2)}) == recording(reads={"b": np.ones(2), "a": np.zeros(2)})


def test_different_types_are_unequal() -> None:
    assert Events([0, 1], [0], [1]) != Spikes([0, 1], [0], np.ones(1, np.int16))
    assert Events.empty(1) != "events"


def test_small_records_can_be_members_of_sets() -> None:
    assert len({MadcChannel(1), MadcChannel(1), MadcChannel(1, "adaptation")}) == 2


# pickling and repr


def test_pickling_keeps_bits_and_protection() -> None:
    codes = np.arange(512, dtype=np.uint16)
    program = Program(machine="brainscales2", snippets=(Snippet(10),), config={"leak_v_leak": codes}, entries=Events.from_lists([[(1, 2)]]), labels={"a": "b"})
    state = MachineState(machine="brainscales2", runs=2, analog={"v": np.ones(3)})
    for original in (program, recording(observables={"task": {"w": np.full(2, nan(3))}}), state):
        again = pickle.loads(pickle.dumps(original))
        assert again == original
    again = pickle.loads(pickle.dumps(program))
    assert not again.config["leak_v_leak"].flags.writeable
    assert isinstance(again.labels, FrozenDict)


def test_packing_keeps_bits_and_protection_of_all_parts() -> None:
    original = recording(observables={"task": {"w": np.full(2, nan(3))}}, reads={"v": np.zeros((2, 4))})
    one, two = pickle.loads(packed([original, original]))
    assert one == original
    assert one is two
    arrays = [one.spikes.entry_ptr, one.spikes.tick, one.spikes.circuit, one.loopback.tick, one.reads["v"], one.observables["task"]["w"]]
    assert not any(array.flags.writeable for array in arrays)
    assert isinstance(one.losses.sent, FrozenDict)
    assert isinstance(one.provenance.effects, FrozenDict)


def test_repr_is_short_and_never_dumps_data() -> None:
    big = Program(
        machine="brainscales2",
        snippets=tuple(Snippet(10) for _ in range(1000)),
        config={"synapse_weight": np.zeros((2, 256, 256), np.uint8)},
        entries=Events.from_lists([[(1, 2)] * 1000]),
        record=Record(spikes=tuple(range(512))),
        plasticity=(neckar.program.PlasticityTask(name="a", kernel="x" * 10_000),),
    )
    assert len(repr(big)) < 1500
    assert "uint8[2, 256, 256]" in repr(big)
    assert "... 1000 items" in repr(big)


# the parts of a recording


def test_losses_are_conserved_at_every_link() -> None:
    lost = {("link_loss", "madc"): 2, ("no_receiver", "fpga_to_chip"): 1, ("fifo_overflow", "madc"): 3}
    Losses(sent={"madc": 10, "fpga_to_chip": 1}, delivered={"madc": 5}, lost=lost).check()
    with pytest.raises(ConservationError, match="'fpga_to_chip'"):  # the totals of the two links would agree
        Losses(sent={"madc": 10, "fpga_to_chip": 1}, delivered={"madc": 4, "fpga_to_chip": 1}, lost=lost).check()


@given(st.dictionaries(st.sampled_from(neckar.program.LOSS_REASONS), st.integers(0, 1000)), st.integers(0, 1000), st.integers(1, 5))
def test_an_uncounted_event_is_found(lost: dict[str, int], delivered: int, missing: int) -> None:
    counted = {(reason, "madc"): number for reason, number in lost.items()}
    sent = delivered + sum(lost.values())
    Losses({"madc": sent}, {"madc": delivered}, counted).check()
    with pytest.raises(ConservationError, match=rf"'madc' {sent + missing} events were sent, {delivered} delivered .* {missing} events vanished"):
        Losses({"madc": sent + missing}, {"madc": delivered}, counted).check()
    with pytest.raises(ConservationError, match="appeared"):
        Losses({"madc": sent}, {"madc": delivered + missing}, counted).check()


def test_losses_name_known_reasons_and_count_from_zero() -> None:
    with pytest.raises(UnknownNameError, match="did you mean link_loss"):
        Losses(lost={("link_los", "madc"): 1})
    with pytest.raises(ParameterRangeError, match="at least 0 events"):
        Losses(sent={"madc": -1})
    with pytest.raises(ProgramError, match=r"allowed is \(reason, place\)"):
        Losses(lost={"link_loss": 1})  # type: ignore[dict-item]


def test_an_energy_range_rises() -> None:
    with pytest.raises(ParameterRangeError, match="0 <= low <= high"):
        EnergyRange(2.0, 1.0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_provenance_survives_json_exactly(chip: dict[str, object]) -> None:
    original = provenance(chip=chip)
    assert Provenance.from_json(original.to_json()) == original
    assert json.loads(original.to_json())["chip"] == chip


@pytest.mark.parametrize("value", [math.nan, np.float64(1), {1: 2}, 2**64, object()])
def test_provenance_is_plain_json(value: object) -> None:
    with pytest.raises(ProgramError, match=r"Provenance.chip\['x'\] is .* allowed is plain JSON"):
        provenance(chip={"x": value})


@pytest.mark.parametrize("text", ["{", "[1]", '{"neckar": "1"}'])
def test_a_text_that_is_no_provenance_is_refused(text: str) -> None:
    with pytest.raises(FileFormatError, match="allowed is a JSON object with neckar, model_version"):
        Provenance.from_json(text)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reads": {"a": np.zeros(3)}}, r"reads\['a'\] has 3 entries; allowed is 2"),
        ({"madc": (Samples("membrane", 0, [0, 0], [], []),)}, r"madc\[0\] has 1 entries; allowed is 2"),  # type: ignore[arg-type]
        ({"spikes": "none"}, r"Recording.spikes\[0\] is 'none'; allowed are Spikes objects"),
        ({"reads": {"a": np.array(["x", "y"])}}, "plain data are booleans and numbers"),
    ],
)
def test_a_recording_that_contradicts_itself_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ProgramError, match=words):
        recording(**changes)


def test_samples_have_the_shape_that_their_axes_say() -> None:
    with pytest.raises(ProgramError, match=r"Samples.value has shape \(1,\); allowed is \(2,\)"):
        Samples("membrane", 0, [0, 2], [0, 1], [0])  # type: ignore[arg-type]
    with pytest.raises(ProgramError, match=r"ProbeSamples.value has shape \(1, 1, 3, 1\); allowed is \(1, 1, 2, 1\)"):
        ProbeSamples(("v",), ("V",), (0,), [0, 1], np.zeros((1, 1, 3, 1), np.float32))  # type: ignore[arg-type]
    with pytest.raises(ProgramError, match="one unit per signal"):
        ProbeSamples(("v",), (), (0,), [0], np.zeros((1, 1, 1, 1), np.float32))  # type: ignore[arg-type]
    with pytest.raises(ProgramError, match=r"DriverProbeSamples.value has shape \(1, 1, 1, 2\); allowed is \(1, 1, 1, 1\)"):
        DriverProbeSamples(("u",), ("V",), 0, (0,), [0], np.zeros((1, 1, 1, 2), np.float32))  # type: ignore[arg-type]
    with pytest.raises(ProgramError, match=r"SensorProbeSamples.value has shape \(1, 1, 1, 2\); allowed is \(1, 1, 1, 2, 3\)"):
        SensorProbeSamples(("causal",), ("LSB",), 0, (0, 1), (4, 5, 6), [0], np.zeros((1, 1, 1, 2), np.float32))  # type: ignore[arg-type]
    with pytest.raises(ProgramError, match=r"SensorProbeSamples.value has dtype float64; allowed is float32"):
        SensorProbeSamples(("causal",), ("LSB",), 0, (0,), (4,), [0], np.zeros((1, 1, 1, 1, 1)))  # type: ignore[arg-type]


def test_an_entry_of_samples_is_its_part_of_the_columns() -> None:
    samples = Samples("membrane", 3, [0, 1, 3], [4, 0, 8], [100, 200, 300])  # type: ignore[arg-type]
    tick, value = samples.entry(1)
    assert tick.tolist() == [0, 8]
    assert value.tolist() == [200, 300]


def test_keys_index_arrays_as_numpy_does() -> None:
    array = np.arange(24).reshape(2, 3, 4)
    read = TimedRead(name="a", at="after", field="x", index=(1, (0, 2)))
    assert np.array_equal(array[read.key], array[1, 0:2])
    assert np.array_equal(array[TimedWrite(at=0, field="x", value=1).key], array)  # type: ignore[arg-type]


def test_a_machine_is_anything_that_runs_programs() -> None:
    class Nothing:
        def run(self, program: Program, state: MachineState | None = None) -> tuple[Recording, MachineState]:
            return recording(), state or MachineState(machine=program.machine)

    assert isinstance(Nothing(), Machine)
    assert not isinstance(object(), Machine)


def test_cadc_ticks_rise() -> None:
    assert CadcRecord((0,), ticks=[1, 5]).ticks.tolist() == [1, 5]  # type: ignore[arg-type, union-attr]
    with pytest.raises(ProgramError, match=r"numpy\.unique"):
        CadcRecord((0,), ticks=[1, 1])  # type: ignore[arg-type]
    with pytest.raises(ProgramError, match="exactly one"):
        CadcRecord((0,))


# the room


def test_importing_the_room_needs_no_hdf5() -> None:
    code = "import sys, neckar.program; sys.exit('h5py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_everything_exported_exists() -> None:
    assert all(hasattr(neckar.program, name) for name in neckar.program.__all__)
    assert len(set(neckar.program.__all__)) == len(neckar.program.__all__)
