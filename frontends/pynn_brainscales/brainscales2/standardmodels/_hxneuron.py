"""The neuron circuit with all its registers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pyNN.standardmodels import build_translations

from dlens_vx_v3 import halco, lola
from neckar.chip.config import ChipConfig
from neckar.errors import ConfigurationError, ParameterRangeError
from neckar.facts import Register, check_codes
from neckar.network import NeuronPopulation
from pynn_brainscales.brainscales2.standardmodels.cells_base import REGISTERS, NeuronCellType, as_parameters, default_of

MEMBERS = {place.field: place.member.split(".") for place in lola.AtomicNeuron.places(halco.AtomicNeuronOnDLS())}
"""Group and member of ``lola.AtomicNeuron`` that hold each register."""


class HXNeuron(NeuronCellType):
    """One neuron circuit; its parameters are the circuit's registers, in digital codes.

    Parameters start from what the initial configuration holds for the circuit on which each neuron lies; without one everything is off. Values are truncated
    to integers, and their range is checked when the network is mapped.

    Parameters
    ----------
    plasticity_rule : PlasticityRule, optional
        A program that sees these neurons while a plasticity processor executes it.
    **parameters : number, sequence or random distribution
        One value for all neurons of the population or one for each; the names are those of `get_parameter_names`.
    """

    default_parameters: ClassVar = {**NeuronCellType.default_parameters, **{name: default_of(register) for name, register in REGISTERS.items()}}
    translations: ClassVar = build_translations(*((name, name) for name in default_parameters))
    units: ClassVar = {**NeuronCellType.units, **{name: "dimensionless" for name in REGISTERS}}

    @classmethod
    def get_default_values(cls) -> dict[str, bool | float]:
        """Return every parameter with its default."""
        return dict(cls.default_parameters)

    @classmethod
    def create_hw_entity(cls, pynn_parameters: Mapping[str, Any]) -> lola.AtomicNeuron:
        """Return a neuron circuit with the values of some parameters; other names are left out.

        Raises
        ------
        ParameterRangeError, ConfigurationError
            If a value is no code of its register.
        """
        neuron = lola.AtomicNeuron()
        for name, value in pynn_parameters.items():
            if name in REGISTERS:
                group, member = MEMBERS[name]
                setattr(getattr(neuron, group), member, codes_of("AtomicNeuron", REGISTERS[name], value).item())
        return neuron

    def start_values(self, base: ChipConfig, circuits: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Return what the base configuration holds for the neurons' circuits."""
        first = circuits[:, 0]
        return {name: as_parameters(register, base[name][first]) for name, register in REGISTERS.items()}

    def to_network(self, population: Any, begin: float, end: float, duration: int) -> NeuronPopulation:
        """Return the circuits' codes.

        Raises
        ------
        ParameterRangeError, ConfigurationError
            If a value is no code of its register.
        """
        values = self.parameter_space._parameters
        owner = f"population {population.label!r}"
        return NeuronPopulation(population.label, population.size, {name: codes_of(owner, register, values[name]) for name, register in REGISTERS.items()})


def codes_of(owner: str, register: Register, values: Any) -> NDArray[Any]:
    """Return values, truncated to integers, as codes of a register of any shape; `owner` names them in errors."""
    numbers = np.asarray(values)
    if numbers.dtype.kind not in "bui":
        numbers = np.trunc(numbers.astype(np.float64))
        if not np.isfinite(numbers).all():
            raise ConfigurationError(
                f"{owner}: {register.name} is {numbers[~np.isfinite(numbers)].flat[0]}; allowed: {register.allowed()}. Give a finite number."
            )
        numbers = numbers.clip(-(2.0**53), 2.0**53).astype(np.int64)
    try:
        return check_codes(register, numbers)
    except ParameterRangeError as error:
        raise ParameterRangeError(f"{owner}: {error}") from None
