"""matplotlib's backend of ``neckar run --figures script.py``: ``show()`` saves all open figures and closes them. Importing this module imports matplotlib."""

from __future__ import annotations

from typing import Any

from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

from neckar.cli import _figures


class FigureManager(FigureManagerBase):
    """Shows by saving."""

    @classmethod
    def pyplot_show(cls, *, block: Any = None) -> None:
        """Save what is open; `block` means nothing here."""
        if _figures.shown is not None:
            _figures.shown.add_open()


class FigureCanvas(FigureCanvasAgg):
    """Draws as Agg does."""

    manager_class = FigureManager
