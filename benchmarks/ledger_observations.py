"""What has been published about single chips, row by row, and what the specification's own population gives for it.

Written down before the twin was compared: `value` is what a public figure, notebook or test shows, `expected` are the quantiles of 2000 chips drawn by the
specification's lines and spreads, with the reading error. Table: ledger_observations.csv.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Observation:
    """One public number.

    Attributes
    ----------
    row : str
        Name in the ledger.
    source, chip : str
        Demo or test, and year and revision of the chip as far as known.
    quantity, settings : str
        What was observed, with unit; potentials in LSB of the membrane converter. Codes are those of cells.
    value : str
        As published; its digits are those of the table.
    error : float
        How well it can be read.
    use : str
        Whether the model's means and spreads were fitted to it.
    expected : tuple of str
        5, 50 and 95 % of the specification's population.
    counts : bool
        Whether the row is a prediction: the model without its source says it, and it could come out otherwise.
    """

    row: str
    source: str
    chip: str
    quantity: str
    settings: str
    value: str
    error: float
    use: str
    expected: tuple[str, str, str]
    counts: bool


@dataclass(frozen=True)
class Statement:
    """Something upstream relies on, and the share of the specification's population for which it holds."""

    row: str
    source: str
    text: str
    expected: float


def observations() -> list[Observation]:
    """Return the rows of the table beside this file, in its order."""
    with Path(__file__).with_suffix(".csv").open(newline="", encoding="utf-8") as table:
        return [
            Observation(
                **{name: line[name] for name in ("row", "source", "chip", "quantity", "settings", "use")},
                value=line["value"],
                error=float(line["error"]),
                expected=(line["low"], line["median"], line["high"]),
                counts=line["counts"] == "yes",
            )
            for line in csv.DictReader(table)
        ]


STATEMENTS = (
    Statement("S1", "pynn test leak_over_threshold", "leak 1022, threshold 400: share of neurons whose leak lies above their threshold", 1.00),
    Statement("S2", "pynn example leak_over_threshold", "leak 1022, threshold 350: the same", 1.00),
    Statement("S3", "ts_00 today, leak over threshold", "leak 1000 at 150, threshold 300: share of neurons that fire", 1.00),
    Statement("S4", "ts_00 today, fixed pattern", "leak 1000 at 200, threshold 500: share of neurons that fire", 0.80),
    Statement("S5", "ts_00 today, fixed pattern", "the same: share of chips on which at least 9 of 10 neurons fire", 0.68),
)

MISSING: dict[str, str] = {}
"""Rows that this version cannot measure, and why."""

DIFFERENT = {
    "V18": "the twin gives the ratio of the two nominal conversions, 4.5 mV per LSB over 1.5 mV; what lowers the specification's median to 2.91 is not\n"
    "  stated, its own levels (V10, V15) give 2.93 and its default chip 3.0; above, the calibrated channel's own slope adds to the spread",
    "V32": "the delivered calibration leaves half of the spread of membrane time constants that upstream's test accepts (3.2, not 6.3 %), so the answers\n"
    "  to a constant current differ less",
    "V36": "the twin's noise has no spread between chips but that of capacitance and leak; the published value is its median",
    "V44": "the specification takes the figure's 78 LSB for the median chip. The areas of its curves show that its chip (0.77 LSB per weight unit, as in\n"
    "  V11 and V12) and above all this compartment (0.63) get less charge than the median of 0.85; areas depend on charge and leak alone. Here\n"
    "  the row is a prediction from the charge of V11, V12 and V31, and its chips scaled to a charge of 0.63 give 68 / 78 / 89",
    "V47": "the charge of an event is proportional to the time constant and to `syn_i_bias_dac`, which cancel at these settings, so the twin predicts\n"
    "  what it does for V31; the specification takes the number itself as its centre. One of the two laws is wrong by 15 %. Open",
}
"""Rows whose quantiles are away from the specification's by more than 15 % of its interval, and why."""
