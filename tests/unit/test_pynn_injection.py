"""Register accesses around a PyNN run, on the virtual chip: order of the phases, what they change, and what comes back."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

import neckar
import pynn_brainscales.brainscales2 as pynn
from dlens_vx_v3 import hal, halco, lola, sta
from neckar.errors import ConfigurationError, UnsupportedFeatureError

N = 20
RUNTIME = 2.0  # ms
CYCLES_PER_MS = 125_000
TIMES = np.linspace(0.05, RUNTIME - 0.05, N)

DRIVEN = halco.AtomicNeuronOnDLS(halco.Enum(0))
OTHER = halco.AtomicNeuronOnDLS(halco.Enum(300))


@pytest.fixture(autouse=True)
def _ideal_chip(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(pynn.simulator, "state", None)
    with neckar.Lab(effects="ideal"):
        yield


def relay(configuration: pynn.InjectedConfiguration | None = None, readout: pynn.InjectedReadout | None = None, weight: int = 63) -> tuple[object, object]:
    """Return a neuron that fires at each of its input's events, and the projection to it."""
    pynn.setup(enable_neuron_bypass=True, injected_config=configuration, injected_readout=readout)
    neuron = pynn.Population(1, pynn.cells.HXNeuron())
    neuron.record("spikes")
    source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=TIMES))
    return neuron, pynn.Projection(source, neuron, pynn.OneToOneConnector(), pynn.synapses.StaticSynapse(weight=weight))


def spikes(neuron: object) -> np.ndarray:
    return neuron.get_data("spikes").segments[-1].spiketrains[0].magnitude


def leak_of(code: int) -> lola.AtomicNeuron:
    container = lola.AtomicNeuron()
    container.leak.v_leak = code
    return container


def test_crossbar_counters_count_events_to_the_bus_and_spikes_to_the_host() -> None:
    readout = pynn.InjectedReadout()
    outputs = set(halco.iter_all(halco.CrossbarOutputOnDLS))
    readout.pre_realtime, readout.post_realtime = set(outputs), set(outputs)
    config = hal.CrossbarOutputConfig()
    for output in outputs:
        config.enable_event_counter[output] = True
    relay(pynn.InjectedConfiguration(pre_realtime={halco.CrossbarOutputConfigOnDLS(): config}), readout)
    pynn.run(RUNTIME)
    before, after = pynn.get_pre_realtime_read(), pynn.get_post_realtime_read()
    counts = {int(output): int(after[output].value) - int(before[output].value) for output in outputs}
    assert counts == {output: N if output in (0, 8) else 0 for output in range(12)}


def test_drop_counters_count_what_a_volley_of_one_event_output_loses_on_its_way_to_the_host() -> None:
    """64 relays fire at once at 20 events; their event output sends one spike per 4 ns, its way to the host takes one per 8 ns and lets 16 wait."""
    inputs = set(halco.iter_all(halco.CrossbarInputOnDLS))
    with neckar.Lab(effects="default"):
        for counts in (True, False):
            configuration = pynn.InjectedConfiguration()
            if not counts:
                node = halco.CrossbarNodeOnDLS(halco.CrossbarOutputOnDLS(8), halco.CrossbarInputOnDLS(0))
                configuration.pre_realtime = {node: hal.CrossbarNode()}  # open, and as in a new container without its counter
            readout = pynn.InjectedReadout(pre_realtime=set(inputs), post_realtime=set(inputs))
            circuits = [*range(32), *range(256, 288)]
            pynn.setup(enable_neuron_bypass=True, injected_config=configuration, injected_readout=readout, neuronPermutation=circuits)
            neurons = pynn.Population(64, pynn.cells.HXNeuron())
            neurons.record("spikes")
            source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=TIMES))
            pynn.Projection(source, neurons, pynn.AllToAllConnector(), pynn.synapses.StaticSynapse(weight=63))
            pynn.run(RUNTIME)
            before, after = pynn.get_pre_realtime_read(), pynn.get_post_realtime_read()
            losses = pynn.get_execution_health_info().execution_instances[0]
            lost = losses.lost["fifo_overflow", "crossbar.8"]
            assert lost == losses.sent["crossbar.8"] - losses.delivered["crossbar.8"] >= 15 * (N - 1)
            assert {int(each): int(after[each].value) for each in inputs} == {each: lost if counts and each == 0 else 0 for each in range(20)}
            assert not any(int(before[each].value) for each in inputs)
            pynn.end()


