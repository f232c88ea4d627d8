"""Automatic partition: spread a network over as many execution instances as its neurons and synapses need.

Groups of populations are taken in the order in which spikes pass through them. A population that fits on a chip shares the instance of the groups before it
as long as all of them fit together; one that does not is split into equal pieces with an instance each. Recurrent groups stay whole. Whether something fits is
asked of the mapper itself, so circuits, rows, buses and labels all count. For dense layers without recurrence this gives the published numbers: a layer of N
neurons with c circuits each takes ceil(N / (512 / c)) instances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.chip.config import ChipConfig
from neckar.errors import CapacityError, PlacementError
from neckar.network._graph import Network, NeuronPopulation, Population, Projection, SourcePopulation
from neckar.network._instances import InstanceRun, Part, masters, recorded_trains, recurrent_groups, split_instances
from neckar.network._lower import MappedNetwork, map_network
from neckar.network._place import place


@dataclass(frozen=True)
class Piece:
    """Neurons `start` to `stop` of a population, in an execution instance."""

    start: int
    stop: int
    instance: int

    def holds(self, index: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which neurons of the population belong to the piece."""
        return (index >= self.start) & (index < self.stop)


@dataclass(frozen=True, eq=False)
class Partition:
    """A network spread over execution instances.

    Parameters
    ----------
    network : Network
        Whose populations are the pieces.
    pieces : tuple of tuple of (int, Piece)
        For each population of the original network its pieces, each with its position in `network`.
    parts : tuple of Part
        In the order of execution.
    """

    network: Network
    pieces: tuple[tuple[tuple[int, Piece], ...], ...]
    parts: tuple[Part, ...]

    def recorded(self, runs: Sequence[InstanceRun], population: int, compartment: int = 0) -> SourcePopulation:
        """Return the recorded spikes of a whole population of neurons of the original network, one source per neuron, with the trials of the runs."""
        trains = []
        for number, piece in self.pieces[population]:
            run = next(run for run in runs if run.part.instance == piece.instance)
            trains.append(recorded_trains(run.recording, masters(run.part, run.mapped, (number, compartment)), ""))
        entries = [[part.train(i, entry) for part in trains for i in range(part.size)] for entry in range(trains[0].n_entries)]
        return SourcePopulation.from_entries(self.network.populations[self.pieces[population][0][0]].label, entries)

    def synapses(
        self, network: Network, mapped: Mapping[int, MappedNetwork], projection: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the synapses of a projection of the original network: connection in it, execution instance, hemisphere, row and column, shape (synapse,) each.

        Parameters
        ----------
        network : Network
            The original network.
        mapped : mapping of int to MappedNetwork
            By execution instance.
        projection : int
        """
        columns: list[list[NDArray[np.int64]]] = [[np.zeros(0, np.int64)] for _ in range(5)]
        counted: dict[int, int] = {}  # projections of each instance, which are in the order of those of the original network
        for number, whole in enumerate(network.projections[: projection + 1]):
            for _, pre in self.pieces[whole.pre]:
                for _, post in self.pieces[whole.post]:
                    mine = np.flatnonzero(pre.holds(whole.pre_index) & post.holds(whole.post_index))
                    if not len(mine) and self.network is not network:
                        continue  # a division leaves empty projections out
                    k = counted.get(post.instance, 0)
                    counted[post.instance] = k + 1
                    if number == projection:
                        connection, *place_of = mapped[post.instance].synapses(k)
                        for column, part in zip(columns, (mine[connection], np.full(len(connection), post.instance), *place_of), strict=True):
                            column.append(part)
        connection, instance, hemisphere, row, column_of = (np.concatenate(column) for column in columns)
        return connection, instance, hemisphere, row, column_of


def partition(network: Network, mode: Literal["given", "auto"] = "given", *, base: ChipConfig, permutation: ArrayLike | None = None) -> Partition:
    """Spread a network over execution instances.

    Parameters
    ----------
    network : Network
    mode : {"given", "auto"}
        As the populations say, or automatically; then their own instances and anchors are ignored.
    base : ChipConfig
    permutation : array_like of int, optional
        Circuits in the order of their use.

    Returns
    -------
    Partition

    Raises
    ------
    CapacityError
        If a recurrent group, or a single neuron with its inputs, does not fit on a chip.
    MappingError
        If the instances given cut a recurrent group or depend on each other in a cycle.
    """
    if mode == "given":
        whole = tuple(((number, Piece(0, population.size, population.instance)),) for number, population in enumerate(network.populations))
        return Partition(network, whole, split_instances(network))
    chosen: dict[int, list[Piece]] = {}
    instance, empty = 0, True
    for group in recurrent_groups(network):
        problem = _put_whole(network, chosen, group, instance, base, permutation)
        if problem is not None and not empty:
            instance, empty = instance + 1, True
            problem = _put_whole(network, chosen, group, instance, base, permutation)
        if problem is None:
            empty = False
        elif len(group) > 1 or _is_recurrent(network, group[0]):
            labels = ", ".join(repr(network.populations[number].label) for number in group)
            raise CapacityError(
                f"the recurrent group {labels} was asked for in one execution instance, because its populations send spikes to each other; allowed is "
                f"what one chip holds. Make it smaller. The chip says: {problem}"
            ) from problem
        else:
            chosen[group[0]] = _pieces(network, chosen, group[0], instance, base, permutation)
            instance = chosen[group[0]][-1].instance + 1
    divided, pieces = divide(network, chosen)
    return Partition(divided, pieces, split_instances(divided))


def divide(network: Network, chosen: dict[int, list[Piece]]) -> tuple[Network, tuple[tuple[tuple[int, Piece], ...], ...]]:
    """Return a network whose populations of neurons are pieces, without those that have none, and the pieces' positions in it."""
    populations: list[Population] = []
    pieces: list[tuple[tuple[int, Piece], ...]] = []
    for number, population in enumerate(network.populations):
        mine = chosen.get(number, []) if isinstance(population, NeuronPopulation) else [Piece(0, population.size, population.instance)]
        pieces.append(tuple((len(populations) + i, piece) for i, piece in enumerate(mine)))
        populations += [_piece_of(population, piece) if isinstance(population, NeuronPopulation) else population for piece in mine]
    projections = [
        _between(projection, a, pre, b, post)
        for projection in network.projections
        for a, pre in pieces[projection.pre]
        for b, post in pieces[projection.post]
    ]
    return Network(tuple(populations), tuple(one for one in projections if len(one)), network.n_entries), tuple(pieces)


def _put_whole(
    network: Network, chosen: dict[int, list[Piece]], group: list[int], instance: int, base: ChipConfig, permutation: ArrayLike | None
) -> CapacityError | None:
    """Add a group to an instance if it fits; return why not."""
    tried = {**chosen, **{number: [Piece(0, network.populations[number].size, instance)] for number in group}}
    problem = _problem(network, tried, base, permutation)
    if problem is None:
        chosen.update(tried)
    return problem


def _pieces(
    network: Network, chosen: dict[int, list[Piece]], number: int, instance: int, base: ChipConfig, permutation: ArrayLike | None
) -> list[Piece]:
    """Split a population over few equal pieces that fit, one instance each: as many as its circuits need, more as long as a piece cannot be routed."""
    population = network.populations[number]
    assert isinstance(population, NeuronPopulation)
    n = -(-population.size // max(1, _most(population, permutation)))
    while True:
        bounds = np.linspace(0, population.size, n + 1).round().astype(int).tolist()
        pieces = [Piece(start, stop, instance + i) for i, (start, stop) in enumerate(pairwise(bounds))]
        problem = _problem(network, {**chosen, number: pieces}, base, permutation)
        if problem is None:
            return pieces
        if n >= population.size:
            raise problem
        n = min(population.size, n + max(1, n // 2))


def _most(population: NeuronPopulation, permutation: ArrayLike | None) -> int:
    """Return how many neurons of a population find circuits on an empty chip."""
    low, high = 0, population.size
    while low < high:
        middle = (low + high + 1) // 2
        try:
            place([NeuronPopulation(population.label, middle, morphology=population.morphology)], permutation)
            low = middle
        except PlacementError:
            high = middle - 1
    return low


def _problem(network: Network, chosen: dict[int, list[Piece]], base: ChipConfig, permutation: ArrayLike | None) -> CapacityError | None:
    """Return why the last instance of a partition cannot be mapped, None if it can; of split populations all pieces are tried."""
    divided, pieces = divide(network, chosen)
    latest = {piece.instance for _, piece in pieces[list(chosen)[-1]]}
    try:
        for part in split_instances(divided):
            if part.instance in latest:
                map_network(part.network, base=base, permutation=permutation)
    except CapacityError as error:
        return error
    return None


def _is_recurrent(network: Network, number: int) -> bool:
    return any(projection.pre == projection.post == number and len(projection) for projection in network.projections)


def _piece_of(population: NeuronPopulation, piece: Piece) -> NeuronPopulation:
    """Return some neurons of a population as one of its own."""
    mine = slice(piece.start, piece.stop)
    whole = piece.stop - piece.start == population.size
    return replace(
        population,
        label=population.label if whole else f"{population.label}[{piece.start}:{piece.stop}]",
        size=piece.stop - piece.start,
        parameters={name: codes[mine] for name, codes in population.parameters.items()},
        anchors=None,
        instance=piece.instance,
    )


def _between(projection: Projection, a: int, pre: Piece, b: int, post: Piece) -> Projection:
    """Return the connections of a projection between two pieces."""
    mine = pre.holds(projection.pre_index) & post.holds(projection.post_index)
    return replace(
        projection,
        pre=a,
        post=b,
        pre_index=projection.pre_index[mine] - pre.start,
        post_index=projection.post_index[mine] - post.start,
        weight=projection.weight[mine],
    )
