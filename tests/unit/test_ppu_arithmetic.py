"""Rows of the plasticity processors against what their arithmetic says, element by element in plain Python."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from ppu_bench import Bench, kernel

pytest.importorskip("ziglang")
pytest.importorskip("wasmtime")

ROWS = 64
TYPES = {"Mod8": "uint8", "FracSat8": "int8", "Mod16": "uint16", "FracSat16": "int16"}
CONDITIONS = (operator.gt, operator.lt, operator.eq, operator.ge, operator.le, operator.ne)  # in the order of VectorIfCondition

TEXT = kernel(
    """
    switch (type) {
        case 0: run<VectorRowMod8>(); break;
        case 1: run<VectorRowFracSat8>(); break;
        case 2: run<VectorRowMod16>(); break;
        default: run<VectorRowFracSat16>();
    }
    """,
    before="""
    #include "libnux/vx/vector_row.h"
    #include "libnux/vx/vector_row_math.h"
    #include "libnux/vx/vector_round_stochastic.h"
    uint16_t a[ROWS][256], b[ROWS][256], mask[ROWS][256], result[ROWS][256];
    int32_t type, what, number;

    template <typename V> V load(uint16_t const (&from)[256])
    {
        V v;
        for (size_t i = 0; i < 256; ++i) { v[i] = static_cast<typename V::Element>(from[i]); }
        return v;
    }

    template <typename V> void store(V const& v, uint16_t (&to)[256])
    {
        for (size_t i = 0; i < 256; ++i) { to[i] = static_cast<uint16_t>(v[i]); }
    }

    template <typename V> struct Other_of;
    template <> struct Other_of<VectorRowMod8> { typedef VectorRowFracSat8 type; };
    template <> struct Other_of<VectorRowFracSat8> { typedef VectorRowMod8 type; };
    template <> struct Other_of<VectorRowMod16> { typedef VectorRowFracSat16 type; };
    template <> struct Other_of<VectorRowFracSat16> { typedef VectorRowMod16 type; };
    template <typename V> using Other = typename Other_of<V>::type;

    VectorRowMod8 seeds()
    {
        VectorRowMod8 row;
        for (size_t c = 0; c < 256; ++c) { row[c] = 37 * c + 1; }
        return row;
    }

    // what rounding draws: one register after the other
    template <typename V> V drawn()
    {
        V v;
        if constexpr (sizeof(typename V::Element) == 1) {
            v.even = parallel_rng_rand<typename V::HalfRow>();
            v.odd = parallel_rng_rand<typename V::HalfRow>();
        } else {
            typedef typename V::HalfRow::Quarter Register;
            v.even.left = parallel_rng_rand<Register>();
            v.even.right = parallel_rng_rand<Register>();
            v.odd.left = parallel_rng_rand<Register>();
            v.odd.right = parallel_rng_rand<Register>();
        }
        return v;
    }

    template <typename V> void run()
    {
        for (size_t row = 0; row < ROWS; ++row) {
            V const x = load<V>(a[row]), y = load<V>(b[row]), m = load<V>(mask[row]);
            typedef typename V::Element E;
            switch (what) {
                case 0: store(x + y, result[row]); break;
                case 1: store(x - y, result[row]); break;
                case 2: store(x * y, result[row]); break;
                case 3: store(-x, result[row]); break;
                case 4: store(x << number, result[row]); break;
                case 5: store(x >> number, result[row]); break;
                case 6: store(x.convert_contiguous(), result[row]); break;
                case 7: store(static_cast<E>(number) - (x * static_cast<E>(number) + static_cast<E>(number)), result[row]); break;
                case 8: store(V((x == y) + 2 * (x != y)), result[row]); break;
                case 15: if constexpr (sizeof(E) == 1) { store(saturate_weight(x), result[row]); } break;
                case 16: store(pow(x, number), result[row]); break;
                case 17: convert_all(x, result[row]); break;
                case 18: { V z = x; z += y; z -= m; z *= y; z <<= number; z >>= 1; store(z, result[row]); break; }
                case 19: {
                    V z;
                    z.even = (x.even + y.even) * static_cast<E>(3);
                    z.odd = -(x.odd - y.odd) >> number;
                    store(V(z.even, z.odd), result[row]);
                    break;
                }
                case 20: parallel_rng_seed(seeds()); store(drawn<V>(), result[row]); break;
                case 21: parallel_rng_seed(seeds()); store(vector_round_stochastic(x, number), result[row]); break;
                case 22: case 23: case 24: case 25: case 26: case 27:
                    store(vector_if(static_cast<Other<V>>(m), static_cast<VectorIfCondition>(what - 22), x, y), result[row]);
                    break;
                default: store(vector_if(m, static_cast<VectorIfCondition>(what - 9), x, y), result[row]);
            }
        }
    }
    """.replace("template <typename V> void run()", """
    void convert_all(VectorRowMod8 const& x, uint16_t (&to)[256])
    {
        number ? store(VectorRowMod16(x), to) : store(static_cast<VectorRowFracSat8>(x), to);
    }
    void convert_all(VectorRowFracSat8 const& x, uint16_t (&to)[256])
    {
        number ? store(VectorRowFracSat16(x), to) : store(static_cast<VectorRowMod8>(x), to);
    }
    void convert_all(VectorRowMod16 const& x, uint16_t (&to)[256])
    {
        number ? store(VectorRowMod8(x), to) : store(static_cast<VectorRowFracSat16>(x), to);
    }
    void convert_all(VectorRowFracSat16 const& x, uint16_t (&to)[256])
    {
        number ? store(VectorRowFracSat8(x), to) : store(static_cast<VectorRowMod16>(x), to);
    }
    template <typename V> void run()"""),
).replace("ROWS", str(ROWS))


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(TEXT, ("a", "b", "mask", "result", "type", "what", "number"))


def compute(bench: Bench, kind: str, what: int, number: int, *values: np.ndarray) -> list[int]:
    """Return what the kernel makes of some elements, any number."""
    size, found = ROWS * 256, []
    bench.variable("type", "<i4")[0], bench.variable("what", "<i4")[0], bench.variable("number", "<i4")[0] = list(TYPES).index(kind), what, number
    for start in range(0, len(values[0]), size):
        parts = [v[start : start + size] for v in values]
        for name, part in zip(("a", "b", "mask"), parts, strict=False):
            bench.variable(name, "<u2")[: len(part)] = part.astype(np.int64) & 0xFFFF
        bench.call()
        found.append(bench.variable("result", "<u2")[: len(parts[0])].copy())
    return np.concatenate(found).tolist()


def operands(kind: str, seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs: all of 8 bit; of 16 bit all pairs of extremes and of random numbers."""
    info = np.iinfo(TYPES[kind])
    if info.bits == 8:
        every = np.arange(info.min, info.max + 1)
        return np.repeat(every, 256), np.tile(every, 256)
    rng = np.random.default_rng(seed)
    extremes = np.array([info.min, info.min + 1, -256, -255, -129, -128, -127, -2, -1, 0, 1, 2, 127, 128, 255, 256, 32767, 32768, info.max - 1, info.max])
    some = np.concatenate([extremes[(extremes >= info.min) & (extremes <= info.max)], rng.integers(info.min, info.max + 1, 110)])
    return np.repeat(some, len(some)), np.tile(some, len(some))


