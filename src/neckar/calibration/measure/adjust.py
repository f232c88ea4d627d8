"""Adjustments of a calibrated chip by measurement: other potentials, or thresholds for equal firing rates; everything else stays as it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from neckar.calibration.calibration import Calibration
from neckar.calibration.measure.bench import CIRCUITS, Bench, Chip
from neckar.calibration.measure.execution import run_stages
from neckar.calibration.measure.potentials import refinement
from neckar.calibration.measure.rate import search_rate
from neckar.calibration.measure.stage import Stage
from neckar.calibration.targets import ChipTarget, NeuronTarget, SpikingTarget
from neckar.errors import ConfigurationError


def refine_potentials(chip: Chip, calibration: Calibration, neurons: NeuronTarget, seed: int = 0) -> Calibration:
    """Return a calibration whose thresholds, resets and leaks were searched again; behaviour as of calix ``spiking/neuron.py``.

    Parameters
    ----------
    chip : Chip
        Is left with the result set.
    calibration : Calibration
        Of a SpikingTarget.
    neurons : NeuronTarget
        Its leak, reset and threshold are the new targets.
    seed : int
        Of the searches' start codes.

    Raises
    ------
    ConfigurationError
        If the calibration is not one of spiking neurons.
    """
    target = _spiking(calibration)
    leak, reset, threshold = neurons.leak, neurons.reset, neurons.threshold
    target = replace(target, neurons=replace(target.neurons, leak=leak, reset=reset, threshold=threshold))
    return _adjusted(chip, calibration, target, refinement(leak, reset, threshold), seed)


def adjust_rates(chip: Chip, calibration: Calibration, rate_hz: ArrayLike, seed: int = 0) -> Calibration:
    """Return a calibration whose thresholds were searched for firing rates without input; behaviour as of calix ``spiking/neuron.py``.

    Parameters
    ----------
    chip, calibration, seed
        As of :func:`refine_potentials`. There has to be room between reset and leak, in which the threshold is to lie.
    rate_hz : array_like
        For all circuits, or shape (circuit,); Hz of hardware time, usually 10 to 100 kHz. 0 leaves the threshold of a circuit alone.

    Raises
    ------
    ConfigurationError
        As of :func:`refine_potentials`.
    ParameterRangeError
        If a rate is negative or not finite, or all are zero.
    """
    rates = np.broadcast_to(np.asarray(rate_hz, np.float64), (len(CIRCUITS),))
    stage = Stage("firing rates", lambda bench, rng: {"threshold_v_threshold": search_rate(bench, rates, rng)})
    return _adjusted(chip, calibration, _spiking(calibration), (stage,), seed)


def _spiking(calibration: Calibration) -> SpikingTarget:
    if not isinstance(calibration.target, SpikingTarget):
        raise ConfigurationError(
            f"a calibration of a {type(calibration.target).__name__} cannot be adjusted; allowed is one of a SpikingTarget, whose neurons fire. "
            "Calibrate a SpikingTarget first."
        )
    return calibration.target


def _adjusted(chip: Chip, calibration: Calibration, target: ChipTarget, stages: Sequence[Stage], seed: int) -> Calibration:
    """Return the calibration after some stages more; its provenance keeps its origin and adds the stages as ``adjusted``."""
    bench = Bench(chip)
    bench.set(**calibration.fields)
    found = run_stages(bench, target, stages, seed)
    earlier = json.loads(calibration.provenance.get("adjusted", "[]"))
    origin = {**calibration.provenance, "adjusted": json.dumps(earlier + json.loads(found.provenance["stages"]))}
    return Calibration(target=target, fields=found.fields, success={**calibration.success, **found.success}, provenance=origin)
