"""The register level of BrainScaleS-2 (``from dlens_vx_v3 import hal, halco, lola, sta, hxcomm``), executed by Neckar's virtual chips.

Coordinates, containers and playback programs have upstream's names and behaviour. A container is a view of register codes, a playback program becomes one
:class:`neckar.program.Program`; the package holds no physics.

Importing it sets the environment variable ``SLURM_FPGA_IPS``, if no variable chooses a connection already: public scripts look for one before they start,
and this is the one whose value nobody parses.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType

from dlens_vx_v3._genuine import refuse_shadowing
from dlens_vx_v3.hxcomm import CHOOSES_CONNECTION

__all__ = ["hal", "halco", "hxcomm", "logger", "lola", "sta"]

refuse_shadowing(__name__, __file__)

if not any(name in os.environ for name in CHOOSES_CONNECTION):
    os.environ["SLURM_FPGA_IPS"] = "virtual-chip"


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
