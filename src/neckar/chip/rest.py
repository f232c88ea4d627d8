"""The state in which a trial starts: circuits that had no input for long."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics import N_DYNAMIC, STATE_NAMES, CircuitParameters, Membranes, settled

V, W, REFRACTORY, ARMED = (STATE_NAMES.index(name) for name in ("v", "w", "refractory", "armed"))


def resting_state(p: CircuitParameters, membranes: Membranes, phase: NDArray[np.float64] | None = None) -> NDArray[np.float32]:
    """Return the state of circuits that had no input for long, shape (field, circuit).

    Leaks, constant currents, adaptation and conductances between membranes balance. A circuit whose balance lies above its threshold has been firing and is
    somewhere between two spikes.

    Parameters
    ----------
    p : CircuitParameters
        All circuits.
    membranes : Membranes
    phase : ndarray, shape (circuit,), optional
        Of the circuits that fire by themselves: part of the interval since their last spike, 0 to 1. 0 by default, a spike at this moment.

    Notes
    -----
    The exponential current and the saturation of adaptation are left to the time before tick 0. The phase is that of a circuit without exponential current and
    adaptation, which fires more regularly than it would.
    """
    state = np.zeros((N_DYNAMIC, len(p)), np.float32)
    p = _with_adaptation(p)
    offset = p.i_source - p.i_sink + p.i_syn_rest
    follows = p.i_coba_exc * p.coba_exc + p.i_coba_inh * p.coba_inh
    at_zero = offset + p.i_coba_exc * (1 + p.coba_exc * p.e_coba_exc) + p.i_coba_inh * (1 + p.coba_inh * p.e_coba_inh)
    leak = np.maximum(p.g_leak, 1e-15)
    steady = np.maximum(leak + follows, 0.5 * leak)
    shift = (at_zero - follows * p.e_leak) / steady
    lone = np.clip(p.e_leak + shift, 0.0, p.v_supply) if p.saturating else p.e_leak + np.clip(shift, -1.0, 1.0)
    v = settled(p, membranes, lone, offset + p.i_coba_exc + p.i_coba_inh)
    v = np.clip(v, 0.0, p.v_supply) if p.saturating else v
    threshold = p.v_threshold.copy()
    if len(membranes):
        lowest = np.minimum.reduceat(threshold[membranes.circuit], membranes.ptr[:-1])
        threshold[membranes.circuit] = lowest[membranes.of_member]
    state[V] = np.minimum(v, threshold)
    firing = np.flatnonzero(v > threshold)
    if len(firing):
        since = np.zeros(len(firing)) if phase is None else phase[firing]
        state[V, firing], state[REFRACTORY, firing] = _between_spikes(p, firing, v[firing], threshold[firing], since)
        state[ARMED, firing] = p.e_reset[firing] < threshold[firing]
    state[W] = p.w_rest + np.clip(p.a_adapt * (state[V] - p.v_adapt), -p.v_supply, p.v_supply)
    return state


def _with_adaptation(p: CircuitParameters) -> CircuitParameters:
    """Return parameters whose leak includes adaptation that follows the membrane: a conductance towards the potential at which it vanishes.

    Adaptation that drives the membrane away from there counts up to half of the leak; what lies beyond has no rest.
    """
    if not p.g_adapt.any():
        return p
    follows = np.maximum(p.g_adapt * p.a_adapt, -0.5 * p.g_leak)
    both = np.maximum(p.g_leak + follows, 1e-15)
    return replace(p, g_leak=both, e_leak=np.where(follows != 0, (p.g_leak * p.e_leak + follows * p.v_adapt) / both, p.e_leak))


def _between_spikes(
    p: CircuitParameters, circuits: NDArray[np.int64], v: NDArray[np.float64], threshold: NDArray[np.float64], phase: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return membrane (V) and rest of the refractory period (us) of circuits that charge from reset towards `v` beyond their threshold."""
    reset, pause, refractory = p.e_reset[circuits], p.t_reset[circuits], (p.t_reset + p.t_holdoff)[circuits]
    tau = p.capacitance[circuits] / np.maximum(p.g_leak[circuits], 1e-15)
    charging = tau * np.log(np.maximum((v - reset) / (v - threshold), 1.0))
    since = phase * np.maximum(pause + charging, refractory)
    charged = v - (v - reset) * np.exp(-np.maximum(since - pause, 0.0) / tau)
    return np.where(since < refractory, charged, np.minimum(charged, threshold)), np.maximum(refractory - since, 0.0) * 1e6


def reset_neurons(state: NDArray[np.float32], p: CircuitParameters) -> None:
    """Start the refractory period of all circuits, as a neuron reset does."""
    state[REFRACTORY] = (p.t_reset + p.t_holdoff) * 1e6
    state[ARMED] = 0.0
