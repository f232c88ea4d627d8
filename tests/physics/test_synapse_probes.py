"""Laws of the open probes of drivers and correlation sensors: closed forms, exact agreement with what runs end with, no influence."""

from __future__ import annotations

import numpy as np
import pytest
from chip_programs import BYPASSED, FIRING, LATENCY, PLASTIC, POST, PRE, SENSING, SIDE, STIMULATED, N, arriving, chip, program, pulses, run, volts

from neckar.chip.agenda import Port
from neckar.chip.config import ChipConfig
from neckar.facts import brainscales2 as facts
from neckar.ppu import Rule
from neckar.program import (
    DRIVER_SIGNALS,
    TICKS_PER_US,
    DriverProbe,
    Events,
    Observable,
    PlasticityTask,
    PlasticityView,
    Probe,
    Record,
    SensorProbe,
    Snippet,
    TimedRead,
    TimedWrite,
)

TAU_TICKS = 16 * TICKS_PER_US  # of the drivers' recovery, 1 us 2**4
BASELINE, ETA, SENSOR_TICKS = 190, 0.5, 5 * TICKS_PER_US
TOGETHER = {"event_routing_enable_bypass_inhibitory": np.arange(N) == 511}  # carries both hemispheres step by step; circuit 511 hears nothing


def busy(seed: int = 5) -> tuple[dict[str, object], Events]:
    """Return a chip of 512 firing neurons with random labels, plastic and other drivers and sensors that take charge, and random events."""
    rng = np.random.default_rng(seed)
    fields = {
        **PLASTIC,
        **{name: code for name, code in FIRING.items() if name != "leak_v_leak"},
        **SENSING,
        "leak_v_leak": rng.integers(600, 850, N),
        "synapse_row_mode": np.tile([1, 2], (2, 128)),
        "synapse_label": np.where(np.arange(SIDE) == 255, 63, rng.integers(0, 4, (2, SIDE, SIDE))),
        "synapse_weight": rng.integers(0, 4, (2, SIDE, SIDE)),
        "driver_select_target_voltages": rng.integers(0, 2, (2, 128)),
        "driver_enable_stp": rng.integers(0, 2, (2, 128)),
        "event_routing_enable_digital": True,
        "event_routing_address": np.arange(N) % 128,
    }
    tick = np.sort(rng.integers(0, 45_000, 600))
    label = rng.integers(0, 4, 600) | rng.integers(0, 32, 600) << 6 | rng.integers(0, 4, 600) << 14
    return fields, Events.from_lists([list(zip(tick.tolist(), label.tolist(), strict=True))])


# ---- Drivers


