"""Synapse types."""

from __future__ import annotations

from typing import Any, ClassVar

import pyNN.standardmodels.synapses
from pyNN.standardmodels import build_translations

__all__ = ["StaticSynapse"]


class StaticSynapse(pyNN.standardmodels.synapses.StaticSynapse):
    """A connection with a fixed weight.

    Parameters
    ----------
    weight : number, array or random distribution
        Sum of the weights of the synapses that realise the connection; rounded. At least 0 for excitatory, at most 0 for inhibitory connections.
    delay : 0 or None
        The chip has no configurable delays.
    """

    translations = build_translations(("weight", "weight"), ("delay", "delay"))
    parameter_checks: ClassVar[dict[str, Any]] = {}  # the projection checks all connections at once

    def _get_minimum_delay(self) -> float:
        return 0.0
