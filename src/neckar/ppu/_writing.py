"""Writing down a rule in Python: the steps, the blocks of its loops, and where in the user's code something went wrong."""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from neckar.errors import RuleError, RuleNameError, nearest
from neckar.ppu._recipe import EACH, ROWS, Step
from neckar.program import Observable

if TYPE_CHECKING:
    from neckar.ppu._rule import State

_HERE = os.path.dirname(__file__)
_SHOWN = 60  # letters of a value in a message


@dataclass(eq=False)
class Block:
    """Steps that are being written down: the rule's own, or the body of a loop."""

    op: str = ""
    binds: list[tuple[str, str]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    constants: dict[tuple[str, int], str] = field(default_factory=dict)
    joined: list[object] = field(default_factory=list)  # the other iterators that go through this round, in zip


class Writer:
    """Writes down one rule."""

    def __init__(self, name: str, observables: Mapping[str, Observable], states: Mapping[str, State], file: str = "") -> None:
        self.name, self.observables, self.file = name, observables, file
        self.states = {id(state): name for name, state in states.items()}
        self.blocks = [Block()]
        self.made = 0

    def name_of(self, letter: str) -> str:
        """Return the next name."""
        self.made += 1
        return f"{letter}{self.made - 1}"

    def add(self, op: str, kind: str = "", args: tuple[str | int, ...] = (), letter: str = "") -> str:
        """Write down a step and return what it makes."""
        out = self.name_of(letter) if letter else ""
        self.blocks[-1].steps.append(Step(op, out, kind, args))
        return out

    def constant(self, kind: str, value: int) -> str:
        """Return a row of one value, which is written down once for all blocks that see it."""
        for block in self.blocks:
            if (kind, value) in block.constants:
                return block.constants[kind, value]
        name = self.blocks[-1].constants[kind, value] = self.add("const", kind, (value,), "v")
        return name

    def open(self, op: str) -> Block:
        """Begin the body of a loop."""
        block = Block(op)
        self.blocks.append(block)
        return block

    def close(self, block: Block) -> Step:
        """End the body of a loop and return the loop."""
        if self.blocks[-1] is not block:
            raise self.left(block)
        self.blocks.pop()
        return Step(block.op, binds=tuple(block.binds), body=tuple(block.steps))

    def left(self, block: Block) -> RuleError:
        """Return an exception about a loop that did not go to its end, inside of another."""
        return self.error(f"a loop inside of a loop over {spoken(block.op)} was left with break or return; loops go to their end. Choose with where().")

    def error(self, text: str, kind: type[RuleError] = RuleError) -> RuleError:
        """Return an exception that says where in the user's code it comes from: in the file of ``update``, not in a library that it calls."""
        frames = list(_callers(sys._getframe(1)))
        frame = next((one for one in frames if one.f_code.co_filename == self.file), None)
        frame = frame or next((one for one in frames if os.path.dirname(one.f_code.co_filename) != _HERE), frames[-1])
        return kind(f"rule {self.name}, line {frame.f_lineno} of {os.path.basename(frame.f_code.co_filename)}: {text}")


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


WRITER: ContextVar[Writer | None] = ContextVar("neckar_rule", default=None)


def current() -> Writer:
    """Return who writes the rule down whose ``update`` runs."""
    writer = WRITER.get()
    if writer is None:
        raise RuleError("rows of a rule were used outside of its update(); they exist only while update() is written down. Calculate there.")
    return writer


def spoken(op: str) -> str:
    """Return what a loop goes through."""
    return {EACH: "views", ROWS: "rows"}.get(op, "the rule")


class Symbol:
    """Something that exists in a block of a rule only."""

    _what: ClassVar[str] = "value"
    _remedy: ClassVar[str] = "Rows of numbers calculate: those of weights, sensors, counters and States."

    def __init__(self, name: str, block: Block) -> None:
        self._name, self._block = name, block

    def _here(self) -> str:
        """Return the name, if this is a place where it is known."""
        writer = current()
        if self._block not in writer.blocks:
            loop = spoken(self._block.op)
            raise writer.error(
                f"a {self._what} that was made in a loop over {loop} is used after that round; each round of a loop starts anew, and nothing is carried "
                "to the next round or out of the loop. Keep what is to stay in a State."
            )
        return self._name

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        known = [one for one in dir(type(self)) if not one.startswith("_")]
        has = f"It has {', '.join(known)}." if known else self._remedy
        raise current().error(f"a {self._what} has no {name!r}{nearest(name, known)} {has}", RuleNameError)

    def __bool__(self) -> bool:
        raise current().error(
            f"a Python if, and, or, not, min or max asks whether a {self._what} is true; its elements differ, and are not known while update() is written "
            "down. Choose with where(condition, a, b); combine conditions with & | ~, also instead of 0 < a < 9."
        )

    def __iter__(self) -> Iterator[Any]:
        raise current().error(f"a Python loop goes through a {self._what}; allowed are loops over views and over their rows. Calculate with whole rows.")

    def __getitem__(self, index: Any) -> Any:
        raise current().error(f"a part of a {self._what} was asked for with {shown(index)}; it is not taken apart by numbers. {self._remedy}")

    def __setitem__(self, index: Any, value: Any) -> None:
        raise current().error(f"a part of a {self._what} was to be set; it does not change so. {self._remedy}")

    def _calculate(self, *_: object) -> Any:
        raise current().error(f"a {self._what} was to calculate or to be compared; it has no numbers. {self._remedy}")

    if not TYPE_CHECKING:  # what has no operator says so
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = __rmatmul__ = __truediv__ = __rtruediv__ = __floordiv__ = _calculate
        __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = __and__ = __rand__ = _calculate
        __or__ = __ror__ = __xor__ = __rxor__ = __neg__ = __pos__ = __invert__ = __abs__ = __int__ = __float__ = __index__ = _calculate
        __lt__ = __gt__ = __le__ = __ge__ = _calculate

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise current().error(f"numpy was to make an array of a {self._what}, {_NUMPY}")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **others: Any) -> Any:
        """Let a number of numpy on the left leave its operation to us, and refuse functions of numpy."""
        reflected = _REFLECTED.get(ufunc.__name__)
        if method == "__call__" and reflected and len(inputs) == 2 and not others and not isinstance(inputs[0], Symbol):
            left = inputs[0]
            return getattr(self, reflected)(left[()] if isinstance(left, np.ndarray) and left.ndim == 0 else left)  # comparisons make arrays of numbers
        raise current().error(f"{ufunc.__name__} of numpy was asked for with a {self._what}, {_NUMPY}")

    __hash__ = None  # type: ignore[assignment]


