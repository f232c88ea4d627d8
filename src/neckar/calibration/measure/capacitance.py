"""The capacitance that membranes have without any switched capacitor, by measurement: from the time constants at several switched capacitances.

With the same leak the time constant is ``(C_switched + C_intrinsic) / g``, a straight line in the code of the capacitance. Conditions as of calix
``measurement/intrinsic_capacitance.py``, with membranes of 60 us instead of 100 us, which are measured like all membranes in windows of the parallel converter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.measure.bench import CIRCUITS, TABLE, Bench
from neckar.calibration.measure.inputs import enabled
from neckar.calibration.measure.membrane import relaxation, search_membrane_time
from neckar.calibration.measure.outcome import Values
from neckar.calibration.settings import LEAK_FIELDS, dithered

FULL = TABLE["membrane_capacitance_capacitance"].high
CODES = np.linspace(10, FULL, 5).astype(np.int64)
"""Codes at which time constants are measured."""

TAU_S = 60e-6
"""Time constant with all of the capacitance."""

_USUAL = 6.0
_V_LEAK, _CURRENT = 600, 100


class Line(NamedTuple):
    """What straight lines through time constants at codes of the capacitance say.

    Attributes
    ----------
    capacitance : ndarray, shape (circuit,)
        The intrinsic one, in LSB of the switched one.
    conductance : ndarray, shape (circuit,)
        Of the leak, LSB over the unit of the time constants.
    covariance : ndarray, shape (circuit, 2, 2)
        Of the two. Not a number for two time constants with unknown errors.
    """

    capacitance: Values
    conductance: Values
    covariance: Values


def intrinsic_capacitance(bench: Bench, rng: np.random.Generator, tau_s: float = TAU_S, codes: NDArray[np.int64] = CODES, repeats: int = 4) -> Values:
    """Return the intrinsic capacitance of each circuit in LSB of the switched one, shape (circuit,); not a number where a membrane shows no decay.

    Parameters
    ----------
    bench : Bench
        Its converter is calibrated and its neurons are set up; their leaks and capacitances are as before in the end.
    rng : Generator
    tau_s : float
        Time constant with all of the capacitance, s.
    codes : ndarray of int
        Of the capacitance; at least two.
    repeats : int
        Measurements at each code.
    """
    times = np.median(membrane_times(bench, rng, tau_s, codes, repeats), axis=2)
    return fit(codes, times, times).capacitance


def membrane_times(bench: Bench, rng: np.random.Generator, tau_s: float = TAU_S, codes: NDArray[np.int64] = CODES, repeats: int = 1) -> Values:
    """Return membrane time constants at codes of the capacitance, s, shape (circuit, code, repeat); parameters as of :func:`intrinsic_capacitance`."""
    with bench.changed(**{field: bench.codes[field] for field in LEAK_FIELDS}, **enabled(), threshold_enable=False, membrane_capacitance_capacitance=FULL):
        bench.set(leak_v_leak=dithered(_V_LEAK, rng))
        search_membrane_time(bench, np.full(len(CIRCUITS), tau_s), rng, method="windows")
        found = []
        for code in codes.tolist():
            bench.set(membrane_capacitance_capacitance=code)
            window_us = 1e6 * tau_s * (code + _USUAL) / (FULL + _USUAL)
            found.append([relaxation(bench, window_us, round(_CURRENT * TAU_S / tau_s)) for _ in range(repeats)])
    return 1e-6 * np.asarray(found).transpose(2, 0, 1)


def fit(codes: NDArray[np.int64], times: Values, errors: Values, are_known: bool = False) -> Line:
    """Return the straight lines through time constants.

    Parameters
    ----------
    codes : ndarray of int, shape (code,)
    times : ndarray, shape (circuit, code)
        In one unit. Those of membranes whose decay was not seen, 0 or infinite, do not count; a circuit with less than two others has no result, not a number.
    errors : ndarray, shape (circuit, code)
        Standard errors of the time constants, or what they are proportional to.
    are_known : bool
        Whether `errors` are the errors themselves. Otherwise their size is that of what the lines leave.
    """
    counts = np.isfinite(times) & (times > 0)
    time = np.where(counts, times, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(counts, errors**-2.0, 0.0)
        total = weight.sum(axis=1)
        middle, height = (weight * codes).sum(axis=1) / total, (weight * time).sum(axis=1) / total
        away = codes - middle[:, np.newaxis]
        spread = (weight * away**2).sum(axis=1)
        slope = (weight * away * time).sum(axis=1) / spread
        rest = (weight * (time - height[:, np.newaxis] - slope[:, np.newaxis] * away) ** 2).sum(axis=1)
        size = 1.0 if are_known else rest / (counts.sum(axis=1) - 2)
        by_height, by_slope = np.stack([1 / slope, 0 * slope], axis=1), np.stack([-height / slope**2, -1 / slope**2], axis=1)
        covariance = _squared(by_height, size / total) + _squared(by_slope, size / spread)
        found = np.stack([height / slope - middle, 1 / slope])
    seen = counts.sum(axis=1) > 1
    capacitance, conductance = np.where(seen, found, np.nan)
    return Line(capacitance, conductance, np.where(seen[:, np.newaxis, np.newaxis], covariance, np.nan))


def _squared(derivative: Values, variance: Values) -> Values:
    return np.asarray(derivative[:, :, np.newaxis] * derivative[:, np.newaxis, :] * variance[:, np.newaxis, np.newaxis])
