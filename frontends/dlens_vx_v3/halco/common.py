"""Parts of the coordinates that upstream keeps apart from the chip."""

from dlens_vx_v3.halco._base import Enum, X, Y, iter_all

__all__ = ["Enum", "X", "Y", "iter_all"]
