"""Cell and synapse types: sources, calibrated neurons, plasticity rules, and what neurons start from."""

from __future__ import annotations

from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from fake_session import FakeLab

import pynn_brainscales.brainscales2 as pynn
from dlens_vx_v3 import halco, lola
from neckar.errors import CapacityError, ConfigurationError, NeckarError, ParameterRangeError, UnsupportedFeatureError
from neckar.facts import registers
from pynn_brainscales import errors
from pynn_brainscales.brainscales2.standardmodels import cells_base

HXNeuron = pynn.cells.HXNeuron
PREPARE = pynn.RunCommand.PREPARE


# --- neurons


def numbered_chip() -> lola.Chip:
    """Return a chip whose circuits have their own number as leak potential."""
    chip = lola.Chip()
    for number, circuit in enumerate(chip.neuron_block.atomic_neurons):
        circuit.leak.v_leak = number
        circuit.threshold.enable = number % 2
    return chip


def test_neurons_start_from_their_circuits_of_the_initial_configuration(lab: FakeLab) -> None:
    pynn.setup(initial_config=numbered_chip(), neuronPermutation=[5, 300, 7])
    population = pynn.Population(3, HXNeuron(threshold_enable=[True, False, False], leak_i_bias=4))
    assert population.get("leak_v_leak").tolist() == [5, 300, 7]
    assert population.get("threshold_enable").tolist() == [True, False, False]
    population[1:].set(leak_v_leak=9)
    pynn.run(0.01)
    assert population.get("leak_v_leak").tolist() == [5, 9, 9]
    config = lab.sessions[-1].config
    assert config.leak_v_leak[[5, 300, 7, 6]].tolist() == [5, 9, 9, 6]
    assert config.threshold_enable[[5, 300, 7, 6, 9]].tolist() == [1, 0, 0, 0, 1]


def test_what_neurons_say_wins_over_later_changes_of_the_configuration_and_other_registers_follow_it(lab: FakeLab) -> None:
    pynn.setup()
    pynn.Population(1, HXNeuron())
    chip = pynn.simulator.state.grenade_chip_config
    chip.neuron_block.atomic_neurons[halco.AtomicNeuronOnDLS()].leak.v_leak = 77
    chip.neuron_block.backends[halco.CommonNeuronBackendConfigOnDLS()].clock_scale_fast = 3
    pynn.run(0.01)
    config = lab.sessions[-1].config
    assert config.leak_v_leak[0] == 0
    assert chip.neuron_block.backends[halco.CommonNeuronBackendConfigOnDLS()].clock_scale_fast == 3
    assert {int(code) for code in np.ravel(config["backend_clock_scale_fast"])} == {0, 3}


def test_every_parameter_has_its_place_in_the_hardware_container() -> None:
    table = {name: register for name, register in registers("brainscales2").items() if register.hxneuron}
    codes = {name: min(register.high, 1022) for name, register in table.items()}
    circuit = HXNeuron.create_hw_entity({**codes, "plasticity_rule_enable_readout_source": True})
    assert {field: value for field, _, value in circuit.codes(halco.AtomicNeuronOnDLS()) if field in codes} == codes
    assert HXNeuron.create_hw_entity({}) == lola.AtomicNeuron()
    with pytest.raises(ParameterRangeError, match="1023"):
        HXNeuron.create_hw_entity({"membrane_capacitance_capacitance": 1023})


@pytest.mark.usefixtures("experiment")
def test_hardware_containers_of_equal_neurons_are_equal() -> None:
    population = pynn.Population(2, HXNeuron(threshold_v_threshold=200.7, threshold_enable=200))
    first, second = (HXNeuron.create_hw_entity(values) for values in population.celltype.parameter_space)
    assert first == second
    assert (int(first.threshold.v_threshold), bool(first.threshold.enable)) == (200, True)


def test_a_neuron_is_one_compartment_of_one_circuit() -> None:
    assert len(HXNeuron.logical_compartments.get_compartments()) == 1
    assert not hasattr(HXNeuron, "get_compartment_ids")


