"""What a playback program consists of: writes, reads and waits, each at a coordinate, and tickets for what is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dlens_vx_v3.halco import Coordinate
from neckar.errors import ConfigurationError


class BuilderStateError(ConfigurationError, RuntimeError):
    """A builder or ticket cannot do this, or not now."""


class ContainerTicket:
    """What a read will have brought, once the program ran. Made by ``builder.read(coordinate)``.

    Attributes
    ----------
    coordinate : Coordinate
        What is read.
    """

    def __init__(self, coordinate: Coordinate) -> None:
        self.coordinate = coordinate
        self._answer: tuple[Any, int] | None = None

    def valid(self) -> bool:
        """Return whether the answer is there."""
        return self._answer is not None

    def get(self) -> Any:
        """Return the container that was read.

        Raises
        ------
        BuilderStateError
            If the program did not run yet, or ran on a connection without a chip.
        """
        return self._answered()[0]

    @property
    def fpga_time(self) -> int:
        """When it was read, in FPGA clock cycles since the last synchronisation."""
        return self._answered()[1]

    def _answered(self) -> tuple[Any, int]:
        if self._answer is None:
            raise BuilderStateError(f"the ticket of {self.coordinate} has no answer yet; allowed is after the program ran on a chip. Call sta.run first.")
        return self._answer

    def redeem(self, container: Any, fpga_time: int = 0) -> None:
        """Give the answer; for those who execute programs."""
        self._answer = container, fpga_time

    def __repr__(self) -> str:
        return f"ContainerTicket({self.coordinate}, {'answered' if self.valid() else 'open'})"


@dataclass(frozen=True)
class Write:
    """A container goes to a coordinate."""

    coordinate: Coordinate
    container: Any


@dataclass(frozen=True, eq=False)
class Read:
    """What a coordinate holds comes back in a ticket."""

    coordinate: Coordinate
    ticket: ContainerTicket

    def __eq__(self, other: object) -> bool:
        return self.coordinate == other.coordinate if isinstance(other, Read) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Wait:
    """Nothing further happens until a condition at a coordinate holds."""

    coordinate: Coordinate
    condition: Any


Command = Write | Read | Wait
