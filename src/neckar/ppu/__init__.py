"""The plasticity processors: users' kernels, compiled, in a sandbox, at their times.

A kernel is C++ (docs/reference/plasticity_headers.md). It is compiled to WebAssembly with the headers of ``include`` and runs in an instance per processor
that has its own memory, a limited number of instructions, and no access to anything but a few functions that exchange rows with the chip. This package sees the
chip through :class:`ChipPort` and knows nothing else of it.

A rule can also be Python (:class:`Rule`): executed once with rows that hold no numbers, it becomes steps, of which numpy computes the same bits as the kernel
that is generated from them.

To look at what kernels do, :func:`trace` a program, or everything inside a block (:func:`tracing`). These two stand a floor above, in the lab, where programs
run; they are imported at first use, and their types stand in ``__init__.pyi``.
"""

import importlib as _importlib

from neckar.ppu._actor import PlasticityProcessor, Tally, prepare, recorders_of
from neckar.ppu._compile import cache_folder
from neckar.ppu._cpp import kernel_text
from neckar.ppu._port import ChipPort
from neckar.ppu._recipe import Recipe
from neckar.ppu._recorder import Recorder
from neckar.ppu._rule import Rule, State, write_down
from neckar.ppu._rule_batch import RuleBatch
from neckar.ppu._shared import SharedMemory
from neckar.ppu._symbols import FracSat8, FracSat16, Mod8, Mod16, random_row, round_stochastic, saturate_weight, seed_random, where
from neckar.ppu._trace import Invocation, Notes, Tracer, Watched
from neckar.ppu._trial import try_kernel

_HOMES = {"trace": "neckar.lab._trace", "tracing": "neckar.lab._trace"}

__all__ = [
    "ChipPort",
    "FracSat8",
    "FracSat16",
    "Invocation",
    "Mod8",
    "Mod16",
    "Notes",
    "PlasticityProcessor",
    "Recipe",
    "Recorder",
    "Rule",
    "RuleBatch",
    "SharedMemory",
    "State",
    "Tally",
    "Tracer",
    "Watched",
    "cache_folder",
    "kernel_text",
    "prepare",
    "random_row",
    "recorders_of",
    "round_stochastic",
    "saturate_weight",
    "seed_random",
    "trace",
    "tracing",
    "try_kernel",
    "where",
    "write_down",
]


def __getattr__(name: str) -> object:
    """Import a public name from its home at first use."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'neckar.ppu' has no attribute {name!r}; public are {', '.join(__all__)}")
    value = globals()[name] = getattr(_importlib.import_module(home), name)
    return value
