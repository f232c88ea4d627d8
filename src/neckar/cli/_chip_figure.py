"""The pictures of ``neckar chip``. Importing this module imports matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from neckar.chip.characteristics import CHARACTERISTICS, Characteristic
from neckar.chip.coordinates import COLUMNS, COLUMNS_PER_BACKEND

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neckar.cli.chip import Portrait

Population = Mapping[str, NDArray[np.float64]]

SHOWN = (
    "leak_level",
    "reset_level",
    "threshold_level",
    "tau_mem",
    "tau_syn_exc",
    "psp_exc",
    "input_shift",
    "constant_current",
    "adaptation_level",
    "cadc_level",
)
"""Characteristics in the picture of one chip."""

_BAND = "0.88"
_ROWS = (("top row", "C0"), ("bottom row", "C1"))


def portrait(chip: Portrait, population: Population, path: Path) -> None:
    """Write the picture of one chip: for each characteristic a histogram over the circuits beside the population's chips, and a map of the two rows."""
    shown = [c for c in CHARACTERISTICS if c.name in SHOWN]
    figure = Figure(figsize=(11, 1.15 * len(shown) + 1.2), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(
        f"virtual chip {chip.title}: what equal codes mean on its 512 neuron circuits\n"
        "left: how often, beside the chips of the population; right: difference from the chip's median, by place on the chip",
        fontsize=11,
    )
    grid = figure.subplots(len(shown), 2, width_ratios=(1, 1.7), squeeze=False)
    for axes, c in zip(grid, shown, strict=True):
        _histogram(axes[0], c, chip.circuits[c.name], population[c.name])
        _map(axes[1], c, chip.circuits[c.name])
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower left", ncols=4, frameon=False, fontsize=8)
    grid[-1, 1].set_xlabel("column of the neuron", fontsize=8)
    figure.savefig(path, dpi=130)


def _histogram(axes: Axes, c: Characteristic, values: NDArray[np.float64], medians: NDArray[np.float64]) -> None:
    low, middle, high = np.percentile(medians, (5, 50, 95))
    edges = np.linspace(np.percentile(values, 0.2), np.percentile(values, 99.8), 33)
    axes.axvspan(low, high, color=_BAND, lw=0, label="medians of chips, 5 to 95 %")
    axes.axvline(middle, color="0.6", lw=1, label="their median")
    for (name, colour), row in zip(_ROWS, values.reshape(len(_ROWS), -1), strict=True):
        axes.hist(row, edges.tolist(), histtype="step", color=colour, lw=1.1, label=name)
    axes.set_yticks([])
    axes.tick_params(labelsize=8)
    axes.set_title(f"{c.label} [{c.unit}]", fontsize=9, loc="left", pad=3)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)


def _map(axes: Axes, c: Characteristic, values: NDArray[np.float64]) -> None:
    distance = (values - np.median(values)).reshape(len(_ROWS), COLUMNS)
    limit = float(np.percentile(np.abs(distance), 99))
    image = axes.imshow(distance, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    axes.axvline(COLUMNS_PER_BACKEND - 0.5, color="k", lw=0.6)
    axes.axhline(0.5, color="k", lw=0.6)
    axes.set_yticks([0, 1], ["top", "bottom"], fontsize=8)
    axes.set_xticks(range(0, COLUMNS + 1, COLUMNS_PER_BACKEND // 2))
    axes.tick_params(labelsize=8)
    axes.set_title(c.codes, fontsize=8, loc="left", pad=3, color="0.3")
    bar = axes.figure.colorbar(image, ax=axes, pad=0.01, fraction=0.05, aspect=6)
    bar.set_ticks([-limit, 0, limit], labels=[f"{-limit:.3g}", "0", f"+{limit:.3g}"])
    bar.ax.tick_params(labelsize=7, length=2)


def comparison(chips: Sequence[Portrait], population: Population, path: Path) -> None:
    """Write the picture of several chips: for each characteristic the medians and 5 to 95 % of their circuits, over the population's chips."""
    columns = 4
    rows = -(-len(CHARACTERISTICS) // columns)
    figure = Figure(figsize=(13, rows * (0.85 + 0.22 * len(chips)) + 0.9), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle("virtual chips: what equal codes mean; dots and lines are median and 5 to 95 % of 512 circuits", fontsize=11)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    place = np.arange(len(chips))[::-1]
    for axes, c in zip(grid.flat, CHARACTERISTICS, strict=False):
        low, middle, high = np.percentile(population[c.name], (5, 50, 95))
        axes.axvspan(low, high, color=_BAND, lw=0, label="medians of chips, 5 to 95 %")
        axes.axvline(middle, color="0.6", lw=1, label="their median")
        for number, (chip, y) in enumerate(zip(chips, place, strict=True)):
            left, dot, right = chip.quantiles(c.name)
            axes.plot([left, right], [y, y], color=f"C{number % 10}", lw=2, solid_capstyle="butt")
            axes.plot(dot, y, "o", color=f"C{number % 10}", ms=5)
        axes.set_title(f"{c.label} [{c.unit}]", fontsize=8.5, loc="left", pad=3)
        axes.set_yticks(place, [chip.title for chip in chips])
        axes.set_ylim(-0.7, len(chips) - 0.3)
        axes.tick_params(labelsize=8)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    for axes in list(grid.flat)[len(CHARACTERISTICS) :]:
        axes.set_axis_off()
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="lower right", frameon=False, fontsize=9)
    figure.savefig(path, dpi=130)
