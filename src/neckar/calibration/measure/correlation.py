"""Correlation sensors by measurement: the shared currents of each quadrant, and on request the bits of every synapse.

Sensors are emptied and read, then hear pairs of pulses with one delay, and are read again; several delays show amplitude and time constant of each. The post
pulses come from all neurons at once, fired past their membranes by an event on a row that serves as trigger, so that the sensors of all columns are measured
together. Order, delays, numbers of events and targets as of calix ``spiking/correlation.py`` and ``correlation_measurement.py``, which takes four columns of
quads in each quadrant and sends post pulses from the host; here the same number of synapses lies on some rows of all columns.

Not measured: the voltages of the board, which stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.measure.bench import TABLE, Bench, snippet, ticks_of
from neckar.calibration.measure.binary import binary_search
from neckar.calibration.measure.outcome import Codes, Span, Values
from neckar.calibration.measure.stage import Reached, Stage
from neckar.calibration.measure.stimuli import BUSES
from neckar.calibration.targets import CorrelationTarget
from neckar.facts import AXES, CAPMEM_MAX
from neckar.facts.labels import LABEL_CHANNEL_SHIFT
from neckar.program import Events, TimedRead, TimedWrite

HEMISPHERES, ROWS, COLUMNS, QUADRANTS = AXES["hemisphere"], AXES["row"], AXES["column"], AXES["quadrant"]
BRANCHES = ("causal", "acausal")

START_STORE, START_RAMP = 70, 80
"""Currents from which calix starts, LSB."""

AMPLITUDE_DELAYS_US = np.array([1, 2.5, 5, 10])
TIME_DELAYS_US = np.array([0.5, 1, 2.5, 5, 10, 20, 30, 50])
SYNAPSE_DELAYS_US = np.array([0.5, 1, 2.5, 5, 10, 20])
"""Delays of the three measurements; each is used with either order of the pulses."""

Rows = tuple[tuple[int, int], ...]
"""Blocks of rows, first and behind the last."""

REPRESENTATIVE: Rows = ((62, 66), (190, 194))
"""Rows whose sensors stand for those of their quadrants, 1024 in each."""

_TRIGGER = 0
_EVERY_ROW: tuple[tuple[Rows, int], ...] = ((((1, ROWS),), _TRIGGER), (((_TRIGGER, 1),), ROWS - 1))
"""All rows but that of the trigger, with it, and that row with another trigger."""

_PRE, _POST = 15, 16
"""Labels of the measured synapses and of those of the trigger."""

_FULL, _BRIGHT = 70, 40
"""Number of pairs times the wanted amplitude, LSB: for the shared currents, and for bits, which more than double amplitudes."""

_MOST_PAIRS = 1000
"""More would take a minute of chip time for each measurement; amplitudes below a tenth of what is usual are searched with less than they need."""

_SMALLEST, _LARGEST = 8, 160
"""Readings between which amplitudes are trusted: below, whole numbers are too coarse; above, the converter may be at its end."""

_SLOWEST_PER_US = 1e-4
_APART_US = 500.0

_PAIRED: dict[str, Any] = {
    "driver_enable_receiver": True,
    "driver_row_address_compare_mask": 0,
    "driver_enable_address_out": True,
    "driver_enable_stp": False,
    "event_routing_enable_bypass_excitatory": True,
    "event_routing_enable_digital": False,
    "threshold_enable": False,
    "cadc_connect_neuron": False,
    "cadc_connect_correlation": True,
}


class Characteristics(NamedTuple):
    """Amplitudes (LSB per pair) and time constants (us) of sensors.

    A time constant is 0 or infinite if the sensors fall faster or slower than can be seen, an amplitude infinite if they always were at the converter's end.
    """

    amplitude: Values
    tau_us: Values


def stages(target: CorrelationTarget) -> tuple[Stage, ...]:
    """Return the stages of the correlation sensors, after those of the converter; on silicon charged sensors disturb readings of neurons, so they come last."""

    def bits(bench: Bench, rng: np.random.Generator) -> Reached:
        choose_bits(bench, target)
        return {}

    found = (
        Stage("correlation amplitude", lambda bench, rng: {"syn_i_bias_store": search_amplitude(bench, target)}),
        Stage("correlation time constant", lambda bench, rng: {"syn_i_bias_ramp": search_time(bench, target)}),
    )
    return (*found, Stage("correlation of synapses", bits)) if target.calibrate_synapses else found


def search_amplitude(bench: Bench, target: CorrelationTarget) -> NDArray[np.bool_]:
    """Search the current that sets the amplitude of each quadrant's median sensor, from the start codes, and leave it set; return where it was reached."""
    bench.set(synapse_amp_calib=target.amp_calib, synapse_time_calib=target.time_calib)
    bench.set(syn_i_bias_corout=TABLE["syn_i_bias_corout"].default, syn_i_bias_store=START_STORE, syn_i_bias_ramp=START_RAMP)

    def measure(codes: Codes) -> Values:
        bench.set(syn_i_bias_store=codes)
        return _medians(_measured(bench, REPRESENTATIVE, AMPLITUDE_DELAYS_US, target, _FULL).amplitude)

    found = binary_search(measure, target.amplitude, QUADRANTS, Span(1, CAPMEM_MAX), inverted=True)
    bench.set(syn_i_bias_store=found.codes)
    return found.reached


