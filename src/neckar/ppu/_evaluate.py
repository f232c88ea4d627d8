"""A rule in Python, computed with numpy: all rows of a loop at once, and all chips at once.

A loop over rows is one pass over arrays unless its rounds depend on each other: a state that one round leaves to the next, or, where time passes, a look at
the chip between two rounds. Then it is one pass per row. The bits are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neckar.facts.ppu_brainscales2 import BUS_CYCLES, CONVERSION_CYCLES, CYCLES_PER_INSTRUCTION, REGISTER_CYCLES
from neckar.ppu import _rows
from neckar.ppu._exchange import COLUMNS
from neckar.ppu._recipe import EACH, ELEMENT, ROWS, Recipe, Step
from neckar.ppu._rows import WIDTH, Generator, Row
from neckar.program import NeuronView, Observable, PlasticityView

Numbers = NDArray[np.int64]

_ROW_CYCLES = 2 * float(REGISTER_CYCLES.value)
LOOKS = frozenset({"get_causal_correlation", "get_acausal_correlation", "get_rate_counters", "get_rate_counters_and_reset", "get_analog_readouts"})
_SENSORS = frozenset({"get_causal_correlation", "get_acausal_correlation"})
_ARITHMETIC = {"add": _rows.add, "sub": _rows.subtract, "mul": _rows.multiply, "neg": _rows.negate, "left": _rows.shift_left, "right": _rows.shift_right,
               "pow": _rows.power, "contiguous": _rows.contiguous, "saturate_weight": _rows.saturate_weight}  # fmt: skip

INSTRUCTIONS = {
    "add": 32, "sub": 32, "mul": 130, "neg": 32, "left": 130, "right": 32, "pow": 130, "where": 96, "contiguous": 32, "saturate_weight": 64, "broadcast": 8,
    "element": 4, "set_state": 32, "round_stochastic": 208, "random": 112, "record_row": 126, "record_cells": 126, "record_array": 5, "set_weights": 50,
    "get_weights": -110, "reset_correlation": -12,
}  # fmt: skip
"""Instructions of the sandbox that a step of a generated kernel takes for a row of 8 bit, measured; one of 16 bit takes twice as many, other steps none.
Where fewer than the table of accesses holds for them, it is less than nothing."""

INSTRUCTIONS_PER_ROUND, INSTRUCTIONS_PER_COLUMN, INSTRUCTIONS_PER_COUNTER = 20, 35, 53

_PIECE = 1 << 16  # elements of a pass, which stay in the cache
_STEPS = 100  # of a loop; of a longer one a pass takes fewer rows, because more of them may be kept


class Side(Protocol):
    """What one processor reads and does, on so many chips at once; rows are physical ones, shape (row,)."""

    def read(self, plane: str, rows: Numbers) -> Row:
        """Return rows of ``weights`` or ``labels``, shape (chip, row, column)."""

    def write(self, plane: str, rows: Numbers, columns: Numbers, values: Row, cycles: NDArray[np.float64]) -> None:
        """Write columns of rows at their times."""

    def sense(self, which: int, rows: Numbers) -> Row:
        """Return what the converter reads of causal (0) or acausal (1) sensors now, shape (chip, row, column)."""

    def reset_sensors(self, rows: Numbers, columns: Numbers, cycles: NDArray[np.float64]) -> None:
        """Empty sensors at their times."""

    def count(self, hemisphere: int, columns: Numbers, reset: bool) -> Row:
        """Return spike counters now, 255 after an overflow, shape (chip, 1, column), 0 in other columns; and reset them."""

    def read_neurons(self) -> Row:
        """Return what the converter reads of the membranes now, shape (chip, 1, column)."""

    def record(self, name: str, view: int | None, place: Numbers, values: Row) -> None:
        """Store rows of a view (shape (chip, row, column)), of neurons (`place` empty), or, without a view, one element (chip, 1, 1)."""


class Evaluator:
    """A rule on one processor of some chips.

    Parameters
    ----------
    recipe : Recipe
    views : sequence of PlasticityView
    neurons : sequence of NeuronView
    observables : mapping of str to Observable
    hemisphere : int
    state : mapping of str to ndarray
        Rows that stay, shape (chip, row, column) each; shared by tasks of one rule.
    random : Generator
    """

    def __init__(
        self,
        recipe: Recipe,
        views: Sequence[PlasticityView],
        neurons: Sequence[NeuronView],
        observables: Mapping[str, Observable],
        hemisphere: int,
        state: Mapping[str, Row],
        random: Generator,
    ) -> None:
        self._recipe, self._views, self._neurons, self._observables, self._hemisphere = recipe, views, neurons, observables, hemisphere
        self._state, self._random = state, random
        self._rows = [np.array(view.rows, np.int64) for view in views]
        self._columns = [np.array(view.columns, np.int64) for view in views]
        self._cells = [np.array(view.columns, np.int64) for view in neurons]
        self.clock = 0.0
        self._stride, self._timed = 0.0, False
        self._values: dict[str, Row] = {}
        self._last = _last_uses(recipe.steps)
        self._bound: dict[str, Any] = {}  # views by number; rows as (view, numbers of rows)
        self._pool: tuple[list[Row], list[int]] | None = None

    def invoke(self, side: Side, clock: float, timed: bool) -> None:
        """Carry out the rule once.

        Parameters
        ----------
        side : Side
        clock : float
            Cycles at which it begins; :attr:`clock` goes on from there.
        timed : bool
            Whether it takes time.
        """
        self._side, self.clock, self._timed, self._stride = side, clock, timed, 0.0
        self._values, self._bound, self._pool = {}, {}, None
        self._run(self._recipe.steps)

    def _run(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if step.op == EACH:
                self._each(step)
            elif step.op == ROWS:
                self._loop(step)
            else:
                self._one(step)
            for name in self._last.get(id(step), ()):
                self._values.pop(name, None)

    def _spend(self, cycles: float, instructions: float = 0.0) -> None:
        self.clock += cycles + float(CYCLES_PER_INSTRUCTION.value) * instructions

    def _each(self, step: Step) -> None:
        mine: Sequence[PlasticityView | NeuronView] = self._views if step.binds[0][0] == "synapses" else self._neurons
        for k, view in enumerate(mine):
            if view.hemisphere == self._hemisphere:
                self._bound.update({name: k for _, name in step.binds})
                self._run(step.body)

    def _view(self, over: str) -> int:
        return int(over.partition("[")[2][:-1]) if "[" in over else self._bound[over]

    def _loop(self, step: Step) -> None:
        went = [(name, self._view(over)) for over, name in step.binds]
        number = len(self._rows[went[0][1]])
        if any(self._views[k].hemisphere != self._hemisphere for _, k in went):
            return
        if self._in_order(step, [k for _, k in went]):
            for i in range(number):
                self._bound.update({name: (k, np.array([i])) for name, k in went})
                self._spend(0, INSTRUCTIONS_PER_ROUND)
                self._run(step.body)
            return
        begin = self.clock
        self._bound.update({name: (k, np.arange(1)) for name, k in went})
        self._stride = self._cost(step)
        piece = max(1, _PIECE // (COLUMNS * len(self._random.state) * -(-len(step.body) // _STEPS)))
        for first in range(0, number, piece):
            numbers = np.arange(first, min(first + piece, number))
            self._bound.update({name: (k, numbers) for name, k in went})
            self._pool = None  # before there is a next one
            self._pool = self._drawn(step, len(numbers))
            self.clock = begin + first * self._stride
            self._spend(0, INSTRUCTIONS_PER_ROUND)
            self._run(step.body)
        self.clock, self._stride, self._pool = begin + number * self._stride, 0.0, None

    def _in_order(self, loop: Step, views: list[int]) -> bool:
        """Return whether the rounds of a loop over rows depend on each other."""
        rows = {name for _, name in loop.binds}
        physical = [row for k in views for row in self._views[k].rows]
        ops = [step.op for step in loop.body]
        if len(set(physical)) < len(physical) or {"seed", "record_array", "record_cells"} & set(ops):
            return True
        looks = set(ops) & LOOKS
        if looks and (self._timed or looks - _SENSORS):
            return True
        if looks and "reset_correlation" in ops and ops.index("reset_correlation") < max(n for n, op in enumerate(ops) if op in _SENSORS):
            return True
        written = {step.args[0] for step in loop.body if step.op == "set_state"}
        return any(step.args[1] not in rows for step in loop.body if step.op in ("get_state", "set_state") and step.args[0] in written)

    def _cost(self, loop: Step) -> float:
        """Return the cycles of one round of a loop without looks, or of one that takes no time."""
        kept = self.clock
        self.clock = 0.0
        self._spend(0, INSTRUCTIONS_PER_ROUND)
        for step in loop.body:
            self._charge(step)
        cost, self.clock = self.clock, kept
        return cost

    def _charge(self, step: Step) -> None:
        """Let the time of one step pass."""
        op, wide = step.op, 2 if step.kind and WIDTH[step.kind] == 16 else 1
        instructions = wide * INSTRUCTIONS.get(op, 0)
        cycles = 0.0
        if op in ("get_weights", "get_labels", "set_weights", "set_labels", "reset_correlation", "seed"):
            cycles = _ROW_CYCLES
        elif op in _SENSORS or op == "get_analog_readouts":
            cycles = float(CONVERSION_CYCLES.value)
        elif op.startswith("get_rate_counters"):
            number = len(self._cells[self._view(str(step.args[0]))])
            cycles, instructions = number * float(BUS_CYCLES.value) * (2 if op.endswith("reset") else 1), number * INSTRUCTIONS_PER_COUNTER
        elif op in ("random", "round_stochastic"):
            if op == "random" or 0 < int(step.args[1]) < WIDTH[step.kind]:
                cycles = sum(_rows.draws_of(op, step.kind)) * float(REGISTER_CYCLES.value)
        elif op == "pow":
            instructions *= max(int(step.args[1]) - 1, 0)
        elif op in ("record_row", "record_cells") and self._observables[str(step.args[0])].layout != "complete_rows":
            columns = self._columns[self._bound[str(step.args[1])][0]] if op == "record_row" else self._cells[self._view(str(step.args[1]))]
            instructions = INSTRUCTIONS_PER_COLUMN * len(columns)
        self._spend(cycles, instructions)

    def _drawn(self, loop: Step, number: int) -> tuple[list[Row], list[int]] | None:
        """Draw what some rounds of a loop need, of the even and of the odd columns, shape (chip, round, draw, 128); nothing of it is used."""
        steps = [step for step in loop.body if _draws(step)]
        if not steps:
            return None
        taken = [sum(_rows.draws_of(step.op, step.kind)[half] for step in steps) for half in (0, 1)]
        chips = len(self._random.state)
        return [self._random.draw(half, number * n).reshape(chips, number, n, COLUMNS // 2) for half, n in enumerate(taken)], [0, 0]

    def _take(self, half: int, number: int) -> Row:
        if self._pool is None:
            return self._random.draw(half, number)[:, None]
        drawn, used = self._pool
        used[half] += number
        return drawn[half][:, :, used[half] - number : used[half]]

    def _cycles(self, number: int) -> NDArray[np.float64]:
        """Return when each round does what is done now."""
        return np.asarray(self.clock + self._stride * np.arange(number), np.float64)

    def _one(self, step: Step) -> None:
        op, args = step.op, step.args
        if op.startswith("get_") and op != "get_state":
            self._values[step.out] = self._read(step)
            return
        if op == "record_cells" and self._neurons[self._view(str(args[1]))].hemisphere != self._hemisphere:
            return  # the other processor's, which takes no time here
        self._charge(step)
        if step.out:
            self._values[step.out] = self._computed(step)
        elif op == "set_state":
            self._state[str(args[0])][:, self._index(args[1])] = self._values[str(args[2])]
        elif op == "seed":
            self._random.seed(self._values[str(args[0])])
        elif op == "record_array":
            self._side.record(str(args[0]), None, np.array([args[1]]), self._values[str(args[2])])
        elif op == "record_cells":
            self._side.record(str(args[0]), self._view(str(args[1])), np.empty(0, np.int64), self._values[str(args[2])])
        else:
            self._do(step)

    def _do(self, step: Step) -> None:
        """Do something to rows of a view."""
        op, args = step.op, step.args
        view, numbers = self._bound[str(args[1] if op == "record_row" else args[0])]
        rows, columns = self._rows[view][numbers], self._columns[view]
        if op == "record_row":
            self._side.record(str(args[0]), view, numbers, self._values[str(args[2])])
        elif op == "reset_correlation":
            self._side.reset_sensors(rows, columns, self._cycles(len(rows)))
        else:
            self._side.write(op[4:], rows, columns, self._values[str(args[1])], self._cycles(len(rows)))

    def _read(self, step: Step) -> Row:
        """Look at the chip."""
        op, place = step.op, str(step.args[0])
        if place.startswith("r"):
            view, numbers = self._bound[place]
            rows = self._rows[view][numbers]
            if op in _SENSORS:
                self._spend(_ROW_CYCLES)
                found = self._side.sense(int(op == "get_acausal_correlation"), rows)
            else:
                found = self._side.read(op[4:], rows)
            self._charge(step)
            return found
        view = self._view(place)
        if self._neurons[view].hemisphere != self._hemisphere:
            return _rows.constant("uint8", 0)
        if op == "get_analog_readouts":
            self._spend(_ROW_CYCLES)
            found = self._side.read_neurons()
        else:
            found = self._side.count(self._neurons[view].hemisphere, self._cells[view], op.endswith("reset"))
        self._charge(step)
        return found

    def is_whole(self, name: str) -> bool:
        """Return whether an observable stores all columns."""
        return self._observables[name].layout == "complete_rows"

    def recorded(self, name: str, view: int, place: Numbers, values: Row) -> Row:
        """Return recorded rows with the columns that are stored: all, or those of their view."""
        whole = np.broadcast_to(values, (*values.shape[:-1], COLUMNS))
        if self.is_whole(name):
            return whole
        return np.asarray(whole[..., self._columns[view] if len(place) else self._cells[view]])

    def _index(self, index: str | int) -> Any:
        return self._bound[index][1] if isinstance(index, str) else slice(index, index + 1)

    def _computed(self, step: Step) -> Row:
        op, args, kind = step.op, step.args, step.kind
        if op == "const":
            return _rows.constant(kind, int(args[0]))
        if op == "get_state":
            return np.array(self._state[str(args[0])][:, self._index(args[1])])
        if op == "random":
            return _rows.random_rows(kind, *(self._take(half, n) for half, n in enumerate(_rows.draws_of(op, kind))))
        if op == "where":
            mask, a, b = (self._values[str(args[n])] for n in (0, 2, 3))
            return _rows.choose(mask, str(args[1]), a, b)
        first = self._values[str(args[0])]
        if op == ELEMENT:
            return first[..., int(args[1]) % first.shape[-1] : int(args[1]) % first.shape[-1] + 1]
        if op == "broadcast":
            return first
        if op == "convert":
            return _rows.convert(first, kind)
        if op == "round_stochastic":
            return self._rounded(step, first)
        return _ARITHMETIC[op](first, *(self._values[a] if isinstance(a, str) else a for a in args[1:]))  # type: ignore[operator]

    def _rounded(self, step: Step, row: Row) -> Row:
        bits = int(step.args[1])
        if not _draws(step):
            return row if bits == 0 else np.zeros_like(row)
        return _rows.round_stochastic(row, bits, _rows.rounding_rows(step.kind, self._take(0, _rows.draws_of(step.op, step.kind)[0])))


def _draws(step: Step) -> bool:
    return step.op == "random" or (step.op == "round_stochastic" and 0 < int(step.args[1]) < WIDTH[step.kind])


def _last_uses(steps: Sequence[Step]) -> dict[int, list[str]]:
    """Return what nobody needs any more after a step, by the step's id."""
    found: dict[int, list[str]] = {}
    last: dict[str, Step] = {}
    for step in steps:
        if step.out:
            last[step.out] = step
        for name in _used(step):
            if name in last:
                last[name] = step
        found.update(_last_uses(step.body))
    for name, step in last.items():
        found.setdefault(id(step), []).append(name)
    return found


def _used(step: Step) -> Iterator[str]:
    yield from (argument for argument in step.args if isinstance(argument, str))
    for one in step.body:
        yield from _used(one)
