"""One step of all circuits of a lane: branch-free, second order, with sub-step crossings and refractory ends.

A circuit is in one of two modes, *leak* or *reset* (the same amplifier with other potential and bias), and takes one exponential per step. It has its
own local time: when a threshold crossing or the end of the reset falls inside a step, the circuit stops there, remembers how far it lags behind the
grid, and its next step is that much longer. So no circuit ever needs two modes in one step, and nothing is rounded to the grid. Lags are shorter than
a step as long as the step is at most half the reset phase.

Within a step the linear amplifier is propagated exactly (for full steps with the exact response to the synaptic lines). What is not linear, i.e. the
saturation, the floor of inhibition, the exponential and the adaptation, enters through the same propagator, taken at the middle of the solution (an
exponential midpoint rule; the last step's value serves as first guess, and the exponential is looked at twice). Crossings are located by one step from
the chord towards a parabola whose curvature follows from the leak and the kicks, or from the start slope. A spike needs a rising edge of the
comparator: `ARMED` is set once the membrane has been below threshold since the last spike. The exponential term rests during the reset phase.

The step is built for the features of the circuits (saturation, exponential term, noise, conductance-based inputs), which are compile-time constants.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from neckar.dynamics import _layout as L
from neckar.dynamics._conductance import EDGE, drive_conductances
from neckar.dynamics._elementary import approach32, exp32, identity, maximum, select, tanh32
from neckar.dynamics._jit import Kernel, inline, kernel_part
from neckar.dynamics._noise import normal, scramble
from neckar.dynamics._parameters import Features
from neckar.equations import neuron_equations

F = np.float32
ZERO, HALF, ONE, FOUR, EIGHT, TINY = F(0), F(0.5), F(1), F(4), F(8), F(1e-30)
STRIDE = L.STRIDE

SATURATING = neuron_equations(exp32, tanh32, maximum, ZERO, ONE, inline)
LINEAR = neuron_equations(exp32, identity, maximum, ZERO, ONE, inline)


@cache
def _drive(saturating: bool, exponential: bool) -> Kernel:
    """Return the first pass."""

    @kernel_part
    def drive(B, n, h, inv_h):  # type: ignore[no-untyped-def]
        """First pass: mode and local length of the step, synaptic lines, linear solution."""
        for j in range(n):
            v, r, lag = B[L.V * STRIDE + j], B[L.REFRACTORY * STRIDE + j], B[L.LAG * STRIDE + j]
            s_e, s_i, kick_e, kick_i = B[L.S_EXC * STRIDE + j], B[L.S_INH * STRIDE + j], B[L.KICK_EXC * STRIDE + j], B[L.KICK_INH * STRIDE + j]
            rest = r - B[L.T_HOLDOFF * STRIDE + j] + lag  # local time left in the reset phase
            free = rest <= EDGE
            d = select(free, h + lag, min(rest, h + lag))
            k = select(free, B[L.K_LEAK * STRIDE + j], B[L.K_RESET * STRIDE + j])
            e = select(free, B[L.E_LEAK * STRIDE + j], B[L.E_RESET * STRIDE + j])
            gain = select(free, B[L.LEAK_GAIN * STRIDE + j], B[L.RESET_GAIN * STRIDE + j])
            gm_e, gm_i = B[L.GM_EXC * STRIDE + j], B[L.GM_INH * STRIDE + j]
            drive_e, drive_i = gm_e * s_e, gm_i * s_i
            q_e, q_i = B[L.Q_EXC * STRIDE + j], B[L.Q_INH * STRIDE + j]
            i_start = drive_e - drive_i
            i_mean = i_start - (drive_e * q_e - drive_i * q_i) * ((HALF * d - lag) * inv_h)
            share = approach32(k * d)
            pull = e + gain * i_mean
            felt = v - select(gain > ZERO, lag, ZERO) * B[L.JUMP * STRIDE + j]
            if saturating or exponential:
                time = select(free, B[L.LEAK_GAIN * STRIDE + j], B[L.RESET_TIME * STRIDE + j])
            if saturating:
                offset = B[L.I_OFFSET * STRIDE + j]
                pull += time * offset
            B[L.X_END * STRIDE + j] = felt + share * (pull - felt)
            B[L.JUMP * STRIDE + j] = gm_e * kick_e - gm_i * kick_i
            B[L.X_LENGTH * STRIDE + j] = d
            B[L.LAG * STRIDE + j] = h + lag - d
            B[L.S_EXC * STRIDE + j] = s_e - s_e * q_e + kick_e
            B[L.S_INH * STRIDE + j] = s_i - s_i * q_i + kick_i
            B[L.KICK_EXC * STRIDE + j] = ZERO
            B[L.KICK_INH * STRIDE + j] = ZERO
            if saturating or exponential:
                B[L.X_RATE * STRIDE + j] = k
                B[L.X_SHARE * STRIDE + j] = time * share
                B[L.X_POTENTIAL * STRIDE + j] = e
            if saturating:
                inhibition = select(gain > ZERO, drive_i - HALF * drive_i * q_i, ZERO)
                B[L.X_FLOORED * STRIDE + j] = inhibition + B[L.I_SINK * STRIDE + j]
                if exponential:
                    i_start += offset
            if exponential:
                B[L.X_CURRENT * STRIDE + j] = i_start
                B[L.X_OPEN * STRIDE + j] = select(free, ONE, ZERO)  # the exponential rests during the reset phase

    return drive


@cache
def _bend(saturating: bool, exponential: bool, conductance: bool) -> Kernel:
    """Return the second pass."""
    eq = SATURATING if saturating else LINEAR
    gain = eq.conductance_gain
    ota, gate, expo, adaptation, adaptation_slope = eq.ota_current, eq.inhibition_gate, eq.exponential_current, eq.adaptation_current, eq.adaptation_slope

    @kernel_part
    def bend(B, n, constants):  # type: ignore[no-untyped-def]
        """Second pass: what is not linear, and the adaptation."""
        v_sat, v_width, v_supply = constants[0], constants[1], constants[2]
        for j in range(n):
            v, v_e, k = B[L.V * STRIDE + j], B[L.X_END * STRIDE + j], EIGHT * B[L.X_RATE * STRIDE + j]
            phi, e = B[L.X_SHARE * STRIDE + j], B[L.X_POTENTIAL * STRIDE + j]
            before = B[L.BENT * STRIDE + j]
            middle = HALF * (v + v_e + phi * before)
            bent = lifted = ZERO
            if saturating:
                v_floor = B[L.V_FLOOR * STRIDE + j]
                open_ = gate(middle, v_floor, v_width)
                if conductance:
                    gained = gain(middle, B[L.COBA_INH * STRIDE + j], B[L.E_COBA_INH * STRIDE + j])
                    inhibition = B[L.X_INHIBITION * STRIDE + j] * gained + B[L.I_SINK * STRIDE + j]
                else:
                    inhibition = B[L.X_FLOORED * STRIDE + j]
                bent = ota(middle, e, k, v_sat) - k * (e - middle)
                without = ONE - open_
                lifted = inhibition * without
            if exponential:
                w, w_0, g_w = B[L.W * STRIDE + j], B[L.W_REST * STRIDE + j], B[L.K_ADAPT * STRIDE + j]
                i_t, v_t, sharpness, theta = B[L.I_EXP * STRIDE + j], B[L.V_EXP * STRIDE + j], B[L.SHARPNESS * STRIDE + j], B[L.V_THRESHOLD * STRIDE + j]
                a, v_a, p_w, i_start = B[L.A_ADAPT * STRIDE + j], B[L.V_ADAPT * STRIDE + j], B[L.P_ADAPT * STRIDE + j], B[L.X_CURRENT * STRIDE + j]
                seen = min(middle, min(theta, v_supply))
                target = w + adaptation_slope(seen, w, a, v_a, w_0, ONE)  # the fixed point of w while the membrane stays where it is
                w_e = target + (w - target) * p_w
                bent -= adaptation(HALF * (w + w_e), w_0, g_w)
                B[L.W * STRIDE + j] = w_e
                B[L.X_GUESS * STRIDE + j] = HALF * (v + v_e + phi * (bent + lifted + B[L.X_OPEN * STRIDE + j] * expo(seen, i_t, v_t, sharpness)))
                B[L.X_CURRENT * STRIDE + j] = k * (e - v) + i_start + before  # from here on: the start slope
            v_e += phi * bent
            if saturating:  # near its floor, inhibition is stiff: one Newton step towards the implicit midpoint, and not below the floor by itself
                drop = phi * inhibition
                free_end = v_e + drop
                stiff = HALF * drop * without / v_width
                v_e = (free_end - drop * open_ + stiff * (middle + middle - v)) / (ONE + stiff)
                v_e = max(v_e, min(free_end, v_floor))
                bent += lifted
            B[L.X_END * STRIDE + j] = v_e
            B[L.BENT * STRIDE + j] = bent

    return bend


@cache
def _shoot() -> Kernel:
    """Return the third pass."""
    expo = LINEAR.exponential_current

    @kernel_part
    def shoot(B, n, constants):  # type: ignore[no-untyped-def]
        """Third pass: a second look at the exponential; the first lags behind a steep upstroke. (A pass of its own: one exponential after another stalls.)"""
        for j in range(n):
            i_t, v_t, sharpness, theta = B[L.I_EXP * STRIDE + j], B[L.V_EXP * STRIDE + j], B[L.SHARPNESS * STRIDE + j], B[L.V_THRESHOLD * STRIDE + j]
            up = B[L.X_OPEN * STRIDE + j] * expo(min(B[L.X_GUESS * STRIDE + j], min(theta, constants[2])), i_t, v_t, sharpness)
            B[L.X_END * STRIDE + j] += B[L.X_SHARE * STRIDE + j] * up
            B[L.BENT * STRIDE + j] += up

    return shoot


@cache
def _cross(saturating: bool, exponential: bool, noisy: bool, conductance: bool) -> Kernel:
    """Return the last pass."""

    @kernel_part
    def cross(B, flags, n, h, constants, noise_key, salt):  # type: ignore[no-untyped-def]
        """Last pass: noise and rails, crossings, refractory clock. `flags` marks who fired, row FIRED holds the times from the step's start on."""
        for j in range(n):
            v, v_e, d, armed = B[L.V * STRIDE + j], B[L.X_END * STRIDE + j], B[L.X_LENGTH * STRIDE + j], B[L.ARMED * STRIDE + j]
            r, lag, theta = B[L.REFRACTORY * STRIDE + j], B[L.LAG * STRIDE + j], B[L.V_THRESHOLD * STRIDE + j]
            if noisy:
                v_e += normal(scramble(noise_key[j], salt)) * B[L.NOISE_STEP * STRIDE + j]
            if saturating:
                v_e = min(max(v_e, ZERO), constants[2])
            armed = select(v < theta, ONE, armed)
            rise = ONE / max(v_e - v, TINY)
            chord = min(max((theta - v) * rise, ZERO), ONE)
            if exponential:
                bow = ONE - B[L.X_CURRENT * STRIDE + j] * d * rise
            elif conductance:
                bow = max(-FOUR * B[L.X_TOTAL * STRIDE + j] * d, -HALF)
            else:
                bow = max(-FOUR * B[L.K_LEAK * STRIDE + j] * d, -HALF)
            bow += h * B[L.JUMP * STRIDE + j] * rise
            part = min(max(chord + bow * (chord - chord * chord), ZERO), ONE)
            t_c = max(h - d * (ONE - part), r)
            fires = (v_e >= theta) & (armed > ZERO) & (t_c < h)
            B[L.V * STRIDE + j] = select(fires, theta, v_e)
            B[L.LAG * STRIDE + j] = select(fires, h - t_c, lag)
            B[L.REFRACTORY * STRIDE + j] = select(fires, B[L.T_REFRACTORY * STRIDE + j] + t_c, r) - h
            B[L.ARMED * STRIDE + j] = select(fires, ZERO, armed)
            B[L.FIRED * STRIDE + j] = t_c
            flags[j] = np.uint8(fires)
            if saturating or exponential:
                bent = B[L.BENT * STRIDE + j]
                B[L.BENT * STRIDE + j] = select(fires | (lag > ZERO), ZERO, bent)  # another mode begins without a guess
            if exponential:
                w, jump = B[L.W * STRIDE + j], B[L.B_ADAPT * STRIDE + j]
                B[L.W * STRIDE + j] = w + select(fires, jump, ZERO)

    return cross


