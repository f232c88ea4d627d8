"""The network as the mapper sees it: populations, spike sources and projections, as plain data without coordinates.

A :class:`Network` describes one stretch of time with constant parameters. Front ends build new objects only for what changed and hand the others over
again: identity of the parts is what the mapper's caches compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import BUSES_PER_HEMISPHERE
from neckar.errors import ConfigurationError, ParameterRangeError, WeightOverflowError
from neckar.facts import check_codes, registers
from neckar.network._morphology import POINT, Morphology

Receptor = Literal["excitatory", "inhibitory"]
RECEPTORS: tuple[str, ...] = get_args(Receptor)
"""Receptors of a neuron; their position is the first axis of the mapper's demand arrays."""

Line = Receptor | Literal["signed"]
"""What a projection ends on: one receptor, or both, with the sign of the weight."""

_TABLE = registers("brainscales2")
_RANDOM_LABELS = _TABLE["background_mask"].high + 1


@dataclass(frozen=True, eq=False)
class NeuronPopulation:
    """Neurons on the chip, all of one shape.

    Parameters
    ----------
    label : str
        Name for error texts.
    size : int
        Number of neurons, at least 1.
    parameters : mapping of str to ndarray of int or bool, shape (size,) or (size, circuit)
        Codes of register fields with the axis ``circuit``, one per neuron for all its circuits or one per circuit. A missing field keeps the value of the base
        configuration.
    morphology : Morphology
        Default one circuit.
    anchors : array_like of int, shape (size,), optional
        Where the neurons have to lie: the circuit under the upper left corner of each one's shape. By default the mapper chooses.
    instance : int
        Execution instance: neurons of different instances use the chip one after the other.

    Raises
    ------
    ConfigurationError
        If an array does not hold one value per neuron or circuit, or a field belongs to the morphology.
    """

    label: str
    size: int
    parameters: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    morphology: Morphology = POINT
    anchors: NDArray[np.int64] | None = None
    instance: int = 0

    def __post_init__(self) -> None:
        _check_size(self.label, self.size)
        shapes = (self.size,), (self.size, self.morphology.size)
        for name, codes in self.parameters.items():
            if codes.shape not in shapes:
                raise ConfigurationError(
                    f"population {self.label!r}: {name} has shape {codes.shape}; allowed is one code per neuron, {shapes[0]}, or per circuit, {shapes[1]}."
                )
            if name in self.morphology.switches:
                raise ConfigurationError(f"population {self.label!r}: {name} is set twice, by its morphology and by its parameters. Leave out the parameter.")
        if self.anchors is not None and self.anchors.shape != (self.size,):
            raise ConfigurationError(f"population {self.label!r} has {len(self.anchors)} anchors; allowed is one per neuron, {self.size}.")


@dataclass(frozen=True, eq=False)
class BackgroundPopulation:
    """Spike sources in a generator on the chip, one generator for each hemisphere with targets, both with the same events.

    Parameters
    ----------
    label : str
        Name for error texts.
    size : int
        Number of sources that share the generator's events at random: a power of two up to 256; 1 for regular events.
    period : int
        Code ``background_period``.
    random : bool
        Poisson instead of regular events.
    rate, seed : int
        Codes ``background_rate`` and ``background_seed``; without effect on regular events.
    bus : int, optional
        Bus within the hemisphere, 0 to 3, to whose generator the sources belong. By default the mapper chooses.
    instance : int
        Execution instance; see :class:`NeuronPopulation`.
    record : bool
        Send the events to the host as well; see :meth:`MappedNetwork.looped`.

    Raises
    ------
    ConfigurationError
        If size or bus do not exist on the chip.
    ParameterRangeError
        If a code lies outside its range.
    """

    label: str
    size: int
    period: int
    random: bool = True
    rate: int = _TABLE["background_rate"].high
    seed: int = 0
    bus: int | None = None
    instance: int = 0
    record: bool = False

    def __post_init__(self) -> None:
        allowed = [1 << bit for bit in range(_RANDOM_LABELS.bit_length())] if self.random else [1]
        if self.size not in allowed:
            listed = ", ".join(map(str, allowed))
            kind = "random" if self.random else "regular"
            raise ConfigurationError(
                f"population {self.label!r} has {self.size} {kind} background sources; allowed are {listed}, because random low bits of the label tell them "
                "apart. Round the size up and leave the surplus sources unconnected."
            )
        for name in ("period", "rate", "seed"):
            check_codes(_TABLE[f"background_{name}"], getattr(self, name))
        if self.bus is not None and not 0 <= self.bus < BUSES_PER_HEMISPHERE:
            raise ConfigurationError(f"population {self.label!r} asks for bus {self.bus}; allowed are 0 to {BUSES_PER_HEMISPHERE - 1}, or None for any.")


