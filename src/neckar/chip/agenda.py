"""The agenda: actors with a next due tick, and the engine in between.

Everything that acts on a running trial is an actor: the playback of the program's timed writes and reads, and later the plasticity processors. An
actor says when it is due; the agenda carries the engine to that tick, lets the actor act through a :class:`Port`, and asks again. Actors due at the
same tick act in the order in which they were given. What an actor writes at a tick acts on every event at or after that tick.

Reading never disturbs: a read within a step of the engine looks at a copy that is carried to the tick. So spikes do not depend on who looked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neckar.chip.carrier import Carried, Carrier
from neckar.chip.config import ChipConfig
from neckar.chip.coordinates import COLUMNS
from neckar.chip.correlation import READS
from neckar.chip.sensing import SensorBank
from neckar.chip.synapse_probes import DriverSampler
from neckar.dynamics import UNKNOWN, Drivers, Lane, Segment, Trace, driver_voltages
from neckar.errors import UnsupportedFeatureError

PLANES = ("synapse_weight", "synapse_label")  # written row by row while the circuits run on
PIECE = 1 << 16  # steps between two visits of the instruments; bounds the memory of a long run
COUNTER_STATES = 256
RESET = "correlation_reset"  # a trigger: writing 1 acts

LONG_AGO = -(2**62)
NOTHING = (np.empty(0, np.int64),) * 2

KickVolts = Callable[[ChipConfig, int, NDArray[np.int64]], NDArray[np.float32]]


def in_order(tick: NDArray[np.int64], circuit: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sort spikes by tick, then circuit (one sort of one key: many times faster than of two)."""
    key = np.sort(tick * (2 * COLUMNS) + circuit)
    return key // (2 * COLUMNS), key % (2 * COLUMNS)


class Instrument(Protocol):
    """Something that looks at the traces after each piece of a run."""

    def take(self, hemisphere: int, lane: Lane, traces: Sequence[Trace], segment: Segment) -> None:
        """Take the samples that fall into the traces of one lane."""


class Actor(Protocol):
    """Something that acts on the chip at ticks of its own choice."""

    def due(self) -> int | None:
        """Return the next tick at which it acts, or None if it is done. Must not go back."""

    def act(self, port: Port) -> None:
        """Act at the due tick. Consumed cycles show in the next due tick."""


