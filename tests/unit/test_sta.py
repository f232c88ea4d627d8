"""Playback programs: how commands become one Program, and what comes back."""

from __future__ import annotations

import itertools
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neckar
from dlens_vx_v3 import hal, halco, hxcomm, lola, sta
from dlens_vx_v3._container import config_of
from dlens_vx_v3.halco import iter_all
from neckar.chip.config import ChipConfig
from neckar.errors import ConfigurationError, CorruptFileError, FileFormatError, NeckarError, UnsupportedFeatureError
from neckar.facts import registers
from neckar.program import Events, MadcChannel, Program, Record, Snippet, TimedRead, TimedWrite

US = int(hal.Timer.Value.fpga_clock_cycles_per_us)
TICKS_PER_US = 500
NEURON = halco.AtomicNeuronOnDLS(halco.common.Enum(5))


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[hxcomm.ConnectionHandle]:
    """Return a connection to the reference chip."""
    monkeypatch.delenv("HXCOMM_ENABLE_ZERO_MOCK", raising=False)
    monkeypatch.delenv("QUIGGELDY_ENABLED", raising=False)
    with neckar.Lab(chip="reference", seed=3), hxcomm.ManagedConnection() as handle:
        yield handle


def silent_neuron() -> lola.AtomicNeuron:
    """Return a neuron at its leak potential, on the readout line; its spikes would leave it."""
    neuron = lola.AtomicNeuron()
    neuron.event_routing = lola.AtomicNeuron.EventRouting.enabled
    neuron.leak.v_leak, neuron.leak.i_bias = 700, 1022
    neuron.readout.enable_amplifier = neuron.readout.enable_buffered_access = True
    return neuron


def firing_neuron() -> lola.AtomicNeuron:
    """Return a neuron whose leak potential lies above its threshold."""
    neuron = silent_neuron()
    neuron.leak.v_leak, neuron.leak.i_bias = 1000, 300
    neuron.threshold.enable, neuron.threshold.v_threshold = True, 300
    neuron.reset.v_reset, neuron.reset.i_bias = 400, 1022
    neuron.refractory_period.refractory_time = 255
    return neuron


def fields_of(neuron: lola.AtomicNeuron, circuit: int, base: ChipConfig | None = None) -> ChipConfig:
    """Return a configuration with a neuron, written without any container: HXNeuron's flat names are fields."""
    config = base or ChipConfig.default()
    for name, register in registers("brainscales2").items():
        if register.axes == ("circuit",) and not register.counter:
            group = next(g for g in dir(neuron) if name.startswith(f"{g}_"))
            config[name, circuit] = int(getattr(getattr(neuron, group), name.removeprefix(f"{group}_")))
    return config


def wait(builder: Any, microseconds: float) -> None:
    """Wait so long after now."""
    builder.write(halco.TimerOnDLS(), hal.Timer())
    builder.block_until(halco.TimerOnDLS(), hal.Timer.Value(round(microseconds * US)))


def execute(connection: hxcomm.ConnectionHandle, builder: sta.PlaybackProgramBuilder) -> sta.PlaybackProgram:
    """Close and run a builder."""
    program = builder.done()
    sta.run(connection, program)
    return program


def read_out(builder: Any, *neurons: halco.AtomicNeuronOnDLS) -> None:
    """Connect the readout lines of neurons to the converter's inputs, in their order."""
    selection = hal.ReadoutSourceSelection()
    for neuron, buffer in zip(neurons, iter_all(halco.SourceMultiplexerOnReadoutSourceSelection), strict=False):
        line = "neuron_odd" if int(neuron.toNeuronColumnOnDLS()) % 2 else "neuron_even"
        getattr(selection.buffers[buffer], line)[neuron.toNeuronRowOnDLS().toHemisphereOnDLS()] = True
    builder.write(halco.ReadoutSourceSelectionOnDLS(), selection)


def start_madc(builder: Any, **settings: Any) -> None:
    """Wake the converter up and start it."""
    control = hal.MADCControl(**{"wake_up": True, "enable_continuous_sampling": True, **settings})
    builder.write(halco.MADCControlOnDLS(), control)
    control.start_recording = True
    builder.write(halco.MADCControlOnDLS(), control)


# ---------------------------------------------------------------------------------------------------------------------------- the same as a Program


