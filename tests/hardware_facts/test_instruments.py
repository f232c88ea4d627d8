"""The instruments against published numbers: rows A13, A24 and A33 of the acceptance list, V45 and V46 of the predictions.

Sources: calix (tests/hw/py/test_cadc_calibration.py, common/cadc.py), grenade (tests/hw/grenade/vx/network/test-cadc_readout.cpp), hxtorch
(tests/hw/test_spiking_boundary.py), the figure of the notebook ts_12 (hxsnn_intro) in brainscales2-demos. "Specimen" is the reference chip.

Bands are the 5 % and 95 % quantiles of the population: 80 to 98 of 100 chips with fixed seeds are accepted. With fresh seeds a right model would leave that
range with a probability of 0.1 %.
"""

from __future__ import annotations

import numpy as np
import pytest

from neckar.chip import ChipConfig
from neckar.chip.cadc import CadcTransfer, channels_of
from neckar.chip.effects import Effects
from neckar.chip.machine import Chip
from neckar.chip.specimen import Specimen, keyed_reads
from neckar.chip.transfer import MadcTransfer, physical, potentials
from neckar.facts import brainscales2 as facts
from neckar.facts import registers
from neckar.program import CadcRecord, Events, MadcChannel, Program, Record, Snippet, ticks

EVERY = np.arange(512)
CALIBRATED_CADC = {"cadc_offset": np.zeros((2, 2, 256)), "cadc_gain": np.ones((2, 2, 256)), "cadc_ramp_start": np.ones(4), "cadc_ramp_slope": np.ones(4)}
"""Deviations of a converter that has been calibrated exactly."""


def whole(**fields):
    table = registers("brainscales2")
    return {name: np.broadcast_to(np.asarray(value, table[name].dtype), table[name].shape) for name, value in fields.items()}


def volts(cadc_lsb):
    return facts.CADC_ZERO.value + facts.CADC_STEP.value * cadc_lsb


# ---- A24: calibration of the converter


def calibrated(chip):
    """Return the codes that calix's three steps find, from reads of all channels at one potential: start and width of the ramps, then digital offsets."""
    codes = {"cadc_v_ramp_offset": np.zeros(4, int), "cadc_i_ramp_slope": np.full(4, 350), "cadc_channel_offset": np.zeros((2, 2, 256), int)}
    number = iter(range(10_000))

    def read(potential, **changed):
        transfer = CadcTransfer.of(chip, Effects(), ChipConfig({**codes, **changed}))
        noise = keyed_reads(np.array([next(number)]), np.arange(1024), "reads", chip.seed)[0]
        return transfer.codes(np.full(1024, potential), np.arange(1024), noise)

    def of_quadrants(reads):
        return reads.reshape(2, 2, 2, 128).transpose(0, 2, 1, 3).reshape(4, 256)

    for name, potential, target in (("cadc_v_ramp_offset", 0.15, 20), ("cadc_i_ramp_slope", 1.05, 220)):
        low, high = np.zeros(4, int), np.full(4, 1022)
        while (high - low > 1).any():  # a higher code reads lower
            middle = (low + high) // 2
            above = of_quadrants(read(potential, **{name: middle})).mean(axis=1) > target
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        codes[name] = high
    at_the_middle = read(0.6).astype(int)
    codes["cadc_channel_offset"] = np.clip(int(np.median(at_the_middle)) - at_the_middle, -128, 127).reshape(2, 2, 256)
    return codes, at_the_middle, read(0.6).astype(int), of_quadrants


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_a24_a_calibration_makes_all_channels_alike(seed):
    """calix test_cadc_calibration.py: channels within 3 LSB (sd), quadrants within 5, offsets below 20 (sd), mid-range at 128 +- 40."""
    codes, before, after, of_quadrants = calibrated(Specimen.from_seed(seed))
    assert before.std() > 3
    assert after.std() < 3
    quadrants = of_quadrants(after).mean(axis=1)
    assert np.ptp(quadrants) < 5
    assert (np.abs(quadrants - 128) < 40).all()
    assert codes["cadc_channel_offset"].std() < 20
    for name in ("cadc_v_ramp_offset", "cadc_i_ramp_slope"):
        assert (codes[name] > 1).all()
        assert (codes[name] < 1000).all()


def test_a24_the_calibration_of_a_nominal_chip_finds_the_default_codes():
    """And with them the line of section "default calibration": 20 at 0.15 V, 220 at 1.05 V. Within two codes and 1 LSB, because reads are noisy and rounded."""
    chip = Specimen("nominal", 5, overrides=CALIBRATED_CADC)
    codes, *_ = calibrated(chip)
    np.testing.assert_allclose(codes["cadc_v_ramp_offset"], 22, atol=2)
    np.testing.assert_allclose(codes["cadc_i_ramp_slope"], 350, atol=2)


def test_a24_upstreams_counterexample_is_not_calibrated():
    """calix test_01_overwrite: start 50, slope 250, no digital offsets."""
    transfer = CadcTransfer.of(Specimen.reference(), Effects(), ChipConfig({"cadc_v_ramp_offset": 50, "cadc_i_ramp_slope": 250}))
    assert transfer.codes(np.full(1024, 0.6), np.arange(1024), np.zeros(1024)).astype(int).std() > 3


