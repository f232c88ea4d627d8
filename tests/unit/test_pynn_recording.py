"""Recording: rules, neo objects, segments, clearing, and splitting over executions."""

from __future__ import annotations

from pathlib import Path

import neo
import numpy as np
import pytest
import quantities as pq
from fake_session import FIRST_SPIKE_TICK, FakeLab

import pynn_brainscales.brainscales2 as pynn
from neckar.errors import ConfigurationError
from neckar.lab import Lab
from pynn_brainscales.brainscales2.recording import RecordingConfiguration

APPEND = pynn.RunCommand.APPEND
MS = 2e-6

pytestmark = pytest.mark.usefixtures("experiment")


def neurons(n: int) -> pynn.Population:
    return pynn.Population(n, pynn.cells.HXNeuron(), label="mine")


@pytest.mark.parametrize("variable", ["v", "exc_synin", "inh_synin", "adaptation"])
def test_each_analog_variable_is_read_from_its_source(lab: FakeLab, variable: str) -> None:
    population = neurons(1)
    population.record(variable)
    pynn.run(0.1)
    (channel,) = lab.sessions[0].programs[0].record.madc
    assert channel.source == {"v": "membrane"}.get(variable, variable)
    (signal,) = population.get_data().segments[0].irregularlysampledsignals
    assert signal.name == variable


def test_a_neuron_records_one_analog_variable(lab: FakeLab) -> None:
    population = neurons(2)
    population[0:1].record("v")
    with pytest.raises(ValueError, match="inh_synin, v"):
        population.record("inh_synin")
    with pytest.raises(ValueError):
        population[1:2].record(["v", "adaptation"])
    assert set(population.recorder.recorded) == {"v"}
    population[1:2].record("adaptation")
    population[0:1].record("v")
    population.record(None)
    population.record("inh_synin")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"variables": "undefined"}, RuntimeError),
        ({"variables": ["spikes", "w"]}, RuntimeError),
        ({"variables": "v", "device": "nonexistent"}, ValueError),
        ({"variables": "v", "device": "pad_2"}, ValueError),
        ({"variables": "v", "device": "pad_0_un_buffered"}, ValueError),
        ({"variables": "v", "sampling_interval": 1.0}, NotImplementedError),
        ({"variables": "v", "locations": ["soma"]}, RuntimeError),
    ],
)
def test_what_cannot_be_recorded_is_refused_whole(arguments: dict, error: type[Exception]) -> None:
    population = neurons(1)
    with pytest.raises(error):
        population.record(**arguments)
    assert not any(population.recorder.recorded.values())


def test_what_cannot_be_recorded_is_refused_in_whole_sentences() -> None:
    with pytest.raises(RuntimeError, match=r"^HXNeuron cannot record 'V'\. It records spikes"):
        neurons(1).record("V")
    with pytest.raises(ConfigurationError, match=r"^device is 'oscilloscope'\. Allowed are madc"):
        neurons(1).record("v", device="oscilloscope")


def test_the_device_chooses_the_converter(lab: FakeLab) -> None:
    """One record per source, all circuits of all populations in it; upstream's software lets the loop read as often as it can, 1.7 us at best."""
    one, other = neurons(3), neurons(2)
    one[0:2].record("v", device="cadc")
    one[2:3].record(["spikes", "v"])
    other.record("adaptation", device="cadc")
    pynn.run(0.1)
    record = lab.sessions[0].programs[0].record
    assert [(c.circuits, c.source, c.period, c.memory) for c in record.cadc] == [((3, 4), "adaptation", 850, "sram"), ((0, 1), "membrane", 850, "sram")]
    assert [channel.circuit for channel in record.madc] == [2]
    signals = one.get_data().segments[-1].irregularlysampledsignals
    assert [(s.annotations["device"], s.annotations["source_ids"]) for s in signals] == [("madc", [2]), ("cadc", [0]), ("cadc", [1])]
    for k, signal in enumerate(signals[1:]):
        assert signal.name == "v"
        assert signal.magnitude.dtype == np.float32
        assert set(signal.magnitude[:, 0].tolist()) == {100.0 + k}
        np.testing.assert_allclose(signal.times.magnitude, np.arange(0, 50_000, 850) * MS, rtol=1e-6)
    assert one[2:3].get_data("v").segments[-1].irregularlysampledsignals[0].annotations["device"] == "madc"
    assert len(other.get_data().segments[-1].irregularlysampledsignals) == 2


