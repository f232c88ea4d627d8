"""Circuits that share a membrane, and conductances between membranes: what they are together.

Ideal switches make the membranes of several circuits one: capacitances, conductances and currents add. Conductances between membranes form a network; the
capacitors and it alone relax by ``C dV/dt = -G V`` with the symmetric matrix G, whose rows add up to zero, so charge is conserved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics._parameters import CircuitParameters
from neckar.errors import ConfigurationError

Values = NDArray[np.float64]
Ints = NDArray[np.int64]
US = 1e6


@dataclass(frozen=True, eq=False)
class Membranes:
    """Membranes that are shared or connected. Circuits that are neither do not appear.

    Attributes
    ----------
    circuit : ndarray of int64, shape (member,)
        Circuits, membrane by membrane; a circuit appears once. They count over the lanes, 256 each.
    ptr : ndarray of int64, shape (membrane + 1,)
        Membrane m belongs to the circuits ``circuit[ptr[m]:ptr[m + 1]]``.
    pair : ndarray of int64, shape (conductance, 2)
        Membranes that a conductance connects.
    siemens : ndarray of float64, shape (conductance,)
        Conductances, S, >= 0.
    """

    circuit: Ints
    ptr: Ints
    pair: Ints
    siemens: Values

    def __len__(self) -> int:
        return len(self.ptr) - 1

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Membranes):
            return NotImplemented
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in ("circuit", "ptr", "pair", "siemens"))

    __hash__ = None  # type: ignore[assignment]  # compares arrays

    @cached_property
    def of_member(self) -> Ints:
        """Membrane of each member."""
        return np.repeat(np.arange(len(self)), np.diff(self.ptr))

    @cached_property
    def clusters(self) -> list[Ints]:
        """Membranes that conductances connect, directly or over others; each membrane is in one cluster, alone if it has no conductance."""
        root = np.arange(len(self))
        for a, b in self.pair:
            low, high = sorted((root[a], root[b]))
            root[root == high] = low
        return [np.flatnonzero(root == r) for r in np.unique(root)]

    def laplacian(self, membranes: Ints) -> Values:
        """Return the matrix G of some membranes, S: the current out of each into the network is ``G @ V``."""
        place = {int(m): k for k, m in enumerate(membranes)}
        g = np.zeros((len(membranes), len(membranes)))
        for (a, b), s in zip(self.pair, self.siemens, strict=True):
            if int(a) in place and a != b:
                i, j = place[int(a)], place[int(b)]
                g[[i, j], [i, j]] += s
                g[[i, j], [j, i]] -= s
        return g

    def capacitance(self, p: CircuitParameters) -> Values:
        """Return the capacitance of each membrane, F; `p` has all circuits."""
        return self.total(p.capacitance)

    def total(self, values: Values) -> Values:
        """Return the sum of a quantity over the circuits of each membrane; `values` has all circuits."""
        return np.bincount(self.of_member, values[self.circuit], len(self)).astype(np.float64)


def relaxation_rates(g: Values, capacitance: Values) -> tuple[Values, Values]:
    """Return rates (1/us) and modes of a network: the columns of the second are the eigenvectors of ``C**-1/2 G C**-1/2``."""
    root = np.sqrt(capacitance * US)
    rates, modes = np.linalg.eigh(g / np.outer(root, root))
    return np.maximum(rates, 0.0), modes


def mean_propagator(rates: Values, modes: Values, capacitance: Values, h: float) -> Values:
    """Return the mean over a time `h` (us) of the network's propagator ``exp(-t C**-1 G)``: the share of a slope that is left of it over a step."""
    z = rates * h
    share = np.where(z > 1e-8, -np.expm1(-z) / np.maximum(z, 1e-8), 1.0)
    root = np.sqrt(capacitance)
    return np.asarray((modes * share) @ modes.T * root / root[:, None])


