"""Integrating neurons."""

from calix.hagen.neuron_dataclasses import NeuronCalibOptions, NeuronCalibResult, NeuronCalibTarget

__all__ = ["NeuronCalibOptions", "NeuronCalibResult", "NeuronCalibTarget"]
