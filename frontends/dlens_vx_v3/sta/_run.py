"""Executing playback programs on the chip of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlens_vx_v3.hxcomm import ConnectionHandle
from dlens_vx_v3.sta._program import MADC_SAMPLE, SPIKE, PlaybackProgram, Received
from dlens_vx_v3.sta._registers import FPGA_TICKS
from dlens_vx_v3.sta._timeline import Timeline
from neckar.chip.config import ChipConfig
from neckar.chip.coordinates import event_output_of
from neckar.errors import ConfigurationError
from neckar.facts.labels import LABEL_CHANNEL_SHIFT, NEURON_OUTPUT_SHIFT
from neckar.program import Recording

_HOST_OUTPUTS = 4


class ArgumentTypeError(ConfigurationError, TypeError):
    """Something that is no connection or no program."""


def run(connection: ConnectionHandle, programs: PlaybackProgram | Sequence[PlaybackProgram]) -> None:
    """Execute programs one after the other on the chip of a connection.

    Registers stay as a program leaves them; circuits start each program at rest, because hardware time stands still in between. Each program's `spikes`,
    `madc_samples`, `program` and `recording` are filled, and the tickets of its reads.

    Parameters
    ----------
    connection : ConnectionHandle
        An open connection. On one without a chip (zero mock) programs are checked, and nothing comes back.
    programs : PlaybackProgram, or a sequence of them

    Raises
    ------
    ArgumentTypeError
        If there is no connection or no program.
    UnsupportedFeatureError, ConfigurationError
        If a program asks for something without a model or for something contradictory. The chip stays as it was.
    """
    if not isinstance(connection, ConnectionHandle):
        raise ArgumentTypeError(f"sta.run got {connection!r} as connection; allowed is what `with hxcomm.ManagedConnection() as connection` gives.")
    for program in programs if isinstance(programs, list | tuple) else [programs]:
        if not isinstance(program, PlaybackProgram):
            raise ArgumentTypeError(f"sta.run got {type(program).__name__}; allowed is what builder.done() returns, or a list of these.")
        _run(connection, program)


class ReinitStackEntry:
    """A program that brings the chip into the state that later ones expect, for connections that several users share.

    A virtual chip belongs to its connection alone, so that nothing has to be restored: a program that is enforced runs once, others never.

    Parameters
    ----------
    connection : ConnectionHandle
    """

    def __init__(self, connection: ConnectionHandle) -> None:
        self._connection = connection

    def set(self, pbmem_request: Sequence[PlaybackProgram], pbmem_snapshot: Sequence[PlaybackProgram] | None = None, enforce: bool = True) -> None:
        """Take over the programs, and run them if they are enforced; snapshots are never taken."""
        if enforce:
            run(self._connection, list(pbmem_request))

    def pop(self) -> None:
        """Forget the programs."""


def _run(connection: ConnectionHandle, program: PlaybackProgram) -> None:
    session = connection.session
    state = session.state
    timeline = Timeline(ChipConfig.default() if state is None else ChipConfig(state.registers), connection.board.copy(), was_reset=state is None)
    timeline.add(program.commands)
    executed = timeline.program()
    if connection.zero_mock:
        return
    if timeline.was_reset:
        session.reset()
    recording = session.run(executed)
    connection.board = timeline.board
    program.program, program.recording = executed, recording
    program.spikes = Received(_spikes(recording, timeline))
    program.madc_samples = Received(_madc_samples(recording, timeline))
    for question in timeline.questions:
        question.ticket.redeem(question.answer(recording), question.cycles)


def _spikes(recording: Recording, timeline: Timeline) -> NDArray[Any]:
    """Return spikes and looped-back events, ordered by time."""
    config = timeline.config if timeline.start is None else timeline.start
    tick, circuit = recording.spikes.entry(0)
    output = event_output_of(circuit)
    labels = config.event_routing_address[circuit] | output << NEURON_OUTPUT_SHIFT | output % _HOST_OUTPUTS << LABEL_CHANNEL_SHIFT
    loops = recording.loopback.entry(0) if len(recording.loopback) else (np.empty(0, np.int64), np.empty(0, np.uint16))
    ticks = np.concatenate([tick, loops[0]])
    order = np.argsort(ticks, kind="stable")
    events = np.empty(len(ticks), SPIKE)
    events["label"] = np.concatenate([labels, loops[1]])[order]
    return _stamped(events, ticks[order], timeline)


def _madc_samples(recording: Recording, timeline: Timeline) -> NDArray[Any]:
    """Return the samples of all channels, ordered by time."""
    inputs: dict[Any, int] = {}
    for section in timeline.sections:
        inputs.update({(channel.circuit, channel.source): number for number, channel in enumerate(section.madc)})
    parts = [(*samples.entry(0), inputs[samples.circuit, samples.source]) for samples in recording.madc]
    ticks = np.concatenate([np.empty(0, np.int64), *(tick for tick, _, _ in parts)])
    order = np.argsort(ticks, kind="stable")
    samples = np.empty(len(ticks), MADC_SAMPLE)
    samples["value"] = np.concatenate([np.empty(0, np.uint16), *(value for _, value, _ in parts)])[order]
    samples["channel"] = np.concatenate([np.empty(0, np.uint8), *(np.full(len(tick), number, np.uint8) for tick, _, number in parts)])[order]
    return _stamped(samples, ticks[order], timeline)


def _stamped(events: NDArray[Any], ticks: NDArray[np.int64], timeline: Timeline) -> NDArray[Any]:
    """Fill in the time stamps; what came before the last synchronisation is counted from the start of the program."""
    cycles = ticks // FPGA_TICKS
    cycles = np.where(cycles >= timeline.synchronised, cycles - timeline.synchronised, cycles)
    events["fpga_time"] = events["chip_time"] = cycles
    return events
