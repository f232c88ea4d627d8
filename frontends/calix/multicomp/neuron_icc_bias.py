"""Conductances between compartments."""

from __future__ import annotations

from typing import Any

import numpy as np

from calix._views import Reached, StageCalib, per_circuit
from neckar.calibration.measure import Bench
from neckar.calibration.measure.compartments import search_conductance

__all__ = ["ICCMADCCalib"]


class ICCMADCCalib(StageCalib):
    """Membrane capacitance over conductance to the neighbour, s, 2 us by default.

    Parameters
    ----------
    target : quantity or number, optional
        Upstream's class text calls this the time constant of the connection; its code takes that of the approach, which is half as long.
    v_leak, neuron_configs
        Without effect: neighbours rest at 80 and 110, and are else as the chip holds them.
    """

    field = "multicompartment_i_bias_nmda"
    unit = "s"
    default = 2e-6

    def __init__(self, target: Any = None, v_leak: Any = None, neuron_configs: Any = None) -> None:
        super().__init__(target)

    def search(self, bench: Bench, target: Any, rng: np.random.Generator) -> Reached:
        """Run the stage."""
        return search_conductance(bench, per_circuit(target), rng)
