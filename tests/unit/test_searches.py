"""The searches of a measuring calibration against closed forms: monotonic functions of a code, with and without noise."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.polynomial import Polynomial

from neckar.calibration.measure import Span, binary_search, linear_search, noisy_binary_search, predict
from neckar.errors import ParameterRangeError

N = 512
WHOLE = Span(0, 1022)
ZERO = np.random.default_rng(3).uniform(200, 800, N)
"""Code at which each element gives 0."""


class Line:
    """Elements that give the distance of their code to their zero, times a slope, plus noise; counts its measurements."""

    def __init__(self, slope: float = 1.0, noise: float = 0.0, zero: np.ndarray = ZERO) -> None:
        self.slope, self.noise, self.zero, self.asked = slope, noise, zero, []
        self._rng = np.random.default_rng(7)

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        self.asked.append(codes.copy())
        return self.slope * (codes - self.zero) + self.noise * self._rng.standard_normal(len(codes))


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def nearest(measure: Callable[[np.ndarray], np.ndarray], target: float, span: Span, n: int) -> np.ndarray:
    """Return the code whose result is nearest to the target, by trying all."""
    codes = np.arange(span.low, span.high + 1)
    results = np.stack([measure(np.full(n, code)) for code in codes])
    return codes[np.argmin(np.abs(results - target), axis=0)]


# ---- Bisection


@pytest.mark.parametrize("slope", [0.3, -2.0])
def test_a_binary_search_finds_the_nearest_code(slope):
    measure = Line(slope)
    found = binary_search(measure, 0.0, N, WHOLE, inverted=slope < 0)
    np.testing.assert_array_equal(found.codes, np.rint(ZERO))
    assert found.reached.all()


@pytest.mark.parametrize("span", [Span(0, 1), Span(3, 9), Span(-128, 127), Span(0, 99), Span(0, 255), WHOLE])
@pytest.mark.parametrize("inverted", [False, True])
def test_ranges_of_all_sizes_are_covered_to_their_ends(span, inverted):
    """One element per code, its target right there; ceil(log2(codes)) + 2 measurements [calix algorithms.py]."""
    wanted = np.arange(span.low, span.high + 1)
    measure = Line(-1.0 if inverted else 1.0, zero=wanted.astype(float))
    found = binary_search(measure, 0.0, len(wanted), span, inverted)
    np.testing.assert_array_equal(found.codes, wanted)
    assert found.reached.all()
    assert len(measure.asked) == math.ceil(math.log2(len(wanted))) + 2
    assert all(np.all((codes >= span.low) & (codes <= span.high)) for codes in measure.asked)


def test_a_curve_is_as_good_as_a_line():
    def measure(codes):
        return np.sqrt(codes + 50.0) + ZERO / 100

    found = binary_search(measure, 30.0, N, WHOLE)
    np.testing.assert_array_equal(found.codes, nearest(measure, 30.0, WHOLE, N))


def test_a_noisy_search_takes_13_measurements_from_starts_around_the_middle():
    """Starts differ by up to 5 codes to either side, all eleven occur (missing one of 11 in 512 draws: below 1e-20)."""
    measure = Line()
    found = noisy_binary_search(measure, 0.0, N, WHOLE, rng())
    np.testing.assert_array_equal(found.codes, np.rint(ZERO))
    assert len(measure.asked) == 13
    np.testing.assert_array_equal(np.unique(measure.asked[0]), np.arange(511 - 5, 511 + 6))


@pytest.mark.parametrize("inverted", [False, True])
def test_what_is_left_grows_with_the_noise(inverted):
    """The error of a search is that of its last measurements. Seeds are fixed; 512 errors give 4 % standard error, and threefold noise is to double them at
    least: with other seeds this would fail in fewer than one of a thousand runs.
    """
    left = []
    for noise in (2.0, 6.0, 18.0):
        found = noisy_binary_search(Line(-1.0 if inverted else 1.0, noise), 0.0, N, WHOLE, rng(), inverted)
        left.append(np.sqrt(np.mean((found.codes - ZERO) ** 2)))
    assert left[0] < left[1] / 2 < left[2] / 4
    assert left[0] < 2 * 2.0 + 1  # twice the noise, and whole codes


def test_targets_beyond_the_ends_are_marked_and_hold_the_nearest_code():
    zero = np.array([-300.0, -0.4, 500.0, 1022.4, 1300.0])
    for slope in (1.0, -1.0):
        for found in (
            binary_search(Line(slope, zero=zero), 0.0, 5, WHOLE, slope < 0),
            noisy_binary_search(Line(slope, zero=zero), 0.0, 5, WHOLE, rng(), slope < 0),
        ):
            np.testing.assert_array_equal(found.codes, [0, 0, 500, 1022, 1022])
            np.testing.assert_array_equal(found.reached, [False, False, True, False, False])


def test_elements_may_have_targets_of_their_own():
    wanted = np.linspace(-50, 50, N)
    np.testing.assert_array_equal(binary_search(Line(), wanted, N, WHOLE).codes, np.rint(ZERO + wanted))


@pytest.mark.parametrize("jitter", [0, 257])
def test_a_jitter_that_the_search_cannot_take_back_is_refused(jitter):
    with pytest.raises(ParameterRangeError, match="allowed is 1 to 256"):
        noisy_binary_search(Line(), 0.0, N, WHOLE, rng(), jitter=jitter)


def test_a_range_of_one_code_is_refused():
    with pytest.raises(ParameterRangeError, match="at least two codes"):
        binary_search(Line(), 0.0, N, Span(4, 4))


# ---- Linear


@pytest.mark.parametrize("slope", [1.5, -1.5])
def test_a_linear_search_walks_to_the_crossing(slope):
    """From 500, towards each zero; the farthest element decides on the number of measurements: both codes around its zero are measured."""
    zero = np.array([500.2, 503.7, 497.4, 520.1])
    measure = Line(slope, zero=zero)
    found = linear_search(measure, 0.0, np.full(4, 500), WHOLE, inverted=slope < 0)
    np.testing.assert_array_equal(found.codes, np.rint(zero))
    assert found.reached.all()
    assert len(measure.asked) == 22  # 500 to 521


def test_wider_steps_are_as_good_as_their_width():
    found = linear_search(Line(), 0.0, np.full(N, 500), WHOLE, step=7, most=60)
    assert np.abs(found.codes - ZERO).max() <= 3.5
    assert found.reached.all()


def test_a_linear_search_that_ends_too_early_is_marked():
    zero = np.array([505.0, 580.0, 1500.0])
    measure = Line(zero=zero)
    found = linear_search(measure, 0.0, np.array([500, 500, 1010]), WHOLE, most=30)
    assert len(measure.asked) == 30
    np.testing.assert_array_equal(found.codes, [505, 529, 1022])
    np.testing.assert_array_equal(found.reached, [True, False, False])


def test_a_walk_without_steps_is_refused():
    with pytest.raises(ParameterRangeError, match="at least 1 for both"):
        linear_search(Line(), 0.0, np.full(N, 500), WHOLE, step=0)


# ---- Prediction


def test_one_measurement_is_enough_for_a_known_slope():
    measure = Line()
    found = predict(measure, 0.0, np.full(N, 300), WHOLE)
    np.testing.assert_array_equal(found.codes, np.rint(ZERO))
    assert len(measure.asked) == 1


def test_predictions_beyond_the_ends_are_cut_and_marked():
    found = predict(Line(zero=np.array([-5.0, 0.0, 1022.0, 1030.0])), 0.0, np.full(4, 300), WHOLE)
    np.testing.assert_array_equal(found.codes, [0, 0, 1022, 1022])
    np.testing.assert_array_equal(found.reached, [False, True, True, False])


def test_a_model_of_a_characterisation_predicts_shifted_elements():
    """Elements follow one parabola, each shifted along the code; ten points of one element fix it."""

    def measure(codes):
        return (codes + 400.0 - ZERO) ** 2 / 1000

    points = np.linspace(500, 900, 10)
    model = Polynomial.fit((points - 300.0) ** 2 / 1000, points, 6)
    probe = np.rint(ZERO).astype(np.int64) - 100
    np.testing.assert_allclose(predict(measure, 160.0, probe, WHOLE, model).codes, np.rint(ZERO), atol=1)
