"""Watching what runs, for the command line and for logging: every finished run of every lab of this process, and on request of the processes it starts."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from neckar.program import MachineState, Program, Recording

Observer: TypeAlias = "Callable[[Program, Recording, MachineState | None], None]"
Summary: TypeAlias = "dict[str, Any]"

FOLDER = "NECKAR_RUNS_FOLDER"
"""Environment variable by which a process tells those that it starts where to note their runs."""

_observers: tuple[tuple[int, Observer], ...] = ()


@contextmanager
def observe(observer: Observer) -> Iterator[None]:
    """Call ``observer(program, recording, state)`` after each run that finishes inside the block, in all threads of this process.

    The program carries its run seed; `state` is what the chip held before the run, None after a reset. Together they suffice to repeat the run.
    """
    global _observers
    own = os.getpid(), observer
    _observers = (*_observers, own)
    try:
        yield
    finally:
        _observers = tuple(known for known in _observers if known is not own)


@contextmanager
def observe_children() -> Iterator[Callable[[], list[Summary]]]:
    """Yield a function that returns what other processes, started inside the block, have run since its last call: a :func:`summary` of each run.

    The runs of a lab's own workers are not among them; their lab reports them.
    """
    before = os.environ.get(FOLDER)
    with tempfile.TemporaryDirectory(prefix="neckar-runs-") as folder:
        os.environ[FOLDER] = f"{os.getpid()}:{folder}"
        read: dict[Path, int] = {}

        def news() -> list[Summary]:
            lines: list[bytes] = []
            for path in sorted(Path(folder).glob("*")):  # none after the block
                content = path.read_bytes()[read.get(path, 0) :]
                whole = content[: content.rfind(b"\n") + 1]  # a process may be writing
                read[path] = read.get(path, 0) + len(whole)
                lines += whole.splitlines()
            return [json.loads(line) for line in lines]

        try:
            yield news
        finally:
            if before is None:
                os.environ.pop(FOLDER, None)
            else:
                os.environ[FOLDER] = before


def notify(program: Program, recording: Recording, state: MachineState | None) -> None:
    """Report a finished run. What a forked process inherited watches the parent, not it."""
    for process, observer in _observers:
        if process == os.getpid():
            observer(program, recording, state)
    watcher, _, folder = os.environ.get(FOLDER, "").partition(":")
    if folder and watcher != str(os.getpid()):
        line = (json.dumps(summary(recording)) + "\n").encode()
        try:
            with (Path(folder) / str(os.getpid())).open("ab", buffering=0) as stream:
                stream.write(line)
        except OSError:  # nobody watches any more
            return


def summary(recording: Recording) -> Summary:
    """Return which chip ran, with which effects and calibration, what was lost and what the run costs on silicon, as plain data."""
    cost, losses = recording.cost, recording.losses
    return {
        "chip": recording.provenance.chip["id"],
        "effects": dict(recording.provenance.effects),
        "calibration": recording.provenance.calibration,
        "sent": dict(losses.sent),
        "lost": [[*key, number] for key, number in losses.lost.items()],
        "cost": [cost.hardware_s, cost.configuration_s, cost.transfer_s, cost.energy_j.low, cost.energy_j.high],
    }
