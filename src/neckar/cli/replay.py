"""``neckar replay``: repeat a recorded run from its provenance and compare every bit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neckar.cli._tally import chip_name
from neckar.errors import ConfigurationError, FileFormatError, NeckarError

if TYPE_CHECKING:
    from neckar.chip.effects import Effects
    from neckar.chip.specimen import Specimen
    from neckar.program import Contents, Provenance, Recording

_CHIP: Mapping[str, type | tuple[type, ...]] = {"id": str, "seed": int, "statistics_version": int, "age_h": (int, float), "overrides": str}
_VERSIONS = ("neckar", "model_version", "environment")  # may differ between two machines with the same bits


def replay(file: Annotated[Path, typer.Argument(metavar="FILE.h5", exists=True, dir_okay=False, help="A file with program and recording.")]) -> None:
    """Repeat a recorded run and say whether every bit is the same (exit status 0) or what differs (1)."""
    from neckar.program import load

    contents = load(file)
    if contents.program is None or contents.recording is None:
        raise ConfigurationError(f"{file} lacks a program or a recording; allowed is a file with both. Write it with neckar run --record {file} script.py.")
    recorded = contents.recording
    try:
        repeated = repeat(contents)
    except FileFormatError as error:
        raise FileFormatError(f"{file}: {error}") from error
    for text in other_versions(recorded.provenance, repeated.provenance):
        typer.echo(f"note: {text}")
    found = differences(recorded, repeated)
    if not found:
        typer.echo(f"{file}: identical, bit for bit, on virtual chip {chip_name(recorded.provenance.chip['id'])}")
        return
    typer.echo(f"{file}: NOT identical. Different: {'; '.join(found)}")
    raise typer.Exit(1)


def repeat(contents: Contents) -> Recording:
    """Run the program of a file again, on the machine that its provenance describes, from the state in the file.

    The provenance holds the steps that were taken, not the bound that was asked for: if the machine's own bound gives other steps, the longest of them is
    the bound.
    """
    from neckar.lab import execute
    from neckar.program import TICKS_PER_US

    program, recording = contents.program, contents.recording
    if program is None or recording is None:
        raise ConfigurationError("a file without program or recording cannot be repeated; allowed is a file with both. Write it with neckar run --record.")
    how = recording.provenance
    chip, imperfections = specimen(how), effects(how)
    _check_run(how)
    program = dataclasses.replace(program, run_seed=how.run_seed)
    repeated = execute(chip, imperfections, how.instruments, None, program, contents.state)[0]
    if repeated.provenance.step_ticks == how.step_ticks:
        return repeated
    return execute(chip, imperfections, how.instruments, max(how.step_ticks) / TICKS_PER_US, program, contents.state)[0]


def specimen(how: Provenance) -> Specimen:
    """Return the chip that a provenance describes.

    Raises
    ------
    ConfigurationError
        If the chip had overrides, which are not stored with a recording.
    FileFormatError
        If it describes no virtual chip of Neckar.
    """
    from neckar.chip.specimen import Specimen

    chip = _fields(how.chip, "chip", _CHIP)
    if chip["overrides"]:
        raise ConfigurationError(
            f"the recording comes from virtual chip {chip_name(chip['id'])} with overrides of its mismatch; "
            "only chips without overrides can be rebuilt from a file. Repeat it in Python with the same Specimen, and compare the recordings with ==."
        )
    try:
        return Specimen(id=chip["id"], seed=chip["seed"], statistics_version=chip["statistics_version"], age_h=chip["age_h"])
    except NeckarError as error:
        raise _not_ours("chip", str(error)) from error


def effects(how: Provenance) -> Effects:
    """Return the imperfections that a provenance describes.

    Raises
    ------
    FileFormatError
        If it does not say of each whether it was on.
    """
    from neckar.chip.effects import Effects

    return Effects(**_fields(how.effects, "effects", {field.name: bool for field in dataclasses.fields(Effects)}))


def _fields(given: object, name: str, kinds: Mapping[str, type | tuple[type, ...]]) -> Mapping[str, Any]:
    """Return an object of a provenance after checking that it has these keys with values of these types."""
    if not isinstance(given, Mapping):
        raise _not_ours(name, f"it is {given!r}; allowed is a JSON object.")
    for key in sorted(given.keys() ^ kinds.keys()):
        raise _not_ours(name, f"{key!r} is {'unknown' if key in given else 'missing'}; allowed are exactly {', '.join(kinds)}.")
    for key, kind in kinds.items():
        if not isinstance(given[key], kind) or (isinstance(given[key], bool) and kind is not bool):
            wanted = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
            raise _not_ours(name, f"{key!r} is {given[key]!r}; allowed is {wanted}.")
    return given


def _check_run(how: Provenance) -> None:
    """Check the rest of what a repetition needs."""
    from neckar.chip.instruments import INSTRUMENTS

    seeds = how.run_seed
    if not isinstance(seeds, tuple) or len(seeds) != 2 or not all(type(seed) is int and 0 <= seed < 2**64 for seed in seeds):
        raise _not_ours("run_seed", f"it is {seeds!r}; allowed are two integers from 0 to 2**64 - 1.")
    if how.instruments not in INSTRUMENTS:
        raise _not_ours("instruments", f"it is {how.instruments!r}; allowed is {' or '.join(INSTRUMENTS)}.")
    steps = how.step_ticks
    if not isinstance(steps, tuple) or not steps or not all(type(step) in (int, float) and step > 0 for step in steps):
        raise _not_ours("step_ticks", f"it is {steps!r}; allowed is a list of positive numbers.")


def _not_ours(name: str, why: str) -> FileFormatError:
    return FileFormatError(f"the provenance's {name} does not describe a run of a virtual chip: {why} Record the run again with neckar run --record.")


def differences(recorded: Recording, repeated: Recording) -> list[str]:
    """Return the parts of two recordings that differ in any bit. Versions of software and wall-clock times do not count."""
    repeated = dataclasses.replace(repeated, provenance=_with_versions_of(repeated.provenance, recorded.provenance))
    if recorded == repeated:
        return []
    parts = [field.name for field in dataclasses.fields(recorded) if field.compare]
    return [_part(name, getattr(recorded, name), getattr(repeated, name)) for name in parts if not _same(recorded, repeated, name)]


def other_versions(recorded: Provenance, repeated: Provenance) -> list[str]:
    """Return which versions were others when the recording was made."""
    pairs = [(name, getattr(recorded, name), getattr(repeated, name)) for name in _VERSIONS]
    return [f"recorded with {name} {_plain(a)}, repeated with {_plain(b)}" for name, a, b in pairs if a != b]


def _with_versions_of(provenance: Provenance, other: Provenance) -> Provenance:
    return dataclasses.replace(provenance, **{name: getattr(other, name) for name in _VERSIONS})


def _same(a: Recording, b: Recording, name: str) -> bool:
    """Return whether one part agrees in every bit: a recording equals itself with this part of the other."""
    return a == dataclasses.replace(a, **{name: getattr(b, name)})


def _part(name: str, a: Any, b: Any) -> str:
    """Name a part, with sizes if these differ."""
    sizes = [len(value) for value in (a, b) if hasattr(value, "__len__")]
    return f"{name} ({sizes[0]} and {sizes[1]})" if len(sizes) == 2 and sizes[0] != sizes[1] else name


def _plain(value: Any) -> str:
    return ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else str(value)
