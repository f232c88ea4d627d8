"""Control of an experiment: setup, run, reset, end."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from functools import wraps
from typing import Any
from warnings import warn

import numpy as np
from pyNN import common
from pyNN.common.control import DEFAULT_MAX_DELAY, DEFAULT_MIN_DELAY

from dlens_vx_v3 import logger
from neckar.calibration.files import checked_folders
from neckar.errors import ConfigurationError, UnknownNameError, UnsupportedFeatureError, nearest
from pynn_brainscales.brainscales2 import simulator
from pynn_brainscales.brainscales2._calibration import checked_start
from pynn_brainscales.brainscales2._errors import RunStateError
from pynn_brainscales.brainscales2._injection import check_hooks
from pynn_brainscales.brainscales2._placement import checked_background_permutation, checked_permutation
from pynn_brainscales.brainscales2.connectors import FixedProbabilityConnector
from pynn_brainscales.brainscales2.populations import Population
from pynn_brainscales.brainscales2.projections import Projection
from pynn_brainscales.brainscales2.standardmodels.cells import CalibHXNeuronCoba, CalibHXNeuronCuba, HXNeuron
from pynn_brainscales.brainscales2.standardmodels.synapses import StaticSynapse

_KEYWORDS = (
    *("max_delay", "neuronPermutation", "backgroundPermutation", "enable_neuron_bypass", "initial_config", "injected_config", "injected_readout"),
    *("connection", "calibration_cache", "injected_calib_target", "injected_calib_options"),
)


class RunCommand(Enum):
    """What :func:`run` does."""

    PREPARE = auto()
    """Map the network, and calibrate the chip for calibrating cells."""
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
        ``max_delay``
            Kept for PyNN.
        ``neuronPermutation``
            Circuits in the order of their use, each at most once; may be shorter than the chip.
        ``backgroundPermutation``
            Buses within a hemisphere, 0 to 3, of the populations of on-chip sources in the order of their creation. Default 3, 2, 1, 0.
        ``enable_neuron_bypass``
            Every synaptic event fires its neuron, past the membrane; replaces ``initial_config``.
        ``initial_config``
            ``lola.Chip`` from which all registers start. It is copied; ``simulator.state.grenade_chip_config`` is the copy, live until the
            network is mapped.
        ``injected_config``, ``injected_readout``
            Register accesses besides the network's: :class:`InjectedConfiguration`, :class:`InjectedReadout`.
        ``connection``
            Handle of an open ``hxcomm.ManagedConnection``, which stays open; by default one is opened at the first run and closed by ``end``.
        ``calibration_cache``
            Folders in which calibrations of calibrating cells are searched and kept, see :func:`calix.calibrate`.
        ``injected_calib_target``, ``injected_calib_options``
            What such a calibration asks for besides the targets of the neurons.

    Raises
    ------
    UnknownNameError
        For an unknown keyword.
    ConfigurationError, CircuitOverflowError, CircuitTypeError
        If a permutation repeats an entry, names one beyond the chip, or a negative one; if another keyword has a value of the wrong type.
    """
    for keyword in extra_params:
        if keyword not in _KEYWORDS:
            raise UnknownNameError(f"setup() has no keyword {keyword!r}{nearest(keyword, _KEYWORDS)} It knows {', '.join(_KEYWORDS)}.")
    max_delay = extra_params.get("max_delay", DEFAULT_MAX_DELAY)
    for name, value in (("timestep", timestep), ("min_delay", min_delay), ("max_delay", max_delay)):
        if not isinstance(value, int | float | np.number) and not (isinstance(value, str) and value == "auto"):
            raise ConfigurationError(f"setup({name}={value!r}) was asked for; allowed are milliseconds, or 'auto'. Give one of them, or leave it out.")
    common.setup(timestep, min_delay, max_delay=max_delay)
    permutation, background = extra_params.get("neuronPermutation"), extra_params.get("backgroundPermutation")
    injected_config, injected_readout = extra_params.get("injected_config"), extra_params.get("injected_readout")
    check_hooks(injected_config, injected_readout)
    calib_target, calib_options = extra_params.get("injected_calib_target"), extra_params.get("injected_calib_options")
    checked_start(calib_target, calib_options)
    cache = checked_folders(extra_params.get("calibration_cache"), "setup(calibration_cache={})")
    state = simulator.State(
        simulator.current_lab(),
        None if permutation is None else checked_permutation(permutation),
        background_permutation=checked_background_permutation(background),
        chip=_initial_chip(extra_params.get("initial_config"), bool(extra_params.get("enable_neuron_bypass"))),
        injected_config=injected_config,
        injected_readout=injected_readout,
        session=_session(extra_params.get("connection")),
    )
    if simulator.state is not None:
        simulator.state.close()
    simulator.state = state
    state.min_delay = 0 if min_delay == "auto" else min_delay
    state.max_delay = 0 if max_delay == "auto" else max_delay
    state.calibration_cache, state.injected_calib_target, state.injected_calib_options = cache, calib_target, calib_options


