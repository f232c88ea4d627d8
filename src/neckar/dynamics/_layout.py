"""Memory layout of the compiled engine.

A *lane* is one (chip, entry, hemisphere): up to 256 circuits, which fit into the first-level cache together with their parameters. All numbers of a
lane lie in one flat float32 array with one row of `STRIDE` values per field; the row stride is a compile-time constant, so the compiler knows that
rows do not overlap and vectorises without checks, and is one cache line longer than 256 values, so rows do not alias. Working units: V, us, and
currents divided by the membrane capacitance (V/us).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH = 256  # circuits of a lane, at most
STRIDE = 272
CACHE_LINE = 64

# State. The membrane of a circuit may lag behind the step grid: `V` is its value LAG microseconds before the grid time (zero except shortly
# after a spike or a release from reset, see `_step`). `REFRACTORY` counts down to the moment from which spikes are accepted and goes on below zero.
# `BENT` is the non-linear part of the last step's slope, the next step's first guess.
# `DRIVEN` is the synaptic current just before the grid time (V/us): a circuit that lags behind must not feel before it by how much events let it jump there.
V, W, S_EXC, S_INH, REFRACTORY, LAG, ARMED, BENT, DRIVEN = range(9)
N_STATE = 9
STATE_NAMES = ("v", "w", "s_exc", "s_inh", "refractory", "lag", "armed", "bent", "driven")

# Kicks of the current step that act at its end (those that act at its start go to the synaptic lines at once). They are state between two calls.
KICK_EXC, KICK_INH = 9, 10
N_DYNAMIC = 11

# What one pass over the circuits hands to the next within a step.
(
    X_START,  # the membrane at the start of the step; row `V` holds what is known of its end
    X_LENGTH,
    X_RATE,
    X_SHARE,
    X_POTENTIAL,
    X_CURRENT,  # at the start of the step, but for the leak
    X_FLOORED,
    X_GUESS,
    X_UPSTROKE,
    X_MIDDLE,
    X_CLOSED,
    X_REACH,  # of fine steps: how far the membrane may rise above both its ends
) = range(11, 23)

# Parameters that do not depend on the step ...
(
    E_LEAK,  # V; of linear circuits with the offset current's share
    K_LEAK,  # 1/us
    LEAK_GAIN,  # us, 1 / rate
    E_RESET,  # V; likewise
    K_RESET,  # 1/us
    RESET_TIME,  # us, 1 / rate
    RESET_GAIN,  # us, the same for the inputs: zero if they pause during reset
    V_THRESHOLD,  # V, +inf without comparator
    T_REFRACTORY,  # us, reset and hold-off
    T_HOLDOFF,  # us
    I_OFFSET,  # V/us, source minus sink
    I_SINK,  # V/us
    I_EXP,  # V/us
    V_EXP,  # V
    SHARPNESS,  # 1/V
    K_ADAPT,  # 1/us
    W_REST,  # V
    A_ADAPT,
    V_ADAPT,  # V
    B_ADAPT,  # V
    V_FLOOR,  # V, of inhibition
) = range(23, 44)
# ... and functions of the circuit and the step (:mod:`neckar.dynamics._propagators`).
(
    GM_EXC,
    GM_INH,
    Q_EXC,  # 1 - exp(-h / tau)
    Q_INH,
    P_ADAPT,
    NOISE_STEP,
) = range(44, 50)

# Of conductance-based inputs only; the step of current-based circuits touches none of these rows. In theirs, `GM` follows the membrane.
(
    BASE_EXC,  # GM at the reference potential
    BASE_INH,
    COBA_EXC,  # 1/V, how the transconductance falls with the membrane
    COBA_INH,
    E_COBA_EXC,  # V
    E_COBA_INH,
    REST_EXC,  # V/us, current without events at the reference potential
    REST_INH,
    X_TOTAL,  # passed on within a step
) = range(50, 59)

# Of fine steps only: by how much a circuit's own rates differ from those that kicks are shared for, 1/us, mean of line and membrane.
OWN_EXC, OWN_INH = 59, 60
N_ROWS = 61


def aligned(n: int, dtype: Any = np.float32) -> NDArray[Any]:
    """Return `n` zeros on a cache-line boundary (numpy guarantees 16 bytes only; misaligned kernels are up to 1.7 times slower)."""
    dtype = np.dtype(dtype)
    raw = np.zeros(n * dtype.itemsize + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + n * dtype.itemsize].view(dtype)
