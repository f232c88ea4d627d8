"""Calibrating cells: which targets reach which circuit, when a calibration is made, and whose values the runs use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import calix
import neckar
import pynn_brainscales.brainscales2 as pynn
from calix.spiking import SpikingCalibOptions, SpikingCalibTarget
from dlens_vx_v3 import hxcomm, lola
from dlens_vx_v3._container import config_of
from neckar.errors import ConfigurationError, ParameterRangeError

Cuba, Coba = pynn.cells.CalibHXNeuronCuba, pynn.cells.CalibHXNeuronCoba
PREPARE = pynn.RunCommand.PREPARE
CIRCUITS = [7, 300, 2, 500]


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[SpikingCalibTarget]]:
    """Yield the targets of the calibrations that are made, by the oracle."""
    monkeypatch.setenv("NECKAR_CALIBRATION_METHOD", "oracle")
    seen: list[SpikingCalibTarget] = []
    true = calix.calibrate

    def spy(target, options=None, cache_paths=None, *rest, **named):
        seen.append((target, options, cache_paths))
        return true(target, options, cache_paths, *rest, **named)

    monkeypatch.setattr(calix, "calibrate", spy)
    with neckar.Lab(chip=3):
        yield seen
    monkeypatch.setattr(pynn.simulator, "state", None)


def test_each_circuit_gets_the_targets_of_its_neuron(calls):
    start = SpikingCalibTarget()
    start.neuron_target.leak.fill(90)
    start.stp_target.v_charge_0.fill(120)
    options = SpikingCalibOptions()
    pynn.setup(neuronPermutation=CIRCUITS, injected_calib_target=start, injected_calib_options=options, calibration_cache=[])
    pynn.Population(2, Cuba(v_rest=[60, 85.7], v_reset=71, v_thresh=130, tau_m=[8, 12], tau_syn_E=5, tau_syn_I=6, cm=50, tau_refrac=3, i_synin_gm_I=400))
    pynn.Population(1, Coba(e_rev_E=250, i_synin_gm_E=500, i_synin_gm_I=400, synapse_dac_bias=600))
    pynn.run(None, PREPARE)
    ((target, given, cache),) = calls
    assert (given, cache) == (options, [])
    n = target.neuron_target
    rows = [*CIRCUITS[:3], 0]
    assert n.leak.to_numpy()[rows].tolist() == [60, 85, 110, 90]
    assert n.reset.to_numpy()[rows].tolist() == [71, 71, 100, 70]
    assert n.threshold.to_numpy()[rows].tolist() == [130, 130, 160, 125]
    assert n.membrane_capacitance.to_numpy()[rows].tolist() == [50, 50, 63, 63]
    np.testing.assert_allclose(n.tau_mem.to_numpy()[rows], [8e-6, 12e-6, 10e-6, 10e-6])
    np.testing.assert_allclose(n.tau_syn.to_numpy()[rows], [[5e-6, 6e-6], [5e-6, 6e-6], [1e-5, 1e-5], [1e-5, 1e-5]])
    np.testing.assert_allclose(n.refractory_time.to_numpy()[rows], [3e-6, 3e-6, 2e-6, 2e-6])
    np.testing.assert_array_equal(n.coba_synin.e_coba_reversal.to_numpy()[rows], [[np.nan] * 2, [np.nan] * 2, [250, 30], [np.nan] * 2])
    assert n.cuba_synin.i_synin_gm.to_numpy().tolist() == [500, 400]
    assert int(n.synapse_dac_bias) == 600
    assert target.stp_target.v_charge_0.to_numpy().tolist() == [120] * 4


def test_neurons_run_with_the_codes_of_the_calibration_and_with_what_the_user_made_of_them(calls):
    pynn.setup(neuronPermutation=CIRCUITS)
    neurons = pynn.Population(3, Cuba())
    plain = pynn.Population(1, pynn.cells.HXNeuron(leak_v_leak=555))
    neurons.record("spikes")
    pynn.run(None, PREPARE)
    found = config_of(calix.calibrate(*calls[0]).to_chip())
    for name in ("calib_hwparams", "actual_hwparams"):
        assert [int(circuit.leak.v_leak) for circuit in getattr(neurons, name)] == found["leak_v_leak"][CIRCUITS[:3]].tolist()
        assert [int(circuit.leak.v_leak) for circuit in getattr(neurons[1:], name)] == found["leak_v_leak"][CIRCUITS[1:3]].tolist()
    assert isinstance(neurons.calib_hwparams, list)
    assert isinstance(neurons.actual_hwparams, tuple)
    assert neurons.calib_target["v_rest"].tolist() == [80, 80, 80]
    assert neurons[[0, 2]].calib_target.shape == (2,)
    neurons[1:3].actual_hwparams[1].leak.v_leak = 1022
    pynn.run(0.2)
    assert [len(train) > 5 for train in neurons.get_data("spikes").segments[-1].spiketrains] == [False, False, True]
    assert int(neurons.calib_hwparams[2].leak.v_leak) != 1022
    assert plain.get("leak_v_leak") == 555
    codes = pynn.simulator.state.mapped[0].codes
    assert codes["leak_v_leak"][CIRCUITS].tolist() == [*found["leak_v_leak"][CIRCUITS[:2]].tolist(), 1022, 555]
    np.testing.assert_array_equal(codes["cadc_channel_offset"], found["cadc_channel_offset"])


def test_only_changed_targets_calibrate_again_and_drop_the_users_changes(calls):
    pynn.setup()
    neurons = pynn.Population(2, Cuba())
    pynn.run(None, PREPARE)
    before = [int(circuit.leak.v_leak) for circuit in neurons.actual_hwparams]
    neurons.actual_hwparams[0].leak.v_leak = 1022
    for _ in range(2):
        pynn.run(0.01)
        pynn.reset()
    assert len(calls) == 1
    assert int(neurons.actual_hwparams[0].leak.v_leak) == 1022
    neurons[1:].set(v_rest=100)
    pynn.run(0.01)
    assert len(calls) == 2
    after = [int(circuit.leak.v_leak) for circuit in neurons.actual_hwparams]
    assert after[0] == before[0]
    assert after[1] > before[1] + 40
    assert neurons.calib_target["v_rest"].tolist() == [80, 100]
    pynn.reset()
    more = pynn.Population(1, Cuba())  # its circuit has had these targets before
    pynn.run(0.01)
    assert len(calls) == 2
    assert len(more.actual_hwparams) == 1


@pytest.mark.parametrize("name", ["synapse_dac_bias", "i_synin_gm_E", "i_synin_gm_I"])
def test_a_target_of_the_whole_chip_cannot_differ_between_neurons(calls, name):
    pynn.setup()
    neurons = pynn.Population(2, Cuba())
    neurons.set(**{name: [400, 500]})
    with pytest.raises(RuntimeError, match=rf"{name} is 400 .* and 500"):
        pynn.run(0.01)
    pynn.reset()
    neurons.set(**{name: 400})
    other = pynn.Population(1, Cuba())
    with pytest.raises(RuntimeError, match="equal for all neurons"):
        pynn.run(0.01)
    pynn.reset()
    other.set(**{name: 400})
    pynn.run(0.01)
    assert len(calls) == 1


def test_targets_that_circuits_reach_badly_warn_and_impossible_ones_are_refused(calls, caplog):
    pynn.setup(calibration_cache=[])
    neurons = pynn.Population(1, Cuba(tau_m=80))
    pynn.run(0.01)
    assert "tau_mem_s of circuit 0 is asked to be 8e-05 s; circuits reach 5e-07 to 6e-05 s well" in caplog.text
    pynn.reset()
    neurons.set(tau_m=1e5)
    with pytest.raises(ValueError, match=r"tau_mem_s of circuit 0 is 0\.1 s"):
        pynn.run(0.01)
    neurons.set(tau_m=10, v_thresh=400)
    with pytest.raises(OverflowError):
        pynn.run(0.01)


@pytest.mark.parametrize(("name", "wrong", "highest"), [("v_rest", 900, 255), ("v_reset", -3, 255), ("v_thresh", np.nan, 255), ("cm", 64, 63)])
def test_what_is_out_of_range_is_named_with_its_cell(calls, name, wrong, highest):
    pynn.setup()
    values = [pynn.cells.CalibHXNeuronCuba.default_parameters[name]] * 3
    pynn.Population(3, pynn.cells.CalibHXNeuronCuba(**{name: [*values[:2], wrong]}), label="mine")
    with pytest.raises(ParameterRangeError, match=f"{name} of cell 2 of population 'mine' is {wrong}; allowed: 0 to {highest}"):
        pynn.run(0.1)
    assert not calls


def test_masks_select_circuits_and_ones_that_select_nothing_are_refused(calls):
    pynn.setup()
    neurons = pynn.Population(3, Cuba())
    pynn.run(None, PREPARE)
    for selector in ([False, True, True], [1, 2], np.array([1, 2]), slice(1, 3)):
        assert [circuit is neurons.actual_hwparams[i] for i, circuit in enumerate(neurons[selector].actual_hwparams, 1)] == [True, True]
    with pytest.raises(IndexError, match="mask of length 3"):
        neurons[np.zeros(3, bool)]
    with pytest.raises(IndexError, match="selects none"):
        neurons[3:]


def test_calibrated_neurons_of_a_network_for_several_instances_are_calibrated_where_they_are(calls):
    pynn.setup()
    mine = pynn.Population(3, Cuba(v_rest=[80, 90, 100]), label="mine")
    pynn.Population(512, pynn.cells.HXNeuron())
    pynn.run(0.01)
    assert len(calls) == 1
    assert len(mine.actual_hwparams) == 3


def test_an_initial_configuration_is_overwritten_and_the_rest_of_it_stays(calls, caplog):
    chip = lola.Chip()
    config_of(chip)["synapse_weight", 0, 200] = 17
    config_of(chip)["leak_v_leak"] = 3
    pynn.setup(initial_config=chip)
    pynn.Population(1, Cuba())
    pynn.run(None, PREPARE)
    assert "initial_config, which is overwritten" in caplog.text
    base = pynn.simulator.state.base_config()
    assert base["leak_v_leak"].min() > 100
    assert base["synapse_weight"][0, 200, 0] == 17
    assert config_of(chip)["leak_v_leak"].max() == 3


def test_the_chip_of_a_connection_is_calibrated_and_the_cache_is_the_users(calls, tmp_path: Path):
    with neckar.Lab(chip=8), hxcomm.ManagedConnection() as connection:
        pass_on = connection
        with neckar.Lab(chip=3):
            pynn.setup(connection=pass_on, calibration_cache=[str(tmp_path)])
            neurons = pynn.Population(1, Cuba())
            pynn.run(0.01)
        (file,) = tmp_path.iterdir()
        assert calix.load(file).provenance["chip"] == "chip-8"
        assert int(neurons.actual_hwparams[0].leak.v_leak) == int(calix.load(file).neuron_result.neurons[pynn.halco.AtomicNeuronOnDLS()].leak.v_leak)


def test_setup_checks_what_a_calibration_starts_from():
    for keyword, value in {"calibration_cache": [3], "injected_calib_target": SpikingCalibOptions(), "injected_calib_options": 5}.items():
        with pytest.raises(ConfigurationError, match=keyword):
            pynn.setup(**{keyword: value})
