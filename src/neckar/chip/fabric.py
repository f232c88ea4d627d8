"""The event fabric of one trial: links, servers with short queues, and the count of every event.

An event from the FPGA waits for its turn in the playback, crosses the link and enters the crossbar; events of background generators and of neurons (over
one of eight event outputs) enter it too. Each output of the crossbar passes one event per service time and lets a few wait; what finds the
queue full is lost. From a bus the event reaches synapse rows a fixed time later; from an output to the host it shares the link with the samples of the MADC.

Without the effect `event_loss` all links are of unlimited bandwidth and lose nothing. Events that enter a queue at the same time do so by input, then label
or circuit.

Sent and lost events are counted where they enter a link, delivered ones where they come out of it: behind a bus at the rows, behind the host's outputs at the
link. The counters of the crossbar count what passes an output, or is dropped there, while the registers let them. Their values exist when a trial is over,
since spikes to the host pass their outputs then: they are read before and after it, not at a tick.

Not modelled: round-robin arbitration between inputs (waiting events leave in the order in which they came).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from neckar.chip.background import Generators
from neckar.chip.config import ChipConfig
from neckar.chip.coordinates import ROWS_PER_DRIVER, event_output_of
from neckar.chip.drivers import label_masks
from neckar.chip.routing import BUSES, HEMISPHERES, OUTPUTS, Ways, neuron_labels, ways_of
from neckar.chip.substrate import Substrate
from neckar.dynamics import FINE, LOST, SILENT, Exits, Hits, LaneGroup, Link, OutsideEvents, RowEvents, Tables, exit_kernel, expand, idle, new_tally, serve_all
from neckar.facts import AXES, CROSSBAR_COUNTER_STATES, CROSSBAR_DROP_COUNTER_STATES
from neckar.facts import brainscales2 as facts
from neckar.facts.labels import CROSSBAR_BACKGROUND_INPUT, CROSSBAR_FPGA_INPUT, LABEL_CHANNEL_SHIFT, LABEL_CROSSBAR_MASK
from neckar.program import TICK_S, ticks

CIRCUITS, INPUTS = AXES["circuit"], AXES["crossbar_input"]
COUNTERS = ("crossbar_event_counter", "crossbar_drop_counter")
CHANNELS = OUTPUTS - BUSES  # from the FPGA, and to it
NEURON_OUTPUT, HOST, FPGA, FPGA_CHANNEL = OUTPUTS, OUTPUTS + 8, OUTPUTS + 9, OUTPUTS + 10  # servers behind the crossbar's outputs
SERVERS = FPGA_CHANNEL + CHANNELS
UNLIMITED = 1 << 40

Ints = NDArray[np.int64]


def _fine(duration_s: float) -> int:
    return round(duration_s / TICK_S * (1 << FINE))


def arrival_ticks(time: Ints) -> Ints:
    """Return the first tick at or after times in 1/1024 tick."""
    return -((-time) >> FINE)


def service_times(config: ChipConfig, madc_rate_hz: float) -> tuple[Ints, Ints]:
    """Return service time (1/1024 tick) and number of waiting events of each server, shape (server,) each."""
    return _service_times(tuple(config.padi_enable_extended_timing.tolist()), madc_rate_hz)


@lru_cache(maxsize=16)
def _service_times(extended: tuple[bool, ...], madc_rate_hz: float) -> tuple[Ints, Ints]:
    service, depth = np.full(SERVERS, _fine(facts.EVENT_SERVICE.value)), np.full(SERVERS, int(facts.EVENT_QUEUE.value))
    service[:BUSES][np.array(extended, bool)] = _fine(facts.EVENT_SERVICE_EXTENDED.value)
    service[BUSES:OUTPUTS] = _fine(facts.HOST_SERVICE.value)
    service[HOST] = _fine(1.0 / (1.0 / facts.HOST_SERVICE_TOTAL.value - madc_rate_hz))
    service[FPGA], service[FPGA_CHANNEL:] = _fine(facts.FPGA_SERVICE.value), _fine(facts.FPGA_CHANNEL_SERVICE.value)
    depth[BUSES:OUTPUTS], depth[NEURON_OUTPUT:HOST] = int(facts.HOST_QUEUE.value), int(facts.NEURON_QUEUE.value)
    depth[HOST], depth[FPGA:] = int(facts.LINK_QUEUE.value), UNLIMITED
    return service.astype(np.int64), depth.astype(np.int64)


@dataclass(eq=False)
class Counts:
    """Events sent, delivered and lost at each link of the fabric."""

    sent: dict[str, int] = field(default_factory=dict)
    lost: dict[tuple[str, str], int] = field(default_factory=dict)
    delivered: dict[str, int] = field(default_factory=dict)

    def add(self, link: str, *, sent: int = 0, delivered: int = 0, **lost: int) -> None:
        """Count events at a link; reasons as keywords."""
        self.sent[link] = self.sent.get(link, 0) + int(sent)
        self.delivered[link] = self.delivered.get(link, 0) + int(delivered)
        for reason, number in lost.items():
            self.lost[reason, link] = self.lost.get((reason, link), 0) + int(number)

    def add_servers(self, place: str, sent: Ints, delivered: Ints, lost: Ints, first: int = 0) -> None:
        """Count events at the servers of a place, numbered from `first`, and those that found a queue full; servers without events are not mentioned."""
        for k, (came, passed, full) in enumerate(zip(sent.tolist(), delivered.tolist(), lost.tolist(), strict=True), first):
            if came or passed:
                self.add(f"{place}.{k}", sent=came, delivered=passed, fifo_overflow=full)

    def include(self, other: Counts, times: int = 1) -> None:
        """Count what another has counted, so many times."""
        for mine, more in ((self.sent, other.sent), (self.delivered, other.delivered)):
            for link, number in more.items():
                mine[link] = mine.get(link, 0) + number * times
        for key, number in other.lost.items():
            self.lost[key] = self.lost.get(key, 0) + number * times


@dataclass(frozen=True, eq=False)
class Stretch:
    """Ways and outside events while the routing stays as it is.

    Attributes
    ----------
    ways : Ways
        Of all circuits, then of the outside origins.
    emits : ndarray of bool, shape (circuit,)
        Whether a circuit's spikes enter its event output.
    time, origin : ndarray of int64, shape (event,)
        Outside events at the crossbar, ascending; 1/1024 tick.
    config : ChipConfig
    service, depth : ndarray of int64, shape (server,)
        As :func:`service_times` returns them; without limits of bandwidth no service takes time.
    source : ndarray of int64, shape (origin,)
        Input of the crossbar at which events of each origin enter it.
    counts_events : ndarray of bool, shape (crossbar_output,)
    counts_drops : ndarray of bool, shape (crossbar_input, crossbar_output)
        Which counters of the crossbar are on.
    """

    ways: Ways
    emits: NDArray[np.bool_]
    time: Ints
    origin: Ints
    config: ChipConfig
    service: Ints
    depth: Ints
    source: Ints
    counts_events: NDArray[np.bool_]
    counts_drops: NDArray[np.bool_]

    @cached_property
    def first_server(self) -> Ints:
        """The event output of each circuit, shape (circuit,); `SILENT` if its spikes do not enter it."""
        return np.where(self.emits, NEURON_OUTPUT + event_output_of(np.arange(CIRCUITS)), SILENT).astype(np.int64)

    @cached_property
    def exits(self) -> tuple[Ints, Ints]:
        """Where the circuits' ways to the host begin, shape (circuit + 1,), and their outputs of the crossbar, shape (way,)."""
        to_host = ~self.to_bus[: self.ways.ptr[CIRCUITS]]
        ptr = np.concatenate([[0], np.cumsum(to_host)])[self.ways.ptr[: CIRCUITS + 1]]
        return ptr.astype(np.int64), self.ways.output[: len(to_host)][to_host]

    @property
    def to_bus(self) -> NDArray[np.bool_]:
        """Which ways lead to a bus, shape (way,)."""
        return self.ways.output < BUSES

    @cached_property
    def way_source(self) -> Ints:
        """Input of the crossbar of each way of the tables, shape (way,)."""
        return self.source[self.ways.origin[self.to_bus]]

    @cached_property
    def reaches_bus(self) -> NDArray[np.bool_]:
        """Which circuits' events reach a bus, shape (circuit,)."""
        origin = self.ways.origin[self.to_bus]
        return (np.bincount(origin[origin < CIRCUITS], minlength=CIRCUITS) > 0) & self.emits

    @cached_property
    def reaches_rows(self) -> NDArray[np.bool_]:
        """Which circuits' events reach a row, shape (circuit,)."""
        origin = self.ways.origin[self.ways.answered]
        return (np.bincount(origin[origin < CIRCUITS], minlength=CIRCUITS) > 0) & self.emits

    @cached_property
    def relayed(self) -> NDArray[np.bool_]:
        """Which circuits fire past their membrane, shape (circuit,)."""
        config = self.config
        return (config.event_routing_enable_bypass_excitatory | config.event_routing_enable_bypass_inhibitory) & (config.event_routing_analog_output > 0)

    @cached_property
    def tables(self) -> Tables:
        """The tables with which circuits and outside origins exchange events inside the engine."""
        ways, bus = self.ways, self.to_bus
        return Tables(
            np.concatenate([[0], np.cumsum(bus)])[ways.ptr].astype(np.int64),
            ways.output[bus],
            ways.output[bus] // (BUSES // HEMISPHERES),
            np.concatenate([ways.row_ptr[:-1][bus], ways.row_ptr[-1:]]),
            ways.row,
            ways.row_label,
            self.first_server,
            self.service,
            self.depth,
            np.array([_BUS_LATENCY]),
        )

    @cached_property
    def rows(self) -> tuple[NDArray[np.int32], ...]:
        """Rows of each hemisphere that answer on any way, ascending."""
        lane = np.repeat(self.tables.way_lane, np.diff(self.tables.row_ptr))
        return tuple(np.unique(self.tables.row[lane == h]) for h in range(HEMISPHERES))

    @cached_property
    def answers(self) -> Ints:
        """How many synapses with a weight answer an event on each way of the tables."""
        tables, n = self.tables, len(self.tables.way_lane)
        way = np.repeat(np.arange(n), np.diff(tables.row_ptr))
        lane, number = tables.way_lane[way], np.zeros(len(way), np.int64)
        for h in range(HEMISPHERES):
            number[lane == h] = answering(self.config, h, tables.row[lane == h], tables.row_label[lane == h])
        return np.bincount(way, number, n).astype(np.int64)

    @cached_property
    def hits(self) -> list[tuple[tuple[NDArray[np.bool_], ...], Hits]]:
        """Synapses that answer, found so far: where the lanes had weights, and what was found. On most chips that is alike."""
        return []


