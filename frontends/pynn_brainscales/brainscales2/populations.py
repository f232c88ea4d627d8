"""Populations, views of them, and assemblies."""

from __future__ import annotations

import copy
import os
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pyNN.common
import pyNN.errors
from numpy.typing import NDArray
from pyNN.parameters import ParameterSpace, simplify

import neckar.network
from neckar.errors import ConfigurationError, UnsupportedFeatureError
from pynn_brainscales.brainscales2 import simulator
from pynn_brainscales.brainscales2._checks import checked_count, checked_index, checked_names, checked_selector, checked_size, explained, shown
from pynn_brainscales.brainscales2._errors import ArgumentTypeError, ObservableTypeError, RunStateError, UncalibratedError, UnknownObservableError
from pynn_brainscales.brainscales2._warnings import warn_user
from pynn_brainscales.brainscales2.plasticity_rules import ObservablePerNeuron, PlasticityRuleHandle, number_in_experiment
from pynn_brainscales.brainscales2.recording import Recorder, check_format, write_whole
from pynn_brainscales.brainscales2.standardmodels.cells import SpikeSourcePoissonOnChip
from pynn_brainscales.brainscales2.standardmodels.cells_base import ExternalNeuron, NeuronCellType, StandardCellType

__all__ = ["Assembly", "Population", "PopulationView"]


class Assembly(pyNN.common.Assembly):
    """Several populations or views treated as one."""

    _simulator = simulator

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int | np.integer):
            return self.all_cells[checked_index(index, self.size, self.label)]
        return super().__getitem__(np.arange(self.size)[checked_selector(index, self.size, self.label)])

    def sample(self, n: int, rng: Any = None) -> Any:
        """Return an assembly of some cells, drawn at random."""
        return super().sample(checked_count(n), rng)

    def id_to_index(self, id: Any) -> Any:
        """Return the index of a cell, or an array of them for several."""
        with explained(lambda: f"the index of the cells {reprlib.repr(id)} in {self.label!r}"):
            return super().id_to_index(id)

    def inject(self, current_source: Any) -> None:
        """Refuse current sources; see :meth:`Population.inject`."""
        self.populations[0].inject(current_source)

    def mean_spike_count(self, gather: bool = True) -> float:
        """Return the mean number of spikes per recorded cell, 0 if none is recorded."""
        return _mean(self.get_spike_counts(gather))

    def record(self, variables: Any, to_file: Any = None, sampling_interval: float | None = None, locations: Any = None, *, device: str = "madc") -> None:
        """Record variables of all cells, into one file if one is named; see :meth:`Population.record`."""
        file = None if to_file is None or to_file is True else _checked_file(to_file, variables)
        for population in self.populations:
            population.record(variables, None, sampling_interval, locations, device=device)
        if file is not None:
            _write_on_end(self, variables, file)

    def get_data(self, variables: Any = "all", gather: bool = True, clear: bool = False, annotations: dict[str, Any] | None = None) -> neo.Block:
        """Return a neo block with one segment per run, in it the spike trains and signals of each population in turn; see :meth:`Population.get_data`."""
        merged: dict[str, neo.Segment] = {}
        block = neo.Block(name=self.label, description=self.describe(), **(annotations or {}))
        for population in self.populations:
            for part in population.get_data(variables, gather).segments:
                new = neo.Segment(name=part.name, description=self.describe(), rec_datetime=part.rec_datetime, **part.annotations)
                segment = merged.setdefault(part.name, new)
                segment.spiketrains.extend(list(part.spiketrains))
                segment.irregularlysampledsignals.extend(list(part.irregularlysampledsignals))
        block.segments.extend([merged[name] for name in sorted(merged)])
        for population in self.populations if clear else ():
            population.recorder.clear()
        return block

    def write_data(self, io: Any, variables: Any = "all", gather: bool = True, clear: bool = False, annotations: dict[str, Any] | None = None) -> None:
        """Write the data of all cells to a file, which appears complete or not at all, or to an IO object of neo."""
        if io is None:
            raise ConfigurationError(f"the data of assembly {self.label!r} was to be written without a file. Name one, for instance 'data.pkl'.")
        if isinstance(io, str | os.PathLike):
            write_whole(Path(io), lambda whole: self.write_data(whole, variables, gather, clear, annotations))
        else:
            io.write(self.get_data(variables, gather, clear, annotations))


