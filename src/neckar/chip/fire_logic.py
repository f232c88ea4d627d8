"""The logic between neurons: who fires with whom, and which post pulses reach the correlation sensors of each column.

Every neuron has a refractory state, high from its spike to the end of its refractory period, and a fire line. A line carries

    enable_master            the neuron's own refractory state,
    connect_fire_vertical    what the line of the other row in the column carries (either neuron's switch ties the two lines),
    connect_fire_to_right    instead of its own, what the line of the left neighbour carries, within a half of the chip,

and nothing otherwise. From state and line the neuron's logic makes pulses::

    local       whenever the neuron fires
    AND         whenever state and line become high together
    XNOR        whenever they become equal after having differed
    MULLER_C    whenever both have become high, once until both have been low

With ``to_post_pulse`` these are the post pulses of the neuron's column; without, each rise of its line is one. With ``post_overwrite`` none reach it.
Edges at the same tick act together. Sources: haldls ``neuron.h`` (NeuronBackendConfig), lola ``v3/neuron.h`` (Bayesian).

A neuron with ``enable_slave`` follows the masters on its line: each rise of it is a fire input of the neuron's backend, beside its own comparator and however
strong its analog output is. It fires at the tick of the rise, for its own reset and refractory period, and all that a spike does happens: adaptation pulse,
count, event, state, post pulse. A rise while it is refractory does nothing, then or later. Followers do not make chains: a follower's own state reaches a line
only where its masters' do, too, or where nothing else does, so it can lengthen a line's high state and never make it rise.

Not modelled: delays of lines and gates, the length of pulses. Events and spike counter do not depend on the operation; upstream's text says that it "affects
the spike output" too, but not how. ``connect_fire_from_right`` has no function on silicon.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from neckar.chip.config import ChipConfig
from neckar.chip.coordinates import COLUMNS, COLUMNS_PER_BACKEND
from neckar.facts import AXES

CIRCUITS = AXES["circuit"]
LOCAL, AND, XNOR, MULLER_C = range(4)
LONG_AGO = -(1 << 62)

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
NOTHING = np.empty(0, np.int64)


def _wires(config: ChipConfig) -> tuple[Bools, Bools]:
    """Return in which columns the two fire lines are tied, shape (column,), and which lines the left neighbour drives, shape (row, column)."""
    inner = np.arange(CIRCUITS) % COLUMNS_PER_BACKEND < COLUMNS_PER_BACKEND - 1
    driven = np.zeros(CIRCUITS, np.bool_)
    driven[1:] = (config.bayesian_connect_fire_to_right.astype(np.bool_) & inner)[:-1]
    tied = config.bayesian_connect_fire_vertical.astype(np.bool_).reshape(2, COLUMNS).any(axis=0)
    return np.asarray(tied), driven.reshape(2, COLUMNS)


def _spread(line: Bools, columns: Ints, tied: Bools, driven: Bools) -> None:
    """Let what masters put on their lines, shape (..., row, column), spread over some columns, ascending."""
    for column in columns:  # ascending, so a left neighbour is known
        over = driven[:, column]
        if over.any() and tied[column]:
            line[..., column] = line[..., over, column - 1].any(axis=-1, keepdims=True)
        else:
            line[..., over, column] = line[..., over, column - 1]
            if tied[column]:
                line[..., column] = line[..., column].any(axis=-1, keepdims=True)


def followed(config: ChipConfig) -> tuple[Ints, Ints]:
    """Return masters, and the circuits that fire with them: those with ``enable_slave`` whose line carries the master's state. Shape (pair,) each."""
    slaves, masters = (np.flatnonzero(config[f"bayesian_enable_{kind}"]) for kind in ("slave", "master"))
    if not len(slaves) or not len(masters):
        return NOTHING, NOTHING
    line = (np.arange(CIRCUITS) == masters[:, None]).reshape(-1, 2, COLUMNS)
    _spread(line, np.arange(COLUMNS), *_wires(config))
    pair = np.nonzero(line.reshape(-1, CIRCUITS)[:, slaves])
    return masters[pair[0]], slaves[pair[1]]


