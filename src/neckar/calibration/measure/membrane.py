"""Membrane time constants by measurement, from 3 us on: all membranes relax from a constant current, and the converter sees them in two windows.

The windows follow each other, each about as long as the target. A membrane that relaxes exponentially falls by exp(window / tau) from one to the other, so the
time constant follows from two means; a membrane that never came back, or was gone at once, still lies on the right side of the target. Upstream fits the same
relaxation in samples of the MADC, one neuron after the other, and chooses the division in the same way at 5 LSB below the end (calix
``hagen/neuron_leak_bias.py``).

Not measured: time constants below 3 us, for which the CADC is too slow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.measure.bench import CIRCUITS, Bench
from neckar.calibration.measure.binary import noisy_binary_search
from neckar.calibration.measure.outcome import Codes, Span, Values
from neckar.calibration.settings import DITHER
from neckar.facts import CAPMEM_MAX

SHORTEST_S = 3e-6
"""Shorter time constants need the MADC."""

_PRELUDE_BIAS = round(0.9 * CAPMEM_MAX)
"""Where the division is chosen: so far from the end of the range that the noise of one measurement does not choose what the search cannot reach."""

_GRID = 1.25
_REST_US = 2.0 * np.arange(1, 10)
_ON_US = 20.0
_ROWS = 5
_TRIALS = 10
_CURRENT_AT_10_US = 600


def search_membrane_time(bench: Bench, tau_s: Values, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Search the leak's bias for a membrane time constant and leave it set, with division by 8 where the fastest divided leak is still too fast.

    Parameters
    ----------
    bench : Bench
        Its neurons rest at their leak potential.
    tau_s : ndarray, shape (circuit,)
        s, at least :data:`SHORTEST_S`. Circuits with targets within 25 % are measured at once, others in runs of their own.

    Returns
    -------
    ndarray of bool, shape (circuit,)
        Which circuits reached their target.
    """

    def measure(codes: Codes) -> Values:
        bench.set(leak_i_bias=codes)
        return _time_constants(bench, tau_s)

    with bench.changed(threshold_enable=False):
        bench.set(leak_enable_division=True, leak_enable_multiplication=False)
        bench.set(leak_enable_division=measure(_PRELUDE_BIAS + rng.integers(-DITHER, DITHER + 1, len(CIRCUITS))) < tau_s)
        found = noisy_binary_search(measure, tau_s, len(CIRCUITS), Span(0, CAPMEM_MAX), rng, inverted=True)
    bench.set(leak_i_bias=found.codes)
    return found.reached


def _time_constants(bench: Bench, tau_s: Values) -> Values:
    """Return the time constant of each membrane, s, seen in windows about as long as its target; infinite for one that does not come back."""
    found = np.empty(len(tau_s))
    grid = np.rint(np.log(tau_s / 10e-6) / np.log(_GRID))
    for k in np.unique(grid):
        mine = grid == k
        found[mine] = _relaxation(bench, float(10.0 * _GRID**k))[mine] * 1e-6
    return found


def _relaxation(bench: Bench, window_us: float) -> Values:
    """Return the time constants of all membranes, us, from rows in two windows after a constant current of five windows."""
    step_us = max(2.0, window_us / _ROWS)
    off_us = _ON_US + 5 * window_us
    rows = np.arange(max(1, round(window_us / step_us))) * step_us
    at_us = np.concatenate([_REST_US, off_us + rows, off_us + len(rows) * step_us + rows])
    current = min(1000, round(_CURRENT_AT_10_US * 10.0 / window_us))
    seen = bench.relaxations(at_us, _ON_US, off_us, current, _TRIALS).mean(axis=0)
    rest = seen[: len(_REST_US)].mean(axis=0)
    first, second = (seen[len(_REST_US) + k * len(rows) :][: len(rows)].mean(axis=0) - rest for k in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        fall = np.log(np.maximum(first, 0.0) / np.maximum(second, 1e-3))
    return np.asarray(np.where(fall > 0, len(rows) * step_us / np.where(fall > 0, fall, 1.0), np.inf))
