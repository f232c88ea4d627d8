"""Errors of this front end: members of Neckar's tree that are also the types upstream or PyNN raises."""

from __future__ import annotations

import pyNN.errors

from neckar.errors import CapacityError, ConfigurationError, NeckarError, UnknownNameError


class CircuitOverflowError(ConfigurationError, OverflowError):
    """A neuron permutation names a circuit beyond the chip."""


class CircuitTypeError(ConfigurationError, TypeError):
    """A neuron permutation names a negative circuit or something that is no number."""


class NoFreeCircuitError(CapacityError, ValueError):
    """A population does not fit on the circuits that are left."""


class RunStateError(NeckarError, RuntimeError):
    """A call comes at the wrong time."""


class UnknownVariableError(UnknownNameError, RuntimeError):
    """A variable that the cell type cannot record."""


class ArgumentTypeError(ConfigurationError, TypeError):
    """An argument that cannot be understood."""


class CellIndexError(ConfigurationError, IndexError):
    """A cell or connection that does not exist."""


class NoDataError(NeckarError, IndexError):
    """Data that was asked for before anything was executed."""


class UnknownObservableError(UnknownNameError, RuntimeError):
    """An observable that a plasticity rule does not have."""


class SharedRuleError(ConfigurationError, RuntimeError):
    """Plasticity rules of one identity that are not the same."""


class ObservableTypeError(ConfigurationError, TypeError):
    """An observable of another kind than asked for."""


class ShapeTypeError(ConfigurationError, TypeError):
    """A description of a neuron's shape that cannot be read."""


class UnknownCompartmentError(UnknownNameError):
    """A compartment that a neuron does not have."""


class PoissonRateError(ConfigurationError, RuntimeError):
    """A rate that the generators on the chip do not reach."""


class UncalibratedError(NeckarError, AttributeError):
    """A calibration was asked for that was not made."""


class MissingCalibrationError(NeckarError, RuntimeError):
    """There is no calibration for the chip of a connection."""


class FixedRuleError(ConfigurationError, RuntimeError):
    """A plasticity rule that belongs to its synapse type and cannot be replaced."""


class LocationError(ConfigurationError, RuntimeError):
    """A recording location on a neuron that has only one."""


class WeightSignError(ConfigurationError, pyNN.errors.ConnectionError):
    """A weight has the wrong sign for its receptor."""


class MissingFileError(ConfigurationError, FileNotFoundError):
    """A file that is to be read does not exist."""
