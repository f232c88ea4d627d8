"""Laws of a run on a chip: what is repeated bit for bit, what scatters, what acts when, what is counted, what is refused.

Nothing here depends on how well the circuits are known; see tests/hardware_facts for that.
"""

from __future__ import annotations

import dataclasses
import json
import math
from functools import cache
from typing import Any

import numpy as np
import pytest

from neckar.chip.agenda import Port
from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.machine import MODEL_VERSION, Chip
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import MadcTransfer, kick_volts, physical
from neckar.errors import ConfigurationError, MemoryLimitError, ParameterRangeError, UnsupportedFeatureError
from neckar.facts import brainscales2 as facts
from neckar.facts import registers
from neckar.lab import Lab
from neckar.program import (
    PROBE_SIGNALS,
    TICKS_PER_US,
    CadcRecord,
    Events,
    MadcChannel,
    PlasticityTask,
    Probe,
    Program,
    Record,
    Recording,
    Snippet,
    TimedRead,
    TimedWrite,
    seconds,
    ticks,
)

TABLE = registers("brainscales2")
LATENCY = int(ticks(facts.INPUT_LATENCY.value))
N = 512

FIRING = {
    "membrane_capacitance_capacitance": 63,
    "refractory_period_refractory_time": 255,
    "leak_v_leak": 1000,
    "leak_i_bias": 150,
    "threshold_enable": True,
    "threshold_v_threshold": 300,
    "reset_v_reset": 400,
    "reset_i_bias": 1022,
    "reset_enable_multiplication": True,
}
STIMULATED = {
    "membrane_capacitance_capacitance": 63,
    "leak_v_leak": 700,
    "leak_i_bias": 150,
    "excitatory_input_enable": True,
    "excitatory_input_enable_small_capacitance": False,
    "excitatory_input_i_bias_tau": 32,
    "excitatory_input_i_bias_gm": 500,
    "excitatory_input_i_shift_reference": 310,
    "syn_i_bias_dac": 600,
    "synapse_row_mode": np.tile([1, 0], (2, 128)),  # one row of each driver
    "synapse_weight": 31,
    "driver_enable_receiver": True,
}
ADAPTIVE = {
    **FIRING,
    "adaptation_enable": True,
    "adaptation_enable_pulse": True,
    "adaptation_v_ref": 500,
    "adaptation_v_leak": 300,
    "adaptation_i_bias_tau": 100,
    "adaptation_i_bias_a": 10,
    "adaptation_i_bias_b": 200,
}


def whole(**fields: Any) -> dict[str, np.ndarray]:
    """Return whole register fields: each value broadcast to the shape of its field."""
    return {name: np.broadcast_to(np.asarray(value, TABLE[name].dtype), TABLE[name].shape) for name, value in fields.items()}


def program(fields: dict[str, Any], us: float = 50, **parts: Any) -> Program:
    """Return a program of one snippet unless `parts` has others."""
    parts.setdefault("snippets", (Snippet(round(us * TICKS_PER_US)),))
    return Program(machine="brainscales2", config=whole(**fields), **parts)


@cache
def chip(effects: str = "default", **options: Any) -> Chip:
    return Chip(Specimen.reference(), Effects.parse(effects), **options)


def run(fields: dict[str, Any], us: float = 50, effects: str = "default", instruments: str = "silicon", **parts: Any) -> Recording:
    return chip(effects, instruments=instruments).run(program(fields, us, **parts))[0]


def membrane(circuit: int = 0, interval: int = 1) -> Record:
    """Return a record of nothing but one membrane."""
    return Record(spikes=(), probe=(Probe(("v",), (circuit,), interval),))


def trace(recording: Recording, entry: int = 0) -> np.ndarray:
    return recording.probe[0].value[entry, 0, :, 0]


def arriving(*arrival: int) -> Events:
    """Return events that reach the chip at these ticks."""
    return Events.from_lists([[(tick - LATENCY, 0) for tick in arrival]])


# ---- Repetition


def test_same_program_same_seed_same_bits():
    p = program(ADAPTIVE, 60, record=Record(madc=(MadcChannel(0), MadcChannel(1, "adaptation"))), run_seed=(3, 4))
    first, again = (Chip(Specimen.from_seed(5), Effects()).run(p) for _ in range(2))
    assert first[0] == again[0]
    assert first[1] == again[1]
    assert len(first[0].spikes) > 0


