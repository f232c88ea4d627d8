"""Binary search in measurements: half the range, a quarter, and so on, then both neighbours; the best of the last measurements counts.

A measurement scatters, so a search never excludes codes for good: near the end it still walks by single codes, and takes the best of what it saw there.
Results must be monotonic in the code; `inverted` says that they fall. Behaviour as of upstream's searches (calix ``common/algorithms.py``).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from neckar.calibration.measure.outcome import Codes, Measurement, Outcome, Span, Values, settled, wanted
from neckar.errors import ParameterRangeError

JITTER = 5
"""Default spread of the start codes of :func:`noisy_binary_search`, LSB to either side."""


def binary_search(measure: Measurement, target: ArrayLike, n: int, span: Span, inverted: bool = False) -> Outcome:
    """Search from the middle of the range.

    Parameters
    ----------
    measure : callable
    target : array_like
        Per element or for all.
    n : int
        Number of elements.
    span : Span
        At least two codes.
    inverted : bool
        Whether results fall with the code.

    Returns
    -------
    Outcome
        After ceil(log2(number of codes)) + 2 measurements; the best of the last three.
    """
    start = np.full(n, span.low + _size(span) // 2)
    return _search(measure, wanted(target, n), start, _steps(span), 3, span, inverted)


def noisy_binary_search(
    measure: Measurement, target: ArrayLike, n: int, span: Span, rng: np.random.Generator, inverted: bool = False, jitter: int = JITTER
) -> Outcome:
    """Search from a random code near the middle of the range, so that cells of a row are rarely equal: equal cells disturb each other.

    Parameters
    ----------
    measure, target, n, span, inverted
        As of :func:`binary_search`.
    rng : Generator
        Draws the starts.
    jitter : int
        Largest deviation of a start from the middle, LSB; one step of this size is added to take it back.

    Returns
    -------
    Outcome
        After one measurement more than without jitter; the best of the last 3 + ceil(log2(jitter)).

    Raises
    ------
    ParameterRangeError
        If the jitter is below 1 or above a quarter of the range, which the first step could not take back.
    """
    steps = _steps(span)
    if not 1 <= jitter <= steps[0]:
        raise ParameterRangeError(f"jitter is {jitter}; allowed is 1 to {steps[0]}, a quarter of the range. Choose a value inside.")
    start = span.low + _size(span) // 2 + rng.integers(-jitter, jitter + 1, n)
    steps = sorted([*steps, jitter], reverse=True)
    return _search(measure, wanted(target, n), start, steps, 3 + math.ceil(math.log2(jitter)), span, inverted)


def _size(span: Span) -> int:
    return span.high - span.low + 1


def _steps(span: Span) -> list[int]:
    """Return by how much the code moves after each measurement of the bisection."""
    size = _size(span)
    if size < 2:
        raise ParameterRangeError(f"a search from {span.low} to {span.high} has no choice; allowed are at least two codes. Widen the range.")
    return [math.ceil(size / 2 ** (step + 2)) for step in range(math.ceil(math.log2(size)))]


def _search(measure: Measurement, target: Values, start: Codes, steps: list[int], n_best: int, span: Span, inverted: bool) -> Outcome:
    codes = np.clip(start, *span)
    seen = []
    for step in steps:
        results = measure(codes)
        seen.append((codes, results))
        rise = np.where((results > target) != inverted, -step, step)
        codes = np.clip(codes + rise, *span)
    middle = seen[-1][0]
    for neighbour in (codes, _other_side(middle, codes, span)):
        seen.append((neighbour, measure(neighbour)))
    last_codes, last_results = (np.stack(part) for part in zip(*seen[-n_best:], strict=True))
    best = np.argmin(np.abs(last_results - target), axis=0), np.arange(len(target))
    return settled(last_codes[best], last_codes, last_results, target, span, inverted)


def _other_side(middle: Codes, tried: Codes, span: Span) -> Codes:
    """Return the neighbour of a code that was not tried; the only one, at the ends of the range."""
    other = 2 * middle - tried
    stuck = other == middle
    other = np.where(stuck & (middle == span.low), middle + 1, np.where(stuck & (middle == span.high), middle - 1, other))
    return np.asarray(np.clip(other, *span))
