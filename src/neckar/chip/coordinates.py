"""Coordinates of the BrainScaleS-2 chip: which circuit, synapse row, driver and bus belong together.

Two hemispheres (0 top, 1 bottom), each with one row of 256 neuron circuits, a synapse array of 256 x 256, 128 synapse drivers on four buses. West is columns
0..127, east 128..255. All functions are pure, take integers or integer arrays of any shape and return int64 of the same (broadcast) shape; a coordinate outside
its axis raises :class:`~neckar.errors.ParameterRangeError`. Enumerations as upstream (halco hicann-dls/vx: neuron.h, synapse_driver.h, padi.h).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.errors import ConfigurationError, ParameterRangeError
from neckar.facts import AXES

COLUMNS = AXES["column"]
COLUMNS_PER_BACKEND = COLUMNS // AXES["backend"]
COLUMNS_PER_EVENT_OUTPUT = 32
BUSES_PER_HEMISPHERE = AXES["padi_bus"] // AXES["hemisphere"]
DRIVERS_PER_BUS = AXES["driver"] // BUSES_PER_HEMISPHERE
ROWS_PER_DRIVER = AXES["row"] // AXES["driver"]

Coordinate = NDArray[np.int64]


def circuit_at(row: ArrayLike, column: ArrayLike) -> Coordinate:
    """Return the neuron circuit in a row (0..1) and column (0..255): row * 256 + column."""
    return _inside(row, "neuron row", AXES["hemisphere"]) * COLUMNS + _inside(column, "column", COLUMNS)


def row_of(circuit: ArrayLike) -> Coordinate:
    """Return the neuron row, 0 (top) or 1 (bottom), of a circuit."""
    return _circuit(circuit) // COLUMNS


def column_of(circuit: ArrayLike) -> Coordinate:
    """Return the column, 0..255, of a circuit; also the synapse column that feeds it."""
    return _circuit(circuit) % COLUMNS


def hemisphere_of(circuit: ArrayLike) -> Coordinate:
    """Return the hemisphere of a circuit, equal to its row."""
    return row_of(circuit)


def quadrant_of(circuit: ArrayLike) -> Coordinate:
    """Return the quadrant, which is also the CapMem block: 0 top west, 1 top east, 2 bottom west, 3 bottom east."""
    return _circuit(circuit) // COLUMNS_PER_BACKEND


def backend_of(circuit: ArrayLike) -> Coordinate:
    """Return the common neuron backend, 0 west or 1 east; it serves both rows."""
    return column_of(circuit) // COLUMNS_PER_BACKEND


def event_output_of(circuit: ArrayLike) -> Coordinate:
    """Return the neuron event output, 0..7, that is the crossbar input of a circuit; 32 columns of both rows share one."""
    return column_of(circuit) // COLUMNS_PER_EVENT_OUTPUT


def parity_of(circuit: ArrayLike) -> Coordinate:
    """Return 0 for even, 1 for odd columns; all circuits of a parity share one buffered readout line per hemisphere."""
    return column_of(circuit) % 2


def bus_of_driver(driver: ArrayLike) -> Coordinate:
    """Return the bus within the hemisphere, 0..3, that a driver (0..127) listens to."""
    return _inside(driver, "driver", AXES["driver"]) % BUSES_PER_HEMISPHERE


def position_of_driver(driver: ArrayLike) -> Coordinate:
    """Return the position, 0..31, of a driver on its bus; the row select of an event is compared with it."""
    return _inside(driver, "driver", AXES["driver"]) // BUSES_PER_HEMISPHERE


def driver_at(bus: ArrayLike, position: ArrayLike) -> Coordinate:
    """Return the driver at a position (0..31) of a bus (0..3) of a hemisphere."""
    return _inside(position, "driver position", DRIVERS_PER_BUS) * BUSES_PER_HEMISPHERE + _inside(bus, "bus", BUSES_PER_HEMISPHERE)


def rows_of_driver(driver: ArrayLike) -> Coordinate:
    """Return the two synapse rows of a driver, shape (..., 2): bottom row 2 * driver, then top row 2 * driver + 1."""
    first = _inside(driver, "driver", AXES["driver"])[..., np.newaxis] * ROWS_PER_DRIVER
    return first + np.arange(ROWS_PER_DRIVER)


def driver_of_row(row: ArrayLike) -> Coordinate:
    """Return the driver of a synapse row (0..255)."""
    return _inside(row, "synapse row", AXES["row"]) // ROWS_PER_DRIVER


def padi_bus_at(hemisphere: ArrayLike, bus: ArrayLike) -> Coordinate:
    """Return the bus of the chip, 0..7, which is also its crossbar output, from hemisphere and bus within it (0..3)."""
    return _inside(hemisphere, "hemisphere", AXES["hemisphere"]) * BUSES_PER_HEMISPHERE + _inside(bus, "bus", BUSES_PER_HEMISPHERE)


def _circuit(circuit: ArrayLike) -> Coordinate:
    return _inside(circuit, "circuit", AXES["circuit"])


def _inside(value: ArrayLike, name: str, length: int) -> Coordinate:
    """Return coordinates as int64 after checking that they are integers in 0..length - 1."""
    given: NDArray[Any] = np.asarray(value)
    if given.dtype.kind not in "ui" and given.size:
        raise ConfigurationError(f"{name} takes integers, got {given.dtype}.")
    array = given.astype(np.int64)
    if array.size and (array.min() < 0 or array.max() >= length):
        offender = array[(array < 0) | (array >= length)].flat[0]
        raise ParameterRangeError(f"{name} {offender} does not exist; allowed: 0 to {length - 1}.")
    return array