def test_repeated_runs_scatter_and_the_repeated_sequence_does_not():
    """The scatter is that of the noise: false alarm below 1e-6 for a correct chip, and the seeds are fixed."""
    p = program(FIRING, 40, record=Record(spikes=(0,), madc=(MadcChannel(1),)))

    def sequence() -> list[Recording]:
        with Lab(chip="reference", effects="-event_loss", seed=1) as lab:
            return [lab.run(p) for _ in range(200)]

    runs = sequence()
    assert [r.spikes.tick.tolist() for r in runs] == [r.spikes.tick.tolist() for r in sequence()]
    second = np.array([r.spikes.tick[1] for r in runs]) / TICKS_PER_US
    assert len(set(second)) > 20
    assert 0.02 < second.std() < 0.5
    codes = np.array([r.madc[0].value[:200] for r in runs], float)
    assert len(np.unique(codes, axis=0)) == 200
    assert codes.std(axis=0).min() > 0.8 * facts.MADC_NOISE.value
    assert abs(np.corrcoef(codes[:-1, 150], codes[1:, 150])[0, 1]) < 0.35


def test_without_noise_and_loss_repeated_runs_are_identical():
    first, second = (run(FIRING, effects="-noise,-event_loss", run_seed=(0, number)) for number in (1, 2))
    assert first.spikes == second.spikes


def test_lab_seeds_differ_as_run_numbers_do():
    assert run(FIRING, run_seed=(1, 0)).spikes != run(FIRING, run_seed=(2, 0)).spikes != run(FIRING, run_seed=(1, 1)).spikes


def test_a_run_leaves_the_chip_object_as_it_was():
    p, other = program(FIRING, run_seed=(0, 1)), program(STIMULATED, writes=(TimedWrite(at=7, field="leak_v_leak", value=5),))
    one = Chip(Specimen.reference(), Effects())
    before = one.run(p)
    one.run(other)
    assert one.run(p) == before


# ---- Recording never disturbs


def test_recording_changes_no_spike():
    """Noise on, all instruments at once: two converters, every signal, counters read at odd ticks, unrecorded neighbours observed."""
    everything = Record(
        spikes=(0, 1, 2, 300),
        madc=(MadcChannel(0), MadcChannel(1), MadcChannel(2, "adaptation"), MadcChannel(300, "exc_synin"), MadcChannel(77)),
        probe=(Probe(PROBE_SIGNALS, (0, 2, 300, 301), 3), Probe(("v",), (9,), 1000)),
    )
    reads = tuple(TimedRead(name=str(at), at=at, field="spike_counter", index=(0,)) for at in (1, 777, 5003, 20001, 24999))
    events = Events.from_lists([[(100 * k, 0) for k in range(240)]])
    fields = {**ADAPTIVE, **{k: v for k, v in STIMULATED.items() if "input" in k or "syn" in k or "driver" in k}, "synapse_weight": 1}
    plain = run(fields, entries=events, record=Record(spikes=(0, 1, 2, 300)))
    watched = run(fields, entries=events, record=everything, reads=reads, instruments="open")
    assert len(plain.spikes) > 10
    assert watched.spikes == plain.spikes
    assert watched.provenance.active_circuits != plain.provenance.active_circuits


def test_the_counter_holds_the_spikes_strictly_before_the_tick():
    spikes = run(FIRING, 100, "-event_loss", record=Record(spikes=(3,))).spikes.tick
    near = sorted({int(tick) + d for tick in spikes for d in (-4, 4)} | {1, 30_001})
    reads = tuple(TimedRead(name=str(at), at=at, field="spike_counter", index=(3,)) for at in near)
    counted = run(FIRING, 100, "-event_loss", record=Record(spikes=(3,)), reads=reads)
    assert counted.spikes.tick.tolist() == spikes.tolist()
    for at in near:
        assert counted.reads[str(at)] == [np.sum(spikes < at)]


def test_counters_wrap_at_eight_bits_and_count_unrecorded_spikes():
    fast = {**FIRING, "leak_i_bias": 1000, "refractory_period_refractory_time": 32}
    read = (TimedRead(name="n", at="after", field="spike_counter"),)
    loud = run(fast, 300, "-event_loss", record=Record(spikes=(0,)), reads=read)
    assert len(loud.spikes) > 256
    assert loud.reads["n"].shape == (1, N)
    assert loud.reads["n"][0, 0] == len(loud.spikes) % 256
    np.testing.assert_array_equal(run(fast, 300, "-event_loss", record=Record(spikes=()), reads=read).reads["n"], loud.reads["n"])


def test_who_is_recorded_does_not_decide_which_spikes_the_link_loses():
    alone, among_others = (run(FIRING, 4000, record=Record(spikes=who), run_seed=(5, 1)).spikes for who in ((3,), "all"))
    assert len(alone.tick) > 300
    np.testing.assert_array_equal(alone.tick, among_others.tick[among_others.circuit == 3])


# ---- Threads, processes, cuts


def test_threads_change_no_bit():
    p = program(FIRING, entries=Events.empty(6), record=Record(spikes=(0, 300), madc=(MadcChannel(0),)))
    results = [Chip(Specimen.reference(), Effects(), threads=n).run(p) for n in (1, 2, 4)]
    assert results[0] == results[1] == results[2]


