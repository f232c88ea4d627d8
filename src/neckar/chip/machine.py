"""The BrainScaleS-2 chip as a Machine: a Program goes in, a Recording and the chip's state come out.

A run is a list of entries; an entry is a list of stretches of constant circuit parameters. Each stretch is carried by the engine between the actors
of the agenda. An entry starts 4 us before its tick 0 from the circuits' rest, if the program asks for it with a neuron reset; with ``sequential`` the next
entry goes on from the state of the last.

The plasticity processors (:mod:`neckar.ppu`) are actors of the agenda.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from neckar.chip.agenda import COUNTER_STATES, Actor, spike_counters
from neckar.chip.background import check_memory as check_background
from neckar.chip.cadc_timing import check_cadc
from neckar.chip.capmem import CELLS, CapMem
from neckar.chip.config import ChipConfig
from neckar.chip.cost import estimate, n_repetitions, waiting_ticks
from neckar.chip.effects import Effects
from neckar.chip.entry import EntryResult, EntryRun, Plan, refuse_changes
from neckar.chip.fabric import CIRCUITS, Counts
from neckar.chip.instruments import checked_instruments
from neckar.chip.madc import STAMP_TICKS, check_channels, conversion_ticks, convert, external_potential
from neckar.chip.plasticity import check_plasticity
from neckar.chip.probe import UNITS, OpenProbe, check_memory
from neckar.chip.specimen import Specimen, keyed_normals, keyed_normals_of
from neckar.chip.substrate import Ready, Substrate, starts
from neckar.chip.synapse_probes import DRIVER_UNITS, SENSOR_UNITS
from neckar.chip.transfer import MadcTransfer
from neckar.dynamics import SensorState
from neckar.errors import ConfigurationError, ParameterRangeError, UnsupportedFeatureError
from neckar.facts import brainscales2 as facts
from neckar.program import (
    CALIBRATION_LABEL,
    TICK_S,
    BurstSamples,
    CadcSamples,
    DriverProbeSamples,
    Events,
    Losses,
    MachineState,
    ProbeSamples,
    Program,
    Provenance,
    Recording,
    Samples,
    SensorProbeSamples,
    Spikes,
)
from neckar.program._provenance import FrozenJson
from neckar.program._time import whole_ticks

if TYPE_CHECKING:
    from neckar.ppu import Tracer

OpenSamples = TypeVar("OpenSamples", ProbeSamples, DriverProbeSamples, SensorProbeSamples)

MODEL_VERSION = "2026.24"
DEFAULT_STEP_TICKS = 250


class Chip:
    """One virtual BrainScaleS-2 chip.

    Parameters
    ----------
    specimen : Specimen
        Which chip.
    effects : Effects
        Which imperfections act.
    instruments : {"silicon", "open"}
        Whether the limits of the real instruments hold.
    step_us : float, optional
        Largest integration step in us of hardware time, a multiple of 0.002; 0.5 by default. Fast circuits make it shorter.
    threads : int, optional
        Entries run in so many threads; all processors by default. No influence on the result.

    Raises
    ------
    UnknownNameError
        If the instruments do not exist.
    ParameterRangeError
        If there is no thread, or the step is not a positive multiple of 0.002 us.
    """

    def __init__(
        self,
        specimen: Specimen,
        effects: Effects,
        *,
        instruments: Literal["silicon", "open"] | str = "silicon",
        step_us: float | None = None,
        threads: int | None = None,
    ) -> None:
        if threads is not None and threads < 1:
            raise ParameterRangeError(f"threads is {threads}; allowed is at least 1, or None for all processors. Choose one of these.")
        self.specimen, self.effects, self.instruments = specimen, effects, checked_instruments(instruments)
        self.step_ticks = DEFAULT_STEP_TICKS if step_us is None else whole_ticks(step_us, "step_us")
        self.threads = threads if threads is not None else os.cpu_count() or 1
        self._substrate = Substrate(specimen, effects, self.step_ticks)
        self._held: tuple[MachineState, ChipConfig] | None = None

    def run(
        self, program: Program, state: MachineState | None = None, *, actors: Sequence[Actor] = (), tracer: Tracer | None = None
    ) -> tuple[Recording, MachineState]:
        """Run a program.

        Parameters
        ----------
        program : Program
        state : MachineState, optional
            What the chip holds before; None: everything at its default, as after a reset.
        actors : sequence of Actor
            Act on entry 0 besides the program's own playback and its plasticity processors.
        tracer : callable, optional
            Called with each :class:`neckar.ppu.Invocation` of a plasticity rule when it has ended; the entries then run one after the other.

        Returns
        -------
        recording : Recording
        state : MachineState
            What the chip holds afterwards.

        Raises
        ------
        UnsupportedFeatureError, ConfigurationError, MemoryLimitError
            Before anything runs, if the program asks for something without a model, for more than the instruments can do, or for more memory than
            there is. Only what an actor writes, or a write before a single entry, is refused when it comes.
        """
        began = time.perf_counter()
        plan, seed = self._plan(program, state, watched=len(actors) > 0), program.run_seed or (0, 0)
        written = CELLS if state is None else program.config
        cells = self._substrate.capmem(state).written(written, plan.base, *seed, "config")
        results = self._execute(plan, seed, cells, state, actors, tracer)
        resets = _resets(program, state)
        final = results[-1].config
        after = MachineState(
            machine=program.machine,
            registers=final.as_mapping(),
            analog={
                "circuits": results[-1].state[None, None],
                "integrated": plan.is_active[None, None, None],
                "drivers": results[-1].voltages[None, None],
                **_as_arrays(results[-1].sensors),
            },
            counters=spike_counters(results[-1].counted),
            capmem=results[-1].cells.jitter,
            runs=(state.runs if state else 0) + 1,
        )
        self._held = (after, final)
        return self._recording(plan, seed, results, resets, time.perf_counter() - began), after

    def _plan(self, program: Program, state: MachineState | None, watched: bool = False) -> Plan:
        """Return what is known before a program runs, after all checks."""
        self._refuse(program)
        base = self._registers(state)
        base.apply(program.config, checked=True)
        if self.instruments == "silicon":
            check_cadc(program, base)
        check_memory(program, conversion_ticks(base), share=self.instruments == "silicon")
        check_background(program, base, min(1 if program.sequential else self.threads, program.n_entries))
        return Plan(program, base, self.instruments, limited_links=self.effects.event_loss, watched=watched or len(program.plasticity) > 0)

    def _refuse(self, program: Program) -> None:
        if program.machine != "brainscales2":
            raise UnsupportedFeatureError(f"the program is for {program.machine!r}; this machine is a BrainScaleS-2 chip. Run it on a machine of its kind.")
        if program.duration > facts.RUN_TICKS_MAX:
            raise ConfigurationError(
                f"each trial of the program takes {program.duration} ticks of 2 ns, {program.duration * TICK_S:.9f} s, in {len(program.snippets)} snippets; "
                f"allowed are {facts.RUN_TICKS_MAX} ticks, {facts.RUN_TICKS_MAX * TICK_S:.9f} s, as many as the time stamps of the FPGA count. Shorten the "
                "snippets, or divide them into several programs; sequential programs go on from each other."
            )
        check_plasticity(program)
        if self.instruments == "silicon":
            check_channels(program.record.madc, "record")
            for k, snippet in enumerate(program.snippets):
                if snippet.record is not None:
                    check_channels(snippet.record.madc, f"snippets[{k}].record")
        refuse_changes(program)

    def _registers(self, state: MachineState | None) -> ChipConfig:
        if state is None:
            return ChipConfig.default()
        held = self._held
        if held is not None and held[0] is state:
            return held[1].copy()
        return ChipConfig(state.registers)

    def _execute(
        self,
        plan: Plan,
        seed: tuple[int, int],
        cells: CapMem,
        state: MachineState | None,
        actors: Sequence[Actor] = (),
        tracer: Tracer | None = None,
        ready: Ready | None = None,
    ) -> list[EntryResult]:
        runs = [EntryRun(self._substrate, plan, seed, e, cells, actors if e == 0 else (), tracer, ready) for e in range(plan.program.n_entries)]
        if plan.program.sequential:
            before, counted = _going_on(plan, state)
            sensors = _sensors(state)
            drivers = None if before is None or state is None or "drivers" not in state.analog else np.array(state.analog["drivers"][0, 0])
            results = [runs[0].execute(before, None, counted, None, drivers, sensors)]
            for run in runs[1:]:
                last = results[-1]
                results.append(run.execute(last.state, last.config, last.counted, last.cells, last.voltages, last.sensors))
            return results
        if len(runs) == 1 or self.threads == 1 or runs[0].tracer is not None:
            return [run.execute(sensors=_sensors(state)) for run in runs]
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(lambda run: run.execute(sensors=_sensors(state)), runs))

    def _recording(self, plan: Plan, seed: tuple[int, int], results: Sequence[EntryResult], resets: int, wall_s: float) -> Recording:
        program = plan.program
        spikes = [result.spikes for result in results]
        ptr = np.cumsum([0, *(len(tick) for tick, _ in spikes)])
        madc = tuple(self._samples(plan, seed, k, results) for k in range(len(plan.channels)))
        cadc = tuple(self._cadc_samples(plan, k, results) for k in range(len(plan.cadc)))
        bursts = tuple(self._burst_samples(plan, seed, k, results) for k in range(len(plan.bursts)))
        reads = {read.name: np.stack([r.reads[read.name] for r in results]) for read in program.reads}
        repetitions = n_repetitions(program)
        losses = self._losses(results, sum(s.value.size for s in madc) + sum(s.value.size for s in bursts), sum(len(s.tick) for s in cadc), repetitions)
        losses.check()
        cost = estimate(
            plan.cost(resets * repetitions),
            n_spikes_in=losses.sent["fpga_to_chip"],
            n_spikes_out=losses.sent["chip_to_fpga"],
            n_madc_samples=losses.sent["madc"],
            n_cadc_rows=losses.delivered["cadc"],
            synaptic_events=sum(r.synaptic_events for r in results) * repetitions,
        )
        return Recording(
            machine=program.machine,
            duration=program.duration,
            spikes=Spikes(ptr, np.concatenate([tick for tick, _ in spikes]), np.concatenate([circuit for _, circuit in spikes]).astype(np.int16)),
            madc=madc,
            cadc=cadc,
            probe=_open_samples(ProbeSamples, UNITS, plan.probes, [r.probes for r in results]),
            driver_probe=_open_samples(DriverProbeSamples, DRIVER_UNITS, plan.driver_probes, [r.driver_probes for r in results]),
            sensor_probe=_open_samples(SensorProbeSamples, SENSOR_UNITS, plan.sensor_probes, [r.sensor_probes for r in results]),
            bursts=bursts,
            loopback=_loopback(results),
            reads=reads,
            observables=_observables(results),
            losses=losses,
            cost=cost,
            chip_ticks=program.n_entries * (repetitions * program.duration + waiting_ticks(program)) + plan.lead_ticks * resets * repetitions,
            provenance=self._provenance(plan, seed, results),
            wall={"run": wall_s},
        )

    def _samples(self, plan: Plan, run: tuple[int, int], k: int, results: Sequence[EntryResult]) -> Samples:
        grid = plan.channels[k]
        channel = grid.channel
        transfer = MadcTransfer.of(self.specimen, self.effects, plan.base)
        seed = (self.specimen.seed, *run)
        outside = external_potential(plan.base)
        parts = []
        for e, result in enumerate(results):
            noise = keyed_normals(len(grid.ticks), "madc", *seed, e, channel.circuit, channel.source) if self.effects.noise else None
            potential = np.full(len(grid.ticks), outside) if channel.is_external else result.madc[k].values[0, :, 0]
            parts.append(convert(potential, grid, transfer, noise))
        ptr = np.cumsum([0, *(len(tick) for tick, _ in parts)])
        return Samples(channel.source, channel.circuit, ptr, np.concatenate([t for t, _ in parts]), np.concatenate([c for _, c in parts]))

    def _burst_samples(self, plan: Plan, run: tuple[int, int], k: int, results: Sequence[EntryResult]) -> BurstSamples:
        grid = plan.bursts[k]
        source, circuits = grid.bursts.source, grid.bursts.circuits
        transfer = MadcTransfer.of(self.specimen, self.effects, plan.base)
        seed = (self.specimen.seed, *run)
        values = []
        for e, result in enumerate(results):
            noise = keyed_normals_of(len(grid.ticks), [("madc", *seed, e, circuit, source) for circuit in circuits]) if self.effects.noise else None
            tick, codes = convert(result.bursts.potentials(k).T, grid, transfer, noise)
            values.append(codes.T)
        ptr = np.arange(len(results) + 1) * len(grid.ticks)
        return BurstSamples(source, circuits, ptr, np.tile(tick, len(results)), np.concatenate(values))

    @staticmethod
    def _cadc_samples(plan: Plan, k: int, results: Sequence[EntryResult]) -> CadcSamples:
        target, rows = plan.cadc[k], [result.cadc.rows[k] for result in results]
        stamp, codes = np.concatenate([r.stamp for r in rows]), np.concatenate([result.codes[k] for result in results])
        return CadcSamples(target.record.source, target.circuits, np.cumsum([0, *(len(r.stamp) for r in rows)]), stamp, codes)

    @staticmethod
    def _losses(results: Sequence[EntryResult], n_samples: int, n_rows: int, repetitions: int) -> Losses:
        """Add up what the entries counted, as often as each is repeated: delivered is counted where events arrive, not derived from what was sent."""
        total = Counts()
        for result in results:
            total.include(result.events, repetitions)
        rows = [rows for result in results for rows in result.cadc.rows]
        full, outside = sum(r.full for r in rows), sum(r.outside for r in rows)
        total.add("cadc", sent=sum(len(r.stamp) for r in rows) + full + outside, delivered=n_rows, memory_full=full, outside_run=outside)
        total.add("madc", sent=n_samples, delivered=n_samples)
        return Losses(sent=total.sent, delivered=total.delivered, lost=total.lost)

    def _provenance(self, plan: Plan, seed: tuple[int, int], results: Sequence[EntryResult]) -> Provenance:
        import neckar

        s = self.specimen
        return Provenance(
            neckar=neckar.__version__,
            model_version=MODEL_VERSION,
            chip={"id": s.id, "seed": s.seed, "statistics_version": s.statistics_version, "age_h": s.age_h, "overrides": s.overrides_digest},
            effects=_switches(self.effects),
            instruments=self.instruments,
            run_seed=seed,
            step_ticks=tuple(results[0].steps),
            active_circuits=plan.active_circuits,
            calibration=plan.program.labels.get(CALIBRATION_LABEL),
            environment=_environment(),
        )


def run_each(chips: Sequence[Chip], program: Program, seeds: Sequence[tuple[int, int]], tracer: Tracer | None = None) -> Iterator[Recording]:
    """Run a program on several chips, each after a reset and with a run seed of its own, and yield the recordings: the bits of :meth:`Chip.run` on each alone.

    What does not depend on the chip is done once, and the chips are drawn together.

    Parameters
    ----------
    chips : sequence of Chip
        Of equal effects, instruments and step.
    program : Program
        Its own run seed does not count.
    seeds : sequence of (int, int)
        One for each chip.
    tracer : callable, optional
        As in :meth:`Chip.run`.
    """
    plan = _plan_after_reset(chips[0], program)
    for chip, seed, start in zip(chips, seeds, starts([chip._substrate for chip in chips], seeds, plan), strict=True):
        began = time.perf_counter()
        chip._substrate.begin(start)
        results = chip._execute(plan, seed, start.cells, None, (), tracer, start.ready)
        yield chip._recording(plan, seed, results, _resets(program, None), time.perf_counter() - began)


_last_plan: tuple[Plan, Effects, str] | None = None


def _plan_after_reset(chip: Chip, program: Program) -> Plan:
    """Return the plan of a program on a chip after a reset; the last one is remembered, since a map sends a program in several parts."""
    global _last_plan
    known = _last_plan  # one read: maps may run in several threads
    if known is None or known[0].program is not program or known[1:] != (chip.effects, chip.instruments):
        known = _last_plan = chip._plan(program, None), chip.effects, chip.instruments
    return known[0]


@lru_cache(maxsize=8)
def _switches(effects: Effects) -> FrozenJson:
    return FrozenJson.of(effects.as_dict(), "effects")


@cache
def _environment() -> FrozenJson:
    import numba

    return FrozenJson.of({"python": sys.version.split()[0], "numpy": np.__version__, "numba": numba.__version__}, "environment")


def _observables(results: Sequence[EntryResult]) -> dict[str, dict[str, NDArray[Any]]]:
    """Return what the kernels recorded, with the entry axis first."""
    first = results[0].observables
    return {task: {name: np.stack([r.observables[task][name] for r in results]) for name in arrays} for task, arrays in first.items()}


_NO_LOOPBACK = Events.empty(0)


def _loopback(results: Sequence[EntryResult]) -> Events:
    """Return the events from outside that came back to the host."""
    loops = [result.loops for result in results]
    if not any(len(tick) for tick, _ in loops):
        return _NO_LOOPBACK
    ptr = np.cumsum([0, *(len(tick) for tick, _ in loops)])
    orders = [np.lexsort((label, tick // STAMP_TICKS)) for tick, label in loops]
    tick, label = (np.concatenate([part[k][order] for part, order in zip(loops, orders, strict=True)]) for k in (0, 1))
    return Events(ptr, tick // STAMP_TICKS * STAMP_TICKS, label.astype(np.uint16))


def _open_samples(
    kind: type[OpenSamples],
    units: Mapping[str, str],
    probes: Sequence[tuple[OpenProbe, NDArray[np.int64]]],
    found: Sequence[Sequence[NDArray[np.float32]]],
) -> tuple[OpenSamples, ...]:
    """Return what the open probes of one kind saw, from the values that each entry found for each probe."""
    samples = []
    for k, (probe, ticks) in enumerate(probes):
        fields = {name: value for name, value in vars(probe).items() if name != "interval"}  # signals and places
        samples.append(kind(**fields, units=tuple(units[name] for name in probe.signals), tick=ticks, value=np.stack([values[k] for values in found])))
    return tuple(samples)


def _as_arrays(sensors: Sequence[SensorState] | None) -> dict[str, NDArray[Any]]:
    """Return the correlation sensors as parts of a state, axes (chip, hemisphere, ...)."""
    if sensors is None:
        return {}
    return {f"correlation_{name}": np.stack([getattr(half, name) for half in sensors])[None] for name in ("charge", "pre", "post")}


def _sensors(state: MachineState | None) -> tuple[SensorState, ...] | None:
    """Return the correlation sensors of a state; None if nobody has used them since the chip's reset."""
    if state is None or "correlation_charge" not in state.analog:
        return None
    charge, pre, post = (state.analog[f"correlation_{name}"][0] for name in ("charge", "pre", "post"))
    return tuple(SensorState(*halves) for halves in zip(charge, pre, post, strict=True))


