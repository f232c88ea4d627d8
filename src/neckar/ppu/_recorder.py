"""The memory of one rule's observables, which lies outside the processors and is shared by both.

A kernel writes one record per invocation into its own memory. The record is carried over in whole whenever the kernel hands over to the chip, and fetched
again before it goes on, so that both processors fill the same record and of two stores to one place the later one stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.errors import KernelAccessError
from neckar.ppu._kernel import Kernel
from neckar.program import Observable

MAX_RECORD = 2 << 20


class Recorder:
    """Records of one rule.

    Parameters
    ----------
    kernel : Kernel
    periods : int
        Number of records.
    """

    def __init__(self, kernel: Kernel, periods: int) -> None:
        self.kernel, self.periods = kernel, periods
        self.place = self.size = 0
        self._offsets: list[int] = []
        self._records = np.zeros((periods, 0), np.uint8)

    def learn_layout(self, layout: Callable[[int], int]) -> None:
        """Ask a module where the parts of a record lie."""
        self.place, self.size = layout(0), layout(1)
        if not 0 < self.size <= MAX_RECORD:
            raise KernelAccessError(f"kernel of {self.kernel.name!r}: a record has {self.size} bytes; allowed are {MAX_RECORD}. Record less.")
        self._offsets = [layout(2 + i) for i in range(1 + sum(len(self.shapes(o)) for _, o in self.kernel.observables))]
        if self._records.shape[1] != self.size:
            self._records = np.zeros((self.periods, self.size), np.uint8)

    def load(self, period: int, part: NDArray[np.uint8]) -> None:
        """Copy a record into a kernel's memory."""
        part[...] = self._records[period % self.periods]

    def store(self, period: int, part: NDArray[np.uint8]) -> None:
        """Take over a record from a kernel's memory."""
        self._records[period % self.periods] = part

    def shapes(self, observable: Observable) -> list[tuple[int, ...]]:
        """Return the shape of each part of an observable."""
        whole = observable.layout == "complete_rows"
        if observable.shape == "synapse":
            return [(rows, 256 if whole else columns) for rows, columns in self.kernel.synapses]
        if observable.shape == "neuron":
            return [(256 if whole else columns,) for columns in self.kernel.neurons]
        return [(int(observable.shape),)]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the observables.

        Returns
        -------
        dict
            ``time`` in cycles, shape (period,); arrays, shape (period, element); of each view ``<name>.<view>``, shape (period, row, column) of synapses,
            (period, column) of neurons.
        """
        offsets = iter(self._offsets)
        found = {"time": self._numbers(next(offsets), "<i8", ())}
        for name, observable in self.kernel.observables:
            kind = np.dtype(observable.type).newbyteorder("<").str
            for view, shape in enumerate(self.shapes(observable)):
                values = self._numbers(next(offsets), kind, shape)
                if observable.layout == "complete_rows" and isinstance(observable.shape, str):
                    values = np.stack([values[..., :128], values[..., 128:]], axis=-1).reshape(values.shape)
                found[f"{name}.{view}" if isinstance(observable.shape, str) else name] = values
        return found

    def _numbers(self, offset: int, kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
        raw = np.ascontiguousarray(self._records[:, offset : offset + size])
        native = np.dtype(kind).newbyteorder("=")
        return raw.view(kind).astype(native).reshape(self.periods, *shape)
