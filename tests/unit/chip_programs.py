"""Programs that one neuron or many run on a chip, for the tests of the machine: a neuron that fires on its own, one that is stimulated, one that adapts."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from neckar.chip import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.machine import Chip
from neckar.chip.specimen import Specimen
from neckar.facts import brainscales2 as facts
from neckar.facts import registers
from neckar.program import (
    TICKS_PER_US,
    Events,
    Probe,
    Program,
    Record,
    Recording,
    Snippet,
    ticks,
)

TABLE = registers("brainscales2")
LATENCY = int(ticks(facts.INPUT_LATENCY.value))
N, SIDE, WALL = 512, 256, 128  # fire lines end at walls

FIRING = {
    "membrane_capacitance_capacitance": 63,
    "refractory_period_refractory_time": 255,
    "leak_v_leak": 1000,
    "leak_i_bias": 150,
    "threshold_enable": True,
    "threshold_v_threshold": 300,
    "reset_v_reset": 400,
    "reset_i_bias": 1022,
    "reset_enable_multiplication": True,
}
STIMULATED = {
    "membrane_capacitance_capacitance": 63,
    "leak_v_leak": 700,
    "leak_i_bias": 150,
    "excitatory_input_enable": True,
    "excitatory_input_enable_small_capacitance": False,
    "excitatory_input_i_bias_tau": 32,
    "excitatory_input_i_bias_gm": 500,
    "excitatory_input_i_shift_reference": 310,
    "syn_i_bias_dac": 600,
    "synapse_row_mode": np.tile([1, 0], (2, 128)),  # one row of each driver
    "synapse_weight": 31,
    "driver_enable_receiver": True,
}
ADAPTIVE = {
    **FIRING,
    "adaptation_enable": True,
    "adaptation_enable_pulse": True,
    "adaptation_v_ref": 500,
    "adaptation_v_leak": 300,
    "adaptation_i_bias_tau": 100,
    "adaptation_i_bias_a": 10,
    "adaptation_i_bias_b": 200,
}
PLASTIC = {**STIMULATED, "driver_enable_stp": True, "driver_enable_recovery": True, "driver_utilization": 8, "stp_recovery_clock_speed": 4}
SENSING = {"syn_i_bias_store": 70, "syn_i_bias_ramp": 80}  # correlation sensors take charge
BYPASSED = {  # circuit c fires at every event with the label 1 on row 2, driver 1; rows of driver 0 see label 0
    **STIMULATED,
    **SENSING,
    "synapse_row_mode": np.tile([1, 0], (2, 128)),
    "synapse_label": np.repeat(np.arange(SIDE)[None, :, None] // 2 % 2, 2, 0) * np.ones((1, 1, SIDE), int),
    "synapse_weight": np.repeat(np.arange(SIDE)[None, :, None] // 2 == 1, 2, 0) * np.full((1, 1, SIDE), 10),
    "event_routing_enable_bypass_excitatory": np.arange(N) < SIDE,
    "driver_row_address_compare_mask": 31,
    "driver_enable_receiver": np.arange(128) < 5,
    "refractory_period_refractory_time": 20,
    "refractory_period_reset_holdoff": 15,
}
PRE, POST = 0, 1 << 14 | 1  # labels: driver 0 on bus 0; driver 1 on bus 1, label 1


def whole(**fields: Any) -> dict[str, np.ndarray]:
    """Return whole register fields: each value broadcast to the shape of its field."""
    return {name: np.broadcast_to(np.asarray(value, TABLE[name].dtype), TABLE[name].shape) for name, value in fields.items()}


def program(fields: dict[str, Any], us: float = 50, **parts: Any) -> Program:
    """Return a program of one snippet unless `parts` has others."""
    parts.setdefault("snippets", (Snippet(round(us * TICKS_PER_US)),))
    return Program(machine="brainscales2", config=whole(**fields), **parts)


@cache
def chip(effects: str = "default", **options: Any) -> Chip:
    return Chip(Specimen.reference(), Effects.parse(effects), **options)


def run(fields: dict[str, Any], us: float = 50, effects: str = "default", instruments: str = "silicon", **parts: Any) -> Recording:
    return chip(effects, instruments=instruments).run(program(fields, us, **parts))[0]


def membrane(circuit: int = 0, interval: int = 1) -> Record:
    """Return a record of nothing but one membrane."""
    return Record(spikes=(), probe=(Probe(("v",), (circuit,), interval),))


def trace(recording: Recording, entry: int = 0) -> np.ndarray:
    return recording.probe[0].value[entry, 0, :, 0]


def volts(lsb: float) -> float:
    """Return the nominal voltage of a CapMem code."""
    return float(facts.CAPMEM_VOLTAGE.slope.value * lsb + facts.CAPMEM_VOLTAGE.intercept.value)


def arriving(*arrival: int) -> Events:
    """Return events that reach the chip at these ticks."""
    return Events.from_lists([[(tick - LATENCY, 0) for tick in arrival]])


def pulses(*at: tuple[int, int]) -> Events:
    """Return events that reach the chip at these ticks with these labels."""
    return Events.from_lists([[(tick - LATENCY, label) for tick, label in sorted(at)]])


def fire_lines(config: ChipConfig, state: np.ndarray) -> np.ndarray:
    """Return the fire lines of all circuits for the states of their refractory counters, one column after the other: slow and obvious."""
    line = np.zeros(N, bool)
    for column in range(SIDE):
        net = []  # of both rows: whether the left neighbour drives it, and its value
        for row in (0, 1):
            i, left = row * SIDE + column, row * SIDE + column - 1
            from_left = column % WALL > 0 and config.bayesian_connect_fire_to_right[left]
            net.append((from_left, line[left] if from_left else config.bayesian_enable_master[i] and state[i]))
        tied = config.bayesian_connect_fire_vertical[column] or config.bayesian_connect_fire_vertical[SIDE + column]
        overwritten = net[0][0] or net[1][0]  # drivers from the left overwrite what stands on the net
        for row in (0, 1):
            line[row * SIDE + column] = any(value for driven, value in net if driven or not overwritten) if tied else net[row][1]
    return line
