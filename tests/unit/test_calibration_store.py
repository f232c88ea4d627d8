"""The calibration files: upstream's layout, made once, whole or not at all, by any number of processes."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neckar
from neckar.calibration import NIGHTLY, Calibration, NeuronTarget, SpikingTarget, calibrate, store
from neckar.calibration.targets import from_json, key_of
from neckar.chip.config_file import loads
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.errors import CalibrationCacheError, CorruptFileError, FileFormatError, ParameterRangeError, UnknownNameError


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(store.ENVIRONMENT, str(tmp_path))
    return tmp_path


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


# ---- The calibration as data


@pytest.mark.parametrize("kind", NIGHTLY)
def test_a_calibration_survives_its_bytes(kind):
    found = calibrate(Specimen.from_seed(2), NIGHTLY[kind])
    assert Calibration.loads(found.dumps()) == found
    assert Calibration.loads(found.dumps_text()) == found
    assert pickle.loads(pickle.dumps(found)) == found


@pytest.mark.parametrize("kind", NIGHTLY)
def test_targets_survive_json(kind):
    import json

    target = NIGHTLY[kind]
    assert from_json(json.loads(json.dumps(target.as_json()))) == target
    assert key_of(target) == key_of(from_json(target.as_json()))


def test_the_same_chip_gets_the_same_calibration_and_another_one_another():
    first, again, other = (calibrate(Specimen.from_seed(seed), NIGHTLY["spiking"]) for seed in (4, 4, 5))
    assert first == again
    assert (first.fields["leak_v_leak"] != other.fields["leak_v_leak"]).mean() > 0.9
    assert first.provenance["chip"] == "chip-4"
    assert first.provenance["method"] == "oracle"


def test_a_calibration_contradicting_itself_or_without_target_is_named():
    found = calibrate(Specimen.reference(), NIGHTLY["hagen_synin"])
    from neckar.chip.config_file import dumps

    with pytest.raises(FileFormatError, match="no calibration"):
        Calibration.loads(dumps(found.fields, found.provenance))
    with pytest.raises(CorruptFileError, match="contradicts itself"):
        Calibration.loads(dumps(found.fields, {"calibration_target": "{", "calibration_success": "{}"}))
    with pytest.raises(FileFormatError, match="no target"):
        Calibration.loads(dumps(found.fields, {"calibration_target": "{}", "calibration_success": "{}"}))


def test_methods_that_do_not_exist_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean oracle"):
        calibrate(Specimen.reference(), SpikingTarget(), "oracel")  # type: ignore[arg-type]
    with pytest.raises(ParameterRangeError, match="circuit 3"):
        NeuronTarget(tau_mem_s=np.where(np.arange(512) == 3, 1.0, 1e-5))


# ---- The files


def test_the_layout_is_upstreams(root):
    with neckar.Lab(chip=7) as lab:
        folder = store.ensure(lab)
        assert folder == store.folder_of(lab)
    stable = root / "hicann-dls-sr-hx" / "chip-7" / "stable"
    assert folder == stable / "latest"
    kinds = ("hagen", "hagen_synin", "spiking", "spiking2", "correlation")
    names = {f"{kind}_{form}" for kind in kinds for form in ("calix-native.pkl", "cocolist.pbin", "cocolist.json.gz")}
    for name in ("latest", "latest-weekly", "ebrains-stable", "ebrains-experimental"):
        assert {path.name for path in (stable / name).iterdir()} == names
        assert (stable / name / "spiking_cocolist.pbin").read_bytes() == (folder / "spiking_cocolist.pbin").read_bytes()


def test_all_formats_hold_the_same_calibration(root):
    with neckar.Lab(chip=7) as lab:
        folder = store.ensure(lab)
    for kind, target in NIGHTLY.items():
        binary = Calibration.loads((folder / f"{kind}_cocolist.pbin").read_bytes())
        assert binary == calibrate(Specimen.from_seed(7), target)
        assert Calibration.loads((folder / f"{kind}_cocolist.json.gz").read_bytes()) == binary
        inside = store.native_content((folder / f"{kind}_calix-native.pkl").read_bytes())
        assert inside is not None
        assert Calibration.loads(inside) == binary


def test_a_second_call_makes_nothing(root):
    with neckar.Lab(chip=7) as lab:
        folder = store.ensure(lab)
        before = {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*")}
        store.ensure(lab)
    assert {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*")} == before


def test_missing_and_stale_files_are_made_anew(root, monkeypatch):
    with neckar.Lab(chip=7) as lab:
        folder = store.ensure(lab)
        first = content(root)
        (folder / "hagen_cocolist.pbin").unlink()
        (folder.parent / "latest-weekly" / "spiking_calix-native.pkl").unlink()
        store.ensure(lab)
        assert content(root) == first
        monkeypatch.setattr("neckar.calibration.oracle.MODEL_VERSION", "2099.1")
        store.ensure(lab)
        assert loads((folder / "hagen_cocolist.pbin").read_bytes())[1]["model_version"] == "2099.1"


def test_what_somebody_damaged_is_named_and_can_be_deleted(root):
    with neckar.Lab(chip=7) as lab:
        path = store.ensure(lab) / "spiking_cocolist.pbin"
        path.write_bytes(path.read_bytes()[:100])
        assert store.ensure(lab) == path.parent
        with pytest.raises(CorruptFileError, match="can be deleted"):
            loads(path.read_bytes(), f"file {path}")
        path.unlink()
        store.ensure(lab)
    loads(path.read_bytes())


def test_chips_that_differ_have_folders_of_their_own():
    chip, default = Specimen.from_seed(7), Effects()
    names = [
        store.identifier(chip, default),
        store.identifier(chip, Effects.ideal()),
        store.identifier(Specimen.from_seed(7, age_h=24), default),
        store.identifier(Specimen("chip-7", 7, overrides={"chip_leak_offset": np.array(3.0)}), default),
        store.identifier(Specimen("my chip/1", 7), default),
        store.identifier(Specimen.reference(), default),
    ]
    assert names[0] == "chip-7"
    assert names[-1] == "reference"
    assert len(set(names)) == len(names)
    assert all("/" not in name and " " not in name for name in names)
    assert store.identifier(chip, Effects.parse("-noise,-event_loss")) == "chip-7"


def test_a_chip_without_mismatch_gets_equal_codes(root):
    with neckar.Lab(chip=7, effects="ideal") as lab:
        fields, provenance = loads((store.ensure(lab) / "spiking_cocolist.pbin").read_bytes())
    assert np.ptp(fields["leak_v_leak"]) == 0
    assert '"mismatch": false' in provenance["effects"]


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv(store.ENVIRONMENT, str(blocked))
    with neckar.Lab(chip=7) as lab, pytest.raises(OSError, match="NECKAR_CALIBRATION_CACHE") as caught:
        store.ensure(lab)
    assert isinstance(caught.value, CalibrationCacheError)
    assert str(blocked) in str(caught.value)


def test_a_full_disk_leaves_no_part_of_a_file(root, monkeypatch):
    real = Path.open
    written = []

    def full(self: Path, mode: str = "r", *how: Any, **more: Any) -> Any:
        stream = real(self, mode, *how, **more)
        if "x" in mode:
            written.append(self)
            if len(written) > 10:
                stream.write(bytes(50))
                stream.close()
                raise OSError(28, "No space left on device")
        return stream

    monkeypatch.setattr(Path, "open", full)
    with neckar.Lab(chip=7) as lab:
        with pytest.raises(CalibrationCacheError, match="No space left"):
            store.ensure(lab)
        monkeypatch.undo()
        monkeypatch.setenv(store.ENVIRONMENT, str(root))
        for name, data in content(root).items():
            assert not name.endswith(".tmp")
            if name.endswith(".pbin"):
                loads(data)
        assert len(content(store.ensure(lab).parent)) == 4 * 15 + 1


SCRIPT = """
import neckar
from neckar.calibration import store
with neckar.Lab(chip=7) as lab:
    print("ready", flush=True)
    input()
    store.ensure(lab)
"""


def start(root: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, store.ENVIRONMENT: str(root)}
    return subprocess.Popen([sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("\n")
    process.stdin.flush()


def test_two_processes_make_the_same_files_at_once(root, tmp_path_factory):
    processes = [start(root) for _ in range(2)]
    for process in processes:
        go(process)
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    alone = tmp_path_factory.mktemp("alone")
    single = start(alone)
    go(single)
    assert single.wait(timeout=120) == 0
    assert content(root) == content(alone)


@pytest.mark.slow
def test_a_killed_process_leaves_whole_files_only(root):
    """SIGKILL at 20 moments of the work; the 21st process finishes it."""
    for moment in np.random.default_rng(0).uniform(0, 1.5, 20):
        process = start(root)
        go(process)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        for name, data in content(root).items():
            if name.endswith(".pbin") and "/." not in name:
                loads(data, name)
            if name.endswith(".pkl") and "/." not in name:
                inside = store.native_content(data)
                assert inside is not None
                loads(inside, name)
    with neckar.Lab(chip=7) as lab:
        assert len(list(store.ensure(lab).glob("*_*"))) >= 15
