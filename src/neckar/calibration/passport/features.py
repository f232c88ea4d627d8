"""Numbers by which a twin is judged: rates, heights of potentials and time constants, read from a chip's and a twin's raw readings in the same way.

They are made for comparison. Each is a definite number of the readings, whatever the circuits do, and is not used by a fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.passport.characterisation import Readings, Setting, same_times
from neckar.calibration.passport.observations import answers, intervals, whole_answers
from neckar.facts import AXES

Values = NDArray[np.float64]

_N = AXES["circuit"]
_SHORTEST_US, _LONGEST_US, _TRIES = 1.5, 80.0, 120
_SWITCHED_US, _ANSWERED_US, _BEFORE_END_US = 1.5, 8.0, 1.0
"""Where decays are read: after a switch, with the clock's error; after an event, when the line alone decays; and up to the next."""

_SMALLEST = 6
"""Amplitude below which a decay is none, LSB."""

_FAST_MEMBRANE = 600
"""From this code of the leak's bias on, a membrane follows its input, and a potential decays as the synaptic line does."""


@dataclass(frozen=True)
class Feature:
    """A kind of number.

    Attributes
    ----------
    name, unit : str
    """

    name: str
    unit: str


RATE = Feature("firing rate", "kHz")
HEIGHT = Feature("PSP height", "CADC LSB")
MEMBRANE = Feature("membrane time constant", "us")
SYNAPTIC = Feature("synaptic time constant", "us")


def feature_of(setting: Setting) -> Feature | None:
    """Return what a setting shows best; None if it is a resting potential or a reading of the MADC."""
    if setting.kind == "spikes":
        return RATE
    if setting.kind != "cadc":
        return None
    if setting.receptor is None:
        return MEMBRANE if len(setting.sections) > 1 else None
    return SYNAPTIC if np.min(setting.codes["leak_i_bias"]) >= _FAST_MEMBRANE else HEIGHT


def read(setting: Setting, readings: Readings) -> Values:
    """Return the number of each circuit, shape (circuit,), NaN where it cannot be read; :func:`feature_of` says which one. Silent circuits have rate 0."""
    feature = feature_of(setting)
    if feature is RATE:
        mean, _, n = intervals(readings)
        return np.where(n >= 1, 1e-3 / np.maximum(mean, 1e-9), 0.0)
    if feature is HEIGHT:
        return height(setting, readings)
    if feature is MEMBRANE:
        switches = np.cumsum([us for us, _ in setting.sections]).tolist()
        return decay(readings, [(a + _SWITCHED_US, b - _BEFORE_END_US) for a, b in pairwise(switches)], own_levels=True)
    return decay(readings, [(begin + _ANSWERED_US, end - _BEFORE_END_US) for begin, end in answers(setting)])


def height(setting: Setting, readings: Readings) -> Values:
    """Return the mean height of the potentials: the largest mean of three neighbouring samples after each event, less the mean before the first.

    Events of which a part was lost on its way do not count.
    """
    sign = -1.0 if setting.receptor == "inhibitory" else 1.0
    value = np.where(np.isfinite(readings.time_us), sign * readings.value, np.nan)
    before = np.where(readings.time_us < setting.events_us[0], value, np.nan)
    smooth = (value[:, :-2] + value[:, 1:-1] + value[:, 2:]) / 3
    middle = readings.time_us[:, 1:-1]
    whole = [span for span, is_whole in zip(answers(setting), whole_answers(setting, readings), strict=True) if is_whole]
    tops = [np.nanmax(np.where((middle > a) & (middle < b), smooth, -np.inf), axis=1) for a, b in whole]
    top = np.mean(tops, axis=0) - np.nanmean(before, axis=1)
    clipped = np.nanmax(np.abs(value), axis=1) >= 254
    return np.where(clipped | (np.nanmin(np.abs(value), axis=1) <= 1), np.nan, top)


def decay(readings: Readings, windows: Sequence[tuple[float, float]], own_levels: bool = False) -> Values:
    """Return the time constant, us, of exponentials that go to a level in each window, by least squares.

    Parameters
    ----------
    readings : Readings
    windows : sequence of (float, float)
        Begin and end, us; each has an amplitude of its own.
    own_levels : bool
        Each also has a level of its own; otherwise there is one for all.

    Returns
    -------
    ndarray, shape (circuit,)
        NaN where the amplitude is below 6 LSB or the best fit lies at an end of the range from 1.5 to 80 us.
    """
    tries = np.geomspace(_SHORTEST_US, _LONGEST_US, _TRIES)
    errors, amplitude = np.zeros((_TRIES, _N)), np.zeros((_TRIES, _N))
    for circuits in same_times(readings.time_us):
        time = np.nan_to_num(readings.time_us[circuits][0], nan=-1.0)
        inside = [(time >= a) & (time < b) for a, b in windows]
        used = np.logical_or.reduce(inside)
        levels = inside if own_levels else [used]
        for k, tau in enumerate(tries):
            answers = [np.where(mask, np.exp(-np.maximum(time - a, 0.0) / tau), 0.0) for mask, (a, _) in zip(inside, windows, strict=True)]
            design = np.stack([*levels, *answers], axis=-1).astype(np.float64)
            moments = readings.value[circuits] @ design
            found = moments @ np.linalg.inv(design.T @ design + 1e-9 * np.eye(design.shape[1]))
            errors[k, circuits] = -(moments * found).sum(axis=1)
            amplitude[k, circuits] = np.abs(found[:, len(levels) :]).mean(axis=1)
    best = errors.argmin(axis=0)
    middle = np.clip(best, 1, _TRIES - 2)
    left, centre, right = (errors[middle + shift, np.arange(_N)] for shift in (-1, 0, 1))
    shift = 0.5 * (left - right) / np.maximum(left - 2 * centre + right, 1e-12)
    step = np.log(tries[1] / tries[0])
    tau = tries[middle] * np.exp(np.clip(shift, -1, 1) * step)
    good = (best == middle) & (amplitude[best, np.arange(_N)] >= _SMALLEST)
    return np.where(good, tau, np.nan)
