"""Attenuation along a chain of four compartments, as in the notebook ts_03 (study S05)."""

import measures
import numpy as np

import pynn_brainscales.brainscales2 as pynn
from pynn_brainscales.brainscales2.morphology import Compartment, SharedLineConnection, create_mc_neuron

LENGTH = 4
INPUTS = 10
INTERVAL_MS = 0.2


def chain_type():
    """Return the cell type: two circuits for each compartment, a conductance to the next one through the shared line."""
    last = LENGTH - 1
    compartments = [
        Compartment(
            positions=[2 * place, 2 * place + 1],
            label=f"part_{place}",
            connect_conductance=[(2 * place + 1, 200)] if place < last else None,
            connect_shared_line=[2 * place] if place else None,
        )
        for place in range(LENGTH)
    ]
    lines = [SharedLineConnection(start=2 * place + 1, stop=2 * place + 2, row=0) for place in range(last)]
    return create_mc_neuron("Chain", compartments=compartments, connections=lines, single_active_circuit=True)


def chain():
    pynn.setup(initial_config=pynn.helper.chip_from_nightly())
    population = pynn.Population(1, chain_type()(threshold_enable=False))
    times_ms = INTERVAL_MS * (np.arange(LENGTH) + 0.5)
    for place, time_ms in enumerate(times_ms):
        source = pynn.Population(INPUTS, pynn.cells.SpikeSourceArray(spike_times=[time_ms]))
        connector = pynn.AllToAllConnector(location_selector=f"part_{place}")
        pynn.Projection(source, population, connector, synapse_type=pynn.synapses.StaticSynapse(weight=31))
    population.set(multicompartment_i_bias_nmda=500)
    heights = np.zeros((LENGTH, LENGTH))
    for recorded in range(LENGTH):
        population.record(["v"], locations=[f"part_{recorded}"])
        pynn.run(LENGTH * INTERVAL_MS)
        trace = measures.trace(population.get_data(clear=True).segments[-1].irregularlysampledsignals[0])
        for injected, time_ms in enumerate(times_ms):
            heights[injected, recorded] = measures.response(*trace, 1e3 * time_ms, before_us=10, window_us=60).height
        population.record(None)
        pynn.reset()
    pynn.end()
    return measures.chain(heights)


def test_responses_fall_with_the_distance_from_the_input():
    assert measures.outside(chain()) == {}
