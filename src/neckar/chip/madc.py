"""The MADC: a fast 10-bit converter that two circuits can share.

It samples the readout line of a circuit every 34 ns (clock 500 MHz, 17 cycles) unless its registers say otherwise; with two channels the samples
alternate. The recorder stamps them with the 8 ns clock of the FPGA. Readout sources are the membrane, the adaptation voltage and the
two synaptic lines. Source: haldls ``madc.h``, ``lola v3/neuron.h``.

The converter's clock is that of the configuration before tick 0.

Not modelled: the invalid samples after wake-up (a recording starts when they are over), limited bursts, the readout amplifier, the bandwidth shared
with spikes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import parity_of
from neckar.chip.sampling import LineSampler
from neckar.chip.transfer import Config, MadcTransfer
from neckar.errors import ConfigurationError
from neckar.facts import brainscales2 as facts
from neckar.facts import registers
from neckar.program import MadcChannel

STAMP_TICKS = facts.FPGA_CLOCK_TICKS


def check_channels(channels: Sequence[MadcChannel], where: str) -> None:
    """Check the limits of the real instrument.

    Raises
    ------
    ConfigurationError
        If more than two circuits are recorded at once, or two on columns of the same parity.
    """
    circuits = [channel.circuit for channel in channels]
    if len(circuits) > facts.MADC_MUX_CHANNELS.value or len({int(parity_of(c)) for c in circuits}) < len(circuits):
        raise ConfigurationError(
            f"{where} asks the MADC for circuits {circuits}; it has two inputs, one for even and one for odd columns. "
            'Record at most one circuit of each parity, split the recording over several runs, or choose instruments="open".'
        )


def conversion_ticks(config: Config) -> int:
    """Return the ticks that one conversion takes; a cycle of the undivided clock is one tick. A field that a mapping lacks has its default."""
    adjust, scaling, scale = (
        int(config[name] if name in config else registers("brainscales2")[name].default)
        for name in ("madc_sample_duration_adjust", "madc_enable_clock_scaling", "madc_clock_scale")
    )
    return (int(facts.MADC_CYCLES.value) + adjust) * (2 * (scale + 1) if scaling else 1)


def sample_ticks(cycles: int, channel: int, sharing: int, windows: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Return the ticks of a channel's samples in some windows of time.

    Parameters
    ----------
    cycles : int
        Ticks per conversion.
    channel, sharing : int
        The channel's turn among `sharing` channels that alternate.
    windows : sequence of (int, int)
        Ascending, disjoint, in ticks.
    """
    period = cycles * sharing
    grids = [np.arange(channel * cycles + -(-(a - channel * cycles) // period) * period, b, period, dtype=np.int64) for a, b in windows]
    return np.concatenate(grids)


def convert(sampler: LineSampler, transfer: MadcTransfer, noise: NDArray[np.float64] | None) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
    """Return time stamps and codes of a channel."""
    return sampler.ticks // STAMP_TICKS * STAMP_TICKS, transfer.codes(sampler.values[0, :, 0], noise)
