"""From codes to physics: the only place where registers of BrainScaleS-2 become volts, amperes and seconds.

Potentials follow straight lines of their CapMem code, conductances and currents are proportional to theirs, time constants inverse. Each chip has its own
lines, each circuit its own offsets and factors (:mod:`neckar.chip.specimen`); the numbers are in :mod:`neckar.facts.brainscales2`.

Laws::

    C      = C_i + 2.1 pF code/63
    E, V_R, V_th, w_0, V_a, V_T = slope code + offset;   V_R >= 0;   V_T rises by delta_T ln(300 / i_exp)
    g_l    = 2.3 pF i / K           x 8, / 8, / 2 with multiplication, division, degeneration; proportional down to 1 LSB, 0 at 0
    g_r    = 2.3 pF i / K_r         likewise, but never faster than a time constant of 0.25 us with the capacitance of the circuit's membrane
    g_icc  = 3 nS i                 x 4, / 4 with multiplication, division: conductance between membrane and somatic line
    I      = k i (1 + c i^2)        constant current
    tau_s  = 320 us / i             x 8 with high resistance, x 0.3 with small capacitance; 0.3 us to 10 ms
    gm     = 6.32 uS i / 500 (reference chip 5.86);  line step per event = 0.14 mV weight i_dac / 600, 11 % more with small capacitance
    charge per weight unit = gm step tau_s (8.2 fC at 10 us on the reference chip)
    I_rest = gm_e x_e - gm_i x_i,  x = 0.07 mV (310 - i_shift + d): a higher excitatory shift lowers the membrane, a higher inhibitory one raises it
    gm     = gm max(1 +- 6/V (E_ref - V) i_coba / i_gm, 0)   in conductance-based mode (+ excitatory, - inhibitory), E_ref on the leak's line of v_rev_coba
    tau_w  = 10 ms / i_tau;  dw/dv = 7.9 i_a / i_tau;  jump = 0.38 mV i_b per us of the pulse, at most the supply

In conductance-based mode the cell ``v_rev_coba`` holds the *reference* potential, at which the input is as strong as in current-based mode; the reversal
potential lies ``i_gm / (6/V i_coba)`` above (inhibition: below) it. That is how upstream's calibration uses the two cells (calix ``neuron_synin_coba.py``).

Circuits are described each by itself; which of them share membranes is said by :mod:`neckar.chip.compartments`.

Not modelled: saturation of the amplifier of the conductance-based mode and of conductances between compartments; what the biases of followers and
comparators do beyond on and off; temperature. What a CapMem cell holds beside its code is added before (:mod:`neckar.chip.capmem`): codes may be real
numbers here.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.chip._lines import Potential, circuit_factors, circuit_factors_of, idle_deviations, madc_to_volt, potentials, potentials_of, volt_to_madc
from neckar.chip.compartments import Wiring, any_compartments, refuse_walls
from neckar.chip.config import ChipConfig
from neckar.chip.coordinates import BUSES_PER_HEMISPHERE, COLUMNS_PER_BACKEND, ROWS_PER_DRIVER, backend_of, padi_bus_at, quadrant_of
from neckar.chip.effects import Effects
from neckar.chip.specimen import PIECE, Specimen, deviations_of, pieces_of
from neckar.dynamics._parameters import CircuitParameters
from neckar.errors import UnsupportedFeatureError
from neckar.facts import AXES, CAPMEM_REFRESH_DISABLED, registers
from neckar.facts import brainscales2 as facts

__all__ = [
    "Config",
    "MadcTransfer",
    "Potential",
    "idle_deviations",
    "kick_volts",
    "madc_to_volt",
    "physical",
    "physical_of",
    "potentials",
    "refuse_unsupported",
    "volt_to_madc",
]

Values = NDArray[np.float64]
Config = ChipConfig | Mapping[str, NDArray[Any]]

_TABLE = registers("brainscales2")
_CHECKED = {name: row for name, row in _TABLE.items() if row.kind.startswith("capmem") and not row.passive}
"""Fields of circuits and quadrants of which some codes have no model."""

_DEFAULTS: Mapping[str, NDArray[Any]] = {}
_MIDDLE = 2 ** (facts.MADC_BITS.value - 1)
"""Reading of the MADC at which the pre-amplifier's gain has no effect, the middle of its range."""

