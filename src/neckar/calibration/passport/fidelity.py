"""How far a twin can be trusted: its predictions beside what the chip showed, at settings that no fit has seen.

Predictions are runs of the machine, not formulas. The *fitted* twin is the most probable chip, the *unfitted* one the mean of the population; intervals come
from twins drawn from the posterior, each run once, with all that scatters from run to run. With n draws the smallest and the largest enclose a further draw
with probability (n - 1) / (n + 1), whatever the distribution: 90 % for 19.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.passport.characterisation import Run
from neckar.calibration.passport.features import RATE, Feature, feature_of, read
from neckar.calibration.passport.posterior import Posterior
from neckar.calibration.passport.replay import replay
from neckar.calibration.passport.unknowns import State, drawn_specimen, specimen_of
from neckar.chip.specimen import Specimen

Values = NDArray[np.float64]

DRAWS = 19
"""Twins drawn from the posterior by default: their range is a 90 % interval."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """One setting that was kept for the test.

    Attributes
    ----------
    name : str
    feature : Feature
    measured, fitted, unfitted : ndarray, shape (circuit,)
        In the feature's unit; NaN where nothing can be read.
    draws : ndarray, shape (draw, circuit)
    """

    name: str
    feature: Feature
    measured: Values
    fitted: Values
    unfitted: Values
    draws: Values

    @property
    def nominal(self) -> float:
        """Share of numbers that the range of the draws should hold."""
        return (len(self.draws) - 1) / (len(self.draws) + 1)

    @property
    def counts(self) -> NDArray[np.bool_]:
        """Which circuits are judged: those of which the chip shows a number, whatever the twins show."""
        return np.isfinite(self.measured)

    def error(self, predicted: Values) -> float:
        """Return the median relative error of a prediction; NaN if no circuit is judged.

        Infinite for a circuit of which the prediction shows no number, or another one than zero where the chip shows zero.
        """
        measured, predicted = self.measured[self.counts], predicted[self.counts]
        zero = measured == 0
        relative = np.abs(predicted / np.where(zero, 1.0, measured) - 1)
        error = np.where(zero, np.where(predicted == 0, 0.0, np.inf), np.nan_to_num(relative, nan=np.inf, posinf=np.inf))
        return float(np.median(error)) if error.size else np.nan

    @property
    def interval(self) -> tuple[Values, Values]:
        """Smallest and largest number of the draws, shape (circuit,) each; draws that show none do not widen it. NaN if none shows one."""
        shown = np.isfinite(self.draws)
        low, high = np.where(shown, self.draws, np.inf).min(axis=0), np.where(shown, self.draws, -np.inf).max(axis=0)
        return np.where(shown.any(axis=0), low, np.nan), np.where(shown.any(axis=0), high, np.nan)

    @property
    def covered(self) -> tuple[int, int]:
        """How many of the numbers that the chip shows lie inside the draws' interval, of how many."""
        low, high = self.interval
        return int(np.count_nonzero((self.measured >= low) & (self.measured <= high))), int(np.count_nonzero(self.counts))


@dataclass(frozen=True)
class Row:
    """A line of the fidelity table.

    Attributes
    ----------
    name, unit : str
    count : int
        Circuits that were judged: all of which the chip shows a number.
    unfitted, fitted : float
        Median relative errors of the two twins; a number that a twin does not show is an infinite error.
    coverage : float
        Share of measured numbers inside the interval, which should be that of the draws: 0.9 for 19.
    """

    name: str
    unit: str
    count: int
    unfitted: float
    fitted: float
    coverage: float


def predict(
    posterior: Posterior, twin: Specimen, checks: Sequence[Run], sources: int, draws: int, rng: np.random.Generator, progress: Callable[[str], None]
) -> tuple[Prediction, ...]:
    """Return the predictions of all checks; about 50 ms for each check and twin.

    Parameters
    ----------
    posterior : Posterior
    twin : Specimen
        The most probable chip.
    checks : sequence of Run
    sources : int
        Spike sources of each input.
    draws : int
        Twins from the posterior.
    rng : Generator
        Draws them.
    progress : callable
        Takes a sentence after each twin.
    """
    judged = [run for run in checks if feature_of(run.setting) is not None]
    settings = [run.setting for run in judged]
    zero = State(np.zeros_like(posterior.state.circuits), np.zeros_like(posterior.state.whole))
    seeds = rng.integers(1, 2**63, draws).tolist()
    chips = [twin, specimen_of(posterior.unknowns, zero, posterior.seed, "population", everything=True)]
    chips += [drawn_specimen(posterior.unknowns, posterior.draw(rng), seed, f"{twin.id}-draw-{k}") for k, seed in enumerate(seeds)]
    shown = []
    for k, chip in enumerate(chips):
        shown.append([read(s, seen) for s, seen in zip(settings, replay(chip, settings, sources, seed=k), strict=True)])
        progress(f"twin {k + 1} of {len(chips)} has run")
    result = []
    for i, run in enumerate(judged):
        feature = feature_of(run.setting)
        assert feature is not None
        fitted, unfitted, *drawn = (twins[i] for twins in shown)
        result.append(Prediction(run.setting.name, feature, read(run.setting, run.readings), fitted, unfitted, np.array(drawn).reshape(draws, -1)))
    return tuple(result)


def table(predictions: Sequence[Prediction]) -> tuple[Row, ...]:
    """Return the fidelity table: a row per setting, then one per feature over all its settings, the rate first."""
    rows = [_row(p.name, p.feature.unit, [p]) for p in predictions]
    features = {p.feature: None for p in sorted(predictions, key=lambda p: p.feature is not RATE)}
    return (*rows, *(_row(f"all: {feature.name}", feature.unit, [p for p in predictions if p.feature is feature]) for feature in features))


def _row(name: str, unit: str, predictions: Sequence[Prediction]) -> Row:
    measured, fitted, unfitted = (np.concatenate([getattr(p, part) for p in predictions]) for part in ("measured", "fitted", "unfitted"))
    whole = Prediction(name, predictions[0].feature, measured, fitted, unfitted, np.concatenate([p.draws for p in predictions], axis=1))
    inside, of = whole.covered
    return Row(name, unit, int(np.count_nonzero(whole.counts)), whole.error(whole.unfitted), whole.error(whole.fitted), inside / of if of else np.nan)
