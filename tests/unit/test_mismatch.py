"""Every row of the table of spreads is drawn and acts, and each draw moves its quantities and no others."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from neckar.chip.cadc import CadcTransfer
from neckar.chip.characteristics import CODES
from neckar.chip.config import ChipConfig
from neckar.chip.correlation import readings, sensor_parameters
from neckar.chip.documentation import drawn_as, markdown
from neckar.chip.drivers import driver_parameters
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen, mismatch_parameters
from neckar.chip.transfer import MadcTransfer, compartment_siemens, kick_volts, physical
from neckar.facts import brainscales2 as facts

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "mismatch.md"
COBA = {
    f"{kind}_input_{name}": code
    for kind in ("excitatory", "inhibitory")
    for name, code in (("enable_coba_mode", 1), ("i_bias_coba", 60), ("i_shift_reference", 300))
}

FOLLOWERS = {"e_leak", "v_exp", "w_rest", "v_adapt", "e_coba_exc", "e_coba_inh"}
TIMES = {"tau_exc", "tau_inh"}
BOTH_COBA = {"coba_exc", "coba_inh"}
MOVES = {
    "chip_madc_offset": {"madc"},
    "chip_madc_gain": {"madc"},
    "chip_follower_offset": FOLLOWERS | {"e_reset"},
    "chip_leak_offset": FOLLOWERS,
    "chip_reset_offset": {"e_reset"},
    "chip_threshold_offset": {"v_threshold"},
    "chip_leak_slope": FOLLOWERS,
    "chip_reset_slope": {"e_reset"},
    "chip_threshold_slope": {"v_threshold"},
    "chip_leak_time": {"g_leak"},
    "chip_reset_time": {"g_reset"},
    "chip_offset_current": {"i_source"},
    "chip_intrinsic_capacitance": {"capacitance"},
    "chip_synaptic_time": TIMES,
    "chip_coba_slope": BOTH_COBA,
    "chip_adaptation_time": {"tau_adapt"},
    "chip_compartment_time": {"between"},
    "chip_adaptation_jump": {"b_adapt"},
    "chip_adaptation_conductance": {"g_adapt"},
    "chip_synaptic_gm_exc": {"gm_exc", "i_coba_exc"},
    "chip_synaptic_gm_inh": {"gm_inh", "i_coba_inh"},
    "dac_bias": {"kick"},
    "cadc_ramp_start": {"cadc", "sensor"},
    "cadc_ramp_slope": {"cadc", "sensor"},
    "leak_offset": {"e_leak"},
    "reset_offset": {"e_reset"},
    "threshold_offset": {"v_threshold"},
    "exponential_offset": {"v_exp"},
    "adaptation_ref_offset": {"w_rest"},
    "adaptation_leak_offset": {"v_adapt"},
    "coba_offset_exc": {"e_coba_exc"},
    "coba_offset_inh": {"e_coba_inh"},
    "leak_time": {"g_leak"},
    "reset_time": {"g_reset"},
    "offset_current": {"i_source"},
    "intrinsic_capacitance": {"capacitance"},
    "inhibition_floor": {"v_floor"},
    "adaptation_time": {"tau_adapt"},
    "adaptation_jump": {"b_adapt"},
    "adaptation_conductance": {"g_adapt"},
    "synaptic_time_exc": {"tau_exc"},
    "synaptic_time_inh": {"tau_inh"},
    "synaptic_gm_exc": {"gm_exc", "i_coba_exc"},
    "synaptic_gm_inh": {"gm_inh", "i_coba_inh"},
    "synaptic_shift_exc": {"i_coba_exc"},
    "synaptic_shift_inh": {"i_coba_inh"},
    "compartment_time": {"between"},
    "coba_slope_exc": {"coba_exc"},
    "coba_slope_inh": {"coba_inh"},
    "synapse": {"kick"},
    "synapse_gradient": {"kick"},
    "driver_pulse": {"kick"},
    "driver_ramp_offset": {"ramp"},
    "cadc_offset": {"cadc", "sensor"},
    "cadc_gain": {"cadc", "sensor"},
    "correlation_amplitude": {"causal", "acausal"},
    "correlation_time": {"trace"},
    "correlation_asymmetry": {"causal", "acausal"},
    "correlation_baseline": {"sensor"},
}
"""What each draw moves, of the parameters of circuits, conductances between them, line steps, drivers' ramps, correlation sensors and the two converters."""

