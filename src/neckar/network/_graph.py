"""The network as the mapper sees it: populations, external sources and projections, as plain data without coordinates.

A :class:`Network` describes one stretch of time with constant parameters. Front ends build new objects only for what changed and hand the others over
again: identity of the parts is what the mapper's caches compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neckar.errors import ConfigurationError, ParameterRangeError

Receptor = Literal["excitatory", "inhibitory"]
RECEPTORS: tuple[str, ...] = get_args(Receptor)
"""Receptors of a neuron; their position is the first axis of the mapper's demand arrays."""


@dataclass(frozen=True, eq=False)
class NeuronPopulation:
    """Neurons on the chip, one circuit each.

    Parameters
    ----------
    label : str
        Name for error texts.
    size : int
        Number of neurons, at least 1.
    parameters : mapping of str to ndarray of int or bool, shape (size,)
        Codes of register fields with the axis ``circuit``. A missing field keeps the value of the base configuration.

    Raises
    ------
    ConfigurationError
        If an array does not hold one value per neuron.
    """

    label: str
    size: int
    parameters: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_size(self.label, self.size)
        for name, codes in self.parameters.items():
            if codes.shape != (self.size,):
                raise ConfigurationError(f"population {self.label!r}: {name} has shape {codes.shape}; allowed is one code per neuron, ({self.size},).")


@dataclass(frozen=True, eq=False)
class SourcePopulation:
    """Spike sources outside the chip.

    Parameters
    ----------
    label : str
        Name for error texts.
    size : int
        Number of sources, at least 1.
    source_ptr : ndarray of int64, shape (size + 1,)
        Source i owns ``tick[source_ptr[i]:source_ptr[i + 1]]``.
    tick : ndarray of int64, shape (spike,)
        Release times in ticks of 2 ns from the beginning of the section, in any order.

    Raises
    ------
    ConfigurationError
        If `source_ptr` does not rise from 0 to the number of spikes.
    """

    label: str
    size: int
    source_ptr: NDArray[np.int64]
    tick: NDArray[np.int64]

    def __post_init__(self) -> None:
        _check_size(self.label, self.size)
        ptr = self.source_ptr
        if ptr.shape != (self.size + 1,) or ptr[0] != 0 or ptr[-1] != len(self.tick) or (np.diff(ptr) < 0).any():
            raise ConfigurationError(f"population {self.label!r}: source_ptr must rise from 0 to {len(self.tick)} in {self.size + 1} steps.")

    @classmethod
    def from_lists(cls, label: str, trains: list[NDArray[np.int64]]) -> SourcePopulation:
        """Build sources from one array of ticks each."""
        ptr = np.zeros(len(trains) + 1, np.int64)
        np.cumsum([len(train) for train in trains], out=ptr[1:])
        return cls(label, len(trains), ptr, np.concatenate(trains).astype(np.int64) if len(trains) else np.zeros(0, np.int64))

    def train(self, i: int) -> NDArray[np.int64]:
        """Return the ticks of source `i`."""
        return self.tick[self.source_ptr[i] : self.source_ptr[i + 1]]


@dataclass(frozen=True, eq=False)
class Projection:
    """Connections of one kind between two populations; parallel connections add up.

    Parameters
    ----------
    label : str
        Name for error texts.
    pre, post : int
        Positions of the populations in :attr:`Network.populations`.
    receptor : {"excitatory", "inhibitory"}
        Line of the target neuron; the sign of the connection.
    pre_index, post_index : ndarray of int64, shape (connection,)
        Source and target neuron within their populations.
    weight : ndarray of int64, shape (connection,)
        Sum of the weights of the synapses that realise each connection, 0 or above, in synapse weight units.

    Raises
    ------
    ConfigurationError, ParameterRangeError
        If the columns differ in length, the receptor does not exist, or a weight is negative.
    """

    label: str
    pre: int
    post: int
    receptor: Receptor
    pre_index: NDArray[np.int64]
    post_index: NDArray[np.int64]
    weight: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.receptor not in RECEPTORS:
            raise ConfigurationError(f"projection {self.label!r}: receptor is {self.receptor!r}; allowed are {', '.join(RECEPTORS)}.")
        if not self.pre_index.shape == self.post_index.shape == self.weight.shape == (len(self.weight),):
            shapes = self.pre_index.shape, self.post_index.shape, self.weight.shape
            raise ConfigurationError(f"projection {self.label!r}: columns have the shapes {shapes}; allowed is one length for all.")
        if len(self.weight) and self.weight.min() < 0:
            raise ParameterRangeError(f"projection {self.label!r}: weight {self.weight.min()} is negative; the receptor carries the sign. Give its magnitude.")

    def __len__(self) -> int:
        return len(self.weight)


@dataclass(frozen=True, eq=False)
class Network:
    """Populations in the order of their placement, and the projections between them.

    Parameters
    ----------
    populations : tuple of NeuronPopulation and SourcePopulation
    projections : tuple of Projection

    Raises
    ------
    ConfigurationError
        If a projection names a population or neuron that does not exist, or ends in a spike source.
    """

    populations: tuple[NeuronPopulation | SourcePopulation, ...] = ()
    projections: tuple[Projection, ...] = ()

    def __post_init__(self) -> None:
        for projection in self.projections:
            for end, indices in (("pre", projection.pre_index), ("post", projection.post_index)):
                self._check_end(projection, end, getattr(projection, end), indices)
            if not isinstance(self.populations[projection.post], NeuronPopulation):
                raise ConfigurationError(f"projection {projection.label!r} ends in a spike source; only neurons have synapses. Exchange pre and post.")

    def _check_end(self, projection: Projection, end: str, number: int, indices: NDArray[np.int64]) -> None:
        if not 0 <= number < len(self.populations):
            raise ConfigurationError(f"projection {projection.label!r}: {end} is population {number}; there are {len(self.populations)}.")
        size = self.populations[number].size
        if len(indices) and not (indices.min() >= 0 and indices.max() < size):
            bad = indices[(indices < 0) | (indices >= size)][0]
            raise ConfigurationError(f"projection {projection.label!r}: {end} neuron {bad} does not exist; the population has neurons 0 to {size - 1}.")


def _check_size(label: str, size: int) -> None:
    if size < 1:
        raise ConfigurationError(f"population {label!r} has size {size}; allowed is at least 1.")
