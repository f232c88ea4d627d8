"""Characterisations of calix that are no calibrations: intrinsic capacitances, as upstream's ``test_capacitance_measurement.py`` asks for them."""

from __future__ import annotations

import numpy as np
import pytest

import neckar
from calix.common import cadc
from calix.measurement.intrinsic_capacitance import fit, fit_function, measure
from dlens_vx_v3 import hxcomm
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import physical
from neckar.facts import brainscales2 as facts

CODES = np.linspace(10, 63, 5, dtype=int)


def test_a_fit_gives_the_parameters_of_its_own_function():
    exact = np.stack([fit_function(CODES, 6.0, 0.7), fit_function(CODES, 5.0, 0.5)])[:, :, np.newaxis]
    for found, expected in zip(fit(CODES, exact), ((6.0, 0.7), (5.0, 0.5)), strict=True):
        np.testing.assert_allclose(found["parameters"], expected)
        assert np.abs(found["covariance"]).max() < 1e-12


def test_the_covariance_of_a_fit_is_the_scatter_of_its_parameters():
    """400 neurons alike, whose repetitions scatter by 2 us: their results scatter as each fit says, within 15 % (standard error of a deviation: 4 %)."""
    rng = np.random.default_rng(1)
    noisy = fit_function(CODES, 6.0, 0.7)[:, np.newaxis] + 2.0 * rng.standard_normal((400, len(CODES), 50))
    found = fit(CODES, noisy)
    parameters = np.array([neuron["parameters"] for neuron in found])
    said = np.sqrt(np.mean([np.diag(neuron["covariance"]) for neuron in found], axis=0)) / np.sqrt(50)
    np.testing.assert_allclose(parameters.std(axis=0), said, rtol=0.15)
    np.testing.assert_allclose(parameters.mean(axis=0), (6.0, 0.7), rtol=0.02)


@pytest.mark.slow
def test_a_chip_behind_a_connection_shows_its_intrinsic_capacitances():
    with neckar.Lab(chip=3), hxcomm.ManagedConnection() as connection:
        cadc.calibrate(connection)
        times = measure(connection, tau_mem=60e-6, n_rep=2)
    assert times.shape == (512, 5, 2)
    found = np.array([neuron["parameters"][0] for neuron in fit(CODES, times)])
    lsb = facts.CAPACITANCE_SWITCHED.value / facts.CAPACITANCE_CODE_MAX.value
    truth = physical(Specimen.from_seed(3), neckar.Effects(), {}).capacitance / lsb
    assert np.median(found - truth) == pytest.approx(0, abs=0.5)
    assert np.median(np.abs(found - truth)) < 1.0
