"""Register table of the BrainScaleS-2 chip (HICANN-X, revision 3): neuron, CapMem, routing, synapse array, readout.

Each group below is one circuit of the chip. Names, ranges and defaults follow upstream's hardware abstraction layers (repositories haldls and halco of
electronicvisions, files named in each row); the flattened names of the neuron are those of PyNN's HXNeuron. Where Neckar's default differs
from upstream's container, the description says so. Shared CapMem cells belong to a quadrant, also those that older software listed as
per-neuron settings (the bias of the leak source follower and of the readout amplifier).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.facts._register import AXES, CAPMEM_REFRESH_DISABLED, Kind, Register

CROSSBAR_COUNTER_STATES, CROSSBAR_DROP_COUNTER_STATES = 1 << 24, 1 << 16

_BOOL, _U8, _I8, _U16, _U32 = (np.dtype(kind) for kind in (np.bool_, np.uint8, np.int8, np.uint16, np.uint32))


@dataclass(frozen=True)
class _At:
    """Writes rows that share place and origin; `hx` marks parameters of HXNeuron."""

    axes: tuple[str, ...]
    source: str
    hx: bool = False

    def _row(self, name: str, kind: Kind, dtype: np.dtype[Any], default: int | NDArray[Any], high: int, unit: str, text: str) -> Register:
        return Register(name, self.axes, dtype, default, 0, high, unit, kind, text, self.source, hxneuron=self.hx)

    def voltage(self, name: str, text: str, default: int = 0) -> Register:
        return self._row(name, "capmem_voltage", _U16, default, CAPMEM_REFRESH_DISABLED, "LSB", text)

    def current(self, name: str, text: str, default: int = 0) -> Register:
        return self._row(name, "capmem_current", _U16, default, CAPMEM_REFRESH_DISABLED, "LSB", text)

    def switch(self, name: str, text: str, default: bool = False) -> Register:
        return self._row(name, "switch", _BOOL, default, 1, "on/off", text)

    def code(self, name: str, high: int, text: str, default: int | NDArray[Any] = 0, unit: str = "code") -> Register:
        return self._row(name, "code", _U8 if high < 2**8 else _U16 if high < 2**16 else _U32, default, high, unit, text)

    def signed(self, name: str, low: int, high: int, text: str, unit: str = "code") -> Register:
        return replace(self._row(name, "code", _I8, 0, high, unit, text), low=low)

    def choice(self, name: str, choices: tuple[str, ...], text: str, default: int = 0) -> Register:
        return replace(self._row(name, "choice", _U8, default, len(choices) - 1, "choice", text), choices=choices)


def _passive(*rows: Register) -> tuple[Register, ...]:
    """Mark fields without effect."""
    return tuple(replace(row, passive=True) for row in rows)


def _selects(*rows: Register) -> tuple[Register, ...]:
    """Mark fields from which a playback program takes what its instruments see."""
    return tuple(replace(row, selects=True) for row in rows)


_LOLA = _At(("circuit",), "lola vx/v3/neuron.h", hx=True)
_BACKEND = _At(("circuit",), "haldls vx/neuron.h (NeuronBackendConfig)", hx=True)


def _synaptic_input(sign: str) -> tuple[Register, ...]:
    at, pre = _LOLA, f"{sign}_input"
    return (
        at.switch(f"{pre}_enable", f"Connects the {sign} synaptic input to the membrane."),
        at.current(f"{pre}_i_bias_tau", f"Resistance of the {sign} synaptic line; a higher code makes the synaptic time constant shorter."),
        at.current(f"{pre}_i_bias_gm", f"Strength of the amplifier that turns the {sign} line voltage into a membrane current (CUBA)."),
        at.current(f"{pre}_i_bias_coba", f"How strongly the {sign} input's amplifier follows the membrane in COBA mode."),
        at.voltage(f"{pre}_v_rev_coba", f"Membrane potential at which the {sign} input in COBA mode is as strong as without; the reversal follows."),
        at.current(f"{pre}_i_shift_reference", f"Shifts the reference of the {sign} input amplifier, that is its current without input."),
        at.switch(f"{pre}_enable_small_capacitance", f"Leaves only the wire capacitance on the {sign} line, which shortens its time constant.", True),
        at.switch(f"{pre}_enable_high_resistance", f"Switches the {sign} line to the range of long time constants."),
        at.switch(f"{pre}_enable_coba_mode", f"Makes the {sign} input conductance-based instead of current-based."),
    )


def _leak_or_reset(name: str, mode: str) -> tuple[Register, ...]:
    at = _LOLA
    return (
        at.voltage(f"{name}_v_{name}", f"Potential that the membrane is pulled to in {mode} mode."),
        at.current(f"{name}_i_bias", f"Conductance of the leak/reset amplifier in {mode} mode; a higher code pulls faster."),
        at.switch(f"{name}_enable_degeneration", f"Source degeneration of the amplifier in {mode} mode: a smaller, more linear conductance."),
        at.switch(f"{name}_enable_division", f"Divides the conductance in {mode} mode by 8."),
        at.switch(f"{name}_enable_multiplication", f"Multiplies the conductance in {mode} mode by 8."),
    )


_THRESHOLD = (
    _LOLA.switch("threshold_enable", "Lets the comparator fire the neuron when the membrane crosses the threshold."),
    _LOLA.voltage("threshold_v_threshold", "Membrane potential at which the neuron fires."),
)

_MEMBRANE = (
    _LOLA.code("membrane_capacitance_capacitance", 63, "Switchable part of the membrane capacitance; 63 is about 2.3 pF in total."),
    _LOLA.switch("constant_current_enable", "Applies the constant current to the membrane."),
    _LOLA.current("constant_current_i_offset", "Amplitude of the constant current."),
    _LOLA.choice("constant_current_type", ("source", "sink"), "Direction of the constant current: into or out of the membrane."),
)

_ADAPTATION = (
    _LOLA.switch("adaptation_enable", "Connects the adaptation current to the membrane."),
    _LOLA.switch("adaptation_enable_pulse", "Lets each spike move the adaptation state by b."),
    _LOLA.switch("adaptation_invert_a", "Flips the sign of a, the sub-threshold adaptation."),
    _LOLA.switch("adaptation_invert_b", "Flips the sign of b, the spike-triggered adaptation."),
    _LOLA.voltage("adaptation_v_ref", "Resting value of the adaptation state; away from it a current flows."),
    _LOLA.voltage("adaptation_v_leak", "Membrane potential at which the sub-threshold adaptation vanishes."),
    _LOLA.current("adaptation_i_bias_tau", "Inverse time constant of the adaptation state."),
    _LOLA.current("adaptation_i_bias_a", "Strength of the sub-threshold adaptation."),
    _LOLA.current("adaptation_i_bias_b", "Strength of the jump of the adaptation state at a spike."),
)

_EXPONENTIAL = (
    _LOLA.switch("exponential_enable", "Connects the exponential current to the membrane."),
    _LOLA.voltage("exponential_v_exp", "Membrane potential at which the exponential current sets in."),
    _LOLA.current("exponential_i_bias", "Strength of the exponential current; a lower code raises its effective threshold."),
)

_MULTICOMPARTMENT = (
    _LOLA.switch("multicompartment_connect_soma", "Connects the membrane to the circuit's piece of the somatic line."),
    _LOLA.switch("multicompartment_connect_soma_right", "Connects the circuit's piece of the somatic line to that of the next column in its half of the chip."),
    _LOLA.switch("multicompartment_connect_right", "Connects the membrane to that of the next column in its half of the chip."),
    _LOLA.switch("multicompartment_connect_vertical", "Connects the membrane to that of the other row in the same column, if both circuits' switches are on."),
    _LOLA.switch("multicompartment_enable_conductance", "Connects membrane and somatic line through the adjustable conductance."),
    _LOLA.switch("multicompartment_enable_conductance_division", "Divides the conductance between membrane and somatic line by 4."),
    _LOLA.switch("multicompartment_enable_conductance_multiplication", "Multiplies the conductance between membrane and somatic line by 4."),
    _LOLA.current("multicompartment_i_bias_nmda", "Conductance between membrane and somatic line."),
)

_REFRACTORY = (
    _BACKEND.code("refractory_period_refractory_time", 255, "Length of the refractory period in periods of the selected clock.", unit="clock cycles"),
    _BACKEND.code("refractory_period_reset_holdoff", 15, "The reset ends 2 * (15 - code) + 1 clock cycles before the refractory period.", 15),
    _BACKEND.choice("refractory_period_input_clock", ("slow", "fast"), "Clock of the backend that the refractory period counts."),
    _LOLA.switch("refractory_period_enable_pause", "Gates synaptic input and exponential current during the reset."),
)

_HIDDEN = replace(_LOLA, hx=False)

_EVENTS = (
    _HIDDEN.choice(
        "event_routing_analog_output",
        ("off", "normal", "strong"),
        "Strength of the fire pulse, off silences the neuron; normal as PyNN sets it at every run (upstream's container: off).",
        1,
    ),
    _HIDDEN.switch("event_routing_enable_digital", "Lets spikes leave the neuron as events; on by default (upstream's container: off).", True),
    _LOLA.code("event_routing_address", 255, "Lower 8 bits of the label of the neuron's events.", unit="label"),
    _LOLA.switch("event_routing_enable_bypass_excitatory", "Every excitatory event fires the neuron, past the membrane."),
    _LOLA.switch("event_routing_enable_bypass_inhibitory", "Every inhibitory event fires the neuron, past the membrane."),
    _LOLA.switch("event_routing_enable_post_overwrite", "Only external post pulses reach the correlation sensors, not the neuron's own spikes."),
)

_BAYESIAN = (
    _LOLA.switch("bayesian_to_post_pulse", "Uses the output of the logic operation as post pulse of the correlation sensors.", True),
    _LOLA.choice("bayesian_operation", ("local", "AND", "XNOR", "MULLER_C"), "Logic between the refractory states of this and a connected neuron."),
    _LOLA.switch("bayesian_connect_fire_vertical", "Connects the fire line to that of the other row."),
    _LOLA.switch("bayesian_connect_fire_to_right", "Drives the fire line of the next column."),
    *_passive(_LOLA.switch("bayesian_connect_fire_from_right", "Takes the fire line of the next column (without function on silicon).")),
    _LOLA.switch("bayesian_enable_master", "Puts the neuron's refractory state on the fire line."),
    _LOLA.switch("bayesian_enable_slave", "Fires the neuron at each rise of its fire line, too."),
)

_READOUT = (
    *_selects(
        _HIDDEN.choice(
            "readout_source",
            ("membrane", "exc_synin", "inh_synin", "adaptation"),
            "Signal on the neuron's readout line; a program's record says which signal an instrument sees.",
        ),
        _HIDDEN.switch("readout_enable_amplifier", "Powers the neuron's readout amplifier."),
        _HIDDEN.switch("readout_enable_buffered_access", "Connects the amplifier to the shared readout line of even or odd columns."),
    ),
    *_passive(_LOLA.switch("readout_enable_unbuffered_access", "Connects the readout multiplexer directly to the shared unbuffered line (pads).")),
)

_BLOCK = _At(("quadrant",), "lola vx/v3/neuron.h (NeuronBlock)")

_SHARED = (
    _At(("quadrant",), "lola vx/synapse_block.h").current(
        "syn_i_bias_dac", "Current of one weight unit of a synaptic pulse; 600 is the usual spiking value.", 1022
    ),
    _BLOCK.current("neuron_i_bias_readout_amp", "Bias of the neurons' readout amplifiers and of the followers that lower synaptic lines for them.", 110),
    *_passive(
        _BLOCK.voltage("neuron_v_bias_casc_n", "Cascode potential of the amplifiers in the neurons.", 250),
        _BLOCK.current("neuron_i_bias_leak_source_follower", "Bias of the source followers in front of the leak/reset amplifiers.", 100),
    ),
    _BLOCK.current("neuron_i_bias_spike_comparator", "Bias of the threshold comparators; without it neurons do not fire.", 200),
    _BLOCK.current(
        "neuron_i_bias_synin_drop", "Bias of the source followers that lower the synaptic line voltage; without it no event reaches a membrane.", 300
    ),
)

_COMMON = _At(("backend",), "haldls vx/neuron.h (CommonNeuronBackendConfig)")

_BACKENDS = (
    _COMMON.switch("backend_enable_clocks", "Runs the backend's clocks, which time refractory periods and pulses.", True),
    _COMMON.code("backend_clock_scale_slow", 15, "Slow refractory clock: 250 MHz / 2^(code + 1)."),
    _COMMON.code("backend_clock_scale_fast", 15, "Fast refractory clock: 250 MHz / 2^(code + 1)."),
    _COMMON.code("backend_clock_scale_adaptation_pulse", 15, "Length of the adaptation pulse: 2^(code + 1) / 250 MHz, so 7 is 1.02 us and the default 8 ns."),
    *_passive(_COMMON.code("backend_clock_scale_post_pulse", 15, "Length of the post pulse at the correlation sensors: 2^(code + 1) / 250 MHz.")),
)

_PLANE = _At(("hemisphere", "row", "column"), "haldls vx/synapse.h")
_DRIVER = _At(("hemisphere", "driver"), "haldls vx/synapse_driver.h")
_COLUMN = _At(("hemisphere", "column"), "haldls vx/synapse.h (ColumnCurrentQuad)")
_HEMISPHERE_STP = _At(("hemisphere",), "haldls vx/padi.h (CommonSTPConfig)")
_STP_CELL = _At(
    ("quadrant",), "lola vx/synapse_driver.h (SynapseDriverBlock); even drivers: west, odd: east; default: calix stp_calib_target.h (upstream's container: 0)"
)

_SYNAPSES = (
    _PLANE.code("synapse_weight", 63, "Amplitude of the synapse's current pulses.", unit="weight unit"),
    _PLANE.code("synapse_label", 63, "The synapse answers events whose bits 0 to 5 equal this label.", unit="label"),
    _At(("hemisphere", "row"), "haldls vx/synapse_driver.h (RowMode); row = 2 * driver (bottom) or 2 * driver + 1 (top)").choice(
        "synapse_row_mode", ("disabled", "excitatory", "inhibitory", "both"), "Lines that the synapses of the row pull on."
    ),
    _COLUMN.switch("column_enable_excitatory", "Connects the column's excitatory line to its neuron; on by default (upstream's container: off).", True),
    _COLUMN.switch("column_enable_inhibitory", "Connects the column's inhibitory line to its neuron; on by default (upstream's container: off).", True),
)

_DRIVERS = (
    _DRIVER.switch("driver_enable_receiver", "Lets the driver listen to its bus."),
    _DRIVER.code("driver_row_address_compare_mask", 31, "Bits of the row select that must equal the driver's position on the bus.", 31, "bit mask"),
    _DRIVER.switch("driver_enable_address_out", "Forwards the whole label to the synapses; off leaves bit 5 only (matrix multiplication).", True),
    _DRIVER.switch("driver_enable_stp", "Lets the length of the driver's pulses follow its voltage (short-term plasticity)."),
    _DRIVER.switch("driver_enable_recovery", "Lets the voltage relax to its recovery value between events."),
    _DRIVER.code("driver_utilization", 15, "Share of its distance to the charge voltage by which an event moves the voltage; 8 is 0.2."),
    _DRIVER.code("driver_recovery", 15, "Speed of the recovery within its clock, proportional to code + 1."),
    _DRIVER.code("driver_offset", 15, "Shortens plastic pulses, to make drivers equal; default: the middle, as calix starts (upstream's container: 0).", 7),
    _DRIVER.code("driver_select_target_voltages", 1, "Which of two pairs of charge and recovery voltages the driver uses."),
    _DRIVER.switch("driver_enable_hagen_dac", "Lets the label of an event set the voltage, with modulation; for matrix multiplication."),
    _DRIVER.switch("driver_enable_hagen_modulation", "Makes pulses of a plastic driver with this DAC as long as the label says: (32 - label) / 31."),
    _DRIVER.code("driver_hagen_dac_offset", 63, "Raises the voltage of the DAC; neutral default: our estimate (upstream's container: 0).", 32),
    _At(("padi_bus",), "haldls vx/padi.h (CommonPADIBusConfig); 0-3 top, 4-7 bottom hemisphere").switch(
        "padi_enable_spl1", "Lets the bus take events from the crossbar; on by default (upstream's container: off).", True
    ),
    _At(("padi_bus",), "haldls vx/padi.h (CommonPADIBusConfig)").switch(
        "padi_enable_extended_timing", "Keeps events of the bus at least 8 ns apart instead of 4 ns."
    ),
    _At(("padi_bus",), "haldls vx/padi.h (CommonPADIBusConfig)").code(
        "padi_dacen_pulse_extension", 15, "Makes the pulses of the bus' drivers longer, and synapses stronger; 15 doubles them."
    ),
    _HEMISPHERE_STP.switch("stp_enable_recovery_clock", "Runs the clock of the recovery; on by default (upstream's container: off).", True),
    _HEMISPHERE_STP.code("stp_recovery_clock_speed", 15, "Each code doubles the time constant of the recovery: 1 us 2^code / (driver_recovery + 1)."),
    _STP_CELL.voltage("stp_v_charge_0", "Voltage that events pull towards, first pair; a lower voltage makes longer pulses.", 100),
    _STP_CELL.voltage("stp_v_charge_1", "Voltage that events pull towards, second pair.", 330),
    _STP_CELL.voltage("stp_v_recover_0", "Voltage that drivers recover to, first pair.", 400),
    _STP_CELL.voltage("stp_v_recover_1", "Voltage that drivers recover to, second pair.", 50),
    _STP_CELL.current("stp_i_ramp", "Current of the ramp that is compared with the voltage; a higher code makes longer pulses.", 600),
    _STP_CELL.current("stp_i_calib", "Strength of driver_offset; calix sets it like the ramp.", 600),
    _STP_CELL.current("stp_i_bias_comparator", "Bias of the drivers' comparators; a lower code shortens pulses.", 1022),
)


_SENSOR = _At(("quadrant",), "lola vx/synapse_block.h (SynapseBlock)")

_CORRELATION = (
    _PLANE.code("synapse_amp_calib", 3, "Raises the amplitude of the synapse's correlation sensors; direction and size: our estimate."),
    _PLANE.code("synapse_time_calib", 3, "Raises the time constant of the synapse's correlation sensors; direction and size: our estimate."),
    _SENSOR.current("syn_i_bias_store", "Makes the amplitude of correlation sensors smaller; 0 switches them off, 70 is 0.5 LSB per pair."),
    _SENSOR.current("syn_i_bias_ramp", "Makes the time constant of correlation sensors shorter; 0 switches them off, 80 is 5 us."),
    _SENSOR.current("syn_i_bias_corout", "Bias of the sensors' readout, without which they read 0; default as calix sets it (upstream's container: 0).", 600),
    _At(("hemisphere", "row"), "haldls vx/correlation.h, libnux correlation.h").switch(
        "correlation_reset", "Writing 1 empties the sensors of the row at that moment; the code stays and may be written again."
    ),
)


def _node_exists() -> NDArray[np.bool_]:
    """Return which crossbar nodes exist, shape (crossbar_input, crossbar_output): 76 of 240 (halco vx/routing_crossbar.h)."""
    exists = np.zeros((AXES["crossbar_input"], AXES["crossbar_output"]), dtype=np.bool_)
    for k in range(8):  # neuron event outputs and background sources
        exists[k, [k % 4, 4 + k % 4, 8 + k % 4]] = True
        exists[12 + k, [k, 8 + k % 4]] = True
    for k in range(4):  # channels from the FPGA
        exists[8 + k, [*range(8), 8 + k]] = True
    exists.flags.writeable = False
    return exists


CROSSBAR_NODE_EXISTS = _node_exists()
"""Populated nodes, shape (20, 12). Inputs: 0-7 neuron outputs, 8-11 FPGA, 12-19 background; outputs: 0-3 top, 4-7 bottom buses, 8-11 to the FPGA."""


def _default_target() -> NDArray[np.uint16]:
    """Return targets that, with mask 0, pass FPGA channel k to buses k and 4 + k, neuron events to the FPGA, and drop the rest."""
    target = np.ones(CROSSBAR_NODE_EXISTS.shape, dtype=np.uint16)
    for k in range(8):
        target[k, 8 + k % 4] = 0
        target[8 + k % 4, k] = 0
    target.flags.writeable = False
    return target


_NODE = _At(("crossbar_input", "crossbar_output"), "haldls vx/routing_crossbar.h (CrossbarNode)")

_COUNTING = "Neckar's default is on, as upstream's software (grenade) sets it for all nodes of a network; upstream's container: off."

_CROSSBAR = (
    _NODE.code("crossbar_mask", 16383, "A node passes an event if (label & mask) == target; absent nodes ignore their code.", unit="label"),
    _NODE.code(
        "crossbar_target",
        16383,
        "Target of the comparison; mask 0 passes everything with target 0 and nothing with target 1. Neckar's default passes FPGA channel k to buses "
        "k and 4 + k and neuron events to the FPGA, and drops the rest (upstream's container: everything passes).",
        _default_target(),
        "label",
    ),
    _NODE.switch(
        "crossbar_enable_drop_counter",
        f"Lets the input's drop counter count the events that a node passes and that find its output's queue full. {_COUNTING}",
        True,
    ),
    _At(("crossbar_output",), "haldls vx/routing_crossbar.h (CrossbarOutputConfig)").switch(
        "crossbar_enable_event_counter", f"Lets the event counter of an output count. {_COUNTING}", True
    ),
)

_GENERATOR = _At(("background",), "haldls vx/background.h (BackgroundSpikeSource); 0-3 top, 4-7 bottom hemisphere")

_BACKGROUND = (
    _GENERATOR.switch("background_enable", "Runs the generator; its first event, or first draw, comes one full period after it was switched on."),
    _GENERATOR.switch("background_enable_random", "Draws a random number each period (Poisson) instead of sending an event each period (regular)."),
    _GENERATOR.code("background_period", 65535, "Distance of two events, or of two draws, in cycles of the 250 MHz clock.", unit="clock cycles"),
    _GENERATOR.code("background_rate", 255, "A draw of 0 to 255 sends an event if it is at most this code; without effect on regular events."),
    _GENERATOR.code("background_seed", 2**32 - 1, "Start of the random numbers, taken over when the generator is switched on."),
    _GENERATOR.code("background_mask", 255, "Bits of the label that a random generator replaces by random ones at each event.", unit="bit mask"),
    _GENERATOR.code("background_label", 16383, "Label of the events, as the crossbar sees it.", unit="label"),
)

_CONVERTER = _At((), "haldls vx/madc.h (MADCConfig)")

_MADC = (
    _CONVERTER.code("madc_sample_duration_adjust", 7, "A sample takes so many cycles of the converter clock and those of the offset.", 5, "clock cycles"),
    _CONVERTER.code("madc_conversion_cycles_offset", 15, "Added to the duration of a sample, at least 12 cycles; 5 + 12 give 34 ns.", 12, "clock cycles"),
    _CONVERTER.switch("madc_enable_clock_scaling", "Divides the converter's 500 MHz clock."),
    _CONVERTER.code("madc_clock_scale", 4095, "Divisor 2 * (code + 1) of the converter clock, if scaling is on."),
    _CONVERTER.code(
        "madc_active_mux_input_select_length",
        15,
        "Samples for which each of two inputs is selected in turn; 0 stays with the first (default 1 as upstream's software sets it for two circuits).",
        1,
        "samples",
    ),
    _CONVERTER.code("madc_active_mux_initially_selected_input", 1, "Input of the first sample, in the order of the record."),
    _At((), "haldls vx/madc.h (MADCControl); on as upstream's software starts it (upstream's container: off)").switch(
        "madc_enable_continuous_sampling", "Samples until it is stopped; off records a burst in each section, whose first 8 us are invalid.", True
    ),
    _CONVERTER.code("madc_number_of_samples", 65535, "Samples of a burst, over both inputs.", unit="samples"),
    _CONVERTER.code("madc_powerup_wait_value", 1023, "Cycles of the converter clock from the start of a burst to its first sample.", 96, "clock cycles"),
    _CONVERTER.code("madc_preamp_gain", 31, "Capacitor of the pre-amplifier; its gain about the middle of the range is 32 / (code + 1).", 31),
    _At((), "haldls vx/spi.h (DACChannel), lola vx/dac.cpp; a register of the board").code(
        "board_external_voltage", 4095, "Voltage that the board applies to the chip's debug pad, 2.5 V at the highest code; the external source of a record."
    ),
)

_SELECTION = "haldls vx/readout.h (ReadoutSourceSelection)"
_PAD_SWITCH = "haldls vx/readout.h (PadMultiplexerConfig)"

_PADS = (
    *_selects(
        _At(("readout_buffer", "hemisphere"), _SELECTION).switch("readout_mux_neuron_even", "Connects the readout line of even columns to the multiplexer."),
        _At(("readout_buffer", "hemisphere"), _SELECTION).switch("readout_mux_neuron_odd", "Connects the readout line of odd columns to the multiplexer."),
    ),
    *_passive(  # what a pad shows is measured outside the chip; the virtual board has no instrument there
        _At(("readout_buffer",), _SELECTION).switch("readout_enable_buffer_to_pad", "Powers the buffer between the multiplexer and the pads."),
        _At(("pad", "readout_buffer"), _PAD_SWITCH).switch("pad_buffer_to_pad", "Connects a buffer to the pad: buffered readout."),
        _At(("pad", "hemisphere"), _PAD_SWITCH).switch("pad_neuron_i_stim_mux", "Selects the unbuffered readout line of a hemisphere for the pad."),
        _At(("pad",), _PAD_SWITCH).switch("pad_neuron_i_stim_mux_to_pad", "Connects that line to the pad: unbuffered readout."),
    ),
)

_RAMP = _At(("quadrant",), "lola vx/cadc.h (Ramp); default: our estimate of a nominal calibration by calix (upstream's container: 0)")
_HALF = _At(("hemisphere",), "haldls vx/cadc.h (CADCConfig)")
_CHANNEL = _At(("hemisphere", "cadc_channel", "column"), "haldls vx/cadc.h (CADCChannelConfig); channels: 0 causal, 1 acausal")
_SWITCH = _At(("hemisphere", "cadc_channel", "column"), "lola vx/cadc.h (Channel), haldls vx/synapse.h (ColumnCorrelationQuad)")

_CADC = (
    _RAMP.voltage("cadc_v_ramp_offset", "Potential at which the ramp starts; a higher code makes all readings lower.", 22),
    _RAMP.current("cadc_i_ramp_slope", "Current that charges the ramp; a higher code makes an LSB wider and readings lower.", 350),
    _RAMP.voltage("cadc_v_bias_ramp_buf", "Bias of the buffers that bring the ramp to the channels; a lower code delays it and makes readings higher.", 400),
    _RAMP.current("cadc_i_bias_comp", "Bias of the channels' comparators; a lower code delays them and makes readings higher.", 1022),
    _RAMP.current("cadc_i_bias_vreset_buf", "Bias of the buffer that takes the ramp back to its start; too weak for the wait, the ramp starts higher.", 1022),
    _HALF.code("cadc_reset_wait", 255, "Time in which the ramp is taken back to its start, before it rises.", 100, "PPU cycles"),
    _HALF.code("cadc_dead_time", 255, "Wait after the ramp has risen, before the samples are read.", 20, "PPU cycles"),
    _CHANNEL.signed("cadc_channel_offset", -128, 127, "Added to the result of the channel.", "CADC LSB"),
    *_passive(_HALF.switch("cadc_enable", "Runs the converter; a record switches it on.")),
    *_selects(
        _SWITCH.switch("cadc_connect_correlation", "Connects the channel to the column's line through the synapse array; a record connects what it asks for."),
        _SWITCH.switch("cadc_connect_neuron", "Connects that line to the neuron's readout; a record connects what it asks for."),
    ),
    *_passive(_SWITCH.switch("cadc_connect_debug", "Connects the channel to the debug line that all channels share.")),
)

_COUNTERS = (
    Register(
        "spike_counter",
        ("circuit",),
        _U8,
        0,
        0,
        255,
        "spikes",
        "counter",
        "Spikes of the neuron since the last reset of the counter, modulo 256.",
        "haldls vx/neuron.h (SpikeCounterRead)",
        counter=True,
    ),
    Register(
        "spike_counter_overflow",
        ("circuit",),
        _U8,
        0,
        0,
        1,
        "flag",
        "counter",
        "Set since the spike counter passed 255 for the first time after its last reset.",
        "haldls vx/neuron.h (SpikeCounterRead)",
        counter=True,
    ),
    Register(
        "driver_voltage",
        ("hemisphere", "driver"),
        np.dtype(np.float32),
        0,
        0,
        1,
        "V",
        "counter",
        "Voltage of the driver's short-term plasticity. Not on silicon, where only the membrane converter sees it.",
        "haldls vx/synapse_driver.h (enable_readout)",
        counter=True,
    ),
    Register(
        "cadc_debug",
        ("hemisphere", "cadc_channel", "column"),
        _U8,
        0,
        0,
        255,
        "CADC LSB",
        "counter",
        "Reading of each channel of the CADC on the debug line, which shows the cell stp_v_charge_0 of quadrant 0; the read connects channels and cell.",
        "haldls vx/capmem.h (debug_readout_enable), vx/readout.h (PadMultiplexerConfig); calix common/cadc_helpers.py",
        counter=True,
    ),
    *(
        Register(
            f"correlation_{kind}",
            ("hemisphere", "row", "column"),
            _U8,
            0,
            0,
            255,
            "CADC LSB",
            "counter",
            f"Reading of the synapse's {kind} correlation sensor by the CADC: high without charge, lower with every pair.",
            "haldls vx/cadc.h, vx/synapse.h (ColumnCorrelationQuad)",
            counter=True,
        )
        for kind in ("causal", "acausal")
    ),
    Register(
        "crossbar_event_counter",
        ("crossbar_output",),
        np.dtype(np.uint32),
        0,
        0,
        CROSSBAR_COUNTER_STATES - 1,
        "events",
        "counter",
        "Events that left each output since the start of the entry, modulo 2^24; read before or after the real-time sections.",
        "haldls vx/routing_crossbar.h (CrossbarOutputEventCounter)",
        counter=True,
    ),
    Register(
        "crossbar_drop_counter",
        ("crossbar_input",),
        _U16,
        0,
        0,
        CROSSBAR_DROP_COUNTER_STATES - 1,
        "events",
        "counter",
        "Events of each input that found the queue of an output full since the start of the entry, modulo 2^16; read as the event counters.",
        "haldls vx/routing_crossbar.h (CrossbarInputDropCounter); modulo: grenade execution_health_info.cpp",
        counter=True,
    ),
)

GROUPS: Mapping[str, tuple[Register, ...]] = MappingProxyType(
    {
        "Excitatory synaptic input": _synaptic_input("excitatory"),
        "Inhibitory synaptic input": _synaptic_input("inhibitory"),
        "Leak": _leak_or_reset("leak", "leak"),
        "Reset": _leak_or_reset("reset", "reset"),
        "Threshold": _THRESHOLD,
        "Membrane": _MEMBRANE,
        "Adaptation": _ADAPTATION,
        "Exponential current": _EXPONENTIAL,
        "Multiple compartments": _MULTICOMPARTMENT,
        "Refractory period": _REFRACTORY,
        "Neuron events": _EVENTS,
        "Bayesian logic": _BAYESIAN,
        "Neuron readout": _READOUT,
        "Shared CapMem cells": _SHARED,
        "Neuron backends": _BACKENDS,
        "Synapses": _SYNAPSES,
        "Synapse drivers and buses": _DRIVERS,
        "Correlation sensors": _CORRELATION,
        "Crossbar": _CROSSBAR,
        "Background sources": _BACKGROUND,
        "Membrane converter (MADC)": _MADC,
        "Parallel converter (CADC)": _CADC,
        "Pads": _PADS,
        "Counters": _COUNTERS,
    }
)
"""The table by circuit, in the order of the reference documentation."""
