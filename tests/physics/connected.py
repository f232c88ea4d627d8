"""Circuits with shared and connected membranes, run by the engine and by the slow model (tests/reference/coupled.py), for the tests of both."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from coupled import Coupled
from numpy.typing import NDArray

from neckar.dynamics import (
    N_DYNAMIC,
    NO_EVENTS,
    NO_OUTSIDE,
    STATE_NAMES,
    CircuitParameters,
    Coupling,
    Lane,
    LaneGroup,
    Membranes,
    Relays,
    RowEvents,
    Segment,
    Synapses,
    Tables,
    gather_relays,
    largest_step,
    reference_tau,
)

WIDTH = 256
US = 500  # ticks
MICRO = 1e-6
C = 2.3e-12
NONE = np.zeros(0, np.int64)
NOBODY = Relays(NONE, NONE, NONE, np.zeros((2, 0), np.bool_), np.zeros((0, 0), np.uint8), np.zeros((0, 0), np.bool_), NONE, NONE)
SCALARS = {"v_sat", "v_width", "v_supply", "saturating"}


def circuits(n: int, **changes) -> CircuitParameters:
    """Return linear circuits of 2.3 pF without threshold, resting at 0.5 V, with time constants of 10 us; a change is one value for all or one each."""
    tau = 10 * MICRO
    values = dict.fromkeys(CircuitParameters.__dataclass_fields__, 0.0) | {
        "capacitance": C, "g_leak": C / tau, "e_leak": 0.5, "g_reset": C / (0.5 * MICRO), "e_reset": 0.3, "v_threshold": np.inf, "t_reset": 2 * MICRO,
        "gm_exc": C / tau, "gm_inh": C / tau, "v_exp": 0.7, "delta_exp": 0.02, "w_rest": 0.6, "v_adapt": 0.5,
        "tau_exc": tau, "tau_inh": tau, "tau_adapt": 100 * MICRO, "v_sat": 0.9, "v_floor": 0.128, "v_width": 0.037, "v_supply": 1.2, "saturating": False,
    }  # fmt: skip
    values |= changes
    return CircuitParameters(**{name: value if name in SCALARS else np.broadcast_to(value, n).copy() for name, value in values.items()})


def joined(*groups: list[int], links: list[tuple[int, int, float]] = ()) -> Membranes:
    """Return membranes, each given by its circuits, and conductances between them as (membrane, membrane, S)."""
    return Membranes(
        np.concatenate(groups).astype(np.int64),
        np.concatenate([[0], np.cumsum([len(group) for group in groups])]).astype(np.int64),
        np.array([link[:2] for link in links], np.int64).reshape(-1, 2),
        np.array([link[2] for link in links], np.float64),
    )


def at(*events: tuple[int, int]) -> RowEvents:
    """Return events given as (tick, row)."""
    ticks, rows = np.array(sorted(events)).reshape(-1, 2).T
    return RowEvents(ticks.astype(np.int64), rows.astype(np.int32), np.zeros(len(ticks), np.uint8))


@dataclass
class Run:
    """Spike ticks of each circuit, membranes (circuit, sample) at ascending ticks, all signals (circuit, sample, signal), and the final state."""

    spikes: list[NDArray[np.int64]]
    membranes: NDArray[np.float64]
    signals: NDArray[np.float32]
    state: NDArray[np.float32]
    step: int


def engine(
    p: CircuitParameters, membranes: Membranes, end: int, samples, events=NO_EVENTS, weights=None, receptor=None, v=0.5, step=250, cuts=(), lanes=1, seed=1,
    observed=None, relays=(),
) -> Run:  # fmt: skip
    """Run the engine from `v`. With two lanes circuits 256 and up belong to the second. `weights` (row, circuit); an event acts on its row of both lanes.

    The circuits `relays` of the first lane fire at each event on an excitatory row with a weight.
    """
    n = len(p)
    receptor = np.array([1, 2], np.uint8) if receptor is None else receptor
    weights = np.zeros((len(receptor), n)) if weights is None else weights
    whole = p.take(np.minimum(np.arange(WIDTH * lanes), n - 1))
    state = np.zeros((N_DYNAMIC, WIDTH * lanes), np.float32)
    state[STATE_NAMES.index("v")] = np.broadcast_to(v, n)[np.minimum(np.arange(WIDTH * lanes), n - 1)]
    state[STATE_NAMES.index("w")] = whole.w_rest
    halves, made = [], []
    for k in range(lanes):
        columns = np.arange(min(WIDTH, n - WIDTH * k))
        plane = np.zeros((len(receptor), WIDTH), np.float32)
        plane[:, columns] = weights[:, columns + WIDTH * k]
        keys = np.arange(1 + WIDTH * k, 1 + WIDTH * (k + 1), dtype=np.uint32) * np.uint32(2654435761)
        seen = columns if observed is None else np.array(observed)
        lane = Lane(columns, seen, Synapses(plane, np.zeros((len(receptor), WIDTH), np.uint8), receptor), keys, seed)
        lane.load(state[:, WIDTH * k : WIDTH * (k + 1)])
        made.append(lane)
        halves.append(whole.take(np.arange(WIDTH * k, WIDTH * (k + 1))))
    h = largest_step(p, step)
    mine = np.array(relays, np.int64)
    lines, planes = np.array([[True], [False]]).repeat(len(mine), axis=1), (made[0].labels, made[0].weights)
    fire = gather_relays(mine, made[0].columns, made[0].columns[made[0].observed], lines, *planes, np.full(len(mine), US), np.full(WIDTH, -(1 << 62)))
    group = LaneGroup(made, [fire, *[NOBODY] * (lanes - 1)], _nowhere(lanes), None, [events] * lanes, Coupling(membranes, whole))
    segments = [Segment(half, 0, end, h, reference_tau(p), p.features) for half in halves]
    ticks, fired, signals = [], [], np.zeros((n, len(samples), 5), np.float32)
    for t0, t1 in pairwise([0, *cuts, end]):
        firing, traces = group.advance(segments, NO_OUTSIDE, t0, t1)
        ticks.append(firing.tick)
        fired.append(firing.circuit)
        for k, lane in enumerate(made):
            for trace in traces[k]:
                a, b = np.searchsorted(samples, (trace.start, trace.start + (len(trace.states) - 1) * trace.h_ticks))
                if a < b:
                    seen = lane.columns[lane.observed]
                    signals[WIDTH * k + seen, a:b] = lane.sample(trace, seen, samples[a:b])
    for k, lane in enumerate(made):
        lane.store(state[:, WIDTH * k : WIDTH * (k + 1)])
    tick, who = np.concatenate(ticks), np.concatenate(fired)
    return Run([np.sort(tick[who == c]) for c in range(n)], signals[:, :, 0].astype(float), signals, state[:, :n], h)


def reference(p: CircuitParameters, membranes: Membranes, samples, events=NO_EVENTS, weights=None, receptor=None, v=0.5) -> tuple[list, NDArray[np.float64]]:
    """Return spikes and membranes of the slow model."""
    receptor = np.array([1, 2], np.uint8) if receptor is None else receptor
    weights = np.zeros((len(receptor), len(p))) if weights is None else weights
    return Coupled(p, np.broadcast_to(v, len(p)).astype(float).copy(), membranes).solve(events, weights.astype(float), receptor, samples)


def _nowhere(lanes: int) -> Tables:
    """Return tables for circuits whose events go nowhere."""
    none = np.zeros(0, np.int64)
    return Tables(
        way_ptr=np.zeros(WIDTH * lanes + 1, np.int64), way_server=none, way_lane=none, row_ptr=np.zeros(1, np.int64), row=none.astype(np.int32),
        row_label=none.astype(np.uint8), first_server=np.full(WIDTH * lanes, -2), service=np.zeros(1, np.int64), depth=np.zeros(1, np.int64),
        latency=np.zeros(1, np.int64),
    )  # fmt: skip
