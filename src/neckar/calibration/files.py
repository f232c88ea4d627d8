"""Files that several processes share: whole or not there, and one process at a time at a piece of work."""

from __future__ import annotations

import errno
import logging
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from neckar.errors import ConfigurationError

try:
    import fcntl
except ImportError:  # a system without these locks: processes work side by side, which costs time and spoils nothing
    fcntl = None  # type: ignore[assignment]

_log = logging.getLogger(__name__)

_ABANDONED_S = 3600.0
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


def checked_folders(given: object, asked: str) -> list[Path] | None:
    """Return the folders of a cache that somebody named: one, or a list; None for the default ones.

    Parameters
    ----------
    given : object
    asked : str
        How they were asked for, for the message; such as ``calibrate(cache_paths={})``, with the place of what was given.

    Raises
    ------
    ConfigurationError
        If it names no folders.
    """
    if given is None:
        return None
    folders = [given] if isinstance(given, str | os.PathLike) else given
    if not isinstance(folders, Sequence) or not all(isinstance(folder, str | os.PathLike) for folder in folders):
        raise ConfigurationError(f"{asked.format(repr(given))} was asked for; allowed is a list of folders, an empty one for no cache. Leave it out.")
    return [Path(folder) for folder in folders]


def file_name(text: str) -> str:
    """Return a text as part of a file's name: what other systems may refuse is replaced."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text)


def sweep(folder: Path) -> None:
    """Remove what writers left (:mod:`neckar.whole_file`) that were killed long ago."""
    for path in folder.glob(".*.tmp"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()


@contextmanager
def locked(path: Path, work: str) -> Iterator[None]:
    """Let one process at a time, and one thread of it, do a piece of work; the others wait.

    The operating system holds the lock and gives it back when the process ends, however it ends. The empty file stays. Where a file system has no locks,
    everybody works.

    Parameters
    ----------
    path : Path
        The lock's file, in an existing folder.
    work : str
        What is done, for the message to who waits.

    Raises
    ------
    OSError
        If the file cannot be made.
    """
    with path.open("ab") as file:
        _take(file, work)
        yield


def _take(file: IO[bytes], work: str) -> None:
    """Lock an open file until it is closed."""
    if fcntl is None:
        return
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.warning("another process (or thread) is at work: %s; waiting for it [process %d]", work, os.getpid())
            fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
