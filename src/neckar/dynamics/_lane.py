"""Lanes: the circuits of one hemisphere in one trial on one chip, their state, synapses and observed circuits.

A lane keeps only *active* circuits: those that are observed or can influence something observed. Every circuit is computed from its own numbers
alone, so the choice of active circuits and their order do not change a bit of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.dynamics import _layout as L
from neckar.dynamics._advance import MIXED, lane_kernel
from neckar.dynamics._bridge import halvings
from neckar.dynamics._crossing import scratch
from neckar.dynamics._dense import N_SIGNALS, dense_kernel, sort_kernel
from neckar.dynamics._dense_nodes import SharedTraces
from neckar.dynamics._drivers import NO_DRIVERS, Drivers, forked
from neckar.dynamics._heard import copied, forget_row, nothing_heard
from neckar.dynamics._parameters import CircuitParameters, Features
from neckar.dynamics._propagators import constants, kick_shares, lane_rows, late_shares, own_rates

VECTOR = 16
CHUNK = 1 << 20  # steps per call of the kernel ...
FINE_STEP = 50  # ticks; steps up to this length are fine, see Features. Fewer circuits stop in them, so there is time to look at those closely
TRACE_VALUES = 1 << 20  # ... with traces fewer, so that they stay below 4 MiB
ROOMS = (1 << 12, 1 << 15, 1 << 19)  # for spikes of one call, then four times as much again; numpy takes arrays of 4 MiB from large pages

Ticks = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Synapses:
    """The synapse array of one hemisphere.

    Attributes
    ----------
    weights : ndarray, shape (row, column), float32
        Step of the synaptic line per event, V; mismatch included. Without columns: none has a weight.
    labels : ndarray, shape (row, column), uint8
        An event acts on the synapses that hold its label.
    receptor : ndarray, shape (row,), uint8
        1: excitatory line, 2: inhibitory line, 3: both. Rows with 0 must not receive events.
    """

    weights: NDArray[np.float32]
    labels: NDArray[np.uint8]
    receptor: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class RowEvents:
    """Events on synapse rows, ascending in tick: `tick` int64, `row` int32 (within the hemisphere), `label` uint8."""

    tick: Ticks
    row: NDArray[np.int32]
    label: NDArray[np.uint8]

    def between(self, t0: int, t1: int) -> RowEvents:
        """Return the events with ``t0 <= tick < t1`` (views)."""
        a, b = np.searchsorted(self.tick, (t0, t1))
        return RowEvents(self.tick[a:b], self.row[a:b], self.label[a:b])


NO_EVENTS = RowEvents(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.uint8))


class Prepared(NamedTuple):
    """What a lane needs for steps of one length, if that has been computed for several chips together.

    Attributes
    ----------
    rows : ndarray of float64
        What :func:`neckar.dynamics.lane_rows` returns for the active columns.
    shares, late : ndarray of float32
        What :func:`neckar.dynamics._propagators.kick_shares` and :func:`neckar.dynamics._propagators.late_shares` return.
    """

    rows: NDArray[np.float64]
    shares: NDArray[np.float32]
    late: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Segment:
    """A stretch of constant circuit parameters, from tick `start` to tick `end`.

    Attributes
    ----------
    parameters : CircuitParameters
        Of all 256 columns of a hemisphere, active or not.
    start, end, step_ticks : int
        Steps are anchored at the start; the last one is shorter if the length is no multiple.
    tau : (float, float, float)
        Reference time constants of synaptic lines and membranes, s (see :func:`neckar.dynamics.reference_tau`).
    features : Features
        Which kernel the circuits need. By default what these circuits need; lanes that exchange events need one kernel.
    prepared : mapping of int to Prepared
        For some lengths of steps, ticks.
    """

    parameters: CircuitParameters
    start: int
    end: int
    step_ticks: int
    tau: tuple[float, float, float]
    features: Features = field(default=None)  # type: ignore[assignment]
    prepared: Mapping[int, Prepared] = field(default_factory=dict)

    def __post_init__(self) -> None:
        features = self.parameters.features if self.features is None else self.features
        object.__setattr__(self, "features", features._replace(fine=self.step_ticks <= FINE_STEP))

    @property
    def whole_steps(self) -> int:
        """Number of steps of full length."""
        return (self.end - self.start) // self.step_ticks

    @property
    def last_ticks(self) -> int:
        """Length of the shorter last step, or 0."""
        return (self.end - self.start) % self.step_ticks


def pieces(s: Segment, t0: int, t1: int, chunk: int) -> Iterator[tuple[int, int, int, int, int, bool]]:
    """Yield the calls of a kernel from `t0` to `t1`: origin and length of the steps, first step, number of steps, end, whether the first is under way."""
    border = s.start + s.whole_steps * s.step_ticks
    tail = s.last_ticks > 0 and t1 > border
    step, under_way = divmod(t0 - s.start, s.step_ticks)
    target = min((t1 - s.start) // s.step_ticks, s.whole_steps)
    while t0 < border or s.last_ticks == 0:
        last = min(target, step + chunk)
        until = t1 if last == target and not tail else s.start + last * s.step_ticks
        yield s.start, s.step_ticks, step, last - step, until, under_way > 0
        step, under_way = last, 0
        if last == target:
            break
    if tail:
        yield border, s.last_ticks, 0, int(t1 == s.end), t1, t0 > border


@dataclass(eq=False)
class Trace:
    """What a lane stored of its observed circuits during one call: the input of the dense output."""

    start: int
    h_ticks: int
    states: NDArray[np.float32]  # (step + 1, field, slot)
    slot: NDArray[np.int32]
    line: NDArray[np.int32]
    tick: Ticks
    kick: NDArray[np.float32]
    shared: tuple[int, SharedTraces] | None = None  # number of the lane, and how membranes of lanes are connected

    @cached_property
    def kicks(self) -> tuple[NDArray[Any], ...]:
        """Where the kicks of each slot begin, then ticks, lines and kicks sorted by slot."""
        first = np.zeros(self.states.shape[2] + 1, np.int64)
        grouped = np.empty_like(self.tick), np.empty_like(self.line), np.empty_like(self.kick)
        sort_kernel()(self.slot, self.tick, self.line, self.kick, first, np.zeros_like(first), *grouped)
        return first, *grouped


def uniform_labels(labels: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return the label that all synapses of each row hold, or `MIXED`; `labels` is (row, column)."""
    if labels.shape[1] == 0:
        return np.full(len(labels), MIXED, np.int16)
    return np.where((labels == labels[:, :1]).all(axis=1), labels[:, 0], np.int16(MIXED)).astype(np.int16)


