"""Between containers and a Program: which register codes a write changes, and which reads bring a container back.

This is the only place where the register level is translated to :class:`neckar.program.TimedWrite` and :class:`neckar.program.TimedRead`; playback programs
and PyNN's injected configuration and hooks both use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dlens_vx_v3 import halco, lola
from dlens_vx_v3._container import Container, Index, Place, container_type_of
from dlens_vx_v3.halco import Coordinate
from neckar.errors import ConfigurationError, UnsupportedFeatureError
from neckar.facts.brainscales2 import FPGA_CLOCK_TICKS
from neckar.program import Recording, TimedRead, TimedWrite

_NEURON_RESET = "Reset all neurons, before anything waits, reads or sends an event; for a later reset make it two programs."
REFUSED: Mapping[type[Coordinate], str] = {
    halco.BlockPostPulseOnDLS: "Let neurons fire instead.",
    halco.CADCSampleQuadOnDLS: "Read a whole row: CADCSampleRowOnDLS in a playback program.",
    halco.CADCSampleRowOnDLS: "Read it in a playback program, or record with device='cadc'.",
    halco.CADCSamplesOnDLS: "Read it in a playback program, or record with device='cadc'.",
    halco.CorrelationResetOnDLS: "Reset a whole row: CorrelationResetRowOnDLS with a lola.CorrelationResetRow.",
    halco.NeuronResetOnDLS: _NEURON_RESET,
    halco.NeuronResetQuadOnDLS: _NEURON_RESET,
    halco.PADIEventOnDLS: "Send the event through the crossbar: SpikePack1ToChipOnDLS.",
    halco.SpikeCounterResetOnDLS: "Reset it in a playback program; every run starts with counters at 0.",
    halco.PPUControlRegisterOnDLS: "Leave inhibit_reset off, and let a pynn PlasticityRule run the processors.",
}
"""Coordinates whose containers act at the moment at which they are written or read, and what to do instead."""

_NEURON_RESETS = (halco.NeuronResetOnDLS, halco.NeuronResetQuadOnDLS)
_AT_START = (*_NEURON_RESETS, halco.SpikeCounterResetOnDLS)
"""What has an effect at the start of a run: a Program can ask for a reset of all neurons, and its counters start at 0 by themselves."""

At = int | Literal["before", "after"]

FPGA_TICKS = FPGA_CLOCK_TICKS
"""Ticks of a Program in one cycle of the FPGA clock."""

_READ_WHOLE = 16


class ContainerTypeError(ConfigurationError, TypeError):
    """A container that does not belong to the coordinate."""


def check_pair(coordinate: Coordinate, container: Any) -> None:
    """Check that a container belongs to a coordinate.

    Raises
    ------
    ContainerTypeError
        If it does not.
    UnknownNameError
        If nothing can be written there.
    """
    kind = container_type_of(coordinate)
    if not isinstance(container, kind):
        raise ContainerTypeError(f"{type(coordinate).__name__} takes {kind.__name__}, got {type(container).__name__}. Give another one of the two.")


def check_command(coordinate: Coordinate, container: Any, at: At) -> None:
    """Refuse to write a container, or to read a coordinate if it is None, where silicon would do something that the twin does not.

    Raises
    ------
    UnsupportedFeatureError
        The text says what to do instead.
    """
    remedy = REFUSED.get(type(coordinate))
    harmless = isinstance(coordinate, _AT_START) if at == "before" else False
    if isinstance(coordinate, halco.PPUControlRegisterOnDLS):
        harmless = not getattr(container, "inhibit_reset", False)
    if remedy is not None and not harmless:
        raise UnsupportedFeatureError(f"a command goes to {coordinate}, which has no model. {remedy}")


def timed_writes(coordinate: Coordinate, container: Container, at: At) -> list[TimedWrite]:
    """Return the register writes that bring a container to the chip at a tick or in a phase.

    Raises
    ------
    UnsupportedFeatureError
        If it would do something on silicon that has no model.
    """
    check_command(coordinate, container, at)
    return [TimedWrite(at=at, field=field, index=index, value=np.asarray(codes)) for field, index, codes in container.codes(coordinate)]


class NeuronResets:
    """Collects the resets of neurons that are written before a run. A Program resets all neurons, 4 us before its first tick, or none."""

    def __init__(self) -> None:
        self._reset: set[Coordinate] = set()

    def add(self, coordinate: Coordinate) -> None:
        """Take note of what is written at a coordinate."""
        if isinstance(coordinate, _NEURON_RESETS):
            self._reset.add(coordinate)

    def of_all(self) -> bool:
        """Return whether all neurons are reset.

        Raises
        ------
        UnsupportedFeatureError
            If some are and others are not.
        """
        numbers = [sum(isinstance(coordinate, kind) for coordinate in self._reset) for kind in _NEURON_RESETS]
        whole = any(number == kind.size for number, kind in zip(numbers, _NEURON_RESETS, strict=True))
        if self._reset and not whole:
            raise UnsupportedFeatureError(
                f"{numbers[0]} neurons and {numbers[1]} groups of four are reset before a run, not all of them, which has no model. {_NEURON_RESET}"
            )
        return whole


class Reads:
    """Collects the reads of a program, each register once per moment.

    Examples
    --------
    >>> reads = Reads()
    >>> pending = reads.add(coordinate, "after")  # doctest: +SKIP
    >>> program = Program(..., reads=reads.timed())  # doctest: +SKIP
    >>> container = pending.take(recording)  # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._wanted: dict[tuple[At, str], list[Index]] = {}

    def add(self, coordinate: Coordinate, at: At) -> PendingRead:
        """Read what a coordinate holds at a tick or in a phase.

        Raises
        ------
        UnknownNameError
            If nothing can be read there.
        UnsupportedFeatureError
            If the read would do something on silicon that has no model.
        """
        check_command(coordinate, None, at)
        pending = PendingRead(coordinate, at)
        for place in pending.places:
            wanted = self._wanted.setdefault((at, place.field), [])
            if len(wanted) <= _READ_WHOLE and place.index not in wanted:
                wanted.append(place.index)
        return pending

    def timed(self) -> tuple[TimedRead, ...]:
        """Return the reads of a Program. Fields of which many parts are wanted at a moment are read whole."""
        return tuple(
            TimedRead(name=_name(at, field, index), at=at, field=field, index=index)
            for (at, field), wanted in self._wanted.items()
            for index in (wanted if len(wanted) <= _READ_WHOLE else [()])
        )


