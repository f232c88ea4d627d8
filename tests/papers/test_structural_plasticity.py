"""Structural plasticity (examples/papers): synapses are rewired one by one, fan-ins stay, receptive fields form, and that is worth something."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest

pytest.importorskip("ziglang")
pytest.importorskip("wasmtime")
matplotlib.use("Agg")

STUDY = runpy.run_path(str(Path(__file__).resolve().parents[2] / "examples" / "papers" / "structural_plasticity.py"))
TRAINED, TESTED = 300, 90


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        found: dict[int, Any] = STUDY["main"](trained=TRAINED, tested=TESTED)
    assert (folder / "structural_plasticity.png").stat().st_size > 10_000
    return found


@pytest.mark.slow
def test_the_fan_in_is_constant_and_only_synapses_that_start_again_change_their_source(results):
    for pair in results.values():
        for result in pair:
            source, weight = result["source"], result["weight"]
            assert source.shape == weight.shape == (TRAINED + 1, STUDY["NEURONS"] * STUDY["FAN_IN"])
            assert (np.bincount(result["neuron"]) == STUDY["FAN_IN"]).all()
            assert ((source >= 0) & (source < STUDY["SOURCES"])).all()
            assert STUDY["PRUNED"] <= weight.min() <= weight.max() <= 63
            steps = np.diff(weight.astype(int), axis=0)
            moved = np.diff(source, axis=0) != 0
            assert (weight[1:][moved] == STUDY["START"]).all()
            assert steps[~moved].min() >= -1  # decay alone lowers a weight
        one, other = pair
        assert np.count_nonzero(np.diff(one["source"], axis=0)) > one["source"].shape[1]  # on average each synapse once
        assert (other["source"] == other["source"][0]).all()


@pytest.mark.slow
def test_receptive_fields_form(results):
    """The last wiring tells classes apart better than all of 999 shuffles of it: a false alarm of 0.001 per chip; the first wiring and the kept one do not."""
    for one, other in results.values():
        shuffled = STUDY["chance"](one)
        assert STUDY["focus"](one)[-1] > shuffled.max()
        assert STUDY["focus"](one)[0] < shuffled.max()
        assert STUDY["focus"](one)[-1] > 5 * abs(STUDY["focus"](other)[-1])


@pytest.mark.slow
def test_a_rewired_network_beats_random_wiring_of_the_same_fan_in(results):
    """By 0.2 of the 90 points on each chip; were both as good, that difference (standard deviation at most 0.075) would be a chance of 0.004 per chip."""
    for one, other in results.values():
        assert one["accuracy"] > other["accuracy"] + 0.2
        assert one["accuracy"] > 1 / 3 + 5 * 0.05  # chance, and five of its standard deviations
