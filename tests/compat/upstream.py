"""Run upstream's own notebooks and tests, unmodified, and print one table of what they measured (``make compat``).

Usage: ``python tests/compat/upstream.py <folder>...``; the folders may also come from ``NECKAR_UPSTREAM``. A folder is a checkout of
electronicvisions/brainscales2-demos (branch ``jupyter-notebooks-experimental`` with notebooks, or ``master`` with their sources, or both in two checkouts) or
electronicvisions/pynn-brainscales, or it holds such checkouts. These stay outside this repository and nothing is copied from them, so this never runs in CI.

Each notebook and each test file runs in a process of its own, on the reference chip unless ``NECKAR_CHIP`` says otherwise, without ``USER`` in the environment.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import measures
import upstream_tests

from neckar.calibration.store import ENVIRONMENT as CALIBRATIONS
from notebooks import NOT_RUN, NOTEBOOKS, Notebook

HERE = Path(__file__).parent
TIMEOUT_S = 1800
HOURS = 4
"""Time of a notebook that takes longer."""


class Row(NamedTuple):
    """One line of the table."""

    what: str
    cells: str = ""
    failures: str = ""
    observable: str = ""
    value: str = ""
    band: str = ""
    verdict: str = ""


HEADING = Row("notebook or test", "cells or tests", "failures", "observable", "value", "band (source)", "inside")


class Checkouts(NamedTuple):
    """Where upstream's files are.

    Attributes
    ----------
    notebooks : dict
        Notebook file by (stem, suffix).
    tests : dict
        Test file of pynn-brainscales by (folder ``sw`` or ``hw``, name).
    """

    notebooks: dict[tuple[str, str], Path]
    tests: dict[tuple[str, str], Path]


TEST_FILES = ("brainscales2/test/?w/*test*.py", "py*/test/py*_vx_v3.py", "dlens/tests/*.py", "tests/?w/py/test_*.py")
"""Where test files lie in checkouts of pynn-brainscales, halco, haldls and calix."""


def find(folders: list[Path]) -> Checkouts:
    """Look for checkouts in the folders and one level below."""
    found = Checkouts({}, {})
    for folder in folders:
        for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
            for notebook in NOTEBOOKS:
                for suffix in (".ipynb", ".rst"):
                    if (place / f"{notebook.stem}{suffix}").is_file():
                        found.notebooks.setdefault((notebook.stem, suffix), place / f"{notebook.stem}{suffix}")
            for test in (test for pattern in TEST_FILES for test in sorted(place.glob(pattern))):
                found.tests.setdefault((test.parent.name, test.stem), test)
    return found


def run_notebook(notebook: Notebook, path: Path) -> tuple[list[Row], bool]:
    """Run a notebook; return its rows and whether all cells ran and all observables lie in their bands."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        limit_s = HOURS * 3600 if notebook.hours else TIMEOUT_S
        done = _python([str(HERE / "notebook_session.py"), str(path), notebook.stem, str(report)], cwd=path.parent, timeout_s=limit_s)
        if not report.exists():
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
            return [Row(path.name, "-", "-", f"the session ended early with status {done.returncode}", verdict="no")], False
        told = json.loads(report.read_text(encoding="utf-8"))
    for number, text in told["failures"]:
        print(f"{path.name}, cell {number}:\n{text}\n", file=sys.stderr)
    if told["error"]:
        print(f"{path.name}, measuring:\n{told['error']}\n", file=sys.stderr)
    rows = [_row(name, value) for name, value in told["measured"].items()]
    if not rows:
        rows = [Row("", observable="cells run", verdict="no" if told["failures"] or notebook.measure else "yes")]
    what = f"{path.name} ({told['wall_s']:.0f} s)"
    rows[0] = rows[0]._replace(what=what, cells=str(told["cells"]), failures=str(len(told["failures"])))
    return rows, not told["failures"] and all(row.verdict != "no" for row in rows)


def _row(name: str, value: float) -> Row:
    band = measures.BANDS.get(name)
    if band is None:
        return Row("", observable=name, value=f"{value:.3g}")
    if os.environ.get("NECKAR_CHIP", "reference") != "reference":
        band = band.wide()
    text = f"{band.low:.4g} .. {band.high:.4g} ({band.source})"
    return Row("", observable=name, value=f"{value:.4g}", band=text, verdict="yes" if band.holds(value) else "no" if band.decides else "told")