def test_a_neuron_on_both_converters_gives_two_signals_of_one_variable(lab: FakeLab) -> None:
    population = neurons(1)
    population.record("v")
    population.record("v", device="cadc")
    with pytest.raises(ValueError, match="adaptation, v"):
        population.record("adaptation", device="cadc")
    pynn.run(0.05)
    assert [s.annotations["device"] for s in population.get_data("v").segments[-1].irregularlysampledsignals] == ["madc", "cadc"]
    population.record(None)
    assert population.recorder.configuration == RecordingConfiguration()


def test_all_neurons_of_a_chip_are_read_in_parallel_with_codes_of_8_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a virtual chip; runs longer than 0.2 ms lose samples, as upstream's multi-compartment example warns."""
    monkeypatch.setattr(pynn.simulator, "current_lab", Lab)
    pynn.setup()
    population = pynn.Population(512, pynn.cells.HXNeuron(leak_v_leak=700, leak_i_bias=1000, membrane_capacitance_capacitance=63))
    population.record(["v"], device="cadc")
    pynn.run(0.5)
    signals = population.get_data("v").segments[-1].irregularlysampledsignals
    pynn.end()
    assert len(signals) == 512
    for signal in signals:
        assert 90 <= len(signal) <= 100
        assert 0 <= signal.magnitude.min() <= signal.magnitude.max() <= 255
        assert np.diff(signal.times.magnitude).min() >= 1.7e-3 - 1e-5
        assert 0.15 < signal.times.magnitude[-1] < 0.21
    assert np.mean([float(s.magnitude.mean()) for s in signals]) == pytest.approx((0.552 - 0.06) / 4.5e-3, abs=6)


@pytest.mark.parametrize("device", ["pad_0", "pad_0_buffered", "pad_0_unbuffered", "pad_1", "pad_1_buffered", "pad_1_unbuffered"])
@pytest.mark.parametrize("variable", ["v", "exc_synin", "inh_synin", "adaptation"])
def test_a_pad_shows_a_neuron_and_records_nothing(lab: FakeLab, device: str, variable: str) -> None:
    """Upstream's test_pad_readout: every pad, mode and variable is accepted. What a pad shows is measured outside the chip."""
    population = neurons(1)
    population.record(variable, device=device)
    pynn.run(0.01)
    assert len(population.get_data().segments[-1].irregularlysampledsignals) == 0
    record = lab.sessions[0].programs[0].record
    assert (record.madc, record.cadc) == ((), ())
    population.record(None)
    assert population.recorder.pads == {}


def test_a_pad_shows_one_neuron_in_one_mode() -> None:
    one, other = neurons(2), neurons(1)
    with pytest.raises(ValueError, match="'pad_0' was asked to show 2 neurons or modes; a pad shows one"):
        one.record("v", device="pad_0")
    one[0:1].record("v", device="pad_0")
    one[0:1].record("v", device="pad_0_buffered")
    for population, device in ((one[0:1], "pad_0_unbuffered"), (one[1:2], "pad_0"), (other, "pad_0")):
        with pytest.raises(ValueError, match="a pad shows one"):
            population.record("v", device=device)
    other.record("v", device="pad_1_unbuffered")
    with pytest.raises(ValueError, match="adaptation, v"):
        one[0:1].record("adaptation", device="madc")


