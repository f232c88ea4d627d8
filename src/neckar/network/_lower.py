"""Lowering: from a network to whole register fields and events, and from sections to a Program.

`map_network` compares the parts of a network by identity with those of the previous one and computes only what changed; `build_program` sends only fields that
differ from what the machine holds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.chip.config import ChipConfig
from neckar.chip.coordinates import ROWS_PER_DRIVER
from neckar.errors import CapacityError, ConfigurationError
from neckar.facts import brainscales2, check_codes, registers
from neckar.facts.labels import LABEL_SYNAPSE_MASK
from neckar.network._background import lower_background
from neckar.network._connections import Connections, connections, split_weights
from neckar.network._connectum import check_connectum
from neckar.network._graph import Network, NeuronPopulation, Population, SourcePopulation
from neckar.network._place import Placement, place
from neckar.network._route import Routing, route, unrouted
from neckar.program import TICK_S, Events, PlasticityTask, PlasticityView, Program, Record, Recording, Snippet, TimedRead, TimedWrite
from neckar.program._plain import FrozenFields

Fields = Mapping[str, NDArray[Any]]

_TABLE = registers("brainscales2")
_OPEN = ("padi_enable_spl1", "driver_enable_address_out")
_SENDING = ("event_routing_analog_output", "event_routing_enable_digital")
"""Fields that a circuit in use has at their default, on, whatever the base configuration says: as upstream sets them at every run."""
_WALKED = (
    *("synapse_weight", "synapse_label", "synapse_row_mode", "driver_enable_receiver", "driver_row_address_compare_mask", "crossbar_mask", "crossbar_target"),
    *("event_routing_address", "event_routing_enable_digital", *(name for name in _TABLE if name.startswith("background_")), *_OPEN),
)


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
    base_fields : mapping of str to ndarray
        Every field of `base`, whole and read-only.
    placement : Placement
    connections : Connections
    routing : Routing
    neuron_fields, synapse_fields, source_fields : mapping of str to ndarray
        Fields that differ from `base`, whole and read-only: circuits; synapses, drivers and crossbar; background generators.
    wall : mapping of str to float
        Wall-clock seconds of this mapping's parts: ``place``, ``route``, ``lower``, ``check``.
    """

    network: Network
    permutation: ArrayLike | None
    base: ChipConfig
    base_fields: Fields
    placement: Placement
    connections: Connections
    routing: Routing
    neuron_fields: Fields
    synapse_fields: Fields
    source_fields: Fields
    wall: Mapping[str, float]

    @property
    def fields(self) -> Fields:
        """All fields that differ from the base configuration."""
        return {**self.neuron_fields, **self.synapse_fields, **self.source_fields}

    @cached_property
    def codes(self) -> Fields:
        """Every field, as the machine holds it once the network is on it."""
        return {**self.base_fields, **self.fields}

    def events(self, duration: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]:
        """Return trials, ticks and labels of all input events before `duration`, sorted; sources without targets send none."""
        entries: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        ticks: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        labels: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        for number, population in enumerate(self.network.populations):
            if isinstance(population, SourcePopulation) and len(population.tick):
                index, send = self.routing.labels_of(number)
                train = (np.arange(population.n_entries)[:, np.newaxis] * population.size + index).ravel()
                length = np.diff(population.source_ptr)[train]
                spike = np.repeat(population.source_ptr[train] - np.cumsum(length) + length, length) + np.arange(length.sum())
                played = population.tick[spike] < duration
                entries.append(np.repeat(train // population.size, length)[played])
                ticks.append(population.tick[spike][played])
                labels.append(np.repeat(np.tile(send, population.n_entries), length)[played])
        entry, tick, label = np.concatenate(entries), np.concatenate(ticks), np.concatenate(labels)
        order = np.lexsort((label, tick, entry))
        return entry[order], tick[order], label[order].astype(np.uint16)

    def looped(self, recording: Recording, population: int) -> SourcePopulation:
        """Return the events of recorded external or background sources as the host got them back from the chip, with the trials of the recording.

        Raises
        ------
        ConfigurationError
            If the population is not recorded.
        """
        sources = self.network.populations[population]
        if isinstance(sources, NeuronPopulation) or not sources.record:
            raise ConfigurationError(
                f"the looped events of population {sources.label!r} were asked for; allowed are external and background sources with record=True. Set it, "
                "or take the spikes of neurons from the recording."
            )
        index, label = self.routing.looped_labels(population)
        order = np.argsort(label)
        events = recording.loopback
        found = order[np.minimum(np.searchsorted(label[order], events.label), len(order) - 1)]
        mine = label[found] == events.label
        entry = np.repeat(np.arange(events.n_entries), np.diff(events.entry_ptr))
        return SourcePopulation.from_columns(
            sources.label, sources.size, len(recording.spikes.entry_ptr) - 1, entry[mine], index[found[mine]], events.tick[mine]
        )

    def synapses(self, projection: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the synapses of a projection: connection in it, hemisphere, row and column, shape (synapse,) each.

        Synapses of a connection are in the order in which its weight fills them; of a signed one, the excitatory come first.
        """
        first, last = self.connections.start[projection : projection + 2]
        mine = slice(*np.searchsorted(self.routing.connection, (first, last)))
        connection = self.routing.connection[mine] - first
        if self.network.projections[projection].receptor == "signed":
            connection %= len(self.network.projections[projection])
        return connection, self.routing.hemisphere[mine], self.routing.row[mine], self.routing.column[mine]

    def views(self, projection: int) -> tuple[PlasticityView, ...]:
        """Return what a plasticity rule of a projection sees: for each hemisphere with synapses of it their rows and columns.

        A view is a rectangle: it also holds the crossings of these rows and columns that belong to other projections or to none.
        """
        _, hemisphere, row, column = self.synapses(projection)
        return tuple(
            PlasticityView(h, tuple(np.unique(row[hemisphere == h]).tolist()), tuple(np.unique(column[hemisphere == h]).tolist()))
            for h in np.unique(hemisphere).tolist()
        )


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
    CapacityError, MappingError
        If the network does not fit the chip.
    ConfigurationError
        If its populations belong to several execution instances.
    ParameterRangeError
        If a code lies outside its range.
    ConnectumError
        If the mapper is defective.
    """
    if previous is not None and (previous.base is not base or previous.permutation is not permutation):
        previous = None
    _check_one_instance(network)
    began = [time.perf_counter()]
    placement = place(network.populations, permutation)
    if previous is not None and _same_circuits(placement, previous.placement):
        placement = previous.placement
    began.append(time.perf_counter())
    old = previous if previous is not None and previous.placement is placement and _kinds(network) == _kinds(previous.network) else None
    if old is not None and network.projections == old.network.projections:
        flat, routing = old.connections, old.routing
    else:
        flat = connections(network)
        if not len(flat.weight) and not any(population.record for population in network.populations if not isinstance(population, NeuronPopulation)):
            routing = unrouted(network)
        else:
            routing = old.routing if old is not None and flat.same_demand(old.connections) else route(network, placement, flat)
    began.append(time.perf_counter())
    same_neurons = old is not None and _neurons(network) == _neurons(old.network)
    neuron_fields = old.neuron_fields if old is not None and same_neurons else _lower_neurons(network, placement, base)
    synapse_fields = old.synapse_fields if old is not None and flat is old.connections else _lower_synapses(flat, routing, base)
    source_fields = {name: _frozen(codes) for name, codes in lower_background(network, routing.generators, base).items()}
    if old is not None and _equal(source_fields, old.source_fields):
        source_fields = dict(old.source_fields)
    base_fields = _fields_of(base) if previous is None else previous.base_fields
    began.append(time.perf_counter())
    if synapse_fields and (old is None or synapse_fields is not old.synapse_fields):
        fields = {**neuron_fields, **synapse_fields, **source_fields}
        check_connectum(network, placement, flat, routing, {name: fields.get(name, base[name]) for name in _WALKED})
    began.append(time.perf_counter())
    wall = dict(zip(("place", "route", "lower", "check"), (after - before for before, after in pairwise(began)), strict=True))
    return MappedNetwork(network, permutation, base, base_fields, placement, flat, routing, neuron_fields, synapse_fields, source_fields, wall)


def build_program(
    sections: Sequence[Section],
    *,
    held: Fields | None,
    writes: Sequence[TimedWrite] = (),
    reads: Sequence[TimedRead] = (),
    events: Sequence[tuple[int, int]] = (),
    neuron_reset: bool = False,
    plasticity: Sequence[PlasticityTask] = (),
    labels: Mapping[str, str] | None = None,
) -> Program:
    """Build the Program that executes sections back to back.

    Parameters
    ----------
    sections : sequence of Section, at least one
    held : mapping of str to ndarray, or None
        What the machine holds: :attr:`MappedNetwork.codes` of the last section of the last program, without the fields that were changed behind the
        network's back. Fields that are missing are sent; None sends every field.
    writes, reads : sequence of TimedWrite and TimedRead
        Register accesses besides the network's configuration, which comes before them.
    events : sequence of (int, int)
        Tick and label of input events besides the network's, in every trial.
    neuron_reset : bool
        Whether each trial begins with a reset of all neurons.
    plasticity : sequence of PlasticityTask
        What the plasticity processors do; :meth:`MappedNetwork.views` gives their views.
    labels : mapping of str to str, optional
        Annotations of the program.

    Returns
    -------
    Program
        With one entry per trial of the external sources.

    Raises
    ------
    CapacityError
        If the sections together are longer than the FPGA counts.
    ConfigurationError
        If sections differ in their number of trials.
    """
    codes = [section.mapped.codes for section in sections]
    config = _changed({} if held is None else held, codes[0])
    n_entries = _check_sections(sections)
    snippets: list[Snippet] = []
    columns: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]] = []
    begin = 0
    for i, section in enumerate(sections):
        entry, tick, label = section.mapped.events(section.duration)
        columns.append((entry, tick + begin, label))
        delta = _changed(codes[i - 1], codes[i]) if i else {}
        snippets.append(Snippet(section.duration, delta, section.record if section.record is not sections[0].record else None))
        begin += section.duration
    if events:
        more = np.tile(np.array(events, np.int64), (n_entries, 1))
        columns.append((np.repeat(np.arange(n_entries), len(events)), more[:, 0], more[:, 1].astype(np.uint16)))
    entry, tick, label = (np.concatenate(column) for column in zip(*columns, strict=True))
    order = np.lexsort((label, tick, entry)) if events else np.argsort(entry, kind="stable")
    entries = Events(np.searchsorted(entry[order], np.arange(n_entries + 1)), _frozen(tick[order]), _frozen(label[order]))
    return Program(
        machine="brainscales2",
        config=config,
        snippets=tuple(snippets),
        entries=entries,
        neuron_reset=neuron_reset,
        writes=tuple(writes),
        reads=tuple(reads),
        record=sections[0].record,
        plasticity=tuple(plasticity),
        labels=labels or {},
    )


_last_base: tuple[ChipConfig, Fields] | None = None


def _fields_of(base: ChipConfig) -> Fields:
    """Return every field of a configuration, the same arrays as long as it is equal to the last one."""
    global _last_base
    last = _last_base
    if last is None or last[0] != base:
        _last_base = last = base.copy(), base.as_mapping()
    return last[1]


def _check_one_instance(network: Network) -> None:
    """Refuse a network that needs the chip more than once."""
    instances = sorted({population.instance for population in network.populations})
    if len(instances) > 1:
        raise ConfigurationError(
            f"the populations belong to the execution instances {instances}; one chip configuration holds one. Split the network with split_instances first."
        )


def _check_sections(sections: Sequence[Section]) -> int:
    """Return the number of trials after checking that it is the same in all sections and the run not too long."""
    duration, limit = sum(section.duration for section in sections), brainscales2.RUN_TICKS_MAX
    if duration > limit:
        raise CapacityError(
            f"runtime too long: the {len(sections)} sections take {duration} ticks of 2 ns together, {duration * TICK_S:.9f} s of hardware time; allowed are "
            f"{limit} ticks, {limit * TICK_S:.9f} s, as many as the time stamps of the FPGA count. Divide the experiment into several programs."
        )
    numbers = [section.mapped.network.n_entries for section in sections]
    for i, number in enumerate(numbers):
        if number != numbers[0]:
            raise ConfigurationError(
                f"unequal batch sizes: section {i} has {number} entries, section 0 has {numbers[0]}; allowed is one number for all sections. "
                "Repeat or add trials."
            )
    return numbers[0]


def _neurons(network: Network) -> list[NeuronPopulation]:
    """Return the populations of neurons; lists compare by identity of their members."""
    return [population for population in network.populations if isinstance(population, NeuronPopulation)]


def _kinds(network: Network) -> list[tuple[Any, ...]]:
    """Return what a route depends on besides placement and connections."""
    return [_kind(population) for population in network.populations]


def _kind(population: Population) -> tuple[Any, ...]:
    if isinstance(population, NeuronPopulation):
        return NeuronPopulation, population.size, population.morphology
    return type(population), population.size, population.record, getattr(population, "bus", None)


def _same_circuits(a: Placement, b: Placement) -> bool:
    return len(a.members) == len(b.members) and all(map(np.array_equal, a.members, b.members))


def _lower_neurons(network: Network, placement: Placement, base: ChipConfig) -> Fields:
    """Return the neuron fields that differ from the base configuration."""
    fields: dict[str, NDArray[Any]] = {}

    def write(name: str, circuits: NDArray[np.int64], codes: NDArray[Any]) -> None:
        if name not in fields:
            fields[name] = base[name].copy()
        fields[name][circuits] = codes

    for population, members in zip(network.populations, placement.members, strict=True):
        if not isinstance(population, NeuronPopulation):
            continue
        for name in _SENDING:
            if (base[name][members] != _TABLE[name].default).any():
                write(name, members, np.asarray(_TABLE[name].default))
        for name, codes in population.parameters.items():
            if name in fields or (base[name][members] != (codes if codes.ndim > 1 else codes[:, np.newaxis])).any():
                checked = check_codes(_TABLE[name], codes)
                write(name, members, checked if codes.ndim > 1 else checked[:, np.newaxis])
        for name, switches in population.morphology.switches.items():
            write(name, members, np.array(switches))
        masters = {compartment.spike_master for compartment in population.morphology.compartments}
        silent = [circuit for circuit in range(population.morphology.size) if circuit not in masters]
        if silent:
            write("event_routing_enable_digital", members[:, silent], np.array(0))
    return {name: _frozen(array) for name, array in fields.items()}


def _lower_synapses(flat: Connections, routing: Routing, base: ChipConfig) -> Fields:
    """Return the fields of synapses, drivers, crossbar and addresses; none for a network without connections and recorded sources."""
    if not len(flat.weight) and not len(routing.site) and (routing.generators.population < 0).all():
        return {}
    weight = np.zeros(_TABLE["synapse_weight"].shape, _TABLE["synapse_weight"].dtype)
    label = _unused_labels(routing)
    place_of = routing.hemisphere, routing.row, routing.column
    weight[place_of] = split_weights(flat.weight, flat.parts)[1]
    label[place_of] = routing.synapse_label
    fields: dict[str, NDArray[Any]] = {
        "synapse_weight": weight,
        "synapse_label": label,
        "synapse_row_mode": routing.row_mode,
        "driver_enable_receiver": routing.receiver,
        "driver_row_address_compare_mask": routing.compare_mask,
        "crossbar_mask": routing.crossbar_mask,
        "crossbar_target": routing.crossbar_target,
    }
    if routing.address is not None:
        fields["event_routing_address"] = routing.address
    for name in _OPEN:
        default = _TABLE[name].default_array()
        if not np.array_equal(default, base[name]):
            fields[name] = default
    return {name: _frozen(array) for name, array in fields.items()}


def _unused_labels(routing: Routing) -> NDArray[Any]:
    """Return labels for the synapses that no connection uses, so that they hear nothing even if a plasticity rule gives them a weight.

    In rows with connections it is the smallest label that no event has, or, if events have all, the smallest that no synapse of the driver has.
    """
    label = np.zeros(_TABLE["synapse_label"].shape, _TABLE["synapse_label"].dtype)
    every = np.arange(LABEL_SYNAPSE_MASK + 1)
    sent = [routing.synapse_label, routing.label & LABEL_SYNAPSE_MASK, routing.generators.label[routing.generators.population >= 0] & LABEL_SYNAPSE_MASK]
    free = np.setdiff1d(every, np.concatenate([*sent, [] if routing.address is None else routing.address & LABEL_SYNAPSE_MASK]))
    driver = routing.row // ROWS_PER_DRIVER
    for h, d in np.unique(np.stack([routing.hemisphere, driver]), axis=1).T.tolist():
        here = free if len(free) else np.setdiff1d(every, routing.synapse_label[(routing.hemisphere == h) & (driver == d)])
        if len(here):
            label[h, ROWS_PER_DRIVER * d : ROWS_PER_DRIVER * (d + 1)] = here[0]
    return label


def _equal(a: Fields, b: Fields) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def _changed(old: Fields, new: Fields) -> Fields:
    """Return the fields of `new` that differ from `old` or are missing there."""
    return FrozenFields({name: codes for name, codes in new.items() if name not in old or (old[name] is not codes and not np.array_equal(old[name], codes))})


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that nobody can change, so that a Program takes it without a copy."""
    array = np.ascontiguousarray(array)
    if array.base is not None and (not isinstance(array.base, np.ndarray) or array.base.flags.writeable):
        array = array.copy()
    array.setflags(write=False)
    return array
