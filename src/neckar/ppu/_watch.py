"""What a kernel shows with ``NECKAR_WATCH``: numbers in its memory, of a kind that include/neckar/watch.h describes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.errors import KernelAccessError
from neckar.ppu._trace import MAX_WATCHED_BYTES, Watched

_NAME_BYTES = 200
_ELEMENTS = ("u1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
_TYPES = ("bool", *(f"{sign}int{8 * size}_t" for size in (1, 2, 4, 8) for sign in ("", "u")), "float", "double")
_FAMILIES = {1: "FracSat8", 2: "Mod8", 3: "FracSat16", 4: "Mod16"}
NUMBER, NUMBERS, ROW, ROWS, LANES = range(5)
_COLUMNS = 256


def shown_bytes(memory: NDArray[np.uint8], kind: int, place: int, number: int) -> int:
    """Return how many bytes a value takes that a kernel shows.

    Parameters
    ----------
    memory : ndarray
        The kernel's.
    kind, place, number : int
        Element and layout, address of the numbers, how many.

    Raises
    ------
    KernelAccessError
        If there is no such value.
    """
    element, layout = kind & 0xFF, kind >> 8
    size = np.dtype(_ELEMENTS[element]).itemsize if element < len(_ELEMENTS) else 1
    whole = layout in (NUMBERS, LANES) or (layout, number) in ((NUMBER, 1), (ROW, _COLUMNS)) or (layout == ROWS and number % _COLUMNS == 0)
    if element >= len(_ELEMENTS) or not whole or number * size > MAX_WATCHED_BYTES or place + number * size > len(memory):
        raise KernelAccessError(f"shows {number} numbers at {place:#x}; allowed are values in its memory, up to {MAX_WATCHED_BYTES} bytes. Watch less")
    return number * size


def watched(memory: NDArray[np.uint8], name: int, line: int, kind: int, place: int, number: int) -> Watched:
    """Return a value that a kernel shows, once :func:`shown_bytes` has found it.

    Parameters
    ----------
    memory : ndarray
        The kernel's.
    name, place : int
        Addresses of the text and of the numbers.
    line, kind, number : int
        Line of the text, element and layout, number of elements.
    """
    element, layout = kind & 0xFF, kind >> 8
    size = np.dtype(_ELEMENTS[element]).itemsize
    values = memory[place : place + number * size].view(_ELEMENTS[element]).copy()
    text = bytes(memory[name : name + _NAME_BYTES]).split(b"\0")[0].decode("ascii", "replace")
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return Watched(text, _type(element, layout, number), _shaped(values, element, layout), line)


def _shaped(values: NDArray[Any], element: int, layout: int) -> Any:
    """Return numbers as Python or numpy has them; the two halves of a row hold even and odd columns."""
    if element == 0:
        values = values != 0
    if layout in (ROW, ROWS):
        values = values.reshape(-1, 2, _COLUMNS // 2).swapaxes(1, 2).reshape(-1, _COLUMNS)
    return values.item() if layout == NUMBER else values[0] if layout == ROW else values


def _type(element: int, layout: int, number: int) -> str:
    plain = _TYPES[element]
    if layout in (ROW, ROWS):
        row = f"VectorRow{_FAMILIES.get(element, plain)}"
        return row if layout == ROW else f"{row}[{number // _COLUMNS}]"
    if layout == LANES:
        half = "HalfRow" if number == _COLUMNS // 2 and element > 2 else ""
        return f"Vector{half}{_FAMILIES.get(element, plain)}"
    return plain if layout == NUMBER else f"{plain}[{number}]"
