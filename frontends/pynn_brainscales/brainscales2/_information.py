"""What a script can ask about mapping and execution: sizes, durations, losses, and what was read.

Class names follow upstream's `grenade`, whose objects scripts print. Durations are :class:`datetime.timedelta`; dictionaries have the number of the execution
instance or the chip as key, as upstream's have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from neckar.facts import AXES
from neckar.network import MappedNetwork
from neckar.program import Losses, Recording, seconds
from pynn_brainscales.brainscales2 import simulator
from pynn_brainscales.brainscales2._errors import RunStateError

_CIRCUITS = AXES["circuit"]
_SYNAPSES = AXES["hemisphere"] * AXES["row"] * AXES["column"]
_DRIVERS = AXES["hemisphere"] * AXES["driver"]


@dataclass(frozen=True)
class ExecutionInstanceStatistics:
    """Sizes of one execution instance."""

    num_populations: int
    num_projections: int
    num_neurons: int
    num_synapses: int
    num_synapse_drivers: int

    def get_num_populations(self) -> int:
        """Return the number of populations, spike sources included."""
        return self.num_populations

    def get_num_projections(self) -> int:
        """Return the number of projections."""
        return self.num_projections

    def get_num_neurons(self) -> int:
        """Return the number of neuron circuits in use."""
        return self.num_neurons

    def get_num_synapses(self) -> int:
        """Return the number of synapse circuits in use."""
        return self.num_synapses

    def get_num_synapse_drivers(self) -> int:
        """Return the number of synapse drivers in use."""
        return self.num_synapse_drivers

    def get_neuron_usage(self) -> float:
        """Return the share of the chip's neuron circuits, 0 to 1."""
        return self.num_neurons / _CIRCUITS

    def get_synapse_usage(self) -> float:
        """Return the share of the chip's synapse circuits, 0 to 1."""
        return self.num_synapses / _SYNAPSES

    def get_synapse_driver_usage(self) -> float:
        """Return the share of the chip's synapse drivers, 0 to 1."""
        return self.num_synapse_drivers / _DRIVERS

    def __str__(self) -> str:
        return (
            f"ExecutionInstance(populations: {self.num_populations}, projections: {self.num_projections}, "
            f"neurons: {self.num_neurons} ({self.get_neuron_usage():.1%}), synapses: {self.num_synapses} ({self.get_synapse_usage():.1%}), "
            f"synapse drivers: {self.num_synapse_drivers} ({self.get_synapse_driver_usage():.1%}))"
        )


@dataclass(frozen=True)
class MappedTopologyStatistics:
    """Sizes of the mapped network, and how long its mapping took on this computer."""

    instances: Mapping[int, ExecutionInstanceStatistics]
    wall: Mapping[str, float] = field(default_factory=dict, compare=False)

    def get_execution_instances(self) -> dict[int, ExecutionInstanceStatistics]:
        """Return the sizes of each execution instance."""
        return dict(self.instances)

    def get_abstract_network_construction_duration(self) -> timedelta:
        """Return how long the populations and projections took."""
        return self._duration("network")

    def get_hardware_network_construction_duration(self) -> timedelta:
        """Return how long placement and register values took."""
        return self._duration("place") + self._duration("lower")

    def get_routing_duration(self) -> timedelta:
        """Return how long the search for buses, drivers and labels took."""
        return self._duration("route")

    def get_verification_duration(self) -> timedelta:
        """Return how long the check took whether the registers realise the network."""
        return self._duration("check")

    def _duration(self, part: str) -> timedelta:
        return timedelta(seconds=self.wall.get(part, 0.0))

    def __str__(self) -> str:
        parts = [f"{instance}: {statistics}" for instance, statistics in self.instances.items()]
        parts += [f"{part}: {duration * 1e3:.2f} ms" for part, duration in self.wall.items()]
        return f"MappedTopologyStatistics({', '.join(parts)})"


NetworkGraphStatistics = MappedTopologyStatistics
"""The older name."""


@dataclass(frozen=True)
class ExecutionTimeInfo:
    """Durations of the last run.

    Parameters
    ----------
    execution_duration : timedelta
        What this computer needed.
    execution_duration_per_hardware : dict of int to dict of int to timedelta
        By connection and chip: what a real system would have been busy; an estimate.
    realtime_duration_per_execution_instance : dict of int to dict of int to timedelta
        By execution instance and chip: hardware time of the run, of all its executions.
    """

    execution_duration: timedelta
    execution_duration_per_hardware: dict[int, dict[int, timedelta]]
    realtime_duration_per_execution_instance: dict[int, dict[int, timedelta]]


@dataclass(frozen=True)
class ExecutionHealthInfo:
    """What was lost in the last run.

    Parameters
    ----------
    execution_instances : dict of int to Losses
        By execution instance: events and samples sent, delivered and lost on each link, with the reasons.
    """

    execution_instances: dict[int, Losses]


