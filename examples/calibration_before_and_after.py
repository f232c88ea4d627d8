"""A chip before and after its calibration: 512 neurons that become alike.

A whole chip is calibrated by measurement, with the instruments that silicon has, to the targets of the nightly calibration. Then potentials, time constants and
strengths of all neurons are looked at directly, on the calibrated chip and on one whose neurons all have the same code, the median of those that were found.
Upstream's test of a calibration (calix test_neuron_distribution.py) asks how much smaller the spread has become. The targets are those of the files that the
notebook ts_01-superspike and others of brainscales2-demos load. Run time: about 25 s.
"""

import matplotlib.pyplot as plt
import numpy as np

import neckar
from neckar.calibration import NIGHTLY, calibrate
from neckar.calibration.behaviour import QUANTITIES, compared, trimmed

SHOWN = ("leak", "reset", "threshold", "tau_mem", "tau_syn_exc", "psp_exc")


def measure():
    """Return the calibration of the current chip, and what its neurons do before and after, by name of the quantity."""
    lab = neckar.current_lab()
    found = calibrate(lab.specimen, NIGHTLY["spiking"], "measurement", lab.effects)
    return found, compared(neckar.Lab(instruments="open"), found, SHOWN)


def main():
    """Print the spreads and draw all neurons; return what was measured."""
    found, seen = measure()
    origin = found.provenance
    print(f"virtual chip {origin['chip']}: {float(origin['chip_time_s']):.0f} s of chip time on silicon, {origin['programs']} programs")
    print(f"{found.reached().sum()} of 512 neurons reached all of their targets")
    figure, panels = plt.subplots(len(SHOWN), 2, figsize=(10, 9), width_ratios=(4, 1), sharey="row", layout="constrained")
    for (dots, histogram), (name, (before, after, target)) in zip(panels, seen.items(), strict=True):
        quantity, ratio = QUANTITIES[name], trimmed(after) / trimmed(before)
        print(f"{quantity.label}: {np.median(after):.4g} {quantity.unit}, spread {trimmed(before):.2g} before, {trimmed(after):.2g} after ({ratio:.2f})")
        edges = np.linspace(*np.percentile(np.concatenate([before, after]), (0.2, 99.8)), 60)
        for values, colour, label in ((before, "0.65", "before"), (after, "C0", "after")):
            dots.plot(values, ".", ms=2.5, color=colour)
            histogram.hist(values, edges, orientation="horizontal", color=colour, alpha=0.8, label=label)
        if target is not None:
            dots.plot(target, color="C3", lw=0.8)
        dots.set_title(f"{quantity.label} [{quantity.unit}]", fontsize=9, loc="left")
        dots.set_ylim(edges[0], edges[-1])
        histogram.set_xticks([])
    panels[0, 1].legend(frameon=False, fontsize=8)
    panels[-1, 0].set_xlabel("neuron circuit")
    figure.suptitle(f"virtual chip {origin['chip']}: all neurons before (one code for all) and after a calibration by measurement")
    plt.savefig("calibration_before_and_after.png", dpi=150)
    return found, seen


if __name__ == "__main__":
    main()
