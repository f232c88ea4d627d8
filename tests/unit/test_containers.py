"""Containers: where they lie on the chip, round trips, copies and references."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlens_vx_v3 import hal, halco, lola
from dlens_vx_v3._container import Container, Part, Place, chip_of, config_of, container_type_of
from dlens_vx_v3._missing import MISSING
from dlens_vx_v3._values import REGISTERS
from dlens_vx_v3.halco._base import Ranged
from neckar.chip.config import ChipConfig
from neckar.errors import NeckarError
from neckar.facts import CROSSBAR_NODE_EXISTS

LARGE = {"Chip", "NeuronBlock", "ExternalPPUMemory", "PPUMemory"}
OTHER = {
    "Container",
    "containers",
    "to_json",
    "from_json",
    "MADCSampleFromChip",
    "Morphology",
    "MCSafeAtomicNeuron",
    "LogicalNeuron",
    "PPUMemoryBlock",
    "ExternalPPUMemoryBlock",
    "ExternalPPUDRAMMemoryBlock",
}
ALL = {name: getattr(module, name) for module in (hal, lola) for name in module.__all__ if name not in OTHER}
KINDS = [kind for name, kind in ALL.items() if name not in LARGE]

ELSEWHERE = {
    "correlation_reset": "a trigger, written by lola.CorrelationResetRow; a chip at rest has no trigger",
    "madc_enable_continuous_sampling": "in hal.MADCControl, which upstream keeps out of the chip's configuration",
    "board_external_voltage": "in hal.DACChannel, a register of the board",
}
"""Register fields that lie in no part of lola.Chip, and where they are."""


def fill(part: Part, draw: Any) -> None:
    """Give every member of a part a value of its own."""
    for member, owner in part._members():
        low, high = int(member._limits.min), int(member._limits.max)
        if member.over:
            member.write(owner, np.random.default_rng(draw(st.integers(0, 2**32))).integers(low, high, member.shape, endpoint=True), (...,))
        else:
            member.write(owner, draw(st.integers(low, high)))


@st.composite
def placed(draw: st.DrawFn) -> tuple[Container, Ranged]:
    """A container of any kind with random values, and a coordinate for it."""
    kind = draw(st.sampled_from(KINDS))
    container = kind()
    fill(container, draw)
    coordinate = kind.coordinate
    return container, coordinate(draw(st.integers(coordinate.min, coordinate.max)))


def without_storage(container: Container, coord: Ranged) -> dict[str, Any]:
    """Return the codes of a container that have a place."""
    return {(field, index): np.asarray(code).tolist() for field, index, code in container.codes(coord)}


@settings(max_examples=200, deadline=None)
@given(placed())
def test_a_container_written_to_a_chip_is_read_back(case: tuple[Container, Ranged]) -> None:
    container, coord = case
    config = ChipConfig()
    container.write_to(config, coord)
    again = type(container).read_from(config, coord)
    assert without_storage(again, coord) == without_storage(container, coord)
    assert type(container).from_codes(coord, [_code(config, container, coord, place) for place in container.places(coord)]).codes(coord) is not None
    written = {field for field, _, _ in container.codes(coord)}
    assert set(config.delta_from(ChipConfig())) <= written


def _code(config: ChipConfig, container: Container, coord: Ranged, place: Place) -> Any:
    return 1 if REGISTERS[place.field].counter else config[place.field][place.key]


@settings(max_examples=200, deadline=None)
@given(placed())
def test_codes_in_the_order_of_places_rebuild_the_container(case: tuple[Container, Ranged]) -> None:
    container, coord = case
    found = {(field, index): code for field, index, code in container.codes(coord)}
    if any(REGISTERS[place.field].counter for place in container.places(coord)):
        return
    again = type(container).from_codes(coord, [found[place.field, place.index] for place in container.places(coord)])
    assert without_storage(again, coord) == without_storage(container, coord)


@settings(max_examples=200, deadline=None)
@given(placed(), st.data())
def test_copies_are_equal_and_independent(case: tuple[Container, Ranged], data: st.DataObject) -> None:
    container, _ = case
    for twin in (copy.copy(container), copy.deepcopy(container), pickle.loads(pickle.dumps(container)), type(container)(container)):
        assert twin == container
        assert repr(twin) == repr(container)
        members = [(member, part) for member, part in twin._members() if not member.counter]
        if members:
            member, part = data.draw(st.sampled_from(members))
            other = data.draw(st.integers(member._limits.min, member._limits.max).filter(lambda code, m=member, p=part: np.any(m.read(p) != code)))
            member.write(part, other, (...,) if member.over else ())
            assert twin != container


def test_every_field_lies_in_one_place_of_the_chip() -> None:
    covered = {field: np.zeros(codes.shape, dtype=int) for field, codes in ChipConfig().as_mapping().items()}
    for place in Container.places.__func__(lola.Chip, halco.ChipOnDLS()):  # type: ignore[attr-defined]
        covered[place.field][place.key] += 1
    for field, times in covered.items():
        expected = CROSSBAR_NODE_EXISTS if times.shape == CROSSBAR_NODE_EXISTS.shape else field not in ELSEWHERE
        assert np.array_equal(times, np.broadcast_to(expected, times.shape)), field


def test_fields_outside_the_chip_have_a_container_of_their_own() -> None:
    found = [
        *lola.CorrelationResetRow.places(halco.CorrelationResetRowOnDLS(300)),
        *hal.MADCControl.places(halco.MADCControlOnDLS()),
        *(place for channel in halco.iter_all(halco.DACChannelOnBoard) for place in hal.DACChannel.places(channel)),
    ]
    assert {place.field: place.index for place in found} == {**dict.fromkeys(ELSEWHERE, ()), "correlation_reset": (1, 44)}
    assert len(found) == len(ELSEWHERE)


def test_what_is_called_missing_does_not_exist() -> None:
    named = [name for names in MISSING.values() for name in names]
    assert len(named) == len(set(named))
    assert not [name for name in named if hasattr(hal, name) or hasattr(lola, name)]
    with pytest.raises(AttributeError, match="one by one"):
        _ = hal.CapMemBlock


def test_two_containers_of_the_same_circuit_write_the_same_fields() -> None:
    """The registers of a circuit are in lola.AtomicNeuron and, one level lower, in three containers of hal."""
    circuit = halco.AtomicNeuronOnDLS(300)
    column, block = circuit.toNeuronConfigOnDLS().toNeuronConfigOnNeuronConfigBlock(), circuit.toCapMemBlockOnDLS()
    cells = [halco.CapMemCellOnDLS(halco.CapMemCellOnCapMemBlock(halco.CapMemColumnOnCapMemBlock(int(column)), row), block) for row in rows()]
    lower = [
        *hal.NeuronConfig.places(circuit.toNeuronConfigOnDLS()),
        *hal.NeuronBackendConfig.places(circuit.toNeuronBackendConfigOnDLS()),
        *(place for cell in cells for place in hal.CapMemCell.places(cell)),
    ]
    assert {(place.field, place.index) for place in lower} == {(place.field, place.index) for place in lola.AtomicNeuron.places(circuit)}
    assert len(lower) == len(lola.AtomicNeuron.places(circuit))


def rows() -> list[Any]:
    return list(halco.iter_all(halco.CapMemRowOnCapMemBlock))


def test_shared_cells_lie_in_their_quadrant() -> None:
    shared = [halco.CapMemCellOnDLS(cell, halco.CapMemBlockOnDLS(2)) for cell in halco.iter_all(halco.CapMemCellOnCapMemBlock) if cell.x() >= 128]
    found = {place.field: place.index for cell in shared for place in hal.CapMemCell.places(cell)}
    capmem = {name for name, row in REGISTERS.items() if row.kind.startswith("capmem") and row.axes == ("quadrant",)}
    assert found == {field: (2,) for field in capmem}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_codes_outside_the_range_raise_and_change_nothing(kind: type[Container]) -> None:
    container = kind()
    for member, part in container._members():
        if not hasattr(type(part), member.name) or member.name.startswith("_"):
            continue
        for code, error in ((int(member._limits.max) + 1, OverflowError), (int(member._limits.min) - 1, TypeError)):
            with pytest.raises(error) as refused:
                setattr(part, member.name, code)
            assert isinstance(refused.value, NeckarError)
    assert container == kind()


def test_a_wrong_name_is_refused_with_the_nearest() -> None:
    neuron = lola.AtomicNeuron()
    with pytest.raises(AttributeError, match="v_leak"):
        neuron.leak.v_leek = 3
    with pytest.raises(AttributeError, match="CapMemCell"):
        _ = hal.CapMemCel
    with pytest.raises(AttributeError, match="neither read nor written"):
        container_type_of(halco.NeuronColumnOnDLS())


def test_containers_in_a_chip_are_views() -> None:
    chip = lola.Chip()
    circuit = halco.AtomicNeuronOnDLS(halco.NeuronColumnOnDLS(44), halco.NeuronRowOnDLS(1))
    neuron, again = chip.neuron_block.atomic_neurons[circuit], chip.neuron_block.atomic_neurons[circuit]
    neuron.leak.v_leak = 700
    chip.neuron_block.backends[halco.CommonNeuronBackendConfigOnDLS(1)].clock_scale_fast = 3
    assert again.leak.v_leak == 700 == config_of(chip).leak_v_leak[300]
    assert list(config_of(chip).backend_clock_scale_fast) == [0, 3]
    config_of(chip)["leak_v_leak", 300] = 5
    assert neuron.leak.v_leak == 5


def test_assignment_copies() -> None:
    chip, neuron = lola.Chip(), lola.AtomicNeuron()
    neuron.threshold.enable = True
    chip.neuron_block.atomic_neurons[halco.AtomicNeuronOnDLS(3)] = neuron
    neuron.threshold.enable = False
    assert chip.neuron_block.atomic_neurons[halco.AtomicNeuronOnDLS(3)].threshold.enable
    chip.neuron_block.atomic_neurons[4] = chip.neuron_block.atomic_neurons[3]
    chip.neuron_block.atomic_neurons[3].threshold.enable = False
    assert np.flatnonzero(config_of(chip).threshold_enable).tolist() == [4]
    neuron.leak = chip.neuron_block.atomic_neurons[4].leak
    assert neuron.leak == lola.AtomicNeuron.Leak()


def test_a_chip_shares_or_copies_its_configuration() -> None:
    config = ChipConfig()
    chip = chip_of(config)
    assert config_of(chip) is config
    config.leak_v_leak = 9
    twin = lola.Chip(chip)
    config.leak_v_leak = 10
    assert twin.neuron_block.atomic_neurons[0].leak.v_leak == 9
    assert config_of(twin) is not config
    assert twin != chip
    assert chip == chip_of(config.copy()) == pickle.loads(pickle.dumps(chip)) == copy.deepcopy(chip)
    with pytest.raises(TypeError, match="stands free"):
        config_of(lola.AtomicNeuron())


def test_what_has_no_register_is_stored_in_the_chip() -> None:
    chip = lola.Chip()
    chip.readout_chain.madc_preamp.v_ref = 333
    chip.readout_chain.pad_mux[halco.PadMultiplexerConfigOnDLS(1)].debug_to_pad = True
    chip.crossbar.outputs.enable_slow[halco.CrossbarL2OutputOnDLS(2)] = True
    twin = copy.copy(chip)
    assert config_of(chip) == ChipConfig()
    assert (twin.readout_chain.madc_preamp.v_ref, twin.readout_chain.pad_mux[1].debug_to_pad) == (333, True)
    assert list(twin.crossbar.outputs.enable_slow) == [number == 2 for number in range(4)]
    twin.crossbar.outputs.enable_slow[2] = False
    assert chip.crossbar.outputs.enable_slow[2]
    assert twin != chip != lola.Chip()


def test_the_whole_chip_is_written_and_read() -> None:
    chip, config = lola.Chip.default_neuron_bypass, ChipConfig()
    chip.write_to(config, halco.ChipOnDLS())
    assert lola.Chip.read_from(config, halco.ChipOnDLS()) == chip
    assert config.event_routing_enable_bypass_excitatory.all()
    assert not config.threshold_enable.any()
    assert (config.padi_dacen_pulse_extension == 15).all()
    places = lola.Chip.places(halco.ChipOnDLS())
    assert lola.Chip.from_codes(halco.ChipOnDLS(), [config[place.field] for place in places]) == chip


def test_a_matrix_has_the_axes_row_and_column() -> None:
    chip, weights = lola.Chip(), np.arange(256 * 256).reshape(256, 256) % 64
    matrix = lola.SynapseMatrix()
    matrix.weights.from_numpy(weights)
    chip.synapse_blocks[halco.SynapseBlockOnDLS.bottom].matrix = matrix
    assert np.array_equal(config_of(chip).synapse_weight, [np.zeros_like(weights), weights])
    assert matrix.weights[halco.SynapseRowOnSynram(3)][halco.SynapseOnSynapseRow(7)] == weights[3, 7]
    row = lola.SynapseWeightRow.read_from(config_of(chip), halco.SynapseRowOnDLS(halco.SynapseRowOnSynram(3), halco.SynramOnDLS(1)).toSynapseWeightRowOnDLS())
    assert np.array_equal(row.values.to_numpy(), weights[3])
    with pytest.raises(OverflowError):
        matrix.weights.from_numpy(weights + 1)
    with pytest.raises(TypeError):
        matrix.weights[halco.SynapseOnSynapseRow(3)] = 1


def test_a_quad_has_every_second_column() -> None:
    config = ChipConfig()
    quad = hal.SynapseWeightQuad()
    quad.values = [1, 2, 3, 4]
    quad.write_to(config, halco.SynapseWeightQuadOnDLS(halco.SynapseQuadOnSynram(halco.SynapseQuadColumnOnDLS(33), halco.SynapseRowOnSynram(5))))
    assert {int(column): int(config.synapse_weight[0, 5, column]) for column in np.flatnonzero(config.synapse_weight[0, 5])} == {9: 1, 11: 2, 13: 3, 15: 4}


def test_switches_that_share_a_code_keep_each_other() -> None:
    """NeuronConfig has two switches for the strength of the fire pulse, NeuronBackendConfig two for the logic operation; the register table one choice each."""
    at = halco.NeuronConfigOnDLS(7)
    for fire, strong, mode in ((False, False, 0), (True, False, 1), (True, True, 2)):
        container = hal.NeuronConfig(enable_strong_fire=strong, enable_fire=fire)
        config = ChipConfig()
        container.write_to(config, at)
        assert config.event_routing_analog_output[7] == mode
        assert hal.NeuronConfig.read_from(config, at) == container
    for operation in range(4):
        config = ChipConfig({"bayesian_operation": operation})
        container = hal.NeuronBackendConfig.read_from(config, halco.NeuronBackendConfigOnDLS())
        assert (container.enable_bayesian_0, container.enable_bayesian_1) == (bool(operation & 1), bool(operation & 2))
        assert ("bayesian_operation", (0,), operation) in container.codes(halco.NeuronBackendConfigOnDLS())


def test_a_cell_holds_a_value_or_is_not_refreshed() -> None:
    cell = hal.CapMemCell(hal.CapMemCell.Value(500))
    at = halco.CapMemCellOnDLS(halco.CapMemCellOnCapMemBlock.syn_i_bias_dac, halco.CapMemBlockOnDLS(2))
    config = ChipConfig()
    cell.write_to(config, at)
    assert list(config.syn_i_bias_dac) == [1022, 1022, 500, 1022]
    with pytest.raises(OverflowError):
        cell.value = 1023
    cell.value = hal.CapMemCell.DisableRefresh()
    cell.write_to(config, at)
    assert config.syn_i_bias_dac[2] == 1023
    assert isinstance(hal.CapMemCell.read_from(config, at).value, hal.CapMemCell.DisableRefresh)


def test_counters_are_read_only_by_the_machine() -> None:
    counter = hal.CrossbarOutputEventCounter
    (place,) = counter.places(halco.CrossbarOutputOnDLS(8))
    assert (place.field, place.index) == ("crossbar_event_counter", (8,))
    assert counter.from_codes(halco.CrossbarOutputOnDLS(8), [200]).value == 200
    assert counter().codes(halco.CrossbarOutputOnDLS(8)) == ()
    (place,) = hal.CrossbarInputDropCounter.places(halco.CrossbarInputOnDLS(19))
    assert (place.field, place.index) == ("crossbar_drop_counter", (19,))
    spikes = hal.SpikeCounterRead.from_codes(halco.AtomicNeuronOnDLS(300).toSpikeCounterReadOnDLS(), [7, 1])
    assert (spikes.count, spikes.overflow) == (7, True)
    assert container_type_of(halco.CrossbarOutputOnDLS()) is counter
    assert container_type_of(halco.SynramOnDLS()) is lola.SynapseMatrix


def test_memory_blocks_have_their_size() -> None:
    block = hal.PPUMemoryBlock(halco.PPUMemoryBlockSize(2))
    block.words = [hal.PPUMemoryWord(hal.PPUMemoryWord.Value(0x1234567)), 5]
    assert block.words[0] == hal.PPUMemoryWord(0x1234567)
    assert block == copy.deepcopy(block) == pickle.loads(pickle.dumps(block))
    assert block != hal.PPUMemoryBlock(halco.PPUMemoryBlockSize(2))
    assert block.get_subblock(1, 1).words == [hal.PPUMemoryWord(5)]
    with pytest.raises(TypeError, match="2 elements"):
        block.words = [1]
    assert lola.ExternalPPUMemoryBlock(halco.ExternalPPUMemoryBlockSize(3)).bytes[2].value == 0
    assert halco.PPUMemoryBlockOnPPU(3, 5).toPPUMemoryBlockSize() == 3


def chain() -> tuple[Any, Any]:
    """Two compartments, connected over the line by a conductance; circuit 1 carries the line."""
    at, morphology = halco.AtomicNeuronOnLogicalNeuron, lola.Morphology()
    morphology.create_compartment([at(0), at(128)])
    morphology.create_compartment([at(2), at(3)])
    morphology.connect_to_soma(at(0))
    morphology.connect_resistor_to_soma(at(2))
    morphology.connect_soma_line(halco.NeuronColumnOnLogicalNeuron(0), halco.NeuronColumnOnLogicalNeuron(2), halco.NeuronRowOnLogicalNeuron(0))
    return morphology.done()


def test_a_morphology_sets_the_switches_of_its_circuits() -> None:
    shape, neuron = chain()
    assert shape.get_compartments() == {0: [0, 128], 1: [2, 3], 2: [1]}
    neuron[(halco.CompartmentOnLogicalNeuron(1), 0)].multicompartment.i_bias_nmda = 500
    place, config = halco.LogicalNeuronOnDLS(shape, halco.AtomicNeuronOnDLS(20)), ChipConfig()
    neuron.write_to(config, place)
    changed = {field: codes for field, codes in config.delta_from(ChipConfig()).items() if field.startswith("multicompartment")}
    on = {field: np.flatnonzero(codes).tolist() for field, codes in changed.items()}
    assert on == {
        "multicompartment_connect_soma": [20],
        "multicompartment_connect_soma_right": [20, 21],
        "multicompartment_connect_right": [22],
        "multicompartment_connect_vertical": [20, 276],
        "multicompartment_enable_conductance": [22],
        "multicompartment_i_bias_nmda": [22],
    }
    assert lola.LogicalNeuron.read_from(config, place) == neuron == pickle.loads(pickle.dumps(neuron)) == copy.deepcopy(neuron)


def test_the_shape_of_a_complete_neuron_is_fixed() -> None:
    _, neuron = chain()
    with pytest.raises(AttributeError, match="connect_soma"):
        neuron[(halco.CompartmentOnLogicalNeuron(0), 0)].multicompartment.connect_soma = False


def test_impossible_morphologies_are_refused() -> None:
    at = halco.AtomicNeuronOnLogicalNeuron
    faults: dict[str, Any] = {
        "not contiguous": lambda m: m.create_compartment([at(0), at(2)]),
        "another compartment": lambda m: [m.create_compartment([at(5)]), m.create_compartment([at(5), at(6)])],
        "not by both": lambda m: [m.connect_to_soma(at(1)), m.connect_resistor_to_soma(at(1))],
        "not all connected": lambda m: [m.create_compartment([at(0)]), m.create_compartment([at(9)]), m.done()],
        "joined with another": lambda m: [m.create_compartment([at(0)]), m.create_compartment([at(1)]), m.connect_to_soma(at(0)), m.connect_to_soma(at(1)),
                                          m.connect_soma_line(0, 1, 0), m.done()],
    }  # fmt: skip
    for text, act in faults.items():
        with pytest.raises(RuntimeError, match=text) as refused:
            act(lola.Morphology())
        assert isinstance(refused.value, NeckarError)


def test_times_are_counted_in_cycles_of_the_fpga() -> None:
    value = hal.Timer.Value
    assert int(value.fpga_clock_cycles_per_us) == 125
    assert value(3) + value(4) == value(7)
    assert isinstance(value(3) + 4, value)
    with pytest.raises(OverflowError):
        value(2**32)
