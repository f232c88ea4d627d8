"""The front end's end of a lab session: sections down, recordings up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlens_vx_v3.hxcomm import choice
from neckar.facts import AXES
from neckar.network import MappedNetwork, Section, build_program, split_madc
from neckar.program import CALIBRATION_LABEL, TICK_S, PlasticityTask, Program, Recording
from pynn_brainscales.brainscales2._injection import Accesses
from pynn_brainscales.brainscales2.recording_data import ADCData

MS_PER_TICK = TICK_S * 1e3

NO_ACCESSES = Accesses()

Fields = Mapping[str, NDArray[Any]]

_WRITTEN_BY_RULES = ("synapse_weight", "synapse_label")
_LABELS = {"front_end": "pynn_brainscales.brainscales2"}


class ChipSession:
    """Executes sections in one session of a lab.

    The first program holds the whole configuration, later ones only the fields that differ from what the chip holds. Programs that would be equal to
    those of the previous execution are sent again without being built.

    Parameters
    ----------
    lab : neckar.lab.Lab
        Where the session is opened, at the first execution.
    session : neckar.lab.Session, optional
        An open session that belongs to the user and is not closed here; what its chip holds is not known.

    Attributes
    ----------
    calibration : str or None
        Id of the calibration that the configuration starts from.
    """

    def __init__(self, lab: Any, session: Any = None) -> None:
        self.calibration: str | None = None
        self._lab = lab
        self._session: Any = session
        self._lent = session is not None
        self._held: Fields | None = None
        self._asked: list[Section] = []
        self._passes: list[list[Section]] = []
        self._programs: dict[int, tuple[Fields | None, Program]] = {}

    def execute(self, sections: list[Section], accesses: Accesses = NO_ACCESSES, plasticity: tuple[PlasticityTask, ...] = ()) -> list[Recording]:
        """Execute sections back to back, as often as the instruments need, and return one recording per execution.

        Plasticity rules run in each of them.

        Raises
        ------
        UnsupportedFeatureError
            If the environment asks for a chip elsewhere.
        """
        if self._session is None:
            choice()
            self._session = self._lab.session()
        if accesses or plasticity or sections != self._asked:  # sections compare by identity
            self._passes, self._programs = _passes(sections, self._lab.instruments), {}
            self._asked = [] if accesses or plasticity else sections
        recordings = []
        for i, part in enumerate(self._passes):
            if accesses.forces_static:
                self._held = None
            program = self._program(i, part, accesses, plasticity)
            recordings.append(self._session.run(program))
            held, written = part[-1].mapped.codes, {write.field for write in accesses.writes}.union(_WRITTEN_BY_RULES if plasticity else ())
            self._held = {name: codes for name, codes in held.items() if name not in written} if written else held
        return recordings

    def close(self) -> None:
        """Close the session, if one was opened here."""
        if self._session is not None and not self._lent:
            self._session.close()
        self._session = self._held = None

    def _program(self, i: int, sections: list[Section], accesses: Accesses, plasticity: tuple[PlasticityTask, ...]) -> Program:
        """Return the program of execution `i`."""
        held, program = self._programs.get(i, (None, None))
        if program is None or held is not self._held:
            program = build_program(
                sections,
                held=self._held,
                writes=accesses.writes,
                reads=accesses.reads,
                events=accesses.events,
                neuron_reset=accesses.neuron_reset,
                plasticity=plasticity,
                labels=_LABELS if self.calibration is None else {**_LABELS, CALIBRATION_LABEL: self.calibration},
            )
            self._programs[i] = self._held, program
        return program


def _passes(sections: list[Section], instruments: Any) -> list[list[Section]]:
    """Distribute recordings over executions."""
    records = split_madc([section.record for section in sections], instruments)
    if len(records) == 1:
        return [sections]
    return [[replace(section, record=record) for section, record in zip(sections, part, strict=True)] for part in records]


class SectionReadout:
    """What the recordings of all executions hold of one section.

    Parameters
    ----------
    recordings : sequence of Recording
        One per execution; each circuit occurs in one of them only.
    begin, end : int or None
        Ticks of the section; None for the end takes all that follows.
    begin_ms : float
        Begin of the section in milliseconds.
    """

    def __init__(self, recordings: Sequence[Recording], begin: int, end: int | None, begin_ms: float) -> None:
        self._recordings, self._begin, self._end, self._begin_ms = recordings, begin, end, begin_ms
        parts = [self._window(*recording.spikes.entry(0)) for recording in recordings]
        circuit = np.concatenate([part[1] for part in parts])
        order = np.argsort(circuit, kind="stable")
        self._first = np.searchsorted(circuit[order], np.arange(AXES["circuit"] + 1)).tolist()
        self._spike_ms = self._ms(np.concatenate([part[0] for part in parts])[order])

    def spikes_of(self, circuit: int) -> NDArray[np.float64]:
        """Return the spike times of a circuit in milliseconds."""
        return self._spike_ms[self._first[circuit] : self._first[circuit + 1]]

    def madc_of(self, circuit: int, source: str) -> ADCData:
        """Return the MADC samples of a circuit, empty if it was not recorded."""
        for recording in self._recordings:
            for samples in recording.madc:
                if samples.circuit == circuit and samples.source == source:
                    tick, value = self._window(*samples.entry(0))
                    return ADCData(self._ms(tick).astype(np.float32), value.astype(np.float32))
        return ADCData(np.zeros(0, np.float32), np.zeros(0, np.float32))

    def cadc_of(self, circuit: int, source: str) -> ADCData:
        """Return the CADC samples of a circuit, empty if it was not recorded."""
        for recording in self._recordings:
            for samples in recording.cadc:
                if circuit in samples.circuits and samples.source == source:
                    tick, value = self._window(*samples.entry(0))
                    return ADCData(self._ms(tick).astype(np.float32), value[:, samples.circuits.index(circuit)].astype(np.float32))
        return ADCData(np.zeros(0, np.float32), np.zeros(0, np.float32))

    def events_of(self, mapped: MappedNetwork, population: int) -> list[NDArray[np.float64]]:
        """Return when the host got back the events of recorded sources, milliseconds, one array per source."""
        sources = mapped.looped(self._recordings[0], population)
        trains = [np.sort(sources.train(i)) for i in range(sources.size)]
        return [self._ms(self._window(train, train)[0]) for train in trains]

    def _window(self, tick: NDArray[np.int64], second: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return the part of two columns that lies in the section."""
        start = int(np.searchsorted(tick, self._begin))
        stop = len(tick) if self._end is None else int(np.searchsorted(tick, self._end))
        return tick[start:stop], second[start:stop]

    def _ms(self, tick: NDArray[np.int64]) -> NDArray[np.float64]:
        return self._begin_ms + (tick - self._begin).astype(np.float64) * MS_PER_TICK


def origin_of(recordings: Iterable[Recording]) -> dict[str, Any]:
    """Return how recordings of one run came about, as annotations of neo objects: texts, numbers and lists of numbers."""
    made = [recording.provenance for recording in recordings]
    first = made[0]
    named = {
        "neckar_version": first.neckar,
        "neckar_model_version": first.model_version,
        "neckar_virtual_chip": first.chip["id"],
        "neckar_effects": ", ".join(name for name, on in first.effects.items() if on) or "none (ideal)",
        "neckar_instruments": first.instruments,
        "neckar_lab_seed": first.run_seed[0],
        "neckar_run_numbers": [provenance.run_seed[1] for provenance in made],
    }
    calibrations = dict.fromkeys(provenance.calibration for provenance in made if provenance.calibration is not None)
    return {**named, "neckar_calibration": "; ".join(calibrations)} if calibrations else named


def merged_origin(origins: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the annotations of several runs: all their numbers, and of the others what the runs have in common."""
    merged = {key: value for key, value in origins[-1].items() if all(origin.get(key) == value for origin in origins)}
    return {**merged, "neckar_run_numbers": [number for origin in origins for number in origin.get("neckar_run_numbers", ())]}
