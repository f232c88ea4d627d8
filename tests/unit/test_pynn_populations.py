"""Populations and cell types: parameters, views, identifiers."""

from __future__ import annotations

import numpy as np
import pytest
from fake_session import FakeLab

import pynn_brainscales.brainscales2 as pynn
from neckar.errors import ConfigurationError, ParameterRangeError
from neckar.facts import registers
from pynn_brainscales import errors, parameters

HXNeuron = pynn.cells.HXNeuron

pytestmark = pytest.mark.usefixtures("experiment")


def test_hxneuron_has_the_72_parameters_of_the_register_table() -> None:
    names = HXNeuron.get_parameter_names()
    assert len(names) == 72
    assert HXNeuron().get_parameter_names() == names
    table = {name for name, register in registers("brainscales2").items() if register.hxneuron}
    assert set(names) - table == {"plasticity_rule_readout_source", "plasticity_rule_enable_readout_source"}


def test_defaults_are_silent_with_numbers_as_floats_and_switches_as_booleans() -> None:
    defaults = HXNeuron.get_default_values()
    assert {name for name, value in defaults.items() if value} == {
        "excitatory_input_enable_small_capacitance",
        "inhibitory_input_enable_small_capacitance",
        "refractory_period_reset_holdoff",
        "bayesian_to_post_pulse",
    }
    assert defaults["refractory_period_reset_holdoff"] == 15
    for name, register in registers("brainscales2").items():
        if register.hxneuron:
            assert type(defaults[name]) is (bool if register.kind == "switch" else float)
    population = pynn.Population(2, HXNeuron())
    assert type(population.get("leak_v_leak")) is float
    assert population.get("threshold_enable") is False


@pytest.mark.parametrize(
    "name",
    [
        "event_routing_analog_output",
        "event_routing_enable_digital",
        "leak_reset_i_bias_source_follower",
        "readout_enable_amplifier",
        "readout_source",
        "readout_enable_buffered_access",
        "readout_i_bias",
        "tau_m",
    ],
)
def test_other_names_are_no_parameters(name: str) -> None:
    with pytest.raises(errors.NonExistentParameterError, match=name):
        HXNeuron(**{name: 0})
    with pytest.raises(errors.NonExistentParameterError, match=name):
        pynn.Population(1, HXNeuron()).set(**{name: 0})


def test_cell_type_facts() -> None:
    assert HXNeuron.recordable == ["spikes", "v", "exc_synin", "inh_synin", "adaptation"]
    assert HXNeuron.receptor_types == ["excitatory", "inhibitory"]
    assert not HXNeuron.conductance_based
    assert [(source.name, int(source)) for source in HXNeuron.ReadoutSource] == [("membrane", 0), ("exc_synin", 1), ("inh_synin", 2), ("adaptation", 3)]
    with pytest.raises(ConfigurationError, match="PlasticityRule"):
        HXNeuron(plasticity_rule=object())


def test_ids_count_over_all_populations_in_order_of_creation() -> None:
    sources = pynn.Population(1, pynn.cells.SpikeSourceArray())
    neurons = pynn.Population(3, HXNeuron())
    assert [int(cell) for cell in (*sources, *neurons)] == [0, 1, 2, 3]
    assert (neurons.first_id, neurons.last_id, len(neurons), neurons.id_to_index(neurons[2])) == (1, 3, 3, 2)


def test_parameters_are_values_lists_arrays_or_distributions() -> None:
    assert pynn.Population(5, HXNeuron(threshold_v_threshold=200)).get("threshold_v_threshold") == 200
    pair = pynn.Population(2, HXNeuron(leak_i_bias=[100, 150]))
    assert pair.get("leak_i_bias").tolist() == [100, 150]
    assert pair.get("leak_v_leak", simplify=False).tolist() == [0, 0]
    assert pynn.Population(3, HXNeuron(threshold_v_threshold=300, leak_i_bias=100)).get(["threshold_v_threshold", "leak_i_bias"]) == [300, 100]
    old_style = pynn.Population(2, HXNeuron, cellparams={"leak_i_bias": np.array([100, 200])})
    assert old_style.get("leak_i_bias").tolist() == [100, 200]
    assert pynn.Population(2, HXNeuron).get("leak_i_bias") == 0
    from pyNN.random import NumpyRNG, RandomDistribution

    drawn = pynn.Population(9, HXNeuron(leak_v_leak=RandomDistribution("uniform", (300, 700), rng=NumpyRNG(seed=1)))).get("leak_v_leak")
    assert len(set(drawn.tolist())) == 9


