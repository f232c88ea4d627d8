"""What a processor does to the chip: actions, carried out all at once (`instant`) or each at its time (`timed`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neckar.errors import KernelAccessError
from neckar.ppu._port import ChipPort
from neckar.ppu._trace import Notes

ROWS = COLUMNS = 256
WEIGHTS, LABELS, SENSORS, MEMBRANES, COUNTER = range(5)
PLANES = {WEIGHTS: "synapse_weight", LABELS: "synapse_label"}
NOTED = {WEIGHTS: "weights", LABELS: "labels"}

_LIMITS = np.array([ROWS, ROWS, ROWS, ROWS, 2 * COLUMNS])  # of the place of each kind of action
_SIX_BITS = np.uint8(0x3F)


@dataclass(frozen=True, eq=False)
class Actions:
    """What a kernel does to the chip, in order.

    Attributes
    ----------
    kind, place : ndarray, shape (action,)
        What, and the row or circuit.
    cycles : ndarray of float, shape (action,)
        When, by the processor's clock.
    rows : ndarray of uint8, shape (action, column)
        Values of weights or labels (not of instant ones, which stand in the planes), or a mask.
    """

    kind: NDArray[np.uint32]
    place: NDArray[np.uint32]
    cycles: NDArray[np.float64]
    rows: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.kind)

    def part(self, start: int, stop: int | None = None) -> Actions:
        """Return some of them."""
        taken = slice(start, stop)
        return Actions(self.kind[taken], self.place[taken], self.cycles[taken], self.rows[taken])


class Exchange:
    """A processor that carries out actions.

    Attributes
    ----------
    hemisphere : int
    notes : Notes or None
        Of the invocation under way, while somebody traces it: what is done is noted here; what a rule reads and shows, its executor notes.
    """

    hemisphere: int
    notes: Notes | None = None
    _weights: NDArray[np.uint8]
    _labels: NDArray[np.uint8]

    def _now_instant(self) -> bool:
        """Return whether actions act now; the rows then stand in the planes."""
        raise NotImplementedError

    def hand_over(self) -> None:
        """Let the other processor see what a kernel has written into memory that both share, up to where it waits or has ended."""

    def carry_out(self, port: ChipPort, actions: Actions) -> None:
        """Do what a kernel wants to be done; a row written several times keeps the last values."""
        if len(actions) == 0:
            return
        kind, place = actions.kind, actions.place
        if kind.max() > COUNTER or (place >= _LIMITS[kind]).any():
            raise KernelAccessError("has written into the memory through which it talks to the chip")
        if kind.max() > WEIGHTS:
            self._carry_out_others(port, actions)
        self._write_rows(port, WEIGHTS, self._weights, actions)

    def _write_rows(self, port: ChipPort, what: int, plane: NDArray[np.uint8], actions: Actions) -> None:
        mine = np.flatnonzero(actions.kind == what)
        if len(mine) == 0:
            return
        last = np.full(ROWS, -1)
        last[actions.place[mine]] = mine
        rows = np.flatnonzero(last >= 0)
        now = plane if len(rows) == ROWS else plane[rows]
        values = (now if self._now_instant() else actions.rows[last[rows]]) & _SIX_BITS
        port.write_rows(PLANES[what], self.hemisphere, rows, values)
        if self.notes is not None:
            self.notes.add(self.notes.written, NOTED[what], rows, values)

    def _carry_out_others(self, port: ChipPort, actions: Actions) -> None:
        """Do what is no write of weights. Resets of one row at one moment are one reset."""
        kind, place = actions.kind, actions.place
        self._write_rows(port, LABELS, self._labels, actions)
        masks: dict[int, NDArray[np.bool_]] = {}
        for n in np.flatnonzero(kind == SENSORS):
            mine = actions.rows[n].view(np.int8) > 0
            masks[int(place[n])] = mine | masks[int(place[n])] if int(place[n]) in masks else mine
        for row, mask in masks.items():
            port.reset_sensors(self.hemisphere, row, mask)
        membranes = (actions.rows[kind == MEMBRANES].view(np.int8) > 0).any(axis=0)
        if (kind == MEMBRANES).any():
            port.reset_membranes(self.hemisphere, membranes)
        counters = place[kind == COUNTER].astype(np.int64)
        if len(counters):
            port.reset_counters(counters)
        if self.notes is not None:
            for row, mask in masks.items():
                self.notes.add(self.notes.reset, "sensors", np.array([row]), mask[None])
            self.notes.add(self.notes.reset, "membranes", np.flatnonzero(membranes), membranes[membranes])
            self.notes.add(self.notes.reset, "counters", counters, np.ones(len(counters), bool))
