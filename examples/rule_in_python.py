"""A plasticity rule in Python: the same weights as from the C++ kernel that it generates.

128 neurons hear one Poisson source of 120 kHz. Every 10 ms a homeostasis changes each weight by one, up if the neuron fired less than 60 spikes, else down.
The rule is written once, in Python. Run as it stands it is computed with numpy; as the kernel that it generates, which the real chip would run, it is
compiled and executed in the sandbox (extra `neckar[ppu]`; without it this part is left out). After the notebook ts_11-homeostasis in brainscales2-demos.
Run time: about 15 s, most of it for starting up and compiling.
"""

import matplotlib.pyplot as plt
import numpy as np

import neckar
import pynn_brainscales.brainscales2 as pynn
from neckar.errors import MissingExtraError
from neckar.ppu import FracSat8, saturate_weight, where

NEURONS, TARGET, PERIOD_MS, PERIODS = 128, 60, 10, 45
WEIGHTS = {"w": pynn.PlasticityRule.ObservablePerSynapse(pynn.PlasticityRule.ObservablePerSynapse.Type.int8)}


class Homeostasis(pynn.PlasticityRule):
    """Weights grow where a neuron fires too little, and shrink where it fires too much."""

    def update(self, synapses, neurons, recording):
        """Change all weights by one."""
        for view, cells in zip(synapses, neurons, strict=True):
            missing = TARGET - FracSat8(cells.get_rate_counters(reset=True))
            change = where(missing > 0, 1, -1)
            for row in view:
                weights = saturate_weight(row.get_weights() + change)
                row.set_weights(weights)
                recording.w[row] = weights


class Written(pynn.PlasticityRule):
    """A rule in C++."""

    kernel = ""

    def generate_kernel(self):
        """Return the text."""
        return self.kernel


def learn(kernel=None):
    """Return the weights after each period, shape (period, neuron), the spikes of the last one, shape (neuron,), and the kernel; None: the rule in Python."""
    with neckar.Lab(chip="reference"):  # a fresh lab repeats the same noise
        pynn.setup(initial_config=pynn.helper.chip_from_nightly())
        rule = (Homeostasis if kernel is None else Written)(pynn.Timer(start=0, period=PERIOD_MS, num_periods=PERIODS), WEIGHTS)
        rule.kernel = kernel
        source = pynn.Population(1, pynn.cells.SpikeSourcePoissonOnChip(seed=1234, rate=120e3))
        neurons = pynn.Population(NEURONS, pynn.cells.HXNeuron(plasticity_rule=rule))
        neurons.record("spikes")
        synapses = pynn.synapses.PlasticSynapse(weight=0, plasticity_rule=rule)
        projection = pynn.Projection(source, neurons, pynn.AllToAllConnector(), synapses)
        pynn.run(PERIODS * PERIOD_MS)
        weights = np.array([sample.data for sample in projection.get_data("w")[0]])[:, :, 0]
        late = (PERIODS - 1) * PERIOD_MS
        spikes = np.array([np.sum(np.asarray(train) > late) for train in neurons.get_data().segments[-1].spiketrains])
        kernel = rule.generate_kernel()
        pynn.end()
    return weights, spikes, kernel


def main():
    """Print how the weights compare, and draw them."""
    weights, spikes, kernel = learn()
    print(f"in Python: {spikes.mean():.1f} spikes per neuron in the last {PERIOD_MS} ms, target {TARGET}; mean weight {weights[-1].mean():.1f}")
    try:
        same, _, _ = learn(kernel)
        print(f"as its C++ kernel: {np.count_nonzero(same != weights)} of {weights.size} weights differ")
    except MissingExtraError as error:
        same = None
        print(f"as its C++ kernel: not run, {error}")
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    times = PERIOD_MS * np.arange(PERIODS)
    axes.plot(times, weights[:, ::16], color="C0", alpha=0.5)
    if same is not None:
        axes.plot(times, same.mean(axis=1), "k--", label="mean, C++ kernel")
    axes.plot(times, weights.mean(axis=1), "C3", alpha=0.7, label="mean, Python")
    axes.set(xlabel="time (ms)", ylabel="weight (LSB)", title="homeostasis on a virtual chip")
    axes.legend()
    figure.savefig("rule_in_python.png", dpi=150)
    return weights, spikes, same


if __name__ == "__main__":
    main()
