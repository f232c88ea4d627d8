"""No dead knob: every register field, changed alone, moves a named observable in the stated direction, or is listed as passive.

The table :data:`KNOBS` is grouped as the register table is. A new field needs one line in it::

    "leak_v_leak": Knob(RESTING, 800, LEVEL, RISES),

which reads: in the set-up RESTING, the code 800 instead of the set-up's own makes the level rise, by more than the observable's resolution. A field that
no circuit reads is marked passive in the register table and gets a line in :data:`PASSIVE`; a field that tells a playback program what its instruments see
is marked so and gets a line in :data:`SELECTING`. Everything runs on the reference chip without noise, and without link loss unless the set-up is about it, so
nothing but the change can move an observable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
from chip_programs import TABLE, arriving, chip, program, whole

from dlens_vx_v3 import hal, halco, hxcomm, lola, sta
from dlens_vx_v3._container import config_of
from neckar.chip.transfer import volt_to_madc
from neckar.facts import brainscales2 as facts
from neckar.facts import register_groups
from neckar.lab import Lab
from neckar.program import TICKS_PER_US, CadcRecord, Events, MadcChannel, Probe, Record, Recording, Snippet, TimedRead

# ---- Set-ups: what circuit 0 does before a field is changed


@dataclass(frozen=True, eq=False)
class Setup:
    """A program that shows circuit 0: its name, codes, length in us and input events."""

    name: str
    codes: Mapping[str, Any]
    us: float = 60
    entries: Events = field(default_factory=lambda: Events.empty(1))
    effects: str = "-noise,-event_loss"
    madc: tuple[int | str, ...] = (0,)  # circuits or sources on the converter

    again: float = 0  # us at which the changed field is written once more, for triggers

    def but(self, name: str, **codes: Any) -> Setup:
        """Return the set-up with some codes of its own."""
        return replace(self, name=name, codes={**self.codes, **codes})


EVENT_US = 60


def event(label: int = 0) -> Events:
    """Return an event that reaches a membrane at rest; label 0 fires driver 0 of both hemispheres and its synapses with label 0."""
    return Events.from_lists([[(EVENT_US * TICKS_PER_US, label)]])


MEMBRANE = {
    "membrane_capacitance_capacitance": 63,
    "leak_v_leak": 700,
    "leak_i_bias": 150,
    "reset_v_reset": 400,
    "reset_i_bias": 1022,
    "refractory_period_refractory_time": 255,
}
RESTING = Setup("a membrane that recovers from the neuron reset to its rest", MEMBRANE)
DRIVEN = RESTING.but("a membrane under a constant current", constant_current_enable=True, constant_current_i_offset=300)

FIRING = Setup("a neuron whose leak lies above its threshold", {**MEMBRANE, "leak_v_leak": 1000, "threshold_enable": True, "threshold_v_threshold": 300}, 100)
FIRING_FAST = FIRING.but("the same on the fast clock", refractory_period_input_clock=1)
FIRING_UNEQUAL = FIRING.but("the same with a slower fast clock", backend_clock_scale_fast=3)
FIRING_FILTERED = FIRING.but("the same, the crossbar passing its address 0 only", crossbar_mask=255)


def _synapses(row: int) -> dict[str, Any]:
    """Return codes for one synaptic row of driver 0 and its neuron."""
    sign = {1: "excitatory", 2: "inhibitory"}[row]
    return {
        **MEMBRANE,
        f"{sign}_input_enable": True,
        f"{sign}_input_enable_small_capacitance": False,
        f"{sign}_input_i_bias_tau": 32,
        f"{sign}_input_i_bias_gm": 500,
        f"{sign}_input_i_shift_reference": 310,
        "syn_i_bias_dac": 600,
        "synapse_row_mode": np.tile([row, 0], (2, 128)),
        "synapse_weight": 31,
        "driver_enable_receiver": True,
    }


EXCITED = Setup("a neuron that receives one excitatory event", _synapses(1), 160, event())
INHIBITED = Setup("a neuron that receives one inhibitory event", _synapses(2), 160, event())
_MODE = {"enable_coba_mode": True, "i_bias_coba": 300, "v_rev_coba": 700}
EXCITED_COBA = EXCITED.but("the same, conductance-based", **{f"excitatory_input_{name}": code for name, code in _MODE.items()})
INHIBITED_COBA = INHIBITED.but("the same, conductance-based", **{f"inhibitory_input_{name}": code for name, code in _MODE.items()})
ADDRESSED = Setup("the event carries the row select 1, driver 0 compares it with 0", _synapses(1), 160, event(1 << 6))
LABELLED = Setup("event and synapses carry the label 1", {**_synapses(1), "synapse_label": 1}, 160, event(1))
ROUTED = Setup("the event carries the routing bit 11", _synapses(1), 160, event(1 << 11))
CLAMPED = Setup(
    "a membrane that its reset holds against events",
    {**_synapses(1), "backend_clock_scale_slow": 8, "reset_i_bias": 102},
    60,
    arriving(*range(TICKS_PER_US, 60 * TICKS_PER_US, TICKS_PER_US)),
)


def only(*circuits: int) -> tuple[bool, ...]:
    """Return a switch that is on for some circuits, as the code of a whole field."""
    return tuple(np.isin(np.arange(512), circuits))


LED = FIRING.but(
    "a neuron without threshold, whose fire line carries the state of one that fires",
    threshold_enable=only(256),
    bayesian_enable_master=only(256),
    bayesian_connect_fire_vertical=only(0),
)


_CONDUCTANCE = {"multicompartment_enable_conductance": only(0), "multicompartment_i_bias_nmda": 60}
BESIDE = RESTING.but("a membrane whose neighbours rest higher", leak_v_leak=np.where(np.arange(512) == 0, 700, 900))
BESIDE_SOMA = BESIDE.but("the same, the lines of two circuits connected", multicompartment_connect_soma_right=only(0), multicompartment_connect_soma=only(1))
BESIDE_CUT = BESIDE.but("the same, the membranes of two circuits on their lines", multicompartment_connect_soma=only(0, 1))
LINKED = Setup("the same, connected through a conductance", {**BESIDE_SOMA.codes, **_CONDUCTANCE})

ADAPTING = Setup(
    "a membrane with sub-threshold adaptation under a constant current",
    {
        **DRIVEN.codes,
        "adaptation_enable": True,
        "adaptation_v_ref": 500,
        "adaptation_v_leak": 500,
        "adaptation_i_bias_tau": 300,
        "adaptation_i_bias_a": 60,
    },
    300,
)
JUMPING = Setup(
    "a firing neuron with spike-triggered adaptation",
    {
        **FIRING.codes,
        "adaptation_enable": True,
        "adaptation_enable_pulse": True,
        "adaptation_v_ref": 400,
        "adaptation_i_bias_tau": 300,
        "adaptation_i_bias_b": 50,
        "backend_clock_scale_adaptation_pulse": 7,
    },
    100,
)
ESCAPING = Setup(
    "a neuron that reaches its threshold by the exponential current only",
    {
        **DRIVEN.codes,
        "leak_i_bias": 70,
        "constant_current_i_offset": 350,
        "threshold_enable": True,
        "threshold_v_threshold": 700,
        "exponential_enable": True,
        "exponential_v_exp": 800,
        "exponential_i_bias": 300,
    },
    300,
)
CONVERTING = RESTING.but("a membrane on the converter, whose clock is not scaled")
SCALED = RESTING.but("the same with the clock scaled", madc_enable_clock_scaling=True)
OUTSIDE = Setup("the voltage of the board on the converter", MEMBRANE, 20, madc=("external",))
SHARING = Setup("two membranes on the converter", MEMBRANE, 1, madc=(0, 1))
BURST = RESTING.but("a burst of 1000 samples", madc_enable_continuous_sampling=False, madc_number_of_samples=1000)
PARALLEL = RESTING.but("a membrane on the parallel converter")


def _nodes(*open_nodes: tuple[int, int]) -> np.ndarray:
    """Return crossbar targets that open some nodes, (input, output), besides the default ones."""
    target = TABLE["crossbar_target"].default_array()
    for node in open_nodes:
        target[node] = 0
    return target


_PLASTIC = {**_synapses(1), "driver_enable_stp": True}
PLASTIC = Setup("a plastic driver that receives one event", _PLASTIC, 160, event())
PLASTIC_SECOND = PLASTIC.but("the same with the second pair of voltages", driver_select_target_voltages=1)
_USED = {"driver_utilization": 8, "driver_enable_recovery": True, "stp_recovery_clock_speed": 5}
USED = Setup("a plastic driver that receives events every 10 us", {**_PLASTIC, **_USED}, 160, arriving(*range(5000, 80_000, 5000)))
USED_SECOND = USED.but("the same with the second pair of voltages", driver_select_target_voltages=1)
_MODULATION = {"driver_enable_hagen_dac": True, "driver_enable_hagen_modulation": True, "driver_enable_address_out": False}
MODULATED = Setup("an event with the activation 12 comes to a modulated driver", {**_PLASTIC, **_MODULATION}, 160, event(20))

_PAIRED = {
    **_synapses(1),
    "event_routing_enable_bypass_excitatory": True,
    "synapse_weight": np.repeat(np.where(np.arange(256) % 16 == 8, 31, 0), 256).reshape(1, 256, 256) * np.ones((2, 1, 1), int),
    "synapse_label": np.repeat(np.arange(256) % 16 == 8, 256).reshape(1, 256, 256) * np.ones((2, 1, 1), int),
    "driver_row_address_compare_mask": 0,
    "syn_i_bias_store": 5,
    "syn_i_bias_ramp": 80,
}
PAIRED = Setup(
    "events of row 0, each followed by one that fires the neuron past its membrane",
    _PAIRED,
    160,
    Events.from_lists([[(5000 * k + late, label) for k in range(1, 6) for late, label in ((0, 0), (1500, 1))]]),
)
GATED = PAIRED.but("the same, post pulses only while the fire line is high", bayesian_operation=1)
GATED_BY_LEFT = GATED.but("the same, circuit 0 on its fire line", bayesian_enable_master=only(0))
GATED_BY_OTHER_ROW = GATED.but("the same, circuit 257 on its fire line", bayesian_enable_master=only(257))
TRIGGERED = replace(PAIRED, name="the same, the field written again at 100 us", again=100)

GENERATING = Setup(
    "a regular background generator on its way to the host",
    {"background_enable": True, "background_period": 1000, "background_label": 64, "crossbar_target": _nodes((12, 8))},
)
RANDOM = GENERATING.but("the same at random", background_enable_random=True, background_rate=100)
CROWDED = Setup(
    "events of two channels that come to one bus at once",
    {**_synapses(1), "crossbar_target": _nodes((9, 0))},
    60,
    Events.from_lists([[(1000 + 4 * k, channel << 14) for k in range(200) for channel in (0, 1)]]),
    "-noise",
)
COUNTED = CROWDED.but("the same on a bus of half the bandwidth", padi_enable_extended_timing=True)

# ---- Observables


@dataclass(frozen=True, eq=False)
class Observable:
    """A number that a recording shows, and the smallest difference that counts as a move, both in `unit`."""

    name: str
    unit: str
    resolution: float
    measure: Callable[[Recording], float]


INTERVAL_US = 0.1


def membrane(recording: Recording) -> np.ndarray:
    """Return the membrane every 0.1 us, LSB of the converter under the nominal conversion."""
    return np.asarray(volt_to_madc(recording.probe[0].value[0, 0, :, 0]))


def adaptation(recording: Recording) -> np.ndarray:
    """Return the adaptation state as its readout shows it."""
    return np.asarray(volt_to_madc(recording.probe[0].value[0, 1, :, 0]))


def last(trace: np.ndarray) -> float:
    """Return the mean of the last 5 us."""
    return float(trace[-50:].mean())


def settling_time(recording: Recording) -> float:
    """Return when the membrane has covered 1 - 1/e of its way to the last level."""
    v = membrane(recording)
    return float(np.argmax(np.abs(v - last(v)) < np.abs(v[0] - last(v)) / np.e)) * INTERVAL_US


def excursion(recording: Recording) -> np.ndarray:
    """Return how far the membrane is from where it was when the event was released."""
    v, start = membrane(recording), round(EVENT_US / INTERVAL_US)
    return np.asarray(v[start:] - v[start])


def width(recording: Recording) -> float:
    distance = np.abs(excursion(recording))
    return float((distance > distance.max() / 2).sum()) * INTERVAL_US


def period(recording: Recording) -> float:
    return float(np.median(np.diff(recording.spikes.tick))) / TICKS_PER_US


LEVEL = Observable("level of the membrane", "LSB", 3, lambda r: last(membrane(r)))
SETTLING = Observable("settling time", "us", 0.5, settling_time)
HEIGHT = Observable("height of the PSP", "LSB", 3, lambda r: excursion(r).max())
DEPTH = Observable("depth of the inhibitory PSP", "LSB", 3, lambda r: -excursion(r).min())
WIDTH = Observable("width of the PSP", "us", 1, width)
PEAK = Observable("highest level", "LSB", 3, lambda r: membrane(r)[200:].max())
TROUGH = Observable("lowest level", "LSB", 3, lambda r: membrane(r)[200:].min())
SPIKES = Observable("spikes that reach the host", "spikes", 0.5, lambda r: len(r.spikes.tick))
PERIOD = Observable("period between spikes", "us", 0.2, period)
SWING = Observable("largest PSP in a train", "LSB", 3, lambda r: membrane(r)[200:].max() - membrane(r)[199])
CORRELATION = Observable("reading of a causal sensor", "LSB", 3, lambda r: float(r.reads["correlation"][0]))
STATE = Observable("level of the adaptation state", "LSB", 3, lambda r: last(adaptation(r)))
JUMP = Observable("largest jump of the adaptation state", "LSB", 3, lambda r: np.diff(adaptation(r)).max())
SAMPLES = Observable("samples of the converter", "samples", 0.5, lambda r: len(r.madc[0].tick))
FIRST_SAMPLES = Observable("samples of the first of two inputs in 0.5 us", "samples", 0.5, lambda r: (r.madc[0].tick < 250).sum())
FIRST_STAMP = Observable("stamp of the first sample", "ticks", 10, lambda r: r.madc[0].tick[0])
READING = Observable("reading of the converter", "LSB", 3, lambda r: r.madc[0].value[-500:].mean())
PARALLEL_READING = Observable("reading of the parallel converter", "LSB", 2, lambda r: float(r.cadc[0].value[-1, 0]))
ROWS = Observable("rows of the parallel converter", "rows", 0.5, lambda r: len(r.cadc[0].tick))
LOOPED = Observable("events that come back to the host", "events", 0.5, lambda r: len(r.loopback))
FIRST = Observable("time of the first event that comes back", "us", 0.1, lambda r: r.loopback.tick[0] / TICKS_PER_US)
LABELS = Observable("different labels of events that come back", "labels", 0.5, lambda r: len(set(r.loopback.label.tolist())))
LABEL = Observable("mean label of events that come back", "label", 0.5, lambda r: r.loopback.label.mean())
OVERFLOW = Observable("events lost in a full queue", "events", 0.5, lambda r: sum(n for (reason, _), n in r.losses.lost.items() if reason == "fifo_overflow"))
PASSED, DROPPED = (
    Observable(f"sum of the crossbar's {kind} counters", "events", 0.5, lambda r, kind=kind: r.reads[kind].sum(dtype=int)) for kind in ("event", "drop")
)


# ---- The table


class Knob(NamedTuple):
    """In a set-up, `code` in the whole field moves an observable in a direction, +1 or -1."""

    setup: Setup
    code: Any
    observable: Observable
    direction: int


RISES, FALLS = 1, -1


def _input(sign: str, setup: Setup, size: Observable, shift: int, coba: Setup) -> dict[str, Knob]:
    """Return the knobs of an input; in conductance-based mode a reference above the rest makes excitation stronger and inhibition weaker."""
    stronger = FALLS if size is DEPTH else RISES
    above = coba.but(f"{coba.name}, with its reference above the rest", **{f"{sign}_input_v_rev_coba": 850})
    return {
        f"{sign}_input_enable": Knob(setup, 0, size, FALLS),
        f"{sign}_input_i_bias_tau": Knob(setup, 64, WIDTH, FALLS),
        f"{sign}_input_i_bias_gm": Knob(setup, 700, size, RISES),
        f"{sign}_input_i_bias_coba": Knob(above, 500, size, stronger),
        f"{sign}_input_v_rev_coba": Knob(coba, 780, size, stronger),
        f"{sign}_input_i_shift_reference": Knob(setup, 400, LEVEL, shift),
        f"{sign}_input_enable_small_capacitance": Knob(setup, 1, WIDTH, FALLS),
        f"{sign}_input_enable_high_resistance": Knob(setup, 1, WIDTH, RISES),
        f"{sign}_input_enable_coba_mode": Knob(above, 0, size, -stronger),
    }


KNOBS: Mapping[str, Mapping[str, Knob]] = MappingProxyType(
    {
        "Excitatory synaptic input": _input("excitatory", EXCITED, HEIGHT, FALLS, EXCITED_COBA),
        "Inhibitory synaptic input": _input("inhibitory", INHIBITED, DEPTH, RISES, INHIBITED_COBA),
        "Leak": {
            "leak_v_leak": Knob(RESTING, 800, LEVEL, RISES),
            "leak_i_bias": Knob(RESTING, 300, SETTLING, FALLS),
            "leak_enable_degeneration": Knob(RESTING, 1, SETTLING, RISES),
            "leak_enable_division": Knob(DRIVEN, 1, LEVEL, RISES),
            "leak_enable_multiplication": Knob(RESTING, 1, SETTLING, FALLS),
        },
        "Reset": {
            "reset_v_reset": Knob(FIRING, 350, TROUGH, FALLS),
            "reset_i_bias": Knob(FIRING, 500, TROUGH, RISES),
            "reset_enable_degeneration": Knob(FIRING, 1, TROUGH, RISES),
            "reset_enable_division": Knob(FIRING, 1, TROUGH, RISES),
            "reset_enable_multiplication": Knob(FIRING, 1, TROUGH, FALLS),
        },
        "Threshold": {
            "threshold_enable": Knob(FIRING, 0, SPIKES, FALLS),
            "threshold_v_threshold": Knob(FIRING, 350, PEAK, RISES),
        },
        "Membrane": {
            "membrane_capacitance_capacitance": Knob(RESTING, 20, SETTLING, FALLS),
            "constant_current_enable": Knob(DRIVEN, 0, LEVEL, FALLS),
            "constant_current_i_offset": Knob(DRIVEN, 500, LEVEL, RISES),
            "constant_current_type": Knob(DRIVEN, 1, LEVEL, FALLS),
        },
        "Adaptation": {
            "adaptation_enable": Knob(ADAPTING, 0, LEVEL, RISES),
            "adaptation_enable_pulse": Knob(JUMPING, 0, JUMP, FALLS),
            "adaptation_invert_a": Knob(ADAPTING, 1, STATE, FALLS),
            "adaptation_invert_b": Knob(JUMPING, 1, STATE, FALLS),
            "adaptation_v_ref": Knob(ADAPTING, 550, STATE, RISES),
            "adaptation_v_leak": Knob(ADAPTING, 400, STATE, RISES),
            "adaptation_i_bias_tau": Knob(JUMPING, 600, STATE, FALLS),
            "adaptation_i_bias_a": Knob(ADAPTING, 90, STATE, RISES),
            "adaptation_i_bias_b": Knob(JUMPING, 100, JUMP, RISES),
        },
        "Exponential current": {
            "exponential_enable": Knob(ESCAPING, 0, SPIKES, FALLS),
            "exponential_v_exp": Knob(ESCAPING, 950, SPIKES, FALLS),
            "exponential_i_bias": Knob(ESCAPING, 100, PERIOD, RISES),
        },
        "Multiple compartments": {
            "multicompartment_connect_soma": Knob(BESIDE_SOMA, only(0, 1), LEVEL, RISES),
            "multicompartment_connect_soma_right": Knob(BESIDE_CUT, only(0), LEVEL, RISES),
            "multicompartment_connect_right": Knob(BESIDE, only(0), LEVEL, RISES),
            "multicompartment_connect_vertical": Knob(BESIDE, only(0, 256), LEVEL, RISES),
            "multicompartment_enable_conductance": Knob(LINKED, False, LEVEL, FALLS),
            "multicompartment_enable_conductance_division": Knob(LINKED, 1, LEVEL, FALLS),
            "multicompartment_enable_conductance_multiplication": Knob(LINKED, 1, LEVEL, RISES),
            "multicompartment_i_bias_nmda": Knob(LINKED, 200, LEVEL, RISES),
        },
        "Refractory period": {
            "refractory_period_refractory_time": Knob(FIRING, 200, PERIOD, FALLS),
            "refractory_period_reset_holdoff": Knob(FIRING, 0, TROUGH, RISES),
            "refractory_period_input_clock": Knob(FIRING_UNEQUAL, 1, PERIOD, RISES),
            "refractory_period_enable_pause": Knob(CLAMPED, 1, LEVEL, FALLS),
        },
        "Neuron events": {
            "event_routing_analog_output": Knob(FIRING, 0, SPIKES, FALLS),
            "event_routing_enable_digital": Knob(FIRING, 0, SPIKES, FALLS),
            "event_routing_address": Knob(FIRING_FILTERED, 1, SPIKES, FALLS),
            "event_routing_enable_bypass_excitatory": Knob(EXCITED, 1, SPIKES, RISES),
            "event_routing_enable_bypass_inhibitory": Knob(INHIBITED, 1, SPIKES, RISES),
            "event_routing_enable_post_overwrite": Knob(PAIRED, 1, CORRELATION, RISES),
        },
        "Bayesian logic": {
            "bayesian_to_post_pulse": Knob(PAIRED, 0, CORRELATION, RISES),
            "bayesian_operation": Knob(PAIRED, 1, CORRELATION, RISES),
            "bayesian_connect_fire_vertical": Knob(GATED_BY_OTHER_ROW, only(1), CORRELATION, FALLS),
            "bayesian_connect_fire_to_right": Knob(GATED_BY_LEFT, only(0), CORRELATION, FALLS),
            "bayesian_enable_master": Knob(GATED, 1, CORRELATION, FALLS),
            "bayesian_enable_slave": Knob(LED, 1, SPIKES, RISES),
        },
        "Shared CapMem cells": {
            "syn_i_bias_dac": Knob(EXCITED, 1000, HEIGHT, RISES),
            "neuron_i_bias_readout_amp": Knob(CONVERTING, 0, READING, FALLS),
            "neuron_i_bias_spike_comparator": Knob(FIRING, 0, SPIKES, FALLS),
            "neuron_i_bias_synin_drop": Knob(EXCITED, 0, HEIGHT, FALLS),
        },
        "Neuron backends": {
            "backend_enable_clocks": Knob(FIRING, 0, SPIKES, FALLS),
            "backend_clock_scale_slow": Knob(FIRING, 2, PERIOD, RISES),
            "backend_clock_scale_fast": Knob(FIRING_FAST, 2, PERIOD, RISES),
            "backend_clock_scale_adaptation_pulse": Knob(JUMPING, 8, JUMP, RISES),
        },
        "Synapses": {
            "synapse_weight": Knob(EXCITED, 63, HEIGHT, RISES),
            "synapse_label": Knob(EXCITED, 1, HEIGHT, FALLS),
            "synapse_row_mode": Knob(EXCITED, 0, HEIGHT, FALLS),
            "column_enable_excitatory": Knob(EXCITED, 0, HEIGHT, FALLS),
            "column_enable_inhibitory": Knob(INHIBITED, 0, DEPTH, FALLS),
        },
        "Synapse drivers and buses": {
            "driver_enable_receiver": Knob(EXCITED, 0, HEIGHT, FALLS),
            "driver_row_address_compare_mask": Knob(ADDRESSED, 0, HEIGHT, RISES),
            "driver_enable_address_out": Knob(LABELLED, 0, HEIGHT, FALLS),
            "driver_enable_stp": Knob(PLASTIC, 0, HEIGHT, RISES),
            "driver_enable_recovery": Knob(USED, 0, SWING, RISES),
            "driver_utilization": Knob(USED, 15, SWING, RISES),
            "driver_recovery": Knob(USED, 15, SWING, FALLS),
            "driver_offset": Knob(PLASTIC, 15, HEIGHT, FALLS),
            "driver_select_target_voltages": Knob(PLASTIC, 1, HEIGHT, RISES),
            "driver_enable_hagen_dac": Knob(MODULATED, 0, HEIGHT, FALLS),
            "driver_enable_hagen_modulation": Knob(MODULATED, 0, HEIGHT, FALLS),
            "driver_hagen_dac_offset": Knob(MODULATED, 63, HEIGHT, FALLS),
            "padi_enable_spl1": Knob(EXCITED, 0, HEIGHT, FALLS),
            "padi_enable_extended_timing": Knob(CROWDED, 1, OVERFLOW, RISES),
            "padi_dacen_pulse_extension": Knob(EXCITED, 15, HEIGHT, RISES),
            "stp_enable_recovery_clock": Knob(USED, 0, SWING, RISES),
            "stp_recovery_clock_speed": Knob(USED, 0, SWING, FALLS),
            "stp_v_charge_0": Knob(USED, 300, SWING, FALLS),
            "stp_v_charge_1": Knob(USED_SECOND, 50, SWING, RISES),
            "stp_v_recover_0": Knob(PLASTIC, 200, HEIGHT, RISES),
            "stp_v_recover_1": Knob(PLASTIC_SECOND, 300, HEIGHT, FALLS),
            "stp_i_ramp": Knob(PLASTIC, 900, HEIGHT, RISES),
            "stp_i_calib": Knob(PLASTIC_SECOND.but("the same with a late ramp", driver_offset=15), 1000, HEIGHT, FALLS),
            "stp_i_bias_comparator": Knob(PLASTIC_SECOND, 300, HEIGHT, FALLS),
        },
        "Correlation sensors": {
            "synapse_amp_calib": Knob(PAIRED, 3, CORRELATION, FALLS),
            "synapse_time_calib": Knob(PAIRED, 3, CORRELATION, FALLS),
            "syn_i_bias_store": Knob(PAIRED, 20, CORRELATION, RISES),
            "syn_i_bias_ramp": Knob(PAIRED, 400, CORRELATION, RISES),
            "syn_i_bias_corout": Knob(PAIRED, 0, CORRELATION, FALLS),
            "correlation_reset": Knob(TRIGGERED, 1, CORRELATION, RISES),
        },
        "Crossbar": {
            "crossbar_mask": Knob(ROUTED, 1 << 11, HEIGHT, FALLS),
            "crossbar_target": Knob(EXCITED, 1, HEIGHT, FALLS),
            "crossbar_enable_drop_counter": Knob(COUNTED, 0, DROPPED, FALLS),
            "crossbar_enable_event_counter": Knob(COUNTED, 0, PASSED, FALLS),
        },
        "Background sources": {
            "background_enable": Knob(GENERATING, 0, LOOPED, FALLS),
            "background_enable_random": Knob(GENERATING, 1, LOOPED, FALLS),
            "background_period": Knob(GENERATING, 3000, LOOPED, FALLS),
            "background_rate": Knob(RANDOM, 250, LOOPED, RISES),
            "background_seed": Knob(RANDOM, 1, FIRST, FALLS),
            "background_mask": Knob(RANDOM, 7, LABELS, RISES),
            "background_label": Knob(GENERATING, 99, LABEL, RISES),
        },
        "Membrane converter (MADC)": {
            "madc_sample_duration_adjust": Knob(CONVERTING, 7, SAMPLES, FALLS),
            "madc_conversion_cycles_offset": Knob(CONVERTING, 15, SAMPLES, FALLS),
            "madc_enable_clock_scaling": Knob(CONVERTING, 1, SAMPLES, FALLS),
            "madc_clock_scale": Knob(SCALED, 1, SAMPLES, FALLS),
            "madc_active_mux_input_select_length": Knob(SHARING, 15, FIRST_SAMPLES, RISES),
            "madc_active_mux_initially_selected_input": Knob(SHARING, 1, FIRST_SAMPLES, FALLS),
            "madc_enable_continuous_sampling": Knob(CONVERTING, 0, SAMPLES, FALLS),
            "madc_number_of_samples": Knob(BURST, 100, SAMPLES, FALLS),
            "madc_powerup_wait_value": Knob(BURST, 500, FIRST_STAMP, RISES),
            "madc_preamp_gain": Knob(CONVERTING, 15, READING, FALLS),
            "board_external_voltage": Knob(OUTSIDE, 1000, READING, RISES),
        },
        "Parallel converter (CADC)": {
            "cadc_v_ramp_offset": Knob(PARALLEL, 60, PARALLEL_READING, FALLS),
            "cadc_i_ramp_slope": Knob(PARALLEL, 500, PARALLEL_READING, FALLS),
            "cadc_v_bias_ramp_buf": Knob(PARALLEL, 200, PARALLEL_READING, RISES),
            "cadc_i_bias_comp": Knob(PARALLEL, 300, PARALLEL_READING, RISES),
            "cadc_i_bias_vreset_buf": Knob(PARALLEL, 100, PARALLEL_READING, FALLS),
            "cadc_reset_wait": Knob(PARALLEL, 10, PARALLEL_READING, FALLS),
            "cadc_dead_time": Knob(PARALLEL, 255, ROWS, FALLS),
            "cadc_channel_offset": Knob(PARALLEL, 20, PARALLEL_READING, RISES),
        },
    }
)

# ---- What a playback program's instruments see


EVEN, ODD, BOTH = (4,), (5,), (4, 5)


FIRST_INPUT, SECOND_INPUT = ((1, 0), (0, 0)), ((0, 0), (1, 0))
"""The upper hemisphere's line on an input of the converter."""


