"""Fits of exponential decays, and the bursts that give them, compared with closed forms and with the twin's own time constants."""

from __future__ import annotations

import numpy as np
import pytest

from neckar.calibration import PotentialTarget
from neckar.calibration.measure import Bench, search_membrane_time, set_neurons
from neckar.calibration.measure.bursts import Piece, by_time_constant, read_bursts
from neckar.calibration.measure.decay import fit_decays
from neckar.calibration.measure.lines import line_drops, line_times, pulled
from neckar.calibration.measure.membrane_traces import after_current, after_reset, high_and_low
from neckar.calibration.measure.stimuli import KINDS
from neckar.calibration.measure.synapse_dac import search_synapse_dac
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import physical
from neckar.errors import ConfigurationError, UnknownNameError
from neckar.lab import Lab

CHIP = 3
AT = 0.3 * np.arange(120)
ALL = np.arange(512)


def bench(effects: str = "-noise", **codes: object) -> Bench:
    """Return a bench with neurons that rest, on a chip with mismatch but without noise."""
    made = Bench(Lab(chip=CHIP, effects=effects, instruments="silicon", seed=0).session())
    set_neurons(made, PotentialTarget(), np.random.default_rng(0))
    made.set(**{"leak_v_leak": 600, "syn_i_bias_dac": 600, **codes})
    return made


def truth(made: Bench, effects: str = "-noise"):
    return physical(Specimen.from_seed(CHIP), Effects.parse(effects), made.codes)


# ---- The fit


@pytest.mark.parametrize("tau", [1.0, 2.0, 7.0, 30.0, 400.0])
def test_the_fit_of_a_pure_decay_is_exact(tau):
    """From four samples per time constant to a tenth of one in the whole window."""
    above = np.array([[10.0], [300.0]]) * 2 * np.exp(-AT / tau)
    np.testing.assert_allclose(fit_decays(AT, above), tau, rtol=1e-4)


def test_what_comes_before_the_highest_sample_and_the_upper_half_do_not_count():
    """A pulse rises, saturates, and falls with 6 us from 200 on."""
    late = np.clip(400 * np.exp(-(AT - 5) / 6), 0, 200)
    pulse = np.where(AT < 5, 40 * AT, late)
    assert fit_decays(AT, pulse[np.newaxis])[0] == pytest.approx(6, rel=1e-3)


@pytest.mark.parametrize(("tau", "error"), [(1.0, 0.2), (5.0, 0.06), (10.0, 0.06), (30.0, 0.10)])
def test_white_noise_leaves_the_error_of_a_least_squares_fit(tau, error):
    """Noise of 1.7 LSB on 80 LSB, 2000 traces: no bias beyond a fifth of the spread, no trace far off; no trace takes noise for a slow decay."""
    noisy = 80 * np.exp(-AT / tau) + 1.7 * np.random.default_rng(0).standard_normal((2000, len(AT)))
    ratio = fit_decays(AT, noisy) / tau
    assert abs(np.median(ratio) - 1) < error / 5
    assert ratio.std() < error
    assert 0.3 < ratio.min() < ratio.max() < 2


@pytest.mark.parametrize("tau", [0.3, 0.6, 1.0, 1.5])
def test_a_small_decay_over_few_samples_is_no_slow_one(tau):
    """One to five samples and 33 LSB, with noise of 1.7 LSB in which a membrane wanders: none of 2000 traces passes for flat or for ten times slower."""
    rng = np.random.default_rng(2)
    wander = np.cumsum(rng.standard_normal((2000, len(AT))), axis=1) * 0.1
    found = fit_decays(AT, 33 * np.exp(-AT / tau) + wander + 1.7 * rng.standard_normal((2000, len(AT))))
    assert np.isfinite(found).all()
    assert found.max() < 10 * tau


def test_a_flat_trace_does_not_come_back():
    noise = np.random.default_rng(1).standard_normal((50, len(AT)))
    assert np.isinf(fit_decays(AT, noise)).all()
    assert (fit_decays(AT, 100 + noise) > 100 * AT[-1] / 10).all()


def test_groups_of_similar_time_constants_hold_each_circuit_once():
    tau = np.geomspace(0.3e-6, 60e-6, 512)
    groups = by_time_constant(tau)
    np.testing.assert_array_equal(np.sort(np.concatenate([members for _, members in groups])), ALL)
    for tau_us, members in groups:
        assert (np.abs(np.log2(tau[members] * 1e6 / tau_us)) <= 0.5 + 1e-9).all()