def _word(seed: int) -> np.uint64:
    return np.uint64(seed & (2**64 - 1))


class _SpikeBuffer:
    """Spikes of one call of :meth:`Lane.advance`, and room for more. The kernel returns when it is full."""

    def __init__(self, at_once: int) -> None:
        self.n, self._at_once, self._level = 0, at_once, 0
        self._tick, self._column = self._empty()

    def _empty(self) -> tuple[Ticks, NDArray[np.int16]]:
        size = ROOMS[min(self._level, len(ROOMS) - 1)] << 2 * max(self._level - len(ROOMS) + 1, 0)
        return np.empty(size, np.int64), np.empty(size, np.int16)

    def room(self) -> tuple[Ticks, NDArray[np.int16]]:
        """Return the free part of the buffer, which takes at least what one step can bring."""
        while len(self._tick) - self.n < 2 * self._at_once:
            self._level += 1
            filled = self.found()
            self._tick, self._column = self._empty()
            self._tick[: self.n], self._column[: self.n] = filled
        return self._tick[self.n :], self._column[self.n :]

    def found(self) -> tuple[Ticks, NDArray[np.int16]]:
        """Return ticks and columns."""
        return self._tick[: self.n], self._column[: self.n]


class Lane:
    """State and synapses of the active circuits of one hemisphere.

    Parameters
    ----------
    columns : ndarray of int
        Active columns, ascending.
    observed : ndarray of int
        Columns whose trace is stored; a subset of `columns`.
    synapses : Synapses
        Of the whole hemisphere, weights perhaps of the active columns alone; copied when a row is written.
    keys : ndarray, shape (256,), uint32
        Noise key of each column.
    seed : int
        Seed of the noise in this trial, 64 bit.
    drivers : Drivers
        Of the rows; the lane changes their state. Only segments with the feature `plastic` look at them.
    """

    def __init__(
        self,
        columns: NDArray[np.int64],
        observed: NDArray[np.int64],
        synapses: Synapses,
        keys: NDArray[np.uint32],
        seed: int,
        drivers: Drivers = NO_DRIVERS,
    ) -> None:
        self.columns, self.drivers = columns, drivers
        self.n = -(-len(columns) // VECTOR) * VECTOR
        self.observed = np.searchsorted(columns, observed).astype(np.int32)
        self.keys = np.zeros(L.STRIDE, np.uint32)
        self.keys[: len(columns)] = keys[columns]
        self.seed = _word(seed)
        self.receptor = synapses.receptor
        self.weights = self._gather(synapses.weights, np.float32)
        self.labels = self._gather(synapses.labels, np.uint8)
        self.uniform = uniform_labels(self.labels[:, : len(columns)])
        self._owned = len(columns) < L.WIDTH
        self._begin()
        self.chunk = max(16, TRACE_VALUES // (L.N_STATE * len(observed))) if len(observed) else CHUNK
        self.column_of = np.zeros(self.n, np.int16)
        self.column_of[: len(columns)] = columns

    def _begin(self) -> None:
        """Take over nothing of any run."""
        self.block = L.aligned(L.N_ROWS * L.STRIDE)
        self.rows = self.block.reshape(L.N_ROWS, L.STRIDE)
        self.flags, self.heard = L.aligned(L.WIDTH, np.uint8), nothing_heard()
        self.configured: tuple[Segment, int] | None = None
        self._open: NDArray[np.float32] | None = None  # observed states at the start of a step that is not complete yet, and its kicks so far
        self._open_kicks: list[NDArray[Any]] = []

    def sibling(self, rows: NDArray[np.integer[Any]], weights: NDArray[np.float32], seed: int, drivers: Drivers) -> Lane:
        """Return a new lane of the same circuits and labels, for another trial or chip.

        Parameters
        ----------
        rows : ndarray of int, shape (row,)
            Those that may receive events.
        weights : ndarray, shape (row, active column), float32
            V.
        seed, drivers
            As for a lane.
        """
        twin = object.__new__(Lane)
        twin.__dict__.update(self.__dict__)
        twin.weights = L.aligned(self.weights.size).reshape(self.weights.shape)
        twin.weights[rows, : len(self.columns)] = weights
        twin.seed, twin.drivers, twin._owned = _word(seed), drivers, False
        twin._begin()
        return twin

    def _gather(self, plane: NDArray[Any], dtype: Any) -> NDArray[Any]:
        if len(self.columns) == L.WIDTH == plane.shape[1]:
            return np.require(plane, dtype, ["C", "W"])  # of one type for all lanes of a kernel, which includes that it can be written
        out = L.aligned(plane.shape[0] * self.n, dtype).reshape(plane.shape[0], self.n)
        n, first = len(self.columns), int(self.columns[0]) if len(self.columns) else 0
        if not plane.shape[1]:
            return out
        if plane.shape[1] > n:
            plane = plane[:, first : first + n] if n and self.columns[-1] == first + n - 1 else plane[:, self.columns]
        out[:, :n] = plane
        return out

    def write_row(self, row: int, weights: NDArray[np.float32], labels: NDArray[np.uint8] | None = None) -> None:
        """Replace weights (V, shape (column,)) and labels of one row for all events delivered from now on."""
        if not self._owned:
            self.weights, self.labels, self.uniform, self._owned = self.weights.copy(), self.labels.copy(), self.uniform.copy(), True
        forget_row(self.heard, row)
        self.weights[row, : len(self.columns)] = weights[self.columns]
        if labels is not None:
            self.labels[row, : len(self.columns)] = labels[self.columns]
            self.uniform[row] = uniform_labels(self.labels[row : row + 1, : len(self.columns)])[0]

    def fork(self) -> Lane:
        """Return a copy of this moment that can be carried on its own; observed circuits are not copied."""
        twin = object.__new__(Lane)
        twin.__dict__.update(self.__dict__)
        twin.block = L.aligned(L.N_ROWS * L.STRIDE)
        twin.block[:] = self.block
        twin.rows = twin.block.reshape(L.N_ROWS, L.STRIDE)
        twin.observed, twin.drivers = np.empty(0, np.int32), forked(self.drivers)
        twin._owned, twin._open = False, None
        twin.heard = copied(self.heard)
        return twin

    def load(self, state: NDArray[np.float32]) -> None:
        """Take over the state, shape (field, column)."""
        self.rows[: L.N_DYNAMIC, : len(self.columns)] = state[:, self.columns]

    def reset(self, columns: NDArray[np.bool_], refractory_us: NDArray[np.float64]) -> None:
        """Start the refractory period of some columns, as a neuron reset does; both arrays have the shape (column,). It begins with the step under way."""
        mine = np.flatnonzero(columns[self.columns])
        self.rows[L.REFRACTORY, mine] = refractory_us[self.columns[mine]]
        self.rows[L.ARMED, mine] = 0.0
        if self._open is not None:
            slots = np.flatnonzero(np.isin(self.observed, mine))
            self._open[L.REFRACTORY, slots] = self.rows[L.REFRACTORY, self.observed[slots]]
            self._open[L.ARMED, slots] = 0.0

    def store(self, state: NDArray[np.float32]) -> None:
        """Write the state of the active circuits into `state`, shape (field, column)."""
        state[:, self.columns] = self.rows[: L.N_DYNAMIC, : len(self.columns)]

    def configure(self, segment: Segment, h_ticks: int) -> None:
        if self.configured == (segment, h_ticks):
            return
        prepared = segment.prepared.get(h_ticks)
        if prepared is None:
            rows = lane_rows(segment.parameters.take(self.columns), h_ticks)
            self.share, self.late = kick_shares(segment.tau, h_ticks), late_shares(segment.tau, h_ticks)
        else:
            rows, self.share, self.late = prepared
        self.rows[L.E_LEAK :, : len(self.columns)] = rows
        if segment.features.fine:
            self.rows[[L.OWN_EXC, L.OWN_INH], : len(self.columns)] = own_rates(segment.parameters.take(self.columns), segment.tau, h_ticks)
        self.constants = constants(segment.parameters)
        if len(self.observed):
            seen = segment.parameters.take(self.columns[self.observed])
            self._seen = lane_rows(seen, 1)  # for the short steps between samples
            self._rates = np.stack([1e-6 / tau for tau in (seen.tau_exc, seen.tau_inh, seen.tau_adapt)], axis=1).astype(np.float32)  # 1/us
        self.configured = (segment, h_ticks)

    def advance(self, segment: Segment, events: RowEvents, t0: int, t1: int) -> tuple[Ticks, NDArray[np.int16], list[Trace]]:
        """Carry the lane from tick `t0` to `t1` within a segment.

        Whole steps are taken as far as they end at or before `t1`; events up to `t1` are added to the step that is under way, so a run cut at any
        ticks has the bits of the uncut one. A spike is reported with the step that contains it.

        Returns
        -------
        ticks, columns : ndarray
            Spikes, in no particular order.
        traces : list of Trace
            One for each call of the kernel, if circuits are observed.
        """
        spikes = _SpikeBuffer(self.n)
        traces = []
        for origin, h_ticks, first, count, until, resumed in pieces(segment, t0, t1, self.chunk):
            self.configure(segment, h_ticks)
            done = 0
            while done >= 0:
                first, count, resumed = first + done, count - done, resumed and done == 0
                start = t0 if resumed else origin + first * h_ticks
                trace, done = self._call(origin, first, count, h_ticks, until, resumed, events.between(start, until), spikes)
                traces += [trace] if trace else []
        return *spikes.found(), traces

    def _call(
        self, origin: int, first: int, count: int, h_ticks: int, until: int, resumed: bool, events: RowEvents, spikes: _SpikeBuffer
    ) -> tuple[Trace | None, int]:
        slots = len(self.observed)
        states = self.start_trace(count, resumed)
        n_log = 2 * len(events.tick) * slots
        log = np.empty(n_log, np.int32), np.empty(n_log, np.int32), np.empty(n_log, np.int64), np.empty(n_log, np.float32)
        features = self.configured[0].features  # type: ignore[index]
        pulses = np.empty(len(events.tick) * features.plastic, np.float32)
        n_spikes, n_kicks, done = lane_kernel(features._replace(sensed=False))(
            self.block, self.flags, self.n, np.float32(h_ticks * 2e-3), h_ticks, origin, first, count, until, resumed, self.constants,
            events.tick, events.row, events.label, pulses, self.weights, self.labels, self.uniform, self.receptor, self.share, self.drivers, self.heard,
            self.keys, self.seed, self.observed, states, *log, self.column_of, scratch(), *spikes.room(),
        )  # fmt: skip
        spikes.n += n_spikes
        if slots == 0:
            return None, done
        if done >= 0:
            states, count = states[: done + 1], done
        return self.finish_trace(origin, first, count, h_ticks, resumed, states, [part[:n_kicks] for part in log]), done

    def finish_trace(self, origin: int, first: int, count: int, h_ticks: int, resumed: bool, states: NDArray[np.float32], kicks: list[NDArray[Any]]) -> Trace:
        """Make the trace of a call of the kernel from the states at the starts of its steps; what belongs to the step under way is kept for the next."""
        if resumed:
            kicks = [np.concatenate(pair) for pair in zip(self._open_kicks, kicks, strict=True)]
            order = np.argsort(kicks[2], kind="stable")  # what fires a circuit is noted at the step's start, perhaps before kicks that are kept from it
            kicks = [part[order] for part in kicks]
        self._open = states[-1].copy()
        self._open_kicks = [part[kicks[2] >= origin + (first + count) * h_ticks] for part in kicks]
        slot, line, tick, kick = kicks
        return Trace(origin + first * h_ticks, h_ticks, states, slot, line, tick, kick)

    def start_trace(self, count: int, resumed: bool) -> NDArray[np.float32]:
        """Return room for the states at the starts of `count` steps and at the end; a step under way has its start already."""
        states = np.empty((count + 1, L.N_STATE, len(self.observed)), np.float32)
        if resumed and self._open is not None:
            states[0] = self._open
        return states

    def sample(self, trace: Trace, columns: ArrayLike, ticks: Ticks) -> NDArray[np.float32]:
        """Return observed circuits at ascending ticks within a trace.

        Parameters
        ----------
        trace : Trace
        columns : array_like of int
            Observed columns, in any order.
        ticks : ndarray of int64

        Returns
        -------
        ndarray, shape (column, sample, signal)
            v, w, s_exc, s_inh (V), refractory time left (us).
        """
        segment = self.configured[0]  # type: ignore[index]
        slots = np.searchsorted(self.columns[self.observed], columns)
        out = np.zeros((len(slots), len(ticks), N_SIGNALS), np.float32)
        dense_kernel(segment.features)(
            L.aligned(L.N_ROWS * L.STRIDE), np.zeros(8, np.uint8), self._seen, self._rates, self.constants, self.keys[self.observed], self.seed,
            halvings(trace.h_ticks), trace.states, slots, trace.start, trace.h_ticks, *trace.kicks, np.asarray(ticks, np.int64), out,
        )  # fmt: skip
        if trace.shared is not None:
            lane, traces = trace.shared
            traces.fill(lane, columns, ticks, out)
        return out
