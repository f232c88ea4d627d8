"""From raw readings to observations: numbers, how far they scatter, and what a chip would show in their place.

An observation of a resting potential is the mean of its samples; of a trace every single sample; of firing the logarithm of the mean interval; of firing on the
MADC the two potentials at which the membrane turns round. Beside the noise of samples, three errors are shared by the samples of one run: the write error of
every analog cell, a shift of the converter's clock, and what the closed forms leave out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.passport.characterisation import Characterisation, Readings, Run, Setting, Synapses
from neckar.calibration.passport.model import Codes, Model, Values
from neckar.facts import AXES, registers
from neckar.facts import brainscales2 as facts

_N = AXES["circuit"]
_TABLE = registers("brainscales2")
DEFAULTS: Codes = {
    name: register.default_array() for name, register in _TABLE.items() if not set(register.axes) - {"circuit", "quadrant", "hemisphere", "backend"}
}
"""Registers of circuits, quadrants, hemispheres and backends at their defaults, made once."""

POTENTIALS, TIME_COURSES, FIRING = range(3)
"""Stages of a fit: potentials first, for which lines are straight, then time courses, then firing."""

_SETTLED_US = 12.0
"""Samples before do not count as rest; the MADC's first samples are not valid either."""

_FEWEST_SAMPLES, _FEWEST_INTERVALS, _FEWEST_SPIKES = 5, 4, 2
"""Of which a mean says something."""

_NOISE = {"cadc": 1.0, "madc": 3.0}
"""Standard deviation of samples at rest that is expected at most, LSB; a membrane that scatters by 2.5 times as much moves."""

_MOVES = 2.5
_EDGE = 3
"""Readings so near to the ends of a converter's range count as beyond, LSB."""

_LAST_CADC, _LAST_MADC = 255, 1023

_LEVEL_ERROR = {"cadc": 0.15, "madc": 0.4}
"""Standard errors of the closed forms of levels, LSB: rounding, the membrane's slow wandering."""

_SWING_ERROR = 0.004
"""Of a trace, over its distance from rest."""

_INTERVAL_ERROR = 0.003
"""Of the interval between spikes, over itself: the machine's step."""

_TURNING_NOISE, _TURNING_ERROR = np.array([4.0, 1.0]), (1.5, 0.7)
"""Of peak and trough on the MADC: variance of one, LSB squared, and standard error of the closed forms, LSB."""

_WHOLE, _ANSWER_US = 0.95, 60.0
"""An answer counts as whole if its area over so many us is at least this share of the largest; a missing spike of eight takes 12 %."""

_FALL_US, _LEAST_SWING, _SHORTEST_TRACE = 0.4, 20, 100
"""A spike falls by half the range within this time; the range in LSB and the number of samples below which a trace shows none."""

_LINE_US, _TROUGH_US, _AFTERWARDS_US = (1.2, 0.15), (1.2, 1.9), 2.0
"""Where the line to the peak is fitted, before the fall; where the trough is read, after it; and what has to follow the fall."""

_LINE_SAMPLES, _TROUGH_SAMPLES = 8, 4
"""At least."""

_GAP = 1.6
"""An interval of more than so many times the median is two, between which a spike was lost."""

_FINEST = 1e-7
"""Least variance of the logarithm of a mean interval: the resolution of time stamps."""

CLOCK_US = 0.7
"""Standard deviation of the parallel converter's clock against the events, per hemisphere and run: silicon's is off by up to 1 us."""

ROUNDING = 1 / 12
"""Variance of rounding to whole numbers."""

MISSING = 1e12
"""Variance of a number that is not there."""


