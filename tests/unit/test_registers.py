"""Laws of the register table: names, ranges, defaults, checks, and the page generated from it."""

from pathlib import Path

import numpy as np
import pytest

from neckar.errors import ConfigurationError, ParameterRangeError, UnknownNameError
from neckar.facts import AXES, CAPMEM_REFRESH_DISABLED, CROSSBAR_NODE_EXISTS, brainscales2, check_codes, check_field, labels, register_groups, registers
from neckar.facts.documentation import markdown
from neckar.program import TICK_S

TABLE = registers("brainscales2")
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "registers.md"

SYNAPTIC_INPUT = [
    "enable",
    "i_bias_tau",
    "i_bias_gm",
    "i_bias_coba",
    "v_rev_coba",
    "i_shift_reference",
    "enable_small_capacitance",
    "enable_high_resistance",
    "enable_coba_mode",
]
HXNEURON = {
    "excitatory_input": SYNAPTIC_INPUT,
    "inhibitory_input": SYNAPTIC_INPUT,
    "leak": ["v_leak", "i_bias", "enable_degeneration", "enable_division", "enable_multiplication"],
    "reset": ["v_reset", "i_bias", "enable_degeneration", "enable_division", "enable_multiplication"],
    "threshold": ["enable", "v_threshold"],
    "multicompartment": [
        "connect_soma",
        "connect_soma_right",
        "connect_right",
        "connect_vertical",
        "enable_conductance",
        "enable_conductance_division",
        "enable_conductance_multiplication",
        "i_bias_nmda",
    ],
    "constant_current": ["enable", "i_offset", "type"],
    "membrane_capacitance": ["capacitance"],
    "adaptation": ["enable", "enable_pulse", "invert_a", "invert_b", "v_ref", "v_leak", "i_bias_tau", "i_bias_a", "i_bias_b"],
    "exponential": ["enable", "v_exp", "i_bias"],
    "refractory_period": ["refractory_time", "reset_holdoff", "input_clock", "enable_pause"],
    "event_routing": ["address", "enable_bypass_excitatory", "enable_bypass_inhibitory", "enable_post_overwrite"],
    "readout": ["enable_unbuffered_access"],
    "bayesian": ["to_post_pulse", "operation", "connect_fire_vertical", "connect_fire_to_right", "connect_fire_from_right", "enable_master", "enable_slave"],
}
NO_REGISTERS = {"plasticity_rule_readout_source", "plasticity_rule_enable_readout_source"}
NON_ZERO = {
    "excitatory_input_enable_small_capacitance": 1,
    "inhibitory_input_enable_small_capacitance": 1,
    "refractory_period_reset_holdoff": 15,
    "bayesian_to_post_pulse": 1,
}


def test_hxneuron_registers_are_the_parameters_of_upstreams_cell_type():
    names = {f"{group}_{member}" for group, members in HXNEURON.items() for member in members}
    assert len(names | NO_REGISTERS) == 72
    assert {register.name for register in TABLE.values() if register.hxneuron} == names
    assert not NO_REGISTERS & set(TABLE)


def test_hxneuron_defaults_are_zero_with_four_exceptions():
    assert {r.name: int(r.default) for r in TABLE.values() if r.hxneuron and r.default != 0} == NON_ZERO


def test_every_neuron_has_24_capmem_cells():
    cells = [r for r in TABLE.values() if r.axes == ("circuit",) and r.kind in ("capmem_voltage", "capmem_current")]
    assert len(cells) == 24
    assert sum(r.kind == "capmem_voltage" for r in cells) == 8
    assert all(r.high == CAPMEM_REFRESH_DISABLED for r in cells)


@pytest.mark.parametrize("register", TABLE.values(), ids=TABLE)
def test_row_is_consistent(register):
    default = register.default_array()
    assert default.shape == register.shape == tuple(AXES[axis] for axis in register.axes)
    assert default.dtype == register.dtype
    assert register.size == default.size
    assert register.low <= default.min()
    assert register.dtype.kind != "f" or register.counter
    highest = {"b": 1, "f": 2}.get(register.dtype.kind) or np.iinfo(register.dtype).max
    assert default.max() <= register.high <= highest
    assert register.unit
    assert register.source
    assert register.description.endswith(".")
    assert (register.kind == "choice") == (register.choices is not None)
    assert register.choices is None or len(register.choices) == register.high + 1
    assert (register.kind == "counter") == register.counter
    assert register.dtype.kind == "f" or check_field(register, default) is default  # codes only are checked


def test_groups_hold_each_register_once():
    assert [r.name for group in register_groups("brainscales2").values() for r in group] == list(TABLE)


