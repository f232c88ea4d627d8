"""The synaptic lines as the converters see them: how fast they come back after events, and how far an event pulls them.

The inputs are off meanwhile: the readout's multiplexer does not block a membrane above 1.2 V, which would cover the line. Conditions as of calix
``hagen/neuron_synin.py`` and ``common/synapse.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.measure.bench import CIRCUITS, Bench, snippet, ticks_of
from neckar.calibration.measure.bursts import Piece, alike, read_bursts
from neckar.calibration.measure.decay import fit_decays
from neckar.calibration.measure.outcome import Values
from neckar.calibration.measure.stimuli import KINDS, stimulated, trains
from neckar.errors import ConfigurationError
from neckar.program import CadcRecord, Record

SOURCES = ("exc_synin", "inh_synin")
"""Names of both lines as the converters see them, in the order of targets."""

_EVENTS, _EVENT_ROWS, _WEIGHT = 5, 8, 10
_SPACING_US = 0.016
_REST_SAMPLES = 30
_SAMPLES, _WINDOW = 100, 5.0
_LATENCY_US = 0.4
_FASTEST_US = 0.034
_BEFORE_US, _AFTER_US = 2.0 * np.arange(1, 6), 2.0 * np.arange(1, 6)
_TRIALS = 3


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
        for tau_us, circuits in alike(tau_s.max(axis=1)):
            found[circuits] = _decays(bench, circuits, tau_us).T * 1e-6
    return found


def _decays(bench: Bench, circuits: NDArray[np.int64], tau_us: float) -> Values:
    """Return the time constants of both lines of some circuits, us, shape (line, circuit)."""
    window_us = _WINDOW * tau_us
    interval_us = max(window_us / _SAMPLES, _FASTEST_US)
    rest_us = _REST_SAMPLES * interval_us
    event_us = rest_us + _SPACING_US * np.arange(_EVENTS)
    end_us = event_us[-1] + _LATENCY_US + max(window_us, _SAMPLES * _FASTEST_US)
    seen = read_bursts(bench, circuits, SOURCES, (Piece(end_us, recorded=True),), interval_us, trains(event_us, 1))
    resting = seen.at_us < rest_us
    below = seen.values[..., resting].mean(axis=-1, keepdims=True) - seen.values[..., ~resting]
    return np.stack([fit_decays(seen.at_us[~resting], line) for line in below])


def line_drops(bench: Bench, source: str) -> Values:
    """Return by how much one event pulls a line of each circuit, in readings of the parallel converter; a lost event does not show.

    Parameters
    ----------
    bench : Bench
        Lines that hardly come back, rows that pull (:func:`pulled`).
    source : str
        One of :data:`SOURCES`.

    Returns
    -------
    ndarray, shape (circuit,)
        LSB: the middle of three trials, each the difference of means of five rows.

    Raises
    ------
    ConfigurationError
        If rows were lost, so that nothing can be said about the circuits.
    """
    event_us = _BEFORE_US[-1] + 2.0
    ticks = ticks_of(np.concatenate([_BEFORE_US, event_us + _LATENCY_US + _AFTER_US]))
    record: Any = Record(spikes=(), cadc=(CadcRecord(circuits=CIRCUITS, source=source, ticks=ticks),))  # type: ignore[arg-type]
    recording = bench.run((snippet(int(ticks[-1] + ticks_of(2.0))),), record=record, entries=trains(event_us, _TRIALS))
    drops = np.empty((_TRIALS, len(CIRCUITS)))
    for samples in recording.cadc:
        if len(samples.tick) != _TRIALS * len(ticks):
            raise ConfigurationError(f"{len(samples.tick)} of {_TRIALS * len(ticks)} rows of the CADC came back. Ask for fewer, or less often.")
        rows = samples.value.reshape(_TRIALS, 2, len(_BEFORE_US), -1).astype(np.float64).mean(axis=2)
        drops[:, list(samples.circuits)] = rows[:, 0] - rows[:, 1]
    return np.asarray(np.median(drops, axis=0))
