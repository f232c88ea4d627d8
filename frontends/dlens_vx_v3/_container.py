"""Containers: plain value objects of the register level, and how they lie in the configuration of a chip.

A container is declared, not programmed: its class lists members, and each member names the register field that it stands for. Which element of the field that
is follows from the coordinate: its facts fix some axes of the field (circuit, hemisphere, row, ...), and the axes that stay free are the member's own shape. A
member without a field is stored and has no effect.

A free-standing container owns its values. One inside a :class:`~dlens_vx_v3.lola.Chip` is a view: reading and writing it reads and writes the chip's
:class:`~neckar.chip.config.ChipConfig`. Assignment copies.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum as Enumeration
from enum import IntEnum
from itertools import product
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from dlens_vx_v3.halco import ChipOnDLS, Enum, iter_all
from dlens_vx_v3.halco._base import CoordinateTypeError, Ranged, derive, memo
from neckar.chip.config import ChipConfig
from neckar.errors import UnknownNameError, nearest
from neckar.facts import Register, registers

Index = tuple[int | tuple[int, int], ...]
Kind = type[Any]
Key = tuple[str | int, ...]
Bits = tuple[Callable[[int], int], Callable[[int, int], int]]

MADE_HERE = "dlens_vx_v3._container.made"
"""Module of value types that are not yet bound to a container."""

REGISTERS: Mapping[str, Register] = registers("brainscales2")


class Choice(IntEnum):
    """An enumerated value; prints its name."""

    __str__ = Enumeration.__str__


class UnknownMemberError(UnknownNameError, AttributeError):
    """A container has no member of that name."""


class ReadOnlyError(CoordinateTypeError, AttributeError):
    """What the chip counts cannot be written."""


@dataclass(frozen=True)
class Place:
    """Where one member of a container lies.

    Parameters
    ----------
    member : str
        Path of the member within the container, for example ``leak.v_leak`` or ``values[3]``.
    field : str
        Register field or counter.
    index : tuple of int or (start, stop)
        Part of the field, as :class:`neckar.program.TimedWrite` takes it; axes that are missing at the end are whole.
    """

    member: str
    field: str
    index: Index

    @property
    def key(self) -> tuple[int | slice, ...]:
        """The index as numpy takes it."""
        return tuple(slice(*part) if isinstance(part, tuple) else part for part in self.index)


class Store:
    """Values of a container: a chip configuration for the members that it has, a dictionary for all others.

    ``values`` holds codes by key; members with a shape are arrays. What is missing has its default.
    """

    __slots__ = ("config", "values")

    def __init__(self, config: ChipConfig | None = None, values: dict[Key, Any] | None = None) -> None:
        self.config = config
        self.values: dict[Key, Any] = {} if values is None else values

    def copy(self) -> Store:
        values = {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in self.values.items()}
        return Store(None if self.config is None else self.config.copy(), values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Store) or self.config != other.config or self.values.keys() != other.values.keys():
            return False
        return all(np.array_equal(value, other.values[key]) for key, value in self.values.items())

    __hash__ = None  # type: ignore[assignment]


# --------------------------------------------------------------------------------------------------------------------------------------- members


class Member:
    """One register of a container, or an array of them; a descriptor.

    Parameters
    ----------
    kind : type
        ``bool``, a :class:`~dlens_vx_v3.halco._base.Ranged` or an ``IntEnum``.
    field : str
        Register field or counter that it stands for; empty for members that are only stored.
    default : int, optional
        Code of a free-standing container; the field's own default by default.
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
        if register is None or np.ndim(register.default):
            return int(getattr(self.kind, "min", 0))
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
        facts = {**part._facts, **self.facts}
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
    if index and shape:
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
        return tuple(_number(part, axis, self._member.name) for part, axis in zip(given, axes, strict=False))

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


def _number(value: Any, axis: type[Ranged], name: str) -> Any:
    """Return the place on an axis of a coordinate, or what numpy knows as an index."""
    if isinstance(value, slice | np.ndarray | list):
        return value
    if isinstance(value, Ranged) and not isinstance(value, axis | Enum):
        raise CoordinateTypeError(f"{name} is indexed by {axis.__name__}, got {value}.")
    return axis.checked(value, f"{name} is indexed by {axis.__name__}, which") - axis.min


# ------------------------------------------------------------------------------------------------------------------------------------------ parts


