"""The Lab, and which one is current."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from neckar.errors import ConfigurationError
from neckar.lab._map import Runs, batches, failure
from neckar.lab._observe import notify
from neckar.lab._session import Session
from neckar.lab._settings import NAMES, Outside, Setting, outside, resolve, specimen
from neckar.lab._workers import Workers

if TYPE_CHECKING:
    from neckar.chip.effects import Effects
    from neckar.chip.specimen import Specimen
    from neckar.program import MachineState, Program, Recording

_stack: ContextVar[tuple[Lab, ...]] = ContextVar("neckar_labs", default=())


class Lab:
    """Which virtual chip, with which effects and instruments, seeded how, executed where.

    What is not given (None) is taken, when the lab is made, from the innermost ``with`` block around, else from the command line, else from the
    environment (``NECKAR_CHIP``, ``NECKAR_EFFECTS``, ``NECKAR_INSTRUMENTS``, ``NECKAR_SEED``, ``NECKAR_EXECUTOR``, ``NECKAR_STEP_US``), else it is the default.
    ``with lab:`` makes a lab the current one of this thread, for all front ends.

    Each run is numbered from 0, in the order of the calls, and carries the run seed (seed, number), unless the program has a run seed of its own. So a
    repeated script gives identical results, and repeated runs scatter.

    Parameters
    ----------
    chip : str, int or Specimen, optional
        Name, seed or the chip itself. Default ``"reference"``.
    effects : str or Effects, optional
        Which imperfections are on; text as for ``Effects.parse``, for instance ``"ideal"``. Default all.
    instruments : {"silicon", "open"}, optional
        With the limits of the real instruments (default), or everything at once.
    seed : int, optional
        0 (default) to 2**64 - 1.
    executor : Executor, "inline", "processes" or "processes:N", optional
        Where :meth:`map` runs: in this process (default), in N processes that the lab owns (N defaults to the number of processors), or on an executor
        that the caller owns. Sessions run in this process.
    step_us : float, optional
        Upper bound of the integration step, microseconds of hardware time. Default: the machine's choice.

    Raises
    ------
    ConfigurationError, ParameterRangeError, UnknownNameError
        If a value is not allowed; the text names where it came from.

    Examples
    --------
    >>> import neckar
    >>> with neckar.Lab(seed=1) as outer, neckar.Lab(instruments="open") as inner:
    ...     neckar.current_lab() is inner, inner.seed, inner.instruments
    (True, 1, 'open')
    """

    def __init__(
        self,
        chip: str | int | Specimen | None = None,
        effects: str | Effects | None = None,
        instruments: Literal["silicon", "open"] | None = None,
        seed: int | None = None,
        executor: Executor | str | None = None,
        step_us: float | None = None,
    ) -> None:
        given = dict(zip(NAMES, (chip, effects, instruments, seed, executor, step_us), strict=True))
        around = _stack.get()[-1] if _stack.get() else None
        self.specimen: Specimen = _choose("chip", given, around)
        self.effects: Effects = _choose("effects", given, around)
        self.instruments: str = _choose("instruments", given, around)
        self.seed: int = _choose("seed", given, around)
        self.step_us: float | None = _choose("step_us", given, around)
        self._owns_workers = around is None or executor is not None
        self._workers: Workers = Workers(_choose("executor", given, None)) if around is None or executor is not None else around._workers
        self._runs = 0
        self._lock = threading.Lock()

    @property
    def runs(self) -> int:
        """How many runs have been numbered so far."""
        return self._runs

    def session(self, state: MachineState | None = None) -> Session:
        """Return a session that holds the chip's state between programs, from `state` on, by default from a reset."""
        return Session(self, state)

    def run(self, program: Program) -> Recording:
        """Run one program on the chip after a reset."""
        with self.session() as session:
            return session.run(program)

    def map(self, programs: Iterable[Program], chips: Iterable[str | int | Specimen] | None = None, progress: bool = False) -> list[Recording]:
        """Run many programs through the executor, each on a chip after a reset. The executor changes no bit of the results.

        Parameters
        ----------
        programs : iterable of Program
        chips : iterable of str, int or Specimen, optional
            One chip per program; by default the lab's for all.
        progress : bool
            Show a progress bar on the terminal's error stream.

        Returns
        -------
        list of Recording
            In the order of the programs.

        Raises
        ------
        MapError, MapKeyboardInterrupt
            If a program fails or Ctrl-C is pressed. The exception carries the finished recordings.
        """
        numbered, runs = self._numbered_runs(programs, chips)
        recordings: list[Recording | None] = [None] * len(numbered)
        try:
            for i, recording in _shown(runs, len(numbered)) if progress else runs:
                recordings[i] = recording
                notify(numbered[i], recording, None)
        except (Exception, KeyboardInterrupt) as error:
            for i, recording in runs.abandon():
                recordings[i] = recording
            if isinstance(error, KeyboardInterrupt) and self._owns_workers:
                self._workers.close(wait=False)
            raise failure(error, numbered, recordings) from error
        return [recording for recording in recordings if recording is not None]

    def imap(self, programs: Iterable[Program], chips: Iterable[str | int | Specimen] | None = None) -> Iterator[Recording]:
        """As :meth:`map`, but yield each recording, in order, as soon as it is there; an exception of a program is raised in its turn.

        Runs are numbered at the call. Work goes on ahead of the consumer, by a bounded number of runs; leaving the loop cancels what has not started.
        """
        numbered, runs = self._numbered_runs(programs, chips)

        def recordings() -> Iterator[Recording]:
            for i, recording in runs:
                notify(numbered[i], recording, None)
                yield recording

        return recordings()

    def numbered(self, programs: Sequence[Program]) -> list[Program]:
        """Return the programs with run seeds, and count them as runs. A program that has a run seed keeps it."""
        with self._lock:
            first, self._runs = self._runs, self._runs + len(programs)
        return [
            program.seeded(self.seed, number) if program.run_seed is None else program
            for number, program in enumerate(programs, first)
        ]

    def close(self) -> None:
        """Shut down the lab's own processes; a later map starts new ones. An executor that was passed in stays as it is."""
        if self._owns_workers:
            self._workers.close()

    def __enter__(self) -> Self:
        _stack.set((*_stack.get(), self))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        labs = list(reversed(_stack.get()))
        if self in labs:
            labs.remove(self)  # the innermost entry
        _stack.set(tuple(reversed(labs)))
        self.close()

    def __repr__(self) -> str:
        values = {"chip": self.specimen, "effects": self.effects, "instruments": self.instruments, "seed": self.seed, "executor": self._workers}
        return f"Lab({', '.join(f'{name}={value!r}' for name, value in values.items())}, step_us={self.step_us!r})"

    def _numbered_runs(self, programs: Iterable[Program], chips: Iterable[str | int | Specimen] | None) -> tuple[list[Program], Runs]:
        """Return the programs with their run seeds, and their runs."""
        programs = list(programs)
        specimens = [self.specimen] * len(programs) if chips is None else [specimen(chip) for chip in chips]
        if len(specimens) != len(programs):
            raise ConfigurationError(f"map got {len(programs)} programs and {len(specimens)} chips; allowed is one chip per program. Repeat one or the other.")
        numbered = self.numbered(programs)
        work = batches(programs, numbered, specimens, self._workers.number)
        return numbered, Runs(self._workers, work, (self.effects, self.instruments, self.step_us))