def columns(*chosen: int) -> tuple[Any, ...]:
    """Return the code of a switch of the parallel converter: on for the causal channels of some upper columns."""
    off = (0,) * 256
    return ((tuple(int(column in chosen) for column in range(256)), off), (off, off))


@dataclass(frozen=True, eq=False)
class Seen:
    """What comes back from a playback program that samples 10 us with the MADC and then reads a row with the CADC."""

    recording: Recording
    row: Any

    def samples(self, circuit: int) -> int:
        return sum(len(one.tick) for one in self.recording.madc if one.circuit == circuit)


def _watched(name: str, **codes: Any) -> Setup:
    """Return a set-up: two membranes, of which the second is on both converters; codes of its own replace its own."""
    readout = {"readout_enable_amplifier": only(*ODD), "readout_enable_buffered_access": only(*ODD)}
    inputs = {"readout_mux_neuron_even": SECOND_INPUT, "readout_mux_neuron_odd": FIRST_INPUT, "cadc_connect_neuron": columns(*ODD)}
    return Setup(name, {**MEMBRANE, "syn_i_bias_store": 70, "syn_i_bias_ramp": 80, **readout, **inputs, **codes})


WATCHED = _watched("the second of two neurons on both converters of a playback program")
AMPLIFIED = _watched("the same, both amplified", readout_enable_amplifier=only(*BOTH))
CONNECTED = _watched("the same, both with access to their lines", readout_enable_buffered_access=only(*BOTH))
_BOTH = dict.fromkeys(("readout_enable_amplifier", "readout_enable_buffered_access"), only(*BOTH))
WITHOUT_EVEN = _watched("the same, both amplified and with access, the even line off", **_BOTH, readout_mux_neuron_even=0)
WITHOUT_ODD = _watched("the same, both amplified and with access, the odd line off", **_BOTH, readout_mux_neuron_odd=0)