def test_neurons_know_their_coordinates_at_once(lab: FakeLab) -> None:
    pynn.setup(neuronPermutation=[5, 300])
    pynn.Population(1, pynn.cells.SpikeSourceArray())
    neurons = pynn.Population(2, HXNeuron())
    placement = pynn.simulator.state.neuron_placement
    assert placement.id2first_circuit(neurons.all_cells) == [5, 300]
    assert [one.get_atomic_neurons() for one in placement.id2logicalneuron(list(neurons))] == [
        [halco.AtomicNeuronOnDLS(halco.common.Enum(circuit))] for circuit in (5, 300)
    ]
    with pytest.raises(KeyError, match="cell 0"):
        placement.id2first_circuit(0)
    with pytest.raises(ValueError, match="0 of the 2 circuits"):
        pynn.Population(1, HXNeuron())


# --- random sources


@pytest.mark.usefixtures("experiment")
def test_poisson_trains_are_those_of_numpys_global_generator_and_kept() -> None:
    sources = pynn.Population(2, pynn.cells.SpikeSourcePoisson(start=1, rate=[1e4, 2e4], duration=10))
    np.random.seed(3)  # noqa: NPY002
    first = sources.celltype.get_spike_times()
    np.random.seed(3)  # noqa: NPY002
    for train, rate in zip(first, (1e4, 2e4), strict=True):
        n = np.random.poisson(int(10 * rate / 1000))  # noqa: NPY002
        assert np.array_equal(train, 1 + np.random.rand(n) * 10)  # noqa: NPY002
    assert [np.array_equal(a, b) for a, b in zip(sources.celltype.get_spike_times(), first, strict=True)] == [True, True]
    sources[1:].set(rate=3e4)
    assert [np.array_equal(a, b) for a, b in zip(sources.celltype.get_spike_times(), first, strict=True)] == [True, False]


@pytest.mark.usefixtures("experiment")
def test_all_snippets_and_runs_play_parts_of_one_poisson_train() -> None:
    sources = pynn.Population(1, pynn.cells.SpikeSourcePoisson(start=0, rate=1e5, duration=2))
    pynn.run(None, PREPARE)
    np.random.seed(1)  # noqa: NPY002 - after mapping, before the first run
    ticks = [sources.to_network(begin, begin + 1, 500_000).tick + begin * 500_000 for begin in (0, 1)]
    np.random.seed(1)  # noqa: NPY002
    whole = np.random.rand(np.random.poisson(200)) * 2  # noqa: NPY002
    assert sorted(np.concatenate(ticks)) == pytest.approx(sorted(whole * 500_000), abs=4)


@pytest.mark.usefixtures("experiment")
@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"rate": -1}, "not negative"),
        ({"duration": np.nan}, "finite"),
        (
            {"rate": 1e20},
            "lower",
        ),
    ],
)
def test_poisson_trains_that_cannot_be_drawn_are_refused(wrong: dict[str, float], text: str) -> None:
    pynn.Population(1, pynn.cells.SpikeSourcePoisson(**{"start": 0, "rate": 1e4, "duration": 1, **wrong}))
    with pytest.raises(ConfigurationError, match=f"(?i){text}"):
        pynn.run(1)


@pytest.mark.parametrize(
    ("asked", "given"), [(120e3, 122_070), (100e3, 97_656), (500e3, 488_281), (4e3, 4_002.3)]
)  # published by upstream's users; the clock is 250 MHz
def test_rates_on_the_chip_are_those_that_its_clock_allows(asked: float, given: float) -> None:
    from neckar.network import background_codes

    period, rate = background_codes(asked)
    assert 250e6 * (rate + 1) / 256 / (period + 1) == pytest.approx(given, rel=1e-4)


def test_sources_on_the_chip_share_a_generator(lab: FakeLab) -> None:
    pynn.setup()
    sources = pynn.Population(2, pynn.cells.SpikeSourcePoissonOnChip(rate=50e3, seed=7))
    neurons = pynn.Population(1, HXNeuron())
    pynn.Projection(sources, neurons, pynn.AllToAllConnector(), synapse_type=pynn.synapses.StaticSynapse(weight=1))
    pynn.run(0.01)
    config = lab.sessions[-1].config
    (generator,) = np.flatnonzero(config.background_enable)
    assert [int(config[f"background_{name}"][generator]) for name in ("period", "rate", "seed", "mask")] == [9, 0, 7, 1]
    assert generator == 3  # the bus that is farthest from the first neurons
    sources.set(seed=8)
    pynn.reset()
    pynn.run(0.01)
    assert config.background_seed[generator] == 8


