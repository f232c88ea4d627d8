"""Synapse drivers with short-term plasticity."""

from __future__ import annotations

from typing import Any

import numpy as np

from calix._results import STPCalibResult
from calix._stages import measure_part
from calix._targets import STPCalibOptions, STPCalibTarget, stp_to_neckar
from calix._views import Reached, StageCalib
from neckar.calibration import SpikingTarget, StpTarget
from neckar.calibration.measure import Bench
from neckar.calibration.measure.drivers import search_offsets, stages

__all__ = ["STPCalibOptions", "STPCalibResult", "STPCalibTarget", "STPOffsetCalib", "calibrate"]


def calibrate(connection: Any, *, target: STPCalibTarget | None = None, options: STPCalibOptions | None = None) -> STPCalibResult:
    """Return the offsets of all drivers, measured on the chip of a connection, and leave them there, with the voltages of the target.

    Parameters
    ----------
    connection : StatefulConnection or hxcomm.ConnectionHandle
        With calibrated converter and currents of synapses.
    target, options : optional
    """
    target, options = target or STPCalibTarget(), options or STPCalibOptions()
    wanted = stp_to_neckar(target, options)
    return STPCalibResult._of(measure_part(connection, SpikingTarget(stp=wanted), wanted, stages(wanted)), target, options)


class STPOffsetCalib(StageCalib):
    """Offsets that make all drivers of a quadrant equal; there is no target.

    Parameters
    ----------
    v_stp, i_ramp : int or ndarray of int, shape (quadrant,)
        Voltage at which they are made equal, and current of the ramp, LSB.
    """

    field = "driver_offset"

    def __init__(self, v_stp: Any = 180, i_ramp: Any = 600) -> None:
        super().__init__()
        self.v_stp, self.i_ramp = v_stp, i_ramp

    def search(self, bench: Bench, target: Any, rng: np.random.Generator) -> Reached:
        """Run the stage."""
        return search_offsets(bench, StpTarget(v_stp=self.v_stp, i_ramp=self.i_ramp))
