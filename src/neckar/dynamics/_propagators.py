"""From physical parameters and a step to the numbers a lane works with. Computed in float64, stored as float32."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics import _layout as L
from neckar.dynamics._parameters import CircuitParameters

SLOWEST = 1e-6  # 1/us; a floating membrane or a missing amplifier is that slow, so that no propagator divides by zero
US = 1e6
TICK_US = 2e-3
STEEPEST_GROWTH = 1e-7  # s; a faster exponential carries the membrane to its threshold within a step anyway

Values = NDArray[np.float64]


def constants(parameters: CircuitParameters) -> NDArray[np.float32]:
    """Return saturation voltage, width of inhibition's floor, supply (V), float32."""
    p = parameters
    return np.array([p.v_sat, p.v_width, p.v_supply], np.float32)


def _mean_drive(k: Values, rate: Values, h: float | Values) -> Values:
    """Return the factor that makes the mean of a decaying current's two ends act like the current itself over one full step (1 for short steps)."""
    decay = np.exp(-rate * h)
    gap = k - rate
    close = np.abs(gap) < 1e-6 * (k + rate)
    exact = np.where(close, h * np.exp(-k * h), (decay - np.exp(-k * h)) / np.where(close, 1.0, gap))
    return exact / (-np.expm1(-k * h) / k * 0.5 * (1.0 + decay))


def lane_rows(parameters: CircuitParameters, step_ticks: float | Values) -> NDArray[np.float64]:
    """Return the parameter rows of a lane.

    Parameters
    ----------
    parameters : CircuitParameters
        SI units, one value per circuit.
    step_ticks : float or ndarray, shape (circuit,)
        Length of the step in ticks of 2 ns.

    Returns
    -------
    ndarray, shape (N_ROWS - E_LEAK, circuit), float64
        The rows of :mod:`neckar.dynamics._layout` from `E_LEAK` on; V, us and currents divided by the capacitance (V/us).
    """
    if not len(parameters):
        return np.empty((L.N_ROWS - L.E_LEAK, 0))
    p, h = parameters, step_ticks * TICK_US
    per_us = 1.0 / (p.capacitance * US)  # turns A into V/us and S into 1/us
    k, k_r = np.maximum(p.g_leak * per_us, SLOWEST), np.maximum(p.g_reset * per_us, SLOWEST)
    offset = (p.i_source - p.i_sink + p.i_syn_rest) * per_us
    rate_e, rate_i, rate_w = 1.0 / (p.tau_exc * US), 1.0 / (p.tau_inh * US), 1.0 / (p.tau_adapt * US)
    share = 0.0 if p.saturating else 1.0  # of the offset current in the potentials; saturating circuits add it to the others
    gm_exc, gm_inh = p.gm_exc * per_us * _mean_drive(k, rate_e, h), p.gm_inh * per_us * _mean_drive(k, rate_i, h)
    rows = {
        L.E_LEAK: p.e_leak + share * offset / k,
        L.K_LEAK: k,
        L.LEAK_GAIN: 1.0 / k,
        L.E_RESET: p.e_reset + share * offset / k_r,
        L.K_RESET: k_r,
        L.RESET_TIME: 1.0 / k_r,
        L.RESET_GAIN: np.where(p.pause, 0.0, 1.0 / k_r),
        L.V_THRESHOLD: p.v_threshold,
        L.T_REFRACTORY: (p.t_reset + p.t_holdoff) * US,
        L.T_HOLDOFF: p.t_holdoff * US,
        L.I_OFFSET: offset,
        L.I_SINK: p.i_sink * per_us,
        L.I_EXP: p.i_exp * per_us,
        L.V_EXP: p.v_exp,
        L.SHARPNESS: 1.0 / p.delta_exp,
        L.K_ADAPT: p.g_adapt * per_us,
        L.W_REST: p.w_rest,
        L.A_ADAPT: p.a_adapt,
        L.V_ADAPT: p.v_adapt,
        L.B_ADAPT: p.b_adapt,
        L.V_FLOOR: p.v_floor,
        L.GM_EXC: gm_exc,
        L.GM_INH: gm_inh,
        L.Q_EXC: -np.expm1(-rate_e * h),
        L.Q_INH: -np.expm1(-rate_i * h),
        L.P_ADAPT: np.exp(-rate_w * h),
        L.NOISE_STEP: p.noise / p.capacitance * 1e-3 * np.sqrt(-np.expm1(-2.0 * k * h) / (2.0 * k)),
        L.BASE_EXC: gm_exc,
        L.BASE_INH: gm_inh,
        L.COBA_EXC: p.coba_exc,
        L.COBA_INH: p.coba_inh,
        L.E_COBA_EXC: p.e_coba_exc,
        L.E_COBA_INH: p.e_coba_inh,
        L.REST_EXC: p.i_coba_exc * per_us,
        L.REST_INH: p.i_coba_inh * per_us,
    }
    unused = np.zeros(len(p))
    return np.stack([rows.get(row, unused) for row in range(L.E_LEAK, L.N_ROWS)])


