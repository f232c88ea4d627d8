"""Synaptic tagging and capture (examples/papers): the reference has the model's numbers, integers that round stochastically follow it, others stand still."""

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

STUDY = runpy.run_path(str(Path(__file__).resolve().parents[2] / "examples" / "papers" / "calcium_tagging.py"))
OTHERS = {"STET": (0.01, 0.02), "WTET": (0.005, 0.005), "SLFS": (0.07, 0.07), "WLFS": (0.04, 0.005)}
"""Standard deviations of h/h0 after 4 h and z after 8 h over the 30 seeds behind `Protocol.expected`, or half of the last digit given.

They come from an event-driven implementation that the project's specification has of the published equations, as https://github.com/jlubo/arbor_2N1S holds
them: written apart from the reference here, but no numbers of a publication or of silicon.
"""


@pytest.mark.parametrize("name", OTHERS)
def test_the_reference_has_the_numbers_of_the_specifications_implementation(name: str) -> None:
    """Within four standard errors of both means, and the other's rounding: false alarm below 1e-3 for all eight comparisons together."""
    protocol = STUDY["PROTOCOLS"][name]
    trains = STUDY["spike_trains"](protocol, np.random.default_rng(7), number=64)
    time, h, z = STUDY["reference"](trains, np.random.default_rng(8), every=60.0)
    late, early = z[-1], h[time == 4 * 3600][0]
    for mine, other, deviation in zip((early, late), protocol.expected[:2], OTHERS[name], strict=True):
        assert mine.mean() == pytest.approx(other, abs=4 * np.hypot(deviation / np.sqrt(30), mine.std() / 8) + 0.005)
    assert STUDY["kind"](h, z) == protocol.kind
    weight = (h + z)[-1].mean()
    assert weight == pytest.approx(protocol.expected[2], rel=0.05)


def test_calcium_is_above_its_thresholds_for_as_long_as_its_closed_form_says() -> None:
    """Two spikes at once lift calcium to 2, which decays through 1.2; four lift it to 4, which decays through 3 and 1.2."""
    for number, (weak, strong) in ((1, (0, 0)), (2, (np.log(2 / 1.2), 0)), (4, (np.log(3 / 1.2), np.log(4 / 3)))):
        ends, passed = STUDY["calcium_segments"](np.full(number, 5.0))
        lengths = np.diff(ends, prepend=0)
        for n, expected in ((1, weak), (2, strong)):
            assert lengths[passed == n].sum() == pytest.approx(STUDY["TAU_C"] * expected)


def test_a_potentiated_early_phase_decays_with_its_time_constant_only_if_rounding_is_stochastic() -> None:
    """Means of 128 synapses have a standard error of at most 1.3e-4 after 11 000 roundings; within 5e-4: false alarm 1e-4 for each of the two."""
    strong = STUDY["Protocol"](100, [(0, 1)], (0, 0, 0), "early potentiation")
    begin, end, settled = 660, 900, 680
    trains = STUDY["spike_trains"](strong, np.random.default_rng(3), onset=begin)
    with STUDY["neckar"].Lab(chip="reference", step_us=20):
        runs = {rounding: STUDY["run"](strong, trains, np.full(128, 16.0), rounding, onset=begin, end=end) for rounding in ("stochastic", "nearest")}
    for found in runs.values():
        assert (found.h[found.time < begin] == 1).all()
        assert found.h[-1].mean() > 1.7
        assert (np.abs(found.code[-1] - 16 * found.weight[-1]) <= 0.5).all()
    kept = runs["nearest"]
    assert np.ptp(kept.h[kept.time > settled], axis=0).max() == 0
    assert kept.z.max() == kept.z.min() == 0
    decaying = runs["stochastic"]
    after = decaying.time > settled
    early, time = decaying.h[after].mean(axis=1) - 1, decaying.time[after]
    expected = early[0] * np.exp(-(time - time[0]) * 0.1 / STUDY["TAU_H"])
    np.testing.assert_allclose(early, expected, atol=5e-4)
    proteins = np.expm1(-(time - begin) / STUDY["TAU_P"]) + (time - begin) / STUDY["TAU_P"]  # integral of the proteins since they are made
    np.testing.assert_allclose(decaying.z[after].mean(axis=1), -np.expm1(-proteins), atol=5e-4)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        found: dict[str, Any] = STUDY["main"]()
    assert (folder / "calcium_tagging.png").stat().st_size > 10_000
    return found


@pytest.mark.slow
def test_a_strong_tetanus_leads_to_late_potentiation_as_in_the_reference(results) -> None:
    """The project's gates: weight after 8 h within 5 % of 1.77, the whole course within 10 % of the largest change. Four standard errors: 1 %."""
    found, _, h, z, _ = results["STET"]
    assert STUDY["kind"](found.h, found.z) == "late potentiation"
    assert found.weight[-1].mean() == pytest.approx(1.77, rel=0.05)
    assert STUDY["rmse"](found, h + z) < 0.1
    assert found.missed == 0
    assert (np.abs(found.code - 16 * found.weight) <= 0.5).all()


@pytest.mark.slow
def test_a_weak_tetanus_leads_to_early_potentiation_that_fades_as_in_the_reference() -> None:
    """Four hours; SLFS and WLFS only the script's --full runs. The project's gate: the course within 10 % of the largest change.

    Of the same spikes, chip and reference differ by 0.037 in a synapse's h, so the mean of 128 has a standard error of 0.0033, 1.1 % of that change: a chip
    like the reference fails with a probability below 1e-6. One that stays at rest, or where it was lifted to, must fail.
    """
    protocol, end = STUDY["PROTOCOLS"]["WTET"], STUDY["ONSET"] + 4 * 3600
    trains = STUDY["spike_trains"](protocol, np.random.default_rng(11))
    _, h, z = STUDY["reference"](trains, np.random.default_rng(12), end=end)
    with STUDY["neckar"].Lab(chip="reference", step_us=20):
        found = STUDY["run"](protocol, trains, STUDY["measure_steps"]()[0], end=end)
    assert STUDY["kind"](found.h, found.z) == protocol.kind
    assert STUDY["rmse"](found, h + z) < 0.1
    assert (found.z == 0).all()
    assert found.missed == 0
    for still in (np.ones_like(found.h), np.maximum.accumulate(found.h.mean(axis=1, keepdims=True)) + np.zeros_like(found.h)):
        assert STUDY["rmse"](found._replace(h=still), h + z) > 0.3


@pytest.mark.slow
def test_rounding_to_nearest_freezes_the_weights(results) -> None:
    control = results["STET"][-1]
    assert control.h[-1].mean() > 1.7
    assert np.ptp(control.h[control.time > 2 * STUDY["ONSET"]], axis=0).max() == 0
    assert (control.z == 0).all()
