"""The event fabric against slow, obvious models: which rows answer, when servers pass events, what background generators send, and that nothing vanishes."""

from __future__ import annotations

import numpy as np
import pytest
from chip_programs import STIMULATED, chip, run, whole
from hypothesis import given, settings
from hypothesis import strategies as st

from neckar.chip.background import Generators
from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.fabric import HOST, Fabric, arrival_ticks, service_times
from neckar.chip.routing import neuron_labels, ways_of
from neckar.chip.specimen import Specimen
from neckar.chip.substrate import Substrate
from neckar.dynamics import FINE, LOST, UNKNOWN, serve_all
from neckar.errors import MemoryLimitError, UnsupportedFeatureError
from neckar.facts import CROSSBAR_NODE_EXISTS
from neckar.facts.brainscales2 import LINK_QUEUE
from neckar.program import Events, Program, Snippet, TimedRead

BUS_CAPACITY = 250e6  # events per second
TICKS_PER_S = 500_000_000


def random_config(seed: int) -> ChipConfig:
    """Return a configuration with random crossbar, drivers and row modes."""
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, 1 << 14, (20, 12)) & rng.integers(0, 1 << 14, (20, 12)) & rng.integers(0, 1 << 14, (20, 12))
    return ChipConfig(
        whole(
            crossbar_mask=mask,
            crossbar_target=mask & rng.integers(0, 1 << 14, (20, 12)),
            padi_enable_spl1=rng.random(8) < 0.8,
            driver_enable_receiver=rng.random((2, 128)) < 0.5,
            driver_row_address_compare_mask=rng.choice([31, 31, 15, 7, 0], (2, 128)),
            driver_enable_address_out=rng.random((2, 128)) < 0.7,
            synapse_row_mode=rng.integers(0, 4, (2, 256)),
            event_routing_address=rng.integers(0, 256, 512),
        )
    )


def walk(config: ChipConfig, source: int, label: int) -> list[tuple[int, int, int]]:
    """Follow one event through the chip, switch by switch; return (output, row, label at the synapses), row -1 where nothing answers or for the host."""
    found = []
    for output in range(12):
        if not CROSSBAR_NODE_EXISTS[source, output] or (label & int(config.crossbar_mask[source, output])) != int(config.crossbar_target[source, output]):
            continue
        answers = []
        for driver in range(128) if output < 8 else ():
            hemisphere, bus, position = output // 4, driver % 4, driver // 4
            compare = int(config.driver_row_address_compare_mask[hemisphere, driver])
            listens = bus == output % 4 and config.driver_enable_receiver[hemisphere, driver] and config.padi_enable_spl1[output]
            if listens and ((label >> 6) & 31) & compare == position & compare:
                seen = label & 63 if config.driver_enable_address_out[hemisphere, driver] else label & 32
                answers += [(output, row, seen) for row in (2 * driver, 2 * driver + 1) if config.synapse_row_mode[hemisphere, row] > 0]
        found += sorted(answers) or [(output, -1, -1)]
    return found


