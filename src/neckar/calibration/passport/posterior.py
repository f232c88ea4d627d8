"""The fit: the most probable deviations of a chip, and how far they are known.

The prior is the population, normal in every unknown. Observations are linearised about the present chip, circuits are independent of each other given the
deviations of the whole chip, and so the most probable chip is found by a few Gauss-Newton steps in which each circuit's unknowns are eliminated (an arrow of
equations). The posterior is the normal distribution that the last linearisation leaves (Laplace's approximation). The derivatives are finite differences: one
prediction with an unknown moved on all circuits at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.passport.model import Model
from neckar.calibration.passport.observations import CLOCK_US, FIRING, POTENTIALS, TIME_COURSES, Observation
from neckar.calibration.passport.unknowns import State, Unknown, specimen_of, split
from neckar.chip.coordinates import hemisphere_of, quadrant_of
from neckar.facts import AXES
from neckar.facts import brainscales2 as facts

Values = NDArray[np.float64]

_N = AXES["circuit"]
_STEP = 0.1  # of a finite difference, in standard deviations of the population
_SEEN = 0.05  # an unknown counts as seen if one standard deviation moves the observations of the median circuit by so much of their error in all


class Step(NamedTuple):
    """One step of a fit.

    Attributes
    ----------
    stage : int
        Up to which observations are used (:attr:`Observation.stage`).
    doubt : float
        Factor on the errors of the model: a fit starts far away, where lines are no good guide, and must not trust small errors there.
    """

    stage: int
    doubt: float


_STEPS = (
    Step(POTENTIALS, 1.0),
    Step(TIME_COURSES, 8.0),
    Step(TIME_COURSES, 2.0),
    Step(FIRING, 30.0),
    Step(FIRING, 8.0),
    Step(FIRING, 2.0),
    Step(FIRING, 1.0),
)
_WRITES_COUNT = 2.0
"""Errors of writing cells are small beside a larger doubt, and left out."""

_FAR = 3.0  # longest step of an unknown, in standard deviations of the population
_STRANGE = 6.0  # an observation further off, in standard errors, counts less from then on: a circuit that is broken shall not bend the chip
RAMP_CELLS = ("cadc_v_ramp_offset", "cadc_i_ramp_slope")
_HEMISPHERE, _QUADRANT, _QUADRANTS = hemisphere_of(np.arange(_N)), quadrant_of(np.arange(_N)), AXES["quadrant"]


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is known about a chip.

    Attributes
    ----------
    unknowns : tuple of Unknown
    state : State
        The most probable values.
    seen : frozenset of str
        Names of the unknowns that the observations depend on; the others keep their prior.
    whole_covariance : ndarray, shape (common, same)
        Of what circuits have in common: the unknowns of the whole chip, then the errors that circuits share.
    circuit_covariance : ndarray, shape (circuit, unknown of circuits, same)
        Given what circuits have in common.
    coupling : ndarray, shape (circuit, unknown of circuits, common)
        How the most probable values of a circuit move with what circuits have in common.
    seed : int
        Of the chip's other draws.
    """

    unknowns: tuple[Unknown, ...]
    state: State
    seen: frozenset[str]
    whole_covariance: Values
    circuit_covariance: Values
    coupling: Values
    seed: int

    def draw(self, rng: np.random.Generator) -> State:
        """Return values drawn from the posterior: those of the whole chip with the errors that circuits share, then those of the circuits given them."""
        common = _normal(self.whole_covariance, rng.standard_normal(len(self.whole_covariance)))
        circuits = _normal(self.circuit_covariance, rng.standard_normal((_N, len(self.state.circuits))))
        return self.state.moved((circuits + self.coupling @ common).T, common[: len(self.state.whole)])

    def sigma(self) -> Mapping[str, tuple[float, float]]:
        """Return standard deviations of every unknown, its prior and what is left of it (of circuits: the median), by name."""
        own, whole = split(self.unknowns)
        spread = self.circuit_covariance + self.coupling @ self.whole_covariance @ self.coupling.transpose(0, 2, 1)
        left = [*np.median(np.sqrt(np.diagonal(spread, axis1=1, axis2=2)), axis=0), *np.sqrt(np.diagonal(self.whole_covariance)[: len(whole)])]
        return {unknown.name: (unknown.sigma, float(sigma)) for unknown, sigma in zip([*own, *whole], left, strict=True)}


