"""One plasticity processor whose rules are all written in Python: what :class:`~neckar.ppu._processor.Processor` is for C++, without a compiler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.errors import KernelMemoryError
from neckar.ppu._evaluate import Evaluator, Numbers
from neckar.ppu._exchange import COLUMNS, LABELS, ROWS, SENSORS, WEIGHTS, Actions, Exchange
from neckar.ppu._kernel import kernels_of
from neckar.ppu._port import ChipPort
from neckar.ppu._processor import ACAUSAL, CAUSAL, COUNTERS, COUNTERS_AND_RESET, READS, SENSED, MemoryUse
from neckar.ppu._recipe import Recipe, parse
from neckar.ppu._recorder import Recorder
from neckar.ppu._rows import Generator, Row
from neckar.program import PlasticityTask

NEURONS = 4  # a look at the membranes
_OTHERS = {"weights": WEIGHTS, "labels": LABELS}


class RuleProcessor(Exchange):
    """A processor with rules in Python.

    Parameters
    ----------
    tasks : sequence of PlasticityTask
        All in Python.
    hemisphere : int
    instant : bool
        Whether rules take no time.
    recorders : mapping of int to Recorder
        Memory of the observables, shared by both processors, by rule.
    random : ndarray of uint16, shape (256,)
        State of the random generators at first, not zero.
    """

    def __init__(
        self, tasks: Sequence[PlasticityTask], hemisphere: int, *, instant: bool, recorders: Mapping[int, Recorder], random: NDArray[np.uint16]
    ) -> None:
        self.kernels = kernels_of(tasks)
        self.tasks, self.hemisphere, self.instant, self.recorders = tuple(tasks), hemisphere, instant, recorders
        self.observe: Callable[[int, int], None] = _nobody
        self.flush: Callable[[], None] = _nowhere
        self.began = 0.0
        self._recipes = {task.same_id: parse(task.kernel) for task in tasks}
        self._random = Generator(random[None])
        self._states = {number: state_arrays(recipe, 1) for number, recipe in self._recipes.items()}
        self._evaluators = [
            Evaluator(self._recipes[t.same_id], t.views, t.neurons, t.observables, hemisphere, self._states[t.same_id], self._random) for t in tasks
        ]
        self._now_runs: Evaluator | None = None
        self._weights, self._labels = np.zeros((ROWS, COLUMNS), np.uint8), np.zeros((ROWS, COLUMNS), np.uint8)
        self._sensors = np.zeros((2, ROWS, COLUMNS), np.uint8)
        self._valid = np.zeros((2, ROWS), bool)
        self._counts, self._readings = np.zeros((2, COLUMNS), np.uint8), np.zeros(COLUMNS, np.uint8)
        self._asked = np.zeros(0, np.int64)
        self._noted: list[tuple[int, Numbers, NDArray[np.float64], NDArray[np.uint8]]] = []
        self._written: tuple[Recorder, int] | None = None
        self._parts: dict[tuple[str, int | None], NDArray[Any]] = {}
        self._buffers: dict[int, tuple[NDArray[np.uint8], dict[tuple[str, int | None], NDArray[Any]], NDArray[Any]]] = {}

    def boot(self, port: ChipPort) -> MemoryUse:
        """Lay out the records, and check that the states fit into a processor's memory."""
        use = MemoryUse(sum(state.bytes for recipe in self._recipes.values() for state in recipe.states), 0)
        if use.total > use.limit:
            raise KernelMemoryError(
                f"the states of the rules {[k.name for k in self.kernels.values()]} take {use.total} bytes; a processor has {use.limit} besides its mailbox. "
                "Keep fewer rows, or rows of 8 bit."
            )
        for number, recorder in self.recorders.items():
            self._buffers[number] = lay_out(recorder)
        return use

    def load_planes(self, port: ChipPort) -> None:
        """Take over weights and labels from the chip."""
        self._weights[...] = port.read("synapse_weight", (self.hemisphere,))
        self._labels[...] = port.read("synapse_label", (self.hemisphere,))

    def serve(self, port: ChipPort) -> None:
        """Answer the rules' looks at this moment of the chip from now on."""
        self.load_planes(port)
        self._valid[...] = False

        def observe(view: int, row: int) -> None:
            self.carry_out(port, self.actions())
            self.look(port, view, row)

        self.observe = observe

    def invoke(self, task: int, cycles: float, period: int, fuel: int) -> None:
        """Carry out the rule of a task; the arguments are those of a kernel's. A rule always comes to an end, so `fuel` is not looked at."""
        what = self.tasks[task]
        recorder = self.recorders.get(what.same_id)
        self.began = cycles
        self._now_runs = self._evaluators[task]
        if recorder is not None:
            self._written = recorder, period
            self._parts = self._buffers[what.same_id][1]
            self._exchange(Recorder.load)
            self._buffers[what.same_id][2][...] = int(cycles)
        if self.notes is not None:
            self.notes.planes = {"weights": self._weights.copy(), "labels": self._labels.copy()}
        self._now_runs.invoke(self, cycles, not self.instant)
        if recorder is not None:
            self._exchange(Recorder.store)
            self._written = None

    def _exchange(self, copy: Callable[[Recorder, int, NDArray[np.uint8]], None]) -> None:
        if self._written is not None:
            recorder, period = self._written
            copy(recorder, period, self._buffers[recorder.kernel.number][0])

    def _look(self, view: int, row: int) -> None:
        self._exchange(Recorder.store)
        self.observe(view, row)
        self._exchange(Recorder.load)

    def moment(self) -> float:
        """Return the processor's time, cycles, after everything that it did so far."""
        return self.began if self.instant or self._now_runs is None else self._now_runs.clock

    def _now_instant(self) -> bool:
        return self.instant

    def actions(self) -> Actions:
        """Return what was done since the last time, by its time."""
        noted, self._noted = self._noted, []
        if not noted:
            return Actions(np.empty(0, np.uint32), np.empty(0, np.uint32), np.empty(0), np.empty((0, COLUMNS), np.uint8))
        kind = np.concatenate([np.full(len(rows), what, np.uint32) for what, rows, _, _ in noted])
        place, cycles, values = (np.concatenate([one[k] for one in noted]) for k in (1, 2, 3))
        if self.instant:
            return Actions(kind, place.astype(np.uint32), np.full(len(kind), self.began), values)
        order = np.argsort(cycles, kind="stable")
        return Actions(kind[order], place[order].astype(np.uint32), cycles[order], values[order])

    def look(self, port: ChipPort, view: int, row: int) -> None:
        """Put what a rule wants to see where it looks."""
        if view in (COUNTERS, COUNTERS_AND_RESET):
            shown, overflow = port.read_counters()
            self._counts[...] = np.where(overflow > 0, np.uint8(255), shown).reshape(2, COLUMNS)
            if view == COUNTERS_AND_RESET:
                port.reset_counters(self._asked)
        elif view == NEURONS:
            self._readings[...] = port.read_neurons(self.hemisphere)
        elif self.instant and not self._valid[view].any():
            self._sensors[view] = port.read(READS[view], (self.hemisphere,))
            self._valid[view] = True
        else:
            self._sensors[view, row] = port.read(READS[view], (self.hemisphere, row))
            self._valid[view, row] = True

    def mail(self) -> str:
        """Return what the rules have written into the mailbox: nothing."""
        return ""

    # ---- What a rule reads and does (neckar.ppu._evaluate.Side)

    def read(self, plane: str, rows: Numbers) -> Row:
        """Return rows of weights or labels, shape (1, row, column)."""
        if self.notes is not None:
            self._note(plane, rows, self.notes.planes[plane][rows])
        return self._plane(plane)[rows][None]

    def _note(self, what: str, numbers: Numbers, values: NDArray[np.uint8]) -> None:
        """Note what is read, if somebody traces the invocation."""
        if self.notes is not None:
            self.notes.add(self.notes.read, what, numbers, values.copy())

    def _plane(self, plane: str) -> NDArray[np.uint8]:
        return self._weights if plane == "weights" else self._labels

    def write(self, plane: str, rows: Numbers, columns: Numbers, values: Row, cycles: NDArray[np.float64]) -> None:
        """Write columns of rows at their times."""
        now = self._plane(plane)
        part = np.broadcast_to(values[0] & np.uint8(0x3F), (len(rows), COLUMNS))
        if len(columns) == COLUMNS:
            now[rows] = part
        else:
            now[rows[:, None], columns] = part[:, columns]
        self._noted.append((_OTHERS[plane], rows, cycles, part if self.instant else now[rows]))

    def sense(self, which: int, rows: Numbers) -> Row:
        """Return readings of sensors, shape (1, row, column)."""
        for row in rows.tolist():
            if not (self.instant and self._valid[which, row]):
                self._look((CAUSAL, ACAUSAL)[which], row)
        found = self._sensors[which, rows]
        self._note(SENSED[which], rows, found)
        return found[None]

    def reset_sensors(self, rows: Numbers, columns: Numbers, cycles: NDArray[np.float64]) -> None:
        """Empty sensors at their times."""
        mask = np.zeros((len(rows), COLUMNS), np.uint8)
        mask[:, columns] = 1
        self._valid[:, rows] = False
        self._noted.append((SENSORS, rows, cycles, mask))

    def count(self, hemisphere: int, columns: Numbers, reset: bool) -> Row:
        """Return spike counters, shape (1, 1, column), and reset them."""
        self._asked = hemisphere * COLUMNS + columns
        self._look(COUNTERS_AND_RESET if reset else COUNTERS, 0)
        found = np.zeros((1, 1, COLUMNS), np.uint8)
        found[0, 0, columns] = self._counts[hemisphere, columns]
        self._note("counters", self._asked, self._counts[hemisphere, columns])
        if reset and self.notes is not None:
            self.notes.add(self.notes.reset, "counters", self._asked, np.ones(len(columns), bool))
        return found

    def read_neurons(self) -> Row:
        """Return readings of the membranes, shape (1, 1, column)."""
        self._look(NEURONS, 0)
        self._note("causal", np.array([0]), self._readings[None].copy())
        return self._readings[None, None].copy()

    def record(self, name: str, view: int | None, place: Numbers, values: Row) -> None:
        """Store values in the record under way."""
        part = self._parts[name, view]
        if view is None:
            part[place] = values[0, 0, 0]
            return
        assert self._now_runs is not None
        stored = self._now_runs.recorded(name, view, place, values[0])
        if self._now_runs.is_whole(name):  # even columns first
            stored = np.concatenate([stored[..., 0::2], stored[..., 1::2]], axis=-1)
        part[place if len(place) else 0] = stored if len(place) else stored[0]


