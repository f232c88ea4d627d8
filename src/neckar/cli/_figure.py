"""The figure of ``neckar demo``. Importing this module imports matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from neckar.facts import brainscales2 as facts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neckar.cli.demo import Trace

_MV_PER_V = 1e3


def draw(trace: Trace, title: str, path: Path) -> None:
    """Write the figure: the membrane trace with spikes, and the inter-spike intervals."""
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    figure.suptitle(title)
    _membrane(upper, trace)
    _intervals(lower, trace)
    figure.savefig(path, dpi=150)


def _membrane(axes: Axes, trace: Trace) -> None:
    """Draw the trace in LSB and, on the right, in millivolts under the nominal conversion."""
    axes.plot(trace.time_us, trace.reading, lw=0.8, color="C0", label="membrane")
    if len(trace.reading):
        height = trace.reading.max() + 0.08 * np.ptp(trace.reading)
        axes.plot(trace.spike_us, np.full(len(trace.spike_us), height), "|", ms=9, color="C3", label="spikes")
    axes.set_ylabel("MADC reading [LSB]")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)  # above the axes, clear of the trace
    axes.secondary_yaxis("right", functions=(_millivolts, _reading)).set_ylabel("nominal [mV]")


def _intervals(axes: Axes, trace: Trace) -> None:
    axes.plot(trace.spike_us[1:], trace.interval_us, "o", ms=4, color="C3")
    axes.set(ylabel="interval [us]", xlabel="hardware time [us]", ylim=(0, 1.3 * trace.interval_us.max() if len(trace.interval_us) else 1))


def _millivolts(reading: ArrayLike) -> NDArray[np.float64]:
    return _MV_PER_V * facts.MADC_STEP.value * (np.asarray(reading, np.float64) - facts.MADC_ZERO.value)


def _reading(millivolts: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(millivolts, np.float64) / (_MV_PER_V * facts.MADC_STEP.value) + facts.MADC_ZERO.value