def search_time(bench: Bench, target: CorrelationTarget) -> NDArray[np.bool_]:
    """Search the current that sets the time constant of each quadrant's median sensor and leave it set; return where it was reached."""

    def measure(codes: Codes) -> Values:
        bench.set(syn_i_bias_ramp=codes)
        return _medians(_measured(bench, REPRESENTATIVE, TIME_DELAYS_US, target, _FULL).tau_us)

    found = binary_search(measure, 1e6 * target.time_constant_s, QUADRANTS, Span(1, CAPMEM_MAX), inverted=True)
    bench.set(syn_i_bias_ramp=found.codes)
    return found.reached


def choose_bits(bench: Bench, target: CorrelationTarget) -> None:
    """Choose the bits of every synapse with the smallest weighted squared deviation from both targets, and leave them set.

    A synapse of which nothing could be measured keeps the bits with which the shared currents were searched.
    """
    levels = TABLE["synapse_amp_calib"].high + 1
    shape = TABLE["synapse_amp_calib"].shape
    best, bits = np.full(shape, np.inf), np.stack([np.full(shape, target.amp_calib), np.full(shape, target.time_calib)])
    for amp in range(levels):
        for time in range(levels):
            bench.set(synapse_amp_calib=amp, synapse_time_calib=time)
            seen = _whole_chip(bench, target)
            with np.errstate(invalid="ignore"):  # endless time constants that do not count
                score = (1 - target.time_constant_priority) * (seen.amplitude / target.amplitude - 1) ** 2
                score += target.time_constant_priority * (1e-6 * seen.tau_us / target.time_constant_s - 1) ** 2
            better = score < best
            best = np.where(better, score, best)
            bits[0][better], bits[1][better] = amp, time
    bench.set(synapse_amp_calib=bits[0], synapse_time_calib=bits[1])


def all_drops(bench: Bench, delays_us: Values, branch: str, pairs: int) -> NDArray[np.int64]:
    """Return how both sensors of all synapses answer to pairs of one order, CADC LSB, shape (sensor, delay, hemisphere, row, column); as :func:`drops`."""
    rest, first = (drops(bench, rows, delays_us, (branch,), pairs, trigger, BRANCHES) for rows, trigger in _EVERY_ROW)
    return np.concatenate([first, rest], axis=3)


def _whole_chip(bench: Bench, target: CorrelationTarget) -> Characteristics:
    """Return the characteristics of all synapses, mean over the branches that count, shape (hemisphere, row, column); the trigger's row has another trigger."""
    parts = [_measured(bench, rows, SYNAPSE_DELAYS_US, target, _BRIGHT, trigger) for rows, trigger in _EVERY_ROW]
    rest, first = (Characteristics(*(values.mean(axis=0) for values in part)) for part in parts)
    return Characteristics(*(np.concatenate(pair, axis=1) for pair in zip(first, rest, strict=True)))


def _measured(bench: Bench, rows: Rows, delays_us: Values, target: CorrelationTarget, full: float, trigger: int = _TRIGGER) -> Characteristics:
    """Return the characteristics of the sensors of some rows, shape (branch, hemisphere, row, column), for the branches that count."""
    pairs = int(np.clip(round(full / target.amplitude), 1, _MOST_PAIRS))
    branches = BRANCHES if target.branches == "both" else (target.branches,)
    return characteristics(drops(bench, rows, delays_us, branches, pairs, trigger).swapaxes(0, 1), delays_us, pairs)


def drops(
    bench: Bench, rows: Rows, delays_us: Values, branches: Sequence[str], pairs: int, trigger: int = _TRIGGER, sensors: Sequence[str] | None = None
) -> NDArray[np.int64]:
    """Return by how much readings of sensors fall after pairs of pulses, CADC LSB, shape (sensor, delay, hemisphere, row, column).

    Pairs of both orders take turns, far apart. Before each trial the second pulse of a pair is sent alone, because sensors remember the last pulse of either
    kind for ever.

    Parameters
    ----------
    bench : Bench
    rows : sequence of (int, int)
        Blocks of rows; the row of the trigger does not count.
    delays_us : ndarray, shape (delay,)
        Between the pulses of a pair, us.
    branches : sequence of str
        ``"causal"``: pre before post, ``"acausal"``: post before pre.
    pairs : int
        Number of pairs of each order.
    trigger : int
        Row whose synapses fire all neurons.
    sensors : sequence of str, optional
        Which of both sensors of each synapse are read, by default those of the branches.
    """
    sensors = branches if sensors is None else sensors
    apart_us = max(_APART_US, 5.0 * float(np.max(delays_us)))
    empty, end = ticks_of((1.5 * apart_us, (pairs * len(branches) + 2.5) * apart_us)).tolist()
    places = {row: ((0, HEMISPHERES), row) for row in rows}
    reads = [
        TimedRead(name=f"{branch} {when} {row}", at=at, field=f"correlation_{branch}", index=index)
        for branch in sensors
        for row, index in places.items()
        for when, at in (("before", empty + 1), ("after", end))
    ]
    writes = [TimedWrite(at=empty, field="correlation_reset", index=index, value=np.ones((), np.bool_)) for index in places.values()]
    with bench.changed(**_PAIRED, **_planes(rows, trigger)):
        events = Events.from_lists([_pairs(delay, branches, pairs, apart_us) for delay in delays_us.tolist()])
        seen = bench.run((snippet(end),), entries=events, reads=tuple(reads), writes=tuple(writes)).reads
    fallen = [[seen[f"{branch} before {row}"].astype(np.int64) - seen[f"{branch} after {row}"] for row in rows] for branch in sensors]
    return np.stack([np.concatenate(blocks, axis=2) for blocks in fallen])


