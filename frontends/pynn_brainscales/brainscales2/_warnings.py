"""Warnings of this front end, which point at the user's script whatever lies between."""

from __future__ import annotations

import os
import sys
from warnings import warn

import pyNN

_LIBRARIES = tuple(os.path.join(os.path.dirname(file), "") for file in (__file__, pyNN.__file__))


def warn_user(text: str) -> None:
    """Warn at the nearest line outside of this front end and PyNN."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        frame, level = frame.f_back, level + 1
    warn(text, stacklevel=level)
