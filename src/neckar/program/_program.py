"""The Program: everything that a machine is asked to do, in hardware time and digital codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neckar.errors import ProgramError
from neckar.facts import registers
from neckar.program import _validate
from neckar.program._events import Events
from neckar.program._plain import FrozenDict, Plain, frozen, integer, mapping_of, string, summary, tuple_of
from neckar.program._plasticity import PlasticityTask
from neckar.program._record import MadcBursts, Record, check_name

MachineName = Literal["brainscales2", "brainscales1"]
Phase = Literal["before", "after"]
Index = tuple[int | tuple[int, int], ...]

CALIBRATION_LABEL = "calibration"
"""Label of a Program that names the calibration which its configuration starts from; machines note it in the provenance."""

_PHASES = ("before", "after")


@dataclass(frozen=True, eq=False, repr=False)
class Snippet(Plain):
    """One real-time section.

    Parameters
    ----------
    duration : int
        Ticks of 2 ns, at least 1.
    config : mapping of str to ndarray
        Whole register fields that change at the first tick of the snippet. Anything with ``as_mapping()``, such as a ChipConfig, stands for its mapping.
    record : Record, optional
        What to record in this snippet; None records what the program records.

    Raises
    ------
    ProgramError, ParameterRangeError
        If a field has the wrong type or the duration is below 1.
    """

    duration: int
    config: Mapping[str, NDArray[Any]] = field(default_factory=FrozenDict)
    record: Record | None = None

    def __post_init__(self) -> None:
        self._set(duration=integer(self.duration, "Snippet.duration", low=1, unit="ticks"), config=mapping_of(self.config, "Snippet.config", frozen))
        if self.record is not None:
            tuple_of(Record, (self.record,), "Snippet.record")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TimedWrite(Plain):
    """A register write at a tick or in a phase.

    Parameters
    ----------
    at : int, "before" or "after"
        Tick of the entry, or the phase before or after the real-time sections. A write acts on everything that happens at or after its tick.
    field : str
        Name in the register table.
    index : sequence of int or (start, stop)
        One per axis; a shorter index leaves the trailing axes whole, ``()`` addresses the whole field.
    value : array_like of int or bool
        Codes, broadcast to the indexed shape.
    entry : int, optional
        The entry that the write belongs to; None writes in every entry.

    Raises
    ------
    ProgramError, ParameterRangeError, UnknownNameError
        If a value has the wrong type, is negative, or the phase does not exist.
    """

    at: int | Phase
    field: str
    index: Index = ()
    value: NDArray[Any]
    entry: int | None = None

    def __post_init__(self) -> None:
        where = f"TimedWrite of {self.field!r}: "
        self._set(
            at=_moment(self.at, where + "at"),
            field=string(self.field, "TimedWrite.field"),
            index=_index(self.index, where + "index"),
            value=frozen(self.value, where + "value"),
        )
        if self.entry is not None:
            self._set(entry=integer(self.entry, where + "entry", low=0))

    @property
    def key(self) -> tuple[int | slice, ...]:
        """The index as numpy takes it: ``array[write.key] = write.value``."""
        return _key(self.index)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TimedRead(Plain):
    """A register or counter read at a tick or in a phase; the values come back as ``Recording.reads[name]``.

    Parameters
    ----------
    name : str
        Name of the result, unique in the program.
    at : int, "before" or "after"
        Tick of the entry, or phase. A read sees what happened before its tick and the writes of the same tick.
    field : str
        Name in the register table, counters included.
    index : sequence of int or (start, stop)
        As for :class:`TimedWrite`.

    Raises
    ------
    ProgramError, ParameterRangeError, UnknownNameError
        If a value has the wrong type, is negative, or the phase does not exist.
    """

    name: str
    at: int | Phase
    field: str
    index: Index = ()

    def __post_init__(self) -> None:
        where = f"TimedRead {self.name!r}: "
        self._set(
            name=string(self.name, "TimedRead.name"),
            at=_moment(self.at, where + "at"),
            field=string(self.field, where + "field"),
            index=_index(self.index, where + "index"),
        )

    @property
    def key(self) -> tuple[int | slice, ...]:
        """The index as numpy takes it: ``array[read.key]``."""
        return _key(self.index)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Program(Plain):
    """What to do, in hardware time. Validates itself at construction; everything that passes can be saved, sent and run.

    Parameters
    ----------
    machine : {"brainscales2", "brainscales1"}
        Which register table and coordinates apply.
    config : mapping of str to ndarray
        Register values before tick 0: whole fields with the field's shape and dtype. A missing field keeps what the machine holds.
        Anything with ``as_mapping()``, such as a ChipConfig, stands for its mapping.
    snippets : sequence of Snippet, at least one
        Executed back to back; the analog state runs on across them.
    entries : Events
        Input events of E trials of the same snippets.
    sequential : bool
        Whether entry e + 1 continues the state of e instead of starting from rest.
    neuron_reset : bool
        Whether each trial that starts from rest begins with a reset of all neurons, 4 us before its tick 0.
    writes : sequence of TimedWrite
    reads : sequence of TimedRead
    record : Record
    plasticity : sequence of PlasticityTask
    run_seed : (lab_seed, run_number), optional
        Two integers of 64 bits, 0 or above, that seed everything which differs between repeated runs. None is (0, 0).
    labels : mapping of str to str
        Annotations without influence on the result; a calibration's id under :data:`CALIBRATION_LABEL` is noted in the provenance.

    Raises
    ------
    ProgramError
        If parts contradict each other or the machine.
    ParameterRangeError
        If a code, coordinate or tick lies outside its range.
    UnknownNameError
        If a machine, field or other name does not exist.

    Examples
    --------
    >>> from neckar.program import Events, Program, Snippet
    >>> program = Program(machine="brainscales2", snippets=[Snippet(50_000)], entries=Events.from_lists([[(500, 7)], [(800, 7)]]))
    >>> program.n_entries, program.duration
    (2, 50000)
    """

    machine: MachineName
    config: Mapping[str, NDArray[Any]] = field(default_factory=FrozenDict)
    snippets: tuple[Snippet, ...]
    entries: Events = field(default_factory=lambda: Events.empty(1))
    sequential: bool = False
    neuron_reset: bool = False
    writes: tuple[TimedWrite, ...] = ()
    reads: tuple[TimedRead, ...] = ()
    record: Record = field(default_factory=Record)
    plasticity: tuple[PlasticityTask, ...] = ()
    run_seed: tuple[int, int] | None = None
    labels: Mapping[str, str] = field(default_factory=FrozenDict)

    def __post_init__(self) -> None:
        self._set(
            config=mapping_of(self.config, "config", frozen),
            snippets=tuple_of(Snippet, self.snippets, "snippets"),
            entries=tuple_of(Events, (self.entries,), "entries")[0],
            sequential=bool(self.sequential),
            neuron_reset=bool(self.neuron_reset),
            writes=tuple_of(TimedWrite, self.writes, "writes"),
            reads=tuple_of(TimedRead, self.reads, "reads"),
            record=tuple_of(Record, (self.record,), "record")[0],
            plasticity=tuple_of(PlasticityTask, self.plasticity, "plasticity"),
            run_seed=None if self.run_seed is None else _run_seed(self.run_seed),
            labels=mapping_of(self.labels, "labels", string),
        )
        _validate.validate(self)

    def seeded(self, lab_seed: int, run_number: int) -> Program:
        """Return the same program with another run seed; the rest, which was checked already, is shared."""
        twin = object.__new__(type(self))
        twin._set(**{**vars(self), "run_seed": _run_seed((lab_seed, run_number))})
        return twin

    @cached_property
    def duration(self) -> int:
        """Ticks of one entry: the sum of the snippets' durations."""
        return sum(snippet.duration for snippet in self.snippets)

    @property
    def n_entries(self) -> int:
        """Number of entries E."""
        return self.entries.n_entries

    @property
    def bursts(self) -> tuple[MadcBursts, ...]:
        """Bursts of the MADC in any snippet, each once; every circuit of each is a repetition of all entries."""
        return tuple(dict.fromkeys(bursts for snippet in self.snippets for bursts in (snippet.record or self.record).bursts))

    @property
    def whole(self) -> bool:
        """Whether `config` holds every field of the register table."""
        return all(register.counter or name in self.config for name, register in registers(self.machine).items())


def _run_seed(seed: object) -> tuple[int, ...]:
    """Return a run seed after checking that it is a pair of whole numbers, in this order."""
    pair = seed.tolist() if isinstance(seed, np.ndarray) else seed
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ProgramError(f"Program.run_seed is {summary(seed)}; allowed is (lab_seed, run_number) or None. Give two integers.")
    return tuple(integer(number, "run_seed", low=0, high=2**64 - 1) for number in pair)


def _moment(at: object, where: str) -> int | str:
    """Return a tick or phase after checking it."""
    return check_name(at, _PHASES, where, "phase") if isinstance(at, str) else integer(at, where, low=0, unit="ticks")


def _index(index: Index, where: str) -> Index:
    """Return an index of plain int and (int, int)."""
    if isinstance(index, int):
        index = (index,)
    return tuple(
        tuple(integer(bound, f"{where}[{i}]", low=0) for bound in part) if isinstance(part, (tuple, list)) else integer(part, f"{where}[{i}]", low=0)  # type: ignore[misc]
        for i, part in enumerate(index)
    )


def _key(index: Index) -> tuple[int | slice, ...]:
    return tuple(slice(*part) if isinstance(part, tuple) else part for part in index)
