"""Values of targets and options: quantities, arrays over coordinates, and the base that keeps attributes in their type.

Upstream's are C++ structures; what scripts see of them is attributes that take numbers, ``fill``, indices by coordinate, ``to_numpy`` and ``as_quantity``.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from neckar.errors import ConfigurationError, ParameterRangeError, UnknownNameError, nearest

Values = NDArray[np.float64]


class UnknownTargetError(UnknownNameError, AttributeError):
    """A target or option that does not exist."""


class _Quantity(float):
    """A number with a unit; `unit` is that of :meth:`value`."""

    unit: ClassVar[str]

    def __new__(cls, value: Any = 0.0) -> _Quantity:
        return float.__new__(cls, magnitude(value, cls.unit))

    def value(self) -> float:
        """Return the bare number."""
        return float(self)

    def as_quantity(self) -> Any:
        """Return it with its unit, of the package quantities."""
        import quantities

        return quantities.Quantity(float(self), self.unit)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({float(self):g})"


class TimeInS(_Quantity):
    """A time in seconds of hardware time; quantities of other units are converted."""

    unit = "s"


class PotentialInVolt(_Quantity):
    """A potential in V; quantities of other units are converted."""

    unit = "V"


class OptionalFloat(float):
    """A number that may be missing."""

    def value(self) -> float:
        """Return the bare number."""
        return float(self)


def magnitude(value: Any, unit: str) -> Any:
    """Return numbers in a unit: quantities are converted, bare numbers are taken as they are.

    Raises
    ------
    ConfigurationError
        If a quantity has another dimension.
    """
    if not hasattr(value, "rescale"):
        return value
    try:
        return value.rescale(unit).magnitude
    except ValueError as error:
        raise ConfigurationError(f"{value} was given where a quantity in {unit} is expected: {error}. Give it in {unit} or a unit of the same kind.") from None


class Array(NDArrayOperatorsMixin):
    """Numbers over coordinates: one per neuron, or two per neuron (excitatory, inhibitory), or one per quadrant.

    Index it by coordinate or integer; a part of a two-dimensional one is a view. Missing numbers are None. In arithmetic and comparisons it is a numpy array,
    or a quantity if it has a unit; only ``==`` compares as a whole.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, kind: Any, values: Any, shape: tuple[int, ...], where: str = "array") -> None:
        self._kind, self._where = kind, where
        self._values = np.empty(shape)
        self.fill(values)

    def _part(self, values: Values) -> Array:
        part = object.__new__(Array)
        part._kind, part._where, part._values = self._kind, self._where, values
        return part

    def _number(self, index: Any) -> Any:
        return index if isinstance(index, slice | np.ndarray | list) else int(index)

    def __getitem__(self, index: Any) -> Any:
        found = self._values[self._number(index)]
        return self._part(found) if np.ndim(found) else self._typed(found)

    def _typed(self, number: float) -> Any:
        if math.isnan(number):
            return None
        return self._kind(number) if issubclass(self._kind, float) else self._kind(round(number))

    def __setitem__(self, index: Any, values: Any) -> None:
        where = self._number(index)
        self._values[where] = np.broadcast_to(self._checked(values), np.shape(self._values[where]))

    def fill(self, value: Any) -> None:
        """Set all elements, to one value or to an array of the same shape."""
        numbers = self._checked(value)
        try:
            self._values[...] = numbers if numbers.ndim != 1 or self._values.ndim == 1 or len(numbers) == 2 else numbers[:, np.newaxis]
        except ValueError:
            raise ConfigurationError(f"{self._where} has shape {self.shape}, got {numbers.shape}. Give one value or an array of that shape.") from None

    def _checked(self, values: Any) -> Values:
        """Return values as numbers after checking them by their type."""
        if isinstance(values, Array):
            values = values._values
        given = np.asarray(magnitude(values, getattr(self._kind, "unit", "dimensionless")))
        numbers = np.array([math.nan if v is None else v for v in given.reshape(-1)], np.float64).reshape(given.shape)
        known = numbers[~np.isnan(numbers)]
        if known.size < numbers.size and self._kind is not OptionalFloat:
            raise ConfigurationError(f"{self._where} got a missing value; allowed are numbers. Give one for each element.")
        for extreme in (known.min(), known.max()) if known.size else ():
            self._typed(float(extreme))
        return numbers

    def to_numpy(self) -> NDArray[Any]:
        """Return a copy of all elements: integers for digital values, floats otherwise, missing ones as not-a-number."""
        return self._values.copy() if issubclass(self._kind, float) else np.rint(self._values).astype(int)

    def as_quantity(self) -> Any:
        """Return all elements with their unit, of the package quantities."""
        import quantities

        return quantities.Quantity(self._values.copy(), getattr(self._kind, "unit", "dimensionless"))

    @property
    def units(self) -> Any:
        """Its unit, of the package quantities."""
        return self.as_quantity().units

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self._values.shape

    @property
    def size(self) -> int:
        """Length of the first axis."""
        return self.shape[0]

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self._plain() if dtype is None else self._plain().astype(dtype)

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **named: Any) -> Any:
        return getattr(function, method)(*(one._plain() if isinstance(one, Array) else one for one in inputs), **named)

    def _plain(self) -> Any:
        return self.as_quantity() if hasattr(self._kind, "unit") else self.to_numpy()

    def __eq__(self, other: object) -> bool:
        return bool(np.array_equal(self._values, other._values, equal_nan=True)) if isinstance(other, Array) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __repr__(self) -> str:
        first = self._values.flat[0]
        content = f"all {first:g}" if np.all((self._values == first) | np.isnan(self._values) & np.isnan(first)) else f"{first:g}, ..."
        return f"Array{self.shape} of {self._kind.__name__}: {content}"


