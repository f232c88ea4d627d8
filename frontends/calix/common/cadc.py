"""The parallel converter."""

from __future__ import annotations

from typing import Any

from calix._results import CADCCalibResult
from calix._stages import measure_part
from calix._targets import CADCCalibOptions, CADCCalibTarget, cadc_to_neckar
from neckar.calibration import SpikingTarget
from neckar.calibration.measure import Stage, calibrate_cadc

__all__ = ["CADCCalibOptions", "CADCCalibResult", "CADCCalibTarget", "calibrate"]


def calibrate(connection: Any, target: CADCCalibTarget | None = None, options: CADCCalibOptions | None = None) -> CADCCalibResult:
    """Return the calibration of all channels, measured on the chip of a connection, and leave it there.

    Parameters
    ----------
    connection : StatefulConnection or hxcomm.ConnectionHandle
    target, options : optional

    Raises
    ------
    ParameterRangeError
        If a range lies outside what codes and readings can be.
    """
    target, options = target or CADCCalibTarget(), options or CADCCalibOptions()
    wanted = cadc_to_neckar(target, options)
    stages = (Stage("converter", lambda bench, rng: calibrate_cadc(bench, wanted)),)
    return CADCCalibResult._of(measure_part(connection, SpikingTarget(cadc=wanted), wanted, stages), target, options)
