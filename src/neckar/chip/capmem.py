"""The analog parameter memory (CapMem): what its cells hold beside the codes that were written.

A cell is a capacitor that a voltage ramp recharges while the chip runs. A write ends at a slightly different value each time, which then stays until the
next write of this cell. Cells of a row that share one value are recharged at the same moment of the ramp and disturb each other.

Two effects, on the codes and in their unit:

* *write jitter* (effect ``noise``): every write adds a normal deviation with a standard deviation of 0.5 LSB. It is keyed by chip, run seed and the write
  within the run, and frozen until the next write of the cell, across programs: :class:`neckar.program.MachineState` carries it. A chip after a reset has
  all its cells written by the first program.
* *crosstalk* (effect ``crosstalk``): a cell that shares its code with n others of its row, the same parameter of all circuits, lies 8 n / 512 LSB low.
  A function of the codes alone; rows of the shared cells have none.

A cell at code 0 is off and has neither. Both numbers are our estimates.

Not modelled: settling. Silicon needs about 20 ms after a write, 100 ms after a write of all cells; here a value is there at once, and
:mod:`neckar.chip.cost` counts the time. No cell loses charge between two refreshes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.specimen import keyed_normals_of
from neckar.chip.transfer import Config
from neckar.facts import AXES, CAPMEM_REFRESH_DISABLED, registers
from neckar.facts import brainscales2 as facts

CELLS = {name: row for name, row in registers("brainscales2").items() if row.kind.startswith("capmem") and not row.passive}
"""Fields of the cells that a model reads."""

Jitter = Mapping[str, NDArray[np.float32]]


class CapMem:
    """The cells of one chip. Never changed: a write returns new cells.

    Parameters
    ----------
    effects : Effects
        Noise and crosstalk act.
    chip_seed : int
        Seed of the specimen.
    jitter : mapping of str to ndarray, float32
        Deviation of the last write, LSB, by field and in the field's shape; a field that is missing has none.
    """

    def __init__(self, effects: Effects, chip_seed: int, jitter: Jitter | None = None) -> None:
        self.effects, self._chip_seed = effects, chip_seed
        self.jitter: Jitter = jitter or {}

    def written(self, fields: Iterable[str], config: ChipConfig, *key: str | int) -> CapMem:
        """Return the cells after a write of whole fields to the codes in `config`; `key` names the write within the run and holds the run seed."""
        return self._with(_drawn(_used(fields, config), [(self._chip_seed, *key)])[0]) if self.effects.noise else self

    def written_at(self, field: str, index: tuple[int | slice, ...], *key: str | int) -> CapMem:
        """Return the cells after a write of a part of one field, indexed as numpy does."""
        if field not in CELLS or not self.effects.noise:
            return self
        jitter = self.jitter[field].copy() if field in self.jitter else np.zeros(CELLS[field].shape, np.float32)
        jitter[index] = _drawn([field], [(self._chip_seed, *key)])[0][field][index]
        return self._with({field: _read_only(jitter)})

    def values(self, config: ChipConfig) -> Config:
        """Return the configuration with what the cells really hold: real numbers in LSB instead of codes, computed when they are asked for."""
        return _Values(self, config) if self.jitter or self.effects.crosstalk else config

    def value(self, field: str, codes: NDArray[Any]) -> NDArray[Any]:
        """Return what the cells of a field hold, LSB."""
        disturbed = self.effects.crosstalk and CELLS[field].axes == ("circuit",)
        if field not in self.jitter and not disturbed:
            return codes
        value = codes + self.jitter.get(field, np.float32(0)).astype(np.float64)
        if disturbed:
            others = np.bincount(codes, minlength=CAPMEM_REFRESH_DISABLED + 1)[codes] - 1
            value -= facts.CAPMEM_CROSSTALK.value * others / AXES["circuit"]
        return np.where((codes == 0) | (codes == CAPMEM_REFRESH_DISABLED), codes, np.maximum(value, 0.0))

    def __eq__(self, other: object) -> bool:
        """Compare by identity of the arrays, which is what cells share that nobody wrote in between."""
        if self is other:
            return True
        if not isinstance(other, CapMem):
            return NotImplemented
        same = self.jitter.keys() == other.jitter.keys() and all(values is other.jitter[name] for name, values in self.jitter.items())
        return same and (self.effects, self._chip_seed) == (other.effects, other._chip_seed)

    __hash__ = None  # type: ignore[assignment]

    def _with(self, jitter: Jitter) -> CapMem:
        return CapMem(self.effects, self._chip_seed, {**self.jitter, **jitter})


def _used(fields: Iterable[str], config: ChipConfig) -> list[str]:
    """Return the fields of cells that are not all off; those that are have no jitter anyway."""
    return [name for name in fields if name in CELLS and config[name].any()]


def _drawn(fields: Sequence[str], keys: Sequence[tuple[str | int, ...]], pieces: NDArray[np.int64] | None = None) -> list[Jitter]:
    """Return the jitter of some fields for each of some keys; with `pieces`, of cells of circuits only in these pieces."""
    found: list[dict[str, NDArray[np.float32]]] = [{} for _ in keys]
    for size in {CELLS[name].size for name in fields}:
        alike = [name for name in fields if CELLS[name].size == size]
        drawn = pieces if size == AXES["circuit"] else None
        variates = keyed_normals_of(size, [("capmem", *key, name) for key in keys for name in alike], drawn)
        values = _read_only((facts.CAPMEM_JITTER.value * variates).astype(np.float32)).reshape(len(keys), len(alike), size)
        for jitter, rows in zip(found, values, strict=True):
            jitter.update((name, row.reshape(CELLS[name].shape)) for name, row in zip(alike, rows, strict=True))
    return [{name: jitter[name] for name in fields} for jitter in found]


def cells_of(
    chip_seeds: Sequence[int],
    effects: Effects,
    config: ChipConfig,
    keys: Sequence[tuple[str | int, ...]],
    pieces: NDArray[np.int64] | None = None,
) -> tuple[list[CapMem], Config]:
    """Return the cells of several chips after a reset and a write of all to the codes in `config`, as :meth:`CapMem.written` does, and what they hold.

    In what they hold, the chips' axis comes before those of a field; a field that is alike on all chips lacks it. With `pieces`, cells of other circuits
    have no jitter, but for those of the synaptic time constants.
    """
    if not effects.noise:
        return [CapMem(effects, seed) for seed in chip_seeds], CapMem(effects, 0).values(config)
    fields, streams = _used(CELLS, config), [(seed, *key) for seed, key in zip(chip_seeds, keys, strict=True)]
    everywhere = [name for name in fields if name.endswith("_input_i_bias_tau")]
    of_pieces = _drawn([name for name in fields if name not in everywhere], streams, pieces)
    jitter = [{**some, **others} for some, others in zip(of_pieces, _drawn(everywhere, streams), strict=True)]
    together = CapMem(effects, 0, {name: np.stack([one[name] for one in jitter]) for name in jitter[0]})
    return [CapMem(effects, seed, one) for seed, one in zip(chip_seeds, jitter, strict=True)], together.values(config)


class _Values(Mapping[str, NDArray[Any]]):
    """A configuration whose analog parameter cells are real numbers."""

    def __init__(self, cells: CapMem, config: ChipConfig) -> None:
        self._cells, self.codes = cells, config

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._cells.value(name, self.codes[name]) if name in CELLS else self.codes[name]

    def __contains__(self, name: object) -> bool:
        return name in self.codes

    def __iter__(self) -> Iterator[str]:
        return iter(self.codes)

    def __len__(self) -> int:
        return len(self.codes)


def _read_only(array: NDArray[np.float32]) -> NDArray[np.float32]:
    array.flags.writeable = False
    return array