class _Cells:
    """What populations and views share: cells, their parameters, and recording with a device."""

    def __getitem__(self: Any, index: Any) -> Any:
        if isinstance(index, int | np.integer):
            return self.all_cells[checked_index(index, self.size, self.label)]
        return self._get_view(index)

    def __add__(self: Any, other: Any) -> Assembly:
        if not isinstance(other, pyNN.common.BasePopulation | Assembly):
            raise ArgumentTypeError(f"{self.label!r} + {other!r} was asked for; allowed are populations, views and assemblies. Add one of them.")
        return Assembly(self, *(other.populations if isinstance(other, Assembly) else (other,)))

    def nearest(self: Any, position: Any) -> Any:
        """Return the cell that is closest to a position in space."""
        with explained(lambda: f"the cell of {self.label!r} nearest to {position!r}"):
            return super().nearest(position)  # type: ignore[misc]

    def id_to_index(self: Any, id: Any) -> Any:
        """Return the index of a cell, or an array of them for several."""
        with explained(lambda: f"the index of the cells {reprlib.repr(id)} in {self.label!r}"):
            return super().id_to_index(id)  # type: ignore[misc]

    def sample(self: Any, n: int, rng: Any = None) -> Any:
        """Return a view of some cells, drawn at random."""
        return super().sample(checked_count(n), rng)  # type: ignore[misc]

    def get(self: Any, parameter_names: Any, gather: bool = False, simplify: bool = True) -> Any:
        """Return the values of a parameter, or a list of those of several; one value if all cells have the same, unless `simplify` is False."""
        names = checked_names(parameter_names)
        for name in names:
            if name not in self.celltype.default_parameters:
                raise pyNN.errors.NonExistentParameterError(name, type(self.celltype).__name__, self.celltype.get_parameter_names())
        return super().get(parameter_names if isinstance(parameter_names, str) else names, gather, simplify)  # type: ignore[misc]

    def set(self: Any, **parameters: Any) -> None:
        """Set parameters: one value for all cells or one for each; either all or, if one is refused, none."""
        with explained(lambda: f"set({shown(parameters)}) of population {self.label!r}"):
            super().set(**self.celltype.converted(parameters))  # type: ignore[misc]

    def initialize(self: Any, **initial_values: Any) -> None:
        """Say that initial values have no effect: a run starts from the state that the chip is in."""
        for variable in initial_values:
            warn_user(f"the initial value of {variable!r} has no effect: a run starts from the state that the chip is in. Leave it out.")

    def mean_spike_count(self: Any, gather: bool = True) -> float:
        """Return the mean number of spikes per recorded cell, 0 if none is recorded."""
        return _mean(self.get_spike_counts(gather))

    def is_local(self: Any, id: Any) -> bool:
        """Return whether a cell is on this process: always, if it is one of these."""
        self.id_to_index(id)
        return True

    def inject(self: Any, current_source: Any) -> None:
        """Refuse current sources, of which the chip has none besides the constant current of each circuit."""
        raise UnsupportedFeatureError(
            f"the current source {current_source!r} was to be injected into population {self.label!r}; circuits have a constant current alone. Set "
            "constant_current_enable and constant_current_i_offset."
        )

    def record(self: Any, variables: Any, to_file: Any = None, sampling_interval: float | None = None, locations: Any = None, *, device: str = "madc") -> None:
        """Record variables of all cells of the population or view.

        Parameters
        ----------
        variables : str, list of str, or None
            Names out of ``celltype.recordable``, at most one analog variable per neuron. None ends all recording of the whole population, also on a view,
            and drops data of the current run.
        to_file : str or path, optional
            File to which ``end`` writes the data; its extension names a format of neo.
        sampling_interval : None
            The converters sample at their own rate.
        locations : None
            For neurons with compartments.
        device : {"madc", "cadc", "pad_0", "pad_0_buffered", "pad_0_unbuffered", "pad_1", ...}
            Converter for analog variables. The MADC follows one neuron at 34 ns, or one on an even and one on an odd column at 68 ns, with codes of 0 to
            1023; the CADC all neurons at about 2 us with codes of 0 to 255 and at most 100 samples in a run. A pad shows a neuron to the world outside the
            chip and records nothing.

        Raises
        ------
        UnsupportedFeatureError, ConfigurationError, UnknownVariableError, LocationError
            See :meth:`Recorder.record`. Also if nothing is recorded into a file, or no format has its extension.
        """
        file = None if to_file is None or to_file is True else _checked_file(to_file, variables)  # PyNN's record_v passes True
        if variables is None:
            self.recorder.reset()
        else:
            cells = self.all_cells if self._record_filter is None else self._record_filter
            self.recorder.record(variables, cells, sampling_interval, locations, device=device)
        if file is not None:
            _write_on_end(self, variables, file)
            self.recorder.file = file

    def get_data(self: Any, variables: Any = "all", gather: bool = True, clear: bool = False, *, locations: Any = None) -> Any:
        """Return a neo block with one segment per run; see :meth:`Recorder.get`."""
        return self.recorder.get(variables, gather, self._record_filter, clear, locations=locations)

    def get_plasticity_data(self: Any, observable: str) -> Any:
        """Return what a plasticity rule recorded of the cells.

        For each snippet a list of samples: ``time`` in cycles of the FPGA, ``data`` for each cell a dict from compartment to the values of its circuits.

        Raises
        ------
        UnknownObservableError
            If the cell type has no rule, or the rule no such observable.
        ObservableTypeError
            If it is none per neuron.
        RunStateError
            Before a run, or for a population of an earlier experiment.
        """
        if not isinstance(self.celltype, PlasticityRuleHandle):
            kind = type(self.celltype).__name__
            raise UnknownObservableError(
                f"observable {observable!r} of population {self.label!r} was asked for; cells of type {kind} have none. Use a plastic cell type."
            )
        rule = self.celltype.observed_rule(observable)
        if not isinstance(rule.observables[observable], ObservablePerNeuron):
            raise ObservableTypeError(
                f"observable {observable!r} of population {self.label!r} was asked for; it is none per neuron. Ask its projection or its rule."
            )
        whole = self if isinstance(self, Population) else self.grandparent
        number = number_in_experiment(whole, "population")
        samples = [recorded.population(number, observable) for recorded in rule.executed(observable)]
        if whole is not self:
            for sample in (sample for snippet in samples for sample in snippet):
                sample.data = [sample.data[index] for index in self.cell_indices]
        return samples

    @property
    def calib_target(self: Any) -> Any:
        """Targets of the last calibration, a parameter space; calibrated neurons only."""
        targets = self._of_calibration("calib_target")
        return targets if isinstance(self, Population) else _masked(targets, self.cell_indices)

    @property
    def calib_hwparams(self: Any) -> Any:
        """What the last calibration found, one ``lola.AtomicNeuron`` per neuron; calibrated neurons only."""
        return self._of_cells(self._of_calibration("calib_hwparams"))

    @property
    def actual_hwparams(self: Any) -> Any:
        """What the following runs use, one ``lola.AtomicNeuron`` per neuron: changes act on these; calibrated neurons only."""
        return self._of_cells(self._of_calibration("actual_hwparams"))

    def _of_cells(self: Any, circuits: Any) -> Any:
        """Return the part of a sequence over the population that belongs to these cells."""
        return circuits if isinstance(self, Population) else type(circuits)(circuits[index] for index in self.cell_indices)

    def _of_calibration(self: Any, name: str) -> Any:
        if not hasattr(type(self.celltype), name):
            kind = type(self.celltype).__name__
            raise UncalibratedError(f"{name} of population {self.label!r} was asked for; cells of type {kind} are not calibrated. Use CalibHXNeuronCuba.")
        return getattr(self.celltype, name)

    def find_units(self: Any, variable: str) -> str:
        """Return the unit of a variable."""
        return str(self.celltype.units[variable])


