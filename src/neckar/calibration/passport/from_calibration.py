"""Observations from a calibration alone: codes and targets, no readings.

A calibration says at which codes a circuit does what was asked. Turned round, that is a measurement of the circuit: at these codes its leak potential reads
80, its membrane has 10 us, up to what a calibration leaves (:data:`neckar.facts.brainscales2.CALIBRATION_SPREAD`). Slopes of lines, currents, the reset's time
constant, the absolute strength of synapses and the MADC do not occur, so they stay at the population.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neckar.calibration.calibration import Calibration
from neckar.calibration.passport.model import EFFECTS, Codes, Model, Values
from neckar.calibration.passport.observations import DEFAULTS, MISSING, ROUNDING, Observation
from neckar.calibration.settings import CONVERTER
from neckar.calibration.targets import PotentialTarget, SpikingTarget
from neckar.chip.cadc import channels_of
from neckar.chip.coordinates import COLUMNS
from neckar.chip.transfer import kick_volts
from neckar.errors import UnsupportedFeatureError
from neckar.facts import AXES, registers
from neckar.facts import brainscales2 as facts

_N = AXES["circuit"]
_CHANNELS = channels_of(np.arange(_N))
_SPREAD = {name: fact.value for name, fact in facts.CALIBRATION_SPREAD.items()}
_BIAS = {name: fact.value for name, fact in facts.CALIBRATION_BIAS.items()}
_PER_QUADRANT = _N // AXES["quadrant"]
_CHANNELS_PER_QUADRANT = AXES["cadc_channel"] * _PER_QUADRANT
_SAMPLING = facts.SPREAD["cadc_offset"].circuit
_MEDIAN = math.sqrt(math.pi / 2)  # standard error of a median over that of a mean
_STIMULUS_ROWS = 8  # of synapses, by which strengths are made equal (calix)


def calibration_observations(calibration: Calibration) -> list[Observation]:
    """Return what a calibration says about its chip.

    Parameters
    ----------
    calibration : Calibration
        Of a SpikingTarget or PotentialTarget. Elements that missed their target say nothing.

    Raises
    ------
    UnsupportedFeatureError
        If it is a calibration for matrix multiplication.
    """
    target = calibration.target
    if not isinstance(target, SpikingTarget | PotentialTarget):
        raise UnsupportedFeatureError(
            f"a twin was to be fitted to a calibration of a {type(target).__name__}; allowed are those for spiking and of potentials. "
            "Give one of these, or characterise the chip with neckar chip characterise."
        )
    neurons = target.neurons if isinstance(target, SpikingTarget) else target
    codes = {**DEFAULTS, **{name: array for name, array in calibration.fields.items() if name in DEFAULTS or name == "cadc_channel_offset"}}
    make = _Maker(calibration, codes)
    found = make.converter(target)
    for field, quantity, name, wanted in (
        ("leak_v_leak", "e_leak", "leak", neurons.leak),
        ("reset_v_reset", "e_reset", "reset", neurons.reset),
        ("threshold_v_threshold", "v_threshold", "threshold", neurons.threshold),
    ):
        found.append(make.potential(field, quantity, wanted, name))
    if neurons.tau_mem_s is not None:
        found.append(make.logarithm("leak_i_bias", _membrane_time, np.log(neurons.tau_mem_s), _SPREAD["tau_mem"], _BIAS["tau_mem"]))
    if isinstance(target, SpikingTarget):
        tau = np.log(np.asarray(target.neurons.tau_syn_s))
        for k, (kind, sign) in enumerate(_SIGN.items()):
            found.append(make.logarithm(f"{kind}_input_i_bias_tau", _synaptic_time(sign), tau[:, k], _SPREAD["tau_syn"], _BIAS["tau_syn"]))
            found.append(make.reference(kind))
            if target.neurons.strength != "fixed":
                found.append(make.logarithm(f"{kind}_input_i_bias_gm", _strength(target, kind), 0.0, _strength_error()))
    return found


class _Maker:
    """Makes observations of one calibration."""

    def __init__(self, calibration: Calibration, codes: Codes) -> None:
        self._success, self._codes = calibration.success, codes

    def converter(self, target: SpikingTarget | PotentialTarget) -> list[Observation]:
        """The searches of the converter, each at the codes that it had: mean readings of quadrants at both ends, of channels in the middle.

        A mean is that of all channels of a quadrant, which differs from a typical channel by what a mean of so many scatters. It is one number for all its
        circuits, so each of them gets it with the variance of all together.
        """
        (low, high), (first, last) = target.cadc.dynamic_range, target.cadc.read_range
        start = {**self._codes, "cadc_i_ramp_slope": np.broadcast_to(CONVERTER["cadc_i_ramp_slope"], AXES["quadrant"])}
        found = [
            self._quadrants("cadc_v_ramp_offset", low, first, start),
            self._quadrants("cadc_i_ramp_slope", high, last, self._codes),
        ]
        return [*found, self._channels((low + high) // 2)] if target.cadc.calibrate_offsets else found

    def _quadrants(self, field: str, code: int, wanted: float, codes: Codes) -> Observation:
        reached = np.repeat(self._success.get(field, np.ones(AXES["quadrant"], bool)), _PER_QUADRANT)
        variance = np.where(reached, _PER_QUADRANT * (_SAMPLING**2 / _CHANNELS_PER_QUADRANT + _code_rounding(field, wanted, codes)), MISSING)
        volts = facts.CAPMEM_VOLTAGE.slope.value * code + facts.CAPMEM_VOLTAGE.intercept.value

        def predict(model: Model, codes: Codes) -> Values:
            return model.on_typical_cadc(volts, codes)[:, None]

        return Observation(field, codes, np.full((_N, 1), float(wanted)), variance[:, None], predict, np.zeros((1, _N, 1)), write=field)

    def _channels(self, code: int) -> Observation:
        """All channels read the same in the middle: the median of what they read before, a whole number, near what a typical channel reads."""
        volts = facts.CAPMEM_VOLTAGE.slope.value * code + facts.CAPMEM_VOLTAGE.intercept.value
        median = math.hypot(_MEDIAN * _SAMPLING / math.sqrt(AXES["quadrant"] * _CHANNELS_PER_QUADRANT), math.sqrt(ROUNDING))

        def predict(model: Model, codes: Codes) -> Values:
            return (model.on_calibrated_cadc(np.full(_N, volts), codes) - model.on_typical_cadc(volts, codes).mean())[:, None]

        reached = self._success.get("cadc_channel_offset")
        found = self._observation("cadc_channel_offset", 0.0, facts.CADC_NOISE.value**2 + ROUNDING, predict, bias=median)
        return found if reached is None else replace(found, variance=np.where(reached.reshape(-1)[_CHANNELS, None], found.variance, MISSING))

    def potential(self, field: str, quantity: str, wanted: ArrayLike, name: str) -> Observation:
        """The reading of a potential."""

        def predict(model: Model, codes: Codes) -> Values:
            return model.on_calibrated_cadc(getattr(model.physics(codes), quantity), codes)[:, None]

        return self._observation(field, wanted, _SPREAD[name] ** 2 + ROUNDING, predict, bias=_BIAS[name])

    def logarithm(self, field: str, quantity: Callable[[Model, Codes], Values], wanted: ArrayLike, spread: float, bias: float = 0.0) -> Observation:
        """The logarithm of a quantity."""
        rounding = ROUNDING / np.maximum(np.asarray(self._codes[field], np.float64), 1.0) ** 2
        return self._observation(field, wanted, spread**2 + rounding, lambda model, codes: quantity(model, codes)[:, None], bias=bias)

    def reference(self, kind: str) -> Observation:
        """The current at rest of one input, in LSB of its reference."""
        other = {"excitatory": "inhibitory", "inhibitory": "excitatory"}[kind]
        sign, polarity = _SIGN[kind], 1 if kind == "excitatory" else -1
        switched = {**self._codes, f"{other}_input_enable": np.zeros(_N, bool), f"{kind}_input_enable_coba_mode": np.zeros(_N, bool)}

        def predict(model: Model, codes: Codes) -> Values:
            p = model.physics(codes)
            unit = polarity * facts.SYNAPTIC_SHIFT_SLOPE.value * np.maximum(getattr(p, f"gm_{sign}"), 1e-9)
            return np.asarray(p.i_syn_rest / unit)[:, None]

        return self._observation(f"{kind}_input_i_shift_reference", 0.0, _SPREAD["synaptic_shift"] ** 2 + ROUNDING, predict, switched)

    def _observation(
        self,
        field: str,
        wanted: ArrayLike,
        variance: ArrayLike,
        predict: Callable[[Model, Codes], Values],
        codes: dict[str, Any] | None = None,
        bias: float = 0.0,
    ) -> Observation:
        """Return an observation of each circuit; `bias` is the standard deviation of what all of them miss the target by alike."""
        reached = self._success.get(field, np.ones(_N, bool))
        value = np.broadcast_to(np.asarray(wanted, np.float64), (_N,)).copy()[:, None]
        spread = np.broadcast_to(np.asarray(variance, np.float64), (_N,))
        spread = (np.where(reached, spread, MISSING) if reached.shape == (_N,) else spread)[:, None]
        common = {field: np.full((_N, 1), bias)} if bias else {}
        return Observation(field, codes or self._codes, value, spread, predict, np.zeros((1, _N, 1)), common=common, write="calibrated")


def _code_rounding(field: str, wanted: float, codes: Codes) -> Values:
    """Return the variance that whole codes of a ramp leave in readings, LSB squared."""
    if field == "cadc_v_ramp_offset":
        return np.full(_N, (facts.CADC_RAMP_START.slope.value / facts.CADC_STEP.value) ** 2 * ROUNDING)
    return np.asarray((wanted / np.repeat(codes[field], _PER_QUADRANT)) ** 2 * ROUNDING)


def _strength_error() -> float:
    """Return by how much strengths differ that were made equal, of the logarithm: synapses that stood for all, capacitances that differ."""
    switched = facts.CAPACITANCE_INTRINSIC.value / (facts.CAPACITANCE_INTRINSIC.value + facts.CAPACITANCE_SWITCHED.value)
    synapses = facts.SPREAD["synapse"].circuit / math.sqrt(_STIMULUS_ROWS)
    return math.hypot(_SPREAD["synaptic_gm"], synapses, switched * facts.SPREAD["intrinsic_capacitance"].circuit)


def _membrane_time(model: Model, codes: Codes) -> Values:
    p = model.physics(codes)
    return np.log(p.capacitance / np.maximum(p.g_leak, 1e-12))


def _synaptic_time(sign: str) -> Callable[[Model, Codes], Values]:
    return lambda model, codes: np.log(getattr(model.physics(codes), f"tau_{sign}"))


def _strength(target: SpikingTarget, kind: str) -> Callable[[Model, Codes], Values]:
    """Return a circuit's strength over what it was made equal to: the median circuit's at the wanted bias, of excitation if inhibition is matched to it.

    The median circuit is taken for the mean of circuits without deviations of their own, which is right within 1 %, so that no circuit depends on another.
    """
    matched = target.neurons.strength == "matched"
    bias = np.ravel(target.neurons.i_synin_gm)
    defining = "excitatory" if matched else kind
    wanted = round(float(bias[0 if defining == "excitatory" else -1]))

    def quantity(model: Model, codes: Codes) -> Values:
        ones = {"synapse_weight": np.ones(registers("brainscales2")["synapse_weight"].shape, np.uint8), "syn_i_bias_dac": codes["syn_i_bias_dac"]}
        kick = np.concatenate([kick_volts(model.specimen, EFFECTS, ones, hemisphere, [0])[0] for hemisphere in range(_N // COLUMNS)])
        own = getattr(model.physics(codes), f"gm_{_SIGN[kind]}")
        sign = _SIGN[defining]
        at_bias = {**codes, f"{defining}_input_i_bias_gm": np.full(_N, wanted)}
        typical = getattr(model.physics(at_bias), f"gm_{sign}") / model.specimen.deviation(f"synaptic_gm_{sign}")
        return np.log(np.maximum(own * kick, 1e-15)) - np.log(np.maximum(typical * kick, 1e-15)).mean()

    return quantity


_SIGN = {"excitatory": "exc", "inhibitory": "inh"}
