"""Noise within a step, where its start and its end are known: an Ornstein-Uhlenbeck bridge, drawn by halving the step.

Between two states of the step grid the noise of a membrane is an Ornstein-Uhlenbeck process that is tied at both ends (the leak damps it). Its value in the
middle of an interval depends on the interval's two ends alone: a mean between them, and a variate of known variance. So an interval is halved, one of its
halves is halved again, down to the tick that is asked for. The variate at a tick is keyed by circuit and tick, as those of the steps are; the tree of halves
is fixed by the step. A tick therefore has one noise, whoever looks, and whatever other ticks are looked at. What a step's end misses, which the bridge is
tied to, holds the error of the short steps between samples, too, so it depends on the samples by some microvolts.

Comparators do not see the bridge: they see the ends of the steps.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics._jit import kernel_part
from neckar.dynamics._noise import normal, salt_of, scramble
from neckar.dynamics._propagators import TICK_US

F = np.float32


def halvings(h_ticks: int) -> NDArray[np.float32]:
    """Return room for what :func:`prepare_bridge` finds for steps of `h_ticks`, shape (2 * level, 3), float32."""
    return np.zeros((2 * int(h_ticks).bit_length(), 3), np.float32)


@kernel_part
def prepare_bridge(rate, strength, h_ticks, table):  # type: ignore[no-untyped-def]
    """Write how each interval is halved: the shares of its two ends in the mean, and the standard deviation.

    Noise of `strength` (V per root of a us) relaxes at `rate` (1/us, above zero). Intervals of one level have ``h_ticks >> level`` ticks or one more.
    """
    for row in range(table.shape[0]):
        n = (h_ticks >> (row >> 1)) + (row & 1)
        a, b = rate * TICK_US * (n >> 1), rate * TICK_US * (n - (n >> 1))
        if n > 1:
            left, right, whole = -math.expm1(-2.0 * a), -math.expm1(-2.0 * b), -math.expm1(-2.0 * (a + b))
            table[row, 0], table[row, 1] = F(math.exp(-a) * right / whole), F(math.exp(-b) * left / whole)
            table[row, 2] = F(strength * math.sqrt(left * right / (2.0 * rate * whole)))


@kernel_part
def bridge(tick, begin, h_ticks, end_value, table, key, seed):  # type: ignore[no-untyped-def]
    """Return the noise at a tick of the step that starts at tick `begin`; it is zero at the start, `end_value` at the end."""
    t, first, n, level = tick - begin, np.int64(0), np.int64(h_ticks), 0
    a, b = F(0), F(end_value)
    value = a
    while t > first:
        half = n >> 1
        row = 2 * level + n - (h_ticks >> level)
        middle = first + half
        value = table[row, 0] * a + table[row, 1] * b + table[row, 2] * normal(scramble(key, salt_of(begin + middle, seed)))
        if t < middle:
            b, n = value, half
        else:
            a, first, n = value, middle, n - half
        level += 1
    return value if t > 0 else F(0)
