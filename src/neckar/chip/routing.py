"""From event labels to synapse rows, and from firing circuits to the host: crossbar, PADI buses, synapse drivers.

An event from the FPGA carries 16 bits. Bits 14-15 select one of four crossbar inputs; a node of the crossbar passes the event to a bus if ``label &
mask == target`` on bits 0-13. On the bus, a driver answers if bits 6-10 equal its own position on the bus under its compare mask, and fires both of
its rows; a synapse answers if it stores the label in bits 0-5. Source of the rules: haldls ``routing_crossbar.h``, ``synapse_driver.h``, ``padi.h``,
halco ``event.h``.

Not modelled: arbitration, FIFOs and bandwidth of the crossbar, background generators, events from neurons to buses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neckar.chip.config import ChipConfig
from neckar.chip.coordinates import BUSES_PER_HEMISPHERE, DRIVERS_PER_BUS, event_output_of
from neckar.dynamics import RowEvents
from neckar.facts import AXES, CROSSBAR_NODE_EXISTS
from neckar.facts.labels import (
    CROSSBAR_FPGA_INPUT,
    CROSSBAR_FPGA_OUTPUT,
    LABEL_CHANNEL_SHIFT,
    LABEL_CROSSBAR_MASK,
    LABEL_SELECT_MASK,
    LABEL_SELECT_SHIFT,
    LABEL_SYNAPSE_MASK,
    LABEL_SYNAPSE_TOP_BIT,
    NEURON_OUTPUT_SHIFT,
)

HEMISPHERES = AXES["hemisphere"]
BUSES = BUSES_PER_HEMISPHERE
POSITIONS = DRIVERS_PER_BUS


@dataclass(frozen=True, eq=False)
class RowTable:
    """Which rows answer to which labels: for label ``labels[k]`` the entries ``ptr[k]:ptr[k + 1]`` of `hemisphere`, `row` and `synapse_label`."""

    labels: NDArray[np.uint16]
    ptr: NDArray[np.int64]
    hemisphere: NDArray[np.int64]
    row: NDArray[np.int64]
    synapse_label: NDArray[np.uint8]


def _nodes_pass(config: ChipConfig, label: NDArray[np.int64], first_input: NDArray[np.int64], outputs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether events with a label pass from their crossbar input to each output, shape (label, output)."""
    source, output = first_input[:, None], outputs[None, :]
    masked = (label[:, None] & LABEL_CROSSBAR_MASK) & config.crossbar_mask[source, output]
    return CROSSBAR_NODE_EXISTS[source, output] & (masked == config.crossbar_target[source, output])


def row_table(config: ChipConfig, labels: NDArray[np.uint16]) -> RowTable:
    """Return the rows that answer to each of some (distinct) labels of events from the FPGA."""
    label = labels.astype(np.int64)
    bus = np.arange(HEMISPHERES * BUSES)
    reached = _nodes_pass(config, label, CROSSBAR_FPGA_INPUT + (label >> LABEL_CHANNEL_SHIFT), bus) & config.padi_enable_spl1[None, :].astype(bool)
    position = np.arange(POSITIONS)
    hemisphere, driver = bus[:, None] // BUSES, bus[:, None] % BUSES + BUSES * position[None, :]
    mask, enabled = config.driver_row_address_compare_mask[hemisphere, driver], config.driver_enable_receiver[hemisphere, driver]
    select = (label >> LABEL_SELECT_SHIFT) & LABEL_SELECT_MASK
    answers = enabled[None] & ((select[:, None, None] & mask[None]) == (position[None, None, :] & mask[None])) & reached[:, :, None]
    k, b, p = np.nonzero(answers)
    half, drv = b // BUSES, b % BUSES + BUSES * p
    k, half, row = np.repeat(k, 2), np.repeat(half, 2), np.repeat(2 * drv, 2) + np.tile([0, 1], len(k))
    full = config.driver_enable_address_out[half, row // 2].astype(bool)
    synapse = np.where(full, label[k] & LABEL_SYNAPSE_MASK, label[k] & LABEL_SYNAPSE_TOP_BIT).astype(np.uint8)
    used = config.synapse_row_mode[half, row] > 0
    k, half, row, synapse = k[used], half[used], row[used], synapse[used]
    return RowTable(labels, np.searchsorted(k, np.arange(len(labels) + 1)), half, row, synapse)


def resolve(table: RowTable, tick: NDArray[np.int64], label: NDArray[np.uint16]) -> tuple[tuple[RowEvents, ...], int]:
    """Turn events, ascending in tick, into row events of each hemisphere; also return how many of them no row answers."""
    known = np.searchsorted(table.labels, label)
    start, count = table.ptr[known], np.diff(table.ptr)[known]
    event = np.repeat(np.arange(len(tick)), count)
    entry = np.arange(len(event)) - np.repeat(np.cumsum(count) - count, count) + start[event]
    hemisphere = table.hemisphere[entry]
    halves = []
    for h in range(HEMISPHERES):
        here = hemisphere == h
        halves.append(RowEvents(tick[event[here]], table.row[entry[here]].astype(np.int32), table.synapse_label[entry[here]]))
    return tuple(halves), int((count == 0).sum())


def reaches_host(config: ChipConfig) -> NDArray[np.bool_]:
    """Return for each circuit whether its spikes leave the chip, shape (circuit,)."""
    circuit = np.arange(AXES["circuit"])
    output = event_output_of(circuit)
    label = config.event_routing_address.astype(np.int64) | output << NEURON_OUTPUT_SHIFT
    outputs = CROSSBAR_FPGA_OUTPUT + output % BUSES
    masked = label & config.crossbar_mask[output, outputs]
    passes = CROSSBAR_NODE_EXISTS[output, outputs] & (masked == config.crossbar_target[output, outputs])
    return passes & config.event_routing_enable_digital.astype(bool)
