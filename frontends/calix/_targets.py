"""Targets and options with upstream's names, fields and defaults (upstream's `pyccalix`), and their translation to :mod:`neckar.calibration`.

Targets are what circuits shall do, options how the calibration goes about it. :func:`to_neckar` makes one target of both; :func:`from_neckar` goes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, ClassVar

import numpy as np

from calix._types import Array, Convert, OptionalFloat, PotentialInVolt, Range, Settings, TimeInS, array, array_type, instance, optional
from dlens_vx_v3 import hal, halco
from neckar import calibration
from neckar.errors import ConfigurationError
from neckar.facts import AXES

NEURONS, QUADRANTS = AXES["circuit"], AXES["quadrant"]
_CADC, _CAPMEM, _SIZE = hal.CADCSampleQuad.Value, hal.CapMemCell.Value, hal.NeuronConfig.MembraneCapacitorSize
_Fields = Mapping[str, tuple[Convert, Any]]


class CalibTarget(Settings):
    """Base of all targets."""


class CalibOptions(Settings):
    """Base of all options."""


def _range(kind: Any) -> Convert:
    def convert(value: Any) -> Range:
        lower, upper = value.to_tuple() if isinstance(value, Range) else value
        return Range(lower, upper, kind)

    return convert


class CADCCalibTarget(CalibTarget):
    """The parallel converter: codes of a CapMem voltage at the ends of the range, and what shall be read there."""

    _fields: ClassVar[_Fields] = {"dynamic_range": (_range(_CAPMEM), (70, 550)), "read_range": (_range(_CADC), (20, 220))}


class CADCCalibOptions(CalibOptions):
    """Whether the digital offsets of the channels are calibrated."""

    _fields: ClassVar[_Fields] = {"calibrate_offsets": (bool, True)}


class NeuronCalibOptions(CalibOptions):
    """Which neuron is connected to a pad, if any; pads have no instrument in the twin."""

    _fields: ClassVar[_Fields] = {"readout_neuron": (optional(halco.AtomicNeuronOnDLS), None)}


class UncalibratedCubaSynapticInput(Settings):
    """Strengths as biases that are set as they are, per neuron and input."""

    ISyninGM = staticmethod(array_type(_CAPMEM, (NEURONS, 2)))
    _fields: ClassVar[_Fields] = {"i_synin_gm": (array("i_synin_gm", _CAPMEM, (NEURONS, 2)), 500)}


class CalibratedCubaSynapticInput(Settings):
    """Excitatory and inhibitory inputs each as strong as the median neuron's at these biases."""

    ISyninGM = staticmethod(array_type(_CAPMEM, (2,)))
    _fields: ClassVar[_Fields] = {"i_synin_gm": (array("i_synin_gm", _CAPMEM, (2,)), 500)}


class CalibratedMatchingCubaSynapticInput(Settings):
    """All inputs as strong as the median neuron's excitatory one at this bias."""

    _fields: ClassVar[_Fields] = {"i_synin_gm": (_CAPMEM, 500)}


class CalibratedCobaSynapticInput(Settings):
    """Conductance-based inputs: reversal and reference potentials in CADC LSB, per neuron and input. None: current-based, midpoint of leak and threshold."""

    Potential = staticmethod(array_type(OptionalFloat, (NEURONS, 2), None))
    _fields: ClassVar[_Fields] = {
        "e_coba_reversal": (array("e_coba_reversal", OptionalFloat, (NEURONS, 2)), None),
        "e_coba_reference": (array("e_coba_reference", OptionalFloat, (NEURONS, 2)), None),
    }


_CUBA = (CalibratedMatchingCubaSynapticInput, CalibratedCubaSynapticInput, UncalibratedCubaSynapticInput)


class _PerNeuron:
    """Names of the arrays that targets of neurons hold."""

    Potential = staticmethod(array_type(_CADC, (NEURONS,)))
    PerNeuronTimeConstant = staticmethod(array_type(TimeInS, (NEURONS,)))
    TauSyn = staticmethod(array_type(TimeInS, (NEURONS, 2)))


class _Default:
    """A class attribute that is a new target with its defaults at every access."""

    def __get__(self, target: Any, kind: Any) -> Any:
        return kind()


