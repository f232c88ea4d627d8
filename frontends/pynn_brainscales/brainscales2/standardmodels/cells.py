"""Cell types, by their upstream names: neuron circuits with all their registers or with calibrated targets, and spike sources outside and on the chip."""

from pynn_brainscales.brainscales2.standardmodels._calibrated import CalibHXNeuronCoba, CalibHXNeuronCuba
from pynn_brainscales.brainscales2.standardmodels._hxneuron import HXNeuron
from pynn_brainscales.brainscales2.standardmodels._sources import OffChipSource, SpikeIOCell, SpikeSourceArray, SpikeSourcePoisson, SpikeSourcePoissonOnChip
from pynn_brainscales.brainscales2.standardmodels.cells_base import ExternalNeuron, NeuronCellType, StandardCellType

__all__ = [
    "CalibHXNeuronCoba",
    "CalibHXNeuronCuba",
    "ExternalNeuron",
    "HXNeuron",
    "NeuronCellType",
    "OffChipSource",
    "SpikeIOCell",
    "SpikeSourceArray",
    "SpikeSourcePoisson",
    "SpikeSourcePoissonOnChip",
    "StandardCellType",
]
