"""A notebook session: IPython itself runs the cells, without a server. Importing this module imports IPython and matplotlib.

What differs from a bare ``ipython`` is what a runner needs. Exceptions in callbacks of ``interact`` and of other widgets and in threads, which notebooks print
and forget, are kept; images that are displayed go to files; Ctrl-C ends a callback as well.
"""

from __future__ import annotations

import base64
import os
import re
import sys
import tempfile
import threading
import time
import traceback
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import matplotlib
import matplotlib.pyplot as plt
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.pylabtools import select_figure_formats
from traitlets.config import Config

from neckar.cli._figures import Figures
from neckar.cli._notebook import Cell, hint
from neckar.cli._report import Failure, Part
from neckar.cli._tally import Tally

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_WIDGET = "application/vnd.jupyter.widget-view+json"
_BACKEND = "MPLBACKEND"
_PLATFORM = ("LAB_IMAGE_NAME", "LAB_KERNEL_NAME")  # with these, upstream's helpers look for machines on the internet


class _Publisher(DisplayPublisher):
    """Prints what is displayed; widgets are not visible here, and images are files."""

    shell: Any

    def publish(self, data: Any, *args: Any, **settings: Any) -> None:
        if _WIDGET not in data and not self.shell.keep_image(data) and "text/plain" in data:
            print(data["text/plain"])

    def clear_output(self, wait: bool = False) -> None:
        """Nothing that was printed is taken back."""


class _Hook(DisplayHook):
    """Prints the value of a cell's last expression."""

    shell: Any

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.shell.keep_image(format_dict)
        super().write_format_data(format_dict, md_dict)


class _Shell(InteractiveShell):
    """IPython as a notebook has it, with a memory for failures."""

    display_pub_class: Any = _Publisher
    displayhook_class: Any = _Hook
    figures: ClassVar[Figures]
    failures: ClassVar[list[tuple[BaseException, str]]] = []

    def keep_image(self, data: Any) -> bool:
        """Keep an image among displayed data; return whether there was one."""
        png = data.get("image/png")
        if png is None:
            return False
        self.figures.add(base64.b64decode(png) if isinstance(png, str) else png)
        return True

    def keep_failure_of_thread(self, failure: threading.ExceptHookArgs) -> None:
        """Keep an exception that ended a thread of a cell."""
        if failure.exc_value is None or isinstance(failure.exc_value, SystemExit):
            return
        text = "".join(traceback.format_exception(failure.exc_value))
        self.failures.append((failure.exc_value, text))
        print(text, file=sys.stderr)

    def enable_gui(self, gui: Any = None) -> None:
        """There are no windows."""

    def showtraceback(self, exc_tuple: Any = None, *args: Any, **settings: Any) -> None:
        """Show an exception. Ctrl-C in a callback goes on to the cell, whose own code it ends."""
        error = self._get_exc_info(exc_tuple)[1]
        if isinstance(error, KeyboardInterrupt) and not settings.get("running_compiled_code"):
            raise error
        super().showtraceback(exc_tuple, *args, **settings)

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        text = _ANSI.sub("", self.InteractiveTB.stb2text(stb))
        self.failures.append((evalue, text))
        print(text, file=sys.stderr)


@contextmanager
def session(folder: Path, figures: Figures) -> Iterator[_Shell]:
    """Start IPython in a folder, as a kernel would; afterwards the process is as before, apart from imported modules.

    Parameters
    ----------
    folder : Path
        Working directory and first place of imports.
    figures : Figures
        Where displayed images go.
    """
    before = Path.cwd(), sys.path.copy(), sys.modules.get("__main__"), sys.excepthook, threading.excepthook
    environment = {name: os.environ.pop(name, None) for name in _PLATFORM} | {_BACKEND: os.environ.get(_BACKEND)}
    main = types.ModuleType("__main__")
    config = Config(HistoryManager={"enabled": False, "hist_file": ":memory:"}, InteractiveShell={"colors": "nocolor", "cache_size": 0, "enable_tip": False})
    with tempfile.TemporaryDirectory() as ipython_folder, matplotlib.rc_context():
        try:
            os.chdir(folder)
            sys.path.insert(0, str(folder))
            sys.modules["__main__"] = main
            os.environ[_BACKEND] = "module://matplotlib_inline.backend_inline"
            _Shell.figures = figures
            shell = _Shell.instance(config=config, ipython_dir=ipython_folder, user_module=main)
            shell.enable_matplotlib("inline")
            select_figure_formats(shell, {"png"})
            threading.excepthook = shell.keep_failure_of_thread
            yield shell
        finally:
            cwd, sys.path[:], first_main, sys.excepthook, threading.excepthook = before
            os.chdir(cwd)
            _restore(environment)
            _Shell.clear_instance()
            plt.close("all")
            plt.switch_backend("agg")
            if first_main is not None:
                sys.modules["__main__"] = first_main


def run_cell(shell: _Shell, cell: Cell, tally: Tally) -> Part:
    """Run one cell. Ctrl-C, also inside a callback, is a failure of the cell, even of one that may fail."""
    shell.failures.clear()
    shell.figures.place = f"cell{cell.number}"
    figures, runs, start = len(shell.figures.names), tally.runs, time.perf_counter()
    shell.execution_count = cell.number
    result = shell.run_cell(cell.source, store_history=True)
    wall_s = time.perf_counter() - start
    own = result.error_before_exec or result.error_in_exec
    shown = [*shell.failures]
    if own is not None and all(error is not own for error, _ in shown):
        shown.append((own, f"{type(own).__name__}: {own}"))  # IPython prints errors in the use of its own commands without a traceback
    failures = () if cell.may_fail and not isinstance(own, KeyboardInterrupt) else tuple(_failure(error, text, error is own) for error, text in shown)
    return Part(cell.number, cell.title, wall_s, tally.runs - runs, failures, tuple(shell.figures.names[figures:]))


def _failure(error: BaseException, text: str, is_own: bool) -> Failure:
    message = " ".join(filter(None, (str(error), hint(error))))
    return Failure("cell" if is_own else "callback", type(error).__name__, message, text)


def _restore(environment: Mapping[str, str | None]) -> None:
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
