"""Observations from a calibration alone: codes and targets, no readings.

A calibration says at which codes a circuit does what was asked. Turned round, that is a measurement of the circuit: at these codes its leak potential reads
80, its membrane has 10 us, up to what a calibration leaves (:data:`neckar.facts.brainscales2.CALIBRATION_SPREAD`). Slopes of lines, currents, the reset's time
constant, the absolute strength of synapses and the MADC do not occur, so they stay at the population.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neckar.calibration.calibration import Calibration
from neckar.calibration.passport.model import EFFECTS, Codes, Model, Values
from neckar.calibration.passport.observations import DEFAULTS, MISSING, ROUNDING, Observation
from neckar.calibration.targets import PotentialTarget, SpikingTarget
from neckar.chip.coordinates import COLUMNS
from neckar.chip.transfer import kick_volts
from neckar.errors import UnsupportedFeatureError
from neckar.facts import AXES, registers
from neckar.facts import brainscales2 as facts

_N = AXES["circuit"]
_SPREAD = {name: fact.value for name, fact in facts.CALIBRATION_SPREAD.items()}
_LOW_HIGH_LSB = 1.5  # by which the two ends of the converter's range are missed, our estimate: the second search moves what the first has found


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
    found = [make.converter(target)]
    for field, quantity, name, wanted in (
        ("leak_v_leak", "e_leak", "leak", neurons.leak),
        ("reset_v_reset", "e_reset", "reset", neurons.reset),
        ("threshold_v_threshold", "v_threshold", "threshold", neurons.threshold),
    ):
        found.append(make.potential(field, quantity, wanted, _SPREAD[name]))
    if neurons.tau_mem_s is not None:
        found.append(make.logarithm("leak_i_bias", _membrane_time, np.log(neurons.tau_mem_s), _SPREAD["tau_mem"]))
    if isinstance(target, SpikingTarget):
        tau = np.log(np.asarray(target.neurons.tau_syn_s))
        for k, (kind, sign) in enumerate(_SIGN.items()):
            found.append(make.logarithm(f"{kind}_input_i_bias_tau", _synaptic_time(sign), tau[:, k], _SPREAD["tau_syn"]))
            found.append(make.reference(kind))
            if target.neurons.strength != "fixed":
                found.append(make.logarithm(f"{kind}_input_i_bias_gm", _strength(target, kind), 0.0, _SPREAD["synaptic_gm"]))
    return found


class _Maker:
    """Makes observations of one calibration."""

    def __init__(self, calibration: Calibration, codes: Codes) -> None:
        self._success, self._codes = calibration.success, codes

    def converter(self, target: SpikingTarget | PotentialTarget) -> Observation:
        """Readings of the calibrated converter at both ends of its range and, where the digital offsets count, in the middle."""
        low, high = target.cadc.dynamic_range
        line = facts.CAPMEM_VOLTAGE
        volts = np.array([line.slope.value * code + line.intercept.value for code in (low, (low + high) // 2, high)])
        first, last = target.cadc.read_range
        value = np.broadcast_to([first, (first + last) / 2, last], (_N, 3)).astype(np.float64)
        middle = facts.CADC_NOISE.value**2 + ROUNDING if target.cadc.calibrate_offsets else MISSING
        variance = np.broadcast_to([_LOW_HIGH_LSB**2, middle, _LOW_HIGH_LSB**2], (_N, 3))

        def predict(model: Model, codes: Codes) -> Values:
            return np.stack([model.on_calibrated_cadc(np.full(_N, v), codes) for v in volts], axis=1)

        return Observation("converter", self._codes, value, variance, predict, np.full((1, _N, 3), 1.0))

    def potential(self, field: str, quantity: str, wanted: ArrayLike, spread: float) -> Observation:
        """The reading of a potential."""

        def predict(model: Model, codes: Codes) -> Values:
            return model.on_calibrated_cadc(getattr(model.physics(codes), quantity), codes)[:, None]

        return self._observation(field, wanted, spread**2 + ROUNDING, predict)

    def logarithm(self, field: str, quantity: Callable[[Model, Codes], Values], wanted: ArrayLike, spread: float) -> Observation:
        """The logarithm of a quantity."""
        rounding = ROUNDING / np.maximum(np.asarray(self._codes[field], np.float64), 1.0) ** 2
        return self._observation(field, wanted, spread**2 + rounding, lambda model, codes: quantity(model, codes)[:, None])

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
        self, field: str, wanted: ArrayLike, variance: ArrayLike, predict: Callable[[Model, Codes], Values], codes: dict[str, Any] | None = None
    ) -> Observation:
        reached = np.broadcast_to(self._success.get(field, np.ones(_N, bool)), (_N,))
        value = np.broadcast_to(np.asarray(wanted, np.float64), (_N,)).copy()[:, None]
        spread = np.where(reached, np.broadcast_to(np.asarray(variance, np.float64), (_N,)), MISSING)[:, None]
        return Observation(field, codes or self._codes, value, spread, predict, np.zeros((1, _N, 1)))


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