@dataclass(frozen=True)
class ExecutionInstanceData:
    """What is known about one execution instance after the run.

    Parameters
    ----------
    device_usage_duration, realtime_duration : dict of int to timedelta
        By chip: what a real system would have been busy (an estimate), and hardware time of the run.
    execution_health_info : Losses
    read_ppu_symbols : list of dict
        One per trial; empty: :func:`get_post_realtime_read_ppu_symbols` has them.
    """

    device_usage_duration: dict[int, timedelta]
    realtime_duration: dict[int, timedelta]
    execution_health_info: Losses
    read_ppu_symbols: list[dict[int, dict[str, Any]]]


class ExecutionInstances(dict[int, ExecutionInstanceData]):
    """Execution instances by their number."""

    def contains(self, instance: int = 0) -> bool:
        """Return whether an instance exists."""
        return instance in self


class SymbolsOfChips(dict[Any, Any]):
    """Memory of plasticity programs by symbol; indexed by a chip, it returns that chip's, which is itself."""

    def __missing__(self, key: Any) -> Any:
        if isinstance(key, int):
            return self
        raise KeyError(key)


def get_backend_statistics() -> MappedTopologyStatistics:
    """Return sizes of the mapped network and durations of its mapping.

    Raises
    ------
    RunStateError
        Before ``setup`` or before the network was mapped.
    """
    state = _state("the backend's statistics")
    mapped = state.mapped
    if not mapped:
        raise RunStateError("the backend's statistics were asked for before the network was mapped; call run(None, RunCommand.PREPARE) first.")
    wall = {"network": state.wall_network_s, **_total([one.wall for one in mapped.values()])}
    return MappedTopologyStatistics({instance: _sizes(one) for instance, one in mapped.items()}, wall)


def get_execution_time_info() -> ExecutionTimeInfo:
    """Return durations of the last run.

    Raises
    ------
    RunStateError
        Before ``setup`` or a run.
    """
    data = get_execution_instance_data()
    state = _state("durations")
    return ExecutionTimeInfo(
        timedelta(seconds=state.wall_s),
        {0: {0: sum((one.device_usage_duration[0] for one in data.values()), timedelta())}},
        {instance: one.realtime_duration for instance, one in data.items()},
    )


def get_execution_health_info() -> ExecutionHealthInfo:
    """Return what was lost in the last run.

    Raises
    ------
    RunStateError
        Before ``setup`` or a run.
    """
    return ExecutionHealthInfo({instance: data.execution_health_info for instance, data in get_execution_instance_data().items()})


def get_execution_instance_data() -> ExecutionInstances:
    """Return what is known about each execution instance of the last run.

    Raises
    ------
    RunStateError
        Before ``setup`` or a run.
    """
    state = _state("data of the execution")
    if not state.recordings:
        raise RunStateError("data of the execution were asked for before a run; call run() first.")
    return ExecutionInstances({instance: _data(one) for instance, one in state.recordings.items()})


def get_pre_realtime_read() -> dict[Any, Any]:
    """Return what the last run read before its real-time section: coordinate to container, empty before a run.

    Raises
    ------
    RunStateError
        Before ``setup``.
    """
    return _state("reads").pre_realtime_read


def get_post_realtime_read() -> dict[Any, Any]:
    """Return what the last run read after its real-time section: coordinate to container, empty before a run.

    Raises
    ------
    RunStateError
        Before ``setup``.
    """
    return _state("reads").post_realtime_read


def get_post_realtime_read_ppu_symbols() -> SymbolsOfChips:
    """Return the global variables of plasticity rules that were asked for, by name and hemisphere.

    Raises
    ------
    RunStateError
        Before ``setup`` or a run.
    """
    if not _state("PPU symbols").running:
        raise RunStateError("PPU symbols were asked for before a run; call run() first.")
    return SymbolsOfChips(_state("PPU symbols").ppu_symbols)


def _state(what: str) -> simulator.State:
    if simulator.state is None:
        raise RunStateError(f"{what} were asked for without an experiment; call setup() first.")
    return simulator.state


def _sizes(mapped: MappedNetwork) -> ExecutionInstanceStatistics:
    return ExecutionInstanceStatistics(
        len(mapped.network.populations),
        len(mapped.network.projections),
        sum(members.size for members in mapped.placement.members),
        len(mapped.routing.connection),
        int(mapped.routing.receiver.sum()),
    )


def _data(recordings: list[Recording]) -> ExecutionInstanceData:
    """Return what is known about an instance; its executions add up."""
    losses = [recording.losses for recording in recordings]
    totals = [_total([one.sent for one in losses]), _total([one.delivered for one in losses]), _total([one.lost for one in losses])]
    costs = [recording.cost for recording in recordings]
    return ExecutionInstanceData(
        {0: timedelta(seconds=sum(cost.hardware_s + cost.configuration_s + cost.transfer_s for cost in costs))},
        {0: timedelta(seconds=sum(seconds(recording.duration) for recording in recordings))},
        Losses(*totals),
        [{}],
    )


def _total(parts: Sequence[Mapping[Any, Any]]) -> dict[Any, Any]:
    """Return the sums by key."""
    return {key: sum(part.get(key, 0) for part in parts) for key in {key: None for part in parts for key in part}}
