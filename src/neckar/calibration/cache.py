"""Calibrations by measurement that are kept: measured once for a chip, a target and a version, by one process, however often it is interrupted.

A folder holds a configuration file per finished calibration, named after the chip and a digest of all that it depends on, and beside it, while somebody
measures, a journal of the stages that are finished (:mod:`neckar.calibration.file_journal`) and a lock. Of two processes that want the same calibration one
measures and the other waits for its result; if the first dies, the lock is free and the second goes on after the last finished stage.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from contextlib import ExitStack
from pathlib import Path

import neckar
from neckar.calibration import measure
from neckar.calibration._foreign import is_for
from neckar.calibration.calibration import Calibration
from neckar.calibration.file_journal import FileJournal, NumberedChip, sweep_journals
from neckar.calibration.files import file_name, locked, sweep
from neckar.calibration.measure import Progress
from neckar.calibration.store import facts_digest
from neckar.calibration.targets import ChipTarget, key_of
from neckar.chip.effects import Effects
from neckar.chip.machine import MODEL_VERSION
from neckar.chip.specimen import Specimen
from neckar.errors import CalibrationCacheError, FileFormatError
from neckar.lab import Lab
from neckar.whole_file import write_whole

_log = logging.getLogger(__name__)

LAYOUT_VERSION = 1
_unwritten: dict[Path, Calibration] = {}


def key(specimen: Specimen, effects: Effects, target: ChipTarget, seed: int = 0) -> str:
    """Return a text that changes with everything that a measured calibration depends on."""
    return json.dumps({**origin(specimen, effects, seed), "target": key_of(target)}, sort_keys=True)


def origin(specimen: Specimen, effects: Effects, seed: int = 0) -> dict[str, object]:
    """Return what a measured calibration depends on beside its target."""
    acts: dict[str, object] = {"seed": specimen.seed, "statistics_version": specimen.statistics_version}
    if effects.mismatch:
        acts["overrides"] = specimen.overrides_digest
    if effects.drift:
        acts["age_h"] = specimen.age_h
    versions = {"layout": LAYOUT_VERSION, "neckar": neckar.__version__, "model": MODEL_VERSION, "facts": facts_digest()}
    return {"chip": acts, "effects": effects.as_dict(), "seed": seed, **versions}


def path_of(folder: Path, specimen: Specimen, effects: Effects, target: ChipTarget, seed: int = 0) -> Path:
    """Return where a measured calibration lies, whether it was made or not."""
    digest = hashlib.sha256(key(specimen, effects, target, seed).encode()).hexdigest()
    return folder / f"{file_name(specimen.id)}-{type(target).__name__}-{digest[:20]}.pbin"


def acting(effects: Effects, method: str) -> Effects:
    """Return the effects on which a calibration by a method depends; the oracle sees only what makes the chip."""
    return effects if method == "measurement" else Effects(mismatch=effects.mismatch, drift=effects.drift)


def read(data: bytes, source: str, specimen: Specimen, effects: Effects, target: ChipTarget, method: str = "measurement") -> Calibration:
    """Return the calibration in the bytes of a kept file, which a name alone does not tie to a chip.

    Raises
    ------
    FileFormatError
        If it is damaged, of another version, or of another chip, target or method.
    """
    found = Calibration.loads(data, source)
    made, asked = json.loads(found.provenance.get("effects", "{}")), acting(effects, method).as_dict()
    if method != "measurement":
        made = {**asked, **{name: made.get(name) for name in ("mismatch", "drift")}}
    is_old = effects.drift and found.provenance.get("age_h") != repr(specimen.age_h)
    if is_old or made != asked or found.provenance.get("method") != method or found.target != target or not is_for(found.provenance, specimen, effects):
        raise FileFormatError(f"{source} was named as a calibration of another chip, target or method than it holds. Remove it.")
    return found


def measured(
    folder: Path, specimen: Specimen, target: ChipTarget, effects: Effects | None = None, seed: int = 0, progress: Progress | None = None
) -> Calibration:
    """Return a calibration by measurement: the kept one, or a new one, which goes on after the last finished stage of an interrupted one.

    Parameters
    ----------
    folder : Path
        Of the cache. Made if it does not exist.
    specimen : Specimen
    target : PotentialTarget, SpikingTarget, HagenTarget or HagenSyninTarget
    effects : Effects, optional
        All by default.
    seed : int
        Of the searches and of the lab.
    progress : callable, optional
        As of :func:`neckar.calibration.measure.measure`; not called for a kept calibration.

    Raises
    ------
    CalibrationCacheError
        If the folder cannot be written; names it and the remedy. If that shows after the measurement, the error has the calibration as an attribute, and
        the next call in this process returns it without measuring.
    """
    effects = effects or Effects()
    path = path_of(folder, specimen, effects, target, seed)
    if (unwritten := _unwritten.pop(path, None)) is not None:
        return _written(path, unwritten)
    if (found := _kept(path, specimen, effects, target)) is not None:
        return found
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            sweep(folder)
            sweep_journals(folder, _journal_of(path))
            stack.enter_context(locked(path.with_suffix(".lock"), f"measuring the virtual chip {specimen.id} for {path}"))
        except OSError as error:
            raise _refused(folder, specimen.id, error) from error
        return _kept(path, specimen, effects, target) or _measured(path, specimen, target, effects, seed, progress)


def _measured(path: Path, specimen: Specimen, target: ChipTarget, effects: Effects, seed: int, progress: Progress | None) -> Calibration:
    """Measure and write the result."""
    chip = NumberedChip(Lab(chip=specimen, effects=effects, instruments="silicon", seed=seed, executor="inline"))
    journal = FileJournal(_journal_of(path), chip)
    found = measure.measure(chip, target, seed, journal, progress)
    try:
        write_whole(path, found.dumps(), synced=False)
    except OSError as error:
        _unwritten[path] = found
        raise _refused(path.parent, specimen.id, error, found) from error
    journal.remove()
    return found


def _written(path: Path, found: Calibration) -> Calibration:
    """Try again to write what this process measured, and return it either way."""
    try:
        write_whole(path, found.dumps(), synced=False)
    except OSError as error:
        _unwritten[path] = found
        _log.warning("%s", _refused(path.parent, found.provenance["chip"], error, found))
    else:
        shutil.rmtree(_journal_of(path), ignore_errors=True)
    return found


def _journal_of(path: Path) -> Path:
    return path.with_suffix(".journal")


def _kept(path: Path, specimen: Specimen, effects: Effects, target: ChipTarget) -> Calibration | None:
    """Return a kept calibration; None if there is none, or none that is whole and what was asked for."""
    try:
        return read(path.read_bytes(), f"file {str(path)!r}", specimen, effects, target)
    except OSError:  # not there; what else may be wrong with the folder shows when it is written
        return None
    except FileFormatError as error:
        _log.warning("%s It is measured again.", error)
        return None


def _refused(folder: Path, chip: str, error: OSError, found: Calibration | None = None) -> CalibrationCacheError:
    kept = "" if found is None else " The finished calibration is not lost: it is the error's attribute `calibration`, and asking again here returns it."
    return CalibrationCacheError(
        f"the calibration of the virtual chip {chip} cannot be kept in {folder}: {error}. Make room there, or name another folder (of the command line and "
        f"the front ends by the environment variable NECKAR_CALIBRATION_CACHE).{kept}",
        found,
    )
