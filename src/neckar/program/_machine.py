"""The Machine protocol and the state that a machine hands from one program to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from neckar.program._plain import FrozenDict, Plain, frozen, integer, mapping_of
from neckar.program._program import Program
from neckar.program._record import check_name
from neckar.program._recording import Recording
from neckar.program._validate import MACHINES


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MachineState(Plain):
    """What a machine keeps between programs, as plain data. Hardware time stands still between programs.

    Parameters
    ----------
    machine : str
    registers : mapping of str to ndarray
        Register fields.
    analog : mapping of str to ndarray, axes (chip, entry, field, circuit)
        Voltages and currents of the circuits; weight-like planes have the axes (chip, hemisphere, row, column).
    counters : mapping of str to ndarray
        Counter fields.
    capmem : mapping of str to ndarray
        By how much the analog parameter cells deviate from their codes since they were last written, LSB, by register field and in its shape. A field
        that is missing does not deviate.
    runs : int
        Number of executed programs.

    Raises
    ------
    ProgramError, ParameterRangeError, UnknownNameError
        If a field has the wrong type, `runs` is negative, or the machine does not exist.
    """

    machine: str
    registers: Mapping[str, NDArray[Any]] = field(default_factory=FrozenDict)
    analog: Mapping[str, NDArray[Any]] = field(default_factory=FrozenDict)
    counters: Mapping[str, NDArray[Any]] = field(default_factory=FrozenDict)
    capmem: Mapping[str, NDArray[Any]] = field(default_factory=FrozenDict)
    runs: int = 0

    def __post_init__(self) -> None:
        check_name(self.machine, MACHINES, "MachineState.machine", "machine")
        self._set(
            registers=mapping_of(self.registers, "MachineState.registers", frozen),
            analog=mapping_of(self.analog, "MachineState.analog", frozen),
            counters=mapping_of(self.counters, "MachineState.counters", frozen),
            capmem=mapping_of(self.capmem, "MachineState.capmem", frozen),
            runs=integer(self.runs, "MachineState.runs", low=0),
        )


@runtime_checkable
class Machine(Protocol):
    """Anything that executes Programs: a chip, a wafer, or a remote one."""

    def run(self, program: Program, state: MachineState | None = None) -> tuple[Recording, MachineState]:
        """Execute `program` from `state` (None: after a reset) without side effects: same program, state and machine, same bits."""
        ...