def characteristics(drop: NDArray[np.int64], delays_us: Values, pairs: int) -> Characteristics:
    """Return amplitude and time constant of sensors whose readings fell by `drop`, shape (delay, ...), after `pairs` pairs with these delays, ascending.

    A straight line through the logarithm, each drop weighted with its square, because readings scatter equally. Sensors with less than two trusted drops have
    no time constant of their own; their amplitude is judged with that of the typical sensor.
    """
    y, t = drop.astype(np.float64), delays_us.reshape(-1, *(1,) * (drop.ndim - 1))
    trusted = (y >= _SMALLEST) & (y <= _LARGEST)
    weight = np.where(trusted, y**2, 0.0)
    total = np.maximum(weight.sum(axis=0), 1e-9)
    log = np.log(np.maximum(y, 1.0))
    t_mean, log_mean = (weight * t).sum(axis=0) / total, (weight * log).sum(axis=0) / total
    spread = np.maximum((weight * (t - t_mean) ** 2).sum(axis=0), 1e-9)
    rate = -(weight * (t - t_mean) * (log - log_mean)).sum(axis=0) / spread
    seen = (trusted.sum(axis=0) >= 2) & (rate > _SLOWEST_PER_US)
    tau = np.where(seen, 1.0 / np.where(seen, rate, 1.0), np.where(y[1] < _SMALLEST, 0.0, np.inf))
    typical = float(np.median(tau[seen])) if seen.any() else float(t.mean())
    fall = np.exp(-t / np.where(seen & (tau > typical / 5) & (tau < 5 * typical), tau, typical))
    inside = y <= _LARGEST
    most = (inside * fall**2).sum(axis=0)
    amplitude = np.where(most > 0, (inside * fall * y).sum(axis=0) / np.maximum(most, 1e-9), np.inf)
    return Characteristics(np.maximum(amplitude, 0.0) / pairs, tau)


def _medians(sensors: Values) -> Values:
    """Return the medians of quadrants over sensors of shape (branch, hemisphere, row, column)."""
    halves = sensors.reshape(*sensors.shape[:3], -1, COLUMNS * HEMISPHERES // QUADRANTS)
    return np.asarray(np.median(halves, axis=(0, 2, 4)).reshape(-1))


def _planes(rows: Rows, trigger: int) -> dict[str, NDArray[np.int64]]:
    """Return modes, weights and labels of synapses: those of the measured rows hear the pre pulses, those of the trigger fire the neurons."""
    mode, weight, label = np.zeros((1, ROWS), np.int64), np.zeros((1, ROWS, 1), np.int64), np.full((1, ROWS, 1), _PRE)
    for start, stop in (*rows, (trigger, trigger + 1)):
        mode[:, start:stop] = 1
    weight[:, trigger], label[:, trigger] = TABLE["synapse_weight"].high, _POST
    return {"synapse_row_mode": mode, "synapse_weight": weight, "synapse_label": label}


def _pairs(delay_us: float, branches: Sequence[str], pairs: int, apart_us: float) -> list[tuple[int, int]]:
    """Return ticks and labels of the events of a trial: the second pulse of the first pair alone, then the pairs. A pre pulse is sent over all buses."""
    starts = apart_us * (2.0 + np.arange(pairs * len(branches)).reshape(pairs, -1))
    pulses: dict[bool, list[NDArray[np.float64]]] = {is_pre: [] for is_pre in (True, False)}
    pulses[branches[0] != "causal"].append(np.array([apart_us]))
    for branch, first in zip(branches, starts.T, strict=True):
        pulses[branch == "causal"].append(first)
        pulses[branch != "causal"].append(first + delay_us)
    pre, post = (ticks_of(np.concatenate(pulses[is_pre])).tolist() for is_pre in (True, False))
    return [(tick, bus << LABEL_CHANNEL_SHIFT | _PRE) for tick in pre for bus in range(BUSES)] + [(tick, _POST) for tick in post]
