"""The analog parameter memory."""

from __future__ import annotations

from dlens_vx_v3._container import Container, code, ranged
from dlens_vx_v3.halco import CapMemCellOnDLS
from neckar.facts import CAPMEM_MAX


class CapMemCell(Container, at=CapMemCellOnDLS):
    """A cell of the analog parameter memory."""

    Value = ranged("Value", CAPMEM_MAX)

    value = code(Value)