def state_arrays(recipe: Recipe, chips: int) -> dict[str, Row]:
    """Return the states of a rule at first, shape (chip, row, column) each."""
    return {state.name: np.full((chips, state.rows, COLUMNS), state.initial, state.kind) for state in recipe.states}


def lay_out(recorder: Recorder) -> tuple[NDArray[np.uint8], dict[tuple[str, int | None], NDArray[Any]], NDArray[Any]]:
    """Return a record's memory, its parts by observable and view, shape (row, element) each (arrays: (element,)), and its time."""
    kernel = recorder.kernel
    views = [(name, one, v, shape) for name, one in kernel.observables for v, shape in enumerate(recorder.shapes(one))]
    parts = [(name, None if isinstance(one.shape, int) else v, one.type, shape) for name, one, v, shape in views]
    offsets, end = [0], 8
    for _, _, kind, shape in parts:
        offsets.append(end)
        end += -(-int(np.prod(shape)) * np.dtype(kind).itemsize // 8) * 8
    table = [0, end, *offsets]
    recorder.learn_layout(lambda i: table[i])
    memory = np.zeros(end, np.uint8)
    found: dict[tuple[str, int | None], NDArray[Any]] = {}
    for (name, view, kind, shape), offset in zip(parts, offsets[1:], strict=True):
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        part = memory[offset : offset + size].view(np.dtype(kind).newbyteorder("<")).reshape(shape)
        found[name, view] = part[None] if view is not None and len(shape) == 1 else part
    return memory, found, memory[:8].view("<i8")


def _nobody(*_: int) -> None:
    raise AssertionError("a rule looks at the chip while nothing is connected")


def _nowhere() -> None:
    pass
