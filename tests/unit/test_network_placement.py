"""Placement: first fit over a permutation, and its inverse map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neckar.errors import CapacityError, ConfigurationError, MappingError, ParameterRangeError, PlacementError
from neckar.network import Compartment, Morphology, Network, NeuronPopulation, Projection, SourcePopulation, place


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
    population, index, position = placement.owners()
    assert (position[placed] == 0).all()
    for number, circuits in enumerate(placement.circuits):
        assert (population[circuits] == number).all()
        assert index[circuits].tolist() == list(range(len(circuits)))
    assert (population < 0).sum() == 512 - len(placed)


def test_too_many_neurons_name_population_asked_and_allowed() -> None:
    with pytest.raises(CapacityError, match=r"6 neuron circuits were asked for; population 'late' \(4 neurons\) finds room for 3 neurons .* of the 5") as error:
        place([neurons(2), neurons(4, "late")], [9, 8, 7, 6, 5])
    assert isinstance(error.value, RuntimeError)


CROOK = Morphology(((0, 0), (1, 0), (1, 1)), (Compartment("all", (0, 1, 2), 0),))


def test_shapes_take_the_first_place_where_they_fit_whole() -> None:
    placement = place([neurons(1), NeuronPopulation("crook", 2, morphology=CROOK), neurons(2)])
    assert placement.members[1].tolist() == [[1, 2, 258], [3, 4, 260]]
    assert placement.circuits[1].tolist() == [1, 3]
    assert placement.circuits[2].tolist() == [5, 6]


def test_shapes_stay_on_one_half_of_the_chip_and_on_the_permutation() -> None:
    placement = place([NeuronPopulation("crook", 1, morphology=CROOK)], [127, 383, 384, 128, 129, 5, 130, 386])
    assert placement.members[0].tolist() == [[129, 130, 386]]
    row = Morphology.single_compartment(128, horizontal=True)
    assert place([NeuronPopulation("rows", 4, morphology=row)]).circuits[0].tolist() == [0, 128, 256, 384]
    with pytest.raises(PlacementError, match=r"Placement unsuccessful: 640 .* 128 circuits each, .* finds room for 4 neurons"):
        place([NeuronPopulation("rows", 5, morphology=row)])


@settings(deadline=None)
@given(st.permutations(range(512)), st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), max_size=6))
def test_circuits_are_disjoint_and_have_their_places_in_the_shape(permutation: list[int], sizes: list[tuple[int, int]]) -> None:
    populations = [NeuronPopulation("n", size, morphology=Morphology.single_compartment(k)) for size, k in sizes]
    placement = place(populations, permutation)
    used = [circuit for members in placement.members for circuit in members.ravel().tolist()]
    assert len(set(used)) == len(used) == sum(size * k for size, k in sizes)
    population, index, position = placement.owners()
    for number, members in enumerate(placement.members):
        for i, mine in enumerate(members.tolist()):
            places = populations[number].morphology.places
            assert [(c % 256 - mine[0] % 256, c // 256 - mine[0] // 256) for c in mine] == list(places)
            assert len({c % 256 // 128 for c in mine}) == 1
            assert [(population[c], index[c], position[c]) for c in mine] == [(number, i, k) for k in range(len(mine))]


def test_anchors_are_kept_free_for_their_neurons() -> None:
    fixed = NeuronPopulation("fixed", 2, morphology=CROOK, anchors=np.array([1, 200]))
    placement = place([neurons(3), fixed])
    assert placement.members[1].tolist() == [[1, 2, 258], [200, 201, 457]]
    assert placement.circuits[0].tolist() == [0, 3, 4]
    for anchors, text in (([0, 1], "circuit 1 belongs to another neuron"), ([127, 0], "was asked for at circuit 127; allowed are"), ([0, 512], "circuit 512")):
        with pytest.raises(PlacementError, match=text):
            place([NeuronPopulation("fixed", 2, morphology=CROOK, anchors=np.array(anchors))])


def test_a_single_compartment_is_connected_column_by_column() -> None:
    shape = Morphology.single_compartment(5)
    assert shape.places == ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0))
    assert shape.switches["multicompartment_connect_vertical"] == (1, 1, 1, 1, 0)
    assert shape.switches["multicompartment_connect_right"] == (1, 1, 1, 0, 0)
    assert Morphology.single_compartment(1).switches == {}
    assert (shape.size, shape.compartment("soma"), shape.compartments[0].spike_master) == (5, 0, 0)


def test_a_shape_contradicting_itself_is_refused() -> None:
    soma = Compartment("soma", (0,), 0)
    with pytest.raises(ConfigurationError, match="each once"):
        Compartment("soma", (0, 0), 0)
    with pytest.raises(ConfigurationError, match="names circuit 1; allowed are its own"):
        Compartment("soma", (0,), 1)
    with pytest.raises(ConfigurationError, match="columns 1 to 1"):
        Morphology(((1, 0),), (soma,))
    with pytest.raises(ConfigurationError, match="rows 0 to 2"):
        Morphology(((0, 0), (0, 2)), (soma,))
    with pytest.raises(ConfigurationError, match=r"use the circuits \[0, 0\]"):
        Morphology(((0, 0),), (soma, Compartment("other", (0,), None)))
    with pytest.raises(ConfigurationError, match="labels"):
        Morphology(((0, 0), (1, 0)), (soma, Compartment("soma", (1,), None)))
    with pytest.raises(ConfigurationError, match="sets leak_v_leak; allowed are multicompartment_"):
        Morphology(((0, 0),), (soma,), {"leak_v_leak": (1,)})
    with pytest.raises(ConfigurationError, match="one code per circuit"):
        Morphology(((0, 0),), (soma,), {"multicompartment_connect_soma": (1, 0)})
    with pytest.raises(ParameterRangeError, match="multicompartment_connect_soma"):
        Morphology(((0, 0),), (soma,), {"multicompartment_connect_soma": (2,)})
    with pytest.raises(ConfigurationError, match=r"dendrite.*allowed are soma"):
        Morphology(((0, 0),), (soma,)).compartment("dendrite")
    with pytest.raises(ConfigurationError, match="set twice"):
        NeuronPopulation("n", 1, {"multicompartment_connect_right": column(1)}, Morphology.single_compartment(2))


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
    with pytest.raises(ConfigurationError, match="2 anchors; allowed is one per neuron, 1"):
        NeuronPopulation("n", 1, anchors=column(1, 2))
    with pytest.raises(ConfigurationError, match="source_ptr"):
        SourcePopulation("s", 2, column(0, 1), column(5))
    with pytest.raises(ConfigurationError, match="at least 1"):
        NeuronPopulation("n", 0)
