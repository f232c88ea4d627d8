"""The picture of ``neckar calibrate``. Importing this module imports matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from neckar.calibration import made_by
from neckar.calibration.ageing import Aged, Night
from neckar.calibration.behaviour import QUANTITIES, Comparison, trimmed
from neckar.cli._calibration_report import Made, ratio
from neckar.cli._tally import chip_name
from neckar.lab import Lab

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ELEMENTS = {256: "driver", 512: "neuron circuit", 1024: "channel of the converter"}
_BEFORE, _AFTER, _TARGET = "0.65", "C0", "C3"


def draw(lab: Lab, made: Made, path: Path) -> None:
    """Write the picture: for each quantity all neurons and a histogram, before and after; below, how the calibration ages, if that was measured."""
    more = [part for part in (made.ageing, made.nights) if part is not None]
    rows = len(made.seen) + 2 * len(more)
    figure = Figure(figsize=(11, 1.5 * rows + 1.0), layout="constrained")
    FigureCanvasAgg(figure)
    reached = made.calibration.reached()
    what = f"virtual chip {chip_name(lab.specimen.id)}: calibration for {made.kind}, {made_by(made.calibration.provenance)}"
    figure.suptitle(
        f"{what}; {reached.sum()} of {len(reached)} neurons reached all targets\nbefore: one code for all, the median of those found; neurons seen "
        "without the converter",
        fontsize=11,
    )
    grid = figure.add_gridspec(rows, 2, width_ratios=(3, 1))
    for row, (name, seen) in enumerate(made.seen.items()):
        left = figure.add_subplot(grid[row, 0])
        _neurons(left, name, seen, ~reached)
        _histogram(figure.add_subplot(grid[row, 1], sharey=left), seen)
    row = len(made.seen)
    if made.ageing is not None:
        _ageing(figure.add_subplot(grid[row : row + 2, :]), made.ageing)
        row += 2
    if made.nights is not None:
        _days(figure.add_subplot(grid[row : row + 2, :]), made.nights)
    figure.savefig(path, dpi=130)


def _neurons(axes: Axes, name: str, seen: Comparison, missed: Any) -> None:
    quantity = QUANTITIES[name]
    place = np.arange(len(seen.after))
    axes.plot(place, seen.before, ".", ms=2.5, color=_BEFORE)
    axes.plot(place, seen.after, ".", ms=2.5, color=_AFTER)
    if len(missed) == len(place) and missed.any():
        axes.plot(place[missed], seen.after[missed], "o", ms=5, mfc="none", color=_TARGET)
    if seen.target is not None:
        axes.plot(place, seen.target, lw=0.8, color=_TARGET)
    spread = f"spread {trimmed(seen.before):.2g} before, {trimmed(seen.after):.2g} after: {ratio(seen):.2f}"
    axes.set_title(f"{quantity.label} [{quantity.unit}]    {spread}", fontsize=9, loc="left", pad=3)
    low, high = np.percentile(np.concatenate([seen.before, seen.after]), (0.2, 99.8))
    axes.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
    axes.set_xlim(0, len(place))
    axes.set_xlabel(_ELEMENTS.get(len(place), "sensor"), fontsize=8, labelpad=1)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _histogram(axes: Axes, seen: Comparison) -> None:
    edges = np.linspace(*axes.get_ylim(), 60)
    for values, colour, label in ((seen.before, _BEFORE, "before"), (seen.after, _AFTER, "after")):
        axes.hist(values, edges.tolist(), orientation="horizontal", color=colour, alpha=0.8, label=label)
    axes.set_xticks([])
    axes.tick_params(labelleft=False)
    axes.legend(frameon=False, fontsize=8, loc="upper right")
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _ageing(axes: Axes, ageing: Mapping[str, Aged]) -> None:
    for number, (name, aged) in enumerate(ageing.items()):
        if QUANTITIES[name].unit == "CADC LSB":
            axes.plot(aged.hours, aged.error, ".-", color=f"C{number}", label=QUANTITIES[name].label)
    axes.set(xlabel="hours after the calibration", ylabel="distance from\nthe target [CADC LSB]", title="an ageing calibration", ylim=(0, None))
    _small(axes)


def _days(axes: Axes, nights: list[Night]) -> None:
    for number, name in enumerate(nights[0].nightly):
        for style, how, values in (("-", "nightly", "nightly"), ("--", "once", "once")):
            distance = [getattr(night, values)[name] for night in nights]
            axes.plot(range(1, len(nights) + 1), distance, f".{style}", color=f"C{number}", label=f"{QUANTITIES[name].label}, calibrated {how}")
    axes.set(xlabel="day", ylabel="distance from\nthe target [CADC LSB]", title="calibrated every night, and once", ylim=(0, None))
    _small(axes)


def _small(axes: Axes) -> None:
    axes.title.set_fontsize(9)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(8)
    axes.tick_params(labelsize=8)
    axes.legend(frameon=False, fontsize=7, ncols=3)
    axes.spines[["top", "right"]].set_visible(False)
