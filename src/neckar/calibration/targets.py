"""What a calibration is asked for: plain data, shared by all methods.

A calibration is a search for codes at which circuits do what was asked. The targets say what: potentials in LSB of the calibrated parallel converter (CADC),
time constants in seconds of hardware time, strengths as the bias at which the chip's median circuit defines them. Structure and defaults are those of
upstream's calibration software (calix, files ``src/cc/ccalix/*_target.cpp`` and ``*_options.cpp``), which keeps targets and options apart; here both stand
together, because both change the result.

Scalars are taken for all circuits; arrays have the axes named in each class.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.errors import ConfigurationError, FileFormatError, ParameterRangeError
from neckar.facts import AXES, CAPMEM_MAX
from neckar.program._plain import Plain

CIRCUITS, QUADRANTS = AXES["circuit"], AXES["quadrant"]
Strength = Literal["matched", "separate", "fixed"]
Branches = Literal["causal", "acausal", "both"]

HARD_LIMITS: Mapping[str, tuple[float, float, str]] = MappingProxyType(
    {
        "leak": (0, 255, "CADC LSB"),
        "reset": (0, 255, "CADC LSB"),
        "threshold": (0, 255, "CADC LSB"),
        "tau_mem_s": (0.1e-6, 2000e-6, "s"),
        "tau_syn_s": (0.1e-6, 100e-6, "s"),
        "i_synin_gm": (0, CAPMEM_MAX, "LSB"),
        "membrane_capacitance": (0, 63, "LSB"),
        "refractory_time_s": (0, math.inf, "s"),
        "holdoff_time_s": (0, math.inf, "s"),
        "synapse_dac_bias": (0, CAPMEM_MAX, "LSB"),
        "leak_bias": (6, CAPMEM_MAX - 5, "LSB"),
        "tau_icc_s": (1e-9, 1.0, "s"),
        "amplitude": (1e-3, 100, "CADC LSB"),
        "time_constant_s": (1e-9, 1.0, "s"),
        "time_constant_priority": (0, 1, "1"),
        "amp_calib": (0, 3, "LSB"),
        "time_calib": (0, 3, "LSB"),
        "i_ramp": (0, CAPMEM_MAX, "LSB"),
        "v_stp": (0, CAPMEM_MAX, "LSB"),
        "v_charge_0": (0, CAPMEM_MAX, "LSB"),
        "v_charge_1": (0, CAPMEM_MAX, "LSB"),
        "v_recover_0": (0, CAPMEM_MAX, "LSB"),
        "v_recover_1": (0, CAPMEM_MAX, "LSB"),
        "offset_test_activation": (1, 31, "1"),
    }
)
"""Range of each target that makes sense at all; outside an error is raised."""

USUAL_LIMITS: Mapping[str, Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "NeuronTarget": {
            "leak": (50, 160),
            "reset": (50, 160),
            "threshold": (50, 220),
            "tau_mem_s": (0.5e-6, 60e-6),
            "tau_syn_s": (0.3e-6, 30e-6),
            "i_synin_gm": (30, 800),
            "e_coba_reference": (60, 160),
            "refractory_time_s": (40e-9, 32e-6),
            "holdoff_time_s": (0, 4e-6),
            "synapse_dac_bias": (30, CAPMEM_MAX),
            "tau_icc_s": (0.1e-6, 30e-6),
        },
        "HagenNeuronTarget": {
            "leak": (100, 140),
            "tau_mem_s": (20e-6, 100e-6),
            "tau_syn_s": (0.3e-6, 20e-6),
            "i_synin_gm": (30, 600),
            "noise": (1.0, 2.5),
            "synapse_dac_bias": (30, CAPMEM_MAX),
        },
        "PotentialTarget": {"leak": (50, 160), "reset": (50, 160), "threshold": (50, 220), "tau_mem_s": (0.5e-6, 60e-6)},
        "HagenSyninTarget": {"synapse_dac_bias": (30, CAPMEM_MAX)},
        "CorrelationTarget": {"amplitude": (0.2, 2.0), "time_constant_s": (2e-6, 30e-6)},
        "CadcTarget": {"dynamic_range": (70, 550), "read_range": (20, 220)},
    }
)
"""Range in which the circuits reach a target well (calix, ``check_target`` of each stage); outside, results are imperfect."""


class Target(Plain):
    """Base of all targets: frozen plain data that compare by content and go through JSON without loss."""

    def __post_init__(self) -> None:
        for f in fields(self):  # type: ignore[arg-type]
            if isinstance(value := getattr(self, f.name), (int, float)) and not isinstance(value, bool):
                _inside(f"{type(self).__name__}.{f.name}", f.name, np.float64(value))

    def as_json(self) -> dict[str, Any]:
        """Return the target as plain JSON; arrays of one value are written as that value."""
        return {"type": type(self).__name__, **{f.name: _plain(getattr(self, f.name)) for f in fields(self)}}  # type: ignore[arg-type]

    def _arrays(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Bring fields to their shape."""
        for name, shape in shapes.items():
            self._set(**{name: _array(f"{type(self).__name__}.{name}", name, getattr(self, name), shape)})


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class CadcTarget(Target):
    """The parallel converter: which potentials read what.

    Attributes
    ----------
    dynamic_range : (int, int)
        Codes of a CapMem voltage cell at the lower and upper end of the range.
    read_range : (int, int)
        Readings there, CADC LSB.
    calibrate_offsets : bool
        Whether the digital offsets of the channels are set.
    """

    dynamic_range: tuple[int, int] = (70, 550)
    read_range: tuple[int, int] = (20, 220)
    calibrate_offsets: bool = True

    def __post_init__(self) -> None:
        for name, highest in (("dynamic_range", CAPMEM_MAX), ("read_range", 255)):
            low, high = (int(v) for v in getattr(self, name))
            if not 0 <= low < high <= highest:
                raise ParameterRangeError(f"CadcTarget.{name} is {(low, high)}; allowed is 0 <= lower < upper <= {highest}. Choose two such values.")
            self._set(**{name: (low, high)})


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NeuronTarget(Target):
    """Spiking neurons.

    Attributes
    ----------
    leak, reset, threshold : ndarray, shape (circuit,)
        CADC LSB.
    tau_mem_s, refractory_time_s, holdoff_time_s : ndarray, shape (circuit,)
        s.
    tau_syn_s : ndarray, shape (circuit, 2)
        s; excitatory, inhibitory. Given with shape (2,) for all circuits.
    i_synin_gm : ndarray, shape (1,), (2,) or (circuit, 2)
        Strength of the current-based inputs, LSB; its shape depends on `strength`.
    strength : str
        ``"matched"``: all excitatory inputs are made as strong as the median circuit's at this bias, and the inhibitory ones as strong as these;
        ``"separate"``: each kind has its own median; ``"fixed"``: the biases are set as they are.
    e_coba_reversal, e_coba_reference : ndarray, shape (circuit, 2)
        CADC LSB; not a number for current-based inputs, and for the midpoint of leak and threshold.
    membrane_capacitance : ndarray, shape (circuit,)
        LSB.
    synapse_dac_bias : int
        LSB.
    tau_icc_s : ndarray, shape (circuit,), or None
        Membrane capacitance over conductance between compartments, s; None leaves it alone.
    """

    leak: ArrayLike = 80
    reset: ArrayLike = 70
    threshold: ArrayLike = 125
    tau_mem_s: ArrayLike = 10e-6
    tau_syn_s: ArrayLike = 10e-6
    i_synin_gm: ArrayLike = 500
    strength: Strength = "matched"
    e_coba_reversal: ArrayLike = math.nan
    e_coba_reference: ArrayLike = math.nan
    membrane_capacitance: ArrayLike = 63
    refractory_time_s: ArrayLike = 2e-6
    holdoff_time_s: ArrayLike = 0.0
    synapse_dac_bias: int = 600
    tau_icc_s: ArrayLike | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        one = dict.fromkeys(("leak", "reset", "threshold", "tau_mem_s", "membrane_capacitance", "refractory_time_s", "holdoff_time_s"), (CIRCUITS,))
        two = dict.fromkeys(("tau_syn_s", "e_coba_reversal", "e_coba_reference"), (CIRCUITS, 2))
        if self.strength not in get_args(Strength):
            raise ConfigurationError(f"NeuronTarget.strength is {self.strength!r}; allowed: {', '.join(get_args(Strength))}. Choose one of them.")
        gm: tuple[int, ...] = {"matched": (1,), "separate": (2,), "fixed": (CIRCUITS, 2)}[self.strength]
        self._arrays({**one, **two, "i_synin_gm": gm, **({} if self.tau_icc_s is None else {"tau_icc_s": (CIRCUITS,)})})

    @property
    def is_conductance_based(self) -> NDArray[np.bool_]:
        """Which inputs are conductance-based, shape (circuit, 2)."""
        return np.isfinite(np.asarray(self.e_coba_reversal, np.float64))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class StpTarget(Target):
    """Short-term plasticity of spiking networks: voltages as given, offsets such that drivers are equal.

    Attributes
    ----------
    v_charge_0, v_recover_0, v_charge_1, v_recover_1 : ndarray, shape (quadrant,)
        The two pairs of voltages, LSB.
    i_ramp : ndarray, shape (quadrant,)
        Current of the ramp, LSB.
    v_stp : ndarray, shape (quadrant,)
        Voltage at which the pulses of all drivers of a quadrant are made equally long, LSB.
    """

    v_charge_0: ArrayLike = 100
    v_recover_0: ArrayLike = 400
    v_charge_1: ArrayLike = 330
    v_recover_1: ArrayLike = 50
    i_ramp: ArrayLike = 600
    v_stp: ArrayLike = 180

    def __post_init__(self) -> None:
        self._arrays({f.name: (QUADRANTS,) for f in fields(self)})


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class CorrelationTarget(Target):
    """Correlation sensors of the synapses.

    Attributes
    ----------
    amplitude : float
        CADC LSB per pair without delay.
    time_constant_s : float
        s.
    branches : str
        Which sensors count: ``"causal"``, ``"acausal"`` or ``"both"``.
    calibrate_synapses : bool
        Also choose the calibration bits of each synapse (two hours on silicon).
    time_constant_priority : float
        Weight of the time constant in that choice, 0 to 1.
    amp_calib, time_calib : int
        Bits of all synapses while the shared currents are searched, 0 to 3.
    """

    amplitude: float = 0.5
    time_constant_s: float = 5e-6
    branches: Branches = "both"
    calibrate_synapses: bool = False
    time_constant_priority: float = 0.3
    amp_calib: int = 0
    time_calib: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.branches not in get_args(Branches):
            raise ConfigurationError(f"CorrelationTarget.branches is {self.branches!r}; allowed: {', '.join(get_args(Branches))}. Choose one of them.")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class HagenNeuronTarget(Target):
    """Neurons that integrate, for matrix multiplication.

    Attributes
    ----------
    leak : ndarray, shape (circuit,)
        CADC LSB; also the reset potential.
    tau_mem_s : ndarray, shape (circuit,)
        Time constant of the membrane while the inputs are matched, s.
    tau_syn_s : ndarray, shape (circuit, 2)
        s.
    i_synin_gm : int
        LSB; inputs are matched as in :class:`NeuronTarget`.
    synapse_dac_bias : int
        LSB.
    disable_leak : bool
        Switch the leak off in the result.
    noise : float or None
        Search the weakest leak at which readings after a reset scatter by no more than this, CADC LSB, and do not drift; None: keep that of the time constant.
        Without effect on the oracle.
    """

    leak: ArrayLike = 120
    tau_mem_s: ArrayLike = 60e-6
    tau_syn_s: ArrayLike = 0.32e-6
    i_synin_gm: int = 450
    synapse_dac_bias: int = CAPMEM_MAX
    disable_leak: bool = True
    noise: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._arrays({"leak": (CIRCUITS,), "tau_mem_s": (CIRCUITS,), "tau_syn_s": (CIRCUITS, 2)})


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PotentialTarget(Target):
    """Converter, potentials and membranes alone: neurons without inputs.

    Attributes
    ----------
    cadc : CadcTarget
    leak, reset, threshold : ndarray, shape (circuit,)
        CADC LSB.
    leak_bias : int
        Bias of the leak of all circuits, LSB, within 5 LSB; with a time constant, the one at which potentials are searched.
    tau_mem_s : ndarray, shape (circuit,), or None
        Membrane time constant, s; None leaves the bias alone.
    membrane_capacitance : ndarray, shape (circuit,)
        LSB.
    """

    cadc: CadcTarget = field(default_factory=CadcTarget)
    leak: ArrayLike = 80
    reset: ArrayLike = 70
    threshold: ArrayLike = 125
    leak_bias: int = 150
    tau_mem_s: ArrayLike | None = None
    membrane_capacitance: ArrayLike = 63

    def __post_init__(self) -> None:
        super().__post_init__()
        names = ("leak", "reset", "threshold", "membrane_capacitance", *(() if self.tau_mem_s is None else ("tau_mem_s",)))
        self._arrays(dict.fromkeys(names, (CIRCUITS,)))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SpikingTarget(Target):
    """A chip for spiking networks.

    Attributes
    ----------
    cadc : CadcTarget
    neurons : NeuronTarget
    stp : StpTarget
    correlation : CorrelationTarget or None
        None leaves the sensors off.
    refine_potentials : bool or None
        Whether measuring repeats converter and potentials at the end; None: unless an input is conductance-based. Without effect on the oracle.
    """

    cadc: CadcTarget = field(default_factory=CadcTarget)
    neurons: NeuronTarget = field(default_factory=NeuronTarget)
    stp: StpTarget = field(default_factory=StpTarget)
    correlation: CorrelationTarget | None = None
    refine_potentials: bool | None = None


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class HagenTarget(Target):
    """A chip that multiplies matrices by integration on membranes.

    Attributes
    ----------
    cadc : CadcTarget
    neurons : HagenNeuronTarget
    offset_test_activation : int
        Activation at which the drivers' offsets make them equal, 1 to 31.
    """

    cadc: CadcTarget = field(default_factory=lambda: CadcTarget(dynamic_range=(150, 500)))
    neurons: HagenNeuronTarget = field(default_factory=HagenNeuronTarget)
    offset_test_activation: int = 3


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class HagenSyninTarget(Target):
    """A chip that multiplies matrices by integration on synaptic lines.

    Attributes
    ----------
    cadc : CadcTarget
    synapse_dac_bias : int
        LSB.
    offset_test_activation : int
        As in :class:`HagenTarget`.
    """

    cadc: CadcTarget = field(default_factory=lambda: CadcTarget(dynamic_range=(150, 340)))
    synapse_dac_bias: int = 800
    offset_test_activation: int = 3