FIRST_SEEN = Observable("samples of the first neuron", "samples", 0.5, lambda seen: seen.samples(*EVEN))
SECOND_SEEN = Observable("samples of the second neuron", "samples", 0.5, lambda seen: seen.samples(*ODD))
SEEN = Observable("reading of the converter", "LSB", 3, lambda seen: np.mean([one.value.mean() for one in seen.recording.madc]))
FIRST_READ = Observable("reading of the first neuron in the row", "LSB", 2, lambda seen: int(seen.row.causal.to_numpy()[4]))
SENSOR_READ = Observable("reading of a causal sensor in the row", "LSB", 2, lambda seen: int(seen.row.acausal.to_numpy()[4]))

SELECTING: Mapping[str, Knob] = MappingProxyType(
    {
        "readout_source": Knob(WATCHED, 1, SEEN, RISES),
        "readout_enable_amplifier": Knob(CONNECTED, only(*BOTH), FIRST_SEEN, RISES),
        "readout_enable_buffered_access": Knob(AMPLIFIED, only(*BOTH), FIRST_SEEN, RISES),
        "readout_mux_neuron_even": Knob(WITHOUT_EVEN, SECOND_INPUT, FIRST_SEEN, RISES),
        "readout_mux_neuron_odd": Knob(WITHOUT_ODD, FIRST_INPUT, SECOND_SEEN, RISES),
        "cadc_connect_correlation": Knob(WATCHED, 1, SENSOR_READ, RISES),
        "cadc_connect_neuron": Knob(AMPLIFIED, columns(*BOTH), FIRST_READ, RISES),
    }
)
"""Fields that tell a playback program what its instruments see; a Program says that in its record."""