def test_buses_of_sources_follow_the_permutation(lab: FakeLab) -> None:
    pynn.setup(backgroundPermutation=[1, 0])
    neurons = pynn.Population(1, HXNeuron())
    for _ in range(2):
        sources = pynn.Population(1, pynn.cells.SpikeSourcePoissonOnChip(rate=50e3, seed=7))
        pynn.Projection(sources, neurons, pynn.AllToAllConnector(), synapse_type=pynn.synapses.StaticSynapse(weight=1))
    assert [population.bus for population in pynn.simulator.state.populations[1:]] == [1, 0]
    with pytest.raises(ValueError, match="2 populations"):
        pynn.Population(1, pynn.cells.SpikeSourcePoissonOnChip(rate=50e3, seed=7))
    pynn.run(0.01)
    assert np.flatnonzero(lab.sessions[-1].config.background_enable).tolist() == [0, 1]


@pytest.mark.usefixtures("experiment")
@pytest.mark.parametrize(("size", "parameters", "error", "text"), [
    (2, {"rate": 200e6, "seed": 0}, RuntimeError, "400000000"),
    (1, {"rate": 0, "seed": 0}, RuntimeError, r"allowed are 14\.9"),
    (2, {"rate": [1e4, 2e4], "seed": 0}, ConfigurationError, "one value for all"),
    (1, {"rate": 1e4, "seed": -1}, ParameterRangeError, "seed"),
    (3, {"rate": 1e4, "seed": 0}, ConfigurationError, "allowed are 1, 2, 4"),
])  # fmt: skip
def test_sources_that_the_generators_cannot_be_are_refused(size: int, parameters: Any, error: type[Exception], text: str) -> None:
    pynn.Population(size, pynn.cells.SpikeSourcePoissonOnChip(**parameters))
    with pytest.raises(error, match=text) as raised:
        pynn.run(0.01)
    assert isinstance(raised.value, NeckarError)


@pytest.mark.usefixtures("experiment")
def test_sources_at_pins_are_checked_and_say_what_is_missing() -> None:
    for labels in (None, []):
        with pytest.raises(ValueError, match="without labels"):
            pynn.cells.OffChipSource(label=labels)
    with pytest.raises(ConfigurationError, match="flat list"):
        pynn.cells.OffChipSource(label=[[1], [2, 3]])
    with pytest.raises(ValueError):
        pynn.Population(2, pynn.cells.OffChipSource(label=[1, 2, 3]))
    population = pynn.Population(2, pynn.cells.OffChipSource(label=[1, 2], data_rate_scaler=[1, 2]))
    with pytest.raises(ConfigurationError, match="data_rate_scaler"):
        pynn.run(1)
    population.set(data_rate_scaler=1, label=[4, 4])
    with pytest.raises(ConfigurationError, match="each once"):
        pynn.run(1)
    population.set(label=[4, 5])
    with pytest.raises(UnsupportedFeatureError, match="pins"):
        pynn.run(1)


# --- calibrated neurons


def test_targets_have_the_published_defaults_and_units() -> None:
    cuba, coba = pynn.cells.CalibHXNeuronCuba, pynn.cells.CalibHXNeuronCoba
    assert {name: value for name, value in cuba.default_parameters.items() if "rule" not in name} == {
        **{"v_rest": 80, "v_reset": 70, "v_thresh": 125, "tau_m": 10, "tau_syn_E": 10, "tau_syn_I": 10, "cm": 63, "tau_refrac": 2},
        **{"i_synin_gm_E": 500, "i_synin_gm_I": 500, "synapse_dac_bias": 600},
    }
    changed = {name: value for name, value in coba.default_parameters.items() if cuba.default_parameters.get(name) != value}
    assert changed == {
        **{"v_rest": 110, "v_reset": 100, "v_thresh": 160, "e_rev_E": 300, "e_rev_I": 30, "i_synin_gm_E": 180, "i_synin_gm_I": 250, "synapse_dac_bias": 400}
    }
    assert (cuba.conductance_based, coba.conductance_based) == (False, True)
    assert {name for name, unit in coba.units.items() if unit == "us"} == {"tau_m", "tau_syn_E", "tau_syn_I", "tau_refrac"}


@pytest.mark.usefixtures("experiment")
def test_calibrated_neurons_have_targets_and_no_registers() -> None:
    neurons = pynn.Population(2, pynn.cells.CalibHXNeuronCuba(v_rest=[60, 90], tau_m=5))
    assert neurons.get("v_rest").tolist() == [60, 90]
    for name in ("calib_target", "calib_hwparams", "actual_hwparams"):
        with pytest.raises(AttributeError, match=name):
            getattr(neurons[0:1], name)
        with pytest.raises(AttributeError, match="CalibHXNeuronCuba"):
            getattr(pynn.Population(1, HXNeuron()), name)
    with pytest.raises(errors.NonExistentParameterError):
        neurons.set(leak_v_leak=3)


