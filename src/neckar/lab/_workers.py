"""Where the runs of a map are executed: in this process, in processes of the lab's own, or on any executor of the standard library's kind."""

from __future__ import annotations

import multiprocessing
import multiprocessing.context
import signal
import sys
import threading
import types
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Workers:
    """An executor that is made when it is needed.

    Parameters
    ----------
    executor : Executor, "inline" or "processes:N"
        An executor that is passed in belongs to the caller and is never shut down here.
    """

    def __init__(self, executor: str | Executor) -> None:
        self._given = executor
        self._owned: Executor | None = None
        self._lock = threading.Lock()

    @property
    def inline(self) -> bool:
        """Whether there are none: runs are done in this process."""
        return self._given == "inline"

    @property
    def number(self) -> int:
        """How many work at once; 1 for an executor of the caller, of which that is not known."""
        return int(self._given.partition(":")[2] or 1) if isinstance(self._given, str) else 1

    def submit(self, function: Callable[..., T], *args: Any) -> Future[T]:
        """Hand over one call; a pool that has lost a process is replaced."""
        try:
            return self._executor().submit(function, *args)
        except BrokenExecutor:
            if not isinstance(self._given, str):
                raise
            self.close(wait=False)
            return self._executor().submit(function, *args)

    def close(self, wait: bool = True) -> None:
        """Shut down the lab's own processes and drop what has not started; the next call starts new ones."""
        with self._lock:
            owned, self._owned = self._owned, None
        if owned is not None:
            owned.shutdown(wait=wait, cancel_futures=True)

    def __repr__(self) -> str:
        return repr(self._given) if isinstance(self._given, str) else f"<{type(self._given).__name__}>"

    def _executor(self) -> Executor:
        if not isinstance(self._given, str):
            return self._given
        with self._lock:
            if self._owned is None:
                self._owned = ProcessPoolExecutor(self.number, mp_context=_WorkerContext(), initializer=_ignore_interrupts)
            return self._owned


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the process that waits for the results."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


_start_lock = threading.Lock()


class _WorkerProcess(multiprocessing.context.SpawnProcess):
    """A new interpreter that does not execute the user's script again.

    The standard library does so, which a script without ``if __name__ == "__main__"`` turns into an error. Workers receive plain data of Neckar only
    and have no use for the script. So it is out of sight at the moment in which a process starts.
    """

    def start(self) -> None:
        with _start_lock:
            script = sys.modules["__main__"]
            sys.modules["__main__"] = types.ModuleType("__main__")
            try:
                super().start()
            finally:
                sys.modules["__main__"] = script


class _WorkerContext(multiprocessing.context.SpawnContext):
    Process = _WorkerProcess
