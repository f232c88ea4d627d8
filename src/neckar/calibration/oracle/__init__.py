"""The oracle: a calibration by inverting the model of the chip, circuit by circuit, with the spread that a real calibration leaves.

What it inverts is the twin's own way from codes to physics, evaluated, never written down again. What it adds are keyed draws: per chip, circuit and quantity
a deviation of the target (:data:`neckar.facts.brainscales2.CALIBRATION_SPREAD`). So a calibrated chip is as unequal as one that upstream's software has
calibrated, and the same chip always gets the same calibration. Circuits that cannot reach a target hold the nearest code and are marked unsuccessful.

A measuring calibration must not import this package.
"""

from __future__ import annotations

import json

import neckar
from neckar.calibration.calibration import Calibration
from neckar.calibration.oracle._cadc import calibrate_cadc
from neckar.calibration.oracle._drivers import calibrate_multiplication, calibrate_plasticity
from neckar.calibration.oracle._inputs import equal_quadrants
from neckar.calibration.oracle._neurons import calibrate_integrating, calibrate_potentials, calibrate_spiking, on_lines
from neckar.calibration.oracle._search import Oracle, Quantity, Solution, bisect, solve
from neckar.calibration.oracle._sensors import calibrate_sensors
from neckar.calibration.targets import ChipTarget, HagenTarget, PotentialTarget, SpikingTarget
from neckar.chip.effects import Effects
from neckar.chip.machine import MODEL_VERSION
from neckar.chip.specimen import Specimen

__all__ = ["Oracle", "Quantity", "Solution", "bisect", "calibrate", "solve"]


def calibrate(specimen: Specimen, effects: Effects, target: ChipTarget, leave_spread: bool = True) -> Calibration:
    """Return the codes at which a chip does what was asked.

    Parameters
    ----------
    specimen : Specimen
    effects : Effects
        Mismatch and drift act.
    target : PotentialTarget, SpikingTarget, HagenTarget or HagenSyninTarget
    leave_spread : bool
        Leave the spread that a calibration on silicon leaves; off: as exact as whole codes allow.

    Notes
    -----
    About 0.2 s for a spiking chip, most of it for drawing its synapses.
    """
    oracle = Oracle(specimen, effects, leave_spread)
    calibrate_cadc(oracle, target.cadc)
    if isinstance(target, SpikingTarget):
        calibrate_spiking(oracle, target.neurons)
        calibrate_plasticity(oracle, target.stp)
        if target.correlation is not None:
            calibrate_sensors(oracle, target.correlation)
    elif isinstance(target, PotentialTarget):
        calibrate_potentials(oracle, target)
    elif isinstance(target, HagenTarget):
        calibrate_integrating(oracle, target.neurons)
        calibrate_multiplication(oracle, target.offset_test_activation)
    else:
        on_lines(oracle)
        equal_quadrants(oracle, target.synapse_dac_bias)
        calibrate_multiplication(oracle, target.offset_test_activation)
    return Calibration(target=target, fields=oracle.codes, success=oracle.success, provenance=provenance(specimen, effects))


def provenance(specimen: Specimen, effects: Effects) -> dict[str, str]:
    """Return where a calibration by the oracle comes from, as texts."""
    return {
        "method": "oracle",
        "chip": specimen.id,
        "chip_seed": str(specimen.seed),
        "statistics_version": str(specimen.statistics_version),
        "age_h": repr(specimen.age_h),
        "overrides": specimen.overrides_digest,
        "effects": json.dumps(effects.as_dict(), sort_keys=True),
        "neckar": neckar.__version__,
        "model_version": MODEL_VERSION,
    }
