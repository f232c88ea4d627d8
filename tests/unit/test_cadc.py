"""The parallel converter: from volts to codes, its registers, its rows in time, and what may not be asked of it."""

from __future__ import annotations

import numpy as np
import pytest
from chip_programs import FIRING, STIMULATED, N, arriving, chip, program, run, whole

from neckar.chip.cadc import ACAUSAL, CadcTransfer, channels_of
from neckar.chip.cadc_timing import check_cadc, conversion_cycles, shortest_period
from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen, keyed_reads
from neckar.errors import ConfigurationError, ProgramError, UnsupportedFeatureError
from neckar.facts import brainscales2 as facts
from neckar.program import CadcRecord, Events, MadcChannel, PlasticityTask, PlasticityView, Probe, Record, Snippet, TimedRead, TimedWrite

REFERENCE, ALL = Specimen.reference(), np.arange(1024)
EQUAL, QUIET = Effects.parse("-mismatch,-noise"), Effects.parse("-noise")
EVERY = tuple(range(N))


def of(effects=EQUAL, chip=REFERENCE, **fields):
    return CadcTransfer.of(chip, effects, ChipConfig(fields))


def reading(volts, effects=EQUAL, **fields):
    """Return the reading of every channel for one potential."""
    return of(effects, **fields).reading(np.full(1024, volts), ALL)


def rows(record, us=50.0, effects="default", fields=STIMULATED, **parts):
    """Record with the CADC alone; return its samples, one item per target, and the losses."""
    r = run(fields, us, effects, record=Record(spikes=(), cadc=(record,)), **parts)
    r.losses.check()
    return r.cadc, r.losses


# ---- From volts to codes


def test_a_nominal_channel_reads_20_at_150_mv_and_220_at_1050_mv():
    """calix include/ccalix/cadc_calib_target.h; between them 4.5 mV per LSB."""
    for volts, lsb in ((0.15, 20), (1.05, 220), (0.6, 120)):
        np.testing.assert_allclose(reading(volts), lsb, atol=1e-5)
    np.testing.assert_allclose(of().volts(np.full(1024, 80), ALL), 0.42, atol=1e-7)


def test_channels_are_counted_top_causal_top_acausal_bottom_causal_bottom_acausal():
    assert channels_of([0, 255, 256, 511]).tolist() == [0, 255, 512, 767]
    assert channels_of([0, 256], ACAUSAL).tolist() == [256, 768]


def test_codes_are_the_nearest_counts_inside_the_range_before_and_after_the_digital_offset():
    offset = np.zeros((2, 2, 256), int)
    offset[0, 0, :4] = 0, 10, -10, -128
    transfer = of(cadc_channel_offset=offset)
    for volts, expected in ((0.06 + 4.5e-3 * 100.4, (100, 110, 90, 0)), (0.0, (0, 10, 0, 0)), (1.3, (255, 255, 245, 127))):
        assert transfer.codes(np.full(4, volts), np.arange(4)).tolist() == list(expected)
    assert transfer.codes(np.zeros((3, 4)), np.arange(4)).dtype == np.uint8


def test_volts_invert_the_reading_of_every_channel():
    transfer = of(QUIET, Specimen.from_seed(3), cadc_i_bias_comp=300, cadc_channel_offset=7)
    codes = np.random.default_rng(0).integers(40, 200, (5, 1024))
    np.testing.assert_array_equal(transfer.codes(transfer.volts(codes, ALL), ALL), codes)


def test_an_uncalibrated_chip_scatters():
    """Offsets of channels 12.5 LSB, widths of an LSB 1 %, both within 12 % (5 standard errors); ramps of quadrants 10 % in start and width over 200 chips."""
    seen = (of(QUIET, cadc_i_ramp_slope=350).reading(np.full((2, 1024), [[0.2], [0.8]]), ALL) * 4.5e-3).T
    nominal = np.array([0.14, 0.74])
    assert np.median(seen, axis=0) == pytest.approx(nominal, abs=3 * 1.25 * 0.056 / 32)
    assert (seen[:, 0] / 4.5e-3).std() == pytest.approx(12.5, rel=0.12)
    assert (np.diff(seen, axis=1) / 0.6).std() == pytest.approx(0.01, rel=0.12)
    chips = [of(QUIET, Specimen.from_seed(seed)) for seed in range(1, 201)]
    quadrants = np.array([[c.step[[0, 128, 512, 640]], c.start[[0, 128, 512, 640]] * 1e0] for c in chips])
    assert np.log(quadrants[:, 0]).std() == pytest.approx(0.10, rel=0.15)
    spread = np.hypot(12.5 * 4.5e-3, 0.1 * 0.06)
    assert quadrants[:, 1].std() == pytest.approx(spread, rel=0.15)


