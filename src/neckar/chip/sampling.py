"""What all instruments share: sampling the engine's dense output of some circuits at given ticks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import COLUMNS
from neckar.chip.madc import BurstGrid
from neckar.chip.probe import signal
from neckar.chip.readout import Readout
from neckar.chip.shared_currents import SIGNALS, shared_currents
from neckar.dynamics import CircuitParameters, Lane, Segment, Trace


class Sampler:
    """Collects values of some circuits at ascending ticks while a trial runs; what it reads, a subclass says.

    Parameters
    ----------
    circuits : sequence of int
    ticks : ndarray of int64
    n_values : int
        Values per circuit and sample.

    Attributes
    ----------
    values : ndarray, shape (value, sample, circuit), float32
        SI units.
    """

    def __init__(self, circuits: Sequence[int], ticks: NDArray[np.int64], n_values: int = 1) -> None:
        self.ticks = ticks
        hemisphere, column = np.divmod(np.asarray(circuits, np.int64), COLUMNS)
        self._places = {int(h): np.flatnonzero(hemisphere == h) for h in np.unique(hemisphere)}
        self._columns = {h: column[places] for h, places in self._places.items()}
        self.values = np.zeros((n_values, len(ticks), len(column)), np.float32)

    def take(self, hemisphere: int, lane: Lane, traces: Sequence[Trace], segment: Segment) -> None:
        """Fill in the samples that fall into the traces."""
        places = self._places.get(hemisphere)
        if places is None:
            return
        columns = self._columns[hemisphere]
        for trace in traces:
            a, b = np.searchsorted(self.ticks, (trace.start, trace.start + (len(trace.states) - 1) * trace.h_ticks))
            if a < b:
                dense = lane.sample(trace, columns, self.ticks[a:b])
                self.values[:, a:b, places] = self.read(dense, segment.parameters, columns, places)
                self.read_shared(trace, columns, places, slice(a, b))

    def read(self, dense: NDArray[np.float32], p: CircuitParameters, columns: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return values, shape (value, sample, circuit), from the dense output, shape (circuit, sample, 5).

        `p` are the parameters of the hemisphere, `columns` the circuits' columns in it, `places` their positions in the sampler.
        """
        raise NotImplementedError

    def read_shared(self, trace: Trace, columns: NDArray[np.int64], places: NDArray[np.int64], samples: slice) -> None:
        """Replace those values of connected circuits that depend on other circuits; by default there are none."""


class ProbeSampler(Sampler):
    """Collects signals of the open probe, in SI units.

    Parameters
    ----------
    circuits, ticks
        As of :class:`Sampler`.
    signals : sequence of str
        Names of :data:`neckar.chip.probe.UNITS`.
    """

    def __init__(self, circuits: Sequence[int], ticks: NDArray[np.int64], signals: Sequence[str]) -> None:
        super().__init__(circuits, ticks, len(signals))
        self.signals = tuple(signals)

    def read(self, dense: NDArray[np.float32], p: CircuitParameters, columns: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the signals."""
        return np.stack([signal(name, dense, p, columns).T for name in self.signals])

    def read_shared(self, trace: Trace, columns: NDArray[np.int64], places: NDArray[np.int64], samples: slice) -> None:
        """Replace what depends on the other circuits of a neuron, in the other hemisphere too."""
        names = [name for name in self.signals if name in SIGNALS]
        if not names or trace.shared is None:
            return
        lane, traces = trace.shared
        for neuron in traces.neurons(lane, columns):
            dense = traces.dense(neuron, np.arange(len(neuron.circuits)), self.ticks[samples])
            for name, values in zip(names, shared_currents(names, dense, neuron), strict=True):
                self.values[self.signals.index(name)][samples, places[neuron.places]] = values[neuron.members].T


class LineSampler(Sampler):
    """Collects the potential on the readout line of each circuit, V.

    Parameters
    ----------
    circuits, ticks
        As of :class:`Sampler`.
    *sources : str
        Of :data:`neckar.program.SOURCES`; the values have one row for each.

    Attributes
    ----------
    readout : Readout
        The readout circuits as they are configured now.
    """

    readout: Readout

    def __init__(self, circuits: Sequence[int], ticks: NDArray[np.int64], *sources: str) -> None:
        super().__init__(circuits, ticks, len(sources))
        self.circuits, self.sources = np.asarray(circuits, np.int64), sources

    def read(self, dense: NDArray[np.float32], p: CircuitParameters, columns: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the potentials."""
        return np.stack([self.readout.potential(source, dense, self.circuits[places]).T for source in self.sources])


class BurstSamplers:
    """Samplers of bursts; several sources of the same circuits at the same ticks share one.

    Parameters
    ----------
    grids : sequence of BurstGrid

    Attributes
    ----------
    samplers : list of LineSampler
        Instruments of the trial.
    """

    def __init__(self, grids: Sequence[BurstGrid]) -> None:
        alike: dict[tuple[tuple[int, ...], bytes], list[int]] = {}
        for k, grid in enumerate(grids):
            alike.setdefault((grid.bursts.circuits, grid.ticks.tobytes()), []).append(k)
        groups = list(alike.values())
        self.samplers = [LineSampler(grids[ks[0]].bursts.circuits, grids[ks[0]].ticks, *(grids[k].bursts.source for k in ks)) for ks in groups]
        self._place = {k: (i, row) for i, ks in enumerate(groups) for row, k in enumerate(ks)}

    def potentials(self, k: int) -> NDArray[np.float32]:
        """Return what was sampled on grid `k`, V, shape (sample, circuit)."""
        sampler, row = self._place[k]
        return self.samplers[sampler].values[row]
