"""The analog parameter memory: single cells, and the settings of its blocks."""

from __future__ import annotations

from functools import partial
from typing import Any

from dlens_vx_v3._container import Place, SingleValue, stored
from dlens_vx_v3._member import code
from dlens_vx_v3._values import choices, ranged
from dlens_vx_v3.halco import (
    CapMemBlockConfigOnDLS,
    CapMemBlockOnDLS,
    CapMemCellOnCapMemBlock,
    CapMemCellOnDLS,
    CapMemRowOnCapMemBlock,
    ReferenceGeneratorConfigOnDLS,
    SynapseBiasSelectionOnDLS,
)
from dlens_vx_v3.halco._base import CoordinateOverflowError, CoordinateTypeError, Ranged, derive
from neckar.facts import CAPMEM_MAX, CAPMEM_REFRESH_DISABLED

_stored = partial(stored, __name__)


class CellRangeError(CoordinateOverflowError, CoordinateTypeError):
    """A value that no cell can hold. Upstream's binding knows it as a value of the wrong type."""


class Analog(Ranged, size=CAPMEM_REFRESH_DISABLED + 1):
    """The content of a cell: a :class:`CapMemCell.Value`, or :class:`CapMemCell.DisableRefresh`."""

    is_cell = True

    @classmethod
    def checked(cls, value: Any, where: str = "") -> int:
        """Return the code of a content; the one that disables the refresh must be given by its type."""
        if isinstance(value, CapMemCell.DisableRefresh):
            return int(value)
        try:
            return int(CapMemCell.Value.checked(value, where))
        except CoordinateOverflowError as error:
            raise CellRangeError(str(error)) from None

    @classmethod
    def at(cls, number: int) -> Any:
        """Return the content of a code."""
        return (CapMemCell.Value if number <= CAPMEM_MAX else CapMemCell.DisableRefresh).at(number)


class CapMemCell(SingleValue, at=CapMemCellOnDLS):
    """A cell of the analog parameter memory. Where it lies in the register table follows from its row, and for shared cells from its place in the block."""

    Value = ranged("Value", CAPMEM_MAX)
    DisableRefresh = ranged("DisableRefresh", CAPMEM_REFRESH_DISABLED, CAPMEM_REFRESH_DISABLED)

    value = code(Analog)

    @classmethod
    def places(cls, coord: Ranged) -> tuple[Place, ...]:
        """Return the cell's place; empty for cells that the twin gives no meaning."""
        known = coord.known()
        circuit = derive("circuit", known)
        field = _ROWS.get(known["capmem_row"]) if circuit is not None else _SHARED.get(int(CapMemCellOnCapMemBlock(coord.split()[1])))
        return (Place("value", field, (known["quadrant"] if circuit is None else circuit,)),) if field else ()


_ROWS = {
    int(getattr(CapMemRowOnCapMemBlock, cell)): field
    for cell, field in {
        "v_leak": "leak_v_leak",
        "v_reset": "reset_v_reset",
        "v_threshold": "threshold_v_threshold",
        "e_synin_exc_rev": "excitatory_input_v_rev_coba",
        "e_synin_inh_rev": "inhibitory_input_v_rev_coba",
        "v_adapt_leak": "adaptation_v_leak",
        "v_exp": "exponential_v_exp",
        "v_adapt_ref": "adaptation_v_ref",
        "i_bias_leak": "leak_i_bias",
        "i_bias_reset": "reset_i_bias",
        "i_bias_synin_exc_tau": "excitatory_input_i_bias_tau",
        "i_bias_synin_exc_coba": "excitatory_input_i_bias_coba",
        "i_bias_synin_exc_shift": "excitatory_input_i_shift_reference",
        "i_bias_synin_exc_gm": "excitatory_input_i_bias_gm",
        "i_bias_synin_inh_tau": "inhibitory_input_i_bias_tau",
        "i_bias_synin_inh_coba": "inhibitory_input_i_bias_coba",
        "i_bias_synin_inh_shift": "inhibitory_input_i_shift_reference",
        "i_bias_synin_inh_gm": "inhibitory_input_i_bias_gm",
        "i_bias_adapt_tau": "adaptation_i_bias_tau",
        "i_bias_adapt_a": "adaptation_i_bias_a",
        "i_bias_adapt_b": "adaptation_i_bias_b",
        "i_bias_exp": "exponential_i_bias",
        "i_mem_offset": "constant_current_i_offset",
        "i_bias_nmda": "multicompartment_i_bias_nmda",
    }.items()
}
"""Register field of each row's neuron cells."""

_SHARED_CELLS = {
    **dict(enumerate(("stp_v_charge_0", "stp_v_charge_1", "stp_v_recover_0", "stp_v_recover_1", "cadc_v_ramp_offset", "cadc_v_bias_ramp_buf"))),
    7: "neuron_v_bias_casc_n",
    **dict(enumerate(("syn_i_bias_dac", "syn_i_bias_ramp", "syn_i_bias_store", "syn_i_bias_corout"), 8)),
    **dict(enumerate(("stp_i_bias_comparator", "stp_i_ramp", "stp_i_calib"), 12)),
    **dict(enumerate(("cadc_i_ramp_slope", "cadc_i_bias_comp", "cadc_i_bias_vreset_buf"), 15)),
    **dict(enumerate(("neuron_i_bias_readout_amp", "neuron_i_bias_leak_source_follower", "neuron_i_bias_spike_comparator"), 18)),
}
"""Register field of the shared cells of each block in column 128, by row (halco vx/v3/capmem.cpp)."""

