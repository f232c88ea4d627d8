"""Laws of short-term plasticity: direction, steady state, recovery; static drivers; equal bits however the work is divided; pulses by the label; offsets."""

from __future__ import annotations

import numpy as np
import pytest
from chip_programs import PLASTIC, STIMULATED, N, arriving, chip, program, run, volts

from neckar.chip.drivers import driver_parameters
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.program import TICKS_PER_US, Events, Probe, Record, Recording, Snippet, TimedRead, TimedWrite

FACILITATING, DEPRESSING = 0, 1
INTERVAL = 20 * TICKS_PER_US
TRAIN = INTERVAL * np.arange(1, 9)
TAU_TICKS = 16 * TICKS_PER_US  # 1 us 2**4


def jumps(fields: dict[str, object], arrivals: np.ndarray, effects: str = "ideal") -> np.ndarray:
    """Return by how much each event moves the excitatory line of circuit 0, V."""
    record = Record(spikes=(), probe=(Probe(("s_exc",), (0,), 1),))
    line = run(fields, arrivals[-1] / TICKS_PER_US + 1, effects, entries=arriving(*arrivals), record=record).probe[0].value[0, 0, :, 0]
    return np.asarray(line[arrivals + 1] - line[arrivals - 1] * np.exp(-0.004 / 10))  # the line decays with 10 us


def voltages(fields: dict[str, object], arrivals: np.ndarray, at: list[int], effects: str = "ideal") -> np.ndarray:
    """Return the voltage of driver 0 in the top hemisphere at some ticks, V."""
    reads = [TimedRead(name=str(k), at=tick, field="driver_voltage", index=(0, 0)) for k, tick in enumerate(at)]
    recording = run(fields, max(at) / TICKS_PER_US, effects, entries=arriving(*arrivals), reads=reads)
    return np.array([recording.reads[str(k)][0] for k in range(len(at))])


def pulse(u: float) -> float:
    """Return the pulse of a nominal driver, the law in CapMem LSB."""
    return float(np.clip((volts(500) - u) / (volts(500) - volts(50)), 0, 1))


# ---- Direction, steady state, recovery


def test_the_first_pair_of_voltages_facilitates_and_the_second_depresses():
    rising, falling = (jumps({**PLASTIC, "driver_select_target_voltages": pair}, TRAIN) for pair in (FACILITATING, DEPRESSING))
    assert (np.diff(rising) > 0).all()
    assert rising[-1] > 1.1 * rising[0]
    assert (np.diff(falling) < 0).all()
    assert falling[-1] < 0.97 * falling[0]


@pytest.mark.parametrize(("pair", "charge", "recover"), [(FACILITATING, 100, 400), (DEPRESSING, 330, 50)])
def test_a_regular_train_comes_to_the_fixed_point_of_the_recurrence(pair, charge, recover):
    train = INTERVAL * np.arange(1, 41)
    fields = {**PLASTIC, "driver_select_target_voltages": pair}
    left, use = np.exp(-INTERVAL / TAU_TICKS), 0.2
    steady = ((1 - use) * volts(recover) * (1 - left) + use * volts(charge)) / (1 - (1 - use) * left)
    np.testing.assert_allclose(voltages(fields, train, [int(train[-1]) + 1])[0], steady, rtol=1e-4)
    ratio = jumps(fields, train)[-1] / jumps(STIMULATED, train)[-1]
    np.testing.assert_allclose(ratio, pulse(steady), rtol=2e-3)  # of a difference of float32 values


def test_every_pulse_follows_the_recurrence():
    u, expected = volts(400), []
    for gap in np.diff(TRAIN, prepend=TRAIN[0]):
        u = volts(400) + (u - volts(400)) * np.exp(-gap / TAU_TICKS)
        u += 0.2 * (volts(100) - u)
        expected.append(pulse(u))
    np.testing.assert_allclose(jumps(PLASTIC, TRAIN) / jumps(STIMULATED, TRAIN), expected, rtol=2e-3)


@pytest.mark.parametrize(("speed", "recovery"), [(4, 0), (6, 0), (6, 3), (3, 1)])
def test_the_voltage_recovers_exponentially(speed, recovery):
    tau = 2.0**speed / (recovery + 1) * TICKS_PER_US
    after = [int(5000 + tau * k) for k in (0.01, 0.5, 1, 2)]
    u = voltages({**PLASTIC, "stp_recovery_clock_speed": speed, "driver_recovery": recovery}, np.array([5000]), after)
    distance = (volts(400) - u) / (0.2 * (volts(400) - volts(100)))
    np.testing.assert_allclose(distance, np.exp(-(np.array(after) - 5000) / tau), rtol=1e-4)


