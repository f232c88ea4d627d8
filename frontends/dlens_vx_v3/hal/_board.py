"""Board, clocks and links: stored without effect. A virtual chip has no board; its clocks and links need no settings."""

from __future__ import annotations

from functools import partial
from typing import Any

from dlens_vx_v3._container import Container, Place, SingleValue, stored
from dlens_vx_v3._member import code, switch
from dlens_vx_v3._part import Many, Part
from dlens_vx_v3._values import choices, ranged, ranged_of
from dlens_vx_v3.halco import (
    ADPLLOnDLS,
    CommonPhyConfigChipOnDLS,
    CommonPhyConfigFPGAOnDLS,
    DACChannelOnBoard,
    DACChannelOnDAC,
    DACOnBoard,
    HicannARQStatusOnFPGA,
    INA219ConfigOnBoard,
    INA219StatusOnBoard,
    JTAGIdCodeOnDLS,
    LEDOnBoard,
    PhyConfigChipOnDLS,
    PhyConfigFPGAOnDLS,
    PhyStatusOnFPGA,
    PLLClockOutputBlockOnDLS,
    PLLClockOutputOnDLS,
    PLLSelfTestOnDLS,
    PLLSelfTestStatusOnDLS,
    ResetJTAGTapOnDLS,
    ShiftRegisterOnBoard,
    VDDOnBoard,
)
from dlens_vx_v3.halco._base import Ranged

_stored = partial(stored, __name__)

ShiftRegister = _stored(
    "ShiftRegister",
    ShiftRegisterOnBoard,
    "The switches of the board.",
    select_analog_readout_mux_1_input=choices("AnalogReadoutMux1Input", "off", "readout_chain_0", "readout_chain_1", "mux_rfu_0"),
    select_analog_readout_mux_2_input=choices("AnalogReadoutMux2Input", "off", "v_reset", "vdd_res_meas", "mux_dac_25"),
    select_analog_readout_mux_3_input=choices("AnalogReadoutMux3Input", "off", "i_ref", "mux_rfu_1", "mux_rfu_2"),
    enable_i_ref_board=(bool, 1),
    enable_measure_i_ref=bool,
    enable_dac_to_readout_0=bool,
    enable_dac_to_readout_1=bool,
    enable_led=(bool, 0, LEDOnBoard),
    enable_adc_power_down=bool,
    enable_adc_reset=bool,
    enable_vdd=(bool, 0, VDDOnBoard),
)


class DACChannel(SingleValue, at=DACChannelOnBoard):
    """A channel of the board's converters, 12 bit. One of them, mux_dac_25, reaches the chip; the others are stored."""

    is_on_board = True
    Value = ranged_of("Value", "board_external_voltage")

    value = code(Value)

    @classmethod
    def places(cls, coord: Ranged) -> tuple[Place, ...]:
        """Return the place of the voltage that reaches the chip; empty for the others."""
        return (Place("value", "board_external_voltage", ()),) if coord == DACChannelOnBoard.mux_dac_25 else ()  # type: ignore[attr-defined]


DACControl = _stored("DACControl", DACOnBoard, "Which channels of a converter are on.", enable_channel=(bool, 0, DACChannelOnDAC))

_DIVIDER = 31

ADPLL = _stored(
    "ADPLL",
    ADPLLOnDLS,
    "A clock generator.",
    loop_filter_int=ranged("LoopFilterInt", 31, 1, 2),
    loop_filter_prop=ranged("LoopFilterProp", 31, 1, 8),
    loop_div_n=ranged("LoopDivN", _DIVIDER, 1, 10),
    core_div_m0=ranged("CoreDivM0", _DIVIDER, 1),
    core_div_m1=ranged("CoreDivM1", _DIVIDER, 1, 2),
    pre_div_p0=ranged("PreDivP0", 4, 2),
    pre_div_p1=ranged("PreDivP1", 4, 2),
    pre_div_p2=ranged("PreDivP2", 4, 2),
    tune=ranged("Tune", 4095, 0, 512),
    dco_power_switch=ranged("DcoPowerSwitch", 63, 0, 63),
    open_lock=bool,
    enforce_lock=(bool, 1),
    pfd_select=bool,
    lock_window=bool,
    filter_shift=ranged("FilterShift", 3, 0, 3),
    enable_output_clock=(bool, 1),
    enable=(bool, 1),
    use_external_config=(bool, 1),
)
ADPLL.Output = choices("Output", "core_0", "core_1", "dco")
ADPLL.Output.__module__, ADPLL.Output.__qualname__ = __name__, "ADPLL.Output"


