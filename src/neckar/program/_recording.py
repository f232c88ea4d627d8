"""The Recording: everything that comes back from a machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neckar.errors import ProgramError
from neckar.program._cost import Cost
from neckar.program._events import Events, Spikes, check_csr, entry_slice
from neckar.program._losses import Losses
from neckar.program._plain import FrozenDict, Plain, frozen, int_tuple, integer, integers, mapping_of, string, tuple_of
from neckar.program._provenance import Provenance
from neckar.program._record import (
    DRIVER_SIGNALS,
    MADC_SOURCES,
    PROBE_SIGNALS,
    SENSOR_SIGNALS,
    SOURCES,
    DriverSignal,
    MadcSource,
    SensorSignal,
    Signal,
    Source,
    check_name,
)
from neckar.program._schema import SCHEMA_VERSION
from neckar.program._validate import MACHINES


@dataclass(frozen=True, eq=False, repr=False)
class Samples(Plain):
    """Samples of one MADC channel.

    Parameters
    ----------
    source : str
        One of `MADC_SOURCES`.
    circuit : int
        0 for the external source.
    entry_ptr : ndarray of int64, shape (E + 1,)
    tick : ndarray of int64, shape (sample,)
        Time stamps on the 8 ns grid of the recorder, sorted inside each entry.
    value : ndarray of uint16, shape (sample,)
        Codes, 0 to 1023.

    Raises
    ------
    ProgramError
        If the columns disagree or are not sorted.
    """

    source: MadcSource
    circuit: int
    entry_ptr: NDArray[np.int64]
    tick: NDArray[np.int64]
    value: NDArray[np.uint16]

    def __post_init__(self) -> None:
        check_name(self.source, MADC_SOURCES, "Samples.source", "source")
        self._set(
            circuit=integer(self.circuit, "Samples.circuit", low=0),
            entry_ptr=integers(self.entry_ptr, np.int64, "Samples.entry_ptr"),
            tick=integers(self.tick, np.int64, "Samples.tick"),
            value=integers(self.value, np.uint16, "Samples.value"),
        )
        check_csr("Samples", self.entry_ptr, self.tick)
        _check_shape("Samples.value", self.value, (len(self.tick),))

    @property
    def n_entries(self) -> int:
        """Number of entries E."""
        return len(self.entry_ptr) - 1

    def entry(self, e: int) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
        """Return the ticks and values of entry `e` (views)."""
        part = entry_slice(self.entry_ptr, e)
        return self.tick[part], self.value[part]


@dataclass(frozen=True, eq=False, repr=False)
class _RowSamples(Plain):
    """Samples of many circuits at equal ticks; a subclass says with which converter."""

    source: Source
    circuits: tuple[int, ...]
    entry_ptr: NDArray[np.int64]
    tick: NDArray[np.int64]
    value: NDArray[Any]

    _codes: ClassVar[type[np.unsignedinteger[Any]]]

    def __post_init__(self) -> None:
        name = type(self).__name__
        check_name(self.source, SOURCES, f"{name}.source", "source")
        self._set(
            circuits=int_tuple(self.circuits, f"{name}.circuits"),
            entry_ptr=integers(self.entry_ptr, np.int64, f"{name}.entry_ptr"),
            tick=integers(self.tick, np.int64, f"{name}.tick"),
            value=integers(self.value, self._codes, f"{name}.value"),
        )
        check_csr(name, self.entry_ptr, self.tick)
        _check_shape(f"{name}.value", self.value, (len(self.tick), len(self.circuits)))

    @property
    def n_entries(self) -> int:
        """Number of entries E."""
        return len(self.entry_ptr) - 1

    def entry(self, e: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return the ticks, shape (sample,), and values, shape (sample, circuit), of entry `e` (views)."""
        part = entry_slice(self.entry_ptr, e)
        return self.tick[part], self.value[part]


@dataclass(frozen=True, eq=False, repr=False)
class BurstSamples(_RowSamples):
    """Samples of many circuits with the MADC, one burst after the other.

    Parameters
    ----------
    source : str
        One of `SOURCES`.
    circuits : sequence of int
    entry_ptr : ndarray of int64, shape (E + 1,)
    tick : ndarray of int64, shape (sample,)
        Time stamps on the 8 ns grid of the recorder since the start of each circuit's repetition of the entry, sorted inside each entry.
    value : ndarray of uint16, shape (sample, circuit)
        Codes, 0 to 1023.

    Raises
    ------
    ProgramError
        If the columns disagree or are not sorted.
    """

    _codes = np.uint16