def test_a_read_has_a_noise_of_0_8_lsb_that_no_other_channel_shares():
    """Rounding included, within 1.5 % of 51,200 reads (5 standard errors); correlation of channels below 0.023 x 5 of 100 x 100 pairs."""
    transfer = of(Effects.parse("-mismatch"))
    noise = keyed_reads(np.arange(400) * 1000, np.arange(128), "test", 1)
    reads = transfer.codes(np.full((400, 128), 0.5013), np.arange(128), noise).astype(float)
    assert reads.std() == pytest.approx(facts.CADC_NOISE.value, rel=0.03)
    assert reads.mean() == pytest.approx((0.5013 - 0.06) / 4.5e-3, abs=0.02)
    together = np.corrcoef(noise.T) - np.eye(128)
    assert abs(together).max() < 6 / np.sqrt(400)


@pytest.mark.parametrize(
    ("field", "code", "shift"),
    [
        ("cadc_v_ramp_offset", 32, -10 * 1.875 / 4.5),
        ("cadc_i_ramp_slope", 700, -60),
        ("cadc_channel_offset", 5, 0),  # of the code, not of the reading
        ("cadc_v_bias_ramp_buf", 200, 5),
        ("cadc_i_bias_comp", 511, 2.5),
        ("cadc_i_bias_vreset_buf", 51, -(1.14 / 4.5e-3) * np.exp(-20 * 51 / 1022)),
        ("cadc_reset_wait", 0, -1.14 / 4.5e-3),
    ],
)
def test_each_register_moves_the_reading(field, code, shift):
    assert reading(0.6, **{field: code}) == pytest.approx(np.full(1024, 120 + shift), abs=0.01)


def test_a_register_of_a_quadrant_reaches_its_channels_only():
    slope = np.array([350, 700, 175, 350], np.uint16)
    seen = reading(0.6, cadc_i_ramp_slope=slope).reshape(2, 2, 2, 128)
    np.testing.assert_allclose(seen[0, :, 0], 120, atol=1e-5)
    np.testing.assert_allclose(seen[0, :, 1], 60, atol=1e-5)
    np.testing.assert_allclose(seen[1, :, 0], 240, atol=1e-5)


@pytest.mark.parametrize(("fields", "code"), [({"cadc_i_ramp_slope": 0}, 255), ({"cadc_i_bias_comp": 0}, 255), ({"cadc_v_bias_ramp_buf": 0}, 255)])
def test_a_channel_that_never_answers_reads_255(fields, code):
    assert (of(**fields).codes(np.full(1024, 0.5), ALL) == code).all()


# ---- Recording


def test_the_converter_reads_what_the_probe_sees():
    """Every fifth circuit of both hemispheres, with events and spikes; open instruments read exactly when asked."""
    circuits = EVERY[::5]
    record = Record(spikes=(), cadc=(CadcRecord(circuits, period=777),), probe=(Probe(("v",), circuits, 777),))
    fields = {**STIMULATED, **FIRING}
    r = run(fields, effects="-noise,-event_loss", instruments="open", entries=arriving(*range(1000, 20_000, 300)), record=record)
    assert [s.circuits for s in r.cadc] == [tuple(c for c in circuits if c < 256), tuple(c for c in circuits if c >= 256)]
    for samples in r.cadc:
        np.testing.assert_array_equal(samples.tick, r.probe[0].tick)
        places = [circuits.index(c) for c in samples.circuits]
        np.testing.assert_array_equal(samples.value, of(QUIET).codes(r.probe[0].value[0, 0][:, places], channels_of(samples.circuits)))
        assert np.ptp(samples.value.astype(int), axis=0).min() > 5


def test_reading_changes_no_spike():
    events = arriving(*range(1000, 20_000, 300))
    fields = {**STIMULATED, **FIRING}
    plain = run(fields, entries=events)
    for cadc in (CadcRecord(EVERY, period=1000), CadcRecord((3,), "adaptation", ticks=np.arange(0, 25_000, 900))):
        assert run(fields, entries=events, record=Record(cadc=(cadc,))).spikes == plain.spikes