def test_processes_change_no_bit():
    programs = [program(FIRING, 20, record=Record(spikes=(0,), madc=(MadcChannel(0),))) for _ in range(2)]
    chips = [0, 7]
    with Lab(effects="default", seed=2, executor="processes:2") as lab:
        parallel = lab.map(programs, chips=chips)
    with Lab(effects="default", seed=2, executor="inline") as lab:
        assert parallel == lab.map(programs, chips=chips)


@pytest.mark.parametrize("cuts", [(25_000,), (1, 24_999), (10_007, 3, 14_990)])
def test_a_run_cut_into_snippets_is_the_uncut_run(cuts):
    record, events = (
        Record(spikes=(0, 5), probe=(Probe(("v", "s_exc"), (0,), 7),), madc=(MadcChannel(0), MadcChannel(1))),
        arriving(300, 10_006, 10_007, 20_001),
    )
    fields = {**FIRING, **STIMULATED, "leak_v_leak": 1000}
    snippets = tuple(Snippet(d) for d in (*cuts, 25_000 - sum(cuts)) if d)
    cut, uncut = (run(fields, snippets=s, entries=events, record=record) for s in (snippets, (Snippet(25_000),)))
    assert cut.spikes == uncut.spikes
    assert cut.probe == uncut.probe
    assert [(s.tick.tolist(), s.value.tolist()) for s in cut.madc] == [(s.tick.tolist(), s.value.tolist()) for s in uncut.madc]


def test_a_delta_that_changes_nothing_changes_no_bit_on_the_grid_of_steps():
    same = {"leak_v_leak": whole(leak_v_leak=1000)["leak_v_leak"]}
    cut, uncut = (run(FIRING, snippets=s, record=Record(spikes=(0,))) for s in ((Snippet(5000), Snippet(20_000, config=same)), (Snippet(25_000),)))
    assert cut.spikes == uncut.spikes


# ---- Entries


def test_entries_are_separate_runs_up_to_their_noise():
    events = Events.from_lists([[(500, 0)], [(9000, 0)], []])
    record = membrane(interval=50)
    together = run(STIMULATED, effects="-noise,-event_loss", entries=events, record=record)
    for e, single in enumerate(([(500, 0)], [(9000, 0)], [])):
        alone = run(STIMULATED, effects="-noise,-event_loss", entries=Events.from_lists([single]), record=record)
        np.testing.assert_array_equal(trace(together, e), trace(alone))


def test_every_entry_has_its_own_noise():
    r = run(FIRING, entries=Events.empty(5), record=Record(spikes=(0,)))
    assert len({tuple(r.spikes.entry(e)[0]) for e in range(5)}) == 5
    codes = run(STIMULATED, 200, entries=Events.empty(5), record=Record(madc=(MadcChannel(0),))).madc[0].value.reshape(5, -1)
    assert np.abs(np.corrcoef(np.diff(codes.astype(float))) - np.eye(5)).max() < 0.1


def test_an_entry_does_not_depend_on_how_many_follow():
    many, one = (run(FIRING, entries=Events.empty(n), record=Record(spikes=(0,))) for n in (4, 1))
    assert many.spikes.entry(0)[0].tolist() == one.spikes.entry(0)[0].tolist()


def test_each_entry_starts_from_a_neuron_reset_and_the_same_registers():
    write = TimedWrite(at=12_000, field="leak_v_leak", value=500)
    r = run(FIRING, effects="-noise,-event_loss", entries=Events.empty(2), record=Record(spikes=(0,)), writes=(write,))
    assert r.spikes.entry(0)[0].tolist() == r.spikes.entry(1)[0].tolist()


def test_sequential_entries_are_one_long_run():
    quiet = "-noise,-event_loss"
    entries = run(FIRING, 50, quiet, entries=Events.empty(3), sequential=True, record=membrane(interval=50))
    long = run(FIRING, 150, quiet, record=membrane(interval=50))
    np.testing.assert_array_equal(entries.probe[0].value[:, 0, :, 0].ravel(), trace(long))


def test_sequential_entries_keep_registers():
    write = TimedWrite(at=100, field="leak_v_leak", value=500, entry=0)
    reads = (TimedRead(name="leak", at="before", field="leak_v_leak", index=(7,)),)
    for sequential, after in ((True, 500), (False, 1000)):
        r = run(FIRING, entries=Events.empty(2), sequential=sequential, writes=(write,), reads=reads)
        assert r.reads["leak"].tolist() == [1000, after]


def test_registers_and_membranes_survive_between_programs():
    one = chip("-noise,-event_loss")
    recording, state = one.run(program(FIRING, 50, record=Record(spikes=(0,))))
    again, later = one.run(Program(machine="brainscales2", snippets=(Snippet(25_000),), record=Record(spikes=(0,))), state)
    assert again.spikes == recording.spikes
    assert (state.runs, later.runs) == (1, 2)


