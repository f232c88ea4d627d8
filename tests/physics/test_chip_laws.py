"""Laws of a whole chip, from codes and events to samples and spikes."""

from __future__ import annotations

import numpy as np
import pytest
from chip_programs import FIRING, STIMULATED, TICKS_PER_US, arriving, membrane, run, trace

import neckar
import pynn_brainscales.brainscales2 as pynn

# ---- Height of a PSP against the synaptic time constant


def test_psps_grow_with_the_synaptic_time_constant_at_a_fixed_transconductance():
    """0.68 : 1 : 1.36 for 5, 10 and 20 us on a membrane of 10 us, within 15 %: the charge grows with the time constant, the membrane leaks meanwhile."""
    heights = []
    for code in (64, 32, 16):
        codes = {**STIMULATED, "excitatory_input_i_bias_tau": code, "leak_i_bias": 155}
        v = trace(run(codes, 100, "-mismatch,-noise", record=membrane(interval=50), entries=arriving(10 * TICKS_PER_US)))
        heights.append(v.max() - v[0])
    np.testing.assert_allclose(np.array(heights) / heights[1], [0.68, 1, 1.36], rtol=0.15)


# ---- Input during the reset

HELD = {  # by the neuron reset before the run, for half a millisecond
    **STIMULATED,
    "synapse_weight": 2,
    "reset_v_reset": 500,
    "refractory_period_refractory_time": 255,
    "backend_clock_scale_slow": 8,
}


def shift_of_the_clamp(**codes):
    """Return how far a fast train of events moves a membrane that its reset holds, V."""
    stimulus = arriving(*range(10 * TICKS_PER_US, 250 * TICKS_PER_US, TICKS_PER_US))
    held, driven = (
        trace(run({**HELD, **codes}, 250, "-mismatch,-noise,-event_loss", record=membrane(interval=50), entries=entries, neuron_reset=True))[-100:].mean()
        for entries in (arriving(), stimulus)
    )
    return driven - held


def test_the_reset_yields_to_strong_input_in_inverse_proportion_to_its_bias():
    assert shift_of_the_clamp(reset_i_bias=102) / shift_of_the_clamp(reset_i_bias=1022) == pytest.approx(10, rel=0.05)
    assert shift_of_the_clamp(reset_i_bias=102) > 0.05


@pytest.mark.parametrize("bias", [102, 1022])
def test_a_paused_circuit_is_deaf_during_the_reset(bias):
    assert shift_of_the_clamp(reset_i_bias=bias, refractory_period_enable_pause=True) == 0


# ---- Placement

N_NEURONS = 64


def rates(permutation):
    """Return the spikes per neuron of a PyNN population that fires on its own, on circuits in the order of a permutation."""
    with neckar.Lab(chip="reference"):
        pynn.setup(neuronPermutation=[int(circuit) for circuit in permutation])
        neurons = pynn.Population(N_NEURONS, pynn.cells.HXNeuron(**FIRING))
        neurons.record("spikes")
        pynn.run(2)
        counts = [len(train) for train in neurons.get_data().segments[-1].spiketrains]
        pynn.end()
    return np.array(counts)


def test_rates_follow_the_circuit_not_the_index_in_the_population():
    """Counts of about 200 spikes scatter by 12 % from circuit to circuit and by less than 1 % from run to run, so equal circuits correlate by 0.99."""
    circuits = np.arange(0, 512, 512 // N_NEURONS)
    order = np.random.default_rng(2).permutation(N_NEURONS)
    straight, permuted = rates(circuits), rates(circuits[order])
    assert np.corrcoef(permuted, straight[order])[0, 1] > 0.98
    assert abs(np.corrcoef(permuted, straight)[0, 1]) < 0.5  # 0.13 is the standard deviation of unrelated samples
