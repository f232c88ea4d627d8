"""``neckar run`` with notebooks, reports and figures: what fails is seen, what ran is told, nothing is half written."""

from __future__ import annotations

import json
import os
import py_compile
import random
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any

import fake_machine
import pytest
from typer.testing import CliRunner, Result

import neckar
from neckar.cli import _notebook, app
from neckar.cli._rst import holds
from neckar.errors import ConfigurationError, FileFormatError, UnsupportedFeatureError
from neckar.lab import ENVIRONMENT, _observe

RUN = "import neckar\nfrom fake_machine import program\nneckar.current_lab().run(program());"


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    yield from fake_machine.in_an_empty_folder(monkeypatch, tmp_path)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["run", *map(str, arguments)])


def notebook(*cells: str, name: str = "lab/experiment.ipynb", tags: dict[int, list[str]] | None = None) -> Path:
    """Write a notebook of code cells, with one cell of text between them; `tags` by number of the code cell from 1."""
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    content: list[dict[str, Any]] = [{"cell_type": "markdown", "id": "text", "metadata": {}, "source": "# Text"}]
    for number, source in enumerate(cells, 1):
        metadata = {"tags": (tags or {}).get(number, [])}
        code = {"cell_type": "code", "id": f"c{number}", "metadata": metadata, "source": source, "outputs": [], "execution_count": None}
        content.append(code)
    path.write_text(json.dumps({"cells": content, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def text(content: str, name: str = "lab/experiment.rst") -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(content))
    return path


def report(path: str = "r.json") -> dict[str, Any]:
    return json.loads(Path(path).read_text())


# --- cells


def test_cells_run_in_ipython_in_the_folder_of_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("USER", raising=False)
    monkeypatch.setenv("LAB_IMAGE_NAME", "an EBRAINS image")
    (Path("lab") / "helper.py").parent.mkdir()
    Path("lab/helper.py").write_text("import os\nNAME = os.getenv('LAB_IMAGE_NAME')")
    path = notebook(
        "%matplotlib inline\nimport os, helper\nvalue = 6 * 7",
        "!echo from the shell",
        "print(value, os.path.basename(os.getcwd()), helper.NAME, __name__, get_ipython().__class__.__mro__[1].__name__)\ndisplay('shown')",
        "value + 1",
        "await __import__('asyncio').sleep(0)",
    )
    before = Path.cwd(), sys.path.copy(), sys.modules["__main__"]
    result = run(path)
    assert result.exit_code == 0, result.output
    assert "from the shell" in result.stdout
    assert "42 lab None __main__ InteractiveShell" in result.stdout
    assert "'shown'" in result.stdout
    assert "43" in result.stdout.splitlines()[-1]
    assert (Path.cwd(), sys.path, sys.modules["__main__"]) == before
    assert os.environ["LAB_IMAGE_NAME"] == "an EBRAINS image"


def test_the_user_sees_progress_and_which_chip_is_virtual() -> None:
    lines = run("--chip", "7", notebook(RUN, f"# two more\n{RUN}\n{RUN}")).stderr.splitlines()
    assert lines[0] == "neckar: experiment.ipynb, 2 cells, on virtual chip 7"
    assert lines[1] == "neckar: cell 1 of 2: import neckar"
    assert lines[2].startswith("neckar: cell 1 of 2: done in ")
    assert lines[4].endswith("s, 2 runs")
    assert lines[-1].startswith("neckar: 3 runs on virtual chip 7; effects: ")


def test_one_cell_is_told_as_one() -> None:
    assert run(notebook("pass")).stderr.startswith("neckar: experiment.ipynb, 1 cell, on virtual chip")


def test_a_long_cell_tells_how_many_runs_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neckar.cli.run._Progress.every_s", -1.0)
    lines = run(notebook(f"{RUN}\n{RUN}")).stderr.splitlines()
    assert lines[2:4] == ["neckar: cell 1 of 1: 1 run in 0 s so far", "neckar: cell 1 of 1: 2 runs in 0 s so far"]


def test_a_failing_cell_ends_the_run() -> None:
    result = run("--report", "r.json", notebook(RUN, "def work():\n    return 1 / 0\nwork()", "print('too far')"))
    assert result.exit_code == 1
    assert "too far" not in result.output
    assert "return 1 / 0" in result.stderr
    assert "neckar: experiment.ipynb failed in cell 2: ZeroDivisionError: division by zero" in result.stderr
    told = report()
    assert (told["status"], told["exit_status"], told["number_of_cells"], len(told["cells"])) == ("failed", 1, 3, 2)
    (failure,) = told["cells"][1]["failures"]
    assert (failure["where"], failure["type"], failure["message"]) == ("cell", "ZeroDivisionError", "division by zero")
    assert "work()" in failure["traceback"]
    assert "\x1b" not in failure["traceback"]


@pytest.mark.parametrize(
    "cell",
    [
        "from ipywidgets import interact\n@interact(x=(0, 10))\ndef experiment(x):\n    raise ValueError(f'x is {x}')",
        "from ipywidgets import interactive\nw = interactive(lambda x: {}['x is 5'], x=(0, 10))\nw.update()",
        "from ipywidgets import Output\nwith Output():\n    raise ValueError('x is 5')",
        "import ipywidgets\ns = ipywidgets.IntSlider()\ndef changed(it):\n    raise ValueError(f'x is {it.new}')\ns.observe(changed, 'value')\ns.value = 5",
    ],
    ids=["interact", "interactive", "output", "observe"],
)
def test_an_exception_in_a_callback_fails_the_run(cell: str) -> None:
    result = run("--report", "r.json", notebook(cell, "print('too far')"))
    assert result.exit_code == 1
    assert "too far" not in result.output
    assert "x is 5" in result.stderr
    assert {failure["type"] for failure in report()["cells"][0]["failures"]} <= {"ValueError", "KeyError"}


def test_callbacks_run_once_with_the_start_values() -> None:
    result = run(
        notebook("from ipywidgets import interact, IntSlider\n@interact(x=IntSlider(3, 0, 9), y=['a', 'b'])\ndef experiment(x, y):\n    print('got', x, y)")
    )
    assert result.exit_code == 0
    assert result.stdout.count("got 3 a") == 1
    assert "IntSlider" not in result.stdout


def test_keep_going_runs_the_rest_and_fails_all_the_same() -> None:
    result = run("--keep-going", "--report", "r.json", notebook("1 / 0", "int('x')", "print('last')"))
    assert result.exit_code == 1
    assert "last" in result.stdout
    assert [len(cell["failures"]) for cell in report()["cells"]] == [1, 1, 0]


def test_a_cell_may_say_that_it_fails() -> None:
    assert run(notebook("1 / 0", "print('next')", tags={1: ["raises-exception"]})).exit_code == 0


@pytest.mark.parametrize(("cell", "kind"), [("def f(:\n", "SyntaxError"), ("%nosuchmagic", "UsageError"), ("raise SystemExit(3)", "SystemExit")])
def test_what_does_not_even_start_is_a_failure(cell: str, kind: str) -> None:
    assert run("--report", "r.json", notebook(cell)).exit_code == 1
    assert [failure["type"] for failure in report()["cells"][0]["failures"]] == [kind]


@pytest.fixture
def hearing_control_c() -> Iterator[None]:
    """A shell starts background jobs deaf to Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    "cell",
    [
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n__import__('time').sleep(5)",
        "from ipywidgets import interact\n@interact(x=(0, 10))\ndef experiment(x):\n    raise KeyboardInterrupt",
    ],
    ids=["cell", "callback"],
)
@pytest.mark.usefixtures("hearing_control_c")
def test_control_c_ends_the_run(cell: str) -> None:
    result = run("--keep-going", "--report", "r.json", notebook(RUN, f"{cell}\nprint('too far')", "print('too far')"))
    assert result.exit_code == 130
    assert "too far" not in result.stdout
    assert "was interrupted in cell 2 of 3" in result.stderr
    assert "1 run on virtual chip" in result.stderr.splitlines()[-1]
    assert (report()["status"], len(report()["cells"])) == ("interrupted", 2)
    assert [failure["type"] for failure in report()["cells"][1]["failures"] if failure["where"] == "cell"] == ["KeyboardInterrupt"]


FORKED = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
import neckar
from fake_machine import program

def one(number):
    neckar.current_lab().run(program())

with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
    list(pool.map(one, range(3)))
"""
STARTED = f"""
import subprocess, sys
new = "import sys, fake_machine; sys.path.insert(0, ''); sys.modules[fake_machine.MODULE] = fake_machine.module()\\n"
subprocess.run([sys.executable, "-c", new + {RUN!r}], check=True, env={{**__import__("os").environ, "PYTHONPATH": ":".join(sys.path)}})
"""


def test_runs_of_processes_that_a_notebook_starts_are_counted() -> None:
    """On the chip of the command line, whether they are forked or start anew."""
    result = run("--chip", "7", "--report", "r.json", notebook(RUN, FORKED, STARTED))
    assert result.exit_code == 0, result.stderr
    assert "5 runs on virtual chip 7;" in result.stderr.splitlines()[-1]
    assert report()["virtual_chips"] == {"7": 5}
    assert [cell["runs"] for cell in report()["cells"]] == [1, 3, 1]
    assert report()["cost"]["hardware_s"] == pytest.approx(5 * only_run().cost.hardware_s)
    assert not {*ENVIRONMENT.values(), _observe.FOLDER} & os.environ.keys()


def only_run() -> Any:
    return neckar.Lab().run(fake_machine.program())


def test_two_notebooks_after_each_other_share_nothing() -> None:
    assert run(notebook("mine = 1\nimport matplotlib.pyplot as plt\nplt.rcParams['lines.linewidth'] = 9")).exit_code == 0
    assert run(notebook("import matplotlib.pyplot as plt\nassert 'mine' not in globals()\nassert plt.rcParams['lines.linewidth'] != 9")).exit_code == 0


# --- figures and report

PLOT = "import matplotlib.pyplot as plt\nfigure, axes = plt.subplots()\naxes.plot([0, 1])"


def test_figures_of_a_notebook_are_saved_as_it_shows_them() -> None:
    callback = f"from ipywidgets import interact\n@interact(x=(0, 9))\ndef draw(x):\n    {PLOT.replace(chr(10), chr(10) + '    ')}\n    plt.show()"
    path = notebook(f"{PLOT};", f"{PLOT}\nplt.show()\n{PLOT}\nplt.show()", f"{PLOT}\nplt.close()\ndisplay(figure)", f"{PLOT}\nplt.close()\nfigure", callback)
    result = run("--figures", "pictures", "--report", "r.json", path)
    assert result.exit_code == 0, result.output
    names = [name for cell in report()["cells"] for name in cell["figures"]]
    assert names == [f"experiment-cell{place}.png" for place in ("1-1", "2-1", "2-2", "3-1", "4-1", "5-1")]
    for name in names:
        assert (Path("pictures") / name).read_bytes().startswith(b"\x89PNG")
    assert report()["figures"] == str(Path("pictures").resolve())


def test_figures_of_a_script_are_saved_when_shown_and_at_the_end() -> None:
    Path("draw.py").write_text(f"{PLOT}\nplt.show()\n{PLOT}\nassert len(plt.get_fignums()) == 1\n")
    code = f"import sys; sys.argv[1:] = ['run', '--figures', 'pictures', '--report', 'r.json', 'draw.py']; sys.path[:0] = {sys.path!r}\n"
    code += "from neckar.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)  # a process has one backend for life
    assert done.returncode == 0, done.stderr
    assert report()["cells"][0]["figures"] == ["draw-1.png", "draw-2.png"]
    assert sorted(path.name for path in Path("pictures").iterdir()) == ["draw-1.png", "draw-2.png"]


def test_the_report_of_a_script() -> None:
    Path("work.py").write_text(f"{RUN}\n{RUN}\n1 / 0")
    assert run("--report", "r.json", "--seed", "4", "work.py").exit_code == 1
    told = report()
    assert (told["status"], told["runs"], told["number_of_cells"], told["settings"]["seed"]) == ("failed", 2, 0, 4)
    assert told["virtual_chips"] == {"reference": 2}
    (part,) = told["cells"]
    assert (part["number"], part["title"], part["runs"], part["failures"][0]["where"]) == (0, "work.py", 2, "script")


def test_calibrations_that_runs_started_from_are_counted() -> None:
    """The id says method, chip and hash of the file; the line leaves the hash away."""
    Path("work.py").write_text(f"{RUN}\n" + "neckar.current_lab().run(program(calibration='measurement, chip-7, sha256 0123'))\n" * 2)
    result = run("--report", "r.json", "work.py")
    assert "; calibration: measurement, chip-7; " in result.stderr
    assert report()["calibrations"] == {"measurement, chip-7, sha256 0123": 2}


def test_the_report_sums_losses_and_cost_over_the_runs() -> None:
    run("--report", "r.json", notebook(RUN))
    one = report()
    run("--report", "r.json", notebook(RUN, RUN, RUN))
    three = report()
    assert {link: 3 * number for link, number in one["losses"]["sent"].items()} == three["losses"]["sent"]
    assert [lost["number"] for lost in three["losses"]["lost"]] == [3 * lost["number"] for lost in one["losses"]["lost"]] == [6]
    assert three["cost"] == pytest.approx({name: 3 * value for name, value in one["cost"].items()})
    assert sum(cell["runs"] for cell in three["cells"]) == three["runs"] == 3


def test_the_page_names_the_fields_of_the_report() -> None:
    run("--report", "r.json", notebook("1 / 0"))
    page = (Path(__file__).parents[2] / "docs/how-to/run_notebooks.md").read_text(encoding="utf-8")
    told = report()
    fields = {*told, *told["cells"][0], *told["cells"][0]["failures"][0], *told["losses"], *told["cost"], *told["settings"]}
    assert {field for field in fields if f"`{field}`" not in page} == set()


def test_a_killed_run_leaves_a_whole_report_or_none() -> None:
    code = f"""import sys; sys.path[:0] = {sys.path!r}
from pathlib import Path
from neckar.cli._report import Part, Report
from neckar.cli._tally import Tally
report = Report(Path('r.json'), Path('x.ipynb'), 1000, Tally(), None)
for number in range(1, 1001):
    report.add(Part(number, 'x' * 1000, 0.0, 0, (), ()))
    print(number, flush=True)"""
    rng = random.Random(1)
    for _ in range(20):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(rng.uniform(0, 0.02))
            child.kill()
            written = [int(line) for line in child.stdout.read().split()]
        told = report()
        assert told["status"] == "running"
        assert len(told["cells"]) >= max(written, default=1)


@pytest.mark.slow
def test_a_killed_notebook_leaves_whole_files() -> None:
    cell = f"{PLOT}\naxes.plot(range(10_000))\nplt.show()"
    path = notebook(*[cell] * 100)
    code = f"import sys; sys.argv[1:] = ['run', '--figures', 'pictures', '--report', 'r.json', {str(path)!r}]; sys.path[:0] = {sys.path!r}\n"
    code += "from neckar.cli import main; main()"
    rng = random.Random(2)
    for _ in range(20):
        with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as child:
            assert child.stderr is not None
            for line in child.stderr:
                if "cell 1 of 100: done" in line:
                    break
            time.sleep(rng.uniform(0, 1))
            child.kill()
        told = report()
        named = [name for cell in told["cells"] for name in cell["figures"]]
        assert (told["status"], len(named)) == ("running", len(told["cells"]))
        assert set(named) <= {path.name for path in Path("pictures").iterdir()}
        for picture in Path("pictures").glob("*.png"):
            assert picture.read_bytes().endswith(b"IEND\xaeB`\x82"), picture


# --- notebooks as text

EVERYTHING = """
Title
=====

.. include:: common.rst

.. code-block:: ipython3

    print("first")

.. code-block:: ipython3
   :class: test, html-display-none

    print("small")

.. note::

   * nested

     .. code:: ipython3

        print("nested")

.. only:: not Solution

    .. code:: ipython3

        print("student")

.. only:: jupyter and (Solution or latex)

    Some text with :term:`roles` of Sphinx.

    .. code:: ipython3

        print("solution")

        if True:
            print("indented")

.. code:: bash

   echo no cell

.. code::

    print("no language")

Text that ends in a literal block::

    no cell

.. only:: html

    .. code:: ipython3

        print("html")

.. unknowndirective:: x
"""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "common first nested solution indented no_language"),
        (["--student"], "common first nested student no_language"),
        (["--tests"], "common first small nested solution indented no_language"),
    ],
)
def test_text_becomes_the_cells_of_upstreams_build(options: list[str], expected: str) -> None:
    text('.. code:: ipython3\n\n    print("common")\n', "lab/common.rst")
    result = run(*options, text(EVERYTHING))
    assert result.exit_code == 0, result.output
    assert [line.replace(" ", "_") for line in result.stdout.splitlines() if line] == expected.split()


