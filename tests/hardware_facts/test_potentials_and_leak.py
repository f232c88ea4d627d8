"""Rows A2, A7 and A8: how levels follow their codes, and how fast an uncalibrated neuron is.

Sources: the notebooks fp_calibration ("Characterizing Neuron Parameters", with the manual's example fits, and the firing rates before equalisation) and
cns_01-lif_parameters in brainscales2-demos.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from chips import ALL, SOME, SPECIMEN, assert_four_of_five, membranes, probed, readings, run, samples, spike_times
from codes import solve, with_potentials

from neckar.program import Events

LEAKING = {"membrane_capacitance_capacitance": 63, "leak_i_bias": 500}
FIRING = {
    **LEAKING,
    "leak_v_leak": 1022,
    "refractory_period_refractory_time": 255,
    "threshold_enable": True,
    "threshold_v_threshold": 150,
    "reset_v_reset": 50,
    "reset_i_bias": 1022,
    "reset_enable_multiplication": True,
}


# ---- A2: the three lines [manual's example: leak 0.79, reset 0.88, threshold 0.99]


def line_through(codes, levels):
    """Return slope and largest deviation from the straight line, both for the median over circuits; `levels` has shape (code, circuit)."""
    median = np.median(levels, axis=1)
    slope, offset = np.polyfit(codes, median, 1)
    return slope, np.abs(median - slope * codes - offset).max()


def resting_levels(chip, codes, circuits):
    rows = [samples(run(chip, {**LEAKING, "leak_v_leak": code}, 60, membranes(circuits)))[1][0] for code in codes]
    return np.array([row[:, row.shape[1] // 2 :].mean(axis=1) for row in rows])


def troughs(chip, codes, circuits):
    """Return the lowest level of firing neurons, whose threshold lies above all reset potentials of the sweep (the manual leaves it at 150)."""
    rows = [readings(chip, run(chip, {**FIRING, "threshold_v_threshold": 400, "reset_v_reset": c}, 30, probed(["v"], circuits, 0.02)))[0] for c in codes]
    return np.array([row[500:].min(axis=0) for row in rows])


def peaks(chip, codes, circuits):
    rows = [readings(chip, run(chip, {**FIRING, "threshold_v_threshold": c}, 30, probed(["v"], circuits, 0.02)))[0] for c in codes]
    return np.array([row[500:].max(axis=0) for row in rows])


SWEEPS = {
    "leak": (resting_levels, np.arange(500, 901, 100), 0.84, 0.70, 0.89),
    "reset": (troughs, np.arange(400, 601, 50), 0.885, 0.78, 0.98),
    "threshold": (peaks, np.arange(50, 301, 50), 1.00, 0.93, 1.15),
}


@pytest.mark.parametrize("line", SWEEPS)
def test_a2_levels_lie_on_straight_lines_of_their_codes(line):
    measure, codes, slope, low, high = SWEEPS[line]
    found, deviation = line_through(codes, measure(SPECIMEN, codes, ALL))
    assert found == pytest.approx(slope, abs=0.01)
    assert low < found < high
    assert deviation < 2
    assert_four_of_five(lambda chip: line_through(codes, measure(chip, codes, SOME))[0], low, high)


def test_a2_the_resting_level_ends_at_zero_volts():
    """cns_01 sees saturation near the ends of the range. The twin has the lower end, 0 V, which reads 25; no public number tells where the upper one lies."""
    low, lower, high = np.median(resting_levels(SPECIMEN, [100, 0, 500], SOME), axis=1)
    assert low == pytest.approx(25, abs=3)
    assert lower == pytest.approx(25, abs=3)
    assert high - low < 0.84 * 400 - 100


# ---- A7: firing rate at i_bias_leak 400 with division, threshold 1 - 1/e of the way from reset to leak, potentials as the notebook names them


@cache
def rates(chip):
    """Return the firing rate of each circuit, kHz."""
    base = {**FIRING, "leak_i_bias": 400, "leak_enable_division": True, "refractory_period_refractory_time": 150}
    codes = with_potentials(chip, base, leak_v_leak=350, reset_v_reset=200, threshold_v_threshold=350 - 150 / np.e)
    spikes = spike_times(run(chip, codes, 1000, probed(["v"], [0], 1, spikes=ALL)), ALL)
    return np.array([1e3 / np.median(np.diff(times)) if len(times) > 2 else 0.0 for times in spikes])


def test_a7_firing_rate_before_calibration():
    assert 27 < np.median(rates(SPECIMEN)) < 35
    assert_four_of_five(lambda chip: np.median(rates(chip)), 24, 46)


def test_a7_rates_scatter_as_the_leak_conductances_do():
    """14 % from circuit to circuit; the fixed refractory period of 1.2 us dilutes it by 4 %. 10 % of a standard deviation is three standard errors."""
    assert np.log(rates(SPECIMEN)).std() == pytest.approx(0.14 * (1 - 0.04), rel=0.1)


# ---- A8: time constant against i_bias_leak, from the decay after a current step

BIASES = np.linspace(10, 1022, 10).round().astype(int)


@cache
def time_constants(chip, bias):
    """Return the time constant of some circuits, us, from the decay after a current step of about 100 LSB as in cns_01; nan if the step is too small."""
    tau = 1500 / bias
    codes = {**LEAKING, "leak_v_leak": 600, "leak_i_bias": int(bias), "constant_current_i_offset": 0}
    wanted = np.minimum(150e-3 * 2.3e-12 / (tau * 1e-6), 125e-9)
    on = {**codes, "constant_current_enable": True}
    codes["constant_current_i_offset"] = solve(chip, on, "constant_current_i_offset", lambda p: p.i_source, wanted)
    rest, step, decay = max(20.0, 6 * tau), 6 * tau, 3 * tau
    pieces = [(rest, {}), (step, {"constant_current_enable": True}), (decay, {"constant_current_enable": False})]
    time, values = samples(run(chip, codes, pieces, membranes(SOME), entries=Events.empty(4)))
    mean = values.mean(axis=0)
    before = (time > rest / 2) & (time < rest)
    after = (time > rest + step + 0.05 * tau) & (time < rest + step + 1.5 * tau)
    height = mean - mean[:, before].mean(axis=1, keepdims=True)
    return np.array([-1 / np.polyfit(time[after], np.log(h[after]), 1)[0] for h in height])


def test_a8_the_leak_is_proportional_to_its_bias():
    medians = np.array([np.median(time_constants(SPECIMEN, bias)) for bias in BIASES])
    conductance = 1 / (medians * BIASES)
    np.testing.assert_allclose(conductance, np.median(conductance), rtol=0.15)
    assert np.all(np.diff(medians) < 0)


def test_a8_time_constant_at_150():
    assert np.median(time_constants(SPECIMEN, 150)) == pytest.approx(10.3, rel=0.03)
    assert_four_of_five(lambda chip: np.median(time_constants(chip, 150)), 6.8, 12.8)
