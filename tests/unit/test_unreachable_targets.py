"""Targets that circuits cannot reach, and targets that ask for nothing: what is said before, what is marked after, by every method."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from neckar.calibration import METHODS, CadcTarget, CorrelationTarget, NeuronTarget, PotentialTarget, SpikingTarget, calibrate, measure
from neckar.calibration.measure import Bench, adjust_rates, set_neurons
from neckar.calibration.measure.rate import count_spikes, search_rate
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.errors import ConfigurationError, ParameterRangeError
from neckar.lab import Lab

HIGH = np.arange(512) % 64 == 5
CHIP = Specimen.from_seed(7)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the stage that takes longest."""
    whole = measure.plan
    monkeypatch.setattr(measure, "plan", lambda target: tuple(stage for stage in whole(target) if stage.name != "threshold"))


@pytest.mark.parametrize("method", METHODS)
def test_circuits_out_of_reach_hold_the_nearest_code_are_marked_and_harm_nobody(method, caplog):
    """A leak at 250 CADC LSB, 1.2 V, is above what the highest code gives."""
    with caplog.at_level(logging.WARNING):
        found = calibrate(CHIP, PotentialTarget(leak=np.where(HIGH, 250, 80)), method)
    (said,) = [record.getMessage() for record in caplog.records if "PotentialTarget" in record.getMessage()]
    assert said == (
        "PotentialTarget.leak of circuit 5 and 7 more is asked to be 250 CADC LSB; circuits reach 50 to 160 CADC LSB well. "
        "Expect imperfect results and see the success masks, or choose a value in this range."
    )
    np.testing.assert_array_equal(found.success["leak_v_leak"], ~HIGH)
    np.testing.assert_array_equal(found.reached(), ~HIGH)
    assert found.failures() == {"leak_v_leak": 8}
    assert (found.fields["leak_v_leak"][HIGH] == 1022).all()
    plain = calibrate(CHIP, PotentialTarget(), method)
    moved = found.fields["leak_v_leak"][~HIGH].astype(int) - plain.fields["leak_v_leak"][~HIGH]
    assert np.abs(moved).max() <= (0 if method == "oracle" else 8)  # other noise, other starts of the jitter


@pytest.mark.parametrize("method", METHODS)
def test_a_target_out_of_reach_of_all_gives_a_result_in_which_nobody_succeeded(method):
    found = calibrate(CHIP, PotentialTarget(leak=250), method)
    assert not found.reached().any()
    assert found.failures()["leak_v_leak"] == 512


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("target", "where"),
    [
        (lambda: PotentialTarget(leak=300), "PotentialTarget.leak is 300 CADC LSB; allowed: 0 to 255"),
        (lambda: PotentialTarget(leak=np.where(HIGH, np.nan, 80)), "PotentialTarget.leak of circuit 5 is nan"),
        (lambda: PotentialTarget(tau_mem_s=np.full(512, 1.0)), "tau_mem_s of circuit 0 is 1 s; allowed: 1e-07 to 0.002 s"),
        (lambda: SpikingTarget(correlation=CorrelationTarget(amplitude=0)), "CorrelationTarget.amplitude is 0"),
        (lambda: PotentialTarget(cadc=CadcTarget(dynamic_range=(300, 300))), "0 <= lower < upper"),
    ],
)
def test_a_target_that_makes_no_sense_is_refused_before_anything_runs(method, target, where):
    with pytest.raises(ParameterRangeError, match=where) as caught:
        calibrate(CHIP, target(), method)
    assert "hoose" in str(caught.value)


def test_an_array_that_fits_no_circuits_is_refused_with_the_shape_that_does():
    with pytest.raises(ConfigurationError, match=r"NeuronTarget.leak cannot be brought to shape \(512,\)"):
        NeuronTarget(leak=np.array([]))


def test_rates_that_select_no_neuron_are_refused():
    bench = Bench(Lab(chip=CHIP, effects=Effects(), seed=0).session())
    set_neurons(bench, PotentialTarget(), np.random.default_rng(0))
    with pytest.raises(ParameterRangeError, match="at least one of them above 0"):
        search_rate(bench, np.zeros(512), np.random.default_rng(0))
    assert bench.programs == 0


def test_rates_above_what_neurons_can_do_are_marked_and_those_below_are_met():
    """1 MHz is asked of 8 neurons, of which the fastest fires at less than 600 kHz; the others fire at 100 kHz within 10 %, two of the 20 spikes counted."""
    target = SpikingTarget(neurons=NeuronTarget(leak=110, reset=60, threshold=120, tau_mem_s=10e-6))
    session = Lab(chip=CHIP, effects=Effects(), instruments="silicon", seed=0).session()
    found = adjust_rates(session, calibrate(CHIP, target), np.where(HIGH, 1e6, 100e3))
    np.testing.assert_array_equal(found.success["threshold_v_threshold"], ~HIGH)
    bench = Bench(Lab(chip=CHIP, effects=Effects(), instruments="silicon", seed=1).session())
    bench.set(**found.fields)
    rates = count_spikes(bench, 4e-4) / 4e-4
    assert rates[HIGH].max() < 600e3
    assert np.mean(np.abs(rates[~HIGH] / 100e3 - 1) <= 0.1) > 0.9
