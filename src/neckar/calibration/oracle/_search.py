"""Codes at which a model gives a wanted number: bisection, for all circuits at once.

The way from codes to physics is written down once (:mod:`neckar.chip.transfer` and its siblings); here it is only evaluated. Every quantity is monotonic in its
code, which is also all that a calibration by measurement needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.calibration.settings import DITHER, whole_fields
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen, keyed_normals, keyed_uniforms
from neckar.chip.transfer import physical
from neckar.dynamics import CircuitParameters
from neckar.facts import CAPMEM_MAX, registers

TABLE = registers("brainscales2")
Values = NDArray[np.float64]
Quantity = Callable[[CircuitParameters], ArrayLike]


class Solution(NamedTuple):
    """Codes, and which of them come as near to the target as a code can.

    Attributes
    ----------
    codes : ndarray of int64
    reached : ndarray of bool
        False where the target lies beyond what the ends of the range give.
    """

    codes: NDArray[np.int64]
    reached: NDArray[np.bool_]


def bisect(
    at: Callable[[NDArray[np.int64]], Values],
    target: ArrayLike,
    shape: tuple[int, ...],
    *,
    aim: ArrayLike | None = None,
    low: ArrayLike = 0,
    high: ArrayLike = CAPMEM_MAX,
) -> Solution:
    """Return the codes at which a monotonic quantity comes nearest to its target.

    Parameters
    ----------
    at : callable
        Takes codes of `shape`, returns the quantity of each element.
    target : array_like
        Broadcast to `shape`.
    shape : tuple of int
    aim : array_like, optional
        What the codes are searched for in place of the target: the target as a search misses it. Success is judged by the target.
    low, high : array_like of int
        Ends of the range of codes, both included.
    """
    wanted = np.broadcast_to(np.asarray(target, np.float64), shape)
    goal = wanted if aim is None else np.broadcast_to(np.asarray(aim, np.float64), shape)
    lower = np.broadcast_to(np.asarray(low, np.int64), shape).copy()
    upper = np.broadcast_to(np.asarray(high, np.int64), shape).copy()
    first, last = at(lower), at(upper)
    rising = last > first
    reached = (wanted >= np.minimum(first, last)) & (wanted <= np.maximum(first, last))
    while (upper - lower).max() > 1:
        middle = (lower + upper) // 2
        below = (at(middle) < goal) == rising
        lower, upper = np.where(below, middle, lower), np.where(below, upper, middle)
    codes = np.where(np.abs(at(lower) - goal) < np.abs(at(upper) - goal), lower, upper)
    return Solution(codes, reached)


def solve(
    specimen: Specimen,
    effects: Effects,
    codes: Mapping[str, NDArray[Any]],
    field: str,
    quantity: Quantity,
    target: ArrayLike,
    *,
    aim: ArrayLike | None = None,
    high: ArrayLike = CAPMEM_MAX,
) -> Solution:
    """Return the codes of a field at which a quantity of each circuit comes nearest to its target.

    Parameters
    ----------
    specimen, effects
        The chip.
    codes : mapping of str to ndarray
        Whole fields that are kept; fields that it lacks have their default.
    field : str
        A field with one code per circuit.
    quantity : callable
        Takes the physics of all circuits, returns one number per circuit, monotonic in the code.
    target, aim : array_like
        Per circuit or for all; see :func:`bisect`.
    high : array_like of int
        Largest code allowed.
    """

    def at(code: NDArray[np.int64]) -> Values:
        return np.asarray(quantity(physical(specimen, effects, {**codes, field: code})), np.float64)

    return bisect(at, target, TABLE[field].shape, aim=aim, high=high)


class Oracle:
    """A calibration in the making: what is known about the chip, the codes found so far, and what was reached.

    Parameters
    ----------
    specimen, effects
        The chip.
    leave_spread : bool
        Put on every target the deviation that a calibration on silicon would leave, one keyed draw per chip, circuit and quantity. Off: codes are as
        good as whole numbers can be. A chip without mismatch has none either way.
    """

    def __init__(self, specimen: Specimen, effects: Effects, leave_spread: bool = True) -> None:
        self.specimen, self.effects = specimen, effects
        self._leave_spread = leave_spread and effects.mismatch
        self.codes: dict[str, NDArray[Any]] = {}
        self.success: dict[str, NDArray[np.bool_]] = {}

    def set(self, **codes: ArrayLike) -> None:
        """Set fields, each value broadcast to the shape of its field."""
        self.codes |= whole_fields(codes)

    def keep(self, field: str, solution: Solution, counts: ArrayLike = True) -> None:
        """Set a field to a solution and note where it was reached; elements that do not `count` are not judged."""
        self.set(**{field: solution.codes})
        self.success[field] = solution.reached | ~np.broadcast_to(np.asarray(counts, bool), solution.reached.shape)

    def search(self, field: str, quantity: Quantity, target: ArrayLike, *, aim: ArrayLike, high: ArrayLike = CAPMEM_MAX) -> None:
        """Search a field of the circuits with all other codes as they are, and keep it; arguments as in :func:`solve`."""
        self.keep(field, solve(self.specimen, self.effects, self.codes, field, quantity, target, aim=aim, high=high))

    def physics(self, **codes: ArrayLike) -> CircuitParameters:
        """Return the physics of all circuits with some codes replaced."""
        return physical(self.specimen, self.effects, {**self.codes, **whole_fields(codes)})

    def spread(self, name: str, sigma: float, shape: tuple[int, ...] | None = None) -> Values:
        """Return what a calibration leaves of a quantity: normal deviations with standard deviation `sigma`, one per circuit or of a shape."""
        shape = TABLE["leak_v_leak"].shape if shape is None else shape
        if not self._leave_spread:
            return np.zeros(shape)
        return sigma * keyed_normals(int(np.prod(shape)), *self._key(name)).reshape(shape)

    def dithered(self, name: str, code: int) -> NDArray[np.int64]:
        """Return `code` for all circuits, spread so that cells of equal value do not disturb each other; as measurement does it, with keyed numbers."""
        uniforms = keyed_uniforms(TABLE["leak_v_leak"].size, *self._key(f"dither {name}"))
        return np.floor(code - DITHER + (2 * DITHER + 1) * uniforms).astype(np.int64)

    def _key(self, name: str) -> tuple[str | int, ...]:
        return ("calibration", self.specimen.statistics_version, self.specimen.seed, name)
