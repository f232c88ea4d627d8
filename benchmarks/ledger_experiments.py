"""The experiments behind the rows of the prediction ledger, on one virtual chip: what its users would have read from their figures.

Levels at rest, references and linear time constants come from the transfer of codes, because a run gives exactly these
(tests/hardware_facts/test_prediction_ledger.py compares); everything that happens in time is run. One circuit is recorded per chip, circuit 0, unless the row
says mean, median or spread of several: then the first of them. Potentials are readings of the chip's own membrane converter, in LSB; times in us.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import neckar
from neckar.calibration import NIGHTLY, ChipTarget, PotentialTarget, oracle
from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import MadcTransfer, madc_to_volt, physical, potentials
from neckar.facts import CAPMEM_MAX, registers
from neckar.facts import brainscales2 as facts
from neckar.facts.labels import LABEL_CHANNEL_SHIFT, LABEL_SELECT_SHIFT
from neckar.program import TICKS_PER_US, CadcRecord, Events, MadcChannel, Probe, Program, Record, Recording, Snippet, TimedWrite

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests" / "hardware_facts"))
from codes import chain

FLOATS = NDArray[np.float64]
TABLE = registers("brainscales2")
TEN = tuple(range(10))
MANY = tuple(range(0, 512, 16))
INTERVAL = 50  # ticks between samples of a probe, 0.1 us
PER_US = TICKS_PER_US // INTERVAL
ROWS = (0, 2, 4, 6, 8, 10)  # six synapse rows, each of its own driver
WEIGHTS = (12, 24, 36, 48)  # on six rows: 72, 144, 216, 288

FIRING: dict[str, Any] = {
    "membrane_capacitance_capacitance": 63,
    "refractory_period_refractory_time": 255,
    "threshold_enable": 1,
    "threshold_v_threshold": 300,
    "reset_v_reset": 400,
    "reset_i_bias": 1022,
    "leak_v_leak": 1000,
    "leak_i_bias": 200,
}
TODAY = {**FIRING, "reset_enable_multiplication": 1}
ADAPTIVE: dict[str, Any] = {  # ts_08, sub-threshold
    "membrane_capacitance_capacitance": 63,
    "leak_i_bias": 70,
    "adaptation_enable": 1,
    "adaptation_v_ref": 500,
    "adaptation_i_bias_tau": 100,
    "adaptation_i_bias_a": 10,
    "constant_current_i_offset": 300,
}
TARGETS: dict[str, ChipTarget] = {**NIGHTLY, "half below": PotentialTarget(leak=79.5, threshold=124.5)}  # the last as read in ts_12
FIGURE_REST_LSB = 325  # level at rest in the figure of ts_08
RATE_LEVELS_LSB = (349, 200)  # leak and reset in fp_calibration: its own lines at its codes 670 and 511


def cadc_to_volt(reading: float) -> float:
    """Return the potential in V that a calibrated parallel converter reads so."""
    return facts.CADC_ZERO.value + facts.CADC_STEP.value * reading


def codes(field: str, values: FLOATS) -> NDArray[Any]:
    """Return values as codes of a field: rounded, and clipped to the values of a cell."""
    return np.clip(np.round(values), 0, CAPMEM_MAX).astype(TABLE[field].dtype)


def whole(fields: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """Return whole register fields: each value broadcast to the shape of its field."""
    return {name: np.broadcast_to(np.asarray(value, TABLE[name].dtype), TABLE[name].shape) for name, value in fields.items()}


class Bench:
    """One virtual chip on the bench: all imperfections, every circuit recordable at once, after a reset each time.

    Parameters
    ----------
    seed : int
        Of the chip.
    """

    def __init__(self, seed: int) -> None:
        self.specimen = Specimen.from_seed(seed)
        self.effects = Effects()
        self.lab = neckar.Lab(chip=self.specimen, effects=self.effects, instruments="open", seed=seed, executor="inline")
        self.madc = MadcTransfer.of(self.specimen, self.effects)
        self.lsb = self.madc.gain / facts.MADC_STEP.value
        self._calibrated: dict[str, dict[str, NDArray[Any]]] = {}

    def calibrated(self, kind: str) -> dict[str, NDArray[Any]]:
        """Return whole fields of the chip calibrated by oracle for one of the targets; searched once."""
        if kind not in self._calibrated:
            self._calibrated[kind] = dict(oracle.calibrate(self.specimen, self.effects, TARGETS[kind]).fields)
        return self._calibrated[kind]

    def level(self, field: str, code: Any, circuits: Sequence[int]) -> FLOATS:
        """Return the reading of the potentials that a code gives."""
        volts = potentials(self.specimen, self.effects)[field].at(code, list(circuits))
        return self.madc.reading(np.maximum(volts, 0.0) if field == "reset_v_reset" else volts)

    def code(self, field: str, madc_lsb: float) -> NDArray[Any]:
        """Return the codes with which a potential lies at a nominal reading, one per circuit."""
        return codes(field, potentials(self.specimen, self.effects)[field].code(madc_to_volt(madc_lsb)))

    def run(self, fields: dict[str, Any], us: float | Sequence[float], record: Record, **parts: Any) -> Recording:
        """Run codes for `us` of hardware time, or for several stretches with ``deltas`` as their changes."""
        deltas = parts.pop("deltas", ({},) * 9)
        stretches = [us] if isinstance(us, (int, float)) else us
        snippets = tuple(Snippet(round(t * TICKS_PER_US), config=whole(delta)) for t, delta in zip(stretches, deltas, strict=False))
        return self.lab.run(Program(machine="brainscales2", config=whole(fields), snippets=snippets, record=record, **parts))

    def periods(self, fields: dict[str, Any], circuits: Sequence[int], us: float) -> FLOATS:
        """Return each circuit's mean interval between spikes, us; inf if it fires less than twice."""
        spikes = self.run(fields, us, Record(spikes=tuple(circuits))).spikes
        intervals = [np.diff(spikes.tick[spikes.circuit == c]) / TICKS_PER_US for c in circuits]
        return np.array([i.mean() if len(i) else np.inf for i in intervals])

    def traces(self, fields: dict[str, Any], us: float | Sequence[float], circuits: Sequence[int], signal: str = "v", **parts: Any) -> FLOATS:
        """Return the readings of a signal, shape (entry, sample, circuit), one sample each 0.1 us, not rounded."""
        seen = self.run(fields, us, Record(spikes=(), probe=(Probe((signal,), tuple(circuits), INTERVAL),)), **parts)
        return self.madc.reading(seen.probe[0].value[:, 0])


