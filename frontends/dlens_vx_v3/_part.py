"""Parts of containers: named groups of members, and collections of them by coordinate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from dlens_vx_v3._member import Member, facts_of, number_on
from dlens_vx_v3._values import MADE_HERE, Key, Store, UnknownMemberError
from dlens_vx_v3.halco import iter_all
from dlens_vx_v3.halco._base import CoordinateTypeError, Ranged, memo
from neckar.errors import nearest


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

    def __getattr__(self, name: str) -> Any:
        """Return ``get_x(coordinate)`` or ``set_x(coordinate, value)`` of a member with axes, which is the same as ``x[coordinate]``."""
        verb, _, member = name.partition("_")
        entry = declared(type(self)).get(member) if verb in ("get", "set") else None
        if isinstance(entry, Member) and entry.over:
            array = getattr(self, member)
            return array.__getitem__ if verb == "get" else array.__setitem__
        raise UnknownMemberError(f"{type(self).__name__} has no member {name!r}{nearest(name, declared(type(self)))}")

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
        return self if part is None else self.kind._view(part._store, (*part._key, self.name), {**part._facts, **self.facts} if self.facts else part._facts)

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
        number = number_on(index, many.over, many.name)
        facts = {**part._facts, **facts_of(many.over.at(number + many.over.min)), **many.facts}
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
