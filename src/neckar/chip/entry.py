"""One entry (trial) of a program on a chip: what is known before it runs (:class:`Plan`, shared by all entries), and its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from neckar.chip.agenda import PLANES, Actor, Port, Trial, in_order
from neckar.chip.cadc_recorder import CadcRecorder
from neckar.chip.cadc_timing import Rows, exact_rows, silicon_rows, targets_of
from neckar.chip.capmem import CapMem
from neckar.chip.config import ChipConfig
from neckar.chip.coordinates import COLUMNS
from neckar.chip.madc import STAMP_TICKS, conversion_ticks, sample_ticks
from neckar.chip.probe import n_samples
from neckar.chip.readout import Readout
from neckar.chip.routing import HEMISPHERES, reaches_host, resolve, row_table
from neckar.chip.sampling import LineSampler, ProbeSampler
from neckar.chip.substrate import Substrate
from neckar.chip.transfer import kick_volts, refuse_unsupported
from neckar.dynamics import N_DYNAMIC, STATE_NAMES, CircuitParameters, Lane, RowEvents, Segment, Synapses, aligned
from neckar.facts import AXES, registers
from neckar.facts import brainscales2 as facts
from neckar.facts import cost_brainscales2 as timing
from neckar.program import MadcChannel, Probe, Program, Record, TimedRead, TimedWrite, ticks

CIRCUITS = AXES["circuit"]
V, W, REFRACTORY, ARMED = (STATE_NAMES.index(name) for name in ("v", "w", "refractory", "armed"))

Ticks = NDArray[np.int64]


class Plan:
    """What all entries of a program have in common: stretches, instruments, active circuits.

    Attributes
    ----------
    cuts : list of (int, list of mapping)
        Ticks at which circuit parameters or routing may change, with the snippets' deltas.
    channels : list of (MadcChannel, ticks)
    cadc : list of Target
    probes : list of (Probe, ticks)
    active : ndarray of int
        Circuits that are integrated.
    """

    def __init__(self, program: Program, base: ChipConfig, instruments: str, watched: bool = False) -> None:
        self.program, self.base, self.limited = program, base, instruments == "silicon"
        self.lead_ticks = int(ticks(timing.RESET_LEAD.value))
        self.latency = int(ticks(facts.INPUT_LATENCY.value))
        starts = np.cumsum([0, *(s.duration for s in program.snippets)])
        self.snippet_starts = starts[:-1]
        self.deltas = {int(start): s.config for start, s in zip(starts, program.snippets, strict=False) if s.config}
        windows: list[tuple[Record, int, int]] = [
            (s.record or program.record, int(a), int(b)) for s, a, b in zip(program.snippets, starts, starts[1:], strict=False)
        ]
        self.channels = _channels(windows, conversion_ticks(base), self.limited)
        self.cadc = targets_of(windows)
        self.probes = _probes(windows)
        self.recorded = np.zeros(CIRCUITS, bool)
        for record, _, _ in windows:
            self.recorded[np.arange(CIRCUITS) if record.spikes == "all" else list(record.spikes)] = True
        self.active = np.flatnonzero(self._is_active(watched))
        self.observed = np.array(self._observed(), np.int64)

    def _observed(self) -> list[int]:
        """Return the circuits that an instrument looks at."""
        groups = [*(target.circuits for target in self.cadc), *(probe.circuits for probe, _ in self.probes)]
        return sorted({channel.circuit for channel, _ in self.channels}.union(*groups))

    def _is_active(self, watched: bool) -> NDArray[np.bool_]:
        """Return which circuits are observed, or fire and are recorded or counted; `watched`: actors may count any of them."""
        program = self.program
        if program.sequential:  # the next entry, and perhaps the next program, goes on from the state of all circuits
            return np.ones(CIRCUITS, bool)
        fires = self.base.threshold_enable.astype(bool)
        for delta in self.deltas.values():
            fires |= np.asarray(delta.get("threshold_enable", False), bool)
        if any(write.field == "threshold_enable" for write in program.writes):
            fires[:] = True
        wanted = self.recorded | watched
        for read in program.reads:
            if read.field == "spike_counter":
                wanted[read.key] = True
        active = fires & wanted
        active[self._observed()] = True
        return active


def refuse_changes(program: Program) -> None:
    """Refuse what a snippet or a write would change in the middle of a run; what holds at its start is refused when it starts.

    Raises
    ------
    UnsupportedFeatureError
    """
    table = registers("brainscales2")
    for k, snippet in enumerate(program.snippets):
        if snippet.config:
            refuse_unsupported(snippet.config, where=f"snippets[{k}]: ")
    for k, write in enumerate(program.writes):
        if table[write.field].axes != ("hemisphere", "row", "column"):
            codes = table[write.field].default_array()
            codes[write.key] = write.value
            refuse_unsupported({write.field: codes}, where=f"writes[{k}]: ")


def _channels(windows: Sequence[tuple[Record, int, int]], cycles: int, share: bool) -> list[tuple[MadcChannel, Ticks]]:
    found: dict[MadcChannel, list[tuple[int, int, int, int]]] = {}
    for record, a, b in windows:
        for turn, channel in enumerate(record.madc):
            sharing = len(record.madc) if share else 1
            found.setdefault(channel, []).append((turn if share else 0, sharing, a, b))
    out = []
    for channel, uses in found.items():
        grids = [sample_ticks(cycles, turn, sharing, [(a, b)]) for turn, sharing, a, b in uses]
        out.append((channel, np.concatenate(grids)))
    return out


def _probes(windows: Sequence[tuple[Record, int, int]]) -> list[tuple[Probe, Ticks]]:
    found: dict[Probe, list[Ticks]] = {}
    for record, a, b in windows:
        for probe in record.probe:
            found.setdefault(probe, []).append(np.arange(n_samples(probe, a), n_samples(probe, b), dtype=np.int64) * probe.interval)
    return [(probe, np.concatenate(grids)) for probe, grids in found.items()]


@dataclass(eq=False)
class EntryResult:
    """What one entry yields."""

    config: ChipConfig
    cells: CapMem
    state: NDArray[np.float32]  # (field, circuit)
    counters: NDArray[np.uint8]
    spikes: tuple[Ticks, NDArray[np.int64]]
    unrecorded: int
    madc: list[LineSampler]
    cadc: CadcRecorder
    probes: list[NDArray[np.float32]]
    reads: dict[str, NDArray]
    steps: list[int]
    sent_in: int = 0
    answered: int = 0
    sent_out: int = 0
    synaptic_events: int = 0
    codes: list[NDArray[np.uint8]] = field(default_factory=list)  # of each target of the parallel converter
    leaves: list[tuple[int, NDArray[np.bool_]]] = field(default_factory=list)  # start of each stretch, and whose spikes leave the chip in it
    lost: dict[tuple[str, str], int] = field(default_factory=dict)


class _Playback:
    """The program's timed writes of synapse planes and timed reads, as an actor."""

    def __init__(self, writes: Sequence[TimedWrite], reads: Sequence[TimedRead], results: dict[str, NDArray]) -> None:
        self._todo = sorted([(int(w.at), 0, w) for w in writes] + [(int(r.at), 1, r) for r in reads], key=lambda item: item[:2])
        self._results = results

    def due(self) -> int | None:
        return self._todo[0][0] if self._todo else None

    def act(self, port: Port) -> None:
        _, _, access = self._todo.pop(0)
        if isinstance(access, TimedWrite):
            port.write(access.field, access.key, access.value)
        else:
            self._results[access.name] = port.read(access.field, access.key)


