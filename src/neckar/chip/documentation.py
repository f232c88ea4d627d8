"""The reference page of the mismatch of virtual chips, generated from the table of spreads and from what a specimen draws.

Write the page with ``python -m neckar.chip.documentation docs/reference/mismatch.md``; a test compares the committed page with the tables.
"""

from __future__ import annotations

import sys
from pathlib import Path

from neckar.chip.named import NAMED
from neckar.chip.specimen import mismatch_parameters
from neckar.facts._fact import Spread
from neckar.facts.brainscales2 import SPREAD

_INTRODUCTION = """\
# Mismatch of virtual chips

Generated from `neckar.facts.brainscales2.SPREAD` and `neckar.chip.specimen`; to change this page, change these and run
`python -m neckar.chip.documentation docs/reference/mismatch.md`. [Virtual chips](../explanation/virtual_chips.md) explains it.

Standard deviations *from chip to chip* (of which some are drawn for each quadrant) and *within a chip*, between circuits, synapses, drivers or channels.
*Normal* deviations add, in the unit given; *lognormal* ones are factors with median 1, the number is the standard deviation of their logarithm.
*Reference* is where the reference chip lies, which does not deviate by chance. *Drawn as* are the names of overrides of `neckar.Specimen`.
"""


def markdown() -> str:
    """Return the reference page as Markdown."""
    lines = [_INTRODUCTION, "| quantity | from chip to chip | within a chip | reference | drawn as | source |", "|---|---|---|---|---|---|"]
    lines += [_line(name, spread) for name, spread in SPREAD.items()]
    lines += ["", "## Chips with a name", "", "| name | seed | what it is good for |", "|---|---|---|"]
    lines += [f"| `{named.name}` | {named.seed} | {named.reason} |" for named in NAMED]
    return "\n".join(lines) + "\n"


def drawn_as(row: str) -> list[str]:
    """Return the mismatch parameters that are drawn from a row of the table of spreads."""
    return [name for name, parameter in mismatch_parameters().items() if parameter.row == row]


def _line(name: str, spread: Spread) -> str:
    drawn = ", ".join(f"`{parameter}`" for parameter in drawn_as(name)) or f"*{spread.note}*"
    note = f"{spread.source}; {spread.note}" if spread.note and drawn_as(name) else spread.source
    return f"| {name.replace('_', ' ')} | {_sigma(spread.chip, spread)} | {_sigma(spread.circuit, spread)} | {_signed(spread)} | {drawn} | {note} |"


def _sigma(value: float, spread: Spread) -> str:
    if value == 0:
        return "-"
    return f"{100 * value:.0f} %" if spread.shape == "lognormal" else f"{value:g} {spread.unit if spread.unit != '1' else ''}".rstrip()


def _signed(spread: Spread) -> str:
    if spread.reference == 0:
        return "0"
    return f"{100 * spread.reference:+.0f} %" if spread.shape == "lognormal" else f"{spread.reference:+g}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(markdown(), encoding="utf-8")
