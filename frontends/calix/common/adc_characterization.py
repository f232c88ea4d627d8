"""Base of sweeps of the board's voltage, from which the readings of a converter follow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import quantities as pq

from calix.common import base
from dlens_vx_v3 import hal, halco, lola
from neckar.errors import ParameterRangeError

__all__ = ["ADCCharacterization"]


class ADCCharacterization(ABC):
    """Applies voltages of the board to a pad, one after the other.

    Parameters
    ----------
    test_values : quantity array, shape (voltage,)
    readout_pad : int
        0 or 1.

    Attributes
    ----------
    recording_time, wait_before_measurement : quantity
        Length of the recording at each voltage, and of the wait before it.

    Raises
    ------
    ParameterRangeError
        If there is no such pad.
    """

    recording_time = 10 * pq.us
    wait_before_measurement = 1e3 * pq.us

    def __init__(self, test_values: Any, readout_pad: int = 0) -> None:
        if readout_pad not in (0, 1):
            raise ParameterRangeError(f"readout_pad is {readout_pad}; allowed are 0 and 1. Choose one of them.")
        self.test_values, self.pad = test_values, readout_pad

    def prelude(self, connection: Any) -> None:
        """Connect the board's voltage to the pad."""
        register = hal.ShiftRegister()
        register.select_analog_readout_mux_1_input = getattr(register.AnalogReadoutMux1Input, f"readout_chain_{self.pad}")
        register.select_analog_readout_mux_2_input = register.AnalogReadoutMux2Input.mux_dac_25
        builder = base.WriteRecordingPlaybackProgramBuilder()
        builder.write(halco.ShiftRegisterOnBoard(), register)
        base.run(connection, builder)

    @staticmethod
    def configure_parameters(builder: Any, parameter: Any) -> Any:
        """Append the write of a voltage, a quantity, and return the builder."""
        channels: Any = halco.DACChannelOnBoard
        block, channel = lola.DACChannelBlock(), hal.DACChannel()
        block.set_voltage(channels.mux_dac_25, float(parameter.rescale(pq.V).magnitude))
        channel.value = block.value[channels.mux_dac_25]
        builder.write(channels.mux_dac_25, channel)
        return builder

    @abstractmethod
    def run(self, connection: Any) -> dict[str, Any]:
        """Measure on the chip of a connection."""
