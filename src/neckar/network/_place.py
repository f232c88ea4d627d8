"""Placement: which neuron lives on which circuits.

First fit in the order of the populations over a permutation of the circuits. Neurons of one circuit take the next free entry of the permutation; the others
take the first entry at which their whole shape lies on free circuits of the permutation, inside one half of the chip. Neurons with given anchors come first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.chip.coordinates import COLUMNS, COLUMNS_PER_BACKEND
from neckar.errors import MappingError, PlacementError
from neckar.facts import AXES
from neckar.network._graph import NeuronPopulation, Population
from neckar.network._morphology import Morphology

_CIRCUITS, _ROWS = AXES["circuit"], AXES["hemisphere"]

DEFAULT_PERMUTATION: NDArray[np.int64] = np.arange(_CIRCUITS)
DEFAULT_PERMUTATION.setflags(write=False)


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the neurons are.

    Parameters
    ----------
    members : tuple of ndarray of int64, shape (neuron, circuit)
        For each population the circuits of each neuron, in the order of its shape; shape (0, 0) for spike sources.
    """

    members: tuple[NDArray[np.int64], ...]

    @property
    def circuits(self) -> tuple[NDArray[np.int64], ...]:
        """For each population the first circuit of each neuron, shape (neuron,); empty for spike sources."""
        return tuple(members[:, 0] if members.size else np.zeros(0, np.int64) for members in self.members)

    def owners(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return population, neuron index and position in the neuron's shape of every circuit, shape (512,) each; -1 where no neuron is placed."""
        population, index, position = np.full((3, _CIRCUITS), -1)
        for number, members in enumerate(self.members):
            population[members] = number
            index[members] = np.arange(len(members))[:, np.newaxis]
            position[members] = np.arange(members.shape[1])
        return population, index, position


def place(populations: Sequence[Population], permutation: ArrayLike | None = None) -> Placement:
    """Place populations first fit over a permutation of the circuits.

    Parameters
    ----------
    populations : sequence
        In order of placement.
    permutation : array_like of int, optional
        Circuits in the order of their use, each at most once; may be shorter than the chip. Default 0, 1, ... 511. Given anchors need not be part of it.

    Returns
    -------
    Placement

    Raises
    ------
    PlacementError
        If the neurons do not fit.
    MappingError
        If the permutation names a circuit twice or one that does not exist.
    """
    order = _checked(permutation)
    free = np.zeros(_CIRCUITS, np.bool_)
    free[order] = True
    members = [np.zeros((0, 0), np.int64)] * len(populations)
    neurons = [(number, population) for number, population in enumerate(populations) if isinstance(population, NeuronPopulation)]
    taken = np.zeros(_CIRCUITS, np.bool_)
    for number, population in neurons:
        if population.anchors is not None:
            members[number] = _at_anchors(population, taken)
    free &= ~taken
    for number, population in neurons:
        if population.anchors is None:
            members[number] = _first_fit(population, order, free, sum(other.size * other.morphology.size for _, other in neurons))
    return Placement(tuple(members))


def shaped(morphology: Morphology, anchors: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the circuits of shapes at anchors, shape (anchor, circuit), and whether each shape lies on one half of the chip, shape (anchor,)."""
    columns, rows = np.array(morphology.places).T
    column, row = anchors % COLUMNS, anchors // COLUMNS
    inside = (row + rows.max() < _ROWS) & (column // COLUMNS_PER_BACKEND == (column + columns.max()) // COLUMNS_PER_BACKEND)
    return anchors[:, np.newaxis] + columns + COLUMNS * rows, inside


def _at_anchors(population: NeuronPopulation, taken: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the circuits of neurons at their anchors and mark them as taken."""
    anchors = np.asarray(population.anchors, np.int64)
    outside = (anchors < 0) | (anchors >= _CIRCUITS)
    circuits, inside = shaped(population.morphology, np.where(outside, 0, anchors))
    for i in range(population.size):
        if outside[i] or not inside[i]:
            raise PlacementError(
                f"Placement unsuccessful: neuron {i} of population {population.label!r} ({population.morphology.size} circuits) was asked for at circuit "
                f"{anchors[i]}; allowed are circuits 0 to {_CIRCUITS - 1} from which the whole shape stays on two rows and in columns 0 to "
                f"{COLUMNS_PER_BACKEND - 1} or {COLUMNS_PER_BACKEND} to {COLUMNS - 1}. Move its anchor."
            )
        if taken[circuits[i]].any():
            raise PlacementError(
                f"Placement unsuccessful: neuron {i} of population {population.label!r} was asked for at circuit {anchors[i]}; its circuit "
                f"{circuits[i][taken[circuits[i]]][0]} belongs to another neuron; allowed are circuits of one neuron each. Move one of the anchors."
            )
        taken[circuits[i]] = True
    return circuits


def _first_fit(population: NeuronPopulation, order: NDArray[np.int64], free: NDArray[np.bool_], asked: int) -> NDArray[np.int64]:
    """Return the circuits of neurons at the first free places of the permutation and mark them as taken."""
    anchors = order[free[order]]
    circuits, inside = shaped(population.morphology, anchors)
    circuits = circuits[inside]
    if population.morphology.size == 1:
        placed = circuits[: population.size]
        free[placed] = False
    else:
        chosen: list[NDArray[np.int64]] = []
        for shape in circuits:
            if len(chosen) < population.size and free[shape].all():
                free[shape] = False
                chosen.append(shape)
        placed = np.array(chosen, np.int64).reshape(len(chosen), population.morphology.size)
    if len(placed) < population.size:
        k = population.morphology.size
        shape_text = "" if k == 1 else f" of {k} circuits each, whole shapes on one half of the chip"
        raise PlacementError(
            f"Placement unsuccessful: {asked} neuron circuits were asked for; population {population.label!r} ({population.size} neurons{shape_text}) finds "
            f"room for {len(placed)} neurons on the free circuits of the {len(order)} in the neuron permutation; allowed are the chip's {_CIRCUITS} circuits. "
            "Use fewer or smaller neurons or a longer permutation, or split the network over execution instances."
        )
    return placed


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
