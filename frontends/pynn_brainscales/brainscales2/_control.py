"""Control of an experiment: setup, run, reset, end."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any
from warnings import warn

from pyNN import common
from pyNN.common.control import DEFAULT_MAX_DELAY, DEFAULT_MIN_DELAY
from pyNN.recording import get_io

from neckar.errors import ConfigurationError, UnknownNameError, UnsupportedFeatureError, nearest
from pynn_brainscales.brainscales2 import simulator
from pynn_brainscales.brainscales2._errors import RunStateError
from pynn_brainscales.brainscales2._placement import checked_permutation
from pynn_brainscales.brainscales2.connectors import FixedProbabilityConnector
from pynn_brainscales.brainscales2.populations import Population
from pynn_brainscales.brainscales2.projections import Projection
from pynn_brainscales.brainscales2.standardmodels.cells import HXNeuron
from pynn_brainscales.brainscales2.standardmodels.synapses import StaticSynapse

_LATER: dict[str, tuple[Any, ...]] = {
    "backgroundPermutation": (None, [3, 2, 1, 0]),
    "enable_neuron_bypass": (None, False),
    "initial_config": (None,),
    "injected_config": (None,),
    "injected_readout": (None,),
    "connection": (None,),
    "calibration_cache": (None,),
    "injected_calib_target": (None,),
    "injected_calib_options": (None,),
}
_KEYWORDS = ("max_delay", "neuronPermutation", *_LATER)


class RunCommand(Enum):
    """What :func:`run` does."""

    PREPARE = auto()
    """Map the network."""
    APPEND = auto()
    """Schedule the network as it is now as the next snippet."""
    EXECUTE = auto()
    """Schedule a last snippet, if a runtime is given, and execute all snippets back to back."""


def setup(timestep: float = simulator.State.dt, min_delay: Any = DEFAULT_MIN_DELAY, **extra_params: Any) -> None:
    """Start a new experiment; an earlier one is dropped.

    Parameters
    ----------
    timestep : float
        Kept for PyNN; it does not control the integration.
    min_delay : float or "auto"
        Kept for PyNN.
    **extra_params
        ``max_delay``; ``neuronPermutation``: circuits in the order of their use, each at most once, may be shorter than the chip. Others
        are accepted with their default.

    Raises
    ------
    UnknownNameError
        For an unknown keyword.
    UnsupportedFeatureError
        For a keyword whose capability is not part of this version.
    ConfigurationError, CircuitOverflowError, CircuitTypeError
        If the permutation repeats a circuit, names one beyond the chip, or a negative one.
    """
    for keyword, value in extra_params.items():
        if keyword not in _KEYWORDS:
            raise UnknownNameError(f"setup() has no keyword {keyword!r}{nearest(keyword, _KEYWORDS)} It knows {', '.join(_KEYWORDS)}.")
        if keyword in _LATER and not any(value is default or (default is not None and value == default) for default in _LATER[keyword]):
            raise UnsupportedFeatureError(f"setup({keyword}=...) is not part of this version. Leave it out.")
    max_delay = extra_params.get("max_delay", DEFAULT_MAX_DELAY)
    common.setup(timestep, min_delay, max_delay=max_delay)
    permutation = checked_permutation(extra_params.get("neuronPermutation"))
    if simulator.state is not None:
        simulator.state.close()
    simulator.state = simulator.State(simulator.current_lab(), permutation)
    simulator.state.min_delay = 0 if min_delay == "auto" else min_delay
    simulator.state.max_delay = 0 if max_delay == "auto" else max_delay


def end(compatible_output: bool = True) -> None:
    """Write recordings that were asked for with ``to_file``, close the session, and forget the experiment."""
    state = _state()
    try:
        for population, variables, filename in state.write_on_end:
            population.write_data(get_io(filename), variables)
    finally:
        state.close()
        simulator.state = None


def run(runtime: float | None, command: RunCommand = RunCommand.EXECUTE) -> None:
    """Prepare, schedule or execute.

    Parameters
    ----------
    runtime : float or None
        Milliseconds of hardware time.
    command : RunCommand
        See there.

    Raises
    ------
    RunStateError
        If the experiment was executed and not reset, or ``setup`` was not called.
    ConfigurationError
        If there is nothing to append or execute, the runtime is too short or too long, or the command is none.
    CapacityError, MappingError, UnsupportedFeatureError
        If the network cannot be mapped.
    """
    state = _state()
    if command is RunCommand.PREPARE:
        state.preprocess(0, 0)
    elif command is RunCommand.APPEND:
        if runtime is None:
            raise ConfigurationError("run(None, RunCommand.APPEND) schedules nothing; give a runtime in milliseconds.")
        state.add(runtime)
    elif command is RunCommand.EXECUTE:
        if runtime is None and not state.runtimes:
            raise ConfigurationError("run(None) has nothing to execute; give a runtime, or schedule snippets with RunCommand.APPEND before.")
        state.run(runtime)
        for recorder in state.recorders:
            recorder.clear_flag = False
    else:
        raise ConfigurationError(f"command is {command!r}; allowed are {', '.join(str(one) for one in RunCommand)}.")


run_for = run


def preprocess() -> None:
    """Map the network; the older name of ``run(None, RunCommand.PREPARE)``."""
    warn("preprocess() is deprecated; use run(None, RunCommand.PREPARE).", DeprecationWarning, stacklevel=2)
    _state().preprocess(0, 0)


def list_standard_models() -> list[type]:
    """Return the neuron types of this version."""
    return [HXNeuron]


def _state() -> simulator.State:
    """Return the experiment in progress."""
    if simulator.state is None:
        raise RunStateError("there is no experiment; call setup() first.")
    return simulator.state


_, run_until = common.build_run(simulator)
reset = common.build_reset(simulator)
initialize = common.initialize
get_current_time, get_time_step, get_min_delay, get_max_delay, num_processes, rank = common.build_state_queries(simulator)
create = common.build_create(Population)
connect = common.build_connect(Projection, FixedProbabilityConnector, StaticSynapse)
set = common.set
record = common.build_record(simulator)
