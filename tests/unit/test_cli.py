"""The command line: light, honest about what ran, and able to repeat it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fake_machine
import numpy as np
import pytest
from fake_machine import program
from matplotlib.figure import Figure
from typer.testing import CliRunner, Result

import neckar
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.cli import app, demo, doctor, main, replay
from neckar.cli._options import PICTURES, check_picture
from neckar.cli._tally import Tally
from neckar.cli.cost import quantity
from neckar.errors import ConfigurationError, FileFormatError, KernelCompileError, UnsupportedFeatureError
from neckar.lab import Lab
from neckar.ppu import try_kernel
from neckar.program import Contents, Spikes, load, save

HEAVY = {"numpy", "numba", "llvmlite", "pyNN", "neo", "quantities", "matplotlib", "h5py", "torch", "scipy", "pynn_brainscales"}


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    yield from fake_machine.in_an_empty_folder(monkeypatch, tmp_path)


def invoke(*arguments: str | Path) -> Result:
    """Run a command; exceptions other than exits stay in the result."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def script(text: str) -> Path:
    """Write a script that may use `neckar` and `program`."""
    path = Path("experiment.py")
    path.write_text(f"import sys\nimport neckar\nfrom fake_machine import program\n{text}\n")
    return path


ONE_RUN = "recording = neckar.current_lab().run(program())"


# --- light


