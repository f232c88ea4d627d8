"""Containers of single registers, under upstream's names."""

from dlens_vx_v3._container import Container as Container
from dlens_vx_v3.hal._capmem import CapMemCell as CapMemCell
from dlens_vx_v3.hal._neuron import CommonNeuronBackendConfig as CommonNeuronBackendConfig
from dlens_vx_v3.hal._neuron import NeuronBackendConfig as NeuronBackendConfig
from dlens_vx_v3.hal._neuron import NeuronConfig as NeuronConfig

__all__ = sorted(name for name in globals() if not name.startswith("_"))
