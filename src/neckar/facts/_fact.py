"""A number about the hardware: value, unit and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Fact:
    """One physical constant.

    Attributes
    ----------
    value : float
        In `unit`.
    unit : str
        As written in papers, e.g. ``"us"``, ``"nS"``, ``"MADC LSB"``; ``"1"`` for ratios.
    source : str
        A file of an upstream repository, a paper, a public figure, or plainly *our fit* or *our estimate*.
    note : str
        What else a reader should know.
    """

    value: float
    unit: str
    source: str
    note: str = ""


@dataclass(frozen=True)
class Line:
    """A straight transfer line ``slope * code + intercept``; `slope` per LSB of the cell, both in the unit of the result."""

    slope: Fact
    intercept: Fact

    def at(self, code: float) -> float:
        """Return the line's value at a code."""
        return self.slope.value * code + self.intercept.value


@dataclass(frozen=True)
class Spread:
    """How far a quantity of virtual chips scatters: one row of the mismatch table.

    Attributes
    ----------
    unit : str
        Unit of the standard deviations; ``"1"`` for relative deviations.
    shape : str
        ``"normal"``: the deviation adds. ``"lognormal"``: the factor's logarithm is normal, so the median stays.
    chip, circuit : float
        Standard deviation from chip to chip, and between the circuits (or synapses, drivers, channels) of a chip. Zero: does not vary on this level.
    reference : float
        The reference chip's deviation from the population.
    source : str
        See :class:`Fact`.
    note : str
        See :class:`Fact`.
    """

    unit: str
    shape: Literal["normal", "lognormal"]
    chip: float
    circuit: float
    reference: float
    source: str
    note: str = ""
