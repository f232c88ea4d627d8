"""Count events at the outputs of the crossbar, with reads that are injected before and after the experiment."""

import numpy as np

import pynn_brainscales.brainscales2 as pynn
from dlens_vx_v3 import hal, halco


def main(num_spikes: int = 200, runtime: float = 20.0) -> dict[halco.CrossbarOutputOnDLS, int]:
    """Return how many events of a relaying neuron and its source passed each output within `runtime` milliseconds."""
    outputs = list(halco.iter_all(halco.CrossbarOutputOnDLS))
    counting = hal.CrossbarOutputConfig()
    for output in outputs:
        counting.enable_event_counter[output] = True
    config = pynn.InjectedConfiguration(pre_realtime={halco.CrossbarOutputConfigOnDLS(): counting})
    readout = pynn.InjectedReadout(pre_realtime=set(outputs), post_realtime=set(outputs))
    pynn.setup(injected_config=config, injected_readout=readout, enable_neuron_bypass=True)
    neuron = pynn.Population(1, pynn.cells.HXNeuron())
    neuron.record("spikes")
    source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=np.linspace(0.01, runtime - 0.01, num_spikes)))
    pynn.Projection(source, neuron, pynn.OneToOneConnector(), synapse_type=pynn.synapses.StaticSynapse(weight=63))
    pynn.run(runtime)
    before, after = pynn.get_pre_realtime_read(), pynn.get_post_realtime_read()
    pynn.end()
    return {output: int(after[output].value - before[output].value) for output in outputs}


if __name__ == "__main__":
    for place, count in main().items():
        print(f"{place}: {count}")
