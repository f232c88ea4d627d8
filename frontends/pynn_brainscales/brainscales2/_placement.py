"""Placement of neurons on circuits, as soon as their population exists."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlens_vx_v3 import halco
from neckar.chip.coordinates import BUSES_PER_HEMISPHERE, COLUMNS
from neckar.errors import CapacityError, ConfigurationError, UnknownNameError
from neckar.facts import AXES
from neckar.network import DEFAULT_PERMUTATION, POINT, Morphology, NeuronPopulation, place
from pynn_brainscales.brainscales2._errors import CircuitOverflowError, CircuitTypeError, NoFreeCircuitError

_BUSES = range(BUSES_PER_HEMISPHERE)


class NeuronPlacement:
    """Which circuits each neuron lives on, known as soon as a population exists.

    Parameters
    ----------
    permutation : ndarray of int64
        Circuits in the order of their use.
    """

    def __init__(self, permutation: NDArray[Any]) -> None:
        self.permutation = permutation
        self._free = np.ones(len(permutation), np.bool_)
        self._circuits: dict[int, NDArray[np.int64]] = {}
        self._shapes: dict[int, Morphology] = {}

    def register(self, label: str, neuron_ids: Sequence[int] | NDArray[Any], morphology: Morphology = POINT, *, or_later: bool = False) -> NDArray[np.int64]:
        """Place a new population of neurons after those that are placed already.

        Parameters
        ----------
        label : str
            Name for error texts.
        neuron_ids : sequence of int
        morphology : Morphology
        or_later : bool
            A population that does not fit is placed at the mapping, which uses the chip several times.

        Returns
        -------
        ndarray of int64, shape (neuron, circuit)
            Circuits of each neuron in the order of the morphology; shape (0, circuit) if they are not known yet.

        Raises
        ------
        NoFreeCircuitError
            If it does not fit and cannot be placed later; then nothing changes.
        """
        try:
            circuits = place([NeuronPopulation(label, len(neuron_ids), morphology=morphology)], self.permutation[self._free]).members[0]
        except CapacityError:
            if or_later:
                return np.zeros((0, morphology.size), np.int64)
            shapes = "" if morphology.size == 1 else f" of {morphology.size} circuits each"
            raise NoFreeCircuitError(
                f"Placement unsuccessful: population {label!r} of {len(neuron_ids)} neurons{shapes} was asked for; {np.count_nonzero(self._free)} of the "
                f"{len(self.permutation)} circuits in neuronPermutation are free. Give a longer neuronPermutation, or leave it out."
            ) from None
        self._free &= ~np.isin(self.permutation, circuits)
        self.note(neuron_ids, circuits, morphology)
        return circuits

    def note(self, neuron_ids: Sequence[int] | NDArray[Any], circuits: NDArray[np.int64], morphology: Morphology) -> None:
        """Remember the circuits of neurons, shape (neuron, circuit)."""
        for neuron_id, mine in zip(neuron_ids, circuits, strict=True):
            self._circuits[int(neuron_id)], self._shapes[int(neuron_id)] = mine, morphology

    def id2first_circuit(self, neuron_id: Any) -> Any:
        """Return the first circuit of a neuron as a number, or a list of them for several."""
        if _is_one(neuron_id):
            return int(self._of(neuron_id)[0])
        return [int(self._of(one)[0]) for one in neuron_id]

    def id2logicalneuron(self, neuron_id: Any) -> Any:
        """Return the :class:`halco.LogicalNeuronOnDLS` of a neuron, or a list of them for several."""
        if _is_one(neuron_id):
            circuits = self._of(neuron_id)
            return logical_neuron(self._shapes[int(neuron_id)], circuits)
        return [self.id2logicalneuron(one) for one in neuron_id]

    def _of(self, neuron_id: Any) -> NDArray[np.int64]:
        """Return the circuits of a neuron."""
        if int(neuron_id) not in self._circuits:
            raise UnknownNameError(
                f"the circuits of cell {int(neuron_id)} were asked for; it is no neuron, or one for which there was no room besides the others. Call run() "
                "first: circuits of neurons that use the chip later are known after a run."
            )
        return self._circuits[int(neuron_id)]


class BackgroundPlacement:
    """Which bus each population of on-chip Poisson sources uses.

    Parameters
    ----------
    permutation : tuple of int, optional
        Buses in the order of their use; by default the mapper chooses, in the order 3, 2, 1, 0 as long as the synapses fit there.
    """

    def __init__(self, permutation: tuple[int, ...] | None = None) -> None:
        self.permutation = permutation
        self._n = 0

    def register(self, label: str) -> int | None:
        """Return the bus of a new population, None if the mapper chooses.

        Raises
        ------
        NoFreeCircuitError
            If there are more populations than buses.
        """
        buses = len(_BUSES if self.permutation is None else self.permutation)
        if self._n >= buses:
            raise NoFreeCircuitError(
                f"population {label!r} is one more than the {buses} populations of on-chip Poisson sources for which there are buses. Join populations, give a "
                "longer backgroundPermutation, or use SpikeSourcePoisson."
            )
        self._n += 1
        return None if self.permutation is None else self.permutation[self._n - 1]


def logical_neuron(morphology: Morphology, circuits: NDArray[np.int64]) -> Any:
    """Return the coordinate of a neuron on circuits."""
    column, row = morphology.places[0]
    anchor = halco.AtomicNeuronOnDLS(halco.common.Enum(int(circuits[0]) - column - COLUMNS * row))
    return halco.LogicalNeuronOnDLS(logical_compartments(morphology), anchor)


def logical_compartments(morphology: Morphology) -> Any:
    """Return the shape of a neuron as a ``halco.LogicalNeuronCompartments``; circuits that only carry the line are own compartments, the last."""
    used = [compartment.circuits for compartment in morphology.compartments]
    bridges = [(i,) for i in range(morphology.size) if not any(i in circuits for circuits in used)]
    return halco.LogicalNeuronCompartments(
        {
            halco.CompartmentOnLogicalNeuron(number): [
                halco.AtomicNeuronOnLogicalNeuron(halco.NeuronColumnOnLogicalNeuron(column), halco.NeuronRowOnLogicalNeuron(row))
                for column, row in (morphology.places[i] for i in circuits)
            ]
            for number, circuits in enumerate([*used, *bridges])
        }
    )


def checked_background_permutation(buses: Sequence[Any] | None) -> tuple[int, ...] | None:
    """Return a background permutation after checking it; None leaves the choice to the mapper.

    Raises
    ------
    ConfigurationError
        If it is no sequence of different buses within a hemisphere.
    """
    if buses is None:
        return None
    where = f"allowed are whole numbers from 0 to {_BUSES[-1]}, each at most once. Correct it, or leave it out."
    try:
        numbers = tuple(operator.index(bus) for bus in buses)
    except TypeError:
        raise ConfigurationError(f"backgroundPermutation is {buses!r}; {where}") from None
    if not set(numbers) <= set(_BUSES) or len(set(numbers)) < len(numbers):
        raise ConfigurationError(f"backgroundPermutation is {list(numbers)}; {where}")
    return numbers


def checked_permutation(circuits: Sequence[Any] | None) -> NDArray[np.int64]:
    """Return a neuron permutation after checking it; None is the chip's own order.

    Raises
    ------
    ConfigurationError, CircuitOverflowError, CircuitTypeError
        If it repeats a circuit, names one beyond the chip, or a negative one.
    """
    if circuits is None:
        return DEFAULT_PERMUTATION
    try:
        numbers = [operator.index(circuit) for circuit in circuits]
    except TypeError:
        raise CircuitTypeError(
            f"neuronPermutation is {circuits!r}; allowed is a sequence of whole numbers from 0 to {AXES['circuit'] - 1}. Give one, or leave it out."
        ) from None
    where = f"allowed are whole numbers from 0 to {AXES['circuit'] - 1}, each at most once. Correct it, or leave it out."
    if numbers and min(numbers) < 0:
        raise CircuitTypeError(f"neuronPermutation holds {min(numbers)}; {where}")
    if numbers and max(numbers) >= AXES["circuit"]:
        raise CircuitOverflowError(f"neuronPermutation holds {max(numbers)}; {where}")
    twice = [number for number, count in Counter(numbers).items() if count > 1]
    if twice:
        raise ConfigurationError(f"neuronPermutation holds {twice[0]} more than once; {where}")
    return np.array(numbers, np.int64)


def _is_one(neuron_id: Any) -> bool:
    """Return whether a number is asked for, not several."""
    return isinstance(neuron_id, int | np.integer)
