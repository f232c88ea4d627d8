"""Synapse drivers of matrix multiplication."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calix._results import SynapseDriverCalibResult
from calix._stages import bench_on, measure_part, translated
from calix._targets import SynapseDriverCalibOptions, activation_of
from neckar.calibration import HagenSyninTarget
from neckar.calibration.measure import Bench, Stage
from neckar.calibration.measure.drivers import amplitudes, lines, pull_for, search_multiplication
from neckar.calibration.measure.stage import Reached

__all__ = ["SynapseDriverCalibOptions", "SynapseDriverCalibResult", "SynapseDriverMeasurement", "calibrate"]


def calibrate(connection: Any, options: SynapseDriverCalibOptions | None = None) -> SynapseDriverCalibResult:
    """Return ramps and offsets of all drivers, measured on the chip of a connection, and leave them there.

    Parameters
    ----------
    connection : StatefulConnection or hxcomm.ConnectionHandle
        With a converter that is calibrated for synaptic lines, and with calibrated currents of synapses.
    options : optional
    """
    options = options or SynapseDriverCalibOptions()
    activation = activation_of(options)

    def search(bench: Bench, rng: np.random.Generator) -> Reached:
        ramps, offsets = search_multiplication(bench, activation)
        return {"stp_i_ramp": ramps, "driver_hagen_dac_offset": offsets}

    found = measure_part(connection, HagenSyninTarget(offset_test_activation=activation), None, (Stage("drivers", search),))
    return SynapseDriverCalibResult._of(found, options)


class SynapseDriverMeasurement:
    """Measures what each driver sends.

    Parameters
    ----------
    n_parallel_measurements : int
        Without effect: sixteen drivers of a hemisphere answer together, each on columns of its own.
    """

    def __init__(self, n_parallel_measurements: int = 1) -> None:
        self.n_parallel_measurements = n_parallel_measurements

    def measure_syndrv_amplitudes(self, connection: Any, activations: Any, *, weight: int = 63, n_runs: int = 5, num_sends: int = 3) -> NDArray[np.float64]:
        """Return by how much the events of each driver pull synaptic lines down, CADC LSB, shape (activation, driver), or (driver,) for one activation.

        Parameters
        ----------
        connection : StatefulConnection or hxcomm.ConnectionHandle
            With a :class:`calix.hagen.HagenSyninCalibResult`.
        activations : int or ndarray of int
            1 to 31.
        weight : int
            Of the synapses, in both rows of a driver.
        n_runs : int
            The median counts.
        num_sends : int
            Events of each driver. Fewer are sent, and the result is scaled, where so many of all drivers would leave the range of the converter.
        """
        bench = bench_on(connection)
        with translated():
            sends = min(num_sends, pull_for(bench).sends)
            with lines(bench, int(weight)):
                found = [num_sends * amplitudes(bench, int(one), sends, n_runs).reshape(-1) for one in np.atleast_1d(activations)]
            bench.write()
        return np.stack(found) if np.ndim(activations) else found[0]
