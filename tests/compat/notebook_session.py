"""One notebook in a process of its own, with the runner of ``neckar run``; writes what ran and what it measured as JSON.

Usage: ``python tests/compat/notebook_session.py NOTEBOOK STEM REPORT.json``
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from notebooks import NOTEBOOKS, Curve, curve


def main(notebook: Path, stem: str, report: Path) -> None:
    """Run all cells, also after a failing one, and measure."""
    from matplotlib.axes import Axes

    from neckar.cli._figures import Figures
    from neckar.cli._notebook import read
    from neckar.cli._script import virtual_chip
    from neckar.cli._session import run_cell, session
    from neckar.cli._work_folder import work_folder

    curves: list[Curve] = []

    def watched(draw: Callable[..., Any]) -> Callable[..., Any]:
        def watching(axes: Axes, *args: Any, **settings: Any) -> Any:
            if len(args) >= 2 and not isinstance(args[1], str):
                with suppress(ValueError, TypeError):  # not numbers: not for us
                    curves.append(curve(axes, *args[:2], settings.get("label", "")))
            return draw(axes, *args, **settings)

        return watching

    Axes.plot, Axes.scatter = watched(Axes.plot), watched(Axes.scatter)
    measure = next(known.measure for known in NOTEBOOKS if known.stem == stem)
    with virtual_chip() as tally, work_folder(notebook) as folder, session(folder, Figures(None, notebook.stem)) as shell:
        parts = [run_cell(shell, cell, tally) for cell in read(notebook)]
        try:
            measured, error = measure(shell.user_ns, curves) if measure else {}, ""
        except Exception:  # a cell that failed left less behind than the measurement needs
            measured, error = {}, traceback.format_exc()
    failures = [(part.number, failure.traceback) for part in parts for failure in part.failures]
    told = {"cells": len(parts), "failures": failures, "measured": measured, "error": error, "line": tally.line(), "wall_s": sum(part.wall_s for part in parts)}
    report.write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
