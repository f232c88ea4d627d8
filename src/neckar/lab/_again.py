"""Repeating a recorded run: the machine, the seed and the steps that its provenance describes."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from neckar.errors import ConfigurationError, FileFormatError, NeckarError
from neckar.lab._lab import Lab

if TYPE_CHECKING:
    from neckar.chip.effects import Effects
    from neckar.chip.specimen import Specimen
    from neckar.program import Contents, Program, Provenance

_CHIP: Mapping[str, type | tuple[type, ...]] = {"id": str, "seed": int, "statistics_version": int, "age_h": (int, float), "overrides": str}


def again(contents: Contents, but: Collection[str] = ()) -> tuple[Lab, Program]:
    """Return a lab like that of the recording in a file, and the program with the recording's run seed: together, from the file's state, the same bits.

    Parameters
    ----------
    contents : Contents
        Without a recording, the program runs as it is, in a lab like the current one.
    but : collection of str
        Settings (``chip``, ``effects``, ``instruments``, ``seed``, ``step_us``) that are the current lab's in any case.

    Raises
    ------
    ConfigurationError
        If there is no program, or the recording's chip had overrides, which are not stored with it.
    FileFormatError
        If the provenance describes no run of a virtual chip of Neckar.
    """
    program, recording = contents.program, contents.recording
    if program is None:
        raise ConfigurationError("a file without a program cannot be run; allowed is one with a program. Write it with neckar run --record.")
    if recording is None:
        return Lab(), program
    how = recording.provenance
    _check_run(how)
    ours: dict[str, Any] = {name: give(how) for name, give in _GIVEN.items() if name not in but}
    return Lab(**ours), program if "seed" in but else dataclasses.replace(program, run_seed=how.run_seed)


def _specimen(how: Provenance) -> Specimen:
    from neckar.chip.specimen import Specimen

    chip = _fields(how.chip, "chip", _CHIP)
    if chip["overrides"]:
        raise ConfigurationError(
            f"the recording comes from virtual chip {chip['id'].removeprefix('chip-')} with overrides of its mismatch; "
            "only chips without overrides can be rebuilt from a file. Repeat it in Python with the same Specimen, and compare the recordings with ==."
        )
    try:
        return Specimen(id=chip["id"], seed=chip["seed"], statistics_version=chip["statistics_version"], age_h=chip["age_h"])
    except NeckarError as error:
        raise _not_ours("chip", str(error)) from error


def _effects(how: Provenance) -> Effects:
    from neckar.chip.effects import Effects

    return Effects(**_fields(how.effects, "effects", {field.name: bool for field in dataclasses.fields(Effects)}))


def _bound(how: Provenance) -> float:
    """Return the longest step that was taken: as a bound it gives the same steps, whatever bound was asked for."""
    from neckar.program import TICKS_PER_US

    return max(how.step_ticks) / TICKS_PER_US


_GIVEN = {"chip": _specimen, "effects": _effects, "instruments": lambda how: how.instruments, "step_us": _bound}


def _fields(given: object, name: str, kinds: Mapping[str, type | tuple[type, ...]]) -> Mapping[str, Any]:
    """Return an object of a provenance after checking that it has these keys with values of these types."""
    if not isinstance(given, Mapping):
        raise _not_ours(name, f"it is {given!r}; allowed is a JSON object.")
    for key in sorted(given.keys() ^ kinds.keys()):
        raise _not_ours(name, f"{key!r} is {'unknown' if key in given else 'missing'}; allowed are exactly {', '.join(kinds)}.")
    for key, kind in kinds.items():
        if not isinstance(given[key], kind) or (isinstance(given[key], bool) and kind is not bool):
            wanted = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
            raise _not_ours(name, f"{key!r} is {given[key]!r}; allowed is {wanted}.")
    return given


def _check_run(how: Provenance) -> None:
    """Check the rest of what a repetition needs."""
    from neckar.chip.instruments import INSTRUMENTS

    seeds = how.run_seed
    if not isinstance(seeds, tuple) or len(seeds) != 2 or not all(type(seed) is int and 0 <= seed < 2**64 for seed in seeds):
        raise _not_ours("run_seed", f"it is {seeds!r}; allowed are two integers from 0 to 2**64 - 1.")
    if how.instruments not in INSTRUMENTS:
        raise _not_ours("instruments", f"it is {how.instruments!r}; allowed is {' or '.join(INSTRUMENTS)}.")
    steps = how.step_ticks
    if not isinstance(steps, tuple) or not steps or not all(type(step) in (int, float) and step > 0 for step in steps):
        raise _not_ours("step_ticks", f"it is {steps!r}; allowed is a list of positive numbers.")


def _not_ours(name: str, why: str) -> FileFormatError:
    return FileFormatError(f"the provenance's {name} does not describe a run of a virtual chip: {why} Record the run again with neckar run --record.")
