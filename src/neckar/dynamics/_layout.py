"""Memory layout of the compiled engine.

A *lane* is one (chip, entry, hemisphere): up to 256 circuits, which fit into the first-level cache together with their parameters. All numbers of a lane lie in one flat
float32 array with one row of `STRIDE` values per field; the row stride is a compile-time constant, so the compiler knows that rows do not overlap and vectorises without checks, and is one cache line longer
than 256 values, so rows do not alias. Working units: V, us, and currents divided by the membrane capacitance (V/us).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

STRIDE = 272
CACHE_LINE = 64

# State. The membrane of a circuit may lag behind the step grid: `V` is its value LAG microseconds before the grid time (zero except shortly
# after a spike or a release from reset, see `_step`). `REFRACTORY` counts down to the moment from which spikes are accepted and goes on below zero.
V, W, S_EXC, S_INH, REFRACTORY, LAG, ARMED = range(7)
N_STATE = 7
STATE_NAMES = ("v", "w", "s_exc", "s_inh", "refractory", "lag", "armed")

# Kicks collected for the current step, acting at its start and at its end. They are part of the state between two calls.
EXC_START, EXC_END, INH_START, INH_END = range(7, 11)
N_DYNAMIC = 11

# What one pass over the circuits hands to the next within a step, and the spike times of the step.
X_LINEAR, X_RATE, X_PHI, X_TIME, X_CURRENT, X_S_INH, X_SLOPE, X_FREE, FIRED = range(11, 20)

# Parameters that do not depend on the step ...
(
    E_LEAK,  # V
    K_LEAK,  # 1/us
    LEAK_GAIN,  # us, 1 / K_LEAK
    E_RESET,  # V
    K_RESET,  # 1/us
    RESET_GAIN,  # us, 1 / K_RESET, zero if the inputs pause during reset
    V_THRESHOLD,  # V, +inf without comparator
    T_RESET,  # us
    T_HOLDOFF,  # us
    I_OFFSET,  # V/us, source minus sink
    I_SINK,  # V/us
    GM_EXC,  # 1/us
    GM_INH,  # 1/us
    I_EXP,  # V/us
    V_EXP,  # V
    DELTA_EXP,  # V
    K_ADAPT,  # 1/us
    W_REST,  # V
    A_ADAPT,
    V_ADAPT,  # V
    B_ADAPT,  # V
    RATE_EXC,  # 1/us
    RATE_INH,  # 1/us
    RATE_ADAPT,  # 1/us
    NOISE,  # V / sqrt(us)
) = range(20, 45)
# ... and propagators over one step, functions of these and of the step (:mod:`neckar.dynamics._propagators`).
P_LEAK, DRIFT, P_EXC, P_INH, TO_V_EXC, TO_V_INH, P_ADAPT, NOISE_STEP = range(45, 53)
N_ROWS = 53


def aligned(n: int, dtype: Any = np.float32) -> NDArray[Any]:
    """Return `n` zeros on a cache-line boundary (numpy guarantees 16 bytes only; misaligned kernels are up to 1.7 times slower)."""
    dtype = np.dtype(dtype)
    raw = np.zeros(n * dtype.itemsize + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + n * dtype.itemsize].view(dtype)
