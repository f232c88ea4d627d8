"""A session: one virtual chip whose state survives between programs, as on silicon."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from neckar.errors import ConfigurationError
from neckar.lab._execute import execute
from neckar.lab._observe import notify

if TYPE_CHECKING:
    from neckar.lab._lab import Lab
    from neckar.program import MachineState, Program, Recording


class Session:
    """Holds the chip of a lab between programs: all registers and the analog state of its circuits. Made by :meth:`Lab.session`.

    Parameters
    ----------
    lab : Lab
        Gives chip, effects, instruments, step and run numbers.
    state : MachineState, optional
        What the chip holds at the start; None is after a reset.
    """

    def __init__(self, lab: Lab, state: MachineState | None = None) -> None:
        self.lab = lab
        self._state = state
        self._open = True

    @property
    def state(self) -> MachineState | None:
        """What the chip holds now; None after a reset."""
        return self._state

    def run(self, program: Program) -> Recording:
        """Run a program on the chip as the last one left it. If it fails, the state stays as it was.

        Raises
        ------
        ConfigurationError
            If the session is closed.
        """
        if not self._open:
            raise ConfigurationError("a program was handed to a closed session; allowed are open ones. Start a new one with lab.session().")
        lab, before = self.lab, self._state
        program = lab.numbered([program])[0]
        recording, self._state = execute(lab.specimen, lab.effects, lab.instruments, lab.step_us, program, before)
        notify(program, recording, before)
        return recording

    def reset(self) -> None:
        """Reset the chip: the next program finds the defaults of all registers."""
        self._state = None

    def close(self) -> None:
        """Forget the chip's state and refuse further programs. Closing twice is allowed."""
        self._state, self._open = None, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
