"""Running: time, snippets, what is sent to the chip, and spike times on the hardware's grid."""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Callable

import numpy as np
import pytest
from fake_session import FakeLab
from pyNN.parameters import Sequence

import pynn_brainscales.brainscales2 as pynn

PREPARE, APPEND, EXECUTE = pynn.RunCommand.PREPARE, pynn.RunCommand.APPEND, pynn.RunCommand.EXECUTE

pytestmark = pytest.mark.usefixtures("experiment")


@pytest.fixture
def neuron() -> pynn.Population:
    population = pynn.Population(1, pynn.cells.HXNeuron(leak_v_leak=700))
    population.record("v")
    return population


def source(neuron: pynn.Population, times: object, weight: int = 10) -> pynn.Population:
    population = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=times))
    pynn.Projection(population, neuron, pynn.AllToAllConnector(), pynn.synapses.StaticSynapse(weight=weight))
    return population


def test_a_second_run_needs_a_reset(neuron: pynn.Population) -> None:
    pynn.run(0.1)
    for command in (EXECUTE, APPEND):
        with pytest.raises(RuntimeError, match="reset"):
            pynn.run(0.1, command)
    assert pynn.get_current_time() == 0.1
    pynn.reset()
    assert pynn.get_current_time() == 0
    pynn.run(0.2)


def test_nothing_to_append_or_execute_is_a_value_error(neuron: pynn.Population) -> None:
    for runtime, command in ((None, APPEND), (None, EXECUTE), (0.1, "EXECUTE"), (0, EXECUTE), (1e-6, APPEND)):
        with pytest.raises(ValueError):
            pynn.run(runtime, command)
    assert pynn.simulator.state.realtime_snippet_count == 0


@pytest.mark.parametrize("runtime", [float("inf"), float("-inf"), float("nan")])
def test_a_runtime_that_is_not_finite_is_refused(neuron: pynn.Population, runtime: float) -> None:
    for command in (APPEND, EXECUTE):
        with pytest.raises(ValueError, match=re.escape(f"runtime is {runtime} ms; allowed is 8e-06 to 34359.73836 ms")):
            pynn.run(runtime, command)
    assert pynn.simulator.state.realtime_snippet_count == 0


def test_an_experiment_is_at_most_2_to_the_32_fpga_cycles_long(neuron: pynn.Population) -> None:
    with pytest.raises(ValueError, match=re.escape("total runtime is 34359.9 ms; allowed is 34359.73836 ms")):
        pynn.run(34359.9, APPEND)
    pynn.run(30_000, APPEND)
    with pytest.raises(ValueError, match=re.escape("total runtime is 35000 ms; allowed is 34359.73836 ms")):
        pynn.run(5_000, APPEND)
    assert pynn.get_current_time() == 30_000
    pynn.reset()
    pynn.run(34359.73836, APPEND)


def test_run_until_and_run_for(neuron: pynn.Population) -> None:
    assert pynn.run_for is pynn.run
    pynn.run_until(0.25)
    assert pynn.get_current_time() == 0.25
    with pytest.raises(ValueError, match="in the past"):
        pynn.run_until(0.1)


def test_preparing_sends_nothing_and_can_be_repeated(lab: FakeLab, neuron: pynn.Population) -> None:
    pynn.run(None, PREPARE)
    with pytest.warns(DeprecationWarning, match="PREPARE"):
        pynn.preprocess()
    pynn.simulator.state.preprocess(0, 0)
    assert lab.sessions == []
    assert pynn.get_current_time() == 0
    pynn.run(0.1)


def test_the_runtime_is_cut_to_fpga_cycles(lab: FakeLab, neuron: pynn.Population) -> None:
    pynn.run(0.1000079)
    assert lab.sessions[0].programs[0].duration == 12500 * 4


