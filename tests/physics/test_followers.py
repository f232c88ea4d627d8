"""Neurons that fire with others: what a rise of the fire line does to a follower, against closed forms and a slow obvious model of the lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chip_programs import FIRING, N, chip, fire_lines, program

from neckar.chip import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.fire_logic import FireLogic, followed
from neckar.chip.machine import Chip
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import physical
from neckar.dynamics import LaneGroup, gather_followers
from neckar.dynamics._following import rises
from neckar.facts import brainscales2 as facts
from neckar.program import Events, Probe, Record, Recording, Snippet, TimedRead, ticks

TICK = 2e-9
INPUT_LATENCY = int(ticks(facts.INPUT_LATENCY.value))
Fields = dict[str, Any]


def only(*circuits: int) -> np.ndarray:
    return np.isin(np.arange(N), circuits)


FIRES = {**FIRING, "leak_v_leak": np.where(only(0), 1000, 700), "threshold_enable": only(0), "bayesian_enable_master": only(0)}
LINKED = {**FIRES, "bayesian_enable_slave": only(1), "bayesian_connect_fire_to_right": only(0)}
"""Circuit 0 fires by itself; circuit 1, at rest and without a comparator, hears its fire line."""
RELAY = {
    **LINKED,
    "threshold_enable": False,
    "excitatory_input_enable": True,
    "excitatory_input_i_bias_gm": 300,
    "excitatory_input_i_bias_tau": 15,
    "event_routing_enable_bypass_excitatory": only(0),
    "synapse_row_mode": np.tile([1, 0], (2, 128)),
    "synapse_weight": np.where(only(0, 1), 40, 0).reshape(2, 1, 256),
    "synapse_label": np.where(only(0), 1, 0).reshape(2, 1, 256),
    "driver_enable_receiver": True,
}
"""Circuit 0 fires past its membrane at events of label 1, and circuit 1, which hears events of label 0, fires with it."""


def run(fields: Fields, us: float = 40, effects: str = "-noise,-event_loss", **parts: Any) -> Recording:
    return chip(effects).run(program(fields, us, **parts))[0]


def seen(*circuits: int, interval: int = 2, spikes: Any = "all") -> Record:
    return Record(spikes=spikes, probe=(Probe(("v",), circuits, interval),))


def fired(recording: Recording) -> list[tuple[int, int]]:
    """Return spikes as ticks at the host and circuits."""
    return list(zip(recording.spikes.tick.tolist(), recording.spikes.circuit.tolist(), strict=True))


def spikes_of(recording: Recording, circuit: int) -> np.ndarray:
    return recording.spikes.tick[recording.spikes.circuit == circuit]


def membranes(recording: Recording) -> np.ndarray:
    """Return the membranes, V, shape (sample, circuit)."""
    return recording.probe[0].value[0, 0]


# ---- The membrane


def relaxing(v: np.ndarray, towards: np.ndarray, rate: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return ``dv/dt = rate @ (towards - v)`` from `v` at times `t`, shape (time, compartment); `rate` is a symmetric matrix."""
    values, modes = np.linalg.eigh(rate)
    return towards + np.exp(-values * t[:, None]) * (modes.T @ (v - towards)) @ modes.T


def falls(v: np.ndarray) -> int:
    """Return the sample before the first one at which a membrane falls fast."""
    return int(np.argmax(np.diff(v) < -2e-3))


@pytest.mark.parametrize("threshold", [300, 317, 333])
def test_a_follower_is_reset_with_its_master_and_released_by_its_own_counter(threshold):
    """Closed form without imperfections: from rest the follower takes the exponential of its reset for its own time, then that of its leak."""
    fields = {**LINKED, "threshold_v_threshold": threshold, "refractory_period_refractory_time": np.where(only(1), 100, 255)}
    v = membranes(run(fields, 20, "ideal", record=seen(0, 1)))
    p = physical(Specimen.reference(), Effects.parse("ideal"), ChipConfig(fields))
    k, k_r, e, e_r = p.g_leak[1] / p.capacitance[1], p.g_reset[1] / p.capacitance[1], p.e_leak[1], p.e_reset[1]
    start = falls(v[:, 0])
    np.testing.assert_allclose(v[:start, 1], e, atol=1e-5)
    t = np.arange(1200) * 2 * TICK
    lag = np.linspace(-TICK, 3 * TICK, 81)  # the spike lies between two samples, to a tick
    path = v[start + 1 :][: len(t), 1]

    def expected(o: float) -> np.ndarray:
        reset = e_r + (e - e_r) * np.exp(-k_r * np.minimum(t + o, p.t_reset[1]))
        return np.asarray(e + (reset - e) * np.exp(-k * np.maximum(t + o - p.t_reset[1], 0.0)))

    errors = np.abs([expected(o) - path for o in lag])
    best = errors[errors[:, 125:].max(axis=1).argmin()]
    assert best[125:].max() < 4e-4
    assert best.max() < 7e-3  # in the engine's step itself the dense output may come two ticks late, at 3 mV each
    assert p.t_reset[1] < 0.5 * p.t_reset[0]


