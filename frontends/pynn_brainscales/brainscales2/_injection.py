"""Register accesses that the user adds around and inside a run.

Coordinates and containers are those of :mod:`dlens_vx_v3`; here they become timed writes and reads of a Program, and what was read becomes containers again.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dlens_vx_v3 import halco
from dlens_vx_v3._values import UnknownMemberError
from dlens_vx_v3.sta import AbsoluteTimePlaybackProgramBuilder, PlaybackProgramBuilder
from dlens_vx_v3.sta._registers import At, NeuronResets, PendingRead, Reads, check_pair, timed_writes
from neckar.errors import ConfigurationError, UnsupportedFeatureError, nearest
from neckar.facts import brainscales2 as facts
from neckar.program import Recording, TimedRead, TimedWrite

READ_PHASES = ("pre_realtime", "inside_realtime_begin", "inside_realtime_end", "post_realtime")

Command = tuple[str, Any, Any]
"""``"write"`` or ``"read"``, coordinate, and container or ticket."""

_SPIKE_PACKS = (halco.SpikePack1ToChipOnDLS, halco.SpikePack2ToChipOnDLS, halco.SpikePack3ToChipOnDLS)


class _Fields:
    """Refuses fields that do not exist: what stands in a misspelt one would be ignored."""

    def __setattr__(self, name: str, value: Any) -> None:
        known: tuple[str, ...] = tuple(vars(type(self))["__dataclass_fields__"])
        if name not in known and not hasattr(type(self), name):
            raise UnknownMemberError(f"{type(self).__name__} has no field {name!r}{nearest(name, known)} It has {', '.join(known)}.")
        super().__setattr__(name, value)


@dataclass
class InjectedConfiguration(_Fields):
    """Register writes besides the network's configuration.

    Each phase takes a dict from coordinate to container, or a ``sta.PlaybackProgramBuilder``. Order of an execution: ``pre_non_realtime``, the static
    configuration (initial configuration and network, every register of the chip), ``pre_realtime``, ``inside_realtime_begin`` at the first tick, the run with
    ``inside_realtime``, ``inside_realtime_end`` at its end, ``post_realtime``. What a phase changes is set back by the static configuration of the next
    execution.

    Parameters
    ----------
    pre_non_realtime : dict or builder
        Overwritten by the static configuration wherever that knows the register, as on the real system. The name ``pre_static_config`` means the same.
    pre_realtime, inside_realtime_begin, inside_realtime_end, post_realtime : dict or builder
    inside_realtime : sta.AbsoluteTimePlaybackProgramBuilder
        Times are FPGA cycles of 8 ns from the first tick; it may be filled until the run.
    ppu_symbols : dict of str to container
        Global variables of plasticity rules: a dict from ``HemisphereOnDLS`` to ``PPUMemoryBlock``, or one block for both. Written before the run.
    """

    pre_non_realtime: Any = field(default_factory=dict)
    pre_realtime: Any = field(default_factory=dict)
    inside_realtime_begin: Any = field(default_factory=dict)
    inside_realtime: Any = field(default_factory=AbsoluteTimePlaybackProgramBuilder)
    inside_realtime_end: Any = field(default_factory=dict)
    post_realtime: Any = field(default_factory=dict)
    ppu_symbols: dict[str, Any] = field(default_factory=dict)

    @property
    def pre_static_config(self) -> Any:
        """The older name of `pre_non_realtime`."""
        return self.pre_non_realtime

    @pre_static_config.setter
    def pre_static_config(self, value: Any) -> None:
        self.pre_non_realtime = value


@dataclass
class InjectedReadout(_Fields):
    """Coordinates to be read in each execution; each phase after the writes of :class:`InjectedConfiguration`.

    Parameters
    ----------
    pre_realtime, inside_realtime_begin, inside_realtime_end, post_realtime : set of coordinates
    ppu_symbols : set of str
        Names of global variables of plasticity rules.
    """

    pre_realtime: set[Any] = field(default_factory=set)
    inside_realtime_begin: set[Any] = field(default_factory=set)
    inside_realtime_end: set[Any] = field(default_factory=set)
    post_realtime: set[Any] = field(default_factory=set)
    ppu_symbols: set[str] = field(default_factory=set)


class Wanted(NamedTuple):
    """A container that an execution brings."""

    phase: str
    pending: PendingRead
    ticket: Any  # of a builder, or None
    stored: Any  # what the hooks wrote there last, which has members that are no registers, or None


@dataclass(frozen=True)
class Accesses:
    """The register accesses of one execution.

    Parameters
    ----------
    writes : tuple of TimedWrite
    reads : tuple of TimedRead
    events : tuple of (int, int)
        Tick and label of further input events.
    wanted : tuple of Wanted
    neuron_reset : bool
        Whether all neurons are reset before the run.
    forces_static : bool
        Whether the whole configuration is sent again, because something was written before it.
    """

    writes: tuple[TimedWrite, ...] = ()
    reads: tuple[TimedRead, ...] = ()
    events: tuple[tuple[int, int], ...] = ()
    wanted: tuple[Wanted, ...] = ()
    neuron_reset: bool = False
    forces_static: bool = False

    def __bool__(self) -> bool:
        return bool(self.writes or self.reads or self.events or self.neuron_reset or self.forces_static)

    def containers(self, recording: Recording) -> dict[str, dict[Any, Any]]:
        """Return, for each phase, coordinate and container of what was read; tickets of builders are filled."""
        found: dict[str, dict[Any, Any]] = {phase: {} for phase in READ_PHASES}
        for phase, pending, ticket, stored in self.wanted:
            container = pending.take(recording, stored=stored)
            if ticket is None:
                found[phase][pending.coordinate] = container
            else:
                ticket.redeem(container, 0 if isinstance(pending.at, str) else pending.at // facts.FPGA_CLOCK_TICKS)
        return found


def check_hooks(configuration: Any, readout: Any) -> None:
    """Check what ``setup`` was given.

    Raises
    ------
    ConfigurationError
        If it is neither None nor an InjectedConfiguration and an InjectedReadout.
    """
    for keyword, value, kind in (("injected_config", configuration, InjectedConfiguration), ("injected_readout", readout, InjectedReadout)):
        if value is not None and not isinstance(value, kind):
            raise ConfigurationError(f"setup({keyword}=...) is {reprlib.repr(value)}; allowed is pynn.{kind.__name__}(). Fill its fields.")


def accesses(configuration: InjectedConfiguration, readout: InjectedReadout, duration: int) -> Accesses:
    """Translate the hooks as they are now.

    Parameters
    ----------
    configuration : InjectedConfiguration
    readout : InjectedReadout
    duration : int
        Ticks of the execution.

    Raises
    ------
    UnsupportedFeatureError
        If a builder reads a register before it writes it at the same time.
    ConfigurationError
        If a phase is neither dict nor builder, a coordinate does not take the container, or a time lies outside the run.
    """
    before = commands_of("pre_non_realtime", configuration.pre_non_realtime)
    hooks = _Hooks(duration)
    hooks.stored = {coordinate: container for kind, coordinate, container in before if kind == "write"}
    hooks.phase("pre_realtime", "before", configuration.pre_realtime, readout.pre_realtime)
    hooks.phase("inside_realtime_begin", 0, configuration.inside_realtime_begin, readout.inside_realtime_begin)
    for cycles, *command in timed_commands_of(configuration.inside_realtime):
        hooks.command("inside_realtime", hooks.tick(cycles), *command)
    hooks.phase("inside_realtime_end", duration, configuration.inside_realtime_end, readout.inside_realtime_end)
    hooks.phase("post_realtime", "after", configuration.post_realtime, readout.post_realtime)
    return Accesses(tuple(hooks.writes), hooks.reads.timed(), tuple(sorted(hooks.events)), tuple(hooks.wanted), hooks.neuron_resets.of_all(), bool(before))


def commands_of(phase: str, given: Any) -> list[Command]:
    """Return the commands of a dict or builder."""
    if isinstance(given, Mapping):
        for coordinate, container in given.items():
            check_pair(coordinate, container)
        return [("write", coordinate, container) for coordinate, container in given.items()]
    if isinstance(given, PlaybackProgramBuilder):
        return [(kind, coordinate, what) for _, kind, coordinate, what in given.accesses()]
    allowed = "allowed is a dict from coordinate to container, or a sta.PlaybackProgramBuilder. Give one of them."
    raise ConfigurationError(f"injected_config.{phase} is {reprlib.repr(given)}; {allowed}")


def timed_commands_of(given: Any) -> Iterable[tuple[int, str, Any, Any]]:
    """Return the commands inside the run with their times in FPGA cycles, ascending."""
    if isinstance(given, AbsoluteTimePlaybackProgramBuilder):
        return given.accesses()
    raise ConfigurationError(f"injected_config.inside_realtime is {reprlib.repr(given)}; allowed is a sta.AbsoluteTimePlaybackProgramBuilder. Give one.")


class _Hooks:
    """Collects the accesses of one execution of `duration` ticks."""

    def __init__(self, duration: int) -> None:
        self.duration = duration
        self.writes: list[TimedWrite] = []
        self.events: list[tuple[int, int]] = []
        self.reads = Reads()
        self.neuron_resets = NeuronResets()
        self.wanted: list[Wanted] = []
        self.stored: dict[Any, Any] = {}
        self._read_at: set[tuple[At, str]] = set()

    def phase(self, phase: str, moment: At, given: Any, coordinates: Iterable[Any]) -> None:
        """Add the commands of a phase and what is read after them.

        A phase at the begin or end of the run that only reads is one with the phase before or after it, because some counters can be read there only.
        """
        commands = commands_of(phase, given)
        if not isinstance(moment, str) and all(kind == "read" for kind, _, _ in commands):
            moment = "after" if moment else "before"
        for command in commands:
            self.command(phase, moment, *command)
        for coordinate in coordinates:
            self._read(phase, moment, coordinate, None)

    def command(self, phase: str, at: At, kind: str, coordinate: Any, what: Any) -> None:
        """Add one command."""
        if kind == "read":
            self._read(phase, at, coordinate, what)
        else:
            self._write(phase, at, coordinate, what)

    def tick(self, cycles: int) -> int:
        """Return the tick of a time in FPGA cycles."""
        tick = cycles * facts.FPGA_CLOCK_TICKS
        if tick > self.duration:
            last = self.duration // facts.FPGA_CLOCK_TICKS
            raise ConfigurationError(
                f"injected_config.inside_realtime has a command at {cycles} cycles of the FPGA; allowed is 0 to {last}, the run's end. Move it or run longer."
            )
        return tick

    def _read(self, phase: str, at: At, coordinate: Any, ticket: Any) -> None:
        pending = self.reads.add(coordinate, at)
        self.wanted.append(Wanted(phase, pending, ticket, self.stored.get(coordinate)))
        self._read_at |= {(at, place.field) for place in pending.places}

    def _write(self, phase: str, at: At, coordinate: Any, container: Any) -> None:
        if isinstance(coordinate, _SPIKE_PACKS):
            if isinstance(at, str) or at >= self.duration:
                raise ConfigurationError(
                    f"injected_config.{phase} sends events; allowed are inside_realtime_begin and inside_realtime before its end. Move them."
                )
            self.events += [(at, int(label)) for label in container.labels]
            return
        self.stored[coordinate] = container
        self.neuron_resets.add(coordinate)
        for write in timed_writes(coordinate, container, at):
            if (at, write.field) in self._read_at:
                raise UnsupportedFeatureError(
                    f"injected_config.{phase} reads {write.field} and then writes it at the same time; allowed is the other order. Write a cycle later."
                )
            self.writes.append(write)
