"""What a chip does after calibration: rows A13, A22 to A26 and the spreads of calix' tests, measured on the running twin.

Levels are MADC LSB of the chip's own converter. Seeds are fixed, so nothing here is random; the margins say how far a number lies from its limit in standard
errors over chips, so a new way of drawing chips would raise a false alarm in fewer than one of a thousand runs per row.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import calibrated as measure
import numpy as np
import pytest
from chips import ALL, OTHERS, SPECIMEN, Floats, assert_four_of_five, chip, run
from codes import Codes

from neckar.calibration import NIGHTLY, CorrelationTarget, NeuronTarget, SpikingTarget, calibrate
from neckar.chip.cadc import CadcTransfer
from neckar.chip.effects import Effects
from neckar.chip.machine import Chip
from neckar.facts import brainscales2 as facts
from neckar.program import CadcRecord, Record


@cache
def calibrated(chip: Chip) -> Codes:
    return dict(calibrate(chip.specimen, NIGHTLY["spiking"], effects=chip.effects).fields)


@cache
def level(chip: Chip, name: str) -> Floats:
    """Return a level of each circuit, MADC LSB."""
    quantity = {"rest": measure.rest, "reset": measure.reset_level, "peak": measure.peak}[name]
    return measure.madc(chip, quantity(chip, calibrated(chip)))


# ---- A13: levels of the default calibration, 80, 70 and 125 CADC LSB [hxsnn_intro: 305 and 440; the specification's line gives 275 for the reset]


@pytest.mark.parametrize(("name", "expected", "low", "high"), [("rest", 305, 246, 363), ("peak", 440, 374, 493), ("reset", 275, 216, 333)])
def test_a13_levels_of_the_default_calibration(name, expected, low, high):
    """Within 15 LSB on the reference chip; the band of random chips comes from the offset and gain of their converter."""
    assert np.median(level(SPECIMEN, name)) == pytest.approx(expected, abs=15)
    assert_four_of_five(lambda chip: np.median(level(chip, name)), low, high)


def test_a13_the_parallel_converter_reads_the_targets():
    """Mean of both channels in calix; here the causal one, whose error is 1.1 LSB, and noise: the mean of 20 reads has an error of 0.2 LSB."""
    record = Record(spikes=(), cadc=(CadcRecord(circuits=ALL, period=2500, memory="dram"),))
    recording = run(SPECIMEN, {**calibrated(SPECIMEN), **measure.QUIET}, 200, record)
    reads = np.concatenate([samples.value[10:] for samples in recording.cadc], axis=1).mean(axis=0)
    assert len(reads) == 512
    assert np.median(reads) == pytest.approx(80, abs=1)
    assert reads.std() < 3


# ---- A23: spreads over the circuits, relative to those with one code for all [calix test_neuron_distribution.py]


def check_spreads(chip: Chip) -> None:
    """The oracle leaves half of what upstream's tests accept, write jitter and noise add to it; ratios of 512 circuits have 4 % standard error."""
    for name, (after, before) in measure.spreads(chip, calibrated(chip)).items():
        limit = facts.CALIBRATION_RATIO[name.removesuffix("_inh")].value
        assert 0.2 * limit < after / before < limit, f"{name}: {after:.3g} after, {before:.3g} before, limit {limit}"


def test_a23_spreads_shrink_as_upstream_demands():
    check_spreads(SPECIMEN)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5))
def test_a23_spreads_shrink_on_other_chips(number):
    check_spreads(OTHERS[number])


def test_a23_few_thresholds_are_far_from_the_median():
    """At most 5 % more than 20 LSB, 8 CADC LSB, away; the twin has a spread of 3 LSB, so none."""
    peaks = level(SPECIMEN, "peak")
    assert np.mean(np.abs(peaks - np.median(peaks)) > 20) <= 0.05


def test_time_constants_are_the_targets():
    """10 us each; medians of 512 circuits with 3 % spread have an error of 0.2 %."""
    codes = calibrated(SPECIMEN)
    assert np.median(measure.membrane_time(SPECIMEN, codes)) == pytest.approx(10, rel=0.02)
    assert np.median(measure.line_time(SPECIMEN, codes, "excitatory", 1)) == pytest.approx(10, rel=0.02)
    assert np.median(measure.line_time(SPECIMEN, codes, "inhibitory", 2)) == pytest.approx(10, rel=0.02)


# ---- Strength of the inputs: 0.87 LSB per weight unit on the reference chip; single synapses within 8 %; excitation equals inhibition


