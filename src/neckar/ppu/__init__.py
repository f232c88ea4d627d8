"""The plasticity processors: users' kernels, compiled, in a sandbox, at their times.

A kernel is C++ (docs/reference/plasticity_headers.md). It is compiled to WebAssembly with the headers of ``include`` and runs in an instance per processor
that has its own memory, a limited number of instructions, and no access to anything but a few functions that exchange rows with the chip. This package sees the
chip through :class:`ChipPort` and knows nothing else of it.
"""

from neckar.ppu._actor import PlasticityProcessor, Tally, prepare, recorders_of
from neckar.ppu._port import ChipPort
from neckar.ppu._recorder import Recorder

__all__ = ["ChipPort", "PlasticityProcessor", "Recorder", "Tally", "prepare", "recorders_of"]
