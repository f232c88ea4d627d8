"""Kinds of coordinates and values: ranged integers, pairs of them, and the facts from which one coordinate follows from another.

A coordinate is an integer in a range: its enumeration. A pair has two parts, one fast and one slow, and the enumeration ``slow * fast.size + fast``.
What a coordinate says about the chip is a set of *facts*, for example its hemisphere and its column; the rules below derive further facts, and a
conversion ``a.toB()`` exists whenever the facts of ``a`` fix all facts of ``B``. The same facts give the place of a container in the register table.
Names, ranges and relations: halco hicann-dls/vx.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from functools import cache as _cache
from typing import Any, ClassVar, Self, SupportsIndex

from neckar.errors import ParameterRangeError

memo: Any = _cache
"""A cache; untyped, because type checkers do not take classes without hash of their instances as keys."""


class CoordinateOverflowError(ParameterRangeError, OverflowError):
    """A coordinate or register value above its range."""


class CoordinateTypeError(ParameterRangeError, TypeError):
    """A coordinate or register value that is negative, no integer, or of the wrong type; also a conversion that has no answer."""


class Ranged(int):
    """An integer from `min` to `max`; a subclass names it: ``class SynramOnDLS(Ranged, size=2): ...``.

    Equal to an integer of the same value and to values of its own type, not to those of other types: coordinates of several types can share a dictionary.

    Raises
    ------
    CoordinateOverflowError
        If the value is too large.
    CoordinateTypeError
        If it is too small or no integer.
    """

    size: ClassVar[int] = 0
    min: ClassVar[int] = 0
    max: ClassVar[int] = 0
    initial: ClassVar[int] = 0
    facts: ClassVar[tuple[str, ...]] = ()
    is_interval: ClassVar[bool] = False
    is_cell: ClassVar[bool] = False

    def __init_subclass__(cls, size: int | None = None, low: int = 0, fact: str | None = None, initial: int | None = None) -> None:
        if size is not None:
            cls.size, cls.min, cls.max, cls.initial = size, low, low + size - 1, low if initial is None else initial
        cls.facts = (fact,) if fact else cls.facts
        if cls.facts:
            TYPES.setdefault(cls.__name__, cls)
        cls.enum_type = cls  # type: ignore[attr-defined]

    def __new__(cls, value: SupportsIndex | None = None) -> Self:
        return int.__new__(cls, cls.initial if value is None else cls.checked(value))

    @classmethod
    def checked(cls, value: Any, where: str = "") -> int:
        """Return `value` as an integer after checking its range; `where` names it in errors."""
        name = where or cls.__qualname__
        try:
            number = operator.index(value)
        except TypeError:
            raise CoordinateTypeError(f"{name} takes integers from {cls.min} to {cls.max}, got {value!r}. Convert it with int().") from None
        if number > cls.max:
            raise CoordinateOverflowError(f"{name}: range overflow: {number} > max({cls.max}). Choose a value from {cls.min} to {cls.max}.")
        if number < cls.min:
            raise CoordinateTypeError(f"{name}: range underflow: {number} < min({cls.min}). Choose a value from {cls.min} to {cls.max}.")
        return number

    @classmethod
    def at(cls, number: int) -> Self:
        """Return the value `number` without a check."""
        return int.__new__(cls, number)

    def value(self) -> int:
        """Return the plain integer."""
        return int(self)

    def toEnum(self) -> Enum:
        """Return the enumeration."""
        return Enum(int(self) - self.min)

    def known(self) -> dict[str, int]:
        """Return the facts that the coordinate states."""
        return {fact: int(self) for fact in self.facts}

    def __getattr__(self, name: str) -> Callable[[], Any]:
        if name.startswith("to") and name[2:] in TYPES:
            target = TYPES[name[2:]]
            if _convertible(type(self), target):
                return lambda: convert(self, target)
            if choice := _several(type(self), target):
                return lambda: [build(target, {**self.known(), choice: number}) for number in range(_CHOICES[choice][1])]
        raise AttributeError(f"{type(self).__qualname__} has no attribute {name!r}.")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(f"to{name}" for name, kind in TYPES.items() if _convertible(type(self), kind))]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self) and (isinstance(other, Ranged) or not isinstance(other, SupportsIndex)):
            return NotImplemented
        try:
            return int(self) == operator.index(other)
        except TypeError:  # an array compares its elements
            return NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = int.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int(self)})"

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        return format(int(self), spec) if spec else str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_remake, (type(self), int(self)))


class Enum(Ranged, size=2**64):
    """Says that an integer is the enumeration of a coordinate: ``AtomicNeuronOnDLS(Enum(3))``."""


class X(Ranged, size=2**64):
    """Says that an integer is the column of a grid."""


class Y(Ranged, size=2**64):
    """Says that an integer is the row of a grid."""


TYPES: dict[str, type[Ranged]] = {}
"""Coordinates that a conversion can lead to, by name."""


def _remake(kind: type[Ranged], number: int) -> Ranged:
    return kind.at(number)


class Pair(Ranged):
    """A coordinate of two parts: ``class SynapseRowOnDLS(Pair, fast=SynapseRowOnSynram, slow=SynramOnDLS): ...``.

    Made from its enumeration, from both parts in either order, or from the fast part alone (the slow one is then 0). A grid is a pair of column
    (fast, x) and row (slow, y).
    """

    fast: ClassVar[type[Ranged]]
    slow: ClassVar[type[Ranged]]

    def __init_subclass__(cls, fast: type[Ranged], slow: type[Ranged]) -> None:
        cls.fast, cls.slow = fast, slow
        cls.x_type, cls.y_type = fast, slow  # type: ignore[attr-defined]
        cls.facts = tuple(dict.fromkeys((*fast.facts, *slow.facts)))
        super().__init_subclass__(size=fast.size * slow.size)
        cls.enum_type = type("EnumRanged", (Ranged,), {}, size=cls.size)  # type: ignore[attr-defined]

    def __new__(cls, *parts: SupportsIndex) -> Self:
        fast, slow = cls.fast, cls.slow
        match parts:
            case ():
                return cls.at(0)
            case (part,) if isinstance(part, fast) and not isinstance(part, cls):
                return cls.at(int(part))
            case (number,):
                return cls.at(cls.checked(number))
            case (a, b) if isinstance(b, fast | X) or isinstance(a, slow | Y):
                return cls.at(int(slow(a)) * fast.size + int(fast(b)))
            case (a, b):
                return cls.at(int(slow(b)) * fast.size + int(fast(a)))
        raise CoordinateTypeError(f"{cls.__name__} is made from an enumeration or from {fast.__name__} and {slow.__name__}, got {parts}.")

    def split(self) -> tuple[Ranged, Ranged]:
        """Return the slow and the fast part."""
        slow, fast = divmod(int(self), self.fast.size)
        return self.slow.at(slow), self.fast.at(fast)

    def x(self) -> Ranged:
        """Return the fast part."""
        return self.split()[1]

    def y(self) -> Ranged:
        """Return the slow part."""
        return self.split()[0]

    def known(self) -> dict[str, int]:
        """Return the facts that both parts state."""
        slow, fast = self.split()
        return {**slow.known(), **fast.known()}

    def __getattr__(self, name: str) -> Callable[[], Any]:
        if name == f"to{self.fast.__name__}":
            return self.x
        if name == f"to{self.slow.__name__}":
            return self.y
        return super().__getattr__(name)

    def __repr__(self) -> str:
        slow, fast = (repr(part) if isinstance(part, Pair) else str(int(part)) for part in self.split())
        return f"{type(self).__name__}({fast}, {slow})"


Rule = tuple[str, tuple[str, ...], Callable[..., int | None]]

# A fact, the facts it follows from, and how; None if there is none.
RULES: tuple[Rule, ...] = (
    ("circuit", ("hemisphere", "column"), lambda hemisphere, column: hemisphere * 256 + column),
    ("hemisphere", ("circuit",), lambda circuit: circuit // 256),
    ("column", ("circuit",), lambda circuit: circuit % 256),
    ("column", ("side", "column_of_side"), lambda side, column: side * 128 + column),
    ("column", ("quad_column", "entry"), lambda quad, entry: quad % 32 * 8 + entry * 2 + quad // 32),
    ("side", ("column",), lambda column: column // 128),
    ("column_of_side", ("column",), lambda column: column % 128),
    ("quad_column", ("column",), lambda column: column % 2 * 32 + column // 8),
    ("entry", ("column",), lambda column: column // 2 % 4),
    ("side", ("quad_column",), lambda quad: quad % 32 // 16),
    ("capmem_column", ("column_of_side",), lambda column: column),
    ("column_of_side", ("capmem_column",), lambda column: column if column < 128 else None),
    ("quadrant", ("hemisphere", "side"), lambda hemisphere, side: hemisphere * 2 + side),
    ("hemisphere", ("quadrant",), lambda quadrant: quadrant // 2),
    ("side", ("quadrant",), lambda quadrant: quadrant % 2),
    ("event_output", ("column",), lambda column: column // 32),
    ("event_output", ("side", "output_of_side"), lambda side, output: side * 4 + output),
    ("side", ("event_output",), lambda output: output // 4),
    ("output_of_side", ("event_output",), lambda output: output % 4),
    ("crossbar_input", ("event_output",), lambda output: output),
    ("crossbar_input", ("fpga_channel",), lambda channel: 8 + channel),
    ("crossbar_input", ("background",), lambda source: 12 + source),
    ("event_output", ("crossbar_input",), lambda number: number if number < 8 else None),
    ("fpga_channel", ("crossbar_input",), lambda number: number - 8 if 8 <= number < 12 else None),
    ("background", ("crossbar_input",), lambda number: number - 12 if number >= 12 else None),
    ("crossbar_output", ("padi_bus",), lambda bus: bus),
    ("crossbar_output", ("l2_output",), lambda output: 8 + output),
    ("padi_bus", ("crossbar_output",), lambda number: number if number < 8 else None),
    ("l2_output", ("crossbar_output",), lambda number: number - 8 if number >= 8 else None),
    ("neuron_of_side", ("hemisphere", "column_of_side"), lambda hemisphere, column: hemisphere * 128 + column),
    ("hemisphere", ("neuron_of_side",), lambda neuron: neuron // 128),
    ("column_of_side", ("neuron_of_side",), lambda neuron: neuron % 128),
    ("output_of_side", ("column_of_side",), lambda column: column // 32),
    ("driver", ("row",), lambda row: row // 2),
    ("row_of_driver", ("row",), lambda row: 1 - row % 2),
    ("row", ("driver", "row_of_driver"), lambda driver, row: driver * 2 + 1 - row),
    ("driver", ("bus", "position"), lambda bus, position: position * 4 + bus),
    ("bus", ("driver",), lambda driver: driver % 4),
    ("position", ("driver",), lambda driver: driver // 4),
    ("padi_bus", ("hemisphere", "bus"), lambda hemisphere, bus: hemisphere * 4 + bus),
    ("hemisphere", ("padi_bus",), lambda bus: bus // 4),
    ("bus", ("padi_bus",), lambda bus: bus % 4),
    ("padi_bus", ("background",), lambda source: source),
)

_BY_TARGET: dict[str, list[Rule]] = {}
for _rule in RULES:
    _BY_TARGET.setdefault(_rule[0], []).append(_rule)


@memo
def derivable(fact: str, known: tuple[str, ...], open_: frozenset[str] = frozenset()) -> bool:
    """Return whether `fact` follows from `known` facts; `open_` are those already being asked for."""
    if fact in known:
        return True
    open_ |= {fact}
    return any(not open_ & set(sources) and all(derivable(s, known, open_) for s in sources) for _, sources, _ in _BY_TARGET.get(fact, ()))


def derive(fact: str, known: Mapping[str, int], open_: frozenset[str] = frozenset()) -> int | None:
    """Return a fact that follows from `known` ones, or None."""
    if fact in known:
        return known[fact]
    open_ |= {fact}
    for _, sources, rule in _BY_TARGET.get(fact, ()):
        if open_ & set(sources):
            continue
        values = [derive(source, known, open_) for source in sources]
        if None not in values:
            return rule(*values)
    return None


@memo
def _convertible(source: type[Ranged], target: type[Ranged]) -> bool:
    return bool(target.facts) and all(derivable(fact, source.facts) for fact in target.facts)


_CHOICES = {"entry": ("quad_column", 4), "row_of_driver": ("driver", 2), "bus": ("position", 4)}
"""Facts that tell apart what belongs to one coordinate: the fact that this one states, and the number of choices."""


@memo
def _several(source: type[Ranged], target: type[Ranged]) -> str | None:
    """Return the fact that is missing for a conversion to several coordinates, or None."""
    for choice, (stated, _) in _CHOICES.items():
        if derivable(stated, source.facts) and target.facts and all(derivable(fact, (*source.facts, choice)) for fact in target.facts):
            return choice
    return None


def build(kind: type[Ranged], known: Mapping[str, int]) -> Any:
    """Return the coordinate of a kind that the facts fix, or None if there is none."""
    if issubclass(kind, Pair):
        parts = build(kind.slow, known), build(kind.fast, known)
        return None if None in parts else kind(*parts)
    number = derive(kind.facts[0], known)
    return None if number is None else kind(number)


def convert(coordinate: Ranged, kind: type[Ranged]) -> Any:
    """Return the coordinate of another kind that belongs to this one, or None if this one has none."""
    return build(kind, coordinate.known())


def iter_all(kind: Any) -> Iterator[Any]:
    """Iterate over all values of a coordinate, in order of enumeration."""
    if kind.is_interval:
        return iter(kind.all())
    return (kind.at(number) for number in range(kind.min, kind.max + 1))
