"""Options that several commands share: the layer of the command line over the environment."""

from __future__ import annotations

from typing import Annotated

import typer

_PANEL = "Virtual chip"

Chip = Annotated[
    str | None, typer.Option(help="Virtual chip: reference, chip-7, 7, a name of neckar chip list, or a fitted one's .npz.", rich_help_panel=_PANEL)
]
Effects = Annotated[str | None, typer.Option(help="Imperfections: default, ideal, or changes such as -noise,-mismatch.", rich_help_panel=_PANEL)]
Instruments = Annotated[str | None, typer.Option(help="silicon: with the limits of the real instruments; open: without.", rich_help_panel=_PANEL)]
Seed = Annotated[str | None, typer.Option(help="Seed of what differs between repeated runs.", rich_help_panel=_PANEL)]
Executor = Annotated[str | None, typer.Option(help="Where maps run: inline, processes or processes:N.", rich_help_panel=_PANEL)]
StepUs = Annotated[str | None, typer.Option(help="Upper bound of the integration step, in microseconds.", rich_help_panel=_PANEL)]
