"""What a worker does: build the virtual chip from plain data, and run a program on it.

A chip crosses a process border as (specimen, effects, instruments, step, state), never as a live object. Building one draws all its mismatch, so the
chips used last are kept; they are pure, so that changes no result.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from neckar.lab._trace import tracer

if TYPE_CHECKING:
    from neckar.chip.effects import Effects
    from neckar.chip.machine import Chip
    from neckar.chip.specimen import Specimen
    from neckar.program import MachineState, Program, Recording

Seed = tuple[int, int]


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


class Parcel:
    """A program that is serialised once, however often it is sent, and read once by each process that gets it several times."""

    def __init__(self, program: Program) -> None:
        self.program = program

    @cached_property
    def _bytes(self) -> bytes:
        return pickle.dumps(self.program, pickle.HIGHEST_PROTOCOL)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpacked, (self._bytes,)


@lru_cache(maxsize=2)
def _unpacked(content: bytes) -> Parcel:
    return Parcel(pickle.loads(content))


def record_each(
    runs: Sequence[tuple[Specimen, Seed]], effects: Effects, instruments: str, step_us: float | None, parcel: Parcel
) -> Iterator[Recording]:
    """Run one program with several run seeds, each on its chip after a reset, and yield the recordings: the bits of :func:`execute` of each alone."""
    from neckar.chip.machine import run_each

    chips = [_machine(specimen, effects, instruments, step_us) for specimen, _ in runs]
    yield from run_each(chips, parcel.program, [seed for _, seed in runs], tracer())


class _Recordings(list["Recording"]):
    def __reduce__(self) -> tuple[Any, ...]:
        from neckar.program._plain import packed

        return pickle.loads, (packed(list(self)),)


def record_some(
    runs: Sequence[tuple[Specimen, Seed]], effects: Effects, instruments: str, step_us: float | None, parcel: Parcel
) -> list[Recording]:
    """Return the recordings of :func:`record_each` up to the first run that fails; raise if that is the first of all."""
    done = _Recordings()
    try:
        done.extend(record_each(runs, effects, instruments, step_us, parcel))
    except Exception:
        if not done:
            raise
    return done


@lru_cache(maxsize=8)
def _machine(specimen: Specimen, effects: Effects, instruments: str, step_us: float | None) -> Chip:
    from neckar.chip.machine import Chip

    return Chip(specimen, effects, instruments=instruments, step_us=step_us)