def measure(seed: int) -> dict[str, float]:
    """Return what the users of one chip would have read for every row, without their reading errors; inf if a circuit is silent."""
    bench = Bench(seed)
    parts = (
        _uncalibrated_levels,
        _firing,
        _rates,
        _calibrated_levels,
        _boundaries,
        _converters,
        _synapses,
        _integrator,
        _membrane,
        _adaptation,
        _noise_and_reset,
        _shares,
        _compartments,
    )
    return {row: float(value) for part in parts for row, value in part(bench).items()}


def _uncalibrated_levels(bench: Bench) -> dict[str, float]:
    one = {
        ("leak_v_leak", 700): ("V1", "V19", "V22"),
        ("leak_v_leak", 500): ("V21",),
        ("leak_v_leak", 900): ("V23",),
        ("reset_v_reset", 400): ("V24",),
        ("reset_v_reset", 650): ("V25",),
        ("reset_v_reset", 900): ("V26",),
        ("threshold_v_threshold", 50): ("V27",),
        ("threshold_v_threshold", 175): ("V28",),
        ("threshold_v_threshold", 300): ("V4", "V29"),
        ("adaptation_v_ref", 500): ("V43",),
    }
    found = {row: float(bench.level(field, code, (0,))[0]) for (field, code), rows in one.items() for row in rows}
    threshold, reset = bench.level("threshold_v_threshold", 300, TEN), bench.level("reset_v_reset", 400, TEN)
    found |= {
        "V2": bench.level("leak_v_leak", 1000, TEN).mean(),
        "V3": threshold.mean(),
        "V5": threshold.std(ddof=1),
        "V6": reset.mean(),
        "V7": reset.std(ddof=1),
    }
    return found | {"V34": float((bench.level("leak_v_leak", 1000, (0,)) - bench.level("threshold_v_threshold", 500, (0,)))[0])}


