"""From raw readings to observations: numbers, how far they scatter, and what a chip would show in their place.

An observation of a resting potential is the mean of its samples; of a trace every single sample; of firing the logarithm of the mean interval; of firing on the
MADC the two potentials at which the membrane turns round. Beside the noise of samples, three errors are shared by the samples of one run: the write error of
every analog cell, a shift of the converter's clock, and what the closed forms leave out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.passport import predictions
from neckar.calibration.passport.characterisation import Characterisation, Readings, Run, Setting, Synapses
from neckar.chip.specimen import Specimen
from neckar.facts import AXES, registers
from neckar.facts import brainscales2 as facts

Values = NDArray[np.float64]
Codes = Mapping[str, NDArray[Any]]

_N = AXES["circuit"]
_TABLE = registers("brainscales2")
DEFAULTS: Codes = {
    name: register.default_array() for name, register in _TABLE.items() if not set(register.axes) - {"circuit", "quadrant", "hemisphere", "backend"}
}
"""Registers of circuits, quadrants, hemispheres and backends at their defaults, made once."""

_SETTLED_US = 12.0
"""Samples before do not count as rest; the MADC's first samples are not valid either."""

CLOCK_US = 0.7
"""Standard deviation of the parallel converter's clock against the events, per hemisphere and run: silicon's is off by up to 1 us."""

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
        Takes a specimen and codes, returns what `value` would be without errors.
    model : ndarray, shape (error, circuit, number)
        Errors of the model that the numbers of a circuit share, one standard deviation each.
    repeats : int
        Runs that were averaged; each wrote the cells anew.
    has_clock : bool
        Whether the times of the samples may be off.
    stage : int
        From which step on a fit may use it: potentials first, for which lines are straight, then time courses, then firing.
    """

    name: str
    codes: Codes
    value: Values
    variance: Values
    predict: Callable[[Specimen, Codes], Values]
    model: Values
    repeats: int = 1
    has_clock: bool = False
    stage: int = 0

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
    return Observation(first.name, first.codes, value, 1 / weights.sum(axis=0), first.predict, first.model, len(parts), stage=first.stage)


def _level(run: Run) -> Observation:
    """The mean reading of a membrane at rest."""
    on_madc = run.setting.kind == "madc"
    mean, variance = _mean(run.readings, _SETTLED_US, 3.0 if on_madc else 1.0)

    def predict(specimen: Specimen, codes: Codes) -> Values:
        potential = predictions.resting(specimen, codes)
        read = predictions.on_madc(specimen, potential) if on_madc else predictions.on_cadc(specimen, potential, codes)
        return read[:, None]

    return Observation(run.setting.name, run.setting.codes, mean[:, None], variance[:, None], predict, np.full((1, _N, 1), 0.4 if on_madc else 0.15))


def _mean(readings: Readings, from_us: float, largest_noise: float) -> tuple[Values, Values]:
    """Return mean and variance of the mean; a membrane that moves or leaves the range counts as missing."""
    used = np.isfinite(readings.time_us) & (readings.time_us >= from_us)
    n = used.sum(axis=1)
    value = np.where(used, readings.value, 0.0)
    mean = value.sum(axis=1) / np.maximum(n, 1)
    noise = np.sqrt((np.where(used, readings.value - mean[:, None], 0.0) ** 2).sum(axis=1) / np.maximum(n - 1, 1))
    good = (n >= 5) & (noise < 2.5 * largest_noise) & _in_range(mean)
    return mean, np.where(good, (largest_noise**2 + 1 / 12) / np.maximum(n, 1), MISSING)


def _in_range(reading: Values) -> NDArray[np.bool_]:
    return np.asarray((reading > 3) & (reading < 1020))


def _trace(run: Run, synapses: Mapping[str, Synapses]) -> Observation:
    """Every sample of a membrane that moves."""
    setting, readings = run.setting, run.readings
    used = np.isfinite(readings.time_us) & (readings.value > 3) & (readings.value < 252)
    for (begin, end), is_whole in zip(answers(setting), whole_answers(setting, readings), strict=True):
        used &= is_whole | (readings.time_us < begin) | (readings.time_us >= end)
    receptor = None if setting.receptor is None else synapses[setting.receptor]

    def predict(specimen: Specimen, codes: Codes) -> Values:
        return predictions.on_cadc(specimen, predictions.trace(specimen, setting, codes, receptor, readings.time_us), codes)

    start = np.where(np.isfinite(readings.time_us) & (readings.time_us < min([*setting.events_us, setting.sections[0][0]])), readings.value, np.nan)
    rest = np.nan_to_num(np.nanmean(start, axis=1))
    noise = max(float(np.nanmedian(np.nanvar(start, axis=1, ddof=1))), facts.CADC_NOISE.value**2)  # of the membrane as well, which differs between settings
    swing = readings.value - rest[:, None]
    model = np.stack([np.full_like(swing, 0.15), 0.004 * swing])
    return Observation(setting.name, setting.codes, readings.value, np.where(used, noise, MISSING), predict, model, has_clock=True, stage=1)


def answers(setting: Setting) -> list[tuple[float, float]]:
    """Return from when to when each event is answered, us."""
    return list(pairwise((*setting.events_us, setting.duration_us))) if setting.events_us else []


def whole_answers(setting: Setting, readings: Readings) -> list[bool]:
    """Return which events were answered in full: if one of the sources' spikes is lost on its way, all circuits answer less than to the other events."""
    if not setting.events_us:
        return []
    rest = np.nanmean(np.where(readings.time_us < setting.events_us[0], readings.value, np.nan), axis=1, keepdims=True)
    swing = np.where(np.isfinite(readings.time_us), np.abs(readings.value - rest), 0.0)
    areas = [float(swing[(readings.time_us >= a) & (readings.time_us < min(b, a + 60.0))].sum()) for a, b in answers(setting)]
    return [area >= 0.95 * max(areas) for area in areas]


