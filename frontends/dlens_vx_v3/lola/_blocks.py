"""Crossbar, synapse drivers, analog parameter memory, readout: the circuits of the chip with all their registers."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, ClassVar

from dlens_vx_v3._container import Container, Index, Place, stored
from dlens_vx_v3._member import code, switch
from dlens_vx_v3._part import Many, Part, Sub
from dlens_vx_v3.hal._board import DACChannel
from dlens_vx_v3.hal._capmem import Analog, CapMemBlockConfig, ReferenceGeneratorConfig, SynapseBiasSelection
from dlens_vx_v3.hal._drivers import CommonPADIBusConfig, CommonSTPConfig, SynapseDriverConfig
from dlens_vx_v3.hal._ppu import Block
from dlens_vx_v3.hal._readout import (
    CADCChannelConfig,
    CADCConfig,
    CADCSampleQuad,
    CommonCorrelationConfig,
    CurrentDAC,
    MADCConfig,
    PadMultiplexerConfig,
    SourceMultiplexer,
)
from dlens_vx_v3.hal._routing import CrossbarNode, CrossbarOutputConfig
from dlens_vx_v3.hal._time import ExternalPPUDRAMMemoryByte, ExternalPPUMemoryByte
from dlens_vx_v3.halco import (
    CADCChannelColumnOnSynram,
    CADCOnDLS,
    CADCSampleRowOnDLS,
    CADCSamplesOnDLS,
    CapMemBlockConfigOnDLS,
    CapMemBlockOnHemisphere,
    CapMemOnDLS,
    CrossbarNodeOnDLS,
    CrossbarOnDLS,
    DACChannelBlockOnBoard,
    DACChannelOnBoard,
    DACControlBlockOnBoard,
    ExternalPPUDRAMMemoryBlockOnFPGA,
    ExternalPPUDRAMMemoryBlockSize,
    ExternalPPUMemoryBlockOnFPGA,
    ExternalPPUMemoryBlockSize,
    ExternalPPUMemoryByteOnFPGA,
    ExternalPPUMemoryOnFPGA,
    HemisphereOnDLS,
    PadMultiplexerConfigOnDLS,
    ReadoutChainOnDLS,
    SourceMultiplexerOnReadoutSourceSelection,
    SynapseDriverBlockOnDLS,
    SynapseDriverOnSynapseDriverBlock,
    SynapseOnSynapseRow,
    SynapticInputOnNeuron,
    SynramOnDLS,
    UnusedCapMemCellOnDLS,
    iter_all,
)
from dlens_vx_v3.halco._base import Ranged
from neckar.chip.config import ChipConfig
from neckar.errors import ConfigurationError

_stored = partial(stored, __name__)
_BLOCKS = (CapMemBlockOnHemisphere,)


class Crossbar(Container, at=CrossbarOnDLS):
    """All nodes and outputs of the crossbar."""

    nodes = Many(CrossbarNode, CrossbarNodeOnDLS)
    outputs = Sub(CrossbarOutputConfig)


class SynapseDriverBlock(Container, at=SynapseDriverBlockOnDLS):
    """The synapse drivers of a hemisphere."""

    synapse_drivers = Many(SynapseDriverConfig, SynapseDriverOnSynapseDriverBlock)
    padi_bus = Sub(CommonPADIBusConfig)
    stp = Sub(CommonSTPConfig)
    stp_v_charge_0 = code(Analog, "stp_v_charge_0", 0, *_BLOCKS)
    stp_v_charge_1 = code(Analog, "stp_v_charge_1", 0, *_BLOCKS)
    stp_v_recover_0 = code(Analog, "stp_v_recover_0", 0, *_BLOCKS)
    stp_v_recover_1 = code(Analog, "stp_v_recover_1", 0, *_BLOCKS)
    stp_i_bias_comparator = code(Analog, "stp_i_bias_comparator", 0, *_BLOCKS)
    stp_i_ramp = code(Analog, "stp_i_ramp", 0, *_BLOCKS)
    stp_i_calib = code(Analog, "stp_i_calib", 0, *_BLOCKS)
    stp_i_bias_readout = code(Analog)
    hagen_i_bias_dac = code(Analog)


class CapMem(Container, at=CapMemOnDLS):
    """The settings of the analog parameter memory; its cells are in the containers of their circuits."""

    blocks = Many(CapMemBlockConfig, CapMemBlockConfigOnDLS)
    synapse_bias_selection = Sub(SynapseBiasSelection)
    reference_generator = Sub(ReferenceGeneratorConfig)
    unused_cells = code(Analog, "", 0, UnusedCapMemCellOnDLS)


class Channel(Part):
    """A channel of the CADC and the switches of its input."""

    Offset = CADCChannelConfig.Offset

    offset = code(Offset, "cadc_channel_offset", 0)
    enable_connect_correlation = switch("cadc_connect_correlation")
    enable_connect_debug = switch("cadc_connect_debug")
    enable_connect_neuron = switch("cadc_connect_neuron")


class Ramp(Part):
    """The ramp of a hemisphere's CADC."""

    ResetWait = CADCConfig.ResetWait
    DeadTime = CADCConfig.DeadTime

    enable = switch("cadc_enable")
    reset_wait = code(ResetWait, "cadc_reset_wait")
    dead_time = code(DeadTime, "cadc_dead_time")
    v_offset_assignment = code(CapMemBlockOnHemisphere, "", 0, *_BLOCKS)
    v_offset = code(Analog, "cadc_v_ramp_offset", 0, *_BLOCKS)
    i_slope = code(Analog, "cadc_i_ramp_slope", 0, *_BLOCKS)
    i_bias_comparator = code(Analog, "cadc_i_bias_comp", 0, *_BLOCKS)
    i_bias_vreset_buffer = code(Analog, "cadc_i_bias_vreset_buf", 0, *_BLOCKS)
    v_bias_buffer = code(Analog, "cadc_v_bias_ramp_buf", 0, *_BLOCKS)


