"""Allocation of drivers: each driver answers its own group and no other, and buses fill up to their last driver."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neckar.network._drivers import Selects, Unit, allocate, compare_mask


def unit(drivers: tuple[int, int], choices: list[Selects]) -> Unit:
    return Unit((drivers,), ((drivers[0] > 0, drivers[1] > 0),), [(choice,) for choice in choices])


def free(*drivers: int) -> Unit:
    """A group of external sources: any row select."""
    return unit((drivers[0], drivers[-1]), [(select,) for select in range(32)])


def output(number: int, *drivers: int) -> Unit:
    """The neurons of an event output: two free bits."""
    return unit((drivers[0], drivers[-1]), [(number << 2 | low,) for low in range(4)])


def generator(*drivers: int) -> Unit:
    """Background sources with one group for each 64 labels: consecutive row selects, all of which occur."""
    choices = [tuple((base | i,) for i in range(len(drivers))) for base in range(0, 32, len(drivers))]
    return Unit(tuple((n, 0) for n in drivers), ((True, False),) * len(drivers), choices)


def assert_valid(units: list[Unit]) -> None:
    found = allocate(units)
    assert found is not None
    for h in (0, 1):
        groups = [
            (selects, places[h], one.drivers[i][h], one.present[i][h])
            for one, chosen, positions in zip(units, *found, strict=True)
            for i, (selects, places) in enumerate(zip(chosen, positions, strict=True))
        ]
        used = [position for _, places, _, _ in groups for position in places]
        assert len(set(used)) == len(used) <= 32
        for selects, places, needed, _ in groups:
            assert len(places) == needed
            for position in places:
                mask = compare_mask(selects, position)
                answered = {select for others, _, _, present in groups if present for select in others if (select ^ position) & mask == 0}
                assert answered == set(selects)
    for one, chosen in zip(units, found[0], strict=True):
        assert chosen in one.choices


def cut(rng: np.random.Generator, total: int, n: int) -> list[int]:
    """Divide a number into n parts of at least 1."""
    cuts = [0, *sorted(rng.choice(np.arange(1, total), n - 1, replace=False).tolist()), total]
    return [b - a for a, b in pairwise(cuts)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 10), st.integers(10, 31))
def test_any_load_below_a_full_bus_is_allocated(seed: int, n: int, total: int) -> None:
    rng = np.random.default_rng(seed)
    assert_valid([free(top, bottom) for top, bottom in zip(cut(rng, total, n), cut(rng, total, n), strict=True)])


@pytest.mark.parametrize("drivers", [[32], [16, 16], [1] * 32, [8, 8, 8, 4, 2, 1, 1], [31, 1], [17, 15], [11, 11, 10], [20, 5, 4, 3]])
def test_full_buses_are_allocated(drivers: list[int]) -> None:
    assert_valid([free(n) for n in drivers])


def test_groups_of_different_hemispheres_may_share_a_row_select() -> None:
    units = [free(32, 0), free(0, 32)]
    assert_valid(units)
    found = allocate(units)
    assert found is not None
    assert found[0][0] == found[0][1]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_event_outputs_of_a_bus_and_external_groups_share_it(seed: int, bus: int) -> None:
    rng = np.random.default_rng(seed)
    west, east, *others = cut(rng, 27, 4)
    assert_valid([output(bus, west), output(bus + 4, east), *map(free, others)])


def test_two_event_outputs_leave_four_positions_to_each_other() -> None:
    """Their row selects differ in at most three bits, so four of 32 positions agree with the other one wherever both differ."""
    assert_valid([output(1, 28), output(5, 4)])
    assert allocate([output(1, 29), output(5, 1)]) is None
    assert_valid([output(1, 32, 0), output(5, 0, 32)])


def test_a_generator_of_256_sources_takes_eight_drivers_for_each_64() -> None:
    """Four neighbouring row selects differ in two bits only, so a position agrees with one of them in both."""
    assert_valid([generator(8, 8, 8, 8)])
    assert_valid([generator(5, 0, 0, 0), output(2, 9)])
    assert allocate([generator(9, 0, 0, 0)]) is None
    assert allocate([generator(17, 0)]) is None


def test_groups_with_several_row_selects_answer_all_of_them() -> None:
    both: list[Selects] = [(1 << 2 | x, 5 << 2 | y) for x in range(4) for y in range(4)]
    assert_valid([unit((20, 32), both), free(9, 0)])


def test_an_allocation_is_the_same_every_time() -> None:
    units = [free(7), output(3, 9, 4), output(7, 8, 2), generator(2, 2)]
    assert allocate(units) == allocate(units)
