"""Membrane time constants by measurement, in three ways.

- ``"current"``: each membrane's way back from a constant current in a burst of the fast converter, one neuron after the other, fitted by an exponential
  (:mod:`membrane_traces`). From 3 us on.
- ``"reset"``: bursts after a reset far below a leak that is high meanwhile. For any time constant, best below 3 us, where the current moves a membrane little.
- ``"windows"``: all membranes relax from a constant current at once, and the parallel converter sees them in two windows that follow each other, each about as
  long as the target. A membrane that relaxes exponentially falls by exp(window / tau) from one to the other; one that never came back, or was gone at once,
  still lies on the right side of the target. From 3 us on.

Upstream takes the current if all targets are at least 3 us, else the reset (calix ``hagen/neuron_leak_bias.py``), and so does this. Windows leave about the
same spread, in a fortieth of the chip's time and five times that of the twin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.measure.bench import CIRCUITS, Bench
from neckar.calibration.measure.binary import noisy_binary_search
from neckar.calibration.measure.bursts import by_time_constant
from neckar.calibration.measure.membrane_traces import after_current, after_reset, high_and_low
from neckar.calibration.measure.outcome import Codes, Span, Values
from neckar.calibration.settings import dithered
from neckar.errors import UnknownNameError, nearest
from neckar.facts import CAPMEM_MAX

Method = Literal["windows", "current", "reset"]
METHODS: tuple[str, ...] = get_args(Method)

SHORTEST_S = 3e-6
"""Shorter time constants need a reset."""

_PRELUDE_BIAS = round(0.9 * CAPMEM_MAX)
"""Where the division is chosen: so far from the end of the range that the noise of one measurement does not choose what the search cannot reach."""

_FROM_END = 63
"""Biases at which division and multiplication are chosen after resets lie so far from the ends of the range (calix)."""

_ALIKE = 1.25
_REST_US = 2.0 * np.arange(1, 10)
_ON_US = 20.0
_ROWS = 5
_TRIALS = 4
_CHARGED = 2.5
_CURRENT_AT_10_US = 600
_BACK = 4.0
"""Membranes this near to rest in the first window are back, LSB: means there scatter by up to 1 LSB, and their ratio would say anything."""


def search_membrane_time(bench: Bench, tau_s: Values, rng: np.random.Generator, method: Method | None = None) -> NDArray[np.bool_]:
    """Search the leak's bias for a membrane time constant and leave it set, with the leak divided or multiplied by 8 where the target needs it.

    Parameters
    ----------
    bench : Bench
        Its neurons rest at their leak potential.
    tau_s : ndarray, shape (circuit,)
        s. Circuits with similar targets are measured in one program: within 25 % in windows, within a factor of two in bursts.
    rng : Generator
    method : str, optional
        One of :data:`METHODS`; by default the current if all targets are at least :data:`SHORTEST_S`, else the reset. Only after resets the leak may be
        multiplied.

    Returns
    -------
    ndarray of bool, shape (circuit,)
        Which circuits reached their target.

    Raises
    ------
    UnknownNameError
        If there is no such method.
    """
    name = method or ("current" if np.min(tau_s) >= SHORTEST_S else "reset")
    if name not in METHODS:
        raise UnknownNameError(f"method is {name!r}; a membrane is measured by {', '.join(METHODS)}{nearest(name, METHODS)} Choose one of these.")
    with bench.changed(threshold_enable=False):
        if name == "reset":
            with high_and_low(bench, rng):
                return _searched(bench, lambda: after_reset(bench, tau_s), tau_s, rng, _choose_range)
        read = _time_constants if name == "windows" else after_current
        return _searched(bench, lambda: read(bench, tau_s), tau_s, rng, _choose_division)


Measure = Callable[[Codes], Values]


def _searched(
    bench: Bench,
    read: Callable[[], Values],
    tau_s: Values,
    rng: np.random.Generator,
    choose: Callable[[Bench, Measure, Values, np.random.Generator], None],
) -> NDArray[np.bool_]:
    """Choose the leaks' ranges, then search their biases; return which targets were reached."""

    def measure(codes: Codes) -> Values:
        bench.set(leak_i_bias=codes)
        return read()

    choose(bench, measure, tau_s, rng)
    found = noisy_binary_search(measure, tau_s, len(CIRCUITS), Span(0, CAPMEM_MAX), rng, inverted=True)
    bench.set(leak_i_bias=found.codes)
    return found.reached


def _choose_division(bench: Bench, measure: Measure, tau_s: Values, rng: np.random.Generator) -> None:
    """Divide the leak where the divided leak is still faster than the target."""
    bench.set(leak_enable_division=True, leak_enable_multiplication=False)
    bench.set(leak_enable_division=measure(dithered(_PRELUDE_BIAS, rng)) < tau_s)


def _choose_range(bench: Bench, measure: Measure, tau_s: Values, rng: np.random.Generator) -> None:
    """Divide the leak where a low bias is still faster than the target, multiply it where a high one is still slower (not both, if a fit went wrong)."""
    bench.set(leak_enable_division=False, leak_enable_multiplication=False)
    divided = measure(dithered(_FROM_END, rng)) < tau_s
    multiplied = (measure(dithered(CAPMEM_MAX - _FROM_END, rng)) > tau_s) & ~divided
    bench.set(leak_enable_division=divided, leak_enable_multiplication=multiplied)


def _time_constants(bench: Bench, tau_s: Values) -> Values:
    """Return the time constant of each membrane, s, seen in windows about as long as its target; infinite for one that does not come back."""
    found = np.empty(len(tau_s))
    for tau_us, circuits in by_time_constant(tau_s, _ALIKE):
        found[circuits] = relaxation(bench, tau_us)[circuits] * 1e-6
    return found


def relaxation(bench: Bench, window_us: float, current: int | None = None) -> Values:
    """Return the time constants of all membranes, us, from rows in two windows after a constant current of some windows.

    A membrane that is back before the first window has 0, one that does not come back an endless time constant. The current is a code; by default it moves
    membranes of full capacitance and a time constant of one window by some 0.3 V.
    """
    step_us = max(2.0, window_us / _ROWS)
    off_us = _ON_US + _CHARGED * window_us
    rows = np.arange(max(1, round(window_us / step_us))) * step_us
    at_us = np.concatenate([_REST_US, off_us + rows, off_us + len(rows) * step_us + rows])
    current = min(1000, round(_CURRENT_AT_10_US * 10.0 / window_us)) if current is None else current
    seen = bench.relaxations(at_us, _ON_US, off_us, current, _TRIALS).mean(axis=0)
    rest = seen[: len(_REST_US)].mean(axis=0)
    first, second = (seen[len(_REST_US) + k * len(rows) :][: len(rows)].mean(axis=0) - rest for k in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        fall = np.log(np.maximum(first, 0.0) / np.maximum(second, 1e-3))
    seen_us = np.where(fall > 0, len(rows) * step_us / np.where(fall > 0, fall, 1.0), np.inf)
    return np.asarray(np.where(first < _BACK, 0.0, seen_us))