def _initial_chip(initial_config: Any, bypass: bool) -> Any:
    """Return a copy of the chip that an experiment starts from, None for the default."""
    from dlens_vx_v3 import lola

    if initial_config is not None and not isinstance(initial_config, lola.Chip):
        raise ConfigurationError(
            f"setup(initial_config=...) is {initial_config!r}; allowed is a lola.Chip. Give one, for instance pynn.helper.chip_from_nightly()."
        )
    if not bypass:
        return None if initial_config is None else lola.Chip(initial_config)
    if initial_config is not None:
        logger.get("pyNN.brainscales2").INFO("setup(): initial_config is replaced by the configuration of enable_neuron_bypass")
    return lola.Chip(lola.Chip.default_neuron_bypass)


def _session(connection: Any) -> Any:
    """Return the lab session behind a handle of the user's, None without one."""
    if connection is None:
        return None
    if not hasattr(connection, "session"):
        text = "allowed is what `with hxcomm.ManagedConnection() as connection` gives. Leave it out to have one opened."
        raise ConfigurationError(f"setup(connection=...) is {connection!r}; {text}")
    return connection.session


def end(compatible_output: bool = True) -> None:
    """Write recordings that were asked for with ``to_file``, close the session, and forget the experiment."""
    state = _state()
    try:
        for population, variables, filename in state.write_on_end:
            population.write_data(filename, variables)
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
        raise ConfigurationError(f"command is {command!r}; allowed are {', '.join(str(one) for one in RunCommand)}. Choose one of them.")


run_for = run


def preprocess() -> None:
    """Map the network; the older name of ``run(None, RunCommand.PREPARE)``."""
    warn("preprocess() is deprecated; use run(None, RunCommand.PREPARE).", DeprecationWarning, stacklevel=2)
    _state().preprocess(0, 0)


def list_standard_models() -> list[type]:
    """Return the neuron types of this version."""
    return [HXNeuron, CalibHXNeuronCuba, CalibHXNeuronCoba]


def _state() -> simulator.State:
    """Return the experiment in progress."""
    if simulator.state is None:
        raise RunStateError("there is no experiment; call setup() first.")
    return simulator.state


def _after_setup(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return one of PyNN's functions, which says what to do if ``setup`` was not called."""

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        _state()
        return function(*args, **kwargs)

    return checked


def run_until(time_point: float, callbacks: Any = None) -> float:
    """Run until a time in milliseconds; see :func:`run`. The chip runs an experiment as a whole, so `callbacks` in its middle are refused."""
    now = _state().t
    if callbacks:
        raise UnsupportedFeatureError("run_until() with callbacks was asked for; an experiment is executed as a whole. Schedule it with RunCommand.APPEND.")
    if not isinstance(time_point, int | float | np.number):
        raise ConfigurationError(f"run_until({time_point!r}) was asked for; allowed is a time in milliseconds, now is {now}. Give a later one.")
    end: float = _run_until(time_point)
    return end


_, _run_until = common.build_run(simulator)
reset = _after_setup(common.build_reset(simulator))
initialize = common.initialize
get_current_time, get_time_step, get_min_delay, get_max_delay, num_processes, rank = map(_after_setup, common.build_state_queries(simulator))
create = common.build_create(Population)
connect = common.build_connect(Projection, FixedProbabilityConnector, StaticSynapse)
set = common.set
record = common.build_record(simulator)