def test_snippets_freeze_the_network_as_it_was(lab: FakeLab, neuron: pynn.Population) -> None:
    pynn.run(0.1, APPEND)
    neuron.set(leak_v_leak=600)
    pynn.run(0.2, APPEND)
    pynn.run(0.3)
    (program,) = lab.sessions[0].programs
    assert [snippet.duration for snippet in program.snippets] == [50_000, 100_000, 150_000]
    assert program.config["leak_v_leak"][0] == 700
    assert [dict(snippet.config).get("leak_v_leak", [None])[0] for snippet in program.snippets] == [None, 600, None]
    assert pynn.simulator.state.runtimes == [0.1, 0.2, 0.3]
    assert pynn.get_current_time() == pytest.approx(0.6)


def test_networks_may_grow_between_snippets(lab: FakeLab, neuron: pynn.Population) -> None:
    pynn.run(0.1, APPEND)
    late = pynn.Population(1, pynn.cells.HXNeuron(leak_v_leak=500))
    late.record("spikes")
    source(late, [0.15])
    pynn.run(0.1)
    program = lab.sessions[0].programs[0]
    assert program.snippets[1].config["leak_v_leak"][:2].tolist() == [700, 500]
    assert program.entries.tick.tolist() == [int((0.15 - 0.1) * 125_000) * 4 + 50_000]
    assert len(late.get_data().segments[0].spiketrains) == 1
    assert len(neuron.get_data().segments[0].irregularlysampledsignals) == 2


def test_the_first_program_is_whole_and_later_ones_hold_what_changed(lab: FakeLab, neuron: pynn.Population) -> None:
    source(neuron, [0.01])
    for _ in range(3):
        pynn.run(0.1)
        pynn.reset()
    neuron.set(leak_v_leak=650)
    pynn.run(0.1)
    pynn.reset()
    pynn.simulator.state.projections[0].set(weight=20)
    pynn.run(0.1)
    programs = lab.sessions[0].programs
    assert programs[0].whole
    assert [sorted(program.config) for program in programs[1:]] == [[], [], ["leak_v_leak"], ["synapse_weight"]]
    assert programs[1] is programs[2]
    assert programs[0].labels["front_end"] == "pynn_brainscales.brainscales2"


def test_the_chip_holds_what_the_network_says_whatever_came_before(lab: FakeLab, neuron: pynn.Population) -> None:
    neuron.set(leak_v_leak=600)
    pynn.run(0.1, APPEND)
    neuron.set(leak_v_leak=500, threshold_enable=True)
    pynn.run(0.1)
    pynn.reset()
    neuron.set(leak_v_leak=600, threshold_enable=False)
    pynn.run(0.1)
    assert lab.sessions[0].config.leak_v_leak[0] == 600
    assert not lab.sessions[0].config.threshold_enable.any()


