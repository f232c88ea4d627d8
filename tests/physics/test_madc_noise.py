"""The spectrum of what the MADC reads from a silent neuron: membrane noise that the leak filters, and the converter's own white noise.

White current noise on a membrane with leak conductance g and capacitance C makes a potential noise with the one-sided spectral density

    S(f) = 2 (i / g)^2 / (1 + (2 pi f C / g)^2),

where i is the strength of the current noise in A sqrt(s). A ten times stronger leak lowers its low-frequency part a hundredfold and leaves its tail alone.
The converter adds white noise, rounding and uneven codes, whatever the leak.

Each estimate is a mean over n periodogram bins, each exponentially distributed; the window lets neighbours share power, so its relative standard error is
sqrt(1.9 / n). False-alarm rates are those of gamma distributions of shape n / 1.9, for a fresh seed: below 1e-5 per comparison where nothing else is said.
The seed is fixed.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from neckar.chip.effects import Effects
from neckar.chip.machine import Chip
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import physical
from neckar.facts import brainscales2 as facts
from neckar.facts import registers
from neckar.program import TICK_S, Events, MadcChannel, Program, Record, Snippet, ticks

ENTRIES, SECONDS = 24, 1e-3
PERIOD_S = 17 * TICK_S
LOW, HIGH = (1e3, 8e3), (5e6, 14e6)  # Hz
BANDS = [(1e5, 3e5), (3e5, 6e5), (6e5, 1e6), (1e6, 1.5e6), (1.5e6, 3e6), (3e6, 5e6)]


def codes(bias, capacitance=63):
    table = registers("brainscales2")
    fields = {"leak_v_leak": 700, "leak_i_bias": bias, "membrane_capacitance_capacitance": capacitance}
    return {name: np.full(table[name].shape, value, table[name].dtype) for name, value in fields.items()}


@cache
def recorded(bias, capacitance=63, effects="default"):
    """Return samples of a silent neuron, LSB, shape (entry, sample)."""
    program = Program(
        machine="brainscales2",
        config=codes(bias, capacitance),
        snippets=(Snippet(int(ticks(SECONDS))),),
        entries=Events.empty(ENTRIES),
        record=Record(spikes=(), madc=(MadcChannel(0),)),
    )
    recording, _ = Chip(Specimen.reference(), Effects.parse(effects), threads=2).run(program)
    return recording.madc[0].value.reshape(ENTRIES, -1).astype(float)


def density(samples, band):
    """Return the mean one-sided spectral density in a band, LSB^2/Hz, and the number of bins."""
    window = np.hanning(samples.shape[1])
    spectrum = np.abs(np.fft.rfft((samples - samples.mean(axis=1, keepdims=True)) * window)) ** 2
    scale = 2 * PERIOD_S / (window**2).sum()
    frequency = np.fft.rfftfreq(samples.shape[1], PERIOD_S)
    inside = (frequency >= band[0]) & (frequency < band[1])
    return spectrum[:, inside].mean() * scale, inside.sum() * len(samples)


def membrane_law(bias, frequency):
    """Return the spectral density of the membrane's noise, LSB^2/Hz."""
    p = physical(Specimen.reference(), Effects(), codes(bias), [0])
    g, c, i = p.g_leak[0], p.capacitance[0], p.noise[0]
    return 2 * (i / g) ** 2 / (1 + (2 * np.pi * frequency * c / g) ** 2) / facts.MADC_STEP.value**2


def sampled_law(bias, band):
    """Return the mean density of the membrane's noise in a band for a membrane of the smallest capacitance, LSB^2/Hz, if it is sampled: aliases add up."""
    p = physical(Specimen.reference(), Effects(), codes(bias, 0), [0])
    g, c, i = p.g_leak[0], p.capacitance[0], p.noise[0]
    left, phase = np.exp(-PERIOD_S * g / c), 2 * np.pi * PERIOD_S * np.linspace(*band, 200)
    variance = i**2 / (2 * g * c) / facts.MADC_STEP.value**2
    return (variance * 2 * PERIOD_S * (1 - left**2) / (1 - 2 * left * np.cos(phase) + left**2)).mean()


def test_a_stronger_leak_quiets_low_frequencies_and_leaves_high_ones_alone():
    """Ten times the leak bias: at least five times less power below 8 kHz (law: 80 times), the same within 2 % above 5 MHz (216,000 bins: 0.3 %)."""
    weak, strong = recorded(100), recorded(1000)
    assert density(weak, LOW)[0] > 5 * density(strong, LOW)[0]
    high, n = density(weak, HIGH)
    assert n > 200_000
    assert density(strong, HIGH)[0] == pytest.approx(high, rel=0.02)


@pytest.mark.parametrize("bias", [100, 300])
def test_the_leak_filters_white_current_noise(bias):
    """At low frequencies the density is that of the law plus the converter's, within 5 standard errors (168 bins). False alarms: 9e-6 each."""
    seen, n = density(recorded(bias), LOW)
    frequency = np.linspace(*LOW, 50)
    expected = membrane_law(bias, frequency).mean() + density(recorded(bias), HIGH)[0]
    assert seen == pytest.approx(expected, rel=5 * np.sqrt(1.9 / n))


@pytest.mark.parametrize("band", BANDS, ids="{0[0]:.1e}-{0[1]:.1e}".format)
@pytest.mark.parametrize("bias", [300, 1022])
def test_the_spectrum_of_a_fast_membrane_follows_the_law_beyond_the_rate_of_the_steps(bias, band):
    """Steps come at 2 MHz. The converter's part is what the law leaves in the upper band. Limit: 5 standard errors (at most 10 %).

    False alarms: below 5e-6 each, with the error of the upper band, and 2e-5 in all twelve comparisons.
    """
    seen, n = density(recorded(bias, 0), band)
    converter = density(recorded(bias, 0), HIGH)[0] - sampled_law(bias, HIGH)
    assert seen == pytest.approx(sampled_law(bias, band) + converter, rel=5 * np.sqrt(1.9 / n))


def test_the_noise_of_the_converter_is_white():
    """Two halves of the upper band agree within 2 % (0.4 % standard error each: false alarms 9e-4).

    Its variance over the whole band is the published 1.35 LSB, rounding included.
    """
    samples = recorded(1000)
    lower, upper = density(samples, (5e6, 9.5e6))[0], density(samples, (9.5e6, 14e6))[0]
    assert lower == pytest.approx(upper, rel=0.02)
    assert np.sqrt(upper / (2 * PERIOD_S)) == pytest.approx(facts.MADC_NOISE.value, rel=0.02)


def test_part_of_the_noise_of_a_stiff_neuron_is_its_membrane():
    """The bare settings of the published figure (1.65 LSB): with the converter's noise, known within 2 %, the stationary variance of the membrane.

    Its 24 ms are 80,000 time constants: 0.4 % standard error.
    """
    p = physical(Specimen.reference(), Effects(), codes(1022, 0), [0])
    membrane = p.noise[0] ** 2 / (2 * p.g_leak[0] * p.capacitance[0]) / facts.MADC_STEP.value**2
    total = recorded(1022, 0).std()
    assert 1.2 < total < 2.5
    assert total == pytest.approx(np.sqrt(membrane + facts.MADC_NOISE.value**2), rel=0.02)


def test_without_noise_a_silent_neuron_reads_one_code():
    assert np.ptp(recorded(1000, effects="-noise")[:, 3000:]) == 0
