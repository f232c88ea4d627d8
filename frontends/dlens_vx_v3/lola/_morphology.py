"""Neurons made of several circuits: how their switches are set, and the neuron that results.

Membranes and pieces of the somatic line are nodes of a graph. Switches join nodes, conductances connect them. Membranes that switches join are one
compartment; all compartments of a neuron must be connected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

from dlens_vx_v3._container import Container, Place
from dlens_vx_v3._member import code, switch
from dlens_vx_v3._part import Part, Sub
from dlens_vx_v3.hal._capmem import Analog
from dlens_vx_v3.halco import (
    AtomicNeuronOnLogicalNeuron,
    CompartmentOnLogicalNeuron,
    LogicalNeuronCompartments,
    LogicalNeuronOnDLS,
    NeuronColumnOnLogicalNeuron,
    NeuronRowOnLogicalNeuron,
)
from dlens_vx_v3.halco._logical import CompartmentError
from dlens_vx_v3.lola._neuron import AtomicNeuron
from neckar.chip.config import ChipConfig

Circuit = AtomicNeuronOnLogicalNeuron
Node = tuple[str, int]
_SWITCHES = ("connect_soma", "connect_soma_right", "connect_right", "connect_vertical", "enable_conductance")
_WIDTH = NeuronColumnOnLogicalNeuron.size


class Morphology:
    """Builds a neuron out of circuits: make compartments, connect them over the somatic line, then take the result with :meth:`done`."""

    def __init__(self) -> None:
        self.morphology: dict[Circuit, Any] = {}
        self._compartments: dict[CompartmentOnLogicalNeuron, list[Circuit]] = {}

    def __getitem__(self, circuit: Circuit) -> Any:
        """Return a copy of a circuit's switches."""
        return type(self.morphology[circuit])(self.morphology[circuit])

    def _at(self, circuit: Circuit) -> Any:
        return self.morphology.setdefault(Circuit(circuit), AtomicNeuron.Multicompartment())

    def create_compartment(self, circuits: Iterable[Circuit]) -> CompartmentOnLogicalNeuron:
        """Join the membranes of circuits to a new compartment and return its number.

        Raises
        ------
        CompartmentError
            If there is no circuit, one is used already, or they are not neighbours of each other.
        """
        given = [Circuit(circuit) for circuit in circuits]
        used = {int(circuit) for compartment in self._compartments.values() for circuit in compartment}
        taken = sorted(int(circuit) for circuit in given if int(circuit) in used)
        if not given or taken or len(set(given)) < len(given):
            fault = f"circuits {taken} belong to another compartment already" if taken else "each circuit is named once, and there must be one"
            raise CompartmentError(f"compartment of circuits {[int(circuit) for circuit in given]}: {fault}. Name others.")
        numbers = {int(circuit) for circuit in given}
        if not _touch(numbers):
            raise CompartmentError(f"compartment of circuits {sorted(numbers)} is not contiguous; its circuits must touch each other. Choose neighbours.")
        for circuit in given:
            self._at(circuit).connect_right = _right_of(int(circuit)) in numbers
            self._at(circuit).connect_vertical = _opposite(int(circuit)) in numbers
        number = CompartmentOnLogicalNeuron(len(self._compartments))
        self._compartments[number] = given
        return number

    def connect_to_soma(self, circuit: Circuit) -> None:
        """Connect a membrane to the somatic line by a switch."""
        self._connect(circuit, "connect_soma", "enable_conductance")

    def connect_resistor_to_soma(self, circuit: Circuit) -> None:
        """Connect a membrane to the somatic line by a conductance."""
        self._connect(circuit, "enable_conductance", "connect_soma")

    def _connect(self, circuit: Circuit, way: str, other: str) -> None:
        if getattr(self._at(circuit), other):
            raise CompartmentError(f"circuit {int(circuit)} is connected to the somatic line by a switch or by a conductance, not by both. Choose one of them.")
        setattr(self._at(circuit), way, True)

    def connect_soma_line(self, start: NeuronColumnOnLogicalNeuron, end: NeuronColumnOnLogicalNeuron, row: NeuronRowOnLogicalNeuron) -> None:
        """Connect the somatic line of a row from one column to another."""
        for column in range(int(start), int(end)):
            self._at(Circuit(NeuronColumnOnLogicalNeuron(column), NeuronRowOnLogicalNeuron(row))).connect_soma_right = True
        self._at(Circuit(NeuronColumnOnLogicalNeuron(end), NeuronRowOnLogicalNeuron(row)))

    def _edges(self, switches: Iterable[str]) -> Iterator[tuple[Node, Node]]:
        """Iterate over the pairs of nodes that switches connect."""
        for circuit, settings in self.morphology.items():
            here = int(circuit)
            ends: dict[str, tuple[Node, Node]] = {
                "connect_soma": (("membrane", here), ("line", here)),
                "enable_conductance": (("membrane", here), ("line", here)),
                "connect_soma_right": (("line", here), ("line", here + 1)),
                "connect_right": (("membrane", here), ("membrane", here + 1)),
                "connect_vertical": (("membrane", here), ("membrane", _opposite(here))),
            }
            yield from (ends[one] for one in switches if getattr(settings, one))

    def _joined(self, switches: Iterable[str]) -> dict[Node, int]:
        """Return for each node the number of the group that switches make of it."""
        group = {(kind, int(circuit)): number for number, (circuit, kind) in enumerate((c, k) for c in self.morphology for k in ("membrane", "line"))}
        for one, other in self._edges(switches):
            if one in group and other in group and group[one] != group[other]:
                old, new = group[one], group[other]
                group.update({node: new for node, number in group.items() if number == old})
        return group

    def done(self) -> tuple[LogicalNeuronCompartments, LogicalNeuron]:
        """Return the shape of the neuron and the neuron. Circuits outside all compartments, which carry the line, become own ones.

        Raises
        ------
        CompartmentError
            If compartments are joined by a switch, or not all are connected.
        """
        by_switch = self._joined(_SWITCHES[:4])
        groups: dict[int, list[Circuit]] = {}
        for circuit in sorted(self.morphology):
            groups.setdefault(by_switch["membrane", int(circuit)], []).append(circuit)
        for number, circuits in self._compartments.items():
            together = groups.pop(by_switch["membrane", int(circuits[0])], [])
            if sorted(together) != sorted(circuits):
                raise CompartmentError(f"compartment {int(number)} is joined with another one over the somatic line; connect one of them by a conductance.")
        compartments = dict(self._compartments)
        for circuits in groups.values():
            compartments[CompartmentOnLogicalNeuron(len(compartments))] = circuits
        connected = self._joined(_SWITCHES)
        seen = {connected["line" if self._is_bridge(circuit) else "membrane", int(circuit)] for circuit in self.morphology}
        if len(seen) != 1:
            raise CompartmentError(f"the {len(compartments)} compartments are not all connected; close the somatic line between them.")
        shape = LogicalNeuronCompartments(compartments)
        return shape, LogicalNeuron._of({number: [self[circuit] for circuit in circuits] for number, circuits in shape.get_compartments().items()})

    def _is_bridge(self, circuit: Circuit) -> bool:
        """Return whether a circuit only carries the line on."""
        return [one for one in _SWITCHES if getattr(self.morphology[circuit], one)] == ["connect_soma_right"]

    def __repr__(self) -> str:
        return f"Morphology({len(self._compartments)} compartments, {len(self.morphology)} circuits)"


