"""Synapses by row and by array."""

from __future__ import annotations

from dlens_vx_v3._container import Container
from dlens_vx_v3._member import Member, code
from dlens_vx_v3._part import Many, Sub
from dlens_vx_v3.hal._capmem import Analog
from dlens_vx_v3.hal._synapse import ColumnCorrelationSwitch, ColumnCurrentSwitch, SynapseQuad
from dlens_vx_v3.halco import (
    CapMemBlockOnHemisphere,
    ColumnCorrelationRowOnDLS,
    ColumnCurrentRowOnDLS,
    CorrelationResetRowOnDLS,
    SynapseBlockOnDLS,
    SynapseCorrelationCalibMatrixOnDLS,
    SynapseCorrelationCalibRowOnDLS,
    SynapseLabelMatrixOnDLS,
    SynapseLabelRowOnDLS,
    SynapseOnSynapseRow,
    SynapseRowOnDLS,
    SynapseRowOnSynram,
    SynapseWeightMatrixOnDLS,
    SynapseWeightRowOnDLS,
    SynramOnDLS,
)

_ROW = (SynapseOnSynapseRow,)
_PLANE = (SynapseRowOnSynram, SynapseOnSynapseRow)


class SynapseWeightRow(Container, at=SynapseWeightRowOnDLS):
    """The weights of a row: ``row.values[SynapseOnSynapseRow(3)] = 63``."""

    Value = SynapseQuad.Weight

    values = code(SynapseQuad.Weight, "synapse_weight", None, *_ROW)


class SynapseLabelRow(Container, at=SynapseLabelRowOnDLS):
    """The labels of a row."""

    Value = SynapseQuad.Label

    values = code(SynapseQuad.Label, "synapse_label", None, *_ROW)


class SynapseCorrelationCalibRow(Container, at=SynapseCorrelationCalibRowOnDLS):
    """The calibration bits of a row of correlation sensors."""

    TimeCalib = SynapseQuad.TimeCalib
    AmpCalib = SynapseQuad.AmpCalib

    time_calibs = code(SynapseQuad.TimeCalib, "synapse_time_calib", None, *_ROW)
    amp_calibs = code(SynapseQuad.AmpCalib, "synapse_amp_calib", None, *_ROW)


class SynapseRow(Container, at=SynapseRowOnDLS):
    """A row of synapses."""

    Weight, Label, TimeCalib, AmpCalib = SynapseQuad.Weight, SynapseQuad.Label, SynapseQuad.TimeCalib, SynapseQuad.AmpCalib

    weights = code(SynapseQuad.Weight, "synapse_weight", None, *_ROW)
    labels = code(SynapseQuad.Label, "synapse_label", None, *_ROW)
    time_calibs = code(SynapseQuad.TimeCalib, "synapse_time_calib", None, *_ROW)
    amp_calibs = code(SynapseQuad.AmpCalib, "synapse_amp_calib", None, *_ROW)


class SynapseWeightMatrix(Container, at=SynapseWeightMatrixOnDLS):
    """The weights of an array."""

    Value = SynapseQuad.Weight

    values = code(SynapseQuad.Weight, "synapse_weight", None, *_PLANE)


class SynapseLabelMatrix(Container, at=SynapseLabelMatrixOnDLS):
    """The labels of an array."""

    Value = SynapseQuad.Label

    values = code(SynapseQuad.Label, "synapse_label", None, *_PLANE)


class SynapseCorrelationCalibMatrix(Container, at=SynapseCorrelationCalibMatrixOnDLS):
    """The calibration bits of an array."""

    TimeCalib = SynapseQuad.TimeCalib
    AmpCalib = SynapseQuad.AmpCalib

    time_calibs = code(SynapseQuad.TimeCalib, "synapse_time_calib", None, *_PLANE)
    amp_calibs = code(SynapseQuad.AmpCalib, "synapse_amp_calib", None, *_PLANE)


class SynapseMatrix(Container, at=SynramOnDLS):
    """A synapse array; ``matrix.weights.to_numpy()`` has the axes (row, column)."""

    Weight, Label, TimeCalib, AmpCalib = SynapseQuad.Weight, SynapseQuad.Label, SynapseQuad.TimeCalib, SynapseQuad.AmpCalib

    weights = code(SynapseQuad.Weight, "synapse_weight", None, *_PLANE)
    labels = code(SynapseQuad.Label, "synapse_label", None, *_PLANE)
    time_calibs = code(SynapseQuad.TimeCalib, "synapse_time_calib", None, *_PLANE)
    amp_calibs = code(SynapseQuad.AmpCalib, "synapse_amp_calib", None, *_PLANE)


class SynapseBlock(Container, at=SynapseBlockOnDLS):
    """A synapse array and the strength of its pulses."""

    Matrix = SynapseMatrix

    matrix = Sub(SynapseMatrix)
    i_bias_dac = code(Analog, "syn_i_bias_dac", None, CapMemBlockOnHemisphere)


class ColumnCorrelationRow(Container, at=ColumnCorrelationRowOnDLS):
    """The correlation switches of all columns of an array."""

    Value = ColumnCorrelationSwitch

    values = Many(ColumnCorrelationSwitch, SynapseOnSynapseRow)


class ColumnCurrentRow(Container, at=ColumnCurrentRowOnDLS):
    """The current switches of all columns of an array."""

    Value = ColumnCurrentSwitch

    values = Many(ColumnCurrentSwitch, SynapseOnSynapseRow)


class CorrelationResetRow(Container, at=CorrelationResetRowOnDLS):
    """Writing it empties the correlation sensors of a row."""

    _trigger = Member(bool, "correlation_reset", 1)
