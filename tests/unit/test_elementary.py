"""Error bounds of the compiled engine's elementary functions, and the statistics of its random numbers."""

import numba
import numpy as np
import pytest

from neckar.dynamics import _elementary as elementary
from neckar.dynamics import _noise as noise
from neckar.dynamics._layout import aligned

F = np.float32


def compiled(function):
    """Return the function on arrays, compiled as the engine compiles it."""

    @numba.njit(fastmath={"contract", "arcp", "nsz"}, error_model="numpy")
    def loop(x, out):
        for i in range(x.size):
            out[i] = function(x[i])
        return out

    return lambda x: loop(np.ascontiguousarray(x, F), np.empty(x.size, F)).astype(float)


exp32, tanh32, approach32 = compiled(elementary.exp32), compiled(elementary.tanh32), compiled(elementary.approach32)
excess32 = compiled(elementary.excess32)


def floats(low: float, high: float, n: int = 400_001) -> np.ndarray:
    """Return float32 numbers of a range, ends included, as float64."""
    return np.linspace(low, high, n).astype(F).clip(F(low), F(high)).astype(float)


def test_exp32_has_a_relative_error_below_2e_6_between_minus_87_and_88():
    x = floats(-87, 88)
    np.testing.assert_allclose(exp32(x), np.exp(x), rtol=2e-6)


def test_exp32_stays_at_its_least_value_below_minus_87():
    np.testing.assert_allclose(exp32(np.array([-88.0, -1e4, -1e30, -np.inf])), np.exp(-87.0), rtol=2e-6)


def test_exp32_of_zero_is_one():
    assert exp32(np.array([0.0]))[0] == 1.0


def test_tanh32_has_a_relative_error_below_1e_6_up_to_1_6():
    x = floats(-1.6, 1.6)
    np.testing.assert_allclose(tanh32(x), np.tanh(x), rtol=1e-6)


def test_tanh32_is_odd_and_constant_beyond_1_6():
    x = floats(0.0, 1.6, 1001)
    np.testing.assert_array_equal(tanh32(-x), -tanh32(x))
    far = np.array([1.6, 1.7, 3.0, 1e30, np.inf])
    np.testing.assert_array_equal(tanh32(far), tanh32(far[:1])[0])
    np.testing.assert_array_equal(tanh32(-far), -tanh32(far[:1])[0])


def test_approach32_keeps_its_relative_error_bounds():
    for high, bound in ((0.2, 3e-7), (1.0, 2e-6)):
        y = floats(1e-8, high)
        np.testing.assert_allclose(approach32(y), -np.expm1(-y), rtol=bound)


def test_approach32_has_an_absolute_error_below_2e_4_everywhere_and_never_exceeds_one():
    y = np.concatenate([floats(0.0, 15.0), np.geomspace(15, 1e30, 1000)])
    found = approach32(y)
    np.testing.assert_allclose(found, -np.expm1(-y), atol=2e-4)
    assert (found <= 1.0).all()
    assert approach32(np.array([0.0]))[0] == 0.0


def test_excess32_has_a_relative_error_below_7e_6_up_to_1_5():
    """Also where tanh(x) and x agree to all digits of float32: the difference is computed as such."""
    x = np.concatenate([floats(-1.5, -0.05), floats(0.05, 1.5), np.geomspace(1e-6, 0.05, 1000).astype(F).astype(float)])
    exact = np.where(np.abs(x) < 0.05, -(x**3) / 3 + 2 * x**5 / 15 - 17 * x**7 / 315, np.tanh(x) - x)
    np.testing.assert_allclose(excess32(x), exact, rtol=7e-6)


def test_excess32_is_odd_and_goes_on_in_proportion_beyond_1_5():
    x = floats(0.0, 1.5, 1001)
    np.testing.assert_array_equal(excess32(-x), -excess32(x))
    np.testing.assert_allclose(excess32(np.array([3.0, 15.0])), (np.tanh(1.5) - 1.5) * np.array([2.0, 10.0]), rtol=7e-6)


