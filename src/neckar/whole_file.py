"""Files that appear complete under their name or not at all. Open to all floors, like :mod:`neckar.errors`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path, *, synced: bool = True) -> Iterator[BinaryIO]:
    """Open a file, for writing and reading back, that takes its name at the end of the block and replaces an older one; an error leaves nothing behind.

    Parameters
    ----------
    path : Path
        Until then it lies beside it, as ``.<name>.<random>.tmp``.
    synced : bool
        Wait until it is on the disk, so that it survives a power failure. What is checked when it is read and can be made again, such as a cache, need not.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("x+b") as stream:
            yield stream
            if synced:
                stream.flush()
                os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes, *, synced: bool = True) -> None:
    """Write a file of :func:`whole_file`."""
    with whole_file(path, synced=synced) as stream:
        stream.write(data)
