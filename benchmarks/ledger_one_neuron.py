"""Measure the rows A1 to A6b of the ledger, one neuron at a time, and write them into its column "twin".

    python benchmarks/ledger_one_neuron.py             print the table
    python benchmarks/ledger_one_neuron.py --write     update docs/explanation/ledger.md between its markers

About half a minute. The functions are also what tests/hardware_facts/test_one_neuron.py measures with, so the table and the tests cannot differ.
Every experiment uses literal codes, except A6, whose figure names a potential. Potentials are readings of the chip's own converter, in LSB.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import neckar
from neckar.chip.effects import Effects
from neckar.chip.machine import MODEL_VERSION, Chip
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import MadcTransfer, madc_to_volt, potentials
from neckar.facts import brainscales2 as facts
from neckar.facts import registers
from neckar.program import TICKS_PER_US, MadcChannel, Probe, Program, Record, Recording, Snippet

LEDGER = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "ledger.md"
MARKERS = "<!-- one neuron: written by benchmarks/ledger_one_neuron.py -->", "<!-- end of one neuron -->"

TABLE = registers("brainscales2")
ALL = tuple(range(512))
TEN = tuple(range(10))
SOME = tuple(range(0, 512, 32))
CHIPS = range(1, 101)
FLOATS = NDArray[np.float64]

SILENT = {"leak_v_leak": 700, "leak_i_bias": 1022}
_FIRING = {
    "membrane_capacitance_capacitance": 63,
    "refractory_period_refractory_time": 255,
    "threshold_enable": True,
    "threshold_v_threshold": 300,
    "reset_v_reset": 400,
    "reset_i_bias": 1022,
}
FIGURE_FIXED_PATTERN = {**_FIRING, "leak_v_leak": 1000, "leak_i_bias": 200}
FIGURE_OVER_THRESHOLD = {**_FIRING, "leak_i_bias": 150}
TODAY_OVER_THRESHOLD = {**_FIRING, "leak_v_leak": 1000, "leak_i_bias": 150, "reset_enable_multiplication": True}
TODAY_FIXED_PATTERN = {**TODAY_OVER_THRESHOLD, "leak_i_bias": 200, "threshold_v_threshold": 500}
A6_LEAK_LSB = 492


def virtual_chip(seed: int) -> Chip:
    """Return a chip with all its imperfections, on which every circuit can be recorded at once."""
    return Chip(Specimen.from_seed(seed), Effects(), instruments="open")


def record(chip: Chip, codes: dict[str, Any], us: float, what: Record, **parts: Any) -> Recording:
    """Run codes, one for all circuits or one for each, for `us` of hardware time."""
    config = {name: np.broadcast_to(np.asarray(value, TABLE[name].dtype), TABLE[name].shape) for name, value in codes.items()}
    return chip.run(Program(machine="brainscales2", config=config, snippets=(Snippet(round(us * TICKS_PER_US)),), record=what, **parts))[0]


def silent(chip: Chip, circuits: Sequence[int]) -> tuple[FLOATS, FLOATS, NDArray[np.int64]]:
    """Return mean and standard deviation of each circuit's samples at rest, LSB, and the ticks of the samples of one circuit: row A1."""
    madc = record(chip, SILENT, 200, Record(spikes=(), madc=tuple(MadcChannel(c) for c in circuits))).madc
    values = np.array([samples.value for samples in madc], np.float64)
    return values.mean(axis=1), values.std(axis=1), madc[0].tick


def periods(chip: Chip, circuits: Sequence[int], codes: dict[str, Any], us: float = 200) -> tuple[FLOATS, FLOATS]:
    """Return each circuit's median interval between spikes and the standard deviation of its intervals, us; inf if it fires less than twice."""
    spikes = record(chip, codes, us, Record(spikes=tuple(circuits))).spikes
    intervals = [np.diff(spikes.tick[spikes.circuit == c]) / TICKS_PER_US for c in circuits]
    return np.array([np.median(i) if len(i) else np.inf for i in intervals]), np.array([i.std() if len(i) else np.nan for i in intervals])


@dataclass(frozen=True, eq=False)
class Sawtooth:
    """What one sees of periodic spikes, median over the spikes of each circuit, nan if there are none.

    Attributes
    ----------
    peak, trough : ndarray, shape (circuit,)
        LSB.
    fall : ndarray, shape (circuit,)
        Time from peak to trough, us.
    slope : ndarray, shape (circuit,)
        Of the first 0.5 us after the trough, LSB/us.
    """

    peak: FLOATS
    trough: FLOATS
    fall: FLOATS
    slope: FLOATS