CHIPS = [Specimen.from_seed(seed) for seed in range(1, 401)]


def observed(chip: Specimen) -> dict[str, np.ndarray]:
    """Return everything that a chip's deviations can move, with all features of the circuits in use."""
    config = ChipConfig({**CODES, **COBA, "exponential_enable": 1})
    p = physical(chip, Effects(), config)
    cadc = CadcTransfer.of(chip, Effects(), config)
    sensors = sensor_parameters(chip, Effects(), {**config.as_mapping(), "syn_i_bias_store": np.full(4, 70), "syn_i_bias_ramp": np.full(4, 80)})
    return {
        **{field.name: np.asarray(getattr(p, field.name)) for field in dataclasses.fields(p)},
        "between": compartment_siemens(chip, Effects(), {**config.as_mapping(), "multicompartment_i_bias_nmda": np.full(512, 500, np.uint16)}),
        "kick": np.stack([kick_volts(chip, Effects(), config, hemisphere) for hemisphere in (0, 1)]),
        "ramp": np.stack([half.top for half in driver_parameters(chip, Effects(), config)]),
        "causal": np.stack([half.amplitude[0] for half in sensors]),
        "acausal": np.stack([half.amplitude[1] for half in sensors]),
        "trace": np.stack([half.rate for half in sensors]),
        "sensor": readings(chip, Effects(), config, cadc, 0, np.arange(2), np.zeros((2, 2, 256), np.float32), None),
        "madc": MadcTransfer.of(chip, Effects()).reading(np.array([0.2, 0.6])),
        "cadc": cadc.reading(np.full(1024, 0.5), np.arange(1024)),
    }


@cache
def without_deviations() -> dict[str, np.ndarray]:
    return {name: np.full(row.shape, 1.0 if row.is_factor else 0.0) for name, row in mismatch_parameters().items()}


@cache
def nominal() -> dict[str, np.ndarray]:
    return observed(Specimen("nominal", 1, overrides=without_deviations()))


def test_every_row_of_the_table_is_drawn_or_says_why_not():
    undrawn = {row for row in facts.SPREAD if not drawn_as(row)}
    assert all("no model yet" in facts.SPREAD[row].note or "not drawn" in facts.SPREAD[row].note for row in undrawn), undrawn
    assert not any("no model yet" in facts.SPREAD[row].note for row in facts.SPREAD if drawn_as(row))
    for row, spread in facts.SPREAD.items():
        if row not in undrawn:
            levels = {mismatch_parameters()[name].is_chip_level for name in drawn_as(row)}
            assert levels == {level for level, sigma in ((True, spread.chip), (False, spread.circuit)) if sigma > 0}, row


def test_every_draw_is_listed_here():
    assert set(MOVES) == set(mismatch_parameters())


@pytest.mark.parametrize("name", list(MOVES))
def test_a_draw_moves_its_quantities_and_no_others(name):
    row = mismatch_parameters()[name]
    moved = without_deviations()[name] + (row.sigma if not row.is_factor else math.expm1(row.sigma))
    found = observed(Specimen("moved", 1, overrides={**without_deviations(), name: moved}))
    assert {key for key, values in found.items() if not np.array_equal(values, nominal()[key])} == MOVES[name]


@pytest.mark.parametrize("name", [name for name, row in mismatch_parameters().items() if row.axes == ("circuit",)])
def test_a_draw_of_one_circuit_moves_that_circuit_alone(name):
    deviations = without_deviations()[name].copy()
    deviations[300] += mismatch_parameters()[name].sigma
    found = observed(Specimen("moved", 1, overrides={**without_deviations(), name: deviations}))
    for key in MOVES[name]:
        np.testing.assert_array_equal(np.flatnonzero(found[key] != nominal()[key]), [300])


