"""calix measures: a whole chip through its cache, parts of one on a connection, and PyNN's calibrating cells, each by what the chip then does.

Limits are those of upstream's own tests (calix ``tests/hw/py``) where they have some.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import quantities as pq

import calix
import calix.hagen
import neckar
import pynn_brainscales.brainscales2 as pynn
from calix import _calibrate
from calix._stages import bench_on
from calix.common import base, cadc, cadc_helpers, synapse
from calix.hagen import neuron_leak_bias, neuron_potentials, neuron_synin
from calix.spiking import SpikingCalibTarget, neuron, neuron_threshold, synapse_driver
from dlens_vx_v3 import hxcomm
from neckar.calibration.measure.rate import count_spikes

pytestmark = pytest.mark.slow


def membranes(connection) -> np.ndarray:
    """Return the resting level of each neuron in readings of its causal channel, shape (circuit,)."""
    return np.mean([cadc_helpers.read_cadcs(connection).reshape(2, 2, 256)[:, 0].reshape(-1) for _ in range(4)], axis=0)


def test_a_measured_chip_comes_from_the_cache_the_second_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = SpikingCalibTarget()
    target.neuron_target.cuba_synin = neuron.NeuronCalibTarget.CalibratedCubaSynapticInput(i_synin_gm=500)
    with neckar.Lab(chip=3):
        first = calix.calibrate(target, cache_paths=[tmp_path])
        monkeypatch.setattr(_calibrate, "neckar_calibrate", None)
        second = calix.calibrate(target, cache_paths=[tmp_path])
    assert first.provenance == second.provenance
    assert first.provenance["method"] == "measurement"
    assert float(first.provenance["chip_time_s"]) > 5
    assert first.to_chip() == second.to_chip()
    assert first.neuron_result.success_mask.mean() > 0.98
    assert first.cadc_result.success.all()


SCRIPT = """
import sys
from pathlib import Path
import calix, calix.hagen, neckar
with neckar.Lab(chip=6):
    result = calix.calibrate(calix.hagen.HagenSyninCalibTarget(), cache_paths=[Path(sys.argv[1])])
