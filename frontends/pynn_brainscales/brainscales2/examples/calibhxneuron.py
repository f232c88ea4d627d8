"""Neurons that are calibrated to targets, and fire more when the result of the calibration is changed."""

from typing import Any

import pynn_brainscales.brainscales2 as pynn


def main() -> Any:
    """Return the spike trains of four neurons, two of which are made to fire by changing the result of the calibration."""
    pynn.setup()
    neurons = pynn.Population(4, pynn.cells.CalibHXNeuronCuba(v_rest=[80, 50, 70, 60], v_reset=71, v_thresh=125))
    neurons.record("spikes")
    sources = pynn.Population(10, pynn.cells.SpikeSourcePoisson(rate=1e4, start=0, duration=10))
    pynn.Projection(sources, neurons, pynn.AllToAllConnector(), synapse_type=pynn.synapses.StaticSynapse(weight=63))
    pynn.run(None, pynn.RunCommand.PREPARE)
    neurons.actual_hwparams[0].leak.v_leak = 1022
    neurons[1:3].actual_hwparams[1].leak.v_leak = 1022
    pynn.run(10)
    spiketrains = neurons.get_data("spikes").segments[-1].spiketrains
    pynn.end()
    return spiketrains


if __name__ == "__main__":
    print([len(spiketrain) for spiketrain in main()])
