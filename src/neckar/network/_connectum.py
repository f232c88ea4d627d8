"""The connectum check: does the configuration realise the network?

Two independent lists of synapses are compared as sorted multisets: what the network asks for, and what an event of each source meets when it is followed
through crossbar, drivers and labels of the produced configuration. The check is part of every mapping; a difference is a defect of the mapper, not of the
network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import BUSES_PER_HEMISPHERE, COLUMNS, bus_of_driver, position_of_driver, rows_of_driver
from neckar.errors import NeckarError
from neckar.facts import AXES, CROSSBAR_NODE_EXISTS, registers
from neckar.facts.labels import (
    CROSSBAR_FPGA_INPUT,
    LABEL_CHANNEL_SHIFT,
    LABEL_CROSSBAR_MASK,
    LABEL_SELECT_MASK,
    LABEL_SELECT_SHIFT,
    LABEL_SYNAPSE_MASK,
)
from neckar.network._connections import Connections, split_weights

Synapses = NDArray[np.int64]
"""Rows (source, circuit, receptor, weight), sorted; receptor as position in `RECEPTORS`."""

_MODES = registers("brainscales2")["synapse_row_mode"].choices or ()
_SIGNED_MODES = {_MODES.index("excitatory"): 0, _MODES.index("inhibitory"): 1}
_BUS_OF_DRIVER = bus_of_driver(np.arange(AXES["driver"]))
_POSITION_OF_DRIVER = position_of_driver(np.arange(AXES["driver"]))


class ConnectumError(NeckarError, AssertionError):
    """The produced configuration does not realise the network: a defect of Neckar."""


def requested_synapses(flat: Connections) -> Synapses:
    """Return the synapses of non-zero weight that a network asks for."""
    connection, weight = split_weights(flat.weight)
    return _sorted([flat.source[connection], flat.circuit[connection], flat.receptor[connection], weight])


def configured_synapses(config: Mapping[str, NDArray[Any]], label: NDArray[np.int64]) -> Synapses:
    """Follow one event of each source through a configuration.

    Parameters
    ----------
    config : mapping of str to ndarray
        Register fields of crossbar, buses, drivers and synapses.
    label : ndarray of int64, shape (source,)
        Event label of each source, -1 for none.

    Returns
    -------
    Synapses
        One row for each synapse of non-zero weight that an event drives.
    """
    used = np.flatnonzero(label >= 0)
    address = np.stack([label[used] >> LABEL_CHANNEL_SHIFT, (label[used] >> LABEL_SELECT_SHIFT) & LABEL_SELECT_MASK])
    found: list[list[NDArray[np.int64]]] = [[np.zeros(0, np.int64)] for _ in range(4)]
    for channel, select in np.unique(address, axis=1).T:
        mine = used[(address[0] == channel) & (address[1] == select)]
        for bus in range(AXES["padi_bus"]):
            passed = mine[_passes(config, channel, bus, label[mine])]
            if not len(passed):
                continue
            for column, part in zip(found, _answers(config, bus, int(select), passed, label[passed] & LABEL_SYNAPSE_MASK), strict=True):
                column.append(part)
    return _sorted([np.concatenate(column) for column in found])


def check_connectum(flat: Connections, config: Mapping[str, NDArray[Any]], label: NDArray[np.int64]) -> None:
    """Compare what a network asks for with what its configuration does.

    Raises
    ------
    ConnectumError
        With the number of differences and the first one.
    """
    requested, configured = requested_synapses(flat), configured_synapses(config, label)
    if np.array_equal(requested, configured):
        return
    n = min(len(requested), len(configured))
    different = np.flatnonzero((requested[:n] != configured[:n]).any(axis=1))
    i = int(different[0]) if len(different) else n
    first = [tuple(rows[i].tolist()) if i < len(rows) else None for rows in (requested, configured)]
    raise ConnectumError(
        f"the mapper produced a wrong configuration: {len(requested)} synapses were asked for, {len(configured)} configured; in sorted order entry {i} "
        f"differs, asked (source, circuit, receptor, weight) = {first[0]}, configured {first[1]}. Report this as a defect of Neckar."
    )


def _passes(config: Mapping[str, NDArray[Any]], channel: int, bus: int, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which events on an FPGA channel reach a bus."""
    node = CROSSBAR_FPGA_INPUT + int(channel), bus
    open_ = bool(CROSSBAR_NODE_EXISTS[node]) and bool(config["padi_enable_spl1"][bus])
    mask, target = int(config["crossbar_mask"][node]), int(config["crossbar_target"][node])
    return ((labels & LABEL_CROSSBAR_MASK & mask) == target) & open_


def _answers(
    config: Mapping[str, NDArray[Any]], bus: int, select: int, sources: NDArray[np.int64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (source, circuit, receptor, weight) of the synapses on a bus that answer sources with one row select."""
    hemisphere, bus_in_hemisphere = divmod(bus, BUSES_PER_HEMISPHERE)
    mask = config["driver_row_address_compare_mask"][hemisphere]
    answers = config["driver_enable_receiver"][hemisphere] & (bus_in_hemisphere == _BUS_OF_DRIVER) & (((_POSITION_OF_DRIVER ^ select) & mask) == 0)
    rows = rows_of_driver(np.flatnonzero(answers)).reshape(-1)
    rows = rows[config["synapse_row_mode"][hemisphere, rows] > 0]
    weights = config["synapse_weight"][hemisphere, rows]
    source_of = np.full(LABEL_SYNAPSE_MASK + 1, -1)
    source_of[labels] = sources
    if len(np.unique(labels)) < len(labels):
        raise ConnectumError(f"two sources share a label on bus {bus} at row select {select}. Report this as a defect of Neckar.")
    hit = source_of[config["synapse_label"][hemisphere, rows]]
    row, column = np.nonzero((weights > 0) & (hit >= 0))
    mode = config["synapse_row_mode"][hemisphere, rows[row]]
    receptor = np.full(len(row), len(_MODES))
    for code, number in _SIGNED_MODES.items():
        receptor[mode == code] = number
    return hit[row, column], hemisphere * COLUMNS + column, receptor, weights[row, column].astype(np.int64)


def _sorted(columns: list[NDArray[np.int64]]) -> Synapses:
    """Return rows with non-zero weight in lexical order."""
    table = np.stack(columns, axis=1)
    table = table[table[:, 3] > 0]
    return table[np.lexsort(table.T[::-1])]
