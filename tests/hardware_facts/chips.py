"""The chips of the acceptance tests, what runs on them, and how their numbers are judged.

A row of the table is met if the reference chip lies inside its band and at least four of five other chips inside twice the band. The other chips are the
seeds 1 to 5, chosen once and for all; they were not selected for passing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
from codes import Codes, whole
from numpy.typing import ArrayLike, NDArray

from neckar.chip.effects import Effects
from neckar.chip.machine import Chip
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import MadcTransfer
from neckar.program import TICKS_PER_US, Events, MadcChannel, Probe, Program, Record, Recording, Snippet

ALL = tuple(range(512))
SOME = tuple(range(0, 512, 8))
"""64 circuits of both rows and all quadrants."""

Floats = NDArray[np.float64]


@cache
def chip(seed: int) -> Chip:
    """Return a chip with all its imperfections, on which every circuit can be recorded at once."""
    return Chip(Specimen.from_seed(seed), Effects(), instruments="open")


SPECIMEN = chip(0)
OTHERS = tuple(chip(seed) for seed in range(1, 6))


def run(chip: Chip, codes: Codes, us: float | Sequence[tuple[float, Codes]], record: Record, **parts: Any) -> Recording:
    """Run codes, one for all circuits or one for each; `us` is a duration, or durations with the codes that change at their start.

    Only circuits whose spikes are recorded send events: 512 neurons that fire at once would lose some in the queues of the chip.
    """
    codes = {"event_routing_enable_digital": np.isin(np.arange(512), record.spikes) if record.spikes != "all" else True, **codes}
    pieces = us if isinstance(us, Sequence) else [(us, {})]
    snippets = tuple(Snippet(round(length * TICKS_PER_US), whole(change)) for length, change in pieces)
    return chip.run(Program(machine="brainscales2", config=whole(codes), snippets=snippets, record=record, **parts))[0]


def membranes(circuits: Iterable[int], spikes: Iterable[int] = ()) -> Record:
    """Return a record of membranes on the converter, and of spikes."""
    return Record(spikes=tuple(spikes), madc=tuple(MadcChannel(circuit) for circuit in circuits))


def samples(recording: Recording) -> tuple[Floats, Floats]:
    """Return times (us), shape (sample,), and readings (LSB), shape (entry, circuit, sample), of the converter."""
    first = recording.madc[0]
    n_entries = len(first.entry_ptr) - 1
    n = len(first.tick) // n_entries
    values = np.stack([s.value.astype(np.float64).reshape(n_entries, n) for s in recording.madc], axis=1)
    return first.tick[:n] / TICKS_PER_US, values


def probed(signals: Sequence[str], circuits: Sequence[int], us: float = 0.1, spikes: Iterable[int] = ()) -> Record:
    """Return a record of the open probe, and of spikes."""
    return Record(spikes=tuple(spikes), probe=(Probe(tuple(signals), tuple(circuits), round(us * TICKS_PER_US)),))  # type: ignore[arg-type]


def readings(chip: Chip, recording: Recording, entry: int = 0) -> Floats:
    """Return what the open probe saw as the chip's converter would read it, without noise: shape (signal, sample, circuit), LSB."""
    return MadcTransfer.of(chip.specimen, chip.effects).reading(recording.probe[0].value[entry])


def spike_times(recording: Recording, circuits: Iterable[int]) -> list[Floats]:
    """Return the spike times of each circuit in entry 0, us."""
    spikes = recording.spikes
    return [spikes.tick[spikes.circuit == circuit] / TICKS_PER_US for circuit in circuits]


def events(*times_us: float, label: int = 0, n_entries: int = 1) -> Events:
    """Return input events that the FPGA releases at these times, the same in each entry."""
    return Events.from_lists([[(round(t * TICKS_PER_US), label) for t in times_us]] * n_entries)


def assert_four_of_five(measure: Callable[[Chip], ArrayLike], low: ArrayLike, high: ArrayLike) -> None:
    """Measure one number, or several, on the five other chips and require that all of them lie within twice the band on at least four chips."""
    middle, half = (np.add(high, low) / 2, np.subtract(high, low) / 2)
    values = [np.asarray(measure(other), np.float64) for other in OTHERS]
    inside = [bool(np.all(np.abs(value - middle) <= 2 * half)) for value in values]
    assert sum(inside) >= 4, f"chips 1 to 5 measure {values}; inside {middle - 2 * half} to {middle + 2 * half}: {inside}"
