"""The front end calix: targets and options as upstream's scripts set them, results that load, apply and change, and what is refused."""

from __future__ import annotations

import copy
import logging
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import quantities as pq

import calix
import calix.hagen
import calix.spiking
import neckar
import pyccalix
from calix import constants
from calix.common import base, cadc
from calix.scripts import calix_generate_default_calibration, calix_generate_weekly_calibration
from calix.spiking import correlation, neuron, refractory_period
from dlens_vx_v3 import hal, halco, hxcomm, lola, sta
from dlens_vx_v3._container import config_of
from neckar import calibration
from neckar.calibration import NIGHTLY, ForeignCalibrationWarning, store
from neckar.chip.config import ChipConfig
from neckar.chip.config_file import loads
from neckar.chip.specimen import Specimen
from neckar.errors import ConfigurationError, CorruptFileError, FileFormatError, ParameterRangeError

NEURONS = list(halco.iter_all(halco.AtomicNeuronOnDLS))


@pytest.fixture(scope="module")
def files() -> Path:
    """Return the folder with the files of the reference chip."""
    return store.ensure(neckar.current_lab())


@pytest.fixture
def oracle(monkeypatch):
    """Choose the oracle for scripts that name no method."""
    monkeypatch.setenv("NECKAR_CALIBRATION_METHOD", "oracle")


# ---- Targets and options


def test_the_nightly_targets_are_those_of_upstreams_scripts():
    """Set as calix_generate_default_calibration.py and calix_generate_weekly_calibration.py do."""
    spiking2 = calix.spiking.SpikingCalibTarget()
    spiking2.neuron_target.leak.fill(80)
    spiking2.neuron_target.reset.fill(80)
    spiking2.neuron_target.threshold.fill(150)
    spiking2.neuron_target.tau_mem.fill(6e-6)
    for an in NEURONS:
        spiking2.neuron_target.tau_syn[an].fill(6e-6)
    spiking2.neuron_target.cuba_synin.i_synin_gm = 500
    spiking2.neuron_target.synapse_dac_bias = 1000

    weekly = calix.spiking.SpikingCalibTarget()
    weekly.neuron_target.tau_syn.fill(5e-6)
    weekly.neuron_target.tau_mem.fill(20e-6)
    weekly.neuron_target.reset.fill(80)
    weekly.neuron_target.leak.fill(100)
    weekly.neuron_target.threshold.fill(130)
    weekly.neuron_target.synapse_dac_bias = 1000
    weekly.neuron_target.cuba_synin.i_synin_gm = 400
    weekly.correlation_target = correlation.CorrelationCalibTarget()
    weekly.correlation_target.amplitude = 1.5
    weekly.correlation_target.time_constant = 30e-6
    options = calix.spiking.SpikingCalibOptions()
    options.correlation_options.calibrate_synapses = True
    options.correlation_options.branches = pyccalix.CorrelationCalibOptions.Branches.CAUSAL
    options.correlation_options.default_amp_calib = 1
    options.correlation_options.v_res_meas = 0.95

    from calix._targets import to_neckar

    default = calix.spiking.SpikingCalibOptions()
    hagen = calix.hagen.HagenCalibTarget(), calix.hagen.HagenCalibOptions()
    synin = calix.hagen.HagenSyninCalibTarget(), calix.hagen.HagenSyninCalibOptions()
    assert to_neckar(calix.spiking.SpikingCalibTarget(), default) == NIGHTLY["spiking"]
    assert to_neckar(spiking2, default) == NIGHTLY["spiking2"]
    assert to_neckar(weekly, options) == NIGHTLY["correlation"]
    assert to_neckar(*hagen) == NIGHTLY["hagen"]
    assert to_neckar(*synin) == NIGHTLY["hagen_synin"]


@pytest.mark.parametrize("kind", NIGHTLY)
def test_targets_survive_the_way_to_neckar_and_back(kind):
    from calix._targets import from_neckar, to_neckar

    assert to_neckar(*from_neckar(NIGHTLY[kind])) == NIGHTLY[kind]


