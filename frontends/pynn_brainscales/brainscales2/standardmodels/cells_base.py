"""Bases of the cell types."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import IntEnum
from typing import Any, ClassVar

import pyNN.standardmodels
from pyNN.standardmodels import build_translations

from neckar.errors import UnsupportedFeatureError
from neckar.facts import registers
from neckar.network import NeuronPopulation, SourcePopulation

_READOUT_SOURCES = registers("brainscales2")["readout_source"].choices or ()
_ReadoutSource = IntEnum("ReadoutSource", [(name, code) for code, name in enumerate(_READOUT_SOURCES)])  # type: ignore[misc]


class StandardCellType(pyNN.standardmodels.StandardCellType, ABC):
    """A cell type that can be part of a network on the chip."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**{name: value for name, value in parameters.items() if value is not None or name not in self.default_parameters})

    def can_record(self, variable: str, location: Any = None) -> bool:
        """Return whether cells of this type have a variable."""
        return variable in self.recordable

    @abstractmethod
    def to_network(self, label: str, size: int, begin: float, end: float, duration: int) -> NeuronPopulation | SourcePopulation:
        """Return the population as the mapper sees it from `begin` to `end` (milliseconds), `duration` ticks."""


class NeuronCellType(StandardCellType):
    """A cell type that lives on circuits of the chip.

    Parameters
    ----------
    plasticity_rule : None
        Rules are not part of this version.

    Raises
    ------
    UnsupportedFeatureError
        If a plasticity rule is given.
    """

    ReadoutSource: ClassVar = _ReadoutSource

    default_parameters: ClassVar = {"plasticity_rule_readout_source": float(_ReadoutSource["membrane"]), "plasticity_rule_enable_readout_source": False}
    translations: ClassVar = build_translations(*((name, name) for name in default_parameters))
    units: ClassVar = {name: "dimensionless" for name in default_parameters}

    def __init__(self, plasticity_rule: Any = None, **parameters: Any) -> None:
        if plasticity_rule is not None:
            raise UnsupportedFeatureError("a plasticity rule was given; rules are not part of this version. Leave plasticity_rule out.")
        super().__init__(**parameters)


class ExternalNeuron(StandardCellType):
    """A spike source outside the chip."""
