"""Spike sources outside and on the chip."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyNN.standardmodels.cells
import quantities as pq
from numpy.typing import NDArray
from pyNN.parameters import ArrayParameter
from pyNN.standardmodels import build_translations

from neckar.errors import ConfigurationError, ParameterRangeError, UnsupportedFeatureError
from neckar.facts import brainscales2 as facts
from neckar.network import BackgroundPopulation, SourcePopulation, background_codes
from pynn_brainscales.brainscales2 import simulator
from pynn_brainscales.brainscales2._errors import PoissonRateError
from pynn_brainscales.brainscales2._warnings import warn_user
from pynn_brainscales.brainscales2.standardmodels.cells_base import ExternalNeuron, StandardCellType, one_per_cell

_MOST_SPIKES = 10**8  # expected in one Poisson train; a gigabyte of spike times


class SpikeSourceArray(ExternalNeuron, pyNN.standardmodels.cells.SpikeSourceArray):
    """Spike sources that fire at given times.

    Parameters
    ----------
    spike_times : sequence of float, or one sequence per source
        Milliseconds of hardware time, in any order, no NaN. A snippet plays those within it, ``begin <= time < end``: negative times are never played, with
        a warning, nor are times beyond the end of the experiment, without one, since a longer experiment plays them. Quantities, such as spike trains of
        neo, are taken in their unit.
    """

    default_parameters: ClassVar = {"spike_times": ArrayParameter([])}
    translations: ClassVar = build_translations(("spike_times", "spike_times"))
    recordable: ClassVar = ["spikes"]
    units: ClassVar = {"spike_times": "ms", "spikes": "ms"}

    def converted(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return parameters with times in milliseconds in place of quantities."""
        return {name: _in_ms(value) for name, value in parameters.items()}

    def stored(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """Return a copy of one spike train per source, of any kind, as array parameters."""
        listed = one_per_cell(values)
        stored = np.empty(len(listed), dtype=object)
        for i, value in enumerate(listed):
            times = np.asarray(value.value if isinstance(value, ArrayParameter) else value)
            if times.ndim != 1 or times.dtype.kind not in "biuf":
                raise ConfigurationError(f"{name} of source {i} is {value!r}; allowed is a sequence of times in ms. Write for instance [0.1, 0.2].")
            stored[i] = ArrayParameter(np.array(times, np.float64))
        return stored

    def to_network(self, population: Any, begin: float, end: float, duration: int) -> SourcePopulation:
        """Return the spikes between `begin` and `end` in ticks from `begin`, on the grid of the FPGA clock.

        Raises
        ------
        ConfigurationError
            If a time is NaN.
        """
        trains = [sequence.value for sequence in self.parameter_space._parameters["spike_times"]]
        for neuron, times in enumerate(trains):
            if np.isnan(times).any():
                raise ConfigurationError(
                    f"population {population.label!r}: spike_times of neuron {neuron} holds nan at position {int(np.flatnonzero(np.isnan(times))[0])}; "
                    "allowed are times in ms. Remove it."
                )
        return played(population.label, trains, begin, end)


class SpikeSourcePoisson(ExternalNeuron, pyNN.standardmodels.cells.SpikeSourcePoisson):
    """Spike sources with random times, drawn when they are first needed and kept until a parameter of the source changes.

    All targets and all runs see the same train, across several snippets one long one. Numbers come from numpy's global generator, as upstream: for each
    source in order ``np.random.poisson(int(duration * rate / 1000))`` times, uniform from `start` to `start + duration`.

    Parameters
    ----------
    start, duration : float
        Milliseconds of hardware time.
    rate : float
        Spikes per second of hardware time.
    """

    default_parameters: ClassVar = {"start": 0.0, "rate": 1.0, "duration": 0.0}
    translations: ClassVar = build_translations(*((name, name) for name in default_parameters))
    recordable: ClassVar = ["spikes"]
    units: ClassVar = {"start": "ms", "rate": "Hz", "duration": "ms", "spikes": "ms"}

    def __init__(self, start: Any, rate: Any, duration: Any) -> None:
        super().__init__(start=start, rate=rate, duration=duration)
        self._drawn: list[tuple[tuple[float, ...], NDArray[np.float64]]] = []

    def get_spike_times(self) -> list[NDArray[np.float64]]:
        """Return the times of each source in milliseconds, in no order; draws those whose parameters changed.

        Raises
        ------
        ConfigurationError
            If a parameter is not finite, rate or duration are negative, or a train would not fit in memory.
        """
        values = self.parameter_space._parameters
        wanted = list(zip(*(np.asarray(values[name], np.float64).tolist() for name in ("start", "rate", "duration")), strict=True))
        for neuron, one in enumerate(wanted):
            _check_train(neuron, *one)
        old = [*self._drawn, *[(None, None)] * (len(wanted) - len(self._drawn))]
        self._drawn = [before if before[0] == one else (one, _draw(*one)) for before, one in zip(old, wanted, strict=True)]  # type: ignore[misc]
        return [times for _, times in self._drawn]

    def to_network(self, population: Any, begin: float, end: float, duration: int) -> SourcePopulation:
        """Return the spikes between `begin` and `end` in ticks from `begin`, on the grid of the FPGA clock; none are drawn while nothing is played."""
        trains = self.get_spike_times() if duration else [np.zeros(0)] * population.size
        return played(population.label, trains, begin, end)


class SpikeSourcePoissonOnChip(StandardCellType):
    """Spike sources that share a random generator on the chip; one population per bus, at most four.

    The generator draws at fixed intervals, which makes a binned Poisson process of a rate near the one that is asked for, with the same spikes for the same
    seed. The number of sources is a power of two.

    Parameters
    ----------
    rate : float
        Spikes per second of hardware time of each source, the same for all.
    seed : int
        Start of the random numbers, the same for all.
    """

    background_source_clock_freq: ClassVar[float] = facts.EVENT_CLOCK.value
    """Clock of the generators in Hz; the sum of a population's rates cannot be higher."""

    default_parameters: ClassVar = {"rate": 1.0, "seed": 0}
    translations: ClassVar = build_translations(*((name, name) for name in default_parameters))
    recordable: ClassVar = ["spikes"]
    receptor_types: ClassVar[list[str]] = []
    units: ClassVar = {"rate": "Hz", "seed": "dimensionless", "spikes": "ms"}

    def __init__(self, rate: Any, seed: Any) -> None:
        super().__init__(rate=rate, seed=seed)

    def to_network(self, population: Any, begin: float, end: float, duration: int) -> BackgroundPopulation:
        """Return the generator's codes.

        Raises
        ------
        ConfigurationError
            If the sources differ in rate or seed.
        PoissonRateError
            If the generator does not reach the sum of the rates.
        """
        rate, seed = (_common(population.label, name, self.parameter_space._parameters[name]) for name in ("rate", "seed"))
        try:
            period, code = background_codes(rate * population.size)
        except ParameterRangeError as error:
            raise PoissonRateError(f"population {population.label!r} of {population.size} sources with {rate} Hz each: {error}") from None
        return BackgroundPopulation(population.label, population.size, period, rate=code, seed=int(seed), bus=population.bus)


class SpikeIOCell(ExternalNeuron):
    """Base of sources that reach the chip over pins of the FPGA.

    Parameters
    ----------
    enable_internal_loopback : bool
    data_rate_scaler : int
    label : sequence of int
        One label per source, each once.

    Raises
    ------
    ConfigurationError
        If no labels are given.
    """

    default_parameters: ClassVar = {"enable_internal_loopback": True, "data_rate_scaler": 1, "label": 0}
    translations: ClassVar = build_translations(*((name, name) for name in default_parameters))
    recordable: ClassVar = ["spikes"]
    receptor_types: ClassVar[list[str]] = []
    units: ClassVar = {**{name: "dimensionless" for name in default_parameters}, "spikes": "ms"}

    def __init__(self, *, enable_internal_loopback: Any = True, data_rate_scaler: Any = 1, label: Any = None) -> None:
        try:
            labels = np.atleast_1d([] if label is None else label)
        except ValueError:  # rows of different length
            raise ConfigurationError(f"{type(self).__name__} got label={label!r}; allowed is one label per source. Give a flat list.") from None
        if not labels.size:
            raise ConfigurationError(f"{type(self).__name__} without labels was asked for; allowed is one label per source. Give label=[...].")
        super().__init__(enable_internal_loopback=enable_internal_loopback, data_rate_scaler=data_rate_scaler, label=labels.tolist())

    def to_network(self, population: Any, begin: float, end: float, duration: int) -> SourcePopulation:
        """Check the parameters.

        Raises
        ------
        ConfigurationError
            If common parameters differ between sources, or labels repeat.
        UnsupportedFeatureError
            Otherwise: the pins are not part of this version.
        """
        for name in ("enable_internal_loopback", "data_rate_scaler"):
            _common(population.label, name, self.parameter_space._parameters[name])
        labels = np.asarray(self.parameter_space._parameters["label"]).tolist()
        if len(set(labels)) < len(labels):
            raise ConfigurationError(f"population {population.label!r} has the labels {labels}; allowed is each once. Remove the repetitions.")
        raise UnsupportedFeatureError(
            f"population {population.label!r} takes its spikes from pins of the FPGA, to which a virtual chip has nothing connected. Use SpikeSourceArray."
        )


class OffChipSource(SpikeIOCell):
    """Spikes that come in over pins of the FPGA; see :class:`SpikeIOCell`."""


def played(label: str, trains: list[NDArray[np.float64]], begin: float, end: float) -> SourcePopulation:
    """Return the spikes from `begin` to before `end` (milliseconds) in ticks from `begin`, on the grid of the FPGA clock."""
    early, n = sum(int(np.count_nonzero(times < 0)) for times in trains), sum(map(len, trains))
    if early and begin == 0 < end:
        text = f"population {label!r}: {early} of {n} spike times are negative and are never played; an experiment begins at 0. Shift them."
        warn_user(text)
    ticks = []
    for times in trains:
        ms = times[(times >= begin) & (times < end)] - begin
        ticks.append((ms * simulator.FPGA_CYCLES_PER_MS).astype(np.int64) * simulator.TICKS_PER_FPGA_CYCLE)
    return SourcePopulation.from_lists(label, ticks)


def _draw(start: float, rate: float, duration: float) -> NDArray[np.float64]:
    """Return the times of one train."""
    n = np.random.poisson(int(duration * rate / 1000))  # noqa: NPY002 - upstream's generator, which users seed
    return start + np.random.rand(n) * duration  # noqa: NPY002


def _check_train(neuron: int, start: float, rate: float, duration: float) -> None:
    if not np.isfinite((start, rate, duration)).all() or rate < 0 or duration < 0:
        raise ConfigurationError(
            f"source {neuron} of a SpikeSourcePoisson has start={start}, rate={rate}, duration={duration}; allowed are finite numbers, rate and duration not "
            "negative. Correct them with set()."
        )
    if duration * rate / 1000 > _MOST_SPIKES:
        raise ConfigurationError(
            f"source {neuron} of a SpikeSourcePoisson would send {duration * rate / 1000:.3g} spikes; allowed are {_MOST_SPIKES}. Lower rate or duration."
        )


def _common(label: str, name: str, values: Any) -> Any:
    """Return the value that all sources share."""
    different = np.unique(np.asarray(values))
    if len(different) > 1:
        raise ConfigurationError(
            f"population {label!r}: {name} is {different[0]} and {different[1]}; allowed is one value for all sources. Make one population for each value."
        )
    return different[0].item()


def _in_ms(value: Any) -> Any:
    """Return times as numbers in milliseconds if they have a unit."""
    if isinstance(value, pq.Quantity):
        times = np.asarray(pq.Quantity(value.magnitude, value.units).rescale("ms").magnitude)
        return times if times.ndim else float(times)
    if isinstance(value, (list, tuple)) and any(isinstance(one, pq.Quantity) for one in value):
        return [_in_ms(one) for one in value]
    return value
