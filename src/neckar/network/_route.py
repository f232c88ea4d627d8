"""Routing: which labels events carry, where the crossbar lets them pass, and which synapses answer.

Resources. An event meets crossbar, bus, driver and synapse. Events of the 64 circuits under 32 columns leave by one of eight neuron event outputs; output o
reaches bus o mod 4 of both hemispheres. A background generator reaches one bus of one hemisphere. The FPGA sends on four channels; channel k is used for bus k
of both hemispheres. A bus has 32 synapse drivers with two rows each. The label of an event holds the synapse label (bits 0 to 5) and the row select (6 to 10);
for neurons, bits 0 to 7 are the circuit's address and 8 to 10 the number of its event output.

Method. Choose a circuit for every synapse, check necessary conditions, distribute the sources over buses in groups (:mod:`_distribute`), allocate drivers
(:mod:`_drivers`), assign labels, close all crossbar nodes that no event needs. External sources send each spike once if they can, else once for each
hemisphere, else as often as it takes. Bits of the label beyond the row select tell the crossbar where an external event goes: bit 12 opens the bottom
hemisphere, bit 13 closes the top one, bit 11 sends it back to the host. All circuits of an event output have different addresses, so that the host can tell
their spikes apart; those without targets have a row select that the crossbar keeps from the buses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import (
    BUSES_PER_HEMISPHERE,
    COLUMNS,
    COLUMNS_PER_EVENT_OUTPUT,
    DRIVERS_PER_BUS,
    ROWS_PER_DRIVER,
    driver_at,
    event_output_of,
)
from neckar.errors import UnsuccessfulRoutingError
from neckar.facts import AXES, CROSSBAR_NODE_EXISTS, registers
from neckar.facts.labels import (
    CROSSBAR_BACKGROUND_INPUT,
    CROSSBAR_FPGA_INPUT,
    CROSSBAR_FPGA_OUTPUT,
    LABEL_CHANNEL_SHIFT,
    LABEL_SELECT_SHIFT,
    NEURON_OUTPUT_SHIFT,
)
from neckar.network._background import Generators, choose_buses, halves_of
from neckar.network._capacity import ROWS_PER_BUS, check_rows, check_senders, check_targets
from neckar.network._connections import Connections, choose_circuits, connections, rank_of
from neckar.network._distribute import LABELS, Distribution, Group, Sending, distribute_external
from neckar.network._drivers import Selects, allocate, compare_mask
from neckar.network._graph import RECEPTORS, BackgroundPopulation, Network, NeuronPopulation, Population, n_compartments
from neckar.network._place import Placement, place

LOOP_BIT, BOTTOM_BIT, NOT_TOP_BIT = 1 << 11, 1 << 12, 1 << 13
"""Bits in the label of external and background events: to the host; to the bottom hemisphere; not to the top one."""

_HEMISPHERES = AXES["hemisphere"]
_OUTPUTS = AXES["circuit"] // (COLUMNS_PER_EVENT_OUTPUT * _HEMISPHERES)
_MODES = registers("brainscales2")["synapse_row_mode"].choices or ()
_LOW_SELECT_MASK = (1 << (NEURON_OUTPUT_SHIFT - LABEL_SELECT_SHIFT)) - 1
_SENDING: tuple[Sending, ...] = ("once", "per hemisphere", "in parts")
_LARGEST = (32, 16, 8, 4, 2, 1)


@dataclass(frozen=True, eq=False)
class Routing:
    """Labels of the sources, rows and synapses.

    Parameters
    ----------
    offsets : ndarray of int64, shape (population + 1,)
        First site of each population; see :meth:`Network.site_offsets`.
    site, label : ndarray of int64, shape (send,)
        Events that external sources send for each spike: the source and the 16-bit label. Sources without targets that are not recorded send none.
    address : ndarray of uint8, shape (circuit,), or None
        Addresses of the circuits' events; None if no neuron sends to another.
    generators : Generators
    crossbar_mask, crossbar_target : ndarray of uint16, shape (crossbar_input, crossbar_output)
    row_mode : ndarray of uint8, shape (hemisphere, row)
    receiver : ndarray of bool, shape (hemisphere, driver)
        Drivers in use.
    compare_mask : ndarray of uint8, shape (hemisphere, driver)
    connection : ndarray of int64, shape (synapse,)
        Connection that each synapse realises; the synapses of a connection are neighbours.
    hemisphere, row, column : ndarray of int64, shape (synapse,)
    synapse_label : ndarray of int64, shape (synapse,)
    """

    offsets: NDArray[np.int64]
    site: NDArray[np.int64]
    label: NDArray[np.int64]
    address: NDArray[np.uint8] | None
    generators: Generators
    crossbar_mask: NDArray[np.uint16]
    crossbar_target: NDArray[np.uint16]
    row_mode: NDArray[np.uint8]
    receiver: NDArray[np.bool_]
    compare_mask: NDArray[np.uint8]
    connection: NDArray[np.int64]
    hemisphere: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    synapse_label: NDArray[np.int64]

    def labels_of(self, population: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return, for a population of external sources, sources and labels of the events that a spike sends, shape (send,) each, ascending in the source."""
        first, last = np.searchsorted(self.site, self.offsets[population : population + 2])
        return self.site[first:last] - self.offsets[population], self.label[first:last]

    def looped_labels(self, population: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return, for a population of recorded sources, sources and labels of the events that the host gets back, shape (source,) each."""
        generator = np.flatnonzero(self.generators.population == population)
        if len(generator):
            index = np.arange(self.offsets[population + 1] - self.offsets[population])
            bus = int(generator[0]) % BUSES_PER_HEMISPHERE
            return index, (int(self.generators.label[generator[0]]) | bus << LABEL_CHANNEL_SHIFT) + index
        index, label = self.labels_of(population)
        return index[label & LOOP_BIT > 0], label[label & LOOP_BIT > 0]

    def sources(self) -> dict[int, tuple[int, int]]:
        """Return the inverse map: label of an external event to (population, index of the source in it)."""
        population = np.searchsorted(self.offsets, self.site, side="right") - 1
        index = self.site - self.offsets[population]
        return dict(zip(self.label.tolist(), zip(population.tolist(), index.tolist(), strict=True), strict=True))


@dataclass(frozen=True, eq=False)
class _Sources:
    """Sites that send to synapses or the host, or belong to a generator that does, columns of shape (source,).

    Parameters
    ----------
    site : ndarray of int64
    population : ndarray of int64
    circuit : ndarray of int64
        Circuit that sends, -1 outside neurons.
    bus : ndarray of int64
        Fixed bus, -1 for external sources.
    demand : ndarray of int64, shape (source, receptor, hemisphere, column)
        Synapses.
    recorded : ndarray of bool
        Whether events go to the host, apart from those of neurons.
    buses : dict of int to int
        Bus of each population of background sources.
    """

    site: NDArray[np.int64]
    population: NDArray[np.int64]
    circuit: NDArray[np.int64]
    bus: NDArray[np.int64]
    demand: NDArray[np.int64]
    recorded: NDArray[np.bool_]
    buses: dict[int, int]


@dataclass(frozen=True, eq=False)
class _Allocation:
    """Row selects and driver positions of the groups of a distribution."""

    selects: list[Selects]
    positions: list[list[list[int]]]  # by group and hemisphere


def unrouted(network: Network) -> Routing:
    """Return the routing of a network without connections and recorded sources: nothing is in use."""
    return replace(_nothing(), offsets=network.site_offsets())


@lru_cache(maxsize=1)
def _nothing() -> Routing:
    nothing = Network()
    return route(nothing, place(nothing.populations), connections(nothing))


def route(network: Network, placement: Placement, flat: Connections) -> Routing:
    """Give every source its labels and every connection its synapses.

    Parameters
    ----------
    network : Network
    placement : Placement
    flat : Connections
        The network's connections.

    Returns
    -------
    Routing

    Raises
    ------
    CapacityError
        If circuits, buses, hemispheres or labels do not suffice; names what was asked, allowed, where, and the remedy.
    UnsuccessfulRoutingError
        If each of these suffices, but no distribution of sources or allocation of drivers was found.
    """
    check_targets(network, placement, flat)
    connection, circuit = choose_circuits(network, placement, flat)
    check_senders(network, flat.source[connection], circuit // COLUMNS)
    sources, source = _sources(network, placement, flat, connection, circuit)
    check_rows(network, placement, sources.demand, sources.bus)
    made, allocation = _search(network, sources)

    group_of, label_of = np.zeros((2, len(made.source)), np.int64)
    for g, group in enumerate(made.groups):
        group_of[group.members], label_of[group.members] = g, np.arange(len(group.members))
    receptor, hemisphere, column = flat.receptor[connection], circuit // COLUMNS, circuit % COLUMNS
    item = _items(made, source, receptor, hemisphere, column)
    mine = group_of[item]
    excitatory_rows = made.synapses.max(axis=-1)[:, 0]  # (group, hemisphere)
    place = np.ravel_multi_index((mine, receptor, hemisphere, column), (max(len(made.groups), 1), *made.synapses.shape[1:]))
    slot = rank_of(np.asarray(place)) + np.where(receptor, excitatory_rows[mine, hemisphere], 0)
    row = _rows_of_slots(made, allocation)[mine, hemisphere, slot]

    owner = np.array(made.source, np.int64)
    external = np.flatnonzero(sources.bus[owner] < 0)  # items of one source follow each other, sources ascend
    crossbar_mask, crossbar_target = _crossbar(made, allocation, sources)
    row_mode, receiver, masks = _drivers(made, allocation)
    return Routing(
        network.site_offsets(),
        sources.site[owner[external]],
        _external_labels(made, allocation, sources, external, group_of, label_of),
        _addresses(made, allocation, sources),
        _generators(made, allocation, sources),
        crossbar_mask,
        crossbar_target,
        row_mode,
        receiver,
        masks,
        connection,
        hemisphere,
        row,
        column,
        label_of[item],
    )


def _sources(
    network: Network, placement: Placement, flat: Connections, connection: NDArray[np.int64], circuit: NDArray[np.int64]
) -> tuple[_Sources, NDArray[np.int64]]:
    """Return the sources of a network, and the source of each synapse."""
    offsets = network.site_offsets()
    sending = np.zeros(offsets[-1], np.bool_)
    sending[flat.source] = True
    for number, population in enumerate(network.populations):
        all_of_it = sending[offsets[number] : offsets[number + 1]]
        if _is_recorded(population) or (isinstance(population, BackgroundPopulation) and all_of_it.any()):
            all_of_it[:] = True
    site = np.flatnonzero(sending)
    source = np.searchsorted(site, flat.source[connection])
    shape = max(len(site), 1), len(RECEPTORS), _HEMISPHERES, COLUMNS
    place = np.ravel_multi_index((source, flat.receptor[connection], circuit // COLUMNS, circuit % COLUMNS), shape)
    demand = np.bincount(place, minlength=int(np.prod(shape))).reshape(shape)[: len(site)]
    population_of = np.searchsorted(offsets, site, side="right") - 1
    circuit_of, bus = np.full((2, len(site)), -1)
    for number, population in enumerate(network.populations):
        if isinstance(population, NeuronPopulation):
            mine = np.flatnonzero(population_of == number)
            neuron, compartment = np.divmod(site[mine] - offsets[number], n_compartments(population))
            masters = np.array([-1 if one.spike_master is None else one.spike_master for one in population.morphology.compartments])
            circuit_of[mine] = placement.members[number][neuron, masters[compartment]]
    internal = circuit_of >= 0
    bus[internal] = event_output_of(circuit_of[internal]) % BUSES_PER_HEMISPHERE
    buses = choose_buses(network, demand, population_of, bus, ROWS_PER_BUS)
    for number, chosen in buses.items():
        bus[population_of == number] = chosen
    recorded = np.array([_is_recorded(population) for population in network.populations], np.bool_)[population_of]
    return _Sources(site, population_of, circuit_of, bus, demand, recorded, buses), source


def _is_recorded(population: Population) -> bool:
    return not isinstance(population, NeuronPopulation) and population.record


def _search(network: Network, sources: _Sources) -> tuple[Distribution, _Allocation]:
    """Distribute the sources and allocate drivers, by the simplest way that succeeds."""
    external = np.flatnonzero(sources.bus < 0)
    distributed = False
    for fixed in _fixed_groups(network, sources):
        for sending, largest in product(_SENDING, _LARGEST) if len(external) else [(_SENDING[0], _LARGEST[0])]:
            made = distribute_external(fixed, sources.demand, external, sending, largest)
            if made is None:
                continue
            distributed = True
            allocation = _allocate(made)
            if allocation is not None:
                return made, allocation
    rows = sources.demand.sum(axis=0).max(axis=-1).sum(axis=0)
    asked = (
        f"{len(external)} external sources, {np.count_nonzero(sources.circuit >= 0)} neurons and {len(sources.buses)} populations of background sources need "
        f"{rows[0]} synapse rows in the top and {rows[1]} in the bottom hemisphere if rows are shared ideally"
    )
    if not distributed:
        raise UnsuccessfulRoutingError(
            f"source distribution not successful: {asked}; allowed are {ROWS_PER_BUS} rows on each of the four buses of a hemisphere, {LABELS} sources per row "
            "select, one sign per row. Use fewer sources or smaller weights, spread the targets over both hemispheres with the neuron permutation, or "
            "split the network over execution instances."
        )
    raise UnsuccessfulRoutingError(
        f"synapse driver allocation not successful: {asked}, which fit the {DRIVERS_PER_BUS} drivers of each bus, but no row selects were found with which "
        "every driver answers its own sources only; allowed are row selects that differ between the groups of a bus. Use fewer sources or smaller weights, "
        "move neurons that send to other columns with the neuron permutation, or split the network over execution instances."
    )


def _fixed_groups(network: Network, sources: _Sources) -> Iterator[Distribution]:
    """Yield the groups of neurons and background sources: each event output apart, then those of one bus together wherever their labels suffice."""
    tried = None
    for together in (False, True):
        outputs = [pair for bus in range(BUSES_PER_HEMISPHERE) for pair in _outputs_of_bus(sources, bus, together)]
        if outputs == tried:
            return
        tried = outputs
        made = Distribution()
        for pair in outputs:
            g = made.found(Group(pair[0] % BUSES_PER_HEMISPHERE, pair))
            for source in _of_outputs(sources, pair).tolist():
                made.join(g, source, sources.demand[source])
        for number, bus in sources.buses.items():
            mine = np.flatnonzero(sources.population == number)
            always = halves_of(sources.demand[mine].sum(axis=0))
            for part in range(0, len(mine), LABELS):
                g = made.found(Group(bus, (), (number, part // LABELS), (bool(always[0]), bool(always[1]))))
                for source in mine[part : part + LABELS].tolist():
                    made.join(g, source, sources.demand[source])
        if (made.load <= DRIVERS_PER_BUS).all():
            yield made


def _outputs_of_bus(sources: _Sources, bus: int, together: bool) -> list[tuple[int, ...]]:
    """Return the event outputs of a bus whose neurons send, those of one group as one tuple."""
    sending = tuple(output for output in range(bus, _OUTPUTS, BUSES_PER_HEMISPHERE) if len(_of_outputs(sources, (output,))))
    if together and sending and len(_of_outputs(sources, sending)) <= LABELS:
        return [sending]
    return [(output,) for output in sending]


def _of_outputs(sources: _Sources, outputs: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the sources that send by some event outputs, ascending in the circuit."""
    mine = np.flatnonzero(sources.circuit >= 0)
    mine = mine[np.isin(event_output_of(sources.circuit[mine]), outputs)]
    return mine[np.argsort(sources.circuit[mine])]


def _allocate(made: Distribution) -> _Allocation | None:
    """Choose row selects and drivers of all groups, None if that fails on a bus."""
    allocation = _Allocation([()] * len(made.groups), [[[], []] for _ in made.groups])
    for bus in range(BUSES_PER_HEMISPHERE):
        units = made.units(bus)
        found = allocate([unit for _, unit in units])
        if found is None:
            return None
        for (numbers, _), selects, positions in zip(units, *found, strict=True):
            for g, mine, places in zip(numbers, selects, positions, strict=True):
                allocation.selects[g], allocation.positions[g] = mine, places
    return allocation


def _items(
    made: Distribution, source: NDArray[np.int64], receptor: NDArray[np.int64], hemisphere: NDArray[np.int64], column: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the item that each synapse belongs to; the items of a source follow each other and take its synapses in order."""
    owner = np.array(made.source, np.int64)
    first = np.zeros(int(owner.max(initial=-1)) + 1, np.int64)
    first[owner[::-1]] = np.arange(len(owner))[::-1]
    item = first[source]
    several = np.flatnonzero((np.bincount(owner, minlength=len(first)) > 1)[source])
    if not len(several):
        return item
    place = receptor[several], hemisphere[several], column[several]
    left = rank_of(np.ravel_multi_index((source[several], *place), (len(first), len(RECEPTORS), _HEMISPHERES, COLUMNS)))
    demand = np.stack(made.demand)
    while True:
        room = demand[(item[several], *place)]
        full = left >= room
        if not full.any():
            return item
        left[full] -= room[full]
        item[several[full]] += 1


def _rows_of_slots(made: Distribution, allocation: _Allocation) -> NDArray[np.int64]:
    """Return the synapse rows of each group in the order of their use, shape (group, hemisphere, slot); -1 beyond its drivers."""
    rows = np.full((len(made.groups), _HEMISPHERES, ROWS_PER_BUS), -1)
    for g, group in enumerate(made.groups):
        for h, positions in enumerate(allocation.positions[g]):
            slots = np.arange(len(positions) * ROWS_PER_DRIVER)
            if len(slots):
                driver = driver_at(group.bus, np.array(positions)[slots // ROWS_PER_DRIVER])
                rows[g, h, slots] = driver * ROWS_PER_DRIVER + slots % ROWS_PER_DRIVER
    return rows


def _external_labels(
    made: Distribution, allocation: _Allocation, sources: _Sources, items: NDArray[np.int64], group_of: NDArray[np.int64], label_of: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the labels that external items send; of a source's items, the first goes to the host."""
    labels = []
    looped = set()
    for item in items.tolist():
        g, source = group_of[item], made.source[item]
        top, bottom = made.demand[item].any(axis=(0, 2))
        if not (top or bottom):
            top, bottom = made.present(g)
        loop = LOOP_BIT if sources.recorded[source] and source not in looped else 0
        looped.add(source)
        label = label_of[item] | allocation.selects[g][0] << LABEL_SELECT_SHIFT | _where(top, bottom) | loop
        labels.append(label | made.groups[g].bus << LABEL_CHANNEL_SHIFT)
    return np.array(labels, np.int64)


def _where(top: bool, bottom: bool) -> int:
    """Return the bits of a label that tell the crossbar to which hemispheres an event goes."""
    return (0 if top else NOT_TOP_BIT) | (BOTTOM_BIT if bottom else 0)


def _addresses(made: Distribution, allocation: _Allocation, sources: _Sources) -> NDArray[np.uint8] | None:
    """Return the addresses of all circuits, None if no neuron sends to another.

    Circuits that send share the row select of their group; the others of their event output have the inverse of its two free bits.
    """
    if (sources.circuit < 0).all():
        return None
    circuits = np.arange(AXES["circuit"])
    address = circuits % COLUMNS_PER_EVENT_OUTPUT + COLUMNS_PER_EVENT_OUTPUT * (circuits // COLUMNS)  # 0 to 63 within an event output
    for g, group in enumerate(made.groups):
        for output, select in zip(group.outputs, allocation.selects[g], strict=False):
            low = select & _LOW_SELECT_MASK
            mine = np.flatnonzero(event_output_of(circuits) == output)
            address[mine] = np.arange(len(mine)) | (low ^ _LOW_SELECT_MASK) << LABEL_SELECT_SHIFT
            for label, item in enumerate(group.members):
                circuit = sources.circuit[made.source[item]]
                if circuit >= 0 and event_output_of(circuit) == output:
                    address[circuit] = label | low << LABEL_SELECT_SHIFT
    return address.astype(np.uint8)


def _generators(made: Distribution, allocation: _Allocation, sources: _Sources) -> Generators:
    """Return which generators run, and their labels."""
    population, label = np.full(AXES["background"], -1), np.zeros(AXES["background"], np.int64)
    for g, group in enumerate(made.groups):
        if group.generator is not None and group.generator[1] == 0:
            for h in range(_HEMISPHERES):
                if group.always[h]:
                    population[h * BUSES_PER_HEMISPHERE + group.bus] = group.generator[0]
                    loop = LOOP_BIT if sources.recorded[made.source[group.members[0]]] else 0
                    label[h * BUSES_PER_HEMISPHERE + group.bus] = allocation.selects[g][0] << LABEL_SELECT_SHIFT | _where(*group.always) | loop
    return Generators(population, label)


def _crossbar(made: Distribution, allocation: _Allocation, sources: _Sources) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Return masks and targets of the crossbar: neurons reach the host, and events the buses on which something answers them."""
    mask, target = np.zeros((2, *CROSSBAR_NODE_EXISTS.shape), np.uint16)
    target[...] = 1  # with mask 0: nothing passes
    for output in range(_OUTPUTS):
        target[output, CROSSBAR_FPGA_OUTPUT + output % BUSES_PER_HEMISPHERE] = 0
    for g, group in enumerate(made.groups):
        owner = np.array([made.source[item] for item in group.members], np.int64)
        if (sources.recorded[owner] & (sources.bus[owner] < 0)).any():
            node = CROSSBAR_FPGA_INPUT + group.bus, CROSSBAR_FPGA_OUTPUT + group.bus
            mask[node] = target[node] = LOOP_BIT
        reached = np.array([made.demand[item].any(axis=(0, 2)) for item in group.members])  # (member, hemisphere)
        for h in range(_HEMISPHERES):
            bus = group.bus + h * BUSES_PER_HEMISPHERE
            if group.always[h]:
                target[CROSSBAR_BACKGROUND_INPUT + bus, bus] = 0
            if (reached[:, h] & (sources.bus[owner] < 0)).any():
                node = CROSSBAR_FPGA_INPUT + group.bus, bus
                mask[node], target[node] = (BOTTOM_BIT, BOTTOM_BIT) if h else (NOT_TOP_BIT, 0)
            if group.always[h] and sources.recorded[owner[0]] and not (h and group.always[0]):  # one of two equal generators
                target[CROSSBAR_BACKGROUND_INPUT + bus, CROSSBAR_FPGA_OUTPUT + group.bus] = 0
            for output, select in zip(group.outputs, allocation.selects[g], strict=False):
                circuit = sources.circuit[owner]
                if (reached[:, h] & (circuit >= 0) & (circuit % COLUMNS // COLUMNS_PER_EVENT_OUTPUT == output)).any():
                    mask[output, bus] = _LOW_SELECT_MASK << LABEL_SELECT_SHIFT
                    target[output, bus] = (select & _LOW_SELECT_MASK) << LABEL_SELECT_SHIFT
    return mask, target


def _drivers(made: Distribution, allocation: _Allocation) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.uint8]]:
    """Return row modes, receivers and compare masks."""
    mode = np.zeros((_HEMISPHERES, AXES["row"]), np.uint8)
    receiver = np.zeros((_HEMISPHERES, AXES["driver"]), np.bool_)
    mask = np.full((_HEMISPHERES, AXES["driver"]), DRIVERS_PER_BUS - 1, np.uint8)
    rows = _rows_of_slots(made, allocation)
    needed = made.synapses.max(axis=-1)  # (group, receptor, hemisphere)
    for g, group in enumerate(made.groups):
        for h, positions in enumerate(allocation.positions[g]):
            modes = np.repeat([_MODES.index(name) for name in RECEPTORS], needed[g, :, h])
            mode[h, rows[g, h, : len(modes)]] = modes
            for position in positions:
                driver = int(driver_at(group.bus, position))
                receiver[h, driver] = True
                mask[h, driver] = compare_mask(allocation.selects[g], position)
    return mode, receiver, mask