class FireLogic:
    """Turns spikes into post pulses. Without any logic in use it passes them on.

    The refractory states are low at the start, and when a configuration begins to use the logic: a neuron reset makes no pulses.
    """

    def __init__(self) -> None:
        self._ends = np.full(CIRCUITS, LONG_AGO, np.int64)  # of the refractory states
        self._latch = np.zeros(CIRCUITS, np.bool_)
        self._later = NOTHING, NOTHING  # spikes that have not been worked off
        self._now = LONG_AGO + 1
        off, on = np.zeros(CIRCUITS, np.bool_), np.ones(CIRCUITS, np.bool_)
        self._plain, self._heard, self._direct, self._master = on, on, on, off
        self._operation, self._refractory = np.zeros(CIRCUITS, np.int64), np.zeros(CIRCUITS, np.int64)
        self._tied: Bools = np.zeros(COLUMNS, np.bool_)
        self._driven: Bools = np.zeros((2, COLUMNS), np.bool_)
        self._nodes, self._before = NOTHING, (off[:0], off[:0])

    def configure(self, config: ChipConfig, refractory_ticks: Ints) -> None:
        """Take over a configuration; `refractory_ticks` (circuit,) is how long each refractory state lasts. Everything before must have been worked off."""
        operation = config.bayesian_operation.astype(np.int64)
        self._heard = ~config.event_routing_enable_post_overwrite.astype(np.bool_)
        self._direct = config.bayesian_to_post_pulse.astype(np.bool_)
        self._plain = self._direct & (operation == LOCAL)
        self._operation, self._refractory = operation, refractory_ticks
        self._master = config.bayesian_enable_master.astype(np.bool_)
        self._tied, self._driven = _wires(config)
        self._nodes = self._involved() if not self._plain.all() else NOTHING
        self._before = self._levels(self._ends > self._now) if len(self._nodes) else (np.zeros(0, np.bool_),) * 2

    def fork(self) -> Self:
        """Return a copy of this moment."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._ends, twin._latch = self._ends.copy(), self._latch.copy()
        return twin

    def pulses(self, tick: Ints, circuit: Ints, until: int) -> tuple[Ints, Ints]:
        """Return ticks and circuits of the post pulses that follow from these spikes, in no particular order.

        All spikes before tick `until` must be known now; pulses of neurons that use the logic come when they are certain, others at once.
        """
        heard = self._plain[circuit] & self._heard[circuit]
        own = tick[heard], circuit[heard]
        if not len(self._nodes):
            self._now = max(self._now, until)
            return own
        ticks, circuits = self._work_off(np.concatenate([self._later[0], tick]), np.concatenate([self._later[1], circuit]), until)
        made = self._heard[circuits]
        return np.concatenate([own[0], ticks[made]]), np.concatenate([own[1], circuits[made]])

    def _involved(self) -> Ints:
        """Return the circuits that use the logic, and all in columns from which lines may lead to them."""
        columns = np.unique(np.flatnonzero(~self._plain) % COLUMNS)
        reached = set(columns.tolist())
        for column in sorted(reached, reverse=True):
            while self._driven[:, column].any():
                column -= 1
                reached.add(column)
        inside = np.array(sorted(reached))
        return np.concatenate([inside, inside + COLUMNS])

    def _levels(self, high: Bools) -> tuple[Bools, Bools]:
        """Return refractory state and line of the nodes; `high` (circuit,) are all states."""
        state = high.reshape(2, COLUMNS)
        line = state & self._master.reshape(2, COLUMNS)
        _spread(line, self._nodes[: len(self._nodes) // 2], self._tied, self._driven)
        return high[self._nodes], line.reshape(-1)[self._nodes]

    def _work_off(self, tick: Ints, circuit: Ints, until: int) -> tuple[Ints, Ints]:
        """Go from edge to edge up to tick `until`."""
        due = tick < until
        self._later = tick[~due], circuit[~due]
        order = np.argsort(tick[due], kind="stable")
        tick, circuit = tick[due][order], circuit[due][order]
        found: list[tuple[int, Ints]] = []
        k = 0
        while True:
            now = min(int(self._ends[self._ends >= self._now].min(initial=until)), int(tick[k]) if k < len(tick) else until)
            if now >= until:
                break
            while k < len(tick) and tick[k] == now:
                self._ends[circuit[k]] = now + self._refractory[circuit[k]]
                k += 1
            self._now = now + 1
            pulse = self._edge(self._ends > now)
            if pulse.any():
                found.append((now, self._nodes[pulse]))
        self._now = max(self._now, until)
        if not found:
            return NOTHING, NOTHING
        return np.repeat([t for t, _ in found], [len(c) for _, c in found]), np.concatenate([c for _, c in found])

    def _edge(self, high: Bools) -> Bools:
        """Take over the states after an edge; return which nodes make a pulse."""
        (was, line_was), (state, line) = self._before, self._levels(high)
        self._before = state, line
        nodes = self._nodes
        latch = np.where(state & line, True, np.where(state | line, self._latch[nodes], False))
        rises = (
            np.zeros(len(nodes), np.bool_),
            state & line & ~(was & line_was),
            (was ^ line_was) & ~(state ^ line),
            latch & ~self._latch[nodes],
        )
        self._latch[nodes] = latch
        logic = np.choose(self._operation[nodes], rises)
        return np.where(self._direct[nodes], logic, line & ~line_was) & ~self._plain[nodes]
