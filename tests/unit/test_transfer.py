"""Codes to physics: what is refused, which effects act, and the converter."""

import math

import numpy as np
import pytest

from neckar.chip import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen, keyed_normals
from neckar.chip.transfer import MadcTransfer, kick_volts, madc_to_volt, physical, potentials, volt_to_madc
from neckar.errors import ConfigurationError, UnsupportedFeatureError
from neckar.facts import brainscales2 as facts

REFERENCE = Specimen.reference()
EQUAL = Effects.parse("-mismatch")
SPIKING = {
    "membrane_capacitance_capacitance": 63,
    "leak_v_leak": 700,
    "leak_i_bias": 150,
    "reset_v_reset": 400,
    "reset_i_bias": 1022,
    "threshold_enable": True,
    "threshold_v_threshold": 300,
    "excitatory_input_enable": True,
    "excitatory_input_i_bias_tau": 100,
    "excitatory_input_i_bias_gm": 500,
    "excitatory_input_i_shift_reference": 310,
    "inhibitory_input_enable": True,
    "inhibitory_input_i_bias_tau": 100,
    "inhibitory_input_i_bias_gm": 500,
    "inhibitory_input_i_shift_reference": 310,
    "refractory_period_refractory_time": 255,
}


@pytest.fixture
def config():
    return ChipConfig(SPIKING)


def test_a_subset_is_a_part_of_the_whole_and_the_result_is_pure(config):
    config["leak_v_leak", 256:] = 500
    whole = physical(REFERENCE, Effects(), config)
    circuits = [300, 7, 7]
    assert len(whole) == 512
    assert physical(REFERENCE, Effects(), config, circuits) == whole.take(circuits) == physical(REFERENCE, Effects(), config.as_mapping(), circuits)
    assert len(whole.take([])) == 0
    assert len(whole.take(whole.e_leak > madc_to_volt(300))) == 256


def test_a_mapping_may_lack_fields_and_the_default_chip_is_silent():
    parameters = physical(REFERENCE, Effects(), {})
    assert parameters == physical(REFERENCE, Effects(), ChipConfig())
    for name in ("g_leak", "g_reset", "gm_exc", "gm_inh", "i_syn_rest", "i_exp", "g_adapt", "a_adapt", "b_adapt", "i_source", "i_sink"):
        np.testing.assert_array_equal(getattr(parameters, name), 0, err_msg=name)
    assert np.isinf(parameters.v_threshold).all()


@pytest.mark.parametrize("parameters", [physical(REFERENCE, Effects(), {}), physical(Specimen.from_seed(3), Effects(), dict(ChipConfig(SPIKING).as_mapping()))])
def test_everything_but_the_threshold_is_finite(parameters):
    for name, value in vars(parameters).items():
        assert name == "v_threshold" or np.isfinite(value).all(), name


def test_chips_and_circuits_differ_only_with_mismatch(config):
    chips = [REFERENCE, Specimen.from_seed(1), Specimen.from_seed(2)]
    medians = [np.median(physical(chip, Effects(), config).e_leak) for chip in chips]
    assert len(set(medians)) == 3
    for chip in chips:
        equal = physical(chip, EQUAL, config)
        assert np.ptp(equal.e_leak) == np.ptp(equal.g_leak) == np.ptp(equal.gm_exc) == 0
        np.testing.assert_array_equal(equal.i_syn_rest, 0)
    assert physical(chips[1], EQUAL, config) == physical(chips[2], EQUAL, config) != physical(REFERENCE, EQUAL, config)


def test_noise_saturation_and_drift_are_switches(config):
    aged = Specimen.reference(age_h=100.0)
    assert (physical(REFERENCE, Effects(), config).noise == facts.MEMBRANE_NOISE.value).all()
    ideal = physical(aged, Effects.ideal(), config)
    assert not ideal.saturating
    assert not ideal.noise.any()
    assert physical(aged, Effects.parse("-drift"), config) == physical(REFERENCE, Effects(), config) != physical(aged, Effects(), config)


