"""Whether kernels can be compiled and run on this machine, for ``neckar doctor``."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from neckar.ppu._compile import build_in
from neckar.ppu._headers import TOKEN
from neckar.ppu._kernel import Kernel
from neckar.ppu._sandbox import Sandbox


def try_kernel() -> tuple[float, float]:
    """Compile an empty kernel with an empty cache, and call it.

    Returns
    -------
    compile_s, call_s : float
        How long each took, seconds.

    Raises
    ------
    KernelError, MissingExtraError
        What stands in the way.
    """
    empty = Kernel("empty", f"template <typename... Handles> void {TOKEN}(Handles&...) {{}}", 0)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="neckar-ppu-") as folder:
        content = build_in(Path(folder), (empty,))
    compiled = time.perf_counter()
    box = Sandbox(content, lambda *_: None, lambda: 0, lambda: None)
    box.call("neckar_boot")
    box.port["handles"] = box.call("neckar_handles_0")
    called = time.perf_counter()
    box.call("neckar_invoke_0")
    return compiled - began, time.perf_counter() - called
