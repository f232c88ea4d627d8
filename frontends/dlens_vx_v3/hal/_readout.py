"""CADC, MADC, correlation sensors and the switches to the pads."""

from __future__ import annotations

from functools import partial
from typing import Any

from dlens_vx_v3._container import Container, stored
from dlens_vx_v3._member import code, switch
from dlens_vx_v3._part import Many, Part
from dlens_vx_v3._values import choices, ranged, ranged_of
from dlens_vx_v3.halco import (
    CADCChannelConfigOnDLS,
    CADCConfigOnDLS,
    CADCSampleQuadOnDLS,
    CapMemBlockOnDLS,
    CapMemBlockOnHemisphere,
    CommonCorrelationConfigOnDLS,
    CurrentDACOnDLS,
    EntryOnQuad,
    HemisphereOnDLS,
    MADCConfigOnDLS,
    MADCControlOnDLS,
    PadMultiplexerConfigOnDLS,
    ReadoutSourceSelectionOnDLS,
    SourceMultiplexerOnReadoutSourceSelection,
    SynapticInputOnNeuron,
)

_stored = partial(stored, __name__)


class CADCConfig(Container, at=CADCConfigOnDLS):
    """The converter of a hemisphere."""

    ResetWait = ranged_of("ResetWait", "cadc_reset_wait")
    DeadTime = ranged_of("DeadTime", "cadc_dead_time")

    enable = switch("cadc_enable")
    reset_wait = code(ResetWait, "cadc_reset_wait")
    dead_time = code(DeadTime, "cadc_dead_time")


class CADCChannelConfig(Container, at=CADCChannelConfigOnDLS):
    """A channel of the CADC."""

    Offset = ranged_of("Offset", "cadc_channel_offset")

    offset = code(Offset, "cadc_channel_offset", 0)


CADCSampleQuad = _stored("CADCSampleQuad", CADCSampleQuadOnDLS, "Four samples of the CADC.", samples=(ranged("Value", 255), 0, EntryOnQuad))

CommonCorrelationConfig = _stored(
    "CommonCorrelationConfig",
    CommonCorrelationConfigOnDLS,
    "Timing of the correlation sensors of a hemisphere.",
    sense_delay=ranged("SenseDelay", 2**12 - 1, 0, 1),
    reset_duration=ranged("ResetDuration", 2**12 - 1, 0, 200),
    reset_fall_time=ranged("ResetFallTime", 2**12 - 1, 0, 5),
    reset_mode=choices("ResetMode", "normal", "auto_calibrating"),
    cadc_v_offset_assignment=(CapMemBlockOnHemisphere, 0, CapMemBlockOnHemisphere),
)


class MADCControl(Container, at=MADCControlOnDLS):
    """Starts and stops the MADC."""

    enable_iconv_amplifier = switch()
    enable_pre_amplifier = switch()
    enable_continuous_sampling = switch("madc_enable_continuous_sampling", 0)
    enable_power_down_after_sampling = switch()
    stop_recording = switch()
    start_recording = switch()
    wake_up = switch()


class MADCConfig(Container, at=MADCConfigOnDLS):
    """Timing and connections of the MADC."""

    ActiveMuxInputSelectLength = ranged_of("ActiveMuxInputSelectLength", "madc_active_mux_input_select_length", 0)
    SampleDurationAdjust = ranged_of("SampleDurationAdjust", "madc_sample_duration_adjust")
    SARResetWait = ranged("SARResetWait", 3, 0, 3)
    SARResetLength = ranged("SARResetLength", 3)
    PowerupWaitValue = ranged_of("PowerupWaitValue", "madc_powerup_wait_value")
    ConversionCyclesOffset = ranged_of("ConversionCyclesOffset", "madc_conversion_cycles_offset")
    CalibrationWaitValue = ranged("CalibrationWaitValue", 1023)
    NumberOfSamples = ranged_of("NumberOfSamples", "madc_number_of_samples")
    SamplingWindowTiming = ranged("SamplingWindowTiming", 31)
    PreampGainCapacitorSize = ranged_of("PreampGainCapacitorSize", "madc_preamp_gain")
    MADCClockScaleValue = ranged_of("MADCClockScaleValue", "madc_clock_scale")

    active_mux_initially_selected_input = code(SourceMultiplexerOnReadoutSourceSelection, "madc_active_mux_initially_selected_input")
    active_mux_input_select_length = code(ActiveMuxInputSelectLength, "madc_active_mux_input_select_length")
    sample_duration_adjust = code(SampleDurationAdjust, "madc_sample_duration_adjust")
    enable_sar_reset_on_fall = switch()
    sar_reset_wait = code(SARResetWait)
    sar_reset_length = code(SARResetLength)
    powerup_wait_value = code(PowerupWaitValue, "madc_powerup_wait_value")
    conversion_cycles_offset = code(ConversionCyclesOffset, "madc_conversion_cycles_offset")
    calibration_wait_value = code(CalibrationWaitValue)
    enable_calibration = switch()
    number_of_samples = code(NumberOfSamples, "madc_number_of_samples")
    preamp_sampling_window_start = code(SamplingWindowTiming, "", 3)
    preamp_sampling_window_end = code(SamplingWindowTiming, "", 8)
    iconv_sampling_window_start = code(SamplingWindowTiming, "", 9)
    iconv_sampling_window_end = code(SamplingWindowTiming, "", 14)
    sample_on_positive_edge = switch("", 1)
    enable_dummy_data = switch()
    connect_preamp_to_madc = switch("", 1)
    connect_pads_to_madc = switch()
    connect_preamp_to_pads = switch()
    preamp_gain_capacitor_size = code(PreampGainCapacitorSize, "madc_preamp_gain")
    enable_madc_clock_scaling = switch("madc_enable_clock_scaling")
    madc_clock_scale_value = code(MADCClockScaleValue, "madc_clock_scale")
    enable_active_mux_amplifiers = switch("", 1)
    enable_pseudo_differential_reference = switch("", 0, HemisphereOnDLS)
    signal_selection_connect_current_meter = switch()
    signal_selection_connect_active_mux = switch("", 1)
    signal_selection_connect_debug = switch()
    signal_selection_connect_preamp = switch("", 1)
    enable_iconv_amplifier = switch()
    connect_iconv_neuron = switch("", 0, HemisphereOnDLS)
    connect_iconv_synapse = switch("", 0, SynapticInputOnNeuron)


