"""Register accesses that the user adds around and inside a run.

Coordinates and containers are those of :mod:`dlens_vx_v3`; here they become timed writes and reads of a Program, and what was read becomes containers again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neckar.errors import ConfigurationError, UnsupportedFeatureError
from neckar.facts import brainscales2 as facts
from neckar.program import Recording, TimedRead, TimedWrite

Moment = Any  # a tick, "before" or "after"


def _timed_builder() -> Any:
    try:
        from dlens_vx_v3 import sta
    except ImportError:
        return {}
    return sta.AbsoluteTimePlaybackProgramBuilder()


@dataclass
class InjectedConfiguration:
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
        Memory of plasticity programs, of which this version runs none: a run refuses them.
    """

    pre_non_realtime: Any = field(default_factory=dict)
    pre_realtime: Any = field(default_factory=dict)
    inside_realtime_begin: Any = field(default_factory=dict)
    inside_realtime: Any = field(default_factory=_timed_builder)
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
class InjectedReadout:
    """Coordinates to be read in each execution; each phase after the writes of :class:`InjectedConfiguration`.

    Parameters
    ----------
    pre_realtime, inside_realtime_begin, inside_realtime_end, post_realtime : set of coordinates
    ppu_symbols : set of str
        Names in plasticity programs, of which this version runs none: a run refuses them.
    """

    pre_realtime: set[Any] = field(default_factory=set)
    inside_realtime_begin: set[Any] = field(default_factory=set)
    inside_realtime_end: set[Any] = field(default_factory=set)
    post_realtime: set[Any] = field(default_factory=set)
    ppu_symbols: set[str] = field(default_factory=set)


READ_PHASES = ("pre_realtime", "inside_realtime_begin", "inside_realtime_end", "post_realtime")


@dataclass(frozen=True)
class _Wanted:
    """A container to be built of what was read."""

    phase: str
    coordinate: Any
    names: tuple[str, ...]
    ticket: Any = None


@dataclass(frozen=True)
class Accesses:
    """The register accesses of one execution.

    Parameters
    ----------
    writes : tuple of TimedWrite
    reads : tuple of TimedRead
    wanted : tuple of _Wanted
    forces_static : bool
        Whether the whole configuration is sent again, because something was written before it.
    """

    writes: tuple[TimedWrite, ...] = ()
    reads: tuple[TimedRead, ...] = ()
    wanted: tuple[_Wanted, ...] = ()
    forces_static: bool = False

    def __bool__(self) -> bool:
        return bool(self.writes or self.reads or self.forces_static)

    def containers(self, recording: Recording) -> dict[str, dict[Any, Any]]:
        """Return, for each phase, coordinate and container of what was read; tickets of builders are redeemed."""
        found: dict[str, dict[Any, Any]] = {phase: {} for phase in READ_PHASES}
        for one in self.wanted:
            container = _container_type(one.coordinate).from_codes(one.coordinate, [recording.reads[name][0] for name in one.names])
            if one.ticket is None:
                found[one.phase][one.coordinate] = container
            else:
                one.ticket.redeem(container)
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
            raise ConfigurationError(f"setup({keyword}=...) is {value!r}; allowed is a {kind.__name__}. Fill the fields of pynn.{kind.__name__}().")


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
        If memory of plasticity programs is named.
    ConfigurationError, ParameterRangeError
        If a phase is neither dict nor builder, a coordinate does not take the container, or a time lies outside the run.
    """
    symbols = sorted({*configuration.ppu_symbols, *readout.ppu_symbols})
    if symbols:
        raise UnsupportedFeatureError(f"the PPU symbols {', '.join(symbols)} were named; no plasticity program runs in this version, so none has memory there.")
    translation = _Translation(duration)
    for _ in translation.commands("pre_non_realtime", configuration.pre_non_realtime, "before"):
        pass  # only checked: the static configuration holds every register
    moments = {"pre_realtime": "before", "inside_realtime_begin": 0, "inside_realtime": None, "inside_realtime_end": duration, "post_realtime": "after"}
    for phase, moment in moments.items():
        translation.access(phase, getattr(configuration, phase), moment)
        for coordinate in getattr(readout, phase, ()):
            translation.read(phase, moment, coordinate, None)
    return Accesses(tuple(translation.writes), tuple(translation.reads), tuple(translation.wanted), bool(configuration.pre_non_realtime))


class _Translation:
    """Collects the accesses of one execution."""

    def __init__(self, duration: int) -> None:
        self.duration = duration
        self.writes: list[TimedWrite] = []
        self.reads: list[TimedRead] = []
        self.wanted: list[_Wanted] = []

    def access(self, phase: str, commands: Any, moment: Moment) -> None:
        """Add what a dict or builder does."""
        for at, coordinate, container, ticket in self.commands(phase, commands, moment):
            if container is None:
                self.read(phase, at, coordinate, ticket)
            else:
                for name, index, value in container.codes(coordinate):
                    self.writes.append(TimedWrite(at=at, field=name, index=index, value=np.asarray(value)))

    def read(self, phase: str, moment: Moment, coordinate: Any, ticket: Any) -> None:
        """Add a read of a coordinate."""
        names = []
        for place in _container_type(coordinate).places(coordinate):
            names.append(f"{phase} {len(self.reads)} {place.field}")
            self.reads.append(TimedRead(name=names[-1], at=moment, field=place.field, index=place.index))
        self.wanted.append(_Wanted(phase, coordinate, tuple(names), ticket))

    def commands(self, phase: str, commands: Any, moment: Moment) -> Iterator[tuple[Moment, Any, Any, Any]]:
        """Yield moment, coordinate, and either container or ticket of each command of a dict or builder."""
        if isinstance(commands, Mapping):
            yield from ((moment, coordinate, container, None) for coordinate, container in commands.items())
            return
        if not hasattr(commands, "accesses"):
            raise ConfigurationError(f"injected_config.{phase} is {commands!r}; allowed is a dict from coordinate to container, or a builder of sta.")
        for time, kind, coordinate, what in commands.accesses():
            at = self._tick(phase, time) if moment is None else moment
            yield (at, coordinate, what, None) if kind == "write" else (at, coordinate, None, what)

    def _tick(self, phase: str, time: Any) -> int:
        """Return the tick of a time in FPGA cycles."""
        tick = int(time) * facts.FPGA_CLOCK_TICKS
        if not 0 <= tick <= self.duration:
            cycles = self.duration // facts.FPGA_CLOCK_TICKS
            raise ConfigurationError(
                f"injected_config.{phase} has a command at {int(time)} cycles of the FPGA; the run has {cycles}. Move the command or run longer."
            )
        return tick


def _container_type(coordinate: Any) -> Any:
    from dlens_vx_v3._container import container_type_of

    return container_type_of(coordinate)