class Part:
    """A group of members; the base of containers. Subclasses declare members, other parts and collections."""

    _store: Store
    _key: Key
    _facts: dict[str, int]
    __hash__ = None  # type: ignore[assignment]

    def __init_subclass__(cls) -> None:
        for name, kind in vars(cls).items():  # value types that a helper made take the place where they are bound, so that they can be pickled
            if isinstance(kind, type) and kind.__module__ == MADE_HERE:
                kind.__module__, kind.__qualname__ = cls.__module__, f"{cls.__qualname__}.{name}"

    def __init__(self, value: Any = None, /, **values: Any) -> None:
        """Start from the defaults, from a container to copy, or, if there is a single member, from its value; names set members."""
        self._place(Store(), (), {})
        if isinstance(value, Part):
            if not isinstance(value, type(self)):
                raise CoordinateTypeError(f"{type(self).__name__} is made from nothing or from a {type(self).__name__}, got {type(value).__name__}.")
            self._assign(value)
        elif value is not None:
            entries = list(declared(type(self)))
            if len(entries) != 1:
                raise CoordinateTypeError(f"{type(self).__name__} has {len(entries)} members; give them by name, got {value!r}.")
            values = {entries[0]: value}
        for name, given in values.items():
            setattr(self, name, given)

    def _place(self, store: Store, key: Key, facts: dict[str, int]) -> Self:
        fields = self.__dict__
        fields["_store"], fields["_key"], fields["_facts"] = store, key, facts
        return self

    @classmethod
    def _view(cls, store: Store, key: Key, facts: dict[str, int]) -> Self:
        return object.__new__(cls)._place(store, key, facts)

    def _assign(self, other: Part) -> None:
        """Copy all members of a part of the same type."""
        for (member, part), (_, source) in zip(self._members(), other._members(), strict=True):
            if not member.counter or part._store.config is None:
                member.write(part, np.array(member.read(source)) if member.over else int(member.read(source)), (...,) if member.over else ())

    def _members(self) -> Iterator[tuple[Member, Part]]:
        """Iterate over all members, those of parts and collections included, with the part that each belongs to."""
        for name, entry in declared(type(self)).items():
            if isinstance(entry, Member):
                yield entry, self
            elif isinstance(entry, Sub):
                yield from getattr(self, name)._members()
            else:
                for part in getattr(self, name):
                    yield from part._members()

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in declared(type(self)) and not isinstance(getattr(type(self), name, None), property):
            raise UnknownMemberError(f"{type(self).__name__} has no member {name!r}{nearest(name, declared(type(self)))}")
        object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Part) or declared(type(other)).keys() != declared(type(self)).keys():
            return NotImplemented
        return all(np.array_equal(a.read(x), b.read(y)) for (a, x), (b, y) in zip(self._members(), other._members(), strict=True))

    def __copy__(self) -> Self:
        return type(self)(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return type(self)(self)

    def __getstate__(self) -> tuple[Any, ...]:
        twin = type(self)(self)
        return twin._store.config, twin._store.values, twin._facts

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        config, values, facts = state
        self._place(Store(config, values), (), facts)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in declared(type(self)))})"


class Sub:
    """A group of members within a container: ``leak = Sub(Leak)``."""

    def __init__(self, kind: type[Part], **facts: int) -> None:
        self.kind, self.facts, self.name = kind, facts, ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, part: Part | None, owner: type) -> Any:
        return self if part is None else self.kind._view(part._store, (*part._key, self.name), {**part._facts, **self.facts})

    def __set__(self, part: Part, value: Part) -> None:
        if not isinstance(value, Part) or declared(type(value)).keys() != declared(self.kind).keys():
            raise CoordinateTypeError(f"{self.name} takes a {self.kind.__name__}, got {type(value).__name__}.")
        self.__get__(part, type(part))._assign(type(value)(value))


class Many:
    """A container for each value of a coordinate: ``atomic_neurons = Many(AtomicNeuron, AtomicNeuronOnDLS)``."""

    def __init__(self, kind: type[Part], over: type[Ranged], **facts: int) -> None:
        self.kind, self.over, self.facts, self.name = kind, over, facts, ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, part: Part | None, owner: type) -> Any:
        return self if part is None else Collection(self, part)

    def __set__(self, part: Part, values: Any) -> None:
        Collection(self, part)._fill(values)


