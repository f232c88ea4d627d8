"""Rules in Python: rows that are only written down, so that a rule is executed once and becomes data.

``update`` gets views of synapses and neurons whose rows hold no numbers. Whatever it does with them becomes a step of a recipe
(:mod:`neckar.ppu._recipe`), from which numpy computes on the virtual chip and C++ is generated for the real one. So Python's own decisions (``if``, loops over
numbers, attributes of the rule) are made once, when the rule is written down; decisions about elements are made with :func:`where`, and loops over views and
rows stand for the processor's loops.
"""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, ClassVar, NoReturn, TypeVar

import numpy as np

from neckar.errors import RuleError, RuleNameError, nearest
from neckar.ppu import _rows
from neckar.ppu._cpp import kernel_text
from neckar.ppu._exchange import COLUMNS
from neckar.ppu._recipe import EACH, ELEMENT, KINDS, MAX_POWER, MAX_SHIFT, ROWS, WIDTH, Recipe, StateRows, Step, check_name, is_convertible, range_of
from neckar.program import Observable

_HERE = os.path.dirname(__file__)
_OPPOSITE = {
    "greater": "lesser_equal", "lesser_equal": "greater", "lesser": "greater_equal", "greater_equal": "lesser", "equal": "unequal", "unequal": "equal",
}  # fmt: skip


