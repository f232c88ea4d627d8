"""Rows A29, A30 and A32: events that the chip makes and events that it sends back.

Sources: haldls tests/hw/stadls test-background_source.cpp (A29), pynn-brainscales test_poisson_on_chip_input.py (A30), grenade
test-event_loopback.cpp (A32). All three are digital but for the loss on the links: every chip behaves alike, so twice a band is the band.
"""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
from chips import OTHERS, SPECIMEN, run, spike_times
from codes import TABLE

from neckar.facts import brainscales2 as facts
from neckar.program import Events, Record

FPGA, BACKGROUND, HOST = 8, 12, 8  # first crossbar inputs and output of each kind
NOTHING = Record(spikes=())


def opened(*nodes):
    """Return codes of a crossbar that passes everything on some nodes, (input, output), and nothing on the others."""
    target = np.ones(TABLE["crossbar_target"].shape, np.uint16)
    for node in nodes:
        target[node] = 0
    return {"crossbar_mask": 0, "crossbar_target": target}


# ---- A29: eight regular sources, period 1000, for 80 ms


@cache
def regular_counts(chip):
    """Return how many events of each source reach the host."""
    codes = {
        **opened(*((BACKGROUND + k, HOST + k % 4) for k in range(8))),
        "background_enable": True,
        "background_period": 1000,
        "background_label": np.arange(8),
    }
    return np.bincount(run(chip, codes, 80_000, NOTHING).loopback.label & 0x3FFF, minlength=8)


def test_a29_regular_background_sources():
    for chip in (SPECIMEN, *OTHERS):
        np.testing.assert_allclose(regular_counts(chip), 20_000, atol=1000)


# ---- A30: a Poisson source on the chip fires two neurons through their bypass, 20 kHz for 100 ms

PAIR = (0, 100)
PERIOD, RATE = 487, 9
RATE_HZ = facts.EVENT_CLOCK.value * (RATE + 1) / 256 / (PERIOD + 1)


@cache
def bypassed(chip, seed=1234):
    """Return the spike times of two neurons that one source fires, us."""
    codes = {
        **opened((BACKGROUND, 0), *((k, HOST + k % 4) for k in range(8))),
        "background_enable": np.arange(8) == 0,
        "background_enable_random": True,
        "background_period": PERIOD,
        "background_rate": RATE,
        "background_seed": seed,
        "driver_enable_receiver": True,
        "synapse_row_mode": 1,
        "synapse_weight": 63,
        "event_routing_enable_bypass_excitatory": True,
        "refractory_period_refractory_time": 5,
    }
    return spike_times(run(chip, codes, 100_000, Record(spikes=PAIR)), PAIR)


def test_a30_spikes_of_a_bypassed_neuron_are_as_many_as_the_rate_says():
    assert pytest.approx(20e3, rel=0.01) == RATE_HZ
    expected = 0.1 * RATE_HZ
    for chip in (SPECIMEN, *OTHERS):
        for times in bypassed(chip):
            assert abs(len(times) - expected) < 5 * np.sqrt(expected)


def test_a30_two_targets_of_one_source_agree():
    """More than 98 % of the spikes have a partner within 10 us; the links lose 0.1 %."""
    for chip in (SPECIMEN, *OTHERS):
        one, other = bypassed(chip)
        near = np.abs(one[np.clip(np.searchsorted(one, other), 0, len(one) - 1)] - other)
        before = np.abs(one[np.clip(np.searchsorted(one, other) - 1, 0, len(one) - 1)] - other)
        assert np.mean(np.minimum(near, before) < 10) > 0.98


def test_a30_the_source_is_random():
    """Intervals of a binned Poisson process: coefficient of variation sqrt(1 - p) = 0.98; 0.08 is five standard errors of 2000 intervals."""
    intervals = np.diff(bypassed(SPECIMEN)[0])
    assert intervals.std() / intervals.mean() == pytest.approx(np.sqrt(1 - (RATE + 1) / 256), abs=0.08)
    assert not np.array_equal(bypassed(SPECIMEN, 99)[0], bypassed(SPECIMEN)[0])


# ---- A32: 1000 events 80 ns apart, back through one node of the crossbar


@pytest.mark.parametrize("output", range(4))
def test_a32_loop_back(output):
    for chip, channel in itertools.product((SPECIMEN, *OTHERS), range(4)):
        events = Events.from_lists([[(40 * k, channel << 14) for k in range(1000)]])
        found = len(run(chip, opened((FPGA + output, HOST + output)), 100, NOTHING, entries=events).loopback)
        assert 900 <= found <= 1100 if channel == output else found <= 100
