"""``neckar run``: an unmodified script on a virtual chip."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from neckar.cli import _options
from neckar.cli._script import run_script, virtual_chip
from neckar.errors import ConfigurationError


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE.py", exists=True, dir_okay=False, help="Script to run, unmodified.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="ARGUMENTS", help="Passed on to the script.")] = None,
    chip: _options.Chip = None,
    effects: _options.Effects = None,
    instruments: _options.Instruments = None,
    seed: _options.Seed = None,
    executor: _options.Executor = None,
    step_us: _options.StepUs = None,
    record: Annotated[Path | None, typer.Option(metavar="FILE.h5", help="Keep the last program and its recording, for neckar replay and neckar cost.")] = None,
) -> None:
    """Run a script on a virtual chip. Options of Neckar stand before the file; ends with a line on what ran."""
    if record is not None:
        _check_writable(record)
    with virtual_chip(chip=chip, effects=effects, instruments=instruments, seed=seed, executor=executor, step_us=step_us) as tally:
        _, status = run_script(file, arguments or [])
    typer.echo(tally.line(), err=True)
    if record is not None and tally.last is not None:
        from neckar.program import save

        program, recording, state = tally.last
        save(record, program=program, recording=recording, state=state)
        typer.echo(f"neckar: the last run is in {record}", err=True)
    elif record is not None:
        typer.echo(f"neckar: {record} was not written, because nothing ran", err=True)
        status = status or 1
    raise typer.Exit(status)


def _check_writable(record: Path) -> None:
    """Check that a file can be written, before a script runs for hours in vain. A file is written beside its final place, so the folder decides."""
    folder, what = record.parent, f"option --record is {record}"
    if not folder.is_dir():
        raise ConfigurationError(f"{what}, but there is no folder {folder}; allowed is a file in an existing folder. Create the folder first.")
    if record.is_dir():
        raise ConfigurationError(f"{what}, which is a folder; allowed is the name of a file. Write {record / 'run.h5'}, for example.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{what}, but the folder {folder} cannot be written; allowed is a writable folder. Choose another one.")
