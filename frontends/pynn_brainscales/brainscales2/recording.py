"""Recording: what each population's recorder is asked for, and neo objects made of what came back."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import neo
import numpy as np
import pyNN.recording
import quantities as pq
from numpy.typing import NDArray

from neckar.errors import ConfigurationError, UnsupportedFeatureError, nearest
from pynn_brainscales.brainscales2 import simulator
from pynn_brainscales.brainscales2._checks import checked_names
from pynn_brainscales.brainscales2._errors import LocationError, NoDataError, UnknownVariableError
from pynn_brainscales.brainscales2._execution import SectionReadout, merged_origin
from pynn_brainscales.brainscales2._layout import Layout
from pynn_brainscales.brainscales2._warnings import warn_user
from pynn_brainscales.brainscales2.recording_data import READOUT_SOURCES, RecordingConfiguration, RecordingSite, SnippetData

_CONVERTERS = ("madc", "cadc")
_PADS = tuple(f"pad_{pad}{mode}" for pad in (0, 1) for mode in ("", "_buffered", "_unbuffered"))
_DEVICES = (*_CONVERTERS, *_PADS)
_UNLABELED = "unlabeled"
_PACKAGES = {".nix": "nixio", ".h5": "nixio", ".nwb": "pynwb", ".mat": "scipy"}  # that neo needs
_EXTENSIONS = (".nix", ".h5", ".nwb", ".pkl", ".pickle", ".mat")  # for which PyNN knows a format of neo that it can write
_APPENDING = (".nix", ".h5")  # formats of neo in which a file takes several blocks


@dataclass(eq=False)
class _Run:
    """The data of one population between two resets, from which segments are built when they are first asked for."""

    recorder: Recorder
    name: str
    snippets: list[SnippetData]
    executed_at: datetime
    origin: dict[str, Any]
    annotations: dict[str, Any]
    _segments: dict[Any, neo.Segment] = field(default_factory=dict)

    def segment(self, filter_ids: Any, variables: Any, compartments: Any) -> neo.Segment:
        """Return the segment of a selection, always the same object: signals that a user keeps share it, however often the data is fetched."""
        key = tuple(part if part is None or isinstance(part, str) else tuple(part) for part in (filter_ids, variables, compartments))
        if key not in self._segments:
            self._segments[key] = self.build(filter_ids, variables, compartments)
        return self._segments[key]

    def build(self, filter_ids: Any, variables: Any, compartments: Any) -> neo.Segment:
        """Build a new segment with the data of some cells, variables and compartments."""
        segment = neo.Segment(name=self.name, description=self.recorder.population.describe(), rec_datetime=self.executed_at)
        trains: list[neo.SpikeTrain] = []
        signals: list[neo.IrregularlySampledSignal] = []
        for snippet in self.snippets:
            chosen = snippet if filter_ids is None and compartments is None else snippet.restricted(filter_ids, compartments)
            for variable in sorted({"spikes", *chosen.madc, *chosen.cadc} if variables == "all" else {*variables}):
                if variable == "spikes":
                    trains += self.recorder.spike_trains(chosen)
                else:
                    signals += self.recorder.signals(chosen, variable)
        segment.spiketrains.extend(trains)  # at once: neo looks at every train that is there already
        segment.irregularlysampledsignals.extend(signals)
        for data in (*segment.spiketrains, *segment.irregularlysampledsignals):
            data.segment = segment
        segment.annotate(**self.annotations)
        return segment


class Recorder(pyNN.recording.Recorder):
    """Recording of one population; its views share it."""

    def __init__(self, population: Any, file: Any = None) -> None:
        self._simulator: Any = SimpleNamespace(name=simulator.name, state=simulator.state)  # this experiment, also after end()
        super().__init__(population, file=file)
        self.recorded: defaultdict[str, set[RecordingSite]] = defaultdict(set)
        self._converted: defaultdict[str, set[tuple[str, RecordingSite]]] = defaultdict(set)  # by converter
        self.pads: dict[str, tuple[RecordingSite, bool]] = {}  # what each pad shows, and whether buffered
        self.configuration = RecordingConfiguration()
        self._executed_at = datetime.now()
        self._origin: dict[str, Any] = {}
        self._snippets: list[SnippetData] = []
        self.cache: list[_Run] = []

    # --- what to record

    def record(self, variables: Any, ids: Iterable[Any], sampling_interval: float | None = None, locations: Any = None, *, device: str = "madc") -> None:
        """Add variables of cells to what is recorded; either all of them or, if anything is wrong, none.

        Raises
        ------
        UnsupportedFeatureError
            If a sampling interval is asked for.
        UnknownVariableError
            If the cell type does not have a variable.
        ConfigurationError
            If the device does not exist, a neuron would record two analog variables, or a pad would show two neurons.
        LocationError
            If locations are named on neurons without compartments.
        """
        if sampling_interval is not None:
            raise UnsupportedFeatureError("a sampling interval was asked for; the converters sample at their own rate. Leave sampling_interval out.")
        names = self._names(variables)
        analog = [name for name in names if name != "spikes"]
        compartments = self._compartments(locations)
        sites = {RecordingSite(int(cell), compartment) for cell in ids for compartment in compartments}
        if analog:
            self._check_analog(analog, sites, device)
            if device in _CONVERTERS:
                self._converted[device] |= {(analog[0], site) for site in sites}
            else:
                self._connect_pad(sites, device)
        for name in names:
            self.recorded[name] |= sites
        self._configure()

    def reset(self) -> None:
        """Record nothing any more and drop the data of the current run."""
        self.recorded, self._converted, self.pads = defaultdict(set), defaultdict(set), {}
        self._drop_data()
        self._configure()

    def _configure(self) -> None:
        """Publish what is recorded now."""
        madc, cadc = (tuple(sorted(self._converted[device], key=lambda pair: pair[1])) for device in _CONVERTERS)
        self.configuration = RecordingConfiguration(tuple(sorted(self.recorded.get("spikes", ()))), madc, cadc)

    def _names(self, variables: Any) -> list[str]:
        """Return the variables as a list after checking that the cell type has them."""
        names = list(dict.fromkeys(checked_names(variables)))
        for name in names:
            if not self.population.can_record(name):
                known = self.population.celltype.recordable
                kind = type(self.population.celltype).__name__
                raise UnknownVariableError(f"{kind} cannot record {name!r}{nearest(name, known)} It records {', '.join(known)}.")
        return names

    def _compartments(self, locations: Any) -> list[int]:
        """Return the compartments that labels name; the first one if there are none."""
        if locations is None:
            return [0]
        celltype = self.population.celltype
        if not hasattr(celltype, "get_compartment_ids"):
            text = f"neurons of type {type(celltype).__name__} have no compartments. Leave locations out."
            raise LocationError(f"locations {locations} were asked for; {text}")
        return [int(compartment) for compartment in celltype.get_compartment_ids(locations)]

    def _label(self, compartment: int) -> str:
        """Return the label of a compartment."""
        celltype = self.population.celltype
        return str(celltype.get_label(compartment)) if hasattr(celltype, "get_label") else _UNLABELED

    def _check_analog(self, names: list[str], sites: set[RecordingSite], device: str) -> None:
        """Check that each neuron records one analog variable on a device that exists."""
        if device not in _DEVICES:
            raise ConfigurationError(f"device is {device!r}{nearest(device, _DEVICES)} Allowed are {', '.join(_DEVICES)}.")
        others = {name for name, recorded in self.recorded.items() if name not in ("spikes", names[0]) and recorded & sites}
        if len(names) > 1 or others:
            both = sorted({*names, *others})
            raise ConfigurationError(f"the analog variables {', '.join(both)} were asked for at one neuron; its readout passes one. Call record(None) before.")

    def _connect_pad(self, sites: set[RecordingSite], device: str) -> None:
        """Connect a neuron to a pad. Nothing is recorded there, neither upstream: what a pad shows is measured outside the chip."""
        pad, buffered = device[:5], not device.endswith("_unbuffered")
        if not sites:
            return
        shown = {(recorder, *recorder.pads[pad]) for recorder in self._simulator.state.recorders if pad in recorder.pads}
        n = len({(self, site, buffered) for site in sites} | shown)
        if n > 1:
            raise ConfigurationError(f"{device!r} was asked to show {n} neurons or modes; a pad shows one. Use the other pad, or a converter.")
        self.pads[pad] = (next(iter(sites)), buffered)

    # --- what comes back

    def take(self, readouts: Mapping[int, SectionReadout], layout: Layout, number: int, begin: float, end: float, wanted: RecordingConfiguration) -> None:
        """Take over what neurons recorded in one snippet.

        Parameters
        ----------
        readouts : mapping of int to SectionReadout
            By execution instance.
        layout : Layout
        number : int
            Position of the population in the network.
        begin, end : float
            Milliseconds.
        wanted : RecordingConfiguration
        """
        data, first = self._new_snippet(begin, end), int(self.population.first_id)
        for site in wanted.spikes:
            place = layout.spike_place(number, site.cell_id - first, site.comp_id)
            data.spikes[site] = np.zeros(0) if place is None else readouts[place[0]].spikes_of(place[1])
        for device, asked in (("madc", wanted.madc), ("cadc", wanted.cadc)):
            for variable, site in asked:
                instance, circuit = layout.analog_place(number, site.cell_id - first, site.comp_id)
                samples = getattr(readouts[instance], f"{device}_of")(circuit, READOUT_SOURCES[variable])
                getattr(data, device).setdefault(variable, {})[site] = samples

    def take_events(self, trains: list[NDArray[np.float64]], begin: float, end: float, wanted: RecordingConfiguration) -> None:
        """Take over the events of spike sources in one snippet, one array of milliseconds per source of the population."""
        data, first = self._new_snippet(begin, end), int(self.population.first_id)
        data.spikes.update({site: trains[site.cell_id - first] for site in wanted.spikes})

    def _new_snippet(self, begin: float, end: float) -> SnippetData:
        data = SnippetData(begin, end)
        self._executed_at, self._origin = datetime.now(), self._simulator.state.origin
        self._snippets.append(data)
        return data

    # --- neo objects

    def spike_trains(self, snippet: SnippetData) -> Iterator[neo.SpikeTrain]:
        """Yield the spike trains of a snippet, one per recorded neuron."""
        t_start, t_stop = snippet.begin * pq.ms, snippet.end * pq.ms
        for site, times in sorted(snippet.spikes.items(), key=lambda item: item[0]):
            if times.size and times[-1] > snippet.end:
                warn_user("Recorded at least one spike after t_stop")
                times = times[times <= snippet.end]
            yield neo.SpikeTrain(
                pq.Quantity(times, pq.ms),
                t_start=t_start,
                t_stop=t_stop,
                source_population=self.population.label,
                source_id=site.cell_id,
                source_location=self._label(site.comp_id),
                source_compartment=site.comp_id,
                source_index=self.population.id_to_index(site.cell_id),
            )

    def signals(self, snippet: SnippetData, variable: str) -> Iterator[neo.IrregularlySampledSignal]:
        """Yield the analog signals of a snippet, one per recorded neuron and converter, those of the MADC first."""
        for device in _CONVERTERS:
            for site, samples in sorted(getattr(snippet, device).get(variable, {}).items(), key=lambda item: item[0]):
                yield neo.IrregularlySampledSignal(
                    samples.times,
                    samples.values,
                    units=self.population.find_units(variable),
                    time_units=pq.ms,
                    name=variable,
                    device=device,
                    source_ids=[site.cell_id],
                    source_locations=[self._label(site.comp_id)],
                    source_population=self.population.label,
                    source_compartments=[site.comp_id],
                    array_annotations={"channel_index": [self.population.id_to_index(site.cell_id)]},
                )

    def get(
        self,
        variables: Any,
        gather: bool = False,
        filter_ids: Any = None,
        clear: bool = False,
        annotations: dict[str, Any] | None = None,
        locations: Any = None,
    ) -> neo.Block:
        """Return a block with one segment per run: those before the last reset, then the current one.

        The block is annotated with how its segments came about (``neckar_...``).

        Raises
        ------
        NoDataError
            If nothing was executed yet.
        """
        compartments = None if locations is None else self._compartments(locations)
        names = variables if isinstance(variables, str) and variables == "all" else checked_names(variables)
        block = neo.Block(name=self.population.label, description=self.population.describe())
        segments, origins = [run.segment(filter_ids, names, compartments) for run in self.cache], [run.origin for run in self.cache]
        if self._simulator.state.running:
            segments.append(self._current_run().build(filter_ids, names, compartments))
            origins.append(self._origin)
        block.segments.extend(segments)
        for segment in segments:
            segment.block = block
        if not segments:
            raise NoDataError(f"the data of population {self.population.label!r} was asked for before a run; there is none. Call run() first.")
        block.rec_datetime = segments[0].rec_datetime
        block.annotate(**{**merged_origin(origins), **self.metadata, **(annotations or {})})
        if clear:
            self.clear()
        return block

    def write(
        self,
        variables: Any,
        file: Any = None,
        gather: bool = False,
        filter_ids: Any = None,
        clear: bool = False,
        annotations: dict[str, Any] | None = None,
        locations: Any = None,
    ) -> None:
        """Write data to a file, which appears complete or not at all, or to an IO object of neo.

        Raises
        ------
        UnsupportedFeatureError
            If the format needs a package that is not installed.
        """
        target = file or self.file
        if target is None:
            raise ConfigurationError(f"the data of population {self.population.label!r} was to be written without a file. Name one, for instance 'data.pkl'.")
        if not isinstance(target, str | os.PathLike):
            super().write(variables, target, gather, filter_ids, clear, annotations, locations)
            return
        write_whole(Path(target), lambda io: super(Recorder, self).write(variables, io, gather, filter_ids, clear, annotations, locations))

    def clear(self) -> None:
        """Drop all data of this population."""
        self.cache.clear()
        self._drop_data()
        self.clear_flag = True

    def store_to_cache(self, annotations: dict[str, Any] | None = None) -> None:
        """Keep the data of the current run as a segment, unless there is none or it was fetched with ``clear=True``."""
        if self._simulator.state.t != 0 and not self.clear_flag:
            self.cache.append(self._current_run(annotations))
        self._snippets = []
        self.clear_flag = False

    def _current_run(self, annotations: dict[str, Any] | None = None) -> _Run:
        return _Run(self, f"segment{self._simulator.state.segment_counter:03d}", self._snippets, self._executed_at, self._origin, dict(annotations or {}))

    def _drop_data(self) -> None:
        self._snippets = [SnippetData(snippet.begin, snippet.end) for snippet in self._snippets]

    def _local_count(self, variable: Any, filter_ids: Any = None) -> dict[int, int]:
        """Return the number of spikes of each recorded neuron in the current run."""
        counts: dict[int, int] = {}
        for snippet in self._snippets:
            chosen = snippet if filter_ids is None else snippet.restricted(filter_ids)
            for site, times in chosen.spikes.items():
                counts[site.cell_id] = counts.get(site.cell_id, 0) + len(times)
        return counts


def write_whole(path: Path, write: Callable[[Any], None]) -> None:
    """Let `write` fill an IO object of neo whose file then appears complete, or not at all.

    Raises
    ------
    ConfigurationError, UnsupportedFeatureError
        See :func:`check_format`.
    """
    check_format(str(path))
    temporary = path.with_name(f".{secrets.token_hex(8)}.{path.name}")  # its extension names the format
    if path.suffix in _APPENDING and path.exists():
        shutil.copyfile(path, temporary)
    try:
        io = pyNN.recording.get_io(str(temporary))
        write(io)
        if hasattr(io, "close"):
            io.close()
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_format(file: str) -> None:
    """Check that a file with this extension can be written, before anything runs.

    Raises
    ------
    ConfigurationError
        If no format has the extension.
    UnsupportedFeatureError
        If the format needs a package that is not installed.
    """
    extension = Path(file).suffix
    if extension not in _EXTENSIONS:
        raise ConfigurationError(f"the file {file!r} was asked for; no format has the extension {extension!r}. Allowed are {', '.join(_EXTENSIONS)}.")
    package = _PACKAGES.get(Path(file).suffix)
    if package is not None and importlib.util.find_spec(package) is None:
        text = f"files with the extension {Path(file).suffix} need the package {package}. Install it, or give a name that ends in .pkl."
        raise UnsupportedFeatureError(f"the file {file!r} was asked for; {text}")
