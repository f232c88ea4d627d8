"""Correlation sensors."""

from typing import Any, NoReturn

from calix._results import CorrelationCalibResult
from calix._stages import refuse_measurement
from calix._targets import CorrelationCalibOptions, CorrelationCalibTarget

__all__ = ["CorrelationCalibOptions", "CorrelationCalibResult", "CorrelationCalibTarget", "calibrate"]


def calibrate(*arguments: Any, **named: Any) -> NoReturn:
    """Refuse: this part is not calibrated alone; raises MeasurementMissingError."""
    refuse_measurement("calix.spiking.correlation.calibrate")
