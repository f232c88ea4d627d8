"""When tasks run on a processor: timers, a queue of limited length, the earliest deadline first, one after the other.

Each time the processor is free it asks its timers in order. A timer whose time has come puts its task into the queue; its deadline is the timer's next time.
Times that have passed meanwhile are missed. The processor never interrupts a task.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from neckar.facts.ppu_brainscales2 import QUEUE_LENGTH


@dataclass
class Timer:
    """A periodic timer; times in cycles. `missed` counts times that passed while the processor was busy, also those after which the timer has ended."""

    start: int
    period: int
    count: int
    missed: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        self.next, self.end = self.start, self.start + self.period * self.count

    def poll(self, now: float) -> int | None:
        """Return the deadline of a task that is to be queued now, or None."""
        if now >= self.end:
            self.expire(now)
        if not self.next <= now < self.end:
            return None
        self.next += self.period
        self.fired += 1
        while self.next < now:
            self.next += self.period
            self.missed += 1
        return self.next

    def due_until(self, end: int) -> int:
        """Return how many of its times are before `end`."""
        return min(max(-((self.start - end) // self.period), 0), self.count)

    def expire(self, now: float) -> None:
        """Count times before `now` that were not asked for as missed."""
        late = max(min(math.ceil((now - self.next) / self.period), (self.end - self.next) // self.period), 0)
        self.missed += late
        self.next += late * self.period


@dataclass(frozen=True)
class Event:
    """A task in the queue, when its timer was due, and when it is due again."""

    task: int
    deadline: int
    asked: int


class Scheduler:
    """The tasks of one processor.

    Parameters
    ----------
    timers : sequence of Timer
        In the order in which they are asked.
    """

    def __init__(self, timers: Sequence[Timer]) -> None:
        self.timers, self.queue = list(timers), list[Event]()
        self.dropped = [0] * len(self.timers)

    def pick(self, now: float) -> Event | None:
        """Ask the timers and return the task with the earliest deadline; of several the first."""
        for task, timer in enumerate(self.timers):
            asked = timer.next
            while (deadline := timer.poll(now)) is not None:
                if len(self.queue) < QUEUE_LENGTH.value:
                    self.queue.append(Event(task, deadline, asked))
                else:
                    self.dropped[task] += 1
                asked = timer.next
        if not self.queue:
            return None
        first = min(range(len(self.queue)), key=lambda k: self.queue[k].deadline)
        self.queue[0], self.queue[first] = self.queue[first], self.queue[0]
        return self.queue.pop(0)

    def expire(self, now: float) -> None:
        """Count times before `now` that nothing will ask for as missed."""
        for timer in self.timers:
            timer.expire(now)

    def due(self, now: float) -> float | None:
        """Return when there is something to do, not before `now`; None if never again."""
        if self.queue:
            return now
        times = [max(timer.next, now) for timer in self.timers]
        return min((time for time, timer in zip(times, self.timers, strict=True) if time < timer.end), default=None)
