"""The cache of calix.calibrate: what is found, in which order folders count, and what happens when files cannot be read or written."""

from __future__ import annotations

import errno
import hashlib
import logging
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import calix
import calix.hagen
import neckar
from calix import _cache, _calibrate
from calix._stages import measure_part
from calix.common import base
from calix.common.exceptions import CalibNotSuccessful
from dlens_vx_v3 import hxcomm
from dlens_vx_v3._container import config_of
from neckar.calibration import ForeignCalibrationWarning, HagenSyninTarget, SpikingTarget, tell_origin
from neckar.calibration.measure import Stage
from neckar.errors import CalibrationCacheError, ConfigurationError

Target = calix.hagen.HagenSyninCalibTarget  # the fastest


@pytest.fixture(autouse=True)
def made(monkeypatch) -> list[Any]:
    """Return the chips that are calibrated, by the oracle."""
    monkeypatch.setenv("NECKAR_CALIBRATION_METHOD", "oracle")
    seen: list[Any] = []
    true = _calibrate.neckar_calibrate
    monkeypatch.setattr(_calibrate, "neckar_calibrate", lambda chip, *rest, **named: (seen.append(chip.id), true(chip, *rest, **named))[1])
    return seen


def refuse(number: int):
    """Return a function that refuses to write a file."""

    def write(path: Path, data: bytes, **_: object) -> None:
        raise OSError(number, "refused", str(path))

    return write


def test_a_known_target_is_read_and_gives_the_same_result(made, tmp_path):
    first, second = (calix.calibrate(Target(), cache_paths=[tmp_path]) for _ in range(2))
    assert len(made) == 1
    assert config_of(first.to_chip()) == config_of(second.to_chip())
    assert second.target == first.target
    (file,) = tmp_path.iterdir()
    assert len(bytes.fromhex(file.name)) == hashlib.sha256().digest_size
    assert calix.load(file).to_chip() == first.to_chip()
    with file.open("rb") as stream:
        assert pickle.load(stream).to_chip() == first.to_chip()


def test_other_targets_options_chips_effects_and_methods_have_other_files(tmp_path):
    target, options = Target(), calix.hagen.HagenSyninCalibOptions()
    louder, silent = Target(synapse_dac_bias=700), calix.hagen.HagenSyninCalibOptions()
    silent.cadc_options.calibrate_offsets = False
    lab = neckar.Lab()
    names = {
        _cache.file_name(target, options, lab, "oracle"),
        _cache.file_name(louder, options, lab, "oracle"),
        _cache.file_name(target, silent, lab, "oracle"),
        _cache.file_name(target, options, lab, "measurement"),
        _cache.file_name(target, options, neckar.Lab(chip=3), "oracle"),
        _cache.file_name(target, options, neckar.Lab(effects="-mismatch"), "oracle"),
        _cache.file_name(target, options, neckar.Lab(effects="-noise"), "measurement"),
    }
    assert len(names) == 7
    assert _cache.file_name(Target(), calix.hagen.HagenSyninCalibOptions(), neckar.Lab(effects="-noise", seed=4), "oracle") in names


def test_folders_count_in_their_order_and_the_first_one_that_can_be_written_is_used(made, tmp_path, monkeypatch):
    shared, own, spare = (tmp_path / name for name in ("shared", "own", "spare"))
    true = _cache.write_whole
    monkeypatch.setattr(_cache, "write_whole", lambda path, data, **how: refuse(errno.EROFS)(path, data) if path.parent == shared else true(path, data, **how))
    calix.calibrate(Target(), cache_paths=[shared, own, spare])
    assert [len(list(folder.iterdir())) if folder.exists() else 0 for folder in (shared, own, spare)] == [0, 1, 0]
    (file,) = own.iterdir()
    calix.calibrate(Target(), cache_paths=[shared, spare, own])
    assert len(made) == 1
    file.replace(shared / file.name)
    calix.calibrate(Target(), cache_paths=[shared, own])
    assert len(made) == 1


