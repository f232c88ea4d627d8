"""The capacitance that membranes have without any switched capacitor, by measurement: from the time constants at several switched capacitances.

With the same leak the time constant is ``(C_switched + C_intrinsic) / g``, a straight line in the code of the capacitance. Conditions as of calix
``measurement/intrinsic_capacitance.py``, with membranes of 60 us instead of 100 us, which are measured like all membranes in windows of the parallel converter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.measure.bench import CIRCUITS, TABLE, Bench
from neckar.calibration.measure.inputs import enabled
from neckar.calibration.measure.membrane import relaxation, search_membrane_time
from neckar.calibration.measure.outcome import Values
from neckar.calibration.measure.potentials import dithered

FULL = TABLE["membrane_capacitance_capacitance"].high
CODES = np.linspace(10, FULL, 5).astype(np.int64)
"""Codes at which time constants are measured."""

TAU_S = 60e-6
"""Time constant with all of the capacitance."""

_USUAL = 6.0
_V_LEAK, _CURRENT = 600, 100


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
    return fit(codes, times)[:, 0]


def membrane_times(bench: Bench, rng: np.random.Generator, tau_s: float = TAU_S, codes: NDArray[np.int64] = CODES, repeats: int = 1) -> Values:
    """Return membrane time constants at codes of the capacitance, s, shape (circuit, code, repeat); parameters as of :func:`intrinsic_capacitance`."""
    own = ("leak_v_leak", "leak_i_bias", "leak_enable_division", "leak_enable_multiplication")
    with bench.changed(**{field: bench.codes[field] for field in own}, **enabled(), threshold_enable=False, membrane_capacitance_capacitance=FULL):
        bench.set(leak_v_leak=dithered(_V_LEAK, rng))
        search_membrane_time(bench, np.full(len(CIRCUITS), tau_s), rng, method="windows")
        found = []
        for code in codes.tolist():
            bench.set(membrane_capacitance_capacitance=code)
            window_us = 1e6 * tau_s * (code + _USUAL) / (FULL + _USUAL)
            found.append([relaxation(bench, window_us, round(_CURRENT * TAU_S / tau_s)) for _ in range(repeats)])
    return 1e-6 * np.asarray(found).transpose(2, 0, 1)


def fit(codes: NDArray[np.int64], times_s: Values) -> Values:
    """Return intrinsic capacitance, LSB, and the capacitance over the leak's conductance that one LSB makes, s, of each circuit, shape (circuit, 2).

    Parameters
    ----------
    codes : ndarray of int, shape (code,)
    times_s : ndarray, shape (circuit, code)
        s; errors are taken to be proportional to them. Those of membranes whose decay was not seen, 0 or infinite, do not count; a circuit with less than two
        others has no result, not a number.
    """
    counts = np.isfinite(times_s) & (times_s > 0)
    times = np.where(counts, times_s, 1.0)
    weight = np.where(counts, times**-2.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = weight.sum(axis=1)
        code, time = (weight * codes).sum(axis=1) / total, (weight * times).sum(axis=1) / total
        away = codes - code[:, np.newaxis]
        slope = (weight * away * times).sum(axis=1) / (weight * away**2).sum(axis=1)
        found = np.stack([time / slope - code, slope], axis=1)
    return np.where(counts.sum(axis=1)[:, np.newaxis] > 1, found, np.nan)
