"""Postsynaptic potentials that stack: five spikes in a row, one neuron, one synapse.

The neuron is configured by codes, without calibration, so that membrane and synaptic input both decay with about 10 us; each spike arrives while the
last one still acts. The dashed curve adds five shifted copies of the answer to a single spike: the membrane sums them. All traces are means of 20 runs.
After the stimulation experiment of the notebook ts_00-single_neuron in brainscales2-demos. Run time: about 10 s, nearly all of it for starting up.
"""

import matplotlib.pyplot as plt
import numpy as np

import neckar
import pynn_brainscales.brainscales2 as pynn

WEIGHT, RUNS = 15, 20
FIRST_MS, SPACING_MS, RUNTIME_MS = 0.03, 0.006, 0.15
SPIKES_MS = FIRST_MS + SPACING_MS * np.arange(5)


def respond(spike_times):
    """Return time (us) and mean membrane (LSB of the converter) of a neuron that receives spikes at these times (ms)."""
    pynn.setup()
    neuron = pynn.Population(
        1,
        pynn.cells.HXNeuron(
            membrane_capacitance_capacitance=63,
            leak_v_leak=700,
            leak_i_bias=150,
            excitatory_input_enable=True,
            excitatory_input_enable_small_capacitance=False,
            excitatory_input_i_bias_tau=32,  # 10 us
            excitatory_input_i_bias_gm=500,
            excitatory_input_i_shift_reference=310,  # no current at rest, on the average over circuits
        ),
    )
    source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=list(spike_times)))
    pynn.Projection(source, neuron, pynn.AllToAllConnector(), synapse_type=pynn.synapses.StaticSynapse(weight=WEIGHT))
    neuron.record("v")
    for _ in range(RUNS):
        pynn.run(RUNTIME_MS)
        pynn.reset()
    traces = [segment.irregularlysampledsignals[0] for segment in neuron.get_data().segments[:RUNS]]
    pynn.end()
    return traces[0].times.rescale("us").magnitude, np.mean([trace.magnitude[:, 0] for trace in traces], axis=0)


def measure():
    """Return time, the answers to one spike and to five, and the sum of five shifted single ones; above rest, LSB."""
    time, one = respond(SPIKES_MS[:1])
    _, five = respond(SPIKES_MS)
    before = time < 1e3 * FIRST_MS
    one, five = one - one[before].mean(), five - five[before].mean()
    shifts = 1e3 * (SPIKES_MS - FIRST_MS)
    total = sum(np.interp(time - shift, time, np.where(before, 0, one), left=0) for shift in shifts)
    return time, one, five, total


def main():
    """Print the peaks and draw both traces."""
    time, one, five, total = measure()
    print(f"one spike of weight {WEIGHT}: {one.max():.1f} LSB above rest; five, {1e3 * SPACING_MS:.0f} us apart: {five.max():.1f} LSB")
    print(f"the sum of five shifted single answers: {total.max():.1f} LSB")
    _, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    axes.plot(time, five, label="five spikes")
    axes.plot(time, total, "--", label="sum of shifted single answers")
    axes.plot(time, one, label="one spike")
    axes.vlines(1e3 * SPIKES_MS, -8, -3, color="k", label="input spikes")
    axes.set(xlabel="hardware time [us]", ylabel="membrane above rest [LSB of the MADC]")
    axes.set_title(f"virtual chip {neckar.current_lab().specimen.id}: postsynaptic potentials stack")
    axes.legend(frameon=False)
    plt.savefig("psp_stacking.png", dpi=150)


if __name__ == "__main__":
    main()
