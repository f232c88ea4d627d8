"""The network's connections as flat columns, split into synapses, each with its circuit.

A synapse holds a weight of at most 63, so a connection of weight w takes ceil(w / 63) synapses, filled greedily (63, 63, ..., rest). A connection of
weight 0 keeps one synapse, so that its weight can change without a new route. Where several circuits of a compartment offer the receptor, each synapse
lands on the one with the fewest synapses so far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.errors import WeightOverflowError
from neckar.facts import AXES, registers
from neckar.network._graph import RECEPTORS, Network, NeuronPopulation, Projection, n_compartments
from neckar.network._place import Placement

MAX_WEIGHT: int = registers("brainscales2")["synapse_weight"].high
"""Largest weight of one synapse."""

_MAX_PARTS = AXES["row"]


def synapses_per_weight(weight: ArrayLike) -> NDArray[np.int64]:
    """Return how many synapses realise connections of these weights: ceil(weight / 63), at least 1."""
    return np.maximum(-(-np.asarray(weight, np.int64) // MAX_WEIGHT), 1)


def split_weights(weight: ArrayLike, parts: ArrayLike | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split connections into synapses.

    Parameters
    ----------
    weight : array_like of int, shape (connection,)
        Weights, 0 or above.
    parts : array_like of int, shape (connection,), optional
        Synapses of each connection; by default as many as its weight needs.

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
    counts = synapses_per_weight(whole) if parts is None else np.asarray(parts, np.int64)
    connection = np.repeat(np.arange(len(whole)), counts)
    part = np.arange(len(connection)) - np.repeat(np.cumsum(counts) - counts, counts)
    return connection, np.clip(whole[connection] - MAX_WEIGHT * part, 0, MAX_WEIGHT)


@dataclass(frozen=True, eq=False)
class Connections:
    """All connections of a network, columns of shape (connection,), in the order of the projections; a signed one counts twice.

    Parameters
    ----------
    source, target : ndarray of int64
        Site that sends and site that receives; see :meth:`Network.site_offsets`.
    receptor : ndarray of int64
        Position in `RECEPTORS`.
    weight : ndarray of int64
        Magnitude, 0 or above.
    parts : ndarray of int64
        Synapses that realise each connection.
    start : ndarray of int64, shape (projection + 1,)
        First connection of each projection; of a signed one, first all excitatory, then all inhibitory connections.
    """

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    receptor: NDArray[np.int64]
    weight: NDArray[np.int64]
    parts: NDArray[np.int64]
    start: NDArray[np.int64]

    def same_demand(self, other: Connections) -> bool:
        """Return whether the other connections need the same synapses, whatever their weights."""
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in ("source", "target", "receptor", "parts"))


def connections(network: Network) -> Connections:
    """Return the connections of all projections.

    Raises
    ------
    WeightOverflowError
        If a connection needs more synapses than a column of the array has rows.
    """
    offsets = network.site_offsets()
    columns: list[list[NDArray[np.int64]]] = [[np.zeros(0, np.int64)] for _ in range(5)]
    counts = [0]
    for projection in network.projections:
        rows = _columns(network, projection, offsets)
        counts.append(len(rows[0]))
        for column, part in zip(columns, rows, strict=True):
            column.append(part)
    source, target, receptor, weight, parts = (np.concatenate(column) for column in columns)
    return Connections(source, target, receptor, weight, parts, np.cumsum(counts))


def choose_circuits(network: Network, placement: Placement, flat: Connections) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose a circuit for every synapse: of those of the target compartment that offer the receptor, the one with the fewest synapses so far.

    Returns
    -------
    connection, circuit : ndarray of int64, shape (synapse,)
        For each synapse its connection and circuit, in the order of the connections.
    """
    connection = np.repeat(np.arange(len(flat.parts)), flat.parts)
    target, receptor = flat.target[connection], flat.receptor[connection]
    circuit = np.zeros(len(connection), np.int64)
    offsets = network.site_offsets()
    for number, population in enumerate(network.populations):
        if not isinstance(population, NeuronPopulation):
            continue
        members, k = placement.members[number], n_compartments(population)
        for c, compartment in enumerate(population.morphology.compartments):
            if k == 1:
                mine = np.flatnonzero((target >= offsets[number]) & (target < offsets[number + 1]))
            else:
                mine = np.flatnonzero((target >= offsets[number]) & (target < offsets[number + 1]) & ((target - offsets[number]) % k == c))
            neuron = (target[mine] - offsets[number]) // k
            offered = [compartment.offering(name) for name in RECEPTORS]
            if offered[0] == offered[1]:
                position = np.array(offered[0])[rank_of(neuron) % len(offered[0])] if len(offered[0]) > 1 else offered[0][0]
            else:
                position = _least_loaded(neuron, receptor[mine], offered, members.shape[1], len(members))
            circuit[mine] = members[neuron, position]
    return connection, circuit


def rank_of(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each element how many equal ones stand before it."""
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(key) else np.zeros(0, np.int64)
    rank = np.empty(len(key), np.int64)
    rank[order] = np.arange(len(key)) - np.repeat(first, np.diff(np.r_[first, len(key)]))
    return rank


def _columns(network: Network, projection: Projection, offsets: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Return source, target, receptor, weight and parts of a projection's connections."""
    pre, post = network.populations[projection.pre], network.populations[projection.post]
    source = offsets[projection.pre] + projection.pre_index * n_compartments(pre) + projection.pre_compartment
    target = offsets[projection.post] + projection.post_index * n_compartments(post) + projection.post_compartment
    lines = RECEPTORS if projection.receptor == "signed" else (projection.receptor,)
    weights = [np.maximum(projection.weight, 0), np.maximum(-projection.weight, 0)] if len(lines) > 1 else [projection.weight]
    weight = np.concatenate(weights)
    parts = synapses_per_weight(weight if projection.max_weight is None else np.full(len(weight), projection.max_weight))
    if parts.max(initial=0) > _MAX_PARTS:  # asked before memory is taken for each part
        i = int(parts.argmax())
        raise WeightOverflowError(
            f"projection {projection.label!r}: connection {i % len(projection)} has weight {weight[i]}"
            + (f" with max_weight {projection.max_weight}" if projection.max_weight is not None else "")
            + f" and needs {parts[i]} synapses; allowed are {_MAX_PARTS}, the synapse rows of a circuit's column, that is weights up to "
            f"{_MAX_PARTS * MAX_WEIGHT}. Use a smaller weight, or spread it over several targets."
        )
    receptor = np.repeat([RECEPTORS.index(line) for line in lines], len(projection))
    return np.tile(source, len(lines)), np.tile(target, len(lines)), receptor, weight.astype(np.int64), parts


def _least_loaded(
    neuron: NDArray[np.int64], receptor: NDArray[np.int64], offered: list[tuple[int, ...]], n_circuits: int, n_neurons: int
) -> NDArray[np.int64]:
    """Return for each synapse the position of the circuit with the fewest synapses so far, where receptors differ in their circuits."""
    load = [[0] * n_circuits for _ in range(n_neurons)]
    position = np.empty(len(neuron), np.int64)
    for i, (one, line) in enumerate(zip(neuron.tolist(), receptor.tolist(), strict=True)):
        mine = load[one]
        best = min(offered[line], key=mine.__getitem__)
        mine[best] += 1
        position[i] = best
    return position
