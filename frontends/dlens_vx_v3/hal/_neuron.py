"""Digital settings of the neuron circuits."""

from __future__ import annotations

from dlens_vx_v3._container import Container, choices_of, code, ranged_of, switch
from dlens_vx_v3.halco import CommonNeuronBackendConfigOnDLS


class CommonNeuronBackendConfig(Container, at=CommonNeuronBackendConfigOnDLS):
    """The clocks of a neuron backend."""

    ClockScale = ranged_of("ClockScale", "backend_clock_scale_slow")

    enable_clocks = switch("backend_enable_clocks")
    clock_scale_slow = code(ClockScale, "backend_clock_scale_slow")
    clock_scale_fast = code(ClockScale, "backend_clock_scale_fast")
    clock_scale_adaptation_pulse = code(ClockScale, "backend_clock_scale_adaptation_pulse")
    clock_scale_post_pulse = code(ClockScale, "backend_clock_scale_post_pulse")


class NeuronConfig:
    """The analog switches of a neuron circuit."""

    MembraneCapacitorSize = ranged_of("MembraneCapacitorSize", "membrane_capacitance_capacitance")
    ReadoutSource = choices_of("ReadoutSource", "readout_source")


class NeuronBackendConfig:
    """The digital part of a neuron circuit."""

    AddressOut = ranged_of("AddressOut", "event_routing_address")
    RefractoryTime = ranged_of("RefractoryTime", "refractory_period_refractory_time")
    ResetHoldoff = ranged_of("ResetHoldoff", "refractory_period_reset_holdoff")
    InputClock = choices_of("InputClock", "refractory_period_input_clock")
