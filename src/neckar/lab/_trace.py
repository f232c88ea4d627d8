"""Tracing plasticity rules: what they do, invocation by invocation, in runs of this thread. Public as ``neckar.ppu.trace`` and ``neckar.ppu.tracing``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neckar.ppu import Invocation, Tracer
    from neckar.program import MachineState, Program

_tracer: ContextVar[Tracer | None] = ContextVar("neckar_tracer", default=None)


def tracer() -> Tracer | None:
    """Return who traces the runs of this thread."""
    return _tracer.get()


@contextmanager
def tracing(tracer: Tracer) -> Iterator[None]:
    """Call ``tracer(invocation)`` after each invocation of a plasticity rule in the runs of this thread inside the block.

    Tracing changes no bit of a recording. What runs in other processes is not traced. An inner block takes the place of an outer one.

    Parameters
    ----------
    tracer : callable
        Takes a :class:`neckar.ppu.Invocation`. The invocations come in the order of their ends, trial by trial; one that is stopped comes, too, before its
        error. Nothing is kept here: ``found.append`` keeps them all, up to some 200 KB each if a rule works on a whole hemisphere.

    Examples
    --------
    >>> import neckar.ppu
    >>> found = []
    >>> with neckar.ppu.tracing(found.append):
    ...     pass  # pynn.run(10)
    """
    token = _tracer.set(tracer)
    try:
        yield
    finally:
        _tracer.reset(token)


def trace(program: Program, state: MachineState | None = None) -> Iterator[Invocation]:
    """Run a program on the current lab's chip and yield each invocation of its plasticity rules when it has ended.

    The run waits until the next invocation is asked for, so that memory holds one at a time; it ends early when the iterator is closed.

    Parameters
    ----------
    program : Program
        For instance ``neckar.load("run.h5").program``, of a file that ``neckar run --record run.h5 script.py`` has written.
    state : MachineState, optional
        What the chip holds before, by default what it holds after a reset; the file's is ``neckar.load("run.h5").state``.

    Yields
    ------
    Invocation
        In the order of their ends, trial by trial.

    Raises
    ------
    NeckarError
        What the run raises, in its turn: after the invocation that was stopped.
    """
    from neckar.lab._lab import current_lab
    from neckar.ppu._turns import Turns

    lab, context = current_lab(), copy_context()

    def run() -> None:
        with tracing(turns.wait), lab.session(state) as session:
            session.run(program)

    turns = Turns(lambda: context.run(run))
    try:
        turns.go_on()
        while not turns.done:
            yield turns.asked
            turns.go_on()
    finally:
        turns.cancel()
