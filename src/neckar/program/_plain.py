"""Plain data: what all types of this room have in common.

A `Plain` type is a frozen dataclass whose arrays and mappings cannot be changed either. It compares bit for bit, prints shortly, and survives
pickling (a process border) with the same guarantees, because it is rebuilt through its constructor.
"""

from __future__ import annotations

import dataclasses
import io
import operator
import pickle
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from neckar.errors import ParameterRangeError, ProgramError

K = TypeVar("K")
V = TypeVar("V")

_SHOWN = 3  # items of a tuple or mapping in a repr
_SHOWN_CHARACTERS = 40  # of a string in a repr


class FrozenDict(dict[K, V]):
    """A dictionary that cannot be changed. Derive a new one: ``{**old, name: value}``."""

    __slots__ = ()

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError("this mapping is part of plain data and cannot be changed; derive a new one: {**old, name: value}")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)


class FrozenFields(FrozenDict[str, NDArray[Any]]):
    """Arrays that are known to be read-only, with names that are known to be strings: plain data takes them without looking at each."""

    __slots__ = ()


class Plain:
    """Base of the data types: exact equality, short repr, pickling. Subclasses are ``@dataclass(frozen=True, eq=False, repr=False)``."""

    def __eq__(self, other: object) -> bool:
        """Compare bit for bit, NaN patterns, dtypes and shapes included; fields declared with ``compare=False`` do not count."""
        if type(other) is not type(self):
            return NotImplemented
        return all(same(getattr(self, f.name), getattr(other, f.name)) for f in _fields(self) if f.compare)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{f.name}={summary(getattr(self, f.name))}' for f in _fields(self))})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), {f.name: getattr(self, f.name) for f in _fields(self)})

    def _set(self, **values: object) -> None:
        """Set fields from ``__post_init__`` of a frozen dataclass."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _set_places(self, *axes: str) -> None:
        """Check and freeze the fields that say where on the machine: the hemisphere, if there is one, and the numbers along each of `axes`."""
        name = type(self).__name__
        if hasattr(self, "hemisphere"):
            self._set(hemisphere=integer(self.hemisphere, f"{name}.hemisphere", low=0))
        self._set(**{axis: int_tuple(getattr(self, axis), f"{name}.{axis}") for axis in axes})


def _fields(plain: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(plain)


def packed(data: object) -> bytes:
    """Return plain data, in any containers, as bytes for :func:`pickle.loads` in a process of the same Neckar: it has been checked and is not checked again."""
    stream = io.BytesIO()
    _Packer(stream, 5).dump(data)  # from protocol 5 on, read-only arrays stay so
    return stream.getvalue()


class _Packer(pickle.Pickler):
    def reducer_override(self, thing: object) -> Any:
        return (_as_it_was, thing.__reduce__()[1]) if isinstance(thing, Plain) else NotImplemented


def _as_it_was(cls: type, values: dict[str, object]) -> object:
    plain: Any = object.__new__(cls)
    plain.__dict__.update(values)
    return plain


def _rebuild(cls: type, values: dict[str, object]) -> object:
    return cls(**values)


def same(a: object, b: object) -> bool:
    """Return whether two values of plain data agree in type and in every bit; mappings agree if their contents do."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(value, b[key]) for key, value in a.items())
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and bool(np.array_equal(a.reshape(-1).view(np.uint8), b.reshape(-1).view(np.uint8)))
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b)
    return a == b


