"""Experiments of calix beside its calibration: reading neurons, recordings by the fast converter, products on lines, correlation, the board's voltage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import quantities as pq

import calix
import neckar
from calix.common import base, helpers, madc_base
from calix.hagen import multiplication, neuron_helpers, synapse_driver
from calix.scripts import characterize_madc
from calix.spiking import correlation_measurement
from dlens_vx_v3 import hal, halco, hxcomm
from neckar.chip.config import ChipConfig
from neckar.errors import ConfigurationError, ParameterRangeError


@pytest.fixture
def connection() -> Iterator[Any]:
    with neckar.Lab(effects="ideal"), hxcomm.ManagedConnection() as handle:
        yield base.StatefulConnection(handle)


def held(connection: Any) -> ChipConfig:
    return ChipConfig(connection.connection.session.state.registers)


def test_a_configured_chip_has_silent_inputs_and_neurons_that_rest_at_their_leak(connection):
    builder, parameters = neuron_helpers.configure_chip(base.WriteRecordingPlaybackProgramBuilder(), v_leak=700, n_synapse_rows=4)
    low, high = neuron_helpers.cadc_read_neuron_potentials(connection, builder).reshape(2, -1)
    assert low.std() < 3  # a single code is spread by up to 5
    assert abs(low.mean() - high.mean()) < 1
    row = halco.CapMemRowOnCapMemBlock
    assert parameters[row.v_leak] == parameters[row.v_reset] == 700
    config = held(connection)
    assert (config.synapse_weight[:, :4] == 10).all()
    assert not config.synapse_weight[:, 4:].any()
    assert not config.excitatory_input_i_bias_gm.any()
    neuron_helpers.reconfigure_synaptic_input(connection, excitatory_biases=np.where(np.arange(512) < 5, 0, 300))
    config = held(connection)
    np.testing.assert_array_equal(np.flatnonzero(~config.excitatory_input_enable.astype(bool)), np.arange(5))
    assert (config.excitatory_input_i_bias_gm[5:] == 300).all()
    assert config.inhibitory_input_enable.all()


def test_quadrants_of_neurons_are_blocks_of_128():
    np.testing.assert_array_equal(neuron_helpers.reshape_neuron_quadrants(np.arange(512)), np.arange(512).reshape(4, 128))


def test_a_reset_before_each_read_shows_the_reset_potential(connection):
    builder, _ = neuron_helpers.configure_chip(base.WriteRecordingPlaybackProgramBuilder())
    helpers.capmem_set_neuron_cells(builder, {halco.CapMemRowOnCapMemBlock.i_bias_leak: np.zeros(512, int), halco.CapMemRowOnCapMemBlock.v_reset: 500})
    reads = neuron_helpers.cadc_read_neurons_repetitive(connection, builder, synram=halco.SynramOnDLS(1), n_reads=2, wait_time=10 * pq.us, reset=True)
    rest = neuron_helpers.cadc_read_neuron_potentials(connection)[256:]
    assert reads.shape == (2, 256)
    assert (reads < rest - 20).mean() > 0.95


def test_the_fast_converter_records_each_neuron_at_its_own_level(connection):
    class Kicked(madc_base.MembraneRecorder):
        def stimulate(self, builder, neuron_coord, stimulation_time):
            self.times.append(stimulation_time)
            return builder

    levels = np.linspace(500, 900, 512).astype(int)
    builder, _ = neuron_helpers.configure_chip(base.WriteRecordingPlaybackProgramBuilder())
    helpers.capmem_set_neuron_cells(builder, {halco.CapMemRowOnCapMemBlock.v_leak: levels})
    base.run(connection, builder)
    before = held(connection)
    recorder = Kicked()
    recorder.times, recorder.neurons = [], np.array([3, 200, 301, 511])
    recorder.prepare_recording(connection)
    samples = recorder.record_traces(connection, base.WriteRecordingPlaybackProgramBuilder())
    recorder.restore_initial_state(connection)
    means = np.array([trace["value"].mean() for trace in samples])
    slope, offset = np.polyfit(levels[recorder.neurons], means, 1)
    np.testing.assert_allclose(means, slope * levels[recorder.neurons] + offset, atol=2)
    assert slope > 0.5
    assert all(abs(np.ptp(trace["chip_time"]) - 40) < 0.5 for trace in samples)
    assert np.diff(recorder.times).tolist() == [400 * 125] * 3
    assert (held(connection).readout_enable_buffered_access == before.readout_enable_buffered_access).all()


def test_a_recorder_says_what_it_misses(connection):
    recorder = madc_base.MembraneRecorder()
    with pytest.raises(ConfigurationError, match="prepare_recording"):
        recorder.restore_initial_state(connection)
    recorder.neurons = np.array([0])
    base.run(connection, neuron_helpers.configure_chip(base.WriteRecordingPlaybackProgramBuilder())[0])
    recorder.prepare_recording(connection)
    recorder.wait_between_neurons = 20 * pq.us
    with pytest.raises(calix.common.exceptions.TooFewSamplesError, match="wait_between_neurons"):
        recorder.record_traces(connection, base.WriteRecordingPlaybackProgramBuilder())


def test_products_on_lines_are_proportional_to_vector_and_weight(connection):
    calix.calibrate(calix.hagen.HagenSyninCalibTarget(), connection=connection, method="oracle", cache_paths=[])
    signed = multiplication.Multiplication(halco.SynramOnDLS(1))
    signed.preconfigure(connection)
    matrix = np.arange(-64, 64)[:, None].clip(-63, 63) * (np.arange(256) < 8)
    vectors = np.array([0, 10, 20])[:, None] * np.ones(256, int)
    nothing, half, whole = signed.multiply(connection, vectors, matrix)
    np.testing.assert_allclose(nothing, 0, atol=1)
    np.testing.assert_allclose(half, half[-1] / 63 * np.arange(-64, 64).clip(-63, 63), atol=1.6)
    np.testing.assert_allclose(whole, 2 * half, atol=2.5)
    assert half[-1] > 10
    short = signed.auto_multiply(connection, vectors[:, :8], matrix[:, :8])
    np.testing.assert_allclose(short, [nothing, half, whole], atol=1.6)
    twice = signed.auto_multiply(connection, vectors[:2, :8], matrix[:, :8], n_row_repeats=2)
    np.testing.assert_allclose(twice, [nothing, whole], atol=3)
    signed.num_sends = 2
    np.testing.assert_allclose(signed.multiply(connection, vectors[:2], matrix), [nothing, whole], atol=3)
    unsigned = multiplication.Multiplication(halco.SynramOnDLS(1), signed_mode=False)
    column = np.repeat(np.array([63, 0]), 128)[:, None] * (np.arange(256) < 8)
    (found,) = unsigned.multiply(connection, vectors[1:2], column)
    np.testing.assert_allclose(found, np.repeat([half[-1], 0], 128), atol=1.6)


def test_drivers_send_in_proportion_to_the_activation(connection):
    calix.calibrate(calix.hagen.HagenSyninCalibTarget(), connection=connection, method="oracle", cache_paths=[])
    measurement = synapse_driver.SynapseDriverMeasurement(n_parallel_measurements=8)
    low, high = measurement.measure_syndrv_amplitudes(connection, np.array([8, 24]), n_runs=1)
    assert low.shape == (256,)
    np.testing.assert_allclose(high, 3 * low.mean(), atol=2)  # readings are whole, and two events stand for three
    assert high.mean() > 15
    (single,) = measurement.measure_syndrv_amplitudes(connection, 24, n_runs=1, num_sends=1).reshape(1, -1)
    np.testing.assert_allclose(single, high / 3, atol=1)


def test_products_that_do_not_fit_are_refused():
    one = multiplication.Multiplication()
    fits = np.zeros((1, 256), int), np.zeros((128, 256), int)
    for vectors, matrix, text in (
        (fits[0][:, 1:], fits[1], "vectors"),
        (fits[0], fits[1][1:], "matrix"),
        (fits[0], fits[1] + 64, "-63 to 63"),
    ):
        with pytest.raises(ParameterRangeError, match=text):
            one.multiply(None, vectors, matrix) if text != "-63 to 63" else one.get_synapse_matrix(matrix)
    with pytest.raises(ParameterRangeError, match="num_sends"):
        multiplication.Multiplication(num_sends=0)
    weights = one.get_synapse_matrix(np.full((128, 256), -3)).weights.to_numpy()
    assert not weights[:, ::2].any()
    assert (weights[:, 1::2] == 3).all()


DELAYS = np.array([-10.0, -7, -5, -2.5, 2.5, 5, 7, 10]) * pq.us


def exponentials(amplitude: float, tau_us: float, pairs: int) -> np.ndarray:
    """Return what sensors of one amplitude and time constant would answer, shape (delay, column, row, sensor)."""
    found = np.zeros((len(DELAYS), 2, 3, 2))
    for sensor, sign in enumerate((1, -1)):
        delay = sign * DELAYS.magnitude
        found[delay > 0, :, :, sensor] = (pairs * amplitude * np.exp(-delay[delay > 0] / tau_us))[:, None, None]
    return found


def test_amplitude_and_time_constant_follow_from_the_delays():
    measurement = correlation_measurement.CorrelationMeasurement(DELAYS, n_events=100)
    for method in (measurement.fit, measurement.estimate_fit):
        amplitude, tau = method(exponentials(0.8, 6.0, 100))
        assert amplitude.shape == tau.shape == (2, 3, 2)
        np.testing.assert_allclose(amplitude, 0.8, rtol=0.01)
        np.testing.assert_allclose(tau.rescale(pq.us).magnitude, 6, rtol=0.01)
    with pytest.raises(ConfigurationError, match="delays"):
        measurement.fit(exponentials(1, 1, 1)[1:])
    with pytest.raises(ParameterRangeError, match="0"):
        correlation_measurement.CorrelationMeasurement(np.array([0.0, 1]) * pq.us)


@pytest.mark.slow
def test_sensors_answer_to_the_order_of_their_own_and_less_to_longer_delays(connection):
    calix.common.cadc.calibrate(connection)
    measurement = correlation_measurement.CorrelationMeasurement(np.array([-5, -1, 1, 5]) * pq.us, n_events=30)
    measurement.prelude(connection)
    found = measurement.measure_quad(connection, 3, halco.SynramOnDLS(1))
    assert found.shape == (4, 4, 256, 2)
    assert (found[1, ..., 1] > found[0, ..., 1]).mean() > 0.9
    assert (found[2, ..., 0] > found[3, ..., 0]).mean() > 0.9
    assert (found[2:, ..., 0] > found[2:, ..., 1]).mean() > 0.9


def test_the_line_of_the_fast_converter_is_that_of_the_chip(connection):
    found, line = characterize_madc.main(connection, 0.3, 0.9, n_steps=3)
    assert line.rvalue == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(line(found["madc_values"]), [0.3, 0.6, 0.9], atol=2e-3)
    assert line.slope == pytest.approx(1.5e-3, rel=0.1)


def test_names_of_the_register_level_that_such_scripts_need():
    quad = hal.ColumnCorrelationQuad()
    switch = hal.ColumnCorrelationQuad.ColumnCorrelationSwitch()
    switch.enable_internal_causal = True
    quad.set_switch(halco.EntryOnQuad(2), switch)
    assert quad.get_switch(halco.EntryOnQuad(2)).enable_internal_causal
    assert not quad.get_switch(halco.EntryOnQuad(1)).enable_internal_causal
