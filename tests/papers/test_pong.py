"""The pong study: reward-modulated plasticity finds the diagonal, and does nothing at a learning rate of 0."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neckar import Lab

pytest.importorskip("ziglang")
pytest.importorskip("wasmtime")


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    return runpy.run_path(str(Path(__file__).parents[2] / "examples" / "papers" / "pong.py"))


def test_the_ball_moves_everywhere_and_not_further_than_its_speed(study: dict[str, Any]) -> None:
    cells = study["ball"](5000, 7)
    assert np.abs(np.diff(cells)).max() == 1
    assert (np.bincount(cells, minlength=study["CELLS"]) > 40).all()


def test_random_actions_earn_the_mean_of_all_rewards(study: dict[str, Any]) -> None:
    """Of 32 x 32 pairs 32 have no distance, 2 (32 - d) the distance d."""
    assert study["chance"]() == pytest.approx((32 + 2 * (31 * 0.7 + 30 * 0.4 + 29 * 0.1)) / 32**2)
    draws = np.random.default_rng(1)
    cells, actions = draws.integers(32, size=(2, 20_000))
    played = {"ball": cells, "reward": study["rewards"](actions, cells)}
    assert abs(study["above_chance"](played, 20_000)[1]) < 4  # false alarm 6e-5


@pytest.mark.slow
def test_reward_makes_the_diagonal_and_without_learning_nothing_changes(study: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """3,000 of the study's 5,000 moves. Bands: five and four standard errors of means over cells (false alarm 3e-7 and 6e-5)."""
    with Lab(chip="reference"):
        played, control = study["learn"](3000), study["learn"](1000, rate=0)
    reward, sigmas = study["above_chance"](played, 500)
    assert sigmas > 5
    assert reward > 4 * study["chance"]()
    diagonal, rest = study["diagonals"](played["weights"])
    assert diagonal > 1.4 * rest
    for game in (played, control):  # the processor rewards what the neurons do
        np.testing.assert_allclose(game["reward"], study["rewards"](game["action"], game["ball"]))
    assert abs(study["above_chance"](control, 1000)[1]) < 4
    np.testing.assert_array_equal(control["weights"], study["first_weights"]())
    monkeypatch.chdir(tmp_path)
    study["draw"](played, control, "reference")
    assert Path("pong.png").stat().st_size > 10_000
