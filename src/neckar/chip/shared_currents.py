"""What the open probe sees where circuits share or connect their membranes: the current between circuits, and the exponential current of a shared membrane.

A membrane that circuits share has one potential, so the currents of all its circuits charge all their capacitances alike. What a circuit's own currents bring
more or less than its capacitance takes flows through the switches from or to the others; what conductances bring to the membrane is divided in the same
way::

    C dv/dt  =  sum of own currents + i_icc
    i_icc    =  (C / sum of C) (sum of all currents of the membrane + sum of g (v' - v)) - sum of own currents

Not among the currents: noise, rails, and the charge that flows when a switch closes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neckar.chip.probe import LEAVES, OWN_CURRENTS, resets, signal
from neckar.dynamics import Neuron

SIGNALS = ("i_exp", "i_icc")
"""Signals of a circuit that depend on others."""


def shared_currents(names: Sequence[str], dense: NDArray[np.float32], neuron: Neuron) -> list[NDArray[np.float32]]:
    """Return those of `SIGNALS` for all circuits of a neuron, A, each of shape (member, sample).

    `dense` is the engine's dense output, shape (member, sample, 5), as :func:`neckar.chip.probe.signal` takes it.
    """
    p, m = neuron.parameters, neuron.membranes
    first, of, members = m.ptr[:-1], m.of_member, np.arange(len(neuron.circuits))
    lowest = replace(p, v_threshold=np.minimum.reduceat(p.v_threshold, first)[of])
    resting = np.logical_or.reduceat(resets(dense, p, members), first)[of]  # a reset stops the exponential currents of the whole membrane
    found = {"i_exp": np.where(resting, np.float32(0.0), signal("i_exp", dense, lowest, members))}
    if "i_icc" in names:
        own = found["i_exp"].astype(np.float64)
        for name in OWN_CURRENTS:
            if name != "i_exp":
                own += (-1.0 if name in LEAVES else 1.0) * signal(name, dense, p, members)
        into = np.add.reduceat(own, first) - m.laplacian(np.arange(len(m))) @ dense[first, :, 0].astype(np.float64)
        found["i_icc"] = ((p.capacitance / m.capacitance(p)[of])[:, np.newaxis] * into[of] - own).astype(np.float32)
    return [found[name] for name in names]