@pytest.mark.parametrize(("content", "told"), [(".. include:: missing.rst\n", "missing.rst"), (".. only:: x(\n\n   text\n", "'x('")])
def test_text_that_cannot_be_read_is_named(content: str, told: str) -> None:
    result = run(text(content))
    assert isinstance(result.exception, FileFormatError)
    assert told in str(result.exception)


@pytest.mark.parametrize(
    ("expression", "expected"), [("a", True), ("b", False), ("unknown", False), ("not b and a", True), ("(a or b) and not a", False), ("a and b or a", True)]
)
def test_tags_follow_the_rules_of_logic(expression: str, expected: bool) -> None:
    assert holds(expression, {"a": True, "b": False}) is expected


def test_text_finds_the_files_that_a_build_copies() -> None:
    text("""
        .. code:: ipython3

            import matplotlib.pyplot as plt
            plt.style.use("_static/style")
            assert plt.rcParams["lines.linewidth"] == 7
            assert open("_static/data.txt").read() == open("beside.txt").read() == "x"
            open("result.txt", "w").write("new")
            open("_static/made.txt", "w").write("new")
        """)
    text('jupyter_static_file_path = ["_static", "style"]\n', "lab/conf.py")
    text("lines.linewidth: 7\n", "lab/style")
    text("x", "lab/_static/data.txt")
    text("x", "lab/beside.txt")
    result = run("lab/experiment.rst")
    assert result.exit_code == 0, result.output
    assert Path("lab/result.txt").read_text() == Path("lab/_static/made.txt").read_text() == "new"
    assert not Path("lab/_static/style").exists()


