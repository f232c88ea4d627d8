"""A synfire chain: a volley of spikes runs from group to group, one spike each thanks to inhibition.

Eight groups of seven excitatory and seven inhibitory neurons, all wired on the chip. Each excitatory group drives both halves of the next one; the
inhibitory half silences its own excitatory half right after the volley. Without inhibition the groups fire again and again. Neurons are configured by
codes, without calibration, so volleys are as wide as the neurons differ. After the notebook fp_synfireChain of brainscales2-demos (sizes, weights; the
way of the volley there: about 2.4 us per group). Run time: about 5 s, nearly all of it for starting up.
"""

import matplotlib.pyplot as plt
import numpy as np

import neckar
import pynn_brainscales.brainscales2 as pynn

GROUPS, SIZE, RUNTIME_MS = 8, 7, 0.08
STIMULUS, EXC_EXC, EXC_INH, INH_EXC = 63, 60, 25, -45


def neurons(size):
    """Return neurons that rest some 45 LSB below their threshold; time constants of membrane and synapses are about 10 and 3 us."""
    inputs = {"enable": True, "enable_small_capacitance": False, "i_bias_tau": 107, "i_bias_gm": 140, "i_shift_reference": 310}
    return pynn.Population(
        size,
        pynn.cells.HXNeuron(
            membrane_capacitance_capacitance=63,
            leak_v_leak=700,
            leak_i_bias=150,
            threshold_enable=True,
            threshold_v_threshold=340,
            reset_v_reset=600,
            reset_i_bias=1022,
            refractory_period_refractory_time=250,
            **{f"{sign}_input_{name}": code for sign in ("excitatory", "inhibitory") for name, code in inputs.items()},
        ),
    )


def connect(pre, post, weight):
    """Connect all neurons of one population with all of another."""
    receptor = "excitatory" if weight > 0 else "inhibitory"
    pynn.Projection(pre, post, pynn.AllToAllConnector(), synapse_type=pynn.synapses.StaticSynapse(weight=weight), receptor_type=receptor)


def run(inhibition):
    """Return the spike times (us) of each neuron, excitatory groups first, with inhibition of a weight (0 or below)."""
    pynn.setup()
    exc, inh = ([neurons(SIZE) for _ in range(GROUPS)] for _ in range(2))
    stimulus = pynn.Population(SIZE, pynn.cells.SpikeSourceArray(spike_times=[0.01]))
    for kind in (*exc, *inh):
        kind.record("spikes")
    for post, weight in ((exc[0], STIMULUS), (inh[0], EXC_INH)):
        connect(stimulus, post, weight)
    for group in range(GROUPS):
        if inhibition:
            connect(inh[group], exc[group], inhibition)
        if group + 1 < GROUPS:
            connect(exc[group], exc[group + 1], EXC_EXC)
            connect(exc[group], inh[group + 1], EXC_INH)
    pynn.run(RUNTIME_MS)
    trains = [[1e3 * np.asarray(train.magnitude) for kind in kinds for train in kind.get_data().segments[-1].spiketrains] for kinds in (exc, inh)]
    pynn.end()
    return trains


def volleys(trains):
    """Return when each group fires (us): the median of its neurons' first spikes, inf if most are silent."""
    first = np.array([train[0] if len(train) else np.inf for train in trains])
    return np.median(first.reshape(GROUPS, SIZE), axis=1)


def main():
    """Print the way of the volley and draw spikes with and without inhibition."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharey=True)
    for ax, inhibition in zip(axes, (INH_EXC, 0), strict=True):
        exc, inh = run(inhibition)
        ax.eventplot(exc, lineoffsets=range(GROUPS * SIZE), colors="C0", linelengths=0.9, label="excitatory")
        ax.eventplot(inh, lineoffsets=range(GROUPS * SIZE, 2 * GROUPS * SIZE), colors="C3", linelengths=0.9)
        title = f"inhibition of weight {-inhibition}" if inhibition else "without inhibition"
        ax.set(xlabel="hardware time [us]", title=title, xlim=(0, 1e3 * RUNTIME_MS))
        per_neuron = np.mean([len(train) for train in exc])
        print(f"{title}: {per_neuron:.1f} spikes per excitatory neuron, {np.median(np.diff(volleys(exc))):.2f} us per group")
    axes[0].set(ylabel="neuron (excitatory below, inhibitory above)")
    figure.suptitle(f"virtual chip {neckar.current_lab().specimen.id}: synfire chain of {GROUPS} groups")
    plt.savefig("synfire_chain.png", dpi=150)


if __name__ == "__main__":
    main()
