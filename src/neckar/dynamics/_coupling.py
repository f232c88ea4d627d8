"""The kernel of shared and connected membranes.

Each membrane that circuits share, or that a conductance connects to others, is a *node*: a column of a block of its own, which takes the same step as the
circuits of a lane (:mod:`neckar.dynamics._step`). Before each step the node gathers what its circuits, the *members*, put on it: the capacitance is
one, the leaks add, a member in its reset phase pulls with its reset amplifier, synaptic and adaptation currents come in with each member's own
transconductance and decay. The comparator in charge is the lowest one of a member that may fire. After the step the members get the membrane back.

Inhibition belongs to each circuit's own amplifier, so each part of it vanishes at the floor of its circuit. The sum of the currents ``I_m`` whose floors
``f_m`` lie below the membrane is one current with the floor ``w ln(sum I_m exp(f_m / w) / sum I_m)``, which the node takes for the step.

Conductances between nodes enter twice. The current that they carry at the start of a step is a constant current during it, so equilibria are exact. What a
node then moves is passed through the mean propagator of the network over the step, so the move spreads, and crossings are found after that. Both together
are exact for constant slopes and of second order for others (an exponential Rosenbrock method), stable for conductances of any size, and conserve charge.
Where a network is fast or a connected circuit is reset, nodes take several steps in one step of the lanes.

The lanes carry the members too: their synaptic lines, and the kicks that events leave. Their membranes and comparators are overruled by the node.

Approximations: by how much amplifiers at different potentials saturate differently, and which floors lie below the membrane, is taken at an extrapolated
potential; while a member is reset, the exponential currents of its whole membrane rest; the adaptation of a member acts with its value at the middle of the
step, from its slope at the start.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics import _layout as L
from neckar.dynamics._conductance import gain_of
from neckar.dynamics._crossing import crossing
from neckar.dynamics._jit import Kernel, kernel_part
from neckar.dynamics._membranes import Membranes, joined, mean_propagator, relaxation_rates
from neckar.dynamics._noise import mix, normal, scramble
from neckar.dynamics._parameters import CircuitParameters, Features
from neckar.dynamics._propagators import TICK_US, US, constants, lane_rows
from neckar.dynamics._step import EDGE, SATURATING, circuit_arrival, circuit_prediction

F = np.float32
U = np.uint32
STRIDE = L.STRIDE
ZERO, HALF, ONE = F(0), F(0.5), F(1)
FINEST = 16  # steps of nodes within one of the lanes, at most
FRACTION = 0.5  # of the shortest time constant of a network, and half that of a reset in it, is the longest step of its nodes
FLOATING = F(1e-6)  # 1/us
NOT_FIRED = F(-1e9)  # us

# Numbers of a member (rows of Nodes.p) ...
(
    K_LEAK,  # 1/us, on the membrane's capacitance
    E_LEAK,  # V
    K_RESET,
    E_RESET,
    OFFSET,  # V/us
    SINK,
    GM_EXC,  # 1/us
    GM_INH,
    Q_EXC,
    Q_INH,
    COBA_EXC,  # 1/V
    COBA_INH,
    E_COBA_EXC,  # V
    E_COBA_INH,
    REST_EXC,  # V/us
    REST_INH,
    THRESHOLD,  # V
    T_REFRACTORY,  # us
    T_HOLDOFF,
    PAUSE,  # 0 or 1
    I_EXP,  # V/us, at the node's V_EXP
    K_ADAPT,  # 1/us
    W_REST,  # V
    A_ADAPT,
    V_ADAPT,  # V
    B_ADAPT,
    P_ADAPT,
    RATE_EXC,  # 1/us
    RATE_INH,
    RATE_ADAPT,
    FLOOR,  # V
    CLOSES,  # its part of a sum that vanishes at the floor of the first member, relative to that one's
) = range(32)
N_P = 32
# ... its state during a step of the lanes (rows of Nodes.s) ...
S_EXC, S_INH, W, REFRACTORY, ARMED, FIRED = range(6)  # FIRED: us from the step's start on; a node that lags may fire a little before
N_S = 6
# ... and numbers of a node (rows of Nodes.q).
V_EXP, SHARPNESS, LOWEST, COMPARATORS, V_START, COUPLED, FIRST_FLOOR, JUMP = range(8)  # JUMP: of the synaptic current at the start of the lanes' step, V/us
N_Q = 8


class Nodes(NamedTuple):
    """Up to 256 nodes and their members, as arrays. Rows `V`, `LAG` and `BENT` of the block, and what the lanes hold, are the state.

    Attributes
    ----------
    block : ndarray of float32
        As of a lane, one node per column.
    flags : ndarray of uint8
    keys : ndarray of uint32, shape (node,)
    ptr : ndarray of int64, shape (node + 1,)
        Members of each node.
    lane, place : ndarray of int64, shape (member,)
        Where the member is among the integrated circuits.
    p : ndarray of float32, shape (number, member)
    s : ndarray of float32, shape (state, member)
    q : ndarray of float32, shape (number, node)
    chosen : ndarray of int64, shape (node,)
        Member whose comparator is in charge, or -1.
    steps : ndarray of int64, shape (1,)
        Steps of the nodes within one of the lanes.
    h : ndarray of float32, shape (1,)
        Length of one, us.
    constants : ndarray of float32
    cluster : ndarray of int64, shape (cluster + 1,)
        First node of each cluster that conductances connect; all others follow behind the last.
    start : ndarray of int64, shape (cluster,)
        Where its matrices begin.
    rate : ndarray of float32
        Matrices, row by row: how fast the column's node pulls the row's, 1/us.
    spread : ndarray of float32
        The mean propagator over one step.
    """

    block: NDArray[np.float32]
    flags: NDArray[np.uint8]
    keys: NDArray[np.uint32]
    ptr: NDArray[np.int64]
    lane: NDArray[np.int64]
    place: NDArray[np.int64]
    p: NDArray[np.float32]
    s: NDArray[np.float32]
    q: NDArray[np.float32]
    chosen: NDArray[np.int64]
    steps: NDArray[np.int64]
    h: NDArray[np.float32]
    constants: NDArray[np.float32]
    cluster: NDArray[np.int64]
    start: NDArray[np.int64]
    rate: NDArray[np.float32]
    spread: NDArray[np.float32]


# Kernel


@kernel_part
def load_members(N, blocks):  # type: ignore[no-untyped-def]
    """Take over lines, adaptation and refractory state of the members, and the charge that late events left on their membranes."""
    B = N.block
    for j in range(N.ptr.size - 1):
        v = B[L.V * STRIDE + j]
        jump = late = ZERO
        for m in range(N.ptr[j], N.ptr[j + 1]):
            A, i = blocks[N.lane[m]], N.place[m]
            N.s[S_EXC, m], N.s[S_INH, m], N.s[W, m] = A[L.S_EXC * STRIDE + i], A[L.S_INH * STRIDE + i], A[L.W * STRIDE + i]
            N.s[REFRACTORY, m], N.s[ARMED, m], N.s[FIRED, m] = A[L.REFRACTORY * STRIDE + i], A[L.ARMED * STRIDE + i], NOT_FIRED
            gm_e = A[L.BASE_EXC * STRIDE + i] * gain_of(v, N.p[COBA_EXC, m], N.p[E_COBA_EXC, m])
            gm_i = A[L.BASE_INH * STRIDE + i] * gain_of(v, N.p[COBA_INH, m], N.p[E_COBA_INH, m])
            jump += gm_e * N.s[S_EXC, m] - gm_i * N.s[S_INH, m] - A[L.DRIVEN * STRIDE + i]
            late += A[L.V * STRIDE + i] - v
        B[L.V * STRIDE + j] = v + late
        N.q[JUMP, j] = jump


@kernel_part
def couple(N):  # type: ignore[no-untyped-def]
    """Note the current that conductances carry into each node, V/us."""
    B = N.block
    for c in range(N.cluster.size - 1):
        a, n = N.cluster[c], N.cluster[c + 1] - N.cluster[c]
        for j in range(n):
            v, into = B[L.V * STRIDE + a + j], ZERO
            for i in range(n):
                into += N.rate[N.start[c] + j * n + i] * (B[L.V * STRIDE + a + i] - v)
            N.q[COUPLED, a + j] = into


@kernel_part
def shake(N, salt):  # type: ignore[no-untyped-def]
    """Add the noise of a step to each node. It is a part of its move, so that the network damps it."""
    B = N.block
    for j in range(N.ptr.size - 1):
        B[L.V * STRIDE + j] += normal(scramble(N.keys[j], salt)) * B[L.NOISE_STEP * STRIDE + j]


@kernel_part
def spread_moves(N):  # type: ignore[no-untyped-def]
    """Let the move of each node during the step spread over its network."""
    B = N.block
    for c in range(N.cluster.size - 1):
        a, n = N.cluster[c], N.cluster[c + 1] - N.cluster[c]
        for j in range(n):
            N.q[COUPLED, a + j] = B[L.V * STRIDE + a + j] - B[L.X_START * STRIDE + a + j]
        for j in range(n):
            move = ZERO
            for i in range(n):
                move += N.spread[N.start[c] + j * n + i] * N.q[COUPLED, a + i]
            B[L.V * STRIDE + a + j] = B[L.X_START * STRIDE + a + j] + move


@cache
def _gather(features: Features) -> Kernel:
    saturating, exponential, _, conductance = features[:4]
    ota = SATURATING.ota_current

    @kernel_part
    def gather(N, j, h):  # type: ignore[no-untyped-def]
        """Write the row values of node `j` for its next step of length `h`."""
        B = N.block
        v, lag, lowest = B[L.V * STRIDE + j], B[L.LAG * STRIDE + j], N.q[LOWEST, j]
        v_sat, ahead = N.constants[0], v + HALF * (v - N.q[V_START, j])  # the middle of the step, if it goes on as the last one
        k = ke = offset = sink = up = lowers = closes = ZERO
        exc = inh = exc_lost = inh_lost = exc_now = inh_now = exc_slope = inh_slope = ZERO
        left, stops, several = F(1e30), False, N.q[COMPARATORS, j] > ONE
        chosen, threshold = -1, F(np.inf)
        seen = min(v, min(lowest, N.constants[2]))
        for m in range(N.ptr[j], N.ptr[j + 1]):
            r = N.s[REFRACTORY, m]
            rest = r - N.p[T_HOLDOFF, m] + lag  # local time left in its reset phase
            heard = True
            if rest > EDGE:
                left, stops = min(left, rest), True
                k_m, e_m, heard = N.p[K_RESET, m], N.p[E_RESET, m], N.p[PAUSE, m] == ZERO
            else:
                k_m, e_m = N.p[K_LEAK, m], N.p[E_LEAK, m]
            k += k_m
            ke += k_m * e_m
            if saturating:
                offset += ota(ahead, e_m, k_m, v_sat)
            offset += N.p[OFFSET, m]
            d_e = N.p[GM_EXC, m] * N.s[S_EXC, m] if heard else ZERO
            d_i = N.p[GM_INH, m] * N.s[S_INH, m] if heard else ZERO
            drawn = N.p[SINK, m]
            if saturating:
                if ahead <= N.p[FLOOR, m]:
                    offset += drawn
                    d_i = drawn = ZERO
                below = d_i * gain_of(v, N.p[COBA_INH, m], N.p[E_COBA_INH, m]) + drawn if conductance else d_i + drawn
                lowers += below
                closes += below * N.p[CLOSES, m]
            sink += drawn
            exc_lost += d_e * N.p[Q_EXC, m]
            inh_lost += d_i * N.p[Q_INH, m]
            if conductance:
                d_e += N.p[REST_EXC, m]
                d_i -= N.p[REST_INH, m]
                gain_e, gain_i = gain_of(v, N.p[COBA_EXC, m], N.p[E_COBA_EXC, m]), gain_of(v, N.p[COBA_INH, m], N.p[E_COBA_INH, m])
                exc_now += d_e * gain_e
                inh_now += d_i * gain_i
                exc_slope += d_e * N.p[COBA_EXC, m] if gain_e > ZERO else ZERO
                inh_slope += d_i * N.p[COBA_INH, m] if gain_i > ZERO else ZERO
            exc += d_e
            inh += d_i
            if exponential:
                up += N.p[I_EXP, m]
                w = N.s[W, m]
                target = N.p[A_ADAPT, m] * (seen - N.p[V_ADAPT, m]) + N.p[W_REST, m]
                offset -= N.p[K_ADAPT, m] * (w + HALF * (target - w) * (ONE - N.p[P_ADAPT, m]) - N.p[W_REST, m])
            theta = N.p[THRESHOLD, m]
            armed = N.s[ARMED, m] > ZERO or v < theta
            if armed:
                N.s[ARMED, m] = ONE
            if several and r > EDGE and r < h:  # who comes first: the end of its hold-off, or another comparator?
                left, stops = min(left, r + lag), True
            elif armed and r < h and theta < threshold:
                chosen, threshold = m, theta
        offset += N.q[COUPLED, j]
        if k < FLOATING:
            ke += (FLOATING - k) * v
            k = FLOATING
        inverse = ONE / k
        potential = ke * inverse
        if saturating:
            offset -= ota(ahead, potential, k, v_sat)
        else:
            potential += offset * inverse
        if saturating:
            B[L.V_FLOOR * STRIDE + j] = N.q[FIRST_FLOOR, j] + (N.constants[1] * F(math.log(closes / lowers)) if lowers > ZERO else ZERO)
        r = N.s[REFRACTORY, chosen] if chosen >= 0 else h + h
        B[L.K_LEAK * STRIDE + j] = B[L.K_RESET * STRIDE + j] = k
        B[L.E_LEAK * STRIDE + j] = B[L.E_RESET * STRIDE + j] = potential
        B[L.LEAK_GAIN * STRIDE + j] = B[L.RESET_GAIN * STRIDE + j] = B[L.RESET_TIME * STRIDE + j] = inverse
        B[L.S_EXC * STRIDE + j], B[L.S_INH * STRIDE + j] = exc, inh
        B[L.Q_EXC * STRIDE + j] = exc_lost / exc if exc != ZERO else ZERO
        B[L.Q_INH * STRIDE + j] = inh_lost / inh if inh != ZERO else ZERO
        B[L.I_OFFSET * STRIDE + j] = offset
        B[L.I_SINK * STRIDE + j] = sink
        B[L.REFRACTORY * STRIDE + j] = r
        B[L.T_HOLDOFF * STRIDE + j] = r + lag - left if stops else r + lag + ONE
        B[L.V_THRESHOLD * STRIDE + j] = threshold if chosen >= 0 else lowest
        B[L.ARMED * STRIDE + j] = ONE if chosen >= 0 else ZERO
        B[L.T_REFRACTORY * STRIDE + j] = ZERO
        if exponential:
            B[L.I_EXP * STRIDE + j] = up
        if conductance:
            B[L.COBA_EXC * STRIDE + j] = exc_slope / exc if exc != ZERO else ZERO
            B[L.COBA_INH * STRIDE + j] = inh_slope / inh if inh != ZERO else ZERO
            B[L.E_COBA_EXC * STRIDE + j] = v + (exc_now - exc) / exc_slope if exc_slope != ZERO else v
            B[L.E_COBA_INH * STRIDE + j] = v + (inh_now - inh) / inh_slope if inh_slope != ZERO else v
            if exc_slope == ZERO:
                B[L.S_EXC * STRIDE + j] = exc_now
            if inh_slope == ZERO:
                B[L.S_INH * STRIDE + j] = inh_now
        B[L.DRIVEN * STRIDE + j] = (exc_now - inh_now if conductance else exc - inh) - N.q[JUMP, j]
        N.q[JUMP, j] = ZERO  # there are no jumps at the steps of a node within one of the lanes
        N.chosen[j] = chosen
        N.q[V_START, j] = v

    return gather


@cache
def _scatter(features: Features) -> Kernel:
    exponential = features.exponential

    @kernel_part
    def scatter(N, j, h, since, at):  # type: ignore[no-untyped-def]
        """Carry the members of node `j` over its step, which began `since` us after the lanes' step; it fired `at` us after that, or not from `h` on."""
        B = N.block
        chosen = N.chosen[j] if at < h else -1
        seen = min(HALF * (N.q[V_START, j] + B[L.V * STRIDE + j]), min(N.q[LOWEST, j], N.constants[2]))
        for m in range(N.ptr[j], N.ptr[j + 1]):
            N.s[S_EXC, m] -= N.s[S_EXC, m] * N.p[Q_EXC, m]
            N.s[S_INH, m] -= N.s[S_INH, m] * N.p[Q_INH, m]
            if exponential:
                target = N.p[A_ADAPT, m] * (seen - N.p[V_ADAPT, m]) + N.p[W_REST, m]
                N.s[W, m] = target + (N.s[W, m] - target) * N.p[P_ADAPT, m]
            if m == chosen:
                N.s[REFRACTORY, m] = N.p[T_REFRACTORY, m] + at - h
                N.s[ARMED, m] = ZERO
                N.s[FIRED, m] = since + at
                if exponential:
                    N.s[W, m] += N.p[B_ADAPT, m]
            else:
                N.s[REFRACTORY, m] -= h

    return scatter


