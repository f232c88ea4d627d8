"""The compiled engine: neuron circuits with synaptic lines, driven by row events.

It knows arrays, not chips: physical parameters (:class:`CircuitParameters`), synapse planes (:class:`Synapses`), events (:class:`RowEvents`).
Importing this package does not load the compiler; the first use of an engine class does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neckar.dynamics._layout import N_DYNAMIC, STATE_NAMES, aligned
from neckar.dynamics._parameters import CircuitParameters
from neckar.dynamics._propagators import largest_step, reference_tau

if TYPE_CHECKING:
    from neckar.dynamics._lane import NO_EVENTS, Lane, RowEvents, Segment, Synapses, Trace

__all__ = [
    "NO_EVENTS",
    "N_DYNAMIC",
    "STATE_NAMES",
    "CircuitParameters",
    "Lane",
    "RowEvents",
    "Segment",
    "Synapses",
    "Trace",
    "aligned",
    "largest_step",
    "reference_tau",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from neckar.dynamics import _lane

        return getattr(_lane, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
