"""Coordinates of parts that a virtual chip does not have: they exist so that scripts that name them can be read; nothing can be read or written there."""

from __future__ import annotations

from dlens_vx_v3.halco._base import Pair, Ranged
from dlens_vx_v3.halco._coordinates import DACOnBoard, DLSGlobal, HemisphereOnDLS, INA219OnBoard

_SIZES = {
    **dict.fromkeys(("MemoryTimingOnDLS", "SpikeIOConfigOnFPGA", "PerfTestOnFPGA", "PerfTestStatusOnFPGA", "JTAGClockScalerOnDLS"), 1),
    **dict.fromkeys(("I2CIdRegisterOnBoard", "I2CTCA9546RegisterOnBoard", "I2CTempRegisterOnBoard", "I2CTCA9554RoRegisterOnTCA9554"), 1),
    **dict.fromkeys(("TCA9554OnBoard", "TCA9554ConfigOnBoard", "TCA9554InputsOnBoard", "TCA9546OnBoard", "TMP112StatusOnBoard", "DAC6573OnBoard"), 1),
    **dict.fromkeys(("OutputRoutingTableOnFPGA", "InputRoutingTableOnFPGA", "FPGAOnChipAndMultichipJboaLeafFPGA", "FPGAOnChipAndSinglechipFPGA"), 1),
    **dict.fromkeys(("ChipAndMultichipJboaLeafFPGAOnSystem", "ChipAndSinglechipFPGAOnSystem"), 1),
    **dict.fromkeys(("AD5252ChannelOnAD5252", "I2CAD5252RwRegisterOnAD5252Channel", "I2CINA219RwRegisterOnINA219"), 2),
    **dict.fromkeys(("I2CTCA9554RwRegisterOnTCA9554", "AD5252OnBoard"), 3),
    **dict.fromkeys(("I2CINA219RoRegisterOnINA219", "TCA9546ChannelOnBoard", "DAC6573ChannelOnDAC6573", "SPIDACControlRegisterOnDAC"), 4),
    **dict.fromkeys(("TCA9554ChannelOnBoard", "JTAGPLLRegisterOnDLS", "JTAGPhyRegisterOnDLS", "SPIDACDataRegisterOnDAC"), 8),
    **dict.fromkeys(("SpikeIOAddress", "SpikeIOInputRouteOnFPGA"), 2**8),
    **dict.fromkeys(("InputRoutingTableEntryOnFPGA",), 2**15),
    **dict.fromkeys(("SpikeIOOutputRouteOnFPGA", "OutputRoutingTableEntryOnFPGA"), 2**16),
    **dict.fromkeys(("OmnibusAddress", "OmnibusChipOverJTAGAddress"), 2**32),
}
"""Number of values of each (halco hicann-dls/vx)."""

for _name, _size in _SIZES.items():
    globals()[_name] = type(_name, (Ranged,), {"__module__": __name__, "__doc__": "A coordinate without a counterpart in the twin."}, size=_size, fact=_name)

_PARTS: dict[str, tuple[str, type[Ranged] | str]] = {
    "HemisphereGlobal": ("HemisphereOnDLS", DLSGlobal),
    "I2CINA219RoRegisterOnBoard": ("I2CINA219RoRegisterOnINA219", INA219OnBoard),
    "I2CINA219RwRegisterOnBoard": ("I2CINA219RwRegisterOnINA219", INA219OnBoard),
    "I2CTCA9554RoRegisterOnBoard": ("I2CTCA9554RoRegisterOnTCA9554", "TCA9554OnBoard"),
    "I2CTCA9554RwRegisterOnBoard": ("I2CTCA9554RwRegisterOnTCA9554", "TCA9554OnBoard"),
    "AD5252ChannelOnBoard": ("AD5252ChannelOnAD5252", "AD5252OnBoard"),
    "AD5252ChannelConfigOnBoard": ("AD5252ChannelOnAD5252", "AD5252OnBoard"),
    "AD5252ChannelConfigPersistentOnBoard": ("AD5252ChannelOnAD5252", "AD5252OnBoard"),
    "I2CAD5252RwRegisterOnBoard": ("I2CAD5252RwRegisterOnAD5252Channel", "AD5252ChannelOnBoard"),
    "DAC6573ChannelOnBoard": ("DAC6573ChannelOnDAC6573", "DAC6573OnBoard"),
    "I2CDAC6573RwRegisterOnBoard": ("DAC6573ChannelOnDAC6573", "DAC6573OnBoard"),
    "SPIDACDataRegisterOnBoard": ("SPIDACDataRegisterOnDAC", DACOnBoard),
    "SPIDACControlRegisterOnBoard": ("SPIDACControlRegisterOnDAC", DACOnBoard),
}
"""Fast and slow part of each pair."""

for _name, (_fast, _slow) in _PARTS.items():
    globals()[_name] = type(
        _name,
        (Pair,),
        {"__module__": __name__, "__doc__": "A coordinate without a counterpart in the twin."},
        fast=HemisphereOnDLS if _fast == "HemisphereOnDLS" else globals()[_fast],
        slow=globals()[_slow] if isinstance(_slow, str) else _slow,
    )

__all__ = [*_SIZES, *_PARTS]
