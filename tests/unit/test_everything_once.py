"""The script that uses the whole PyNN interface runs, leaves nothing out, and what it prints is right."""

from __future__ import annotations

import ast
import functools
import inspect
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyNN.errors
import pytest

import pynn_brainscales.brainscales2 as pynn
from neckar import errors
from neckar.lab import ENVIRONMENT, Lab
from pynn_brainscales.brainscales2 import _errors, helper, morphology
from pynn_brainscales.brainscales2.utils.chip_plotter import ChipPlotter

SCRIPT = Path(__file__).resolve().parents[1] / "compat" / "everything_once.py"
CLASSES = (pynn.Population, pynn.PopulationView, pynn.Assembly, pynn.Projection, ChipPlotter)
FRONT_END_ONLY = {("Population", "adopt"), ("Population", "to_network"), ("Projection", "to_network")}
"""Methods by which the parts of the front end talk to each other."""

OF_PYNN = {"initial values of a view": "NotImplementedError", "CSA": "RuntimeError"}
"""What PyNN itself refuses with a built-in error: it has no such values; the package `csa` is not installed."""


def used() -> set[str]:
    """Return every dotted name in the script."""
    return {ast.unparse(node) for node in ast.walk(ast.parse(SCRIPT.read_text(encoding="utf-8"))) if isinstance(node, ast.Attribute)}


@pytest.mark.parametrize(
    ("prefixes", "names"),
    [
        (["pynn"], pynn.__all__),
        (["pynn.cells", "cells"], pynn.cells.__all__),
        (["pynn.synapses", "synapses"], pynn.synapses.__all__),
        (["pynn.helper"], helper.__all__),
        (["morphology"], morphology.__all__),
    ],
    ids=["package", "cells", "synapses", "helper", "morphology"],
)
def test_no_name_of_the_package_is_forgotten(prefixes: list[str], names: list[str]) -> None:
    found = used()
    assert [name for name in names if not any(f"{prefix}.{name}" in found for prefix in prefixes)] == []


def noting(function: Callable[..., Any], called: set[tuple[str, str]], what: tuple[str, str]) -> Callable[..., Any]:
    """Return the function, which notes that the script called it."""

    @functools.wraps(function)
    def noted(*args: Any, **kwargs: Any) -> Any:
        if sys._getframe(1).f_code.co_filename == str(SCRIPT):
            called.add(what)
        return function(*args, **kwargs)

    return noted


def watch(monkeypatch: pytest.MonkeyPatch, called: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Watch all public methods and properties of the classes and yield their names."""
    for kind in CLASSES:
        for name in dir(kind):
            member, what = inspect.getattr_static(kind, name), (kind.__name__, name)
            if name.startswith("_") or what in FRONT_END_ONLY or not (isinstance(member, property) or inspect.isfunction(member)):
                continue
            replaced: Any = noting(member, called, what) if inspect.isfunction(member) else property(noting(member.fget, called, what), member.fset)
            monkeypatch.setattr(kind, name, replaced)
            yield what


@pytest.fixture
def compiler() -> None:
    """Skip without the extra ``ppu``: the script runs a plasticity rule."""
    pytest.importorskip("ziglang")
    pytest.importorskip("wasmtime")


@pytest.fixture
def printed(compiler: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Run the script on the reference chip; return what it printed, and under "forgotten" the methods that it did not call."""
    for variable in ENVIRONMENT.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("NECKAR_CALIBRATION_METHOD", "oracle")
    monkeypatch.setattr(pynn.simulator, "state", None)
    called: set[tuple[str, str]] = set()
    public = set(watch(monkeypatch, called))
    with Lab(chip="reference"):
        runpy.run_path(str(SCRIPT), run_name="__main__")
    lines = [line.partition(": ") for line in capsys.readouterr().out.splitlines() if ": " in line]
    return {name: value for name, _, value in lines} | {"forgotten": sorted(public - called)}


def test_the_script_calls_every_method_and_prints_what_the_chip_did(printed: dict[str, Any]) -> None:
    assert printed["forgotten"] == []

    types = {name: value for module in (errors, _errors, pyNN.errors) for name, value in vars(module).items() if isinstance(value, type)}
    refused = {name.removesuffix(" refused"): value.split(":")[0] for name, value in printed.items() if name.endswith(" refused")}
    assert len(refused) > 40
    assert {what: kind for what, kind in refused.items() if kind not in types} == OF_PYNN
    assert issubclass(types[refused["OffChipSource"]], NotImplementedError)

    number = {name: ast.literal_eval(value) for name, value in printed.items() if name in NUMBERS}
    assert number["circuits"] == [7, 300, 8]
    first, half, double = number["spikes by segment"]  # of a regular train in 0.1, 0.05 and 0.2 ms, one of a thousand lost on its way
    assert abs(first - 2 * half) <= 3
    assert abs(double - 2 * first) <= 3
    assert number["MADC samples"] == pytest.approx(0.1e-3 / 34e-9, abs=3)
    assert number["snippet times"] == [(0.0, 0.1), (0.1, 0.2)]
    assert number["height of the PSP"] > 20
    assert number["array"] == [[1, 2], [3, 4], [5, 42]]
    assert number["synapses of each connection"] == [1, 1, 1, 1, 1, 2]
    assert number["weights of the last"] == [63, 37]
    assert number["recorded compartments"] == [["soma"], ["dendrite"]]
    assert number["spikes of the second half"] == pytest.approx(5, abs=1)
    assert (number["counted"][0], number["counted"][8]) == (pytest.approx(10, abs=1), number["spikes of the second half"])
    assert number["executions"] == number["executions for the MADC"] == 2
    assert number["neurons on the MADC"] == 4
    for celltype in ("CalibHXNeuronCuba", "CalibHXNeuronCoba"):
        silent, firing = number[f"spikes of {celltype}"]
        assert silent == 0 < firing
    assert number["times and arrays"] == [(0, 0, [calls, 0, 0, 0]) for calls in (8, 9, 10)]
    assert number["sizes of observables"] == [[(2, 1)] * 3, [1] * 3]
    assert number["recorded weights"] == [[1]]
    assert number["drawings"] == ["plot_0.pdf", "plot_0.png", "plot_1.png", "plot_2.png", "plot_3.png"]


NUMBERS = (
    *("circuits", "spikes by segment", "MADC samples", "snippet times", "height of the PSP", "array", "synapses of each connection", "weights of the last"),
    *("recorded compartments", "spikes of the second half", "counted", "executions", "executions for the MADC", "neurons on the MADC"),
    *("drawings", "spikes of CalibHXNeuronCuba", "spikes of CalibHXNeuronCoba", "times and arrays", "sizes of observables", "recorded weights"),
)