class Trial:
    """One entry on one chip, under way: registers, circuits, spikes so far.

    Parameters
    ----------
    config : ChipConfig
        The registers; actors change them, so the trial owns it.
    instruments : sequence of Instrument
    kick_volts : callable
        ``(config, hemisphere, rows) -> V, shape (row, column)``: the line step of stored weights.
    counted : ndarray, shape (circuit,), int64
        Spikes in the spike counters at tick 0.
    drivers : sequence of Drivers
        Of each hemisphere; their state runs on.
    sensors : SensorBank, optional
        Correlation sensors, if anybody looks at them.
    driver_samplers : sequence of DriverSampler
        They look at the drivers.
    """

    def __init__(
        self,
        config: ChipConfig,
        instruments: Sequence[Instrument],
        kick_volts: KickVolts,
        counted: NDArray[np.int64],
        drivers: Sequence[Drivers],
        sensors: SensorBank | None = None,
        driver_samplers: Sequence[DriverSampler] = (),
    ) -> None:
        self.config, self.instruments, self.kick_volts, self._counted, self.drivers = config, instruments, kick_volts, counted, drivers
        self.sensors, self.driver_samplers = sensors, driver_samplers
        self._ahead: tuple[int, Carried | None] = (LONG_AGO, None)
        self.relays_ready = np.full((len(counted) // COLUMNS, COLUMNS), -(2**62), np.int64)
        self.states_high = np.full(len(counted), -(2**62), np.int64)  # until when the refractory states of circuits are high that fire others
        self.carrier: Carrier | None = None
        self.segments: Sequence[Segment] = ()
        self.analog: Callable[[Trial, int, int], NDArray[np.uint8]] | None = None  # what the converter reads of a hemisphere's neurons at a tick
        self._found: list[Carried] = []
        self._added = 0  # parts whose spikes are in the counters already
        self._at = LONG_AGO  # so far the circuits are carried

    def run(self, segments: Sequence[Segment], carrier: Carrier, actors: Sequence[Actor]) -> None:
        """Run a stretch of constant circuit parameters; segments are given per hemisphere. Actors whose tick lies in it act."""
        self.segments, self.carrier = segments, carrier
        self._at, end = segments[0].start, segments[0].end
        now = self._at
        while True:
            due = [(tick, k) for k, actor in enumerate(actors) if (tick := actor.due()) is not None and tick < end]
            if not due:
                break
            tick, k = min(due)
            now = max(tick, now)
            actors[k].act(Port(self, now, [*actors[:k], *actors[k + 1 :]]))
        self.carry(end)

    def finish(self, actors: Sequence[Actor]) -> None:
        """Let the actors act that are due at the end of the trial."""
        end = self.segments[0].end
        while due := [(tick, k) for k, actor in enumerate(actors) if (tick := actor.due()) is not None and tick <= end]:
            actors[min(due)[1]].act(Port(self, end))

    def carry(self, until: int) -> None:
        """Carry the circuits to tick `until`, if they are not there yet."""
        while self.carrier is not None and self._at < until:
            s = self.segments[0]
            stop = min(until, s.start + ((self._at - s.start) // s.step_ticks + PIECE) * s.step_ticks)
            carried = self.carrier.advance(self.segments, self._at, stop)
            for hemisphere, lane, traces in carried.traces:
                for instrument in self.instruments:
                    instrument.take(hemisphere, lane, traces, self.segments[hemisphere])
            carried.traces = []
            complete = s.start + ((stop - s.start) // s.step_ticks - 1) * s.step_ticks  # a step reports when it is over
            for sampler in self.driver_samplers:
                sampler.take(carried.events[sampler.hemisphere], complete)
            if self.sensors is not None:
                self.sensors.take(carried, self.drivers, complete)
            carried.events = ()
            self._found.append(carried)
            self._at = stop

    def read_sensors(self, field: str, key: tuple[int | slice, ...], now: int) -> NDArray[np.uint8]:
        """Return readings of the correlation sensors at tick `now`, also of pairs in a step that is under way."""
        if self.sensors is None:
            raise UnsupportedFeatureError(f"nobody has asked for {field} when the trial began. Read it with a TimedRead or from an actor given to the run.")
        fired = self._finish_step(now) if self.sensors.hears else None
        return self.sensors.read(self.config, field, key, now, NOTHING if fired is None else (fired.tick, fired.circuit))

    def _finish_step(self, now: int) -> Carried | None:
        """Let a copy finish the step under way, once for each tick: it fires when the original will, but for events still to come."""
        if self._ahead[0] != now:
            s = self.segments[0]
            grid = s.start + (now - s.start) // s.step_ticks * s.step_ticks
            copy = self.carrier.fork() if self.carrier is not None and grid < now < s.end else None
            self._ahead = now, None if copy is None else copy.advance(self.segments, now, min(grid + s.step_ticks, s.end))
        return self._ahead[1]

    def spikes(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return ticks, circuits and times at their event output of all spikes so far, by tick, then circuit."""
        tick, circuit, leaves = (
            np.concatenate([getattr(part, name) for part in self._found] or [NOTHING[0]]) for name in ("tick", "circuit", "leaves")
        )
        if (leaves == UNKNOWN).all():
            return *in_order(tick, circuit), leaves
        order = np.argsort(tick * (2 * COLUMNS) + circuit, kind="stable")
        return tick[order], circuit[order], leaves[order]

    def counted(self, now: int) -> NDArray[np.int64]:
        """Return how many spikes have come to the counters of all circuits at tick `now`, also in a step that is under way."""
        while self._added < len(self._found) and (self._found[self._added].tick < now).all():  # ticks of later calls are not earlier
            part = self._found[self._added]
            self._counted = self._counted + np.bincount(part.circuit[part.tick >= 0], minlength=len(self._counted))
            self._added += 1
        ahead = self._finish_step(now)
        total = self._counted.copy()
        for part in [*self._found[self._added :], *([] if ahead is None else [ahead])]:
            total += np.bincount(part.circuit[(part.tick >= 0) & (part.tick < now)], minlength=len(total))
        return total

    def reset_counters(self, circuits: NDArray[np.int64], now: int) -> None:
        """Set the counters of some circuits to 0 at tick `now`."""
        seen = self.counted(now)[circuits]
        self._counted = self._counted.copy()
        self._counted[circuits] -= seen


def spike_counters(counted: NDArray[np.int64]) -> dict[str, NDArray[np.uint8]]:
    """Return what the spike counters show after so many spikes: 8 bit that wrap, and a flag that stays."""
    return {"spike_counter": (counted % COUNTER_STATES).astype(np.uint8), "spike_counter_overflow": (counted >= COUNTER_STATES).astype(np.uint8)}


class Port:
    """What an actor can see and do at one tick. The circuits are carried there when it asks for more than registers."""

    def __init__(self, trial: Trial, tick: int, others: Sequence[Actor] = ()) -> None:
        self._known, self.tick, self._others = trial, tick, others

    @property
    def _trial(self) -> Trial:
        self._known.carry(self.tick)
        return self._known

    def later(self, tick: int) -> Port | None:
        """Return the chip at a later tick, or None if another actor acts until then, or the stretch of constant parameters ends."""
        tick = max(tick, self.tick)
        if tick >= self._known.segments[0].end or any((due := actor.due()) is not None and due <= tick for actor in self._others):
            return None
        return Port(self._known, tick, self._others)

    def read_counter(self, circuit: int) -> int:
        """Return the spike counter of a circuit: 8 bit, wraps."""
        return int(self._trial.counted(self.tick)[circuit]) % COUNTER_STATES

    def read(self, field: str, key: tuple[int | slice, ...]) -> NDArray[np.generic]:
        """Return a register field, or what the chip counts or measures (``spike_counter``, ``driver_voltage``, ``correlation_*``), indexed as numpy does.

        Events that circuits sent within the engine's step under way show in the drivers' voltages when the step is over.
        """
        if field.startswith("spike_counter"):
            return np.array(spike_counters(self._trial.counted(self.tick))[field][key])
        if field in READS:
            return self._trial.read_sensors(field, key, self.tick)
        if field == "driver_voltage":
            voltages = np.stack([driver_voltages(half, self.tick) for half in self._trial.drivers])
            return np.array(voltages.astype(np.float32)[key])
        return np.array(self._known.config[field][key])

    def write_weights(self, hemisphere: int, row: int, weights: NDArray[np.uint8]) -> None:
        """Write the 6-bit weights of one synapse row, shape (column,); they act on events from now on."""
        self.write("synapse_weight", (hemisphere, row), weights)

    def reset_correlation(self, hemisphere: int, row: int) -> None:
        """Empty the correlation sensors of one synapse row."""
        self.write(RESET, (hemisphere, row), np.ones((), bool))

    def write(self, field: str, key: tuple[int | slice, ...], codes: NDArray[np.generic]) -> None:
        """Write weights or labels of synapses (``synapse_weight``, ``synapse_label``), or reset sensors (``correlation_reset``); `key` indexes as numpy does.

        Raises
        ------
        UnsupportedFeatureError
            For any other field; nothing is written.
        """
        if field not in (*PLANES, RESET):
            allowed = ", ".join((*PLANES, RESET))
            raise UnsupportedFeatureError(f"an actor writes {field} at tick {self.tick}; actors write {allowed} only. Use a TimedWrite of the program.")
        trial = self._trial
        trial.config[(field, *key)] = codes
        touched = np.zeros(trial.config[field].shape, bool)
        touched[key] = True
        if field == RESET:
            if trial.sensors is not None:
                trial.sensors.reset(touched & trial.config[RESET], self.tick)
            return
        for hemisphere, row in np.argwhere(touched.any(axis=-1)):
            if trial.carrier is not None:
                volts = trial.kick_volts(trial.config, int(hemisphere), np.array([row]))[0]
                trial.carrier.write_row(int(hemisphere), int(row), volts, trial.config.synapse_label[hemisphere, row])
            if trial.sensors is not None and field == "synapse_label":
                trial.sensors.relabel(int(hemisphere), int(row), trial.config.synapse_label[hemisphere, row], self.tick)

    def write_rows(self, field: str, hemisphere: int, rows: NDArray[np.int64], values: NDArray[np.uint8]) -> None:
        """Write rows of ``synapse_weight`` or ``synapse_label``, values of shape (row, column); they act on events from now on."""
        trial = self._trial
        differs = (trial.config[field][hemisphere, rows] != values).any(axis=1)
        rows, values = rows[differs], values[differs]
        if len(rows) == 0:
            return
        trial.config[(field, hemisphere, rows)] = values
        labels = trial.config.synapse_label[hemisphere]
        if trial.carrier is not None:
            for row, volts in zip(rows.tolist(), trial.kick_volts(trial.config, hemisphere, rows), strict=True):
                trial.carrier.write_row(hemisphere, row, volts, labels[row])
        if trial.sensors is not None and field == "synapse_label":
            for row in rows.tolist():
                trial.sensors.relabel(hemisphere, row, labels[row], self.tick)

    def reset_sensors(self, hemisphere: int, row: int, columns: NDArray[np.bool_]) -> None:
        """Empty the correlation sensors of some columns of a row, shape (column,)."""
        if self._trial.sensors is not None and columns.any():
            self._trial.sensors.reset_columns(hemisphere, row, columns, self.tick)

    def reset_membranes(self, hemisphere: int, columns: NDArray[np.bool_]) -> None:
        """Reset the neurons of some columns, shape (column,): their refractory period begins with the engine's step under way.

        As on silicon this empties the correlation sensors of these columns in row 0.
        """
        trial = self._trial
        p = trial.segments[hemisphere].parameters
        if trial.carrier is not None and hemisphere in trial.carrier.lanes:
            trial.carrier.lanes[hemisphere].reset(columns, (p.t_reset + p.t_holdoff) * 1e6)
            trial._ahead = (LONG_AGO, None)
        self.reset_sensors(hemisphere, 0, columns)

    def read_counters(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return what the spike counters show, and their flags of overflow, shape (circuit,)."""
        shown = spike_counters(self._trial.counted(self.tick))
        return shown["spike_counter"], shown["spike_counter_overflow"]

    def reset_counters(self, circuits: NDArray[np.int64]) -> None:
        """Set spike counters to 0."""
        self._trial.reset_counters(np.unique(circuits), self.tick)

    def read_neurons(self, hemisphere: int) -> NDArray[np.uint8]:
        """Return what the parallel converter reads of the membranes, shape (column,).

        It sees the circuits as they were at the start of the engine's step under way.
        """
        if self._trial.analog is None:
            raise UnsupportedFeatureError(f"the neurons of hemisphere {hemisphere} were read at tick {self.tick}, before the trial has begun. Read them in it.")
        return self._trial.analog(self._trial, hemisphere, self.tick)
