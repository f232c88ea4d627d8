"""Dense output: the state of observed circuits at any tick, recomputed from the stored states at the steps' starts.

The engine stores, for observed circuits only, the state at the start of each step and the kicks with their own times. Between these, the same step as
in the engine is taken from sample to sample (and from kick to kick), so a recorded trace shows synaptic events, the threshold crossing and the reset
where they happened. The noise between the two ends of a step is a bridge (:mod:`neckar.dynamics._bridge`). Without noise, what is missed by taking short
steps instead of one, some microvolts, is spread over the step linearly. A step in which a circuit changes its mode has neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from neckar.dynamics import _layout as L
from neckar.dynamics._bridge import bridge, prepare_bridge
from neckar.dynamics._crossing import crossing, firing
from neckar.dynamics._elementary import approach32
from neckar.dynamics._jit import kernel, kernel_part
from neckar.dynamics._parameters import Features
from neckar.dynamics._propagators import TICK_US
from neckar.dynamics._step import EDGE, circuit_step

F = np.float32
STRIDE = L.STRIDE
ZERO, ONE = F(0), F(1)
FIRST = np.int64(0)  # the column; not a literal, for which the parts of the step would be compiled once more
FIRE = 2  # in a log of kicks: something else than its comparator fires the circuit, instead of a line
N_SIGNALS = 5  # v, w, s_exc, s_inh, refractory


@kernel_part
def is_free(B):  # type: ignore[no-untyped-def]
    """Return whether the circuit in column 0 is not in its reset phase."""
    return B[L.REFRACTORY * STRIDE] - B[L.T_HOLDOFF * STRIDE] + B[L.LAG * STRIDE] <= EDGE


@kernel_part
def noise_strength(B):  # type: ignore[no-untyped-def]
    """Return the strength of the membrane's noise of the circuit in column 0, whose parameters are those for steps of one tick, V per root of a us."""
    twice = F(2) * B[L.K_LEAK * STRIDE]
    return B[L.NOISE_STEP * STRIDE] * F(math.sqrt(twice / -math.expm1(-twice * TICK_US)))


@kernel_part
def membrane_now(B):  # type: ignore[no-untyped-def]
    """Return the membrane of the circuit in column 0 at its grid time; its lag is made up for."""
    free = is_free(B)
    k = B[L.K_LEAK * STRIDE] if free else B[L.K_RESET * STRIDE]
    e = B[L.E_LEAK * STRIDE] if free else B[L.E_RESET * STRIDE]
    return B[L.V * STRIDE] + approach32(k * B[L.LAG * STRIDE]) * (e - B[L.V * STRIDE])


@kernel_part
def read_out(B, out, row):  # type: ignore[no-untyped-def]
    """Write the signals of the circuit in column 0 at its grid time."""
    out[row, 0] = membrane_now(B)
    out[row, 1] = B[L.W * STRIDE]
    out[row, 2] = B[L.S_EXC * STRIDE]
    out[row, 3] = B[L.S_INH * STRIDE]
    out[row, 4] = max(B[L.REFRACTORY * STRIDE], ZERO)


@kernel_part
def log_fire(slot, lane, tick, log_slot, log_line, log_tick, log_kick, n_log):  # type: ignore[no-untyped-def]
    """Note that an observed circuit of a lane has been fired, none if `slot` is negative; the log stays in the order of time.

    `tick` must not lie before the crossing of a master that fires it, which its dense output finds again.
    """
    if slot < 0:
        return
    j = n_log[lane]
    slots, lines, ticks, kicks = log_slot[lane], log_line[lane], log_tick[lane], log_kick[lane]
    while j > 0 and ticks[j - 1] > tick:
        slots[j], lines[j], ticks[j], kicks[j] = slots[j - 1], lines[j - 1], ticks[j - 1], kicks[j - 1]
        j -= 1
    slots[j], lines[j], ticks[j], kicks[j] = slot, FIRE, tick, ONE
    n_log[lane] += 1


@cache
def sort_kernel() -> Callable[..., Any]:
    """Return the compiled counting sort of kicks by slot."""

    def sort_kicks(slot, tick, line, kick, first, place, ticks, lines, kicks):  # type: ignore[no-untyped-def]
        """Sort kicks by slot, each slot in order; `first`, with one zero more than there are slots, gets where each begins, `place` is scratch."""
        for i in range(slot.size):
            first[slot[i] + 1] += 1
        for k in range(1, first.size):
            first[k] += first[k - 1]
            place[k] = first[k]
        for i in range(slot.size):
            j = place[slot[i]]
            ticks[j], lines[j], kicks[j] = tick[i], line[i], kick[i]
            place[slot[i]] = j + 1

    return kernel(sort_kicks, "")