def test_a_sequential_program_goes_on_from_the_last_one():
    one, half = chip("-noise,-event_loss"), {"snippets": (Snippet(25_000),), "sequential": True}
    config = program(FIRING, 50).config
    _, state = one.run(Program(machine="brainscales2", config=config, record=Record(spikes=(0,)), **half))
    second, _ = one.run(Program(machine="brainscales2", record=membrane(interval=50), **half), state)
    whole = run(FIRING, 100, "-noise,-event_loss", record=membrane(interval=50))
    np.testing.assert_array_equal(trace(second), trace(whole)[500:])


def test_a_sequential_program_refuses_circuits_that_nobody_integrated():
    one = chip()
    _, state = one.run(program(FIRING, 50, record=Record(spikes=(0,))))
    with pytest.raises(ConfigurationError, match=r"sequential.*did not integrate 511 circuits \(circuit 1 first\).*sequential=True"):
        one.run(Program(machine="brainscales2", snippets=(Snippet(25_000),), sequential=True), state)


def test_spike_counters_count_on_through_sequential_entries():
    reads = tuple(TimedRead(name=at, at=at, field="spike_counter", index=(0,)) for at in ("before", "after"))
    counted = run(FIRING, 50, entries=Events.empty(3), sequential=True, record=Record(spikes=(0,)), reads=reads).reads
    assert counted["before"].tolist() == [0, *counted["after"][:-1].tolist()]
    assert counted["after"][-1] > counted["after"][0] > 0


@pytest.mark.parametrize("where", ["after", "write", "delta"])
def test_who_may_leave_the_chip_is_decided_when_the_spike_is_fired(where):
    closed = np.zeros(N, bool)
    snippets = (Snippet(25_000), Snippet(25_000, {"event_routing_enable_digital": closed} if where == "delta" else {}))
    at = {"after": "after", "write": 25_000}.get(where)
    writes = () if at is None else (TimedWrite(at=at, field="event_routing_enable_digital", value=0),)
    config = program(FIRING, 100).config
    free, shut = (
        chip("-event_loss").run(Program(machine="brainscales2", config=config, snippets=s, writes=w))[0].spikes.tick
        for s, w in (((Snippet(50_000),), ()), (snippets, writes))
    )
    np.testing.assert_array_equal(shut, free if where == "after" else free[free < 25_000])


def test_a_circuit_whose_leak_lies_above_its_threshold_fires_from_the_start():
    """Such a circuit never rests at its leak potential: a slow reset from there would not reach the threshold, and the comparator would see no edge."""
    slow = {**FIRING, "leak_i_bias": 300, "reset_i_bias": 600, "reset_enable_multiplication": False}
    circuits = np.unique(run(slow, 60).spikes.circuit)
    assert len(circuits) == N


# ---- What acts when


class Plastic:
    """Reads a counter at a tick, takes some cycles, then writes a row of weights; and reads once more."""

    def __init__(self, tick: int, cycles: int, row: int, weight: int) -> None:
        self.row, self.weight = row, weight
        self._todo = [tick, tick + 2 * cycles, tick + 2 * cycles]
        self.seen: list[tuple[int, int]] = []

    def due(self) -> int | None:
        return self._todo[0] if self._todo else None

    def act(self, port: Port) -> None:
        self._todo.pop(0)
        self.seen.append((port.tick, port.read_counter(0)))
        if len(self.seen) == 2:
            port.write_weights(0, self.row, np.full(256, self.weight, np.uint8))


def test_an_actor_acts_exactly_at_its_tick():
    """An event one tick before the write meets the old weight, one at its tick the new one."""
    write = 10_003 + 2 * 101
    for arrival, weight in ((write - 1, 31), (write, 60), (write + 1, 60)):
        actor = Plastic(10_003, 101, row=0, weight=60)
        p = program(STIMULATED, entries=arriving(arrival), record=membrane())
        acted = chip("-noise,-event_loss").run(p, actors=[actor])[0]
        assert [tick for tick, _ in actor.seen] == [10_003, write, write]
        expected = np.array(STIMULATED["synapse_weight"] * np.ones(TABLE["synapse_weight"].shape), np.uint8)
        expected[0, 0] = weight
        plain = run({**STIMULATED, "synapse_weight": expected}, effects="-noise,-event_loss", entries=arriving(arrival), record=membrane())
        np.testing.assert_array_equal(trace(acted), trace(plain))
        assert np.ptp(trace(acted)) > 0.01


def test_what_an_actor_writes_stays():
    _, state = chip().run(program(STIMULATED), actors=[Plastic(10_003, 1, row=5, weight=60)])
    assert (state.registers["synapse_weight"][0, 5] == 60).all()
    assert (state.registers["synapse_weight"][0, 6] == 31).all()


