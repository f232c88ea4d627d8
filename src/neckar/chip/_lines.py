"""The transfer lines of one chip: its potentials as functions of codes, and the factors by which its circuits deviate from the population.

Both are drawn once per chip and kept. Numbers: :mod:`neckar.facts.brainscales2`; deviations: :mod:`neckar.chip.specimen`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen, deviations_of, mismatch_parameters
from neckar.facts import brainscales2 as facts
from neckar.facts._fact import Fact, Line

if TYPE_CHECKING:
    from neckar.chip.config import ChipConfig

Values = NDArray[np.float64]


def madc_to_volt(reading: ArrayLike) -> Values:
    """Return the potential in V of a MADC reading in LSB under the nominal conversion, which is that of the reference chip."""
    return facts.MADC_STEP.value * (np.asarray(reading, dtype=np.float64) - facts.MADC_ZERO.value)


def volt_to_madc(potential: ArrayLike) -> Values:
    """Return the nominal MADC reading in LSB, not rounded or clipped, of a potential in V."""
    return np.asarray(potential, dtype=np.float64) / facts.MADC_STEP.value + facts.MADC_ZERO.value


@dataclass(frozen=True)
class Potential:
    """The line from the code of a CapMem cell to a potential of each circuit: ``slope * code + intercept``.

    Attributes
    ----------
    slope : float
        V per LSB, one per chip; an array of shape (chip, 1) for the lines of several chips.
    intercept : ndarray, shape (circuit,) or (chip, circuit)
        V.
    """

    slope: Any
    intercept: Values

    def at(self, code: ArrayLike, circuits: Any = slice(None)) -> Values:
        """Return the potential in V of codes, one per circuit of `circuits`."""
        return self.slope * np.asarray(code, dtype=np.float64) + self.intercept[..., circuits]

    def code(self, potential: ArrayLike, circuits: Any = slice(None)) -> Values:
        """Return the code, not rounded or clipped, that gives a potential in V."""
        return (np.asarray(potential, dtype=np.float64) - self.intercept[..., circuits]) / self.slope


@dataclass(frozen=True)
class _Law:
    """Where the line of a potential comes from: `shift` moves it by MADC LSB, `code_shift` along the codes; the rest names rows of the mismatch table."""

    population: Line
    reference: Line
    slope: str
    pivot: Fact
    chip_offsets: tuple[str, ...]
    circuit_offset: str
    shift: float = 0.0
    code_shift: float = 0.0


_LEAK = _Law(facts.LEAK_LINE, facts.LEAK_LINE_REFERENCE, "chip_leak_slope", facts.LEAK_PIVOT, ("chip_follower_offset", "chip_leak_offset"), "leak_offset")
_LAWS = {
    "leak_v_leak": _LEAK,
    "exponential_v_exp": replace(_LEAK, circuit_offset="exponential_offset"),
    "adaptation_v_ref": replace(_LEAK, circuit_offset="adaptation_ref_offset", shift=facts.ADAPTATION_REFERENCE_SHIFT.value),
    "adaptation_v_leak": replace(_LEAK, circuit_offset="adaptation_leak_offset", code_shift=facts.ADAPTATION_LEAK_SHIFT.value),
    "excitatory_input_v_rev_coba": replace(_LEAK, circuit_offset="coba_offset_exc"),
    "inhibitory_input_v_rev_coba": replace(_LEAK, circuit_offset="coba_offset_inh"),
    "reset_v_reset": _Law(
        facts.RESET_LINE, facts.RESET_LINE_REFERENCE, "chip_reset_slope", facts.RESET_PIVOT, ("chip_follower_offset", "chip_reset_offset"), "reset_offset"
    ),
    "threshold_v_threshold": _Law(
        facts.THRESHOLD_LINE,
        facts.THRESHOLD_LINE_REFERENCE,
        "chip_threshold_slope",
        facts.THRESHOLD_PIVOT,
        ("chip_threshold_offset",),
        "threshold_offset",
    ),
}


def potentials(specimen: Specimen, effects: Effects) -> Mapping[str, Potential]:
    """Return the lines of all potentials of a chip, by register field.

    Keys are ``leak_v_leak``, ``reset_v_reset``, ``threshold_v_threshold``, ``exponential_v_exp`` (at i_bias 300), ``adaptation_v_ref`` and
    ``adaptation_v_leak`` (the membrane potential without sub-threshold adaptation), ``excitatory_input_v_rev_coba`` and ``inhibitory_input_v_rev_coba`` (the
    membrane potential at which a conductance-based input is as strong as a current-based one). The reset is not yet clipped at 0 V.
    Mismatch off removes all deviations of chip and circuits; the reference chip keeps its own lines.
    """
    return _potentials(specimen, effects)


@lru_cache(maxsize=64)
def _potentials(specimen: Specimen, effects: Effects) -> Mapping[str, Potential]:
    lines = potentials_of([specimen], effects)
    return MappingProxyType({field: Potential(float(line.slope[0, 0]), _read_only(line.intercept[0])) for field, line in lines.items()})


def potentials_of(
    specimens: Sequence[Specimen], effects: Effects, pieces: NDArray[np.int64] | None = None, idle: Collection[str] = ()
) -> dict[str, Potential]:
    """Return the lines of several chips: those of :func:`potentials`, slopes of shape (chip, 1), intercepts of shape (chip, circuit).

    With `pieces`, only these pieces of circuits have offsets of their own. Offsets among the `idle` deviations are left out.
    """
    names = {name for law in _LAWS.values() for name in (law.slope, *law.chip_offsets, law.circuit_offset)}
    deviation = {name: _beside_circuits(values) for name, values in _deviations(specimens, sorted(names), effects.mismatch, pieces, idle).items()}
    return {field: _potential(specimens, field, law, deviation, effects.drift) for field, law in _LAWS.items()}


def _potential(specimens: Sequence[Specimen], field: str, law: _Law, deviation: Mapping[str, Values], drift: bool) -> Potential:
    lines = [law.reference if specimen.is_reference else law.population for specimen in specimens]
    tilt = deviation[law.slope]
    offset = sum((deviation[name] for name in law.chip_offsets), law.shift) + deviation[law.circuit_offset]
    slope = _column([line.slope.value for line in lines]) + tilt
    zero = _column([line.at(law.code_shift) for line in lines]) + tilt * (law.code_shift - law.pivot.value)  # nominal reading at code 0
    intercept = madc_to_volt(zero + offset)
    for k, specimen in enumerate(specimens):
        if drift and specimen.age_h > 0:
            intercept[k] += specimen.drift(field)
    return Potential(facts.MADC_STEP.value * slope, intercept)


def circuit_factors(specimen: Specimen, effects: Effects) -> Mapping[str, Values]:
    """Return, for every quantity that is not a potential, the deviation of each circuit from the population: chip and circuit level combined, and drift."""
    return _circuit_factors(specimen, effects)


@lru_cache(maxsize=64)
def _circuit_factors(specimen: Specimen, effects: Effects) -> Mapping[str, Values]:
    return MappingProxyType({name: _read_only(values[0]) for name, values in circuit_factors_of([specimen], effects).items()})


def circuit_factors_of(
    specimens: Sequence[Specimen], effects: Effects, pieces: NDArray[np.int64] | None = None, idle: Collection[str] = ()
) -> dict[str, Values]:
    """Return the factors of several chips: those of :func:`circuit_factors`, shape (chip, circuit).

    With `pieces`, only these pieces of circuits have factors of their own, but for the synaptic time constants. The `idle` deviations are left out.
    """
    known = mismatch_parameters()
    of_chip = {name: next((key for key in (f"chip_{name}", f"chip_{name.rpartition('_')[0]}") if key in known), None) for name in _QUANTITIES}
    names = [*(name for name in _QUANTITIES if name not in _EVERYWHERE), *sorted({name for name in of_chip.values() if name is not None})]
    at_rest = {*idle, *(chip for chip in of_chip.values() if chip and all(name in idle for name in _QUANTITIES if of_chip[name] == chip))}
    drawn = {**_deviations(specimens, names, effects.mismatch, pieces, at_rest), **_deviations(specimens, _EVERYWHERE, effects.mismatch)}
    deviation = {name: _beside_circuits(values) for name, values in drawn.items()}
    combined = {name: deviation[name] if chip is None else deviation[name] * deviation[chip] for name, chip in of_chip.items()}
    for k, specimen in enumerate(specimens):
        if specimen.is_reference:
            combined["leak_time"][k] *= facts.LEAK_TIME_REFERENCE.value / facts.LEAK_TIME.value
            for name in ("synaptic_gm_exc", "synaptic_gm_inh"):
                combined[name][k] *= facts.SYNAPTIC_GM_REFERENCE.value / facts.SYNAPTIC_GM.value
        if effects.drift and specimen.age_h > 0:
            longer = 1 + facts.TEMPERATURE_TIME.value * specimen.warming()
            for name in _TIMES:
                combined[name][k] *= longer
    return combined


_QUANTITIES = (
    *("intrinsic_capacitance", "leak_time", "reset_time", "offset_current", "adaptation_time", "adaptation_jump", "adaptation_conductance"),
    *(f"synaptic_{quantity}_{sign}" for quantity in ("time", "gm", "shift") for sign in ("exc", "inh")),
    *("coba_slope_exc", "coba_slope_inh", "compartment_time", "inhibition_floor"),
)

_EVERYWHERE = ("synaptic_time_exc", "synaptic_time_inh")

_TIMES = tuple(name for name in _QUANTITIES if "time" in name.split("_"))


_PARTS = {
    "constant_current_enable": ("offset_current",),
    "exponential_enable": ("exponential_offset",),
    "adaptation_enable": (*(f"adaptation_{name}" for name in ("time", "jump", "conductance", "ref_offset", "leak_offset")),),
    "multicompartment_enable_conductance": ("compartment_time",),
    "excitatory_input_enable": ("synaptic_gm_exc", "synaptic_shift_exc"),
    "inhibitory_input_enable": ("synaptic_gm_inh", "synaptic_shift_inh"),
    "excitatory_input_enable_coba_mode": ("coba_slope_exc", "coba_offset_exc"),
    "inhibitory_input_enable_coba_mode": ("coba_slope_inh", "coba_offset_inh"),
}
"""The switch of each part that a circuit may do without, and the deviations that its membrane feels through this part alone."""


def idle_deviations(config: ChipConfig) -> frozenset[str]:
    """Return the deviations that no membrane feels under a configuration, because all circuits have switched their part off."""
    return frozenset(name for switch, names in _PARTS.items() if not np.any(config[switch]) for name in names)


def _deviations(
    specimens: Sequence[Specimen], names: Sequence[str], mismatch: bool, pieces: NDArray[np.int64] | None = None, idle: Collection[str] = ()
) -> dict[str, Values]:
    """Return deviations, the chips' axis first; those that are idle, or all without mismatch, are none (0, or factor 1)."""
    drawn = [name for name in names if mismatch and name not in idle]
    none = {name: mismatch_parameters()[name] for name in names if name not in drawn}
    absent = {name: np.full((len(specimens), *parameter.shape), 1.0 if parameter.is_factor else 0.0) for name, parameter in none.items()}
    return {**deviations_of(specimens, drawn, pieces), **absent}


def _beside_circuits(values: Values) -> Values:
    """Return values of chips, shape (chip,), as a column that fits those of their circuits; these as they are."""
    return values.reshape(len(values), -1)


def _column(of_chips: Sequence[float]) -> Values:
    return np.array(of_chips)[:, np.newaxis]


def _read_only(array: Values) -> Values:
    array.flags.writeable = False
    return array
