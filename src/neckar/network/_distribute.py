"""Distribution of sources over the buses, in groups that share a row select.

A *group* is a set of at most 64 sources on one bus (of both hemispheres) whose events carry the same row select and differ in their synapse labels. Inside a
group each column is filled independently, so a hemisphere needs as many excitatory rows as the busiest column has excitatory synapses, plus the same for
inhibitory rows: sources with disjoint targets share rows.

Neurons and background sources have a fixed bus, so their groups come first: one for each neuron event output, whose 64 circuits fit the 64 labels, and one
per 64 sources of a background generator. If the two event outputs of a bus need too many rows apart and have few sources, they share one group. External
sources then join the group that grows least, or found a new one on the emptiest bus.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import BUSES_PER_HEMISPHERE, COLUMNS, DRIVERS_PER_BUS, ROWS_PER_DRIVER
from neckar.facts import AXES, registers
from neckar.facts.labels import LABEL_SELECT_BITS, LABEL_SYNAPSE_BITS, NEURON_OUTPUT_SHIFT
from neckar.network._drivers import Selects, Unit
from neckar.network._graph import RECEPTORS

LABELS = registers("brainscales2")["synapse_label"].high + 1
"""Different labels of one group."""

Sending = Literal["once", "per hemisphere", "in parts"]
"""How often an external source may send each spike: once, once for each hemisphere, or as often as it takes."""

_HEMISPHERES = AXES["hemisphere"]
_SELECTS = 1 << LABEL_SELECT_BITS
_SELECTS_PER_OUTPUT = 1 << (NEURON_OUTPUT_SHIFT - LABEL_SYNAPSE_BITS)
Demand = NDArray[np.int64]
"""Synapses, axes (receptor, hemisphere, column)."""


@dataclass(eq=False)
class Group:
    """Sources that share a row select on one bus.

    Attributes
    ----------
    bus : int
        Bus within both hemispheres.
    outputs : tuple of int
        Neuron event outputs whose events are in the group.
    generator : (int, int) or None
        Population of background sources and which 64 of its labels, if the group belongs to one.
    always : (bool, bool)
        Whether the group's events occur in each hemisphere even if nothing there answers.
    members : list of int
        Items in the order of their synapse labels.
    """

    bus: int
    outputs: tuple[int, ...] = ()
    generator: tuple[int, int] | None = None
    always: tuple[bool, bool] = (False, False)
    members: list[int] = field(default_factory=list)


class Distribution:
    """Groups in the making.

    Attributes
    ----------
    groups : list of Group
    synapses : ndarray of int64, shape (group, receptor, hemisphere, column)
    drivers : ndarray of int64, shape (group, hemisphere)
        Drivers that each group needs.
    reserved : ndarray of int64, shape (group, hemisphere)
        These, but at least one wherever the group's events occur: the driver whose position is their row select can serve no other group.
    load : ndarray of int64, shape (bus, hemisphere)
        Reserved drivers.
    source : list of int
        Source of each *item*; an item is a source with all or some of its synapses.
    demand : list of Demand
        Synapses of each item.
    """

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.synapses = np.zeros((0, len(RECEPTORS), _HEMISPHERES, COLUMNS), np.int64)
        self.drivers = np.zeros((0, _HEMISPHERES), np.int64)
        self.reserved = np.zeros((0, _HEMISPHERES), np.int64)
        self.load = np.zeros((BUSES_PER_HEMISPHERE, _HEMISPHERES), np.int64)
        self.source: list[int] = []
        self.demand: list[Demand] = []

    def copy(self) -> Distribution:
        """Return an independent copy."""
        twin = Distribution()
        twin.groups = [replace(group, members=list(group.members)) for group in self.groups]
        twin.synapses, twin.drivers, twin.reserved, twin.load = self.synapses.copy(), self.drivers.copy(), self.reserved.copy(), self.load.copy()
        twin.source, twin.demand = list(self.source), list(self.demand)
        return twin

    def found(self, group: Group) -> int:
        """Add an empty group and return its number."""
        self.groups.append(group)
        self.synapses = np.concatenate([self.synapses, np.zeros((1, *self.synapses.shape[1:]), np.int64)])
        self.drivers = np.concatenate([self.drivers, np.zeros((1, _HEMISPHERES), np.int64)])
        self.reserved = np.concatenate([self.reserved, np.zeros((1, _HEMISPHERES), np.int64)])
        return len(self.groups) - 1

    def join(self, group: int, source: int, demand: Demand) -> None:
        """Add an item to a group."""
        self.groups[group].members.append(len(self.source))
        self.source.append(source)
        self.demand.append(demand)
        self.synapses[group] += demand
        before = self.reserved[group].copy()
        self.drivers[group] = drivers_for(self.synapses[group])
        self.reserved[group] = _reserved(self.drivers[group], np.array(self.groups[group].always))
        self.load[self.groups[group].bus] += self.reserved[group] - before

    def units(self, bus: int) -> list[tuple[list[int], Unit]]:
        """Return what the allocation of drivers chooses together on a bus: groups and their unit."""
        together: dict[tuple[str, int], list[int]] = {}
        for g, group in enumerate(self.groups):
            if group.bus == bus:
                key = ("group", g) if group.generator is None else ("generator", group.generator[0])
                together.setdefault(key, []).append(g)
        return [(numbers, self._unit(numbers)) for numbers in together.values()]

    def present(self, group: int) -> tuple[bool, bool]:
        """Return in which hemispheres the events of a group occur: where something answers them, in the top one if nothing does."""
        top, bottom = (self.reserved[group] > 0).tolist()
        return top, bottom

    def _unit(self, numbers: list[int]) -> Unit:
        """Return the unit of groups whose selects are chosen together."""
        first = self.groups[numbers[0]]
        needed = tuple((int(self.drivers[g, 0]), int(self.drivers[g, 1])) for g in numbers)
        present = tuple(self.present(g) for g in numbers)
        choices: list[tuple[Selects, ...]]
        if first.generator is not None:  # the low bits of the row select are random
            choices = [tuple((base | i,) for i in range(len(numbers))) for base in range(0, _SELECTS, len(numbers))]
        elif first.outputs:
            choices = [(selects,) for selects in _selects_of_outputs(first.outputs)]
        else:
            choices = [((select,),) for select in range(_SELECTS)]
        return Unit(needed, present, choices)


def drivers_for(synapses: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the drivers that hold synapses, from axes (..., receptor, hemisphere, column) to (..., hemisphere)."""
    rows = synapses.max(axis=-1).sum(axis=-2)
    return np.asarray(-(-rows // ROWS_PER_DRIVER))


def _reserved(drivers: NDArray[np.int64], always: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the drivers that groups take from others, axes (..., hemisphere) like the arguments."""
    reserved = np.maximum(drivers, always)
    reserved[..., 0] += (reserved == 0).all(axis=-1)
    return reserved


def distribute_external(fixed: Distribution, demand: NDArray[np.int64], sources: NDArray[np.int64], sending: Sending, largest: int) -> Distribution | None:
    """Add external sources to the groups of the sources with a fixed bus.

    Parameters
    ----------
    fixed : Distribution
        Left as it is.
    demand : ndarray of int64, shape (source, receptor, hemisphere, column)
    sources : ndarray of int64, shape (external source,)
        Which of the sources are external.
    sending : {"once", "per hemisphere", "in parts"}
    largest : int
        Drivers up to which a group grows in each hemisphere. Large groups are few; in small ones labels last longer where sources cannot share rows.

    Returns
    -------
    Distribution or None
        None if a source finds no place.
    """
    made = fixed.copy()
    for source in sources.tolist():
        if _place(made, source, demand[source], largest):
            continue
        for half in _halves(demand[source]) if sending != "once" else ():
            if not _place(made, source, half, largest) and (sending != "in parts" or not _place_in_parts(made, source, half)):
                return None
        if sending == "once":
            return None
    return made


def _halves(wanted: Demand) -> list[Demand]:
    """Split an item into those of single hemispheres."""
    halves = []
    for h in range(_HEMISPHERES):
        half = np.zeros_like(wanted)
        half[:, h] = wanted[:, h]
        if half.any():
            halves.append(half)
    return halves


def _place(made: Distribution, source: int, wanted: Demand, largest: int) -> bool:
    """Add an item to the group that grows least, to a new one if no group has room; return False if nothing fits.

    A group never grows by more drivers than the item would need in a group of its own.
    """
    roomy = np.array([g for g, group in enumerate(made.groups) if len(group.members) < LABELS], np.int64)
    if len(roomy):
        bus = np.array([made.groups[g].bus for g in roomy])
        joined = drivers_for(made.synapses[roomy] + wanted)
        growth = _reserved(joined, np.array([made.groups[g].always for g in roomy])) - made.reserved[roomy]
        fits = ((made.load[bus] + growth <= DRIVERS_PER_BUS) & ((joined <= largest) | (growth <= 0))).all(axis=-1)
        if fits.any():
            made.join(int(roomy[np.where(fits, growth.sum(axis=-1), _HEMISPHERES * DRIVERS_PER_BUS + 1).argmin()]), source, wanted)
            return True
    alone = _reserved(drivers_for(wanted), np.zeros(_HEMISPHERES, np.bool_))
    fits = (made.load + alone <= DRIVERS_PER_BUS).all(axis=-1)
    if not fits.any():
        return False
    emptiest = np.where(fits, made.load[:, alone > 0].max(axis=-1), DRIVERS_PER_BUS + 1)
    made.join(made.found(Group(int(emptiest.argmin()))), source, wanted)
    return True


def _place_in_parts(made: Distribution, source: int, wanted: Demand) -> bool:
    """Spread an item of one hemisphere over new groups wherever rows are left; return False if they do not suffice."""
    rest = wanted.copy()
    hemisphere = int(np.flatnonzero(wanted.any(axis=(0, 2)))[0])
    while rest.any():
        free = (DRIVERS_PER_BUS - made.load[:, hemisphere]) * ROWS_PER_DRIVER
        bus = int(free.argmax())
        if free[bus] == 0:
            return False
        part = np.zeros_like(rest)
        quota = int(free[bus])
        for receptor in range(len(RECEPTORS)):
            part[receptor] = np.minimum(rest[receptor], quota)
            quota -= int(part[receptor].max())
        made.join(made.found(Group(bus)), source, part)
        rest -= part
    return True


def _selects_of_outputs(outputs: tuple[int, ...]) -> list[Selects]:
    """Return the row selects that neuron event outputs can use together: their numbers above two bits that are free."""
    chosen: list[Selects] = [()]
    for output in outputs:
        chosen = [(*before, output * _SELECTS_PER_OUTPUT + low) for before in chosen for low in range(_SELECTS_PER_OUTPUT)]
    return chosen
