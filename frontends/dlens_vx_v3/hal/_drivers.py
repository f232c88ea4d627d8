"""Synapse drivers, PADI buses and short-term plasticity."""

from __future__ import annotations

from functools import partial

from dlens_vx_v3._container import Container, stored
from dlens_vx_v3._member import code, switch
from dlens_vx_v3._values import choices, ranged, ranged_of
from dlens_vx_v3.halco import (
    CommonPADIBusConfigOnDLS,
    CommonSTPConfigOnDLS,
    PADIBusOnPADIBusBlock,
    PADIEventOnDLS,
    PADIRowSelectAddress,
    SynapseDriverOnDLS,
    SynapseLabel,
    SynapseRowOnSynapseDriver,
)

_stored = partial(stored, __name__)
_TOP, _BOTTOM = int(SynapseRowOnSynapseDriver.top), int(SynapseRowOnSynapseDriver.bottom)  # type: ignore[attr-defined]


class SynapseDriverConfig(Container, at=SynapseDriverOnDLS):
    """A synapse driver."""

    RowAddressCompareMask = ranged_of("RowAddressCompareMask", "driver_row_address_compare_mask")
    Utilization = ranged_of("Utilization", "driver_utilization")
    Offset = ranged_of("Offset", "driver_offset", 0)
    Recovery = ranged_of("Recovery", "driver_recovery")
    HagenDACOffset = ranged_of("HagenDACOffset", "driver_hagen_dac_offset", 0)
    TargetVoltages = ranged_of("TargetVoltages", "driver_select_target_voltages")
    RowMode = choices("RowMode", "disabled", "excitatory", "inhibitory", "excitatory_and_inhibitory")

    enable_receiver = switch("driver_enable_receiver")
    row_address_compare_mask = code(RowAddressCompareMask, "driver_row_address_compare_mask")
    enable_address_out = switch("driver_enable_address_out")
    utilization = code(Utilization, "driver_utilization")
    offset = code(Offset, "driver_offset")
    enable_hagen_dac = switch("driver_enable_hagen_dac")
    recovery = code(Recovery, "driver_recovery")
    row_mode_bottom = code(RowMode, "synapse_row_mode", row_of_driver=_BOTTOM)
    row_mode_top = code(RowMode, "synapse_row_mode", row_of_driver=_TOP)
    hagen_dac_offset = code(HagenDACOffset, "driver_hagen_dac_offset")
    select_target_voltages = code(TargetVoltages, "driver_select_target_voltages")
    enable_readout = switch()
    enable_renewing = switch()
    enable_hagen_modulation = switch("driver_enable_hagen_modulation")
    enable_stp = switch("driver_enable_stp")
    enable_charge_sharing = switch()
    enable_recovery = switch("driver_enable_recovery")


class CommonPADIBusConfig(Container, at=CommonPADIBusConfigOnDLS):
    """The PADI buses of a hemisphere."""

    DacenPulseExtension = ranged_of("DacenPulseExtension", "padi_dacen_pulse_extension")

    enable_spl1 = switch("padi_enable_spl1", 0, PADIBusOnPADIBusBlock)
    enable_extended_timing = switch("padi_enable_extended_timing", None, PADIBusOnPADIBusBlock)
    dacen_pulse_extension = code(DacenPulseExtension, "padi_dacen_pulse_extension", None, PADIBusOnPADIBusBlock)


class CommonSTPConfig(Container, at=CommonSTPConfigOnDLS):
    """The recovery clock of the drivers of a hemisphere."""

    RecoveryClockSpeed = ranged_of("RecoveryClockSpeed", "stp_recovery_clock_speed")

    enable_recovery_clock = switch("stp_enable_recovery_clock", 0)
    recovery_clock_speed = code(RecoveryClockSpeed, "stp_recovery_clock_speed")


class PADIEvent(Container, at=PADIEventOnDLS):
    """An event that the register sends to the chosen buses of its hemisphere. In matrix multiplication its address is also seen as address and activation."""

    HagenAddress = ranged("HagenAddress", 1)
    HagenActivation = ranged("HagenActivation", 31)

    fire_bus = switch("", 0, PADIBusOnPADIBusBlock)
    event_address = code(SynapseLabel)
    row_select_address = code(PADIRowSelectAddress)

    @property
    def hagen_address(self) -> int:
        """Bit 5 of the address."""
        return int(self.HagenAddress(int(self.event_address) >> 5))

    @hagen_address.setter
    def hagen_address(self, value: int) -> None:
        self.event_address = int(self.event_address) & 31 | int(self.HagenAddress(value)) << 5

    @property
    def hagen_activation(self) -> int:
        """The lower 5 bits of the address. A smaller number makes a longer pulse: 32 minus it is the activation in multiples of the shortest."""
        return int(self.HagenActivation(int(self.event_address) & 31))

    @hagen_activation.setter
    def hagen_activation(self, value: int) -> None:
        self.event_address = int(self.event_address) & 32 | int(self.HagenActivation(value))
