"""Reading bursts of the fast converter: one circuit after the other, all in one program, each in its own repetition of a trial.

A trial is a row of pieces, some of which are recorded. The converter's clock is divided so far that a trial gives as many samples as it takes: a hundred
samples of a decay say nearly as much about it as a thousand. Upstream records at the full rate (calix ``common/madc_base.py``); as there, circuits rest between
bursts for many times their length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.calibration.measure.bench import TABLE, Bench, ticks_of
from neckar.calibration.settings import whole_fields
from neckar.facts import brainscales2 as facts
from neckar.program import TICKS_PER_US, Events, MadcBursts, Record, Snippet

_NOTHING = Record(spikes=())
_FULL_RATE_TICKS = int(facts.MADC_CYCLES.value) + int(TABLE["madc_sample_duration_adjust"].default)
_NONE: Mapping[str, ArrayLike] = MappingProxyType({})

FASTEST_US = _FULL_RATE_TICKS / TICKS_PER_US
"""Shortest interval of samples."""

_RESTS = 9
"""Rest between two bursts, over their length."""

_GRID_S = 10e-6
"""A time constant in the middle of a group of similar ones."""


class Piece(NamedTuple):
    """A part of a trial.

    Attributes
    ----------
    us : float
        Its length.
    recorded : bool
        Whether the converter's samples count.
    codes : mapping of str to array_like
        Fields that change when it begins, each value broadcast to the shape of its field.
    """

    us: float
    recorded: bool = False
    codes: Mapping[str, ArrayLike] = _NONE


class Bursts(NamedTuple):
    """What bursts show.

    Attributes
    ----------
    at_us : ndarray, shape (sample,)
        Times after the start of the trial.
    values : ndarray, shape (trial, source, circuit, sample)
        Readings, LSB.
    """

    at_us: NDArray[np.float64]
    values: NDArray[np.float64]


def read_bursts(
    bench: Bench,
    circuits: NDArray[np.int64],
    sources: Sequence[str],
    pieces: Sequence[Piece],
    interval_us: float,
    events: Events | None = None,
    neuron_reset: bool = False,
) -> Bursts:
    """Let the fast converter look at each voltage of some circuits, one after the other.

    Parameters
    ----------
    bench : Bench
    circuits : ndarray of int
    sources : sequence of str
        Of :data:`neckar.program.SOURCES`.
    pieces : sequence of Piece
        The trial that is repeated for each circuit and source.
    interval_us : float
        Between two samples; the converter takes its own fastest rate, or the nearest shorter interval that its divided clock has.
    events : Events, optional
        Input of each trial; by default one trial without.
    neuron_reset : bool
        Whether all neurons are reset 4 us before the start. Otherwise they have rested for long.
    """
    doubled = int(interval_us * TICKS_PER_US // (2 * _FULL_RATE_TICKS))
    clock = {"madc_enable_clock_scaling": doubled > 0, "madc_clock_scale": max(doubled - 1, 0)}
    wait = _RESTS * sum(int(ticks_of(piece.us)) for piece in pieces)
    recorded = Record(spikes=(), bursts=tuple(MadcBursts(circuits.tolist(), source, wait) for source in sources))  # type: ignore[arg-type]
    snippets = tuple(Snippet(int(ticks_of(piece.us)), whole_fields(piece.codes), recorded if piece.recorded else _NOTHING) for piece in pieces)
    with bench.changed(**clock):
        found = bench.run(snippets, entries=events or Events.empty(1), neuron_reset=neuron_reset).bursts
    at, values = found[0].entry(0)[0], np.stack([samples.value for samples in found]).reshape(len(found), found[0].n_entries, -1, len(circuits))
    return Bursts(at / TICKS_PER_US, values.transpose(1, 0, 3, 2).astype(np.float64))


def by_time_constant(tau_s: NDArray[np.float64], factor: float = 2.0) -> list[tuple[float, NDArray[np.int64]]]:
    """Return elements in groups of similar time constants, with the time constant of each group, us: elements of a group lie within `factor` of each other."""
    grid = np.rint(np.log(tau_s / _GRID_S) / np.log(factor))
    return [(float(1e6 * _GRID_S * factor**k), np.flatnonzero(grid == k)) for k in np.unique(grid)]
