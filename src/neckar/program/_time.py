"""Hardware time: whole ticks of 2 ns inside, seconds at the border."""

from __future__ import annotations

import math
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.errors import ParameterRangeError

TICK_S = 2e-9
"""Seconds of hardware time in one tick."""

TICKS_PER_US = 500
"""Ticks in one microsecond of hardware time."""

_TICKS_PER_S = 500_000_000


@overload
def ticks(seconds: float) -> int: ...
@overload
def ticks(seconds: NDArray[Any] | list[float]) -> NDArray[np.int64]: ...
def ticks(seconds: ArrayLike) -> int | NDArray[np.int64]:
    """Round seconds of hardware time to the nearest tick.

    Parameters
    ----------
    seconds : float or array_like of float
        Hardware time in seconds.

    Returns
    -------
    int or ndarray of int64, shape of `seconds`
        Ticks of 2 ns.

    Raises
    ------
    ParameterRangeError
        If a time is not finite or too long for int64 (584 years).
    """
    exact = np.rint(np.asarray(seconds, np.float64) * _TICKS_PER_S)
    good = np.abs(exact) < 2.0**63
    if not good.all():
        bad = np.asarray(seconds, np.float64)[~good].flat[0]
        raise ParameterRangeError(f"a time of {bad} s was asked for; ticks of 2 ns count finite times below 1.8e10 s. The unit is seconds of hardware time.")
    return int(exact) if exact.ndim == 0 else exact.astype(np.int64)


def whole_ticks(microseconds: float, where: str) -> int:
    """Return a positive number of microseconds in ticks, without rounding beyond one part in 1e9.

    Raises
    ------
    ParameterRangeError
        If it is not a positive multiple of one tick.
    """
    number = round(microseconds * TICKS_PER_US) if math.isfinite(microseconds) else 0
    if number < 1 or not math.isclose(microseconds * TICKS_PER_US, number, rel_tol=1e-9):
        raise ParameterRangeError(
            f"{where} is {microseconds:.10g} us; allowed is a positive multiple of 0.002 us, one tick of hardware time. "
            "Choose for instance 0.1 us, or leave it out for the machine's own choice."
        )
    return number


@overload
def seconds(ticks: int | np.integer[Any]) -> float: ...
@overload
def seconds(ticks: NDArray[Any] | list[int]) -> NDArray[np.float64]: ...
def seconds(ticks: ArrayLike) -> float | NDArray[np.float64]:
    """Convert ticks to seconds of hardware time, the inverse of :func:`ticks`.

    Parameters
    ----------
    ticks : int or array_like of int
        Ticks of 2 ns.

    Returns
    -------
    float or ndarray of float64, shape of `ticks`
        Hardware time in seconds. `ticks` gives back the same tick up to 2**50 ticks (26 days).
    """
    result = np.asarray(ticks, np.float64) / _TICKS_PER_S
    return float(result) if result.ndim == 0 else result
