"""Where in a step a membrane crosses its threshold.

The step's last pass (:mod:`neckar.dynamics._step`) marks circuits that have ended above their threshold and may fire; they are few, so each is looked at by
itself. The crossing is located by one step from the chord towards a parabola, whose curvature follows from the leak and the kicks, or from the start slope. The
circuit stops there and remembers how far it lags behind the grid.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics import _layout as L
from neckar.dynamics._elementary import marks, ones, trailing_zeros
from neckar.dynamics._jit import Kernel, kernel_part
from neckar.dynamics._parameters import Features

F = np.float32
ZERO, ONE, HALF, TINY = F(0), F(1), F(0.5), F(1e-30)
STRIDE = L.STRIDE
GROUPS = 4  # of 64 circuits in a lane


@cache
def crossing(features: Features) -> Kernel:
    """Return the kernel part for circuits with these features."""
    saturating, exponential, _, conductance = features[:4]

    @kernel_part
    def cross(B, j, h):  # type: ignore[no-untyped-def]
        """Stop circuit `j` where it crosses its threshold, and start its refractory period.

        Returns the time of the crossing from the step's start on, us; from `h` on it has not come in this step.
        """
        v, v_e, d, theta = B[L.X_START * STRIDE + j], B[L.V * STRIDE + j], B[L.X_LENGTH * STRIDE + j], B[L.V_THRESHOLD * STRIDE + j]
        rise = ONE / max(v_e - v, TINY)
        chord = min(max((theta - v) * rise, ZERO), ONE)
        if exponential:
            bow = ONE - (B[L.K_LEAK * STRIDE + j] * (B[L.E_LEAK * STRIDE + j] - v) + B[L.X_CURRENT * STRIDE + j]) * d * rise  # from the start slope
        elif conductance:
            bow = max(-HALF * B[L.X_TOTAL * STRIDE + j] * d, -HALF)
        else:
            bow = max(-HALF * B[L.K_LEAK * STRIDE + j] * d, -HALF)
        jump = B[L.GM_EXC * STRIDE + j] * B[L.S_EXC * STRIDE + j] - B[L.GM_INH * STRIDE + j] * B[L.S_INH * STRIDE + j] - B[L.DRIVEN * STRIDE + j]
        bow += h * jump * rise
        part = min(max(chord + bow * (chord - chord * chord), ZERO), ONE)
        t_c = max(h - d * (ONE - part), B[L.REFRACTORY * STRIDE + j] + h)
        if t_c < h:
            B[L.V * STRIDE + j], B[L.LAG * STRIDE + j], B[L.ARMED * STRIDE + j] = theta, h - t_c, ZERO
            B[L.REFRACTORY * STRIDE + j] = B[L.T_REFRACTORY * STRIDE + j] + t_c - h
            if saturating or exponential:
                B[L.BENT * STRIDE + j] = ZERO
            if exponential:
                B[L.W * STRIDE + j] += B[L.B_ADAPT * STRIDE + j]
        return t_c

    return cross


@cache
def collection(features: Features) -> Kernel:
    """Return the kernel part that collects the spikes of circuits with these features."""
    cross = crossing(features)

    @kernel_part
    def collect(B, flags, found, h, begin, ticks_per_us, column_of, out_tick, out_column, n_out):  # type: ignore[no-untyped-def]
        """Append the spikes of the step that begins at tick `begin`; `found` is scratch of :func:`scratch`. Returns the number of spikes.

        The one branch that cannot be foreseen is the number of candidates.
        """
        busy, place = found
        n, groups = np.int64(0), 0
        for k in range(GROUPS):
            word = marks(flags, k)  # type: ignore[call-arg, var-annotated]
            busy[groups], place[groups] = word, 64 * k
            groups += np.int64(word != np.uint64(0))
            n += np.int64(ones(word))
        group = 0
        for _ in range(n):
            word = busy[group]
            c = np.int64(place[group]) + np.int64(np.uint8(trailing_zeros(word)))  # type: ignore[call-arg]
            t_c = cross(B, c, h)
            out_tick[n_out] = begin + np.int64(np.floor(t_c * ticks_per_us + HALF))
            out_column[n_out] = column_of[c]
            n_out += np.int64(t_c < h)
            word &= word - np.uint64(1)
            busy[group] = word
            group += np.int64(word == np.uint64(0))
        return n_out

    return collect


def scratch() -> tuple[NDArray[np.uint64], NDArray[np.uint16]]:
    """Return the room that :func:`collection` works in."""
    return np.zeros(GROUPS + 1, np.uint64), np.zeros(GROUPS + 1, np.uint16)
