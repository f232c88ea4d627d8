"""Spikes that leave for a host: over servers (:mod:`neckar.dynamics._exchange`) and one link behind them all, into a record in the order of time.

Events overtake only those that wait with them, so every list here is nearly in order as it grows, and is put in order by insertion.

A `tick` is one of 2 ns, as are `start`, `duration`, `stamp` and times at the host; all other times (`leaves`, `time`, `loop_time`, of servers and the link)
count 1/1024 tick.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics._exchange import FINE, LOST, SILENT, serve
from neckar.dynamics._jit import inline, kernel, kernel_part

UNKNOWN = -3  # a spike that the engine has not sent through its first server
_SERVER_BITS = 8
_SERVER = (1 << _SERVER_BITS) - 1

Ints = NDArray[np.int64]


class Exits(NamedTuple):
    """Ways out of each circuit in each stretch of time.

    Attributes
    ----------
    start : ndarray of int64, shape (stretch,)
        Ticks, ascending.
    first_server : ndarray of int64, shape (stretch, circuit)
        Server that a circuit's spikes visit before all others, negative if they do not leave.
    ptr : ndarray of int64, shape (stretch, circuit + 1)
        Circuit c owns the servers ``server[ptr[k, c]:ptr[k, c + 1]]`` in stretch k; each of them gets the spike.
    server : ndarray of int64, shape (way,)
    source : ndarray of int64, shape (circuit,)
        By which source each circuit's spikes count, if they find a queue full.
    counts_events : ndarray of bool, shape (stretch, server)
        Whether events that pass a server on a way out are counted.
    counts_drops : ndarray of bool, shape (stretch, source, server)
        Whether events of a source that find the queue of such a server full are counted.
    """

    start: Ints
    first_server: Ints
    ptr: Ints
    server: Ints
    source: Ints
    counts_events: NDArray[np.bool_]
    counts_drops: NDArray[np.bool_]


class Tally(NamedTuple):
    """What is counted on the ways out, each number where it happens.

    Attributes
    ----------
    sent, lost, delivered : ndarray of int64, shape (server,)
        Events that came to each server, that found its queue full, and that came from it to what lies behind it: to the ways out, or to the link.
    events : ndarray of int64, shape (server,)
        Events that passed each server while they were counted.
    drops : ndarray of int64, shape (source,)
        Events of each source that found a queue on a way out full while they were counted.
    """

    sent: Ints
    lost: Ints
    delivered: Ints
    events: Ints
    drops: Ints


def new_tally(n_servers: int, n_sources: int) -> Tally:
    """Return a tally of nothing."""
    sent, lost, delivered, events = np.zeros((4, n_servers), np.int64)
    return Tally(sent, lost, delivered, events, np.zeros(n_sources, np.int64))


class Link(NamedTuple):
    """The servers and the link behind them all.

    Attributes
    ----------
    free, unvisited : ndarray of int64, shape (2, server)
        As in :class:`~neckar.dynamics._exchange.Queue`: of the servers on the ways out, and of the first ones, for spikes that have not visited them.
    service, depth : ndarray of int64, shape (server,)
        As in :class:`~neckar.dynamics._exchange.Tables`.
    server : int
        The link.
    seed : uint64
    loss : float
        Probability that the link loses an event.
    """

    free: Ints
    unvisited: Ints
    service: Ints
    depth: Ints
    server: int
    seed: np.uint64
    loss: float


@inline
def survives(tick, number, seed, loss):  # type: ignore[no-untyped-def]
    """Return whether a link delivers an event, which depends on its tick, its number and the seed alone (splitmix64).

    So copies of one spike that leave by two outputs share one fate.
    """
    x = (np.uint64(tick) << np.uint64(16)) ^ np.uint64(number) ^ seed
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.float64((x ^ (x >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53 >= loss


def survivors(tick: Ints, number: Ints, seed: int, loss: float) -> NDArray[np.bool_]:
    """Return which events a link delivers, shape (event,); as :func:`survives`."""
    kept = np.empty(len(tick), np.bool_)
    _survivors_kernel()(tick, number, np.uint64(seed), loss, kept)
    return kept


@cache
def _survivors_kernel() -> Callable[..., Any]:
    def find_survivors(tick, number, seed, loss, kept):  # type: ignore[no-untyped-def]
        for k in range(tick.size):
            kept[k] = survives(tick[k], number[k], seed, loss)

    return kernel(find_survivors, "")


@inline
def insert(time, event, n, t, e):  # type: ignore[no-untyped-def]
    """Put an event into a list of `n`, ascending in time, behind those of the same time."""
    j = n
    while j > 0 and time[j - 1] > t:
        time[j], event[j] = time[j - 1], event[j - 1]
        j -= 1
    time[j], event[j] = t, e


@inline
def stretch_of(start, k, tick):  # type: ignore[no-untyped-def]
    """Return the last stretch that starts at a tick or before, looked for from stretch `k` on."""
    while k + 1 < start.size and start[k + 1] <= tick:
        k += 1
    while k > 0 and start[k] > tick:
        k -= 1
    return k


@kernel_part
def leave(tick, circuit, leaves, duration, exits, link, tally, time, event, first):  # type: ignore[no-untyped-def]
    """List when the spikes from tick 0 to `duration` come to the servers on their ways out, from place `first` on; returns the list's end."""
    n, k = 0, 0
    listed_time, listed = time[first:], event[first:]
    for s in range(tick.size):
        if tick[s] < 0 or tick[s] >= duration:
            continue
        k, c = stretch_of(exits.start, k, tick[s]), circuit[s]
        server, left = exits.first_server[k, c], leaves[s]
        if server < 0:
            continue
        if left == UNKNOWN:
            left = serve(link.unvisited, server, tick[s] << FINE, link.service, link.depth)
        elif left != LOST and left != SILENT:
            left = max(left, tick[s] << FINE)  # a spike just before the stretch that fired it counts at its start
        tally.sent[server] += 1
        tally.lost[server] += left == LOST
        if left >= 0:
            tally.delivered[server] += 1
            for way in range(exits.ptr[k, c], exits.ptr[k, c + 1]):
                insert(listed_time, listed, n, left, (s << _SERVER_BITS) | exits.server[way])
                n += 1
    return first + n