def test_spikes_ignore_the_device() -> None:
    population = neurons(1)
    population.record("spikes", device="anything")
    assert population.recorder.configuration.spikes


def test_spike_trains_have_hardware_times_and_annotations() -> None:
    neurons(3)
    population = neurons(2)
    population.record("spikes")
    pynn.run(0.2)
    trains = population.get_data("spikes").segments[-1].spiketrains
    assert len(trains) == 2
    for i, train in enumerate(trains):
        period = FIRST_SPIKE_TICK * (3 + i + 1)
        np.testing.assert_allclose(train.magnitude, np.arange(period, 100_000, period) * MS)
        assert train.dtype == np.float64
        assert (train.t_start, train.t_stop, train.units) == (0 * pq.ms, 0.2 * pq.ms, pq.ms)
        assert isinstance(train.base, pq.Quantity)
        expected = {"source_population": "mine", "source_id": 3 + i, "source_location": "unlabeled", "source_compartment": 0, "source_index": i}
        assert train.annotations == expected


def test_analog_signals_have_float32_values_and_times_and_annotations() -> None:
    neurons(6)
    population = neurons(2)
    population[1:2].record("v")
    pynn.run(0.2)
    segment = population.get_data().segments[-1]
    (signal,) = segment.irregularlysampledsignals
    assert isinstance(signal, neo.IrregularlySampledSignal)
    assert signal.shape == (-(-100_000 // 17), 1)
    assert (signal.magnitude == 7).all()
    assert signal.magnitude.dtype == np.float32
    assert (signal.times.magnitude == signal.times.magnitude.astype(np.float32)).all()  # neo widens the type, not the values
    np.testing.assert_allclose(signal.times.magnitude[:4], np.array([0, 16, 32, 48]) * MS)
    assert (signal.units, signal.times.units, signal.name) == (pq.dimensionless, pq.ms, "v")
    expected = {"device": "madc", "source_ids": [7], "source_locations": ["unlabeled"], "source_population": "mine", "source_compartments": [0]}
    assert signal.annotations == expected
    assert signal.array_annotations["channel_index"] == [1]
    assert signal.base.magnitude is not None
    assert signal.segment is segment
    assert float(signal.mean()) == 7
    assert len(population[0:1].get_data("v").segments[-1].irregularlysampledsignals) == 0


def test_blocks_describe_their_population() -> None:
    population = neurons(2)
    population.annotate(colour="blue")
    population.record("spikes")
    pynn.run(0.1)
    block = population.get_data()
    assert (block.name, block.annotations["size"], block.annotations["simulator"], block.annotations["colour"]) == ("mine", 2, "HX", "blue")
    assert block.segments[0].block is block
    assert block.segments[0].name == "segment000"


def test_snippets_give_one_object_each_where_recorded(lab: FakeLab) -> None:
    population = neurons(1)
    population.record(["spikes", "v"])
    pynn.run(0.1, APPEND)
    population.record(None)
    pynn.run(0.1, APPEND)
    population.record("spikes")
    pynn.run(0.2)
    segment = population.get_data().segments[0]
    assert [(float(train.t_start), float(train.t_stop)) for train in segment.spiketrains] == [(0, 0.1), (0.2, 0.4)]
    assert [train.times.min() >= train.t_start for train in segment.spiketrains] == [True, True]
    assert len(segment.irregularlysampledsignals) == 1
    records = [snippet.record or lab.sessions[0].programs[0].record for snippet in lab.sessions[0].programs[0].snippets]
    assert [(record.spikes, len(record.madc)) for record in records] == [((0,), 1), ((), 0), ((0,), 0)]


def test_a_neuron_without_spikes_gives_an_empty_train() -> None:
    neurons(400)
    population = neurons(1)
    population.record("spikes")
    pynn.run(0.1)
    (train,) = population.get_data().segments[0].spiketrains
    assert len(train) == 0


def test_recorded_sources_return_what_was_sent() -> None:
    population = pynn.Population(2, pynn.cells.SpikeSourceArray(spike_times=[[0.05, 0.01, 0.3], [0.15]]))
    population.record("spikes")
    pynn.run(0.1, APPEND)
    pynn.run(0.1)
    trains = population.get_data().segments[0].spiketrains
    for train, times in zip(trains, ([0.01, 0.05], [], [], [0.15]), strict=True):
        np.testing.assert_allclose(train.magnitude, times, atol=8e-6)
    with pytest.raises(RuntimeError, match="SpikeSourceArray cannot record 'v'"):
        population.record("v")


def test_each_run_before_a_reset_is_a_segment() -> None:
    population = neurons(1)
    population.record("v")
    with pytest.raises(IndexError):
        population.get_data()
    pynn.reset()
    for runtime in (0.1, 0.2, 0.3):
        pynn.run(runtime)
        pynn.reset()
        pynn.reset()
    pynn.run(0.4)
    segments = population.get_data().segments
    assert [round(float(segment.irregularlysampledsignals[0].t_stop), 2) for segment in segments] == [0.1, 0.2, 0.3, 0.4]
    assert population.get_data().segments[0] is segments[0]
    assert population.get_data("v").segments[0] is population.get_data("v").segments[0]  # kept signals of many runs share it
    assert len({segment.name for segment in segments}) == 4


def test_annotations_of_a_reset_stay_with_the_segment() -> None:
    population = neurons(1)
    population.record("spikes")
    pynn.run(0.1)
    pynn.reset(annotations={"trial": 3})
    assert population.get_data().segments[0].annotations == {"trial": 3}


def test_clearing_drops_the_data_of_one_population() -> None:
    populations = [neurons(1), neurons(1)]
    for population in populations:
        population.record("spikes")
    pynn.run(0.1)
    pynn.reset()
    pynn.run(0.1)
    assert len(populations[0].get_data(clear=True).segments) == 2
    after = populations[0].get_data().segments
    assert [len(segment.spiketrains) for segment in after] == [0]
    assert [len(segment.spiketrains) for segment in populations[1].get_data().segments] == [1, 1]
    pynn.reset()
    with pytest.raises(IndexError):
        populations[0].get_data()
    pynn.run(0.1)
    pynn.reset()
    assert len(populations[0].get_data().segments) == 1


def test_recording_nothing_drops_the_current_data_of_the_whole_population() -> None:
    population = neurons(2)
    population.record("v")
    pynn.run(0.1)
    pynn.reset()
    pynn.run(0.1)
    population[0:1].record(None)
    assert [len(segment.irregularlysampledsignals) for segment in population.get_data().segments] == [2, 0]
    assert not any(population.recorder.recorded.values())


def test_views_get_their_cells_also_from_earlier_segments() -> None:
    population = neurons(3)
    population.record(["v", "spikes"])
    pynn.run(0.1)
    pynn.reset()
    pynn.run(0.1)
    for segment in population[1:2].get_data().segments:
        assert [train.annotations["source_index"] for train in segment.spiketrains] == [1]
        assert [signal.annotations["source_ids"] for signal in segment.irregularlysampledsignals] == [[1]]
    for segment in population.get_data(["spikes"]).segments:
        assert (len(segment.spiketrains), len(segment.irregularlysampledsignals)) == (3, 0)
    assert population[2:].get_data("v").segments[0].irregularlysampledsignals[0].magnitude[0] == 2


def test_an_unrecorded_population_gives_empty_segments() -> None:
    population = neurons(1)
    pynn.run(0.1)
    segment = population.get_data().segments[0]
    assert (len(segment.spiketrains), len(segment.irregularlysampledsignals)) == (0, 0)


def test_spike_counts() -> None:
    population = neurons(2)
    population.record("spikes")
    pynn.run(0.1)
    assert population.get_spike_counts() == {0: 9, 1: 4}
    assert population[1:].get_spike_counts() == {1: 4}
    assert population.mean_spike_count() == 6.5


def test_silicon_splits_the_converter_over_executions(lab: FakeLab) -> None:
    population = neurons(5)
    population.record(["v", "spikes"])
    pynn.run(0.1)
    programs = lab.sessions[0].programs
    assert [[channel.circuit for channel in program.record.madc] for program in programs] == [[0, 1], [2, 3], [4]]
    segment = population.get_data().segments[0]
    assert [signal.magnitude[0, 0] for signal in segment.irregularlysampledsignals] == [0, 1, 2, 3, 4]
    assert [train.magnitude[0] for train in segment.spiketrains] == pytest.approx([FIRST_SPIKE_TICK * (i + 1) * MS for i in range(5)])
    assert [len(program.config) > 0 for program in programs] == [True, False, False]


def test_split_executions_restore_the_configuration_of_the_first_snippet(lab: FakeLab) -> None:
    population = neurons(4)
    population.record("v")
    pynn.run(0.1, APPEND)
    population.set(leak_v_leak=700)
    pynn.run(0.1)
    first, second = lab.sessions[0].programs
    assert second.config["leak_v_leak"][0] == first.config["leak_v_leak"][0] == 0
    assert second.snippets[1].config["leak_v_leak"][0] == first.snippets[1].config["leak_v_leak"][0] == 700
    assert len(population.get_data().segments[0].irregularlysampledsignals) == 8


def test_open_instruments_record_everything_in_one_execution(lab: FakeLab) -> None:
    lab.instruments = "open"
    population = neurons(5)
    population.record("v")
    pynn.run(0.1)
    assert [len(program.record.madc) for program in lab.sessions[0].programs] == [5]
    assert len(population.get_data().segments[0].irregularlysampledsignals) == 5


def test_assemblies_record_and_collect() -> None:
    assembly = neurons(2) + pynn.Population(1, pynn.cells.HXNeuron(), label="other")
    assembly.record("spikes", device="madc")
    pynn.run(0.1)
    assert len(assembly.get_data().segments[0].spiketrains) == 3


def test_an_assembly_returns_the_signal_of_every_neuron_each_time() -> None:
    assembly = neurons(2) + pynn.Population(2, pynn.cells.HXNeuron(), label="other")
    assembly.record("v")
    pynn.run(0.1)
    pynn.reset()
    pynn.run(0.1)
    for block in (assembly.get_data(), assembly.get_data("v"), assembly.get_data(clear=True)):
        assert [[signal.magnitude[0, 0] for signal in segment.irregularlysampledsignals] for segment in block.segments] == [[0, 1, 2, 3]] * 2
    assert len(assembly.populations[0].get_data().segments[-1].irregularlysampledsignals) == 0


def test_an_assembly_has_the_data_of_its_views_before_it_clears_them() -> None:
    population = neurons(2)
    assembly = population[0:1] + population[1:2]
    assembly.record("spikes")
    pynn.run(0.1)
    assert len(assembly.get_data(clear=True).segments[0].spiketrains) == 2


def test_an_assembly_is_written_into_one_file(tmp_path: Path) -> None:
    assembly = neurons(1) + pynn.Population(1, pynn.cells.HXNeuron(), label="other")
    assembly.record("spikes", to_file=str(tmp_path / "spikes.pkl"))
    pynn.run(0.1)
    assembly.write_data(str(tmp_path / "before.pkl"), "spikes")
    pynn.end()
    for name in ("spikes.pkl", "before.pkl"):
        trains = neo.io.PickleIO(str(tmp_path / name)).read_block().segments[0].spiketrains
        assert [train.annotations["source_population"] for train in trains] == ["mine", "other"]
    with pytest.raises(ValueError, match="extension"):
        assembly.record("spikes", to_file="spikes.txt")


@pytest.mark.parametrize("file", ["data.foo", "data.txt", "data", None])
def test_files_without_a_format_are_refused(file: str | None) -> None:
    population = neurons(2)
    population.record("spikes")
    pynn.run(0.1)
    for cells in (population, population[0:1], population[0:1] + population[1:2]):
        with pytest.raises(ConfigurationError, match="file"):
            cells.write_data(file)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_older_name_records() -> None:
    population = neurons(1)
    population.record_v()
    assert len(population.recorder.configuration.madc) == 1


def test_end_writes_files(tmp_path: Path) -> None:
    population = neurons(1)
    population.record("spikes", to_file=str(tmp_path / "spikes.pkl"))
    pynn.run(0.1)
    pynn.end()
    (train,) = neo.io.PickleIO(str(tmp_path / "spikes.pkl")).read_block().segments[0].spiketrains
    assert len(train) == 9


def test_data_can_be_fetched_after_end() -> None:
    population = neurons(1)
    population.record("spikes")
    pynn.run(0.1)
    pynn.end()
    with pytest.raises(RuntimeError, match="write_data"):
        population.record("spikes", to_file="spikes.pkl")
    assert len(population.get_data().segments[0].spiketrains[0]) == 9


def test_the_procedural_interface_records(tmp_path: Path) -> None:
    population = neurons(1)
    with pytest.warns(DeprecationWarning, match="record"):
        pynn.record("v", population, str(tmp_path / "v.pkl"))
    with pytest.warns(DeprecationWarning, match="set"):
        pynn.set(population, leak_v_leak=5)
    assert population.recorder.configuration.madc
    assert population.get("leak_v_leak") == 5


def chain(n: int) -> pynn.Population:
    """Return neurons of two compartments, of two circuits and of one, connected through the somatic line."""
    from pynn_brainscales.brainscales2.morphology import Compartment, SharedLineConnection, create_mc_neuron

    soma = Compartment(positions=[0, 1], label="soma", connect_shared_line=[1])
    dendrite = Compartment(positions=[2], label="dendrite", connect_conductance=[(2, 500)])
    kind = create_mc_neuron("Chain", [soma, dendrite], [SharedLineConnection(start=1, stop=2, row=0)])
    return pynn.Population(n, kind(), label="chain")


def test_compartments_are_recorded_at_their_first_circuit_and_carry_their_label(lab: FakeLab) -> None:
    population = chain(2)
    population[:1].record("v", locations=["dendrite"])
    population.record("exc_synin", locations=["soma"], device="cadc")
    population.record("spikes")
    pynn.run(0.1)
    (record,) = [program.record for program in lab.sessions[0].programs]
    first = population.circuits
    assert [channel.circuit for channel in record.madc] == [first[0, 2]]
    assert [cadc.circuits for cadc in record.cadc] == [tuple(sorted(first[:, 0]))]
    assert record.spikes == tuple(sorted(first[:, 0]))
    segment = population.get_data().segments[0]
    labels = [
        (s.name, s.annotations["source_locations"], s.annotations["source_compartments"], s.annotations["source_ids"])
        for s in segment.irregularlysampledsignals
    ]
    assert labels == [("exc_synin", ["soma"], [0], [0]), ("exc_synin", ["soma"], [0], [1]), ("v", ["dendrite"], [1], [0])]
    assert [train.annotations["source_location"] for train in segment.spiketrains] == ["soma", "soma"]
    chosen = population.get_data("all", locations=["dendrite"]).segments[0]
    assert [signal.name for signal in chosen.irregularlysampledsignals] == ["v"]
    assert len(chosen.spiketrains) == 0


def test_compartments_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="axon"):
        chain(1).record("v", locations=["axon"])


def test_a_neuron_may_show_one_variable_per_compartment() -> None:
    population = chain(1)
    population.record("v", locations=["soma"], device="cadc")
    population.record("exc_synin", locations=["dendrite"], device="cadc")
    with pytest.raises(ValueError, match="its readout passes one"):
        population.record("inh_synin", locations=["dendrite"], device="cadc")
