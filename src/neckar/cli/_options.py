"""Options that several commands share: the layer of the command line over the environment."""

from __future__ import annotations

import os
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


PICTURES = (".png", ".pdf", ".svg", ".eps", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
"""How names of pictures end: what matplotlib writes without further programs."""


def check_writable(asked: str, path: Path | None) -> None:
    """Check that a file that a command is to write can be written, before anything is computed. It is written beside its final place, so the folder decides.

    Raises
    ------
    ConfigurationError
        If its folder does not exist or cannot be written, or if it is a folder itself.
    """
    if path is None:
        return
    folder, what = path.parent, f"{asked} is {path}"
    if not folder.is_dir():
        raise ConfigurationError(f"{what}, but there is no folder {folder}; allowed is a file in an existing folder. Create the folder first.")
    if path.is_dir():
        raise ConfigurationError(f"{what}, which is a folder; allowed is the name of a file. Name a file in it.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{what}, but the folder {folder} cannot be written; allowed is a writable folder. Choose another one.")


def check_picture(asked: str, path: Path | None) -> None:
    """Check that a picture that a command is to draw can be written, before anything is computed.

    Raises
    ------
    ConfigurationError
        As :func:`check_writable`, or if its name does not end as that of a picture.
    """
    check_writable(asked, path)
    if path is not None and path.suffix.lower() not in PICTURES:
        raise ConfigurationError(f"{asked} is {path}; allowed is a name that ends in {', '.join(PICTURES)}. Call it {path.with_suffix('.png')}.")
