"""The connectum check: does the configuration realise the network?

Two independent lists of synapses are compared as sorted multisets: what the network asks for, and what an event of each source meets when it is followed
through crossbar, buses, drivers and labels of the produced configuration. Events start from the labels that external sources send, and from the registers
of neurons and background generators, also of those circuits and generators that no source of the network uses: their events must drive nothing. The check is
part of every mapping; a difference is a defect of the mapper, not of the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import BUSES_PER_HEMISPHERE, COLUMNS, bus_of_driver, event_output_of, position_of_driver, rows_of_driver
from neckar.errors import NeckarError
from neckar.facts import AXES, CROSSBAR_NODE_EXISTS, registers
from neckar.facts.labels import (
    CROSSBAR_BACKGROUND_INPUT,
    CROSSBAR_FPGA_INPUT,
    LABEL_CHANNEL_SHIFT,
    LABEL_CROSSBAR_MASK,
    LABEL_SELECT_MASK,
    LABEL_SELECT_SHIFT,
    LABEL_SYNAPSE_MASK,
    NEURON_OUTPUT_SHIFT,
)
from neckar.network._connections import Connections, split_weights
from neckar.network._graph import RECEPTORS, Network, NeuronPopulation, n_compartments
from neckar.network._place import Placement
from neckar.network._route import Routing

Synapses = NDArray[np.int64]
"""Rows (source, target, receptor, weight), sorted; sites as in :meth:`Network.site_offsets`, receptor as position in `RECEPTORS`."""

Config = Mapping[str, NDArray[Any]]

_MODES = registers("brainscales2")["synapse_row_mode"].choices or ()
_RECEPTOR_OF_MODE = np.array([RECEPTORS.index(mode) if mode in RECEPTORS else len(RECEPTORS) for mode in _MODES])  # the last one: both at once
_BUS_OF_DRIVER = bus_of_driver(np.arange(AXES["driver"]))
_POSITION_OF_DRIVER = position_of_driver(np.arange(AXES["driver"]))
_STRAY = -1
_BITS = ((36, 27), (9, 27), (7, 2), (0, 7))  # place and width of source, target, receptor and weight in a number that sorts like a row


class ConnectumError(NeckarError, AssertionError):
    """The produced configuration does not realise the network: a defect of Neckar."""


@dataclass(frozen=True, eq=False)
class _Events:
    """One event of each kind that can occur, columns of shape (event,).

    Parameters
    ----------
    site : ndarray of int64
        Source, `_STRAY` for circuits and generators that are none.
    crossbar_input, label : ndarray of int64
    """

    site: NDArray[np.int64]
    crossbar_input: NDArray[np.int64]
    label: NDArray[np.int64]


def requested_synapses(flat: Connections) -> Synapses:
    """Return the synapses of non-zero weight that a network asks for."""
    connection, weight = split_weights(flat.weight, flat.parts)
    return _sorted(flat.source[connection], flat.target[connection], flat.receptor[connection], weight)


def configured_synapses(network: Network, placement: Placement, routing: Routing, config: Config) -> Synapses:
    """Follow one event of each kind through a configuration.

    Parameters
    ----------
    network : Network
    placement : Placement
    routing : Routing
        What external sources send, and which population uses which generator; nothing else of it is read.
    config : mapping of str to ndarray
        Register fields of neurons' events, background generators, crossbar, buses, drivers and synapses.

    Returns
    -------
    Synapses
        One row for each synapse of non-zero weight that an event drives; source or target -1 where there should be none.
    """
    sender, target = _sites_of_circuits(network, placement)
    events = _events(network, routing, config, sender)
    select = (events.label >> LABEL_SELECT_SHIFT) & LABEL_SELECT_MASK
    found: list[list[NDArray[np.int64]]] = [[np.zeros(0, np.int64)] for _ in range(4)]
    entry = events.crossbar_input << LABEL_SELECT_MASK.bit_length() | select
    order = np.argsort(entry, kind="stable")
    for mine in np.split(order, np.flatnonzero(np.diff(entry[order])) + 1) if len(order) else ():
        for bus in range(AXES["padi_bus"]):
            passed = mine[_passes(config, int(events.crossbar_input[mine[0]]), bus, events.label[mine])]
            if len(passed):
                hits = _answers(config, bus, int(select[mine[0]]), events.site[passed], events.label[passed] & LABEL_SYNAPSE_MASK)
                for column, part in zip(found, hits, strict=True):
                    column.append(part)
    source, circuit, receptor, weight = (np.concatenate(column) for column in found)
    reached = target[np.minimum(receptor, len(RECEPTORS) - 1), circuit]
    return _sorted(source, np.where(receptor < len(RECEPTORS), reached, _STRAY), receptor, weight)


def check_connectum(network: Network, placement: Placement, flat: Connections, routing: Routing, config: Config) -> None:
    """Compare what a network asks for with what its configuration does.

    Raises
    ------
    ConnectumError
        With the number of differences and the first one.
    """
    requested, configured = requested_synapses(flat), configured_synapses(network, placement, routing, config)
    if np.array_equal(requested, configured):
        return
    n = min(len(requested), len(configured))
    different = np.flatnonzero((requested[:n] != configured[:n]).any(axis=1))
    i = int(different[0]) if len(different) else n
    first = [tuple(rows[i].tolist()) if i < len(rows) else None for rows in (requested, configured)]
    raise ConnectumError(
        f"the mapper produced a wrong configuration: {len(requested)} synapses were asked for, {len(configured)} configured; in sorted order entry {i} "
        f"differs, asked (source, target, receptor, weight) = {first[0]}, configured {first[1]}. Report this as a defect of Neckar."
    )


def _sites_of_circuits(network: Network, placement: Placement) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the site that each circuit sends for, shape (circuit,), and the site that its synapses reach, shape (receptor, circuit); -1 for none."""
    sender = np.full(AXES["circuit"], _STRAY)
    target = np.full((len(RECEPTORS), AXES["circuit"]), _STRAY)
    offsets = network.site_offsets()
    for number, population in enumerate(network.populations):
        if not isinstance(population, NeuronPopulation):
            continue
        members = placement.members[number]
        for c, compartment in enumerate(population.morphology.compartments):
            site = offsets[number] + np.arange(population.size) * n_compartments(population) + c
            if compartment.spike_master is not None:
                sender[members[:, compartment.spike_master]] = site
            for r, name in enumerate(RECEPTORS):
                for position in compartment.offering(name):
                    target[r, members[:, position]] = site
    return sender, target


