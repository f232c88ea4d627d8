"""Circuits that fire with others: a follower's backend takes a fire input when the line that it hears rises.

A circuit's *state* is high from its spike to the end of its refractory period; a line is high while that of any of its masters is, and stays high if one
master fires at the tick at which another's state ends. A master that fires at the very end of its own state is a new rise. At a rise each follower
that is not refractory fires as if its own comparator had: at the master's tick, with its own reset, refractory clock and adaptation pulse. A fire input to
a refractory circuit is lost. A comparator that would have fired the follower later in the same step no longer does.

The membrane of a follower is taken back to the master's tick, between the ends of the step as far as the circuit has come; one that shares its membrane
goes with its node (:mod:`neckar.dynamics._coupling`) if no comparator has stopped that already. Followers of a master that fires past its membrane are
reset with the step under way, as that master is; their refractory clocks begin at the tick. So a step goes: events, with relays and those that follow them
(`follow_relays`); the step itself; those that follow its spikes (`follow`).

Not modelled: delays of lines and gates; states that outlast an entry, all are low when one begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics import _layout as L
from neckar.dynamics._crossing import firing, firing_ahead
from neckar.dynamics._dense import log_fire
from neckar.dynamics._exchange import send_spike, sort_spikes
from neckar.dynamics._jit import kernel_part
from neckar.dynamics._parameters import Features

F = np.float32
STRIDE = L.STRIDE
ZERO, ONE = F(0), F(1)
HALF_TICK = F(1e-3)  # us
NOBODY = -1

Ints = NDArray[np.int64]


class Followers(NamedTuple):
    """Who fires with whom. Circuits count over the lanes, 256 each.

    Attributes
    ----------
    ptr : ndarray of int64, shape (circuit + 1,)
        Circuit m fires the circuits ``follower[ptr[m]:ptr[m + 1]]``.
    follower : ndarray of int64, shape (entry,)
    master_ptr : ndarray of int64, shape (circuit + 1,)
        The line of circuit c carries the states of ``master[master_ptr[c]:master_ptr[c + 1]]``.
    master : ndarray of int64, shape (entry,)
    refractory : ndarray of int64, shape (circuit,)
        How long a state is high after a spike, ticks, at least 1.
    high : ndarray of int64, shape (circuit,)
        Tick until which each state is high; goes on.
    place, slot : ndarray of int64, shape (circuit,)
        Position among the integrated and among the observed circuits of the lane, or `NOBODY`.
    group, member : ndarray of int64, shape (circuit,)
        Where the circuit is among nodes: which of them, and which member; `NOBODY` if its membrane is its own.
    """

    ptr: Ints
    follower: Ints
    master_ptr: Ints
    master: Ints
    refractory: Ints
    high: Ints
    place: Ints
    slot: Ints
    group: Ints
    member: Ints


def gather_followers(pairs: tuple[Ints, Ints], refractory: Ints, high: Ints, columns: Sequence[Ints], observed: Sequence[Ints]) -> Followers | None:
    """Return the followers among the integrated circuits, or None if there are none.

    Parameters
    ----------
    pairs : tuple of ndarray
        Masters and followers, shape (pair,) each.
    refractory, high : ndarray of int64, shape (circuit,)
        As in :class:`Followers`; `high` changes.
    columns, observed : sequence of ndarray
        Integrated and observed columns of each lane, ascending.
    """
    n = len(refractory)
    place, slot = (np.full(n, NOBODY, np.int64) for _ in range(2))
    for where, chosen in ((place, columns), (slot, observed)):
        for lane, mine in enumerate(chosen):
            where[L.WIDTH * lane + mine] = np.arange(len(mine))
    known = place[pairs[1]] >= 0
    master, follower = pairs[0][known], pairs[1][known]
    if not len(master):
        return None
    nobody = np.full(n, NOBODY, np.int64)
    return Followers(*_grouped(master, follower, n), *_grouped(follower, master, n), np.maximum(refractory, 1), high, place, slot, nobody, nobody.copy())


def _grouped(key: Ints, value: Ints, n: int) -> tuple[Ints, Ints]:
    """Return the values of each key from 0 to `n` as a CSR list."""
    order = np.lexsort((value, key))
    return np.searchsorted(key[order], np.arange(n + 1)).astype(np.int64), value[order]


@kernel_part
def rises(S, follower, master, t):  # type: ignore[no-untyped-def]
    """Return whether the follower's line rises when a master fires at tick `t`; edges at the same tick act together."""
    high = False
    for q in range(S.master_ptr[follower], S.master_ptr[follower + 1]):
        high |= S.master[q] != master and S.high[S.master[q]] >= t
    return not high


@kernel_part
def room_to_follow(S, log_tick, n_log, observed, more):  # type: ignore[no-untyped-def]
    """Return whether the logs take all fire inputs of one step, and so many entries of each observed circuit."""
    full = False
    for lane in range(len(log_tick)):
        full |= observed[lane].size > 0 and log_tick[lane].size < n_log[lane] + S.follower.size + more * observed[lane].size
    return not full


