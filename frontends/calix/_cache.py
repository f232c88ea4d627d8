"""The cache of :func:`calix.calibrate`: files named by what was asked of which chip.

As upstream, a file's name is a SHA-256 of target, options, chip and version, folders are searched in their order, and a new result goes into the first folder
that can be written. The default folders are a site's shared one, below the root of the calibration files (:mod:`neckar.calibration.store`), and
``$XDG_CACHE_HOME/calix`` or ``~/.cache/calix``.

Unlike upstream's, the content of a file is no pickled result but a sealed configuration in the format ``calix-native.pkl``: it is read without unpickling,
so a shared folder can hand out nothing that runs, and damage is noticed, as is the calibration of another chip or target. Such a file counts as none. The
exception are results of targets that a script has defined: they are pickles, so they are kept in folders of the user's and never in the site's
(:func:`own`). A result that can be kept nowhere, for instance because the disk is full, is returned all the same, with a warning.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from calix._targets import OPTIONS, to_neckar
from dlens_vx_v3 import logger
from neckar.calibration import Calibration, store
from neckar.calibration.cache import acting, origin, read
from neckar.calibration.targets import ChipTarget, key_of
from neckar.errors import FileFormatError
from neckar.lab import Lab
from neckar.whole_file import write_whole

_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
_log = logger.get("calix.calibrate")


def default_paths() -> list[Path]:
    """Return the folders that are searched without `cache_paths`: a site's, then the user's."""
    base = os.environ.get("XDG_CACHE_HOME")
    user = Path(base) if base else Path.home() / ".cache"
    return [_shared(), user / "calix"]


def own(paths: Sequence[Path]) -> list[Path]:
    """Return the folders from which pickles may be read: all but the site's, into which others write."""
    return [path for path in paths if path.resolve() != _shared().resolve()]


def _shared() -> Path:
    return store.root() / store.PLATFORM / "cache"


def file_name(target: Any, options: Any, lab: Lab, method: str) -> str:
    """Return the name of the file that holds what was asked: equal for equal targets and options of the same chip and version."""
    asked = key_of(to_neckar(target, options)).encode() if type(target) in OPTIONS else pickle.dumps(target) + pickle.dumps(options)
    chip = json.dumps(origin(lab.specimen, acting(lab.effects, method)), sort_keys=True)
    return hashlib.sha256(b"\n".join((asked, method.encode(), chip.encode()))).hexdigest()


def find(paths: Sequence[Path], name: str, read: Callable[[bytes, str], Any]) -> Any:
    """Return what the first folder with such a file holds, None without one.

    Parameters
    ----------
    paths : sequence of Path
    name : str
    read : callable
        Makes an object of the bytes of a file and its name, or raises a FileFormatError.
    """
    for path in paths:
        file = Path(path) / name
        try:
            found = read(file.read_bytes(), f"file {str(file)!r}")
        except OSError:
            continue
        except FileFormatError as error:
            _log.WARN(f"A cached calibration is not used: {error}")
            continue
        _log.INFO(f"Applying cached calibration in {file}")
        return found
    return None


def keep(paths: Sequence[Path], name: str, data: bytes) -> Path | None:
    """Write a file into the first folder where that is possible, and return its path; None, with a warning, if there is no such folder."""
    reasons = []
    for path in paths:
        file = Path(path) / name
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, data, synced=False)
        except OSError as error:
            reasons.append(f"{path}: {error.strerror or error}")
            if error.errno not in _NOT_WRITABLE:
                _log.WARN(f"The calibration cannot be cached in {path}: {error.strerror or error}.")
            continue
        _log.INFO(f"Cached result in {file}")
        return file
    _log.WARN(f"The calibration is not cached: {'; '.join(reasons)}. It is made anew the next time; make room, or name another folder in cache_paths.")
    return None


def sealed(data: bytes, source: str, lab: Lab, target: ChipTarget, method: str) -> Calibration:
    """Return the calibration in a file without unpickling anything.

    Raises
    ------
    FileFormatError
        If it is damaged, of another version, chip, target or method, or not Neckar's.
    """
    content = store.native_content(data)
    if content is None:
        raise FileFormatError(f"{source} is no calibration that Neckar has written. Remove it.")
    return read(content, source, lab.specimen, lab.effects, target, method)


def unpickled(data: bytes, source: str) -> Any:
    """Return the result of a target that a script has defined; only such are pickled.

    Raises
    ------
    FileFormatError
        If it is damaged, or of classes that have changed.
    """
    try:
        return pickle.loads(data)
    except Exception as error:  # a damaged pickle raises almost anything
        raise FileFormatError(f"{source} holds no result that can be read ({type(error).__name__}: {error}). Remove it.") from error