def _firing(bench: Bench) -> dict[str, float]:
    period = bench.periods(FIRING, TEN, 80)
    return {"V8": period.mean(), "V9": period.std(ddof=1) / period.mean() if np.isfinite(period).all() else np.inf}


def _rates(bench: Bench) -> dict[str, float]:
    """V30: leak and reset at the levels of the setup, threshold where 1 - 1/e of the way is covered, one code per chip by the lines of the median circuit."""
    rest, low = RATE_LEVELS_LSB
    levels = {"leak_v_leak": rest, "reset_v_reset": low, "threshold_v_threshold": rest - (rest - low) / np.e}
    fields = {field: codes(field, np.median(bench.code(field, level))) for field, level in levels.items()}
    fields |= {"leak_i_bias": 400, "leak_enable_division": 1, "refractory_period_refractory_time": 150}
    rates = 1e3 / bench.periods({**TODAY, **fields}, MANY, 400)
    return {"V30": float(np.median(rates))}


def _calibrated_levels(bench: Bench) -> dict[str, float]:
    def level(field: str, kind: str) -> float:
        return float(bench.level(field, bench.calibrated(kind)[field][:1], (0,))[0])

    return {
        **dict.fromkeys(("V10", "V13", "V14"), level("leak_v_leak", "spiking")),
        "V15": level("threshold_v_threshold", "spiking"),
        "V16": level("leak_v_leak", "half below"),
        "V17": level("threshold_v_threshold", "half below"),
    }


def _boundaries(bench: Bench) -> dict[str, float]:
    """V32, V45, V46: the calibrated neuron at rest and under the strongest constant current, as the calibrated parallel converter reads it, less 128."""
    fields = {**bench.calibrated("spiking"), "threshold_enable": 0, "constant_current_i_offset": 1000}
    deltas = ({}, {"constant_current_enable": 1}, {"constant_current_type": 1})
    times = np.array([t for start in (0, 150, 300) for t in range(start + 110, start + 150, 4)]) * TICKS_PER_US
    seen = bench.run(fields, (150, 150, 150), Record(spikes=(), cadc=(CadcRecord((0,), ticks=times),)), deltas=deltas).cadc[0]
    rest, source, sink = (seen.value[:, 0].astype(np.float64) - 128).reshape(3, -1).mean(axis=1)
    return {"V45": rest, "V32": source, "V46": sink}


