"""Readings of the parallel converter in playback programs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calix.common import base
from dlens_vx_v3 import halco

_CHANNELS = halco.CADCChannelConfigOnDLS.size
_QUADRANT = np.arange(_CHANNELS) // 512 * 2 + np.arange(_CHANNELS) % 256 // 128
"""Quadrant of each channel, in the order of ``CADCChannelConfigOnDLS``: top causal, top acausal, bottom causal, bottom acausal."""


def cadc_read_row(builder: Any, synram: Any) -> tuple[Any, Any]:
    """Append a read of the converter of one hemisphere; return the builder and the ticket."""
    return builder, builder.read(halco.CADCSampleRowOnDLS(halco.SynapseRowOnSynram(), synram))


def read_cadcs(connection: Any, builder: Any = None) -> NDArray[np.int64]:
    """Return one reading of each channel, shape (channel,), in the order of ``CADCChannelConfigOnDLS``; a builder is run before."""
    readout = base.WriteRecordingPlaybackProgramBuilder()
    tickets = [cadc_read_row(readout, synram)[1] for synram in halco.iter_all(halco.SynramOnDLS)]
    if builder is None:
        builder = readout
    else:
        builder.merge_back(readout)
    base.run(connection, builder)
    rows = [ticket.get() for ticket in tickets]
    return np.concatenate([half.to_numpy() for row in rows for half in (row.causal, row.acausal)]).astype(np.int64)


def reshape_cadc_quadrants(cadc_results: NDArray[Any]) -> NDArray[Any]:
    """Return readings of all channels by quadrant, shape (quadrant, channel of the quadrant)."""
    return np.stack([np.asarray(cadc_results)[quadrant == _QUADRANT] for quadrant in range(4)])


def convert_success_masks(quadrant_mask: NDArray[Any]) -> NDArray[Any]:
    """Return for each channel, shape (channel,), what is true of its quadrant."""
    return np.asarray(quadrant_mask)[_QUADRANT]