def test_a_list_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError):
        pynn.Population(2, HXNeuron(leak_i_bias=[1, 2, 3]))
    with pytest.raises(ValueError):
        pynn.Population(2, HXNeuron()).set(leak_i_bias=[1, 2, 3])


def test_views_read_and_write_their_population() -> None:
    population = pynn.Population(3, HXNeuron())
    population.set(leak_i_bias=400)
    population[0:2].set(leak_i_bias=150)
    assert population.get("leak_i_bias").tolist() == [150, 150, 400]
    population.set(leak_i_bias=[100, 200, 300])
    population[1].leak_i_bias = 350
    assert population[1].leak_i_bias == 350
    assert population[1:2].get("leak_i_bias") == 350
    setattr(population[2], "leak_v_leak", 7)  # noqa: B010
    assert population.get(["leak_i_bias", "leak_v_leak"])[1].tolist() == [0, 0, 7]
    population.set(exponential_enable=True)
    population[1, 2].set(exponential_enable=np.bool_(False))
    assert population.get("exponential_enable").tolist() == [True, False, False]
    for selector in ([1, 2], np.array([1, 2]), np.array([False, True, True]), slice(1, 3), np.arange(1, 3)):
        assert pynn.PopulationView(population, selector).get("leak_i_bias").tolist() == [350, 300]
    assert population[1:][1:].get("leak_i_bias") == 300
    population[1:][1:].set(leak_i_bias=5)
    assert population.get("leak_i_bias").tolist() == [100, 350, 5]


def test_views_of_shuffled_cells_keep_cell_and_value_together() -> None:
    population = pynn.Population(4, HXNeuron(leak_v_leak=[1, 2, 3, 4]))
    view = population[[3, 1]]
    assert [int(cell) for cell in view.all_cells] == [1, 3]
    view.set(leak_v_leak=[20, 40])
    assert population.get("leak_v_leak").tolist() == [1, 20, 3, 40]


def test_a_cell_type_serves_several_populations_independently() -> None:
    cell = HXNeuron(leak_v_leak=500)
    first, second = pynn.Population(2, cell), pynn.Population(3, cell)
    first.set(leak_v_leak=600)
    assert (first.get("leak_v_leak"), second.get("leak_v_leak")) == (600, 500)
    assert isinstance(first.celltype, HXNeuron)
    assert [values["leak_v_leak"] for values in first.celltype.parameter_space] == [600, 600]


def test_the_users_array_is_not_the_populations() -> None:
    mine = np.array([1.0, 2.0])
    population = pynn.Population(2, HXNeuron(leak_v_leak=mine))
    population.set(leak_v_leak=[3, 4])
    assert mine.tolist() == [1, 2]


def test_values_are_truncated_and_their_range_is_checked_when_mapped(lab: FakeLab) -> None:
    population = pynn.Population(2, HXNeuron(leak_v_leak=[700.9, 1500]), label="mine")
    with pytest.raises(ParameterRangeError, match=r"population 'mine': leak_v_leak\[1\] is 1500"):
        pynn.run(None, pynn.RunCommand.PREPARE)
    population.set(leak_v_leak=[700.9, 1022])
    pynn.run(0.1)
    assert lab.sessions[0].config.leak_v_leak[:3].tolist() == [700, 1022, 0]
    pynn.reset()
    population[0].leak_v_leak = float("nan")
    with pytest.raises(ValueError, match="leak_v_leak is nan"):
        pynn.run(0.1)


def test_descriptions_are_kept_until_something_changes() -> None:
    population = pynn.Population(1, HXNeuron())
    first = population.describe()
    assert population.describe() is first
    population.label = "abc"
    assert population.describe() != first
    with pytest.raises(KeyError, match="doesnotexist"):
        population.describe(engine="doesnotexist")


def test_units_and_recordable_variables() -> None:
    population = pynn.Population(1, HXNeuron())
    assert population.find_units("v") == "dimensionless"
    assert population.can_record("exc_synin")
    assert not population.can_record("gsyn_exc")


TIMES, OTHERS = [0.01, 0.03, 0.05], [0.02, 0.09]


