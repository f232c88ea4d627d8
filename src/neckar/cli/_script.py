"""Running a user's script as Python would, on the virtual chip of the command line, and keeping count of what it did."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from neckar.program import MachineState, Program, Recording


class Tally:
    """What ran: number of runs, chips, effects, losses, and the last run with all that is needed to repeat it. An observer of :func:`neckar.lab.observe`."""

    def __init__(self) -> None:
        self.runs = 0
        self.last: tuple[Program, Recording, MachineState | None] | None = None
        self._chips: Counter[str] = Counter()
        self._effects: Counter[str] = Counter()
        self._sent = 0
        self._lost: Counter[tuple[str, str]] = Counter()

    def __call__(self, program: Program, recording: Recording, state: MachineState | None) -> None:
        self.runs += 1
        self.last = program, recording, state
        self._chips[chip_name(recording.provenance.chip["id"])] += 1
        self._effects[effects_text(recording.provenance.effects)] += 1
        self._sent += sum(recording.losses.sent.values())
        self._lost.update(recording.losses.lost)

    def line(self) -> str:
        """Return what ran, in one honest line."""
        if not self.runs:
            return "neckar: nothing ran on a virtual chip"
        chips = ", ".join(list(self._chips)[:3]) + (f" and {len(self._chips) - 3} more" if len(self._chips) > 3 else "")
        count = f"{self.runs} run{'s' if self.runs > 1 else ''}"
        return f"neckar: {count} on virtual chip{'s' if len(self._chips) > 1 else ''} {chips}; effects: {' / '.join(self._effects)}; {self._losses()}"

    def _losses(self) -> str:
        lost = {key: number for key, number in self._lost.items() if number}
        if not lost:
            return f"none of {self._sent:,} events and samples lost"
        places = ", ".join(f"{reason} at {place}: {number:,}" for (reason, place), number in sorted(lost.items()))
        return f"{sum(lost.values()):,} of {self._sent:,} events and samples lost ({places})"


def chip_name(chip_id: str) -> str:
    """Return what to call a chip after the words "virtual chip": ``reference``, or ``7`` for ``chip-7``. The option --chip takes both."""
    return chip_id.removeprefix("chip-")


def effects_text(effects: Mapping[str, Any]) -> str:
    """Return the effects that were on, by name."""
    return ", ".join(name for name, value in effects.items() if value) or "none (ideal)"


@contextmanager
def virtual_chip(**options: str | None) -> Iterator[Tally]:
    """Set the layer of the command line, check all settings at once, and count the runs inside the block."""
    from neckar.lab import command_line, current_lab, observe

    tally = Tally()
    with command_line(**options), observe(tally):
        current_lab()
        yield tally


def run_script(path: Path, arguments: list[str]) -> tuple[dict[str, Any], int]:
    """Run a file as ``python path arguments...`` does.

    Returns
    -------
    names : dict
        The script's global names, empty if it failed.
    status : int
        Exit status: 0, what the script gave to ``sys.exit``, 130 after Ctrl-C, or 1 after an exception, whose traceback was printed.
    """
    before = sys.argv, sys.path.copy()
    sys.argv = [str(path), *arguments]
    sys.path.insert(0, str(path.resolve().parent))
    try:
        return runpy.run_path(str(path), run_name="__main__"), 0
    except SystemExit as exit_:
        return {}, _status(exit_.code)
    except KeyboardInterrupt as error:
        _print_traceback(error, path)
        return {}, 130
    except Exception as error:
        _print_traceback(error, path)
        return {}, 1
    finally:
        sys.argv, sys.path[:] = before


def _status(code: object) -> int:
    """Return the exit status that Python gives for ``sys.exit(code)``."""
    if code is None or isinstance(code, int):
        return code or 0
    typer.echo(str(code), err=True)
    return 1


def _print_traceback(error: BaseException, path: Path) -> None:
    """Print a traceback that starts in the script, as if Python had run it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != str(path):
        trace = trace.tb_next
    typer.echo("".join(traceback.format_exception(type(error), error, trace)).rstrip(), err=True)
