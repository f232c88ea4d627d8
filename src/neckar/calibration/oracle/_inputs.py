"""Synaptic inputs by oracle: time constants, strengths, references, and the currents of the synapses.

Order and rules are upstream's (calix ``spiking/neuron_calib_parts.py``, ``hagen/neuron_synin.py``, ``common/synapse.py``): time constants; all quadrants as
strong as the weakest; every excitatory input as strong as the median circuit's at the wanted bias and every inhibitory one as strong as these; no current at
rest. Strength is what upstream measures, the step of a slow membrane: charge over capacitance. Upstream compares it on eight rows of synapses; here each column
counts with the mean of all its rows, because the drivers of eight rows would make one hemisphere stronger than the other by chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.calibration.oracle._cadc import neuron_volts
from neckar.calibration.oracle._search import Oracle, Solution, Values, solve
from neckar.calibration.targets import NeuronTarget
from neckar.chip.coordinates import COLUMNS_PER_BACKEND
from neckar.chip.transfer import kick_volts
from neckar.facts import AXES, CAPMEM_MAX
from neckar.facts import brainscales2 as facts

KINDS: Mapping[str, tuple[str, int]] = MappingProxyType({"excitatory": ("exc", 0), "inhibitory": ("inh", 1)})
"""Name of each input in the parameters of the model, and its place in targets."""

_SEARCHED_TAU = round(0.9 * CAPMEM_MAX)
_COBA_BIAS_MAX = CAPMEM_MAX // 4


def time_constants(oracle: Oracle, tau_s: ArrayLike, *, small_capacitance: bool) -> None:
    """Search the bias of both lines; the range of long time constants is used where the target lies in it.

    Parameters
    ----------
    oracle : Oracle
    tau_s : array_like, shape (2,) or (circuit, 2)
        s.
    small_capacitance : bool
        Whether the lines work on the capacitance of their wires alone.
    """
    targets = np.broadcast_to(np.asarray(tau_s, np.float64), (AXES["circuit"], 2))
    for kind, (sign, k) in KINDS.items():
        name = f"{kind}_input"
        oracle.set(**{f"{name}_enable_small_capacitance": small_capacitance})
        long = {f"{name}_enable_high_resistance": True, f"{name}_i_bias_tau": _SEARCHED_TAU}
        shortest = getattr(oracle.physics(**long), f"tau_{sign}")
        oracle.set(**{f"{name}_enable_high_resistance": shortest <= targets[:, k]})
        missed = targets[:, k] * np.exp(oracle.spread(f"tau_syn {sign}", facts.CALIBRATION_SPREAD["tau_syn"].value))
        oracle.search(f"{name}_i_bias_tau", lambda p, tau=f"tau_{sign}": 1 / getattr(p, tau), 1 / targets[:, k], aim=1 / missed)  # type: ignore[misc]


def column_kicks(oracle: Oracle) -> Values:
    """Return the step of the synaptic line per weight unit and event in each circuit's column, mean over its rows, V."""
    config = {"synapse_weight": _ONES, **({"syn_i_bias_dac": oracle.codes["syn_i_bias_dac"]} if "syn_i_bias_dac" in oracle.codes else {})}
    halves = [kick_volts(oracle.specimen, oracle.effects, config, hemisphere).mean(axis=0, dtype=np.float64) for hemisphere in range(AXES["hemisphere"])]
    return np.concatenate(halves)


_ONES = np.ones((AXES["hemisphere"], AXES["row"], AXES["column"]), np.uint8)


def equal_quadrants(oracle: Oracle, bias: int) -> None:
    """Set the current of the synapses such that the median column of each quadrant is as strong as that of the weakest quadrant at `bias`."""
    oracle.set(syn_i_bias_dac=bias)
    strength = np.median(column_kicks(oracle).reshape(AXES["quadrant"], COLUMNS_PER_BACKEND), axis=1)
    ratio = strength.min() / strength if strength.min() > 0 else np.ones_like(strength)
    oracle.keep("syn_i_bias_dac", Solution(np.rint(bias * ratio).astype(np.int64), np.ones(len(strength), bool)))