@cache
def node_step(features: Features) -> Kernel:
    """Return one step of all nodes."""
    gather, scatter, noisy = _gather(features), _scatter(features), features.noisy
    predict, arrive, cross = circuit_prediction(features), circuit_arrival(features._replace(noisy=False)), crossing(features)

    @kernel_part
    def substep(N, h, since, salt):  # type: ignore[no-untyped-def]
        """Carry all nodes by `h`."""
        n = N.ptr.size - 1
        couple(N)
        for j in range(n):
            gather(N, j, h)
        predict(N.block, n, h, ONE / h, N.constants)
        if noisy:
            shake(N, salt)
        spread_moves(N)
        arrive(N.block, N.flags, n, h, N.constants, N.keys, salt, ZERO)
        for j in range(n):
            at = cross(N.block, j, h) if N.flags[j] else h
            scatter(N, j, h, since, at)

    return substep


@cache
def carry_nodes(features: Features) -> Kernel:
    """Return the kernel part that carries nodes over one step of the lanes, before the lanes take it."""
    substep = node_step(features)

    @kernel_part
    def carry(N, blocks, salt):  # type: ignore[no-untyped-def]
        load_members(N, blocks)
        h = N.h[0]
        for k in range(N.steps[0]):
            substep(N, h, F(k) * h, salt if k == 0 else mix(salt ^ U(k)))

    return carry


