"""Containers: plain value objects of the register level, and how they lie in the configuration of a chip.

A container is declared, not programmed: its class lists members, and each member names the register field that it stands for. Which element of the field that
is follows from the coordinate: its facts fix some axes of the field (circuit, hemisphere, row, ...), and the axes that stay free are the member's own shape. A
member without a field is stored and has no effect.

A free-standing container owns its values. One inside a :class:`~dlens_vx_v3.lola.Chip` is a view: reading and writing it reads and writes the chip's
:class:`~neckar.chip.config.ChipConfig`. Assignment copies.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np

from dlens_vx_v3._member import Member, facts_of
from dlens_vx_v3._part import Many, Part, Sub, declared
from dlens_vx_v3._values import MADE_HERE, REGISTERS, Store, UnknownMemberError
from dlens_vx_v3.halco import ChipOnDLS
from dlens_vx_v3.halco._base import CoordinateTypeError, Ranged
from neckar.chip.config import ChipConfig

__all__ = [
    "Container",
    "Many",
    "Member",
    "Part",
    "Place",
    "SingleValue",
    "Sub",
    "UnknownMemberError",
    "chip_of",
    "config_of",
    "container_type_of",
    "containers_of",
    "declared",
    "stored",
]

Index = tuple[int | tuple[int, int], ...]


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


_TYPE_OF: dict[Any, type[Container]] = {}


class Container(Part):
    """What a coordinate holds: a class per kind, ``class CommonNeuronBackendConfig(Container, at=CommonNeuronBackendConfigOnDLS): ...``."""

    coordinate: ClassVar[Any] = None
    is_on_board: ClassVar[bool] = False
    """Whether it belongs to the board around the chip."""

    def __init_subclass__(cls, at: Any = ()) -> None:
        coordinates = at if isinstance(at, tuple) else (at,)
        for coordinate in coordinates:
            _TYPE_OF.setdefault(coordinate, cls)
        if coordinates:
            cls.coordinate = coordinates[0]
        super().__init_subclass__()

    @classmethod
    def _located(cls, coord: Ranged, store: Store | None = None) -> Self:
        return cls._view(store or Store(), (), facts_of(coord))

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
            key = Place("", field, index).key
            if np.ndim(codes) or config[field][key] != codes:
                config[(field, *key)] = codes

    @classmethod
    def read_from(cls, config: ChipConfig, coord: Ranged) -> Self:
        """Return the container at a coordinate of a configuration, as a copy."""
        return cls(cls._located(coord, Store(config)))


class SingleValue(Container):
    """A container of one value whose field depends on the coordinate; subclasses say where it lies."""

    value: Any

    def codes(self, coord: Ranged) -> tuple[tuple[str, Index, Any], ...]:
        """Return field, index and code of the value's place."""
        return tuple((place.field, place.index, int(self.value)) for place in self.places(coord))

    @classmethod
    def from_codes(cls, coord: Ranged, values: Any) -> Self:
        """Return the container that holds the value; at coordinates without a place an empty one."""
        (member,) = declared(cls).values()
        assert isinstance(member, Member)
        return cls(*(member.typed(value) for value in values))

    @classmethod
    def read_from(cls, config: ChipConfig, coord: Ranged) -> Self:
        """Return the container at a coordinate of a configuration."""
        return cls.from_codes(coord, [config[place.field][place.key] for place in cls.places(coord)])


def _places(member: Member, part: Part) -> list[Place]:
    """Return the places of a member: one, or one for each of several columns that are accessed together and are not neighbours."""
    name = ".".join(str(step) for step in (*part._key, member.name))
    lengths = REGISTERS[member.field].shape
    axes = member.axes(part)
    if not any(isinstance(numbers, list) for numbers in axes):
        return [Place(name, member.field, _index(axes, lengths))]
    options = [_runs(axis, length) for axis, length in zip(axes, lengths, strict=True)]
    split = next((axis for axis, runs in enumerate(options) if len(runs) > 1), None)
    found = []
    for entry, index in enumerate(product(*options)):
        found.append(Place(name if split is None else f"{name}[{entry}]", member.field, _index(index, lengths)))
    return found


def _index(numbers: Sequence[Any], lengths: tuple[int, ...]) -> Index:
    """Return the index of a place: whole axes at the end are left out."""
    whole = [(0, length) if number is None else number for number, length in zip(numbers, lengths, strict=True)]
    while whole and whole[-1] == (0, lengths[len(whole) - 1]):
        whole.pop()
    return tuple(whole)


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