def test_marks_and_ones_find_and_count_the_marked_circuits():
    marks, ones, trailing_zeros = elementary.marks, elementary.ones, elementary.trailing_zeros

    @numba.njit
    def find(flags, k):
        word = marks(flags, k)
        return word, ones(word), trailing_zeros(word)

    flags = aligned(256, np.uint8)
    for marked in ([0], [63], [64, 65, 130, 255], list(range(0, 256, 3)), list(range(256))):
        flags[:] = 0
        flags[marked] = 1 + np.arange(len(marked)) % 255
        for k in range(4):
            mine = [c - 64 * k for c in marked if c // 64 == k]
            word, count, first = find(flags, k)
            assert (int(word), int(count)) == (sum(1 << c for c in mine), len(mine))
            assert not mine or int(first) == mine[0]


def test_select_takes_the_first_where_the_condition_holds():
    select = elementary.select

    @numba.njit
    def pick(c, a, b, out):
        for i in range(c.size):
            out[i] = select(c[i], a[i], b[i])
        return out

    c, a, b = np.array([True, False]), np.array([1.0, 2.0], F), np.array([np.nan, 4.0], F)
    np.testing.assert_array_equal(pick(c, a, b, np.empty(2, F)), [1.0, 4.0])


# Random numbers

N_STEPS, N_KEYS = 4096, 256


@pytest.fixture(scope="module")
def variates() -> np.ndarray:
    """Variates of (step, circuit), with keys and salts made as the engine makes them."""
    mix, scramble, normal = noise.mix, noise.scramble, noise.normal

    @numba.njit
    def draw(keys, first_tick, step_ticks, seed, out):
        for k in range(out.shape[0]):
            clock = np.uint64(first_tick + k * step_ticks) ^ np.uint64(seed)
            salt = mix(np.uint32(clock) ^ mix(np.uint32(clock >> np.uint64(32))))
            for c in range(out.shape[1]):
                out[k, c] = normal(scramble(keys[c], salt))
        return out

    keys = np.random.default_rng(1).integers(0, 2**32, N_KEYS, np.uint32)
    return draw(keys, 15_000_000_000, 250, 12345, np.empty((N_STEPS, N_KEYS), F)).astype(float)


def test_normal_has_mean_zero_and_variance_one(variates):
    """False-alarm rate 6e-5 each (four sigma)."""
    n = variates.size
    assert abs(variates.mean()) < 4 / np.sqrt(n)
    assert abs(variates.var() - 1) < 4 * np.sqrt(1.4 / n)  # the sum of two uniforms has kurtosis 2.4


def test_normal_is_triangular_and_bounded(variates):
    """False-alarm rate 6e-5 for each bin (four sigma), 20 bins."""
    edges = np.linspace(-np.sqrt(6), np.sqrt(6), 21)
    found = np.histogram(variates, edges)[0] / variates.size
    area = np.where(edges < 0, 0.5 * (1 + edges / np.sqrt(6)) ** 2, 1 - 0.5 * (1 - edges / np.sqrt(6)) ** 2)
    expected = np.diff(area)
    assert (np.abs(found - expected) < 4 * np.sqrt(expected / variates.size)).all()
    assert np.abs(variates).max() < 2.4496


@pytest.mark.parametrize(("steps", "circuits"), [(1, 0), (2, 0), (0, 1), (0, 2), (1, 1), (5, 0), (0, 16), (256, 0)])
def test_neighbouring_steps_and_circuits_are_not_correlated(variates, steps, circuits):
    """False-alarm rate 6e-5 each (four sigma)."""
    a = variates[: N_STEPS - steps, : N_KEYS - circuits]
    b = variates[steps:, circuits:]
    for f in (lambda x: x, lambda x: x**2 - 1):
        assert abs((f(a) * f(b)).mean()) < 4 * f(variates).var() / np.sqrt(a.size)


def test_no_pair_of_circuits_shares_its_noise(variates):
    """False-alarm rate 2e-4: 32,640 pairs at six sigma."""
    correlation = np.corrcoef(variates.T) - np.eye(N_KEYS)
    assert np.abs(correlation).max() < 6 / np.sqrt(N_STEPS)


@pytest.mark.parametrize("axis", [0, 1])
def test_sums_over_steps_and_over_circuits_scatter_like_independent_numbers(variates, axis):
    """False-alarm rate 6e-5 each (four sigma)."""
    sums = variates.sum(axis=axis) / np.sqrt(variates.shape[axis])
    assert abs(sums.var() - 1) < 4 * np.sqrt(2 / sums.size)