@cache
def circuit_prediction(features: Features) -> Kernel:
    """Return all passes but the last: they leave the membrane at the end of the step in row `X_END`."""
    saturating, exponential, _, conductance = features[:4]
    drive = drive_conductances(saturating, exponential) if conductance else _drive(saturating, exponential)
    bend, shoot = _bend(saturating, exponential, conductance), _shoot()

    @kernel_part
    def predict(B, n, h, inv_h, constants):  # type: ignore[no-untyped-def]
        drive(B, n, h, inv_h)
        if saturating or exponential:
            bend(B, n, constants)
        if exponential:
            shoot(B, n, constants)

    return predict


@cache
def circuit_crossing(features: Features) -> Kernel:
    """Return the last pass."""
    return _cross(features.saturating, features.exponential, features.noisy, features.conductance)


@cache
def circuit_step(features: Features) -> Kernel:
    """Return the compiled step for circuits with these features; noise is that of the membrane."""
    predict, cross = circuit_prediction(features), circuit_crossing(features)

    @kernel_part
    def step(B, flags, n, h, inv_h, constants, noise_key, salt):  # type: ignore[no-untyped-def]
        """Advance `n` circuits by `h` us."""
        predict(B, n, h, inv_h, constants)
        cross(B, flags, n, h, constants, noise_key, salt)

    return step
