"""Recompute the prediction ledger with the delivered twin: what a thousand virtual chips give for every public number.

    python benchmarks/ledger.py                 print the page, from a new measurement
    python benchmarks/ledger.py --write         store numbers (benchmarks/ledger.json) and page (docs/reference/prediction_ledger.md)
    python benchmarks/ledger.py --chips 100     fewer chips

`make ledger` does the second, in about four minutes on two cores. Chips are the seeds 1, 2, ...; the reference chip is none of them. Every value gets the
reading error of its row, drawn by row and seed, so the result is the same for any number of processes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from ledger_experiments import measure
from ledger_observations import DIFFERENT, MISSING, STATEMENTS, Observation, observations

from neckar.chip.machine import MODEL_VERSION
from neckar.chip.specimen import keyed_normals

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "prediction_ledger.md"
RESULTS = Path(__file__).with_suffix(".json")
CHIPS = 1000
KEPT = 3  # chips whose single values are stored, so that a test can measure them again
LIMIT = 0.15  # of the specification's interval, above which a difference is explained

Measured = Mapping[str, float]


def measured(seeds: Sequence[int], processes: int) -> list[dict[str, float]]:
    """Return the measurements of all chips, in order, under a progress bar."""
    from rich.console import Console
    from rich.progress import track

    with ProcessPoolExecutor(processes) as pool:
        return list(track(pool.map(measure, seeds, chunksize=4), "chips", total=len(seeds), console=Console(stderr=True)))


def results(seeds: Sequence[int], found: Sequence[Measured]) -> dict[str, Any]:
    """Return what is stored: quantiles by row with the reading error, shares, and the bare values of the first chips."""
    rows = {}
    for observation in observations():
        if observation.row in found[0]:
            read = [values[observation.row] + observation.error * _reading(observation.row, seed) for seed, values in zip(seeds, found, strict=True)]
            rows[observation.row] = [_rounded(q) for q in np.percentile(read, [5, 50, 95], method="inverted_cdf")]
    return {
        "model_version": MODEL_VERSION,
        "chips": len(seeds),
        "quantiles": rows,
        "shares": {s.row: _rounded(float(np.mean([values[s.row] for values in found]))) for s in STATEMENTS},
        "first_chips": {str(seed): {row: _rounded(value) for row, value in values.items()} for seed, values in zip(seeds[:KEPT], found, strict=False)},
    }


def _reading(row: str, seed: int) -> float:
    return float(keyed_normals(1, "reading error", row, seed)[0])


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


# ---- The page


def is_inside(observation: Observation, found: Sequence[float]) -> bool:
    """Return whether the published value lies between the 5 % and 95 % quantiles, limits included."""
    return found[0] <= float(observation.value) <= found[2]


def difference(observation: Observation, found: Sequence[float]) -> float:
    """Return the largest distance of a quantile from the specification's, in units of its interval."""
    low, median, high = map(float, observation.expected)
    return max(abs(a - b) for a, b in zip(found, (low, median, high), strict=True)) / (high - low)


def page(stored: Mapping[str, Any]) -> str:
    """Return the page for stored results."""
    rows, quantiles = observations(), stored["quantiles"]
    known = [o for o in rows if o.row in quantiles]
    text = _TOP.format(chips=stored["chips"], model=stored["model_version"], **_coverage(known, quantiles))
    text += "\n".join(_row(o, quantiles.get(o.row)) for o in rows)
    text += "\n\n## Statements upstream relies on\n\n| id | source | statement | specification | twin |\n|---|---|---|---|---|\n"
    text += "\n".join(f"| {s.row} | {s.source} | {s.text} | {s.expected:.2f} | {stored['shares'][s.row]:.2f} |" for s in STATEMENTS)
    text += "\n\n## What differs from the specification's population\n\n"
    text += "\n".join(f"- **{row}**: {why}." for row, why in DIFFERENT.items())
    text += "\n\n## What cannot be measured yet\n\n" + ("\n".join(f"- **{row}**: {why}." for row, why in MISSING.items()) or "Nothing.")
    return text + "\n" + _BOTTOM