@pytest.mark.usefixtures("experiment")
def test_inhibition_of_conductance_based_neurons_has_either_sign() -> None:
    neurons = pynn.Population(1, pynn.cells.CalibHXNeuronCoba())
    sources = pynn.Population(1, pynn.cells.SpikeSourceArray())
    for weight in (5, -5):
        synapse = pynn.synapses.StaticSynapse(weight=weight)
        projection = pynn.Projection(sources, neurons, pynn.AllToAllConnector(), synapse_type=synapse, receptor_type="inhibitory")
        numbers = {id(population): i for i, population in enumerate(pynn.simulator.state.populations)}
        assert projection.to_network(numbers).weight.tolist() == [5]
    with pytest.raises(errors.ConnectionError):
        pynn.Projection(sources, neurons, pynn.AllToAllConnector(), synapse_type=pynn.synapses.StaticSynapse(weight=-5), receptor_type="excitatory")


# --- rules


class Rule(pynn.PlasticityRule):
    """A rule with observables of each kind."""

    def __init__(self, timer: pynn.Timer) -> None:
        kinds = pynn.PlasticityRule
        super().__init__(
            timer,
            {
                "weights": kinds.ObservablePerSynapse(kinds.ObservablePerSynapse.Type.int8, kinds.ObservablePerSynapse.LayoutPerRow.packed_active_columns),
                "rates": kinds.ObservablePerNeuron(kinds.ObservablePerNeuron.Type.uint8, kinds.ObservablePerNeuron.Layout.complete_row),
                "array": kinds.ObservableArray(),
            },
        )


def timer() -> pynn.Timer:
    return pynn.Timer(start=5, period=10, num_periods=2, mine=3)


def test_timers_keep_what_they_get() -> None:
    assert (timer().start, timer().period, timer().num_periods, timer().parameters) == (5, 10, 2, {"mine": 3})
    with pytest.raises(ConfigurationError, match="period"):
        pynn.Timer(start=1, num_periods=3)


def test_rules_need_an_experiment_but_their_source_does_not(lab: FakeLab) -> None:
    with pytest.raises(RuntimeError, match="setup"):
        pynn.PlasticityRule(timer())
    bare = object.__new__(Rule)
    assert "PLASTICITY_RULE_KERNEL" in bare.generate_kernel()


@pytest.mark.usefixtures("experiment")
def test_rules_are_attached_to_projections_and_populations_in_their_order() -> None:
    rule = Rule(timer())
    assert pynn.simulator.state.plasticity_rules == [rule]
    neurons = pynn.Population(2, HXNeuron(plasticity_rule=rule))
    others = pynn.Population(2, HXNeuron())
    projections = [
        pynn.Projection(neurons, others, pynn.AllToAllConnector(), synapse_type=pynn.synapses.PlasticSynapse(weight=[[1, 2], [3, 4]], plasticity_rule=rule))
        for _ in range(2)
    ]
    assert (rule.projections, rule.populations) == (projections, [neurons])
    assert projections[0].get("weight", format="array").tolist() == [[1, 2], [3, 4]]
    assert isinstance(neurons.celltype, pynn.plasticity_rules.PlasticityRuleHandle)
    projections[0].synapse_type.plasticity_rule = None
    neurons.celltype.plasticity_rule = None
    assert (rule.projections, rule.populations) == (projections[1:], [])


@pytest.mark.usefixtures("experiment")
def test_observables_that_do_not_exist_or_were_not_recorded_say_so() -> None:
    rule = Rule(timer())
    neurons = pynn.Population(2, HXNeuron(plasticity_rule=rule))
    plastic = pynn.Projection(neurons, neurons, pynn.AllToAllConnector(), synapse_type=pynn.synapses.PlasticSynapse(plasticity_rule=rule))
    static = pynn.Projection(neurons, neurons, pynn.AllToAllConnector())
    empty = pynn.Projection(neurons, neurons, pynn.AllToAllConnector(), synapse_type=pynn.synapses.PlasticSynapse())
    for of in (plastic, static, empty):
        with pytest.raises(RuntimeError, match="typo"):
            of.get_data("typo")
    with pytest.raises(RuntimeError, match="before"):
        plastic.get_data("weights")
    with pytest.raises(RuntimeError, match="before"):
        neurons.get_plasticity_data("rates")
    with pytest.raises(RuntimeError, match="have none"):
        pynn.Population(1, pynn.cells.SpikeSourceArray()).get_plasticity_data("rates")
    with pytest.raises(TypeError, match="get_data"):
        rule.get_observable_array("weights")
    with pytest.raises(RuntimeError, match="before"):
        rule.get_observable_array("array")


