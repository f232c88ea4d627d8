"""Codes for a wanted physics, for rows that name a potential, a time constant or a calibration: what an ideal calibration would find.

The inverse of a chip's transfer lines is :mod:`neckar.calibration.oracle`; here it leaves no spread, so that the rows show the circuits and not the
calibration. Potentials are MADC LSB under the nominal conversion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.calibration import NeuronTarget, SpikingTarget, oracle
from neckar.calibration.oracle import Quantity
from neckar.chip.machine import Chip
from neckar.chip.transfer import madc_to_volt
from neckar.facts import registers

TABLE = registers("brainscales2")
Codes = dict[str, Any]


def whole(codes: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return whole register fields: each value broadcast to the shape of its field."""
    return {name: np.broadcast_to(np.asarray(value, TABLE[name].dtype), TABLE[name].shape) for name, value in codes.items()}


def solve(chip: Chip, codes: Codes, field: str, quantity: Quantity, target: ArrayLike) -> NDArray[np.uint16]:
    """Return the code of `field` at which `quantity` of each circuit comes nearest to `target`, all other codes as in `codes`."""
    return oracle.solve(chip.specimen, chip.effects, whole(codes), field, quantity, target).codes.astype(np.uint16)


_POTENTIALS = {
    "leak_v_leak": "e_leak",
    "reset_v_reset": "e_reset",
    "threshold_v_threshold": "v_threshold",
    "exponential_v_exp": "v_exp",
    "adaptation_v_ref": "w_rest",
    "adaptation_v_leak": "v_adapt",
}


def with_potentials(chip: Chip, codes: Codes, **madc: float) -> Codes:
    """Return `codes` with potentials of the chip set: each field to the level given in MADC LSB."""
    codes = dict(codes)
    for field, level in madc.items():
        name = _POTENTIALS[field]
        codes[field] = solve(chip, {**codes, "threshold_enable": True}, field, lambda p, name=name: getattr(p, name), float(madc_to_volt(level)))
    return codes


def with_membrane_time(chip: Chip, codes: Codes, tau_us: float) -> Codes:
    """Return `codes` with the leak's bias such that the membrane has a time constant."""
    return {**codes, "leak_i_bias": solve(chip, codes, "leak_i_bias", lambda p: p.g_leak / p.capacitance, 1e6 / tau_us)}


def with_offset_current(chip: Chip, codes: Codes, nanoampere: ArrayLike) -> Codes:
    """Return `codes` with the code of a constant current into the membrane; whether it is on remains as it is."""
    on = {**codes, "constant_current_enable": True, "constant_current_type": 0}
    return {**codes, "constant_current_i_offset": solve(chip, on, "constant_current_i_offset", lambda p: p.i_source, 1e-9 * np.asarray(nanoampere))}


def default_calibration(chip: Chip, **neurons: Any) -> Codes:
    """Return the codes of upstream's default spiking calibration, with firing left off, as it is in an unconfigured neuron; `neurons` are other targets."""
    calibration = oracle.calibrate(chip.specimen, chip.effects, SpikingTarget(neurons=NeuronTarget(**neurons)), leave_spread=False)
    return {**calibration.fields, "threshold_enable": False}


# ---- The chain of compartments of ts_03

CHAIN = (0, 2, 4, 6)
"""The circuit of each compartment that has leak, capacitance and synapses; its right neighbour brings a second connection to the line."""

CHAIN_INPUTS = 10
"""Synapses on each compartment; an event with label k excites all of compartment k."""


def chain(codes: Codes, weights: ArrayLike = 310, conductance: int = 500) -> Codes:
    """Return the codes of the notebook's neuron on a chip with `codes`; `weights` is the sum of all weights on each compartment."""
    first = np.array(CHAIN)
    codes = {**codes, "threshold_enable": False}
    for name, value in (("leak_i_bias", 0), ("leak_enable_division", 1), ("membrane_capacitance_capacitance", 0)):
        codes[name] = np.broadcast_to(codes.get(name, TABLE[name].default), 512).copy()
        codes[name][first + 1] = value
    to_line, through = first[1:], first[:-1] + 1
    weight, label, receiver, mode = (TABLE[name].default_array() for name in ("synapse_weight", "synapse_label", "driver_enable_receiver", "synapse_row_mode"))
    drivers = np.arange(0, 4 * CHAIN_INPUTS // 2, 4)
    receiver[0, drivers] = True
    rows = np.concatenate([2 * drivers, 2 * drivers + 1])
    mode[0, rows] = 1
    totals = np.broadcast_to(weights, first.shape).round().astype(int)
    weight[0, rows[:, None], first] = (totals + np.arange(CHAIN_INPUTS)[:, None]) // CHAIN_INPUTS
    label[0, rows[:, None], first] = np.arange(len(first))
    return codes | {
        "multicompartment_connect_right": np.isin(np.arange(512), first),
        "multicompartment_connect_soma": np.isin(np.arange(512), to_line),
        "multicompartment_enable_conductance": np.isin(np.arange(512), through),
        "multicompartment_connect_soma_right": np.isin(np.arange(512), through),
        "multicompartment_i_bias_nmda": conductance,
        "synapse_weight": weight,
        "synapse_label": label,
        "driver_enable_receiver": receiver,
        "driver_row_address_compare_mask": 0,
        "synapse_row_mode": mode,
    }
