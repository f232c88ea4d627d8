"""One experiment on every level of the software, from target units to a hand-written Program: the recordings agree bit for bit.

The experiment: a calibrated neuron of circuit 0, driven over its threshold by a constant current, for 300 us; spikes and the membrane on the MADC.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import neckar
import pynn_brainscales.brainscales2 as pynn
from dlens_vx_v3 import hal, halco, hxcomm, lola, sta
from dlens_vx_v3._container import chip_of, config_of
from neckar.calibration import SpikingTarget, calibrate
from neckar.chip.config import ChipConfig
from neckar.chip.specimen import Specimen
from neckar.facts import registers
from neckar.lab._observe import observe
from neckar.program import MadcChannel, Program, Record, Recording, Snippet, ticks

RUNTIME_MS = 0.3
CURRENT = 700
CIRCUIT = halco.AtomicNeuronOnDLS()
SEED = 11


@cache
def calibrated() -> ChipConfig:
    """Return the codes of a calibration to upstream's default target: the level of microseconds and CADC readings."""
    return ChipConfig(calibrate(Specimen.reference(), SpikingTarget()).fields)


def driven() -> ChipConfig:
    """Return these codes with the current switched on."""
    config = calibrated().copy()
    config["constant_current_enable", int(CIRCUIT)] = True
    config["constant_current_i_offset", int(CIRCUIT)] = CURRENT
    return config


def through_pynn(base: ChipConfig, **codes: Any) -> None:
    """Run a neuron of PyNN on a chip."""
    pynn.setup(initial_config=chip_of(base.copy()))
    neurons = pynn.Population(1, pynn.cells.HXNeuron(**codes))
    neurons.record(["spikes", "v"])
    pynn.run(RUNTIME_MS)
    pynn.end()


def target_units() -> None:
    """Let the calibration set the neuron, and switch the current on."""
    through_pynn(calibrated(), constant_current_enable=True, constant_current_i_offset=CURRENT)


def codes() -> None:
    """Give every parameter of the cell as a code; of the calibration only what neurons share is left."""
    base, values = calibrated().copy(), driven()
    chip_of(base).neuron_block.atomic_neurons[CIRCUIT] = lola.AtomicNeuron()
    through_pynn(base, **{name: int(values[name][int(CIRCUIT)]) for name, register in registers("brainscales2").items() if register.hxneuron})


def containers() -> None:
    """Set the registers of the neuron as a container."""
    chip = chip_of(calibrated().copy())
    neuron = chip.neuron_block.atomic_neurons[CIRCUIT]
    neuron.constant_current.enable = True
    neuron.constant_current.i_offset = CURRENT
    through_pynn(config_of(chip))


def playback() -> None:
    """Write the chip, start the converter and wait, in a playback program."""
    chip = chip_of(driven())
    readout = chip.neuron_block.atomic_neurons[CIRCUIT].readout
    readout.enable_amplifier = readout.enable_buffered_access = True
    selection = hal.ReadoutSourceSelection()
    selection.buffers[0].neuron_even[halco.HemisphereOnDLS.top] = True
    control = hal.MADCControl(wake_up=True, enable_continuous_sampling=True)
    start = hal.MADCControl(start_recording=True, enable_continuous_sampling=True)
    builder = sta.PlaybackProgramBuilder()
    builder.write(halco.ChipOnDLS(), chip)
    builder.write(halco.ReadoutSourceSelectionOnDLS(), selection)
    builder.write(halco.MADCControlOnDLS(), control)
    builder.write(halco.MADCControlOnDLS(), start)
    builder.write(halco.TimerOnDLS(), hal.Timer())
    builder.block_until(halco.TimerOnDLS(), hal.Timer.Value(round(RUNTIME_MS * 1000) * int(hal.Timer.Value.fpga_clock_cycles_per_us)))
    with hxcomm.ManagedConnection() as connection:
        sta.run(connection, builder.done())


def program() -> None:
    """Write the Program itself."""
    record = Record(spikes="all", madc=(MadcChannel(int(CIRCUIT)),))
    neckar.lab.current_lab().run(Program(machine="brainscales2", config=driven(), snippets=[Snippet(ticks(RUNTIME_MS * 1e-3))], record=record))


LEVELS: tuple[Callable[[], None], ...] = (target_units, codes, containers, playback, program)


@pytest.fixture(autouse=True)
def virtual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the virtual chip, whatever the environment says."""
    for name in ("HXCOMM_ENABLE_ZERO_MOCK", "QUIGGELDY_ENABLED"):
        monkeypatch.delenv(name, raising=False)


def recorded(level: Callable[[], None]) -> Recording:
    """Return the one recording that an experiment makes on the first run of a lab."""
    found: list[Recording] = []
    with observe(lambda program, recording, state: found.append(recording)), neckar.Lab(chip="reference", seed=SEED):
        level()
    (recording,) = found
    return recording


@cache
def reference() -> Recording:
    """Return the recording of the hand-written Program."""
    return recorded(program)


def test_the_experiment_shows_something() -> None:
    recording = reference()
    assert len(recording.spikes) >= 5
    assert np.ptp(recording.madc[0].value) > 50


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.__name__)
def test_every_level_gives_the_same_bits(level: Callable[[], None]) -> None:
    recording = recorded(level)
    assert recording.spikes == reference().spikes
    assert recording.madc == reference().madc
    assert recording.provenance.chip == reference().provenance.chip
    assert recording.provenance.run_seed == (SEED, 0)
