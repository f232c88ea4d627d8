"""What all searches share: how they ask for a measurement, and what they return."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Codes = NDArray[np.int64]
Values = NDArray[np.float64]
Measurement = Callable[[Codes], Values]
"""Sets codes, shape (element,), on the chip and returns what it then shows, shape (element,). All elements are measured at once."""


class Span(NamedTuple):
    """Ends of a range of codes, both included."""

    low: int
    high: int


class Outcome(NamedTuple):
    """What a search found; all arrays have the shape (element,).

    Attributes
    ----------
    codes : ndarray of int64
        The best codes that were measured; of a prediction, the predicted ones. Elements out of reach hold the end of the range.
    reached : ndarray of bool
        False where the search came to an end of its range and nothing that was measured around there lies on the far side of the target.
    """

    codes: Codes
    reached: NDArray[np.bool_]


def settled(best: Codes, codes: Codes, results: Values, target: ArrayLike, span: Span, inverted: bool) -> Outcome:
    """Return the outcome of a search that chose the codes `best`.

    Parameters
    ----------
    best : ndarray of int64, shape (element,)
    codes : ndarray of int64, shape (measurement, element)
        The last codes that were measured.
    results : ndarray, shape (measurement, element)
        What they gave.
    target, span, inverted
        As of the search.
    """
    missing = (np.asarray(target) - results) * (-1 if inverted else 1)
    above = (codes == span.high).any(axis=0) & (missing > 0).all(axis=0)
    below = (codes == span.low).any(axis=0) & (missing < 0).all(axis=0)
    return Outcome(np.where(above, span.high, np.where(below, span.low, best)), ~(above | below))


def wanted(target: ArrayLike, n: int) -> Values:
    """Return the targets of all elements."""
    return np.broadcast_to(np.asarray(target, np.float64), (n,))
