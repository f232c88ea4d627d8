"""Synapses and the switches of their columns, four columns at a time."""

from __future__ import annotations

from functools import partial
from typing import Any

from dlens_vx_v3._container import Container, stored
from dlens_vx_v3._member import code, switch
from dlens_vx_v3._part import Many, Part
from dlens_vx_v3._values import ranged, ranged_of
from dlens_vx_v3.halco import (
    ColumnCorrelationQuadOnDLS,
    ColumnCurrentQuadOnDLS,
    CommonSynramConfigOnDLS,
    CorrelationResetOnDLS,
    EntryOnQuad,
    SynapseCorrelationCalibQuadOnDLS,
    SynapseLabel,
    SynapseLabelQuadOnDLS,
    SynapseQuadOnDLS,
    SynapseWeightQuadOnDLS,
)

_stored = partial(stored, __name__)


class SynapseWeightQuad(Container, at=SynapseWeightQuadOnDLS):
    """The weights of four synapses."""

    Value = ranged_of("Value", "synapse_weight")

    values = code(Value, "synapse_weight", None, EntryOnQuad)


class SynapseLabelQuad(Container, at=SynapseLabelQuadOnDLS):
    """The labels of four synapses."""

    Value = SynapseLabel

    values = code(Value, "synapse_label", None, EntryOnQuad)


class SynapseCorrelationCalibQuad(Container, at=SynapseCorrelationCalibQuadOnDLS):
    """The calibration bits of the correlation sensors of four synapses."""

    TimeCalib = ranged_of("TimeCalib", "synapse_time_calib")
    AmpCalib = ranged_of("AmpCalib", "synapse_amp_calib")

    time_calibs = code(TimeCalib, "synapse_time_calib", None, EntryOnQuad)
    amp_calibs = code(AmpCalib, "synapse_amp_calib", None, EntryOnQuad)


class SynapseQuad(Container, at=SynapseQuadOnDLS):
    """Four synapses."""

    Weight = SynapseWeightQuad.Value
    Label = SynapseLabelQuad.Value
    TimeCalib = SynapseCorrelationCalibQuad.TimeCalib
    AmpCalib = SynapseCorrelationCalibQuad.AmpCalib

    weights = code(Weight, "synapse_weight", None, EntryOnQuad)
    labels = code(Label, "synapse_label", None, EntryOnQuad)
    time_calibs = code(TimeCalib, "synapse_time_calib", None, EntryOnQuad)
    amp_calibs = code(AmpCalib, "synapse_amp_calib", None, EntryOnQuad)


class _ColumnQuad(Container):
    """Base: the switches of four columns."""

    switches: Any

    def set_switch(self, coord: EntryOnQuad, value: Part) -> None:
        """Set the switches of one column."""
        self.switches[coord] = value

    def get_switch(self, coord: EntryOnQuad) -> Any:
        """Return the switches of one column."""
        return self.switches[coord]


class ColumnCorrelationSwitch(Part):
    """How a column's correlation lines are connected."""

    enable_internal_causal = switch("cadc_connect_correlation", cadc_channel=0)
    enable_internal_acausal = switch("cadc_connect_correlation", cadc_channel=1)
    enable_debug_causal = switch("cadc_connect_debug", cadc_channel=0)
    enable_debug_acausal = switch("cadc_connect_debug", cadc_channel=1)
    enable_cadc_neuron_readout_causal = switch("cadc_connect_neuron", cadc_channel=0)
    enable_cadc_neuron_readout_acausal = switch("cadc_connect_neuron", cadc_channel=1)


class ColumnCorrelationQuad(_ColumnQuad, at=ColumnCorrelationQuadOnDLS):
    """The correlation switches of four columns."""

    ColumnCorrelationSwitch = ColumnCorrelationSwitch

    switches = Many(ColumnCorrelationSwitch, EntryOnQuad)


class ColumnCurrentSwitch(Part):
    """How a column's synaptic lines are connected."""

    enable_synaptic_current_excitatory = switch("column_enable_excitatory", 0)
    enable_synaptic_current_inhibitory = switch("column_enable_inhibitory", 0)
    enable_debug_excitatory = switch()
    enable_debug_inhibitory = switch()


class ColumnCurrentQuad(_ColumnQuad, at=ColumnCurrentQuadOnDLS):
    """The current switches of four columns."""

    ColumnCurrentSwitch = ColumnCurrentSwitch

    switches = Many(ColumnCurrentSwitch, EntryOnQuad)


CorrelationReset = _stored("CorrelationReset", CorrelationResetOnDLS, "Writing it empties the correlation sensors of four synapses.")

_PC_CONF, _W_CONF = ranged("PCConf", 15, 0, 8), ranged("WConf", 255, 0, 3)
CommonSynramConfig = _stored(
    "CommonSynramConfig",
    CommonSynramConfigOnDLS,
    "Timing of the access to a synapse array.",
    pc_conf_west=_PC_CONF,
    pc_conf_east=_PC_CONF,
    w_conf_west=_W_CONF,
    w_conf_east=_W_CONF,
    wait_ctr_clear=ranged("WaitCtrClear", 7, 0, 4),
)