def summary(value: object) -> str:
    """Return a short text for `value`: arrays as dtype and shape, long tuples, mappings and strings shortened."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}[{', '.join(map(str, value.shape))}]"
    if isinstance(value, dict):
        shown = [f"{key!r}: {summary(item)}" for key, item in list(value.items())[:_SHOWN]]
        return "{" + ", ".join(shown) + (f", ... {len(value)} items" if len(value) > _SHOWN else "") + "}"
    if isinstance(value, tuple):
        shown = [summary(item) for item in value[:_SHOWN]]
        return "(" + ", ".join(shown) + (f", ... {len(value)} items)" if len(value) > _SHOWN else ",)" if len(value) == 1 else ")")
    if isinstance(value, str) and len(value) > _SHOWN_CHARACTERS:
        return f"{value[:_SHOWN_CHARACTERS]!r}... {len(value)} characters"
    return repr(value)


def frozen(value: ArrayLike, where: str) -> NDArray[Any]:
    """Return `value` as a C-contiguous, read-only array in native byte order.

    Copies unless nobody can write to the memory any more: a machine that hands over an array it owns avoids the copy with ``array.setflags(write=False)``.

    Raises
    ------
    ProgramError
        If the elements are not numbers or booleans.
    """
    array = np.asarray(value, order="C")
    if array.dtype.kind not in "biufc":
        raise ProgramError(f"{where} has dtype {array.dtype}; plain data are booleans and numbers. Convert it with numpy.asarray(..., dtype).")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    owner = array if array.base is None else array.base
    if array.flags.writeable or (isinstance(owner, np.ndarray) and owner.flags.writeable):
        array = array.copy(order="C")
        array.setflags(write=False)
    return array


def integers(value: ArrayLike, dtype: DTypeLike, where: str) -> NDArray[Any]:
    """Return `value` as a frozen array of an integer `dtype`; values that do not fit are refused, never wrapped.

    Raises
    ------
    ProgramError
        If the elements are not whole numbers.
    ParameterRangeError
        If an element does not fit into `dtype`.
    """
    array = np.asarray(value)
    dtype = np.dtype(dtype)
    if array.dtype == dtype:
        return frozen(array, where)
    if array.size:
        if array.dtype.kind not in "iu":
            raise ProgramError(f"{where} has dtype {array.dtype}; allowed are whole numbers ({dtype}). Round and convert it with .astype(numpy.{dtype}).")
        info = np.iinfo(dtype)
        check_range(array, int(info.min), int(info.max), where, f"The field is stored as {dtype}.")
    return frozen(array.astype(dtype), where)


def check_range(array: NDArray[Any], low: float, high: float, where: str, remedy: str) -> None:
    """Raise `ParameterRangeError` that names the first element of `array` outside `low` to `high`; NaN lies outside."""
    if array.size == 0 or (array.min() >= low and array.max() <= high):
        return
    first = np.unravel_index(int(np.flatnonzero(~((array >= low) & (array <= high)))[0]), array.shape)
    place = f"[{', '.join(str(int(i)) for i in first)}]" if first else ""
    raise ParameterRangeError(f"{where}{place} is {array[first]}; allowed is {low} to {high}. {remedy}")


def integer(value: object, where: str, low: int = -(2**63), high: int = 2**63 - 1, unit: str = "") -> int:
    """Return `value` as int after checking that it is a whole number within `low` to `high`, by default those of int64."""
    try:
        result = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        allowed = f"a whole number of {unit}" if unit else "a whole number"
        seconds = ", or seconds with neckar.program.ticks(seconds)" if unit == "ticks" else ""
        raise ProgramError(f"{where} is {summary(value)}; allowed is {allowed}. Convert it with int(){seconds}.") from None
    unit = f" {unit}" if unit else ""
    if not low <= result <= high:
        bounds = f"at least {low}" if result < low and high == 2**63 - 1 else f"{low} to {high}"
        raise ParameterRangeError(f"{where} is {result}; allowed is {bounds}{unit}. Choose a value inside this range.")
    return result


def int_tuple(values: Iterable[Any], where: str) -> tuple[int, ...]:
    """Return distinct whole numbers, 0 or above, as a tuple of int, for instance circuits or rows."""
    if isinstance(values, np.ndarray):
        values = values.tolist()
    try:
        result = tuple(map(operator.index, values))
    except TypeError:
        raise ProgramError(f"{where} is {summary(values)}; allowed is a sequence of whole numbers. Write for instance (0, 1, 2).") from None
    if result and not (min(result) >= 0 and max(result) < 2**31):
        i, bad = next((i, n) for i, n in enumerate(result) if not 0 <= n < 2**31)
        raise ParameterRangeError(f"{where}[{i}] is {bad}; allowed are numbers from 0 to 2**31 - 1. Count from the start.")
    check_distinct(result, where)
    return result


def check_distinct(names: Iterable[object], where: str) -> None:
    """Raise `ProgramError` that lists the names which occur more than once."""
    names = tuple(names)
    if len(set(names)) < len(names):
        twice = [repr(name) for name, count in Counter(names).items() if count > 1]
        raise ProgramError(f"{where} names {', '.join(twice[:5])} more than once; each may occur once. Remove or rename the repetitions.")


def string(value: object, where: str) -> str:
    """Return `value` after checking that it is a string."""
    if not isinstance(value, str):
        raise ProgramError(f"{where} is {summary(value)}; allowed is a string. Convert it with str().")
    return str(value)


def tuple_of(cls: type, values: Iterable[Any], where: str) -> tuple[Any, ...]:
    """Return `values` as a tuple after checking that each is a `cls`."""
    if not isinstance(values, Iterable):
        raise ProgramError(f"{where} is {summary(values)}; allowed is a sequence of {cls.__name__}. Write ({cls.__name__}(...),).")
    values = tuple(values)
    for i, value in enumerate(values):
        if not isinstance(value, cls):
            raise ProgramError(f"{where}[{i}] is {summary(value)}; allowed are {cls.__name__} objects. Build it with neckar.program.{cls.__name__}(...).")
    return values


def mapping_of(mapping: Mapping[str, Any], where: str, convert: Callable[[Any, str], V]) -> FrozenDict[str, V]:
    """Return a frozen copy of a mapping, or of what ``as_mapping()`` gives, with string keys and values converted by ``convert(value, where)``."""
    if not isinstance(mapping, Mapping) and hasattr(mapping, "as_mapping"):
        mapping = mapping.as_mapping()
    if isinstance(mapping, FrozenFields) and convert is frozen:
        return cast(FrozenDict[str, V], mapping)
    if not isinstance(mapping, Mapping):
        raise ProgramError(f"{where} is {summary(mapping)}; allowed is a mapping of names. Write {{name: value}}.")
    return FrozenDict({string(key, f"a key of {where}"): convert(value, f"{where}[{key!r}]") for key, value in mapping.items()})