def sawtooth(chip: Chip, circuits: Sequence[int], codes: dict[str, Any], us: float = 60) -> Sawtooth:
    """Return the shape of the membrane of firing circuits, seen by the open probe through the chip's converter."""
    interval = 5
    r = record(chip, codes, us, Record(spikes=tuple(circuits), probe=(Probe(("v",), tuple(circuits), interval),)))
    reading = MadcTransfer.of(chip.specimen, chip.effects).reading(r.probe[0].value[0, 0])
    before, after, rise = (round(t * TICKS_PER_US / interval) for t in (0.2, 3.0, 0.5))
    rows = []
    for column, circuit in enumerate(circuits):
        trace, found = reading[:, column], []
        for tick in r.spikes.tick[r.spikes.circuit == circuit] // interval:
            if before <= tick < len(trace) - after - rise:
                top = tick - before + np.argmax(trace[tick - before : tick + before])
                low = top + np.argmin(trace[top : top + after])
                found.append((trace[top], trace[low], (low - top) * interval / TICKS_PER_US, (trace[low + rise] - trace[low]) / 0.5))
        rows.append(np.median(found, axis=0) if found else [np.nan] * 4)
    return Sawtooth(*np.array(rows).T)


def reset_level(chip: Chip, circuits: Sequence[int], codes: dict[str, Any]) -> tuple[FLOATS, FLOATS]:
    """Return the level towards which the reset pulls (LSB) and its time constant (us).

    The refractory clock runs at 1/32 of its speed, so that the neuron reset before the run holds the circuits for 65 us. The time constant is that of
    an amplifier that saturates like tanh: ``sinh((v - level) / v_sat)`` decays exponentially.
    """
    held = {**codes, "threshold_enable": False, "backend_clock_scale_slow": 5}
    r = record(chip, held, 50, Record(spikes=(), probe=(Probe(("v",), tuple(circuits), 50),)), neuron_reset=True)
    v = r.probe[0].value[0, 0].astype(np.float64)
    level = v[300:].mean(axis=0)
    swing = np.sinh((v[[0, 20]] - level) / facts.OTA_SATURATION.value)  # 2 us
    return MadcTransfer.of(chip.specimen, chip.effects).reading(level), 2.0 / np.log(swing[0] / swing[1])


def over_threshold_as_in_figure(chip: Chip) -> dict[str, Any]:
    """Return the codes of A6: leak potential at the figure's level on every circuit of the chip."""
    code = potentials(chip.specimen, chip.effects)["leak_v_leak"].code(madc_to_volt(A6_LEAK_LSB))
    return {**FIGURE_OVER_THRESHOLD, "leak_v_leak": np.clip(np.round(code), 0, 1022).astype(np.uint16)}


def slopes(chip: Chip, circuits: Sequence[int]) -> tuple[float, float, float]:
    """Return LSB of the converter per LSB of the cell for leak (500 to 900), reset (400 to 700) and threshold (250 to 450): row A2, medians over circuits."""
    madc = tuple(MadcChannel(c) for c in circuits)
    rest = [np.array([s.value.mean() for s in record(chip, {**SILENT, "leak_v_leak": v}, 20, Record(spikes=(), madc=madc)).madc]) for v in (500, 900)]
    low = [reset_level(chip, circuits, {**FIGURE_FIXED_PATTERN, "reset_v_reset": v})[0] for v in (400, 700)]
    high = [sawtooth(chip, circuits, {**TODAY_OVER_THRESHOLD, "threshold_v_threshold": v}).peak for v in (250, 450)]
    return tuple(float(np.nanmedian(b - a)) / span for (a, b), span in ((rest, 400), (low, 300), (high, 200)))  # type: ignore[return-value]


