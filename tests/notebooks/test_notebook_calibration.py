"""A student's calibration, as in the notebook fp_calibration: potentials against their codes, then leaks for equal firing rates (study fp_calibration)."""

import measures
import numpy as np
from experiments import membrane

import pynn_brainscales.brainscales2 as pynn

LINES = {  # what shows the potential, and how: codes as in the notebook
    "threshold": ({"leak_v_leak": 1022, "reset_v_reset": 50}, np.max, (50, 175, 300)),
    "leak": ({"threshold_v_threshold": 1022, "reset_v_reset": 50}, np.mean, (500, 700, 900)),
    "reset": ({"threshold_v_threshold": 150, "leak_v_leak": 1022}, np.min, (400, 650, 900)),
}
RATE_KHZ, ROUNDS, STRENGTH, NEURONS = 30.0, 10, 0.7, 40


def potential_lines():
    """Follow each potential on one neuron of the calibrated chip."""
    found, calibrated = {}, pynn.helper.chip_from_nightly()
    for name, (others, level, codes) in LINES.items():
        field = f"{name}_v_{name}"
        levels = []
        for code in codes:
            pynn.setup(initial_config=calibrated, neuronPermutation=[0])
            population = pynn.Population(1, pynn.cells.HXNeuron(**others, **{field: code}))
            population.record("v")
            pynn.run(0.2)
            levels.append(level(membrane(population)[1]))
            pynn.end()
        found |= measures.potential_line(name, codes, [levels])
    return found


def rates(biases, codes):
    """Return the firing rates of neurons in kHz, -1 for those that do not fire."""
    pynn.setup()
    population = pynn.Population(len(biases), pynn.cells.HXNeuron(**codes))
    population.set(leak_i_bias=biases)
    population.record("spikes")
    pynn.run(1)
    trains = [np.asarray(train.magnitude) for train in population.get_data("spikes").segments[-1].spiketrains]
    pynn.end()
    return np.array([1 / np.diff(train).mean() if len(train) > 1 else -1 for train in trains])


def equal_rates():
    """Scale the leak of each neuron towards one rate, round by round; potentials by the lines of the manual, threshold at 1 - 1/e of the way."""
    leak, reset = 350, 200
    threshold = leak - (leak - reset) / np.e
    codes = {
        **{"leak_v_leak": (leak + 180) // 0.79, "reset_v_reset": (reset + 250) // 0.88, "threshold_v_threshold": (threshold - 60) // 0.99},
        **{"reset_i_bias": 1022, "reset_enable_multiplication": True, "leak_enable_division": True, "threshold_enable": True},
        **{"membrane_capacitance_capacitance": 63, "refractory_period_refractory_time": 150},
    }
    biases = np.full(NEURONS, 400)
    first = now = rates(biases, codes)
    for _ in range(ROUNDS):
        scaled = biases * (1 + STRENGTH * (RATE_KHZ / now - 1))
        biases = np.where(now > 0, np.clip(scaled, 0, 1022), biases).astype(int)
        now = rates(biases, codes)
    return measures.equalised(first, now)


def test_potentials_follow_their_codes_along_lines():
    assert measures.outside(potential_lines()) == {}


def test_scaled_leaks_give_equal_rates():
    found = equal_rates()
    assert measures.outside(found) == {}
    assert found["equal rates: neurons that fire [%]"] > 60  # the manual's lines are another chip's
    assert 15 < found["equal rates: median before [kHz]"] < 35