class Population(_Cells, pyNN.common.Population):
    """A group of cells of one type. Neurons are placed on circuits of the chip when the population is created.

    Parameters
    ----------
    size : int or tuple of int
    cellclass : cell type or instance of one
    cellparams : dict, optional
        Parameters, if `cellclass` is a type.
    structure, label
        As in PyNN.
    initial_values : dict, optional
        Accepted with a warning and without effect: a run starts from the state that the chip is in.

    Raises
    ------
    RunStateError
        If ``setup`` was not called.
    NoFreeCircuitError
        If the neurons do not fit on the chip.
    """

    _simulator = simulator
    _recorder_class = Recorder
    _assembly_class = Assembly
    celltype: Any

    def __init__(self, size: Any, cellclass: Any, cellparams: Any = None, structure: Any = None, initial_values: Any = None, label: str | None = None) -> None:
        if simulator.state is None:
            raise RunStateError("a population was created before setup(); call setup() first.")
        object.__setattr__(self, "_descriptions", {})
        self._revision = 0
        self._exported: tuple[tuple[Any, ...], neckar.network.Population] | None = None
        self.circuits = np.zeros((0, 0), np.int64)  # of each neuron, shape (neuron, circuit); none for sources, or if they are not known yet
        self._touched: set[str] = set()  # parameters that were set
        self.bus: int | None = None  # of sources on the chip; None if the mapper chooses
        self.changed_since_last_run = self.changed_topology = self.changed_input_data = True  # upstream's flags, without effect
        _check_celltype(cellclass, cellparams)
        if isinstance(cellclass, type):
            with explained(lambda: f"{cellclass.__name__} with the parameters {shown(cellparams or {})}"):
                cellclass = cellclass(**(cellparams or {}))
        if not isinstance(label, str | None):
            raise ArgumentTypeError(f"the label {label!r} was asked for; allowed is a str, or None. Convert it with str().")
        super().__init__(checked_size(size), cellclass, None, structure, dict(initial_values or {}), label)

    def __setattr__(self, name: str, value: Any) -> None:
        self._descriptions.clear()
        with explained(lambda: f"{name} = {reprlib.repr(value)} of population {self.label!r}"):
            super().__setattr__(name, value)

    def _create_cells(self) -> None:
        state = simulator.state
        assert state is not None
        self.all_cells = np.array([simulator.ID(number) for number in range(state.id_counter, state.id_counter + self.size)], dtype=simulator.ID)
        self._mask_local = np.ones(self.size, np.bool_)
        for cell in self.all_cells:
            cell.parent = self
        try:
            self._place(state)
            self._own_celltype(state)
        except Exception:
            state.recorders.discard(self.recorder)
            raise
        state.id_counter += self.size
        state.populations.append(self)

    def _place(self, state: simulator.State) -> None:
        """Take the circuits of the chip that the population needs."""
        if isinstance(self.celltype, NeuronCellType):
            later = not state.permutation_given
            self.circuits = state.neuron_placement.register(self.label, self.all_cells, self.celltype.morphology, or_later=later)
        elif isinstance(self.celltype, SpikeSourcePoissonOnChip):
            self.bus = state.background_placement.register(self.label)

    def _own_celltype(self, state: simulator.State) -> None:
        """Give the population a cell type of its own with one value per cell, so that an instance can serve several populations."""
        celltype = copy.copy(self.celltype)
        space = copy.copy(celltype.parameter_space)
        start = celltype.start_values(state.base_config(), self.circuits) if self.circuits.size else {}
        start = {name: values for name, values in start.items() if name not in celltype.given}
        space._parameters = {name: copy.copy(values) for name, values in space._parameters.items() if name not in start}
        with explained(lambda: f"population {self.label!r} of {self.size} cells with the parameters {', '.join(sorted(celltype.given))}"):
            space.shape = (self.size,)
            space.evaluate(simplify=False)
        given = {name: celltype.stored(name, values) for name, values in space._parameters.items()}
        space._parameters = {name: start[name] if name in start else given[name] for name in celltype.default_parameters}
        celltype.parameter_space = space
        self.celltype = celltype

    def adopt(self, circuits: NDArray[np.int64]) -> None:
        """Take over where a mapping that uses the chip several times has placed the neurons, shape (neuron, circuit).

        Parameters that were given neither to the cell type nor set start from the new circuits.
        """
        state = simulator.state
        if state is None or np.array_equal(circuits, self.circuits):
            return
        self.circuits = circuits
        state.neuron_placement.note(self.all_cells, circuits, self.celltype.morphology)
        known = self._touched | self.celltype.given
        start = self.celltype.start_values(state.base_config(), circuits)
        self.celltype.parameter_space._parameters.update({name: values for name, values in start.items() if name not in known})
        self._revision += 1

    def to_network(self, begin: float, end: float, duration: int) -> neckar.network.Population:
        """Return the population as the mapper sees it, the same object as long as nothing changed."""
        key: tuple[Any, ...] = (self._revision, self.label)
        if isinstance(self.celltype, ExternalNeuron):
            key = *key, begin, end, duration
        if self._exported is None or self._exported[0] != key:
            exported = key, self.celltype.to_network(self, begin, end, duration)
            object.__setattr__(self, "_exported", exported)
            return exported[1]
        return self._exported[1]

    def describe(self, *args: Any, **kwargs: Any) -> Any:
        """Return PyNN's description; kept until an attribute or parameter changes."""
        key = (args, tuple(sorted(kwargs.items())))
        if key not in self._descriptions:
            self._descriptions[key] = super().describe(*args, **kwargs)
        return self._descriptions[key]

    def _get_parameters(self, *names: str) -> ParameterSpace:
        return _selected(self, slice(None), names)

    def _set_parameters(self, parameter_space: ParameterSpace) -> None:
        _assign(self, self, slice(None), parameter_space)

    def _get_view(self, selector: Any, label: str | None = None) -> PopulationView:
        return PopulationView(self, selector, label)


