"""The row events of the step under way, for circuits that cross the threshold or are released within it.

All other circuits feel events by kicks at the step's two ends (:mod:`neckar.dynamics._advance`), which leave the membrane right where the step ends and only
there. In fine steps the few circuits that stop inside a step look the events up one by one (:func:`neckar.dynamics._crossing.fine_crossing`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics import _layout as L
from neckar.dynamics._jit import inline, kernel_part
from neckar.dynamics._propagators import TICK_US

F = np.float32
STRIDE = L.STRIDE
ROOM = 64
"""Events of one step that are kept, the first ones. Later ones act by their kicks alone."""


class Heard(NamedTuple):
    """The row events of a step, ascending in time; arrays of shape (ROOM,) but `number`.

    Attributes
    ----------
    at : ndarray of float32
        us from the step's start.
    row : ndarray of int32
    label : ndarray of uint8
        As the synapses compare it.
    pulse : ndarray of float32
        Length of the pulse.
    jump : ndarray of float32
        Scratch: by how much the synaptic current of one circuit jumps, V/us.
    number : ndarray of int64, shape (1,)
        Number of events.
    """

    at: NDArray[np.float32]
    row: NDArray[np.int32]
    label: NDArray[np.uint8]
    pulse: NDArray[np.float32]
    jump: NDArray[np.float32]
    number: NDArray[np.int64]


def nothing_heard() -> Heard:
    """Return an empty list."""
    at, pulse, jump = (np.zeros(ROOM, np.float32) for _ in range(3))
    return Heard(at, np.zeros(ROOM, np.int32), np.zeros(ROOM, np.uint8), pulse, jump, np.zeros(1, np.int64))


def copied(heard: Heard) -> Heard:
    """Return a copy of this moment."""
    return Heard(heard.at.copy(), heard.row.copy(), heard.label.copy(), heard.pulse.copy(), heard.jump.copy(), heard.number.copy())


def forget_row(heard: Heard, row: int) -> None:
    """Drop the events of a row whose synapses are about to change; they have acted by their kicks, and do so alone."""
    n = heard.number[0]
    keep = np.flatnonzero(heard.row[:n] != row)
    for part in (heard.at, heard.row, heard.label, heard.pulse):
        part[: len(keep)] = part[keep]
    heard.number[0] = len(keep)


@inline
def note_event(heard, offset, row, label, pulse):  # type: ignore[no-untyped-def]
    """Keep one event that came `offset` ticks into the step."""
    q = heard.number[0]
    if q < ROOM:
        heard.at[q], heard.row[q], heard.label[q], heard.pulse[q] = F(offset) * F(TICK_US), row, label, pulse
        heard.number[0] = q + 1


@kernel_part
def hear(B, c, heard, weights, labels, receptor):  # type: ignore[no-untyped-def]
    """Fill `jump` with what each event does to circuit `c`; returns their number."""
    gm_e, gm_i = B[L.GM_EXC * STRIDE + c], B[L.GM_INH * STRIDE + c]
    n = heard.number[0]
    for q in range(n):
        row = heard.row[q]
        gm = F(receptor[row] & 1) * gm_e - F(receptor[row] >> 1) * gm_i
        heard.jump[q] = heard.pulse[q] * weights[row, c] * gm if labels[row, c] == heard.label[q] else F(0)
    return n