@kernel_part
def give_back(N, blocks, column_of, begin, ticks_per_us, out_tick, out_circuit, n_out):  # type: ignore[no-untyped-def]
    """Give the members their membrane, adaptation and refractory state after the lanes have taken their step.

    Appends who has fired; returns the number of spikes.
    """
    B = N.block
    for j in range(N.ptr.size - 1):
        for m in range(N.ptr[j], N.ptr[j + 1]):
            A, i = blocks[N.lane[m]], N.place[m]
            for row in (L.V, L.LAG, L.BENT):
                A[row * STRIDE + i] = B[row * STRIDE + j]
            A[L.W * STRIDE + i], A[L.REFRACTORY * STRIDE + i], A[L.ARMED * STRIDE + i] = N.s[W, m], N.s[REFRACTORY, m], N.s[ARMED, m]
            if N.s[FIRED, m] > NOT_FIRED:
                out_tick[n_out] = begin + np.int64(np.floor(N.s[FIRED, m] * ticks_per_us + HALF))
                out_circuit[n_out] = L.WIDTH * N.lane[m] + column_of[N.lane[m]][i]
                n_out += 1
    return n_out


# Construction


class Place(Protocol):
    """What a coupling needs to know of a lane: active columns, its block as (row, place), noise keys of the places, and what its rows were made from."""

    @property
    def configured(self) -> object: ...
    @property
    def columns(self) -> NDArray[np.int64]: ...
    @property
    def rows(self) -> NDArray[np.float32]: ...
    @property
    def keys(self) -> NDArray[np.uint32]: ...


