"""Virtual chips that have a name: seeds worth knowing, and why.

A name stands for a seed, no more: ``--chip high-leak`` and ``--chip 94`` are the same chip and give the same bits. None is a real chip. All but the reference
chip were found by looking through the medians of seeds 1 to 1000 (:func:`neckar.chip.characteristics.medians`) for the reason given.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NamedChip:
    """A name for a seed.

    Attributes
    ----------
    name : str
    seed : int
    reason : str
        What the chip is good for.
    """

    name: str
    seed: int
    reason: str


NAMED = (
    NamedChip("reference", 0, "the default; its own fixed lines, on which the public tutorials' codes work"),
    NamedChip("typical", 162, "levels, time constants, input strength and converters all within the middle third of the population"),
    NamedChip("low-leak", 470, "leak level at code 700 at the 5 % quantile of the population"),
    NamedChip("high-leak", 94, "leak level at code 700 at the 95 % quantile of the population"),
    NamedChip("fast-membranes", 34, "membrane time constant at the 5 % quantile of the population"),
    NamedChip("slow-membranes", 24, "membrane time constant at the 95 % quantile of the population"),
    NamedChip("silent-neurons", 818, "half of its neurons stay silent with the tutorial's fixed-pattern codes (leak 1000 at 200, threshold 500)"),
)
"""All named chips, the default first."""
