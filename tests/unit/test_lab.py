"""The lab: which layer wins, seeds, sessions, and maps whose results do not depend on the executor."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import fake_machine
import pytest
from fake_machine import FakeEffects, program
from hypothesis import given, settings
from hypothesis import strategies as st

import neckar
from neckar.chip.specimen import Specimen
from neckar.errors import ConfigurationError, ParameterRangeError, UnknownNameError
from neckar.lab import ENVIRONMENT, Lab, MapError, MapKeyboardInterrupt, _execute, command_line, current_lab, observe
from neckar.lab._execute import Parcel
from neckar.lab._map import batches
from neckar.program import Program, Recording


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Replace the machine and clear the environment."""
    monkeypatch.setitem(sys.modules, fake_machine.MODULE, fake_machine.module())
    for variable in ENVIRONMENT.values():
        monkeypatch.delenv(variable, raising=False)
    yield
    _execute._machine.cache_clear()


# --- layers

VALUES = {
    "chip": st.integers(0, 9),
    "effects": st.sampled_from(["default", "ideal", "-noise", "ideal,+noise"]),
    "instruments": st.sampled_from(["silicon", "open"]),
    "seed": st.integers(0, 2**64 - 1),
    "executor": st.sampled_from(["inline", "processes:1", "processes:3"]),
    "step_us": st.sampled_from([0.1, 0.25, 1.0]),
}
layer = st.fixed_dictionaries({}, optional=VALUES)


def seen(lab: Lab) -> dict[str, Any]:
    """Return the settings of a lab in the form in which the test gives them."""
    return {
        "chip": lab.specimen.seed,
        "effects": lab.effects,
        "instruments": lab.instruments,
        "seed": lab.seed,
        "executor": repr(lab._workers).strip("'"),
        "step_us": lab.step_us,
    }


@settings(max_examples=200, deadline=None)
@given(blocks=st.lists(layer, max_size=3), options=layer, variables=layer)
def test_each_setting_comes_from_the_uppermost_layer_that_has_it(blocks: list[dict[str, Any]], options: dict[str, Any], variables: dict[str, Any]) -> None:
    default = {"chip": 0, "effects": "default", "instruments": "silicon", "seed": 0, "executor": "inline", "step_us": None}
    expected = default | variables | options
    for block in blocks:
        expected |= block
    expected["effects"] = neckar.Effects.parse(expected["effects"])
    with pytest.MonkeyPatch.context() as patch, command_line(**options), ExitStack() as stack:
        for name, value in variables.items():
            patch.setenv(ENVIRONMENT[name], str(value))
        for block in blocks:
            stack.enter_context(Lab(**block))
        assert seen(current_lab()) == expected
        assert seen(Lab()) == expected


def test_current_lab_is_the_innermost_block_and_one_object_outside() -> None:
    outermost = current_lab()
    assert current_lab() is outermost
    with Lab(seed=1) as outer:
        with Lab() as inner:
            assert current_lab() is inner
        assert current_lab() is outer
        with outer:
            assert current_lab() is outer
        assert current_lab() is outer
    assert current_lab() is outermost


def test_a_changed_environment_gives_a_new_outermost_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    before = current_lab()
    monkeypatch.setenv("NECKAR_SEED", "5")
    assert current_lab().seed == 5
    assert current_lab() is not before


def test_each_command_counts_its_runs_from_zero() -> None:
    seeds = []
    for _ in range(2):
        with command_line(seed="3"):
            seeds.append(current_lab().run(program()).provenance.run_seed)
    assert seeds == [(3, 0), (3, 0)]


def test_blocks_of_different_threads_do_not_meet() -> None:
    barrier = threading.Barrier(2)
    found = {}

    def work(seed: int) -> None:
        with Lab(seed=seed):
            barrier.wait(10)
            found[seed] = current_lab().seed
            barrier.wait(10)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {1: 1, 2: 2}


def test_an_empty_environment_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NECKAR_CHIP", "")
    assert Lab().specimen == Specimen.reference()


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("chip", "referenze", UnknownNameError),
        ("effects", "nose", UnknownNameError),
        ("instruments", "opn", UnknownNameError),
        ("seed", "-1", ParameterRangeError),
        ("seed", "one", ConfigurationError),
        ("executor", "processes:0", ConfigurationError),
        ("executor", "cluster", ConfigurationError),
        ("step_us", "fast", ConfigurationError),
        ("step_us", "nan", ParameterRangeError),
        ("step_us", "0", ParameterRangeError),
        ("step_us", "0.001", ParameterRangeError),
        ("step_us", "0.0501", ParameterRangeError),
    ],
)
def test_a_bad_value_is_refused_and_its_place_named(name: str, text: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT[name], text)
    with pytest.raises(error, match=f"environment variable {ENVIRONMENT[name]}"):
        current_lab()
    with command_line(**{name: text}), pytest.raises(error, match=f"option --{name.replace('_', '-')}"):
        current_lab()
    with pytest.raises(error, match=f"argument {name} of Lab"):
        Lab(**{name: text})
    monkeypatch.delenv(ENVIRONMENT[name])