def dense_kernel(features: Features) -> Callable[..., Any]:
    """Return the compiled dense output for these features; its steps are without noise."""
    return _dense_kernel(features.of_circuits._replace(noisy=False, fine=False))


@cache
def _dense_kernel(features: Features) -> Callable[..., Any]:
    step, cross, fire = circuit_step(features), crossing(features), firing(features)

    @kernel_part
    def move(B, flags, dt, rates, constants, noise_key):  # type: ignore[no-untyped-def]
        """Advance the circuit in column 0 by `dt` us."""
        if dt > F(1e-6):
            B[L.Q_EXC * STRIDE], B[L.Q_INH * STRIDE] = approach32(dt * rates[0]), approach32(dt * rates[1])
            B[L.P_ADAPT * STRIDE] = ONE - approach32(dt * rates[2])
            step(B, flags, FIRST + 1, dt, ONE / dt, constants, noise_key, np.uint32(0), ZERO)
            if flags[0]:
                cross(B, FIRST, dt)

    saturating = features.saturating

    @kernel_part
    def trail(  # type: ignore[no-untyped-def]
        B, flags, rates, constants, noise_key, noise_seed, halves, trace, slot, origin_tick, h_ticks, kick_tick, kick_line, kick, ticks, out
    ):
        """Fill `out` (sample, signal) with one observed circuit at the ascending `ticks`; its parameters stand in column 0."""
        us = F(2e-3)
        s, q = 0, 0
        strength, prepared = noise_strength(B), ZERO
        for k in range(trace.shape[0] - 1):
            begin = origin_tick + k * h_ticks
            end = begin + h_ticks
            if s >= ticks.size:
                break
            if ticks[s] >= end:
                continue
            while q < kick_tick.size and kick_tick[q] < begin:
                q += 1
            for field in range(L.N_STATE):
                B[field * STRIDE] = trace[k, field, slot]
            rate = B[L.K_LEAK * STRIDE] if is_free(B) else B[L.K_RESET * STRIDE]
            now, first = begin, s
            while now < end:
                until = end
                if s < ticks.size and ticks[s] < until:
                    until = ticks[s]
                if q < kick_tick.size and kick_tick[q] < until:
                    until = kick_tick[q]
                move(B, flags, F(until - now) * us, rates, constants, noise_key)
                now = until
                while q < kick_tick.size and kick_tick[q] == now and now < end:
                    if kick_line[q] == FIRE:
                        fire(B, FIRST, ZERO, ZERO, membrane_now(B))
                        if now == begin and not is_free(B):
                            rate = B[L.K_RESET * STRIDE]
                    else:
                        B[(L.S_EXC + kick_line[q]) * STRIDE] += kick[q]
                    q += 1
                while s < ticks.size and ticks[s] == now and now < end:
                    read_out(B, out, s)
                    s += 1
            if trace[k, L.LAG, slot] == ZERO and trace[k + 1, L.LAG, slot] == ZERO and B[L.LAG * STRIDE] == ZERO:
                missed = trace[k + 1, L.V, slot] - B[L.V * STRIDE]
                if strength > ZERO and rate != prepared:
                    prepare_bridge(rate, strength, h_ticks, halves)
                    prepared = rate
                for i in range(first, s):
                    if strength > ZERO:
                        out[i, 0] += bridge(ticks[i], begin, h_ticks, missed, halves, noise_key[0], noise_seed)
                        if saturating:
                            out[i, 0] = min(max(out[i, 0], ZERO), constants[2])
                    else:
                        out[i, 0] += missed * F(ticks[i] - begin) / F(h_ticks)

    def dense(  # type: ignore[no-untyped-def]
        B, flags, rows, rates, constants, noise_keys, noise_seed, halves, trace, slots, origin_tick, h_ticks, kicks_of, kick_tick, kick_line, kick, ticks, out,
    ):  # fmt: skip
        """Fill `out` (slot, sample, signal) at the ascending `ticks`.

        `trace` (step, field, slot) holds the states at the steps' starts and at the end, `rows` (row, slot) the parameters from `E_LEAK` on for steps of one
        tick, `rates` (slot, 3) those of synaptic lines and adaptation, `noise_keys` (slot) the keys; `halves` is scratch for the bridges. The kicks of slot `i`
        are those from `kicks_of[i]` to `kicks_of[i + 1]`, ascending in time.
        """
        for i in range(slots.size):
            slot = slots[i]
            for row in range(rows.shape[0]):
                B[(L.E_LEAK + row) * STRIDE] = rows[row, slot]
            a, b = kicks_of[slot], kicks_of[slot + 1]
            trail(
                B, flags, rates[slot], constants, noise_keys[slot:], noise_seed, halves, trace, slot, origin_tick, h_ticks, kick_tick[a:b], kick_line[a:b],
                kick[a:b], ticks, out[i],
            )  # fmt: skip

    return kernel(dense, str(features))