def test_rich_targets_survive_as_well():
    from calix._targets import from_neckar, to_neckar

    reversal = np.where(np.arange(512)[:, None] % 3, np.nan, [300.0, 30.0])
    for strength, gm in (("separate", [180, 250]), ("fixed", np.arange(1024).reshape(512, 2) % 900)):
        neurons = calibration.NeuronTarget(
            strength=strength, i_synin_gm=gm, e_coba_reversal=reversal, tau_icc_s=5e-6, tau_mem_s=np.linspace(5e-6, 60e-6, 512), tau_syn_s=[5e-6, 8e-6]
        )
        target = calibration.SpikingTarget(neurons=neurons, cadc=calibration.CadcTarget(dynamic_range=(100, 450), calibrate_offsets=False))
        assert to_neckar(*from_neckar(target)) == target
    integrating = calibration.HagenTarget(neurons=calibration.HagenNeuronTarget(noise=1.2, disable_leak=False), offset_test_activation=5)
    assert to_neckar(*from_neckar(integrating)) == integrating


def test_arrays_take_numbers_arrays_quantities_and_coordinates():
    target = neuron.NeuronCalibTarget()
    assert target.leak.to_numpy().tolist() == [80] * 512
    target.leak[NEURONS[3]] = 90
    target.leak[4:6] = [91, 92]
    assert target.leak.to_numpy()[2:7].tolist() == [80, 90, 91, 92, 80]
    target.tau_mem = 20 * pq.us
    assert target.tau_mem[NEURONS[0]].as_quantity() == 20 * pq.us
    assert float(target.tau_mem.as_quantity().rescale("ms")[5]) == pytest.approx(0.02)
    target.tau_syn[NEURONS[7]].fill(3e-6)
    assert target.tau_syn.to_numpy()[6:9].tolist() == [[1e-5, 1e-5], [3e-6, 3e-6], [1e-5, 1e-5]]
    target.tau_syn = [4e-6, 5e-6]
    assert target.tau_syn.to_numpy()[100].tolist() == [4e-6, 5e-6]
    target.tau_syn.fill(np.linspace(1e-6, 2e-6, 512))
    assert target.tau_syn.to_numpy()[511].tolist() == [2e-6, 2e-6]
    assert target.coba_synin.e_coba_reversal[NEURONS[0]][0] is None
    target.coba_synin.e_coba_reversal[NEURONS[0]] = [300, 30]
    assert target.coba_synin.e_coba_reversal[NEURONS[0]][1] == 30
    assert int(target.synapse_dac_bias) == 600
    assert len(target.threshold) == target.threshold.size == 512
    assert sum(map(int, target.threshold)) == 512 * 125


def test_arrays_take_part_in_arithmetic_as_upstreams_example_does_with_them():
    """The hold-off of calix ``examples/plateau_potential.py``: a membrane falls from its reset below threshold."""
    target = neuron.NeuronCalibTarget(leak=50, threshold=80, reset=100, tau_mem=10 * pq.us)
    assert (target.reset > target.threshold).all()
    fall = np.zeros(target.tau_mem.size) * target.tau_mem.units
    above = np.asarray(target.reset > target.threshold)
    fall[above] = target.tau_mem[above] * np.log(np.asarray((target.reset - target.leak) / (target.threshold - target.leak))[above])
    target.holdoff_time = 1.5 * fall
    target.refractory_time = 20 * pq.us + target.holdoff_time
    assert target.refractory_time.to_numpy()[5] == pytest.approx(20e-6 + 15e-6 * np.log(5 / 3))
    assert target.leak != target.reset
    assert target.leak == neuron.NeuronCalibTarget(leak=50).leak