def test_the_synapse_matrix_of_half_a_chip_reads_back_as_the_network_says() -> None:
    readout = pynn.InjectedReadout(post_realtime={halco.SynramOnDLS(0), halco.SynramOnDLS(1)})
    _, projection = relay(readout=readout, weight=42)
    pynn.run(RUNTIME)
    ((synapse,),) = projection.placed_connections
    top, bottom = (pynn.get_post_realtime_read()[halco.SynramOnDLS(half)].weights.to_numpy() for half in (0, 1))
    assert top.shape == bottom.shape == (256, 256)
    row, column = int(synapse.synapse_row) % 256, int(synapse.synapse_on_row)
    assert top[row, column] == 42
    assert top.sum() + bottom.sum() == 42


def test_weight_rows_written_inside_the_run_act_from_their_time_on() -> None:
    """The network's weight is 0; a row with weight 63 is written at a quarter of the run, one with 0 at three quarters."""
    builder = sta.AbsoluteTimePlaybackProgramBuilder()
    neuron, projection = relay(pynn.InjectedConfiguration(inside_realtime=builder), weight=0)
    pynn.run(None, pynn.RunCommand.PREPARE)
    ((synapse,),) = projection.placed_connections
    for share, weight in ((0.75, 0), (0.25, 63)):  # the builder orders them by time
        row = lola.SynapseWeightRow()
        row.values[synapse.synapse_on_row] = weight
        builder.write(hal.Timer.Value(int(share * RUNTIME * CYCLES_PER_MS)), synapse.synapse_row.toSynapseWeightRowOnDLS(), row)
    pynn.run(RUNTIME)
    expected = TIMES[(TIMES >= 0.25 * RUNTIME) & (TIMES < 0.75 * RUNTIME)]
    np.testing.assert_allclose(spikes(neuron), expected, atol=2e-3)


def test_phases_come_in_their_order_and_the_next_execution_starts_from_the_static_configuration() -> None:
    configuration, readout = pynn.InjectedConfiguration(), pynn.InjectedReadout()
    codes = {"pre_realtime": 100, "inside_realtime_begin": 200, "inside_realtime_end": 300, "post_realtime": 400}
    for phase, code in codes.items():
        setattr(configuration, phase, {OTHER: leak_of(code)})
        setattr(readout, phase, {OTHER})
    configuration.pre_static_config = {OTHER: leak_of(50)}
    assert configuration.pre_non_realtime is configuration.pre_static_config
    relay(configuration, readout)
    state = pynn.simulator.state
    for _ in range(2):
        pynn.run(RUNTIME)
        found = {phase: int(getattr(state, f"{phase}_read")[OTHER].leak.v_leak) for phase in codes}
        assert found == codes
        pynn.reset()
    configuration.pre_realtime = configuration.inside_realtime_begin = configuration.inside_realtime_end = configuration.post_realtime = {}
    pynn.run(RUNTIME)
    assert {phase: int(getattr(state, f"{phase}_read")[OTHER].leak.v_leak) for phase in codes} == dict.fromkeys(codes, 0)


def test_the_static_configuration_overwrites_what_comes_before_it() -> None:
    configuration = pynn.InjectedConfiguration(pre_non_realtime={OTHER: leak_of(77)})
    relay(configuration, pynn.InjectedReadout(pre_realtime={OTHER}))
    pynn.run(RUNTIME)
    assert pynn.get_pre_realtime_read()[OTHER] == type(leak_of(0)).read_from(pynn.simulator.state.base_config(), OTHER)


