"""What the correlation sensors of single synapses answer to pairs of pulses, and how large and how long-lived that is.

The experiment is that of the calibration (:mod:`neckar.calibration.measure.correlation`): all columns of the chip are measured together, so that a part costs
as much as the whole.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import quantities as pq
from numpy.typing import NDArray

from calix._stages import bench_on, translated
from dlens_vx_v3 import logger
from dlens_vx_v3.halco import SynapseQuadColumnOnDLS
from neckar.calibration.measure import Bench
from neckar.calibration.measure.correlation import BRANCHES, COLUMNS, HEMISPHERES, ROWS, all_drops
from neckar.errors import ConfigurationError, ParameterRangeError

__all__ = ["CorrelationMeasurement"]

_log = logger.get("calix.spiking.correlation_measurement")

_SMALLEST, _LARGEST = 8, 160
_UNLIKELY = 5.0
_START, _BOUNDS = (20, 5, 0), ([0, 0.1, 0], [255, 100, 255])


class CorrelationMeasurement:
    """Pairs of pulses with several delays.

    Parameters
    ----------
    delays : quantity array, shape (delay,)
        From pre to post pulse; negative for the other order.
    n_events : int
        Pairs of one measurement.
    amp_calib, time_calib : int or ndarray of int, shape (neuron, row)
        Bits of the synapses.
    i_ramp, i_store : int or ndarray of int, shape (quadrant,)
        Shared currents of the sensors, LSB.

    Raises
    ------
    ParameterRangeError
        If a delay is 0.
    """

    def __init__(self, delays: Any, *, n_events: int = 100, amp_calib: Any = 0, time_calib: Any = 0, i_ramp: Any = 80, i_store: Any = 70) -> None:
        if np.any(np.asarray(delays.magnitude) == 0):
            raise ParameterRangeError("a delay is 0; allowed are pulses one after the other, either first. Leave it out.")
        self.delays, self.n_events = delays, n_events
        shape = (HEMISPHERES * COLUMNS, ROWS)
        self.amp_calib, self.time_calib = (np.array(np.broadcast_to(np.asarray(bits), shape)) for bits in (amp_calib, time_calib))
        self.i_ramp, self.i_store = i_ramp, i_store

    def prelude(self, connection: Any) -> None:
        """Set currents and bits of the sensors on the chip of a connection."""
        bench = bench_on(connection)
        bench.set(syn_i_bias_ramp=self.i_ramp, syn_i_bias_store=self.i_store)
        bench.set(synapse_amp_calib=_planes(self.amp_calib), synapse_time_calib=_planes(self.time_calib))
        bench.write()

    def measure_chip(self, connection: Any) -> NDArray[np.int64]:
        """Return by how much the readings of all sensors fall, LSB, shape (delay, neuron, row, sensor): the causal sensor first.

        Parameters
        ----------
        connection : StatefulConnection or hxcomm.ConnectionHandle
            With a calibrated converter. Bits and currents are as the chip holds them: :meth:`prelude`.
        """
        return self._measure(bench_on(connection))

    def measure_quad(self, connection: Any, quad: Any, synram: Any) -> NDArray[np.int64]:
        """Return the same as :meth:`measure_chip` of four columns, shape (delay, column, row, sensor).

        Parameters
        ----------
        connection : StatefulConnection or hxcomm.ConnectionHandle
        quad : halco.SynapseQuadColumnOnDLS or int
        synram : halco.SynramOnDLS
        """
        columns = [int(column) + COLUMNS * int(synram.toEnum()) for column in SynapseQuadColumnOnDLS(int(quad)).toNeuronColumnOnDLS()]
        return self.measure_chip(connection)[:, columns]

    def _measure(self, bench: Bench) -> NDArray[np.int64]:
        delays_us = self.delays.rescale(pq.us).magnitude
        found = np.empty((len(delays_us), HEMISPHERES * COLUMNS, ROWS, len(BRANCHES)), np.int64)
        with translated():
            for branch, chosen in zip(BRANCHES, (delays_us > 0, delays_us < 0), strict=True):
                if chosen.any():
                    drop = all_drops(bench, np.abs(delays_us[chosen]), branch, self.n_events)
                    found[chosen] = drop.transpose(1, 2, 4, 3, 0).reshape(chosen.sum(), *found.shape[1:])
            bench.write()
        return found

    @staticmethod
    def fitfunc(delay: Any, amplitude: float, time_constant: float, offset: float) -> Any:
        """Return ``amplitude * exp(-delay / time_constant) + offset``."""
        return amplitude * np.exp(-delay / time_constant) + offset

    def fit(self, results: NDArray[Any]) -> tuple[NDArray[np.float64], Any]:
        """Return amplitudes per pair, LSB, and time constants of all sensors from fits of :meth:`fitfunc`, shape (column, row, sensor); NaN without a fit.

        Parameters
        ----------
        results : ndarray, shape (delay, column, row, sensor)
        """
        from scipy.optimize import curve_fit

        delays_us, shape = self._delays_of(results), results.shape[1:]
        amplitude, tau_us = np.full(shape, np.nan), np.full(shape, np.nan)
        for sensor, chosen in enumerate((delays_us > 0, delays_us < 0)):
            for place in np.ndindex(shape[:2]):
                try:
                    found, _ = curve_fit(self.fitfunc, np.abs(delays_us[chosen]), results[chosen, *place, sensor], p0=_START, bounds=_BOUNDS)
                except RuntimeError:
                    continue
                amplitude[*place, sensor], tau_us[*place, sensor] = found[:2]
        if missing := int(np.isnan(amplitude).sum()):
            _log.WARN(f"no fit was found for {missing} of {amplitude.size} correlation sensors; their amplitude and time constant are NaN")
        return amplitude / self.n_events, tau_us * pq.us

    def estimate_fit(self, results: NDArray[Any]) -> tuple[NDArray[np.float64], Any]:
        """Return the same as :meth:`fit` without fits: the mean of what neighbouring delays say of the decay, and what that says of the height at delay 0.

        Readings below 8 or above 160 LSB do not count.

        Raises
        ------
        ParameterRangeError
            If an order of the pulses has less than two delays.
        """
        delays_us = self._delays_of(results)
        trusted = np.where((results >= _SMALLEST) & (results <= _LARGEST), results, np.nan).astype(np.float64)
        chosen = []
        for sign, name in ((1, "causal"), (-1, "acausal")):
            order = np.flatnonzero(sign * delays_us > 0)
            if len(order) < 2:
                raise ParameterRangeError(f"there are {len(order)} {name} delays; allowed are two or more. Give more.")
            chosen.append(order[np.argsort(np.abs(delays_us[order]))])
        with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)  # sensors without a trusted reading are NaN
            tau_us = np.stack([_tau(trusted[order, ..., s], np.abs(delays_us[order])) for s, order in enumerate(chosen)], axis=-1)
            typical = np.nanmedian(tau_us)
            used = np.where((tau_us < typical / _UNLIKELY) | (tau_us > typical * _UNLIKELY), typical, tau_us)
            heights = [trusted[order, ..., s] * np.exp(np.abs(delays_us[order])[:, None, None] / used[..., s]) for s, order in enumerate(chosen)]
            amplitude = np.stack([np.nanmean(height, axis=0) for height in heights], axis=-1)
        return amplitude / self.n_events, tau_us * pq.us

    def _delays_of(self, results: NDArray[Any]) -> NDArray[np.float64]:
        if len(results) != len(self.delays):
            raise ConfigurationError(f"results have {len(results)} delays; allowed are the {len(self.delays)} of this measurement. Pass what it measured.")
        return np.asarray(self.delays.rescale(pq.us).magnitude, np.float64)


def _planes(bits: NDArray[Any]) -> NDArray[Any]:
    """Return bits of shape (neuron, row) as planes, shape (hemisphere, row, column)."""
    return bits.reshape(HEMISPHERES, COLUMNS, ROWS).swapaxes(1, 2)


def _tau(values: NDArray[np.float64], delays_us: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean time constant of falling neighbours, us."""
    ratio = values[1:] / values[:-1]
    ratio[ratio >= 1] = np.nan
    return np.asarray(np.nanmean(-np.diff(delays_us)[:, None, None] / np.log(ratio), axis=0))
