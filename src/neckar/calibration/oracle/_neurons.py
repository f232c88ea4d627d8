"""Neurons by oracle: potentials, time constants, compartments, for spiking and for integration.

Order and rules are upstream's (calix ``spiking/neuron.py``, ``hagen/neuron.py``, ``multicomp/neuron_icc_bias.py``); static settings are those of its
``hagen/neuron_helpers.py``. Potentials are found in readings of the calibrated converter, as on silicon, so its own errors move them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from neckar.calibration.clocks import refractory_clocks
from neckar.calibration.oracle._cadc import neuron_volts
from neckar.calibration.oracle._inputs import KINDS, conductance_mode, equal_quadrants, references, strengths, time_constants
from neckar.calibration.oracle._search import TABLE, Oracle, Values, bisect
from neckar.calibration.settings import CIRCUIT_FIELDS, DITHER, NEURONS, RESET_BIAS
from neckar.calibration.targets import HagenNeuronTarget, NeuronTarget, PotentialTarget
from neckar.chip.coordinates import column_of
from neckar.chip.transfer import compartment_siemens
from neckar.facts import AXES, CAPMEM_MAX
from neckar.facts import brainscales2 as facts

_FEW, _MANY = 63, CAPMEM_MAX - 63
_FAST_MEMBRANE_S = 3e-6


def calibrate_spiking(oracle: Oracle, target: NeuronTarget) -> None:
    """Set the neurons for spiking; the converter has been calibrated."""
    _static(oracle)
    oracle.set(membrane_capacitance_capacitance=np.asarray(target.membrane_capacitance).astype(np.int64), **_enabled(True))
    oracle.set(**refractory_clocks(np.asarray(target.refractory_time_s), np.asarray(target.holdoff_time_s)).fields())
    time_constants(oracle, target.tau_syn_s, small_capacitance=False)
    equal_quadrants(oracle, target.synapse_dac_bias)
    oracle.set(threshold_enable=True)
    _potential(oracle, "threshold_v_threshold", "v_threshold", target.threshold, "threshold")
    gm = np.asarray(target.i_synin_gm, np.float64)
    if target.strength == "fixed":
        oracle.set(**{f"{kind}_input_i_bias_gm": np.rint(gm[:, k]).astype(np.int64) for kind, (_, k) in KINDS.items()})
    else:
        strengths(oracle, gm, matched=target.strength == "matched")
    references(oracle)
    conductance_mode(oracle, target)
    _potential(oracle, "leak_v_leak", "e_leak", target.leak, "leak")
    membrane_time(oracle, target.tau_mem_s)
    _potential(oracle, "reset_v_reset", "e_reset", target.reset, "reset")
    if target.tau_icc_s is not None:
        compartments(oracle, target.tau_icc_s)


def calibrate_potentials(oracle: Oracle, target: PotentialTarget) -> None:
    """Set the potentials of neurons without inputs; the converter has been calibrated."""
    _static(oracle)
    oracle.set(
        membrane_capacitance_capacitance=np.asarray(target.membrane_capacitance).astype(np.int64),
        leak_i_bias=oracle.dithered("leak_i_bias", target.leak_bias),
        threshold_enable=True,
        **_enabled(False),
    )
    _potential(oracle, "threshold_v_threshold", "v_threshold", target.threshold, "threshold")
    _potential(oracle, "leak_v_leak", "e_leak", target.leak, "leak")
    if target.tau_mem_s is not None:
        membrane_time(oracle, target.tau_mem_s)
    _potential(oracle, "reset_v_reset", "e_reset", target.reset, "reset")


def calibrate_integrating(oracle: Oracle, target: HagenNeuronTarget) -> None:
    """Set the neurons for matrix multiplication by integration; the converter has been calibrated."""
    _static(oracle)
    _resetting(oracle)
    oracle.set(**_enabled(True), leak_enable_division=True)
    equal_quadrants(oracle, target.synapse_dac_bias)
    time_constants(oracle, target.tau_syn_s, small_capacitance=True)
    _potential(oracle, "leak_v_leak", "e_leak", target.leak, "leak")
    _membrane_bias(oracle, np.asarray(target.tau_mem_s, np.float64))
    strengths(oracle, np.array([float(target.i_synin_gm)]), matched=True, room=(1.0, 250.0))
    references(oracle)
    _potential(oracle, "reset_v_reset", "e_reset", target.leak, "reset")
    if target.disable_leak:
        oracle.set(leak_i_bias=0)


def on_lines(oracle: Oracle) -> None:
    """Set the neurons for integration on their synaptic lines: nothing recovers them, nothing reaches the membranes."""
    _static(oracle)
    _resetting(oracle)
    for kind in KINDS:
        name = f"{kind}_input"
        oracle.set(**{f"{name}_enable_small_capacitance": False, f"{name}_enable_high_resistance": True, f"{name}_i_bias_tau": 0})
    oracle.set(**_enabled(False), readout_source=TABLE["readout_source"].choices.index("exc_synin"))  # type: ignore[union-attr]


def membrane_time(oracle: Oracle, tau_s: ArrayLike) -> None:
    """Search the leak's bias for a membrane time constant, with division or multiplication where the target needs it.

    If all targets are at least 3 us long, only division is considered, and used wherever it reaches the target; otherwise the middle range is preferred.
    """
    target = np.broadcast_to(np.asarray(tau_s, np.float64), AXES["circuit"])

    def tau(bias: int, division: bool) -> Values:
        p = oracle.physics(leak_i_bias=bias, leak_enable_division=division, leak_enable_multiplication=False)
        return np.asarray(p.capacitance / p.g_leak)

    if target.min() >= _FAST_MEMBRANE_S:
        division, multiplication = tau(CAPMEM_MAX - DITHER, True) < target, np.zeros(len(target), bool)
    else:
        division = tau(_FEW, False) < target
        multiplication = (tau(_MANY, False) > target) & ~division
    oracle.set(leak_enable_division=division, leak_enable_multiplication=multiplication)
    _membrane_bias(oracle, target)


def compartments(oracle: Oracle, tau_s: ArrayLike) -> None:
    """Search the conductance between compartments: ``tau`` is the membrane capacitance over it, the mean of two neighbours' capacitances.

    Two connected membranes approach each other with half this time constant, which is how upstream measures it.
    """
    target = np.broadcast_to(np.asarray(tau_s, np.float64), AXES["circuit"])
    circuits = np.arange(AXES["circuit"])
    neighbour = np.where(column_of(circuits) % 2 == 0, circuits + 1, circuits - 1)
    capacitance = oracle.physics().capacitance
    pair = 2 * capacitance * capacitance[neighbour] / (capacitance + capacitance[neighbour])
    name = "multicompartment_enable_conductance"

    def siemens(bias: ArrayLike, **switches: ArrayLike) -> Values:
        whole = {key: np.broadcast_to(np.asarray(value), AXES["circuit"]) for key, value in switches.items()}
        codes = {**oracle.codes, **whole, "multicompartment_i_bias_nmda": np.broadcast_to(np.asarray(bias), AXES["circuit"])}
        return compartment_siemens(oracle.specimen, oracle.effects, codes)

    plain = {f"{name}_division": False, f"{name}_multiplication": False}
    division = pair / siemens(200, **plain) < target
    multiplication = (pair / siemens(_MANY, **plain) > target) & ~division
    oracle.set(**{f"{name}_division": division, f"{name}_multiplication": multiplication})
    missed = target * np.exp(oracle.spread("tau_icc", facts.CALIBRATION_SPREAD["tau_icc"].value))
    oracle.keep("multicompartment_i_bias_nmda", bisect(siemens, pair / target, (AXES["circuit"],), aim=pair / missed))


def _static(oracle: Oracle) -> None:
    """Set what all calibrations of neurons share; circuits start from their defaults."""
    oracle.set(**{name: TABLE[name].default_array() for name in CIRCUIT_FIELDS})
    oracle.set(**NEURONS, reset_i_bias=oracle.dithered("reset_i_bias", RESET_BIAS))


def _resetting(oracle: Oracle) -> None:
    """Set the refractory clocks of matrix multiplication: the fast one for the reset between two vectors, 2.2 us, the slow one for long resets."""
    oracle.set(backend_clock_scale_slow=9, backend_clock_scale_fast=2, refractory_period_refractory_time=70, refractory_period_input_clock=1)


def _enabled(on: bool) -> dict[str, bool]:
    return {f"{kind}_input_enable": on for kind in KINDS}


def _potential(oracle: Oracle, field: str, quantity: str, reading: ArrayLike, name: str) -> None:
    """Search a potential for a reading of the calibrated converter."""
    wanted = np.broadcast_to(np.asarray(reading, np.float64), AXES["circuit"])
    missed = wanted + oracle.spread(name, facts.CALIBRATION_SPREAD[name].value)
    oracle.search(field, lambda p: getattr(p, quantity), neuron_volts(oracle, wanted), aim=neuron_volts(oracle, missed))


def _membrane_bias(oracle: Oracle, tau_s: Values) -> None:
    missed = tau_s * np.exp(oracle.spread("tau_mem", facts.CALIBRATION_SPREAD["tau_mem"].value))
    oracle.search("leak_i_bias", lambda p: p.g_leak / p.capacitance, 1 / tau_s, aim=1 / missed)
