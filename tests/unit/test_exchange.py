"""Events between neurons on the chip: delays, equal bits however the work is divided, circuits that fire past their membrane, conservation."""

from __future__ import annotations

import numpy as np
import pytest
from chip_programs import FIRING, STIMULATED, N, chip, program, run, whole

from neckar.chip.agenda import Port
from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.machine import Chip
from neckar.chip.specimen import Specimen
from neckar.facts import brainscales2 as facts
from neckar.program import Events, Probe, Program, Record, Recording, Snippet, TimedRead, ticks

BUS_LATENCY = int(ticks(facts.BUS_LATENCY.value))
DRIVING = 0  # fires on its own; its events drive every circuit of both hemispheres over bus 0
OPEN = np.where(np.isin(np.arange(240), [0, 4]).reshape(20, 12), 0, ChipConfig.default().crossbar_target)

CHAINED = {
    **STIMULATED,
    **{name: np.where(np.arange(N) == DRIVING, code, STIMULATED.get(name, 0)) for name, code in FIRING.items()},
    "event_routing_address": 0,
    "crossbar_target": OPEN,
    "synapse_label": 0,
    "leak_v_leak": np.where(np.arange(N) == DRIVING, 1000, 500),
    "driver_row_address_compare_mask": 31,
}


def recurrent(seed: int = 1, **changes: object) -> dict[str, object]:
    """Return a random network: 512 firing neurons, each heard over random synapses of its bus."""
    rng = np.random.default_rng(seed)
    fields = {
        **STIMULATED,
        **FIRING,
        "event_routing_address": np.arange(N) % 256,
        "crossbar_mask": 0,
        "crossbar_target": 0,
        "driver_row_address_compare_mask": 24,
        "synapse_label": rng.integers(0, 64, (2, 256, 256)),
        "synapse_weight": rng.integers(0, 20, (2, 256, 256)),
        "synapse_row_mode": np.tile([1, 2], (2, 128)),
        "inhibitory_input_enable": True,
        "inhibitory_input_enable_small_capacitance": False,
        "inhibitory_input_i_bias_tau": 40,
        "inhibitory_input_i_bias_gm": 500,
        "inhibitory_input_i_shift_reference": 310,
        "leak_v_leak": rng.integers(700, 1000, N),
    }
    return {**fields, **changes}


def test_a_spike_reaches_synapses_of_both_hemispheres_a_bus_latency_later():
    record = Record(probe=(Probe(("s_exc",), (1, 300), 1),))
    recording = run(CHAINED, 60, "-noise,-event_loss", record=record)
    spikes = recording.spikes.tick[recording.spikes.circuit == DRIVING]
    assert len(spikes) > 3
    for k in range(2):
        line = recording.probe[0].value[0, 0, :, k]
        starts = np.flatnonzero(np.diff(line) > 1e-4) + 1
        first = starts[np.concatenate([[True], np.diff(starts) > 300])]
        expected = spikes + BUS_LATENCY
        assert len(first) == len(expected)
        # the recorder stamps to 4 ticks; an event that comes after its step shows at the next step, at most 250 ticks later
        assert ((first - expected >= -4) & (first - expected <= 250)).all()


def test_the_synaptic_line_does_not_care_on_which_side_of_a_step_an_event_came():
    """Its value well after the event is the same at any step: the decay since the event's own time is made up for."""
    values = []
    for step_us in (0.5, 0.1, 0.02):
        fields = {**CHAINED, "threshold_v_threshold": np.where(np.arange(N) == DRIVING, 300, 0)}
        record = Record(probe=(Probe(("s_exc", "v"), (1,), 500),))
        values.append(run_at(step_us, fields, record).probe[0].value[0, :, 10:, 0])
    scale = np.abs(values[2]).max(axis=1, keepdims=True)
    assert (np.abs(values[0] - values[2]) / scale).max() < 0.02
    assert (np.abs(values[1] - values[2]) / scale).max() < 0.005


def run_at(step_us: float, fields: dict[str, object], record: Record) -> Recording:
    return Chip(Specimen.reference(), Effects.parse("-noise,-event_loss"), step_us=step_us).run(program(fields, 60, record=record))[0]


