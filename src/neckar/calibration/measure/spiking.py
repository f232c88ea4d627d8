"""A chip for spiking networks by measurement: which stages, in which order, and what comes before the first.

The order is upstream's (calix ``spiking/neuron.py``, ``spiking/__init__.py``). Stages build on what earlier ones left: synaptic lines before the currents that
pull them, currents before the inputs, the membrane's time constant between two searches of the leak, whose level moves with its bias. At the end converter and
potentials are searched again, because the cells that were set meanwhile may have moved them. Refractory periods need no measurement: the clocks are digital.
"""

from __future__ import annotations

import numpy as np

from neckar.calibration.clocks import refractory_clocks
from neckar.calibration.measure.bench import Bench
from neckar.calibration.measure.compartments import stages as compartment_stages
from neckar.calibration.measure.conductance import references_of, search_conductances
from neckar.calibration.measure.converter import calibrate_cadc
from neckar.calibration.measure.correlation import stages as correlation_stages
from neckar.calibration.measure.drivers import stages as driver_stages
from neckar.calibration.measure.inputs import enabled, prepared, search_references, search_strengths
from neckar.calibration.measure.membrane import search_membrane_time
from neckar.calibration.measure.potentials import SPIKES, refinement, search_leak, search_reset, search_threshold, set_neurons
from neckar.calibration.measure.stage import Reached, Stage
from neckar.calibration.measure.stimuli import KINDS
from neckar.calibration.measure.synapse_dac import search_synapse_dac
from neckar.calibration.measure.synaptic_time import search_synaptic_time
from neckar.calibration.settings import FIRST_LEAK, FIRST_LEAK_BIAS, dithered
from neckar.calibration.targets import NeuronTarget, PotentialTarget, SpikingTarget


def stages(target: SpikingTarget) -> tuple[Stage, ...]:
    """Return the stages of a whole chip, in order.

    Raises
    ------
    ParameterRangeError
        If the reference of a conductance-based input cannot be measured.
    """
    neurons = target.neurons
    references_of(neurons)
    refine = target.refine_potentials if target.refine_potentials is not None else not neurons.is_conductance_based.any()
    return (
        Stage("converter", lambda bench, rng: calibrate_cadc(bench, target.cadc)),
        *neuron_stages(neurons),
        *driver_stages(target.stp),
        *((Stage("converter again", lambda bench, rng: calibrate_cadc(bench, target.cadc)),) if refine else ()),
        *(refinement(neurons.leak, neurons.reset, neurons.threshold) if refine else ()),
        *(() if target.correlation is None else correlation_stages(target.correlation)),
        SPIKES,
    )


def neuron_stages(target: NeuronTarget) -> tuple[Stage, ...]:
    """Return the stages of spiking neurons, after the converter's."""
    tau_syn_s, tau_mem_s = np.asarray(target.tau_syn_s), np.asarray(target.tau_mem_s)

    def prepare(bench: Bench, rng: np.random.Generator) -> Reached:
        set_neurons(bench, PotentialTarget(leak_bias=FIRST_LEAK_BIAS, membrane_capacitance=target.membrane_capacitance), rng)
        bench.set(**refractory_clocks(np.asarray(target.refractory_time_s), np.asarray(target.holdoff_time_s)).fields())
        bench.set(synapse_row_mode=0, leak_v_leak=dithered(FIRST_LEAK, rng), **{f"{kind}_input_enable_small_capacitance": False for kind in KINDS})
        return {}

    def enable(bench: Bench, rng: np.random.Generator) -> Reached:
        bench.set(**enabled(*KINDS))
        return {}

    return (
        Stage("neurons", prepare),
        Stage("synaptic time constants", lambda bench, rng: search_synaptic_time(bench, tau_syn_s, rng)),
        Stage("currents of the synapses", lambda bench, rng: {"syn_i_bias_dac": search_synapse_dac(bench, target.synapse_dac_bias)}),
        Stage("threshold", lambda bench, rng: {"threshold_v_threshold": search_threshold(bench, target.threshold, rng)}),
        Stage("inputs", lambda bench, rng: _search_inputs(bench, target, rng)),
        Stage("leak", lambda bench, rng: {"leak_v_leak": search_leak(bench, target.leak, rng)}),
        Stage("membrane time constant", lambda bench, rng: {"leak_i_bias": search_membrane_time(bench, tau_mem_s, rng)}),
        Stage("reset", lambda bench, rng: {"reset_v_reset": search_reset(bench, target.reset, rng)}),
        Stage("leak after the membrane", lambda bench, rng: {"leak_v_leak": search_leak(bench, target.leak, rng)}),
        *(() if target.tau_icc_s is None else compartment_stages(np.asarray(target.tau_icc_s))),
        Stage("inputs on", enable),
    )


def _search_inputs(bench: Bench, target: NeuronTarget, rng: np.random.Generator) -> Reached:
    """Search strengths, references and conductances of the inputs in the state that shows them."""
    gm = np.asarray(target.i_synin_gm, np.float64)
    reached: Reached = {}
    with prepared(bench, rng):
        if target.strength == "fixed":
            bench.set(**{f"{kind}_input_i_bias_gm": np.rint(gm[:, k]) for k, kind in enumerate(KINDS)})
        else:
            reached |= search_strengths(bench, gm, target.strength == "matched", rng)
        reached |= search_references(bench, rng)
        reached |= search_conductances(bench, target, rng)
    return reached
