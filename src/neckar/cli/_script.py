"""Running a user's script as Python would, on the virtual chip of the command line, and keeping count of what it did."""

from __future__ import annotations

import importlib.util
import logging
import os
import runpy
import sys
import traceback
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import typer

from neckar.cli._report import Failure
from neckar.cli._tally import Tally
from neckar.errors import FileFormatError

INTERRUPTED = 130
"""Exit status after Ctrl-C."""


@contextmanager
def virtual_chip(**options: str | None) -> Iterator[Tally]:
    """Set the layer of the command line, check all settings at once, and count the runs inside the block, also in processes that it starts."""
    from neckar.lab import command_line, current_lab, observe, observe_children

    with command_line(**options), _passed_on(options), observe_children() as elsewhere, _told():
        tally = Tally(elsewhere)
        with observe(tally):
            current_lab()
            yield tally
        _ = tally.runs  # while the others' notes are there


@contextmanager
def _passed_on(options: Mapping[str, str | None]) -> Iterator[None]:
    """Give the processes that a script starts the settings of the command line as environment variables."""
    from neckar.lab import ENVIRONMENT

    given = {ENVIRONMENT[name]: value for name, value in options.items() if value is not None}
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class _Told(logging.Handler):
    """Prints records on the error stream: each text once, or only the first of all, as what they have in common."""

    def __init__(self, only_first: bool) -> None:
        super().__init__()
        self._only_first, self._said = only_first, set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self._said and not (self._only_first and self._said):
            self._said.add(text)
            typer.echo(f"neckar: {text}", err=True)


@contextmanager
def _told() -> Iterator[None]:
    """Say it when the engine has to be compiled, because nothing else happens for some seconds, and who made the calibrations that are loaded."""
    before = []
    for name, only_first in (("neckar.engine", True), ("neckar.calibration.loaded", False)):
        log, handler = logging.getLogger(name), _Told(only_first)
        before.append((log, handler, log.level))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        for log, handler, level in before:
            log.setLevel(level)
            log.removeHandler(handler)


class ScriptEnd(NamedTuple):
    """How a script ended.

    Attributes
    ----------
    names : dict
        The script's global names, empty if it failed.
    status : int
        Exit status: 0, what the script gave to ``sys.exit``, 130 after Ctrl-C, or 1 after an exception, whose traceback was printed.
    failure : Failure or None
        The exception.
    """

    names: dict[str, Any]
    status: int
    failure: Failure | None = None


def check_script(path: Path) -> None:
    """Check that Python can read a file as a script: text, compiled code or an archive of them.

    Raises
    ------
    FileFormatError
        If it is something else, such as a picture or a recording.
    """
    content = path.read_bytes()
    if b"\0" in content and not content.startswith(importlib.util.MAGIC_NUMBER) and not zipfile.is_zipfile(path):
        remedy = "Repeat a recorded run with neckar replay." if path.suffix == ".h5" else "Name the file that is to run."
        raise FileFormatError(f"{path} is no Python script and no notebook, for it is not text; allowed are .py, .ipynb and .rst files. {remedy}")


def run_script(path: Path, arguments: list[str]) -> ScriptEnd:
    """Run a file as ``python path arguments...`` does."""
    before = sys.argv, sys.path.copy()
    sys.argv = [str(path), *arguments]
    sys.path.insert(0, str(path.resolve().parent))
    try:
        return ScriptEnd(runpy.run_path(str(path), run_name="__main__"), 0)
    except SystemExit as exit_:
        return ScriptEnd({}, _status(exit_.code))
    except KeyboardInterrupt as error:
        return ScriptEnd({}, INTERRUPTED, _shown(error, path))
    except Exception as error:
        return ScriptEnd({}, 1, _shown(error, path))
    finally:
        sys.argv, sys.path[:] = before


def _status(code: object) -> int:
    """Return the exit status that Python gives for ``sys.exit(code)``."""
    if code is None or isinstance(code, int):
        return code or 0
    typer.echo(str(code), err=True)
    return 1


def _shown(error: BaseException, path: Path) -> Failure:
    """Print a traceback that starts in the script, as if Python had run it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != str(path):
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace)).rstrip()
    typer.echo(text, err=True)
    return Failure("script", type(error).__name__, str(error), text)
