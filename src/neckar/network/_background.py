"""Background sources: which generator on the chip each population uses, and the generators' registers.

A generator sends to one bus of one hemisphere. A population with targets in both hemispheres uses the generators of the same bus in both, with equal
settings and so with equal events. The low bits of a random generator's label are random, which makes one generator up to 256 sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.chip.config import ChipConfig
from neckar.chip.coordinates import BUSES_PER_HEMISPHERE
from neckar.errors import CapacityError, ParameterRangeError
from neckar.facts import AXES, registers
from neckar.facts import brainscales2 as facts
from neckar.network._graph import BackgroundPopulation, Network

ORDER = (3, 2, 1, 0)
"""Buses in the order of their use: those of the neurons that are placed first come last."""

_HEMISPHERES = AXES["hemisphere"]
_TABLE = registers("brainscales2")


@dataclass(frozen=True, eq=False)
class Generators:
    """Which generators are in use.

    Parameters
    ----------
    population : ndarray of int64, shape (background,)
        Population of each generator, -1 for none.
    label : ndarray of int64, shape (background,)
        Label of its first source.
    """

    population: NDArray[np.int64]
    label: NDArray[np.int64]


def background_codes(rate_hz: float) -> tuple[int, int]:
    """Return the codes ``background_period`` and ``background_rate`` of a random generator with about a rate.

    The generator draws every period + 1 cycles of the clock f and sends at a draw with the probability (rate + 1) / 256. Both follow upstream: the rate code
    is 255 rate_hz / f, rounded, and the period then meets rate_hz as well as its whole cycles allow. Source: pynn-brainscales ``cells.py``.

    Parameters
    ----------
    rate_hz : float
        Events per second of hardware time, those of all sources that share the generator.

    Returns
    -------
    period, rate : int

    Raises
    ------
    ParameterRangeError
        If the generator does not reach the rate.

    Examples
    --------
    >>> background_codes(100e3)
    (9, 0)
    """
    clock, draws = facts.EVENT_CLOCK.value, _TABLE["background_rate"].high + 1
    slowest = clock / draws / (_TABLE["background_period"].high + 1)
    if not slowest <= rate_hz <= clock:
        raise ParameterRangeError(
            f"a background generator with {rate_hz} Hz was asked for; allowed are {slowest:.3g} to {clock:.3g} Hz. Choose a rate between them."
        )
    rate = round((draws - 1) * rate_hz / clock)
    return round(clock / rate_hz * (rate + 1) / draws) - 1, rate


def choose_buses(network: Network, demand: NDArray[np.int64], population: NDArray[np.int64], bus: NDArray[np.int64], rows_per_bus: int) -> dict[int, int]:
    """Choose a bus for each population of background sources with targets: its own, or the first free one on which its rows fit.

    Parameters
    ----------
    network : Network
    demand : ndarray of int64, shape (source, receptor, hemisphere, column)
    population, bus : ndarray of int64, shape (source,)
        Population and fixed bus of each source, -1 for those without.
    rows_per_bus : int

    Returns
    -------
    dict of int to int
        From population to bus within the hemisphere.

    Raises
    ------
    CapacityError
        If there are more populations than generators, or two ask for the same one.
    """
    chosen: dict[int, int] = {}
    used = np.zeros((BUSES_PER_HEMISPHERE, _HEMISPHERES), np.bool_)
    synapses = np.stack([demand[bus == k].sum(axis=0) for k in range(BUSES_PER_HEMISPHERE)])  # (bus, receptor, hemisphere, column)
    asking = [number for number, one in enumerate(network.populations) if isinstance(one, BackgroundPopulation) and (population == number).any()]
    for number in sorted(asking, key=lambda number: network.populations[number].bus is None):  # type: ignore[union-attr]
        own = demand[population == number].sum(axis=0)
        halves = halves_of(own)
        wanted = network.populations[number].bus  # type: ignore[union-attr]
        free = [k for k in (ORDER if wanted is None else (wanted,)) if not used[k, halves].any()]
        if not free:
            raise CapacityError(
                f"population {network.populations[number].label!r} asks for a background generator on {'any bus' if wanted is None else f'bus {wanted}'} of "
                f"{'both hemispheres' if halves.all() else f'hemisphere {int(halves.argmax())}'}; allowed is one population on each of the "
                f"{BUSES_PER_HEMISPHERE} buses of a hemisphere, and all of these are taken. Join populations, choose another bus, or use SourcePopulation."
            )
        rows = (synapses[free] + own).max(axis=-1).sum(axis=1).max(axis=-1)
        k = free[int(np.argmax(rows <= rows_per_bus))]
        chosen[number] = k
        used[k, halves] = True
        synapses[k] += own
    return chosen


def halves_of(demand: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return in which hemispheres generators with some synapses, axes (receptor, hemisphere, column), run: the top one if there are none."""
    halves = np.asarray(demand.any(axis=(0, 2)))
    return halves if halves.any() else np.array([True, False])


def lower_background(network: Network, generators: Generators, base: ChipConfig) -> dict[str, NDArray[Any]]:
    """Return the registers of the generators, without those that hold the values of the base configuration."""
    if (generators.population < 0).all():
        return {}
    fields = {name: base[name].copy() for name in _TABLE if name.startswith("background_")}
    for generator, number in enumerate(generators.population.tolist()):
        population = network.populations[number]
        if number < 0 or not isinstance(population, BackgroundPopulation):
            continue
        values = {
            "background_enable": True,
            "background_enable_random": population.random,
            "background_period": population.period,
            "background_rate": population.rate,
            "background_seed": population.seed,
            "background_mask": population.size - 1,
            "background_label": generators.label[generator],
        }
        for name, value in values.items():
            fields[name][generator] = value
    return {name: codes for name, codes in fields.items() if not np.array_equal(codes, base[name])}
