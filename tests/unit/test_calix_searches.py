"""The frame for searches of one's own: calibrations that a script defines, upstream's algorithms, and the program builder that remembers."""

from __future__ import annotations

import numpy as np
import pytest
import quantities as pq

import calix
import neckar
import pyccalix.helpers as pyccalix_helpers
from calix.common import algorithms, base, boundary_check, cadc_helpers, helpers
from calix.common.exceptions import ExcessiveNoiseError
from calix.spiking import SpikingCalibTarget
from dlens_vx_v3 import hal, halco, hxcomm, sta
from dlens_vx_v3._container import config_of
from neckar.errors import ConfigurationError

N = 33
RANGE = base.ParameterRange(0, N - 1)


class Identity(base.Calib):
    """Results are the parameters, or fall with them; with a unit, if one is given."""

    unit = 1

    def configure_parameters(self, builder, parameters):
        self.parameters = parameters
        return builder

    def measure_results(self, connection, builder):
        return (self.parameter_range.upper - self.parameters if self.inverted else self.parameters) * self.unit


@pytest.fixture
def mock():
    with hxcomm.ManagedMultiZeroMockConnection() as connection:
        yield base.StatefulConnection(connection)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize(
    "algorithm",
    [
        algorithms.BinarySearch(),
        algorithms.NoisyBinarySearch(),
        algorithms.NoisyBinarySearch(noise_amplitude=1),
        algorithms.LinearSearch(),
        algorithms.LinearSearch(initial_parameters=np.arange(N) // 2, step_size=1, max_steps=100),
        algorithms.LinearPrediction(probe_parameters=3, offset=10, slope=1),
        algorithms.PolynomialPrediction.from_data(np.arange(90), np.arange(90), degree=1),
    ],
    ids=lambda algorithm: type(algorithm).__name__,
)
def test_every_search_finds_every_parameter_of_a_line(mock, algorithm, inverted):
    if inverted and isinstance(algorithm, algorithms.PredictiveModel):
        algorithm = algorithms.LinearPrediction(probe_parameters=np.arange(N), offset=10, slope=-1)
    calib = Identity(RANGE, N, inverted)
    result = calib.run(mock, algorithm, target=np.arange(N))
    np.testing.assert_array_equal(result.calibrated_parameters, np.arange(N)[:: -1 if inverted else 1])
    np.testing.assert_array_equal(calib.parameters, result.calibrated_parameters)
    assert result is calib.result
    assert result.success[1:-1].all()
    assert not result.success[[0, -1]].any()


def test_results_may_have_a_unit(mock):
    calib = Identity(RANGE, N)
    calib.unit = pq.us
    found = calib.run(mock, algorithms.BinarySearch(), target=np.arange(N) / 1e3 * pq.ms).calibrated_parameters
    np.testing.assert_array_equal(found, np.arange(N))


def test_the_target_may_be_found_by_the_prelude_and_the_ends_are_told(mock, caplog):
    class Found(Identity):
        def prelude(self, connection):
            self.target = N - 1

        def postlude(self, connection):
            self.cleaned = True

    calib = Found(RANGE, N, errors=["{0} reached the lower end {1}.", "{0} reached the upper end {1}."])
    result = calib.run(mock, algorithms.BinarySearch())
    assert not result.success.any()
    assert calib.cleaned
    assert "reached the upper end 32." in caplog.text
    with pytest.raises(TypeError, match="no target"):
        Identity(RANGE, N).run(mock, algorithms.BinarySearch())


def test_searches_that_make_no_sense_are_refused(mock):
    with pytest.raises(ValueError, match="at least two"):
        Identity(base.ParameterRange(3, 3), N)
    with pytest.raises(ValueError, match="noise_amplitude"):
        algorithms.NoisyBinarySearch(0)
    with pytest.raises(ExcessiveNoiseError, match="quarter"):
        Identity(RANGE, N).run(mock, algorithms.NoisyBinarySearch(10), target=3)
    with pytest.raises(ValueError, match="step_size"):
        algorithms.LinearSearch(step_size=0)
    odd = algorithms.LinearSearch()
    odd.step_size = 1.5
    with pytest.raises(TypeError, match="whole number"):
        Identity(RANGE, N).run(mock, odd, target=3)
    short = Identity(RANGE, N + 1)
    short.measure_results = lambda connection, builder: np.zeros(3)
    with pytest.raises(ConfigurationError, match="3 results"):
        short.run(mock, algorithms.BinarySearch(), target=3)


def test_boundaries_are_part_of_the_failure():
    checked = boundary_check.check_range_boundaries(np.arange(10), base.ParameterRange(2, 7), ["low {0}", "high {0}"])
    assert checked.parameters.tolist() == [2, 2, 2, 3, 4, 5, 6, 7, 7, 7]
    assert checked.error_mask.tolist() == [True] * 3 + [False] * 4 + [True] * 3
    assert checked.messages == ["low [0 1 2]", "high [7 8 9]"]


def test_values_out_of_range_warn(caplog):
    base.check_values("leak", np.array([80, 90]), base.ParameterRange(50, 160))
    base.check_values("gm", None, base.ParameterRange(50, 160))
    base.check_values("tau", 5 * pq.us, base.ParameterRange(0.5 * pq.us, 60 * pq.us))
    assert not caplog.records
    base.check_values("leak", np.array([80, None, 190]), base.ParameterRange(50, 160))
    base.check_values("tau", 0.1 * pq.ms, base.ParameterRange(0.5 * pq.us, 60 * pq.us))
    assert [record.message.split()[1] for record in caplog.records] == ["leak", "tau"]


def test_the_builder_remembers_what_it_writes_and_runs():
    builder = base.WriteRecordingPlaybackProgramBuilder()
    assert builder.empty()
    helpers.capmem_set_quadrant_cells(builder, {halco.CapMemCellOnCapMemBlock.syn_i_bias_dac: [100, 200, 300, 400]})
    other = base.WriteRecordingPlaybackProgramBuilder()
    helpers.capmem_set_neuron_cells(
        other, {halco.CapMemRowOnCapMemBlock.v_leak: np.arange(512), halco.CapMemRowOnCapMemBlock.v_reset: 500, halco.CapMemRowOnCapMemBlock.v_threshold: 0}
    )
    builder.merge_back(other)
    helpers.wait(builder, 20 * pq.us)
    program, dump = builder.done()
    config = config_of(sta.convert_to_chip(dump))
    assert config["syn_i_bias_dac"].tolist() == [100, 200, 300, 400]
    assert config["leak_v_leak"].tolist() == list(range(512))
    assert set(config["reset_v_reset"].tolist()) == set(range(495, 506))
    assert not config["threshold_v_threshold"].any()
    with hxcomm.ManagedConnection() as connection:
        sta.run(connection, program)
        assert connection.session.state.registers["leak_v_leak"].tolist() == list(range(512))
        again = base.WriteRecordingPlaybackProgramBuilder()
        cell = halco.CapMemCellOnDLS(halco.CapMemCellOnCapMemBlock.syn_i_bias_dac, halco.CapMemBlockOnDLS())
        again.write(cell, hal.CapMemCell(hal.CapMemCell.Value(7)))
        ticket = again.read(cell)
        base.run(base.StatefulConnection(connection), again)
        assert int(ticket.get().value) == 7


def test_rows_of_cells_are_written_as_they_are():
    builder = sta.PlaybackProgramBuilderDumper()
    pyccalix_helpers.write_capmem_row(builder, halco.CapMemRowOnCapMemBlock.i_bias_leak, np.arange(512)[::-1])
    assert config_of(sta.convert_to_chip(builder.done()))["leak_i_bias"].tolist() == list(range(512))[::-1]
    assert neckar.__version__ in pyccalix_helpers.get_repo_state()


def test_readings_are_ordered_as_their_coordinates():
    channels = list(halco.iter_all(halco.CADCChannelConfigOnDLS))
    quadrants = np.array([int(channel.toNeuronConfigBlockOnDLS().toEnum()) for channel in channels])
    np.testing.assert_array_equal(cadc_helpers.convert_success_masks(np.arange(4)), quadrants)
    reshaped = cadc_helpers.reshape_cadc_quadrants(np.arange(1024))
    for quadrant in range(4):
        np.testing.assert_array_equal(reshaped[quadrant], np.flatnonzero(quadrants == quadrant))
    with hxcomm.ManagedConnection() as connection:
        builder = base.WriteRecordingPlaybackProgramBuilder()
        result = calix.calibrate(SpikingCalibTarget(), cache_paths=[], method="oracle")
        result.apply(builder)
        reads = cadc_helpers.read_cadcs(connection, builder)
    causal = reads.reshape(2, 2, 256)[:, 0]
    assert abs(float(np.median(causal)) - 80) <= 2  # the resting level that was asked for
    assert reads.shape == (1024,)
