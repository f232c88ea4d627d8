"""From switches to membranes: what each one joins, the wall between the halves, lines without a membrane."""

from __future__ import annotations

import numpy as np
import pytest

from neckar.chip import ChipConfig
from neckar.chip.compartments import Wiring, any_compartments, membranes, refuse_walls
from neckar.chip.transfer import refuse_unsupported
from neckar.errors import ConfigurationError

N = 512
RIGHT, VERTICAL, SOMA, SOMA_RIGHT, CONDUCTANCE = (
    f"multicompartment_{name}" for name in ("connect_right", "connect_vertical", "connect_soma", "connect_soma_right", "enable_conductance")
)


def config(**circuits: list[int]) -> ChipConfig:
    """Return a configuration with some switches on; keys are the last words of their names."""
    names = {"right": RIGHT, "vertical": VERTICAL, "soma": SOMA, "soma_right": SOMA_RIGHT, "conductance": CONDUCTANCE}
    return ChipConfig({names[key]: np.isin(np.arange(N), where) for key, where in circuits.items()})


def groups(**circuits: list[int]) -> list[list[int]]:
    return [list(map(int, group)) for group in Wiring.of(config(**circuits)).groups]


def links(siemens=1e-6, **circuits: list[int]) -> tuple[list[list[int]], list[tuple[int, int]], np.ndarray]:
    """Return the circuits of each membrane, pairs of membranes, and their conductances."""
    found = membranes(config(**circuits), np.broadcast_to(siemens, N))
    members = [list(map(int, found.circuit[a:b])) for a, b in zip(found.ptr, found.ptr[1:], strict=False)]
    return members, [tuple(sorted(map(int, pair))) for pair in found.pair], found.siemens


def test_without_switches_nothing_is_connected():
    assert not any_compartments(ChipConfig())
    assert groups() == []
    assert len(membranes(ChipConfig(), np.zeros(N))) == 0


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"right": [5]}, [[5, 6]]),
        ({"right": [5, 6, 9]}, [[5, 6, 7], [9, 10]]),
        ({"right": [126, 300]}, [[126, 127], [300, 301]]),
        ({"vertical": [3, 259]}, [[3, 259]]),
        ({"vertical": [3]}, []),
        ({"vertical": [3, 260]}, []),
        ({"soma": [3, 5], "soma_right": [3, 4]}, [[3, 5]]),
        ({"soma": [3, 5], "soma_right": [3]}, []),
        ({"soma": [3], "soma_right": [3, 4]}, []),
        ({"right": [3], "vertical": [4, 260], "soma": [260, 263], "soma_right": [260, 261, 262]}, [[3, 4, 260, 263]]),
    ],
)
def test_switches_join_membranes(switches, expected):
    assert groups(**switches) == expected


@pytest.mark.parametrize("circuit", [127, 255, 383, 511])
@pytest.mark.parametrize("switch", ["right", "soma_right"])
def test_no_switch_leads_from_one_half_to_the_other(switch, circuit):
    wrong = config(**{switch: [circuit]})
    message = rf"connect_{switch} of circuit {circuit} is on; its column, {circuit % 256}, is the last.*columns 0 to 127 and 128 to 255.*Leave the switch off"
    with pytest.raises(ConfigurationError, match=message):
        refuse_walls(wrong)
    with pytest.raises(ConfigurationError, match="here: multi"):
        refuse_unsupported(wrong, where="here: ")
    refuse_unsupported(wrong, [0, 1, 126])
    assert groups(**{switch: [circuit]}) == []


def test_a_conductance_connects_a_membrane_with_those_on_its_line():
    assert links(conductance=[1], soma_right=[1], soma=[2]) == ([[1], [2]], [(0, 1)], pytest.approx([1e-6]))


def test_a_chain_of_the_public_demo():
    """Four compartments of two circuits: ts_03. Even circuits tie their membrane to the line from the left, odd ones connect through a conductance."""
    members, pairs, values = links(right=[0, 2, 4, 6], soma=[2, 4, 6], conductance=[1, 3, 5], soma_right=[1, 3, 5])
    assert members == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert sorted(pairs) == [(0, 1), (1, 2), (2, 3)]
    np.testing.assert_allclose(values, 1e-6)


def test_two_conductances_that_meet_on_a_line_act_in_series():
    siemens = np.full(N, 1e-6)
    siemens[4] = 3e-6
    members, pairs, values = links(siemens, conductance=[3, 4], soma_right=[3])
    assert (members, pairs) == ([[3], [4]], [(0, 1)])
    np.testing.assert_allclose(values, 1 / (1 / 1e-6 + 1 / 3e-6))


def test_conductances_that_meet_on_a_line_become_a_mesh():
    """The star of three equal conductances is a triangle of a third each; it draws from the line what the star did."""
    members, pairs, values = links(conductance=[10, 11, 12], soma_right=[10, 11])
    assert (members, sorted(pairs)) == ([[10], [11], [12]], [(0, 1), (0, 2), (1, 2)])
    np.testing.assert_allclose(values, 1e-6 / 3)


@pytest.mark.parametrize(
    "switches",
    [
        {"conductance": [3], "soma": [3]},  # shorted by its own switch
        {"conductance": [3]},  # a line that ends nowhere
        {"conductance": [3, 4], "soma": [4], "soma_right": [3], "right": [3]},  # both ends on one membrane
    ],
)
def test_a_conductance_without_a_difference_connects_nothing(switches):
    members, pairs, _ = links(**switches)
    assert pairs == []
    assert all(len(group) > 1 for group in members)


def test_a_conductance_of_zero_connects_nothing():
    assert links(0.0, conductance=[1], soma_right=[1], soma=[2])[:2] == ([], [])


def test_circuits_of_one_neuron_are_those_on_connected_membranes():
    neurons = Wiring.of(config(right=[0], vertical=[1, 257], conductance=[257], soma_right=[257], soma=[258])).neurons
    assert set(np.flatnonzero(neurons == neurons[0])) == {0, 1, 257, 258}
    assert (neurons[2:257] == np.arange(2, 257)).all()


def test_a_quantity_is_summed_over_a_membrane():
    total = Wiring.of(config(right=[3, 4])).total(np.arange(float(N)))
    np.testing.assert_array_equal(total[2:7], [2, 12, 12, 12, 6])
