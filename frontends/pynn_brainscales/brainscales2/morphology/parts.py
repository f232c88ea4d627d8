"""Parts of which neurons with several compartments are made."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, NamedTuple

from pynn_brainscales.brainscales2._errors import ShapeTypeError


class SharedLineConnection(NamedTuple):
    """A stretch of the line that circuits of a row share.

    Parameters
    ----------
    start, stop : int
        Columns of its ends.
    row : int
    """

    start: int
    stop: int
    row: int


class Compartment:
    """Circuits that share one membrane.

    Positions count the circuits of a grid of 2 rows and 128 columns: row * 128 + column.

    Parameters
    ----------
    positions : sequence of int
        Circuits of the compartment.
    label : str
        Name for recording and for connections; several compartments may have the same one.
    connect_shared_line : sequence of int, optional
        Circuits that are connected to the shared line directly.
    connect_conductance : sequence of (int, int), optional
        Circuits that are connected to the shared line by a conductance, and the code of each conductance.
    **parameters
        Parameters of the compartment's circuits, one value for all or one per circuit.

    Raises
    ------
    ShapeTypeError
        If positions, label or connections cannot be read, repeat, or name circuits of other compartments.
    """

    def __init__(self, *, positions: Any, label: Any = None, connect_shared_line: Any = None, connect_conductance: Any = None, **parameters: Any) -> None:
        self._positions: Any = ()
        self._connect_shared_line: Any = []
        self._connect_conductance: Any = []
        self.positions = positions
        self.label = label
        if connect_shared_line is not None:
            self.connect_shared_line = connect_shared_line
        if connect_conductance is not None:
            self.connect_conductance = connect_conductance
        self.parameters = parameters

    @property
    def positions(self) -> Any:
        """Circuits of the compartment."""
        return self._positions

    @positions.setter
    def positions(self, positions: Any) -> None:
        checked = _numbers("positions", positions)
        _check_members("connect_shared_line", _numbers("connect_shared_line", self._connect_shared_line), checked)
        _check_members("connect_conductance", [position for position, _ in _pairs(self._connect_conductance)], checked)
        self._positions = positions

    @property
    def label(self) -> str:
        """Name of the compartment."""
        return self._label

    @label.setter
    def label(self, label: Any) -> None:
        if not isinstance(label, str):
            raise ShapeTypeError(f"the label of a compartment is {label!r}; allowed is a str. Give label=...")
        self._label = label

    @property
    def connect_shared_line(self) -> Any:
        """Circuits that are connected to the shared line directly."""
        return self._connect_shared_line

    @connect_shared_line.setter
    def connect_shared_line(self, positions: Any) -> None:
        _check_members("connect_shared_line", _numbers("connect_shared_line", positions), _numbers("positions", self._positions))
        self._connect_shared_line = positions

    @property
    def connect_conductance(self) -> Any:
        """Circuits that are connected to the shared line by a conductance, with its code."""
        return self._connect_conductance

    @connect_conductance.setter
    def connect_conductance(self, pairs: Any) -> None:
        _check_members("connect_conductance", [position for position, _ in _pairs(pairs)], _numbers("positions", self._positions))
        self._connect_conductance = pairs

    @property
    def size(self) -> int:
        """Number of circuits."""
        return len(self._positions)


def _numbers(name: str, positions: Any) -> list[int]:
    """Return positions after checking that they are whole numbers, each once."""
    if isinstance(positions, str) or not isinstance(positions, Iterable):
        raise ShapeTypeError(f"{name} is {positions!r}; allowed is a sequence of circuits' positions. Write for instance [0, 1].")
    try:
        numbers = [operator.index(position) for position in positions]
    except TypeError:
        raise ShapeTypeError(f"{name} is {positions!r}; allowed are whole numbers, row * 128 + column. Convert them with int().") from None
    _check_unique(name, numbers)
    return numbers


def _pairs(pairs: Any) -> list[tuple[int, int]]:
    """Return pairs of position and conductance after checking their shape."""
    if isinstance(pairs, str) or not isinstance(pairs, Iterable):
        raise ShapeTypeError(f"connect_conductance is {pairs!r}; allowed is a sequence of (position, conductance). Write for instance [(0, 100)].")
    pairs = list(pairs)
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ShapeTypeError(f"connect_conductance holds {pair!r}; allowed are tuples (position, conductance). Write for instance (0, 100).")
    try:
        checked = [(operator.index(position), operator.index(conductance)) for position, conductance in pairs]
    except TypeError:
        raise ShapeTypeError(
            f"connect_conductance is {pairs!r}; allowed are whole numbers, a position and the code of a conductance. Convert them with int()."
        ) from None
    _check_unique("connect_conductance", [position for position, _ in checked])
    return checked


def _check_unique(name: str, positions: list[int]) -> None:
    if len(set(positions)) < len(positions):
        raise ShapeTypeError(f"{name} holds {positions}; allowed is each position once. Remove the repetitions.")


def _check_members(name: str, positions: list[int], allowed: list[int]) -> None:
    outside = [position for position in positions if position not in allowed]
    if outside:
        raise ShapeTypeError(f"{name} names position {outside[0]}; allowed are the compartment's own, {allowed}. Add it to positions or leave it out.")