def test_all_time_constants_of_an_aged_chip_are_longer_by_what_its_temperature_makes_them(config):
    aged = Specimen.from_seed(7, 100.0)
    assert abs(aged.warming()) > 0.1
    new, old = (physical(chip, Effects(), config) for chip in (Specimen.from_seed(7), aged))
    longer = 1 + facts.TEMPERATURE_TIME.value * aged.warming()
    for now, then in zip(*((p.capacitance / p.g_leak, p.tau_exc, p.tau_inh, p.tau_adapt) for p in (old, new)), strict=True):
        np.testing.assert_allclose(now, then * longer, rtol=1e-12)
    np.testing.assert_array_equal(old.gm_exc, new.gm_exc)
    np.testing.assert_array_equal(physical(aged, Effects.parse("-drift"), config).tau_exc, new.tau_exc)


def test_a_cell_without_refresh_is_refused(config):
    config["leak_v_leak", 3] = 1023
    with pytest.raises(UnsupportedFeatureError, match=r"leak_v_leak of circuit 3 is 1023.*0 to 1022"):
        physical(REFERENCE, Effects(), config)


def test_parameters_must_have_one_value_per_circuit(config):
    parameters = physical(REFERENCE, Effects(), config)
    with pytest.raises(ConfigurationError, match="g_leak has shape"):
        type(parameters)(**{**vars(parameters), "g_leak": np.zeros(3)})


@pytest.mark.parametrize("field", ["threshold_enable", "event_routing_analog_output"])
def test_a_neuron_without_comparator_or_fire_pulse_cannot_fire(config, field):
    config[field, 5] = 0
    threshold = physical(REFERENCE, Effects(), config).v_threshold
    assert np.flatnonzero(np.isinf(threshold)).tolist() == [5]


def test_a_disabled_input_has_neither_gain_nor_current(config):
    config["excitatory_input_enable", 4] = False
    config["column_enable_inhibitory", 0, 4] = False
    p = physical(REFERENCE, Effects(), config)
    assert p.gm_exc[4] == p.gm_inh[4] == 0
    assert p.i_syn_rest[4] != 0  # of the inhibitory amplifier, which stays connected to the membrane
    assert (np.delete(p.gm_exc, 4) > 0).all()


def test_lines_invert():
    for field, line in potentials(Specimen.from_seed(9), Effects()).items():
        codes = np.linspace(0, 1022, 512)
        np.testing.assert_allclose(line.code(line.at(codes)), codes, atol=1e-9, err_msg=field)
        np.testing.assert_allclose(line.code(line.at(500, [3]), [3]), 500)


def test_kicks_follow_weight_and_bias(config):
    config.synapse_weight = np.random.default_rng(1).integers(0, 64, (2, 256, 256))
    config.syn_i_bias_dac = [600, 300, 600, 1022]
    kicks = kick_volts(REFERENCE, EQUAL, config, 0)
    assert kicks.dtype == np.float32
    np.testing.assert_allclose(kicks[:, :128], 0.14e-3 * config.synapse_weight[0, :, :128], rtol=1e-6)
    np.testing.assert_allclose(kicks[:, 128:], 0.07e-3 * config.synapse_weight[0, :, 128:], rtol=1e-6)
    rows, columns = [3, 200], [255, 0, 130]
    for effects in (EQUAL, Effects()):
        part = kick_volts(Specimen.from_seed(4), effects, config, 1, rows, columns)
        np.testing.assert_array_equal(part, kick_volts(Specimen.from_seed(4), effects, config, 1)[np.ix_(rows, columns)])


def test_kicks_scatter_by_driver_quadrant_and_synapse():
    """Standard deviations of logarithms within 4 standard errors of the table: false alarm 2e-4."""
    chip, config = Specimen.from_seed(12), ChipConfig({"synapse_weight": 63, "syn_i_bias_dac": 600})
    logs = np.log(kick_volts(chip, Effects(), config, 0) / 63e-3)
    rows = logs.mean(axis=1)
    driver = rows.reshape(128, 2)
    np.testing.assert_allclose(driver[:, 0], driver[:, 1], atol=0.02)
    slope = np.polyfit(np.arange(128), driver.mean(axis=1), 1)
    residual = driver.mean(axis=1) - np.polyval(slope, np.arange(128))
    assert residual.std() == pytest.approx(facts.SPREAD["driver_pulse"].circuit, rel=4 / math.sqrt(256))
    halves = logs[:, :128].mean() - logs[:, 128:].mean()
    bias = np.log(chip.deviation("dac_bias"))
    gradient = chip.deviation("synapse_gradient")[0]
    assert halves == pytest.approx(bias[0] - bias[1] - gradient, abs=0.01)


