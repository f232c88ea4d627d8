"""neckar calibrate: the files that notebooks load are replaced and come back, the report says what was found, the picture shows it."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from rich.console import Console
from typer.testing import CliRunner, Result

import calix
import neckar
import pynn_brainscales.brainscales2 as pynn
from dlens_vx_v3._container import config_of
from neckar.calibration import METHODS, NIGHTLY, Calibration, PotentialTarget, ageing, calibrate, store
from neckar.calibration.behaviour import Comparison, applicable, compared, trimmed
from neckar.chip.specimen import Specimen
from neckar.cli import _calibration_report, app
from neckar.cli._calibration_figure import draw
from neckar.cli.calibrate import How, Kind
from neckar.cli.calibrate import _nights as nights_of_the_command
from neckar.errors import CalibrationCacheError, ConfigurationError, UnknownNameError

KIND = "hagen_synin"  # of which a report is quick


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Return a cache in which the oracle's files of two chips lie, which take a second each."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("made")
        patch.setenv(store.ENVIRONMENT, str(folder))
        for chip in (0, 7):
            with neckar.Lab(chip=chip) as lab:
                store.ensure(lab)
    return folder


@pytest.fixture
def root(made, tmp_path, monkeypatch) -> Path:
    shutil.copytree(made, tmp_path / "cache")
    monkeypatch.setenv(store.ENVIRONMENT, str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(scope="module")
def measured() -> Calibration:
    """Return a calibration that says that it was measured, with codes that the oracle has not found."""
    found = calibrate(Specimen.from_seed(7), NIGHTLY[KIND])
    codes = {**found.fields, "cadc_i_ramp_slope": found.fields["cadc_i_ramp_slope"] + np.uint16(1)}
    return replace(found, fields=codes, provenance={**found.provenance, "method": "measurement", "chip_time_s": "164.0", "programs": "700"})


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["calibrate", *map(str, arguments)])


# ---- The files


def test_a_measured_calibration_takes_the_place_of_the_oracles_and_the_way_back_is_open(root, measured):
    with neckar.Lab(chip=9) as lab:
        assert store.methods(lab) == {}
    with neckar.Lab(chip=7) as lab:
        folder = store.ensure(lab)
        assert set(store.methods(lab).values()) == {"oracle"}
        before = {path: path.read_bytes() for path in folder.iterdir()}
        assert store.put(lab, KIND, measured) == folder
        assert store.methods(lab) == {**dict.fromkeys(NIGHTLY, "oracle"), KIND: "measurement"}
        assert store.ensure(lab) == folder  # stays
        assert calix.load(folder / f"{KIND}_calix-native.pkl").provenance["method"] == "measurement"
        assert calix.load(folder.parent / "ebrains-stable" / f"{KIND}_cocolist.json.gz").provenance["method"] == "measurement"
        for path, data in before.items():
            assert (path.read_bytes() == data) == (not path.name.startswith(KIND))
        store.put(lab, KIND, calibrate(lab.specimen, NIGHTLY[KIND]))
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_missing_file_of_a_measured_calibration_comes_from_the_others(root, measured, caplog):
    with neckar.Lab(chip=7) as lab:
        folder = store.put(lab, KIND, measured)
        (folder / f"{KIND}_cocolist.pbin").unlink()
        store.ensure(lab)
        assert Calibration.loads((folder / f"{KIND}_cocolist.pbin").read_bytes()) == measured
        assert store.methods(lab)[KIND] == "measurement"
    assert caplog.text == ""


def test_a_measured_calibration_of_another_version_is_not_replaced_in_silence(root, measured, monkeypatch, caplog):
    with neckar.Lab(chip=7) as lab:
        folder = store.put(lab, KIND, measured)
        monkeypatch.setattr("neckar.calibration.oracle.MODEL_VERSION", "2099.1")
        store.ensure(lab)
        assert store.methods(lab)[KIND] == "oracle"
    assert "neckar calibrate --chip chip-7 --kind hagen_synin" in caplog.text
    assert Calibration.loads((folder / f"{KIND}_cocolist.pbin").read_bytes()).provenance["method"] == "oracle"


def test_only_what_notebooks_expect_is_put(root, measured):
    with neckar.Lab(chip=7) as lab:
        with pytest.raises(UnknownNameError, match="did you mean spiking"):
            store.put(lab, "spikin", measured)
        with pytest.raises(ConfigurationError, match="another target"):
            store.put(lab, "spiking2", measured)


@pytest.mark.parametrize("lab", [{"chip": 0}, {"chip": 7, "effects": "-mismatch"}], ids=["another seed", "without mismatch"])
def test_the_calibration_of_another_chip_is_refused_and_the_files_stay(root, measured, lab):
    with neckar.Lab(**lab) as other:
        folder = store.ensure(other)
        before = {path: path.read_bytes() for path in folder.iterdir()}
        with pytest.raises(ConfigurationError, match="chip-7 with mismatch") as said:
            store.put(other, KIND, measured)
        assert f"{other.specimen.id} with" in str(said.value)
        assert {path: path.read_bytes() for path in folder.iterdir()} == before


# ---- The command


def test_the_report_says_what_the_chip_does(root):
    """The converter of integration on lines: the oracle leaves 1.1 LSB of 15; equal numbers in table, report and file."""
    report, picture = root / "r.json", root / "r.png"
    result = invoke("--chip", 7, "--kind", "hagen_synin", "--method", "oracle", "--report", report, "-o", picture)
    assert result.exit_code == 0, result.output
    assert "virtual chip 7: hagen_synin, by oracle" in result.output
    assert "512 of 512 neurons reached all of their targets" in result.output
    with neckar.Lab(chip=7) as lab:
        assert set(store.methods(lab).values()) == {"oracle"}
    told = json.loads(report.read_text())
    assert (told["report_version"], told["chip"]["id"], told["chip"]["is_real"]) == (1, "chip-7", False)
    (one,) = told["calibrations"]
    assert (one["kind"], one["method"], one["chip_time_s"], one["ageing"], one["nights"]) == ("hagen_synin", "oracle", None, None, None)
    assert one["neurons"] == {"number": 512, "reached": 512, "missed": []}
    converter = one["quantities"]["converter"]
    assert len(converter["after"]["values"]) == 1024
    assert converter["after"]["spread"] < 1.5
    assert converter["ratio"] == pytest.approx(trimmed(np.array(converter["after"]["values"])) / converter["before"]["spread"], rel=1e-3)
    assert one["quantities"]["drivers"]["ratio"] < 0.5
    assert Path(one["folder"], "hagen_synin_cocolist.pbin").is_file()
    shape = imread(picture).shape
    assert shape[1] > 1000


def test_a_disk_that_refuses_the_files_still_gets_the_report(root, monkeypatch):
    def refuse(*_: object) -> None:
        raise CalibrationCacheError("no room in /there")

    monkeypatch.setattr(store, "put", refuse)
    monkeypatch.chdir(root)
    result = invoke("--kind", KIND, "--method", "oracle", "--report", root / "r.json")
    assert result.exit_code == 2
    assert "no room in /there" in result.output
    assert json.loads((root / "r.json").read_text())["calibrations"][0]["folder"] is None
    rescued = Calibration.loads((root / f"reference-{KIND}.pbin").read_bytes())
    assert rescued == calibrate(Specimen.reference(), NIGHTLY[KIND])


def test_ageing_is_told_in_table_report_and_picture(root):
    """A calibration of potentials, which is quick, looked at when it is a day old, and over two nights."""
    chip, target = Specimen.from_seed(7), PotentialTarget()
    found = calibrate(chip, target)
    seen = compared(neckar.Lab(chip=chip, instruments="open"), found, ("leak", "reset"))
    old = ageing.aged(chip, found, hours=(0.0, 24.0), names=("leak", "reset"))
    days = ageing.nights(chip, target, 2, names=("leak", "reset"))
    made = _calibration_report.Made("potentials", found, None, 0.3, seen, ageing=old, nights=days)
    lab = neckar.Lab(chip=chip)
    told = Console(width=100, record=True, file=io.StringIO())
    for table in _calibration_report.tables(lab, made):
        told.print(table)
    text = told.export_text()
    assert f"{old['leak'].error[1]:.2g}" in text
    assert f"{days[1].once['reset']:.2f}" in text
    described = json.loads(json.dumps(_calibration_report.as_dict(lab, [made])))["calibrations"][0]
    assert described["ageing"]["leak"]["hours"] == [0.0, 24.0]
    assert described["nights"][1]["once"] == days[1].once
    draw(lab, made, root / "r.png")
    assert imread(root / "r.png").shape[0] > 500


def test_what_is_endless_is_null_in_the_report(root):
    """A membrane that never falls has an endless time constant; JSON knows no such number."""
    chip = Specimen.from_seed(7)
    found = calibrate(chip, PotentialTarget(tau_mem_s=10e-6))
    times = np.r_[np.full(500, 10.0), np.full(12, np.inf)]
    made = _calibration_report.Made("potentials", found, None, 0.3, {"tau_mem": Comparison(times, times, np.full(512, 10.0))})
    described = json.loads(json.dumps(_calibration_report.as_dict(neckar.Lab(chip=chip), [made]), allow_nan=False))["calibrations"][0]
    assert described["quantities"]["tau_mem"]["after"] == {"median": 10.0, "spread": 0.0, "values": [10.0] * 500 + [None] * 12}


def test_a_night_whose_calibration_could_not_be_kept_says_so(monkeypatch, caplog):
    found = calibrate(Specimen.from_seed(7), PotentialTarget())

    def refused(*_: object, **__: object) -> None:
        raise CalibrationCacheError("the disk is full", found)

    monkeypatch.setattr(ageing, "calibrate", refused)
    (night,) = ageing.nights(Specimen.from_seed(7), PotentialTarget(), 1, names=("leak",))
    assert night.nightly["leak"] == pytest.approx(night.once["leak"], rel=0.05)  # the same codes, another run
    assert "the disk is full" in caplog.text


def test_nights_of_what_does_not_drift_are_refused_by_the_library_and_left_out_by_the_command(root):
    with pytest.raises(ConfigurationError, match="drift"):
        ageing.nights(Specimen.reference(), NIGHTLY[KIND], 2)
    result = invoke("--kind", KIND, "--method", "oracle", "--nights", 2)
    assert result.exit_code == 0
    assert "nothing of this calibration drifts" in result.output


def test_nights_are_kept_so_that_interrupted_ones_go_on(root, monkeypatch):
    """Three calibrations were asked for with a cache, the last of which is interrupted; the next call hands every one to the same cache."""
    kept: dict[object, Calibration] = {}
    made = []

    def measured_or_kept(cache, chip, target, effects, *, progress=None):
        assert cache == store.root() / "measured"
        if chip not in kept:
            if len(made) == 2:
                made.append("interrupted")
                raise KeyboardInterrupt
            made.append(chip.age_h)
            kept[chip] = calibrate(chip, target, "oracle", effects)
        return kept[chip]

    monkeypatch.setattr("neckar.calibration.cache.measured", measured_or_kept)
    monkeypatch.setattr(ageing, "read", lambda lab, calibration, name: np.zeros(512))
    with neckar.Lab(chip=7) as lab:
        asked_for = calibrate(lab.specimen, PotentialTarget())
        for _ in range(2):
            with contextlib.suppress(KeyboardInterrupt):
                days = nights_of_the_command(lab, asked_for, How.measurement, 3)
    assert made == [0.0, 24.0, "interrupted", 48.0]
    assert len(days) == 3


@pytest.fixture
def listens():
    """Let processes started from here hear Ctrl-C, although a shell that started the tests in the background has switched it off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("listens")