@dataclass(frozen=True, eq=False)
class SourcePopulation:
    """Spike sources outside the chip.

    Parameters
    ----------
    label : str
        Name for error texts.
    size : int
        Number of sources, at least 1.
    source_ptr : ndarray of int64, shape (entry * size + 1,)
        In trial e, source i owns ``tick[source_ptr[e * size + i]:source_ptr[e * size + i + 1]]``.
    tick : ndarray of int64, shape (spike,)
        Release times in ticks of 2 ns from the beginning of the section, in any order.
    instance : int
        Execution instance; see :class:`NeuronPopulation`.
    record : bool
        Send the events back from the chip to the host; see :meth:`MappedNetwork.looped`.

    Raises
    ------
    ConfigurationError
        If `source_ptr` does not rise from 0 to the number of spikes in whole trials.
    """

    label: str
    size: int
    source_ptr: NDArray[np.int64]
    tick: NDArray[np.int64]
    instance: int = 0
    record: bool = False

    def __post_init__(self) -> None:
        _check_size(self.label, self.size)
        ptr = self.source_ptr
        if ptr.ndim != 1 or len(ptr) < 2 or (len(ptr) - 1) % self.size or ptr[0] != 0 or ptr[-1] != len(self.tick) or (np.diff(ptr) < 0).any():
            raise ConfigurationError(
                f"population {self.label!r}: source_ptr must rise from 0 to {len(self.tick)} in {self.size} steps per trial; it has shape {ptr.shape}. "
                "Build the sources with from_lists or from_entries."
            )

    @classmethod
    def from_lists(cls, label: str, trains: Sequence[NDArray[np.int64]], instance: int = 0) -> SourcePopulation:
        """Build sources from one array of ticks each."""
        return cls.from_entries(label, [trains], instance)

    @classmethod
    def from_entries(cls, label: str, entries: Sequence[Sequence[NDArray[np.int64]]], instance: int = 0) -> SourcePopulation:
        """Build sources from one array of ticks for each trial and source."""
        trains = [train for entry in entries for train in entry]
        ptr = np.zeros(len(trains) + 1, np.int64)
        np.cumsum([len(train) for train in trains], out=ptr[1:])
        tick = np.concatenate(trains).astype(np.int64) if trains else np.zeros(0, np.int64)
        return cls(label, len(entries[0]) if entries else 0, ptr, tick, instance)

    @classmethod
    def from_columns(
        cls, label: str, size: int, n_entries: int, entry: NDArray[np.int64], source: NDArray[np.int64], tick: NDArray[np.int64]
    ) -> SourcePopulation:
        """Build sources from spikes in any order: trial, source and tick, shape (spike,) each."""
        key = entry * size + source
        order = np.argsort(key, kind="stable")
        return cls(label, size, np.searchsorted(key[order], np.arange(n_entries * size + 1)).astype(np.int64), tick[order])

    @property
    def n_entries(self) -> int:
        """Number of trials."""
        return (len(self.source_ptr) - 1) // self.size

    def train(self, i: int, entry: int = 0) -> NDArray[np.int64]:
        """Return the ticks of source `i` in a trial."""
        first = entry * self.size + i
        return self.tick[self.source_ptr[first] : self.source_ptr[first + 1]]