class PopulationView(_Cells, pyNN.common.PopulationView):
    """Some cells of a population, or of another view."""

    _simulator = simulator
    _assembly_class = Assembly

    def __init__(self, parent: Any, selector: Any, label: str | None = None) -> None:
        if not isinstance(parent, pyNN.common.BasePopulation):
            raise ArgumentTypeError(f"a view of {parent!r} was asked for; allowed is one of a population, or of another view. Take it of each population.")
        super().__init__(parent, checked_selector(selector, parent.size, parent.label), label)

    @property
    def cell_indices(self) -> NDArray[np.int64]:
        """Positions of the cells in the population."""
        return self.all_cells.astype(np.int64) - int(self.grandparent.first_id)

    def _get_parameters(self, *names: str) -> ParameterSpace:
        return _selected(self, self.cell_indices, names)

    def _set_parameters(self, parameter_space: ParameterSpace) -> None:
        _assign(self.grandparent, self, self.cell_indices, parameter_space)

    def _get_view(self, selector: Any, label: str | None = None) -> PopulationView:
        return PopulationView(self, selector, label)


def _mean(counts: dict[int, int]) -> float:
    return sum(counts.values()) / len(counts) if counts else 0.0


def _check_celltype(cellclass: Any, cellparams: Any) -> None:
    if not isinstance(cellclass, StandardCellType) and not (isinstance(cellclass, type) and issubclass(cellclass, StandardCellType)):
        raise ArgumentTypeError(f"a population of {cellclass!r} was asked for; allowed are the cell types of this front end. Give for instance HXNeuron().")
    if cellparams is not None and not (isinstance(cellclass, type) and isinstance(cellparams, Mapping)):
        raise ArgumentTypeError(
            f"cellparams={cellparams!r} was asked for besides {cellclass!r}; allowed is a dict of parameters besides a class. Give the "
            "parameters to the cell type itself."
        )


