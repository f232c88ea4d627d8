"""Projections: connections between populations, kept as arrays."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pyNN.common
import pyNN.errors
from numpy.typing import NDArray
from pyNN.parameters import ParameterSpace
from pyNN.space import Space

import neckar.network
from dlens_vx_v3 import halco
from neckar.errors import ConfigurationError, UnsupportedFeatureError
from neckar.facts import AXES
from pynn_brainscales.brainscales2 import simulator
from pynn_brainscales.brainscales2._checks import checked_names, explained, shown
from pynn_brainscales.brainscales2._errors import ArgumentTypeError, CellIndexError, ObservableTypeError, RunStateError, UnknownObservableError, WeightSignError
from pynn_brainscales.brainscales2.plasticity_rules import ObservablePerSynapse, PlasticityRuleHandle, number_in_experiment
from pynn_brainscales.brainscales2.standardmodels.synapses import StaticSynapse

__all__ = ["Connection", "Projection"]

Numbers = NDArray[np.int64]

_MAX_WEIGHT = 2**53  # larger numbers are not counted exactly; what fits on the chip is for the mapper to say


class Connection(pyNN.common.Connection):
    """One connection of a projection; a view of the projection's arrays."""

    __slots__ = ("_number", "projection")

    def __init__(self, projection: Projection, number: int) -> None:
        self.projection = projection
        self._number = number

    def __setattr__(self, name: str, value: Any) -> None:
        if not hasattr(type(self), name):  # what was written there would be ignored
            synapse_type = self.projection.synapse_type
            raise pyNN.errors.NonExistentParameterError(name, type(synapse_type).__name__, list(synapse_type.default_parameters))
        super().__setattr__(name, value)

    @property
    def presynaptic_index(self) -> int:
        """Index of the source in the projection's presynaptic population or view."""
        return int(self.projection._pre_index[self._number])

    @property
    def postsynaptic_index(self) -> int:
        """Index of the target in the projection's postsynaptic population or view."""
        return int(self.projection._post_index[self._number])

    @property
    def pop_pre_index(self) -> int:
        """Index of the source in its population."""
        return int(_in_population(self.projection.pre, self.projection._pre_index[self._number]))

    @property
    def pop_post_index(self) -> int:
        """Index of the target in its population."""
        return int(_in_population(self.projection.post, self.projection._post_index[self._number]))

    @property
    def weight(self) -> int:
        """Weight; its sign is that of the receptor."""
        return int(self.projection._weight[self._number])

    @weight.setter
    def weight(self, value: float) -> None:
        with explained(lambda: f"weight {reprlib.repr(value)} of a connection of projection {self.projection.label!r}"):
            weight = np.array([float(value)])
        self.projection._set_weights(weight, slice(self._number, self._number + 1))

    @property
    def delay(self) -> int:
        """Always 0."""
        return 0

    @delay.setter
    def delay(self, value: float) -> None:
        _check_delay(value)

    def as_tuple(self, *attribute_names: str) -> tuple[Any, ...]:
        """Return attributes in the order of their names."""
        return tuple(getattr(self, name) for name in attribute_names)