def test_wrong_values_are_refused_when_they_are_set():
    target = neuron.NeuronCalibTarget()
    with pytest.raises(OverflowError):
        target.leak[NEURONS[0]] = 300
    with pytest.raises(TypeError):
        target.leak = -1
    with pytest.raises(OverflowError):
        target.synapse_dac_bias = 5000
    with pytest.raises(ConfigurationError, match="shape"):
        target.leak = [80, 90, 100]
    with pytest.raises(ConfigurationError, match="missing"):
        target.leak = None
    with pytest.raises(ConfigurationError, match="mV"):
        target.tau_mem = 5 * pq.mV
    with pytest.raises(AttributeError, match="did you mean leak"):
        target.laek = 5
    with pytest.raises(ConfigurationError, match="CADCCalibTarget"):
        calix.spiking.SpikingCalibTarget().cadc_target = 3
    with pytest.raises(ValueError, match="lower <= upper"):
        cadc.CADCCalibTarget(dynamic_range=(500, 100))
    with pytest.raises(ParameterRangeError, match="time_constant_priority"):
        correlation.CorrelationCalibOptions(time_constant_priority=1.5).check()


def test_targets_compare_copy_and_pickle_by_content():
    target = calix.spiking.SpikingCalibTarget()
    for twin in (copy.deepcopy(target), pickle.loads(pickle.dumps(target))):
        assert twin == target
        twin.neuron_target.leak[NEURONS[0]] = 81
        assert twin != target
    assert calix.spiking.SpikingCalibTarget() == target
    assert "leak" in repr(target)


def test_ranges_change_by_their_ends():
    target = cadc.CADCCalibTarget()
    target.dynamic_range.lower = hal.CapMemCell.Value(100)
    target.dynamic_range.upper = 450
    assert tuple(map(int, target.dynamic_range.to_tuple())) == (100, 450)
    assert tuple(map(int, cadc.CADCCalibTarget().dynamic_range.to_tuple())) == (70, 550)


# ---- Files and results


@pytest.mark.parametrize("kind", NIGHTLY)
def test_a_native_file_loads_by_pickle_and_holds_the_same_chip_as_the_others(files, kind):
    with (files / f"{kind}_calix-native.pkl").open("rb") as stream:
        result = pickle.load(stream)
    expected = ChipConfig(loads((files / f"{kind}_cocolist.pbin").read_bytes())[0])
    assert config_of(result.to_chip()) == expected
    dumper = sta.PlaybackProgramBuilderDumper()
    result.apply(dumper)
    with pytest.raises(ConfigurationError, match="to_chip"):
        result.apply(lola.Chip())
    assert config_of(sta.convert_to_chip(dumper.done())) == expected
    assert result.provenance["method"] == "oracle"
    assert calix.load(files / f"{kind}_cocolist.json.gz").to_chip() == result.to_chip()


def test_the_parts_of_a_spiking_result(files):
    result = calix.load(files / "correlation_calix-native.pkl")
    expected = calibration.calibrate(Specimen.reference(), NIGHTLY["correlation"])
    assert isinstance(result, calix.spiking.SpikingCalibResult)
    assert isinstance(result, base.CalibResult)
    np.testing.assert_array_equal(result.cadc_result.channel_offset, expected.fields["cadc_channel_offset"].reshape(-1))
    assert result.cadc_result.success.all()
    assert result.neuron_result.neurons[NEURONS[9]].threshold.v_threshold == expected.fields["threshold_v_threshold"][9]
    np.testing.assert_array_equal(result.neuron_result.success_mask, expected.reached())
    np.testing.assert_array_equal(result.stp_result.offsets.reshape(2, 128), expected.fields["driver_offset"])
    assert result.correlation_result.amp_calib.shape == (512, 256)
    assert result.correlation_result.amp_calib[300, 20] == expected.fields["synapse_amp_calib"][1, 20, 44]
    assert float(result.target.correlation_target.time_constant) == pytest.approx(30e-6)
    assert int(result.target.neuron_target.threshold[NEURONS[0]]) == 130


