"""Neckar: a digital twin of the BrainScaleS neuromorphic systems.

Public: :class:`Lab` and :func:`current_lab` (which virtual chip, which effects, which seed, where to run), :class:`Specimen`, :class:`Effects`,
:class:`Program`, :class:`Recording`, :func:`load`, :func:`save`, :class:`NeckarError`. They are imported at first use, so that ``import neckar`` costs
nothing; their types stand in ``__init__.pyi``.
"""

import importlib as _importlib

__version__ = "0.1.0"

_HOMES = {
    "Effects": "neckar.chip.effects",
    "Lab": "neckar.lab",
    "NeckarError": "neckar.errors",
    "Program": "neckar.program",
    "Recording": "neckar.program",
    "Specimen": "neckar.chip.specimen",
    "current_lab": "neckar.lab",
    "load": "neckar.program",
    "save": "neckar.program",
}

__all__ = ["Effects", "Lab", "NeckarError", "Program", "Recording", "Specimen", "__version__", "current_lab", "load", "save"]


def __getattr__(name: str) -> object:
    """Import a public name from its home at first use."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'neckar' has no attribute {name!r}; public are {', '.join(__all__)}")
    value = globals()[name] = getattr(_importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
