"""Programs that bring neurons into the state in which upstream's scripts measure them, and readings of their membranes.

The functions append to a builder, which most return; :func:`cadc_read_neuron_potentials` and :func:`reconfigure_synaptic_input` run programs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calix import constants
from calix._types import magnitude
from calix.common import base, cadc_helpers, helpers
from dlens_vx_v3 import hal, halco, lola, sta

__all__ = [
    "CADCReadNeurons",
    "cadc_read_neuron_potentials",
    "cadc_read_neurons_repetitive",
    "configure_chip",
    "configure_integration",
    "configure_readout_neurons",
    "configure_stp_and_padi",
    "configure_synapses",
    "enable_all_synapse_drivers",
    "inspect_read_tickets",
    "neuron_backend_config_default",
    "neuron_config_default",
    "neuron_reset_builders",
    "reconfigure_synaptic_input",
    "reset_neurons",
    "reshape_neuron_quadrants",
    "set_analog_neuron_config",
    "set_global_capmem_config",
]

_NEURONS = halco.NeuronConfigOnDLS.size
_NOISE = 5
_HIGHEST = int(hal.CapMemCell.Value.max)
_QUADRANT_CELLS = {
    "neuron_v_bias_casc_n": 250,
    "neuron_i_bias_readout_amp": 110,
    "neuron_i_bias_leak_source_follower": 100,
    "syn_i_bias_dac": _HIGHEST,
    "neuron_i_bias_spike_comparator": 200,
    "neuron_i_bias_synin_drop": 300,
}
_READOUT_CELLS = ("readout_out_amp_i_bias_0", "readout_out_amp_i_bias_1")
_KINDS = {"exc": "excitatory", "inh": "inhibitory"}
_REST_SHIFT = 310
_REFRACTORY, _SLOW, _FAST, _PULSE = 70, 9, 2, 5
_AFTER_RESET_US = 30
_FIRST_LEAK_BIAS = 200


def inspect_read_tickets(read_tickets: Any) -> NDArray[np.float64]:
    """Return the mean of causal and acausal channel of rows of the CADC, shape (column,) for one ticket and (ticket, column) for a list."""
    rows = [ticket.get() for ticket in (read_tickets if isinstance(read_tickets, list) else [read_tickets])]
    means = np.array([(row.causal.to_numpy() + row.acausal.to_numpy()) / 2 for row in rows])
    return means if isinstance(read_tickets, list) else means[0]


class CADCReadNeurons(sta.PlaybackGenerator):
    """A read of all channels of the CADC, which have to be connected to the neurons."""

    class Result:
        """What will have been read.

        Parameters
        ----------
        tickets : list of sta.ContainerTicket
            One for each hemisphere.
        """

        def __init__(self, tickets: list[Any]) -> None:
            self.tickets = tickets

        def to_numpy(self) -> NDArray[np.float64]:
            """Return one reading of each neuron, shape (neuron,)."""
            return inspect_read_tickets(self.tickets).reshape(-1)

    @classmethod
    def generate(cls) -> tuple[Any, CADCReadNeurons.Result]:
        """Return a builder with the reads, and their result."""
        builder = base.WriteRecordingPlaybackProgramBuilder()
        return builder, cls.Result([cadc_helpers.cadc_read_row(builder, synram)[1] for synram in halco.iter_all(halco.SynramOnDLS)])


def cadc_read_neuron_potentials(connection: Any, builder: Any = None) -> NDArray[np.float64]:
    """Return one reading of each membrane, shape (neuron,); a builder is run before, in the same program."""
    reads, result = CADCReadNeurons.generate()
    if builder is not None:
        builder.merge_back(reads)
    base.run(connection, reads if builder is None else builder)
    return result.to_numpy()


def reshape_neuron_quadrants(neuron_reads: NDArray[Any]) -> NDArray[Any]:
    """Return values of neurons by quadrant, shape (quadrant, neuron of the quadrant)."""
    found = np.empty((halco.NeuronConfigBlockOnDLS.size, halco.NeuronConfigOnNeuronConfigBlock.size), neuron_reads.dtype)
    for neuron, value in zip(halco.iter_all(halco.NeuronConfigOnDLS), neuron_reads, strict=True):
        found[int(neuron.toNeuronConfigBlockOnDLS().toEnum()), int(neuron.toNeuronConfigOnNeuronConfigBlock().toEnum())] = value
    return found


def _resets(synram: Any) -> Any:
    builder = base.WriteRecordingPlaybackProgramBuilder()
    for quad in halco.iter_all(halco.SynapseQuadColumnOnDLS):
        builder.write(halco.NeuronResetQuadOnDLS(quad, synram), hal.NeuronResetQuad())
    return builder


neuron_reset_builders = {synram: _resets(synram) for synram in halco.iter_all(halco.SynramOnDLS)}
"""Programs that reset the neurons of one hemisphere."""


def reset_neurons(builder: Any, synram: Any = None) -> Any:
    """Append a reset of the neurons of a hemisphere, by default of all: their membranes go to the reset potential. Only at the start of a program."""
    for place in halco.iter_all(halco.SynramOnDLS) if synram is None else [synram]:
        builder.copy_back(neuron_reset_builders[place])
    return builder


def cadc_read_neurons_repetitive(
    connection: Any, builder: Any, *, synram: Any, n_reads: int = 50, wait_time: Any = 1e-3, reset: bool = False
) -> NDArray[np.float64]:
    """Return readings of the neurons of a hemisphere, shape (read, neuron).

    Parameters
    ----------
    connection : StatefulConnection or hxcomm.ConnectionHandle
    builder : WriteRecordingPlaybackProgramBuilder
        Run before; is emptied.
    synram : halco.SynramOnDLS
    n_reads : int
    wait_time : quantity or number
        Between two reads, s.
    reset : bool
        Whether all neurons are reset 30 us before each read. Each read then has a program of its own.
    """
    wait_us, tickets = float(magnitude(wait_time, "us" if hasattr(wait_time, "rescale") else "s")), []
    if not hasattr(wait_time, "rescale"):
        wait_us *= 1e6
    for _ in range(n_reads):
        if reset:
            base.run(connection, builder)
            reset_neurons(builder)
            helpers.wait_us(builder, _AFTER_RESET_US)
        tickets.append(cadc_helpers.cadc_read_row(builder, synram)[1])
        helpers.wait_us(builder, wait_us)
    base.run(connection, builder)
    return inspect_read_tickets(tickets)


def neuron_config_default() -> Any:
    """Return a neuron that integrates: inputs, readout and fire logic on, the leak divided."""
    config = hal.NeuronConfig()
    config.membrane_capacitor_size = hal.NeuronConfig.MembraneCapacitorSize.max
    config.readout_source = hal.NeuronConfig.ReadoutSource.membrane
    for kind in _KINDS.values():
        setattr(config, f"enable_synaptic_input_{kind}", True)
        setattr(config, f"enable_synaptic_input_{kind}_high_resistance", False)
    config.enable_readout_amplifier = config.enable_fire = config.enable_leak_division = config.enable_reset_multiplication = True
    config.enable_leak_degeneration = False
    return config


def neuron_backend_config_default() -> Any:
    """Return the digital part of such a neuron: short resets, on the fast clock."""
    config = hal.NeuronBackendConfig()
    config.refractory_time, config.select_input_clock = _REFRACTORY, 1
    return config


def configure_integration(builder: Any) -> Any:
    """Append what all neurons share: columns connected to the CADC and to their neurons, clocks and length of resets."""
    sensors = hal.ColumnCorrelationQuad()
    to_neuron = hal.ColumnCorrelationQuad.ColumnCorrelationSwitch()
    for kind in ("causal", "acausal"):
        setattr(to_neuron, f"enable_internal_{kind}", True)
        setattr(to_neuron, f"enable_cadc_neuron_readout_{kind}", True)
    currents = hal.ColumnCurrentQuad()
    both = hal.ColumnCurrentQuad.ColumnCurrentSwitch()
    both.enable_synaptic_current_excitatory = both.enable_synaptic_current_inhibitory = True
    for entry in halco.iter_all(halco.EntryOnQuad):
        sensors.set_switch(entry, to_neuron)
        currents.set_switch(entry, both)
    clocks, pulse = hal.CommonNeuronBackendConfig(), hal.CommonCorrelationConfig()
    clocks.clock_scale_slow, clocks.clock_scale_fast, pulse.reset_duration = _SLOW, _FAST, _PULSE
    for places, config in (
        (halco.ColumnCorrelationQuadOnDLS, sensors),
        (halco.ColumnCurrentQuadOnDLS, currents),
        (halco.CommonNeuronBackendConfigOnDLS, clocks),
        (halco.CommonCorrelationConfigOnDLS, pulse),
    ):
        _everywhere(builder, places, config)
    return builder


def configure_synapses(builder: Any, n_synapse_rows: int = 8, *, stimulation_address: Any = 0, weight: Any = 10) -> Any:
    """Append a synapse array whose first rows have a weight and hear an address; other rows have no weight and hear the next address."""
    shape = (halco.SynapseRowOnSynram.size, halco.SynapseOnSynapseRow.size)
    used = np.broadcast_to(np.arange(shape[0])[:, None] < n_synapse_rows, shape)
    address = int(stimulation_address)
    synapses = lola.SynapseMatrix()
    synapses.weights.from_numpy(np.where(used, int(weight), 0))
    synapses.labels.from_numpy(np.where(used, address, (address + 1) % int(hal.SynapseQuad.Label.max)))
    return _everywhere(builder, halco.SynramOnDLS, synapses)


def configure_stp_and_padi(builder: Any) -> Any:
    """Append the defaults of short-term plasticity and of the PADI buses."""
    _everywhere(builder, halco.CommonSTPConfigOnDLS, hal.CommonSTPConfig())
    return _everywhere(builder, halco.CommonPADIBusConfigOnDLS, hal.CommonPADIBusConfig())


def enable_all_synapse_drivers(builder: Any, row_mode: Any) -> Any:
    """Append drivers that hear every event and drive both rows in a mode."""
    driver = hal.SynapseDriverConfig()
    driver.enable_address_out = driver.enable_receiver = True
    driver.row_mode_top = driver.row_mode_bottom = row_mode
    driver.row_address_compare_mask = 0
    return _everywhere(builder, halco.SynapseDriverOnDLS, driver)


def set_analog_neuron_config(builder: Any, v_leak: Any, i_leak: Any) -> tuple[Any, dict[Any, Any]]:
    """Append analog parameters of neurons whose inputs have no strength yet, and return them, too.

    Parameters
    ----------
    builder : WriteRecordingPlaybackProgramBuilder
    v_leak, i_leak : int or ndarray of int, shape (neuron,)
        A single value is spread by up to 5. The reset potential is that of the leak.
    """
    row: Any = halco.CapMemRowOnCapMemBlock
    parameters: dict[Any, Any] = {row.i_bias_leak: i_leak, row.v_leak: v_leak, row.v_reset: v_leak, row.i_bias_reset: _HIGHEST - 2 * _NOISE}
    for kind in _KINDS:
        for part, code in (("gm", 0), ("coba", 0), ("shift", _REST_SHIFT), ("tau", _HIGHEST - _NOISE)):
            parameters[getattr(row, f"i_bias_synin_{kind}_{part}")] = code
    return helpers.capmem_set_neuron_cells(builder, parameters), parameters


def set_global_capmem_config(builder: Any) -> Any:
    """Append the cells that neurons share, and a wait."""
    helpers.capmem_set_quadrant_cells(builder, {getattr(halco.CapMemCellOnCapMemBlock, name): code for name, code in _QUADRANT_CELLS.items()})
    for name in _READOUT_CELLS:
        builder.write(getattr(halco.CapMemCellOnDLS, name), hal.CapMemCell(_HIGHEST))
    return helpers.wait(builder, 5 * constants.capmem_level_off_time)


def configure_readout_neurons(builder: Any, readout_neuron: Any) -> Any:
    """Append the connection of a neuron to the first pad, and of the CADC's ramp to the second.

    Parameters
    ----------
    builder : WriteRecordingPlaybackProgramBuilder
    readout_neuron : halco.AtomicNeuronOnDLS
    """
    config = neuron_config_default()
    config.enable_readout = True
    builder.write(readout_neuron.toNeuronConfigOnDLS(), config)
    first = halco.SourceMultiplexerOnReadoutSourceSelection(0)
    lines, selection = hal.ReadoutSourceSelection.SourceMultiplexer(), hal.ReadoutSourceSelection()
    (lines.neuron_odd if int(readout_neuron.x()) % 2 else lines.neuron_even)[readout_neuron.y().toHemisphereOnDLS()] = True
    selection.set_buffer(first, lines)
    selection.enable_buffer_to_pad[first] = True
    builder.write(halco.ReadoutSourceSelectionOnDLS(), selection)
    neuron_pad, ramp_pad = hal.PadMultiplexerConfig(), hal.PadMultiplexerConfig()
    neuron_pad.buffer_to_pad[first] = True
    ramp_pad.cadc_v_ramp_mux[halco.CapMemBlockOnDLS(0)] = ramp_pad.cadc_v_ramp_mux_to_pad = True
    for number, pad in enumerate((neuron_pad, ramp_pad)):
        builder.write(halco.PadMultiplexerConfigOnDLS(number), pad)
    return builder


def configure_chip(builder: Any, v_leak: int = 700, n_synapse_rows: int = 8, readout_neuron: Any = None) -> tuple[Any, dict[Any, Any]]:
    """Append everything that neurons need before they can be calibrated for integration, and return the analog parameters, too.

    Parameters
    ----------
    builder : WriteRecordingPlaybackProgramBuilder
    v_leak : int
        Code of the leak potential, LSB.
    n_synapse_rows : int
        As of :func:`configure_synapses`.
    readout_neuron : halco.AtomicNeuronOnDLS, optional
        As of :func:`configure_readout_neurons`; by default the readout is left alone.
    """
    configure_integration(builder)
    _everywhere(builder, halco.NeuronConfigOnDLS, neuron_config_default())
    _everywhere(builder, halco.NeuronBackendConfigOnDLS, neuron_backend_config_default())
    configure_synapses(builder, n_synapse_rows)
    configure_stp_and_padi(builder)
    _, parameters = set_analog_neuron_config(builder, v_leak, _FIRST_LEAK_BIAS)
    set_global_capmem_config(builder)
    if readout_neuron is not None:
        configure_readout_neurons(builder, readout_neuron)
    return builder, parameters


def reconfigure_synaptic_input(connection: Any, excitatory_biases: Any = None, inhibitory_biases: Any = None) -> None:
    """Set the strength of inputs on the chip of a connection; an input without strength is switched off.

    Parameters
    ----------
    connection : StatefulConnection or hxcomm.ConnectionHandle
    excitatory_biases, inhibitory_biases : int or ndarray of int, shape (neuron,), optional
        LSB; a single value is spread by up to 5. By default the input is left alone.
    """
    wanted: dict[str, Any] = {kind: biases for kind, biases in zip(_KINDS, (excitatory_biases, inhibitory_biases), strict=True) if biases is not None}
    if not wanted:
        return
    builder = base.WriteRecordingPlaybackProgramBuilder()
    neurons: Sequence[Any] = list(halco.iter_all(halco.NeuronConfigOnDLS))
    tickets = [builder.read(neuron) for neuron in neurons]
    base.run(connection, builder)
    helpers.capmem_set_neuron_cells(builder, {getattr(halco.CapMemRowOnCapMemBlock, f"i_bias_synin_{kind}_gm"): biases for kind, biases in wanted.items()})
    enabled = {kind: np.broadcast_to(np.asarray(biases) != 0, _NEURONS) for kind, biases in wanted.items()}
    for number, (neuron, ticket) in enumerate(zip(neurons, tickets, strict=True)):
        config = ticket.get()
        for kind, on in enabled.items():
            setattr(config, f"enable_synaptic_input_{_KINDS[kind]}", bool(on[number]))
        builder.write(neuron, config)
    base.run(connection, builder)


def _everywhere(builder: Any, places: Any, config: Any) -> Any:
    """Append a write of the same at all places of a kind."""
    for place in halco.iter_all(places):
        builder.write(place, config)
    return builder
