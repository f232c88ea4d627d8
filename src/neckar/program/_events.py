"""Events and spikes: ragged data over the entry axis, stored flat (CSR).

Entry e owns the elements ``[entry_ptr[e], entry_ptr[e + 1])``. Inside an entry elements are sorted by tick, equal ticks by the second column, so that
two equal sets of events are equal arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from neckar.errors import ProgramError
from neckar.program._plain import Plain, check_range, frozen, integers


@dataclass(frozen=True, eq=False, repr=False)
class Events(Plain):
    """Input events of E trials, each released by the FPGA at its tick.

    Parameters
    ----------
    entry_ptr : array_like of int64, shape (E + 1,)
        Start of each entry in the two columns; begins with 0.
    tick : array_like of int64, shape (event,)
        Ticks of 2 ns from the entry's tick 0, at least 0, sorted inside each entry.
    label : array_like of uint16, shape (event,)
        Event label. BrainScaleS-2: bits 0-5 synapse label, 6-10 row select, 0-13 seen by the crossbar, 14-15 SPL1 channel.

    Raises
    ------
    ProgramError
        If the columns disagree in length or are not sorted.
    ParameterRangeError
        If a tick is negative or a label needs more than 16 bits.
    """

    entry_ptr: NDArray[np.int64]
    tick: NDArray[np.int64]
    label: NDArray[np.uint16]

    def __post_init__(self) -> None:
        self._set(
            entry_ptr=integers(self.entry_ptr, np.int64, "Events.entry_ptr"),
            tick=integers(self.tick, np.int64, "Events.tick"),
            label=integers(self.label, np.uint16, "Events.label"),
        )
        check_csr("Events", self.entry_ptr, self.tick, self.label)
        check_range(self.tick, 0, 2**63 - 1, "Events.tick", "Shift the events: tick 0 is the start of the entry's real-time section.")

    @property
    def n_entries(self) -> int:
        """Number of entries E."""
        return len(self.entry_ptr) - 1

    def __len__(self) -> int:
        return len(self.tick)

    def entry(self, e: int) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
        """Return the ticks and labels of entry `e` (views)."""
        part = entry_slice(self.entry_ptr, e)
        return self.tick[part], self.label[part]

    @classmethod
    def empty(cls, n_entries: int) -> Events:
        """Return `n_entries` entries without any event."""
        return cls(np.zeros(n_entries + 1, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint16))

    @classmethod
    def from_lists(cls, lists: Iterable[Sequence[tuple[int, int]]]) -> Events:
        """Build events from one list of ``(tick, label)`` per entry, in any order."""
        return cls.from_columns(*columns_of_lists(lists))

    @classmethod
    def from_columns(cls, entry: ArrayLike, tick: ArrayLike, label: ArrayLike, n_entries: int) -> Events:
        """Build events from three columns of shape (event,), in any order; `entry` lies in 0 to `n_entries` - 1."""
        tick, label = integers(tick, np.int64, "Events.tick"), integers(label, np.uint16, "Events.label")
        return cls(*sorted_csr("Events", entry, tick, label, n_entries))


@dataclass(frozen=True, eq=False, repr=False)
class Spikes(Plain):
    """Output spikes of E trials as they arrive at the recording interface.

    Parameters
    ----------
    entry_ptr : array_like of int64, shape (E + 1,)
        Start of each entry in the two columns; begins with 0.
    tick : array_like of int64, shape (spike,)
        Ticks of 2 ns from the entry's tick 0, sorted inside each entry.
    circuit : array of int16 (BrainScaleS-2) or int32 (BrainScaleS-1), shape (spike,)
        Circuit that fired. The dtype is kept.

    Raises
    ------
    ProgramError
        If the columns disagree in length, are not sorted, or `circuit` has another dtype.
    ParameterRangeError
        If a circuit is negative.
    """

    entry_ptr: NDArray[np.int64]
    tick: NDArray[np.int64]
    circuit: NDArray[np.int16] | NDArray[np.int32]

    def __post_init__(self) -> None:
        self._set(
            entry_ptr=integers(self.entry_ptr, np.int64, "Spikes.entry_ptr"),
            tick=integers(self.tick, np.int64, "Spikes.tick"),
            circuit=frozen(self.circuit, "Spikes.circuit"),
        )
        if self.circuit.dtype not in (np.int16, np.int32):
            raise ProgramError(
                f"Spikes.circuit has dtype {self.circuit.dtype}; allowed are int16 (BrainScaleS-2) and int32 (BrainScaleS-1). Convert it with .astype()."
            )
        check_csr("Spikes", self.entry_ptr, self.tick, self.circuit)
        check_range(self.circuit, 0, 2**31 - 1, "Spikes.circuit", "Circuits are counted from 0.")

    @property
    def n_entries(self) -> int:
        """Number of entries E."""
        return len(self.entry_ptr) - 1

    def __len__(self) -> int:
        return len(self.tick)

    def entry(self, e: int) -> tuple[NDArray[np.int64], NDArray[np.int16] | NDArray[np.int32]]:
        """Return the ticks and circuits of entry `e` (views)."""
        part = entry_slice(self.entry_ptr, e)
        return self.tick[part], self.circuit[part]

    @classmethod
    def empty(cls, n_entries: int, dtype: DTypeLike = np.int16) -> Spikes:
        """Return `n_entries` entries without any spike."""
        return cls(np.zeros(n_entries + 1, np.int64), np.zeros(0, np.int64), np.zeros(0, dtype))

    @classmethod
    def from_lists(cls, lists: Iterable[Sequence[tuple[int, int]]], dtype: DTypeLike = np.int16) -> Spikes:
        """Build spikes from one list of ``(tick, circuit)`` per entry, in any order."""
        return cls.from_columns(*columns_of_lists(lists), dtype=dtype)

    @classmethod
    def from_columns(cls, entry: ArrayLike, tick: ArrayLike, circuit: ArrayLike, n_entries: int, dtype: DTypeLike = np.int16) -> Spikes:
        """Build spikes from three columns of shape (spike,), in any order; `entry` lies in 0 to `n_entries` - 1."""
        tick, circuit = integers(tick, np.int64, "Spikes.tick"), integers(circuit, dtype, "Spikes.circuit")
        return cls(*sorted_csr("Spikes", entry, tick, circuit, n_entries))


def entry_slice(entry_ptr: NDArray[np.int64], e: int) -> slice:
    """Return the slice that entry `e` owns; raise IndexError outside 0 to E - 1."""
    if not 0 <= e < len(entry_ptr) - 1:
        raise IndexError(f"entry {e} was asked for; there are entries 0 to {len(entry_ptr) - 2}")
    return slice(int(entry_ptr[e]), int(entry_ptr[e + 1]))


def columns_of_lists(lists: Iterable[Sequence[tuple[int, int]]]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], int]:
    """Return entry index, first and second column, and number of entries of lists of pairs."""
    lists = [list(pairs) for pairs in lists]
    flat = np.asarray([pair for pairs in lists for pair in pairs]).reshape(-1, 2)
    return np.repeat(np.arange(len(lists)), [len(pairs) for pairs in lists]), flat[:, 0], flat[:, 1], len(lists)


def sorted_csr(what: str, entry: ArrayLike, tick: NDArray[Any], second: NDArray[Any], n_entries: int) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]:
    """Sort columns by (entry, tick, second) and return them behind their ``entry_ptr``."""
    entry = integers(entry, np.int64, f"{what} entry column")
    if not len(entry) == len(tick) == len(second):
        raise ProgramError(f"the columns of {what} have lengths {len(entry)}, {len(tick)} and {len(second)}; allowed is one length. Give every column a value.")
    check_range(entry, 0, n_entries - 1, f"{what} entry column", "Raise n_entries or remove the element.")
    order = np.lexsort((second, tick, entry))
    entry_ptr = np.zeros(n_entries + 1, np.int64)
    np.cumsum(np.bincount(entry, minlength=n_entries), out=entry_ptr[1:])
    return entry_ptr, tick[order], second[order]


def check_csr(what: str, entry_ptr: NDArray[np.int64], tick: NDArray[np.int64], second: NDArray[Any] | None = None) -> None:
    """Check that columns form CSR data sorted by tick, equal ticks by `second`.

    Raises
    ------
    ProgramError
        With the first offending element.
    """
    if entry_ptr.ndim != 1 or tick.ndim != 1 or (second is not None and second.shape != tick.shape):
        shapes = [a.shape for a in (entry_ptr, tick, second) if a is not None]
        raise ProgramError(f"the columns of {what} have shapes {shapes}; allowed are (E + 1,) for entry_ptr and one length for the others. Flatten them.")
    if not len(entry_ptr) or entry_ptr[0] != 0 or entry_ptr[-1] != len(tick) or (entry_ptr[1:] < entry_ptr[:-1]).any():
        raise ProgramError(f"{what}.entry_ptr is {entry_ptr}; it must rise from 0 to the number of elements, {len(tick)}. Build {what} with {what}.from_lists.")
    if len(tick) < 2:
        return
    falls = tick[1:] < tick[:-1]
    if second is not None:
        falls |= (tick[1:] == tick[:-1]) & (second[1:] < second[:-1])
    starts = entry_ptr[1:-1]
    falls[starts[(starts > 0) & (starts < len(tick))] - 1] = False
    if falls.any():
        i = int(np.flatnonzero(falls)[0]) + 1
        e = int(np.searchsorted(entry_ptr, i, side="right")) - 1
        raise ProgramError(
            f"element {i} of {what} (entry {e}, tick {tick[i]}) comes before its predecessor (tick {tick[i - 1]}); each entry is sorted by tick, "
            f"equal ticks by the second column. Sort it or use {what}.from_columns."
        )
