"""The import names of the real platform: one list, its modules, and genuine installations beside them."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dlens_vx_v3._genuine import ShadowedInstallationError, installations, refuse_shadowing
from dlens_vx_v3._siblings import FRONT_ENDS, SIBLINGS
from neckar.errors import NeckarError

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "frontends"


def in_new_process(code: str, **environment: str) -> str:
    """Return what some code prints in a process without variables of connections."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "QUIGGELDY", "HXCOMM", "FLANGE"))}
    run = subprocess.run([sys.executable, "-c", code], env={**inherited, **environment}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_the_list_names_the_modules_that_exist() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == set(SIBLINGS)
    assert {path.name for path in FOLDER.iterdir() if path.is_dir() and (path / "__init__.py").exists()} >= set(FRONT_ENDS) - set(SIBLINGS)


def test_a_sibling_has_two_lines_and_all_have_the_same() -> None:
    (text,) = {(FOLDER / f"{name}.py").read_text() for name in SIBLINGS}
    assert len([line for line in text.splitlines() if line]) == 2


def test_the_wheel_holds_all_of_them() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packaged = {Path(path).stem for path in settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    assert set(FRONT_ENDS) <= packaged


@pytest.mark.parametrize("name", SIBLINGS)
def test_a_sibling_hands_on_the_same_objects(name: str) -> None:
    sibling, source = importlib.import_module(name), importlib.import_module(f"dlens_vx_v3.{SIBLINGS[name]}")
    assert sorted(sibling.__all__) == sorted(source.__all__)
    assert all(getattr(sibling, public) is getattr(source, public) for public in source.__all__)


def test_importing_the_register_level_lets_scripts_find_a_connection() -> None:
    ask = "import os, dlens_vx_v3; print(os.environ.get('SLURM_FPGA_IPS'))"
    assert in_new_process(ask) == "virtual-chip"
    assert in_new_process(ask.replace("dlens_vx_v3", "pynn_brainscales")) == "virtual-chip"
    assert in_new_process(ask, SLURM_FPGA_IPS="192.168.1.1") == "192.168.1.1"
    for other in ("HXCOMM_ENABLE_ZERO_MOCK", "QUIGGELDY_ENABLED", "QUIGGELDY_IP", "FLANGE_SIMULATION_RCF_PORT"):
        assert in_new_process(ask, **{other: "1"}) == "None"


def test_submodules_are_loaded_when_they_are_asked_for() -> None:
    ask = "import sys, dlens_vx_v3; a = 'dlens_vx_v3.sta' in sys.modules; dlens_vx_v3.sta; print(a, 'dlens_vx_v3.sta' in sys.modules)"
    assert in_new_process(ask) == "False True"


@pytest.fixture
def genuine(tmp_path: Path) -> Path:
    """Return a folder with a package as the real platform has it."""
    (tmp_path / "pylogging").mkdir()
    (tmp_path / "pylogging" / "__init__.py").write_text("from _pylogging import *\n")
    return tmp_path


@pytest.mark.parametrize("first", [True, False])
def test_a_genuine_installation_is_not_hidden(genuine: Path, first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(genuine), *sys.path] if first else [*sys.path, str(genuine)])
    own = str(FOLDER / "pylogging.py")
    with pytest.raises(ShadowedInstallationError, match="use an environment without the genuine packages") as caught:
        refuse_shadowing("pylogging", own)
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value, NeckarError)
    assert str(genuine / "pylogging") in str(caught.value)
    assert own in str(caught.value)
    refuse_shadowing("pyhalco_common", str(FOLDER / "pyhalco_common.py"))  # the others are alone


def test_importing_a_sibling_beside_a_genuine_one_fails(genuine: Path) -> None:
    code = f"import sys; sys.path.append({str(genuine)!r})\ntry:\n    import pylogging\nexcept ImportError as error:\n    print(type(error).__name__)"
    assert in_new_process(code) == "ShadowedInstallationError"


def test_a_second_neckar_and_a_mere_folder_are_no_genuine_installations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, content in enumerate(["import neckar.errors\n", None]):
        package = tmp_path / str(number) / "pylogging"
        package.mkdir(parents=True)
        if content is not None:
            (package / "__init__.py").write_text(content)
        monkeypatch.syspath_prepend(package.parent)
    assert len(list(installations("pylogging"))) == 2
    refuse_shadowing("pylogging", str(FOLDER / "pylogging.py"))


def test_a_compiled_module_is_never_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.machinery import EXTENSION_SUFFIXES

    (tmp_path / f"pylogging{EXTENSION_SUFFIXES[0]}").write_bytes(b"neckar")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ShadowedInstallationError):
        refuse_shadowing("pylogging", str(FOLDER / "pylogging.py"))


@pytest.mark.parametrize("module", ["hxcomm", "sta", "logger"])
def test_the_reference_page_names_what_is_exported_with_its_state(module: str) -> None:
    page = (ROOT / "docs" / "reference" / "register_level.md").read_text(encoding="utf-8")
    section = re.search(rf"^## dlens_vx_v3\.{module}$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert section is not None
    rows = re.findall(r"^\| `(\w+)` \| (works|partly|stored) \|", section[1], re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(importlib.import_module(f"dlens_vx_v3.{module}").__all__)


def test_the_reference_page_names_every_sibling() -> None:
    page = (ROOT / "docs" / "reference" / "register_level.md").read_text(encoding="utf-8")
    assert all(re.search(rf"^\| .*`{name}`.*\| `dlens_vx_v3\.", page, re.MULTILINE) for name in SIBLINGS)


def test_the_page_of_containers_is_that_of_the_classes() -> None:
    from dlens_vx_v3._documentation import markdown

    page = ROOT / "docs" / "reference" / "containers.md"
    assert page.read_text(encoding="utf-8") == markdown(), "run: python -m dlens_vx_v3._documentation docs/reference/containers.md"
