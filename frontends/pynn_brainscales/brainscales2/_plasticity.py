"""Plasticity rules on their way to the processors, and what they recorded on the way back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlens_vx_v3 import halco
from dlens_vx_v3.hal import PPUMemoryBlock
from neckar.chip.coordinates import COLUMNS
from neckar.errors import ConfigurationError, UnsupportedFeatureError
from neckar.facts import AXES
from neckar.network import NeuronPopulation
from neckar.program import NeuronView, PlasticityTask, PlasticityView, Recording
from neckar.program._plasticity import Language
from pynn_brainscales.brainscales2._errors import SharedRuleError
from pynn_brainscales.brainscales2._layout import Layout

PPU_CYCLES_PER_MS = 250_000
TICKS_PER_PPU_CYCLE = 2
PPU_CYCLES_PER_FPGA_CYCLE = 2

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Scheduled:
    """A rule in one snippet.

    Attributes
    ----------
    rule : PlasticityRule
    kernel : str
        C++, or the text of a rule in Python.
    language : {"cpp", "python"}
    start, period, count : int
        Ticks of the experiment, and number of executions.
    projections, populations : tuple of int
        Positions in the network.
    observables : dict
        As the rule holds them.
    """

    rule: Any
    kernel: str
    language: Language
    start: int
    period: int
    count: int
    projections: tuple[int, ...]
    populations: tuple[int, ...]
    observables: dict[str, Any]


def schedule(rule: Any, projections: Sequence[Any], populations: Sequence[Any], begin: float, end: float) -> Scheduled | None:
    """Return a rule's executions from `begin` to `end`, milliseconds; None if there are none.

    Parameters
    ----------
    rule : PlasticityRule
    projections, populations : sequence
        Those of the experiment; the rule works on those that hold it.
    """
    held = (projections, rule.projections), (populations, rule.populations)
    mine = [tuple(n for n, one in enumerate(group) if any(one is other for other in of_rule)) for group, of_rule in held]
    timer = rule.timer
    start, period, begins, ends = (round(ms * PPU_CYCLES_PER_MS) for ms in (timer.start, timer.period, begin, end))
    before, until = (-(-max(cycles - start, 0) // period) for cycles in (begins, ends))
    count = min(timer.num_periods, until) - before
    if not any(mine) or count < 1:
        return None
    start, period = (cycles * TICKS_PER_PPU_CYCLE for cycles in (start + before * period, period))
    in_python = rule.is_in_python()
    kernel = rule.recipe().text() if in_python else rule.generate_kernel()
    return Scheduled(rule, kernel, "python" if in_python else "cpp", start, period, count, mine[0], mine[1], dict(rule.observables))


@dataclass(frozen=True, eq=False)
class _Views:
    """Where the synapses and neurons of a rule are, in the order of its handles."""

    synapses: list[tuple[int, PlasticityView]]  # number of the projection
    neurons: list[tuple[int, NeuronView]]  # number of the population


def _views(scheduled: Scheduled, layout: Layout, instance: int) -> _Views:
    """Return what of a rule an execution instance holds."""
    synapses, neurons = [], []
    for number in scheduled.projections:
        _, where, hemisphere, row, column = layout.synapse_places(number)
        for h in np.unique(hemisphere[where == instance]).tolist():
            mine = (where == instance) & (hemisphere == h)
            synapses.append((number, PlasticityView(h, tuple(np.unique(row[mine]).tolist()), tuple(np.unique(column[mine]).tolist()))))
    for number in scheduled.populations:
        circuits = layout.members[number][layout.instance_of[number] == instance].ravel()
        for h in range(AXES["hemisphere"]):
            columns = (circuits[circuits // COLUMNS == h] % COLUMNS).tolist()
            if columns:
                neurons.append((number, NeuronView(h, tuple(columns))))
    return _Views(synapses, neurons)


def tasks_of(
    snippets: Sequence[tuple[Layout, Sequence[Scheduled]]], symbols: Mapping[str, Any], read_symbols: set[str]
) -> dict[int, tuple[PlasticityTask, ...]]:
    """Return what the processors do in an experiment, by execution instance: each executes the rules on what it holds.

    Parameters
    ----------
    snippets : sequence of (Layout, sequence of Scheduled)
    symbols : mapping of str to container
        Values of global variables: a ``PPUMemoryBlock``, or a dict from hemisphere to blocks.
    read_symbols : set of str

    Raises
    ------
    UnsupportedFeatureError
        If global variables of a network are to be read that needs several execution instances.
    SharedRuleError
        If rules with one ``same_id`` differ.
    ConfigurationError
        If no kernel has a symbol, or two have one of that name.
    """
    kernels = {one.rule.same_id: one.kernel for _, scheduled in snippets for one in scheduled if one.language == "cpp"}
    owners = {name: owner for name in sorted({*symbols, *read_symbols}) if (owner := _owner(kernels, name)) is not None}
    found: dict[int, list[PlasticityTask]] = {instance: [] for layout, _ in snippets for instance in layout.instances}
    if len(found) > 1 and read_symbols:
        raise UnsupportedFeatureError(
            f"the PPU symbols {', '.join(sorted(read_symbols))} were to be read of a network that needs {len(found)} execution instances, which have one each; "
            "allowed are networks that one chip holds. Record an observable instead, or make the network smaller."
        )
    for k, (layout, scheduled) in enumerate(snippets):
        for n, one in enumerate(scheduled):
            for instance in layout.instances:
                views = _views(one, layout, instance)
                if views.synapses or views.neurons:
                    words = {name: _words(block) for name, block in symbols.items() if owners.get(name) == one.rule.same_id}
                    read = tuple(sorted(name for name in read_symbols if owners.get(name) == one.rule.same_id))
                    found[instance].append(_task(one, _name(one, n, k), views, words, read))
    _check_shared([task for tasks in found.values() for task in tasks])
    used = {name for tasks in found.values() for task in tasks for name in (*task.symbols, *task.read_symbols)}
    missing = sorted({*symbols, *read_symbols} - used)
    if missing:
        raise ConfigurationError(
            f"the PPU symbols {', '.join(missing)} were named; no plasticity rule of the experiment has a variable of that name. Correct the names."
        )
    return {instance: tuple(tasks) for instance, tasks in found.items()}


def _name(scheduled: Scheduled, number: int, snippet: int) -> str:
    return f"{type(scheduled.rule).__name__}.{number}.{snippet}"


def _task(one: Scheduled, name: str, views: _Views, symbols: dict[str, NDArray[np.int32]], read_symbols: tuple[str, ...]) -> PlasticityTask:
    return PlasticityTask(
        name=name,
        kernel=one.kernel,
        language=one.language,
        views=tuple(view for _, view in views.synapses),
        neurons=tuple(view for _, view in views.neurons),
        start=one.start,
        period=one.period,
        count=one.count,
        observables={name: observable.to_program() for name, observable in one.observables.items()},
        symbols=symbols,
        read_symbols=read_symbols,
        same_id=one.rule.same_id,
    )


def _owner(kernels: Mapping[int, str], symbol: str) -> int | None:
    """Return which rule has a global variable; one that declares it `extern` uses another's."""
    name = rf"\b{re.escape(symbol.split('::')[-1])}\b"
    plain = {number: re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL) for number, text in kernels.items()}
    users = [number for number, text in plain.items() if re.search(name, text)]
    own = [number for number in users if not re.search(rf"\bextern\b[^;{{}}]*{name}", plain[number])] or users[:1]
    if len(own) > 1:
        raise ConfigurationError(
            f"the PPU symbol {symbol} was named; the plasticity rules of same_id {', '.join(map(str, own))} all use that name, so it is not clear which "
            "variable is meant. Give the variables different names, or declare one that rules share extern in all rules but one."
        )
    return own[0] if own else None


