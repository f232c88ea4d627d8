"""From integration on membranes to integration on synaptic lines: drivers stay, converter and currents of the synapses are measured anew."""

from __future__ import annotations

from typing import Any

from calix._results import CADCCalibResult, HagenCalibResult, HagenSyninCalibResult, NeuronCalibResult
from calix._stages import fields_with, measure_part
from calix._targets import HagenSyninCalibOptions, HagenSyninCalibTarget, to_neckar
from neckar.calibration import HagenSyninTarget
from neckar.calibration.measure import Stage, calibrate_cadc
from neckar.calibration.measure.hagen import leave_lines, set_up
from neckar.calibration.measure.synapse_dac import search_synapse_dac


def change_to_lines(result: HagenCalibResult, connection: Any, cadc_target: Any, cadc_options: Any, synapse_dac_bias: int | None) -> HagenSyninCalibResult:
    """Return what :meth:`HagenCalibResult.to_hagen_synin_result` returns."""
    target, options = HagenSyninCalibTarget(), HagenSyninCalibOptions()
    target.cadc_target = cadc_target or target.cadc_target
    options.cadc_options = cadc_options or options.cadc_options
    options.synapse_driver_options = result.options.synapse_driver_options
    if synapse_dac_bias is not None:
        target.synapse_dac_bias = synapse_dac_bias
    wanted = to_neckar(target, options)
    assert isinstance(wanted, HagenSyninTarget)
    bias = wanted.synapse_dac_bias
    stages = (
        Stage("converter", lambda bench, rng: calibrate_cadc(bench, wanted.cadc)),
        Stage("neurons", set_up),
        Stage("currents of the synapses", lambda bench, rng: {"syn_i_bias_dac": search_synapse_dac(bench, bias)}),
        Stage("synaptic lines", leave_lines),
    )
    found = measure_part(connection, wanted, wanted, stages, fields_with(connection, result.synapse_driver_result))
    cadc, static = CADCCalibResult._of(found, target.cadc_target, options.cadc_options), NeuronCalibResult._of(found, None, None)
    dac = found.fields["syn_i_bias_dac"].astype(int)
    return HagenSyninCalibResult(target, options, cadc, result.synapse_driver_result, dac, static, dict(found.provenance))