def groups_of_ten(values: FLOATS) -> FLOATS:
    """Return the means of ten neighbours each."""
    return values[: len(values) // 10 * 10].reshape(-1, 10).mean(axis=1)


def inside(values: Sequence[float], low: float, high: float) -> int:
    """Return how many values lie in a band, limits included."""
    return int(np.sum((np.asarray(values) >= low) & (np.asarray(values) <= high)))


# ---- The table


def _quantiles(values: FLOATS, digits: int = 0) -> str:
    low, high = np.percentile(values, [5, 95])
    return f"{np.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _in_band(values: Sequence[float], low: float, high: float) -> str:
    return f"{inside(values, low, high)} of {len(values)} chips in the band"


def specimen_cells() -> dict[str, list[str]]:
    """Return what the reference chip gives, by id of the row and in the order of the table."""
    chip = virtual_chip(0)
    level, noise, tick = silent(chip, ALL)
    figure, today = sawtooth(chip, ALL, FIGURE_FIXED_PATTERN), sawtooth(chip, ALL, TODAY_OVER_THRESHOLD)
    asymptote, tau = reset_level(chip, ALL, FIGURE_FIXED_PATTERN)
    a6 = over_threshold_as_in_figure(chip)
    shape6, (period6, jitter6) = sawtooth(chip, ALL, a6, 100), periods(chip, ALL, a6, 400)
    period5 = periods(chip, ALL, FIGURE_FIXED_PATTERN)[0]
    over, pattern = periods(chip, ALL, TODAY_OVER_THRESHOLD)[0], periods(chip, ALL, TODAY_FIXED_PATTERN, 400)[0]
    steps = " and ".join(str(2 * d) for d in np.unique(np.diff(tick)))
    return {
        "A1": [_quantiles(level), _quantiles(noise, 2), f"{len(tick)}, mean {np.diff(tick).mean() * 2:.1f} ns, steps of {steps} ns"],
        "A2": [f"{slope:.3f}" for slope in slopes(chip, ALL)],
        "A3": [f"{figure.peak[:10].mean():.0f}, all circuits {figure.peak.mean():.0f}", f"{figure.peak[:10].std():.1f}, all circuits {figure.peak.std():.1f}"],
        "A4": [f"{np.median(figure.fall):.2f} us", _quantiles(figure.trough), _quantiles(asymptote), f"{_quantiles(tau, 2)} us"],
        "A5": [f"{period5[:10].mean():.2f} us, groups of ten {_quantiles(groups_of_ten(period5), 2)} us", _quantiles(figure.slope)],
        "A6": [f"{_quantiles(period6, 1)} us", f"{np.median(jitter6):.3f} us", f"{np.median(shape6.trough):.0f} and {np.median(shape6.peak):.0f}"],
        "A6b": [
            f"{_quantiles(over, 1)} us",
            f"{np.median(today.trough):.0f} and {np.median(today.peak):.0f}",
            f"{_quantiles(pattern[np.isfinite(pattern)], 1)} us",
            f"{100 * np.isfinite(pattern).mean():.1f} %",
        ],
    }


def population_cells() -> dict[tuple[str, int], str]:
    """Return what many chips give, by id and number of the row."""
    chips = [virtual_chip(seed) for seed in CHIPS]
    slope = np.array([slopes(c, SOME[::4]) for c in chips])
    pattern = np.array([periods(c, TEN, TODAY_FIXED_PATTERN, 400)[0] for c in chips])
    firing = np.isfinite(pattern).sum(axis=1)
    return {
        ("A1", 0): _in_band([np.median(silent(c, SOME)[0]) for c in chips], 311, 470),
        ("A2", 0): _in_band(slope[:, 0], 0.70, 0.89),
        ("A2", 1): _in_band(slope[:, 1], 0.78, 0.98),
        ("A2", 2): _in_band(slope[:, 2], 0.93, 1.15),
        ("A3", 0): _in_band([sawtooth(c, TEN, FIGURE_FIXED_PATTERN).peak.mean() for c in chips], 327, 454),
        ("A4", 2): _in_band([np.median(reset_level(c, SOME, FIGURE_FIXED_PATTERN)[0]) for c in chips], 65, 299),
        ("A5", 0): _in_band([periods(c, TEN, FIGURE_FIXED_PATTERN)[0].mean() for c in chips], 3.8, 7.9),
        ("A6b", 0): _in_band([np.median(periods(c, SOME, TODAY_OVER_THRESHOLD)[0]) for c in chips], 5.2, 12.5),
        ("A6b", 2): _in_band(np.median(pattern, axis=1), 13, np.inf),
        ("A6b", 3): f"chips: {firing.sum() / pattern.size:.0%} of the neurons, at least 9 of 10 on {int((firing >= 9).sum())} of {len(chips)}".replace(
            "%", " %"
        ),
    }


def measure() -> dict[str, list[str]]:
    """Return the cells of the column, by id of the row and in the order of the table."""
    many = population_cells()
    return {row: [f"{text}; {many[row, k]}" if (row, k) in many else text for k, text in enumerate(texts)] for row, texts in specimen_cells().items()}


def updated(text: str, cells: dict[str, list[str]]) -> str:
    """Return the ledger's text with the last column of the rows between the markers replaced, and a line on what was measured."""
    begin, end = (text.index(marker) for marker in MARKERS)
    waiting = {row: list(values) for row, values in cells.items()}
    lines = []
    for line in text[begin:end].splitlines():
        row = re.match(r"\| (A\w+) \|", line)
        if row:
            line = line[: line.rstrip(" |").rindex("|") + 1] + f" {waiting[row[1]].pop(0)} |"
        if not line.startswith("*Twin:"):
            lines.append(line)
    if any(waiting.values()):
        raise SystemExit(f"the table lacks rows for {waiting}")
    lines.append(
        f"*Twin: Neckar {neckar.__version__}, model version {MODEL_VERSION}, all effects on, run seed (0, 0). First the reference chip: median over its "
        f"circuits with 5 % and 95 % quantile, unless the row says otherwise. Then chips {CHIPS[0]} to {CHIPS[-1]}, up to {len(SOME)} circuits each.*"
    )
    return text[:begin] + "\n".join(lines) + "\n" + text[end:]


def main() -> None:
    """Print the table; with ``--write`` also store it."""
    text = updated(LEDGER.read_text(encoding="utf-8"), measure())
    print(text[text.index(MARKERS[0]) : text.index(MARKERS[1])])
    if "--write" in sys.argv[1:]:
        LEDGER.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