def test_a_command_that_is_interrupted_goes_on(root):
    """Ctrl-C, then SIGKILL, each in a later stage than before; the third process ends with the calibration of an uninterrupted one."""
    begun: list[int] = []
    command = [sys.executable, "-m", "neckar", "calibrate", "--chip", "7", "--kind", KIND, "--report", str(root / "r.json")]
    for number, kill in enumerate((signal.SIGINT, signal.SIGKILL, None)):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert process.stderr is not None
        stages = []
        for line in process.stderr:
            if match := re.search(r"stage (\d+) of", line):
                stages.append(int(match[1]))
                if kill is not None and len(stages) == 2:
                    process.send_signal(kill)
                    break
        said = process.stderr.read()
        process.wait(timeout=120)
        if kill == signal.SIGINT:
            assert process.returncode == 130
            assert "goes on after the last finished stage" in said
        begun.append(stages[0])
        assert number == 0 or begun[-1] > begun[-2]
    assert process.returncode == 0
    told = json.loads((root / "r.json").read_text())["calibrations"][0]
    found = Calibration.loads(Path(told["folder"], f"{KIND}_cocolist.pbin").read_bytes())
    assert found == calibrate(Specimen.from_seed(7), NIGHTLY[KIND], "measurement")
    assert told["chip_time_s"] == pytest.approx(sum(stage["chip_time_s"] for stage in told["stages"]), abs=0.03)  # and the last write