def answering(config: ChipConfig, hemisphere: int, row: NDArray[np.int32], label: NDArray[np.uint8]) -> Ints:
    """Return how many synapses with a weight answer a label on each row, shape (event,)."""
    pair, where = np.unique(row.astype(np.int64) * 64 + (label & label_masks(config)[hemisphere, row // ROWS_PER_DRIVER]), return_inverse=True)
    row, label = pair // 64, pair % 64
    hit = (config.synapse_label[hemisphere][row] == label[:, None]) & (config.synapse_weight[hemisphere][row] > 0)
    return np.asarray(hit.sum(axis=1)[where])


def circulation(config: ChipConfig, madc_rate_hz: float, limited: bool) -> Stretch:
    """Return the ways on which circuits send each other events, without any from outside: alike for all chips and trials under these registers."""
    return _stretch(config, madc_rate_hz, limited, _NOTHING, _NOTHING, (_NOTHING, _NOTHING))


def reached_rows(config: ChipConfig, labels: NDArray[np.uint16], inside: Stretch) -> tuple[NDArray[np.int32], ...]:
    """Return the rows of each hemisphere that events of the FPGA with some labels may reach, or those on the ways of `inside`."""
    label = np.unique(labels).astype(np.int64)
    if not len(label):
        return inside.rows
    outside = CROSSBAR_FPGA_INPUT + (label >> LABEL_CHANNEL_SHIFT), label & LABEL_CROSSBAR_MASK
    return _stretch(config, 0.0, False, _NOTHING, _NOTHING, outside).rows


def _stretch(config: ChipConfig, madc_rate_hz: float, limited: bool, time: Ints, origin: Ints, outside: tuple[Ints, Ints]) -> Stretch:
    """Return a stretch with outside origins, input and label each."""
    inputs, labels = neuron_labels(config)
    source = np.concatenate([inputs, outside[0]])
    ways = ways_of(config, source, np.concatenate([labels, outside[1]]))
    service, depth = service_times(config, madc_rate_hz)
    service = service if limited else np.zeros(SERVERS, np.int64)
    counts = config.crossbar_enable_event_counter.copy(), config.crossbar_enable_drop_counter.copy()
    return Stretch(ways, config.event_routing_enable_digital.astype(bool), time, origin, config, service, depth, source, *counts)


_NOTHING = np.empty(0, np.int64)
_BUS_LATENCY = int(ticks(facts.BUS_LATENCY.value))
_LINK_LATENCY = int(ticks(facts.INPUT_LATENCY.value)) - _BUS_LATENCY


class Fabric:
    """Events of one trial on their ways.

    Parameters
    ----------
    substrate : Substrate
    key : tuple of int
        Of the trial; decides which events the links lose.
    duration : int
        Ticks.
    madc_rate_hz : float
        Samples per second that share the link to the host.
    inside : Stretch, optional
        The :func:`circulation` under registers that stay as they are.
    """

    def __init__(self, substrate: Substrate, key: tuple[int, ...], duration: int, madc_rate_hz: float, inside: Stretch | None = None) -> None:
        self._inside = inside
        self._substrate, self._key, self._duration, self._madc_rate_hz = substrate, key, duration, madc_rate_hz
        self._limited = substrate.effects.event_loss
        self.free = idle(SERVERS)
        self._generators = Generators()
        self._fpga = _NOTHING, _NOTHING
        self._loops: list[tuple[Ints, Ints, Ints, Ints]] = []  # time, output, label and input of outside events to the host
        self._starts: list[int] = []
        self._stretches: list[Stretch] = []
        self.counts = Counts()
        self._passed, self._dropped = np.zeros(OUTPUTS, np.int64), np.zeros(INPUTS, np.int64)

    @property
    def counters(self) -> dict[str, NDArray[np.unsignedinteger]]:
        """What the counters of the crossbar read, (output,) and (input,)."""
        passed, dropped = self._passed % CROSSBAR_COUNTER_STATES, self._dropped % CROSSBAR_DROP_COUNTER_STATES
        return dict(zip(COUNTERS, (passed.astype(np.uint32), dropped.astype(np.uint16)), strict=True))

    def send(self, tick: Ints, label: NDArray[np.uint16], config: ChipConfig) -> None:
        """Let the FPGA send its events, ascending in tick."""
        if not len(tick):
            self.counts.add("fpga_to_chip", link_loss=0, after_end=0)
            return
        number = label.astype(np.int64)
        kept = self._substrate.keep(tick, number, "in", *self._key)
        service, depth = self._services(config)
        time, channel = tick[kept] << FINE, number[kept] >> LABEL_CHANNEL_SHIFT
        time = self._serve(time, np.full(len(time), FPGA), service, depth)
        time = self._serve(time, FPGA_CHANNEL + channel, service, depth) + (_LINK_LATENCY << FINE)
        order = np.argsort(time, kind="stable")
        self._fpga = time[order], number[kept][order]
        late = arrival_ticks(self._fpga[0]) + _BUS_LATENCY >= self._duration
        self.counts.add("fpga_to_chip", sent=len(tick), link_loss=int(len(tick) - kept.sum()), after_end=int(late.sum()))

    def stretch(self, config: ChipConfig, a: int, b: int) -> Stretch:
        """Return ways and events from tick `a` to `b` of arrival at the rows, without waiting; stretches come in the order of time."""
        i, j = np.searchsorted(arrival_ticks(self._fpga[0]) + _BUS_LATENCY, (a, b))
        time, label = self._fpga[0][i:j], self._fpga[1][i:j]
        source, seen = CROSSBAR_FPGA_INPUT + (label >> LABEL_CHANNEL_SHIFT), label & LABEL_CROSSBAR_MASK
        if config.background_enable.any():
            tick, generator, drawn = self._generators.events(config, a - _BUS_LATENCY, b - _BUS_LATENCY)
            self.counts.add("background", sent=len(tick))
            time, source, seen = _merge((time, source, seen), (tick << FINE, CROSSBAR_BACKGROUND_INPUT + generator, drawn))
        if len(time) or self._inside is None:
            key, origin = np.unique(source << LABEL_CHANNEL_SHIFT | seen, return_inverse=True)
            outside = key >> LABEL_CHANNEL_SHIFT, key & LABEL_CROSSBAR_MASK
            result = _stretch(config, self._madc_rate_hz, self._limited, time, CIRCUITS + origin.astype(np.int64), outside)
            self._count_origins(result, outside[0])
            self._note_loops(result, outside[1])
        else:
            result = self._inside
            self.counts.add("fpga_to_chip", no_route=0, no_receiver=0)
        self._starts.append(a)
        self._stretches.append(result)
        return result

    def _count_origins(self, stretch: Stretch, source: Ints) -> None:
        """Count the outside events that no node passes, or that pass but meet no row and no host."""
        ways = stretch.ways
        n_ways = np.diff(ways.ptr)[CIRCUITS:]
        useful = np.bincount(ways.origin[ways.answered | ~stretch.to_bus], minlength=len(ways.ptr) - 1)[CIRCUITS:] > 0
        number = np.bincount(stretch.origin - CIRCUITS, minlength=len(source))
        for link, mine in (("fpga_to_chip", source < CROSSBAR_BACKGROUND_INPUT), ("background", source >= CROSSBAR_BACKGROUND_INPUT)):
            if link == "fpga_to_chip" or mine.any():
                blocked, unheard = mine & (n_ways == 0), mine & (n_ways > 0) & ~useful
                self.counts.add(link, delivered=number[mine & useful].sum(), no_route=number[blocked].sum(), no_receiver=number[unheard].sum())

    def _note_loops(self, stretch: Stretch, label: Ints) -> None:
        """Note the outside events that pass to the host; labels of the outside origins."""
        if (~stretch.to_bus)[stretch.ways.ptr[CIRCUITS] :].any():
            event, way = expand(stretch.ways.ptr, stretch.origin)
            to_host = ~stretch.to_bus[way] & (stretch.time[event] >= 0)  # as spikes, those of the lead-in are not counted
            time, origin = stretch.time[event[to_host]], stretch.origin[event[to_host]]
            self._loops.append((time, stretch.ways.output[way[to_host]], label[origin - CIRCUITS], stretch.source[origin]))

    def row_events(self, stretch: Stretch, config: ChipConfig) -> tuple[RowEvents, ...]:
        """Let the outside events pass the buses, if no circuit sends any there; return the events of each hemisphere's rows, ascending."""
        ways = stretch.ways
        event, way = expand(ways.ptr, stretch.origin)
        kept = stretch.to_bus[way]
        event, way = event[kept], way[kept]
        bus = ways.output[way]
        left = self._serve(stretch.time[event], bus, *self._services(config))
        passes = left != LOST
        sent, dropped = np.bincount(bus, minlength=BUSES), (stretch.source[stretch.origin[event[~passes]]], bus[~passes])
        way, arrival = way[passes], arrival_ticks(left[passes]) + _BUS_LATENCY
        k, entry = expand(ways.row_ptr, way)
        delivered = np.bincount(ways.output[way[~ways.answered[way]]], minlength=BUSES)  # that no row hears; the others count at their first row
        hemisphere, tick = ways.output[way[k]] // (BUSES // HEMISPHERES), arrival[k]
        halves = []
        for h in range(HEMISPHERES):
            here = np.flatnonzero(hemisphere == h)
            here = here[np.argsort(tick[here], kind="stable")]
            halves.append(RowEvents(tick[here], ways.row[entry[here]], ways.row_label[entry[here]]))
            came = way[k[here]]
            delivered += np.bincount(ways.output[came[ways.row_ptr[came] == entry[here]]], minlength=BUSES)
        self._count_buses(stretch, sent, delivered, *dropped, np.ones(len(dropped[0]), np.int64))
        return tuple(halves)

    def outside(self, stretch: Stretch) -> OutsideEvents:
        """Return the outside events for the engine."""
        return OutsideEvents(stretch.time, stretch.origin)

    def count_exchange(self, stretch: Stretch, group: LaneGroup) -> None:
        """Count what happened to the events that the engine has sent to buses."""
        bus = stretch.tables.way_server
        delivered = np.bincount(bus, group.passed(), BUSES).astype(np.int64)
        self._count_buses(stretch, group.queue.sent[:BUSES], delivered, stretch.way_source, bus, group.queue.dropped[: len(bus)])

    def _count_buses(self, stretch: Stretch, sent: Ints, delivered: Ints, source: Ints, bus: Ints, dropped: Ints) -> None:
        """Count events at buses: sent and delivered, shape (bus,), and how many of some inputs (`source`) were dropped at some buses, shape (kind,) each."""
        self._passed[:BUSES] += delivered * stretch.counts_events[:BUSES]
        self._dropped += np.bincount(source, dropped * stretch.counts_drops[source, bus], INPUTS).astype(np.int64)
        self.counts.add_servers("crossbar", sent, delivered, np.bincount(bus, dropped, BUSES))

    def to_host(self, tick: Ints, circuit: Ints, leaves: Ints, config: ChipConfig) -> tuple[Ints, Ints, tuple[Ints, Ints]]:
        """Carry the spikes of the trial, by tick and circuit, and the outside events that loop back, to the host.

        Parameters
        ----------
        tick, circuit : ndarray of int64, shape (spike,)
            Only spikes from tick 0 to the end of the trial leave the chip.
        leaves : ndarray of int64, shape (spike,)
            When a spike leaves its event output if the engine says so, else `UNKNOWN`.
        config : ChipConfig

        Returns
        -------
        tick : ndarray of int64, shape (arrival,)
        spike : ndarray of int64, shape (arrival,)
            Position of each spike that arrives in the arguments.
        loops : (ndarray, ndarray)
            Ticks and labels of the outside events that arrive during the trial: the 14 bits that the crossbar sees, above them its output, 0 to 3.
        """
        exits = _exits(self._starts, self._stretches)
        service, depth = self._services(config)
        seed, loss = self._substrate.link("out", *self._key)
        link = Link(self.free, idle(SERVERS), service if self._limited else np.zeros(SERVERS, np.int64), depth, HOST, np.uint64(seed), loss)
        loop_time, output, label, source = (np.concatenate([_NOTHING, *(loop[k] for loop in self._loops)]) for k in range(4))
        room = len(loop_time) + len(tick) * int(np.diff(exits.ptr).max(initial=0))
        time, event, loop = np.empty(room, np.int64), np.empty(room, np.int64), np.empty((2, len(loop_time)), np.int64)
        tally = new_tally(SERVERS, INPUTS)
        spikes, loops, gone, late = exit_kernel()(
            tick, circuit, leaves, self._duration, exits, loop_time, output, source, CIRCUITS + label, link, tally, time, event, loop
        )
        for place, first, a, b in (("neuron_output", 0, NEURON_OUTPUT, HOST), ("crossbar", BUSES, BUSES, OUTPUTS)):
            self.counts.add_servers(place, tally.sent[a:b], tally.delivered[a:b], tally.lost[a:b], first)
        self._passed += tally.events[:OUTPUTS]
        self._dropped += tally.drops
        full = tally.lost[HOST]
        self.counts.add("chip_to_fpga", sent=tally.sent[HOST], delivered=tally.delivered[HOST], fifo_overflow=full, link_loss=gone, after_end=late)
        at_host, looped = loop[:, :loops]
        return time[:spikes], event[:spikes], (at_host, label[looped] | (output[looped] - BUSES) << LABEL_CHANNEL_SHIFT)

    def _services(self, config: ChipConfig) -> tuple[Ints, Ints]:
        return service_times(config, self._madc_rate_hz) if self._inside is None else (self._inside.service, self._inside.depth)

    def _serve(self, time: Ints, server: Ints, service: Ints, depth: Ints) -> Ints:
        """Return when events, ascending in time, leave their servers, `LOST` if they find the queue full."""
        return serve_all(time, server, self.free, service, depth) if self._limited else time


def _exits(starts: Sequence[int], stretches: Sequence[Stretch]) -> Exits:
    """Return the ways of all circuits to the host."""
    parts = [stretch.exits for stretch in stretches]
    before = np.cumsum([0, *(len(server) for _, server in parts)])
    ptr = np.stack([own + n for (own, _), n in zip(parts, before, strict=False)])
    first = np.stack([stretch.first_server for stretch in stretches])
    counted = np.stack([stretch.counts_events for stretch in stretches]), np.stack([stretch.counts_drops for stretch in stretches])
    return Exits(np.array(starts, np.int64), first, ptr, np.concatenate([server for _, server in parts]), stretches[0].source[:CIRCUITS], *counted)


def _merge(*streams: tuple[Ints, Ints, Ints]) -> tuple[Ints, Ints, Ints]:
    """Merge (time, source, label) by time, then source."""
    time, source, label = (np.concatenate(parts) for parts in zip(*streams, strict=True))
    order = np.lexsort((source, time))
    return time[order], source[order], label[order]
