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


COUNT_AND_WRITE = """
#include "grenade/vx/ppu/neuron_view_handle.h"
#include "grenade/vx/ppu/synapse_array_view_handle.h"
#include "grenade/vx/ppu/time.h"
#include "hate/tuple.h"
using namespace grenade::vx::ppu;
using namespace libnux::vx;
extern volatile PPUOnDLS ppu;
uint8_t calls = 0;

template <size_t N, size_t M>
void PLASTICITY_RULE_KERNEL(std::array<SynapseArrayViewHandle, N>& synapses, std::array<NeuronViewHandle, M>& neurons, Recording& recording)
{
    recording.time = now();
    hate::for_each([](auto const& view, auto& w) {
        if (view.hemisphere != ppu) { return; }
        for (size_t i = 0; i < view.rows.size(); ++i) {
            auto const weights = view.get_weights(i);
            for (size_t c = 0; c < view.columns.size(); ++c) { w[i][c] = weights[view.columns[c]]; }
            view.set_weights(weights + 1, i);
        }
    }, synapses, recording.w);
    hate::for_each([](auto const& view, auto& n) {
        if (view.hemisphere != ppu) { return; }
        auto const counts = view.get_rate_counters(true);
        for (size_t c = 0; c < view.columns.size(); ++c) { n[c] = counts[view.columns[c]]; }
    }, neurons, recording.n);
    if (ppu == PPUOnDLS::top) { recording.called[0] = ++calls; }
}
"""


class CountAndWrite(pynn.PlasticityRule):
    """Adds one to each weight; records weights, spike counts, and how often it was called."""

    def __init__(self) -> None:
        kinds = pynn.PlasticityRule
        packed = kinds.ObservablePerSynapse.LayoutPerRow.packed_active_columns, kinds.ObservablePerNeuron.Layout.packed_active_columns
        observables = {
            "w": kinds.ObservablePerSynapse(kinds.ObservablePerSynapse.Type.uint8, packed[0]),
            "n": kinds.ObservablePerNeuron(kinds.ObservablePerNeuron.Type.uint8, packed[1]),
            "called": kinds.ObservableArray(kinds.ObservableArray.Type.uint8, 1),
        }
        super().__init__(pynn.Timer(start=0.2, period=1, num_periods=3), observables)

    def generate_kernel(self) -> str:
        return COUNT_AND_WRITE


def test_a_rule_works_on_all_instances_and_its_observables_come_back_as_from_one() -> None:
    pytest.importorskip("ziglang")
    pytest.importorskip("wasmtime")
    pynn.setup(enable_neuron_bypass=True)
    rule = CountAndWrite()
    sources = pynn.Population(2, pynn.cells.SpikeSourceArray(spike_times=[[0.05, 0.1], [0.15]]))
    neurons = pynn.Population(600, pynn.cells.HXNeuron(plasticity_rule=rule))
    weights = np.stack([40 + np.arange(600) % 20, np.full(600, 50)])
    projection = pynn.Projection(sources, neurons, pynn.AllToAllConnector(), pynn.synapses.PlasticSynapse(weight=weights, plasticity_rule=rule))
    pynn.run(3)
    assert len(pynn.simulator.state.mapped) == 2
    (samples,) = projection.get_data("w")
    initial = np.round(projection.get("weight", format="list", with_address=False)).astype(int)
    assert [np.array(sample.data)[:, 0].tolist() for sample in samples] == [(initial + k).tolist() for k in range(3)]
    assert [sample.time.value() / 125_000 for sample in samples] == pytest.approx([0.2, 1.2, 2.2], abs=1e-3)
    (counts,) = neurons.get_plasticity_data("n")
    assert [[neuron[0] for neuron in sample.data] for sample in counts] == [[[3]] * 600, [[0]] * 600, [[0]] * 600]
    (called,) = rule.get_observable_array("called")
    assert [sample.data for sample in called] == [[1], [2], [3]] * 2  # one instance after the other


