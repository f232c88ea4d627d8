"""Figures that a script or notebook draws, as files."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from neckar.whole_file import write_whole

BACKEND = "module://neckar.cli._figure_backend"
"""matplotlib's backend under which ``show()`` saves what is open."""


class Figures:
    """Counts figures and, if there is a folder, keeps them as ``<stem>-<place>-<number>.png``.

    Parameters
    ----------
    folder : Path or None
        Made if it does not exist. None: figures are only counted.
    stem : str
        Name of the script or notebook.
    """

    def __init__(self, folder: Path | None, stem: str) -> None:
        self.folder, self.stem = folder, stem
        self.names: list[str] = []
        self.place = ""
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def add(self, png: bytes) -> None:
        """Keep one figure."""
        prefix = "-".join(filter(None, (self.stem, self.place)))
        name = f"{prefix}-{sum(known.startswith(f'{prefix}-') for known in self.names) + 1}.png"
        if self.folder is not None:
            write_whole(self.folder / name, png)
        self.names.append(name)

    def add_open(self) -> None:
        """Keep all figures of pyplot that are open, and close them."""
        plt: Any = sys.modules.get("matplotlib.pyplot")
        for number in plt.get_fignums() if plt else ():
            content = io.BytesIO()
            plt.figure(number).savefig(content, format="png")
            self.add(content.getvalue())
        if plt:
            plt.close("all")


shown: Figures | None = None
"""Where the backend for scripts takes figures; None outside of :func:`saved`."""


@contextmanager
def saved(folder: Path | None, stem: str) -> Iterator[Figures]:
    """Save what a script shows or leaves open; without a folder its figures go where matplotlib sends them, and nothing is counted."""
    global shown
    figures = Figures(folder, stem)
    if folder is None:
        yield figures
        return
    before, os.environ["MPLBACKEND"], shown = os.environ.get("MPLBACKEND"), BACKEND, figures
    try:
        yield figures
        figures.add_open()
    finally:
        shown = None
        if before is None:
            del os.environ["MPLBACKEND"]
        else:
            os.environ["MPLBACKEND"] = before
