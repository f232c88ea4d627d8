"""Synapse drivers: from codes to the length of their pulses.

A driver turns an event into a current pulse of its synapses. With short-term plasticity the pulse follows a voltage u on a capacitor of the driver: at an
event a part of the capacitor is charged towards one voltage, then a ramp starts, and the pulse lasts from the moment at which the ramp passes u to the end of
the ramp; a switched capacitor, moved by the hemisphere's recovery clock, takes u back to the other voltage::

    at an event    u <- u + U (V_charge - u),   U = 0.2 utilization / 8         then the pulse
    in between     tau = 1 us 2^speed / (recovery + 1) towards V_recover; no recovery without its switch or clock
    pulse          p = clip((V_end - u) / (V_end - V_start) - delay, 0, 1)
    V_start        = 50 LSB + 15 LSB (7 - offset) i_calib / 600 + ramp offset of the driver,   V_end = V_start + 450 LSB i_ramp / 600
    delay          = 0.1 (1022 / i_bias_comparator - 1)
    modulated      u = V_dac = 50 LSB + 450/31 LSB (label - 1) + 5 LSB (hagen offset - 32),  label: the low five bits, 32 - activation

LSB are those of a CapMem voltage. p is relative to the constant pulse of a driver without plasticity; the spread of that length, and its extension by the
bus, belong to the line step (:func:`neckar.chip.transfer.kick_volts`). Even drivers take the western cells of their hemisphere, odd ones the eastern. Sources:
haldls ``vx/synapse_driver.h``, ``vx/padi.h``, halco ``vx/synapse_driver.cpp``, calix ``spiking/synapse_driver.py`` and ``hagen/synapse_driver.py``.

Not modelled: charge sharing and renewing (broken on silicon), the readout of the voltage by the membrane converter, the current of the DAC, noise of the
comparator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen, deviations_of
from neckar.chip.transfer import Config
from neckar.dynamics import CONSTANT, MODULATED, PLASTIC, DriverParameters
from neckar.facts import AXES, registers
from neckar.facts import brainscales2 as facts
from neckar.facts.labels import LABEL_SYNAPSE_MASK, LABEL_SYNAPSE_TOP_BIT

CELLS = ("stp_v_charge_0", "stp_v_charge_1", "stp_v_recover_0", "stp_v_recover_1", "stp_i_ramp", "stp_i_calib", "stp_i_bias_comparator")
DRIVERS, HEMISPHERES = AXES["driver"], AXES["hemisphere"]

_SWITCHES = ("enable_stp", "enable_recovery", "utilization", "recovery", "offset", "select_target_voltages")
_MODULATION = ("enable_hagen_dac", "enable_hagen_modulation", "hagen_dac_offset")
FIELDS = (*CELLS, *(f"driver_{name}" for name in (*_SWITCHES, *_MODULATION, "enable_address_out")), "stp_enable_recovery_clock", "stp_recovery_clock_speed")
"""Fields on which the pulses of plastic drivers depend."""

Values = NDArray[np.float64]

_TABLE = registers("brainscales2")


def modulated(config: Config) -> NDArray[np.bool_]:
    """Return which drivers take the length of a pulse from the label, shape (hemisphere, driver)."""
    switches = [_field(config, f"driver_{name}").astype(bool) for name in ("enable_stp", "enable_hagen_dac", "enable_hagen_modulation")]
    return np.asarray(np.logical_and.reduce(switches))


def label_masks(config: Config) -> NDArray[np.uint8]:
    """Return the bits of an event's label that each driver passes to its synapses, shape (hemisphere, driver)."""
    return np.where(_field(config, "driver_enable_address_out") > 0, LABEL_SYNAPSE_MASK, LABEL_SYNAPSE_TOP_BIT).astype(np.uint8)


def driver_parameters(specimen: Specimen, effects: Effects, config: Config) -> tuple[DriverParameters, ...]:
    """Return what the drivers of each hemisphere do under a configuration; a field that a mapping lacks has its default. Of the effects mismatch acts."""
    return driver_parameters_of([specimen], effects, config)[0]


