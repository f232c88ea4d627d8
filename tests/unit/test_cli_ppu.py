"""``neckar ppu profile``: the slowest rule against its period, and the history of the weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from chip_programs import FIRING, program
from ppu_bench import kernel
from typer.testing import CliRunner, Result

import neckar
from neckar.cli import app
from neckar.cli._profile import MAX_POINTS, History, Profile
from neckar.errors import ConfigurationError
from neckar.lab import ENVIRONMENT
from neckar.ppu import Invocation
from neckar.program import PlasticityTask, PlasticityView, Program

US = 500  # ticks
ROWS, COLUMNS = (3, 200), (0, 7, 255)


def task(name: str = "rule", period_us: int = 100) -> PlasticityTask:
    return PlasticityTask(name=name, kernel="", views=tuple(PlasticityView(h, ROWS, COLUMNS) for h in (0, 1)), period=period_us * US, count=3)


def invocation(task: PlasticityTask, begun_us: int, cycles: float, old: np.ndarray, new: np.ndarray, processor: str = "top", entry: int = 0) -> Invocation:
    """Return one that writes all rows of a view; `old` and `new` have the shape (row, column)."""
    times = {"asked": begun_us * US, "begun": begun_us * US, "deadline": (begun_us + 100) * US}
    written = {"weights": {row: (old[k], new[k]) for k, row in enumerate(ROWS)}} if len(new) else {}
    late = cycles > 25_000
    return Invocation(task, processor, entry, 0, **times, cycles=cycles, late=late, read={}, written=written, reset={}, watched=())


def planes(value: int) -> np.ndarray:
    return np.full((2, 256), value, np.uint8)


def test_the_slowest_rule_against_its_period_comes_first() -> None:
    found, nothing = Profile(), np.empty((0, 256), np.uint8)
    for name, period, cycles in (("long", 1000, 30_000), ("tight", 100, 20_000), ("tight", 100, 26_000)):
        found.trace(invocation(task(name, period), 0, cycles, nothing, nothing))
    first, second = found.lines
    assert (first.rule, first.invocations, first.mean, first.longest, first.period, first.late) == ("tight", 2, 23_000, 26_000, 25_000, 1)
    assert (second.rule, second.share) == ("long", 30_000 / 250_000)


def test_the_history_counts_each_viewed_synapse_once_and_follows_it() -> None:
    found, rule = Profile(), task()
    found.trace(invocation(rule, 0, 0, planes(5), planes(6)))
    found.trace(invocation(rule, 0, 0, planes(5), planes(7), processor="bottom"))
    found.trace(invocation(rule, 100, 250, planes(6), planes(9)))
    history = found.history
    assert [int(count.sum()) for count in history.counts] == [6, 6, 12, 12, 12]  # 2 rows of 3 columns in each hemisphere
    assert {weight: int(n) for weight, n in enumerate(history.last) if n} == {7: 6, 9: 6}
    assert history.quantile(0.05).tolist() == [5, 6, 5, 6, 7]
    assert history.quantile(0.95).tolist() == [5, 6, 6, 7, 9]
    assert history.times == pytest.approx([0, 0, 0, 0, 0.101])
    assert len(history.places) == 6
    assert history.traces[-1].tolist() == [9] * 3 + [7] * 3
    assert {(h, row, column) for h, row, column in history.places} <= {(h, row, column) for h in (0, 1) for row in ROWS for column in COLUMNS}


def test_trials_follow_one_another() -> None:
    found, rule = Profile(), task()
    for entry in (0, 1):
        found.trace(invocation(rule, 0, 0, planes(entry), planes(entry + 10), entry=entry))
    assert found.history.times == pytest.approx([0, 0, 0.1, 0.1])
    assert found.history.quantile(0.5).tolist() == [0, 10, 1, 11]


def test_times_ascend_also_where_processors_and_trials_overlap() -> None:
    """An invocation on top ends before the first on bottom, which has begun earlier; one ends 60 us after its deadline, in the last trial but one."""
    found, rule = Profile(), task()
    for entry in (0, 1):
        found.trace(invocation(rule, 1, 250, planes(5), planes(6), entry=entry))
        found.trace(invocation(rule, 0, 40_000, planes(5), planes(7), processor="bottom", entry=entry))
    assert found.history.times == pytest.approx([0.001, 0.002, 0.002, 0.16, 0.161, 0.162, 0.162, 0.32])
    assert found.history.quantile(0.5).tolist() == [5, 6, 5, 6] * 2


def test_of_a_long_history_points_are_left_out_evenly() -> None:
    history, mask, rule = History(), np.ones((2, 256, 256), bool), task()
    for n in range(2 * MAX_POINTS):
        history.add(invocation(rule, 100 * n, 0, planes(0), planes(n % 64)), mask)
    assert MAX_POINTS / 2 <= len(history.times) <= MAX_POINTS
    steps = np.diff(history.times)
    assert steps.max() <= 2 * steps.min() + 1e-9
    assert history.times[-1] == pytest.approx(0.1 * 2 * MAX_POINTS, rel=0.01)


# ---- The command


@pytest.fixture(autouse=True)
def _empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ENVIRONMENT.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("COLUMNS", "80")  # as in a pipe
    monkeypatch.chdir(tmp_path)


def profile(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["ppu", "profile", *arguments])


def cells(result: Result) -> list[str]:
    """Return the first row of the table."""
    row = next(line for line in result.output.splitlines() if line.strip().startswith("add one"))
    return ["add one", *row.replace("add one", "").replace(" %", "%").split()]


RULE = kernel("neckar_sleep(20000); auto row = get_row_via_vector(3, dls_weight_base); set_row_via_vector(row + 1, 3, dls_weight_base);")


def plastic() -> Program:
    timed = {"period": 70 * US, "count": 4, "views": (PlasticityView(0, (3,), (1, 2)), PlasticityView(1, (3,), (4,)))}
    text = RULE.replace("ViewHandle, 0>&, std::array<N", "ViewHandle, 2>&, std::array<N")
    return program(FIRING, 500, plasticity=(PlasticityTask(name="add one", kernel=text, **timed),))


def test_a_file_and_a_script_give_table_and_figure() -> None:
    pytest.importorskip("ziglang")
    pytest.importorskip("wasmtime")
    with neckar.Lab(chip=7) as lab:
        neckar.save("run.h5", program=plastic(), recording=lab.run(plastic()))
    from_file = profile("run.h5")
    assert from_file.exit_code == 0, from_file.output
    row = cells(from_file)
    assert row[:3] == ["add one", "top", "4"]
    mean, longest = (int(cell.replace(",", "")) for cell in row[3:5])
    assert 20_000 < mean == longest < 20_200
    assert row[5:] == ["17,500", f"{longest / 175:.1f}%", "4", "0", "0", "0"]
    assert "on virtual chip 7;" in from_file.output
    assert Path("neckar-weights.png").stat().st_size > 10_000
    Path("script.py").write_text("import sys, neckar\nneckar.current_lab().run(neckar.load(sys.argv[1]).program)\n")
    from_script = profile("-o", "other.png", "--chip", "7", "script.py", "run.h5")
    assert from_script.exit_code == 0, from_script.output
    assert cells(from_script) == row
    assert Path("other.png").exists()


def test_files_without_rules_are_named() -> None:
    neckar.save("silent.h5", program=program(FIRING, 10))
    result = profile("silent.h5")
    assert isinstance(result.exception, ConfigurationError)
    assert "no plasticity rule was executed by silent.h5" in str(result.exception)
    Path("fails.py").write_text("1 / 0")
    assert profile("fails.py").exit_code == 1
    with pytest.raises(ConfigurationError, match=r"option --output is nowhere/w\.png, but there is no folder nowhere"):
        raise profile("-o", "nowhere/w.png", "silent.h5").exception  # type: ignore[misc]
    with pytest.raises(ConfigurationError, match=r"silent.h5 is a program and takes no arguments, but 'more' follows"):
        raise profile("silent.h5", "more").exception  # type: ignore[misc]
