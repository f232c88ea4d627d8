"""Integrating neurons."""

from typing import Any, NoReturn

from calix._stages import refuse_measurement
from calix.hagen.neuron_dataclasses import NeuronCalibOptions, NeuronCalibResult, NeuronCalibTarget

__all__ = ["NeuronCalibOptions", "NeuronCalibResult", "NeuronCalibTarget", "calibrate"]


def calibrate(*arguments: Any, **named: Any) -> NoReturn:
    """Refuse: this part is not calibrated alone; raises MeasurementMissingError."""
    refuse_measurement("calix.hagen.neuron.calibrate")
