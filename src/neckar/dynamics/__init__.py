"""The compiled engine: neuron circuits with synaptic lines, driven by row events.

It knows arrays, not chips: physical parameters (:class:`CircuitParameters`), synapse planes (:class:`Synapses`), events (:class:`RowEvents`).
Importing this package does not load the compiler; the first use of an engine class does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neckar.dynamics._layout import N_DYNAMIC, STATE_NAMES, aligned
from neckar.dynamics._membranes import Membranes, joined, settled, shared_charge
from neckar.dynamics._parameters import CONSTANT, MODULATED, PLASTIC, CircuitParameters, DriverParameters, Features
from neckar.dynamics._propagators import kick_shares_of, lane_rows, largest_step, largest_steps, late_shares_of, reference_tau, reference_taus

if TYPE_CHECKING:
    from neckar.dynamics._correlation import SensorParameters, Sensors, SensorState
    from neckar.dynamics._coupling import Coupling, undivided_step
    from neckar.dynamics._dense_nodes import Neuron
    from neckar.dynamics._drivers import NO_DRIVERS, Drivers, driver_voltages, follow_kernel, forked, new_drivers, reconfigured
    from neckar.dynamics._exchange import FINE, LOST, SILENT, Hits, Relays, Tables, expand, idle, serve_all
    from neckar.dynamics._following import Followers, gather_followers
    from neckar.dynamics._group import NO_OUTSIDE, NO_RELAYS, Firing, LaneGroup, OutsideEvents, gather_relays
    from neckar.dynamics._host import UNKNOWN, Exits, Link, Tally, exit_kernel, new_tally, record_kernel, survivors
    from neckar.dynamics._lane import NO_EVENTS, Lane, Prepared, RowEvents, Segment, Synapses, Trace

__all__ = [
    "CONSTANT",
    "FINE",
    "LOST",
    "MODULATED",
    "NO_DRIVERS",
    "NO_EVENTS",
    "NO_OUTSIDE",
    "NO_RELAYS",
    "N_DYNAMIC",
    "PLASTIC",
    "SILENT",
    "STATE_NAMES",
    "UNKNOWN",
    "CircuitParameters",
    "Coupling",
    "DriverParameters",
    "Drivers",
    "Exits",
    "Features",
    "Firing",
    "Followers",
    "Hits",
    "Lane",
    "LaneGroup",
    "Link",
    "Membranes",
    "Neuron",
    "OutsideEvents",
    "Prepared",
    "Relays",
    "RowEvents",
    "Segment",
    "SensorParameters",
    "SensorState",
    "Sensors",
    "Synapses",
    "Tables",
    "Tally",
    "Trace",
    "aligned",
    "driver_voltages",
    "exit_kernel",
    "expand",
    "follow_kernel",
    "forked",
    "gather_followers",
    "gather_relays",
    "idle",
    "joined",
    "kick_shares_of",
    "lane_rows",
    "largest_step",
    "largest_steps",
    "late_shares_of",
    "new_drivers",
    "new_tally",
    "reconfigured",
    "record_kernel",
    "reference_tau",
    "reference_taus",
    "serve_all",
    "settled",
    "shared_charge",
    "survivors",
    "undivided_step",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from neckar.dynamics import _correlation, _coupling, _dense_nodes, _drivers, _exchange, _following, _group, _host, _lane

        modules = _lane, _group, _exchange, _following, _host, _drivers, _correlation, _coupling, _dense_nodes
        return next(getattr(module, name) for module in modules if hasattr(module, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
