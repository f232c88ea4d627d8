"""Digital settings of the neuron circuits, register by register, and their spike counters."""

from __future__ import annotations

from functools import partial

from dlens_vx_v3._container import Container, stored
from dlens_vx_v3._member import Bits, code, switch
from dlens_vx_v3._values import choices_of, ranged, ranged_of
from dlens_vx_v3.halco import (
    BlockPostPulseOnDLS,
    CommonNeuronBackendConfigOnDLS,
    NeuronBackendConfigOnDLS,
    NeuronConfigOnDLS,
    NeuronResetOnDLS,
    NeuronResetQuadOnDLS,
    SpikeCounterReadOnDLS,
    SpikeCounterResetOnDLS,
)

_stored = partial(stored, __name__)


class CommonNeuronBackendConfig(Container, at=CommonNeuronBackendConfigOnDLS):
    """The clocks of a neuron backend."""

    ClockScale = ranged_of("ClockScale", "backend_clock_scale_slow")
    WaitGlobalPostPulse = ranged("WaitGlobalPostPulse", 255, 0, 1)
    WaitSpikeCounterReset = ranged("WaitSpikeCounterReset", 255, 0, 4)
    WaitSpikeCounterRead = ranged("WaitSpikeCounterRead", 255, 0, 112)
    WaitFireNeuron = ranged("WaitFireNeuron", 255, 0, 4)

    enable_event_registers = switch(default=1)
    force_reset = switch()
    enable_clocks = switch("backend_enable_clocks")
    clock_scale_slow = code(ClockScale, "backend_clock_scale_slow")
    clock_scale_fast = code(ClockScale, "backend_clock_scale_fast")
    clock_scale_adaptation_pulse = code(ClockScale, "backend_clock_scale_adaptation_pulse")
    clock_scale_post_pulse = code(ClockScale, "backend_clock_scale_post_pulse")
    wait_global_post_pulse = code(WaitGlobalPostPulse)
    wait_spike_counter_reset = code(WaitSpikeCounterReset)
    wait_spike_counter_read = code(WaitSpikeCounterRead)
    wait_fire_neuron = code(WaitFireNeuron)


_FIRE: Bits = (lambda mode: int(mode > 0), lambda mode, on: (mode or 1) if on else 0)
_STRONG: Bits = (lambda mode: int(mode == 2), lambda mode, on: (2 if on else 1) if mode else 0)


class NeuronConfig(Container, at=NeuronConfigOnDLS):
    """The analog switches of a neuron circuit."""

    MembraneCapacitorSize = ranged_of("MembraneCapacitorSize", "membrane_capacitance_capacitance")
    ReadoutSource = choices_of("ReadoutSource", "readout_source")

    enable_divide_multicomp_conductance_bias = switch("multicompartment_enable_conductance_division")
    enable_multiply_multicomp_conductance_bias = switch("multicompartment_enable_conductance_multiplication")
    connect_soma = switch("multicompartment_connect_soma")
    connect_membrane_right = switch("multicompartment_connect_right")
    enable_multicomp_conductance = switch("multicompartment_enable_conductance")
    connect_bottom = switch("multicompartment_connect_vertical")
    connect_soma_right = switch("multicompartment_connect_soma_right")
    enable_fire = switch("event_routing_analog_output", 0, bits=_FIRE)
    enable_strong_fire = switch("event_routing_analog_output", bits=_STRONG)
    enable_threshold_comparator = switch("threshold_enable")
    enable_synaptic_input_excitatory = switch("excitatory_input_enable")
    enable_synaptic_input_inhibitory = switch("inhibitory_input_enable")
    enable_synaptic_input_excitatory_coba_mode = switch("excitatory_input_enable_coba_mode")
    enable_synaptic_input_inhibitory_coba_mode = switch("inhibitory_input_enable_coba_mode")
    enable_synaptic_input_excitatory_small_capacitance = switch("excitatory_input_enable_small_capacitance", 0)
    enable_synaptic_input_inhibitory_small_capacitance = switch("inhibitory_input_enable_small_capacitance", 0)
    enable_synaptic_input_excitatory_high_resistance = switch("excitatory_input_enable_high_resistance")
    enable_synaptic_input_inhibitory_high_resistance = switch("inhibitory_input_enable_high_resistance")
    enable_bypass_excitatory = switch("event_routing_enable_bypass_excitatory")
    enable_bypass_inhibitory = switch("event_routing_enable_bypass_inhibitory")
    enable_membrane_offset = switch("constant_current_enable")
    invert_membrane_offset = switch("constant_current_type")
    membrane_capacitor_size = code(MembraneCapacitorSize, "membrane_capacitance_capacitance")
    invert_adaptation_a = switch("adaptation_invert_a")
    invert_adaptation_b = switch("adaptation_invert_b")
    enable_adaptation = switch("adaptation_enable")
    enable_exponential = switch("exponential_enable")
    enable_unbuffered_access = switch("readout_enable_unbuffered_access")
    enable_readout_amplifier = switch("readout_enable_amplifier")
    readout_source = code(ReadoutSource, "readout_source")
    enable_readout = switch("readout_enable_buffered_access")
    enable_reset_degeneration = switch("reset_enable_degeneration")
    enable_reset_division = switch("reset_enable_division")
    enable_reset_multiplication = switch("reset_enable_multiplication")
    enable_leak_degeneration = switch("leak_enable_degeneration")
    enable_leak_division = switch("leak_enable_division")
    enable_leak_multiplication = switch("leak_enable_multiplication")
    enable_pause = switch("refractory_period_enable_pause")


