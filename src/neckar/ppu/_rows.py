"""Rows of the processors' vector unit in numpy, bit for bit.

Arrays hold elements of one kind, ``uint8`` (Mod8), ``int8`` (FracSat8), ``uint16`` (Mod16) or ``int16`` (FracSat16); their axes are (chip, row, column), and
any of them may have length 1. The laws are those of docs/reference/plasticity_headers.md.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.ppu._exchange import COLUMNS
from neckar.ppu._headers import INCLUDE

Row = NDArray[Any]

KINDS = {"uint8": "Mod8", "int8": "FracSat8", "uint16": "Mod16", "int16": "FracSat16"}
WIDTH = {kind: 8 * np.dtype(kind).itemsize for kind in KINDS}
CONDITIONS: dict[str, Callable[[Row, int], Row]] = {
    "greater": np.greater,
    "lesser": np.less,
    "equal": np.equal,
    "greater_equal": np.greater_equal,
    "lesser_equal": np.less_equal,
    "unequal": np.not_equal,
}


def constant(kind: str, value: int) -> Row:
    """Return a row of one value, shape (1, 1, 1)."""
    return np.full((1, 1, 1), value, kind)


def is_saturating(row: Row) -> bool:
    """Return whether a row is FracSat."""
    return row.dtype.kind == "i"


def _width(row: Row) -> int:
    return 8 * row.dtype.itemsize


def _ends(row: Row) -> Row:
    """Return the limit of the range on the side of each element's sign."""
    sign: Row = np.right_shift(row, np.int64(_width(row) - 1)).astype(row.dtype)
    return np.bitwise_xor(sign, np.iinfo(row.dtype).max)


def add(a: Row, b: Row) -> Row:
    """Return a + b."""
    total: Row = a + b
    if not is_saturating(total):
        return total
    over = (a ^ total) & (b ^ total)  # negative where the sum has left the range
    return np.where(over < 0, _ends(a), total) if (over < 0).any() else total


def subtract(a: Row, b: Row) -> Row:
    """Return a - b."""
    rest: Row = a - b
    if not is_saturating(rest):
        return rest
    over = (a ^ b) & (a ^ rest)
    return np.where(over < 0, _ends(a), rest) if (over < 0).any() else rest


def multiply(a: Row, b: Row) -> Row:
    """Return a b, of fractions rounded down."""
    if not is_saturating(a):
        return np.asarray(a * b)
    wide = np.multiply(a, b, dtype=np.int16 if _width(a) == 8 else np.int32)
    return np.minimum(np.right_shift(wide, _width(a) - 1), np.iinfo(a.dtype).max).astype(a.dtype)


def negate(a: Row) -> Row:
    """Return -a."""
    return subtract(np.zeros_like(a), a)


def shift_left(a: Row, bits: int) -> Row:
    """Return a << bits: fractions keep their sign bit and do not saturate."""
    if bits < 0:
        return shift_right(a, -bits)
    if bits >= _width(a):
        return np.zeros_like(a)
    unsigned = np.dtype(f"uint{_width(a)}").type
    plain = a.view(unsigned)
    shifted = plain << unsigned(bits)
    if is_saturating(a) and bits:
        sign = unsigned(1 << (_width(a) - 1))
        shifted = (shifted & unsigned(~sign)) | (plain & sign)
    return np.asarray(shifted).view(a.dtype)


def shift_right(a: Row, bits: int) -> Row:
    """Return a >> bits."""
    if bits < 0:
        return shift_left(a, -bits)
    if bits >= _width(a):
        return np.zeros_like(a)
    return np.asarray(np.right_shift(a, bits))


def power(a: Row, exponent: int) -> Row:
    """Return the product of so many factors."""
    result = np.ones_like(a) if exponent == 0 else a
    for _ in range(exponent - 1):
        result = multiply(result, a)
    return result


def choose(mask: Row, condition: str, a: Row, b: Row) -> Row:
    """Return a where mask compares so with 0, else b."""
    return np.where(CONDITIONS[condition](mask, 0), a, b)


def convert(a: Row, kind: str) -> Row:
    """Return another kind: same width, bits unchanged; unsigned keeps the low bits, signed the value as a fraction."""
    if WIDTH[kind] == _width(a):
        return a.view(kind)
    if not is_saturating(a):
        return a.astype(kind)
    return a.astype(np.int16) << np.int16(8) if kind == "int16" else (a >> np.int16(8)).astype(np.int8)


def contiguous(a: Row) -> Row:
    """Return offset binary as two's complement or back."""
    unsigned = np.dtype(f"uint{_width(a)}").type
    return np.asarray(a.view(unsigned) ^ unsigned(1 << (_width(a) - 1))).view(unsigned if is_saturating(a) else f"int{_width(a)}")


def saturate_weight(a: Row) -> Row:
    """Return 8-bit elements, taken as signed, brought to 0..63."""
    return np.asarray(np.minimum(np.maximum(a.view(np.int8), 0), 63)).view(a.dtype)