def run_test_file(path: Path) -> tuple[list[Row], bool]:
    """Run a test file; failures that are known, with their reason, do not count."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-q", "-p", "no:cacheprovider", "-o", "addopts=", "--rootdir", folder, f"--junitxml={report}"]
        done = _python(["-m", "pytest", *options, str(path)], cwd=Path(folder))
        result = upstream_tests.read(report, done.stdout + done.stderr)
    for name, text in result.failures.items():
        if name not in upstream_tests.known(path.stem):
            print(f"{path.name}, {name}:\n{text}\n", file=sys.stderr)
    what = f"test/{path.parent.name}/{path.name}"
    rows = [Row("", observable=name, value="fails", band=reason, verdict=verdict) for name, reason, verdict in upstream_tests.judge(path.stem, result)]
    first = rows[0] if rows else Row("", verdict="yes")
    rows[:1] = [first._replace(what=what, cells=str(result.number) + f" ({result.skipped} skipped)" * bool(result.skipped), failures=str(len(result.failures)))]
    return rows, all(row.verdict != "no" for row in rows)


def _python(arguments: list[str], cwd: Path, timeout_s: int = TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "USER"} | {"MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False)


def table(rows: list[Row]) -> str:
    """Lay out rows as a table; the first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def main() -> int:
    """Run everything and print the table; 0 if nothing failed and every observable lies in its band."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "folders", nargs="*", type=Path, help="checkouts of brainscales2-demos, pynn-brainscales, perhaps halco, haldls and calix, or folders with them"
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="run only files whose name holds this text")
    arguments = parser.parse_args()
    folders = arguments.folders or [Path(name) for name in os.environ.get("NECKAR_UPSTREAM", "").split(os.pathsep) if name]
    if not folders:
        parser.error("name checkouts of https://github.com/electronicvisions/brainscales2-demos and pynn-brainscales, as arguments or in NECKAR_UPSTREAM")
    for folder in folders:
        if not folder.is_dir():
            parser.error(f"there is no folder {folder}")
    checkouts, rows, good = find([folder.resolve() for folder in folders]), [HEADING], True

    for notebook in NOTEBOOKS:
        if arguments.only not in notebook.stem:
            continue
        if notebook.hours and not arguments.only:
            rows.append(Row(notebook.stem, observable=f"takes up to hours; runs with --only {notebook.stem[:5]}"))
            continue
        order = (".rst", ".ipynb") if notebook.needs_solution else (".ipynb", ".rst")
        path = next((checkouts.notebooks[notebook.stem, suffix] for suffix in order if (notebook.stem, suffix) in checkouts.notebooks), None)
        if path is None:
            rows.append(Row(notebook.stem, observable="missing: no checkout of brainscales2-demos holds it", verdict="no"))
            good = False
            continue
        new, fine = run_notebook(notebook, path)
        if notebook.needs_solution and path.suffix == ".ipynb":
            new.append(Row("", observable="without the solution, which only branch master of brainscales2-demos holds"))
        rows, good = rows + new, good and fine
    optional = (*upstream_tests.REGISTER_LEVEL, *upstream_tests.CALIX)
    below = tuple(key for key in optional if key in checkouts.tests)
    for folder, name in (key for key in (*upstream_tests.FILES, *below) if arguments.only in key[1]):
        if (folder, name) not in checkouts.tests:
            rows.append(Row(f"test/{folder}/{name}.py", observable="missing: no checkout of pynn-brainscales holds it", verdict="no"))
            good = False
            continue
        new, fine = run_test_file(checkouts.tests[folder, name])
        rows, good = rows + new, good and fine
    print(table(rows))
    for stem, reason in NOT_RUN.items():
        print(f"not run: {stem}: {reason}")
    for _, name in sorted(set(optional) - set(below)):
        print(f"not run: {name}.py: no checkout of halco, haldls or calix holds it")
    for folder, name in sorted(set(checkouts.tests) - {*upstream_tests.FILES, *below}):
        print(f"not run: test/{folder}/{name}.py: {upstream_tests.NOT_RUN.get(name, 'unknown to this table')}")
    return 0 if good else 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as calibrations:  # made anew: an older version may have left others in the user's cache
        os.environ.setdefault(CALIBRATIONS, calibrations)
        raise SystemExit(main())
