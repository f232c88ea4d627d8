"""Which of upstream's notebooks run, and where each keeps what its observables are made of.

A notebook's own variables are read after its last cell. Experiments inside callbacks keep theirs to themselves; there the curves count that they draw.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import measures
import numpy as np
import quantities as pq

Names = dict[str, Any]


class Curve(NamedTuple):
    """What ``plot`` or ``scatter`` of matplotlib was given: title of the axes, the two arguments (times as plain microseconds), the label."""

    title: str
    x: Any
    y: Any
    label: str = ""


class Notebook(NamedTuple):
    """A notebook of brainscales2-demos.

    Attributes
    ----------
    stem : str
        Name of the file without ``.ipynb`` or ``.rst``.
    measure : callable
        ``measure(names, curves)`` returns numbers by name. None: only that its cells run is told.
    needs_solution : bool
        Whether some observables are part of the solution, which only the ``.rst`` has.
    hours : bool
        Whether it runs for up to hours, and so only if ``--only`` names it.
    """

    stem: str
    measure: Callable[[Names, list[Curve]], dict[str, float]] | None = None
    needs_solution: bool = False
    hours: bool = False


def _single_neuron(names: Names, curves: list[Curve]) -> dict[str, float]:
    def titled(word: str) -> list[tuple[Any, Any]]:
        return [(curve.x, curve.y) for curve in curves if curve.title.startswith(word)]

    found: dict[str, float] = {}
    for trace in titled("First"):
        found |= measures.silent(trace[1])
    for trace in titled("Second"):
        found |= measures.leak_over_threshold(*trace)
    if titled("Third"):
        found |= measures.fixed_pattern(titled("Third"))
    for trace in titled("Fourth"):
        found |= measures.stimulation(*trace, excitatory_us=10, inhibitory_us=60)
    return found


def _lif_parameters(names: Names, curves: list[Curve]) -> dict[str, float]:
    found: dict[str, float] = {}
    if "mean_potentials" in names:
        found |= measures.leak_sweep(names["leak_v_leak_values"], [float(level) for level in names["mean_potentials"]])
    if "tau" in names:
        found |= measures.leak_conductance(names["leak_i_bias_values"], 1e3 * np.asarray(names["tau"]))
    if "fit_params" in names:
        found["leak conductance: tau at 500 [us]"] = 1e3 * float(names["fit_params"][-1])
    if "spiketrains" in names:
        found["current step: spikes"] = float(sum(map(len, names["spiketrains"])))
    return found


def _superspike(names: Names, curves: list[Curve]) -> dict[str, float]:
    target, spikes = (1e6 * np.asarray(names[key].magnitude) for key in ("target_spikes", "spikes"))  # seconds that still carry the unit of milliseconds
    return measures.training(target, spikes, names["loss"])


def _multicompartment(names: Names, curves: list[Curve]) -> dict[str, float]:
    traces, stimuli = names["old_traces"], names["spike_times"]
    heights = [
        [measures.response(_microseconds(trace.times), trace.magnitude, 1e3 * stimulus, before_us=10, window_us=60).height for trace in traces]
        for stimulus in stimuli
    ]
    return measures.chain(heights)


def _dynamic_range(names: Names, curves: list[Curve]) -> dict[str, float]:
    table = names["df"]

    def of(receptor: str, column: str) -> Any:
        return table[table.receptor_type == receptor].pivot(index="neuron", columns="weight", values=column).to_numpy()

    return measures.dynamic_range(list(names["weights"]), of("excitatory", "membrane_max"), of("inhibitory", "membrane_min"))


def _adex(names: Names, curves: list[Curve]) -> dict[str, float]:
    """Each run of an experiment draws four curves: membrane, adaptation state, and two of the phase plane. Widgets run each experiment twice."""
    membranes, states = curves[::4], curves[1::4]
    found: dict[str, float] = {}
    if membranes:
        found |= measures.adaptation(membranes[0].x, membranes[0].y, 100, 700)
        steady = "adaptation: steady level [LSB]"
        found["adaptation state: steady level [LSB]"] = measures.adaptation(states[0].x, states[0].y, 100, 700)[steady]
        for name, curve in zip(("adaptation", "transient", "frequency adaptation", "bursting"), membranes[::2], strict=False):
            tooth = measures.saw_tooth(curve.x, curve.y) if name != "adaptation" else None
            found[f"{name}: spikes"] = float(len(tooth.falls_us)) if tooth else 0.0
    return found


def _multiple_configs(names: Names, curves: list[Curve]) -> dict[str, float]:
    trains = [_milliseconds(train) for train in names["spiketrains_concatenated"]]
    return measures.picture(names["image"], trains, names["runtime"])


def _rate_coding(names: Names, curves: list[Curve]) -> dict[str, float]:
    return measures.picture(np.asarray(names["image"]).astype(int).T, [np.asarray(train, float) for train in names["spiketrains"]], 1)


def _homeostasis(names: Names, curves: list[Curve]) -> dict[str, float]:
    trains = [_milliseconds(train) for train in names["neurons"].get_data("spikes").segments[0].spiketrains]
    return measures.homeostasis(trains, names["weight_values"], names["period"], names["target_rate"])


def _inside_realtime(names: Names, curves: list[Curve]) -> dict[str, float]:
    columns = np.array([[names["image"][-neuron, column] for neuron in range(64)] for column in range(64)])
    return measures.picture(columns, [_milliseconds(train) for train in names["spiketrains"]], 10)


def _pong(names: Names, curves: list[Curve]) -> dict[str, float]:
    data = names["data"]
    return measures.pong(data.success_archive, data.reward_archive, data.mean_diagonal_weight, data.mean_off_diagonal_weight)


def _firing_curves(names: Names, curves: list[Curve]) -> dict[str, float]:
    leaks, pauses = ([curve for curve in curves if curve.label.startswith(word)] for word in ("Conductance", "Ref-period"))
    found: dict[str, float] = {}
    if leaks and pauses:
        rates = [[curve.y for curve in group] for group in (leaks, pauses)]
        found |= measures.firing_curves(leaks[0].x / 1e3, *rates)
    return found


def _calibration(names: Names, curves: list[Curve]) -> dict[str, float]:
    """The rates of each round of the student's calibration lie in files, where the notebook has put them."""
    found: dict[str, float] = {}
    if "popt" in names:
        found["MADC: slope [mV/LSB]"] = 1e3 * float(names["popt"][0])
    for name in ("leak", "reset", "threshold"):
        if f"{name}_data" in names:
            codes, levels, _, _ = names[f"{name}_data"]
            found |= measures.potential_line(name, codes, levels)
    if "isi" in names:
        found["literal codes: median rate of 4 neurons [kHz]"] = float(np.median([1 / float(interval.mean()) for interval in names["isi"] if len(interval)]))
    if "num_iterations" in names:
        first, last = (np.loadtxt(f"fp_task2c_rates_iteration{k}.txt") for k in (0, names["num_iterations"] - 1))
        found |= measures.equalised(first, last)
    return found


