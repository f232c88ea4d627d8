"""Routing of external sources: which event label each source sends, which synapses answer it.

Resources. The FPGA sends on four channels; channel k reaches PADI bus k of *both* hemispheres (the crossbar's default). A bus has 32 synapse drivers with
two rows each. A driver answers an event if the row select of the event equals its position in the bits of its compare mask; then every synapse of its two
rows whose 6-bit label equals that of the event acts on its column, excitatory or inhibitory as the row says.

Method. Sources are collected in *groups* of at most 64. A group owns one channel, an aligned block of 2**b drivers at the same positions in both
hemispheres, and one row select that exactly this block answers (mask without the b lowest bits). Inside a group each source has a label of its own and each
column is filled independently, so a hemisphere needs as many excitatory rows as the busiest column has excitatory synapses, plus the same for inhibitory
rows: sources with disjoint targets share rows. Each source sends one event per spike. Groups are filled first fit, with large blocks first (few groups, one
channel after the other), with smaller blocks if that does not fit. Not modelled: sending a source on several channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import BUSES_PER_HEMISPHERE, COLUMNS, DRIVERS_PER_BUS, ROWS_PER_DRIVER, driver_at
from neckar.errors import CapacityError
from neckar.facts import AXES, registers
from neckar.facts.labels import LABEL_CHANNEL_SHIFT, LABEL_SELECT_SHIFT
from neckar.network._connections import MAX_WEIGHT, Connections, source_offsets, synapses_per_weight
from neckar.network._graph import RECEPTORS, Network
from neckar.network._place import Placement

LABELS = registers("brainscales2")["synapse_label"].high + 1
"""Different labels of one row."""

CHANNELS = BUSES_PER_HEMISPHERE

_ROWS, _HEMISPHERES = AXES["row"], AXES["hemisphere"]
_ROWS_PER_BUS = DRIVERS_PER_BUS * ROWS_PER_DRIVER
_MODES = registers("brainscales2")["synapse_row_mode"].choices or ()
_BLOCKS = (32, 16, 8, 4, 2, 1)


@dataclass(frozen=True, eq=False)
class Routing:
    """Labels of the sources, rows and synapses.

    Parameters
    ----------
    label : ndarray of int64, shape (source,)
        Event label of each source of the network; -1 for a source without targets.
    offsets : ndarray of int64, shape (population + 1,)
        First source of each population in `label`.
    row_mode : ndarray of uint8, shape (hemisphere, row)
    receiver : ndarray of bool, shape (hemisphere, driver)
        Drivers in use.
    compare_mask : ndarray of uint8, shape (hemisphere, driver)
    hemisphere, row, column : ndarray of int64, shape (synapse,)
        Place of each synapse, in the order of the connections, synapses of a connection as neighbours.
    synapse_label : ndarray of int64, shape (synapse,)
    """

    label: NDArray[np.int64]
    offsets: NDArray[np.int64]
    row_mode: NDArray[np.uint8]
    receiver: NDArray[np.bool_]
    compare_mask: NDArray[np.uint8]
    hemisphere: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    synapse_label: NDArray[np.int64]

    def labels_of(self, population: int) -> NDArray[np.int64]:
        """Return the event labels of a population's sources, -1 without targets; empty for neurons."""
        return self.label[self.offsets[population] : self.offsets[population + 1]]

    def sources(self) -> dict[int, tuple[int, int]]:
        """Return the inverse map: event label to (population, index of the source in it)."""
        used = np.flatnonzero(self.label >= 0)
        population = np.searchsorted(self.offsets, used, side="right") - 1
        index = used - self.offsets[population]
        return dict(zip(self.label[used].tolist(), zip(population.tolist(), index.tolist(), strict=True), strict=True))


@dataclass(eq=False)
class _Groups:
    """Groups of sources in the making; the arrays have one row per group."""

    channel: list[int]
    sources: list[list[int]]
    synapses: NDArray[np.int64]  # (group, receptor, hemisphere, column)

    def blocks(self) -> NDArray[np.int64]:
        """Return the number of drivers of each group."""
        return _block(self.synapses)

    def positions(self) -> NDArray[np.int64]:
        """Return the first position of each group on its bus: large blocks first, so that every block is aligned to its size."""
        blocks, channel = self.blocks(), np.asarray(self.channel)
        start = np.zeros(len(blocks), np.int64)
        for k in range(CHANNELS):
            mine = np.flatnonzero(channel == k)
            order = mine[np.argsort(-blocks[mine], kind="stable")]
            start[order] = np.cumsum(blocks[order]) - blocks[order]
        return start


