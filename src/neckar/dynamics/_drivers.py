"""Synapse drivers whose pulses change: short-term plasticity, and pulses whose length is a number in the event.

A driver with short-term plasticity keeps a voltage u. Each event moves it by a share of its distance to the charge voltage, then a ramp is compared with it:
the pulse lasts as long as the ramp lies above u. Between events u relaxes to the recovery voltage. So events need no step of the engine: u is
carried from event to event by a closed form. The pulse, 0 to 1, scales the line steps of both rows of the driver.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics._jit import kernel, kernel_part
from neckar.dynamics._parameters import CONSTANT, PLASTIC, DriverParameters

F = np.float32
LOW_BITS = 31  # of a label: the length of a modulated driver's pulse

Values = NDArray[np.float64]


class Drivers(NamedTuple):
    """The drivers of a hemisphere under way, as arrays that kernels change, shape (driver,).

    Attributes
    ----------
    parameters : DriverParameters
    u : ndarray of float64
        Voltage at the tick `since`, V.
    since : ndarray of int64
        Tick of the last change.
    pulse : ndarray of float32
        Length of the last pulse.
    """

    parameters: DriverParameters
    u: Values
    since: NDArray[np.int64]
    pulse: NDArray[np.float32]


NO_PARAMETERS = DriverParameters(np.zeros(0, np.uint8), np.zeros(0, np.uint8), *(np.zeros(0) for _ in range(9)))
NO_DRIVERS = Drivers(NO_PARAMETERS, np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.float32))
"""Of lanes whose drivers all send constant pulses; kernels without the feature do not look at them."""


def new_drivers(parameters: DriverParameters, tick: int, u: Values | None = None) -> Drivers:
    """Return drivers at a tick with the voltages `u` (V), by default recovered."""
    n = len(parameters.kind)
    return Drivers(parameters, np.array(parameters.recover if u is None else u, np.float64), np.full(n, tick, np.int64), np.zeros(n, np.float32))


def driver_voltages(drivers: Drivers, tick: int) -> Values:
    """Return the voltage of each driver at a tick at or after its last event, V, shape (driver,)."""
    p = drivers.parameters
    gone = np.maximum(tick - drivers.since, 0) * 2e-9
    return p.recover + (drivers.u - p.recover) * np.exp(-gone * p.rate)


def reconfigured(drivers: Drivers, parameters: DriverParameters, tick: int) -> Drivers:
    """Return the drivers with other parameters from a tick on. Drivers whose parameters stay are not touched, so a run may be cut anywhere."""
    if parameters is drivers.parameters:
        return drivers
    changed = np.any([old != new for old, new in zip(drivers.parameters, parameters, strict=True)], axis=0)
    u = np.where(changed, driver_voltages(drivers, tick), drivers.u)
    return Drivers(parameters, u, np.where(changed, np.maximum(tick, drivers.since), drivers.since), drivers.pulse.copy())


def forked(drivers: Drivers) -> Drivers:
    """Return a copy of this moment."""
    return Drivers(drivers.parameters, drivers.u.copy(), drivers.since.copy(), drivers.pulse.copy())


@kernel_part
def pulse_length(drivers, row, label, tick, receptor):  # type: ignore[no-untyped-def]
    """Let an event come to a row's driver and return the length of its pulse. The rows of a driver hear of an event one after the other, the lower first.

    Events that circuits send within a step of the engine come after the other events of this step; time does not run back for the driver.
    """
    p = drivers.parameters
    d = row >> 1
    if p.kind[d] == CONSTANT:
        return F(1)
    if row & 1 and receptor[row - 1]:
        return drivers.pulse[d]
    u = drivers.u[d]
    if p.kind[d] == PLASTIC:
        gone = max(tick - drivers.since[d], 0) * 2e-9
        u = p.recover[d] + (u - p.recover[d]) * math.exp(-gone * p.rate[d])
        u += p.utilization[d] * (p.charge[d] - u)
    else:
        u = p.zero[d] + p.step[d] * (label & LOW_BITS)
    drivers.u[d] = u
    drivers.since[d] = max(drivers.since[d], tick)
    drivers.pulse[d] = F(min(max((p.top[d] - u) / p.span[d] - p.late[d], 0.0), 1.0))
    return drivers.pulse[d]


@kernel_part
def note_driver(drivers, d, tick, value, s, i):  # type: ignore[no-untyped-def]
    """Write voltage and pulse of driver `d` at a tick at or after its last event into `value[:, s, i]`."""
    p = drivers.parameters
    gone = max(tick - drivers.since[d], 0) * 2e-9
    u = p.recover[d] + (drivers.u[d] - p.recover[d]) * math.exp(-gone * p.rate[d])
    value[0, s, i] = F(u)
    value[1, s, i] = F(1) if p.kind[d] == CONSTANT else F(min(max((p.top[d] - u) / p.span[d] - p.late[d], 0.0), 1.0))


@cache
def follow_kernel() -> Callable[..., Any]:
    """Return the compiled walk through the events of a hemisphere that notes what some drivers hold between them."""

    def follow_drivers(drivers, receptor, ev_tick, ev_row, ev_label, wanted, place, ticks, done, until, value):  # type: ignore[no-untyped-def]
        """Let events come to the drivers `wanted`, in the order in which the engine delivered them, and fill `value` (signal, sample, driver).

        Samples lie at the ascending `ticks`, `done` (driver,) counts those that are filled; all up to tick `until` will be. Events at the tick of a sample
        come after it. `place` says where each driver of the hemisphere is among the wanted ones, -1 if it is not.
        """
        for e in range(ev_tick.size):
            d = ev_row[e] >> 1
            i = place[d]
            if i < 0:
                continue
            now = max(ev_tick[e], drivers.since[d])  # time does not run back for the driver
            while done[i] < ticks.size and ticks[done[i]] <= now:
                note_driver(drivers, d, ticks[done[i]], value, done[i], i)
                done[i] += 1
            pulse_length(drivers, ev_row[e], ev_label[e], ev_tick[e], receptor)
        for i in range(wanted.size):
            while done[i] < ticks.size and ticks[done[i]] <= until:
                note_driver(drivers, wanted[i], ticks[done[i]], value, done[i], i)
                done[i] += 1

    return kernel(follow_drivers, "")
