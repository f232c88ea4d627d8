"""The two plasticity processors of a trial: made from the program's tasks, and what they leave behind.

The processors themselves are :mod:`neckar.ppu`; they see the chip through the agenda's :class:`~neckar.chip.agenda.Port`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import COLUMNS
from neckar.chip.correlation import HEMISPHERES
from neckar.chip.fabric import Counts
from neckar.chip.specimen import keyed_uniforms
from neckar.program import PlasticityTask, Program

if TYPE_CHECKING:
    from neckar.ppu import PlasticityProcessor, Recorder, Tracer

SIDES = ("top", "bottom")

Observables = dict[str, dict[str, NDArray[Any]]]


def check_plasticity(program: Program) -> None:
    """Compile the kernels of a program, and check its rules in Python.

    Raises
    ------
    KernelSourceError, ProgramError, MissingExtraError
        If a kernel or rule is refused, two contradict each other, or there is no compiler for a kernel.
    """
    if program.plasticity:
        from neckar.ppu import prepare

        prepare(program.plasticity)


class Plasticity:
    """The processors during one trial; none if the program has no tasks.

    Attributes
    ----------
    actors : list of PlasticityProcessor
        Top, then bottom.

    Parameters
    ----------
    tasks : sequence of PlasticityTask
    duration : int
        Ticks.
    key : tuple of int
        Of this trial of this chip: what the processors' random generators hold before kernels seed them depends on it and on the hemisphere.
        Its last number is that of the trial.
    tracer : callable, optional
        Called with each invocation when it has ended.
    """

    def __init__(self, tasks: Sequence[PlasticityTask], duration: int, key: tuple[int, ...], tracer: Tracer | None = None) -> None:
        self._tasks = tuple(tasks)
        self.actors: list[PlasticityProcessor] = []
        self._recorders: dict[int, Recorder] = {}
        if tasks:
            from neckar.ppu import PlasticityProcessor, SharedMemory, recorders_of

            self._recorders = recorders_of(tasks)
            random = [(1 + 65535 * keyed_uniforms(COLUMNS, "plasticity", *key, h)).astype(np.uint16) for h in range(HEMISPHERES)]
            common = duration, self._recorders
            shared = SharedMemory()
            self.actors = [PlasticityProcessor(tasks, h, *common, random[h], tracer, key[-1], shared) for h in range(HEMISPHERES)]

    def finish(self) -> None:
        """Count what was not carried out by the end of the trial, and end what is under way."""
        for actor in self.actors:
            actor.finish()

    def close(self) -> None:
        """End what is still under way."""
        for actor in self.actors:
            actor.close()

    def count(self, counts: Counts) -> None:
        """Count what became of the invocations."""
        for side, actor in zip(SIDES, self.actors, strict=False):
            for task, t in zip(self._tasks, actor.tally, strict=True):
                place = f"{task.name}.{side}"
                counts.add(f"plasticity.{place}", sent=t.asked, delivered=t.executed, missed=t.missed, queue_full=t.queue_full, after_end=t.after_end)
                counts.add(f"deadline.{place}", sent=t.executed, delivered=t.executed - t.late, late=t.late)

    def observables(self) -> Observables:
        """Return by task: ``time`` (period,) in cycles of the processor, observables, and symbols as ``symbol:<name>`` (hemisphere, word)."""
        found: Observables = {task.name: {} for task in self._tasks}
        for task in self._tasks:
            if task.same_id in self._recorders:
                found[task.name].update(self._recorders[task.same_id].arrays())
        for name, symbol in dict.fromkeys(key for actor in self.actors for key in actor.symbols()):
            found[name][f"symbol:{symbol}"] = np.stack([actor.symbols()[name, symbol] for actor in self.actors])
        return found