def test_the_voltage_of_a_driver_follows_the_recurrence_at_every_sample():
    """Between events it recovers exponentially; an event at the tick of a sample comes after it; the pulse is what the ramp makes of the voltage."""
    arrivals = np.array([5000, 12_000, 12_600, 30_000])
    probe = DriverProbe(("pulse", "u"), 0, (0, 7), 100)
    seen = run(PLASTIC, 100, "ideal", entries=arriving(*arrivals), record=Record(spikes=(), driver_probe=(probe,))).driver_probe[0]
    u, at, expected = volts(400), -1, []
    for tick in seen.tick:
        for arrival in arrivals[(arrivals > at) & (arrivals < tick)]:
            u = volts(400) + (u - volts(400)) * np.exp(-(arrival - at) / TAU_TICKS)
            u, at = u + 0.2 * (volts(100) - u), arrival
        expected.append(volts(400) + (u - volts(400)) * np.exp(-(tick - at) / TAU_TICKS))
    assert seen.units == ("1", "V")
    assert seen.value.shape == (1, 2, 500, 2)
    np.testing.assert_allclose(seen.value[0, 1, :, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(seen.value[0, 0], np.clip((volts(500) - seen.value[0, 1]) / (volts(500) - volts(50)), 0, 1), atol=2e-6)
    np.testing.assert_allclose(seen.value[0, 1, :, 1], volts(400), rtol=1e-6)  # hears no events
    before, after = np.flatnonzero(seen.tick == 5000)[0], np.flatnonzero(seen.tick == 5100)[0]
    np.testing.assert_allclose(seen.value[0, 1, before, 0], volts(400), rtol=1e-6)
    assert seen.value[0, 1, after, 0] < volts(400) - 0.05


def test_a_driver_without_plasticity_sends_whole_pulses():
    record = Record(spikes=(), driver_probe=(DriverProbe(DRIVER_SIGNALS, 1, (3,), 50),))
    value = run(STIMULATED, 20, "ideal", entries=arriving(2000), record=record).driver_probe[0].value
    np.testing.assert_array_equal(value[0, 1], 1)
    assert np.ptp(value[0, 0]) == 0


def test_a_change_of_the_recovery_voltage_acts_from_its_tick_on():
    write = TimedWrite(at=10_000, field="stp_v_recover_0", value=200)
    seen = run(PLASTIC, 60, "ideal", writes=[write], record=Record(spikes=(), driver_probe=(DriverProbe("u", 0, (0,), 1000),))).driver_probe[0]
    gone = np.maximum(seen.tick - 10_000, 0) / TAU_TICKS
    np.testing.assert_allclose(seen.value[0, 0, :, 0], volts(200) + (volts(400) - volts(200)) * np.exp(-gone), rtol=1e-5)


# ---- Sensors


def test_a_pair_charges_its_sensor_at_the_second_pulse_by_the_closed_form():
    """And the voltage in front of the converter falls by the charge; a reset empties the sensor from its tick on."""
    at = [(20_000, PRE), (21_000, POST), (30_000, POST), (30_500, PRE), (40_000, PRE), (40_200, POST)]
    write = TimedWrite(at=35_000, field="correlation_reset", index=(0, 0), value=True)
    probe = SensorProbe(("acausal", "causal", "v_causal"), 0, (0, 5), (9, 3), 250)
    recording = run(BYPASSED, 100, "ideal", entries=pulses(*at), writes=[write], record=Record(spikes=(), sensor_probe=(probe,)))
    seen = recording.sensor_probe[0]
    assert seen.units == ("LSB", "LSB", "V")
    assert seen.value.shape == (1, 3, 200, 2, 2)
    acausal, causal, voltage = seen.value[0].astype(float)
    t = seen.tick

    def added(last: int, delay: int, lost: bool) -> np.ndarray:
        return ETA * np.exp(-delay / SENSOR_TICKS) * ((t > last) & ~((t >= 35_000) & lost))

    left = added(21_000, 1000, True) + added(40_200, 200, False)
    taken = added(30_500, 500, True)
    for k in range(2):
        np.testing.assert_allclose(causal[:, 0, k], left, atol=3e-5)  # pairs are rounded to 1/65536
        np.testing.assert_allclose(acausal[:, 0, k], taken, atol=3e-5)
    np.testing.assert_array_equal(seen.value[0, :2, :, 1], 0)  # a row without events
    level = facts.CADC_ZERO.value + facts.CADC_STEP.value * (BASELINE - causal)
    np.testing.assert_allclose(voltage, level, rtol=1e-6)


def test_sensors_that_are_off_keep_their_charge_and_are_still_seen():
    at = [(20_000, PRE), (21_000, POST)]
    _, state = chip("ideal").run(program(BYPASSED, 100, entries=pulses(*at)))
    record = Record(spikes=(), sensor_probe=(SensorProbe("causal", 0, (0,), (4,), 500),))
    off = {"syn_i_bias_store": np.zeros(4, np.uint16)}
    seen = chip("ideal").run(program(off, 20, record=record), state)[0].sensor_probe[0]
    np.testing.assert_allclose(seen.value, ETA * np.exp(-1000 / SENSOR_TICKS), atol=3e-5)


# ---- Agreement with what runs end with; both ways to carry the circuits

WIRINGS = {
    "apart": {},
    "together": TOGETHER,
    "recurrent": {"crossbar_target": np.where(np.isin(np.arange(240), [0, 4]).reshape(20, 12), 0, ChipConfig.default().crossbar_target)},
}


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("effects", ["-event_loss", "default"])
def test_a_sample_is_what_a_run_that_ends_there_leaves(wiring, effects):
    """For all drivers and for synapses of both hemispheres, with changes of parameters and labels and a reset on the way.

    Runs end and parameters change on whole steps, since a shorter last step would place its spikes a little differently.
    """
    fields, entries = busy()
    fields = {**fields, **WIRINGS[wiring]}
    rows, columns = (200, 3, 0, 77), tuple(range(0, SIDE, 5))
    probes = {
        "driver_probe": tuple(DriverProbe("u", h, range(128), 250) for h in range(2)),
        "sensor_probe": tuple(SensorProbe(("causal", "acausal"), h, rows, columns, 250) for h in range(2)),
    }
    labels = np.random.default_rng(1).integers(0, 4, (2, SIDE, SIDE)).astype(np.uint8)
    writes = [
        TimedWrite(at=12_345, field="synapse_label", index=(0,), value=labels[0]),
        TimedWrite(at=15_000, field="correlation_reset", index=(1, 3), value=True),
        TimedWrite(at=20_100, field="syn_i_bias_store", value=60),
        TimedWrite(at=22_000, field="stp_v_recover_1", value=100),
        TimedWrite(at=22_050, field="stp_v_recover_1", value=120),
    ]
    last = TimedRead(name="u", at="after", field="driver_voltage")

    def ran(duration: int, **record: object):
        events = Events.from_lists([[(t, m) for t, m in zip(entries.tick.tolist(), entries.label.tolist(), strict=True) if t < duration]])
        parts = {"snippets": (Snippet(duration),), "writes": [w for w in writes if int(w.at) < duration], "reads": [last]}
        return chip(effects, step_us=0.1).run(program(fields, entries=events, record=Record(**record), **parts))

    seen = ran(45_000, **probes)[0]
    assert len(seen.spikes) > 100
    assert set(seen.provenance.step_ticks) == {50}
    assert (seen.losses.sent["crossbar.0"] > 200) == (wiring == "recurrent")
    for duration in (5250, 16_000, 20_250, 40_000):
        recording, state = ran(duration)
        s = duration // 250
        for h in range(2):
            np.testing.assert_allclose(seen.driver_probe[h].value[0, 0, s], recording.reads["u"][0, h], rtol=2e-7)
            charge = state.analog["correlation_charge"][0, h][:, rows][:, :, columns]
            np.testing.assert_array_equal(seen.sensor_probe[h].value[0, :, s], charge)
    assert np.ptp(seen.driver_probe[0].value) > 0.05
    assert seen.sensor_probe[1].value.max() > 1


@pytest.mark.parametrize("wiring", WIRINGS)
def test_looking_at_drivers_and_sensors_changes_no_bit(wiring):
    fields, entries = busy()
    v = Probe(("v", "s_exc"), (0, 400), 250)
    probes = {"driver_probe": (DriverProbe("u", 0, (1, 2), 33),), "sensor_probe": (SensorProbe("causal", 1, (3,), (8,), 77),)}
    reads = [TimedRead(name=f"{kind} {at}", at=at, field=kind) for kind in ("correlation_causal", "driver_voltage") for at in (777, 12_345, "after")]
    plain, looked = (
        chip().run(program({**fields, **WIRINGS[wiring]}, 100, entries=entries, reads=reads, record=Record(probe=(v,), **more))) for more in ({}, probes)
    )
    assert plain[0].spikes == looked[0].spikes
    assert plain[0].probe == looked[0].probe
    assert plain[0].losses == looked[0].losses
    for name in plain[0].reads:
        np.testing.assert_array_equal(plain[0].reads[name], looked[0].reads[name])
    for name, array in plain[1].analog.items():
        np.testing.assert_array_equal(array, looked[1].analog[name])


class Resetter:
    """Reads a row every 20 us, writes its weights, and resets it."""

    def __init__(self) -> None:
        self.tick, self.found = 10_000, []

    def due(self) -> int | None:
        return self.tick if self.tick <= 40_000 else None

    def act(self, port: Port) -> None:
        self.found.append(port.read("correlation_causal", (0, 0)).astype(int))
        port.write_weights(0, 0, np.full(SIDE, 3, np.uint8))
        port.reset_correlation(0, 0)
        self.tick += 10_000


def test_resets_by_a_processor_show_in_the_probe():
    """What the processor reads is what the probe saw up to its tick; the sample at the tick of the reset is empty."""
    at = [(15_000, PRE), (15_500, POST), (35_000, PRE), (35_100, POST)]
    record = Record(spikes=(), sensor_probe=(SensorProbe("causal", 0, (0, 2), (3,), 50),))
    actor = Resetter()
    recording, _ = chip("ideal").run(program({**BYPASSED, "syn_i_bias_store": 5}, 100, entries=pulses(*at), record=record), actors=[actor])
    seen = recording.sensor_probe[0]
    charge = seen.value[0, 0, :, 0, 0]
    for k, row in enumerate(actor.found):
        s = (10_000 * (k + 1)) // 50
        assert row[3] == round(BASELINE - charge[s - 1])
        assert charge[s] == 0
    assert (charge > 1).any()


class Forgets(Rule):
    """Weakens and empties what has been correlated."""

    def update(self, synapses, neurons, recording):
        for row in synapses[0]:
            recording.causal[row] = row.get_correlation(reset=True)[0]
            row.set_weights(row.get_weights() - 1)


@pytest.mark.parametrize("mode", ["timed", "instant"])
def test_a_rule_that_empties_sensors_reads_what_the_probe_sees(mode):
    """Instant: at its tick. Timed: some microseconds later. The sensors of other rows stay, and the probe changes nothing for the rule."""
    at = [(t, label) for k in range(4) for t, label in ((15_000 + 20_000 * k, PRE), (15_200 + 20_000 * k, POST))]
    rule = Forgets({"causal": Observable("uint8", "synapse", "packed_active_columns")})
    view, observed = PlasticityView(0, (0,), tuple(range(4))), rule.observables
    task = PlasticityTask(
        name="rule", kernel=rule.text(), language="python", views=(view,), observables=observed, start=10_000, period=20_000, count=5, mode=mode
    )  # fmt: skip
    record = Record(spikes=(), sensor_probe=(SensorProbe("causal", 0, (0,), (3, 9), 100),))
    fields = {**BYPASSED, "syn_i_bias_store": 5}
    blind, looked = (run(fields, 200, "ideal", entries=pulses(*at), plasticity=(task,), record=r) for r in (Record(spikes=()), record))
    np.testing.assert_array_equal(blind.observables["rule"]["causal.0"], looked.observables["rule"]["causal.0"])
    charge = looked.sensor_probe[0].value[0, 0, :, 0]
    read = looked.observables["rule"]["causal.0"][0, :, 0, 3].astype(int)
    before = (10_000 + 20_000 * np.arange(5)) // 100 - (mode == "instant")
    np.testing.assert_array_equal(read, np.round(BASELINE - charge[before, 0]))
    assert (read[1:] < BASELINE - 4).all()
    emptied = charge[np.arange(30_000, 100_000, 20_000) // 100 + 40]
    np.testing.assert_array_equal(emptied[:, 0], 0)
    assert (emptied[:, 1] > 4).all()


def test_entries_snippets_and_probes_of_equal_extent():
    """Each entry for itself; a snippet's own record samples in it alone; a probe in two snippets gives one part of the recording."""
    entries = Events.from_lists([[(5000 - LATENCY, 0)], []])
    one, two = DriverProbe("u", 0, (0,), 1000), DriverProbe("u", 0, (0,), 500)
    snippets = (Snippet(10_000), Snippet(10_000, record=Record(spikes=(), driver_probe=(two, one))), Snippet(5000))
    seen = run(PLASTIC, effects="ideal", entries=entries, snippets=snippets, record=Record(spikes=(), driver_probe=(one,))).driver_probe
    assert [part.tick.tolist() for part in seen] == [list(range(0, 25_000, 1000)), list(range(10_000, 20_000, 500))]
    np.testing.assert_array_equal(seen[1].value[:, :, ::2], seen[0].value[:, :, 10:20])
    assert (seen[0].value[1] == seen[0].value[1, 0, 0, 0]).all()
    assert np.ptp(seen[0].value[0]) > 0.05
