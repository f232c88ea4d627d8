"""Chips that multiply matrices by measurement, integrating on membranes or on synaptic lines: which stages, in which order.

The order is upstream's (calix ``hagen/__init__.py``, ``hagen/neuron.py``). Drivers come first, seen on the synaptic lines through a converter whose range fits
these; then the converter again for the membranes. Neurons that integrate have short lines and slow membranes while their inputs are matched, and afterwards no
leak at all, or as little as the wanted noise allows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.measure.bench import CIRCUITS, TABLE, Bench
from neckar.calibration.measure.binary import noisy_binary_search
from neckar.calibration.measure.converter import calibrate_cadc
from neckar.calibration.measure.drivers import search_multiplication
from neckar.calibration.measure.inputs import enabled, resting, search_references, search_strengths
from neckar.calibration.measure.membrane import search_membrane_time
from neckar.calibration.measure.outcome import Codes, Span, Values
from neckar.calibration.measure.potentials import search_leak, search_reset, set_neurons
from neckar.calibration.measure.stage import Reached, Stage
from neckar.calibration.measure.stimuli import KINDS
from neckar.calibration.measure.synapse_dac import search_synapse_dac
from neckar.calibration.measure.synaptic_time import search_synaptic_time
from neckar.calibration.settings import FIRST_LEAK, FIRST_LEAK_BIAS, dithered
from neckar.calibration.targets import CadcTarget, HagenNeuronTarget, HagenSyninTarget, HagenTarget, PotentialTarget
from neckar.facts import CAPMEM_MAX
from neckar.program import Events

LINES_CADC = CadcTarget(dynamic_range=(150, 340))
"""Range of the converter in which synaptic lines lie."""

LINES_BIAS = 800
"""Current of the synapses while drivers are measured, LSB."""

_ROOM = (1.0, 250.0)

_READS, _READ_AT_US = 60, 30.0
_DRIFTS = ((15, 1.0), (30, 10.0))
"""A drift beyond so many LSB counts as so much noise more."""

_MASKED_ABOVE = 0.8
"""Neurons are given up whose noise is above the target by more than this, LSB."""

RESETS: dict[str, Any] = {
    "backend_clock_scale_slow": 9,
    "backend_clock_scale_fast": 2,
    "refractory_period_refractory_time": 70,
    "refractory_period_input_clock": 1,
}
"""Clocks of the resets: the fast one between two vectors, 2.2 us, the slow one for long ones."""


def stages(target: HagenTarget) -> tuple[Stage, ...]:
    """Return the stages of a chip that integrates on membranes, in order."""
    cadc = target.cadc
    return (
        Stage("converter for synaptic lines", lambda bench, rng: calibrate_cadc(bench, LINES_CADC)),
        *driver_stages(LINES_BIAS, target.offset_test_activation),
        Stage("converter", lambda bench, rng: calibrate_cadc(bench, cadc)),
        *neuron_stages(target.neurons),
    )


def line_stages(target: HagenSyninTarget) -> tuple[Stage, ...]:
    """Return the stages of a chip that integrates on synaptic lines, in order."""
    return (
        Stage("converter", lambda bench, rng: calibrate_cadc(bench, target.cadc)),
        *driver_stages(target.synapse_dac_bias, target.offset_test_activation),
        Stage("synaptic lines", leave_lines),
    )


def driver_stages(bias: int, test_activation: int) -> tuple[Stage, ...]:
    """Return the stages from a reset chip with a converter to its drivers."""

    def drivers(bench: Bench, rng: np.random.Generator) -> Reached:
        ramps, offsets = search_multiplication(bench, test_activation)
        return {"stp_i_ramp": ramps, "driver_hagen_dac_offset": offsets}

    return (
        Stage("neurons", set_up),
        Stage("currents of the synapses", lambda bench, rng: {"syn_i_bias_dac": search_synapse_dac(bench, bias)}),
        Stage("drivers", drivers),
    )


def set_up(bench: Bench, rng: np.random.Generator) -> Reached:
    """Set everything of the neurons that is not searched; their inputs are off."""
    set_neurons(bench, PotentialTarget(leak_bias=FIRST_LEAK_BIAS), rng)
    bench.set(**RESETS, synapse_row_mode=0, leak_v_leak=dithered(FIRST_LEAK, rng))
    return {}


def leave_lines(bench: Bench, rng: np.random.Generator) -> Reached:
    """Leave neurons whose lines integrate: nothing recovers them, nothing reaches the membranes."""
    for kind in KINDS:
        name = f"{kind}_input"
        bench.set(**{f"{name}_enable_small_capacitance": False, f"{name}_enable_high_resistance": True, f"{name}_i_bias_tau": 0})
    bench.set(**enabled(), leak_v_leak=0, leak_i_bias=0, readout_source=(TABLE["readout_source"].choices or ()).index("exc_synin"))
    return {}


def neuron_stages(target: HagenNeuronTarget) -> tuple[Stage, ...]:
    """Return the stages of neurons that integrate, after those of the drivers and of their own converter."""
    tau_mem_s, tau_syn_s, gm = np.asarray(target.tau_mem_s), np.asarray(target.tau_syn_s), np.array([float(target.i_synin_gm)])

    def prepare(bench: Bench, rng: np.random.Generator) -> Reached:
        bench.set(**{f"{kind}_input_enable_small_capacitance": True for kind in KINDS}, leak_enable_division=True)
        return {}

    def inputs_on(bench: Bench, rng: np.random.Generator) -> Reached:
        bench.set(**enabled(*KINDS))
        return {}

    def no_leak(bench: Bench, rng: np.random.Generator) -> Reached:
        bench.set(leak_i_bias=0)
        return {}

    def potentials(again: str = "") -> tuple[Stage, ...]:
        return (
            Stage(f"leak{again}", lambda bench, rng: {"leak_v_leak": search_leak(bench, target.leak, rng)}),
            Stage(f"reset{again}", lambda bench, rng: {"reset_v_reset": search_reset(bench, resting(bench), rng)}),
        )

    found = [
        Stage("neurons that integrate", prepare),
        Stage("currents of the synapses for membranes", lambda bench, rng: {"syn_i_bias_dac": search_synapse_dac(bench, target.synapse_dac_bias)}),
        Stage("synaptic time constants", lambda bench, rng: search_synaptic_time(bench, tau_syn_s, rng)),
        Stage("leak of slow membranes", lambda bench, rng: {"leak_v_leak": search_leak(bench, target.leak, rng)}),
        Stage("membrane time constant", lambda bench, rng: {"leak_i_bias": search_membrane_time(bench, tau_mem_s, rng, method="windows")}),
        Stage("inputs", lambda bench, rng: search_strengths(bench, gm, True, rng, _ROOM)),
        Stage("references of the inputs", search_references),
        Stage("inputs on", inputs_on),
        *potentials(),
    ]
    if target.noise is not None:
        noise = target.noise
        found += [
            Stage("noise", lambda bench, rng: {"leak_i_bias": search_noise(bench, noise, rng)}),
            Stage("references of the inputs again", _references_again),
            *potentials(" again"),
        ]
    if target.disable_leak:
        found.append(Stage("no leak", no_leak))
    return tuple(found)


def _references_again(bench: Bench, rng: np.random.Generator) -> Reached:
    """Search the references of inputs that are on, and leave them on."""
    with bench.changed(**enabled()):
        return search_references(bench, rng)


def search_noise(bench: Bench, noise: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Search the weakest leaks at which membranes neither scatter nor drift too much, and leave them set.

    Parameters
    ----------
    bench : Bench
        Its neurons reset to where they rest.
    noise : float
        Standard deviation of readings 30 us after a reset, CADC LSB; drifts count as noise (calix ``hagen/neuron_leak_bias.py``).
    rng : Generator

    Returns
    -------
    ndarray of bool, shape (circuit,)
        Which neurons do not exceed the wanted noise by more than 0.8 LSB.
    """
    rest = resting(bench)

    def measure(codes: Codes) -> Values:
        bench.set(leak_i_bias=codes)
        return _unrest(bench, rest)

    found = noisy_binary_search(measure, noise, len(CIRCUITS), Span(0, CAPMEM_MAX), rng, inverted=True)
    return measure(found.codes) <= noise + _MASKED_ABOVE


def _unrest(bench: Bench, rest: Values) -> Values:
    """Return the standard deviation of readings after resets, LSB, and more where their mean lies far from where the membrane rests or did rest."""
    now = resting(bench)
    reads = bench.membranes((_READ_AT_US,), Events.empty(_READS), neuron_reset=True)[:, 0]
    drift = np.abs(reads.mean(axis=0) - np.stack([rest, now])).max(axis=0)
    return np.asarray(reads.std(axis=0) + sum(more * (drift > far) for far, more in _DRIFTS))
