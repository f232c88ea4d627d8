"""Necessary conditions, checked before any search: what a network asks of one circuit, one bus or one hemisphere must fit it.

Each has an error of its own that says what was asked, what is allowed, where, and what to do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import BUSES_PER_HEMISPHERE, COLUMNS, COLUMNS_PER_EVENT_OUTPUT, DRIVERS_PER_BUS, ROWS_PER_DRIVER
from neckar.errors import CapacityError
from neckar.facts import AXES
from neckar.facts.labels import LABEL_SELECT_BITS
from neckar.network._connections import MAX_WEIGHT
from neckar.network._distribute import LABELS
from neckar.network._graph import Network, NeuronPopulation
from neckar.network._place import Placement

ROWS = AXES["row"]
ROWS_PER_BUS = DRIVERS_PER_BUS * ROWS_PER_DRIVER
_HEMISPHERES = AXES["hemisphere"]
_LABELS_PER_HEMISPHERE = BUSES_PER_HEMISPHERE * LABELS << LABEL_SELECT_BITS
_NAMES = ("top", "bottom")


def check_necessary(network: Network, placement: Placement, demand: NDArray[np.int64], bus: NDArray[np.int64]) -> None:
    """Check what single circuits, buses and hemispheres have to hold.

    Parameters
    ----------
    network : Network
    placement : Placement
    demand : ndarray of int64, shape (source, receptor, hemisphere, column)
        Synapses.
    bus : ndarray of int64, shape (source,)
        Fixed bus of each source, -1 for external ones.

    Raises
    ------
    CapacityError
        With the first condition that fails.
    """
    if not len(demand):
        return
    _check_in_degree(network, placement, demand)
    for k in range(BUSES_PER_HEMISPHERE):
        _check_bus(network, placement, demand[bus == k], k)
    rows = demand.sum(axis=0).max(axis=-1)  # (receptor, hemisphere)
    if rows.sum(axis=0).max() > ROWS:
        hemisphere = int(rows.sum(axis=0).argmax())
        raise CapacityError(
            f"hemisphere {hemisphere} ({_NAMES[hemisphere]}) needs {rows[0, hemisphere]} excitatory and {rows[1, hemisphere]} inhibitory synapse rows; allowed "
            f"are {ROWS} together, because a row has one sign. Use fewer inputs, or place neurons on both hemispheres with the neuron permutation."
        )
    senders = demand[bus < 0].any(axis=(1, 3)).sum(axis=0)  # (hemisphere,)
    if senders.max(initial=0) > _LABELS_PER_HEMISPHERE:
        hemisphere = int(senders.argmax())
        raise CapacityError(
            f"label space exhausted: {senders[hemisphere]} external sources send to hemisphere {hemisphere} ({_NAMES[hemisphere]}); allowed are "
            f"{_LABELS_PER_HEMISPHERE}, {LABELS} synapse labels times {1 << LABEL_SELECT_BITS} row selects on each of {BUSES_PER_HEMISPHERE} buses. Use "
            "fewer sources, or split the network over execution instances."
        )


def _check_in_degree(network: Network, placement: Placement, demand: NDArray[np.int64]) -> None:
    """Refuse more synapses in a column than it has rows."""
    per_circuit = demand.sum(axis=(0, 1))  # (hemisphere, column)
    if per_circuit.max() > ROWS:
        circuit = int(per_circuit.argmax())
        of_circuit = _of_circuit(network, placement, circuit)
        k = -(-_synapses_of_compartment(network, placement, per_circuit, circuit) // ROWS)
        raise CapacityError(
            f"{of_circuit} needs {per_circuit.max()} synapses; allowed are {ROWS}, the synapse rows of its column. Use fewer inputs or weights up to "
            f"{MAX_WEIGHT} (each {MAX_WEIGHT} begun takes one synapse, a signed weight two), or give the neuron {k} circuits: SingleCompartmentNeuron({k})."
        )


def _check_bus(network: Network, placement: Placement, demand: NDArray[np.int64], bus: int) -> None:
    """Refuse more synapses from the sources of a fixed bus than the bus has rows."""
    total = demand.sum(axis=0)  # (receptor, hemisphere, column)
    senders = f"neurons in columns {bus * COLUMNS_PER_EVENT_OUTPUT} to {(bus + 1) * COLUMNS_PER_EVENT_OUTPUT - 1} and "
    senders += f"{(bus + 4) * COLUMNS_PER_EVENT_OUTPUT} to {(bus + 5) * COLUMNS_PER_EVENT_OUTPUT - 1} and background sources of that bus"
    remedy = "Spread the sources over other columns with the neuron permutation, use fewer or smaller weights, or split the network over execution instances."
    per_circuit = total.sum(axis=0)
    if per_circuit.max(initial=0) > ROWS_PER_BUS:
        circuit = int(per_circuit.argmax())
        raise CapacityError(
            f"{_of_circuit(network, placement, circuit)} needs {per_circuit.max()} synapses on PADI bus {bus + BUSES_PER_HEMISPHERE * (circuit // COLUMNS)}, "
            f"from {senders}; allowed are {ROWS_PER_BUS}, the synapse rows of a bus. {remedy}"
        )
    rows = total.max(axis=-1)  # (receptor, hemisphere)
    if rows.sum(axis=0).max(initial=0) > ROWS_PER_BUS:
        h = int(rows.sum(axis=0).argmax())
        raise CapacityError(
            f"PADI bus {bus + BUSES_PER_HEMISPHERE * h} ({_NAMES[h]} hemisphere) needs {rows[0, h]} excitatory and {rows[1, h]} inhibitory synapse rows for "
            f"{senders}; allowed are {ROWS_PER_BUS} together, because a row has one sign. {remedy}"
        )


def _of_circuit(network: Network, placement: Placement, circuit: int) -> str:
    """Return in words which neuron a circuit belongs to."""
    population, index, position = (int(owner[circuit]) for owner in placement.owners())
    owner = network.populations[population]
    assert isinstance(owner, NeuronPopulation)
    part = f"circuit {position} of " if owner.morphology.size > 1 else ""
    return f"{part}neuron {index} of population {owner.label!r} (circuit {circuit})"


def _synapses_of_compartment(network: Network, placement: Placement, per_circuit: NDArray[np.int64], circuit: int) -> int:
    """Return the synapses of the compartment that a circuit belongs to."""
    population, index, position = (int(owner[circuit]) for owner in placement.owners())
    owner = network.populations[population]
    assert isinstance(owner, NeuronPopulation)
    for compartment in owner.morphology.compartments:
        if position in compartment.circuits:
            return int(per_circuit.reshape(-1)[placement.members[population][index, list(compartment.circuits)]].sum())
    return 0