def test_an_actor_counts_the_spikes_before_its_tick():
    spikes = run(FIRING, 50, "-event_loss", record=Record(spikes=(0,))).spikes.tick
    actor = Plastic(int(spikes[1]) + 4, int(spikes[2] - spikes[1]) // 2, row=0, weight=1)
    chip("-event_loss").run(program(FIRING, 50, record=Record(spikes=(0,))), actors=[actor])
    assert [count for _, count in actor.seen] == [2, 3, 3]


def test_an_actor_that_only_looks_changes_no_bit():
    p = program(FIRING, 50, record=Record(spikes=(0,), madc=(MadcChannel(0),)))
    watched, plain = chip().run(p, actors=[Plastic(10_003, 9, row=0, weight=0)])[0], chip().run(p)[0]
    assert watched.spikes == plain.spikes
    assert watched.madc == plain.madc


def test_a_cut_within_a_step_leaves_the_traces():
    """A read cuts the step that an event falls into; the instruments must not see the cut."""
    events, reads = arriving(10_100), tuple(TimedRead(name=str(at), at=at, field="leak_v_leak") for at in (10_003, 10_150, 10_205))
    plain, cut = (run(STIMULATED, effects="-event_loss", entries=events, reads=r, record=membrane()) for r in ((), reads))
    np.testing.assert_array_equal(trace(plain), trace(cut))


@pytest.mark.parametrize("tick", [10_000, 10_001, 10_123, 10_249])
def test_a_written_parameter_acts_at_its_tick(tick):
    """The membrane keeps its old path up to the tick, then charges from there with the new conductance; exact to float32 because the chip is linear."""
    fields = {**STIMULATED, "leak_v_leak": 400}
    write = TimedWrite(at=tick, field="leak_v_leak", index=(0,), value=800)
    v = trace(run(fields, effects="ideal", record=membrane(), writes=(write,)))
    p0, p1 = (physical(Specimen.reference(), Effects.ideal(), ChipConfig({**fields, "leak_v_leak": code}), [0]) for code in (400, 800))
    rate = p1.g_leak[0] / p1.capacitance[0]
    t = seconds(np.maximum(np.arange(len(v)) - tick, 0))
    expected = p1.e_leak[0] + (p0.e_leak[0] - p1.e_leak[0]) * np.exp(-rate * t)
    np.testing.assert_allclose(v, expected, atol=2e-6)


def test_writes_of_one_tick_act_in_their_order_and_reads_see_them():
    writes = tuple(TimedWrite(at=101, field=field, value=value) for field, value in (("leak_v_leak", 1), ("leak_v_leak", 2), ("synapse_weight", 3)))
    reads = (
        TimedRead(name="earlier", at=100, field="leak_v_leak"),
        TimedRead(name="same", at=101, field="leak_v_leak", index=((4, 6),)),
        TimedRead(name="weights", at=101, field="synapse_weight", index=(1, 255, 255)),
        TimedRead(name="counter", at=101, field="spike_counter"),
    )
    r = run(FIRING, writes=writes, reads=reads).reads
    assert (r["earlier"] == 1000).all()
    assert r["same"].tolist() == [[2, 2]]
    assert r["weights"].tolist() == [3]
    assert r["counter"].shape == (1, N)


def test_phases_before_and_after_frame_the_run():
    writes = (TimedWrite(at="before", field="leak_v_leak", value=300), TimedWrite(at="after", field="leak_v_leak", value=900))
    reads = tuple(TimedRead(name=at, at=at, field="leak_v_leak", index=(0,)) for at in ("before", "after"))
    recording, state = chip().run(program(FIRING, writes=writes, reads=reads))
    assert {name: value.tolist() for name, value in recording.reads.items()} == {"before": [300], "after": [900]}
    assert len(recording.spikes) == 0
    assert (state.registers["leak_v_leak"] == 900).all()


def test_reads_and_writes_at_the_last_tick_are_part_of_the_run():
    end = 25_000
    writes = (TimedWrite(at=end, field="leak_v_leak", value=7), TimedWrite(at=end, field="synapse_weight", value=8))
    reads = tuple(TimedRead(name=field, at=end, field=field) for field in ("leak_v_leak", "synapse_weight", "spike_counter"))
    recording, state = chip().run(program(FIRING, record=Record(spikes="all"), writes=writes, reads=reads))
    assert (state.registers["leak_v_leak"] == 7).all()
    assert (state.registers["synapse_weight"] == 8).all()
    assert (recording.reads["leak_v_leak"] == 7).all()
    assert recording.reads["spike_counter"][0, 0] > 0


def test_a_write_can_belong_to_one_entry():
    write = TimedWrite(at=5, field="leak_v_leak", value=300, entry=1)
    r = run(FIRING, entries=Events.empty(3), writes=(write,), record=Record(spikes=(0,)))
    assert [len(r.spikes.entry(e)[0]) > 0 for e in range(3)] == [True, False, True]


# ---- Events and losses


def test_every_event_is_delivered_or_counted():
    generator = np.random.default_rng(0)
    n = 20_000
    events = Events.from_columns(generator.integers(0, 2, n), generator.integers(0, 25_000, n), generator.integers(0, 2**16, n), 2)
    losses = run({**STIMULATED, "padi_enable_spl1": [True] * 6 + [False] * 2}, entries=events).losses
    losses.check()
    lost = {reason: number for (reason, place), number in losses.lost.items() if place == "fpga_to_chip"}
    assert losses.sent["fpga_to_chip"] == n
    assert losses.delivered["fpga_to_chip"] == n - sum(lost.values())
    assert abs(lost["link_loss"] - n * facts.LINK_LOSS.value) < 5 * math.sqrt(n * facts.LINK_LOSS.value)


def test_spikes_are_lost_on_the_way_out_and_counted():
    noisy = run({**FIRING, "leak_i_bias": 1000}, 500)
    n = noisy.losses.sent["chip_to_fpga"]
    assert len(noisy.spikes) == noisy.losses.delivered["chip_to_fpga"] == n - noisy.losses.lost["link_loss", "chip_to_fpga"]
    assert abs(noisy.losses.lost["link_loss", "chip_to_fpga"] - n * facts.LINK_LOSS.value) < 5 * math.sqrt(n * facts.LINK_LOSS.value)


def test_without_event_loss_nothing_is_lost():
    losses = run(FIRING, 100, "-event_loss", entries=arriving(*range(300, 40_000, 10))).losses
    assert losses.lost["link_loss", "fpga_to_chip"] == losses.lost["link_loss", "chip_to_fpga"] == 0
    assert losses.delivered["chip_to_fpga"] == losses.sent["chip_to_fpga"] > 0


def test_events_without_receiver_and_after_the_end_are_counted():
    end = 25_000
    events = Events.from_lists([[(0, 0), (1, 0xC000), (end - LATENCY - 1, 0), (end - LATENCY, 0), (end - 1, 0)]])
    losses = run({**STIMULATED, "padi_enable_spl1": [True, True, True, False] * 2}, effects="-event_loss", entries=events).losses
    assert losses.lost["after_end", "fpga_to_chip"] == 2
    assert losses.lost["no_receiver", "fpga_to_chip"] == 1
    assert losses.delivered["fpga_to_chip"] == 2


def test_spikes_that_the_crossbar_drops_or_the_neuron_keeps_do_not_reach_the_host():
    silent = run({**FIRING, "event_routing_enable_digital": np.arange(N) % 2 == 0}, effects="-event_loss")
    assert set(silent.spikes.circuit.tolist()) <= set(range(0, N, 2))
    assert len(silent.spikes) > 0
    assert len(run({**FIRING, "crossbar_target": 1}, effects="-event_loss").spikes) == 0


def test_spikes_are_recorded_only_where_and_while_asked():
    r = run(FIRING, snippets=(Snippet(12_500, record=Record(spikes=(4,))), Snippet(12_500)), record=Record(spikes=(5, 6)))
    assert set(r.spikes.circuit[r.spikes.tick < 12_500].tolist()) == {4}
    assert set(r.spikes.circuit[r.spikes.tick >= 12_500].tolist()) == {5, 6}
    r.losses.check()


# ---- The converter and the probe


def test_the_converter_samples_every_34_ns_on_a_grid_of_8_ns():
    samples = run(STIMULATED, 200, record=Record(spikes=(), madc=(MadcChannel(0),))).madc[0]
    exact = 17 * np.arange(-(-100_000 // 17))
    np.testing.assert_array_equal(samples.tick, exact // 4 * 4)
    assert set(np.diff(samples.tick)) == {16, 20}
    assert samples.value.dtype == np.uint16


def test_two_channels_alternate():
    even, odd = run(STIMULATED, 200, record=Record(spikes=(), madc=(MadcChannel(0), MadcChannel(1)))).madc
    np.testing.assert_array_equal(even.tick, 34 * np.arange(len(even.tick)) // 4 * 4)
    np.testing.assert_array_equal(odd.tick, (17 + 34 * np.arange(len(odd.tick))) // 4 * 4)


@pytest.mark.parametrize(("scaling", "scale", "factor"), [(True, 0, 2), (True, 3, 8), (False, 3, 1)])
def test_the_converter_obeys_its_clock_divisor(scaling, scale, factor):
    fields = {**STIMULATED, "madc_sample_duration_adjust": 0, "madc_enable_clock_scaling": scaling, "madc_clock_scale": scale}
    samples = run(fields, 20, record=Record(spikes=(), madc=(MadcChannel(0),))).madc[0]
    np.testing.assert_array_equal(samples.tick, np.arange(0, 10_000, 12 * factor))


def test_a_slow_converter_needs_less_memory():
    slow = {"madc_enable_clock_scaling": True, "madc_clock_scale": 4095}
    chip()._refuse(program(slow, 30e6, record=Record(spikes=(), madc=(MadcChannel(0),))))


def test_open_instruments_sample_every_channel_at_the_full_rate():
    channels = tuple(MadcChannel(c) for c in (0, 2, 4))
    r = run(STIMULATED, 20, instruments="open", record=Record(spikes=(), madc=channels))
    assert [len(s.tick) for s in r.madc] == [-(-10_000 // 17)] * 3


def test_the_converter_reads_what_the_probe_sees():
    events, record = arriving(2000, 4000), Record(spikes=(), madc=(MadcChannel(0),), probe=(Probe(("v",), (0,), 17),))
    r = run(STIMULATED, effects="-noise,-event_loss", entries=events, record=record)
    transfer = MadcTransfer.of(Specimen.reference(), Effects.parse("-noise"))
    np.testing.assert_array_equal(r.madc[0].value, transfer.codes(trace(r)))
    assert np.ptp(r.madc[0].value.astype(int)) > 20


def test_an_instrument_in_one_snippet_samples_there_only():
    p, m = Probe(("v",), (0,), 30), MadcChannel(0)
    snippets = (Snippet(10_000), Snippet(5_001, record=Record(spikes=(), madc=(m,), probe=(p,))), Snippet(9_999))
    r = run(STIMULATED, snippets=snippets, record=Record(spikes=()))
    assert (r.probe[0].tick[0], r.probe[0].tick[-1]) == (10_020, 15_000)
    assert (r.madc[0].tick[0], r.madc[0].tick[-1]) == (10_013 // 4 * 4, 14_994 // 4 * 4)


@pytest.mark.parametrize("circuits", [(0, 2), (1, 257), (0, 1, 2)])
def test_the_converter_has_one_input_for_each_parity(circuits):
    with pytest.raises(ConfigurationError, match=r"one for even and one for odd columns.*(?s:.)*split the recording.*instruments=\"open\""):
        run(STIMULATED, record=Record(madc=tuple(MadcChannel(c) for c in circuits)))


def test_a_probe_too_large_is_refused_before_it_runs():
    huge = Record(spikes=(), probe=(Probe(PROBE_SIGNALS, tuple(range(N)), 1),))
    needed = 4 * len(PROBE_SIGNALS) * N * 15_000_000_000
    with pytest.raises(MemoryLimitError, match=f"take {needed} bytes"):
        run(FIRING, 30e6, record=huge)


def test_a_probe_in_a_late_snippet_needs_memory_for_that_snippet_only():
    chip()._refuse(program(FIRING, snippets=(Snippet(15_000_000_000 - 5000), Snippet(5000, record=membrane())), record=Record(spikes=())))


# ---- What there is no model for


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"plasticity": (PlasticityTask(name="stdp", kernel="", period=100),)}, "stdp"),
        ({"record": Record(cadc=(CadcRecord((0,), period=1000),))}, "CADC"),
        ({"snippets": (Snippet(50, record=Record(cadc=(CadcRecord((0,), period=1000),))),)}, "CADC"),
    ],
)
def test_what_has_no_model_is_refused_by_name(parts, named):
    with pytest.raises(UnsupportedFeatureError, match=named):
        run(FIRING, **parts)


def test_a_program_for_the_wafer_is_refused():
    with pytest.raises(UnsupportedFeatureError, match="brainscales1"):
        chip().run(Program(machine="brainscales1", snippets=(Snippet(50),)))


def test_a_circuit_without_model_is_refused_by_field_and_circuit():
    connected = np.arange(N) == 17
    with pytest.raises(UnsupportedFeatureError, match="multicompartment_connect_soma of circuit 17"):
        run({**FIRING, "multicompartment_connect_soma": connected})


COBA = "excitatory_input_enable_coba_mode"


@pytest.mark.parametrize(
    ("parts", "where"),
    [
        ({"snippets": (Snippet(50), Snippet(50, whole(**{COBA: True})))}, r"snippets\[1\]: .* of circuit 0 is 1"),
        ({"writes": (TimedWrite(at=7, field="leak_v_leak", value=5), TimedWrite(at=49, field=COBA, index=(17,), value=1))}, r"writes\[1\]: .* of circuit 17"),
        ({"writes": (TimedWrite(at="after", field=COBA, index=((3, 5),), value=True),)}, r"writes\[0\]: .* of circuit 3"),
        ({"snippets": (Snippet(50), Snippet(50, whole(syn_i_bias_dac=[600, 1023, 600, 600])))}, r"snippets\[1\]: syn_i_bias_dac of quadrant 1 is 1023"),
    ],
)
def test_a_change_without_model_is_refused_before_anything_runs(parts, where, monkeypatch):
    monkeypatch.setattr(Chip, "_execute", lambda *_: pytest.fail("the run has started"))
    with pytest.raises(UnsupportedFeatureError, match=where):
        run(FIRING, 0.1, **parts)


def test_changes_to_default_codes_are_not_refused():
    run(FIRING, 1, writes=(TimedWrite(at=100, field=COBA, value=False), TimedWrite(at=100, field="synapse_weight", index=(0, 3), value=7)))


def test_every_field_is_read_passive_or_refused(monkeypatch):
    """A field that no code looks at and that is not marked would be ignored without a word."""
    seen = set()
    item, attribute = ChipConfig.__getitem__, ChipConfig.__getattr__
    monkeypatch.setattr(ChipConfig, "__getitem__", lambda self, name: (seen.add(name), item(self, name))[1])
    monkeypatch.setattr(ChipConfig, "__getattr__", lambda self, name: (seen.add(name), attribute(self, name))[1])
    Chip(Specimen.reference(), Effects()).run(program(STIMULATED, 20, entries=arriving(1000), record=Record(madc=(MadcChannel(0),))))
    marked = {name for name, register in TABLE.items() if register.passive or register.counter}
    assert set(TABLE) - marked - seen == set()
    assert not any(register.passive and register.refused for register in TABLE.values())


def test_an_effect_without_model_is_refused():
    with pytest.raises(UnsupportedFeatureError, match=r"crosstalk .* no model.*Leave it off"):
        Chip(Specimen.reference(), Effects(crosstalk=True))


@pytest.mark.parametrize("step_us", [0.001, 0.0501, 0.0, -0.5, math.nan, math.inf])
def test_a_step_that_is_no_multiple_of_a_tick_is_refused(step_us):
    with pytest.raises(ParameterRangeError, match=r"step_us is .*positive multiple of 0\.002 us.*Choose"):
        Chip(Specimen.reference(), Effects(), step_us=step_us)
    assert Chip(Specimen.reference(), Effects(), step_us=0.3).step_ticks == 150


# ---- Provenance and closed form


def test_provenance_suffices_to_repeat_the_run():
    p = program(FIRING, run_seed=(11, 12), record=Record(spikes=(0,), madc=(MadcChannel(0),)))
    recording, _ = Chip(Specimen("mine", 9, age_h=30.0), Effects.parse("-saturation,-drift"), instruments="open", step_us=0.2).run(p)
    told = json.loads(recording.provenance.to_json())
    assert told["chip"] == {"id": "mine", "seed": 9, "statistics_version": 1, "age_h": 30.0, "overrides": ""}
    assert (told["model_version"], told["run_seed"], told["instruments"], told["step_ticks"]) == (MODEL_VERSION, [11, 12], "open", [100])
    assert told["active_circuits"] == [0]
    twin = Specimen(told["chip"]["id"], told["chip"]["seed"], told["chip"]["statistics_version"], told["chip"]["age_h"])
    effects, bare = Effects(**told["effects"]), dataclasses.replace(p, run_seed=tuple(told["run_seed"]))
    again, _ = Chip(twin, effects, instruments=told["instruments"], step_us=told["step_ticks"][0] / TICKS_PER_US).run(bare)
    assert again == recording


def test_overrides_leave_their_hash_in_the_provenance():
    changed = Specimen("mine", 9, overrides={"leak_offset": np.zeros(N)})
    recording, _ = Chip(changed, Effects()).run(program(FIRING, 10))
    assert recording.provenance.chip["overrides"] == changed.overrides_digest != ""


def test_the_ideal_chip_follows_the_closed_form_of_a_postsynaptic_potential():
    """Within 0.05 mV of 50 mV: an event in the middle of a step is shared between its ends, which is of second order in the step."""
    arrivals, weight = (1_003, 6_625), 40
    fields = {**STIMULATED, "synapse_weight": weight}
    v = trace(run(fields, 80, "ideal", entries=arriving(*arrivals), record=membrane(circuit=300)))
    config = ChipConfig(fields)
    p = physical(Specimen.reference(), Effects.ideal(), config, [300])
    kick = float(kick_volts(Specimen.reference(), Effects.ideal(), config, 1, [0], [44])[0, 0])
    t = seconds(np.arange(len(v)))
    expected = np.full(len(v), p.e_leak[0])
    rate_m, rate_s = p.g_leak[0] / p.capacitance[0], 1 / p.tau_exc[0]
    for since in (np.maximum(t - seconds(arrival), 0) for arrival in arrivals):
        expected += p.gm_exc[0] * kick / p.capacitance[0] * (np.exp(-rate_s * since) - np.exp(-rate_m * since)) / (rate_m - rate_s)
    assert np.ptp(expected) > 0.03
    np.testing.assert_allclose(v, expected, atol=5e-5)
