"""A network of more neurons than the chip has circuits: it uses the chip several times."""

from typing import Any

import numpy as np

import pynn_brainscales.brainscales2 as pynn


def main() -> Any:
    """Relay the spikes of 10 sources over 1000 neurons to 1000 others and return the spike trains of these."""
    pynn.setup(enable_neuron_bypass=True)
    sources = pynn.Population(10, pynn.cells.SpikeSourceArray(spike_times=np.linspace(0.0, 1.0, 50)))
    hidden = pynn.Population(1000, pynn.cells.HXNeuron())
    output = pynn.Population(1000, pynn.cells.HXNeuron())
    output.record("spikes")
    synapse = pynn.synapses.StaticSynapse(weight=63)
    pynn.Projection(sources, hidden, pynn.AllToAllConnector(), synapse_type=synapse)
    pynn.Projection(hidden, output, pynn.OneToOneConnector(), synapse_type=synapse)
    pynn.run(1)
    spiketrains = output.get_data("spikes").segments[-1].spiketrains
    pynn.end()
    return spiketrains


if __name__ == "__main__":
    print(f"{sum(len(spiketrain) for spiketrain in main())} spikes")
