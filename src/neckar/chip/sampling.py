"""What all instruments share: sampling the engine's dense output of one circuit at given ticks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import COLUMNS
from neckar.chip.probe import signal
from neckar.dynamics import Lane, Segment, Trace


class Sampler:
    """Collects signals of one circuit at ascending ticks while a trial runs.

    Parameters
    ----------
    circuit : int
    signals : sequence of str
        Names of :data:`neckar.chip.probe.UNITS`.
    ticks : ndarray of int64

    Attributes
    ----------
    values : ndarray, shape (signal, sample), float32
        SI units.
    """

    def __init__(self, circuit: int, signals: Sequence[str], ticks: NDArray[np.int64]) -> None:
        self.circuit, self.signals, self.ticks = circuit, tuple(signals), ticks
        self.hemisphere, self.column = divmod(circuit, COLUMNS)
        self.values = np.zeros((len(self.signals), len(ticks)), np.float32)

    def take(self, hemisphere: int, lane: Lane, traces: Sequence[Trace], segment: Segment) -> None:
        """Fill in the samples that fall into the traces."""
        if hemisphere != self.hemisphere:
            return
        for trace in traces:
            a, b = np.searchsorted(self.ticks, (trace.start, trace.start + (len(trace.states) - 1) * trace.h_ticks))
            if a < b:
                dense = lane.sample(trace, self.column, self.ticks[a:b])
                for k, name in enumerate(self.signals):
                    self.values[k, a:b] = signal(name, dense, segment.parameters, self.column)
