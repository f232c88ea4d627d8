"""The folder in which a notebook runs: its own, or for a notebook as text what a build of it would look like."""

from __future__ import annotations

import ast
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STATIC = "_static"
_SETTING = "jupyter_static_file_path"  # of sphinxcontrib-jupyter: what its build copies into the folder _static


@contextmanager
def work_folder(notebook: Path) -> Iterator[Path]:
    """Return the folder in which a notebook's cells run.

    A build of notebooks from text also copies files into ``_static`` that lie elsewhere (upstream: ``matplotlibrc``). Where these are missing, the folder is
    a temporary one with links to everything in the notebook's folder and to these files; what the cells write is moved to the notebook's folder at the end.
    """
    folder = notebook.resolve().parent
    extra = _not_in_static(folder) if notebook.suffix == ".rst" else []
    if not extra:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="neckar-") as name:
        built = Path(name)
        _link(folder, built, without=_STATIC)
        (built / _STATIC).mkdir()
        if (folder / _STATIC).is_dir():
            _link(folder / _STATIC, built / _STATIC)
        for path in extra:
            (built / _STATIC / path.name).symlink_to(path)
        try:
            yield built
        finally:
            _move_new(built, folder)
            _move_new(built / _STATIC, folder / _STATIC)


def _not_in_static(folder: Path) -> list[Path]:
    """Return the files that the configuration of a build copies into ``_static``, as far as they are not there."""
    try:
        lines = ast.parse((folder / "conf.py").read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, UnicodeDecodeError):
        return []
    for line in lines:
        if isinstance(line, ast.Assign) and any(isinstance(target, ast.Name) and target.id == _SETTING for target in line.targets):
            try:
                paths = [folder / str(path) for path in ast.literal_eval(line.value)]
            except (ValueError, TypeError):
                return []
            return [path for path in paths if path.is_file() and not (folder / _STATIC / path.name).exists()]
    return []


def _link(folder: Path, into: Path, without: str = "") -> None:
    for path in folder.iterdir():
        if path.name != without:
            (into / path.name).symlink_to(path)


def _move_new(built: Path, folder: Path) -> None:
    """Move what is no link."""
    for path in list(built.iterdir()):
        if not path.is_symlink() and path.name not in (_STATIC, "__pycache__"):
            folder.mkdir(exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, folder / path.name, dirs_exist_ok=True)
            else:
                os.replace(shutil.copy2(path, folder / f".{path.name}.tmp"), folder / path.name)
