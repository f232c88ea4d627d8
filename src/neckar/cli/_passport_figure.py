"""The picture of ``neckar chip fit``. Importing this module imports matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from neckar.calibration.passport import Passport, Prediction

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(passport: Passport, path: Path) -> None:
    """Write the picture: for each setting that was kept for the test, what was predicted over what was measured, one point per circuit."""
    shown = passport.predictions
    columns = min(5, len(shown))
    figure = Figure(figsize=(3.1 * columns, 3.3 * -(-len(shown) // columns) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{passport.specimen.id}: predicted over measured, one point per neuron circuit", fontsize=11)
    grid = figure.subplots(-(-len(shown) // columns), columns, squeeze=False).flatten()
    rows = {row.name: row for row in passport.fidelity}
    for axes, prediction in zip(grid, shown, strict=False):
        row = rows[prediction.name]
        _panel(axes, prediction, f"{prediction.name}\nerror {row.fitted:.1%} (unfitted {row.unfitted:.1%}), in interval {row.coverage:.0%}")
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower left", ncols=3, frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)


def _panel(axes: Axes, p: Prediction, title: str) -> None:
    used = p.counts
    if not used.any():
        axes.set_title(f"{p.name}\nnothing can be read", fontsize=8)
        return
    measured = p.measured[used]
    axes.plot(measured, p.unfitted[used], ".", ms=2, color="0.75", label="mean chip of the population")
    low, high = p.interval
    axes.vlines(measured, low[used], high[used], color="C0", lw=0.5, alpha=0.35, label=f"{p.nominal:.0%} interval")
    axes.plot(measured, p.fitted[used], ".", ms=2.5, color="C0", label="twin")
    ends = np.percentile(measured, (0.5, 99.5)) * (0.92, 1.08)
    axes.plot(ends, ends, color="k", lw=0.6)
    axes.set(xlim=ends, ylim=ends)
    axes.set_title(title, fontsize=8)
    axes.set_xlabel(f"measured {p.feature.name} [{p.feature.unit}]", fontsize=7)
    axes.tick_params(labelsize=7)