def route(network: Network, placement: Placement, flat: Connections) -> Routing:
    """Give every source a label and every connection its synapses.

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
        If synapses, rows or labels do not suffice; names what was asked, allowed, where, and the remedy.
    """
    parts = synapses_per_weight(flat.weight)
    if parts.max(initial=0) > _ROWS_PER_BUS:  # asked before memory is taken for each part
        raise _beyond_a_bus(network, int(flat.source[parts.argmax()]), int(parts.max()))
    connection = np.repeat(np.arange(len(flat.weight)), parts)
    circuit, receptor = flat.circuit[connection], flat.receptor[connection]
    hemisphere, column = circuit // COLUMNS, circuit % COLUMNS
    names, source = np.unique(flat.source[connection], return_inverse=True)
    demand = np.zeros((len(names), len(RECEPTORS), _HEMISPHERES, COLUMNS), np.int64)
    np.add.at(demand, (source, receptor, hemisphere, column), 1)
    _check_necessary(network, placement, demand, names)
    groups = _pack(demand)

    start, block = groups.positions(), groups.blocks()
    channel = np.asarray(groups.channel, np.int64)
    group_of, label_of = np.zeros((2, len(names)), np.int64)
    for g, members in enumerate(groups.sources):
        group_of[members], label_of[members] = g, np.arange(len(members))
    offsets = source_offsets(network)
    label = np.full(offsets[-1], -1)
    label[names] = label_of | start[group_of] << LABEL_SELECT_SHIFT | channel[group_of] << LABEL_CHANNEL_SHIFT

    excitatory_rows = groups.synapses.max(axis=-1)[:, 0]  # (group, hemisphere)
    group = group_of[source]
    slot = _rank(np.ravel_multi_index((group, receptor, hemisphere, column), groups.synapses.shape)) + np.where(receptor, excitatory_rows[group, hemisphere], 0)
    row = _row(channel[group], start[group], slot)
    return Routing(label, offsets, *_rows(groups, channel, start, block), hemisphere, row, column, label_of[source])