_BIAS = "how an amplifier leaves its operating range has no public number; users keep the default"
PASSIVE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            ("readout_enable_unbuffered_access", "readout_enable_buffer_to_pad", "pad_buffer_to_pad", "pad_neuron_i_stim_mux", "pad_neuron_i_stim_mux_to_pad"),
            "what a pad shows is measured outside the chip; the virtual board has no instrument there",
        ),
        "cadc_enable": "the converter runs whenever something is read",
        "cadc_connect_debug": "a read of cadc_debug connects the line itself",
        "backend_clock_scale_post_pulse": "the length of post pulses has no model",
        "bayesian_connect_fire_from_right": "without function on silicon, upstream says",
        **dict.fromkeys(("neuron_v_bias_casc_n", "neuron_i_bias_leak_source_follower"), _BIAS),
    }
)
"""Fields without an effect on any observable, and why."""

_KNOB = {name: knob for group in KNOBS.values() for name, knob in group.items()}
_ACTIVE = [name for name, register in TABLE.items() if not (register.passive or register.selects or register.counter)]


@cache
def observed(setup: Setup, name: str | None = None, code: Any = None) -> Recording:
    """Return what the set-up shows, with a code in the whole of one field; set-ups themselves run once."""
    codes = {**setup.codes, **({} if name is None else {name: code})}
    parts: dict[str, Any] = {}
    if setup.again and name is not None:
        first, rest = (round(us * TICKS_PER_US) for us in (setup.again, setup.us - setup.again))
        parts["snippets"] = (Snippet(first), Snippet(rest, config=whole(**{name: code})))
    if "syn_i_bias_store" in setup.codes:
        parts["reads"] = [TimedRead(name="correlation", at="after", field="correlation_causal", index=(0, 0, 1))]
    if setup is COUNTED:
        parts["reads"] = [TimedRead(name=kind, at="after", field=f"crossbar_{kind}_counter") for kind in ("event", "drop")]
    probe = Probe(("v", "w"), (0,), round(INTERVAL_US * TICKS_PER_US))
    record = Record(
        spikes=(0,),
        probe=(probe,),
        madc=tuple(MadcChannel(0, c) if isinstance(c, str) else MadcChannel(c) for c in setup.madc),
        cadc=(CadcRecord((0,), period=1400),),
    )
    return chip(setup.effects).run(program(codes, setup.us, entries=setup.entries, record=record, neuron_reset=True, **parts))[0]