def test_builders_write_like_dicts_and_their_tickets_are_answered() -> None:
    builder = sta.PlaybackProgramBuilder()
    builder.write(OTHER, leak_of(321))
    ticket = builder.read(OTHER)
    inside = sta.AbsoluteTimePlaybackProgramBuilder()
    late = inside.read(hal.Timer.Value(1000), OTHER)
    relay(pynn.InjectedConfiguration(pre_realtime=builder, inside_realtime=inside))
    pynn.run(RUNTIME)
    assert int(ticket.get().leak.v_leak) == int(late.get().leak.v_leak) == 321
    assert late.fpga_time == 1000


def test_events_of_a_builder_are_played() -> None:
    """The label is that of the network's own source, so the neuron fires at both."""
    inside = sta.AbsoluteTimePlaybackProgramBuilder()
    neuron, _ = relay(pynn.InjectedConfiguration(inside_realtime=inside))
    pynn.run(None, pynn.RunCommand.PREPARE)
    (label,) = pynn.simulator.state.mapped[0].routing.sources()
    pack = hal.SpikePack1ToChip([halco.SpikeLabel(label)])
    inside.write(hal.Timer.Value(int(0.01 * CYCLES_PER_MS)), halco.SpikePack1ToChipOnDLS(), pack)
    pynn.run(RUNTIME)
    np.testing.assert_allclose(spikes(neuron), [0.01, *TIMES], atol=2e-3)


def test_hooks_that_make_no_sense_are_refused_before_anything_runs() -> None:
    inside, swapped = sta.AbsoluteTimePlaybackProgramBuilder(), sta.PlaybackProgramBuilder()
    inside.write(hal.Timer.Value(int(3 * RUNTIME * CYCLES_PER_MS)), OTHER, leak_of(1))
    swapped.read(OTHER)
    swapped.write(OTHER, leak_of(1))
    wrong = [
        ({"pre_realtime": [1]}, ConfigurationError, "pre_realtime is"),
        ({"pre_realtime": {OTHER: hal.CrossbarOutputConfig()}}, TypeError, "AtomicNeuron"),
        ({"inside_realtime": {}}, ConfigurationError, "AbsoluteTimePlaybackProgramBuilder"),
        ({"inside_realtime": inside}, ConfigurationError, "the run's end"),
        ({"pre_realtime": swapped}, UnsupportedFeatureError, "then writes it at the same time"),
        ({"ppu_symbols": {"test": {}}}, ConfigurationError, "PPU symbols test"),
    ]
    for fields, error, text in wrong:
        relay(pynn.InjectedConfiguration(**fields))
        with pytest.raises(error, match=text):
            pynn.run(RUNTIME)
        assert not pynn.simulator.state.running
        assert pynn.get_current_time() == 0


def test_what_would_act_and_has_no_model_is_refused_and_what_every_run_starts_with_is_not() -> None:
    acting: list[dict[str, object]] = [
        {"inside_realtime_begin": {halco.NeuronResetOnDLS(3): hal.NeuronReset()}},
        {"inside_realtime_end": {halco.SpikeCounterResetOnDLS(3): hal.SpikeCounterReset()}},
        {"post_realtime": {halco.PADIEventOnDLS(): hal.PADIEvent()}},
    ]
    for fields in acting:
        relay(pynn.InjectedConfiguration(**fields))
        with pytest.raises(UnsupportedFeatureError, match="has no model"):
            pynn.run(RUNTIME)
    relay(readout=pynn.InjectedReadout(post_realtime={halco.CADCSamplesOnDLS()}))
    with pytest.raises(UnsupportedFeatureError, match="device='cadc'"):
        pynn.run(RUNTIME)
    relay(pynn.InjectedConfiguration(pre_realtime={halco.NeuronResetOnDLS(3): hal.NeuronReset()}))
    with pytest.raises(UnsupportedFeatureError, match="not all of them"):
        pynn.run(RUNTIME)
    relay(pynn.InjectedConfiguration(pre_realtime={halco.SpikeCounterResetOnDLS(3): hal.SpikeCounterReset()}))
    pynn.run(RUNTIME)


