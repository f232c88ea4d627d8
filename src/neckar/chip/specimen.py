"""One virtual chip: which random deviations it has from the mean of all chips.

A specimen is a name for numbers, not the numbers: every deviation is a pure function of (seed, statistics version, parameter, coordinate), so a chip is
the same in every process and on every machine, chips differ, and a parameter that a later version adds leaves the others as they are. There is spread
between chips and spread between the circuits of a chip; how far is the table :data:`neckar.facts.brainscales2.SPREAD`. Seed 0 is the *reference* chip:
it deviates from the population by fixed transfer lines of its own instead of by chance; its circuits scatter like those of any chip.

The normal variates are made from the words of numpy's Philox generator, whose stream numpy guarantees, by the transform of Box and Muller.

Not modelled: correlations between neighbouring circuits, except for a slow gradient over the synapse array; defective circuits.
"""

from __future__ import annotations

import hashlib
import math
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.chip.named import NAMED
from neckar.errors import ConfigurationError, ParameterRangeError, UnknownNameError, nearest
from neckar.facts import AXES
from neckar.facts import brainscales2 as facts

REFERENCE, REFERENCE_SEED = NAMED[0].name, NAMED[0].seed
STATISTICS_VERSION = 1


@dataclass(frozen=True)
class MismatchParameter:
    """One array of deviations that every chip draws.

    Attributes
    ----------
    name : str
        Key of :func:`mismatch_parameters` and of overrides; those that start with ``chip_`` or belong to quadrants are chip level.
    axes : tuple of str
        Axes of the array; empty for one number per chip.
    row : str
        Row of :data:`neckar.facts.brainscales2.SPREAD` that it is drawn from.
    sigma : float
        Standard deviation, of the logarithm if `is_factor`.
    unit : str
        Unit of the array's values.
    is_factor : bool
        The values are factors with median 1; otherwise they add and have mean 0.
    is_chip_level : bool
        Fixed to no deviation on the reference chip.
    """

    name: str
    axes: tuple[str, ...]
    row: str
    sigma: float
    unit: str
    is_factor: bool
    is_chip_level: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(_LENGTHS[axis] for axis in self.axes)

    def scaled(self, variates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the deviations that standard normal variates stand for."""
        return np.exp(self.sigma * variates) if self.is_factor else self.sigma * variates


_LENGTHS = {**AXES, "direction": 2}
_SYNAPTIC = {f"synaptic_{row}_{sign}": f"synaptic_{row}" for row in ("time", "gm", "shift") for sign in ("exc", "inh")}
_CIRCUIT_ROWS = {
    **{row: row for row in ("leak_offset", "reset_offset", "threshold_offset", "leak_time", "reset_time", "offset_current", "intrinsic_capacitance")},
    "inhibition_floor": "inhibition_floor",
    **dict.fromkeys(("exponential_offset", "adaptation_ref_offset", "adaptation_leak_offset", "coba_offset_exc", "coba_offset_inh"), "leak_offset"),
    **{row: row for row in ("adaptation_time", "adaptation_jump", "adaptation_conductance", "compartment_time")},
    **_SYNAPTIC,
    **dict.fromkeys(("coba_slope_exc", "coba_slope_inh"), "coba_slope"),
}
_CHIP_ROWS = {
    **{row: row for row in ("madc_offset", "madc_gain", "follower_offset", "leak_offset", "reset_offset", "threshold_offset")},
    **{row: row for row in ("leak_slope", "reset_slope", "threshold_slope", "leak_time", "reset_time", "offset_current", "intrinsic_capacitance")},
    **{row: row for row in ("synaptic_time", "coba_slope", "adaptation_time", "adaptation_jump", "adaptation_conductance", "compartment_time")},
    **{name: row for name, row in _SYNAPTIC.items() if row == "synaptic_gm"},
}
_QUADRANT_ROWS = {"dac_bias": "dac_bias", "cadc_ramp_start": "cadc_start", "cadc_ramp_slope": "cadc_gain"}
_ARRAY_ROWS = {
    "synapse": ("hemisphere", "row", "column"),
    "synapse_gradient": ("direction",),
    **dict.fromkeys(("driver_pulse", "driver_ramp_offset"), ("hemisphere", "driver")),
    **dict.fromkeys(("cadc_offset", "cadc_gain"), ("hemisphere", "cadc_channel", "column")),
    **dict.fromkeys(("correlation_amplitude", "correlation_time", "correlation_asymmetry"), ("hemisphere", "row", "column")),
    "correlation_baseline": ("hemisphere", "cadc_channel", "row", "column"),
}


def _parameter(name: str, row: str, axes: tuple[str, ...], is_chip_level: bool) -> MismatchParameter:
    spread = facts.SPREAD[row]
    sigma = spread.chip if is_chip_level else spread.circuit
    return MismatchParameter(name, axes, row, sigma, spread.unit, spread.shape == "lognormal", is_chip_level)


def _parameters() -> Mapping[str, MismatchParameter]:
    rows = [_parameter(f"chip_{name}", row, (), True) for name, row in _CHIP_ROWS.items()]
    rows += [_parameter(name, row, ("quadrant",), True) for name, row in _QUADRANT_ROWS.items()]
    rows += [_parameter(name, row, ("circuit",), False) for name, row in _CIRCUIT_ROWS.items()]
    rows += [_parameter(name, name, axes, False) for name, axes in _ARRAY_ROWS.items()]
    return MappingProxyType({row.name: row for row in rows})


_PARAMETERS = _parameters()


def mismatch_parameters() -> Mapping[str, MismatchParameter]:
    """Return everything that a chip draws, by name: shape, unit and spread. These are the names of overrides."""
    return _PARAMETERS


def _chip_id(seed: int) -> str:
    return REFERENCE if seed == REFERENCE_SEED else f"chip-{seed}"


@dataclass(frozen=True, eq=False)
class Specimen:
    """One virtual chip, by what determines it.

    Attributes
    ----------
    id : str
        Label for people and provenance; no influence on the numbers.
    seed : int
        0 to 2**64 - 1. 0 is the reference chip.
    statistics_version : int
        Version of the way in which deviations are drawn.
    age_h : float
        Age in hours of operation, >= 0; potentials drift with it (:meth:`drift`), and the temperature changes (:meth:`warming`).
    overrides : mapping str -> array
        Deviations that replace the drawn ones, in the shape and unit of :func:`mismatch_parameters` (factors for relative ones). Like the drawn ones they
        act only while the effect mismatch is on.

    Raises
    ------
    UnknownNameError
        If an override has no such parameter.
    ConfigurationError
        If an override has the wrong shape, is not finite, or a factor is not positive.
    ParameterRangeError
        If seed, version or age are outside their ranges.

    Examples
    --------
    >>> Specimen.from_seed(7).deviation("leak_offset").shape
    (512,)
    >>> Specimen.reference() == Specimen.named("reference")
    True
    """

    id: str
    seed: int
    statistics_version: int = STATISTICS_VERSION
    age_h: float = 0.0
    overrides: Mapping[str, ArrayLike] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", operator.index(self.seed))
        object.__setattr__(self, "age_h", float(self.age_h))
        if not 0 <= self.seed < 2**64:
            raise ParameterRangeError(f"seed of a specimen is {self.seed}; allowed is 0 to 2**64 - 1. Choose a seed inside this range.")
        if self.statistics_version != STATISTICS_VERSION:
            raise ParameterRangeError(
                f"statistics version of a specimen is {self.statistics_version}; this Neckar draws chips by version {STATISTICS_VERSION}. Leave it out."
            )
        if not (math.isfinite(self.age_h) and self.age_h >= 0):
            raise ParameterRangeError(f"age of a specimen is {self.age_h} h; allowed is 0 h or more, finite. Leave age_h out for a new chip.")
        checked = {name: _checked_override(name, self.overrides[name]) for name in sorted(self.overrides)}
        object.__setattr__(self, "overrides", MappingProxyType(checked))
        object.__setattr__(self, "_digest", _digest(checked))

    @classmethod
    def reference(cls, age_h: float = 0.0) -> Self:
        """Return the default chip, on which the public tutorials' codes work."""
        return cls(REFERENCE, REFERENCE_SEED, age_h=age_h)

    @classmethod
    def from_seed(cls, seed: int, age_h: float = 0.0) -> Self:
        """Return the chip with a seed; seed 0 is the reference chip."""
        return cls(_chip_id(int(seed)), int(seed), age_h=age_h)

    @classmethod
    def named(cls, name_or_seed: str | int, age_h: float = 0.0) -> Self:
        """Return a chip by name: one of :data:`neckar.chip.named.NAMED` such as ``"reference"``, ``"chip-7"``, a seed such as ``7`` or ``"7"``, or a file.

        A file is what :func:`neckar.chip.specimen_file.save_specimen` wrote; its name ends in ``.npz``. An age of 0 leaves it at its own.

        Raises
        ------
        UnknownNameError
            If there is no such chip; lists the names.
        ParameterRangeError
            If seed or age are outside their ranges.
        ConfigurationError
            If there is no such file; FileFormatError if it holds something else.
        """
        if str(name_or_seed).endswith(".npz"):
            from neckar.chip.specimen_file import load_specimen

            kept = load_specimen(str(name_or_seed))
            return cls(kept.id, kept.seed, kept.statistics_version, age_h or kept.age_h, kept.overrides)
        match = re.fullmatch(r"(?:chip-)?(\d+)", str(name_or_seed))
        if match is not None:
            return cls.from_seed(int(match[1]), age_h)
        seeds = {named.name: named.seed for named in NAMED}
        if name_or_seed not in seeds:
            hint, names = nearest(str(name_or_seed), seeds), ", ".join(seeds)
            more = "chip-<seed> or <seed> with any seed, e.g. chip-7, or the .npz file of a chip"
            raise UnknownNameError(f"no virtual chip is called {name_or_seed!r}{hint} Names: {names}, or {more}.")
        return cls.from_seed(seeds[str(name_or_seed)], age_h)

    @property
    def is_reference(self) -> bool:
        """Whether the chip has the reference chip's own transfer lines."""
        return self.seed == REFERENCE_SEED

    @property
    def overrides_digest(self) -> str:
        """Hash of the overrides, for provenance; empty without overrides."""
        digest: str = self.__dict__["_digest"]
        return digest

    def deviation(self, name: str) -> NDArray[np.float64]:
        """Return the deviations of a parameter: overridden, or drawn.

        Parameters
        ----------
        name : str
            Key of :func:`mismatch_parameters`.

        Returns
        -------
        ndarray, float64
            Shape and unit of the parameter; summands with mean 0, or factors with median 1. Drawn anew at each call (30 us for 512 values);
            :func:`deviations_of` draws many in less time.

        Raises
        ------
        UnknownNameError
            If there is no such parameter.
        """
        return deviations_of([self], [name])[name][0]

    def drift(self, name: str) -> NDArray[np.float64]:
        """Return how far a potential of each circuit has moved since age zero.

        A sum of three sinusoids of the age with keyed periods (about 5, 24 and 60 h, each longer or shorter by up to a quarter) and keyed phases, equal
        shares of the rate, zero at age zero. The rate has a standard deviation of 0.9 mV/h, that is 0.2 CADC LSB per hour (our estimate). Circuits and
        potentials are independent, and have no period in common, so a chip never comes back to what it was.

        Parameters
        ----------
        name : str
            Any key, by convention the register of the potential, e.g. ``"leak_v_leak"``.

        Returns
        -------
        ndarray, shape (circuit,)
            V.

        Notes
        -----
        Not modelled: drift of converters and of potentials in common. Time constants follow the temperature (:meth:`warming`).
        """
        moved = np.zeros(AXES["circuit"])
        for omega, wave in self._waves(moved.size, "drift", name):
            moved += facts.DRIFT_RATE.value * math.sqrt(2 / len(facts.DRIFT_PERIODS)) / omega * wave
        return moved

    def warming(self) -> float:
        """Return how far the chip's temperature is from that at age zero, K.

        A sum of three sinusoids of the age with the periods of :meth:`drift` and keyed phases, equal shares of a standard deviation of 1 K (our estimate for
        an air-conditioned room). All circuits share it: their time constants are longer by 0.1 % for each kelvin.

        Notes
        -----
        Not modelled: differences of temperature on the chip, what its own activity heats, the temperature's influence on anything but time constants of the
        neuron circuits.
        """
        share = facts.TEMPERATURE_SWING.value * math.sqrt(2 / len(facts.DRIFT_PERIODS))
        return share * sum(float(wave[0]) for _, wave in self._waves(1, "temperature"))

    def _waves(self, n: int, *key: str) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Return `n` sinusoids of the age for each period of the drift, zero at age zero: angular frequencies, 1/h, and values, shape (n,) each."""
        for number, period in enumerate(facts.DRIFT_PERIODS):
            start, length = keyed_uniforms(2 * n, *key[:1], self.statistics_version, self.seed, *key[1:], number).reshape(2, -1)
            omega = 2 * math.pi / (period.value * (1 + facts.DRIFT_PERIOD_SPREAD.value) ** (2 * length - 1))
            phase = 2 * math.pi * start
            yield omega, np.sin(omega * self.age_h + phase) - np.sin(phase)

    def _key(self) -> tuple[Any, ...]:
        return (self.id, self.seed, self.statistics_version, self.age_h, self.overrides_digest)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Specimen) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.id, self.seed, self.statistics_version, self.age_h, dict(self.overrides))


def deviations_of(specimens: Sequence[Specimen], names: Sequence[str], pieces: NDArray[np.int64] | None = None) -> dict[str, NDArray[np.float64]]:
    """Return the deviations of some parameters on several chips: the values of :meth:`Specimen.deviation`, drawn together.

    Parameters
    ----------
    specimens : sequence of Specimen
    names : sequence of str
        Keys of :func:`mismatch_parameters`.
    pieces : ndarray of int64, optional
        Of parameters that circuits have, these pieces of :data:`PIECE` circuits are drawn; the others have no deviation.

    Returns
    -------
    dict of str to ndarray, float64
        By name, the chips' axis before those of the parameter.
    """
    parameters = {name: _known(name) for name in names}
    keys = {name: [("mismatch", chip.statistics_version, chip.seed, name) for chip in specimens] for name in names}
    found: dict[str, NDArray[np.float64]] = {}
    for size, alike in _by_size({name: math.prod(parameter.shape) for name, parameter in parameters.items()}).items():
        drawn = pieces if size == AXES["circuit"] else None
        variates = keyed_normals_of(size, [key for name in alike for key in keys[name]], drawn).reshape(len(alike), len(specimens), size)
        for name, values in zip(alike, variates, strict=True):
            parameter = parameters[name]
            if parameter.is_chip_level:
                values[[chip.is_reference for chip in specimens]] = 0.0
            found[name] = parameter.scaled(values).reshape(-1, *parameter.shape)
            for k, chip in enumerate(specimens):
                if name in chip.overrides:
                    found[name][k] = chip.overrides[name]
    return found


def pieces_of(specimens: Sequence[Specimen], name: str, pieces: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return some pieces of a circuit-level parameter on several chips: the values of :meth:`Specimen.deviation`, in less time.

    Parameters
    ----------
    specimens : sequence of Specimen
    name : str
    pieces : ndarray of int64, shape (piece,)
        Numbers of the pieces, :data:`PIECE` values each, of the flattened array.

    Returns
    -------
    ndarray, shape (chip, piece, PIECE), float64
    """
    parameter = _known(name)
    keys = [("mismatch", chip.statistics_version, chip.seed, name) for chip in specimens]
    values = parameter.scaled(_pieces(keys, pieces))
    for k, chip in enumerate(specimens):
        if name in chip.overrides:
            values[k] = np.asarray(chip.overrides[name]).reshape(-1, PIECE)[pieces]
    return values


def _by_size(sizes: Mapping[str, int]) -> dict[int, list[str]]:
    """Return the names that have each size."""
    return {size: [name for name in sizes if sizes[name] == size] for size in set(sizes.values())}


def keyed_normals(n: int, *key: str | int) -> NDArray[np.float64]:
    """Return `n` standard normal variates that depend on the key alone.

    Parameters
    ----------
    n : int
        How many.
    *key : str or int
        Words that name the stream. Different keys give independent streams. Streams of different length with the same key share their beginning.

    Returns
    -------
    ndarray, shape (n,), float64
        About 20 ns each, and 30 us to start.
    """
    return keyed_normals_of(n, [key])[0]


PIECE = 64
"""Variates of a stream that may be drawn without the others."""


def keyed_normals_of(n: int, keys: Sequence[tuple[str | int, ...]], pieces: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """Return the variates of :func:`keyed_normals` for several keys, shape (key, n): the same bits, without the time to start each.

    With `pieces`, only these pieces of :data:`PIECE` variates are drawn, and the others are 0; `n` is a multiple.
    """
    if pieces is not None:
        drawn = np.zeros((len(keys), n // PIECE, PIECE))
        if len(pieces):
            drawn[:, pieces] = _pieces(keys, pieces)
        return drawn.reshape(len(keys), n)
    return _normals(_keyed_words(n + n % 2, keys))[:, :n]


def _pieces(keys: Sequence[tuple[str | int, ...]], pieces: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return some pieces of the variates of several keys, shape (key, piece, PIECE)."""
    words = _words(_digests(keys).repeat(len(pieces), axis=0), np.tile(pieces * (PIECE // _WORDS_PER_COUNT), len(keys)), PIECE)
    return _normals(words).reshape(len(keys), len(pieces), PIECE)


_BLOCK = 8192  # words whose variates are made at once, in the second-level cache


def _normals(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return standard normal variates, shape (stream, n), made from pairs of neighbours (Box and Muller); n is even."""
    variates, flat = np.empty(words.size), words.reshape(-1)
    for begin in range(0, words.size, _BLOCK):
        uniforms, out = _uniforms(flat[begin : begin + _BLOCK]), variates[begin : begin + _BLOCK]
        radius, angle = np.sqrt(-2 * np.log(uniforms[0::2])), 2 * np.pi * uniforms[1::2]
        np.multiply(radius, np.cos(angle), out=out[0::2])
        np.multiply(radius, np.sin(angle), out=out[1::2])
    return variates.reshape(words.shape)


def keyed_reads(ticks: NDArray[np.int64], numbers: NDArray[np.int64], *key: str | int) -> NDArray[np.float64]:
    """Return one standard normal variate for each tick and number (of a circuit, channel ...), shape (tick, number).

    Each depends on its tick, its number and the key alone, so a sample's noise does not depend on what else is sampled. About 60 ns each.
    """
    seed = np.frombuffer(blake2b(repr(key).encode(), digest_size=8).digest(), "<u8")[0]
    place = (ticks.astype(np.uint64)[:, np.newaxis] << np.uint64(11)) + (numbers.astype(np.uint64) << np.uint64(1))
    first, second = (_mixed(place + np.uint64(k), seed) for k in (0, 1))
    return np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second)


def _mixed(counter: NDArray[np.uint64], seed: np.uint64) -> NDArray[np.float64]:
    """Return a number between 0 and 1, both excluded, for each counter (splitmix64 of Steele, Lea and Flood, as a function of its state)."""
    x = counter * np.uint64(0x9E3779B97F4A7C15) + seed
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53 + 2.0**-54


def keyed_uniforms(n: int, *key: str | int) -> NDArray[np.float64]:
    """Return `n` numbers between 0 and 1, both excluded, that depend on the key alone."""
    return keyed_uniforms_of(n, [key])[0]


def keyed_uniforms_of(n: int, keys: Sequence[tuple[str | int, ...]]) -> NDArray[np.float64]:
    """Return the numbers of :func:`keyed_uniforms` for several keys, shape (key, n)."""
    return _uniforms(_keyed_words(n, keys))


def _keyed_words(n: int, keys: Sequence[tuple[str | int, ...]]) -> NDArray[np.uint64]:
    """Return the first `n` words of the generator of each key, shape (key, n)."""
    return _words(_digests(keys), np.zeros(len(keys), np.int64), n)


_WORDS_PER_COUNT = 4  # of a count of Philox4x64


def _digests(keys: Sequence[tuple[str | int, ...]]) -> NDArray[np.uint64]:
    """Return the generators' keys, shape (key, 2)."""
    digests = b"".join([blake2b(repr(key).encode(), digest_size=16).digest() for key in keys])
    return np.frombuffer(digests, "<u8").astype(np.uint64).reshape(-1, 2)


def _words(digests: NDArray[np.uint64], first: NDArray[np.int64], n: int) -> NDArray[np.uint64]:
    """Return `n` words of some generators, each from a count on, shape (generator, n)."""
    from neckar.dynamics._philox import philox_words

    return philox_words(digests, first, n)


def _uniforms(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    return ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def _known(name: str) -> MismatchParameter:
    if name not in _PARAMETERS:
        raise UnknownNameError(f"a specimen has no mismatch parameter {name!r}{nearest(name, _PARAMETERS)} Names: {', '.join(_PARAMETERS)}.")
    return _PARAMETERS[name]


def _checked_override(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return a read-only copy of an override after checking it."""
    parameter = _known(name)
    array = np.array(values, dtype=np.float64)
    if array.shape != parameter.shape:
        raise ConfigurationError(f"override {name} has shape {array.shape}; its shape is {parameter.shape}, axes ({', '.join(parameter.axes)}).")
    if not np.isfinite(array).all() or (parameter.is_factor and (array <= 0).any()):
        need = "finite and positive, because they are factors" if parameter.is_factor else f"finite, in {parameter.unit}"
        raise ConfigurationError(f"override {name} holds values that are no deviations; they must be {need}.")
    array.flags.writeable = False
    return array


def _digest(overrides: Mapping[str, NDArray[np.float64]]) -> str:
    if not overrides:
        return ""
    digest = hashlib.sha256()
    for name, array in overrides.items():
        digest.update(name.encode() + b"\0" + array.tobytes())
    return digest.hexdigest()
