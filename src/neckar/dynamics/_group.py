"""Lanes that are carried together because their circuits send each other events, or fire past their membrane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics._advance import BOTH
from neckar.dynamics._coupling import Coupling
from neckar.dynamics._crossing import scratch
from neckar.dynamics._dense_nodes import SharedTraces
from neckar.dynamics._exchange import HEAD, OUTSIDE, TAIL, Hits, Queue, Relays, Tables, expand, new_queue
from neckar.dynamics._following import NOBODY, Followers
from neckar.dynamics._jit import kernel
from neckar.dynamics._lane import Lane, RowEvents, Segment, Trace, pieces
from neckar.dynamics._layout import STRIDE, WIDTH
from neckar.dynamics._together import DONE, together_kernel

Ticks = NDArray[np.int64]
LISTED_PER_ROW = 16  # synapses per row up to which those of a way are listed


@dataclass(frozen=True, eq=False)
class OutsideEvents:
    """Events from outside at their first server, ascending: `time` int64 (1/1024 tick), `origin` int64."""

    time: Ticks
    origin: Ticks


NO_OUTSIDE = OutsideEvents(np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(eq=False)
class Firing:
    """Spikes of a group, by step, tick and circuit.

    Attributes
    ----------
    tick, circuit : ndarray of int64, shape (spike,)
        Circuits count over the lanes, 256 each.
    leaves : ndarray of int64, shape (spike,)
        When each spike leaves the circuit's first server, 1/1024 tick; `LOST` or `SILENT` if it does not.
    arrival_tick, arrival_way : ndarray of int64, shape (arrival,)
        Events that came to rows, if the feature `sensed` asks for them.
    """

    tick: Ticks
    circuit: Ticks
    leaves: Ticks
    arrival_tick: Ticks
    arrival_way: Ticks


class LaneGroup:
    """Lanes that are carried together.

    Parameters
    ----------
    lanes : sequence of Lane
        Lane k holds the circuits 256 k to 256 k + 255 of the tables; a lane may be without active circuits.
    relays : sequence of Relays
        Circuits of each lane that fire past their membrane.
    tables : Tables
        Where events go.
    free : ndarray of int64, shape (2, server), optional
        State of the servers (:class:`Queue`); the group goes on with this array.
    carried : sequence of RowEvents, optional
        Events of each lane that are under way.
    coupling : Coupling, optional
        Membranes that circuits share, and conductances between them.
    known : list, optional
        What groups with the same tables, labels and columns have found: where their lanes had weights, and which synapses answer. A new finding is added.
    followers : Followers, optional
        Circuits that fire with others; the group goes on with these arrays.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        relays: Sequence[Relays],
        tables: Tables,
        free: Ticks | None = None,
        carried: Sequence[RowEvents] = (),
        coupling: Coupling | None = None,
        known: Known | None = None,
        followers: Followers | None = None,
    ) -> None:
        self.lanes, self.relays = tuple(lanes), tuple(relays)
        self._coupling, self._followers = coupling, followers
        self.tables = _with_rows(tables, carried)
        n_ways, n_carried = len(tables.way_server), sum(len(events.tick) for events in carried)
        self.queue = new_queue(len(tables.service), n_ways + n_carried, max(4096, 2 * n_carried))
        if free is not None:
            self.queue = self.queue._replace(free=free)
        if n_carried:
            tick = np.concatenate([events.tick for events in carried])
            order = np.argsort(tick, kind="stable")
            self.queue.tick[:n_carried], self.queue.way[:n_carried] = tick[order], n_ways + order
            self.queue.cursor[TAIL] = n_carried
        self._n_ways = n_ways
        hits = _hits(self.tables, self.lanes) if known is None or n_carried else _known_hits(self.tables, self.lanes, known)
        self.hits = hits._replace(way_weight=_listed_weights(self.tables, self.lanes, hits))
        self._widest, self._spread = _longest(tables.way_ptr), _longest(self.tables.row_ptr)
        self._room = 1 << 16

    def _under_way(self) -> tuple[Ticks, Ticks]:
        head, tail = self.queue.cursor[HEAD], self.queue.cursor[TAIL]
        return self.queue.tick[head:tail], self.queue.way[head:tail]

    def _waits(self, events: OutsideEvents, end: int) -> bool:
        """Return whether events from outside have not been admitted, or events under way come before tick `end`."""
        tick, _ = self._under_way()
        return self.queue.cursor[OUTSIDE] < len(events.time) or (len(tick) > 0 and int(tick[0]) < end)

    def leftover(self) -> tuple[RowEvents, ...]:
        """Return the events under way, for each lane."""
        return self.at_rows(*self._under_way())

    def at_rows(self, tick: Ticks, way: Ticks) -> tuple[RowEvents, ...]:
        """Return what events that come over ways at some ticks are at the rows of each lane."""
        found = []
        for lane in range(len(self.lanes)):
            mine = self.tables.way_lane[way] == lane
            rows = [slice(self.tables.row_ptr[w], self.tables.row_ptr[w + 1]) for w in way[mine]]
            found.append(
                RowEvents(
                    np.repeat(tick[mine], [r.stop - r.start for r in rows]),
                    np.concatenate([self.tables.row[r] for r in rows] or [self.tables.row[:0]]),
                    np.concatenate([self.tables.row_label[r] for r in rows] or [self.tables.row_label[:0]]),
                )
            )
        return tuple(found)

    def passed(self) -> Ticks:
        """Return how many events the server of each way of the tables has passed on, shape (way,), counted behind it: at the rows, or on the way there."""
        return (self.queue.arrived + np.bincount(self._under_way()[1], minlength=len(self.queue.arrived)))[: self._n_ways]

    def carried_arrivals(self) -> list[tuple[NDArray[np.int32], NDArray[np.uint8], Ticks]]:
        """Return for each lane rows, labels and how many of the events have come there that were under way before."""
        arrived, first = self.queue.arrived[self._n_ways :], self.tables.row_ptr[self._n_ways]
        if not len(arrived):
            return []
        row, label, lane = self.tables.row[first:], self.tables.row_label[first:], self.tables.way_lane[self._n_ways :]
        return [(row[lane == k], label[lane == k], arrived[lane == k]) for k in range(len(self.lanes))]

    def write_row(self, lane: int, row: int, weights: NDArray[np.float32], labels: NDArray[np.uint8]) -> None:
        """Replace weights (V) and labels of one row of a lane, shape (column,), for all events delivered from now on."""
        self.lanes[lane].write_row(row, weights, labels)
        self.hits.dense[lane, row] = True
        ways = np.repeat(np.arange(len(self.tables.way_lane)), np.diff(self.tables.row_ptr))[self.tables.row == row]
        self.hits.sparse[ways[self.tables.way_lane[ways] == lane]] = False
        relays = self.relays[lane]
        relays.label[row], relays.on[row] = labels[relays.column], weights[relays.column] > 0

    def fork(self) -> LaneGroup:
        """Return a copy of this moment that can be carried on its own; observed circuits are not copied."""
        twin = object.__new__(LaneGroup)
        twin.__dict__.update(self.__dict__)
        twin.lanes = tuple(lane.fork() for lane in self.lanes)
        twin.relays = tuple(relays._replace(ready=relays.ready.copy(), slot=np.full_like(relays.slot, NOBODY)) for relays in self.relays)
        twin.hits = self.hits._replace(dense=self.hits.dense.copy(), sparse=self.hits.sparse.copy())
        twin.queue = Queue(*(part.copy() for part in self.queue))
        twin._coupling = self._coupling.fork() if self._coupling else None
        followers = self._followers
        twin._followers = followers and followers._replace(high=followers.high.copy(), slot=np.full_like(followers.slot, NOBODY))
        return twin

    def advance(self, segments: Sequence[Segment], events: OutsideEvents, t0: int, t1: int) -> tuple[Firing, list[list[Trace]]]:
        """Carry the lanes from tick `t0` to `t1` within segments of equal extent and features; the rules of :meth:`Lane.advance` hold.

        `events` are those of the whole segment; the group knows which of them it has admitted.

        Returns
        -------
        firing : Firing
        traces : list of list of Trace
            For each lane one for each call of the kernel, if circuits are observed.
        """
        found: list[Firing] = []
        traces: list[list[Trace]] = [[] for _ in self.lanes]
        for origin, h_ticks, first, count, until, resumed in pieces(segments[0], t0, t1, min(lane.chunk for lane in self.lanes)):
            for lane, segment in zip(self.lanes, segments, strict=True):
                lane.configure(segment, h_ticks)
            if self._coupling:
                self._coupling.configure(segments[0].features, h_ticks, self.lanes)
                if self._followers is not None:
                    _find_nodes(self._followers, self._coupling, self.lanes)
            done = 0
            while done != DONE:
                firing, new, done = self._call(segments[0], events, origin, first, count, h_ticks, until, resumed)
                found.append(firing)
                for k, trace in new:
                    traces[k].append(trace)
                first, count, resumed = first + done, count - done, True
        if t1 == segments[0].end and (not found or self._waits(events, t1)):  # what came within the last step and has not acted yet
            done = 0
            while done != DONE:
                firing, new, done = self._call(segments[0], events, origin, first + max(count, 0), 0, h_ticks, t1, True)
                found.append(firing)
        parts = [np.concatenate([getattr(firing, name) for firing in found]) for name in ("tick", "circuit", "leaves", "arrival_tick", "arrival_way")]
        return Firing(*parts), traces

    def _call(
        self, segment: Segment, events: OutsideEvents, origin: int, first: int, count: int, h_ticks: int, until: int, resumed: bool
    ) -> tuple[Firing, list[tuple[int, Trace]], int]:
        lanes = self.lanes
        states = tuple(lane.start_trace(count, resumed) for lane in lanes)
        log = [tuple(np.empty(self._room * (len(lane.observed) > 0), dtype) for lane in lanes) for dtype in (np.int32, np.int32, np.int64, np.float32)]
        n_log = np.zeros(len(lanes), np.int64)
        out = np.empty(self._room, np.int64), np.empty(self._room, np.int64), np.empty(self._room, np.int64)
        arrivals = np.empty(self._room * segment.features.sensed, np.int64), np.empty(self._room * segment.features.sensed, np.int64)
        n_arrived = np.zeros(1, np.int64)
        coupling, followers = self._coupling, self._followers
        n_spikes, done = together_kernel(segment.features, coupling is not None, followers is not None)(
            *_each(lanes, "block", "flags"), tuple(lane.n for lane in lanes), np.float32(h_ticks * 2e-3), h_ticks, origin, first, count, until, resumed,
            lanes[0].constants, *_each(lanes, "weights", "labels", "uniform", "receptor"), lanes[0].share, lanes[0].late,
            *_each(lanes, "drivers", "heard", "keys"), lanes[0].seed, *_each(lanes, "observed"), states, *log, n_log, *_each(lanes, "column_of"), self.relays,
            self.tables, self.queue, self.hits, events.time, events.origin, self._widest, self._spread,
            coupling.nodes if coupling else (), *out, np.empty(self._room, np.int16),
            scratch(), np.full(len(lanes), BOTH, np.uint8), *arrivals, n_arrived, () if followers is None else followers,
        )  # fmt: skip
        steps = count if done == DONE else done
        traces: list[tuple[int, Trace]] = []
        for k, lane in enumerate(lanes):
            if len(lane.observed):
                kicks = [part[k][: n_log[k]] for part in log]
                traces.append((k, lane.finish_trace(origin, first, steps, h_ticks, resumed, states[k][: steps + 1], kicks)))
        if coupling:
            seen = {k: lane.columns[lane.observed] for k, lane in enumerate(lanes)}
            keys = {k: lane.keys[lane.observed] for k, lane in enumerate(lanes)}
            together = SharedTraces(coupling, segment.features, dict(traces), seen, keys, lanes[0].seed)
            for k, trace in traces:
                trace.shared = k, together
        if done != DONE:
            self._grow()
        return Firing(*(part[:n_spikes].copy() for part in out), *(part[: n_arrived[0]].copy() for part in arrivals)), traces, done

    def _grow(self) -> None:
        """Make more room in all buffers."""
        self._room *= 2
        queue = self.queue
        n = 2 * len(queue.tick)
        wider = new_queue(queue.free.shape[1], len(queue.arrived), n)
        wider.tick[: n // 2], wider.way[: n // 2] = queue.tick, queue.way
        self.queue = queue._replace(tick=wider.tick, way=wider.way)


def _find_nodes(followers: Followers, coupling: Coupling, lanes: Sequence[Lane]) -> None:
    """Note which circuits share or connect their membranes, and where."""
    for k, nodes in enumerate(coupling.nodes):
        circuit = np.array([WIDTH * h + int(lanes[h].columns[i]) for h, i in zip(nodes.lane.tolist(), nodes.place.tolist(), strict=True)])
        followers.group[circuit], followers.member[circuit] = k, np.arange(len(circuit))


Known = list[tuple[tuple[NDArray[np.bool_], ...], Hits]]


def _known_hits(tables: Tables, lanes: Sequence[Lane], known: Known) -> Hits:
    """Return the hits of lanes; those of earlier ones if they had weights at the same synapses."""
    used = tuple(lane.weights > 0 for lane in lanes)
    found = next((hits for before, hits in known if all(map(np.array_equal, before, used))), None)
    if found is None:
        found = _hits(tables, lanes)
        known.append((used, found))
    return found._replace(dense=found.dense.copy(), sparse=found.sparse.copy())


def _hits(tables: Tables, lanes: Sequence[Lane]) -> Hits:
    """Return which synapses of a weight answer each label on each row."""
    lane_of = np.repeat(tables.way_lane, np.diff(tables.row_ptr))
    key, pair = np.unique((lane_of << 16) | (tables.row.astype(np.int64) << 8) | tables.row_label, return_inverse=True)
    counts, synapses = np.zeros(len(key) + 1, np.int64), [np.zeros(0, np.int32)]
    for k, lane in enumerate(lanes):
        mine = np.flatnonzero(key >> 16 == k)
        row, label = key[mine] >> 8 & 255, key[mine] & 255
        if len(lane.drivers.parameters.mask):
            label &= lane.drivers.parameters.mask[row >> 1]
        count, found = np.empty(len(mine), np.int64), np.empty(len(mine) * len(lane.columns) + 1, np.int32)
        _answers_kernel()(lane.labels, lane.weights, len(lane.columns), row, label, count, found)
        counts[mine + 1] = count
        synapses.append(found[: count.sum()])
    ptr, synapse = np.cumsum(counts), np.concatenate(synapses)
    n_ways = len(tables.way_lane)
    way, hits = np.repeat(np.arange(n_ways), np.diff(tables.row_ptr)), np.diff(ptr)[pair]
    sparse = np.bincount(way, weights=hits, minlength=n_ways) <= LISTED_PER_ROW * np.diff(tables.row_ptr)
    entry = np.flatnonzero(sparse[way])
    owner, listed = expand(ptr, pair[entry])
    row, of = tables.row[entry][owner], way[entry][owner]
    receptor = np.stack([lane.receptor for lane in lanes])[tables.way_lane[of], row]
    chosen, column = np.nonzero(receptor[:, None] >> _LINES & 1)  # of a row on both lines the inhibitory one first, as whole rows
    line, of = _LINES[column], of[chosen]
    way_ptr = np.searchsorted(of, np.arange(n_ways + 1)).astype(np.int64)
    lines = np.bitwise_or.reduce([np.bincount(of[line == k], minlength=n_ways).astype(bool) << k for k in _LINES])
    dense = np.zeros((len(lanes), WIDTH), np.bool_)
    at = (synapse[listed][chosen] + line * STRIDE).astype(np.int32)
    return Hits(pair.astype(np.int64), ptr, synapse, dense, sparse, way_ptr, lines.astype(np.uint8), at, row[chosen], np.empty(0, np.float32))


_LINES = np.array([1, 0])


def _listed_weights(tables: Tables, lanes: Sequence[Lane], hits: Hits) -> NDArray[np.float32]:
    """Return the weights of the listed synapses."""
    weight, column = np.empty(len(hits.way_at), np.float32), hits.way_at % STRIDE
    lane_of = np.repeat(tables.way_lane, np.diff(hits.way_ptr))
    for k, lane in enumerate(lanes):
        mine = np.flatnonzero(lane_of == k)
        weight[mine] = lane.weights[hits.way_row[mine], column[mine]]
    return weight


@cache
def _answers_kernel() -> Callable[..., Any]:
    def list_answers(labels, weights, columns, row, label, count, found):  # type: ignore[no-untyped-def]
        n = 0
        for k in range(row.size):
            first = n
            for column in range(columns):
                found[n] = column
                n += labels[row[k], column] == label[k] and weights[row[k], column] > 0
            count[k] = n - first

    return kernel(list_answers, "")


def _longest(ptr: Ticks) -> int:
    """Return the length of the longest range of a CSR pointer."""
    return int((ptr[1:] - ptr[:-1]).max(initial=0))


def _with_rows(tables: Tables, carried: Sequence[RowEvents]) -> Tables:
    """Append ways that consist of one row each, for events that are under way already."""
    counts = [len(events.tick) for events in carried]
    if not sum(counts):
        return tables
    lane = np.repeat(np.arange(len(carried)), counts)
    return tables._replace(
        way_server=np.concatenate([tables.way_server, np.zeros(len(lane), np.int64)]),
        way_lane=np.concatenate([tables.way_lane, lane]),
        row_ptr=np.concatenate([tables.row_ptr, tables.row_ptr[-1] + np.arange(1, len(lane) + 1)]),
        row=np.concatenate([tables.row, *(events.row for events in carried)]),
        row_label=np.concatenate([tables.row_label, *(events.label for events in carried)]),
    )


def _each(lanes: Sequence[Lane], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(getattr(lane, name) for lane in lanes) for name in names]


def gather_relays(
    columns: Ticks,
    integrated: Ticks,
    observed: Ticks,
    lines: NDArray[np.bool_],
    labels: NDArray[np.uint8],
    weights: NDArray[np.float32],
    refractory: Ticks,
    ready: Ticks,
) -> Relays:
    """Return the relays of a lane.

    Parameters
    ----------
    columns : ndarray of int64, shape (relay,)
        Ascending.
    integrated, observed : ndarray of int64
        Columns of the lane's integrated and of its observed circuits, ascending.
    lines : ndarray of bool, shape (line, relay)
    labels, weights : ndarray, shape (row, column)
        Of the whole hemisphere.
    refractory : ndarray of int64, shape (relay,)
        Ticks.
    ready : ndarray of int64, shape (column,)
        Tick from which each column of the hemisphere fires again; the relays go on with this array.
    """
    return Relays(
        columns,
        _place_among(integrated, columns),
        _place_among(observed, columns),
        np.ascontiguousarray(lines),
        np.ascontiguousarray(labels[:, columns]),
        np.ascontiguousarray(weights[:, columns] > 0),
        refractory.astype(np.int64),
        ready,
    )


def _place_among(chosen: Ticks, columns: Ticks) -> Ticks:
    """Return where columns are among some chosen ones, ascending; -1 if they are not."""
    return np.where(np.isin(columns, chosen), np.searchsorted(chosen, columns), NOBODY).astype(np.int64)


NO_RELAYS = gather_relays(
    np.empty(0, np.int64),
    np.empty(0, np.int64),
    np.empty(0, np.int64),
    np.empty((2, 0), np.bool_),
    np.empty((256, 0), np.uint8),
    np.empty((256, 0), np.float32),
    np.empty(0, np.int64),
    np.empty(0, np.int64),
)
"""Of a lane without circuits that fire past their membrane; give it the lane's `ready`."""
