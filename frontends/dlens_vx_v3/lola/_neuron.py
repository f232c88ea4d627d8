"""The neuron circuits, each with all its registers: generated from the register table, group by group."""

from __future__ import annotations

from typing import Any

from dlens_vx_v3._container import Container
from dlens_vx_v3._member import Member, code
from dlens_vx_v3._part import Many, Part, Sub
from dlens_vx_v3._values import REGISTERS, choices_of
from dlens_vx_v3.hal._capmem import Analog, CapMemCell
from dlens_vx_v3.hal._neuron import CommonNeuronBackendConfig, NeuronBackendConfig, NeuronConfig
from dlens_vx_v3.halco import AtomicNeuronOnDLS, CapMemBlockOnDLS, ColumnCurrentRowOnDLS, CommonNeuronBackendConfigOnDLS, NeuronBlockOnDLS
from dlens_vx_v3.lola._synapse import ColumnCurrentRow

_OFF = {"event_routing_analog_output": 0, "event_routing_enable_digital": 0}
"""Fields that upstream's container starts with off; a chip of the twin starts with them on."""


def _members(prefix: str, types: dict[str, Any]) -> dict[str, Any]:
    """Return the members of the register fields that start with `prefix`; `types` are those of codes and choices."""
    fields = {name[len(prefix) + 1 :]: row for name, row in REGISTERS.items() if name.startswith(f"{prefix}_") and row.axes == ("circuit",) and not row.counter}
    kinds = {"capmem_voltage": Analog, "capmem_current": Analog, "switch": bool}
    return {name: Member(types.get(name) or kinds[row.kind], row.name, _OFF.get(row.name)) for name, row in fields.items()}


def _group(name: str, prefix: str, base: type[Part] = Part, **types: Any) -> Any:
    """Return the class of a group of a neuron's registers. A type's name in the class is its own."""
    members: dict[str, Any] = {"__module__": __name__, "__qualname__": f"AtomicNeuron.{name}", **{kind.__name__: kind for kind in types.values()}}
    return type(name, (base,), {**members, **_members(prefix, types), "__doc__": f"Registers {prefix}_* of a neuron circuit."})


class AtomicNeuron(Container, at=AtomicNeuronOnDLS):
    """A neuron circuit: all its analog parameters and switches."""

    AnalogValue = CapMemCell.Value
    AnalogDisableRefresh = CapMemCell.DisableRefresh

    SynapticInput = _group("SynapticInput", "excitatory_input")
    InhibitoryInput = _group("InhibitoryInput", "inhibitory_input", base=SynapticInput)
    Leak = _group("Leak", "leak")
    Reset = _group("Reset", "reset")
    Threshold = _group("Threshold", "threshold")
    Multicompartment = _group("Multicompartment", "multicompartment")
    ConstantCurrent = _group("ConstantCurrent", "constant_current", type=choices_of("Type", "constant_current_type"))
    MembraneCapacitance = _group("MembraneCapacitance", "membrane_capacitance", capacitance=NeuronConfig.MembraneCapacitorSize)
    Adaptation = _group("Adaptation", "adaptation")
    Exponential = _group("Exponential", "exponential")
    EventRouting = _group(
        "EventRouting",
        "event_routing",
        analog_output=choices_of("AnalogOutputMode", "event_routing_analog_output"),
        address=NeuronBackendConfig.AddressOut,
    )
    Readout = _group("Readout", "readout", source=NeuronConfig.ReadoutSource)
    RefractoryPeriod = _group(
        "RefractoryPeriod",
        "refractory_period",
        refractory_time=NeuronBackendConfig.RefractoryTime,
        reset_holdoff=NeuronBackendConfig.ResetHoldoff,
        input_clock=NeuronBackendConfig.InputClock,
    )
    Bayesian = _group("Bayesian", "bayesian", operation=choices_of("Operation", "bayesian_operation"))

    excitatory_input = Sub(SynapticInput)
    inhibitory_input = Sub(InhibitoryInput)
    leak = Sub(Leak)
    reset = Sub(Reset)
    threshold = Sub(Threshold)
    multicompartment = Sub(Multicompartment)
    constant_current = Sub(ConstantCurrent)
    membrane_capacitance = Sub(MembraneCapacitance)
    adaptation = Sub(Adaptation)
    exponential = Sub(Exponential)
    event_routing = Sub(EventRouting)
    readout = Sub(Readout)
    refractory_period = Sub(RefractoryPeriod)
    bayesian = Sub(Bayesian)


AtomicNeuron.EventRouting.disabled = AtomicNeuron.EventRouting(analog_output=0, enable_digital=False)
AtomicNeuron.EventRouting.enabled = AtomicNeuron.EventRouting(analog_output=1, enable_digital=True)
AtomicNeuron.EventRouting.bypass_exc = AtomicNeuron.EventRouting(analog_output=0, enable_digital=False, enable_bypass_excitatory=True)
AtomicNeuron.EventRouting.bypass_inh = AtomicNeuron.EventRouting(analog_output=0, enable_digital=False, enable_bypass_inhibitory=True)
AtomicNeuron.EventRouting.Address = NeuronBackendConfig.AddressOut
AtomicNeuron.Readout.Source = NeuronConfig.ReadoutSource
AtomicNeuron.MembraneCapacitance.CapacitorSize = NeuronConfig.MembraneCapacitorSize


class NeuronBlock(Container, at=NeuronBlockOnDLS):
    """All neuron circuits and what they share."""

    AnalogValue = CapMemCell.Value
    AnalogDisableRefresh = CapMemCell.DisableRefresh

    atomic_neurons = Many(AtomicNeuron, AtomicNeuronOnDLS)
    backends = Many(CommonNeuronBackendConfig, CommonNeuronBackendConfigOnDLS)
    current_rows = Many(ColumnCurrentRow, ColumnCurrentRowOnDLS)
    v_bias_casc_n = code(Analog, "neuron_v_bias_casc_n", None, CapMemBlockOnDLS)
    i_bias_readout_amp = code(Analog, "neuron_i_bias_readout_amp", None, CapMemBlockOnDLS)
    i_bias_leak_source_follower = code(Analog, "neuron_i_bias_leak_source_follower", None, CapMemBlockOnDLS)
    i_bias_threshold_comparator = code(Analog, "neuron_i_bias_spike_comparator", None, CapMemBlockOnDLS)
    i_bias_synin_drop = code(Analog, "neuron_i_bias_synin_drop", None, CapMemBlockOnDLS)
