"""Networks larger than the chip: execution instances one after the other, joined by recorded spikes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import neckar
import pynn_brainscales.brainscales2 as pynn
from neckar.errors import UnsupportedFeatureError

APPEND = pynn.RunCommand.APPEND


@pytest.fixture(autouse=True)
def _ideal_chip(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(pynn.simulator, "state", None)
    with neckar.Lab(effects="ideal"):
        yield


def two_layers(size: int, times: object) -> tuple[object, object, object]:
    """Return a source, a layer that relays its events, and a layer that relays those."""
    pynn.setup(enable_neuron_bypass=True)
    source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=times))
    first, second = pynn.Population(size, pynn.cells.HXNeuron()), pynn.Population(size, pynn.cells.HXNeuron())
    pynn.Projection(source, first, pynn.AllToAllConnector(), pynn.synapses.StaticSynapse(weight=63))
    pynn.Projection(first, second, pynn.OneToOneConnector(), pynn.synapses.StaticSynapse(weight=63))
    for population in (source, first, second):
        population.record("spikes")
    return source, first, second


def trains(population: object) -> list[np.ndarray]:
    return [train.magnitude for train in population.get_data("spikes").segments[-1].spiketrains]


def test_every_spike_passes_two_layers_that_do_not_fit_on_the_chip_together(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    times = np.array([0.05, 0.1, 0.3])
    source, first, second = two_layers(600, times)
    pynn.run(0.5)
    assert "4 execution instances" in caplog.text
    assert len(pynn.simulator.state.mapped) == 4
    assert len(pynn.get_backend_statistics().get_execution_instances()) == len(pynn.get_execution_instance_data()) == 4
    np.testing.assert_allclose(trains(source), [times], atol=1e-3)
    np.testing.assert_allclose(trains(first), np.tile(times, (600, 1)), atol=2e-3)
    np.testing.assert_allclose(trains(second), np.tile(times, (600, 1)), atol=3e-3)


def test_snippets_of_a_spread_network_follow_one_another_in_every_instance() -> None:
    source, _, second = two_layers(300, [0.05])
    for delay in (0.0, 0.5):
        source.set(spike_times=[0.5 * (delay > 0) + 0.1 + delay / 10])
        pynn.run(0.5, APPEND)
    pynn.run(None)
    segments = second.get_data("spikes").segments[-1].spiketrains
    assert len(segments) == 600
    np.testing.assert_allclose([train.magnitude for train in segments], [[0.1]] * 300 + [[0.65]] * 300, atol=3e-3)


def test_voltages_are_recorded_in_the_instance_of_their_neuron() -> None:
    """Leaks that differ by 100 codes, some 20 LSB of the CADC, tell whose trace it is."""
    pynn.setup()
    quiet = pynn.Population(500, pynn.cells.HXNeuron(leak_v_leak=600, leak_i_bias=1000))
    other = pynn.Population(100, pynn.cells.HXNeuron(leak_v_leak=700, leak_i_bias=1000))
    quiet[499:].record("v", device="cadc")
    other[99:].record("v", device="cadc")
    quiet[:1].record("v")
    pynn.run(0.1)
    assert len(pynn.simulator.state.mapped) == 2
    low, high = (cells.get_data("v").segments[-1].irregularlysampledsignals[0].magnitude.mean() for cells in (quiet[499:], other[99:]))
    assert high - low > 15
    assert quiet[:1].get_data("v").segments[-1].irregularlysampledsignals[0].annotations["device"] == "madc"


def test_parameters_start_from_the_circuits_of_the_instance() -> None:
    chip = pynn.lola.Chip()
    for circuit in pynn.halco.iter_all(pynn.halco.AtomicNeuronOnDLS):
        chip.neuron_block.atomic_neurons[circuit].leak.i_bias = int(circuit.toEnum())
    pynn.setup(initial_config=chip)
    neurons = pynn.Population(600, pynn.cells.HXNeuron())
    pynn.run(None, pynn.RunCommand.PREPARE)
    assert neurons.get("leak_i_bias") == pytest.approx([*range(300), *range(300)])


def test_a_permutation_keeps_a_network_on_one_chip() -> None:
    pynn.setup(neuronPermutation=range(512))
    with pytest.raises(ValueError, match="512"):
        pynn.Population(513, pynn.cells.HXNeuron())


def test_hooks_on_a_spread_network_are_refused() -> None:
    pynn.setup(injected_readout=pynn.InjectedReadout(post_realtime={pynn.halco.AtomicNeuronOnDLS()}))
    pynn.Population(513, pynn.cells.HXNeuron())
    with pytest.raises(UnsupportedFeatureError, match="several execution instances"):
        pynn.run(0.1)
