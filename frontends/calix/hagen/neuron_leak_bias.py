"""Membrane time constants."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from calix._views import Reached, StageCalib, per_circuit
from neckar.calibration.measure import Bench, search_membrane_time
from neckar.calibration.measure.membrane import Method

__all__ = ["MembraneTimeConstCalibCADC", "MembraneTimeConstCalibOffset", "MembraneTimeConstCalibReset"]


class _MembraneTimeConst(StageCalib):
    field = "leak_i_bias"
    unit = "s"
    default = 60e-6
    method: ClassVar[Method]

    def __init__(self, target: Any = None, neuron_configs: Any = None) -> None:
        super().__init__(target)

    def search(self, bench: Bench, target: Any, rng: np.random.Generator) -> Reached:
        """Run the stage."""
        return search_membrane_time(bench, per_circuit(target), rng, method=self.method)


class MembraneTimeConstCalibOffset(_MembraneTimeConst):
    """Membrane time constants, s, 60 us by default, from what the MADC shows after a constant current.

    Parameters
    ----------
    target : quantity or number, optional
    neuron_configs
        Without effect: neurons are as the chip holds them.
    """

    method = "current"


class MembraneTimeConstCalibReset(_MembraneTimeConst):
    """Membrane time constants, s, 60 us by default, from what the MADC shows after a reset; parameters as of :class:`MembraneTimeConstCalibOffset`."""

    method = "reset"


class MembraneTimeConstCalibCADC(_MembraneTimeConst):
    """Membrane time constants, s, 60 us by default, of all neurons at once, from two windows of the CADC after a constant current.

    Parameters
    ----------
    target_time_const : quantity or number, optional
    target_amplitude
        Without effect.
    """

    method = "windows"

    def __init__(self, target_time_const: Any = None, target_amplitude: Any = None) -> None:
        super().__init__(target_time_const)
