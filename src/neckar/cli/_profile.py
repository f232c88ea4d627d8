"""How long plasticity rules take, and what they do to the weights: counted while they run, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neckar.facts.ppu_brainscales2 import TICKS_PER_CYCLE
from neckar.program import TICK_S

if TYPE_CHECKING:
    from neckar.ppu import Invocation
    from neckar.program import MachineState, PlasticityTask, Program, Recording

SIDES = ("top", "bottom")
WEIGHTS = 64
MAX_POINTS = 2000
TRACES_PER_PROCESSOR = 3

_MS_PER_TICK = TICK_S * 1e3


@dataclass
class Line:
    """What became of one rule on one processor.

    Attributes
    ----------
    period : float
        Cycles.
    total, longest : float
        Cycles of all its invocations and of the longest.
    invocations, late, missed, queue_full, after_end : int
        Executed; of these ended after the deadline; and why others were not executed.
    """

    rule: str
    processor: str
    period: float
    invocations: int = 0
    total: float = 0.0
    longest: float = 0.0
    late: int = 0
    missed: int = 0
    queue_full: int = 0
    after_end: int = 0

    @property
    def asked(self) -> int:
        """Invocations that were due."""
        return self.invocations + self.missed + self.queue_full + self.after_end

    @property
    def mean(self) -> float:
        """Cycles of an invocation on average."""
        return self.total / max(self.invocations, 1)

    @property
    def share(self) -> float:
        """What the longest invocation takes of the period."""
        return self.longest / self.period


@dataclass(eq=False)
class History:
    """Distribution of the weights that rules write, and a few single ones, over time.

    Trial follows trial and run follows run. Of many points every second is left out, again and again.

    Attributes
    ----------
    times : list of float
        Milliseconds of hardware time, ascending. What synapses had before their first rule is noted when that has ended, not before what is known already.
    counts : list of ndarray, shape (weight,)
        How many synapses have which weight.
    traces : list of ndarray, shape (trace,)
        The weights of single synapses.
    places : list of (int, int, int)
        Hemisphere, row and column of these.
    """

    times: list[float] = field(default_factory=list)
    counts: list[NDArray[np.int64]] = field(default_factory=list)
    traces: list[NDArray[np.uint8]] = field(default_factory=list)
    places: list[tuple[int, int, int]] = field(default_factory=list)
    _weights: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((2, 256, 256), np.uint8))
    _known: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((2, 256, 256), bool))
    _count: NDArray[np.int64] = field(default_factory=lambda: np.zeros(WEIGHTS, np.int64))
    _begin: int = 0  # tick at which the trial under way began, on the axis of times
    _end: int = 0
    _noted: int = 0
    _stride: int = 1
    _seen: int = 0

    def start_trial(self) -> None:
        """Go on after the last deadline and end, with weights that are not known yet."""
        self._begin, self._known[...], self._count[...] = self._end, False, 0

    def add(self, invocation: Invocation, mask: NDArray[np.bool_]) -> None:
        """Take over what an invocation has written into synapses of a mask (hemisphere, row, column)."""
        begun = self._begin + invocation.begun
        ended = begun + round(invocation.cycles * TICKS_PER_CYCLE)
        self._end = max(self._end, self._begin + invocation.deadline, ended)
        changed = invocation.written.get("weights", {})
        if not changed:
            return
        h, rows = SIDES.index(invocation.processor), np.array([*changed])
        old, new = (np.stack([pair[k] for pair in changed.values()]) for k in (0, 1))
        mine = mask[h, rows]
        fresh = mine & ~self._known[h, rows]
        if fresh.any():
            self._weights[h, rows] = np.where(fresh, old, self._weights[h, rows])
            self._known[h, rows] |= fresh
            self._count += np.bincount(old[fresh], minlength=WEIGHTS)
            self._choose(h, rows, mine)
            self._note(begun)
        self._count += np.bincount(new[mine], minlength=WEIGHTS) - np.bincount(self._weights[h, rows][mine], minlength=WEIGHTS)
        self._weights[h, rows] = np.where(mine, new, self._weights[h, rows])
        self._note(ended)

    def _choose(self, hemisphere: int, rows: NDArray[np.int64], mine: NDArray[np.bool_]) -> None:
        """Choose single synapses to follow, spread over those that are written first."""
        if all(h != hemisphere for h, _, _ in self.places) and mine.any():
            row, column = np.nonzero(mine)
            some = np.unique(np.linspace(0, len(row) - 1, TRACES_PER_PROCESSOR).astype(int))
            self.places += [(hemisphere, int(rows[row[k]]), int(column[k])) for k in some]

    def _note(self, tick: int) -> None:
        self._noted = tick = max(tick, self._noted)
        self._seen += 1
        if self._seen % self._stride:
            return
        self.times.append(tick * _MS_PER_TICK)
        self.counts.append(self._count.copy())
        self.traces.append(self._weights[tuple(np.transpose(self.places))] if self.places else np.zeros(0, np.uint8))
        if len(self.times) > MAX_POINTS:
            self._stride *= 2
            for line in (self.times, self.counts, self.traces):
                del line[::2]

    @property
    def last(self) -> NDArray[np.int64]:
        """How many synapses have which weight now, shape (weight,)."""
        return self._count

    def quantile(self, share: float) -> NDArray[np.int64]:
        """Return the smallest weight that so large a share of the synapses does not exceed, shape (time,)."""
        below = np.cumsum(self.counts, axis=1)
        return np.asarray((below < share * below[:, -1:]).sum(axis=1))


class Profile:
    """Table and weights of everything that runs. Its methods are a tracer (:func:`neckar.ppu.tracing`) and an observer (:func:`neckar.lab.observe`)."""

    def __init__(self) -> None:
        self.history = History()
        self._lines: dict[tuple[str, str], Line] = {}
        self._masks: dict[int, tuple[PlasticityTask, NDArray[np.bool_]]] = {}
        self._trial: int | None = None

    def trace(self, one: Invocation) -> None:
        """Count an invocation."""
        if one.entry != self._trial:
            self._trial = one.entry
            self.history.start_trial()
        line = self._line(one.task, one.processor)
        line.invocations, line.total, line.longest = line.invocations + 1, line.total + one.cycles, max(line.longest, one.cycles)
        line.late += one.late
        self.history.add(one, self._mask(one.task))

    def observe(self, program: Program, recording: Recording, _: MachineState | None = None) -> None:
        """Take over what a run has counted of invocations that were not executed."""
        self._trial, self._masks = None, {}
        for task in program.plasticity:
            for side in SIDES:
                line, place = self._line(task, side), f"plasticity.{task.name}.{side}"
                for reason in ("missed", "queue_full", "after_end"):
                    setattr(line, reason, getattr(line, reason) + recording.losses.lost.get((reason, place), 0))

    @property
    def lines(self) -> list[Line]:
        """The rules, the slowest against its period first; a processor on which a rule does not run is left out."""
        return sorted((line for line in self._lines.values() if line.asked), key=lambda line: -line.share)

    def _line(self, task: PlasticityTask, side: str) -> Line:
        line = self._lines.setdefault((task.name, side), Line(task.name, side, 0.0))
        line.period = max(task.period // TICKS_PER_CYCLE, 1)
        return line

    def _mask(self, task: PlasticityTask) -> NDArray[np.bool_]:
        """Return which synapses a task sees, (hemisphere, row, column)."""
        known = self._masks.get(id(task))
        if known is None:
            mask = np.zeros((2, 256, 256), bool)
            for view in task.views:
                mask[view.hemisphere][np.ix_(view.rows, view.columns)] = True
            self._masks[id(task)] = known = task, mask
        return known[1]