class Slow:
    """One element type, as plainly as possible."""

    def __init__(self, kind: str) -> None:
        info = np.iinfo(TYPES[kind])
        self.width, self.low, self.high, self.signed = info.bits, info.min, info.max, info.min < 0

    def fit(self, x: int) -> int:
        """Bring a sum or product into the range."""
        return min(max(x, self.low), self.high) if self.signed else x % 2**self.width

    def wrap(self, bits: int) -> int:
        bits %= 2**self.width
        return bits - 2**self.width if self.signed and bits > self.high else bits

    def multiply(self, x: int, y: int) -> int:
        return self.fit(x * y // 2 ** (self.width - 1)) if self.signed else self.fit(x * y)

    def shift(self, x: int, left: int) -> int:
        if abs(left) >= self.width:
            return 0
        if left < 0:
            return x // 2**-left
        if not self.signed:
            return self.fit(x * 2**left)
        if left == 0:
            return x
        kept = (x * 2**left) % 2 ** (self.width - 1)
        return kept - 2 ** (self.width - 1) if x < 0 else kept

    def power(self, x: int, n: int) -> int:
        result = x if n else 1
        for _ in range(n - 1):
            result = self.multiply(result, x)
        return result


def bits(values: list[int]) -> list[int]:
    return [v & 0xFFFF for v in values]


@pytest.mark.parametrize("kind", TYPES)
def test_sums_differences_and_products(bench: Bench, kind: str) -> None:
    slow, (a, b) = Slow(kind), operands(kind)
    pairs = list(zip(a.tolist(), b.tolist(), strict=True))
    assert compute(bench, kind, 0, 0, a, b) == bits([slow.fit(x + y) for x, y in pairs])
    assert compute(bench, kind, 1, 0, a, b) == bits([slow.fit(x - y) for x, y in pairs])
    assert compute(bench, kind, 2, 0, a, b) == bits([slow.multiply(x, y) for x, y in pairs])
    assert compute(bench, kind, 3, 0, a) == bits([slow.fit(-x) for x in a.tolist()])


@pytest.mark.parametrize("kind", TYPES)
def test_shifts_of_any_number_of_bits(bench: Bench, kind: str) -> None:
    slow, a = Slow(kind), np.unique(operands(kind)[0])
    for number in (*range(-slow.width - 1, slow.width + 2), 100, -100, 2**31 - 1, -(2**31)):
        assert compute(bench, kind, 4, number, a) == bits([slow.shift(x, number) for x in a.tolist()]), number
        assert compute(bench, kind, 5, number, a) == bits([slow.shift(x, -number) for x in a.tolist()]), number


@pytest.mark.parametrize("kind", TYPES)
def test_selection_by_a_condition(bench: Bench, kind: str) -> None:
    a, b = operands(kind)
    masks = np.roll(a, 3)
    for number, condition in enumerate(CONDITIONS):
        expected = [x if condition(m, 0) else y for m, x, y in zip(masks.tolist(), a.tolist(), b.tolist(), strict=True)]
        assert compute(bench, kind, 9 + number, 0, a, b, masks) == bits(expected)


@pytest.mark.parametrize("kind", TYPES)
def test_conversions_powers_and_scalars(bench: Bench, kind: str) -> None:
    slow, a = Slow(kind), np.unique(operands(kind)[0])
    values = a.tolist()
    half = 2 ** (slow.width - 1)
    assert compute(bench, kind, 6, 0, a) == bits([x + half if slow.signed else x - half for x in values])
    unsigned = [x % 2**slow.width for x in values]
    assert compute(bench, kind, 17, 0, a) == bits(unsigned if slow.signed else [x - 2**slow.width if x >= half else x for x in unsigned])
    resized = {"Mod8": lambda x: x, "FracSat8": lambda x: x * 256, "Mod16": lambda x: x % 256, "FracSat16": lambda x: x // 256}[kind]
    assert compute(bench, kind, 17, 1, a) == bits([resized(x) for x in values])
    for n in (0, 1, 2, 5):
        assert compute(bench, kind, 16, n, a) == bits([slow.power(x, n) for x in values])
    for n in (0, 1, -3, 100):
        n = slow.wrap(n)
        assert compute(bench, kind, 7, n, a) == bits([slow.fit(n - slow.fit(slow.multiply(x, n) + n)) for x in values])


@pytest.mark.parametrize("kind", ["Mod8", "FracSat8"])
def test_saturation_to_the_range_of_weights(bench: Bench, kind: str) -> None:
    a = np.unique(operands(kind)[0])
    signed = [x - 256 if x > 127 else x for x in a.tolist()]
    assert compute(bench, kind, 15, 0, a) == [min(max(x, 0), 63) for x in signed]


@pytest.mark.parametrize("kind", TYPES)
def test_selection_by_a_mask_of_the_other_sign(bench: Bench, kind: str) -> None:
    a, b = operands(kind)
    masks = np.roll(a, 3)
    other = {"uint8": "int8", "int8": "uint8", "uint16": "int16", "int16": "uint16"}[TYPES[kind]]
    seen = masks.astype(TYPES[kind]).view(other).tolist()
    for number, condition in enumerate(CONDITIONS):
        expected = [x if condition(m, 0) else y for m, x, y in zip(seen, a.tolist(), b.tolist(), strict=True)]
        assert compute(bench, kind, 22 + number, 0, a, b, masks) == bits(expected)


@pytest.mark.parametrize("kind", TYPES)
def test_operators_in_place_and_on_half_rows(bench: Bench, kind: str) -> None:
    slow, (a, b) = Slow(kind), operands(kind)
    masks = np.roll(b, 5)
    for number in (-1, 2):
        expected = [
            slow.shift(slow.shift(slow.multiply(slow.fit(slow.fit(x + y) - m), y), number), -1)
            for x, y, m in zip(a.tolist(), b.tolist(), masks.tolist(), strict=True)
        ]
        assert compute(bench, kind, 18, number, a, b, masks) == bits(expected), number
        halves = [
            slow.shift(slow.fit(-slow.fit(x - y)), -number) if column % 2 else slow.multiply(slow.fit(x + y), 3)
            for column, (x, y) in enumerate(zip(a.tolist(), b.tolist(), strict=True))  # a row has an even number of columns
        ]
        assert compute(bench, kind, 19, number, a, b) == bits(halves), number


@pytest.mark.parametrize("kind", TYPES)
def test_stochastic_rounding_adds_the_highest_bits_of_what_it_draws(bench: Bench, kind: str) -> None:
    slow, (a, _) = Slow(kind), operands(kind)
    draws = [u % 2**slow.width for u in compute(bench, kind, 20, 0, np.zeros(256, np.int64))]
    assert len(set(draws)) > 100
    for number in (0, 1, 3, slow.width - 1, slow.width, 1000):
        expected = []
        for n, x in enumerate(a.tolist()):
            total = slow.fit(x + (draws[n % 256] >> (slow.width - number))) if number < slow.width else 0
            expected.append(total - total % 2**number if 0 < number < slow.width else total)
        assert compute(bench, kind, 21, number, a) == bits(expected), number


@pytest.mark.parametrize("kind", TYPES)
def test_rows_are_equal_if_all_elements_are(bench: Bench, kind: str) -> None:
    a = np.arange(512)
    b = a.copy()
    b[300] += 1  # in the second row
    assert compute(bench, kind, 8, 0, a, b) == [1] * 256 + [2] * 256
