"""Correlation sensors: from codes to amplitudes, time constants and what the CADC reads.

Each synapse has a causal and an acausal sensor. A pulse starts a trace that decays, the next pulse of the other kind takes its value, and the charge lowers a
voltage that the CADC reads (the pairing: :mod:`neckar.dynamics._correlation`)::

    pair     eta exp(-dt / tau)
    eta      = 0.5 LSB (70 / syn_i_bias_store) (1 + 0.4 synapse_amp_calib) a sqrt(b) or / sqrt(b)      a, b: the synapse's own factor, and its asymmetry
    tau      = 5 us (80 / syn_i_bias_ramp) (1 + 0.4 synapse_time_calib) c                               c: the synapse's own factor
    reading  = that of the CADC's channel for a nominal 190 LSB + baseline of the sensor - charge, kept within the supply

A cell at 0 switches the sensors of its quadrant off: they take no charge and keep what they have. Both cells are 0 after a reset, so programs that do not use
the sensors pay nothing for them. Sources: haldls ``vx/synapse.h``, ``vx/correlation.h``, calix ``spiking/correlation.py`` and ``correlation_measurement.py``.

Not modelled: pulses of a neuron reset and of the host as post pulses, traces that are not exponential, the board's voltages (fixed at their usual values),
influence of the sensors on readings of the neurons, leakage of the charge, the time that a readout of many rows takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.chip.cadc import CadcTransfer
from neckar.chip.coordinates import COLUMNS, COLUMNS_PER_BACKEND
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen, keyed_reads
from neckar.chip.transfer import Config
from neckar.dynamics import SensorParameters
from neckar.facts import AXES, registers
from neckar.facts import brainscales2 as facts
from neckar.program import TICK_S

CAUSAL, ACAUSAL = 0, 1
READS = ("correlation_causal", "correlation_acausal")
CELLS = ("syn_i_bias_store", "syn_i_bias_ramp")
FIELDS = (*CELLS, "synapse_amp_calib", "synapse_time_calib")
"""Fields on which the sensors depend."""

HEMISPHERES, ROWS = AXES["hemisphere"], AXES["row"]


def sensor_parameters(specimen: Specimen, effects: Effects, config: Config) -> tuple[SensorParameters, ...]:
    """Return the sensors of each hemisphere under a configuration; a field that a mapping lacks has its default. Of the effects mismatch acts."""
    store, ramp = (_of_columns(_field(config, name)) for name in CELLS)
    on = (store > 0) & (ramp > 0)
    step = facts.CORRELATION_CALIB_STEP.value
    eta = facts.CORRELATION_AMPLITUDE.value * facts.CORRELATION_STORE_BIAS.value / np.maximum(store, 1.0) * on
    tau = facts.CORRELATION_TIME.value * facts.CORRELATION_RAMP_BIAS.value / np.maximum(ramp, 1.0)
    own = _deviations(specimen, effects.mismatch)
    found = []
    for h in range(HEMISPHERES):
        amplitude = eta[h] * (1 + step * _field(config, "synapse_amp_calib")[h])
        amplitude = np.stack([amplitude * own["causal"][h], amplitude * own["acausal"][h]])
        time = tau[h] * (1 + step * _field(config, "synapse_time_calib")[h]) * own["time"][h]
        found.append(SensorParameters(amplitude.astype(np.float32), (TICK_S / time).astype(np.float32)))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class SensorOutputs:
    """The outputs of some rows of sensors, as the CADC sees them.

    Attributes
    ----------
    baseline : ndarray, shape (2, row, column), or 0
        Deviation of the level without charge from the nominal one, LSB.
    driven : ndarray of bool, shape (column,)
        Whether the columns' outputs have a bias.
    """

    baseline: NDArray[np.float64] | float
    driven: NDArray[np.bool_]

    def volts(self, charge: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the voltages for a charge (LSB), shape (2, row, column), V."""
        level = facts.CORRELATION_BASELINE.value - charge.astype(np.float64) + self.baseline
        return np.asarray(np.clip(facts.CADC_ZERO.value + facts.CADC_STEP.value * level, 0.0, facts.SUPPLY.value) * self.driven)


def sensor_outputs(specimen: Specimen, effects: Effects, config: Config, hemisphere: int, rows: NDArray[np.int64]) -> SensorOutputs:
    """Return the outputs of some rows of sensors of a hemisphere under a configuration. Of the effects mismatch acts."""
    baseline = _deviations(specimen, True)["baseline"][hemisphere][:, rows] if effects.mismatch else 0.0
    return SensorOutputs(baseline, _of_columns(_field(config, "syn_i_bias_corout"))[hemisphere] > 0)


def readings(
    specimen: Specimen,
    effects: Effects,
    config: Config,
    transfer: CadcTransfer,
    hemisphere: int,
    rows: NDArray[np.int64],
    charge: NDArray[np.float32],
    key: tuple[str | int, ...] | None,
) -> NDArray[np.uint8]:
    """Return what the CADC reads of some rows of sensors.

    Parameters
    ----------
    specimen, effects, config
        Of the effects mismatch acts; the CADC brings its own.
    transfer : CadcTransfer
    hemisphere : int
    rows : ndarray of int64, shape (row,)
    charge : ndarray, shape (2, row, column)
        LSB, causal and acausal.
    key : tuple, optional
        Names the stream of noise of this moment; None: no noise.

    Returns
    -------
    ndarray, shape (2, row, column), uint8
    """
    volts = sensor_outputs(specimen, effects, config, hemisphere, rows).volts(charge)
    codes = np.empty(volts.shape, np.uint8)
    for channel in (CAUSAL, ACAUSAL):
        channels = (hemisphere * AXES["cadc_channel"] + channel) * COLUMNS + np.arange(COLUMNS)
        noise = None if key is None else keyed_reads(rows, channels, "correlation", *key)
        codes[channel] = transfer.codes(volts[channel], channels, noise)
    return codes


def _field(config: Config, name: str) -> NDArray[Any]:
    return np.asarray(config[name] if name in config else registers("brainscales2")[name].default_array())


def _of_columns(quadrants: NDArray[Any]) -> NDArray[np.float64]:
    """Return the cells of quadrants for each column, shape (hemisphere, column)."""
    return np.repeat(quadrants.astype(np.float64).reshape(HEMISPHERES, -1), COLUMNS_PER_BACKEND, axis=1)


@lru_cache(maxsize=4)
def _deviations(specimen: Specimen, mismatch: bool) -> dict[str, Any]:
    """Return factors of the amplitudes and time constants, shape (hemisphere, row, column), and baselines, shape (hemisphere, 2, row, column), LSB."""
    if not mismatch:
        one = np.ones((HEMISPHERES, 1, 1))
        return {"causal": one, "acausal": one, "time": one}
    amplitude, asymmetry = specimen.deviation("correlation_amplitude"), np.sqrt(specimen.deviation("correlation_asymmetry"))
    return {
        "causal": amplitude * asymmetry,
        "acausal": amplitude / asymmetry,
        "time": specimen.deviation("correlation_time"),
        "baseline": specimen.deviation("correlation_baseline"),
    }
