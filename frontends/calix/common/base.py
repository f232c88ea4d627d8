"""Targets, options, results and connections that all calibrations share."""

from calix._calibrate import StatefulConnection
from calix._results import CalibResult
from calix._targets import CalibOptions, CalibTarget, TopLevelCalibTarget
from calix.common.parameter_range import ParameterRange

__all__ = ["CalibOptions", "CalibResult", "CalibTarget", "ParameterRange", "StatefulConnection", "TopLevelCalibTarget"]
