"""The parallel converter by measurement: ramps of the quadrants, then offsets of the channels.

All channels look at one voltage cell over the debug line. The start of each quadrant's ramp is searched for the mean reading of the lower potential, its
slope for that of the upper one; the digital offsets bring all channels to the median reading of the middle. Order and targets as of calix ``common/cadc.py``,
which takes a single reading for the offsets; the mean of eight takes out their noise, which would go into every potential that is read afterwards.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.measure.bench import TABLE, Bench
from neckar.calibration.measure.binary import binary_search
from neckar.calibration.measure.outcome import Codes, Outcome, Span, Values
from neckar.calibration.measure.predictive import predict
from neckar.calibration.settings import CONVERTER
from neckar.calibration.targets import CadcTarget
from neckar.facts import AXES, CAPMEM_MAX

_HALVES = AXES["quadrant"] // AXES["hemisphere"]
_OFFSET = TABLE["cadc_channel_offset"]
_READINGS = 8


def calibrate_cadc(bench: Bench, target: CadcTarget) -> dict[str, NDArray[np.bool_]]:
    """Search the converter's fields and leave them set; return for each of them which elements reached their target."""
    bench.set(**CONVERTER)
    reached = {}
    for field, end in (("cadc_v_ramp_offset", 0), ("cadc_i_ramp_slope", 1)):
        with bench.changed(stp_v_charge_0=target.dynamic_range[end]):
            found = binary_search(partial(_quadrants, bench, field), target.read_range[end], AXES["quadrant"], Span(0, CAPMEM_MAX), inverted=True)
        bench.set(**{field: found.codes})
        reached[field] = found.reached
    if target.calibrate_offsets:
        with bench.changed(stp_v_charge_0=sum(target.dynamic_range) // 2):
            found = _offsets(bench)
        bench.set(cadc_channel_offset=found.codes.reshape(_OFFSET.shape))
        reached["cadc_channel_offset"] = found.reached.reshape(_OFFSET.shape)
    return reached


def _quadrants(bench: Bench, field: str, codes: Codes) -> Values:
    """Return the mean reading of each quadrant with a field at codes."""
    bench.set(**{field: codes})
    reads = bench.converter()[0]
    return np.asarray(reads.reshape(*reads.shape[:2], _HALVES, -1).mean(axis=(1, 3)).reshape(-1))  # hemisphere, channel, half, column


def _offsets(bench: Bench) -> Outcome:
    """Return the offsets that bring all channels to their median reading."""

    def measure(codes: Codes) -> Values:
        bench.set(cadc_channel_offset=codes.reshape(_OFFSET.shape))
        return bench.converter(_READINGS).mean(axis=0).reshape(-1)

    none = np.zeros(_OFFSET.size, np.int64)
    return predict(measure, int(np.median(measure(none))), none, Span(_OFFSET.low, _OFFSET.high))