@pytest.mark.parametrize("as_type", [list, np.array, parameters.Sequence])
def test_spike_times_are_one_train_or_one_per_source(as_type: type) -> None:
    same = pynn.Population(2, pynn.cells.SpikeSourceArray(spike_times=as_type(TIMES)))
    assert same.get("spike_times") == parameters.Sequence(TIMES)
    assert same[1].spike_times == parameters.Sequence(TIMES)
    each = pynn.Population(3, pynn.cells.SpikeSourceArray(spike_times=[as_type(TIMES), np.array(OTHERS), parameters.Sequence(TIMES)]))
    assert [train == parameters.Sequence(times) for train, times in zip(each.get("spike_times"), (TIMES, OTHERS, TIMES), strict=True)] == [True] * 3
    each.set(spike_times=OTHERS)
    assert each.get("spike_times") == parameters.Sequence(OTHERS)
    each[1:2].set(spike_times=TIMES)
    assert each[1].spike_times == parameters.Sequence(TIMES)
    assert each[2].spike_times == parameters.Sequence(OTHERS)


def test_assemblies_hold_populations_and_views() -> None:
    assembly = pynn.Population(2, HXNeuron()) + pynn.Population(3, HXNeuron())[0:1]
    assert isinstance(assembly, pynn.Assembly)
    assembly.set(leak_v_leak=9)
    assert assembly.get("leak_v_leak") == 9
    assert len(assembly) == 3


def test_initial_values_warn_that_they_have_no_effect() -> None:
    with pytest.warns(UserWarning, match="initial value of 'v' has no effect"):
        pynn.Population(2, HXNeuron()).initialize(v=-3)


@pytest.mark.parametrize(("file", "text"), [("a.foo", "extension '.foo'"), (7, "name of a file")])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_recorded(file: object, text: str) -> None:
    neuron = pynn.Population(1, HXNeuron())
    with pytest.raises(ConfigurationError, match=text):
        neuron.record("spikes", to_file=file)
    assert not neuron.recorder.configuration.spikes


def test_readout_sources_of_rules_are_parameters_that_only_rules_read() -> None:
    sources = [HXNeuron.ReadoutSource.membrane, HXNeuron.ReadoutSource.adaptation]
    neurons = pynn.Population(2, HXNeuron(plasticity_rule_enable_readout_source=True))
    neurons.set(plasticity_rule_readout_source=sources)
    assert neurons.get("plasticity_rule_readout_source").tolist() == sources
    assert neurons.get("plasticity_rule_enable_readout_source") is True


def test_an_unknown_parameter_is_refused_whatever_its_value() -> None:
    with pytest.raises(errors.NonExistentParameterError):
        HXNeuron(typo=None)


def test_data_before_a_run_says_that_there_is_none() -> None:
    with pytest.raises(IndexError, match="before a run"):
        pynn.Population(1, HXNeuron()).get_data()


def test_every_cell_of_a_view_is_local() -> None:
    view = pynn.Population(3, HXNeuron())[1:]
    assert view.is_local(view[0])


def test_a_wrong_number_of_values_is_told_with_its_parameter_and_population() -> None:
    population = pynn.Population(3, HXNeuron(), label="three")
    with pytest.raises(errors.InvalidDimensionsError, match=r"leak_v_leak=\[1, 2\].*'three'"):
        population.set(leak_v_leak=[1, 2])


def test_a_permutation_that_is_used_up_is_told_with_its_length() -> None:
    pynn.setup(neuronPermutation=[7, 300, 8])
    pynn.Population(2, HXNeuron())
    with pytest.raises(ValueError, match="1 of the 3 circuits in neuronPermutation are free"):
        pynn.Population(2, HXNeuron())


def test_a_misspelt_parameter_of_a_cell_is_named_when_it_is_set() -> None:
    population = pynn.Population(2, HXNeuron())
    with pytest.raises(errors.NonExistentParameterError, match="leak_v_leek"):
        population[0].leak_v_leek = 5
    population[0].position = (1.0, 2.0, 3.0)
    assert population.positions[:, 0].tolist() == [1, 2, 3]


def test_current_sources_are_refused_by_cells_too() -> None:
    with pytest.raises(NotImplementedError, match="constant_current"):
        pynn.Population(1, HXNeuron())[0].inject("a source")