_NO_REFRESH = f", which stops the refresh of the cell; what it then drifts to has no model. Use a code from 0 to {CAPMEM_REFRESH_DISABLED - 1}."


class _Codes:
    """The registers of some circuits of a configuration, as numbers, shape (circuit,); (chip, circuit) of cells that hold something else on each chip."""

    def __init__(self, config: Config, circuits: ArrayLike | None) -> None:
        self._config = config
        self.circuits = np.arange(AXES["circuit"]) if circuits is None else np.asarray(circuits, dtype=np.int64)
        self._index: Any = slice(None) if circuits is None else self.circuits
        self._backend = backend_of(self.circuits)

    def raw(self, name: str) -> NDArray[Any]:
        """Return a field of the circuits as it is stored; a field that a mapping lacks has its default."""
        return _field(self._config, name)[..., self._index]

    def on(self, name: str) -> NDArray[np.bool_]:
        """Return a switch."""
        return self.raw(name).astype(np.bool_)

    def lsb(self, name: str) -> Values:
        """Return the code of a field."""
        return self.raw(name).astype(np.float64)

    def column(self, name: str) -> NDArray[np.bool_]:
        """Return a switch of the circuits' synapse columns."""
        return _field(self._config, name).reshape(-1)[self._index].astype(np.bool_)

    def backend(self, name: str) -> NDArray[Any]:
        """Return a field of the circuits' backends."""
        return _field(self._config, name)[..., self._backend]

    def quadrant(self, name: str) -> NDArray[Any]:
        """Return a field of the circuits' quadrants."""
        return _field(self._config, name)[..., quadrant_of(self.circuits)]


def refuse_unsupported(config: Config, circuits: ArrayLike | None = None, where: str = "") -> None:
    """Refuse what has no model: a CapMem cell without refresh, a switch that leads nowhere.

    Parameters
    ----------
    config : ChipConfig or mapping of register arrays
        Whole fields; those that a mapping lacks are not checked.
    circuits : array_like of int, optional
        The circuits wanted, as in :func:`physical`; fields of quadrants are checked as a whole.
    where : str
        Start of the error's text.

    Raises
    ------
    UnsupportedFeatureError
        Names field, place and remedy.
    ConfigurationError
        If a switch would connect the halves of the chip; likewise.
    """
    refuse_walls(config, circuits, where)
    for name, register in _CHECKED.items():
        if name not in config:
            continue
        codes = np.asarray(config[name])
        bad = codes == CAPMEM_REFRESH_DISABLED
        if not bad.any():
            continue
        places = np.flatnonzero(bad)
        if circuits is not None and register.axes == ("circuit",):
            places = np.intersect1d(places, circuits)
        if len(places):
            raise UnsupportedFeatureError(f"{where}{name} of {register.axes[0]} {places[0]} is {int(codes[places[0]])}{_NO_REFRESH}")


def _field(config: Config, name: str) -> NDArray[Any]:
    return np.asarray(config[name] if name in config else _TABLE[name].default_array())


def physical(specimen: Specimen, effects: Effects, config: Config, circuits: ArrayLike | None = None) -> CircuitParameters:
    """Return what a configuration means on a chip.

    Parameters
    ----------
    specimen : Specimen
        The chip.
    effects : Effects
        Which imperfections act: here mismatch (without it the population's lines, or the reference chip's, for every circuit), noise, saturation and drift.
    config : ChipConfig or mapping of register arrays
        Whole fields; a field that a mapping lacks has its default.
    circuits : array_like of int, optional
        The circuits wanted, 0..511, in this order. All by default.

    Returns
    -------
    CircuitParameters
        SI units, one value per circuit. A circuit whose input column is switched off has no transconductance for events but keeps its current at rest.

    Raises
    ------
    UnsupportedFeatureError
        If a circuit uses something without a model, or a CapMem cell has its refresh disabled; names field, circuit and remedy.

    Notes
    -----
    About 0.5 ms for 512 circuits; the first call for a chip draws its deviations (5 ms).
    """
    refuse_unsupported(getattr(config, "codes", config), circuits)
    index = np.arange(AXES["circuit"]) if circuits is None else np.asarray(circuits, dtype=np.int64)
    values = _physical(_Codes(config, circuits), circuit_factors(specimen, effects), potentials(specimen, effects), effects, config)
    return _parameters({name: np.broadcast_to(value, index.shape) for name, value in values.items()}, effects)


