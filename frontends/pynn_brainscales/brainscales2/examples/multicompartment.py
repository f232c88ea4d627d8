"""A chain of compartments with an input to each."""

from typing import Any

import numpy as np

import pynn_brainscales.brainscales2 as pynn
from pynn_brainscales.brainscales2.morphology import Compartment, McNeuronBase, SharedLineConnection, create_mc_neuron


def create_neuron_class(length: int) -> type[McNeuronBase]:
    """Return a chain of compartments of two circuits, each connected to the next by a conductance."""
    compartments = [
        Compartment(
            positions=[2 * i, 2 * i + 1],
            label=f"comp{i}",
            connect_shared_line=[2 * i] if i > 0 else [],
            connect_conductance=[(2 * i + 1, 200)] if i < length - 1 else [],
        )
        for i in range(length)
    ]
    connections = [SharedLineConnection(start=2 * i + 1, stop=2 * i + 2, row=0) for i in range(length - 1)]
    return create_mc_neuron("McNeuron", compartments, connections, single_active_circuit=True)


def main(length: int = 3, runtime: float = 0.15) -> list[Any]:
    """Return the membrane of each compartment while one compartment after another gets an input."""
    neuron_type = create_neuron_class(length)
    pynn.setup(initial_config=pynn.helper.chip_from_nightly())
    neuron = pynn.Population(1, neuron_type(threshold_enable=False))
    for i, time in enumerate(np.linspace(0.01, runtime - 0.05, length)):
        sources = pynn.Population(3, pynn.cells.SpikeSourceArray(spike_times=[time]))
        connector = pynn.AllToAllConnector(location_selector=f"comp{i}")
        pynn.Projection(sources, neuron, connector, synapse_type=pynn.synapses.StaticSynapse(weight=63))
    neuron.record("v", locations=neuron_type.get_labels(), device="cadc")
    pynn.run(runtime)
    membranes = list(neuron.get_data("v").segments[-1].irregularlysampledsignals)
    pynn.end()
    return membranes


if __name__ == "__main__":
    for membrane in main():
        print(f"{membrane.annotations['source_locations'][0]}: rises by {float(membrane.max() - membrane.min()):.0f} codes")