def _converters(bench: Bench) -> dict[str, float]:
    """V18: rest and highest reading before one spike of a calibrated neuron that creeps to its threshold, in both converters."""
    fields = {**bench.calibrated("spiking"), "constant_current_i_offset": 100, "constant_current_enable": 1}
    p = physical(bench.specimen, bench.effects, whole(fields), [0])
    reach = cadc_to_volt(135) - float(p.e_leak[0])  # 10 LSB above the threshold
    wanted = float(p.g_leak[0]) * facts.OTA_SATURATION.value * np.tanh(reach / facts.OTA_SATURATION.value) - float(p.i_syn_rest[0])
    code = np.arange(1023)
    current = code * (1 + facts.OFFSET_CURRENT_CUBIC.value * code**2)
    fields["constant_current_i_offset"] = int(np.searchsorted(current / current[100] * float(p.i_source[0]), wanted))
    record = Record(spikes=(0,), madc=(MadcChannel(0),), cadc=(CadcRecord((0,), period=TICKS_PER_US // 2),))
    start, end = 150 * TICKS_PER_US, 250 * TICKS_PER_US
    seen = bench.run({**fields, "constant_current_enable": 0}, (150, 100), record, deltas=({}, {"constant_current_enable": 1}))
    spikes = seen.spikes.tick[seen.spikes.tick > start]
    if len(spikes) == 0:
        return {"V18": np.nan}
    smooth = np.convolve(seen.madc[0].value, np.ones(5) / 5, mode="same")  # as the eye does: 0.17 us
    spans = []
    for tick, value in ((seen.madc[0].tick, smooth), (seen.cadc[0].tick, seen.cadc[0].value[:, 0])):
        rest = value[(tick > start - 50 * TICKS_PER_US) & (tick < start)].mean()
        spans.append(value[(tick > spikes[0] - 3 * TICKS_PER_US) & (tick < min(spikes[0] + TICKS_PER_US, end))].max() - rest)
    return {"V18": spans[0] / spans[1]}


def _label(row: int) -> int:
    """Return the label of an event for the driver of a row; its synapses listen to label 0."""
    driver = row // 2
    return driver % 4 << LABEL_CHANNEL_SHIFT | driver // 4 << LABEL_SELECT_SHIFT


def _synaptic(rows: Sequence[int], weight: int) -> dict[str, Any]:
    """Return the fields that connect excitatory rows of the upper hemisphere to all its circuits."""
    receiver, mode, weights = np.zeros((2, 128), bool), np.zeros((2, 256), np.uint8), np.zeros((2, 256, 256), np.uint8)
    receiver[0, [row // 2 for row in rows]] = True
    mode[0, list(rows)] = 1
    weights[0, list(rows)] = weight
    return {"driver_enable_receiver": receiver, "synapse_row_mode": mode, "synapse_weight": weights}


def _height(traces: FLOATS, at_us: float, until_us: float) -> FLOATS:
    """Return the height of a response to an event at a time, mean over the entries, shape (circuit,); smoothed over 1 us."""
    before, after = (slice(round((at_us - 20) * PER_US), round(at_us * PER_US)), slice(round(at_us * PER_US), round(until_us * PER_US)))
    mean = traces.mean(axis=0)
    smooth = np.lib.stride_tricks.sliding_window_view(mean[after], PER_US, axis=0).mean(axis=-1)
    return np.asarray(smooth.max(axis=0) - mean[before].mean(axis=0))


def _heights(bench: Bench, fields: dict[str, Any], weights: Sequence[int]) -> FLOATS:
    """Return the response of eight circuits to events on all six rows at each weight, shape (weight, circuit)."""
    wait = 150.0
    starts = [50 + wait * k for k in range(len(weights))]
    events = Events.from_lists([sorted((round(t * TICKS_PER_US), _label(row)) for t in starts for row in ROWS)])
    writes = tuple(
        TimedWrite(at=round((t - 20) * TICKS_PER_US), field="synapse_weight", index=(0, row), value=w)
        for t, w in zip(starts, weights, strict=True)
        for row in ROWS
    )
    quiet = {**fields, "threshold_enable": 0}
    traces = bench.traces({**quiet, **_synaptic(ROWS, 0)}, starts[-1] + wait, range(8), entries=events, writes=writes)
    return np.array([_height(traces, t, t + 80) for t in starts])


def _synapses(bench: Bench) -> dict[str, float]:
    fields = bench.calibrated("spiking")
    single = Events.from_lists([[(50 * TICKS_PER_US, _label(0))]] * 4)
    traces = bench.traces({**fields, "threshold_enable": 0, **_synaptic((0,), 63)}, 120, (0,), entries=single)
    total = np.array(WEIGHTS) * len(ROWS)
    slope = total @ _heights(bench, fields, WEIGHTS) / (total @ total)
    slope_faster = total @ _heights(bench, bench.calibrated("spiking2"), WEIGHTS) / (total @ total)
    weight = facts.CADC_STEP.value * 45 / np.e * bench.lsb  # height of a software weight of 1, LSB: a threshold 45 CADC LSB above the leak
    return {"V11": float(_height(traces, 50, 100)[0]), "V12": slope.mean(), "V31": weight / slope[0], "V47": weight / slope_faster[0]}


def _integrator(bench: Bench) -> dict[str, float]:
    """V35: matrix calibration with drivers as PyNN leaves them. The step of one event of weight 63 after a reset."""
    fields = {name: codes for name, codes in bench.calibrated("hagen").items() if not name.startswith("driver_")} | {"threshold_enable": 0}
    entries = Events.from_lists([[(10 * TICKS_PER_US, _label(0))]] * 8)
    traces = bench.traces({**fields, **_synaptic((0,), 63)}, 25, (0,), entries=entries, neuron_reset=True)
    mean = traces.mean(axis=0)[:, 0]
    before, after = (mean[round(a * PER_US) : round(b * PER_US)].mean() for a, b in ((8.9, 10.4), (12, 13.5)))
    return {"V35": after - before}


def _membrane(bench: Bench) -> dict[str, float]:
    """V20: straight line through the logarithm of the decay after a constant current, mean of four. V33: the start of a calibration, median of the chip."""
    step = {"leak_v_leak": 700, "leak_i_bias": 70, "membrane_capacitance_capacitance": 63, "constant_current_i_offset": 300}
    deltas = ({}, {"constant_current_enable": 1}, {"constant_current_enable": 0})
    trace = bench.traces(step, (150, 150, 30), (0,), deltas=deltas, entries=Events.empty(4))[..., 0].mean(axis=0)
    decay = trace[301 * PER_US : 325 * PER_US] - trace[50 * PER_US : 150 * PER_US].mean()
    slope = np.polyfit(np.arange(len(decay)) / PER_US, np.log(decay), 1)[0]
    p = physical(bench.specimen, bench.effects, whole({"leak_i_bias": 200, "leak_enable_division": 1, "membrane_capacitance_capacitance": 63}))
    return {"V20": -1 / slope, "V33": float(1e6 * np.median(p.capacitance / p.g_leak))}


def _adaptation(bench: Bench) -> dict[str, float]:
    """Rows of ts_08: the figure's level at rest, and no adaptation there."""
    leak, zero = bench.code("leak_v_leak", FIGURE_REST_LSB), bench.code("adaptation_v_leak", FIGURE_REST_LSB)
    fields = {**ADAPTIVE, "leak_v_leak": leak, "adaptation_v_leak": zero}
    trace = bench.traces(fields, (200, 600), (0,), deltas=({}, {"constant_current_enable": 1}))[0, :, 0]
    rest, step = trace[100 * PER_US : 200 * PER_US].mean(), trace[200 * PER_US :]
    jumping = whole({**ADAPTIVE, "adaptation_enable_pulse": 1, "adaptation_i_bias_b": 200, "backend_clock_scale_adaptation_pulse": 7})
    p = physical(bench.specimen, bench.effects, jumping, [0])
    smooth = np.convolve(step, np.ones(2 * PER_US) / (2 * PER_US), mode="valid")
    return {
        "V39": step[500 * PER_US :].mean() - rest,
        "V40": smooth.max() - rest,
        "V41": float(1e6 * p.tau_adapt[0]),
        "V42": float(bench.lsb * p.b_adapt[0]),
    }


def _noise_and_reset(bench: Bench) -> dict[str, float]:
    silent = {"leak_v_leak": 700, "leak_i_bias": 1022}
    samples = bench.run(silent, 200, Record(spikes=(), madc=(MadcChannel(0),))).madc[0].value
    config = ChipConfig(whole(FIRING))
    p = physical(bench.specimen, bench.effects, config, list(TEN))
    return {"V36": float(samples.std()), "V37": float(1e6 * (p.capacitance / p.g_reset).mean()), "V38": float(1e6 * p.t_reset[0])}


def _shares(bench: Bench) -> dict[str, float]:
    """Shares of ten neurons that fire, rows S1 to S4; S5 whether at least nine do."""
    pynn = [np.mean(bench.level("leak_v_leak", 1022, TEN) > bench.level("threshold_v_threshold", code, TEN)) for code in (400, 350)]
    over = np.isfinite(bench.periods({**TODAY, "leak_i_bias": 150}, TEN, 200))
    fixed = np.isfinite(bench.periods({**TODAY, "threshold_v_threshold": 500}, TEN, 400))
    return {"S1": float(pynn[0]), "S2": float(pynn[1]), "S3": over.mean(), "S4": fixed.mean(), "S5": float(fixed.sum() >= 9)}


def _compartments(bench: Bench) -> dict[str, float]:
    """V44: ten events of weight 31 into the first compartment of the chain, answer of its membrane."""
    entries = Events.from_lists([[(50 * TICKS_PER_US, 0)]] * 4)
    return {"V44": float(_height(bench.traces(chain(bench.calibrated("spiking")), 120, (0,), entries=entries), 50, 100)[0])}