def _check_shared(tasks: Sequence[PlasticityTask]) -> None:
    first: dict[int, PlasticityTask] = {}
    for task in tasks:
        other = first.setdefault(task.same_id, task)
        if other.kernel != task.kernel:
            raise SharedRuleError(
                f"the plasticity rules {other.name} and {task.name} have same_id {task.same_id} and different kernels; rules of one same_id share kernel and "
                "state. Give them different ones: PlasticityRule(..., same_id=1)."
            )


def _words(given: Any) -> NDArray[np.int32]:
    """Return the words of a block, or of a block for each hemisphere."""
    if not isinstance(given, Mapping):
        return np.array([int(word.value) for word in given], np.uint32).view(np.int32)
    return np.stack([_words(given[halco.HemisphereOnDLS(h)]) for h in range(AXES["hemisphere"])])


def symbols_of(tasks: Sequence[PlasticityTask], recording: Recording) -> dict[str, dict[Any, Any]]:
    """Return the global variables that were read, by name and hemisphere."""
    found: dict[str, dict[Any, Any]] = {}
    for task in tasks:
        for name in task.read_symbols:
            found[name] = {}
            for h, words in enumerate(recording.observables[task.name][f"symbol:{name}"][0]):
                block = PPUMemoryBlock(len(words))
                block.words = [block.element(int(word) & 0xFFFFFFFF) for word in words]
                found[name][halco.HemisphereOnDLS(h)] = block
    return found


class FPGATime(int):
    """A time in cycles of the FPGA, 8 ns."""

    def value(self) -> int:
        """Return the number of cycles."""
        return int(self)

    def toint(self) -> int:
        """Return the number of cycles."""
        return int(self)


