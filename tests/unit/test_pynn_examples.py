"""The examples of the PyNN front end run on a virtual chip and show what they are meant to show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neckar
import pynn_brainscales.brainscales2 as pynn
from dlens_vx_v3 import halco
from neckar import Effects, Lab
from neckar.chip.machine import MODEL_VERSION
from neckar.errors import ConfigurationError
from pynn_brainscales.brainscales2.examples import (
    calibhxneuron,
    chip_plotter_usage_example,
    crossbar_event_counter_read,
    external_input,
    internal_projections,
    isi_calib,
    leak_over_threshold,
    multicompartment,
    partitioned_network,
    single_neuron_demo,
)
from pynn_brainscales.brainscales2.utils import chip_plotter


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynn.simulator, "state", None)


def test_neurons_above_threshold_fire_and_inputs_are_recorded_as_sent() -> None:
    leak_over_threshold.main(leak_over_threshold.cell_params)
    fired, sent = external_input.main(external_input.cell_params)
    assert sent.magnitude == pytest.approx(0.01 + 0.02 * np.arange(10), abs=1e-3)
    assert len(fired) > 0
    assert internal_projections.main() > 0


def test_the_crossbar_counts_every_event_of_a_relay() -> None:
    """Upstream accepts 160 to 240 of 200; without random loss on the links none is missing."""
    with Lab(effects=Effects(event_loss=False)):
        counts = crossbar_event_counter_read.main(num_spikes=200, runtime=20.0)
    assert counts == {output: 200 if int(output) in (0, 8) else 0 for output in halco.iter_all(halco.CrossbarOutputOnDLS)}


def test_the_interval_between_spikes_is_found_within_the_published_uncertainty() -> None:
    interval, code = isi_calib.calibrate_isi(0.01)
    assert interval == pytest.approx(0.01, abs=0.001)
    assert code in range(5, 256, 10)


def test_the_first_compartment_rises_first() -> None:
    membranes = multicompartment.main(length=3, runtime=0.15)
    assert [membrane.annotations["source_locations"] for membrane in membranes] == [["comp0"], ["comp1"], ["comp2"]]
    rises = [membrane.times[int(membrane.magnitude.argmax())] for membrane in membranes]
    assert rises == sorted(rises)


def test_a_network_larger_than_the_chip_is_relayed() -> None:
    spiketrains = partitioned_network.main()
    assert len(spiketrains) == 1000
    counts = np.array([len(spiketrain) for spiketrain in spiketrains])
    assert counts.max() <= 10 * 50  # as many as all sources send
    assert counts[0] > 40  # hundreds of neurons fire at once; those first in the queues to the host get through


def test_single_neurons_rest_fire_and_spread() -> None:
    at_rest, firing, spread, _ = single_neuron_demo.main()
    assert float(at_rest[0].irregularlysampledsignals[0].magnitude.std()) < 5  # the noise of the converter
    assert len(at_rest[0].spiketrains[0]) == 0
    assert len(firing[0].spiketrains[0]) > 1
    assert len({len(segment.spiketrains[0]) for segment in spread}) > 1  # circuits differ


def test_drawings_show_every_circuit_and_synapse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    numbers = chip_plotter_usage_example.setup_synfire_chain(False, 3, 2, 2)
    assert numbers == {"exc": [0, 1], "inh": [2, 3], "stim": [4]}
    neurons, synapses = chip_plotter.chip_map(mark_rows=False)
    assert [int((neurons == number).sum()) for number in range(5)] == [3, 3, 2, 2, 0]
    drawn = np.array([int((synapses == number).sum()) for number in range(5)])
    sent = [sum(len(projection) for projection in pynn.simulator.state.projections if projection.pre is one) for one in pynn.simulator.state.populations]
    assert drawn.tolist() == sent
    plotter = chip_plotter.ChipPlotter(population_contrast_groups=numbers)
    plotter.add_plot_chip_map(separate_view=True, color_is_source=False)
    plotter.add_plot_matrix(custom_title="mine")
    with pytest.raises(RuntimeError, match="plot_all"):
        plotter.save_all(str(tmp_path))
    plotter.plot_all()
    plotter.save_all(str(tmp_path), ["png"])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["plot_0.png", "plot_1.png"]
    plotter.remove_plot(0)
    plotter.clear_all_plots()
    with pytest.raises(KeyError, match="alpha"):
        plotter.add_plot_matrix(alhpa=1)
    plotter.add_plot_chip_map(population_contrast_groups={"mine": [pynn.simulator.state.populations[0]]})
    with pytest.raises(ConfigurationError, match="allowed are 0 to 4"):
        plotter.plot_all()


def test_changes_of_a_calibration_make_neurons_fire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NECKAR_CALIBRATION_METHOD", "oracle")
    spikes = [len(spiketrain) for spiketrain in calibhxneuron.main()]
    assert min(spikes[0], spikes[2]) > 2 * max(spikes[1], spikes[3])


def test_data_say_which_virtual_chip_with_which_effects_model_and_seed_they_come_from() -> None:
    with Lab(chip="7", effects="-noise", seed=5):
        pynn.setup()
        population = pynn.Population(1, pynn.cells.HXNeuron(), label="mine")
        population.record("v")
        for _ in range(2):
            pynn.run(0.01)
            pynn.reset()
        block = population.get_data()
        pynn.end()
    expected = {
        "neckar_version": neckar.__version__,
        "neckar_model_version": MODEL_VERSION,
        "neckar_virtual_chip": "chip-7",
        "neckar_effects": "mismatch, quantisation, saturation, event_loss, drift",
        "neckar_instruments": "silicon",
        "neckar_lab_seed": 5,
        "neckar_run_numbers": [0, 1],
    }
    assert {name: value for name, value in block.annotations.items() if name.startswith("neckar_")} == expected
    assert block.segments[0].annotations == {}
    assert (block.annotations["label"], block.annotations["simulator"]) == ("mine", pynn.simulator.name)
