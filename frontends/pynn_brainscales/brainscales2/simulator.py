"""The state of the front end: populations, projections, time, scheduled snippets, and the session with the chip.

One :class:`State` lives from ``setup`` to ``end``; it is the module's ``state``. Time is milliseconds of hardware time.
"""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import numpy as np
import pyNN.common.control
from numpy.typing import NDArray
from pyNN.common import IDMixin

from dlens_vx_v3 import logger
from dlens_vx_v3._container import chip_of, config_of
from neckar.chip.config import ChipConfig
from neckar.errors import CapacityError, ConfigurationError, UnsupportedFeatureError
from neckar.facts import brainscales2 as facts
from neckar.network import DEFAULT_PERMUTATION, MappedNetwork, Network, NeuronPopulation, Population, Section, map_network
from neckar.program import PlasticityTask, Record, Recording
from pynn_brainscales.brainscales2._calibration import Calibrator, calibrating
from pynn_brainscales.brainscales2._errors import RunStateError
from pynn_brainscales.brainscales2._execution import ChipSession, SectionReadout, origin_of
from pynn_brainscales.brainscales2._injection import READ_PHASES, Accesses, InjectedConfiguration, InjectedReadout, accesses
from pynn_brainscales.brainscales2._layout import Layout
from pynn_brainscales.brainscales2._placement import BackgroundPlacement, NeuronPlacement
from pynn_brainscales.brainscales2._plasticity import Scheduled, recorded_of, schedule, symbols_of, tasks_of
from pynn_brainscales.brainscales2._spread import execute_spread, spread
from pynn_brainscales.brainscales2.recording_data import RecordingConfiguration

name = "HX"  # for use in annotations of recorded data

FPGA_CYCLES_PER_MS: Final = round(facts.FPGA_CLOCK.value * 1e-3)
TICKS_PER_FPGA_CYCLE: Final = facts.FPGA_CLOCK_TICKS
MAX_FPGA_CYCLES: Final = int(facts.RUN_CYCLES_MAX.value)


def current_lab() -> Any:
    """Return the lab that is in charge; imported late, because the machine stands behind it."""
    from neckar.lab import current_lab

    return current_lab()


class ID(int, IDMixin):
    """A neuron of a population: its number, with the population behind it.

    The population holds its cells in a numpy array, through which Python's search for cycles does not see. So a cell only points weakly back; otherwise no
    population, nor its data, would ever be freed.
    """

    @property
    def parent(self) -> Any:
        """The population.

        Raises
        ------
        RunStateError
            If nobody holds it any more.
        """
        population = self.__dict__["_population"]()
        if population is None:
            raise RunStateError(f"the population of cell {int(self)} does not exist any more, because its experiment ended. Keep the population in a variable.")
        return population

    @parent.setter
    def parent(self, population: Any) -> None:
        self.__dict__["_population"] = weakref.ref(population)

    def __reduce__(self) -> tuple[Any, ...]:
        return int, (int(self),)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # numpy asks every number for these; PyNN would look them up among all parameters
            raise AttributeError(f"a cell has no attribute {name!r}.")
        if name != "parent" and name in self.celltype.default_parameters:
            return self.as_view().get(name)
        return super().__getattr__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not hasattr(type(self), name) and not self.celltype.has_parameter(name):
            raise pyNN.errors.NonExistentParameterError(name, type(self.celltype).__name__, self.celltype.get_parameter_names())
        super().__setattr__(name, value)

    def inject(self, current_source: Any, location: Any = None) -> None:
        """Refuse current sources; see :meth:`Population.inject`."""
        self.as_view().inject(current_source)


@dataclass(frozen=True, eq=False)
class _Snippet:
    """One scheduled stretch of the experiment."""

    layout: Layout
    duration: int  # ticks
    records: dict[int, Record]  # by execution instance
    begin_ms: float
    end_ms: float
    recorded: tuple[Any, ...]  # what each population's recorder was asked for
    rules: tuple[Scheduled, ...] = ()


