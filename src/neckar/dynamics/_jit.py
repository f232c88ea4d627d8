"""How kernels are compiled and where their machine code is kept.

Numba's disk cache is keyed on the source file of the compiled function only, not on helpers in other files; a changed helper would silently keep old
machine code alive. So the cache directory carries a hash over all sources that flow into kernels.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache
from platformdirs import user_cache_path

Kernel = Callable[..., Any]
LOG = logging.getLogger("neckar.engine")
"""Says when a kernel is compiled, which takes seconds and happens once for each kind of circuits."""

FAST = {"contract", "arcp", "nsz"}  # fused multiply-add and reciprocal of loop constants; no reassociation, NaN and infinity stay correct

_setting = threading.Lock()  # numba's directory is one for all threads; two at once would leave kernels in the working directory

BARE: Any = {"_nrt": False, "no_cfunc_wrapper": True}
"""Kernels borrow their arrays: no counting of references, which would cost more than a row event. And no C calls them."""
PART: Any = {**BARE, "no_cpython_wrapper": True}
"""Parts are called by kernels alone, not by Python."""


@cache
def cache_directory() -> Path:
    """Return the directory of compiled kernels for the sources as they were when this module was imported."""
    digest = hashlib.sha256(numba.__version__.encode())
    here = Path(__file__).resolve().parent
    for source in sorted([*here.glob("*.py"), *(here.parent / "equations").glob("*.py")]):
        digest.update(source.name.encode() + source.read_bytes())
    return user_cache_path("neckar") / "kernels" / digest.hexdigest()[:16]


cache_directory()  # a file that changes later belongs to another process


def inline(function: Callable[..., Any]) -> Any:
    """Compile a scalar helper that is inlined into the kernels that call it."""
    return numba.njit(fastmath=FAST, inline="always", error_model="numpy", **PART)(function)


def kernel_part(function: Callable[..., Any]) -> Any:
    """Compile one vectorisable loop of a kernel as a function of its own; it is compiled into the kernel that calls it."""
    return numba.njit(fastmath=FAST, error_model="numpy", forceinline=True, **PART)(function)


class _KernelCache(FunctionCache):
    """Disk cache of a kernel that is built in variants. Numba's own key hashes the helpers it closes over by identity, which no other process shares."""

    def __init__(self, function: Callable[..., Any], variant: str) -> None:
        super().__init__(function)
        self._variant = variant

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = super().load_overload(sig, target_context)
        if found is None:
            LOG.info("the engine is compiled for this processor and this kind of circuits, once; later runs find it in %s", cache_directory())
        return found

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return sig, codegen.magic_tuple(), self._variant


def kernel(function: Callable[..., Any], variant: str) -> Any:
    """Compile a kernel with a disk cache, of which `variant` is the key; it releases the GIL, so lanes run in threads."""
    dispatcher: Any = numba.njit(fastmath=FAST, nogil=True, error_model="numpy", boundscheck=False, **BARE)(function)
    config: Any = numba.config
    with _setting:
        previous = config.CACHE_DIR
        config.CACHE_DIR = str(cache_directory())
        try:
            dispatcher._cache = _KernelCache(function, variant)
        finally:
            config.CACHE_DIR = previous
    return dispatcher
