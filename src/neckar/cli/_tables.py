"""Tables on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def table_of(title: str, *columns: tuple[str, str]) -> Table:
    """Return an empty table with a title; each column has a name and a side to which it is justified."""
    from rich.table import Table

    table = Table(title=title)
    for name, how in columns:
        table.add_column(name, justify=how, overflow="fold")  # type: ignore[arg-type]
    return table


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal."""
    from rich.console import Console

    Console().print(table)


def fits(table: Table) -> bool:
    """Return whether a table has room on the terminal without a word being broken."""
    from rich.console import Console

    return Console(width=10_000).measure(table).maximum <= Console().width
