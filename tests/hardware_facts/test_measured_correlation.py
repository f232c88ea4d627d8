"""Row A26: correlation sensors that a measuring calibration has set, measured on the running twin with other rows, delays and events than it used.

Conditions are those of calix' ``test_correlation.py``: of the sensors of each quadrant (here 32 rows, 4096 synapses) the percentiles 30, 50 and 70 lie within a
factor of two of the targets, and four of five sensors prefer their order of pulses and the shorter delay. Medians of 1024 synapses, of which the search sees
as many in each quadrant, have an error of 3 %.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import calibrated as shown
import numpy as np
import pytest
from chips import OTHERS, SPECIMEN, Floats
from codes import Codes

from neckar.calibration import CadcTarget, CorrelationTarget
from neckar.calibration.measure import Bench, calibrate_cadc
from neckar.calibration.measure.correlation import characteristics, drops, stages
from neckar.calibration.settings import CIRCUIT_FIELDS, NEURONS
from neckar.chip.machine import Chip
from neckar.facts import registers
from neckar.lab import Lab

TABLE = registers("brainscales2")


def calibrated(chip: Chip, target: CorrelationTarget) -> Codes:
    """Return the codes after the stages of the sensors."""
    with Lab(chip=chip.specimen, effects=chip.effects, instruments="silicon", seed=0).session() as session:
        bench = Bench(session)
        calibrate_cadc(bench, CadcTarget())
        bench.set(**{name: TABLE[name].default_array() for name in CIRCUIT_FIELDS})
        bench.set(**NEURONS)
        for stage in stages(target):
            for name, reached in stage.run(bench, np.random.default_rng(0)).items():
                assert reached.all(), name
        bench.write()
    return dict(bench.codes)


@cache
def default(chip: Chip) -> Codes:
    return calibrated(chip, CorrelationTarget())


def by_quadrant(sensors: Floats) -> Floats:
    """Return values of sensors (hemisphere, row, column) by quadrant, shape (quadrant, synapse)."""
    return sensors.reshape(2, -1, 2, 128).swapaxes(1, 2).reshape(4, -1)


def amplitude_and_time(chip: Chip, codes: Codes, branch: str, early_us: float = 1.0, late_us: float = 5.0) -> tuple[Floats, Floats]:
    """Return amplitudes, LSB, and time constants, us, by quadrant: from two delays; not a number where the late answer is too small."""
    sign = 1 if branch == "causal" else -1
    early, late = (by_quadrant(shown.sensor_drops(chip, sign * delay_us, codes, branch)) for delay_us in (early_us, late_us))
    with np.errstate(divide="ignore", invalid="ignore"):
        tau = np.where((late > 0) & (late < early), (late_us - early_us) / np.log(early / late), np.nan)
    return early * np.exp(early_us / tau), tau


def check_percentiles(chip: Chip, codes: Codes) -> None:
    for branch in ("causal", "acausal"):
        amplitude, tau = amplitude_and_time(chip, codes, branch)
        for values, wanted in ((amplitude, 0.5), (tau, 5.0)):
            assert np.isfinite(values).mean() > 0.9
            percentiles = np.nanpercentile(values, (30, 50, 70), axis=1)
            assert (percentiles > wanted / 2).all()
            assert (percentiles < wanted * 2).all()
            np.testing.assert_allclose(percentiles[1], wanted, rtol=0.12)


def check_order(chip: Chip, codes: Codes) -> None:
    """Pairs of which the pre pulse comes first charge the causal sensor, and the longer the delay the less; the other order the other one."""
    near, far = (shown.sensor_drops(chip, delay_us, codes) for delay_us in (1.0, 5.0))
    wrong = shown.sensor_drops(chip, 1.0, codes, "acausal")
    assert (near > wrong).mean() > 0.8
    assert (near > far).mean() > 0.8
    back, wrong = (shown.sensor_drops(chip, -1.0, codes, branch) for branch in ("acausal", "causal"))
    assert (back > wrong).mean() > 0.8


@pytest.mark.slow
def test_a26_correlation_sensors_have_the_wanted_amplitude_and_time():
    codes = default(SPECIMEN)
    check_percentiles(SPECIMEN, codes)
    check_order(SPECIMEN, codes)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5))
def test_a26_on_other_chips(number):
    check_percentiles(OTHERS[number], default(OTHERS[number]))


@pytest.mark.slow
def test_bits_of_synapses_make_them_more_alike():
    """Causal sensors alone: spread of the logarithm of the amplitude, 0.5 before, at least halved in the bulk; the default bits leave room upwards only."""
    target = CorrelationTarget(branches="causal", amp_calib=1, time_calib=1)
    plain, chosen = (calibrated(SPECIMEN, replace(target, calibrate_synapses=on)) for on in (False, True))
    spreads = []
    for codes in (plain, chosen):
        amplitude, tau = amplitude_and_time(SPECIMEN, codes, "causal")
        spreads.append([np.subtract(*np.log(np.nanpercentile(values, (75, 25)))) for values in (amplitude, tau)])
    assert spreads[1][0] < 0.6 * spreads[0][0]
    assert spreads[1][1] < spreads[0][1]


def test_a26_one_measurement_shows_amplitudes_and_time_constants():
    """At the codes with which calix starts, which the model gives 0.5 LSB and 5 us, up to 3 % for a median; a quarter of the pairs to save time."""
    delays_us = np.array([1.0, 2.5, 5.0])
    with Lab(chip=SPECIMEN.specimen, effects=SPECIMEN.effects, instruments="silicon", seed=0).session() as session:
        bench = Bench(session)
        calibrate_cadc(bench, CadcTarget())
        bench.set(syn_i_bias_store=35, syn_i_bias_ramp=80, syn_i_bias_corout=600)
        before = dict(bench.codes)
        fallen = drops(bench, ((100, 102),), delays_us, ("causal", "acausal"), 40)
        assert bench.codes.keys() == before.keys()
    found = characteristics(fallen.swapaxes(0, 1), delays_us, 40)
    assert np.median(found.amplitude) == pytest.approx(1.0, rel=0.1)
    assert np.median(found.tau_us) == pytest.approx(5.0, rel=0.1)


def test_exact_drops_give_the_amplitude_and_the_time_constant():
    """Closed form: drops that fall exponentially with the delay, up to rounding to whole numbers, which is 1 % of them."""
    delays_us = np.array([1.0, 2.5, 5.0, 10.0])
    amplitude, tau = np.array([0.4, 0.9]), np.array([4.0, 8.0])
    drop = np.rint(100 * amplitude * np.exp(-delays_us[:, None] / tau)).astype(np.int64)
    found = characteristics(drop, delays_us, 100)
    np.testing.assert_allclose(found.amplitude, amplitude, rtol=0.03)
    np.testing.assert_allclose(found.tau_us, tau, rtol=0.05)


def test_what_cannot_be_seen_lies_on_the_right_side():
    """Sensors that fall at once have no time constant left, those that do not fall an endless one, those at the converter's end an endless amplitude."""
    delays_us = np.array([1.0, 2.5, 5.0])
    drop = np.array([[20, 30, 200, 40], [0, 30, 200, 20], [0, 30, 200, 8]])
    found = characteristics(drop, delays_us, 10)
    assert found.tau_us[0] == 0
    assert np.isinf(found.tau_us[1])
    assert np.isinf(found.amplitude[2])
    assert found.amplitude[3] > 4