def test_without_folders_nothing_is_kept_and_read_only_ones_are_only_read(made, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("NECKAR_CALIBRATION_CACHE", str(tmp_path / "site"))
    for _ in range(2):
        calix.calibrate(Target(), cache_paths=[])
        calix.calibrate(Target(), cache_paths=[tmp_path / "mine"], cache_read_only=True)
        Target().calibrate(None)
    assert len(made) == 6
    assert list(tmp_path.iterdir()) == []
    assert _cache.default_paths() == [tmp_path / "site" / "hicann-dls-sr-hx" / "cache", tmp_path / "xdg" / "calix"]
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _cache.default_paths()[1] == tmp_path / ".cache" / "calix"
    calix.calibrate(Target())
    assert len(list((tmp_path / "site" / "hicann-dls-sr-hx" / "cache").iterdir())) == 1


def test_damaged_and_foreign_files_are_named_not_opened_and_replaced(made, tmp_path, caplog):
    opened = tmp_path / "opened"

    class Evil:
        def __reduce__(self):
            return Path.touch, (opened,)

    folder = tmp_path / "cache"
    calix.calibrate(Target(), cache_paths=[folder])
    (file,) = folder.iterdir()
    good = file.read_bytes()
    for content in (pickle.dumps(Evil()), good[:1000], good[:1000] + b"\0\0" + good[1002:], b""):
        file.write_bytes(content)
        caplog.clear()
        calix.calibrate(Target(), cache_paths=[folder])
        assert file.name in caplog.text
        assert file.read_bytes() == good
    assert len(made) == 5
    assert not opened.exists()


def test_a_whole_file_of_another_chip_under_this_chips_name_is_named_and_replaced(made, tmp_path, caplog):
    for chip in (1, 3):
        calix.calibrate(Target(), cache_paths=[tmp_path / str(chip)], connection=neckar.Lab(chip=chip))
    (mine,), (other,) = (list((tmp_path / str(chip)).iterdir()) for chip in (1, 3))
    good = mine.read_bytes()
    mine.write_bytes(other.read_bytes())
    calix.calibrate(Target(), cache_paths=[tmp_path / "1"], connection=neckar.Lab(chip=1))
    assert mine.read_bytes() == good
    assert "another chip" in caplog.text
    assert len(made) == 3


def test_ages_that_differ_in_any_digit_have_other_files():
    target, options = Target(), calix.hagen.HagenSyninCalibOptions()
    ages = (1234567.0, 1234567.5, 1234568.0)
    chips = [neckar.Lab(chip=neckar.Specimen.from_seed(7, age_h=age)) for age in ages]
    assert len({_cache.file_name(target, options, lab, "oracle") for lab in chips}) == len(ages)


def test_one_folder_may_be_named_without_a_list_and_other_things_are_refused(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path / "a", str(tmp_path / "a")):
        calix.calibrate(Target(), cache_paths=folder)
    assert len(made) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    for wrong in (3, [3], {"a": 1}):
        with pytest.raises(ConfigurationError, match="cache_paths="):
            calix.calibrate(Target(), cache_paths=wrong)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_result_that_cannot_be_kept_is_returned_and_the_reason_logged(made, tmp_path, monkeypatch, caplog, number):
    monkeypatch.setattr(_cache, "write_whole", refuse(number))
    assert calix.calibrate(Target(), cache_paths=[tmp_path]).neuron_result is not None
    assert "not cached" in caplog.text
    assert str(tmp_path) in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_measurement_that_neckar_cannot_keep_is_returned_all_the_same(tmp_path, monkeypatch, caplog):
    finished = neckar.calibration.calibrate(neckar.Specimen.reference(), HagenSyninTarget())
    calls = []
    caplog.set_level(logging.DEBUG, "pylogging.calix.calibrate")

    def measure(chip, target, method, effects, cache=None, progress=None):
        progress("converter", 0, 4)
        calls.append(cache)
        if cache is not None:
            raise CalibrationCacheError("disk full", finished if len(calls) == 1 else None)
        return finished

    monkeypatch.setattr(_calibrate, "neckar_calibrate", measure)
    for number, expected in ((1, [True]), (2, [True, True, False])):
        result = calix.calibrate(Target(), cache_paths=[tmp_path / str(number)], method="measurement")
        np.testing.assert_array_equal(result.syn_i_bias_dac, finished.fields["syn_i_bias_dac"])
        assert [cache is not None for cache in calls] == expected
    assert "disk full" in caplog.text
    assert "Stage 1 of 4: converter" in caplog.text


class OwnTarget(base.TopLevelCalibTarget):
    """A target that calibrates itself, as upstream's test of the cache has one."""

    def calibrate(self, connection, options=None):
        assert isinstance(connection, base.StatefulConnection)
        return OwnResult(target=None, options=None, was_made=True)


@dataclass
class OwnResult(base.CalibResult):
    """A result that forgets that it was made."""

    was_made: bool = False

    def __getstate__(self):
        return {"target": None, "options": None}


def test_targets_of_ones_own_are_cached_as_well(tmp_path):
    assert calix.calibrate(OwnTarget(), cache_paths=[tmp_path]).was_made
    assert not calix.calibrate(OwnTarget(), cache_paths=[tmp_path]).was_made
    for _ in range(2):
        assert calix.calibrate(OwnTarget(), cache_paths=[]).was_made


def test_pickles_are_neither_read_from_nor_written_to_the_sites_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("NECKAR_CALIBRATION_CACHE", str(tmp_path / "site"))
    shared, user = _cache.default_paths()
    calix.calibrate(OwnTarget())
    (file,) = user.iterdir()
    assert not shared.exists()
    shared.mkdir(parents=True)
    file.replace(shared / file.name)
    for paths in (None, [shared]):
        assert calix.calibrate(OwnTarget(), cache_paths=paths).was_made


@pytest.mark.parametrize("length", [0, 1, 20, -1])
def test_a_truncated_pickle_is_named_and_made_anew(tmp_path, caplog, length):
    calix.calibrate(OwnTarget(), cache_paths=[tmp_path])
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:length])
    assert calix.calibrate(OwnTarget(), cache_paths=[tmp_path]).was_made
    assert file.name in caplog.text
    assert not calix.calibrate(OwnTarget(), cache_paths=[tmp_path]).was_made


