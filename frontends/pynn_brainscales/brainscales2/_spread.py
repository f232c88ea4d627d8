"""Networks that need more than one chip configuration: they are spread over execution instances, which run one after the other.

Spikes that cross from one instance to a later one are recorded and played to it again at the same times of each snippet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neckar.chip.config import ChipConfig
from neckar.errors import UnsupportedFeatureError
from neckar.network import MappedNetwork, Network, NeuronPopulation, Part, Partition, Section, SourcePopulation, map_network, partition, recorded_trains
from neckar.program import Record, Recording
from pynn_brainscales.brainscales2._layout import Layout

Site = tuple[int, int]
"""Population of the divided network, and one of its compartments."""


def spread(network: Network, base: ChipConfig, permutation: NDArray[np.int64], bases: Mapping[int, ChipConfig] | None = None) -> Layout:
    """Return the layout of a network over as many execution instances as it needs.

    Parameters
    ----------
    network : Network
    base : ChipConfig
        What instances start from.
    permutation : ndarray of int64
        Circuits in the order of their use.
    bases : mapping of int to ChipConfig, optional
        What single instances start from instead.

    Raises
    ------
    CapacityError
        If a recurrent group, or a single neuron with its inputs, does not fit on a chip.
    """
    divided = partition(network, "auto", base=base, permutation=permutation)
    starts = {part.instance: base if bases is None else bases.get(part.instance, base) for part in divided.parts}
    instances = {part.instance: map_network(part.network, base=starts[part.instance], permutation=permutation) for part in divided.parts}
    members, instance_of = [], []
    for number, population in enumerate(network.populations):
        here = [np.zeros((0, 0), np.int64)]
        if isinstance(population, NeuronPopulation):
            pieces = divided.pieces[number]
            here = [_members(divided, instances, position, piece.instance) for position, piece in pieces]
            instance_of.append(np.concatenate([np.full(piece.stop - piece.start, piece.instance) for _, piece in pieces]))
        else:
            instance_of.append(np.zeros(0, np.int64))
        members.append(np.concatenate(here))
    return Layout(network, instances, members, instance_of, divided)


def execute_spread(
    layouts: Sequence[Layout], durations: Sequence[int], records: Sequence[dict[int, Record]], execute: Callable[[int, list[Section]], list[Recording]]
) -> dict[int, list[Recording]]:
    """Execute snippets of spread networks, all snippets of an instance back to back, and return the recordings by instance.

    Parameters
    ----------
    layouts : sequence of Layout
        One per snippet.
    durations : sequence of int
        Ticks of each snippet.
    records : sequence of dict of int to Record
        For each snippet what each instance records.
    execute : callable
        Executes the sections of one instance, whose number comes first.

    Raises
    ------
    UnsupportedFeatureError
        If the snippets are spread differently: the voltages of a neuron cannot go on in another instance.
    """
    _check_same(layouts)
    spikes: list[dict[Site, SourcePopulation]] = [{} for _ in layouts]
    found: dict[int, list[Recording]] = {}
    for number, first in enumerate(_partition(layouts[0]).parts):
        sections, crossing = [], _crossing(layouts[0], first)
        mapped: MappedNetwork | None = None
        for layout, duration, record, known in zip(layouts, durations, records, spikes, strict=True):
            part = _partition(layout).parts[number]
            before = layout.instances[part.instance]
            mapped = map_network(part.with_spikes(known), base=before.base, permutation=before.permutation, previous=mapped or before)
            sections.append(Section(mapped, duration, _with(record[part.instance], crossing)))
        found[first.instance] = execute(first.instance, sections)
        _take(spikes, durations, crossing, found[first.instance])
    return found


def _partition(layout: Layout) -> Partition:
    assert layout.partition is not None
    return layout.partition


def _members(divided: Partition, instances: dict[int, MappedNetwork], position: int, instance: int) -> NDArray[np.int64]:
    """Return the circuits of a piece, shape (neuron, circuit)."""
    part = next(part for part in divided.parts if part.instance == instance)
    inside = next(i for i, origin in enumerate(part.origin) if origin == position and i not in part.stand_ins)
    return instances[instance].placement.members[inside]


def _crossing(layout: Layout, part: Part) -> dict[Site, NDArray[np.int64]]:
    """Return the circuits of a part whose spikes other instances need, by site."""
    wanted = {site for other in _partition(layout).parts for site in other.stand_ins.values()}
    sites = {}
    for inside, position in enumerate(part.origin):
        population = part.network.populations[inside]
        if inside in part.stand_ins or not isinstance(population, NeuronPopulation):
            continue
        for compartment in (compartment for number, compartment in sorted(wanted) if number == position):
            master = population.morphology.compartments[compartment].spike_master
            assert master is not None  # a projection starts there
            sites[position, compartment] = layout.instances[part.instance].placement.members[inside][:, master]
    return sites


def _with(record: Record, crossing: dict[Site, NDArray[np.int64]]) -> Record:
    """Return a record that also has the spikes that others need."""
    more = {int(circuit) for circuits in crossing.values() for circuit in circuits}
    return record if record.spikes == "all" or more <= {*record.spikes} else replace(record, spikes=tuple(sorted({*record.spikes, *more})))


def _take(spikes: list[dict[Site, SourcePopulation]], durations: Sequence[int], crossing: dict[Site, NDArray[np.int64]], recordings: list[Recording]) -> None:
    """Keep the spikes that others need, snippet by snippet; of several executions each circuit's spikes come from one."""
    for site, circuits in crossing.items():
        whole = [recorded_trains(recording, circuits, str(site)) for recording in recordings]
        trains = [np.sort(np.concatenate([one.train(i) for one in whole])) for i in range(len(circuits))]
        begin = 0
        for known, duration in zip(spikes, durations, strict=True):
            known[site] = SourcePopulation.from_lists(str(site), [train[(train >= begin) & (train < begin + duration)] - begin for train in trains])
            begin += duration


def _check_same(layouts: Sequence[Layout]) -> None:
    """Refuse snippets that are spread differently."""
    first = layouts[0]
    for number, layout in enumerate(layouts):
        same = layout.instances.keys() == first.instances.keys() and all(map(np.array_equal, layout.instance_of, first.instance_of))
        if not same or not all(map(np.array_equal, layout.members, first.members)):
            raise UnsupportedFeatureError(
                f"snippet {number} spreads the network differently over {len(layout.instances)} execution instances than snippet 0 over "
                f"{len(first.instances)}; allowed is the same in all snippets. Make the network smaller, or run the snippets one by one with reset()."
            )