def _coverage(known: Sequence[Observation], quantiles: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return how many rows lie inside, and how many agree with the specification."""
    inside = {o.row: is_inside(o, quantiles[o.row]) for o in known}
    counted = [o for o in known if o.counts]
    votes: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for o in counted:
        votes[o.source, o.quantity].append(inside[o.row])
    return {
        "counted": len(counted),
        "counted_inside": sum(inside[o.row] for o in counted),
        "outside": ", ".join(o.row for o in known if not (o.counts or inside[o.row])),
        "all": len(known),
        "all_inside": sum(inside.values()),
        "votes": f"{np.mean([np.mean(v) for v in votes.values()]):.2f}",
        "n_votes": len(votes),
        "agree": sum(difference(o, quantiles[o.row]) <= LIMIT for o in known),
        "limit": f"{LIMIT:.0%}".replace("%", " %"),
        "median_difference": f"{100 * float(np.median([difference(o, quantiles[o.row]) for o in known])):.0f} %",
    }


def _row(o: Observation, found: Sequence[float] | None) -> str:
    quantity = f"{o.quantity}; {o.settings}"
    cells = [o.row, o.source, o.chip, quantity, f"{o.value} ({o.error:g})", o.use, " / ".join(o.expected)]
    if found is None:
        return "| " + " | ".join([*cells, "-", "-", "-"]) + " |"
    verdict = ("in" if is_inside(o, found) else "**out**") + ("" if o.counts else ", not counted")
    return "| " + " | ".join([*cells, " / ".join(_like(q, o.expected) for q in found), f"{100 * difference(o, found):.0f} %", verdict]) + " |"


def _like(value: float, samples: Sequence[str]) -> str:
    """Return a number with as many digits as the longest of the samples."""
    digits = max(len(text.partition(".")[2]) for text in samples)
    return f"{value:.{digits}f}" if math.isfinite(value) else "silent"


_TOP = """\
# Prediction ledger

Written by `make ledger` (benchmarks/ledger.py); do not edit. Every public number about single chips that the model knows of, beside what {chips}
virtual chips give (model version {model}, seeds 1 to {chips}, all effects on). [The ledger](../explanation/ledger.md) says what it is worth.

- **Published**: value, and in brackets how well it can be read. Potentials in LSB of the MADC, codes in LSB of the CapMem.
- **Use**: *yes*: the model's means and spreads were fitted to it. *no*: derived, only predicted. *circuit sigma*: its spread defines the spread
  between circuits. *defines the centre*: the only source of its law in the specification, whose median is this value by construction; the twin's is
  another where the twin follows another law, and then the row may lie outside ({outside}: see below). *digital*: has no spread. *inferred*: our reading
  of what a notebook expects. The last four are not counted, because what was put into a population, has no spread or is our own inference
  proves nothing by lying inside.
- **Specification**: 5 / 50 / 95 % of the population that was written down before the twin was built.
- **Twin**: the same from the delivered code, one recorded circuit per chip unless the row says otherwise, reading error included.
- **Distance**: the largest difference between the three quantiles, as a share of the specification's interval.
- **Verdict**: whether the published value lies between the twin's 5 % and 95 %.

| | |
|---|---|
| counted rows inside the twin's 90 % interval | {counted_inside} of {counted} |
| the same, one vote for each source and quantity ({n_votes}) | {votes} |
| all measured rows inside | {all_inside} of {all} |
| rows whose quantiles agree with the specification's within {limit} of its interval | {agree} of {all} |
| median distance from the specification | {median_difference} |

About ten independent setups stand behind the rows; rows of one source share their chip and fail or pass together, and the spreads were settled with
all sources in view. The coverage shows that the code is the model that was specified, and that the model is consistent with what is public; no more.

| id | source | chip | quantity; settings | published | use | specification | twin | distance | verdict |
|---|---|---|---|---|---|---|---|---|---|
"""

_BOTTOM = """
## How it is measured

Levels at rest, references and linear time constants are read off the transfer of codes, because a run gives exactly these; periods, post-synaptic
potentials, decays and the adaptation come from running programs. Rows that start from a calibration use the delivered one, by oracle, with
the spread that a real calibration leaves (`neckar.calibration.oracle`). `benchmarks/ledger_experiments.py` holds the experiments,
`benchmarks/ledger_observations.csv` the published numbers.
"""


def main() -> None:
    """Measure, print the page; with ``--write`` store it and the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chips", type=int, default=CHIPS)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    seeds = range(1, options.chips + 1)
    stored = results(seeds, measured(seeds, options.processes))
    print(page(stored))
    if options.write:
        RESULTS.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page(stored), encoding="utf-8")


if __name__ == "__main__":
    main()
