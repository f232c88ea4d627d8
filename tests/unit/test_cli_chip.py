"""neckar chip: names that keep what they promise, numbers that are those of the chip, and pictures."""

from __future__ import annotations

import builtins
import json
import re
from functools import cache

import numpy as np
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner, Result

from neckar.chip.cadc import CadcTransfer, channels_of
from neckar.chip.characteristics import CHARACTERISTICS, CODES, characteristics, medians, psp_height
from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.named import NAMED
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import kick_volts, madc_to_volt
from neckar.cli import app, main
from neckar.errors import ConfigurationError
from neckar.facts import brainscales2 as facts
from neckar.facts import registers
from neckar.lab import Lab
from neckar.program import Events, MadcChannel, Probe, Program, Record, Snippet, ticks


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["chip", *map(str, arguments)])


def printed(*arguments: object) -> dict:
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@cache
def population() -> dict[str, np.ndarray]:
    return medians(Specimen.from_seed(seed) for seed in range(1, 201))


def rank(name: str, chip: str) -> float:
    """Return which part of the population has a smaller median. Standard error over 200 chips: 1.5 % near the ends, 3.5 % in the middle."""
    return float(np.mean(population()[name] < np.median(characteristics(Specimen.named(chip))[name])))


# ---- Names


def test_a_name_is_a_seed_wherever_a_chip_is_chosen(monkeypatch):
    for named in NAMED:
        assert Specimen.named(named.name) == Specimen.from_seed(named.seed) == Lab(chip=named.name).specimen
    monkeypatch.setenv("NECKAR_CHIP", "high-leak")
    assert Lab().specimen == Specimen.from_seed(94)
    assert len({named.seed for named in NAMED}) == len({named.name for named in NAMED}) == len(NAMED)


@pytest.mark.parametrize(
    ("chip", "name", "expected"),
    [("low-leak", "leak_level", 0.05), ("high-leak", "leak_level", 0.95), ("fast-membranes", "tau_mem", 0.05), ("slow-membranes", "tau_mem", 0.95)],
)
def test_chips_at_the_ends_of_the_population(chip, name, expected):
    """Found among 1000 seeds, checked against 200 of them: within 4.5 standard errors of a quantile (false alarm 7e-6)."""
    assert rank(name, chip) == pytest.approx(expected, abs=4.5 * 0.0154)


def test_the_typical_chip_is_in_the_middle_of_everything():
    """Middle third among 1000 seeds, and three standard errors of a rank among 200."""
    for name in ("leak_level", "reset_level", "threshold_level", "tau_mem", "tau_reset", "psp_exc", "psp_inh", "constant_current", "cadc_level"):
        assert rank(name, "typical") == pytest.approx(0.5, abs=1 / 6 + 3 * 0.035), name


def test_half_the_neurons_of_the_silent_chip_stay_silent():
    """In a run with the tutorial's codes of today: 40 to 60 % of all circuits, and some of each kind among the first ten."""
    codes = {
        "membrane_capacitance_capacitance": 63, "leak_v_leak": 1000, "leak_i_bias": 200, "threshold_enable": 1, "threshold_v_threshold": 500,
        "reset_v_reset": 400, "reset_i_bias": 1022, "reset_enable_multiplication": 1, "refractory_period_refractory_time": 255,
    }  # fmt: skip
    program = Program(machine="brainscales2", config=ChipConfig(codes).as_mapping(), snippets=(Snippet(ticks(400e-6)),))
    counts = np.bincount(Lab(chip="silent-neurons").run(program).spikes.circuit, minlength=512)
    assert 0.4 < np.mean(counts == 0) < 0.6
    assert 2 <= np.sum(counts[:10] == 0) <= 8


def test_list_names_all_chips_and_calls_none_real():
    assert [row["name"] for row in json.loads(invoke("list", "--json").stdout)] == [named.name for named in NAMED]
    text = invoke("list").stdout
    assert "None of them is a real chip" in text
    assert all(named.name in text for named in NAMED)


# ---- Numbers


