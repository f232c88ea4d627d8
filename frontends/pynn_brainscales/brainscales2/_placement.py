"""Placement of neurons on circuits, as soon as their population exists."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.errors import CapacityError, ConfigurationError
from neckar.facts import AXES
from neckar.network import DEFAULT_PERMUTATION, NeuronPopulation, place
from pynn_brainscales.brainscales2._errors import CircuitOverflowError, CircuitTypeError, NoFreeCircuitError


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
