"""Shapes of neurons: which circuits belong together, how their membranes are connected, and which of them take synapses or send spikes.

A neuron is a set of circuits on a grid of two rows, the same for all neurons of a population. The circuits of one *compartment* share a membrane, closed by
switches; compartments meet through conductances on the somatic line. Names and rules follow upstream (haldls ``lola/vx/morphology.h``, halco
``LogicalNeuronOnDLS``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from neckar.chip.coordinates import COLUMNS_PER_BACKEND
from neckar.errors import ConfigurationError
from neckar.facts import AXES, check_codes, registers

_TABLE = registers("brainscales2")
SWITCHES: tuple[str, ...] = tuple(name for name in _TABLE if name.startswith("multicompartment_"))
"""Register fields that belong to a shape."""


@dataclass(frozen=True)
class Compartment:
    """Circuits that share one membrane.

    Parameters
    ----------
    label : str
        Name for selecting it and for error texts.
    circuits : tuple of int
        Positions in :attr:`Morphology.places`, at least one.
    spike_master : int or None
        Circuit that sends the compartment's spikes; None sends none.
    excitatory, inhibitory : tuple of int, optional
        Circuits that offer the receptor; default all of `circuits`.

    Raises
    ------
    ConfigurationError
        If a circuit occurs twice, or one named elsewhere is not among `circuits`.
    """

    label: str
    circuits: tuple[int, ...]
    spike_master: int | None
    excitatory: tuple[int, ...] | None = None
    inhibitory: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not self.circuits or len(set(self.circuits)) < len(self.circuits):
            raise ConfigurationError(f"compartment {self.label!r} has the circuits {self.circuits}; allowed is at least one, each once.")
        named = {*(self.excitatory or ()), *(self.inhibitory or ()), *(() if self.spike_master is None else (self.spike_master,))}
        if not named <= set(self.circuits):
            outside = min(named - set(self.circuits))
            raise ConfigurationError(f"compartment {self.label!r} names circuit {outside}; allowed are its own, {self.circuits}. Add it or leave it out.")

    def offering(self, receptor: str) -> tuple[int, ...]:
        """Return the circuits that offer a receptor, ``"excitatory"`` or ``"inhibitory"``."""
        chosen = self.excitatory if receptor == "excitatory" else self.inhibitory
        return self.circuits if chosen is None else chosen


@dataclass(frozen=True, eq=False)
class Morphology:
    """The shape of a neuron.

    Parameters
    ----------
    places : tuple of (int, int)
        Column and row of each circuit, counted from the leftmost column and the upper row of the shape. A shape has at most 128 columns, because nothing
        connects the halves of the chip, and two rows.
    compartments : tuple of Compartment
        Each circuit belongs to at most one; the others only carry the somatic line.
    switches : mapping of str to tuple of int
        Codes of the fields ``multicompartment_*``, one per circuit. A missing field keeps the value of the base configuration.

    Raises
    ------
    ConfigurationError
        If places repeat, leave the grid or do not start at 0, a circuit belongs to two compartments or does not exist, labels repeat, or switches are unknown
        or do not hold one code per circuit.
    ParameterRangeError
        If a code lies outside its range.
    """

    places: tuple[tuple[int, int], ...]
    compartments: tuple[Compartment, ...]
    switches: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns, rows = zip(*self.places, strict=True) if self.places else ((), ())
        if len(set(self.places)) < len(self.places) or not self.places:
            raise ConfigurationError(f"a morphology has the places {self.places}; allowed is at least one, each once.")
        if min(columns) != 0 or min(rows) != 0 or max(columns) >= COLUMNS_PER_BACKEND or max(rows) >= AXES["hemisphere"]:
            raise ConfigurationError(
                f"a morphology covers columns {min(columns)} to {max(columns)} and rows {min(rows)} to {max(rows)}; allowed are columns 0 to "
                f"{COLUMNS_PER_BACKEND - 1} and rows 0 to {AXES['hemisphere'] - 1}, starting at 0. Shift or shrink it."
            )
        used = [circuit for compartment in self.compartments for circuit in compartment.circuits]
        if len(set(used)) < len(used) or (used and not 0 <= min(used) <= max(used) < len(self.places)):
            raise ConfigurationError(f"the compartments of a morphology use the circuits {used}; allowed are 0 to {len(self.places) - 1}, each once.")
        labels = [compartment.label for compartment in self.compartments]
        if not labels or len(set(labels)) < len(labels):
            raise ConfigurationError(f"the compartments of a morphology have the labels {labels}; allowed is at least one compartment, each label once.")
        for name, codes in self.switches.items():
            if name not in SWITCHES:
                raise ConfigurationError(f"a morphology sets {name}; allowed are {', '.join(SWITCHES)}. Give other fields as parameters of the population.")
            if len(codes) != len(self.places):
                raise ConfigurationError(f"a morphology of {len(self.places)} circuits sets {name} for {len(codes)}; allowed is one code per circuit.")
            check_codes(_TABLE[name], np.asarray(codes))

    @property
    def size(self) -> int:
        """Number of circuits."""
        return len(self.places)

    def compartment(self, label: str) -> int:
        """Return the position of the compartment with a label.

        Raises
        ------
        ConfigurationError
            If there is none; lists the labels.
        """
        labels = [compartment.label for compartment in self.compartments]
        if label not in labels:
            raise ConfigurationError(f"compartment {label!r} was asked for; allowed are {', '.join(labels)}.")
        return labels.index(label)

    @classmethod
    def single_compartment(cls, circuits: int, horizontal: bool = False) -> Morphology:
        """Return one compartment of several circuits, which together take up to 256 synapses each; the first sends the spikes.

        Parameters
        ----------
        circuits : int
            Number of circuits, 1 to 256, or to 128 if they lie in one row.
        horizontal : bool
            All in one row; otherwise column by column, the upper row first.

        Notes
        -----
        Leak, capacitance and threshold of the circuits are parameters of the population: for one neuron's worth of each, switch them off in all circuits but
        the first, as hxtorch's ``SingleCompartmentNeuron`` does.
        """
        rows = 1 if horizontal else AXES["hemisphere"]
        places = tuple((i // rows, i % rows) for i in range(circuits))
        vertical = tuple(int((column, 1 - row) in places) for column, row in places)
        right = tuple(int((column + 1, row) in places) for column, row in places)
        switches = {"multicompartment_connect_vertical": vertical, "multicompartment_connect_right": right}
        return cls(places, (Compartment("soma", tuple(range(circuits)), 0),), switches if circuits > 1 else {})


POINT = Morphology.single_compartment(1)
"""A neuron of one circuit."""
