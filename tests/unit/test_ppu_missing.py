"""Machines without the packages of the plasticity processors name what is missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chip_programs import FIRING, run
from ppu_bench import kernel

from neckar.errors import MissingExtraError
from neckar.ppu import _compile, _sandbox, _toolchain
from neckar.program import PlasticityTask

pytest.importorskip("ziglang")
pytest.importorskip("wasmtime")


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """What was loaded before does not count, and what a test loads does not stay."""
    kept = _sandbox._engine, _sandbox.load, _toolchain.program, _toolchain.version, _compile.build
    for function in kept:
        function.cache_clear()
    yield
    for function in kept:
        function.cache_clear()


@pytest.mark.parametrize("package", ["wasmtime", "ziglang"])
def test_a_run_names_the_package_that_is_missing(package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rule = PlasticityTask(name="rule", kernel=kernel(""), period=1000, count=1)
    if package == "ziglang":
        monkeypatch.setenv(_compile.ENVIRONMENT, str(tmp_path))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"needs the package {package}, which is not installed. Install it with: pip install 'neckar\[ppu\]'"):
        run(FIRING, 1, plasticity=(rule,))
