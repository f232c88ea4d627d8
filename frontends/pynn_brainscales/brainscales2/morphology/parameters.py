"""Values of a parameter in all circuits of a neuron."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pyNN.parameters import ArrayParameter

from pynn_brainscales.brainscales2._errors import ShapeTypeError


class McCircuitParameters(ArrayParameter):
    """Values of one parameter of one neuron with compartments.

    Two are equal if all their values are; a number is equal if all values are that number.

    Parameters
    ----------
    value : sequence of sequence
        For each compartment one value per circuit.

    Raises
    ------
    ShapeTypeError
        If it is not nested that way.
    """

    value: Any

    def __init__(self, value: Sequence[Any]) -> None:
        if isinstance(value, McCircuitParameters):
            value = value.value
        try:
            rows = [np.asarray(row) for row in value]
        except (TypeError, ValueError):
            rows = []
        if not rows or any(row.ndim != 1 or row.dtype.kind not in "biuf" for row in rows):
            raise ShapeTypeError(
                f"McCircuitParameters of {value!r} were asked for; allowed is one sequence of values per compartment. Write for instance [[1], [2, 3]]."
            )
        self.value = np.empty(len(rows), dtype=object)
        self.value[:] = rows

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each compartment."""
        return tuple(len(row) for row in self.value)

    def flat(self) -> Any:
        """Return all values, compartment by compartment."""
        return np.concatenate(list(self.value))

    def max(self) -> Any:
        """Return the largest value."""
        return self.flat().max()

    def __eq__(self, other: object) -> Any:
        if isinstance(other, McCircuitParameters):
            return self.sizes == other.sizes and bool((self.flat() == other.flat()).all())
        if isinstance(other, int | float | np.number | np.bool_):
            return bool((self.flat() == other).all())
        if isinstance(other, np.ndarray) and other.size > 0 and isinstance(other.flat[0], McCircuitParameters):
            return np.array([self == one for one in other])
        return False

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"McCircuitParameters({[row.tolist() for row in self.value]})"
