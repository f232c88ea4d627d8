"""The correlation sensors of one trial: they hear what comes to the rows and what the neurons fire, and are read, reset and given other labels.

Post pulses are what the logic between neurons makes of the spikes (:mod:`neckar.chip.fire_logic`). The sensors follow the engine at a distance of one
step, because a step reports its spikes when it is over. A read in between works on a copy that has caught up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from neckar.chip.carrier import Carried
from neckar.chip.config import ChipConfig
from neckar.chip.coordinates import COLUMNS
from neckar.chip.correlation import HEMISPHERES, READS, ROWS
from neckar.chip.fire_logic import NOTHING, FireLogic
from neckar.dynamics import NO_EVENTS, Drivers, SensorParameters, Sensors, SensorState

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

    def take(self, carried: Carried, drivers: Sequence[Drivers], until: int) -> None:
        """Take in what happened. All pulses and spikes before tick `until` are in."""
        if not self.hears:
            return
        tick, circuit = self._logic.pulses(carried.tick, carried.circuit, until)
        for h, sensors in enumerate(self._sensors):
            mine = circuit // COLUMNS == h
            events = carried.events[h] if carried.events else NO_EVENTS
            sensors.note(events, drivers[h].parameters.mask, tick[mine], circuit[mine] % COLUMNS)
            sensors.advance(until)

    def advance(self, until: int) -> None:
        """Work off everything before tick `until`; all spikes before it are in."""
        self._note_posts(self._sensors, *self._logic.pulses(NOTHING, NOTHING, until))
        for sensors in self._sensors:
            sensors.advance(until)

    def reconfigure(self, parameters: Sequence[SensorParameters], config: ChipConfig, refractory_ticks: NDArray[np.int64], tick: int) -> None:
        """Take over a configuration, and how long each circuit is refractory, shape (circuit,), from a tick on; all spikes before are in."""
        self._note_posts(self._sensors, *self._logic.pulses(NOTHING, NOTHING, tick))
        self._logic.configure(config, refractory_ticks)
        for h, sensors in enumerate(self._sensors):
            sensors.reconfigure(parameters[h], config.synapse_label[h], tick)

    def reset(self, rows: NDArray[np.bool_], tick: int) -> None:
        """Empty the sensors of some rows, shape (hemisphere, row)."""
        for h, row in np.argwhere(rows):
            self._sensors[h].reset(int(row), tick)

    def reset_columns(self, hemisphere: int, row: int, columns: NDArray[np.bool_], tick: int) -> None:
        """Empty the sensors of some columns of a row, shape (column,)."""
        self._sensors[hemisphere].reset(row, tick, columns)

    def relabel(self, hemisphere: int, row: int, labels: NDArray[np.uint8], tick: int) -> None:
        """Give the synapses of a row other labels, shape (column,)."""
        self._sensors[hemisphere].relabel(row, labels, tick)

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

    @staticmethod
    def _note_posts(sensors: Sequence[Sensors], tick: NDArray[np.int64], circuit: NDArray[np.int64]) -> None:
        for h, half in enumerate(sensors):
            mine = circuit // COLUMNS == h
            half.note(NO_EVENTS, np.zeros(0, np.uint8), tick[mine], circuit[mine] % COLUMNS)

    def states(self) -> tuple[SensorState, ...]:
        """Return what the sensors hold after the last advance."""
        return tuple(sensors.state() for sensors in self._sensors)