def test_a_part_that_is_measured_says_on_which_chip(tmp_path):
    stage = Stage("nothing", lambda bench, rng: {})
    with neckar.Lab(chip=3) as lab, hxcomm.ManagedConnection() as connection:
        found = measure_part(connection, SpikingTarget(), None, (stage,))
        assert found.provenance["chip_seed"] == "3"
        assert found.provenance["method"] == "measurement"
        tell_origin(found.provenance, lab, "it")
    with pytest.warns(ForeignCalibrationWarning, match="chip-3"):
        tell_origin(found.provenance, neckar.Lab(chip=4), "it")


def test_the_chip_of_a_connection_holds_the_result_from_the_cache_or_not(made, tmp_path):
    with neckar.Lab(chip=3) as lab:
        for _ in range(2):
            with hxcomm.ManagedConnection() as connection:
                result = calix.calibrate(Target(), cache_paths=[tmp_path], connection=base.StatefulConnection(connection))
                registers = connection.session.state.registers
                np.testing.assert_array_equal(registers["cadc_channel_offset"].reshape(-1), result.cadc_result.channel_offset)
                np.testing.assert_array_equal(registers["syn_i_bias_dac"], result.syn_i_bias_dac)
        runs = lab.runs
    assert made == ["chip-3"]
    assert runs == 4  # the start of each connection, and its result


def test_a_connection_without_a_chip_is_refused(monkeypatch):
    with hxcomm.ManagedMultiZeroMockConnection() as connection, pytest.raises(CalibNotSuccessful, match="without a chip"):
        calix.calibrate(Target(), cache_paths=[], connection=connection)
    monkeypatch.setenv("HXCOMM_ENABLE_ZERO_MOCK", "1")
    with pytest.raises(CalibNotSuccessful, match="HXCOMM_ENABLE_ZERO_MOCK"):
        calix.calibrate(Target(), cache_paths=[])
