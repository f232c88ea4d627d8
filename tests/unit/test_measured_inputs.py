"""Trains of events for measurements, and what is measured with them, on a chip without imperfections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import pytest

from neckar.calibration import NeuronTarget, SpikingTarget, calibrate
from neckar.calibration.measure import Bench, inputs, plan, spiking
from neckar.calibration.measure.conductance import references_of
from neckar.calibration.measure.stimuli import stimulated, trains
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.errors import ConfigurationError
from neckar.lab import Lab
from neckar.program import TICKS_PER_US


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Yield an ideal chip with short lines and slow membranes at 120 LSB, whose inputs are off."""
    neurons = NeuronTarget(leak=120, tau_mem_s=60e-6, tau_syn_s=1.5e-6)
    with Lab(chip=0, effects="ideal", instruments="silicon", seed=0).session() as chip:
        bench = Bench(chip)
        bench.set(**calibrate(Specimen.reference(), SpikingTarget(neurons=neurons), effects=Effects.ideal()).fields)
        bench.set(threshold_enable=False, **inputs.enabled())
        yield bench


def test_a_train_sends_every_event_on_all_buses_in_each_trial():
    events = trains([1.0, 2.5], 3)
    assert events.n_entries == 3
    for e in range(3):
        tick, label = events.entry(e)
        np.testing.assert_array_equal(tick, np.repeat([1.0, 2.5], 4) * TICKS_PER_US)
        np.testing.assert_array_equal(label.reshape(2, 4), [[0, 1 << 14, 2 << 14, 3 << 14]] * 2)


def test_all_neurons_answer_alike_in_proportion_to_events_and_weight(bench):
    """Every row is reached once by an event on all buses; half a reading of quantisation on either side of each mean, and 3 % of leak during six events."""
    for kind in ("excitatory", "inhibitory"):
        with bench.changed(**inputs.enabled(kind)):
            with stimulated(bench, kind, 32, 3):
                one, six = (inputs.answer(bench, kind, n).height for n in (1, 6))
            with stimulated(bench, kind, 8, 12):
                as_heavy = inputs.answer(bench, kind, 6).height
        assert np.ptp(six) <= 1
        np.testing.assert_allclose(six, as_heavy, atol=1)
        assert np.median(six) == pytest.approx(6 * np.median(one), rel=0.1)
        assert np.median(six) > 20
    with stimulated(bench, "excitatory", 32, 3):
        np.testing.assert_allclose(inputs.answer(bench, "excitatory", 6).height, 0, atol=1)  # the input is off


def test_trains_are_shortened_until_the_median_can_be_measured(bench):
    """Fifteen events at 11 LSB each would leave the range: 15, 12, 9, 7, 5, 4, ... as upstream counts."""
    with bench.changed(**inputs.enabled("excitatory")), stimulated(bench, "excitatory", 32, 3):
        n_events, height = inputs.reliable_train(bench, "excitatory", inputs.RELIABLE)
        assert n_events in (12, 9, 7, 5, 4)
        assert 30 < np.median(height) < 60
        with pytest.raises(ConfigurationError, match=r"one event on the excitatory input moves the median membrane by .* lower i_synin_gm"):
            inputs.reliable_train(bench, "excitatory", 2.0)


def test_a_reference_is_found_from_far_away(bench):
    """Twenty codes off, a membrane of 60 us rests 40 LSB lower or higher; the search comes back to within a code."""
    rest, rng = inputs.resting(bench), np.random.default_rng(0)
    for kind in ("excitatory", "inhibitory"):
        field = f"{kind}_input_i_shift_reference"
        neutral = bench.codes[field].astype(int)
        bench.set(**{field: neutral + 20})
        with bench.changed(**inputs.enabled(kind)):
            off = np.median(inputs.resting(bench) - rest)
            assert (off < -20) if kind == "excitatory" else (off > 20)
            assert inputs.search_reference(bench, kind, rest, rng).all()
        assert np.abs(bench.codes[field] - neutral).max() <= 1


def test_the_reference_of_a_conductance_is_the_middle_of_leak_and_threshold_by_default():
    reversal = np.where(np.arange(512)[:, np.newaxis] % 2, [300.0, 30.0], np.nan)
    found = references_of(NeuronTarget(leak=90, threshold=150, e_coba_reversal=reversal, e_coba_reference=[140.0, np.nan]))
    np.testing.assert_array_equal(found[1::2], [[140, 120]] * 256)
    assert np.all((found[::2] >= 60) & (found[::2] <= 165))  # current-based inputs have none


def test_fixed_strengths_are_set_as_they_are(bench, monkeypatch):
    """Only references are searched."""
    gm = np.column_stack([np.arange(512) + 200, np.full(512, 300)])
    inputs_stage = next(stage for stage in plan(SpikingTarget(neurons=NeuronTarget(strength="fixed", i_synin_gm=gm))) if stage.name == "inputs")
    monkeypatch.setattr(spiking, "prepared", lambda bench, rng: nullcontext())  # the bench is in that state
    reached = inputs_stage.run(bench, np.random.default_rng(0))
    assert reached.keys() == {"excitatory_input_i_shift_reference", "inhibitory_input_i_shift_reference"}
    np.testing.assert_array_equal(bench.codes["excitatory_input_i_bias_gm"], gm[:, 0])
    np.testing.assert_array_equal(bench.codes["inhibitory_input_i_bias_gm"], gm[:, 1])