Population = NeuronPopulation | BackgroundPopulation | SourcePopulation


def n_compartments(population: Population) -> int:
    """Return the number of compartments of each neuron, 1 for a spike source."""
    return len(population.morphology.compartments) if isinstance(population, NeuronPopulation) else 1


@dataclass(frozen=True, eq=False)
class Projection:
    """Connections of one kind between two populations; parallel connections add up.

    Parameters
    ----------
    label : str
        Name for error texts.
    pre, post : int
        Positions of the populations in :attr:`Network.populations`.
    receptor : {"excitatory", "inhibitory", "signed"}
        Line of the target neuron; the sign of the connection. Signed connections have synapses on both lines: a positive weight is that of the excitatory
        ones, a negative weight that of the inhibitory ones, and the others have weight 0.
    pre_index, post_index : ndarray of int64, shape (connection,)
        Source and target neuron within their populations.
    weight : ndarray of int64, shape (connection,)
        Sum of the weights of the synapses that realise each connection, in synapse weight units; 0 or above unless signed.
    pre_compartment, post_compartment : int
        Compartment that sends and that receives; 0 for spike sources.
    max_weight : int, optional
        Largest magnitude that the weights will ever have. Every connection then takes the synapses that this weight needs, so that weights can change
        without a new route. By default each takes what its present weight needs, at least one.

    Raises
    ------
    ConfigurationError, ParameterRangeError
        If the columns differ in length, the receptor does not exist, or a weight is negative but not signed.
    WeightOverflowError
        If a weight exceeds `max_weight`.
    """

    label: str
    pre: int
    post: int
    receptor: Line
    pre_index: NDArray[np.int64]
    post_index: NDArray[np.int64]
    weight: NDArray[np.int64]
    pre_compartment: int = 0
    post_compartment: int = 0
    max_weight: int | None = None

    def __post_init__(self) -> None:
        if self.receptor not in (*RECEPTORS, "signed"):
            raise ConfigurationError(f"projection {self.label!r}: receptor is {self.receptor!r}; allowed are {', '.join(RECEPTORS)}, signed.")
        if not self.pre_index.shape == self.post_index.shape == self.weight.shape == (len(self.weight),):
            shapes = self.pre_index.shape, self.post_index.shape, self.weight.shape
            raise ConfigurationError(f"projection {self.label!r}: columns have the shapes {shapes}; allowed is one length for all.")
        if len(self.weight) and self.weight.min() < 0 and self.receptor != "signed":
            raise ParameterRangeError(
                f"projection {self.label!r}: weight {self.weight.min()} is negative; the receptor carries the sign. Give its magnitude, or make it signed."
            )
        if self.max_weight is not None and len(self.weight) and np.abs(self.weight).max() > self.max_weight:
            i = int(np.abs(self.weight).argmax())
            raise WeightOverflowError(
                f"projection {self.label!r}: weight {self.weight[i]} of connection {i} was asked for; allowed are magnitudes up to its max_weight "
                f"{self.max_weight}, for which its synapses were counted. Raise max_weight or clip the weights."
            )

    def __len__(self) -> int:
        return len(self.weight)


