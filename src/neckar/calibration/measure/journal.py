"""What an interrupted measurement needs to go on after its last finished stage.

A journal is asked once, before the first stage, and told after each one. Where it keeps things is its own affair: :mod:`neckar.calibration.file_journal` keeps
them in files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from neckar.program import Provenance

Progress = Callable[[str, int, int], None]
"""Told the name of a stage that begins, its number from 0, and how many there are; at the end ``("", n, n)``."""


class Cost(NamedTuple):
    """What a stage takes on silicon.

    Attributes
    ----------
    stage : str
    chip_s : float
        s.
    programs : int
    """

    stage: str
    chip_s: float
    programs: int


class Checkpoint(NamedTuple):
    """A bench between two stages.

    Attributes
    ----------
    costs : tuple of Cost
        The finished stages, in order.
    codes : mapping of str to ndarray
        Whole fields that were set so far.
    sent : mapping of str to ndarray
        Whole fields as the chip holds them. Empty for a chip that was reset since: all codes are written again, and their cells jitter anew.
    success : mapping of str to ndarray of bool
        What was reached so far.
    provenance : Provenance or None
        Of the last recording.
    """

    costs: tuple[Cost, ...]
    codes: Mapping[str, NDArray[Any]]
    sent: Mapping[str, NDArray[Any]]
    success: Mapping[str, NDArray[np.bool_]]
    provenance: Provenance | None

    def begins(self, stages: Sequence[str]) -> bool:
        """Return whether the finished stages are the first ones of a calibration with these stages."""
        return [cost.stage for cost in self.costs] == list(stages[: len(self.costs)])


class Journal(Protocol):
    """Keeps the finished stages of one calibration: of one chip, with one target and one seed."""

    def kept(self, stages: Sequence[str]) -> Checkpoint | None:
        """Return where the calibration with stages of these names stopped; None if there is nothing to go on from, or what there is begins otherwise."""

    def keep(self, checkpoint: Checkpoint) -> None:
        """Keep what the last stage left. Must not fail where a calibration could still succeed."""
