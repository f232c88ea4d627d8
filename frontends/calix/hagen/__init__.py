"""Calibration for matrix multiplication."""

from typing import Any

from calix._calibrate import calibrate as _calibrate
from calix._results import HagenCalibResult, HagenSyninCalibResult
from calix._targets import HagenCalibOptions, HagenCalibTarget, HagenSyninCalibOptions, HagenSyninCalibTarget
from calix.common import base, cadc, helpers  # noqa: F401  # scripts take them from here, too

__all__ = [
    "HagenCalibOptions",
    "HagenCalibResult",
    "HagenCalibTarget",
    "HagenSyninCalibOptions",
    "HagenSyninCalibResult",
    "HagenSyninCalibTarget",
    "calibrate",
    "calibrate_for_synin_integration",
]


def calibrate(connection: Any, target: HagenCalibTarget | None = None, options: HagenCalibOptions | None = None) -> HagenCalibResult:
    """Return the calibration for integration on membranes; see :func:`calix.calibrate`."""
    result: HagenCalibResult = _calibrate(target or HagenCalibTarget(), options, connection=connection)
    return result


def calibrate_for_synin_integration(
    connection: Any, target: HagenSyninCalibTarget | None = None, options: HagenSyninCalibOptions | None = None
) -> HagenSyninCalibResult:
    """Return the calibration for integration on synaptic lines; see :func:`calix.calibrate`."""
    result: HagenSyninCalibResult = _calibrate(target or HagenSyninCalibTarget(), options, connection=connection)
    return result
