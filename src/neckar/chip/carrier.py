"""How the two hemispheres are carried through a stretch of a trial: each by itself, or step by step together if their circuits send each other events.

Both ways give the same bits where both apply; the first is faster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import COLUMNS
from neckar.dynamics import NO_EVENTS, NO_OUTSIDE, UNKNOWN, Lane, LaneGroup, OutsideEvents, RowEvents, Segment, Trace

Ints = NDArray[np.int64]


@dataclass(eq=False)
class Carried:
    """What happened on the way.

    Attributes
    ----------
    tick, circuit : ndarray of int64, shape (spike,)
        Ticks lie within the stretch.
    leaves : ndarray of int64, shape (spike,)
        When each spike leaves its event output, 1/1024 tick, `LOST` or `SILENT`; `UNKNOWN` if that is still to be found out.
    traces : list of (hemisphere, Lane, list of Trace)
    events : tuple of RowEvents
        What came to the rows of each hemisphere; empty if nobody asked for it.
    """

    tick: Ints
    circuit: Ints
    leaves: Ints
    traces: list[tuple[int, Lane, list[Trace]]]
    events: tuple[RowEvents, ...] = ()


def _within(segment: Segment, tick: Ints) -> Ints:
    """Return the ticks of spikes that the circuits have fired within a stretch.

    The tick nearest to a crossing may be the end of the stretch, and a shared membrane that lags may cross its threshold just before the start. Other
    registers hold there, and no entry after the last stretch. The borders are those of the stretch and not of a call, so cuts change nothing.
    """
    return np.clip(tick, segment.start, segment.end - 1)


class Carrier(Protocol):
    """The circuits of a trial during one stretch."""

    @property
    def lanes(self) -> Mapping[int, Lane]:
        """Circuits of each hemisphere that has any."""

    def advance(self, segments: Sequence[Segment], t0: int, t1: int) -> Carried:
        """Carry all circuits from tick `t0` to `t1`."""

    def fork(self) -> Carrier:
        """Return a copy of this moment without events to come from outside, to be carried on its own."""

    def write_row(self, hemisphere: int, row: int, volts: NDArray[np.float32], labels: NDArray[np.uint8]) -> None:
        """Replace line steps (V) and labels of a row, shape (column,)."""

    def leftover(self, end: int) -> tuple[RowEvents, ...]:
        """Return the events that arrive at rows of each hemisphere at or after tick `end`."""


class Apart:
    """Hemispheres whose events are all known beforehand."""

    def __init__(self, lanes: Mapping[int, Lane], events: Sequence[RowEvents]) -> None:
        self._lanes, self._events = lanes, events

    @property
    def lanes(self) -> Mapping[int, Lane]:
        """Circuits of each hemisphere that has any."""
        return self._lanes

    def advance(self, segments: Sequence[Segment], t0: int, t1: int) -> Carried:
        """Carry all circuits from tick `t0` to `t1`."""
        ticks, circuits, traces = [np.empty(0, np.int64)], [np.empty(0, np.int64)], []
        for h, lane in self.lanes.items():
            tick, column, new = lane.advance(segments[h], self._events[h], t0, t1)
            ticks.append(tick)
            circuits.append(column.astype(np.int64) + COLUMNS * h)
            traces.append((h, lane, new))
        tick = _within(segments[0], np.concatenate(ticks))
        return Carried(tick, np.concatenate(circuits), np.full(len(tick), UNKNOWN), traces, tuple(half.between(t0, t1) for half in self._events))

    def fork(self) -> Apart:
        """Return a copy of this moment without events to come from outside, to be carried on its own."""
        return Apart({h: lane.fork() for h, lane in self.lanes.items()}, (NO_EVENTS,) * len(self._events))

    def write_row(self, hemisphere: int, row: int, volts: NDArray[np.float32], labels: NDArray[np.uint8]) -> None:
        """Replace line steps (V) and labels of a row, shape (column,)."""
        if hemisphere in self.lanes:
            self.lanes[hemisphere].write_row(row, volts, labels)

    def leftover(self, end: int) -> tuple[RowEvents, ...]:
        """Return the events that arrive at rows of each hemisphere at or after tick `end`."""
        return tuple(events.between(end, 1 << 62) for events in self._events)


class Together:
    """Hemispheres whose circuits send each other events, or fire past their membranes."""

    def __init__(self, group: LaneGroup, events: OutsideEvents) -> None:
        self.group, self._events = group, events

    @property
    def lanes(self) -> Mapping[int, Lane]:
        """Circuits of both hemispheres."""
        return dict(enumerate(self.group.lanes))

    def advance(self, segments: Sequence[Segment], t0: int, t1: int) -> Carried:
        """Carry all circuits from tick `t0` to `t1`."""
        firing, traces = self.group.advance(segments, self._events, t0, t1)
        events = self.group.at_rows(firing.arrival_tick, firing.arrival_way) if segments[0].features.sensed else ()
        return Carried(_within(segments[0], firing.tick), firing.circuit, firing.leaves, [(h, lane, traces[h]) for h, lane in self.lanes.items()], events)

    def fork(self) -> Together:
        """Return a copy of this moment without events to come from outside, to be carried on its own."""
        return Together(self.group.fork(), NO_OUTSIDE)

    def write_row(self, hemisphere: int, row: int, volts: NDArray[np.float32], labels: NDArray[np.uint8]) -> None:
        """Replace line steps (V) and labels of a row, shape (column,)."""
        self.group.write_row(hemisphere, row, volts, labels)

    def leftover(self, end: int) -> tuple[RowEvents, ...]:
        """Return the events that arrive at rows of each hemisphere at or after tick `end`."""
        return self.group.leftover()
