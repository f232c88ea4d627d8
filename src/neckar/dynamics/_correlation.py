"""Correlation sensors: one pass over the pulses of a hemisphere, behind the engine and without influence on it.

Each synapse measures pairs of pre and post pulses that follow each other directly (the reduced symmetric scheme of nearest neighbours)::

    pre at t0, then post at t:  causal   += exp(-(t - t0) / tau)      the first post after a pre
    post at t0, then pre at t:  acausal  += exp(-(t - t0) / tau)      the first pre after a post

Between two pre pulses of a synapse only the first and the last post pulse of its column matter. So nothing is done per post pulse and synapse: a walk
through the pulses knows the last and the next post pulse of each column, and a row event meets both, 256 columns at a time.

Sums are integers, in parts of 1/65536 of a pair of no delay. So they do not depend on the order in which pairs are added, nor on where a run is cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics._elementary import EXP_2, EXP_3, EXP_4, EXP_5, exp32, select
from neckar.dynamics._jit import inline, kernel, kernel_part
from neckar.dynamics._lane import NO_EVENTS, RowEvents
from neckar.dynamics._layout import WIDTH, aligned

F, INT = np.float32, np.int32
UNIT = 1 << 16  # of the sums: a pair without delay
FULL = INT((1 << 30) - 1)  # sums end here; sensors saturate long before
UNCHECKED = 16_000  # events of a row after which sums are checked: they cannot pass 2**31 in between
LONG_AGO = -(1 << 62)
LABELS = 64
GONE = 12.0  # time constants after which a pair adds nothing: exp(-12) is less than half a part
FAR = INT(1 << 30)  # ticks within a pass; a pair so far apart adds nothing
HALF = WIDTH // 2
ACAUSAL, RATE, RECORD = WIDTH, 2 * WIDTH, 3 * WIDTH  # of a row in one array: causal sums, acausal sums, rates. The compiler knows that they do not overlap
AFTER = WIDTH  # of post pulses in one array: the last ones, the next ones
SORTED = 256  # post pulses that numpy sorts together; they come nearly sorted, and insertion does the rest

LOG2E, LN2 = F(1.4426950408889634), F(0.6931471805599453)
ROUND = F(12582912.0 + 16)  # as in exp32, and 16 for the unit: added to k, its low mantissa bits hold k + 16
LEAST = INT(ROUND.view(np.int32) - 116)  # of them, for a share of 2**-100

Ticks = NDArray[np.int64]


@inline
def each(f, x):  # type: ignore[no-untyped-def]
    """Return f of each of four numbers."""
    return f(x[0]), f(x[1]), f(x[2]), f(x[3])


@inline
def each_two(f, x, y):  # type: ignore[no-untyped-def]
    """Return f of each of four pairs of numbers."""
    return f(x[0], y[0]), f(x[1], y[1]), f(x[2], y[2]), f(x[3], y[3])


@inline
def times_plus(p, r, c):  # type: ignore[no-untyped-def]
    """Return p * r + c of each of four p, r and c."""
    return p[0] * r[0] + c[0], p[1] * r[1] + c[1], p[2] * r[2] + c[2], p[3] * r[3] + c[3]


@inline
def to_power(x):  # type: ignore[no-untyped-def]
    """Return k + ROUND, where 2**k is the power of two next to e**x."""
    return x * LOG2E + ROUND


@inline
def remainder(x, power):  # type: ignore[no-untyped-def]
    """Return r in e**x = 2**k * e**r."""
    return x - (power - ROUND) * LN2


@inline
def square(r):  # type: ignore[no-untyped-def]
    """Return r**2."""
    return r * r


@inline
def high_part(r):  # type: ignore[no-untyped-def]
    """Return the coefficients of r**4 and r**5 in e**r."""
    return EXP_4 + EXP_5 * r


@inline
def middle_part(r):  # type: ignore[no-untyped-def]
    """Return those of r**2 and r**3."""
    return EXP_2 + EXP_3 * r


@inline
def low_part(r):  # type: ignore[no-untyped-def]
    """Return those of 1 and r."""
    return r + F(1)


@inline
def to_share(p, power):  # type: ignore[no-untyped-def]
    """Return p * 2**k in parts of a pair, rounded."""
    shift = INT(max(F(power).view(np.int32), LEAST) << INT(23))
    return INT(INT(F(p).view(np.int32) + shift).view(np.float32) + F(0.5))


@inline
def shares(x):  # type: ignore[no-untyped-def]
    """Return UNIT * e**x, rounded, of four x <= 0.

    These are the steps of :func:`exp32`, each taken for all four, because a single chain of steps keeps a processor waiting.
    """
    power = each(to_power, x)
    r = each_two(remainder, x, power)
    r_2 = each(square, r)
    p = times_plus(times_plus(each(high_part, r), r_2, each(middle_part, r)), r_2, each(low_part, r))
    return each_two(to_share, p, power)


@inline
def exponent(negative_delay, rate):  # type: ignore[no-untyped-def]
    """Return the exponent of a pair."""
    return F(INT(negative_delay)) * rate


@inline
def grown(total, met, share):  # type: ignore[no-untyped-def]
    """Return a sum after a pair, if there is one."""
    return INT(total + select(met, share, INT(0)))  # type: ignore[call-arg]


@inline
def rate_of(record, c):  # type: ignore[no-untyped-def]
    """Return the rate of a synapse."""
    return INT(record[RATE + c]).view(np.float32)


@kernel_part
def pair_up(record, stored, label, posts, now, previous, following):  # type: ignore[no-untyped-def]
    """Pair an event of a row with the posts right before and after it in all columns, where they lie between the row's previous and following event."""
    for a in range(HALF):
        b = a + HALF
        early = exponent(posts[a] - now, rate_of(record, a)), exponent(posts[b] - now, rate_of(record, b))
        late = exponent(now - posts[AFTER + a], rate_of(record, a)), exponent(now - posts[AFTER + b], rate_of(record, b))
        share = shares(early + late)
        record[ACAUSAL + a] = grown(record[ACAUSAL + a], (stored[a] == label) & (posts[a] >= previous), share[0])
        record[ACAUSAL + b] = grown(record[ACAUSAL + b], (stored[b] == label) & (posts[b] >= previous), share[1])
        record[a] = grown(record[a], (stored[a] == label) & (posts[AFTER + a] < following), share[2])
        record[b] = grown(record[b], (stored[b] == label) & (posts[AFTER + b] < following), share[3])


