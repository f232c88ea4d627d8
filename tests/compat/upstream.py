"""Run upstream's own single-neuron notebook, unmodified, and print what it measured (``make compat``).

Usage: ``python tests/compat/upstream.py <checkout of electronicvisions/brainscales2-demos>``; the directory may also come from ``NECKAR_UPSTREAM``.
The checkout stays outside this repository and nothing is copied from it, so this never runs in CI.

The code cells of the first three experiments run in a process of their own, as one notebook session: working directory and import path are the checkout,
figures go to the Agg backend. Left out are lines for IPython and the cells that connect to a machine of the platform. Sliders do not exist
without a notebook: a stand-in for ``ipywidgets`` calls each experiment once, with the start values of its sliders. What an experiment measured is
read from the curves it draws, so the observables do not depend on the inside of the front end.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import traceback
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

NOTEBOOK = "ts_00-single_neuron.ipynb"
N_EXPERIMENTS = 3
TIMEOUT_S = 600
PLATFORM_HELPERS = "_static.common"  # cells that use these connect to the platform or download its calibration
MIN_SWING_LSB = 40  # a trace that never moves by more has no spikes; the noise of a silent neuron is below 3 LSB


# --- reading the notebook


def code_cells(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (cell number, source) of the first experiments' code cells, without the lines and cells that need a notebook server or the platform."""
    experiments = 0
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] != "code" or PLATFORM_HELPERS in source:
            continue
        experiments += "pynn.setup(" in source
        if experiments > N_EXPERIMENTS:
            return
        yield number, "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())


# --- the child: one notebook session


def _start_value(slider: Any) -> Any:
    """Return what a slider, or ipywidgets' abbreviation of one, shows before anybody touches it."""
    if hasattr(slider, "value"):
        return slider.value
    if isinstance(slider, tuple) and len(slider) >= 2 and all(isinstance(bound, int | float) for bound in slider):
        middle = (slider[0] + slider[1]) / 2
        return middle if any(isinstance(bound, float) for bound in slider) else int(middle)
    if isinstance(slider, list | tuple):
        return slider[0]
    return slider


def _widgets() -> types.ModuleType:
    """Build a stand-in for ipywidgets whose ``interact`` calls the function once with the start values."""

    class Widget:
        def __init__(self, value: Any = None, **settings: Any) -> None:
            self.value = settings.get("min") if value is None else value

    def interact(function: Callable[..., Any] | None = None, **sliders: Any) -> Any:
        def call(function: Callable[..., Any]) -> Callable[..., Any]:
            function(**{name: _start_value(slider) for name, slider in sliders.items()})
            return function

        return call if function is None else call(function)

    module = types.ModuleType("ipywidgets")
    module.interact = interact
    for name in ("IntSlider", "FloatSlider", "Checkbox", "Dropdown", "IntText", "FloatText", "fixed"):
        setattr(module, name, type(name, (Widget,), {}))
    return module


def _microseconds(times: Any) -> Any:
    """Return times as plain microseconds; numbers without a unit are PyNN's milliseconds."""
    import numpy as np

    return times.rescale("us").magnitude if hasattr(times, "rescale") else np.asarray(times) * 1e3


def measure(times_us: Any, values: Any) -> dict[str, float]:
    """Describe one membrane trace: its level, and if it fires, period, trough and peak.

    A spike is a fall through the middle of the trace's range after it was clearly above. Peak and trough are medians over the complete periods, after
    a running median of three samples that removes single noisy ones. Period, peak and trough are missing where fewer than two spikes are seen.
    """
    import numpy as np

    values = np.asarray(values, dtype=float).reshape(-1)
    times_us = np.asarray(times_us, dtype=float).reshape(-1)
    result = {"level": float(values.mean())}
    low, high = float(values.min()), float(values.max())
    if values.size < 3 or high - low < MIN_SWING_LSB:
        return result
    smooth = np.median(np.lib.stride_tricks.sliding_window_view(np.pad(values, 1, mode="edge"), 3), axis=1)
    middle, margin = (low + high) / 2, (high - low) / 10
    above, falls = False, []
    for index, value in enumerate(smooth):
        if value > middle + margin:
            above = True
        elif above and value < middle - margin:
            above = False
            falls.append(index)
    if len(falls) < 2:
        return result
    periods = [smooth[start:stop] for start, stop in itertools.pairwise(falls)]
    result["period_us"] = float(np.median(np.diff(times_us[falls])))
    result["trough"] = float(np.median([period.min() for period in periods]))
    result["peak"] = float(np.median([period.max() for period in periods]))
    return result


