"""From measurements of an unknown chip to its twin, and how far that can be trusted.

The script that `neckar chip characterise` writes for silicon runs here on a virtual chip, unmodified and in its short version, and writes down what the
instruments show. The fit sees this file alone. Ten settings in it are kept for the test: the mean chip of the population misses their numbers by a
fifth, the twin by one to four hundredths. The sweeps are those of the lab course's notebook fp_calibration, on all circuits at once.
Run time: about 60 s, half of it for the measurements.
"""

import contextlib
import io
import runpy
import sys
from pathlib import Path
from unittest import mock

import matplotlib.pyplot as plt
import numpy as np

import neckar
from neckar.calibration import passport
from neckar.chip.specimen_file import save_specimen

CHIP = 19  # nobody tells the fit
SCRIPT, FILE, TWIN = "characterise.py", "characterisation.npz", "twin.npz"


def measure():
    """Run the script for silicon on the unknown chip; return what it wrote down."""
    source = Path(neckar.__file__).parent / "cli" / "_characterise_script.py"  # neckar chip characterise characterise.py
    Path(SCRIPT).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    with neckar.Lab(chip=CHIP), mock.patch.object(sys, "argv", [SCRIPT, "--short", "--output", FILE]), contextlib.redirect_stdout(io.StringIO()):
        runpy.run_path(SCRIPT, run_name="__main__")
    return passport.load(FILE)


def fit(characterisation, draws=passport.DRAWS):
    """Return the passport, and keep the twin in a file, which `neckar run --chip twin.npz` takes."""
    found = passport.fit(characterisation, draws)
    save_specimen(TWIN, found.specimen)
    return found


def main():
    """Print the fidelity table, draw predictions over measurements, and return the passport."""
    found = fit(measure())
    for row in found.fidelity:
        print(f"{row.name:32} unfitted {row.unfitted:6.1%}   fitted {row.fitted:5.1%}   in the 90 % interval {row.coverage:4.0%}")
    features = {prediction.feature: None for prediction in found.predictions}
    _, axes = plt.subplots(1, len(features), figsize=(4 * len(features), 4), layout="constrained")
    for panel, feature in zip(axes, features, strict=True):
        mine = [prediction for prediction in found.predictions if prediction.feature is feature]
        measured, fitted, unfitted = (np.concatenate([getattr(p, part) for p in mine]) for part in ("measured", "fitted", "unfitted"))
        panel.plot(measured, unfitted, ".", ms=2, color="0.75", label="mean chip")
        panel.plot(measured, fitted, ".", ms=2, label="twin")
        ends = np.nanpercentile(measured, (1, 99))
        panel.plot(ends, ends, "k", lw=0.7)
        panel.set(xlim=ends, ylim=ends, xlabel=f"measured [{feature.unit}]", title=feature.name)
    axes[0].set_ylabel("predicted")
    axes[0].legend(frameon=False, markerscale=5)
    plt.savefig("fit_a_twin_to_an_unknown_chip.png", dpi=150)
    return (found,)


if __name__ == "__main__":
    main()