def test_a_playback_program_gives_the_bits_of_the_same_program_written_by_hand(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    builder.write(NEURON, firing_neuron())
    read_out(builder, NEURON)
    wait(builder, 10)
    start_madc(builder)
    wait(builder, 30)
    change = hal.CommonNeuronBackendConfig()
    change.clock_scale_fast = change.clock_scale_slow = 2
    builder.write(halco.CommonNeuronBackendConfigOnDLS(0), change)
    counter = builder.read(NEURON.toSpikeCounterReadOnDLS())
    wait(builder, 20)
    program = execute(connection, builder)

    config = fields_of(firing_neuron(), int(NEURON))
    config["readout_mux_neuron_odd", 0, 0] = True
    codes = {name: register for name, register in registers("brainscales2").items() if register.axes == ("backend",)}
    by_hand = Program(
        machine="brainscales2",
        config=config,
        snippets=[
            Snippet(10 * TICKS_PER_US, record=Record(spikes="all")),
            Snippet(50 * TICKS_PER_US, record=Record(spikes="all", madc=(MadcChannel(int(NEURON)),))),
        ],
        writes=[
            TimedWrite(at=40 * TICKS_PER_US, field=name, index=(0,), value=np.array(2 if name.endswith(("fast", "slow")) else int(register.default)))
            for name, register in codes.items()
        ],
        reads=[TimedRead(name="count", at=40 * TICKS_PER_US, field="spike_counter", index=(int(NEURON),))],
    )
    with neckar.Lab(chip="reference", seed=3).session() as session:
        expected = session.run(by_hand)
    recording = program.recording
    assert recording is not None
    assert len(recording.spikes) > 3
    assert recording.spikes == expected.spikes
    assert recording.madc == expected.madc
    assert recording.losses == expected.losses
    assert int(counter.get().count) == expected.reads["count"][0]
    assert program.madc_samples.to_numpy()["value"].tolist() == expected.madc[0].value.tolist()


def test_one_run_is_one_program_of_the_lab(connection: hxcomm.ConnectionHandle) -> None:
    for number in range(2):
        program = execute(connection, sta.PlaybackProgramBuilder())
        assert program.recording is not None
        assert program.recording.provenance.run_seed == (3, number)
        assert program.recording.provenance.chip["id"] == "reference"


# ---------------------------------------------------------------------------------------------------------------------------------- writes and reads


def test_registers_survive_between_the_programs_of_a_connection(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    builder.write(NEURON, silent_neuron())
    execute(connection, builder)
    builder = sta.PlaybackProgramBuilder()
    ticket = builder.read(NEURON)
    untouched = builder.read(halco.AtomicNeuronOnDLS(halco.common.Enum(6)))
    execute(connection, builder)
    assert ticket.get() == silent_neuron()
    assert untouched.get() == lola.AtomicNeuron.read_from(ChipConfig.default(), halco.AtomicNeuronOnDLS())


def test_a_write_changes_only_its_coordinate(connection: hxcomm.ConnectionHandle) -> None:
    first, second = halco.CommonNeuronBackendConfigOnDLS(0), halco.CommonNeuronBackendConfigOnDLS(1)
    for coordinate, scale in ((first, 3), (second, 5)):
        builder = sta.PlaybackProgramBuilder()
        config = hal.CommonNeuronBackendConfig()
        config.clock_scale_fast = scale
        builder.write(coordinate, config)
        execute(connection, builder)
    builder = sta.PlaybackProgramBuilder()
    tickets = [builder.read(coordinate) for coordinate in (first, second)]
    program = execute(connection, builder)
    assert [int(ticket.get().clock_scale_fast) for ticket in tickets] == [3, 5]
    assert program.program is not None
    assert not program.program.config


def test_commands_act_in_their_order(connection: hxcomm.ConnectionHandle) -> None:
    coordinate = halco.CommonNeuronBackendConfigOnDLS(1)
    builder, tickets = sta.PlaybackProgramBuilder(), []
    for scale in (1, 2, 3):
        config = hal.CommonNeuronBackendConfig()
        config.clock_scale_slow = scale
        builder.write(coordinate, config)
        tickets.append(builder.read(coordinate))
        config.clock_scale_slow = 9  # what was written is a copy
    wait(builder, 1)
    tickets.append(builder.read(coordinate))
    execute(connection, builder)
    assert [int(ticket.get().clock_scale_slow) for ticket in tickets] == [1, 2, 3, 3]
    assert tickets[0].fpga_time == 0
    assert tickets[3].fpga_time == US + 1  # the third write let the second read go first; the first read lies before the section


def test_what_the_chip_gives_no_meaning_is_kept(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    config = hal.MADCConfig()
    config.enable_dummy_data = True
    config.preamp_gain_capacitor_size = 7
    builder.write(halco.MADCConfigOnDLS(), config)
    reset = hal.EventRecordingConfig()
    reset.enable_event_recording = True
    builder.write(halco.EventRecordingConfigOnFPGA(), reset)
    execute(connection, builder)
    builder = sta.PlaybackProgramBuilder()
    both = builder.read(halco.MADCConfigOnDLS()), builder.read(halco.EventRecordingConfigOnFPGA())
    execute(connection, builder)
    assert both[0].get() == config
    assert both[1].get() == reset


def test_the_whole_chip_is_written_and_read(connection: hxcomm.ConnectionHandle) -> None:
    chip = lola.Chip()
    chip.neuron_block.atomic_neurons[NEURON] = firing_neuron()
    builder = sta.PlaybackProgramBuilder()
    builder.write(halco.ChipOnDLS(), chip)
    ticket = builder.read(halco.ChipOnDLS())
    neurons = [builder.read(coordinate) for coordinate in itertools.islice(iter_all(halco.AtomicNeuronOnDLS), 40)]
    program = execute(connection, builder)
    assert ticket.get() == chip
    assert [neuron.get() for neuron in neurons] == [chip.neuron_block.atomic_neurons[neuron.coordinate] for neuron in neurons]
    assert program.program is not None
    assert len(program.program.reads) < 1.5 * len(registers("brainscales2"))  # fields of which many parts are wanted are read whole


def test_counters_are_read_at_their_moment(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    builder.write(NEURON, firing_neuron())
    tickets = []
    for _ in range(3):
        wait(builder, 50)
        tickets.append(builder.read(NEURON.toSpikeCounterReadOnDLS()))
    output = builder.read(halco.CrossbarOutputOnDLS(8))
    program = execute(connection, builder)
    counts = [int(ticket.get().count) for ticket in tickets]
    times = program.spikes.to_numpy()["fpga_time"].astype(int)
    assert counts[0] > 2
    assert counts == [int((times < ticket.fpga_time).sum()) for ticket in tickets]
    assert int(output.get().value) == len(times)


def test_a_reset_brings_back_the_defaults(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    builder.write(NEURON, firing_neuron())
    execute(connection, builder)
    builder, _ = sta.SystemInit(connection.get_hwdb_entry()[0]).generate()
    ticket = builder.read(halco.ChipOnDLS())
    execute(connection, builder)
    assert config_of(ticket.get()) == ChipConfig.default()


# ------------------------------------------------------------------------------------------------------------------------------------ time and events


def test_waits_add_up_and_the_past_is_not_waited_for(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    timer = halco.TimerOnDLS()
    builder.block_until(timer, hal.Timer.Value(100))
    builder.block_until(timer, hal.Timer.Value(50))
    builder.block_until(halco.BarrierOnFPGA(), hal.Barrier.omnibus)
    builder.write(timer, hal.Timer())
    builder.block_until(timer, hal.Timer.Value(30))
    start = hal.Timer()
    start.value = 20
    builder.write(timer, start)
    builder.block_until(timer, hal.Timer.Value(50))
    program = execute(connection, builder)
    assert program.recording is not None
    assert program.recording.duration == 4 * (100 + 30 + 30)


def relayed(builder: Any, label: int) -> None:
    """Let the first FPGA channel come back to the host."""
    node = hal.CrossbarNode()
    node.mask, node.target = 0, 0
    builder.write(halco.CrossbarNodeOnDLS(halco.CrossbarInputOnDLS(8), halco.CrossbarOutputOnDLS(8)), node)


def test_events_come_back_with_their_labels_and_times(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    relayed(builder, 0)
    wait(builder, 5)
    builder.write(halco.SystimeSyncOnFPGA(), hal.SystimeSync())
    sent = []
    for number in range(20):
        pack = hal.SpikePack1ToChip([halco.SpikeLabel(number)])
        builder.write(halco.SpikePack1ToChipOnDLS(), pack)
        sent.append((number, number * US))
        wait(builder, 1)
    builder.write(halco.SpikePack2ToChipOnDLS(), hal.SpikePack2ToChip([halco.SpikeLabel(100), halco.SpikeLabel(101)]))
    wait(builder, 5)
    program = execute(connection, builder)
    spikes = program.spikes.to_numpy()
    assert spikes.dtype == np.dtype([("label", np.uint16), ("fpga_time", np.uint64), ("chip_time", np.uint64)])
    assert sorted(spikes["label"].tolist()) == [*range(20), 100, 101]
    for label, time in sent:
        arrived = spikes["fpga_time"][spikes["label"] == label][0]
        assert time < arrived < time + US  # way to the chip and back
    assert (np.diff(spikes["fpga_time"].astype(int)) >= 0).all()
    assert len(program.spikes) == len(spikes)


def test_spikes_have_the_labels_of_their_neurons(connection: hxcomm.ConnectionHandle) -> None:
    neuron = firing_neuron()
    neuron.event_routing.address = 77
    coordinate = halco.AtomicNeuronOnDLS(halco.NeuronColumnOnDLS(170), halco.NeuronRowOnDLS(1))
    builder = sta.PlaybackProgramBuilder()
    builder.write(coordinate, neuron)
    wait(builder, 50)
    labels = execute(connection, builder).spikes.to_numpy()["label"]
    output = 170 // 32
    assert len(labels) > 2
    assert set(labels.tolist()) == {77 | output << 8 | (output % 4) << 14}


def test_events_are_recorded_while_recording_is_on(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    builder.write(NEURON, firing_neuron())
    config = hal.EventRecordingConfig()
    for on in (False, True, False):
        config.enable_event_recording = on
        builder.write(halco.EventRecordingConfigOnFPGA(), config)
        wait(builder, 60)
    times = execute(connection, builder).spikes.to_numpy()["fpga_time"]
    assert len(times) > 3
    assert times.min() >= 60 * US
    assert times.max() < 121 * US
    builder = sta.PlaybackProgramBuilder()  # the switch stays as it was left
    wait(builder, 60)
    assert len(execute(connection, builder).spikes) == 0


# ---------------------------------------------------------------------------------------------------------------------------------------------- MADC


def test_the_converter_samples_from_start_to_stop(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    builder.write(NEURON, silent_neuron())
    read_out(builder, NEURON)
    wait(builder, 20)
    start_madc(builder)
    wait(builder, 30)
    builder.write(halco.MADCControlOnDLS(), hal.MADCControl(stop_recording=True, enable_continuous_sampling=True))
    wait(builder, 20)
    samples = execute(connection, builder).madc_samples.to_numpy()
    assert samples.dtype == np.dtype([("value", np.uint16), ("channel", np.uint8), ("fpga_time", np.uint64), ("chip_time", np.uint64)])
    assert len(samples) == pytest.approx(30e-6 / 34e-9, abs=1)
    assert samples["fpga_time"].min() >= 20 * US
    assert samples["fpga_time"].max() < 50 * US
    assert samples["value"].mean() == pytest.approx(393, abs=25)  # bss2-chip.md 15, row A1: 371 to 416 over neurons
    assert set(samples["channel"]) == {0}


def test_a_burst_has_the_samples_it_was_asked_for(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    builder.write(NEURON, silent_neuron())
    read_out(builder, NEURON)
    config = hal.MADCConfig()
    config.number_of_samples = 420
    builder.write(halco.MADCConfigOnDLS(), config)
    wait(builder, 20)
    start_madc(builder, enable_continuous_sampling=False)
    wait(builder, 100)
    samples = execute(connection, builder).madc_samples.to_numpy()
    assert len(samples) == 420
    assert samples["fpga_time"].max() < 50 * US


def test_two_neurons_share_the_converter(connection: hxcomm.ConnectionHandle) -> None:
    even, odd = halco.AtomicNeuronOnDLS(halco.common.Enum(300)), NEURON
    builder = sta.PlaybackProgramBuilder()
    for coordinate, source in ((even, "membrane"), (odd, "exc_synin")):
        neuron = silent_neuron()
        neuron.readout.source = getattr(lola.AtomicNeuron.Readout.Source, source)
        builder.write(coordinate, neuron)
    read_out(builder, odd, even)
    start_madc(builder)
    wait(builder, 30)
    program = execute(connection, builder)
    samples = program.madc_samples.to_numpy()
    assert program.program is not None
    assert program.program.record.madc == (MadcChannel(int(odd), "exc_synin"), MadcChannel(int(even)))
    per_input = [samples["value"][samples["channel"] == number] for number in (0, 1)]
    assert abs(len(per_input[0]) - len(per_input[1])) <= 1
    assert program.recording is not None
    by_circuit = {channel.circuit: channel.value.tolist() for channel in program.recording.madc}
    assert [values.tolist() for values in per_input] == [by_circuit[int(odd)], by_circuit[int(even)]]


def test_a_sleeping_converter_samples_nothing(connection: hxcomm.ConnectionHandle, capsys: pytest.CaptureFixture[str]) -> None:
    builder = sta.PlaybackProgramBuilder()
    builder.write(NEURON, silent_neuron())
    read_out(builder, NEURON)
    builder.write(halco.MADCControlOnDLS(), hal.MADCControl(start_recording=True, enable_continuous_sampling=True))
    wait(builder, 20)
    assert len(execute(connection, builder).madc_samples) == 0


def test_a_line_that_several_or_no_neurons_drive_is_refused(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    start_madc(builder)
    with pytest.raises(UnsupportedFeatureError, match="nothing drives one of its inputs"):
        execute(connection, builder)
    builder = sta.PlaybackProgramBuilder()
    for circuit in (5, 7):
        builder.write(halco.AtomicNeuronOnDLS(halco.common.Enum(circuit)), silent_neuron())
    read_out(builder, NEURON)
    start_madc(builder)
    with pytest.raises(ConfigurationError, match=r"driven by the circuits \[5, 7\]"):
        execute(connection, builder)


def test_registers_of_the_converter_hold_for_the_whole_program(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    builder.write(NEURON, silent_neuron())
    read_out(builder, NEURON)
    start_madc(builder)
    wait(builder, 10)
    config = hal.MADCConfig()
    config.sample_duration_adjust = 7
    builder.write(halco.MADCConfigOnDLS(), config)
    start_madc(builder)
    wait(builder, 10)
    with pytest.raises(UnsupportedFeatureError, match="different registers"):
        execute(connection, builder)


def test_registers_of_the_converter_stay_as_they_were_written_last(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    builder.write(NEURON, silent_neuron())
    read_out(builder, NEURON)
    start_madc(builder)
    wait(builder, 10)
    config = hal.MADCConfig()
    config.sample_duration_adjust, config.calibration_wait_value = 7, 12
    builder.write(halco.MADCConfigOnDLS(), config)
    first = execute(connection, builder)
    assert len(first.madc_samples) == pytest.approx(10e-6 / 34e-9, abs=1)  # the burst had the registers of its start
    builder = sta.PlaybackProgramBuilder()
    ticket = builder.read(halco.MADCConfigOnDLS())
    execute(connection, builder)
    assert ticket.get() == config
    builder, _ = sta.ChipInit(connection.get_hwdb_entry()[0]).generate()
    ticket = builder.read(halco.MADCConfigOnDLS())
    execute(connection, builder)
    assert ticket.get() == hal.MADCConfig.read_from(ChipConfig(), halco.MADCConfigOnDLS())  # the defaults of the chip


def test_the_block_of_the_boards_voltages_changes_the_register_that_its_channel_changes() -> None:
    block, channel = lola.DACChannelBlock(), halco.DACChannelOnBoard.mux_dac_25
    block.set_voltage(channel, 0.5)
    block.set_voltage(halco.DACChannelOnBoard.v_reset, 1.0)
    alone = hal.DACChannel(block.value[channel])
    assert block.codes(halco.DACChannelBlockOnBoard()) == alone.codes(channel) == (("board_external_voltage", (), 819),)
    config = ChipConfig()
    block.write_to(config, halco.DACChannelBlockOnBoard())
    seen = lola.DACChannelBlock.read_from(config, halco.DACChannelBlockOnBoard())
    assert seen.value[channel] == 819
    assert seen.value[halco.DACChannelOnBoard.v_reset] == 0  # reaches nothing


def external(connection: hxcomm.ConnectionHandle, volt: float) -> np.ndarray:
    """Return what the converter reads at a voltage of the board, as upstream's demonstration measures it."""
    init = sta.SystemInit(connection.get_hwdb_entry()[0])
    register = init.asic_adapter_board.shift_register
    register.select_analog_readout_mux_1_input = hal.ShiftRegister.AnalogReadoutMux1Input.readout_chain_0
    register.select_analog_readout_mux_2_input = hal.ShiftRegister.AnalogReadoutMux2Input.v_reset
    init.asic_adapter_board.dac_channel_block.set_voltage(halco.DACChannelOnBoard.mux_dac_25, volt)
    builder, _ = init.generate()
    chain = lola.ReadoutChain()
    chain.pad_mux[halco.PadMultiplexerConfigOnDLS()].debug_to_pad = True
    chain.input_mux[halco.SourceMultiplexerOnReadoutSourceSelection()].debug_plus = True
    chain.madc.number_of_samples = 420
    builder.write(halco.ReadoutChainOnDLS(), chain)
    control = hal.MADCControl()
    control.wake_up = True
    builder.write(halco.MADCControlOnDLS(), control)
    wait(builder, 100)
    builder.write(halco.SystimeSyncOnFPGA(), hal.SystimeSync())
    control.start_recording = control.enable_power_down_after_sampling = True
    builder.write(halco.MADCControlOnDLS(), control)
    wait(builder, 100)
    return execute(connection, builder).madc_samples.to_numpy()[240:]["value"]


def test_the_board_voltage_gives_the_line_of_the_converter(connection: hxcomm.ConnectionHandle) -> None:
    volts = np.arange(0.1, 1.21, 0.1)
    readings = np.array([external(connection, volt).mean() for volt in volts])
    assert readings.shape == volts.shape
    slope, offset = np.polyfit(volts, readings, 1)
    assert slope == pytest.approx(1 / 1.5e-3, rel=0.05)  # facts: MADC_STEP, within the chip's gain
    assert offset == pytest.approx(25, abs=15)  # facts: MADC_ZERO
    assert np.abs(readings - (slope * volts + offset)).max() < 1
    assert 0.3 < external(connection, 0.5).std() < 4


# ----------------------------------------------------------------------------------------------------------------------------------- CADC, counters


def connected(*neurons: halco.AtomicNeuronOnDLS, correlation: bool = False) -> lola.Chip:
    """Return a chip with silent neurons at different potentials, connected to the parallel converter."""
    chip = lola.Chip()
    for number, coordinate in enumerate(neurons):
        neuron = silent_neuron()
        neuron.leak.v_leak = 500 + 100 * number
        chip.neuron_block.atomic_neurons[coordinate] = neuron
    for chain in chip.cadc_readout_chains:
        for channels in (chain.channels_causal, chain.channels_acausal):
            for channel in channels:
                channel.enable_connect_neuron = not correlation
                channel.enable_connect_correlation = correlation
    return chip


def test_the_parallel_converter_reads_rows_as_a_record_of_a_program_does(connection: hxcomm.ConnectionHandle) -> None:
    top = [halco.AtomicNeuronOnDLS(halco.common.Enum(circuit)) for circuit in (5, 6, 200)]
    bottom = halco.AtomicNeuronOnDLS(halco.common.Enum(256 + 9))
    builder = sta.PlaybackProgramBuilder()
    builder.write(halco.ChipOnDLS(), connected(*top, bottom))
    wait(builder, 10)
    row = builder.read(halco.CADCSampleRowOnDLS(halco.SynapseRowOnSynram(3), halco.SynramOnDLS(0)))
    again = builder.read(halco.CADCSampleRowOnDLS(halco.SynapseRowOnSynram(3), halco.SynramOnDLS(0)))
    wait(builder, 10)
    both = builder.read(halco.CADCSamplesOnDLS())
    program = execute(connection, builder)
    assert program.recording is not None
    values = row.get().causal.to_numpy()
    assert np.flatnonzero(values).tolist() == [5, 6, 200]
    assert values[5] < values[6] < values[200]  # in the order of their leak potentials
    assert row.get().acausal.to_numpy().max() == 0
    assert again.fpga_time - row.fpga_time >= 1.7 * US
    samples = {record.circuits: record for record in program.recording.cadc}
    assert samples[5, 6, 200].value[:, 2].tolist() == [int(t.get().causal.to_numpy().reshape(-1, 256)[0, 200]) for t in (row, again, both)]
    assert samples[256 + 9,].value[0, 0] == both.get().causal.to_numpy()[1, 9]
    assert [4 * t.fpga_time for t in (row, again, both)] == samples[5, 6, 200].tick.tolist()


def test_the_parallel_converter_reads_correlation_of_its_row(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    chip = connected(correlation=True)
    config = config_of(chip)
    config.syn_i_bias_store, config.syn_i_bias_ramp = 70, 80
    builder.write(halco.ChipOnDLS(), chip)
    wait(builder, 10)
    ticket = builder.read(halco.CADCSampleRowOnDLS(halco.SynapseRowOnSynram(3), halco.SynramOnDLS(1)))
    program = execute(connection, builder)
    assert program.program is not None
    assert program.recording is not None
    assert {(read.field, read.index) for read in program.program.reads} == {("correlation_causal", (1, 3)), ("correlation_acausal", (1, 3))}
    for kind in ("causal", "acausal"):
        expected = next(array for name, array in program.recording.reads.items() if f" {kind}[" in name)[0]
        assert getattr(ticket.get(), kind).to_numpy().tolist() == expected.tolist()
        assert expected.min() > 100  # without charge they read high


def test_an_unconnected_converter_is_refused(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    builder.read(halco.CADCSamplesOnDLS())
    with pytest.raises(UnsupportedFeatureError, match="cadc_readout_chains"):
        execute(connection, builder)


def test_a_spike_counter_counts_from_its_reset(connection: hxcomm.ConnectionHandle) -> None:
    counter = NEURON.toSpikeCounterReadOnDLS()
    builder = sta.PlaybackProgramBuilder()
    builder.write(NEURON, firing_neuron())
    tickets = []
    for _ in range(4):
        wait(builder, 50)
        tickets.append(builder.read(counter))
        builder.write(NEURON.toSpikeCounterResetOnDLS(), hal.SpikeCounterReset())
    times = execute(connection, builder).spikes.to_numpy()["fpga_time"].astype(int)
    borders = [0, *(ticket.fpga_time for ticket in tickets)]
    assert [int(ticket.get().count) for ticket in tickets] == np.histogram(times, borders)[0].tolist()


@pytest.mark.parametrize(("kind", "container"), [(halco.NeuronResetOnDLS, hal.NeuronReset()), (halco.NeuronResetQuadOnDLS, hal.NeuronResetQuad())])
def test_a_reset_of_all_neurons_at_the_start_is_that_of_the_program(connection: hxcomm.ConnectionHandle, kind: Any, container: Any) -> None:
    builder = sta.PlaybackProgramBuilder()
    for coordinate in halco.iter_all(kind):
        builder.write(coordinate, container)
    wait(builder, 1)
    assert execute(connection, builder).program.neuron_reset
    builder.write(kind(3), container)
    wait(builder, 1)
    with pytest.raises(UnsupportedFeatureError, match="not all of them"):
        execute(connection, builder)
    wait(builder, 1)
    assert not execute(connection, builder).program.neuron_reset


@pytest.mark.parametrize(
    ("coordinate", "container"),
    [
        (halco.BlockPostPulseOnDLS(), hal.BlockPostPulse()),
        (halco.NeuronResetOnDLS(), hal.NeuronReset()),
        (halco.PADIEventOnDLS(), hal.PADIEvent()),
        (halco.CorrelationResetOnDLS(), hal.CorrelationReset()),
        (halco.PPUControlRegisterOnDLS(), hal.PPUControlRegister(inhibit_reset=True)),
        (halco.CADCSampleQuadOnDLS(), None),
    ],
)
def test_what_would_act_and_has_no_model_is_refused(connection: hxcomm.ConnectionHandle, coordinate: Any, container: Any) -> None:
    builder = sta.PlaybackProgramBuilder()
    wait(builder, 1)
    if container is None:
        builder.read(coordinate)
    else:
        builder.write(coordinate, container)
    with pytest.raises(UnsupportedFeatureError, match="has no model"):
        execute(connection, builder)


def test_sensors_are_reset_where_a_program_says_so(connection: hxcomm.ConnectionHandle) -> None:
    places = [halco.CorrelationResetRowOnDLS(halco.SynapseRowOnSynram(row), halco.SynramOnDLS(0)) for row in (3, 5)]
    for coordinate in places:
        builder = sta.PlaybackProgramBuilder()
        builder.write(coordinate, lola.CorrelationResetRow())
        program = execute(connection, builder)
        assert program.program is not None
        assert np.argwhere(program.program.config["correlation_reset"]).tolist() == [[0, int(coordinate.toSynapseRowOnSynram())]]


def test_a_test_pattern_is_refused(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    builder.write(NEURON, silent_neuron())
    read_out(builder, NEURON)
    config = hal.MADCConfig()
    config.enable_dummy_data = True
    builder.write(halco.MADCConfigOnDLS(), config)
    start_madc(builder)
    with pytest.raises(UnsupportedFeatureError, match="test pattern"):
        execute(connection, builder)


# ------------------------------------------------------------------------------------------------------------------------------- absolute times, dumps


@settings(max_examples=30, deadline=None)
@given(times=st.lists(st.integers(0, 1000), min_size=1, max_size=12))
def test_a_builder_with_absolute_times_orders_by_time(times: list[int]) -> None:
    absolute = sta.AbsoluteTimePlaybackProgramBuilder()
    for number, time in enumerate(times):
        config = hal.CommonNeuronBackendConfig()
        config.clock_scale_fast = number
        absolute.write(hal.Timer.Value(time), halco.CommonNeuronBackendConfigOnDLS(), config)
    by_hand, now = sta.PlaybackProgramBuilder(), 0
    by_hand.write(halco.TimerOnDLS(), hal.Timer())
    for time, number in sorted(zip(times, range(len(times)), strict=True)):
        if time > now:
            by_hand.block_until(halco.TimerOnDLS(), hal.Timer.Value(time))
            now = time
        config = hal.CommonNeuronBackendConfig()
        config.clock_scale_fast = number
        by_hand.write(halco.CommonNeuronBackendConfigOnDLS(), config)
    assert [time for time, *_ in absolute.accesses()] == sorted(times)
    assert absolute.done().done() == by_hand.done()
    assert absolute.empty()


def test_builders_with_absolute_times_are_merged_copied_shifted_and_scaled() -> None:
    def at(*times: int) -> sta.AbsoluteTimePlaybackProgramBuilder:
        builder = sta.AbsoluteTimePlaybackProgramBuilder()
        for time in times:
            builder.write(hal.Timer.Value(time), halco.CommonNeuronBackendConfigOnDLS(), hal.CommonNeuronBackendConfig())
        return builder

    def when(builder: sta.AbsoluteTimePlaybackProgramBuilder) -> list[int]:
        return [time for time, *_ in builder.accesses()]

    first, second = at(5, 1), at(3)
    first.copy(second)
    assert (when(first), when(second)) == ([1, 3, 5], [3])
    first.merge(second)
    assert (when(first), when(second)) == ([1, 3, 3, 5], [])
    assert when(first + 10) == [11, 13, 13, 15]
    assert when(first * 2.0) == [2, 6, 6, 10]
    assert when(first) == [1, 3, 3, 5]
    first += 1
    first *= 3
    assert when(first) == [6, 12, 12, 18]
    reading = at()
    reading.read(hal.Timer.Value(1), halco.CommonNeuronBackendConfigOnDLS())
    with pytest.raises(RuntimeError, match="with reads"):
        at().copy(reading)
    with pytest.raises(RuntimeError, match="timer"):
        at().write(hal.Timer.Value(1), halco.TimerOnDLS(), hal.Timer())


def test_a_dump_is_the_list_of_pairs() -> None:
    dumper = sta.PlaybackProgramBuilderDumper()
    pairs = [
        (halco.ResetChipOnDLS(), hal.ResetChip(True)),
        (halco.TimerOnDLS(), hal.Timer()),
        (halco.TimerOnDLS(), hal.Timer.Value(10)),
        (NEURON, firing_neuron()),
        (halco.BarrierOnFPGA(), hal.Barrier.omnibus),
    ]
    by_hand = sta.PlaybackProgramBuilder()
    for builder in (dumper, by_hand):
        for coordinate, content in pairs:
            (builder.block_until if coordinate in (halco.BarrierOnFPGA(),) or isinstance(content, hal.Timer.Value) else builder.write)(coordinate, content)
    twin = sta.PlaybackProgramBuilderDumper()
    twin.copy_back(dumper)
    dump = dumper.done()
    assert dump.tolist() == dump.values == pairs
    assert len(dump) == 5
    assert dumper.empty()
    assert pickle.loads(pickle.dumps(dump.values)) == pairs
    expected = by_hand.done()
    assert sta.convert_to_builder(dump).done() == expected
    assert sta.convert_to_builder(twin).done() == expected
    assert sta.convert_to_dumper(dump).done() == dump
    with pytest.raises(RuntimeError, match="asked to read"):
        dumper.read(NEURON)


neurons = st.builds(
    lambda leak, threshold, address, source: (leak, threshold, address, source), st.integers(0, 1022), st.booleans(), st.integers(0, 255), st.integers(0, 3)
)


@settings(max_examples=25, deadline=None)
@given(chosen=st.dictionaries(st.integers(0, 511), neurons, max_size=6), scale=st.integers(0, 15), column=st.integers(0, 255), weight=st.integers(0, 63))
def test_a_dump_converted_to_a_chip_or_bytes_and_back_is_that_chip(chosen: dict[int, Any], scale: int, column: int, weight: int) -> None:
    chip, dumper = lola.Chip(), sta.PlaybackProgramBuilderDumper()
    for number, (leak, threshold, address, source) in chosen.items():
        coordinate = halco.AtomicNeuronOnDLS(halco.common.Enum(number))
        neuron = lola.AtomicNeuron()
        neuron.leak.v_leak, neuron.threshold.enable, neuron.event_routing.address = leak, threshold, address
        neuron.readout.source = lola.AtomicNeuron.Readout.Source(source)
        chip.neuron_block.atomic_neurons[coordinate] = neuron
        dumper.write(coordinate, neuron)
    backend = hal.CommonNeuronBackendConfig()
    backend.clock_scale_slow = scale
    chip.neuron_block.backends[halco.CommonNeuronBackendConfigOnDLS(1)] = backend
    dumper.write(halco.CommonNeuronBackendConfigOnDLS(1), backend)
    row = lola.SynapseWeightRow()
    row.values[halco.SynapseOnSynapseRow(column)] = weight
    config_of(chip)["synapse_weight", 1, 7] = row.values.to_numpy()
    dumper.write(halco.SynapseWeightRowOnDLS(halco.SynapseRowOnSynram(7), halco.SynramOnDLS(1)), row)
    dump = dumper.done()
    assert sta.convert_to_chip(dump) == chip
    data = sta.to_portablebinary(dump)
    back = sta.DumperDone()
    sta.from_portablebinary(back, data)
    assert back == dump
    assert sta.to_portablebinary(back) == data
    whole = sta.DumperDone([(halco.ChipOnDLS(), chip)])
    sta.from_portablebinary(back, sta.to_portablebinary(whole))
    assert sta.convert_to_chip(back) == chip


def test_a_dump_changes_a_previous_chip_only_where_it_says_something() -> None:
    previous = lola.Chip()
    previous.neuron_block.atomic_neurons[3].leak.v_leak = 321
    before = lola.Chip(previous)
    dumper = sta.PlaybackProgramBuilderDumper()
    dumper.write(NEURON, firing_neuron())
    chip = sta.convert_to_chip(dumper.done(), previous)
    assert int(chip.neuron_block.atomic_neurons[3].leak.v_leak) == 321
    assert chip.neuron_block.atomic_neurons[NEURON] == firing_neuron()
    assert previous == before


def test_values_without_a_register_survive_in_the_bytes() -> None:
    config = hal.MADCConfig()
    config.enable_dummy_data, config.calibration_wait_value = True, 99
    dumper = sta.PlaybackProgramBuilderDumper()
    dumper.write(halco.MADCConfigOnDLS(), config)
    back = sta.DumperDone()
    sta.from_portablebinary(back, sta.to_portablebinary(dumper))
    assert back.values == [(halco.MADCConfigOnDLS(), config)]


@pytest.mark.parametrize("data", [b"", b"\x80\x04N.", b"\x01\x00\x00\x00\x00", b"neckar", b"hello"])
def test_foreign_bytes_are_named(data: bytes) -> None:
    target = sta.DumperDone([(NEURON, firing_neuron())])
    with pytest.raises((FileFormatError, CorruptFileError), match="portable binary"):
        sta.from_portablebinary(target, data)
    assert len(target) == 1


def test_cut_and_changed_bytes_are_named() -> None:
    data = sta.to_portablebinary(sta.DumperDone([(NEURON, firing_neuron())]))
    for length in range(0, len(data), 37):
        with pytest.raises((FileFormatError, CorruptFileError)):
            sta.from_portablebinary(sta.DumperDone(), data[:length])
    for place in range(0, len(data), 53):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(FileFormatError):
            sta.from_portablebinary(sta.DumperDone(), bytes(changed))


# ------------------------------------------------------------------------------------------------------------------------------------------- mistakes


def test_builders_are_merged_and_copied() -> None:
    first, second = sta.PlaybackProgramBuilder(), sta.PlaybackProgramBuilder()
    first.write(NEURON, silent_neuron())
    wait(second, 1)
    first.copy_back(second)
    assert (len(first), len(second)) == (3, 2)
    first.merge_back(second)
    assert (len(first), len(second), second.empty()) == (5, 0, True)
    assert first.is_write_only()
    first.read(NEURON)
    assert not first.is_write_only()
    with pytest.raises(RuntimeError, match="merge_back"):
        second.copy_back(first)


def test_a_ticket_has_no_answer_before_the_run() -> None:
    builder = sta.PlaybackProgramBuilder()
    ticket = builder.read(NEURON)
    assert not ticket.valid()
    with pytest.raises(RuntimeError, match=r"Call sta\.run first"):
        ticket.get()


def test_a_container_goes_to_its_own_coordinate() -> None:
    for builder in (sta.PlaybackProgramBuilder(), sta.PlaybackProgramBuilderDumper()):
        with pytest.raises(TypeError, match="takes AtomicNeuron"):
            builder.write(NEURON, hal.CommonNeuronBackendConfig())
    with pytest.raises(NeckarError):
        sta.PlaybackProgramBuilder().write(halco.NeuronColumnOnDLS(), hal.CommonNeuronBackendConfig())


def test_a_reset_in_the_middle_is_refused_and_leaves_the_chip_as_it_was(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    builder.write(NEURON, silent_neuron())
    execute(connection, builder)
    state = connection.session.state
    builder = sta.PlaybackProgramBuilder()
    wait(builder, 1)
    builder.merge_back(sta.ChipInit(connection.get_hwdb_entry()[0]).generate()[0])
    with pytest.raises(UnsupportedFeatureError, match="two programs"):
        execute(connection, builder)
    assert connection.session.state is state


def test_run_takes_connections_and_programs(connection: hxcomm.ConnectionHandle) -> None:
    with pytest.raises(TypeError, match="as connection"):
        sta.run(None, sta.PlaybackProgramBuilder().done())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"builder\.done\(\)"):
        sta.run(connection, sta.PlaybackProgramBuilder())  # type: ignore[arg-type]
    programs = [sta.PlaybackProgramBuilder().done() for _ in range(2)]
    sta.run(connection, programs)
    assert all(program.recording is not None for program in programs)


def test_the_mock_checks_programs_and_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HXCOMM_ENABLE_ZERO_MOCK", "1")
    with hxcomm.ManagedConnection() as connection:
        builder, _ = sta.generate(sta.SystemInit(connection.get_hwdb_entry()[0]))
        ticket = builder.read(NEURON)
        program = execute(connection, builder)
        assert not ticket.valid()
        assert (program.recording, len(program.spikes), len(program.madc_samples)) == (None, 0, 0)
        builder = sta.PlaybackProgramBuilder()
        start_madc(builder)
        with pytest.raises(UnsupportedFeatureError):
            execute(connection, builder)


def test_generators_make_builders() -> None:
    class Mine(sta.PlaybackGenerator):
        def generate(self) -> Any:
            return sta.PlaybackProgramBuilder(), 3

    assert sta.generate(Mine())[1] == 3
    entry = hxcomm.ZeroMockEntry()
    for generator in (sta.SystemInit(entry), sta.ChipInit(entry), sta.ASICAdapterBoardInit(), sta.CubeASICAdapterBoardInit(), sta.JboaASICAdapterBoardInit()):
        assert isinstance(generator, sta.PlaybackGenerator)
        assert isinstance(sta.generate(generator)[0], sta.PlaybackProgramBuilder)
    with pytest.raises(ConfigurationError, match="get_hwdb_entry"):
        sta.SystemInit(None)  # type: ignore[arg-type]


def test_events_have_attributes(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    builder.write(NEURON, firing_neuron())
    wait(builder, 30)
    spikes = execute(connection, builder).spikes
    assert [(int(spike.label), int(spike.fpga_time)) for spike in spikes] == [(int(s["label"]), int(s["fpga_time"])) for s in spikes.to_numpy()]
    assert spikes[0].chip_time == spikes.to_numpy()[0]["chip_time"]


def test_an_enforced_reinit_program_runs_at_once(connection: hxcomm.ConnectionHandle) -> None:
    builder = sta.PlaybackProgramBuilder()
    builder.write(NEURON, silent_neuron())
    init = builder.done()
    entry = sta.ReinitStackEntry(connection)
    entry.set([init], enforce=False)
    assert init.recording is None
    entry.set([init], enforce=True)
    assert init.recording is not None
    entry.pop()


_ACCESSES = st.sampled_from(
    [
        (NEURON, firing_neuron()),
        (NEURON, silent_neuron()),
        (halco.TimerOnDLS(), hal.Timer()),
        (halco.TimerOnDLS(), hal.Timer.Value(300)),
        (halco.TimerOnDLS(), hal.Timer.Value(5)),
        (halco.BarrierOnFPGA(), hal.Barrier.omnibus),
        (halco.SystimeSyncOnFPGA(), hal.SystimeSync()),
        (halco.EventRecordingConfigOnFPGA(), hal.EventRecordingConfig()),
        (halco.SpikePack1ToChipOnDLS(), hal.SpikePack1ToChip([3])),
        (halco.MADCControlOnDLS(), hal.MADCControl(wake_up=True, start_recording=True)),
        (halco.MADCControlOnDLS(), hal.MADCControl(stop_recording=True)),
        (halco.ResetChipOnDLS(), hal.ResetChip(True)),
        (halco.ChipOnDLS(), connected(NEURON)),
        (halco.CommonNeuronBackendConfigOnDLS(), hal.CommonNeuronBackendConfig()),
        (halco.NeuronColumnOnDLS(), hal.CommonNeuronBackendConfig()),
        (halco.SpikeCounterResetOnDLS(), hal.SpikeCounterReset()),
        (NEURON, None),
        (halco.CADCSamplesOnDLS(), None),
        (halco.CrossbarOutputOnDLS(8), None),
        (halco.PhyStatusOnFPGA(), None),
        (halco.NeuronColumnOnDLS(), None),
        (NEURON.toSpikeCounterReadOnDLS(), None),
    ]
)


@settings(max_examples=60, deadline=None)
@given(programs=st.lists(st.lists(_ACCESSES, max_size=12), min_size=1, max_size=3))
def test_any_sequence_of_commands_ends_in_a_result_or_a_typed_error(programs: list[list[Any]]) -> None:
    with neckar.Lab(chip="reference"), hxcomm.ManagedConnection() as handle:
        for commands in programs:
            builder = sta.PlaybackProgramBuilder()
            try:
                tickets = []
                for coordinate, content in commands:
                    if content is None:
                        tickets.append(builder.read(coordinate))
                    elif isinstance(content, hal.Timer.Value | hal.Barrier):
                        builder.block_until(coordinate, content)
                    else:
                        builder.write(coordinate, content)
                program = execute(handle, builder)
            except NeckarError:
                continue
            assert program.recording is not None
            assert all(ticket.valid() for ticket in tickets)


def test_the_code_of_the_guide_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("HXCOMM_ENABLE_ZERO_MOCK", "QUIGGELDY_ENABLED"):
        monkeypatch.delenv(name, raising=False)
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "playback_programs.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    with neckar.Lab(chip="reference"):
        for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
            exec(compile(block, "playback_programs.md", "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "['reference']"
    assert float(printed[-1]) == pytest.approx(358, abs=1)


def test_an_empty_program_runs(connection: hxcomm.ConnectionHandle) -> None:
    program = execute(connection, sta.PlaybackProgramBuilder())
    assert (len(program.spikes), len(program.madc_samples)) == (0, 0)
    assert Events.from_lists([[]]) == program.program.entries  # type: ignore[union-attr]


def test_members_with_axes_have_upstreams_accessors() -> None:
    register = hal.ShiftRegister()
    register.set_enable_led(halco.LEDOnBoard(2), True)
    assert register.get_enable_led(halco.LEDOnBoard(2))
    assert [bool(on) for on in register.enable_led] == [number == 2 for number in range(halco.LEDOnBoard.size)]
    with pytest.raises(AttributeError, match="has no member"):
        register.set_enable_lamp(halco.LEDOnBoard(2), True)