_NUMPY = "whose numbers are not known while update() is written down. Use + - * << >> **, and where() of neckar.ppu: where(a > b, a, b) is the greater one."
_REFLECTED = {
    "add": "__radd__", "subtract": "__rsub__", "multiply": "__rmul__", "matmul": "__rmatmul__", "divide": "__rtruediv__", "true_divide": "__rtruediv__",
    "floor_divide": "__rfloordiv__", "remainder": "__rmod__", "power": "__rpow__", "left_shift": "__rlshift__", "right_shift": "__rrshift__",
    "bitwise_and": "__rand__", "bitwise_or": "__ror__", "bitwise_xor": "__rxor__", "less": "__gt__", "greater": "__lt__", "less_equal": "__ge__",
    "greater_equal": "__le__", "equal": "__eq__", "not_equal": "__ne__",
}  # fmt: skip


def shown(value: object) -> str:
    """Return how a message names a value."""
    if isinstance(value, Symbol):
        return f"a {value._what}"
    text = " ".join(repr(value).split())
    return f"{text if len(text) <= _SHOWN else f'{text[:_SHOWN]}...'} of type {type(value).__name__}"


def plain_int(value: object) -> int | None:
    """Return a plain integer, or None."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        return None
    return operator.index(value)


def known_int(value: object, what: str, low: int, high: int) -> int:
    """Return an integer of a range, or say what was asked for."""
    number = plain_int(value)
    if number is None or not low <= number <= high:
        raise current().error(f"{what} with {shown(value)} was asked for; allowed are integers from {low} to {high}. Give a number that is known beforehand.")
    return number


def rounds(op: str, over: str, letter: str) -> Iterator[tuple[str, Block]]:
    """Return the name of what a loop goes through, twice: the second round must do what the first did."""
    writer = current()
    top = writer.blocks[-1]
    if top.op == op and not top.steps:  # zip
        myself = object()
        for again in (False, True):
            block = writer.blocks[-1]
            if block.op != op or block.steps or over in [bound for bound, _ in block.binds] or (again and block is top):
                raise writer.error(f"a loop over {spoken(op)} stands in a loop over {spoken(op)}; allowed is one. Go through both together: zip(a, b).")
            if op == ROWS and not all("[" in bound for bound in (over, block.binds[0][0])):
                raise writer.error("rows of several views are gone through together; allowed are views by number. Write zip(synapses[0], synapses[1]).")
            block.binds.append((over, writer.name_of(letter)))
            block.joined.append(myself)
            yield block.binds[-1][1], block
        return
    if any(block.op in (op, ROWS) for block in writer.blocks):
        raise writer.error(f"a loop over {spoken(op)} stands in a loop over {spoken(top.op)}; allowed are views, and in them rows. Loop one after the other.")
    written: list[Step] = []
    joined: list[list[object]] = []
    begin = writer.made
    for _ in range(2):
        writer.made = begin
        block = writer.open(op)
        block.binds.append((over, writer.name_of(letter)))
        yield block.binds[0][1], block
        written.append(writer.close(block))
        joined.append(block.joined)
    if joined[0] != joined[1]:  # zip goes on with its iterators; a loop inside that is left and entered again begins with new ones
        raise writer.left(block)
    if written[0] != written[1]:
        raise writer.error(
            f"a loop over {spoken(op)} does something else in its second round; it is written down once for all rounds. Do not count or change "
            "things of Python in it."
        )
    if not written[0].body:
        raise writer.error(
            f"a loop over {spoken(op)} does nothing; it is written down for all of them at once, and Python does not learn how many there are, for instance "
            "with list() or len(). Calculate in the loop, or leave it out."
        )
    writer.blocks[-1].steps.append(written[0])
