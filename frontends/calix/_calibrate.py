"""``calix.calibrate``: which method calibrates, on which chip, and what is kept.

Upstream's calibration measures, and so does this one. Whoever only needs a calibrated chip, at once, asks for the oracle, by the argument ``method="oracle"``
or, for scripts that stay as they are, by the environment variable ``NECKAR_CALIBRATION_METHOD=oracle``.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calix import _cache
from calix._connection import StatefulConnection, handle_of, lab_of, leave_on_chip
from calix._results import result_of
from calix._stages import NoChipError, translated, warn_of_failures
from calix._targets import OPTIONS, CalibOptions, TopLevelCalibTarget, to_neckar
from dlens_vx_v3 import logger
from dlens_vx_v3.hxcomm import ConnectionHandle, ManagedConnection, choice
from neckar.calibration import METHODS, Calibration, store
from neckar.calibration import calibrate as neckar_calibrate
from neckar.calibration.files import checked_folders
from neckar.calibration.targets import ChipTarget
from neckar.errors import CalibrationCacheError, ConfigurationError, UnknownNameError, nearest
from neckar.lab import Lab

ENVIRONMENT = "NECKAR_CALIBRATION_METHOD"
"""Environment variable that chooses the method of scripts that do not name one."""

_log = logger.get("calix.calibrate")


def calibrate(
    target: TopLevelCalibTarget,
    options: CalibOptions | None = None,
    cache_paths: Sequence[Path] | Path | str | None = None,
    cache_read_only: bool = False,
    connection: StatefulConnection | ConnectionHandle | Lab | None = None,
    *,
    method: str | None = None,
) -> Any:
    """Return the result of a calibration, measured or from a cache.

    Parameters
    ----------
    target : SpikingCalibTarget, HagenCalibTarget, HagenSyninCalibTarget, or a class of your own with a method ``calibrate(connection, options)``
    options : optional
        Of the kind that belongs to the target.
    cache_paths : path or sequence of paths, optional
        Folders that are searched in this order for a result of the same target, options, chip and version; a new result goes into the first that can be
        written. Empty: no cache. Default: the folder ``hicann-dls-sr-hx/cache`` below ``NECKAR_CALIBRATION_CACHE``, then ``$XDG_CACHE_HOME/calix`` or
        ``~/.cache/calix``. Results of targets of your own are pickles, and are neither read from nor written to the first of these.
    cache_read_only : bool
        Write no file.
    connection : StatefulConnection, hxcomm.ConnectionHandle or neckar.Lab, optional
        Whose chip is calibrated; that of a connection is left with the result, from a cache or not. By default the current lab's chip.
    method : str, optional
        ``"measurement"`` or ``"oracle"``, which inverts the model of the chip. Not part of upstream's function. By default the value of the environment
        variable ``NECKAR_CALIBRATION_METHOD``, and ``"measurement"`` without it.

    Returns
    -------
    SpikingCalibResult, HagenCalibResult or HagenSyninCalibResult
        Its success masks tell which circuits reached their targets. Failures are logged as warnings, as upstream's.

    Raises
    ------
    ConfigurationError
        If target and options do not belong together, or `cache_paths` names no folders.
    ParameterRangeError
        If a target makes no sense.
    UnknownNameError
        If there is no such method.

    Notes
    -----
    Experiments start from a chip after a reset, with the effects of the connection's lab, and are numbered from 0 with seed 0, so the same chip always gets the
    same result, from a cache or not. What happened on the connection before has no influence.
    """
    how = _method(method)
    chosen = _options_of(target, options)
    folders = checked_folders(cache_paths, "calibrate(cache_paths={})")
    paths = _cache.default_paths() if folders is None else folders
    if type(target) not in OPTIONS:
        return _own(target, chosen, _cache.own(paths), cache_read_only, connection, how)
    found = _found(target, chosen, paths, cache_read_only, connection, how)
    leave_on_chip(connection, found.fields)
    return result_of(found)


def execute(target: Any, options: Any, connection: Any, method: str | None = None) -> Any:
    """Return the result of a calibration of a whole chip, without a cache; errors as of :func:`calibrate`."""
    return result_of(found_without_cache(target, options, connection, method))


def found_without_cache(target: Any, options: Any, connection: Any, method: str | None = None) -> Calibration:
    """Return what :func:`execute` finds, as Neckar's data; the chip of the connection is left with it."""
    found = _made(target, _options_of(target, options), connection, _method(method), keeps=False)
    leave_on_chip(connection, found.fields)
    return found


