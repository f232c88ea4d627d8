"""Pieces of memory: coordinates from a first to a last word or byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from dlens_vx_v3.halco._base import CoordinateTypeError, Enum, Ranged
from dlens_vx_v3.halco._coordinates import (
    ExternalPPUDRAMMemoryBlockSize,
    ExternalPPUDRAMMemoryByteOnFPGA,
    ExternalPPUMemoryBlockSize,
    ExternalPPUMemoryByteOnFPGA,
    PPUMemoryBlockSize,
    PPUMemoryWordOnPPU,
    PPUOnDLS,
)


class Interval:
    """All values from a first to a last one, both included."""

    element: ClassVar[type[Ranged]]
    size_type: ClassVar[type[Ranged]]
    is_interval: ClassVar[bool] = True
    bound_type: ClassVar[type[Ranged]]
    enum_type: ClassVar[type[Ranged]]
    _bounds: tuple[Ranged, Ranged]

    def __init_subclass__(cls) -> None:
        cls.bound_type = cls.element
        cls.enum_type = type("EnumRanged", (Ranged,), {}, size=cls.element.size**2)

    def __init__(self, first: Any = 0, last: int | None = None) -> None:
        if isinstance(first, Interval):
            first, last = first._bounds
        self._bounds = self.element(first), self.element(first if last is None else last)
        if self._bounds[1] < self._bounds[0]:
            raise CoordinateTypeError(f"{type(self).__name__} from {int(first)} to {last} is empty; give the last one, included, at or after the first.")

    def toMin(self) -> Any:
        """Return the first value."""
        return self._bounds[0]

    def toMax(self) -> Any:
        """Return the last value."""
        return self._bounds[1]

    def length(self) -> Any:
        """Return the number of values."""
        return self.size_type(self._bounds[1] - self._bounds[0] + 1)

    toPPUMemoryBlockSize = toExternalPPUMemoryBlockSize = toExternalPPUDRAMMemoryBlockSize = length

    def toEnum(self) -> Enum:
        """Return the enumeration, by the first value, then by the last."""
        return Enum(self._bounds[0] * self.element.size + self._bounds[1])

    @classmethod
    def all(cls) -> Iterator[Any]:
        """Iterate over all intervals in order of enumeration."""
        size = cls.element.size
        return (cls(first, last) for first in range(size) for last in range(first, size))

    def known(self) -> dict[str, int]:
        """Return no facts: memory is no register."""
        return {}

    def _key(self) -> tuple[Any, ...]:
        return self._bounds

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, type(self)) else NotImplemented

    def __lt__(self, other: Interval) -> bool:
        return self._key() < other._key()

    def __le__(self, other: Interval) -> bool:
        return self._key() <= other._key()

    def __hash__(self) -> int:
        return hash((type(self).__name__, *self._key()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int(self._bounds[0])}, {int(self._bounds[1])})"


class PPUMemoryBlockOnPPU(Interval):
    """A piece of the memory of a plasticity processor."""

    element, size_type = PPUMemoryWordOnPPU, PPUMemoryBlockSize


class ExternalPPUMemoryBlockOnFPGA(Interval):
    """A piece of the external memory of the plasticity processors."""

    element, size_type = ExternalPPUMemoryByteOnFPGA, ExternalPPUMemoryBlockSize


class ExternalPPUDRAMMemoryBlockOnFPGA(Interval):
    """A piece of the external DRAM of the plasticity processors."""

    element, size_type = ExternalPPUDRAMMemoryByteOnFPGA, ExternalPPUDRAMMemoryBlockSize


class PPUMemoryBlockOnDLS(PPUMemoryBlockOnPPU):
    """A piece of the memory of one of the plasticity processors."""

    _ppu: PPUOnDLS

    def __init__(self, block: Any = None, ppu: int = 0) -> None:
        whole, ppu = (block, block._ppu) if isinstance(block, PPUMemoryBlockOnDLS) else (block or PPUMemoryBlockOnPPU(), ppu)
        super().__init__(whole.toMin(), whole.toMax())
        self._ppu = PPUOnDLS(ppu)

    @classmethod
    def all(cls) -> Iterator[Any]:
        """Iterate over all pieces of both processors."""
        return (cls(block, ppu) for ppu in range(PPUOnDLS.size) for block in PPUMemoryBlockOnPPU.all())

    def toPPUOnDLS(self) -> PPUOnDLS:
        """Return the processor."""
        return self._ppu

    def toPPUMemoryBlockOnPPU(self) -> PPUMemoryBlockOnPPU:
        """Return the piece within its memory."""
        return PPUMemoryBlockOnPPU(self.toMin(), self.toMax())

    def _key(self) -> tuple[Any, ...]:
        return (self._ppu, *self._bounds)