class Correlation(Part):
    """The correlation sensors of a hemisphere."""

    sense_delay = code(CommonCorrelationConfig.SenseDelay)
    reset_duration = code(CommonCorrelationConfig.ResetDuration)
    reset_fall_time = code(CommonCorrelationConfig.ResetFallTime)
    reset_mode = code(CommonCorrelationConfig.ResetMode)
    i_bias_ramp = code(Analog, "syn_i_bias_ramp", None, *_BLOCKS)
    i_bias_store = code(Analog, "syn_i_bias_store", None, *_BLOCKS)
    i_bias_corout = code(Analog, "syn_i_bias_corout", 0, *_BLOCKS)


class CADCReadoutChain(Container, at=CADCOnDLS):
    """The CADC of a hemisphere, its channels, and the correlation sensors that it reads."""

    Channel, Ramp, Correlation = Channel, Ramp, Correlation

    ramp = Sub(Ramp)
    channels_causal = Many(Channel, CADCChannelColumnOnSynram, cadc_channel=0)
    channels_acausal = Many(Channel, CADCChannelColumnOnSynram, cadc_channel=1)
    correlation = Sub(Correlation)


class BufferToPadT(Part):
    """A buffer between a multiplexer and the pads."""

    enable = switch("readout_enable_buffer_to_pad")
    amp_i_bias = code(Analog)


class DynamicMux(Part):
    """The multiplexer that takes turns between two inputs of the MADC."""

    InputSelectLength = MADCConfig.ActiveMuxInputSelectLength

    enable_amplifiers = switch("", 1)
    initially_selected_input = code(SourceMultiplexerOnReadoutSourceSelection, "madc_active_mux_initially_selected_input")
    input_select_length = code(InputSelectLength, "madc_active_mux_input_select_length")
    i_bias = code(Analog, "", 500)


class PseudoDifferentialConverter(Part):
    """The reference of the MADC's input."""

    enable_reference = switch("", 0, HemisphereOnDLS)
    v_ref = code(Analog, "", 400)
    buffer_bias = code(Analog)


class MADCInputCrossbar(Part):
    """What reaches the MADC's pre-amplifier."""

    connect_source_measure_unit = switch()
    connect_dynamic_mux = switch("", 1)
    connect_pad_mux = switch()
    connect_madc_preamp = switch("", 1)


class MADCPreamp(Part):
    """The pre-amplifier of the MADC."""

    GainCapacitorSize = MADCConfig.PreampGainCapacitorSize

    gain_cap_size = code(GainCapacitorSize, "madc_preamp_gain")
    sampling_window_start = code(MADCConfig.SamplingWindowTiming, "", 3)
    sampling_window_end = code(MADCConfig.SamplingWindowTiming, "", 8)
    v_ref = code(Analog, "", 400)
    i_bias = code(Analog, "", 500)


class MADCDebugCrossbar(Part):
    """Connections of pre-amplifier, pads and converter."""

    connect_preamp_to_madc = switch("", 1)
    connect_pads_to_madc = switch()
    connect_preamp_to_pads = switch()