def own_rates(parameters: CircuitParameters, tau: tuple[float, float, float], step_ticks: int) -> NDArray[np.float64]:
    """Return by how much the rates of each circuit differ from those of :func:`kick_shares`.

    Returns
    -------
    ndarray, shape (line, circuit), float64
        Mean of the differences of line and membrane, 1/us, cut at a quarter of the inverse step.
    """
    p, h = parameters, step_ticks * TICK_US
    k = np.maximum(p.g_leak / (p.capacitance * US), SLOWEST) - 1.0 / (tau[2] * US)
    lines = np.stack([1.0 / (own * US) - 1.0 / (shared * US) for own, shared in zip((p.tau_exc, p.tau_inh), tau[:2], strict=True)])
    return np.clip(0.5 * (k + lines), -0.25 / h, 0.25 / h)


@lru_cache(maxsize=64)
def kick_shares(tau: tuple[float, float, float], step_ticks: int) -> NDArray[np.float32]:
    """Return how an event at each tick of a step is shared between kicks at the step's start and end.

    The shares are such that both the synaptic line and the membrane at the end of the step are exact for circuits with the reference time constants. For others
    the membrane errs by less than ``kick gm h**2 / 8`` times the difference of the rates.

    Parameters
    ----------
    tau : (float, float, float)
        Reference time constants of the excitatory line, the inhibitory line and the membrane, s; see :func:`reference_tau`.
    step_ticks : int
        Length of the step.

    Returns
    -------
    ndarray, shape (line, 4, tick), float32
        Shares at start and end, and how they change with the rates of line and membrane if both grow alike, us; see :func:`own_rates`.
    """
    return kick_shares_of([tau], [step_ticks])[0]


def kick_shares_of(taus: Sequence[tuple[float, float, float]], steps: Sequence[int]) -> list[NDArray[np.float32]]:
    """Return :func:`kick_shares` of several chips, each with a step of its own, ticks."""
    rate, membrane = _rates(taus)
    nudge = 0.01 * (rate + membrane)
    nudges = np.stack([np.zeros_like(nudge), nudge, -nudge])
    shares, more, less = _shares(rate + nudges, membrane + nudges, np.array(steps)[:, None, None])
    both = np.concatenate([shares, (more - less) / (2.0 * nudge[..., None])], axis=-2).astype(np.float32)
    return [np.ascontiguousarray(own[..., :step]) for own, step in zip(both, steps, strict=True)]


def _rates(taus: Sequence[tuple[float, float, float]]) -> tuple[Values, Values]:
    """Return the rates (1/us) of lines, shape (chip, line, 1), and membranes, shape (chip, 1, 1)."""
    tau = np.array(taus)[:, :, None]
    return 1.0 / (tau[:, :2] * US), 1.0 / (tau[:, 2:] * US)


def _shares(rate: Values, membrane: Values, steps: NDArray[np.int64]) -> Values:
    """Return the shares at start and end for lines and membranes of these rates (1/us) and steps (ticks), shapes (..., chip, line or 1, 1).

    Their shape is (..., chip, line, 2, tick), with ticks up to the longest step.
    """
    left, h = (steps - np.arange(steps.max())) * TICK_US, steps * TICK_US
    k = np.where(np.abs(membrane - rate) < 1e-4 * rate, rate * (1 + 1e-4), membrane)  # the limit of equal rates
    line, whole = np.exp(-rate * left), np.exp(-rate * h)
    start = (line - np.exp(-k * left)) / (whole - np.exp(-k * h))
    return np.stack([start, line - start * whole], axis=-2)


def reference_tau(parameters: CircuitParameters) -> tuple[float, float, float]:
    """Return the median time constants (s) of the excitatory and the inhibitory inputs in use and of the membranes behind them.

    Where none is in use, those of all lines, which an instrument may look at, and 10 us for the membranes.
    """
    return reference_taus(parameters, 1)[0]


