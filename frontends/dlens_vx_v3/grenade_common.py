"""The part of upstream's `pygrenade_common` that scripts name: the chips of one connection."""

from __future__ import annotations

from typing import Self

from neckar.errors import ParameterRangeError, UnsupportedFeatureError

__all__ = ["ChipOnConnection"]


class ChipOnConnection(int):
    """Number of a chip on its connection. A virtual connection has one chip, number 0.

    Raises
    ------
    ParameterRangeError
        If the number is negative.
    UnsupportedFeatureError
        If it is another chip than the first.
    """

    def __new__(cls, value: int = 0) -> Self:
        if value < 0:
            raise ParameterRangeError(f"ChipOnConnection got {value}; allowed is 0. Leave it out.")
        if value > 0:
            raise UnsupportedFeatureError(f"ChipOnConnection got {value}; a connection of this version has one chip, number 0. Use neckar.Lab for more chips.")
        return super().__new__(cls, value)

    def value(self) -> int:
        """Return the number as a plain int."""
        return int(self)

    def __repr__(self) -> str:
        return f"ChipOnConnection({int(self)})"
