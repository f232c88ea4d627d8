"""A plasticity processor as an actor on the chip's agenda.

It boots before the trial's first tick, then works through its timers. In ``timed`` mode an invocation takes the time of its accesses and instructions: what
it writes
acts at its own moment, what it reads is read at its own moment, and meanwhile the chip and the other processor go on. In ``instant`` mode it takes no time.

Not modelled: waiting for the memory outside the chip, the other processor's traffic on the bus, and interrupts, which the real scheduler does not use either.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from neckar.errors import KernelError, ProgramError
from neckar.facts.ppu_brainscales2 import CYCLES_PER_INSTRUCTION, TICKS_PER_CYCLE
from neckar.ppu._compile import build
from neckar.ppu._exchange import Actions
from neckar.ppu._fit import check_fit
from neckar.ppu._kernel import kernels_of
from neckar.ppu._port import ChipPort
from neckar.ppu._processor import MemoryUse, Processor
from neckar.ppu._recorder import Recorder
from neckar.ppu._rule_processor import RuleProcessor
from neckar.ppu._sandbox import load
from neckar.ppu._schedule import Event, Scheduler, Timer
from neckar.ppu._shared import SharedMemory
from neckar.ppu._trace import SIDES, Invocation, Notes, Tracer
from neckar.ppu._turns import Turns
from neckar.program import PlasticityTask

BOOT, FREE, BUSY, OVER = range(4)
WRITE_CYCLES = 1250
"""Writes of an invocation that are closer than this (5 us) act together, at the time of the last of them."""

LONG_AGO = -(2**62)
FUEL_FACTOR = 100
FUEL = (1_000_000_000, 5_000_000_000)
"""Instructions of an invocation, least and most; in between a hundred times what fits into the rest of the trial. About a second at most."""

_log = logging.getLogger(__name__)


@dataclass
class Tally:
    """What became of the invocations of one task on one processor."""

    asked: int = 0
    executed: int = 0
    missed: int = 0
    queue_full: int = 0
    after_end: int = 0
    late: int = 0


@dataclass(eq=False)
class Running:
    """An invocation under way."""

    event: Event
    number: int
    turns: Turns
    port: ChipPort
    actions: Actions | None = None
    asked_at: float = 0.0  # cycles
    looks: tuple[int, int] | None = field(default=None)


class PlasticityProcessor:
    """One processor during one trial.

    Parameters
    ----------
    tasks : sequence of PlasticityTask
    hemisphere : int
    duration : int
        Ticks of the trial.
    recorders : mapping of int to Recorder
        Shared with the other processor.
    random : ndarray of uint16, shape (256,)
        State of the random generators at first, not zero.
    tracer : callable, optional
        Called with each :class:`~neckar.ppu.Invocation` when it has ended, also by being stopped.
    entry : int, optional
        Number of the trial, for the tracer.
    shared : SharedMemory, optional
        Variables that kernels share with the other processor.
    """

    def __init__(
        self,
        tasks: Sequence[PlasticityTask],
        hemisphere: int,
        duration: int,
        recorders: Mapping[int, Recorder],
        random: NDArray[np.uint16],
        tracer: Tracer | None = None,
        entry: int = 0,
        shared: SharedMemory | None = None,
    ) -> None:
        modes = {task.mode for task in tasks}
        if len(modes) > 1:
            raise ProgramError("plasticity tasks of one program ask for the modes 'timed' and 'instant'; allowed is one of them. Give all tasks one mode.")
        self.tasks, self.hemisphere, self._end = tuple(tasks), hemisphere, duration // TICKS_PER_CYCLE
        self._instant, self._recorders = modes == {"instant"}, recorders
        kind: Callable[..., Processor | RuleProcessor] = RuleProcessor if in_python(tasks) else partial(Processor, shared=shared)
        self._processor = kind(tasks, hemisphere, instant=self._instant, recorders=recorders, random=random)
        self._scheduler = Scheduler([Timer(*_cycles(task)) for task in tasks])
        self._index = {number: 0 for number in self._processor.kernels}
        self._state, self._now = BOOT, 0.0
        self._running: Running | None = None
        self._tracer, self._entry = tracer, entry
        self.tally = [Tally() for _ in tasks]
        self.memory: MemoryUse | None = None
        self.mailbox: list[str] = []

    def due(self) -> int | None:
        """Return the next tick at which it acts, or None if it is done."""
        if self._state == BOOT:
            return LONG_AGO
        if self._state == OVER:
            return None
        if self._running is not None:
            return self._tick(self._next_step(self._running)[0])
        due = self._scheduler.due(self._now)
        return None if due is None or due >= self._end else self._tick(due)

    def _tick(self, cycles: float) -> int:
        return min(int(np.ceil(cycles)), self._end) * TICKS_PER_CYCLE

    def act(self, port: ChipPort) -> None:
        """Act at the due tick."""
        if self._state == BOOT:
            self.memory = self._processor.boot(port)
            self._state = FREE
            if self.memory.total > 0.93 * self.memory.limit:
                _log.warning("the plasticity kernels take %d of %d bytes of a processor; the stack needs the rest", self.memory.total, self.memory.limit)
        elif self._running is not None:
            self._step(self._running, port)
        else:
            self._now = max(self._now, float(port.tick // TICKS_PER_CYCLE))
            event = self._scheduler.pick(self._now)
            if event is not None:
                self._start(event, port)

    def _start(self, event: Event, port: ChipPort) -> None:
        processor, number = self._processor, self.tasks[event.task].same_id
        period, self._index[number] = self._index[number], self._index[number] + 1
        fuel = int(np.clip(FUEL_FACTOR * (self._end - self._now) / CYCLES_PER_INSTRUCTION.value, *FUEL))
        began = self._now
        processor.notes = None if self._tracer is None else Notes()
        if self._instant:
            processor.serve(port)
            with self._told(event, period):
                processor.invoke(event.task, began, period, fuel)
                processor.carry_out(port, processor.actions())
            self._finish(event, period)
            return
        processor.load_planes(port)
        running = self._running = Running(event, period, Turns(lambda: self._invoke(running, began, fuel)), port)
        processor.observe = lambda view, row: self._wait(running, (view, row))
        processor.flush = lambda: self._wait(running, None)
        self._resume(running, port)

    def _invoke(self, running: Running, began: float, fuel: int) -> None:
        processor = self._processor
        processor.invoke(running.event.task, began, running.number, fuel)
        running.actions, running.asked_at, running.looks = processor.actions(), processor.moment(), None

    def _wait(self, running: Running, looks: tuple[int, int] | None) -> None:
        """Wait, in an invocation, until its writes are done and the chip has come to its look; called where the kernel runs.

        If nobody else acts until then, the kernel goes on at once. Otherwise the others have their turn.
        """
        running.actions, running.asked_at, running.looks = self._processor.actions(), self._processor.moment(), looks
        port = running.port.later(self._tick(self._next_step(running)[0]))
        while port is not None:
            if self._do(running, port):
                self._look(running, port)
                return
            port = port.later(self._tick(self._next_step(running)[0]))
        running.turns.wait(None)

    def _resume(self, running: Running, port: ChipPort) -> None:
        running.port = port
        with self._told(running.event, running.number):
            running.turns.go_on()

    def _next_step(self, running: Running) -> tuple[float, int]:
        """Return when something is to be done next, in cycles, and how many actions that are."""
        actions = running.actions
        if actions is None or len(actions) == 0:
            return running.asked_at, 0
        number = int(np.searchsorted(actions.cycles, actions.cycles[0] + WRITE_CYCLES, side="right"))
        return max(float(actions.cycles[number - 1]), self._now), number

    def _step(self, running: Running, port: ChipPort) -> None:
        """Do what is due of an invocation; then it goes on or has ended."""
        if not self._do(running, port):
            return
        if running.turns.done:
            self._processor.hand_over()
            self._running = None
            self._finish(running.event, running.number)
            return
        self._look(running, port)
        self._resume(running, port)

    def _do(self, running: Running, port: ChipPort) -> bool:
        """Carry out some writes of an invocation; return whether none was left."""
        when, number = self._next_step(running)
        self._now = max(self._now, when)
        if number and running.actions is not None:
            self._processor.carry_out(port, running.actions.part(0, number))
            running.actions = running.actions.part(number)
            return False
        return True

    def _look(self, running: Running, port: ChipPort) -> None:
        """Show a kernel what it wants to see, as it is now."""
        running.port = port
        self._processor.hand_over()
        self._processor.load_planes(port)
        if running.looks is not None:
            self._processor.look(port, *running.looks)

    def _finish(self, event: Event, number: int) -> None:
        began = self._processor.began
        took = 0.0 if self._instant else self._now - began
        self.tally[event.task].executed += 1
        self.tally[event.task].late += _is_late(event, began + took)
        name = f"{self.tasks[event.task].same_id}_{event.task}"
        text = self._processor.mail()
        self.mailbox.append(f"plasticity rule {name}: b: {int(began)}{text} d: {int(took)}\n")
        self._tell(event, number, took, text)

    @contextlib.contextmanager
    def _told(self, event: Event, number: int) -> Iterator[None]:
        """Tell the tracer of an invocation that is stopped, too."""
        try:
            yield
        except KernelError as error:
            self._tell(event, number, self._processor.moment() - self._processor.began, self._processor.mail(), error)
            raise

    def _tell(self, event: Event, number: int, cycles: float, mail: str, error: KernelError | None = None) -> None:
        """Tell the tracer, if there is one, of an invocation that has ended."""
        notes, self._processor.notes = self._processor.notes, None
        if self._tracer is None or notes is None:
            return
        asked, begun, deadline = (int(at * TICKS_PER_CYCLE) for at in (event.asked, self._processor.began, event.deadline))
        where = {"task": self.tasks[event.task], "processor": SIDES[self.hemisphere], "entry": self._entry, "number": number}
        late = _is_late(event, self._processor.began + cycles)
        times = {"asked": asked, "begun": begun, "deadline": deadline, "cycles": cycles, "late": late}
        self._tracer(Invocation.of(notes, **where, **times, mail=mail, error=error))

    def finish(self) -> None:
        """Count what was not carried out by the end of the trial, and end what is under way."""
        if self._running is None:
            self._scheduler.expire(min(self._now, self._end))
        self.close()
        for timer, tally, dropped in zip(self._scheduler.timers, self.tally, self._scheduler.dropped, strict=True):
            tally.asked, tally.missed, tally.queue_full = timer.count, timer.missed, dropped
            tally.after_end = tally.asked - tally.executed - tally.missed - tally.queue_full
        self._log()

    def close(self) -> None:
        """End what is under way."""
        if self._running is not None:
            self._running.turns.cancel()
            self._running = None
        self._processor.observe = self._processor.flush = _nobody  # they hold the processor, which shall go with its actor
        self._state = OVER

    def symbols(self) -> dict[tuple[str, str], NDArray[np.int32]]:
        """Return the global variables that tasks ask for, by task and name, shape (word,)."""
        processor = self._processor
        if isinstance(processor, RuleProcessor):
            return {}  # rules in Python have no symbols (check_fit)
        return {(task.name, name): processor.read_symbol(task.same_id, name) for task in self.tasks for name in task.read_symbols}

    def _log(self) -> None:
        side = SIDES[self.hemisphere]
        for task, tally, timer in zip(self.tasks, self.tally, self._scheduler.timers, strict=True):
            lost = timer.due_until(self._end) - tally.executed - tally.missed
            if lost:
                _log.warning("%s processor: could not execute all tasks of %r (dropped: %d)", side, task.name, lost)
            if tally.missed:
                _log.warning("%s processor: the timer of %r could not insert all requested tasks (skipped: %d)", side, task.name, tally.missed)


def _nobody(*_: int) -> None:
    raise AssertionError("a kernel looks at the chip after the end of its trial")


def _is_late(event: Event, ended: float) -> bool:
    return ended > event.deadline


def prepare(tasks: Sequence[PlasticityTask]) -> None:
    """Compile the kernels of some tasks, so that what is wrong with them shows before anything runs. Rules in Python alone need no compiler.

    Raises
    ------
    KernelSourceError, KernelMemoryError, ProgramError, MissingExtraError
    """
    for task in tasks:
        if task.language == "python":
            check_fit(task)
    if in_python(tasks):
        kernels_of(tasks)
        return
    load(build(tuple(kernels_of(tasks).values())))


def in_python(tasks: Sequence[PlasticityTask]) -> bool:
    """Return whether all rules are written in Python; beside kernels in C++ they run as the kernels that they generate."""
    return all(task.language == "python" for task in tasks)


def recorders_of(tasks: Sequence[PlasticityTask]) -> dict[int, Recorder]:
    """Return memory for the observables of some tasks, by rule: one record per period of all its timers."""
    kernels = kernels_of(tasks)
    return {
        number: Recorder(kernel, sum(task.count for task in tasks if task.same_id == number)) for number, kernel in kernels.items() if kernel.observables
    }


def _cycles(task: PlasticityTask) -> tuple[int, int, int]:
    return task.start // TICKS_PER_CYCLE, max(task.period // TICKS_PER_CYCLE, 1), task.count
