"""What the CADC does in one entry: it samples readout lines when its rows are due, and converts them with the configuration that held then."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from neckar.chip.cadc import CadcTransfer, channels_of
from neckar.chip.cadc_timing import Rows, Target
from neckar.chip.readout import Readout
from neckar.chip.sampling import LineSampler
from neckar.chip.specimen import keyed_reads


class CadcRecorder:
    """The parallel converter during one entry.

    Parameters
    ----------
    targets : sequence of Target
    rows : sequence of Rows
        When each target is read in this entry.

    Attributes
    ----------
    samplers : list of LineSampler
        Instruments of the trial.
    """

    def __init__(self, targets: Sequence[Target], rows: Sequence[Rows]) -> None:
        self.targets, self.rows = targets, rows
        self.samplers = [LineSampler(target.circuits, r.tick, target.record.source) for target, r in zip(targets, rows, strict=True)]
        self._stretches: list[tuple[int, CadcTransfer]] = []

    def configure(self, start: int, transfer: CadcTransfer, readout: Readout) -> None:
        """Take over the configuration that holds from tick `start` on."""
        self._stretches.append((start, transfer))
        for sampler in self.samplers:
            sampler.readout = readout

    def codes(self, key: tuple[str | int, ...]) -> list[NDArray[np.uint8]]:
        """Return the codes of each target, shape (row, circuit); `key` names the entry's stream of noise."""
        return [self._codes(rows.tick, sampler, key) for rows, sampler in zip(self.rows, self.samplers, strict=True)]

    def _codes(self, tick: NDArray[np.int64], sampler: LineSampler, key: tuple[str | int, ...]) -> NDArray[np.uint8]:
        channels, potentials = channels_of(sampler.circuits), sampler.values[0]
        codes = np.empty(potentials.shape, np.uint8)
        borders = [0, *np.searchsorted(tick, [start for start, _ in self._stretches[1:]]).tolist(), len(tick)]
        for (a, b), (_, transfer) in zip(pairwise(borders), self._stretches, strict=True):
            noise = keyed_reads(tick[a:b], channels, "cadc", *key) if transfer.noise else None
            codes[a:b] = transfer.codes(potentials[a:b], channels, noise)
        return codes