# --- refusals


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = util.find_spec
    monkeypatch.setattr(_notebook.util, "find_spec", lambda name: None if name == "ipywidgets" else found(name))
    result = run(notebook("pass"))
    assert isinstance(result.exception, UnsupportedFeatureError)
    assert "ipywidgets, which is not installed" in str(result.exception)
    assert "pip install 'neckar[notebook]'" in str(result.exception)


def test_a_package_that_only_notebooks_need_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert "pip install 'neckar[notebook]'" in run(notebook("import pandas")).stderr


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}', '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code"}]}'])
def test_a_file_that_is_no_notebook_is_named(content: str) -> None:
    Path("broken.ipynb").write_text(content)
    result = run("broken.ipynb")
    assert isinstance(result.exception, FileFormatError)
    assert "broken.ipynb is no notebook" in str(result.exception)


@pytest.mark.parametrize(("name", "remedy"), [("d.png", "Name the file that is to run."), ("d.h5", "Repeat a recorded run with neckar replay.")])
def test_a_file_that_is_no_script_is_named(name: str, remedy: str) -> None:
    Path(name).write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    result = run(name)
    assert isinstance(result.exception, FileFormatError)
    assert str(result.exception).startswith(f"{name} is no Python script and no notebook")
    assert str(result.exception).endswith(remedy)


