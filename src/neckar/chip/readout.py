"""The readout of a neuron circuit: from its signals to the potential on its readout line, which MADC and CADC convert.

A multiplexer in each circuit chooses the membrane, the adaptation voltage or one of the synaptic lines, and an amplifier drives the readout line. Three
things are not ideal. A synaptic line passes a source follower first, which lowers it; it rests at the supply and events pull it down. The multiplexer does
not block signals above 1.2 V: a membrane that high shows on the line, whatever was chosen. An amplifier without bias drives nothing, and its line stays at
0 V. Source: lola ``vx/v3/neuron.h`` (Readout); the numbers of the follower are our estimate.

Which signal an instrument sees is part of a program's record, not of the registers: every recorded circuit has its amplifier switched on, as upstream's
software does before a run.

Not modelled: bandwidth, offset and noise of the amplifier (the converters' own are larger), circuits that short each other on a shared line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import quadrant_of
from neckar.chip.transfer import Config
from neckar.facts import brainscales2 as facts
from neckar.facts import registers


@dataclass(frozen=True)
class Readout:
    """The readout circuits of a chip under one configuration.

    Attributes
    ----------
    drop : ndarray, shape (quadrant,)
        By how much the followers lower the synaptic lines, V.
    driven : ndarray of bool, shape (quadrant,)
        Whether the amplifiers have a bias.
    """

    drop: NDArray[np.float64]
    driven: NDArray[np.bool_]

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return the readout circuits of a configuration; a field that a mapping lacks has its default."""
        name = "neuron_i_bias_readout_amp"
        bias = np.asarray(config[name] if name in config else registers("brainscales2")[name].default_array(), np.float64)
        overdrive = facts.READOUT_FOLLOWER_OVERDRIVE.value * np.sqrt(bias / facts.READOUT_BIAS.value)
        return cls(facts.READOUT_FOLLOWER_THRESHOLD.value + overdrive, bias > 0)

    def potential(self, source: str, dense: NDArray[np.float32], circuits: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the potentials on the readout lines, V, shape (circuit, sample).

        Parameters
        ----------
        source : str
            One of :data:`neckar.program.SOURCES`.
        dense : ndarray, shape (circuit, sample, 5), float32
            The engine's dense output: v, w, s_exc, s_inh (V) and more.
        circuits : ndarray of int
            The circuits, 0..511.
        """
        quadrant = quadrant_of(circuits)
        line = np.float32(facts.SYNAPTIC_LINE_REST.value) - self.drop[quadrant, np.newaxis].astype(np.float32)
        inputs = {
            "membrane": dense[..., 0],
            "adaptation": dense[..., 1],
            "exc_synin": line - dense[..., 2],
            "inh_synin": line - dense[..., 3],
        }
        membrane = inputs["membrane"]
        chosen = np.where(membrane > facts.READOUT_BLOCKED_BELOW.value, membrane, inputs[source])
        return np.where(self.driven[quadrant, np.newaxis], chosen, np.float32(0))
