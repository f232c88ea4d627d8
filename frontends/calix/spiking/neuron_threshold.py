"""Thresholds: in readings of the converter, and for firing rates."""

from __future__ import annotations

from typing import Any

import numpy as np

from calix._views import Reached, StageCalib, per_circuit
from neckar.calibration.measure import Bench, search_threshold
from neckar.calibration.measure.rate import search_rate

__all__ = ["LeakOverThresholdCalib", "ThresholdCalibCADC", "ThresholdCalibMADC"]


class ThresholdCalibCADC(StageCalib):
    """Thresholds in CADC LSB, 125 by default: the highest reading of neurons that a constant current makes fire."""

    field = "threshold_v_threshold"
    default = 125

    def search(self, bench: Bench, target: Any, rng: np.random.Generator) -> Reached:
        """Run the stage."""
        return search_threshold(bench, target, rng)


class ThresholdCalibMADC(ThresholdCalibCADC):
    """The same as :class:`ThresholdCalibCADC`: upstream's reads the MADC one neuron after the other; its target is in readings of the CADC here, too."""


class LeakOverThresholdCalib(StageCalib):
    """Thresholds of neurons that rest above them, for a firing rate, Hz of hardware time, 100 kHz by default; 0 leaves a neuron alone."""

    field = "threshold_v_threshold"
    unit = "Hz"
    default = 1e5

    def search(self, bench: Bench, target: Any, rng: np.random.Generator) -> Reached:
        """Run the stage."""
        return search_rate(bench, per_circuit(target), rng)