def _block(synapses: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the drivers that groups need, rounded up to a power of two, from synapses (group, receptor, hemisphere, column)."""
    rows = synapses.max(axis=-1).sum(axis=-2).max(axis=-1)
    drivers = np.maximum(-(-rows // ROWS_PER_DRIVER), 1)
    return 1 << np.ceil(np.log2(drivers)).astype(np.int64)


def _pack(demand: NDArray[np.int64]) -> _Groups:
    """Collect sources in groups; raise `CapacityError` if no order of block sizes fits."""
    for largest in _BLOCKS:
        groups = _first_fit(demand, largest)
        if groups is not None:
            return groups
    rows = demand.sum(axis=0).max(axis=-1).sum(axis=0)
    raise CapacityError(
        f"the drivers of the four buses do not suffice: {len(demand)} external sources need {rows.max()} synapse rows in hemisphere {rows.argmax()} if rows "
        f"are shared ideally; allowed are {_ROWS} per hemisphere, {LABELS} sources per block of drivers that share a row select, whole blocks on one bus. "
        f"Use fewer sources or weights up to {MAX_WEIGHT}, or spread the targets over both hemispheres with the neuron permutation."
    )


def _first_fit(demand: NDArray[np.int64], largest: int) -> _Groups | None:
    """Fill groups of at most `largest` drivers (more where a single source needs it); return None if a source finds no place."""
    groups = _Groups([], [], np.zeros((0, *demand.shape[1:]), np.int64))
    load = np.zeros(CHANNELS, np.int64)
    for source, wanted in enumerate(demand):
        joined = groups.synapses + wanted
        old, new = groups.blocks(), _block(joined)
        full = np.array([len(members) >= LABELS for members in groups.sources], np.bool_)
        channel = np.asarray(groups.channel, np.int64)
        fits = ~full & (new <= np.maximum(largest, old)) & (load[channel] - old + new <= DRIVERS_PER_BUS)
        if fits.any():
            g = int(np.argmax(fits))
            groups.synapses[g] = joined[g]
            groups.sources[g].append(source)
            load[channel[g]] += new[g] - old[g]
            continue
        size = int(_block(wanted[np.newaxis])[0])
        k = int(np.argmin(load))
        if load[k] + size > DRIVERS_PER_BUS:
            return None
        groups.synapses = np.concatenate([groups.synapses, wanted[np.newaxis]])
        groups.channel.append(k)
        groups.sources.append([source])
        load[k] += size
    return groups


def _rank(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each element how many equal ones stand before it."""
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(key) else np.zeros(0, np.int64)
    rank = np.empty(len(key), np.int64)
    rank[order] = np.arange(len(key)) - np.repeat(first, np.diff(np.r_[first, len(key)]))
    return rank


def _row(channel: NDArray[np.int64], start: NDArray[np.int64], slot: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the synapse row behind a slot of a group."""
    return driver_at(channel, start + slot // ROWS_PER_DRIVER) * ROWS_PER_DRIVER + slot % ROWS_PER_DRIVER


def _rows(
    groups: _Groups, channel: NDArray[np.int64], start: NDArray[np.int64], block: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.uint8]]:
    """Return row modes, receivers and compare masks of the groups' drivers."""
    mode = np.zeros((_HEMISPHERES, _ROWS), np.uint8)
    mask = np.full((_HEMISPHERES, AXES["driver"]), DRIVERS_PER_BUS - 1, np.uint8)
    needed = groups.synapses.max(axis=-1)  # (group, receptor, hemisphere)
    for g in range(len(block)):
        positions = start[g] + np.arange(block[g])
        mask[:, driver_at(channel[g], positions)] = (DRIVERS_PER_BUS - 1) & ~(int(block[g]) - 1)
        for hemisphere in range(_HEMISPHERES):
            modes = np.repeat([_MODES.index(name) for name in RECEPTORS], needed[g, :, hemisphere])
            mode[hemisphere, _row(channel[g], start[g], np.arange(len(modes)))] = modes
    used = mode.reshape(_HEMISPHERES, AXES["driver"], ROWS_PER_DRIVER)
    return mode, np.asarray(used.any(axis=-1)), mask


def _check_necessary(network: Network, placement: Placement, demand: NDArray[np.int64], names: NDArray[np.int64]) -> None:
    """Raise `CapacityError` where one circuit, one hemisphere or one source alone asks for too much."""
    if not len(demand):
        return
    total = demand.sum(axis=0)  # (receptor, hemisphere, column)
    per_circuit = total.sum(axis=0)
    if per_circuit.max() > _ROWS:
        circuit = int(per_circuit.argmax())  # hemisphere * 256 + column
        population, index = (int(owner[circuit]) for owner in placement.owners())
        raise CapacityError(
            f"neuron {index} of population {network.populations[population].label!r} (circuit {circuit}) needs {per_circuit.max()} synapses; allowed are "
            f"{_ROWS}, the rows of its column. Use fewer inputs or weights up to {MAX_WEIGHT} (each {MAX_WEIGHT} begun takes one synapse)."
        )
    rows = total.max(axis=-1)  # (receptor, hemisphere)
    if rows.sum(axis=0).max() > _ROWS:
        hemisphere = int(rows.sum(axis=0).argmax())
        raise CapacityError(
            f"hemisphere {hemisphere} needs {rows[0, hemisphere]} excitatory and {rows[1, hemisphere]} inhibitory synapse rows; allowed are {_ROWS} "
            "together, because a row has one sign. Use fewer inputs, or place neurons on both hemispheres with the neuron permutation."
        )
    alone = demand.max(axis=-1).sum(axis=1).max(axis=-1)
    if alone.max() > _ROWS_PER_BUS:
        raise _beyond_a_bus(network, int(names[alone.argmax()]), int(alone.max()))


def _beyond_a_bus(network: Network, number: int, rows: int) -> CapacityError:
    """Return the error of a source that alone needs more rows than a bus has."""
    offsets = source_offsets(network)
    population = int(np.searchsorted(offsets, number, side="right")) - 1
    return CapacityError(
        f"source {number - offsets[population]} of population {network.populations[population].label!r} needs {rows} synapse rows; allowed are "
        f"{_ROWS_PER_BUS}, the rows of one bus, that is weights up to {_ROWS_PER_BUS * MAX_WEIGHT}. Spread the weight over several sources."
    )