@pytest.mark.parametrize("seed", range(8))
def test_rows_answer_as_a_walk_through_the_switches_says(seed):
    config, rng = random_config(seed), np.random.default_rng(seed + 100)
    source, label = rng.integers(8, 20, 60), rng.integers(0, 1 << 14, 60)
    inputs, labels = neuron_labels(config)
    circuits = rng.integers(0, 512, 40)
    assert labels[300] == int(config.event_routing_address[300]) + 256 * (300 % 256 // 32)
    source, label = np.concatenate([source, inputs[circuits]]), np.concatenate([label, labels[circuits]])
    ways = ways_of(config, source, label)
    for k in range(len(source)):
        mine = []
        for w in range(ways.ptr[k], ways.ptr[k + 1]):
            rows = [(int(ways.output[w]), int(ways.row[q]), int(ways.row_label[q])) for q in range(ways.row_ptr[w], ways.row_ptr[w + 1])]
            mine += rows or [(int(ways.output[w]), -1, -1)]
        assert mine == walk(config, int(source[k]), int(label[k]))


@settings(max_examples=100, deadline=None)
@given(gaps=st.lists(st.integers(0, 6), min_size=1, max_size=200), service=st.integers(1, 5), depth=st.integers(1, 8))
def test_a_server_passes_one_event_per_service_time_and_loses_what_finds_its_queue_full(gaps, service, depth):
    """The time before the first free moment is at most `depth` service times, else the event is lost: against a list of departures."""
    times = np.cumsum(gaps)
    left = serve_all(times, np.zeros(len(times), np.int64), np.full((2, 1), -(10**12)), np.array([service]), np.array([depth]))
    departures: list[int] = []
    for time, leaves in zip(times.tolist(), left.tolist(), strict=True):
        ready = max([time, *(d + service for d in departures[-1:])])
        if ready - time > depth * service:
            assert leaves == LOST
        else:
            assert leaves == ready
            departures.append(ready)
    kept = left[left != LOST]
    assert (np.diff(kept) >= service).all()
    assert (kept - times[left != LOST] <= depth * service).all()


def test_background_generators_send_regular_events_of_their_period():
    config = ChipConfig(whole(background_enable=[True] + [False] * 7, background_period=1000, background_label=77))
    tick, generator, label = Generators().events(config, -2000, 500_000)
    np.testing.assert_array_equal(tick, np.arange(0, 500_000, 2000))  # the first comes a period after it was switched on, at tick -2000
    assert set(generator) == {0}
    assert set(label) == {77}


@pytest.mark.parametrize("rate", [5, 100, 254])
def test_random_generators_are_binned_poisson_processes(rate):
    """Number within five standard deviations; intervals in whole bins with CV sqrt(1 - p) within 5 %: false alarm below 1e-5 each."""
    fields = {"enable": [False] * 3 + [True] + [False] * 4, "enable_random": True, "period": 49, "rate": rate, "seed": 3}
    config = ChipConfig(whole(**{f"background_{name}": code for name, code in fields.items()}))
    bin_ticks, end = 100, 50_000_000
    tick, generator, _ = Generators().events(config, 0, end)
    p, n = (rate + 1) / 256, end / bin_ticks
    assert set(generator) == {3}
    assert abs(len(tick) - n * p) < 5 * np.sqrt(n * p * (1 - p))
    gaps = np.diff(tick) / bin_ticks
    assert (gaps == np.round(gaps)).all()
    assert gaps.std() / gaps.mean() == pytest.approx(np.sqrt(1 - p), rel=0.05)


def test_generators_do_not_depend_on_how_time_is_cut_and_start_again_when_changed():
    fields = whole(background_enable=True, background_enable_random=[True, False] * 4, background_period=20, background_rate=200, background_mask=7)
    fields["background_seed"] = np.arange(8, dtype=np.uint32)
    config = ChipConfig(fields)
    whole_run = Generators().events(config, 0, 300_000)
    cut = Generators()
    parts = [cut.events(config, a, b) for a, b in ((0, 1), (1, 777), (777, 150_001), (150_001, 300_000))]
    for k in range(3):
        np.testing.assert_array_equal(np.concatenate([part[k] for part in parts]), whole_run[k])
    assert len(set(whole_run[2][whole_run[1] == 0])) == 8  # masked bits are random
    again = Generators()
    again.events(config, 0, 100_000)
    changed = again.events(config.updated({"background_rate": np.full(8, 10, np.uint8)}), 100_000, 101_000)
    assert changed[0].min() >= 100_000


def fabric(config: ChipConfig, events: list[tuple[int, int]], duration: int, effects: str = "default") -> tuple[Fabric, tuple]:
    """Return a fabric through which events have gone to rows and host, and the row events."""
    one = Fabric(Substrate(Specimen.reference(), Effects.parse(effects), 250), (0, 0, 0), duration, 0.0)
    tick, label = (np.array(column, np.int64) for column in zip(*sorted(events), strict=True)) if events else (np.zeros(0, np.int64),) * 2
    one.send(tick, label.astype(np.uint16), config)
    stretch = one.stretch(config, 0, duration)
    rows = one.row_events(stretch, config)
    nothing = np.zeros(0, np.int64)
    one.to_host(nothing, nothing, nothing, config)
    return one, rows


def conserved(one: Fabric) -> None:
    for link, sent in one.counts.sent.items():
        lost = sum(number for (_, place), number in one.counts.lost.items() if place == link)
        assert sent == one.counts.delivered[link] + lost, link


@pytest.mark.parametrize(("relative", "loses"), [(0.98, False), (1.02, True)])
def test_a_bus_begins_to_lose_at_its_capacity(relative, loses):
    """Two regular streams of together 0.98 or 1.02 times 250 million events per second on one bus."""
    config = ChipConfig(whole(background_enable=[True] + [False] * 7, background_period=2))
    config["crossbar_target", [9, 12], 0] = 0
    spacing = TICKS_PER_S / (relative * BUS_CAPACITY - 125e6)
    events = [(int(tick), k % 2 << 14) for k, tick in enumerate(np.round(np.arange(0, 400_000, spacing)))]  # two channels in turn
    one, _ = fabric(config, events, 400_000, "default")
    conserved(one)
    lost, sent = one.counts.lost["fifo_overflow", "crossbar.0"], one.counts.sent["crossbar.0"]
    assert (lost > 0) == loses
    assert lost / sent == pytest.approx(max(0.0, 1 - 1 / relative), abs=2e-3)


def volley(tick: np.ndarray, circuit: np.ndarray) -> Fabric:
    """Return a fabric that has carried spikes, ascending in tick, to the host."""
    config = ChipConfig(whole(event_routing_enable_digital=True))
    config["crossbar_target", np.arange(8), 8 + np.arange(8) % 4] = 0
    duration = int(tick[-1]) + 10_000
    one = Fabric(Substrate(Specimen.reference(), Effects.parse("default"), 250), (0, 0, 0), duration, 0.0)
    one.stretch(config, 0, duration)
    one.to_host(tick, circuit, np.full(len(tick), UNKNOWN), config)
    conserved(one)
    return one


@pytest.mark.parametrize(("relative", "loses"), [(0.98, False), (1.02, True)])
def test_the_link_to_the_host_begins_to_lose_at_its_capacity(relative, loses):
    """Neurons of all event outputs in turn, together 0.98 or 1.02 times 250 million spikes per second for 1 ms, half of what the crossbar outputs carry."""
    spikes = np.arange(round(relative * 250e3))
    one = volley(np.round(spikes * (TICKS_PER_S / (relative * 250e6))).astype(np.int64), spikes % 8 * 32 + spikes // 8 % 32)
    assert all(one.counts.lost["fifo_overflow", f"crossbar.{k}"] == 0 for k in range(8, 12))
    assert (one.counts.lost["fifo_overflow", "chip_to_fpga"] > 0) == loses
    waiting = LINK_QUEUE.value / len(spikes)  # those that fill the queue before the first is lost
    assert one.counts.lost["fifo_overflow", "chip_to_fpga"] / len(spikes) == pytest.approx(max(0.0, 1 - 1 / relative - waiting), abs=2e-4)


@pytest.mark.parametrize(("relative", "loses"), [(0.98, False), (1.02, True)])
@pytest.mark.parametrize(("link", "capacity", "columns"), [("neuron_output.3", 250e6, 96 + np.arange(32)), ("crossbar.11", 125e6, np.array([96, 224]))])
def test_an_output_begins_to_lose_at_its_capacity(link, capacity, columns, relative, loses):
    """Neurons of one event output, or of the two that share an output to the host, in turn, for 1 ms at 0.98 or 1.02 times its capacity."""
    spikes, circuits = np.arange(round(relative * capacity * 1e-3)), (columns + np.array([[0], [256]])).T.ravel()
    one = volley(np.round(spikes * (TICKS_PER_S / (relative * capacity))).astype(np.int64), circuits[spikes % len(circuits)])
    lost = one.counts.lost["fifo_overflow", link]
    assert one.counts.sent[link] == len(spikes)
    assert (lost > 0) == loses
    assert lost / len(spikes) == pytest.approx(max(0.0, 1 - 1 / relative), abs=1e-3)


def test_all_neurons_may_fire_within_a_microsecond_and_the_host_hears_of_each():
    """A volley like those of 512 neurons that one source drives: the crossbar outputs, 125 million per second each, need 1.02 us for it, the link 2.05 us."""
    tick = np.sort(np.random.default_rng(1).permutation(np.linspace(0, 512, 512).astype(np.int64)))
    one = volley(tick, np.random.default_rng(2).permutation(512))
    assert one.counts.sent["chip_to_fpga"] == 512
    assert sum(lost for (reason, _), lost in one.counts.lost.items() if reason == "fifo_overflow") == 0


def test_the_host_link_shares_its_bandwidth_with_the_samples_of_the_madc():
    config = ChipConfig.default()
    alone, shared = (service_times(config, rate)[0][HOST] / (1 << FINE) for rate in (0.0, 500e6 / 17))
    assert alone == 2
    assert 1 / shared == pytest.approx(0.5 - 1 / 17, rel=1e-3)


def test_events_that_a_row_and_the_host_receive_are_seen_by_both():
    """A loop-back node passes the FPGA's events to the host; the event counter of the output counts them."""
    config = {**STIMULATED, "crossbar_target": np.where(np.arange(240).reshape(20, 12) == 8 * 12 + 8, 0, ChipConfig.default().crossbar_target)}
    reads = (TimedRead(name="count", at="after", field="crossbar_event_counter"),)
    recording = run(config, 100, "-event_loss", entries=Events.from_lists([[(400 * k, 5) for k in range(100)]]), reads=reads)
    assert len(recording.loopback) == recording.losses.delivered["crossbar.8"] == recording.reads["count"][0, 8] == 100
    assert set(recording.loopback.label) == {5}
    assert recording.reads["count"][0, 0] == 100
    with pytest.raises(UnsupportedFeatureError, match=r'crossbar_event_counter at tick 5; allowed are at="before" and at="after"'):
        run(config, 100, reads=(TimedRead(name="count", at=5, field="crossbar_event_counter"),))


def test_times_are_rounded_up_to_the_tick():
    np.testing.assert_array_equal(arrival_ticks(np.array([0, 1, 1023, 1024, 1025, -1, -1024])), [0, 1, 1, 1, 2, 0, -1])


def test_generators_that_would_fill_the_memory_are_refused_before_anything_runs():
    fields = whole(background_enable=True, background_enable_random=True, background_rate=255)
    fast = Program(machine="brainscales2", config=fields, snippets=(Snippet(30 * TICKS_PER_S),))
    with pytest.raises(MemoryLimitError, match=r"6e\+10 events in one section.*Generator 0 is the fastest, 2.5e\+08 Hz: raise its background_period"):
        chip().run(fast)
