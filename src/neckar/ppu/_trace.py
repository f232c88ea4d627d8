"""What a rule does in one invocation, noted while somebody traces it.

Whatever executes a rule fills a :class:`Notes` if it is given one, and does nothing for it otherwise: what it reads and writes of the chip, and the values that
are watched. The actor makes an :class:`Invocation` of them. Noting must change nothing that the rule sees or does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neckar.errors import KernelError
from neckar.program import PlasticityTask

MAX_WATCHED = 4096
"""Watched values that are kept of one invocation, and bytes of all of them together; more are counted."""
MAX_WATCHED_BYTES = 1 << 20

SIDES = ("top", "bottom")

Rows: TypeAlias = "dict[int, NDArray[np.uint8]]"


@dataclass(frozen=True)
class Watched:
    """A value that a rule shows.

    Attributes
    ----------
    name : str
        As the rule spells it.
    type : str
        In C++.
    value : int, float, bool or ndarray
        Rows of the synapse array have the shape (column,), arrays of rows (row, column), registers and other arrays (element,).
    line : int
        Line of the rule's text, from 1.
    """

    name: str
    type: str
    value: Any
    line: int


@dataclass(eq=False)
class Notes:
    """What one invocation does, as it does it.

    Attributes
    ----------
    planes : mapping of str to ndarray, shape (row, column)
        Weights and labels of the hemisphere when it began.
    read : dict of str to dict
        ``weights``, ``labels``, ``causal`` and ``acausal`` by row, ``counters`` by circuit.
    written : dict of str to dict of int to ndarray
        The last values of rows of ``weights`` and ``labels``.
    reset : dict of str to dict
        ``sensors``: masks of columns by row; ``membranes`` and ``counters``: by column and circuit.
    """

    planes: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    read: dict[str, dict[int, Any]] = field(default_factory=dict)
    written: dict[str, Rows] = field(default_factory=dict)
    reset: dict[str, dict[int, Any]] = field(default_factory=dict)
    watched: list[Watched] = field(default_factory=list)
    watched_left_out: int = 0
    _bytes: int = 0

    def add(self, group: dict[str, dict[int, Any]], what: str, numbers: NDArray[np.integer], values: NDArray[Any]) -> None:
        """Note rows or circuits of a group (:attr:`read`, :attr:`written` or :attr:`reset`); later values take the place of earlier ones."""
        if len(numbers):
            group.setdefault(what, {}).update(zip(numbers.tolist(), values, strict=True))

    def watch(self, size: int, value: Callable[[], Watched]) -> None:
        """Keep a value of so many bytes, or only count it if there are too many: then nobody looks at it."""
        self._bytes += size
        if len(self.watched) < MAX_WATCHED and self._bytes <= MAX_WATCHED_BYTES:
            self.watched.append(value())
        else:
            self.watched_left_out += 1


@dataclass(frozen=True, eq=False)
class Invocation:
    """One execution of a rule on one processor.

    Attributes
    ----------
    task : PlasticityTask
    processor : {"top", "bottom"}
    entry : int
        Trial of the program.
    number : int
        Which execution of the rule it is on this processor in this trial, from 0: the record of its observables.
    asked, begun, deadline : int
        Ticks of the trial: when its timer was due, when it began, and when the timer was due again.
    cycles : float
        Cycles of 4 ns from its begin to its end; 0 in the mode "instant".
    late : bool
        Whether it ended after its deadline.
    read : mapping of str to mapping
        Rows of ``weights`` and ``labels`` with the values that they had when it began, of ``causal`` and ``acausal`` sensors with the last reading (row 0 of
        ``causal`` also stands for ``get_analog_readouts``), shape (column,) each; ``counters`` by circuit, 255 after an overflow.
    written : mapping of str to mapping
        Rows of ``weights`` and ``labels``: pairs of arrays of shape (column,), when it began and as it left them.
    reset : mapping of str to mapping
        ``sensors``: which columns by row; ``membranes`` and ``counters``: columns and circuits.
    watched : tuple of Watched
        In order.
    watched_left_out : int
        Number of further watched values.
    mail : str
        What it wrote into the mailbox.
    error : KernelError or None
        Why it was stopped.
    """

    task: PlasticityTask
    processor: str
    entry: int
    number: int
    asked: int
    begun: int
    deadline: int
    cycles: float
    late: bool
    read: Mapping[str, Mapping[int, Any]]
    written: Mapping[str, Mapping[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]]]
    reset: Mapping[str, Mapping[int, Any]]
    watched: tuple[Watched, ...]
    watched_left_out: int = 0
    mail: str = ""
    error: KernelError | None = None

    @classmethod
    def of(cls, notes: Notes, **others: Any) -> Invocation:
        """Return the record of what was noted."""
        written = {what: {row: (notes.planes[what][row].copy(), values) for row, values in rows.items()} for what, rows in notes.written.items()}
        return cls(read=notes.read, written=written, reset=notes.reset, watched=tuple(notes.watched), watched_left_out=notes.watched_left_out, **others)

    def __repr__(self) -> str:
        groups = (("read", self.read), ("wrote", self.written), ("reset", self.reset))
        done = [f"{verb} {len(numbers)} of {what}" for verb, group in groups for what, numbers in group.items()]
        shown = [f"{one.name} = {one.value if np.ndim(one.value) == 0 else one.type}" for one in self.watched[:3]]
        more = ["..."] if len(self.watched) > 3 else []
        end = [f"stopped: {type(self.error).__name__}"] if self.error else ["late"] if self.late else []
        what = ", ".join([f"{self.cycles:.0f} cycles", *done, *shown, *more, *end])
        return f"<{self.task.name} #{self.number} on {self.processor} at tick {self.begun}: {what}>"


Tracer: TypeAlias = Callable[[Invocation], None]
"""Called with each invocation when it has ended, in the order of their ends."""
