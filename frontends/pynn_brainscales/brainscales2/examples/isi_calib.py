"""Find the refractory time at which a firing neuron has a given mean interval between its spikes."""

import numpy as np

import pynn_brainscales.brainscales2 as pynn
from dlens_vx_v3 import halco, lola

cell_params = {
    "leak_v_leak": 1022,
    "leak_i_bias": 950,
    "threshold_enable": True,
    "threshold_v_threshold": 400,
    "reset_v_reset": 400,
    "reset_i_bias": 950,
    "membrane_capacitance_capacitance": 32,
}


def get_isi(tau_ref: int) -> float:
    """Return the mean interval in milliseconds at a code of the refractory time, 0 if the neuron does not fire."""
    initial_config = lola.Chip()
    for coord in halco.iter_all(halco.CommonNeuronBackendConfigOnDLS):
        backend = initial_config.neuron_block.backends[coord]
        backend.enable_clocks, backend.clock_scale_slow, backend.clock_scale_fast = True, 3, 3
    pynn.setup(initial_config=initial_config)
    neuron = pynn.Population(1, pynn.cells.HXNeuron(**cell_params, refractory_period_refractory_time=tau_ref))
    neuron.record("spikes")
    pynn.run(0.2)
    spikes = neuron.get_data("spikes").segments[-1].spiketrains[0].magnitude
    pynn.end()
    return float(np.diff(spikes).mean()) if len(spikes) > 1 else 0.0


def calibrate_isi(target_isi: float) -> tuple[float, int]:
    """Return the interval nearest to `target_isi` milliseconds, and its code of the refractory time, out of every tenth code."""
    codes = list(range(5, 256, 10))
    intervals = [get_isi(code) for code in codes]
    best = int(np.argmin(np.abs(np.array(intervals) - target_isi)))
    return intervals[best], codes[best]


if __name__ == "__main__":
    interval, code = calibrate_isi(0.01)
    print(f"interval {interval:.4f} ms at code {code}")