class State(pyNN.common.control.BaseState):
    """Everything between ``setup`` and ``end``.

    Parameters
    ----------
    lab : neckar.lab.Lab
        Where the experiment is executed.
    permutation : ndarray of int64, optional
        Circuits in the order of their use; default the chip's own order.
    background_permutation : tuple of int, optional
        Bus within the hemisphere of each population of on-chip sources, in the order of their creation; by default the mapper chooses, 3 first.
    chip : lola.Chip, optional
        Start value of every register; kept and shared, not copied. Default those of the register table.
    injected_config, injected_readout : InjectedConfiguration and InjectedReadout, optional
    session : neckar.lab.Session, optional
        An open session of the user's; by default one is opened at the first run.
    """

    dt: Final = 3.4e-05  # mean distance of two MADC samples in ms
    batch_entry: Final = 0

    def __init__(
        self,
        lab: Any,
        permutation: NDArray[Any] | None = None,
        *,
        background_permutation: tuple[int, ...] | None = None,
        chip: Any = None,
        injected_config: InjectedConfiguration | None = None,
        injected_readout: InjectedReadout | None = None,
        session: Any = None,
    ) -> None:
        super().__init__()
        self.record_sample_times = True
        self.mpi_rank, self.num_processes = 0, 1
        self.min_delay: float = 0
        self.max_delay: float = 0
        self.log = logger.get("pyNN.brainscales2")
        self.populations: list[Any] = []
        self.projections: list[Any] = []
        self.id_counter = 0
        self.segment_counter = -1
        self.plasticity_rules: list[Any] = []
        self.permutation_given = permutation is not None
        self.background_placement = BackgroundPlacement(background_permutation)
        self.neuron_placement = NeuronPlacement(DEFAULT_PERMUTATION if permutation is None else permutation)
        self.injected_config = injected_config or InjectedConfiguration()
        self.injected_readout = injected_readout or InjectedReadout()
        self.calibration_cache: Any = None
        self.injected_calib_target: Any = None
        self.injected_calib_options: Any = None
        self.chip = ChipSession(lab, session)
        self.recordings: dict[int, list[Recording]] = {}  # of the last run, by execution instance: one for each time it was executed
        self.origin: dict[str, Any] = {}  # how they came about, as annotations
        self.wall_network_s = 0.0  # what the last construction of the network took on this computer
        self.wall_s = 0.0  # what the last run took on this computer
        self._calibrator = Calibrator(lab, session)
        self._initial_given = chip is not None
        self._initial_chip: Any = chip
        self._base = ChipConfig.default() if chip is None else config_of(chip)
        self._base_at_mapping: ChipConfig | None = None
        self._read: dict[str, dict[Any, Any]] = {phase: {} for phase in READ_PHASES}
        self._sources: dict[int, tuple[Any, Any]] = {}  # by population: what its cell type exported, and the same recorded
        self._layout: Layout | None = None
        self._records: tuple[tuple[Any, ...], dict[int, Record]] | None = None
        self._last_section: Section | None = None
        self.reset()

    def reset(self) -> None:
        """Return to time 0 and drop what was scheduled; network, parameters and recording stay."""
        self.running = False
        self.t: float = 0
        self.t_start = 0
        self.runtimes: list[float] = []
        self.ppu_symbols: dict[str, dict[Any, Any]] = {}
        self._snippets: list[_Snippet] = []
        self.segment_counter += 1

    # --- the configuration that the network does not determine

    def base_config(self) -> ChipConfig:
        """Return the registers that the experiment starts from, live: changes act on everything that is mapped later."""
        return self._base

    def get_base_configuration(self) -> Any:
        """Return the same as a live ``lola.Chip``, always the same object."""
        if self._initial_chip is None:
            self._initial_chip = chip_of(self._base)
        return self._initial_chip

    @property
    def grenade_chip_config(self) -> Any:
        """The older name of :meth:`get_base_configuration`; another ``lola.Chip`` may be assigned, which is then shared."""
        return self.get_base_configuration()

    @grenade_chip_config.setter
    def grenade_chip_config(self, chip: Any) -> None:
        self._base, self._initial_chip = config_of(chip), chip

    @property
    def initial_config(self) -> Any:
        """The same as :meth:`get_base_configuration`."""
        return self.get_base_configuration()

    def _base_now(self) -> ChipConfig:
        """Return a copy of the base configuration that nobody changes, the last one if nothing changed."""
        if self._base_at_mapping is None or self._base_at_mapping != self._base:
            self._base_at_mapping = self._base.copy()
        return self._base_at_mapping

    @property
    def layout(self) -> Layout | None:
        """The network and where everything of it is, as it was mapped last; None before."""
        return self._layout

    @property
    def mapped(self) -> dict[int, MappedNetwork]:
        """The mapped network of each execution instance, empty before it is mapped."""
        return {} if self._layout is None else dict(self._layout.instances)

    # --- what was read

    @property
    def pre_realtime_read(self) -> dict[Any, Any]:
        """Containers read before the last run, by coordinate."""
        return self._read["pre_realtime"]

    @property
    def inside_realtime_begin_read(self) -> dict[Any, Any]:
        """Containers read at its first tick, by coordinate."""
        return self._read["inside_realtime_begin"]

    @property
    def inside_realtime_end_read(self) -> dict[Any, Any]:
        """Containers read at its end, by coordinate."""
        return self._read["inside_realtime_end"]

    @property
    def post_realtime_read(self) -> dict[Any, Any]:
        """Containers read after it, by coordinate."""
        return self._read["post_realtime"]

    # --- running

    @property
    def realtime_snippet_count(self) -> int:
        """Number of scheduled or executed snippets since the last reset."""
        return len(self._snippets)

    def preprocess(self, snippet_begin_time: float, snippet_end_time: float) -> None:
        """Map the network as it is now."""
        self._map(snippet_begin_time, snippet_end_time, 0)

    def add(self, runtime: float) -> None:
        """Schedule the network as it is now for `runtime` milliseconds.

        Raises
        ------
        RunStateError
            If the experiment was executed already.
        ConfigurationError
            If the runtime is not finite or shorter than one FPGA clock cycle or the experiment longer than 2**32 - 1 of them.
        """
        if self.running:
            raise RunStateError("the experiment was executed already; call reset() before the next run.")
        limit = MAX_FPGA_CYCLES / FPGA_CYCLES_PER_MS
        if not isinstance(runtime, int | float | np.number) or not math.isfinite(runtime):
            raise ConfigurationError(
                f"runtime is {runtime!r} ms; allowed is {1 / FPGA_CYCLES_PER_MS} to {limit} ms, 1 to 2**32 - 1 cycles of the FPGA. Give a finite number."
            )
        cycles = int(runtime * FPGA_CYCLES_PER_MS)
        begin, end = self.t, self.t + runtime
        if cycles < 1:
            raise ConfigurationError(
                f"a runtime of {runtime} ms was asked for; allowed is at least one cycle of the FPGA, {1 / FPGA_CYCLES_PER_MS} ms. Give a longer one."
            )
        if int(end * FPGA_CYCLES_PER_MS) > MAX_FPGA_CYCLES:
            raise ConfigurationError(
                f"the total runtime is {end} ms; allowed is {limit} ms, 2**32 - 1 cycles of the FPGA. Divide the experiment by reset()."
            )
        duration = cycles * TICKS_PER_FPGA_CYCLE
        layout = self._map(begin, end, duration)
        rules = [schedule(rule, self.projections, self.populations, begin, end) for rule in self.plasticity_rules]
        recorded = tuple(population.recorder.configuration for population in self.populations)
        self._snippets.append(_Snippet(layout, duration, self._make_records(layout, recorded), begin, end, recorded, tuple(rule for rule in rules if rule)))
        self.runtimes.append(runtime)
        self.t = end

    def run(self, runtime: float | None = None) -> None:
        """Execute all scheduled snippets, with a last one of `runtime` milliseconds, and hand the data to the recorders.

        If the execution fails, the last snippet is withdrawn, so that it can be tried again.

        Raises
        ------
        RunStateError
            If the experiment was executed already.
        """
        if self.running:
            raise RunStateError("a second run without a reset was asked for; call reset() before the next run.")
        scheduled, began = (self.t, list(self.runtimes), list(self._snippets)), time.perf_counter()
        if runtime is not None:
            self.add(runtime)
        try:
            added = accesses(self.injected_config, self.injected_readout, sum(snippet.duration for snippet in self._snippets))
            tasks = tasks_of(self._scheduled(), self.injected_config.ppu_symbols, self.injected_readout.ppu_symbols)
            recordings = self._execute(added, tasks)
        except BaseException:
            self.t, self.runtimes, self._snippets = scheduled
            raise
        self.running = True
        self.recordings = recordings
        self.origin = origin_of(recording for found in recordings.values() for recording in found)
        for instance, times in ((instance, len(found)) for instance, found in recordings.items() if len(found) > 1):
            self.log.INFO(f"instance {instance} was executed {times} times, because the MADC reads one or two neurons at a time")
        self.wall_s = time.perf_counter() - began
        self._read = added.containers(next(iter(recordings.values()))[-1])
        self._distribute()
        self._hand_to_rules(tasks, {instance: found[-1] for instance, found in recordings.items()})

    def _scheduled(self) -> list[tuple[Layout, tuple[Scheduled, ...]]]:
        """Return the plasticity rules of all snippets."""
        return [(snippet.layout, snippet.rules) for snippet in self._snippets]

    def _hand_to_rules(self, tasks: Mapping[int, tuple[PlasticityTask, ...]], recordings: Mapping[int, Recording]) -> None:
        """Hand the rules what they recorded, and keep the symbols that were read."""
        first = next(iter(recordings))
        self.ppu_symbols = symbols_of(tasks.get(first, ()), recordings[first])
        for rule in self.plasticity_rules:
            rule.recorded = []
        for scheduled, recorded in recorded_of(tasks, self._scheduled(), recordings):
            scheduled.rule.recorded.append(recorded)

    def run_until(self, tstop: float) -> None:
        """Schedule the time until `tstop` and execute; a difference within rounding of whole cycles of the FPGA is that many cycles."""
        cycles = (tstop - self.t) * FPGA_CYCLES_PER_MS
        whole = round(cycles) if math.isfinite(cycles) else 0
        self.run(whole / FPGA_CYCLES_PER_MS if whole and math.isclose(cycles, whole, rel_tol=1e-9) else tstop - self.t)

    def close(self) -> None:
        """Close the session with the chip."""
        self.chip.close()

    def _map(self, begin: float, end: float, duration: int) -> Layout:
        """Return the mapped network; what did not change is not computed again."""
        if not self._needs_instances(begin, end, duration):
            self._calibrate()
        network, base, last = self._network(begin, end, duration), self._base_now(), self._layout
        if last is not None and last.base is base and last.network.populations == network.populations and last.network.projections == network.projections:
            return last
        permutation = self.neuron_placement.permutation
        try:
            previous = None if last is None or last.partition is not None else last.instances[0]
            self._layout = Layout.of(map_network(network, base=base, permutation=permutation, previous=previous))
        except CapacityError:
            if self.permutation_given:
                raise
            self._layout = self._spread(network, base, begin, end, duration)
        return self._layout

    def _needs_instances(self, begin: float, end: float, duration: int) -> bool:
        """Return whether a network with calibrating cells has to be spread: its instances are calibrated one by one."""
        if not calibrating(self.populations) or self.permutation_given:
            return False
        network, last = self._network(begin, end, duration), self._layout
        if last is not None and last.network.populations == network.populations and last.network.projections == network.projections:
            return last.partition is not None
        try:
            map_network(network, base=self._base_now(), permutation=self.neuron_placement.permutation)
        except CapacityError:
            return True
        return False

    def _calibrate(self) -> None:
        """Calibrate the chip for calibrating cells, if their targets have changed."""
        cache, start, options = self.calibration_cache, self.injected_calib_target, self.injected_calib_options
        self._calibrator.update(self.populations, self.get_base_configuration(), start, options, cache, self._initial_given)

    def _spread(self, network: Network, base: ChipConfig, begin: float, end: float, duration: int) -> Layout:
        """Return a network spread over several execution instances; parameters then start from the circuits that the neurons have there."""
        layout = spread(network, base, self.neuron_placement.permutation)
        self.log.INFO(f"the network does not fit on the chip; it is spread over {len(layout.instances)} execution instances, one after the other")
        for population, members in zip(self.populations, layout.members, strict=True):
            if len(members):
                population.adopt(members)
        again, bases = self._network(begin, end, duration), None
        if calibrating(self.populations):
            settings = self.injected_calib_target, self.injected_calib_options, self.calibration_cache, self._initial_given
            bases = self._calibrator.update_instances(self.populations, layout, self.get_base_configuration(), *settings)
        same = again.populations == network.populations and bases is None
        return layout if same else spread(again, base, self.neuron_placement.permutation, bases)

    def _network(self, begin: float, end: float, duration: int) -> Network:
        """Return the network as it is now; unchanged parts are the same objects."""
        began = time.perf_counter()
        populations = tuple(self._exported(population, begin, end, duration) for population in self.populations)
        numbers = {id(population): number for number, population in enumerate(self.populations)}
        network = Network(populations, tuple(projection.to_network(numbers) for projection in self.projections))
        self.wall_network_s = time.perf_counter() - began
        return network

    def _exported(self, population: Any, begin: float, end: float, duration: int) -> Population:
        """Return a population as the mapper sees it; spike sources that are recorded send their events back."""
        exported: Population = population.to_network(begin, end, duration)
        if isinstance(exported, NeuronPopulation) or not population.recorder.configuration.spikes:
            return exported
        before, recorded = self._sources.get(id(population), (None, None))
        if before is not exported:
            recorded = replace(exported, record=True)
            self._sources[id(population)] = exported, recorded
        return cast(Population, recorded)

    def _make_records(self, layout: Layout, recorded: tuple[RecordingConfiguration, ...]) -> dict[int, Record]:
        """Return what each execution instance has to record, the last records if nothing changed."""
        key = (layout.placed, layout.base, *recorded)
        if self._records is None or self._records[0] != key:
            self._records = key, layout.records(self.populations, recorded)
        return self._records[1]

    def _execute(self, added: Accesses, plasticity: Mapping[int, tuple[PlasticityTask, ...]]) -> dict[int, list[Recording]]:
        """Execute what is scheduled and return the recordings by execution instance."""
        self.chip.calibration = None if self._initial_chip is None else self._initial_chip._store.calibration
        if all(snippet.layout.partition is None for snippet in self._snippets):
            return {0: self.chip.execute([self._section(snippet) for snippet in self._snippets], added, plasticity.get(0, ()))}
        if added:
            raise UnsupportedFeatureError(
                "injected_config or injected_readout was given for a network that needs several execution instances; allowed are networks that one chip holds. "
                "Leave them out, or make the network smaller."
            )
        layouts, durations, records = zip(*((snippet.layout, snippet.duration, snippet.records) for snippet in self._snippets), strict=True)

        def execute(instance: int, sections: list[Section]) -> list[Recording]:
            return self.chip.execute(sections, plasticity=plasticity.get(instance, ()))

        return execute_spread(layouts, durations, records, execute)

    def _section(self, snippet: _Snippet) -> Section:
        """Return the section of a snippet, the last one if nothing changed."""
        mapped, record, last = snippet.layout.instances[0], snippet.records[0], self._last_section
        if last is None or last.mapped is not mapped or last.duration != snippet.duration or last.record is not record:
            self._last_section = last = Section(mapped, snippet.duration, record)
        return last

    def _distribute(self) -> None:
        """Hand each population's recorder its data of each snippet."""
        begin = 0
        for k, snippet in enumerate(self._snippets):
            end = None if k == len(self._snippets) - 1 else begin + snippet.duration
            readouts = {instance: SectionReadout(found, begin, end, snippet.begin_ms) for instance, found in self.recordings.items()}
            for number, (population, wanted) in enumerate(zip(self.populations, snippet.recorded, strict=False)):
                if isinstance(snippet.layout.network.populations[number], NeuronPopulation):
                    population.recorder.take(readouts, snippet.layout, number, snippet.begin_ms, snippet.end_ms, wanted)
                else:
                    trains = snippet.layout.events_of(readouts, number) if wanted.spikes else []
                    population.recorder.take_events(trains, snippet.begin_ms, snippet.end_ms, wanted)
            begin += snippet.duration


state: State | None = None