def _found(target: Any, options: Any, paths: Sequence[Path], read_only: bool, connection: Any, method: str) -> Calibration:
    """Return the calibration of a whole chip from the cache, or make it and keep it."""
    if len(paths) == 0:
        _log.INFO("List of calib cache paths is empty, cache disabled.")
        return _made(target, options, connection, method, keeps=False)
    lab, wanted = lab_of(connection), to_neckar(target, options)
    name = _cache.file_name(target, options, lab, method)
    known = _cache.find(paths, name, lambda data, source: _cache.sealed(data, source, lab, wanted, method))
    if isinstance(known, Calibration):
        return known
    found = _made(target, options, connection, method, keeps=not read_only)
    if not read_only:
        _cache.keep(paths, name, store.native_pickle(found.dumps()))
    return found


def _made(target: Any, options: Any, connection: Any, method: str, *, keeps: bool) -> Calibration:
    """Calibrate. If it `keeps`, finished stages of a measurement are kept, and of several processes one measures."""
    _log.INFO("Executing calibration")
    lab, wanted = lab_of(connection), to_neckar(target, options)
    _check_for_a_chip(connection)
    with translated():
        found = _measured(lab, wanted, keeps) if method == "measurement" else neckar_calibrate(lab.specimen, wanted, "oracle", lab.effects)
    warn_of_failures(found)
    return found


def _measured(lab: Lab, wanted: ChipTarget, keeps: bool) -> Calibration:
    """Measure; if it `keeps`, in a folder of Neckar's own, and without it, if that cannot be written."""
    if not keeps:
        return neckar_calibrate(lab.specimen, wanted, "measurement", lab.effects, progress=_told)
    try:
        return neckar_calibrate(lab.specimen, wanted, "measurement", lab.effects, cache=store.measured_folder(), progress=_told)
    except CalibrationCacheError as error:
        _log.WARN(f"{error}")
        if isinstance(error.calibration, Calibration):
            return error.calibration
        return _measured(lab, wanted, keeps=False)


def _told(stage: str, number: int, count: int) -> None:
    """Log which stage begins."""
    if stage:
        _log.DEBUG(f"Stage {number + 1} of {count}: {stage}")


def _check_for_a_chip(connection: Any) -> None:
    """Refuse to calibrate the mock of a connection."""
    mock = choice() == "zeromock" if connection is None else not isinstance(connection, Lab) and handle_of(connection).zero_mock
    if mock:
        raise NoChipError("a calibration of a connection without a chip (zero mock) was asked for; allowed are chips. Remove HXCOMM_ENABLE_ZERO_MOCK.")


def _own(target: Any, options: Any, paths: Sequence[Path], read_only: bool, connection: Any, method: str) -> Any:
    """Return the result of a target that a script has defined: it calibrates itself, and its result is pickled."""
    name = _cache.file_name(target, options, lab_of(connection), method)
    known = _cache.find(paths, name, _cache.unpickled)
    if known is not None:
        return known
    if connection is None:
        with ManagedConnection() as opened:
            result = target.calibrate(StatefulConnection(opened), options)
    else:
        result = target.calibrate(connection, options)
    if paths and not read_only:
        _cache.keep(paths, name, pickle.dumps(result))
    return result


def _method(method: str | None) -> str:
    how = method or os.environ.get(ENVIRONMENT) or "measurement"
    if how not in METHODS:
        raise UnknownNameError(f"no method of calibration is called {how!r}{nearest(how, METHODS)} Methods: {', '.join(METHODS)}.")
    return how


def _options_of(target: Any, options: Any) -> Any:
    """Return the options of a target, default ones if there are none."""
    if not isinstance(target, TopLevelCalibTarget):
        words = ", ".join(kind.__name__ for kind in OPTIONS)
        raise ConfigurationError(f"calibrate got a target {target!r}; allowed are {words}. Parts of a chip are calibrated by the functions of their modules.")
    kind = OPTIONS.get(type(target))
    if kind is None or isinstance(options, kind):
        return options
    if options is not None:
        raise ConfigurationError(f"calibrate got {type(options).__name__} for a {type(target).__name__}; allowed is {kind.__name__}. Pass these.")
    return kind()
