"""Neurons whose parameters are targets of a calibration.

A run calibrates the chip first, if targets have changed (:mod:`pynn_brainscales.brainscales2._calibration`). Targets outside the documented ranges are
tried all the same, with a warning, as upstream does.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pyNN.standardmodels import build_translations

from neckar.network import NeuronPopulation
from pynn_brainscales.brainscales2._errors import UncalibratedError
from pynn_brainscales.brainscales2.standardmodels.cells_base import NeuronCellType

_TIMES = ("tau_m", "tau_syn_E", "tau_syn_I", "tau_refrac")

CHIP_GLOBAL = ("i_synin_gm_E", "i_synin_gm_I", "synapse_dac_bias")
"""Targets that all calibrated neurons of a chip share."""


def _units(names: Any) -> dict[str, str]:
    return {**NeuronCellType.units, **{name: "us" if name in _TIMES else "dimensionless" for name in names}}


class CalibHXNeuronCuba(NeuronCellType):
    """A neuron with current-based synapses, described by the targets of its calibration.

    Each parameter is one value, or one per neuron, in the range given here; outside, expect imperfect results and a warning.

    Parameters
    ----------
    plasticity_rule : PlasticityRule, optional
    v_rest, v_reset : float
        50 to 160 CADC LSB.
    v_thresh : float
        50 to 220 CADC LSB.
    tau_m : float
        0.5 to 60 us.
    tau_syn_E, tau_syn_I : float
        0.3 to 30 us.
    cm : int
        0 to 63.
    tau_refrac : float
        0.04 to 32 us.
    i_synin_gm_E, i_synin_gm_I : int
        30 to 800, the same for all calibrated neurons of the chip.
    synapse_dac_bias : int
        30 to 1022, the same for all calibrated neurons of the chip.
    """

    default_parameters: ClassVar = {
        **{"v_rest": 80.0, "v_reset": 70.0, "v_thresh": 125.0, "tau_m": 10.0, "tau_syn_E": 10.0, "tau_syn_I": 10.0, "cm": 63, "tau_refrac": 2.0},
        **{"i_synin_gm_E": 500, "i_synin_gm_I": 500, "synapse_dac_bias": 600},
        **NeuronCellType.default_parameters,
    }
    translations: ClassVar = build_translations(*((name, name) for name in default_parameters))
    units: ClassVar = _units(default_parameters)

    def __init__(self, plasticity_rule: Any = None, **parameters: Any) -> None:
        super().__init__(plasticity_rule, **parameters)
        self._found: tuple[Any, list[Any], tuple[Any, ...]] | None = None

    @property
    def is_calibrated(self) -> bool:
        """Whether there is a result of a calibration."""
        return self._found is not None

    def take(self, found: Sequence[Any], live: Sequence[Any]) -> None:
        """Keep the result of a calibration for the present targets.

        Parameters
        ----------
        found : sequence of lola.AtomicNeuron
            One per neuron, as they were found.
        live : sequence of lola.AtomicNeuron
            What the following runs use.
        """
        targets = copy.copy(self.parameter_space)
        targets._parameters = {name: np.array(values) for name, values in targets._parameters.items()}
        self._found = targets, list(found), tuple(live)

    @property
    def calib_target(self) -> Any:
        """Targets of the last calibration: a parameter space."""
        return self._of_calibration("calib_target")[0]

    @property
    def calib_hwparams(self) -> Any:
        """What the last calibration found, a list of one ``lola.AtomicNeuron`` per neuron; kept as it is."""
        return self._of_calibration("calib_hwparams")[1]

    @property
    def actual_hwparams(self) -> Any:
        """What the following runs use, a tuple of one ``lola.AtomicNeuron`` per neuron. Change it as you like; a change of targets begins anew."""
        return self._of_calibration("actual_hwparams")[2]

    def to_network(self, population: Any, begin: float, end: float, duration: int) -> NeuronPopulation:
        """Return the neurons; their codes are those of their circuits in the base configuration, where the calibration has put them."""
        return NeuronPopulation(population.label, population.size)

    def _of_calibration(self, name: str) -> Any:
        if self._found is None:
            raise UncalibratedError(
                f"{name} was asked for before {type(self).__name__} was calibrated. Call run(None, pynn.RunCommand.PREPARE), or read it after run()."
            )
        return self._found


class CalibHXNeuronCoba(CalibHXNeuronCuba):
    """A neuron with conductance-based synapses, described by the targets of its calibration.

    Parameters
    ----------
    e_rev_E, e_rev_I : float
        Reversal potentials in CADC LSB; they may lie beyond what the converter shows.
    **parameters
        As :class:`CalibHXNeuronCuba`.
    """

    conductance_based = True
    default_parameters: ClassVar = {
        **CalibHXNeuronCuba.default_parameters,
        **{"v_rest": 110.0, "v_reset": 100.0, "v_thresh": 160.0, "e_rev_E": 300.0, "e_rev_I": 30.0},
        **{"i_synin_gm_E": 180, "i_synin_gm_I": 250, "synapse_dac_bias": 400},
    }
    translations: ClassVar = build_translations(*((name, name) for name in default_parameters))
    units: ClassVar = _units(default_parameters)
