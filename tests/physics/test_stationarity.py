"""A run does not age: what a stimulus does after 30 s of hardware time is what it does after 1 ms, and memory does not grow with the time in between.

Time is 15e9 ticks after 30 s, beyond 32 bits and far beyond what float32 resolves: clocks that lose their grid show up here.
"""

from __future__ import annotations

import dataclasses
import tracemalloc
from functools import cache

import numpy as np
import pytest

from neckar.chip.effects import Effects
from neckar.chip.machine import Chip
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import volt_to_madc
from neckar.facts import brainscales2 as facts
from neckar.facts import registers
from neckar.program import Events, MadcChannel, Probe, Program, Record, Recording, Snippet, ticks

TABLE = registers("brainscales2")
LATENCY = int(ticks(facts.INPUT_LATENCY.value))
EARLY = 500_000  # 1 ms
LATE = 15_000_000_000  # 30 s
WINDOW = 50_000
INTERVAL = 1
ARRIVALS = (1_000, 1_125, 9_003, 20_000)
MADC_STEP = facts.MADC_STEP.value
STIMULATED, SPIKING = 0, 1  # circuits

CODES = {
    "membrane_capacitance_capacitance": 63,
    "leak_v_leak": [700, 1000],
    "leak_i_bias": 150,
    "threshold_enable": [False, True],
    "threshold_v_threshold": 300,
    "reset_v_reset": 400,
    "reset_i_bias": 1022,
    "refractory_period_refractory_time": 255,
    "excitatory_input_enable": [True, False],
    "excitatory_input_enable_small_capacitance": False,
    "excitatory_input_i_bias_tau": 32,
    "excitatory_input_i_bias_gm": 500,
    "excitatory_input_i_shift_reference": 310,
}
SYNAPSES = {"syn_i_bias_dac": 600, "synapse_row_mode": 1, "synapse_weight": 31, "driver_enable_receiver": True}


def config() -> dict[str, np.ndarray]:
    """Return codes that make even circuits respond to events and odd ones fire."""
    per_circuit = {name: np.resize(np.asarray(value, TABLE[name].dtype), TABLE[name].shape) for name, value in CODES.items()}
    return per_circuit | {name: np.full(TABLE[name].shape, value, TABLE[name].dtype) for name, value in SYNAPSES.items()}


def program(first: int, second: int) -> Program:
    """Return a program that stimulates at two ticks, records both responses, and in between records spikes only."""
    watching = Record(spikes=(SPIKING,), madc=(MadcChannel(STIMULATED),), probe=(Probe(("v",), (STIMULATED, SPIKING), INTERVAL),))
    snippets = (Snippet(first), Snippet(WINDOW, record=watching), Snippet(second - first - WINDOW), Snippet(WINDOW, record=watching))
    events = [(start + arrival - LATENCY, 0) for start in (first, second) for arrival in ARRIVALS]
    return Program(machine="brainscales2", config=config(), snippets=snippets, entries=Events.from_lists([events]), record=Record(spikes=(SPIKING,)))


def run(first: int, second: int) -> Recording:
    return Chip(Specimen.reference(), Effects.parse("-noise,-event_loss")).run(program(first, second))[0]


@cache
def long_run() -> Recording:
    """Return the run of 30 s: 8 s on one core."""
    return run(EARLY, LATE)


def peak_bytes(length: int) -> int:
    """Return how much memory a run takes at most that is silent for `length` ticks between two windows."""
    p = program(EARLY, EARLY + WINDOW + length)
    quiet = dataclasses.replace(p, config={**p.config, "threshold_enable": np.zeros(TABLE["threshold_enable"].shape, bool)})
    tracemalloc.start()
    try:
        Chip(Specimen.reference(), Effects.parse("-noise,-event_loss")).run(quiet)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def traces(recording: Recording, circuit: int) -> np.ndarray:
    """Return the membrane in MADC LSB, shape (window, sample)."""
    return volt_to_madc(recording.probe[0].value[0, 0, :, circuit]).reshape(2, -1)


def largest_difference(recording: Recording) -> float:
    early, late = traces(recording, STIMULATED)
    assert np.ptp(early) > 30
    return float(np.abs(early - late).max())


def test_a_stimulus_acts_alike_at_any_time_within_a_run():
    assert largest_difference(run(EARLY, 20 * EARLY)) < 0.01


@pytest.mark.parametrize("shift", [1, 125, 249])
def test_a_stimulus_acts_alike_wherever_it_falls_within_a_step(shift):
    """The response moves with the stimulus; what is left is the second-order error of the step."""
    assert largest_difference(run(EARLY, 2 * EARLY + shift)) < 0.1


@pytest.mark.slow
def test_a_stimulus_acts_alike_after_30_s():
    assert largest_difference(long_run()) < 0.1


@pytest.mark.slow
def test_the_converter_reads_alike_after_30_s():
    """Its grid of 34 ns meets the stimulus elsewhere, so means over 1 us are compared."""
    samples = long_run().madc[0]
    windows = [samples.value[(samples.tick >= start) & (samples.tick < start + WINDOW)].astype(float) for start in (EARLY, LATE)]
    means = [np.array([part.mean() for part in np.array_split(w, 100)]) for w in windows]
    assert abs(len(windows[0]) - len(windows[1])) <= 1
    assert np.abs(means[0] - means[1]).max() < 1.0
    assert abs(np.mean(means[0] - means[1])) < 0.1


@pytest.mark.slow
def test_the_period_of_a_spiking_neuron_stays_for_30_s():
    """Every interval lies within a stamp of the first ones, and the mean over the last second is that over the first to 1e-6."""
    tick = long_run().spikes.tick
    interval = np.diff(tick)
    assert len(tick) > 1_000_000
    assert np.ptp(interval) <= 8
    first, last = (interval[(tick[1:] >= a) & (tick[1:] < a + ticks(1.0))] for a in (0, LATE - ticks(1.0)))
    assert first.mean() == pytest.approx(last.mean(), rel=1e-6)


def test_memory_does_not_grow_with_the_time_between_recordings():
    """The trace of one circuit over 1 s more would take 60 MB."""
    peak_bytes(EARLY)  # compile and fill caches
    assert peak_bytes(int(ticks(1.2))) < peak_bytes(int(ticks(0.2))) + 5e6
