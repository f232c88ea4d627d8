"""What a fit may change of a chip: single deviations of circuits and of the whole chip, as normal numbers with the population's spread.

The list follows :func:`neckar.chip.specimen.mismatch_parameters`: every parameter of circuits, quadrants and the whole chip is an unknown, whatever it is
called, and a fit finds out which of them its observations depend on. Of the arrays of synapses and drivers only means can be seen, those over the synapses and
drivers in use. Factors are unknown by their logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.passport.characterisation import Synapses
from neckar.chip.cadc import CAUSAL
from neckar.chip.coordinates import ROWS_PER_DRIVER, column_of, hemisphere_of
from neckar.chip.specimen import MismatchParameter, Specimen, mismatch_parameters
from neckar.facts import AXES

Values = NDArray[np.float64]

_N = AXES["circuit"]


@dataclass(frozen=True, eq=False)
class Unknown:
    """One number of the whole chip, or one of each circuit: the mean of some deviations.

    Attributes
    ----------
    name : str
        For tables.
    parameter : str
        Key of :func:`~neckar.chip.specimen.mismatch_parameters`.
    index : ndarray of int64, shape (circuit, element) or (element,)
        Flat positions of the deviations, per circuit or of the whole chip.
    sigma : float
        Standard deviation in the population, of the logarithm for factors.
    """

    name: str
    parameter: str
    index: NDArray[np.int64]
    sigma: float

    @property
    def is_of_circuits(self) -> bool:
        """Whether each circuit has its own."""
        return self.index.ndim == 2


def unknowns(synapses: Mapping[str, Synapses]) -> tuple[Unknown, ...]:
    """Return all unknowns of a chip on which the synapses in `synapses`, by receptor, are in use; those of circuits first."""
    found = [Unknown(name, name, _indices(parameter), parameter.sigma) for name, parameter in mismatch_parameters().items() if parameter.axes == ("circuit",)]
    known = mismatch_parameters()
    channel = np.ravel_multi_index((hemisphere_of(np.arange(_N)), np.full(_N, CAUSAL), column_of(np.arange(_N))), known["cadc_offset"].shape)
    found += [Unknown(name, name, channel[:, None], known[name].sigma) for name in ("cadc_offset", "cadc_gain")]
    found += [of for receptor, used in synapses.items() if len(used.row) for of in (_synapses(receptor, used),)]
    for name, parameter in known.items():
        if parameter.is_chip_level and parameter.sigma > 0:
            labels = [name] if not parameter.axes else [f"{name} {i}" for i in range(math.prod(parameter.shape))]
            found += [Unknown(label, name, np.array([i]), parameter.sigma) for i, label in enumerate(labels)]
    found += [Unknown(f"synapse_gradient {i}", "synapse_gradient", np.array([i]), known["synapse_gradient"].sigma) for i in range(2)]
    for receptor, used in synapses.items():
        found += [_drivers(receptor, used, h) for h in range(AXES["hemisphere"]) if (used.hemisphere == h).any()]
    return tuple(found)


def _indices(parameter: MismatchParameter) -> NDArray[np.int64]:
    return np.arange(math.prod(parameter.shape))[:, None]


def _synapses(receptor: str, used: Synapses) -> Unknown:
    """Return the mean of each circuit's synapses in use."""
    parameter = mismatch_parameters()["synapse"]
    flat = np.ravel_multi_index((used.hemisphere, used.row, used.column), parameter.shape)
    order = np.argsort(used.neuron, kind="stable")
    each = len(flat) // _N
    return Unknown(f"synapse {receptor}", "synapse", flat[order].reshape(_N, each), parameter.sigma / math.sqrt(each))


def _drivers(receptor: str, used: Synapses, hemisphere: int) -> Unknown:
    """Return the mean of the drivers of an input in one hemisphere."""
    parameter = mismatch_parameters()["driver_pulse"]
    drivers = np.unique(used.row[used.hemisphere == hemisphere] // ROWS_PER_DRIVER)
    flat = np.ravel_multi_index((np.full(len(drivers), hemisphere), drivers), parameter.shape)
    return Unknown(f"driver_pulse {receptor} {hemisphere}", "driver_pulse", flat, parameter.sigma / math.sqrt(len(drivers)))


@dataclass(frozen=True, eq=False)
class State:
    """Values of unknowns: `circuits` (unknown of circuits, circuit) and `whole` (unknown of the whole chip,), in the unknowns' order."""

    circuits: Values
    whole: Values

    def moved(self, circuits: Values, whole: Values) -> State:
        """Return the state after a step."""
        return State(self.circuits + circuits, self.whole + whole)


def split(all_unknowns: Sequence[Unknown]) -> tuple[list[Unknown], list[Unknown]]:
    """Return the unknowns of circuits and those of the whole chip."""
    return [u for u in all_unknowns if u.is_of_circuits], [u for u in all_unknowns if not u.is_of_circuits]


def specimen_of(all_unknowns: Sequence[Unknown], state: State, seed: int, name: str, everything: bool = False) -> Specimen:
    """Return the chip with these deviations and none beside them.

    Parameters
    ----------
    all_unknowns : sequence of Unknown
    state : State
    seed : int
        At least 1. Draws nothing that the unknowns touch.
    name : str
        Id of the chip.
    everything : bool
        Also set every parameter without unknowns to no deviation. Otherwise only those that a prediction of membranes can depend on: the large arrays stay as
        the seed draws them, unread.
    """
    arrays = {name: np.zeros(math.prod(p.shape)) for name, p in mismatch_parameters().items() if everything or _is_small(p)}
    _add(arrays, all_unknowns, state)
    return Specimen(name, seed, overrides=_deviations(arrays))


def drawn_specimen(all_unknowns: Sequence[Unknown], state: State, seed: int, name: str) -> Specimen:
    """Return a chip with these deviations, everything else drawn from the population by the seed."""
    prior = Specimen.from_seed(seed)
    touched = {u.parameter for u in all_unknowns}
    arrays = {}
    for key in touched:
        deviation = prior.deviation(key).reshape(-1)
        arrays[key] = np.log(deviation) if mismatch_parameters()[key].is_factor else deviation.copy()
    for unknown in all_unknowns:
        array = arrays[unknown.parameter]
        array[unknown.index] -= array[unknown.index].mean(axis=-1, keepdims=True)
    _add(arrays, all_unknowns, state)
    return Specimen(name, seed, overrides=_deviations(arrays))


def _add(arrays: dict[str, Values], all_unknowns: Sequence[Unknown], state: State) -> None:
    own, whole = split(all_unknowns)
    for unknown, values in zip(own, state.circuits, strict=True):
        arrays[unknown.parameter][unknown.index] += values[:, None]
    for unknown, value in zip(whole, state.whole, strict=True):
        arrays[unknown.parameter][unknown.index] += value


def _deviations(arrays: Mapping[str, Values]) -> dict[str, Values]:
    known = mismatch_parameters()
    return {name: (np.exp(array) if known[name].is_factor else array).reshape(known[name].shape) for name, array in arrays.items()}


def _is_small(parameter: MismatchParameter) -> bool:
    return parameter.name == "synapse" or "row" not in parameter.axes
