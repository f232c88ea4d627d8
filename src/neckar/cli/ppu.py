"""``neckar ppu``: looking at plasticity rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neckar.cli import _options
from neckar.cli._plots import drawing
from neckar.cli._script import virtual_chip
from neckar.cli._tally import Tally, chip_name
from neckar.cli.run import check_arguments, run_file
from neckar.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.table import Table

    from neckar.cli._profile import Line, Profile

app = typer.Typer(no_args_is_help=True, help="Plasticity rules on the embedded processors.")

_WIDTH = 120
_FILE = "Script (.py) or notebook (.ipynb, .rst), or a file with a program (.h5) from neckar run --record."


@app.callback()
def _ppu() -> None:
    """Keep the name of the command, although there is only one."""


@app.command(context_settings={"allow_interspersed_args": False})
def profile(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help=_FILE)],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="ARGUMENTS", help="Passed on to a script.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.png", help="Where the figure of the weights goes.")] = Path("neckar-weights.png"),
    chip: _options.Chip = None,
    effects: _options.Effects = None,
    instruments: _options.Instruments = None,
    seed: _options.Seed = None,
    executor: _options.Executor = None,
    step_us: _options.StepUs = None,
) -> None:
    """Run a file, say which rules take how much of their periods, and draw the history of the weights."""
    from neckar.cli._profile import Profile
    from neckar.lab import observe
    from neckar.ppu import tracing

    _options.check_picture("option --output", output)
    check_arguments(file, arguments)
    draw, found, output = drawing("_weights_figure").draw, Profile(), output.resolve()
    options = {"chip": chip, "effects": effects, "instruments": instruments, "seed": seed, "executor": executor, "step_us": step_us}
    with virtual_chip(**options) as tally, tracing(found.trace), observe(found.observe):
        status = _replay(file, options) if file.suffix == ".h5" else run_file(file, arguments or [], tally)
    typer.echo(tally.line(), err=True)
    if not found.lines:
        if status:
            raise typer.Exit(status)
        raise ConfigurationError(f"no plasticity rule was executed by {file} in this process; allowed is a file that runs one. Give a rule to a projection.")
    _print(found, file)
    _draw(found, tally, file, output, draw)
    raise typer.Exit(status)


def _replay(file: Path, options: dict[str, str | None]) -> int:
    """Run the program of a file, if it has a recording as that one was made; options of the command line win."""
    from neckar.lab import again
    from neckar.program import load

    contents = load(file)
    if contents.program is None:
        raise ConfigurationError(f"{file} holds no program; allowed is a file with one. Write it with neckar run --record {file} script.py.")
    lab, program = again(contents, but=[name for name, value in options.items() if value is not None])
    with lab, lab.session(contents.state) as session:
        session.run(program)
    return 0


def _print(found: Profile, file: Path) -> None:
    from rich.console import Console

    console = Console(width=max(Console().width, _WIDTH))  # in a narrow window lines are wrapped, numbers are whole
    console.print(_table(found.lines, f"{file.name}: plasticity rules, the slowest against its period first"))


def _table(lines: list[Line], title: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, box=SIMPLE_HEAD, caption="mean, longest and period in cycles of 4 ns; share: what the longest takes of the period")
    table.add_column("rule", overflow="fold")
    table.add_column("processor", no_wrap=True)
    for name in ("executed", "mean", "longest", "period", "share", "late", "missed", "dropped", "after end"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        times = (f"{cycles:,.0f}" for cycles in (line.mean, line.longest, line.period))
        lost = (str(number) for number in (line.late, line.missed, line.queue_full, line.after_end))
        style = "bold red" if line.late or line.missed or line.queue_full else None
        table.add_row(line.rule, line.processor, str(line.invocations), *times, f"{100 * line.share:.1f} %", *lost, style=style)
    return table


def _draw(found: Profile, tally: Tally, file: Path, output: Path, draw: object) -> None:
    """Draw the weights, if a rule has written any."""
    if not found.history.times:
        typer.echo("No rule has written a weight, so there is no figure.")
        return
    assert callable(draw)
    name = "" if tally.last is None else f"virtual chip {chip_name(tally.last[1].provenance.chip['id'])}: "
    draw(found.history, f"{name}weights that the rules of {file.name} write", output)
    typer.echo(f"Figure: {output}")