class Range:
    """A range with both ends; ``lower`` and ``upper`` may be set.

    Raises
    ------
    ParameterRangeError
        If the lower end is above the upper one.
    """

    Value: Any
    lower: Any
    upper: Any

    def __init__(self, lower: Any, upper: Any, kind: Any = int) -> None:
        self.__dict__.update(Value=kind, lower=kind(lower), upper=kind(upper))
        if lower > upper:
            raise ParameterRangeError(f"a range was given from {lower} to {upper}; allowed is lower <= upper. Exchange the ends.")

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in ("lower", "upper"):
            raise UnknownTargetError(f"a range has no {name!r}; it has lower and upper.")
        self.__dict__[name] = self.Value(value)

    def to_tuple(self) -> tuple[Any, Any]:
        """Return both ends."""
        return self.lower, self.upper

    def __eq__(self, other: object) -> bool:
        return self.to_tuple() == other.to_tuple() if isinstance(other, Range) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Range({self.lower}, {self.upper})"


Convert = Callable[[Any], Any]


class Settings:
    """Base of targets and options: attributes as declared in `_fields`, each a function that brings a value into its type, and its default."""

    _fields: ClassVar[Mapping[str, tuple[Convert, Any]]] = {}
    __hash__ = None  # type: ignore[assignment]

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, **values: Any) -> None:
        for name, (convert, default) in self._all().items():
            self.__dict__[name] = convert(values.pop(name) if name in values else copy.deepcopy(default))
        for name, value in values.items():
            setattr(self, name, value)  # raises

    @classmethod
    def _all(cls) -> Mapping[str, tuple[Convert, Any]]:
        return cls._fields

    def __setattr__(self, name: str, value: Any) -> None:
        known = self._all()
        if name not in known:
            raise UnknownTargetError(f"{type(self).__name__} has no {name!r}{nearest(name, known)} Names: {', '.join(known)}.")
        self.__dict__[name] = known[name][0](value)

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._all())})"


def array(name: str, kind: Any, shape: tuple[int, ...]) -> Convert:
    """Return the conversion of an attribute that is an array."""
    return lambda value: Array(kind, value, shape, name)


def array_type(kind: Any, shape: tuple[int, ...], start: Any = 0) -> Callable[..., Array]:
    """Return what makes an array of one attribute, with `start` or values of one's own: upstream's targets have such names, ``NeuronCalibTarget.TauSyn()``."""

    def make(values: Any = start) -> Array:
        return Array(kind, values, shape)

    return make


def instance(name: str, *kinds: type) -> Convert:
    """Return the conversion of an attribute that holds other settings; a value of the wrong type raises a ConfigurationError."""

    def convert(value: Any) -> Any:
        if not isinstance(value, kinds):
            words = " or ".join(kind.__name__ for kind in kinds)
            raise ConfigurationError(f"{name} takes {words}, got {value!r} of type {type(value).__name__}. Make one and set its attributes.")
        return value

    return convert


def optional(convert: Convert) -> Convert:
    """Return a conversion that lets None pass."""
    return lambda value: None if value is None else convert(value)
