"""Where the neurons of all populations are after mapping: on one chip configuration, or spread over several that are executed one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.chip.cadc_timing import shortest_period
from neckar.chip.config import ChipConfig
from neckar.network import MappedNetwork, Network, NeuronPopulation, Partition
from neckar.program import CadcRecord, MadcChannel, Record
from pynn_brainscales.brainscales2._execution import SectionReadout
from pynn_brainscales.brainscales2.recording_data import READOUT_SOURCES, RecordingConfiguration

Place = tuple[int, int]
"""Execution instance and circuit."""


@dataclass(frozen=True, eq=False)
class Layout:
    """A mapped network.

    Parameters
    ----------
    network : Network
        As the populations and projections describe it.
    instances : mapping of int to MappedNetwork
        By execution instance, in the order of execution; those after the first may lack the spikes that they get from others.
    members : sequence of ndarray of int64, shape (neuron, circuit)
        For each population the circuits of each neuron; empty for spike sources.
    instance_of : sequence of ndarray of int64, shape (neuron,)
        For each population the execution instance of each neuron.
    partition : Partition, optional
        How the network was spread; None if one instance holds it.
    """

    network: Network
    instances: Mapping[int, MappedNetwork]
    members: Sequence[NDArray[np.int64]]
    instance_of: Sequence[NDArray[np.int64]]
    partition: Partition | None = None

    @property
    def placed(self) -> object:
        """What decides where the neurons are; the same object as long as they stay there."""
        return self.instances[0].placement if self.partition is None else self.partition

    @classmethod
    def of(cls, mapped: MappedNetwork) -> Layout:
        """Return the layout of a network that one instance holds."""
        members = mapped.placement.members
        return cls(mapped.network, {0: mapped}, members, [np.zeros(len(part), np.int64) for part in members])

    @property
    def base(self) -> ChipConfig:
        """What the first instance starts from; without calibrating cells, every one."""
        return next(iter(self.instances.values())).base

    def synapses(self, projection: int) -> Iterator[tuple[int, int, int, int, int]]:
        """Iterate over the synapses of a projection: connection in it, hemisphere, row, column and weight."""
        connection, instance, *place_of = self.synapse_places(projection)
        weights = {number: mapped.codes["synapse_weight"] for number, mapped in self.instances.items()}
        for one, number, hemisphere, row, column in zip(*(part.tolist() for part in (connection, instance, *place_of)), strict=True):
            yield one, hemisphere, row, column, int(weights[number][hemisphere, row, column])

    def synapse_places(self, projection: int) -> tuple[NDArray[np.int64], ...]:
        """Return where the synapses of a projection are: connection in it, execution instance, hemisphere, row and column, shape (synapse,) each."""
        if self.partition is not None:
            return self.partition.synapses(self.network, self.instances, projection)
        connection, *place_of = self.instances[0].synapses(projection)
        return connection, np.zeros(len(connection), np.int64), *place_of

    def events_of(self, readouts: Mapping[int, SectionReadout], population: int) -> list[NDArray[np.float64]]:
        """Return when the host got back the events of recorded sources, milliseconds, one array per source; of several instances, from the first."""
        if self.partition is None:
            return readouts[0].events_of(self.instances[0], population)
        ((position, _),) = self.partition.pieces[population]
        part = next(part for part in self.partition.parts if position in part.origin)
        return readouts[part.instance].events_of(self.instances[part.instance], part.origin.index(position))

    def spike_place(self, population: int, neuron: int, compartment: int) -> Place | None:
        """Return where the spikes of a compartment come from, None if it sends none."""
        part = self.network.populations[population]
        assert isinstance(part, NeuronPopulation)
        master = part.morphology.compartments[compartment].spike_master
        return None if master is None else self._place(population, neuron, master)

    def analog_place(self, population: int, neuron: int, compartment: int) -> Place:
        """Return where a compartment is read out: its first circuit."""
        part = self.network.populations[population]
        assert isinstance(part, NeuronPopulation)
        return self._place(population, neuron, part.morphology.compartments[compartment].circuits[0])

    def records(self, populations: Sequence[Any], wanted: Sequence[RecordingConfiguration]) -> dict[int, Record]:
        """Return what each instance has to record.

        Parameters
        ----------
        populations : sequence of Population
        wanted : sequence of RecordingConfiguration
            What each population's recorder was asked for.
        """
        spikes: dict[int, list[int]] = {instance: [] for instance in self.instances}
        madc: dict[int, list[MadcChannel]] = {instance: [] for instance in self.instances}
        cadc: dict[int, dict[Any, list[int]]] = {instance: {} for instance in self.instances}
        for number, (population, asked) in enumerate(zip(populations, wanted, strict=True)):
            if not isinstance(self.network.populations[number], NeuronPopulation):
                continue
            first = int(population.first_id)
            for site in asked.spikes:
                place = self.spike_place(number, site.cell_id - first, site.comp_id)
                if place is not None:
                    spikes[place[0]].append(place[1])
            for variable, site in asked.madc:
                instance, circuit = self.analog_place(number, site.cell_id - first, site.comp_id)
                madc[instance].append(MadcChannel(circuit, READOUT_SOURCES[variable]))
            for variable, site in asked.cadc:
                instance, circuit = self.analog_place(number, site.cell_id - first, site.comp_id)
                cadc[instance].setdefault(READOUT_SOURCES[variable], []).append(circuit)
        return {instance: _record(mapped, spikes[instance], madc[instance], cadc[instance]) for instance, mapped in self.instances.items()}

    def _place(self, population: int, neuron: int, position: int) -> Place:
        return int(self.instance_of[population][neuron]), int(self.members[population][neuron, position])


def _record(mapped: MappedNetwork, spikes: list[int], madc: list[MadcChannel], cadc: dict[Any, list[int]]) -> Record:
    """Return a record; the CADC reads as often as upstream's software lets it."""
    period = shortest_period(mapped.base, 0)
    return Record(
        spikes=tuple(sorted(spikes)),
        madc=tuple(sorted(madc, key=lambda channel: channel.circuit)),
        cadc=tuple(CadcRecord(tuple(sorted(circuits)), source, period=period) for source, circuits in sorted(cadc.items())),
    )
