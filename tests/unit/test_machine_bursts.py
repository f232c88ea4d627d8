"""Bursts of the MADC: every entry is repeated for each circuit, and the converter sees that circuit alone."""

from __future__ import annotations

import numpy as np
import pytest
from chip_programs import FIRING, STIMULATED, N, arriving, chip, program, run

from neckar.chip.machine import Chip
from neckar.chip.probe import check_memory
from neckar.errors import MemoryLimitError
from neckar.program import TICK_S, Events, MadcBursts, MadcChannel, Record, Snippet

SOURCES = ("membrane", "exc_synin")
ALL = tuple(range(N))
CHOSEN = (0, 1, 200, 255, 256, 511)


def bursts(source="membrane", circuits=ALL, wait=0):
    return Record(spikes=(), bursts=(MadcBursts(circuits, source, wait),))


def alone(circuit, source="membrane"):
    return Record(spikes=(), madc=(MadcChannel(circuit, source),))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("effects", ["default", "ideal"])
def test_a_burst_has_the_bits_of_a_program_of_its_circuit_alone(source, effects):
    """In each of two trials with different events, at the end of a run with a section before it."""
    parts = {"entries": Events.from_lists([[(300, 0), (1500, 2)], [(900, 0)]]), "run_seed": (3, 8)}
    snippets = [(Snippet(2000), Snippet(6000, record=record)) for record in (bursts(source), *(alone(c, source) for c in CHOSEN))]
    together, *apart = [run(STIMULATED, effects=effects, snippets=s, record=Record(spikes=()), **parts) for s in snippets]
    (samples,) = together.bursts
    for circuit, recording in zip(CHOSEN, apart, strict=True):
        (channel,) = recording.madc
        np.testing.assert_array_equal(samples.entry_ptr, channel.entry_ptr)
        np.testing.assert_array_equal(samples.tick, channel.tick)
        np.testing.assert_array_equal(samples.value[:, circuit], channel.value)


def test_a_burst_of_circuits_that_fire_into_each_other_has_the_bits_of_one_alone():
    """A recurrent network: rows of all drivers hear the neurons, and the membranes that are looked at depend on all of them."""
    labels = {"synapse_label": np.arange(256) % 64, "event_routing_address": np.arange(N) % 64}
    fields = {**STIMULATED, **FIRING, **labels, "crossbar_mask": 0, "crossbar_target": 0}
    together, *apart = [run(fields, 20, record=record) for record in (bursts(circuits=(3, 400)), alone(3), alone(400))]
    assert apart[0].losses.delivered["crossbar.0"] > 100
    for k, recording in enumerate(apart):
        np.testing.assert_array_equal(together.bursts[0].value[:, k], recording.madc[0].value)


def test_one_circuit_does_not_know_which_others_have_bursts():
    few, many = (run(STIMULATED, record=bursts(circuits=circuits), entries=arriving(500, 501)) for circuits in (CHOSEN, ALL))
    np.testing.assert_array_equal(few.bursts[0].value, many.bursts[0].value[:, CHOSEN])


def test_without_continuous_sampling_a_burst_ends_after_its_number_of_samples():
    samples = run({**STIMULATED, "madc_enable_continuous_sampling": False, "madc_number_of_samples": 300}, record=bursts()).bursts[0]
    assert samples.value.shape == (300, N)
    assert samples.value[0].max() < samples.value[-1].min()  # what the first microseconds read still settles


def test_the_chip_is_busy_with_every_repetition_and_the_waits():
    """Time, samples and events are those of 512 runs; the configuration is written once."""
    events = arriving(500, 600, 700)
    once = run(STIMULATED, record=alone(0), entries=events, effects="-event_loss")
    parts = {"entries": events, "effects": "-event_loss", "neuron_reset": True}
    r = run(STIMULATED, record=bursts(wait=10_000), **parts)
    assert r.chip_ticks == N * (25_000 + 10_000 + 2000)
    item = {item.name: item.value for item in r.cost.items}
    assert item["hardware: real-time sections"] == pytest.approx(N * 25_000 * TICK_S)
    assert item["hardware: waits between bursts"] == pytest.approx(N * 10_000 * TICK_S)
    assert item["hardware: neuron resets"] == pytest.approx(N * 4e-6)
    assert r.losses.sent["madc"] == r.losses.delivered["madc"] == r.bursts[0].value.size == N * once.losses.sent["madc"]
    assert r.losses.sent["fpga_to_chip"] == N * once.losses.sent["fpga_to_chip"] == 3 * N
    r.losses.check()
    assert r.cost.configuration_s == pytest.approx(once.cost.configuration_s)


def test_two_kinds_of_bursts_are_two_rows_of_repetitions():
    record = Record(spikes=(), bursts=(MadcBursts(CHOSEN), MadcBursts((7,), "exc_synin", wait=50)))
    r = run(STIMULATED, record=record)
    assert [samples.source for samples in r.bursts] == ["membrane", "exc_synin"]
    assert r.chip_ticks == (len(CHOSEN) + 1) * 25_000 + 50


def test_only_circuits_with_bursts_are_integrated():
    assert run(FIRING, 5, record=bursts(circuits=CHOSEN)).provenance.active_circuits == CHOSEN


def test_threads_change_no_bit():
    p = program(STIMULATED, record=bursts(circuits=CHOSEN), entries=Events.empty(3))
    one, two = (Chip(chip().specimen, chip().effects, threads=n).run(p)[0] for n in (1, 2))
    assert one == two


def test_bursts_too_large_for_the_memory_are_refused(monkeypatch):
    monkeypatch.setattr("neckar.chip.probe._available", lambda: 1 << 20)
    with pytest.raises(MemoryLimitError, match="MADC"):
        run(STIMULATED, 2000, record=bursts())
    check_memory(program(STIMULATED, 2000, record=bursts(circuits=(0,))), 17)
