"""What does not fit says what was asked, what is allowed, where, and what to do; upstream's words for it can be found in the text."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from neckar.chip import ChipConfig
from neckar.chip.cadc_timing import check_cadc
from neckar.chip.effects import Effects
from neckar.chip.machine import Chip
from neckar.chip.specimen import Specimen
from neckar.errors import (
    CapacityError,
    ConfigurationError,
    MappingError,
    NeckarError,
    PlacementError,
    UnsuccessfulRoutingError,
    WeightOverflowError,
)
from neckar.network import (
    BackgroundPopulation,
    Compartment,
    MappedNetwork,
    Morphology,
    Network,
    NeuronPopulation,
    Population,
    Projection,
    Section,
    SourcePopulation,
    build_program,
    map_network,
    partition,
    split_instances,
)
from neckar.program import CadcRecord, MadcChannel, PlasticityTask, Program, Record

BASE = ChipConfig.default()


def sources(size: int, label: str = "in", entries: int = 1) -> SourcePopulation:
    return SourcePopulation.from_entries(label, [[np.zeros(0, np.int64)] * size] * entries)


def connect(pre: int, post: int, pairs: list[tuple[int, int]], weight: int = 1, receptor: str = "excitatory", **rest: int) -> Projection:
    i, j = np.array(pairs, np.int64).T
    return Projection("wires", pre, post, receptor, i, j, np.full(len(i), weight), **rest)  # type: ignore[arg-type]


def mapped(populations: list[Population], *projections: Projection, permutation: list[int] | None = None) -> None:
    map_network(Network(tuple(populations), projections), base=BASE, permutation=permutation)


def map_one() -> MappedNetwork:
    """Return one neuron with one input."""
    return map_network(Network((sources(1), NeuronPopulation("n", 1)), (connect(0, 1, [(0, 0)]),)), base=BASE)


def program(record: Record, plasticity: tuple[PlasticityTask, ...] = (), duration: int = 1000, sections: int = 1) -> Program:
    network = map_network(Network((NeuronPopulation("n", 3),)), base=BASE)
    return build_program([Section(network, duration, record)] * sections, held=None, plasticity=plasticity)


def placement() -> None:
    mapped([NeuronPopulation("small", 500), NeuronPopulation("late", 5, morphology=Morphology.single_compartment(3, horizontal=True))])


def anchor() -> None:
    mapped([NeuronPopulation("row", 1, morphology=Morphology.single_compartment(4, horizontal=True), anchors=np.array([126]))])


def in_degree() -> None:
    mapped([sources(150), NeuronPopulation("deep", 2)], connect(0, 1, [(i, 1) for i in range(150)], receptor="signed"))


def in_degree_of_some_circuits() -> None:
    tree = Morphology(((0, 0), (1, 0)), (Compartment("all", (0, 1), 0, inhibitory=(1,)),))
    everything = [(i, 0) for i in range(260)]
    mapped([sources(260), NeuronPopulation("tree", 1, morphology=tree)], connect(0, 1, everything, receptor="inhibitory"))


def in_degree_that_no_memory_holds() -> None:
    everything = [(i, j) for i in range(400) for j in range(400)]
    mapped([sources(400), NeuronPopulation("deep", 400)], connect(0, 1, everything, 16000))


def in_degree_on_a_bus() -> None:
    pairs = [(i, 40) for i in range(40)]
    mapped([NeuronPopulation("deep", 41)], connect(0, 0, pairs, 70), permutation=[*range(20), *range(256, 276), 100])


def rows_of_a_bus() -> None:
    excitatory, inhibitory = connect(0, 1, [(i, 0) for i in range(32)]), connect(0, 1, [(i, 1) for i in range(33)], receptor="inhibitory")
    mapped([NeuronPopulation("pre", 64), NeuronPopulation("post", 2)], excitatory, inhibitory, permutation=[*range(32), *range(256, 288), 100, 101])


def rows_of_a_hemisphere() -> None:
    excitatory, inhibitory = connect(0, 1, [(i, 0) for i in range(200)]), connect(0, 1, [(i, 1) for i in range(100)], receptor="inhibitory")
    mapped([sources(200), NeuronPopulation("post", 2)], excitatory, inhibitory)


def labels() -> None:
    mapped([sources(8193), NeuronPopulation("post", 256)], connect(0, 1, [(i, i % 256) for i in range(8193)]))


def background() -> None:
    populations: list[Population] = [NeuronPopulation("n", 1), *(BackgroundPopulation(f"noise {k}", 1, 9, random=False) for k in range(5))]
    mapped(populations, *(connect(k, 0, [(0, 0)]) for k in range(1, 6)))


def background_size() -> None:
    BackgroundPopulation("noise", 100, 9)


def distribution() -> None:
    recurrent, driven = connect(0, 0, [(i, 0) for i in range(64)]), connect(1, 0, [(i, 1) for i in range(256)])
    mapped([NeuronPopulation("n", 64), sources(256)], recurrent, driven, permutation=[*range(32), *range(256, 288)])


def drivers() -> None:
    west = connect(0, 2, [(i, 0) for i in range(60)])
    east = connect(1, 2, [*((i, 0) for i in range(4)), (4, 1), (5, 1)])
    populations: list[Population] = [NeuronPopulation("west", 60), NeuronPopulation("east", 6), NeuronPopulation("post", 2)]
    mapped(populations, west, east, permutation=[*range(30), *range(256, 286), *range(128, 134), 40, 41])


def weight() -> None:
    mapped([sources(1), NeuronPopulation("n", 1)], connect(0, 1, [(0, 0)], 256 * 63 + 1))


def weight_beyond_its_synapses() -> None:
    connect(0, 1, [(0, 0)], 64, max_weight=63)


def madc() -> None:
    Chip(Specimen.reference(), Effects()).run(program(Record(madc=(MadcChannel(0), MadcChannel(2)))))


def cadc_and_rule() -> None:
    rule = PlasticityTask(name="homeostasis", kernel="", views=map_one().views(0))
    asked = program(Record(cadc=(CadcRecord(circuits=(7, 8), source="membrane", period=10000),)), (rule,))
    check_cadc(asked, asked.config)


DENDRITE = Morphology(((0, 0), (1, 0)), (Compartment("soma", (0,), 0), Compartment("dendrite", (1,), None, inhibitory=())))


def receptor() -> None:
    mapped([sources(1), NeuronPopulation("tree", 1, morphology=DENDRITE)], connect(0, 1, [(0, 0)], receptor="inhibitory", post_compartment=1))


def spike_master() -> None:
    mapped([NeuronPopulation("tree", 1, morphology=DENDRITE)], connect(0, 0, [(0, 0)], pre_compartment=1))


def cut_group() -> None:
    network = Network((NeuronPopulation("a", 1), NeuronPopulation("b", 1, instance=3)), (connect(0, 1, [(0, 0)]), connect(1, 0, [(0, 0)])))
    split_instances(network)


def large_group() -> None:
    partition(Network((NeuronPopulation("a", 600),), (connect(0, 0, [(0, 1)]),)), "auto", base=BASE)


def runtime() -> None:
    program(Record(), duration=(2**32 - 1) * 4 // 2 + 4, sections=2)


def batch_sizes() -> None:
    Network((sources(2, "a", 3), sources(2, "b", 4)))


def batch_sizes_of_sections() -> None:
    networks = [map_network(Network((sources(2, "a", entries),)), base=BASE) for entries in (3, 4)]
    build_program([Section(network, 100, Record()) for network in networks], held=None)


CASES: list[tuple[Callable[[], None], type[NeckarError], list[str]]] = [
    (placement, PlacementError, ["Placement unsuccessful", "515 neuron circuits", "population 'late'", "room for 4 neurons", "512 circuits", "fewer"]),
    (anchor, PlacementError, ["Placement unsuccessful", "neuron 0 of population 'row'", "at circuit 126", "allowed are circuits", "Move its anchor"]),
    (in_degree, CapacityError, ["neuron 1 of population 'deep'", "300 synapses", "allowed are 256", "Use fewer", r"SingleCompartmentNeuron\(2\)"]),
    (in_degree_of_some_circuits, CapacityError, ["compartment 'all' of neuron 0", r"circuit 1\)", "260 synapses", "256", r"SingleCompartmentNeuron\(3\)"]),
    (in_degree_that_no_memory_holds, CapacityError, ["neuron 0 of population 'deep'", "101600 synapses", "allowed are 256", "Use fewer"]),
    (in_degree_on_a_bus, CapacityError, ["neuron 40 of", "80 synapses on PADI bus 0", "columns 0 to 31 and 128 to 159", "allowed are 64", "permutation"]),
    (rows_of_a_bus, CapacityError, [r"PADI bus 0 \(top", "32 excitatory and 33 inhibitory synapse rows", "allowed are 64", "Spread the sources"]),
    (rows_of_a_hemisphere, CapacityError, [r"hemisphere 0 \(top", "200 excitatory and 100 inhibitory", "allowed are 256", "both hemispheres"]),
    (labels, CapacityError, ["label space exhausted", "8193 external sources", r"hemisphere 0 \(top", "allowed are 8192", "Use fewer"]),
    (background, CapacityError, ["'noise 4'", "any bus of hemisphere 0", "one population on each of the 4 buses", "use SourcePopulation"]),
    (background_size, ConfigurationError, ["'noise' has 100 random", "allowed are 1, 2, 4, 8, 16, 32, 64, 128, 256", "Round the size up"]),
    (distribution, UnsuccessfulRoutingError, ["source distribution not successful", "256 external sources", "allowed are 64 rows", "Use fewer"]),
    (drivers, UnsuccessfulRoutingError, ["synapse driver allocation not successful", "66 neurons", "64 synapse rows", "allowed are", "permutation"]),
    (weight, WeightOverflowError, ["projection 'wires': connection 0", "weight 16129", "257 synapses", "allowed are 256", "smaller weight"]),
    (weight_beyond_its_synapses, WeightOverflowError, ["projection 'wires'", "weight 64 of connection 0", "magnitudes up to its max_weight 63", "clip"]),
    (madc, ConfigurationError, ["MADC", r"circuits \[0, 2\]", "one for even and one for odd", "split the recording over several runs"]),
    (cadc_and_rule, ConfigurationError, [r"record.cadc\[0\] reads hemisphere 0", "task 'homeostasis'", "one of the two", "record with the MADC"]),
    (receptor, ConfigurationError, ["projection 'wires'", "inhibitory receptor of compartment 'dendrite' of population 'tree'", "offer excitatory", "Choose"]),
    (spike_master, ConfigurationError, ["projection 'wires'", "'dendrite' of population 'tree'", "no spike master", "allowed are soma", "make one of"]),
    (cut_group, MappingError, ["cuts a recurrent group", "'a', 'b'", r"instances \[0, 3\]", "allowed is one instance", "Give them the same"]),
    (large_group, CapacityError, ["recurrent group 'a'", "one execution instance", "allowed is what one chip holds", "Make it smaller", "600 neuron circuits"]),
    (runtime, CapacityError, ["runtime too long", "2 sections", "34.359738376 s", "allowed are 17179869180 ticks", "34.359738360 s", "Divide"]),
    (batch_sizes, ConfigurationError, ["unequal batch sizes", "'b' has 4 entries", "3", "allowed is one number", "Repeat or add"]),
    (batch_sizes_of_sections, ConfigurationError, ["unequal batch sizes", "section 1 has 4 entries", "section 0 has 3", "one number", "Repeat"]),
]


@pytest.mark.parametrize(("ask", "kind", "parts"), CASES, ids=[case[0].__name__ for case in CASES])
def test_an_error_names_asked_allowed_place_and_remedy(ask: Callable[[], None], kind: type[NeckarError], parts: list[str]) -> None:
    with pytest.raises(kind) as caught:
        ask()
    for part in parts:
        assert re.search(part, str(caught.value)), (part, str(caught.value))


@pytest.mark.parametrize("n_in", [129, 256, 257, 784])
def test_the_suggested_number_of_circuits_makes_a_dense_signed_input_fit(n_in: int) -> None:
    everything = connect(0, 1, [(i, 0) for i in range(n_in)], receptor="signed")
    with pytest.raises(CapacityError) as caught:
        mapped([sources(n_in), NeuronPopulation("n", 1)], everything)
    suggested = int(re.search(r"SingleCompartmentNeuron\((\d+)\)", str(caught.value))[1])  # type: ignore[index]
    assert suggested == -(-n_in // 128)
    mapped([sources(n_in), NeuronPopulation("n", 1, morphology=Morphology.single_compartment(suggested))], everything)


def test_errors_of_capacity_and_weight_are_built_in_types_as_well() -> None:
    for ask, kind in ((in_degree, RuntimeError), (weight, OverflowError), (batch_sizes, ValueError)):
        with pytest.raises(kind):
            ask()
