"""The BrainScaleS-2 chip: configuration and coordinates.

Public: :class:`ChipConfig`. Coordinate functions live in :mod:`neckar.chip.coordinates`.
"""

from neckar.chip.config import ChipConfig

__all__ = ["ChipConfig"]