@dataclass(frozen=True, eq=False)
class Observation:
    """Numbers of all circuits from one setting.

    Attributes
    ----------
    name : str
    codes : mapping of str to ndarray
        Registers of the setting.
    value : ndarray, shape (circuit, number)
    variance : ndarray, shape (circuit, number)
        Of independent errors; huge where a number is missing.
    predict : callable
        Takes the model of a chip and codes, returns what `value` would be without errors.
    model : ndarray, shape (error, circuit, number)
        Errors of the model that the numbers of a circuit share, one standard deviation each.
    wander : callable, optional
        As `predict`; returns the covariance of noise that the numbers of a circuit share in part, shape (circuit, number, same).
    repeats : int
        Runs that were averaged; each wrote the cells anew.
    has_clock : bool
        Whether the times of the samples may be off.
    common : mapping of str to ndarray, shape (circuit, number)
        Errors that circuits share, one standard deviation each, by name; errors of one name are the same in all observations.
    write : str
        When the cells of the converter's ramps were written, whose write errors are shared by a quadrant and by all observations since. Empty: they count as
        exact.
    stage : int
        From which of :data:`POTENTIALS`, :data:`TIME_COURSES` and :data:`FIRING` on a fit uses it.
    """

    name: str
    codes: Codes
    value: Values
    variance: Values
    predict: Callable[[Model, Codes], Values]
    model: Values
    wander: Callable[[Model, Codes], Values] | None = None
    repeats: int = 1
    has_clock: bool = False
    stage: int = POTENTIALS
    common: Mapping[str, Values] = field(default_factory=dict)
    write: str = ""

    @property
    def is_missing(self) -> NDArray[np.bool_]:
        """Where a number is not there; the variance of a mean of missing ones is a little smaller."""
        return self.variance > 1e-6 * MISSING

    @property
    def cells(self) -> list[str]:
        """The analog cells in use: a write leaves each a little beside its code."""
        return [name for name, code in self.codes.items() if _TABLE[name].kind.startswith("capmem") and _TABLE[name].axes == ("circuit",) and np.any(code)]


def observations(characterisation: Characterisation, synapses: Mapping[str, Synapses]) -> list[Observation]:
    """Return all observations of a characterisation; repeated runs of one setting are averaged where their samples need not be at the same times."""
    found: defaultdict[str, list[Run]] = defaultdict(list)
    settings: dict[str, Setting] = {}
    for run in characterisation.runs:
        setting = settings.setdefault(run.setting.name, replace(run.setting, codes={**DEFAULTS, **run.setting.codes}))
        found[run.setting.name].append(replace(run, setting=setting))
    result: list[Observation] = []
    for runs in found.values():
        setting = runs[0].setting
        if is_trace(setting):
            result += [_trace(run, synapses) for run in runs]
        else:
            result.append(_averaged([_OF_KIND[_kind(setting)](run) for run in runs]))
    return result


def is_trace(setting: Setting) -> bool:
    """Whether something happens while the parallel converter reads."""
    return setting.kind == "cadc" and (setting.receptor is not None or len(setting.sections) > 1)


def _kind(setting: Setting) -> str:
    fires = np.any(setting.codes.get("threshold_enable", False))
    return f"{setting.kind} firing" if setting.kind == "madc" and fires else setting.kind


def _averaged(parts: Sequence[Observation]) -> Observation:
    """Return the mean of repeated observations; the model's errors are alike in all of them."""
    if len(parts) == 1:
        return parts[0]
    values, variances = np.array([part.value for part in parts]), np.array([part.variance for part in parts])
    weights = 1 / variances
    value = (values * weights).sum(axis=0) / weights.sum(axis=0)
    first = parts[0]
    return Observation(first.name, first.codes, value, 1 / weights.sum(axis=0), first.predict, first.model, repeats=len(parts), stage=first.stage)


def _level(run: Run) -> Observation:
    """The mean reading of a membrane at rest."""
    kind = run.setting.kind
    mean, variance = _mean(run.readings, kind)

    def predict(model: Model, codes: Codes) -> Values:
        potential = model.resting(codes)
        return (model.on_madc(potential) if kind == "madc" else model.on_cadc(potential, codes))[:, None]

    return Observation(run.setting.name, run.setting.codes, mean[:, None], variance[:, None], predict, np.full((1, _N, 1), _LEVEL_ERROR[kind]))


