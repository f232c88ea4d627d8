"""Checks of what PyNN hands on to numpy as it is."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyNN.errors
from numpy.typing import NDArray

from neckar.errors import ConfigurationError, NeckarError, UnsupportedFeatureError
from pynn_brainscales.brainscales2._errors import ArgumentTypeError, CellIndexError

_PYNN_ERRORS: tuple[type[Exception], ...] = tuple(error for error in vars(pyNN.errors).values() if isinstance(error, type) and issubclass(error, Exception))
_INSIDE = (TypeError, ValueError, LookupError, AttributeError, AssertionError, ArithmeticError, NameError, SyntaxError)


@contextmanager
def explained(what: Callable[[], str]) -> Iterator[None]:
    """Say what was asked where PyNN or numpy refuse an argument; `what` is called in that case alone.

    Raises
    ------
    ArgumentTypeError
        Instead of an error out of the inside of PyNN or numpy; errors that are meant for users pass.
    UnsupportedFeatureError
        If PyNN says that it has not implemented something.
    """
    try:
        yield
    except NeckarError:
        raise
    except pyNN.errors.InvalidDimensionsError as error:
        raise pyNN.errors.InvalidDimensionsError(f"{what()}: {error}. Give one value, or one for each cell or connection.") from None
    except _PYNN_ERRORS:
        raise
    except NotImplementedError as error:
        raise UnsupportedFeatureError(f"{what()} is not implemented by PyNN. Use another way.") from error
    except _INSIDE as error:
        raise ArgumentTypeError(f"{what()} cannot be understood: {str(error) or type(error).__name__}. Compare its arguments with PyNN's.") from error


def shown(arguments: Mapping[str, Any]) -> str:
    """Return keyword arguments for an error text, long values shortened."""
    return ", ".join(f"{name}={reprlib.repr(value)}" for name, value in arguments.items())


def checked_size(size: Any) -> Any:
    """Return a population's size, a whole number or a tuple of up to three, after checking that there is at least one cell."""
    numbers = size if isinstance(size, tuple) else (size,)
    if not 1 <= len(numbers) <= 3 or not all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 1 for n in numbers):
        raise ConfigurationError(
            f"a population of size {size!r} was asked for; allowed is a whole number from 1, or a tuple of up to three of them. Give such a number."
        )
    return size


def checked_index(index: Any, n: int, label: str) -> int:
    """Return a cell's number within `n` cells.

    Raises
    ------
    CellIndexError
        If there is no such cell.
    """
    number = int(index)
    if not -n <= number < n:
        raise CellIndexError(f"cell {number} of {label!r} was asked for; allowed are 0 to {n - 1}. Choose one of them.")
    return number


def checked_selector(selector: Any, n: int, label: str) -> slice | NDArray[np.int64]:
    """Return what selects at least one of `n` cells: a slice as it is, a mask or list as numbers.

    Raises
    ------
    ArgumentTypeError
        If it is nothing that selects cells.
    CellIndexError
        If it selects none, or cells that do not exist.
    """
    if isinstance(selector, slice):
        with explained(lambda: f"the slice {selector} of {label!r}"):
            numbers = np.arange(n)[selector]
        if not len(numbers):
            raise CellIndexError(f"the slice {selector} of {label!r} selects none of its {n} cells; allowed is at least one. Choose others.")
        return selector
    if isinstance(selector, str) or not isinstance(selector, Iterable):
        raise ArgumentTypeError(
            f"a view of {label!r} with {reprlib.repr(selector)} was asked for; allowed are slices, masks, and lists or arrays of numbers. Give one of them."
        )
    with explained(lambda: f"a view of {label!r} with {reprlib.repr(selector)}"):
        array = np.asarray(list(selector))
    if array.dtype.kind == "b" and array.shape == (n,):
        array = np.flatnonzero(array)
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "iu" or array.min() < -n or array.max() >= n:
        raise CellIndexError(
            f"a view of {label!r} with {reprlib.repr(selector)} was asked for; allowed are a mask of length {n}, or numbers from "
            f"0 to {n - 1}. Choose among them."
        )
    return np.asarray(array % n, np.int64)


def checked_names(names: Any) -> list[str]:
    """Return one or several names as a list."""
    listed = [names] if isinstance(names, str) else list(names) if isinstance(names, Iterable) else [names]
    wrong = [name for name in listed if not isinstance(name, str)]
    if wrong:
        raise ArgumentTypeError(f"the name {wrong[0]!r} was asked for; allowed is a str, or a list of them. Write it in quotes.")
    return listed


def checked_count(n: Any) -> int:
    """Return a number of cells, at least 1."""
    try:
        number = operator.index(n)
    except TypeError:
        number = 0
    if number < 1:
        raise ConfigurationError(f"{n!r} cells were asked for; allowed is a whole number from 1. Give such a number.")
    return number