def test_events_move_calibrated_neurons_equally():
    """One row of synapses per hemisphere: its driver moves all of them by up to 10 % together, so levels are compared within hemispheres."""
    codes = calibrated(SPECIMEN)
    answers = {sign: measure.psp(SPECIMEN, codes, sign).reshape(2, 256) for sign in (1, 2)}
    assert np.median(answers[1]) == pytest.approx(0.87, rel=0.12)
    for sign in (1, 2):
        scatter = np.mean([half.std() / abs(np.median(half)) for half in answers[sign]])
        assert 0.05 < scatter < facts.SPREAD["psp_calibrated"].circuit  # 5 % are those of single synapses; 0.059 with a standard error of 0.002
    ratio = -answers[2] / answers[1]  # of the same synapse, so the inputs alone
    assert np.median(ratio) == pytest.approx(1, abs=0.02)
    assert ratio.std() < 0.05


def test_quadrants_are_equally_strong_on_a_chip_whose_converters_differ():
    """Before: 10 % from quadrant to quadrant. Rows of one driver leave the two hemispheres apart, the halves of each are alike within 3 %."""
    halves = np.median(measure.psp(OTHERS[0], calibrated(OTHERS[0]), 1).reshape(2, 2, 128), axis=2)
    np.testing.assert_allclose(halves[:, 0] / halves[:, 1], 1, atol=0.04)


# ---- Conductances between compartments [calix test_multicompartment.py: 0.5]


def test_compartments_approach_each_other_with_half_their_time_constant():
    """Neighbours at 80 and 110 CADC LSB, with a slow leak, as upstream measures it.

    The leak of 60 us shortens a relaxation of 2.5 us by 4 %; ratios have 4 % standard error with 512 circuits.
    """
    tau_us = 5.0
    neurons = NeuronTarget(tau_icc_s=tau_us * 1e-6, tau_mem_s=60e-6, leak=np.where(np.arange(512) % 2 == 0, 80, 110))
    codes = dict(calibrate(SPECIMEN.specimen, SpikingTarget(neurons=neurons)).fields)
    found = measure.approach_time(SPECIMEN, codes)
    same = measure.approach_time(SPECIMEN, {**codes, "multicompartment_i_bias_nmda": int(np.median(codes["multicompartment_i_bias_nmda"]))})
    assert np.median(found) == pytest.approx(1 / (2 / tau_us + 1 / 60), rel=0.06)
    assert measure.trimmed(found) < facts.CALIBRATION_RATIO["tau_icc"].value * measure.trimmed(same)


# ---- A24: the parallel converter [calix test_cadc_calibration.py]


def cadc(chip: Chip) -> tuple[float, float, float]:
    """Return spread of all channels, range of the quadrants' means, and spread of the digital offsets, LSB, at the middle of the range."""
    codes = calibrated(chip)
    transfer = CadcTransfer.of(chip.specimen, chip.effects, codes)
    noise = np.random.default_rng(0).standard_normal(1024)
    reads = transfer.codes(np.full(1024, 0.6), np.arange(1024), noise).astype(float)
    quadrants = reads.reshape(2, 2, 2, 128).mean(axis=(1, 3))
    return reads.std(), np.ptp(quadrants), codes["cadc_channel_offset"].std()


def test_a24_channels_read_the_same():
    for one in (SPECIMEN, *OTHERS):
        spread, quadrants, offsets = cadc(one)
        assert spread < 3
        assert quadrants < 5
        assert offsets < 20


def test_a24_without_calibration_they_do_not():
    default = CadcTransfer.of(SPECIMEN.specimen, SPECIMEN.effects, {})
    assert default.codes(np.full(1024, 0.6), np.arange(1024)).astype(float).std() > 3


# ---- A25 and A22: drivers


def test_a25_offsets_make_drivers_equal():
    """Spread within each block at the voltage of calibration, in LSB; before, the offset is the middle everywhere [calix test_stp_calibration.py].

    A driver's offset corrects its ramp and the length of its pulses, 15 LSB of 450 and 10 %, in steps of 4.7 %.
    """
    at_v_stp = {"stp_v_charge_0": 180, "stp_v_recover_0": 180, "driver_enable_stp": True, "driver_utilization": 15}
    codes = {**calibrated(SPECIMEN), **at_v_stp}
    after = measure.of_blocks(measure.driver_amplitudes(SPECIMEN, codes))
    before = measure.of_blocks(measure.driver_amplitudes(SPECIMEN, {**codes, "driver_offset": 7}))
    assert np.all(after.std(axis=1) / after.mean(axis=1) < 0.03)
    assert np.all(before.std(axis=1) > 3 * after.std(axis=1))