def test_changes_of_a_result_reach_the_chip(files):
    result = calix.load(files / "spiking_calix-native.pkl")
    result.neuron_result.neurons[NEURONS[5]].leak.v_leak = 999
    mine = lola.AtomicNeuron()
    mine.leak.v_leak = 123
    result.neuron_result.neurons[NEURONS[6]] = mine
    result.cadc_result.channel_offset[7] = -9
    result.stp_result.offsets[0] = 15
    for twin in (result, copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        config = config_of(twin.to_chip())
        assert config["leak_v_leak"][5:7].tolist() == [999, 123]
        assert config["cadc_channel_offset"].reshape(-1)[7] == -9
        assert config["driver_offset"][0, 0] == 15


def test_to_chip_keeps_what_the_calibration_does_not_set(files):
    chip = lola.Chip()
    config_of(chip)["synapse_weight", 0, 3] = 17
    after = calix.load(files / "spiking_calix-native.pkl").to_chip(chip=chip)
    assert config_of(after)["synapse_weight"][0, 3, 0] == 17
    assert config_of(chip)["leak_v_leak"].max() == 0


def test_a_result_of_another_chip_warns(files):
    with neckar.Lab(chip=5), pytest.warns(ForeignCalibrationWarning, match="reference.*chip-5"):
        pickle.loads((files / "spiking_calix-native.pkl").read_bytes())


def test_foreign_and_damaged_files_are_named_and_not_opened(tmp_path, files):
    opened = tmp_path / "opened"
    evil = tmp_path / "evil_calix-native.pkl"

    class Evil:
        def __reduce__(self):
            return Path.touch, (opened,)

    evil.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(FileFormatError, match=r"evil_calix-native\.pkl.*has not written"):
        calix.load(evil)
    assert not opened.exists()
    data = (files / "spiking_calix-native.pkl").read_bytes()
    damaged = tmp_path / "a.pkl"
    damaged.write_bytes(data[:1000] + b"\0" + data[1001:])
    with pytest.raises(CorruptFileError, match="damaged"):
        calix.load(damaged)
    with damaged.open("rb") as stream, pytest.raises(CorruptFileError, match="damaged"):
        pickle.load(stream)
    damaged.write_bytes(data[:1000])
    with pytest.raises(CorruptFileError, match="cut short"):
        calix.load(damaged)
    plain = tmp_path / "b.pbin"
    from neckar.chip.config_file import dumps

    plain.write_bytes(dumps({"leak_v_leak": np.arange(512)}))
    with pytest.raises(FileFormatError, match="no calibration"):
        calix.load(plain)


# ---- calibrate


def test_the_oracle_calibrates_on_request():
    target = calix.spiking.SpikingCalibTarget()
    target.neuron_target.leak[NEURONS[0]] = 100
    with neckar.Lab(chip=3):
        result = calix.calibrate(target, method="oracle")
        default = calix.calibrate(calix.spiking.SpikingCalibTarget(), method="oracle")
    assert result.provenance["chip"] == "chip-3"
    codes, before = (config_of(r.to_chip())["leak_v_leak"] for r in (result, default))
    np.testing.assert_array_equal(codes[1:], before[1:])
    assert codes[0] > before[0] + 50
    assert result.target == target


def test_scripts_that_stay_as_they_are_calibrate_with_the_environment_variable(oracle):
    with neckar.Lab(chip=3), hxcomm.ManagedConnection() as connection:
        stateful = base.StatefulConnection(connection)
        assert stateful.get_unique_identifier() == "chip-3"
        results = (
            calix.calibrate(calix.hagen.HagenCalibTarget(), cache_paths=[], connection=stateful),
            calix.hagen.calibrate(stateful),
            calix.hagen.HagenCalibTarget().calibrate(stateful),
        )
        assert len({repr(result.to_chip()._config.delta_from(ChipConfig())["leak_v_leak"].tolist()) for result in results}) == 1
        assert isinstance(calix.hagen.calibrate_for_synin_integration(stateful), calix.hagen.HagenSyninCalibResult)
        assert isinstance(calix.spiking.calibrate(stateful), calix.spiking.SpikingCalibResult)


def test_upstreams_scripts_write_the_files_of_every_kind_and_say_who_made_them(oracle, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with neckar.Lab(chip=3):
        calix_generate_default_calibration.run_and_save_all(tmp_path)
        calix_generate_weekly_calibration.run_and_save_all(tmp_path)
        assert sorted(file.name for file in tmp_path.iterdir()) == sorted(store.FILES)
        for kind in NIGHTLY:
            assert calix.load(tmp_path / f"{kind}_cocolist.pbin").provenance["chip"] == "chip-3"
            assert f"{kind} for {tmp_path}: by oracle (the model inverted)" in caplog.text


def test_targets_that_make_no_sense_are_refused(oracle):
    target = calix.spiking.SpikingCalibTarget()
    target.neuron_target.tau_mem[NEURONS[17]] = 10.0  # seconds
    with pytest.raises(ValueError, match=r"tau_mem_s of circuit 17 is 10 s; allowed: 1e-07 to 0\.002 s"):
        calix.calibrate(target)
    with pytest.raises(ConfigurationError, match="HagenCalibOptions"):
        calix.calibrate(calix.spiking.SpikingCalibTarget(), calix.hagen.HagenCalibOptions())
    with pytest.raises(ConfigurationError, match="Parts of a chip"):
        calix.calibrate(cadc.CADCCalibTarget())


def test_unusual_targets_are_logged_and_circuits_that_miss_them_named(oracle, caplog):
    target = calix.spiking.SpikingCalibTarget()
    target.neuron_target.leak.fill(30)
    target.neuron_target.tau_mem[NEURONS[7]] = 0.1e-6
    with neckar.Lab(chip=3):
        result = calix.calibrate(target, cache_paths=[])
    assert "NeuronTarget.leak is asked to be 30 CADC LSB; circuits reach 50 to 160 CADC LSB well" in caplog.text
    assert not result.neuron_result.success[NEURONS[7]]
    assert re.search(r"Calib failed for \d+ neurons: \[.*\b7\b", caplog.text)
    assert "1 of leak_i_bias" in caplog.text


def test_refractory_settings_reach_their_times():
    """As upstream's test_refractory_period.py checks them; periods of the clocks as tolerance."""
    wanted = np.linspace(1, 30, 512) * pq.us
    settings = refractory_period.calculate_settings(wanted, 1 * pq.us)
    scale = np.where(settings.input_clock, settings.fast_clock, settings.slow_clock)
    period = 2.0 ** (scale + 1) / 250
    assert np.all(np.abs(settings.refractory_counters * period - wanted.magnitude) <= 1.1 * period)
    assert np.all(np.abs((2 * (15 - settings.reset_holdoff) + 1) * period - 1) <= 2.1 * period)
    chip = lola.Chip()
    settings.apply_to_chip(chip)
    assert chip.neuron_block.backends[halco.CommonNeuronBackendConfigOnDLS(1)].clock_scale_fast == settings.fast_clock
    scalar = refractory_period.calculate_settings(10 * pq.us)
    assert set(scalar.input_clock) == {1}
    assert set(scalar.reset_holdoff) == {15}
    with pytest.raises(ConfigurationError, match="512"):
        refractory_period.calculate_settings([1e-6, 2e-6])
    with pytest.raises(ValueError, match="longest period"):
        refractory_period.calculate_settings(1 * pq.s)


def test_constants_are_upstreams():
    assert constants.cadc_reliable_range == (30, 210)
    assert float(constants.tau_mem_range.upper.rescale("ms")) == pytest.approx(2)
    assert float(constants.capmem_level_off_time.rescale("ms")) == pytest.approx(20)
