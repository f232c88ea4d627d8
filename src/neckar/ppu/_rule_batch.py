"""A rule in Python on many chips at once, without the chips: sweeps over codes, and tests of a rule, need none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.errors import ProgramError
from neckar.ppu._evaluate import Evaluator, Numbers
from neckar.ppu._exchange import COLUMNS, ROWS
from neckar.ppu._fit import check_fit
from neckar.ppu._recipe import parse
from neckar.ppu._rows import Generator, Row
from neckar.ppu._rule_processor import state_arrays
from neckar.program import PlasticityTask

HEMISPHERES = 2


class RuleBatch:
    """The task of a rule in Python on so many chips; each invocation is one pass over arrays, for all chips together.

    Time, timers and the analog circuits are not part of it: what the rule reads is what the arrays hold when :meth:`invoke` is called, as in the mode
    "instant", and both processors work, top first.

    Parameters
    ----------
    task : PlasticityTask
        In Python.
    chips : int
    random : array_like of uint16, shape (chip, hemisphere, 256), optional
        State of the random generators, not zero; 1 to 256 in each chip if not given.

    Attributes
    ----------
    weights, labels : ndarray of uint8, shape (chip, hemisphere, row, column)
        0 to 63; changed by the rule.
    causal, acausal : ndarray of uint8, shape (chip, hemisphere, row, column)
        What the CADC reads of the correlation sensors.
    sensors_reset : ndarray of bool, shape (hemisphere, row, column)
        Which sensors the rule has emptied; :attr:`causal` and :attr:`acausal` stay.
    counts : ndarray of uint8, shape (chip, hemisphere, column)
        Spike counters, 255 after an overflow; 0 after the rule has reset them.
    membranes : ndarray of uint8, shape (chip, hemisphere, column)
        What the CADC reads of the membranes.

    Raises
    ------
    RuleError, ProgramError
        If the task is not in Python, or its rule does not fit its views.
    """

    def __init__(self, task: PlasticityTask, chips: int, random: ArrayLike | None = None) -> None:
        if task.language != "python":
            raise ProgramError(f"a batch of the plasticity task {task.name!r} was asked for, which is in C++; allowed are rules in Python. Run it on chips.")
        check_fit(task)
        planes = (chips, HEMISPHERES, ROWS, COLUMNS)
        self.weights, self.labels, self.causal, self.acausal = (np.zeros(planes, np.uint8) for _ in range(4))
        self.sensors_reset = np.zeros(planes[1:], bool)
        self.counts, self.membranes = (np.zeros((chips, HEMISPHERES, COLUMNS), np.uint8) for _ in range(2))
        states = np.broadcast_to(np.arange(1, COLUMNS + 1, dtype=np.uint16) if random is None else np.asarray(random, np.uint16), (chips, HEMISPHERES, COLUMNS))
        recipe = parse(task.kernel)
        self._sides = []
        for h in range(HEMISPHERES):
            evaluator = Evaluator(recipe, task.views, task.neurons, task.observables, h, state_arrays(recipe, chips), Generator(states[:, h]))
            self._sides.append(_Side(self, h, evaluator))
        self._task, self._chips = task, chips

    def invoke(self) -> dict[str, NDArray[Any]]:
        """Carry out the rule once on both processors of all chips.

        Returns
        -------
        dict
            The observables: arrays, shape (chip, element); of each view ``<name>.<view>``, shape (chip, row, column) of synapses, (chip, column) of neurons.
        """
        found: dict[str, NDArray[Any]] = {}
        for name, observable in sorted(self._task.observables.items()):
            whole = observable.layout == "complete_rows"
            if isinstance(observable.shape, int):
                found[name] = np.zeros((self._chips, observable.shape), observable.type)
            elif observable.shape == "synapse":
                shapes = [(len(view.rows), COLUMNS if whole else len(view.columns)) for view in self._task.views]
                found |= {f"{name}.{k}": np.zeros((self._chips, *shape), observable.type) for k, shape in enumerate(shapes)}
            else:
                lengths = [COLUMNS if whole else len(view.columns) for view in self._task.neurons]
                found |= {f"{name}.{k}": np.zeros((self._chips, length), observable.type) for k, length in enumerate(lengths)}
        for side in self._sides:
            side.records = found
            side.evaluator.invoke(side, 0.0, timed=False)
        return found


class _Side:
    """One processor of all chips (:class:`neckar.ppu._evaluate.Side`)."""

    def __init__(self, batch: RuleBatch, hemisphere: int, evaluator: Evaluator) -> None:
        self._batch, self._hemisphere, self.evaluator = batch, hemisphere, evaluator
        self.records: dict[str, NDArray[Any]] = {}

    def read(self, plane: str, rows: Numbers) -> Row:
        return self._plane(plane)[:, rows]

    def _plane(self, plane: str) -> NDArray[np.uint8]:
        planes: NDArray[np.uint8] = getattr(self._batch, plane)
        return planes[:, self._hemisphere]

    def write(self, plane: str, rows: Numbers, columns: Numbers, values: Row, cycles: NDArray[np.float64]) -> None:
        now = self._plane(plane)
        part = np.broadcast_to(values & np.uint8(0x3F), (len(now), len(rows), COLUMNS))
        if len(columns) == COLUMNS:
            now[:, rows] = part
        else:
            now[:, rows[:, None], columns] = part[..., columns]

    def sense(self, which: int, rows: Numbers) -> Row:
        return self._plane(("causal", "acausal")[which])[:, rows]

    def reset_sensors(self, rows: Numbers, columns: Numbers, cycles: NDArray[np.float64]) -> None:
        self._batch.sensors_reset[self._hemisphere, rows[:, None], columns] = True

    def count(self, hemisphere: int, columns: Numbers, reset: bool) -> Row:
        found = np.zeros((len(self._batch.counts), 1, COLUMNS), np.uint8)
        found[:, 0, columns] = self._batch.counts[:, hemisphere, columns]
        if reset:
            self._batch.counts[:, hemisphere, columns] = 0
        return found

    def read_neurons(self) -> Row:
        return self._plane("membranes")[:, None].copy()

    def record(self, name: str, view: int | None, place: Numbers, values: Row) -> None:
        if view is None:
            self.records[name][:, place] = values[:, 0]
            return
        part, stored = self.records[f"{name}.{view}"], self.evaluator.recorded(name, view, place, values)
        if len(place):
            part[:, place] = stored
        else:
            part[...] = stored[:, 0]
