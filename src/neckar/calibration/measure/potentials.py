"""Potentials of all neurons by measurement: threshold, leak and reset, in readings of the calibrated converter.

Each stage brings the circuits into a state in which the potential shows on the membrane, reads all of them at once, and searches the code. Conditions as of
calix ``spiking/neuron_threshold.py`` and ``hagen/neuron_potentials.py``; a level is the mean of four rows instead of one reading.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.calibration.measure.bench import CIRCUITS, TABLE, Bench
from neckar.calibration.measure.binary import noisy_binary_search
from neckar.calibration.measure.membrane import search_membrane_time
from neckar.calibration.measure.outcome import Codes, Span, Values
from neckar.calibration.measure.stage import Reached, Stage
from neckar.calibration.settings import CIRCUIT_FIELDS, LONG_REFRACTORY, NEURONS, RESET_BIAS, dithered
from neckar.calibration.targets import PotentialTarget
from neckar.facts import CAPMEM_MAX
from neckar.program import Events

RAMP_BIAS = 70
"""Constant current that makes neurons fire while their threshold is measured, LSB: every 0.3 ms, by 0.5 CADC LSB in a microsecond."""

_ROWS_US = np.arange(100) * 5.0
_TRIALS = 5
_LEVEL_US = 10.0 + 2.0 * np.arange(4)


def _enable_spikes(bench: Bench, rng: np.random.Generator) -> Reached:
    bench.set(threshold_enable=True)
    return {}


SPIKES = Stage("spikes", _enable_spikes)
"""The last stage of neurons: they fire from now on."""


def stages(target: PotentialTarget) -> tuple[Stage, ...]:
    """Return the stages that search the potentials of neurons without inputs, after the converter's."""

    def prepare(bench: Bench, rng: np.random.Generator) -> Reached:
        set_neurons(bench, target, rng)
        return {}

    found = [
        Stage("neurons", prepare),
        Stage("threshold", lambda bench, rng: {"threshold_v_threshold": search_threshold(bench, target.threshold, rng)}),
        Stage("leak", lambda bench, rng: {"leak_v_leak": search_leak(bench, target.leak, rng)}),
        Stage("reset", lambda bench, rng: {"reset_v_reset": search_reset(bench, target.reset, rng)}),
        SPIKES,
    ]
    if target.tau_mem_s is not None:
        tau_s = np.asarray(target.tau_mem_s)
        found.insert(3, Stage("membrane time constant", lambda bench, rng: {"leak_i_bias": search_membrane_time(bench, tau_s, rng)}))
    return tuple(found)


def refinement(leak: ArrayLike, reset: ArrayLike, threshold: ArrayLike) -> tuple[Stage, ...]:
    """Return the stages that search the potentials of calibrated neurons again, in CADC LSB, with their inputs as they are."""
    return (
        Stage("threshold again", lambda bench, rng: {"threshold_v_threshold": search_threshold(bench, threshold, rng)}),
        Stage("reset again", lambda bench, rng: {"reset_v_reset": search_reset(bench, reset, rng)}),
        Stage("leak again", lambda bench, rng: {"leak_v_leak": search_leak(bench, leak, rng)}),
    )


def set_neurons(bench: Bench, target: PotentialTarget, rng: np.random.Generator) -> None:
    """Set everything that is not searched; neurons do not fire yet."""
    bench.set(**{name: TABLE[name].default_array() for name in CIRCUIT_FIELDS})
    bench.set(**NEURONS, excitatory_input_enable=False, inhibitory_input_enable=False)
    bench.set(
        membrane_capacitance_capacitance=np.asarray(target.membrane_capacitance).astype(np.int64),
        reset_i_bias=dithered(RESET_BIAS, rng),
        leak_i_bias=dithered(target.leak_bias, rng),
    )


def search_threshold(bench: Bench, target: ArrayLike, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Search the thresholds: without leak, a constant current makes the neurons fire from a low reset, and the highest reading counts."""
    silent = {"leak_i_bias": 0, "reset_v_reset": 0, "threshold_enable": True, "event_routing_enable_digital": False}
    silent |= {"excitatory_input_enable": False, "inhibitory_input_enable": False}
    with bench.changed(**silent, constant_current_enable=True, constant_current_i_offset=RAMP_BIAS):
        return _search(bench, "threshold_v_threshold", target, lambda: _peaks(bench), rng)


def search_leak(bench: Bench, target: ArrayLike, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Search the leak potentials of neurons at rest."""
    with bench.changed(threshold_enable=False):
        return _search(bench, "leak_v_leak", target, lambda: bench.membranes(_LEVEL_US).mean(axis=(0, 1)), rng)


def search_reset(bench: Bench, target: ArrayLike, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Search the reset potentials of neurons that are held at reset by a refractory period of a millisecond."""
    return _search(bench, "reset_v_reset", target, lambda: reset_levels(bench), rng)


def reset_levels(bench: Bench) -> Values:
    """Return the mean reading of each neuron while it is held at reset, shape (circuit,)."""
    with bench.changed(**LONG_REFRACTORY, threshold_enable=False):
        return np.asarray(bench.membranes(_LEVEL_US, neuron_reset=True).mean(axis=(0, 1)))


def _peaks(bench: Bench) -> NDArray[np.int64]:
    """Return the highest reading of each firing neuron: as many rows as the fast memory keeps, in trials that begin anywhere between two spikes."""
    return np.asarray(bench.membranes(_ROWS_US, Events.empty(_TRIALS)).max(axis=(0, 1)))


def _search(bench: Bench, field: str, target: ArrayLike, read: Callable[[], NDArray[Any]], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Search a field of the circuits for a reading of each and leave it set; return where it was reached."""

    def measure(codes: Codes) -> Values:
        bench.set(**{field: codes})
        return read().astype(np.float64)

    found = noisy_binary_search(measure, target, len(CIRCUITS), Span(0, CAPMEM_MAX), rng)
    bench.set(**{field: found.codes})
    return found.reached