class ClockOutput(Part):
    """An output of the clock generators."""

    enable_output = switch("", 1)
    enable_bypass = switch()
    select_adpll = code(ADPLLOnDLS)
    select_adpll_output = code(ADPLL.Output)


class PLLClockOutputBlock(Container, at=PLLClockOutputBlockOnDLS):
    """The outputs of the clock generators."""

    ClockOutput = ClockOutput

    outputs = Many(ClockOutput, PLLClockOutputOnDLS)

    def set_output(self, coord: PLLClockOutputOnDLS, value: Part) -> None:
        """Set one output."""
        self.outputs[coord] = value

    def get_output(self, coord: PLLClockOutputOnDLS) -> Any:
        """Return one output."""
        return self.outputs[coord]


PLLSelfTest = _stored(
    "PLLSelfTest",
    PLLSelfTestOnDLS,
    "The self-test of the clock generators.",
    clock_enable=bool,
    pre_scaler_p=ranged("PreScalerP", 15),
    select_source=PLLClockOutputOnDLS,
    check_range=ranged("CheckRange", 15),
    check_value=ranged("CheckValue", 2**20 - 1),
)
PLLSelfTestStatus = _stored(
    "PLLSelfTestStatus", PLLSelfTestStatusOnDLS, "Its result.", success=bool, finished=bool, counter_value=ranged("CounterValue", 2**20 - 1)
)


def _phy(name: str, at: Any) -> Any:
    return _stored(
        name,
        at,
        "One end of a link.",
        enable_bit_slip=bool,
        manual_delay=ranged("ManualDelay", 15),
        enable_delay_cell_measurement=bool,
        enable_initialization_master_mode=bool,
        enable_manual_tx_data_valid_for_init=bool,
        enable_force_lvds_power_up=bool,
        enable_force_start=bool,
        enable_manual_training_mode=bool,
        enable_ber_loopback=bool,
        vbias=(ranged("VBias", 7), 4),
        debug_outputs=ranged("DebugOutputs", 1),
        enable_transmission_without_idls_pattern=bool,
        enable_clock_pre_alignment=bool,
        enable_des_recal=bool,
        enable_loopback_en=bool,
        enable_auto_init=bool,
    )


PhyConfigFPGA = _phy("PhyConfigFPGA", PhyConfigFPGAOnDLS)
PhyConfigChip = _phy("PhyConfigChip", PhyConfigChipOnDLS)
CommonPhyConfigFPGA = _stored("CommonPhyConfigFPGA", CommonPhyConfigFPGAOnDLS, "Which links are on, at the FPGA.", enable_phy=(bool, 1, PhyConfigFPGAOnDLS))
CommonPhyConfigChip = _stored("CommonPhyConfigChip", CommonPhyConfigChipOnDLS, "Which links are on, at the chip.", enable_phy=(bool, 1, PhyConfigChipOnDLS))

_COUNT = 2**32 - 1

PhyStatus = _stored(
    "PhyStatus",
    PhyStatusOnFPGA,
    "What a link counted; reads 0.",
    crc_error_count=ranged("CRCErrorCount", _COUNT),
    online_time=ranged("OnlineTime", _COUNT),
    rx_dropped_count=ranged("RxDroppedCount", _COUNT),
    rx_count=ranged("RxCount", _COUNT),
    tx_count=ranged("TxCount", _COUNT),
)
HicannARQStatus = _stored(
    "HicannARQStatus",
    HicannARQStatusOnFPGA,
    "What the link protocol counted; reads 0.",
    read_count=ranged("ReadCount", _COUNT),
    write_count=ranged("WriteCount", _COUNT),
    rx_count=ranged("RxCount", _COUNT),
    tx_count=ranged("TxCount", _COUNT),
)
JTAGIdCode = _stored(
    "JTAGIdCode",
    JTAGIdCodeOnDLS,
    "The identification of the chip.",
    version=ranged("Version", 15),
    part_number=ranged("PartNumber", 65535),
    manufacturer_id=ranged("ManufacturerId", 2047),
)
ResetJTAGTap = _stored("ResetJTAGTap", ResetJTAGTapOnDLS, "The reset of the chip's JTAG port.")
INA219Config = _stored("INA219Config", INA219ConfigOnBoard, "Settings of a power meter.")
INA219Status = _stored("INA219Status", INA219StatusOnBoard, "Readings of a power meter; the twin's energy is in the recording's cost.")