def session(notebook: Path, report: Path) -> None:
    """Run the cells one after the other, as a kernel would (a failing cell does not stop the rest), and write a JSON report."""
    sys.path[0] = str(notebook.parent)  # instead of the folder of this file
    sys.modules["ipywidgets"] = _widgets()
    from matplotlib.axes import Axes

    curves: list[dict[str, float]] = []
    plot = Axes.plot

    def watched_plot(axes: Axes, *args: Any, **kwargs: Any) -> Any:
        if len(args) >= 2 and not isinstance(args[1], str):
            curves.append(measure(_microseconds(args[0]), args[1]))
        return plot(axes, *args, **kwargs)

    Axes.plot = watched_plot
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    cells = []
    for number, source in code_cells(notebook):
        curves.clear()
        error = ""
        try:
            exec(compile(source, f"{notebook.name}[{number}]", "exec"), main.__dict__)
        except Exception:
            error = traceback.format_exc()
        cells.append({"number": number, "experiment": "pynn.setup(" in source, "error": error, "curves": list(curves)})
    report.write_text(json.dumps(cells), encoding="utf-8")


# --- the parent: start the session, print the table


def _list(curves: list[dict[str, float]], key: str, form: str) -> str:
    return ", ".join(format(curve[key], form) if key in curve else "silent" for curve in curves) or "-"


def observables(cells: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return (name, value) of what the three experiments measured; "-" where an experiment drew nothing."""
    experiments = [cell["curves"] for cell in cells if cell["experiment"]]
    silent, single, many = experiments + [[]] * (N_EXPERIMENTS - len(experiments))
    return [
        ("silent neuron, mean level [MADC LSB]", _list(silent, "level", ".1f")),
        ("leak over threshold, period [us]", _list(single, "period_us", ".2f")),
        ("leak over threshold, trough [MADC LSB]", _list(single, "trough", ".1f")),
        ("leak over threshold, peak [MADC LSB]", _list(single, "peak", ".1f")),
        (f"fixed pattern, periods of {len(many)} neurons [us]", _list(many, "period_us", ".1f")),
    ]


def table(rows: list[tuple[str, ...]]) -> str:
    """Lay out rows as a table; the first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def main() -> int:
    """Run the notebook and print its table; 0 if every cell ran."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("directory", nargs="?", default=os.environ.get("NECKAR_UPSTREAM"), help="checkout of brainscales2-demos")
    parser.add_argument("--session", metavar="REPORT", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.directory:
        parser.error("name a checkout of https://github.com/electronicvisions/brainscales2-demos, as argument or in NECKAR_UPSTREAM")
    notebook = Path(arguments.directory).resolve() / NOTEBOOK
    if not notebook.is_file():
        parser.error(f"{notebook} does not exist; branch jupyter-notebooks-experimental of brainscales2-demos holds {NOTEBOOK}")
    if arguments.session:
        session(notebook, arguments.session)
        return 0

    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        child = subprocess.run(
            [sys.executable, __file__, str(notebook.parent), "--session", str(report)],
            cwd=notebook.parent,
            env={**os.environ, "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        if not report.exists():
            print(child.stdout, child.stderr, f"the session ended early with status {child.returncode}", sep="\n", file=sys.stderr)
            return 1
        cells = json.loads(report.read_text(encoding="utf-8"))

    failures = [cell for cell in cells if cell["error"]]
    for cell in failures:
        print(f"cell {cell['number']}:\n{cell['error']}", file=sys.stderr)
    first, *rest = observables(cells)
    rows = [("notebook", "cells run", "failures", "observable", "value"), (NOTEBOOK, str(len(cells)), str(len(failures)), *first)]
    print(table(rows + [("", "", "", *row) for row in rest]))
    return 1 if failures or not cells else 0


if __name__ == "__main__":
    raise SystemExit(main())
