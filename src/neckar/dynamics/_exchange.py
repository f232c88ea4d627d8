"""Events between circuits: servers with short queues, the list of events under way, and circuits that fire past their membrane.

An event travels from its origin (an outside source or a circuit that fired) over one or more *servers*, such as the outputs of a crossbar, to synapse
rows. A server passes one event per service time and holds a few waiting ones; what finds its queue full is lost and counted. Which servers an
event visits and which rows answer are tables (:class:`Tables`); what is under way survives in a :class:`Queue`. Server times are counted in 1/1024 tick.

Outside events are admitted before the step in which they arrive. Events of circuits that fire in a step are admitted after it; one that arrives within
that step already acts at its own time on the synaptic lines (its decay since then is made up for), and on membranes to second order. So events of one step
can come to a server out of the order of time; one that comes too late waits as long as it would if it came with the latest.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics._jit import inline, kernel, kernel_part

FINE = 10  # bits of a tick: 1/1024
OUTSIDE, HEAD, TAIL = range(3)  # cursor: next outside event, first and last event under way
LOST, SILENT = -1, -2  # instead of the time at which a spike leaves its server

Ints = NDArray[np.int64]


class Tables(NamedTuple):
    """Ways of events while nothing is reconfigured. A *way* is one server that an origin's events visit, with the rows behind it.

    Attributes
    ----------
    way_ptr : ndarray of int64, shape (origin + 1,)
        Origin o owns the ways ``way_ptr[o]:way_ptr[o + 1]``. Circuits come first: origin = 256 * lane + column.
    way_server, way_lane : ndarray of int64, shape (way,)
        Server, and lane of the rows.
    row_ptr : ndarray of int64, shape (way + 1,)
    row : ndarray of int32, shape (entry,)
    row_label : ndarray of uint8, shape (entry,)
    first_server : ndarray of int64, shape (circuit,)
        Server that a circuit's events visit before all ways; `SILENT` if it sends none.
    service : ndarray of int64, shape (server,)
        Service time, 1/1024 tick; 0 is unlimited.
    depth : ndarray of int64, shape (server,)
        How many events may wait.
    latency : ndarray of int64, shape (1,)
        Ticks from the last server to the rows.
    """

    way_ptr: Ints
    way_server: Ints
    way_lane: Ints
    row_ptr: Ints
    row: NDArray[np.int32]
    row_label: NDArray[np.uint8]
    first_server: Ints
    service: Ints
    depth: Ints
    latency: Ints


class Hits(NamedTuple):
    """Synapses that answer a label on a row: few, if many sources share the rows.

    Attributes
    ----------
    pair : ndarray of int64, shape (entry,)
        Row and label of each entry of the tables, as a number.
    ptr : ndarray of int64, shape (pair + 1,)
        Pair k owns ``synapse[ptr[k]:ptr[k + 1]]``.
    synapse : ndarray of int32, shape (hit,)
        Position among the integrated circuits of the lane.
    dense : ndarray of bool, shape (lane, row)
        The row has been written since: look at all of its synapses.
    sparse : ndarray of bool, shape (way,)
        Few synapses answer on all rows of a way, none of which has been written: they are listed way by way, too, once for each line.
    way_ptr : ndarray of int64, shape (way + 1,)
    way_lines : ndarray of uint8, shape (way,)
        Lines of these synapses; bits as in a row's receptor.
    way_at, way_row : ndarray of int32, shape (listed,)
        Where their circuit's line is behind the first of all excitatory lines in a lane's block, and their row.
    way_weight : ndarray of float32, shape (listed,)
    """

    pair: Ints
    ptr: Ints
    synapse: NDArray[np.int32]
    dense: NDArray[np.bool_]
    sparse: NDArray[np.bool_]
    way_ptr: Ints
    way_lines: NDArray[np.uint8]
    way_at: NDArray[np.int32]
    way_row: NDArray[np.int32]
    way_weight: NDArray[np.float32]


class Queue(NamedTuple):
    """What is under way, as arrays that kernels change.

    Attributes
    ----------
    free : ndarray of int64, shape (2, server)
        When each server is done with what it has accepted, and the latest time at which an event came to it, 1/1024 tick.
    cursor : ndarray of int64, shape (3,)
        `OUTSIDE`, `HEAD`, `TAIL`.
    tick, way : ndarray of int64, shape (room,)
        Arrival and way of the events under way, ascending in tick from HEAD to TAIL.
    sent, lost : ndarray of int64, shape (server,)
        Events that came to each server, and those that found its queue full.
    arrived, dropped : ndarray of int64, shape (way,)
        Events that came to the rows of each way, and those that found its server's queue full.
    """

    free: Ints
    cursor: Ints
    tick: Ints
    way: Ints
    sent: Ints
    lost: Ints
    arrived: Ints
    dropped: Ints


def idle(n_servers: int) -> Ints:
    """Return the times of servers that have not been visited, as :class:`Queue` keeps them."""
    return np.full((2, n_servers), -(2**62), np.int64)


def new_queue(n_servers: int, n_ways: int, room: int = 4096) -> Queue:
    """Return a queue with nothing under way."""

    def zeros(n: int) -> Ints:
        return np.zeros(n, np.int64)

    return Queue(idle(n_servers), zeros(3), zeros(room), zeros(room), zeros(n_servers), zeros(n_servers), zeros(n_ways), zeros(n_ways))


def expand(ptr: Ints, index: Ints) -> tuple[Ints, Ints]:
    """Return, for each element of each chosen range of a CSR pointer, the position of its choice and its own position."""
    start, count = ptr[index], ptr[index + 1] - ptr[index]
    owner = np.repeat(np.arange(len(index)), count)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count) + start[owner]


@inline
def serve(free, server, time, service, depth):  # type: ignore[no-untyped-def]
    """Let an event enter a server at `time`; return when it leaves, or LOST if the queue is full. (One is in service while `depth` wait.)"""
    if service[server] == 0:
        return time
    seen = max(time, free[1, server])  # events of one step come out of order: an earlier one finds what waits now
    wait = max(free[0, server] - seen, 0)
    if wait > depth[server] * service[server]:
        return np.int64(LOST)
    free[0, server], free[1, server] = seen + wait + service[server], seen
    return time + wait


def serve_all(time: Ints, server: Ints, free: Ints, service: Ints, depth: Ints) -> Ints:
    """Let events enter servers in the order given, ascending in time; return when each leaves (1/1024 tick), `LOST` if it finds the queue full.

    Parameters
    ----------
    time, server : ndarray of int64, shape (event,)
    free, service, depth : ndarray of int64, shape (2, server), (server,), (server,)
        As in :class:`Queue` and :class:`Tables`; `free` changes.
    """
    left = np.empty(len(time), np.int64)
    if len(time):
        _serve_kernel()(time, server.astype(np.int64), free, service, depth, left)
    return left


@cache
def _serve_kernel() -> Callable[..., Any]:
    def serve_events(time, server, free, service, depth, left):  # type: ignore[no-untyped-def]
        for k in range(time.size):
            left[k] = serve(free, server[k], time[k], service, depth)

    return kernel(serve_events, "")


@inline
def push(queue_tick, queue_way, cursor, tick, way):  # type: ignore[no-untyped-def]
    """Note an event under way; behind those that arrive at the same tick."""
    if cursor[TAIL] == queue_tick.size:
        n = cursor[TAIL] - cursor[HEAD]
        for k in range(n):
            queue_tick[k], queue_way[k] = queue_tick[cursor[HEAD] + k], queue_way[cursor[HEAD] + k]
        cursor[HEAD], cursor[TAIL] = 0, n
    j = cursor[TAIL]
    while j > cursor[HEAD] and queue_tick[j - 1] > tick:
        queue_tick[j], queue_way[j] = queue_tick[j - 1], queue_way[j - 1]
        j -= 1
    queue_tick[j], queue_way[j] = tick, way
    cursor[TAIL] += 1


@kernel_part
def admit(tables, queue, origin, time):  # type: ignore[no-untyped-def]
    """Send an event of an origin over its ways; `time` in 1/1024 tick."""
    for way in range(tables.way_ptr[origin], tables.way_ptr[origin + 1]):
        server = tables.way_server[way]
        queue.sent[server] += 1
        left = serve(queue.free, server, time, tables.service, tables.depth)
        if left == LOST:
            queue.lost[server] += 1
            queue.dropped[way] += 1
        else:
            push(queue.tick, queue.way, queue.cursor, ((left + (1 << FINE) - 1) >> FINE) + tables.latency[0], way)


@inline
def room_left(queue):  # type: ignore[no-untyped-def]
    """Return how many more events may be under way."""
    return queue.tick.size - (queue.cursor[TAIL] - queue.cursor[HEAD])


@kernel_part
def admit_outside(tables, queue, tick, origin, end, widest):  # type: ignore[no-untyped-def]
    """Admit the outside events that can reach a row before tick `end`; returns whether there was room for all."""
    e = queue.cursor[OUTSIDE]
    while e < tick.size and ((tick[e] + (1 << FINE) - 1) >> FINE) + tables.latency[0] < end:
        if room_left(queue) < widest:
            queue.cursor[OUTSIDE] = e
            return False
        admit(tables, queue, origin[e], tick[e])
        e += 1
    queue.cursor[OUTSIDE] = e
    return True


@kernel_part
def sort_spikes(tick, circuit, first, n):  # type: ignore[no-untyped-def]
    """Sort the spikes `first` to `n` of one step by tick and circuit."""
    for i in range(first + 1, n):
        t, c = tick[i], circuit[i]
        j = i
        while j > first and (tick[j - 1] > t or (tick[j - 1] == t and circuit[j - 1] > c)):
            tick[j], circuit[j] = tick[j - 1], circuit[j - 1]
            j -= 1
        tick[j], circuit[j] = t, c


@kernel_part
def send_spikes(tables, queue, tick, circuit, leaves, first, n):  # type: ignore[no-untyped-def]
    """Sort the spikes `first` to `n` of one step by tick and circuit and send them on; `leaves` gets when they leave their first server (1/1024 tick)."""
    sort_spikes(tick, circuit, first, n)
    for i in range(first, n):
        leaves[i] = send_spike(tables, queue, tick[i], np.int64(circuit[i]))


@kernel_part
def send_spike(tables, queue, tick, circuit):  # type: ignore[no-untyped-def]
    """Send one circuit's spike on; returns when it leaves its first server."""
    server = tables.first_server[circuit]
    if server < 0:
        return np.int64(SILENT)
    queue.sent[server] += 1
    left = serve(queue.free, server, tick << FINE, tables.service, tables.depth)
    if left == LOST:
        queue.lost[server] += 1
    else:
        admit(tables, queue, circuit, left)
    return left


class Relays(NamedTuple):
    """Circuits of a lane that fire at every event on a synaptic line, past their membrane.

    Attributes
    ----------
    column : ndarray of int64, shape (relay,)
    place, slot : ndarray of int64, shape (relay,)
        Position among the integrated and among the observed circuits of the lane, -1 if it is not one of them.
    lines : ndarray of bool, shape (line, relay)
        Whether events on the excitatory, inhibitory line fire the circuit.
    label : ndarray of uint8, shape (row, relay)
    on : ndarray of bool, shape (row, relay)
        Whether the synapse has a weight.
    refractory : ndarray of int64, shape (relay,)
        Refractory period, ticks.
    ready : ndarray of int64, shape (column,)
        Tick from which a column of the hemisphere fires again.
    """

    column: Ints
    place: Ints
    slot: Ints
    lines: NDArray[np.bool_]
    label: NDArray[np.uint8]
    on: NDArray[np.bool_]
    refractory: Ints
    ready: Ints