@kernel_part
def stop_node(N, m, t, h, fired, blocks):  # type: ignore[no-untyped-def]
    """Take the membrane of member `m` back to `t` us after the start of the step of the lanes."""
    B, j = N.block, 0
    while N.ptr[j + 1] <= m:
        j += 1
    if not fired and B[L.LAG * STRIDE + j] == ZERO:
        v, length = B[L.V * STRIDE + j], B[L.X_LENGTH * STRIDE + j]
        back = min(h - t, length)
        B[L.V * STRIDE + j] = v + (B[L.X_START * STRIDE + j] - v) * (back / length)
        B[L.LAG * STRIDE + j], B[L.BENT * STRIDE + j] = back, ZERO
        for i in range(N.ptr[j], N.ptr[j + 1]):
            A, c = blocks[N.lane[i]], N.place[i]
            for row in (L.V, L.LAG, L.BENT):
                A[row * STRIDE + c] = B[row * STRIDE + j]


@cache
def following(features: Features, coupled: bool) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the kernel parts that fire the followers of relays, and of the circuits that have fired in a step."""
    fire, fire_ahead, exponential = firing(features), firing_ahead(features), features.exponential

    @kernel_part
    def follow_relays(S, blocks, tick, circuit, leaves, first, n, begin, tables, queue, log_slot, log_line, log_tick, log_kick, n_log):  # type: ignore[no-untyped-def]
        """Fire those that follow the relays that have fired as spikes `first` to `n`, before the step that begins at tick `begin`; returns the new `n`."""
        i = first
        while i < n:
            t, m = tick[i], circuit[i]
            now = F(t - begin) * F(2e-3)
            for q in range(S.ptr[m], S.ptr[m + 1]):
                s = S.follower[q]
                B, j = blocks[s // L.WIDTH], S.place[s]
                if S.high[s] > t or B[L.REFRACTORY * STRIDE + j] > now + HALF_TICK or not rises(S, s, m, t):
                    continue
                fire_ahead(B, j, now, not coupled or S.group[s] < 0)
                log_fire(S.slot[s], s // L.WIDTH, begin, log_slot, log_line, log_tick, log_kick, n_log)
                tick[n], circuit[n] = t, s
                leaves[n] = send_spike(tables, queue, t, s)
                n += 1
            S.high[m] = t + S.refractory[m]
            i += 1
        return n

    @kernel_part
    def stop(S, s, blocks, nodes, t, h, fired):  # type: ignore[no-untyped-def]
        """Fire circuit `s` at `t` us after the start of the step that is over, in which its comparator has perhaps `fired` it later.

        The step's rows must be as it has left them. The path back is the chord of what the circuit has taken: all of the step if it has `fired`, for a circuit
        that is released within a step does not fire in it; otherwise as far as it has come.
        """
        B, j = blocks[s // L.WIDTH], S.place[s]
        if coupled and S.group[s] >= 0:
            N, m = nodes[S.group[s]], S.member[s]
            stop_node(N, m, t, h, fired, blocks)
            B[L.REFRACTORY * STRIDE + j], B[L.ARMED * STRIDE + j] = B[L.T_REFRACTORY * STRIDE + j] + t - h, ZERO
            if exponential and not fired:
                B[L.W * STRIDE + j] += B[L.B_ADAPT * STRIDE + j]
            return
        v, d, end, w = B[L.V * STRIDE + j], B[L.X_LENGTH * STRIDE + j], h - B[L.LAG * STRIDE + j], B[L.W * STRIDE + j]
        start = h - d if fired else end - d
        if t < end:
            early = B[L.X_START * STRIDE + j]
            v = early + (v - early) * min(max((t - start) / max(end - start, F(1e-9)), ZERO), ONE)
        fire(B, j, h, t, v)
        if fired:
            B[L.W * STRIDE + j] = w

    @kernel_part
    def follow(S, blocks, nodes, tick, circuit, first, n, begin, h_ticks, h, log_slot, log_line, log_tick, log_kick, n_log):  # type: ignore[no-untyped-def]
        """Fire those that follow the spikes `first` to `n` of the step that began at tick `begin`, one after the other; returns the new `n`."""
        sort_spikes(tick, circuit, first, n)
        i = first
        while i < n:
            t, m = tick[i], np.int64(circuit[i])
            at = min(max(F(t - begin) * F(2e-3), ZERO), h)
            for q in range(S.ptr[m], S.ptr[m + 1]):
                s = S.follower[q]
                if S.high[s] > t or not rises(S, s, m, t):
                    continue
                own = i + 1
                while own < n and circuit[own] != s:
                    own += 1
                fired = own < n
                if fired and tick[own] == t:
                    continue
                if not fired and blocks[s // L.WIDTH][L.REFRACTORY * STRIDE + S.place[s]] + h > at + HALF_TICK:
                    continue
                stop(S, s, blocks, nodes, at, h, fired)
                log_fire(S.slot[s], s // L.WIDTH, min(max(t, begin) + 1, begin + h_ticks - 1), log_slot, log_line, log_tick, log_kick, n_log)
                if not fired:
                    n += 1
                for k in range(own if fired else n - 1, i + 1, -1):
                    tick[k], circuit[k] = tick[k - 1], circuit[k - 1]
                tick[i + 1], circuit[i + 1] = t, s
            S.high[m] = t + S.refractory[m]
            i += 1
        return n

    return follow_relays, follow
