"""What upstream's modules of containers have and these have not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dlens_vx_v3._values import UnknownMemberError
from neckar.errors import nearest

MISSING: Mapping[str, tuple[str, ...]] = {
    "Cells are read and written one by one, with `CapMemCell`": ("CapMemBlock",),
    "Programs of the plasticity processors are not loaded from files": ("PPUElfFile", "PPUProgram"),
    "Access times of memories have no counterpart": (
        *("CADCOffsetSRAMTimingConfig", "CapMemSRAMTimingConfig", "MemoryTiming", "NeuronBackendSRAMTimingConfig", "NeuronSRAMTimingConfig"),
        "SynapseDriverSRAMTimingConfig",
    ),
    "External memory is accessed by bytes and blocks": ("ExternalPPUMemoryQuad", "ExternalPPUDRAMMemoryQuad"),
    "The generator of input vectors on the FPGA is not modelled": (
        *("VectorGeneratorControl", "VectorGeneratorFIFOWord", "VectorGeneratorLUTEntry", "VectorGeneratorNotificationAddress", "VectorGeneratorTrigger"),
    ),
    "Connections between chips and to other devices are not modelled": (
        *("InputRoutingTable", "InputRoutingTableEntry", "OutputRoutingTable", "OutputRoutingTableEntry", "SpikeIOConfig", "SpikeIOInputRoute"),
        *("SpikeIOOutputRoute", "MultichipJboaLeafFPGA", "ChipAndMultichipJboaLeafFPGA", "SinglechipFPGA", "ChipAndSinglechipFPGA"),
    ),
    "Converters, switches and sensors of one kind of board, and tests of links, have no counterpart": (
        *("AD5252ChannelConfig", "AD5252ChannelConfigPersistent", "DAC6573ChannelConfig", "TCA9546ChannelConfig", "TCA9554Config", "TCA9554Inputs"),
        *("TMP112Status", "JTAGClockScaler", "PerfTest", "PerfTestStatus"),
    ),
}
"""Containers of upstream that do not exist here, by reason."""


def unknown(module: str, name: str, known: Iterable[str]) -> UnknownMemberError:
    """Return the error for a name that a module does not have: why it is missing, or which names are near."""
    reasons = [reason for reason, names in MISSING.items() if name in names]
    return UnknownMemberError(f"{module}.{name} is missing. {reasons[0]}." if reasons else f"{module} has no container {name!r}{nearest(name, known)}")
