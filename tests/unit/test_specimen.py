"""A specimen is a pure function of its seed; its deviations have the spread of the table; effects parse."""

import dataclasses
import hashlib
import math
import pickle

import numpy as np
import pytest

from neckar.chip import specimen as module
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen, deviations_of, keyed_normals, keyed_normals_of, mismatch_parameters, pieces_of
from neckar.errors import ConfigurationError, ParameterRangeError, UnknownNameError
from neckar.facts import brainscales2 as facts

N_CHIPS = 400
CHIPS = [Specimen.from_seed(seed) for seed in range(1, N_CHIPS + 1)]
DRAWN_PER_CHIP = [name for name, parameter in mismatch_parameters().items() if parameter.is_chip_level]
DRAWN_PER_CIRCUIT = [name for name, parameter in mismatch_parameters().items() if parameter.axes == ("circuit",)]

GOLDEN_LEAK_OFFSET = [24.079018901271155, 1.8480714887574206, 3.863749675908922]
GOLDEN_MADC_OFFSET = -71.48895151699028
GOLDEN_SYNAPSE = [0.9128473398791965, 0.9773986010911438]


def variates(parameter, values):
    return (np.log(values) if parameter.is_factor else values) / parameter.sigma


def test_draws_are_pure_and_survive_pickling():
    chip = Specimen.from_seed(7)
    for name in mismatch_parameters():
        np.testing.assert_array_equal(chip.deviation(name), Specimen("another label", 7).deviation(name))
    twin = pickle.loads(pickle.dumps(chip))
    assert twin == chip
    assert hash(twin) == hash(chip)
    np.testing.assert_array_equal(twin.deviation("synapse"), chip.deviation("synapse"))


def test_streams_are_numpys_philox():
    """The slow, obvious way: numpy's generator, one stream after the other."""
    keys = [("one",), ("two", 7), ("three", "a", 2**63)]
    for n in (2, 6, 512, 1024):
        for key, drawn in zip(keys, keyed_normals_of(n, keys), strict=True):
            words = np.random.Philox(key=np.frombuffer(hashlib.blake2b(repr(key).encode(), digest_size=16).digest(), "<u8")).random_raw(n)
            first, second = (((words >> np.uint64(11)) + 0.5) * 2.0**-53).reshape(-1, 2).T
            expected = np.sqrt(-2 * np.log(first)) * np.array([np.cos(2 * np.pi * second), np.sin(2 * np.pi * second)])
            np.testing.assert_array_equal(drawn, expected.T.reshape(-1))
            np.testing.assert_array_equal(drawn, keyed_normals(n, *key))


def test_chips_drawn_together_are_those_drawn_alone():
    names = list(mismatch_parameters())
    chips = [Specimen.reference(), Specimen.from_seed(2), Specimen("own", 2, overrides={"leak_offset": np.arange(512.0), "chip_leak_time": 1.5})]
    for name, values in deviations_of(chips, [name for name in names if not name.startswith("correlation")]).items():
        for chip, mine in zip(chips, values, strict=True):
            np.testing.assert_array_equal(mine, chip.deviation(name), err_msg=f"{name} of {chip.id}")


def test_a_piece_of_a_parameter_has_the_bits_of_the_whole():
    own, pieces = Specimen("own", 1, overrides={"leak_time": np.full(512, 1.5)}), np.array([6, 1])
    drawn = np.repeat(np.isin(np.arange(8), pieces), 64)
    for name, values in deviations_of([own, Specimen.from_seed(2)], ["leak_time", "leak_offset", "chip_leak_time"], pieces).items():
        for chip, mine in zip((own, Specimen.from_seed(2)), values, strict=True):
            if name in chip.overrides or not mine.ndim:
                np.testing.assert_array_equal(mine, chip.deviation(name))
            else:
                np.testing.assert_array_equal(mine, np.where(drawn, chip.deviation(name), 1.0 if name == "leak_time" else 0.0))
    whole = Specimen.from_seed(4).deviation("synapse").reshape(-1, 64)
    pieces = np.array([2047, 0, 5, 900])
    np.testing.assert_array_equal(pieces_of([Specimen.from_seed(2), Specimen.from_seed(4)], "synapse", pieces)[1], whole[pieces])


