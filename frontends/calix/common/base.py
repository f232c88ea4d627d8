"""What all calibrations share: connections, targets and results, and the frame for searches of one's own.

A :class:`Calib` says how codes are set and what is measured, an :class:`Algorithm` (:mod:`calix.common.algorithms`) chooses the codes. They are for scripts
that search something else; Neckar's own calibration is not built on them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calix._connection import StatefulConnection, StatefulConnectionInit, handle_of
from calix._results import CalibResult
from calix._targets import CalibOptions, CalibTarget, TopLevelCalibTarget
from calix.common.boundary_check import check_range_boundaries
from calix.common.parameter_range import ParameterRange
from dlens_vx_v3 import hal, halco, logger, sta
from neckar.errors import ConfigurationError, ParameterRangeError

__all__ = [
    "Algorithm",
    "Calib",
    "CalibOptions",
    "CalibResult",
    "CalibTarget",
    "ParameterCalibResult",
    "ParameterRange",
    "StatefulConnection",
    "StatefulConnectionInit",
    "TopLevelCalibTarget",
    "WriteRecordingPlaybackProgramBuilder",
    "check_values",
    "run",
]


class MissingTargetError(ConfigurationError, TypeError):
    """A search without a target."""


class WriteRecordingPlaybackProgramBuilder:
    """A program in the making that remembers what it writes.

    Attributes
    ----------
    builder : sta.PlaybackProgramBuilder
        The whole program.
    dumper : sta.PlaybackProgramBuilderDumper
        What was written, by earlier parts.
    cocos : dict of coordinate to container
        What was written since.
    """

    def __init__(self) -> None:
        self.builder = sta.PlaybackProgramBuilder()
        self.dumper = sta.PlaybackProgramBuilderDumper()
        self.cocos: dict[Any, Any] = {}

    def write(self, coord: Any, config: Any, backend: Any = None) -> None:
        """Append a write, over a way of its own if there is a `backend`."""
        self.builder.write(coord, config, *(() if backend is None else (backend,)))
        self.cocos[coord] = config

    def read(self, coord: Any, backend: Any = None) -> Any:
        """Append a read and return its ticket."""
        return self.builder.read(coord, *(() if backend is None else (backend,)))

    def block_until(self, coord: Any, config: Any) -> None:
        """Append a wait."""
        self.builder.block_until(coord, config)

    def merge_back(self, other: WriteRecordingPlaybackProgramBuilder) -> None:
        """Append what `other` holds and empty it."""
        self.builder.merge_back(other.builder)
        self.dumper.merge_back(other.dumper)
        self.cocos |= other.cocos
        other.cocos = {}

    def copy_back(self, other: WriteRecordingPlaybackProgramBuilder) -> None:
        """Append what `other` holds."""
        self.builder.copy_back(other.builder)
        self.dumper.copy_back(other.dumper)
        self.cocos |= other.cocos

    def done(self, update_dumper: bool = True) -> tuple[Any, Any]:
        """Return the program and the record of its writes, and empty both."""
        if update_dumper:
            for coord, config in self.cocos.items():
                self.dumper.write(coord, config)
        self.cocos = {}
        return self.builder.done(), self.dumper.done()

    def empty(self) -> bool:
        """Return whether nothing was appended."""
        return bool(self.builder.empty() and self.dumper.empty())


def run(connection: Any, builder: Any) -> Any:
    """Execute a program, to the end of which a barrier is added, and return it: its spikes and samples, and the tickets of its reads, are filled.

    Parameters
    ----------
    connection : StatefulConnection or hxcomm.ConnectionHandle
    builder : WriteRecordingPlaybackProgramBuilder or sta.PlaybackProgramBuilder
        Is emptied.
    """
    builder.block_until(halco.BarrierOnFPGA(), hal.Barrier.omnibus)
    done = builder.done()
    program = done[0] if isinstance(done, tuple) else done
    sta.run(handle_of(connection), program)
    return program


def check_values(name: str, value: Any, feasible_range: ParameterRange) -> None:
    """Log a warning if values, None among them left out, lie outside a range in which circuits reach them well."""
    if value is None:
        return
    given = [one for one in np.ravel(np.asarray(value, object)) if one is not None] if not hasattr(value, "rescale") else np.ravel(value)
    if any(one < feasible_range.lower or one > feasible_range.upper for one in given):
        log = logger.get("calix.common.base.check_values")
        log.WARN(f"Parameter {name} was chosen at {value}, outside the usual range of {feasible_range}. Expect imperfect results.")


@dataclass
class ParameterCalibResult:
    """What a search of one parameter found.

    Attributes
    ----------
    calibrated_parameters : ndarray of int, shape (instance,)
    success : ndarray of bool, shape (instance,)
    """

    calibrated_parameters: NDArray[Any]
    success: NDArray[np.bool_]


class Calib(ABC):
    """What is searched: derive from it and give :meth:`configure_parameters` and :meth:`measure_results`.

    Parameters
    ----------
    parameter_range : ParameterRange
    n_instances : int
        How many circuits are searched at once.
    inverted : bool
        Whether results fall with the parameter.
    errors : sequence of two str, optional
        Warnings for instances at the lower and the upper end: ``{0}`` is replaced by which, ``{1}`` by the end.

    Attributes
    ----------
    target : number or ndarray or None
    result : ParameterCalibResult or None
        After :meth:`run`.

    Raises
    ------
    ParameterRangeError
        If the range holds a single value.
    """

    def __init__(self, parameter_range: ParameterRange, n_instances: int, inverted: bool = False, errors: Sequence[str] | None = None) -> None:
        if parameter_range.upper - parameter_range.lower < 1:
            raise ParameterRangeError(f"the range {tuple(parameter_range)} leaves no choice; allowed are at least two values. Widen it.")
        self.parameter_range, self.n_instances, self.inverted = parameter_range, n_instances, inverted
        self.errors: list[str] | None = None if errors is None else list(errors)
        self.target: Any = None
        self.result: ParameterCalibResult | None = None

    def prelude(self, connection: Any) -> None:  # noqa: B027  # optional
        """Prepare the chip, and perhaps find the target; nothing by default."""

    def postlude(self, connection: Any) -> None:  # noqa: B027  # optional
        """Leave the chip in order; nothing by default."""

    @abstractmethod
    def configure_parameters(self, builder: Any, parameters: NDArray[Any]) -> Any:
        """Append the writes that set parameters, and waits, and return the builder."""

    @abstractmethod
    def measure_results(self, connection: Any, builder: Any) -> NDArray[Any]:
        """Run the builder and return one result per instance."""

    def run(self, connection: Any, algorithm: Algorithm, target: Any = None) -> ParameterCalibResult:
        """Search parameters for a target; :attr:`target` by default.

        Raises
        ------
        MissingTargetError
            If there is none; also a TypeError.
        """
        self.prelude(connection)
        if target is not None:
            self.target = target
        if self.target is None:
            raise MissingTargetError(f"{type(self).__name__}.run has no target. Pass one, or set the attribute target.")
        algorithm.hook_to_calibration(self)
        found = algorithm.run(connection, self.target)
        algorithm.unhook_from_calibration()
        errors = None if self.errors is None else [text.format("{0}", end) for text, end in zip(self.errors, self.parameter_range, strict=True)]
        checked = check_range_boundaries(found, self.parameter_range, errors)
        for message in checked.messages:
            logger.get("calix.common.base.Calib.run").WARN(message)
        self.result = ParameterCalibResult(checked.parameters, ~checked.error_mask)
        self.postlude(connection)
        return self.result


class Algorithm(ABC):
    """Chooses parameters; of use once it is hooked to a :class:`Calib`."""

    def __init__(self) -> None:
        self.calibration: Any = None

    def hook_to_calibration(self, calibration: Calib) -> None:
        """Take over what is searched."""
        self.calibration = calibration

    def unhook_from_calibration(self) -> None:
        """Forget it."""
        self.calibration = None

    @abstractmethod
    def run(self, connection: Any, target_result: Any) -> NDArray[np.int64]:
        """Return the parameters nearest to the target and leave them set on the chip."""
