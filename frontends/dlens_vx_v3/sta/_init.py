"""Generators: recipes that return a builder, above all those that bring chip and board into a defined state."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any

from dlens_vx_v3 import hal, halco, lola
from dlens_vx_v3.hxcomm import VirtualChipEntry, ZeroMockEntry
from dlens_vx_v3.sta._builders import PlaybackProgramBuilder
from neckar.errors import ConfigurationError

Generated = tuple[PlaybackProgramBuilder, Any]


class PlaybackGenerator(ABC):
    """Something that makes a builder, and a result to be read after its execution."""

    @abstractmethod
    def generate(self) -> Generated:
        """Return a builder, and what belongs to it."""


def generate(generator: PlaybackGenerator) -> Generated:
    """Return what a generator makes."""
    return generator.generate()


class ASICAdapterBoardInit(PlaybackGenerator):
    """Start of a board without settings."""

    def generate(self) -> Generated:
        """Return an empty builder and None."""
        return PlaybackProgramBuilder(), None


class CubeASICAdapterBoardInit(ASICAdapterBoardInit):
    """Start of the board that carries one chip.

    Attributes
    ----------
    shift_register : hal.ShiftRegister
        Analog multiplexers and lamps.
    dac_control_block : lola.DACControlBlock
        Which voltages are on.
    dac_channel_block : lola.DACChannelBlock
        The voltages.
    """

    def __init__(self) -> None:
        self.shift_register = hal.ShiftRegister()
        self.dac_control_block = lola.DACControlBlock()
        self.dac_channel_block = lola.DACChannelBlock()

    def generate(self) -> Generated:
        """Return a builder that writes all of it, and None."""
        builder = PlaybackProgramBuilder()
        builder.write(halco.ShiftRegisterOnBoard(), self.shift_register)
        builder.write(halco.DACChannelBlockOnBoard(), self.dac_channel_block)
        builder.write(halco.DACControlBlockOnBoard(), self.dac_control_block)
        return builder, None


class JboaASICAdapterBoardInit(ASICAdapterBoardInit):
    """Start of the board that carries several chips. The twin has no such board."""


class HighspeedLink:
    """Settings of the link between FPGA and chip, without effect.

    Attributes
    ----------
    common_phy_config_fpga : hal.CommonPhyConfigFPGA
    common_phy_config_chip : hal.CommonPhyConfigChip
    enable_systime : bool
    """

    def __init__(self) -> None:
        self.common_phy_config_fpga = hal.CommonPhyConfigFPGA()
        self.common_phy_config_chip = hal.CommonPhyConfigChip()
        self.enable_systime = True


class ChipInit(PlaybackGenerator):
    """Start of the chip: a reset, after which every register has its default.

    Parameters
    ----------
    hwdb_entry : VirtualChipEntry or ZeroMockEntry
        What ``connection.get_hwdb_entry()[0]`` returns; without effect.

    Attributes
    ----------
    event_recording : hal.EventRecordingConfig
        Whether the host gets events; on.
    adplls : list of hal.ADPLL
    pll_clock_output_block : hal.PLLClockOutputBlock
    reference_generator_config : hal.ReferenceGeneratorConfig
    highspeed_link : HighspeedLink
        Without effect: clocks, references and links are ideal.
    """

    def __init__(self, hwdb_entry: VirtualChipEntry | ZeroMockEntry) -> None:
        _check(hwdb_entry, type(self).__name__)
        self.event_recording = hal.EventRecordingConfig()
        self.event_recording.enable_event_recording = True
        self.adplls = [hal.ADPLL() for _ in halco.iter_all(halco.ADPLLOnDLS)]
        self.pll_clock_output_block = hal.PLLClockOutputBlock()
        self.reference_generator_config = hal.ReferenceGeneratorConfig()
        self.highspeed_link = HighspeedLink()

    def generate(self) -> Generated:
        """Return a builder that resets the chip, and None."""
        builder = PlaybackProgramBuilder()
        builder.write(halco.ResetChipOnDLS(), hal.ResetChip(True))
        builder.write(halco.ResetChipOnDLS(), hal.ResetChip(False))
        for coordinate, generator in zip(halco.iter_all(halco.ADPLLOnDLS), self.adplls, strict=True):
            builder.write(coordinate, generator)
        builder.write(halco.PLLClockOutputBlockOnDLS(), self.pll_clock_output_block)
        builder.write(halco.EventRecordingConfigOnFPGA(), self.event_recording)
        builder.write(halco.ReferenceGeneratorConfigOnDLS(), self.reference_generator_config)
        return builder, None


class SystemInit(PlaybackGenerator):
    """Start of board and chip.

    Parameters
    ----------
    hwdb_entry : VirtualChipEntry or ZeroMockEntry
        What ``connection.get_hwdb_entry()[0]`` returns; without effect.

    Attributes
    ----------
    asic_adapter_board : CubeASICAdapterBoardInit
    chip : ChipInit
    enable_asic_adapter_board, enable_chip : bool
        Whether each of them is done.
    """

    def __init__(self, hwdb_entry: VirtualChipEntry | ZeroMockEntry) -> None:
        _check(hwdb_entry, type(self).__name__)
        self.asic_adapter_board = CubeASICAdapterBoardInit()
        self.chip = ChipInit(hwdb_entry)
        self.enable_asic_adapter_board = True
        self.enable_chip = True

    def generate(self) -> Generated:
        """Return a builder that does both, and None."""
        builder = PlaybackProgramBuilder()
        if self.enable_asic_adapter_board:
            builder.merge_back(self.asic_adapter_board.generate()[0])
        if self.enable_chip:
            builder.merge_back(self.chip.generate()[0])
        return builder, None

    def __copy__(self) -> SystemInit:
        return copy.deepcopy(self)


def _check(entry: object, who: str) -> None:
    if not isinstance(entry, VirtualChipEntry | ZeroMockEntry):
        raise ConfigurationError(f"{who} got {entry!r}; allowed is an entry of the connection. Write {who}(connection.get_hwdb_entry()[0]).")
