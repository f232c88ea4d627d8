"""Rows that a playback program reads with the parallel converter (CADC), column by column what the channels are connected to.

A causal channel that is connected to its neuron reads the neuron's readout; channels that are connected to the correlation sensors read those of the row. The
conversion of a row takes its time, as on the chip: the next command comes after it.

Not modelled: acausal channels that are connected to a neuron (they read 0), and lines that nothing drives (0, too).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlens_vx_v3 import halco, lola
from dlens_vx_v3.halco import Coordinate
from dlens_vx_v3.sta._registers import FPGA_TICKS
from neckar.chip.cadc_timing import shortest_period
from neckar.chip.config import ChipConfig
from neckar.errors import UnsupportedFeatureError
from neckar.facts import AXES
from neckar.program import SOURCES, CadcRecord, Recording, TimedRead

_COLUMNS = AXES["column"]
_KINDS = ("causal", "acausal")


@dataclass(frozen=True)
class CadcRow:
    """A row of a hemisphere at a tick."""

    tick: int
    hemisphere: int
    row: int
    neurons: NDArray[np.bool_]  # (column,): read through the causal channel
    sensors: NDArray[np.bool_]  # (channel, column)
    sources: NDArray[np.int64]  # (column,)

    def reads(self) -> list[TimedRead]:
        """Return the reads of correlation sensors."""
        return [
            TimedRead(name=self._name(kind), at=self.tick, field=f"correlation_{kind}", index=(self.hemisphere, self.row))
            for kind, connected in zip(_KINDS, self.sensors, strict=True)
            if connected.any()
        ]

    def values(self, recording: Recording) -> NDArray[np.uint8]:
        """Return the readings, shape (channel, column)."""
        found = np.zeros((len(_KINDS), _COLUMNS), np.uint8)
        for samples in recording.cadc:
            circuits = np.array(samples.circuits)
            tick, value = samples.entry(0)
            place = int(np.searchsorted(tick, self.tick))
            mine = circuits // _COLUMNS == self.hemisphere
            if mine.any() and place < len(tick) and tick[place] == self.tick:
                found[0, circuits[mine] % _COLUMNS] = value[place, mine]
        found[0, ~self.neurons] = 0
        for kind, connected, line in zip(_KINDS, self.sensors, found, strict=True):
            if connected.any():
                line[connected] = recording.reads[self._name(kind)][0][connected]
        return found

    def _name(self, kind: str) -> str:
        return f"cadc {kind}[{self.hemisphere},{self.row}]@{self.tick}"


@dataclass(frozen=True)
class CadcRead:
    """A read of one or both hemispheres."""

    coordinate: Coordinate
    rows: tuple[CadcRow, ...]

    def take(self, recording: Recording) -> Any:
        """Return the container with the readings."""
        values = np.stack([row.values(recording) for row in self.rows], axis=1)  # (channel, hemisphere, column)
        single = isinstance(self.coordinate, halco.CADCSampleRowOnDLS)
        container = lola.CADCSampleRow() if single else lola.CADCSamples()
        for kind, lines in zip(_KINDS, values, strict=True):
            getattr(container, kind).from_numpy((lines[0] if single else lines).astype(np.int64))
        return container


def read_rows(coordinate: Coordinate, config: ChipConfig, tick: int) -> tuple[CadcRead, int]:
    """Return what a coordinate reads under a configuration, and the FPGA cycles that the conversion takes.

    Raises
    ------
    UnsupportedFeatureError
        If no channel is connected to anything: the potential of an open line has no model.
    """
    if isinstance(coordinate, halco.CADCSampleRowOnDLS):
        places = [(int(coordinate.toSynramOnDLS()), int(coordinate.toSynapseRowOnSynram()))]
    else:
        places = [(hemisphere, 0) for hemisphere in range(AXES["hemisphere"])]
    rows = tuple(_row(config, tick, hemisphere, row) for hemisphere, row in places)
    if not any(row.neurons.any() or row.sensors.any() for row in rows):
        raise UnsupportedFeatureError(
            f"{coordinate} is read, but no channel of the CADC is connected to a neuron with readout.enable_amplifier or to a correlation sensor. "
            "Set enable_connect_neuron or enable_connect_correlation of chip.cadc_readout_chains before."
        )
    return CadcRead(coordinate, rows), math.ceil(max(shortest_period(config, row.hemisphere) for row in rows) / FPGA_TICKS)


def _row(config: ChipConfig, tick: int, hemisphere: int, row: int) -> CadcRow:
    mine = slice(_COLUMNS * hemisphere, _COLUMNS * (hemisphere + 1))
    neurons = config.cadc_connect_neuron[hemisphere, 0].astype(bool) & config.readout_enable_amplifier[mine].astype(bool)
    sensors = config.cadc_connect_correlation[hemisphere].astype(bool)
    sensors[0] &= ~neurons
    return CadcRow(tick, hemisphere, row, neurons, sensors, config.readout_source[mine].astype(np.int64))


def records(reads: Sequence[CadcRead]) -> tuple[CadcRecord, ...]:
    """Return what a Program records for these reads: in each hemisphere all neurons that are read at any moment, by their source.

    Raises
    ------
    UnsupportedFeatureError
        If a neuron's readout source changes between two reads.
    """
    found = []
    for hemisphere in range(AXES["hemisphere"]):
        rows = [row for read in reads for row in read.rows if row.hemisphere == hemisphere and row.neurons.any()]
        if not rows:
            continue
        ever = np.any([row.neurons for row in rows], axis=0)
        if any((row.sources[ever] != rows[0].sources[ever]).any() for row in rows):
            raise UnsupportedFeatureError(
                "a program reads a neuron with the CADC and changes its readout source in between; allowed is one. Make it two programs."
            )
        for number in np.unique(rows[0].sources[ever]):
            circuits = np.flatnonzero(ever & (rows[0].sources == number)) + _COLUMNS * hemisphere
            found.append(CadcRecord(tuple(circuits.tolist()), source=SOURCES[int(number)], ticks=np.array([row.tick for row in rows])))  # type: ignore[arg-type]
    return tuple(found)
