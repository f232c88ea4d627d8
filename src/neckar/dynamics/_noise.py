"""Random numbers of the compiled engine: a pure function of (key, tick), never a stream, so that results do not depend on threads or cuts."""

from __future__ import annotations

import numpy as np

from neckar.dynamics._jit import inline

F = np.float32
U = np.uint32


@inline
def mix(x):  # type: ignore[no-untyped-def]
    """Hash 32 bits to 32 bits (Wellons' lowbias32)."""
    x = U(x)
    x = U(x ^ U(x >> U(16)))
    x = U(x * U(0x7FEB352D))
    x = U(x ^ U(x >> U(15)))
    x = U(x * U(0x846CA68B))
    return U(x ^ U(x >> U(16)))


@inline
def salt_of(tick, seed):  # type: ignore[no-untyped-def]
    """Hash a tick and the 64-bit seed of a trial to 32 bits."""
    clock = np.uint64(tick) ^ seed
    return mix(U(clock) ^ mix(U(clock >> np.uint64(32))))


@inline
def scramble(key, salt):  # type: ignore[no-untyped-def]
    """Combine a circuit's key and a tick's salt, both already well mixed, to 32 random bits."""
    x = U(U(key ^ salt) * U(0x7FEB352D))
    x = U(U(x ^ U(x >> U(15))) * U(0x846CA68B))
    return U(x ^ U(x >> U(16)))


@inline
def normal(x):  # type: ignore[no-untyped-def]
    """Return a variate of unit variance and zero mean from 32 random bits: the sum of their halves, a triangular distribution bounded by 2.45.

    A membrane adds many of them up; a circuit much faster than the step shows the triangle itself.
    """
    return (F(np.int32((x & U(0xFFFF)) + (x >> U(16)))) - F(65535)) * F(1 / 26754.45)
