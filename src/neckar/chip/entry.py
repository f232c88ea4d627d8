"""One entry (trial) of a program on a chip: what is known before it runs (:class:`Plan`, shared by all entries), and its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from neckar.chip import correlation
from neckar.chip.agenda import PLANES, RESET, Actor, Port, Trial, spike_counters
from neckar.chip.cadc import channels_of
from neckar.chip.cadc_recorder import CadcRecorder
from neckar.chip.cadc_timing import Rows, exact_rows, silicon_rows, targets_of
from neckar.chip.capmem import CapMem
from neckar.chip.carrier import Apart, Carrier, Together
from neckar.chip.compartments import NO_MEMBRANES, SWITCHES, Wiring
from neckar.chip.config import ChipConfig
from neckar.chip.coordinates import COLUMNS
from neckar.chip.cost import FixedCost
from neckar.chip.fabric import CIRCUITS, COUNTERS, Counts, Fabric, Stretch, answering, circulation, reached_rows
from neckar.chip.fire_logic import followed
from neckar.chip.madc import STAMP_TICKS, Sequencer, burst_grids, channel_grids, sample_rate
from neckar.chip.plasticity import Observables, Plasticity
from neckar.chip.probe import OpenProbe, n_samples
from neckar.chip.readout import Readout
from neckar.chip.rest import reset_neurons, resting_state
from neckar.chip.routing import HEMISPHERES, neuron_labels, ways_of
from neckar.chip.sampling import BurstSamplers, LineSampler, ProbeSampler
from neckar.chip.sensing import SensorBank
from neckar.chip.specimen import PIECE, keyed_reads, keyed_uniforms
from neckar.chip.substrate import Ready, Substrate
from neckar.chip.synapse_probes import DriverSampler
from neckar.chip.transfer import Config, idle_deviations, refuse_unsupported, relay_dead_time
from neckar.dynamics import (
    CONSTANT,
    NO_EVENTS,
    NO_RELAYS,
    STATE_NAMES,
    CircuitParameters,
    Coupling,
    Drivers,
    Followers,
    Lane,
    LaneGroup,
    Membranes,
    Relays,
    RowEvents,
    Segment,
    Sensors,
    SensorState,
    Synapses,
    driver_voltages,
    gather_followers,
    gather_relays,
    joined,
    new_drivers,
    reconfigured,
    record_kernel,
    shared_charge,
    undivided_step,
)
from neckar.errors import UnsupportedFeatureError
from neckar.facts import cost_brainscales2 as timing
from neckar.facts import registers
from neckar.program import TICK_S, Program, Record, TimedRead, TimedWrite, ticks

if TYPE_CHECKING:
    from neckar.ppu import Tracer

V = STATE_NAMES.index("v")
_NO_WEIGHTS = np.empty((COLUMNS, 0), np.float32)
LINE_FIELDS = tuple(STATE_NAMES.index(name) for name in ("v", "w", "s_exc", "s_inh"))

Ticks = NDArray[np.int64]
AnyProbe = TypeVar("AnyProbe", bound=OpenProbe)


class Plan:
    """What all entries of a program have in common: stretches, instruments, active circuits.

    Attributes
    ----------
    cuts : list of (int, list of mapping)
        Ticks at which circuit parameters or routing may change, with the snippets' deltas.
    channels : list of ChannelGrid
    bursts : list of BurstGrid
    cadc : list of Target
    probes : list of (Probe, ticks)
    driver_probes : list of (DriverProbe, ticks)
    sensor_probes : list of (SensorProbe, ticks)
    active : ndarray of int
        Circuits that are integrated.
    """

    def __init__(self, program: Program, base: ChipConfig, instruments: str, *, limited_links: bool, watched: bool = False) -> None:
        self.program, self.base, self.limited, self.limited_links = program, base, instruments == "silicon", limited_links
        self.counts_buses = limited_links or any(read.field in COUNTERS for read in program.reads)
        self.lead_ticks = int(ticks(timing.RESET_LEAD.value))
        starts = np.cumsum([0, *(s.duration for s in program.snippets)])
        self.snippet_starts = starts[:-1]
        self.deltas = {int(start): s.config for start, s in zip(starts, program.snippets, strict=False) if s.config}
        windows: list[tuple[Record, int, int]] = [
            (s.record or program.record, int(a), int(b)) for s, a, b in zip(program.snippets, starts, starts[1:], strict=False)
        ]
        sequencer = Sequencer.of(base)
        self.channels = channel_grids(sequencer, windows, share=self.limited)
        self.bursts = burst_grids(sequencer if self.limited else sequencer.unlimited(), windows)
        self.cadc = targets_of(windows)
        self.madc_rate_hz = max(sample_rate(base, record) for record, _, _ in windows)
        self.probes = _probes([(record.probe, a, b) for record, a, b in windows])
        self.driver_probes = _probes([(record.driver_probe, a, b) for record, a, b in windows])
        self.sensor_probes = _probes([(record.sensor_probe, a, b) for record, a, b in windows])
        self.rewrites = bool(self.deltas or program.writes or program.plasticity)  # otherwise all entries share the registers
        self.senses = self._senses()
        self.watches_sensors = self.senses or watched or bool(self.sensor_probes) or any(read.field in correlation.READS for read in program.reads)
        self.recorded = np.zeros(CIRCUITS, bool)
        for record, _, _ in windows:
            self.recorded[np.arange(CIRCUITS) if record.spikes == "all" else list(record.spikes)] = True
        switches = {name: self._switched(name) for name in SWITCHES}
        neurons = Wiring.of(switches).neurons
        self.connected = any(on.any() for on in switches.values())  # membranes, at any time
        self.follows = bool(self._ever(SLAVE).any() and self._ever(MASTER).any())  # circuits fire with others, at any time
        self._refuse_followers_past_membranes()
        self.active = _whole_neurons(np.flatnonzero(self._is_active(limited_links, watched)), neurons)
        self.is_active = np.zeros(CIRCUITS, bool)
        self.is_active[self.active] = True
        self.observed = _whole_neurons(np.array(self._observed(), np.int64), neurons)
        self._cost: dict[int, FixedCost] = {}

    @cached_property
    def inside(self) -> Stretch:
        """Where the circuits' own events go under the registers at the start."""
        return circulation(self.base, self.madc_rate_hz, self.limited_links)

    @cached_property
    def rows(self) -> tuple[NDArray[np.int32], ...]:
        """Rows of each hemisphere that events of circuits or from the FPGA may reach under the registers at the start."""
        return reached_rows(self.base, self.program.entries.label, self.inside)

    @cached_property
    def is_row(self) -> NDArray[np.bool_]:
        """Which rows are among `rows`, shape (hemisphere, row)."""
        found = np.zeros((HEMISPHERES, COLUMNS), bool)
        for h, rows in enumerate(self.rows):
            found[h, rows] = True
        return found

    def columns(self, hemisphere: int) -> NDArray[np.int64]:
        """Return the columns of a hemisphere whose circuits are integrated."""
        return self.active[self.active // COLUMNS == hemisphere] % COLUMNS

    @cached_property
    def lanes(self) -> tuple[Lane, ...]:
        """Lanes of both hemispheres under the registers at the start, without weights: trials take siblings of them."""
        return tuple(self.lane(self.base, h) for h in range(HEMISPHERES))

    def lane(self, config: ChipConfig, hemisphere: int) -> Lane:
        """Return the lane of a hemisphere under some registers, without weights."""
        observed = self.observed[self.observed // COLUMNS == hemisphere] % COLUMNS
        synapses = Synapses(_NO_WEIGHTS, np.ascontiguousarray(config.synapse_label[hemisphere]), config.synapse_row_mode[hemisphere].astype(np.uint8))
        return Lane(self.columns(hemisphere), observed, synapses, _noise_keys(hemisphere), 0)

    @cached_property
    def pieces(self) -> NDArray[np.int64] | None:
        """Pieces of circuits whose parameters matter to a recording: active ones, and those that the step depends on; None if others may join them."""
        if self.rewrites or self.program.sequential:
            return None
        needed = np.logical_or.reduce([self.is_active, *(np.asarray(self.base[name], bool) for name in _SWITCHES)])
        neurons = Wiring.of(self.base).neurons
        return np.unique(_whole_neurons(np.flatnonzero(needed), neurons) // PIECE)

    @cached_property
    def idle(self) -> frozenset[str]:
        """Deviations without influence on a recording: of parts that no circuit uses, if no instrument looks at a circuit and nobody goes on from its state."""
        return frozenset() if self.pieces is None or len(self.observed) else idle_deviations(self.base)

    @property
    def prepared(self) -> bool:
        """Whether a :class:`neckar.chip.substrate.Ready` holds for the trial."""
        return not (self.rewrites or self.program.sequential or self.connected or self.follows) and self.program.n_entries == 1

    @property
    def extent(self) -> int:
        """Ticks from the start of a trial after a reset to its end."""
        return self.lead_ticks + self.program.duration

    @cached_property
    def wanted(self) -> NDArray[np.bool_]:
        """Whether the record of each snippet asks for spikes of each circuit, shape (snippet, circuit)."""
        wanted = np.zeros((len(self.program.snippets), CIRCUITS), bool)
        for k, s in enumerate(self.program.snippets):
            record = s.record or self.program.record
            wanted[k, slice(None) if record.spikes == "all" else list(record.spikes)] = True
        return wanted

    @cached_property
    def active_circuits(self) -> tuple[int, ...]:
        """The circuits of `active`."""
        return tuple(self.active.tolist())

    def cost(self, n_resets: int) -> FixedCost:
        """Return what all runs with so many neuron resets cost."""
        if n_resets not in self._cost:
            self._cost[n_resets] = FixedCost(self.program, n_resets)
        return self._cost[n_resets]

    def _observed(self) -> list[int]:
        """Return the circuits that an instrument looks at."""
        groups: list[tuple[int, ...]] = [*(target.circuits for target in self.cadc), *(probe.circuits for probe, _ in self.probes)]
        groups += [grid.bursts.circuits for grid in self.bursts]
        return sorted({circuit for grid in self.channels for circuit in grid.circuits}.union(*groups))

    def _is_active(self, limited_links: bool, watched: bool) -> NDArray[np.bool_]:
        """Return which circuits are integrated: observed ones, and those that fire and are recorded, counted, heard by others or in their way.

        `limited_links`: bandwidth is limited. `watched`: actors may count any circuit. Circuits that fire past their membrane alone are not integrated.
        """
        program = self.program
        if program.sequential:  # the next entry, and perhaps the next program, goes on from the state of all circuits
            return np.ones(CIRCUITS, bool)
        fires = self._ever("threshold_enable") | self._ever(SLAVE)
        wanted = self.recorded | watched | self.senses | self._heard()
        counted = any(read.field in COUNTERS for read in program.reads)
        if counted or (limited_links and wanted.any()):
            wanted |= self._ever("event_routing_enable_digital")
        for read in program.reads:
            if read.field.startswith("spike_counter"):
                wanted[read.key] = True
        active = fires & wanted
        active[self._observed()] = True
        for task in program.plasticity:
            if "get_analog_readouts" in task.kernel:
                active[[COLUMNS * view.hemisphere + column for view in task.neurons for column in view.columns]] = True
        if (active & self._ever(SLAVE)).any():
            active |= fires & self._ever(MASTER)
        return active

    def _refuse_followers_past_membranes(self) -> None:
        both = self._switched(SLAVE) & (self._switched(BYPASS[0]) | self._switched(BYPASS[1])) & self.follows
        if both.any():
            raise UnsupportedFeatureError(
                f"circuit {np.flatnonzero(both)[0]} fires past its membrane ({BYPASS[0]} or its inhibitory twin) and with a master ({SLAVE}), in one "
                "program; allowed is one of the two. Switch one of them off for this circuit, or let its master fire past the membrane."
            )

    def _ever(self, name: str) -> NDArray[np.bool_]:
        """Return for which circuits a switch is on at any time."""
        return self._switched(name) | any(write.field == name for write in self.program.writes)

    def _senses(self) -> bool:
        """Return whether correlation sensors take charge at any time."""
        written = [w.field for w in self.program.writes if w.value.any()]
        configs: list[Config] = [self.base, *self.deltas.values()]
        return all(any(np.any(config[name]) for config in configs if name in config) or name in written for name in correlation.CELLS)

    def _switched(self, name: str) -> NDArray[np.bool_]:
        """Return for which circuits a switch is on at any time, in any entry."""
        on = np.array(self.base[name], bool)
        for delta in self.deltas.values():
            on |= np.asarray(delta.get(name, False), bool)
        for write in self.program.writes:
            if write.field == name:
                on[write.key] |= np.asarray(write.value, bool)
        return on

    def _heard(self) -> NDArray[np.bool_]:
        """Return which circuits may send events to synapses at any time."""
        if any(write.field in ROUTING for write in self.program.writes):
            return np.ones(CIRCUITS, bool)
        heard, config = _heard_under(self.base), self.base
        for _, delta in sorted(self.deltas.items()):
            config = config.updated(delta)
            if not ROUTING.isdisjoint(delta):
                heard |= _heard_under(config)
        return heard


SLAVE, MASTER = "bayesian_enable_slave", "bayesian_enable_master"
BYPASS = "event_routing_enable_bypass_excitatory", "event_routing_enable_bypass_inhibitory"

_SWITCHES = ("threshold_enable", "excitatory_input_enable", "inhibitory_input_enable", "exponential_enable", "adaptation_enable")
"""Without these, a circuit has no influence on the engine's step."""

_WAYS = "crossbar_mask", "crossbar_target", "driver_", "padi_", "event_routing_", "synapse_row_mode"
ROUTING = frozenset(name for name in registers("brainscales2") if name.startswith(_WAYS))


def _whole_neurons(circuits: NDArray[np.int64], neurons: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return some circuits and all whose membranes are joined or connected with theirs."""
    return np.flatnonzero(np.isin(neurons, neurons[circuits])) if len(circuits) else circuits


def _heard_under(config: ChipConfig) -> NDArray[np.bool_]:
    ways = ways_of(config, *neuron_labels(config))
    return np.bincount(ways.origin[ways.answered], minlength=CIRCUITS) > 0


def refuse_changes(program: Program) -> None:
    """Refuse what a snippet or a write would change in the middle of a run, and reads without a model there; what holds at its start is refused when it starts.

    Raises
    ------
    UnsupportedFeatureError
    """
    table = registers("brainscales2")
    for read in program.reads:
        if read.field in (*COUNTERS, "cadc_debug") and not isinstance(read.at, str):
            raise UnsupportedFeatureError(
                f'read {read.name!r} looks at {read.field} at tick {read.at}; allowed are at="before" and at="after". Read it after the run.'
            )
    for k, snippet in enumerate(program.snippets):
        if snippet.config:
            refuse_unsupported(snippet.config, where=f"snippets[{k}]: ")
    for k, write in enumerate(program.writes):
        if table[write.field].axes != ("hemisphere", "row", "column"):
            codes = table[write.field].default_array()
            codes[write.key] = write.value
            refuse_unsupported({write.field: codes}, where=f"writes[{k}]: ")


def _probes(windows: Sequence[tuple[Sequence[AnyProbe], int, int]]) -> list[tuple[AnyProbe, Ticks]]:
    """Return the distinct probes and the ticks of their samples, which lie in windows from tick to tick."""
    found: dict[AnyProbe, list[Ticks]] = {}
    for probes, a, b in windows:
        for probe in probes:
            found.setdefault(probe, []).append(np.arange(n_samples(probe, a), n_samples(probe, b), dtype=np.int64) * probe.interval)
    return [(probe, np.concatenate(grids)) for probe, grids in found.items()]


@dataclass(eq=False)
class EntryResult:
    """What one entry yields."""

    config: ChipConfig
    cells: CapMem
    state: NDArray[np.float32]  # (field, circuit)
    drivers: Sequence[Drivers]  # of each hemisphere
    end: int  # tick of the result
    counted: NDArray[np.int64]  # spikes in the spike counters
    spikes: tuple[Ticks, NDArray[np.int64]]
    unrecorded: int
    madc: list[LineSampler]
    cadc: CadcRecorder
    bursts: BurstSamplers
    reads: dict[str, NDArray]
    steps: list[int]
    synaptic_events: int = 0
    codes: list[NDArray[np.uint8]] = field(default_factory=list)  # of each target of the parallel converter
    probes: list[NDArray[np.float32]] = field(default_factory=list)  # (signal, sample, circuit) of each
    driver_probes: list[NDArray[np.float32]] = field(default_factory=list)  # (signal, sample, driver) of each
    sensor_probes: list[NDArray[np.float32]] = field(default_factory=list)  # (signal, sample, row, column) of each
    events: Counts = field(default_factory=Counts)
    sensors: tuple[SensorState, ...] | None = None
    observables: Observables = field(default_factory=dict)
    loops: tuple[Ticks, NDArray[np.int64]] = (np.empty(0, np.int64),) * 2

    @property
    def voltages(self) -> NDArray[np.float64]:
        """Of the drivers, V, shape (hemisphere, driver)."""
        return _voltages(self.drivers, self.end)


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
    seed : (int, int)
        Of the run.
    entry : int
    cells : CapMem
        What the analog parameter cells hold when the program starts.
    actors : sequence of Actor
        Act besides the playback.
    tracer : callable, optional
        Sees the invocations of plasticity rules.
    ready : Ready, optional
        Step and state to start with, if they have been computed.
    """

    def __init__(
        self,
        substrate: Substrate,
        plan: Plan,
        seed: tuple[int, int],
        entry: int,
        cells: CapMem,
        actors: Sequence[Actor],
        tracer: Tracer | None = None,
        ready: Ready | None = None,
    ) -> None:
        self.ready = ready
        self.substrate, self.plan, self.entry, self.cells, self.actors, self.tracer = substrate, plan, entry, cells, actors, tracer
        self.key = (*seed, entry)
        self.writes = [(n, w) for n, w in enumerate(plan.program.writes) if w.entry is None or w.entry == entry]

    def execute(
        self,
        before: NDArray[np.float32] | None = None,
        config: ChipConfig | None = None,
        counted: NDArray[np.int64] | None = None,
        cells: CapMem | None = None,
        drivers: NDArray[np.float64] | None = None,
        sensors: Sequence[SensorState] | None = None,
    ) -> EntryResult:
        """Run the entry.

        The arguments are circuits, registers, spikes in the spike counters, analog parameter cells and drivers if it goes on from another entry, and
        correlation sensors, which stay until they are reset.
        """
        plan, program = self.plan, self.plan.program
        config, self.cells, stays = config or plan.base, cells or self.cells, not (plan.rewrites or self.actors)
        if not stays:
            config = config.copy()
        self._write("before", config, self.writes)
        start = 0 if before is not None else -plan.lead_ticks
        parameters = self.substrate.physical(config, self.cells)
        state = before.copy() if before is not None else self.ready.state if self.ready is not None else self._initial_state(parameters, config)
        counted = np.zeros(CIRCUITS, np.int64) if counted is None else counted
        voltages: list[NDArray[np.float64] | None] = [None] * HEMISPHERES if drivers is None else list(drivers)
        at_rest = [new_drivers(p, start, u) for p, u in zip(self.substrate.drivers(config, self.cells), voltages, strict=True)]
        bank = self._bank(config, sensors, start, before is None and program.neuron_reset)
        fabric = Fabric(self.substrate, self.key, program.duration, plan.madc_rate_hz, plan.inside if stays else None)
        reads = self._read("before", config, counted, fabric, at_rest, bank, start)
        samplers = [LineSampler(grid.circuits, grid.ticks, grid.channel.source) for grid in plan.channels]
        bursts = BurstSamplers(plan.bursts)
        cadc = CadcRecorder(plan.cadc, self._rows())
        probes = [ProbeSampler(p.circuits, grid, p.signals) for p, grid in plan.probes]
        nothing = np.zeros(CIRCUITS, np.int64), (np.empty(0, np.int64),) * 2, 0
        of_drivers = [DriverSampler(p, grid, at_rest[p.hemisphere]) for p, grid in plan.driver_probes]
        of_sensors = [] if bank is None else [bank.watch(p, grid) for p, grid in plan.sensor_probes]
        result = EntryResult(config, self.cells, state, at_rest, program.duration, *nothing, samplers, cadc, bursts, reads, [])
        fabric.send(*program.entries.entry(self.entry), config)
        timed = [(n, w) for n, w in self.writes if not isinstance(w.at, str)]
        playback = _Playback([w for _, w in timed if w.field in (*PLANES, RESET)], [r for r in program.reads if not isinstance(r.at, str)], reads)
        trial = Trial(config, [*samplers, *bursts.samplers, *cadc.samplers, *probes], self._kicks, counted, at_rest, bank, of_drivers)
        plasticity = Plasticity(program.plasticity, program.duration, (self.substrate.specimen.seed, *self.key), self.tracer)
        actors: list[Actor] = [playback, *plasticity.actors, *self.actors]
        try:
            self._stretches(trial, fabric, state, start, [(n, w) for n, w in timed if w.field not in (*PLANES, RESET)], actors, result)
            self._finish(trial, fabric, result)
            plasticity.finish()
            result.observables = plasticity.observables()
        finally:
            plasticity.close()
        plasticity.count(result.events)
        result.probes = [sampler.values for sampler in probes]
        result.driver_probes = [sampler.values for sampler in of_drivers]
        result.sensor_probes = [sampler.values for sampler in of_sensors]
        return result

    def _stretches(
        self,
        trial: Trial,
        fabric: Fabric,
        state: NDArray[np.float32],
        start: int,
        writes: Sequence[tuple[int, TimedWrite]],
        actors: Sequence[Actor],
        result: EntryResult,
    ) -> None:
        plan, config, end = self.plan, trial.config, self.plan.program.duration
        cuts = sorted({start, *plan.deltas, *(int(w.at) for _, w in writes if int(w.at) < end), end})
        carried: tuple[RowEvents, ...] = (NO_EVENTS,) * HEMISPHERES
        for a, b in pairwise(cuts):
            if a in plan.deltas:
                config.apply(plan.deltas[a])
                self.cells = self.cells.written(plan.deltas[a], config, *self.key, "snippet", a)
            self._write(a, config, writes)
            parameters = self.substrate.physical(config, self.cells)
            trial.drivers = [reconfigured(*pair, a) for pair in zip(trial.drivers, self.substrate.drivers(config, self.cells), strict=True)]
            membranes = self.substrate.membranes(config, self.cells) if plan.connected else NO_MEMBRANES
            state[V] = shared_charge(parameters, membranes, state[V])
            ready = self.ready
            if ready is None:
                together, followers = joined(parameters, membranes), followed(config)[1] if plan.follows else np.empty(0, np.int64)
                step, tau = self.substrate.step(together, followers)
                if len(followers) and len(membranes):
                    step = undivided_step(membranes, parameters, together, followers, step)
            else:
                step, tau = ready.step, ready.tau
            result.steps.append(step)
            self._configure(config, a, result)
            stretch = fabric.stretch(config, a, b)
            carrier = self._carrier(trial, fabric, stretch, carried, b, parameters, membranes, result)
            for sampler in trial.driver_samplers:
                h = sampler.hemisphere
                sampler.reconfigure(trial.drivers[h].parameters, config.synapse_row_mode[h], a)
            for h, lane in carrier.lanes.items():
                lane.load(state[:, COLUMNS * h : COLUMNS * (h + 1)])
            if trial.sensors is not None:
                outputs = self.substrate.sensor_outputs(config, self.cells)
                trial.sensors.reconfigure(self.substrate.sensors(config, self.cells), config, outputs, refractory_ticks(parameters), a)
                if RESET in plan.deltas.get(a, ()):
                    trial.sensors.reset(config[RESET].astype(bool), a)
            features = parameters.features if ready is None else ready.features
            features = features._replace(plastic=_plastic(trial.drivers), sensed=plan.senses or bool(plan.driver_probes))
            trial.analog = partial(self._analog, state)  # does not hold the trial, so that its memory is free when it ends
            halves = [parameters.take(slice(COLUMNS * h, COLUMNS * (h + 1))) for h in range(HEMISPHERES)]
            prepared = ({},) * HEMISPHERES if ready is None else ready.lanes
            trial.run([Segment(half, a, b, step, tau, features, known) for half, known in zip(halves, prepared, strict=True)], carrier, actors)
            for h, lane in carrier.lanes.items():
                lane.store(state[:, COLUMNS * h : COLUMNS * (h + 1)])
            if isinstance(carrier, Together):
                fabric.count_exchange(stretch, carrier.group)
                result.synaptic_events += int(carrier.group.queue.arrived[: len(stretch.answers)] @ stretch.answers)
                for h, (row, label, number) in enumerate(carrier.group.carried_arrivals()):
                    result.synaptic_events += int(answering(config, h, row, label) @ number)
            carried = carrier.leftover(b) if b < end else carried
        self._write(end, config, writes)
        trial.finish(actors)

    def _analog(self, state: NDArray[np.float32], trial: Trial, hemisphere: int, tick: int) -> NDArray[np.uint8]:
        """Return what the parallel converter reads of the membranes of a hemisphere, as a processor sees them."""
        readout, transfer = Readout.of(self.cells.values(trial.config)), self.substrate.cadc(trial.config, self.cells)
        mine = np.arange(COLUMNS) + COLUMNS * hemisphere
        half = state[:, mine]
        if trial.carrier is not None and hemisphere in trial.carrier.lanes:
            trial.carrier.lanes[hemisphere].store(half)
        dense = np.zeros((COLUMNS, 1, 5), np.float32)
        dense[:, 0, : len(LINE_FIELDS)] = half[list(LINE_FIELDS)].T
        potential = readout.potential("membrane", dense, mine)[:, 0]
        channels = channels_of(mine)
        key = self.substrate.specimen.seed, *self.key
        noise = keyed_reads(np.array([tick]), channels, "cadc", *key)[0] if transfer.noise else None
        return transfer.codes(potential, channels, noise)

    def _initial_state(self, parameters: CircuitParameters, config: ChipConfig) -> NDArray[np.float32]:
        """Return the circuits' state when a trial starts: after long rest; those that fire by themselves are anywhere between two spikes."""
        key = self.substrate.specimen.seed, *self.key
        phase = keyed_uniforms(CIRCUITS, "phase", *key) if self.substrate.effects.noise else None
        state = resting_state(parameters, self.substrate.membranes(config, self.cells), phase)
        if self.plan.program.neuron_reset:
            reset_neurons(state, parameters)
        return state

    def _bank(self, config: ChipConfig, states: Sequence[SensorState] | None, start: int, neuron_reset: bool) -> SensorBank | None:
        """Return the correlation sensors, if anybody looks at them now or did before; a neuron reset empties those of row 0, as on silicon."""
        plan = self.plan
        if states is None and not plan.watches_sensors:
            return None
        parameters = self.substrate.sensors(config, self.cells)
        before = [SensorState.empty()] * HEMISPHERES if states is None else [state.later(-start) for state in states]
        bank = SensorBank([Sensors(parameters[h], config.synapse_label[h], before[h]) for h in range(HEMISPHERES)], self._sensor_codes, plan.senses)
        rows = np.zeros((HEMISPHERES, COLUMNS), bool)
        rows[:, 0] = neuron_reset
        if RESET in plan.program.config or any(w.field == RESET and w.at == "before" for _, w in self.writes):
            rows |= config[RESET].astype(bool)
        bank.reset(rows, start)
        bank.advance(start)
        return bank

    def _sensor_codes(self, config: ChipConfig, hemisphere: int, rows: NDArray[np.int64], charge: NDArray[np.float32], tick: int) -> NDArray[np.uint8]:
        return self.substrate.sensor_readings(config, self.cells, hemisphere, rows, charge, *self.key, tick)

    def _read(
        self,
        phase: str,
        config: ChipConfig,
        counted: NDArray[np.int64],
        fabric: Fabric,
        drivers: Sequence[Drivers],
        sensors: SensorBank | None,
        tick: int,
    ) -> dict[str, NDArray]:
        """Return what the reads of a phase yield, which lies at a tick."""
        reads = [read for read in self.plan.program.reads if read.at == phase]
        if not reads:
            return {}
        found: dict[str, NDArray[Any]] = {
            **spike_counters(counted),
            **fabric.counters,
            "driver_voltage": _voltages(drivers, tick).astype(np.float32),
            **self._debug_line(phase, config, tick),
        }
        for read in reads:
            if sensors is not None and read.field in correlation.READS and read.field not in found:
                found[read.field] = sensors.read(config, read.field, (), tick, (np.empty(0, np.int64),) * 2)
        return {read.name: np.array((found[read.field] if read.field in found else config[read.field])[read.key]) for read in reads}

    def _debug_line(self, phase: str, config: ChipConfig, tick: int) -> dict[str, NDArray[Any]]:
        """Return what the parallel converter reads of the debug line, if a read of the phase asks for it."""
        if not any(read.field == "cadc_debug" and read.at == phase for read in self.plan.program.reads):
            return {}
        return {"cadc_debug": self.substrate.debug_readings(config, self.cells, *self.key, tick)}

    def _rows(self) -> list[Rows]:
        """Return when each target of the parallel converter is read in this entry."""
        plan = self.plan
        if not plan.cadc:
            return []
        if not plan.limited:
            return [exact_rows(target) for target in plan.cadc]
        key = (self.substrate.specimen.seed, *self.key) if self.substrate.effects.noise else None
        return silicon_rows(plan.cadc, plan.base, plan.program.duration, key)

    def _configure(self, config: ChipConfig, start: int, result: EntryResult) -> None:
        """Take over the configuration of a stretch into the instruments."""
        if not (result.madc or result.bursts.samplers or self.plan.cadc):
            return
        readout = Readout.of(self.cells.values(config))
        for sampler in (*result.madc, *result.bursts.samplers):
            sampler.readout = readout
        if self.plan.cadc:
            result.cadc.configure(start, self.substrate.cadc(config, self.cells), readout)

    def _carrier(
        self,
        trial: Trial,
        fabric: Fabric,
        stretch: Stretch,
        carried: Sequence[RowEvents],
        end: int,
        parameters: CircuitParameters,
        membranes: Membranes,
        result: EntryResult,
    ) -> Carrier:
        """Return the circuits of a stretch with the rows that receive events in it."""
        config = trial.config
        carried = [_heard_on(config, h, events) for h, events in enumerate(carried)]
        relayed = stretch.relayed
        sends = (stretch.reaches_bus if self.plan.counts_buses else stretch.reaches_rows) & self.plan.is_active
        followers = self._followers(trial, parameters)
        if not relayed.any() and not sends.any() and not len(membranes) and followers is None:
            events = [_joined(*pair) for pair in zip(carried, fabric.row_events(stretch, config), strict=True)]
            for h, half in enumerate(events):
                now = half.between(-(2**62), end)
                result.synaptic_events += int(answering(config, h, now.row, now.label).sum())
            used = range(HEMISPHERES) if _plastic(trial.drivers) else np.unique(self.plan.active // COLUMNS).tolist()
            return Apart({h: self._lane(trial, h, np.unique(events[h].row)) for h in used}, events)
        rows = [np.union1d(events.row, mine) if len(events.row) else mine for events, mine in zip(carried, stretch.rows, strict=True)]
        lanes = [self._lane(trial, h, rows[h]) for h in range(HEMISPHERES)]
        relays = [self._relays(trial, h, lanes[h], relayed) for h in range(HEMISPHERES)]
        coupling = Coupling(membranes, parameters) if len(membranes) else None
        return Together(LaneGroup(lanes, relays, stretch.tables, fabric.free, carried, coupling, stretch.hits, followers), fabric.outside(stretch))

    def _followers(self, trial: Trial, parameters: CircuitParameters) -> Followers | None:
        """Return the integrated circuits that fire with others."""
        if not self.plan.follows:
            return None
        columns, observed = ([chosen[chosen // COLUMNS == h] % COLUMNS for h in range(HEMISPHERES)] for chosen in (self.plan.active, self.plan.observed))
        return gather_followers(followed(trial.config), refractory_ticks(parameters), trial.states_high, columns, observed)

    def _relays(self, trial: Trial, h: int, lane: Lane, relayed: NDArray[np.bool_]) -> Relays:
        """Return the circuits of a hemisphere that fire past their membrane."""
        mine, config = slice(COLUMNS * h, COLUMNS * (h + 1)), trial.config
        if not relayed[mine].any():
            return NO_RELAYS._replace(ready=trial.relays_ready[h])
        columns = np.flatnonzero(relayed[mine])
        lines = np.stack([config[f"event_routing_enable_bypass_{kind}"][mine][columns] for kind in ("excitatory", "inhibitory")]).astype(bool)
        refractory = np.round(relay_dead_time(config)[mine][columns] / TICK_S).astype(np.int64)
        observed = lane.columns[lane.observed]
        return gather_relays(columns, lane.columns, observed, lines, config.synapse_label[h], config.synapse_weight[h], refractory, trial.relays_ready[h])

    def _write(self, at: int | str, config: ChipConfig, writes: Sequence[tuple[int, TimedWrite]]) -> None:
        """Do the writes of a tick or phase."""
        for n, write in writes:
            if write.at == at:
                config[(write.field, *write.key)] = write.value
                self.cells = self.cells.written_at(write.field, write.key, *self.key, "write", n)

    def _kicks(self, config: ChipConfig, hemisphere: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.substrate.kick_volts(config, self.cells, hemisphere, rows, np.arange(COLUMNS))

    def _lane(self, trial: Trial, h: int, rows: NDArray[np.int32]) -> Lane:
        """Return the lane of a hemisphere; `rows` may receive events."""
        plan, config, ready = self.plan, trial.config, self.ready
        lane = plan.lanes[h] if config is plan.base else plan.lane(config, h)
        if ready is not None and plan.is_row[h, rows].all():
            rows, kicks = plan.rows[h], ready.kicks[h]
        else:
            kicks = self.substrate.kick_volts(config, self.cells, h, rows.astype(np.int64), lane.columns)
        return lane.sibling(rows, kicks, self.substrate.seed("membrane", *self.key), trial.drivers[h])

    def _finish(self, trial: Trial, fabric: Fabric, result: EntryResult) -> None:
        config, program = trial.config, self.plan.program
        tick, circuit, leaves = trial.spikes()
        result.counted[:] = trial.counted(program.duration)
        self._write("after", config, self.writes)
        result.cells = self.cells
        if trial.sensors is not None:
            if any(w.field == RESET and w.at == "after" for _, w in self.writes):
                trial.sensors.reset(config[RESET].astype(bool), program.duration)
            trial.sensors.advance(program.duration)
            result.sensors = tuple(state.later(program.duration) for state in trial.sensors.states())
        for sampler in trial.driver_samplers:
            sampler.take(NO_EVENTS, program.duration)
        at_host, spike, result.loops = fabric.to_host(tick, circuit, leaves, config)
        result.drivers = trial.drivers
        result.reads.update(self._read("after", config, result.counted, fabric, trial.drivers, trial.sensors, program.duration))
        recorded = record_kernel()(tick, circuit, at_host, spike, self.plan.snippet_starts, self.plan.wanted, STAMP_TICKS)
        result.unrecorded = len(spike) - recorded
        result.spikes = at_host[:recorded], spike[:recorded]
        result.events = fabric.counts
        result.codes = result.cadc.codes((self.substrate.specimen.seed, *self.key))


def refractory_ticks(parameters: CircuitParameters) -> Ticks:
    """Return how long each circuit is refractory after a spike, in ticks."""
    return np.round(np.minimum(parameters.t_reset + parameters.t_holdoff, 1e6) / TICK_S).astype(np.int64)


def _voltages(drivers: Sequence[Drivers], tick: int) -> NDArray[np.float64]:
    """Return the voltages of the drivers of both hemispheres, V, shape (hemisphere, driver)."""
    return np.stack([driver_voltages(half, tick) for half in drivers])


def _plastic(drivers: Sequence[Drivers]) -> bool:
    """Return whether any driver sends pulses of changing length."""
    return any(bool((half.parameters.kind != CONSTANT).any()) for half in drivers)


@cache
def _noise_keys(hemisphere: int) -> NDArray[np.uint32]:
    """Return a well-mixed constant for each column."""
    return np.random.Generator(np.random.Philox(hemisphere)).integers(0, 2**32, COLUMNS, np.uint32)


def _heard_on(config: ChipConfig, hemisphere: int, events: RowEvents) -> RowEvents:
    """Return the events whose row is still switched on."""
    if not len(events.row):
        return events
    on = config.synapse_row_mode[hemisphere][events.row] > 0
    return events if on.all() else RowEvents(events.tick[on], events.row[on], events.label[on])


def _joined(first: RowEvents, second: RowEvents) -> RowEvents:
    """Return two lists of events as one, ascending in tick."""
    if len(first.tick) == 0:
        return second
    tick = np.concatenate([first.tick, second.tick])
    order = np.argsort(tick, kind="stable")
    return RowEvents(tick[order], np.concatenate([first.row, second.row])[order], np.concatenate([first.label, second.label])[order])