def physical_of(
    specimens: Sequence[Specimen], effects: Effects, config: Config, pieces: NDArray[np.int64] | None = None, idle: Collection[str] = ()
) -> CircuitParameters:
    """Return what a configuration that :func:`physical` accepts means on several chips: its bits, for all circuits of one chip after the other.

    Parameters
    ----------
    specimens : sequence of Specimen
    effects : Effects
    config : mapping of register arrays
        What cells hold may have the chips' axis before its own.
    pieces : ndarray of int64, optional
        Pieces of :data:`neckar.chip.specimen.PIECE` circuits that the caller is interested in. Others may lack their mismatch, but not that of their synaptic
        time constants, on which the engine's :func:`neckar.dynamics.reference_tau` may depend.
    idle : collection of str
        Deviations that the caller can do without.
    """
    if len(set(specimens)) == 1:  # one chip many times: its draws are kept
        drawn = circuit_factors(specimens[0], effects), potentials(specimens[0], effects)
    else:
        drawn = circuit_factors_of(specimens, effects, pieces, idle), potentials_of(specimens, effects, pieces, idle)
    values = _physical(_Codes(config, None), *drawn, effects, config)
    shape = len(specimens), AXES["circuit"]
    return _parameters({name: np.broadcast_to(value, shape).reshape(-1) for name, value in values.items()}, effects)


def _physical(
    codes: _Codes, every_factor: Mapping[str, Values], lines: Mapping[str, Potential], effects: Effects, config: Config
) -> dict[str, NDArray[Any]]:
    """Return the parameters that circuits differ in; `every_factor` is of all circuits."""
    factors = {name: values[..., codes.circuits] for name, values in every_factor.items()}
    capacitance = _capacitance(codes, factors)
    return {
        "capacitance": capacitance,
        **_leak_and_reset(codes, factors, lines, _on_membrane(codes, every_factor, config, capacitance)),
        **_firing(codes, lines),
        **_constant_current(codes, factors),
        **_synaptic_inputs(codes, factors, lines),
        **_exponential(codes, lines),
        **_adaptation(codes, factors, lines),
        "noise": np.array(facts.MEMBRANE_NOISE.value if effects.noise else 0.0),
        "v_floor": np.maximum(facts.INHIBITION_FLOOR.value + facts.MADC_STEP.value * factors["inhibition_floor"], 0.0),
    }


def _parameters(values: dict[str, Any], effects: Effects) -> CircuitParameters:
    """Return parameters from those that circuits differ in and those that all share."""
    shared: dict[str, Any] = {"v_sat": facts.OTA_SATURATION.value, "v_width": facts.INHIBITION_WIDTH.value, "v_supply": facts.SUPPLY.value}
    return CircuitParameters(**values, **shared, saturating=effects.saturation)


def _capacitance(codes: _Codes, factors: Mapping[str, Values]) -> Values:
    switched = facts.CAPACITANCE_SWITCHED.value * codes.lsb("membrane_capacitance_capacitance") / facts.CAPACITANCE_CODE_MAX.value
    return facts.CAPACITANCE_INTRINSIC.value * factors["intrinsic_capacitance"] + switched


def _on_membrane(codes: _Codes, every_factor: Mapping[str, Values], config: Config, capacitance: Values) -> Values:
    """Return the capacitance of each circuit's membrane, which it may share with others; `capacitance` is that of the circuits alone."""
    if not any_compartments(config):
        return capacitance
    return Wiring.of(config).total(_capacitance(_Codes(config, None), every_factor))[..., codes.circuits]


