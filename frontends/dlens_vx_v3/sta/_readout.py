"""What the membrane converter sees: the way from its two inputs back to neurons and to the board, as the readout registers say."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlens_vx_v3 import hal, halco
from dlens_vx_v3.hxcomm import Board
from neckar.chip.config import ChipConfig
from neckar.chip.coordinates import hemisphere_of, parity_of
from neckar.errors import ConfigurationError, UnsupportedFeatureError
from neckar.facts import AXES
from neckar.program import SOURCES, MadcChannel

_CIRCUITS = np.arange(AXES["circuit"])
_REMEDY = (
    "Set readout.enable_amplifier and readout.enable_buffered_access of one neuron and neuron_even or neuron_odd of the input multiplexer, or, for the "
    "voltage of the board, debug_plus of the input multiplexer, debug_to_pad of the pad and readout_chain_0 of the board's first analog multiplexer."
)


def channels_of(config: ChipConfig, board: Board) -> tuple[MadcChannel, ...]:
    """Return what the converter's inputs are connected to, in their order.

    Raises
    ------
    ConfigurationError
        If several circuits, or a circuit and the board, drive one input.
    UnsupportedFeatureError
        If nothing drives any: the potential of an open line has no model.
    """
    driving = np.asarray(config.readout_enable_amplifier, bool) & np.asarray(config.readout_enable_buffered_access, bool)
    external = _external_inputs(board)
    channels = []
    for buffer in range(AXES["readout_buffer"]):
        switches = np.stack([config.readout_mux_neuron_even[buffer], config.readout_mux_neuron_odd[buffer]]).astype(bool)  # (parity, hemisphere)
        circuits = np.flatnonzero(driving & switches[parity_of(_CIRCUITS), hemisphere_of(_CIRCUITS)])
        if len(circuits) + (buffer in external) > 1:
            also = " and by the board" if buffer in external else ""
            raise ConfigurationError(f"the MADC's input {buffer} is driven by the circuits {circuits.tolist()}{also}; allowed is one voltage. {_REMEDY}")
        channels += [MadcChannel(int(circuit), SOURCES[int(config.readout_source[circuit])]) for circuit in circuits]  # type: ignore[arg-type]
        channels += [MadcChannel(0, "external")] if buffer in external else []
    if not channels:
        raise UnsupportedFeatureError(f"the MADC was started, but nothing drives one of its inputs. {_REMEDY}")
    return tuple(channels)


def _external_inputs(board: Board) -> set[int]:
    """Return the inputs to which the debug pad is connected, if the board applies its voltage there."""
    chain = board.stored.get(halco.ReadoutChainOnDLS())
    register = board.stored.get(halco.ShiftRegisterOnBoard())
    pads: list[Any] = list(chain.pad_mux) if chain is not None else []
    pads += [container for coordinate, container in board.stored.items() if isinstance(coordinate, halco.PadMultiplexerConfigOnDLS)]
    inputs: list[Any] = list(chain.input_mux) if chain is not None else []
    selection = board.stored.get(halco.ReadoutSourceSelectionOnDLS())
    inputs = list(selection.buffers) if selection is not None else inputs
    first = hal.ShiftRegister.AnalogReadoutMux1Input
    applied = register is not None and register.select_analog_readout_mux_1_input in (first.readout_chain_0, first.readout_chain_1)
    if not applied or not any(pad.debug_to_pad for pad in pads):
        return set()
    return {number for number, one in enumerate(inputs) if one.debug_plus}