class NeuronCalibTarget(_PerNeuron, CalibTarget):
    """Spiking neurons: potentials in CADC LSB, times in seconds of hardware time."""

    MembraneCapacitance = staticmethod(array_type(_SIZE, (NEURONS,)))
    DenseDefault = _Default()
    UncalibratedCubaSynapticInput = UncalibratedCubaSynapticInput
    CalibratedCubaSynapticInput = CalibratedCubaSynapticInput
    CalibratedMatchingCubaSynapticInput = CalibratedMatchingCubaSynapticInput
    CalibratedCobaSynapticInput = CalibratedCobaSynapticInput

    _fields: ClassVar[_Fields] = {
        "leak": (array("leak", _CADC, (NEURONS,)), 80),
        "reset": (array("reset", _CADC, (NEURONS,)), 70),
        "threshold": (array("threshold", _CADC, (NEURONS,)), 125),
        "tau_mem": (array("tau_mem", TimeInS, (NEURONS,)), 10e-6),
        "tau_syn": (array("tau_syn", TimeInS, (NEURONS, 2)), 10e-6),
        "cuba_synin": (instance("cuba_synin", *_CUBA), CalibratedMatchingCubaSynapticInput()),
        "coba_synin": (instance("coba_synin", CalibratedCobaSynapticInput), CalibratedCobaSynapticInput()),
        "membrane_capacitance": (array("membrane_capacitance", _SIZE, (NEURONS,)), 63),
        "refractory_time": (array("refractory_time", TimeInS, (NEURONS,)), 2e-6),
        "holdoff_time": (array("holdoff_time", TimeInS, (NEURONS,)), 0.0),
        "synapse_dac_bias": (_CAPMEM, 600),
        "tau_icc": (optional(array("tau_icc", TimeInS, (NEURONS,))), None),
    }


class CorrelationCalibTarget(CalibTarget):
    """Correlation sensors: CADC LSB per pair without delay, and time constant."""

    _fields: ClassVar[_Fields] = {"amplitude": (float, 0.5), "time_constant": (TimeInS, 5e-6)}


class CorrelationCalibOptions(CalibOptions):
    """How the correlation sensors are calibrated. The board's voltages have no model in the twin."""

    class Branches(IntEnum):
        """Sensors that count."""

        CAUSAL = 0
        ACAUSAL = 1
        BOTH = 2

    _fields: ClassVar[_Fields] = {
        "branches": (Branches, Branches.BOTH),
        "v_res_meas": (PotentialInVolt, 0.9),
        "v_reset": (PotentialInVolt, 1.85),
        "calibrate_synapses": (bool, False),
        "time_constant_priority": (float, 0.3),
        "default_amp_calib": (hal.SynapseQuad.AmpCalib, 0),
        "default_time_calib": (hal.SynapseQuad.TimeCalib, 0),
    }

    def check(self) -> None:
        """Check the ranges of the options.

        Raises
        ------
        ParameterRangeError
            If the priority lies outside 0 to 1.
        """
        calibration.CorrelationTarget(time_constant_priority=self.time_constant_priority)


_PER_QUADRANT = {
    name: (array(name, _CAPMEM, (QUADRANTS,)), code) for name, code in (("v_charge_0", 100), ("v_recover_0", 400), ("v_charge_1", 330), ("v_recover_1", 50))
}


class STPCalibTarget(CalibTarget):
    """Voltages of short-term plasticity, per quadrant."""

    _fields: ClassVar[_Fields] = _PER_QUADRANT


class STPCalibOptions(CalibOptions):
    """Current of the ramp, and the voltage at which drivers are made equal, per quadrant."""

    _fields: ClassVar[_Fields] = {"i_ramp": (array("i_ramp", _CAPMEM, (QUADRANTS,)), 600), "v_stp": (array("v_stp", _CAPMEM, (QUADRANTS,)), 180)}


class SynapseDriverCalibOptions(CalibOptions):
    """The label of the event at which drivers are made equal: 32 - activation."""

    _fields: ClassVar[_Fields] = {"offset_test_activation": (hal.SynapseQuad.Label, 32 - 3)}


