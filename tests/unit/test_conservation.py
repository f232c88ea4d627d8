"""Nothing vanishes and nothing appears on the way of an event: random routings against a walk event by event, and neurons that send a known number."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from chip_programs import FIRING, STIMULATED, N, run, whole

from neckar.chip.background import Generators
from neckar.chip.carrier import Apart, Together
from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.fabric import FPGA, FPGA_CHANNEL, HOST, NEURON_OUTPUT, Fabric, service_times
from neckar.chip.specimen import Specimen
from neckar.chip.substrate import Substrate
from neckar.dynamics import LOST, UNKNOWN, survivors
from neckar.errors import ConservationError
from neckar.facts import CROSSBAR_NODE_EXISTS
from neckar.facts import brainscales2 as facts
from neckar.program import Events, Snippet, TimedRead, ticks

BUS_CAPACITY = 250e6  # events per second; the link to the host carries as many
TICKS_PER_S = 500_000_000
DURATION = 2000
TICK = 1024  # servers count in 1/1024 tick
BUS_LATENCY = int(ticks(facts.BUS_LATENCY.value))
KEY = (0, 0, 0)


def random_routing(seed: int, load: float) -> ChipConfig:
    """Return random nodes, drivers, rows and switches of the counters; generators at a rate."""
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, 1 << 14, (20, 12)) & rng.integers(0, 1 << 14, (20, 12)) & rng.integers(0, 1 << 14, (20, 12))
    config = ChipConfig(
        whole(
            crossbar_mask=mask,
            crossbar_target=mask & rng.integers(0, 1 << 14, (20, 12)),
            crossbar_enable_drop_counter=rng.random((20, 12)) < 0.7,
            crossbar_enable_event_counter=rng.random(12) < 0.7,
            padi_enable_spl1=rng.random(8) < 0.8,
            padi_enable_extended_timing=rng.random(8) < 0.2,
            driver_enable_receiver=rng.random((2, 128)) < 0.5,
            driver_row_address_compare_mask=rng.choice([31, 31, 15, 7, 0], (2, 128)),
            driver_enable_address_out=rng.random((2, 128)) < 0.7,
            synapse_row_mode=rng.integers(0, 4, (2, 256)),
            event_routing_address=rng.integers(0, 256, N),
            event_routing_enable_digital=rng.random(N) < 0.9,
        )
    )
    generators = {"enable": True, "enable_random": np.arange(8) > 3, "period": max(1, round(8 / load)), "rate": 200, "mask": 63, "seed": seed}
    config.apply(whole(**{f"background_{name}": code for name, code in generators.items()}, background_label=rng.integers(0, 1 << 14, 8)))
    return config


class Walk:
    """The fabric, event by event. Each event is (source, number): input of the crossbar, or circuit + 100; number in the order in which it was sent."""

    def __init__(self, config: ChipConfig) -> None:
        service, depth = service_times(config, 0.0)
        self.config, self.service, self.depth = {name: codes.tolist() for name, codes in config.as_mapping().items()}, service.tolist(), depth.tolist()
        self.done: dict[int, int] = defaultdict(lambda: -(10**12))
        self.answers: dict[tuple[int, int], list[tuple[int, bool]]] = {}
        self.sent, self.delivered, self.lost = Counter(), Counter(), Counter()
        self.passed, self.dropped = [0] * 12, [0] * 20
        self.rows: dict[tuple[int, int], list[tuple[int, int, int, int]]] = defaultdict(list)  # (hemisphere, row): tick, label, source, number

    def serve(self, server: int, time: int) -> int:
        """One event is in service while a few wait."""
        wait = max(self.done[server] - time, 0)
        if wait > self.depth[server] * self.service[server]:
            return LOST
        self.done[server] = time + wait + self.service[server]
        return time + wait

    def outputs(self, source: int, label: int) -> list[int]:
        """Return which outputs the nodes of an input pass a label to."""
        mask, target = self.config["crossbar_mask"][source], self.config["crossbar_target"][source]
        return [k for k in range(12) if CROSSBAR_NODE_EXISTS[source, k] and label & mask[k] == target[k]]

    def cross(self, source: int, output: int, time: int) -> int:
        """Let an event pass an output of the crossbar."""
        link, left = f"crossbar.{output}", self.serve(output, time)
        self.sent[link] += 1
        if left == LOST:
            self.lost["fifo_overflow", link] += 1
            self.dropped[source] += self.config["crossbar_enable_drop_counter"][source][output]
        else:
            self.delivered[link] += 1
            self.passed[output] += self.config["crossbar_enable_event_counter"][output]
        return left

    def heard(self, bus: int, label: int) -> list[tuple[int, int]]:
        """Return rows that answer a label on a bus, and the label that their synapses see."""
        select = label >> 6 & 31
        if (bus, select) not in self.answers:
            found, half = [], bus // 4
            for position in range(32):
                driver = 4 * position + bus % 4
                mask = self.config["driver_row_address_compare_mask"][half][driver]
                if self.config["padi_enable_spl1"][bus] and self.config["driver_enable_receiver"][half][driver] and select & mask == position & mask:
                    rows = [row for row in (2 * driver, 2 * driver + 1) if self.config["synapse_row_mode"][half][row]]
                    found += [(row, self.config["driver_enable_address_out"][half][driver]) for row in rows]
            self.answers[bus, select] = found
        return [(row, label & 63 if full else label & 32) for row, full in self.answers[bus, select]]

    def outside(self, events: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int, int]]:
        """Let events (time, source, number, label), ascending, pass to rows; return those that pass to the host: time, output, source, number, label."""
        to_host = []
        for time, source, number, label in events:
            outputs, useful = self.outputs(source, label), False
            for output in outputs:
                if output >= 8:
                    useful = True
                    to_host += [(time, output, source, number, label)] if time >= 0 else []
                    continue
                rows = self.heard(output, label)
                useful |= len(rows) > 0
                left = self.cross(source, output, time)
                for row, seen in rows if left != LOST else ():
                    self.rows[output // 4, row].append((-(-left // TICK) + BUS_LATENCY, seen, source, number))
            link = "fpga_to_chip" if source < 12 else "background"
            self.delivered[link] += useful
            if not useful:
                self.lost["no_receiver" if outputs else "no_route", link] += 1
        return to_host

    def spikes(self, tick: list[int], circuit: list[int]) -> list[tuple[int, int, int, int, int]]:
        """Let spikes pass the event outputs of the neurons; return those that pass to the host: time, output, circuit + 100, position, event output."""
        to_host = []
        for number, (t, c) in enumerate(zip(tick, circuit, strict=True)):
            if not (self.config["event_routing_enable_digital"][c] and 0 <= t < DURATION):
                continue
            k = c % 256 // 32
            link, left = f"neuron_output.{k}", self.serve(NEURON_OUTPUT + k, t * TICK)
            self.sent[link] += 1
            if left == LOST:
                self.lost["fifo_overflow", link] += 1
                continue
            self.delivered[link] += 1
            label = self.config["event_routing_address"][c] | k << 8
            to_host += [(left, output, c + 100, number, k) for output in self.outputs(k, label) if output >= 8]
        return to_host


def ascend(arrivals: list[tuple[int, ...]], source: int, number: int) -> bool:
    """Return whether the numbers of each source ascend."""
    found: dict[int, list[int]] = defaultdict(list)
    for arrival in arrivals:
        found[arrival[source]].append(arrival[number])
    return all(a < b for numbers in found.values() for a, b in pairwise(numbers))


@pytest.mark.parametrize("load", [0.5, 1.0, 2.0, 10.0])
@pytest.mark.parametrize("seed", range(50))
def test_nothing_vanishes_in_random_routings_at_any_load(seed, load):
    """200 random routings: sent, delivered and lost at every link, and what each row and the host receive, are those of a walk; order kept per source.

    The last six bits of a label number the events of a channel; generators send random ones there.
    """
    config, rng = random_routing(seed, load), np.random.default_rng(1000 + seed)
    n = round(load * BUS_CAPACITY * DURATION / TICKS_PER_S)
    tick, channel = np.sort(rng.integers(0, DURATION, n)), rng.integers(0, 4, n)
    number = np.array([np.sum(channel[:k] == channel[k]) for k in range(n)])
    label = channel << 14 | rng.choice(rng.integers(0, 256, 16), n) << 6 | number % 64
    spike = sorted(zip(rng.integers(-20, DURATION + 20, n).tolist(), rng.integers(0, N, n).tolist(), strict=True))
    spike_tick, circuit = (np.array(part, np.int64) for part in zip(*spike, strict=True))

    substrate = Substrate(Specimen.reference(), Effects.parse("default"), 250)
    one = Fabric(substrate, KEY, DURATION, 0.0)
    one.send(tick, label.astype(np.uint16), config)
    stretch = one.stretch(config, 0, DURATION)
    rows = one.row_events(stretch, config)
    at_host, position, (loop_tick, loop_label) = one.to_host(spike_tick, circuit, np.full(n, UNKNOWN), config)

    walk = Walk(config)
    kept, latency = substrate.keep(tick, label, "in", *KEY), (int(ticks(facts.INPUT_LATENCY.value)) - BUS_LATENCY) * TICK
    sends = [(walk.serve(FPGA, int(t) * TICK), int(c), int(m), int(word)) for t, c, m, word, k in zip(tick, channel, number, label, kept, strict=True) if k]
    sends = [(walk.serve(FPGA_CHANNEL + c, time) + latency, 8 + c, m, word & 16383) for time, c, m, word in sends]
    in_time = [event for event in sorted(sends, key=lambda e: e[0]) if -(-event[0] // TICK) + BUS_LATENCY < DURATION]
    walk.sent["fpga_to_chip"] = n
    walk.lost["link_loss", "fpga_to_chip"], walk.lost["after_end", "fpga_to_chip"] = n - len(sends), len(sends) - len(in_time)
    drawn = zip(*(part.tolist() for part in Generators().events(config, -BUS_LATENCY, DURATION - BUS_LATENCY)), strict=True)
    generated = [(t * TICK, 12 + generator, m, word) for m, (t, generator, word) in enumerate(drawn)]
    walk.sent["background"] = len(generated)
    loops = walk.outside(sorted(in_time + generated, key=lambda e: e[:2]))

    coming = sorted([(e[0], k - len(loops), e) for k, e in enumerate(loops)] + [(e[0], e[3], e) for e in walk.spikes(spike_tick.tolist(), circuit.tolist())])
    crossed = [(walk.cross(e[4] if e[2] >= 100 else e[2], e[1], time), e) for time, _, e in coming]
    leaving = sorted(((left, e) for left, e in crossed if left != LOST), key=lambda pair: pair[0])
    key, loss = substrate.link("out", *KEY)
    spikes_home, loops_home = [], []
    for time, event in leaving:
        walk.sent["chip_to_fpga"] += 1
        left = walk.serve(HOST, time)
        _, output, source, m, word = event
        since, who = (spike_tick[m], source - 100) if source >= 100 else (left // TICK, N + word)
        if left == LOST:
            walk.lost["fifo_overflow", "chip_to_fpga"] += 1
        elif not survivors(np.array([since]), np.array([who]), key, loss)[0]:
            walk.lost["link_loss", "chip_to_fpga"] += 1
        elif source >= 100:
            spikes_home.append((left // TICK, m, source))
        elif left // TICK < DURATION:
            loops_home.append((left // TICK, word | (output - 8) << 14, source, m))
        else:
            walk.lost["after_end", "chip_to_fpga"] += 1
    walk.delivered["chip_to_fpga"] = len(spikes_home) + len(loops_home)

    for link in {*one.counts.sent, *walk.sent}:
        assert one.counts.sent.get(link, 0) == walk.sent[link], link
        assert one.counts.delivered.get(link, 0) == walk.delivered[link], link
        assert walk.sent[link] == walk.delivered[link] + sum(lost for (_, place), lost in walk.lost.items() if place == link), link
    assert {where: lost for where, lost in one.counts.lost.items() if lost} == {where: lost for where, lost in walk.lost.items() if lost}
    assert one.counters["crossbar_event_counter"].tolist() == walk.passed
    assert one.counters["crossbar_drop_counter"].tolist() == walk.dropped
    assert sum(one.counts.delivered.get(f"crossbar.{k}", 0) for k in range(8, 12)) == one.counts.sent["chip_to_fpga"]

    received: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for half, events in enumerate(rows):
        for t, row, seen in zip(events.tick.tolist(), events.row.tolist(), events.label.tolist(), strict=True):
            received[half, row].append((t, seen))
    assert received == {row: [arrival[:2] for arrival in arrivals] for row, arrivals in walk.rows.items()}
    assert list(zip(at_host.tolist(), position.tolist(), strict=True)) == [arrival[:2] for arrival in spikes_home]
    assert list(zip(loop_tick.tolist(), loop_label.tolist(), strict=True)) == [arrival[:2] for arrival in loops_home]
    assert all(ascend(arrivals, 2, 3) for arrivals in walk.rows.values())  # what each row and the host received in this order has these sources and numbers
    assert ascend(spikes_home, 2, 1)
    assert ascend(loops_home, 2, 3)


SILENT_BUSES = (0, 4)  # of the drive alone


def relays(seed: int) -> dict[str, object]:
    """Return registers with which one event of channel 0 fires all 512 neurons past their membranes; nodes of their event outputs are open or closed.

    No synapse answers their own events, which reach rows all the same.
    """
    rng = np.random.default_rng(seed)
    target = np.where(rng.random((20, 12)) < 0.6, 0, 1)
    target[:8, SILENT_BUSES] = target[8:] = 1
    target[8, SILENT_BUSES] = 0
    return {
        **STIMULATED,
        "crossbar_target": target,
        "event_routing_enable_bypass_excitatory": True,
        "event_routing_address": rng.integers(0, 4, N) << 6 | rng.integers(0, 63, N),
        "refractory_period_refractory_time": 1,
        "driver_row_address_compare_mask": 0,
        "synapse_label": 63,
    }


@pytest.mark.parametrize("load", [0.5, 1.0, 2.0, 10.0])
@pytest.mark.parametrize("seed", range(5))
def test_what_neurons_send_to_each_other_and_to_the_host_is_delivered_or_lost_and_counted(seed, load):
    """A volley of all neurons every 128 ticks, 64 events at each event output, is the capacity of these. What one link delivers is sent over the next."""
    fields = relays(seed)
    events = [(int(tick), 63) for tick in np.arange(100, 4000, 128 / load)]
    reads = tuple(TimedRead(name=kind, at="after", field=f"crossbar_{kind}_counter") for kind in ("event", "drop"))
    recording = run(fields, 10, entries=Events.from_lists([events]), reads=reads)
    losses, nodes = recording.losses, (fields["crossbar_target"] == 0) & CROSSBAR_NODE_EXISTS
    sent, delivered = Counter(losses.sent), Counter(losses.delivered)
    full = Counter({place: lost for (reason, place), lost in losses.lost.items() if reason == "fifo_overflow"})
    volleys = delivered["fpga_to_chip"]
    assert volleys == len(events) - losses.lost["link_loss", "fpga_to_chip"] > 0.98 * len(events)
    assert delivered["crossbar.0"] == delivered["crossbar.4"] == volleys
    for k in range(8):
        assert sent[f"neuron_output.{k}"] == 64 * volleys
    for output in set(range(12)) - set(SILENT_BUSES):
        assert sent[f"crossbar.{output}"] == sum(delivered[f"neuron_output.{k}"] for k in range(8) if nodes[k, output])
    for link in sent:
        assert sent[link] == delivered[link] + sum(lost for (_, place), lost in losses.lost.items() if place == link), link
    assert (full["neuron_output.0"] > 0) == (load > 1)
    assert sent["chip_to_fpga"] == sum(delivered[f"crossbar.{k}"] for k in range(8, 12))
    assert delivered["chip_to_fpga"] == len(recording.spikes)
    assert np.bincount(recording.spikes.circuit, minlength=N).max() <= volleys
    assert recording.reads["event"][0].tolist() == [delivered[f"crossbar.{k}"] for k in range(12)]
    assert recording.reads["drop"].sum() == sum(full[f"crossbar.{k}"] for k in range(12))
    for k in range(8):  # an event output has no other node behind which it can lose more
        assert recording.reads["drop"][0, k] <= sum(full[f"crossbar.{output}"] for output in np.flatnonzero(nodes[k]))


def test_a_run_that_loses_rows_without_counting_is_reported(monkeypatch):
    """The machine itself compares what buses were sent with what rows received."""
    whole_rows = Fabric._count_buses

    def forgetful(self, stretch, sent, delivered, *dropped):
        whole_rows(self, stretch, sent, np.maximum(delivered - 1, 0), *dropped)

    monkeypatch.setattr(Fabric, "_count_buses", forgetful)
    with pytest.raises(ConservationError, match=r"'crossbar.0' 3 events were sent, 2 delivered .* 1 events vanished"):
        run(STIMULATED, 10, "-event_loss", entries=Events.from_lists([[(100 * k, 0) for k in range(3)]]))


BUSY = {
    **FIRING,
    "membrane_capacitance_capacitance": 10,
    "leak_i_bias": 1022,
    "threshold_v_threshold": 400 + np.arange(N) * 37 % 100,
    "event_routing_enable_digital": np.arange(N) % 2 == 0,
}
"""A neuron fires every microsecond or so."""


def spied(monkeypatch) -> list[tuple[int, int, np.ndarray]]:
    """Return a list that gets start and end of the stretch, and the ticks of the spikes that each call yields."""
    found = []
    for kind in (Apart, Together):

        def advance(self, segments, t0, t1, advance=kind.advance):
            carried = advance(self, segments, t0, t1)
            found.append((segments[0].start, segments[0].end, carried.tick))
            return carried

        monkeypatch.setattr(kind, "advance", advance)
    return found


SHARED = {"multicompartment_connect_right": np.arange(N) % 4 == 0, "refractory_period_refractory_time": 60, "refractory_period_reset_holdoff": 0}


@pytest.mark.parametrize("more", [{}, {"event_routing_enable_bypass_inhibitory": np.arange(N) == N - 1}, SHARED], ids=["apart", "together", "shared"])
def test_a_spike_leaves_by_the_ways_of_the_stretch_that_fired_it(more, monkeypatch):
    """The outputs of half of the neurons open and close while all fire; some cross their thresholds in the first or the last nanosecond of a stretch."""
    found = spied(monkeypatch)
    fields = {**BUSY, "refractory_period_refractory_time": 5, **more}
    snippets = tuple(Snippet(977 + 13 * k, whole(event_routing_enable_digital=(np.arange(N) % 2 == 0) | bool(k % 2))) for k in range(20))
    recording = run(fields, snippets=snippets)
    recording.losses.check()
    assert sum(len(tick) for _, _, tick in found) > 10000
    assert all(((tick >= start) & (tick < end)).all() for start, end, tick in found)


@pytest.mark.parametrize("more", [{}, SHARED], ids=["apart", "shared"])
def test_a_read_at_a_border_or_within_a_step_moves_no_spike_and_counts_those_before_it(more, monkeypatch):
    """A cut by a read is no border: spikes of the nanosecond around it keep their ticks."""
    fields = {**BUSY, "refractory_period_refractory_time": 5, **more}
    snippets = tuple(Snippet(977 + 13 * k, whole(leak_v_leak=1000 - k % 2)) for k in range(8))
    borders = np.cumsum([s.duration for s in snippets])
    ticks = sorted({int(border) + shift for border in borders[:-1] for shift in (-1, 0, 1)} | set(range(500, int(borders[-1]), 211)))
    found = spied(monkeypatch)
    plain = run(fields, snippets=snippets)
    fired = np.concatenate([tick[tick >= 0] for _, _, tick in found])
    cut = run(fields, snippets=snippets, reads=tuple(TimedRead(name=f"{t}", at=t, field="spike_counter") for t in ticks))
    np.testing.assert_array_equal(cut.spikes.tick, plain.spikes.tick)
    np.testing.assert_array_equal(cut.spikes.circuit, plain.spikes.circuit)
    if not more:  # a shared membrane that lags reports a spike with the step after it
        assert [int(cut.reads[f"{t}"].astype(int).sum()) for t in ticks] == [int((fired < t).sum()) for t in ticks]


def test_every_spike_of_a_sequential_program_belongs_to_an_entry(monkeypatch):
    found = spied(monkeypatch)
    reads = (TimedRead(name="count", at="after", field="spike_counter"),)
    recording = run(
        {**BUSY, "refractory_period_refractory_time": 255, "event_routing_enable_digital": True}, effects="-event_loss",
        snippets=(Snippet(977),), entries=Events.empty(60), sequential=True, reads=reads,
    )  # fmt: skip
    fired = sum(int((tick >= 0).sum()) for _, _, tick in found)
    assert fired > 10000
    assert recording.reads["count"].astype(int)[-1].sum() == fired == len(recording.spikes)


def test_the_drop_counters_count_while_they_are_on():
    """Four channels meet at bus 0, twice its capacity. Two inputs do not count there; or all count from the middle of the run on, or until then."""
    target, some = np.ones((20, 12), int), np.ones((20, 12), bool)
    target[8:12, 0], some[9:11, 0] = 0, False
    entries = Events.from_lists([[(4 * k, channel << 14) for k in range(1000) for channel in range(4)]])
    reads = (TimedRead(name="before", at="before", field="crossbar_drop_counter"), TimedRead(name="after", at="after", field="crossbar_drop_counter"))

    def drops(first: object, second: object) -> np.ndarray:
        fields = {**STIMULATED, "crossbar_target": target, "crossbar_enable_drop_counter": first}
        snippets = (Snippet(2000), Snippet(8000, whole(crossbar_enable_drop_counter=second)))
        recording = run(fields, entries=entries, reads=reads, snippets=snippets)
        assert not recording.reads["before"].any()
        assert recording.losses.lost["fifo_overflow", "crossbar.0"] == lost
        return recording.reads["after"][0].astype(int)

    lost = run({**STIMULATED, "crossbar_target": target}, 20, entries=entries).losses.lost["fifo_overflow", "crossbar.0"]
    every, early, late = drops(True, True), drops(True, False), drops(False, True)
    assert every.sum() == lost > 800
    assert set(np.flatnonzero(every)) == {8, 9, 10, 11}
    np.testing.assert_array_equal(drops(some, some), np.where(np.isin(np.arange(20), [9, 10]), 0, every))
    np.testing.assert_array_equal(early + late, every)
    assert early.sum() > 200 < late.sum()


@pytest.mark.parametrize(("instance", "states", "name"), [(1, 1 << 16, "drop"), (0, 1 << 24, "event")])
def test_the_counters_wrap(instance, states, name):
    one = Fabric(Substrate(Specimen.reference(), Effects.parse("default"), 250), KEY, DURATION, 0.0)
    (one._passed, one._dropped)[instance][3] = states + 5
    assert one.counters[f"crossbar_{name}_counter"][3] == 5
