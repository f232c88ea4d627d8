"""Tickets of a playback program and where their answers come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dlens_vx_v3.sta._cadc import CadcRead
from dlens_vx_v3.sta._commands import ContainerTicket
from dlens_vx_v3.sta._registers import At, PendingRead, Reads
from neckar.program import Recording, TimedRead


@dataclass
class Question:
    """A ticket, and where its answer comes from: a read of registers or of the CADC, or what was stored for its coordinate."""

    ticket: ContainerTicket
    at: At
    cycles: int
    pending: PendingRead | None = None
    stored: Any = None
    cadc: CadcRead | None = None
    since: PendingRead | None = None  # the counter when it was reset

    def answer(self, recording: Recording) -> Any:
        """Return the container from a recording."""
        if self.cadc is not None:
            return self.cadc.take(recording)
        if self.pending is None:
            return self.stored
        container = self.pending.take(recording, stored=self.stored)
        if self.since is not None:
            container.count = (int(container.count) - int(self.since.take(recording).count)) % (container.Count.max + 1)
        return container


def timed_reads(questions: Iterable[Question], end: int) -> tuple[TimedRead, ...]:
    """Return the reads of a Program; those at its last tick belong to the phase after it."""
    last: At = end
    reads, rows = Reads(), []
    for question in questions:
        if question.pending is not None:
            question.at = "after" if question.at == last else question.at
            question.pending = reads.add(question.pending.coordinate, question.at)
        if question.since is not None:
            question.since = reads.add(question.since.coordinate, "after" if question.since.at == last else question.since.at)
        if question.cadc is not None:
            rows += [read for row in question.cadc.rows for read in row.reads()]
    return (*reads.timed(), *rows)
