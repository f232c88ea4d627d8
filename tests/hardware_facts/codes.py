"""Codes for a wanted physics: the inverse of one chip's transfer lines, for rows that name a potential, a time constant or a calibration.

``physical`` leads from codes to volts, amperes and seconds; here each circuit's code is found by bisection through it. What comes out is what an ideal
calibration would find, up to the rounding of codes. Potentials are MADC LSB under the nominal conversion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.chip.machine import Chip
from neckar.chip.transfer import kick_volts, madc_to_volt, physical
from neckar.dynamics import CircuitParameters
from neckar.facts import CAPMEM_MAX, registers
from neckar.facts import brainscales2 as facts

TABLE = registers("brainscales2")
Codes = dict[str, Any]
Quantity = Callable[[CircuitParameters], NDArray[np.float64]]


def whole(codes: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return whole register fields: each value broadcast to the shape of its field."""
    return {name: np.broadcast_to(np.asarray(value, TABLE[name].dtype), TABLE[name].shape) for name, value in codes.items()}


def solve(chip: Chip, codes: Codes, field: str, quantity: Quantity, target: ArrayLike) -> NDArray[np.uint16]:
    """Return the code of `field` at which `quantity` of each circuit comes nearest to `target`, all other codes as in `codes`.

    The quantity must be monotonic in the code; a target out of reach gives the nearest end of the range, 0 or 1022.
    """

    def at(code: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(quantity(physical(chip.specimen, chip.effects, whole({**codes, field: code}))), np.float64)

    low, high = np.zeros(512, np.int64), np.full(512, CAPMEM_MAX)
    rising = at(high) > at(low)
    while (high - low).max() > 1:
        middle = (low + high) // 2
        below = (at(middle) < target) == rising
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.where(np.abs(at(low) - target) < np.abs(at(high) - target), low, high).astype(np.uint16)


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


def with_synaptic_inputs(chip: Chip, codes: Codes, tau_us: float, gm: int = 500) -> Codes:
    """Return `codes` with both synaptic inputs as a calibration leaves them.

    Time constant as wanted, no current at rest, and an event of either sign moves as much charge on every circuit as an excitatory one on the median
    circuit at the code `gm` (calix: the median of all neurons is the target, inhibition is matched to excitation, and quadrants to each other).
    """
    codes = dict(codes)
    kick = np.concatenate([_quadrant_kicks(chip, codes, hemisphere) for hemisphere in (0, 1)])
    for kind in ("excitatory", "inhibitory"):
        codes |= {f"{kind}_input_enable": True, f"{kind}_input_i_bias_gm": gm, f"{kind}_input_i_shift_reference": 310}
    wanted = np.median(physical(chip.specimen, chip.effects, whole(codes)).gm_exc * kick)
    for kind, sign in (("excitatory", "exc"), ("inhibitory", "inh")):
        codes[f"{kind}_input_i_bias_tau"] = solve(chip, codes, f"{kind}_input_i_bias_tau", lambda p, s=sign: 1 / getattr(p, f"tau_{s}"), 1e6 / tau_us)
        codes[f"{kind}_input_i_bias_gm"] = solve(chip, codes, f"{kind}_input_i_bias_gm", lambda p, s=sign: getattr(p, f"gm_{s}") * kick, wanted)
    for kind, other in (("excitatory", "inhibitory"), ("inhibitory", "excitatory")):
        alone = {**codes, f"{other}_input_enable": False}
        codes[f"{kind}_input_i_shift_reference"] = solve(chip, alone, f"{kind}_input_i_shift_reference", lambda p: p.i_syn_rest, 0.0)
    return codes


def _quadrant_kicks(chip: Chip, codes: Codes, hemisphere: int) -> NDArray[np.float64]:
    """Return the step of the synaptic line per event for each column, the quadrant's converter alone: medians over rows and the quadrant's columns."""
    config = whole({"syn_i_bias_dac": codes.get("syn_i_bias_dac", 600), "synapse_weight": 1})
    steps = kick_volts(chip.specimen, chip.effects, config, hemisphere).astype(np.float64)
    return np.repeat([np.median(half) for half in np.split(steps, 2, axis=1)], 128)


def default_calibration(chip: Chip) -> Codes:
    """Return the codes of upstream's default spiking calibration.

    Leak, reset and threshold at 80, 70 and 125 CADC LSB, 10 us on membrane and synaptic lines, gm 500, synapse bias 600, capacitance 63, refractory
    period 2 us (calix src/cc/ccalix, pynn-brainscales cells.py). Firing is left off, as it is in an unconfigured neuron.
    """
    volts = {field: facts.CADC_ZERO.value + facts.CADC_STEP.value * level for field, level in CADC_TARGETS.items()}
    codes = {
        "membrane_capacitance_capacitance": 63,
        "refractory_period_refractory_time": 250,
        "reset_i_bias": 1022,
        "syn_i_bias_dac": 600,
        "excitatory_input_enable_small_capacitance": False,
        "inhibitory_input_enable_small_capacitance": False,
    }
    codes = with_potentials(chip, codes, **{field: v / facts.MADC_STEP.value + facts.MADC_ZERO.value for field, v in volts.items()})
    return with_synaptic_inputs(chip, with_membrane_time(chip, codes, 10.0), 10.0)


CADC_TARGETS = {"leak_v_leak": 80, "reset_v_reset": 70, "threshold_v_threshold": 125}
