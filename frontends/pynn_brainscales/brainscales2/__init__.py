"""PyNN for BrainScaleS-2 (``import pynn_brainscales.brainscales2 as pynn``).

Time is milliseconds of hardware time, parameters are digital codes, recorded voltages are converter codes. The front end holds no physics: it describes
a network, hands it to :mod:`neckar.network`, lets the current lab execute it, and returns neo objects.
"""

import importlib
from typing import Any

from pyNN import common, errors, space

import dlens_vx_v3 as dlens_vx_v3  # chooses a connection before scripts look for one
from pynn_brainscales.brainscales2 import simulator
from pynn_brainscales.brainscales2._control import (
    RunCommand,
    connect,
    create,
    end,
    get_current_time,
    get_max_delay,
    get_min_delay,
    get_time_step,
    initialize,
    list_standard_models,
    num_processes,
    preprocess,
    rank,
    record,
    reset,
    run,
    run_for,
    run_until,
    set,
    setup,
)
from pynn_brainscales.brainscales2._information import (
    get_backend_statistics,
    get_execution_health_info,
    get_execution_instance_data,
    get_execution_time_info,
    get_post_realtime_read,
    get_post_realtime_read_ppu_symbols,
    get_pre_realtime_read,
)
from pynn_brainscales.brainscales2._injection import InjectedConfiguration, InjectedReadout
from pynn_brainscales.brainscales2.connectors import (
    AllToAllConnector,
    ArrayConnector,
    CloneConnector,
    Connector,
    CSAConnector,
    DisplacementDependentProbabilityConnector,
    DistanceDependentProbabilityConnector,
    FixedNumberPostConnector,
    FixedNumberPreConnector,
    FixedProbabilityConnector,
    FixedTotalNumberConnector,
    FromFileConnector,
    FromListConnector,
    IndexBasedProbabilityConnector,
    OneToOneConnector,
    SmallWorldConnector,
)
from pynn_brainscales.brainscales2.plasticity_rules import PlasticityRule, Timer
from pynn_brainscales.brainscales2.populations import Assembly, Population, PopulationView
from pynn_brainscales.brainscales2.projections import Projection
from pynn_brainscales.brainscales2.standardmodels import cells, synapses

_ELSEWHERE = {
    "SpikingCalibOptions": "calix.spiking",
    "SpikingCalibTarget": "calix.spiking",
    "grenade": "pygrenade_vx",
    "grenade_common": "pygrenade_common",
    "hal": "dlens_vx_v3.hal",
    "halco": "dlens_vx_v3.halco",
    "helper": "pynn_brainscales.brainscales2.helper",
    "logger": "pylogging",
    "lola": "dlens_vx_v3.lola",
    "sta": "dlens_vx_v3.sta",
}
"""Names that are imported when they are first used, and the module that each is or comes from."""


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_ELSEWHERE[name])
    globals()[name] = getattr(module, name) if name.startswith("Spiking") else module
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *_ELSEWHERE})


__all__ = [
    "AllToAllConnector",
    "ArrayConnector",
    "Assembly",
    "CSAConnector",
    "CloneConnector",
    "Connector",
    "DisplacementDependentProbabilityConnector",
    "DistanceDependentProbabilityConnector",
    "FixedNumberPostConnector",
    "FixedNumberPreConnector",
    "FixedProbabilityConnector",
    "FixedTotalNumberConnector",
    "FromFileConnector",
    "FromListConnector",
    "IndexBasedProbabilityConnector",
    "InjectedConfiguration",
    "InjectedReadout",
    "OneToOneConnector",
    "PlasticityRule",
    "Population",
    "PopulationView",
    "Projection",
    "RunCommand",
    "SmallWorldConnector",
    "SpikingCalibOptions",
    "SpikingCalibTarget",
    "Timer",
    "cells",
    "common",
    "connect",
    "create",
    "end",
    "errors",
    "get_backend_statistics",
    "get_current_time",
    "get_execution_health_info",
    "get_execution_instance_data",
    "get_execution_time_info",
    "get_max_delay",
    "get_min_delay",
    "get_post_realtime_read",
    "get_post_realtime_read_ppu_symbols",
    "get_pre_realtime_read",
    "get_time_step",
    "grenade",
    "grenade_common",
    "hal",
    "halco",
    "helper",
    "initialize",
    "list_standard_models",
    "logger",
    "lola",
    "num_processes",
    "preprocess",
    "rank",
    "record",
    "reset",
    "run",
    "run_for",
    "run_until",
    "set",
    "setup",
    "simulator",
    "space",
    "sta",
    "synapses",
]
