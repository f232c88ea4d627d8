"""Single parts of a calibration, measured on the chip of a connection as it is.

A calibration of a whole chip starts from a reset. The functions of upstream's modules calibrate a part of it, in the state in which the script has brought it:
here a bench takes over the registers that the chip holds, stages of :mod:`neckar.calibration.measure` run on it, and their result stays on the chip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calix._connection import handle_of
from calix.common.exceptions import CalibNotSuccessful
from dlens_vx_v3 import logger
from neckar.calibration import Calibration, ChipTarget
from neckar.calibration.measure import Bench, Stage
from neckar.calibration.measure.execution import run_stages
from neckar.calibration.targets import Target, unusual
from neckar.chip.config import ChipConfig
from neckar.errors import ConfigurationError

_log = logger.get("calix")


class NoChipError(ConfigurationError, CalibNotSuccessful):
    """There is no chip behind a connection."""


class NotSuccessfulError(ConfigurationError, CalibNotSuccessful):
    """The chip does not show what a stage needs."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise what a stage could not find on the chip as upstream's CalibNotSuccessful, too."""
    try:
        yield
    except ConfigurationError as error:
        if type(error) is not ConfigurationError:
            raise
        raise NotSuccessfulError(str(error)) from error


def bench_on(connection: Any) -> Bench:
    """Return a bench on the chip of a connection as it is.

    Raises
    ------
    NoChipError
        If there is none behind it.
    """
    handle = handle_of(connection)
    if handle.zero_mock:
        raise NoChipError("a calibration of a connection without a chip (zero mock) was asked for; allowed are chips. Remove HXCOMM_ENABLE_ZERO_MOCK.")
    bench = Bench(handle.session)
    if handle.session.state is not None:
        config = ChipConfig(handle.session.state.registers)
        bench.codes = {name: config[name].copy() for name in config}
        bench.sent = dict(bench.codes)
    return bench


def fields_with(connection: Any, result: Any) -> dict[str, NDArray[Any]]:
    """Return all registers of the chip of a connection as they are with a result."""
    state = handle_of(connection).session.state
    config = ChipConfig(None if state is None else state.registers)
    result._write(config)
    return {name: config[name].copy() for name in config}


def measure_part(connection: Any, whole: ChipTarget, part: Target | None, stages: Sequence[Stage], fields: Mapping[str, Any] | None = None) -> Calibration:
    """Run stages on the chip of a connection and return what it then holds, as a calibration.

    Parameters
    ----------
    connection : StatefulConnection or hxcomm.ConnectionHandle
    whole : ChipTarget
        The target of a whole chip to which the part belongs.
    part : Target or None
        The part of it that is measured; unusual targets are logged.
    stages : sequence of Stage
    fields : mapping of str to ndarray, optional
        Registers that are set before.
    """
    for sentence in unusual(part) if part is not None else ():
        _log.WARN(sentence)
    bench = bench_on(connection)
    bench.set(**(fields or {}))
    with translated():
        found = run_stages(bench, whole, stages, 0)
    warn_of_failures(found)
    return found


def warn_of_failures(found: Calibration) -> None:
    """Log which neurons missed a target, as upstream does, and how many elements of each field."""
    if not found.failures():
        return
    missed = np.flatnonzero(~found.reached())
    if len(missed):
        _log.WARN(f"Calib failed for {len(missed)} neurons: {missed}")
    fields = ", ".join(f"{count} of {name}" for name, count in found.failures().items())
    _log.WARN(f"Targets out of reach: {fields}. These elements hold the nearest code; expect imperfect results there.")
