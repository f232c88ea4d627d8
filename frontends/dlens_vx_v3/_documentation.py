"""The reference page of containers and coordinates, generated from their classes.

Write the page with ``python -m dlens_vx_v3._documentation docs/reference/containers.md``; a test compares the committed page with the classes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dlens_vx_v3 import hal, halco, lola
from dlens_vx_v3._container import Container
from dlens_vx_v3._member import Member
from dlens_vx_v3._missing import MISSING
from dlens_vx_v3._part import Part, Sub, declared
from dlens_vx_v3._values import REGISTERS
from dlens_vx_v3.halco._base import Pair, Ranged
from dlens_vx_v3.sta._registers import REFUSED

INTRODUCTION = """\
# Containers and coordinates

Generated from the classes of `dlens_vx_v3`; to change this page, change them and run `python -m dlens_vx_v3._documentation docs/reference/containers.md`.

What a coordinate holds is a container. Its state is **works** if all its members are registers that act, **partly** if some are only stored, **stored** if
none acts: it is written and read back without effect. **Refused** means that it would do something at the moment at which it is written or read, and that
the twin does not: `sta.run` and PyNN's hooks raise `UnsupportedFeatureError`.

A container made on its own starts with upstream's values, in which most things are off. A chip, `lola.Chip()`, starts with [the defaults of the
registers](registers.md), with which events pass and neurons fire. So `lola.AtomicNeuron()` differs from a neuron of a new chip in `event_routing`; PyNN
switches that on for the neurons it uses. Containers within a chip are views of it: changing one changes the chip. Assigning one copies it.
"""

IN_PLAYBACK: Mapping[str, str] = {
    "Barrier": "never waits: commands take no time",
    "CADCSampleRow": "neurons through the causal channel, correlation sensors through both",
    "CADCSamples": "row 0 of both hemispheres, as CADCSampleRow",
    "DACChannel": "`mux_dac_25` reaches the debug pad, the others nothing",
    "DACChannelBlock": "`mux_dac_25` reaches the debug pad, the others nothing",
    "EventRecordingConfig": "switches the recording of spikes and MADC samples",
    "MADCControl": "starts and stops the recording; the amplifiers are ideal",
    "NeuronReset": "of all neurons, before anything waits, reads or sends an event; refused for some of them and later",
    "NeuronResetQuad": "of all neurons, before anything waits, reads or sends an event; refused for some of them and later",
    "ResetChip": "at the start of a program",
    "SpikeCounterReset": "resets the count, not the overflow flag",
    "SpikePack1ToChip": "",
    "SpikePack2ToChip": "",
    "SpikePack3ToChip": "",
    "SystimeSync": "sets the time stamps to 0",
    "Timer": "",
}
"""Containers without registers to which a playback program gives a meaning."""

CHOOSES_WHAT_IS_SEEN = frozenset({"debug_plus", "debug_to_pad", "select_analog_readout_mux_1_input"})
"""Stored members from which a playback program takes what its converters see, besides the registers that select it."""

WITH_OWN_CODES = frozenset({"CapMemCell", "Container", "LogicalNeuron"})
"""Containers that say themselves which registers they are."""

_LISTED = 12


def markdown() -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    for module in (hal, lola):
        parts += [f"\n## {module.__name__}\n\n| name | state | coordinate | |\n|---|---|---|---|\n"]
        parts += [_container(name, getattr(module, name)) for name in module.__all__]
    parts += ["\n## dlens_vx_v3.halco\n\nCoordinates, with their enumeration. All of them work.\n\n| name | values | made of |\n|---|---|---|\n"]
    parts += [row for name in halco.__all__ if (row := _coordinate(name, getattr(halco, name)))]
    functions = [f"`{name}`" for name in halco.__all__ if not _coordinate(name, getattr(halco, name))]
    parts += [f"\nBesides these: {', '.join(functions)}.\n"]
    parts += ["\n## Missing\n\nContainers of upstream that do not exist here, and why.\n\n"]
    parts += [f"- {reason}: {', '.join(f'`{name}`' for name in names)}.\n" for reason, names in MISSING.items()]
    return "".join(parts)


def _container(name: str, kind: Any) -> str:
    """Return the row of a container."""
    if not (isinstance(kind, type) and issubclass(kind, Container)):
        return f"| `{name}` | works | | {_first_line(kind)} |\n"
    places = kind.coordinate if isinstance(kind.coordinate, tuple) else (kind.coordinate,)
    coordinate = ", ".join(f"`{place.__name__}`" for place in places if place is not None)
    state, note = _state(name, kind)
    return f"| `{name}` | {state} | {coordinate} | {' '.join(text for text in (_first_line(kind), note) if text)} |\n"


def _state(name: str, kind: type[Container]) -> tuple[str, str]:
    """Return the state of a container and what there is to say about it."""
    if name in IN_PLAYBACK:
        note = IN_PLAYBACK[name]
        return ("partly" if note else "works"), f"In a playback program: {note}." if note else ""
    if kind.coordinate in REFUSED:
        return "refused", REFUSED[kind.coordinate]
    if name in WITH_OWN_CODES:
        return "works", ""
    members = list(_members(kind))
    idle = [path for path, acts in members if not acts]
    if not idle and members:
        return "works", ""
    if len(idle) == len(members):
        return "stored", ""
    if len(idle) > _LISTED:
        return "partly", f"{len(idle)} of {len(members)} members are stored."
    return "partly", f"Stored: {', '.join(f'`{path}`' for path in idle)}."


def _members(kind: type[Part], prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Yield the path of each member of a class, and whether it is a register that acts."""
    for name, entry in declared(kind).items():
        if isinstance(entry, Member):
            acts = bool(entry.field) and not REGISTERS[entry.field].passive
            yield prefix + name, acts or name in CHOOSES_WHAT_IS_SEEN
        else:
            yield from _members(entry.kind, f"{prefix}{name}{'' if isinstance(entry, Sub) else '[]'}.")


def _coordinate(name: str, kind: Any) -> str:
    """Return the row of a coordinate, or nothing for what is none."""
    if not (isinstance(kind, type) and issubclass(kind, Ranged)):
        return ""
    if not kind.size:
        return f"| `{name}` | any coordinate | |\n"
    parts = f"`{kind.fast.__name__}`, `{kind.slow.__name__}`" if issubclass(kind, Pair) else ""
    return f"| `{name}` | {kind.min} to {kind.max} | {parts} |\n"


def _first_line(kind: Any) -> str:
    """Return the first line of a class' documentation as Markdown."""
    line = str(kind.__doc__ or "").strip().split("\n")[0].replace("``", "`")
    return re.sub(r":\w+:`~?[\w.]*?(\w+)`", r"`\1`", line)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(markdown(), encoding="utf-8")
