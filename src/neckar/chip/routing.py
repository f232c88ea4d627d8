"""Ways of events: from a crossbar input over its nodes to PADI buses and the host, and from a bus over synapse drivers to rows.

An event carries 14 bits that the crossbar sees. A node passes it to its output if ``label & mask == target``. On a bus, a driver answers if bits 6-10
equal its own position on the bus under its compare mask, and fires both of its rows; a synapse answers if it stores the label in bits 0-5. Source of the
rules: haldls ``routing_crossbar.h``, ``synapse_driver.h``, ``padi.h``, halco ``event.h``.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from neckar.chip.config import ChipConfig
from neckar.chip.coordinates import BUSES_PER_HEMISPHERE, DRIVERS_PER_BUS, event_output_of
from neckar.chip.drivers import modulated
from neckar.facts import AXES, CROSSBAR_NODE_EXISTS
from neckar.facts.labels import (
    LABEL_CROSSBAR_MASK,
    LABEL_SELECT_MASK,
    LABEL_SELECT_SHIFT,
    LABEL_SYNAPSE_MASK,
    LABEL_SYNAPSE_TOP_BIT,
    NEURON_OUTPUT_SHIFT,
)

HEMISPHERES = AXES["hemisphere"]
BUSES = AXES["padi_bus"]
OUTPUTS = AXES["crossbar_output"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ways:
    """Where events of some origins go. A *way* is one crossbar output that an origin's events pass to.

    Attributes
    ----------
    ptr : ndarray of int64, shape (origin + 1,)
        Origin k owns the ways ``ptr[k]:ptr[k + 1]``, ascending in output.
    output : ndarray of int64, shape (way,)
        Crossbar output: 0-7 buses, 8-11 host.
    row_ptr : ndarray of int64, shape (way + 1,)
    row : ndarray of int32, shape (entry,)
        Rows that answer, within the hemisphere of the bus, ascending; ways to the host have none.
    row_label : ndarray of uint8, shape (entry,)
        Label as the row's synapses see it; of a modulated driver, as the driver sees it.
    """

    ptr: Ints
    output: Ints
    row_ptr: Ints
    row: NDArray[np.int32]
    row_label: NDArray[np.uint8]

    @property
    def origin(self) -> Ints:
        """Origin of each way, shape (way,)."""
        return np.repeat(np.arange(len(self.ptr) - 1), np.diff(self.ptr))

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Whether a row answers on each way, shape (way,)."""
        return np.diff(self.row_ptr) > 0


_FIELDS = (
    "crossbar_mask",
    "crossbar_target",
    "padi_enable_spl1",
    "driver_enable_receiver",
    "driver_row_address_compare_mask",
    "driver_enable_address_out",
    *("driver_enable_stp", "driver_enable_hagen_dac", "driver_enable_hagen_modulation"),
    "synapse_row_mode",
)
_KEPT = 8  # results
_kept: OrderedDict[bytes, Ways] = OrderedDict()
_lock = Lock()


def ways_of(config: ChipConfig, source: Ints, label: Ints) -> Ways:
    """Return the ways of events that enter the crossbar at inputs `source` with labels `label`, shape (origin,) each.

    The last results are kept: entries, chips and repeated runs ask again and again.
    """
    digest = blake2b(digest_size=16)
    for array in (*(config[name] for name in _FIELDS), source, label):
        digest.update(np.ascontiguousarray(array).data)
    key = digest.digest()
    with _lock:
        known = _kept.pop(key, None)
    ways = _ways(config, source, label) if known is None else known
    with _lock:
        _kept[key] = ways
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)
    return ways


def passed(config: ChipConfig, source: Ints, label: Ints) -> NDArray[np.bool_]:
    """Return whether the crossbar passes events with a label from an input (`source`) to each output, shape (origin, output)."""
    masked = (label[:, None] & LABEL_CROSSBAR_MASK) & config.crossbar_mask[source]
    result: NDArray[np.bool_] = CROSSBAR_NODE_EXISTS[source] & (masked == config.crossbar_target[source])
    return result


def _ways(config: ChipConfig, source: Ints, label: Ints) -> Ways:
    origin, output = np.nonzero(passed(config, source, label))
    to_bus = np.flatnonzero(output < BUSES)
    way, row, row_label = _rows(config, label[origin[to_bus]], output[to_bus])
    way = to_bus[way]
    return Ways(
        np.searchsorted(origin, np.arange(len(source) + 1)).astype(np.int64),
        output.astype(np.int64),
        np.searchsorted(way, np.arange(len(output) + 1)).astype(np.int64),
        row,
        row_label,
    )


def _rows(config: ChipConfig, label: Ints, bus: Ints) -> tuple[Ints, NDArray[np.int32], NDArray[np.uint8]]:
    """Return (position in the arguments, row, label at the synapses) of all rows that answer events with a label on a bus."""
    position = np.arange(DRIVERS_PER_BUS)
    hemisphere, driver = bus[:, None] // BUSES_PER_HEMISPHERE, bus[:, None] % BUSES_PER_HEMISPHERE + BUSES_PER_HEMISPHERE * position[None, :]
    mask, enabled = config.driver_row_address_compare_mask[hemisphere, driver], config.driver_enable_receiver[hemisphere, driver]
    select = (label >> LABEL_SELECT_SHIFT) & LABEL_SELECT_MASK
    answers = enabled & (((select[:, None] ^ position[None, :]) & mask) == 0) & config.padi_enable_spl1[bus].astype(bool)[:, None]
    k, p = np.nonzero(answers)
    half, drv = hemisphere[k, 0], driver[k, p]
    k, half, row = np.repeat(k, 2), np.repeat(half, 2), np.repeat(2 * drv, 2) + np.tile([0, 1], len(k))
    full = (config.driver_enable_address_out.astype(bool) | modulated(config))[half, row // 2]  # a modulated driver hides the low bits itself
    synapse = np.where(full, label[k] & LABEL_SYNAPSE_MASK, label[k] & LABEL_SYNAPSE_TOP_BIT).astype(np.uint8)
    used = config.synapse_row_mode[half, row] > 0
    return k[used], row[used].astype(np.int32), synapse[used]


def neuron_labels(config: ChipConfig) -> tuple[Ints, Ints]:
    """Return crossbar input and label of the events of all circuits, shape (circuit,) each."""
    output = event_output_of(np.arange(AXES["circuit"]))
    return output, config.event_routing_address.astype(np.int64) | output << NEURON_OUTPUT_SHIFT