def test_a22_drivers_follow_the_activation_in_matrix_multiplication():
    """Monotonic in the activation; drivers differ by less than an eighth of the range [calix test_hagen_input.py]."""
    codes = dict(calibrate(SPECIMEN.specimen, NIGHTLY["hagen_synin"]).fields)
    sweep = np.array([measure.driver_amplitudes(SPECIMEN, codes, 32 - activation, 16) for activation in (1, 2, 3, 8, 16, 24, 29, 31)])
    means = sweep.mean(axis=(1, 2))
    assert np.all(np.diff(means) > 0)
    assert means[4] / means[7] == pytest.approx(16 / 31, abs=0.02)
    assert np.all(sweep.std(axis=(1, 2)) < means[-1] / 8)


# ---- A26: correlation sensors [calix test_correlation.py]: percentiles 30, 50, 70 within a factor of two of the targets


def test_a26_correlation_sensors_have_the_wanted_amplitude_and_time():
    target = SpikingTarget(correlation=CorrelationTarget(amplitude=0.5, time_constant_s=5e-6))
    codes = dict(calibrate(SPECIMEN.specimen, target).fields)
    early, late = (measure.sensor_drops(SPECIMEN, delay_us, codes) for delay_us in (1.0, 5.0))
    seen = late > 0
    tau = 4.0 / np.log(early[seen] / late[seen])
    eta = early[seen] * np.exp(1.0 / tau)
    assert seen.mean() > 0.9
    for values, wanted in ((tau, 5.0), (eta, 0.5)):
        for percentile in np.percentile(values, (30, 50, 70)):
            assert wanted / 2 < percentile < 2 * wanted


# ---- Chips of other kinds


def test_a_chip_without_mismatch_gets_a_calibration_for_that():
    """All circuits alike, up to the write jitter and noise."""
    ideal = Chip(SPECIMEN.specimen, Effects.ideal(), instruments="open")
    codes = calibrated(ideal)
    assert np.ptp(codes["leak_v_leak"]) == 0
    levels = measure.madc(ideal, measure.rest(ideal, codes))
    np.testing.assert_allclose(levels, 305, atol=1)
    np.testing.assert_allclose(measure.psp(ideal, codes, 1), 0.87, rtol=0.02)


def test_a_calibration_ages_with_its_chip():
    """Potentials drift by some millivolts in two days; a calibration made at that age takes it out, that of the new chip does not."""
    old = Chip(replace(SPECIMEN.specimen, age_h=50.0), SPECIMEN.effects, instruments="open")
    fresh = measure.trimmed(measure.rest(SPECIMEN, calibrated(SPECIMEN)))
    again = measure.trimmed(measure.rest(old, calibrated(old)))
    aged = measure.trimmed(measure.rest(old, calibrated(SPECIMEN)))
    assert again == pytest.approx(fresh, rel=0.15)
    assert aged > 1.3 * fresh


def test_other_targets_are_reached_as_well():
    """Fast and slow membranes at once need multiplication and division; targets differ from circuit to circuit."""
    tau = np.where(np.arange(512) % 2, 1.0e-6, 40e-6)
    leak = np.where(np.arange(512) % 2, 80, 120)
    calibration = calibrate(SPECIMEN.specimen, SpikingTarget(neurons=NeuronTarget(tau_mem_s=tau, leak=leak)))
    codes = dict(calibration.fields)
    assert codes["leak_enable_multiplication"][1::2].mean() > 0.9
    assert codes["leak_enable_division"][::2].mean() > 0.9
    levels = measure.madc(SPECIMEN, measure.rest(SPECIMEN, codes))
    assert np.median(levels[1::2]) == pytest.approx(305, abs=8)
    assert np.median(levels[::2]) == pytest.approx(425, abs=12)


def test_circuits_that_cannot_reach_a_target_are_marked():
    """A chip of which eight circuits have four times too weak inputs: their bias would have to leave the range that upstream searches."""
    weak = chip(0).specimen
    factors = weak.deviation("synaptic_gm_exc").copy()
    factors[:8] *= 0.25
    crippled = replace(weak, overrides={"synaptic_gm_exc": factors})
    calibration = calibrate(crippled, NIGHTLY["spiking"])
    assert not calibration.success["excitatory_input_i_bias_gm"][:8].any()
    assert calibration.success["excitatory_input_i_bias_gm"][8:].mean() > 0.98
    assert not calibration.reached()[:8].any()
    assert calibration.failures()["excitatory_input_i_bias_gm"] >= 8
