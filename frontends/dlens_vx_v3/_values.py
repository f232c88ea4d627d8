"""Types of register values, and where the values of containers are kept."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum as Enumeration
from enum import IntEnum
from typing import Any

import numpy as np

from dlens_vx_v3.halco._base import Ranged
from neckar.chip.config import ChipConfig
from neckar.errors import UnknownNameError
from neckar.facts import Register, registers

Key = tuple[str | int, ...]

MADE_HERE = "dlens_vx_v3._values.made"
"""Module of types that are not yet bound to a container."""

REGISTERS: Mapping[str, Register] = registers("brainscales2")


class Choice(IntEnum):
    """An enumerated value; prints its name."""

    __str__ = Enumeration.__str__


class UnknownMemberError(UnknownNameError, AttributeError):
    """A container has no member of that name."""


def ranged(name: str, high: int, low: int = 0, initial: int | None = None) -> Any:
    """Return a new type of integers from `low` to `high`; `initial` is its value without argument, by default `low`."""
    return type(name, (Ranged,), {"__module__": MADE_HERE}, size=high - low + 1, low=low, initial=initial)


def ranged_of(name: str, field: str, initial: int | None = None) -> Any:
    """Return a new type with the range of a register field; its value without argument is the field's default."""
    register = REGISTERS[field]
    return ranged(name, register.high, register.low, int(register.default) if initial is None else initial)


def choices(name: str, *words: str) -> Any:
    """Return a new enumeration."""
    functional: Any = Choice
    return functional(name, {word: number for number, word in enumerate(words)}, module=MADE_HERE)


def choices_of(name: str, field: str) -> Any:
    """Return an enumeration of a register field's choices."""
    return choices(name, *(REGISTERS[field].choices or ()))


class Store:
    """Values of a container: a chip configuration for the members that it has, a dictionary for all others.

    ``values`` holds codes by key; members with a shape are arrays. What is missing has its default. ``calibration`` is the id of the calibration that a chip
    was loaded with, for provenance; it says nothing about what was changed since.
    """

    __slots__ = ("calibration", "config", "values")

    def __init__(self, config: ChipConfig | None = None, values: dict[Key, Any] | None = None, calibration: str | None = None) -> None:
        self.config = config
        self.values: dict[Key, Any] = {} if values is None else values
        self.calibration = calibration

    def copy(self) -> Store:
        values = {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in self.values.items()}
        return Store(None if self.config is None else self.config.copy(), values, self.calibration)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Store) or self.config != other.config or self.values.keys() != other.values.keys():
            return False
        return all(np.array_equal(value, other.values[key]) for key, value in self.values.items())

    __hash__ = None  # type: ignore[assignment]
