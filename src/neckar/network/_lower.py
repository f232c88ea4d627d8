"""Lowering: from a network to whole register fields and events, and from sections to a Program.

`map_network` compares the parts of a network by identity with those of the previous one and computes only what changed; `build_program` sends only fields that
differ from what the machine holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.chip.config import ChipConfig
from neckar.facts import check_codes, registers
from neckar.network._connections import Connections, connections, split_weights
from neckar.network._connectum import check_connectum
from neckar.network._graph import Network, NeuronPopulation, SourcePopulation
from neckar.network._place import Placement, place
from neckar.network._route import Routing, route
from neckar.program import Events, Program, Record, Snippet

Fields = Mapping[str, NDArray[Any]]

_TABLE = registers("brainscales2")
_ROUTED = ("crossbar_mask", "crossbar_target", "padi_enable_spl1", "driver_enable_address_out")


@dataclass(frozen=True, eq=False)
class MappedNetwork:
    """A network with coordinates: where everything is, and the register fields that realise it.

    Parameters
    ----------
    network : Network
    permutation : ArrayLike or None
        Order in which circuits were used.
    base : ChipConfig
        Values of everything that the network does not determine.
    placement : Placement
    connections : Connections
    routing : Routing
    neuron_fields, synapse_fields : mapping of str to ndarray
        Fields that differ from `base`, whole and read-only.
    """

    network: Network
    permutation: ArrayLike | None
    base: ChipConfig
    placement: Placement
    connections: Connections
    routing: Routing
    neuron_fields: Fields
    synapse_fields: Fields

    @property
    def fields(self) -> Fields:
        """All fields that differ from the base configuration."""
        return {**self.neuron_fields, **self.synapse_fields}

    def events(self, duration: int) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
        """Return ticks and labels of all input events before `duration`, sorted; sources without targets send none."""
        ticks: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        labels: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        for number, population in enumerate(self.network.populations):
            if isinstance(population, SourcePopulation) and len(population.tick):
                label = np.repeat(self.routing.labels_of(number), np.diff(population.source_ptr))
                played = (label >= 0) & (population.tick < duration)
                ticks.append(population.tick[played])
                labels.append(label[played])
        tick, label = np.concatenate(ticks), np.concatenate(labels)
        order = np.lexsort((label, tick))
        return tick[order], label[order].astype(np.uint16)


@dataclass(frozen=True, eq=False)
class Section:
    """One stretch of an experiment.

    Parameters
    ----------
    mapped : MappedNetwork
    duration : int
        Ticks of 2 ns, at least 1.
    record : Record
    """

    mapped: MappedNetwork
    duration: int
    record: Record


def map_network(network: Network, *, base: ChipConfig, permutation: ArrayLike | None = None, previous: MappedNetwork | None = None) -> MappedNetwork:
    """Place, route and lower a network, and check that the result realises it.

    Parameters
    ----------
    network : Network
    base : ChipConfig
        Values of everything that the network does not determine; not to be changed afterwards.
    permutation : array_like of int, optional
        Circuits in the order of their use; see :func:`place`.
    previous : MappedNetwork, optional
        An earlier result whose unchanged parts are reused. A route is kept as long as the connections need the same synapses.

    Returns
    -------
    MappedNetwork

    Raises
    ------
    CapacityError, MappingError, UnsupportedFeatureError
        If the network does not fit the chip.
    ParameterRangeError
        If a code lies outside its range.
    ConnectumError
        If the mapper is defective.
    """
    if previous is not None and (previous.base is not base or previous.permutation is not permutation):
        previous = None
    placement = place(network.populations, permutation)
    if previous is not None and _same_circuits(placement, previous.placement):
        placement = previous.placement
    old = previous if previous is not None and previous.placement is placement else None
    same_neurons = old is not None and _neurons(network) == _neurons(old.network)
    neuron_fields = old.neuron_fields if old is not None and same_neurons else _lower_neurons(network, placement, base)
    if old is not None and network.projections == old.network.projections and _sizes(network) == _sizes(old.network):
        flat, routing, synapse_fields = old.connections, old.routing, old.synapse_fields
    else:
        flat = connections(network, placement)
        keep = previous is not None and flat.same_demand(previous.connections) and _sizes(network) == _sizes(previous.network)
        routing = previous.routing if previous is not None and keep else route(network, placement, flat)
        synapse_fields = _lower_synapses(flat, routing, base)
        check_connectum(flat, _overlay(base, synapse_fields), routing.label)
    return MappedNetwork(network, permutation, base, placement, flat, routing, neuron_fields, synapse_fields)


def build_program(sections: Sequence[Section], *, held: Fields | None, labels: Mapping[str, str] | None = None) -> Program:
    """Build the Program that executes sections back to back.

    Parameters
    ----------
    sections : sequence of Section, at least one
        With one base configuration.
    held : mapping of str to ndarray, or None
        Fields that differ from the base configuration in what the machine holds: those of the last section of the last program. None sends every field.
    labels : mapping of str to str, optional
        Annotations of the program.

    Returns
    -------
    Program
    """
    base = sections[0].mapped.base
    fields = sections[0].mapped.fields
    config = {**base.as_mapping(), **fields} if held is None else _delta(base, held, fields)
    snippets: list[Snippet] = []
    ticks: list[NDArray[np.int64]] = []
    event_labels: list[NDArray[np.uint16]] = []
    begin = 0
    for i, section in enumerate(sections):
        tick, label = section.mapped.events(section.duration)
        ticks.append(tick + begin)
        event_labels.append(label)
        delta = _delta(base, sections[i - 1].mapped.fields, section.mapped.fields) if i else {}
        snippets.append(Snippet(section.duration, delta, section.record if section.record is not sections[0].record else None))
        begin += section.duration
    all_ticks = _frozen(np.concatenate(ticks))
    events = Events(np.array([0, len(all_ticks)]), all_ticks, _frozen(np.concatenate(event_labels)))
    return Program(machine="brainscales2", config=config, snippets=tuple(snippets), entries=events, record=sections[0].record, labels=labels or {})


def _neurons(network: Network) -> list[NeuronPopulation]:
    """Return the populations of neurons; lists compare by identity of their members."""
    return [population for population in network.populations if isinstance(population, NeuronPopulation)]


def _sizes(network: Network) -> list[tuple[type, int]]:
    return [(type(population), population.size) for population in network.populations]


def _same_circuits(a: Placement, b: Placement) -> bool:
    return len(a.circuits) == len(b.circuits) and all(map(np.array_equal, a.circuits, b.circuits))


def _lower_neurons(network: Network, placement: Placement, base: ChipConfig) -> Fields:
    """Return the neuron fields that differ from the base configuration."""
    fields: dict[str, NDArray[Any]] = {}
    for population, circuits in zip(network.populations, placement.circuits, strict=True):
        if isinstance(population, NeuronPopulation):
            for name, codes in population.parameters.items():
                if name not in fields:
                    fields[name] = base[name].copy()
                fields[name][circuits] = check_codes(_TABLE[name], codes)
    return {name: _frozen(array) for name, array in fields.items()}


def _lower_synapses(flat: Connections, routing: Routing, base: ChipConfig) -> Fields:
    """Return the fields of synapses, drivers and crossbar; none for a network without connections."""
    if not len(flat.weight):
        return {}
    weight, label = (np.zeros(_TABLE[name].shape, _TABLE[name].dtype) for name in ("synapse_weight", "synapse_label"))
    place_of = routing.hemisphere, routing.row, routing.column
    weight[place_of] = split_weights(flat.weight)[1]
    label[place_of] = routing.synapse_label
    fields: dict[str, NDArray[Any]] = {
        "synapse_weight": weight,
        "synapse_label": label,
        "synapse_row_mode": routing.row_mode,
        "driver_enable_receiver": routing.receiver,
        "driver_row_address_compare_mask": routing.compare_mask,
    }
    for name in _ROUTED:
        default = _TABLE[name].default_array()
        if not np.array_equal(default, base[name]):
            fields[name] = default
    return {name: _frozen(array) for name, array in fields.items()}


def _overlay(base: ChipConfig, fields: Fields) -> Fields:
    """Return the fields that the connectum check reads."""
    names = {"synapse_weight", "synapse_label", "synapse_row_mode", "driver_enable_receiver", "driver_row_address_compare_mask", *_ROUTED}
    return {name: fields.get(name, base[name]) for name in names}


def _delta(base: ChipConfig, old: Fields, new: Fields) -> Fields:
    """Return the fields of `new` that differ from `old`; a missing field has the value of the base configuration."""
    changed = {}
    for name in {**old, **new}:
        before, after = old.get(name), new.get(name)
        if before is after:
            continue
        after = base[name] if after is None else after
        if not np.array_equal(base[name] if before is None else before, after):
            changed[name] = after
    return changed


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that nobody can change, so that a Program takes it without a copy."""
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array