def test_a_circuit_reads_the_same_alone_and_among_all():
    together = rows(CadcRecord(EVERY, period=1000))[0][1]
    alone = rows(CadcRecord((300,), period=1000))[0][0]
    np.testing.assert_array_equal(alone.tick, together.tick)
    np.testing.assert_array_equal(alone.value[:, 0], together.value[:, 300 - 256])


def test_entries_and_runs_have_their_own_noise_and_the_same_seed_the_same_bits():
    record = Record(spikes=(), cadc=(CadcRecord((0,), ticks=np.arange(0, 20_000, 1000)),))
    one, again = (run(STIMULATED, record=record, entries=Events.empty(2)).cadc[0] for _ in range(2))
    assert one == again
    assert (one.entry(0)[1] != one.entry(1)[1]).any()
    assert (run(STIMULATED, record=record, entries=Events.empty(2), run_seed=(0, 1)).cadc[0].value != one.value).any()


def test_codes_that_change_in_a_run_act_on_later_rows():
    offset = np.full((2, 2, 256), 20, np.int8)
    record = CadcRecord((0, 300), ticks=np.arange(20_000, 45_000, 1000))
    writes = (TimedWrite(at=35_000, field="cadc_channel_offset", index=(1, 0), value=np.int8(-20)),)
    snippets = (Snippet(30_000), Snippet(15_000, config={"cadc_channel_offset": offset}))
    top, bottom = rows(record, effects="-noise", fields={**STIMULATED, "leak_i_bias": 1000}, snippets=snippets, writes=writes)[0]
    base = [int(s.value[0, 0]) for s in (top, bottom)]
    np.testing.assert_array_equal(top.value[:, 0], [base[0]] * 10 + [base[0] + 20] * 15)
    np.testing.assert_array_equal(bottom.value[:, 0], [base[1]] * 10 + [base[1] + 20] * 5 + [base[1] - 20] * 10)


@pytest.mark.parametrize("source", ["membrane", "adaptation", "exc_synin", "inh_synin"])
def test_it_reads_the_readout_line_of_any_source(source):
    record = Record(spikes=(), cadc=(CadcRecord((0,), source, period=1700),), madc=(MadcChannel(0, source),))
    fields = {**STIMULATED, "adaptation_enable": True, "adaptation_v_ref": 500, "adaptation_i_bias_tau": 300}
    r = run(fields, 50, "ideal", record=record, entries=arriving(5000, 9000))
    near = np.searchsorted(r.madc[0].tick, r.cadc[0].tick)
    nominal = 1.5e-3 * (r.madc[0].value[near].astype(float) - 25)
    np.testing.assert_allclose(r.cadc[0].value[:, 0], (nominal - 0.06) / 4.5e-3, atol=1.0)


# ---- Rows in time


def test_open_instruments_read_exactly_when_asked_and_lose_nothing():
    cadc, losses = rows(CadcRecord((0, 511), period=300), 300, instruments="open")
    for samples in cadc:
        np.testing.assert_array_equal(samples.tick, np.arange(0, 150_000, 300))
    assert losses.sent["cadc"] == losses.delivered["cadc"] == 1000