def current_lab() -> Lab:
    """Return the lab of the innermost ``with neckar.Lab(...)`` block of this thread.

    Outside all blocks, it is the lab of the command line and the environment: the same object, with its run numbers, as long as these do not change.
    A new thread starts outside all blocks; ``contextvars.copy_context().run`` carries them over.
    """
    global _outermost
    labs = _stack.get()
    if labs:
        return labs[-1]
    with _outermost_lock:
        now = outside()
        if _outermost is None or _outermost[0].options is not now.options or _outermost[0].environment != now.environment:
            _outermost = now, Lab()
        return _outermost[1]


_outermost: tuple[Outside, Lab] | None = None
_outermost_lock = threading.Lock()


def _choose(name: str, given: dict[str, Any], around: Lab | None) -> Any:
    """Return the typed value of a setting from the uppermost layer that has it."""
    if given[name] is not None:
        return resolve(name, Setting(given[name], f"argument {name} of Lab"))
    if around is not None:
        return getattr(around, "specimen" if name == "chip" else name)
    return resolve(name, outside().setting(name))


def _shown(runs: Runs, total: int) -> Iterator[tuple[int, Recording]]:
    """Yield the runs under a progress bar."""
    from rich.console import Console
    from rich.progress import track

    yield from track(runs, "runs", total=total, console=Console(stderr=True))
