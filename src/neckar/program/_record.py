"""What to record: spikes, MADC, CADC, and the open probes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neckar.errors import ProgramError, UnknownNameError, nearest
from neckar.program._plain import Plain, check_distinct, check_range, int_tuple, integer, integers, string, summary, tuple_of

Source = Literal["membrane", "exc_synin", "inh_synin", "adaptation"]
SOURCES: tuple[str, ...] = get_args(Source)
"""Voltages of a circuit that its readout amplifier can pass on."""

MadcSource = Literal["membrane", "exc_synin", "inh_synin", "adaptation", "external"]
MADC_SOURCES: tuple[str, ...] = get_args(MadcSource)
"""What the fast converter can see: those voltages, and the one that the board applies to the chip's debug pad."""

Memory = Literal["sram", "dram"]
MEMORIES: tuple[str, ...] = get_args(Memory)
"""Memories at the FPGA in which samples of the CADC are kept during a run."""

Signal = Literal[
    "v", "w", "s_exc", "s_inh", "i_leak", "i_reset", "i_exp", "i_adapt", "i_exc", "i_inh", "i_offset", "i_icc", "e_leak", "v_threshold", "refractory"
]  # fmt: skip
PROBE_SIGNALS: tuple[str, ...] = get_args(Signal)
"""Signals that the open probe can read."""

DriverSignal = Literal["u", "pulse"]
DRIVER_SIGNALS: tuple[str, ...] = get_args(DriverSignal)
"""Signals that the open probe of synapse drivers can read."""

SensorSignal = Literal["causal", "acausal", "v_causal", "v_acausal"]
SENSOR_SIGNALS: tuple[str, ...] = get_args(SensorSignal)
"""Signals that the open probe of correlation sensors can read."""


def check_name(name: object, known: Iterable[str], where: str, what: str) -> str:
    """Return `name` if it is one of `known`; otherwise raise `UnknownNameError`, nearest names first."""
    known = tuple(known)
    if name not in known:
        raise UnknownNameError(f"{where} is {name!r}; a {what} is one of {', '.join(map(str, known))}{nearest(str(name), known)} Choose one of these.")
    return string(name, where)


@dataclass(frozen=True, repr=False)
class MadcChannel(Plain):
    """One voltage on the fast converter (MADC).

    Parameters
    ----------
    circuit : int
        Atomic neuron circuit. The source ``"external"`` belongs to none and has circuit 0.
    source : str, default "membrane"
        One of `MADC_SOURCES`.

    Raises
    ------
    UnknownNameError
        If the source does not exist.
    ProgramError
        If the external source has another circuit than 0.
    """

    circuit: int
    source: MadcSource = "membrane"

    def __post_init__(self) -> None:
        check_name(self.source, MADC_SOURCES, "MadcChannel.source", "source")
        self._set(circuit=integer(self.circuit, "MadcChannel.circuit", low=0))
        if self.is_external and self.circuit != 0:
            raise ProgramError(f"MadcChannel has circuit {self.circuit} and the external source; allowed is circuit 0, as it belongs to none. Give circuit 0.")

    @property
    def is_external(self) -> bool:
        """Whether it is the voltage that the board applies."""
        return self.source == "external"


@dataclass(frozen=True, repr=False)
class MadcBursts(Plain):
    """One voltage of many circuits on the fast converter (MADC), one circuit after the other.

    Each entry is repeated once for every circuit, from the same start, while the converter sees that circuit alone. A repetition is what the entry of the same
    program with a `MadcChannel` of the circuit would be, bit for bit, noise included.

    Parameters
    ----------
    circuits : sequence of int
        Atomic neuron circuits, at least one, in the order of their bursts.
    source : str, default "membrane"
        One of `SOURCES`.
    wait : int, default 0
        Ticks between two bursts, in which the circuits come to rest. They count as time of the chip; nothing is simulated in them.

    Raises
    ------
    UnknownNameError
        If the source does not exist.
    ProgramError
        If there is no circuit, or one is named twice.
    ParameterRangeError
        If the wait is negative.
    """

    circuits: tuple[int, ...]
    source: Source = "membrane"
    wait: int = 0

    def __post_init__(self) -> None:
        check_name(self.source, SOURCES, "MadcBursts.source", "source")
        self._set(circuits=int_tuple(self.circuits, "MadcBursts.circuits"), wait=integer(self.wait, "MadcBursts.wait", low=0, unit="ticks"))
        if not self.circuits:
            raise ProgramError("MadcBursts.circuits is empty; allowed is at least one circuit. Name the circuits to sample.")