@kernel_part
def pair_first(record, stored, label, last_post, last_pre, posts, start, following):  # type: ignore[no-untyped-def]
    """Pair the last event of a row before this pass with the first posts in it, where no post came between."""
    for c in range(WIDTH):
        share = INT(exp32(exponent(start - posts[AFTER + c], rate_of(record, c))) * F(UNIT) + F(0.5))
        met = (stored[c] == label) & (posts[AFTER + c] < following) & (last_post[c] < last_pre)
        record[c] = min(grown(record[c], met, share), FULL)


@inline
def near(tick, origin):  # type: ignore[no-untyped-def]
    """Return a tick relative to the origin of a pass, not further away than counts."""
    return INT(max(tick - origin, -FAR))


@kernel_part
def sort_nearly_sorted(keys):  # type: ignore[no-untyped-def]
    """Sort by insertion."""
    for i in range(1, keys.size):
        key, j = keys[i], i
        while j > 0 and keys[j - 1] > key:
            keys[j] = keys[j - 1]
            j -= 1
        keys[j] = key


@kernel_part
def find_next_events(tick, row, label, origin, following, first):  # type: ignore[no-untyped-def]
    """Find for each event the next one of its row with its label, and the first of each row and label."""
    for r in range(first.shape[0]):
        for m in range(first.shape[1]):
            first[r, m] = FAR
    for e in range(tick.size - 1, -1, -1):
        following[e] = first[row[e], label[e]]
        first[row[e], label[e]] = INT(tick[e] - origin)


@kernel_part
def find_next_posts(keys, origin, following, posts):  # type: ignore[no-untyped-def]
    """Find for each post pulse the next one of its column, and the first of each column."""
    for c in range(WIDTH):
        posts[AFTER + c] = FAR
    for k in range(keys.size - 1, -1, -1):
        c = AFTER + (keys[k] & 255)
        following[k], posts[c] = posts[c], INT((keys[k] >> 8) - origin)


