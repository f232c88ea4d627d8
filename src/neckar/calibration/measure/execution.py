"""The loop over the stages of a calibration: in order, each with its own random numbers, kept in a journal as soon as it is done."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.calibration import Calibration
from neckar.calibration.measure.bench import Bench
from neckar.calibration.measure.journal import Checkpoint, Cost, Journal, Progress
from neckar.calibration.measure.stage import Stage, keyed_generator
from neckar.calibration.targets import ChipTarget


def run_stages(
    bench: Bench, target: ChipTarget, stages: Sequence[Stage], seed: int, journal: Journal | None = None, progress: Progress | None = None
) -> Calibration:
    """Return what the stages of a target find; parameters as of :func:`neckar.calibration.measure.measure`."""
    costs, success = list[Cost](), dict[str, NDArray[np.bool_]]()
    if journal is not None and (kept := journal.kept([stage.name for stage in stages])) is not None:
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
            journal.keep(Checkpoint(tuple(costs), bench.codes, bench.sent, success, bench.provenance))
    bench.write()
    if progress is not None:
        progress("", len(stages), len(stages))
    return Calibration(target=target, fields=bench.codes, success=success, provenance=_provenance(bench, costs))


def _resume(bench: Bench, kept: Checkpoint) -> None:
    """Bring a bench to where an interrupted calibration stopped."""
    bench.codes, bench.sent, bench.provenance = dict(kept.codes), dict(kept.sent), kept.provenance
    bench.chip_s, bench.programs = sum(cost.chip_s for cost in kept.costs), sum(cost.programs for cost in kept.costs)


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
