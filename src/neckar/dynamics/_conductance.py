"""The first pass of a step with conductance-based inputs.

Such an input makes the membrane leakier: its current falls linearly with the membrane until it vanishes. So over one step, with the line's value at the
step's middle, it is a conductance beside the leak, and membrane, leak and inputs together are propagated exactly by one exponential. That is of second
order, and stable and free of overshoot for inputs of any strength. An input beyond its reversal potential is off for the step.

The passes that follow are those of :mod:`neckar.dynamics._step`. Rows `GM_EXC` and `GM_INH` hold the transconductances at the end of the step, which is what
events in between deliver their jumps with.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from neckar.dynamics import _layout as L
from neckar.dynamics._elementary import approach32, exp32, identity, maximum, select
from neckar.dynamics._jit import Kernel, inline, kernel_part
from neckar.equations import neuron_equations

F = np.float32
STRIDE = L.STRIDE
ZERO, HALF, ONE, EIGHTH = F(0), F(0.5), F(1), F(0.125)
SLOWEST = F(1e-6)  # 1/us
EDGE = F(1e-4)  # us; shorter rests of a reset phase are rounding errors

gain_of = neuron_equations(exp32, identity, maximum, ZERO, ONE, inline).conductance_gain


@cache
def drive_conductances(saturating: bool, exponential: bool, fine: bool) -> Kernel:
    """Return the pass."""

    @kernel_part
    def drive(B, n, h, inv_h):  # type: ignore[no-untyped-def]
        """First pass: mode and local length of the step, synaptic lines, linear solution."""
        for j in range(n):
            v, r, lag = B[L.V * STRIDE + j], B[L.REFRACTORY * STRIDE + j], B[L.LAG * STRIDE + j]
            s_e, s_i = B[L.S_EXC * STRIDE + j], B[L.S_INH * STRIDE + j]
            coba_e, coba_i = B[L.COBA_EXC * STRIDE + j], B[L.COBA_INH * STRIDE + j]
            ref_e, ref_i = B[L.E_COBA_EXC * STRIDE + j], B[L.E_COBA_INH * STRIDE + j]
            base_e, base_i = B[L.BASE_EXC * STRIDE + j], B[L.BASE_INH * STRIDE + j]
            rest_e, rest_i = B[L.REST_EXC * STRIDE + j], B[L.REST_INH * STRIDE + j]
            q_e, q_i = B[L.Q_EXC * STRIDE + j], B[L.Q_INH * STRIDE + j]
            rest = r - B[L.T_HOLDOFF * STRIDE + j] + lag  # local time left in the reset phase
            free = rest <= EDGE
            d = select(free, h + lag, min(rest, h + lag))
            k = select(free, B[L.K_LEAK * STRIDE + j], B[L.K_RESET * STRIDE + j])
            e = select(free, B[L.E_LEAK * STRIDE + j], B[L.E_RESET * STRIDE + j])
            inverse = select(free, B[L.LEAK_GAIN * STRIDE + j], B[L.RESET_TIME * STRIDE + j])
            heard = select(select(free, B[L.LEAK_GAIN * STRIDE + j], B[L.RESET_GAIN * STRIDE + j]) > ZERO, ONE, ZERO)

            jump = base_e * gain_of(v, coba_e, ref_e) * s_e - base_i * gain_of(v, coba_i, ref_i) * s_i - B[L.DRIVEN * STRIDE + j]
            felt = v - heard * lag * jump
            middle = (HALF * d - lag) * inv_h  # of the local step, on the grid
            drive_e, drive_i = heard * base_e * s_e, heard * base_i * s_i
            mean_e, mean_i = drive_e - drive_e * q_e * middle, drive_i - drive_i * q_i * middle
            gain_e, gain_i = gain_of(felt, coba_e, ref_e), gain_of(felt, coba_i, ref_i)
            open_e, open_i = select(gain_e > ZERO, coba_e, ZERO), select(gain_i > ZERO, coba_i, ZERO)
            current = (mean_e + rest_e) * gain_e - (mean_i - rest_i) * gain_i
            shunt = (mean_e + rest_e) * open_e - (mean_i - rest_i) * open_i  # what the inputs add to the leak, 1/us
            total = max(k + shunt, SLOWEST)
            share = approach32(total * d)
            time = ONE / total
            slope = current + (e - felt) / inverse
            if saturating:
                slope += B[L.I_OFFSET * STRIDE + j]
            v_e = felt + time * share * slope

            after_e, after_i = base_e * gain_of(v_e, coba_e, ref_e), base_i * gain_of(v_e, coba_i, ref_i)
            left_e, left_i = s_e - s_e * q_e, s_i - s_i * q_i
            B[L.X_START * STRIDE + j], B[L.V * STRIDE + j] = v, v_e
            B[L.GM_EXC * STRIDE + j], B[L.GM_INH * STRIDE + j] = after_e, after_i
            B[L.DRIVEN * STRIDE + j] = after_e * left_e - after_i * left_i
            if fine:
                B[L.X_REACH * STRIDE + j] = h * max(after_i * B[L.KICK_INH * STRIDE + j] + EIGHTH * (drive_e * q_e - drive_i * q_i), ZERO)
            B[L.X_LENGTH * STRIDE + j] = d
            B[L.X_TOTAL * STRIDE + j] = total
            B[L.LAG * STRIDE + j] = h + lag - d
            B[L.S_EXC * STRIDE + j], B[L.S_INH * STRIDE + j] = left_e, left_i
            if saturating or exponential:
                B[L.X_SHARE * STRIDE + j] = time * share
            if saturating:
                B[L.X_RATE * STRIDE + j], B[L.X_POTENTIAL * STRIDE + j] = k, e
                B[L.X_FLOORED * STRIDE + j] = mean_i  # the next pass makes it the current that vanishes at the floor
            if exponential:
                start = drive_e * gain_e - drive_i * gain_i + rest_e * gain_e + rest_i * gain_i
                if saturating:
                    start += B[L.I_OFFSET * STRIDE + j]
                i_t, bent = B[L.I_EXP * STRIDE + j], B[L.BENT * STRIDE + j]
                B[L.X_CURRENT * STRIDE + j] = start + bent
                B[L.X_UPSTROKE * STRIDE + j] = select(free, i_t, ZERO)

    return drive
