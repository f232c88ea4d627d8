"""Recording neurons with the fast converter (MADC), one after the other in one program, and searches that are built on it.

Neurons are connected in turn; the converter takes a burst of samples of each, whose first 8 us are left out because the converter settles. During a burst a
:class:`Recorder` may stimulate the neuron: derive from :class:`MembraneRecorder` and override :meth:`~Recorder.stimulate`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import quantities as pq
from numpy.typing import NDArray

from calix import constants
from calix.common import base, helpers
from calix.common.exceptions import TooFewSamplesError
from dlens_vx_v3 import hal, halco
from neckar.errors import ConfigurationError
from neckar.facts import brainscales2 as facts
from neckar.program import TICKS_PER_US

__all__ = ["Calib", "MembraneRecorder", "Recorder"]

_BIASES = {
    "readout_ac_mux_i_bias": 500,
    "readout_madc_in_500na": 500,
    "readout_sc_amp_i_bias": 500,
    "readout_pseudo_diff_v_ref": 400,
    "readout_sc_amp_v_ref": 400,
}
_FIRST_US = 1000.0
_ENOUGH = 0.95
_SAMPLE = np.dtype([("value", int), ("channel", int), ("fpga_time", int), ("chip_time", float)])
_CYCLES_PER_US = int(hal.Timer.Value.fpga_clock_cycles_per_us)
_INPUT = halco.SourceMultiplexerOnReadoutSourceSelection(0)


class MissingSamplesError(ConfigurationError, TooFewSamplesError):
    """A recording that does not hold what was asked for."""


class Recorder(ABC):
    """Base of experiments that look at neurons with the MADC.

    Attributes
    ----------
    sampling_time : quantity
        Length of the samples of each neuron, at most 2.2 ms.
    wait_between_neurons : quantity
        From neuron to neuron; at least the length of everything that happens with one.
    dead_time : quantity
        From the connection of a neuron to the start of its samples.
    invalid_samples_time : quantity
        Beginning of a burst that is left out.
    madc_input_frequency : quantity
        Clock of the converter.
    madc_config : hal.MADCConfig
        Written by :meth:`prepare_recording`.
    neurons : ndarray of int
        Which are recorded, in the order of ``halco.NeuronConfigOnDLS``; all by default.
    original_readout_config, original_neuron_configs
        What :meth:`restore_initial_state` brings back.
    """

    def __init__(self) -> None:
        self.original_readout_config: Any = None
        self.original_neuron_configs: list[Any] | None = None
        self.sampling_time = 40 * pq.us
        self.wait_between_neurons = 10 * self.sampling_time
        self._wait_before_stimulation = 2 * pq.us
        self.dead_time = 1 * pq.us
        self.invalid_samples_time = 8 * pq.us
        self.madc_input_frequency = TICKS_PER_US * pq.MHz
        self.madc_config = hal.MADCConfig()
        self.neurons: NDArray[np.int64] = np.arange(halco.NeuronConfigOnDLS.size)

    @property
    def _samples_per_us(self) -> float:
        cycles = int(facts.MADC_CYCLES.value) + int(self.madc_config.sample_duration_adjust)
        return float(self.madc_input_frequency.rescale(pq.MHz).magnitude) / cycles

    def prepare_recording(self, connection: Any) -> None:
        """Set up the converter, keep how neurons and readout are configured, and disconnect all neurons from the readout."""
        builder = base.WriteRecordingPlaybackProgramBuilder()
        readout = builder.read(halco.ReadoutSourceSelectionOnDLS())
        neurons = [builder.read(neuron) for neuron in halco.iter_all(halco.NeuronConfigOnDLS)]
        for cell, code in _BIASES.items():
            builder.write(getattr(halco.CapMemCellOnDLS, cell), hal.CapMemCell(code))
        helpers.wait(builder, constants.capmem_level_off_time)
        self.madc_config.number_of_samples = int(self._samples_per_us * (_us(self.sampling_time) + _us(self.invalid_samples_time)))
        builder.write(halco.MADCConfigOnDLS(), self.madc_config)
        base.run(connection, builder)
        self.original_readout_config = readout.get()
        self.original_neuron_configs = [ticket.get() for ticket in neurons]
        for neuron in halco.iter_all(halco.NeuronConfigOnDLS):
            builder.write(neuron, self.neuron_config_disabled(neuron))
        base.run(connection, builder)

    @abstractmethod
    def neuron_config_readout(self, neuron_coord: Any) -> Any:
        """Return the configuration of a neuron while it is recorded."""

    @abstractmethod
    def neuron_config_disabled(self, neuron_coord: Any) -> Any:
        """Return the configuration of a neuron while others are recorded: disconnected from the readout."""

    @abstractmethod
    def stimulate(self, builder: Any, neuron_coord: Any, stimulation_time: int) -> Any:
        """Append what happens to a neuron while it is recorded, and return the builder.

        Parameters
        ----------
        builder : WriteRecordingPlaybackProgramBuilder
        neuron_coord : halco.NeuronConfigOnDLS
        stimulation_time : int
            Value of the timer now, cycles of the FPGA.
        """

    def build_measurement_program(self, builder: Any) -> tuple[Any, list[Any]]:
        """Append the recording of all neurons; return the builder and two tickets for each, whose times are begin and end of its samples."""
        control = hal.MADCControl()
        control.wake_up = control.enable_pre_amplifier = True
        control.enable_power_down_after_sampling = control.start_recording = False
        builder.write(halco.MADCControlOnDLS(), control)
        self._record_events(builder, True)
        builder.write(halco.SystimeSyncOnFPGA(), hal.SystimeSync())
        builder.block_until(halco.BarrierOnFPGA(), hal.Barrier.systime)
        builder.write(halco.TimerOnDLS(), hal.Timer())
        all_neurons = list(halco.iter_all(halco.NeuronConfigOnDLS))
        tickets: list[Any] = []
        for place, number in enumerate(self.neurons):
            tickets += self._record_neuron(builder, all_neurons[int(number)], _FIRST_US + place * _us(self.wait_between_neurons))
        self._record_events(builder, False)
        return builder, tickets

    def _record_neuron(self, builder: Any, neuron: Any, start_us: float) -> list[Any]:
        """Append the recording of a neuron from a moment on, and return the tickets of begin and end."""
        _wait_until(builder, start_us)
        builder.write(neuron, self.neuron_config_readout(neuron))
        builder.write(halco.ReadoutSourceSelectionOnDLS(), _selection_of(neuron))
        builder.block_until(halco.BarrierOnFPGA(), hal.Barrier.omnibus)
        now_us = start_us + _us(self.dead_time)
        _wait_until(builder, now_us)
        control = hal.MADCControl()
        control.start_recording = control.enable_pre_amplifier = True
        control.wake_up = control.enable_power_down_after_sampling = False
        builder.write(halco.MADCControlOnDLS(), control)
        control.start_recording = False
        builder.write(halco.MADCControlOnDLS(), control)
        now_us += _us(self.invalid_samples_time)
        _wait_until(builder, now_us)
        begin = builder.read(halco.NullPayloadReadableOnFPGA())
        now_us += _us(self._wait_before_stimulation)
        _wait_until(builder, now_us)
        builder = self.stimulate(builder, neuron, int(now_us * _CYCLES_PER_US))
        _wait_until(builder, start_us + _us(self.wait_between_neurons))
        end = builder.read(halco.NullPayloadReadableOnFPGA())
        builder.write(neuron, self.neuron_config_disabled(neuron))
        return [begin, end]

    @staticmethod
    def _record_events(builder: Any, enable: bool) -> None:
        config = hal.EventRecordingConfig()
        config.enable_event_recording = enable
        builder.write(halco.EventRecordingConfigOnFPGA(), config)

    def record_traces(self, connection: Any, builder: Any) -> list[NDArray[Any]]:
        """Run a builder and the recording; return for each neuron its samples: ``value`` in LSB, ``chip_time`` in us, ``channel``, ``fpga_time``.

        Raises
        ------
        TooFewSamplesError
            If a neuron has less than 95 % of its samples.
        """
        builder, tickets = self.build_measurement_program(builder)
        program = base.run(connection, builder)
        samples = np.sort(program.madc_samples.to_numpy(), order="chip_time", kind="stable").astype(_SAMPLE)
        samples["chip_time"] /= _CYCLES_PER_US
        borders = np.searchsorted(samples["chip_time"], [ticket.fpga_time / _CYCLES_PER_US for ticket in tickets])
        found = [samples[begin:end] for begin, end in borders.reshape(-1, 2)]
        wanted = int(_ENOUGH * self._samples_per_us * _us(self.sampling_time))
        missing = [f"{number} ({len(part)})" for number, part in zip(self.neurons, found, strict=True) if len(part) < wanted]
        if missing:
            raise MissingSamplesError(
                f"neurons {', '.join(missing[:8])}{' ...' * (len(missing) > 8)} have fewer samples (in brackets) than {wanted}. Choose a longer "
                "wait_between_neurons, or a shorter sampling_time."
            )
        return found

    def restore_initial_state(self, connection: Any) -> None:
        """Bring back readout and neurons as they were before :meth:`prepare_recording`."""
        if self.original_neuron_configs is None:
            raise ConfigurationError("restore_initial_state was called before prepare_recording; there is nothing to bring back. Prepare first.")
        builder = base.WriteRecordingPlaybackProgramBuilder()
        builder.write(halco.ReadoutSourceSelectionOnDLS(), self.original_readout_config)
        for neuron, config in zip(halco.iter_all(halco.NeuronConfigOnDLS), self.original_neuron_configs, strict=True):
            builder.write(neuron, config)
        base.run(connection, builder)


class Calib(base.Calib, Recorder):
    """Base of searches that measure with the MADC: give :meth:`evaluate` beside what :class:`Recorder` and :class:`base.Calib` ask for.

    Parameters
    ----------
    parameter_range, inverted, errors, n_instances
        As of :class:`calix.common.base.Calib`.
    """

    def __init__(
        self, parameter_range: base.ParameterRange, inverted: bool, errors: Sequence[str] | None = None, n_instances: int = halco.NeuronConfigOnDLS.size
    ) -> None:
        base.Calib.__init__(self, parameter_range, n_instances, inverted, errors)
        Recorder.__init__(self)

    @abstractmethod
    def evaluate(self, samples: list[NDArray[Any]]) -> NDArray[Any]:
        """Return one result for each neuron from its samples."""

    def measure_results(self, connection: Any, builder: Any) -> NDArray[Any]:
        """Run the builder, record all neurons and return what the samples say."""
        return self.evaluate(self.record_traces(connection, builder))

    def prelude(self, connection: Any) -> None:
        """Prepare the recording."""
        self.prepare_recording(connection)

    def postlude(self, connection: Any) -> None:
        """Bring back neurons and readout."""
        self.restore_initial_state(connection)


class MembraneRecorder(Recorder):
    """Records what neurons show as they are, without any stimulus.

    Examples
    --------
    >>> recorder = MembraneRecorder()
    >>> recorder.prepare_recording(connection)  # doctest: +SKIP
    >>> samples = recorder.record_traces(connection, base.WriteRecordingPlaybackProgramBuilder())  # doctest: +SKIP
    """

    def neuron_config_disabled(self, neuron_coord: Any) -> Any:
        """Return the neuron as it was, disconnected from the readout."""
        if self.original_neuron_configs is None:
            raise ConfigurationError("neurons were asked for before prepare_recording, which reads them. Prepare first.")
        config = hal.NeuronConfig(self.original_neuron_configs[int(neuron_coord.toEnum())])
        config.enable_readout = False
        return config

    def neuron_config_readout(self, neuron_coord: Any) -> Any:
        """Return the neuron as it was, connected to the readout."""
        config = self.neuron_config_disabled(neuron_coord)
        config.enable_readout = True
        return config

    def stimulate(self, builder: Any, neuron_coord: Any, stimulation_time: int) -> Any:
        """Do nothing."""
        return builder

    @staticmethod
    def plot_traces(samples: list[NDArray[Any]]) -> None:
        """Save the trace of each neuron as ``trace_neuron<number>.png`` in the current folder."""
        import matplotlib.pyplot as plt

        for number, trace in enumerate(samples):
            figure, axes = plt.subplots()
            axes.plot(trace["chip_time"] - trace["chip_time"][0], trace["value"])
            figure.savefig(f"trace_neuron{number}.png", dpi=300)
            plt.close(figure)


def _us(time: Any) -> float:
    return float(time.rescale(pq.us).magnitude)


def _wait_until(builder: Any, time_us: float) -> None:
    builder.block_until(halco.TimerOnDLS(), hal.Timer.Value(int(time_us * _CYCLES_PER_US)))


def _selection_of(neuron: Any) -> Any:
    """Return the readout that shows the lines of a neuron's columns on the first input."""
    lines, selection = hal.ReadoutSourceSelection.SourceMultiplexer(), hal.ReadoutSourceSelection()
    odd = int(neuron.toAtomicNeuronOnDLS().toNeuronColumnOnDLS()) % 2
    (lines.neuron_odd if odd else lines.neuron_even)[neuron.toNeuronRowOnDLS().toHemisphereOnDLS()] = True
    selection.set_buffer(_INPUT, lines)
    selection.enable_buffer_to_pad[_INPUT] = True
    return selection