def compartment_siemens(specimen: Specimen, effects: Effects, config: Config) -> Values:
    """Return the conductance between membrane and somatic line of each circuit, S, whether it is switched on or not; parameters as in :func:`physical`."""
    codes = _Codes(config, None)
    bias = codes.lsb("multicompartment_i_bias_nmda")
    bias *= np.where(codes.on("multicompartment_enable_conductance_multiplication"), facts.COMPARTMENT_MULTIPLICATION.value, 1.0)
    bias /= np.where(codes.on("multicompartment_enable_conductance_division"), facts.COMPARTMENT_DIVISION.value, 1.0)
    return facts.COMPARTMENT_CONDUCTANCE.value * bias / circuit_factors(specimen, effects)["compartment_time"]


def _leak_and_reset(codes: _Codes, factors: Mapping[str, Values], lines: Mapping[str, Potential], capacitance: Values) -> dict[str, Any]:
    """Return conductances and potentials of the amplifier in both modes."""
    bias = {}
    for mode in ("leak", "reset"):
        code = codes.lsb(f"{mode}_i_bias")
        code *= np.where(codes.on(f"{mode}_enable_multiplication"), facts.OTA_MULTIPLICATION.value, 1.0)
        code /= np.where(codes.on(f"{mode}_enable_division"), facts.OTA_DIVISION.value, 1.0)
        code /= np.where(codes.on(f"{mode}_enable_degeneration"), facts.OTA_DEGENERATION.value, 1.0)
        bias[mode] = facts.CAPACITANCE_FULL.value * code
    return {
        "g_leak": bias["leak"] / (facts.LEAK_TIME.value * factors["leak_time"]),
        "e_leak": lines["leak_v_leak"].at(codes.lsb("leak_v_leak"), codes.circuits),
        "g_reset": np.minimum(bias["reset"] / (facts.RESET_TIME.value * factors["reset_time"]), capacitance / facts.RESET_TIME_MIN.value),
        "e_reset": np.maximum(lines["reset_v_reset"].at(codes.lsb("reset_v_reset"), codes.circuits), 0.0),
    }


def _firing(codes: _Codes, lines: Mapping[str, Potential]) -> dict[str, Any]:
    """Return threshold and refractory period.

    The refractory counter runs on one of the backend's two clocks and ends at 255. The reset ends some cycles, the hold-off, before. A counter that starts
    within the hold-off has passed that moment: it wraps, and the reset ends one round later. Without clocks it never ends.
    A neuron whose fire pulse is off, or whose comparator has no bias, cannot fire.
    """
    fires = codes.on("threshold_enable") & (codes.raw("event_routing_analog_output") > 0) & (codes.quadrant("neuron_i_bias_spike_comparator") > 0)
    threshold = lines["threshold_v_threshold"].at(codes.lsb("threshold_v_threshold"), codes.circuits)
    cycle = _refractory_cycle(codes)
    cycles = codes.lsb("refractory_period_refractory_time")
    holdoff = np.maximum(2 * (facts.HOLDOFF_CODE_MAX.value - codes.lsb("refractory_period_reset_holdoff")) + 1, 1)
    wraps = cycles <= holdoff
    t_reset = cycle * (cycles - holdoff + np.where(wraps, facts.REFRACTORY_COUNTER.value, 0))
    return {
        "v_threshold": np.where(fires, threshold, np.inf),
        "t_reset": np.where(codes.backend("backend_enable_clocks"), t_reset, facts.NEVER.value),
        "t_holdoff": cycle * holdoff,
        "pause": codes.on("refractory_period_enable_pause"),
    }


def relay_dead_time(config: Config) -> Values:
    """Return for how long a circuit that fires past its membrane ignores events after a spike, s, shape (circuit,).

    That is as long as the refractory counter runs, at least one cycle. Whether the reset ends in that time matters to membranes only.
    """
    codes = _Codes(config, None)
    cycles = np.maximum(codes.lsb("refractory_period_refractory_time"), 1)
    return np.where(codes.backend("backend_enable_clocks"), _refractory_cycle(codes) * cycles, facts.NEVER.value)


def _refractory_cycle(codes: _Codes) -> Values:
    """Return the period in s of the clock that each refractory counter runs on."""
    fast = codes.raw("refractory_period_input_clock") == _TABLE["refractory_period_input_clock"].high
    return _clock_period(np.where(fast, codes.backend("backend_clock_scale_fast"), codes.backend("backend_clock_scale_slow")))


