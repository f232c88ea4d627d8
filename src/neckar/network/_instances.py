"""Execution instances: networks that use the chip several times, one part after the other.

Populations of neurons carry the number of their instance. An instance is one configuration of the chip; the instances run in an order in which each one
comes after all that it takes spikes from. Where a projection crosses a border, the spikes of its source are recorded, and a population of external sources
stands in for it in the later instance, with the recorded spikes at the same times of each trial. External and background sources are part of every
instance in which they have targets, whatever their own number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.chip.config import ChipConfig
from neckar.errors import MappingError
from neckar.facts import AXES
from neckar.network._graph import Network, NeuronPopulation, Population, Projection, SourcePopulation
from neckar.network._lower import MappedNetwork, Section, build_program, map_network
from neckar.program import Program, Record, Recording

Site = tuple[int, int]
"""Population of neurons, and one of its compartments."""


@dataclass(frozen=True, eq=False)
class Part:
    """What one execution instance holds of a network.

    Parameters
    ----------
    instance : int
    network : Network
        With silent sources where other instances' neurons send.
    origin : tuple of int
        For each population of `network` the one of the whole network that it is or stands in for.
    stand_ins : mapping of int to (int, int)
        From positions in `network` to the population and compartment of the whole network whose spikes are played there.
    """

    instance: int
    network: Network
    origin: tuple[int, ...]
    stand_ins: Mapping[int, Site]

    def with_spikes(self, spikes: Mapping[Site, SourcePopulation]) -> Network:
        """Return the part's network with the spikes of other instances."""
        populations = list(self.network.populations)
        for position, site in self.stand_ins.items():
            populations[position] = replace(spikes[site], label=populations[position].label, instance=self.instance)
        return replace(self.network, populations=tuple(populations))


@dataclass(frozen=True, eq=False)
class InstanceRun:
    """One part after its execution."""

    part: Part
    mapped: MappedNetwork
    recording: Recording


def split_instances(network: Network) -> tuple[Part, ...]:
    """Split a network into its execution instances, in the order of their execution.

    Raises
    ------
    MappingError
        If a border cuts a recurrent group of populations, or instances depend on each other in a cycle.
    """
    for group in recurrent_groups(network):
        instances = sorted({network.populations[number].instance for number in group})
        if len(instances) > 1:
            labels = ", ".join(repr(network.populations[number].label) for number in sorted(group))
            raise MappingError(
                f"a border between execution instances cuts a recurrent group: the populations {labels} send spikes to each other and lie in instances "
                f"{instances}; allowed is one instance for a recurrent group. Give them the same instance."
            )
    return tuple(_part(network, instance) for instance in _order(network))


def recurrent_groups(network: Network) -> list[list[int]]:
    """Return the groups of neuron populations that send spikes to each other in a circle, single populations included, sources before targets."""
    reach = _reach(network)
    mutual = reach & reach.T | np.eye(len(reach), dtype=np.bool_)
    neurons = [number for number, population in enumerate(network.populations) if isinstance(population, NeuronPopulation)]
    groups = [np.flatnonzero(mutual[number]).tolist() for number in neurons if np.flatnonzero(mutual[number])[0] == number]
    return sorted(groups, key=lambda group: (int((reach & ~mutual)[neurons, group[0]].sum()), group[0]))  # by number of others before them


def run_instances(
    parts: Sequence[Part],
    run: Callable[[Program], Recording],
    duration: int,
    *,
    base: ChipConfig,
    permutation: ArrayLike | None = None,
    record: Callable[[Part, MappedNetwork], Record] | None = None,
    previous: Sequence[InstanceRun] = (),
) -> tuple[InstanceRun, ...]:
    """Map and execute the parts of a network one after the other, handing on the spikes that cross borders.

    Parameters
    ----------
    parts : sequence of Part
        In the order of :func:`split_instances`.
    run : callable
        Executes a program, for instance ``lab.run``.
    duration : int
        Ticks of each part.
    base : ChipConfig
        Values of everything that the network does not determine.
    permutation : array_like of int, optional
        Circuits in the order of their use.
    record : callable, optional
        What to record of a part; by default all spikes. Spikes that cross borders are recorded in any case.
    previous : sequence of InstanceRun, optional
        Earlier runs, of whose mappings the unchanged parts are reused; see :func:`map_network`.

    Returns
    -------
    tuple of InstanceRun
        One per part.
    """
    spikes: dict[Site, SourcePopulation] = {}
    earlier = {run.part.instance: run.mapped for run in previous}
    done = []
    wanted = {site for part in parts for site in part.stand_ins.values()}
    for part in parts:
        mapped = map_network(part.with_spikes(spikes), base=base, permutation=permutation, previous=earlier.get(part.instance))
        crossing = {site: masters(part, mapped, site) for site in sorted(wanted) if _is_here(part, site)}
        asked = Record() if record is None else record(part, mapped)
        if asked.spikes != "all":
            asked = replace(asked, spikes=tuple(sorted({*asked.spikes, *(int(c) for circuits in crossing.values() for c in circuits)})))
        recording = run(build_program([Section(mapped, duration, asked)], held=None))
        for site, circuits in crossing.items():
            spikes[site] = recorded_trains(recording, circuits, str(site))
        done.append(InstanceRun(part, mapped, recording))
    return tuple(done)


