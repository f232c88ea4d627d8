"""The report of ``neckar run --report``: what ran, what it took, what failed."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any, NamedTuple

from neckar import __version__
from neckar.cli._tally import Tally
from neckar.whole_file import write_whole

REPORT_VERSION = 1


class Failure(NamedTuple):
    """An exception in a cell or script.

    Attributes
    ----------
    where : str
        ``"cell"``, ``"callback"`` (of ``interact`` and the like, or a thread, where a notebook prints exceptions and goes on) or ``"script"``.
    type, message, traceback : str
        As Python prints them.
    """

    where: str
    type: str
    message: str
    traceback: str


class Part(NamedTuple):
    """One cell that ran, or the whole script.

    Attributes
    ----------
    number : int
        Number of the cell from 1; 0 is a script.
    title : str
        First line of code, or the name of the script.
    wall_s : float
        Seconds on this machine.
    runs : int
        Runs on virtual chips.
    failures : tuple of Failure
    figures : tuple of str
        Names of the files, in the order in which they were drawn.
    """

    number: int
    title: str
    wall_s: float
    runs: int
    failures: tuple[Failure, ...]
    figures: tuple[str, ...]

    @property
    def was_interrupted(self) -> bool:
        """Whether Ctrl-C ended it."""
        return any(failure.type == KeyboardInterrupt.__name__ and failure.where != "callback" for failure in self.failures)


class Report:
    """Collects the parts and writes them, whole or not at all, after each one.

    Parameters
    ----------
    path : Path or None
        None writes nothing.
    file : Path
        What runs.
    cells : int
        Number of code cells; 0 for a script.
    tally : Tally
    figures : Path or None
        Folder of the figures.
    """

    def __init__(self, path: Path | None, file: Path, cells: int, tally: Tally, figures: Path | None) -> None:
        self.path, self.file, self.cells, self.tally, self.figures = path, file, cells, tally, figures
        self.parts: list[Part] = []
        self.started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")

    def add(self, part: Part) -> None:
        """Add a part; the file says that the run goes on."""
        self.parts.append(part)
        self.write("running")

    def write(self, status: str, exit_status: int | None = None) -> None:
        """Write the file. `status` is ``"running"``, ``"complete"``, ``"failed"`` or ``"interrupted"``."""
        if self.path is not None:
            write_whole(self.path, (json.dumps(self.as_dict(status, exit_status), indent=1, ensure_ascii=False) + "\n").encode())

    def as_dict(self, status: str, exit_status: int | None) -> dict[str, Any]:
        """Return the report as plain data; docs/how-to/run_notebooks.md names the fields."""
        from neckar.lab import current_lab

        lab = current_lab()
        return {
            "report_version": REPORT_VERSION,
            "neckar": __version__,
            "file": str(self.file),
            "started": self.started,
            "status": status,
            "exit_status": exit_status,
            "settings": {"chip": lab.specimen.id, "instruments": lab.instruments, "seed": lab.seed, "step_us": lab.step_us},
            **self.tally.summary(),
            "wall_s": sum(part.wall_s for part in self.parts),
            "number_of_cells": self.cells,
            "cells": [{**part._asdict(), "failures": [failure._asdict() for failure in part.failures]} for part in self.parts],
            "figures": None if self.figures is None else str(self.figures),
        }
