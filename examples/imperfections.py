"""What each imperfection costs: one experiment, each effect of the twin switched on alone.

Sixty-four neurons with the same codes receive the same spikes. On the ideal chip they all do the same. Then one imperfection at a time is switched on,
which silicon does not allow, and the answers are compared with the ideal ones: the membranes without threshold (root mean square difference), and the
spikes with threshold (share without a partner within 2 us). As in the notebook ts_00-single_neuron of brainscales2-demos the neurons are uncalibrated, so
mismatch, which a calibration removes for the most part, costs most. Drift is that of a day. Run time: about 20 s.
"""

import matplotlib.pyplot as plt
import numpy as np

import neckar
import pynn_brainscales.brainscales2 as pynn

NEURONS, SOURCES, RUNTIME_MS = 64, 8, 0.4
DRAWN = 8  # every eighth neuron
EFFECTS = ("mismatch", "noise", "crosstalk", "drift", "saturation", "event_loss", "quantisation")
AGE_H = 24
CODES = {
    "membrane_capacitance_capacitance": 63,
    "leak_v_leak": 700,
    "leak_i_bias": 150,
    "threshold_v_threshold": 360,
    "reset_v_reset": 600,
    "reset_i_bias": 1022,
    "refractory_period_refractory_time": 250,
    "excitatory_input_enable": True,
    "excitatory_input_enable_small_capacitance": False,
    "excitatory_input_i_bias_tau": 64,
    "excitatory_input_i_bias_gm": 500,
    "excitatory_input_i_shift_reference": 310,
}


def spike_trains():
    """Return the input of each source, ms: random, but the same in every run."""
    rng = np.random.default_rng(4)
    return [np.sort(rng.uniform(0.02, RUNTIME_MS - 0.02, 12)) for _ in range(SOURCES)]


def respond(threshold):
    """Return the membranes, LSB, shape (neuron, sample), their times, us, and the spikes of each neuron, us."""
    pynn.setup()
    neurons = pynn.Population(NEURONS, pynn.cells.HXNeuron(threshold_enable=threshold, **CODES))
    sources = [pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=list(train))) for train in spike_trains()]
    for source in sources:
        pynn.Projection(source, neurons, pynn.AllToAllConnector(), synapse_type=pynn.synapses.StaticSynapse(weight=16))
    neurons.record(["v", "spikes"])
    pynn.run(RUNTIME_MS)
    segment = neurons.get_data().segments[-1]
    membranes = np.array([signal.magnitude[:, 0] for signal in segment.irregularlysampledsignals], float)
    time = segment.irregularlysampledsignals[0].times.rescale("us").magnitude
    spikes = [train.times.rescale("us").magnitude for train in segment.spiketrains]
    pynn.end()
    return membranes, time, spikes


def unmatched(spikes, ideal, within_us=2.0):
    """Return the share of the spikes of both trains that have no partner in the other."""
    near = np.abs(np.subtract.outer(spikes, ideal)) < within_us
    partners = near.any(axis=1).sum() + near.any(axis=0).sum()
    return 1 - partners / max(len(spikes) + len(ideal), 1)


def measure():
    """Return time (us), the membranes of each condition (LSB, shape (neuron, sample)), and by condition the costs on membranes and spikes."""
    conditions = {"ideal": "ideal", **{name: f"ideal,+{name}" for name in EFFECTS}, "the default": "default"}
    membranes, trains = {}, {}
    for name, effects in conditions.items():
        chip = neckar.Specimen.reference(age_h=AGE_H if name == "drift" else 0)
        with neckar.Lab(chip=chip, effects=effects, instruments="open"):
            membranes[name], time, _ = respond(threshold=False)
            trains[name] = respond(threshold=True)[2]
    ideal = membranes.pop("ideal"), trains.pop("ideal")
    deviation = {name: np.sqrt(np.mean((v - ideal[0]) ** 2)) for name, v in membranes.items()}
    wrong = {name: np.mean([unmatched(*pair) for pair in zip(train, ideal[1], strict=True)]) for name, train in trains.items()}
    return time, ideal[0], membranes, deviation, wrong


def main():
    """Print the costs, draw the membranes under each effect and the costs as bars."""
    time, ideal, membranes, deviation, wrong = measure()
    for name in membranes:
        print(f"{name:12s} membranes differ by {deviation[name]:5.2f} LSB, {100 * wrong[name]:4.1f} % of the spikes have no partner")
    figure = plt.figure(figsize=(12, 7.5), layout="constrained")
    grid = figure.add_gridspec(4, 3, width_ratios=(1, 1, 0.9))
    for k, (name, traces) in enumerate(membranes.items()):
        axes = figure.add_subplot(grid[k % 4, k // 4])
        difference = (traces - ideal)[::DRAWN]
        axes.plot(time, difference.T, color=f"C{k}", lw=0.5, alpha=0.6)
        axes.set_title(name.replace("_", " "), fontsize=10)
        axes.set_ylim(np.array([-1.2, 1.2]) * np.abs(difference).max())
        axes.set_ylabel("LSB")
        if k % 4 == 3:
            axes.set_xlabel("hardware time [us]")
    names = list(membranes)[::-1]
    colours = [f"C{k}" for k in range(len(names))][::-1]
    for rows, costs, label in ((slice(0, 2), deviation, "rms difference of membranes [LSB]"), (slice(2, 4), wrong, "spikes without partner")):
        axes = figure.add_subplot(grid[rows, 2])
        bars = axes.barh([name.replace("_", " ") for name in names], [costs[name] for name in names], color=colours)
        axes.bar_label(bars, fmt="{:.1f}" if costs is deviation else "{:.1%}", padding=3, fontsize=9)
        axes.set_xlabel(label)
        axes.margins(x=0.18)
    figure.suptitle(f"virtual chip: reference. Membranes minus those of the ideal chip ({NEURONS // DRAWN} of {NEURONS}), and the cost of each effect")
    plt.savefig("imperfections.png", dpi=150)


if __name__ == "__main__":
    main()
