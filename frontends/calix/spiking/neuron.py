"""Spiking neurons."""

from typing import Any, NoReturn

from calix._results import NeuronCalibResult
from calix._stages import refuse_measurement
from calix._targets import NeuronCalibOptions, NeuronCalibTarget

__all__ = ["NeuronCalibOptions", "NeuronCalibResult", "NeuronCalibTarget", "calibrate", "calibrate_leak_over_threshold", "refine_potentials"]


def calibrate(*arguments: Any, **named: Any) -> NoReturn:
    """Refuse: this part is not calibrated alone; raises MeasurementMissingError."""
    refuse_measurement("calix.spiking.neuron.calibrate")


def refine_potentials(*arguments: Any, **named: Any) -> NoReturn:
    """Refuse: it measures; raises MeasurementMissingError."""
    refuse_measurement("calix.spiking.neuron.refine_potentials")


def calibrate_leak_over_threshold(*arguments: Any, **named: Any) -> NoReturn:
    """Refuse: it measures; raises MeasurementMissingError."""
    refuse_measurement("calix.spiking.neuron.calibrate_leak_over_threshold")