class HagenNeuronCalibTarget(_PerNeuron, CalibTarget):
    """Neurons that integrate, for matrix multiplication. A target noise has no effect on the oracle."""

    _fields: ClassVar[_Fields] = {
        "leak": (array("leak", _CADC, (NEURONS,)), 120),
        "tau_mem": (array("tau_mem", TimeInS, (NEURONS,)), 60e-6),
        "tau_syn": (array("tau_syn", TimeInS, (NEURONS, 2)), 0.32e-6),
        "i_synin_gm": (_CAPMEM, 450),
        "target_noise": (optional(float), None),
        "synapse_dac_bias": (_CAPMEM, 1022),
    }


class TopLevelCalibTarget(CalibTarget):
    """Base of the targets that :func:`calix.calibrate` takes."""

    def calibrate(self, connection: Any, options: CalibOptions | None = None) -> Any:
        """Calibrate the chip of a connection, as :func:`calix.calibrate` does without a cache."""
        from calix._calibrate import execute

        return execute(self, options, connection)


class SpikingCalibTarget(TopLevelCalibTarget):
    """A chip for spiking networks."""

    _fields: ClassVar[_Fields] = {
        "cadc_target": (instance("cadc_target", CADCCalibTarget), CADCCalibTarget()),
        "neuron_target": (instance("neuron_target", NeuronCalibTarget), NeuronCalibTarget()),
        "correlation_target": (optional(instance("correlation_target", CorrelationCalibTarget)), None),
        "stp_target": (instance("stp_target", STPCalibTarget), STPCalibTarget()),
    }


class SpikingCalibOptions(CalibOptions):
    """Options of the parts of a calibration for spiking networks."""

    _fields: ClassVar[_Fields] = {
        "cadc_options": (instance("cadc_options", CADCCalibOptions), CADCCalibOptions()),
        "neuron_options": (instance("neuron_options", NeuronCalibOptions), NeuronCalibOptions()),
        "correlation_options": (instance("correlation_options", CorrelationCalibOptions), CorrelationCalibOptions()),
        "stp_options": (instance("stp_options", STPCalibOptions), STPCalibOptions()),
        "refine_potentials": (optional(bool), None),
    }


class HagenCalibTarget(TopLevelCalibTarget):
    """A chip that multiplies matrices by integration on membranes."""

    _fields: ClassVar[_Fields] = {
        "cadc_target": (instance("cadc_target", CADCCalibTarget), CADCCalibTarget(dynamic_range=(150, 500))),
        "neuron_target": (instance("neuron_target", HagenNeuronCalibTarget), HagenNeuronCalibTarget()),
    }


class HagenCalibOptions(CalibOptions):
    """Options of the parts of a calibration for integration on membranes."""

    _fields: ClassVar[_Fields] = {
        "cadc_options": (instance("cadc_options", CADCCalibOptions), CADCCalibOptions()),
        "neuron_options": (instance("neuron_options", NeuronCalibOptions), NeuronCalibOptions()),
        "neuron_disable_leakage": (bool, True),
        "synapse_driver_options": (instance("synapse_driver_options", SynapseDriverCalibOptions), SynapseDriverCalibOptions()),
    }


class HagenSyninCalibTarget(TopLevelCalibTarget):
    """A chip that multiplies matrices by integration on synaptic lines."""

    _fields: ClassVar[_Fields] = {
        "cadc_target": (instance("cadc_target", CADCCalibTarget), CADCCalibTarget(dynamic_range=(150, 340))),
        "synapse_dac_bias": (_CAPMEM, 800),
    }


class HagenSyninCalibOptions(CalibOptions):
    """Options of the parts of a calibration for integration on synaptic lines."""

    _fields: ClassVar[_Fields] = {
        "cadc_options": (instance("cadc_options", CADCCalibOptions), CADCCalibOptions()),
        "synapse_driver_options": (instance("synapse_driver_options", SynapseDriverCalibOptions), SynapseDriverCalibOptions()),
    }


OPTIONS: Mapping[type[TopLevelCalibTarget], type[CalibOptions]] = {
    SpikingCalibTarget: SpikingCalibOptions,
    HagenCalibTarget: HagenCalibOptions,
    HagenSyninCalibTarget: HagenSyninCalibOptions,
}
"""The options that belong to each target."""

_STRENGTHS: Mapping[type, calibration.Strength] = {
    CalibratedMatchingCubaSynapticInput: "matched",
    CalibratedCubaSynapticInput: "separate",
    UncalibratedCubaSynapticInput: "fixed",
}