def _clock_period(scale: NDArray[Any]) -> Values:
    """Return the period in s of a backend clock with a scale of 0 to 15."""
    return 2.0 ** (scale.astype(np.float64) + 1) / facts.BACKEND_CLOCK.value


def _constant_current(codes: _Codes, factors: Mapping[str, Values]) -> dict[str, Any]:
    code = codes.lsb("constant_current_i_offset") * codes.on("constant_current_enable")
    current = facts.OFFSET_CURRENT.value * code * (1 + facts.OFFSET_CURRENT_CUBIC.value * code**2) * factors["offset_current"]
    is_sink = codes.on("constant_current_type")
    return {"i_source": np.where(is_sink, 0.0, current), "i_sink": np.where(is_sink, current, 0.0)}


def _synaptic_inputs(codes: _Codes, factors: Mapping[str, Values], lines: Mapping[str, Potential]) -> dict[str, Any]:
    """Return time constants, transconductances, their dependence on the membrane and the currents at rest of both inputs.

    The followers between line and amplifier pass nothing on without a bias.
    """
    follows_line = codes.quadrant("neuron_i_bias_synin_drop") > 0
    values: dict[str, Values] = {"i_syn_rest": np.zeros(len(codes.circuits))}
    for kind, sign, polarity, gain in (("excitatory", "exc", 1, 1.0), ("inhibitory", "inh", -1, facts.SYNAPTIC_INHIBITORY_GAIN.value)):
        bias = codes.lsb(f"{kind}_input_i_bias_tau")
        tau = _ratio(facts.SYNAPTIC_TIME.value * factors[f"synaptic_time_{sign}"], bias, np.inf)
        tau *= np.where(codes.on(f"{kind}_input_enable_high_resistance"), facts.SYNAPTIC_HIGH_RESISTANCE.value, 1.0)
        small = codes.on(f"{kind}_input_enable_small_capacitance")
        tau *= np.where(small, facts.SYNAPTIC_SMALL_CAPACITANCE.value, 1.0)
        values[f"tau_{sign}"] = np.clip(tau, facts.SYNAPTIC_TIME_MIN.value, facts.SYNAPTIC_TIME_MAX.value)

        code = codes.lsb(f"{kind}_input_i_bias_gm") * codes.on(f"{kind}_input_enable")
        gm = gain * facts.SYNAPTIC_GM.value / facts.SYNAPTIC_GM_BIAS.value * code * factors[f"synaptic_gm_{sign}"]
        shift = facts.SYNAPTIC_SHIFT_NEUTRAL.value - codes.lsb(f"{kind}_input_i_shift_reference") + factors[f"synaptic_shift_{sign}"]
        at_rest = polarity * gm * facts.SYNAPTIC_SHIFT_SLOPE.value * shift
        values[f"gm_{sign}"] = gm * codes.column(f"column_enable_{kind}") * follows_line * np.where(small, facts.SYNAPTIC_SMALL_STEP.value, 1.0)

        modulation = codes.lsb(f"{kind}_input_i_bias_coba") * codes.on(f"{kind}_input_enable_coba_mode") * factors[f"coba_slope_{sign}"]
        slope = _ratio(facts.COBA_SLOPE.value * modulation, code, 0.0)
        follows = slope > 0
        values[f"coba_{sign}"] = polarity * slope
        values[f"e_coba_{sign}"] = lines[f"{kind}_input_v_rev_coba"].at(codes.lsb(f"{kind}_input_v_rev_coba"), codes.circuits)
        values[f"i_coba_{sign}"] = np.where(follows, at_rest, 0.0)
        values["i_syn_rest"] = values["i_syn_rest"] + np.where(follows, 0.0, at_rest)
    return values


def _ratio(above: Values, below: Values, otherwise: float) -> Values:
    """Return ``above / below``, where that is not positive something else."""
    return np.divide(above, below, out=np.full(np.broadcast_shapes(above.shape, below.shape), otherwise), where=below > 0)


