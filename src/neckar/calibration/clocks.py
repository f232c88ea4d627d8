"""Refractory periods: which clock, how many cycles.

A backend has a fast and a slow refractory clock, 250 MHz / 2^(scale + 1); each neuron counts cycles of one of them. Counters of at least 30 keep the rounding
below 3 %, 255 is the longest. Neurons whose period is at most the mean take the fast clock, unless the hold-off at the end of the period needs a slower one.
The search for a scale starts at 4, which leaves room on both sides (calix ``spiking/refractory_period.py``). Both backends get the same scales.

Nothing is measured for this: the clocks are digital. Upstream leaves the hold-off of neurons on the fast clock at one cycle, whatever was asked for; here it
is set on both clocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.errors import ParameterRangeError
from neckar.facts import brainscales2 as facts
from neckar.facts import registers

_TABLE = registers("brainscales2")
_COUNTER_MAX = _TABLE["refractory_period_refractory_time"].high
_SCALE_MAX = _TABLE["backend_clock_scale_fast"].high
_COUNTER_MIN = 30
_FIRST_SCALE = 4
_HOLDOFF_MAX = 2 * facts.HOLDOFF_CODE_MAX.value + 1


@dataclass(frozen=True)
class RefractoryClocks:
    """Settings of all circuits.

    Attributes
    ----------
    counter, holdoff, input_clock : ndarray of int, shape (circuit,)
        Registers ``refractory_period_refractory_time``, ``_reset_holdoff`` and ``_input_clock``.
    fast_scale, slow_scale : int
        Scales of the clocks of both backends.
    """

    counter: NDArray[np.int64]
    holdoff: NDArray[np.int64]
    input_clock: NDArray[np.int64]
    fast_scale: int
    slow_scale: int

    def fields(self) -> dict[str, Any]:
        """Return the register fields; scales as scalars for both backends."""
        return {
            "refractory_period_refractory_time": self.counter,
            "refractory_period_reset_holdoff": self.holdoff,
            "refractory_period_input_clock": self.input_clock,
            "backend_clock_scale_fast": self.fast_scale,
            "backend_clock_scale_slow": self.slow_scale,
        }


def refractory_clocks(refractory_s: NDArray[np.float64], holdoff_s: NDArray[np.float64]) -> RefractoryClocks:
    """Return the settings for wanted periods.

    Parameters
    ----------
    refractory_s, holdoff_s : ndarray, shape (circuit,)
        The whole period and the hold-off at its end, s. A hold-off is at least one cycle long.

    Raises
    ------
    ParameterRangeError
        If a period is longer than the slowest clock can count.
    """
    n = len(refractory_s)
    counter, clock = np.zeros(n, np.int64), np.ones(n, np.int64)
    fast = refractory_s <= refractory_s.mean() * (1 + 1e-9)
    fast_scale = slow_scale = 0
    if fast.any():
        fast_scale = _scale(refractory_s[fast].max() / _COUNTER_MAX, refractory_s[fast].min() / _COUNTER_MIN)
        counter[fast] = _cycles(refractory_s[fast], fast_scale)
    slow = ~fast | (holdoff_s > _HOLDOFF_MAX * _period(fast_scale))
    if slow.any():
        clock[slow] = 0
        shortest = max(holdoff_s.max() / _HOLDOFF_MAX, refractory_s[slow].max() / _COUNTER_MAX)
        slow_scale = _scale(shortest, min(holdoff_s.min(), refractory_s[slow].min() / _COUNTER_MIN))
        counter[slow] = _cycles(refractory_s[slow], slow_scale)
    of_holdoff = np.where(slow, _cycles(holdoff_s, slow_scale), _cycles(holdoff_s, fast_scale))
    holdoff = np.clip(np.ceil(facts.HOLDOFF_CODE_MAX.value - (of_holdoff - 1) / 2), 0, facts.HOLDOFF_CODE_MAX.value).astype(np.int64)
    return RefractoryClocks(np.clip(counter, 0, _COUNTER_MAX), holdoff, clock, fast_scale, slow_scale)


def _period(scale: int) -> float:
    return 2.0 ** (scale + 1) / facts.BACKEND_CLOCK.value


def _scale(shortest_cycle: float, longest_cycle: float) -> int:
    """Return the scale nearest to the first one whose cycle lies within the bounds; the lower bound comes first."""
    longest_cycle = max(longest_cycle, 2 * shortest_cycle)
    scale = _FIRST_SCALE
    while _period(scale) < shortest_cycle:
        scale += 1
    while scale > 0 and _period(scale) > longest_cycle:
        scale -= 1
    if scale > _SCALE_MAX:
        longest = _COUNTER_MAX * _period(_SCALE_MAX)
        raise ParameterRangeError(f"a refractory period needs a clock of {shortest_cycle:.3g} s; the longest period is {longest:.3g} s. Shorten it.")
    return scale


def _cycles(time_s: NDArray[np.float64], scale: int) -> NDArray[np.int64]:
    """Return the counter; its last bit always belongs to the hold-off."""
    return np.floor(time_s / _period(scale) + 1e-9).astype(np.int64) + 1