@dataclass(eq=False)
class _Block:
    """Steps that are being written down: the rule's own, or the body of a loop."""

    op: str = ""
    binds: list[tuple[str, str]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    constants: dict[tuple[str, int], str] = field(default_factory=dict)


class _Writer:
    """Writes down one rule."""

    def __init__(self, name: str, observables: Mapping[str, Observable], states: Mapping[str, State]) -> None:
        self.name, self.observables = name, observables
        self.states = {id(state): name for name, state in states.items()}
        self.blocks = [_Block()]
        self.made = 0

    def name_of(self, letter: str) -> str:
        self.made += 1
        return f"{letter}{self.made - 1}"

    def add(self, op: str, kind: str = "", args: tuple[str | int, ...] = (), letter: str = "") -> str:
        """Write down a step and return what it makes."""
        out = self.name_of(letter) if letter else ""
        self.blocks[-1].steps.append(Step(op, out, kind, args))
        return out

    def constant(self, kind: str, value: int) -> str:
        for block in self.blocks:
            if (kind, value) in block.constants:
                return block.constants[kind, value]
        name = self.blocks[-1].constants[kind, value] = self.add("const", kind, (value,), "v")
        return name

    def open(self, op: str) -> _Block:
        block = _Block(op)
        self.blocks.append(block)
        return block

    def close(self, block: _Block) -> Step:
        if self.blocks[-1] is not block:
            raise self.error(f"a loop inside of a loop over {_spoken(block.op)} was left with break or return; loops go to their end. Choose with where().")
        self.blocks.pop()
        return Step(block.op, binds=tuple(block.binds), body=tuple(block.steps))

    def error(self, text: str, kind: type[RuleError] = RuleError) -> RuleError:
        """Return an exception that says where in the user's code it comes from."""
        frame: FrameType = sys._getframe(1)
        while frame.f_back is not None and os.path.dirname(frame.f_code.co_filename) == _HERE:
            frame = frame.f_back
        return kind(f"rule {self.name}, line {frame.f_lineno} of {os.path.basename(frame.f_code.co_filename)}: {text}")


_WRITER: ContextVar[_Writer | None] = ContextVar("neckar_rule", default=None)


def _writer() -> _Writer:
    writer = _WRITER.get()
    if writer is None:
        raise RuleError("rows of a rule were used outside of its update(); they exist only while update() is written down. Calculate there.")
    return writer


def _spoken(op: str) -> str:
    return {EACH: "views", ROWS: "rows"}.get(op, "the rule")


class _Symbol:
    """Something that exists in a block of a rule only."""

    _what: ClassVar[str] = "value"

    def __init__(self, name: str, block: _Block) -> None:
        self._name, self._block = name, block

    def _here(self) -> str:
        """Return the name, if this is a place where it is known."""
        writer = _writer()
        if self._block not in writer.blocks:
            loop = _spoken(self._block.op)
            raise writer.error(
                f"a {self._what} that was made in a loop over {loop} is used after that round; each round of a loop starts anew, and nothing is carried "
                "to the next round or out of the loop. Keep what is to stay in a State."
            )
        return self._name

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        known = [one for one in dir(type(self)) if not one.startswith("_")]
        raise _writer().error(f"a {self._what} has no {name!r}{nearest(name, known)} It has {', '.join(known) or 'nothing'}.", RuleNameError)

    def __bool__(self) -> bool:
        raise _writer().error(
            f"a Python if, and, or, not, min or max asks whether a {self._what} is true; its elements differ, and are not known while update() is written "
            "down. Choose with where(condition, a, b); combine conditions with & | ~."
        )

    def __iter__(self) -> Iterator[Any]:
        raise _writer().error(f"a Python loop goes through a {self._what}; allowed are loops over views and over their rows. Calculate with whole rows.")

    __hash__ = None  # type: ignore[assignment]
    __array_ufunc__ = None  # numbers of numpy leave the operation to us


class Condition(_Symbol):
    """A comparison of rows, for :func:`where`; combined with ``& | ~``."""

    _what = "condition"

    def __init__(self, op: str, *parts: Any) -> None:
        self._op, self._parts = op, parts

    def __and__(self, other: Condition) -> Condition:
        return Condition("and", self, _condition(other))

    def __or__(self, other: Condition) -> Condition:
        return Condition("or", self, _condition(other))

    def __invert__(self) -> Condition:
        return Condition("not", self)

    def _kind(self) -> str:
        return str(self._parts[2]) if self._op == "test" else self._parts[0]._kind()

    def _choose(self, a: Row, b: Row) -> Row:
        if self._op == "and":
            return self._parts[0]._choose(self._parts[1]._choose(a, b), b)
        if self._op == "or":
            return self._parts[0]._choose(a, self._parts[1]._choose(a, b))
        if self._op == "not":
            return self._parts[0]._choose(b, a)
        mask, condition, _ = self._parts
        if WIDTH[mask.kind] < WIDTH[a.kind]:
            mask = (FracSat16 if mask.kind == "int8" else Mod16)(mask)  # keeps sign and zero
        if WIDTH[mask.kind] != WIDTH[a.kind]:
            raise _writer().error(f"where compares {KINDS[mask.kind]} and chooses {KINDS[a.kind]}; 16 bit do not choose 8 bit. Choose first, then convert.")
        return a._new("where", mask._here(), condition, a._here(), b._here())


def _condition(value: Any) -> Condition:
    if not isinstance(value, Condition):
        raise _writer().error(f"{_shown(value)} stands where a condition is needed. Compare a row, for instance row > 0; put brackets around comparisons.")
    return value


def _shown(value: object) -> str:
    return f"a {value._what}" if isinstance(value, _Symbol) else f"{value!r} of type {type(value).__name__}"


def _number(value: object) -> int | None:
    """Return a plain integer, or None."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        return None
    return operator.index(value)


R = TypeVar("R", bound="Row")


class Row(_Symbol):
    """256 elements, one per column. Its classes are :class:`Mod8`, :class:`FracSat8`, :class:`Mod16` and :class:`FracSat16`.

    Parameters
    ----------
    value : int, Row or Element
        An integer or an element for all columns, or a row that is converted: to the other sign with the same bits; to 16 bit and back, unsigned with the same
        number (the low byte), signed times 256 (the high byte).

    Raises
    ------
    RuleError
        If the number lies outside of the range, or there is no such conversion.
    """

    kind: ClassVar[str]
    _what = "row"
    _value: int | None

    def __init__(self, value: int | Row | Element) -> None:
        writer = _writer()
        number = _number(value)
        self._block = writer.blocks[-1]
        if number is not None:
            low, high = range_of(self.kind)
            if not low <= number <= high:
                raise writer.error(
                    f"{number} was asked for as an element of {type(self).__name__}; allowed are {low} to {high}. Take FracSat for negative "
                    "numbers, 16 bit for large ones."
                )
            self._value, self._name = number, ""
        elif isinstance(value, Row):
            self._value, self._name = None, self._converted(value, writer)
        elif isinstance(value, Element) and value._kind == self.kind:
            self._value, self._name = None, writer.add("broadcast", self.kind, (value._here(),), "v")
        else:
            shown = f"an element of {KINDS[value._kind]}" if isinstance(value, Element) else _shown(value)
            raise writer.error(
                f"a {type(self).__name__} was asked for of {shown}; allowed are integers, rows and elements of a {type(self).__name__}. Fractions are integers "
                "too: FracSat8(64) is 64/128."
            )

    def _converted(self, row: Row, writer: _Writer) -> str:
        if row.kind == self.kind:
            self._block = row._block
            return row._here()
        if not is_convertible(row.kind, self.kind):
            raise writer.error(
                f"a {KINDS[row.kind]} was to be converted to {KINDS[self.kind]}; a conversion changes width or sign, not both. Convert twice, over "
                f"{'Mod' if row.kind.startswith('u') else 'FracSat'}{WIDTH[self.kind]}."
            )
        return writer.add("convert", self.kind, (row._here(),), "v")

    @classmethod
    def _made(cls: type[R], name: str, block: _Block) -> R:
        made = object.__new__(cls)
        made._value, made._name, made._block = None, name, block
        return made

    def _here(self) -> str:
        if self._value is not None:
            return _writer().constant(self.kind, self._value)
        return super()._here()

    def _new(self: R, op: str, *args: str | int) -> R:
        writer = _writer()
        return type(self)._made(writer.add(op, self.kind, args, "v"), writer.blocks[-1])

    def _other(self: R, value: object, what: str) -> R:
        """Return the other operand as a row of the same kind."""
        if type(value) is type(self):
            return value
        mine = type(self).__name__
        if isinstance(value, Row):
            other = type(value).__name__
            raise _writer().error(f"{what} of {mine} and {other} was asked for; both must be of one kind. Convert one, for instance {mine}(row).")
        if isinstance(value, Element):
            raise _writer().error(f"{what} of a row and an element was asked for; elements do not calculate. Make a row of it: {mine}(element).")
        if _number(value) is None:
            raise _writer().error(f"{what} of {mine} and {_shown(value)} was asked for; allowed are rows and integers. Fractions are integers: 64 for 64/128.")
        return type(self)(value)  # type: ignore[arg-type]

    def __add__(self: R, other: R | int) -> R:
        return self._new("add", self._here(), self._other(other, "the sum")._here())

    def __radd__(self: R, other: int) -> R:
        return self._other(other, "the sum") + self

    def __sub__(self: R, other: R | int) -> R:
        return self._new("sub", self._here(), self._other(other, "the difference")._here())

    def __rsub__(self: R, other: int) -> R:
        return self._other(other, "the difference") - self

    def __mul__(self: R, other: R | int) -> R:
        return self._new("mul", self._here(), self._other(other, "the product")._here())

    def __rmul__(self: R, other: int) -> R:
        return self._other(other, "the product") * self

    def __neg__(self: R) -> R:
        return self._new("neg", self._here())

    def __lshift__(self: R, bits: int) -> R:
        return self._new("left", self._here(), _bits(bits, "a shift", -MAX_SHIFT, MAX_SHIFT))

    def __rshift__(self: R, bits: int) -> R:
        return self._new("right", self._here(), _bits(bits, "a shift", -MAX_SHIFT, MAX_SHIFT))

    def __pow__(self: R, exponent: int) -> R:
        return self._new("pow", self._here(), _bits(exponent, "a power", 0, MAX_POWER))

    def _refuse(self, *_: object) -> NoReturn:
        raise _writer().error(
            "a division, remainder or bit operation of rows was asked for; the vector unit has + - * << >> **. Shift, or multiply by a fraction."
        )

    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __and__ = __or__ = __xor__ = __rand__ = __ror__ = __rxor__ = _refuse
    __matmul__ = __invert__ = __abs__ = __int__ = __float__ = __index__ = __len__ = _refuse

    def _compared(self, other: Any, condition: str) -> Condition:
        if _number(other) == 0:
            return Condition("test", self, condition, self.kind)
        given = self._other(other, "a comparison")
        if condition in ("equal", "unequal") or not self.kind.startswith("u"):
            return Condition("test", self - given, condition, self.kind)  # a saturated difference keeps sign and zero
        return Condition("test", self.contiguous() - given.contiguous(), condition, self.kind)  # the order of unsigned rows

    def __gt__(self, other: Any) -> Condition:
        return self._compared(other, "greater")

    def __lt__(self, other: Any) -> Condition:
        return self._compared(other, "lesser")

    def __ge__(self, other: Any) -> Condition:
        return self._compared(other, "greater_equal")

    def __le__(self, other: Any) -> Condition:
        return self._compared(other, "lesser_equal")

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compared(other, "equal")

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compared(other, "unequal")

    __hash__ = None

    def __getitem__(self, column: int) -> Element:
        writer = _writer()
        number = _bits(column, "the element of a column", 0, COLUMNS - 1)
        return Element(writer.add(ELEMENT, self.kind, (self._here(), number), "s"), writer.blocks[-1], self.kind)

    def __setitem__(self, column: int, value: object) -> NoReturn:
        raise _writer().error("an element of a row was to be set; rows do not change. Choose with where().")

    def contiguous(self) -> Any:
        """Return offset binary as two's complement or back: the middle of the unsigned range is 0 (``convert_contiguous`` in C++)."""
        kind = self.kind[1:] if self.kind.startswith("u") else f"u{self.kind}"
        writer = _writer()
        return _CLASSES[kind]._made(writer.add("contiguous", kind, (self._here(),), "v"), writer.blocks[-1])


class Mod8(Row):
    """A row of unsigned elements of 8 bit, modulo 256."""

    kind = "uint8"


class FracSat8(Row):
    """A row of signed elements of 8 bit: sums saturate at -128 and 127, a product is floor(a b / 128)."""

    kind = "int8"


class Mod16(Row):
    """A row of unsigned elements of 16 bit, modulo 65536."""

    kind = "uint16"


class FracSat16(Row):
    """A row of signed elements of 16 bit: sums saturate at -32768 and 32767, a product is floor(a b / 32768)."""

    kind = "int16"


_CLASSES: dict[str, type[Row]] = {one.kind: one for one in (Mod8, FracSat8, Mod16, FracSat16)}
assert list(_CLASSES) == list(_rows.KINDS)


class Element(_Symbol):
    """One element of a row: can be recorded in an array, or become a row of its own, ``FracSat8(element)``."""

    _what = "element"

    def __init__(self, name: str, block: _Block, kind: str) -> None:
        super().__init__(name, block)
        self._kind = kind

    def _refuse(self, *_: object) -> NoReturn:
        raise _writer().error(f"an element of a row was to calculate; only rows do. Make a row of it: {KINDS[self._kind]}(element).")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __lt__ = __gt__ = __le__ = __ge__ = __neg__ = __int__ = __index__ = _refuse
    __eq__ = __ne__ = __truediv__ = __lshift__ = __rshift__ = _refuse
    __hash__ = None


def _bits(value: object, what: str, low: int, high: int) -> int:
    number = _number(value)
    if number is None or not low <= number <= high:
        raise _writer().error(f"{what} with {_shown(value)} was asked for; allowed are integers from {low} to {high}. Give a number that is known beforehand.")
    return number


def _row_of(cls: Any) -> type[Row]:
    if not (isinstance(cls, type) and issubclass(cls, Row) and cls is not Row):
        raise _writer().error(f"{cls!r} stands where a kind of rows is needed; allowed are {', '.join(KINDS.values())}. Give one of these classes.")
    return cls


def _is_row(row: Any, what: str, width: int | None = None) -> Row:
    if not isinstance(row, Row):
        raise _writer().error(f"{what} takes a row; asked for was {_shown(row)}. Make a row of it, for instance FracSat8(1).")
    if width is not None and WIDTH[row.kind] != width:
        raise _writer().error(f"{what} takes rows of {width} bit; asked for was a {type(row).__name__}. Convert it, for instance with FracSat{width}(row).")
    return row


def where(condition: Condition, a: Row | int, b: Row | int) -> Any:
    """Return, element by element, `a` where the condition holds and `b` elsewhere (``vector_if`` in C++).

    Parameters
    ----------
    condition : Condition
        A comparison of rows, or several combined with ``& | ~``.
    a, b : Row or int
        Of one kind; two integers become what was compared.

    Raises
    ------
    RuleError
        If the kinds differ, or rows of 16 bit are to choose between rows of 8 bit.
    """
    condition = _condition(condition)
    kind = next((type(one) for one in (a, b) if isinstance(one, Row)), _CLASSES[condition._kind()])
    first = a if isinstance(a, Row) else kind(a)
    return condition._choose(first, first._other(b, "a choice"))


def saturate_weight(row: R) -> R:
    """Return elements of 8 bit, taken as signed, brought to 0..63."""
    _is_row(row, "saturate_weight", 8)
    return row._new("saturate_weight", row._here())


def random_row(kind: type[R]) -> R:
    """Return a row of random numbers from the processor's generators: one new bit per element and draw, so that draws that follow each other are alike."""
    writer = _writer()
    cls = _row_of(kind)
    return cls._made(writer.add("random", cls.kind, (), "v"), writer.blocks[-1])  # type: ignore[return-value]


def round_stochastic(row: R, bits: int) -> R:
    """Return a row whose lowest bits are 0, rounded up with the probability (element mod 2^bits) / 2^bits, else down."""
    _is_row(row, "round_stochastic")
    return row._new("round_stochastic", row._here(), _bits(bits, "round_stochastic", 0, MAX_SHIFT))


def seed_random(row: Row) -> None:
    """Set the state of the random generators to the elements of a row of 8 bit; a generator with state 0 gives zeros."""
    _is_row(row, "seed_random", 8)
    _writer().add("seed", args=(Mod8(row)._here(),))


# ---- Views


class SynapseRow(_Symbol):
    """One row of a synapse view."""

    _what = "row of synapses"

    def _get(self, op: str) -> Mod8:
        writer = _writer()
        return Mod8._made(writer.add(op, "uint8", (self._here(),), "v"), writer.blocks[-1])

    def get_weights(self, kind: type[Row] = FracSat8) -> Any:
        """Return the weights, 0..63, of all 256 columns, as a row of 8 bit: FracSat8, or Mod8 if asked for."""
        cls = _row_of(kind)
        return cls(self._get("get_weights"))

    def set_weights(self, row: Row, saturate: bool = True) -> None:
        """Set the weights of the view's columns. Elements are brought to 0..63 as signed numbers, or, not saturated, give their lowest six bits."""
        _is_row(row, "set_weights", 8)
        _writer().add("set_weights", args=(self._here(), Mod8(saturate_weight(row) if saturate else row)._here()))

    def get_labels(self) -> Mod8:
        """Return the labels that the synapses of all 256 columns listen to, 0..63."""
        return self._get("get_labels")

    def set_labels(self, row: Row) -> None:
        """Set the labels of the view's columns to the lowest six bits of the elements."""
        _is_row(row, "set_labels", 8)
        _writer().add("set_labels", args=(self._here(), Mod8(row)._here()))

    def get_causal_correlation(self) -> Mod8:
        """Return what the CADC reads of the causal sensors; it falls from its baseline as correlation accumulates."""
        return self._get("get_causal_correlation")

    def get_acausal_correlation(self) -> Mod8:
        """Return what the CADC reads of the acausal sensors."""
        return self._get("get_acausal_correlation")

    def get_correlation(self, reset: bool) -> tuple[Mod8, Mod8]:
        """Return causal and acausal readings, and then, if asked for, empty the sensors of the view's columns."""
        found = self.get_causal_correlation(), self.get_acausal_correlation()
        if reset:
            self.reset_correlation()
        return found

    def reset_correlation(self) -> None:
        """Empty the sensors of the view's columns."""
        _writer().add("reset_correlation", args=(self._here(),))


class SynapseView(_Symbol):
    """Synapses of one hemisphere: a loop goes through its rows. The processor of the other hemisphere leaves it alone."""

    _what = "synapse view"

    def __iter__(self) -> Iterator[SynapseRow]:
        for name, block in _rounds(ROWS, self._here(), "r"):
            yield SynapseRow(name, block)


class NeuronView(_Symbol):
    """Neurons of one hemisphere. Only the processor of that hemisphere reads them; on the other the rows are 0."""

    _what = "neuron view"

    def get_rate_counters(self, reset: bool = False) -> Mod8:
        """Return the spikes counted since the last reset, 255 after an overflow; 0 in columns that do not belong to the view."""
        writer = _writer()
        op = "get_rate_counters_and_reset" if reset else "get_rate_counters"
        return Mod8._made(writer.add(op, "uint8", (self._here(),), "v"), writer.blocks[-1])

    def get_analog_readouts(self) -> Mod8:
        """Return what the CADC reads of the membranes of all 256 columns."""
        writer = _writer()
        return Mod8._made(writer.add("get_analog_readouts", "uint8", (self._here(),), "v"), writer.blocks[-1])


class Views(_Symbol):
    """All views of a rule: a loop goes through them, together with others in ``zip``; one is taken by its number."""

    _what = "list of views"

    def __init__(self, name: str, block: _Block, letter: str, cls: type[_Symbol]) -> None:
        super().__init__(name, block)
        self._letter, self._cls = letter, cls

    def __iter__(self) -> Iterator[Any]:
        for name, block in _rounds(EACH, self._here(), self._letter):
            yield self._cls(name, block)

    def __getitem__(self, number: int) -> Any:
        return self._cls(f"{self._name}[{_bits(number, 'a view', 0, 9999)}]", self._block)

    def __len__(self) -> int:
        raise _writer().error(
            "the number of views was asked for; it is not known before the network is placed. Loop over the views, or take one by its number."
        )


def _rounds(op: str, over: str, letter: str) -> Iterator[tuple[str, _Block]]:
    """Return the name of what a loop goes through, twice: the second round must do what the first did."""
    writer = _writer()
    top = writer.blocks[-1]
    if top.op == op and not top.steps:  # zip
        for again in (False, True):
            block = writer.blocks[-1]
            if block.op != op or block.steps or over in [bound for bound, _ in block.binds] or (again and block is top):
                raise writer.error(f"a loop over {_spoken(op)} stands in a loop over {_spoken(op)}; allowed is one. Go through both together: zip(a, b).")
            if op == ROWS and not all("[" in bound for bound in (over, block.binds[0][0])):
                raise writer.error("rows of several views are gone through together; allowed are views by number. Write zip(synapses[0], synapses[1]).")
            block.binds.append((over, writer.name_of(letter)))
            yield block.binds[-1][1], block
        return
    if any(block.op in (op, ROWS) for block in writer.blocks):
        raise writer.error(f"a loop over {_spoken(op)} stands in a loop over {_spoken(top.op)}; allowed are views, and in them rows. Loop one after the other.")
    written: list[Step] = []
    begin = writer.made
    for _ in range(2):
        writer.made = begin
        block = writer.open(op)
        block.binds.append((over, writer.name_of(letter)))
        yield block.binds[0][1], block
        written.append(writer.close(block))
    if written[0] != written[1]:
        raise writer.error(
            f"a loop over {_spoken(op)} does something else in its second round; it is written down once for all rounds. Do not count or change "
            "things of Python in it."
        )
    writer.blocks[-1].steps.append(written[0])


class State:
    """Rows that a rule keeps between invocations; every processor has its own. An attribute of a rule's class or of the rule.

    Parameters
    ----------
    kind : Mod8, FracSat8, Mod16 or FracSat16
    rows : int
        How many, 1 to 256. A processor has 12 KiB for all its rules; a row takes 256 or 512 bytes.
    initial : int
        All elements at first.

    Raises
    ------
    RuleError
        If a value lies outside of its range.
    """

    def __init__(self, kind: type[Row], rows: int = 1, initial: int = 0) -> None:
        if not (isinstance(kind, type) and issubclass(kind, Row) and kind is not Row):
            raise RuleError(f"a State of {kind!r} was asked for; allowed are {', '.join(KINDS.values())}. Give one of these classes.")
        low, high = range_of(kind.kind)
        if _number(rows) is None or not 1 <= rows <= 256:
            raise RuleError(f"a State of {rows!r} rows was asked for; allowed are 1 to 256. Give as many rows as the view has.")
        if _number(initial) is None or not low <= initial <= high:
            raise RuleError(f"a State of {kind.__name__} with {initial!r} at first was asked for; allowed are {low} to {high}. Give a smaller number.")
        self.kind, self.rows, self.initial = kind, int(rows), int(initial)

    def _place(self, index: object) -> tuple[str, str | int]:
        writer = _writer()
        name = writer.states.get(id(self))
        if name is None:
            raise writer.error("a State that is no attribute of the rule is used. Make it one, in the class or in __init__: h = State(FracSat16).")
        if isinstance(index, SynapseRow):
            return name, index._here()
        return name, _bits(index, f"a row of the state {name}", 0, self.rows - 1)

    def __getitem__(self, index: int | SynapseRow) -> Any:
        """Return a row by its number, or, given a row of a view, by the number of that row in its view."""
        place = self._place(index)
        writer = _writer()
        return self.kind._made(writer.add("get_state", self.kind.kind, place, "v"), writer.blocks[-1])

    def __setitem__(self, index: int | SynapseRow, value: Row | int) -> None:
        place = self._place(index)
        row = value if isinstance(value, Row) else self.kind(value)
        if row.kind != self.kind.kind:
            mine = self.kind.__name__
            raise _writer().error(f"the state {place[0]} holds {mine}; asked for was {type(row).__name__}. Convert it: {mine}(row).")
        _writer().add("set_state", self.kind.kind, (*place, row._here()))

    def __iter__(self) -> Iterator[Any]:
        raise _writer().error("a Python loop goes through a State. Loop over numbers, range(n), or over the rows of a view.")


class _Observed(_Symbol):
    """An observable of a recording: ``recording.name[row] = values``."""

    _what = "observable"

    def __init__(self, name: str, block: _Block, observable: Observable) -> None:
        super().__init__(name, block)
        self._observable = observable

    def __setitem__(self, index: object, value: object) -> None:
        writer, kind = _writer(), self._observable.type
        name, shape = self._name, self._observable.shape
        if shape == "synapse" and isinstance(index, SynapseRow):
            op, place = "record_row", index._here()
        elif shape == "neuron" and isinstance(index, NeuronView):
            op, place = "record_cells", index._here()
        elif isinstance(shape, int):
            self._set_array(_bits(index, f"an element of the observable {name}", 0, shape - 1), value)
            return
        else:
            allowed = {"synapse": "rows of a synapse view", "neuron": "neuron views"}[str(shape)]
            raise writer.error(
                f"the observable {name}, one value per {shape}, was set for {_shown(index)}; allowed are {allowed}. Write recording.{name}[...] = row."
            )
        writer.add(op, kind, (name, place, self._checked(value)))

    def _checked(self, value: object) -> str:
        cls = _CLASSES[self._observable.type]
        row = cls(value) if _number(value) is not None else value  # type: ignore[arg-type]
        if not isinstance(row, cls):
            raise _writer().error(
                f"the observable {self._name} holds {self._observable.type}; asked for was {_shown(value)}"
                f"{f' of {KINDS[value.kind]}' if isinstance(value, Row) else ''}. Convert it: {cls.__name__}(row)."
            )
        return row._here()

    def _set_array(self, index: int, value: object) -> None:
        kind = self._observable.type
        element = _CLASSES[kind](value)[0] if _number(value) is not None else value  # type: ignore[arg-type]
        if not isinstance(element, Element) or element._kind != kind:
            of = f" of {KINDS[element._kind]}" if isinstance(element, Element) else ""
            raise _writer().error(
                f"the observable {self._name} holds {kind}; asked for was {_shown(value)}{of}. Give an integer, or an element of a {KINDS[kind]}: row[0]."
            )
        _writer().add("record_array", kind, (self._name, index, element._here()))


class _Recording(_Symbol):
    """What an invocation records. The time is noted by itself when the invocation begins."""

    _what = "recording"

    def __getattr__(self, name: str) -> _Observed:  # type: ignore[override]
        if name.startswith("__"):
            raise AttributeError(name)
        writer = _writer()
        if name not in writer.observables:
            known = ", ".join(writer.observables) or "none"
            raise writer.error(f"the rule has no observable {name!r}{nearest(name, writer.observables)} It has {known}.", RuleNameError)
        return _Observed(name, self._block, writer.observables[name])

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("_name", "_block"):
            object.__setattr__(self, name, value)
            return
        remedy = "The time is noted by itself." if name == "time" else f"Write recording.{name}[row] = values."
        raise _writer().error(f"recording.{name} was set as a whole. {remedy}")


# ---- Rules


def states_of(rule: object) -> dict[str, State]:
    """Return the states of a rule by the name of their attribute."""
    found = {name: value for cls in reversed(type(rule).__mro__) for name, value in vars(cls).items() if isinstance(value, State)}
    found.update({name: value for name, value in vars(rule).items() if isinstance(value, State)})
    return dict(sorted(found.items()))


def write_down(rule: Any, observables: Mapping[str, Observable]) -> Recipe:
    """Execute the ``update`` of a rule once, with rows that hold no numbers, and return what it does.

    Parameters
    ----------
    rule : object
        Has ``update(synapses, neurons, recording)``; its attributes may be :class:`State`.
    observables : mapping of str to Observable

    Raises
    ------
    RuleError
        If it does what the processors cannot do; the text names the line.
    """
    states = states_of(rule)
    writer = _Writer(type(rule).__name__, observables, states)
    for name in (*states, *observables):
        try:
            check_name(name)
        except ValueError as error:
            raise RuleError(f"rule {writer.name}: {error} in C++. Use letters, digits and underscores of ASCII.") from None
    outer = writer.blocks[0]
    token = _WRITER.set(writer)
    try:
        rule.update(Views("synapses", outer, "y", SynapseView), Views("neurons", outer, "n", NeuronView), _Recording("recording", outer))
        if len(writer.blocks) > 1:
            left = _spoken(writer.blocks[-1].op)
            raise RuleError(f"rule {writer.name}: a loop over {left} was left with break or return; loops go to their end. Choose with where().")
    finally:
        _WRITER.reset(token)
    return Recipe(tuple(outer.steps), tuple(StateRows(name, state.kind.kind, state.rows, state.initial) for name, state in states.items()))


class Rule:
    """A plasticity rule in Python, for tasks of a :class:`neckar.program.Program`; PyNN's ``PlasticityRule`` takes the same ``update``.

    Parameters
    ----------
    observables : mapping of str to Observable, optional
        What it records. The time of each invocation is recorded with them.
    """

    def __init__(self, observables: Mapping[str, Observable] | None = None) -> None:
        self.observables: dict[str, Observable] = dict(observables or {})

    def update(self, synapses: Views, neurons: Views, recording: Any) -> None:
        """Say what one invocation does; subclasses do.

        Parameters
        ----------
        synapses, neurons : Views
            ``for view in synapses``, ``for view, cells in zip(synapses, neurons)``, ``for row in view``, ``synapses[0]``.
        recording : Recording
            ``recording.name[row] = values``.
        """
        raise NotImplementedError(f"{type(self).__name__} has no update(). Define update(self, synapses, neurons, recording).")

    def text(self) -> str:
        """Return the rule as a PlasticityTask holds it: ``kernel=rule.text(), language="python", observables=rule.observables``.

        Raises
        ------
        RuleError
            If it does what the processors cannot do; the text names the line.
        """
        return write_down(self, self.observables).text()

    def generate_kernel(self) -> str:
        """Return the C++ kernel that does the same, bit for bit; raises as :meth:`text`."""
        return kernel_text(write_down(self, self.observables), self.observables)
