"""The CADC: a converter for all columns at once, 8 bit, 1024 channels.

Each hemisphere has two channels per column, *causal* and *acausal*; a channel sees the readout line of the column's neuron or, in plasticity, a correlation
sensor. All channels of a hemisphere convert at the same time. A ramp rises from a start potential, a counter counts, and each channel keeps the count at which
its comparator sees the ramp pass its input::

    reading = (v + o - v_start) / (step g) + delays + digital offset;   kept between 0 and 255, before and after the digital offset
    v_start = f_q (1.875 mV cadc_v_ramp_offset + 18.75 mV)          the ramp starts higher if it cannot return to v_start within cadc_reset_wait
    step    = 4.5 mV s_q cadc_i_ramp_slope / 350                      per LSB

With the default codes a nominal channel reads 20 at 0.15 V and 220 at 1.05 V, 4.5 mV per LSB: the line that a calibration by calix aims at. An
uncalibrated chip holds these codes too, but its ramps differ by quadrant (f_q, s_q) and its channels in offset (o) and gain (g), so readings of one potential
scatter by some 12 LSB until digital offsets and ramps are set by measurement. Without the effect mismatch every channel is nominal.

A neuron is read by the causal channel of its column, as by upstream's software. Whatever else a channel is switched to, such as the correlation sensors of a
row on both channels of each column, goes through the same transfer: ``CadcTransfer.codes(potentials, channels, noise)``. A read of ``cadc_debug`` connects all
channels to one voltage cell, from which the converter is calibrated (:func:`debug_readings`).

Source: haldls ``vx/cadc.h``, lola ``vx/cadc.h``, calix ``common/cadc.py``.

Not modelled: that a channel's result belongs to the moment at which the ramp passed its input (up to 1 us after the start; here all are taken at the
start), the bend of the ramp near the supply, its assignment to the other quadrant's start potential, crosstalk between channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.chip.coordinates import COLUMNS, COLUMNS_PER_BACKEND, column_of, hemisphere_of
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen, keyed_reads
from neckar.chip.transfer import Config
from neckar.facts import AXES, registers
from neckar.facts import brainscales2 as facts

CAUSAL, ACAUSAL = 0, 1
COUNTS = 2 ** int(facts.CADC_BITS.value)
FIELDS = (
    *("cadc_v_ramp_offset", "cadc_i_ramp_slope", "cadc_v_bias_ramp_buf", "cadc_i_bias_comp", "cadc_i_bias_vreset_buf"),
    *("cadc_reset_wait", "cadc_channel_offset"),
)
"""Fields on which readings depend."""

Values = NDArray[np.float64]

_TABLE = registers("brainscales2")
_SHAPE = tuple(AXES[axis] for axis in ("hemisphere", "cadc_channel", "column"))
_PER_HEMISPHERE = AXES["quadrant"] // AXES["hemisphere"]


def channels_of(circuits: ArrayLike, channel: int = CAUSAL) -> NDArray[np.int64]:
    """Return the channels, 0..1023, that read neuron circuits: top causal, top acausal, bottom causal, bottom acausal, each from column 0 on."""
    return (hemisphere_of(circuits) * AXES["cadc_channel"] + channel) * COLUMNS + column_of(circuits)


@dataclass(frozen=True, eq=False)
class CadcTransfer:
    """What the parallel converter reads: volts to 8-bit codes. Arrays have the shape (channel,), in the order of :func:`channels_of`.

    Attributes
    ----------
    start : ndarray
        Potential that reads 0 without delays and digital offset, V: the start of the ramp less the comparator's offset.
    step : ndarray
        Width of an LSB, V.
    delay : ndarray
        By how much delays beyond the nominal ones raise the reading, LSB.
    offset : ndarray
        Digital offset, LSB.
    noise : float
        Standard deviation of a read's white noise, LSB, without rounding.

    Notes
    -----
    A ramp without current stands still: inputs above it read 255, those below it 0.
    """

    start: Values
    step: Values
    delay: Values
    offset: NDArray[np.int64]
    noise: float

    @classmethod
    def of(cls, specimen: Specimen, effects: Effects, config: Config) -> Self:
        """Return the converter of a chip under a configuration; a field that a mapping lacks has its default. Mismatch and noise act."""
        codes = {name: np.asarray(config[name] if name in config else _TABLE[name].default_array(), np.float64) for name in FIELDS}
        deviation = _deviations(specimen, effects.mismatch)
        low = deviation["cadc_ramp_start"] * (facts.CADC_RAMP_START.slope.value * codes["cadc_v_ramp_offset"] + facts.CADC_RAMP_START.intercept.value)
        rest = np.exp(-np.repeat(codes["cadc_reset_wait"], _PER_HEMISPHERE) * _CYCLE * _bias(codes, "cadc_i_bias_vreset_buf") / facts.CADC_RESET_TIME.value)
        start = low + rest * np.maximum(facts.SUPPLY.value - low, 0.0)
        step = facts.CADC_STEP.value * deviation["cadc_ramp_slope"] * codes["cadc_i_ramp_slope"] / facts.CADC_RAMP_SLOPE_CODE.value
        delay = _late(facts.CADC_BUFFER_LAG.value, _bias(codes, "cadc_v_bias_ramp_buf"))
        delay += _late(facts.CADC_COMPARATOR_DELAY.value, _bias(codes, "cadc_i_bias_comp"))
        rounding = 1 / 12  # variance of rounding, contained in the published noise
        return cls(
            start=_spread(start) - deviation["cadc_offset"] * facts.CADC_STEP.value,
            step=_spread(step) * deviation["cadc_gain"],
            delay=_spread(delay),
            offset=codes["cadc_channel_offset"].reshape(-1).astype(np.int64),
            noise=math.sqrt(facts.CADC_NOISE.value**2 - rounding) if effects.noise else 0.0,
        )

    def reading(self, potential: ArrayLike, channels: ArrayLike, noise: ArrayLike | None = None) -> Values:
        """Return the exact reading without digital offset, neither rounded nor clipped.

        Parameters
        ----------
        potential : array_like, shape (..., channel)
            V.
        channels : array_like of int
            Channels, 0..1023.
        noise : array_like, optional
            Standard normal variates of the same shape as `potential`, e.g. of :func:`neckar.chip.specimen.keyed_reads`. None: no noise.

        Returns
        -------
        ndarray, float64
            LSB; infinite for a channel that cannot come to a result.
        """
        k = np.asarray(channels)
        above = np.asarray(potential, dtype=np.float64) - self.start[k]
        with np.errstate(divide="ignore", invalid="ignore"):
            exact = np.nan_to_num(above / self.step[k], nan=0.0, posinf=np.inf, neginf=-np.inf) + self.delay[k]
        return exact if noise is None else exact + self.noise * np.asarray(noise, dtype=np.float64)

    def codes(self, potential: ArrayLike, channels: ArrayLike, noise: ArrayLike | None = None) -> NDArray[np.uint8]:
        """Return the codes that the converter gives, uint8, digital offset included. Parameters as in :meth:`reading`."""
        count = np.clip(np.rint(self.reading(potential, channels, noise)), 0, COUNTS - 1)
        return np.clip(count + self.offset[np.asarray(channels)], 0, COUNTS - 1).astype(np.uint8)

    def volts(self, codes: ArrayLike, channels: ArrayLike) -> Values:
        """Return the potential in V at the centre of codes, shape (..., channel): the inverse of a noiseless reading."""
        k = np.asarray(channels)
        return self.start[k] + self.step[k] * (np.asarray(codes, dtype=np.float64) - self.offset[k] - self.delay[k])


def debug_readings(transfer: CadcTransfer, config: Config, key: tuple[str | int, ...] | None) -> NDArray[np.uint8]:
    """Return what all channels read of the debug line, on which the analog parameter memory shows ``stp_v_charge_0`` of quadrant 0.

    Parameters
    ----------
    transfer : CadcTransfer
    config : mapping of register arrays
        What the cells hold, LSB.
    key : tuple, optional
        Names the stream of noise of this moment; None: no noise.

    Returns
    -------
    ndarray, shape (hemisphere, cadc_channel, column), uint8
    """
    volts = facts.CAPMEM_VOLTAGE.slope.value * float(config[DEBUG_CELL][0]) + facts.CAPMEM_VOLTAGE.intercept.value
    channels = np.arange(math.prod(_SHAPE))
    noise = None if key is None else keyed_reads(np.zeros(1, np.int64), channels, "cadc debug", *key)[0]
    return transfer.codes(np.full(len(channels), volts), channels, noise).reshape(_SHAPE)


DEBUG_CELL = "stp_v_charge_0"
_CYCLE = 1.0 / facts.PPU_CLOCK.value


def _bias(codes: dict[str, Values], name: str) -> Values:
    """Return a bias relative to its default."""
    return codes[name] / float(_TABLE[name].default)


def _late(nominal_s: float, bias: Values) -> Values:
    """Return by how many counts a circuit whose delay is inverse to its bias is later than at the default; one without bias never answers."""
    return np.divide(nominal_s / _CYCLE, bias, out=np.full_like(bias, np.inf), where=bias > 0) - nominal_s / _CYCLE


def _spread(quadrants: Values) -> Values:
    """Return values of quadrants for each channel."""
    halves = np.repeat(quadrants.reshape(AXES["hemisphere"], 1, -1), COLUMNS_PER_BACKEND, axis=2)
    return np.ascontiguousarray(np.broadcast_to(halves, _SHAPE)).reshape(-1)


@lru_cache(maxsize=64)
def _deviations(specimen: Specimen, mismatch: bool) -> MappingProxyType[str, Any]:
    """Return how ramps, shape (quadrant,), and channels, shape (channel,), deviate from the nominal ones."""
    names = ("cadc_ramp_start", "cadc_ramp_slope", "cadc_offset", "cadc_gain")
    if not mismatch:
        return MappingProxyType({name: 0.0 if name == "cadc_offset" else 1.0 for name in names})
    return MappingProxyType({name: specimen.deviation(name).reshape(-1) for name in names})
