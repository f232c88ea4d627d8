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
from neckar.network._connections import MAX_WEIGHT, Connections
from neckar.network._distribute import LABELS
from neckar.network._graph import Network, NeuronPopulation, SourcePopulation, n_compartments
from neckar.network._place import Placement

ROWS = AXES["row"]
ROWS_PER_BUS = DRIVERS_PER_BUS * ROWS_PER_DRIVER
_HEMISPHERES = AXES["hemisphere"]
_LABELS_PER_HEMISPHERE = BUSES_PER_HEMISPHERE * LABELS << LABEL_SELECT_BITS
_NAMES = ("top", "bottom")


def check_targets(network: Network, placement: Placement, flat: Connections) -> None:
    """Check what compartments have to hold, before memory is taken for every synapse.

    Raises
    ------
    CapacityError
        If a compartment needs more synapses than its circuits have rows.
    """
    asked = np.bincount(flat.target, weights=flat.parts, minlength=int(network.site_offsets()[-1])).astype(np.int64)
    for number, population in enumerate(network.populations):
        if not isinstance(population, NeuronPopulation):
            continue
        k = n_compartments(population)
        mine = asked[network.site_offsets()[number] :][: population.size * k].reshape(population.size, k)
        for c, compartment in enumerate(population.morphology.compartments):
            if mine[:, c].max() > ROWS * len(compartment.circuits):
                neuron = int(mine[:, c].argmax())
                raise _too_many_synapses(network, placement, number, neuron, c, int(mine[neuron, c]))


def check_senders(network: Network, sources: NDArray[np.int64], hemisphere: NDArray[np.int64]) -> None:
    """Check how many external sources send to a hemisphere, before memory is taken for each.

    Parameters
    ----------
    network : Network
    sources, hemisphere : ndarray of int64, shape (synapse,)
        Site that sends, and hemisphere, of every synapse.

    Raises
    ------
    CapacityError
        If there are more than labels.
    """
    offsets = network.site_offsets()
    external = np.array([isinstance(population, SourcePopulation) for population in network.populations], np.bool_)
    for h in range(_HEMISPHERES):
        senders = np.unique(sources[hemisphere == h])
        asked = int(np.count_nonzero(external[np.searchsorted(offsets, senders, side="right") - 1])) if len(senders) else 0
        if asked > _LABELS_PER_HEMISPHERE:
            raise CapacityError(
                f"label space exhausted: {asked} external sources send to hemisphere {h} ({_NAMES[h]}); allowed are {_LABELS_PER_HEMISPHERE}, {LABELS} synapse "
                f"labels times {1 << LABEL_SELECT_BITS} row selects on each of {BUSES_PER_HEMISPHERE} buses. Use fewer sources, or split the network over "
                "execution instances."
            )


def check_rows(network: Network, placement: Placement, demand: NDArray[np.int64], bus: NDArray[np.int64]) -> None:
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
    per_circuit = demand.sum(axis=(0, 1)).reshape(-1)
    if per_circuit.max() > ROWS:  # the circuits of a compartment can differ in their receptors
        population, neuron, position = (int(owner[per_circuit.argmax()]) for owner in placement.owners())
        morphology = _neurons(network, population).morphology
        compartment = next(c for c, one in enumerate(morphology.compartments) if position in one.circuits)
        raise _too_many_synapses(network, placement, population, neuron, compartment, int(per_circuit.max()), position)
    for k in range(BUSES_PER_HEMISPHERE):
        _check_bus(network, placement, demand[bus == k], k)
    rows = demand.sum(axis=0).max(axis=-1)  # (receptor, hemisphere)
    if rows.sum(axis=0).max() > ROWS:
        h = int(rows.sum(axis=0).argmax())
        raise CapacityError(
            f"hemisphere {h} ({_NAMES[h]}) needs {rows[0, h]} excitatory and {rows[1, h]} inhibitory synapse rows; allowed are {ROWS} together, because a row "
            "has one sign. Use fewer inputs, or place neurons on both hemispheres with the neuron permutation."
        )


def _too_many_synapses(
    network: Network, placement: Placement, population: int, neuron: int, compartment: int, asked: int, position: int | None = None
) -> CapacityError:
    """Return the error of a compartment, or one circuit of it, with more synapses than rows."""
    owner = _neurons(network, population)
    mine = owner.morphology.compartments[compartment]
    positions = list(mine.circuits) if position is None else [position]
    circuits = placement.members[population][neuron, positions].tolist()
    rows = ROWS * len(circuits)
    each = f" on {len(circuits)} circuits, {ROWS} on each" if len(circuits) > 1 else ""
    part = f"compartment {mine.label!r} of " if owner.morphology.size > 1 else ""
    k = -(-asked // ROWS) if position is None else len(mine.circuits) + 1
    return CapacityError(
        f"{part}neuron {neuron} of population {owner.label!r} (circuit {', '.join(map(str, circuits))}) needs {asked} synapses; allowed are {rows}{each}, the "
        f"synapse rows of a column. Use fewer inputs or weights up to {MAX_WEIGHT} (each {MAX_WEIGHT} begun takes one synapse, a signed weight two), or give "
        f"the neuron {k} circuits: SingleCompartmentNeuron({k})."
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
    owner = _neurons(network, population)
    part = f"circuit {position} of " if owner.morphology.size > 1 else ""
    return f"{part}neuron {index} of population {owner.label!r} (circuit {circuit})"


def _neurons(network: Network, number: int) -> NeuronPopulation:
    population = network.populations[number]
    assert isinstance(population, NeuronPopulation)
    return population
