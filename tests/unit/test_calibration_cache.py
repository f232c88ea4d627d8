"""Measured calibrations that are kept: interruptions, several processes, full disks, damaged files."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neckar.calibration import Calibration, PotentialTarget, cache, calibrate, measure, oracle
from neckar.calibration.file_journal import FileJournal, NumberedChip
from neckar.calibration.files import locked
from neckar.calibration.measure import Stage
from neckar.chip import config_file
from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.errors import CalibrationCacheError, FileFormatError
from neckar.lab import Lab
from neckar.program import Program, Snippet
from neckar.whole_file import write_whole

CHIP = Specimen.from_seed(7)
TARGET = PotentialTarget()
QUICK = ("neurons", "leak", "reset", "spikes")


@pytest.fixture
def short(monkeypatch) -> list[str]:
    """Leave out the stages that take longest; return the names of the stages that run."""
    ran: list[str] = []
    whole = measure.plan

    def noted(stage: Stage) -> Stage:
        def run(bench, rng):
            ran.append(stage.name)
            return stage.run(bench, rng)

        return stage._replace(run=run)

    monkeypatch.setattr(measure, "plan", lambda target: tuple(noted(stage) for stage in whole(target) if stage.name in QUICK))
    return ran


@pytest.fixture
def unwritten(monkeypatch) -> dict[Path, Calibration]:
    empty: dict[Path, Calibration] = {}
    monkeypatch.setattr(cache, "_unwritten", empty)
    return empty


def interrupt_before(stage: str):
    def progress(name: str, number: int, count: int) -> None:
        if name == stage:
            raise KeyboardInterrupt

    return progress


def names(folder: Path) -> set[str]:
    return {path.suffix for path in folder.iterdir()}


# ---- Interruption


def test_an_interrupted_calibration_goes_on_after_the_last_finished_stage_and_has_the_same_bits(short, tmp_path):
    whole = calibrate(CHIP, TARGET, "measurement")
    assert short == list(QUICK)
    short.clear()
    for stage in ("reset", "spikes"):
        with pytest.raises(KeyboardInterrupt):
            calibrate(CHIP, TARGET, "measurement", cache=tmp_path, progress=interrupt_before(stage))
    found = calibrate(CHIP, TARGET, "measurement", cache=tmp_path)
    assert short == list(QUICK)  # each once, in three calls
    assert found == whole
    assert found.provenance == whole.provenance  # chip time and programs of all calls
    assert names(tmp_path) == {".pbin", ".lock"}  # what was kept in between is gone


def test_a_kept_calibration_is_returned_without_measuring(short, tmp_path):
    first = calibrate(CHIP, TARGET, "measurement", cache=tmp_path)
    short.clear()
    assert calibrate(CHIP, TARGET, "measurement", cache=tmp_path) == first
    assert short == []


def test_a_stage_that_was_damaged_is_measured_again(short, tmp_path, caplog):
    with pytest.raises(KeyboardInterrupt):
        calibrate(CHIP, TARGET, "measurement", cache=tmp_path, progress=interrupt_before("reset"))
    for path in tmp_path.glob("*.journal/*-chip.h5"):
        path.write_bytes(path.read_bytes()[:1000])
    short.clear()
    calibrate(CHIP, TARGET, "measurement", cache=tmp_path)
    assert short == list(QUICK)
    assert "measured again" in caplog.text


def test_a_damaged_calibration_is_measured_again(short, tmp_path, caplog):
    first = calibrate(CHIP, TARGET, "measurement", cache=tmp_path)
    (path,) = tmp_path.glob("*.pbin")
    path.write_bytes(path.read_bytes()[:300])
    assert calibrate(CHIP, TARGET, "measurement", cache=tmp_path) == first
    assert "measured again" in caplog.text


class Memory:
    """A journal that cannot keep the chip: after a reset all codes are written again."""

    checkpoint: measure.Checkpoint | None = None

    def kept(self, stages: Sequence[str]) -> measure.Checkpoint | None:
        return self.checkpoint and self.checkpoint._replace(sent={})

    def keep(self, checkpoint: measure.Checkpoint) -> None:
        self.checkpoint = checkpoint._replace(codes=dict(checkpoint.codes))


def test_finished_stages_are_taken_over_by_a_chip_that_was_reset(short):
    journal, stopped = Memory(), interrupt_before("reset")
    lab = Lab(chip=CHIP, effects=Effects(), instruments="silicon", seed=0)
    with pytest.raises(KeyboardInterrupt):
        measure.measure(lab.session(), TARGET, journal=journal, progress=stopped)
    assert journal.checkpoint is not None
    kept = dict(journal.checkpoint.codes)
    with lab.session() as session:
        found = measure.measure(session, TARGET, journal=journal)
        assert session.state is not None
        np.testing.assert_array_equal(session.state.registers["leak_v_leak"], found.fields["leak_v_leak"])
    assert short == list(QUICK)
    assert found.reached().all()
    for name in set(kept) - {"reset_v_reset", "threshold_enable"}:
        np.testing.assert_array_equal(found.fields[name], kept[name], err_msg=name)
    assert found.provenance["programs"] == str(sum(cost.programs for cost in journal.checkpoint.costs) + 1)  # the last one writes the result


def test_a_checkpoint_survives_bit_by_bit(tmp_path):
    checkpoint = kept_after_one_stage(tmp_path)
    kept = FileJournal(tmp_path, NumberedChip(Lab(chip=CHIP))).kept(["one", "two"])
    assert kept is not None
    assert kept.costs == checkpoint.costs
    np.testing.assert_array_equal(kept.success["leak_v_leak"], checkpoint.success["leak_v_leak"])


def kept_after_one_stage(folder: Path) -> measure.Checkpoint:
    """Let a chip run a program, and keep it with one finished stage, ``one``."""
    chip = NumberedChip(Lab(chip=CHIP))
    chip.run(Program(machine="brainscales2", config=ChipConfig.default().as_mapping(), snippets=(Snippet(100),)))
    checkpoint = measure.Checkpoint((measure.Cost("one", 0.1 + 0.2, 1),), {}, {}, {"leak_v_leak": np.arange(512) > 3}, None)
    FileJournal(folder, chip).keep(checkpoint)
    return checkpoint


def test_a_journal_of_other_stages_leaves_the_chip_as_it_was(tmp_path, caplog):
    kept_after_one_stage(tmp_path)
    chip = NumberedChip(Lab(chip=CHIP))
    fresh = chip.session
    for stages in (["other"], ["other", "one"], []):
        assert FileJournal(tmp_path, chip).kept(stages) is None
    assert chip.session is fresh
    assert "are not used" in caplog.text


@pytest.mark.parametrize(
    ("name", "text"), [("costs", '[["one", 0.3, 1, "more"]]'), ("costs", '[["one"]]'), ("success", '{"leak_v_leak": "x"}'), ("provenance", "{")]
)
def test_a_journal_that_cannot_be_read_to_its_end_leaves_the_chip_as_it_was(tmp_path, caplog, name, text):
    kept_after_one_stage(tmp_path)
    (path,) = tmp_path.glob("*-bench.pbin")
    codes, texts = config_file.loads(path.read_bytes(), "the journal")
    path.write_bytes(config_file.dumps(codes, {**texts, name: text}))
    chip = NumberedChip(Lab(chip=CHIP))
    fresh = chip.session
    assert FileJournal(tmp_path, chip).kept(["one"]) is None
    assert chip.session is fresh
    assert "measured again" in caplog.text


def test_a_calibration_whose_first_stage_was_renamed_has_the_bits_of_one_that_was_never_interrupted(short, tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        calibrate(CHIP, TARGET, "measurement", cache=tmp_path, progress=interrupt_before("reset"))
    plan = measure.plan
    monkeypatch.setattr(measure, "plan", lambda target: (plan(target)[0]._replace(name="membranes"), *plan(target)[1:]))
    whole = calibrate(CHIP, TARGET, "measurement")
    assert calibrate(CHIP, TARGET, "measurement", cache=tmp_path) == whole


def test_everything_that_changes_a_calibration_changes_its_key():
    aged = Specimen.from_seed(7, age_h=5.0)
    keys = [
        cache.key(CHIP, Effects(), TARGET),
        cache.key(Specimen.from_seed(8), Effects(), TARGET),
        cache.key(aged, Effects(), TARGET),
        cache.key(CHIP, Effects(noise=False), TARGET),
        cache.key(CHIP, Effects(), PotentialTarget(leak=81)),
        cache.key(CHIP, Effects(), TARGET, seed=1),
        cache.key(Specimen("chip-7", 7, overrides={"chip_leak_offset": np.array(3.0)}), Effects(), TARGET),
    ]
    assert len(set(keys)) == len(keys)
    assert cache.key(Specimen("my chip", 7), Effects(), TARGET) == keys[0]
    assert cache.key(aged, Effects(drift=False), TARGET) == cache.key(CHIP, Effects(drift=False), TARGET)


SCRIPT = """
import sys
from pathlib import Path
from neckar.calibration import PotentialTarget, calibrate
from neckar.chip.specimen import Specimen
calibrate(Specimen.from_seed(7), PotentialTarget(), "measurement", cache=Path(sys.argv[1]), progress=lambda *stage: print(*stage, flush=True))
"""


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_kill_9_loses_no_finished_stage(tmp_path):
    """Two processes, each killed when it says that its third stage begins; the next one begins with that stage, and the bits are those without interruption."""
    last = "converter"
    for _ in range(2):
        process = start(tmp_path)
        assert process.stdout is not None
        stages = [process.stdout.readline().split()[0] for _ in range(3)]
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        assert stages[0] == last
        last = stages[-1]
    assert start(tmp_path).wait(timeout=60) == 0
    assert calibrate(CHIP, TARGET, "measurement", cache=tmp_path) == calibrate(CHIP, TARGET, "measurement")


def test_a_kept_file_is_read_only_for_what_it_was_made_for():
    """Every text of the origin that the cache compares, one at a time; the file itself is whole."""
    effects = Effects()
    found = oracle.calibrate(CHIP, effects, TARGET)
    measured = replace(found, provenance={**found.provenance, "method": "measurement"})
    assert cache.read(measured.dumps(), "it", CHIP, effects, TARGET) == measured
    assert cache.read(found.dumps(), "it", CHIP, replace(effects, noise=False), TARGET, "oracle") == found
    for name, text in {
        "chip_seed": "8",
        "overrides": "0" * 64,
        "age_h": "5.0",
        "method": "oracle",
        "effects": json.dumps({**effects.as_dict(), "noise": False}),
    }.items():
        other = replace(measured, provenance={**measured.provenance, name: text})
        with pytest.raises(FileFormatError, match="another chip"):
            cache.read(other.dumps(), "it", CHIP, effects, TARGET)
    with pytest.raises(FileFormatError, match="target"):
        cache.read(measured.dumps(), "it", CHIP, effects, PotentialTarget(leak=81))


def test_a_whole_file_of_another_chip_under_this_chips_name_is_measured_again(short, tmp_path, caplog):
    path = cache.path_of(tmp_path, CHIP, Effects(), TARGET)
    path.write_bytes(oracle.calibrate(Specimen.from_seed(8), Effects(), TARGET).dumps())
    found = calibrate(CHIP, TARGET, "measurement", cache=str(tmp_path))  # a folder may be named by a text
    assert short == list(QUICK)
    assert found.provenance["chip_seed"] == "7"
    assert Calibration.loads(path.read_bytes()) == found
    assert "measured again" in caplog.text


# ---- Several at once


def test_an_unwritten_calibration_that_another_thread_takes_first_is_no_error(short, tmp_path, monkeypatch):
    class TakenMeanwhile(dict):
        """Looks as if it held what another thread has just taken."""

        def __contains__(self, path: object) -> bool:
            return True

    kept = calibrate(CHIP, TARGET, "measurement", cache=tmp_path)
    monkeypatch.setattr(cache, "_unwritten", TakenMeanwhile())
    assert calibrate(CHIP, TARGET, "measurement", cache=tmp_path) == kept


def test_of_two_at_once_one_measures_and_the_other_waits_for_its_result(short, tmp_path, caplog):
    found: list[Calibration] = []
    caplog.set_level(logging.WARNING)
    threads = [threading.Thread(target=lambda: found.append(calibrate(CHIP, TARGET, "measurement", cache=tmp_path))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert found[0] == found[1]
    assert short == list(QUICK)
    assert "waiting for it" in caplog.text


@pytest.mark.slow
def test_two_processes_leave_one_whole_calibration(tmp_path):
    processes = [start(tmp_path) for _ in range(2)]
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(len(text.splitlines()) for text in said) == [0, 7]  # one measured six stages, the other none
    assert names(tmp_path) == {".pbin", ".lock"}


HOLDER = """
import pathlib, sys, time
from neckar.calibration.files import locked
with locked(pathlib.Path(sys.argv[1]), "x"):
    print(1, flush=True)
    time.sleep(60)