def test_a_bad_value_of_a_lower_layer_does_not_disturb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NECKAR_CHIP", "referenze")
    assert Lab(chip=7).specimen.seed == 7


@pytest.mark.parametrize(("name", "value"), [("chip", 1.5), ("effects", 3), ("seed", 1.5), ("executor", 4)])
def test_a_wrong_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"argument {name} of Lab"):
        Lab(**{name: value})  # type: ignore[arg-type]


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean seed"), command_line(sed="1"):
        pass
    with pytest.raises(UnknownNameError, match=r"no setting\. Settings are"), command_line(xyzzy="1"):
        pass


def test_the_refusal_of_a_step_says_what_is_allowed_and_what_to_do() -> None:
    text = r"^argument step_us of Lab: step_us is 0\.0501 us; allowed is a positive multiple of 0\.002 us.*Choose.*leave it out"
    with pytest.raises(ParameterRangeError, match=text):
        Lab(step_us=0.0501)
    assert Lab(step_us=0.3).step_us == 0.3  # not a multiple to the last bit


# --- seeds and sessions


def test_runs_are_numbered_and_a_repeated_lab_repeats_them() -> None:
    first, second = [[lab.run(program()) for _ in range(3)] for lab in (Lab(seed=4), Lab(seed=4))]
    assert [recording.provenance.run_seed for recording in first] == [(4, 0), (4, 1), (4, 2)]
    assert first == second
    assert first[0].spikes != first[1].spikes
    assert first[0].spikes != Lab(seed=5).run(program()).spikes


def test_a_program_keeps_its_own_run_seed() -> None:
    lab = Lab()
    own = Program(machine="brainscales2", snippets=program().snippets, run_seed=(9, 9))
    assert lab.run(own).provenance.run_seed == (9, 9)
    assert lab.run(program()).provenance.run_seed == (0, 1)
    assert lab.runs == 2


def test_a_session_keeps_the_state_and_a_reset_forgets_it() -> None:
    with Lab().session() as session:
        assert session.state is None
        session.run(program())
        session.run(program())
        assert session.state is not None
        assert session.state.runs == 2
        session.reset()
        assert session.state is None
    with pytest.raises(ConfigurationError, match=r"lab\.session"):
        session.run(program())


def test_a_failed_program_leaves_the_state_as_it_was() -> None:
    with Lab().session() as session:
        session.run(program())
        before = session.state
        with pytest.raises(ValueError, match="fails"):
            session.run(program(do="fail"))
        assert session.state is before


def test_observers_see_program_recording_and_the_state_before() -> None:
    seen_runs: list[tuple[Program, Recording, Any]] = []
    with observe(lambda *run: seen_runs.append(run)), Lab().session() as session:
        recordings = [session.run(program()), session.run(program())]
        recordings += session.lab.map([program()])
    Lab().run(program())
    assert [run[1] for run in seen_runs] == recordings
    assert [run[0].run_seed for run in seen_runs] == [(0, 0), (0, 1), (0, 2)]
    assert [run[2] and run[2].runs for run in seen_runs] == [None, 1, None]


# --- maps


@pytest.fixture(scope="module")
def expected() -> list[Recording]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, fake_machine.MODULE, fake_machine.module())
        return [Lab(effects=FakeEffects(), seed=2, chip=i).run(run_as(program(1000 + i), i)) for i in range(12)]


def run_as(program: Program, number: int) -> Program:
    return Program(machine=program.machine, snippets=program.snippets, run_seed=(2, number))


@pytest.mark.parametrize("kind", ["inline", "processes:2", "threads"])
def test_results_are_in_order_and_do_not_depend_on_the_executor(kind: str, expected: list[Recording]) -> None:
    programs = [program(1000 + i) for i in range(12)]
    with ThreadPoolExecutor(3) as threads:
        executor = threads if kind == "threads" else kind
        with Lab(effects=FakeEffects(), seed=2, executor=executor) as lab:
            assert lab.map(iter(programs), chips=range(12)) == expected
        with Lab(effects=FakeEffects(), seed=2, executor=executor) as lab:
            ahead = lab.imap(programs, chips=range(12))
            other = lab.run(program())
            assert list(ahead) == expected
            assert other.provenance.run_seed == (2, 12)
        assert threads.submit(int).result() == 0  # the caller's executor is still open


def test_an_inner_lab_shares_the_workers_of_the_outer_one() -> None:
    with ThreadPoolExecutor(1) as threads, Lab(executor=threads), Lab(seed=1) as inner:
        assert inner._workers._given is threads


