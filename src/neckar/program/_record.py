"""What to record: spikes, MADC, CADC, and the open probe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neckar.errors import ProgramError, UnknownNameError, nearest
from neckar.program._plain import Plain, check_distinct, check_range, int_tuple, integer, integers, string, tuple_of

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


@dataclass(frozen=True, repr=False)
class Probe(Plain):
    """The open instrument: signals of circuits in SI units, without noise or quantisation.

    Parameters
    ----------
    signals : sequence of str
        From `PROBE_SIGNALS`.
    circuits : sequence of int
        Atomic neuron circuits.
    interval : int
        Ticks between samples, at least 1. Samples lie at ticks 0, interval, 2 interval, ...

    Raises
    ------
    UnknownNameError
        If a signal does not exist.
    ParameterRangeError
        If the interval is below 1.
    """

    signals: tuple[Signal, ...]
    circuits: tuple[int, ...]
    interval: int

    def __post_init__(self) -> None:
        signals = (self.signals,) if isinstance(self.signals, str) else tuple(self.signals)
        self._set(
            signals=tuple(check_name(name, PROBE_SIGNALS, f"Probe.signals[{i}]", "signal") for i, name in enumerate(signals)),
            circuits=int_tuple(self.circuits, "Probe.circuits"),
            interval=integer(self.interval, "Probe.interval", low=1, unit="ticks"),
        )
        check_distinct(self.signals, "Probe.signals")


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
        )
        check_distinct(self.madc, "Record.madc")
        check_distinct(self.bursts, "Record.bursts")
        for i, cadc in enumerate(self.cadc):
            if cadc in self.cadc[:i]:
                raise ProgramError(f"Record.cadc[{i}] repeats [{self.cadc.index(cadc)}]; allowed is each record once. Remove one of them.")
