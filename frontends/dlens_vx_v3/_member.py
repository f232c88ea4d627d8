"""Members of containers: single registers and arrays of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlens_vx_v3._values import REGISTERS, ranged
from dlens_vx_v3.halco._base import CoordinateTypeError, Enum, Ranged, derivable, derive
from neckar.chip.config import ChipConfig
from neckar.facts import AXES, Register

if TYPE_CHECKING:
    from dlens_vx_v3._part import Part

Kind = type[Any]
Bits = tuple[Callable[[int], int], Callable[[int, int], int]]


class Member:
    """One register of a container, or an array of them; a descriptor.

    Parameters
    ----------
    kind : type
        ``bool``, a :class:`~dlens_vx_v3.halco._base.Ranged` or an ``IntEnum``.
    field : str
        Register field or counter that it stands for; empty for members that are only stored.
    default : int, optional
        Code of a free-standing container, if it is neither the initial value of its type nor, for switches, choices and CapMem cells, the default of its field.
    over : types of coordinates
        One per axis of the member, if it is an array.
    bits : pair of functions, optional
        For a member that is only a part of the field's code: its value from the code, and the code from the one before and the value.
    facts : mapping of str to int
        What is known about the member's place beyond its container's coordinate.
    """

    def __init__(
        self,
        kind: Kind,
        field: str = "",
        default: int | None = None,
        over: tuple[type[Ranged], ...] = (),
        bits: Bits | None = None,
        facts: Mapping[str, int] | None = None,
    ) -> None:
        self.kind, self.field, self.over, self.bits, self.facts = kind, field, over, bits, facts or {}
        register = REGISTERS.get(field)
        if default is None:
            default = self._default(register)
        self.default = int(default)
        self.counter = register is not None and register.counter
        self.shape = tuple(axis.size for axis in over)
        self.name = ""
        self._limits = kind if issubclass(kind, Ranged) else ranged(kind.__name__, 1 if kind is bool else max(int(choice) for choice in kind))

    def _default(self, register: Register | None) -> int:
        if issubclass(self.kind, Ranged) and not self.kind.is_cell:
            return self.kind.initial
        if register is None or np.ndim(register.default):
            return 0
        return self.bits[0](int(register.default)) if self.bits else int(register.default)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, part: Part | None, owner: type) -> Any:
        if part is None:
            return self
        return Array(self, part) if self.over else self.typed(self.read(part))

    def __set__(self, part: Part, value: Any) -> None:
        if self.over:
            Array(self, part)[...] = value
        else:
            self.write(part, self.code(value))

    def typed(self, code: Any) -> Any:
        """Return a code in the member's type."""
        return self.kind.at(int(code)) if issubclass(self.kind, Ranged) else self.kind(int(code))

    def code(self, value: Any) -> int:
        """Return the code of a value, after checking its range."""
        return self._limits.checked(int(value) if isinstance(value, np.bool_) else value, self.name)

    def axes(self, part: Part) -> tuple[Any, ...]:
        """Return per axis of the field its number, a list of numbers if a container holds several columns, or None if the axis stays free."""
        facts = {**part._facts, **self.facts} if self.facts else part._facts
        return tuple(_axis(axis, facts) for axis in REGISTERS[self.field].axes)

    def place(self, part: Part) -> tuple[Any, ...]:
        """Return the numpy index of the member in its field."""
        return tuple(slice(None) if number is None else number for number in self.axes(part))

    def read(self, part: Part) -> Any:
        """Return the member's code; for a member with axes an array that must not be written."""
        config = part._store.config
        if config is not None and self.field and not self.counter:
            codes = _gather(config[self.field], self.place(part), self.shape)
            return self.bits[0](int(codes)) if self.bits else codes
        found = part._store.values.get((*part._key, self.name))
        return found if found is not None else self.default if not self.over else np.broadcast_to(self.default, self.shape)

    def write(self, part: Part, codes: Any, index: tuple[Any, ...] = ()) -> None:
        """Write checked codes to the member, or to `index` of its axes."""
        config = part._store.config
        if config is not None and self.field and not self.counter:
            if self.bits:
                codes = self.bits[1](int(config[self.field][self.place(part)]), int(codes))
            _scatter(config, self.field, self.place(part), self.shape, index, codes)
        elif self.over:
            key = (*part._key, self.name)
            if key not in part._store.values:
                part._store.values[key] = np.full(self.shape, self.default, dtype=np.int64)
            part._store.values[key][index] = codes
        elif codes == self.default:
            part._store.values.pop((*part._key, self.name), None)
        else:
            part._store.values[(*part._key, self.name)] = codes


_GROUPS = (("column", "quad_column", "entry", 4), ("quadrant", "hemisphere", "side", 2), ("padi_bus", "hemisphere", "bus", 4))
"""Axis, the fact that names several of its numbers at once, and the fact and number of choices that are then open."""


_recent: Any = lru_cache(maxsize=2**14)


@_recent
def _facts(kind: type[Ranged], number: int) -> dict[str, int]:
    known = kind.at(number).known()
    derived = {axis: derive(axis, known) for axis in ("side", *AXES) if derivable(axis, kind.facts)}
    return {**known, **{axis: number for axis, number in derived.items() if number is not None}}


