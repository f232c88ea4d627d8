"""A chip in another process, which is sent Programs and nothing else: for tests of what measuring needs to know."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from neckar.lab import Lab, Session
from neckar.program import Program, Recording

_session: Session | None = None


class FarAway:
    """Runs programs in a process pool that holds the chip."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def run(self, program: Program) -> Recording:
        return self._pool.submit(_run, program).result()


@contextmanager
def far_away(chip: int) -> Iterator[FarAway]:
    """Open a chip, by its seed, in a process of its own; lab seed 0, instruments of silicon."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_start, initargs=(chip,)) as pool:
        yield FarAway(pool)


def _start(chip: int) -> None:
    global _session
    _session = Lab(chip=chip, instruments="silicon", seed=0).session()


def _run(program: Program) -> Recording:
    assert type(program) is Program
    assert _session is not None
    return _session.run(program)
