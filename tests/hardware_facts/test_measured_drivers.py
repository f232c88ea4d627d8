"""Rows A22 and A25: synapse drivers that a measuring calibration has made equal, measured on the running twin.

Amplitudes are those of calix' tests, where an undisturbed pulse pulls its line down by some 60 LSB. Seeds are fixed: nothing here is random.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import calibrated as shown
import numpy as np
import pytest
from chips import OTHERS, SPECIMEN, Floats
from codes import Codes

from neckar.calibration import NIGHTLY, CadcTarget, StpTarget, calibrate
from neckar.calibration.measure import Bench, calibrate_cadc
from neckar.calibration.measure.drivers import amplitudes, lines, search_offsets
from neckar.calibration.settings import CIRCUIT_FIELDS, NEURONS
from neckar.chip.machine import Chip
from neckar.facts import brainscales2 as facts
from neckar.facts import registers
from neckar.lab import Lab

TABLE = registers("brainscales2")


@cache
def with_offsets(chip: Chip) -> Codes:
    """Return the codes after the search of the offsets; the currents of the synapses are not equalised, so amplitudes are relative to their block."""
    with Lab(chip=chip.specimen, effects=chip.effects, instruments="silicon", seed=0).session() as session:
        bench = Bench(session)
        calibrate_cadc(bench, CadcTarget())
        bench.set(**{name: TABLE[name].default_array() for name in CIRCUIT_FIELDS})
        bench.set(**NEURONS, syn_i_bias_dac=600)
        assert search_offsets(bench, StpTarget()).mean() > 0.97
        bench.write()
    return dict(bench.codes)


def block_spreads(chip: Chip, codes: Codes) -> Floats:
    """Return the standard deviation of the amplitudes in each block at the voltage of the calibration, LSB."""
    at_v_stp = {"stp_v_charge_0": 180, "stp_v_recover_0": 180, "driver_enable_stp": True}
    lossless = Chip(chip.specimen, replace(chip.effects, event_loss=False), instruments="open")
    blocks = shown.of_blocks(shown.driver_amplitudes(lossless, {**codes, **at_v_stp}))
    return blocks.std(axis=1) / blocks.mean(axis=1) * 60


def check_offsets(chip: Chip) -> None:
    codes = with_offsets(chip)
    after, before = block_spreads(chip, codes), block_spreads(chip, {**codes, "driver_offset": 7})
    assert after.max() < 2
    assert (before - after).min() > 1


def test_a25_offsets_make_drivers_equal():
    """Spread of each block below 2 LSB and lowered by more than 1 [calix test_stp_calibration.py]; a step of the offset is 2.8 LSB, which leaves 0.8."""
    check_offsets(SPECIMEN)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5))
def test_a25_offsets_make_the_drivers_of_other_chips_equal(number):
    check_offsets(OTHERS[number])


def test_the_result_says_what_was_asked_and_leaves_drivers_off():
    codes = with_offsets(SPECIMEN)
    for name, value in (("stp_v_charge_0", 100), ("stp_v_recover_0", 400), ("stp_v_charge_1", 330), ("stp_v_recover_1", 50), ("stp_i_ramp", 600)):
        assert (codes[name] == value).all(), name
    assert not codes["driver_enable_stp"].any()
    for name in ("synapse_weight", "synapse_row_mode", "driver_enable_receiver", "excitatory_input_i_bias_tau"):
        np.testing.assert_array_equal(codes.get(name, TABLE[name].default_array()), TABLE[name].default_array(), err_msg=name)


# ---- A22: the length of pulses follows the activation

WEIGHT, EVENTS, SENT = 63, 3, 2
"""calix sends three events on both rows of a driver and resets the lines after each group of drivers; eight groups share them here, so two are sent."""


@cache
def for_lines(chip: Chip) -> Codes:
    calibration = calibrate(chip.specimen, NIGHTLY["hagen_synin"], "measurement", chip.effects)
    assert not calibration.failures()
    return dict(calibration.fields)


def sweep(chip: Chip, codes: Codes) -> Floats:
    """Return the amplitude of each driver at each activation, shape (activation, hemisphere, driver), as the calibrated converter reads it, CADC LSB."""
    with Lab(chip=chip.specimen, effects=chip.effects, instruments="silicon", seed=1).session() as session:
        bench = Bench(session)
        bench.set(**codes)
        with lines(bench, WEIGHT):
            return EVENTS * np.stack([amplitudes(bench, activation, SENT) for activation in range(1, 32)])


def follows_the_activation(found: Floats) -> bool:
    """Return whether amplitudes are those of calix' test: its limits on range, growth, baseline and mismatch, and its "some 30 LSB" as 20 to 35."""
    mean, mismatch = found.mean(axis=(1, 2)), found.std(axis=(1, 2)).mean()
    steps, span = np.diff(mean), mean.max() - mean.min()
    grows = steps.mean() > 0.5 and steps[:4].mean() > 0.2 and steps[-4:].mean() > 0.2
    return bool(grows and -1 < mean.min() < span / 8 and 20 < mean.max() < 35 and mismatch < min(4, span / 8))


def check_sweep(chip: Chip) -> None:
    codes = for_lines(chip)
    found = sweep(chip, codes)
    assert follows_the_activation(found)
    mean = found.mean(axis=(1, 2))
    assert (np.diff(mean) > 0).all()
    np.testing.assert_allclose(mean[:25] / mean[24], np.arange(1, 26) / 25, atol=0.02)  # the last ones bend: ramps start at different moments
    assert not follows_the_activation(sweep(chip, {**codes, "stp_i_ramp": 400, "driver_hagen_dac_offset": 31}))


@pytest.mark.slow
@pytest.mark.parametrize("one", [SPECIMEN, *OTHERS], ids=lambda one: one.specimen.id)
def test_a22_pulses_follow_the_activation_and_without_the_calibration_they_do_not(one):
    """calix test_hagen_input.py; amplitudes of some 30 LSB whose errors are 0.1 LSB."""
    check_sweep(one)


def probed_sweep(chip: Chip, codes: Codes) -> Floats:
    """Return what :func:`sweep` returns, read by the probe on lines without leak, one driver at a time, and with nothing of the searches."""
    lossless = Chip(chip.specimen, replace(chip.effects, event_loss=False), instruments="open")
    names = {"enable": False, "enable_small_capacitance": False, "enable_high_resistance": True, "i_bias_tau": 0}
    integrating = {f"{kind}_input_{name}": code for kind in ("excitatory", "inhibitory") for name, code in names.items()}
    found = [shown.driver_amplitudes(lossless, {**codes, **integrating}, 32 - activation, weight=WEIGHT) for activation in range(1, 32)]
    low, high = (shown.cadc(chip, codes, np.full(512, volts)).mean() for volts in (0.49, 0.50))
    return 2 * EVENTS * np.stack(found) * facts.CADC_STEP.value * (high - low) / 0.01


@pytest.mark.slow
def test_a22_pulses_follow_the_activation_for_the_probe_as_well():
    """Without noise, hence the tighter limit on the shape; on the reference chip, because a sweep takes a minute."""
    found = probed_sweep(SPECIMEN, for_lines(SPECIMEN))
    assert follows_the_activation(found)
    mean = found.mean(axis=(1, 2))
    np.testing.assert_allclose(mean[:25] / mean[24], np.arange(1, 26) / 25, atol=0.002)
