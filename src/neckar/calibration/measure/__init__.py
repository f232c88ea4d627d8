"""Calibration by measurement: codes found by experiments, from nothing but what the instruments show.

A :class:`Bench` runs programs on a chip; stages bring the circuits into a state in which a quantity shows; searches (:func:`binary_search`,
:func:`noisy_binary_search`, :func:`linear_search`, :func:`predict`) choose the next codes. No module here knows a specimen or a transfer line: whatever takes
Programs and gives Recordings can be calibrated.

    with Lab(chip=7).session() as chip:
        calibration = measure(chip, PotentialTarget())

In this version: the parallel converter, the potentials threshold, leak and reset, and membrane time constants from 3 us on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.calibration import Calibration
from neckar.calibration.measure.bench import Bench, Chip
from neckar.calibration.measure.binary import binary_search, noisy_binary_search
from neckar.calibration.measure.converter import calibrate_cadc
from neckar.calibration.measure.journal import Checkpoint, Cost, Journal, Progress
from neckar.calibration.measure.linear import linear_search
from neckar.calibration.measure.membrane import SHORTEST_S, search_membrane_time
from neckar.calibration.measure.outcome import Outcome, Span
from neckar.calibration.measure.potentials import search_leak, search_reset, search_threshold, set_neurons
from neckar.calibration.measure.potentials import stages as potential_stages
from neckar.calibration.measure.predictive import polynomial, predict
from neckar.calibration.measure.stage import Stage, keyed_generator
from neckar.calibration.targets import ChipTarget, HagenTarget, PotentialTarget, SpikingTarget
from neckar.errors import UnsupportedFeatureError

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
    "binary_search",
    "calibrate_cadc",
    "linear_search",
    "measure",
    "noisy_binary_search",
    "plan",
    "polynomial",
    "predict",
    "search_leak",
    "search_membrane_time",
    "search_reset",
    "search_threshold",
    "set_neurons",
]


def measure(chip: Chip, target: ChipTarget, seed: int = 0, journal: Journal | None = None, progress: Progress | None = None) -> Calibration:
    """Return the codes at which a chip does what was asked, found by experiments.

    Parameters
    ----------
    chip : Chip
        Takes programs and gives recordings, its registers survive from one to the next; after a reset. It is left with the result set.
    target : PotentialTarget
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
    UnsupportedFeatureError
        If the target asks for stages that are not measured in this version; nothing is run.
    """
    if not isinstance(target, PotentialTarget):
        raise UnsupportedFeatureError(
            f"calibration by measurement of a {type(target).__name__} is not part of this version: {_missing(target)} are not measured. "
            'Measure a PotentialTarget (converter, threshold, leak, reset, membrane time constant), or use method="oracle".'
        )
    if target.tau_mem_s is not None and np.min(target.tau_mem_s) < SHORTEST_S:
        raise UnsupportedFeatureError(
            f"calibration by measurement of a membrane time constant of {np.min(target.tau_mem_s):g} s is not part of this version; allowed is "
            f'{SHORTEST_S:g} s and more, which the CADC can follow. Ask for a longer one, or use method="oracle".'
        )
    bench, costs, success = Bench(chip), list[Cost](), dict[str, NDArray[np.bool_]]()
    stages = plan(target)
    if journal is not None and (kept := journal.kept()) is not None and [cost.stage for cost in kept.costs] == [s.name for s in stages[: len(kept.costs)]]:
        _resume(bench, kept)
        costs, success = list(kept.costs), dict(kept.success)
    for number, stage in enumerate(stages):
        if number < len(costs):
            continue
        if progress is not None:
            progress(stage.name, number, len(stages))
        chip_s, programs = bench.chip_s, bench.programs
        success |= stage.run(bench, keyed_generator(seed, stage.name))
        costs.append(Cost(stage.name, bench.chip_s - chip_s, bench.programs - programs))
        if journal is not None:
            journal.keep(Checkpoint(tuple(costs), bench.codes, bench.sent, bench.findings, success, bench.provenance))
    bench.write()
    if progress is not None:
        progress("", len(stages), len(stages))
    return Calibration(target=target, fields=bench.codes, success=success, provenance=_provenance(bench, costs))


def _resume(bench: Bench, kept: Checkpoint) -> None:
    """Bring a bench to where an interrupted calibration stopped."""
    bench.codes, bench.sent, bench.findings, bench.provenance = dict(kept.codes), dict(kept.sent), dict(kept.findings), kept.provenance
    bench.chip_s, bench.programs = sum(cost.chip_s for cost in kept.costs), sum(cost.programs for cost in kept.costs)


def plan(target: PotentialTarget) -> tuple[Stage, ...]:
    """Return the stages of a target, in order."""
    return (Stage("converter", lambda bench, rng: calibrate_cadc(bench, target.cadc)), *potential_stages(target))


def _missing(target: ChipTarget) -> str:
    """Return the stages that a target needs and nobody measures yet."""
    if isinstance(target, SpikingTarget):
        sensors = ", correlation sensors" if target.correlation is not None else ""
        return f"synaptic time constants, currents, strengths and references, drivers{sensors}"
    if isinstance(target, HagenTarget):
        return "synaptic time constants, currents, strengths and references, drivers"
    return "currents of the synapses, drivers"


def _provenance(bench: Bench, costs: Sequence[Cost]) -> dict[str, str]:
    """Return where the calibration comes from, as texts: what the recordings say."""
    origin = bench.provenance
    assert origin is not None  # some program ran
    chip = origin.chip
    return {
        "method": "measurement",
        "chip": str(chip["id"]),
        "chip_seed": str(chip["seed"]),
        "statistics_version": str(chip["statistics_version"]),
        "age_h": repr(chip["age_h"]),
        "overrides": str(chip["overrides"]),
        "effects": json.dumps(dict(origin.effects), sort_keys=True),
        "neckar": origin.neckar,
        "model_version": origin.model_version,
        "chip_time_s": repr(round(bench.chip_s, 6)),
        "programs": str(bench.programs),
        "stages": json.dumps([[cost.stage, round(cost.chip_s, 6), cost.programs] for cost in costs]),
    }
