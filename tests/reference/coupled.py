"""Circuits that share membranes or are connected by conductances, slowly and obviously: the model of :mod:`tiny_step` with a network on top.

The currents of all circuits on a membrane add up and charge the sum of their capacitances; a conductance carries ``g (v_b - v_a)`` from b to a. Circuits
that are in no membrane of the list are alone. Everything else is the rule of each circuit by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tiny_step import TinyStep

from neckar.dynamics import Membranes

Values = NDArray[np.float64]


@dataclass
class Coupled(TinyStep):
    """Circuits of `parameters`, started at `v` (equal on shared membranes)."""

    membranes: Membranes

    def __post_init__(self) -> None:
        super().__post_init__()
        n = len(self.parameters)
        self.node = np.arange(n)  # the lowest circuit of each membrane stands for it
        for a, b in zip(self.membranes.ptr, self.membranes.ptr[1:], strict=False):
            self.node[self.membranes.circuit[a:b]] = self.membranes.circuit[a]
        self.capacitance = np.bincount(self.node, self.parameters.capacitance, n)
        self.ends = [self.node[self.membranes.circuit[self.membranes.ptr[side]]] for side in self.membranes.pair.T]

    def slope(self, y: Values, reset: NDArray[np.bool_]) -> Values:
        dy = super().slope(y, reset)
        n = len(self.parameters)
        current = np.bincount(self.node, dy[0] * self.parameters.capacitance, n)  # A, with the time in us: V/us F
        if len(self.membranes.siemens):
            a, b = self.ends
            flow = self.membranes.siemens * (y[0, b] - y[0, a]) * 1e-6
            current += np.bincount(a, flow, n) - np.bincount(b, flow, n)
        dy[0] = (current / np.where(self.capacitance > 0, self.capacitance, 1.0))[self.node]
        return dy

    def step(self, tick: int) -> None:
        before = len(self.fired)
        super().step(tick)
        for _, circuit in self.fired[before:]:
            self.y[0, self.node == self.node[circuit]] = self.y[0, circuit]
