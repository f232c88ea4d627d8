"""What a calibration sets without search, the same for every method.

Names and codes are those of upstream's calibration (calix ``common/cadc_helpers.py`` and ``hagen/neuron_helpers.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.facts import AXES, CAPMEM_MAX, registers
from neckar.facts import brainscales2 as facts

_TABLE = registers("brainscales2")

CIRCUIT_FIELDS = tuple(name for name, row in _TABLE.items() if row.axes == ("circuit",) and not row.counter)
"""Every setting of a neuron circuit: a calibration of neurons states all of them."""

CONVERTER: Mapping[str, Any] = MappingProxyType(
    {
        "cadc_v_bias_ramp_buf": 400,
        "cadc_i_bias_comp": _TABLE["cadc_i_bias_comp"].default,
        "cadc_i_bias_vreset_buf": _TABLE["cadc_i_bias_vreset_buf"].default,
        "cadc_channel_offset": 0,
        "cadc_enable": True,
        "cadc_i_ramp_slope": int(facts.CADC_RAMP_SLOPE_CODE.value),
    }
)
"""The parallel converter before its search."""

DITHER = 5
"""Cells of equal value would disturb each other; they are spread by so many LSB to either side."""

RESET_BIAS = CAPMEM_MAX - 2 * DITHER
"""Middle of the spread biases of the reset: as fast as it gets."""

LEAK_FIELDS = ("leak_v_leak", "leak_i_bias", "leak_enable_division", "leak_enable_multiplication")
"""What searches of other quantities change of a leak for a while."""

FIRST_LEAK, FIRST_LEAK_BIAS = 700, 200
"""Leak, LSB, with which neurons begin that are to have inputs; their own is searched later."""

LONG_REFRACTORY: Mapping[str, Any] = MappingProxyType(
    {"backend_clock_scale_fast": 9, "backend_clock_scale_slow": 9, "refractory_period_refractory_time": 255}
)
"""Clocks and a period that hold neurons at reset for about a millisecond, so that it can be read."""

NEURONS: Mapping[str, Any] = MappingProxyType(
    {
        "membrane_capacitance_capacitance": facts.CAPACITANCE_CODE_MAX.value,
        "readout_enable_amplifier": True,
        "reset_enable_multiplication": True,
        "excitatory_input_i_shift_reference": round(facts.SYNAPTIC_SHIFT_NEUTRAL.value),
        "inhibitory_input_i_shift_reference": round(facts.SYNAPTIC_SHIFT_NEUTRAL.value),
        "neuron_v_bias_casc_n": 250,
        "neuron_i_bias_readout_amp": round(facts.READOUT_BIAS.value),
        "neuron_i_bias_leak_source_follower": 100,
        "neuron_i_bias_spike_comparator": 200,
        "neuron_i_bias_synin_drop": 300,
        "column_enable_excitatory": True,
        "column_enable_inhibitory": True,
        "cadc_connect_correlation": True,
        "cadc_connect_neuron": True,
        "backend_enable_clocks": True,
        "backend_clock_scale_adaptation_pulse": 0,
        "backend_clock_scale_post_pulse": 0,
    }
)
"""What all calibrations of neurons share; other settings of a circuit start from their defaults."""


def dithered(code: int, rng: np.random.Generator, n: int = AXES["circuit"]) -> NDArray[np.int64]:
    """Return a code for `n` cells, spread so that cells of equal value do not disturb each other."""
    return rng.integers(code - DITHER, code + DITHER + 1, n)


def whole_fields(codes: Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    """Return each value broadcast to the shape of its field, in its type."""
    return {name: np.broadcast_to(np.asarray(value), _TABLE[name].shape).astype(_TABLE[name].dtype) for name, value in codes.items()}
