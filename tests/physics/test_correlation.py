"""Laws of the correlation sensors: one pair, the pairing rule, saturation, reset, memory, spread; equal bits however the work is divided; no influence."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from chip_programs import BYPASSED, FIRING, POST, PRE, SENSING, SIDE, STIMULATED, N, chip, program, pulses, run

from neckar.chip.agenda import Port
from neckar.chip.correlation import sensor_parameters
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.dynamics import RowEvents, SensorParameters, Sensors, SensorState
from neckar.dynamics._correlation import FULL, UNIT, shares
from neckar.dynamics._elementary import exp32
from neckar.dynamics._jit import FAST
from neckar.program import TICKS_PER_US, Events, Probe, Record, Recording, Snippet, TimedRead, TimedWrite

MASK = np.full(128, 63, np.uint8)
NOBODY = np.empty(0, np.int64)
BASELINE, ETA, TAU_TICKS = 190, 0.5, 5 * TICKS_PER_US


# ---- The engine's sensors against an obvious model


def slow_pairs(pre: list[tuple[int, int, int]], post: list[tuple[int, int]], labels: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Walk through all pulses one by one: each remembers itself, and takes the trace of the other kind if that has not been taken yet."""
    total = np.zeros((2, *rate.shape))
    last_pre, last_post = np.full(rate.shape, -np.inf), np.full(rate.shape[1], -np.inf)
    fresh_pre, fresh_post = np.zeros(rate.shape, bool), np.zeros(rate.shape, bool)
    pulses = sorted([(tick, 0, row, label) for tick, row, label in pre] + [(tick, 1, column, 0) for tick, column in post])
    for tick, kind, place, label in pulses:
        if kind == 0:
            hit = labels[place] == label
            take = hit & fresh_post[place]
            total[1, place] += np.where(take, np.exp(-(tick - np.where(take, last_post, tick)) * rate[place]), 0)
            fresh_post[place] &= ~hit
            last_pre[place, hit], fresh_pre[place, hit] = tick, True
        else:
            take = fresh_pre[:, place]
            total[0, :, place] += np.where(take, np.exp(-(tick - np.where(take, last_pre[:, place], tick)) * rate[:, place]), 0)
            fresh_pre[:, place] = False
            last_post[place], fresh_post[:, place] = tick, True
    return total


def trains(seed: int, n_rows: int = 6, n_labels: int = 3, ticks: int = 60_000) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]]:
    rng = np.random.default_rng(seed)
    tick = np.sort(rng.choice(ticks, 300, replace=False))
    pre = [(int(t), int(r), int(m)) for t, r, m in zip(tick, rng.integers(0, n_rows, 300), rng.integers(0, n_labels, 300), strict=True)]
    post = [(int(t), int(c)) for t, c in zip(rng.integers(0, ticks, 3000), rng.integers(0, SIDE, 3000), strict=True)]
    return pre, sorted(set(post))


def parameters(seed: int = 0) -> SensorParameters:
    rng = np.random.default_rng(seed)
    return SensorParameters(np.ones((2, SIDE, SIDE), np.float32), (1 / (TAU_TICKS * np.exp(0.4 * rng.normal(size=(SIDE, SIDE))))).astype(np.float32))