def test_a_converter_without_refresh_is_refused():
    with pytest.raises(UnsupportedFeatureError, match="syn_i_bias_dac"):
        kick_volts(REFERENCE, Effects(), ChipConfig({"syn_i_bias_dac": 1023}), 0)


def test_nominal_conversion_round_trips():
    readings = np.linspace(-10, 1100, 50)
    np.testing.assert_allclose(volt_to_madc(madc_to_volt(readings)), readings)
    assert madc_to_volt(25) == 0.0


def test_the_converter_clips_and_rounds():
    ideal = MadcTransfer.of(Specimen.from_seed(5), Effects.ideal())
    np.testing.assert_array_equal(ideal.codes(madc_to_volt([-50, 0.4, 0.6, 300.2, 1022.6, 5000])), [0, 0, 1, 300, 1023, 1023])
    assert ideal.codes(0.3).dtype == np.uint16
    assert ideal.codes(np.zeros((2, 3)), np.ones((2, 3))).shape == (2, 3)
    np.testing.assert_array_equal(ideal.codes([0.3], [100.0]), ideal.codes([0.3]))


def test_even_codes_are_wider():
    converter = MadcTransfer.of(REFERENCE, Effects.parse("-noise"))
    codes = converter.codes(madc_to_volt(np.linspace(300, 400, 100_000, endpoint=False)))
    assert (np.diff(codes.astype(int)) >= 0).all()
    assert np.mean(codes % 2 == 0) == pytest.approx((1 + facts.MADC_DNL.value) / 2, abs=0.005)


def test_offset_and_gain_of_the_converter():
    converter = MadcTransfer.of(Specimen.from_seed(6), Effects())
    np.testing.assert_allclose(converter.reading(madc_to_volt([300, 400])), [300 + converter.offset, 300 + 100 * converter.gain + converter.offset])
    assert converter.offset != 0
    assert converter.gain != 1
    np.testing.assert_allclose(converter.volts(converter.reading([0.2, 0.7])), [0.2, 0.7])
    reference = MadcTransfer.of(REFERENCE, Effects())
    assert (reference.offset, reference.gain) == (0, 1)


def test_noise_of_one_sample():
    """1.35 LSB in total on a constant voltage, averaged over its position within a code; standard error 0.3 %."""
    converter = MadcTransfer.of(REFERENCE, Effects.parse("-quantisation"))
    position = madc_to_volt(300 + np.linspace(0, 1, 100_000))
    error = converter.codes(position, keyed_normals(100_000, "noise")) - volt_to_madc(position)
    assert error.std() == pytest.approx(facts.MADC_NOISE.value, rel=0.012)


def test_a_chip_is_drawn_once(config, monkeypatch):
    """Drawing takes ten times as long as everything else in `physical`."""
    first = physical(REFERENCE, Effects(), config)
    monkeypatch.setattr(Specimen, "deviation", lambda *_: pytest.fail("drawn again"))
    np.testing.assert_array_equal(physical(REFERENCE, Effects(), config).e_leak, first.e_leak)


def test_the_pre_amplifier_spreads_the_readings_about_the_middle_of_the_range():
    plain, double = (MadcTransfer.of(Specimen.from_seed(6), Effects.parse("-noise"), {"madc_preamp_gain": np.uint8(code)}) for code in (31, 15))
    volts = np.linspace(0.3, 1.0, 8)
    np.testing.assert_allclose(double.reading(volts) - 512, 2 * (plain.reading(volts) - 512), atol=1e-9)
    codes = np.arange(100, 900, 50)
    np.testing.assert_array_equal(double.codes(double.volts(codes)), codes)
    assert plain == MadcTransfer.of(Specimen.from_seed(6), Effects.parse("-noise"))
