"""Two installations of one import name: Neckar's and the genuine package of the real platform.

Python takes the first one it finds and never mentions the other. A script would then run on a virtual chip where its author expects silicon, or mix
modules of both, so every front end looks at the whole search path when it is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

from neckar.errors import NeckarError


class ShadowedInstallationError(NeckarError, ImportError):
    """The genuine package of the real platform is installed beside Neckar's front end of the same name."""


def refuse_shadowing(name: str, file: str) -> None:
    """Refuse to stand before a genuine installation of the package `name`; `file` is the front end's own.

    Raises
    ------
    ShadowedInstallationError
        If another package or module of this name that is not Neckar's lies on ``sys.path``. The text says where, and what to do.
    """
    for place in installations(name):
        if place != Path(file).resolve() and not is_ours(place):
            raise ShadowedInstallationError(
                f"the import of {name} leads to Neckar's front end in {file}, and there is another {name} in {place}, which it would hide. "
                f"Allowed is one of the two: use an environment without the genuine packages, uninstall neckar, or shorten sys.path."
            )


def installations(name: str) -> Iterator[Path]:
    """Yield the file of every package or module of this name on ``sys.path``, in the order of the search. Folders without Python files are none."""
    seen: set[Path] = set()
    for folder in sys.path:
        spec = PathFinder.find_spec(name, [folder])
        if spec is not None and spec.origin is not None and (place := Path(spec.origin).resolve()) not in seen:
            seen.add(place)
            yield place


def is_ours(place: Path) -> bool:
    """Return whether Neckar made a package or module: its file says so. A compiled one never is."""
    return place.suffix == ".py" and "neckar" in place.read_text(encoding="utf-8", errors="replace").casefold()
