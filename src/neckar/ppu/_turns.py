"""A function that runs in turns with its caller: only one of the two runs at any time.

A kernel that looks at the chip has to wait until the chip has come to that moment, in the middle of a call into the sandbox. So it runs in a thread of its
own, which hands over and waits. The order of what happens is the same as without threads.
"""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Callable
from typing import Any


class Cancelled(BaseException):
    """Raised in a function that is not wanted any more."""


class Turns:
    """One function under way.

    Parameters
    ----------
    function : callable
        May call :meth:`wait`.
    """

    def __init__(self, function: Callable[[], None]) -> None:
        self._function: Callable[[], None] | None = function
        self._mine, self._yours = threading.Lock(), threading.Lock()  # held by whoever waits for the other; an invocation changes hands thousands of times
        self._mine.acquire()
        self._yours.acquire()
        self._error: BaseException | None = None
        self._started = self._cancelled = False
        self.asked: Any = None
        self.done = False

    def _run(self) -> None:
        function, self._function = self._function, None  # it may hold whoever holds these turns
        assert function is not None
        try:
            function()
        except Cancelled:
            pass
        except BaseException as error:
            self._error = error
        self.done = True
        self._yours.release()

    def wait(self, asked: Any) -> None:
        """Hand over to the caller, who sees `asked`; called inside the function.

        Raises
        ------
        Cancelled
            If the caller does not want it to go on.
        """
        self.asked = asked
        self._yours.release()
        self._mine.acquire()
        if self._cancelled:
            raise Cancelled

    def go_on(self) -> None:
        """Let the function run until it waits or ends; raise what it raised."""
        if self._started:
            self._mine.release()
        else:
            self._started = True
            _thread.start_new_thread(self._run, ())
        self._yours.acquire()
        if self._error is not None:
            raise self._error

    def cancel(self) -> None:
        """End the function; while Python itself ends it cannot run any more, and nobody waits for it."""
        if self._started and not self.done and not sys.is_finalizing():
            self._cancelled = True
            self._mine.release()
            self._yours.acquire()
