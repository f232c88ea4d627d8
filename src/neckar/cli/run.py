"""``neckar run``: an unmodified script or notebook on a virtual chip."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neckar.cli import _options
from neckar.cli._figures import Figures, saved
from neckar.cli._notebook import SUFFIXES
from neckar.cli._report import Part, Report
from neckar.cli._script import INTERRUPTED, check_script, run_script, virtual_chip
from neckar.cli._tally import Tally, chip_name
from neckar.errors import ConfigurationError

if TYPE_CHECKING:
    from neckar.cli._notebook import Cell

_NOTEBOOK = "Notebooks"


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Script (.py) or notebook (.ipynb, .rst) to run, unmodified.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="ARGUMENTS", help="Passed on to a script.")] = None,
    chip: _options.Chip = None,
    effects: _options.Effects = None,
    instruments: _options.Instruments = None,
    seed: _options.Seed = None,
    executor: _options.Executor = None,
    step_us: _options.StepUs = None,
    record: Annotated[Path | None, typer.Option(metavar="FILE.h5", help="Keep the last program and its recording, for neckar replay and neckar cost.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write times, failures, losses, cost and figures, for programs.")] = None,
    figures: Annotated[Path | None, typer.Option(metavar="FOLDER", file_okay=False, help="Save the figures.")] = None,
    solution: Annotated[
        bool, typer.Option("--solution/--student", help="Of an .rst: with the solutions, or as students get it.", rich_help_panel=_NOTEBOOK)
    ] = True,
    tests: Annotated[
        bool, typer.Option("--tests/--full", help="Of an .rst: with its test cells, which make problems smaller, or in full size.", rich_help_panel=_NOTEBOOK)
    ] = False,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Go on after a failing cell.", rich_help_panel=_NOTEBOOK)] = False,
) -> None:
    """Run a script or notebook on a virtual chip. Options of Neckar stand before the file; ends with a line on what ran."""
    _options.check_writable("option --record", record)
    _options.check_writable("option --report", report)
    if report is not None:
        report.unlink(missing_ok=True)  # nobody shall take the report of an earlier run for this one's
    check_arguments(file, arguments)
    cells = _cells(file, solution, tests)
    record, report, figures = (path and path.resolve() for path in (record, report, figures))
    with virtual_chip(chip=chip, effects=effects, instruments=instruments, seed=seed, executor=executor, step_us=step_us) as tally:
        written = Report(report, file, len(cells), tally, figures)
        status = _run_notebook(file, cells, keep_going, written) if file.suffix in SUFFIXES else _run_script(file, arguments or [], written)
        written.write("complete" if status == 0 else "interrupted" if status == INTERRUPTED else "failed", status)
    typer.echo(tally.line(), err=True)
    if record is not None:
        status = _save(record, tally) or status
    raise typer.Exit(status)


def check_arguments(file: Path, arguments: list[str] | None) -> None:
    """Refuse arguments for anything but a script."""
    if arguments and file.suffix in (*SUFFIXES, ".h5"):
        kind = "a notebook" if file.suffix in SUFFIXES else "a program"
        raise ConfigurationError(f"{file} is {kind} and takes no arguments, but {' '.join(arguments)!r} follows. Write options of Neckar before the file.")


def run_file(file: Path, arguments: list[str], tally: Tally) -> int:
    """Run a script or a notebook, for a command that looks at what runs, and return its exit status."""
    cells = _cells(file, solution=True, tests=False)
    report = Report(None, file, len(cells), tally, None)
    return _run_notebook(file, cells, False, report) if file.suffix in SUFFIXES else _run_script(file, arguments, report)


def _cells(file: Path, solution: bool, tests: bool) -> tuple[Cell, ...]:
    """Return the cells of a notebook, or none of what can be run as a script."""
    if file.suffix not in SUFFIXES:
        check_script(file)
        return ()
    from neckar.cli._notebook import read

    return read(file, solution, tests)


def _run_script(file: Path, arguments: list[str], report: Report) -> int:
    """Run a script and return its exit status."""
    start = time.perf_counter()
    with saved(report.figures, file.stem) as figures:
        end = run_script(file, arguments)
    failures = () if end.failure is None else (end.failure,)
    report.add(Part(0, file.name, time.perf_counter() - start, report.tally.runs, failures, tuple(figures.names)))
    return end.status


def _run_notebook(file: Path, cells: tuple[Cell, ...], keep_going: bool, report: Report) -> int:
    """Run the cells of a notebook, tell what happens, and return the exit status."""
    from neckar.cli._session import run_cell, session
    from neckar.cli._work_folder import work_folder
    from neckar.lab import current_lab

    typer.echo(f"neckar: {file.name}, {_several(len(cells), 'cell')}, on virtual chip {chip_name(current_lab().specimen.id)}", err=True)
    progress = _Progress(report.tally, len(cells))
    try:
        with work_folder(file) as folder, session(folder, Figures(report.figures, file.stem)) as shell:
            for cell in cells:
                progress.start(cell)
                part = run_cell(shell, cell, report.tally)
                report.add(part)
                progress.end(part)
                if part.was_interrupted:
                    return _interrupted(file, part.number, len(cells))
                if part.failures and not keep_going:
                    break
    except KeyboardInterrupt:  # between two cells
        return _interrupted(file, len(report.parts) + 1, len(cells))
    failures = [(part.number, failure) for part in report.parts for failure in part.failures]
    for number, failure in failures:
        where = f"cell {number}" if failure.where == "cell" else f"a callback of cell {number}"
        typer.echo(f"neckar: {file.name} failed in {where}: {failure.type}: {_first_line(failure.message)}", err=True)
    return int(bool(failures))


def _interrupted(file: Path, cell: int, cells: int) -> int:
    typer.echo(f"neckar: {file.name} was interrupted in cell {cell} of {cells}", err=True)
    return INTERRUPTED


def _several(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]


class _Progress:
    """Says on the error stream which cell runs, and during long cells how many runs there were."""

    every_s = 10.0

    def __init__(self, tally: Tally, cells: int) -> None:
        self._tally, self._cells = tally, cells
        self._text, self._runs, self._started, self._told = "", 0, 0.0, 0.0
        tally.on_run = self._ran

    def start(self, cell: Cell) -> None:
        self._text, self._runs = f"neckar: cell {cell.number} of {self._cells}", self._tally.runs
        self._started = self._told = time.monotonic()
        typer.echo(f"{self._text}: {cell.title}", err=True)

    def end(self, part: Part) -> None:
        runs = f", {_several(part.runs, 'run')}" if part.runs else ""
        typer.echo(f"{self._text}: {_end(part)} in {part.wall_s:.1f} s{runs}", err=True)

    def _ran(self) -> None:
        now = time.monotonic()
        if now - self._told > self.every_s:
            self._told = now
            typer.echo(f"{self._text}: {_several(self._tally.runs - self._runs, 'run')} in {now - self._started:.0f} s so far", err=True)


def _end(part: Part) -> str:
    return "interrupted" if part.was_interrupted else "failed" if part.failures else "done"


def _save(record: Path, tally: Tally) -> int:
    """Save the last run; return 1 if there was none."""
    if tally.last is None:
        typer.echo(f"neckar: {record} was not written, because nothing ran", err=True)
        return 1
    from neckar.program import save

    program, recording, state = tally.last
    save(record, program=program, recording=recording, state=state)
    typer.echo(f"neckar: the {f'last of {tally.runs} runs' if tally.runs > 1 else 'run'} is in {record}", err=True)
    return 0
