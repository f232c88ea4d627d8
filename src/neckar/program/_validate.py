"""Checks of a Program against itself and against the register table of its machine.

Types check what they can see alone (dtypes, signs, sortedness) in their constructors; here is what needs the whole program. Every text says what
was asked, where, what is allowed, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neckar.errors import ParameterRangeError, ProgramError, UnknownNameError, nearest
from neckar.facts import AXES, Register, check_codes, registers
from neckar.program._plain import check_distinct
from neckar.program._record import Record, check_name

if TYPE_CHECKING:
    from neckar.program._plasticity import PlasticityTask
    from neckar.program._program import Index, Program, TimedRead, TimedWrite

MACHINES = ("brainscales2", "brainscales1")

MAX_TICKS = 2**53
"""Longest program, about 208 days of hardware time: every tick of it is exact as a float64, and sums of two fit into int64."""

Table = Mapping[str, Register]


def validate(program: Program) -> None:
    """Raise the first contradiction found; return None for a program that can be handed to a machine.

    Raises
    ------
    ProgramError, ParameterRangeError, UnknownNameError
    """
    check_name(program.machine, MACHINES, "Program.machine", "machine")
    table = registers(program.machine)
    axes = AXES if table else {}  # a machine without a table has no coordinates to check either
    if not program.snippets:
        raise ProgramError("Program.snippets is empty; allowed is at least one snippet. Add Snippet(duration).")
    duration = program.duration
    if duration > MAX_TICKS:
        raise ProgramError(
            f"the durations of Program.snippets sum up to {duration} ticks; allowed is at most 2**53 = {MAX_TICKS} ticks, about 208 days of hardware time. "
            "Shorten the snippets, or divide the experiment into several programs."
        )
    _check_config("config", program.config, table)
    _check_record("record", program.record, axes, duration)
    for i, snippet in enumerate(program.snippets):
        if snippet.config:
            _check_config(f"snippets[{i}].config", snippet.config, table)
        if snippet.record is not None:
            _check_record(f"snippets[{i}].record", snippet.record, axes, duration)
    _check_events(program, duration)
    if program.bursts:
        _check_bursts(program)
    for i, write in enumerate(program.writes):
        _check_write(f"writes[{i}]", write, table, program.n_entries, duration)
    for i, read in enumerate(program.reads):
        _check_read(f"reads[{i}] {read.name!r}", read, table, duration)
    check_distinct((read.name for read in program.reads), "reads")
    for task in program.plasticity:
        _check_task(task, axes)
    check_distinct((task.name for task in program.plasticity), "plasticity")


def _register(where: str, name: str, table: Table) -> Register:
    """Return the row of a field."""
    register = table.get(name)
    if register is None:
        hint = nearest(name, table) if table else ". This machine has no register table yet."
        raise UnknownNameError(f"{where} asks for the field {name!r}, which does not exist{hint} Use the name of a field in the register reference.")
    return register


def _writable(where: str, name: str, table: Table) -> Register:
    """Return the row of a field that can be configured."""
    register = _register(where, name, table)
    if register.counter:
        raise ProgramError(f"{where} sets {name!r}; a counter can only be read. Read it with TimedRead(name=..., at=..., field={name!r}).")
    return register


def _check_config(where: str, config: Mapping[str, NDArray[Any]], table: Table) -> None:
    """Check a configuration delta: names, shapes, dtypes, code ranges."""
    for name, array in config.items():
        known = _good.get(name)
        if known is not None and known[0] is table and known[1] is array:
            continue
        register = _writable(where, name, table)
        if array.shape != register.shape:
            axes = ", ".join(register.axes)
            raise ProgramError(
                f"{where}[{name!r}] has shape {array.shape}; allowed is the whole field, {register.shape} ({axes}). "
                "Fill the other elements, or use TimedWrite for a part."
            )
        if array.dtype != register.dtype:
            raise ProgramError(f"{where}[{name!r}] has dtype {array.dtype}; allowed is {register.dtype}. Convert it with .astype({str(register.dtype)!r}).")
        _check_codes(where, register, array)
        _good[name] = table, array


_good: dict[str, tuple[Table, NDArray[Any]]] = {}  # the last array of each field that passed; plain data never change, so it still does


def _check_codes(where: str, register: Register, codes: NDArray[Any]) -> None:
    """Check the range of codes and say where they stand."""
    try:
        check_codes(register, codes)
    except ParameterRangeError as error:
        raise ParameterRangeError(f"{where}: {error}") from None


_AXIS_OF = {"circuits": "circuit", "drivers": "driver", "rows": "row", "columns": "column"}  # the axis that the numbers of a field count


def _check_numbers(where: str, numbers: int | Iterable[int], axis: str, axes: Mapping[str, int]) -> None:
    """Check a coordinate, or several, along one axis of the machine."""
    listed, size = (numbers,) if isinstance(numbers, int) else tuple(numbers), axes.get(axis)
    if size is not None and listed and max(listed) >= size:
        i, bad = next((i, n) for i, n in enumerate(listed) if n >= size)
        place = where if isinstance(numbers, int) else f"{where}[{i}]"
        raise ParameterRangeError(f"{place} is {axis} {bad}; allowed is 0 to {size - 1}. Choose a {axis} that the machine has.")


def _check_places(where: str, part: object, axes: Mapping[str, int]) -> None:
    """Check that the places of a part lie inside the machine: its hemisphere, if it has one, and its numbers along each axis."""
    if hasattr(part, "hemisphere"):
        _check_numbers(f"{where}.hemisphere", part.hemisphere, "hemisphere", axes)
    for name, axis in _AXIS_OF.items():
        if hasattr(part, name):
            _check_numbers(f"{where}.{name}", getattr(part, name), axis, axes)


def _check_record(where: str, record: Record, axes: Mapping[str, int], duration: int) -> None:
    """Check the places and ticks of a record."""
    if record.spikes != "all":
        _check_numbers(f"{where}.spikes", record.spikes, "circuit", axes)
    _check_numbers(f"{where}.madc", (channel.circuit for channel in record.madc), "circuit", axes)
    for kind in ("cadc", "bursts", "probe", "driver_probe", "sensor_probe"):
        for i, part in enumerate(getattr(record, kind)):
            _check_places(f"{where}.{kind}[{i}]", part, axes)
    for i, cadc in enumerate(record.cadc):
        if cadc.ticks is not None and len(cadc.ticks) and cadc.ticks[-1] >= duration:
            raise ProgramError(
                f"{where}.cadc[{i}].ticks ends at tick {cadc.ticks[-1]}, beyond the end of the run; allowed is 0 to {duration - 1}. "
                "Lengthen a snippet or drop the samples."
            )


def _check_bursts(program: Program) -> None:
    """Check that bursts have the chip for themselves: every repetition of an entry would give other instruments something else to record."""
    records = {"record" if s.record is None else f"snippets[{i}].record": s.record or program.record for i, s in enumerate(program.snippets)}
    instruments = ("spikes", "madc", "cadc", "probe", "driver_probe", "sensor_probe")
    others = [f"{where}.{name}" for where, record in records.items() for name in instruments if getattr(record, name)]
    others += [name for name in ("reads", "plasticity", "sequential") if getattr(program, name)]
    if others:
        raise ProgramError(
            f"the program records bursts of the MADC, for which every entry is repeated, and has {', '.join(others)} besides; allowed are bursts alone, with "
            "Record(spikes=(), bursts=...) and entries that start from rest. Record the rest with a program of its own."
        )


def _check_events(program: Program, duration: int) -> None:
    """Check that there is an entry and that no event comes after the end."""
    events = program.entries
    if events.n_entries < 1:
        raise ProgramError("Program.entries holds no entry; allowed is at least one. Without input use Events.empty(1).")
    if len(events) and events.tick.max() >= duration:
        i = int(np.flatnonzero(events.tick >= duration)[0])
        e = int(np.searchsorted(events.entry_ptr, i, side="right")) - 1
        raise ProgramError(
            f"event {i - int(events.entry_ptr[e])} of entry {e} is at tick {events.tick[i]}, beyond the end of the run; allowed is 0 to {duration - 1}. "
            "Lengthen a snippet or drop the event."
        )


def _check_at(where: str, at: int | str, duration: int) -> None:
    """Check that a tick lies inside the run or at its end."""
    if isinstance(at, int) and at > duration:
        raise ProgramError(f"{where} is at tick {at}, beyond the end of the run; allowed is 0 to {duration}. Use an earlier tick or the phase 'after'.")


def _indexed_shape(where: str, index: Index, register: Register) -> tuple[int, ...]:
    """Return the shape of a part of a field after checking its index."""
    if len(index) > len(register.shape):
        axes = ", ".join(register.axes) or "none"
        raise ProgramError(f"{where}.index has {len(index)} parts; {register.name} has {len(register.shape)} axes ({axes}). Remove the last parts.")
    shape = []
    for i, (part, size) in enumerate(zip(index, register.shape, strict=False)):
        bounds = (part, part + 1) if isinstance(part, int) else part
        if len(bounds) != 2 or not 0 <= bounds[0] < bounds[1] <= size:
            raise ParameterRangeError(
                f"{where}.index[{i}] is {part}; axis {register.axes[i]} of {register.name} allows 0 to {size - 1}, "
                f"or (start, stop) with 0 <= start < stop <= {size}. Correct the index."
            )
        if not isinstance(part, int):
            shape.append(part[1] - part[0])
    return (*shape, *register.shape[len(index) :])


def _check_write(where: str, write: TimedWrite, table: Table, n_entries: int, duration: int) -> None:
    """Check field, moment, entry, index, shape and range of a write."""
    register = _writable(where, write.field, table)
    _check_at(where, write.at, duration)
    if write.entry is not None and write.entry >= n_entries:
        raise ParameterRangeError(f"{where}.entry is {write.entry}; allowed is 0 to {n_entries - 1}, or None for every entry. Correct it or add entries.")
    shape, value = _indexed_shape(where, write.index, register), write.value
    if value.dtype.kind not in "bui":
        raise ProgramError(f"{where}.value has dtype {value.dtype}; {register.name} holds {register.dtype}. Round it and convert it with .astype().")
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ProgramError(f"{where}.value has shape {value.shape}; the index addresses {register.name} in shape {shape}. Give one value or this shape.")
    _check_codes(f"{where}.value", register, value)


def _check_read(where: str, read: TimedRead, table: Table, duration: int) -> None:
    """Check field, moment and index of a read."""
    register = _register(where, read.field, table)
    _check_at(where, read.at, duration)
    _indexed_shape(where, read.index, register)


def _check_task(task: PlasticityTask, axes: Mapping[str, int]) -> None:
    """Check that a task's views and neurons lie inside the machine."""
    for kind in ("neurons", "views"):
        for i, part in enumerate(getattr(task, kind)):
            _check_places(f"plasticity task {task.name!r}: {kind}[{i}]", part, axes)