def test_a_short_reset_without_a_comparator_limits_the_step():
    """The follower's reset phase is shorter than 0.5 us; its membrane is that of steps of 0.02 us all the same."""
    fields = {**LINKED, "refractory_period_refractory_time": np.where(only(1), 20, 255), "refractory_period_reset_holdoff": 15}
    fine, default = (
        membranes(Chip(Specimen.reference(), Effects.parse("ideal"), step_us=step).run(program(fields, 20, record=seen(0, 1)))[0])[:, 1] for step in (0.02, 0.5)
    )
    assert np.ptp(fine) > 0.1
    np.testing.assert_allclose(default, fine, atol=5e-3)  # a tick of the reset


@pytest.mark.parametrize("conducting", [False, True])
def test_a_follower_pulls_a_membrane_that_it_shares_or_is_connected_with(conducting):
    """Closed form without imperfections, with both reset amplifiers at work; without the follower it is another one."""
    wires = (
        {"multicompartment_connect_soma": only(0), "multicompartment_connect_soma_right": only(0), "multicompartment_enable_conductance": only(1)}
        if conducting
        else {"multicompartment_connect_right": only(0)}
    )
    fields = {**LINKED, **wires, "leak_v_leak": 1000, "multicompartment_i_bias_nmda": 300}
    p = physical(Specimen.reference(), Effects.parse("ideal"), ChipConfig(fields))
    errors = []
    for codes in (fields, {**fields, "bayesian_enable_slave": False}):
        v = membranes(run(codes, 12, "ideal", record=seen(0, 1)))
        start = falls(v[:, 0])
        t, c = np.arange(250) * 2 * TICK, p.capacitance[0]
        link = (3e-9 * 300 if conducting else 1.0) / c * np.array([[1.0, -1.0], [-1.0, 1.0]])
        rate = np.diag([p.g_reset[0], p.g_reset[1]]) / c + link
        np.testing.assert_allclose(p.capacitance[1], c)
        towards = np.full(2, p.e_reset[0])
        expected = relaxing(v[start + 1], towards, rate, t)
        errors.append(np.abs(v[start + 1 :][: len(t)] - expected).max())
    assert errors[0] < 4e-3
    assert errors[1] > 0.05


def test_nothing_happens_without_a_master_or_a_line():
    plain = run(FIRES, record=seen(0, 1))
    assert len(spikes_of(plain, 0)) > 3
    for change in (
        {"bayesian_enable_master": False},
        {"bayesian_connect_fire_to_right": False},
        {"bayesian_connect_fire_to_right": False, "bayesian_connect_fire_from_right": True},
        {"bayesian_connect_fire_to_right": False, "bayesian_connect_fire_vertical": True},
    ):
        recording = run({**LINKED, **change}, record=seen(0, 1))
        assert fired(recording) == fired(plain)
        np.testing.assert_array_equal(membranes(recording), membranes(plain))


def test_the_master_does_not_notice_its_followers():
    alone = run(FIRES, record=seen(0, spikes=(0,)))
    led = run(LINKED, record=seen(0, spikes=(0,)))
    np.testing.assert_array_equal(led.spikes.tick, alone.spikes.tick)
    np.testing.assert_array_equal(membranes(led), membranes(alone))


# ---- Events


def test_the_line_reaches_right_and_up_and_every_rise_is_a_spike():
    wires = {"bayesian_connect_fire_to_right": only(0, 1), "bayesian_connect_fire_vertical": only(0, 2)}
    fields = {**LINKED, **wires, "bayesian_enable_slave": only(1, 2, 256, 258)}
    recording = run(fields, reads=(TimedRead(name="counts", at="after", field="spike_counter"),))
    n = len(spikes_of(recording, 0))
    assert n > 3
    assert [len(spikes_of(recording, c)) for c in (1, 2, 256, 258)] == [n] * 4
    assert recording.reads["counts"][0, [0, 1, 2, 256, 258]].tolist() == [n] * 5
    for c in (1, 2, 256, 258):  # in one tick on the chip; those that wait in an event output come some time stamps later
        assert (np.abs(spikes_of(recording, c) - spikes_of(recording, 0)) <= 16).all()