_SHARED = {row * 130 + 128: field for row, field in _SHARED_CELLS.items()} | {23 * 130 + 129: "neuron_i_bias_synin_drop"}

_CHIP_WIDE = {
    **{
        ("readout_sc_amp_v_ref", "readout_pseudo_diff_v_ref", "readout_iconv_test_voltage", "readout_iconv_sc_amp_v_ref")[block]: (128, 6, block)
        for block in range(4)
    },
    **{"readout_iconv_sc_amp_i_bias": (128, 21, 0), "stp_ibias_readout_top": (128, 21, 1), "stp_ibias_readout_bottom": (128, 21, 3)},
    **{"readout_pseudo_diff_buffer_bias": (128, 22, 0), "hagen_ibias_dac_top": (128, 22, 1), "hagen_ibias_dac_bottom": (128, 22, 3)},
    **{"readout_out_amp_i_bias_0": (128, 23, 0), "readout_out_amp_i_bias_1": (129, 8, 0), "readout_idac_i_bias": (129, 9, 0)},
    **{"readout_idac_i_bias_casc": (129, 10, 0), "readout_iconv_i_bias_buffer": (129, 11, 0), "readout_ac_mux_i_bias": (129, 12, 0)},
    **{"readout_madc_in_500na": (129, 13, 0), "readout_sc_amp_i_bias": (129, 14, 0)},
}
"""Column, row and block of the cells that exist once (halco vx/v3/capmem.cpp); stored without effect."""

for _number, _field in _SHARED.items():
    setattr(CapMemCellOnCapMemBlock, _field, CapMemCellOnCapMemBlock.at(_number))
for _name, (_column, _row, _block) in _CHIP_WIDE.items():
    setattr(CapMemCellOnDLS, _name, CapMemCellOnDLS(CapMemCellOnCapMemBlock.at(_row * 130 + _column), CapMemBlockOnDLS.at(_block)))


CapMemBlockConfig = _stored(
    "CapMemBlockConfig",
    CapMemBlockConfigOnDLS,
    "How a block of the analog parameter memory is refreshed, and its debug output.",
    enable_capmem=(bool, 1),
    debug_readout_enable=bool,
    debug_capmem_coord=CapMemCellOnCapMemBlock,
    debug_v_ref_select=choices("VRefSelect", "disabled", "v_ref_v", "v_ref_i"),
    debug_i_out_select=choices("IOutSelect", "disabled", "i_out_mux", "i_out_ramp"),
    debug_out_amp_bias=(ranged("OutAmpBias", 15), 7),
    debug_source_follower_bias=(ranged("SourceFollowerBias", 15), 3),
    debug_level_shifter_bias=(ranged("LevelShifterBias", 15), 3),
    v_global_bias=(ranged("VGlobalBias", 15), 7),
    current_cell_res=(ranged("CurrentCellRes", 63), 8),
    boost_factor=ranged("BoostFactor", 15),
    enable_boost=bool,
    enable_autoboost=bool,
    prescale_pause=(ranged("PrescalePause", 6), 3),
    prescale_ramp=(ranged("PrescaleRamp", 6), 3),
    sub_counter=(ranged("SubCounter", 2**16 - 1), 16),
    pause_counter=(ranged("PauseCounter", 2**32 - 1), 8096),
    pulse_a=(ranged("PulseA", 2**16 - 1), 4),
    pulse_b=(ranged("PulseB", 2**16 - 1), 7),
    boost_a=ranged("BoostA", 2**16 - 1),
    boost_b=ranged("BoostB", 2**16 - 1),
)

SynapseBiasSelection = _stored(
    "SynapseBiasSelection",
    SynapseBiasSelectionOnDLS,
    "Whether each quadrant's synapses take their biases from the analog parameter memory.",
    enable_internal_dac_bias=(bool, 0, CapMemBlockOnDLS),
    enable_internal_ramp_bias=(bool, 0, CapMemBlockOnDLS),
    enable_internal_store_bias=(bool, 0, CapMemBlockOnDLS),
    enable_internal_output_bias=(bool, 0, CapMemBlockOnDLS),
)

ReferenceGeneratorConfig = _stored(
    "ReferenceGeneratorConfig",
    ReferenceGeneratorConfigOnDLS,
    "The reference currents of the analog parameter memory.",
    enable_internal_reference=bool,
    enable_reference_output=bool,
    enable_reference_input=bool,
    capmem_amplifier=(ranged("CapMemAmplifier", 63, 0, 40), 40, CapMemBlockOnDLS),
    capmem_offset=(ranged("CapMemOffset", 63, 0, 1), 1, CapMemBlockOnDLS),
    capmem_slope=(ranged("CapMemSlope", 63, 0, 11), 11, CapMemBlockOnDLS),
    reference_control=ranged("ReferenceControl", 63, 0, 10),
    resistor_control=ranged("ResistorControl", 63, 0, 40),
    enable_reset=bool,
)
