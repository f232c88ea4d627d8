"""Weights beyond one synapse, as in the notebook ts_06: excitation is linear, inhibition saturates (study S04). Eight neurons, four of the weights."""

import measures
import numpy as np
from experiments import membrane

import pynn_brainscales.brainscales2 as pynn

NEURONS = range(0, 512, 64)
WEIGHTS = (0, 96, 192, 288)


def extremes(neuron, receptor_type, calibration):
    """Return (lowest, highest) reading for each weight."""
    pynn.setup(neuronPermutation=[neuron], initial_config=calibration)
    population = pynn.Population(1, pynn.cells.HXNeuron())
    population.set(threshold_enable=False)
    population.record("v")
    stimulus = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=[0.05]))
    synapse = pynn.synapses.StaticSynapse(weight=0)
    projection = pynn.Projection(stimulus, population, pynn.AllToAllConnector(), receptor_type=receptor_type, synapse_type=synapse)
    found = []
    for weight in WEIGHTS:
        projection.set(weight=weight if receptor_type == "excitatory" else -weight)
        pynn.run(0.15)
        values = membrane(population)[1]
        found.append((values.min(), values.max()))
        pynn.reset()
    pynn.end()
    return found


def dynamic_range():
    calibration = pynn.helper.chip_from_nightly()
    table = {kind: np.array([extremes(neuron, kind, calibration) for neuron in NEURONS]) for kind in ("excitatory", "inhibitory")}
    return measures.dynamic_range(WEIGHTS, table["excitatory"][:, :, 1], table["inhibitory"][:, :, 0])


def test_excitation_is_linear_and_inhibition_saturates():
    assert measures.outside(dynamic_range()) == {}
