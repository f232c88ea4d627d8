"""The cache of :func:`calix.calibrate`: files named by what was asked of which chip.

As upstream, a file's name is a SHA-256 of target, options, chip and version, folders are searched in their order, and a new result goes into the first folder
that can be written. The default folders are a site's shared one, below the root of the calibration files (:mod:`neckar.calibration.store`), and
``$XDG_CACHE_HOME/calix`` or ``~/.cache/calix``.

Unlike upstream's, the content of a file is no pickled result but a sealed configuration in the format ``calix-native.pkl``: it is read without unpickling,
so a shared folder can hand out nothing that runs, and damage is noticed. A damaged file counts as none. A result that can be kept nowhere, for instance because
the disk is full, is returned all the same, with a warning.
"""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import neckar
from calix._targets import OPTIONS, to_neckar
from dlens_vx_v3 import logger
from neckar.calibration import Calibration, store
from neckar.calibration.cache import facts_digest
from neckar.calibration.files import write_whole
from neckar.calibration.targets import key_of
from neckar.chip.machine import MODEL_VERSION
from neckar.errors import FileFormatError
from neckar.lab import Lab

_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
_log = logger.get("calix.calibrate")


def default_paths() -> list[Path]:
    """Return the folders that are searched without `cache_paths`: a site's, then the user's."""
    base = os.environ.get("XDG_CACHE_HOME")
    own = Path(base) if base else Path.home() / ".cache"
    return [store.root() / store.PLATFORM / "cache", own / "calix"]


def file_name(target: Any, options: Any, lab: Lab, method: str) -> str:
    """Return the name of the file that holds what was asked: equal for equal targets and options of the same chip and version."""
    asked = key_of(to_neckar(target, options)).encode() if type(target) in OPTIONS else pickle.dumps(target) + pickle.dumps(options)
    return hashlib.sha256(b"\n".join((asked, store.identifier(lab.specimen, lab.effects).encode(), _state(lab, method).encode()))).hexdigest()


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
            write_whole(file, data)
        except OSError as error:
            reasons.append(f"{path}: {error.strerror or error}")
            if error.errno not in _NOT_WRITABLE:
                _log.WARN(f"The calibration cannot be cached in {path}: {error.strerror or error}.")
            continue
        _log.INFO(f"Cached result in {file}")
        return file
    _log.WARN(f"The calibration is not cached: {'; '.join(reasons)}. It is made anew the next time; make room, or name another folder in cache_paths.")
    return None


def sealed(data: bytes, source: str) -> Calibration:
    """Return the calibration in a file without unpickling anything.

    Raises
    ------
    FileFormatError
        If it is damaged, of another version, or not Neckar's.
    """
    content = store.native_content(data)
    if content is None:
        raise FileFormatError(f"{source} is no calibration that Neckar has written. Remove it.")
    return Calibration.loads(content, source)


def unpickled(data: bytes, source: str) -> Any:
    """Return the result of a target that a script has defined; only such are pickled."""
    return pickle.loads(data)


def _state(lab: Lab, method: str) -> str:
    """Return what else changes a result: the method, what disturbs its experiments, and the versions."""
    effects = lab.effects.as_dict() if method == "measurement" else {"mismatch": lab.effects.mismatch, "drift": lab.effects.drift}
    return repr((method, sorted(effects.items()), lab.specimen.seed, lab.specimen.statistics_version, neckar.__version__, MODEL_VERSION, facts_digest()))