def test_a_run_that_fails_can_be_repeated(lab: FakeLab, neuron: pynn.Population, monkeypatch: pytest.MonkeyPatch) -> None:
    pynn.run(0.1, APPEND)
    with monkeypatch.context() as broken:
        broken.setattr(pynn.simulator.state.chip, "execute", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pynn.run(0.1)
    assert pynn.get_current_time() == 0.1
    pynn.run(0.1)
    assert len(lab.sessions[0].programs[0].snippets) == 2


def test_spike_times_are_played_within_their_snippet_and_cut_to_the_fpga_clock(lab: FakeLab, neuron: pynn.Population) -> None:
    times = np.array([0.15, 0.03, 0.1, 0.2, 0.0, 0.0300079])
    source(neuron, times)
    pynn.run(0.1, APPEND)
    pynn.run(0.1)
    ticks = lab.sessions[0].programs[0].entries.tick
    first = [int(t * 125_000) * 4 for t in (0.0, 0.03, 0.0300079)]
    second = [50_000 + int((t - 0.1) * 125_000) * 4 for t in (0.1, 0.15)]
    assert ticks.tolist() == first + second


def test_a_spike_time_that_is_no_number_is_refused(neuron: pynn.Population) -> None:
    times = [Sequence([0.01]), Sequence([0.01, float("nan")])]
    population = pynn.Population(2, pynn.cells.SpikeSourceArray(spike_times=times), label="input")
    pynn.Projection(population, neuron, pynn.AllToAllConnector(), pynn.synapses.StaticSynapse(weight=10))
    with pytest.raises(ValueError, match="population 'input': spike_times of neuron 1 holds nan at position 1"):
        pynn.run(0.1)


def test_negative_and_infinite_spike_times_are_never_played(lab: FakeLab, neuron: pynn.Population) -> None:
    source(neuron, [-0.05, 0.02, float("inf")])
    with pytest.warns(UserWarning, match="1 of 3 spike times are negative and are never played"):
        pynn.run(0.1)
    assert lab.sessions[0].programs[0].entries.tick.tolist() == [10_000]


@pytest.mark.parametrize(
    "call",
    [
        lambda stimulus: pynn.run(0.1),
        lambda stimulus: pynn.run_until(0.1),
        lambda stimulus: pynn.run(0.1, APPEND),
        lambda stimulus: stimulus.initialize(v=0.4),
        lambda stimulus: stimulus[:1].initialize(v=0.4),
        lambda stimulus: (stimulus + stimulus[:1]).initialize(v=0.4),
        lambda stimulus: pynn.Population(1, pynn.cells.HXNeuron(), initial_values={"v": 0.4}),
    ],
)
def test_a_warning_points_at_the_line_of_the_script(lab: FakeLab, neuron: pynn.Population, call: Callable[[pynn.Population], object]) -> None:
    stimulus = source(neuron, [-0.05, 0.02])
    with pytest.warns(UserWarning, match="never played|no effect") as caught:
        call(stimulus)
    line = call.__code__.co_firstlineno
    assert [(one.filename, one.lineno) for one in caught] == [(__file__, line)] * len(caught)


def test_new_spike_times_are_played(lab: FakeLab, neuron: pynn.Population) -> None:
    stimulus = source(neuron, [0.01])
    pynn.run(0.1)
    pynn.reset()
    stimulus.set(spike_times=[0.02, 0.03])
    pynn.run(0.1)
    assert [len(program.entries) for program in lab.sessions[0].programs] == [1, 2]
    assert lab.sessions[0].programs[1].config == {}


def test_an_empty_experiment_runs(lab: FakeLab) -> None:
    pynn.run(0.1)
    assert lab.sessions[0].programs[0].record.spikes == ()


def test_run_until_refuses_callbacks_before_anything_runs(lab: FakeLab) -> None:
    pynn.setup()
    with pytest.raises(NotImplementedError, match="APPEND"):
        pynn.run_until(0.1, callbacks=[lambda t: t + 0.05])
    assert lab.sessions == []


def test_run_until_loses_no_cycle_to_rounding(lab: FakeLab) -> None:
    """0.3 - 0.1 is a little less than 0.2."""
    pynn.run(0.1, APPEND)
    pynn.run_until(0.3)
    assert [snippet.duration for snippet in lab.sessions[0].programs[0].snippets] == [50_000, 100_000]


def test_an_experiment_that_ended_is_freed_unless_somebody_holds_its_population() -> None:
    def experiment() -> tuple[pynn.Population, weakref.ref[object]]:
        pynn.setup()
        neurons = pynn.Population(3, pynn.cells.HXNeuron())
        source(neurons[:1], [0.01])
        neurons.record("v")
        pynn.run(0.1)
        state = weakref.ref(pynn.simulator.state)
        pynn.end()
        return neurons, state

    neurons, state = experiment()
    gc.collect()
    cell = neurons[0]
    assert len(neurons.get_data().segments[0].irregularlysampledsignals) == 3
    assert cell.leak_v_leak == 0
    del neurons
    gc.collect()
    assert state() is None
    with pytest.raises(RuntimeError, match="Keep the population"):
        cell.leak_v_leak  # noqa: B018
