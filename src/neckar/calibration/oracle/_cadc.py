"""The parallel converter by oracle: ramps of the quadrants, offsets of the channels.

As upstream does it (calix ``common/cadc.py``): at the nominal slope, the start of each quadrant's ramp is searched such that its mean reading of the lower
potential is right; then the slope such that that of the upper one is; then the digital offsets bring all channels to the median reading of the middle. The
second search moves what the first has found, so quadrants end a little apart. The reading behind an offset is a single one, with its noise.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.calibration.oracle._search import TABLE, Oracle, Solution, Values, bisect
from neckar.calibration.settings import CONVERTER
from neckar.calibration.targets import CadcTarget
from neckar.chip.cadc import ACAUSAL, CAUSAL, CadcTransfer, channels_of
from neckar.chip.coordinates import COLUMNS_PER_BACKEND
from neckar.facts import AXES
from neckar.facts import brainscales2 as facts

_SHAPE = TABLE["cadc_channel_offset"].shape
_CHANNELS = np.arange(int(np.prod(_SHAPE)))


def calibrate_cadc(oracle: Oracle, target: CadcTarget) -> None:
    """Set the converter's fields on an oracle."""
    oracle.set(**CONVERTER)
    for field, end in (("cadc_v_ramp_offset", 0), ("cadc_i_ramp_slope", 1)):
        volts = _capmem_volts(target.dynamic_range[end])
        oracle.keep(field, bisect(partial(_quadrants, oracle, field, volts), target.read_range[end], (AXES["quadrant"],)))
    if target.calibrate_offsets:
        oracle.keep("cadc_channel_offset", _offsets(oracle, _capmem_volts(sum(target.dynamic_range) // 2)))


def neuron_volts(oracle: Oracle, reading: ArrayLike) -> Values:
    """Return the potential, V, at which the mean of both channels of each circuit reads a number of LSB; shape (circuit,)."""
    transfer = CadcTransfer.of(oracle.specimen, oracle.effects, oracle.codes)
    circuits = np.arange(AXES["circuit"])
    channels = np.stack([channels_of(circuits, channel) for channel in (CAUSAL, ACAUSAL)])
    step = transfer.step[channels]
    zero = (transfer.offset + transfer.delay - transfer.start / transfer.step)[channels].mean(axis=0)
    return np.asarray((np.asarray(reading, np.float64) - zero) / (1 / step).mean(axis=0))


def _capmem_volts(code: int) -> float:
    """Return the potential of the cell that the converter is calibrated with."""
    return float(facts.CAPMEM_VOLTAGE.slope.value * code + facts.CAPMEM_VOLTAGE.intercept.value)


def _readings(oracle: Oracle, codes: dict[str, Any], volts: float) -> Values:
    """Return the exact reading of every channel, digital offset excluded, in the shape of the channels."""
    transfer = CadcTransfer.of(oracle.specimen, oracle.effects, {**oracle.codes, **codes})
    return transfer.reading(np.full(len(_CHANNELS), volts), _CHANNELS).reshape(_SHAPE)


def _quadrants(oracle: Oracle, field: str, volts: float, code: NDArray[np.int64]) -> Values:
    """Return the mean reading of each quadrant with a field at a code, as counted: 0 to 255."""
    read = np.clip(_readings(oracle, {field: code}, volts), 0, 255)
    halves = read.reshape(*_SHAPE[:2], -1, COLUMNS_PER_BACKEND)  # hemisphere, channel, half, column
    return halves.mean(axis=(1, 3)).reshape(-1)


def _offsets(oracle: Oracle, volts: float) -> Solution:
    read = _readings(oracle, {}, volts)
    exact = np.rint(np.median(read)) - read - oracle.spread("cadc_channel_offset", facts.CADC_NOISE.value, _SHAPE)
    register = TABLE["cadc_channel_offset"]
    codes: NDArray[np.int64] = np.clip(np.rint(exact), register.low, register.high).astype(np.int64)
    return Solution(codes, (exact >= register.low) & (exact <= register.high))