class MADC(Part):
    """Timing of the MADC."""

    sample_duration_adjust = code(MADCConfig.SampleDurationAdjust, "madc_sample_duration_adjust")
    enable_sar_reset_on_fall = switch()
    sar_reset_wait = code(MADCConfig.SARResetWait)
    sar_reset_length = code(MADCConfig.SARResetLength)
    powerup_wait_value = code(MADCConfig.PowerupWaitValue, "madc_powerup_wait_value")
    conversion_cycles_offset = code(MADCConfig.ConversionCyclesOffset, "madc_conversion_cycles_offset")
    enable_calibration = switch()
    calibration_wait_value = code(MADCConfig.CalibrationWaitValue)
    number_of_samples = code(MADCConfig.NumberOfSamples, "madc_number_of_samples")
    sample_on_positive_edge = switch("", 1)
    enable_dummy_data = switch()
    enable_madc_clock_scaling = switch("madc_enable_clock_scaling")
    clock_scale_value = code(MADCConfig.MADCClockScaleValue, "madc_clock_scale")
    in_500na = code(Analog, "", 500)


class SourceMeasureUnit(Part):
    """The amplifier that measures currents."""

    sampling_window_start = code(MADCConfig.SamplingWindowTiming, "", 9)
    sampling_window_end = code(MADCConfig.SamplingWindowTiming, "", 14)
    connect_neuron_stimulus = switch("", 0, HemisphereOnDLS)
    connect_synapse_debug = switch("", 0, SynapticInputOnNeuron)
    test_voltage = code(Analog, "", 400)
    buffer_i_bias = code(Analog)
    amp_v_ref = code(Analog, "", 400)
    amp_i_bias = code(Analog)


class ReadoutCurrentDAC(Part):
    """The current source for measurements."""

    enable_current = switch()
    current = code(CurrentDAC.Current)
    sign = code(CurrentDAC.Sign)
    connect_neuron_stimulus = switch("", 0, HemisphereOnDLS)
    connect_synapse_debug = switch("", 0, SynapticInputOnNeuron)
    i_bias = code(Analog)
    i_bias_casc = code(Analog)


class ReadoutChain(Container, at=ReadoutChainOnDLS):
    """MADC, multiplexers and pads."""

    BufferToPadT, DynamicMux, PseudoDifferentialConverter, MADCInputCrossbar = BufferToPadT, DynamicMux, PseudoDifferentialConverter, MADCInputCrossbar
    MADCPreamp, MADCDebugCrossbar, MADC, SourceMeasureUnit, CurrentDAC = MADCPreamp, MADCDebugCrossbar, MADC, SourceMeasureUnit, ReadoutCurrentDAC

    input_mux = Many(SourceMultiplexer, SourceMultiplexerOnReadoutSourceSelection)
    buffer_to_pad = Many(BufferToPadT, SourceMultiplexerOnReadoutSourceSelection)
    dynamic_mux = Sub(DynamicMux)
    pseudo_diff_converter = Sub(PseudoDifferentialConverter)
    madc_input_crossbar = Sub(MADCInputCrossbar)
    madc_preamp = Sub(MADCPreamp)
    madc_debug_crossbar = Sub(MADCDebugCrossbar)
    madc = Sub(MADC)
    pad_mux = Many(PadMultiplexerConfig, PadMultiplexerConfigOnDLS)
    source_measure_unit = Sub(SourceMeasureUnit)
    current_dac = Sub(ReadoutCurrentDAC)


_SAMPLE = CADCSampleQuad.Value

CADCSampleRow = _stored(
    "CADCSampleRow", CADCSampleRowOnDLS, "A row of samples of the CADC.", causal=(_SAMPLE, 0, SynapseOnSynapseRow), acausal=(_SAMPLE, 0, SynapseOnSynapseRow)
)
CADCSamples = _stored(
    "CADCSamples",
    CADCSamplesOnDLS,
    "A row of samples of both CADCs.",
    causal=(_SAMPLE, 0, SynramOnDLS, SynapseOnSynapseRow),
    acausal=(_SAMPLE, 0, SynramOnDLS, SynapseOnSynapseRow),
)