def _events(network: Network, routing: Routing, config: Config, sender: NDArray[np.int64]) -> _Events:
    """Return all events that can occur."""
    circuit = np.flatnonzero(config["event_routing_enable_digital"])
    output = event_output_of(circuit)
    site = [routing.site, sender[circuit]]
    crossbar_input = [CROSSBAR_FPGA_INPUT + (routing.label >> LABEL_CHANNEL_SHIFT), output]
    label = [routing.label, config["event_routing_address"][circuit] | output << NEURON_OUTPUT_SHIFT]
    offsets = network.site_offsets()
    for generator in np.flatnonzero(config["background_enable"]).tolist():
        mask = int(config["background_mask"][generator]) if config["background_enable_random"][generator] else 0
        drawn = np.array([bits for bits in range(mask + 1) if not bits & ~mask])
        number = int(routing.generators.population[generator])
        site.append(np.full(len(drawn), _STRAY) if number < 0 else offsets[number] + np.arange(len(drawn)))
        crossbar_input.append(np.full(len(drawn), CROSSBAR_BACKGROUND_INPUT + generator))
        label.append(int(config["background_label"][generator]) & ~mask | drawn)
    return _Events(np.concatenate(site), np.concatenate(crossbar_input), np.concatenate(label).astype(np.int64))


def _passes(config: Config, crossbar_input: int, bus: int, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which events at an input of the crossbar reach a bus."""
    node = crossbar_input, bus
    open_ = bool(CROSSBAR_NODE_EXISTS[node]) and bool(config["padi_enable_spl1"][bus])
    mask, target = int(config["crossbar_mask"][node]), int(config["crossbar_target"][node])
    return ((labels & LABEL_CROSSBAR_MASK & mask) == target) & open_


def _answers(
    config: Config, bus: int, select: int, sources: NDArray[np.int64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (source, circuit, receptor, weight) of the synapses on a bus that answer sources with one row select."""
    hemisphere, bus_in_hemisphere = divmod(bus, BUSES_PER_HEMISPHERE)
    mask = config["driver_row_address_compare_mask"][hemisphere]
    answers = config["driver_enable_receiver"][hemisphere] & (bus_in_hemisphere == _BUS_OF_DRIVER) & (((_POSITION_OF_DRIVER ^ select) & mask) == 0)
    rows = rows_of_driver(np.flatnonzero(answers)).reshape(-1)
    rows = rows[config["synapse_row_mode"][hemisphere, rows] > 0]
    weights = config["synapse_weight"][hemisphere, rows]
    source_of = np.full(LABEL_SYNAPSE_MASK + 1, -2)
    source_of[labels] = sources
    if len(rows) and len(np.unique(labels)) < len(labels):
        raise ConnectumError(f"two sources share a label on bus {bus} at row select {select}. Report this as a defect of Neckar.")
    hit = source_of[config["synapse_label"][hemisphere, rows]]
    row, column = np.nonzero((weights > 0) & (hit > -2))
    receptor = _RECEPTOR_OF_MODE[config["synapse_row_mode"][hemisphere, rows[row]]]
    return hit[row, column], hemisphere * COLUMNS + column, receptor, weights[row, column].astype(np.int64)


def _sorted(source: NDArray[np.int64], target: NDArray[np.int64], receptor: NDArray[np.int64], weight: NDArray[np.int64]) -> Synapses:
    """Return rows with non-zero weight in lexical order."""
    key = np.zeros(np.count_nonzero(weight), np.int64)
    for column, (place, _) in zip((source, target, receptor, weight), _BITS, strict=True):
        key |= (column[weight > 0] - _STRAY) << place
    key.sort()
    return np.stack([(key >> place & (1 << width) - 1) + _STRAY for place, width in _BITS], axis=1)