class Collection:
    """The containers of a kind in a larger one, indexed by coordinate; each is a view, an assignment copies."""

    __slots__ = ("_many", "_part")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, many: Many, part: Part) -> None:
        self._many, self._part = many, part

    def __getitem__(self, index: Any) -> Any:
        many, part = self._many, self._part
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        number = _number(index, many.over, many.name)
        facts = {**part._facts, **many.over.at(number + many.over.min).known(), **many.facts}
        return many.kind._view(part._store, (*part._key, many.name, number), facts)

    def __setitem__(self, index: Any, value: Part) -> None:
        if not isinstance(value, self._many.kind):
            raise CoordinateTypeError(f"{self._many.name} takes {self._many.kind.__name__}, got {type(value).__name__}.")
        self[index]._assign(value)

    def _fill(self, values: Any) -> None:
        given = list(values)
        if len(given) != len(self):
            raise CoordinateTypeError(f"{self._many.name} has {len(self)} elements, got {len(given)}.")
        for number, value in enumerate([type(value)(value) for value in given]):
            self[number] = value

    def __len__(self) -> int:
        return self._many.over.size

    size = property(__len__)

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(len(self)))

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Iterate over coordinates and containers."""
        return zip(iter_all(self._many.over), self, strict=True)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Collection | list | tuple) else NotImplemented

    def __repr__(self) -> str:
        return f"{len(self)} x {self._many.kind.__name__}"


@memo
def declared(kind: type[Part]) -> dict[str, Member | Sub | Many]:
    """Return the members, parts and collections of a class, base classes first."""
    entries: dict[str, Member | Sub | Many] = {}
    for base in reversed(kind.__mro__):
        entries.update({name: entry for name, entry in vars(base).items() if isinstance(entry, Member | Sub | Many)})
    return entries


# -------------------------------------------------------------------------------------------------------------------------------------- containers

_TYPE_OF: dict[Any, type[Container]] = {}


class Container(Part):
    """What a coordinate holds: a class per kind, ``class CommonNeuronBackendConfig(Container, at=CommonNeuronBackendConfigOnDLS): ...``."""

    coordinate: ClassVar[Any] = None

    def __init_subclass__(cls, at: Any = ()) -> None:
        coordinates = at if isinstance(at, tuple) else (at,)
        for coordinate in coordinates:
            _TYPE_OF.setdefault(coordinate, cls)
        if coordinates:
            cls.coordinate = coordinates[0]
        super().__init_subclass__()

    @classmethod
    def _located(cls, coord: Ranged, store: Store | None = None) -> Self:
        return cls._view(store or Store(), (), coord.known())

    @classmethod
    def places(cls, coord: Ranged) -> tuple[Place, ...]:
        """Return where the container's members lie on the chip; empty for containers without effect."""
        return tuple(place for places in cls._fields(coord) for place in places)

    @classmethod
    def _fields(cls, coord: Ranged) -> list[list[Place]]:
        """Return the places of each member; the members after the first that share a field's code have none."""
        found, seen = [], set()
        for member, part in cls._located(coord)._members():
            places = _places(member, part) if member.field else []
            found.append([place for place in places if (place.field, place.index) not in seen])
            seen |= {(place.field, place.index) for place in places} if member.bits else set()
        return found

    def codes(self, coord: Ranged) -> tuple[tuple[str, Index, Any], ...]:
        """Return field, index and codes of each place, without counters."""
        found: dict[tuple[str, Index], Any] = {}
        for (member, own), (_, there) in zip(self._members(), type(self)._located(coord)._members(), strict=True):
            if member.field and not member.counter:
                for place, code in zip(_places(member, there), _split(member, there, member.read(own)), strict=True):
                    key = (place.field, place.index)
                    found[key] = member.bits[1](found.get(key, 0), code) if member.bits else code
        return tuple((field, index, code) for (field, index), code in found.items())

    @classmethod
    def from_codes(cls, coord: Ranged, values: Any) -> Self:
        """Return the container that holds `values`, one per place, in the order of :meth:`places`."""
        container = cls()
        given = {(place.field, place.index): np.asarray(value) for place, value in zip(cls.places(coord), values, strict=True)}
        for (member, own), (_, there) in zip(container._members(), cls._located(coord)._members(), strict=True):
            if member.field:
                parts = [given[place.field, place.index].reshape(-1) for place in _places(member, there)]
                if member.over:
                    member.write(own, np.concatenate(parts).reshape(member.shape), (...,))
                else:
                    code = int(parts[0][0])
                    member.write(own, member.bits[0](code) if member.bits else code)
        return container

    def write_to(self, config: ChipConfig, coord: Ranged) -> None:
        """Write the container to its place in a configuration; counters and members without effect are left out."""
        for field, index, codes in self.codes(coord):
            config[(field, *Place("", field, index).key)] = codes

    @classmethod
    def read_from(cls, config: ChipConfig, coord: Ranged) -> Self:
        """Return the container at a coordinate of a configuration, as a copy."""
        return cls(cls._located(coord, Store(config)))


