"""Placement: which neuron lives on which circuit.

First fit in the order of the populations over a permutation of the circuits, so the k-th neuron of the network takes the k-th entry of the permutation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.errors import CapacityError, MappingError
from neckar.facts import AXES
from neckar.network._graph import NeuronPopulation, SourcePopulation

_CIRCUITS = AXES["circuit"]

DEFAULT_PERMUTATION: NDArray[np.int64] = np.arange(_CIRCUITS)
DEFAULT_PERMUTATION.setflags(write=False)


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the neurons are.

    Parameters
    ----------
    circuits : tuple of ndarray of int64, shape (neuron,)
        For each population the circuit of each neuron; empty for spike sources.
    """

    circuits: tuple[NDArray[np.int64], ...]

    def owners(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return population and neuron index of every circuit, shape (512,) each; -1 where no neuron is placed."""
        population, index = np.full((2, _CIRCUITS), -1)
        for number, circuits in enumerate(self.circuits):
            population[circuits] = number
            index[circuits] = np.arange(len(circuits))
        return population, index


def place(populations: Sequence[NeuronPopulation | SourcePopulation], permutation: ArrayLike | None = None) -> Placement:
    """Place populations first fit over a permutation of the circuits.

    Parameters
    ----------
    populations : sequence
        In order of placement.
    permutation : array_like of int, optional
        Circuits in the order of their use, each at most once; may be shorter than the chip. Default 0, 1, ... 511.

    Returns
    -------
    Placement

    Raises
    ------
    CapacityError
        If there are more neurons than circuits.
    MappingError
        If the permutation names a circuit twice or one that does not exist.
    """
    order = _checked(permutation)
    sizes = [population.size if isinstance(population, NeuronPopulation) else 0 for population in populations]
    ends = list(accumulate(sizes))
    for population, size, end in zip(populations, sizes, ends, strict=True):
        if end > len(order):
            raise CapacityError(
                f"{ends[-1]} neurons were asked for; population {population.label!r} ({size} neurons) finds {len(order) - (end - size)} free circuits of "
                f"the {len(order)} in the neuron permutation; the chip has {_CIRCUITS}. Use fewer neurons or a longer permutation."
            )
    return Placement(tuple(order[end - size : end] for size, end in zip(sizes, ends, strict=True)))


def _checked(permutation: ArrayLike | None) -> NDArray[np.int64]:
    """Return the permutation as circuits."""
    if permutation is None:
        return DEFAULT_PERMUTATION
    order = np.asarray(permutation, np.int64)
    if order.size and not (order.min() >= 0 and order.max() < _CIRCUITS):
        raise MappingError(f"the neuron permutation names circuit {order[(order < 0) | (order >= _CIRCUITS)][0]}; allowed are 0 to {_CIRCUITS - 1}.")
    if len(np.unique(order)) < order.size:
        raise MappingError("the neuron permutation names a circuit twice; allowed is once each. Remove the repetitions.")
    return order
