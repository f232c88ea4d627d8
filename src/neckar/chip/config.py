"""Configuration of one BrainScaleS-2 chip: every register field of the table as one array.

The arrays are views into a single block of memory, each aligned to a cache line, so that copying or comparing a chip is one pass over 0.3 MB. Field names,
shapes, ranges and defaults come from the register table (:func:`neckar.facts.registers`); nothing about a field is written down here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.errors import ConfigurationError, ParameterRangeError, UnknownNameError, nearest
from neckar.facts import Register, check_codes, registers
from neckar.program._plain import FrozenFields

_ALIGNMENT = 64
_TABLE = registers("brainscales2")
_FIELDS: dict[str, Register] = {name: register for name, register in _TABLE.items() if not register.counter}


def _layout() -> tuple[dict[str, slice], int]:
    """Return the bytes of each field within the block, and the block's size."""
    places: dict[str, slice] = {}
    end = 0
    for name, register in _FIELDS.items():
        start = -(-end // _ALIGNMENT) * _ALIGNMENT
        end = start + register.size * register.dtype.itemsize
        places[name] = slice(start, end)
    return places, -(-end // _ALIGNMENT) * _ALIGNMENT


_PLACES, _BYTES = _layout()
_NAMES = tuple(_PLACES)
_STARTS = np.array([place.start for place in _PLACES.values()])


def _block() -> NDArray[np.uint8]:
    """Return a new aligned block, not filled."""
    raw = np.empty(_BYTES + _ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + _BYTES]


def _view(block: NDArray[np.uint8], name: str) -> NDArray[Any]:
    """Return the array of a field within a block."""
    register = _FIELDS[name]
    return np.ndarray(register.shape, register.dtype, buffer=block, offset=_PLACES[name].start)


def _default_block() -> NDArray[np.uint8]:
    block = _block()
    block[:] = 0  # gaps between fields, too: blocks are compared as a whole
    for name, register in _FIELDS.items():
        _view(block, name)[...] = register.default
    return block


_DEFAULT = _default_block()


class UnknownFieldError(UnknownNameError, AttributeError):
    """A field that does not exist; also an AttributeError, so that ``hasattr`` works."""


class ChipConfig:
    """All register fields of a chip, as arrays of codes.

    Fields are attributes and items: ``config.leak_v_leak`` and ``config["leak_v_leak"]`` return a read-only view, shape and dtype as in the register
    table, that follows later changes. Every write is checked: ``config.leak_v_leak = codes`` sets the field (a scalar sets all of it) and
    ``config["leak_v_leak", 3:5] = codes`` a part of it, indexed as numpy does. Iteration goes over the field names.

    Raises
    ------
    UnknownNameError
        If a field does not exist; lists the nearest names. Counters are not part of a configuration.
    ParameterRangeError
        If a code lies outside its range; names field, index, value and range. Nothing is written.
    ConfigurationError
        If the values are no integers or do not fit the shape. Nothing is written.

    Examples
    --------
    >>> config = ChipConfig.default()
    >>> config.leak_v_leak = 700
    >>> config["threshold_enable", 3] = True
    >>> sorted(config.delta_from(ChipConfig.default()))
    ['leak_v_leak', 'threshold_enable']
    """

    __slots__ = ("_data", "_frozen", "_views")
    __hash__ = None  # type: ignore[assignment]  # mutable

    _data: NDArray[np.uint8]
    _frozen: NDArray[np.uint8]
    _views: dict[str, NDArray[Any]]  # read-only, made when they are first asked for

    def __init__(self, fields: Mapping[str, ArrayLike] | None = None) -> None:
        """Start from the table's defaults and apply `fields`."""
        self._adopt(_DEFAULT)
        if fields:
            self.apply(fields)

    @classmethod
    def default(cls) -> Self:
        """Return the configuration after a reset: the defaults of the table."""
        return cls()

    def copy(self) -> Self:
        """Return an independent copy."""
        twin = object.__new__(type(self))
        twin._adopt(self._data)
        return twin

    def apply(self, delta: Mapping[str, ArrayLike], *, checked: bool = False) -> None:
        """Write fields in place; either all of `delta` or, if anything in it is wrong, nothing. `checked`: a Program has looked at them already."""
        codes_of = delta if checked else {name: _checked(name, codes, _field(name).shape) for name, codes in delta.items()}
        for name, codes in codes_of.items():
            _view(self._data, name)[...] = codes

    def updated(self, delta: Mapping[str, ArrayLike]) -> Self:
        """Return a copy with the fields of `delta` written."""
        twin = self.copy()
        twin.apply(delta)
        return twin

    def delta_from(self, other: ChipConfig) -> dict[str, NDArray[Any]]:
        """Return the whole arrays of the fields that differ, so that ``other.updated(self.delta_from(other)) == self``."""
        bytes_changed = np.flatnonzero(self._data != other._data)
        fields_changed = np.unique(np.searchsorted(_STARTS, bytes_changed, side="right") - 1)
        return {_NAMES[i]: self[_NAMES[i]].copy() for i in fields_changed}

    def as_mapping(self) -> FrozenFields:
        """Return every field as a read-only array that no later change of this object reaches."""
        snapshot = self.copy()
        return FrozenFields({name: _view(snapshot._frozen, name) for name in _FIELDS})

    def __getitem__(self, name: str) -> NDArray[Any]:
        try:
            return self._views[name]
        except (KeyError, TypeError):
            _field(name)
            view = self._views[name] = _view(self._frozen, name)
            return view

    def __setitem__(self, key: str | tuple[Any, ...], codes: ArrayLike) -> None:
        name, *index = key if isinstance(key, tuple) else (key,)
        register = _field(name)
        view = _view(self._data, name)
        place = tuple(index)
        try:
            shape = view[place].shape
        except IndexError as error:
            raise ConfigurationError(f"{name} has shape {view.shape}: {error}") from None
        try:
            view[place] = _checked(name, codes, shape)
        except ParameterRangeError:
            if not place:
                raise
            whole = view.astype(np.int64)
            whole[place] = codes
            check_codes(register, whole)  # raises with the offender's index in the whole field

    def __getattr__(self, name: str) -> NDArray[Any]:
        if name in _FIELDS:
            return self[name]
        if name.startswith("_"):  # protocols probe such names; no search for similar ones
            raise AttributeError(name)
        raise UnknownFieldError(_unknown(name))

    def __setattr__(self, name: str, codes: ArrayLike) -> None:
        self[name] = codes

    def __contains__(self, name: object) -> bool:
        return name in _FIELDS

    def __iter__(self) -> Iterator[str]:
        return iter(_FIELDS)

    def __len__(self) -> int:
        return len(_FIELDS)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *_FIELDS]

    def __eq__(self, other: object) -> bool:
        return bool(np.array_equal(self._data, other._data)) if isinstance(other, ChipConfig) else NotImplemented

    def __getstate__(self) -> bytes:
        return self._data.tobytes()

    def __setstate__(self, state: bytes) -> None:
        self._adopt(np.frombuffer(state, dtype=np.uint8))

    def __repr__(self) -> str:
        changed = list(self.delta_from(type(self)()))
        listed = ", ".join(changed[:5]) + (", ..." if len(changed) > 5 else "")
        return f"ChipConfig({len(changed)} fields differ from the default{': ' if changed else ''}{listed})"

    def _adopt(self, data: NDArray[np.uint8]) -> None:
        """Take over a copy of a block's bytes."""
        block = _block()
        block[:] = data
        frozen = block.view()
        frozen.flags.writeable = False
        object.__setattr__(self, "_data", block)
        object.__setattr__(self, "_frozen", frozen)
        object.__setattr__(self, "_views", {})


def _field(name: str) -> Register:
    """Return the register of a field."""
    try:
        return _FIELDS[name]
    except (KeyError, TypeError):
        raise UnknownFieldError(_unknown(name)) from None


def _unknown(name: str) -> str:
    """Return the text for a name that is not a field."""
    if name in _TABLE:
        return f"{name} is a counter; it can be read during a run, not configured."
    return f"BrainScaleS-2 has no register field {name!r}{nearest(name, _FIELDS)}"


def _checked(name: str, codes: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return codes in the field's dtype after checking that they fit the shape and lie in range."""
    array = check_codes(_FIELDS[name], codes)
    if array.shape != shape and array.ndim:
        try:
            return np.broadcast_to(array, shape)
        except ValueError:
            raise ConfigurationError(f"{name}: codes of shape {array.shape} do not fit shape {shape}. Give a scalar or an array of that shape.") from None
    return array
