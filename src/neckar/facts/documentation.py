"""The reference page of a register table, generated from the table itself.

Write the page with ``python -m neckar.facts.documentation brainscales2 docs/reference/registers.md``; a test compares the committed page with the table.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from neckar.facts import AXES, Register, register_groups, registers

_TITLES = {"brainscales2": "BrainScaleS-2", "brainscales1": "BrainScaleS-1"}

_INTRODUCTION = """\
Generated from the register table in `neckar.facts`; to change this page, change the table and run
`python -m neckar.facts.documentation {machine} docs/reference/registers.md`.

Every field is one array of digital codes. *Default* is the code after a reset. Fields marked **HX** are parameters of PyNN's cell type
`HXNeuron` under the same name. *Passive* fields are stored and returned, and no model reads them: changing
one has no effect. *Selecting* fields tell a playback program what its instruments see, as on the chip; in a Program the record says it, and nothing
reads them. Counters can be read, not written.
"""


def markdown(machine: str) -> str:
    """Return the reference page of a machine's registers as Markdown.

    Parameters
    ----------
    machine : str
        ``"brainscales2"`` or ``"brainscales1"``.

    Raises
    ------
    UnknownNameError
        If there is no such machine.
    """
    table = registers(machine)
    used = [axis for axis in AXES if any(axis in register.axes for register in table.values())]
    lines = [f"# Registers of {_TITLES[machine]}", "", _INTRODUCTION.format(machine=machine)]
    lines += ["| axis | length |", "|---|---|", *(f"| {axis} | {AXES[axis]} |" for axis in used), ""]
    for title, rows in register_groups(machine).items():
        lines += [f"## {title}", "", "| field | axes | type | codes | default | unit | meaning | source |", "|---|---|---|---|---|---|---|---|"]
        lines += [_line(register) for register in rows]
        lines.append("")
    passive = [f"`{register.name}`" for register in table.values() if register.passive]
    lines += ["## Passive fields", "", ", ".join(passive) + "." if passive else "None."]
    return "\n".join(lines) + "\n"


def _line(register: Register) -> str:
    """Return one row of a table."""
    default = "see meaning" if isinstance(register.default, np.ndarray) else str(int(register.default))
    states = {"**HX**": register.hxneuron, "*passive*": register.passive, "*selecting*": register.selects, "*counter*": register.counter}
    marks = "".join(f" {mark}" for mark, holds in states.items() if holds)
    cells = [
        f"`{register.name}`{marks}",
        ", ".join(register.axes) or "single",
        str(register.dtype),
        register.allowed(),
        default,
        register.unit,
        register.description,
        register.source,
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(markdown(sys.argv[1]), encoding="utf-8")
