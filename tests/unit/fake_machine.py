"""A machine for tests of the lab: instant, pure, and its spikes depend on everything that a result may depend on.

It stands in for ``neckar.chip.machine``. :class:`FakeEffects` carries it into worker processes: unpickling one installs the fake there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import multiprocessing
import os
import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.lab import ENVIRONMENT, _execute
from neckar.program import CALIBRATION_LABEL, Cost, EnergyRange, Losses, MachineState, Program, Provenance, Recording, Snippet, Spikes

MODULE = "neckar.chip.machine"


@dataclass(frozen=True)
class FakeEffects(Effects):
    """All effects, and the order to use the fake machine."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _install, (dataclasses.asdict(self),)


class Chip:
    """Gives ten spikes at ticks drawn from chip, effects, run seed and number of programs before."""

    def __init__(self, specimen: Specimen, effects: Effects, instruments: str = "silicon", step_us: float | None = None) -> None:
        self.specimen, self.effects, self.instruments, self.step_us = specimen, effects, instruments, step_us

    def run(self, program: Program, state: MachineState | None = None, progress: object = None) -> tuple[Recording, MachineState]:
        if program.labels.get("do") == "fail":
            raise ValueError("this program fails")
        if program.labels.get("do") == "interrupt":
            raise KeyboardInterrupt
        if program.labels.get("do") == "die" and multiprocessing.parent_process() is not None:
            os._exit(1)
        runs = state.runs if state is not None else 0
        key = repr((self.specimen.id, self.effects.as_dict(), self.instruments, program.run_seed, runs))
        rng = np.random.default_rng(list(hashlib.sha256(key.encode()).digest()))
        spikes = Spikes.from_columns(np.zeros(10, np.int64), rng.integers(0, program.duration, 10), rng.integers(0, 512, 10), 1)
        return _recording(self, program, spikes), MachineState(machine="brainscales2", runs=runs + 1)


def run_each(chips: Sequence[Chip], program: Program, seeds: Sequence[tuple[int, int]], tracer: object = None) -> Iterator[Recording]:
    """Yield the recordings of a program on several chips."""
    for chip, seed in zip(chips, seeds, strict=True):
        yield chip.run(program.seeded(*seed))[0]


def program(duration: int = 5000, **labels: str) -> Program:
    """Return a short program; ``do="fail"`` and ``do="interrupt"`` make the fake raise, ``do="die"`` ends the worker process."""
    return Program(machine="brainscales2", snippets=(Snippet(duration),), labels=labels)


def module() -> types.ModuleType:
    """Return the stand-in for ``neckar.chip.machine``."""
    made = types.ModuleType(MODULE)
    made.Chip, made.run_each = Chip, run_each  # type: ignore[attr-defined]
    return made


def recording_of(program: Program, spikes: list[tuple[int, int, int]]) -> Recording:
    """Return a recording with given spikes (entry, tick, circuit)."""
    columns = np.array(sorted(spikes), np.int64).reshape(-1, 3).T
    return _recording(Chip(Specimen.reference(), Effects()), program, Spikes.from_columns(*columns, program.n_entries))


def _install(effects: dict[str, bool]) -> FakeEffects:
    sys.modules.setdefault(MODULE, module())
    return FakeEffects(**effects)


def _recording(chip: Chip, program: Program, spikes: Spikes) -> Recording:
    specimen = chip.specimen
    provenance = Provenance(
        neckar="0",
        model_version="0",
        chip={
            "id": specimen.id,
            "seed": specimen.seed,
            "statistics_version": specimen.statistics_version,
            "age_h": specimen.age_h,
            "overrides": specimen.overrides_digest,
        },
        effects=chip.effects.as_dict(),
        instruments=chip.instruments,
        run_seed=program.run_seed or (0, 0),
        step_ticks=((chip.step_us or 0.5) * 500,),
        active_circuits=(),
        calibration=program.labels.get(CALIBRATION_LABEL),
        environment={"python": "3"},
    )
    return Recording(
        machine="brainscales2",
        duration=program.duration,
        spikes=spikes,
        losses=Losses(sent={"chip_to_fpga": 12}, delivered={"chip_to_fpga": 10}, lost={("link_loss", "chip_to_fpga"): 2}),
        cost=Cost(hardware_s=1e-5, configuration_s=0.1, transfer_s=0.0, energy_j=EnergyRange(2e-6, 7e-6)),
        chip_ticks=program.duration,
        provenance=provenance,
    )


def in_an_empty_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    """Replace the machine, clear the environment, and work in a folder, until the fixture that yields from this ends."""
    monkeypatch.setitem(sys.modules, MODULE, module())
    for variable in (*ENVIRONMENT.values(), "MPLBACKEND"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(folder)
    _execute._machine.cache_clear()
    yield
    _execute._machine.cache_clear()
