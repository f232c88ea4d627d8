"""Waits and analog cells in programs; the functions append to a builder and return it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from calix._types import magnitude
from dlens_vx_v3 import hal, halco
from neckar.facts import AXES, CAPMEM_MAX

_NEURONS = AXES["circuit"]
_NOISE = 5


def wait(builder: Any, waiting_time: Any) -> Any:
    """Append a wait of a time, a quantity; bare numbers are microseconds."""
    return wait_us(builder, float(magnitude(waiting_time, "us")))


def wait_us(builder: Any, waiting_time_us: float) -> Any:
    """Append a wait of so many microseconds."""
    builder.write(halco.TimerOnDLS(), hal.Timer())
    builder.block_until(halco.TimerOnDLS(), hal.Timer.Value(int(waiting_time_us * int(hal.Timer.Value.fpga_clock_cycles_per_us))))
    return builder


def capmem_noise(start: int = -5, end: int = 6, size: Any = None) -> Any:
    """Return random integers from `start` up to, but without, `end`, by which equal cells are made different; numpy's seed controls them, as upstream's."""
    return np.random.randint(start, end, size)  # noqa: NPY002


def capmem_set_quadrant_cells(builder: Any, config: Mapping[Any, Any]) -> Any:
    """Append writes of cells that are shared in a quadrant.

    Parameters
    ----------
    builder : WriteRecordingPlaybackProgramBuilder or sta.PlaybackProgramBuilder
    config : mapping of CapMemCellOnCapMemBlock to int or array_like of int
        One value, or one per quadrant.
    """
    blocks = list(halco.iter_all(halco.CapMemBlockOnDLS))
    for cell, value in config.items():
        for block, code in zip(blocks, np.broadcast_to(np.asarray(value, np.int64), len(blocks)), strict=True):
            builder.write(halco.CapMemCellOnDLS(cell, block), hal.CapMemCell(hal.CapMemCell.Value(int(code))))
    return builder


def capmem_set_neuron_cells(builder: Any, config: Mapping[Any, Any]) -> Any:
    """Append writes of a row of cells of all neurons.

    Parameters
    ----------
    builder : WriteRecordingPlaybackProgramBuilder or sta.PlaybackProgramBuilder
    config : mapping of CapMemRowOnCapMemBlock to int or array_like of int, shape (circuit,)
        An array is written as it is. A single value other than 0 is spread by up to 5 to either side.
    """
    for row, values in config.items():
        codes = np.broadcast_to(np.asarray(values, np.int64), _NEURONS)
        if np.ndim(values) == 0 and values != 0:
            codes = codes + capmem_noise(max(-int(values), -_NOISE), min(CAPMEM_MAX - int(values), _NOISE) + 1, _NEURONS)
        write_capmem_row(builder, row, codes)
    return builder


def write_capmem_row(builder: Any, row: Any, values: Any) -> None:
    """Append writes of a row of cells of all neurons as they are given, shape (circuit,); upstream's is in ``pyccalix.helpers``."""
    for neuron, code in zip(halco.iter_all(halco.NeuronConfigOnDLS), values, strict=True):
        cell = halco.CapMemCellOnCapMemBlock(neuron.toCapMemColumnOnCapMemBlock(), row)
        builder.write(halco.CapMemCellOnDLS(cell, neuron.toCapMemBlockOnDLS()), hal.CapMemCell(hal.CapMemCell.Value(int(code))))
