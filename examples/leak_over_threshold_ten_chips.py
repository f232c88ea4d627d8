"""Leak over threshold on ten virtual chips: the same codes, ten periods.

A neuron whose leak potential lies above its threshold fires on its own. Its period depends on three potentials and a conductance, which differ from
chip to chip before calibration; how far is what public figures of a few chips let us expect (docs/explanation/ledger.md, row A6b: 5 to 12.5 us on nine
of ten chips). After the experiment "leak over threshold" of the notebook ts_00-single_neuron in brainscales2-demos, with today's codes. Run time: about
10 s.
"""

import matplotlib.pyplot as plt
import numpy as np

import neckar
import pynn_brainscales.brainscales2 as pynn

CHIPS = range(1, 11)
RUNTIME_MS = 0.2
CODES = {
    "leak_v_leak": 1000,
    "leak_i_bias": 150,
    "threshold_enable": True,
    "threshold_v_threshold": 300,
    "reset_v_reset": 400,
    "reset_i_bias": 1022,
    "reset_enable_multiplication": True,
    "refractory_period_refractory_time": 255,
    "membrane_capacitance_capacitance": 63,
}


def fire():
    """Return time (us), membrane (LSB) and spikes (us) of one neuron on the current chip."""
    pynn.setup()
    neuron = pynn.Population(1, pynn.cells.HXNeuron(**CODES))
    neuron.record(["v", "spikes"])
    pynn.run(RUNTIME_MS)
    segment = neuron.get_data().segments[-1]
    membrane, spikes = segment.irregularlysampledsignals[0], segment.spiketrains[0]
    pynn.end()
    return membrane.times.rescale("us").magnitude, membrane.magnitude[:, 0], spikes.times.rescale("us").magnitude


def measure():
    """Return what :func:`fire` returns for each chip, by its seed."""
    traces = {}
    for chip in CHIPS:
        with neckar.Lab(chip=chip):
            traces[chip] = fire()
    return traces


def period(spikes):
    """Return the median interval, us."""
    return float(np.median(np.diff(spikes))) if len(spikes) > 1 else np.inf


def main():
    """Print the periods and draw 50 us of each chip, fastest first."""
    traces = measure()
    periods = {chip: period(spikes) for chip, (_, _, spikes) in traces.items()}
    order = sorted(periods, key=periods.get)
    for chip in order:
        print(f"chip-{chip}: period {periods[chip]:.2f} us")
    print(f"median {np.median(list(periods.values())):.2f} us, from {periods[order[0]]:.2f} to {periods[order[-1]]:.2f} us")
    _, panels = plt.subplots(len(order), 1, figsize=(8, 9), sharex=True, sharey=True, layout="constrained")
    for axes, chip in zip(panels, order, strict=True):
        time, membrane, spikes = traces[chip]
        axes.plot(time[time < 50], membrane[time < 50], lw=0.8)
        axes.plot(spikes[spikes < 50], np.full(np.sum(spikes < 50), 480), "|", color="C3")
        axes.set_ylabel(f"chip-{chip}\n{periods[chip]:.1f} us", fontsize=8)
    panels[0].set_title("virtual chips: same codes, membrane in LSB of the MADC")
    panels[-1].set_xlabel("hardware time [us]")
    plt.savefig("leak_over_threshold_ten_chips.png", dpi=150)


if __name__ == "__main__":
    main()
