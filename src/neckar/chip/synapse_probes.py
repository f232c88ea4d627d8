"""The open instruments of the synapse array: what drivers and correlation sensors hold, exact, and without influence on them.

Both follow the trial with a copy of the state that they look at. It gets the same events, pulses and changes in the same order as the original,
and is stopped at each sample. So they see the bits of a read at that tick, and the run has the bits of one without them.

Not modelled: anything of a real instrument, since silicon has no such one. A converter's noise, offsets and rounding do not act, and a sample takes no time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import COLUMNS
from neckar.chip.correlation import ACAUSAL, CAUSAL, SensorOutputs
from neckar.dynamics import NO_EVENTS, DriverParameters, Drivers, RowEvents, SensorParameters, Sensors, follow_kernel, forked, reconfigured
from neckar.program import DRIVER_SIGNALS, DriverProbe, SensorProbe

DRIVER_UNITS = {"u": "V", "pulse": "1"}
"""Signals of drivers and their units."""
SENSOR_UNITS = {"causal": "LSB", "acausal": "LSB", "v_causal": "V", "v_acausal": "V"}
"""Signals of correlation sensors and their units; LSB are steps of the CADC."""

Ticks = NDArray[np.int64]
Outputs = Callable[[int, NDArray[np.int64]], SensorOutputs]  # (hemisphere, rows), of one configuration
ALL_BITS = np.full(COLUMNS, 255, np.uint8)  # the labels of noted events have been masked already


class DriverSampler:
    """Collects what the drivers of a :class:`neckar.program.DriverProbe` hold.

    Parameters
    ----------
    probe : DriverProbe
    ticks : ndarray of int64
        Of the samples, ascending.
    drivers : Drivers
        Of the hemisphere, when the trial begins.
    """

    def __init__(self, probe: DriverProbe, ticks: Ticks, drivers: Drivers) -> None:
        self.hemisphere, self._signals, self._ticks = probe.hemisphere, [DRIVER_SIGNALS.index(name) for name in probe.signals], ticks
        self._drivers, self._receptor = forked(drivers), np.zeros(COLUMNS, np.uint8)
        self._wanted = np.asarray(probe.drivers, np.int64)
        self._place = np.full(len(drivers.u), -1, np.int64)
        self._place[self._wanted] = np.arange(len(self._wanted))
        self._done = np.zeros(len(self._wanted), np.int64)
        self._value = np.zeros((len(DRIVER_SIGNALS), len(ticks), len(self._wanted)), np.float32)

    def take(self, events: RowEvents, until: int) -> None:
        """Take in row events, in the order in which they came to the drivers. All before tick `until` are in."""
        follow_kernel()(
            self._drivers, self._receptor, events.tick, events.row, events.label, self._wanted, self._place, self._ticks, self._done, until, self._value
        )

    def reconfigure(self, parameters: DriverParameters, row_mode: NDArray[np.uint8], tick: int) -> None:
        """Take over a configuration from a tick on; all events before it are in."""
        self.take(NO_EVENTS, tick - 1)
        self._drivers, self._receptor = reconfigured(self._drivers, parameters, tick), np.ascontiguousarray(row_mode, np.uint8)

    @property
    def values(self) -> NDArray[np.float32]:
        """What was sampled, shape (signal, sample, driver)."""
        return self._value[self._signals]


class SensorSampler:
    """Collects what the correlation sensors of a :class:`neckar.program.SensorProbe` hold.

    Parameters
    ----------
    probe : SensorProbe
    ticks : ndarray of int64
        Of the samples, ascending.
    sensors : Sensors
        Of the hemisphere, when the trial begins.

    Attributes
    ----------
    values : ndarray, shape (signal, sample, row, column), float32
    """

    def __init__(self, probe: SensorProbe, ticks: Ticks, sensors: Sensors) -> None:
        self.hemisphere, self.rows = probe.hemisphere, np.asarray(probe.rows, np.int64)
        self._signals, self._ticks, self._columns = probe.signals, ticks, np.asarray(probe.columns, np.int64)
        self._part = sensors.part(self.rows)
        self._place = np.full(COLUMNS, -1, np.int32)
        self._place[self.rows] = np.arange(len(self.rows))
        self._seen = np.isin(np.arange(COLUMNS), self._columns)
        self._events: list[RowEvents] = []
        self._posts: list[tuple[Ticks, Ticks]] = []
        self._changes: list[int] = []  # ticks
        self._done, self._outputs = 0, SensorOutputs(0.0, np.zeros(COLUMNS, bool))
        self.values = np.zeros((len(self._signals), len(ticks), len(self.rows), len(self._columns)), np.float32)

    def note(self, events: RowEvents, mask: NDArray[np.uint8], tick: Ticks, column: Ticks) -> None:
        """Take in row events and post pulses, as :meth:`neckar.dynamics.Sensors.note`."""
        if self._done == len(self._ticks):
            return
        mine = self._place[events.row] >= 0 if len(events.tick) else np.zeros(0, bool)
        if mine.any():
            row, label = events.row[mine], events.label[mine]
            self._events.append(RowEvents(events.tick[mine], self._place[row], label & mask[row >> 1]))
        seen = self._seen[column]
        if seen.any():
            self._posts.append((tick[seen], column[seen]))

    def reset(self, row: int, tick: int, columns: NDArray[np.bool_] | None = None) -> None:
        """Empty the sensors of a row, or of some of its columns."""
        if self._place[row] >= 0:
            self._part.reset(row, tick, columns)
            self._changes.append(tick)

    def relabel(self, row: int, labels: NDArray[np.uint8], tick: int) -> None:
        """Give the synapses of a row other labels."""
        if self._place[row] >= 0:
            self._part.relabel(row, labels, tick)
            self._changes.append(tick)

    def reconfigure(self, parameters: SensorParameters | None, labels: NDArray[np.uint8], outputs: SensorOutputs, tick: int) -> None:
        """Take over labels, outputs and, if they are others, parameters from a tick on; all pulses before it are in."""
        self.sample(tick - 1)
        self._part.reconfigure(parameters, labels, tick)
        self._changes.append(tick)
        self._outputs = outputs

    def sample(self, until: int) -> None:
        """Take the samples up to tick `until`; all pulses before it are in."""
        stop = int(np.searchsorted(self._ticks, until, side="right"))
        if stop == self._done:
            return
        events, posts = self._in_order()
        ticks = self._ticks[self._done : stop]
        n_events, n_posts = np.searchsorted(events.tick, ticks).tolist(), np.searchsorted(posts[0], ticks).tolist()
        a, b = 0, 0
        for s, tick, to_a, to_b in zip(range(self._done, stop), ticks.tolist(), n_events, n_posts, strict=True):
            changed = bool(self._changes) and self._changes[0] <= tick
            if s == self._done or changed or to_a > a or to_b > b:
                self._part.note(RowEvents(events.tick[a:to_a], events.row[a:to_a], events.label[a:to_a]), ALL_BITS, posts[0][b:to_b], posts[1][b:to_b])
                self._part.advance(tick)
                self._changes = [change for change in self._changes if change > tick]
                self._read(s)
            else:
                self.values[:, s] = self.values[:, s - 1]
            a, b = to_a, to_b
        self._done = stop
        self._events, self._posts = [RowEvents(events.tick[a:], events.row[a:], events.label[a:])], [(posts[0][b:], posts[1][b:])]

    def _in_order(self) -> tuple[RowEvents, tuple[Ticks, Ticks]]:
        """Return what has been noted and not worked off, ascending in time."""
        tick, row, label = (np.concatenate([getattr(part, name) for part in [NO_EVENTS, *self._events]]) for name in ("tick", "row", "label"))
        order = np.argsort(tick, kind="stable")
        fired, column = (np.concatenate([np.empty(0, np.int64), *(part[k] for part in self._posts)]) for k in (0, 1))
        later = np.argsort(fired, kind="stable")
        return RowEvents(tick[order], row[order], label[order]), (fired[later], column[later])

    def _read(self, s: int) -> None:
        charge = self._part.state().charge
        volts = self._outputs.volts(charge)
        planes = {"causal": charge[CAUSAL], "acausal": charge[ACAUSAL], "v_causal": volts[CAUSAL], "v_acausal": volts[ACAUSAL]}
        for k, name in enumerate(self._signals):
            self.values[k, s] = planes[name][:, self._columns]
