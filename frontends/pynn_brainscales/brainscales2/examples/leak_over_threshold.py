"""Neurons whose resting potential lies above their threshold fire without input."""

from typing import Any

import pynn_brainscales.brainscales2 as pynn

cell_params = {
    "leak_v_leak": 1022,
    "leak_i_bias": 320,
    "threshold_enable": True,
    "threshold_v_threshold": 350,
    "reset_v_reset": 400,
    "reset_i_bias": 950,
    "reset_enable_multiplication": True,
    "membrane_capacitance_capacitance": 63,
    "refractory_period_refractory_time": 95,
}


def main(params: dict[str, Any]) -> None:
    """Let three neurons fire for 0.2 ms and log their spikes; record the membrane of one."""
    log = pynn.logger.get("leak_over_threshold")
    pynn.setup()
    pair = pynn.Population(2, pynn.cells.HXNeuron(**params))
    single = pynn.Population(1, pynn.cells.HXNeuron(**params))
    single.record(["spikes", "v"])
    pair.record("spikes")
    pynn.run(0.2)
    for i, spiketrain in enumerate(pair.get_data("spikes").segments[-1].spiketrains):
        log.INFO(f"neuron {i} of the pair fired {len(spiketrain)} times")
    data = single.get_data().segments[-1]
    log.INFO(f"the single neuron fired {len(data.spiketrains[0])} times, seen in {len(data.irregularlysampledsignals[0])} samples of its membrane")
    pynn.end()


if __name__ == "__main__":
    pynn.logger.default_config(level=pynn.logger.LogLevel.INFO)
    main(cell_params)