def test_a_report_into_nowhere_is_refused_before_anything_is_measured(root):
    with pytest.raises(neckar.NeckarError, match="Create the folder first"):
        CliRunner().invoke(app, ["calibrate", "--report", str(root / "no" / "r.json")], catch_exceptions=False)
    assert not (root / "cache" / "measured").exists()


def test_a_measured_calibration_is_loaded_without_a_warning_on_its_chip(root, measured):
    with neckar.Lab(chip=7) as lab, warnings.catch_warnings():
        warnings.simplefilter("error")
        chip = pynn.helper.chip_from_file(store.put(lab, KIND, measured) / f"{KIND}_cocolist.pbin")
    np.testing.assert_array_equal(config_of(chip)["cadc_i_ramp_slope"], measured.fields["cadc_i_ramp_slope"])


def test_every_kind_can_be_asked_for():
    assert [kind.value for kind in Kind] == [*NIGHTLY, "all"]
    assert [how.value for how in How] == [*reversed(METHODS)]


def test_quantities_are_those_that_a_target_names():
    assert applicable(PotentialTarget()) == ("converter", "leak", "reset", "threshold")
    assert applicable(NIGHTLY["hagen_synin"]) == ("converter", "drivers")
    more = {"tau_mem", "tau_syn_exc", "tau_syn_inh", "psp_exc", "psp_inh", "drivers_stp"}
    assert set(applicable(NIGHTLY["spiking"])) - set(applicable(PotentialTarget())) == more
    assert "leak" not in applicable(NIGHTLY["hagen"])
    assert set(applicable(NIGHTLY["correlation"])) - set(applicable(NIGHTLY["spiking"])) == {"correlation_amplitude", "correlation_tau"}
