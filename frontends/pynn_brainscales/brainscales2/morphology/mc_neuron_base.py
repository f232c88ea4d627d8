"""Neurons with several compartments on circuits that the user has chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pyNN.standardmodels import build_translations

from dlens_vx_v3 import halco, lola
from dlens_vx_v3.halco._logical import CompartmentError
from neckar.chip.config import ChipConfig
from neckar.errors import ConfigurationError, UnknownNameError
from neckar.network import POINT, Morphology, NeuronPopulation
from pynn_brainscales.brainscales2._checks import checked_names
from pynn_brainscales.brainscales2._errors import UnknownCompartmentError
from pynn_brainscales.brainscales2.morphology.parameters import McCircuitParameters
from pynn_brainscales.brainscales2.morphology.parts import Compartment
from pynn_brainscales.brainscales2.plasticity_rules import PlasticityRuleHandle
from pynn_brainscales.brainscales2.standardmodels._hxneuron import MEMBERS, codes_of
from pynn_brainscales.brainscales2.standardmodels.cells_base import REGISTERS, NeuronCellType, StandardCellType, as_parameters, default_of, one_per_cell

_FIXED = (
    "multicompartment_connect_soma",
    "multicompartment_connect_soma_right",
    "multicompartment_connect_right",
    "multicompartment_connect_vertical",
    "multicompartment_enable_conductance",
)
"""Registers that the shape of a neuron determines."""

_OFF = {
    "leak_i_bias": 0,
    "leak_enable_division": True,
    "leak_enable_multiplication": False,
    "membrane_capacitance_capacitance": 0,
    "threshold_enable": False,
}
"""What switches the membrane of a circuit off."""

_NAMES = tuple(name for name in REGISTERS if name not in _FIXED)


class McNeuronBase(NeuronCellType):
    """A neuron of several compartments; :func:`create_mc_neuron` makes subclasses with a shape.

    Parameters start from the initial configuration of the circuits on which each neuron lies, then from what its compartments say.

    Parameters
    ----------
    **parameters : McCircuitParameters, a sequence of them, or number
        One value for each circuit, of all neurons of the population or, in a sequence, of each neuron; or one number for all circuits of all neurons. The
        names are those of :class:`HXNeuron` without those that the shape determines.
    """

    compartments: ClassVar[dict[Any, Compartment]] = {}
    logical_neuron: ClassVar[Any] = None
    morphology: ClassVar[Morphology] = POINT
    single_active_circuit: ClassVar[bool] = False

    default_parameters: ClassVar = {name: McCircuitParameters([[default_of(REGISTERS[name])]]) for name in _NAMES}
    translations: ClassVar = build_translations(*((name, name) for name in default_parameters))
    units: ClassVar = {**{name: "dimensionless" for name in (*_NAMES, *NeuronCellType.recordable)}, "spikes": "ms"}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.compartments:
            raise CompartmentError(f"the neuron type {cls.__name__} has no compartments; allowed is at least one. Make it with create_mc_neuron.")
        fixed = cls.fixed_values()
        cls.default_parameters = {}
        for name in _NAMES:
            values = np.full(sum(cls.sizes()), default_of(REGISTERS[name]))
            if name in fixed:
                chosen = np.array([value is not None for value in fixed[name]])
                values[chosen] = [value for value in fixed[name] if value is not None]
            cls.default_parameters[name] = cls.masked(name, cls.nested(values))

    def __init__(self, **parameters: Any) -> None:
        PlasticityRuleHandle.__init__(self)  # upstream has no rules for these types either
        StandardCellType.__init__(self, **{name: self._per_circuit(value) for name, value in parameters.items()})

    @classmethod
    def sizes(cls) -> list[int]:
        """Return the number of circuits of each compartment."""
        return [compartment.size for compartment in cls.compartments.values()]

    @classmethod
    def get_labels(cls) -> list[str]:
        """Return the label of each compartment."""
        return [compartment.label for compartment in cls.compartments.values()]

    @classmethod
    def get_label(cls, compartment_id: Any) -> str:
        """Return the label of one compartment.

        Raises
        ------
        UnknownCompartmentError
            If there is no such compartment.
        """
        labels = cls.get_labels()
        if not 0 <= int(compartment_id) < len(labels):
            raise UnknownCompartmentError(f"compartment {int(compartment_id)} was asked for; allowed are 0 to {len(labels) - 1}. Choose one of them.")
        return labels[int(compartment_id)]

    @classmethod
    def get_compartment_ids(cls, labels: Sequence[str]) -> list[Any]:
        """Return all compartments with one of the labels, as coordinates.

        Raises
        ------
        ConfigurationError
            If no compartment has a label.
        """
        known, labels = cls.get_labels(), checked_names(labels)
        for label in labels:
            if label not in known:
                raise ConfigurationError(f"compartment {label!r} of {cls.__name__} was asked for; allowed are {', '.join(known)}. Choose among them.")
        return [halco.CompartmentOnLogicalNeuron(i) for label in labels for i, one in enumerate(known) if one == label]

    @classmethod
    def get_default_values(cls) -> dict[str, Any]:
        """Return every parameter with its default."""
        return dict(cls.default_parameters)

    @classmethod
    def fixed_values(cls) -> dict[str, list[Any]]:
        """Return the values that the compartments set, one per circuit, None where they set none.

        Raises
        ------
        UnknownNameError
            If a compartment sets a parameter that does not exist.
        CompartmentError
            If a compartment gives another number of values than it has circuits.
        """
        values: dict[str, list[Any]] = {}
        begin = 0
        for compartment in cls.compartments.values():
            asked = {name: _expanded(compartment, name, value) for name, value in compartment.parameters.items()}
            for position, conductance in compartment.connect_conductance:
                nmda = asked.setdefault("multicompartment_i_bias_nmda", [None] * compartment.size)
                nmda[list(compartment.positions).index(position)] = conductance
            for name, mine in asked.items():
                values.setdefault(name, [None] * sum(cls.sizes()))[begin : begin + compartment.size] = mine
            begin += compartment.size
        return values

    @classmethod
    def nested(cls, flat: Any) -> McCircuitParameters:
        """Return values of all circuits of a neuron, split by compartment."""
        return McCircuitParameters(np.split(np.asarray(flat), np.cumsum(cls.sizes())[:-1]))

    @classmethod
    def masked(cls, name: str, values: McCircuitParameters) -> McCircuitParameters:
        """Return values with the membranes of all but the first circuit of each compartment switched off, if the type asks for that."""
        if not cls.single_active_circuit or name not in _OFF:
            return values
        rows = [np.array([row[0], *[_OFF[name]] * (len(row) - 1)], row.dtype) for row in values.value]
        return McCircuitParameters(rows)

    def stored(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """Return a copy of one value per neuron, each with a value for each circuit."""
        listed = one_per_cell(values)
        stored = np.empty(len(listed), dtype=object)
        for i, value in enumerate(listed):
            if not isinstance(value, McCircuitParameters | int | float | np.number | np.bool_):
                raise ConfigurationError(f"{name} of neuron {i} is {value!r}; allowed are McCircuitParameters, or a number for all circuits. Give one of them.")
            whole = value if isinstance(value, McCircuitParameters) else McCircuitParameters([[value] * size for size in self.sizes()])
            if list(whole.sizes) != self.sizes():
                raise ConfigurationError(
                    f"{name} of neuron {i} has {list(whole.sizes)} values; the compartments of {type(self).__name__} have {self.sizes()} circuits. "
                    "Give one value per circuit, or a number for all."
                )
            stored[i] = self.masked(name, McCircuitParameters([as_parameters(REGISTERS[name], row) for row in whole.value]))
        return stored

    def start_values(self, base: ChipConfig, circuits: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Return what the base configuration holds for the neurons' circuits, and above it what the compartments say."""
        n = sum(self.sizes())
        fixed = self.fixed_values()
        values = {}
        for name in _NAMES:
            codes = base[name][circuits[:, :n]].astype(np.float64)
            for k, value in enumerate(fixed.get(name, ())):
                if value is not None:
                    codes[:, k] = value
            stored = np.empty(len(codes), dtype=object)
            stored[:] = [self.nested(row) for row in codes]
            values[name] = self.stored(name, stored)
        return values

    def get_logical_neuron(self, cell_in_pop: int) -> lola.LogicalNeuron:
        """Return a neuron of a population of this type at the register level, by its number in the population.

        Raises
        ------
        ParameterRangeError, ConfigurationError
            If a value is no code of its register.
        """
        neuron = lola.LogicalNeuron(self.logical_neuron)
        for name in _NAMES:
            group, member = MEMBERS[name]
            for number, row in enumerate(self.parameter_space._parameters[name][cell_in_pop].value):
                for k, code in enumerate(codes_of(f"neuron {cell_in_pop}", REGISTERS[name], row).tolist()):
                    setattr(getattr(neuron.at(halco.CompartmentOnLogicalNeuron(number), k), group), member, code)
        return neuron

    def to_network(self, population: Any, begin: float, end: float, duration: int) -> NeuronPopulation:
        """Return the circuits' codes; circuits that only carry the shared line are silent.

        Raises
        ------
        ParameterRangeError, ConfigurationError
            If a value is no code of its register.
        """
        codes = {}
        bridges = np.ones((population.size, self.morphology.size - sum(self.sizes())))
        for name in _NAMES:
            values = np.stack([one.flat() for one in self.parameter_space._parameters[name]])
            whole = np.hstack([values, REGISTERS[name].default * bridges])
            codes[name] = codes_of(f"population {population.label!r}", REGISTERS[name], whole)
        return NeuronPopulation(population.label, population.size, codes, self.morphology)

    def _per_circuit(self, value: Any) -> Any:
        """Return a number as one for each circuit; other values as they are."""
        return McCircuitParameters([[value] * size for size in self.sizes()]) if isinstance(value, int | float | np.number | np.bool_) else value


def _expanded(compartment: Compartment, name: str, value: Any) -> list[Any]:
    """Return what a compartment says of a parameter, one value per circuit."""
    if name not in _NAMES:
        raise UnknownNameError(f"compartment {compartment.label!r} sets {name}, which is no parameter of a circuit. Allowed are {', '.join(_NAMES)}.")
    if np.ndim(value) == 0:
        return [value] * compartment.size
    if len(value) != compartment.size:
        raise CompartmentError(
            f"compartment {compartment.label!r} has {compartment.size} circuits and {len(value)} values of {name}; allowed is one value each, "
            "or a number. Give as many."
        )
    return list(value)
