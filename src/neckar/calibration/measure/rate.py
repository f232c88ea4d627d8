"""Equal firing rates by measurement: thresholds between reset and leak at which neurons fire by themselves as often as wanted.

The spike counters of all neurons run for as long as the fastest needs for 0.8 of their range, and thresholds are searched for the counts. Conditions as of
calix ``spiking/neuron_threshold.py`` (leak over threshold). A neuron whose threshold lies below its reset does not fire again, so counts fall with the
threshold only above the reset: the threshold there is searched first, and lower ones count as too low. So do the next ten codes, because that search
scatters by a few; neurons fire as fast as they can there.

Where a neuron reaches its leak long before it is to fire, noise decides when it fires, and the rate follows the threshold too steeply to be held: ask for
about one spike in a membrane time constant. With one in 2.5, a quarter of the neurons is more than 10 % too slow in the next run, whose cells are written anew.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.measure.bench import CIRCUITS, TABLE, Bench, snippet, ticks_of
from neckar.calibration.measure.binary import noisy_binary_search
from neckar.calibration.measure.outcome import Codes, Span, Values
from neckar.calibration.measure.potentials import reset_levels, search_threshold
from neckar.errors import ParameterRangeError
from neckar.facts import CAPMEM_MAX
from neckar.program import TimedRead

_COUNTER_MAX = TABLE["spike_counter"].high
_USED = 0.8
_MARGIN = 10
_OVERFLOW = float(_COUNTER_MAX**2)


def search_rate(bench: Bench, rate_hz: Values, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Search the thresholds for firing rates and leave them set.

    Parameters
    ----------
    bench : Bench
        A calibrated chip whose neurons rest above where their threshold is to lie, and are reset below.
    rate_hz : ndarray, shape (circuit,)
        Hz of hardware time; 0 leaves the threshold of a circuit alone. Rates below a tenth of the largest are counted coarsely.

    Returns
    -------
    ndarray of bool, shape (circuit,)
        Which circuits reached their rate; True for those that were left alone. False where no threshold above the reset gave as many spikes as wanted.

    Raises
    ------
    ParameterRangeError
        If a rate is negative or not finite, or all are zero.
    """
    if not np.all(np.isfinite(rate_hz) & (rate_hz >= 0)) or not rate_hz.any():
        raise ParameterRangeError(
            f"firing rates of {rate_hz.min():g} to {rate_hz.max():g} Hz are asked for; allowed are rates of 0 or more, at least one of them above 0. "
            "Give 0 where a threshold is to stay as it is."
        )
    mine, before = rate_hz > 0, bench.codes["threshold_v_threshold"]
    duration_s = _USED * _COUNTER_MAX / rate_hz.max()

    def measure(codes: Codes) -> Values:
        bench.set(threshold_v_threshold=codes)
        counts = count_spikes(bench, duration_s)
        np.maximum(most, counts, out=most, where=codes >= lowest)
        return np.where(codes < lowest, _OVERFLOW, counts)

    lowest, most = _thresholds_at_reset(bench, rng) + _MARGIN, np.zeros(len(CIRCUITS))
    with bench.changed(threshold_enable=True, event_routing_enable_digital=False):
        found = noisy_binary_search(measure, np.where(mine, rate_hz, rate_hz.max()) * duration_s, len(CIRCUITS), Span(0, CAPMEM_MAX), rng, inverted=True)
    bench.set(threshold_v_threshold=np.where(mine, found.codes, before))
    return (found.reached & (most >= rate_hz * duration_s)) | ~mine


def count_spikes(bench: Bench, duration_s: float) -> Values:
    """Return how often each neuron fires in a time, shape (circuit,); a counter that passed its end counts as very often."""
    reads = tuple(TimedRead(name=name, at="after", field=name) for name in ("spike_counter", "spike_counter_overflow"))
    recording = bench.run((snippet(int(ticks_of(duration_s * 1e6))),), reads=reads)
    return np.where(recording.reads["spike_counter_overflow"][0] > 0, _OVERFLOW, recording.reads["spike_counter"][0].astype(np.float64))


def _thresholds_at_reset(bench: Bench, rng: np.random.Generator) -> Codes:
    """Return the codes of the thresholds that lie where neurons are reset to."""
    with bench.changed(threshold_v_threshold=bench.codes["threshold_v_threshold"]):
        search_threshold(bench, reset_levels(bench), rng)
        return bench.codes["threshold_v_threshold"].astype(np.int64)