ChipTarget = PotentialTarget | SpikingTarget | HagenTarget | HagenSyninTarget
_TYPES: dict[str, type[Target]] = {
    cls.__name__: cls for cls in (CadcTarget, NeuronTarget, StpTarget, CorrelationTarget, HagenNeuronTarget, *get_args(ChipTarget))
}


def from_json(data: object) -> Target:
    """Return the target that :meth:`Target.as_json` described.

    Raises
    ------
    FileFormatError
        If the data describe none.
    """
    if not isinstance(data, dict) or data.get("type") not in _TYPES:
        raise FileFormatError(f"{str(data)[:60]!r} describes no target of a calibration; types: {', '.join(_TYPES)}. Write it with as_json.")
    try:
        return _TYPES[data["type"]](**{name: _restored(value) for name, value in data.items() if name != "type"})
    except TypeError as error:
        raise FileFormatError(f"a {data['type']} of this version has other fields: {error}. Make the calibration anew.") from error


def unusual(target: Target) -> list[str]:
    """Return a sentence for each part of a target that lies outside the range in which circuits reach it well."""
    found = []
    limits = USUAL_LIMITS.get(type(target).__name__, {})
    for f in fields(target):  # type: ignore[arg-type]
        value = getattr(target, f.name)
        if isinstance(value, Target):
            found += unusual(value)
        elif f.name in limits and value is not None:
            low, high = limits[f.name]
            numbers = np.asarray(value, np.float64)
            outside = np.isfinite(numbers) & ((numbers < low) | (numbers > high))
            if outside.any():
                unit = HARD_LIMITS[f.name][2] if f.name in HARD_LIMITS else "LSB"
                found.append(
                    f"{type(target).__name__}.{f.name}{_which(outside)} is asked to be {numbers[outside].flat[0]:g} {unit}; circuits reach {low:g} to {high:g} "
                    f"{unit} well. Expect imperfect results and see the success masks, or choose a value in this range."
                )
    return found


