"""What a processor sees of the chip at one moment. The chip implements it; nothing here knows the chip."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class ChipPort(Protocol):
    """The chip at one tick. Hemispheres count from 0; arrays of a row have the shape (column,)."""

    @property
    def tick(self) -> int:
        """Now."""

    def later(self, tick: int) -> ChipPort | None:
        """Return the chip at a later tick, or None if somebody else acts until then."""

    def read(self, field: str, key: tuple[int | slice, ...]) -> NDArray[Any]:
        """Return a plane or a part of it: ``synapse_weight``, ``synapse_label``, ``correlation_causal``, ``correlation_acausal`` (hemisphere, row, column)."""

    def write_rows(self, field: str, hemisphere: int, rows: NDArray[np.int64], values: NDArray[np.uint8]) -> None:
        """Write rows of ``synapse_weight`` or ``synapse_label``; values have the shape (row, column)."""

    def reset_sensors(self, hemisphere: int, row: int, columns: NDArray[np.bool_]) -> None:
        """Empty the correlation sensors of some columns of a row."""

    def reset_membranes(self, hemisphere: int, columns: NDArray[np.bool_]) -> None:
        """Reset the neurons of some columns."""

    def read_counters(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return what the spike counters of all circuits show, and their flags of overflow, shape (circuit,)."""

    def reset_counters(self, circuits: NDArray[np.int64]) -> None:
        """Set spike counters to 0."""

    def read_neurons(self, hemisphere: int) -> NDArray[np.uint8]:
        """Return what the parallel converter reads of the neurons' readout lines."""
