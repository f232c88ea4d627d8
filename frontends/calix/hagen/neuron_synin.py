"""Time constants of the synaptic lines. Strengths and references are calibrated with the neurons: :func:`calix.spiking.neuron.calibrate`."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from calix._views import Reached, StageCalib, per_circuit
from neckar.calibration.measure import Bench
from neckar.calibration.measure.synaptic_time import search_synaptic_time

__all__ = ["ExcSynTimeConstantCalib", "InhSynTimeConstantCalib"]

_CODES = ("i_bias_tau", "enable_high_resistance")


class _SynTimeConstant(StageCalib):
    unit = "s"
    default = 1.2e-6
    other: ClassVar[str]

    def __init__(self, target: Any = None, neuron_configs: Any = None) -> None:
        super().__init__(target)

    def search(self, bench: Bench, target: Any, rng: np.random.Generator) -> Reached:
        """Run the stage; the other line keeps what it has."""
        kept = {f"{self.other}_input_{name}": bench.codes[f"{self.other}_input_{name}"] for name in _CODES}
        with bench.changed(**kept):
            return search_synaptic_time(bench, np.stack([per_circuit(target)] * 2, axis=1), rng)


class ExcSynTimeConstantCalib(_SynTimeConstant):
    """Time constants of the excitatory lines, s, 1.2 us by default.

    Parameters
    ----------
    target : quantity or number, optional
    neuron_configs
        Without effect: neurons are as the chip holds them.
    """

    field = "excitatory_input_i_bias_tau"
    other = "inhibitory"


class InhSynTimeConstantCalib(_SynTimeConstant):
    """Time constants of the inhibitory lines; parameters as of :class:`ExcSynTimeConstantCalib`."""

    field = "inhibitory_input_i_bias_tau"
    other = "excitatory"
