"""Allocation of synapse drivers: which row selects the groups of sources on a bus use, and which drivers answer to each.

A driver at position p of its bus with compare mask m answers an event if its row select s equals p in the bits of m. To make it answer the selects of
one group T alone, the mask must leave out every bit in which p differs from a select in T, and should keep all others, because they tell the other
selects apart. So position p can serve group T exactly if every other select that occurs on the bus differs from p in a bit of that largest mask. Once the
selects are chosen, giving each group its number of drivers is a matching between groups and positions, which is solved exactly; the selects themselves are
found by a search with backtracking. More selects only forbid more positions, so a search branch that fails once fails for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from neckar.chip.coordinates import DRIVERS_PER_BUS
from neckar.facts import AXES

Selects = tuple[int, ...]
"""Row selects of one group, usually one."""

_MASK = DRIVERS_PER_BUS - 1
_ALL = (1 << DRIVERS_PER_BUS) - 1
_HEMISPHERES = range(AXES["hemisphere"])


@dataclass(frozen=True, eq=False)
class Unit:
    """Groups of a bus whose row selects are chosen together.

    Parameters
    ----------
    drivers : tuple of (int, int)
        For each group the drivers that it needs in each hemisphere.
    present : tuple of (bool, bool)
        For each group whether its events occur on the bus of each hemisphere.
    choices : sequence of tuple of Selects
        What can be chosen: the row selects of every group.
    """

    drivers: tuple[tuple[int, int], ...]
    present: tuple[tuple[bool, bool], ...]
    choices: Sequence[tuple[Selects, ...]]


@dataclass(eq=False)
class _Bus:
    """Selects chosen so far on the bus of one hemisphere, and the positions (as bits) that can serve each group."""

    groups: list[Selects]
    needed: list[int]
    allowed: list[int]

    def joined(self, selects: Sequence[Selects], drivers: Sequence[int]) -> _Bus | None:
        """Return the bus with more groups, None if a select occurs twice or a group has too few positions."""
        groups = [*self.groups, *selects]
        if len({select for group in groups for select in group}) < sum(map(len, groups)):
            return None
        allowed = list(self.allowed)
        for i, group in enumerate(self.groups):
            for other in selects:
                for select in other:
                    allowed[i] &= ~_blocked(group, select)
        for i, group in enumerate(selects):
            mine = _ALL
            for j, other in enumerate(groups):
                if j != len(self.groups) + i:
                    for select in other:
                        mine &= ~_blocked(group, select)
            allowed.append(mine)
        needed = [*self.needed, *drivers]
        if sum(needed) > DRIVERS_PER_BUS or any(mine.bit_count() < n for mine, n in zip(allowed, needed, strict=True)):
            return None
        return _Bus(groups, needed, allowed)

    def slack(self) -> int:
        """Return how many positions the tightest group has to spare."""
        return min((mine.bit_count() - n for mine, n in zip(self.allowed, self.needed, strict=True) if n), default=DRIVERS_PER_BUS)

    def assign(self) -> list[list[int]] | None:
        """Return positions for each group, lowest first, None if there are not enough."""
        owner = [-1] * DRIVERS_PER_BUS
        for group in sorted(range(len(self.needed)), key=lambda i: self.allowed[i].bit_count() - self.needed[i]):
            for _ in range(self.needed[group]):
                if not self._augment(group, owner, set()):
                    return None
        return [[position for position in range(DRIVERS_PER_BUS) if owner[position] == group] for group in range(len(self.needed))]

    def _augment(self, group: int, owner: list[int], seen: set[int]) -> bool:
        """Give a group one more position, moving others if need be."""
        seen.add(group)
        positions = [position for position in range(DRIVERS_PER_BUS) if self.allowed[group] >> position & 1]
        for position in positions:
            if owner[position] < 0:
                owner[position] = group
                return True
        for position in positions:
            other = owner[position]
            if other not in seen and self._augment(other, owner, seen):
                owner[position] = group
                return True
        return False


def allocate(units: Sequence[Unit], trials: int = 400) -> tuple[list[tuple[Selects, ...]], list[list[list[list[int]]]]] | None:
    """Choose the row selects of all groups on a bus of both hemispheres, and the drivers of each.

    Parameters
    ----------
    units : sequence of Unit
    trials : int
        Assignments tried before giving up.

    Returns
    -------
    selects : list of tuple of Selects
        The choice of each unit.
    positions : list of list of list of list of int
        Positions of the drivers, by unit, group and hemisphere. None in place of the pair if no allocation was found.
    """
    order = sorted(range(len(units)), key=lambda i: (len(units[i].choices), -sum(map(sum, units[i].drivers))))
    search = _Search([units[i] for i in order], trials)
    if not search.descend(0, (_Bus([], [], []), _Bus([], [], []))):
        return None
    selects: list[tuple[Selects, ...]] = [()] * len(units)
    positions: list[list[list[list[int]]]] = [[] for _ in units]
    cursor = [0, 0]
    for k, i in enumerate(order):
        selects[i] = search.chosen[k]
        for present in units[i].present:
            rows: list[list[int]] = [[], []]
            for h in _HEMISPHERES:
                if present[h]:
                    rows[h] = search.assigned[h][cursor[h]]
                    cursor[h] += 1
            positions[i].append(rows)
    return selects, positions


class _Search:
    """Depth-first search over the choices of the units, the ones with most room to spare first."""

    def __init__(self, units: Sequence[Unit], trials: int) -> None:
        self.units, self.trials = units, trials
        self.chosen: list[tuple[Selects, ...]] = [()] * len(units)
        self.assigned: list[list[list[int]]] = [[], []]

    def descend(self, depth: int, buses: tuple[_Bus, _Bus]) -> bool:
        """Return whether the units from `depth` on can be chosen; keeps their choices."""
        found = [bus.assign() for bus in buses]
        self.trials -= 1
        if found[0] is None or found[1] is None:
            return False
        if depth == len(self.units):
            self.assigned = [found[0], found[1]]
            return True
        candidates = []
        for number, choice in enumerate(self.units[depth].choices):
            joined = self._joined(depth, choice, buses)
            if joined is not None:
                candidates.append((-min(bus.slack() for bus in joined), -sum(bus.slack() for bus in joined), number, choice, joined))
        for *_, choice, joined in sorted(candidates, key=lambda candidate: candidate[:3]):
            if self.trials <= 0:
                return False
            self.chosen[depth] = choice
            if self.descend(depth + 1, joined):
                return True
        return False

    def _joined(self, depth: int, choice: tuple[Selects, ...], buses: tuple[_Bus, _Bus]) -> tuple[_Bus, _Bus] | None:
        """Return the buses of both hemispheres with a unit's groups, None if they do not fit."""
        unit = self.units[depth]
        joined = []
        for h in _HEMISPHERES:
            here = [i for i in range(len(choice)) if unit.present[i][h]]
            bus = buses[h].joined([choice[i] for i in here], [unit.drivers[i][h] for i in here])
            if bus is None:
                return None
            joined.append(bus)
        return joined[0], joined[1]


def compare_mask(selects: Selects, position: int) -> int:
    """Return the largest compare mask with which the driver at a position answers all of some row selects."""
    differs = 0
    for select in selects:
        differs |= select ^ position
    return _MASK & ~differs




@lru_cache(maxsize=1 << 16)
def _blocked(selects: Selects, other: int) -> int:
    """Return, as bits, the positions whose driver cannot answer `selects` without answering `other`."""
    blocked = 0
    for position in range(DRIVERS_PER_BUS):
        if not (other ^ position) & compare_mask(selects, position):
            blocked |= 1 << position
    return blocked
