"""Tracing plasticity rules: what they do, invocation by invocation, in runs of this thread. Public as ``neckar.ppu.trace`` and ``neckar.ppu.tracing``."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING

from neckar.errors import ConfigurationError

if TYPE_CHECKING:
    from neckar.lab._lab import Lab
    from neckar.ppu import Invocation, Tracer
    from neckar.program import Contents, MachineState, Program

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


def trace(program: Program | Contents, state: MachineState | None = None) -> Generator[Invocation, None, None]:
    """Run a program and yield each invocation of its plasticity rules when it has ended.

    The run waits until the next invocation is asked for, so that memory holds one at a time; it ends early when the iterator is closed.

    Parameters
    ----------
    program : Program or Contents
        A program runs on the current lab's chip, as a run of that lab. What a file holds, ``neckar.load("run.h5")`` of one that ``neckar run --record run.h5
        script.py`` has written, runs as it was recorded: on that chip, with that seed, from that state.
    state : MachineState, optional
        What the chip holds before a program, by default what it holds after a reset. A file has its own.

    Yields
    ------
    Invocation
        In the order of their ends, trial by trial.

    Raises
    ------
    ConfigurationError, FileFormatError
        At once, if the file does not tell how to run it again, or a state is given for it.
    NeckarError
        What the run raises, in its turn: after the invocation that was stopped.
    """
    from neckar.lab._again import again
    from neckar.lab._lab import current_lab
    from neckar.program import Contents

    if not isinstance(program, Contents):
        return _trace(current_lab(), program, state)
    if state is not None:
        raise ConfigurationError("trace got a file's contents and a state; allowed is a state beside a program. Give trace(contents.program, state).")
    lab, recorded = again(program)
    return _trace(lab, recorded, program.state)


def _trace(lab: Lab, program: Program, state: MachineState | None) -> Generator[Invocation, None, None]:
    from neckar.ppu._turns import Turns

    context = copy_context()

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