@dataclass(frozen=True, eq=False, repr=False)
class CadcRecord(Plain):
    """Samples of many circuits with the parallel converter (CADC), periodic or at given ticks.

    Parameters
    ----------
    circuits : sequence of int
        Atomic neuron circuits.
    source : str, default "membrane"
        One of `SOURCES`.
    period : int, optional
        Ticks between samples, at least 1. Exactly one of `period` and `ticks` is given.
    ticks : array_like of int64, shape (sample,), optional
        Ticks of the samples in the entry, at least 0, rising.
    memory : str, default "sram"
        One of `MEMORIES`: the small fast or the large slow one. On silicon it decides how often a row can be read and how many rows are kept.

    Raises
    ------
    ProgramError
        If both or none of `period` and `ticks` are given, or the ticks do not rise.
    ParameterRangeError
        If the period is below 1 or a tick negative.
    UnknownNameError
        If the source or the memory does not exist.
    """

    circuits: tuple[int, ...]
    source: Source = "membrane"
    period: int | None = None
    ticks: NDArray[np.int64] | None = None
    memory: Memory = "sram"

    def __post_init__(self) -> None:
        check_name(self.source, SOURCES, "CadcRecord.source", "source")
        check_name(self.memory, MEMORIES, "CadcRecord.memory", "memory")
        self._set(circuits=int_tuple(self.circuits, "CadcRecord.circuits"))
        if (self.period is None) == (self.ticks is None):
            raise ProgramError("CadcRecord has both or none of period and ticks; allowed is exactly one. Give period=... or ticks=[...].")
        if self.period is not None:
            self._set(period=integer(self.period, "CadcRecord.period", low=1, unit="ticks"))
        if self.ticks is not None:
            ticks = integers(self.ticks, np.int64, "CadcRecord.ticks")
            check_range(ticks, 0, 2**63 - 1, "CadcRecord.ticks", "Tick 0 is the start of the entry.")
            if ticks.ndim != 1 or (ticks[1:] <= ticks[:-1]).any():
                raise ProgramError("CadcRecord.ticks does not rise; allowed is a flat array of rising ticks. Sort it and remove repetitions with numpy.unique.")
            self._set(ticks=ticks)


class _OpenProbe(Plain):
    """What the open probes have in common; a subclass says where they look."""

    signals: tuple[Any, ...]
    interval: int

    def _check(self, known: tuple[str, ...], *axes: str) -> None:
        """Check and freeze all fields; `axes` are those along which the places lie."""
        name = type(self).__name__
        self._set(signals=_signals(self.signals, known, f"{name}.signals"))
        self._set_places(*axes)
        self._set(interval=integer(self.interval, f"{name}.interval", low=1, unit="ticks"))


@dataclass(frozen=True, repr=False)
class Probe(_OpenProbe):
    """The open instrument: signals of circuits in SI units, without a converter's noise and quantisation; the membrane's own noise is in them.

    Parameters
    ----------
    signals : sequence of str
        From `PROBE_SIGNALS`, at least one.
    circuits : sequence of int
        Atomic neuron circuits.
    interval : int
        Ticks between samples, at least 1. Samples lie at ticks 0, interval, 2 interval, ...

    Raises
    ------
    ProgramError
        If there is no signal, or a signal or a place is named twice.
    UnknownNameError
        If a signal does not exist.
    ParameterRangeError
        If the interval is below 1.
    """

    signals: tuple[Signal, ...]
    circuits: tuple[int, ...]
    interval: int

    def __post_init__(self) -> None:
        self._check(PROBE_SIGNALS, "circuits")


@dataclass(frozen=True, repr=False)
class DriverProbe(_OpenProbe):
    """The open instrument at synapse drivers: what short-term plasticity holds, without noise or quantisation.

    Parameters
    ----------
    signals : sequence of str
        From `DRIVER_SIGNALS`, at least one: the voltage ``"u"``, V, and ``"pulse"``, the length of the pulse that a ramp compared with this voltage gives,
        relative to the pulse of a driver without plasticity.
    hemisphere : int
    drivers : sequence of int
        Of that hemisphere.
    interval : int
        Ticks between samples, at least 1. Samples lie at ticks 0, interval, 2 interval, ... Writes at that tick show, events that come at it do not yet.

    Raises
    ------
    ProgramError
        If there is no signal, or a signal or a place is named twice.
    UnknownNameError
        If a signal does not exist.
    ParameterRangeError
        If the interval is below 1 or the hemisphere negative.
    """

    signals: tuple[DriverSignal, ...]
    hemisphere: int
    drivers: tuple[int, ...]
    interval: int

    def __post_init__(self) -> None:
        self._check(DRIVER_SIGNALS, "drivers")