@pytest.mark.parametrize("statement", ["import neckar", "import neckar.lab", "from neckar.cli import main; sys.argv[1:] = ['--help']; main()"])
def test_nothing_heavy_is_imported(statement: str) -> None:
    code = f"import sys\ntry:\n    {statement}\nexcept SystemExit:\n    pass\nprint('loaded:', *sys.modules)"
    environment = {"PYTHONPATH": str(Path(neckar.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert "neckar" in done.stdout
    assert not HEAVY & set(done.stdout.split("loaded:")[1].split())


def test_the_module_is_the_command() -> None:
    environment = {"PYTHONPATH": str(Path(neckar.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-m", "neckar", "--version"], env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"neckar {neckar.__version__}\n"


def test_every_command_has_help() -> None:
    listing = invoke("--help").output
    for command in (
        ["demo"],
        ["run"],
        ["chip", "list"],
        ["chip", "show"],
        ["chip", "compare"],
        ["kernel", "install"],
        ["kernel", "list"],
        ["kernel", "remove"],
        ["bench", "chip"],
        ["replay"],
        ["cost"],
        ["doctor"],
    ):
        assert command[0] in listing
        assert invoke(*command, "--help").exit_code == 0


# --- run


def test_run_behaves_like_python() -> None:
    path = script("import os, json\nprint(json.dumps([__name__, sys.argv, sys.path[0], os.getcwd(), __file__]))")
    before = sys.argv, sys.path.copy()
    result = invoke("run", path, "--chip", "7", "x")
    name, argv, first, cwd, file = json.loads(result.stdout)
    assert (name, argv, file) == ("__main__", ["experiment.py", "--chip", "7", "x"], "experiment.py")
    assert first == cwd == str(Path.cwd())
    assert (sys.argv, sys.path) == before
    assert "nothing ran on a virtual chip" in result.stderr


def test_run_says_what_ran() -> None:
    result = invoke("run", "--chip", "7", "--effects=-noise", "--seed", "3", script(f"{ONE_RUN}\nprint(recording.provenance.run_seed)\n{ONE_RUN}"))
    assert result.exit_code == 0
    assert result.stdout == "(3, 0)\n"
    line = result.stderr.splitlines()[-1]
    assert line.startswith("neckar: 2 runs on virtual chip 7; effects: mismatch, quantisation, ")
    assert " noise" not in line
    assert line.endswith("4 of 24 events and samples lost (link_loss at chip_to_fpga: 4)")


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ([], "none of 10 events and samples lost; 6 invocations of plasticity rules, all carried out in time"),
        (
            [["link_loss", "madc", 1], ["late", "deadline.rule.top", 2]],
            "1 of 10 events and samples lost (link_loss at madc: 1); 6 invocations of plasticity rules, 2 late",
        ),
    ],
)
def test_an_invocation_that_ends_late_is_no_event_that_is_lost(lost: list[list[object]], said: str) -> None:
    sent = {"madc": 10, "plasticity.rule.top": 6, "deadline.rule.top": 6}
    run = {"chip": "reference", "effects": {}, "calibration": None, "sent": sent, "lost": lost, "cost": [0.0] * 5}
    assert Tally(iter([[run], []]).__next__).line().endswith(said)


def test_a_block_in_the_script_wins_over_the_command_line() -> None:
    path = script("with neckar.Lab(effects='ideal'):\n    neckar.current_lab().run(program())")
    assert "1 run on virtual chip 7; effects: none (ideal);" in invoke("run", "--chip", "7", path).stderr


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NECKAR_CHIP", "5")
    assert "virtual chip 7;" in invoke("run", "--chip", "7", script(ONE_RUN)).stderr
    assert "virtual chip 5;" in invoke("run", script(ONE_RUN)).stderr


@pytest.mark.parametrize(("text", "status"), [("sys.exit()", 0), ("sys.exit(3)", 3), ("sys.exit('no reason')", 1), ("raise KeyboardInterrupt", 130)])
def test_run_passes_on_the_exit_status(text: str, status: int) -> None:
    result = invoke("run", script(text))
    assert result.exit_code == status
    assert ("no reason" in result.stderr) == ("no reason" in text)


def test_a_failing_script_gives_a_traceback_that_starts_in_it() -> None:
    result = invoke("run", script(f"{ONE_RUN}\ndef work():\n    return 1 / 0\nwork()"))
    lines = result.stderr.splitlines()
    assert result.exit_code == 1
    assert lines[0] == "Traceback (most recent call last):"
    assert "experiment.py" in lines[1]
    assert "ZeroDivisionError: division by zero" in lines
    assert "neckar: 1 run on" in lines[-1]
    assert "runpy" not in result.stderr


def test_a_bad_option_is_refused_before_the_script_starts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["neckar", "run", "--chip", "nobody", str(script("print('started')"))])
    with pytest.raises(SystemExit) as exit_:
        main()
    captured = capsys.readouterr()
    assert exit_.value.code == 2
    assert captured.out == ""
    assert captured.err.startswith("neckar: option --chip: no virtual chip is called 'nobody'")
    assert captured.err.count("\n") == 1


def test_a_step_that_is_no_whole_number_of_ticks_is_refused_before_the_script_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["neckar", "run", "--step-us", "0.001", str(script("print('started')"))])
    with pytest.raises(SystemExit):
        main()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("neckar: option --step-us: step_us is 0.001 us; allowed is a positive multiple of 0.002 us")


@pytest.mark.parametrize(
    ("target", "text"),
    [("missing/a.h5", "there is no folder missing"), ("taken", "taken, which is a folder"), ("locked/a.h5", "the folder locked cannot be written")],
)
def test_a_recording_that_cannot_be_written_is_refused_before_the_script_starts(
    target: str, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("taken").mkdir()
    Path("locked").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != Path("locked"))  # whoever runs the tests may write everywhere
    monkeypatch.setattr(sys, "argv", ["neckar", "run", "--record", target, str(script("print('started')"))])
    with pytest.raises(SystemExit) as exit_:
        main()
    captured = capsys.readouterr()
    assert exit_.value.code == 2
    assert captured.out == ""
    assert captured.err.startswith("neckar: option --record is " + target)
    assert text in captured.err
    assert captured.err.count("\n") == 1


# --- record, replay, cost


def recorded(*options: str, text: str = ONE_RUN) -> Path:
    """Record the last run of a script."""
    result = invoke("run", *options, "--record", "run.h5", script(text))
    assert result.exit_code == 0
    return Path("run.h5")


def test_record_without_a_run_is_a_failure() -> None:
    result = invoke("run", "--record", "run.h5", script("pass"))
    assert result.exit_code == 1
    assert not Path("run.h5").exists()


@pytest.mark.parametrize("text", [ONE_RUN, "with neckar.current_lab().session() as session:\n    session.run(program())\n    session.run(program())"])
@pytest.mark.parametrize("options", [(), ("--chip", "7", "--effects=ideal,+noise", "--instruments", "open", "--seed", "9", "--step-us", "0.1")])
def test_replay_finds_a_recording_identical(options: tuple[str, ...], text: str) -> None:
    result = invoke("replay", recorded(*options, text=text))
    assert result.exit_code == 0, result.output
    assert "identical, bit for bit" in result.output
    assert "NOT" not in result.output


@pytest.mark.parametrize("options", [(), ("--chip", "7", "--step-us", "0.1")])
def test_replay_repeats_a_run_of_the_real_machine(options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, fake_machine.MODULE)
    text = """
from neckar.chip import ChipConfig
from neckar.program import MadcChannel, Program, Record, Snippet
config = ChipConfig.default()
config.leak_v_leak, config.leak_i_bias, config.threshold_v_threshold, config.reset_v_reset, config.reset_i_bias = 1000, 150, 300, 400, 1022
config.threshold_enable = config.reset_enable_multiplication = True
config.refractory_period_refractory_time = 255
program = Program(machine="brainscales2", config=config.as_mapping(), snippets=(Snippet(20_000),), record=Record(madc=(MadcChannel(3),)))
with neckar.current_lab().session() as session:
    for _ in range(2):
        recording = session.run(program)
print(len(recording.madc[0].tick))
"""
    result = invoke("replay", recorded(*options, text=text))
    assert result.exit_code == 0, result.output
    assert "total: energy of the chip" in invoke("cost", "run.h5").output


def test_replay_detects_a_changed_recording() -> None:
    path = recorded()
    contents = load(path)
    recording = contents.recording
    assert recording is not None
    tick = recording.spikes.tick.copy()
    tick[0] -= 1
    changed = dataclasses.replace(recording, spikes=Spikes(recording.spikes.entry_ptr, tick, recording.spikes.circuit), chip_ticks=1)
    save(path, program=contents.program, recording=changed)
    result = invoke("replay", path)
    assert result.exit_code == 1
    assert "NOT identical. Different: spikes; chip_ticks" in result.output


def test_replay_ignores_versions_and_names_them() -> None:
    path = recorded()
    contents = load(path)
    recording = contents.recording
    assert recording is not None
    older = dataclasses.replace(recording, provenance=dataclasses.replace(recording.provenance, environment={"python": "2"}))
    save(path, program=contents.program, recording=older)
    result = invoke("replay", path)
    assert result.exit_code == 0
    assert "note: recorded with environment python 2, repeated with python 3" in result.output


def test_replay_refuses_what_it_cannot_repeat() -> None:
    chip = Specimen("mine", 3, overrides={"chip_madc_offset": np.float64(2.0)})
    recording = Lab(chip=chip).run(program())
    with pytest.raises(ConfigurationError, match="overrides"):
        replay.repeat(Contents(program=program(), recording=recording))
    save("half.h5", recording=recording)
    assert isinstance(invoke("replay", "half.h5").exception, ConfigurationError)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"effects": {"bogus": True}}, "effects does not describe a run of a virtual chip: 'bogus' is unknown; allowed are exactly mismatch, noise,"),
        ({"effects": {}}, "'crosstalk' is missing"),
        ({"effects": dict.fromkeys(dataclasses.asdict(Effects()), 1)}, "'mismatch' is 1; allowed is bool."),
        ({"effects": [1]}, "it is (1,); allowed is a JSON object."),
        ({"chip": {"id": "x"}}, "chip does not describe a run of a virtual chip: 'age_h' is missing; allowed are exactly id, seed,"),
        ({"chip": {"id": "x", "seed": "7", "statistics_version": 1, "age_h": 0, "overrides": ""}}, "'seed' is '7'; allowed is int."),
        ({"chip": {"id": "x", "seed": -1, "statistics_version": 1, "age_h": 0, "overrides": ""}}, "seed of a specimen is -1"),
        ({"instruments": "bogus"}, "instruments does not describe a run of a virtual chip: it is 'bogus'; allowed is silicon or open."),
        ({"run_seed": [1]}, "run_seed does not describe"),
        ({"step_ticks": []}, "step_ticks does not describe"),
    ],
)
def test_replay_refuses_the_provenance_of_something_else(
    changes: dict[str, object], text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recorded()
    contents = load(path)
    recording = contents.recording
    assert recording is not None
    foreign = dataclasses.replace(recording, provenance=dataclasses.replace(recording.provenance, **changes))  # type: ignore[arg-type]
    save(path, program=contents.program, recording=foreign)
    monkeypatch.setattr(sys, "argv", ["neckar", "replay", str(path)])
    with pytest.raises(SystemExit) as exit_:
        main()
    captured = capsys.readouterr()
    assert exit_.value.code == 2
    assert captured.err.startswith("neckar: run.h5: the provenance's ")
    assert text in captured.err
    assert "Record the run again with neckar run --record." in captured.err
    assert captured.err.count("\n") == 1


def test_cost_prints_totals_with_ranges() -> None:
    output = invoke("cost", recorded()).output
    assert "100 ms" in output
    assert "2 uJ to 7 uJ" in output
    save("program.h5", program=program())
    assert isinstance(invoke("cost", "program.h5").exception, ConfigurationError)


def test_the_cost_of_a_recording_is_that_of_its_run_alone_and_says_so() -> None:
    done = invoke("run", "--seed", "6", "--record", "run.h5", "--report", "report.json", script("\n".join([ONE_RUN] * 5)))
    assert "the last of 5 runs is in " in done.stderr
    one, all_runs = invoke("cost", "run.h5").output, invoke("cost", "report.json").output.replace("\n   ", "")
    assert "cost of one run on silicon" in one
    assert "the run with number 4 (from 0) of lab seed 6 alone" in one
    assert "cost of all runs on" in all_runs
    assert "5 runs of experiment.py" in all_runs
    assert ("100 ms" in one, "2 uJ to 7 uJ" in one) == ("500 ms" in all_runs, "10 uJ to 35 uJ" in all_runs) == (True, True)


def test_the_cost_of_a_run_that_failed_says_so() -> None:
    invoke("run", "--report", "report.json", script(f"{ONE_RUN}\n1 / 0"))
    assert "1 run of experiment.py, whose status is failed" in " ".join(invoke("cost", "report.json").output.split())


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"runs": 1, "status": "complete", "file": "x.py", "cost": {"hardware_s": "long"}}'])
def test_a_cost_without_a_report_is_refused(content: str) -> None:
    Path("report.json").write_text(content)
    assert isinstance(invoke("cost", "report.json").exception, FileFormatError)


