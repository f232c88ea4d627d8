"""Splitting of recordings over several executions, where the instruments cannot do everything at once.

On silicon the fast converter (MADC) reads at most two circuits, one on an even and one on an odd column. More circuits are recorded by executing the experiment
several times; each circuit's spikes come from the execution in which its voltage was recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Literal

from neckar.chip.coordinates import COLUMNS
from neckar.facts import AXES
from neckar.program import MadcChannel, Record

Instruments = Literal["silicon", "open"]


def split_madc(records: Sequence[Record], instruments: Instruments) -> tuple[tuple[Record, ...], ...]:
    """Distribute the MADC channels of an experiment over as few executions as the instruments need.

    Parameters
    ----------
    records : sequence of Record
        What each section of the experiment records.
    instruments : {"silicon", "open"}
        ``"open"`` records everything at once.

    Returns
    -------
    tuple of tuple of Record
        For each execution one record per section. Together they hold every channel and every spike circuit exactly once; CADC and probes stay in the first.
    """
    if instruments == "open" or all(len(record.madc) < 2 for record in records):
        return (tuple(records),)
    pairs = [_pairs(record.madc) for record in records]
    n = max(1, *(len(section) for section in pairs))
    return tuple(tuple(_part(record, section, i) for record, section in zip(records, pairs, strict=True)) for i in range(n))


def _pairs(channels: Sequence[MadcChannel]) -> list[tuple[MadcChannel, ...]]:
    """Pair channels on even with channels on odd columns."""
    even, odd = ([channel for channel in channels if channel.circuit % COLUMNS % 2 == parity] for parity in (0, 1))
    return [tuple(channel for channel in pair if channel is not None) for pair in zip_longest(even, odd)]


def _part(record: Record, pairs: list[tuple[MadcChannel, ...]], i: int) -> Record:
    """Return what execution `i` records of a section."""
    madc = pairs[i] if i < len(pairs) else ()
    here = {channel.circuit for channel in madc}
    if i == 0:
        elsewhere = {channel.circuit for pair in pairs[1:] for channel in pair} - here
        return replace(record, spikes=tuple(circuit for circuit in _spikes(record) if circuit not in elsewhere), madc=madc)
    return Record(spikes=tuple(circuit for circuit in _spikes(record) if circuit in here), madc=madc)


def _spikes(record: Record) -> tuple[int, ...]:
    return tuple(range(AXES["circuit"])) if record.spikes == "all" else record.spikes
