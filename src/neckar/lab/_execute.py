"""What a worker does: build the virtual chip from plain data, and run a program on it.

A chip crosses a process border as (specimen, effects, instruments, step, state), never as a live object. Building one draws all its mismatch, so the
chips used last are kept; they are pure, so that changes no result.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from neckar.lab._trace import tracer

if TYPE_CHECKING:
    from neckar.chip.effects import Effects
    from neckar.chip.machine import Chip
    from neckar.chip.specimen import Specimen
    from neckar.program import MachineState, Program, Recording


def execute(
    specimen: Specimen, effects: Effects, instruments: str, step_us: float | None, program: Program, state: MachineState | None
) -> tuple[Recording, MachineState]:
    """Run one program on one virtual chip.

    Parameters
    ----------
    specimen : Specimen
        Which chip.
    effects : Effects
        Which imperfections are on.
    instruments : {"silicon", "open"}
        Limits of the recording instruments.
    step_us : float or None
        Upper bound of the integration step in microseconds of hardware time; None is the machine's choice.
    program : Program
        Carries its run seed.
    state : MachineState or None
        What the chip holds before; None is after a reset.

    Returns
    -------
    recording : Recording
    state : MachineState
        What the chip holds afterwards.
    """
    machine, traced = _machine(specimen, effects, instruments, step_us), tracer()
    return machine.run(program, state) if traced is None else machine.run(program, state, tracer=traced)


def record(specimen: Specimen, effects: Effects, instruments: str, step_us: float | None, program: Program) -> Recording:
    """Run one program on a chip after a reset and return the recording only, which saves sending the state."""
    return execute(specimen, effects, instruments, step_us, program, None)[0]


@lru_cache(maxsize=8)
def _machine(specimen: Specimen, effects: Effects, instruments: str, step_us: float | None) -> Chip:
    from neckar.chip.machine import Chip

    return Chip(specimen, effects, instruments=instruments, step_us=step_us)
