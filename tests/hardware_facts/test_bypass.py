"""Row A31: neurons that relay events past their membrane, through PyNN.

Source: pynn-brainscales test/hw test_neuron_bypass_mode.py and test_recording.py: at least 98 % of the spikes of a Poisson train come back within their 10 us.
"""

from __future__ import annotations

import numpy as np
import pytest
from chips import OTHERS, SPECIMEN

import neckar
import pynn_brainscales.brainscales2 as pynn

RUNTIME_MS = 10_000
RATE_HZ = 200
BIN_MS = 0.01


def relayed(chip, times, runtime):
    """Return when a neuron in bypass mode fires, ms, if a source sends at `times` to it."""
    with neckar.Lab(chip=chip.specimen):
        pynn.setup(enable_neuron_bypass=True)
        neuron = pynn.Population(1, pynn.cells.HXNeuron())
        neuron.record("spikes")
        source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=times))
        pynn.Projection(source, neuron, pynn.AllToAllConnector(), pynn.synapses.StaticSynapse(weight=63))
        pynn.run(runtime)
        spikes = neuron.get_data("spikes").segments[0].spiketrains[0].magnitude
        pynn.end()
    return spikes


@pytest.mark.parametrize("chip", [SPECIMEN, *OTHERS], ids=lambda chip: chip.specimen.id)
def test_a31_relayed_spikes_come_back_within_10_us(chip):
    """The links lose 0.1 % in each direction of 2000 events: 4 on average, and more than 40 with a probability far below 1e-9."""
    rng = np.random.default_rng(4245)
    times = np.sort(rng.uniform(0, RUNTIME_MS, rng.poisson(RUNTIME_MS * RATE_HZ / 1000)))
    spikes = np.append(relayed(chip, times, RUNTIME_MS), np.inf)
    assert np.mean(spikes[np.searchsorted(spikes, times)] - times < BIN_MS) >= 0.98


def test_a31_a_fast_train_is_relayed_whole():
    """Upstream's fastest snippet: 6000 events in 10 ms, of which 95 % to 105 % come back."""
    times = np.linspace(0, 10, 6000)
    assert 0.95 < len(relayed(SPECIMEN, times, 10)) / len(times) < 1.05
