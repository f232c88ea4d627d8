"""Products of vectors and a matrix on synaptic lines: one read of the parallel converter before the events of a vector, one after them.

A vector's entries are the lengths of pulses, the matrix the weights of the synapses; a line integrates both. Order and spacing of events as of calix
``hagen/multiplication.py``. Upstream resets the lines to 1.2 V between vectors; here each vector is a trial, which starts from rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.measure.bench import TABLE, Bench, snippet, ticks_of
from neckar.calibration.measure.stimuli import BUSES
from neckar.errors import ConfigurationError, ParameterRangeError
from neckar.facts import AXES
from neckar.facts import brainscales2 as facts
from neckar.facts.labels import LABEL_CHANNEL_SHIFT, LABEL_SELECT_SHIFT
from neckar.program import CadcRecord, Events, Record

ROWS, COLUMNS, HEMISPHERES = AXES["row"], AXES["column"], AXES["hemisphere"]
SECOND_ROW = 32
"""Bit of a label that chooses the second row of a driver, and so the label of its synapses."""

_LONGEST = int(facts.HAGEN_ACTIVATION_MAX.value)
_BEFORE_US, _START_US, _SETTLE_US = 2.0, 10.0, 2.0

INTEGRATING: dict[str, Any] = {
    **{f"{kind}_input_{name}": code for kind in ("excitatory", "inhibitory") for name, code in (
        ("enable", False), ("enable_small_capacitance", False), ("enable_high_resistance", True), ("i_bias_tau", 0))},
    "readout_source": (TABLE["readout_source"].choices or ()).index("exc_synin"),
    "readout_enable_amplifier": True,
    "readout_enable_buffered_access": False,
}  # fmt: skip
"""Circuits whose lines integrate, and are read."""

MODULATED: dict[str, Any] = {
    "driver_enable_receiver": True,
    "driver_enable_address_out": False,
    "driver_row_address_compare_mask": 31,
    "driver_enable_stp": True,
    "driver_enable_hagen_modulation": True,
    "driver_enable_hagen_dac": True,
}
"""Drivers that take the length of their pulses from the label."""


def prepare(bench: Bench, hemisphere: int) -> None:
    """Set circuits and drivers of a hemisphere for products; what a calibration has found stays."""
    for name, code in {**INTEGRATING, **MODULATED, "synapse_row_mode": 1}.items():
        codes = _held(bench, name)
        mine = np.split(np.arange(codes.shape[0]), HEMISPHERES)[hemisphere] if codes.ndim == 1 else hemisphere
        codes[mine] = code
        bench.set(**{name: codes})


def products(bench: Bench, hemisphere: int, vectors: NDArray[np.int64], weights: NDArray[np.int64], sends: int, wait_cycles: int) -> NDArray[np.int64]:
    """Return by how much the lines fall in readings of the converter, LSB, shape (vector, column).

    Parameters
    ----------
    bench : Bench
        After :func:`prepare`.
    hemisphere : int
    vectors : ndarray, shape (vector, row)
        0 to 31; 0 sends no event.
    weights : ndarray, shape (row, column)
        0 to 63.
    sends : int
        How often the events of a vector are sent.
    wait_cycles : int
        Between two events, cycles of the FPGA.

    Raises
    ------
    ParameterRangeError
        If entries are out of range.
    ConfigurationError
        If rows were lost.
    """
    for what, values, highest in (("entries of the vectors", vectors, _LONGEST), ("weights", weights, TABLE["synapse_weight"].high)):
        if values.size and (values.min() < 0 or values.max() > highest):
            raise ParameterRangeError(f"{what} reach from {values.min()} to {values.max()}; allowed is 0 to {highest}. Scale them.")
    plane, label = _held(bench, "synapse_weight"), _held(bench, "synapse_label")
    plane[hemisphere], label[hemisphere] = weights, (np.arange(ROWS) % 2 * SECOND_ROW)[:, None]
    bench.set(synapse_weight=plane, synapse_label=label)
    events, end_us = _events(vectors, sends, wait_cycles)
    circuits = tuple(range(hemisphere * COLUMNS, (hemisphere + 1) * COLUMNS))
    ticks = ticks_of((_BEFORE_US, end_us))
    record = Record(spikes=(), cadc=(CadcRecord(circuits, source="exc_synin", ticks=ticks),))
    recording = bench.run((snippet(int(ticks[-1] + ticks_of(_SETTLE_US))),), record=record, entries=events)
    (rows,) = recording.cadc
    if len(rows.tick) != len(ticks) * len(vectors):
        raise ConfigurationError(f"{len(rows.tick)} of {len(ticks) * len(vectors)} rows of the CADC came back. Send fewer vectors at once.")
    before, after = rows.value.reshape(len(vectors), len(ticks), COLUMNS).astype(np.int64).swapaxes(0, 1)
    return np.asarray(before - after)


def _events(vectors: NDArray[np.int64], sends: int, wait_cycles: int) -> tuple[Events, float]:
    """Return the events of all trials and when the last line has fallen, us: row after row, the whole vector as often as it is sent."""
    row = np.arange(ROWS)
    driver = row // 2
    label = (driver % BUSES << LABEL_CHANNEL_SHIFT) | (driver // BUSES << LABEL_SELECT_SHIFT) | (row % 2 * SECOND_ROW)
    trials = []
    step = wait_cycles * facts.FPGA_CLOCK_TICKS
    longest = 0
    for vector in vectors:
        sent = np.tile(row[vector > 0], sends)
        ticks = int(ticks_of(_START_US)) + step * np.arange(len(sent))
        longest = max(longest, len(sent))
        trials.append(list(zip(ticks.tolist(), (label[sent] | (_LONGEST + 1 - vector[sent])).tolist(), strict=True)))
    return Events.from_lists(trials), _START_US + longest * step / float(ticks_of(1.0)) + _SETTLE_US


def _held(bench: Bench, name: str) -> NDArray[Any]:
    """Return a copy of what a field holds."""
    return bench.codes[name].copy() if name in bench.codes else TABLE[name].default_array()
