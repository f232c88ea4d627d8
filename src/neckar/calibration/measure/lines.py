"""The synaptic lines as the fast converter sees them: how fast they come back after events, and how far an event pulls them.

The inputs are off meanwhile: the readout's multiplexer does not block a membrane above 1.2 V, which would cover the line. Conditions as of calix
``hagen/neuron_synin.py`` and ``common/synapse.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.measure.bench import Bench
from neckar.calibration.measure.bursts import FASTEST_US, Piece, by_time_constant, read_bursts
from neckar.calibration.measure.decay import fit_decays
from neckar.calibration.measure.outcome import Values
from neckar.calibration.measure.stimuli import KINDS, stimulated, trains
from neckar.facts import AXES

SOURCES = ("exc_synin", "inh_synin")
"""Names of both lines as the converter sees them, in the order of targets."""

_EVENTS, _EVENT_ROWS, _WEIGHT = 5, 8, 63
_SPACING_US = 0.016
_REST_SAMPLES = 30
_SAMPLES, _WINDOW = 100, 5.0
_LATENCY_US = 0.4
_DROP_US, _DROP_INTERVAL_US, _DROP_LATENCY_US = 4.0, 0.2, 0.6
_LOST = 0.1


@contextmanager
def pulled(bench: Bench, kind: str, rows: int | NDArray[np.int64], weight: int) -> Iterator[None]:
    """Let events pull the lines of all circuits inside the block, without effect on membranes. Parameters as of :func:`stimulated`."""
    off = {f"{name}_input_enable": False for name in KINDS}
    with bench.changed(**off, threshold_enable=False), stimulated(bench, kind, rows, weight):
        yield


def line_times(bench: Bench, tau_s: Values) -> Values:
    """Return the time constants of both lines of each circuit, s: fits to samples of the fast converter after five events on eight rows.

    Parameters
    ----------
    bench : Bench
    tau_s : ndarray, shape (circuit, 2)
        About what is expected. Circuits whose longest expectations lie within a factor of two are looked at in one program.

    Returns
    -------
    ndarray, shape (circuit, 2)
        Infinite for a line that does not come back.
    """
    found = np.empty(tau_s.shape)
    with pulled(bench, "both", _EVENT_ROWS, _WEIGHT):
        for tau_us, circuits in by_time_constant(tau_s.max(axis=1)):
            found[circuits] = _decays(bench, circuits, tau_us).T * 1e-6
    return found


def _decays(bench: Bench, circuits: NDArray[np.int64], tau_us: float) -> Values:
    """Return the time constants of both lines of some circuits, us, shape (line, circuit)."""
    window_us = _WINDOW * tau_us
    interval_us = max(window_us / _SAMPLES, FASTEST_US)
    rest_us = _REST_SAMPLES * interval_us
    event_us = rest_us + _SPACING_US * np.arange(_EVENTS)
    end_us = event_us[-1] + _LATENCY_US + max(window_us, _SAMPLES * FASTEST_US)
    seen = read_bursts(bench, circuits, SOURCES, (Piece(end_us, recorded=True),), interval_us, trains(event_us, 1))
    resting = seen.at_us < rest_us
    (values,) = seen.values
    below = values[..., resting].mean(axis=-1, keepdims=True) - values[..., ~resting]
    return np.stack([fit_decays(seen.at_us[~resting], line) for line in below])


def line_drops(bench: Bench, source: str) -> Values:
    """Return by how much an event on all buses pulls a line of each circuit, in readings of the fast converter; a lost event does not show.

    Parameters
    ----------
    bench : Bench
        Lines that hardly come back, rows that pull (:func:`pulled`).
    source : str
        One of :data:`SOURCES`.

    Returns
    -------
    ndarray, shape (circuit,)
        LSB: the mean of two drops of a trial, or the larger one if the link has lost an event of the other.
    """
    events_us = _DROP_US * np.arange(1, 3)
    trial = (Piece(3 * _DROP_US, recorded=True),)
    at_us, ((values,),) = read_bursts(bench, np.arange(AXES["circuit"]), (source,), trial, _DROP_INTERVAL_US, trains(events_us, 1))
    phase_us, part = at_us % _DROP_US, at_us // _DROP_US
    levels = [values[:, (part == k) & (phase_us > _DROP_LATENCY_US)].mean(axis=1) for k in range(3)]
    drops = -np.diff(levels, axis=0)
    size = np.median(drops, axis=1)
    return np.asarray(drops[size >= size.max() - _LOST * abs(size.max())].mean(axis=0))
