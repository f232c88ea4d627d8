"""Correlation sensors by oracle: the shared currents of each quadrant, and on request the bits of every synapse.

As upstream does it (calix ``spiking/correlation.py``): the currents are set such that the median synapse of a quadrant has the wanted amplitude and time
constant; then, if asked for, each synapse takes the bits with the smallest weighted squared deviation. The board's voltages have no model and are left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.calibration.oracle._search import TABLE, Oracle, Values, bisect
from neckar.calibration.targets import CorrelationTarget
from neckar.chip.coordinates import COLUMNS_PER_BACKEND
from neckar.chip.correlation import sensor_parameters
from neckar.facts import AXES
from neckar.program import TICK_S

_BRANCHES = {"causal": slice(0, 1), "acausal": slice(1, 2), "both": slice(0, 2)}


def calibrate_sensors(oracle: Oracle, target: CorrelationTarget) -> None:
    """Set the cells and bits of the correlation sensors."""
    oracle.set(
        synapse_amp_calib=target.amp_calib,
        synapse_time_calib=target.time_calib,
        syn_i_bias_store=TABLE["syn_i_bias_store"].high - 1,
        syn_i_bias_ramp=TABLE["syn_i_bias_ramp"].high - 1,
        syn_i_bias_corout=TABLE["syn_i_bias_corout"].default,
    )
    shape = (AXES["quadrant"],)
    oracle.keep("syn_i_bias_store", bisect(lambda code: _medians(_sensors(oracle, target, syn_i_bias_store=code)[0]), target.amplitude, shape, low=1))
    oracle.keep("syn_i_bias_ramp", bisect(lambda code: _medians(_sensors(oracle, target, syn_i_bias_ramp=code)[1]), target.time_constant_s, shape, low=1))
    if target.calibrate_synapses:
        _bits(oracle, target)


def _sensors(oracle: Oracle, target: CorrelationTarget, **codes: ArrayLike) -> tuple[Values, Values]:
    """Return amplitudes (LSB) and time constants (s) of the branches that count, mean over them, shape (hemisphere, row, column)."""
    whole = {name: np.broadcast_to(np.asarray(value), TABLE[name].shape) for name, value in codes.items()}
    parameters = sensor_parameters(oracle.specimen, oracle.effects, {**oracle.codes, **whole})
    shape = TABLE["synapse_amp_calib"].shape
    amplitude = np.stack([p.amplitude[_BRANCHES[target.branches]].mean(axis=0, dtype=np.float64) for p in parameters])
    return np.broadcast_to(amplitude, shape), np.broadcast_to(np.stack([TICK_S / p.rate.astype(np.float64) for p in parameters]), shape)


def _medians(synapses: Values) -> Values:
    halves = synapses.reshape(AXES["hemisphere"], AXES["row"], -1, COLUMNS_PER_BACKEND)
    return np.asarray(np.median(halves, axis=(1, 3)).reshape(-1))


def _bits(oracle: Oracle, target: CorrelationTarget) -> None:
    """Choose the bits of every synapse."""
    levels = TABLE["synapse_amp_calib"].high + 1
    priority = target.time_constant_priority
    best: NDArray[np.float64] = np.full(TABLE["synapse_amp_calib"].shape, np.inf)
    bits = np.zeros((2, *best.shape), np.uint8)
    for amp in range(levels):
        for time in range(levels):
            amplitude, tau = _sensors(oracle, target, synapse_amp_calib=amp, synapse_time_calib=time)
            score = (1 - priority) * (amplitude / target.amplitude - 1) ** 2 + priority * (tau / target.time_constant_s - 1) ** 2
            better = score < best
            best = np.where(better, score, best)
            bits[0][better], bits[1][better] = amp, time
    oracle.set(synapse_amp_calib=bits[0], synapse_time_calib=bits[1])
