"""Targets and options of a calibration (upstream's compiled part of calix), handed on by Neckar from :mod:`calix`."""

from dlens_vx_v3._genuine import refuse_shadowing

refuse_shadowing(__name__, __file__)

from calix._targets import (  # noqa: E402
    CADCCalibOptions,
    CADCCalibTarget,
    CalibOptions,
    CalibTarget,
    CorrelationCalibOptions,
    CorrelationCalibTarget,
    HagenCalibOptions,
    HagenCalibTarget,
    HagenNeuronCalibTarget,
    HagenSyninCalibOptions,
    HagenSyninCalibTarget,
    NeuronCalibOptions,
    NeuronCalibTarget,
    SpikingCalibOptions,
    SpikingCalibTarget,
    STPCalibOptions,
    STPCalibTarget,
    SynapseDriverCalibOptions,
)
from calix._types import PotentialInVolt, TimeInS  # noqa: E402

__all__ = [
    "CADCCalibOptions",
    "CADCCalibTarget",
    "CalibOptions",
    "CalibTarget",
    "CorrelationCalibOptions",
    "CorrelationCalibTarget",
    "HagenCalibOptions",
    "HagenCalibTarget",
    "HagenNeuronCalibTarget",
    "HagenSyninCalibOptions",
    "HagenSyninCalibTarget",
    "NeuronCalibOptions",
    "NeuronCalibTarget",
    "PotentialInVolt",
    "STPCalibOptions",
    "STPCalibTarget",
    "SpikingCalibOptions",
    "SpikingCalibTarget",
    "SynapseDriverCalibOptions",
    "TimeInS",
]