@dataclass(frozen=True, eq=False, repr=False)
class CadcSamples(_RowSamples):
    """Samples of many circuits with the CADC.

    Parameters
    ----------
    source : str
        One of `SOURCES`.
    circuits : sequence of int
    entry_ptr : ndarray of int64, shape (E + 1,)
    tick : ndarray of int64, shape (sample,)
        Sorted inside each entry.
    value : ndarray of uint8, shape (sample, circuit)
        Codes, 0 to 255.

    Raises
    ------
    ProgramError
        If the columns disagree or are not sorted.
    """

    _codes = np.uint8


class _OpenSamples(Plain):
    """What an open probe saw; a subclass says of what."""

    signals: tuple[Any, ...]
    units: tuple[str, ...]
    tick: NDArray[np.int64]
    value: NDArray[np.float32]

    def _check(self, known: tuple[str, ...], *axes: str) -> None:
        """Check and freeze all fields; `axes` are those of the values behind that of the samples."""
        name = type(self).__name__
        self._set_places(*axes)
        self._set(
            signals=tuple(check_name(signal, known, f"{name}.signals[{i}]", "signal") for i, signal in enumerate(self.signals)),
            units=tuple(string(unit, f"{name}.units[{i}]") for i, unit in enumerate(self.units)),
            tick=integers(self.tick, np.int64, f"{name}.tick"),
            value=frozen(self.value, f"{name}.value"),
        )
        if len(self.units) != len(self.signals):
            raise ProgramError(f"{name} has {len(self.signals)} signals and {len(self.units)} units; allowed is one unit per signal. Name each unit.")
        if self.value.dtype != np.float32:
            raise ProgramError(f"{name}.value has dtype {self.value.dtype}; allowed is float32. Convert it with .astype('float32').")
        _check_shape(f"{name}.tick", self.tick, (self.tick.size,))
        _check_shape(f"{name}.value", self.value, (*self.value.shape[:1], len(self.signals), len(self.tick), *(len(getattr(self, axis)) for axis in axes)))

    @property
    def n_entries(self) -> int:
        """Number of entries E."""
        return int(self.value.shape[0])


@dataclass(frozen=True, eq=False, repr=False)
class ProbeSamples(_OpenSamples):
    """What an open probe saw, in SI units.

    Parameters
    ----------
    signals, units : sequence of str
        Signal names and the unit of each.
    circuits : sequence of int
    tick : ndarray of int64, shape (sample,)
        The same in every entry.
    value : ndarray of float32, shape (entry, signal, sample, circuit)

    Raises
    ------
    ProgramError
        If shapes or dtype disagree.
    """

    signals: tuple[Signal, ...]
    units: tuple[str, ...]
    circuits: tuple[int, ...]
    tick: NDArray[np.int64]
    value: NDArray[np.float32]

    def __post_init__(self) -> None:
        self._check(PROBE_SIGNALS, "circuits")


@dataclass(frozen=True, eq=False, repr=False)
class DriverProbeSamples(_OpenSamples):
    """What an open probe of synapse drivers saw.

    Parameters
    ----------
    signals, units : sequence of str
        Signal names and the unit of each.
    hemisphere : int
    drivers : sequence of int
    tick : ndarray of int64, shape (sample,)
        The same in every entry.
    value : ndarray of float32, shape (entry, signal, sample, driver)

    Raises
    ------
    ProgramError
        If shapes or dtype disagree.
    """

    signals: tuple[DriverSignal, ...]
    units: tuple[str, ...]
    hemisphere: int
    drivers: tuple[int, ...]
    tick: NDArray[np.int64]
    value: NDArray[np.float32]

    def __post_init__(self) -> None:
        self._check(DRIVER_SIGNALS, "drivers")


