"""Laws of the chip's coordinates: bijections and the sizes of the groups."""

import numpy as np
import pytest

from neckar.chip import coordinates as c
from neckar.errors import ConfigurationError, ParameterRangeError

CIRCUITS = np.arange(512)
DRIVERS = np.arange(128)


def test_circuit_is_row_times_256_plus_column():
    np.testing.assert_array_equal(c.circuit_at(c.row_of(CIRCUITS), c.column_of(CIRCUITS)), CIRCUITS)
    np.testing.assert_array_equal(c.circuit_at(np.arange(2)[:, None], np.arange(256)).ravel(), CIRCUITS)
    assert c.circuit_at(1, 3) == 259


@pytest.mark.parametrize(
    ("group_of", "groups", "members"),
    [(c.hemisphere_of, 2, 256), (c.quadrant_of, 4, 128), (c.backend_of, 2, 256), (c.event_output_of, 8, 64), (c.parity_of, 2, 256)],
)
def test_circuits_fall_into_groups_of_equal_size(group_of, groups, members):
    values, counts = np.unique(group_of(CIRCUITS), return_counts=True)
    assert values.tolist() == list(range(groups))
    assert set(counts.tolist()) == {members}


def test_corners():
    corners = np.array([0, 127, 128, 255, 256, 383, 384, 511])
    assert c.quadrant_of(corners).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert c.backend_of(corners).tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert c.event_output_of(corners).tolist() == [0, 3, 4, 7, 0, 3, 4, 7]


def test_drivers_are_interleaved_over_the_buses():
    np.testing.assert_array_equal(c.driver_at(c.bus_of_driver(DRIVERS), c.position_of_driver(DRIVERS)), DRIVERS)
    assert c.bus_of_driver(DRIVERS[:6]).tolist() == [0, 1, 2, 3, 0, 1]
    assert c.position_of_driver(DRIVERS).max() == 31


def test_each_driver_owns_two_rows():
    rows = c.rows_of_driver(DRIVERS)
    assert rows.shape == (128, 2)
    np.testing.assert_array_equal(np.sort(rows.ravel()), np.arange(256))
    np.testing.assert_array_equal(c.driver_of_row(rows), np.stack([DRIVERS, DRIVERS], axis=1))
    assert c.rows_of_driver(5).tolist() == [10, 11]


def test_chip_buses_are_crossbar_outputs():
    np.testing.assert_array_equal(c.padi_bus_at(np.arange(2)[:, None], np.arange(4)), np.arange(8).reshape(2, 4))


@pytest.mark.parametrize(
    ("function", "arguments"),
    [(c.row_of, (512,)), (c.column_of, (-1,)), (c.circuit_at, (2, 0)), (c.driver_at, (4, 0)), (c.rows_of_driver, ([0, 128],)), (c.driver_of_row, (256,))],
)
def test_coordinates_outside_the_chip_raise(function, arguments):
    with pytest.raises(ParameterRangeError, match="does not exist"):
        function(*arguments)


def test_coordinates_are_integers():
    with pytest.raises(ConfigurationError, match="integers"):
        c.row_of(1.5)
    assert c.row_of([]).shape == (0,)