def test_a_recurrent_run_has_the_same_bits_for_any_threads_cuts_and_looks():
    fields = recurrent()
    entries = Events.from_lists([[(2000 * k, 70 * k % 2048) for k in range(10)]] * 3)
    record = Record(probe=(Probe(("v",), (3, 400), 777),))
    first = chip(threads=1).run(Program(machine="brainscales2", config=whole(**fields), snippets=(Snippet(25_000),), entries=entries))[0]
    assert len(first.spikes) > 1000
    for threads in (2, 4):
        other = chip(threads=threads).run(Program(machine="brainscales2", config=whole(**fields), snippets=(Snippet(25_000),), entries=entries))[0]
        assert other.spikes == first.spikes
    reads = tuple(TimedRead(name=str(at), at=at, field="spike_counter", index=(0,)) for at in (1, 777, 5003, 20001, 24999))
    looked = chip().run(Program(machine="brainscales2", config=whole(**fields), snippets=(Snippet(25_000),), entries=entries, reads=reads, record=record))[0]
    assert looked.spikes == first.spikes


@pytest.mark.parametrize("labels", ["one", "many"])
def test_lanes_together_have_the_bits_of_lanes_apart_if_nobody_sends(labels):
    """A circuit that relays but never hears an event switches the machine to lanes together; nothing else changes. Few or all synapses of a row answer.

    The reset puts the circuits apart: events that meet at a server within one step may leave in another order (docs/explanation/event_fabric.md).
    """
    rng = np.random.default_rng(0)
    one = labels == "one"
    fields = {**STIMULATED, **FIRING, "leak_v_leak": 800, "synapse_label": 0 if one else rng.integers(0, 64, (2, 256, 256))}
    events = [(300 * k, k % 4 << 14 | (0 if one else int(rng.integers(0, 64)))) for k in range(150)]
    record = Record(probe=(Probe(("v", "s_exc"), tuple(range(0, N, 7)), 250),))
    parts = {"entries": Events.from_lists([events]), "record": record, "neuron_reset": True}
    apart = run(fields, 100, **parts)
    together = run({**fields, "event_routing_enable_bypass_inhibitory": np.arange(N) == 511}, 100, **parts)
    assert len(apart.spikes) > 100
    assert together.spikes == apart.spikes
    assert together.probe == apart.probe
    assert together.losses == apart.losses


@pytest.mark.parametrize("labels", ["one", "many"])
def test_in_fine_steps_membranes_of_lanes_together_have_the_bits_of_lanes_apart(labels):
    rng = np.random.default_rng(0)
    fields = {**STIMULATED, **FIRING, "leak_v_leak": 800, "synapse_label": 0 if labels == "one" else rng.integers(0, 64, (2, 256, 256))}
    events = [(300 * k, k % 4 << 14 | (0 if labels == "one" else int(rng.integers(0, 64)))) for k in range(150)]
    parts = {"entries": Events.from_lists([events]), "record": Record(probe=(Probe(("v", "s_exc"), tuple(range(0, N, 7)), 250),))}
    relaying = {**fields, "event_routing_enable_bypass_inhibitory": np.arange(N) == 511}
    apart, together = (chip(step_us=0.1).run(program(each, 100, **parts))[0] for each in (fields, relaying))
    assert len(apart.spikes) > 100
    assert together.probe == apart.probe


def test_what_neurons_send_is_delivered_or_counted_at_every_link():
    recording = run(recurrent(), 100)
    recording.losses.check()
    sent = recording.losses.sent
    assert sum(number for link, number in sent.items() if link.startswith("neuron_output")) > 1000
    assert all(sent[f"crossbar.{k}"] > 0 for k in range(12))


