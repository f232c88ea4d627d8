"""Calibration for spiking networks."""

from typing import Any

from calix._calibrate import calibrate as _calibrate
from calix._results import SpikingCalibResult
from calix._targets import SpikingCalibOptions, SpikingCalibTarget

__all__ = ["SpikingCalibOptions", "SpikingCalibResult", "SpikingCalibTarget", "calibrate"]


def calibrate(connection: Any, target: SpikingCalibTarget | None = None, options: SpikingCalibOptions | None = None) -> SpikingCalibResult:
    """Return the calibration of the chip of a connection; see :func:`calix.calibrate`."""
    result: SpikingCalibResult = _calibrate(target or SpikingCalibTarget(), options, connection=connection)
    return result
