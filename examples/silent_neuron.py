"""A silent neuron: what the membrane converter reads when nothing happens.

The leak pulls the membrane firmly to its potential; what is left is the noise of the membrane and of the converter, which prefers even codes.
After the first experiment of the notebook ts_00-single_neuron in brainscales2-demos; its figure, of another chip, shows 374 LSB with a standard
deviation of 1.65. Run time: about 10 s, nearly all of it for starting up.
"""

import matplotlib.pyplot as plt
import numpy as np

import neckar
import pynn_brainscales.brainscales2 as pynn

RUNTIME_MS = 0.2


def measure():
    """Return time (us) and reading (LSB) of the samples."""
    pynn.setup()
    neuron = pynn.Population(1, pynn.cells.HXNeuron(leak_v_leak=700, leak_i_bias=1022))
    neuron.record("v")
    pynn.run(RUNTIME_MS)
    membrane = neuron.get_data().segments[-1].irregularlysampledsignals[0]
    pynn.end()
    return membrane.times.rescale("us").magnitude, membrane.magnitude[:, 0]


def main():
    """Print level and noise, and draw trace and histogram."""
    time, reading = measure()
    even = np.mean(reading % 2 == 0)
    print(f"{len(reading)} samples, one every {1e3 * np.diff(time).mean():.1f} ns")
    print(f"mean {reading.mean():.1f} LSB, standard deviation {reading.std():.2f} LSB, {100 * even:.0f} % of the codes are even")
    _, (trace, histogram) = plt.subplots(1, 2, figsize=(9, 3.5), width_ratios=(3, 1), sharey=True, layout="constrained")
    trace.plot(time, reading, ".", ms=2)
    trace.set(xlabel="hardware time [us]", ylabel="membrane [LSB of the MADC]", title=f"virtual chip {neckar.current_lab().specimen.id}: a silent neuron")
    codes, counts = np.unique(reading, return_counts=True)
    histogram.barh(codes, counts)
    histogram.set(xlabel="samples")
    plt.savefig("silent_neuron.png", dpi=150)


if __name__ == "__main__":
    main()