@pytest.mark.parametrize("switch", ["driver_enable_recovery", "stp_enable_recovery_clock"])
def test_without_recovery_the_voltage_stays(switch):
    u = voltages({**PLASTIC, switch: False}, np.array([5000]), [5001, 50_000])
    assert u[0] == u[1] < volts(400) - 0.1


# ---- Static drivers


def test_a_plastic_driver_elsewhere_changes_no_bit_of_static_ones():
    fields = {**STIMULATED, "synapse_label": 0, "threshold_enable": True, "threshold_v_threshold": 330, "refractory_period_refractory_time": 255}
    elsewhere = {"driver_enable_stp": np.arange(256).reshape(2, 128) == 5}
    record = Record(probe=(Probe(("v", "s_exc"), (0, 300), 100),))
    entries = arriving(*(1000 + 500 * np.arange(100)))
    static, other = (run({**fields, **extra}, 120, entries=entries, record=record) for extra in ({}, elsewhere))
    assert len(static.spikes.tick) > 0
    assert static.spikes == other.spikes
    np.testing.assert_array_equal(static.probe[0].value, other.probe[0].value)


# ---- Equal bits


def busy(seed: int = 3) -> tuple[dict[str, object], Events]:
    """Return a plastic chip whose 512 neurons fire under random events."""
    rng = np.random.default_rng(seed)
    fields = {
        **PLASTIC,
        "synapse_row_mode": np.tile([1, 2], (2, 128)),
        "synapse_label": rng.integers(0, 4, (2, 256, 256)),
        "synapse_weight": rng.integers(0, 4, (2, 256, 256)),
        "driver_select_target_voltages": rng.integers(0, 2, (2, 128)),
        "driver_enable_stp": rng.integers(0, 2, (2, 128)),
        "leak_v_leak": 700,
        "threshold_enable": True,
        "threshold_v_threshold": 330,
        "reset_v_reset": 400,
        "reset_i_bias": 1022,
        "refractory_period_refractory_time": 100,
    }
    tick = np.sort(rng.integers(0, 45_000, 600))
    label = rng.integers(0, 4, 600) | rng.integers(0, 32, 600) << 6 | rng.integers(0, 4, 600) << 14
    return fields, Events.from_lists([list(zip(tick.tolist(), label.tolist(), strict=True))])


def test_lanes_apart_and_together_and_cut_have_the_same_bits():
    fields, entries = busy()
    fields["synapse_label"] = np.where(np.arange(256) == 255, 63, fields["synapse_label"])  # circuit 511 hears nothing
    last = TimedRead(name="u", at="after", field="driver_voltage")

    def ran(changes: dict[str, object], reads: list[TimedRead], writes: list[TimedWrite]) -> Recording:
        record = Record(probe=(Probe(("v", "s_exc"), (0, 400), 250),))
        return run({**fields, **changes}, 100, "-event_loss", entries=entries, record=record, reads=[last, *reads], writes=writes)

    plain = ran({}, [], [])
    step, lead = plain.provenance.step_ticks[0], 2000
    cuts = [TimedRead(name=f"cut {k}", at=at, field="spike_counter", index=(0,)) for k, at in enumerate((777, 12_345, 30_001))]
    stretches = [TimedWrite(at=step * k - lead, field="constant_current_i_offset", index=(7,), value=1) for k in (40, 90)]
    together = {"event_routing_enable_bypass_inhibitory": np.arange(N) == 511}
    assert len(plain.spikes.tick) > 100
    for changes, reads, writes in (({}, cuts, []), (together, [], []), ({}, [], stretches), (together, cuts, stretches)):
        other = ran(changes, reads, writes)
        assert plain.spikes == other.spikes
        np.testing.assert_array_equal(plain.probe[0].value, other.probe[0].value)
        np.testing.assert_array_equal(plain.reads["u"], other.reads["u"])


def test_the_voltage_survives_sequential_entries_and_programs():
    events = [(5000, 0)]
    tail = TimedRead(name="u", at="after", field="driver_voltage", index=(0, 0))
    slow = {**PLASTIC, "stp_recovery_clock_speed": 9, "synapse_weight": 0}
    two = program(slow, 20, entries=Events.from_lists([events, events]), sequential=True, reads=[tail])
    recording, state = chip("ideal").run(two)
    first, second = recording.reads["u"]
    assert second < first - 0.05
    third = chip("ideal").run(program({}, 20, entries=Events.from_lists([events]), sequential=True, reads=[tail]), state)[0].reads["u"][0]
    assert third < second - 0.02
    fresh = chip("ideal").run(program({}, 20, entries=Events.from_lists([events]), reads=[tail]), state)[0].reads["u"][0]
    assert fresh == first  # a trial of its own begins with recovered drivers


