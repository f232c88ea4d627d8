"""The reference page of calix names what there is, and nothing else."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import calix

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "calix.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (`.+?) \| (works|partly|Neckar's) \|", PAGE, re.MULTILINE)


def resolved(path: str) -> object:
    """Return a module, or what a module holds."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(module), name)


def documented() -> set[str]:
    """Return the dotted names of the page."""
    found = set()
    for cell, _ in ROWS:
        if cell.startswith("`pyccalix`"):
            continue
        head, colon, tail = cell.partition("`: ")
        if colon:
            words = re.findall(r"`([\w.]+)`", tail)
            modules = [*re.findall(r"`([\w.]+)`", f"{head}`")]
            found |= {word if word.startswith("calix.") else f"{module}.{word}" for word in words for module in modules}
        else:
            found |= set(re.findall(r"`([\w.]+)`", cell))
    return found


def test_every_name_of_the_page_exists():
    assert len(ROWS) > 20
    for path in documented():
        assert resolved(path) is not None, path


def test_every_public_name_stands_on_the_page():
    names = documented()
    whole = {path for path in names if isinstance(resolved(path), ModuleType)}
    missing = []
    for module in pkgutil.walk_packages(calix.__path__, "calix."):
        if any(part.startswith("_") for part in module.name.split(".")) or module.name in whole:
            continue
        public = getattr(importlib.import_module(module.name), "__all__", ())
        missing += [f"{module.name}.{name}" for name in public if f"{module.name}.{name}" not in names]
    assert missing == []
