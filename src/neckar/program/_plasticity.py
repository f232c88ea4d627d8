"""What the plasticity processors do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neckar.program._plain import FrozenDict, Plain, integer, integers, mapping_of, string, tuple_of
from neckar.program._record import check_name

Language = Literal["cpp", "python"]
Mode = Literal["timed", "instant"]
ObservableType = Literal["int8", "uint8", "int16", "uint16"]
Layout = Literal["complete_rows", "packed_active_columns"]


@dataclass(frozen=True, repr=False)
class PlasticityView(Plain):
    """A rectangle of synapses that a kernel sees.

    Parameters
    ----------
    hemisphere : int
        Hemisphere, whose processor runs the kernel.
    rows, columns : sequence of int
        Physical rows and columns.
    """

    hemisphere: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    def __post_init__(self) -> None:
        self._set_places("rows", "columns")


@dataclass(frozen=True, repr=False)
class NeuronView(Plain):
    """Neuron circuits of one hemisphere that a kernel sees.

    Parameters
    ----------
    hemisphere : int
    columns : sequence of int
        Physical columns.
    """

    hemisphere: int
    columns: tuple[int, ...]

    def __post_init__(self) -> None:
        self._set_places("columns")


@dataclass(frozen=True, repr=False)
class Observable(Plain):
    """Something a kernel records at each invocation.

    Parameters
    ----------
    type : {"int8", "uint8", "int16", "uint16"}
        Type of one element.
    shape : {"synapse", "neuron"} or int
        One element per synapse of each view, per neuron, or a plain array of this size.
    layout : {"complete_rows", "packed_active_columns"}
        Whether whole rows of the array or the viewed columns only are stored.
    """

    type: ObservableType
    shape: Literal["synapse", "neuron"] | int
    layout: Layout = "complete_rows"

    def __post_init__(self) -> None:
        check_name(self.type, get_args(ObservableType), "Observable.type", "type")
        check_name(self.layout, get_args(Layout), "Observable.layout", "layout")
        if isinstance(self.shape, str):
            check_name(self.shape, ("synapse", "neuron"), "Observable.shape", "shape besides a size")
        else:
            self._set(shape=integer(self.shape, "Observable.shape", low=1))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PlasticityTask(Plain):
    """One kernel with its timer and the part of the chip that it sees.

    Parameters
    ----------
    name : str
    kernel : str
        C++, or the text of a rule in Python (``neckar.ppu.Rule.text``).
    language : {"cpp", "python"}
    views : sequence of PlasticityView
    neurons : sequence of NeuronView
    start, period : int
        First invocation and distance of invocations, in ticks of the entry.
    count : int
        Number of invocations, at least 1.
    observables : mapping of str to Observable
    symbols : mapping of str to array_like of int32
        Values of global variables, written before the run: shape (word,), or (hemisphere, word) for different ones.
    read_symbols : sequence of str
        Global variables that are read after the run.
    mode : {"timed", "instant"}
        Whether the kernel takes the processor's time.
    same_id : int
        Tasks with equal id share kernel and state.

    Raises
    ------
    ProgramError, ParameterRangeError, UnknownNameError
        As for every field of a Program.
    """

    name: str
    kernel: str
    language: Language = "cpp"
    views: tuple[PlasticityView, ...] = ()
    neurons: tuple[NeuronView, ...] = ()
    start: int = 0
    period: int = 1
    count: int = 1
    observables: Mapping[str, Observable] = field(default_factory=FrozenDict)
    symbols: Mapping[str, NDArray[np.int32]] = field(default_factory=FrozenDict)
    read_symbols: tuple[str, ...] = ()
    mode: Mode = "timed"
    same_id: int = 0

    def __post_init__(self) -> None:
        string(self.name, "PlasticityTask.name")
        where = f"PlasticityTask {self.name!r}: "
        check_name(self.language, get_args(Language), where + "language", "language")
        check_name(self.mode, get_args(Mode), where + "mode", "mode")
        self._set(
            kernel=string(self.kernel, where + "kernel"),
            views=tuple_of(PlasticityView, self.views, where + "views"),
            neurons=tuple_of(NeuronView, self.neurons, where + "neurons"),
            start=integer(self.start, where + "start", low=0, unit="ticks"),
            period=integer(self.period, where + "period", low=1, unit="ticks"),
            count=integer(self.count, where + "count", low=1),
            observables=mapping_of(self.observables, where + "observables", lambda value, at: tuple_of(Observable, (value,), at)[0]),
            symbols=mapping_of(self.symbols, where + "symbols", lambda value, at: integers(value, np.int32, at)),
            read_symbols=tuple(string(name, f"{where}read_symbols[{i}]") for i, name in enumerate(self.read_symbols)),
            same_id=integer(self.same_id, where + "same_id"),
        )

    @property
    def hemispheres(self) -> frozenset[int]:
        """Hemispheres of the views."""
        return frozenset({view.hemisphere for view in self.views} | {view.hemisphere for view in self.neurons})