class SourceMultiplexer(Part):
    """The signals that a readout multiplexer connects."""

    debug_plus = switch()
    debug_minus = switch()
    current_dac = switch()
    synin_debug_inhibitory = switch()
    synin_debug_excitatory = switch()
    cadc_debug_causal = switch()
    cadc_debug_acausal = switch()
    synapse_driver_debug = switch("", 0, HemisphereOnDLS)
    neuron_odd = switch("readout_mux_neuron_odd", None, HemisphereOnDLS)
    neuron_even = switch("readout_mux_neuron_even", None, HemisphereOnDLS)


class ReadoutSourceSelection(Container, at=ReadoutSourceSelectionOnDLS):
    """Both readout multiplexers and their buffers to the pads."""

    SourceMultiplexer = SourceMultiplexer

    buffers = Many(SourceMultiplexer, SourceMultiplexerOnReadoutSourceSelection)
    enable_buffer_to_pad = switch("readout_enable_buffer_to_pad", None, SourceMultiplexerOnReadoutSourceSelection)

    def set_buffer(self, coord: SourceMultiplexerOnReadoutSourceSelection, value: Part) -> None:
        """Set one multiplexer."""
        self.buffers[coord] = value

    def get_buffer(self, coord: SourceMultiplexerOnReadoutSourceSelection) -> Any:
        """Return one multiplexer."""
        return self.buffers[coord]


class PadMultiplexerConfig(Container, at=PadMultiplexerConfigOnDLS):
    """The switches of an analog pad."""

    cadc_v_ramp_mux = switch("", 0, CapMemBlockOnDLS)
    cadc_v_ramp_mux_to_pad = switch()
    capmem_i_out_mux = switch("", 0, CapMemBlockOnDLS)
    capmem_i_out_mux_to_capmem_intermediate_mux = switch()
    capmem_intermediate_mux_to_pad = switch()
    capmem_v_out_mux = switch("", 0, CapMemBlockOnDLS)
    capmem_v_out_mux_to_capmem_intermediate_mux = switch()
    capmem_v_ref_mux = switch("", 0, CapMemBlockOnDLS)
    capmem_v_ref_mux_to_capmem_intermediate_mux = switch()
    neuron_i_stim_mux = switch("pad_neuron_i_stim_mux", None, HemisphereOnDLS)
    neuron_i_stim_mux_to_pad = switch("pad_neuron_i_stim_mux_to_pad")
    cadc_debug_acausal_to_synapse_intermediate_mux = switch()
    cadc_debug_causal_to_synapse_intermediate_mux = switch()
    synin_debug_inhibitory_to_synapse_intermediate_mux = switch()
    synin_debug_excitatory_to_synapse_intermediate_mux = switch()
    synapse_intermediate_mux_to_pad = switch()
    buffer_to_pad = switch("pad_buffer_to_pad", None, SourceMultiplexerOnReadoutSourceSelection)
    debug_to_pad = switch()


CurrentDAC = _stored(
    "CurrentDAC",
    CurrentDACOnDLS,
    "A current source for measurements.",
    enable_current=bool,
    current=ranged("Current", 255),
    sign=choices("Sign", "source", "sink"),
    connect_neuron=(bool, 0, HemisphereOnDLS),
    connect_synapse=(bool, 0, SynapticInputOnNeuron),
)
