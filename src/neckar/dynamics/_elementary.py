"""Elementary functions of the compiled engine: float32, branch-free, vectorisable.

The libraries' own exp and tanh are scalar calls that stop the compiler from using vector instructions. Errors are bounded in
tests/unit/test_elementary.py: relative 2e-6 for :func:`exp32` and 1e-6 for :func:`tanh32` in the ranges named there.
"""

from __future__ import annotations

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from neckar.dynamics._jit import inline

F = np.float32
_LOG2E, _LN2 = F(1.4426950408889634), F(0.6931471805599453)
_ROUND = F(12582912.0)  # 1.5 * 2**23: adding and subtracting rounds to the nearest integer
_ONE, _TWO, _HALF = F(1), F(2), F(0.5)


@intrinsic
def select(typingctx, condition, a, b):  # type: ignore[no-untyped-def]
    """Return a if the condition holds, else b, without a branch (a Python conditional becomes one, and the loop around it stays scalar)."""
    if a != b or not isinstance(condition, types.Boolean):
        return None

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.select(*arguments)

    return a(condition, a, b), codegen


@intrinsic
def multiply_add(typingctx, a, b, c):  # type: ignore[no-untyped-def]
    """Return a * b + c with one rounding, in loops with and without vectors alike (left to the compiler, they can differ)."""
    if not a == b == c == types.float32:
        return None

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.fma(*arguments)

    return a(a, b, c), codegen


@intrinsic
def trailing_zeros(typingctx, word):  # type: ignore[no-untyped-def]
    """Return the number of zero bits below the lowest set bit of a 64-bit word that is not zero."""
    if word != types.uint64:
        return None

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.cttz(arguments[0], context.get_constant(types.boolean, True))

    return types.uint64(types.uint64), codegen


@inline
def exp32(x):  # type: ignore[no-untyped-def]
    """Return e**x for float32 x <= 88; below -87 it stays at e**-87 (range reduction to 2**k and a polynomial of degree 5)."""
    shifted = max(x, F(-87)) * _LOG2E + _ROUND  # its low mantissa bits hold k
    r = max(x, F(-87)) - (shifted - _ROUND) * _LN2
    p = ((((F(0.00833383795) * r + F(0.0418985779)) * r + F(0.166668864)) * r + F(0.499991426)) * r + _ONE) * r + _ONE
    power = np.int32(F(shifted).view(np.int32) << np.int32(23))
    return np.int32(F(p).view(np.int32) + power).view(np.float32)


@inline
def approach32(z):  # type: ignore[no-untyped-def]
    """Return 1 - e**(-8 z) for z >= 0: relative error 2e-7 up to 8 z = 0.2, 1e-5 at 1, absolute error below 2e-4 everywhere (Taylor, three doublings)."""
    z = min(z, F(1.5))
    q = z - z * z * (_HALF - z * (F(1 / 6) - z * F(1 / 24)))
    q = q * (_TWO - q)
    q = q * (_TWO - q)
    return q * (_TWO - q)


@inline
def tanh32(x):  # type: ignore[no-untyped-def]
    """Return tanh(x), argument clamped to +-1.6 (odd polynomial, Chebyshev fit of our own)."""
    x = min(max(x, F(-1.6)), F(1.6))
    q = x * x
    high = F(0.0202241863) + q * (F(-0.00664366219) + q * (F(0.00164746972) + q * (F(-0.000258645145) + q * (F(1.864148e-05)))))
    return x * (F(1) + q * (F(-0.333318414) + q * (F(0.133167515) + q * (F(-0.0532428956) + q * high))))


@inline
def identity(x):  # type: ignore[no-untyped-def]
    """Return x: the tanh of a circuit without saturation."""
    return x


@inline
def maximum(a, b):  # type: ignore[no-untyped-def]
    """Return the larger argument."""
    return max(a, b)
