"""``neckar replay``: repeat a recorded run from its provenance and compare every bit."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neckar.cli._tally import chip_name
from neckar.errors import ConfigurationError, FileFormatError

if TYPE_CHECKING:
    from neckar.program import Contents, Provenance, Recording

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
    """Run the program of a file again, on the machine that its provenance describes, from the state in the file."""
    from neckar.lab import again

    if contents.program is None or contents.recording is None:
        raise ConfigurationError("a file without program or recording cannot be repeated; allowed is a file with both. Write it with neckar run --record.")
    lab, program = again(contents)
    with lab.session(contents.state) as session:
        return session.run(program)


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