def reference_taus(parameters: CircuitParameters, chips: int) -> list[tuple[float, float, float]]:
    """Return :func:`reference_tau` of each of several chips, whose circuits follow each other."""
    p = parameters
    membrane = p.capacitance / np.maximum(p.g_leak, 1e-15)
    exc, inh = ((gm > 0).reshape(chips, -1) for gm in (p.gm_exc, p.gm_inh))

    def medians(tau: Values, used: NDArray[np.bool_]) -> Values:
        used = used | ~used.any(axis=1, keepdims=True)
        values, number = np.sort(np.where(used, tau.reshape(chips, -1), np.inf), axis=1), used.sum(axis=1)
        one, other = (np.take_along_axis(values, middle[:, None], axis=1)[:, 0] for middle in ((number - 1) // 2, number // 2))
        return (one + other) / 2

    used = exc | inh
    behind = np.where(used.any(axis=1), medians(membrane, used), 1e-5)
    return list(zip(medians(p.tau_exc, exc).tolist(), medians(p.tau_inh, inh).tolist(), behind.tolist(), strict=True))


NOBODY = np.empty(0, np.int64)


def largest_step(parameters: CircuitParameters, step_ticks: int, followers: NDArray[np.int64] = NOBODY) -> int:
    """Return the step in ticks that these circuits allow, at most `step_ticks`.

    A fifth of the shortest time constant that is integrated numerically (synaptic lines and adaptation in use, the membrane of circuits with an exponential
    term, and the growth of that term at the reset potential, down to 0.1 us), half of the shortest reset phase, and one membrane time constant of circuits
    that can fire or saturate under inputs. Reset and leak are exact and do not count. `followers` are circuits that others fire, with a comparator or without.
    """
    return largest_steps(parameters, step_ticks, 1, followers)[0]


def largest_steps(parameters: CircuitParameters, step_ticks: int, chips: int, followers: NDArray[np.int64] = NOBODY) -> list[int]:
    """Return :func:`largest_step` of each of several chips, whose circuits follow each other."""
    p = parameters
    fires = np.isfinite(p.v_threshold)
    fires[followers] = True
    tau_membrane = p.capacitance / np.maximum(p.g_leak, 1e-30)
    growth = np.exp(np.clip((p.e_reset - p.v_exp) / p.delta_exp, -50.0, 50.0)) * p.i_exp / (p.capacitance * p.delta_exp)
    driven = ((p.gm_exc > 0) | (p.gm_inh > 0)) & p.saturating
    limits = [
        (p.tau_exc, p.gm_exc > 0, 5.0),
        (p.tau_inh, p.gm_inh > 0, 5.0),
        (p.tau_adapt, p.g_adapt > 0, 5.0),
        (tau_membrane, p.i_exp > 0, 5.0),
        (p.t_reset, fires, 2.0),
        (tau_membrane, fires | driven, 1.0),
        (np.maximum(1.0 / np.maximum(growth, 1e-30), STEEPEST_GROWTH), p.i_exp > 0, 5.0),
    ]
    shortest = np.min([np.where(used, value, np.inf).reshape(chips, -1).min(axis=1, initial=np.inf) / part for value, used, part in limits], axis=0)
    return [int(min(step_ticks, max(1, own * US / TICK_US))) for own in shortest.tolist()]


@lru_cache(maxsize=64)
def late_shares(tau: tuple[float, float, float], step_ticks: int) -> NDArray[np.float32]:
    """Return what an event that came some ticks ago has left on the synaptic line, and the time (us) for which its current has charged the membrane.

    Parameters
    ----------
    tau, step_ticks
        As in :func:`kick_shares`.

    Returns
    -------
    ndarray, shape (line, 2, delay), float32
        For delays of 0 to two steps, in ticks.
    """
    return late_shares_of([tau], [step_ticks])[0]


def late_shares_of(taus: Sequence[tuple[float, float, float]], steps: Sequence[int]) -> list[NDArray[np.float32]]:
    """Return :func:`late_shares` of several chips, each with a step of its own, ticks."""
    delay = np.arange(2 * max(steps) + 1) * TICK_US
    rate, membrane = _rates(taus)
    k = np.where(np.abs(membrane - rate) < 1e-4 * rate, rate * (1 + 1e-4), membrane)
    line = np.exp(-rate * delay)
    both = np.stack([line, (line - np.exp(-k * delay)) / (k - rate)], axis=-2).astype(np.float32)
    return [np.ascontiguousarray(own[..., : 2 * step + 1]) for own, step in zip(both, steps, strict=True)]
