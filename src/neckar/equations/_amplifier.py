"""Closed forms of the saturating amplifier of :mod:`neckar.equations._neuron`, ``I = g v_sat tanh((e - v) / v_sat)``, alone with a capacitor.

Exact; for whoever needs a potential and not a trajectory, such as a fit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_REACH = 0.99
_LEAST = 1e-15


def ota_balance(current: Values, e: Values, g: Values, v_sat: float) -> Values:
    """Return the potential at which the amplifier drains a constant current, in the shape of its arguments.

    Parameters
    ----------
    current : ndarray
        Into the membrane. Near the largest current that the amplifier can carry there is hardly any balance; beyond 99 % counts as 99 %.
    e, g : ndarray
        Potential towards which it pulls, and its conductance, in one consistent set of units.
    v_sat : float
        Distance at which it saturates.
    """
    share = current / np.maximum(g * v_sat, _LEAST)
    return np.asarray(e + v_sat * np.arctanh(np.clip(share, -_REACH, _REACH)))


def ota_relaxed(v: Values, e: Values, v_sat: float, times: Values) -> Values:
    """Return where a membrane at `v` is after so many `times` its time constant, pulled towards `e` by the amplifier alone."""
    return np.asarray(e + v_sat * np.arcsinh(np.sinh((v - e) / v_sat) * np.exp(-times)))
