"""Every exception that Neckar raises.

::

    NeckarError
    |-- ConfigurationError (ValueError)
    |   |-- ParameterRangeError
    |   |   `-- WeightOverflowError (OverflowError)
    |   |-- UnknownNameError (KeyError)
    |   `-- ProgramError
    |-- UnsupportedFeatureError (NotImplementedError)
    |-- MappingError (RuntimeError)
    |   `-- CapacityError
    |       |-- PlacementError
    |       `-- UnsuccessfulRoutingError
    |-- KernelError (RuntimeError)
    |   |-- KernelSourceError
    |   |   |-- KernelCompileError
    |   |   `-- RuleError (TypeError)
    |   |       `-- RuleNameError (AttributeError)
    |   |-- KernelMemoryError (MemoryError)
    |   `-- KernelFault
    |       |-- KernelTimeout
    |       |-- KernelAccessError
    |       `-- KernelExit
    |-- MissingExtraError (ImportError)
    |-- MemoryLimitError (MemoryError)
    |-- ConservationError (RuntimeError)
    |-- CalibrationCacheError (OSError)
    `-- FileFormatError (ValueError)
        |-- CorruptFileError
        `-- SchemaVersionError

Texts say what was asked, what is allowed, where, and what to do. Front ends raise subclasses that are also upstream's types.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NeckarError(Exception):
    """Base of all errors raised by Neckar."""


class ConfigurationError(NeckarError, ValueError):
    """Something asked for does not make sense."""


class ParameterRangeError(ConfigurationError):
    """A value lies outside its range."""


class WeightOverflowError(ParameterRangeError, OverflowError):
    """A weight is larger than the synapses counted for it can hold."""


class UnknownNameError(ConfigurationError, KeyError):
    """A name that does not exist; the text lists the nearest ones."""

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0]) if self.args else ""


class ProgramError(ConfigurationError):
    """A Program or Recording contradicts itself or the machine it is meant for."""


class UnsupportedFeatureError(NeckarError, NotImplementedError):
    """Valid, but no machine of this version executes it."""


class MappingError(NeckarError, RuntimeError):
    """A network cannot be brought onto the machine."""


class CapacityError(MappingError):
    """A resource of the machine is exhausted."""


class PlacementError(CapacityError):
    """The neurons do not fit on the circuits."""


class UnsuccessfulRoutingError(CapacityError):
    """Every single demand is within its limit, and yet no assignment of buses and drivers was found."""


class KernelError(NeckarError, RuntimeError):
    """Something is wrong with a kernel of the plasticity processors; nothing of it is left running."""


class KernelSourceError(KernelError):
    """The text of a kernel is refused before it is compiled."""


class KernelCompileError(KernelSourceError):
    """The compiler or the linker refuses a kernel; the text holds their messages with the lines of the kernel."""


class RuleError(KernelSourceError, TypeError):
    """A rule in Python asks for what the processors cannot do; the text names its line."""


class RuleNameError(RuleError, AttributeError):
    """A rule in Python names something that does not exist."""


class KernelMemoryError(KernelError, MemoryError):
    """A kernel needs more memory than a processor has."""


class KernelFault(KernelError):
    """A kernel did something on its processor that stopped it."""


class KernelTimeout(KernelFault):
    """A kernel did not come to an end."""


class KernelAccessError(KernelFault):
    """A kernel reached for memory, rows or functions that are not there."""


class KernelExit(KernelFault):
    """A kernel stopped its processor with ``exit``."""


class MissingExtraError(NeckarError, ImportError):
    """A package is missing that an optional part of Neckar needs; the text names the extra that brings it."""


class MemoryLimitError(NeckarError, MemoryError):
    """A recording would not fit into memory; the text names its size in bytes."""


class ConservationError(NeckarError, RuntimeError):
    """Events vanished uncounted: a defect of Neckar, not of the experiment."""


class CalibrationCacheError(NeckarError, OSError):
    """The files of a calibration cannot be written.

    Attributes
    ----------
    calibration : Calibration or None
        What was finished and could not be written.
    """

    def __init__(self, text: str, calibration: object = None) -> None:
        super().__init__(text)
        self.calibration = calibration


class FileFormatError(NeckarError, ValueError):
    """A file is not a Neckar file."""


class CorruptFileError(FileFormatError):
    """A Neckar file is incomplete or damaged."""


class SchemaVersionError(FileFormatError):
    """A file was written with a schema this version cannot read."""


def nearest(name: str, known: Iterable[str], n: int = 3) -> str:
    """Return how a sentence about the unknown `name` ends: ``"; did you mean a, b?"`` with the nearest of the `known` names, or a full stop."""
    hits = difflib.get_close_matches(str(name), list(known), n=n, cutoff=0.5)
    return f"; did you mean {', '.join(hits)}?" if hits else "."