class Projection(pyNN.common.Projection):
    """Connections between two populations or views.

    Parameters
    ----------
    presynaptic_neurons, postsynaptic_neurons : Population or PopulationView
    connector : Connector
    synapse_type : StaticSynapse, optional
        Default weight 0. Weights are whole numbers on the chip; others are rounded to the nearest, halves to the even one, as upstream.
    source, receptor_type, space, label
        As in PyNN; receptors are ``"excitatory"`` and ``"inhibitory"``.

    Raises
    ------
    WeightSignError
        If a weight is negative for excitatory or positive for inhibitory connections.
    ConfigurationError
        If a delay is not 0, it ends in spike sources, a weight is too large to be counted, or a compartment is selected on neurons that have one.
    """

    _simulator: Any = simulator
    _static_synapse_class = StaticSynapse

    def __init__(
        self,
        presynaptic_neurons: Any,
        postsynaptic_neurons: Any,
        connector: Any,
        synapse_type: Any = None,
        source: str | None = None,
        receptor_type: str | None = None,
        space: Space | None = None,
        label: str | None = None,
    ) -> None:
        if simulator.state is None:
            raise RunStateError("a projection was created without an experiment; call setup() first.")
        for cells in (presynaptic_neurons, postsynaptic_neurons):
            if not isinstance(cells, pyNN.common.BasePopulation | pyNN.common.Assembly) or not cells.size:
                raise ArgumentTypeError(
                    f"projection {label!r} with {cells!r} was asked for; allowed are populations, views and assemblies with cells. Give one of them."
                )
        if isinstance(postsynaptic_neurons, pyNN.common.BasePopulation) and not postsynaptic_neurons.celltype.receptor_types:
            text = "ends in spike sources, which have no synapses. Exchange its two ends."
            raise ConfigurationError(f"projection {label!r} {text}")
        with explained(lambda: f"projection {label!r} from {presynaptic_neurons.label!r} to {postsynaptic_neurons.label!r}, receptor {receptor_type!r}"):
            super().__init__(presynaptic_neurons, postsynaptic_neurons, connector, synapse_type, source, receptor_type, space or Space(), label)
        self.pre_compartment = self._compartment(presynaptic_neurons, connector, "source_location_selector")
        self.post_compartment = self._compartment(postsynaptic_neurons, connector, "location_selector")
        self.changed_since_last_run = self.changed_topology = self.changed_input_data = True  # upstream's flags, without effect
        self._collected: list[tuple[Numbers, Numbers, NDArray[Any]]] = []
        self._revision = 0
        self._exported: tuple[tuple[int, ...], neckar.network.Projection] | None = None
        self._connections: list[Connection] | None = None
        self._placed: tuple[Any, list[list[halco.SynapseOnDLS]]] | None = None  # and the layout in which they lie
        connector.connect(self)
        self._adopt()
        self._simulator.state.projections.append(self)

    def __len__(self) -> int:
        return len(self._weight)

    def size(self, gather: bool = True) -> int:
        """Return the number of connections; there is one process, so nothing is gathered."""
        return len(self)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return self.connections[i]
        try:
            return self.connections[i]
        except (IndexError, TypeError):
            raise CellIndexError(
                f"connection {i!r} of projection {self.label!r} was asked for; it has {len(self)}. Choose one of them, counted from 0."
            ) from None

    @property
    def connections(self) -> list[Connection]:
        """All connections, sorted by source, then target."""
        if self._connections is None:
            self._connections = [Connection(self, number) for number in range(len(self))]
        return self._connections

    @property
    def placed_connections(self) -> list[list[halco.SynapseOnDLS]]:
        """Synapses that realise each connection, in the order of :attr:`connections`; those of the last mapping, and the same list until the next.

        The coordinates also carry ``weight``, an int, ``synapse_row`` and ``synapse_on_row``.

        Raises
        ------
        RunStateError
            Before the network was mapped with this projection.
        """
        exported = None if self._exported is None else self._exported[1]
        state = self._simulator.state
        layout = None if state is None else state.layout
        if layout is None or exported not in layout.network.projections:
            raise RunStateError(f"placed_connections of projection {self.label!r} was asked for before the network was mapped; call run() first.")
        if self._placed is None or self._placed[0] is not layout:
            placed: list[list[halco.SynapseOnDLS]] = [[] for _ in range(len(self))]
            for connection, hemisphere, row, column, weight in layout.synapses(layout.network.projections.index(exported)):
                placed[connection].append(_placed_synapse(hemisphere, row, column, weight))
            self._placed = layout, placed
        return self._placed[1]

    def get_data(self, observable: str) -> Any:
        """Return what a plasticity rule recorded of the projection's synapses.

        For each snippet a list of samples: ``time`` in cycles of the FPGA, ``data`` a list with the values of the synapses of each connection.

        Raises
        ------
        UnknownObservableError
            If the synapse type has no rule, or the rule no such observable.
        ObservableTypeError
            If it is none per synapse.
        RunStateError
            Before a run, or for a projection of an earlier experiment.
        """
        if not isinstance(self.synapse_type, PlasticityRuleHandle):
            raise UnknownObservableError(
                f"observable {observable!r} of projection {self.label!r} was asked for; synapses of type {type(self.synapse_type).__name__} have none. Use "
                "PlasticSynapse or StaticRecordingSynapse."
            )
        rule = self.synapse_type.observed_rule(observable)
        if not isinstance(rule.observables[observable], ObservablePerSynapse):
            raise ObservableTypeError(
                f"observable {observable!r} of projection {self.label!r} was asked for; it is none per synapse. Ask its population or its rule."
            )
        number = number_in_experiment(self, "projection")
        return [recorded.projection(number, observable) for recorded in rule.executed(observable)]

    def to_network(self, numbers: Mapping[int, int]) -> neckar.network.Projection:
        """Return the projection as the mapper sees it, the same object as long as nothing changed.

        Parameters
        ----------
        numbers : mapping of int to int
            From ``id(population)`` to the population's position in the network.
        """
        pre, post = (self._number(cells, numbers) for cells in (self.pre, self.post))
        compartments = int(self.pre_compartment), int(self.post_compartment)
        key = self._revision, pre, post, *compartments
        if self._exported is None or self._exported[0] != key:
            pre_index, post_index = _in_population(self.pre, self._pre_index), _in_population(self.post, self._post_index)
            network = neckar.network.Projection(self.label or "", pre, post, self.receptor_type, pre_index, post_index, np.abs(self._weight), *compartments)
            self._exported = key, network
        return self._exported[1]

    def _compartment(self, cells: Any, connector: Any, selector: str) -> halco.CompartmentOnLogicalNeuron:
        """Return the compartment of one end, the first one unless a connector selects another by its label."""
        label = getattr(connector, selector, None)
        if label is None:
            return halco.CompartmentOnLogicalNeuron()
        celltype: Any = getattr(getattr(cells, "grandparent", cells), "celltype", None)
        if not hasattr(celltype, "get_compartment_ids"):
            raise ConfigurationError(
                f"{selector}={label!r} was asked for; population {cells.label!r} of {type(celltype).__name__} has no compartments. Leave it out."
            )
        found: list[halco.CompartmentOnLogicalNeuron] = celltype.get_compartment_ids([label])
        if len(found) > 1:
            raise ConfigurationError(
                f"{selector}={label!r} was asked for; {len(found)} compartments of population {cells.label!r} have this label, allowed is one. Give them "
                "different labels."
            )
        return found[0]

    def _number(self, cells: Any, numbers: Mapping[int, int]) -> int:
        """Return the position of one end's population in the network."""
        if isinstance(cells, pyNN.common.Assembly):
            text = "has an assembly at one end, which is not part of this version. Connect each of its populations by a projection of its own."
            raise UnsupportedFeatureError(f"projection {self.label!r} {text}")
        population = getattr(cells, "grandparent", cells)
        if id(population) not in numbers:
            raise ConfigurationError(f"projection {self.label!r}: population {population.label!r} is not part of this experiment. Create it after setup().")
        return numbers[id(population)]

    # --- called by connectors and by PyNN's set and get

    def _convergent_connect(
        self, presynaptic_indices: Any, postsynaptic_index: int, location_selector: Any = None, *, weight: Any, delay: Any, **parameters: Any
    ) -> None:
        """Collect connections to one cell; parameters are single values or one per connection."""
        pre = np.atleast_1d(np.asarray(presynaptic_indices, np.int64))
        _check_delay(delay)
        self._collected.append((pre, np.full(len(pre), int(postsynaptic_index)), np.broadcast_to(np.asarray(weight, np.float64), pre.shape)))

    def _adopt(self) -> None:
        """Take over the collected connections, sorted by source, then target."""
        empty = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        pre, post, weight = (np.concatenate(column) for column in zip(empty, *self._collected, strict=True))
        self._collected.clear()
        order = np.lexsort((post, pre))
        self._pre_index: Numbers = pre[order]
        self._post_index: Numbers = post[order]
        self._check_sign(weight)
        self._weight: Numbers = np.rint(weight[order]).astype(np.int64)

    def set(self, **attributes: Any) -> None:
        """Set delays and weights of all connections; either all or, if one is refused, none.

        Parameters
        ----------
        **attributes : number, random distribution, array of shape (source, target), sequence of length (connection,), or function of the distance

        Raises
        ------
        NonExistentParameterError
            For other attributes.
        ArgumentTypeError
            If a value has none of these forms.
        WeightSignError, ConfigurationError
            As for new projections.
        """
        known = self.synapse_type.default_parameters
        unknown = [name for name in attributes if name not in known]
        if unknown:
            raise pyNN.errors.NonExistentParameterError(unknown[0], type(self.synapse_type).__name__, list(known))
        with explained(lambda: f"set({shown(attributes)}) of projection {self.label!r}"):
            columns = {name: np.asarray(value, np.float64) for name, value in attributes.items() if isinstance(value, list | np.ndarray)}
            columns = {name: value for name, value in columns.items() if value.ndim == 1}
            space = ParameterSpace({name: value for name, value in attributes.items() if name not in columns}, self.synapse_type.get_schema(), self.shape)
            space = self._handle_distance_expressions(space).evaluate(simplify=True)
            matrices = {name: np.asarray(value, np.float64) for name, value in space.items()}
            columns |= {name: values[self._pre_index, self._post_index] if values.ndim else values for name, values in matrices.items()}
            columns = {name: np.broadcast_to(values, len(self)) for name, values in columns.items()}
        self._assign(columns)

    def weightHistogram(self, min: Any = None, max: Any = None, nbins: int = 10) -> Any:
        """Return the histogram of the weights; see PyNN."""
        with explained(lambda: f"the histogram of {len(self)} weights of projection {self.label!r}"):
            return super().weightHistogram(min, max, nbins)

    def get(self, attribute_names: Any, format: str, gather: bool = True, with_address: bool = True, multiple_synapses: str = "sum") -> Any:
        """Return attributes of all connections, as a list of tuples or as one array of shape (source, target) each; see PyNN."""
        known = self.synapse_type.default_parameters
        for name in checked_names(attribute_names):
            if name not in known:
                raise pyNN.errors.NonExistentParameterError(name, type(self.synapse_type).__name__, list(known))
        if format not in ("list", "array") or multiple_synapses not in ("sum", "min", "max", "first", "last"):
            raise ConfigurationError(
                f"get() with format={format!r}, multiple_synapses={multiple_synapses!r} was asked for; allowed are 'list' and 'array', and sum, min, max, "
                "first and last. Choose among them."
            )
        if self._simulator.state is None:
            raise RunStateError(f"get({attribute_names!r}) of projection {self.label!r} was called after end(); its connections are gone. Ask before end().")
        return super().get(attribute_names, format, gather, with_address, multiple_synapses)

    def _assign(self, asked: dict[str, NDArray[np.float64]]) -> None:
        """Set delays and weights, one per connection."""
        if "delay" in asked:
            _check_delay(asked["delay"])
        if "weight" in asked:
            self._set_weights(asked["weight"], slice(None))

    def _set_weights(self, values: NDArray[Any], where: slice) -> None:
        """Round and set the weights of some connections; either all or, if a sign is wrong, none."""
        self._check_sign(values)
        self._weight[where] = np.rint(values)
        self._revision += 1

    def _check_sign(self, weights: NDArray[Any]) -> None:
        inhibitory = self.receptor_type == "inhibitory"
        if inhibitory and self.post.conductance_based:
            weights = -np.abs(weights)  # the reversal potential makes them inhibitory, whatever their sign
        allowed = f"{self.receptor_type} weights are {'at most' if inhibitory else 'at least'} 0"
        if not np.isfinite(weights).all():
            bad = weights[~np.isfinite(weights)].flat[0]
            raise WeightSignError(f"projection {self.label!r}: weight {bad} was asked for; {allowed} and finite. Give a finite number.")
        if weights.max(initial=0) > 0 if inhibitory else weights.min(initial=0) < 0:
            bad = weights[weights > 0 if inhibitory else weights < 0].flat[0]
            raise WeightSignError(f"projection {self.label!r}: weight {bad} was asked for; {allowed}. Change its sign.")
        if np.abs(weights).max(initial=0) > _MAX_WEIGHT:
            text = f"weight {weights.flat[np.abs(weights).argmax()]} was asked for; allowed are magnitudes up to {_MAX_WEIGHT}. Give a smaller one."
            raise ConfigurationError(f"projection {self.label!r}: {text}")

    def _set_initial_value_array(self, variable: str, initial_value: Any) -> None:
        raise UnsupportedFeatureError(f"initial values of synapses ({variable}) were asked for; static synapses have none. Leave them out.")

    def _column(self, name: str) -> Numbers:
        """Return an attribute of all connections."""
        columns = {"presynaptic_index": self._pre_index, "postsynaptic_index": self._post_index, "weight": self._weight}
        return columns[name] if name in columns else np.array([getattr(connection, name) for connection in self.connections], np.int64)

    def _get_attributes_as_list(self, names: Any) -> list[tuple[int, ...]]:
        return list(zip(*(self._column(name).tolist() for name in names), strict=True))

    def _get_attributes_as_arrays(self, names: Any, multiple_synapses: str = "sum") -> list[NDArray[np.float64]]:
        place = self._pre_index, self._post_index
        arrays = []
        for name in names:
            values = self._column(name).astype(np.float64)
            array = np.full(self.shape, np.nan)
            if multiple_synapses == "first":
                array[tuple(index[::-1] for index in place)] = values[::-1]
            else:
                array[place] = values
            if multiple_synapses in ("sum", "min", "max"):
                start = {"sum": 0.0, "min": np.inf, "max": -np.inf}[multiple_synapses]
                array[place] = start
                {"sum": np.add, "min": np.minimum, "max": np.maximum}[multiple_synapses].at(array, place, values)
            arrays.append(array)
        return arrays


def _placed_synapse(hemisphere: int, row: int, column: int, weight: int) -> halco.SynapseOnDLS:
    """Return the coordinate of a synapse, with its weight and both its parts."""
    number = hemisphere * AXES["row"] + row
    synapse: Any = halco.SynapseOnDLS(halco.common.Enum(number * AXES["column"] + column))
    synapse.weight, synapse.synapse_row, synapse.synapse_on_row = weight, halco.SynapseRowOnDLS(halco.common.Enum(number)), halco.SynapseOnSynapseRow(column)
    return cast(halco.SynapseOnDLS, synapse)


def _in_population(cells: Any, indices: Any) -> Any:
    """Return indices within a population for indices within it or a view of it."""
    return cells.cell_indices[indices] if hasattr(cells, "cell_indices") else indices


def _check_delay(delay: Any) -> None:
    if np.any(np.asarray(delay) != 0):
        raise ConfigurationError(f"a delay of {np.max(delay)} ms was asked for; the chip has no configurable delays. Leave it 0.")
