"""Read the weight of a synapse during the experiment."""

from typing import Any

import numpy as np

import pynn_brainscales.brainscales2 as pynn


def main() -> Any:
    """Return the weights that were read."""
    pynn.setup()
    neuron = pynn.Population(1, pynn.cells.HXNeuron())
    source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=np.arange(0, 10, 0.01)))
    timer = pynn.Timer(start=5, period=10, num_periods=1)
    synapse = pynn.synapses.StaticRecordingSynapse(timer=timer, weight=63, observables={"weights"})
    projection = pynn.Projection(source, neuron, pynn.AllToAllConnector(), synapse_type=synapse)
    pynn.run(10)
    weights = projection.get_data("weights")[0]
    pynn.end()
    return weights


if __name__ == "__main__":
    print(main())
