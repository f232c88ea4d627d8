"""Options that several commands share: the layer of the command line over the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neckar.errors import ConfigurationError

_PANEL = "Virtual chip"

Chip = Annotated[
    str | None, typer.Option(help="Virtual chip: reference, chip-7, 7, a name of neckar chip list, or a fitted one's .npz.", rich_help_panel=_PANEL)
]
Effects = Annotated[str | None, typer.Option(help="Imperfections: default, ideal, or changes such as -noise,-mismatch.", rich_help_panel=_PANEL)]
Instruments = Annotated[str | None, typer.Option(help="silicon: with the limits of the real instruments; open: without.", rich_help_panel=_PANEL)]
Seed = Annotated[str | None, typer.Option(help="Seed of what differs between repeated runs.", rich_help_panel=_PANEL)]
Executor = Annotated[str | None, typer.Option(help="Where maps run: inline, processes or processes:N.", rich_help_panel=_PANEL)]
StepUs = Annotated[str | None, typer.Option(help="Upper bound of the integration step, in microseconds.", rich_help_panel=_PANEL)]


def check_folder(option: str, path: Path | None) -> None:
    """Check, before anything is computed, that the folder of a file that a command is to write exists.

    Raises
    ------
    ConfigurationError
        If it does not.
    """
    if path is not None and not path.parent.is_dir():
        what = f"{option} is {path}, but there is no folder {path.parent}"
        raise ConfigurationError(f"{what}; allowed is a file in an existing folder. Create the folder first.")