class EntryRun:
    """One entry, ready to run.

    Parameters
    ----------
    substrate : Substrate
        Gives physics, steps and seeds.
    plan : Plan
    entry : int
    cells : CapMem
        What the analog parameter cells hold when the program starts.
    actors : sequence of Actor
        Act besides the playback.
    """

    def __init__(self, substrate: Substrate, plan: Plan, entry: int, cells: CapMem, actors: Sequence[Actor]) -> None:
        self.substrate, self.plan, self.entry, self.cells, self.actors = substrate, plan, entry, cells, actors
        self.key = (*(plan.program.run_seed or (0, 0)), entry)
        self.writes = [(n, w) for n, w in enumerate(plan.program.writes) if w.entry is None or w.entry == entry]

    def execute(
        self,
        before: NDArray[np.float32] | None = None,
        config: ChipConfig | None = None,
        counters: NDArray[np.uint8] | None = None,
        cells: CapMem | None = None,
    ) -> EntryResult:
        """Run the entry; the arguments are circuits, registers, spike counters and analog parameter cells if it goes on from another entry."""
        plan, program = self.plan, self.plan.program
        config, self.cells = (config or plan.base).copy(), cells or self.cells
        self._write("before", config, self.writes)
        start = 0 if before is not None else -plan.lead_ticks
        parameters = self.substrate.physical(config, self.cells)
        state = _rest(parameters) if before is None else before.copy()
        if before is None:
            _reset_neurons(state, parameters)
        counters = np.zeros(CIRCUITS, np.uint8) if counters is None else counters
        reads = {r.name: np.array((counters if r.field == "spike_counter" else config[r.field])[r.key]) for r in program.reads if r.at == "before"}
        samplers = [LineSampler((c.circuit,), grid, c.source) for c, grid in plan.channels]
        cadc = CadcRecorder(plan.cadc, self._rows())
        probes = [ProbeSampler(p.circuits, grid, p.signals) for p, grid in plan.probes]
        result = EntryResult(config, self.cells, state, np.zeros(CIRCUITS, np.uint8), (np.empty(0, np.int64),) * 2, 0, samplers, cadc, [], reads, [])
        arrivals = self._arrivals(result)
        timed = [(n, w) for n, w in self.writes if not isinstance(w.at, str)]
        playback = _Playback([w for _, w in timed if w.field in PLANES], [r for r in program.reads if not isinstance(r.at, str)], reads)
        trial = Trial(config, {}, [*samplers, *cadc.samplers, *probes], self._kicks, counters)
        self._stretches(trial, state, start, arrivals, [(n, w) for n, w in timed if w.field not in PLANES], [playback, *self.actors], result)
        self._finish(trial, result, probes)
        return result

    def _stretches(
        self,
        trial: Trial,
        state: NDArray[np.float32],
        start: int,
        arrivals: tuple[Ticks, NDArray[np.uint16]],
        writes: Sequence[tuple[int, TimedWrite]],
        actors: Sequence[Actor],
        result: EntryResult,
    ) -> None:
        plan, config, end = self.plan, trial.config, self.plan.program.duration
        cuts = sorted({start, *plan.deltas, *(int(w.at) for _, w in writes if int(w.at) < end), end})
        for a, b in pairwise(cuts):
            if a in plan.deltas:
                config.apply(plan.deltas[a])
                self.cells = self.cells.written(plan.deltas[a], config, *self.key, "snippet", a)
            self._write(a, config, writes)
            parameters = self.substrate.physical(config, self.cells)
            step, tau = self.substrate.step(parameters)
            result.steps.append(step)
            self._configure(config, a, result)
            events, answered = self._row_events(config, arrivals, a, b, result)
            self._lanes(trial, state, events)
            halves = [parameters.take(np.arange(COLUMNS) + COLUMNS * h) for h in range(HEMISPHERES)]
            trial.run([Segment(half, a, b, step, tau) for half in halves], events, actors)
            for hemisphere, lane in trial.lanes.items():
                lane.store(state[:, COLUMNS * hemisphere : COLUMNS * (hemisphere + 1)])
            result.answered += answered
            result.leaves.append((a, reaches_host(config)))
        self._write(end, config, writes)
        trial.finish(actors)

    def _rows(self) -> list[Rows]:
        """Return when each target of the parallel converter is read in this entry."""
        plan = self.plan
        if not plan.limited:
            return [exact_rows(target) for target in plan.cadc]
        key = (self.substrate.specimen.seed, *self.key) if self.substrate.effects.noise else None
        return silicon_rows(plan.cadc, plan.base, plan.program.duration, key)

    def _configure(self, config: ChipConfig, start: int, result: EntryResult) -> None:
        """Take over the configuration of a stretch into the instruments."""
        readout = Readout.of(self.cells.values(config))
        for sampler in result.madc:
            sampler.readout = readout
        if self.plan.cadc:
            result.cadc.configure(start, self.substrate.cadc(config, self.cells), readout)

    def _write(self, at: int | str, config: ChipConfig, writes: Sequence[tuple[int, TimedWrite]]) -> None:
        """Do the writes of a tick or phase."""
        for n, write in writes:
            if write.at == at:
                config[(write.field, *write.key)] = write.value
                self.cells = self.cells.written_at(write.field, write.key, *self.key, "write", n)

    def _arrivals(self, result: EntryResult) -> tuple[Ticks, NDArray[np.uint16]]:
        """Return arrival ticks and labels of the input events that the link does not lose."""
        tick, label = self.plan.program.entries.entry(self.entry)
        kept = self.substrate.keep(tick, label.astype(np.int64), "in", *self.key)
        arrival = tick[kept] + self.plan.latency
        late = int(np.sum(arrival >= self.plan.program.duration))
        result.sent_in = len(tick)
        result.lost["link_loss", "fpga_to_chip"] = int(len(tick) - kept.sum())
        result.lost["after_end", "fpga_to_chip"] = late
        result.lost["no_receiver", "fpga_to_chip"] = 0
        n = len(arrival) - late
        return arrival[:n], label[kept][:n]

    def _row_events(
        self, config: ChipConfig, arrivals: tuple[Ticks, NDArray[np.uint16]], a: int, b: int, result: EntryResult
    ) -> tuple[tuple[RowEvents, ...], int]:
        i, j = np.searchsorted(arrivals[0], (a, b))
        tick, label = arrivals[0][i:j], arrivals[1][i:j]
        events, unanswered = resolve(row_table(config, np.unique(label)), tick, label)
        result.lost["no_receiver", "fpga_to_chip"] += unanswered
        for hemisphere, half in enumerate(events):
            result.synaptic_events += _matches(config, hemisphere, half)
        return events, len(tick) - unanswered

    def _kicks(self, config: ChipConfig, hemisphere: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return kick_volts(self.substrate.specimen, self.substrate.effects, self.cells.values(config), hemisphere, rows)

    def _lanes(self, trial: Trial, state: NDArray[np.float32], events: Sequence[RowEvents]) -> None:
        """Make the lanes of a stretch, with the rows that receive events in it."""
        plan, config = self.plan, trial.config
        for h in range(HEMISPHERES):
            mine = slice(COLUMNS * h, COLUMNS * (h + 1))
            columns = plan.active[(plan.active >= mine.start) & (plan.active < mine.stop)] - mine.start
            if len(columns) == 0:
                continue
            rows = np.unique(events[h].row).astype(np.int64)
            weights = aligned(COLUMNS * COLUMNS).reshape(COLUMNS, COLUMNS)
            weights[rows] = self._kicks(config, h, rows)
            receptor = config.synapse_row_mode[h].astype(np.uint8)
            observed = plan.observed[(plan.observed >= mine.start) & (plan.observed < mine.stop)] - mine.start
            synapses = Synapses(weights, np.ascontiguousarray(config.synapse_label[h]), receptor)
            lane = Lane(columns, observed, synapses, _noise_keys(h), self.substrate.seed("membrane", *self.key))
            lane.load(state[:, mine])
            trial.lanes[h] = lane

    def _finish(self, trial: Trial, result: EntryResult, probes: Sequence[ProbeSampler]) -> None:
        config, program = trial.config, self.plan.program
        tick, circuit = trial.spikes()
        inside = (tick >= 0) & (tick < program.duration)
        tick, circuit = tick[inside], circuit[inside]
        result.counters[:] = trial.counters(program.duration)
        self._write("after", config, self.writes)
        result.cells = self.cells
        for read in program.reads:
            if read.at == "after":
                result.reads[read.name] = result.counters[read.key] if read.field == "spike_counter" else np.array(config[read.field][read.key])
        stretch = np.searchsorted([start for start, _ in result.leaves], tick, side="right") - 1
        leaves = np.stack([mask for _, mask in result.leaves])[stretch, circuit]
        tick, circuit = tick[leaves], circuit[leaves]
        kept = self.substrate.keep(tick, circuit, "out", *self.key)
        result.sent_out = len(tick)
        result.lost["link_loss", "chip_to_fpga"] = int(len(tick) - kept.sum())
        tick, circuit = tick[kept], circuit[kept]
        wanted = self._recorded(tick, circuit)
        result.unrecorded = int(len(tick) - wanted.sum())
        result.spikes = in_order(tick[wanted] // STAMP_TICKS * STAMP_TICKS, circuit[wanted])
        result.probes = [probe.values for probe in probes]
        result.codes = result.cadc.codes((self.substrate.specimen.seed, *self.key))

    def _recorded(self, tick: Ticks, circuit: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which spikes the record of their snippet asks for."""
        program = self.plan.program
        snippet = np.searchsorted(self.plan.snippet_starts, tick, side="right") - 1
        wanted = np.zeros((len(program.snippets), CIRCUITS), bool)
        for k, s in enumerate(program.snippets):
            record = s.record or program.record
            wanted[k, slice(None) if record.spikes == "all" else list(record.spikes)] = True
        return wanted[snippet, circuit]


def _noise_keys(hemisphere: int) -> NDArray[np.uint32]:
    """Return a well-mixed constant for each column."""
    return np.random.Generator(np.random.Philox(hemisphere)).integers(0, 2**32, COLUMNS, np.uint32)


def _rest(p: CircuitParameters) -> NDArray[np.float32]:
    """Return the state of circuits that had no input for long, shape (field, circuit)."""
    state = np.zeros((N_DYNAMIC, len(p)), np.float32)
    offset = (p.i_source - p.i_sink + p.i_syn_rest) / np.maximum(p.g_leak, 1e-15)
    state[V] = np.clip(p.e_leak + offset, 0.0, p.v_supply) if p.saturating else p.e_leak + np.clip(offset, -1.0, 1.0)
    state[V] = np.minimum(state[V], p.v_threshold)  # a circuit whose leak lies above its threshold has been firing
    state[W] = p.w_rest + np.clip(p.a_adapt * (state[V] - p.v_adapt), -p.v_supply, p.v_supply)
    return state


def _reset_neurons(state: NDArray[np.float32], p: CircuitParameters) -> None:
    """Start the refractory period of all circuits, as the reset at the start of a trial does."""
    state[REFRACTORY] = (p.t_reset + p.t_holdoff) * 1e6
    state[ARMED] = 0.0


def _matches(config: ChipConfig, hemisphere: int, events: RowEvents) -> int:
    """Return how many synapses with a weight the events reached."""
    if len(events.tick) == 0:
        return 0
    pair, number = np.unique(events.row.astype(np.int64) * 64 + events.label, return_counts=True)
    row, label = pair // 64, pair % 64
    hit = (config.synapse_label[hemisphere][row] == label[:, None]) & (config.synapse_weight[hemisphere][row] > 0)
    return int((hit.sum(axis=1) * number).sum())
