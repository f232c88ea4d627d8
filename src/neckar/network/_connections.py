"""The network's connections as flat columns, with coordinates, split into synapses.

A synapse holds a weight of at most 63, so a connection of weight w takes ceil(w / 63) synapses, filled greedily (63, 63, ..., rest). A connection of
weight 0 keeps one synapse, so that its weight can change without a new route.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.errors import UnsupportedFeatureError
from neckar.facts import registers
from neckar.network._graph import RECEPTORS, Network, NeuronPopulation, SourcePopulation
from neckar.network._place import Placement

MAX_WEIGHT: int = registers("brainscales2")["synapse_weight"].high
"""Largest weight of one synapse."""


def synapses_per_weight(weight: ArrayLike) -> NDArray[np.int64]:
    """Return how many synapses realise connections of these weights: ceil(weight / 63), at least 1."""
    return np.maximum(-(-np.asarray(weight, np.int64) // MAX_WEIGHT), 1)


def split_weights(weight: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split connections into synapses.

    Parameters
    ----------
    weight : array_like of int, shape (connection,)
        Weights, 0 or above.

    Returns
    -------
    connection, weight : ndarray of int64, shape (synapse,)
        For each synapse its connection and weight; the synapses of a connection are neighbours.

    Examples
    --------
    >>> split_weights([123, 0])[1].tolist()
    [63, 60, 0]
    """
    whole = np.asarray(weight, np.int64)
    parts = synapses_per_weight(whole)
    connection = np.repeat(np.arange(len(whole)), parts)
    part = np.arange(len(connection)) - np.repeat(np.cumsum(parts) - parts, parts)
    return connection, np.clip(whole[connection] - MAX_WEIGHT * part, 0, MAX_WEIGHT)


@dataclass(frozen=True, eq=False)
class Connections:
    """All connections of a network, columns of shape (connection,), in the order of the projections.

    Parameters
    ----------
    source : ndarray of int64
        Number of the source, counted over all spike sources of the network.
    circuit : ndarray of int64
    receptor : ndarray of int64
        Position in `RECEPTORS`.
    weight : ndarray of int64
    """

    source: NDArray[np.int64]
    circuit: NDArray[np.int64]
    receptor: NDArray[np.int64]
    weight: NDArray[np.int64]

    def same_demand(self, other: Connections) -> bool:
        """Return whether the other connections need the same synapses, whatever their weights."""
        return (
            np.array_equal(self.source, other.source)
            and np.array_equal(self.circuit, other.circuit)
            and np.array_equal(self.receptor, other.receptor)
            and np.array_equal(synapses_per_weight(self.weight), synapses_per_weight(other.weight))
        )


def source_offsets(network: Network) -> NDArray[np.int64]:
    """Return the number of the first source of each population, shape (population + 1,); neurons count as none."""
    offsets = np.zeros(len(network.populations) + 1, np.int64)
    np.cumsum([population.size if isinstance(population, SourcePopulation) else 0 for population in network.populations], out=offsets[1:])
    return offsets


def connections(network: Network, placement: Placement) -> Connections:
    """Return the connections of all projections.

    Raises
    ------
    UnsupportedFeatureError
        If a projection starts from neurons on the chip.
    """
    offsets = source_offsets(network)
    columns: list[list[NDArray[np.int64]]] = [[np.zeros(0, np.int64)] for _ in range(4)]
    for projection in network.projections:
        if isinstance(network.populations[projection.pre], NeuronPopulation):
            if len(projection):
                raise UnsupportedFeatureError(
                    f"projection {projection.label!r} connects neurons on the chip with each other; this version routes spikes from external sources only. "
                    "Replace the presynaptic population by a SpikeSourceArray with its spike times."
                )
            continue
        receptor = np.full(len(projection), RECEPTORS.index(projection.receptor))
        circuit = placement.circuits[projection.post][projection.post_index]
        for column, part in zip(columns, (projection.pre_index + offsets[projection.pre], circuit, receptor, projection.weight), strict=True):
            column.append(part)
    return Connections(*(np.concatenate(column) for column in columns))