@pytest.mark.parametrize("name", _ACTIVE)
def test_a_field_moves_its_observable(name):
    assert name in _KNOB, f"{name} has no entry in KNOBS: add the line that says what it moves (see the top of this file), or mark it passive"
    setup, code, observable, direction = _KNOB[name]
    assert np.any(setup.codes.get(name, TABLE[name].default) != np.asarray(code)), f"{name} already holds {code} in: {setup.name}"
    before, after = (observable.measure(recording) for recording in (observed(setup), observed(setup, name, code)))
    change = f"{setup.name}: {observable.name} is {before:.4g} {observable.unit}, with {name} = {code} it is {after:.4g}"
    assert direction * (after - before) > observable.resolution, change


def test_the_table_has_the_groups_and_fields_of_the_register_table():
    groups = register_groups("brainscales2")
    assert [name for name in groups if name in KNOBS] == list(KNOBS)
    for group, knobs in KNOBS.items():
        fields = [register.name for register in groups[group]]
        assert [name for name in fields if name in knobs] == list(knobs)
    assert set(_KNOB) == set(_ACTIVE)


@cache
def seen(setup: Setup, name: str | None = None, code: Any = None) -> Seen:
    """Return what the instruments of a playback program see, with a code in the whole of one field of its chip."""
    chip = lola.Chip()
    config_of(chip).apply(whole(**{**setup.codes, **({} if name is None else {name: code})}))
    builder, control = sta.PlaybackProgramBuilder(), hal.MADCControl(wake_up=True, enable_continuous_sampling=True)
    builder.write(halco.ChipOnDLS(), chip)
    builder.write(halco.MADCControlOnDLS(), control)
    control.start_recording = True
    builder.write(halco.MADCControlOnDLS(), control)
    builder.write(halco.TimerOnDLS(), hal.Timer())
    builder.block_until(halco.TimerOnDLS(), hal.Timer.Value(10 * TICKS_PER_US // facts.FPGA_CLOCK_TICKS))
    row = builder.read(halco.CADCSampleRowOnDLS(halco.SynapseRowOnSynram(3), halco.SynramOnDLS(0)))
    done = builder.done()
    with Lab(effects=setup.effects), hxcomm.ManagedConnection() as connection:
        sta.run(connection, done)
    assert done.recording is not None
    return Seen(done.recording, row.get())


@pytest.mark.parametrize("name", SELECTING)
def test_a_selecting_field_moves_what_a_playback_program_sees(name):
    setup, code, observable, direction = SELECTING[name]
    before, after = (observable.measure(found) for found in (seen(setup), seen(setup, name, code)))
    change = f"{setup.name}: {observable.name} is {before:.4g} {observable.unit}, with {name} = {code} it is {after:.4g}"
    assert direction * (after - before) > observable.resolution, change


def test_all_selecting_fields_have_an_entry():
    assert {name for name, register in TABLE.items() if register.selects} == set(SELECTING)
    assert not any(register.selects and register.passive for register in TABLE.values())


def test_passive_fields_are_listed():
    assert {name for name, register in TABLE.items() if register.passive} == set(PASSIVE)


def test_few_fields_of_neurons_drivers_and_instruments_are_passive():
    """Fewer than a tenth: every passive field counts, among the fields of the neurons, the drivers and the instruments with sources and pads."""
    elsewhere = ("Synapses", "Correlation sensors", "Crossbar", "Background sources", "Counters")
    groups = register_groups("brainscales2")
    assert set(elsewhere) <= set(groups)
    fields = [register for group, rows in groups.items() if group not in elsewhere for register in rows]
    passive = [register.name for register in fields if register.passive]
    assert set(passive) == set(PASSIVE)
    assert len(passive) < 0.1 * len(fields)
