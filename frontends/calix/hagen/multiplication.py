"""Products of vectors and matrices on synaptic lines; the experiment is :mod:`neckar.calibration.measure.products`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calix._stages import bench_on, translated
from dlens_vx_v3 import halco, lola
from neckar.calibration.measure.products import COLUMNS, ROWS, SECOND_ROW, prepare, products
from neckar.errors import ParameterRangeError

__all__ = ["Multiplication"]

_COLUMNS_OF_SIGN = 2


class Multiplication:
    """Multiplies on the lines of one hemisphere.

    The converter has to be calibrated for synaptic lines, as well as drivers and currents of the synapses: a :class:`calix.hagen.HagenSyninCalibResult`.
    A vector starts from lines at rest; upstream resets them over the debug lines, which have no model.

    Parameters
    ----------
    synram : halco.SynramOnDLS, optional
        The hemisphere, the top one by default.
    num_sends : int
        How often the events of a vector are sent, at least 1.
    wait_period : int
        Between two events, cycles of the FPGA (8 ns).
    signed_mode : bool
        Two columns, one for each sign, give one signed weight; half as many outputs.

    Raises
    ------
    ParameterRangeError
        If nothing is sent.
    """

    def __init__(self, synram: Any = None, *, num_sends: int = 1, wait_period: int = 4, signed_mode: bool = True) -> None:
        if num_sends < 1:
            raise ParameterRangeError(f"num_sends is {num_sends}; allowed is at least 1. Leave it out to send vectors once.")
        self.synram_coord = halco.SynramOnDLS() if synram is None else synram
        self.num_sends, self.wait_period, self.signed_mode = num_sends, wait_period, signed_mode

    @property
    def _outputs(self) -> int:
        return COLUMNS // _COLUMNS_OF_SIGN if self.signed_mode else COLUMNS

    @staticmethod
    def configure_for_integration(config: Any) -> None:
        """Let both lines of a ``lola.AtomicNeuron`` integrate, and show the excitatory one."""
        for line in (config.excitatory_input, config.inhibitory_input):
            line.enable = line.enable_small_capacitance = False
            line.enable_high_resistance = True
            line.i_bias_tau = 0
        config.readout.source = lola.AtomicNeuron.Readout.Source.exc_synin
        config.readout.enable_amplifier, config.readout.enable_buffered_access = True, False

    def preconfigure(self, connection: Any) -> None:
        """Set neurons and drivers of the hemisphere for products; what a calibration has found stays."""
        bench = bench_on(connection)
        prepare(bench, int(self.synram_coord))
        bench.write()

    def get_synapse_matrix(self, matrix: NDArray[Any]) -> Any:
        """Return the ``lola.SynapseMatrix`` of a weight matrix, shape (output, row)."""
        synapses = lola.SynapseMatrix()
        synapses.weights.from_numpy(self._weights(np.asarray(matrix)))
        synapses.labels.from_numpy(np.broadcast_to((np.arange(ROWS) % 2 * SECOND_ROW)[:, None], (ROWS, COLUMNS)))
        return synapses

    def multiply(self, connection: Any, vectors: NDArray[Any], matrix: NDArray[Any]) -> NDArray[np.float64]:
        """Return products, readings of the converter, shape (vector, output).

        Parameters
        ----------
        connection : StatefulConnection or hxcomm.ConnectionHandle
            After :meth:`preconfigure`.
        vectors : ndarray of int, shape (vector, row)
            0 to 31.
        matrix : ndarray of int, shape (output, row)
            -63 to 63 in signed mode, else 0 to 63. All 256 rows, and all 128 or 256 outputs.

        Raises
        ------
        ParameterRangeError
            If shapes or entries do not fit.
        """
        vectors, matrix = np.asarray(vectors, np.int64), np.asarray(matrix, np.int64)
        self._check("matrix", matrix, (self._outputs, ROWS))
        self._check("vectors", vectors, (len(vectors), ROWS))
        bench = bench_on(connection)
        with translated():
            found = products(bench, int(self.synram_coord), vectors, self._weights(matrix), self.num_sends, self.wait_period).astype(np.float64)
        return found[:, ::_COLUMNS_OF_SIGN] - found[:, 1::_COLUMNS_OF_SIGN] if self.signed_mode else found

    def auto_multiply(self, connection: Any, vectors: NDArray[Any], matrix: NDArray[Any], *, n_row_repeats: int | str = 1) -> NDArray[np.float64]:
        """Return products of a matrix of any number of inputs: more than there are rows take turns, fewer may be repeated.

        Parameters
        ----------
        connection, vectors, matrix
            As of :meth:`multiply`, with any number of rows and at most all outputs.
        n_row_repeats : int or "auto"
            How many times each input has a row; ``"auto"`` fills the rows.

        Raises
        ------
        ParameterRangeError
            If shapes do not fit.
        """
        vectors, matrix = np.asarray(vectors, np.int64), np.asarray(matrix, np.int64)
        if vectors.ndim != 2 or matrix.ndim != 2 or vectors.shape[1] != matrix.shape[1] or len(matrix) > self._outputs:
            raise ParameterRangeError(
                f"vectors {vectors.shape} and a matrix {matrix.shape} do not fit; allowed are equal inputs and {self._outputs} outputs. Cut the matrix."
            )
        repeats = max(ROWS // matrix.shape[1], 1) if n_row_repeats == "auto" else int(n_row_repeats)
        if repeats < 1:
            raise ParameterRangeError(f"n_row_repeats is {n_row_repeats!r}; allowed is at least 1, or 'auto'. Leave it out.")
        vectors, matrix = np.tile(vectors, (1, repeats)), np.tile(matrix, (1, repeats))
        total = np.zeros((len(vectors), len(matrix)))
        for start in range(0, matrix.shape[1], ROWS):
            width = matrix[:, start : start + ROWS].shape[1]
            part, entries = np.zeros((self._outputs, ROWS), np.int64), np.zeros((len(vectors), ROWS), np.int64)
            part[: len(matrix), :width], entries[:, :width] = matrix[:, start : start + ROWS], vectors[:, start : start + ROWS]
            total += self.multiply(connection, entries, part)[:, : len(matrix)]
        return total

    def _weights(self, matrix: NDArray[Any]) -> NDArray[np.int64]:
        """Return the weights of the synapses, shape (row, column)."""
        if not self.signed_mode:
            return matrix.T
        highest = int(lola.SynapseMatrix.Weight.max)
        if np.abs(matrix).max(initial=0) > highest:
            raise ParameterRangeError(f"the matrix has entries up to {np.abs(matrix).max()}; allowed is -{highest} to {highest}. Scale it.")
        weights = np.zeros((matrix.shape[1], _COLUMNS_OF_SIGN * len(matrix)), np.int64)
        weights[:, ::_COLUMNS_OF_SIGN], weights[:, 1::_COLUMNS_OF_SIGN] = np.maximum(matrix.T, 0), np.maximum(-matrix.T, 0)
        return weights

    @staticmethod
    def _check(name: str, values: NDArray[Any], shape: tuple[int, ...]) -> None:
        if values.shape != shape:
            raise ParameterRangeError(f"{name} has shape {values.shape}; allowed is {shape}. Fill it with zeros, or call auto_multiply.")
