"""Searches of one's own with upstream's names; how they go about it is :mod:`neckar.calibration.measure`'s."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from calix.common import base
from calix.common.exceptions import ExcessiveNoiseError
from neckar.calibration.measure import Outcome, Span, binary_search, linear_search, noisy_binary_search, predict
from neckar.calibration.measure.stage import keyed_generator
from neckar.errors import ConfigurationError, ParameterRangeError

Codes = NDArray[np.int64]


class NoiseError(ParameterRangeError, ExcessiveNoiseError):
    """Too much noise for the range of a search."""


class StepTypeError(ConfigurationError, TypeError):
    """A step that is no whole number."""


class _Search(base.Algorithm):
    """Base: measurements of a calibration as the searches take them."""

    def run(self, connection: Any, target_result: Any) -> Codes:
        """Return the parameters nearest to the target and leave them set on the chip."""
        unit = getattr(target_result, "units", None)
        target = np.asarray(target_result if unit is None else target_result.magnitude, np.float64)

        def measure(codes: Codes) -> NDArray[np.float64]:
            builder = self.calibration.configure_parameters(base.WriteRecordingPlaybackProgramBuilder(), codes.copy())
            results = self.calibration.measure_results(connection, builder)
            if len(results) != self.calibration.n_instances:
                n = self.calibration.n_instances
                raise ConfigurationError(f"measure_results returned {len(results)} results; allowed is one for each of {n} instances.")
            return np.asarray(results if unit is None else results.rescale(unit).magnitude, np.float64)

        codes = self._search(measure, target).codes
        base.run(connection, self.calibration.configure_parameters(base.WriteRecordingPlaybackProgramBuilder(), codes.copy()))
        return codes

    @property
    def _span(self) -> Span:
        return Span(*map(int, self.calibration.parameter_range))

    @abstractmethod
    def _search(self, measure: Any, target: NDArray[np.float64]) -> Outcome: ...


class BinarySearch(_Search):
    """Half the range, a quarter, and so on, then both neighbours; the best of the last three."""

    def _search(self, measure: Any, target: NDArray[np.float64]) -> Outcome:
        return binary_search(measure, target, self.calibration.n_instances, self._span, self.calibration.inverted)


class NoisyBinarySearch(BinarySearch):
    """A binary search that starts from codes scattered around the middle, so that equal cells are rare.

    Parameters
    ----------
    noise_amplitude : int
        Largest deviation, at least 1.

    Raises
    ------
    ParameterRangeError
        If it is less.
    ExcessiveNoiseError
        By ``run``, if it is above a quarter of the range.
    """

    def __init__(self, noise_amplitude: int = 5) -> None:
        super().__init__()
        if noise_amplitude < 1:
            raise ParameterRangeError(f"noise_amplitude is {noise_amplitude}; allowed is at least 1. Use BinarySearch for a search without noise.")
        self.noise_amplitude = noise_amplitude

    def hook_to_calibration(self, calibration: base.Calib) -> None:
        """Take over what is searched, if there is room for the noise."""
        super().hook_to_calibration(calibration)
        low, high = self._span
        if self.noise_amplitude > -(-(high - low + 1) // 4):
            raise NoiseError(f"noise_amplitude is {self.noise_amplitude}; allowed is a quarter of the range from {low} to {high}. Choose less.")

    def _search(self, measure: Any, target: NDArray[np.float64]) -> Outcome:
        rng = keyed_generator(0, type(self.calibration).__name__)
        n, inverted = self.calibration.n_instances, self.calibration.inverted
        return noisy_binary_search(measure, target, n, self._span, rng, inverted, self.noise_amplitude)


class LinearSearch(_Search):
    """Equal steps from a guess until the target is crossed.

    Parameters
    ----------
    initial_parameters : int or ndarray, optional
        Default the middle of the range.
    step_size : int
        At least 1.
    max_steps : int

    Raises
    ------
    ParameterRangeError
        If the step is less.
    """

    def __init__(self, initial_parameters: Any = None, step_size: int = 1, max_steps: int = 50) -> None:
        super().__init__()
        if step_size < 1:
            raise ParameterRangeError(f"step_size is {step_size}; allowed is at least 1. Choose a positive whole number.")
        self.initial_parameters, self.step_size, self.max_steps = initial_parameters, step_size, max_steps

    def _search(self, measure: Any, target: NDArray[np.float64]) -> Outcome:
        if not isinstance(self.step_size, int | np.integer):
            raise StepTypeError(f"step_size is {self.step_size!r}; allowed is a whole number for all instances. Run again with another step.")
        start = int(np.mean(self._span)) if self.initial_parameters is None else self.initial_parameters
        starts = np.broadcast_to(np.asarray(start, np.int64), self.calibration.n_instances)
        return linear_search(measure, target, starts, self._span, inverted=self.calibration.inverted, step=int(self.step_size), most=self.max_steps)


class PredictiveModel(_Search):
    """Measure once, at `probe_parameters`, and set what a model predicts from that; derive from it and give ``_predict(probe_results, target_result)``."""

    def __init__(self, probe_parameters: Any) -> None:
        super().__init__()
        self.probe_parameters = probe_parameters

    def _search(self, measure: Any, target: NDArray[np.float64]) -> Outcome:
        probe = np.broadcast_to(np.asarray(self.probe_parameters, np.int64), self.calibration.n_instances)
        codes = np.asarray(self._predict(measure(probe), target))
        return Outcome(np.clip(codes, *self._span).astype(np.int64), np.ones(len(codes), bool))

    @abstractmethod
    def _predict(self, probe_results: NDArray[Any], target_result: Any) -> NDArray[Any]:
        """Return the parameters that are expected to give the target."""


class PolynomialPrediction(PredictiveModel):
    """A prediction by a polynomial of the result.

    Parameters
    ----------
    probe_parameters : int or ndarray
    polynomial : numpy.polynomial.Polynomial
    """

    def __init__(self, probe_parameters: Any, polynomial: Any) -> None:
        super().__init__(probe_parameters)
        self.polynomial = polynomial

    @classmethod
    def from_data(cls, parameters: NDArray[Any], results: NDArray[Any], degree: int) -> PolynomialPrediction:
        """Return the prediction fitted to a characterisation, with the median of its parameters as probe."""
        return cls(int(np.median(parameters)), Polynomial.fit(np.ravel(results), np.ravel(parameters), degree))

    def _predict(self, probe_results: NDArray[Any], target_result: Any) -> NDArray[Any]:
        n = len(probe_results)
        probe = np.broadcast_to(np.asarray(self.probe_parameters, np.int64), n)
        everything = Span(np.iinfo(np.int64).min, np.iinfo(np.int64).max)
        return predict(lambda codes: np.asarray(probe_results), target_result, probe, everything, self.polynomial).codes


class LinearPrediction(PolynomialPrediction):
    """A prediction by a line: parameter = offset + slope * result, shifted to what each instance shows at the probe."""

    def __init__(self, probe_parameters: Any, offset: float = 0, slope: float = 1) -> None:
        super().__init__(probe_parameters, Polynomial([offset, slope]))