def test_compiled_code_and_archives_run_as_with_python(tmp_path: Path) -> None:
    source = tmp_path / "__main__.py"
    source.write_text("print('started')")
    py_compile.compile(str(source), "compiled.pyc")
    with zipfile.ZipFile("archive.pyz", "w") as archive:
        archive.write(source, "__main__.py")
    for name in ("compiled.pyc", "archive.pyz"):
        assert run(name).stdout == "started\n"


def test_a_notebook_takes_no_arguments() -> None:
    assert isinstance(run(notebook("pass"), "x").exception, ConfigurationError)


def test_a_report_that_cannot_be_written_is_refused_before_anything_runs() -> None:
    result = run("--report", "missing/r.json", notebook("print('started')"))
    assert isinstance(result.exception, ConfigurationError)
    assert "option --report is missing/r.json" in str(result.exception)
    assert "started" not in result.stdout


def test_a_run_that_never_starts_leaves_no_report_of_an_earlier_one() -> None:
    Path("r.json").write_text('{"status": "complete"}', encoding="utf-8")
    Path("cut.ipynb").write_text('{"cells": [', encoding="utf-8")
    assert run("--report", "r.json", "cut.ipynb").exception is not None
    assert not Path("r.json").exists()


def test_figures_that_cannot_be_saved_are_refused_before_anything_runs() -> None:
    Path("pictures").write_text("a file", encoding="utf-8")
    result = run("--figures", "pictures", notebook("print('started')"))
    assert result.exit_code == 2
    assert "is a file" in result.stderr
    assert "started" not in result.stdout


