"""Readings of the fast converter (MADC) against the board's voltage."""

from __future__ import annotations

from typing import Any

import numpy as np
import quantities as pq
from numpy.typing import NDArray

from calix import constants
from calix.common import base, helpers
from calix.common.adc_characterization import ADCCharacterization
from dlens_vx_v3 import hal, halco, logger

__all__ = ["MADCCharacterization"]

_CELLS = {
    **dict.fromkeys(("readout_out_amp_i_bias_0", "readout_out_amp_i_bias_1", "readout_pseudo_diff_buffer_bias"), 0),
    **dict.fromkeys(("readout_ac_mux_i_bias", "readout_madc_in_500na", "readout_sc_amp_i_bias"), 500),
    **dict.fromkeys(("readout_sc_amp_v_ref", "readout_pseudo_diff_v_ref", "readout_iconv_test_voltage", "readout_iconv_sc_amp_v_ref"), 400),
}
_NOISY = 2.0


class MADCCharacterization(ADCCharacterization):
    """Sweeps the board's voltage in front of the MADC.

    One program for each voltage: the converter's registers and the board's voltage are those of a whole program. Parameters as of
    :class:`ADCCharacterization`.
    """

    log = logger.get("calix.common.madc_characterization.MADCCharacterization")

    def prelude(self, connection: Any) -> None:
        """Set up the converter and its way to the pad."""
        super().prelude(connection)
        builder = base.WriteRecordingPlaybackProgramBuilder()
        for cell, code in _CELLS.items():
            builder.write(getattr(halco.CapMemCellOnDLS, cell), hal.CapMemCell(code))
        helpers.wait(builder, constants.capmem_level_off_time)
        builder.write(halco.MADCConfigOnDLS(), hal.MADCConfig())
        pad, lines, selection = hal.PadMultiplexerConfig(), hal.ReadoutSourceSelection.SourceMultiplexer(), hal.ReadoutSourceSelection()
        pad.debug_to_pad = lines.debug_plus = True
        builder.write(halco.PadMultiplexerConfigOnDLS(self.pad), pad)
        selection.set_buffer(halco.SourceMultiplexerOnReadoutSourceSelection(0), lines)
        builder.write(halco.ReadoutSourceSelectionOnDLS(), selection)
        base.run(connection, builder)

    def _samples(self, connection: Any, voltage: Any) -> NDArray[np.int64]:
        """Return samples at a voltage, LSB."""
        builder = self.configure_parameters(base.WriteRecordingPlaybackProgramBuilder(), voltage)
        control = hal.MADCControl()
        control.wake_up = control.enable_pre_amplifier = control.enable_continuous_sampling = True
        builder.write(halco.MADCControlOnDLS(), control)
        helpers.wait(builder, self.wait_before_measurement)
        control.wake_up, control.start_recording = False, True
        builder.write(halco.MADCControlOnDLS(), control)
        helpers.wait(builder, self.recording_time)
        control.start_recording, control.stop_recording, control.enable_power_down_after_sampling = False, True, True
        builder.write(halco.MADCControlOnDLS(), control)
        return np.asarray(base.run(connection, builder).madc_samples.to_numpy()["value"], np.int64)

    def run(self, connection: Any) -> dict[str, Any]:
        """Return ``madc_values`` and ``madc_values_std``, LSB, shape (voltage,), ``voltages`` and all ``madc_samples``."""
        self.prelude(connection)
        traces = [self._samples(connection, voltage) for voltage in self.test_values]
        noise = np.array([trace.std() for trace in traces])
        if noise.max() >= _NOISY:
            self.log.WARN(f"samples at one voltage scatter by {noise.max():.1f} LSB; usual is less than {_NOISY:g}")
        return {
            "madc_values": np.array([trace.mean() for trace in traces]),
            "madc_values_std": noise,
            "voltages": pq.Quantity(self.test_values),
            "madc_samples": np.concatenate(traces),
        }