class Coupling:
    """The nodes of one trial: shared and connected membranes between some lanes.

    Parameters
    ----------
    membranes : Membranes
        Circuits count over the lanes, 256 each; all of them are integrated.
    parameters : CircuitParameters
        Of all circuits of all lanes.
    """

    def __init__(self, membranes: Membranes, parameters: CircuitParameters) -> None:
        self.membranes, self.parameters = membranes, parameters
        self._together = joined(parameters, membranes)
        self._groups = _groups(membranes)
        self.nodes: tuple[Nodes, ...] = ()
        self._configured: tuple[Features, int] | None = None
        self._silenced: dict[int, object] = {}

    def configure(self, features: Features, h_ticks: int, lanes: Sequence[Place]) -> None:
        """Prepare nodes and lanes, which have been configured for steps of `h_ticks`."""
        for k, lane in enumerate(lanes):
            if self._silenced.get(k) is not lane.configured or k not in self._silenced:
                self._silence(k, lane, h_ticks)
                self._silenced[k] = lane.configured
        if self._configured != (features, h_ticks):
            before = self.nodes
            self.nodes = tuple(self._nodes(group, h_ticks, lanes) for group in self._groups)
            for k, nodes in enumerate(self.nodes):
                _start(nodes, lanes, before[k] if before else None)
            self._configured = features, h_ticks

    def fork(self) -> Coupling:
        """Return a copy of this moment."""
        twin = object.__new__(Coupling)
        twin.__dict__.update(self.__dict__)
        twin._silenced = {}
        twin.nodes = tuple(
            nodes._replace(block=_copied(nodes.block), **{name: getattr(nodes, name).copy() for name in ("flags", "s", "q", "chosen")}) for nodes in self.nodes
        )
        return twin

    def _silence(self, lane: int, place: Place, h_ticks: int) -> None:
        """Give the members in a lane the membrane of their node and no say in it."""
        mine = np.flatnonzero(np.isin(place.columns + L.WIDTH * lane, self.membranes.circuit))
        rows = lane_rows(self._together.take(place.columns[mine] + L.WIDTH * lane), h_ticks)
        for row, value in ((L.V_THRESHOLD, np.inf), (L.I_EXP, 0.0), (L.K_ADAPT, 0.0)):
            rows[row - L.E_LEAK] = value
        place.rows[L.E_LEAK :, mine] = rows

    def _nodes(self, group: list[NDArray[np.int64]], h_ticks: int, lanes: Sequence[Place]) -> Nodes:
        """Return the nodes of some clusters."""
        m, p = self.membranes, self.parameters
        order = np.concatenate(group)
        sizes = np.diff(m.ptr)[order]
        circuit = np.concatenate([m.circuit[m.ptr[node] : m.ptr[node + 1]] for node in order])
        ptr = np.concatenate([[0], np.cumsum(sizes)])
        lane, column = np.divmod(circuit, L.WIDTH)
        place = np.array([np.searchsorted(lanes[k].columns, c) for k, c in zip(lane, column, strict=True)], np.int64)
        capacitance = m.capacitance(p)[order]
        h = h_ticks * TICK_US
        coupled = [g for g in group if len(g) > 1]
        fastest = fastest_rate(m, p, self._together, coupled, np.isfinite(p.v_threshold))
        steps = int(np.clip(np.ceil(h * fastest / FRACTION), 1, FINEST))
        matrices = [self._matrices(g, h / steps) for g in coupled]
        member, node = _numbers(p, self._together, circuit, ptr, h_ticks / steps)
        nodes = Nodes(
            block=L.aligned(L.N_ROWS * L.STRIDE),
            flags=L.aligned(L.STRIDE, np.uint8),
            keys=np.resize(np.array([lanes[lane[a]].keys[place[a]] for a in ptr[:-1]], np.uint32), L.STRIDE),
            ptr=ptr,
            lane=lane,
            place=place,
            p=member,
            s=np.zeros((N_S, len(circuit)), np.float32),
            q=node,
            chosen=np.full(len(order), -1, np.int64),
            steps=np.array([steps]),
            h=np.array([h / steps], np.float32),
            constants=constants(p),
            cluster=np.concatenate([[0], np.cumsum([len(g) for g in coupled])]).astype(np.int64),
            start=np.concatenate([[0], np.cumsum([len(g) ** 2 for g in coupled])]).astype(np.int64),
            rate=np.concatenate([a.ravel() for a, _ in matrices] or [np.empty(0)]).astype(np.float32),
            spread=np.concatenate([b.ravel() for _, b in matrices] or [np.empty(0)]).astype(np.float32),
        )
        rows = nodes.block.reshape(L.N_ROWS, L.STRIDE)
        n = len(order)
        rows[[L.GM_EXC, L.GM_INH, L.BASE_EXC, L.BASE_INH], :n] = 1.0
        rows[L.V_EXP, :n], rows[L.SHARPNESS, :n] = node[V_EXP], node[SHARPNESS]
        first = self._together.take(circuit[ptr[:-1]])
        k = np.maximum(first.g_leak / (capacitance * US), 1e-6)
        rows[L.NOISE_STEP, :n] = first.noise / capacitance * 1e-3 * np.sqrt(-np.expm1(-2.0 * k * h / steps) / (2.0 * k))
        return nodes

    def _matrices(self, cluster: NDArray[np.int64], h: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return how fast nodes pull each other (1/us, zero on the diagonal), and the mean propagator over `h` us."""
        capacitance = self.membranes.capacitance(self.parameters)[cluster]
        g = self.membranes.laplacian(cluster)
        pull = -g / (capacitance * US)[:, None]
        np.fill_diagonal(pull, 0.0)
        return pull, mean_propagator(*relaxation_rates(g, capacitance), capacitance, h)


def fastest_rate(
    membranes: Membranes, parameters: CircuitParameters, together: CircuitParameters, coupled: Sequence[NDArray[np.int64]], fires: NDArray[np.bool_]
) -> float:
    """Return the rate (1/us) that bounds the steps of nodes: of the relaxation of some clusters, and twice that of resets of circuits that may fire.

    `together` are the parameters of circuits whose membranes are joined (:func:`joined`).
    """
    fastest, capacitance = 0.0, membranes.capacitance(parameters)
    for cluster in coupled:
        rates, _ = relaxation_rates(membranes.laplacian(cluster), capacitance[cluster])
        members = np.concatenate([membranes.circuit[membranes.ptr[node] : membranes.ptr[node + 1]] for node in cluster])
        resets = members[fires[members]]
        fastest = max([fastest, float(rates.max()), *(2.0 * together.g_reset[resets] / (together.capacitance[resets] * US))])
    return fastest


def undivided_step(
    membranes: Membranes, parameters: CircuitParameters, together: CircuitParameters, followers: NDArray[np.int64], step_ticks: int
) -> int:
    """Return a step, at most `step_ticks` and at least a tick, that nodes take as a whole: they can be taken back within one step only.

    `together` as in :func:`fastest_rate`; `followers` are circuits that others fire.
    """
    fires = np.isfinite(parameters.v_threshold)
    fires[followers] = True
    coupled = [cluster for cluster in membranes.clusters if len(cluster) > 1]
    parts = step_ticks * TICK_US * fastest_rate(membranes, parameters, together, coupled, fires) / FRACTION
    return step_ticks if parts <= 1.0 else max(int(step_ticks / parts * (1.0 - 1e-9)), 1)


def _start(nodes: Nodes, lanes: Sequence[Place], before: Nodes | None) -> None:
    """Take over the membranes of nodes that ran with other steps before, or of their members."""
    rows = nodes.block.reshape(L.N_ROWS, L.STRIDE)
    if before is not None:
        for row in (L.V, L.LAG, L.BENT):
            rows[row] = before.block.reshape(L.N_ROWS, L.STRIDE)[row]
        nodes.q[V_START] = rows[L.V, : nodes.q.shape[1]]
        return
    for j, (a, b) in enumerate(pairwise(nodes.ptr)):
        held = np.array([lanes[lane].rows[: L.N_STATE, place] for lane, place in zip(nodes.lane[a:b], nodes.place[a:b], strict=True)])
        rows[L.V, j] = held[0, L.V]
        if np.ptp(held[:, L.LAG]) == 0:  # circuits that have just been joined start on the grid
            rows[[L.LAG, L.BENT], j] = held[0, [L.LAG, L.BENT]]
    nodes.q[V_START] = rows[L.V, : nodes.q.shape[1]]


def _copied(block: NDArray[np.float32]) -> NDArray[np.float32]:
    twin = L.aligned(block.size)
    twin[:] = block
    return twin


def _groups(membranes: Membranes) -> list[list[NDArray[np.int64]]]:
    """Return clusters in groups of at most 256 nodes, those with conductances first."""
    groups: list[list[NDArray[np.int64]]] = []
    room = 0
    for cluster in sorted(membranes.clusters, key=lambda c: len(c) == 1):
        if len(cluster) > room:
            groups.append([])
            room = L.WIDTH
        groups[-1].append(cluster)
        room -= len(cluster)
    return [sorted(group, key=lambda c: len(c) == 1) for group in groups]


def _numbers(
    p: CircuitParameters, together: CircuitParameters, circuit: NDArray[np.int64], ptr: NDArray[np.int64], h_ticks: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the numbers of members, shape (number, member), and of nodes, shape (number, node)."""
    own, whole = p.take(circuit), together.take(circuit)
    h, per_us = h_ticks * TICK_US, 1.0 / (whole.capacitance * US)
    scaled = lane_rows(whole, h_ticks)
    rate_e, rate_i, rate_w = (1.0 / (tau * US) for tau in (own.tau_exc, own.tau_inh, own.tau_adapt))
    rows = {
        K_LEAK: own.g_leak * per_us,
        E_LEAK: own.e_leak,
        K_RESET: own.g_reset * per_us,
        E_RESET: own.e_reset,
        OFFSET: (own.i_source - own.i_sink + own.i_syn_rest) * per_us,
        SINK: own.i_sink * per_us,
        GM_EXC: scaled[L.GM_EXC - L.E_LEAK],
        GM_INH: scaled[L.GM_INH - L.E_LEAK],
        Q_EXC: -np.expm1(-rate_e * h),
        Q_INH: -np.expm1(-rate_i * h),
        COBA_EXC: own.coba_exc,
        COBA_INH: own.coba_inh,
        E_COBA_EXC: own.e_coba_exc,
        E_COBA_INH: own.e_coba_inh,
        REST_EXC: own.i_coba_exc * per_us,
        REST_INH: own.i_coba_inh * per_us,
        THRESHOLD: own.v_threshold,
        T_REFRACTORY: (own.t_reset + own.t_holdoff) * US,
        T_HOLDOFF: own.t_holdoff * US,
        PAUSE: own.pause,
        I_EXP: own.i_exp * np.exp(np.minimum((whole.v_exp - own.v_exp) / own.delta_exp, 0.0)) * per_us,
        K_ADAPT: own.g_adapt * per_us,
        W_REST: own.w_rest,
        A_ADAPT: own.a_adapt,
        V_ADAPT: own.v_adapt,
        B_ADAPT: own.b_adapt,
        P_ADAPT: np.exp(-rate_w * h),
        RATE_EXC: rate_e,
        RATE_INH: rate_i,
        RATE_ADAPT: rate_w,
        FLOOR: own.v_floor,
        CLOSES: np.exp((own.v_floor - np.repeat(own.v_floor[ptr[:-1]], np.diff(ptr))) / own.v_width),
    }
    first = whole.take(ptr[:-1])
    node = np.zeros((N_Q, len(ptr) - 1))
    node[V_EXP], node[SHARPNESS], node[FIRST_FLOOR] = first.v_exp, 1.0 / first.delta_exp, first.v_floor
    node[LOWEST] = np.minimum.reduceat(own.v_threshold, ptr[:-1])
    node[COMPARATORS] = np.add.reduceat(np.isfinite(own.v_threshold).astype(np.float64), ptr[:-1])
    return np.stack([rows[row] for row in range(N_P)]).astype(np.float32), node.astype(np.float32)
