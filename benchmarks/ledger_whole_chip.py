"""Measure the rows of the whole chip, A7 to A40, and write them into docs/explanation/ledger.md.

    python benchmarks/ledger_whole_chip.py             print the table
    python benchmarks/ledger_whole_chip.py --write     update docs/explanation/ledger.md between its markers

About a minute. The acceptance tests of tests/hardware_facts measure with the same functions, so table and tests cannot differ: the reference chip, which
must lie inside the band of a row, and the chips 1 to 5, four of which must lie inside twice the band.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "hardware_facts"))

import test_adex as adex  # noqa: E402
import test_compartment_chain as chain  # noqa: E402
import test_events as events  # noqa: E402
import test_integrator as integrator  # noqa: E402
import test_potentials_and_leak as leak  # noqa: E402
import test_refractory_period as refractory  # noqa: E402
import test_synaptic_input as synapses  # noqa: E402
from chips import OTHERS, SPECIMEN  # noqa: E402

import neckar  # noqa: E402
from neckar.chip.machine import MODEL_VERSION, Chip  # noqa: E402

LEDGER = ROOT / "docs" / "explanation" / "ledger.md"
MARKERS = "<!-- whole chip: written by benchmarks/ledger_whole_chip.py -->", "<!-- end of whole chip -->"


@dataclass(frozen=True)
class Row:
    """One row of the table: what was published, where, and how it is measured on a chip, as one number or several."""

    id: str
    quantity: str
    expected: str
    source: str
    measure: Callable[[Chip], Any]
    digits: int = 1
    chips: Sequence[Chip] = OTHERS


def proportionality(chip: Chip) -> float:
    """Return the largest deviation of 1 / (time constant times bias) from its median over biases, %."""
    conductance = np.array([1 / (bias * np.median(leak.time_constants(chip, bias))) for bias in leak.BIASES])
    return 100 * float(np.abs(conductance / np.median(conductance) - 1).max())


def rheobase_share(_: Chip) -> float:
    """Return the share of the first forty chips with a positive rheobase, %."""
    rheobase = np.array([adex.strengths(chip)[0] for chip in adex.CHIPS])
    return 100 * float(np.mean((rheobase > 0) & (rheobase < 256)))


def strength_duration(chip: Chip) -> Any:
    """Return the smallest codes that fire during 10 ms and during the five durations."""
    return adex.strengths(chip)


TS_08, CNS = "`ts_08`, 2023", "`cns_01`, `cns_03`"
ROWS = (
    Row("A7", "Firing rate before calibration, `i_bias_leak` 400 with division, potentials set, kHz", "specimen 27 to 35; band 24 to 46; target 30",
        "`fp_calibration`", lambda c: np.median(leak.rates(c))),
    Row("A8", "Membrane time constant at `i_bias_leak` 150, us", "specimen 10.3; band 6.8 to 12.8", CNS, lambda c: np.median(leak.time_constants(c, 150))),
    Row("A8", "1 / time constant against the bias, 10 to 1022: deviation from proportional, %", "at most 15", CNS, proportionality, chips=()),
    Row("A9", "PSP of one event after the default calibration, LSB per weight unit", "figure 0.785 within 20 %, specimen 0.87; band 0.66 to 1.12",
        "`ts_06`, 2021", synapses.per_weight_unit, 2),
    Row("A9", "same, common time constant of membrane and line, us", "10 within 1; figure 10.7", "`ts_00`, 2021", synapses.time_constant),
    Row("A10", "Dynamic range, excitation to weight 288: slope, and unexplained variance in per mille", "0.785 within 20 %, band 0.66 to 1.12; below 10",
        "`ts_06`, 2021",
        lambda c: (synapses.excitation(c)[0], 1000 * (1 - synapses.excitation(c)[1])), 2),
    Row("A10", "same, inhibition from the figure's level at rest: drop at weights 64, 160, 288, LSB", "41, 98, 129, each within 20 %: missed below weight 160",
        "`ts_06`, 2021", lambda c: synapses.inhibition(c)[[2, 5, 9]], 0),
    Row("A10", "same, with the figure's gain", "41, 98, 129, each within 20 %", "`ts_06`, 2021",
        lambda c: synapses.inhibition(c, synapses.GAIN_OF_FIGURE)[[2, 5, 9]], 0),
    Row("A14", "Sub-threshold adaptation: overshoot, step, undershoot, step of the adaptation state, LSB", "130, 95, -37, 75, each within 10 %", TS_08,
        adex.subthreshold, 0),
    Row("A14", "same, time constant of the adaptation at code 100, us", "100; random chips 67 to 141", TS_08, adex.adaptation_time, 0),
    Row("A15", "Spike-frequency adaptation: spikes, first and last interval (us), jump, lower and upper end of the state (LSB)",
        "12 to 13; 23 to 31; 55 (sets the current); 54, 100, 156", TS_08, adex.adapting, 0),
    Row("A16", "Bursting: size of the first and of later bursts, period, interval within (us)", "3, 2, 136 (sets the current), 14", TS_08,
        lambda c: adex.bursting(c)[:4], 0),
    Row("A17", "Chain of four compartments after the default calibration: height in the first and the last one for an input to it, LSB",
        "78 and 93, of charges 0.63 and 0.87 LSB per weight unit (A9)", "`ts_03`, 2021", lambda c: np.diag(chain.heights(c))[[0, -1]], 0),
    Row("A17", "same, with the figure's charges and synaptic time constants: heights along the chain from the first and from the last one, LSB",
        "78, 50, 36, 29; 93, 66, 45, 39", "`ts_03`, 2021", lambda c: [*chain.matched_heights(c)[0], *chain.matched_heights(c)[-1, ::-1]], 0),
    Row("A17", "same, times of the peaks, us", "7.2, 11.9, 14.9, 16.0 (smoothed 7.2, 10.9, 13.9, 15.5); 8.4, 11.5, 14.6, 16.4", "`ts_03`, 2021",
        lambda c: chain.matched_peak_times(c).ravel()),
    Row("A18", "Integrator: step per excitatory event of weight 63, LSB", "7.9; random chips 6.0 to 10.2", "`tp_00`, 2021",
        lambda c: integrator.integrated(c, 1)[0]),
    Row("A18", "same, inhibitory", "-7.5", "`tp_00`, 2021", lambda c: integrator.integrated(c, 2)[0]),
    Row("A18", "same, drift in 30 us, LSB", "below 5; figure 4", "`tp_00`, 2021", lambda c: integrator.integrated(c, 1)[1]),
    Row("A29", "Regular background source, period 1000, 80 ms: fewest and most events of a source", "20,000 within 1000", "haldls test-background_source",
        lambda c: (events.regular_counts(c).min(), events.regular_counts(c).max()), 0, OTHERS[:1]),
    Row("A30", "Poisson source of 20 kHz through the bypass of two neurons, 100 ms: spikes", "2000 within 224", "pynn-brainscales test_poisson_on_chip_input",
        lambda c: [len(times) for times in events.bypassed(c)], 0, OTHERS[:1]),
    Row("A35", "Refractory period, hold-off, largest deviation in clock periods", "1.1, 2.1", "calix test_refractory_period",
        lambda c: np.abs(refractory.measured(c, 1.0)).max(axis=1), 2),
    Row("A38", "Release of an event to start of its PSP, us", "0.45 within 0.1", "`ts_00`, `tp_00`, 2021", synapses.onset, 2),
    Row("A40", "Exponential neuron of 100 us: chips 1 to 40 with a positive rheobase, %", "at least 95", CNS, rheobase_share, 0, ()),
    Row("A40", "same, current codes that just fire: during 10 ms, and during 0.10, 0.19, 0.35, 0.67, 1.26 ms", "falling with the duration", CNS,
        strength_duration, 0, OTHERS[:2]),
)  # fmt: skip


def shown(values: Any, digits: int) -> str:
    """Return numbers in words."""
    return " / ".join(f"{value:.{digits}f}" for value in np.atleast_1d(values))


def table() -> str:
    """Measure all rows and return the table."""
    lines = [MARKERS[0], "", "| id | quantity | expected | source | specimen | chips 1, 2, ... |", "|---|---|---|---|---|---|"]
    for row in ROWS:
        others = "; ".join(shown(row.measure(chip), row.digits) for chip in row.chips) or "-"
        lines.append(f"| {row.id} | {row.quantity} | {row.expected} | {row.source} | {shown(row.measure(SPECIMEN), row.digits)} | {others} |")
    version = f"Neckar {neckar.__version__}, model version {MODEL_VERSION}"
    lines += ["", f"*{version}, all effects on, run seed (0, 0). Medians over 8 to 512 circuits of each chip.*", ""]
    return "\n".join(lines)


def main() -> None:
    """Print the table; with ``--write`` also store it."""
    found = table()
    print(found)
    if "--write" in sys.argv[1:]:
        text = LEDGER.read_text(encoding="utf-8")
        begin, end = (text.index(marker) for marker in MARKERS)
        LEDGER.write_text(text[:begin] + found + text[end:], encoding="utf-8")


if __name__ == "__main__":
    main()
