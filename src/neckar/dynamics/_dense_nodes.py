"""Dense output of shared and connected membranes: all circuits of a neuron go again from the stored states, from sample to sample and kick to kick.

What :mod:`neckar.dynamics._dense` does with one circuit, with the steps of :mod:`neckar.dynamics._coupling`. The noise of a network within a step is one
bridge for each of its modes of relaxation, leaks included. That is exact if noise and capacitance grow alike, as they do for circuits of equal capacitance;
otherwise correlations between modes are left out. While a circuit of the network is reset, noise is spread over the step linearly.
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
from neckar.dynamics._bridge import bridge, halvings, prepare_bridge
from neckar.dynamics._conductance import gain_of
from neckar.dynamics._dense import FIRE, N_SIGNALS
from neckar.dynamics._elementary import approach32
from neckar.dynamics._jit import kernel, kernel_part
from neckar.dynamics._membranes import Membranes, relaxation_rates
from neckar.dynamics._parameters import CircuitParameters, Features
from neckar.dynamics._propagators import SLOWEST
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


class Noise(NamedTuple):
    """The noise of a network in its modes of relaxation.

    Attributes
    ----------
    rate, strength : ndarray of float32, shape (mode,)
        1/us, and V per root of a us times `root`.
    modes : ndarray of float32, shape (node, mode)
        Of potentials times `root`.
    root : ndarray of float32, shape (node,)
        Root of the capacitance, of a pF.
    keys : ndarray of uint32, shape (mode,)
    seed : uint64
    halves : ndarray of float32, shape (mode, 2 * level, 3)
        How intervals of each mode are halved (:mod:`neckar.dynamics._bridge`).
    value : ndarray of float32, shape (2, mode)
        Scratch: at the end of a step, and at a tick.
    """

    rate: NDArray[np.float32]
    strength: NDArray[np.float32]
    modes: NDArray[np.float32]
    root: NDArray[np.float32]
    keys: NDArray[np.uint32]
    seed: np.uint64
    halves: NDArray[np.float32]
    value: NDArray[np.float32]


@kernel_part
def is_quiet(N, states, k):  # type: ignore[no-untyped-def]
    """Return whether no circuit lags or is reset in step `k`, at the end of which the nodes are."""
    quiet = True
    for j in range(N.ptr.size - 1):
        quiet &= N.block[L.LAG * STRIDE + j] == ZERO
        for m in range(N.ptr[j], N.ptr[j + 1]):
            quiet &= states[k, L.LAG, m] == ZERO and states[k + 1, L.LAG, m] == ZERO
            for e in range(2):  # a circuit that an event fires is reset from the start of the step on
                quiet &= states[k + e, L.REFRACTORY, m] - N.p[K.T_HOLDOFF, m] <= K.EDGE
    return quiet


@kernel_part
def add_bridges(N, noise, states, k, begin, h_ticks, ticks, first, end, wanted, node_of, saturating, out):  # type: ignore[no-untyped-def]
    """Add the noise within step `k` to the samples from `first` to `end`."""
    n = noise.rate.size
    for r in range(n):
        noise.value[0, r] = ZERO
        for j in range(n):
            noise.value[0, r] += noise.modes[j, r] * noise.root[j] * (states[k + 1, L.V, N.ptr[j]] - N.block[L.V * STRIDE + j])
    for x in range(first, end):
        for r in range(n):
            noise.value[1, r] = bridge(ticks[x], begin, h_ticks, noise.value[0, r], noise.halves[r], noise.keys[r], noise.seed)
        for i in range(wanted.size):
            j, added = node_of[wanted[i]], ZERO
            for r in range(n):
                added += noise.modes[j, r] * noise.value[1, r]
            v = out[i, x, 0] + added / noise.root[j]
            out[i, x, 0] = min(max(v, ZERO), N.constants[2]) if saturating else v


@cache
def dense_nodes_kernel(features: Features) -> Callable[..., Any]:
    """Return the compiled dense output; its steps are without noise."""
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

    saturating, exponential = features.saturating, features.exponential

    def dense(  # type: ignore[no-untyped-def]
        N, noise, noisy, states, rates, modes, origin_tick, h_ticks, kick_tick, kick_member, kick_line, kick, ticks, wanted, node_of, out
    ):
        """Fill `out` (wanted member, sample, signal) at the ascending `ticks`; `states` (step, field, member) at the steps' starts and at the end."""
        us = F(2e-3)
        for r in range(noise.rate.size if noisy else 0):
            prepare_bridge(noise.rate[r], noise.strength[r], h_ticks, noise.halves[r])
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
                move(N, F(until - now) * us, rates, modes, noise.root)
                now = until
                while q < kick_tick.size and kick_tick[q] == now and now < end:
                    m = kick_member[q]
                    if kick_line[q] == FIRE:
                        N.s[K.REFRACTORY, m], N.s[K.ARMED, m] = N.p[K.T_REFRACTORY, m], ZERO
                        if exponential:
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
            if noisy and is_quiet(N, states, k):
                add_bridges(N, noise, states, k, begin, h_ticks, ticks, first, s, wanted, node_of, saturating, out)
                continue
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
    keys : mapping of int to ndarray
        Their noise keys.
    seed : uint64
        Of the noise.
    """

    coupling: K.Coupling
    features: Features
    traces: Mapping[int, Any]
    observed: Mapping[int, NDArray[np.int64]]
    keys: Mapping[int, NDArray[np.uint32]]
    seed: np.uint64

    def fill(self, lane: int, columns: ArrayLike, ticks: NDArray[np.int64], out: NDArray[np.float32]) -> None:
        """Write the signals of those columns of a lane that share or connect their membranes into `out`, shape (column, sample, signal)."""
        for neuron in self.neurons(lane, columns):
            out[neuron.places] = self.dense(neuron, neuron.members, ticks)

    def neurons(self, lane: int, columns: ArrayLike) -> Iterator[Neuron]:
        """Yield the neurons to which some columns of a lane belong; columns that neither share nor connect their membranes belong to none."""
        wanted = np.asarray(columns, np.int64) + L.WIDTH * lane
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
        lane, column = np.divmod(circuits, L.WIDTH)
        slot = np.array([self._slot(int(k), int(c)) for k, c in zip(lane, column, strict=True)])
        trace = next(iter(self.traces.values()))
        states = np.stack([self.traces[int(k)].states[:, :, s] for k, s in zip(lane, slot, strict=True)], axis=2)
        kicks = self._kicks(lane, slot)
        coupling = K.Coupling(alone, p)
        place = _Alone(np.arange(len(circuits)), np.zeros((L.N_ROWS, L.STRIDE), np.float32), np.zeros(L.STRIDE, np.uint32))
        coupling.configure(self.features, trace.h_ticks, [place])
        capacitance = alone.capacitance(p)
        rates, modes = relaxation_rates(alone.laplacian(np.arange(len(alone))), capacitance)
        first = alone.ptr[:-1]
        keys = np.array([self.keys[int(k)][s] for k, s in zip(lane[first], slot[first], strict=True)], np.uint32)
        out = np.zeros((len(wanted), len(ticks), N_SIGNALS), np.float32)
        dense_nodes_kernel(self.features)(
            coupling.nodes[0], _noise(alone, p, keys, self.seed, trace.h_ticks), bool((p.noise > 0).any()), np.ascontiguousarray(states),
            rates.astype(np.float32), np.ascontiguousarray(modes, np.float32), trace.start, trace.h_ticks, *kicks, np.asarray(ticks, np.int64), wanted,
            alone.of_member, out,
        )  # fmt: skip
        return out

    def _slot(self, lane: int, column: int) -> int:
        observed = self.observed.get(lane, np.empty(0, np.int64))
        slot = int(np.searchsorted(observed, column))
        if slot >= len(observed) or observed[slot] != column:
            raise ConfigurationError(
                f"circuit {L.WIDTH * lane + column} is not observed, but one that shares or connects its membrane is; the dense output needs all "
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


def _noise(alone: Membranes, p: CircuitParameters, keys: NDArray[np.uint32], seed: np.uint64, h_ticks: int) -> Noise:
    """Return the noise of a network; `p` has its circuits."""
    capacitance = alone.capacitance(p)
    rate, modes = relaxation_rates(alone.laplacian(np.arange(len(alone))) + np.diag(alone.total(p.g_leak)), capacitance)
    root = np.sqrt(capacitance * 1e12)
    strength = root * np.sqrt(alone.total(p.noise**2)) / capacitance * 1e-3
    of_modes = np.sqrt(modes.T**2 @ strength**2)
    values = [np.ascontiguousarray(x, np.float32) for x in (np.maximum(rate, SLOWEST), of_modes, modes, root)]
    halves = np.stack([halvings(h_ticks)] * len(alone))
    return Noise(values[0], values[1], values[2], values[3], keys, seed, halves, np.zeros((2, len(alone)), np.float32))