def _mean(readings: Readings, kind: str) -> tuple[Values, Values]:
    """Return mean and variance of the mean of settled samples; a membrane that moves or leaves the range counts as missing."""
    used = np.isfinite(readings.time_us) & (readings.time_us >= _SETTLED_US)
    n = used.sum(axis=1)
    value = np.where(used, readings.value, 0.0)
    mean = value.sum(axis=1) / np.maximum(n, 1)
    noise = np.sqrt((np.where(used, readings.value - mean[:, None], 0.0) ** 2).sum(axis=1) / np.maximum(n - 1, 1))
    good = (n >= _FEWEST_SAMPLES) & (noise < _MOVES * _NOISE[kind]) & (mean > _EDGE) & (mean < _LAST_MADC - _EDGE)
    return mean, np.where(good, (_NOISE[kind] ** 2 + ROUNDING) / np.maximum(n, 1), MISSING)


def _trace(run: Run, synapses: Mapping[str, Synapses]) -> Observation:
    """Every sample of a membrane that moves."""
    setting, readings = run.setting, run.readings
    used = np.isfinite(readings.time_us) & (readings.value > _EDGE) & (readings.value < _LAST_CADC - _EDGE)
    for (begin, end), is_whole in zip(answers(setting), whole_answers(setting, readings), strict=True):
        used &= is_whole | (readings.time_us < begin) | (readings.time_us >= end)
    receptor = None if setting.receptor is None else synapses[setting.receptor]

    def predict(model: Model, codes: Codes) -> Values:
        return model.on_cadc(model.trace(setting, codes, receptor, readings.time_us), codes)

    def wander(model: Model, codes: Codes) -> Values:
        return model.wander(codes, readings.time_us)

    start = np.where(np.isfinite(readings.time_us) & (readings.time_us < min([*setting.events_us, setting.sections[0][0]])), readings.value, np.nan)
    rest = np.nan_to_num(np.nanmean(start, axis=1))
    seen = float(np.nanmedian(np.nanmean(np.diff(start, axis=1) ** 2, axis=1))) / 2  # of the converter: from one sample to the next, membranes wander little
    noise = max(seen, facts.CADC_NOISE.value**2)
    swing = readings.value - rest[:, None]
    errors = np.stack([np.full_like(swing, _LEVEL_ERROR["cadc"]), _SWING_ERROR * swing])
    return Observation(setting.name, setting.codes, readings.value, np.where(used, noise, MISSING), predict, errors, wander, has_clock=True, stage=TIME_COURSES)


def answers(setting: Setting) -> list[tuple[float, float]]:
    """Return from when to when each event is answered, us."""
    return list(pairwise((*setting.events_us, setting.duration_us))) if setting.events_us else []


def whole_answers(setting: Setting, readings: Readings) -> list[bool]:
    """Return which events were answered in full: if one of the sources' spikes is lost on its way, all circuits answer less than to the other events."""
    if not setting.events_us:
        return []
    rest = np.nanmean(np.where(readings.time_us < setting.events_us[0], readings.value, np.nan), axis=1, keepdims=True)
    swing = np.where(np.isfinite(readings.time_us), np.abs(readings.value - rest), 0.0)
    areas = [float(swing[(readings.time_us >= a) & (readings.time_us < min(b, a + _ANSWER_US))].sum()) for a, b in answers(setting)]
    return [area >= _WHOLE * max(areas) for area in areas]


def _interval(run: Run) -> Observation:
    """The logarithm of the mean interval between spikes, s."""
    mean, scatter, n = intervals(run.readings)
    good = n >= _FEWEST_INTERVALS
    value = np.log(np.where(good, mean, 1.0))
    variance = np.where(good, (scatter / np.maximum(mean, 1e-12)) ** 2 / np.maximum(n, 1) + _FINEST, MISSING)

    def predict(model: Model, codes: Codes) -> Values:
        return np.log(model.interval(codes))[:, None]

    errors = np.full((1, _N, 1), _INTERVAL_ERROR)
    return Observation(run.setting.name, run.setting.codes, value[:, None], variance[:, None], predict, errors, stage=FIRING)