def round_stochastic(a: Row, bits: int, drawn: Row) -> Row:
    """Clear the low bits after adding the top bits of a random row; 0 < bits < width."""
    unsigned = np.dtype(f"uint{_width(a)}").type
    below = (drawn.view(unsigned) >> unsigned(_width(a) - bits)).view(a.dtype)
    kept = add(below, a).view(unsigned) & unsigned(~((1 << bits) - 1) & ((1 << _width(a)) - 1))
    return np.asarray(kept).view(a.dtype)


# ---- Random numbers


@functools.cache
def _taps() -> NDArray[np.uint16]:
    """Return the polynomials of the generators, shape (column,)."""
    text = (INCLUDE / "neckar" / "taps.h").read_text(encoding="utf-8")
    return np.array([int(word, 16) for word in re.findall(r"0x[0-9a-f]{4}\b", text)], np.uint16)


_PIECE = 128  # draws at a time


@functools.cache
def _ahead(steps: int) -> NDArray[np.uint16]:
    """Return masks of a state whose parity is the bit that each of the next steps brings, shape (step, column)."""
    taps = _taps()
    bits = [np.full(COLUMNS, 1 << j, np.uint16) for j in range(16)]  # bit j of the state, as a mask of the state at first
    found = np.empty((steps, COLUMNS), np.uint16)
    for step in range(steps):
        new = np.zeros(COLUMNS, np.uint16)
        for j in range(16):
            new ^= np.where((taps >> j) & 1, bits[j], np.uint16(0)).astype(np.uint16)
        found[step] = new
        bits = [new, *bits[:15]]
    return found


class Generator:
    """The random generators of a processor: one shift register per column, one new bit per draw.

    Parameters
    ----------
    state : ndarray of uint16, shape (chip, 256)
        Not zero. The generators keep and change a copy.
    """

    def __init__(self, state: NDArray[np.uint16]) -> None:
        self.state = np.array(state, np.uint16)

    def draw(self, half: int, number: int) -> NDArray[np.uint8]:
        """Return so many draws of the even or odd columns, shape (chip, draw, 128)."""
        return np.concatenate([self._some(half, min(_PIECE, number - k)) for k in range(0, max(number, 1), _PIECE)], axis=1)

    def _some(self, half: int, number: int) -> NDArray[np.uint8]:
        state = self.state[:, half::2]
        steps = 1 << max(number - 1, 0).bit_length()  # few different tables
        new = (np.bitwise_count(state[:, None] & _ahead(steps)[:number, half::2]) & 1).astype(np.uint8)
        old = ((state[:, None] >> np.arange(15, -1, -1, dtype=np.uint16)[:, None]) & 1).astype(np.uint8)  # oldest first
        bits = np.concatenate([old, new], axis=1)
        drawn = np.zeros(new.shape, np.uint8)
        for j in range(8):
            drawn |= bits[:, 16 - j : 16 - j + number] << np.uint8(j)
        last = np.zeros(state.shape, np.uint16)
        for j in range(16):
            last |= bits[:, 15 + number - j].astype(np.uint16) << np.uint16(j)
        self.state[:, half::2] = last
        return drawn

    def seed(self, row: Row) -> None:
        """Set the low byte of all states and clear the high one; the row has the shape (chip, 1, column) and 8 bit."""
        self.state[...] = row[:, 0].view(np.uint8)


def draws_of(op: str, kind: str) -> tuple[int, int]:
    """Return how many draws of the even and of the odd columns a step takes per row: one per register, a rounding all of them from the even columns."""
    registers = WIDTH[kind] // 8
    return (registers, registers) if op == "random" else (2 * registers, 0)


def random_rows(kind: str, even: Row, odd: Row) -> Row:
    """Return rows as ``parallel_rng_rand`` gives them, from draws of the shape (chip, row, draw, 128)."""
    if WIDTH[kind] == 8:
        return _woven(even[:, :, 0], odd[:, :, 0]).view(kind)
    return _paired(kind, [even[:, :, 0], odd[:, :, 0], even[:, :, 1], odd[:, :, 1]])


def rounding_rows(kind: str, even: Row) -> Row:
    """Return rows as ``vector_round_stochastic`` draws them, from draws of the shape (chip, row, draw, 128)."""
    if WIDTH[kind] == 8:
        return _woven(even[:, :, 0], even[:, :, 1]).view(kind)
    return _paired(kind, [even[:, :, k] for k in range(4)])


def _paired(kind: str, quarters: list[Row]) -> Row:
    """Return rows of 16 bit from the bytes of their four registers."""
    words = [np.ascontiguousarray(quarter).view("<u2").astype(np.uint16) for quarter in quarters]
    return _woven(np.concatenate(words[:2], axis=2), np.concatenate(words[2:], axis=2)).view(kind)


def _woven(even: Row, odd: Row) -> Row:
    """Return rows from their even and odd columns, shape (chip, row, 128) each."""
    return np.stack([even, odd], axis=-1).reshape(*even.shape[:2], COLUMNS)
