"""From compartments and stretches of the shared line to the shape that the mapper places."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import neckar.network
from dlens_vx_v3 import halco, lola
from dlens_vx_v3.halco._logical import CompartmentError
from neckar.network import Morphology
from pynn_brainscales.brainscales2._errors import ShapeTypeError
from pynn_brainscales.brainscales2.morphology.parts import Compartment, SharedLineConnection

_SWITCHES = ("connect_right", "connect_vertical", "connect_soma", "enable_conductance", "connect_soma_right")


def make_morphology(compartments: Any, connections: Any) -> tuple[Morphology, lola.LogicalNeuron]:
    """Return the shape of a neuron, as the mapper and as the register level see it.

    The circuits of the compartments come first, in their order; circuits that only carry the line follow. Each compartment sends its spikes from its first
    circuit.

    Raises
    ------
    ShapeTypeError
        If the arguments are no sequences of compartments and connections.
    CompartmentError
        If a circuit belongs to two compartments or is connected to the line twice, the circuits of a compartment are no neighbours, two compartments are
        connected without a conductance, or some are not connected at all.
    CoordinateOverflowError, CoordinateTypeError
        If a position or column leaves the grid.
    """
    parts = _checked(compartments, Compartment, "compartments")
    if not parts:
        raise CompartmentError("a neuron without compartments was asked for; allowed is at least one. Add a Compartment.")
    builder = lola.Morphology()
    for part in parts:
        try:
            builder.create_compartment([_circuit(position) for position in part.positions])
            for position in part.connect_shared_line:
                builder.connect_to_soma(_circuit(position))
            for position, _ in part.connect_conductance:
                builder.connect_resistor_to_soma(_circuit(position))
        except CompartmentError as error:
            raise CompartmentError(f"compartment {part.label!r} at {list(part.positions)}: {error}") from None
    for start, stop, row in _checked(connections if connections is not None else (), SharedLineConnection, "connections"):
        columns = halco.NeuronColumnOnLogicalNeuron(start), halco.NeuronColumnOnLogicalNeuron(stop)
        if columns[0] > columns[1]:
            raise CompartmentError(f"the shared line was asked for from column {start} to {stop}; allowed is a start before the stop. Exchange them.")
        builder.connect_soma_line(*columns, halco.NeuronRowOnLogicalNeuron(row))
    _, neuron = builder.done()
    return _as_network(parts, builder), neuron


def _as_network(parts: list[Compartment], builder: lola.Morphology) -> Morphology:
    """Return a shape as the mapper sees it."""
    circuits = [_circuit(position) for part in parts for position in part.positions]
    circuits += [circuit for circuit in sorted(builder.morphology) if circuit not in circuits]  # these carry the line
    left, top = min(int(circuit.x()) for circuit in circuits), min(int(circuit.y()) for circuit in circuits)
    numbers = {circuit: number for number, circuit in enumerate(circuits)}
    members = [tuple(numbers[_circuit(position)] for position in part.positions) for part in parts]
    labels = [part.label for part in parts]
    unique = [label if labels.count(label) == 1 else f"{label}[{i}]" for i, label in enumerate(labels)]
    return Morphology(
        tuple((int(circuit.x()) - left, int(circuit.y()) - top) for circuit in circuits),
        tuple(neckar.network.Compartment(label, mine, mine[0]) for label, mine in zip(unique, members, strict=True)),
        {f"multicompartment_{name}": tuple(int(getattr(builder.morphology[circuit], name)) for circuit in circuits) for name in _SWITCHES},
    )


def _circuit(position: int) -> halco.AtomicNeuronOnLogicalNeuron:
    """Return the coordinate of a position on the grid."""
    return halco.AtomicNeuronOnLogicalNeuron(halco.common.Enum(position))


def _checked(parts: Any, kind: type, name: str) -> list[Any]:
    """Return parts as a list of one type."""
    if isinstance(parts, str | SharedLineConnection) or not isinstance(parts, Iterable):
        raise ShapeTypeError(f"{name} is {parts!r}; allowed is a sequence of {kind.__name__}. Write [{kind.__name__}(...)].")
    listed = list(parts)
    for part in listed:
        if not isinstance(part, kind):
            raise ShapeTypeError(f"{name} holds {part!r}; allowed are objects of type {kind.__name__}. Write {kind.__name__}(...).")
    return listed
