"""Time, events and recording at the FPGA."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Self

import numpy as np

from dlens_vx_v3._container import Container, stored
from dlens_vx_v3._member import code, switch
from dlens_vx_v3._values import ranged
from dlens_vx_v3.halco import (
    BarrierOnFPGA,
    EventRecordingConfigOnFPGA,
    ExternalPPUDRAMMemoryByteOnFPGA,
    ExternalPPUMemoryByteOnFPGA,
    FPGADeviceDNAOnFPGA,
    FPGASystimeSyncActiveStateOnFPGA,
    FPGASystimeSyncLastAsicSystimeOnFPGA,
    FPGASystimeSyncLastRTTOnFPGA,
    FPGASystimeSyncNumRetriesOnFPGA,
    InstructionTimeoutConfigOnFPGA,
    NullPayloadReadableOnFPGA,
    PollingOmnibusBlockConfigOnFPGA,
    PollingOmnibusBlockOnFPGA,
    ResetChipOnDLS,
    SpikeLabel,
    SpikePack1ToChipOnDLS,
    SpikePack2ToChipOnDLS,
    SpikePack3ToChipOnDLS,
    SystimeCorrectionBarrierConfigOnFPGA,
    SystimeSyncBaseOnDLS,
    SystimeSyncOnFPGA,
    TimerOnDLS,
    WaitUntilOnFPGA,
)
from dlens_vx_v3.halco._base import Ranged
from neckar.facts.brainscales2 import FPGA_CLOCK_TICKS
from neckar.program import TICKS_PER_US

_stored = partial(stored, __name__)


class TimerValue(Ranged, size=2**32):
    """A time in cycles of the FPGA clock, 8 ns each. Sums, differences and multiples are times, too."""

    fpga_clock_cycles_per_us: ClassVar[TimerValue]

    def __add__(self, other: int) -> Self:
        return type(self)(int(self) + int(other))

    def __sub__(self, other: int) -> Self:
        return type(self)(int(self) - int(other))

    def toWaitUntilOnFPGA(self) -> WaitUntilOnFPGA:
        """Return the coordinate of the wait."""
        return WaitUntilOnFPGA()


TimerValue.fpga_clock_cycles_per_us = TimerValue(TICKS_PER_US // FPGA_CLOCK_TICKS)
TimerValue.__name__, TimerValue.__qualname__ = "Value", "Timer.Value"


class Timer(Container, at=TimerOnDLS):
    """The timer of a playback program; writing it sets the time."""

    Value = TimerValue

    value = code(TimerValue)


class Barrier(Container, at=BarrierOnFPGA):
    """What a playback program waits for."""

    omnibus: ClassVar[Barrier]
    jtag: ClassVar[Barrier]
    systime: ClassVar[Barrier]
    multi_fpga: ClassVar[Barrier]
    systime_correction: ClassVar[Barrier]

    enable_omnibus = switch()
    enable_jtag = switch()
    enable_systime = switch()
    enable_multi_fpga = switch()
    enable_systime_correction = switch()


for _name in ("omnibus", "jtag", "systime", "multi_fpga", "systime_correction"):
    setattr(Barrier, _name, Barrier(**{f"enable_{_name}": True}))

SystimeSync = _stored("SystimeSync", SystimeSyncOnFPGA, "Synchronises the clocks of FPGA and chip.", do_sync=(bool, 1))
SystimeSyncBase = _stored("SystimeSyncBase", SystimeSyncBaseOnDLS, "The value that the chip's clock is set to.", value=ranged("Value", 2**43 - 1))
ResetChip = _stored("ResetChip", ResetChipOnDLS, "The reset of the chip.", value=bool)
NullPayloadReadable = _stored("NullPayloadReadable", NullPayloadReadableOnFPGA, "A read without content.")
PollingOmnibusBlock = _stored("PollingOmnibusBlock", PollingOmnibusBlockOnFPGA, "Waits for a register.", enable_expects_equality=(bool, 1))
_WORD = ranged("Value", 2**32 - 1)
PollingOmnibusBlockConfig = _stored(
    "PollingOmnibusBlockConfig",
    PollingOmnibusBlockConfigOnFPGA,
    "What that wait compares.",
    address=ranged("Address", 2**32 - 1),
    mask=_WORD,
    target=_WORD,
)
_TEN_MS = 10_000 * int(TimerValue.fpga_clock_cycles_per_us)
EventRecordingConfig = _stored("EventRecordingConfig", EventRecordingConfigOnFPGA, "Switches the recording of events.", enable_event_recording=bool)
InstructionTimeoutConfig = _stored(
    "InstructionTimeoutConfig",
    InstructionTimeoutConfigOnFPGA,
    "Time-out of the executor.",
    value=(TimerValue, int(TimerValue.fpga_clock_cycles_per_us) * 10_000),
)
SystimeCorrectionBarrierConfig = _stored(
    "SystimeCorrectionBarrierConfig", SystimeCorrectionBarrierConfigOnFPGA, "Correction of the clock between events.", enable_interrupt=bool
)
FPGADeviceDNA = _stored("FPGADeviceDNA", FPGADeviceDNAOnFPGA, "Serial number of the FPGA.", value=ranged("Value", 2**57 - 1))
FPGASystimeSyncNumRetries = _stored("FPGASystimeSyncNumRetries", FPGASystimeSyncNumRetriesOnFPGA, "Attempts to synchronise.", value=ranged("Value", 15, 0, 3))
FPGASystimeSyncLastRTT = _stored("FPGASystimeSyncLastRTT", FPGASystimeSyncLastRTTOnFPGA, "Last round trip.", value=ranged("Systime", 2**43 - 1))
FPGASystimeSyncLastAsicSystime = _stored(
    "FPGASystimeSyncLastAsicSystime", FPGASystimeSyncLastAsicSystimeOnFPGA, "Last time of the chip.", value=ranged("Systime", 2**43 - 1)
)
FPGASystimeSyncActiveState = _stored("FPGASystimeSyncActiveState", FPGASystimeSyncActiveStateOnFPGA, "Whether a synchronisation runs.", active_state=bool)
ExternalPPUMemoryByte = _stored(
    "ExternalPPUMemoryByte", ExternalPPUMemoryByteOnFPGA, "A byte of the external memory of the plasticity processors.", value=ranged("Value", 255)
)
ExternalPPUDRAMMemoryByte = _stored(
    "ExternalPPUDRAMMemoryByte", ExternalPPUDRAMMemoryByteOnFPGA, "A byte of the external DRAM of the plasticity processors.", value=ranged("Value", 255)
)


def _pack(number: int, at: type[Ranged]) -> Any:
    place = type(f"SpikeOf{number}", (Ranged,), {"__module__": __name__}, size=number)
    return _stored(f"SpikePack{number}ToChip", at, f"Sends {number} event{'s' if number > 1 else ''} to the chip in one cycle.", labels=(SpikeLabel, 0, place))


SpikePack1ToChip = _pack(1, SpikePack1ToChipOnDLS)
SpikePack2ToChip = _pack(2, SpikePack2ToChipOnDLS)
SpikePack3ToChip = _pack(3, SpikePack3ToChipOnDLS)
SpikeFromChip = np.dtype([("label", np.uint16), ("fpga_time", np.uint64), ("chip_time", np.uint64)])
"""Layout of recorded events as arrays."""


class MADCSampleFromChip:
    """A recorded sample of the MADC."""

    Value = ranged("Value", 2**10 - 1)
    MADCSampleFromChipDType = np.dtype([("value", np.uint16), ("channel", np.uint8), ("fpga_time", np.uint64), ("chip_time", np.uint64)])