def fast_pairs(pre: list[tuple[int, int, int]], post: list[tuple[int, int]], labels: np.ndarray, p: SensorParameters, cuts: tuple[int, ...] = ()) -> np.ndarray:
    sensors = Sensors(p, labels, SensorState.empty())
    for a, b in zip((-1, *cuts), (*cuts, 1 << 40), strict=True):
        tick, row, label = np.array([e for e in pre if a <= e[0] < b], np.int64).reshape(-1, 3).T
        fired, column = np.array([s for s in post if a <= s[0] < b], np.int64).reshape(-1, 2).T
        shuffled = np.argsort(fired // 250, kind="stable")  # the engine sorts spikes by step only
        sensors.note(RowEvents(tick.copy(), row.astype(np.int32), label.astype(np.uint8)), MASK, fired[shuffled], column[shuffled])
        sensors.advance(b)
    return sensors.state().charge


@pytest.mark.parametrize("seed", range(5))
def test_pairs_are_those_of_a_walk_through_all_pulses(seed):
    labels = np.random.default_rng(seed).integers(0, 3, (SIDE, SIDE)).astype(np.uint8)
    pre, post = trains(seed)
    p = parameters(seed)
    slow = slow_pairs(pre, post, labels, p.rate.astype(float))
    fast = fast_pairs(pre, post, labels, p)
    assert slow.max() > 5
    np.testing.assert_allclose(fast, slow, atol=60 * 2.0**-17 + 1e-5, rtol=1e-5)  # 60 pairs at most, each rounded to 1/65536


@pytest.mark.parametrize("cuts", [(30_000,), (1, 2, 3), tuple(range(1000, 60_000, 777))])
def test_sums_do_not_depend_on_where_they_are_interrupted(cuts):
    labels = np.random.default_rng(9).integers(0, 3, (SIDE, SIDE)).astype(np.uint8)
    pre, post = trains(9)
    np.testing.assert_array_equal(fast_pairs(pre, post, labels, parameters()), fast_pairs(pre, post, labels, parameters(), cuts))


@numba.njit(fastmath=FAST)
def each_share(x, four, one):
    for a in range(len(x) // 4):
        four[4 * a : 4 * a + 4] = shares((x[4 * a], x[4 * a + 1], x[4 * a + 2], x[4 * a + 3]))
    for a in range(len(x)):
        one[a] = np.int32(exp32(x[a]) * np.float32(UNIT) + np.float32(0.5))


def test_the_share_of_a_pair_is_the_exponential_rounded_to_parts():
    x = -np.concatenate([np.linspace(0, 14, 100_001), np.geomspace(1e-9, 1e9, 20_003)]).astype(np.float32)
    four, one = np.empty(len(x), np.int32), np.empty(len(x), np.int32)
    each_share(x, four, one)
    np.testing.assert_array_equal(four, one)
    assert np.abs(four - UNIT * np.exp(x.astype(float))).max() < 0.5 + 2e-6 * UNIT


@pytest.mark.parametrize("cuts", [(), (400_000, 1_999_999)])
def test_sums_end_at_full_however_many_pairs_there_are(cuts):
    tick = np.arange(0, 2_500_000, 60)
    p = SensorParameters(np.ones((2, SIDE, SIDE), np.float32), np.full((SIDE, SIDE), 1e-9, np.float32))
    pre = [(int(t), 3, 0) for t in tick]
    post = [(int(t) + 30, column) for t in tick for column in ((0, 7) if t < 600_000 else (7,))]
    charge = fast_pairs(pre, post, np.zeros((SIDE, SIDE), np.uint8), p, cuts)
    assert charge[0, 3, 0] == 10_000
    np.testing.assert_array_equal(charge[:, 3, 7], np.float32(FULL) / np.float32(UNIT))
    assert charge.sum() == charge[:, 3, [0, 7]].sum()


def test_the_last_pulse_is_remembered_for_ever():
    labels = np.zeros((SIDE, SIDE), np.uint8)
    p = SensorParameters(np.ones((2, SIDE, SIDE), np.float32), np.full((SIDE, SIDE), 1e-9, np.float32))
    late = 400_000_000  # 0.8 s
    charge = fast_pairs([(10, 0, 0)], [(late, 5)], labels, p, cuts=(1000, 300_000_000))
    np.testing.assert_allclose(charge[0, 0, 5], np.exp(-0.4), rtol=1e-4)
    assert charge[0].sum() == charge[0, 0, 5]


# ---- On the chip


def reads(at: int | str = "after", row: int = 0) -> list[TimedRead]:
    return [TimedRead(name=kind, at=at, field=f"correlation_{kind}", index=(0, row)) for kind in ("causal", "acausal")]


@pytest.mark.parametrize("delay_us", [0.5, 2, 5, 12])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_pair_lowers_its_reading_by_the_closed_form(delay_us, sign):
    pairs, delay = 100, round(delay_us * TICKS_PER_US)
    first, second = (PRE, POST) if sign > 0 else (POST, PRE)
    at = [(25_000 * (k + 1) + (delay if last else 0), label) for k in range(pairs) for last, label in ((False, first), (True, second))]
    recording = run(BYPASSED, 100 + 50 * pairs, "ideal", entries=pulses(*at), reads=reads())
    measured, other = ("causal", "acausal") if sign > 0 else ("acausal", "causal")
    expected = BASELINE - pairs * ETA * np.exp(-delay / TAU_TICKS)
    # the pairs between pairs, 50 us apart, add less than 0.01 LSB; the code is rounded
    assert np.abs(recording.reads[measured][0].astype(float) - expected).max() < 0.55
    np.testing.assert_array_equal(recording.reads[other][0], BASELINE)


def test_the_reading_saturates_at_zero():
    at = [(2000 + 1000 * k + late, label) for k in range(500) for late, label in ((0, PRE), (50, POST))]
    recording = run(BYPASSED, 1100, "ideal", entries=pulses(*at), reads=reads())
    np.testing.assert_array_equal(recording.reads["causal"][0], 0)


def test_a_reset_empties_one_row_and_keeps_the_memory():
    fields = {**BYPASSED, "driver_enable_receiver": np.arange(128) < 3, "driver_row_address_compare_mask": np.where(np.arange(128) == 1, 31, 0)}
    fields["synapse_label"] = np.where(np.arange(SIDE)[None, :, None] // 2 == 1, 1, 0) * np.ones((2, 1, SIDE), int)
    at = [(20_000, PRE), (21_000, POST), (40_000, PRE), (41_000, POST)]
    write = TimedWrite(at=40_500, field="correlation_reset", index=(0, 0), value=True)
    read = TimedRead(name="plane", at="after", field="correlation_causal", index=(0, (0, 8)))
    fields["synapse_row_mode"] = np.ones((2, SIDE), int)
    recordings = [run({**fields, "syn_i_bias_store": 5}, 100, "ideal", entries=pulses(*at), reads=[read], writes=w) for w in ([], [write])]
    before, after = (r.reads["plane"][0].astype(int) for r in recordings)
    np.testing.assert_array_equal(after[1:], before[1:])
    one = 7.0 * np.exp(-1000 / TAU_TICKS)
    np.testing.assert_array_equal(after[0], round(BASELINE - one))  # the pre pulse before the reset still pairs
    np.testing.assert_allclose(before[0], BASELINE - 2 * one, atol=0.55)


@pytest.mark.parametrize("cell", ["syn_i_bias_store", "syn_i_bias_ramp"])
def test_sensors_without_bias_take_no_charge(cell):
    at = [(20_000, PRE), (21_000, POST)]
    recording = run({**BYPASSED, cell: 0}, 100, "ideal", entries=pulses(*at), reads=reads())
    np.testing.assert_array_equal(recording.reads["causal"][0], BASELINE)


def test_charge_and_memory_survive_programs_until_a_reset():
    fields = {**BYPASSED, "syn_i_bias_store": 5, "synapse_label": np.where(np.arange(SIDE)[None, :, None] // 2 == 1, 1, 0) * np.ones((2, 1, SIDE), int)}
    fields["synapse_row_mode"], fields["driver_row_address_compare_mask"] = np.ones((2, SIDE), int), np.where(np.arange(128) == 1, 31, 0)
    eta = 7.0

    def ran(state: object, events: Events, **parts: object) -> tuple[float, object]:
        recording, state = chip("ideal").run(program(fields, 50, entries=events, reads=reads(row=1), **parts), state)
        return float(recording.reads["causal"][0, 0]), state

    first, state = ran(None, pulses((20_000, PRE), (21_000, POST)))
    np.testing.assert_allclose(first, BASELINE - eta * np.exp(-1000 / TAU_TICKS), atol=0.55)
    second, state = ran(state, pulses((20_000, PRE), (20_500, POST)))
    np.testing.assert_allclose(second, BASELINE - eta * (np.exp(-1000 / TAU_TICKS) + np.exp(-500 / TAU_TICKS)), atol=0.55)
    assert ran(state, Events.empty(1))[0] == second
    wipe = TimedWrite(at="before", field="correlation_reset", value=True)
    assert ran(state, Events.empty(1), writes=[wipe])[0] == BASELINE


def test_a_neuron_whose_post_pulse_is_overwritten_does_not_reach_its_sensors():
    at = [(20_000, PRE), (21_000, POST)]
    fields = {**BYPASSED, "syn_i_bias_store": 5, "event_routing_enable_post_overwrite": np.arange(N) == 3}
    recording = run(fields, 100, "ideal", entries=pulses(*at), reads=reads())
    causal = recording.reads["causal"][0]
    assert causal[3] == BASELINE
    assert (np.delete(causal, 3) < BASELINE - 1).all()


# ---- Equal bits, no influence


def busy(seed: int = 5) -> tuple[dict[str, object], Events]:
    """Return a chip of 512 firing neurons with random labels, and random events."""
    rng = np.random.default_rng(seed)
    fields = {
        **STIMULATED,
        **{name: code for name, code in FIRING.items() if name != "leak_v_leak"},
        **SENSING,
        "leak_v_leak": rng.integers(600, 850, N),
        "synapse_row_mode": np.tile([1, 2], (2, 128)),
        "synapse_label": np.where(np.arange(SIDE) == 255, 63, rng.integers(0, 4, (2, SIDE, SIDE))),
        "synapse_weight": rng.integers(0, 4, (2, SIDE, SIDE)),
    }
    tick = np.sort(rng.integers(0, 45_000, 600))
    label = rng.integers(0, 4, 600) | rng.integers(0, 32, 600) << 6 | rng.integers(0, 4, 600) << 14
    return fields, Events.from_lists([list(zip(tick.tolist(), label.tolist(), strict=True))])


def test_cuts_lanes_and_looks_change_no_bit_of_the_sensors():
    fields, entries = busy()
    planes = [TimedRead(name=kind, at="after", field=f"correlation_{kind}") for kind in ("causal", "acausal")]

    def ran(changes: dict[str, object] | None = None, reads: tuple[TimedRead, ...] = (), **parts: object) -> tuple[Recording, np.ndarray]:
        recording, state = chip("-event_loss").run(program({**fields, **(changes or {})}, 100, entries=entries, reads=[*planes, *reads], **parts))
        return recording, state.analog["correlation_charge"]

    plain, charge = ran()
    assert len(plain.spikes.tick) > 100
    assert charge.max() > 1
    looks = tuple(TimedRead(name=f"look {at}", at=at, field="correlation_causal", index=(1, (3, 9))) for at in (777, 12_345, 30_001))
    together = {"event_routing_enable_bypass_inhibitory": np.arange(N) == 511}
    halves = (Snippet(25_000), Snippet(25_000))
    for other, other_charge in (ran(reads=looks), ran(together), ran(together, looks), ran({"constant_current_i_offset": 3}, snippets=halves)):
        assert plain.spikes == other.spikes
        np.testing.assert_array_equal(charge, other_charge)
        for name in ("causal", "acausal"):
            np.testing.assert_array_equal(plain.reads[name], other.reads[name])


def test_sensors_change_no_spike():
    fields, entries = busy()
    record = Record(probe=(Probe(("v",), (7,), 50),))
    off, on = (run({**fields, **cells}, 100, entries=entries, record=record) for cells in ({"syn_i_bias_store": 0, "syn_i_bias_ramp": 0}, SENSING))
    assert off.spikes == on.spikes
    np.testing.assert_array_equal(off.probe[0].value, on.probe[0].value)


def test_a_read_within_a_step_sees_the_pairs_before_its_tick():
    at = [(20_000, PRE), (21_013, POST)]
    moments = {"just before": 21_013, "just after": 21_014, "a step later": 21_300}
    looks = [TimedRead(name=name, at=tick, field="correlation_causal", index=(0, 0, 9)) for name, tick in moments.items()]
    recording = run({**BYPASSED, "syn_i_bias_store": 5}, 100, "ideal", entries=pulses(*at), reads=looks)
    before, after, later = (int(recording.reads[name][0]) for name in moments)
    assert before == BASELINE
    assert later == round(BASELINE - 7.0 * np.exp(-1013 / TAU_TICKS))
    assert after in (before, later)  # a relay fires when its event is delivered


class Reader:
    """Reads a row every 20 us and resets it."""

    def __init__(self) -> None:
        self.tick, self.found = 10_000, []

    def due(self) -> int | None:
        return self.tick if self.tick <= 50_000 else None

    def act(self, port: Port) -> None:
        self.found.append(port.read("correlation_causal", (0, 0)).astype(int))
        port.reset_correlation(0, 0)
        self.tick += 10_000


def test_an_actor_reads_and_resets_rows():
    at = [(15_000, PRE), (15_500, POST), (35_000, PRE), (35_100, POST)]
    reader = Reader()
    chip("ideal").run(program({**BYPASSED, "syn_i_bias_store": 5}, 100, entries=pulses(*at)), actors=[reader])
    charge = np.array([BASELINE - row for row in reader.found])
    np.testing.assert_allclose(charge[:, 3], [0, 7 * np.exp(-500 / TAU_TICKS), 0, 7 * np.exp(-100 / TAU_TICKS), 0], atol=0.55)


# ---- Spread and calibration


def test_most_sensors_lie_within_a_factor_of_two_of_their_target():
    """Row A26: the 30th to 70th percentile, on ten chips, at the codes with which calix begins."""
    codes = {name: np.full(4, code, np.uint16) for name, code in SENSING.items()}
    for seed in range(10):
        for half in sensor_parameters(Specimen.from_seed(seed), Effects.parse("ideal,+mismatch"), codes):
            for values, target in ((half.amplitude[0], ETA), (half.amplitude[1], ETA), (1 / half.rate, TAU_TICKS)):
                low, high = np.percentile(values, (30, 70))
                assert target / 2 < low < high < target * 2
                assert high / low > 1.2


def test_cells_and_calibration_bits_act_in_the_stated_direction():
    nominal = {name: np.full(4, code, np.uint16) for name, code in SENSING.items()}

    def one(**fields: object) -> tuple[float, float]:
        p = sensor_parameters(Specimen.reference(), Effects.ideal(), {**nominal, **fields})[0]
        return float(p.amplitude[0, 0, 0]), float(1 / p.rate[0, 0])

    eta, tau = one()
    np.testing.assert_allclose((eta, tau), (ETA, TAU_TICKS), rtol=1e-6)
    np.testing.assert_allclose(one(syn_i_bias_store=np.full(4, 140)), (eta / 2, tau), rtol=1e-6)
    np.testing.assert_allclose(one(syn_i_bias_ramp=np.full(4, 160)), (eta, tau / 2), rtol=1e-6)
    bits = np.full((2, SIDE, SIDE), 3)
    assert one(synapse_amp_calib=bits)[0] > eta
    assert one(synapse_time_calib=bits)[1] > tau


def test_a_recurrent_network_with_plastic_drivers_has_the_same_sensors_however_it_is_cut():
    from test_exchange import recurrent  # neurons that send each other events, also within a step

    fields = {**recurrent(), **SENSING, "driver_enable_stp": True, "driver_enable_recovery": True, "driver_utilization": 8, "stp_recovery_clock_speed": 3}
    entries = Events.empty(2)

    def ran(threads: int, reads: tuple[TimedRead, ...] = ()) -> tuple[Recording, np.ndarray, np.ndarray]:
        recording, state = chip("default", threads=threads).run(program(fields, 60, entries=entries, reads=reads))
        return recording, state.analog["correlation_charge"], state.analog["drivers"]

    plain, charge, voltages = ran(1)
    assert charge.max() > 1
    looks = tuple(TimedRead(name=f"look {at}", at=at, field="correlation_acausal", index=(0, (0, 4))) for at in (123, 4567, 20_001))
    for other, other_charge, other_voltages in (ran(2), ran(1, looks)):
        assert plain.spikes == other.spikes
        np.testing.assert_array_equal(charge, other_charge)
        np.testing.assert_array_equal(voltages, other_voltages)


def test_a_synapse_answers_to_its_new_label_from_the_tick_of_the_write_on():
    """Pulses before the write meet the old labels, also if the engine hears of them later."""
    labels, p = np.zeros((SIDE, SIDE), np.uint8), parameters(2)
    pre, post = [(100, 0, 0), (300, 0, 1), (500, 0, 0), (700, 0, 1)], [(150, 4), (350, 4), (550, 4), (750, 4)]
    sensors = Sensors(p, labels, SensorState.empty())
    tick, row, label = np.array(pre).T
    sensors.relabel(0, np.ones(SIDE, np.uint8), 400)
    sensors.note(RowEvents(tick.copy(), row.astype(np.int32), label.astype(np.uint8)), MASK, np.array([t for t, _ in post]), np.full(4, 4))
    sensors.advance(10_000)
    np.testing.assert_allclose(sensors.state().charge[0, 0, 4], 2 * np.exp(-50 * p.rate[0, 4]), rtol=1e-4)  # label 0 before the write, label 1 after it
