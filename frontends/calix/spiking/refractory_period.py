"""Refractory periods: clocks and counters for wanted times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calix._types import magnitude
from dlens_vx_v3._container import config_of
from neckar.calibration.clocks import refractory_clocks
from neckar.errors import ConfigurationError

_NEURONS = 512


@dataclass
class Settings:
    """Clocks of the chip and counters of its neurons.

    Attributes
    ----------
    refractory_counters, reset_holdoff, input_clock : ndarray of int, shape (circuit,)
    fast_clock, slow_clock : int
        Scales of the clocks.
    """

    refractory_counters: NDArray[Any] | None = None
    reset_holdoff: NDArray[Any] | None = None
    input_clock: NDArray[Any] | None = None
    fast_clock: int = 0
    slow_clock: int = 0

    def apply_to_chip(self, chip: Any) -> None:
        """Write the settings to a ``lola.Chip``.

        Raises
        ------
        ConfigurationError
            If there are not settings for all neurons.
        """
        columns: dict[str, Any] = {
            "refractory_period_refractory_time": self.refractory_counters,
            "refractory_period_reset_holdoff": self.reset_holdoff,
            "refractory_period_input_clock": self.input_clock,
        }
        for name, codes in columns.items():
            if np.shape(codes) != (_NEURONS,):
                raise ConfigurationError(f"{name} has shape {np.shape(codes)}; a chip needs ({_NEURONS},). Give one value per neuron.")
        config_of(chip).apply({**columns, "backend_clock_scale_fast": self.fast_clock, "backend_clock_scale_slow": self.slow_clock})


def calculate_settings(tau_ref: Any, holdoff_time: Any = 0.0) -> Settings:
    """Return the settings for refractory periods and hold-off times.

    Parameters
    ----------
    tau_ref, holdoff_time : quantity
        One value, or one per neuron; bare numbers are seconds.

    Raises
    ------
    ConfigurationError
        If there are neither one nor 512 values.
    ParameterRangeError
        If a period is longer than the clocks can count.
    """
    times = []
    for name, value in (("tau_ref", tau_ref), ("holdoff_time", holdoff_time)):
        numbers = np.asarray(magnitude(value, "s"), np.float64)
        if numbers.shape not in ((), (1,), (_NEURONS,)):
            raise ConfigurationError(f"{name} has shape {numbers.shape}; allowed is one value or ({_NEURONS},). Give one value per neuron.")
        times.append(np.array(np.broadcast_to(numbers, _NEURONS)))
    clocks = refractory_clocks(*times)
    return Settings(clocks.counter, clocks.holdoff, clocks.input_clock, clocks.fast_scale, clocks.slow_scale)