def _exponential(codes: _Codes, lines: Mapping[str, Potential]) -> dict[str, Any]:
    bias = codes.lsb("exponential_i_bias")
    onset = lines["exponential_v_exp"].at(codes.lsb("exponential_v_exp"), codes.circuits)
    onset = onset + facts.EXPONENTIAL_SLOPE.value * np.log(facts.EXPONENTIAL_BIAS.value / np.maximum(bias, 1.0))
    active = codes.on("exponential_enable") & (bias > 0)
    return {
        "i_exp": np.where(active, facts.EXPONENTIAL_CURRENT.value, 0.0),
        "v_exp": onset,
        "delta_exp": np.full(len(codes.circuits), facts.EXPONENTIAL_SLOPE.value),
    }


def _adaptation(codes: _Codes, factors: Mapping[str, Values], lines: Mapping[str, Potential]) -> dict[str, Any]:
    """Return the adaptation; a circuit without it has no conductance, slope or jump."""
    enable = codes.on("adaptation_enable").astype(np.float64)
    bias = np.maximum(codes.lsb("adaptation_i_bias_tau"), facts.ADAPTATION_BIAS_MIN.value)
    slope = facts.ADAPTATION_SLOPE.value * codes.lsb("adaptation_i_bias_a") / bias
    pulse = _clock_period(codes.backend("backend_clock_scale_adaptation_pulse")) * codes.backend("backend_enable_clocks")
    jump = facts.ADAPTATION_JUMP.value * codes.lsb("adaptation_i_bias_b") * pulse * factors["adaptation_jump"] * codes.on("adaptation_enable_pulse")
    return {
        "g_adapt": enable * facts.ADAPTATION_CONDUCTANCE.value * factors["adaptation_conductance"],
        "w_rest": lines["adaptation_v_ref"].at(codes.lsb("adaptation_v_ref"), codes.circuits),
        "a_adapt": enable * np.where(codes.on("adaptation_invert_a"), -slope, slope),
        "v_adapt": lines["adaptation_v_leak"].at(codes.lsb("adaptation_v_leak"), codes.circuits),
        "b_adapt": enable * np.where(codes.on("adaptation_invert_b"), -1, 1) * np.minimum(jump, facts.SUPPLY.value),
        "tau_adapt": facts.ADAPTATION_TIME.value / bias * factors["adaptation_time"],
    }


def kick_volts(
    specimen: Specimen, effects: Effects, config: Config, hemisphere: int, rows: ArrayLike | None = None, columns: ArrayLike | None = None
) -> NDArray[np.float32]:
    """Return by how much one event moves the synaptic line of each synapse.

    The step is proportional to the stored weight, to the quadrant's ``syn_i_bias_dac`` and to the length of the pulses that the bus sets. With mismatch it
    scatters with the quadrant's converter, the length of the driver's pulses (alike in both rows of a driver), a linear gradient over columns and rows, and
    each synapse.

    Parameters
    ----------
    specimen, effects, config
        As in :func:`physical`; of the effects only mismatch acts.
    hemisphere : int
        0 top, 1 bottom.
    rows, columns : array_like of int, optional
        Synapse rows and columns, 0..255, in this order. All by default.

    Returns
    -------
    ndarray, shape (row, column), float32
        V. Which lines a row pulls on is the row's mode and not contained; switched-off columns are treated in :func:`physical`.

    Notes
    -----
    Plastic drivers shorten these steps (:mod:`neckar.chip.drivers`). Not modelled: saturation of a line.
    """
    row = np.arange(AXES["row"]) if rows is None else np.asarray(rows, dtype=np.int64)
    column = np.arange(AXES["column"]) if columns is None else np.asarray(columns, dtype=np.int64)
    refuse_unsupported({"syn_i_bias_dac": _field(config, "syn_i_bias_dac")})
    return kick_volts_of([specimen], effects, config, hemisphere, row, column)[0]


