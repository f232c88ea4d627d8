"""What the published notebooks show, as numbers with bands.

Shared by ``make compat``, which measures upstream's own notebooks, and by tests/notebooks, which measure shorter experiments of our own. Levels are
readings of the MADC in LSB, times in microseconds. A band is (low, high) on the reference chip; where it comes from stands in `source`: S are studies with
their silicon figures, A rows of docs/explanation/ledger.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

MIN_SWING_LSB = 40  # a trace that never moves by more has no spikes; the noise of a silent neuron is below 3 LSB
SMOOTHING_US = 1.0  # a fifth of the shortest time constant in these experiments
EDGE_LSB = 3.0  # two means of 0.1 ms differ by less from noise alone


TOLD = ()


class Band(NamedTuple):
    """Where a number should lie on the reference chip, and on other virtual chips: `others` where a study says so, else twice as wide.

    `decides` is False where the number is only told: no source gives a band, the study adjusts the experiment until it lies inside, or the ledger says that it
    does not yet. Empty `others` are told on other chips.
    """

    low: float
    high: float
    source: str
    decides: bool = True
    others: tuple[float, ...] | None = None

    def holds(self, value: float) -> bool:
        return bool(self.low <= value <= self.high)

    def wide(self) -> Band:
        """Return the band for other chips: what the study says, else twice as wide."""
        if self.others == TOLD:
            return self._replace(decides=False)
        if self.others is not None:
            return self._replace(low=self.others[0], high=self.others[1])
        half = (self.high - self.low) / 2
        return self if self.low == self.high or np.isinf(half) else self._replace(low=self.low - half, high=self.high + half)


INF = float("inf")
BANDS = {
    "silent neuron: level [LSB]": Band(311, 470, "S01", others=(311, 470)),
    "silent neuron: noise [LSB]": Band(1, 3, "S01"),
    "leak over threshold: period [us]": Band(8.1, 12.4, "S01, A6b", others=(5.2, 12.5)),
    "leak over threshold: CV of period [%]": Band(0, 2, "S01"),
    "leak over threshold: trough [LSB]": Band(134, 184, "S01", others=(65, 299)),
    "fixed pattern: neurons that fire, of 10": Band(9, 10, "S01; on a third of the other chips fewer do", others=TOLD),
    "fixed pattern: sd of peaks [LSB]": Band(8, 20, "S01"),
    "fixed pattern: sd of troughs [LSB]": Band(8, 30, "S01"),
    "fixed pattern: CV of periods [%]": Band(10, 40, "S01"),
    "stimulation: baseline [LSB]": Band(290, 320, "S01, A13", others=(246, 363)),
    "stimulation: EPSP [LSB]": Band(38, 70, "S01-2"),
    "stimulation: EPSP, time to peak [us]": Band(8, 12, "S01-2"),
    "stimulation: IPSP [LSB]": Band(-60, -32, "told: ours, -46 without the tail of the EPSP", decides=False),
    "leak sweep: largest step down [LSB]": Band(-INF, EDGE_LSB, "S02"),
    "leak sweep: R2 of a line through the centre": Band(0.98, 1, "S02"),
    "leak conductance: rank correlation with 1/tau": Band(0.97, 1, "S02; fits of short tau scatter by 5 %"),
    "leak conductance: 1/tau off proportional [%]": Band(0, 15, "A8"),
    "leak conductance: shortest tau [us]": Band(0, 10, "S02"),
    "f-I curve: largest step down [kHz]": Band(-INF, 5, "told: S02 has no number for the scatter of rates", decides=False),
    "f-I curve: steps of the leak that raise the onset, of 2": Band(2, 2, "S02-1"),
    "f-I curve: steps of the refractory time that lower the rate, of 2": Band(2, 2, "S02-1"),
    "f-I curve: onset moves with the refractory time by [codes]": Band(0, 21, "S02-1; one step of the sweep"),
    "target: spikes": Band(2, 5, "S13, or else the mean is tuned: tests/notebooks, ledger", decides=False),
    "training: loss ratio": Band(0, 0.25, "S13-1"),
    "training: spikes too many": Band(0, 0, "S13"),
    "training: farthest spike from its target [us]": Band(0, 4, "S13"),
    "chain: recording at the injection is the highest, rows of 4": Band(4, 4, "S05"),
    "chain: rows of 4 that fall with distance": Band(4, 4, "S05"),
    "chain: end over middle at the injection": Band(1, INF, "S05"),
    "chain: reciprocity [%]": Band(0, 30, "S05"),
    "chain: row 0, ratio 1": Band(0.49, 0.73, "S05-1"),
    "chain: row 0, ratio 2": Band(0.35, 0.59, "S05-1"),
    "chain: row 0, ratio 3": Band(0.25, 0.49, "S05-1"),
    "dynamic range: excitatory slope [LSB per weight]": Band(0.628, 0.942, "S04-1", others=(0.66, 1.12)),
    "dynamic range: R2 of the excitatory line": Band(0.99, 1, "S04"),
    "dynamic range: inhibitory drop at 288 over drop at 96": Band(1.5, 2.6, "S04"),
    "dynamic range: excitatory sd across neurons [LSB]": Band(4, 12, "S04; two chips of three, see the ledger: spread of PSPs", decides=False),
    "dynamic range: inhibitory sd across neurons [LSB]": Band(4, 12, "S04"),
    "adaptation: overshoot [LSB]": Band(117, 143, "A14, median of neurons", decides=False),
    "adaptation: steady level [LSB]": Band(85.5, 104.5, "A14, median of neurons", decides=False),
    "adaptation: overshoot over steady level": Band(1.12, 1.67, "A14, 130 over 95, each within 10 %"),
    "adaptation: undershoot over steady level": Band(-0.48, -0.32, "A14, -37 over 95, each within 10 %; median of neurons", decides=False),
    "adaptation: spikes": Band(0, 0, "S03"),
    "MADC: slope [mV/LSB]": Band(1.35, 1.65, "fp_calibration; nominal 1.5"),
    "leak line: slope [LSB/LSB]": Band(0.70, 0.89, "A2"),
    "reset line: slope [LSB/LSB]": Band(0.78, 0.98, "A2"),
    "threshold line: slope [LSB/LSB]": Band(0.93, 1.15, "A2"),
    "literal codes: median rate of 4 neurons [kHz]": Band(20, 28, "A7, literal codes, all neurons", decides=False),
    "equal rates: median after [kHz]": Band(29, 31, "fp_calibration, its target"),
    "equal rates: sd after over before": Band(0, 0.3, "fp_calibration"),
    "homeostasis: mean rate from 500 ms on [kHz]": Band(5.7, 6.3, "S10"),
    "homeostasis: neurons within 10 % of the target at the end": Band(0.95, 1, "S10"),
    "homeostasis: target reached in the 50 ms from [ms]": Band(200, 250, "S10, figure; 200 to 350 on twenty chips", others=(200, 350), decides=False),
    "homeostasis: mean weight": Band(20, 28, "S10-1; 21 to 36 on twenty chips, see the ledger", decides=False),
    "homeostasis: 5 % of the weights": Band(14, 35, "S10"),
    "homeostasis: 95 % of the weights": Band(14, 35, "S10", others=(14, 41)),
    "pong: success of the last ten epochs": Band(0.22, 1, "S12-1, after 100 epochs; open, see the ledger", decides=False),
    "pong: weights on the diagonal over the rest": Band(8, INF, "S12, after 100 epochs; open, see the ledger", decides=False),
    "picture: correlation": Band(0.8, 1, "S11-1"),
    "picture: intersection over union": Band(0.7, 1, "S11"),
}
"""Bands by name of the observable. An observable without a band is told, and decides nothing."""


def outside(measured: dict[str, float], reference: bool = True) -> dict[str, float]:
    """Return the observables that lie outside of bands that decide, those of the reference chip or of other chips."""
    bands = {name: band if reference else band.wide() for name, band in BANDS.items() if band.decides}
    return {name: value for name, value in measured.items() if name in bands and not bands[name].holds(value)}


def trace(signal: Any) -> tuple[Array, Array]:
    """Return times in microseconds and readings of a signal of neo with one channel."""
    return np.asarray(signal.times.rescale("us").magnitude, float), np.asarray(signal.magnitude, float)[:, 0]


# --- ts_07


def pong(success: Sequence[ArrayLike], reward: Sequence[ArrayLike], diagonal: Sequence[float], rest: Sequence[float]) -> dict[str, float]:
    """Measure a training: success and reward of shape (epoch, row), mean weights of shape (run,)."""
    return {
        "pong: success of the first ten epochs": float(np.mean(success[:10])),
        "pong: success of the last ten epochs": float(np.mean(success[-10:])),
        "pong: mean reward of the last ten epochs": float(np.mean(reward[-10:])),
        "pong: weight on the diagonal": float(diagonal[-1]),
        "pong: weights on the diagonal over the rest": float(np.divide(diagonal[-1], rest[-1])),
    }


# --- fp_calibration


def homeostasis(spikes_ms: list[ArrayLike], weights: ArrayLike, period_ms: float, target_khz: float) -> dict[str, float]:
    """Describe how neurons come to a target rate.

    Parameters
    ----------
    spikes_ms : list of arrays
        Spike times of each neuron.
    weights : array, shape (period, neuron)
    period_ms, target_khz : float
    """
    weights = np.asarray(weights, float)
    edges = np.arange(0, len(weights) * period_ms + 1, 50)
    rates = np.array([np.histogram(np.asarray(times, float), edges)[0] / 50 for times in spikes_ms])
    last, late = rates[:, -4:].mean(axis=1), rates[:, len(edges) // 2 :]
    low, high = np.quantile(weights[-1], [0.05, 0.95])
    return {
        "homeostasis: mean rate from 500 ms on [kHz]": float(late.mean()),
        "homeostasis: neurons within 10 % of the target at the end": float((np.abs(last - target_khz) < 0.1 * target_khz).mean()),
        "homeostasis: target reached in the 50 ms from [ms]": float(edges[int((rates.mean(axis=0) > 0.9 * target_khz).argmax())]),
        "homeostasis: mean weight": float(weights[-1].mean()),
        "homeostasis: 5 % of the weights": float(low),
        "homeostasis: 95 % of the weights": float(high),
    }


def potential_line(name: str, codes: ArrayLike, levels: ArrayLike) -> dict[str, float]:
    """Describe how a level, shape (neuron, code), follows its code, mean of the neurons."""
    slope = np.polyfit(np.asarray(codes, float), np.asarray(levels, float).mean(axis=0), 1)[0]
    return {f"{name} line: slope [LSB/LSB]": float(slope)}


def equalised(before_khz: ArrayLike, after_khz: ArrayLike) -> dict[str, float]:
    """Describe the firing rates of the same neurons before and after their leak was adjusted; silent ones have a negative rate and are left out."""
    before, after = (np.asarray(rates, float) for rates in (before_khz, after_khz))
    fire = (before > 0) & (after > 0)
    return {
        "equal rates: neurons that fire [%]": 100 * float(fire.mean()),
        "equal rates: median before [kHz]": float(np.median(before[fire])),
        "equal rates: median after [kHz]": float(np.median(after[fire])),
        "equal rates: sd after over before": float(after[fire].std() / before[fire].std()),
    }


# --- S01, ts_00


def silent(values: ArrayLike) -> dict[str, float]:
    """Describe the trace of a neuron that does not fire."""
    values = np.asarray(values, float).reshape(-1)
    return {"silent neuron: level [LSB]": float(values.mean()), "silent neuron: noise [LSB]": float(values.std())}


class SawTooth(NamedTuple):
    """A trace that fires: falls in microseconds, and median trough and peak of the complete periods in LSB."""

    falls_us: Array
    trough: float
    peak: float


def saw_tooth(times_us: ArrayLike, values: ArrayLike) -> SawTooth | None:
    """Describe a trace that fires; None if fewer than two spikes are seen.

    A spike is a fall through the middle of the trace's range after it was clearly above. A running median of three samples removes single noisy ones.
    """
    times_us, values = np.asarray(times_us, float).reshape(-1), np.asarray(values, float).reshape(-1)
    if values.size < 3 or np.ptp(values) < MIN_SWING_LSB:
        return None
    smooth = np.median(np.lib.stride_tricks.sliding_window_view(np.pad(values, 1, mode="edge"), 3), axis=1)
    middle, margin = (values.min() + values.max()) / 2, np.ptp(values) / 10
    side = np.where(smooth > middle + margin, 1, np.where(smooth < middle - margin, -1, 0))
    clear = np.flatnonzero(side)
    falls = clear[1:][(side[clear[1:]] == -1) & (side[clear[:-1]] == 1)]
    if len(falls) < 2:
        return None
    periods = [smooth[start:stop] for start, stop in itertools.pairwise(falls)]
    return SawTooth(times_us[falls], float(np.median([period.min() for period in periods])), float(np.median([period.max() for period in periods])))


def leak_over_threshold(times_us: ArrayLike, values: ArrayLike) -> dict[str, float]:
    """Describe a neuron that fires on its own."""
    tooth = saw_tooth(times_us, values)
    if tooth is None:
        return {"leak over threshold: period [us]": np.nan}
    periods = np.diff(tooth.falls_us)
    return {
        "leak over threshold: period [us]": float(np.median(periods)),
        "leak over threshold: CV of period [%]": 100 * float(periods.std() / periods.mean()),
        "leak over threshold: trough [LSB]": tooth.trough,
        "leak over threshold: peak [LSB]": tooth.peak,
    }


def fixed_pattern(traces: list[tuple[ArrayLike, ArrayLike]]) -> dict[str, float]:
    """Compare (time in us, trace) of neurons with equal codes."""
    teeth = [tooth for tooth in (saw_tooth(*trace) for trace in traces) if tooth is not None]
    periods = np.array([np.median(np.diff(tooth.falls_us)) for tooth in teeth])
    return {
        "fixed pattern: neurons that fire, of 10": 10 * len(teeth) / max(len(traces), 1),
        "fixed pattern: sd of peaks [LSB]": float(np.std([tooth.peak for tooth in teeth])),
        "fixed pattern: sd of troughs [LSB]": float(np.std([tooth.trough for tooth in teeth])),
        "fixed pattern: CV of periods [%]": 100 * float(periods.std() / periods.mean()),
    }


def smoothed(times_us: ArrayLike, values: ArrayLike, width_us: float = SMOOTHING_US) -> tuple[Array, Array]:
    """Return times and running means of an evenly sampled trace."""
    times_us, values = np.asarray(times_us, float).reshape(-1), np.asarray(values, float).reshape(-1)
    width = max(1, round(width_us / np.median(np.diff(times_us))))
    kernel = np.full(width, 1 / width)
    return np.convolve(times_us, kernel, "valid"), np.convolve(values, kernel, "valid")


class Response(NamedTuple):
    """Extreme of a response: level before in LSB, height above it in LSB (negative: below), time after the stimulus in microseconds."""

    baseline: float
    height: float
    delay_us: float


def response(times_us: ArrayLike, values: ArrayLike, at_us: float, before_us: float = 8.0, window_us: float = 45.0) -> Response:
    """Measure the largest deviation after a stimulus from the mean before it."""
    times_us, values = np.asarray(times_us, float).reshape(-1), np.asarray(values, float).reshape(-1)
    baseline = float(values[(times_us >= at_us - before_us) & (times_us < at_us)].mean())
    after = (times_us >= at_us) & (times_us < at_us + window_us)
    centre, level = smoothed(times_us[after], values[after])
    extreme = int(np.argmax(np.abs(level - baseline)))
    height = float(level[extreme] - baseline)
    near = np.abs(level - baseline) > 0.98 * abs(height)  # noise moves the highest point of a flat top, not its middle
    return Response(baseline, height, float(centre[near].mean() - at_us))


def stimulation(times_us: ArrayLike, values: ArrayLike, excitatory_us: float, inhibitory_us: float) -> dict[str, float]:
    """Describe the first excitatory and the inhibitory response of a calibrated neuron."""
    exc, inh = response(times_us, values, excitatory_us), response(times_us, values, inhibitory_us)
    return {
        "stimulation: baseline [LSB]": exc.baseline,
        "stimulation: EPSP [LSB]": exc.height,
        "stimulation: EPSP, time to peak [us]": exc.delay_us,
        "stimulation: IPSP [LSB]": inh.height,
    }


# --- S02, cns_01


def leak_sweep(codes: ArrayLike, levels: ArrayLike) -> dict[str, float]:
    """Describe mean levels for codes of the leak potential, which rise over the whole range."""
    codes, levels = np.asarray(codes, float), np.asarray(levels, float)
    centre = (codes >= 400) & (codes <= 800)
    slope = float(np.polyfit(codes[centre], levels[centre], 1)[0])
    return {
        "leak sweep: largest step down [LSB]": float(-np.diff(levels).min()),
        "leak sweep: R2 of a line through the centre": r_squared(codes[centre], levels[centre]),
        "leak sweep: slope in the centre [LSB per code]": slope,
    }


def leak_conductance(codes: ArrayLike, tau_us: ArrayLike) -> dict[str, float]:
    """Describe time constants for rising codes of the leak conductance; codes below 100 mean time constants longer than the experiments."""
    codes, tau_us = np.asarray(codes, float), np.asarray(tau_us, float)
    rate = 1 / tau_us
    ranks = np.argsort(np.argsort(rate))
    usable = codes >= 100
    slope = (rate[usable] / codes[usable]).mean()
    return {
        "leak conductance: rank correlation with 1/tau": float(np.corrcoef(ranks, np.argsort(np.argsort(codes)))[0, 1]),
        "leak conductance: 1/tau off proportional [%]": 100 * float(np.abs(rate[usable] / (slope * codes[usable]) - 1).max()),
        "leak conductance: shortest tau [us]": float(tau_us.min()),
    }


def r_squared(x: ArrayLike, y: ArrayLike) -> float:
    """Return the coefficient of determination of a straight line."""
    return float(np.corrcoef(np.asarray(x, float), np.asarray(y, float))[0, 1] ** 2)


def firing_curves(currents: ArrayLike, by_leak: list[ArrayLike], by_pause: list[ArrayLike]) -> dict[str, float]:
    """Compare firing rates over a rising current, for rising leak conductances and for rising refractory times."""
    currents = np.asarray(currents, float)
    onsets = [[float(currents[np.asarray(rates) > 0].min(initial=np.inf)) for rates in group] for group in (by_leak, by_pause)]
    top = [float(np.max(rates)) for rates in by_pause]
    rising = np.asarray(by_leak[0], float)
    return {
        "f-I curve: largest step down [kHz]": float(-np.diff(rising).min()),
        "f-I curve: steps of the leak that raise the onset, of 2": float(np.sum(np.diff(onsets[0]) > 0)),
        "f-I curve: steps of the refractory time that lower the rate, of 2": float(np.sum(np.diff(top) < 0)),
        "f-I curve: onset moves with the refractory time by [codes]": float(np.ptp(onsets[1])),
    }


# --- S13, ts_01


def training(target_us: ArrayLike, spikes_us: ArrayLike, loss: ArrayLike) -> dict[str, float]:
    """Describe a training: target spikes, spikes at the end, loss of each epoch."""
    target_us, spikes_us, loss = (np.asarray(x, float).reshape(-1) for x in (target_us, spikes_us, loss))
    distance = np.abs(spikes_us[:, None] - target_us).min(axis=1).max() if len(spikes_us) and len(target_us) else np.nan
    return {
        "target: spikes": float(len(target_us)),
        "training: loss ratio": float(loss[-5:].mean() / loss[0]),
        "training: spikes too many": float(len(spikes_us) - len(target_us)),
        "training: farthest spike from its target [us]": float(distance),
    }


# --- S05, ts_03


def chain(heights: ArrayLike) -> dict[str, float]:
    """Describe a chain of four compartments.

    Parameters
    ----------
    heights : array, shape (injection, recording)
        LSB.
    """
    heights = np.asarray(heights, float)
    n = len(heights)
    falls = [np.all(np.diff(row[place:]) < 0) and np.all(np.diff(row[: place + 1]) > 0) for place, row in enumerate(heights)]
    pairs = [(heights[i, j], heights[j, i]) for i in range(n) for j in range(i)]
    local = np.diag(heights)
    return {
        "chain: recording at the injection is the highest, rows of 4": float(np.sum(heights.argmax(axis=1) == np.arange(n))),
        "chain: rows of 4 that fall with distance": float(np.sum(falls)),
        "chain: end over middle at the injection": float(min(local[0], local[-1]) / max(local[1:-1])),
        "chain: reciprocity [%]": 100 * max(abs(a - b) / ((a + b) / 2) for a, b in pairs),
        **{f"chain: row 0, ratio {k}": float(heights[0, k] / heights[0, 0]) for k in range(1, n)},
    }


# --- S04, ts_06


def dynamic_range(weights: ArrayLike, highest: ArrayLike, lowest: ArrayLike) -> dict[str, float]:
    """Describe responses to weights.

    Parameters
    ----------
    weights : array, shape (weight,)
        Rising from 0, with 96 and 288.
    highest, lowest : array, shape (neuron, weight)
        Maxima of the excitatory and minima of the inhibitory traces, LSB.
    """
    weights, highest, lowest = (np.asarray(x, float) for x in (weights, highest, lowest))
    up, down = highest.mean(axis=0), lowest.mean(axis=0)
    drop = {int(weight): down[0] - level for weight, level in zip(weights, down, strict=True)}
    return {
        "dynamic range: excitatory slope [LSB per weight]": float(np.polyfit(weights, up, 1)[0]),
        "dynamic range: R2 of the excitatory line": r_squared(weights, up),
        "dynamic range: inhibitory drop at 288 over drop at 96": float(drop[288] / drop[96]),
        "dynamic range: excitatory sd across neurons [LSB]": float(highest[:, -1].std(ddof=1)),
        "dynamic range: inhibitory sd across neurons [LSB]": float(lowest[:, -1].std(ddof=1)),
    }


# --- S03, ts_08


def adaptation(times_us: ArrayLike, values: ArrayLike, on_us: float, off_us: float) -> dict[str, float]:
    """Describe the response to a step of current below threshold, relative to the level before it."""
    times_us, values = smoothed(times_us, values)
    rest = float(values[(times_us > on_us / 2) & (times_us < on_us)].mean())
    step = (times_us >= on_us) & (times_us < off_us)
    overshoot = float(values[step].max() - rest)
    steady = float(values[(times_us > off_us - 100) & (times_us < off_us)].mean() - rest)
    return {
        "adaptation: overshoot [LSB]": overshoot,
        "adaptation: steady level [LSB]": steady,
        "adaptation: overshoot over steady level": overshoot / steady,
        "adaptation: undershoot over steady level": float(values[times_us > off_us].min() - rest) / steady,
    }


# --- S11, ts_10


def picture(image: ArrayLike, spikes_ms: list[ArrayLike], column_ms: float) -> dict[str, float]:
    """Compare a picture with the spikes that were driven through it.

    Parameters
    ----------
    image : array, shape (column, neuron)
        Weights.
    spikes_ms : list of arrays
        Spike times of each neuron.
    column_ms : float
        Time for each column.
    """
    image = np.asarray(image, float)
    edges = np.arange(len(image) + 1) * column_ms
    counts = np.array([np.histogram(np.asarray(times, float), edges)[0] for times in spikes_ms]).T
    seen, drawn = counts > 0, image > 0
    return {
        "picture: spikes": float(counts.sum()),
        "picture: correlation": float(np.corrcoef(counts.reshape(-1), image.reshape(-1))[0, 1]) if counts.any() else 0.0,
        "picture: intersection over union": float((seen & drawn).sum() / (seen | drawn).sum()),
    }
