"""Setup, names and import of the PyNN front end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_session import FakeLab

import pynn_brainscales
import pynn_brainscales.brainscales2 as pynn
from dlens_vx_v3 import halco, lola
from dlens_vx_v3._container import config_of
from neckar.errors import ConfigurationError, NeckarError

pytestmark = pytest.mark.usefixtures("lab")


def test_importing_the_front_end_starts_neither_machine_nor_plots() -> None:
    code = "import sys, pynn_brainscales.brainscales2; print([name for name in ('numba', 'matplotlib', 'torch') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_pynn_modules_are_within_reach() -> None:
    from pynn_brainscales import errors, parameters

    assert issubclass(errors.NonExistentParameterError, KeyError)
    assert parameters.Sequence([1]).value.tolist() == [1]
    assert pynn_brainscales.random.NumpyRNG
    with pytest.raises(AttributeError):
        pynn_brainscales.nest  # noqa: B018


def test_every_name_of_all_exists_and_later_names_are_absent() -> None:
    assert all(hasattr(pynn, name) for name in pynn.__all__)
    assert pynn.standardmodels.cells is pynn.cells
    for later in ("random", "NumpyRNG", "MapConnector"):
        assert not hasattr(pynn, later)
    assert pynn.list_standard_models() == [pynn.cells.HXNeuron, pynn.cells.CalibHXNeuronCuba, pynn.cells.CalibHXNeuronCoba]


def test_state_queries_after_setup() -> None:
    pynn.setup()
    assert pynn.get_time_step() == pytest.approx(3.4e-05)
    assert (pynn.get_current_time(), pynn.get_min_delay(), pynn.get_max_delay(), pynn.rank(), pynn.num_processes()) == (0, 0, 0, 0, 1)
    state = pynn.simulator.state
    assert (state.populations, state.projections, state.runtimes, state.batch_entry, state.id_counter) == ([], [], [], 0, 0)
    assert (state.segment_counter, state.realtime_snippet_count, state.running, pynn.simulator.name) == (0, 0, False, "HX")


def test_setup_drops_an_earlier_experiment_and_closes_its_session(lab: FakeLab) -> None:
    pynn.setup()
    pynn.Population(1, pynn.cells.HXNeuron())
    pynn.run(0.1)
    pynn.setup()
    assert lab.sessions[0].closed
    assert pynn.simulator.state.populations == []
    pynn.end()
    assert pynn.simulator.state is None


def test_the_session_opens_with_the_first_run_and_closes_with_end(lab: FakeLab) -> None:
    pynn.setup()
    pynn.Population(1, pynn.cells.HXNeuron())
    pynn.run(None, pynn.RunCommand.PREPARE)
    assert lab.sessions == []
    pynn.run(0.1)
    assert not lab.sessions[0].closed
    pynn.end()
    assert lab.sessions[0].closed


def test_a_site_that_the_environment_asks_for_is_not_replaced_by_a_local_chip(lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIGGELDY_ENABLED", "1")
    pynn.setup()
    pynn.run(None, pynn.RunCommand.PREPARE)
    with pytest.raises(NotImplementedError, match="QUIGGELDY_ENABLED"):
        pynn.run(0.1)
    assert lab.sessions == []


def test_a_connection_of_the_user_is_used_and_stays_open(lab: FakeLab) -> None:
    """What its chip holds is not known at first, so the first program of each experiment is whole."""
    handle = SimpleNamespace(session=lab.session())
    for _ in range(2):
        pynn.setup(connection=handle)
        pynn.Population(1, pynn.cells.HXNeuron())
        for _ in range(2):
            pynn.run(0.1)
            pynn.reset()
        pynn.end()
    assert len(lab.sessions) == 1
    assert not handle.session.closed
    assert [program.whole for program in handle.session.programs] == [True, False, True, False]


def test_calls_without_setup_say_so() -> None:
    for call in (lambda: pynn.run(1), pynn.end, lambda: pynn.Population(1, pynn.cells.HXNeuron())):
        with pytest.raises(RuntimeError, match=r"setup\(\)"):
            call()


def test_an_unknown_keyword_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="neuronPermutation"):
        pynn.setup(neuronPermutations=[1])
    with pytest.raises(KeyError, match=r"no keyword 'xyzzy'\. It knows "):
        pynn.setup(xyzzy=1)


@pytest.mark.parametrize(
    ("permutation", "error"), [([8, 8, 8], ValueError), (range(513), OverflowError), ([513], OverflowError), ([-1], TypeError), (["a"], TypeError)]
)
def test_wrong_permutations_raise_the_types_of_both_generations(permutation: object, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        pynn.setup(neuronPermutation=permutation)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, ConfigurationError)


def test_populations_are_placed_eagerly_along_the_permutation() -> None:
    pynn.setup(neuronPermutation=[5, 300, 7])
    first, second = pynn.Population(1, pynn.cells.HXNeuron()), pynn.Population(2, pynn.cells.HXNeuron())
    assert pynn.simulator.state.neuron_placement.id2first_circuit(first[0]) == 5
    assert pynn.simulator.state.neuron_placement.id2first_circuit(second) == [300, 7]


def test_a_population_that_does_not_fit_leaves_no_trace() -> None:
    pynn.setup(neuronPermutation=[5, 300])
    with pytest.raises(ValueError, match="2 of the 2 circuits") as caught:
        pynn.Population(3, pynn.cells.HXNeuron())
    assert isinstance(caught.value, RuntimeError)
    assert (len(pynn.simulator.state.populations), len(pynn.simulator.state.recorders), pynn.simulator.state.id_counter) == (0, 0, 0)
    pynn.Population(2, pynn.cells.HXNeuron())
    pynn.setup(neuronPermutation=range(512))
    pynn.Population(512, pynn.cells.HXNeuron())


def test_keywords_of_the_wrong_type_are_refused() -> None:
    pynn.setup(initial_config=None, injected_config=None, connection=None, enable_neuron_bypass=False, calibration_cache=None, max_delay="auto")
    wrong = {"initial_config": object(), "injected_config": {}, "injected_readout": set(), "connection": object(), "backgroundPermutation": [0, 4]}
    for keyword, value in wrong.items():
        with pytest.raises(ConfigurationError, match=keyword):
            pynn.setup(**{keyword: value})


def test_the_initial_configuration_is_copied_and_reaches_the_chip(lab: FakeLab) -> None:
    chip = lola.Chip()
    circuit = halco.AtomicNeuronOnDLS(halco.Enum(7))
    chip.neuron_block.atomic_neurons[circuit].leak.v_leak = 700
    pynn.setup(initial_config=chip)
    chip.neuron_block.atomic_neurons[circuit].leak.v_leak = 600
    state = pynn.simulator.state
    assert state.initial_config is state.grenade_chip_config is state.get_base_configuration()
    assert state.base_config().leak_v_leak[7] == 700
    pynn.run(0.1)
    assert lab.sessions[0].config.leak_v_leak[7] == 700


def test_the_base_configuration_is_live_until_the_network_is_mapped(lab: FakeLab) -> None:
    pynn.setup()
    pynn.Population(1, pynn.cells.HXNeuron(leak_v_leak=700))
    backends = pynn.simulator.state.grenade_chip_config.neuron_block.backends
    for code, delta in ((3, None), (5, {"backend_clock_scale_fast"})):
        for coord in halco.iter_all(halco.CommonNeuronBackendConfigOnDLS):
            backends[coord].clock_scale_fast = code
        pynn.run(0.1)
        pynn.reset()
        assert lab.sessions[0].config.backend_clock_scale_fast.tolist() == [code] * 2
        assert delta is None or set(lab.sessions[0].programs[-1].config) == delta
    assert lab.sessions[0].config.leak_v_leak[0] == 700


def test_the_base_configuration_may_change_between_snippets(lab: FakeLab) -> None:
    pynn.setup()
    pynn.run(0.1, pynn.RunCommand.APPEND)
    pynn.simulator.state.base_config().backend_clock_scale_slow = 2
    pynn.run(0.1)
    (program,) = lab.sessions[0].programs
    assert list(program.snippets[1].config) == ["backend_clock_scale_slow"]


def test_bypass_mode_replaces_the_initial_configuration(lab: FakeLab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    chip = lola.Chip()
    config_of(chip).leak_v_leak = 700
    pynn.setup(enable_neuron_bypass=True, initial_config=chip)
    assert "initial_config" in caplog.text
    pynn.run(0.1)
    config = lab.sessions[0].config
    assert (config.leak_v_leak[0], config.threshold_enable.any(), config.event_routing_enable_bypass_excitatory.all()) == (0, False, True)


def test_errors_of_the_front_end_belong_to_neckars_tree() -> None:
    from pynn_brainscales.brainscales2 import _errors

    own = [cls for cls in vars(_errors).values() if isinstance(cls, type) and cls.__module__ == _errors.__name__]
    assert own
    assert all(issubclass(cls, NeckarError) for cls in own)


def test_the_time_step_is_the_interval_of_the_converter() -> None:
    from neckar.chip.madc import conversion_ticks
    from neckar.program import seconds

    pynn.setup()
    assert pynn.get_time_step() == pytest.approx(1e3 * seconds(conversion_ticks({})), rel=1e-12)


def test_end_closes_the_experiment_even_if_a_file_cannot_be_written(tmp_path: Path) -> None:
    pynn.setup()
    neuron = pynn.Population(1, pynn.cells.HXNeuron())
    neuron.record("spikes", to_file=tmp_path / "file" / "spikes.pkl")
    (tmp_path / "file").write_text("in the way of the folder")
    pynn.run(0.1)
    with pytest.raises(OSError, match="file"):
        pynn.end()
    assert pynn.simulator.state is None