def test_a_change_of_the_recovery_voltage_acts_from_its_tick_on():
    write = TimedWrite(at=10_000, field="stp_v_recover_0", value=200)
    reads = [TimedRead(name=str(at), at=at, field="driver_voltage", index=(0, 0)) for at in (10_000, 10_000 + TAU_TICKS)]
    recording = chip("ideal").run(program(PLASTIC, 60, writes=[write], reads=reads))[0]
    before, after = (recording.reads[read.name][0] for read in reads)
    np.testing.assert_allclose(before, volts(400), rtol=1e-6)
    np.testing.assert_allclose(after, volts(200) + (volts(400) - volts(200)) / np.e, rtol=1e-5)


# ---- Pulses by the label


def test_modulated_drivers_send_pulses_in_proportion_to_the_activation():
    modulation = {"driver_enable_stp": True, "driver_enable_hagen_dac": True, "driver_enable_hagen_modulation": True, "driver_enable_address_out": False}
    arrivals, heights = 5000 + 10_000 * np.arange(4), []
    activations = (31, 20, 8, 1)
    entries = Events.from_lists([[(int(at) - 225, 32 - a) for at, a in zip(arrivals, activations, strict=True)]])
    record = Record(spikes=(), probe=(Probe(("s_exc",), (0,), 1),))
    for fields, events in (({**STIMULATED, **modulation}, entries), (STIMULATED, arriving(*arrivals))):
        line = run(fields, 80, "ideal", entries=events, record=record).probe[0].value[0, 0, :, 0]
        heights.append(line[arrivals + 1] - line[arrivals - 1])
    np.testing.assert_allclose(heights[0] / heights[1], np.array(activations) / 31, rtol=0.02, atol=2e-3)


# ---- Spread of drivers


def test_offsets_make_drivers_equal_as_calix_demands():
    """Row A25: at v_stp 180 the spread within a block falls by more than 1 to below 2 LSB, on amplitudes of 60 LSB. 16 chips; each block has 64 drivers."""
    for seed in range(1, 17):
        chip_, effects = Specimen.from_seed(seed), Effects.parse("ideal,+mismatch")
        amplitude = np.empty((16, 2, 128))
        for offset in range(16):
            halves = driver_parameters(chip_, effects, {"driver_enable_stp": np.ones((2, 128), bool), "driver_offset": np.full((2, 128), offset, np.uint8)})
            p = np.stack([np.clip((half.top - volts(180)) / half.span, 0, 1) for half in halves])
            amplitude[offset] = 60 * p * chip_.deviation("driver_pulse")
        assert (np.diff(amplitude, axis=0) <= 0).all()
        for h in range(2):
            for block in range(2):
                mine = amplitude[:, h, block::2]
                best = np.abs(mine - np.median(mine[7])).argmin(axis=0)
                calibrated = np.take_along_axis(mine, best[None], axis=0)[0]
                assert calibrated.std() < 2
                assert mine[7].std() - calibrated.std() > 1


def test_even_drivers_take_the_western_cells_and_odd_ones_the_eastern():
    cells = np.array([100, 200, 300, 400], np.uint16)
    halves = driver_parameters(Specimen.reference(), Effects.ideal(), {"stp_v_charge_0": cells})
    for h, half in enumerate(halves):
        np.testing.assert_allclose(half.charge[::2], volts(cells[2 * h]))
        np.testing.assert_allclose(half.charge[1::2], volts(cells[2 * h + 1]))


def test_the_snippet_of_a_static_driver_leaves_the_voltage_alone():
    """Events reach the voltage only while plasticity is on."""
    off = Snippet(10_000, config={"driver_enable_stp": np.zeros((2, 128), bool)})
    on = Snippet(10_000, config={"driver_enable_stp": np.ones((2, 128), bool)})
    read = TimedRead(name="u", at="after", field="driver_voltage", index=(0, 0))
    fields = {**PLASTIC, "driver_enable_recovery": False}
    u = [
        chip("ideal").run(program(fields, snippets=(off, on), entries=arriving(*arrivals), reads=[read]))[0].reads["u"][0]
        for arrivals in ((), (5000,), (5000, 15_000))
    ]
    assert u[0] == u[1] > u[2]
