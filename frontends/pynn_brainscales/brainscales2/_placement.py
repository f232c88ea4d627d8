"""Placement of neurons on circuits, as soon as their population exists."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import BUSES_PER_HEMISPHERE
from neckar.errors import CapacityError, ConfigurationError
from neckar.facts import AXES
from neckar.network import DEFAULT_PERMUTATION, NeuronPopulation, place
from pynn_brainscales.brainscales2._errors import CircuitOverflowError, CircuitTypeError, NoFreeCircuitError

_BUSES = range(BUSES_PER_HEMISPHERE)


class NeuronPlacement:
    """Which circuit each neuron lives on, known as soon as a population exists.

    Parameters
    ----------
    permutation : ndarray of int64
        Circuits in the order of their use.
    """

    def __init__(self, permutation: NDArray[Any]) -> None:
        self.permutation = permutation
        self._populations: list[NeuronPopulation] = []
        self._circuit: dict[int, int] = {}

    def register(self, label: str, neuron_ids: Sequence[int] | NDArray[Any]) -> None:
        """Place a new population of neurons.

        Raises
        ------
        NoFreeCircuitError
            If it does not fit; then nothing changes.
        """
        populations = [*self._populations, NeuronPopulation(label, len(neuron_ids))]
        try:
            circuits = place(populations, self.permutation).circuits[-1]
        except CapacityError as error:
            raise NoFreeCircuitError(str(error)) from None
        self._populations = populations
        self._circuit.update(zip(map(int, neuron_ids), circuits.tolist(), strict=True))

    def id2first_circuit(self, neuron_id: Any) -> Any:
        """Return the first circuit of a neuron, or a list of them for several."""
        if isinstance(neuron_id, int):
            return self._circuit[int(neuron_id)]
        return [self._circuit[int(one)] for one in neuron_id]


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


def checked_background_permutation(buses: Sequence[Any] | None) -> tuple[int, ...] | None:
    """Return a background permutation after checking it; None leaves the choice to the mapper.

    Raises
    ------
    ConfigurationError
        If it is no sequence of different buses within a hemisphere.
    """
    if buses is None:
        return None
    where = f"allowed are whole numbers from 0 to {_BUSES[-1]}, each at most once."
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
        raise CircuitTypeError(f"neuronPermutation is {circuits!r}; allowed is a sequence of whole numbers from 0 to {AXES['circuit'] - 1}.") from None
    where = f"allowed are whole numbers from 0 to {AXES['circuit'] - 1}, each at most once."
    if numbers and min(numbers) < 0:
        raise CircuitTypeError(f"neuronPermutation holds {min(numbers)}; {where}")
    if numbers and max(numbers) >= AXES["circuit"]:
        raise CircuitOverflowError(f"neuronPermutation holds {max(numbers)}; {where}")
    twice = [number for number, count in Counter(numbers).items() if count > 1]
    if twice:
        raise ConfigurationError(f"neuronPermutation holds {twice[0]} more than once; {where}")
    return np.array(numbers, np.int64)
