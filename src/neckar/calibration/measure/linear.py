"""Linear search in measurements: equal steps from a guess until the target is crossed. Behaviour as of calix ``common/algorithms.py``."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from neckar.calibration.measure.outcome import Measurement, Outcome, Span, settled, wanted
from neckar.errors import ParameterRangeError


def linear_search(measure: Measurement, target: ArrayLike, start: ArrayLike, span: Span, *, inverted: bool = False, step: int = 1, most: int = 50) -> Outcome:
    """Walk towards the target until every element has crossed it; each takes the better code of the two around the crossing.

    Parameters
    ----------
    measure : callable
    target : array_like
        Per element or for all.
    start : array_like of int, shape (element,)
    span : Span
    inverted : bool
        Whether results fall with the code.
    step : int
        At least 1.
    most : int
        Largest number of measurements. Elements that have not crossed by then count as unreached.

    Raises
    ------
    ParameterRangeError
        If there is no step, or no measurement.
    """
    if step < 1 or most < 1:
        raise ParameterRangeError(f"step is {step} and most is {most}; allowed is at least 1 for both. Choose larger values.")
    codes = np.clip(np.asarray(start, np.int64), *span)
    goal = wanted(target, len(codes))
    best, results = codes, np.full(len(codes), np.inf)
    first: np.ndarray | None = None
    running = np.ones(len(codes), bool)
    ahead = codes
    for _ in range(most):
        codes = np.where(running, ahead, codes)
        now = measure(codes)
        upwards = (now <= goal) != inverted
        first = upwards if first is None else first
        nearer = running & (np.abs(now - goal) < np.abs(results - goal))
        best, results = np.where(nearer, codes, best), np.where(nearer, now, results)
        ahead = np.clip(codes + np.where(first, step, -step), *span)
        running &= (upwards == first) & (ahead != codes)
        if not running.any():
            break
    found = settled(best, np.stack([codes, best]), np.stack([now, results]), goal, span, inverted)
    return Outcome(found.codes, found.reached & ~running)
