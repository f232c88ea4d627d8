"""A script that uses every public function of the PyNN front end runs, and misses none."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

import pynn_brainscales.brainscales2 as pynn

SCRIPT = Path(__file__).parents[1] / "compat" / "every_function.py"


def test_the_script_uses_every_name() -> None:
    used = set(re.findall(r"\bpynn\.(\w+)", SCRIPT.read_text(encoding="utf-8")))
    assert sorted(set(pynn.__all__) - used) == []


def test_the_script_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynn.simulator, "state", None)
    seen = runpy.run_path(str(SCRIPT))["main"]()
    assert seen["start value"] == 150
    assert seen["time"] == pytest.approx(0.2)
    assert seen["sent"] == [2, 2, 2, 2, 1, 1, 1, 1]
    assert min(seen["spikes"]) > 5
    assert seen["location"] == ["dendrite"]
    assert seen["synapses of one connection"] == 2
    assert seen["events"] > 0
    assert seen["segments"] == 3
    assert pynn.simulator.state is None
