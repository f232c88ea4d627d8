"""How a trial starts: circuits rest, those that fire by themselves are anywhere between two spikes, and a program can ask for a reset of all neurons."""

from __future__ import annotations

import numpy as np
import pytest
from chip_programs import ADAPTIVE, FIRING, TICKS_PER_US, N, run

from neckar.program import Events, Probe, Record

RESTING = {**FIRING, "leak_v_leak": 700, "threshold_enable": False}
EVERYTHING = tuple(range(N))


def probed(signals, codes, us, effects="-noise", **parts):
    """Return signals of all circuits, shape (entry, signal, sample, circuit), every 0.1 us."""
    record = Record(spikes=(), probe=(Probe(signals, EVERYTHING, TICKS_PER_US // 10),))
    return run(codes, us, effects, instruments="open", record=record, **parts).probe[0].value


@pytest.mark.parametrize(
    "codes",
    [
        RESTING,
        {**RESTING, "constant_current_enable": True, "constant_current_i_offset": 200},
        {**ADAPTIVE, **RESTING, "adaptation_v_leak": 500, "adaptation_i_bias_a": 100, "adaptation_i_bias_tau": 100},
    ],
    ids=["leak", "constant current", "adaptation that follows the membrane"],
)
def test_a_circuit_without_input_stays_where_it_starts(codes):
    """Within 2 mV, 1.3 LSB of the converter: amplifiers saturate a little, which the start leaves out."""
    value = probed(("v", "w"), codes, 100)
    assert np.abs(value - value[:, :, :1]).max() < 2e-3


def first_spikes(effects, n_entries, **parts):
    """Return the time of each circuit's first spike and its median interval, us, shape (entry, circuit)."""
    recording = run(FIRING, 60, effects, instruments="open", entries=Events.empty(n_entries), **parts)
    first, interval = np.empty((2, n_entries, N))
    for e in range(n_entries):
        tick, circuit = recording.spikes.entry(e)
        for c in range(N):
            times = tick[circuit == c] / TICKS_PER_US
            first[e, c], interval[e, c] = times[0], np.median(np.diff(times))
    return first, interval


def test_circuits_that_fire_by_themselves_start_at_any_phase():
    """The first spike comes after a uniform part of the interval: Kolmogorov-Smirnov at 2048 phases, 0.045 is a false alarm below 0.1 %."""
    first, interval = first_spikes("-event_loss", 4)
    phase = np.sort((first / interval).ravel())
    uniform = (np.arange(len(phase)) + 0.5) / len(phase)
    assert np.abs(phase - uniform).max() < 0.045
    assert abs(np.corrcoef(first[0] / interval[0], first[1] / interval[1])[0, 1]) < 0.2, "phases of different trials are independent: 4.5 standard deviations"


def test_without_noise_they_have_just_fired():
    """4 us before tick 0, so that the first spike comes an interval after that."""
    first, interval = first_spikes("-noise,-event_loss", 1)
    np.testing.assert_allclose(first + 4, interval, atol=0.3)


def test_a_neuron_reset_pulls_every_membrane_down_before_the_trial():
    at_rest, after_reset = (probed(("v",), RESTING, 60, neuron_reset=asked)[0, 0] for asked in (False, True))
    assert (at_rest[0] - after_reset[0] > 0.05).all()
    np.testing.assert_allclose(after_reset[-1], at_rest[-1], atol=0.02)