def _which(outside: NDArray[np.bool_]) -> str:
    """Return which circuits a target asks too much of, unless it does so of all."""
    if outside.all() or outside.shape[:1] != (CIRCUITS,):
        return ""
    n = np.count_nonzero(outside)
    return f" of circuit {np.argwhere(outside)[0][0]}{f' and {n - 1} more' if n > 1 else ''}"


def _array(where: str, name: str, value: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return a read-only array of the shape after checking it."""
    try:
        array = np.array(np.broadcast_to(np.asarray(value, np.float64), shape))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{where} cannot be brought to shape {shape}: {error}. Give one value, or an array of that shape.") from None
    _inside(where, name, array)
    array.flags.writeable = False
    return array


def _inside(where: str, name: str, array: NDArray[np.float64] | np.float64) -> None:
    if name not in HARD_LIMITS:
        return
    low, high, unit = HARD_LIMITS[name]
    bad = ~((np.asarray(array) >= low) & (np.asarray(array) <= high))
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0]) if np.ndim(array) else ()
        place = f" of circuit {first[0]}" if first and np.shape(array)[0] == CIRCUITS else ""
        raise ParameterRangeError(f"{where}{place} is {np.asarray(array)[first]:g} {unit}; allowed: {low:g} to {high:g} {unit}. Choose a value in this range.")


def _plain(value: Any) -> Any:
    """Return plain JSON; not a number is written as null in arrays."""
    if isinstance(value, Target):
        return value.as_json()
    if isinstance(value, np.ndarray):
        flat = [None if math.isnan(v) else v for v in value.reshape(-1).tolist()]
        if flat.count(flat[0]) == len(flat):
            return {"array": flat[0]}
        return {"array": flat, "shape": list(value.shape)}
    return list(value) if isinstance(value, tuple) else value


def _restored(value: Any) -> Any:
    if isinstance(value, dict) and "array" in value:
        numbers = value["array"]
        if not isinstance(numbers, list):
            return math.nan if numbers is None else numbers
        return np.array([math.nan if v is None else v for v in numbers], np.float64).reshape(value["shape"])
    if isinstance(value, dict):
        return from_json(value)
    return tuple(value) if isinstance(value, list) else value


def key_of(target: Target) -> str:
    """Return a text that is equal for equal targets."""
    return json.dumps(target.as_json(), sort_keys=True)


def _nightly() -> Mapping[str, ChipTarget]:
    default = SpikingTarget()
    correlation = CorrelationTarget(amplitude=1.5, time_constant_s=30e-6, branches="causal", calibrate_synapses=True, amp_calib=1)
    slow = NeuronTarget(leak=100, reset=80, threshold=130, tau_mem_s=20e-6, tau_syn_s=5e-6, i_synin_gm=400, synapse_dac_bias=1000)
    sharp = NeuronTarget(leak=80, reset=80, threshold=150, tau_mem_s=6e-6, tau_syn_s=6e-6, i_synin_gm=500, synapse_dac_bias=1000)
    return MappingProxyType(
        {
            "spiking": default,
            "spiking2": replace(default, neurons=sharp),
            "hagen": HagenTarget(),
            "hagen_synin": HagenSyninTarget(),
            "correlation": replace(default, neurons=slow, correlation=correlation),
        }
    )


NIGHTLY: Mapping[str, ChipTarget] = _nightly()
"""Targets of the calibrations that upstream's machines offer as files, by kind (calix ``scripts/calix_generate_{default,weekly}_calibration.py``)."""