def test_a_bypassed_neuron_fires_at_every_event_at_its_own_tick_and_not_more_often_than_its_refractory_period():
    fields = {**STIMULATED, "event_routing_enable_bypass_excitatory": np.arange(N) == 7, "refractory_period_refractory_time": 100}
    cycle = 4  # ticks of the default refractory clock
    at = [1000, 1001, 1000 + 100 * cycle - 1, 1000 + 100 * cycle + 4, 9000, 20_002]
    recording = run(fields, 50, "-event_loss", entries=Events.from_lists([[(tick, 0) for tick in at]]))
    latency = int(ticks(facts.INPUT_LATENCY.value))
    expected = np.array([at[0], at[3], at[4], at[5]]) + latency
    np.testing.assert_array_equal(recording.spikes.tick, expected // 4 * 4)
    assert set(recording.spikes.circuit) == {7}


def test_bypassed_neurons_pass_events_on_to_each_other():
    """A chain of relays: the event from outside fires the first, its event the second, each a bus latency later."""
    chain = [0, 1, 2, 3]
    weight, synapse_label = np.zeros((2, 256, 256), int), np.full((2, 256, 256), 63)
    weight[0, 0, 0], synapse_label[0, 0, 0] = 63, 5
    for k in chain[1:]:
        weight[0, 0, k], synapse_label[0, 0, k] = 63, 10 + k
    fields = {
        **STIMULATED,
        "synapse_weight": weight,
        "synapse_label": synapse_label,
        "event_routing_address": np.where(np.arange(N) < 3, 11 + np.arange(N), 0),
        "event_routing_enable_bypass_excitatory": np.arange(N) < 4,
        "refractory_period_refractory_time": 50,
        "crossbar_target": OPEN,
    }
    recording = run(fields, 50, "-event_loss", entries=Events.from_lists([[(1000, 5), (12_345, 5)]]))
    first = recording.spikes.tick[recording.spikes.circuit == 0]
    assert len(first) == 2
    for k in chain:
        np.testing.assert_allclose(recording.spikes.tick[recording.spikes.circuit == k], first + k * BUS_LATENCY, atol=4)


def test_an_actor_changes_the_weights_of_a_recurrent_network():
    class Silence:
        done = False

        def due(self):
            return None if self.done else 10_000

        def act(self, port: Port) -> None:
            for row in range(256):
                port.write_weights(0, row, np.zeros(256, np.uint8))
                port.write_weights(1, row, np.zeros(256, np.uint8))
            self.done = True

    record = Record(probe=(Probe(("s_exc",), (1,), 100),))
    recording, _ = chip("-noise").run(program(CHAINED, 60, record=record), actors=[Silence()])
    line = recording.probe[0].value[0, 0, :, 0]
    assert line[:100].max() > 1e-3
    assert line[250:].max() < 0.05 * line[:100].max()


@pytest.mark.parametrize("effects", ["default", "-event_loss"])
def test_in_a_ring_of_bypassed_neurons_an_event_goes_round_for_ever(effects):
    weight, synapse_label = np.zeros((2, 256, 256), int), np.full((2, 256, 256), 63)
    weight[0, 0, :2], synapse_label[0, 0, :2] = 63, [5, 6]
    fields = {
        **STIMULATED,
        "synapse_weight": weight,
        "synapse_label": synapse_label,
        "event_routing_address": np.where(np.arange(N) == 0, 6, 5),
        "event_routing_enable_bypass_excitatory": np.arange(N) < 2,
        "refractory_period_refractory_time": 20,
        "refractory_period_reset_holdoff": 15,
        "crossbar_target": OPEN,
    }
    recording = run(fields, 50, effects, entries=Events.from_lists([[(1000, 5)]]))
    rounds = (25_000 - 1000) / (2 * BUS_LATENCY)
    assert np.sum(recording.spikes.circuit == 0) == pytest.approx(rounds, rel=0.05)


def test_events_under_way_to_a_row_that_is_switched_off_do_nothing():
    """Four events come to one bus at once and leave it 8 ns apart; the rows are switched off when two of them have arrived."""
    events = Events.from_lists([[(1000, channel << 14) for channel in range(4)]])
    to_bus_0 = np.where(np.isin(np.arange(240), [12 * k for k in range(8, 12)]).reshape(20, 12), 0, 1)
    fields = {**STIMULATED, "crossbar_target": to_bus_0, "padi_enable_extended_timing": True}
    begin = 1000 + int(ticks(facts.INPUT_LATENCY.value))
    record = Record(spikes=(), probe=(Probe(("s_exc",), (0,), 1),))
    for off, kicks in ((False, 4), (True, 2)):
        snippets = (Snippet(begin + 5), Snippet(2000, whole(synapse_row_mode=0) if off else {}))
        line = run(fields, entries=events, snippets=snippets, record=record, effects="-noise").probe[0].value[0, 0, :, 0]
        assert line[begin + 100] / line[begin + 1] == pytest.approx(kicks, rel=0.1)


def test_links_of_unlimited_bandwidth_lose_nothing_whatever_the_order_of_spikes():
    """Circuits that fire right after their release report spikes before those of the step before."""
    fast = recurrent(leak_enable_multiplication=True, leak_i_bias=1000, refractory_period_refractory_time=60, synapse_weight=1)
    losses = run(fast, 30, "-event_loss").losses
    assert losses.sent["neuron_output.0"] > 500
    assert not any(losses.lost.values())


# One neuron that fires on its own and a regular generator share bus 0, at two per cent of its capacity.
SHARED = {
    **CHAINED,
    "background_enable": [True] + [False] * 7,
    "background_period": 49,
    "background_label": 0,
    "crossbar_target": np.where(np.isin(np.arange(240), [0, 12 * 12]).reshape(20, 12), 0, ChipConfig.default().crossbar_target),
}


@pytest.mark.parametrize("step_us", [0.5, 0.1])
def test_idle_buses_lose_nothing_whatever_the_step(step_us):
    """Spikes come to the bus after outside events of the same step, with earlier times."""
    losses = Chip(Specimen.reference(), Effects.parse("-noise"), step_us=step_us).run(program(SHARED, 200))[0].losses
    assert losses.sent["crossbar.0"] > 900
    assert losses.lost["fifo_overflow", "crossbar.0"] == 0


def test_spikes_before_a_section_with_recurrence_reach_the_host():
    closed = {**CHAINED, "crossbar_target": ChipConfig.default().crossbar_target}
    snippets = (Snippet(25_000), Snippet(25_000, whole(crossbar_target=OPEN)))
    spikes = run(closed, snippets=snippets, effects="-noise").spikes
    tick = spikes.tick[spikes.circuit == DRIVING]
    assert np.sum(tick < 25_000) == pytest.approx(np.sum(tick >= 25_000), abs=2)


def test_reading_does_not_change_what_relays_and_outside_events_do_to_each_other():
    ring = np.zeros((2, 256, 256), int)
    ring[0, :, :40] = 20
    fields = {
        **SHARED,
        "synapse_weight": ring,
        "event_routing_enable_bypass_excitatory": (np.arange(N) > 0) & (np.arange(N) < 40),
        "refractory_period_refractory_time": 50,
    }
    reads = tuple(TimedRead(name=str(at), at=at, field="spike_counter", index=(0,)) for at in range(13, 24_000, 97))
    record = Record(probe=(Probe(("v", "s_exc"), (3, 50), 50),))
    plain, watched = (run(fields, entries=Events.empty(1), reads=r, record=record) for r in ((), reads))
    assert watched.spikes == plain.spikes
    assert watched.losses == plain.losses


def test_reading_at_the_borders_of_steps_changes_no_trace():
    reads = tuple(TimedRead(name=str(at), at=at, field="spike_counter", index=(0,)) for at in range(250, 24_000, 250))
    record = Record(probe=(Probe(("v", "s_exc", "s_inh"), (3, 50, 400), 50),))
    plain, watched = (run(recurrent(), reads=r, record=record) for r in ((), reads))
    assert watched.probe == plain.probe
    assert watched.spikes == plain.spikes


def test_who_is_recorded_does_not_decide_what_the_crossbar_counts():
    reads = (TimedRead(name="count", at="after", field="crossbar_event_counter"),)
    counts = [
        run({**CHAINED, "crossbar_target": 0}, reads=reads, record=Record(spikes=who), effects="-event_loss").reads["count"] for who in ((), (300,), "all")
    ]
    assert counts[0][0, 8] > 0
    np.testing.assert_array_equal(counts[0], counts[1])
    np.testing.assert_array_equal(counts[0], counts[2])


def test_spikes_to_a_bus_without_rows_take_its_bandwidth_and_are_counted():
    losses = run({**CHAINED, "driver_enable_receiver": False}, 100).losses
    assert losses.delivered["crossbar.0"] > 5


def test_what_the_host_receives_is_what_was_delivered():
    fields = {**SHARED, "crossbar_target": np.where(np.isin(np.arange(240), [0, 8, 12 * 12 + 8]).reshape(20, 12), 0, 1)}
    recording = run(fields, 100)
    assert recording.losses.delivered["chip_to_fpga"] == len(recording.spikes) + len(recording.loopback)
