"""Dense output of shared and connected membranes: all circuits of a neuron go again from the stored states, from sample to sample and kick to kick.

What :mod:`neckar.dynamics._dense` does with one circuit, with the steps of :mod:`neckar.dynamics._coupling`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.dynamics import _coupling as K
from neckar.dynamics import _layout as L
from neckar.dynamics._conductance import gain_of
from neckar.dynamics._dense import FIRE, N_SIGNALS
from neckar.dynamics._elementary import approach32
from neckar.dynamics._jit import kernel, kernel_part
from neckar.dynamics._membranes import Membranes, relaxation_rates
from neckar.dynamics._parameters import CircuitParameters, Features
from neckar.errors import ConfigurationError

F = np.float32
STRIDE = L.STRIDE
ZERO, HALF, ONE = F(0), F(0.5), F(1)


@kernel_part
def load_state(N, states, k):  # type: ignore[no-untyped-def]
    """Take over the state of all members at the start of step `k`."""
    B = N.block
    for j in range(N.ptr.size - 1):
        jump, v = ZERO, states[k, L.V, N.ptr[j]]
        for m in range(N.ptr[j], N.ptr[j + 1]):
            N.s[K.S_EXC, m], N.s[K.S_INH, m], N.s[K.W, m] = states[k, L.S_EXC, m], states[k, L.S_INH, m], states[k, L.W, m]
            N.s[K.REFRACTORY, m], N.s[K.ARMED, m] = states[k, L.REFRACTORY, m], states[k, L.ARMED, m]
            gain_e, gain_i = gain_of(v, N.p[K.COBA_EXC, m], N.p[K.E_COBA_EXC, m]), gain_of(v, N.p[K.COBA_INH, m], N.p[K.E_COBA_INH, m])
            jump += N.p[K.GM_EXC, m] * gain_e * states[k, L.S_EXC, m] - N.p[K.GM_INH, m] * gain_i * states[k, L.S_INH, m] - states[k, L.DRIVEN, m]
        first = N.ptr[j]
        B[L.V * STRIDE + j], B[L.LAG * STRIDE + j], B[L.BENT * STRIDE + j] = states[k, L.V, first], states[k, L.LAG, first], states[k, L.BENT, first]
        N.q[K.JUMP, j] = jump
        N.q[K.V_START, j] = B[L.V * STRIDE + j]


@kernel_part
def membrane_now(N, j):  # type: ignore[no-untyped-def]
    """Return the membrane of node `j` at its grid time; its lag is made up for."""
    v, lag = N.block[L.V * STRIDE + j], N.block[L.LAG * STRIDE + j]
    k = ke = ZERO
    for m in range(N.ptr[j], N.ptr[j + 1]):
        resetting = N.s[K.REFRACTORY, m] - N.p[K.T_HOLDOFF, m] + lag > K.EDGE
        k_m = N.p[K.K_RESET, m] if resetting else N.p[K.K_LEAK, m]
        k += k_m
        ke += k_m * (N.p[K.E_RESET, m] if resetting else N.p[K.E_LEAK, m])
    return v + approach32(k * lag) * (ke / k - v) if k > ZERO else v


@cache
def dense_nodes_kernel(features: Features) -> Callable[..., Any]:
    """Return the compiled dense output; it takes the noise from the states."""
    return _dense_nodes_kernel(features.of_circuits._replace(noisy=False, fine=False))


@cache
def _dense_nodes_kernel(features: Features) -> Callable[..., Any]:
    substep = K.node_step(features)

    @kernel_part
    def move(N, dt, rates, modes, root):  # type: ignore[no-untyped-def]
        """Advance all nodes by `dt` us, in steps not longer than the engine's."""
        if dt <= F(1e-6):
            return
        count = np.int64(np.ceil(dt / N.h[0]))
        h = dt / F(count)
        for m in range(N.p.shape[1]):
            N.p[K.Q_EXC, m], N.p[K.Q_INH, m] = approach32(h * N.p[K.RATE_EXC, m]), approach32(h * N.p[K.RATE_INH, m])
            N.p[K.P_ADAPT, m] = ONE - approach32(h * N.p[K.RATE_ADAPT, m])
        n = rates.size
        for i in range(N.spread.size):
            N.spread[i] = ZERO
        for r in range(n if N.spread.size else 0):
            z = rates[r] * h
            share = approach32(z) / z if z > F(1e-3) else ONE - HALF * z
            for i in range(n):
                for j in range(n):
                    N.spread[i * n + j] += modes[i, r] * share * modes[j, r] * root[j] / root[i]
        for _ in range(count):
            substep(N, h, ZERO, np.uint32(0))

    def dense(N, states, rates, modes, root, origin_tick, h_ticks, kick_tick, kick_member, kick_line, kick, ticks, wanted, node_of, out):  # type: ignore[no-untyped-def]
        """Fill `out` (wanted member, sample, signal) at the ascending `ticks`; `states` (step, field, member) at the steps' starts and at the end."""
        us = F(2e-3)
        s, q = 0, 0
        for k in range(states.shape[0] - 1):
            begin = origin_tick + k * h_ticks
            end = begin + h_ticks
            if s >= ticks.size:
                break
            if ticks[s] >= end:
                continue
            while q < kick_tick.size and kick_tick[q] < begin:
                q += 1
            load_state(N, states, k)
            now, first = begin, s
            while now < end:
                until = end
                if s < ticks.size and ticks[s] < until:
                    until = ticks[s]
                if q < kick_tick.size and kick_tick[q] < until:
                    until = kick_tick[q]
                move(N, F(until - now) * us, rates, modes, root)
                now = until
                while q < kick_tick.size and kick_tick[q] == now and now < end:
                    m = kick_member[q]
                    if kick_line[q] == FIRE:
                        N.s[K.REFRACTORY, m], N.s[K.ARMED, m] = N.p[K.T_REFRACTORY, m], ZERO
                        N.s[K.W, m] += N.p[K.B_ADAPT, m]
                        j = node_of[m]
                        v = membrane_now(N, j)
                        N.block[L.V * STRIDE + j], N.block[L.LAG * STRIDE + j], N.block[L.BENT * STRIDE + j] = v, ZERO, ZERO
                    else:
                        N.s[K.S_EXC + kick_line[q], m] += kick[q]
                    q += 1
                while s < ticks.size and ticks[s] == now and now < end:
                    for i in range(wanted.size):
                        m = wanted[i]
                        out[i, s, 0], out[i, s, 1] = membrane_now(N, node_of[m]), N.s[K.W, m]
                        out[i, s, 2], out[i, s, 3], out[i, s, 4] = N.s[K.S_EXC, m], N.s[K.S_INH, m], max(N.s[K.REFRACTORY, m], ZERO)
                    s += 1
            for i in range(wanted.size):
                m, j = wanted[i], node_of[wanted[i]]
                if states[k, L.LAG, m] == ZERO and states[k + 1, L.LAG, m] == ZERO and N.block[L.LAG * STRIDE + j] == ZERO:
                    missed = states[k + 1, L.V, m] - N.block[L.V * STRIDE + j]
                    for x in range(first, s):
                        out[i, x, 0] += missed * F(ticks[x] - begin) / F(h_ticks)

    return kernel(dense, str(features))