class Sample:
    """What a rule recorded in one execution.

    Attributes
    ----------
    time : FPGATime
        As the kernel has noted it.
    data : list
        Of an array its values; of a projection one list per connection with the values of its synapses; of a population one dict per neuron with the
        values of each compartment.
    """

    def __init__(self, time: FPGATime, data: list[Any]) -> None:
        self.time, self.data = time, data

    def __repr__(self) -> str:
        return f"Sample(time={int(self.time)}, data of {len(self.data)} elements)"


@dataclass(frozen=True, eq=False)
class Recorded:
    """What a rule recorded in one snippet, by execution instance."""

    scheduled: Scheduled
    layout: Layout
    parts: Mapping[int, Arrays]  # of this snippet, period axis first

    def array(self, name: str) -> list[Sample]:
        """Return the samples of a plain array; of a rule in several execution instances those of one follow those of the other."""
        return [sample for arrays in self.parts.values() for sample in _samples(arrays, arrays[name].tolist())]

    def projection(self, number: int, name: str) -> list[Sample]:
        """Return the samples of a projection."""
        connection, where, hemisphere, row, column = self.layout.synapse_places(number)
        first = next(iter(self.parts.values()))
        values = np.zeros((len(first["time"]), len(connection)), np.int64)
        for instance, arrays in self.parts.items():
            for v, (owner, view) in enumerate(_views(self.scheduled, self.layout, instance).synapses):
                if owner == number:
                    mine = (where == instance) & (hemisphere == view.hemisphere)
                    place = column[mine] if self._whole(name) else np.searchsorted(view.columns, column[mine])
                    values[:, mine] = arrays[f"{name}.{v}"][:, np.searchsorted(view.rows, row[mine]), place]
        order = np.argsort(connection, kind="stable")  # pieces of a spread projection come one by one
        bounds = np.searchsorted(connection[order], np.arange(len(self.layout.network.projections[number]) + 1)).tolist()
        lines = (line.tolist() for line in values[:, order])
        return _samples(first, ([line[a:b] for a, b in pairwise(bounds)] for line in lines))

    def population(self, number: int, name: str) -> list[Sample]:
        """Return the samples of a population."""
        population = self.layout.network.populations[number]
        assert isinstance(population, NeuronPopulation)
        first = next(iter(self.parts.values()))
        values = {instance: np.zeros((len(first["time"]), AXES["circuit"]), np.int64) for instance in self.parts}
        for instance, arrays in self.parts.items():
            for v, (owner, view) in enumerate(_views(self.scheduled, self.layout, instance).neurons):
                if owner == number:
                    columns = np.array(view.columns)
                    part = arrays[f"{name}.{v}"]
                    values[instance][:, view.hemisphere * COLUMNS + columns] = part[:, columns] if self._whole(name) else part
        compartments = [(halco.CompartmentOnLogicalNeuron(c), list(one.circuits)) for c, one in enumerate(population.morphology.compartments)]
        places = list(zip(self.layout.instance_of[number].tolist(), self.layout.members[number], strict=True))
        data = ([{c: values[i][k, circuits[own]].tolist() for c, own in compartments} for i, circuits in places] for k in range(len(first["time"])))
        return _samples(first, data)

    def _whole(self, name: str) -> bool:
        return bool(self.scheduled.observables[name].to_program().layout == "complete_rows")


def _samples(arrays: Arrays, data: Iterable[list[Any]]) -> list[Sample]:
    times = (arrays["time"] // PPU_CYCLES_PER_FPGA_CYCLE).tolist()
    return [Sample(FPGATime(time), one) for time, one in zip(times, data, strict=True)]


def recorded_of(
    tasks: Mapping[int, Sequence[PlasticityTask]], snippets: Sequence[tuple[Layout, Sequence[Scheduled]]], recordings: Mapping[int, Recording]
) -> list[tuple[Scheduled, Recorded]]:
    """Return what all rules recorded, snippet by snippet; each rule's executions follow those of the snippets before."""
    executed = {instance: {task.name for task in mine} for instance, mine in tasks.items()}
    first: dict[tuple[int, int], int] = {}
    found = []
    for k, (layout, scheduled) in enumerate(snippets):
        for n, one in enumerate(scheduled):
            name, parts = _name(one, n, k), {}
            for instance in layout.instances:
                if name in executed[instance]:
                    begin = first.get((instance, one.rule.same_id), 0)
                    first[instance, one.rule.same_id] = end = begin + one.count
                    arrays = recordings[instance].observables[name]
                    parts[instance] = {what: array[0, begin:end] for what, array in arrays.items() if not what.startswith("symbol:")}
            found.append((one, Recorded(one, layout, parts)))
    return found
