"""Time constants of many exponential decays at once.

Usually the lower half of each decay is fitted: above, amplifiers saturate and converters clip. With the resting level known, two numbers are left. The height
enters linearly and is eliminated; the logarithm of the time constant is found by Gauss-Newton steps from the moment at which a trace has fallen to a third, or,
if it never does, from the ratio of area and fall. Upstream fits the same half with three free parameters (calix ``hagen/neuron_leak_bias.py``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

SMALLEST = 10.0
"""A decay from less than this above rest is none, LSB (calix ``hagen/neuron_synin.py``)."""

_SMOOTH = 5
_FEWEST, _FASTEST = 12, 2 * _SMOOTH
_STEPS = 6
_LONGEST_STEP = 0.7


def fit_decays(at: Values, above: Values, share: float = 0.5, smallest: float = SMALLEST) -> Values:
    """Return time constants, shape (trace,), in the unit of `at`; infinite for a trace that is flat. A decay that is over within some samples is fitted whole.

    Parameters
    ----------
    at : ndarray, shape (sample,)
        Ascending times at equal distances.
    above : ndarray, shape (trace, sample)
        Readings above rest, which fall to zero. What comes before the highest reading does not count.
    share : float
        The fit begins where a trace has fallen to this share of its highest reading.
    smallest : float
        A decay from less than this is none, in the unit of the readings.
    """
    smooth = _smoothed(above)
    top = smooth.max(axis=1)
    start, quick = _start(smooth, share * top, above.argmax(axis=1))
    since = at - at[start][:, np.newaxis]
    counts = since >= 0
    tau = _first_guess(at, above, smooth, start, counts)
    tau = np.where(quick & ~np.isfinite(tau), at[1] - at[0], tau)
    fits = (np.where(quick, above.max(axis=1), top) >= smallest) & np.isfinite(tau)
    found = np.full(len(above), np.inf)
    if fits.any():
        found[fits] = _refined(np.where(counts, since, 0.0)[fits], np.where(counts, above, 0.0)[fits], counts[fits], tau[fits], at[1] - at[0])
    return found


def _smoothed(above: Values) -> Values:
    """Return means of neighbouring samples; the ends hold the first and last whole mean."""
    sums = np.cumsum(np.concatenate([np.zeros((len(above), 1)), above], axis=1), axis=1)
    inner = (sums[:, _SMOOTH:] - sums[:, :-_SMOOTH]) / _SMOOTH
    side = _SMOOTH // 2
    return np.concatenate([np.repeat(inner[:, :1], side, axis=1), inner, np.repeat(inner[:, -1:], side, axis=1)], axis=1)


def _start(smooth: Values, level: Values, peak: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the first sample of each lower part, and which decays are too fast for one; these, and those too slow, begin at their highest reading."""
    number = np.arange(smooth.shape[1])
    lower = (number >= peak[:, np.newaxis]) & (smooth <= level[:, np.newaxis])
    part = np.argmax(lower, axis=1)
    quick = lower.any(axis=1) & (part < peak + _FASTEST) & (peak < _FASTEST)
    whole = (part < peak + _FASTEST) | (part > smooth.shape[1] - _FEWEST)
    return np.where(whole, np.minimum(peak, smooth.shape[1] - _FEWEST), part), quick


def _first_guess(at: Values, above: Values, smooth: Values, start: NDArray[np.int64], counts: NDArray[np.bool_]) -> Values:
    """Return the time in which each trace falls to a third, or area over fall; infinite where nothing falls."""
    interval = at[1] - at[0]
    first = np.take_along_axis(smooth, start[:, np.newaxis], axis=1)[:, 0]
    third = np.argmax(counts & (smooth <= first[:, np.newaxis] / 3), axis=1)
    area, fall = np.where(counts, above, 0.0).sum(axis=1) * interval, first - smooth[:, -1]
    slow = np.where((fall > 0) & (area > 0), area / np.where(fall > 0, fall, 1.0), np.inf)
    return np.where(third > start, (third - start) * interval / np.log(3.0), slow)


def _refined(since: Values, above: Values, counts: NDArray[np.bool_], tau: Values, interval: float) -> Values:
    """Return the time constants with the least squares; times and readings that do not count are zero."""
    log_tau = np.log(tau)
    lowest, highest = np.log(interval / 4), np.log(1e3 * since.max())
    for _ in range(_STEPS):
        rate = np.exp(-log_tau)[:, np.newaxis]
        model = np.where(counts, np.exp(-since * rate), 0.0)
        power = np.einsum("ij,ij->i", model, model)
        amplitude = np.einsum("ij,ij->i", model, above) / power
        slope = model * since * rate
        slope -= (np.einsum("ij,ij->i", slope, model) / power)[:, np.newaxis] * model
        rest = above - amplitude[:, np.newaxis] * model
        weight = amplitude * np.einsum("ij,ij->i", slope, slope)
        step = np.einsum("ij,ij->i", slope, rest) / np.where(np.abs(weight) > 1e-12, weight, np.inf)
        log_tau = np.clip(log_tau + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP), lowest, highest)
    return np.asarray(np.exp(log_tau))
