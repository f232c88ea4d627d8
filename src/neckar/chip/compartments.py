"""Multi-compartment neurons: from the switches between circuits to shared and connected membranes.

Every circuit has a membrane and a piece of the somatic line that runs along its row. Five switches tie them to each other and to neighbours:

    connect_right          membrane         - membrane of the next column
    connect_vertical       membrane         - membrane of the other row in the same column; both circuits' switches must be on
    connect_soma           membrane         - own piece of the line
    connect_soma_right     piece of line    - piece of the next column
    enable_conductance     membrane         - own piece of the line, through the conductance that ``i_bias_nmda`` sets

The switches are ideal: what they join is one potential. A conductance whose two ends are joined carries nothing. Nothing connects column 127 with column 128.
Sources: haldls ``v3/neuron.h``, lola ``v3/neuron.h``; that a vertical connection takes both switches is how lola's ``morphology.h`` walks it.

The somatic line has no capacitance of its own: a stretch of line that no switch ties to a membrane follows the membranes around it at once, so the
conductances that meet there act between these directly (a star becomes a mesh).

Not modelled: resistance and charge of the switches, capacitance of the line, saturation of the conductances.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.chip.config import ChipConfig
from neckar.chip.coordinates import COLUMNS, COLUMNS_PER_BACKEND
from neckar.dynamics import Membranes
from neckar.errors import ConfigurationError
from neckar.facts import AXES

CIRCUITS = AXES["circuit"]
SWITCHES = tuple(f"multicompartment_{name}" for name in ("connect_right", "connect_vertical", "connect_soma", "connect_soma_right", "enable_conductance"))

RIGHT = SWITCHES[0], SWITCHES[3]
"""Switches to the next column."""

Ints = NDArray[np.int64]
Config = ChipConfig | Mapping[str, NDArray[Any]]


def _on(config: Config, name: str) -> NDArray[np.bool_]:
    return np.asarray(config[name], np.bool_) if name in config else np.zeros(CIRCUITS, np.bool_)


@dataclass(frozen=True, eq=False)
class Wiring:
    """What the switches of a configuration join.

    Attributes
    ----------
    net : ndarray of int64, shape (2, circuit)
        Number of the net that a circuit's membrane (0) and its piece of the somatic line (1) belong to: the lowest member, pieces count from 512 on. A net
        with a membrane has the number of its lowest membrane.
    conducting : ndarray of int64
        Circuits whose conductance connects two different nets.
    """

    net: Ints
    conducting: Ints

    @classmethod
    def of(cls, config: Config) -> Wiring:
        """Return the wiring of a configuration."""
        switches = {name: _on(config, name) for name in SWITCHES}
        net = np.arange(2 * CIRCUITS)
        for pair in _ties(switches):
            low, high = sorted(net[list(pair)])
            if low != high:
                net[net == high] = low
        nets = net.reshape(2, CIRCUITS)
        on = switches["multicompartment_enable_conductance"]
        return cls(nets, np.flatnonzero(on & (nets[0] != nets[1])))

    @cached_property
    def groups(self) -> list[Ints]:
        """Circuits that share a membrane, of membranes with several."""
        roots, count = np.unique(self.net[0], return_counts=True)
        return [np.flatnonzero(self.net[0] == root) for root in roots[count > 1]]

    @cached_property
    def neurons(self) -> Ints:
        """Number of the neuron of each circuit: circuits whose membranes are joined or connected through conductances have the same, the lowest of them."""
        neuron = self.net.reshape(-1).copy()
        for circuit in self.conducting:
            low, high = sorted((neuron[circuit], neuron[CIRCUITS + circuit]))
            neuron[neuron == high] = low
        return neuron[:CIRCUITS]

    def total(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for each circuit the sum of a quantity, shape (..., circuit), over all circuits of its membrane."""
        return np.asarray(np.apply_along_axis(lambda one: np.bincount(self.net[0], one, CIRCUITS)[self.net[0]], -1, values))


