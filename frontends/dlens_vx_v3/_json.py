"""Containers as JSON text."""

from __future__ import annotations

import json

import numpy as np

from dlens_vx_v3._container import Container
from neckar.errors import FileFormatError


def to_json(container: Container) -> str:
    """Return all members of a container as JSON text, codes by path."""
    members = {".".join(map(str, (*part._key, member.name))): np.asarray(member.read(part)).tolist() for member, part in container._members()}
    return json.dumps({"container": type(container).__name__, "members": members})


def from_json(container: Container, text: str) -> None:
    """Set all members of a container from JSON text that :func:`to_json` made.

    Raises
    ------
    FileFormatError
        If the text is that of another kind of container, or of none.
    ParameterRangeError
        If a code is outside its range.
    """
    try:
        content = json.loads(text)
        name, members = content["container"], content["members"]
    except (ValueError, KeyError, TypeError):
        raise FileFormatError("this is no JSON text of a container; make it with to_json().") from None
    if name != type(container).__name__:
        raise FileFormatError(f"this is the text of a {name}, not of a {type(container).__name__}.")
    for member, part in container._members():
        codes = members[".".join(map(str, (*part._key, member.name)))]
        member.__set__(part, np.array(codes) if member.over else member.typed(codes))
