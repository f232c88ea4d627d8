"""Neurons made of several circuits: their compartments relative to an anchor, and their place on the chip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum as Enumeration
from typing import Any

from dlens_vx_v3.halco._base import CoordinateOverflowError, Pair
from dlens_vx_v3.halco._coordinates import (
    AtomicNeuronOnDLS,
    CompartmentOnLogicalNeuron,
    NeuronColumnOnDLS,
    NeuronColumnOnLogicalNeuron,
    NeuronRowOnDLS,
    NeuronRowOnLogicalNeuron,
)
from neckar.errors import ConfigurationError, PlacementError


class CompartmentError(ConfigurationError, RuntimeError):
    """Compartments that cannot belong to one neuron."""


class Direction(Enumeration):
    """The way to a neighbour."""

    left = (-1, 0)
    right = (1, 0)
    opposite_row = (0, 1)


class AtomicNeuronOnLogicalNeuron(Pair, fast=NeuronColumnOnLogicalNeuron, slow=NeuronRowOnLogicalNeuron):
    """A neuron circuit of a logical neuron, relative to its anchor."""

    Direction = Direction

    def get_neighbor(self, direction: Any) -> AtomicNeuronOnLogicalNeuron:
        """Return the neighbouring circuit.

        Raises
        ------
        CoordinateOverflowError
            If the neuron's grid ends there.
        """
        across, down = direction.value
        row, column = self.split()
        if not 0 <= column + across < NeuronColumnOnLogicalNeuron.size:
            raise CoordinateOverflowError(f"{self} has no neighbour to the {direction.name}: columns go from 0 to {NeuronColumnOnLogicalNeuron.max}.")
        return AtomicNeuronOnLogicalNeuron(NeuronColumnOnLogicalNeuron(column + across), NeuronRowOnLogicalNeuron((row + down) % 2))


class _Compartments:
    """Circuits by compartment; equal, ordered and hashed by them."""

    _circuits: dict[CompartmentOnLogicalNeuron, list[Any]]

    def _key(self) -> tuple[Any, ...]:
        return tuple((compartment, tuple(circuits)) for compartment, circuits in self._circuits.items())

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, type(self)) else NotImplemented

    def __lt__(self, other: _Compartments) -> bool:
        return self._key() < other._key()

    def __le__(self, other: _Compartments) -> bool:
        return self._key() <= other._key()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._key()))

    def __repr__(self) -> str:
        listed = "; ".join(f"{int(compartment)}: {', '.join(str(int(circuit)) for circuit in circuits)}" for compartment, circuits in self._circuits.items())
        return f"{type(self).__name__}({listed})"


class LogicalNeuronCompartments(_Compartments):
    """The circuits of each compartment of a neuron, relative to an anchor.

    Raises
    ------
    CompartmentError
        If a circuit is in two compartments, or a compartment is empty.
    """

    def __init__(self, compartments: Mapping[Any, Iterable[Any]] | None = None) -> None:
        given = {
            CompartmentOnLogicalNeuron(number): [AtomicNeuronOnLogicalNeuron(circuit) for circuit in circuits]
            for number, circuits in (compartments or {}).items()
        }
        self._circuits = dict(sorted(given.items()))
        used = [circuit for circuits in given.values() for circuit in circuits]
        twice = sorted({int(circuit) for circuit in used if used.count(circuit) > 1})
        empty = [int(number) for number, circuits in given.items() if not circuits]
        if twice or empty:
            fault = f"circuits {twice} are in several compartments" if twice else f"compartments {empty} have no circuit"
            raise CompartmentError(f"{fault}; each circuit belongs to one compartment, and each compartment has a circuit.")

    def get_compartments(self) -> dict[CompartmentOnLogicalNeuron, list[AtomicNeuronOnLogicalNeuron]]:
        """Return the circuits of each compartment."""
        return {number: list(circuits) for number, circuits in self._circuits.items()}

    def _bounds(self) -> tuple[int, int, int, int]:
        """Return first and last column, first and last row."""
        places = [circuit.split() for circuits in self._circuits.values() for circuit in circuits]
        rows, columns = [int(row) for row, _ in places], [int(column) for _, column in places]
        return min(columns, default=0), max(columns, default=0), min(rows, default=0), max(rows, default=0)

    def get_left_most_column(self) -> NeuronColumnOnLogicalNeuron:
        """Return the first column."""
        return NeuronColumnOnLogicalNeuron(self._bounds()[0])

    def get_right_most_column(self) -> NeuronColumnOnLogicalNeuron:
        """Return the last column."""
        return NeuronColumnOnLogicalNeuron(self._bounds()[1])

    def get_top_most_row(self) -> NeuronRowOnLogicalNeuron:
        """Return the first row."""
        return NeuronRowOnLogicalNeuron(self._bounds()[2])

    def get_bottom_most_row(self) -> NeuronRowOnLogicalNeuron:
        """Return the last row."""
        return NeuronRowOnLogicalNeuron(self._bounds()[3])

    def flip_x(self) -> LogicalNeuronCompartments:
        """Return the neuron with left and right exchanged."""
        left, right, _, _ = self._bounds()
        return self._moved(lambda column, row: (left + right - column, row))

    def flip_y(self) -> LogicalNeuronCompartments:
        """Return the neuron with top and bottom exchanged."""
        _, _, top, bottom = self._bounds()
        return self._moved(lambda column, row: (column, top + bottom - row))

    def _moved(self, to: Any) -> LogicalNeuronCompartments:
        def moved(circuit: AtomicNeuronOnLogicalNeuron) -> AtomicNeuronOnLogicalNeuron:
            row, column = circuit.split()
            new_column, new_row = to(int(column), int(row))
            return AtomicNeuronOnLogicalNeuron(NeuronColumnOnLogicalNeuron(new_column), NeuronRowOnLogicalNeuron(new_row))

        return LogicalNeuronCompartments({number: [moved(circuit) for circuit in circuits] for number, circuits in self._circuits.items()})


class LogicalNeuronOnDLS(_Compartments):
    """A neuron at its place on the chip: its top left corner lies at the anchor.

    Raises
    ------
    PlacementError
        If it leaves the two rows or its half of the chip.
    """

    def __init__(self, compartments: LogicalNeuronCompartments | None = None, anchor: AtomicNeuronOnDLS | None = None) -> None:
        self._circuits = {}
        if compartments is None:
            return
        row, column = (int(part) for part in (AtomicNeuronOnDLS() if anchor is None else anchor).split())
        left, right, top, bottom = compartments._bounds()
        half = NeuronColumnOnLogicalNeuron.size
        if row + bottom - top > NeuronRowOnDLS.max or column // half != (column + right - left) // half:
            raise PlacementError(
                f"A neuron of {right - left + 1} columns and {bottom - top + 1} rows does not fit at column {column}, row {row}; neurons stay within columns "
                "0 to 127 or 128 to 255 and within two rows. Choose another anchor."
            )

        def placed(circuit: AtomicNeuronOnLogicalNeuron) -> AtomicNeuronOnDLS:
            y, x = circuit.split()
            return AtomicNeuronOnDLS(NeuronColumnOnDLS(column + x - left), NeuronRowOnDLS(row + y - top))

        self._circuits = {number: [placed(circuit) for circuit in circuits] for number, circuits in compartments._circuits.items()}

    def get_placed_compartments(self) -> dict[CompartmentOnLogicalNeuron, list[AtomicNeuronOnDLS]]:
        """Return the circuits of each compartment."""
        return {number: list(circuits) for number, circuits in self._circuits.items()}

    def get_atomic_neurons(self) -> list[AtomicNeuronOnDLS]:
        """Return all circuits, compartment by compartment."""
        return [circuit for circuits in self._circuits.values() for circuit in circuits]

    def known(self) -> dict[str, int]:
        """Return no facts: a neuron may have many places."""
        return {}