@pytest.mark.parametrize(
    ("value", "unit", "text"), [(0.1, "s", "100 ms"), (2e-6, "J", "2 uJ"), (0, "s", "0 s"), (1e-15, "J", "0.001 pJ"), (12.34, "s", "12.3 s")]
)
def test_quantities_have_three_digits_and_a_prefix(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


# --- demo


STAND_IN = """
import numpy as np
import quantities as pq
from types import SimpleNamespace
neckar.current_lab().run(program())
time = np.arange(0, 0.2, 3.4e-5)
membrane = SimpleNamespace(times=time * pq.ms, magnitude=(160 + 240 * (time * 100 % 1))[:, None])
spikes = SimpleNamespace(times=np.array(SPIKES) * pq.ms)
"""


@pytest.mark.parametrize(("spikes", "text"), [([0.01, 0.02, 0.03], "3 spikes, period 10.00 us"), ([], "0 spikes: too few for a period")])
def test_demo_draws_and_explains(spikes: list[float], text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SCRIPT", script(STAND_IN.replace("SPIKES", repr(spikes))))
    result = invoke("demo", "--output", "figure.png", "--chip", "7")
    assert result.exit_code == 0, result.output
    assert Path("figure.png").read_bytes().startswith(b"\x89PNG")
    for part in (text, "this is virtual chip 7.", "on virtual chip 7; effects", "No silicon was involved", "figure.png"):
        assert part in result.output


@pytest.mark.parametrize(
    ("chip", "name", "expected"),
    [
        ("reference", "reference", "reference chip: period 10.0 us in the median over its neurons (8.1 to 12.4)"),
        ("7", "7", "virtual chips: period 8.3 us in the median (5.2 to 12.5)"),
    ],
)
def test_demo_expects_what_is_known_of_the_chip(chip: str, name: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SCRIPT", script(STAND_IN.replace("SPIKES", "[0.01, 0.02]")))
    output = invoke("demo", "--chip", chip).output
    assert f"this is virtual chip {name}." in output
    assert expected in output
    assert ("5..95 % of virtual chips" in output) == (chip != "reference")


def test_demo_without_plots_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "neckar.cli._figure", raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)

    class Missing:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name.split(".")[0] == "matplotlib":
                raise ModuleNotFoundError(f"No module named {name!r}", name="matplotlib")

    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    result = invoke("demo")
    assert isinstance(result.exception, UnsupportedFeatureError)
    assert "neckar[plot]" in str(result.exception)


def test_demo_into_nowhere_is_refused_before_it_runs() -> None:
    result = invoke("demo", "--output", "missing/figure.png")
    assert isinstance(result.exception, ConfigurationError)
    assert str(result.exception).startswith("option --output is missing/figure.png, but there is no folder missing")


def test_a_figure_that_cannot_be_drawn_is_refused_before_the_demo_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SCRIPT", script("print('started')"))
    result = invoke("demo", "--output", "figure.xyz")
    assert isinstance(result.exception, ConfigurationError)
    assert str(result.exception).startswith("option --output is figure.xyz; allowed is a name that ends in .png, .pdf, ")
    assert str(result.exception).endswith("Call it figure.png.")
    assert "started" not in result.output


@pytest.mark.parametrize("suffix", PICTURES)
def test_pictures_that_are_allowed_can_be_drawn(suffix: str) -> None:
    check_picture("option --output", Path(f"a{suffix}"))
    Figure().savefig(f"a{suffix}")
    assert Path(f"a{suffix}").stat().st_size > 100


def test_demo_stops_with_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SCRIPT", script("raise RuntimeError('broken')"))
    result = invoke("demo")
    assert result.exit_code == 1
    assert "RuntimeError: broken" in result.output


# --- bench


def test_bench_prints_what_the_workload_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    from neckar.dynamics import workload

    def measure(kind: str, effects: str, step_us: float, hardware_s: float, repeats: int, *, correlation: bool) -> dict[str, object]:
        numbers = dict.fromkeys(workload.Measurement.__annotations__, 12.5)
        return {**numbers, "kind": kind, "effects": effects, "step_us": step_us, "hardware_s": hardware_s, "repeats": repeats, "correlation": correlation}

    monkeypatch.setattr(workload, "measure", measure)
    cases = json.loads(invoke("bench", "chip", "--json", "--hardware-ms", "2", "--repeats", "3").output)["cases"]
    assert [(c["kind"], c["effects"]) for c in cases[:2]] == [("lif", "ideal"), ("lif", "default")]
    assert all(c["hardware_s"] == 0.002 and c["repeats"] == 3 for c in cases)
    assert "12.50" in invoke("bench", "chip").output
    cases = json.loads(invoke("bench", "chip", "--json").output)["cases"]
    assert {c["hardware_s"] for c in cases} == {0.05}


# --- doctor


def test_doctor_prints_a_line_per_check_and_its_exit_status_counts_failures() -> None:
    result = invoke("doctor")
    statuses = [line.split()[0] for line in result.output.splitlines()]
    assert set(statuses) <= {"ok", "warn", "fail"}
    assert result.exit_code == ("fail" in statuses)
    assert result.output.splitlines()[-1].startswith("ok    self-test: 100 us of one chip")


def test_doctor_knows_environment_variables() -> None:
    lines = list(doctor.settings({"NECKAR_SEED": "4", "NECKAR_SED": "4", "HOME": "/"}))
    assert [line.status for line in lines] == ["warn", "ok", "ok"]
    assert "NECKAR_SED is set" in lines[0].text


@pytest.mark.parametrize("missing", [["ziglang"], ["wasmtime"], ["ziglang", "wasmtime"]])
def test_doctor_says_what_rules_in_cpp_need(missing: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {name: None if name in missing else "1.0" for name in ("ziglang", "wasmtime")}
    monkeypatch.setattr(doctor, "_version", versions.get)
    (line,) = doctor.plasticity()
    assert line.status == "ok"
    assert line.text.startswith(f"plasticity rules in C++ do not run here: {' and '.join(missing)} ")
    assert line.text.endswith("Install with: pip install 'neckar[ppu]'")


def test_doctor_compiles_a_rule_and_says_where_rules_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "_version", lambda _: "1.0")
    monkeypatch.setattr("neckar.ppu.try_kernel", lambda: (0.5, 2e-5))
    monkeypatch.setenv("NECKAR_PPU_CACHE", str(tmp_path))
    compiler, folder = doctor.plasticity()
    assert compiler == ("ok", "plasticity rules in C++: ziglang 1.0, wasmtime 1.0; an empty kernel compiles in 0.50 s and runs in 20 us")
    assert folder == ("ok", f"compiled plasticity rules are kept in {tmp_path} (0 so far)")
    (tmp_path / "file").touch()
    monkeypatch.setenv("NECKAR_PPU_CACHE", str(tmp_path / "file"))
    assert [line.status for line in doctor.plasticity()] == ["ok", "warn"]


def test_doctor_reports_a_compiler_that_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> tuple[float, float]:
        raise KernelCompileError("it gave up.")

    monkeypatch.setattr(doctor, "_version", lambda _: "1.0")
    monkeypatch.setattr("neckar.ppu.try_kernel", broken)
    assert next(doctor.plasticity()) == (
        "fail", "plasticity rules in C++: KernelCompileError: it gave up. Install again with: pip install --force-reinstall 'neckar[ppu]'"
    )


@pytest.mark.slow
def test_an_empty_kernel_can_be_tried() -> None:
    pytest.importorskip("ziglang")
    pytest.importorskip("wasmtime")
    compile_s, call_s = try_kernel()
    assert compile_s > call_s > 0


def test_doctor_reports_bad_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NECKAR_CHIP", "nobody")
    assert [line.status for line in doctor.settings({})] == ["fail"]


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("some_front_end", "import neckar.lab", "ok"),
        ("some_front_end", "import _upstream", "fail"),  # only the genuine one
        ("some_front_end", None, "fail"),  # none at all
        ("pylogging", "import _upstream", "fail"),  # the genuine one is found first, or hidden
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_doctor_checks_every_front_end_in_both_directions(
    name: str, content: str | None, status: str, first: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlens_vx_v3 import _siblings

    if content is not None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(content)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path] if first else [*sys.path, str(tmp_path)])
    monkeypatch.setattr(_siblings, "FRONT_ENDS", (name,))
    lines = list(doctor.front_ends())
    assert [line.status for line in lines] == [status]
    assert name in lines[0].text


def test_doctor_does_not_import_a_genuine_register_level(tmp_path: Path) -> None:
    (tmp_path / "dlens_vx_v3").mkdir()
    (tmp_path / "dlens_vx_v3" / "__init__.py").write_text("raise SystemExit('imported')")
    code = "import sys; sys.path.insert(0, sys.argv[1]); from neckar.cli import doctor; print(*doctor.front_ends())"
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert f"{tmp_path}" in run.stdout
    assert "is not Neckar's" in run.stdout


def test_doctor_notices_a_machine_that_does_not_repeat_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(9))

    class Scattering(fake_machine.Chip):
        def run(self, program, state=None, progress=None):
            recording, state = super().run(program, state)
            return dataclasses.replace(recording, chip_ticks=next(numbers)), state

    monkeypatch.setattr(sys.modules[fake_machine.MODULE], "Chip", Scattering)
    assert doctor.self_test() == ("fail", "self-test: the same program gave two different recordings")
