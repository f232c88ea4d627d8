"""When the CADC reads: the readout loop of the plasticity processors, its limits, and what may read at the same time.

On silicon each hemisphere's processor reads its row in a loop, stamps it and stores it in a memory at the FPGA. A pass takes what the conversion and the
store take, about 2 us into the small memory (SRAM, 100 rows in a run) and 6 us into the large one (DRAM, 204,800 rows), or the period that was asked for if
that is longer. The two processors run by themselves: the duration of a pass scatters, and the stamps of a hemisphere are off by a constant of up to 1 us that
differs from run to run. The loop is called before the section begins, so its first rows take memory and are dropped. Source: grenade (electronicvisions),
realtime executor and ``ppu_program_generator.cpp``; libnux ``test_speed_memory.cpp``.

Rows at given ticks are commanded one by one and come at these ticks. With open instruments every row comes exactly when it was asked for, and none is dropped.

Not modelled: the 100 us between the two hemispheres when the FPGA reads the channels itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.chip.cadc import COUNTS
from neckar.chip.coordinates import hemisphere_of
from neckar.chip.routing import HEMISPHERES
from neckar.chip.specimen import keyed_uniforms
from neckar.chip.transfer import Config
from neckar.errors import ConfigurationError
from neckar.facts import brainscales2 as facts
from neckar.facts import registers
from neckar.program import CadcRecord, PlasticityTask, Program, Record, seconds, ticks

Ticks = NDArray[np.int64]

PPU_CYCLE = round(facts.LINK_CLOCK.value / facts.PPU_CLOCK.value)
"""Ticks in a cycle of a plasticity processor, 2."""


@dataclass(frozen=True)
class Rows:
    """Rows of one hemisphere in one window of time.

    Attributes
    ----------
    tick, stamp : ndarray of int64, shape (row,)
        When they are converted, and what the processor's clock says.
    full, outside : int
        Rows that were dropped: for lack of memory, and because they were not converted during the run.
    """

    tick: Ticks
    stamp: Ticks
    full: int = 0
    outside: int = 0


def conversion_cycles(config: Config, hemisphere: int) -> int:
    """Return the processor cycles that a conversion takes; a field that a mapping lacks has its default."""
    wait, dead = (
        int(np.asarray(config[name] if name in config else registers("brainscales2")[name].default_array())[hemisphere])
        for name in ("cadc_reset_wait", "cadc_dead_time")
    )
    return wait + COUNTS + dead


def shortest_period(config: Config, hemisphere: int) -> int:
    """Return the fewest ticks between two rows."""
    return PPU_CYCLE * (conversion_cycles(config, hemisphere) + int(facts.CADC_READ_OVERHEAD.value))


@dataclass(frozen=True, eq=False)
class Target:
    """One record on one hemisphere: what one :class:`~neckar.program.CadcSamples` holds.

    Attributes
    ----------
    record : CadcRecord
    hemisphere : int
    circuits : tuple of int
        Those of the record's circuits that lie in the hemisphere, in the record's order.
    windows : list of (int, int)
        When it is read, ticks; ascending, disjoint.
    """

    record: CadcRecord
    hemisphere: int
    circuits: tuple[int, ...]
    windows: list[tuple[int, int]]


def targets_of(windows: Sequence[tuple[Record, int, int]]) -> list[Target]:
    """Return what is read, from the records that hold in some windows of time."""
    found: list[Target] = []
    for record, a, b in windows:
        for cadc in record.cadc:
            for h in hemispheres_of(cadc):
                known = next((t for t in found if t.hemisphere == h and t.record == cadc), None)
                if known is None:
                    known = Target(cadc, h, tuple(int(c) for c in np.asarray(cadc.circuits)[hemisphere_of(cadc.circuits) == h]), [])
                    found.append(known)
                known.windows.append((a, b))
    return found


def hemispheres_of(record: CadcRecord) -> list[int]:
    """Return the hemispheres that a record reads."""
    return [] if len(record.circuits) == 0 else [int(h) for h in np.unique(hemisphere_of(record.circuits))]


def check_cadc(program: Program, config: Config) -> None:
    """Check what a program asks of the converter against the limits of the real one.

    Parameters
    ----------
    program : Program
    config : ChipConfig or mapping of register arrays
        Before tick 0.

    Raises
    ------
    ConfigurationError
        If rows follow each other too fast, a hemisphere is to be read in two rhythms, two instruments see different signals of one circuit, or a plasticity
        task runs on the processor that reads.
    """
    named = [("record", program.record)] + [(f"snippets[{k}].record", s.record) for k, s in enumerate(program.snippets) if s.record is not None]
    for where, record in named:
        for h in range(HEMISPHERES):
            mine = [(i, cadc) for i, cadc in enumerate(record.cadc) if h in hemispheres_of(cadc)]
            _check_rhythm(where, h, mine, shortest_period(config, h))
            _check_tasks(where, h, mine, program.plasticity)
        _check_sources(where, record)


def _check_rhythm(where: str, hemisphere: int, records: Sequence[tuple[int, CadcRecord]], shortest: int) -> None:
    """Check that all records of a hemisphere share one rhythm that the loop can keep."""
    for i, record in records:
        first = records[0][1]
        if not _same_rhythm(record, first):
            raise ConfigurationError(
                f"{where}.cadc[{records[0][0]}] and [{i}] read hemisphere {hemisphere} with different periods, ticks or memories; its processor has one loop. "
                'Give both the same, record in two runs, or choose instruments="open".'
            )
        distance = record.period if record.period is not None else int(np.diff(np.asarray(record.ticks)).min(initial=2**62))
        if distance < shortest:
            raise ConfigurationError(
                f"{where}.cadc[{i}] asks for rows {seconds(distance) * 1e6:g} us apart; hemisphere {hemisphere} takes at least {seconds(shortest) * 1e6:g} us "
                'for one. Read less often, record with the MADC, or choose instruments="open".'
            )


def _check_tasks(where: str, hemisphere: int, records: Sequence[tuple[int, CadcRecord]], tasks: Sequence[PlasticityTask]) -> None:
    """Check that no plasticity task needs the processor that reads."""
    for task in tasks if records else ():
        if hemisphere in task.hemispheres:
            raise ConfigurationError(
                f"{where}.cadc[{records[0][0]}] reads hemisphere {hemisphere}, on whose processor the plasticity task {task.name!r} runs; it does one of "
                'the two. Read in the task itself, record with the MADC, or choose instruments="open".'
            )


def _check_sources(where: str, record: Record) -> None:
    """Check that all instruments see the same signal of a circuit."""
    asked: dict[int, tuple[str, str]] = {}
    uses = [(c.circuit, c.source, f"madc[{i}]") for i, c in enumerate(record.madc) if not c.is_external]
    uses += [(circuit, cadc.source, f"cadc[{i}]") for i, cadc in enumerate(record.cadc) for circuit in cadc.circuits]
    for circuit, source, who in uses:
        other, before = asked.setdefault(circuit, (source, who))
        if other != source:
            raise ConfigurationError(
                f"{where}.{before} asks for {other} and {who} for {source} of circuit {circuit}; its readout passes one signal. "
                'Ask for the same, record in two runs, or choose instruments="open".'
            )


def _same_rhythm(one: CadcRecord, other: CadcRecord) -> bool:
    return (one.period, one.memory) == (other.period, other.memory) and np.array_equal(_at(one), _at(other))


def _at(record: CadcRecord) -> Ticks:
    return np.empty(0, np.int64) if record.ticks is None else record.ticks


def _grid(record: CadcRecord, begin: int, end: int) -> Ticks:
    """Return the ticks that a record asks for in a window."""
    if record.period is None:
        return _at(record)[slice(*np.searchsorted(_at(record), (begin, end)))]
    return np.arange(-(-begin // record.period), -(-end // record.period), dtype=np.int64) * record.period


def silicon_rows(targets: Sequence[Target], config: Config, duration: int, key: tuple[Any, ...] | None) -> list[Rows]:
    """Return the rows of each target in one entry, as the readout loops of the two hemispheres deliver them.

    Parameters
    ----------
    targets : sequence of Target
        Those of a hemisphere have one rhythm in each window, see :func:`check_cadc`.
    config : ChipConfig or mapping of register arrays
        Before tick 0.
    duration : int
        Length of the entry, ticks.
    key : tuple, optional
        Names the entry's streams of random numbers; None: no scatter.
    """
    parts: dict[int, list[Rows]] = {i: [] for i in range(len(targets))}
    for h in range(HEMISPHERES):
        at: dict[tuple[int, int], list[int]] = {}
        for i, target in enumerate(targets):
            if target.hemisphere == h:
                for window in target.windows:
                    at.setdefault(window, []).append(i)
        loop = ReadoutLoop(conversion_cycles(config, h), duration, None if key is None else (*key, h))
        for group in _uninterrupted(sorted(at), [targets[at[window][0]].record for window in sorted(at)]):
            for window, rows in zip(group, loop.read(targets[at[group[0]][0]].record, group), strict=True):
                for i in at[window]:
                    parts[i].append(rows)
    return [_joined(parts[i]) for i in range(len(targets))]


def exact_rows(target: Target) -> Rows:
    """Return the rows of a target where instruments have no limits: exactly those that were asked for."""
    return _joined([Rows(grid, grid) for grid in (_grid(target.record, a, b) for a, b in target.windows)])


def _uninterrupted(windows: Sequence[tuple[int, int]], records: Sequence[CadcRecord]) -> list[list[tuple[int, int]]]:
    """Return groups of windows during which the loop runs on: without a gap, and in the same rhythm."""
    groups = [[window] for window in windows[:1]]
    for (k, before), now in zip(enumerate(windows), windows[1:], strict=False):
        if before[1] == now[0] and _same_rhythm(records[k], records[k + 1]):
            groups[-1].append(now)
        else:
            groups.append([now])
    return groups


def _joined(parts: Sequence[Rows]) -> Rows:
    return Rows(np.concatenate([p.tick for p in parts]), np.concatenate([p.stamp for p in parts]), sum(p.full for p in parts), sum(p.outside for p in parts))


class ReadoutLoop:
    """The readout loop of one hemisphere during one entry, on silicon.

    Parameters
    ----------
    cycles : int
        Processor cycles of a conversion.
    duration : int
        Length of the entry, ticks.
    key : tuple, optional
        Names the streams of random numbers; None: every pass takes the same time, and the clocks agree.
    """

    def __init__(self, cycles: int, duration: int, key: tuple[Any, ...] | None) -> None:
        self._cycles, self._duration, self._key = cycles, duration, key
        self._stored = 0
        span = int(ticks(facts.CADC_CLOCK_OFFSET.value))
        self._shift = 0 if key is None else round(float(keyed_uniforms(1, "cadc clock", *key)[0] * 2 - 1) * span)

    def read(self, record: CadcRecord, windows: Sequence[tuple[int, int]]) -> list[Rows]:
        """Return the rows in each of some windows that follow each other without a gap, read in the rhythm of `record`."""
        begin, end = windows[0][0], windows[-1][1]
        asked = self._passes(record, begin, end) if record.period is not None else _grid(record, begin, end)
        shift = self._shift if record.period is not None else 0
        kept = self._stored + np.arange(len(asked)) < facts.CADC_ROWS[record.memory].value
        self._stored += len(asked)
        return [self._window(asked, kept, shift, a, b) for a, b in windows]

    def _window(self, stamp: Ticks, kept: NDArray[np.bool_], shift: int, begin: int, end: int) -> Rows:
        inside = (stamp >= begin) & (stamp < end)
        tick = stamp + shift
        converted = (tick >= 0) & (tick < self._duration)
        good = inside & converted & kept
        stamps = stamp[good] // facts.FPGA_CLOCK_TICKS * facts.FPGA_CLOCK_TICKS
        return Rows(tick[good], stamps, full=int((inside & converted & ~kept).sum()), outside=int((inside & ~converted).sum()))

    def _passes(self, record: CadcRecord, begin: int, end: int) -> Ticks:
        """Return the stamps of all passes of the loop, called before `begin`, until `end`."""
        lead, jitter = int(ticks(facts.CADC_LEAD.value)), int(facts.CADC_LOOP_JITTER.value)
        cycles = self._cycles + round(facts.CADC_STORE[record.memory].value * facts.PPU_CLOCK.value)
        asked = -(-int(record.period or 0) // PPU_CYCLE)
        n = -(-(end - begin + lead) // (PPU_CYCLE * max(cycles - jitter, asked))) + 1
        passes = np.full(n, cycles, np.int64)
        if self._key is not None:
            passes += np.floor(keyed_uniforms(n, "cadc loop", *self._key, begin) * (2 * jitter + 1)).astype(np.int64) - jitter
        stamps = begin - lead + PPU_CYCLE * (np.cumsum(np.maximum(passes, asked)) - max(int(passes[0]), asked))
        return stamps[stamps < end]
