"""From commands in order to one :class:`neckar.program.Program`.

Time passes where a program waits; commands themselves take none. Three rules follow from what a Program can say:

* Writes before the first wait, read or event are the configuration with which the program starts: circuits are at its rest, as after the pause that every
  program for silicon makes there. Later ones act at their tick.
* A reset of all neurons among them happens 4 us before the first tick; one of some neurons is refused.
* A write that follows a read at the same moment comes one FPGA clock cycle later, so that the read sees what was there before.

What lies at the end of the program becomes its phase after the real-time section. The converter's registers belong to the whole program: they are taken from
the moment at which it is started.

A conversion of the CADC takes its time. Spike counters count from the start of the program or their last reset in it.

Not modelled: the time that other commands, resets and synchronisations take on the FPGA; waits on the state of registers; the reset of a spike counter's
overflow flag.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlens_vx_v3 import hal, halco, logger
from dlens_vx_v3._container import Index, container_type_of
from dlens_vx_v3.halco import Coordinate
from dlens_vx_v3.hxcomm import Board
from dlens_vx_v3.sta._cadc import read_rows, records
from dlens_vx_v3.sta._commands import Command, Read, Wait, Write
from dlens_vx_v3.sta._questions import Question, timed_reads
from dlens_vx_v3.sta._readout import channels_of
from dlens_vx_v3.sta._registers import FPGA_TICKS, At, NeuronResets, PendingRead, check_command
from neckar.chip.config import ChipConfig
from neckar.errors import UnsupportedFeatureError
from neckar.program import Events, MadcChannel, Program, Record, Snippet, TimedWrite

_VOLTAGE = "board_external_voltage"
_CONVERTER = (_VOLTAGE, *(name for name in ChipConfig.default() if name.startswith("madc_")))
_CADC_ROWS = (halco.CADCSampleRowOnDLS, halco.CADCSamplesOnDLS)
_TRIGGER = "correlation_reset"
_SPIKE_PACKS = (halco.SpikePack1ToChipOnDLS, halco.SpikePack2ToChipOnDLS, halco.SpikePack3ToChipOnDLS)


@dataclass
class Change:
    """Codes that a write changes at a tick."""

    tick: int
    field: str
    index: Index
    codes: Any


@dataclass
class Section:
    """From a tick on, what is recorded."""

    tick: int
    spikes: bool
    madc: tuple[MadcChannel, ...]


@dataclass
class Timeline:
    """Commands laid out in time.

    Parameters
    ----------
    config : ChipConfig
        What the chip holds before; it is changed along the way.
    board : Board
        What the connection holds beside the chip; it is changed along the way.
    """

    config: ChipConfig
    board: Board
    was_reset: bool = False
    now: int = 0  # FPGA clock cycles
    begun: bool = False
    timer: int = 0  # moment at which it was 0
    synchronised: int = 0
    changes: list[Change] = field(default_factory=list)
    events: list[tuple[int, int]] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start: ChipConfig | None = None
        self._touched: dict[str, NDArray[np.bool_]] = {}
        self._converter: dict[str, NDArray[Any]] | None = None
        self._counter_resets: dict[Coordinate, PendingRead] = {}
        self._neuron_resets = NeuronResets()
        self._last_read: tuple[bool, int] | None = None
        self._section(())

    def add(self, commands: Iterable[Command]) -> None:
        """Lay out commands after those that are there."""
        for command in commands:
            match command:
                case Wait():
                    self._wait(command)
                case Read():
                    self._read(command)
                case Write():
                    self._write(command.coordinate, command.container)

    def program(self) -> Program:
        """Return the Program of everything laid out."""
        end = self.end
        begin = self.config if self.start is None else self.start
        partial = [] if self.was_reset else [name for name, mask in self._touched.items() if not mask.all()]
        config = {name: np.array(begin[name]) for name in self._touched if name not in partial}
        config |= self._converter or {name: np.array(self.config[name]) for name in _CONVERTER if name in config}
        writes = [TimedWrite(at="before", field=name, index=index, value=begin[name][_key(index)]) for name in partial for index in _runs(self._touched[name])]
        for change in self.changes:
            at: At = "after" if change.tick == end else change.tick
            writes.append(TimedWrite(at=at, field=change.field, index=change.index, value=np.asarray(change.codes)))
        later = [name for name in _CONVERTER if name in config and config[name] != self.config[name]]  # written after the last start
        writes += [TimedWrite(at="after", field=name, value=np.array(self.config[name])) for name in later]
        snippets = self._snippets(end)
        return Program(
            machine="brainscales2",
            config=config,
            snippets=tuple(replace(snippet, record=None) for snippet in snippets) if len(snippets) == 1 else tuple(snippets),
            entries=Events.from_lists([sorted(self.events)]),
            neuron_reset=self._neuron_resets.of_all(),
            writes=tuple(writes),
            reads=timed_reads(self.questions, end),
            record=snippets[0].record or Record(),
        )

    @property
    def end(self) -> int:
        """Duration in ticks."""
        return max(FPGA_TICKS * self.now, max((tick for tick, _ in self.events), default=0) + FPGA_TICKS)

    # ------------------------------------------------------------------------------------------------------------------------------------ commands

    def _wait(self, command: Wait) -> None:
        coordinate, condition = command.coordinate, command.condition
        if isinstance(coordinate, halco.TimerOnDLS):
            until = self.timer + int(hal.Timer.Value(condition))
            if until > self.now:
                self._begin()
                self.now = until
        elif not isinstance(coordinate, halco.BarrierOnFPGA):
            raise UnsupportedFeatureError(
                f"a program waits at {coordinate}; allowed are the timer and barriers. Wait for a time: block_until(TimerOnDLS(), ...)."
            )

    def _read(self, command: Read) -> None:
        coordinate = command.coordinate
        at: At = FPGA_TICKS * self.now if self.begun else "before"
        kind = container_type_of(coordinate)
        if isinstance(coordinate, _CADC_ROWS):
            self._read_cadc(command)
            return
        check_command(coordinate, None, at)
        pending = PendingRead(coordinate, at) if kind.places(coordinate) else None
        stored = self.board.stored.get(coordinate)
        if pending is None and stored is None:
            stored = kind()
        since = self._counter_resets.get(coordinate)
        self.questions.append(Question(command.ticket, at, self.now - self.synchronised, pending, stored, since=since))
        self._last_read = self.begun, self.now

    def _read_cadc(self, command: Read) -> None:
        self._begin()
        read, cycles = read_rows(command.coordinate, self.config, FPGA_TICKS * self.now)
        self.questions.append(Question(command.ticket, FPGA_TICKS * self.now, self.now - self.synchronised, cadc=read))
        self.now += cycles

    def _write(self, coordinate: Coordinate, container: Any) -> None:
        match coordinate:
            case halco.TimerOnDLS():
                self.timer = self.now - int(container.value)
            case halco.SystimeSyncOnFPGA():
                self.synchronised = self.now
            case halco.ResetChipOnDLS():
                self._reset(bool(container.value))
            case halco.EventRecordingConfigOnFPGA():
                self.board.stored[coordinate] = container
                self._section(self.sections[-1].madc)
            case halco.MADCControlOnDLS():
                self._codes(coordinate, container)
                self._control_converter(container)
            case _ if isinstance(coordinate, _SPIKE_PACKS):
                self._begin()
                self.events += [(FPGA_TICKS * self.now, int(label)) for label in container.labels]
            case halco.SpikeCounterResetOnDLS():
                if self.begun:
                    counter = coordinate.toSpikeCounterReadOnDLS()
                    self._counter_resets[counter] = PendingRead(counter, FPGA_TICKS * self.now)
            case _:
                check_command(coordinate, container, FPGA_TICKS * self.now if self.begun else "before")
                self._neuron_resets.add(coordinate)
                self.board.stored[coordinate] = container
                self._codes(coordinate, container)

    def _codes(self, coordinate: Coordinate, container: Any) -> None:
        changed = list(container.codes(coordinate))
        if changed and self._last_read == (self.begun, self.now):
            self._begin()
            self.now += self._last_read[0]
        if not self.begun and any(name == _TRIGGER and name not in self._touched for name, _, _ in changed):
            self.config[_TRIGGER] = 0  # what was triggered before is not triggered again
            self._touched[_TRIGGER] = np.ones(self.config[_TRIGGER].shape, bool)
        for name, index, codes in changed:
            self.config[(name, *_key(index))] = codes
            if name in _CONVERTER or not self.begun:
                self._touched.setdefault(name, np.zeros(self.config[name].shape, bool))[_key(index)] = True
            else:
                self.changes.append(Change(FPGA_TICKS * self.now, name, index, codes))

    def _reset(self, active: bool) -> None:
        if not active:
            return
        if self.begun:
            raise UnsupportedFeatureError("a program resets the chip after it waited, read or sent an event; allowed is at its start. Make it two programs.")
        board = {_VOLTAGE: self.config[_VOLTAGE]}
        self.config, self.was_reset = ChipConfig(board), True
        self._touched = {name: np.ones(codes.shape, bool) for name, codes in board.items()}
        self.board.reset_chip()

    def _control_converter(self, control: Any) -> None:
        self.board.madc_awake |= bool(control.wake_up)
        if control.stop_recording:
            self._section(())
        if control.start_recording and not control.stop_recording:
            if not self.board.madc_awake:
                logger.get("stadls").WARN("the MADC was started without wake_up before; it samples nothing")
                return
            registers = {name: np.array(self.config[name]) for name in _CONVERTER}
            if self._converter is not None and any(self._converter[name] != registers[name] for name in _CONVERTER):
                raise UnsupportedFeatureError(
                    "a program starts the MADC twice with different registers; allowed is one set of them in a program. Make it two programs."
                )
            dummy = self.board.stored.get(halco.MADCConfigOnDLS())
            if dummy is not None and dummy.enable_dummy_data:
                raise UnsupportedFeatureError("the MADC was started with enable_dummy_data; the twin has no test pattern. Switch it off.")
            self._converter = registers
            self._section(channels_of(self.config, self.board), restart=True)
            self.board.madc_awake = not control.enable_power_down_after_sampling

    # ---------------------------------------------------------------------------------------------------------------------------------------- time

    def _begin(self) -> None:
        """Leave the phase before the real-time section."""
        if not self.begun:
            self.begun, self.start = True, self.config.copy()

    def _section(self, madc: tuple[MadcChannel, ...], restart: bool = False) -> None:
        """Record from now on what the inputs of the converter are connected to, and spikes if events are recorded."""
        recording = self.board.stored.get(halco.EventRecordingConfigOnFPGA())
        section = Section(FPGA_TICKS * self.now, recording is None or bool(recording.enable_event_recording), madc)
        if madc:
            self._begin()
        last = self.sections[-1] if self.sections else None
        if last is not None and not restart and (last.spikes, last.madc) == (section.spikes, section.madc):
            return
        if last is not None and last.tick == section.tick:
            self.sections.pop()
        self.sections.append(section)

    def _snippets(self, end: int) -> list[Snippet]:
        cadc = records([question.cadc for question in self.questions if question.cadc is not None])
        inside = [section for section in self.sections if section.tick < end]
        borders = [section.tick for section in inside] + [end]
        return [
            Snippet(b - a, record=Record(spikes="all" if section.spikes else (), madc=section.madc if section.spikes else (), cadc=cadc))
            for section, a, b in zip(inside, borders, borders[1:], strict=False)
        ]


def _key(index: Index) -> tuple[int | slice, ...]:
    return tuple(slice(*part) if isinstance(part, tuple) else part for part in index)


def _runs(mask: NDArray[np.bool_]) -> Iterator[Index]:
    """Yield indices of the parts of a field that a mask marks: neighbours of the last axis together."""
    for lead in np.ndindex(mask.shape[:-1]):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], mask[lead].astype(np.int8), [0]])))
        for start, stop in edges.reshape(-1, 2).tolist():
            yield (*(int(number) for number in lead), (start, stop))
