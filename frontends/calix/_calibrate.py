"""``calix.calibrate``: which method calibrates, and on which chip.

Upstream's calibration measures. This version of Neckar measures no whole chip, and does not put another method in its place unasked: a script that
studies how calibrations work would get a wrong picture. Whoever only needs a calibrated chip asks for the oracle, by the argument ``method="oracle"`` or, for
scripts that stay as they are, by the environment variable ``NECKAR_CALIBRATION_METHOD=oracle``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from calix._results import result_of
from calix._targets import OPTIONS, CalibOptions, TopLevelCalibTarget, to_neckar
from calix.common.exceptions import CalibNotSupported
from dlens_vx_v3.hxcomm import ConnectionHandle
from neckar.calibration import calibrate as neckar_calibrate
from neckar.errors import ConfigurationError, UnsupportedFeatureError
from neckar.lab import Lab, current_lab

ENVIRONMENT = "NECKAR_CALIBRATION_METHOD"
"""Environment variable that chooses the method of scripts that do not name one."""

_log = logging.getLogger("calix")


class MeasurementMissingError(UnsupportedFeatureError, CalibNotSupported):
    """Something that measures was asked for, which this version does not."""


class StatefulConnection:
    """A connection to one chip, as upstream's calibration takes it.

    Parameters
    ----------
    connection : hxcomm.ConnectionHandle
    chip_on_connection : int
        0: a connection of this version has one chip.
    """

    def __init__(self, connection: ConnectionHandle, chip_on_connection: int = 0, init: Any = None) -> None:
        if chip_on_connection != 0:
            raise ConfigurationError(f"StatefulConnection got chip {chip_on_connection}; a connection has one chip, number 0. Leave the number out.")
        self.connection, self.chip_on_connection, self.init = connection, chip_on_connection, init

    def get_unique_identifier(self) -> str:
        """Return the name of the chip."""
        return self.connection.get_unique_identifier()[self.chip_on_connection]


def calibrate(
    target: TopLevelCalibTarget,
    options: CalibOptions | None = None,
    cache_paths: Sequence[Path] | None = None,
    cache_read_only: bool = False,
    connection: StatefulConnection | ConnectionHandle | None = None,
    *,
    method: str | None = None,
) -> Any:
    """Return the result of a calibration.

    Parameters
    ----------
    target : SpikingCalibTarget, HagenCalibTarget or HagenSyninCalibTarget
    options : optional
        Of the kind that belongs to the target.
    cache_paths, cache_read_only
        Without effect: the oracle takes less time than a cache.
    connection : StatefulConnection or hxcomm.ConnectionHandle, optional
        Whose chip is calibrated; the current lab's by default.
    method : str, optional
        ``"oracle"`` inverts the model of the chip; ``"measurement"`` is not part of this version. Not part of upstream's function. By default the value of
        the environment variable ``NECKAR_CALIBRATION_METHOD``, and ``"measurement"`` without it.

    Returns
    -------
    SpikingCalibResult, HagenCalibResult or HagenSyninCalibResult

    Raises
    ------
    MeasurementMissingError
        If the method measures; also calix' CalibNotSupported. Names the remedy.
    ConfigurationError
        If target and options do not belong together.
    ParameterRangeError
        If a target makes no sense.
    """
    if type(target) not in OPTIONS:
        words = ", ".join(kind.__name__ for kind in OPTIONS)
        raise ConfigurationError(f"calibrate got a target {target!r}; allowed are {words}. Parts of a chip are calibrated with the whole.")
    kind = OPTIONS[type(target)]
    chosen = kind() if options is None else options
    if not isinstance(chosen, kind):
        raise ConfigurationError(f"calibrate got {type(options).__name__} for a {type(target).__name__}; allowed is {kind.__name__}. Pass these.")
    how = method or os.environ.get(ENVIRONMENT) or "measurement"
    if how == "measurement":
        refuse_measurement("calix.calibrate")
    lab = _lab(connection)
    wanted = to_neckar(target, chosen)
    found = neckar_calibrate(lab.specimen, wanted, how, lab.effects)  # type: ignore[arg-type]  # the method is checked there
    _log.info("calibrated the virtual chip %s by oracle", lab.specimen.id)
    return result_of(found)


def refuse_measurement(what: str) -> NoReturn:
    """Raise the error that says what measures, and what to do."""
    raise MeasurementMissingError(
        f"{what} measures on the chip, which is not part of this version of Neckar. For a calibrated virtual chip invert its model: "
        f'calix.calibrate(target, method="oracle"), or set {ENVIRONMENT}=oracle, or load the files beside pynn.helper.nightly_calib_path().'
    )


def _lab(connection: Any) -> Lab:
    if connection is None:
        return current_lab()
    handle = connection.connection if isinstance(connection, StatefulConnection) else connection
    if not isinstance(handle, ConnectionHandle):
        raise ConfigurationError(
            f"calibrate got a connection {connection!r}; allowed is what hxcomm.ManagedConnection opens. Leave it out for the current lab."
        )
    return handle.lab