def test_a_follower_without_events_is_reset_and_counted_all_the_same():
    recording = run({**LINKED, "event_routing_enable_digital": ~only(1)}, record=seen(1), reads=(TimedRead(name="counts", at="after", field="spike_counter"),))
    assert not len(spikes_of(recording, 1))
    assert recording.reads["counts"][0, 1] == len(spikes_of(recording, 0)) > 3
    np.testing.assert_array_equal(membranes(recording), membranes(run(LINKED, record=seen(1))))


def test_a_comparator_that_comes_later_in_the_same_step_is_overtaken():
    """Two circuits without mismatch, the follower's threshold three codes above the master's: it would cross it a little later, and never does."""
    fields = {**LINKED, "leak_v_leak": 1000, "threshold_enable": only(0, 1), "threshold_v_threshold": np.where(only(1), 303, 300)}
    recording = run(fields, effects="ideal", record=seen(0, 1))
    later = run({**fields, "bayesian_enable_slave": False}, effects="ideal", record=seen(0, 1))
    assert 8 < spikes_of(later, 1)[0] - spikes_of(later, 0)[0] < 120
    assert len(spikes_of(recording, 1)) == len(spikes_of(recording, 0)) > 3
    assert (np.abs(spikes_of(recording, 1) - spikes_of(recording, 0)) <= 4).all()
    v = membranes(recording)
    np.testing.assert_allclose(v[1000:, 1], v[1000:, 0], atol=7e-3)  # two ticks of a reset


def test_a_follower_still_fires_by_itself_and_is_deaf_while_it_is_refractory():
    """It fires first each time: the master's rise finds it refractory."""
    fields = {**LINKED, "leak_v_leak": 1000, "threshold_enable": only(0, 1), "threshold_v_threshold": np.where(only(1), 280, 300)}
    recording, alone = run(fields, effects="ideal"), run({**fields, "bayesian_enable_master": False}, effects="ideal")
    first = spikes_of(recording, 0)[0]
    assert spikes_of(recording, 1)[0] == spikes_of(alone, 1)[0] < first
    assert not ((spikes_of(recording, 1) >= first) & (spikes_of(recording, 1) < first + 100)).any()


