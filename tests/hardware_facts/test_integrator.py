"""Row A18: a neuron without leak integrates events, as matrix multiplication needs it.

Source: the figure of the notebook tp_00-hagen_intro in brainscales2-demos (2021, default hagen calibration): 7.9 MADC LSB per excitatory event of weight
63, -7.5 per inhibitory one, and a membrane that drifts from 675 to 671 in 30 us.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from chips import SOME, SPECIMEN, assert_four_of_five, events, membranes, run, samples
from codes import TABLE, with_potentials

from neckar.calibration import HagenTarget, oracle

EXCITATORY, INHIBITORY = 1, 2
FIRST, SPACING, N_EVENTS, DRIFT = 10.0, 2.0, 5, 30.0


@cache
def integrator(chip):
    """Return the codes of a calibrated integrator with its reset at 0.75 V and constant drivers."""
    calibration = oracle.calibrate(chip.specimen, chip.effects, HagenTarget(), leave_spread=False)
    codes = {name: code for name, code in calibration.fields.items() if not name.startswith("driver_")}
    return with_potentials(chip, {**codes, "driver_enable_receiver": True, "synapse_weight": 63}, reset_v_reset=525)


@cache
def integrated(chip, sign):
    """Return step per event and drift in 30 us without events, LSB, for the mean of eight runs; medians over circuits, of the drift the absolute value."""
    mode = TABLE["synapse_row_mode"].default_array()
    mode[:, 0] = sign
    stimulus = events(*(FIRST + SPACING * k for k in range(N_EVENTS)), n_entries=8)
    end = FIRST + SPACING * N_EVENTS
    time, values = samples(run(chip, {**integrator(chip), "synapse_row_mode": mode}, end + DRIFT + 5, membranes(SOME), entries=stimulus, neuron_reset=True))
    mean = values.mean(axis=0)

    def level(at):
        return mean[:, (time > at - 1) & (time < at + 1)].mean(axis=1)

    drift = level(end + 2 + DRIFT) - level(end + 2)
    return np.median(level(end + 2) - level(FIRST - 1) - drift * (end - FIRST + 3) / DRIFT) / N_EVENTS, np.median(np.abs(drift))


def test_a18_step_per_event():
    """Within 10 % of the figure, which is one chip's; random chips: 6.0 to 10.2 (row V35 of the prediction ledger)."""
    assert integrated(SPECIMEN, EXCITATORY)[0] == pytest.approx(7.9, rel=0.1)
    assert integrated(SPECIMEN, INHIBITORY)[0] == pytest.approx(-7.5, rel=0.1)
    assert_four_of_five(lambda chip: integrated(chip, EXCITATORY)[0], 6.0, 10.2)
    assert_four_of_five(lambda chip: -integrated(chip, INHIBITORY)[0], 6.0, 10.2)


def test_a18_drift():
    assert integrated(SPECIMEN, EXCITATORY)[1] < 5
    assert_four_of_five(lambda chip: integrated(chip, EXCITATORY)[1], 0, 5)
