"""The capacitance that neuron circuits have without any switched capacitor: ``tau = (C_switched + C_intrinsic) / g``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calix._stages import bench_on, translated
from calix._types import magnitude
from neckar.calibration import PotentialTarget
from neckar.calibration.measure import capacitance, set_neurons
from neckar.calibration.measure.stage import keyed_generator

__all__ = ["fit", "fit_function", "measure"]


def measure(
    connection: Any, tau_mem: Any = 100e-6, v_leak_cap_mem: int | None = None, test_values: Sequence[int] | None = None, n_rep: int = 1
) -> NDArray[np.float64]:
    """Return membrane time constants at several capacitances, us, shape (neuron, capacitance, repetition).

    Parameters
    ----------
    connection : StatefulConnection or hxcomm.ConnectionHandle
        With a calibrated CADC, which sees the membranes; upstream takes the MADC. Its neurons are left with default settings, as upstream leaves them.
    tau_mem : quantity or number, optional
        Time constant at the largest capacitance, s.
    v_leak_cap_mem
        Without effect.
    test_values : sequence of int, optional
        Codes of the capacitance, five from 10 to 63 by default.
    n_rep : int
        Measurements at each code.
    """
    codes = capacitance.CODES if test_values is None else np.asarray(test_values, np.int64)
    bench, rng = bench_on(connection), keyed_generator(0, "intrinsic capacitance")
    with translated():
        set_neurons(bench, PotentialTarget(), rng)
        found = capacitance.membrane_times(bench, rng, float(magnitude(tau_mem, "s")), codes, n_rep)
        bench.write()
    return 1e6 * found


def fit(capacitances: ArrayLike, time_constants: ArrayLike) -> list[dict[str, NDArray[np.float64]]]:
    """Return for each neuron ``parameters`` (intrinsic capacitance, LSB, and leak conductance, LSB/us) and their ``covariance``.

    Parameters
    ----------
    capacitances : array_like, shape (capacitance,)
        LSB.
    time_constants : array_like, shape (neuron, capacitance, repetition)
        us. With several repetitions their standard deviations are the errors of the fit; otherwise all errors are equal, and their size is that of the rest.
    """
    codes, times = np.asarray(capacitances, np.int64), np.asarray(time_constants, np.float64)
    several = times.shape[-1] > 1
    errors = np.maximum(times.std(axis=2), 1e-9) if several else np.ones(times.shape[:2])
    found = capacitance.fit(codes, times.mean(axis=2), errors, several)
    return [
        {"parameters": np.array([intrinsic, leak]), "covariance": covariance}
        for intrinsic, leak, covariance in zip(found.capacitance, found.conductance, found.covariance, strict=True)
    ]


def fit_function(set_capacitance: ArrayLike, intrinsic_capacitance: float, leak_conductance: float) -> Any:
    """Return the membrane time constant at a switched capacitance."""
    return (np.asarray(set_capacitance) + intrinsic_capacitance) / leak_conductance
