"""Coordinates: ranges, enumerations, conversions, and that they can be used as numbers and as keys."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlens_vx_v3 import halco
from dlens_vx_v3.halco._base import TYPES, Pair, Ranged, convert
from neckar.chip import coordinates
from neckar.errors import NeckarError
from neckar.facts import CROSSBAR_NODE_EXISTS

KINDS = [kind for name in halco.__all__ if isinstance(kind := getattr(halco, name), type) and issubclass(kind, Ranged) and kind not in (Pair, Ranged)]
PAIRS = [kind for kind in KINDS if issubclass(kind, Pair)]


@st.composite
def coordinate(draw: st.DrawFn, kinds: list[type[Ranged]] = KINDS) -> Ranged:
    kind = draw(st.sampled_from(kinds))
    return kind(draw(st.integers(kind.min, kind.max)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_values_outside_the_range_are_refused(kind: type[Ranged]) -> None:
    assert kind.size == kind.max - kind.min + 1
    assert int(kind()) == kind.initial == (1 if "FromFPGA" in kind.__name__ else kind.min)
    with pytest.raises(OverflowError, match=str(kind.max)) as above:
        kind(kind.max + 1)
    with pytest.raises(TypeError, match=str(kind.min)) as below:
        kind(kind.min - 1)
    for wrong in (1.5, "a", None.__class__):
        with pytest.raises(TypeError):
            kind(wrong)
    assert isinstance(above.value, NeckarError)
    assert isinstance(below.value, NeckarError)


@given(coordinate())
def test_a_coordinate_is_its_enumeration(one: Ranged) -> None:
    kind = type(one)
    assert kind(halco.common.Enum(int(one))) == one == int(one) == one.value()
    assert int(one.toEnum()) == int(one) - kind.min
    assert np.array([one])[0] == int(one) == range(2**64)[one]
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one
    assert eval(repr(one), vars(halco)) == one


@given(coordinate(PAIRS))
def test_a_pair_is_made_from_its_parts_in_either_order(one: Ranged) -> None:
    assert isinstance(one, Pair)
    kind, (slow, fast) = type(one), one.split()
    assert kind(fast, slow) == kind(slow, fast) == one
    assert (one.x(), one.y()) == (fast, slow)
    assert getattr(one, f"to{type(fast).__name__}")() == fast
    assert getattr(one, f"to{type(slow).__name__}")() == slow


def test_coordinates_of_several_types_share_a_dictionary() -> None:
    zeros = {kind(kind.min): kind for kind in KINDS}
    assert len(zeros) == len(KINDS)
    assert all(zeros[kind(kind.min)] is kind for kind in KINDS)
    assert halco.SynramOnDLS(0) != halco.HemisphereOnDLS(0)
    assert sorted([halco.NeuronColumnOnDLS(3), halco.NeuronColumnOnDLS(1)]) == [1, 3]


@given(coordinate(), st.data())
def test_conversions_there_and_back_agree(one: Ranged, data: st.DataObject) -> None:
    targets = [name[2:] for name in dir(one) if name.startswith("to") and name[2:] in TYPES]
    if targets:
        there = getattr(one, f"to{data.draw(st.sampled_from(targets))}")()
        if there is not None and f"to{type(one).__name__}" in dir(there):
            assert convert(there, type(one)) in (one, None)


def test_an_array_is_compared_element_by_element() -> None:
    assert (halco.NeuronColumnOnDLS(3) == np.array([3, 4])).tolist() == (np.array([3, 4]) == halco.NeuronColumnOnDLS(3)).tolist() == [True, False]
    assert halco.NeuronColumnOnDLS(3) != 3.5
    assert halco.NeuronColumnOnDLS(3) != "3"


def test_a_conversion_that_nothing_fixes_does_not_exist() -> None:
    assert not hasattr(halco.HemisphereOnDLS(), "toAtomicNeuronOnDLS")
    assert not hasattr(halco.SynapseRowOnDLS(), "toNeuronConfigBlockOnDLS")
    assert not hasattr(halco.NeuronColumnOnDLS(), "toWhatever")


def test_cells_of_the_plasticity_follow_the_parity_of_the_driver() -> None:
    blocks = [int(driver.toCapMemBlockOnDLS()) for driver in halco.iter_all(halco.SynapseDriverOnDLS)]
    assert blocks == [0, 1] * 64 + [2, 3] * 64


@given(st.integers(0, 511))
def test_circuits_lie_where_the_chip_has_them(number: int) -> None:
    circuit = halco.AtomicNeuronOnDLS(number)
    assert circuit.toNeuronColumnOnDLS() == coordinates.column_of(number)
    assert {int(circuit.toNeuronRowOnDLS()), int(circuit.toSynramOnDLS())} == {coordinates.row_of(number)}
    assert circuit.toCapMemBlockOnDLS() == coordinates.quadrant_of(number)
    assert circuit.toCommonNeuronBackendConfigOnDLS() == coordinates.backend_of(number)
    assert circuit.toNeuronEventOutputOnDLS() == coordinates.event_output_of(number)
    assert {int(circuit.toNeuronConfigOnDLS()), int(circuit.toNeuronBackendConfigOnDLS().toAtomicNeuronOnDLS())} == {number}
    # halco neuron.cpp: backends and spike counters count 128 columns of the top row, then those of the bottom row
    row, column = divmod(number, 256)
    assert circuit.toSpikeCounterReadOnDLS() == column // 128 * 256 + row * 128 + column % 128


@given(st.integers(0, 511))
def test_rows_belong_to_their_driver_and_bus(number: int) -> None:
    row = halco.SynapseRowOnDLS(number)
    hemisphere, line = divmod(number, 256)
    driver = coordinates.driver_of_row(line)
    assert row.toSynapseDriverOnDLS() == hemisphere * 128 + driver
    assert {int(row.toPADIBusOnDLS()), int(row.toCrossbarOutputOnDLS())} == {coordinates.padi_bus_at(hemisphere, coordinates.bus_of_driver(driver))}
    assert row.toSynapseDriverOnPADIBus() == coordinates.position_of_driver(driver)
    assert row.toSynapseRowOnSynapseDriver() == (halco.SynapseRowOnSynapseDriver.top if line % 2 else halco.SynapseRowOnSynapseDriver.bottom)
    assert {int(row.toSynapseWeightRowOnDLS()), int(row.toSynapseLabelRowOnDLS())} == {number}


@given(st.integers(0, 255))
def test_four_columns_of_one_parity_are_accessed_together(column: int) -> None:
    """halco synapse.cpp: a quad has every second column of eight."""
    synapse = halco.SynapseOnSynapseRow(column)
    assert synapse.toSynapseQuadColumnOnDLS() == column % 2 * 32 + column // 8
    assert synapse.toEntryOnQuad() == column // 2 % 4
    assert synapse.toSynapseQuadColumnOnDLS().toNeuronColumnOnDLS()[synapse.toEntryOnQuad()] == column


def test_the_crossbar_has_76_nodes() -> None:
    nodes = list(halco.iter_all(halco.CrossbarNodeOnDLS))
    assert len(nodes) == halco.CrossbarNodeOnDLS.size == 76
    assert {(int(node.toCrossbarInputOnDLS()), int(node.toCrossbarOutputOnDLS())) for node in nodes} == set(zip(*CROSSBAR_NODE_EXISTS.nonzero(), strict=True))
    with pytest.raises(OverflowError):
        halco.CrossbarNodeOnDLS(halco.CrossbarOutputOnDLS(1), halco.CrossbarInputOnDLS(0))


def test_outputs_to_the_fpga_are_no_buses() -> None:
    assert halco.CrossbarOutputOnDLS(9).toPADIBusOnDLS() is None
    assert halco.CrossbarOutputOnDLS(9).toCrossbarL2OutputOnDLS() == 1
    assert halco.CrossbarInputOnDLS(9).toSPL1Address() == 1
    assert halco.BackgroundSpikeSourceOnDLS(5).toCrossbarInputOnDLS() == 17
    assert halco.BackgroundSpikeSourceOnDLS(5).toPADIBusOnDLS() == halco.PADIBusOnDLS(5)


def compartments() -> halco.LogicalNeuronCompartments:
    at = halco.AtomicNeuronOnLogicalNeuron
    return halco.LogicalNeuronCompartments({halco.CompartmentOnLogicalNeuron(0): [at(2), at(3)], halco.CompartmentOnLogicalNeuron(1): [at(130)]})


def test_a_logical_neuron_lies_at_its_anchor() -> None:
    shape = compartments()
    placed = halco.LogicalNeuronOnDLS(shape, halco.AtomicNeuronOnDLS(halco.common.Enum(200)))
    assert placed.get_placed_compartments() == {0: [200, 201], 1: [456]}
    assert placed.get_atomic_neurons() == [200, 201, 456]
    assert pickle.loads(pickle.dumps(placed)) == placed
    assert len({placed, halco.LogicalNeuronOnDLS(shape, halco.AtomicNeuronOnDLS(200)), halco.LogicalNeuronOnDLS(shape, halco.AtomicNeuronOnDLS(3))}) == 2


def test_flipping_twice_gives_the_same_shape() -> None:
    shape = compartments()
    assert shape.flip_x() != shape != shape.flip_y()
    assert shape.flip_x().flip_x() == shape.flip_y().flip_y() == shape
    assert (shape.get_left_most_column(), shape.get_right_most_column(), shape.get_top_most_row(), shape.get_bottom_most_row()) == (2, 3, 0, 1)


@pytest.mark.parametrize("anchor", [127, 255, 256, 400])
def test_a_logical_neuron_stays_in_its_half_of_the_chip(anchor: int) -> None:
    with pytest.raises(RuntimeError, match="does not fit") as refused:
        halco.LogicalNeuronOnDLS(compartments(), halco.AtomicNeuronOnDLS(anchor))
    assert isinstance(refused.value, NeckarError)


def test_a_circuit_belongs_to_one_compartment() -> None:
    at = halco.AtomicNeuronOnLogicalNeuron
    with pytest.raises(RuntimeError, match=r"circuits \[1\]"):
        halco.LogicalNeuronCompartments({0: [at(0), at(1)], 1: [at(1)]})


def test_neighbours_end_at_the_grid() -> None:
    corner = halco.AtomicNeuronOnLogicalNeuron()
    assert corner.get_neighbor(corner.Direction.right) == 1
    assert corner.get_neighbor(corner.Direction.opposite_row) == 128
    with pytest.raises(OverflowError):
        corner.get_neighbor(corner.Direction.left)
