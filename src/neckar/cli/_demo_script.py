"""A neuron circuit that fires on its own, because its leak potential lies above its threshold.

An ordinary PyNN script: it runs on the real chip as well. Parameters are codes of the chip's registers, times are milliseconds of hardware time.
"""

import pynn_brainscales.brainscales2 as pynn

pynn.setup()

neuron = pynn.Population(
    1,
    pynn.cells.HXNeuron(
        leak_v_leak=1000,  # far above the threshold
        leak_i_bias=150,
        threshold_enable=True,
        threshold_v_threshold=300,
        reset_v_reset=400,
        reset_i_bias=1022,
        reset_enable_multiplication=True,
        refractory_period_refractory_time=255,
        membrane_capacitance_capacitance=63,
    ),
)
neuron.record(["v", "spikes"])

pynn.run(0.2)

segment = neuron.get_data().segments[-1]
membrane = segment.irregularlysampledsignals[0]  # readings of the membrane converter (MADC)
spikes = segment.spiketrains[0]

pynn.end()
