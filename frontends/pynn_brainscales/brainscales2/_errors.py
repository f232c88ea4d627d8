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


class LocationError(ConfigurationError, RuntimeError):
    """A recording location on a neuron that has only one."""


class WeightSignError(ConfigurationError, pyNN.errors.ConnectionError):
    """A weight has the wrong sign for its receptor."""
