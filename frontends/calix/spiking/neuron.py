"""Spiking neurons."""

from __future__ import annotations

from typing import Any

import numpy as np

from calix._results import NeuronCalibResult
from calix._stages import fields_with, measure_part
from calix._targets import NeuronCalibOptions, NeuronCalibTarget, neurons_to_neckar
from calix._types import magnitude
from dlens_vx_v3 import hal
from neckar.calibration import SpikingTarget
from neckar.calibration.measure import Stage
from neckar.calibration.measure.potentials import SPIKES, refinement
from neckar.calibration.measure.rate import search_rate
from neckar.calibration.measure.spiking import neuron_stages

__all__ = ["NeuronCalibOptions", "NeuronCalibResult", "NeuronCalibTarget", "calibrate", "calibrate_leak_over_threshold", "refine_potentials"]


def calibrate(connection: Any, target: NeuronCalibTarget | None = None, options: NeuronCalibOptions | None = None) -> NeuronCalibResult:
    """Return the calibration of all neurons, measured on the chip of a connection, and leave it there.

    Parameters
    ----------
    connection : StatefulConnection or hxcomm.ConnectionHandle
        With a calibrated converter: :func:`calix.common.cadc.calibrate`.
    target, options : optional

    Raises
    ------
    ParameterRangeError
        If a target makes no sense.
    CalibNotSuccessful
        If the chip does not show what a stage needs.
    """
    target, options = target or NeuronCalibTarget(), options or NeuronCalibOptions()
    wanted = neurons_to_neckar(target)
    found = measure_part(connection, SpikingTarget(neurons=wanted), wanted, (*neuron_stages(wanted), SPIKES))
    return NeuronCalibResult._of(found, target, options)


def refine_potentials(connection: Any, result: NeuronCalibResult, target: NeuronCalibTarget | None = None) -> None:
    """Search the potentials again with everything else as in a result, change them and their targets there, and leave it on the chip.

    Parameters
    ----------
    connection : StatefulConnection or hxcomm.ConnectionHandle
    result : NeuronCalibResult
        Is changed.
    target : NeuronCalibTarget, optional
        Of which leak, reset and threshold count.
    """
    target = target or NeuronCalibTarget()
    wanted = neurons_to_neckar(target)
    whole = SpikingTarget(neurons=wanted)
    stages = refinement(wanted.leak, wanted.reset, wanted.threshold)
    found = measure_part(connection, whole, wanted, stages, fields_with(connection, result)).fields
    result.target.leak, result.target.reset, result.target.threshold = target.leak, target.reset, target.threshold
    for i, neuron in enumerate(result.neurons.values()):
        neuron.leak.v_leak = hal.CapMemCell.Value(int(found["leak_v_leak"][i]))
        neuron.reset.v_reset = hal.CapMemCell.Value(int(found["reset_v_reset"][i]))
        neuron.threshold.v_threshold = hal.CapMemCell.Value(int(found["threshold_v_threshold"][i]))


def calibrate_leak_over_threshold(connection: Any, result: NeuronCalibResult, leak_over_threshold_rate: Any = 1e5) -> None:
    """Search thresholds for firing rates without input with everything else as in a result, change them there, and leave it on the chip.

    Parameters
    ----------
    connection : StatefulConnection or hxcomm.ConnectionHandle
    result : NeuronCalibResult
        Is changed. There has to be room between its reset and leak, in which the threshold is to lie.
    leak_over_threshold_rate : quantity or array_like
        One rate, or one per neuron; bare numbers are Hz of hardware time. 0 leaves a neuron's threshold alone.

    Raises
    ------
    ParameterRangeError
        If a rate is negative, or all are 0.
    """
    rates = np.array(np.broadcast_to(np.asarray(magnitude(leak_over_threshold_rate, "Hz"), np.float64), (len(result.neurons),)))
    stage = Stage("firing rates", lambda bench, rng: {"threshold_v_threshold": search_rate(bench, rates, rng)})
    found = measure_part(connection, SpikingTarget(), None, (stage,), fields_with(connection, result)).fields
    for i, neuron in enumerate(result.neurons.values()):
        neuron.threshold.v_threshold = hal.CapMemCell.Value(int(found["threshold_v_threshold"][i]))
