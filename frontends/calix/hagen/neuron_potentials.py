"""Potentials of neurons, in readings of the converter."""

from __future__ import annotations

from typing import Any

import numpy as np

from calix._views import Reached, StageCalib, per_circuit
from neckar.calibration.measure import Bench, search_leak, search_reset

__all__ = ["LeakPotentialCalib", "ResetPotentialCalib"]


class LeakPotentialCalib(StageCalib):
    """Resting potentials in CADC LSB; by default the median of what the neurons show, as upstream's."""

    field = "leak_v_leak"

    def search(self, bench: Bench, target: Any, rng: np.random.Generator) -> Reached:
        """Run the stage."""
        return search_leak(bench, target if target is not None else _median(bench), rng)


class ResetPotentialCalib(StageCalib):
    """Reset potentials in CADC LSB; by default where each neuron rests, as upstream's.

    Parameters
    ----------
    target : number or ndarray, optional
    highnoise : bool
        Without effect: a level is the mean of several readings.
    """

    field = "reset_v_reset"

    def __init__(self, target: Any = None, highnoise: bool = False) -> None:
        super().__init__(target)

    def search(self, bench: Bench, target: Any, rng: np.random.Generator) -> Reached:
        """Run the stage."""
        return search_reset(bench, per_circuit(target) if target is not None else _resting(bench), rng)


def _resting(bench: Bench) -> Any:
    with bench.changed(threshold_enable=False):
        return bench.membranes(_AT_US).mean(axis=(0, 1))


def _median(bench: Bench) -> float:
    return float(np.median(_resting(bench)))


_AT_US = 10.0 + 2.0 * np.arange(8)