class PendingRead:
    """A container that a recording will hold.

    Attributes
    ----------
    coordinate : Coordinate
    at : int, "before" or "after"
    """

    def __init__(self, coordinate: Coordinate, at: At) -> None:
        self.coordinate, self.at = coordinate, at
        self.kind = container_type_of(coordinate)
        self.places = self.kind.places(coordinate)

    def take(self, recording: Recording, entry: int = 0, stored: Any = None) -> Any:
        """Return the container as a recording's entry has it; members without a register come from the container that was `stored` there."""
        values = [self._codes(recording, place, entry) for place in self.places]
        container = self.kind.from_codes(self.coordinate, values)
        if isinstance(stored, lola.Chip):
            container._store.values.update(stored._store.copy().values)
        elif isinstance(stored, self.kind):
            for (member, part), (_, source) in zip(container._members(), stored._members(), strict=True):
                if not member.field:
                    member.write(part, member.read(source), (...,) if member.over else ())
        return container

    def _codes(self, recording: Recording, place: Place, entry: int) -> NDArray[Any]:
        name = _name(self.at, place.field, place.index)
        if name in recording.reads:
            return np.asarray(recording.reads[name][entry])
        return np.asarray(recording.reads[_name(self.at, place.field, ())][entry][place.key])


def _name(at: At, field: str, index: Iterable[Any]) -> str:
    parts = [":".join(map(str, part)) if isinstance(part, tuple) else str(part) for part in index]
    return f"{field}[{','.join(parts)}]@{at}"
