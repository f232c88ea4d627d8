"""Builders of playback programs: commands in order, commands at absolute times, and lists of pairs of coordinate and container."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any, Self

from dlens_vx_v3 import hal, halco
from dlens_vx_v3.halco import Coordinate
from dlens_vx_v3.sta._commands import BuilderStateError, Command, ContainerTicket, Read, Wait, Write
from dlens_vx_v3.sta._program import PlaybackProgram
from dlens_vx_v3.sta._registers import check_pair
from neckar.errors import ConfigurationError

Pair = tuple[Coordinate, Any]


class _Builder:
    """Commands in order."""

    def __init__(self) -> None:
        self._commands: list[Command] = []

    @property
    def commands(self) -> tuple[Command, ...]:
        """All commands, in order."""
        return tuple(self._commands)

    def accesses(self) -> Iterator[tuple[int, str, Coordinate, Any]]:
        """Yield time, ``"write"`` or ``"read"``, coordinate, and container or ticket of each command; waits are left out, and all times are 0."""
        return (_access(0, command) for command in self._commands if not isinstance(command, Wait))

    def write(self, coordinate: Coordinate, container: Any, *_reference: Any) -> None:
        """Write a container; a later change of it has no effect on the program. A reference of a differential write and a backend are ignored.

        Raises
        ------
        ContainerTypeError
            If the container does not belong to the coordinate.
        """
        check_pair(coordinate, container)
        self._commands.append(Write(coordinate, copy.copy(container)))

    def block_until(self, coordinate: Coordinate, condition: Any) -> None:
        """Wait until a condition holds.

        Parameters
        ----------
        coordinate : TimerOnDLS or BarrierOnFPGA
        condition : hal.Timer.Value or hal.Barrier
            A number of FPGA clock cycles since the timer was written, or a barrier; commands take no time here, so a barrier never waits.
        """
        self._commands.append(Wait(coordinate, condition))

    def merge_back(self, other: Self) -> None:
        """Move the commands of another builder to the end of this one; the other is empty afterwards."""
        taken, other._commands = other._commands, []
        self._commands += taken

    def merge_front(self, other: Self) -> None:
        """Move the commands of another builder before those of this one; the other is empty afterwards."""
        taken, other._commands = other._commands, []
        self._commands = taken + self._commands

    def copy_back(self, other: Self) -> None:
        """Add the commands of another builder, which keeps them.

        Raises
        ------
        BuilderStateError
            If the other one reads: a ticket has one answer.
        """
        if not other.is_write_only():
            raise BuilderStateError("copy_back got a builder with reads; allowed are builders that only write and wait. Use merge_back.")
        self._commands += other._commands

    def empty(self) -> bool:
        """Return whether there is no command."""
        return not self._commands

    def is_write_only(self) -> bool:
        """Return whether nothing is read."""
        return not any(isinstance(command, Read) for command in self._commands)

    def __len__(self) -> int:
        return len(self._commands)

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        return "\n".join([f"{type(self).__name__}:", *map(str, self._commands)])


class PlaybackProgramBuilder(_Builder):
    """Collects commands that are executed one after the other, without a pause but for :meth:`block_until`.

    Examples
    --------
    >>> from dlens_vx_v3 import hal, halco, sta
    >>> builder = sta.PlaybackProgramBuilder()
    >>> builder.write(halco.TimerOnDLS(), hal.Timer())
    >>> builder.block_until(halco.TimerOnDLS(), hal.Timer.Value(125))
    >>> ticket = builder.read(halco.CommonNeuronBackendConfigOnDLS(0))
    >>> program = builder.done()
    """

    def read(self, coordinate: Coordinate, *_backend: Any) -> ContainerTicket:
        """Read what a coordinate holds.

        Returns
        -------
        ContainerTicket
            Has the container after the program ran.
        """
        ticket = ContainerTicket(coordinate)
        self._commands.append(Read(coordinate, ticket))
        return ticket

    def done(self) -> PlaybackProgram:
        """Return the program; the builder is empty afterwards."""
        taken, self._commands = self._commands, []
        return PlaybackProgram(tuple(taken))

    def __repr__(self) -> str:
        return f"PlaybackProgramBuilder({len(self)} commands, is write only: {self.is_write_only()})"


class DumperDone:
    """Pairs of coordinate and container, in order. Waits are pairs too, of a timer or barrier and its condition.

    Parameters
    ----------
    values : iterable of (coordinate, container), optional

    Attributes
    ----------
    values : list of (coordinate, container)
    """

    def __init__(self, values: Iterable[Pair] = ()) -> None:
        self.values: list[Pair] = list(values)

    def tolist(self) -> list[Pair]:
        """Return the pairs."""
        return list(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.values)

    def __eq__(self, other: object) -> bool:
        return self.values == other.values if isinstance(other, DumperDone) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"DumperDone({len(self)} pairs)"


class PlaybackProgramBuilderDumper(_Builder):
    """Collects pairs of coordinate and container instead of executing them."""

    def read(self, coordinate: Coordinate, *_backend: Any) -> ContainerTicket:
        """Refuse: nothing is executed, so nothing can be read."""
        raise BuilderStateError(f"a dumper was asked to read {coordinate}; allowed are writes and waits. Use a PlaybackProgramBuilder.")

    def done(self) -> DumperDone:
        """Return the pairs; the builder is empty afterwards."""
        taken, self._commands = self._commands, []
        return DumperDone((c.coordinate, c.condition if isinstance(c, Wait) else c.container) for c in taken if not isinstance(c, Read))

    def __repr__(self) -> str:
        return f"PlaybackProgramBuilderDumper({len(self)} commands)"


class AbsoluteTimePlaybackProgramBuilder:
    """Collects commands at absolute times; the order of calls matters only at equal times.

    Times are FPGA clock cycles (``hal.Timer.Value``) from the start of the section.
    """

    def __init__(self) -> None:
        self._timed: list[tuple[int, Command]] = []

    @property
    def commands(self) -> tuple[tuple[int, Command], ...]:
        """All commands with their times in FPGA clock cycles, ascending."""
        return tuple(sorted(self._timed, key=lambda item: item[0]))

    def accesses(self) -> Iterator[tuple[int, str, Coordinate, Any]]:
        """Yield time in FPGA clock cycles, ``"write"`` or ``"read"``, coordinate, and container or ticket of each command, ascending in time."""
        return (_access(time, command) for time, command in self.commands if not isinstance(command, Wait))

    def write(self, time: Any, coordinate: Coordinate, container: Any, *_reference: Any) -> None:
        """Write a container at a time.

        Raises
        ------
        BuilderStateError
            If the coordinate is the timer, which belongs to the builder.
        ContainerTypeError
            If the container does not belong to the coordinate.
        """
        if isinstance(coordinate, halco.TimerOnDLS):
            raise BuilderStateError(
                "a builder with absolute times was asked to write the timer; allowed are all other coordinates. Give the time of each command."
            )
        check_pair(coordinate, container)
        self._timed.append((_cycles(time), Write(coordinate, copy.copy(container))))

    def read(self, time: Any, coordinate: Coordinate) -> ContainerTicket:
        """Read what a coordinate holds at a time."""
        ticket = ContainerTicket(coordinate)
        self._timed.append((_cycles(time), Read(coordinate, ticket)))
        return ticket

    def merge(self, other: Self) -> None:
        """Move the commands of another builder into this one; the other is empty afterwards."""
        taken, other._timed = other._timed, []
        self._timed += taken

    def copy(self, other: Self) -> None:
        """Add the commands of another builder, which keeps them.

        Raises
        ------
        BuilderStateError
            If the other one reads: a ticket has one answer.
        """
        if not other.is_write_only():
            raise BuilderStateError("copy got a builder with reads; allowed are builders that only write. Use merge.")
        self._timed += other._timed

    def empty(self) -> bool:
        """Return whether there is no command."""
        return not self._timed

    def is_write_only(self) -> bool:
        """Return whether nothing is read."""
        return not any(isinstance(command, Read) for _, command in self._timed)

    def done(self) -> PlaybackProgramBuilder:
        """Return a builder that executes the commands in the order of time; this one is empty afterwards."""
        ordered, self._timed = self.commands, []
        builder, timer, now = PlaybackProgramBuilder(), halco.TimerOnDLS(), 0
        builder.write(timer, hal.Timer())
        for time, command in ordered:
            if time > now:
                builder.block_until(timer, hal.Timer.Value(time))
                now = time
            builder._commands.append(command)
        return builder

    def __iadd__(self, offset: Any) -> Self:
        self._timed = [(_cycles(time + int(offset)), command) for time, command in self._timed]
        return self

    def __add__(self, offset: Any) -> Self:
        twin = type(self)()
        twin.copy(self)
        twin += offset
        return twin

    def __imul__(self, factor: float) -> Self:
        self._timed = [(_cycles(round(time * factor)), command) for time, command in self._timed]
        return self

    def __mul__(self, factor: float) -> Self:
        twin = type(self)()
        twin.copy(self)
        twin *= factor
        return twin

    def __len__(self) -> int:
        return len(self._timed)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"AbsoluteTimePlaybackProgramBuilder({len(self)} commands)"

    def __str__(self) -> str:
        return "\n".join(["AbsoluteTimePlaybackProgramBuilder:", *(f"{time}: {command}" for time, command in self._timed)])


def _access(time: int, command: Write | Read) -> tuple[int, str, Coordinate, Any]:
    if isinstance(command, Write):
        return time, "write", command.coordinate, command.container
    return time, "read", command.coordinate, command.ticket


def _cycles(time: Any) -> int:
    """Return a time in FPGA clock cycles after checking its range."""
    return int(hal.Timer.Value(time))


def convert_to_builder(dump: DumperDone | PlaybackProgramBuilderDumper) -> PlaybackProgramBuilder:
    """Return a builder with the writes and waits of a dump."""
    builder = PlaybackProgramBuilder()
    for coordinate, content in _pairs(dump):
        if isinstance(content, hal.Timer.Value) or (isinstance(coordinate, halco.BarrierOnFPGA) and isinstance(content, hal.Barrier)):
            builder.block_until(coordinate, content)
        else:
            builder.write(coordinate, content)
    return builder


def convert_to_dumper(dump: DumperDone) -> PlaybackProgramBuilderDumper:
    """Return a dumper with the writes and waits of a dump."""
    dumper = PlaybackProgramBuilderDumper()
    dumper._commands += convert_to_builder(dump)._commands
    return dumper


def convert_to_chip(dump: DumperDone | PlaybackProgramBuilderDumper, previous: Any = None) -> Any:
    """Return the chip that a dump leaves behind.

    Parameters
    ----------
    dump : DumperDone or PlaybackProgramBuilderDumper
        Applied in order; what is not part of the chip, such as timers and the board, is left out.
    previous : lola.Chip, optional
        What the chip holds before, which is not changed; by default a chip after a reset.

    Returns
    -------
    lola.Chip
    """
    from dlens_vx_v3 import lola
    from dlens_vx_v3._container import Container, config_of

    chip = lola.Chip() if previous is None else copy.copy(previous)
    for coordinate, container in _pairs(dump):
        if isinstance(coordinate, halco.ChipOnDLS):
            chip = copy.copy(container)
        elif isinstance(container, Container) and not container.is_on_board:
            container.write_to(config_of(chip), coordinate)
    return chip


def _pairs(dump: DumperDone | PlaybackProgramBuilderDumper) -> list[Pair]:
    if isinstance(dump, PlaybackProgramBuilderDumper):
        twin = PlaybackProgramBuilderDumper()
        twin.copy_back(dump)
        return twin.done().values
    if isinstance(dump, DumperDone):
        return dump.values
    raise ConfigurationError(f"a conversion got {type(dump).__name__}; allowed is what PlaybackProgramBuilderDumper().done() returns.")