def _places(member: Member, part: Part) -> list[Place]:
    """Return the places of a member: one, or one for each of several columns that are accessed together and are not neighbours."""
    name = ".".join(str(step) for step in (*part._key, member.name))
    lengths = REGISTERS[member.field].shape
    options = [_runs(axis, length) for axis, length in zip(member.axes(part), lengths, strict=True)]
    split = next((axis for axis, runs in enumerate(options) if len(runs) > 1), None)
    found = []
    for entry, index in enumerate(product(*options)):
        whole = list(index)
        while whole and whole[-1] == (0, lengths[len(whole) - 1]):
            whole.pop()
        found.append(Place(name if split is None else f"{name}[{entry}]", member.field, tuple(whole)))
    return found


def _runs(numbers: Any, length: int) -> list[int | tuple[int, int]]:
    """Return an axis of a place as the Program takes it: numbers, or one range."""
    if numbers is None:
        return [(0, length)]
    if not isinstance(numbers, list):
        return [numbers]
    first, last = numbers[0], numbers[-1]
    return [(first, last + 1)] if numbers == list(range(first, last + 1)) else numbers


def _split(member: Member, part: Part, codes: Any) -> list[Any]:
    """Return the codes of a member for each of its places."""
    if not member.over:
        return [int(codes)]
    number = len(_places(member, part))
    return [np.array(codes)] if number == 1 else [int(code) for code in codes]


def container_type_of(coord: Ranged) -> type[Container]:
    """Return the kind of container that a read of the coordinate gives.

    Raises
    ------
    UnknownMemberError
        If nothing can be read there.
    """
    try:
        return _TYPE_OF[type(coord)]
    except KeyError:
        raise UnknownMemberError(f"No container belongs to {type(coord).__name__}; it can be neither read nor written.") from None


def containers_of(*modules: ModuleType) -> dict[str, type[Container]]:
    """Return the public container classes that modules define, by name."""
    found = [
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Container) and kind.__module__ == module.__name__
    ]
    return {kind.__name__: kind for kind in found if kind.coordinate is not None}


def switch(field: str = "", default: int | None = None, *over: type[Ranged], bits: Bits | None = None, **facts: int) -> Any:
    """Return a member that is on or off; arguments as for :class:`Member`."""
    return Member(bool, field, default, over, bits, facts)


def code(kind: Kind, field: str = "", default: int | None = None, *over: type[Ranged], **facts: int) -> Any:
    """Return a member of a ranged or enumerated type; arguments as for :class:`Member`."""
    return Member(kind, field, default, over, None, facts)


def ranged(name: str, high: int, low: int = 0) -> Any:
    """Return a new type of integers from `low` to `high`."""
    return type(name, (Ranged,), {"__module__": MADE_HERE}, size=high - low + 1, low=low)


def ranged_of(name: str, field: str) -> Any:
    """Return a new type with the range of a register field."""
    return ranged(name, REGISTERS[field].high, REGISTERS[field].low)


def choices(name: str, *words: str) -> Any:
    """Return a new enumeration."""
    functional: Any = Choice
    return functional(name, {word: number for number, word in enumerate(words)}, module=MADE_HERE)


def choices_of(name: str, field: str) -> Any:
    """Return an enumeration of a register field's choices."""
    return choices(name, *(REGISTERS[field].choices or ()))


def stored(module: str, name: str, at: type[Ranged] | tuple[type[Ranged], ...], text: str, /, **members: Any) -> Any:
    """Return a container class whose members are only stored.

    Each member is given as its type, or as a tuple of type, default, and coordinates of its axes. Types that were made for the class become its attributes.
    """
    body: dict[str, Any] = {"__module__": module, "__doc__": text}
    for member, given in members.items():
        kind, default, *over = given if isinstance(given, tuple) else (given, None)
        body[member] = Member(kind, "", default, tuple(over))
        if kind.__module__ == MADE_HERE:
            body[kind.__name__] = kind
    return types.new_class(name, (Container,), {"at": at}, lambda namespace: namespace.update(body))


def config_of(chip: Part) -> ChipConfig:
    """Return the live configuration of a chip; what is written to it, the chip shows.

    Raises
    ------
    CoordinateTypeError
        If the container is not inside a chip.
    """
    if chip._store.config is None:
        raise CoordinateTypeError(f"This {type(chip).__name__} stands free; only a lola.Chip has a configuration.")
    return chip._store.config


def chip_of(config: ChipConfig) -> Any:
    """Return a :class:`~dlens_vx_v3.lola.Chip` that shares `config`."""
    from dlens_vx_v3.lola._chip import Chip

    return Chip._view(Store(config), (), ChipOnDLS().known())