def test_a_rule_on_one_layer_runs_in_the_instances_of_that_layer() -> None:
    pytest.importorskip("ziglang")
    pytest.importorskip("wasmtime")
    pynn.setup(enable_neuron_bypass=True)
    rule = CountAndWrite()
    source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=[0.1]))
    first, second = pynn.Population(500, pynn.cells.HXNeuron()), pynn.Population(100, pynn.cells.HXNeuron(plasticity_rule=rule))
    pynn.Projection(source, first, pynn.AllToAllConnector(), pynn.synapses.StaticSynapse(weight=63))
    projection = pynn.Projection(first[:100], second, pynn.OneToOneConnector(), pynn.synapses.PlasticSynapse(weight=20, plasticity_rule=rule))
    pynn.run(3)
    assert len(pynn.simulator.state.mapped) == 2
    assert [np.array(sample.data).tolist() for sample in projection.get_data("w")[0]] == [[[20 + k]] * 100 for k in range(3)]
    assert [neuron[0] for neuron in second.get_plasticity_data("n")[0][0].data] == [[1]] * 100
    assert [sample.data for sample in rule.get_observable_array("called")[0]] == [[1], [2], [3]]


def test_symbols_of_a_spread_network_cannot_be_read() -> None:
    pynn.setup(injected_readout=pynn.InjectedReadout(ppu_symbols={"calls"}))
    pynn.Population(600, pynn.cells.HXNeuron(plasticity_rule=CountAndWrite()))
    with pytest.raises(UnsupportedFeatureError, match="PPU symbols calls were to be read of a network that needs 2 execution instances"):
        pynn.run(0.1)


def test_calibrating_cells_of_a_spread_network_get_a_calibration_for_each_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Circuits that hold neurons of both populations in turn reach the potential and the strength of either."""
    monkeypatch.setenv("NECKAR_CALIBRATION_METHOD", "oracle")
    pynn.setup(calibration_cache=[])
    low = pynn.Population(400, pynn.cells.CalibHXNeuronCuba(v_rest=np.linspace(70, 80, 400)))
    high = pynn.Population(400, pynn.cells.CalibHXNeuronCuba(v_rest=110, v_thresh=160, i_synin_gm_E=300))
    for population in (low, high):
        population.record("v", device="cadc")
    pynn.run(0.05)
    layout = pynn.simulator.state.layout
    assert len(layout.instances) == 2
    assert set(layout.members[0][layout.instance_of[0] == 0, 0]) & set(layout.members[1][:, 0])
    levels = [np.array([signal.magnitude.mean() for signal in population.get_data("v").segments[-1].irregularlysampledsignals]) for population in (low, high)]
    np.testing.assert_allclose(levels[0], np.linspace(70, 80, 400), atol=1.5)
    np.testing.assert_allclose(levels[1], 110, atol=1.5)
    codes = [neuron.excitatory_input.i_bias_gm.value() for neuron in high.actual_hwparams]
    assert np.median(codes) < 0.8 * np.median([neuron.excitatory_input.i_bias_gm.value() for neuron in low.actual_hwparams])
    found = low.calib_hwparams
    pynn.reset()
    pynn.run(0.05)
    assert low.calib_hwparams is found  # not calibrated again
    pynn.reset()
    low.actual_hwparams[0].leak.v_leak = 1000
    pynn.run(0.05)
    signals = low.get_data("v").segments[-1].irregularlysampledsignals
    assert signals[0].magnitude.mean() > levels[0][0] + 15  # it fires
    assert signals[1].magnitude.mean() == pytest.approx(levels[0][1], abs=1.5)
    assert layout.instance_of[0][0] != layout.instance_of[1][-1]
    pynn.reset()
    high[399:].set(v_rest=100)
    pynn.run(0.05)
    assert low.calib_hwparams is not found
    assert low.calib_hwparams[0].leak.v_leak == found[0].leak.v_leak != low.actual_hwparams[0].leak.v_leak  # as it was found, whatever was changed since
