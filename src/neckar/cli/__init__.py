"""The command ``neckar``: one file per command.

The files import nothing heavy; numpy, the machine and plots are loaded by the command that needs them, so that ``neckar --help`` answers at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from neckar import __version__
from neckar.cli import bench, calibrate, chip, cost, demo, doctor, kernel, passport, ppu, replay, run
from neckar.errors import NeckarError

__all__ = ["app", "main"]

app = typer.Typer(
    name="neckar",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo.demo)
app.command(context_settings={"allow_interspersed_args": False})(run.run)
app.command()(replay.replay)
app.command()(cost.cost)
app.command()(calibrate.calibrate)
app.command()(doctor.doctor)
chip.app.command()(passport.characterise)
chip.app.command()(passport.fit)
app.add_typer(chip.app, name="chip")
app.add_typer(kernel.app, name="kernel")
app.add_typer(ppu.app, name="ppu")
app.add_typer(bench.app, name="bench")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"neckar {__version__}")
        raise typer.Exit


@app.callback()
def _neckar(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)] = False) -> None:
    """BrainScaleS experiments on virtual chips."""


def main() -> None:
    """Run the command line; an error of Neckar is one line, without a traceback, and exit status 2."""
    try:
        app(prog_name="neckar")
    except (NeckarError, OSError) as error:
        typer.echo(f"neckar: {error}", err=True)
        sys.exit(2)