@cache
def levels() -> dict[str, np.ndarray]:
    """Return potentials in V of one circuit of each chip, and the chips' medians as their converters read them, shape (chip,)."""
    config = ChipConfig(CODES)
    chips = [(physical(chip, Effects(), config), MadcTransfer.of(chip, Effects())) for chip in CHIPS]
    names = ("e_leak", "e_reset", "v_threshold")
    one = {name: np.array([getattr(p, name)[0] for p, _ in chips]) for name in names}
    return one | {f"median {name}": np.array([float(madc.reading(np.median(getattr(p, name)))) for p, madc in chips]) for name in names}


def test_chips_are_correlated_as_the_shared_deviations_say():
    """Leak and reset share the follower, the threshold is alone.

    Sample correlation of 400 chips, tolerance 4.5 / sqrt(400) (1 - r^2); false alarm 7e-6 each.
    """
    spread = facts.SPREAD
    common = spread["follower_offset"].chip ** 2
    leak = math.sqrt(common + spread["leak_offset"].chip ** 2 + spread["leak_offset"].circuit ** 2)
    tilt = (CODES["reset_v_reset"] - facts.RESET_PIVOT.value) * spread["reset_slope"].chip
    reset = math.sqrt(common + spread["reset_offset"].chip ** 2 + spread["reset_offset"].circuit ** 2 + tilt**2)
    expected = common / (leak * reset)
    assert np.corrcoef(levels()["e_leak"], levels()["e_reset"])[0, 1] == pytest.approx(expected, abs=4.5 / 20 * (1 - expected**2))
    assert np.corrcoef(levels()["e_leak"], levels()["v_threshold"])[0, 1] == pytest.approx(0, abs=4.5 / 20)


@pytest.mark.parametrize(
    ("name", "rows", "slope", "away", "specified"),
    [
        ("e_leak", ("follower_offset", "leak_offset"), "leak_slope", 0, 48),
        ("e_reset", ("follower_offset", "reset_offset"), "reset_slope", -100, 72),
        ("v_threshold", ("threshold_offset",), "threshold_slope", -50, 42),
    ],
)
def test_the_total_spread_of_a_level_between_chips(name, rows, slope, away, specified):
    """Offsets, follower, slope and converter in squares, `away` the distance of the code from where the slope does not matter, MADC LSB.

    Standard error of a standard deviation of 400 chips 3.5 %, within 4.5 of them. The specification's totals are rounded and hold at codes further away.
    """
    parts = [facts.SPREAD[row].chip for row in ("madc_offset", *rows)] + [away * facts.SPREAD[slope].chip]
    total = math.hypot(*parts)
    assert total == pytest.approx(specified, rel=0.08)
    assert levels()[f"median {name}"].std() == pytest.approx(total, rel=4.5 * 0.035)


def test_potentials_of_one_chip_share_its_deviation_exactly():
    chip = Specimen("no circuits", 9, overrides={name: v for name, v in without_deviations().items() if not mismatch_parameters()[name].is_chip_level})
    found = observed(chip)
    shift = found["e_leak"] - nominal()["e_leak"]
    for name in ("w_rest", "e_coba_exc", "e_coba_inh", "v_exp", "v_adapt"):
        tilt = facts.MADC_STEP.value * chip.deviation("chip_leak_slope")
        codes = {"w_rest": 500, "e_coba_exc": 0, "e_coba_inh": 0, "v_exp": 900, "v_adapt": 700}[name]
        np.testing.assert_allclose(found[name] - nominal()[name], shift + tilt * (codes - 700), atol=1e-12, err_msg=name)


def test_the_reference_page_shows_the_table():
    assert PAGE.read_text(encoding="utf-8") == markdown(), "run: python -m neckar.chip.documentation docs/reference/mismatch.md"


def test_cadc_channels_of_a_chip_scatter_as_the_table_says():
    """Mean and spread over 60 chips of 1024 channels within 4.5 standard errors: false alarm 1.4e-5."""
    for name in ("cadc_offset", "cadc_gain"):
        row = mismatch_parameters()[name]
        values = np.stack([c.deviation(name) for c in CHIPS[:60]]).ravel()
        z = (np.log(values) if row.is_factor else values) / row.sigma
        assert abs(z.mean()) < 4.5 / math.sqrt(z.size)
        assert abs(z.std() - 1) < 4.5 / math.sqrt(2 * z.size)
