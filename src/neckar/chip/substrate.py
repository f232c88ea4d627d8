"""What a chip is made of: the physical parameters, steps and seeds that follow from specimen and effects."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import physical
from neckar.dynamics import CircuitParameters, largest_step, reference_tau
from neckar.facts import brainscales2 as facts


class Substrate:
    """A specimen under some effects.

    Parameters
    ----------
    specimen : Specimen
    effects : Effects
    step_ticks : int
        Largest integration step.
    """

    def __init__(self, specimen: Specimen, effects: Effects, step_ticks: int) -> None:
        self.specimen, self.effects, self._step_ticks = specimen, effects, step_ticks
        self._known: tuple[ChipConfig, CircuitParameters] | None = None

    def physical(self, config: ChipConfig) -> CircuitParameters:
        """Return the physical parameters of all circuits under a configuration; the last ones are remembered."""
        known = self._known  # one read: entries of a program ask from several threads
        if known is None or known[0] != config:
            known = (config.copy(), physical(self.specimen, self.effects, config))
            self._known = known
        return known[1]

    def step(self, parameters: CircuitParameters) -> tuple[int, tuple[float, float]]:
        """Return the step in ticks for these circuits, and the reference time constants (s) of the synaptic lines."""
        return largest_step(parameters, self._step_ticks), reference_tau(parameters)

    def seed(self, *key: str | int) -> int:
        """Return a 64-bit seed that depends on the chip and a key."""
        return int.from_bytes(hashlib.blake2b(repr((self.specimen.seed, *key)).encode(), digest_size=8).digest(), "little")

    def keep(self, n: int, *key: str | int) -> NDArray[np.bool_]:
        """Return which of `n` events a link does not lose."""
        if not self.effects.event_loss:
            return np.ones(n, bool)
        return np.random.Generator(np.random.Philox(self.seed("link", *key))).random(n) >= facts.LINK_LOSS.value
