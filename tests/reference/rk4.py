"""One neuron circuit, slowly and obviously: classical Runge-Kutta with a tiny step, in double precision, one state at a time.

The equations are written out here again, on purpose not imported: V, us, and currents over capacitance. A step ends at every input event and every sample; a
threshold crossing is found by bisection of the last step; the reset phase starts there and ends after its length, both off any grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics import CircuitParameters

TICK_US = 2e-3
State = tuple[float, float, float, float]  # v, w, s_exc, s_inh


@dataclass
class Rk4Circuit:
    """One circuit of `parameters`, started at `state`; `step_us` is the largest step."""

    parameters: CircuitParameters
    circuit: int
    state: State
    step_us: float = 0.02
    time: float = 0.0
    reset_until: float = -math.inf
    spikes_from: float = -math.inf
    armed: bool = True
    spikes: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        p, j = self.parameters, self.circuit
        self.p = {name: float(getattr(p, name)[j]) for name in vars(p) if np.ndim(getattr(p, name)) == 1}
        self.c = self.p["capacitance"] * 1e6  # A / c and S / c in V/us and 1/us

    def slope(self, y: State, reset: bool) -> State:
        p, q, c = self.p, self.parameters, self.c
        v, w, s_e, s_i = y
        g, e = (p["g_reset"], p["e_reset"]) if reset else (p["g_leak"], p["e_leak"])
        gate = 1.0 - math.exp(-max(v - p["v_floor"], 0.0) / q.v_width) if q.saturating else 1.0
        amplifier = g * q.v_sat * math.tanh((e - v) / q.v_sat) if q.saturating else g * (e - v)
        gain_e, gain_i = (max(1.0 + p[f"coba_{sign}"] * (p[f"e_coba_{sign}"] - v), 0.0) for sign in ("exc", "inh"))
        inputs = p["gm_exc"] * gain_e * s_e - p["gm_inh"] * gain_i * s_i * gate
        current = amplifier + p["i_source"] - p["i_sink"] * gate + p["i_syn_rest"] - p["g_adapt"] * (w - p["w_rest"])
        current += gain_e * p["i_coba_exc"] + gain_i * p["i_coba_inh"]
        if not (reset and p["pause"]):
            current += inputs + p["i_exp"] * math.exp(min((v - p["v_exp"]) / p["delta_exp"], 80.0))
        dw = (p["a_adapt"] * (v - p["v_adapt"]) - (w - p["w_rest"])) / (p["tau_adapt"] * 1e6)
        return current / c, dw, -s_e / (p["tau_exc"] * 1e6), -s_i / (p["tau_inh"] * 1e6)

    def stepped(self, y: State, h: float, reset: bool) -> State:
        def moved(k: State, f: float) -> State:
            return tuple(a + f * b for a, b in zip(y, k, strict=True))  # type: ignore[return-value]

        k1 = self.slope(y, reset)
        k2 = self.slope(moved(k1, 0.5 * h), reset)
        k3 = self.slope(moved(k2, 0.5 * h), reset)
        k4 = self.slope(moved(k3, h), reset)
        return tuple(a + h / 6.0 * (b + 2.0 * c + 2.0 * d + e) for a, b, c, d, e in zip(y, k1, k2, k3, k4, strict=True))  # type: ignore[return-value]

    def advance(self, until: float) -> None:
        """Carry the circuit to `until`, us."""
        while self.time < until - 1e-9:
            end = min(until, self.time + self.step_us)
            for corner in (self.reset_until, self.spikes_from):
                if self.time < corner < end:
                    end = corner
            self._step(end - self.time)

    def _step(self, h: float) -> None:
        threshold, reset = self.p["v_threshold"], self.time < self.reset_until - 1e-9
        self.armed = self.armed or self.state[0] < threshold
        if self.armed and self.time >= self.spikes_from - 1e-9 and self.state[0] >= threshold:
            self._fire()
            return
        after = self.stepped(self.state, h, reset)
        if self.armed and self.time >= self.spikes_from - 1e-9 and after[0] >= threshold:
            low, high = 0.0, h
            for _ in range(40):
                middle = 0.5 * (low + high)
                low, high = (low, middle) if self.stepped(self.state, middle, reset)[0] >= threshold else (middle, high)
            self.state, self.time = self.stepped(self.state, high, reset), self.time + high
            self._fire()
            return
        self.state, self.time = after, self.time + h

    def _fire(self) -> None:
        v, w, s_e, s_i = self.state
        self.spikes.append(self.time)
        self.state, self.armed = (v, w + self.p["b_adapt"], s_e, s_i), False
        self.reset_until = self.time + self.p["t_reset"] * 1e6
        self.spikes_from = self.reset_until + self.p["t_holdoff"] * 1e6


def solve(
    parameters: CircuitParameters, state: State, kicks: list[tuple[int, float, float]], ticks: NDArray[np.int64], circuit: int = 0, step_us: float = 0.02
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return states at ascending ticks, shape (sample, 4): v, w, s_exc, s_inh (V), and the spike times until the last of them, us.

    `kicks` are (tick, excitatory kick, inhibitory kick) in ascending order, V; a kick is visible at its own tick.
    """
    one = Rk4Circuit(parameters, circuit, state, step_us)
    out, pending = np.empty((len(ticks), 4)), list(kicks)
    for row, tick in enumerate(ticks):
        while pending and pending[0][0] <= tick:
            at, exc, inh = pending.pop(0)
            one.advance(at * TICK_US)
            v, w, s_e, s_i = one.state
            one.state = (v, w, s_e + exc, s_i + inh)
        one.advance(tick * TICK_US)
        out[row] = one.state
    return out, np.asarray(one.spikes)
