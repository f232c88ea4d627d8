"""Synapse drivers by oracle: equal pulses in short-term plasticity and in matrix multiplication.

Spiking (calix ``spiking/synapse_driver.py``): at one voltage, the offset of each driver is chosen such that its amplitude is the median of its quadrant's.
Matrix multiplication (calix ``hagen/synapse_driver.py``): the ramp of each quadrant and the offset of each driver's converter are searched such that the
amplitude is 0.9 of the largest, times the activation over 31. Amplitudes contain the length of each driver's pulses, which differs from driver to driver.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.calibration.oracle._search import TABLE, Oracle, Solution, Values, bisect
from neckar.calibration.targets import StpTarget
from neckar.chip.drivers import DRIVERS, HEMISPHERES, driver_parameters
from neckar.facts import AXES
from neckar.facts import brainscales2 as facts

_SHAPE = (HEMISPHERES, DRIVERS)
_RANGE = 0.9
_RAMP_ACTIVATION, _FIRST_ACTIVATION = 2, 29
_SIDES = AXES["quadrant"] // HEMISPHERES
DRIVER_FIELDS = tuple(name for name, row in TABLE.items() if row.axes == ("hemisphere", "driver") and not row.counter)


def calibrate_plasticity(oracle: Oracle, target: StpTarget) -> None:
    """Set the cells of short-term plasticity and the offsets of all drivers; drivers stay switched off."""
    _defaults(oracle)
    oracle.set(stp_i_ramp=target.i_ramp, stp_i_calib=target.i_ramp, stp_i_bias_comparator=TABLE["stp_i_bias_comparator"].default)
    volts = facts.CAPMEM_VOLTAGE.slope.value * np.asarray(target.v_stp) + facts.CAPMEM_VOLTAGE.intercept.value

    def amplitude(offset: ArrayLike) -> Values:
        return _pulses(oracle, _of_drivers(volts), driver_offset=offset)

    codes = np.arange(TABLE["driver_offset"].high + 1)
    all_amplitudes = np.stack([amplitude(code) for code in codes])
    middle = all_amplitudes[TABLE["driver_offset"].high // 2]
    goal = _of_drivers(np.median(_by_quadrant(middle), axis=1))
    reached = (goal <= all_amplitudes.max(axis=0)) & (goal >= all_amplitudes.min(axis=0))
    oracle.keep("driver_offset", Solution(np.abs(all_amplitudes - goal).argmin(axis=0), reached))
    oracle.set(stp_v_charge_0=target.v_charge_0, stp_v_recover_0=target.v_recover_0, stp_v_charge_1=target.v_charge_1, stp_v_recover_1=target.v_recover_1)


def calibrate_multiplication(oracle: Oracle, test_activation: int) -> None:
    """Set the drivers for matrix multiplication: ramps of the quadrants, and offsets that make drivers equal at `test_activation`."""
    _defaults(oracle)
    oracle.set(
        stp_i_bias_comparator=TABLE["stp_i_bias_comparator"].default,
        driver_enable_address_out=False,
        driver_enable_stp=True,
        driver_enable_hagen_dac=True,
        driver_enable_hagen_modulation=True,
        driver_offset=TABLE["driver_offset"].high // 2,
    )

    def at_ramp(code: NDArray[np.int64]) -> Values:
        oracle.set(stp_i_ramp=code, stp_i_calib=code)
        oracle.set(driver_hagen_dac_offset=_equal(oracle, _FIRST_ACTIVATION).codes)
        return np.asarray(_by_quadrant(_activated(oracle, _RAMP_ACTIVATION)).mean(axis=1))

    ramp = bisect(at_ramp, _goal(_RAMP_ACTIVATION), (AXES["quadrant"],), low=1)
    oracle.keep("stp_i_ramp", ramp)
    oracle.set(stp_i_calib=ramp.codes)
    oracle.keep("driver_hagen_dac_offset", _equal(oracle, test_activation))


def _defaults(oracle: Oracle) -> None:
    oracle.set(**{name: TABLE[name].default_array() for name in DRIVER_FIELDS}, synapse_row_mode=0)


def _goal(activation: int) -> float:
    """Return the amplitude wanted at an activation, relative to the driver's largest."""
    return _RANGE * activation / float(facts.HAGEN_ACTIVATION_MAX.value)


def _equal(oracle: Oracle, activation: int) -> Solution:
    """Return the offsets at which every driver has the wanted amplitude."""
    high = TABLE["driver_hagen_dac_offset"].high
    return bisect(lambda code: _activated(oracle, activation, driver_hagen_dac_offset=code), _goal(activation), _SHAPE, high=high)


def _activated(oracle: Oracle, activation: int, **codes: ArrayLike) -> Values:
    """Return the pulses at an activation relative to the driver's largest, shape (hemisphere, driver)."""
    label = facts.HAGEN_ACTIVATION_MAX.value + 1 - activation
    return np.stack([_length(p, p.zero + label * p.step) for p in _parameters(oracle, codes)])


def _pulses(oracle: Oracle, volts: Values, **codes: ArrayLike) -> Values:
    """Return the amplitudes with the drivers' voltages as given, shape (hemisphere, driver)."""
    lengths = np.stack([_length(p, volts[h]) for h, p in enumerate(_parameters(oracle, codes))])
    return lengths * (oracle.specimen.deviation("driver_pulse") if oracle.effects.mismatch else 1.0)


def _parameters(oracle: Oracle, codes: dict[str, ArrayLike]) -> tuple[Any, ...]:
    whole = {name: np.broadcast_to(np.asarray(value), TABLE[name].shape) for name, value in codes.items()}
    return driver_parameters(oracle.specimen, oracle.effects, {**oracle.codes, **whole})


def _length(p: Any, volts: Values) -> Values:
    """Return the length of pulses relative to the longest: the law of :mod:`neckar.chip.drivers`."""
    return np.asarray(np.clip((p.top - volts) / p.span - p.late, 0.0, 1.0))


def _of_drivers(quadrants: Values) -> Values:
    """Return values of quadrants for each driver, even ones west, odd ones east; shape (hemisphere, driver)."""
    return np.tile(np.asarray(quadrants).reshape(HEMISPHERES, _SIDES), (1, DRIVERS // _SIDES))


def _by_quadrant(drivers: Values) -> Values:
    """Return values of drivers by their quadrant, shape (quadrant, driver)."""
    return drivers.reshape(HEMISPHERES, DRIVERS // _SIDES, _SIDES).transpose(0, 2, 1).reshape(AXES["quadrant"], -1)
