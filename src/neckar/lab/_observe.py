"""Watching what runs, for the command line and for logging: every finished run of every lab of this process is reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from neckar.program import MachineState, Program, Recording

Observer: TypeAlias = "Callable[[Program, Recording, MachineState | None], None]"

_observers: tuple[Observer, ...] = ()


@contextmanager
def observe(observer: Observer) -> Iterator[None]:
    """Call ``observer(program, recording, state)`` after each run that finishes inside the block, in all threads.

    The program carries its run seed; `state` is what the chip held before the run, None after a reset. Together they suffice to repeat the run.
    """
    global _observers
    _observers = (*_observers, observer)
    try:
        yield
    finally:
        _observers = tuple(known for known in _observers if known is not observer)


def notify(program: Program, recording: Recording, state: MachineState | None) -> None:
    """Report a finished run."""
    for observer in _observers:
        observer(program, recording, state)
