"""The figure of ``neckar ppu profile``. Importing this module imports matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from neckar.cli._profile import SIDES, WEIGHTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neckar.cli._profile import History

_QUANTILES = ((0.05, ":"), (0.5, "-"), (0.95, ":"))


def draw(history: History, title: str, path: Path) -> None:
    """Write the figure: the distribution of the weights over time with its quantiles and a few single synapses, and the last distribution."""
    figure = Figure(figsize=(10, 5), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(4, 1), sharey=True)
    figure.suptitle(title)
    _over_time(left, history)
    right.barh(np.arange(WEIGHTS), history.last, height=1.0, color="C0")
    right.set(xlabel="synapses", title="at the end")
    figure.savefig(path, dpi=150)


def _over_time(axes: Axes, history: History) -> None:
    times, counts = np.array(history.times), np.array(history.counts, float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    edges = np.append(times, times[-1] + max((times[-1] - times[0]) / max(len(times) - 1, 1), 1e-9))
    axes.pcolormesh(edges, np.arange(WEIGHTS + 1) - 0.5, shares.T, cmap="Blues", norm=PowerNorm(0.4, vmin=0, vmax=1))
    number = max(len(trace) for trace in history.traces)
    traces = np.array([np.pad(trace.astype(float), (0, number - len(trace)), constant_values=np.nan) for trace in history.traces])
    for k, (hemisphere, row, column) in enumerate(history.places[:number]):
        axes.step(times, traces[:, k], where="post", lw=0.9, color=f"C{1 + k}", label=f"{SIDES[hemisphere]}, row {row}, column {column}")
    for share, style in _QUANTILES:
        axes.step(times, history.quantile(share), where="post", lw=1.6, ls=style, color="black", label=f"{100 * share:.0f} % of the synapses below")
    axes.set(xlabel="hardware time [ms]", ylabel="weight", ylim=(-0.5, WEIGHTS - 0.5))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, frameon=False, fontsize=8)
