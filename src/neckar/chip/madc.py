"""The MADC: a fast 10-bit converter that two circuits can share.

It samples the readout line of a circuit every 34 ns (clock 500 MHz, 17 cycles) unless its registers say otherwise. With two circuits its two inputs take
turns, each for a number of samples. The recorder stamps them with the 8 ns clock of the FPGA. Readout sources are the membrane, the adaptation voltage and the
two synaptic lines. Source: haldls ``madc.h``, ``lola v3/neuron.h``.

By default the converter samples continuously and was started before the section, as upstream's software does. Without continuous sampling each section that
records starts a burst: the first sample comes after the power-up wait, so many follow as ``madc_number_of_samples`` says, and those of the first 8 us
are invalid: what they read still settles from 0 V (exponentially, with a time constant of 1 us, our estimate).

The converter's registers are those of the configuration before tick 0. With open instruments every channel is sampled continuously at the full rate.

The external source is the debug pad, to which the board applies the voltage of a 12-bit converter; the way from there to the MADC is taken as ideal, so that
it shows the converter alone.

Not modelled: settling after a change of the input, crosstalk between the inputs, deviations of the board's converter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import parity_of
from neckar.chip.transfer import Config, MadcTransfer
from neckar.errors import ConfigurationError
from neckar.facts import brainscales2 as facts
from neckar.facts import registers
from neckar.program import TICK_S, MadcBursts, MadcChannel, Record

STAMP_TICKS = facts.FPGA_CLOCK_TICKS

Ticks = NDArray[np.int64]


def check_channels(channels: Sequence[MadcChannel], where: str) -> None:
    """Check the limits of the real instrument.

    Raises
    ------
    ConfigurationError
        If more than two circuits are recorded at once, or two on columns of the same parity.
    """
    circuits = [channel.circuit for channel in channels if not channel.is_external]
    if len(channels) > facts.MADC_MUX_CHANNELS.value or len({int(parity_of(c)) for c in circuits}) < len(circuits):
        raise ConfigurationError(
            f"{where} asks the MADC for circuits {circuits}; it has two inputs, one for even and one for odd columns. "
            'Record at most one circuit of each parity, split the recording over several runs, or choose instruments="open".'
        )


class ChannelGrid(NamedTuple):
    """When a channel is sampled.

    Attributes
    ----------
    channel : MadcChannel
    ticks : ndarray of int64
        Ascending.
    since : ndarray of int64
        Ticks since the start of the burst, at each of `ticks`; empty if the converter samples continuously.
    """

    channel: MadcChannel
    ticks: Ticks
    since: Ticks

    @property
    def circuits(self) -> tuple[int, ...]:
        """The circuit that is sampled; none for the external source."""
        return () if self.channel.is_external else (self.channel.circuit,)


class BurstGrid(NamedTuple):
    """When every circuit of some bursts is sampled in its repetition of an entry. Attributes as of :class:`ChannelGrid`."""

    bursts: MadcBursts
    ticks: Ticks
    since: Ticks


@dataclass(frozen=True)
class Sequencer:
    """In which order and how fast the converter samples.

    Attributes
    ----------
    conversion : int
        Ticks per sample.
    turn : int
        Samples that an input is selected for in succession; 0: the inputs never change.
    first : int
        Input of the first sample, counted in the order of the record.
    burst : int or None
        Samples of a burst; None: continuous.
    wake : int
        Ticks from the start of a burst to its first sample.
    """

    conversion: int
    turn: int = 1
    first: int = 0
    burst: int | None = None
    wake: int = 0

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return the sequencer of a configuration; a field that a mapping lacks has its default."""

        def code(name: str) -> int:
            return int(config[name] if name in config else registers("brainscales2")[name].default)

        clock = 2 * (code("madc_clock_scale") + 1) if code("madc_enable_clock_scaling") else 1  # a cycle of the undivided clock is one tick
        cycles = max(code("madc_conversion_cycles_offset") + code("madc_sample_duration_adjust"), int(facts.MADC_CYCLES.value))
        return cls(
            conversion=cycles * clock,
            turn=code("madc_active_mux_input_select_length"),
            first=code("madc_active_mux_initially_selected_input"),
            burst=None if code("madc_enable_continuous_sampling") else code("madc_number_of_samples"),
            wake=code("madc_powerup_wait_value") * clock,
        )

    def unlimited(self) -> Sequencer:
        """Return the sequencer of an open instrument with the same clock."""
        return Sequencer(self.conversion)

    def grid(self, place: int, sharing: int, begin: int, end: int) -> tuple[Ticks, Ticks]:
        """Return when channel `place` of `sharing` is sampled from tick `begin` to `end`, and how long its burst lasts by then (no entries if continuous)."""
        if self.burst is None:
            start, first, last = 0, -(-begin // self.conversion), -(-end // self.conversion)
        else:
            start, first = begin + self.wake, 0
            last = min(self.burst, max(-(-(end - start) // self.conversion), 0))
        if sharing == 1:
            number = np.arange(first, last, dtype=np.int64)
        elif self.turn == 1:  # the common case, without an array of all samples
            number = np.arange(first + (place - self.first - first) % sharing, last, sharing, dtype=np.int64)
        else:
            number = np.arange(first, last, dtype=np.int64)
            number = number[(self.first + (number // self.turn if self.turn else 0 * number)) % sharing == place]
        ticks = start + number * self.conversion
        return ticks, ticks - begin if self.burst is not None else ticks[:0]


def conversion_ticks(config: Config) -> int:
    """Return the ticks that one conversion takes. A field that a mapping lacks has its default."""
    return Sequencer.of(config).conversion


def sample_rate(config: Config, record: Record) -> float:
    """Return how many samples of the converter pass the link to the host while a record holds, 1/s; they share it with the spikes."""
    return 1.0 / (conversion_ticks(config) * TICK_S) if record.madc or record.bursts else 0.0


def channel_grids(sequencer: Sequencer, windows: Sequence[tuple[Record, int, int]], *, share: bool) -> list[ChannelGrid]:
    """Return when each channel is sampled, from the records that hold in some windows of time; `share`: the channels of a record take turns."""
    found: dict[MadcChannel, list[tuple[Ticks, Ticks]]] = {}
    for record, a, b in windows:
        for place, channel in enumerate(record.madc):
            grid = sequencer.grid(place, len(record.madc), a, b) if share else sequencer.unlimited().grid(0, 1, a, b)
            found.setdefault(channel, []).append(grid)
    return [ChannelGrid(channel, *(np.concatenate(parts) for parts in zip(*grids, strict=True))) for channel, grids in found.items()]


def burst_grids(sequencer: Sequencer, windows: Sequence[tuple[Record, int, int]]) -> list[BurstGrid]:
    """Return when the circuits of bursts are sampled, each alone, from the records that hold in some windows of time."""
    found: dict[MadcBursts, list[tuple[Ticks, Ticks]]] = {}
    for record, a, b in windows:
        for bursts in record.bursts:
            found.setdefault(bursts, []).append(sequencer.grid(0, 1, a, b))
    return [BurstGrid(bursts, *(np.concatenate(parts) for parts in zip(*grids, strict=True))) for bursts, grids in found.items()]


def external_potential(config: Config) -> float:
    """Return the voltage, V, that the board applies to the debug pad. A field that a mapping lacks has its default."""
    name = "board_external_voltage"
    code = float(config[name] if name in config else registers("brainscales2")[name].default)
    return code * facts.EXTERNAL_DAC_RANGE.value / (2**facts.EXTERNAL_DAC_BITS.value - 1)


def convert(
    potential: NDArray[np.floating[Any]], grid: ChannelGrid | BurstGrid, transfer: MadcTransfer, noise: NDArray[np.float64] | None
) -> tuple[Ticks, NDArray[np.uint16]]:
    """Return time stamps and codes of channels from their potentials at each sample, V, shape (..., sample)."""
    if len(grid.since):
        potential = potential * -np.expm1(-grid.since * (TICK_S / facts.MADC_SETTLING.value))
    return grid.ticks // STAMP_TICKS * STAMP_TICKS, transfer.codes(potential, noise)