# ---- A33: rows in time


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("memory", "us", "longest"), [("sram", 150, 2.5), ("dram", 1500, 7.0)])
def test_a33_rows_come_as_often_as_upstream_expects(memory, us, longest, seed):
    """grenade test-cadc_readout.cpp: at least runtime / 2.5 us (SRAM) or runtime / 7 us (DRAM) samples, no more than runtime / 1 us; their times differ."""
    program = Program(
        machine="brainscales2",
        snippets=(Snippet(int(ticks(us * 1e-6))),),
        entries=Events.empty(5),
        record=Record(spikes=(), cadc=(CadcRecord((0, 17, 256, 511), period=850, memory=memory),)),
    )
    recording, _ = Chip(Specimen.from_seed(seed), Effects()).run(program)
    seen = set()
    for samples in recording.cadc:
        for e in range(5):
            stamp, values = samples.entry(e)
            assert us / longest <= len(stamp) <= us
            assert np.diff(stamp).min() * 2e-3 >= 1.7
            assert values.shape[1] == 2
            seen |= set(stamp.tolist())
    assert len(seen) > len(stamp)
    assert recording.losses.lost["memory_full", "cadc"] == 0


@pytest.mark.parametrize("seed", range(6))
def test_a33_the_small_memory_holds_a_hundred_rows(seed):
    """grenade vx/ppu.h; PyNN's example warns of losses beyond 0.15 ms, because rows before the section count."""
    program = Program(machine="brainscales2", snippets=(Snippet(int(ticks(1e-3))),), record=Record(spikes=(), cadc=(CadcRecord((0,), period=850),)))
    recording, _ = Chip(Specimen.from_seed(seed), Effects()).run(program)
    samples = recording.cadc[0]
    assert 90 <= len(samples.tick) <= 100
    assert 0.15e-3 < samples.tick[-1] * 2e-9 < 0.2e-3 + 1e-6
    assert recording.losses.lost["memory_full", "cadc"] > 350


# ---- A13: both converters at one neuron; V45, V46: the range of the parallel one


def rest_at(chip, cadc_lsb, **fields):
    """Return a configuration of stiff membranes that rest at a reading of the calibrated CADC, found by inverting the chip's lines."""
    code = potentials(chip, Effects())["leak_v_leak"].code(np.full(512, volts(cadc_lsb)))
    bias = np.rint(facts.LEAK_TIME_REFERENCE.value / 10e-6)
    return whole(membrane_capacitance_capacitance=63, leak_v_leak=np.rint(code), leak_i_bias=bias, syn_i_bias_dac=600, **fields)


def read_all(chip, config, us=100):
    """Return the median reading of each circuit on the CADC over the second half of a run."""
    at = np.arange(int(ticks(us * 5e-7)), int(ticks(us * 1e-6)), 1000)
    program = Program(
        machine="brainscales2",
        config=config,
        snippets=(Snippet(int(ticks(us * 1e-6))),),
        record=Record(spikes=(), cadc=(CadcRecord(tuple(EVERY), ticks=at),), madc=(MadcChannel(0),)),
    )
    recording, _ = Chip(chip, Effects()).run(program)
    return np.concatenate([np.median(s.value, axis=0) for s in recording.cadc]), float(np.mean(recording.madc[0].value[-1000:]))


@pytest.mark.parametrize(("cadc", "madc"), [(80, 305), (125, 440)])
def test_a13_both_converters_agree_on_the_specimen(cadc, madc):
    """ts_12: calibrated leak 79 to 80 and threshold 125 on the CADC appear at 305 and 440 on the MADC, here within 15."""
    chip = Specimen("calibrated", 0, overrides=CALIBRATED_CADC)
    seen, on_madc = read_all(chip, rest_at(chip, cadc))
    assert np.median(seen) == pytest.approx(cadc, abs=1)
    assert on_madc == pytest.approx(madc + (seen[0] - cadc) * 3, abs=15)


@pytest.mark.parametrize(("cadc", "low", "high"), [(80, 246, 363), (125, 374, 493)])
def test_a13_the_population_has_its_band(cadc, low, high):
    chips = [MadcTransfer.of(Specimen.from_seed(seed), Effects()) for seed in range(1, 101)]
    assert 80 <= sum(low <= chip.reading(volts(cadc)) <= high for chip in chips) <= 98


def test_a13_an_lsb_of_the_parallel_converter_is_2_6_to_3_2_of_the_other():
    chips = [MadcTransfer.of(Specimen.from_seed(seed), Effects()) for seed in range(1, 101)]
    ratios = [float(np.diff(chip.reading([volts(80), volts(125)]))[0] / 45) for chip in chips]
    assert sum(2.6 <= ratio <= 3.2 for ratio in ratios) >= 80


def test_v45_v46_the_range_of_the_parallel_converter():
    """hxtorch test_spiking_boundary.py, read - 128 with a default calibration: rest -45 (9), with a sink of 1000 LSB -103 (20), with a source 100 (20).

    On the specimen, medians over circuits.
    """
    chip = Specimen("calibrated", 0, overrides=CALIBRATED_CADC)
    current = {"constant_current_enable": True, "constant_current_i_offset": 1000}
    for fields, expected, tolerance in (({}, -45, 9), ({**current, "constant_current_type": 1}, -103, 20), (current, 100, 20)):
        seen, _ = read_all(chip, rest_at(chip, 80, **fields))
        assert np.median(seen) - 128 == pytest.approx(expected, abs=tolerance), fields


def test_readings_of_a_circuit_are_those_of_its_membrane():
    """The chain end to end: the leak potential of each circuit, turned into codes by its own channel, is what the recording holds within 2 LSB."""
    chip = Specimen.from_seed(7)
    config = rest_at(chip, 100)
    seen, _ = read_all(chip, config)
    rest = physical(chip, Effects(), config).e_leak
    expected = CadcTransfer.of(chip, Effects.parse("-noise"), config).codes(rest, channels_of(EVERY))
    assert np.abs(seen - expected).max() <= 2