def to_neckar(target: Any, options: Any) -> calibration.SpikingTarget | calibration.HagenTarget | calibration.HagenSyninTarget:
    """Return target and options as one target of :mod:`neckar.calibration`.

    Raises
    ------
    ParameterRangeError
        If a number makes no sense; names it and its range.
    """
    cadc = cadc_to_neckar(target.cadc_target, options.cadc_options)
    if isinstance(target, HagenCalibTarget):
        n = target.neuron_target
        integrating = integrating_to_neckar(n, options.neuron_disable_leakage)
        return calibration.HagenTarget(cadc=cadc, neurons=integrating, offset_test_activation=activation_of(options.synapse_driver_options))
    if isinstance(target, HagenSyninCalibTarget):
        activation = activation_of(options.synapse_driver_options)
        return calibration.HagenSyninTarget(cadc=cadc, synapse_dac_bias=int(target.synapse_dac_bias), offset_test_activation=activation)
    return calibration.SpikingTarget(
        cadc=cadc,
        neurons=neurons_to_neckar(target.neuron_target),
        stp=stp_to_neckar(target.stp_target, options.stp_options),
        correlation=None if target.correlation_target is None else correlation_to_neckar(target.correlation_target, options.correlation_options),
        refine_potentials=options.refine_potentials,
    )


def cadc_to_neckar(target: CADCCalibTarget, options: CADCCalibOptions) -> calibration.CadcTarget:
    """Return the target of the converter."""
    ranges = _ints(target.dynamic_range), _ints(target.read_range)
    return calibration.CadcTarget(dynamic_range=ranges[0], read_range=ranges[1], calibrate_offsets=options.calibrate_offsets)


def integrating_to_neckar(n: HagenNeuronCalibTarget, disable_leak: bool) -> calibration.HagenNeuronTarget:
    """Return the target of integrating neurons."""
    return calibration.HagenNeuronTarget(
        leak=_floats(n.leak),
        tau_mem_s=_floats(n.tau_mem),
        tau_syn_s=_floats(n.tau_syn),
        i_synin_gm=int(n.i_synin_gm),
        synapse_dac_bias=int(n.synapse_dac_bias),
        disable_leak=disable_leak,
        noise=None if n.target_noise is None else float(n.target_noise),
    )


def neurons_to_neckar(n: NeuronCalibTarget) -> calibration.NeuronTarget:
    """Return the target of spiking neurons."""
    gm = n.cuba_synin.i_synin_gm
    return calibration.NeuronTarget(
        leak=_floats(n.leak),
        reset=_floats(n.reset),
        threshold=_floats(n.threshold),
        tau_mem_s=_floats(n.tau_mem),
        tau_syn_s=_floats(n.tau_syn),
        i_synin_gm=_floats(gm) if isinstance(gm, Array) else float(gm),
        strength=_STRENGTHS[type(n.cuba_synin)],
        e_coba_reversal=_floats(n.coba_synin.e_coba_reversal),
        e_coba_reference=_floats(n.coba_synin.e_coba_reference),
        membrane_capacitance=_floats(n.membrane_capacitance),
        refractory_time_s=_floats(n.refractory_time),
        holdoff_time_s=_floats(n.holdoff_time),
        synapse_dac_bias=int(n.synapse_dac_bias),
        tau_icc_s=None if n.tau_icc is None else _floats(n.tau_icc),
    )


def stp_to_neckar(target: STPCalibTarget, options: STPCalibOptions) -> calibration.StpTarget:
    """Return the target of short-term plasticity."""
    return calibration.StpTarget(**{name: _floats(getattr(part, name)) for part in (target, options) for name in part._all()})


def correlation_to_neckar(target: CorrelationCalibTarget, options: CorrelationCalibOptions) -> calibration.CorrelationTarget:
    """Return the target of correlation sensors."""
    return calibration.CorrelationTarget(
        amplitude=target.amplitude,
        time_constant_s=float(target.time_constant),
        branches=options.branches.name.lower(),
        calibrate_synapses=options.calibrate_synapses,
        time_constant_priority=options.time_constant_priority,
        amp_calib=int(options.default_amp_calib),
        time_calib=int(options.default_time_calib),
    )


