"""Elementary functions of the compiled engine: float32, branch-free, vectorisable.

The libraries' own exp and tanh are scalar calls that stop the compiler from using vector instructions. Errors are bounded in
tests/unit/test_elementary.py: relative 2e-6 for :func:`exp32` and 1e-6 for :func:`tanh32` in the ranges named there.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from neckar.dynamics._jit import inline

F = np.float32
_LOG2E, _LN2 = F(1.4426950408889634), F(0.6931471805599453)
_ROUND = F(12582912.0)  # 1.5 * 2**23: adding and subtracting rounds to the nearest integer
EXP_2, EXP_3, EXP_4, EXP_5 = F(0.499991426), F(0.166668864), F(0.0418985779), F(0.00833383795)  # of e**r between the powers of two
_ZERO, _ONE, _TWO, _HALF = F(0), F(1), F(2), F(0.5)


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


@intrinsic
def marks(typingctx, flags, k):  # type: ignore[no-untyped-def]
    """Return 64 bits, which say whether the bytes ``flags[64 * k : 64 * k + 64]`` of a contiguous array are not zero."""
    if flags.dtype != types.uint8:
        return None

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        group, word = ir.VectorType(ir.IntType(8), 16), ir.IntType(64)
        found = ir.Constant(word, 0)
        for part in range(4):  # as wide as the stores of the flags, so that a load need not wait for them to reach the cache
            at = builder.add(builder.shl(arguments[1], word(2)), word(part))
            pointer = builder.gep(builder.bitcast(data, group.as_pointer()), [at])
            bits = builder.bitcast(builder.icmp_unsigned("!=", builder.load(pointer, align=16), ir.Constant(group, None)), ir.IntType(16))
            found = builder.or_(found, builder.shl(builder.zext(bits, word), word(16 * part)))
        return found

    return types.uint64(flags, types.int64), codegen


@intrinsic
def ones(typingctx, word):  # type: ignore[no-untyped-def]
    """Return the number of set bits of a 64-bit word."""
    if word != types.uint64:
        return None

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), codegen


@inline
def exp32(x):  # type: ignore[no-untyped-def]
    """Return e**x for float32 x <= 88; below -87 it stays at e**-87 (range reduction to 2**k and a polynomial of degree 5, in an order that waits little)."""
    shifted = max(x, F(-87)) * _LOG2E + _ROUND  # its low mantissa bits hold k
    r = max(x, F(-87)) - (shifted - _ROUND) * _LN2
    p = (EXP_4 + EXP_5 * r) * (r * r) + (EXP_2 + EXP_3 * r)
    p = p * (r * r) + (r + _ONE)
    power = np.int32(F(shifted).view(np.int32) << np.int32(23))
    return np.int32(F(p).view(np.int32) + power).view(np.float32)


@inline
def approach32(x):  # type: ignore[no-untyped-def]
    """Return 1 - e**-x for x >= 0: relative error 2e-7 up to 0.2, 2e-6 up to 1, absolute error below 2e-4 everywhere (polynomial at x / 4, two doublings)."""
    x = min(x, F(8.8))
    x_2 = x * x
    q = x * ((F(1 / 4) - F(1 / 32) * x) + ((F(1 / 384) + F(-0.000160328867) * x) + F(5.92660156e-06) * x_2) * x_2)
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
def excess32(x):  # type: ignore[no-untyped-def]
    """Return tanh(x) - x for \\|x\\| <= 1.5: relative error 6e-6 (odd polynomial, fit of our own); beyond, it goes on in proportion to x."""
    q = min(x * x, F(2.25))
    q_2 = q * q
    low = (F(-0.33333153) + F(0.13325392) * q) + (F(-0.053375952) + F(0.020134531) * q) * q_2
    return (x * q) * (low + ((F(-0.0062605189) + F(0.0012983774) * q) + F(-0.00012557565) * q_2) * (q_2 * q_2))


@inline
def nothing(x):  # type: ignore[no-untyped-def]
    """Return zero, by how much the tanh of a circuit without saturation exceeds its argument."""
    return _ZERO


@inline
def identity(x):  # type: ignore[no-untyped-def]
    """Return x: the tanh of a circuit without saturation."""
    return x


@inline
def maximum(a, b):  # type: ignore[no-untyped-def]
    """Return the larger argument."""
    return max(a, b)
