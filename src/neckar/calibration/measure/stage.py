"""A calibration by measurement is a row of stages, each of which searches some fields and leaves them set.

Later stages build on what earlier ones left on the bench, so their order is part of the calibration. The random numbers of a stage are keyed by its name: a
stage that is added, or kept from an interrupted calibration, changes no other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.measure.bench import Bench

Reached = dict[str, NDArray[np.bool_]]
"""For each searched field, in its shape: whether the element reached its target."""


class Stage(NamedTuple):
    """One step of a calibration.

    Attributes
    ----------
    name : str
        Unique in its calibration, as a person reads it: ``"leak potential"``.
    run : callable
        Takes the bench and the stage's own random numbers, leaves its result set on the bench and returns what was reached. A field that an earlier stage has
        searched too is searched again: the later verdict counts.
    """

    name: str
    run: Callable[[Bench, np.random.Generator], Reached]


def keyed_generator(seed: int, stage: str) -> np.random.Generator:
    """Return the random numbers of a stage."""
    digest = hashlib.blake2b(repr(("measure", seed, stage)).encode(), digest_size=8).digest()
    return np.random.Generator(np.random.Philox(int.from_bytes(digest, "little")))
