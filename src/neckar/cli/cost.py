"""``neckar cost``: what a recorded run, or all runs of a reported experiment, take on silicon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neckar.cli._tables import print_table, table_of
from neckar.errors import ConfigurationError, FileFormatError

if TYPE_CHECKING:
    from rich.table import Table

    from neckar.program import Cost

_TIMES = (("hardware time", "hardware_s"), ("configuration", "configuration_s"), ("transfer", "transfer_s"))
_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))


def cost(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A recording (.h5), or a report of all runs (.json).")],
) -> None:
    """Print time and energy on silicon: of one recorded run with ranges and sources, or, from the report of neckar run, of all runs of an experiment."""
    if file.suffix == ".json":
        print_table(_of_all_runs(file))
        return
    from neckar.program import load

    recording = load(file).recording
    if recording is None:
        raise ConfigurationError(f"{file} holds no recording; allowed is a file with one. Write it with neckar run --record {file} script.py.")
    print_table(_of_one_run(recording.cost, f"{file.name}: cost of one run on silicon, estimated"))
    seed, number = recording.provenance.run_seed
    typer.echo(f"This is the run with number {number} (from 0) of lab seed {seed} alone; other runs of its experiment are not in the file.")
    typer.echo("For all runs: neckar run --report report.json SCRIPT, then neckar cost report.json")


def _of_one_run(cost: Cost, title: str) -> Table:
    """Return items and totals as a table."""
    table = table_of(title, ("item", "left"), ("value", "right"), ("source", "left"))
    for item in cost.items:
        table.add_row(item.name, quantity(item.value, item.unit), item.source)
    table.add_section()
    for name, field in _TIMES:
        table.add_row(f"total: {name}", quantity(getattr(cost, field), "s"), "sum of the items above")
    how = "least and greatest of the estimates above, during the hardware time"
    table.add_row("total: energy of the chip", f"{quantity(cost.energy_j.low, 'J')} to {quantity(cost.energy_j.high, 'J')}", how)
    return table


def _of_all_runs(file: Path) -> Table:
    """Return the sums of a report as a table.

    Raises
    ------
    FileFormatError
        If the file is no report.
    """
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
        runs, status, name, times = report["runs"], report["status"], Path(report["file"]).name, report["cost"]
        rows = [(what, quantity(times[key], "s")) for what, key in _TIMES]
        rows.append(("energy of the chip", f"{quantity(times['energy_low_j'], 'J')} to {quantity(times['energy_high_j'], 'J')}"))
    except (ValueError, KeyError, TypeError):
        raise FileFormatError(f"{file} is no report; allowed is what neckar run --report writes. Write it with neckar run --report {file} SCRIPT.") from None
    ended = "" if status == "complete" else f", whose status is {status}"
    table = table_of(f"{file.name}: cost of all runs on silicon, estimated", ("total", "left"), ("value", "right"))
    table.caption = f"{runs} run{'s' if runs != 1 else ''} of {name}{ended}"
    for row in rows:
        table.add_row(*row)
    return table


def quantity(value: float, unit: str) -> str:
    """Return a number with three digits and an SI prefix."""
    if value == 0 or unit not in ("s", "J", "W"):
        return f"{value:.3g} {unit}"
    factor, prefix = next((pair for pair in _PREFIXES if abs(value) >= pair[0]), _PREFIXES[-1])
    return f"{value / factor:.3g} {prefix}{unit}"
