"""Containers of whole circuits and of the chip, under upstream's names."""

from dlens_vx_v3.lola._chip import Chip as Chip
from dlens_vx_v3.lola._neuron import AtomicNeuron as AtomicNeuron
from dlens_vx_v3.lola._neuron import NeuronBlock as NeuronBlock

__all__ = sorted(name for name in globals() if not name.startswith("_"))
