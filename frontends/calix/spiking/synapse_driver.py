"""Synapse drivers with short-term plasticity."""

from typing import Any, NoReturn

from calix._results import STPCalibResult
from calix._stages import refuse_measurement
from calix._targets import STPCalibOptions, STPCalibTarget

__all__ = ["STPCalibOptions", "STPCalibResult", "STPCalibTarget", "calibrate"]


def calibrate(*arguments: Any, **named: Any) -> NoReturn:
    """Refuse: this part is not calibrated alone; raises MeasurementMissingError."""
    refuse_measurement("calix.spiking.synapse_driver.calibrate")
