"""The current of the synapses."""

from __future__ import annotations

from typing import Any

import numpy as np

from calix._views import Reached, StageCalib
from neckar.calibration.measure import Bench
from neckar.calibration.measure.synapse_dac import search_synapse_dac

__all__ = ["DACBiasCalibCADC", "DACBiasCalibMADC"]


class DACBiasCalibCADC(StageCalib):
    """Currents that make all quadrants as strong as the weakest at a bias, LSB; by default the one that the chip has."""

    field = "syn_i_bias_dac"

    def search(self, bench: Bench, target: Any, rng: np.random.Generator) -> Reached:
        """Run the stage."""
        return search_synapse_dac(bench, int(np.median(bench.codes[self.field])) if target is None else int(target))


class DACBiasCalibMADC(DACBiasCalibCADC):
    """The same as :class:`DACBiasCalibCADC`; upstream's reads the MADC one neuron after the other."""