"""


def test_a_lock_whose_holder_was_killed_is_free(tmp_path):
    path = tmp_path / "x.lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"1\n"
    taken = threading.Event()

    def take() -> None:
        with locked(path, "x"):
            taken.set()

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    assert not taken.wait(0.2)
    holder.send_signal(signal.SIGKILL)
    holder.wait(timeout=10)
    assert taken.wait(10)


# ---- A disk that refuses


def full(monkeypatch, suffixes: tuple[str, ...]) -> None:
    """Let writes of files with these suffixes fail after some bytes, as on a full disk."""
    real = Path.open

    def opened(self: Path, mode: str = "r", *how: Any, **more: Any) -> Any:
        stream = real(self, mode, *how, **more)
        if "x" in mode and any(suffix in self.name for suffix in suffixes):
            stream.write(bytes(50))
            stream.close()
            raise OSError(28, "No space left on device")
        return stream

    monkeypatch.setattr(Path, "open", opened)


def test_a_full_disk_does_not_lose_a_finished_calibration(short, unwritten, tmp_path, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        full(patch, (".pbin", ".h5"))
        with pytest.raises(CalibrationCacheError, match="No space left") as caught:
            calibrate(CHIP, TARGET, "measurement", cache=tmp_path)
        assert str(tmp_path) in str(caught.value)
        assert "NECKAR_CALIBRATION_CACHE" in str(caught.value)
        assert isinstance(caught.value, OSError)
        assert caplog.text.count("finished stages cannot be kept") == 1
        assert short == list(QUICK)
        found = caught.value.calibration
        assert calibrate(CHIP, TARGET, "measurement", cache=tmp_path) == found  # still full, still there
    assert not list(tmp_path.rglob("*.tmp"))
    assert calibrate(CHIP, TARGET, "measurement", cache=tmp_path) == found
    assert short == list(QUICK)
    (path,) = tmp_path.glob("*.pbin")
    assert Calibration.loads(path.read_bytes()) == found
    assert unwritten == {}


def test_no_finished_journal_stays_once_a_full_disk_has_room_again(short, unwritten, tmp_path, monkeypatch):
    """The disk takes the finished stages and refuses the result."""
    path = cache.path_of(tmp_path, CHIP, Effects(), TARGET)
    with monkeypatch.context() as patch:
        full(patch, (path.name,))
        with pytest.raises(CalibrationCacheError):
            calibrate(CHIP, TARGET, "measurement", cache=tmp_path)
    assert names(tmp_path) == {".journal", ".lock"}
    calibrate(CHIP, TARGET, "measurement", cache=tmp_path)
    assert names(tmp_path) == {".pbin", ".lock"}


def test_a_folder_that_cannot_be_made_is_named_before_anything_is_measured(short, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CalibrationCacheError, match="another folder") as caught:
        calibrate(CHIP, TARGET, "measurement", cache=tmp_path / "file" / "folder")
    assert short == []
    assert caught.value.calibration is None


def test_an_error_of_the_measurement_itself_is_not_taken_for_one_of_the_cache(short, tmp_path, monkeypatch):
    def broken(*_: object) -> None:
        raise OSError("the chip's link is down")

    with pytest.raises(OSError, match="link is down") as caught:
        calibrate(CHIP, TARGET, "measurement", cache=tmp_path, progress=broken)
    assert not isinstance(caught.value, CalibrationCacheError)


LIMITED = """
import pathlib, resource, sys
from neckar.whole_file import write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_whole(pathlib.Path(sys.argv[1]), bytes(5000))
except OSError as error:
    print(error)