def kick_volts_of(
    specimens: Sequence[Specimen], effects: Effects, config: Config, hemisphere: int, row: NDArray[np.int64], column: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return :func:`kick_volts` of several chips under a configuration that it accepts, shape (chip, row, column), or 1 for the chips if they do not differ.

    What cells hold may have the chips' axis before its own.
    """
    quadrants = np.atleast_2d(_field(config, "syn_i_bias_dac"))
    bias = quadrants[:, np.newaxis, hemisphere * (AXES["column"] // COLUMNS_PER_BACKEND) + column // COLUMNS_PER_BACKEND]
    unit = np.float32(facts.SYNAPTIC_KICK.value) * (bias / facts.SYNAPTIC_KICK_BIAS.value).astype(np.float32)
    step = _field(config, "synapse_weight")[hemisphere][row][:, column].astype(np.float32) * unit
    extension = _field(config, "padi_dacen_pulse_extension")
    if extension.any():
        bus = padi_bus_at(hemisphere, row // ROWS_PER_DRIVER % BUSES_PER_HEMISPHERE)
        step *= (1.0 + facts.PULSE_EXTENSION.value * extension[bus]).astype(np.float32)[:, np.newaxis]
    if not (effects.mismatch and step.size):
        return step
    factors = _synapse_factors(specimens, hemisphere, row, column)
    return np.multiply(step, factors, out=factors if len(factors) >= len(step) else None)


def _synapse_factors(specimens: Sequence[Specimen], hemisphere: int, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the factor of each synapse's pulse on several chips, shape (chip, row, column); one chip many times counts once, and keeps what it has drawn."""
    parts = np.flatnonzero(np.bincount(column // PIECE))
    pieces = ((hemisphere * AXES["row"] + row[:, None]) * (AXES["column"] // PIECE) + parts).reshape(-1)
    place = np.searchsorted(parts, column // PIECE) * PIECE + column % PIECE
    in_a_row = slice(int(place[0]), int(place[0]) + len(place)) if (np.diff(place) == 1).all() else place  # much faster
    n, at_once = len(specimens) if len(set(specimens)) > 1 else 1, max(1, _DRAWN_AT_ONCE // (pieces.size * PIECE))
    factors = np.empty((n, len(row), len(column)), np.float32)
    for k in range(0, n, at_once):
        drawn = _kept_synapses(specimens[0]).pieces(pieces) if n == 1 else _Synapses(specimens[k : k + at_once]).drawn(pieces)
        factors[k : k + at_once] = drawn.reshape(-1, len(row), len(parts) * PIECE)[:, :, in_a_row]
    return factors


_DRAWN_AT_ONCE = 1 << 16  # synapses; so few that their numbers stay in the second-level cache


class _Synapses:
    """The factors of synapses on some chips, which lie in pieces of a row; each piece is drawn when it is asked for."""

    def __init__(self, specimens: Sequence[Specimen]) -> None:
        n, hemispheres, rows, columns = len(specimens), AXES["hemisphere"], AXES["row"], AXES["column"]
        deviation = deviations_of(specimens, ("synapse_gradient", "driver_pulse", "dac_bias"))
        across, along = deviation["synapse_gradient"].T[..., np.newaxis]
        self._specimens = specimens
        self._across = (1 + across * np.linspace(-1, 1, columns)).reshape(n, -1, PIECE)
        self._along = 1 + along * np.linspace(1, -1, hemispheres * rows)
        self._pulse = np.repeat(deviation["driver_pulse"], ROWS_PER_DRIVER, axis=2).reshape(n, -1)
        self._bias = np.repeat(deviation["dac_bias"].reshape(n, hemispheres, -1), COLUMNS_PER_BACKEND, axis=2).reshape(n, hemispheres, -1, PIECE)

    def drawn(self, pieces: NDArray[np.int64]) -> NDArray[np.float32]:
        """Draw some pieces, shape (chip, piece, PIECE)."""
        row, part = np.divmod(pieces, AXES["column"] // PIECE)
        factors = pieces_of(self._specimens, "synapse", pieces) * self._across[:, part] * self._along[:, row, np.newaxis]
        return (factors * self._pulse[:, row, np.newaxis] * self._bias[:, row // AXES["row"], part]).astype(np.float32)


class _KeptSynapses:
    """The factors of synapses on one chip, which keeps what it has drawn."""

    def __init__(self, specimen: Specimen) -> None:
        n = AXES["hemisphere"] * AXES["row"] * AXES["column"] // PIECE
        self._synapses, self._values, self._is_drawn, self._lock = _Synapses([specimen]), np.empty((n, PIECE), np.float32), np.zeros(n, bool), Lock()

    def pieces(self, pieces: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return some pieces, shape (piece, PIECE)."""
        missing = pieces[~self._is_drawn[pieces]]
        if len(missing):
            drawn = self._synapses.drawn(missing)[0]
            with self._lock:
                self._values[missing], self._is_drawn[missing] = drawn, True
        return self._values[pieces]


@lru_cache(maxsize=64)  # 0.5 MB each
def _kept_synapses(specimen: Specimen) -> _KeptSynapses:
    return _KeptSynapses(specimen)


@dataclass(frozen=True)
class MadcTransfer:
    """What the membrane converter reads: volts to 10-bit codes.

    Attributes
    ----------
    offset : float
        LSB added to the nominal reading, one per chip.
    gain : float
        Factor on the distance of the nominal reading from 300.
    noise : float
        Standard deviation of a sample's white noise, LSB, without rounding.
    dnl : float
        Differential non-linearity: codes are wider (even) or narrower (odd) than 1 LSB by this.

    preamp : float
        Gain of the pre-amplifier about the middle of the range, 1 at the default code.

    Notes
    -----
    Not modelled: settling after a change of the input, integral non-linearity.
    """

    offset: float
    gain: float
    noise: float
    dnl: float
    preamp: float = 1.0

    @classmethod
    def of(cls, specimen: Specimen, effects: Effects, config: Config = _DEFAULTS) -> Self:
        """Return the converter of a chip under a configuration; a field that a mapping lacks has its default.

        Mismatch, noise and quantisation act; without the last all codes are equally wide.
        """
        offset = float(specimen.deviation("chip_madc_offset")) if effects.mismatch else 0.0
        gain = float(specimen.deviation("chip_madc_gain")) if effects.mismatch else 1.0
        rounding = 1 / 12  # variance of rounding, contained in the published noise
        noise = math.sqrt(facts.MADC_NOISE.value**2 - rounding) if effects.noise else 0.0
        preamp = facts.MADC_PREAMP_UNITS.value / (float(_field(config, "madc_preamp_gain")) + 1.0)
        return cls(offset, gain, noise, facts.MADC_DNL.value if effects.quantisation else 0.0, preamp)

    def reading(self, potential: ArrayLike, noise: ArrayLike | None = None) -> Values:
        """Return the exact reading, neither rounded nor clipped.

        Parameters
        ----------
        potential : array_like
            V, any shape.
        noise : array_like, optional
            Standard normal variates of the same shape, one per sample, e.g. of :func:`neckar.chip.specimen.keyed_normals`. None: no noise.

        Returns
        -------
        ndarray, float64
            LSB.
        """
        pivot = facts.MADC_GAIN_PIVOT.value
        exact = pivot + self.gain * (volt_to_madc(potential) - pivot) + self.offset
        if self.preamp != 1:
            exact = _MIDDLE + self.preamp * (exact - _MIDDLE)
        return exact if noise is None else exact + self.noise * np.asarray(noise, dtype=np.float64)

    def codes(self, potential: ArrayLike, noise: ArrayLike | None = None) -> NDArray[np.uint16]:
        """Return the codes that the converter sends, uint16, 0 to 1023. Parameters as in :meth:`reading`."""
        exact = self.reading(potential, noise)
        even = 2 * np.round(exact / 2)
        distance = exact - even
        code = even + np.where(np.abs(distance) <= (1 + self.dnl) / 2, 0, np.sign(distance))
        return np.clip(code, 0, 2**facts.MADC_BITS.value - 1).astype(np.uint16)

    def volts(self, codes: ArrayLike) -> Values:
        """Return the potential in V at the centre of codes: the inverse of a noiseless reading."""
        pivot = facts.MADC_GAIN_PIVOT.value
        before = _MIDDLE + (np.asarray(codes, dtype=np.float64) - _MIDDLE) / self.preamp
        return madc_to_volt((before - self.offset - pivot) / self.gain + pivot)