def _ties(switches: dict[str, NDArray[np.bool_]]) -> Iterable[tuple[Any, Any]]:
    """Yield the pairs of membranes (0..511) and pieces of the somatic line (512..1023) that closed switches join."""
    right, vertical, soma, soma_right, _ = (switches[name] for name in SWITCHES)
    inner = np.arange(CIRCUITS) % COLUMNS_PER_BACKEND < COLUMNS_PER_BACKEND - 1
    for i in np.flatnonzero(right & inner):
        yield i, i + 1
    for i in np.flatnonzero(vertical[:COLUMNS] & vertical[COLUMNS:]):
        yield i, i + COLUMNS
    for i in np.flatnonzero(soma):
        yield i, i + CIRCUITS
    for i in np.flatnonzero(soma_right & inner):
        yield i + CIRCUITS, i + CIRCUITS + 1


def any_compartments(config: Config) -> bool:
    """Return whether a configuration closes any switch between circuits."""
    return any(_on(config, name).any() for name in SWITCHES)


def refuse_walls(config: Config, circuits: ArrayLike | None = None, where: str = "") -> None:
    """Refuse a switch to the next column where there is none.

    Parameters
    ----------
    config : ChipConfig or mapping of register arrays
        Whole fields; those that a mapping lacks are off.
    circuits : array_like of int, optional
        The circuits wanted; all by default.
    where : str
        Start of the error's text.

    Raises
    ------
    ConfigurationError
    """
    last = np.flatnonzero(np.arange(CIRCUITS) % COLUMNS_PER_BACKEND == COLUMNS_PER_BACKEND - 1)
    for name in RIGHT:
        wrong = last[_on(config, name)[last]]
        if circuits is not None:
            wrong = np.intersect1d(wrong, circuits)
        if len(wrong):
            column = wrong[0] % COLUMNS
            raise ConfigurationError(
                f"{where}{name} of circuit {wrong[0]} is on; its column, {column}, is the last one of its half of the chip, and nothing connects the halves "
                f"(columns 0 to {COLUMNS_PER_BACKEND - 1} and {COLUMNS_PER_BACKEND} to {COLUMNS - 1}). Leave the switch off, or place the neuron in one half."
            )


NO_MEMBRANES = Membranes(np.empty(0, np.int64), np.zeros(1, np.int64), np.empty((0, 2), np.int64), np.empty(0))
"""Of a chip on which each circuit is by itself."""


def membranes(config: Config, siemens: NDArray[np.float64]) -> Membranes:
    """Return the shared and connected membranes of a configuration.

    Parameters
    ----------
    config : ChipConfig or mapping of register arrays
        Whole fields; those that a mapping lacks are off.
    siemens : ndarray, shape (circuit,)
        Conductance between membrane and somatic line of each circuit, S (:func:`neckar.chip.transfer.compartment_siemens`).

    Returns
    -------
    Membranes
        Circuits 0..511. A conductance of zero connects nothing.
    """
    if not any_compartments(config):
        return NO_MEMBRANES
    wiring = Wiring.of(config)
    ends, siemens = _between_membranes(wiring, siemens)
    used = np.unique(np.concatenate([[group[0] for group in wiring.groups], ends.reshape(-1)]).astype(np.int64))
    members = [np.flatnonzero(wiring.net[0] == root) for root in used]
    return Membranes(
        circuit=np.concatenate([*members, np.empty(0, np.int64)]),
        ptr=np.concatenate([[0], np.cumsum([len(group) for group in members])]).astype(np.int64),
        pair=np.searchsorted(used, ends).reshape(-1, 2),
        siemens=siemens,
    )


def _between_membranes(wiring: Wiring, siemens: NDArray[np.float64]) -> tuple[Ints, NDArray[np.float64]]:
    """Return pairs of membranes (by their lowest circuit) and the conductances between them, S."""
    ends: list[tuple[int, int]] = []
    values: list[float] = []
    active = wiring.conducting[siemens[wiring.conducting] > 0]
    for line in np.unique(wiring.net[1][active]):
        mine = active[wiring.net[1][active] == line]
        if line < CIRCUITS:  # the line is tied to a membrane
            ends += [(int(line), int(wiring.net[0][i])) for i in mine]
            values += list(siemens[mine])
            continue
        for i, j in combinations(mine, 2):
            if wiring.net[0][i] != wiring.net[0][j]:
                ends.append((int(wiring.net[0][i]), int(wiring.net[0][j])))
                values.append(siemens[i] * siemens[j] / siemens[mine].sum())
    return np.array(ends, np.int64).reshape(-1, 2), np.array(values, np.float64)