@pytest.mark.parametrize("integrated", [False, True])
def test_a_master_that_fires_past_its_membrane_takes_its_followers_with_it(integrated):
    fields = {
        **LINKED,
        "threshold_enable": False,
        "excitatory_input_enable": True,
        "event_routing_enable_bypass_excitatory": only(0),
        "synapse_row_mode": np.tile([1, 0], (2, 128)),
        "synapse_weight": np.where(only(0), 40, 0).reshape(2, 1, 256),
        "driver_enable_receiver": True,
    }
    events = Events.from_lists([[(2000 + 2011 * k, 0) for k in range(8)]])
    recording = run(fields, entries=events, record=seen(*((0, 1) if integrated else (1,))))
    master = spikes_of(recording, 0)
    assert len(master) == 8
    np.testing.assert_allclose(spikes_of(recording, 1), master, atol=8)
    v = membranes(recording)[:, -1]
    reset = physical(Specimen.reference(), Effects.parse("-noise"), ChipConfig(fields)).e_reset[1]
    assert v[(spikes_of(recording, 1)[0] - 260) // 2] > v[0] - 0.02  # from the start of the engine's step on, at most 250 ticks before
    for tick in spikes_of(recording, 1):
        assert abs(v[(tick + 900) // 2] - reset) < 5e-3


PAST = {**RELAY, "bayesian_enable_master": False, "bayesian_enable_slave": False, "leak_v_leak": 1000, "excitatory_input_enable": False}
"""Circuit 0 fires past its membrane, on which events leave nothing."""


@pytest.mark.parametrize("wires", [{}, {"multicompartment_connect_right": only(0)}], ids=["alone", "joined"])
@pytest.mark.parametrize(("effects", "band"), [("ideal", 4e-4), ("ideal,+noise", 4e-3)])
def test_the_trace_of_a_circuit_that_fires_past_its_membrane_is_that_of_its_reset(effects, band, wires):
    """Closed form: the exponential of the reset from the start of the engine's step on, that of the leak from the end of its own counter on.

    The band of the noisy run is eight standard deviations of its membrane; with 2000 samples none lies outside by chance.
    """
    fields = {**PAST, **wires}
    recording = run(fields, 12, effects, entries=Events.from_lists([[(2000, 1)]]), record=seen(0, 1))
    v = membranes(recording)[:, 0]
    p = physical(Specimen.reference(), Effects.parse(effects), ChipConfig(fields))
    n = 1 + len(wires)
    k, k_r, e, e_r = p.g_leak[0] / p.capacitance[0], (p.g_reset[0] + (n - 1) * p.g_leak[1]) / (n * p.capacitance[0]), p.e_leak[0], p.e_reset[0]
    e_r = (p.g_reset[0] * e_r + (n - 1) * p.g_leak[1] * e) / (p.g_reset[0] + (n - 1) * p.g_leak[1])
    start, fires = 2 * int(np.argmax(v < e - 0.02)), 2000 + INPUT_LATENCY
    step = recording.provenance.step_ticks[0]
    start = min(range(fires - step, fires + 1), key=lambda s: abs(s - start) if (s + 2000) % step == 0 else 1 << 30)
    t = 2 * np.arange(len(v))
    reset = e_r + (e - e_r) * np.exp(-k_r * (np.minimum(t, fires + p.t_reset[0] / TICK) - start) * TICK)
    expected = np.where(t < start, e, e + (reset - e) * np.exp(-k * np.maximum(t * TICK - fires * TICK - p.t_reset[0], 0.0)))
    assert fires - step < start <= fires
    np.testing.assert_allclose(v, expected, atol=band)


def random_lines(rng: np.random.Generator) -> Fields:
    """Return masters that fire by themselves and followers without comparators, on random lines, all with refractory periods of their own."""
    columns = np.isin(np.arange(N) % 256, [0, 1, 2, 3, 126, 127, 128, 129])
    driver = rng.random(N) < 0.4
    master = columns & (rng.random(N) < np.where(driver, 0.9, 0.3))
    return {
        **FIRES,
        "leak_v_leak": np.where(driver, 1000, 700),
        "threshold_enable": columns & driver,
        "threshold_v_threshold": rng.integers(250, 330, N),
        "refractory_period_refractory_time": rng.integers(40, 256, N),
        "bayesian_enable_master": master,
        "bayesian_enable_slave": columns & ~driver,
        "bayesian_connect_fire_vertical": columns & (rng.random(N) < 0.3),
        "bayesian_connect_fire_to_right": columns & (rng.random(N) < 0.6),
    }


@pytest.mark.parametrize("seed", range(3))
def test_followers_fire_at_the_rises_of_their_lines_spike_by_spike(seed):
    """A slow model of states and lines, given the spikes of the comparators, finds every spike of the followers."""
    fields = random_lines(np.random.default_rng(seed))
    config = ChipConfig(fields)
    record = Record(spikes="all")
    found = chip("-noise,-event_loss").run(program(fields, 30, record=record, neuron_reset=True))[0]
    p = physical(Specimen.reference(), Effects.parse("-noise"), config)
    refractory = np.round((p.t_reset + p.t_holdoff) / TICK).astype(int)
    slave = config.bayesian_enable_slave.astype(bool)
    known = found.spikes.circuit[~slave[found.spikes.circuit]]
    assert len(known) > 20
    ends, expected = np.full(N, -1), [[] for _ in range(N)]
    at_chip = found.spikes.tick  # the same latency for all, but for what waits in an event output
    for tick, circuit in sorted(zip(at_chip[~slave[found.spikes.circuit]].tolist(), known.tolist(), strict=True)):
        firing = [circuit]
        while firing:
            i = firing.pop(0)
            before = fire_lines(config, (ends >= tick) & ~only(i))  # edges at the same tick act together, but a state that ends and begins is a new one
            ends[i] = tick + refractory[i]
            rising = np.flatnonzero(fire_lines(config, ends > tick) & ~before & slave)
            for j in rising[ends[rising] <= tick].tolist():
                expected[j].append(tick)
                firing.append(j)
    assert sum(map(len, expected)) > 10
    for circuit in np.flatnonzero(slave):
        np.testing.assert_array_equal(spikes_of(found, circuit), expected[circuit])


def test_a_line_that_goes_from_one_master_to_another_at_a_tick_stays_high():
    """Circuits 0 and 256 are tied; the second fires when the state of the first ends. Neither the follower nor the correlation logic finds a rise."""
    config = ChipConfig(
        {
            "bayesian_enable_master": only(0, 256),
            "bayesian_enable_slave": only(1),
            "bayesian_connect_fire_vertical": only(0),
            "bayesian_connect_fire_to_right": only(0),
            "bayesian_to_post_pulse": ~only(1),
        }
    )
    refractory = np.full(N, 100)
    for gap, edges in ((-1, 1), (0, 1), (1, 2)):
        second = 1100 + gap
        logic = FireLogic()
        logic.configure(config, refractory)
        _, circuits = logic.pulses(np.array([1000, second]), np.array([0, 256]), 2000)
        assert (circuits == 1).sum() == edges
        high = np.full(N, -(1 << 62))
        high[0] = 1100
        line = gather_followers(followed(config), refractory, high, [np.arange(256)] * 2, [np.arange(0)] * 2)
        assert rises.py_func(line, 1, 256, second) == (edges == 2)


def test_who_follows_whom_is_what_the_lines_carry():
    for seed in range(20):
        config = ChipConfig(random_lines(np.random.default_rng(seed)))
        masters = np.flatnonzero(config.bayesian_enable_master).tolist()
        pairs = {(m, int(s)) for m in masters for s in np.flatnonzero(fire_lines(config, only(m)) & config.bayesian_enable_slave)}
        assert pairs
        assert set(zip(*(part.tolist() for part in followed(config)), strict=True)) == pairs


# ---- What must not matter


def test_neither_recording_nor_cuts_nor_threads_change_a_spike():
    fields = {**LINKED, "bayesian_enable_slave": only(1, 257), "bayesian_connect_fire_vertical": only(1)}
    whole = run(fields, effects="default", record=seen(0, 1, 257))
    blind = run(fields, effects="default")
    assert fired(blind) == fired(whole)
    slave = run(fields, effects="default", record=Record(spikes=(257,)))
    np.testing.assert_array_equal(slave.spikes.tick, spikes_of(whole, 257))
    reads = tuple(TimedRead(name=f"read {k}", at=701 + 613 * k, field="spike_counter", index=(1,)) for k in range(30))
    cut = run(fields, effects="default", record=seen(0, 1, 257), reads=reads)
    assert fired(cut) == fired(whole)
    np.testing.assert_array_equal(membranes(cut), membranes(whole))
    counts = [int(cut.reads[f"read {k}"][0]) for k in range(30)]
    assert counts == sorted(counts)
    assert counts[-1] > 2
    many = program(fields, 40, entries=Events.empty(4))
    one, two = (chip("default", threads=threads).run(many)[0] for threads in (1, 2))
    assert fired(one) == fired(two)


@pytest.mark.parametrize("offset", [200, 240, 280])
def test_a_cut_between_two_events_of_a_step_does_not_change_the_membrane_of_a_relays_follower(offset):
    """A kick comes before the cut and the relay fires after it, within one step: in the order of time the reset comes first, at the step's start."""
    times = [2000 + 2011 * k for k in range(8)]
    events = Events.from_lists([sorted([(t, 0) for t in times] + [(t + 100, 1) for t in times])])
    reads = tuple(TimedRead(name=f"read {k}", at=t + offset, field="spike_counter", index=(1,)) for k, t in enumerate(times))
    whole = run(RELAY, entries=events, record=seen(1))
    cut = run(RELAY, entries=events, record=seen(1), reads=reads)
    assert len(spikes_of(whole, 1)) == 8
    assert fired(cut) == fired(whole)
    np.testing.assert_array_equal(membranes(cut), membranes(whole))


def test_a_copy_that_finishes_a_step_logs_no_fire_inputs(monkeypatch):
    """Its lanes observe nothing and have no room for a log."""
    copies, fork = [], LaneGroup.fork
    monkeypatch.setattr(LaneGroup, "fork", lambda self: copies.append(fork(self)) or copies[-1])
    reads = (TimedRead(name="read", at=2300, field="spike_counter", index=(1,)),)
    recording = run(RELAY, 12, entries=Events.from_lists([[(2000, 1)]]), record=seen(0, 1), reads=reads)
    assert len(spikes_of(recording, 1)) == 1
    assert len(copies) == 1
    assert all((relays.slot < 0).all() for relays in copies[0].relays)
    assert (copies[0]._followers.slot < 0).all()
    assert not any(len(lane.observed) for lane in copies[0].lanes)


def test_lines_may_change_in_the_middle_of_a_run():
    snippets = (Snippet(10000), Snippet(10000, {"bayesian_enable_slave": np.zeros(N, bool)}), Snippet(10000, {"bayesian_enable_slave": only(1)}))
    found = chip("-noise,-event_loss").run(program(LINKED, snippets=snippets))[0]
    master, slave = spikes_of(found, 0), spikes_of(found, 1)
    assert len(slave) == (master < 10000).sum() + (master >= 20000).sum() > 2
    assert not ((slave > 10100) & (slave < 19900)).any()