def _normal(covariance: Values, variates: Values) -> Values:
    values, vectors = np.linalg.eigh(covariance)
    return np.einsum("...ij,...j->...i", vectors * np.sqrt(values.clip(0.0))[..., None, :], variates)


def infer(all_unknowns: Sequence[Unknown], observed: Sequence[Observation], seed: int, progress: Callable[[str], None] = lambda _: None) -> Posterior:
    """Return the posterior of a chip.

    Parameters
    ----------
    all_unknowns : sequence of Unknown
        Those of circuits first.
    observed : sequence of Observation
    seed : int
        Of everything that the unknowns do not cover.
    progress : callable
        Takes a sentence after each step.

    Returns
    -------
    Posterior
        About 15 s for 700 numbers per circuit.
    """
    own, whole = split(all_unknowns)
    state = State(np.zeros((len(own), _N)), np.zeros(len(whole)))
    furthest = [_FAR * np.array([u.sigma for u in part]) for part in (own, whole)]
    stages = [step.stage for step in _STEPS]
    blind: set[tuple[str, str]] = set()
    shared, equations = dict[str, float](), None
    for number, (stage, doubt) in enumerate(_STEPS):
        used = [o for o in observed if o.stage <= stage]
        is_last = number == len(_STEPS) - 1
        rows = _linearised(all_unknowns, blind, state, used, shared, seed, doubt, is_last)
        equations = _Arrow.of(own, whole, state, rows, shared)
        if number == stages.index(stage):  # whoever moves nothing now will not do so later
            blind |= _blind(own, whole, used, rows)
        step, shift = equations.solution()
        state = state.moved(np.clip(step.circuits, -furthest[0][:, None], furthest[0][:, None]), np.clip(step.whole, -furthest[1], furthest[1]))
        shared = {name: shared.get(name, 0.0) + float(np.clip(more, -2, 2)) for name, more in shift.items()}
        progress(f"step {number + 1} of {len(_STEPS)}: {equations.misfit:.2f} standard errors per observation")
    assert equations is not None
    return equations.posterior(state, seed)


@dataclass(frozen=True, eq=False)
class _Rows:
    """One observation, linearised and in units of its standard errors, independent of each other.

    `residual` and `used` (circuit, number), `own` (circuit, number, unknown of circuits), `whole` (circuit, number, unknown of the whole chip), `shared`
    (circuit, number, error that circuits share) with the names of these errors.
    """

    residual: Values
    used: NDArray[np.bool_]
    own: Values
    whole: Values
    shared: Values
    names: Sequence[str]


def _linearised(
    all_unknowns: Sequence[Unknown],
    blind: set[tuple[str, str]],
    state: State,
    observed: Sequence[Observation],
    shared: Mapping[str, float],
    seed: int,
    doubt: float,
    is_last: bool,
) -> list[_Rows]:
    """Return all observations, linearised about a state.

    Derivatives of pairs of unknown and observation that are `blind` are left out; pairs of cell and observation are added to them. In the last step strange
    observations count less.
    """
    own, whole = split(all_unknowns)
    here = Model(specimen_of(all_unknowns, state, seed, "fit"))
    centre = [o.predict(here, o.codes) for o in observed]
    slopes = [[np.zeros((*c.shape, len(part))) for part in (own, whole)] for c in centre]
    for k, unknown in enumerate([*own, *whole]):
        wanted = [i for i, o in enumerate(observed) if (unknown.name, o.name) not in blind]
        if not wanted:
            continue
        circuits, chip = np.zeros_like(state.circuits), np.zeros_like(state.whole)
        level, place, values = (0, k, circuits) if unknown.is_of_circuits else (1, k - len(own), chip)
        values[place] = _STEP * unknown.sigma
        there = Model(specimen_of(all_unknowns, state.moved(circuits, chip), seed, "fit"))
        for i in wanted:
            slopes[i][level][:, :, place] = (observed[i].predict(there, observed[i].codes) - centre[i]) / (_STEP * unknown.sigma)
    rows = []
    for number, (o, predicted, derivatives) in enumerate(zip(observed, centre, slopes, strict=True)):
        errors = _shared_errors(o, f"{o.name} {number}", here, predicted)
        moved = predicted + sum((shared.get(name, 0.0) * error for name, error in errors.items()), np.zeros_like(predicted))
        rows.append(_whitened(o, here, moved, derivatives, errors, doubt, is_last, blind))
    return rows


