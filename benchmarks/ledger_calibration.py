"""The codes that a good calibration would find, from the transfer lines of a virtual chip, for the rows of the ledger that start calibrated.

A calibration on silicon searches for the codes by measuring. Here the lines of :func:`neckar.chip.transfer.physical` are inverted circuit by circuit, and the
spread that upstream's tests tolerate after a calibration is put on the targets. The order and the targets are those of upstream's ``calix``:

* converters of the synapses: all quadrants are brought to the weakest;
* inputs: every circuit is brought to the chip's median at the wanted ``i_bias_gm``, inhibition to excitation; no current at rest. Upstream equalises drivers
  as well, which no code of this version does, so the circuits are matched on the rows that the experiment uses;
* the parallel converter (CADC): ramps of the quadrants by start and slope, then the digital offset of each channel at mid-range;
* potentials in LSB of that converter under its nominal line, time constants directly.

Codes are rounded and clipped to their range. The write jitter of the cells comes on top when the codes are run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.chip.cadc import CadcTransfer
from neckar.chip.characteristics import psp_height
from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen, keyed_normals
from neckar.chip.transfer import kick_volts, physical, potentials
from neckar.facts import brainscales2 as facts
from neckar.facts import registers

FLOATS = NDArray[np.float64]
TABLE = registers("brainscales2")

# Standard deviation after calibration relative to that before: upper limits of calix' tests test_neuron_distribution (5 % trimmed on both sides).
LEFT = {"leak": 0.30, "reset": 0.20, "threshold": 0.35, "tau_mem": 0.45, "tau_syn": 0.20}

_INPUTS = (("excitatory", "exc"), ("inhibitory", "inh"))


def cadc_to_volt(reading: float) -> float:
    """Return the potential in V that a calibrated parallel converter reads so."""
    return facts.CADC_ZERO.value + facts.CADC_STEP.value * reading


def calibrated(
    specimen: Specimen,
    rows: Sequence[int],
    *,
    leak: float = 80,
    reset: float = 70,
    threshold: float = 125,
    tau_mem_us: float = 10,
    tau_syn_us: float = 10,
    small_capacitance: bool = False,
    gm: int = 500,
    dac: int = 600,
) -> dict[str, NDArray[Any]]:
    """Return whole fields of a calibrated chip; the targets of the nightly calibration for spiking neurons are the defaults.

    Parameters
    ----------
    specimen : Specimen
    rows : sequence of int
        Synapse rows of the upper hemisphere that the experiment uses.
    leak, reset, threshold : float
        Targets in LSB of the parallel converter.
    tau_mem_us, tau_syn_us : float
        Targets of membrane and synaptic time constants, us.
    small_capacitance : bool
        Use the small capacitance of the synaptic lines.
    gm, dac : int
        Bias of the inputs and of the converters of the synapses at which the chip's median is taken.
    """
    dacs = weakest_quadrant(specimen, dac)
    fields: dict[str, Any] = {
        "membrane_capacitance_capacitance": 63,
        "threshold_enable": 1,
        "reset_i_bias": 1022,
        "refractory_period_refractory_time": 250,
        "syn_i_bias_dac": dacs,
        **{f"{kind}_input_enable": 1 for kind, _ in _INPUTS},
        **{f"{kind}_input_enable_small_capacitance": small_capacitance for kind, _ in _INPUTS},
    }
    lines = potentials(specimen, Effects())
    for field, target, row, what in (
        ("leak_v_leak", leak, "leak_offset", "leak"),
        ("reset_v_reset", reset, "reset_offset", "reset"),
        ("threshold_v_threshold", threshold, "threshold_offset", "threshold"),
    ):
        error = LEFT[what] * facts.SPREAD[row].circuit * facts.MADC_STEP.value * _left(specimen, what)
        fields[field] = codes(field, lines[field].code(cadc_to_volt(target) + error))
    probe = physical(specimen, Effects(), {**whole({**fields, "leak_i_bias": 100}), **_inputs(100, gm, 310)})
    tau = 1e-6 * tau_mem_us * np.exp(LEFT["tau_mem"] * facts.SPREAD["leak_time"].circuit * _left(specimen, "tau_mem"))
    fields["leak_i_bias"] = codes("leak_i_bias", 100 * probe.capacitance / probe.g_leak / tau)
    taus = {}
    for kind, sign in _INPUTS:
        taus[sign] = 1e-6 * tau_syn_us * np.exp(LEFT["tau_syn"] * facts.SPREAD["synaptic_time"].circuit * _left(specimen, f"tau_{sign}"))
        fields[f"{kind}_input_i_bias_tau"] = codes(f"{kind}_input_i_bias_tau", 100 * getattr(probe, f"tau_{sign}") / taus[sign])
    return whole({**fields, **_matched(specimen, probe, rows, dacs, gm, tau, taus)})


def converter(specimen: Specimen) -> dict[str, NDArray[Any]]:
    """Return whole fields of the calibrated parallel converter: ramps on their nominal line, channels alike at the middle of the range."""
    default = TABLE["cadc_v_ramp_offset"].default_array().astype(np.float64)
    line, mid = facts.CADC_RAMP_START, cadc_to_volt(120)
    start = line.slope.value * default + line.intercept.value
    fields = {
        "cadc_v_ramp_offset": codes("cadc_v_ramp_offset", (start / specimen.deviation("cadc_ramp_start") - line.intercept.value) / line.slope.value),
        "cadc_i_ramp_slope": codes("cadc_i_ramp_slope", facts.CADC_RAMP_SLOPE_CODE.value / specimen.deviation("cadc_ramp_slope")),
    }
    channels = np.arange(1024)
    reading = CadcTransfer.of(specimen, Effects(), fields).reading(np.full(1024, mid), channels)
    offset = np.clip(np.round(120 - reading), -128, 127).astype(TABLE["cadc_channel_offset"].dtype)
    return {**fields, "cadc_channel_offset": offset.reshape(TABLE["cadc_channel_offset"].shape)}


def weakest_quadrant(specimen: Specimen, dac: int) -> NDArray[np.uint16]:
    """Return ``syn_i_bias_dac`` of the quadrants such that all are as strong as the weakest is at `dac`."""
    strength = specimen.deviation("dac_bias")
    return codes("syn_i_bias_dac", dac * strength.min() / strength)


def codes(field: str, values: FLOATS) -> NDArray[Any]:
    """Return values as codes of a field: rounded, and clipped to the values of a cell."""
    return np.clip(np.round(values), 0, 1022).astype(TABLE[field].dtype)


def whole(fields: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """Return whole register fields: each value broadcast to the shape of its field."""
    return {name: np.broadcast_to(np.asarray(value, TABLE[name].dtype), TABLE[name].shape) for name, value in fields.items()}


def _left(specimen: Specimen, what: str) -> FLOATS:
    """Return the standard normal deviation that a calibration leaves on each circuit."""
    return keyed_normals(512, "left by calibration", specimen.seed, what)


def _inputs(tau: int, gm: int, shift: int) -> dict[str, NDArray[Any]]:
    return whole(
        {f"{kind}_input_{name}": value for kind, _ in _INPUTS for name, value in (("i_bias_tau", tau), ("i_bias_gm", gm), ("i_shift_reference", shift))}
    )


def _matched(specimen: Specimen, probe: Any, rows: Sequence[int], dacs: NDArray[Any], gm: int, tau: FLOATS, taus: dict[str, FLOATS]) -> dict[str, Any]:
    """Return bias and reference of both inputs: every circuit as strong as the median circuit with the mean driver, and without current at rest."""
    config = ChipConfig({"synapse_weight": 1, "syn_i_bias_dac": dacs})
    volts = np.concatenate([kick_volts(specimen, Effects(), config, h).astype(np.float64).mean(axis=0) for h in (0, 1)])
    used = np.tile(kick_volts(specimen, Effects(), config, 0, rows).astype(np.float64).mean(axis=0), 2)
    height = {sign: psp_height(getattr(probe, f"gm_{sign}") * volts / probe.capacitance, tau, taus[sign]) for _, sign in _INPUTS}
    mine = {sign: psp_height(getattr(probe, f"gm_{sign}") * used / probe.capacitance, tau, taus[sign]) for _, sign in _INPUTS}
    fields: dict[str, Any] = {}
    for kind, sign in _INPUTS:
        target = np.median(height["exc"]) * np.exp(facts.SPREAD["psp_calibrated"].circuit * _left(specimen, f"psp_{sign}"))
        fields[f"{kind}_input_i_bias_gm"] = codes(f"{kind}_input_i_bias_gm", np.minimum(gm * target / mine[sign], 1.8 * gm + 100))
        shift = facts.SYNAPTIC_SHIFT_NEUTRAL.value + specimen.deviation(f"synaptic_shift_{sign}")
        fields[f"{kind}_input_i_shift_reference"] = codes(f"{kind}_input_i_shift_reference", shift)
    return fields
