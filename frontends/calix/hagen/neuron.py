"""Integrating neurons."""

from __future__ import annotations

from typing import Any

from calix._results import NeuronCalibResult
from calix._stages import measure_part
from calix._targets import HagenNeuronCalibTarget, NeuronCalibOptions, integrating_to_neckar
from neckar.calibration import HagenTarget
from neckar.calibration.measure import Stage
from neckar.calibration.measure.hagen import neuron_stages, set_up

__all__ = ["NeuronCalibOptions", "NeuronCalibResult", "NeuronCalibTarget", "calibrate"]

NeuronCalibTarget = HagenNeuronCalibTarget


def calibrate(connection: Any, target: HagenNeuronCalibTarget | None = None, options: NeuronCalibOptions | None = None) -> NeuronCalibResult:
    """Return the calibration of all neurons for integration on membranes, measured on the chip of a connection, and leave it there, with their leak on.

    Parameters
    ----------
    connection : StatefulConnection or hxcomm.ConnectionHandle
        With a calibrated converter: :func:`calix.common.cadc.calibrate`.
    target, options : optional
    """
    target, options = target or HagenNeuronCalibTarget(), options or NeuronCalibOptions()
    wanted = integrating_to_neckar(target, disable_leak=False)
    found = measure_part(connection, HagenTarget(neurons=wanted), wanted, (Stage("neurons", set_up), *neuron_stages(wanted)))
    return NeuronCalibResult._of(found, target, options)