# --- kernels


def kernel(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["kernel", *arguments])


@pytest.fixture
def jupyter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give Jupyter an empty place for kernels."""
    for variable in ("JUPYTER_DATA_DIR", "JUPYTER_PATH"):
        monkeypatch.setenv(variable, str(tmp_path / "jupyter"))
    return tmp_path / "jupyter" / "kernels"


def test_a_kernel_says_which_chip_is_virtual_and_carries_the_settings(jupyter: Path) -> None:
    result = kernel("install", "--chip", "7", "--effects=-noise", "--name", "lab-7")
    assert result.exit_code == 0, result.output
    spec = json.loads((jupyter / "lab-7" / "kernel.json").read_text())
    assert spec["display_name"] == "BrainScaleS-2, virtual chip 7, effects -noise"
    assert spec["env"]["NECKAR_CHIP"] == "chip-7"
    assert spec["env"]["NECKAR_EFFECTS"] == "-noise"
    assert "lab-7: BrainScaleS-2, virtual chip 7" in kernel("list").output
    assert kernel("install", "--name", "lab-7").exit_code == 0
    assert "virtual chip reference" in kernel("list").output
    assert kernel("remove", "lab-7").exit_code == 0
    assert "no kernel is installed" in kernel("list").output
    assert not (jupyter / "lab-7").exists()


def test_kernels_of_others_are_left_alone(jupyter: Path) -> None:
    (jupyter / "python3").mkdir(parents=True)
    (jupyter / "python3" / "kernel.json").write_text(json.dumps({"argv": ["x"], "display_name": "x", "language": "python"}))
    assert "not Neckar's" in str(kernel("install", "--name", "python3").exception)
    assert "no kernel of Neckar" in str(kernel("remove", "python3").exception)


def test_a_kernel_of_an_unknown_chip_is_not_installed(jupyter: Path) -> None:
    assert "nobody" in str(kernel("install", "--chip", "nobody").exception)
    assert not jupyter.exists()


def test_an_installed_kernel_runs_cells_on_its_chip(jupyter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_client.manager import start_new_kernel

    monkeypatch.setenv("PYTHONPATH", str(Path(neckar.__file__).parents[1]))
    monkeypatch.setenv("LAB_IMAGE_NAME", "an EBRAINS image")
    assert kernel("install", "--chip", "7").exit_code == 0
    manager, client = start_new_kernel(kernel_name="neckar")
    told: list[str] = []
    try:
        code = "import os, neckar\nprint(neckar.current_lab().specimen.id, repr(os.environ['LAB_IMAGE_NAME']))"
        reply = client.execute_interactive(code, timeout=60, output_hook=lambda message: told.append(message["content"].get("text", "")))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["content"]["status"] == "ok"
    assert "chip-7 ''" in "".join(told)


def test_compilation_is_announced_once() -> None:
    """The engine says to its log that it compiles; a run prints the first of these lines."""
    Path("compile.py").write_text("import logging\nlog = logging.getLogger('neckar.engine')\nlog.info('compiled once')\nlog.info('compiled twice')\n")
    result = run("compile.py")
    assert "neckar: compiled once" in result.stderr
    assert "compiled twice" not in result.stderr


def test_who_made_a_loaded_calibration_is_told_once():
    told = "from neckar.calibration import tell_origin\nfrom neckar.lab import current_lab\n"
    told += "for how in ('oracle', 'measurement', 'measurement'):\n"
    told += "    tell_origin({'chip_seed': '0', 'chip': 'reference', 'method': how}, current_lab(), 'file x')\n"
    Path("load.py").write_text(told)
    result = run("load.py")
    assert result.stderr.count("file x is a calibration of the virtual chip reference by oracle") == 1
    assert result.stderr.count("by measurement") == 1


def test_an_exception_in_a_thread_of_a_cell_fails_the_run() -> None:
    cell = "import threading\nthread = threading.Thread(target=lambda: 1 / 0)\nthread.start()\nthread.join()"
    result = run("--report", "r.json", notebook(cell))
    assert result.exit_code == 1
    assert [(failure["where"], failure["type"]) for failure in report()["cells"][0]["failures"]] == [("callback", "ZeroDivisionError")]
    assert "ZeroDivisionError" in result.stderr
