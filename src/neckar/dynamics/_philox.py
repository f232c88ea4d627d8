"""Words of numpy's Philox generator for many keys at once: what ``numpy.random.Philox(key=key).random_raw(n)`` gives, without the time to start each.

Philox4x64-10 of Salmon, Moraes, Dror and Shaw, *Parallel random numbers: as easy as 1, 2, 3*, SC 2011: a block of four words is a function of key and counter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from neckar.dynamics._jit import kernel

WORDS = 4  # of a block
_ROUNDS = 10
_FACTORS = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_WEYL = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)


def _multiply_high(_context: Any, _a: Any, _b: Any) -> Any:
    """Return type and code of the upper half of the product of two words."""

    def build(_: Any, builder: Any, __: Any, words: Any) -> Any:
        a, b = (builder.zext(word, ir.IntType(128)) for word in words)
        return builder.trunc(builder.lshr(builder.mul(a, b), ir.Constant(ir.IntType(128), 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), build


_high_word: Any = intrinsic(_multiply_high)


def philox_words(keys: NDArray[np.uint64], first: NDArray[np.int64], n: int) -> NDArray[np.uint64]:
    """Return `n` words of the generator of each key from a block on.

    Parameters
    ----------
    keys : ndarray of uint64, shape (stream, 2)
    first : ndarray of int64, shape (stream,)
        Number of the first block, four words each.
    n : int

    Returns
    -------
    ndarray of uint64, shape (stream, n)
    """
    blocks = -(-n // WORDS)
    words = np.empty((len(keys), blocks, WORDS), np.uint64)
    _words_kernel()(keys, first, words)
    return words.reshape(len(keys), -1)[:, :n]


@cache
def _words_kernel() -> Callable[..., Any]:
    def philox(keys, first, words):  # type: ignore[no-untyped-def]
        for s in range(words.shape[0]):
            for block in range(words.shape[1]):
                a, b, c, d = np.uint64(first[s] + block + 1), np.uint64(0), np.uint64(0), np.uint64(0)  # numpy counts before it draws
                k, m = keys[s, 0], keys[s, 1]
                for _ in range(_ROUNDS):
                    p, q = _high_word(_FACTORS[0], a), _high_word(_FACTORS[1], c)
                    a, b, c, d = q ^ b ^ k, _FACTORS[1] * c, p ^ d ^ m, _FACTORS[0] * a
                    k, m = k + _WEYL[0], m + _WEYL[1]
                words[s, block, 0], words[s, block, 1], words[s, block, 2], words[s, block, 3] = a, b, c, d

    return kernel(philox, "")