@kernel_part
def cross(time, event, first, end, circuit, exits, loop_time, loop_server, loop_source, link, tally):  # type: ignore[no-untyped-def]
    """Let the listed spikes and other events (loops) pass their servers. Lists, from place 0 on, when they come to the link, and from which server.

    Returns the number of those.
    """
    n, loop, spike, k = 0, 0, first, 0
    while spike < end or loop < loop_time.size:
        if loop < loop_time.size and (spike == end or loop_time[loop] <= time[spike]):
            t, server, source = loop_time[loop], loop_server[loop], loop_source[loop]
            e = ((loop - loop_time.size) << _SERVER_BITS) | server
            loop += 1
        else:
            t, e = time[spike], event[spike]
            server, source = e & _SERVER, exits.source[circuit[e >> _SERVER_BITS]]
            spike += 1
        k = stretch_of(exits.start, k, t >> FINE)
        left = serve(link.free, server, t, link.service, link.depth)
        tally.sent[server] += 1
        if left == LOST:
            tally.lost[server] += 1
            tally.drops[source] += exits.counts_drops[k, source, server]
        else:
            tally.events[server] += exits.counts_events[k, server]
            insert(time, event, n, left, e)
            n += 1
    return n


@cache
def exit_kernel() -> Callable[..., Any]:
    """Return the kernel that carries spikes, by tick and circuit, and loops, ascending in time, to the host."""

    def exit_spikes(  # type: ignore[no-untyped-def]
        tick, circuit, leaves, duration, exits, loop_time, loop_server, loop_source, loop_number, link, tally, time, event, loop
    ):  # fmt: skip
        """Fill `time` with the ticks of arrival and `event` with the spikes that arrive, and `loop` with ticks of arrival and numbers of the loops that do.

        Returns the numbers of spikes and loops, and of those that the link lost, and of loops that came too late.
        """
        first = loop_time.size  # a list may be overwritten as far as it has been read
        end = leave(tick, circuit, leaves, duration, exits, link, tally, time, event, first)
        n = cross(time, event, first, end, circuit, exits, loop_time, loop_server, loop_source, link, tally)
        spikes, loops, gone, late = 0, 0, 0, 0
        for k in range(n):
            out, e = serve(link.free, link.server, time[k], link.service, link.depth), event[k] >> _SERVER_BITS
            tally.delivered[event[k] & _SERVER] += 1
            tally.sent[link.server] += 1
            if out == LOST:
                tally.lost[link.server] += 1
                continue
            at_host = out >> FINE
            if e >= 0:
                if survives(tick[e], circuit[e], link.seed, link.loss):
                    tally.delivered[link.server] += 1
                    time[spikes], event[spikes] = at_host, e
                    spikes += 1
                else:
                    gone += 1
            elif survives(at_host, loop_number[e + loop_time.size], link.seed, link.loss):
                if at_host < duration:
                    tally.delivered[link.server] += 1
                    loop[0, loops], loop[1, loops] = at_host, e + loop_time.size
                    loops += 1
                else:
                    late += 1
            else:
                gone += 1
        return spikes, loops, gone, late

    return kernel(exit_spikes, "")


@cache
def record_kernel() -> Callable[..., Any]:
    """Return the kernel that keeps the spikes at the host that somebody wants."""

    def record_spikes(tick, circuit, at_host, spike, start, wanted, stamp):  # type: ignore[no-untyped-def]
        """Overwrite `at_host` with time stamps, whole multiples of `stamp` ticks, and `spike` with circuits, by stamp and circuit; returns their number.

        ``wanted[k, c]`` says whether spikes of circuit c count that were fired from tick ``start[k]`` on.
        """
        n, k = 0, 0
        for a in range(at_host.size):
            t, c, at = tick[spike[a]], circuit[spike[a]], at_host[a] // stamp * stamp
            k = stretch_of(start, k, t)
            if wanted[k, c]:
                j = n
                while j > 0 and (at_host[j - 1] > at or (at_host[j - 1] == at and spike[j - 1] > c)):
                    at_host[j], spike[j] = at_host[j - 1], spike[j - 1]
                    j -= 1
                at_host[j], spike[j] = at, c
                n += 1
        return n

    return kernel(record_spikes, "")
