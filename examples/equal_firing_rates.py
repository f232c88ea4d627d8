"""Equal firing rates: neurons that fire by themselves, first each at its own rate, then all alike.

The leak of every neuron lies above its threshold, so it fires without input. With levels calibrated alike, rates still differ: the way from reset to threshold
is short against what a calibration leaves of each level's spread. So the thresholds are searched once more, this time for the rate itself, which the spike
counters show; after calix ``spiking/neuron_threshold.py`` and the experiment "leak over threshold" of the notebook ts_00-single_neuron in brainscales2-demos.
Rates are then read off other spikes, those that a run records. Run time: about 8 s.
"""

import matplotlib.pyplot as plt
import numpy as np

import neckar
from neckar.calibration import NeuronTarget, SpikingTarget, calibrate
from neckar.calibration.measure import adjust_rates
from neckar.program import Program, Record, Snippet, ticks

RATE_HZ = 50e3
SHOWN = range(0, 512, 8)
DURATION_S = 2e-3
TARGET = SpikingTarget(neurons=NeuronTarget(leak=110, reset=60, threshold=100))


def fire(lab, codes):
    """Return the spike times (s) of some neurons, recorded while only these send events."""
    routed = {**codes, "event_routing_enable_digital": np.isin(np.arange(512), SHOWN)}
    program = Program(machine="brainscales2", config=routed, snippets=(Snippet(ticks(DURATION_S)),), record=Record(spikes=tuple(SHOWN)))
    spikes = lab.run(program).spikes
    return [2e-9 * spikes.tick[spikes.circuit == circuit] for circuit in SHOWN]


def measure():
    """Return the spike times before and after the search for rates, and which neurons reached their rate."""
    lab = neckar.Lab(instruments="open")
    levels = calibrate(lab.specimen, TARGET, effects=lab.effects)
    with lab.session() as session:
        adjusted = adjust_rates(session, levels, RATE_HZ)
    return fire(lab, dict(levels.fields)), fire(lab, dict(adjusted.fields)), adjusted.success["threshold_v_threshold"]


def rates(trains):
    """Return the firing rate of each train by its mean interval, kHz; 0 for fewer than two spikes."""
    return np.array([1e-3 / np.diff(train).mean() if len(train) > 1 else 0.0 for train in trains])


def main():
    """Print the rates and draw spikes and rates; return what was measured."""
    before, after, reached = measure()
    figure, panels = plt.subplots(2, 2, figsize=(10, 7), width_ratios=(2, 1), sharex="col", layout="constrained")
    for (raster, histogram), (title, trains) in zip(panels, (("equal levels", before), ("equal rates", after)), strict=True):
        found = rates(trains)
        print(f"{title}: {found.mean():.1f} kHz, from {found.min():.1f} to {found.max():.1f}, spread {100 * found.std() / found.mean():.1f} %")
        raster.eventplot([1e6 * (train - train[0]) for train in trains if len(train)], linelengths=0.8, colors="C0")
        raster.set(ylabel="neuron", title=title, xlim=(0, 300))
        histogram.hist(found, np.linspace(0, 2e-3 * RATE_HZ, 61))
        histogram.axvline(1e-3 * RATE_HZ, color="C3", lw=1)
        histogram.set(ylabel="neurons", title="firing rates")
    print(f"{reached.sum()} of 512 neurons reached {1e-3 * RATE_HZ:g} kHz")
    panels[1, 0].set_xlabel("hardware time since the first spike of each neuron [us]")
    panels[1, 1].set_xlabel("kHz")
    figure.suptitle(f"virtual chip {neckar.current_lab().specimen.id}: neurons whose leak lies above their threshold")
    plt.savefig("equal_firing_rates.png", dpi=150)
    return before, after, reached


if __name__ == "__main__":
    main()
