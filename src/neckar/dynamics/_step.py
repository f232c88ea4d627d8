"""One step of all circuits of a lane: branch-free, second order, with sub-step crossings and refractory ends.

A circuit is in one of two modes, *leak* or *reset* (the same amplifier with other potential and bias). It has its own local time: when a threshold crossing
or the end of the reset falls inside a step, the circuit stops there, remembers how far it lags behind the grid, and its next step is that much longer. So no
circuit ever needs two modes in one step, and nothing is rounded to the grid. Lags are shorter than two steps as long as the step is at most half the reset
phase.

Within a step the linear amplifier is propagated exactly (for full steps with the exact response to the synaptic lines). What is not linear, i.e. the
saturation, the floor of inhibition, the exponential and the adaptation, enters through the same propagator, taken at the middle of the solution (an
exponential midpoint rule; the last step's value serves as first guess, and the exponential is looked at twice).

The step is a row of passes over the circuits. Each is short, because the processor overlaps circuits only as far as it can look ahead, and each is built for
the features of the circuits (saturation, exponential term, noise, conductance-based inputs), which are compile-time constants. The last one marks circuits
that end above their threshold; :mod:`neckar.dynamics._crossing` looks at them. A spike needs a rising edge of the comparator: `ARMED` is set once the membrane
has been below threshold since the last spike.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from neckar.dynamics import _layout as L
from neckar.dynamics._conductance import EDGE, drive_conductances
from neckar.dynamics._elementary import approach32, excess32, exp32, identity, maximum, nothing, select, tanh32
from neckar.dynamics._jit import Kernel, inline, kernel_part
from neckar.dynamics._noise import normal, scramble
from neckar.dynamics._parameters import Features
from neckar.equations import neuron_equations

F = np.float32
ZERO, EIGHTH, HALF, ONE = F(0), F(0.125), F(0.5), F(1)
STRIDE = L.STRIDE

SATURATING = neuron_equations(exp32, tanh32, maximum, ZERO, ONE, inline, excess32)
LINEAR = neuron_equations(exp32, identity, maximum, ZERO, ONE, inline, nothing)


@cache
def _drive(saturating: bool, exponential: bool, pausing: bool, fine: bool) -> Kernel:
    """Return the first pass."""

    @kernel_part
    def drive(B, n, h, inv_h):  # type: ignore[no-untyped-def]
        """First pass: mode and local length of the step, synaptic lines, linear solution."""
        for j in range(n):
            v, r, lag = B[L.V * STRIDE + j], B[L.REFRACTORY * STRIDE + j], B[L.LAG * STRIDE + j]
            s_e, s_i, driven = B[L.S_EXC * STRIDE + j], B[L.S_INH * STRIDE + j], B[L.DRIVEN * STRIDE + j]
            rest = r - B[L.T_HOLDOFF * STRIDE + j] + lag  # local time left in the reset phase
            free = rest <= EDGE
            d = select(free, h + lag, min(rest, h + lag))
            k = select(free, B[L.K_LEAK * STRIDE + j], B[L.K_RESET * STRIDE + j])
            e = select(free, B[L.E_LEAK * STRIDE + j], B[L.E_RESET * STRIDE + j])
            time = gain = select(free, B[L.LEAK_GAIN * STRIDE + j], B[L.RESET_TIME * STRIDE + j])
            late = lag
            if pausing:
                gain = select(free, B[L.LEAK_GAIN * STRIDE + j], B[L.RESET_GAIN * STRIDE + j])
                late = select(gain > ZERO, lag, ZERO)
            share = approach32(k * d)
            drive_e, drive_i = B[L.GM_EXC * STRIDE + j] * s_e, B[L.GM_INH * STRIDE + j] * s_i
            q_e, q_i = B[L.Q_EXC * STRIDE + j], B[L.Q_INH * STRIDE + j]
            i_start = drive_e - drive_i
            fade = drive_i * q_i - drive_e * q_e
            i_mean = i_start + fade * ((HALF * d - lag) * inv_h)
            pull = e + gain * i_mean
            felt = v - late * (i_start - driven)
            if saturating or exponential:
                B[L.X_SHARE * STRIDE + j] = time * share
            if saturating:
                offset = B[L.I_OFFSET * STRIDE + j]
                pull += time * offset
            if fine:
                lowers = B[L.GM_INH * STRIDE + j] * B[L.KICK_INH * STRIDE + j]
                B[L.X_REACH * STRIDE + j] = h * max(lowers - EIGHTH * fade, ZERO)
            B[L.X_START * STRIDE + j] = v
            B[L.V * STRIDE + j] = felt + share * (pull - felt)
            B[L.DRIVEN * STRIDE + j] = i_start + fade
            B[L.X_LENGTH * STRIDE + j] = d
            B[L.LAG * STRIDE + j] = h + lag - d
            B[L.S_EXC * STRIDE + j] = s_e - s_e * q_e
            B[L.S_INH * STRIDE + j] = s_i - s_i * q_i
            if saturating:
                B[L.X_RATE * STRIDE + j], B[L.X_POTENTIAL * STRIDE + j] = k, e
                inhibition = drive_i - HALF * drive_i * q_i
                if pausing:
                    inhibition = select(gain > ZERO, inhibition, ZERO)
                B[L.X_FLOORED * STRIDE + j] = inhibition + B[L.I_SINK * STRIDE + j]
                if exponential:
                    i_start += offset
            if exponential:
                i_t, bent = B[L.I_EXP * STRIDE + j], B[L.BENT * STRIDE + j]
                B[L.X_CURRENT * STRIDE + j] = i_start + bent
                B[L.X_UPSTROKE * STRIDE + j] = select(free, i_t, ZERO)  # the exponential rests during the reset phase

    return drive


@cache
def _bend(saturating: bool, exponential: bool, conductance: bool) -> Kernel:
    """Return the second pass."""
    eq = SATURATING if saturating else LINEAR
    gain = eq.conductance_gain
    deviation, closed, expo, adaptation, adaptation_target = (
        eq.ota_deviation, eq.inhibition_closed, eq.exponential_current, eq.adaptation_current, eq.adaptation_target
    )  # fmt: skip

    @kernel_part
    def bend(B, n, constants):  # type: ignore[no-untyped-def]
        """Second pass: what is not linear, and the adaptation, in the middle of the step."""
        v_sat, v_width, v_supply = constants[0], constants[1], constants[2]
        for j in range(n):
            v, v_e, phi, before = B[L.X_START * STRIDE + j], B[L.V * STRIDE + j], B[L.X_SHARE * STRIDE + j], B[L.BENT * STRIDE + j]
            middle = HALF * (v + v_e + phi * before)
            bent = lifted = ZERO
            if saturating:
                k, e = B[L.X_RATE * STRIDE + j], B[L.X_POTENTIAL * STRIDE + j]
                without = closed(middle, B[L.V_FLOOR * STRIDE + j], v_width)
                if conductance:
                    gained = gain(middle, B[L.COBA_INH * STRIDE + j], B[L.E_COBA_INH * STRIDE + j])
                    B[L.X_FLOORED * STRIDE + j] = B[L.X_FLOORED * STRIDE + j] * gained + B[L.I_SINK * STRIDE + j]
                bent = deviation(middle, e, k, v_sat)
                B[L.X_CLOSED * STRIDE + j] = without
                B[L.X_MIDDLE * STRIDE + j] = middle
            if exponential:
                w, w_0, g_w = B[L.W * STRIDE + j], B[L.W_REST * STRIDE + j], B[L.K_ADAPT * STRIDE + j]
                i_t, v_t, sharpness, theta = B[L.X_UPSTROKE * STRIDE + j], B[L.V_EXP * STRIDE + j], B[L.SHARPNESS * STRIDE + j], B[L.V_THRESHOLD * STRIDE + j]
                a, v_a, p_w = B[L.A_ADAPT * STRIDE + j], B[L.V_ADAPT * STRIDE + j], B[L.P_ADAPT * STRIDE + j]
                if saturating:
                    lifted = B[L.X_FLOORED * STRIDE + j] * without
                seen = min(middle, min(theta, v_supply))
                target = adaptation_target(seen, a, v_a, w_0)
                w_e = target + (w - target) * p_w
                bent -= adaptation(HALF * (w + w_e), w_0, g_w)
                B[L.W * STRIDE + j] = w_e
                B[L.X_GUESS * STRIDE + j] = HALF * (v + v_e + phi * (bent + lifted + expo(seen, i_t, v_t, sharpness)))
            B[L.BENT * STRIDE + j] = bent
            if saturating:
                B[L.V * STRIDE + j] = v_e + phi * bent

    return bend


@cache
def _sink() -> Kernel:
    """Return the pass for the floor of inhibition. (A pass of its own: one long chain of operations stalls.)"""

    @kernel_part
    def sink(B, n, constants):  # type: ignore[no-untyped-def]
        """Near its floor, inhibition is stiff: one Newton step towards the implicit midpoint, and not below the floor by itself."""
        v_width = constants[1]
        for j in range(n):
            v, v_e, phi, middle = B[L.X_START * STRIDE + j], B[L.V * STRIDE + j], B[L.X_SHARE * STRIDE + j], B[L.X_MIDDLE * STRIDE + j]
            inhibition, without, bent = B[L.X_FLOORED * STRIDE + j], B[L.X_CLOSED * STRIDE + j], B[L.BENT * STRIDE + j]
            v_floor, lag = B[L.V_FLOOR * STRIDE + j], B[L.LAG * STRIDE + j]
            drop = phi * inhibition
            free_end = v_e + drop
            stiff = HALF * drop * without / v_width
            v_e = (free_end - drop + drop * without + stiff * (middle + middle - v)) / (ONE + stiff)
            B[L.V * STRIDE + j] = max(v_e, min(free_end, v_floor))
            B[L.BENT * STRIDE + j] = select(lag > ZERO, ZERO, bent + inhibition * without)  # another mode begins without a guess

    return sink


@cache
def _shoot(saturating: bool) -> Kernel:
    """Return the third pass."""
    expo = LINEAR.exponential_current

    @kernel_part
    def shoot(B, n, constants):  # type: ignore[no-untyped-def]
        """Third pass: a second look at the exponential; the first lags behind a steep upstroke. (A pass of its own: one exponential after another stalls.)"""
        for j in range(n):
            i_t, v_t, sharpness, theta = B[L.X_UPSTROKE * STRIDE + j], B[L.V_EXP * STRIDE + j], B[L.SHARPNESS * STRIDE + j], B[L.V_THRESHOLD * STRIDE + j]
            up = expo(min(B[L.X_GUESS * STRIDE + j], min(theta, constants[2])), i_t, v_t, sharpness)
            v_e, phi, bent, lag = B[L.V * STRIDE + j], B[L.X_SHARE * STRIDE + j], B[L.BENT * STRIDE + j], B[L.LAG * STRIDE + j]
            B[L.V * STRIDE + j] = v_e + phi * up if saturating else v_e + phi * (bent + up)  # with saturation, the other terms are in it already
            B[L.BENT * STRIDE + j] = select(lag > ZERO, ZERO, bent + up)  # another mode begins without a guess

    return shoot


@cache
def _arrive(saturating: bool, noisy: bool, fine: bool) -> Kernel:
    """Return the last pass."""

    @kernel_part
    def arrive(B, flags, n, h, constants, noise_key, salt, quiet):  # type: ignore[no-untyped-def]
        """Last pass: noise and rails, refractory clock; `flags` marks who ended above its threshold and may fire.

        In fine steps it marks who may have been there, too, and who was released in a step with events (`quiet` is 0 in such a step, else infinite).
        """
        for j in range(n):
            v, v_e, r, armed = B[L.X_START * STRIDE + j], B[L.V * STRIDE + j], B[L.REFRACTORY * STRIDE + j], B[L.ARMED * STRIDE + j]
            theta = B[L.V_THRESHOLD * STRIDE + j]
            if noisy:
                v_e += normal(scramble(noise_key[j], salt)) * B[L.NOISE_STEP * STRIDE + j]
            if saturating:
                v_e = min(max(v_e, ZERO), constants[2])
            if noisy or saturating:
                B[L.V * STRIDE + j] = v_e
            armed = select(v < theta, ONE, armed)
            B[L.REFRACTORY * STRIDE + j] = r - h
            B[L.ARMED * STRIDE + j] = armed
            if fine:
                reaches, lag = max(v, v_e) + B[L.X_REACH * STRIDE + j], B[L.LAG * STRIDE + j]
                flags[j] = np.uint8(((reaches >= theta) & (armed > ZERO) & (r < h)) | (lag > quiet))
            else:
                flags[j] = np.uint8((v_e >= theta) & (armed > ZERO) & (r < h))

    return arrive


@cache
def circuit_prediction(features: Features) -> Kernel:
    """Return all passes but the last: they leave what is known of the end of the step in row `V`."""
    saturating, exponential, _, conductance = features[:4]
    pausing, fine = features.pausing, features.fine
    drive = drive_conductances(saturating, exponential, fine) if conductance else _drive(saturating, exponential, pausing, fine)
    bend, sink, shoot = _bend(saturating, exponential, conductance), _sink(), _shoot(saturating)

    @kernel_part
    def predict(B, n, h, inv_h, constants):  # type: ignore[no-untyped-def]
        drive(B, n, h, inv_h)
        if saturating or exponential:
            bend(B, n, constants)
        if saturating:
            sink(B, n, constants)
        if exponential:
            shoot(B, n, constants)

    return predict


@cache
def circuit_arrival(features: Features) -> Kernel:
    """Return the last pass."""
    return _arrive(features.saturating, features.noisy, features.fine)


@cache
def circuit_step(features: Features) -> Kernel:
    """Return the compiled step for circuits with these features; noise is that of the membrane. Crossings are placed behind it (:mod:`._crossing`)."""
    predict, arrive = circuit_prediction(features._replace(noisy=False)), circuit_arrival(features)

    @kernel_part
    def step(B, flags, n, h, inv_h, constants, noise_key, salt, quiet):  # type: ignore[no-untyped-def]
        """Advance `n` circuits by `h` us; `quiet` matters to the last pass of fine steps only."""
        predict(B, n, h, inv_h, constants)
        arrive(B, flags, n, h, constants, noise_key, salt, quiet)

    return step
