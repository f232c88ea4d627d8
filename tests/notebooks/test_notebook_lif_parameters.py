"""Parameters of a leaky integrator, as in the notebook cns_01: leak potential, leak conductance, a step of current (study S02)."""

import measures
import numpy as np
from experiments import current_step, membrane
from scipy.optimize import curve_fit

import pynn_brainscales.brainscales2 as pynn


def leak_sweep():
    codes, levels = np.linspace(0, 1022, 10), []
    pynn.setup()
    population = pynn.Population(1, pynn.cells.HXNeuron(membrane_capacitance_capacitance=63, leak_i_bias=500))
    for code in codes:
        population.set(leak_v_leak=code)
        population.record("v")
        pynn.run(0.05)
        levels.append(membrane(population)[1].mean())
        pynn.reset()
    pynn.end()
    return measures.leak_sweep(codes, levels)


def test_the_level_rises_with_the_leak_potential():
    assert measures.outside(leak_sweep()) == {}


def test_a_neuron_without_parameters_is_silent():
    pynn.setup()
    population = pynn.Population(1, pynn.cells.HXNeuron())
    assert set(population.get(["leak_v_leak", "leak_i_bias", "membrane_capacitance_capacitance"])) == {0}
    population.record(["v", "spikes"])
    pynn.run(0.05)
    assert len(population.get_data("spikes").segments[-1].spiketrains[0]) == 0
    pynn.end()


def decay_us(code):
    """Return the time constant after a step of current; each run starts with another run's noise."""
    pynn.setup()
    neuron = pynn.cells.HXNeuron(membrane_capacitance_capacitance=63, leak_v_leak=500, leak_i_bias=code, constant_current_i_offset=1000)
    population = pynn.Population(1, neuron)
    population.record("v")
    current_step(population, 0.1, 0.1, 0.1)
    signals = population.get_data("v").segments[0].irregularlysampledsignals
    pynn.end()
    assert len(signals) == 3
    times_us, values = measures.trace(signals[-1])
    since = times_us - times_us[0]
    start = (values[:5].mean() - values[-500:].mean(), values[-500:].mean(), 1500 / code)
    return curve_fit(lambda t, height, rest, tau: rest + height * np.exp(-t / tau), since, values, p0=start)[0][2]


def leak_conductance():
    codes = np.linspace(100, 1022, 7)
    return measures.leak_conductance(codes, [decay_us(code) for code in codes])


def test_the_membrane_is_faster_with_a_larger_leak_conductance():
    assert measures.outside(leak_conductance()) == {}


def test_a_step_of_current_makes_a_neuron_fire_during_the_step_only():
    pynn.setup()
    neuron = pynn.cells.HXNeuron(
        membrane_capacitance_capacitance=63,
        leak_v_leak=700,
        leak_i_bias=100,
        constant_current_i_offset=600,
        threshold_enable=True,
        threshold_v_threshold=350,
        reset_v_reset=600,
        reset_i_bias=1022,
        reset_enable_multiplication=True,
        refractory_period_refractory_time=255,
    )
    population = pynn.Population(1, neuron)
    population.record(["v", "spikes"])
    current_step(population, 0.1, 0.2, 0.1)
    trains = population.get_data("spikes").segments[0].spiketrains
    pynn.end()
    assert [len(train) > 0 for train in trains] == [False, True, False]
    assert all(0.1 < float(spike.rescale("ms")) < 0.3 for spike in trains[1])
