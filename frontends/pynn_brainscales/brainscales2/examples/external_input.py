"""A neuron with input from spike sources outside the chip."""

from typing import Any

import pynn_brainscales.brainscales2 as pynn

cell_params = {
    "leak_v_leak": 750,
    "leak_i_bias": 420,
    "leak_enable_division": True,
    "threshold_enable": True,
    "threshold_v_threshold": 300,
    "reset_v_reset": 200,
    "reset_i_bias": 950,
    "reset_enable_multiplication": True,
    "membrane_capacitance_capacitance": 4,
    "refractory_period_refractory_time": 250,
    "excitatory_input_enable": True,
    "excitatory_input_i_bias_tau": 150,
    "excitatory_input_i_bias_gm": 200,
}


def main(params: dict[str, Any]) -> tuple[Any, Any]:
    """Stimulate a neuron ten times by twenty sources and return the spike trains of the neuron and of one source."""
    pynn.setup()
    neuron = pynn.Population(1, pynn.cells.HXNeuron(**params))
    neuron.record(["spikes", "v"])
    sources = pynn.Population(20, pynn.cells.SpikeSourceArray(spike_times=[0.01 + 0.02 * i for i in range(10)]))
    sources[2:5].record("spikes")
    pynn.Projection(sources, neuron, pynn.AllToAllConnector(), synapse_type=pynn.synapses.StaticSynapse(weight=63))
    pynn.run(0.2)
    spiketrains = tuple(cells.get_data("spikes").segments[-1].spiketrains[0] for cells in (neuron, sources))
    pynn.end()
    return spiketrains


if __name__ == "__main__":
    pynn.logger.default_config(level=pynn.logger.LogLevel.INFO)
    out, given = main(cell_params)
    pynn.logger.get("external_input").INFO(f"{len(given)} input spikes from each source, {len(out)} output spikes")
