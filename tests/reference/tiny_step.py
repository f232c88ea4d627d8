"""Whole neuron circuits, slowly and obviously: midpoint rule with steps of one tick, in double precision, all circuits side by side.

The equations are written out here again, on purpose not imported: V, us, and currents over capacitance. What happens in a step of 2 ns happens at its end:
a threshold crossing, the begin and the end of a reset phase are rounded to it, which is the error of this model (with the rule's own, below 1e-5 V at time
constants from 0.25 us on). Noise is not described.

The rules besides the differential equations:

- At a spike the membrane is at threshold, w jumps by `b_adapt`, and the reset phase of `t_reset` begins: the amplifier works with its other potential and
  conductance.
- Synaptic currents act during the reset phase unless `pause` holds. The exponential current never does. All others always act.
- For `t_holdoff` after the reset phase the leak is active but no spike is accepted. A membrane that crosses threshold in that time fires at its end.
- The comparator needs a rising edge: after a spike the membrane must have been below threshold before there is another.
- Exponential current and adaptation do not see the membrane above threshold or supply.
- A conductance-based input has the strength ``gm max(1 + coba (e_coba - v), 0)``; its current at rest, which no pause gates, changes likewise.
- Saturating circuits: amplifier ``g v_sat tanh((e - v) / v_sat)``, inhibition and sink times ``1 - exp(-(v - v_floor) / v_width)`` above the floor and zero
  below, membrane between 0 and supply. Linear circuits have none of this.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics import CircuitParameters, RowEvents

TICK_US = 2e-3
Values = NDArray[np.float64]
STATE = ("v", "w", "s_exc", "s_inh")


@dataclass
class TinyStep:
    """Circuits of `parameters` at rest at `v`; the adaptation at its resting value, the synaptic lines empty."""

    parameters: CircuitParameters
    v: Values

    def __post_init__(self) -> None:
        p = self.parameters
        per_us = 1.0 / (p.capacitance * 1e6)  # turns A into V/us and S into 1/us
        self.y = np.stack([self.v, p.w_rest, 0.0 * self.v, 0.0 * self.v])
        self.amplifier = (p.g_leak * per_us, p.e_leak), (p.g_reset * per_us, p.e_reset)
        self.gm_exc, self.gm_inh, self.i_exp, self.g_adapt = (per_us * x for x in (p.gm_exc, p.gm_inh, p.i_exp, p.g_adapt))
        self.rest_exc, self.rest_inh = per_us * p.i_coba_exc, per_us * p.i_coba_inh
        self.raises, self.sink = per_us * (p.i_source + p.i_syn_rest), per_us * p.i_sink
        self.tau_adapt, self.tau_exc, self.tau_inh = (1e6 * x for x in (p.tau_adapt, p.tau_exc, p.tau_inh))
        self.refractory_ticks = (p.t_reset + p.t_holdoff) * 1e6 / TICK_US
        self.holdoff_ticks = p.t_holdoff * 1e6 / TICK_US
        self.left = np.full(len(p), -1.0)  # ticks until spikes are accepted
        self.armed = np.ones(len(p), np.bool_)
        self.fired: list[tuple[int, int]] = []

    def slope(self, y: Values, reset: NDArray[np.bool_]) -> Values:
        p = self.parameters
        v, w, s_exc, s_inh = y
        g, e = (np.where(reset, r, leak) for leak, r in zip(*self.amplifier, strict=True))
        gain_exc, gain_inh = (np.maximum(1.0 + k * (e - v), 0.0) for k, e in ((p.coba_exc, p.e_coba_exc), (p.coba_inh, p.e_coba_inh)))
        inhibition, lowers = self.gm_inh * gain_inh * s_inh, self.sink
        current = g * (e - v)
        if p.saturating:
            gate = 1.0 - np.exp(-np.maximum(v - p.v_floor, 0.0) / p.v_width)
            current, inhibition, lowers = g * p.v_sat * np.tanh((e - v) / p.v_sat), inhibition * gate, lowers * gate
        seen = np.minimum(v, np.minimum(p.v_threshold, p.v_supply))
        current += np.where(reset & p.pause, 0.0, self.gm_exc * gain_exc * s_exc - inhibition)
        current += self.rest_exc * gain_exc + self.rest_inh * gain_inh
        current += np.where(reset, 0.0, self.i_exp * np.exp((seen - p.v_exp) / p.delta_exp))
        current += self.raises - lowers - self.g_adapt * (w - p.w_rest)
        dw = (p.a_adapt * (seen - p.v_adapt) - (w - p.w_rest)) / self.tau_adapt
        return np.stack([current, dw, -s_exc / self.tau_exc, -s_inh / self.tau_inh])

    def step(self, tick: int) -> None:
        """Go from `tick` to the next."""
        p = self.parameters
        reset = self.left - self.holdoff_ticks > 0.5
        half = self.y + 0.5 * TICK_US * self.slope(self.y, reset)
        self.y += TICK_US * self.slope(half, reset)
        if p.saturating:
            self.y[0] = np.clip(self.y[0], 0.0, p.v_supply)
        self.left -= 1.0
        fires = (self.y[0] >= p.v_threshold) & self.armed & (self.left <= 0.5)
        self.armed = (self.armed | (self.y[0] < p.v_threshold)) & ~fires
        if fires.any():
            self.y[0], self.y[1] = np.where(fires, p.v_threshold, self.y[0]), self.y[1] + np.where(fires, p.b_adapt, 0.0)
            self.left = np.where(fires, self.refractory_ticks, self.left)
            self.fired += [(tick + 1, int(circuit)) for circuit in np.flatnonzero(fires)]

    def solve(
        self, events: RowEvents, weights: Values, receptor: NDArray[np.uint8], samples: NDArray[np.int64]
    ) -> tuple[list[NDArray[np.int64]], Values]:
        """Return the spike ticks of each circuit until the last sample, and the membranes (V, shape (circuit, sample)) at ascending ticks.

        An event adds ``weights[row]`` (V, shape (circuit,)) to the excitatory (receptor 1) or inhibitory line (2), whatever its label, and is visible at its
        tick.
        """
        n = len(self.parameters)
        traces, event, sample = np.empty((n, len(samples))), 0, 0
        for tick in range(int(samples[-1]) + 1):
            while event < len(events.tick) and events.tick[event] == tick:
                row = events.row[event]
                self.y[1 + receptor[row]] += weights[row]
                event += 1
            if samples[sample] == tick:
                traces[:, sample] = self.y[0]
                sample += 1
            self.step(tick)
        ticks, who = np.array(self.fired, np.int64).reshape(-1, 2).T
        return [ticks[who == circuit] for circuit in range(n)], traces
