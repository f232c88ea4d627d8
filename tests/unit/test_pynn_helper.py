"""pynn.helper: paths where demos look, calibrated chips, and registers of a neuron by name."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

import neckar
import pynn_brainscales.brainscales2 as pynn
from dlens_vx_v3 import halco, lola
from dlens_vx_v3._container import config_of
from neckar.calibration import NIGHTLY, ForeignCalibrationWarning, calibrate
from neckar.chip.config import ChipConfig
from neckar.chip.specimen import Specimen
from neckar.errors import CorruptFileError, FileFormatError
from neckar.facts import registers
from neckar.lab import observe

HXNEURON = {name for name, row in registers("brainscales2").items() if row.hxneuron}


def test_the_path_without_a_chip_is_upstreams_literal(monkeypatch):
    monkeypatch.setenv("HXCOMM_ENABLE_ZERO_MOCK", "1")
    assert pynn.helper.nightly_calib_path() == Path("/wang/data/calibration/hicann-dls-sr-hx/zeromock/stable/latest/spiking_cocolist.pbin")
    assert pynn.helper.get_unique_identifier() == ["zeromock"]
    with pytest.raises(RuntimeError, match="HXCOMM_ENABLE_ZERO_MOCK") as caught:
        pynn.helper.chip_from_nightly()
    assert isinstance(caught.value, neckar.NeckarError)


def test_demos_find_their_files_beside_the_path(tmp_path, monkeypatch):
    """What the demos' get_nightly_calibration and save_nightly_calibration do."""
    monkeypatch.delenv("HXCOMM_ENABLE_ZERO_MOCK", raising=False)
    with neckar.Lab(chip=7):
        path = pynn.helper.nightly_calib_path()
        assert path.name == "spiking_cocolist.pbin"
        assert path.parts[-5:-1] == ("hicann-dls-sr-hx", "chip-7", "stable", "latest")
        assert isinstance(pynn.helper.chip_from_file(path.parent.joinpath("hagen_cocolist.pbin")), lola.Chip)
        for name in ("spiking_calix-native.pkl", "spiking2_calix-native.pkl", "correlation_calix-native.pkl", "hagen_cocolist.pbin"):
            shutil.copy(path.parent.parent.joinpath("latest-weekly", name), tmp_path / name)
        assert pynn.helper.get_unique_identifier() == ["chip-7"]


def test_the_nightly_chip_holds_the_calibration_of_the_labs_chip():
    with neckar.Lab(chip=7), warnings.catch_warnings():
        warnings.simplefilter("error")
        chip = pynn.helper.chip_from_nightly()
    expected = calibrate(Specimen.from_seed(7), NIGHTLY["spiking"])
    assert config_of(chip) == ChipConfig(expected.fields)
    neuron = chip.neuron_block.atomic_neurons[halco.AtomicNeuronOnDLS(halco.Enum(3))]
    assert neuron.leak.v_leak == expected.fields["leak_v_leak"][3]


def test_recordings_name_the_calibration_that_their_script_loaded():
    """By method, chip and the hash of the file; a script that loads none names none."""
    seen = []
    with observe(lambda program, recording, state: seen.append(recording.provenance)), neckar.Lab(chip=7):
        path = pynn.helper.nightly_calib_path()
        for initial in (pynn.helper.chip_from_nightly(), None):
            pynn.setup(initial_config=initial)
            pynn.Population(1, pynn.cells.HXNeuron()).record(["spikes"])
            pynn.run(0.001)
            pynn.end()
    named, unnamed = seen
    assert named.calibration == f"oracle, chip-7, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    assert unnamed.calibration is None


def test_a_calibration_of_another_chip_is_loaded_with_a_warning_that_names_both():
    with neckar.Lab(chip=7):
        path = pynn.helper.nightly_calib_path()
    with neckar.Lab(chip=8), pytest.warns(ForeignCalibrationWarning, match=r"chip-7.*chip-8") as caught:
        pynn.helper.chip_from_file(path)
    assert caught[0].filename == __file__
    with neckar.Lab(chip=7, effects="-mismatch"), pytest.warns(ForeignCalibrationWarning, match="without mismatch"):
        pynn.helper.chip_from_file(path)


def test_damaged_and_foreign_files_are_named(tmp_path):
    path = tmp_path / "spiking_cocolist.pbin"
    path.write_bytes(calibrate(Specimen.reference(), NIGHTLY["hagen_synin"]).dumps()[:-5])
    with pytest.raises(CorruptFileError, match=r"spiking_cocolist\.pbin' is cut short"):
        pynn.helper.chip_from_file(path)
    with pytest.raises(FileFormatError, match="binary archive of the real platform"):
        pynn.helper.chip_from_portable_binary(b"\x01\x10\x00\x00\x00\x00\x00\x00\x00")
    with pytest.raises(TypeError, match="chip_from_file"):
        pynn.helper.chip_from_portable_binary(str(path))


def test_values_of_a_neuron_have_the_names_of_hxneuron():
    neuron = lola.AtomicNeuron()
    neuron.leak.v_leak = 700
    neuron.threshold.enable = True
    values = pynn.helper.get_values_of_atomic_neuron(neuron, exclude=["leak_i_bias"])
    assert HXNEURON - set(values) == {"leak_i_bias"}
    assert values["leak_v_leak"] == 700.0
    assert isinstance(values["leak_v_leak"], float)
    assert values["threshold_enable"] is True
    assert not np.isnan(list(values.values())).any()


@pytest.mark.parametrize("name", sorted(HXNEURON))
def test_every_name_decomposes_into_group_and_register(name):
    group, register = pynn.helper.decompose_in_member_names(name)
    assert group in pynn.helper.ATOMIC_NEURON_MEMBERS
    assert f"{group}_{register}" == name
    assert hasattr(getattr(lola.AtomicNeuron(), group), register)


def test_a_name_of_no_group_keeps_its_name():
    assert pynn.helper.decompose_in_member_names("nonsense_value") == ("", "nonsense_value")
