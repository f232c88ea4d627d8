"""What codes mean on a chip: a dozen numbers per circuit at one documented set of codes, by which chips can be looked at and compared.

The codes (:data:`CODES`) are equal for all circuits and nothing is calibrated, so the numbers show what a chip and its circuits are like before anybody has
tuned them. Potentials are given as the chip's own membrane converter reads them. All follow from :func:`neckar.chip.transfer.physical`, the converter's
transfer and :func:`neckar.chip.transfer.kick_volts`; nothing is run, so temporal noise and the write jitter of the cells are not contained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from neckar.chip.cadc import CadcTransfer, channels_of
from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import MadcTransfer, kick_volts, physical
from neckar.facts import AXES
from neckar.facts import brainscales2 as facts

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Characteristic:
    """A number that every circuit has.

    Attributes
    ----------
    name : str
        Key of :func:`characteristics`.
    label : str
        For tables and figures.
    unit : str
        Of the values.
    codes : str
        The codes that determine it.
    """

    name: str
    label: str
    unit: str
    codes: str


CODES: Mapping[str, int] = MappingProxyType(
    {
        "membrane_capacitance_capacitance": 63,
        "leak_v_leak": 700,
        "leak_i_bias": 150,
        "threshold_enable": 1,
        "threshold_v_threshold": 300,
        "reset_v_reset": 400,
        "reset_i_bias": 1022,
        "exponential_v_exp": 900,
        "exponential_i_bias": 300,
        "constant_current_enable": 1,
        "constant_current_i_offset": 300,
        "adaptation_enable": 1,
        "adaptation_enable_pulse": 1,
        "adaptation_v_ref": 500,
        "adaptation_v_leak": 500,
        "adaptation_i_bias_tau": 100,
        "adaptation_i_bias_a": 10,
        "adaptation_i_bias_b": 200,
        "backend_clock_scale_adaptation_pulse": 7,
        "syn_i_bias_dac": 600,
        "synapse_weight": 1,
        **{
            f"{kind}_input_{name}": code
            for kind in ("excitatory", "inhibitory")
            for name, code in (("enable", 1), ("i_bias_tau", 32), ("i_bias_gm", 500), ("i_shift_reference", 310), ("enable_small_capacitance", 0))
        },
        "column_enable_excitatory": 1,
        "column_enable_inhibitory": 1,
    }
)
"""The codes of :func:`characteristics`, alike for all circuits, drivers and synapses."""

_INPUT = "i_bias_tau 32, i_bias_gm 500, syn_i_bias_dac 600"
CHARACTERISTICS = (
    Characteristic("leak_level", "leak level", "MADC LSB", "leak_v_leak 700"),
    Characteristic("reset_level", "reset level", "MADC LSB", "reset_v_reset 400"),
    Characteristic("threshold_level", "threshold level", "MADC LSB", "threshold_v_threshold 300"),
    Characteristic("exponential_level", "onset of the exponential", "MADC LSB", "exponential_v_exp 900, exponential_i_bias 300"),
    Characteristic("tau_mem", "membrane time constant", "us", "leak_i_bias 150, capacitance 63"),
    Characteristic("tau_reset", "reset time constant", "us", "reset_i_bias 1022, capacitance 63"),
    Characteristic("tau_syn_exc", "excitatory time constant", "us", "i_bias_tau 32"),
    Characteristic("tau_syn_inh", "inhibitory time constant", "us", "i_bias_tau 32"),
    Characteristic("psp_exc", "excitatory PSP per weight unit", "MADC LSB", f"{_INPUT}, leak_i_bias 150; mean of the column's 256 synapses"),
    Characteristic("psp_inh", "inhibitory PSP per weight unit", "MADC LSB", f"{_INPUT}, leak_i_bias 150; mean of the column's 256 synapses"),
    Characteristic("input_shift", "shift by inputs at rest", "MADC LSB", "i_shift_reference 310, i_bias_gm 500, leak_i_bias 150"),
    Characteristic("constant_current", "constant current", "nA", "constant_current_i_offset 300"),
    Characteristic("adaptation_level", "baseline of the adaptation", "MADC LSB", "adaptation_v_ref 500"),
    Characteristic("adaptation_jump", "jump of the adaptation per spike", "MADC LSB", "adaptation_i_bias_b 200, pulse of 1.02 us"),
    Characteristic("tau_adaptation", "adaptation time constant", "us", "adaptation_i_bias_tau 100"),
    Characteristic("capacitance", "membrane capacitance", "pF", "capacitance 63"),
    Characteristic("cadc_level", "CADC reading of 0.42 V", "CADC LSB", "default codes of the ramps, causal channel, digital offset 0; nominal 80"),
)


_CADC_INPUT = facts.CADC_ZERO.value + 80 * facts.CADC_STEP.value


def characteristics(specimen: Specimen, effects: Effects | None = None) -> dict[str, Values]:
    """Return the characteristic numbers of all circuits of a chip.

    Parameters
    ----------
    specimen : Specimen
    effects : Effects, optional
        Mismatch and drift act. All effects by default.

    Returns
    -------
    dict of str to ndarray, shape (circuit,), float64
        By name, in the units and at the codes of :data:`CHARACTERISTICS`.

    Notes
    -----
    The height of a PSP is the closed form of two exponentials for a membrane without saturation. About 20 ms per chip, most of it for drawing the synapses.
    """
    effects = effects or Effects()
    config = ChipConfig(CODES)
    p = physical(specimen, effects, config)
    converter = MadcTransfer.of(specimen, effects)
    lsb = converter.gain / facts.MADC_STEP.value  # of a difference of potentials
    kick = np.concatenate([kick_volts(specimen, effects, config, hemisphere).mean(axis=0, dtype=np.float64) for hemisphere in range(AXES["hemisphere"])])
    tau = p.capacitance / p.g_leak
    return {
        "leak_level": converter.reading(p.e_leak),
        "reset_level": converter.reading(p.e_reset),
        "threshold_level": converter.reading(p.v_threshold),
        "exponential_level": converter.reading(p.v_exp),
        "tau_mem": 1e6 * tau,
        "tau_reset": 1e6 * p.capacitance / p.g_reset,
        "tau_syn_exc": 1e6 * p.tau_exc,
        "tau_syn_inh": 1e6 * p.tau_inh,
        "psp_exc": lsb * psp_height(p.gm_exc * kick / p.capacitance, tau, p.tau_exc),
        "psp_inh": lsb * psp_height(p.gm_inh * kick / p.capacitance, tau, p.tau_inh),
        "input_shift": lsb * p.i_syn_rest / p.g_leak,
        "constant_current": 1e9 * p.i_source,
        "adaptation_level": converter.reading(p.w_rest),
        "adaptation_jump": lsb * p.b_adapt,
        "tau_adaptation": 1e6 * p.tau_adapt,
        "capacitance": 1e12 * p.capacitance,
        "cadc_level": CadcTransfer.of(specimen, effects, config).reading(np.full(len(tau), _CADC_INPUT), channels_of(np.arange(len(tau)))),
    }


def psp_height(slope: Values, tau_membrane: Values, tau_synapse: Values) -> Values:
    """Return the height of the response of a leaky membrane to an exponential current.

    Parameters
    ----------
    slope : ndarray
        Initial current over capacitance, V/s.
    tau_membrane, tau_synapse : ndarray
        Time constants, s; equal ones are allowed.

    Returns
    -------
    ndarray
        V, at time ``t = log(tau_m / tau_s) / (1 / tau_s - 1 / tau_m)``: ``slope tau_s exp(-t / tau_m)``.
    """
    ratio = np.log(tau_membrane / tau_synapse)
    near = np.abs(ratio) < 1e-6
    rate = 1 / tau_synapse - 1 / tau_membrane
    t = np.where(near, np.sqrt(tau_membrane * tau_synapse), ratio / np.where(near, 1.0, rate))
    return np.asarray(slope * tau_synapse * np.exp(-t / tau_membrane))


def medians(specimens: Iterable[Specimen], effects: Effects | None = None) -> dict[str, Values]:
    """Return the median over the circuits of each chip, by name of the characteristic, shape (chip,)."""
    rows = [{name: np.median(values) for name, values in characteristics(specimen, effects).items()} for specimen in specimens]
    return {c.name: np.array([row[c.name] for row in rows]) for c in CHARACTERISTICS}
