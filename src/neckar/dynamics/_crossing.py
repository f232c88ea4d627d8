"""Where in a step a membrane crosses its threshold.

The step's last pass (:mod:`neckar.dynamics._step`) marks circuits that have ended above their threshold and may fire; they are few, so each is looked at by
itself. The crossing is located by one step from the chord towards a parabola, whose curvature follows from the leak and the kicks, or from the start slope. The
circuit stops there and remembers how far it lags behind the grid. In fine steps (:data:`neckar.dynamics._lane.FINE_STEP`) the marked ones are looked at more
closely: those that may have been above threshold inside the step, and those that were released in it, with the events of the step one by one.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics import _layout as L
from neckar.dynamics._elementary import marks, ones, trailing_zeros
from neckar.dynamics._heard import hear
from neckar.dynamics._jit import Kernel, kernel_part
from neckar.dynamics._parameters import Features

F = np.float32
ZERO, ONE, HALF, FOUR, TINY, INFINITY = F(0), F(1), F(0.5), F(4), F(1e-30), F(np.inf)
STRIDE = L.STRIDE
GROUPS = 4  # of 64 circuits in a lane


@cache
def crossing(features: Features) -> Kernel:
    """Return the kernel part for circuits with these features."""
    exponential, conductance = features.exponential, features.conductance
    fire = firing(features)

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
            fire(B, j, h, t_c, theta)
        return t_c

    return cross


@cache
def firing(features: Features) -> Kernel:
    """Return what happens to a circuit that fires: its guess of the non-linear part is dropped, its adaptation jumps."""
    bending, adapting = features.saturating or features.exponential, features.exponential

    @kernel_part
    def fire(B, j, h, t_c, v):  # type: ignore[no-untyped-def]
        """Stop circuit `j` at the potential `v`, `t_c` us after the start of the step, and start its refractory period."""
        B[L.V * STRIDE + j], B[L.LAG * STRIDE + j], B[L.ARMED * STRIDE + j] = v, h - t_c, ZERO
        B[L.REFRACTORY * STRIDE + j] = B[L.T_REFRACTORY * STRIDE + j] + t_c - h
        if bending:
            B[L.BENT * STRIDE + j] = ZERO
        if adapting:
            B[L.W * STRIDE + j] += B[L.B_ADAPT * STRIDE + j]

    return fire


@cache
def firing_ahead(features: Features) -> Kernel:
    """Return what happens to a circuit that an event fires before the step in which it comes has been taken."""
    adapting = features.exponential

    @kernel_part
    def fire_ahead(B, j, now, alone):  # type: ignore[no-untyped-def]
        """Reset circuit `j` from the start of the step on; its refractory clock begins `now` us later. A membrane that is not `alone` goes with its node."""
        B[L.REFRACTORY * STRIDE + j], B[L.ARMED * STRIDE + j] = B[L.T_REFRACTORY * STRIDE + j] + now, ZERO
        if alone:
            B[L.LAG * STRIDE + j], B[L.BENT * STRIDE + j] = ZERO, ZERO
        if adapting:
            B[L.W * STRIDE + j] += B[L.B_ADAPT * STRIDE + j]

    return fire_ahead


@kernel_part
def first_meeting(high, slope, bend, late, start, r, at, jump, n, h):  # type: ignore[no-untyped-def]
    """Return when a path first is above zero from time `r` on, `h` if it is not.

    Seen from its end `late`, where it has the height `high`, the path is a parabola of this `slope` and `bend`; it bends by `jump` at the times `at` of `n`
    events.
    """
    found, q = h, n
    while late > r:
        q -= 1
        early = max(at[q], r) if q >= 0 else max(start, r)
        t = late - early
        low, rise = high - (slope + bend * t) * t, slope + (bend + bend) * t
        if low >= ZERO:
            found = early
        else:
            top = high
            if slope < ZERO and rise > ZERO and bend > ZERO:
                t = HALF * rise / bend
                top = low + HALF * rise * t
            if top >= ZERO:
                found = early + min(-(low + low) / max(rise + math.sqrt(max(rise * rise + FOUR * bend * low, ZERO)), TINY), t)
        if q < 0:
            break
        late, high, slope = early, low, rise - jump[q]
    return found


@cache
def fine_crossing(features: Features) -> Kernel:
    """Return the same for fine steps, which looks at the events of the step one by one."""
    exponential, conductance = features.exponential, features.conductance
    fire = firing(features)

    @kernel_part
    def cross(B, j, h, inv_h, at, jump, n):  # type: ignore[no-untyped-def]
        """Find the first moment from which circuit `j` is above threshold and may fire; let it fire there.

        In a step without events the membrane takes a parabola. The `n` events of the step bend it at their times `at` (us from the step's start, ascending) by
        their currents `jump` (V/us). A circuit that was released within the step gets what the shared kicks left out. Returns the time as for other steps.
        """
        v, v_e, d, theta = B[L.X_START * STRIDE + j], B[L.V * STRIDE + j], B[L.X_LENGTH * STRIDE + j], B[L.V_THRESHOLD * STRIDE + j]
        lag, r = B[L.LAG * STRIDE + j], B[L.REFRACTORY * STRIDE + j] + h
        end, inv_d = h - lag, ONE / d
        slope = (v_e - v) * inv_d
        bend = ZERO
        if lag == ZERO:
            drive_e, drive_i = B[L.GM_EXC * STRIDE + j] * B[L.S_EXC * STRIDE + j], B[L.GM_INH * STRIDE + j] * B[L.S_INH * STRIDE + j]
            if exponential:
                bend = (B[L.K_LEAK * STRIDE + j] * (B[L.E_LEAK * STRIDE + j] - v) + B[L.X_CURRENT * STRIDE + j] - slope) * inv_d
            else:
                k = B[(L.X_TOTAL if conductance else L.K_LEAK) * STRIDE + j]
                kicked = drive_e - drive_i - B[L.DRIVEN * STRIDE + j]
                lost = (drive_e - kicked) * B[L.Q_EXC * STRIDE + j] - drive_i * B[L.Q_INH * STRIDE + j]
                bend = HALF * (min(k, inv_d) * slope + lost * inv_h)
        slope -= bend * d
        missed = ZERO
        for q in range(n):
            slope += jump[q] * at[q] * inv_h
            missed += jump[q] * min(lag * at[q], (h - at[q]) * end)
        r = r if B[L.ARMED * STRIDE + j] > ZERO else h
        t_c = first_meeting(v_e - theta, slope, bend, end, end - d, r, at, jump, n if lag == ZERO else 0, h)
        if t_c < h:
            fire(B, j, h, t_c, theta)
        elif theta < INFINITY:
            B[L.V * STRIDE + j] += missed * inv_h
        return t_c

    return cross


@cache
def collection(features: Features) -> Kernel:
    """Return the kernel part that collects the spikes of circuits with these features."""
    of_paths = features._replace(noisy=False)
    cross, cross_finely, fine = crossing(of_paths), fine_crossing(of_paths), features.fine

    @kernel_part
    def collect(B, flags, found, h, inv_h, heard, weights, labels, receptor, begin, ticks_per_us, column_of, out_tick, out_column, n_out):  # type: ignore[no-untyped-def]
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
            if fine:
                n_heard = hear(B, c, heard, weights, labels, receptor)
                t_c = cross_finely(B, c, h, inv_h, heard.at, heard.jump, n_heard)
            else:
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