@dataclass(frozen=True, eq=False)
class _Alone:
    """The members of one neuron as a lane of their own."""

    columns: NDArray[np.int64]
    rows: NDArray[np.float32]
    keys: NDArray[np.uint32]
    configured: None = None


class Neuron(NamedTuple):
    """Circuits that share or connect their membranes.

    Attributes
    ----------
    circuits : ndarray of int64, shape (member,)
        They count over the lanes, 256 each; membrane by membrane.
    members, places : ndarray of int64, shape (column,)
        Which members the columns are that were asked for, and where these stood.
    membranes : Membranes
        Of this neuron; its circuits are the members.
    parameters : CircuitParameters
        Of the members.
    """

    circuits: NDArray[np.int64]
    members: NDArray[np.int64]
    places: NDArray[np.int64]
    membranes: Membranes
    parameters: CircuitParameters


def _alone(whole: Membranes, cluster: NDArray[np.int64]) -> Membranes:
    """Return the membranes of a cluster as if there were no others; their circuits are numbered anew."""
    ptr = np.concatenate([[0], np.cumsum(np.diff(whole.ptr)[cluster])])
    inside = np.isin(whole.pair, cluster).all(axis=1)
    return Membranes(np.arange(ptr[-1]), ptr, np.searchsorted(cluster, whole.pair[inside]), whole.siemens[inside])


