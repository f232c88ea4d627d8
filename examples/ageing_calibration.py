"""An ageing calibration: potentials wander, and codes of last week belong to another chip.

The chip is measured when it is new, then left to drift. Its potentials are looked at over a week with the codes of the first day, and with those of a
calibration that is made anew every night, as on the real machines, whose files the notebook fp_calibration of brainscales2-demos explains. After a day
potentials are 2.3 CADC LSB (root mean square) from their targets, two to three times as far as when they were measured (0.7 to 1.0), and they stay there. Time
constants follow the temperature by a tenth of a percent. Run time: about 15 s.
"""

import matplotlib.pyplot as plt
import numpy as np

import neckar
from neckar.calibration import PotentialTarget, ageing, calibrate

TARGET = PotentialTarget()
HOURS = (0, 2, 4, 8, 12, 18, 24, 36, 48, 72, 120, 168)
NIGHTS = 4


def measure():
    """Return the quantities of an ageing calibration by name, and the days of the chip with a calibration every night and with the first one."""
    lab = neckar.current_lab()
    found = calibrate(lab.specimen, TARGET, "measurement", lab.effects)
    old = ageing.aged(lab.specimen, found, lab.effects, HOURS, ("leak", "reset"))
    days = ageing.nights(lab.specimen, TARGET, NIGHTS, "measurement", lab.effects, names=("leak",))
    return old, days


def main():
    """Print how the distance from the targets grows, and draw it; return what was measured."""
    old, days = measure()
    for name, aged in old.items():
        told = ", ".join(f"{error:.1f} after {hours:g} h" for hours, error in zip(aged.hours, aged.error, strict=True) if hours in (0, 8, 24, 168))
        print(f"{name}: {told} (CADC LSB from the target, root mean square)")
    nightly, once = (np.array([getattr(day, how)["leak"] for day in days]) for how in ("nightly", "once"))
    print(f"leak, eight hours after the night, mean of days 2 to {NIGHTS}: {nightly[1:].mean():.2f} calibrated nightly, {once[1:].mean():.2f} once")
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    leak = old["leak"]
    left.plot(leak.hours, leak.values[:, ::8], lw=0.6, alpha=0.6)
    left.axhline(80, color="k", lw=1)
    left.set(xlabel="hours after the calibration", ylabel="CADC LSB", title="leak potentials of 64 neurons")
    for name, aged in old.items():
        middle.plot(aged.hours, aged.error, ".-", label=name)
    middle.set(xlabel="hours after the calibration", ylabel="CADC LSB", title="distance from the target (r.m.s.)", ylim=(0, None))
    middle.legend(frameon=False)
    for values, label in ((nightly, "calibrated every night"), (once, "calibrated once")):
        right.plot(np.arange(1, NIGHTS + 1), values, ".-", label=label)
    right.set(xlabel="day", ylabel="CADC LSB", title="leak, distance from the target (r.m.s.)", ylim=(0, None))
    right.legend(frameon=False)
    figure.suptitle(f"virtual chip {neckar.current_lab().specimen.id}: an ageing calibration")
    plt.savefig("ageing_calibration.png", dpi=150)
    return old, days


if __name__ == "__main__":
    main()
