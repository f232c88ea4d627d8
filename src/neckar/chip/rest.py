"""The state in which a trial starts: circuits that had no input for long, reset a moment ago."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics import N_DYNAMIC, STATE_NAMES, CircuitParameters, Membranes, settled

V, W, REFRACTORY, ARMED = (STATE_NAMES.index(name) for name in ("v", "w", "refractory", "armed"))


def resting_state(p: CircuitParameters, membranes: Membranes) -> NDArray[np.float32]:
    """Return the state of circuits that had no input for long, shape (field, circuit).

    Leaks, constant currents and conductances between membranes balance; a circuit whose leak lies above its threshold has been firing and is just below it.
    Adaptation follows the membrane; its own effect on the membrane, and that of the exponential current, are left to the time before tick 0.
    """
    state = np.zeros((N_DYNAMIC, len(p)), np.float32)
    offset = p.i_source - p.i_sink + p.i_syn_rest
    follows = p.i_coba_exc * p.coba_exc + p.i_coba_inh * p.coba_inh
    at_zero = offset + p.i_coba_exc * (1 + p.coba_exc * p.e_coba_exc) + p.i_coba_inh * (1 + p.coba_inh * p.e_coba_inh)
    leak = np.maximum(p.g_leak, 1e-15)
    steady = np.maximum(leak + follows, 0.5 * leak)
    shift = (at_zero - follows * p.e_leak) / steady
    lone = np.clip(p.e_leak + shift, 0.0, p.v_supply) if p.saturating else p.e_leak + np.clip(shift, -1.0, 1.0)
    v = settled(p, membranes, lone, offset + p.i_coba_exc + p.i_coba_inh)
    state[V] = np.clip(v, 0.0, p.v_supply) if p.saturating else v
    threshold = p.v_threshold.copy()
    if len(membranes):
        lowest = np.minimum.reduceat(threshold[membranes.circuit], membranes.ptr[:-1])
        threshold[membranes.circuit] = lowest[membranes.of_member]
    state[V] = np.minimum(state[V], threshold)
    state[W] = p.w_rest + np.clip(p.a_adapt * (state[V] - p.v_adapt), -p.v_supply, p.v_supply)
    return state


def reset_neurons(state: NDArray[np.float32], p: CircuitParameters) -> None:
    """Start the refractory period of all circuits, as the reset at the start of a trial does."""
    state[REFRACTORY] = (p.t_reset + p.t_holdoff) * 1e6
    state[ARMED] = 0.0
