"""A hundred firing neurons stimulate another neuron on the same chip."""

import pynn_brainscales.brainscales2 as pynn

firing = {
    "leak_v_leak": 1022,
    "leak_i_bias": 420,
    "leak_enable_division": True,
    "threshold_enable": True,
    "threshold_v_threshold": 400,
    "reset_v_reset": 50,
    "reset_i_bias": 950,
    "reset_enable_multiplication": True,
    "membrane_capacitance_capacitance": 10,
    "refractory_period_refractory_time": 95,
}
waiting = {
    **firing,
    "leak_v_leak": 650,
    "reset_v_reset": 650,
    "excitatory_input_enable": True,
    "excitatory_input_i_bias_tau": 150,
    "excitatory_input_i_bias_gm": 200,
}


def main() -> int:
    """Return how often the stimulated neuron fires within 0.2 ms."""
    pynn.setup()
    target = pynn.Population(1, pynn.cells.HXNeuron(**waiting))
    sources = pynn.Population(100, pynn.cells.HXNeuron(**firing))
    target.record(["spikes", "v"])
    sources.record("spikes")
    pynn.Projection(sources, target, pynn.AllToAllConnector(), synapse_type=pynn.synapses.StaticSynapse(weight=63))
    pynn.run(0.2)
    n_sent = sum(len(spiketrain) for spiketrain in sources.get_data("spikes").segments[-1].spiketrains)
    n_fired = len(target.get_data("spikes").segments[-1].spiketrains[0])
    pynn.logger.get("internal_projections").INFO(f"{n_sent} spikes of the sources, {n_fired} of the stimulated neuron")
    pynn.end()
    return n_fired


if __name__ == "__main__":
    pynn.logger.default_config(level=pynn.logger.LogLevel.INFO)
    main()