def test_draws_never_change():
    """Virtual chips are quoted by seed: their numbers are part of the statistics version."""
    np.testing.assert_allclose(Specimen.from_seed(7).deviation("leak_offset")[:3], GOLDEN_LEAK_OFFSET, rtol=1e-12)
    np.testing.assert_allclose(Specimen.from_seed(7).deviation("chip_madc_offset"), GOLDEN_MADC_OFFSET, rtol=1e-12)
    np.testing.assert_allclose(Specimen.reference().deviation("synapse")[1, 255, 254:], GOLDEN_SYNAPSE, rtol=1e-12)


def test_numpy_integers_are_the_same_seeds():
    np.testing.assert_array_equal(Specimen("x", np.int64(7)).deviation("leak_time"), Specimen.from_seed(7).deviation("leak_time"))


def test_a_new_parameter_changes_no_other(monkeypatch):
    chip = Specimen.from_seed(3)
    before = {name: chip.deviation(name) for name in mismatch_parameters()}
    extra = dataclasses.replace(mismatch_parameters()["leak_offset"], name="a_new_offset")
    monkeypatch.setattr(module, "_PARAMETERS", {"a_new_offset": extra, **mismatch_parameters()})
    assert chip.deviation("a_new_offset").shape == (512,)
    for name, values in before.items():
        np.testing.assert_array_equal(chip.deviation(name), values)


def test_every_parameter_of_a_chip_is_its_own_stream():
    """Largest correlation of 16 streams of 512: 120 pairs, 5 sigma, false alarm 7e-5."""
    streams = [variates(mismatch_parameters()[name], Specimen.from_seed(1).deviation(name)) for name in DRAWN_PER_CIRCUIT]
    correlation = np.corrcoef(streams) - np.eye(len(streams))
    assert np.abs(correlation).max() < 5 / math.sqrt(512)


@pytest.mark.parametrize("name", DRAWN_PER_CHIP)
def test_chips_scatter_as_the_table_says(name):
    """Mean and spread over 400 seeds within 4.5 standard errors: false alarm 1.4e-5 for each, 6e-4 for all names."""
    parameter = mismatch_parameters()[name]
    z = variates(parameter, np.stack([chip.deviation(name) for chip in CHIPS])).ravel()
    assert parameter.sigma == facts.SPREAD[parameter.row].chip > 0
    assert abs(z.mean()) < 4.5 / math.sqrt(z.size)
    assert abs(z.std() - 1) < 4.5 / math.sqrt(2 * z.size)


@pytest.mark.parametrize("name", DRAWN_PER_CIRCUIT)
def test_circuits_scatter_as_the_table_says(name):
    """Mean and spread over 100 chips of 512 circuits within 4.5 standard errors: false alarm 1.4e-5 for each."""
    parameter = mismatch_parameters()[name]
    z = variates(parameter, np.stack([chip.deviation(name) for chip in CHIPS[:100]])).ravel()
    assert parameter.sigma == facts.SPREAD[parameter.row].circuit > 0
    assert abs(z.mean()) < 4.5 / math.sqrt(z.size)
    assert abs(z.std() - 1) < 4.5 / math.sqrt(2 * z.size)


@pytest.mark.parametrize("name", ["synapse", "driver_pulse", "synapse_gradient"])
def test_synapses_scatter_as_the_table_says(name):
    """Mean and spread within 4.5 standard errors: false alarm 1.4e-5 for each."""
    parameter = mismatch_parameters()[name]
    z = variates(parameter, np.stack([chip.deviation(name) for chip in CHIPS[: 2 if name == "synapse" else 200]])).ravel()
    assert parameter.sigma == facts.SPREAD[parameter.row].circuit > 0
    assert abs(z.mean()) < 4.5 / math.sqrt(z.size)
    assert abs(z.std() - 1) < 4.5 / math.sqrt(2 * z.size)


def test_normal_variates_are_normal():
    """Skewness, excess kurtosis and tail of 1e5 variates within 4.5 standard errors."""
    z = keyed_normals(100_000, "test")
    assert abs((z**3).mean()) < 4.5 * math.sqrt(15 / z.size)
    assert abs((z**4).mean() - 3) < 4.5 * math.sqrt(96 / z.size)
    assert abs((np.abs(z) > 3).mean() - 0.0026998) < 4.5 * math.sqrt(0.0027 / z.size)
    np.testing.assert_array_equal(keyed_normals(7, "test"), z[:7])