def _shared_errors(o: Observation, run: str, here: Model, predicted: Values) -> dict[str, Values]:
    """Return what one standard deviation of each error that circuits share does to an observation, shape (circuit, number), by name."""
    found = dict(o.common)
    if o.has_clock:
        found |= {f"clock {h} of {run}": CLOCK_US * _drift(predicted) * np.equal(_HEMISPHERE, h)[:, None] for h in range(AXES["hemisphere"])}
    for cell in RAMP_CELLS if o.write else ():
        moved = o.predict(here, {**o.codes, cell: o.codes[cell] + facts.CAPMEM_JITTER.value}) - predicted
        found |= {f"{cell} {quadrant} {o.write}": moved * np.equal(_QUADRANT, quadrant)[:, None] for quadrant in range(_QUADRANTS)}
    return found


def _drift(predicted: Values) -> Values:
    """Return how readings move if the clock is late by 1 us, roughly: differences between samples that are about 2 us apart."""
    return np.gradient(predicted, axis=1) / 2.0 if predicted.shape[1] > 1 else np.zeros_like(predicted)


def _whitened(
    o: Observation,
    here: Model,
    predicted: Values,
    slopes: Sequence[Values],
    errors: Mapping[str, Values],
    doubt: float,
    is_last: bool,
    blind: set[tuple[str, str]],
) -> _Rows:
    """Divide by a root of the errors' covariance: noise of samples, of membranes, of writes, of the model."""
    missing = o.is_missing
    shared = [doubt * error for error in o.model]
    for cell in o.cells if doubt <= _WRITES_COUNT else ():
        if (cell, o.name) not in blind:
            moved = o.predict(here, {**o.codes, cell: o.codes[cell] + facts.CAPMEM_JITTER.value}) - o.predict(here, o.codes)
            shared.append(moved / np.sqrt(o.repeats))
            if np.abs(moved).max() < 1e-6:
                blind.add((cell, o.name))
    per_error = np.where(missing, 0.0, 1 / np.sqrt(o.variance))
    u = np.stack(shared, axis=-1) * per_error[:, :, None]
    covariance = np.eye(o.value.shape[1]) + u @ u.transpose(0, 2, 1)
    if o.wander is not None:
        covariance += o.wander(here, o.codes) * per_error[:, :, None] * per_error[:, None, :]
    into_errors = np.linalg.inv(np.linalg.cholesky(covariance)) * per_error[:, None, :]

    def white(columns: Values) -> Values:
        return np.asarray(into_errors @ columns)

    plain = white((o.value - predicted)[:, :, None])[:, :, 0]
    weight = np.minimum(1.0, _STRANGE / np.maximum(np.abs(plain), 1e-9)) if is_last else np.ones_like(plain)
    own, whole = (white(columns) * weight[:, :, None] for columns in slopes)
    common = np.stack(list(errors.values()), axis=-1) if errors else np.zeros((*plain.shape, 0))
    return _Rows(plain * weight, ~missing, own, whole, white(common) * weight[:, :, None], tuple(errors))


