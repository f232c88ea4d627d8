"""Placement: first fit over a permutation, and its inverse map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neckar.errors import CapacityError, ConfigurationError, MappingError, ParameterRangeError
from neckar.network import Network, NeuronPopulation, Projection, SourcePopulation, place


def neurons(size: int, label: str = "n") -> NeuronPopulation:
    return NeuronPopulation(label, size)


def sources(size: int, label: str = "s") -> SourcePopulation:
    return SourcePopulation.from_lists(label, [np.zeros(0, np.int64)] * size)


def column(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def test_neurons_take_circuits_in_order_and_sources_take_none() -> None:
    placement = place([neurons(2), sources(7), neurons(3)])
    assert [circuits.tolist() for circuits in placement.circuits] == [[0, 1], [], [2, 3, 4]]


@settings(deadline=None)
@given(st.permutations(range(512)), st.lists(st.integers(1, 60), max_size=8))
def test_the_k_th_neuron_takes_the_k_th_entry_of_the_permutation(permutation: list[int], sizes: list[int]) -> None:
    placement = place([neurons(size) for size in sizes], permutation)
    placed = [circuit for circuits in placement.circuits for circuit in circuits.tolist()]
    assert placed == permutation[: sum(sizes)]
    population, index = placement.owners()
    for number, circuits in enumerate(placement.circuits):
        assert (population[circuits] == number).all()
        assert index[circuits].tolist() == list(range(len(circuits)))
    assert (population < 0).sum() == 512 - len(placed)


def test_too_many_neurons_name_population_asked_and_allowed() -> None:
    with pytest.raises(CapacityError, match=r"6 neurons were asked for; population 'late' \(4 neurons\) finds 3 free circuits of the 5") as error:
        place([neurons(2), neurons(4, "late")], [9, 8, 7, 6, 5])
    assert isinstance(error.value, RuntimeError)


@pytest.mark.parametrize("permutation", [[3, 3], [512], [-1]])
def test_a_permutation_names_circuits_of_the_chip_once(permutation: list[int]) -> None:
    with pytest.raises(MappingError, match="neuron permutation"):
        place([neurons(1)], permutation)


def test_a_network_contradicting_itself_is_refused() -> None:
    pair = (sources(2), neurons(3))
    one = column(0), column(0), column(1)
    with pytest.raises(ConfigurationError, match="post neuron 3 does not exist"):
        Network(pair, (Projection("p", 0, 1, "excitatory", column(0), column(3), column(1)),))
    with pytest.raises(ConfigurationError, match="ends in a spike source"):
        Network(pair, (Projection("p", 1, 0, "excitatory", *one),))
    with pytest.raises(ConfigurationError, match="population 2"):
        Network(pair, (Projection("p", 2, 1, "excitatory", *one),))
    with pytest.raises(ConfigurationError, match="receptor"):
        Projection("p", 0, 1, "both", *one)  # type: ignore[arg-type]
    with pytest.raises(ParameterRangeError, match="negative"):
        Projection("p", 0, 1, "inhibitory", column(0), column(0), column(-1))
    with pytest.raises(ConfigurationError, match="one length"):
        Projection("p", 0, 1, "inhibitory", column(0), column(0), column(1, 2))
    with pytest.raises(ConfigurationError, match="one code per neuron"):
        NeuronPopulation("n", 2, {"leak_v_leak": column(1)})
    with pytest.raises(ConfigurationError, match="source_ptr"):
        SourcePopulation("s", 2, column(0, 1), column(5))
    with pytest.raises(ConfigurationError, match="at least 1"):
        NeuronPopulation("n", 0)