def _bit(number: int) -> Bits:
    """Return how a switch is one bit of a code."""
    return (lambda word: word >> number & 1, lambda word, on: word & ~(1 << number) | on << number)


class NeuronBackendConfig(Container, at=NeuronBackendConfigOnDLS):
    """The digital part of a neuron circuit."""

    AddressOut = ranged_of("AddressOut", "event_routing_address")
    RefractoryTime = ranged_of("RefractoryTime", "refractory_period_refractory_time")
    ResetHoldoff = ranged_of("ResetHoldoff", "refractory_period_reset_holdoff")
    InputClock = ranged("InputClock", 1)

    address_out = code(AddressOut, "event_routing_address")
    reset_holdoff = code(ResetHoldoff, "refractory_period_reset_holdoff")
    refractory_time = code(RefractoryTime, "refractory_period_refractory_time")
    post_overwrite = switch("event_routing_enable_post_overwrite")
    select_input_clock = code(InputClock, "refractory_period_input_clock")
    enable_adaptation_pulse = switch("adaptation_enable_pulse")
    enable_bayesian_extension = switch("bayesian_to_post_pulse")
    enable_neuron_slave = switch("bayesian_enable_slave")
    connect_fire_bottom = switch("bayesian_connect_fire_vertical")
    connect_fire_from_right = switch("bayesian_connect_fire_from_right")
    connect_fire_to_right = switch("bayesian_connect_fire_to_right")
    enable_spike_out = switch("event_routing_enable_digital", 0)
    enable_neuron_master = switch("bayesian_enable_master")
    enable_bayesian_0 = switch("bayesian_operation", bits=_bit(0))
    enable_bayesian_1 = switch("bayesian_operation", bits=_bit(1))


class SpikeCounterRead(Container, at=SpikeCounterReadOnDLS):
    """The spikes of a neuron since the last reset of its counter."""

    Count = ranged("Count", 255)

    count = code(Count, "spike_counter")
    overflow = switch("spike_counter_overflow")


SpikeCounterReset = _stored("SpikeCounterReset", SpikeCounterResetOnDLS, "Writing it resets the spike counter.")
NeuronReset = _stored("NeuronReset", NeuronResetOnDLS, "Writing it resets the membrane of a neuron.")
NeuronResetQuad = _stored("NeuronResetQuad", NeuronResetQuadOnDLS, "Writing it resets the membranes of four neurons.")
BlockPostPulse = _stored("BlockPostPulse", BlockPostPulseOnDLS, "Writing it sends a post pulse to all synapses of a backend.")