@dataclass(frozen=True, eq=False)
class _Arrow:
    """Normal equations of a hierarchy: unknowns of the whole chip and errors that circuits share, and unknowns of each circuit.

    `coupling` (circuit, own, whole) is minus the inverse of a circuit's block times its coupling to the whole chip.
    """

    unknowns: tuple[Sequence[Unknown], Sequence[Unknown]]
    kept: tuple[NDArray[np.int64], NDArray[np.int64]]
    circuit_covariance: Values
    coupling: Values
    own_gradient: Values
    block: Values
    gradient: Values
    strength: tuple[Values, Values]
    misfit: float
    names: Sequence[str]

    @classmethod
    def of(cls, own: Sequence[Unknown], whole: Sequence[Unknown], state: State, rows: Sequence[_Rows], shared: Mapping[str, float]) -> _Arrow:
        """Put the equations together.

        The most probable values of everything at once would shrink all voltages of a chip, whose scale is known least, because that makes the deviations of
        its circuits smaller and hence more probable. So the step of the whole chip is found from the mean circuit of each quadrant, whose deviations may move
        too: means know nothing of how far circuits scatter. Each circuit then follows with derivatives of its own.
        """
        kept = [_moving([getattr(row, part) for row in rows]) for part in ("own", "whole")]
        own_prior = 1 / np.array([u.sigma for u in own])[kept[0]] ** 2
        names = tuple(dict.fromkeys(name for row in rows for name in row.names))
        whole_prior = np.concatenate([1 / np.array([u.sigma for u in whole])[kept[1]] ** 2, np.ones(len(names))])
        n_own, n_whole = len(own_prior), len(whole_prior)
        own_information, cross, own_gradient = np.zeros((_N, n_own, n_own)), np.zeros((_N, n_own, n_whole)), np.zeros((_N, n_own))
        parts = _columns(rows, kept[0], kept[1], names)
        for part in parts:
            across = np.ascontiguousarray(part.own.transpose(0, 2, 1))
            own_information += across @ part.own
            cross[:, :, part.columns] += across @ part.whole
            own_gradient += (across @ part.residual[:, :, None])[:, :, 0]
        covariance = np.linalg.inv(own_information + np.diag(own_prior))
        coupling = -covariance @ cross
        own_gradient -= own_prior * state.circuits[kept[0]].T
        block, gradient = _of_means(parts, n_own, n_whole)
        means = np.add.reduceat(state.circuits[kept[0]].T, np.arange(0, _N, _N // _QUADRANTS), axis=0)  # circuits are numbered quadrant by quadrant
        block += np.diag(np.concatenate([whole_prior, np.tile(own_prior * _N / _QUADRANTS, _QUADRANTS)]))
        common = np.concatenate([state.whole[kept[1]], [shared.get(name, 0.0) for name in names]])
        gradient -= np.concatenate([whole_prior * common, (own_prior * means).reshape(-1)])
        residuals = np.concatenate([row.residual for row in rows], axis=1)
        misfit = float(np.sqrt((residuals**2).sum() / max(1, np.count_nonzero(residuals))))
        strength = np.median(np.sqrt(np.diagonal(own_information, axis1=1, axis2=2)), axis=0), np.sqrt((np.diagonal(block)[:n_whole] - whole_prior) / _N)
        return cls((own, whole), (kept[0], kept[1]), np.asarray(covariance), coupling, own_gradient, block, gradient, strength, misfit, names)

    def solution(self) -> tuple[State, dict[str, float]]:
        """Return the step of all unknowns, and that of the errors that circuits share, in standard deviations."""
        step = np.linalg.solve(self.block, self.gradient)[: self.coupling.shape[2]]
        circuits = np.einsum("nij,nj->ni", self.circuit_covariance, self.own_gradient) + self.coupling @ step
        own, whole = np.zeros((len(self.unknowns[0]), _N)), np.zeros(len(self.unknowns[1]))
        n = len(self.kept[1])
        own[self.kept[0]], whole[self.kept[1]] = circuits.T, step[:n]
        return State(own, whole), dict(zip(self.names, step[n:].tolist(), strict=True))

    def posterior(self, state: State, seed: int) -> Posterior:
        """Return the normal distribution about a state; unknowns that move nothing have their prior."""
        own, whole = self.unknowns
        n, n_common = len(self.kept[1]), len(whole) + len(self.names)
        common = np.concatenate([self.kept[1], np.arange(len(whole), n_common)])
        chip = np.diag(np.concatenate([np.array([u.sigma for u in whole]) ** 2, np.ones(len(self.names))]))
        chip[np.ix_(common, common)] = np.linalg.inv(self.block)[: len(common), : len(common)]
        circuits = np.tile(np.diag(np.array([u.sigma for u in own]) ** 2), (_N, 1, 1))
        circuits[:, self.kept[0][:, None], self.kept[0]] = self.circuit_covariance
        coupling = np.zeros((_N, len(own), n_common))
        coupling[:, self.kept[0][:, None], common] = self.coupling
        seen = {own[k].name for k, strength in zip(self.kept[0], self.strength[0], strict=True) if strength * own[k].sigma > _SEEN}
        seen |= {whole[k].name for k, strength in zip(self.kept[1], self.strength[1][:n], strict=True) if strength * whole[k].sigma > _SEEN}
        return Posterior((*own, *whole), state, frozenset(seen), chip, circuits, coupling, seed)


def _moving(derivatives: Sequence[Values]) -> NDArray[np.int64]:
    """Return the places of the unknowns, the last axis, of which anything depends."""
    return np.flatnonzero(np.max([np.abs(part).max(axis=(0, 1)) for part in derivatives], axis=0))


def _of_means(parts: Sequence[_Part], n_own: int, n_whole: int) -> tuple[Values, Values]:
    """Return matrix and right side of the equations of the whole chip and the common deviations of each quadrant's circuits, without priors."""
    n = n_whole + _QUADRANTS * n_own
    block, gradient = np.zeros((n, n)), np.zeros(n)
    for part in parts:
        for quadrant in range(_QUADRANTS):
            mine = np.equal(_QUADRANT, quadrant)
            count = np.maximum(part.used[mine].sum(axis=0), 1)[:, None]
            columns = np.concatenate([part.columns, n_whole + quadrant * n_own + np.arange(n_own)])
            mean = np.concatenate([part.whole[mine].sum(axis=0), part.own[mine].sum(axis=0)], axis=1) / count
            block[np.ix_(columns, columns)] += mean.T @ (count * mean)
            gradient[columns] += mean.T @ part.residual[mine].sum(axis=0)
    return block, gradient


@dataclass(frozen=True, eq=False)
class _Part:
    """One observation with the unknowns that are kept: as :class:`_Rows`, and the columns of `whole`, among them those of the shared errors."""

    residual: Values
    used: NDArray[np.bool_]
    own: Values
    whole: Values
    columns: NDArray[np.int64]


def _columns(rows: Sequence[_Rows], own: NDArray[np.int64], whole: NDArray[np.int64], names: Sequence[str]) -> list[_Part]:
    """Return the observations with the derivatives by the unknowns kept and by the errors that circuits share."""
    place = {name: len(whole) + number for number, name in enumerate(names)}
    found = []
    for row in rows:
        columns = np.concatenate([np.arange(len(whole)), np.array([place[name] for name in row.names], np.int64)])
        found.append(_Part(row.residual, row.used, row.own[:, :, own], np.concatenate([row.whole[:, :, whole], row.shared], axis=-1), columns))
    return found


def _blind(own: Sequence[Unknown], whole: Sequence[Unknown], observed: Sequence[Observation], rows: Sequence[_Rows]) -> set[tuple[str, str]]:
    """Return which observations do not move with which unknowns."""
    found = set()
    for o, row in zip(observed, rows, strict=True):
        for part, derivatives in ((own, row.own), (whole, row.whole)):
            moving = np.abs(derivatives).max(axis=(0, 1))
            found |= {(u.name, o.name) for u, largest in zip(part, moving, strict=True) if largest * u.sigma < 1e-3}
    return found
