"""Structural plasticity (examples/papers): synapses are rewired one by one, fan-ins stay, receptive fields form, and that is worth something."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from ppu_bench import FakeChip, play

from neckar.program import PlasticityTask, PlasticityView

pytest.importorskip("ziglang")
pytest.importorskip("wasmtime")
matplotlib.use("Agg")

STUDY = runpy.run_path(str(Path(__file__).resolve().parents[2] / "examples" / "papers" / "structural_plasticity.py"))
TRAINED, TESTED = 300, 90


class CorrelatedChip(FakeChip):
    """After the first invocation each synapse has collected so much correlation."""

    def __init__(self, correlation: np.ndarray) -> None:
        super().__init__()
        self.correlation = correlation

    def read(self, field: str, key: tuple[int | slice, ...]) -> np.ndarray:
        found = super().read(field, key)
        return found - self.correlation[key[1:]] if field == "correlation_causal" and self.tick else found


def expected_rows(weights: np.ndarray, labels: np.ndarray, correlation: np.ndarray, updates: int, dice: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and labels after the updates, shape (row, neuron), by a plain loop."""
    fine, labels = weights.astype(int) * STUDY["FINE"], labels.copy()
    for _ in range(updates):
        for place in np.ndindex(fine.shape):
            following = fine[place] + round(STUDY["FINE"] * STUDY["GROWTH"]) * int(correlation[place]) - round(STUDY["FINE"] * STUDY["DECAY"])
            if following < STUDY["PRUNED"] * STUDY["FINE"]:
                following = STUDY["START"] * STUDY["FINE"]
                for shift in (13, -17, 5):
                    dice ^= (dice << shift if shift > 0 else dice >> -shift) & 0xFFFFFFFF
                labels[place] = dice % STUDY["SOURCES"]
            fine[place] = min(following, 63 * STUDY["FINE"])
    return fine // STUDY["FINE"], labels


def test_the_kernel_rewires_what_decays_and_keeps_the_rest_and_the_fan_in() -> None:
    """Synapses with correlations of 0 to 20 LSB, against a plain loop: those that grow keep their label, others start again; the places never change."""
    updates, seed = 45, 3
    size = STUDY["FAN_IN"], STUDY["NEURONS"]
    rows, columns = np.arange(size[0]) * 5 + 1, np.arange(size[1]) * 3 + 2
    here = np.ix_(rows, columns)
    correlation = np.zeros((256, 256), np.uint8)
    correlation[here] = np.random.default_rng(1).choice([0, 0, 1, 2, 3, 20], size)
    chip = CorrelatedChip(correlation)
    planes = {name: chip.planes[f"synapse_{name}"][0] for name in ("weight", "label")}
    planes["weight"][here], planes["label"][here] = STUDY["START"], np.arange(np.prod(size)).reshape(size) % STUDY["SOURCES"]
    weights, labels = expected_rows(planes["weight"][here], planes["label"][here], correlation[here], updates, seed + 1)
    before = planes["label"][here]
    STUDY["pynn"].setup()
    rule = STUDY["Rewiring"](seed, updates, rewires=True)
    STUDY["pynn"].end()
    observables = {name: one.to_program() for name, one in rule.observables.items()}
    timing = {"period": 1000, "count": 1 + updates, "mode": "instant"}
    task = PlasticityTask(name="rule", kernel=rule.generate_kernel(), views=(PlasticityView(0, rows, columns),), observables=observables, **timing)
    play(task, chip, 1000 * (1 + updates))
    assert np.array_equal(planes["weight"][here], weights)
    assert np.array_equal(planes["label"][here], labels)
    kept = STUDY["GROWTH"] * correlation[here] >= STUDY["DECAY"]
    assert np.array_equal(planes["label"][here][kept], before[kept])
    assert (planes["label"][here][~kept] != before[~kept]).mean() > 0.9
    assert weights.max() == 63
    held = planes["weight"] > 0
    assert held.sum(axis=0)[columns].tolist() == [STUDY["FAN_IN"]] * STUDY["NEURONS"]
    assert held.sum() == np.prod(size)


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
