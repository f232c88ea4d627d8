"""Mapped networks on a virtual chip without imperfections: spikes pass from neuron to neuron, from generators, and over the borders of execution instances."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from neckar.chip import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.machine import Chip
from neckar.chip.specimen import Specimen
from neckar.network import (
    BackgroundPopulation,
    Network,
    NeuronPopulation,
    Projection,
    Section,
    SourcePopulation,
    build_program,
    map_network,
    partition,
    run_instances,
)
from neckar.program import Program, Record, Recording, ticks

BASE = ChipConfig.default().updated({"backend_clock_scale_slow": 5})  # periods of 0.256 us
RELAY = {
    "membrane_capacitance_capacitance": 63,
    "leak_v_leak": 700,
    "leak_i_bias": 150,
    "reset_v_reset": 600,
    "reset_i_bias": 1022,
    "reset_enable_multiplication": 1,
    "refractory_period_refractory_time": 160,
    "threshold_enable": 1,
    "threshold_v_threshold": 350,
    "excitatory_input_enable": 1,
    "excitatory_input_enable_small_capacitance": 0,
    "excitatory_input_i_bias_tau": 32,
    "excitatory_input_i_bias_gm": 500,
    "excitatory_input_i_shift_reference": 310,
}
"""A neuron that fires once for a strong event: a refractory time of 41 us outlasts its time constants of 10 us."""

STRONG = 63
SCATTERED = [0, 300, 40, 511, 130, 255, 256]
"""Circuits of both hemispheres and several event outputs."""


def relays(size: int, instance: int = 0) -> NeuronPopulation:
    return NeuronPopulation("relays", size, {name: np.full(size, code) for name, code in RELAY.items()}, instance=instance)


def wires(pre: int, post: int, *pairs: tuple[int, int]) -> Projection:
    i, j = np.array(pairs, np.int64).T
    return Projection("wires", pre, post, "excitatory", i, j, np.full(len(i), STRONG))


def run(program: Program) -> Recording:
    return Chip(Specimen.reference(), Effects.ideal()).run(program)[0]


def spikes(network: Network, us: float) -> list[list[int]]:
    """Return the spike ticks of the circuits of `SCATTERED`, in this order."""
    mapped = map_network(network, base=BASE, permutation=SCATTERED)
    recording = run(build_program([Section(mapped, int(ticks(us * 1e-6)), Record())], held=None))
    tick, circuit = recording.spikes.entry(0)
    assert set(circuit.tolist()) <= set(SCATTERED)
    return [tick[circuit == one].tolist() for one in SCATTERED]


def test_a_spike_runs_along_a_chain_over_the_whole_chip_and_nowhere_else() -> None:
    start = SourcePopulation.from_lists("start", [np.array([ticks(50e-6), ticks(120e-6)])])
    chain = wires(0, 0, *((k, k + 1) for k in range(5)))
    found = spikes(Network((relays(7), start), (wires(1, 0, (0, 0)), chain)), 200)
    assert [len(train) for train in found] == [2] * 6 + [0]
    first = [train[0] for train in found[:6]]
    assert all(0 < b - a < ticks(4e-6) for a, b in pairwise(first)), "each neuron soon after the one before it"


def test_a_regular_generator_fires_the_neurons_of_both_hemispheres_at_its_period() -> None:
    period = 12500  # of the 250 MHz clock: 50 us
    regular = BackgroundPopulation("regular", 1, period, random=False)
    found = spikes(Network((regular, relays(2)), (wires(0, 1, (0, 0), (0, 1)),)), 520)
    for train in found[:2]:
        assert len(train) == 10
        assert np.diff(train)[4:] == pytest.approx(ticks(50e-6), abs=8), "after the first ones, which start from rest"
    assert not any(found[2:])


def test_random_sources_of_one_generator_share_its_events() -> None:
    """Eight sources drive a neuron each, with an eighth of the events; a twentieth falls into refractory times (5 sigma, false alarm rate 1e-5)."""
    noise = BackgroundPopulation("noise", 8, 249, rate=1, seed=7)  # 7.8 kHz in all
    mapped = map_network(Network((noise, relays(8)), (wires(0, 1, *((k, k) for k in range(8))),)), base=BASE)
    recording = run(build_program([Section(mapped, int(ticks(30e-3)), Record())], held=None))
    counts = np.bincount(recording.spikes.circuit, minlength=8)[:8]
    expected = 30e-3 * 250e6 * 2 / 256 / 250 / 8
    assert counts.sum() == pytest.approx(0.95 * 8 * expected, abs=5 * (8 * expected) ** 0.5)
    assert (abs(counts - 0.95 * expected) < 5 * expected**0.5).all()


def test_recorded_sources_come_back_from_the_chip_with_their_times() -> None:
    trains = [[np.array([ticks(50e-6), ticks(90e-6)]), np.array([ticks(70e-6)])], [np.array([], np.int64), np.array([ticks(20e-6)])]]
    outside = replace(SourcePopulation.from_entries("outside", trains), record=True)
    regular = BackgroundPopulation("regular", 1, 12500, random=False, record=True)
    noise = BackgroundPopulation("noise", 4, 999, rate=31, record=True)
    mapped = map_network(Network((outside, regular, noise, relays(2)), (wires(0, 3, (0, 0), (1, 1)), wires(1, 3, (0, 1)))), base=BASE)
    recording = run(build_program([Section(mapped, int(ticks(210e-6)), Record())], held=None))
    back = mapped.looped(recording, 0)
    for entry in range(2):
        for i in range(2):
            sent = trains[entry][i]
            assert ((back.train(i, entry) - sent >= 0) & (back.train(i, entry) - sent < ticks(1e-6))).all()
            assert len(back.train(i, entry)) == len(sent)
    for entry in range(2):
        assert np.diff(mapped.looped(recording, 1).train(0, entry)).tolist() == [ticks(50e-6)] * 3
    drawn = mapped.looped(recording, 2)
    assert [drawn.train(i, 0).tolist() for i in range(4)] == [drawn.train(i, 1).tolist() for i in range(4)], "a generator repeats itself in each trial"
    assert len(drawn.tick) == len(recording.loopback.tick) - 8 - 4
    with pytest.raises(ValueError, match=r"'relays' were asked for; allowed are .* record=True"):
        mapped.looped(recording, 3)


def test_a_chain_cut_over_two_instances_fires_as_often_as_the_whole() -> None:
    start = SourcePopulation.from_entries("start", [[np.array([ticks(50e-6)])], [np.array([ticks(60e-6), ticks(130e-6)])]])

    def chain(instance: int) -> Network:
        return Network((start, relays(2), relays(2, instance)), (wires(0, 1, (0, 1)), wires(1, 1, (1, 0)), wires(1, 2, (0, 0), (1, 1))))

    trains = []
    for instance in (0, 1):
        found = partition(chain(instance), base=BASE)
        runs = run_instances(found.parts, run, int(ticks(200e-6)), base=BASE)
        assert len(runs) == 1 + instance
        last = found.recorded(runs, 2)
        trains.append([last.train(i, entry) for entry in range(2) for i in range(2)])
    for whole, cut, n in zip(*trains, (1, 1, 2, 2), strict=True):
        assert len(whole) == len(cut) == n
        assert ((cut - whole > 0) & (cut - whole < ticks(0.7e-6))).all(), "the way from the host takes longer than that on the chip"