def test_the_reference_chip_has_no_chance_deviation_but_scattering_circuits():
    chip = Specimen.reference()
    assert chip.is_reference
    assert chip == Specimen.from_seed(0) == Specimen.named("reference") == Specimen.named(0)
    for name, parameter in mismatch_parameters().items():
        values = chip.deviation(name)
        if parameter.is_chip_level:
            np.testing.assert_array_equal(values, np.ones(parameter.shape) if parameter.is_factor else np.zeros(parameter.shape))
        else:
            assert values.std() > 0


def test_names_of_chips():
    assert Specimen.named("7") == Specimen.named("chip-7") == Specimen.named(7) == Specimen.from_seed(7)
    assert Specimen.from_seed(7).id == "chip-7"
    with pytest.raises(UnknownNameError, match=r"did you mean reference.*chip-7"):
        Specimen.named("referense")


def test_overrides_replace_one_draw():
    offsets = np.linspace(-10, 10, 512)
    chip = Specimen("measured", 5, overrides={"leak_offset": offsets})
    np.testing.assert_array_equal(chip.deviation("leak_offset"), offsets)
    np.testing.assert_array_equal(chip.deviation("reset_offset"), Specimen.from_seed(5).deviation("reset_offset"))
    offsets[0] = 99
    assert chip.deviation("leak_offset")[0] == -10
    assert chip != dataclasses.replace(chip, overrides={})
    assert chip.overrides_digest != Specimen("measured", 5, overrides={"leak_offset": offsets}).overrides_digest
    assert pickle.loads(pickle.dumps(chip)) == chip


def test_wrong_overrides_say_what_is_wrong():
    with pytest.raises(UnknownNameError, match="did you mean leak_offset"):
        Specimen("x", 1, overrides={"leak_ofset": np.zeros(512)})
    with pytest.raises(ConfigurationError, match=r"shape \(5,\); its shape is \(512,\), axes \(circuit\)"):
        Specimen("x", 1, overrides={"leak_offset": np.zeros(5)})
    with pytest.raises(ConfigurationError, match="positive"):
        Specimen("x", 1, overrides={"leak_time": np.zeros(512)})
    with pytest.raises(UnknownNameError, match="Names"):
        Specimen.reference().deviation("nothing")


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"seed": 2**64}, {"statistics_version": 2}, {"age_h": -1.0}, {"age_h": math.nan}])
def test_ranges_of_a_specimen(wrong):
    with pytest.raises(ParameterRangeError):
        Specimen(**{"id": "x", "seed": 1, **wrong})


def test_drift_is_zero_at_first_continuous_and_of_the_stated_rate():
    """Rate over 512 circuits and three potentials within 10 % of 0.9 mV/h (standard error 2 %)."""
    names = ("leak_v_leak", "reset_v_reset", "threshold_v_threshold")

    def moved(age_h):
        return np.concatenate([Specimen.reference(age_h).drift(name) for name in names])

    np.testing.assert_array_equal(moved(0.0), 0)
    for age in (0.0, 30.0, 1000.0):
        rate = (moved(age + 0.01) - moved(age)) / 0.01
        assert rate.std() == pytest.approx(facts.DRIFT_RATE.value, rel=0.1)
    assert np.abs(moved(500.0)).max() < 0.03
    assert abs(np.corrcoef(moved(9.0)[:512], moved(9.0)[512:1024])[0, 1]) < 5 / math.sqrt(512)


def test_drift_is_a_continuous_function_of_the_age_alone():
    """Three sinusoids of equal shares of the rate: nobody moves faster than sqrt(6) rates; after a day the spread is the sum of their squares.

    1536 independent displacements: standard error of the spread 1.8 %, tolerance 5 of them.
    """
    names = ("leak_v_leak", "reset_v_reset", "threshold_v_threshold")
    ages = np.linspace(100.0, 101.0, 41)
    moved = np.array([np.concatenate([Specimen.from_seed(3, age).drift(name) for name in names]) for age in ages])
    assert np.abs(np.diff(moved, axis=0)).max() <= math.sqrt(6) * facts.DRIFT_RATE.value * (ages[1] - ages[0])
    backwards = np.array([np.concatenate([Specimen.from_seed(3, age).drift(name) for name in names]) for age in ages[::-1]])
    np.testing.assert_array_equal(moved, backwards[::-1])
    longer = (1 + facts.DRIFT_PERIOD_SPREAD.value) ** np.linspace(-1, 1, 1001)
    omega = 2 * np.pi / np.outer([period.value for period in facts.DRIFT_PERIODS], longer)
    expected = math.sqrt(np.sum(np.mean(facts.DRIFT_RATE.value**2 * 2 / 3 / omega**2 * (1 - np.cos(omega * 24)), axis=1)))
    day = np.concatenate([Specimen.from_seed(3, 24.0).drift(name) for name in names])
    assert day.std() == pytest.approx(expected, rel=5 * 0.018)
    assert expected == pytest.approx(9e-3, rel=0.1)


