"""Row A35: refractory periods and hold-off times come out as the clocks allow.

Source: calix tests/sw/py/test_refractory_period.py, which accepts 1.1 clock periods for the refractory period and 2.1 for the hold-off, whose lowest bit
is fixed. Upstream compares codes with targets; here codes made by its rule are measured on circuits.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from chips import OTHERS, SPECIMEN, probed, run, spike_times

from neckar.calibration.clocks import refractory_clocks
from neckar.facts import brainscales2 as facts

CIRCUITS = tuple(range(0, 512, 4))

FIRING = {
    "membrane_capacitance_capacitance": 0,
    "leak_v_leak": 1022,
    "leak_i_bias": 1022,
    "leak_enable_multiplication": True,
    "threshold_enable": True,
    "threshold_v_threshold": 300,
    "reset_v_reset": 300,
    "reset_i_bias": 1022,
}
"""A leak so strong that the membrane is back at threshold within 0.1 us."""


def period_us(scale):
    return 2.0 ** (np.asarray(scale) + 1) / facts.BACKEND_CLOCK.value * 1e6


def with_refractory_period(refractory_us, holdoff_us):
    """Return codes for a refractory period of each circuit and one hold-off time, and the period of each circuit's clock, us."""
    clocks = refractory_clocks(1e-6 * refractory_us, np.full(512, 1e-6 * holdoff_us))
    return {**FIRING, **clocks.fields()}, period_us(np.where(clocks.input_clock, clocks.fast_scale, clocks.slow_scale))


@cache
def measured(chip, holdoff_us):
    """Return how far refractory period and hold-off of some circuits lie from their targets, in periods of their clocks, shape (quantity, circuit).

    The membrane waits above its threshold for the end of the refractory period, so this is the interval between spikes; the hold-off is how long it waits.
    """
    target = np.linspace(2 * holdoff_us + 0.5, 32, 512)
    codes, period = with_refractory_period(target, holdoff_us)
    recording = run(chip, codes, 110, probed(["v"], CIRCUITS, 0.02, spikes=CIRCUITS))
    off = []
    for circuit, v, spikes in zip(CIRCUITS, recording.probe[0].value[0, 0].T, spike_times(recording, CIRCUITS), strict=True):
        released = 0.02 * np.flatnonzero(np.diff((v > (v.min() + v.max()) / 2).astype(int)) == 1)
        released = released[released < spikes[-1]]
        waiting = (spikes[np.searchsorted(spikes, released)] - released).min()  # links lose spikes, which can only lengthen it
        off.append(((np.diff(spikes).min() - target[circuit]) / period[circuit], (waiting - holdoff_us) / period[circuit]))
    return np.array(off).T


@pytest.mark.parametrize("holdoff_us", [0.1, 1.0, 4.0])
def test_a35_refractory_period_and_holdoff_are_near_their_targets(holdoff_us):
    """The clocks are digital: alike on all chips."""
    for chip in (SPECIMEN, *OTHERS):
        refractory, holdoff = np.abs(measured(chip, holdoff_us))
        assert refractory.max() <= 1.1
        assert holdoff.max() <= 2.1
