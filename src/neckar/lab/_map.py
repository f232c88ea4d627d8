"""Many runs through an executor: results in order, finished ones are kept when something goes wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future
from typing import TYPE_CHECKING, NamedTuple

from neckar.errors import NeckarError
from neckar.lab._execute import Parcel, Seed, record_each, record_some

if TYPE_CHECKING:
    from neckar.chip.effects import Effects
    from neckar.chip.specimen import Specimen
    from neckar.lab._workers import Workers
    from neckar.program import Program, Recording

IN_FLIGHT = 256
"""Runs handed to an executor and not collected; keeps large machines busy and bounds the memory for results nobody has taken yet."""

_BATCH_RUNS, _BATCH_TICKS = 64, 25_000_000


class MapError(NeckarError):
    """A program of a map failed; its own exception is the cause.

    Attributes
    ----------
    recordings : tuple of Recording or None
        One per program; None where a run did not finish.
    programs : tuple of Program
        The programs with their run seeds: a missing one that is run again from here gives the bits of the uninterrupted map.
    """

    def __init__(self, text: str, programs: Sequence[Program] = (), recordings: Sequence[Recording | None] = ()) -> None:
        super().__init__(text)
        self.programs, self.recordings = tuple(programs), tuple(recordings)

    @property
    def missing(self) -> tuple[int, ...]:
        """Which programs did not finish."""
        return tuple(i for i, recording in enumerate(self.recordings) if recording is None)


class MapKeyboardInterrupt(KeyboardInterrupt):
    """Ctrl-C during a map; attributes as in :class:`MapError`."""

    def __init__(self, programs: Sequence[Program], recordings: Sequence[Recording | None]) -> None:
        super().__init__(f"{_finished(recordings)} in the attribute recordings of this exception")
        self.programs, self.recordings = tuple(programs), tuple(recordings)

    missing = MapError.missing


class Batch(NamedTuple):
    """Runs of one program, which a worker does together.

    Attributes
    ----------
    first : int
        Number of the first of them among the runs of the map; the others follow.
    runs : sequence of (Specimen, run seed)
    parcel : Parcel
        The program.
    """

    first: int
    runs: Sequence[tuple[Specimen, Seed]]
    parcel: Parcel

    def after(self, n: int) -> Batch:
        """Return the batch without its first `n` runs."""
        return self._replace(first=self.first + n, runs=self.runs[n:])


def batches(programs: Sequence[Program], numbered: Sequence[Program], specimens: Sequence[Specimen], workers: int) -> Iterator[Batch]:
    """Yield the runs of a map in batches, in order. Neighbours with the same program, as an object, are done together: what does not depend on the chip once.

    A batch takes 50 ms of hardware time or 64 runs at most, so little is lost by an interruption, and all workers have equal parts. `numbered` are the
    programs with their run seeds.
    """
    begin = 0
    while begin < len(programs):
        program = programs[begin]
        end = next((i for i in range(begin, len(programs)) if programs[i] is not program), len(programs))
        parcel, most = Parcel(program), 1
        if not program.plasticity:
            most = max(1, min(_BATCH_RUNS, _BATCH_TICKS // (program.duration * program.n_entries)))
        rounds = -(-(end - begin) // (most * workers))
        size = -(-(end - begin) // (rounds * workers))
        for first in range(begin, end, size):
            last = min(first + size, end)
            yield Batch(first, [(chip, twin.run_seed or (0, 0)) for chip, twin in zip(specimens[first:last], numbered[first:last], strict=True)], parcel)
        begin = end


class Runs:
    """The runs of one map on their way. Iteration yields ``(index, recording)`` in the order of the programs.

    Parameters
    ----------
    workers : Workers
    batches : iterable of Batch
    settings : tuple
        Effects, instruments and step of all runs.
    """

    def __init__(self, workers: Workers, batches: Iterable[Batch], settings: tuple[Effects, str, float | None]) -> None:
        self._workers, self._batches, self._settings = workers, batches, settings
        self._pending: deque[tuple[Batch, Future[list[Recording]]]] = deque()

    def __iter__(self) -> Iterator[tuple[int, Recording]]:
        if self._workers.inline:
            for batch in self._batches:
                yield from enumerate(record_each(batch.runs, *self._settings, batch.parcel), batch.first)
            return
        try:
            for batch in self._batches:
                self._pending.append((batch, self._submit(batch)))
                if sum(len(batch.runs) for batch, _ in self._pending) >= IN_FLIGHT:
                    yield from self._next()
            while self._pending:
                yield from self._next()
        finally:
            self._cancel()

    def abandon(self) -> list[tuple[int, Recording]]:
        """Drop what has not started, and return what is done and not yet collected."""
        self._cancel()
        done = [(batch, future) for batch, future in self._pending if future.done() and not future.cancelled()]
        return [found for batch, future in done if future.exception() is None for found in enumerate(future.result(), batch.first)]

    def _submit(self, batch: Batch) -> Future[list[Recording]]:
        return self._workers.submit(record_some, batch.runs, *self._settings, batch.parcel)

    def _cancel(self) -> None:
        for _, future in self._pending:
            future.cancel()

    def _next(self) -> Iterator[tuple[int, Recording]]:
        batch, future = self._pending[0]  # stays in the queue until the result is there, so that an interruption loses nothing
        result = future.result()
        yield from enumerate(result, batch.first)
        self._pending.popleft()
        if len(result) < len(batch.runs):  # the next run failed; alone, it says why
            rest = batch.after(len(result))
            self._pending.appendleft((rest, self._submit(rest)))


def failure(error: Exception | KeyboardInterrupt, programs: Sequence[Program], recordings: Sequence[Recording | None]) -> MapError | MapKeyboardInterrupt:
    """Return the exception that carries the finished recordings."""
    if isinstance(error, KeyboardInterrupt):
        return MapKeyboardInterrupt(programs, recordings)
    at = next((i for i, recording in enumerate(recordings) if recording is None), len(programs))
    why = "a worker process ended, perhaps for lack of memory" if isinstance(error, BrokenExecutor) else f"{type(error).__name__}: {error}"
    text = f"program {at} of {len(programs)} failed ({why}). {_finished(recordings)} in the attribute recordings of this exception."
    return MapError(f"{text} Correct the program, and run what is missing from its attribute programs.", programs, recordings)


def _finished(recordings: Sequence[Recording | None]) -> str:
    return f"{sum(recording is not None for recording in recordings)} of {len(recordings)} recordings are finished and kept"
