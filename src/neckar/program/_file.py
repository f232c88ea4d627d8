"""The file: HDF5 behind a seal.

The first 512 bytes (the HDF5 user block) are the seal, a text of fixed form::

    neckar sha256:<digest of every byte after this line>
    schema_version <version>
    bytes <size of the file>

It is written last and checked before the HDF5 library sees a byte. A digest over the stored arrays alone would miss flipped bytes in the structures of
HDF5, and the library is not made for damaged ones. Text after the digest line is padded with NUL.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from neckar.errors import ConfigurationError, CorruptFileError, FileFormatError, SchemaVersionError
from neckar.program._codec import read, write
from neckar.program._machine import MachineState
from neckar.program._plain import Plain
from neckar.program._program import Program
from neckar.program._recording import Recording
from neckar.program._schema import SCHEMA_VERSION
from neckar.whole_file import whole_file

_SEAL_BYTES = 512
_MAGIC = b"neckar sha256:"
_DIGEST_END = len(_MAGIC) + 64 + 1
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Contents(Plain):
    """What a file holds; None for what it does not hold.

    Parameters
    ----------
    program : Program, optional
    recording : Recording, optional
    state : MachineState, optional
    """

    program: Program | None = None
    recording: Recording | None = None
    state: MachineState | None = None


def save(path: str | os.PathLike[str], *, program: Program | None = None, recording: Recording | None = None, state: MachineState | None = None) -> None:
    """Write a file; it appears complete under `path` or not at all, and replaces an older one.

    Parameters
    ----------
    path : path-like
    program, recording, state : optional
        At least one of them.

    Raises
    ------
    ConfigurationError
        If there is nothing to write.
    """
    contents = Contents(program=program, recording=recording, state=state)
    with whole_file(Path(path)) as stream:
        _write(stream, contents)


def load(path: str | os.PathLike[str]) -> Contents:
    """Read a file. The round trip through :func:`save` is exact.

    Raises
    ------
    FileFormatError
        If it is not a Neckar file.
    CorruptFileError
        If it is incomplete, cut short or damaged.
    SchemaVersionError
        If it was written with a newer schema.
    """
    if Path(path).is_dir():
        raise FileFormatError(f"{str(path)!r} is a folder; allowed is a file. Name one that neckar.program.save or neckar run --record wrote.")
    with Path(path).open("rb") as stream:
        return _read(stream, f"file {str(path)!r}")


def dumps(*, program: Program | None = None, recording: Recording | None = None, state: MachineState | None = None) -> bytes:
    """Return the bytes that :func:`save` would write."""
    stream = io.BytesIO()
    _write(stream, Contents(program=program, recording=recording, state=state))
    return stream.getvalue()


def loads(data: bytes) -> Contents:
    """Read the bytes of :func:`dumps` or of a file; raises what :func:`load` raises."""
    return _read(io.BytesIO(data), f"data of {len(data)} bytes")


def _write(stream: BinaryIO, contents: Contents) -> None:
    """Write and seal `contents` into an empty stream open for reading and writing."""
    import h5py

    items = {name: value for name, value in vars(contents).items() if value is not None}
    if not items:
        raise ConfigurationError("a file without contents was asked for; allowed is at least one of program, recording, state. Pass program=... .")
    with h5py.File(stream, "w", userblock_size=_SEAL_BYTES) as file:
        file.attrs["format"] = "neckar"
        file.attrs["schema_version"] = SCHEMA_VERSION
        for name, value in items.items():
            write(file, name, value)
    _seal(stream)


def _seal(stream: BinaryIO) -> None:
    """Write the seal over the finished HDF5 file."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(_DIGEST_END)
    stream.write(f"schema_version {SCHEMA_VERSION}\nbytes {size}\n".encode().ljust(_SEAL_BYTES - _DIGEST_END, b"\0"))
    digest = _digest(stream)
    stream.seek(0)
    stream.write(_MAGIC + digest + b"\n")


def _digest(stream: BinaryIO) -> bytes:
    """Return the SHA-256 of everything after the digest line, in hexadecimal digits."""
    digest = hashlib.sha256()
    stream.seek(_DIGEST_END)
    while chunk := stream.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest().encode()


def _read(stream: BinaryIO, what: str) -> Contents:
    """Check the seal and read the contents."""
    import h5py

    _check_seal(stream, what)
    with h5py.File(stream, "r") as file:
        return Contents(**{name: read(file[name]) for name in ("program", "recording", "state") if name in file})


def _check_seal(stream: BinaryIO, what: str) -> None:
    """Check that the bytes are complete, undamaged and of a known schema, in this order."""
    again = "Write or transfer it again."
    head = stream.read(_SEAL_BYTES)
    size = stream.seek(0, os.SEEK_END)
    if not head.strip(b"\0"):
        raise CorruptFileError(f"{what} is incomplete: it has no seal, so its writer did not finish. {again}")
    if not head.startswith(_MAGIC[: len(head)]):
        raise FileFormatError(f"{what} is no Neckar file: it starts with {head[:8]!r} instead of {_MAGIC[:6]!r}. Pass a file written by neckar.program.save.")
    fields = re.match(rb"schema_version (\d+)\nbytes (\d+)\n", head[_DIGEST_END:])
    if len(head) < _SEAL_BYTES or (fields and size < int(fields[2])):
        raise CorruptFileError(f"{what} is cut short: {size} of {int(fields[2]) if fields else 'unknown'} bytes are there. {again}")
    if fields is None or head[len(_MAGIC) : _DIGEST_END] != _digest(stream) + b"\n":
        raise CorruptFileError(f"{what} is damaged: its SHA-256 digest differs from the one in its seal. {again}")
    if int(fields[1]) > SCHEMA_VERSION:
        raise SchemaVersionError(f"{what} has schema version {int(fields[1])}; this version of Neckar reads up to {SCHEMA_VERSION}. Install a newer Neckar.")
