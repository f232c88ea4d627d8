"""Neurons whose parameters are targets of a calibration.

The types have upstream's parameters, units, defaults and checks. Their use needs the calibration that measures a chip, which is not part of this version.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pyNN.standardmodels import build_translations

from neckar.errors import ParameterRangeError, UnsupportedFeatureError
from neckar.network import NeuronPopulation
from pynn_brainscales.brainscales2._errors import RunStateError, UncalibratedError
from pynn_brainscales.brainscales2.standardmodels.cells_base import NeuronCellType

RANGES = {
    "v_rest": (50, 160, "CADC LSB"),
    "v_reset": (50, 160, "CADC LSB"),
    "v_thresh": (50, 220, "CADC LSB"),
    "tau_m": (0.5, 60, "us"),
    "tau_syn_E": (0.3, 30, "us"),
    "tau_syn_I": (0.3, 30, "us"),
    "cm": (0, 63, "LSB"),
    "tau_refrac": (0.04, 32, "us"),
    "i_synin_gm_E": (30, 800, "CapMem LSB"),
    "i_synin_gm_I": (30, 800, "CapMem LSB"),
    "synapse_dac_bias": (30, 1022, "CapMem LSB"),
}
"""Lowest and highest value of each target and its unit; source: pynn-brainscales ``cells.py``."""

CHIP_GLOBAL = ("i_synin_gm_E", "i_synin_gm_I", "synapse_dac_bias")
"""Targets that all calibrated neurons of a chip share."""


def _units(names: Any) -> dict[str, str]:
    return {**NeuronCellType.units, **{name: "us" if RANGES.get(name, (0, 0, ""))[2] == "us" else "dimensionless" for name in names}}


class CalibHXNeuronCuba(NeuronCellType):
    """A neuron with current-based synapses, described by the targets of its calibration.

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

    @property
    def calib_target(self) -> Any:
        """Targets of the last calibration."""
        raise self._uncalibrated("calib_target")

    @property
    def calib_hwparams(self) -> Any:
        """Result of the last calibration."""
        raise self._uncalibrated("calib_hwparams")

    @property
    def actual_hwparams(self) -> Any:
        """What the following runs use."""
        raise self._uncalibrated("actual_hwparams")

    def to_network(self, population: Any, begin: float, end: float, duration: int) -> NeuronPopulation:
        """Check the targets.

        Raises
        ------
        ParameterRangeError
            If a target lies outside its range.
        RunStateError
            If a target that belongs to the whole chip differs between neurons.
        UnsupportedFeatureError
            Otherwise: there is no calibration that would reach the targets.
        """
        values = self.parameter_space._parameters
        for name, (low, high, unit) in RANGES.items():
            bad = [value for value in np.asarray(values[name], np.float64).tolist() if not low <= value <= high]
            if bad:
                raise ParameterRangeError(f"population {population.label!r}: {name} is {bad[0]}; allowed: {low} to {high} {unit}.")
        for name in CHIP_GLOBAL:
            different = np.unique(values[name])
            if len(different) > 1:
                raise RunStateError(
                    f"population {population.label!r}: {name} is {different[0]} and {different[1]}; allowed is one value for the whole chip. Correct it with "
                    "set() after reset()."
                )
        raise UnsupportedFeatureError(
            f"population {population.label!r} of {type(self).__name__} needs a calibration that measures the chip, which is not part of this version. Use "
            "HXNeuron with setup(initial_config=pynn.helper.chip_from_nightly())."
        )

    def _uncalibrated(self, name: str) -> UncalibratedError:
        return UncalibratedError(f"{name} was asked for before a calibration of {type(self).__name__}, which is not part of this version.")


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
