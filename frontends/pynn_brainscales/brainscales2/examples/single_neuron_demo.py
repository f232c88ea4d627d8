"""Four experiments with single neurons: at rest, firing, spread between circuits, and synaptic input."""

from typing import Any

import pynn_brainscales.brainscales2 as pynn
from pynn_brainscales.brainscales2 import Population

resting = {"leak_v_leak": 700, "leak_i_bias": 1022}
firing = {
    "leak_v_leak": 1000,
    "leak_i_bias": 200,
    "threshold_enable": True,
    "threshold_v_threshold": 300,
    "reset_v_reset": 400,
    "reset_i_bias": 1022,
    "reset_enable_multiplication": True,
    "membrane_capacitance_capacitance": 63,
    "refractory_period_refractory_time": 120,
}
stimulated = {
    **firing,
    "leak_v_leak": 400,
    "threshold_v_threshold": 400,
    "reset_v_reset": 300,
    **{f"{line}_input_{name}": value for line in ("excitatory", "inhibitory") for name, value in (("enable", True), ("i_bias_gm", 1022), ("i_bias_tau", 200))},
    "excitatory_input_i_shift_reference": 300,
    "inhibitory_input_i_shift_reference": 300,
}


def plot_membrane_dynamics(population: Population, segment_id: int = -1) -> None:
    """Plot membrane and spikes of a population or view of one neuron."""
    import matplotlib.pyplot as plt

    if len(population) != 1:
        raise ValueError(f"the membrane of {len(population)} neurons was to be plotted; allowed is one. Take a view of one neuron.")
    segment = population.get_data().segments[segment_id]
    for spiketrain in segment.spiketrains:
        for time in spiketrain:
            plt.axvline(time, color="black")
    membrane = segment.irregularlysampledsignals[0]
    plt.plot(membrane.times, membrane.magnitude, alpha=0.5)
    plt.xlabel("Wall clock time [ms]")
    plt.ylabel("ADC readout [a.u.]")
    plt.ylim(0, 1023)


def experiment(params: dict[str, Any], size: int, runtime: float, plot: bool) -> list[Any]:
    """Record the membranes of neurons one after the other and return the segments."""
    pynn.setup()
    neurons = pynn.Population(size, pynn.cells.HXNeuron(**params))
    if "excitatory_input_enable" in params:
        for receptor, weight, times in (("excitatory", 63, [0.01, 0.05, 0.07, 0.08]), ("inhibitory", -63, [0.03])):
            source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=times))
            synapse = pynn.synapses.StaticSynapse(weight=weight)
            pynn.Projection(source, neurons, pynn.AllToAllConnector(), synapse_type=synapse, receptor_type=receptor)
    segments = []
    for i in range(size):
        one = pynn.PopulationView(neurons, [i])
        one.record(["v", "spikes"])
        pynn.run(runtime)
        segments.append(one.get_data().segments[-1])
        if plot:
            plot_membrane_dynamics(one)
        pynn.reset()
        neurons.record(None)
    pynn.end()
    return segments


def main(plot: bool = False) -> list[list[Any]]:
    """Return the segments of each experiment, and draw them if asked."""
    return [
        experiment(resting, 1, 0.2, plot),
        experiment(firing, 1, 0.2, plot),
        experiment(firing, 10, 0.1, plot),
        experiment(stimulated, 1, 0.1, plot),
    ]


if __name__ == "__main__":
    import matplotlib.pyplot as plt

    main(plot=True)
    plt.show()
