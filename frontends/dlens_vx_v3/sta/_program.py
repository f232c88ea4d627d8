"""A playback program: commands that were closed by a builder, and what came back when they were executed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlens_vx_v3.sta._commands import Command

if TYPE_CHECKING:
    from neckar.program import Program, Recording

SPIKE = np.dtype([("label", np.uint16), ("fpga_time", np.uint64), ("chip_time", np.uint64)])
MADC_SAMPLE = np.dtype([("value", np.uint16), ("channel", np.uint8), ("fpga_time", np.uint64), ("chip_time", np.uint64)])


class Received:
    """Events from the chip, as upstream's vectors of events.

    Iteration and indexing give records whose attributes are the fields of :meth:`to_numpy`.
    """

    def __init__(self, events: NDArray[Any]) -> None:
        self._events = events

    def to_numpy(self) -> NDArray[Any]:
        """Return a copy as a structured array.

        Times are FPGA clock cycles since the last synchronisation; the chip's clock runs at the same rate, so both are equal.
        """
        return self._events.copy()

    def __len__(self) -> int:
        return len(self._events)

    def __getitem__(self, index: Any) -> Any:
        return self._events.view(np.recarray)[index]

    def __iter__(self) -> Any:
        return iter(self._events.view(np.recarray))

    def __eq__(self, other: object) -> bool:
        return bool(np.array_equal(self._events, other._events)) if isinstance(other, Received) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{len(self)} events ({', '.join(self._events.dtype.names or ())})"


class PlaybackProgram:
    """Commands in order, and the results of their last execution. Made by ``builder.done()``, executed by :func:`~dlens_vx_v3.sta.run`.

    Attributes
    ----------
    commands : tuple of Command
    spikes : Received
        Spikes and looped-back events that reached the host, ordered by time: ``label``, ``fpga_time``, ``chip_time``. A label has the 14 bits that the
        crossbar sees and above them the number of its output to the host.
    madc_samples : Received
        Samples of the membrane converter: ``value`` (0 to 1023), ``channel`` (0 or 1: the converter's input), ``fpga_time``, ``chip_time``.
    program : neckar.program.Program or None
        What the virtual chip executed.
    recording : neckar.program.Recording or None
        Everything that came back, with provenance, losses and cost.
    """

    def __init__(self, commands: tuple[Command, ...] = ()) -> None:
        self.commands = commands
        self.spikes = Received(np.empty(0, SPIKE))
        self.madc_samples = Received(np.empty(0, MADC_SAMPLE))
        self.program: Program | None = None
        self.recording: Recording | None = None

    def empty(self) -> bool:
        """Return whether there is no command."""
        return not self.commands

    def __eq__(self, other: object) -> bool:
        return self.commands == other.commands if isinstance(other, PlaybackProgram) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        state = "not executed" if self.recording is None else f"{len(self.spikes)} spikes, {len(self.madc_samples)} MADC samples of a virtual chip"
        return f"PlaybackProgram({len(self.commands)} commands, {state})"