@dataclass(frozen=True, eq=False)
class SharedTraces:
    """The traces of one call of the kernel, by lane, and what connects them.

    Attributes
    ----------
    coupling : Coupling
    features : Features
    traces : mapping of int to Trace
    observed : mapping of int to ndarray
        Observed columns of each of these lanes, ascending.
    """

    coupling: K.Coupling
    features: Features
    traces: Mapping[int, Any]
    observed: Mapping[int, NDArray[np.int64]]

    def fill(self, lane: int, columns: ArrayLike, ticks: NDArray[np.int64], out: NDArray[np.float32]) -> None:
        """Write the signals of those columns of a lane that share or connect their membranes into `out`, shape (column, sample, signal)."""
        for neuron in self.neurons(lane, columns):
            out[neuron.places] = self.dense(neuron, neuron.members, ticks)

    def neurons(self, lane: int, columns: ArrayLike) -> Iterator[Neuron]:
        """Yield the neurons to which some columns of a lane belong; columns that neither share nor connect their membranes belong to none."""
        wanted = np.asarray(columns, np.int64) + K.WIDTH * lane
        m = self.coupling.membranes
        for cluster in m.clusters:
            circuits = np.concatenate([m.circuit[m.ptr[node] : m.ptr[node + 1]] for node in cluster])
            places = np.flatnonzero(np.isin(wanted, circuits))
            if len(places):
                members = np.array([np.flatnonzero(circuits == c)[0] for c in wanted[places]])
                yield Neuron(circuits, members, places, _alone(m, cluster), self.coupling.parameters.take(circuits))

    def dense(self, neuron: Neuron, wanted: NDArray[np.int64], ticks: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the dense output of some members of a neuron, shape (member, sample, signal)."""
        circuits, alone, p = neuron.circuits, neuron.membranes, neuron.parameters
        lane, column = np.divmod(circuits, K.WIDTH)
        slot = np.array([self._slot(int(k), int(c)) for k, c in zip(lane, column, strict=True)])
        trace = next(iter(self.traces.values()))
        states = np.stack([self.traces[int(k)].states[:, :, s] for k, s in zip(lane, slot, strict=True)], axis=2)
        kicks = self._kicks(lane, slot)
        coupling = K.Coupling(alone, p)
        place = _Alone(np.arange(len(circuits)), np.zeros((L.N_ROWS, L.STRIDE), np.float32), np.zeros(L.STRIDE, np.uint32))
        coupling.configure(self.features, trace.h_ticks, [place])
        capacitance = alone.capacitance(p)
        rates, modes = relaxation_rates(alone.laplacian(np.arange(len(alone))), capacitance)
        out = np.zeros((len(wanted), len(ticks), N_SIGNALS), np.float32)
        dense_nodes_kernel(self.features)(
            coupling.nodes[0], np.ascontiguousarray(states), rates.astype(np.float32), np.ascontiguousarray(modes, np.float32),
            np.sqrt(capacitance * 1e12).astype(np.float32), trace.start, trace.h_ticks, *kicks, np.asarray(ticks, np.int64), wanted, alone.of_member, out,
        )  # fmt: skip
        return out

    def _slot(self, lane: int, column: int) -> int:
        observed = self.observed.get(lane, np.empty(0, np.int64))
        slot = int(np.searchsorted(observed, column))
        if slot >= len(observed) or observed[slot] != column:
            raise ConfigurationError(
                f"circuit {K.WIDTH * lane + column} is not observed, but one that shares or connects its membrane is; the dense output needs all "
                "circuits of a neuron. Observe them all."
            )
        return slot

    def _kicks(self, lane: NDArray[np.int64], slot: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
        """Return ticks, members, lines and kicks of the members, ascending in time."""
        found: list[tuple[NDArray[Any], ...]] = []
        for member, (k, s) in enumerate(zip(lane, slot, strict=True)):
            first, tick, line, kick = self.traces[int(k)].kicks
            part = slice(first[s], first[s + 1])
            found.append((tick[part], np.full(first[s + 1] - first[s], member), line[part], kick[part]))
        tick, member_of, line, kick = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(tick, kind="stable")
        return tick[order], member_of[order].astype(np.int64), line[order].astype(np.int64), kick[order].astype(np.float32)