def _resets(program: Program, state: MachineState | None) -> int:
    """Return how often the neurons are reset: before every entry, of a sequential program before the first one if it does not go on from a state."""
    if not program.neuron_reset:
        return 0
    if not program.sequential:
        return program.n_entries
    return 1 if state is None or "circuits" not in state.analog else 0


def _going_on(plan: Plan, state: MachineState | None) -> tuple[NDArray[np.float32] | None, NDArray[np.int64] | None]:
    """Return circuits and spikes in the spike counters, from which a sequential program goes on; None after a reset.

    Raises
    ------
    ConfigurationError
        If the program before did not integrate a circuit.
    """
    if state is None or "circuits" not in state.analog:
        return None, None
    missing = plan.active[~state.analog["integrated"][0, 0, 0][plan.active].astype(bool)]
    if len(missing):
        raise ConfigurationError(
            f"the program is sequential and goes on from the last one, which did not integrate {len(missing)} circuits (circuit {missing[0]} first), because "
            "nothing observed them. Run the last program with sequential=True, which integrates all circuits, or start this one on a chip after a reset."
        )
    flag = state.counters.get("spike_counter_overflow", np.zeros(CIRCUITS))
    counted = state.counters["spike_counter"].astype(np.int64) + COUNTER_STATES * flag.astype(np.int64)
    return np.array(state.analog["circuits"][0, 0]), counted