def _right_of(circuit: int) -> int | None:
    return circuit + 1 if circuit % _WIDTH < _WIDTH - 1 else None


def _opposite(circuit: int) -> int:
    return (circuit + _WIDTH) % (2 * _WIDTH)


def _touch(circuits: set[int]) -> bool:
    """Return whether circuits form one piece."""
    reached, new = set[int](), {min(circuits)}
    while new:
        reached |= new
        beside = {one for circuit in new for one in (_right_of(circuit), _opposite(circuit))}
        new = {one for one in circuits - reached if one in beside or _right_of(one) in new}
    return reached == circuits


class SafeMulticompartment(Part):
    """What may be changed of a circuit in a neuron that is complete."""

    enable_conductance_division = switch("multicompartment_enable_conductance_division")
    enable_conductance_multiplication = switch("multicompartment_enable_conductance_multiplication")
    i_bias_nmda = code(Analog, "multicompartment_i_bias_nmda")


class MCSafeAtomicNeuron(AtomicNeuron):
    """A circuit of a complete neuron: all its registers, but not the switches that make the neuron's shape."""

    multicompartment = Sub(SafeMulticompartment)


class LogicalNeuron(Container, at=LogicalNeuronOnDLS):
    """A complete neuron: the registers of its circuits by compartment. Its shape is fixed."""

    morphology: dict[CompartmentOnLogicalNeuron, list[MCSafeAtomicNeuron]]

    def __init__(self, other: LogicalNeuron | None = None) -> None:
        super().__init__()
        shape = {} if other is None else other.__dict__["_shape"]
        self.__dict__["_shape"] = {number: [type(one)(one) for one in switches] for number, switches in shape.items()}
        self.__dict__["morphology"] = (
            {} if other is None else {number: [MCSafeAtomicNeuron(neuron) for neuron in neurons] for number, neurons in other.morphology.items()}
        )

    @classmethod
    def _of(cls, shape: dict[CompartmentOnLogicalNeuron, list[Any]]) -> Self:
        neuron = cls()
        neuron.__dict__["_shape"] = shape
        neuron.__dict__["morphology"] = {number: [MCSafeAtomicNeuron() for _ in switches] for number, switches in shape.items()}
        return neuron

    def at(self, compartment: CompartmentOnLogicalNeuron, number: int) -> MCSafeAtomicNeuron:
        """Return a circuit of a compartment."""
        return self.morphology[CompartmentOnLogicalNeuron(compartment)][number]

    def __getitem__(self, index: tuple[CompartmentOnLogicalNeuron, int]) -> MCSafeAtomicNeuron:
        return self.at(*index)

    def __setitem__(self, index: tuple[CompartmentOnLogicalNeuron, int], neuron: MCSafeAtomicNeuron) -> None:
        self.at(*index)._assign(MCSafeAtomicNeuron(neuron))

    def collapse_neuron(self) -> dict[CompartmentOnLogicalNeuron, list[AtomicNeuron]]:
        """Return the circuits with all their registers, by compartment."""
        return {
            number: [_whole(neuron, switches) for neuron, switches in zip(neurons, self.__dict__["_shape"][number], strict=True)]
            for number, neurons in self.morphology.items()
        }

    @classmethod
    def places(cls, coord: Any) -> tuple[Place, ...]:
        """Return the places of all circuits."""
        return tuple(place for circuit in coord.get_atomic_neurons() for place in AtomicNeuron.places(circuit))

    def codes(self, coord: Any) -> tuple[tuple[str, Any, Any], ...]:
        """Return field, index and code of each place of all circuits."""
        circuits, collapsed = coord.get_placed_compartments(), self.collapse_neuron()
        if {number: len(placed) for number, placed in circuits.items()} != {number: len(neurons) for number, neurons in collapsed.items()}:
            raise CompartmentError(f"the neuron's compartments do not match those of {coord}; make the coordinate from the shape that done() returned.")
        return tuple(
            item for number, placed in circuits.items() for circuit, neuron in zip(placed, collapsed[number], strict=True) for item in neuron.codes(circuit)
        )

    @classmethod
    def from_codes(cls, coord: Any, values: Any) -> Self:
        """Return the neuron that holds `values`, one per place."""
        given = iter(values)
        collapsed = {
            number: [AtomicNeuron.from_codes(circuit, [next(given) for _ in AtomicNeuron.places(circuit)]) for circuit in circuits]
            for number, circuits in coord.get_placed_compartments().items()
        }
        neuron = cls._of({number: [type(one.multicompartment)(one.multicompartment) for one in neurons] for number, neurons in collapsed.items()})
        for number, neurons in collapsed.items():
            for own, one in zip(neuron.morphology[number], neurons, strict=True):
                _copy(one, own)
        return neuron

    @classmethod
    def read_from(cls, config: ChipConfig, coord: Any) -> Self:
        """Return the neuron at a coordinate of a configuration."""
        return cls.from_codes(coord, [config[place.field][place.key] for place in cls.places(coord)])

    def __eq__(self, other: object) -> bool:
        return self.collapse_neuron() == other.collapse_neuron() if isinstance(other, LogicalNeuron) else NotImplemented

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.__dict__["_shape"], self.morphology)

    def __repr__(self) -> str:
        return f"LogicalNeuron({', '.join(f'{int(number)}: {len(neurons)} circuits' for number, neurons in self.morphology.items())})"


def _rebuild(shape: Any, morphology: Any) -> LogicalNeuron:
    neuron = LogicalNeuron._of(shape)
    neuron.__dict__["morphology"] = morphology
    return neuron


def _whole(neuron: MCSafeAtomicNeuron, switches: Any) -> AtomicNeuron:
    """Return a circuit with the switches of its neuron's shape."""
    whole = AtomicNeuron()
    _copy(neuron, whole)
    for one in _SWITCHES:
        setattr(whole.multicompartment, one, getattr(switches, one))
    return whole


def _copy(source: AtomicNeuron, target: AtomicNeuron) -> None:
    """Copy the members that both have."""
    found = {(*part._key, member.name): member.read(part) for member, part in source._members()}
    for member, part in target._members():
        if (*part._key, member.name) in found:
            member.write(part, int(found[(*part._key, member.name)]))