def _interval(run: Run) -> Observation:
    """The logarithm of the mean interval between spikes, s."""
    mean, scatter, n = intervals(run.readings)
    good = n >= 4
    value = np.log(np.where(good, mean, 1.0))
    variance = np.where(good, (scatter / np.maximum(mean, 1e-12)) ** 2 / np.maximum(n, 1) + 1e-7, MISSING)

    def predict(specimen: Specimen, codes: Codes) -> Values:
        return np.log(predictions.interval(specimen, codes))[:, None]

    return Observation(run.setting.name, run.setting.codes, value[:, None], variance[:, None], predict, np.full((1, _N, 1), 0.003), stage=2)


def intervals(readings: Readings) -> tuple[Values, Values, NDArray[np.int64]]:
    """Return mean and standard deviation, s, of the intervals between the spikes of each circuit, and their number; shape (circuit,).

    An interval of more than 1.6 times the median is one in which a spike was lost on its way, and left out.
    """
    order = np.lexsort((readings.spike_us, readings.spike_circuit))
    circuit, time = readings.spike_circuit[order], 1e-6 * readings.spike_us[order]
    same = circuit[1:] == circuit[:-1]
    gap, of = np.diff(time)[same], circuit[1:][same]
    n = np.bincount(of, minlength=_N)
    middle = np.append(gap[np.lexsort((gap, of))], 0.0)[np.cumsum(n) - n + n // 2]
    whole = gap <= 1.6 * middle[of]
    gap, of = gap[whole], of[whole]
    n = np.bincount(of, minlength=_N)
    mean = np.bincount(of, gap, minlength=_N) / np.maximum(n, 1)
    square = np.bincount(of, (gap - mean[of]) ** 2, minlength=_N) / np.maximum(n - 1, 1)
    return mean, np.sqrt(square), n


def _turning(run: Run) -> Observation:
    """Peak and trough of a firing membrane on the MADC."""
    value, count = turning_points(run.readings)
    variance = np.where(count[:, None] >= 2, np.array([4.0, 1.0]) / np.maximum(count, 1)[:, None], MISSING)

    def predict(specimen: Specimen, codes: Codes) -> Values:
        return np.stack([predictions.on_madc(specimen, v) for v in predictions.peak_and_trough(specimen, codes)], axis=1)

    model = np.zeros((2, _N, 2))
    model[0, :, 0], model[1, :, 1] = 1.5, 0.7
    return Observation(run.setting.name, run.setting.codes, value, variance, predict, model)


def turning_points(readings: Readings) -> tuple[Values, NDArray[np.int64]]:
    """Return peak and trough of firing membranes, shape (circuit, 2), MADC LSB, and how many spikes were used.

    A spike is a fall by half the range within 0.4 us. The peak is where a line through the last microsecond before meets the fall; the trough is the mean from
    1.2 to 1.9 us after it, when the reset has settled.
    """
    value, count = np.zeros((_N, 2)), np.zeros(_N, np.int64)
    for circuit in range(_N):
        seen = np.isfinite(readings.time_us[circuit]) & (readings.time_us[circuit] >= _SETTLED_US)
        time, v = readings.time_us[circuit][seen], readings.value[circuit][seen]
        if len(v) < 100:
            continue
        value[circuit], count[circuit] = _turns(time, v)
    return value, count


def _turns(time: Values, v: Values) -> tuple[tuple[float, float], int]:
    low, high = np.percentile(v, (2, 98))
    lag = max(1, round(0.4 / float(np.median(np.diff(time)))))
    falls = v[lag:] - v[:-lag] < -(high - low) / 2
    starts = np.flatnonzero(falls[1:] & ~falls[:-1]) + 1
    peaks, troughs = [], []
    if high - low < 20:
        return (0.0, 0.0), 0
    for start in starts:
        steepest = start + int(np.argmin(np.diff(v[start : start + 2 * lag + 1])))
        before = (time > time[steepest] - 1.2) & (time < time[steepest] - 0.15)
        after = (time > time[steepest] + 1.2) & (time < time[steepest] + 1.9)
        if before.sum() >= 8 and after.sum() >= 4 and time[-1] > time[steepest] + 2.0:
            _, offset = np.polyfit(time[before] - time[steepest], v[before], 1)
            peaks.append(offset)
            troughs.append(v[after].mean())
    return ((float(np.mean(peaks)), float(np.mean(troughs))), len(peaks)) if peaks else ((0.0, 0.0), 0)


_OF_KIND: Mapping[str, Callable[[Run], Observation]] = {"cadc": _level, "madc": _level, "madc firing": _turning, "spikes": _interval}
