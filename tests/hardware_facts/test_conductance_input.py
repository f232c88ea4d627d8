"""Row A27: calibrated conductance-based inputs.

Source: calix tests/hw/py/test_neuron_coba.py. Neurons in conductance-based mode with reversal potentials at 300 (excitation) and 30 CADC LSB (inhibition),
as strong as in current-based mode at 150 and at the midpoint of leak and threshold, 102.5; the others stay current-based. The answer to four synapses of
weight 32 at once is measured with the membrane at 40 to 160 CADC LSB, and a straight line through its heights gives the slope and the potential at which it
vanishes. Upstream demands each of nine in ten neurons; levels and heights are MADC LSB.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from chips import OTHERS, SPECIMEN, assert_four_of_five, events, probed, readings, run
from codes import with_potentials
from test_synaptic_input import EXCITATORY, INHIBITORY, with_synapses

from neckar.calibration import NeuronTarget, SpikingTarget, calibrate, oracle
from neckar.chip.transfer import physical
from neckar.facts import brainscales2 as facts

CIRCUITS = tuple(range(0, 512, 4))
CURRENT_BASED = np.arange(512) % 64 == 0
"""Eight neurons that stay as they are."""

LEAKS = np.arange(40, 161, 20)
KINDS = {EXCITATORY: ("excitatory", "exc", 180, 150, 300), INHIBITORY: ("inhibitory", "inh", 250, 102.5, 30)}
"""Name, i_bias_gm, and CADC LSB of the reference and the reversal potential."""

EVENT_US = 60.0


def volts(cadc):
    return facts.CADC_ZERO.value + facts.CADC_STEP.value * cadc


def per_circuit(excitatory, inhibitory):
    """Return a target for both inputs of every circuit; current-based ones have none."""
    return np.where(CURRENT_BASED[:, np.newaxis], np.nan, [excitatory, inhibitory])


def target():
    (_, _, gm_exc, reference_exc, reversal_exc), (_, _, gm_inh, reference_inh, reversal_inh) = KINDS.values()
    neurons = NeuronTarget(
        i_synin_gm=[gm_exc, gm_inh],
        strength="separate",
        e_coba_reversal=per_circuit(reversal_exc, reversal_inh),
        e_coba_reference=per_circuit(reference_exc, reference_inh),
    )
    return SpikingTarget(neurons=neurons)


@cache
def calibration_of(chip, method):
    if method == "measurement":
        return calibrate(chip.specimen, target(), method, chip.effects)
    return oracle.calibrate(chip.specimen, chip.effects, target(), leave_spread=False)


def calibrated(chip, method="oracle"):
    return {**calibration_of(chip, method).fields, "threshold_enable": False}


@cache
def lines(chip, sign, method="oracle"):
    """Return slope (LSB per LSB) and zero crossing (LSB) of the line through the heights of each circuit, shape (quantity, circuit)."""
    levels, heights = [], []
    for leak in LEAKS:
        at_leak = with_potentials(chip, calibrated(chip, method), leak_v_leak=volts(leak) / facts.MADC_STEP.value + facts.MADC_ZERO.value)
        codes = with_synapses(at_leak, 4 * 32, sign, 3)
        v = readings(chip, run(chip, codes, 140, probed(["v"], CIRCUITS, 0.2), entries=events(EVENT_US)))[0]
        before = v[200 : round(EVENT_US * 5)].mean(axis=0)
        heights.append(v[round(EVENT_US * 5) :].max(axis=0) - before if sign == EXCITATORY else before - v[round(EVENT_US * 5) :].min(axis=0))
        levels.append(before)
    found = []
    for level, height in zip(np.array(levels).T, np.array(heights).T, strict=True):
        used = level > 330 if sign == INHIBITORY else level > 0  # upstream leaves out inhibition at low potentials, which is weak in any mode
        slope, offset = np.polyfit(level[used], height[used], 1)
        found.append((slope, -offset / slope))
    return np.array(found).T


MINE = ~CURRENT_BASED[list(CIRCUITS)]


def share(chip, sign, low, high, zero_low, zero_high, method="oracle"):
    """Return the shares of conductance-based neurons whose slope and zero crossing lie between limits."""
    slope, zero = lines(chip, sign, method)[:, MINE]
    return np.mean((slope > low) & (slope < high)), np.mean((zero > zero_low) & (zero < zero_high))


@pytest.mark.parametrize(
    ("sign", "limits"),
    [(EXCITATORY, (-10, -0.05, 650, 1500)), (INHIBITORY, (0.10, 10, 0, 330))],
)
def test_a27_heights_follow_the_membrane_and_vanish_at_the_reversal_potential(sign, limits):
    assert min(share(SPECIMEN, sign, *limits)) > 0.9
    assert_four_of_five(lambda chip: min(share(chip, sign, *limits)), 0.9, 1.0)


@pytest.mark.slow
def test_a27_after_a_calibration_by_measurement():
    """Every row of upstream's test on another chip than the reference; reversal potentials within 15 CADC LSB of their targets in the median."""
    chip = OTHERS[0]
    assert calibration_of(chip, "measurement").reached().mean() > 0.9
    assert min(share(chip, EXCITATORY, -10, -0.05, 650, 1500, "measurement")) > 0.9
    assert min(share(chip, INHIBITORY, 0.10, 10, 0, 330, "measurement")) > 0.9
    p = physical(chip.specimen, chip.effects, calibration_of(chip, "measurement").fields)
    for sign, (_, short, _, _, reversal) in KINDS.items():
        assert np.mean(np.abs(lines(chip, sign, "measurement")[0, ~MINE]) < 0.08) > 0.9
        zero = getattr(p, f"e_coba_{short}")[~CURRENT_BASED] + 1 / getattr(p, f"coba_{short}")[~CURRENT_BASED]
        assert np.median(zero) == pytest.approx(volts(reversal), abs=15 * facts.CADC_STEP.value)


@pytest.mark.parametrize("sign", [EXCITATORY, INHIBITORY])
def test_a27_current_based_neurons_do_not_follow_the_membrane(sign):
    assert np.mean(np.abs(lines(SPECIMEN, sign)[0, ~MINE]) < 0.08) > 0.9


def test_a27_biases_stay_inside_the_range_that_upstream_searches():
    """0 to 255, "sufficient for biologically plausible targets" (calix neuron_synin_coba.py)."""
    codes = calibrated(SPECIMEN)
    for kind in ("excitatory", "inhibitory"):
        assert np.mean(codes[f"{kind}_input_i_bias_coba"] < 255) > 0.95


@pytest.mark.parametrize(("sign", "direction"), [(EXCITATORY, -1), (INHIBITORY, 1)])
def test_a27_the_zero_crossing_is_the_reversal_potential(sign, direction):
    """Not upstream's: in the twin, the median neuron hits its target within the change of the membrane during the answer, some 40 LSB."""
    slope, zero = np.median(lines(SPECIMEN, sign)[:, MINE], axis=1)
    target = volts(KINDS[sign][4]) / facts.MADC_STEP.value + facts.MADC_ZERO.value
    assert np.sign(slope) == direction
    assert zero == pytest.approx(target, abs=60)