def recorded_trains(recording: Recording, circuits: NDArray[np.int64], label: str) -> SourcePopulation:
    """Return the recorded spikes of circuits as external sources with the same trials, one source per circuit."""
    index = np.full(AXES["circuit"], -1)
    index[circuits] = np.arange(len(circuits))
    source = index[recording.spikes.circuit]
    n_entries = len(recording.spikes.entry_ptr) - 1
    entry = np.repeat(np.arange(n_entries), np.diff(recording.spikes.entry_ptr))
    mine = source >= 0
    return SourcePopulation.from_columns(label, len(circuits), n_entries, entry[mine], source[mine], recording.spikes.tick[mine])


def _reach(network: Network) -> NDArray[np.bool_]:
    """Return which populations get spikes from which, directly or through others, axes (from, to)."""
    n = len(network.populations)
    reach = np.zeros((n, n), np.bool_)
    for projection in network.projections:
        if len(projection):
            reach[projection.pre, projection.post] = True
    for via in range(n):
        reach |= reach[:, via, np.newaxis] & reach[np.newaxis, via]
    return reach


def _order(network: Network) -> list[int]:
    """Return the instances, each after those it takes spikes from."""
    neurons = [population for population in network.populations if isinstance(population, NeuronPopulation)]
    waiting = sorted({population.instance for population in neurons})
    needs: dict[int, set[int]] = {instance: set() for instance in waiting}
    for projection in network.projections:
        pre, post = network.populations[projection.pre], network.populations[projection.post]
        if isinstance(pre, NeuronPopulation) and len(projection) and pre.instance != post.instance:
            needs[post.instance].add(pre.instance)
    order: list[int] = []
    while waiting:
        ready = [instance for instance in waiting if needs[instance] <= set(order)]
        if not ready:
            raise MappingError(
                f"the execution instances {waiting} depend on each other in a cycle; allowed are instances that can run one after the other, each after those "
                "it takes spikes from. Move the populations between them into one instance or split an instance in two."
            )
        order.append(ready[0])
        waiting.remove(ready[0])
    return order


def _part(network: Network, instance: int) -> Part:
    """Return what an instance holds."""
    mine = [projection for projection in network.projections if network.populations[projection.post].instance == instance]
    populations: list[Population] = []
    origin: list[int] = []
    position: dict[Site, int] = {}
    stand_ins: dict[int, Site] = {}
    senders = {projection.pre for projection in mine} | _unconnected(network, instance)
    for number, population in enumerate(network.populations):
        if population.instance != instance if isinstance(population, NeuronPopulation) else number not in senders:
            continue
        position[number, 0] = len(populations)
        populations.append(replace(population, instance=instance))
        origin.append(number)
    projections: list[Projection] = []
    for projection in mine:
        pre, compartment = projection.pre, projection.pre_compartment
        sender = network.populations[pre]
        if isinstance(sender, NeuronPopulation) and sender.instance != instance:
            if (pre, compartment) not in position:
                position[pre, compartment] = len(populations)
                stand_ins[len(populations)] = pre, compartment
                silent = [np.zeros(0, np.int64)] * sender.size
                populations.append(SourcePopulation.from_entries(sender.label, [silent] * network.n_entries, instance))
                origin.append(pre)
            projections.append(replace(projection, pre=position[pre, compartment], post=position[projection.post, 0], pre_compartment=0))
        else:
            projections.append(replace(projection, pre=position[pre, 0], post=position[projection.post, 0]))
    return Part(instance, Network(tuple(populations), tuple(projections), network.n_entries), tuple(origin), stand_ins)


def _unconnected(network: Network, instance: int) -> set[int]:
    """Return the recorded sources without targets that an instance holds: the lowest instance holds them all."""
    if any(population.instance < instance for population in network.populations if isinstance(population, NeuronPopulation)):
        return set()
    connected = {projection.pre for projection in network.projections}
    sources = ((number, one) for number, one in enumerate(network.populations) if not isinstance(one, NeuronPopulation))
    return {number for number, source in sources if source.record and number not in connected}


def _is_here(part: Part, site: Site) -> bool:
    """Return whether a part holds the neurons themselves."""
    return any(number == site[0] and position not in part.stand_ins for position, number in enumerate(part.origin))


def masters(part: Part, mapped: MappedNetwork, site: Site) -> NDArray[np.int64]:
    """Return the circuits that send the spikes of a population's compartment."""
    position = next(i for i, number in enumerate(part.origin) if number == site[0] and i not in part.stand_ins)
    population = part.network.populations[position]
    assert isinstance(population, NeuronPopulation)
    master = population.morphology.compartments[site[1]].spike_master
    assert master is not None
    return np.asarray(mapped.placement.members[position][:, master])