def driver_parameters_of(specimens: Sequence[Specimen], effects: Effects, config: Config) -> list[tuple[DriverParameters, ...]]:
    """Return what the drivers of several chips do. What cells hold may have the chips' axis before its own."""
    codes = {name: _field(config, name).astype(np.float64) for name in FIELDS}
    cell = {name: _of_drivers(codes[name]) for name in CELLS}
    of = {name: codes[f"driver_{name}"] for name in (*_SWITCHES, *_MODULATION)}
    lsb, second = facts.CAPMEM_VOLTAGE.slope.value, of["select_target_voltages"] > 0
    dac = modulated(config)
    start = facts.STP_RAMP_START.value + facts.STP_OFFSET_STEP.value * (facts.STP_OFFSET_NEUTRAL.value - of["offset"]) * _relative(cell["stp_i_calib"])
    if effects.mismatch:
        start = start + deviations_of(specimens, ["driver_ramp_offset"])["driver_ramp_offset"]
    span = facts.STP_RAMP_SPAN.value * _relative(cell["stp_i_ramp"])
    speed, clock = (codes[f"stp_{name}"][:, np.newaxis] for name in ("recovery_clock_speed", "enable_recovery_clock"))
    per_code = facts.STP_RAMP_SPAN.value / facts.HAGEN_ACTIVATION_MAX.value
    zero = facts.STP_RAMP_START.value - per_code + facts.HAGEN_OFFSET_STEP.value * (of["hagen_dac_offset"] - facts.HAGEN_OFFSET_NEUTRAL.value)
    values = DriverParameters(
        kind=np.where(dac, MODULATED, np.where(of["enable_stp"] > 0, PLASTIC, CONSTANT)).astype(np.uint8),
        mask=label_masks(config),
        charge=_volts(np.where(second, cell["stp_v_charge_1"], cell["stp_v_charge_0"])),
        recover=_volts(np.where(second, cell["stp_v_recover_1"], cell["stp_v_recover_0"])),
        utilization=facts.STP_UTILIZATION.value * of["utilization"] / facts.STP_UTILIZATION_CODE.value,
        rate=of["enable_recovery"] * clock * (of["recovery"] + 1.0) / (facts.STP_RECOVERY_TIME.value * 2.0**speed),
        top=_volts(start + span),
        span=lsb * span,
        late=_lateness(cell["stp_i_bias_comparator"]),
        zero=_volts(zero),
        step=np.full(dac.shape, lsb * per_code),
    )
    whole = [np.broadcast_to(array, (len(specimens), *dac.shape)) for array in values]
    return [tuple(DriverParameters(*(np.ascontiguousarray(array[k, h]) for array in whole)) for h in range(HEMISPHERES)) for k in range(len(specimens))]


def _field(config: Config, name: str) -> NDArray[Any]:
    return np.asarray(config[name] if name in config else _TABLE[name].default_array())


def _of_drivers(quadrants: Values) -> Values:
    """Return the cells of quadrants for each driver, shape (..., hemisphere, driver)."""
    return np.tile(quadrants.reshape(*quadrants.shape[:-1], HEMISPHERES, -1), (1, DRIVERS // 2))


def _volts(lsb: Values) -> Values:
    return facts.CAPMEM_VOLTAGE.slope.value * lsb + facts.CAPMEM_VOLTAGE.intercept.value


def _relative(current: Values) -> Values:
    """Return a ramp's current relative to the nominal one; a cell at 0 leaves a little."""
    return np.maximum(current, 1.0) / facts.STP_RAMP_CURRENT.value


def _lateness(bias: Values) -> Values:
    """Return by what share of the longest pulse the comparator is late; without bias it never answers."""
    relative = np.divide(float(_TABLE["stp_i_bias_comparator"].high - 1), bias, out=np.full_like(bias, np.inf), where=bias > 0)
    return facts.STP_COMPARATOR_DELAY.value * (relative - 1.0)
