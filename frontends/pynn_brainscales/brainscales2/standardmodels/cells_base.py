"""Bases of the cell types."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import pyNN.standardmodels
from numpy.typing import NDArray
from pyNN.standardmodels import build_translations

from dlens_vx_v3 import lola
from neckar.chip.config import ChipConfig
from neckar.errors import ConfigurationError
from neckar.facts import Register, registers
from neckar.network import POINT, Morphology
from neckar.network import Population as NetworkPopulation
from pynn_brainscales.brainscales2._checks import explained, shown
from pynn_brainscales.brainscales2._placement import logical_compartments
from pynn_brainscales.brainscales2.plasticity_rules import PlasticityRuleHandle

REGISTERS = {name: register for name, register in registers("brainscales2").items() if register.hxneuron}
"""Registers of a neuron circuit that are parameters of cell types."""

_ReadoutSource = lola.AtomicNeuron.Readout.Source


class _LogicalCompartments:
    """The shape of a neuron type as a coordinate type."""

    def __get__(self, celltype: Any, kind: type[NeuronCellType]) -> Any:
        return logical_compartments(kind.morphology)


class StandardCellType(pyNN.standardmodels.StandardCellType, ABC):
    """A cell type that can be part of a network on the chip."""

    def __init__(self, **parameters: Any) -> None:
        given = {name: value for name, value in parameters.items() if value is not None or name not in self.default_parameters}
        with explained(lambda: f"{type(self).__name__}({shown(given)})"):
            super().__init__(**self.converted(given))
        self.given: frozenset[str] = frozenset(given)
        """Parameters that do not start from the population's start values."""

    def converted(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return parameters as PyNN understands them, for types that take further forms."""
        return parameters

    def can_record(self, variable: str, location: Any = None) -> bool:
        """Return whether cells of this type have a variable."""
        return variable in self.recordable

    def stored(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """Return a copy of one value of a parameter per cell, as populations keep it.

        Raises
        ------
        ConfigurationError
            If a value is no number.
        """
        stored = np.atleast_1d(np.array(values))  # lazyarray makes a number of an array of one
        if stored.dtype.kind not in "biuf":
            raise ConfigurationError(f"{name} is {values!r}; allowed are numbers. Give one, or one for each cell.")
        return stored

    @abstractmethod
    def to_network(self, population: Any, begin: float, end: float, duration: int) -> NetworkPopulation:
        """Return a population of this type as the mapper sees it from `begin` to `end` (milliseconds), `duration` ticks."""


class NeuronCellType(StandardCellType, PlasticityRuleHandle):
    """A cell type that lives on circuits of the chip.

    Parameters
    ----------
    plasticity_rule : PlasticityRule, optional
        A program that sees these neurons while a plasticity processor executes it.
    **parameters
        Parameters of the cell type.
    """

    ReadoutSource: ClassVar = _ReadoutSource
    morphology: ClassVar[Morphology] = POINT
    logical_compartments: ClassVar = _LogicalCompartments()

    recordable: ClassVar = ["spikes", "v", "exc_synin", "inh_synin", "adaptation"]
    receptor_types: ClassVar = ["excitatory", "inhibitory"]
    conductance_based = False
    injectable = True

    default_parameters: ClassVar = {"plasticity_rule_readout_source": float(_ReadoutSource.membrane), "plasticity_rule_enable_readout_source": False}
    translations: ClassVar = build_translations(*((name, name) for name in default_parameters))
    units: ClassVar = {**{name: "dimensionless" for name in (*default_parameters, *recordable[1:])}, "spikes": "ms"}

    def __init__(self, plasticity_rule: Any = None, **parameters: Any) -> None:
        PlasticityRuleHandle.__init__(self, plasticity_rule)
        StandardCellType.__init__(self, **parameters)

    def start_values(self, base: ChipConfig, circuits: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Return the values from which parameters of a population start, for those that do not start from the cell type's default.

        Parameters
        ----------
        base : ChipConfig
        circuits : ndarray of int64, shape (neuron, circuit)
        """
        return {}


class ExternalNeuron(StandardCellType):
    """A spike source outside the chip."""


def one_per_cell(values: Any) -> list[Any]:
    """Return parameters that are no numbers as a list, one per cell; lazyarray makes a single one of an array of one."""
    return list(values) if isinstance(values, np.ndarray) and values.ndim else [values.item() if isinstance(values, np.ndarray) else values]


def default_of(register: Register) -> bool | float:
    """Return a register's default as PyNN keeps it: switches as booleans, all else as floats."""
    return bool(register.default) if register.kind == "switch" else float(register.default)


def as_parameters(register: Register, codes: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of codes of a register as PyNN keeps them: switches as booleans, all else as floats."""
    return codes.astype(np.bool_ if register.kind == "switch" else np.float64)