def _checked_file(to_file: Any, variables: Any) -> str:
    """Return the name of a file that ``end`` can write."""
    if not isinstance(to_file, (str, os.PathLike)):
        raise ConfigurationError(f"to_file is {to_file!r}; allowed is the name of a file. Take the data from get_data() for other targets.")
    file = os.fspath(to_file)
    if variables is None:
        raise ConfigurationError(f"to_file={file!r} was asked for with nothing to record. Name the variables.")
    check_format(file)
    return file


def _write_on_end(cells: Any, variables: Any, file: str) -> None:
    """Let ``end`` write data of a population, view or assembly."""
    if simulator.state is None:
        raise RunStateError(f"the file {file!r} was asked for after end(), which writes files; call write_data() instead.")
    simulator.state.write_on_end.append((cells, variables, file))


def _selected(cells: Any, indices: Any, names: tuple[str, ...]) -> ParameterSpace:
    """Return parameters of some cells of a population."""
    schema = cells.celltype.get_schema()
    values = {}
    for name in names:
        value = simplify(cells.celltype.parameter_space._parameters[name][indices])
        values[name] = value.item() if isinstance(value, np.generic) else value
    return ParameterSpace(values, schema={name: schema[name] for name in names}, shape=(cells.size,))


def _masked(targets: ParameterSpace, indices: Any) -> ParameterSpace:
    """Return targets of some cells."""
    part = copy.copy(targets)
    part._parameters = {name: values[indices] for name, values in targets._parameters.items()}
    part.shape = (len(indices),)
    return part


def _assign(population: Population, cells: Any, indices: Any, parameter_space: ParameterSpace) -> None:
    """Set parameters of some cells of a population."""
    parameter_space.evaluate(simplify=False)
    checked = {name: population.celltype.stored(name, values) for name, values in parameter_space.items()}
    for name, values in checked.items():
        population.celltype.parameter_space._parameters[name][indices] = values
    population._touched.update(parameter_space.keys())
    population._revision += 1
