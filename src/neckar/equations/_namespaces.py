"""The equations bound to the array libraries that users meet. The compiled binding lives in :mod:`neckar.dynamics`."""

from __future__ import annotations

from functools import cache

from neckar.equations._neuron import NeuronEquations, neuron_equations


@cache
def numpy_equations() -> NeuronEquations:
    """Return the equations on numpy arrays."""
    import numpy as np

    return neuron_equations(np.exp, np.tanh, np.maximum)


@cache
def torch_equations() -> NeuronEquations:
    """Return the equations on torch tensors (differentiable). Needs the extra ``neckar[torch]``."""
    import torch

    def maximum(x: torch.Tensor, lower: float) -> torch.Tensor:
        return torch.clamp(x, min=lower)

    return neuron_equations(torch.exp, torch.tanh, maximum)
