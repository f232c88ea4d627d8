"""From a network to a Program: graph, placement, routing, lowering, partition.

The way down is :func:`map_network` (place, route, lower, check; it reuses whatever did not change) and :func:`build_program`; :func:`partition` and
:func:`run_instances` take networks that need the chip several times. The way up are the inverse maps: :meth:`Placement.owners` (circuit to neuron),
:meth:`Routing.sources` (event label to source), :meth:`MappedNetwork.synapses` (connection to synapses) and :meth:`Partition.recorded` (pieces to population).
Everything here is in hardware time and digital codes.
"""

from neckar.network._background import background_codes
from neckar.network._connections import MAX_WEIGHT, Connections, connections, split_weights, synapses_per_weight
from neckar.network._connectum import ConnectumError, Synapses, check_connectum, configured_synapses, requested_synapses
from neckar.network._graph import RECEPTORS, BackgroundPopulation, Line, Network, NeuronPopulation, Population, Projection, Receptor, SourcePopulation
from neckar.network._instances import InstanceRun, Part, recorded_trains, run_instances, split_instances
from neckar.network._lower import MappedNetwork, Section, build_program, map_network
from neckar.network._morphology import POINT, Compartment, Morphology
from neckar.network._partition import Partition, Piece, partition
from neckar.network._passes import split_madc
from neckar.network._place import DEFAULT_PERMUTATION, Placement, place
from neckar.network._route import Routing, route

__all__ = [
    "DEFAULT_PERMUTATION",
    "MAX_WEIGHT",
    "POINT",
    "RECEPTORS",
    "BackgroundPopulation",
    "Compartment",
    "Connections",
    "ConnectumError",
    "InstanceRun",
    "Line",
    "MappedNetwork",
    "Morphology",
    "Network",
    "NeuronPopulation",
    "Part",
    "Partition",
    "Piece",
    "Placement",
    "Population",
    "Projection",
    "Receptor",
    "Routing",
    "Section",
    "SourcePopulation",
    "Synapses",
    "background_codes",
    "build_program",
    "check_connectum",
    "configured_synapses",
    "connections",
    "map_network",
    "partition",
    "place",
    "recorded_trains",
    "requested_synapses",
    "route",
    "run_instances",
    "split_instances",
    "split_madc",
    "split_weights",
    "synapses_per_weight",
]
