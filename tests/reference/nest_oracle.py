"""The engine's benchmark workload in NEST: the same circuits, weights and events.

One hardware microsecond is one millisecond in NEST, one volt stays one volt (1000 mV). The engine's linear circuits with an immediate reset solve the
equations of ``iaf_psc_exp`` and ``aeif_psc_exp``::

    V in mV, t in ms:   tau_m = C / g                    weight = 1000 C_nest kick gm / C    (gm / C in 1/us)
                        g_L Delta_T exp(...) = I_exp     w_nest = g_w (w - w_0), so a = g_w a_engine, b = g_w b_engine

NEST models differ in what they do with time. ``iaf_psc_exp_ps`` takes input events and crossings off the grid. ``iaf_psc_exp`` and ``aeif_psc_exp`` see input
on the grid and round crossings up to it; ``aeif_psc_exp`` starts to count refractory steps at the end of the step that fired.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics import CircuitParameters
from neckar.dynamics.workload import SIDE, WEIGHT_UNIT, Workload

TICK_MS = 2e-3
DELAY_MS = 1.0  # of every connection; events are sent so much earlier, so it shifts the whole time axis
C_NEST = 250.0  # pF


def load_nest() -> ModuleType:
    """Return the module `nest` without its banner."""
    keep, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        import nest
    finally:
        os.dup2(keep, 1)
        os.close(keep)
        os.close(null)
    nest.verbosity = nest.VerbosityLevel.ERROR
    return nest


@dataclass(frozen=True, eq=False)
class NestRun:
    """Result: spike counts of the circuits that were run, shape (circuit,), and the wall time of the simulation alone, s."""

    counts: NDArray[np.int64]
    wall_s: float


def run_nest(load: Workload, model: str, resolution_ms: float, until: int | None = None, rounding_ms: float = 0.0, every: int = 1) -> NestRun:
    """Run a workload in NEST on one thread.

    Parameters
    ----------
    load : Workload
        Built with ``effects="ideal"``.
    model : {"iaf_psc_exp_ps", "iaf_psc_exp", "aeif_psc_exp"}
        NEST's name of the neuron model.
    resolution_ms : float
        NEST's step; for the last two models the events must lie on this grid.
    until : int, optional
        End, ticks of 2 ns.
    rounding_ms : float
        Taken off the refractory times, which are then rounded to the step: half a step makes up for what the model adds on average.
    every : int
        Only every so many circuits are run.
    """
    nest = load_nest()
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.resolution, nest.local_num_threads = resolution_ms, 1
    ticks = load.ticks if until is None else until
    chosen = np.arange(0, SIDE, every)
    sides = [_build_side(nest, load, side, chosen, model, ticks, resolution_ms, rounding_ms) for side in range(2)]
    nest.Prepare()
    begin = time.perf_counter()
    nest.Run(DELAY_MS + ticks * TICK_MS)
    wall_s = time.perf_counter() - begin
    nest.Cleanup()
    return NestRun(np.concatenate([_counts(neurons, recorder, ticks) for neurons, recorder in sides]), wall_s)


def _counts(neurons: Any, recorder: Any, ticks: int) -> NDArray[np.int64]:
    events = recorder.events
    inside = events["times"] < DELAY_MS + ticks * TICK_MS
    return np.bincount(events["senders"][inside] - neurons[0].global_id, minlength=len(neurons))


def _build_side(
    nest: ModuleType, load: Workload, side: int, chosen: NDArray[np.int64], model: str, ticks: int, resolution_ms: float, rounding_ms: float
) -> tuple[Any, Any]:
    parameters, events, synapses = load.parameters[side].take(chosen), load.events[side].between(0, ticks), load.synapses[side]
    neurons = nest.Create(model, len(chosen))
    neurons.set(_neurons(parameters, model, resolution_ms, rounding_ms))
    order = np.argsort(events.row, kind="stable")
    by_row = np.split(events.tick[order] * TICK_MS, np.searchsorted(events.row[order], np.arange(1, SIDE)))
    options = {"precise_times": True} if model.endswith("_ps") else {}
    generators = nest.Create("spike_generator", SIDE)
    generators.set([{"spike_times": row.tolist(), **options} for row in by_row])
    per_weight = 1e-3 * C_NEST * WEIGHT_UNIT / parameters.capacitance  # 1e3 for mV, 1e-6 for us
    sign = np.where(synapses.receptor == 1, 1.0, -1.0)[:, None]
    gm = np.where(synapses.receptor[:, None] == 1, parameters.gm_exc, parameters.gm_inh)
    weights = load.weights[side][:, chosen] * per_weight * sign * gm  # (row, column)
    nest.Connect(generators, neurons, "all_to_all", {"weight": weights.T, "delay": DELAY_MS})
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons, recorder)
    return neurons, recorder


def _neurons(p: CircuitParameters, model: str, resolution_ms: float, rounding_ms: float) -> dict[str, list[float]]:
    """Return NEST's parameters of the circuits."""
    mv, g_nest = 1e3, C_NEST * p.g_leak / p.capacitance * 1e-6  # g_nest: nS, if C_NEST is in pF and the rate in 1/ms
    values = {
        "C_m": np.full(len(p), C_NEST),
        "E_L": p.e_leak * mv,
        "V_m": p.e_leak * mv,
        "V_reset": p.e_reset * mv,
        "t_ref": np.round((p.t_reset * 1e6 - rounding_ms) / resolution_ms) * resolution_ms,
        "tau_syn_ex": p.tau_exc * 1e6,
        "tau_syn_in": p.tau_inh * 1e6,
    }
    if model != "aeif_psc_exp":
        values |= {"tau_m": p.capacitance / p.g_leak * 1e6, "V_th": p.v_threshold * mv}
    else:
        g_adapt = C_NEST * p.g_adapt / p.capacitance * 1e-6
        values |= {"g_L": g_nest, "Delta_T": p.delta_exp * mv, "V_th": p.v_exp * mv, "V_peak": p.v_threshold * mv}
        values |= {"a": g_adapt * p.a_adapt, "b": g_adapt * p.b_adapt * mv, "tau_w": p.tau_adapt * 1e6}
    return {name: value.tolist() for name, value in values.items()}
