"""How a calibration ages: what a chip whose potentials drift does with yesterday's codes.

A virtual chip of an age is a chip of its own (:meth:`neckar.chip.specimen.Specimen.drift`), so a month passes as fast as somebody can calibrate. With the
effect ``drift`` potentials move by 0.2 CADC LSB per hour and wander about 2 LSB away after a day; time constants follow the temperature by a tenth of a
percent (:meth:`~neckar.chip.specimen.Specimen.warming`). Without it nothing ages.

Not modelled: drift of strengths and converters.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neckar.calibration import Calibration, Method, calibrate
from neckar.calibration.behaviour import QUANTITIES, applicable, read, trimmed, wished
from neckar.calibration.targets import ChipTarget
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.errors import CalibrationCacheError, ConfigurationError
from neckar.lab import Lab

_log = logging.getLogger(__name__)

DRIFTING = ("leak", "reset", "threshold")
"""Quantities that a drift of potentials moves."""

HOURS = (0.0, 1.0, 2.0, 4.0, 8.0, 12.0, 24.0, 48.0, 96.0, 168.0)
"""Ages of a calibration, h, at which a chip is looked at by default."""


class Aged(NamedTuple):
    """A quantity at several ages of a calibration.

    Attributes
    ----------
    hours : ndarray, shape (age,)
        Since the calibration, h.
    values : ndarray, shape (age, circuit)
        In the quantity's unit.
    error : ndarray, shape (age,)
        Root mean square distance from the target, or from the median where a target names no value.
    spread : ndarray, shape (age,)
        Standard deviation over the circuits without 5 % at either end.
    """

    hours: NDArray[np.float64]
    values: NDArray[np.float64]
    error: NDArray[np.float64]
    spread: NDArray[np.float64]


class Night(NamedTuple):
    """A day in the life of a chip.

    Attributes
    ----------
    age_h : float
        Of the chip, h, when it is looked at.
    nightly, once : dict of str to float
        Root mean square distance of each quantity from its target, with the calibration of the last night and with the first one.
    failures : int
        Elements that missed their target in the last night.
    """

    age_h: float
    nightly: dict[str, float]
    once: dict[str, float]
    failures: int


def at_age(specimen: Specimen, age_h: float) -> Specimen:
    """Return the same chip at another age, h."""
    return replace(specimen, age_h=age_h)


def aged(
    specimen: Specimen, calibration: Calibration, effects: Effects | None = None, hours: Sequence[float] = HOURS, names: Iterable[str] | None = None
) -> dict[str, Aged]:
    """Return what a chip does with a calibration that gets old.

    Parameters
    ----------
    specimen : Specimen
        At the age at which it was calibrated.
    calibration : Calibration
    effects : Effects, optional
        All by default; without drift nothing changes but the noise.
    hours : sequence of float
        Since the calibration, h.
    names : iterable of str, optional
        Some of :func:`neckar.calibration.behaviour.applicable`; all of them by default.
    """
    labs = [Lab(chip=at_age(specimen, specimen.age_h + h), effects=effects, instruments="open", seed=0) for h in hours]
    found = {}
    for name in applicable(calibration.target) if names is None else names:
        values = np.array([read(lab, calibration, name) for lab in labs])
        error = np.array([distance(calibration, name, row) for row in values])
        found[name] = Aged(np.asarray(hours, np.float64), values, error, np.array([trimmed(row) for row in values]))
    return found


def distance(calibration: Calibration, name: str, values: NDArray[np.float64]) -> float:
    """Return the root mean square distance of a quantity from its target, or from the median where the target names no value."""
    target = wished(calibration.target, QUANTITIES[name], len(values))
    return float(np.sqrt(np.mean((values - (np.median(values) if target is None else target)) ** 2)))


def _kept_or_made(chip: Specimen, target: ChipTarget, method: Method, effects: Effects | None, cache: Path | None) -> Calibration:
    """Return a calibration; one that was finished and could not be kept is as good."""
    try:
        return calibrate(chip, target, method, effects, cache=cache)
    except CalibrationCacheError as error:
        if not isinstance(error.calibration, Calibration):
            raise
        _log.warning("%s", error)
        return error.calibration


def nights(
    specimen: Specimen,
    target: ChipTarget,
    n: int = 30,
    method: Method = "oracle",
    effects: Effects | None = None,
    names: Sequence[str] = DRIFTING,
    looked_at_h: float = 8.0,
    cache: Path | None = None,
    told: Callable[[int, int], None] | None = None,
) -> list[Night]:
    """Return how a chip does over days, calibrated every night, and calibrated once.

    Parameters
    ----------
    specimen : Specimen
        At the age of the first night.
    target : PotentialTarget, SpikingTarget, HagenTarget or HagenSyninTarget
    n : int
        Number of nights.
    method : str
        As of :func:`neckar.calibration.calibrate`.
    effects : Effects, optional
    names : sequence of str
        Quantities to look at.
    looked_at_h : float
        When on each day, h after the night's calibration.
    cache : Path, optional
        As of :func:`neckar.calibration.calibrate`: with it, nights that were interrupted go on with the next call.
    told : callable, optional
        Told before each night its number from 0 and how many there are.

    Raises
    ------
    ConfigurationError
        If the target has none of the quantities.
    CalibrationCacheError
        If the cache cannot be written and so nothing is measured.
    """
    names = [name for name in names if name in applicable(target)]
    if not names:
        raise ConfigurationError(
            f"nights of a {type(target).__name__} were asked for, which has none of the quantities looked at; a drift moves {', '.join(DRIFTING)}. "
            "Choose another target, or names of quantities that it has."
        )
    days: list[Night] = []
    first: Calibration | None = None
    for night in range(n):
        if told is not None:
            told(night, n)
        chip = at_age(specimen, specimen.age_h + 24.0 * night)
        found = _kept_or_made(chip, target, method, effects, cache)
        first = first or found
        lab = Lab(chip=at_age(chip, chip.age_h + looked_at_h), effects=effects, instruments="open", seed=night)
        nightly, once = ({name: distance(c, name, read(lab, c, name)) for name in names} for c in (found, first))
        days.append(Night(lab.specimen.age_h, nightly, once, sum(found.failures().values())))
    return days