@dataclass(frozen=True, eq=False, repr=False)
class SensorProbeSamples(_OpenSamples):
    """What an open probe of correlation sensors saw.

    Parameters
    ----------
    signals, units : sequence of str
        Signal names and the unit of each.
    hemisphere : int
    rows, columns : sequence of int
    tick : ndarray of int64, shape (sample,)
        The same in every entry.
    value : ndarray of float32, shape (entry, signal, sample, row, column)

    Raises
    ------
    ProgramError
        If shapes or dtype disagree.
    """

    signals: tuple[SensorSignal, ...]
    units: tuple[str, ...]
    hemisphere: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    tick: NDArray[np.int64]
    value: NDArray[np.float32]

    def __post_init__(self) -> None:
        self._check(SENSOR_SIGNALS, "rows", "columns")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Recording(Plain):
    """What a machine measured and counted while it executed a Program.

    Parameters
    ----------
    machine : str
    schema_version : int
    duration : int
        Ticks of one entry.
    spikes : Spikes
    madc : sequence of Samples
    cadc : sequence of CadcSamples
    probe : sequence of ProbeSamples
    driver_probe : sequence of DriverProbeSamples
    sensor_probe : sequence of SensorProbeSamples
    bursts : sequence of BurstSamples
    loopback : Events, optional
        Events from outside and from background generators that the crossbar passes to the host. Bits 0-13 of the label are those that the crossbar sees, bits
        14-15 its output to the host. Without entries if there is none.
    reads : mapping of str to ndarray, shape (entry,) + indexed shape
    observables : mapping of task to mapping of name to ndarray
    losses : Losses
    cost : Cost
    chip_ticks : int
        Hardware ticks of all entries, with lead-in.
    provenance : Provenance
    wall : mapping of str to float
        Wall-clock seconds of this execution. Not part of equality.

    Raises
    ------
    ProgramError
        If the parts disagree about the number of entries or have the wrong type.
    """

    machine: str
    schema_version: int = SCHEMA_VERSION
    duration: int
    spikes: Spikes
    madc: tuple[Samples, ...] = ()
    cadc: tuple[CadcSamples, ...] = ()
    probe: tuple[ProbeSamples, ...] = ()
    bursts: tuple[BurstSamples, ...] = ()
    driver_probe: tuple[DriverProbeSamples, ...] = ()
    sensor_probe: tuple[SensorProbeSamples, ...] = ()
    loopback: Events = field(default_factory=lambda: Events.empty(0))
    reads: Mapping[str, NDArray[Any]] = field(default_factory=FrozenDict)
    observables: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=FrozenDict)
    losses: Losses
    cost: Cost
    chip_ticks: int
    provenance: Provenance
    wall: Mapping[str, float] = field(default_factory=FrozenDict, compare=False)

    def __post_init__(self) -> None:
        check_name(self.machine, MACHINES, "Recording.machine", "machine")
        for cls, name in ((Spikes, "spikes"), (Events, "loopback"), (Losses, "losses"), (Cost, "cost"), (Provenance, "provenance")):
            tuple_of(cls, (getattr(self, name),), f"Recording.{name}")
        self._set(
            schema_version=integer(self.schema_version, "Recording.schema_version", low=1),
            duration=integer(self.duration, "Recording.duration", low=1, unit="ticks"),
            madc=tuple_of(Samples, self.madc, "Recording.madc"),
            cadc=tuple_of(CadcSamples, self.cadc, "Recording.cadc"),
            probe=tuple_of(ProbeSamples, self.probe, "Recording.probe"),
            bursts=tuple_of(BurstSamples, self.bursts, "Recording.bursts"),
            driver_probe=tuple_of(DriverProbeSamples, self.driver_probe, "Recording.driver_probe"),
            sensor_probe=tuple_of(SensorProbeSamples, self.sensor_probe, "Recording.sensor_probe"),
            reads=mapping_of(self.reads, "Recording.reads", frozen),
            observables=mapping_of(self.observables, "Recording.observables", lambda arrays, where: mapping_of(arrays, where, frozen)),
            chip_ticks=integer(self.chip_ticks, "Recording.chip_ticks", low=0, unit="ticks"),
            wall=mapping_of(self.wall, "Recording.wall", lambda seconds, _: float(seconds)),
        )
        self._check_entries()

    @property
    def n_entries(self) -> int:
        """Number of entries E."""
        return self.spikes.n_entries

    def _check_entries(self) -> None:
        """Check that every part has the spikes' number of entries."""
        kinds = ("madc", "cadc", "probe", "driver_probe", "sensor_probe", "bursts")
        found = {f"{kind}[{i}]": part.n_entries for kind in kinds for i, part in enumerate(getattr(self, kind))}
        if len(self.loopback):
            found["loopback"] = self.loopback.n_entries
        found |= {f"reads[{name!r}]": array.shape[0] if array.ndim else 0 for name, array in self.reads.items()}
        for where, n_entries in found.items():
            if n_entries != self.n_entries:
                raise ProgramError(f"Recording.{where} has {n_entries} entries; allowed is {self.n_entries}, as for the spikes. Give all the same.")


def _check_shape(where: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Check the shape of an array against the other parts of its type."""
    if array.shape != shape:
        raise ProgramError(f"{where} has shape {array.shape}; allowed is {shape}, which follows from the other fields. Reshape it.")
