"""Neurons with compartments: parts, shapes, parameters, and what reaches the circuits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fake_session import FakeLab
from hypothesis import given
from hypothesis import strategies as st

import pynn_brainscales.brainscales2 as pynn
from dlens_vx_v3 import halco, lola
from neckar.errors import ConfigurationError, NeckarError, ParameterRangeError, UnknownNameError
from pynn_brainscales import errors
from pynn_brainscales.brainscales2.morphology import Compartment, McCircuitParameters, McNeuronBase, SharedLineConnection, create_mc_neuron

SOMA = {"positions": [0], "label": "soma", "connect_shared_line": [0]}
DENDRITE = {"positions": [1, 2], "label": "dendrite", "connect_conductance": [(1, 200)]}
LINE = [SharedLineConnection(0, 1, 0)]


def neuron(single_active_circuit: bool = False, **parameters: Any) -> type[McNeuronBase]:
    """Return a type of one soma of one circuit and a dendrite of two, which sets some parameters."""
    return create_mc_neuron("Neuron", [Compartment(**SOMA), Compartment(**DENDRITE, **parameters)], LINE, single_active_circuit)


def fields_of(lab: FakeLab) -> Any:
    """Run and return what the chip holds."""
    pynn.run(0.01)
    return lab.sessions[-1].config


# --- parts


@pytest.mark.parametrize(
    "wrong",
    [
        {"positions": [0, 0]},
        {"positions": 3},
        {"positions": "01"},
        {"positions": [0.5]},
        {"label": None},
        {"label": 3},
        {"connect_shared_line": 0},
        {"connect_shared_line": [7]},
        {"connect_shared_line": [[0]]},
        {"connect_conductance": 0},
        {"connect_conductance": [(0, 100), (0, 200)]},
        {"connect_conductance": [(7, 100)]},
        {"connect_conductance": ([0], 100)},
        {"connect_conductance": [(0, 100, 10)]},
        {"connect_conductance": [(0, 1.5)]},
    ],
)
def test_descriptions_that_cannot_be_read_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError) as error:
        Compartment(**{"positions": [0, 1], "label": "x", **wrong})
    assert isinstance(error.value, NeckarError)


def test_a_compartment_cannot_lose_circuits_that_are_connected() -> None:
    compartment = Compartment(**DENDRITE)
    with pytest.raises(TypeError, match="position 1"):
        compartment.positions = [2, 3]
    assert (compartment.positions, compartment.size, compartment.connect_shared_line) == ([1, 2], 2, [])


# --- shapes


@pytest.mark.parametrize(
    ("compartments", "connections", "error", "text"),
    [
        (lambda: Compartment(**SOMA), None, TypeError, "sequence of Compartment"),
        (lambda: "ab", None, TypeError, "sequence of Compartment"),
        (lambda: [3], None, TypeError, "type Compartment"),
        (lambda: [], None, RuntimeError, "at least one"),
        (lambda: [Compartment(**SOMA)], LINE[0], TypeError, "sequence of SharedLineConnection"),
        (lambda: [Compartment(**SOMA)], [(0, 1, 0)], TypeError, "SharedLineConnection"),
        (lambda: [Compartment(positions=[256], label="x")], None, OverflowError, "0 to 255"),
        (lambda: [Compartment(**SOMA)], [SharedLineConnection(2, 1, 0)], RuntimeError, "Exchange"),
        (lambda: [Compartment(**SOMA)], [SharedLineConnection(0, 128, 0)], OverflowError, "0 to 127"),
        (lambda: [Compartment(**SOMA), Compartment(**DENDRITE)], None, RuntimeError, "not all connected"),
        (lambda: [Compartment(**SOMA), Compartment(positions=[1], label="d", connect_shared_line=[1])], LINE, RuntimeError, "joined"),
        (
            lambda: [Compartment(**SOMA), Compartment(positions=[1, 0], label="d", connect_conductance=[(1, 5)])],
            LINE,
            RuntimeError,
            r"circuits \[0\] belong to another",
        ),
        (
            lambda: [Compartment(**SOMA), Compartment(positions=[1], label="d", connect_conductance=[(1, 5)], connect_shared_line=[1])],
            LINE,
            RuntimeError,
            "not by both",
        ),
        (lambda: [Compartment(positions=[0, 2], label="x")], None, RuntimeError, "not contiguous"),
        (lambda: [Compartment(positions=[0, 129], label="x")], None, RuntimeError, "not contiguous"),
        (lambda: [Compartment(**SOMA)], [SharedLineConnection(3, 4, 0)], RuntimeError, "not all connected"),
    ],
)
def test_shapes_that_cannot_exist_are_refused(compartments: Callable[[], Any], connections: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text) as raised:
        create_mc_neuron("Wrong", compartments(), connections)
    assert isinstance(raised.value, NeckarError)


def test_switches_close_what_the_description_says() -> None:
    parts = [
        Compartment(positions=[1, 129], label="left", connect_shared_line=[1]),
        Compartment(positions=[4, 5, 133], label="right", connect_conductance=[(4, 300)]),
    ]
    shape = create_mc_neuron("Shape", parts, [SharedLineConnection(1, 4, 0)]).morphology
    assert shape.places == ((0, 0), (0, 1), (3, 0), (4, 0), (4, 1), (1, 0), (2, 0))  # the last two carry the line alone
    assert {name.removeprefix("multicompartment_"): codes for name, codes in shape.switches.items()} == {
        "connect_right": (0, 0, 1, 0, 0, 0, 0),
        "connect_vertical": (1, 1, 0, 1, 1, 0, 0),
        "connect_soma": (1, 0, 0, 0, 0, 0, 0),
        "enable_conductance": (0, 0, 1, 0, 0, 0, 0),
        "connect_soma_right": (1, 0, 0, 0, 0, 1, 1),
    }
    assert [(one.label, one.circuits, one.spike_master) for one in shape.compartments] == [("left", (0, 1), 0), ("right", (2, 3, 4), 2)]


def test_a_type_knows_its_neuron_at_the_register_level() -> None:
    kind = neuron()
    collapsed = kind.logical_neuron.collapse_neuron()
    assert [len(circuits) for circuits in collapsed.values()] == [1, 2]
    switches = kind.morphology.switches
    for name in ("connect_right", "connect_soma", "connect_soma_right", "enable_conductance"):
        held = [int(getattr(circuit.multicompartment, name)) for circuits in collapsed.values() for circuit in circuits]
        assert held == list(switches[f"multicompartment_{name}"])


@given(st.sets(st.integers(0, 15), min_size=1, max_size=8))
def test_a_compartment_is_one_membrane_exactly_if_its_circuits_are_one_block(columns: set[int]) -> None:
    """Slow and obvious: neighbours are merged one by one until nothing changes."""
    positions = sorted(column % 8 + 128 * (column // 8) for column in columns)
    groups = [{position} for position in positions]
    for a in positions:
        for b in positions:
            if b - a in (1, 128):
                first, second = (next(group for group in groups if position in group) for position in (a, b))
                if first is not second:
                    first |= second
                    groups.remove(second)
    if len(groups) == 1:
        shape = create_mc_neuron("Block", [Compartment(positions=positions, label="x")]).morphology
        closed = sum(shape.switches["multicompartment_connect_right"]) + sum(shape.switches["multicompartment_connect_vertical"]) // 2
        assert closed >= len(positions) - 1  # connected
    else:
        with pytest.raises(RuntimeError, match="not contiguous"):
            create_mc_neuron("Block", [Compartment(positions=positions, label="x")])


# --- types


def test_labels_and_compartments_are_found_in_both_directions() -> None:
    parts = [Compartment(**SOMA), *(Compartment(positions=[i], label="dendrite", connect_conductance=[(i, 9)]) for i in (1, 2))]
    kind = create_mc_neuron("Neuron", parts, [SharedLineConnection(0, 2, 0)])
    assert (kind.get_labels(), kind.get_label(halco.CompartmentOnLogicalNeuron(2))) == (["soma", "dendrite", "dendrite"], "dendrite")
    assert kind.get_compartment_ids(["dendrite"]) == [halco.CompartmentOnLogicalNeuron(i) for i in (1, 2)]
    assert list(kind.compartments) == [halco.CompartmentOnLogicalNeuron(i) for i in range(3)]
    with pytest.raises(KeyError):
        kind.get_label(4)
    with pytest.raises(ValueError, match="soma, dendrite"):
        kind.get_compartment_ids(["axon"])
    assert len(kind.logical_compartments.get_compartments()) == 3


def test_parameters_are_those_of_circuits_without_the_switches_of_the_shape() -> None:
    names = set(neuron().get_parameter_names())
    assert names < set(pynn.cells.HXNeuron.get_parameter_names())
    assert len(names) == 70 - 5
    for name in ("multicompartment_connect_right", "plasticity_rule_readout_source", "plasticity_rule"):
        with pytest.raises(errors.NonExistentParameterError):
            neuron()(**{name: 0})


def test_parameters_of_compartments_that_do_not_exist_or_fit_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="tau_m"):
        neuron(tau_m=10)
    with pytest.raises(RuntimeError, match="2 circuits and 3 values"):
        neuron(leak_v_leak=[1, 2, 3])


# --- populations


@pytest.mark.usefixtures("experiment")
def test_values_of_compartments_come_before_those_of_the_constructor() -> None:
    kind = neuron(leak_v_leak=[2, 3], threshold_v_threshold=4)
    population = pynn.Population(3, kind())
    assert population.get("leak_v_leak") == McCircuitParameters([[0], [2, 3]])
    assert population.get(["leak_v_leak", "threshold_v_threshold"]) == [McCircuitParameters([[0], [2, 3]]), McCircuitParameters([[0], [4, 4]])]
    assert population.get("multicompartment_i_bias_nmda") == McCircuitParameters([[0], [200, 0]])
    assert pynn.Population(1, kind(leak_v_leak=100)).get("leak_v_leak") == 100
    assert pynn.Population(1, kind(leak_v_leak=100)).get("leak_v_leak") != 101


@pytest.mark.usefixtures("experiment")
def test_values_are_set_for_all_neurons_for_one_or_each() -> None:
    population = pynn.Population(2, neuron()())
    one, other = McCircuitParameters([[1], [2, 3]]), McCircuitParameters([[4], [5, 6]])
    population.set(leak_v_leak=one)
    assert population.get("leak_v_leak") == one
    population.set(leak_v_leak=np.array([one, other]))
    assert (population.get("leak_v_leak") == np.array([one, other])).all()
    population[1:].set(leak_v_leak=7)
    assert [value == wanted for value, wanted in zip(population.get("leak_v_leak"), (one, 7), strict=True)] == [True, True]
    one.value[0][0] = 99
    assert population[0:1].get("leak_v_leak") == McCircuitParameters([[1], [2, 3]])
    for wrong in (McCircuitParameters([[1, 2], [3]]), McCircuitParameters([[1]]), "text", [[1], [2, 3]]):
        with pytest.raises((NeckarError, errors.InvalidDimensionsError, errors.InvalidParameterValueError)):
            population.set(leak_v_leak=wrong)


@pytest.mark.parametrize("wrong", [[1, 2], [], 3, [["a"]], [[[1]]], None])
def test_circuit_parameters_have_one_row_per_compartment(wrong: Any) -> None:
    with pytest.raises(TypeError, match="per compartment"):
        McCircuitParameters(wrong)


def test_values_reach_their_circuits(lab: FakeLab) -> None:
    pynn.setup(neuronPermutation=[*range(10, 20)])
    population = pynn.Population(2, neuron()(leak_v_leak=np.array([McCircuitParameters([[1], [2, 3]]), McCircuitParameters([[4], [5, 6]])])))
    config = fields_of(lab)
    assert population.circuits.tolist() == [[10, 11, 12], [13, 14, 15]]
    assert config.leak_v_leak[9:17].tolist() == [0, 1, 2, 3, 4, 5, 6, 0]
    assert config.multicompartment_i_bias_nmda[10:16].tolist() == [0, 200, 0, 0, 200, 0]
    assert config.multicompartment_enable_conductance[10:16].tolist() == [0, 1, 0, 0, 1, 0]
    assert config.multicompartment_connect_soma_right[10:16].tolist() == [1, 0, 0, 1, 0, 0]
    assert config.event_routing_enable_digital[10:16].tolist() == [1, 1, 0, 1, 1, 0]  # spikes leave from the first circuit of each compartment


def test_neurons_at_the_register_level_hold_what_reaches_the_chip(lab: FakeLab) -> None:
    parts = [Compartment(positions=[0, 128], label="soma", connect_shared_line=[0]), Compartment(positions=[2], label="far", connect_conductance=[(2, 77)])]
    kind = create_mc_neuron("Kind", parts, [SharedLineConnection(0, 2, 0)])
    pynn.setup()
    population = pynn.Population(2, kind(leak_v_leak=np.array([McCircuitParameters([[1, 2], [3]]), McCircuitParameters([[4, 5], [6]])])))
    config = fields_of(lab)
    for i in range(2):
        coordinate = pynn.simulator.state.neuron_placement.id2logicalneuron(population[i])
        codes = population.celltype.get_logical_neuron(i).codes(coordinate)
        free = ("event_routing", "readout")  # the mapper's and the recorder's own
        held = {(field, index, int(config[(field)][index])) for field, index, _ in codes if not field.startswith(free)}
        assert {(field, index, int(code)) for field, index, code in codes if not field.startswith(free)} == held


@pytest.mark.usefixtures("experiment")
def test_ranges_are_checked_when_mapped() -> None:
    pynn.Population(1, neuron()(leak_v_leak=1500), label="mine")
    with pytest.raises(ParameterRangeError, match="'mine': leak_v_leak"):
        pynn.run(None, pynn.RunCommand.PREPARE)


def test_all_but_the_first_circuits_stay_off_whatever_is_set(lab: FakeLab) -> None:
    pynn.setup()
    population = pynn.Population(1, neuron(True, leak_i_bias=[5, 6])(membrane_capacitance_capacitance=63, threshold_enable=True))
    population.set(leak_enable_division=False, leak_i_bias=300)
    assert population.get("leak_i_bias") == McCircuitParameters([[300], [300, 0]])
    config = fields_of(lab)
    assert config.leak_i_bias[:3].tolist() == [300, 300, 0]
    assert config.membrane_capacitance_capacitance[:3].tolist() == [63, 63, 0]
    assert config.threshold_enable[:3].tolist() == [1, 1, 0]
    assert config.leak_enable_division[:3].tolist() == [0, 0, 1]


def test_values_start_from_the_initial_configuration_and_compartments_override_it(lab: FakeLab) -> None:
    chip = lola.Chip()
    for number, circuit in enumerate(chip.neuron_block.atomic_neurons):
        circuit.leak.v_leak = circuit.threshold.v_threshold = number
    pynn.setup(initial_config=chip)
    kind = neuron(leak_v_leak=9)
    pynn.Population(1, kind())
    population = pynn.Population(1, kind())
    assert population.get("leak_v_leak") == McCircuitParameters([[3], [9, 9]])
    assert population.get("threshold_v_threshold") == McCircuitParameters([[3], [4, 5]])
    assert pynn.Population(1, kind(threshold_v_threshold=100)).get("threshold_v_threshold") == 100
    population.set(threshold_v_threshold=300)
    pynn.run(None, pynn.RunCommand.PREPARE)
    assert population.get("threshold_v_threshold") == 300


@pytest.mark.usefixtures("experiment")
def test_neurons_do_not_cross_the_halves_of_the_chip() -> None:
    pynn.Population(126, pynn.cells.HXNeuron())
    population = pynn.Population(1, neuron()())
    assert population.circuits.tolist() == [[128, 129, 130]]
    placed = pynn.simulator.state.neuron_placement.id2logicalneuron(population[0])
    assert placed.get_atomic_neurons() == [halco.AtomicNeuronOnDLS(halco.common.Enum(i)) for i in (128, 129, 130)]


@pytest.mark.usefixtures("experiment")
def test_placed_compartments_follow_the_shape() -> None:
    parts = [Compartment(positions=[129], label="low", connect_shared_line=[129]), Compartment(positions=[131], label="far", connect_conductance=[(131, 9)])]
    population = pynn.Population(2, create_mc_neuron("Lower", parts, [SharedLineConnection(1, 3, 1)])())
    assert population.circuits.tolist() == [[0, 2, 1], [3, 5, 4]]
    placed = pynn.simulator.state.neuron_placement.id2logicalneuron([cell for cell in population])[1].get_placed_compartments()
    assert [[int(circuit.toEnum()) for circuit in placed[halco.CompartmentOnLogicalNeuron(i)]] for i in range(3)] == [[3], [5], [4]]


# --- connections


@pytest.mark.usefixtures("experiment")
def test_connections_end_and_start_at_compartments() -> None:
    kind = neuron()
    first, second = pynn.Population(1, kind()), pynn.Population(1, kind())
    point = pynn.Population(1, pynn.cells.HXNeuron())
    synapse = pynn.synapses.StaticSynapse(weight=30)
    default = pynn.Projection(point, first, pynn.AllToAllConnector(), synapse_type=synapse)
    assert (default.pre_compartment, default.post_compartment) == (halco.CompartmentOnLogicalNeuron(), halco.CompartmentOnLogicalNeuron())
    chosen = pynn.Projection(first, second, pynn.OneToOneConnector(location_selector="dendrite", source_location_selector="dendrite"), synapse_type=synapse)
    assert (int(chosen.pre_compartment), int(chosen.post_compartment)) == (1, 1)
    pynn.run(None, pynn.RunCommand.PREPARE)
    assert int(default.placed_connections[0][0].synapse_on_row) == 0
    assert int(chosen.placed_connections[0][0].synapse_on_row) in (4, 5)
    with pytest.raises(ConfigurationError, match="soma, dendrite"):
        pynn.Projection(point, first, pynn.AllToAllConnector(location_selector="axon"))
    with pytest.raises(ConfigurationError, match="no compartments"):
        pynn.Projection(point, first, pynn.AllToAllConnector(source_location_selector="soma"))


@pytest.mark.usefixtures("experiment")
def test_a_label_of_several_compartments_selects_none() -> None:
    parts = [Compartment(**SOMA), *(Compartment(positions=[i], label="dendrite", connect_conductance=[(i, 9)]) for i in (1, 2))]
    population = pynn.Population(1, create_mc_neuron("Neuron", parts, [SharedLineConnection(0, 2, 0)])())
    with pytest.raises(ConfigurationError, match="2 compartments"):
        pynn.Projection(population, population, pynn.AllToAllConnector(location_selector="dendrite"))
    assert pynn.simulator.state.projections == []
