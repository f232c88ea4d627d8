"""Many runs through an executor: results in order, finished ones are kept when something goes wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future
from typing import TYPE_CHECKING, Any

from neckar.errors import NeckarError
from neckar.lab._execute import record

if TYPE_CHECKING:
    from neckar.lab._workers import Workers
    from neckar.program import Program, Recording


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


class Runs:
    """The runs of one map on their way. Iteration yields ``(index, recording)`` in the order of the programs.

    Parameters
    ----------
    workers : Workers
    calls : sequence of tuple
        Arguments of :func:`neckar.lab._execute.record`, the program last.
    """

    def __init__(self, workers: Workers, calls: Sequence[tuple[Any, ...]]) -> None:
        self._workers, self._calls = workers, calls
        self._pending: deque[tuple[int, Future[Recording]]] = deque()

    def __iter__(self) -> Iterator[tuple[int, Recording]]:
        try:
            for i, call in enumerate(self._calls):
                self._pending.append((i, self._workers.submit(record, *call)))
                if len(self._pending) >= self._workers.in_flight:
                    yield self._next()
            while self._pending:
                yield self._next()
        finally:
            self._cancel()

    def abandon(self) -> list[tuple[int, Recording]]:
        """Drop what has not started, and return what is done and not yet collected."""
        self._cancel()
        done = [(i, future) for i, future in self._pending if future.done() and not future.cancelled()]
        return [(i, future.result()) for i, future in done if future.exception() is None]

    def _cancel(self) -> None:
        for _, future in self._pending:
            future.cancel()

    def _next(self) -> tuple[int, Recording]:
        i, future = self._pending[0]  # stays in the queue until the result is there, so that an interruption loses nothing
        result = future.result()
        self._pending.popleft()
        return i, result


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