def strengths(oracle: Oracle, gm: NDArray[np.float64], *, matched: bool, room: tuple[float, float] = (1.8, 100.0)) -> None:
    """Search the biases of the amplifiers for equal steps of the membranes per event.

    Parameters
    ----------
    oracle : Oracle
    gm : ndarray, shape (1,) or (2,)
        Bias at which the median circuit defines the strength.
    matched : bool
        Inhibition takes the strength of excitation; otherwise it has its own.
    room : (float, float)
        Biases are searched up to this factor times `gm` plus this summand, as upstream does.
    """
    step = column_kicks(oracle) / oracle.physics().capacitance
    wanted = 0.0
    for kind, (sign, k) in KINDS.items():
        bias = float(gm[min(k, len(gm) - 1)])
        median = np.median(getattr(oracle.physics(**{f"{kind}_input_i_bias_gm": round(bias)}), f"gm_{sign}") * step)
        wanted = wanted if matched and k else float(median)
        missed = wanted * np.exp(oracle.spread(f"synaptic_gm {sign}", facts.CALIBRATION_SPREAD["synaptic_gm"].value))
        high = min(round(room[0] * bias + room[1]), CAPMEM_MAX)
        oracle.search(f"{kind}_input_i_bias_gm", lambda p, gm=f"gm_{sign}": getattr(p, gm) * step, wanted, aim=missed, high=high)  # type: ignore[misc]


def references(oracle: Oracle) -> None:
    """Search the reference of both amplifiers at which no current flows without events."""
    for kind, (sign, _) in KINDS.items():
        other = "inhibitory" if kind == "excitatory" else "excitatory"
        gm = getattr(oracle.physics(), f"gm_{sign}")
        left = oracle.spread(f"synaptic_shift {sign}", facts.CALIBRATION_SPREAD["synaptic_shift"].value)
        alone = {**oracle.codes, f"{other}_input_enable": np.zeros(AXES["circuit"], bool), f"{kind}_input_enable_coba_mode": np.zeros(AXES["circuit"], bool)}
        missed = left * facts.SYNAPTIC_SHIFT_SLOPE.value * gm
        found = solve(oracle.specimen, oracle.effects, alone, f"{kind}_input_i_shift_reference", lambda p: p.i_syn_rest, 0.0, aim=missed)
        oracle.keep(f"{kind}_input_i_shift_reference", found, gm > 0)


def conductance_mode(oracle: Oracle, target: NeuronTarget) -> None:
    """Search reference and slope of the inputs that are to be conductance-based: as strong as before at the reference, without effect at the reversal."""
    based = target.is_conductance_based
    midpoint = (np.asarray(target.leak, np.float64) + np.asarray(target.threshold, np.float64)) / 2
    for kind, (sign, k) in KINDS.items():
        name, on = f"{kind}_input", based[:, k]
        off: dict[str, ArrayLike] = {f"{name}_i_bias_coba": 0, f"{name}_v_rev_coba": 0}
        oracle.set(**{f"{name}_enable_coba_mode": on}, **off)
        if not on.any():
            continue
        given = np.asarray(target.e_coba_reference, np.float64)[:, k]
        reference = np.where(np.isfinite(given), given, midpoint)
        error = oracle.spread(f"coba_reference {sign}", facts.CALIBRATION_SPREAD["coba_reference"].value)
        oracle.set(**{f"{name}_i_bias_coba": np.where(on, 1, 0)})
        at_reference = neuron_volts(oracle, reference)
        _search_where(oracle, on, f"{name}_v_rev_coba", f"e_coba_{sign}", at_reference, neuron_volts(oracle, reference + error), CAPMEM_MAX)
        reversal = neuron_volts(oracle, np.where(on, np.asarray(target.e_coba_reversal, np.float64)[:, k], reference + 100))
        slope = 1 / (reversal - at_reference)
        missed = slope * np.exp(oracle.spread(f"coba_slope {sign}", facts.CALIBRATION_SPREAD["coba_slope"].value))
        _search_where(oracle, on, f"{name}_i_bias_coba", f"coba_{sign}", slope, missed, _COBA_BIAS_MAX)


def _search_where(oracle: Oracle, on: NDArray[np.bool_], field: str, quantity: str, target: Values, aim: Values, high: int) -> None:
    """Search a field on some circuits; the others hold 0."""
    found = solve(oracle.specimen, oracle.effects, oracle.codes, field, lambda p: getattr(p, quantity), target, aim=aim, high=high)
    oracle.keep(field, Solution(np.where(on, found.codes, 0), found.reached), on)