def test_a_chip_never_comes_back_to_what_it_was():
    """From a day on the spread of the displacement stays between half and one and a half of its end value, the root of twice the squares of the amplitudes."""
    spread = [Specimen.reference(age).drift("leak_v_leak").std() for age in np.arange(24.0, 30 * 24.0, 12.0)]
    amplitude = facts.DRIFT_RATE.value * math.sqrt(2 / 3) * np.array([period.value for period in facts.DRIFT_PERIODS]) / (2 * np.pi)
    end = math.sqrt(np.sum(amplitude**2))
    assert 0.5 * end < min(spread)
    assert max(spread) < 1.5 * end


def test_the_temperature_is_zero_at_first_and_wanders_by_a_kelvin():
    """Two values far apart are independent, so their difference has the root of twice the variance; 400 chips: standard error 3.5 %, tolerance 5 of them."""
    assert Specimen.from_seed(3).warming() == 0
    assert Specimen.from_seed(3, 50.0).warming() == Specimen.from_seed(3, 50.0).warming() != Specimen.from_seed(4, 50.0).warming()
    late = np.array([Specimen.from_seed(seed, 1000.0).warming() for seed in range(1, 401)])
    assert late.std() == pytest.approx(math.sqrt(2) * facts.TEMPERATURE_SWING.value, rel=0.18)
    hour = np.array([Specimen.from_seed(3, age).warming() for age in np.linspace(100, 101, 11)])
    assert np.abs(np.diff(hour)).max() < 0.2


@pytest.mark.parametrize("value", [3, 0, None, "off"])
def test_effects_are_on_or_off(value):
    with pytest.raises(ConfigurationError, match=r"Effects\(noise=.*allowed are True and False"):
        Effects(noise=value)


def test_effects_parse():
    assert Effects.parse("default") == Effects() == Effects.parse("")
    assert Effects.parse("ideal") == Effects.ideal()
    assert not any(Effects.ideal().as_dict().values())
    assert Effects.parse("-noise, -mismatch") == Effects(noise=False, mismatch=False)
    assert Effects.parse("+crosstalk").crosstalk
    assert Effects.parse("ideal,+noise") == dataclasses.replace(Effects.ideal(), noise=True)
    assert [name for name, on in Effects().as_dict().items() if not on] == ["crosstalk"]


@pytest.mark.parametrize("text", ["-nois", "noise", "-noise,ideal", "+", "-noise,,"])
def test_unknown_effects_are_named(text):
    with pytest.raises(UnknownNameError, match=r"unknown effect .*Names: mismatch, noise, .*drift"):
        Effects.parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [("noise", r"did you mean -noise, \+noise\?"), ("+nose", r"did you mean \+noise"), ("idael", "did you mean ideal"), ("xyz", r"in 'xyz'\. Write")],
)
def test_an_unknown_effect_is_answered_with_words_that_can_be_written(text, words):
    with pytest.raises(UnknownNameError, match=words):
        Effects.parse(text)


def test_every_way_to_a_specimen_takes_an_age():
    aged = Specimen("chip-7", 7, age_h=30.0)
    assert Specimen.from_seed(7, age_h=30.0) == Specimen.named("chip-7", age_h=30.0) == Specimen.named(7, 30.0) == aged != Specimen.from_seed(7)
    assert Specimen.named("reference", age_h=30.0) == Specimen.reference(age_h=30.0)


@pytest.mark.parametrize(
    ("wrong", "remedy"), [({"seed": -1}, "Choose a seed"), ({"age_h": math.inf}, "Leave age_h out"), ({"statistics_version": 0}, "Leave it out")]
)
def test_errors_of_a_specimen_say_what_to_do(wrong, remedy):
    with pytest.raises(ParameterRangeError, match=rf"of a specimen is .*\. {remedy}"):
        Specimen(**{"id": "x", "seed": 1, **wrong})
