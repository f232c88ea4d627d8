"""Calibration by measurement: codes found by experiments, from nothing but what the instruments show.

A :class:`Bench` runs programs on a chip; stages bring the circuits into a state in which a quantity shows; searches (:func:`binary_search`,
:func:`noisy_binary_search`, :func:`linear_search`, :func:`predict`) choose the next codes. No module here knows a specimen or a transfer line: whatever takes
Programs and gives Recordings can be calibrated.

    with Lab(chip=7).session() as chip:
        calibration = measure(chip, PotentialTarget())

What can be asked for: potentials and membranes alone (PotentialTarget), chips for spiking networks (SpikingTarget), and chips that multiply matrices by
integration on membranes (HagenTarget) or on synaptic lines (HagenSyninTarget).
"""

from __future__ import annotations

from neckar.calibration.calibration import Calibration
from neckar.calibration.measure import hagen
from neckar.calibration.measure.adjust import adjust_rates, refine_potentials
from neckar.calibration.measure.bench import Bench, Chip
from neckar.calibration.measure.binary import binary_search, noisy_binary_search
from neckar.calibration.measure.converter import calibrate_cadc
from neckar.calibration.measure.execution import run_stages
from neckar.calibration.measure.journal import Checkpoint, Cost, Journal, Progress
from neckar.calibration.measure.linear import linear_search
from neckar.calibration.measure.membrane import search_membrane_time
from neckar.calibration.measure.outcome import Outcome, Span
from neckar.calibration.measure.potentials import search_leak, search_reset, search_threshold, set_neurons
from neckar.calibration.measure.potentials import stages as potential_stages
from neckar.calibration.measure.predictive import predict
from neckar.calibration.measure.spiking import stages as spiking_stages
from neckar.calibration.measure.stage import Stage
from neckar.calibration.measure.synapse_dac import search_synapse_dac
from neckar.calibration.measure.synaptic_time import search_synaptic_time
from neckar.calibration.targets import ChipTarget, HagenTarget, PotentialTarget, SpikingTarget

__all__ = [
    "Bench",
    "Checkpoint",
    "Chip",
    "Cost",
    "Journal",
    "Outcome",
    "Progress",
    "Span",
    "Stage",
    "adjust_rates",
    "binary_search",
    "calibrate_cadc",
    "linear_search",
    "measure",
    "noisy_binary_search",
    "plan",
    "predict",
    "refine_potentials",
    "search_leak",
    "search_membrane_time",
    "search_reset",
    "search_synapse_dac",
    "search_synaptic_time",
    "search_threshold",
    "set_neurons",
]


def measure(chip: Chip, target: ChipTarget, seed: int = 0, journal: Journal | None = None, progress: Progress | None = None) -> Calibration:
    """Return the codes at which a chip does what was asked, found by experiments.

    Parameters
    ----------
    chip : Chip
        Takes programs and gives recordings, its registers survive from one to the next; after a reset. It is left with the result set.
    target : PotentialTarget, SpikingTarget, HagenTarget or HagenSyninTarget
    seed : int
        Of the searches' start codes.
    journal : Journal, optional
        Keeps finished stages. What it has kept of an interrupted calibration is not measured again.
    progress : callable, optional
        Told before each stage its name, number and how many there are.

    Returns
    -------
    Calibration
        Its provenance is that of the recordings; ``chip_time_s`` is what the experiments take on silicon, ``programs`` their number, ``stages`` both for
        each stage, as JSON.

    Raises
    ------
    ParameterRangeError
        If the reference of a conductance-based input lies where it cannot be measured; nothing is run.
    """
    return run_stages(Bench(chip), target, plan(target), seed, journal, progress)


def plan(target: ChipTarget) -> tuple[Stage, ...]:
    """Return the stages of a target, in order.

    Raises
    ------
    ParameterRangeError
        As :func:`measure`.
    """
    if isinstance(target, SpikingTarget):
        return spiking_stages(target)
    if isinstance(target, PotentialTarget):
        return (Stage("converter", lambda bench, rng: calibrate_cadc(bench, target.cadc)), *potential_stages(target))
    return hagen.stages(target) if isinstance(target, HagenTarget) else hagen.line_stages(target)
