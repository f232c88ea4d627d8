"""The correlation sensors of one trial: they hear what comes to the rows and what the neurons fire, and are read, reset and given other labels.

Post pulses are what the logic between neurons makes of the spikes (:mod:`neckar.chip.fire_logic`). The sensors follow the engine at a distance of one
step, because a step reports its spikes when it is over. A read in between works on a copy that has caught up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from neckar.chip.carrier import Carried
from neckar.chip.config import ChipConfig
from neckar.chip.coordinates import COLUMNS
from neckar.chip.correlation import HEMISPHERES, READS, ROWS
from neckar.chip.fire_logic import NOTHING, FireLogic
from neckar.chip.synapse_probes import Outputs, SensorSampler
from neckar.dynamics import NO_EVENTS, Drivers, RowEvents, SensorParameters, Sensors, SensorState
from neckar.program import SensorProbe

Codes = Callable[[ChipConfig, int, NDArray[np.int64], NDArray[np.float32], int], NDArray[np.uint8]]


class SensorBank:
    """The sensors of both hemispheres.

    Parameters
    ----------
    sensors : sequence of Sensors
    codes : callable
        ``(config, hemisphere, rows, charge, tick) -> uint8 (2, row, column)``: what the converter reads.
    hears : bool
        Whether any sensor takes charge in this trial; without, pulses need not be followed.
    """

    def __init__(self, sensors: Sequence[Sensors], codes: Codes, hears: bool) -> None:
        self._sensors, self._codes, self.hears = sensors, codes, hears
        self._logic = FireLogic()
        self._samplers: list[SensorSampler] = []

    def watch(self, probe: SensorProbe, ticks: NDArray[np.int64]) -> SensorSampler:
        """Return an instrument that follows the sensors of a probe from now on."""
        self._samplers.append(SensorSampler(probe, ticks, self._sensors[probe.hemisphere]))
        return self._samplers[-1]

    def take(self, carried: Carried, drivers: Sequence[Drivers], until: int) -> None:
        """Take in what happened. All pulses and spikes before tick `until` are in."""
        if self.hears:
            masks = [half.parameters.mask for half in drivers]
            self._note(carried.events or (NO_EVENTS,) * len(self._sensors), masks, *self._logic.pulses(carried.tick, carried.circuit, until))
            for sensors in self._sensors:
                sensors.advance(until)
        for sampler in self._samplers:
            sampler.sample(until)

    def advance(self, until: int) -> None:
        """Work off everything before tick `until`; all spikes before it are in."""
        self._note_posts(*self._logic.pulses(NOTHING, NOTHING, until))
        for sensors in self._sensors:
            sensors.advance(until)
        for sampler in self._samplers:
            sampler.sample(until)

    def reconfigure(self, parameters: Sequence[SensorParameters], config: ChipConfig, outputs: Outputs, refractory_ticks: NDArray[np.int64], tick: int) -> None:
        """Take over a configuration, and how long each circuit is refractory, shape (circuit,), from a tick on; all spikes before are in."""
        self._note_posts(*self._logic.pulses(NOTHING, NOTHING, tick))
        self._logic.configure(config, refractory_ticks)
        for sampler in self._samplers:
            h = sampler.hemisphere
            new = parameters[h] if self._sensors[h].takes(parameters[h]) else None
            sampler.reconfigure(new, config.synapse_label[h], outputs(h, sampler.rows), tick)
        for h, sensors in enumerate(self._sensors):
            sensors.reconfigure(parameters[h], config.synapse_label[h], tick)

    def reset(self, rows: NDArray[np.bool_], tick: int) -> None:
        """Empty the sensors of some rows, shape (hemisphere, row)."""
        for h, row in np.argwhere(rows):
            for half in self._of(h):
                half.reset(int(row), tick)

    def reset_columns(self, hemisphere: int, row: int, columns: NDArray[np.bool_], tick: int) -> None:
        """Empty the sensors of some columns of a row, shape (column,)."""
        for half in self._of(hemisphere):
            half.reset(row, tick, columns)

    def relabel(self, hemisphere: int, row: int, labels: NDArray[np.uint8], tick: int) -> None:
        """Give the synapses of a row other labels, shape (column,)."""
        for half in self._of(hemisphere):
            half.relabel(row, labels, tick)

    def _of(self, hemisphere: int) -> Iterator[Sensors | SensorSampler]:
        """Yield the sensors of a hemisphere and who follows them."""
        yield self._sensors[hemisphere]
        yield from (sampler for sampler in self._samplers if sampler.hemisphere == hemisphere)

    def read(
        self, config: ChipConfig, field: str, key: tuple[int | slice, ...], tick: int, ahead: tuple[NDArray[np.int64], NDArray[np.int64]]
    ) -> NDArray[np.uint8]:
        """Return readings at a tick, indexed as numpy does; `ahead` are ticks and circuits of the spikes in the step under way."""
        wanted = np.zeros((HEMISPHERES, ROWS, 1), bool)
        wanted[key[:2]] = True
        plane = np.zeros((HEMISPHERES, ROWS, COLUMNS), np.uint8)
        posts = self._logic.fork().pulses(*ahead, tick)
        for h, sensors in enumerate(self._sensors):
            rows = np.flatnonzero(wanted[h, :, 0])
            if len(rows):
                mine = posts[1] // COLUMNS == h
                part = sensors.part(rows)
                part.note(NO_EVENTS, np.zeros(0, np.uint8), posts[0][mine], posts[1][mine] % COLUMNS)
                part.advance(tick)
                plane[h, rows] = self._codes(config, h, rows, part.state().charge, tick)[READS.index(field)]
        return np.array(plane[key])

    def _note_posts(self, tick: NDArray[np.int64], circuit: NDArray[np.int64]) -> None:
        n = len(self._sensors)
        self._note((NO_EVENTS,) * n, (np.zeros(0, np.uint8),) * n, tick, circuit)

    def _note(self, events: Sequence[RowEvents], masks: Sequence[NDArray[np.uint8]], tick: NDArray[np.int64], circuit: NDArray[np.int64]) -> None:
        for h in range(len(self._sensors)):
            mine = circuit // COLUMNS == h
            for half in self._of(h):
                half.note(events[h], masks[h], tick[mine], circuit[mine] % COLUMNS)

    def states(self) -> tuple[SensorState, ...]:
        """Return what the sensors hold after the last advance."""
        return tuple(sensors.state() for sensors in self._sensors)
