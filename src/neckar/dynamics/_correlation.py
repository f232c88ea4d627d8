"""Correlation sensors: one pass over the pulses of a hemisphere, behind the engine and without influence on it.

Each synapse measures pairs of pre and post pulses that follow each other directly (the reduced symmetric scheme of nearest neighbours)::

    pre at t0, then post at t:  causal   += exp(-(t - t0) / tau)      the first post after a pre
    post at t0, then pre at t:  acausal  += exp(-(t - t0) / tau)      the first pre after a post

Between two pre pulses of a synapse only the first and the last post pulse of its column matter. So nothing is done per post pulse and synapse: walking
forward through the pulses, a row event meets the last post pulse of all columns, and walking back the next one, 256 columns at a time.

Sums are integers, in parts of 1/65536 of a pair of no delay. So they do not depend on the order in which pairs are added, nor on where a run is cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics._elementary import exp32, select
from neckar.dynamics._jit import inline, kernel
from neckar.dynamics._lane import NO_EVENTS, WIDTH, RowEvents

F, INT = np.float32, np.int32
UNIT = 1 << 16  # of the sums: a pair without delay
FULL = (1 << 30) - 1  # sums end here; sensors saturate long before
LONG_AGO = -(1 << 62)
LABELS = 64
GONE = 12.0  # time constants after which a pair adds nothing: exp(-12) is less than half a part
FAR = 1 << 30  # ticks within a pass; a pair so far apart adds nothing

Ticks = NDArray[np.int64]


@inline
def grown(total, met, delay, rate):  # type: ignore[no-untyped-def]
    """Return a sum after a pair with some delay, if there is one."""
    share = INT(exp32(F(delay) * -rate) * F(UNIT) + F(0.5))
    new = INT(total + select(met, share, INT(0)))  # type: ignore[call-arg]
    return select(new < INT(FULL), new, INT(FULL))


@inline
def pair_up(total, rate, stored, label, gap, low, high, post, sign, n):  # type: ignore[no-untyped-def]
    """Add the pairs of one row event with the post pulses ``low <= post < high``; the delay is ``gap + sign * post``."""
    for c in range(n):
        met = (stored[c] == label) & (post[c] >= low) & (post[c] < high)
        total[c] = grown(total[c], met, INT(gap + INT(sign * post[c])), rate[c])


@inline
def near(tick, origin):  # type: ignore[no-untyped-def]
    """Return a tick relative to the origin of a pass, not further away than counts."""
    return INT(max(tick - origin, -FAR))


@cache
def pair_kernel() -> Callable[..., Any]:
    """Return the compiled pass over the pulses of some rows."""

    def pair_pulses(ev_tick, ev_row, ev_label, posts, origin, causal, acausal, rate, labels, last_pre, last_post, pre, post, cutoff):  # type: ignore[no-untyped-def]
        """Add the pairs that the second pulse of this pass completes.

        `posts` holds the post pulses as ``tick * 256 + column`` and is sorted here, `ev_*` the row events, ascending. `last_pre` (row, label) and `last_post`
        (column,) are ticks and change; `pre` and `post` of the same shapes are room. `cutoff` (row,) is the delay from which a pair adds nothing.
        """
        n, n_events, n_posts = last_post.size, ev_tick.size, posts.size
        for i in range(1, n_posts):  # nearly sorted
            key, j = posts[i], i
            while j > 0 and posts[j - 1] > key:
                posts[j] = posts[j - 1]
                j -= 1
            posts[j] = key
        # forward: the last post before each pre, if no other pre came between
        for c in range(n):
            post[c] = near(last_post[c], origin)
        k = 0
        for row in range(pre.shape[0]):
            for label in range(pre.shape[1]):
                pre[row, label] = near(last_pre[row, label], origin)
        for e in range(n_events):
            tick, row, label = ev_tick[e], ev_row[e], ev_label[e]
            while k < n_posts and (posts[k] >> 8) < tick:
                post[posts[k] & 255] = INT((posts[k] >> 8) - origin)
                k += 1
            now = INT(tick - origin)
            low = max(pre[row, label], INT(1 - FAR))
            pair_up(acausal[row], rate[row], labels[row], label, now, low, now, post, INT(-1), n)
            pre[row, label] = now
        # back: the next post after each pre, if it comes before the next pre
        for c in range(n):
            post[c] = INT(FAR)
        for row in range(pre.shape[0]):
            for label in range(pre.shape[1]):
                pre[row, label] = INT(FAR)
        k = n_posts - 1
        for e in range(n_events - 1, -1, -1):
            tick, row, label = ev_tick[e], ev_row[e], ev_label[e]
            while k >= 0 and (posts[k] >> 8) >= tick:
                post[posts[k] & 255] = INT((posts[k] >> 8) - origin)
                k -= 1
            now = INT(tick - origin)
            pair_up(causal[row], rate[row], labels[row], label, -now, now, pre[row, label], post, INT(1), n)
            pre[row, label] = now
        while k >= 0:
            post[posts[k] & 255] = INT((posts[k] >> 8) - origin)
            k -= 1
        # the first posts of this pass after the last pre before it, if no post came between
        if n_posts > 0:
            first = INT((posts[0] >> 8) - origin)
            for row in range(pre.shape[0]):
                for label in range(pre.shape[1]):
                    if last_pre[row, label] > LONG_AGO and first - near(last_pre[row, label], origin) < cutoff[row]:
                        start, high = near(last_pre[row, label], origin), pre[row, label]
                        for c in range(n):
                            met = (labels[row, c] == label) & (post[c] < high) & (last_post[c] < last_pre[row, label])
                            causal[row, c] = grown(causal[row, c], met, INT(post[c] - start), rate[row, c])
        for e in range(n_events):
            last_pre[ev_row[e], ev_label[e]] = ev_tick[e]
        for k in range(n_posts):
            last_post[posts[k] & 255] = posts[k] >> 8

    return kernel(pair_pulses, "")


@dataclass(frozen=True, eq=False)
class SensorParameters:
    """The sensors of a hemisphere.

    Attributes
    ----------
    amplitude : ndarray, shape (2, row, column), float32
        What a pair without delay adds, causal and acausal; 0 where sensors are off.
    rate : ndarray, shape (row, column), float32
        1 / tau, per tick.
    """

    amplitude: NDArray[np.float32]
    rate: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SensorState:
    """What sensors of a hemisphere hold: `charge` (2, row, column) float32; ticks of the last pulses, `pre` (row, label) and `post` (column,), int64."""

    charge: NDArray[np.float32]
    pre: Ticks
    post: Ticks

    @classmethod
    def empty(cls) -> Self:
        """Return sensors that never saw a pulse."""
        return cls(np.zeros((2, WIDTH, WIDTH), np.float32), np.full((WIDTH, LABELS), LONG_AGO), np.full(WIDTH, LONG_AGO))

    def later(self, ticks: int) -> SensorState:
        """Return the state seen from a tick that is `ticks` later."""
        return SensorState(self.charge, *(np.where(t > LONG_AGO, np.maximum(t - ticks, LONG_AGO + 1), LONG_AGO) for t in (self.pre, self.post)))


class Sensors:
    """The correlation sensors of some rows of a hemisphere under way.

    Pulses come in with :meth:`note`, changes with :meth:`reset`, :meth:`relabel` and :meth:`reconfigure`, in the order of time or somewhat early;
    :meth:`advance` works off what came before a tick.

    Parameters
    ----------
    parameters : SensorParameters
    labels : ndarray, shape (row, column), uint8
    state : SensorState
    """

    def __init__(self, parameters: SensorParameters, labels: NDArray[np.uint8], state: SensorState) -> None:
        self.parameters, self.labels = parameters, np.array(labels, np.uint8)
        self.charge, self.pre, self.post = state.charge.copy(), state.pre.copy(), state.post.copy()
        self.counts = np.zeros(self.charge.shape, np.int32)
        self._events: list[RowEvents] = []
        self._posts: list[Ticks] = []
        self._changes: list[tuple[int, str, Any]] = []
        self._rows: NDArray[np.int64] | None = None

    def note(self, events: RowEvents, mask: NDArray[np.uint8], tick: Ticks, column: Ticks) -> None:
        """Take in row events, whose drivers pass the bits `mask` (driver,) of their labels, and post pulses."""
        if len(events.tick):
            self._events.append(RowEvents(events.tick, events.row, events.label & mask[events.row >> 1]))
        if len(tick):
            self._posts.append(tick * WIDTH + column)

    def reset(self, row: int, tick: int, columns: NDArray[np.bool_] | None = None) -> None:
        """Empty the sensors of a row, or of some of its columns; they remember the last pulses."""
        self._changes.append((tick, "reset", (row, slice(None) if columns is None else columns.copy())))

    def relabel(self, row: int, labels: NDArray[np.uint8], tick: int) -> None:
        """Give the synapses of a row other labels. A synapse takes over the last pulse that its row saw with its new label."""
        self._changes.append((tick, "relabel", (row, np.array(labels))))

    def reconfigure(self, parameters: SensorParameters, labels: NDArray[np.uint8], tick: int) -> None:
        """Take other parameters and labels."""
        if parameters is not self.parameters or any(name == "parameters" for _, name, _ in self._changes):
            self._changes.append((tick, "parameters", parameters))
        self._changes.append((tick, "labels", np.array(labels)))

    def advance(self, until: int) -> None:
        """Work off all pulses and changes before tick `until`; pulses that come later must not lie before it."""
        while self._changes and self._changes[0][0] <= until:
            tick, name, what = self._changes.pop(0)
            self._work_off(tick)
            getattr(self, f"_{name}")(what)
        self._work_off(until)

    def part(self, rows: NDArray[np.int64]) -> Sensors:
        """Return a copy of some rows, to be carried on its own."""
        twin = object.__new__(Sensors)
        p = self.parameters
        twin.parameters, twin.labels = SensorParameters(p.amplitude[:, rows], p.rate[rows]), self.labels[rows]
        twin.charge, twin.counts = np.ascontiguousarray(self.charge[:, rows]), np.ascontiguousarray(self.counts[:, rows])
        twin.pre, twin.post = self.pre[rows], self.post.copy()
        place = np.full(WIDTH, -1, np.int32)
        place[rows] = np.arange(len(rows))
        kept = [(events, place[events.row] >= 0) for events in self._events]
        twin._events = [RowEvents(events.tick[mine], place[events.row[mine]], events.label[mine]) for events, mine in kept]
        twin._posts, twin._rows = list(self._posts), rows
        twin._changes = [change for change in self._changes if change[1] in ("parameters", "labels") or place[_row_of(change)] >= 0]
        return twin

    def state(self) -> SensorState:
        """Return what the sensors hold after the last advance; its values are in the unit of the amplitudes."""
        return SensorState(self.charge + self.parameters.amplitude * self.counts.astype(np.float32) / np.float32(UNIT), self.pre.copy(), self.post.copy())

    def _reset(self, what: tuple[int, NDArray[np.bool_] | slice]) -> None:
        row, columns = self._place(what[0]), what[1]
        self.charge[:, row, columns], self.counts[:, row, columns] = 0, 0

    def _relabel(self, what: tuple[int, NDArray[np.uint8]]) -> None:
        self.labels[self._place(what[0])] = what[1]

    def _labels(self, labels: NDArray[np.uint8]) -> None:
        self.labels[:] = labels if self._rows is None else labels[self._rows]

    def _parameters(self, parameters: SensorParameters) -> None:
        self.charge, self.counts = self.state().charge, np.zeros_like(self.counts)
        rows = self._rows
        self.parameters = parameters if rows is None else SensorParameters(parameters.amplitude[:, rows], parameters.rate[rows])

    def _place(self, row: int) -> int:
        return row if self._rows is None else int(np.flatnonzero(self._rows == row)[0])

    def _work_off(self, until: int) -> None:
        """Pair the pulses before tick `until`."""
        if not (self._events or self._posts):
            return
        tick, row, label = (np.concatenate([getattr(part, name) for part in self._events] or [getattr(NO_EVENTS, name)]) for name in ("tick", "row", "label"))
        posts = np.concatenate([np.empty(0, np.int64), *self._posts])
        due, fired = tick < until, posts < until * WIDTH
        later = RowEvents(tick[~due], row[~due], label[~due])
        self._events, self._posts = ([later] if len(later.tick) else []), ([posts[~fired]] if not fired.all() else [])
        tick, row, label, posts = tick[due], row[due], label[due], posts[fired]
        if not (len(tick) or len(posts)):
            return
        if (np.diff(tick) < 0).any():
            order = np.argsort(tick, kind="stable")
            tick, row, label = tick[order], row[order], label[order]
        origin = int(min([*tick[:1], posts.min() // WIDTH] if len(posts) else tick[:1]))
        slowest = np.maximum(self.parameters.rate.min(axis=1).astype(np.float64), 1e-12)
        pair_kernel()(
            tick, row.astype(np.int32), label, posts, origin, self.counts[0], self.counts[1], self.parameters.rate, self.labels, self.pre, self.post,
            np.zeros(self.pre.shape, np.int32), np.zeros(WIDTH, np.int32), GONE / slowest,
        )  # fmt: skip


def _row_of(change: tuple[int, str, Any]) -> int:
    return int(change[2][0])