def facts_of(coord: Any) -> dict[str, int]:
    """Return what a coordinate states and what follows from it about the axes of the register table; must not be changed."""
    return _facts(type(coord), int(coord)) if isinstance(coord, Ranged) else coord.known()


def _axis(axis: str, facts: Mapping[str, int]) -> Any:
    number = derive("side" if axis == "backend" else axis, facts)
    if number is None:
        for several, group, choice, size in _GROUPS:
            if axis == several and group in facts:
                return [derive(axis, {**facts, choice: one}) for one in range(size)]
    return number


def _gather(array: NDArray[Any], place: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    return array[place].reshape(shape) if shape else array[place]


def _scatter(config: ChipConfig, field: str, place: tuple[Any, ...], shape: tuple[int, ...], index: tuple[Any, ...], codes: Any) -> None:
    if not shape and config[field][place] == codes:
        return
    if index and all(isinstance(part, int | slice) for part in (*index, *place)):
        given = iter(index)
        place = tuple(next(given, part) if isinstance(part, slice) else part for part in place)
    elif index and index != (...,):
        whole = _gather(config[field], place, shape).copy()
        whole[index] = codes
        codes = whole.reshape(config[field][place].shape)
    config[(field, *place)] = codes


class Array:
    """The elements of a member with axes, indexed by coordinate: ``row.values[SynapseOnSynapseRow(3)] = 63``."""

    __slots__ = ("_index", "_member", "_part")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, member: Member, part: Part, index: tuple[int, ...] = ()) -> None:
        self._member, self._part, self._index = member, part, index

    def _numbers(self, index: Any) -> tuple[Any, ...]:
        given = index if isinstance(index, tuple) else (index,)
        axes = self._member.over[len(self._index) :]
        if given == (...,):
            return ()
        if len(given) > len(axes):
            raise CoordinateTypeError(f"{self._member.name} has {len(axes)} axes ({', '.join(axis.__name__ for axis in axes)}), got {len(given)} coordinates.")
        return tuple(number_on(part, axis, self._member.name) for part, axis in zip(given, axes, strict=False))

    def __getitem__(self, index: Any) -> Any:
        numbers = self._numbers(index)
        if any(not isinstance(number, int) for number in numbers):
            return self.to_numpy()[numbers]
        whole = (*self._index, *numbers)
        if len(whole) < len(self._member.over):
            return Array(self._member, self._part, whole)
        return self._member.typed(self._member.read(self._part)[whole])

    def __setitem__(self, index: Any, value: Any) -> None:
        numbers = (*self._index, *self._numbers(index))
        codes = np.asarray(value)
        if codes.dtype.kind == "f" and codes.ndim and np.array_equal(codes, np.rint(codes)):
            codes = codes.astype(np.int64)
        if codes.ndim == 0:
            self._member.write(self._part, self._member.code(value), numbers)
            return
        for extreme in (codes.min(), codes.max()) if codes.size else ():
            self._member.code(extreme)
        shape = np.broadcast_to(0, self._member.shape)[numbers].shape
        if codes.shape != shape:
            raise CoordinateTypeError(f"{self._member.name} has shape {shape} here, got {codes.shape}.")
        self._member.write(self._part, codes, numbers)

    def to_numpy(self) -> NDArray[Any]:
        """Return a copy of all elements as an array of integers, axes as `shape`."""
        register = REGISTERS.get(self._member.field)
        dtype = np.int64 if register is None else register.dtype
        return np.array(np.asarray(self._member.read(self._part))[self._index], dtype=dtype)

    def from_numpy(self, values: NDArray[Any]) -> None:
        """Set all elements from an array."""
        self[...] = values

    def fill(self, value: Any) -> None:
        """Set all elements to one value."""
        self[...] = value

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self._member.shape[len(self._index) :]

    @property
    def size(self) -> int:
        """Length of the first axis."""
        return self.shape[0]

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.to_numpy() if dtype is None else self.to_numpy().astype(dtype)

    def __eq__(self, other: object) -> bool:
        return bool(np.array_equal(self.to_numpy(), np.asarray(other))) if isinstance(other, Array | np.ndarray | list | tuple) else NotImplemented

    def __repr__(self) -> str:
        if len(self.shape) > 1 or len(self) > 16:
            return f"Array{self.shape} of {self._member.kind.__name__}"
        return f"[{', '.join(str(element) for element in self)}]"


def number_on(value: Any, axis: type[Ranged], name: str) -> Any:
    """Return the place on an axis of a coordinate, or what numpy knows as an index."""
    if isinstance(value, slice | np.ndarray | list):
        return value
    if isinstance(value, Ranged) and not isinstance(value, axis | Enum):
        raise CoordinateTypeError(f"{name} is indexed by {axis.__name__}, got {value}.")
    return axis.checked(value, f"{name} is indexed by {axis.__name__}, which") - axis.min


def switch(field: str = "", default: int | None = None, *over: type[Ranged], bits: Bits | None = None, **facts: int) -> Any:
    """Return a member that is on or off; arguments as for :class:`Member`."""
    return Member(bool, field, default, over, bits, facts)


def code(kind: Kind, field: str = "", default: int | None = None, *over: type[Ranged], **facts: int) -> Any:
    """Return a member of a ranged or enumerated type; arguments as for :class:`Member`."""
    return Member(kind, field, default, over, None, facts)
