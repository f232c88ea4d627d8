"""One neuron, as in the notebook ts_00: silent, firing on its own, beside others with equal codes, and stimulated through synapses (study S01)."""

import measures
import numpy as np
import pytest
from experiments import membrane

import pynn_brainscales.brainscales2 as pynn

FIRING = {
    "leak_v_leak": 1000,
    "reset_v_reset": 400,
    "reset_i_bias": 1022,
    "reset_enable_multiplication": True,
    "membrane_capacitance_capacitance": 63,
    "refractory_period_refractory_time": 255,
    "threshold_enable": True,
}


def recorded(duration_ms, **parameters):
    """Run one neuron; return its membrane trace and its spike times in microseconds."""
    pynn.setup()
    population = pynn.Population(1, pynn.cells.HXNeuron(**parameters))
    population.record(["v", "spikes"])
    pynn.run(duration_ms)
    spikes = population.get_data("spikes").segments[-1].spiketrains[0]
    result = membrane(population), 1e3 * np.asarray(spikes.rescale("ms").magnitude)
    pynn.end()
    return result


def silent_neuron():
    (_, values), spikes = recorded(0.2, leak_v_leak=700, leak_i_bias=1022)
    assert len(spikes) == 0
    return measures.silent(values)


def test_a_silent_neuron_stays_at_its_leak_potential():
    assert measures.outside(silent_neuron()) == {}


def test_the_level_follows_the_leak_potential():
    levels = [recorded(0.1, leak_v_leak=code, leak_i_bias=1022)[0][1].mean() for code in (400, 550, 700, 850, 1000)]
    assert np.all(np.diff(levels) > 0)
    assert measures.r_squared((400, 550, 700, 850, 1000), levels) > 0.98


def leak_over_threshold():
    trace, spikes = recorded(0.2, leak_i_bias=150, threshold_v_threshold=300, **FIRING)
    measured = measures.leak_over_threshold(*trace)
    assert np.median(np.diff(spikes)) == pytest.approx(measured["leak over threshold: period [us]"], abs=0.1)
    return measured


def test_a_leak_potential_above_the_threshold_makes_a_saw_tooth():
    assert measures.outside(leak_over_threshold()) == {}


def fixed_pattern():
    pynn.setup()
    population = pynn.Population(10, pynn.cells.HXNeuron(leak_i_bias=200, threshold_v_threshold=500, **FIRING))
    traces = []
    for neuron in range(len(population)):
        view = pynn.PopulationView(population, [neuron])
        view.record(["v"])
        pynn.run(0.1)
        traces.append(membrane(view))
        pynn.reset()
        population.record(None)
    pynn.end()
    return measures.fixed_pattern(traces)


def test_neurons_with_equal_codes_differ():
    assert measures.outside(fixed_pattern()) == {}


def stimulation():
    pynn.setup(initial_config=pynn.helper.chip_from_nightly())
    population = pynn.Population(1, pynn.cells.HXNeuron())
    population.record(["v"])
    for sign, receptor, at_ms in ((1, "excitatory", 0.02), (-1, "inhibitory", 0.1)):
        source = pynn.Population(2, pynn.cells.SpikeSourceArray(spike_times=[at_ms]))
        synapse = pynn.synapses.StaticSynapse(weight=sign * 31)
        pynn.Projection(source, population, pynn.AllToAllConnector(), synapse_type=synapse, receptor_type=receptor)
    pynn.run(0.2)
    measured = measures.stimulation(*membrane(population), excitatory_us=20, inhibitory_us=100)
    pynn.end()
    return measured


def test_calibrated_synapses_move_the_membrane_both_ways():
    assert measures.outside(stimulation()) == {}