def _milliseconds(times: Any) -> Any:
    """Return times as plain milliseconds."""
    return _microseconds(times) / 1e3


def _microseconds(times: Any) -> Any:
    """Return times as plain microseconds; numbers without a unit are PyNN's milliseconds."""
    if isinstance(times, list):
        return np.array([float(_microseconds(time)) for time in times])
    if hasattr(times, "dimensionality") and times.dimensionality.simplified == pq.s.dimensionality:
        return np.asarray(times.rescale("us").magnitude, float)
    return np.asarray(getattr(times, "magnitude", times), float) * 1e3


NOTEBOOKS = (
    Notebook("ts_00-single_neuron", _single_neuron),
    Notebook("ts_01-superspike", _superspike),
    Notebook("ts_02-plasticity_rate_coding", _rate_coding),
    Notebook("ts_03-multicompartment", _multicompartment),
    Notebook("ts_06-dynamic_range", _dynamic_range),
    Notebook("ts_07-pong", _pong, hours=True),
    Notebook("ts_08-adex_complex_dynamics", _adex),
    Notebook("ts_09-inside_realtime_hook", _inside_realtime),
    Notebook("ts_10-multiple_configs", _multiple_configs),
    Notebook("ts_11-plasticity_homeostasis", _homeostasis),
    Notebook("cns_01_lif_parameters", _lif_parameters, needs_solution=True),
    Notebook("cns_02_lif_fIcurve", _firing_curves, needs_solution=True),
    Notebook("cns_03_exponential_lif", needs_solution=True),
    Notebook("fp_pynn_introduction"),
    Notebook("fp_singleNeuron", needs_solution=True),
    Notebook("fp_calibration", _calibration, needs_solution=True),
    Notebook("fp_synapticInput", needs_solution=True),
    Notebook("fp_synfireChain", needs_solution=True),
    Notebook("fp_sudoku", needs_solution=True),
    Notebook("gs_02_pynn_introduction"),
    Notebook("gs_03_single_neuron"),
    Notebook("gs_04-1_multiple_neurons_feuerkette"),
    Notebook("gs_06_logik_operationen"),
)

NOT_RUN = {
    "fp_adex_complex_dynamics, fp_multicompartment, fp_superspike": "the texts of ts_08, ts_03, ts_01 once more",
    "ts_05, ts_12, ts_13, tp_00, tp_01, tp_02, gs_05": "hxtorch comes later",
    "ts_04, gs_04-2": "need deap, which no extra of Neckar installs",
    "nmpi_00": "sends jobs to the platform's queue",
}
"""The other notebooks with experiments, and why this table leaves them out."""


def curve(axes: Any, x: Any, y: Any, label: Any = "") -> Curve:
    """Return what an axes was given; values without their unit."""
    return Curve(axes.get_title(), _microseconds(x), np.asarray(getattr(y, "magnitude", y), float).reshape(-1), str(label))