@dataclass(frozen=True, repr=False)
class SensorProbe(_OpenProbe):
    """The open instrument at correlation sensors: a rectangle of synapses, without the converter's noise, offsets and quantisation.

    Parameters
    ----------
    signals : sequence of str
        From `SENSOR_SIGNALS`, at least one: the charges ``"causal"`` and ``"acausal"``, in LSB of the CADC, and ``"v_causal"`` and ``"v_acausal"``, the
        voltages in front of its channels, V.
    hemisphere : int
    rows, columns : sequence of int
        Physical rows and columns; every synapse where they cross is read.
    interval : int
        Ticks between samples, at least 1. Samples lie at ticks 0, interval, 2 interval, ... Writes and resets at that tick show, pulses at it do not yet.

    Raises
    ------
    ProgramError
        If there is no signal, or a signal or a place is named twice.
    UnknownNameError
        If a signal does not exist.
    ParameterRangeError
        If the interval is below 1 or the hemisphere negative.
    """

    signals: tuple[SensorSignal, ...]
    hemisphere: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    interval: int

    def __post_init__(self) -> None:
        self._check(SENSOR_SIGNALS, "rows", "columns")


def _signals(names: str | Iterable[str], known: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Return the signals of a probe as a tuple of known, distinct names, at least one."""
    allowed = f"allowed is at least one of {', '.join(known)}"
    try:
        signals = (names,) if isinstance(names, str) else tuple(names)
    except TypeError:
        raise ProgramError(f"{where} is {summary(names)}; {allowed}. Write for instance ({known[0]!r},).") from None
    if not signals:
        raise ProgramError(f"{where} is empty; {allowed}. Name the signals to sample.")
    signals = tuple(check_name(name, known, f"{where}[{i}]", "signal") for i, name in enumerate(signals))
    check_distinct(signals, where)
    return signals


@dataclass(frozen=True, eq=False, repr=False)
class Record(Plain):
    """What to record. Recording never changes a spike.

    Parameters
    ----------
    spikes : sequence of int, or "all", default "all"
        Circuits whose output spikes reach the host; ``()`` records none.
    madc : sequence of MadcChannel
        On silicon at most two, one on an even and one on an odd column.
    cadc : sequence of CadcRecord
    probe : sequence of Probe
    driver_probe : sequence of DriverProbe
    sensor_probe : sequence of SensorProbe
    bursts : sequence of MadcBursts
        They need the chip for themselves: a program with bursts records nothing else.

    Raises
    ------
    ProgramError
        If a circuit, a MADC channel, a CADC record or bursts are named twice, or an element has the wrong type.
    """

    spikes: tuple[int, ...] | Literal["all"] = "all"
    madc: tuple[MadcChannel, ...] = ()
    cadc: tuple[CadcRecord, ...] = ()
    probe: tuple[Probe, ...] = ()
    bursts: tuple[MadcBursts, ...] = ()
    driver_probe: tuple[DriverProbe, ...] = ()
    sensor_probe: tuple[SensorProbe, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.spikes, str):
            check_name(self.spikes, ("all",), "Record.spikes", "choice besides a sequence of circuits")
        else:
            self._set(spikes=int_tuple(self.spikes, "Record.spikes"))
        self._set(
            madc=tuple_of(MadcChannel, self.madc, "Record.madc"),
            cadc=tuple_of(CadcRecord, self.cadc, "Record.cadc"),
            probe=tuple_of(Probe, self.probe, "Record.probe"),
            bursts=tuple_of(MadcBursts, self.bursts, "Record.bursts"),
            driver_probe=tuple_of(DriverProbe, self.driver_probe, "Record.driver_probe"),
            sensor_probe=tuple_of(SensorProbe, self.sensor_probe, "Record.sensor_probe"),
        )
        check_distinct(self.madc, "Record.madc")
        check_distinct(self.bursts, "Record.bursts")
        for i, cadc in enumerate(self.cadc):
            if cadc in self.cadc[:i]:
                raise ProgramError(f"Record.cadc[{i}] repeats [{self.cadc.index(cadc)}]; allowed is each record once. Remove one of them.")