def test_show_prints_the_numbers_of_the_chip():
    told = printed("show", "high-leak")
    assert told["chip"] == {"id": "chip-94", "seed": 94, "statistics_version": 1, "age_h": 0.0, "is_real": False}
    assert told["title"] == "94 (high-leak)"
    assert set(told["characteristics"]) == {c.name for c in CHARACTERISTICS}
    values = characteristics(Specimen.from_seed(94))
    for name, found in told["characteristics"].items():
        np.testing.assert_allclose(found["chips"]["chip-94"], np.percentile(values[name], (5, 50, 95)))
        np.testing.assert_allclose(found["population"], np.percentile(population()[name], (5, 50, 95)))
    offset = told["deviations"]["chip_madc_offset"]
    assert offset["values"] == [float(Specimen.from_seed(94).deviation("chip_madc_offset"))]
    assert offset["standard_deviations"] == pytest.approx([offset["values"][0] / facts.SPREAD["madc_offset"].chip])
    assert len(told["deviations"]["dac_bias"]["values"]) == 4


def test_show_as_a_table_for_people():
    text = invoke("show", "reference").stdout
    assert "virtual chip reference: what equal codes mean" in text
    assert "fixed lines of its own" in " ".join(text.split())
    assert "A picture: add -o" in text


def test_an_aged_chip_has_drifted():
    new, old = (printed("show", "7", "--age-h", age) for age in (0, 100))
    assert old["title"] == "7, 100 h old"
    assert old["chip"]["age_h"] == 100.0
    assert old["characteristics"]["leak_level"]["chips"] != new["characteristics"]["leak_level"]["chips"]
    assert old["characteristics"]["capacitance"]["chips"] == new["characteristics"]["capacitance"]["chips"]
    longer = 1 + facts.TEMPERATURE_TIME.value * Specimen.from_seed(7, 100.0).warming()
    times = [shown["characteristics"]["tau_mem"]["chips"]["chip-7"] for shown in (old, new)]
    np.testing.assert_allclose(times[0], np.multiply(times[1], longer))


def test_compare_sets_chips_beside_the_population():
    told = printed("compare", "reference", "low-leak", "chip-3")
    assert [chip["title"] for chip in told["chips"]] == ["reference", "470 (low-leak)", "3"]
    level = told["characteristics"]["leak_level"]
    assert level["chips"]["chip-470"][1] == pytest.approx(level["population"][0], abs=15)
    text = invoke("compare", "reference", "3").stdout
    assert "virtual chips: what equal codes mean" in text


# ---- Pictures


@pytest.mark.parametrize("arguments", [("show", "7"), ("compare", "reference", "7", "silent-neurons")])
def test_pictures_are_drawn(arguments, tmp_path):
    path = tmp_path / "chip.png"
    result = invoke(*arguments, "-o", path)
    assert result.exit_code == 0
    assert f"Picture: {path}" in result.stdout.replace("\n", "")
    pixels = imread(path)
    assert min(pixels.shape[:2]) > 400
    assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 50


