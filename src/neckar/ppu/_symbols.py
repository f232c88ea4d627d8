"""Rows of a rule in Python that hold no numbers: what is done with them is written down."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, TypeVar

from neckar.ppu._exchange import COLUMNS
from neckar.ppu._recipe import ELEMENT, KINDS, MAX_POWER, MAX_SHIFT, WIDTH, is_convertible, range_of
from neckar.ppu._writing import Block, Symbol, Writer, current, known_int, plain_int, shown


class Condition(Symbol):
    """A comparison of rows, for :func:`where`; combined with ``& | ~``."""

    _what = "condition"
    _remedy = "Choose with where(condition, a, b), and combine conditions with & | ~."

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
            raise current().error(f"where compares {KINDS[mask.kind]} and chooses {KINDS[a.kind]}; 16 bit do not choose 8 bit. Choose first, then convert.")
        return a._new("where", mask._here(), condition, a._here(), b._here())


def _condition(value: Any) -> Condition:
    if not isinstance(value, Condition):
        raise current().error(f"{shown(value)} stands where a condition is needed. Compare a row, for instance row > 0; put brackets around comparisons.")
    return value


R = TypeVar("R", bound="Row")


class Row(Symbol):
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
        writer = current()
        number = plain_int(value)
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
            asked = f"an element of {KINDS[value._kind]}" if isinstance(value, Element) else shown(value)
            raise writer.error(
                f"a {type(self).__name__} was asked for of {asked}; allowed are integers, rows and elements of a {type(self).__name__}. Fractions are integers "
                "too: FracSat8(64) is 64/128."
            )

    def _converted(self, row: Row, writer: Writer) -> str:
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
    def _made(cls: type[R], name: str, block: Block) -> R:
        made = object.__new__(cls)
        made._value, made._name, made._block = None, name, block
        return made

    def _here(self) -> str:
        if self._value is not None:
            return current().constant(self.kind, self._value)
        return super()._here()

    def _new(self: R, op: str, *args: str | int) -> R:
        writer = current()
        return type(self)._made(writer.add(op, self.kind, args, "v"), writer.blocks[-1])

    def _other(self: R, value: object, what: str) -> R:
        """Return the other operand as a row of the same kind."""
        if type(value) is type(self):
            return value
        mine = type(self).__name__
        if isinstance(value, Row):
            other = type(value).__name__
            raise current().error(f"{what} of {mine} and {other} was asked for; both must be of one kind. Convert one, for instance {mine}(row).")
        if isinstance(value, Element):
            raise current().error(f"{what} of a row and an element was asked for; elements do not calculate. Make a row of it: {mine}(element).")
        if plain_int(value) is None:
            raise current().error(f"{what} of {mine} and {shown(value)} was asked for; allowed are rows and integers. Fractions are integers: 64 for 64/128.")
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
        return self._new("left", self._here(), known_int(bits, "a shift", -MAX_SHIFT, MAX_SHIFT))

    def __rshift__(self: R, bits: int) -> R:
        return self._new("right", self._here(), known_int(bits, "a shift", -MAX_SHIFT, MAX_SHIFT))

    def __pow__(self: R, exponent: int) -> R:
        return self._new("pow", self._here(), known_int(exponent, "a power", 0, MAX_POWER))

    def _calculate(self, *_: object) -> NoReturn:
        raise current().error(
            "a division, remainder, absolute value or number of a row was asked for; the vector unit has + - * << >> **. Shift, or multiply by a fraction."
        )

    def _combine(self, *_: object) -> NoReturn:
        raise current().error(
            "& | ^ or ~ of a row was asked for; they combine conditions, and bind more tightly than comparisons. Put brackets around comparisons: "
            "(row > 3) & (row < 9)."
        )

    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __matmul__ = __rmatmul__ = __abs__ = __pos__ = _calculate
    __int__ = __float__ = __index__ = __len__ = __rlshift__ = __rrshift__ = __rpow__ = _calculate
    __and__ = __or__ = __xor__ = __rand__ = __ror__ = __rxor__ = __invert__ = _combine

    def _compared(self, other: Any, condition: str) -> Condition:
        if plain_int(other) == 0:
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
        writer = current()
        number = known_int(column, "the element of a column", 0, COLUMNS - 1)
        return Element(writer.add(ELEMENT, self.kind, (self._here(), number), "s"), writer.blocks[-1], self.kind)

    def __setitem__(self, column: int, value: object) -> NoReturn:
        raise current().error("an element of a row was to be set; rows do not change. Choose with where().")

    def contiguous(self) -> Any:
        """Return offset binary as two's complement or back: the middle of the unsigned range is 0 (``convert_contiguous`` in C++)."""
        kind = self.kind[1:] if self.kind.startswith("u") else f"u{self.kind}"
        writer = current()
        return CLASSES[kind]._made(writer.add("contiguous", kind, (self._here(),), "v"), writer.blocks[-1])


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


CLASSES: dict[str, type[Row]] = {one.kind: one for one in (Mod8, FracSat8, Mod16, FracSat16)}


class Element(Symbol):
    """One element of a row: can be recorded in an array, or become a row of its own, ``FracSat8(element)``."""

    _what = "single element"

    def __init__(self, name: str, block: Block, kind: str) -> None:
        super().__init__(name, block)
        self._kind = kind

    _remedy = "Only rows calculate. Make a row of it, for instance FracSat8(element)."
    __eq__ = __ne__ = Symbol._calculate
    __hash__ = None


def kind_of_rows(cls: Any) -> type[Row]:
    """Return a kind of rows, or say that it is none."""
    if not (isinstance(cls, type) and issubclass(cls, Row) and cls is not Row):
        raise current().error(f"{cls!r} stands where a kind of rows is needed; allowed are {', '.join(KINDS.values())}. Give one of these classes.")
    return cls


def checked_row(row: Any, what: str, width: int | None = None) -> Row:
    """Return a row of a width, or say that it is none."""
    if not isinstance(row, Row):
        raise current().error(f"{what} takes a row; asked for was {shown(row)}. Make a row of it, for instance FracSat8(1).")
    if width is not None and WIDTH[row.kind] != width:
        raise current().error(f"{what} takes rows of {width} bit; asked for was a {type(row).__name__}. Convert it, for instance with FracSat{width}(row).")
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
    kind = next((type(one) for one in (a, b) if isinstance(one, Row)), CLASSES[condition._kind()])
    first = a if isinstance(a, Row) else kind(a)
    return condition._choose(first, first._other(b, "a choice"))


def saturate_weight(row: R) -> R:
    """Return elements of 8 bit, taken as signed, brought to 0..63."""
    checked_row(row, "saturate_weight", 8)
    return row._new("saturate_weight", row._here())


def random_row(kind: type[R]) -> R:
    """Return a row of random numbers from the processor's generators: one new bit per element and draw, so that draws that follow each other are alike."""
    writer = current()
    cls = kind_of_rows(kind)
    return cls._made(writer.add("random", cls.kind, (), "v"), writer.blocks[-1])  # type: ignore[return-value]


def round_stochastic(row: R, bits: int) -> R:
    """Return a row whose lowest bits are 0, rounded up with the probability (element mod 2^bits) / 2^bits, else down."""
    checked_row(row, "round_stochastic")
    return row._new("round_stochastic", row._here(), known_int(bits, "round_stochastic", 0, MAX_SHIFT))


def seed_random(row: Row) -> None:
    """Set the state of the random generators to the elements of a row of 8 bit; a generator with state 0 gives zeros."""
    checked_row(row, "seed_random", 8)
    current().add("seed", args=(Mod8(row)._here(),))
