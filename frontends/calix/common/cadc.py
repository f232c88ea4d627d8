"""The parallel converter."""

from typing import Any, NoReturn

from calix._results import CADCCalibResult
from calix._stages import refuse_measurement
from calix._targets import CADCCalibOptions, CADCCalibTarget

__all__ = ["CADCCalibOptions", "CADCCalibResult", "CADCCalibTarget", "calibrate"]


def calibrate(*arguments: Any, **named: Any) -> NoReturn:
    """Refuse: this part is not calibrated alone; raises MeasurementMissingError."""
    refuse_measurement("calix.common.cadc.calibrate")