@dataclass(frozen=True, eq=False)
class Network:
    """Populations in the order of their placement, and the projections between them.

    Parameters
    ----------
    populations : tuple of NeuronPopulation, BackgroundPopulation and SourcePopulation
    projections : tuple of Projection
    trials : int, optional
        Number of trials; by default that of the external sources, 1 without any.

    Raises
    ------
    ConfigurationError
        If a projection names a population, neuron or compartment that does not exist, ends in a spike source or on a compartment without the receptor, starts
        from a compartment that sends no spikes, or external sources differ in their number of trials.
    """

    populations: tuple[Population, ...] = ()
    projections: tuple[Projection, ...] = ()
    trials: int | None = None

    def __post_init__(self) -> None:
        for projection in self.projections:
            for end, indices in (("pre", projection.pre_index), ("post", projection.post_index)):
                self._check_end(projection, end, getattr(projection, end), indices, getattr(projection, f"{end}_compartment"))
            self._check_kinds(projection)
        self._check_entries()

    @property
    def n_entries(self) -> int:
        """Number of trials."""
        if self.trials is not None:
            return self.trials
        return next((population.n_entries for population in self.populations if isinstance(population, SourcePopulation)), 1)

    def site_offsets(self) -> NDArray[np.int64]:
        """Return the first *site* of each population, shape (population + 1,): sites count all spike sources and all compartments of all neurons."""
        offsets = np.zeros(len(self.populations) + 1, np.int64)
        np.cumsum([population.size * n_compartments(population) for population in self.populations], out=offsets[1:])
        return offsets

    def _check_end(self, projection: Projection, end: str, number: int, indices: NDArray[np.int64], compartment: int) -> None:
        if not 0 <= number < len(self.populations):
            raise ConfigurationError(f"projection {projection.label!r}: {end} is population {number}; there are {len(self.populations)}.")
        population = self.populations[number]
        if len(indices) and not (indices.min() >= 0 and indices.max() < population.size):
            bad = indices[(indices < 0) | (indices >= population.size)][0]
            raise ConfigurationError(
                f"projection {projection.label!r}: {end} neuron {bad} does not exist; the population has neurons 0 to {population.size - 1}."
            )
        if not 0 <= compartment < n_compartments(population):
            raise ConfigurationError(
                f"projection {projection.label!r}: {end} is compartment {compartment} of population {population.label!r}; allowed are 0 to "
                f"{n_compartments(population) - 1}."
            )

    def _check_kinds(self, projection: Projection) -> None:
        """Refuse ends that cannot send or receive."""
        pre, post = self.populations[projection.pre], self.populations[projection.post]
        if not isinstance(post, NeuronPopulation):
            raise ConfigurationError(f"projection {projection.label!r} ends in a spike source; only neurons have synapses. Exchange pre and post.")
        target = post.morphology.compartments[projection.post_compartment]
        for receptor in RECEPTORS if projection.receptor == "signed" else (projection.receptor,):
            if not target.offering(receptor):
                offered = [name for name in RECEPTORS if target.offering(name)]
                raise ConfigurationError(
                    f"projection {projection.label!r}: the {receptor} receptor of compartment {target.label!r} of population {post.label!r} was asked for; its "
                    f"circuits offer {' and '.join(offered) or 'none'}. Choose another compartment or receptor, or add the receptor to a circuit."
                )
        if isinstance(pre, NeuronPopulation) and pre.morphology.compartments[projection.pre_compartment].spike_master is None:
            masters = [compartment.label for compartment in pre.morphology.compartments if compartment.spike_master is not None]
            raise ConfigurationError(
                f"projection {projection.label!r} starts from compartment {pre.morphology.compartments[projection.pre_compartment].label!r} of population "
                f"{pre.label!r}, which has no spike master and sends no spikes; allowed are {', '.join(masters) or 'none of its compartments'}. Choose another "
                "compartment or make one of its circuits the spike master."
            )

    def _check_entries(self) -> None:
        """Refuse external sources with different numbers of trials."""
        for population in self.populations:
            if isinstance(population, SourcePopulation) and population.n_entries != self.n_entries:
                raise ConfigurationError(
                    f"unequal batch sizes: population {population.label!r} has {population.n_entries} entries, the network {self.n_entries}; allowed is one "
                    "number for all external sources. Repeat or add trials."
                )


def _check_size(label: str, size: int) -> None:
    if size < 1:
        raise ConfigurationError(f"population {label!r} has size {size}; allowed is at least 1.")
