"""Laws of a run on a chip: what is repeated bit for bit, what scatters, what survives a run, what its provenance tells.

Nothing here depends on how well the circuits are known; see tests/hardware_facts for that.
"""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from chip_programs import ADAPTIVE, FIRING, STIMULATED, N, arriving, chip, membrane, program, run, trace, whole

from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.machine import MODEL_VERSION, Chip
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import kick_volts, physical
from neckar.errors import ConfigurationError
from neckar.facts import brainscales2 as facts
from neckar.lab import Lab
from neckar.program import (
    PROBE_SIGNALS,
    TICKS_PER_US,
    Events,
    MadcChannel,
    Probe,
    Program,
    Record,
    Recording,
    Snippet,
    TimedRead,
    TimedWrite,
    seconds,
)

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
    interval = np.array([r.spikes.tick[2] - r.spikes.tick[1] for r in runs]) / TICKS_PER_US
    assert len(set(interval)) > 20
    assert 0.02 < interval.std() < 0.5
    codes = np.array([r.madc[0].value[:200] for r in runs], float)
    assert len(np.unique(codes, axis=0)) == 200
    assert codes.std(axis=0).min() > 0.8 * facts.MADC_NOISE.value
    assert abs(np.corrcoef(codes[:-1, 150], codes[1:, 150])[0, 1]) < 0.35


def test_without_noise_and_loss_repeated_runs_are_identical():
    first, second = (run(FIRING, effects="-noise,-event_loss", run_seed=(0, number)) for number in (1, 2))
    assert first.spikes == second.spikes


def test_lab_seeds_differ_as_run_numbers_do():
    one, other_lab, other_number = (run(FIRING, run_seed=seed).spikes for seed in ((1, 0), (2, 0), (1, 1)))
    assert one != other_lab
    assert one != other_number
    assert other_lab != other_number


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
    plain = run(fields, effects="-event_loss", entries=events, record=Record(spikes=(0, 1, 2, 300)))
    watched = run(fields, effects="-event_loss", entries=events, record=everything, reads=reads, instruments="open")
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


@pytest.mark.parametrize("n", [2, 4])
def test_processes_change_no_bit(n):
    programs = [program(FIRING, 20, record=Record(spikes=(0,), madc=(MadcChannel(0),))) for _ in range(4)]
    chips = [0, 7, 8, 9]
    with Lab(effects="default", seed=2, executor=f"processes:{n}") as lab:
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
    same = {"threshold_enable": whole(threshold_enable=True)["threshold_enable"]}  # no cell, whose every write ends at another value
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


def test_every_reset_takes_its_time_on_the_chip():
    """Before each entry; a sequential program is reset before its first entry, and not at all if it goes on from a state."""
    apart, chained = (program(FIRING, 20, entries=Events.empty(3), sequential=sequential, neuron_reset=True) for sequential in (False, True))
    lead = 2_000
    assert chip().run(apart)[0].chip_ticks == 3 * (10_000 + lead)
    assert chip().run(program(FIRING, 20, entries=Events.empty(3)))[0].chip_ticks == 3 * 10_000
    first, state = chip().run(chained)
    further, _ = chip().run(chained, state)
    assert (first.chip_ticks, further.chip_ticks) == (30_000 + lead, 30_000)
    assert first.cost.hardware_s - further.cost.hardware_s == pytest.approx(4e-6)


def test_a_sequential_program_refuses_circuits_that_nobody_integrated():
    one = chip("-event_loss")
    _, state = one.run(program(FIRING, 50, record=Record(spikes=(0,))))
    with pytest.raises(ConfigurationError, match=r"sequential.*did not integrate 511 circuits \(circuit 1 first\).*sequential=True"):
        one.run(Program(machine="brainscales2", snippets=(Snippet(25_000),), sequential=True), state)


def test_spike_counters_count_on_through_sequential_entries():
    reads = tuple(TimedRead(name=at, at=at, field="spike_counter", index=(0,)) for at in ("before", "after"))
    counted = run(FIRING, 50, entries=Events.empty(3), sequential=True, record=Record(spikes=(0,)), reads=reads).reads
    assert counted["before"].tolist() == [0, *counted["after"][:-1].tolist()]
    assert counted["after"][-1] > counted["after"][0] > 0


def test_the_overflow_flag_of_a_spike_counter_stays_when_the_counter_has_wrapped():
    """A neuron every 2.1 us: 256 spikes take 0.54 ms; the next program goes on from counter and flag."""
    fast = {**FIRING, "leak_i_bias": 1022, "leak_enable_multiplication": True, "membrane_capacitance_capacitance": 20}
    ticks_of = {"early": 100_000, "late": 480_000}
    names = {"n": "spike_counter", "flag": "spike_counter_overflow"}
    reads = [TimedRead(name=f"{name} {when}", at=at, field=field, index=(0,)) for when, at in ticks_of.items() for name, field in names.items()]
    one = chip("-event_loss,-noise")
    recording, state = one.run(program(fast, 1000, sequential=True, record=Record(spikes=(0,)), reads=reads))
    spikes = {when: int((recording.spikes.tick < at).sum()) for when, at in ticks_of.items()}
    assert spikes["early"] < 256 < spikes["late"]
    for when, number in spikes.items():
        assert int(recording.reads[f"n {when}"][0]) == pytest.approx(number % 256, abs=1)  # stamps of spikes are rounded
        assert int(recording.reads[f"flag {when}"][0]) == (when == "late")
    assert state.counters["spike_counter_overflow"][0] == 1
    after, _ = one.run(program({}, 5, sequential=True, reads=[TimedRead(name="flag", at="before", field="spike_counter_overflow", index=(0,))]), state)
    assert int(after.reads["flag"][0]) == 1


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


# ---- Provenance and closed form


def test_provenance_suffices_to_repeat_the_run():
    p = program(FIRING, run_seed=(11, 12), record=Record(spikes=(0,), madc=(MadcChannel(0),)))
    recording, _ = Chip(Specimen("mine", 9, age_h=30.0), Effects.parse("-saturation,-drift,-event_loss"), instruments="open", step_us=0.2).run(p)
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