# ---- Bursts


def test_bursts_are_read_at_the_rate_that_was_asked_for_and_no_slower():
    made = bench()
    for interval_us, real_us in ((0.01, 0.034), (0.0679, 0.034), (0.068, 0.068), (0.3, 0.272)):
        at_us, values = read_bursts(made, ALL[:3], ("membrane",), (Piece(5.0), Piece(10.0, recorded=True)), interval_us)
        assert values.shape == (1, 1, 3, len(at_us))
        assert at_us[0] >= 4.99
        assert np.mean(np.diff(at_us)) == pytest.approx(real_us, abs=0.001)
    assert "madc_clock_scale" not in made.codes


@pytest.mark.parametrize(("expected_us", "bias"), [(10.0, 150), (40.0, 40)])
def test_after_a_current_membranes_come_back_with_capacitance_over_conductance(expected_us, bias):
    """The leak saturates over 0.9 V: that leaves 2 %."""
    made = bench(leak_i_bias=bias, threshold_enable=False)
    p = truth(made)
    ratio = after_current(made, np.full(512, expected_us * 1e-6)) / (p.capacitance / p.g_leak)
    assert np.median(ratio) == pytest.approx(1, abs=0.02)
    assert ratio.std() < 0.01


@pytest.mark.parametrize(("expected_us", "bias", "multiplied"), [(10.0, 150, False), (0.6, 300, True)])
def test_after_a_reset_membranes_rise_with_capacitance_over_conductance(expected_us, bias, multiplied):
    made = bench(leak_i_bias=bias, leak_enable_multiplication=multiplied, threshold_enable=False)
    with high_and_low(made, np.random.default_rng(0)):
        found = after_reset(made, np.full(512, expected_us * 1e-6))
        p = truth(made)
    ratio = found / (p.capacitance / p.g_leak)
    assert np.median(ratio) == pytest.approx(1, abs=0.02)
    assert ratio.std() < 0.015
    assert made.codes["leak_v_leak"][0] == 600


@pytest.mark.parametrize(("expected_us", "bias", "high", "small"), [(10.0, 260, True, False), (1.0, 320, False, False), (0.4, 300, False, True)])
def test_lines_come_back_with_their_time_constants(expected_us, bias, high, small):
    """Both lines of all circuits in one program; last with the smaller capacitance of the lines' wires."""
    switches = {f"{kind}_input_enable_high_resistance": high for kind in KINDS} | {f"{kind}_input_enable_small_capacitance": small for kind in KINDS}
    made = bench(excitatory_input_i_bias_tau=bias, inhibitory_input_i_bias_tau=bias, **switches)
    before = made.programs
    found, p = line_times(made, np.full((512, 2), expected_us * 1e-6)), truth(made)
    assert made.programs == before + 1
    ratio = found / np.stack([p.tau_exc, p.tau_inh], axis=1)
    assert np.median(ratio) == pytest.approx(1, abs=0.01)
    assert ratio.std() < 0.02


def test_a_line_without_recovery_does_not_come_back():
    found = line_times(bench(excitatory_input_i_bias_tau=0, inhibitory_input_i_bias_tau=300), np.full((512, 2), 10e-6))
    assert (found[:, 0] > 1e-3).all()
    assert (found[:, 1] < 20e-6).all()


def test_lines_drop_in_proportion_to_rows_and_weight():
    made = bench(effects="-noise,-mismatch", excitatory_input_i_bias_tau=0, inhibitory_input_i_bias_tau=0)
    drops = []
    for rows, weight in ((np.arange(0, 256, 8), 2), (64, 2), (64, 4)):
        with pulled(made, "excitatory", rows, weight):
            drops.append(np.median(line_drops(made, "exc_synin")))
            assert np.median(line_drops(made, "inh_synin")) == 0
    assert drops[1] == pytest.approx(2 * drops[0], abs=1)
    assert drops[2] == pytest.approx(2 * drops[1], abs=1)


def test_a_membrane_has_no_other_method():
    with pytest.raises(UnknownNameError, match=r"'resets'.*did you mean reset"):
        search_membrane_time(bench(), np.full(512, 10e-6), np.random.default_rng(0), method="resets")


def test_synapses_without_current_are_refused():
    with pytest.raises(ConfigurationError, match=r"bias 0.*more moderate"):
        search_synapse_dac(bench(), 0)
