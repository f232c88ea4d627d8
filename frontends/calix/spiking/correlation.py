"""Correlation sensors."""

from __future__ import annotations

from typing import Any

from calix._results import CorrelationCalibResult
from calix._stages import measure_part
from calix._targets import CorrelationCalibOptions, CorrelationCalibTarget, correlation_to_neckar
from neckar.calibration import SpikingTarget
from neckar.calibration.measure.correlation import stages

__all__ = ["CorrelationCalibOptions", "CorrelationCalibResult", "CorrelationCalibTarget", "calibrate"]


def calibrate(connection: Any, *, target: CorrelationCalibTarget | None = None, options: CorrelationCalibOptions | None = None) -> CorrelationCalibResult:
    """Return the shared currents of the sensors, and the bits of each if the options ask for them, measured on the chip of a connection, and leave them there.

    Parameters
    ----------
    connection : StatefulConnection or hxcomm.ConnectionHandle
        With a calibrated converter.
    target, options : optional
    """
    target, options = target or CorrelationCalibTarget(), options or CorrelationCalibOptions()
    wanted = correlation_to_neckar(target, options)
    return CorrelationCalibResult._of(measure_part(connection, SpikingTarget(correlation=wanted), wanted, stages(wanted)), target, options)
