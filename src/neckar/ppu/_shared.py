"""Variables in the memory outside the chip, which both processors see: sections ``ext.data`` (block RAM of the FPGA) and ``ext_dram.data`` (its DRAM).

Each processor's instance has its own copy, at the same addresses. What is shared is fetched before a kernel runs on; what it has changed is handed over, byte
by byte, when it hands over to the chip or ends, at that moment of the processor's time. So the other processor sees a change late, never early.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neckar.errors import KernelMemoryError
from neckar.facts.ppu_brainscales2 import EXTERNAL_BYTES, EXTERNAL_DRAM_BYTES

SECTIONS = {"ext.data": "neckar_ext", "ext.data.keep": "neckar_ext", "ext_dram.data": "neckar_dram", "ext_dram.data.keep": "neckar_dram"}
"""Names of sections in a kernel's text, and those that the linker keeps together."""

MAX_DRAM = 1 << 20
"""Bytes of DRAM that the sandbox has room for."""

_LIMITS = (("ext.data", int(EXTERNAL_BYTES.value), ""), ("ext_dram.data", MAX_DRAM, f" in the sandbox, of {int(EXTERNAL_DRAM_BYTES.value) >> 20} MiB"))

Change = tuple[int, NDArray[np.int64], NDArray[np.uint8]]
"""Number of the area, bytes in it, new values."""


class SharedMemory:
    """What two processors share in a trial.

    Attributes
    ----------
    size : int
        Bytes.
    """

    def __init__(self) -> None:
        self.size = 0
        self._content: list[NDArray[np.uint8]] | None = None

    def learn(self, areas: list[NDArray[np.uint8]], names: str) -> None:
        """Start with what the first processor's instance holds.

        Raises
        ------
        KernelMemoryError
            If it is more than there is; `names` are those of the kernels.
        """
        for (section, limit, where), area in zip(_LIMITS, areas, strict=True):
            if len(area) > limit:
                raise KernelMemoryError(
                    f"the kernels {names} have {len(area)} bytes of variables in the section {section}; allowed are {limit}{where}. Use smaller types."
                )
        if self._content is None:
            self._content = [area.copy() for area in areas]
            self.size = sum(len(area) for area in areas)

    def fetch(self, areas: list[NDArray[np.uint8]]) -> None:
        """Copy what is shared into a processor's instance."""
        for mine, area in zip(self._content or [], areas, strict=True):
            area[...] = mine

    def take(self, changes: list[Change]) -> None:
        """Take over what a processor has changed."""
        for number, places, values in changes:
            if self._content is not None:
                self._content[number][places] = values


class Share:
    """One processor's end of the shared memory.

    Parameters
    ----------
    memory : SharedMemory
    areas : list of ndarray of uint8
        Where it lies in the processor's instance.
    charge : callable
        Counts instructions for copying, out of the instance's limit.
    names : str
        Kernels, for messages.
    """

    def __init__(self, memory: SharedMemory, areas: list[NDArray[np.uint8]], charge: Callable[[int], None], names: str) -> None:
        memory.learn(areas, names)
        self._memory, self._areas, self._charge = memory, areas, charge
        self._fetched = [area.copy() for area in areas]
        self._changes: list[Change] = []

    def fetch(self) -> None:
        """See what the other processor has handed over."""
        if self._memory.size:
            self._memory.fetch(self._areas)
            self._fetched = [area.copy() for area in self._areas]

    def keep(self) -> None:
        """Note what the kernel has changed since the last :meth:`fetch`."""
        if self._memory.size:
            self._charge(self._memory.size)
            for number, (area, before) in enumerate(zip(self._areas, self._fetched, strict=True)):
                places = np.flatnonzero(area != before)
                if len(places):
                    self._changes.append((number, places, area[places].copy()))

    def hand_over(self) -> None:
        """Let the other processor see what was noted."""
        if self._changes:
            self._memory.take(self._changes)
            self._changes = []

    @property
    def size(self) -> int:
        """Bytes."""
        return self._memory.size

    def holds(self, values: NDArray[np.uint8]) -> bool:
        """Return whether a part of the instance's memory is shared."""
        return any(np.shares_memory(values, area) for area in self._areas if len(area))