def test_without_noise_the_loop_has_its_nominal_period_and_the_clocks_agree():
    for memory, loop in (("sram", 1002), ("dram", 3002)):
        cadc, _ = rows(CadcRecord((0, 511), period=850, memory=memory), 100, "-noise")
        for samples in cadc:
            assert set(np.diff(samples.tick)) <= {loop // 4 * 4, loop // 4 * 4 + 4}
            assert samples.tick[0] == (-3000 + 3 * loop if memory == "sram" else -3000 + loop) // 4 * 4
    slow = rows(CadcRecord((0,), period=2000), 100, "-noise")[0][0]
    assert set(np.diff(slow.tick)) == {2000}


def test_the_two_hemispheres_run_by_themselves():
    """Passes scatter by 41 cycles of 4 ns and the stamps lie on a grid of 8 ns; entries and hemispheres differ."""
    cadc, _ = rows(CadcRecord((0, 256), period=850), 150, entries=Events.empty(3))
    stamps = [samples.entry(e)[0] for samples in cadc for e in range(3)]
    for stamp in stamps:
        assert (stamp % 4 == 0).all()
        passes = np.diff(stamp)
        assert passes.min() >= 1002 - 82 - 4
        assert passes.max() <= 1002 + 82 + 4
        assert passes.std() > 20
    assert len({tuple(stamp[:20]) for stamp in stamps}) == 6


def test_stamps_are_off_by_a_constant_of_up_to_1_us():
    """The membrane rises slowly after the neuron reset, so a code says when it was read.

    60 clocks: none is off by more than 1 us and half an LSB, and they are spread evenly (standard deviation within 35 %, 5 standard errors).
    """
    rising = {**STIMULATED, "leak_i_bias": 20, "reset_v_reset": 400, "reset_i_bias": 1022, "refractory_period_refractory_time": 255}
    record = Record(spikes=(), cadc=(CadcRecord((0, 256), period=850),), probe=(Probe(("v",), (0, 256), 1),))
    r = run(rising, 20, "-mismatch", record=record, entries=Events.empty(30), neuron_reset=True)
    shifts = []
    for h, samples in enumerate(r.cadc):
        for e in range(30):
            stamp, codes = samples.entry(e)
            v = r.probe[0].value[e, 0, :, h].astype(float)
            smooth = np.poly1d(np.polyfit(np.arange(len(v)), v, 4))(np.arange(len(v)))
            shifts.append(np.mean(np.interp(0.06 + 4.5e-3 * codes[:, 0], smooth, np.arange(len(v))) - stamp))
    assert np.diff(smooth).min() > 0
    assert np.abs(shifts).max() < 500 + 0.5 * 4.5e-3 / np.diff(smooth).min()
    assert np.std(shifts) == pytest.approx(1000 / np.sqrt(12), rel=0.35)


def test_rows_beyond_the_memory_are_dropped_and_counted():
    cadc, losses = rows(CadcRecord((0, 256), period=850), 1000)
    lost = losses.lost["memory_full", "cadc"]
    assert lost > 700
    assert losses.sent["cadc"] == losses.delivered["cadc"] + lost + losses.lost["outside_run", "cadc"]
    for samples in cadc:
        assert 94 <= len(samples.tick) <= 100
        assert samples.tick[-1] < 200 * 500 + 1000
    everything = rows(CadcRecord((0, 256), period=850, memory="dram"), 1000)[1]
    assert everything.lost["memory_full", "cadc"] == 0


def test_commanded_rows_come_at_their_ticks_as_long_as_there_is_memory():
    at = np.arange(400, 400 + 120 * 1000, 1000)
    cadc, losses = rows(CadcRecord((7,), ticks=at), 300)
    np.testing.assert_array_equal(cadc[0].tick, at[:100])
    assert losses.lost["memory_full", "cadc"] == 20


def test_a_record_of_a_snippet_reads_in_it_only_and_the_loop_runs_on_across_equal_ones():
    one, other = CadcRecord((0,), period=850), CadcRecord((0, 1), period=850)
    snippets = tuple(Snippet(20_000, record=Record(cadc=cadc)) for cadc in ((one,), (), (other,), (one,)))
    r = run(STIMULATED, effects="-noise", snippets=snippets, record=Record())
    r.losses.check()
    first, second = r.cadc
    assert first.circuits == (0,)
    assert second.circuits == (0, 1)
    assert {t // 20_000 for t in first.tick.tolist()} == {0, 3}
    assert {t // 20_000 for t in second.tick.tolist()} == {2}
    assert first.tick[first.tick >= 60_000][0] - second.tick[-1] in (1000, 1004)


def test_the_wait_and_the_dead_time_make_a_conversion_longer():
    assert conversion_cycles(ChipConfig(), 0) * 4 == pytest.approx(1504)  # ns
    assert shortest_period(ChipConfig(), 0) == 850  # 1.7 us
    longer = ChipConfig({"cadc_reset_wait": [100, 200], "cadc_dead_time": [20, 120]})
    assert [shortest_period(longer, h) for h in (0, 1)] == [850, 850 + 400]
    slow = rows(CadcRecord((0, 256), period=1300), 100, "-noise", {**STIMULATED, "cadc_dead_time": [20, 220]})[0]
    assert [round(float(np.diff(s.tick).mean())) for s in slow] == [1300, 1402]


# ---- What may not be asked


PLASTIC = PlasticityTask(
    name="rule", kernel="", language="python", views=(PlasticityView(hemisphere=1, rows=(0,), columns=(0,)),), start=0, period=1000, count=1
)
SLOW = CadcRecord((0,), period=2000)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"record": Record(cadc=(CadcRecord((0,), period=849),))}, r"record\.cadc\[0\] asks for rows 1\.698 us apart; hemisphere 0 takes at least 1\.7 us"),
        ({"record": Record(cadc=(CadcRecord((0,), ticks=np.array([0, 5, 2000])),))}, r"rows 0\.01 us apart"),
        ({"record": Record(cadc=(SLOW, CadcRecord((1,), period=4000)))}, r"record\.cadc\[0\] and \[1\] read hemisphere 0 with different periods"),
        ({"record": Record(cadc=(SLOW, CadcRecord((1,), period=2000, memory="dram")))}, "different periods, ticks or memories"),
        ({"record": Record(madc=(MadcChannel(0),), cadc=(CadcRecord((0,), "adaptation", period=2000),))}, "for membrane and .* for adaptation"),
        ({"record": Record(cadc=(SLOW, CadcRecord((0,), "exc_synin", period=2000)))}, "its readout passes one signal"),
        ({"snippets": (Snippet(100), Snippet(5000, record=Record(cadc=(CadcRecord((0,), period=5),))))}, r"snippets\[1\]\.record\.cadc\[0\] asks"),
    ],
)
def test_what_the_converter_cannot_do_is_refused_before_it_runs(parts, text):
    with pytest.raises(ConfigurationError, match=text + r"(?s:.)*instruments=\"open\""):
        run(STIMULATED, **parts)
    run(STIMULATED, 5, instruments="open", **parts)


