"""Files ``*_calix-native.pkl``: a pickle of one call, :func:`restore`, with the bytes of a calibration.

Scripts load them by ``pickle.load``. The content is a sealed configuration file (:mod:`neckar.calibration`), so damage is noticed, and no class of a result is
part of the format. :func:`load` reads them without unpickling anything, and is what to use on a file of unknown origin: unpickling runs what the file says.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from calix._results import result_of
from neckar.calibration import Calibration, tell_origin
from neckar.calibration.store import native_content
from neckar.errors import FileFormatError
from neckar.lab import current_lab


def restore(data: bytes, source: str = "the pickled calibration") -> Any:
    """Return the result of a calibration from its bytes.

    Raises
    ------
    FileFormatError
        If the bytes are damaged, cut short, of another version, or no calibration.

    Warns
    -----
    ForeignCalibrationWarning
        If it was made for another virtual chip than the current lab's.
    """
    found = Calibration.loads(data, source)
    tell_origin(found.provenance, current_lab(), source)
    return result_of(found)


def load(path: str | os.PathLike[str]) -> Any:
    """Return the result in a calibration file of any of the three formats (``*_calix-native.pkl``, ``*_cocolist.pbin``, ``*_cocolist.json.gz``).

    Nothing is unpickled: a pickle that Neckar has not written is refused.

    Raises
    ------
    FileFormatError
        If the file is none of these, damaged or cut short; the text says what it looks like.

    Warns
    -----
    ForeignCalibrationWarning
        As in :func:`restore`.
    """
    source = f"file {str(path)!r}"
    data = Path(path).read_bytes()
    if data[:1] == b"\x80":
        content = native_content(data)
        if content is None:
            raise FileFormatError(
                f"{source} is a pickle that Neckar has not written, perhaps the result of a calibration on the real platform. It is not opened, because "
                "opening a pickle runs what it says. Use a file from pynn.helper.nightly_calib_path().parent."
            )
        data = content
    return restore(data, source)