@pytest.mark.parametrize(("width", "chips"), [(80, range(1, 11)), (80, (7,)), (200, (7, 8))])
def test_no_word_is_broken_however_many_chips_are_compared(width, chips, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    text = invoke("compare", *chips).stdout
    words = set(re.split(r"[\s│┃,]+", text))
    assert {word.strip(",") for one in CHARACTERISTICS for word in one.label.split()} | {str(chip) for chip in chips} <= words
    assert all(len(line) <= width for line in text.splitlines())


@pytest.mark.parametrize("arguments", [("show", "7"), ("compare", "3", "4")])
@pytest.mark.parametrize("name", ["c.xyz", "c"])
def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_computed(arguments, name, monkeypatch, tmp_path):
    monkeypatch.setattr("neckar.cli.chip._portrait", lambda *_: pytest.fail("a chip was drawn"))
    result = invoke(*arguments, "-o", tmp_path / name)
    assert isinstance(result.exception, ConfigurationError)
    assert str(result.exception).startswith(f"option --output is {tmp_path / name}; allowed is a name that ends in .png, ")


def test_without_matplotlib_a_picture_is_refused_before_anything_is_computed(monkeypatch, tmp_path, capsys):
    importing = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError(f"No module named {name!r}", name="matplotlib")
        return importing(name, *args, **kwargs)

    monkeypatch.delitem(__import__("sys").modules, "neckar.cli._chip_figure", raising=False)
    monkeypatch.delattr("neckar.cli._chip_figure", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr("sys.argv", ["neckar", "chip", "show", "7", "-o", str(tmp_path / "x.png")])
    with pytest.raises(SystemExit):
        main()
    assert "pip install 'neckar[plot]'" in capsys.readouterr().err


def test_an_unknown_chip_is_answered_with_names(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["neckar", "chip", "show", "hi-leak"])
    with pytest.raises(SystemExit):
        main()
    assert "did you mean high-leak" in capsys.readouterr().err


# ---- The characteristics are what runs show


def _run(chip: Specimen, us: float, record: Record, **codes: object):
    table = registers("brainscales2")
    config = {**ChipConfig(CODES).as_mapping(), **{name: np.broadcast_to(np.asarray(v, table[name].dtype), table[name].shape) for name, v in codes.items()}}
    entries = Events.from_lists([[(ticks(120e-6), 0)]] * 8)
    program = Program(machine="brainscales2", config=config, snippets=(Snippet(ticks(us * 1e-6)),), record=record, entries=entries)
    return Lab(chip=chip, instruments="open").run(program)


OFF = {"threshold_enable": 0, "constant_current_enable": 0, "adaptation_enable": 0}
CIRCUITS = tuple(range(0, 512, 37))


def test_levels_and_shift_are_those_of_a_run():
    """Jitter of three cells and noise: 1.5 LSB on a membrane of 10 us; four standard deviations on 14 circuits (false alarm 1e-3 for a fresh seed)."""
    chip = Specimen.from_seed(5)
    told = characteristics(chip)
    still = _run(chip, 180, Record(spikes=(), madc=tuple(MadcChannel(c) for c in CIRCUITS)), **OFF)
    found = np.array([s.value[s.tick > ticks(80e-6)].mean() for s in still.madc])  # the reset before the trial is forgotten
    np.testing.assert_allclose(found, (told["leak_level"] + told["input_shift"])[list(CIRCUITS)], atol=6)


def test_the_height_of_a_psp_is_that_of_a_run():
    """One event of weight 63, its own synapse instead of the mean of the column; mean of eight trials. Noise and jitter are 2 % of a height."""
    chip = Specimen.from_seed(5)
    receiver, mode = np.zeros((2, 128), bool), np.zeros((2, 256), np.uint8)
    receiver[:, 0], mode[:, 0] = True, 1
    probe = Record(spikes=(), probe=(Probe(("v",), CIRCUITS, 50),))
    seen = _run(chip, 180, probe, **OFF, driver_enable_receiver=receiver, synapse_row_mode=mode, synapse_weight=63).probe[0].value[:, 0]
    v = seen.mean(axis=0, dtype=np.float64)
    height = np.array([np.convolve(x[1200:], np.ones(20) / 20, mode="valid").max() for x in v.T]) - v[900:1200].mean(axis=0)
    told = characteristics(chip)["psp_exc"] * 63 * facts.MADC_STEP.value / float(chip.deviation("chip_madc_gain"))
    kicks = [kick_volts(chip, Effects(), ChipConfig(CODES), h).astype(np.float64) for h in (0, 1)]
    own = np.concatenate([k[0] / k.mean(axis=0) for k in kicks])
    np.testing.assert_allclose(height, (told * own)[list(CIRCUITS)], rtol=0.1)
    assert np.mean(height / (told * own)[list(CIRCUITS)]) == pytest.approx(1, abs=0.04)


def test_the_reading_of_the_cadc_is_its_transfer():
    chip = Specimen.from_seed(5)
    transfer = CadcTransfer.of(chip, Effects(), {})
    volts = transfer.volts(np.zeros(512), channels_of(np.arange(512)))
    told = characteristics(chip)["cadc_level"]
    np.testing.assert_allclose(told, (0.42 - volts) / transfer.step[channels_of(np.arange(512))])
    assert np.median(characteristics(Specimen.reference(), Effects.ideal())["cadc_level"]) == pytest.approx(80)


def test_without_mismatch_all_circuits_are_alike():
    for name, values in characteristics(Specimen.from_seed(3), Effects.ideal()).items():
        assert np.ptp(values) <= 1e-9 * max(1.0, abs(values[0])), name
    assert characteristics(Specimen.reference(), Effects.ideal())["threshold_level"][0] == pytest.approx(401)
    assert madc_to_volt(401) == pytest.approx(0.564)


def test_the_height_of_a_psp_is_the_maximum_of_its_closed_form():
    t = np.linspace(0, 200e-6, 400_001)
    for tau_m, tau_s in ((10e-6, 10e-6), (10e-6, 10.0000001e-6), (20e-6, 5e-6), (3e-6, 30e-6)):
        membrane, line = np.exp(-t / tau_m), np.exp(-t / tau_s)
        alike = abs(tau_m / tau_s - 1) < 1e-6
        curve = t * membrane if alike else (membrane - line) / (1 / tau_s - 1 / tau_m)
        assert psp_height(np.array(2.0), np.array(tau_m), np.array(tau_s)) == pytest.approx(2.0 * curve.max(), rel=1e-5)