def test_both_hemispheres_may_be_read_in_their_own_rhythm_and_both_converters_may_read_one_membrane():
    record = Record(madc=(MadcChannel(0), MadcChannel(3)), cadc=(CadcRecord((0, 1), period=2000), CadcRecord((300,), "adaptation", period=900)))
    r = run(STIMULATED, record=record)
    assert [s.circuits for s in r.cadc] == [(0, 1), (300,)]
    assert [s.circuit for s in r.madc] == [0, 3]


def test_a_processor_either_reads_or_runs_a_rule():
    def ask(circuits):
        check_cadc(program({}, record=Record(cadc=(CadcRecord(circuits, period=2000),)), plasticity=(PLASTIC,)), ChipConfig(whole()))

    with pytest.raises(ConfigurationError, match=r"reads hemisphere 1, on whose processor the plasticity task 'rule' runs"):
        ask((0, 256))
    ask((0,))


def test_a_record_is_named_once():
    with pytest.raises(ProgramError, match=r"Record\.cadc\[1\] repeats \[0\]"):
        Record(cadc=(SLOW, CadcRecord((0,), period=2000)))


def test_rows_count_for_the_memory_check_and_the_cost(monkeypatch):
    from neckar.chip import probe
    from neckar.errors import MemoryLimitError

    monkeypatch.setattr(probe, "_available", lambda: 2**28)
    record = Record(spikes=(), cadc=(CadcRecord(EVERY, period=850, memory="dram"),))
    with pytest.raises(MemoryLimitError, match="CADC"):
        chip().run(program({}, 1e6, record=record))
    few = run(STIMULATED, 20, record=Record(spikes=(), cadc=(CadcRecord((0, 1), period=1000),)))
    item = next(item for item in few.cost.items if item.name == "transfer: CADC samples")
    assert item.value == pytest.approx(len(few.cadc[0].tick) * 96 * 8e-9)


def test_the_debug_line_is_read_between_real_time_sections_only():
    """Two reads of a moment are one conversion, before and after are two; a read in between would need the analog cell's time course."""
    reads = [TimedRead(name=name, at=at, field="cadc_debug") for name, at in (("a", "before"), ("b", "before"), ("c", "after"))]
    seen = run({"stp_v_charge_0": 310}, 1, reads=reads).reads
    np.testing.assert_array_equal(seen["a"], seen["b"])
    assert (seen["a"] != seen["c"]).any()
    assert np.abs(seen["a"].astype(int) - seen["c"]).max() <= 8  # seven standard deviations of a difference
    with pytest.raises(UnsupportedFeatureError, match=r'cadc_debug at tick 5; allowed are at="before" and at="after"'):
        run({}, 1, reads=[TimedRead(name="x", at=5, field="cadc_debug")])
