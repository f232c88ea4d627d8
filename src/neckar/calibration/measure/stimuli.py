"""Input events for measurements: rows of synapses that reach all circuits alike, and trains of events on all buses.

Each of the first drivers of a bus drives two rows of its hemisphere, so one event per bus reaches every row once. Upstream takes eight rows of weight 10
(calix ``hagen/neuron_helpers.py``), which belong to four drivers whose pulses differ by 10 %: the two hemispheres would differ by 7 % for that reason alone.
Here the same weight is spread over more drivers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.calibration.measure.bench import TABLE, Bench, ticks_of
from neckar.facts import AXES
from neckar.facts.labels import LABEL_CHANNEL_SHIFT
from neckar.program import Events

KINDS = ("excitatory", "inhibitory")
"""Names of both inputs, in the order of targets."""

BUSES = AXES["padi_bus"] // AXES["hemisphere"]
"""Buses of a hemisphere: an event on each reaches every driver of a group once."""

_ROW_MODES = TABLE["synapse_row_mode"].choices or ()


@contextmanager
def stimulated(bench: Bench, kind: str, rows: int | NDArray[np.int64], weight: int) -> Iterator[None]:
    """Let events reach an input of all circuits inside the block.

    Parameters
    ----------
    bench : Bench
    kind : str
        ``"excitatory"`` or ``"inhibitory"``, or ``"both"`` at once.
    rows : int or ndarray of int
        Rows of synapses of each hemisphere: their number, from the first on, where a multiple of 8 uses all buses alike; or which.
    weight : int
        Of their synapses, 0 to 63.
    """
    on = np.isin(np.arange(AXES["row"]), np.arange(rows) if isinstance(rows, int) else rows)
    weights = np.zeros(TABLE["synapse_weight"].shape, np.int64)
    weights[:, on] = weight
    codes: dict[str, ArrayLike] = {
        "synapse_weight": weights,
        "synapse_label": 0,
        "synapse_row_mode": np.where(on, _ROW_MODES.index(kind), 0),
        "driver_enable_receiver": on.reshape(AXES["driver"], -1).any(axis=1),
        "driver_row_address_compare_mask": 0,
        "driver_enable_stp": False,
    }
    with bench.changed(**codes):
        yield


def trains(at_us: ArrayLike, trials: int) -> Events:
    """Return events on all buses at times of each trial, us."""
    ticks = np.repeat(ticks_of(at_us), BUSES)
    labels = np.tile(np.arange(BUSES) << LABEL_CHANNEL_SHIFT, len(ticks) // BUSES)
    return Events.from_columns(np.repeat(np.arange(trials), len(ticks)), np.tile(ticks, trials), np.tile(labels, trials), trials)