def activation_of(options: SynapseDriverCalibOptions) -> int:
    """Return the activation at which drivers are made equal; options hold the label of its event."""
    return 32 - int(options.offset_test_activation)


def _ints(values: Range) -> tuple[int, int]:
    return int(values.lower), int(values.upper)


def _floats(values: Array) -> np.ndarray[Any, Any]:
    return np.asarray(values.to_numpy(), np.float64)


def from_neckar(target: calibration.ChipTarget) -> tuple[Any, Any]:
    """Return the target and the options that a target of :mod:`neckar.calibration` stands for.

    Raises
    ------
    ConfigurationError
        If upstream has no such target.
    """
    if isinstance(target, calibration.PotentialTarget):
        raise ConfigurationError("a calibration of a PotentialTarget has no counterpart in calix; allowed are whole chips. Load it with neckar.calibration.")
    cadc = CADCCalibTarget(dynamic_range=target.cadc.dynamic_range, read_range=target.cadc.read_range)
    cadc_options = CADCCalibOptions(calibrate_offsets=target.cadc.calibrate_offsets)
    if isinstance(target, calibration.SpikingTarget):
        correlation, correlation_options = _from_correlation(target.correlation)
        stp = {name: getattr(target.stp, name) for name in STPCalibTarget._all()}
        stp_options = STPCalibOptions(i_ramp=target.stp.i_ramp, v_stp=target.stp.v_stp)
        whole = SpikingCalibTarget(
            cadc_target=cadc, neuron_target=_from_neurons(target.neurons), correlation_target=correlation, stp_target=STPCalibTarget(**stp)
        )
        options = SpikingCalibOptions(
            cadc_options=cadc_options, correlation_options=correlation_options, stp_options=stp_options, refine_potentials=target.refine_potentials
        )
        return whole, options
    drivers = SynapseDriverCalibOptions(offset_test_activation=32 - target.offset_test_activation)
    if isinstance(target, calibration.HagenSyninTarget):
        synin = HagenSyninCalibTarget(cadc_target=cadc, synapse_dac_bias=target.synapse_dac_bias)
        return synin, HagenSyninCalibOptions(cadc_options=cadc_options, synapse_driver_options=drivers)
    n = target.neurons
    neurons = HagenNeuronCalibTarget(
        leak=n.leak, tau_mem=n.tau_mem_s, tau_syn=n.tau_syn_s, i_synin_gm=n.i_synin_gm, target_noise=n.noise, synapse_dac_bias=n.synapse_dac_bias
    )
    hagen_options = HagenCalibOptions(cadc_options=cadc_options, neuron_disable_leakage=n.disable_leak, synapse_driver_options=drivers)
    return HagenCalibTarget(cadc_target=cadc, neuron_target=neurons), hagen_options


def _from_neurons(n: calibration.NeuronTarget) -> NeuronCalibTarget:
    gm = np.asarray(n.i_synin_gm)
    kind = next(kind for kind, strength in _STRENGTHS.items() if strength == n.strength)
    return NeuronCalibTarget(
        leak=n.leak,
        reset=n.reset,
        threshold=n.threshold,
        tau_mem=n.tau_mem_s,
        tau_syn=n.tau_syn_s,
        cuba_synin=kind(i_synin_gm=round(float(gm[0])) if n.strength == "matched" else gm),
        coba_synin=CalibratedCobaSynapticInput(e_coba_reversal=n.e_coba_reversal, e_coba_reference=n.e_coba_reference),
        membrane_capacitance=n.membrane_capacitance,
        refractory_time=n.refractory_time_s,
        holdoff_time=n.holdoff_time_s,
        synapse_dac_bias=n.synapse_dac_bias,
        tau_icc=n.tau_icc_s,
    )


def _from_correlation(c: calibration.CorrelationTarget | None) -> tuple[CorrelationCalibTarget | None, CorrelationCalibOptions]:
    if c is None:
        return None, CorrelationCalibOptions()
    options = CorrelationCalibOptions(
        branches=CorrelationCalibOptions.Branches[c.branches.upper()],
        calibrate_synapses=c.calibrate_synapses,
        time_constant_priority=c.time_constant_priority,
        default_amp_calib=c.amp_calib,
        default_time_calib=c.time_calib,
    )
    return CorrelationCalibTarget(amplitude=c.amplitude, time_constant=c.time_constant_s), options
