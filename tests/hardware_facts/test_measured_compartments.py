"""Conductances between compartments that a measuring calibration has made equal, measured on the running twin [calix test_multicompartment.py: 0.5].

A calibration of 5 us, upstream's default, leaves 5 % of spread, against 25 % before; ratios of 512 circuits have 4 % standard error.
"""

from __future__ import annotations

from functools import cache

import calibrated as shown
import numpy as np
import pytest
from chips import OTHERS, SPECIMEN
from codes import Codes

from neckar.calibration import CadcTarget, PotentialTarget
from neckar.calibration.measure import Bench, calibrate_cadc, set_neurons
from neckar.calibration.measure.compartments import approach, search_conductance
from neckar.calibration.measure.potentials import search_leak
from neckar.chip.effects import Effects
from neckar.chip.machine import Chip
from neckar.chip.transfer import compartment_siemens, physical
from neckar.facts import brainscales2 as facts
from neckar.lab import Lab

EVEN = np.arange(512) % 2 == 0


@cache
def measured(chip: Chip, tau_us: float | tuple[float, ...] = 5.0) -> Codes:
    """Return the codes of a chip after the search of its conductances, at leaks of 60 us that rest at 80 and 110."""
    rng = np.random.default_rng(0)
    with Lab(chip=chip.specimen, effects=chip.effects, instruments="silicon", seed=0).session() as session:
        bench = Bench(session)
        calibrate_cadc(bench, CadcTarget())
        set_neurons(bench, PotentialTarget(leak_bias=200), rng)
        bench.set(leak_enable_division=True)
        search_leak(bench, np.where(EVEN, 80, 110), rng)
        before = dict(bench.codes)
        assert search_conductance(bench, 1e-6 * np.broadcast_to(tau_us, 512), rng).mean() > 0.95
    searched = {name for name in bench.codes if name.startswith("multicompartment_")}
    assert all(np.array_equal(bench.codes[name], before[name]) for name in bench.codes.keys() - searched)
    return dict(bench.codes)


def alike(codes: Codes) -> Codes:
    """Return codes with all conductances as most have them: one choice of division and multiplication, and the mean bias of the circuits that made it."""
    ranges = [f"multicompartment_enable_conductance_{name}" for name in ("division", "multiplication")]
    common = {name: np.median(codes[name]) > 0.5 for name in ranges}
    mine = np.logical_and.reduce([codes[name] == common[name] for name in ranges])
    return {**codes, **common, "multicompartment_i_bias_nmda": round(codes["multicompartment_i_bias_nmda"][mine].mean())}


@pytest.mark.slow
@pytest.mark.parametrize("one", [SPECIMEN, *OTHERS], ids=lambda one: one.specimen.id)
def test_conductances_become_equally_strong(one):
    codes = measured(one)
    after, before = shown.approach_time(one, codes), shown.approach_time(one, alike(codes))
    assert shown.trimmed(after) < facts.CALIBRATION_RATIO["tau_icc"].value * shown.trimmed(before)
    assert np.median(after) == pytest.approx(1 / (2 / 5.0 + 1 / 60), rel=0.06)


@pytest.mark.slow
def test_fast_and_slow_conductances_use_multiplication_and_division():
    """Compared with the capacitance over the conductance, the mean of two neighbours; the noise of slow membranes leaves 8 % of spread at 20 us."""
    is_fast = np.arange(512) % 8 < 4
    codes = measured(SPECIMEN, tuple(np.where(is_fast, 0.5, 20.0).tolist()))
    assert np.mean(codes["multicompartment_enable_conductance_multiplication"] == is_fast) > 0.9
    assert np.mean(codes["multicompartment_enable_conductance_division"] == ~is_fast) > 0.98
    capacitance = physical(SPECIMEN.specimen, SPECIMEN.effects, codes).capacitance
    neighbour = capacitance.reshape(-1, 2)[:, ::-1].reshape(-1)
    pair = 2 * capacitance * neighbour / (capacitance + neighbour)
    tau_us = 1e6 * pair / compartment_siemens(SPECIMEN.specimen, SPECIMEN.effects, codes)
    for mine, target in ((is_fast, 0.5), (~is_fast, 20.0)):
        assert np.median(tau_us[mine]) == pytest.approx(target, rel=0.08)
        assert shown.trimmed(tau_us[mine]) < 0.5 * 0.25 * target  # of the spread of conductances, 25 %


def test_an_approach_has_the_time_constant_of_conductance_capacitances_and_leaks():
    """Two capacitances C, a conductance g and two leaks l: ``1 / tau = (2 g + l) / C``. Four circuits of either side at one code; a record leaves 5 % each."""
    rng = np.random.default_rng(0)
    ideal = Chip(SPECIMEN.specimen, Effects.parse("-mismatch"))
    with Lab(chip=ideal.specimen, effects=ideal.effects, instruments="silicon", seed=0).session() as session:
        bench = Bench(session)
        calibrate_cadc(bench, CadcTarget())
        set_neurons(bench, PotentialTarget(leak_bias=200), rng)
        bench.set(leak_enable_division=True, leak_v_leak=np.where(EVEN, 550, 650), multicompartment_i_bias_nmda=400)
        found = [approach(bench, np.flatnonzero(side)[:4], side, 2.0) for side in (EVEN, ~EVEN)]
    p = physical(ideal.specimen, ideal.effects, bench.codes)
    conductance = compartment_siemens(ideal.specimen, ideal.effects, bench.codes)
    expected = 1e6 * p.capacitance / (2 * conductance + p.g_leak)
    np.testing.assert_allclose(np.mean(found, axis=1), expected[:2], rtol=0.08)
