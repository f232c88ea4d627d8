"""The measuring bench: sets codes on a chip, runs programs on it, and returns what its instruments show.

The chip is on the far side of :class:`Chip`, which takes a Program and gives a Recording, such as a :class:`neckar.lab.Session`. The bench knows nothing else
of it: no lines, no mismatch, no seed. The time that silicon would take is added up from the recordings' cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.calibration.settings import whole_fields
from neckar.errors import ConfigurationError
from neckar.facts import AXES, registers
from neckar.program import TICKS_PER_US, CadcRecord, Events, Program, Provenance, Record, Recording, Snippet, TimedRead

TABLE = registers("brainscales2")
CIRCUITS = tuple(range(AXES["circuit"]))

_AFTER_LAST = 2 * TICKS_PER_US


class Chip(Protocol):
    """A chip whose registers survive from program to program."""

    def run(self, program: Program) -> Recording:
        """Run a program on the chip as the last one left it."""


class Bench:
    """One chip under measurement.

    Parameters
    ----------
    chip : Chip
        After a reset.

    Attributes
    ----------
    codes : dict of str to ndarray
        Whole fields that were set so far; stages share nothing else.
    sent : dict of str to ndarray
        Whole fields as the last program left them on the chip.
    chip_s : float
        Time that the programs so far take on silicon, s: configuration with the settling of analog cells, hardware and transfer.
    programs : int
        Programs so far.
    provenance : Provenance or None
        Of the last recording.
    """

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self.codes: dict[str, NDArray[Any]] = {}
        self.sent: dict[str, NDArray[Any]] = {}
        self.chip_s = 0.0
        self.programs = 0
        self.provenance: Provenance | None = None

    def set(self, **codes: ArrayLike) -> None:
        """Set fields from the next program on, each value broadcast to the shape of its field."""
        self.codes |= whole_fields(codes)

    @contextmanager
    def changed(self, **codes: ArrayLike) -> Iterator[None]:
        """Set fields for the programs inside the block only; fields that were not set before return to their default."""
        before = {name: self.codes.get(name) for name in codes}
        self.set(**codes)
        try:
            yield
        finally:
            for name, array in before.items():
                del self.codes[name]
                if array is not None:
                    self.codes[name] = array

    def write(self) -> None:
        """Write what was set since the last program."""
        self.run((snippet(_AFTER_LAST),))

    def converter(self, trials: int = 1) -> NDArray[np.int64]:
        """Return readings of each channel of the CADC on the debug line, one for each trial, shape (trial, hemisphere, cadc_channel, column)."""
        reads = (TimedRead(name="cadc", at="before", field="cadc_debug"),)
        return self.run((snippet(_AFTER_LAST),), reads=reads, entries=Events.empty(trials)).reads["cadc"].astype(np.int64)

    def membranes(self, at_us: ArrayLike, entries: Events | None = None, neuron_reset: bool = False) -> NDArray[np.int64]:
        """Return readings of all membranes by the causal channels of the CADC.

        Parameters
        ----------
        at_us : array_like, shape (sample,)
            Times after the start of each trial, us, ascending; on silicon at least 1.7 us apart.
        entries : Events, optional
            Input of each trial, which begins at rest; ``Events.empty(n)`` for n trials without. By default one trial without.
        neuron_reset : bool
            Reset all neurons 4 us before the start. Otherwise they have rested for long.

        Returns
        -------
        ndarray, shape (trial, sample, circuit)

        Raises
        ------
        ConfigurationError
            As :meth:`rows`.
        """
        ticks = ticks_of(np.atleast_1d(at_us))
        return self.rows(ticks, (snippet(ticks[-1] + _AFTER_LAST),), Events.empty(1) if entries is None else entries, neuron_reset=neuron_reset)

    def relaxations(self, at_us: ArrayLike, on_us: float, off_us: float, current: int, trials: int) -> NDArray[np.int64]:
        """Return readings of all membranes before, during and after a constant current.

        Parameters
        ----------
        at_us : array_like, shape (sample,)
            As of :meth:`membranes`.
        on_us, off_us : float
            When the current is switched on and off, us.
        current : int
            Its code, LSB.
        trials : int
            How often, each from rest.

        Returns
        -------
        ndarray, shape (trial, sample, circuit)

        Raises
        ------
        ConfigurationError
            As :meth:`rows`.
        """
        ticks, (on, off) = ticks_of(at_us), ticks_of((on_us, off_us)).tolist()
        flows = [np.full(len(CIRCUITS), state) for state in (True, False)]
        pieces = (
            snippet(on),
            *(snippet(n, constant_current_enable=flow) for n, flow in zip((off - on, max(int(ticks[-1]) - off, 0) + _AFTER_LAST), flows, strict=True)),
        )
        with self.changed(constant_current_i_offset=current, constant_current_enable=False):
            return self.rows(ticks, pieces, Events.empty(trials))

    def rows(
        self, ticks: NDArray[np.int64], snippets: tuple[Snippet, ...], entries: Events, source: Literal["membrane", "exc_synin"] = "membrane", **parts: Any
    ) -> NDArray[np.int64]:
        """Return readings of a voltage of all circuits at ticks of each trial, shape (trial, sample, circuit).

        Raises
        ------
        ConfigurationError
            If rows were lost, so that nothing can be said about the circuits.
        """
        record = Record(spikes=(), cadc=(CadcRecord(circuits=CIRCUITS, source=source, ticks=ticks),))
        recording = self.run(snippets, record=record, entries=entries, **parts)
        trials = entries.n_entries
        values = np.zeros((trials, len(ticks), len(CIRCUITS)), np.int64)
        for samples in recording.cadc:
            if len(samples.tick) != trials * len(ticks):
                raise ConfigurationError(f"{len(samples.tick)} of {trials * len(ticks)} rows of the CADC came back. Ask for fewer, or less often.")
            values[:, :, list(samples.circuits)] = samples.value.reshape(trials, len(ticks), -1)
        return values

    def run(self, snippets: tuple[Snippet, ...], **parts: Any) -> Recording:
        """Run a program; registers that differ from what the chip holds are written before.

        Parameters
        ----------
        snippets : tuple of Snippet
            Fields that they change return to what was set here with the next program.
        **parts
            Other parts of the Program; nothing is recorded by default.
        """
        wanted = {**{name: TABLE[name].default_array() for name in self.sent}, **self.codes}
        news = {name: array for name, array in wanted.items() if name not in self.sent or not np.array_equal(self.sent[name], array)}
        parts.setdefault("record", Record(spikes=()))
        program = Program(machine="brainscales2", config=news, snippets=snippets, **parts)
        recording = self._chip.run(program)
        self.sent = {**wanted, **{name: array for snippet in snippets for name, array in snippet.config.items()}}
        cost = recording.cost
        self.chip_s += cost.hardware_s + cost.configuration_s + cost.transfer_s
        self.programs += 1
        self.provenance = recording.provenance
        return recording


def ticks_of(us: ArrayLike) -> NDArray[np.int64]:
    """Return times in ticks."""
    return np.rint(np.asarray(us, np.float64) * TICKS_PER_US).astype(np.int64)


def snippet(ticks: int, **codes: NDArray[Any]) -> Snippet:
    """Return a snippet of so many ticks that begins by setting whole fields."""
    return Snippet(int(ticks), codes)