def test_a_reset_of_all_neurons_before_the_run_shows_in_the_membrane() -> None:
    membrane = {"leak_v_leak": 700, "leak_i_bias": 50, "reset_v_reset": 400, "reset_i_bias": 1022, "membrane_capacitance_capacitance": 63}
    levels = []
    for resets in ({}, {quad: hal.NeuronResetQuad() for quad in halco.iter_all(halco.NeuronResetQuadOnDLS)}):
        pynn.setup(injected_config=pynn.InjectedConfiguration(pre_realtime=resets))
        neuron = pynn.Population(1, pynn.cells.HXNeuron(**membrane, refractory_period_refractory_time=255))
        neuron.record("v")
        pynn.run(0.02)
        levels.append(float(neuron.get_data().segments[-1].irregularlysampledsignals[0].magnitude[:30].mean()))
        pynn.end()
    assert levels[0] - levels[1] > 50


def test_what_was_read_is_asked_at_the_right_time() -> None:
    for ask in (pynn.get_pre_realtime_read, pynn.get_post_realtime_read, pynn.get_post_realtime_read_ppu_symbols, pynn.get_execution_instance_data):
        with pytest.raises(RuntimeError, match=r"setup\(\)"):
            ask()
    relay()
    assert pynn.get_pre_realtime_read() == pynn.get_post_realtime_read() == {}
    for ask in (pynn.get_post_realtime_read_ppu_symbols, pynn.get_execution_instance_data, pynn.get_execution_time_info, pynn.get_execution_health_info):
        with pytest.raises(RuntimeError, match=r"run\(\)"):
            ask()
    pynn.run(RUNTIME)
    symbols = pynn.get_post_realtime_read_ppu_symbols()
    assert symbols[pynn.grenade.common.ChipOnConnection()] is symbols
    assert symbols == {}


_PARTS = ("abstract_network_construction", "hardware_network_construction", "routing", "verification")


def test_statistics_count_what_is_in_use_and_losses_add_up() -> None:
    with pytest.raises(RuntimeError, match=r"setup\(\)"):
        pynn.get_backend_statistics()
    relay()
    with pytest.raises(RuntimeError, match="PREPARE"):
        pynn.get_backend_statistics()
    began = time.perf_counter()
    pynn.run(None, pynn.RunCommand.PREPARE)
    elapsed_s = time.perf_counter() - began
    statistics = pynn.get_backend_statistics()
    assert "MappedTopologyStatistics" in str(statistics)
    of_parts = [getattr(statistics, f"get_{part}_duration")() for part in _PARTS]
    assert min(of_parts) > timedelta(0)
    assert sum(of_parts, timedelta(0)) <= timedelta(seconds=elapsed_s)
    (one,) = statistics.get_execution_instances().values()
    assert (one.get_num_populations(), one.get_num_projections(), one.get_num_neurons(), one.get_num_synapses()) == (2, 1, 1, 1)
    assert one.get_num_synapse_drivers() == 1
    assert one.get_neuron_usage() == 1 / 512
    assert one.get_synapse_driver_usage() == 1 / 256
    pynn.run(RUNTIME)
    data = pynn.get_execution_instance_data()
    assert data.contains(0)
    assert data[0].realtime_duration[0].total_seconds() == pytest.approx(RUNTIME * 1e-3)
    assert pynn.get_execution_time_info().realtime_duration_per_execution_instance[0][0] == data[0].realtime_duration[0]
    losses = pynn.get_execution_health_info().execution_instances[0]
    losses.check()
    assert losses.sent["fpga_to_chip"] == N


def test_the_how_to_page_does_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "registers_around_a_run.md").read_text(encoding="utf-8")
    exec("\n".join(re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "200 200"
    assert printed[1:9] == ["[10]"] * 8
    assert printed[9] == "(256, 256) 80"
    assert len(re.findall(r"\d\.\d+", printed[10])) == 5


@pytest.mark.parametrize("hooks", [pynn.InjectedConfiguration(), pynn.InjectedReadout()])
def test_a_misspelt_phase_is_named(hooks: pynn.InjectedConfiguration | pynn.InjectedReadout) -> None:
    with pytest.raises(AttributeError, match=r"'pre_realtimes'; did you mean .*pre_realtime"):
        hooks.pre_realtimes = {}
