"""Target, options and result of integrating neurons."""

from calix._results import NeuronCalibResult
from calix._targets import HagenNeuronCalibTarget as NeuronCalibTarget
from calix._targets import NeuronCalibOptions

__all__ = ["NeuronCalibOptions", "NeuronCalibResult", "NeuronCalibTarget"]
