"""Calibration: codes for a wanted physics.

A virtual chip is as crooked as silicon: equal codes mean different potentials and times on each circuit. A calibration finds the codes at which all circuits do
what was asked. Two ways lead there, behind one function:

* the **oracle** (:mod:`neckar.calibration.oracle`) knows the chip: it inverts its transfer lines circuit by circuit and adds the spread that a real
  calibration leaves. It takes a second and exists only on a twin;
* **measurement** (:mod:`neckar.calibration.measure`) finds the codes by experiments, as silicon must.

    calibration = calibrate(Specimen.named("chip-7"), SpikingTarget())
    config = ChipConfig.default().updated(calibration.fields)

Around it: :mod:`neckar.calibration.behaviour` sees what a calibrated chip does, :mod:`neckar.calibration.ageing` what becomes of that while the chip drifts,
:mod:`neckar.calibration.cache` keeps measured calibrations and goes on with interrupted ones, :mod:`neckar.calibration.store` makes the files that notebooks
load, and :mod:`neckar.calibration.passport` turns measurements of an unknown chip into its twin.

Targets are in the units of upstream's: potentials in LSB of the calibrated parallel converter (CADC), times in seconds of hardware time, biases and voltages
of single cells as codes (LSB). Fields are codes, whole arrays by register.

Not modelled: what a calibration cannot reach, because it lies outside the chip (board voltages, pads); neighbours that disturb each other beyond
:mod:`neckar.chip.capmem`; a chip that changes while it is measured.

Public: :func:`calibrate`, :class:`Calibration`, the targets, :data:`NIGHTLY`, :func:`made_by`, :func:`tell_origin`.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from neckar.calibration._foreign import ForeignCalibrationWarning, made_by, tell_origin
from neckar.calibration.calibration import Calibration
from neckar.calibration.targets import (
    NIGHTLY,
    CadcTarget,
    ChipTarget,
    CorrelationTarget,
    HagenNeuronTarget,
    HagenSyninTarget,
    HagenTarget,
    NeuronTarget,
    PotentialTarget,
    SpikingTarget,
    StpTarget,
    Strength,
    unusual,
)
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.errors import UnknownNameError, nearest

if TYPE_CHECKING:
    from neckar.calibration.measure import Progress

__all__ = [
    "METHODS",
    "NIGHTLY",
    "CadcTarget",
    "Calibration",
    "ChipTarget",
    "CorrelationTarget",
    "ForeignCalibrationWarning",
    "HagenNeuronTarget",
    "HagenSyninTarget",
    "HagenTarget",
    "NeuronTarget",
    "PotentialTarget",
    "SpikingTarget",
    "StpTarget",
    "Strength",
    "calibrate",
    "made_by",
    "tell_origin",
]

Method = Literal["oracle", "measurement"]
METHODS: tuple[Method, ...] = ("oracle", "measurement")

_log = logging.getLogger(__name__)


def calibrate(
    chip: Specimen,
    target: ChipTarget,
    method: Method = "oracle",
    effects: Effects | None = None,
    *,
    cache: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Return the codes at which a chip does what was asked.

    Parameters
    ----------
    chip : Specimen
        The chip, at its present age.
    target : PotentialTarget, SpikingTarget, HagenTarget or HagenSyninTarget
        What its circuits are to do. Parts outside the range that circuits reach well are logged as warnings.
    method : str
        ``"oracle"`` inverts the model of the chip. ``"measurement"`` runs experiments on it, with the instruments of silicon,
        the lab's seed 0 and the chip after a reset.
    effects : Effects, optional
        Which imperfections the chip has; a chip without mismatch gets a calibration for that. All by default.
    cache : path, optional
        Folder in which measured calibrations are kept, and their finished stages as soon as they are there: what is interrupted goes on with the next call,
        with the same bits, and of two processes one measures and the other waits. By default nothing is kept.
    progress : callable, optional
        Of a measurement: told before each stage its name, its number and how many there are, and ``("", n, n)`` at the end.

    Returns
    -------
    Calibration
        Its success masks tell which elements reached their targets.

    Raises
    ------
    UnknownNameError
        If there is no such method.
    ParameterRangeError
        If a target makes no sense; names circuit, value and range.
    CalibrationCacheError
        If the cache cannot be written; what was finished is an attribute of the error.
    """
    if method not in METHODS:
        raise UnknownNameError(f"no method of calibration is called {method!r}{nearest(method, METHODS)} Methods: {', '.join(METHODS)}.")
    for sentence in unusual(target):
        _log.warning(sentence)
    if method == "measurement":
        from neckar.calibration import measure
        from neckar.calibration.cache import measured
        from neckar.lab import Lab

        if cache is not None:
            return measured(Path(cache), chip, target, effects, progress=progress)
        with Lab(chip=chip, effects=effects or Effects(), instruments="silicon", seed=0, executor="inline").session() as session:
            return measure.measure(session, target, progress=progress)
    from neckar.calibration import oracle

    return oracle.calibrate(chip, effects or Effects(), target)