class _Supplies:
    """The block with the supplies of the second generation of boards, anew at each access (lola vx/dac.cpp)."""

    CODES: ClassVar = {"vdd25_digital": 608, "vdd25_analog": 608, "vdd12_digital": 2090, "vdd12_analog": 1630, "vdd12_madc": 440, "vdd12_pll": 440}

    def __get__(self, block: Any, kind: type[DACChannelBlock]) -> DACChannelBlock:
        found = kind()
        for name, supply in self.CODES.items():
            found.value[getattr(DACChannelOnBoard, name)] = supply
        return found


class DACChannelBlock(Container, at=DACChannelBlockOnBoard):
    """All voltages of the board. One of them reaches the chip in the twin, ``mux_dac_25``: a playback program applies it to the debug pad."""

    is_on_board = True
    Value = DACChannel.Value
    default_ldo_2 = _Supplies()

    value = code(DACChannel.Value, "", 0, DACChannelOnBoard)

    @classmethod
    def places(cls, coord: Ranged) -> tuple[Place, ...]:
        """Return the places of the voltages that reach the chip."""
        return tuple(place for channel in iter_all(DACChannelOnBoard) for place in DACChannel.places(channel))

    def codes(self, coord: Ranged) -> tuple[tuple[str, Index, Any], ...]:
        """Return field, index and code of each voltage that reaches the chip."""
        return tuple(found for channel in iter_all(DACChannelOnBoard) for found in DACChannel(self.value[channel]).codes(channel))

    @classmethod
    def from_codes(cls, coord: Ranged, values: Any) -> DACChannelBlock:
        """Return the block with the voltages that reach the chip."""
        block, left = cls(), list(values)
        for channel in iter_all(DACChannelOnBoard):
            if DACChannel.places(channel):
                block.value[channel] = int(left.pop(0))
        return block

    @classmethod
    def read_from(cls, config: ChipConfig, coord: Ranged) -> DACChannelBlock:
        """Return the block as a configuration has it."""
        return cls.from_codes(coord, [config[place.field][place.key] for place in cls.places(coord)])

    def set_voltage(self, coord: Any, voltage: float) -> None:
        """Set a channel to a voltage in V; it becomes a code of 12 bits, rounded down.

        Raises
        ------
        ConfigurationError
            If the channel drives a regulator, so that no voltage follows from its code.
        CoordinateOverflowError, CoordinateTypeError
            If the voltage is above the channel's range or negative.
        """
        self.value[coord] = math.floor(voltage / _reference_volt(coord) * DACChannel.Value.max)

    def get_voltage(self, coord: Any) -> float:
        """Return the voltage of a channel in V; errors as for :meth:`set_voltage`."""
        return int(self.value[coord]) / DACChannel.Value.max * _reference_volt(coord)


_REFERENCES = {
    1.2: ("v_reset", "v_res_meas", "mux_rfu_0", "mux_rfu_1"),
    2.5: ("i_ref_board", "ana_readout_debug_0", "ana_readout_debug_1", "mux_dac_25"),
}


def _reference_volt(coord: Any) -> float:
    """Return the voltage of the highest code of a channel (lola vx/dac.cpp)."""
    for volt, names in _REFERENCES.items():
        if coord in [getattr(DACChannelOnBoard, name) for name in names]:
            return volt
    raise ConfigurationError(f"{coord} was asked for its voltage; allowed are channels without a regulator, for instance DACChannelOnBoard.mux_dac_25.")


DACControlBlock = _stored("DACControlBlock", DACControlBlockOnBoard, "Which of them are on.", enable=(bool, 0, DACChannelOnBoard))
ExternalPPUMemory = _stored(
    "ExternalPPUMemory",
    ExternalPPUMemoryOnFPGA,
    "The external memory of the plasticity processors.",
    bytes=(ExternalPPUMemoryByte.Value, 0, ExternalPPUMemoryByteOnFPGA),
)


class _Bytes(Block):
    """A piece of memory of bytes."""

    @property
    def bytes(self) -> list[object]:
        """A copy of the bytes; assign a list of the same length to set them."""
        return self._elements()

    @bytes.setter
    def bytes(self, words: list[object]) -> None:
        self._replace(words)


class ExternalPPUMemoryBlock(_Bytes, at=ExternalPPUMemoryBlockOnFPGA):
    """A piece of the external memory of the plasticity processors."""

    element, size_type = ExternalPPUMemoryByte, ExternalPPUMemoryBlockSize


class ExternalPPUDRAMMemoryBlock(_Bytes, at=ExternalPPUDRAMMemoryBlockOnFPGA):
    """A piece of the external DRAM of the plasticity processors."""

    element, size_type = ExternalPPUDRAMMemoryByte, ExternalPPUDRAMMemoryBlockSize