print(result.provenance["method"], list(result.syn_i_bias_dac), result.provenance["chip_time_s"])
"""


def test_two_processes_that_want_the_same_calibration_get_the_same_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NECKAR_CALIBRATION_CACHE", str(tmp_path / "neckar"))
    both = [subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path / "calix")], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=600)[0] for process in both]
    assert told[0] == told[1]
    assert told[0].startswith("measurement [")
    assert len(list((tmp_path / "calix").iterdir())) == 1


def test_an_interrupted_calibration_goes_on_after_its_last_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NECKAR_CALIBRATION_CACHE", str(tmp_path / "neckar"))
    target, folder, told = calix.hagen.HagenSyninCalibTarget(), tmp_path / "calix", []

    def interrupt(stage: str, number: int, count: int) -> None:
        told.append(stage)
        if told == ["converter", "neurons", "currents of the synapses"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(_calibrate, "_told", interrupt)
    with neckar.Lab(chip=6):
        with pytest.raises(KeyboardInterrupt):
            calix.calibrate(target, cache_paths=[folder])
        assert not folder.exists()
        resumed = calix.calibrate(target, cache_paths=[folder])
        assert told[3:5] == ["currents of the synapses", "drivers"]
        whole = calix.calibrate(target, cache_paths=[])
    assert resumed.to_chip() == whole.to_chip()
    assert resumed.provenance == whole.provenance


@pytest.fixture(scope="module")
def calibrated() -> Iterator[tuple[base.StatefulConnection, cadc.CADCCalibResult, neuron.NeuronCalibResult]]:
    """Yield a connection whose chip was calibrated part by part, and the results."""
    with neckar.Lab(chip=4), hxcomm.ManagedConnection() as connection:
        chip = base.StatefulConnection(connection)
        converter = cadc.calibrate(chip)
        yield chip, converter, neuron.calibrate(chip, neuron.NeuronCalibTarget(leak=90))


def test_parts_are_calibrated_on_the_chip_as_it_is(calibrated):
    chip, converter, result = calibrated
    assert converter.success.all()
    assert np.std(converter.channel_offset) < 20
    assert result.success_mask.mean() > 0.98
    registers = chip.connection.session.state.registers
    np.testing.assert_array_equal(registers["cadc_channel_offset"].reshape(-1), converter.channel_offset)
    codes = [int(circuit.leak.v_leak) for circuit in result.neurons.values()]
    np.testing.assert_array_equal(registers["leak_v_leak"], codes)

    target = neuron.NeuronCalibTarget()
    for level in (110, 140):
        target.leak.fill(level)
        neuron.refine_potentials(chip, result, target)
        assert int(result.target.leak[pynn.halco.AtomicNeuronOnDLS()]) == level
        if level == 110:  # below threshold
            assert np.median(membranes(chip)) == pytest.approx(level, abs=1)
            assert membranes(chip).std() < 3
    rates = np.full(512, 40.0)
    rates[7] = 0
    before = [int(result.neurons[place].threshold.v_threshold) for place in result.neurons]
    neuron.calibrate_leak_over_threshold(chip, result, rates * pq.kHz)
    after = [int(result.neurons[place].threshold.v_threshold) for place in result.neurons]
    assert after[7] == before[7]
    found = np.delete(count_spikes(bench_on(chip), 2e-3) / 2e-3 / 40e3, 7)
    assert np.mean((found > 0.9) & (found < 1.15)) >= 0.9  # as calix accepts


def test_views_of_single_stages_leave_their_result_on_the_chip(calibrated):
    chip, session = calibrated[0], calibrated[0].connection.session
    for view, target in (
        (neuron_threshold.ThresholdCalibCADC(), 130),
        (neuron_potentials.LeakPotentialCalib(85), None),
        (neuron_potentials.ResetPotentialCalib(75), None),
        (neuron_leak_bias.MembraneTimeConstCalibCADC(20 * pq.us), None),
        (neuron_synin.ExcSynTimeConstantCalib(), 5 * pq.us),
        (synapse.DACBiasCalibCADC(), 700),
        (synapse_driver.STPOffsetCalib(), None),
    ):
        held = session.state.registers
        found = view.run(chip, target=target)
        now = session.state.registers
        np.testing.assert_array_equal(now[view.field].reshape(-1), found.calibrated_parameters)
        assert found.success.mean() > 0.9
        if view.field == "excitatory_input_i_bias_tau":
            np.testing.assert_array_equal(now["inhibitory_input_i_bias_tau"], held["inhibitory_input_i_bias_tau"])
    assert np.median(membranes(chip)) == pytest.approx(85, abs=3)  # the last search of the leak was before that of its bias


def test_a_chip_that_integrates_on_membranes_changes_to_lines():
    with neckar.Lab(chip=3), hxcomm.ManagedConnection() as connection:
        chip = base.StatefulConnection(connection)
        result = calix.hagen.HagenCalibTarget().calibrate(chip)
        assert result.provenance["method"] == "measurement"
        assert np.mean(list(result.neuron_result.success.values())) > 0.75  # inhibition of some of this chip cannot match, as the oracle finds too
        before = connection.session.state.registers["driver_hagen_dac_offset"].copy()
        lines = result.to_hagen_synin_result(chip, synapse_dac_bias=700)
        assert isinstance(lines, calix.hagen.HagenSyninCalibResult)
        registers = connection.session.state.registers
        np.testing.assert_array_equal(registers["driver_hagen_dac_offset"], before)
        np.testing.assert_array_equal(registers["syn_i_bias_dac"], lines.syn_i_bias_dac)
        np.testing.assert_array_equal(registers["cadc_v_ramp_offset"], lines.cadc_result.v_ramp_offset)
        assert not registers["leak_i_bias"].any()
        assert lines.syn_i_bias_dac.min() > 600


def test_calibrating_cells_do_what_was_asked_of_them():
    """As upstream's test of the cells, on another chip: silent alone, excited by events, and within the limits of a calibration."""
    with neckar.Lab(chip=3):  # measured by the first test, for the same target
        pynn.setup()
        neurons = pynn.Population(20, pynn.cells.CalibHXNeuronCuba())
        neurons.record("spikes")
        pynn.run(5)
        assert [len(train) for train in neurons.get_data().segments[-1].spiketrains] == [0] * 20
        pynn.reset()
        sources = pynn.Population(10, pynn.cells.SpikeSourcePoisson(rate=1e5, start=0, duration=5))
        pynn.Projection(sources, neurons, pynn.AllToAllConnector(), synapse_type=pynn.synapses.StaticSynapse(weight=63))
        pynn.run(5)
        assert min(len(train) for train in neurons.get_data().segments[-1].spiketrains) > 10
        pynn.end()
