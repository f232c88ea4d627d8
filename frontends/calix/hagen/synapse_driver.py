"""Synapse drivers of matrix multiplication."""

from typing import Any, NoReturn

from calix._results import SynapseDriverCalibResult
from calix._stages import refuse_measurement
from calix._targets import SynapseDriverCalibOptions

__all__ = ["SynapseDriverCalibOptions", "SynapseDriverCalibResult", "calibrate"]


def calibrate(*arguments: Any, **named: Any) -> NoReturn:
    """Refuse: this part is not calibrated alone; raises MeasurementMissingError."""
    refuse_measurement("calix.hagen.synapse_driver.calibrate")