@cache
def pair_kernel() -> Callable[..., Any]:
    """Return the compiled pass over the pulses of some rows."""

    def pair_pulses(  # type: ignore[no-untyped-def]
        ev_tick, ev_row, ev_label, keys, records, labels, last_pre, last_post, unchecked, cutoff, ev_next, post_next, pre, posts
    ):
        """Add the pairs that the second pulse of this pass completes.

        `keys` holds the post pulses as ``tick * 256 + column`` and is sorted here, `ev_*` the row events, ascending. `records` is (row, 3 * column): causal and
        acausal sums, and rates. `last_pre` (row, label) and `last_post` (column,) are ticks and change; `unchecked` (row,) counts the events since sums were
        checked. `cutoff` (row,) is the delay from which a pair adds nothing. The rest is room: `ev_next` as `ev_tick`, `post_next` as `keys`, `pre` as
        `last_pre`, and `posts` (2 * column,) for the last post pulses before and the first after a tick.
        """
        sort_nearly_sorted(keys)
        origin = keys[0] >> 8 if keys.size else ev_tick[0]
        if ev_tick.size:
            origin = min(origin, ev_tick[0])
        find_next_events(ev_tick, ev_row, ev_label, origin, ev_next, pre)
        find_next_posts(keys, origin, post_next, posts)
        for c in range(WIDTH):
            posts[c] = near(last_post[c], origin)
        if keys.size > 0:
            first = INT((keys[0] >> 8) - origin)
            for row in range(pre.shape[0]):
                for label in range(pre.shape[1]):
                    last = last_pre[row, label]
                    if last > LONG_AGO and first - near(last, origin) < cutoff[row]:
                        pair_first(records[row], labels[row], label, last_post, last, posts, near(last, origin), pre[row, label])
        k = 0
        for e in range(ev_tick.size):
            tick, row, label = ev_tick[e], ev_row[e], ev_label[e]
            while k < keys.size and (keys[k] >> 8) < tick:
                c = keys[k] & 255
                posts[c], posts[AFTER + c] = posts[AFTER + c], post_next[k]
                k += 1
            previous = max(near(last_pre[row, label], origin), INT(1 - FAR))
            pair_up(records[row], labels[row], label, posts, INT(tick - origin), previous, ev_next[e])
            last_pre[row, label] = tick
            unchecked[row] += 1
            if unchecked[row] == UNCHECKED:
                unchecked[row] = 0
                for c in range(RATE):
                    records[row, c] = min(records[row, c], FULL)
        for k in range(keys.size):
            last_post[keys[k] & 255] = keys[k] >> 8

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
        self._records = aligned(len(labels) * RECORD, INT).reshape(-1, RECORD)
        self._use(parameters)
        self.labels, self._unchecked = np.array(labels, np.uint8), np.zeros(len(labels), INT)
        self.charge, self.pre, self.post = state.charge.copy(), state.pre.copy(), state.post.copy()
        self._events: list[RowEvents] = []
        self._posts: list[Ticks] = []
        self._changes: list[tuple[int, str, Any]] = []
        self._rows: NDArray[np.int64] | None = None

    def note(self, events: RowEvents, mask: NDArray[np.uint8], tick: Ticks, column: NDArray[np.integer]) -> None:
        """Take in row events, whose drivers pass the bits `mask` (driver,) of their labels, and post pulses."""
        if len(events.tick):
            self._events.append(RowEvents(events.tick, events.row, events.label & mask[events.row >> 1]))
        if len(tick):
            self._posts.append(tick * WIDTH)
            self._posts[-1] += column

    def reset(self, row: int, tick: int, columns: NDArray[np.bool_] | None = None) -> None:
        """Empty the sensors of a row, or of some of its columns; they remember the last pulses."""
        self._changes.append((tick, "reset", (row, slice(None) if columns is None else columns.copy())))

    def relabel(self, row: int, labels: NDArray[np.uint8], tick: int) -> None:
        """Give the synapses of a row other labels. A synapse takes over the last pulse that its row saw with its new label."""
        self._changes.append((tick, "relabel", (row, np.array(labels))))

    def reconfigure(self, parameters: SensorParameters | None, labels: NDArray[np.uint8], tick: int) -> None:
        """Take other parameters, unless there are none, and labels."""
        if parameters is not None and self.takes(parameters):
            self._changes.append((tick, "parameters", parameters))
        self._changes.append((tick, "labels", np.array(labels)))

    def takes(self, parameters: SensorParameters) -> bool:
        """Return whether these parameters are others than the last ones."""
        return parameters is not self.parameters or any(name == "parameters" for _, name, _ in self._changes)

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
        twin._records = aligned(len(rows) * RECORD, INT).reshape(-1, RECORD)
        twin._records[:], twin._unchecked = self._records[rows], self._unchecked[rows]
        twin._use(SensorParameters(p.amplitude[:, rows], p.rate[rows]))
        twin.labels, twin.charge = self.labels[rows], np.ascontiguousarray(self.charge[:, rows])
        twin.pre, twin.post = self.pre[rows], self.post.copy()
        place = np.full(WIDTH, -1, np.int32)
        place[rows] = np.arange(len(rows))
        kept = [(events, place[events.row] >= 0) for events in self._events]
        twin._events = [RowEvents(events.tick[mine], place[events.row[mine]], events.label[mine]) for events, mine in kept]
        twin._posts, twin._rows = list(self._posts), rows
        twin._changes = [change for change in self._changes if change[1] in ("parameters", "labels") or place[_row_of(change)] >= 0]
        return twin

    @property
    def counts(self) -> NDArray[np.int32]:
        """The sums since the charge was last brought up to date, shape (2, row, column), a view; not yet held below `FULL`."""
        return self._records[:, :RATE].reshape(-1, 2, WIDTH).swapaxes(0, 1)

    def state(self) -> SensorState:
        """Return what the sensors hold after the last advance; its values are in the unit of the amplitudes."""
        charge = np.empty_like(self.charge)
        np.minimum(self.counts, FULL, out=charge)
        charge *= self.parameters.amplitude
        charge /= np.float32(UNIT)
        charge += self.charge
        return SensorState(charge, self.pre.copy(), self.post.copy())

    def _reset(self, what: tuple[int, NDArray[np.bool_] | slice]) -> None:
        row, columns = self._place(what[0]), what[1]
        self.charge[:, row, columns], self.counts[:, row, columns] = 0, 0

    def _relabel(self, what: tuple[int, NDArray[np.uint8]]) -> None:
        self.labels[self._place(what[0])] = what[1]

    def _labels(self, labels: NDArray[np.uint8]) -> None:
        self.labels[:] = labels if self._rows is None else labels[self._rows]

    def _parameters(self, parameters: SensorParameters) -> None:
        self.charge, rows = self.state().charge, self._rows
        self.counts[:], self._unchecked[:] = 0, 0
        self._use(parameters if rows is None else SensorParameters(parameters.amplitude[:, rows], parameters.rate[rows]))

    def _use(self, parameters: SensorParameters) -> None:
        self.parameters, self._records.view(F)[:, RATE:] = parameters, parameters.rate
        self._cutoff = GONE / np.maximum(parameters.rate.min(axis=1).astype(np.float64), 1e-12)

    def _place(self, row: int) -> int:
        return row if self._rows is None else int(np.flatnonzero(self._rows == row)[0])

    def _work_off(self, until: int) -> None:
        """Pair the pulses before tick `until`."""
        if not (self._events or self._posts):
            return
        events, posts = self._due(until)
        if not (len(events.tick) or len(posts)):
            return
        if (events.tick[1:] < events.tick[:-1]).any():
            order = np.argsort(events.tick, kind="stable")
            events = RowEvents(events.tick[order], events.row[order], events.label[order])
        posts[: len(posts) // SORTED * SORTED].reshape(-1, SORTED).sort(axis=1)
        room = np.empty(len(events.tick), INT), np.empty(len(posts), INT), np.empty(self.pre.shape, INT), aligned(2 * WIDTH, INT)
        pair_kernel()(
            events.tick, events.row.astype(INT, copy=False), events.label, posts, self._records, self.labels, self.pre, self.post,
            self._unchecked, self._cutoff, *room,
        )  # fmt: skip

    def _due(self, until: int) -> tuple[RowEvents, Ticks]:
        """Return row events and post pulses before tick `until` and keep the others."""
        tick, row, label = (np.concatenate([getattr(part, name) for part in self._events or [NO_EVENTS]]) for name in ("tick", "row", "label"))
        posts = self._posts[0] if len(self._posts) == 1 else np.concatenate([np.empty(0, np.int64), *self._posts])
        events, self._events, self._posts = RowEvents(tick, row, label), [], []
        if tick.max(initial=until - 1) >= until:
            due = tick < until
            events, self._events = RowEvents(tick[due], row[due], label[due]), [RowEvents(tick[~due], row[~due], label[~due])]
        if posts.max(initial=until * WIDTH - 1) >= until * WIDTH:
            fired = posts < until * WIDTH
            posts, self._posts = posts[fired], [posts[~fired]]
        return events, posts


def _row_of(change: tuple[int, str, Any]) -> int:
    return int(change[2][0])
