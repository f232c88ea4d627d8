"""The circuits' equations, written once.

Every function here is elementwise and branch-free and gets its elementary functions injected, so the same source serves numpy (documentation, probes, tests),
the compiled engine (:mod:`neckar.dynamics`) and differentiable frameworks.
"""

from neckar.equations._amplifier import ota_balance, ota_relaxed
from neckar.equations._namespaces import numpy_equations, torch_equations
from neckar.equations._neuron import NeuronEquations, neuron_equations

__all__ = ["NeuronEquations", "neuron_equations", "numpy_equations", "ota_balance", "ota_relaxed", "torch_equations"]
