"""``neckar cost``: what a recorded experiment takes on silicon."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neckar.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.table import Table

    from neckar.program import Cost

_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))


def cost(file: Annotated[Path, typer.Argument(metavar="FILE.h5", exists=True, dir_okay=False, help="A file with a recording.")]) -> None:
    """Print time and energy that a recorded experiment takes on silicon, with ranges and sources."""
    from rich.console import Console

    from neckar.program import load

    recording = load(file).recording
    if recording is None:
        raise ConfigurationError(f"{file} holds no recording; allowed is a file with one. Write it with neckar run --record {file} script.py.")
    Console().print(_table(recording.cost, f"{file.name}: cost on silicon, estimated"))


def _table(cost: Cost, title: str) -> Table:
    """Return items and totals as a table."""
    from rich.table import Table

    table = Table(title=title)
    for name, how in (("item", "left"), ("value", "right"), ("source", "left")):
        table.add_column(name, justify=how, overflow="fold")  # type: ignore[arg-type]
    for item in cost.items:
        table.add_row(item.name, quantity(item.value, item.unit), item.source)
    table.add_section()
    for name, value in (("hardware time", cost.hardware_s), ("configuration", cost.configuration_s), ("transfer", cost.transfer_s)):
        table.add_row(f"total: {name}", quantity(value, "s"), "sum of the items above")
    low, high = quantity(cost.energy_j.low, "J"), quantity(cost.energy_j.high, "J")
    table.add_row("total: energy of the chip", f"{low} to {high}", "least and greatest of the estimates above, during the hardware time")
    return table


def quantity(value: float, unit: str) -> str:
    """Return a number with three digits and an SI prefix."""
    if value == 0 or unit not in ("s", "J", "W"):
        return f"{value:.3g} {unit}"
    factor, prefix = next((pair for pair in _PREFIXES if abs(value) >= pair[0]), _PREFIXES[-1])
    return f"{value / factor:.3g} {prefix}{unit}"