"""


def test_a_file_system_with_a_limit_leaves_no_part_of_a_file(tmp_path):
    """The operating system itself refuses: a limit on the size of files, in a process of its own."""
    path = tmp_path / "file"
    said = subprocess.run([sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "File too large" in said
    assert list(tmp_path.iterdir()) == []
    write_whole(path, bytes(5000))
    assert path.stat().st_size == 5000


def test_leftovers_of_killed_writers_are_swept_and_fresh_ones_are_not(short, tmp_path):
    old, fresh = tmp_path / ".a.0.tmp", tmp_path / ".b.1.tmp"
    forgotten, waiting = tmp_path / "other-version.journal", tmp_path / "other-chip.journal"
    for folder in (forgotten, waiting):
        folder.mkdir()
        (folder / "003-chip.h5").write_bytes(b"")
    for path in (old, fresh):
        path.write_bytes(b"")
    os.utime(old, (time.time() - 7200,) * 2)
    for path in (forgotten / "003-chip.h5", forgotten, waiting):  # a file of the last one is new
        os.utime(path, (time.time() - 31 * 24 * 3600,) * 2)
    calibrate(CHIP, TARGET, "measurement", cache=tmp_path)
    assert not old.exists()
    assert fresh.exists()
    assert not forgotten.exists()
    assert waiting.exists()