def joined(p: CircuitParameters, membranes: Membranes) -> CircuitParameters:
    """Return parameters in which each member has what its whole membrane has.

    Capacitances, leak conductances and constant currents add, noise adds in squares, exponential currents of equal slope add exactly. The reset of a circuit is
    its own and the leaks of the others. What does not belong to the membrane (synaptic lines and transconductances, thresholds, times, adaptation) stays
    each circuit's own. `p` has all circuits.

    Raises
    ------
    ConfigurationError
        If exponential currents of different slopes meet on one membrane.
    """
    c, of = membranes.circuit, membranes.of_member
    if len(c) == 0:
        return p

    def total(x: Values) -> Values:
        return membranes.total(x)[of]

    def weighted(g: Values, ge: Values, otherwise: Values) -> Values:
        return np.divide(ge, g, out=otherwise.copy(), where=g > 0)

    g_leak, ge_leak = total(p.g_leak), total(p.g_leak * p.e_leak)
    g_reset = p.g_reset[c] + g_leak - p.g_leak[c]
    ge_reset = p.g_reset[c] * p.e_reset[c] + ge_leak - p.g_leak[c] * p.e_leak[c]
    i_exp, v_exp = _exponentials(p, membranes)
    values = {
        "capacitance": total(p.capacitance),
        "g_leak": g_leak,
        "e_leak": weighted(g_leak, ge_leak, p.e_leak[c]),
        "g_reset": g_reset,
        "e_reset": weighted(g_reset, ge_reset, p.e_reset[c]),
        "i_source": total(p.i_source),
        "i_sink": total(p.i_sink),
        "i_syn_rest": total(p.i_syn_rest),
        "i_exp": np.bincount(of, i_exp, len(membranes))[of],
        "v_exp": v_exp,
        "noise": np.sqrt(total(p.noise**2)),
    }
    changed = {name: getattr(p, name).copy() for name in values}
    for name, value in values.items():
        changed[name][c] = value
    return replace(p, **changed)


def _exponentials(p: CircuitParameters, membranes: Membranes) -> tuple[Values, Values]:
    """Return the exponential current of each member at a common potential of its membrane (A), and that potential (V)."""
    c, of = membranes.circuit, membranes.of_member
    on, v, slope = p.i_exp[c] > 0, p.v_exp[c], p.delta_exp[c]
    for m in range(len(membranes)):
        used = slope[on & (of == m)]
        if len(used) and np.ptp(used) > 1e-9:
            members = c[on & (of == m)]
            raise ConfigurationError(
                f"circuits {members[0]} and {members[np.flatnonzero(used != used[0])[0]]} share a membrane and have exponential currents of the slopes "
                f"{used[0]:g} and {used[used != used[0]][0]:g} V; on one membrane they must be equal. Set equal slopes or switch one current off."
            )
    lowest = np.full(len(membranes), np.inf)
    np.minimum.at(lowest, of[on], v[on])
    common = np.where(np.isfinite(lowest[of]), lowest[of], v)
    return np.where(on, p.i_exp[c] * np.exp(np.minimum((common - v) / slope, 0.0)), 0.0), common


def settled(p: CircuitParameters, membranes: Membranes, v: Values, current: Values) -> Values:
    """Return potentials at rest of all circuits, given those of lone circuits.

    Parameters
    ----------
    p : CircuitParameters
        All circuits.
    membranes : Membranes
    v : ndarray, shape (circuit,)
        Potentials at rest of circuits without connections, V; what connected circuits get replaces theirs.
    current : ndarray, shape (circuit,)
        Constant current into each membrane, A.

    Returns
    -------
    ndarray, shape (circuit,)
        V. The solution of leaks, constant currents and conductances as a linear network; a membrane without leak takes part with one of a second.
    """
    v = v.copy()
    if len(membranes) == 0:
        return v
    of, c = membranes.of_member, membranes.circuit
    own = np.bincount(of, p.g_leak[c])
    g_leak = np.maximum(own, membranes.capacitance(p))
    source = np.bincount(of, p.g_leak[c] * p.e_leak[c] + current[c]) + (g_leak - own) * np.bincount(of, v[c]) / np.bincount(of)
    at = np.empty(len(membranes))
    for cluster in membranes.clusters:
        at[cluster] = np.linalg.solve(membranes.laplacian(cluster) + np.diag(g_leak[cluster]), source[cluster])
    v[c] = at[of]
    return v


def shared_charge(p: CircuitParameters, membranes: Membranes, v: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the potentials of all circuits after their membranes have been joined: the charge on a membrane is what its circuits held."""
    v = v.copy()
    if len(membranes):
        of, c = membranes.of_member, membranes.circuit
        mean = np.bincount(of, p.capacitance[c] * v[c]) / np.bincount(of, p.capacitance[c])
        same = np.bincount(of, np.abs(v[c] - mean[of].astype(np.float32)) > 0) == 0
        v[c] = np.where(same[of], v[c], mean[of].astype(np.float32))
    return v