@pytest.mark.usefixtures("experiment")
def test_recording_synapses_have_a_rule_of_their_own() -> None:
    synapse = pynn.synapses.StaticRecordingSynapse(timer(), 7, {"weights"})
    assert synapse.observables == {"weights"}
    assert set(synapse.plasticity_rule.observables) == {"weights"}
    synapse.observables = {"correlation_causal"}
    assert set(synapse.plasticity_rule.observables) == {"correlation_causal"}
    with pytest.raises(RuntimeError, match="PlasticSynapse"):
        synapse.plasticity_rule = None
    with pytest.raises(RuntimeError, match="synapse type"):
        synapse.plasticity_rule.observables = {}
    with pytest.raises(ConfigurationError, match="correlation_acausal"):
        pynn.synapses.StaticRecordingSynapse(timer(), 7, {"potential"})


@pytest.mark.usefixtures("experiment")
def test_flags_of_upstream_are_accepted() -> None:
    neurons = pynn.Population(1, HXNeuron())
    projection = pynn.Projection(neurons, neurons, pynn.AllToAllConnector())
    for one in (neurons, projection, Rule(timer())):
        for flag in ("changed_since_last_run", "changed_topology", "changed_input_data"):
            assert getattr(one, flag) is True
            setattr(one, flag, False)


# --- capacity


@pytest.mark.usefixtures("experiment")
def test_neurons_that_do_not_fit_beside_others_are_described_and_have_no_circuit_yet() -> None:
    pynn.Population(500, HXNeuron())
    late = pynn.Population(20, HXNeuron(leak_v_leak=3))
    fitting = pynn.Population(12, HXNeuron())
    assert (late.get("leak_v_leak"), len(fitting.circuits)) == (3, 12)
    with pytest.raises(NeckarError, match="after a run"):
        pynn.simulator.state.neuron_placement.id2first_circuit(late[0])


def test_neurons_take_over_circuits_and_their_start_values_but_keep_what_was_set(lab: FakeLab) -> None:
    pynn.setup(initial_config=numbered_chip())
    neurons = pynn.Population(2, HXNeuron(leak_i_bias=6))
    neurons.set(threshold_enable=True)
    neurons.adopt(np.array([[20], [30]]))
    assert neurons.get(["leak_v_leak", "leak_i_bias", "threshold_enable"])[0].tolist() == [20, 30]
    assert neurons.get(["leak_i_bias", "threshold_enable"]) == [6, True]
    assert pynn.simulator.state.neuron_placement.id2first_circuit(neurons.all_cells) == [20, 30]


def test_numbers_and_switches_are_kept_as_floats_and_booleans() -> None:
    table = registers("brainscales2")
    assert cells_base.default_of(table["threshold_enable"]) is False
    assert type(cells_base.default_of(table["leak_v_leak"])) is float


def test_a_shorter_permutation_is_exhausted_at_creation(lab: FakeLab) -> None:
    pynn.setup(neuronPermutation=[1, 2])
    with pytest.raises(CapacityError):
        pynn.Population(3, HXNeuron())
    assert pynn.simulator.state.populations == []


def test_recorded_spike_trains_can_be_played_again() -> None:
    """Times with a unit are taken in their unit, in the constructor and in ``set``."""
    pynn.setup()
    train = neo.SpikeTrain([10, 20] * pq.us, t_stop=1 * pq.ms)
    sources = pynn.Population(2, pynn.cells.SpikeSourceArray(spike_times=train))
    np.testing.assert_allclose(sources.get("spike_times").value, [0.01, 0.02])
    sources.set(spike_times=[train, [0.5, 0.6]])
    np.testing.assert_allclose([times.value for times in sources.get("spike_times")], [[0.01, 0.02], [0.5, 0.6]])
    with pytest.raises(ConfigurationError, match="spike_times"):
        sources.set(spike_times=[1, 2] * pq.mV)
    pynn.end()
