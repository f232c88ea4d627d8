"""Coordinates of the chip, under upstream's names."""

from __future__ import annotations

from dlens_vx_v3.halco import common as common
from dlens_vx_v3.halco._base import Enum as Enum
from dlens_vx_v3.halco._base import Ranged as _Ranged
from dlens_vx_v3.halco._base import iter_all as iter_all
from dlens_vx_v3.halco._board import *  # noqa: F403
from dlens_vx_v3.halco._coordinates import *  # noqa: F403
from dlens_vx_v3.halco._intervals import ExternalPPUDRAMMemoryBlockOnFPGA as ExternalPPUDRAMMemoryBlockOnFPGA
from dlens_vx_v3.halco._intervals import ExternalPPUMemoryBlockOnFPGA as ExternalPPUMemoryBlockOnFPGA
from dlens_vx_v3.halco._intervals import PPUMemoryBlockOnDLS as PPUMemoryBlockOnDLS
from dlens_vx_v3.halco._intervals import PPUMemoryBlockOnPPU as PPUMemoryBlockOnPPU
from dlens_vx_v3.halco._logical import AtomicNeuronOnLogicalNeuron as AtomicNeuronOnLogicalNeuron
from dlens_vx_v3.halco._logical import LogicalNeuronCompartments as LogicalNeuronCompartments
from dlens_vx_v3.halco._logical import LogicalNeuronOnDLS as LogicalNeuronOnDLS

Coordinate = _Ranged
"""Any coordinate; for annotations."""

__all__ = sorted(name for name in globals() if not name.startswith("_") and name not in ("annotations", "Enum", "Pair", "Ranged"))

del Pair, Ranged  # noqa: F821
