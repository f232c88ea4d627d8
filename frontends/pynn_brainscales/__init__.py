"""PyNN for BrainScaleS, executed by Neckar's virtual chips. Import :mod:`pynn_brainscales.brainscales2` as ``pynn``.

The names below are PyNN's own modules, imported when they are first used.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from dlens_vx_v3._genuine import refuse_shadowing

refuse_shadowing(__name__, __file__)

_PYNN_MODULES = ("common", "core", "descriptions", "errors", "parameters", "random", "recording", "serialization", "space", "standardmodels")

__all__ = list(_PYNN_MODULES)


def __getattr__(name: str) -> ModuleType:
    if name in _PYNN_MODULES:
        return importlib.import_module(f"pyNN.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