def intervals(readings: Readings) -> tuple[Values, Values, NDArray[np.int64]]:
    """Return mean and standard deviation, s, of the intervals between the spikes of each circuit, and their number; shape (circuit,).

    Intervals in which a spike was lost on its way are left out.
    """
    order = np.lexsort((readings.spike_us, readings.spike_circuit))
    circuit, time = readings.spike_circuit[order], 1e-6 * readings.spike_us[order]
    same = circuit[1:] == circuit[:-1]
    gap, of = np.diff(time)[same], circuit[1:][same]
    n = np.bincount(of, minlength=_N)
    middle = np.append(gap[np.lexsort((gap, of))], 0.0)[np.cumsum(n) - n + n // 2]
    whole = gap <= _GAP * middle[of]
    gap, of = gap[whole], of[whole]
    n = np.bincount(of, minlength=_N)
    mean = np.bincount(of, gap, minlength=_N) / np.maximum(n, 1)
    square = np.bincount(of, (gap - mean[of]) ** 2, minlength=_N) / np.maximum(n - 1, 1)
    return mean, np.sqrt(square), n


def _turning(run: Run) -> Observation:
    """Peak and trough of a firing membrane on the MADC."""
    value, count = turning_points(run.readings)
    variance = np.where(count[:, None] >= _FEWEST_SPIKES, _TURNING_NOISE / np.maximum(count, 1)[:, None], MISSING)

    def predict(model: Model, codes: Codes) -> Values:
        return np.stack([model.on_madc(v) for v in model.peak_and_trough(codes)], axis=1)

    errors = np.zeros((2, _N, 2))
    errors[0, :, 0], errors[1, :, 1] = _TURNING_ERROR
    return Observation(run.setting.name, run.setting.codes, value, variance, predict, errors)


def turning_points(readings: Readings) -> tuple[Values, NDArray[np.int64]]:
    """Return peak and trough of firing membranes, shape (circuit, 2), MADC LSB, and how many spikes were used.

    The peak is where a line through the last microsecond before meets the fall of a spike; the trough is a mean after it, when the reset has settled.
    """
    value, count = np.zeros((_N, 2)), np.zeros(_N, np.int64)
    for circuit in range(_N):
        seen = np.isfinite(readings.time_us[circuit]) & (readings.time_us[circuit] >= _SETTLED_US)
        time, v = readings.time_us[circuit][seen], readings.value[circuit][seen]
        if len(v) < _SHORTEST_TRACE:
            continue
        value[circuit], count[circuit] = _turns(time, v)
    return value, count


def _turns(time: Values, v: Values) -> tuple[tuple[float, float], int]:
    low, high = np.percentile(v, (2, 98))
    lag = max(1, round(_FALL_US / float(np.median(np.diff(time)))))
    falls = v[lag:] - v[:-lag] < -(high - low) / 2
    starts = np.flatnonzero(falls[1:] & ~falls[:-1]) + 1
    peaks, troughs = [], []
    if high - low < _LEAST_SWING:
        return (0.0, 0.0), 0
    for start in starts:
        steepest = start + int(np.argmin(np.diff(v[start : start + 2 * lag + 1])))
        since = time - time[steepest]
        before = (since > -_LINE_US[0]) & (since < -_LINE_US[1])
        after = (since > _TROUGH_US[0]) & (since < _TROUGH_US[1])
        if before.sum() >= _LINE_SAMPLES and after.sum() >= _TROUGH_SAMPLES and since[-1] > _AFTERWARDS_US:
            _, offset = np.polyfit(since[before], v[before], 1)
            peaks.append(offset)
            troughs.append(v[after].mean())
    return ((float(np.mean(peaks)), float(np.mean(troughs))), len(peaks)) if peaks else ((0.0, 0.0), 0)


_OF_KIND: Mapping[str, Callable[[Run], Observation]] = {"cadc": _level, "madc": _level, "madc firing": _turning, "spikes": _interval}