def test_map_needs_one_chip_per_program() -> None:
    with pytest.raises(ConfigurationError, match="2 programs and 1 chips"):
        Lab().map([program(), program()], chips=[0])
    with pytest.raises(UnknownNameError, match="nobody"):
        Lab().map([program()], chips=["nobody"])


@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize(("do", "error"), [("fail", MapError), ("interrupt", MapKeyboardInterrupt)])
def test_finished_recordings_survive_an_interruption(do: str, error: type[MapError], threaded: bool) -> None:
    programs = [program(), program(), program(do=do), program()]
    with ThreadPoolExecutor(1) as threads:
        lab = Lab(executor=threads if threaded else None)
        with pytest.raises(error) as caught:
            lab.map(programs)
        kept = caught.value
        assert kept.recordings[:3] == (*[run(number) for number in (0, 1)], None)
        assert kept.missing in ((2, 3), (2,))
        assert kept.programs[3].run_seed == (0, 3)
        assert lab.map(kept.programs[3:]) == [run(3)]  # continues with the bits of the uninterrupted map
    assert str(kept).count("recordings") >= 1


def run(number: int) -> Recording:
    """Return the recording of a default lab's run with a number."""
    own = Program(machine="brainscales2", snippets=program().snippets, run_seed=(0, number))
    return Lab().run(own)


def test_equal_neighbours_are_run_together_in_equal_parts() -> None:
    one, long, other = program(1000), program(20_000_000), program(2000)
    programs = [one] * 100 + [long] * 3 + [other]
    made = list(batches(programs, [p.seeded(1, i) for i, p in enumerate(programs)], [Specimen.reference()] * 104, 2))
    assert [seed for batch in made for _, seed in batch.runs] == [(1, i) for i in range(104)]
    assert [(batch.first, len(batch.runs)) for batch in made] == [(0, 50), (50, 50), (100, 1), (101, 1), (102, 1), (103, 1)]
    assert [batch.parcel.program for batch in made] == [one] * 2 + [long] * 3 + [other]


def test_a_run_that_fails_in_the_middle_of_a_batch_loses_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake fails on one chip."""
    run = fake_machine.Chip.run

    def unless(chip: fake_machine.Chip, program: Program, *rest: Any) -> Any:
        if chip.specimen.seed == 3:
            raise ValueError("this chip fails")
        return run(chip, program, *rest)

    monkeypatch.setattr(fake_machine.Chip, "run", unless)
    one = program()
    with ThreadPoolExecutor(1) as threads, pytest.raises(MapError, match="this chip fails") as caught:
        Lab(executor=threads).map([one] * 6, chips=range(6))
    assert caught.value.missing == (3, 4, 5)
    with pytest.raises(MapError) as caught:
        Lab().map([one] * 6, chips=range(6))
    assert caught.value.missing == (3, 4, 5)


def test_a_program_is_serialised_and_read_once() -> None:
    parcel = Parcel(program())
    content = pickle.dumps(parcel)
    assert parcel.__reduce__()[1][0] is parcel.__reduce__()[1][0]
    assert pickle.loads(content) is pickle.loads(content)
    assert pickle.loads(content).program == parcel.program


def test_imap_yields_what_is_there_before_the_failure() -> None:
    recordings = Lab().imap([program(), program(do="fail"), program()])
    assert next(recordings) == run(0)
    with pytest.raises(ValueError, match="fails"):
        next(recordings)


def test_a_pool_that_lost_a_process_is_replaced() -> None:
    with Lab(effects=FakeEffects(), executor="processes:1") as lab:
        with pytest.raises(MapError, match="a worker process ended") as caught:
            lab.map([program(), program(do="die")])
        assert caught.value.recordings[1] is None
        assert lab.map([program()])[0].provenance.run_seed == (0, 2)


def test_worker_processes_do_not_execute_the_script_again(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "import sys, fake_machine, neckar\n"
        "sys.modules[fake_machine.MODULE] = fake_machine.module()\n"
        "lab = neckar.Lab(effects=fake_machine.FakeEffects(), executor='processes:1')\n"
        "print(len(lab.map([fake_machine.program()] * 2)))\n"
    )
    paths = [str(Path(neckar.__file__).parents[1]), str(Path(__file__).parent)]
    done = subprocess.run([sys.executable, script], env={"PYTHONPATH": ":".join(paths)}, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_a_progress_bar_goes_to_the_error_stream(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(Lab().map([program()] * 3, progress=True)) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "runs" in captured.err


# --- the package's public names


def test_public_names_resolve_and_are_typed() -> None:
    stub = Path(neckar.__file__).with_suffix(".pyi").read_text()
    for name in neckar.__all__:
        assert getattr(neckar, name) is not None
        assert name in stub
    assert set(neckar.__all__) <= set(dir(neckar))
    with pytest.raises(AttributeError, match="public are"):
        neckar.nothing  # type: ignore[attr-defined]  # noqa: B018
