"""Synapse drivers of matrix multiplication."""

from __future__ import annotations

from typing import Any

import numpy as np

from calix._results import SynapseDriverCalibResult
from calix._stages import measure_part
from calix._targets import SynapseDriverCalibOptions, activation_of
from neckar.calibration import HagenSyninTarget
from neckar.calibration.measure import Bench, Stage
from neckar.calibration.measure.drivers import search_multiplication
from neckar.calibration.measure.stage import Reached

__all__ = ["SynapseDriverCalibOptions", "SynapseDriverCalibResult", "calibrate"]


def calibrate(connection: Any, options: SynapseDriverCalibOptions | None = None) -> SynapseDriverCalibResult:
    """Return ramps and offsets of all drivers, measured on the chip of a connection, and leave them there.

    Parameters
    ----------
    connection : StatefulConnection or hxcomm.ConnectionHandle
        With a converter that is calibrated for synaptic lines, and with calibrated currents of synapses.
    options : optional
    """
    options = options or SynapseDriverCalibOptions()
    activation = activation_of(options)

    def search(bench: Bench, rng: np.random.Generator) -> Reached:
        ramps, offsets = search_multiplication(bench, activation)
        return {"stp_i_ramp": ramps, "driver_hagen_dac_offset": offsets}

    found = measure_part(connection, HagenSyninTarget(offset_test_activation=activation), None, (Stage("drivers", search),))
    return SynapseDriverCalibResult._of(found, options)