def test_other_machines():
    assert registers("brainscales1") == {}
    with pytest.raises(UnknownNameError, match="did you mean brainscales2"):
        registers("brainscales3")
    with pytest.raises(UnknownNameError, match=r"'loihi'\. Known: brainscales2"):
        registers("loihi")


def test_crossbar_has_76_nodes_and_the_default_routes_fpga_to_buses_and_neurons_to_fpga():
    assert CROSSBAR_NODE_EXISTS.sum() == 76
    assert CROSSBAR_NODE_EXISTS.sum(axis=1).tolist() == [3] * 8 + [9] * 4 + [2] * 8
    passes_all = (TABLE["crossbar_mask"].default_array() == 0) & (TABLE["crossbar_target"].default_array() == 0)
    expected = {(8 + k, k) for k in range(4)} | {(8 + k, 4 + k) for k in range(4)} | {(k, 8 + k % 4) for k in range(8)}
    assert {(int(i), int(o)) for i, o in np.argwhere(passes_all)} == expected
    assert not np.any(passes_all & ~CROSSBAR_NODE_EXISTS)


@pytest.mark.parametrize("dtype", [np.uint16, np.int64, np.int16])
def test_check_field_accepts_integers_of_any_width(dtype):
    codes = check_field(TABLE["leak_v_leak"], np.full(512, 1023, dtype=dtype))
    assert codes.dtype == np.uint16
    assert (codes == 1023).all()


def test_check_field_names_the_first_offender():
    codes = np.zeros((2, 256, 256), dtype=np.uint8)
    codes[1, 2, 3] = codes[1, 2, 4] = 64
    with pytest.raises(ParameterRangeError, match=r"synapse_weight\[1, 2, 3\] is 64 \(1 more outside\); allowed: 0 to 63\."):
        check_field(TABLE["synapse_weight"], codes)
    with pytest.raises(ParameterRangeError, match=r"leak_v_leak\[0\] is -1 .*1023 disables the refresh"):
        check_field(TABLE["leak_v_leak"], -np.ones(512, dtype=int))
    with pytest.raises(ParameterRangeError, match=r"allowed: 0 \(off\), 1 \(on\)"):
        check_codes(TABLE["leak_enable_division"], 2)
    with pytest.raises(ParameterRangeError, match=r"0 \(source\), 1 \(sink\)"):
        check_codes(TABLE["constant_current_type"], [0, 2])


@pytest.mark.parametrize("codes", [np.zeros(511, int), 700, np.zeros(512), ["1"] * 512, [None] * 512])
def test_check_field_rejects_wrong_shape_and_type(codes):
    with pytest.raises(ConfigurationError, match="leak_v_leak"):
        check_field(TABLE["leak_v_leak"], codes)


def test_committed_page_equals_the_table():
    assert PAGE.read_text(encoding="utf-8") == markdown("brainscales2"), "run: python -m neckar.facts.documentation brainscales2 docs/reference/registers.md"


def test_the_page_marks_fields_without_effect():
    page = markdown("brainscales2")
    assert "| `bayesian_enable_slave` **HX** |" in page
    assert "| `backend_clock_scale_post_pulse` *passive* |" in page
    assert "saturating at 255" not in page


def test_page_of_a_machine_without_registers():
    assert markdown("brainscales1").startswith("# Registers of BrainScaleS-1")


def test_the_bit_fields_of_labels_are_those_of_the_registers_that_compare_them():
    assert TABLE["synapse_label"].high == labels.LABEL_SYNAPSE_MASK
    assert TABLE["driver_row_address_compare_mask"].high == labels.LABEL_SELECT_MASK
    assert TABLE["crossbar_mask"].high == labels.LABEL_CROSSBAR_MASK
    assert TABLE["event_routing_address"].high + 1 == 1 << labels.NEURON_OUTPUT_SHIFT
    assert labels.LABEL_SELECT_SHIFT + labels.LABEL_SELECT_BITS <= labels.LABEL_CHANNEL_SHIFT


def test_the_crossbar_takes_events_of_the_fpga_to_all_buses_and_those_of_neurons_to_the_fpga():
    inputs, outputs = labels.CROSSBAR_FPGA_INPUT, labels.CROSSBAR_FPGA_OUTPUT
    assert CROSSBAR_NODE_EXISTS[inputs : inputs + 4, : AXES["padi_bus"]].all()
    assert not CROSSBAR_NODE_EXISTS[inputs - 1, : AXES["padi_bus"]].all()
    assert CROSSBAR_NODE_EXISTS[:inputs, outputs:].any(axis=1).all()
    assert outputs == AXES["padi_bus"]


def test_a_period_of_the_fpga_clock_is_a_whole_number_of_ticks():
    period = brainscales2.FPGA_CLOCK_TICKS * TICK_S
    assert period == pytest.approx(1 / brainscales2.FPGA_CLOCK.value)
