"""The files that notebooks load, in the folders where they look for them.

On the real machines a calibration runs every night and leaves files that scripts load; here they are made when somebody first asks for the chip, by the oracle,
in about a second. ``neckar calibrate`` puts measured ones in their place (:func:`put`). Layout and names are upstream's::

    <root>/hicann-dls-sr-hx/<chip>/stable/{latest,latest-weekly,ebrains-stable,ebrains-experimental}/<kind>_<format>

with the five kinds of :data:`neckar.calibration.NIGHTLY` in three formats each: ``cocolist.pbin`` (a configuration file, :mod:`neckar.chip.config_file`),
``cocolist.json.gz`` (the same as text) and ``calix-native.pkl`` (a pickle of one call, which hands the configuration file to the front end calix). All four
folders hold the same. The root is the environment variable ``NECKAR_CALIBRATION_CACHE``, or the user's cache folder.

Every file appears under its name complete or not at all, and one process at a time makes the files of a chip. A stamp says what they depend on and which
method made each kind. A folder whose stamp differs from what this version would make is made anew; files in it that somebody changed are noticed when they are
read.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import platformdirs

from neckar.calibration import NIGHTLY, Calibration, calibrate
from neckar.calibration._foreign import other_chip
from neckar.calibration.files import file_name, locked, sweep
from neckar.calibration.targets import key_of
from neckar.errors import CalibrationCacheError, ConfigurationError, FileFormatError, UnknownNameError, nearest
from neckar.facts import brainscales2 as facts
from neckar.whole_file import write_whole

if TYPE_CHECKING:
    from neckar.chip.effects import Effects
    from neckar.chip.specimen import Specimen
    from neckar.lab import Lab

ENVIRONMENT = "NECKAR_CALIBRATION_CACHE"
"""Environment variable that names the root folder."""

PLATFORM = "hicann-dls-sr-hx"
FOLDERS = ("latest", "latest-weekly", "ebrains-stable", "ebrains-experimental")
"""Folders below ``stable``; notebooks read from the first two."""

_NATIVE_CALL = b"calix._native\nrestore\n"
"""Module and function of the front end that turns the bytes in a ``calix-native.pkl`` into a result."""

_log = logging.getLogger(__name__)

_STAMP, _LOCK = ".neckar.json", ".lock"
_LAYOUT_VERSION = 2


def native_pickle(data: bytes) -> bytes:
    """Return a pickle that calls the front end with the bytes of a calibration, and nothing else."""
    protocol, call, one_argument, apply, stop = b"\x80\x04", b"c" + _NATIVE_CALL, b"\x85", b"R", b"."
    return protocol + call + b"B" + struct.pack("<I", len(data)) + data + one_argument + apply + stop


def native_content(pickled: bytes) -> bytes | None:
    """Return the bytes inside what :func:`native_pickle` made, without unpickling; None if it is something else."""
    start = native_pickle(b"")[:-7]
    if not pickled.startswith(start) or len(pickled) < len(start) + 4:
        return None
    return pickled[len(start) + 4 :].removesuffix(b"\x85R.")


FORMATS: Mapping[str, Callable[[Calibration], bytes]] = MappingProxyType(
    {
        "calix-native.pkl": lambda calibration: native_pickle(calibration.dumps()),
        "cocolist.pbin": Calibration.dumps,
        "cocolist.json.gz": Calibration.dumps_text,
    }
)
"""How each format is written."""

FILES = tuple(f"{kind}_{form}" for kind in NIGHTLY for form in FORMATS)
"""Names of the files in each folder."""


def root() -> Path:
    """Return the folder that holds all calibrations; an empty environment variable counts as not set."""
    given = os.environ.get(ENVIRONMENT)
    return Path(given).expanduser().absolute() if given else Path(platformdirs.user_cache_dir("neckar", appauthor=False)) / "calibration"


def measured_folder() -> Path:
    """Return the folder in which measured calibrations are kept by what they depend on (:mod:`neckar.calibration.cache`)."""
    return root() / "measured"


def identifier(specimen: Specimen, effects: Effects) -> str:
    """Return the name of a chip's folder: the chip, and what else changes its calibration."""
    from neckar.chip.specimen import Specimen

    name = specimen.id if specimen.id == Specimen.from_seed(specimen.seed).id else f"{specimen.id}-seed-{specimen.seed}"
    parts = [file_name(name)]
    if specimen.age_h and effects.drift:
        parts.append(f"age-{specimen.age_h:g}h")
    if specimen.overrides_digest and effects.mismatch:
        parts.append(f"overrides-{specimen.overrides_digest[:12]}")
    if not effects.mismatch:
        parts.append("without-mismatch")
    return "-".join(parts)


def folder_of(lab: Lab, folder: str = FOLDERS[0]) -> Path:
    """Return where the calibration files of a lab's chip are, whether they have been made or not."""
    return root() / PLATFORM / identifier(lab.specimen, lab.effects) / "stable" / folder


def facts_digest() -> str:
    """Return a digest of all constants of the machine, on which calibrations depend."""
    numbers = sorted((name, value) for name, value in vars(facts).items() if name.isupper())
    return hashlib.sha256(repr(numbers).encode()).hexdigest()


def ensure(lab: Lab) -> Path:
    """Make the calibration files of a lab's chip, unless they are there, and return the folder ``latest``.

    Raises
    ------
    CalibrationCacheError
        If the folder cannot be written: also an OSError. Names the folder and the remedy.

    Notes
    -----
    About a second the first time, under a millisecond later.
    """
    home = folder_of(lab).parent
    stamp = _stamp(lab.specimen, lab.effects)
    if not _is_current(home, stamp):
        with _writing(lab, home):
            if not _is_current(home, stamp):
                _make(home, stamp, lab)
    return home / FOLDERS[0]


def put(lab: Lab, kind: str, calibration: Calibration) -> Path:
    """Put a calibration in place of the files of a kind that notebooks load, and return the folder ``latest``.

    Parameters
    ----------
    lab : Lab
        Its chip has been calibrated.
    kind : str
        Of :data:`neckar.calibration.NIGHTLY`.
    calibration : Calibration
        By whatever method, with the kind's target. One by the oracle takes the way back.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    ConfigurationError
        If the calibration has another target, or was made for another chip than the lab's.
    CalibrationCacheError
        If the folder cannot be written.
    """
    if kind not in NIGHTLY:
        raise UnknownNameError(f"there are no calibration files of kind {kind!r}{nearest(kind, NIGHTLY)} Kinds: {', '.join(NIGHTLY)}.")
    if calibration.target != NIGHTLY[kind]:
        raise ConfigurationError(
            f"the files of kind {kind!r} were to hold a calibration with another target, a {type(calibration.target).__name__}; allowed is that of "
            f"NIGHTLY[{kind!r}]. Keep others in a file of their own (Calibration.dumps)."
        )
    chips = other_chip(calibration.provenance, lab)
    if chips is not None:
        raise ConfigurationError(
            f"the files of kind {kind!r} of {chips[1]} were to hold a calibration that was made for {chips[0]}; allowed is one of the same chip. "
            "Give the lab of the chip that was calibrated, or calibrate this one."
        )
    folder = ensure(lab)
    with _writing(lab, folder.parent):
        _write_kind(folder.parent, kind, calibration)
        stamp = _stamp(lab.specimen, lab.effects)
        _write_stamp(folder.parent, stamp, {**_methods(folder.parent), kind: calibration.provenance["method"]})
    return folder


def methods(lab: Lab) -> dict[str, str]:
    """Return by which method the files of each kind were made; empty if there are none yet."""
    return _methods(folder_of(lab).parent)


@contextmanager
def _writing(lab: Lab, home: Path) -> Iterator[None]:
    """Let one process at a time write the files of a chip, and say what to do if the disk refuses."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with locked(home.parent / _LOCK, f"writing the calibration files of the virtual chip {lab.specimen.id}"):
            yield
    except OSError as error:
        raise CalibrationCacheError(
            f"the calibration files of the virtual chip {lab.specimen.id} cannot be written to {home}: {error}. "
            f"Make room there, or name another folder by the environment variable {ENVIRONMENT}."
        ) from error


def _stamp(specimen: Specimen, effects: Effects) -> str:
    """Return a text that changes with everything the files depend on, except for the places of the files and who made them."""
    from neckar.calibration.oracle import provenance

    targets = hashlib.sha256("\n".join(map(key_of, NIGHTLY.values())).encode()).hexdigest()
    relevant = {**provenance(specimen, effects), "chip": "", "effects": [effects.mismatch, effects.drift and specimen.age_h > 0]}
    return json.dumps({"layout": _LAYOUT_VERSION, "targets": targets, "facts": facts_digest(), "files": FILES, **relevant}, sort_keys=True)


def _read_stamp(home: Path) -> dict[str, Any]:
    """Return what the stamp says: ``made_of``, a text, and ``methods`` by kind; empty if there is none."""
    try:
        read = json.loads((home / _STAMP).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError):
        return {}
    return read if isinstance(read, dict) and isinstance(read.get("methods"), dict) else {}


def _methods(home: Path) -> dict[str, str]:
    return dict(_read_stamp(home).get("methods", {}))


def _is_current(home: Path, stamp: str) -> bool:
    return _read_stamp(home).get("made_of") == stamp and all((home / folder / name).is_file() for folder in FOLDERS for name in FILES)


def _make(home: Path, stamp: str, lab: Lab) -> None:
    """Make all files by the oracle; what was measured for this version stays if one of its files is whole."""
    for folder in FOLDERS:
        (home / folder).mkdir(parents=True, exist_ok=True)
        sweep(home / folder)
    before, made = _read_stamp(home), {}
    for kind, target in NIGHTLY.items():
        found = None
        if before.get("methods", {}).get(kind) == "measurement":
            found = _still_there(home, kind) if before["made_of"] == stamp else None
            if found is None:
                _log.warning(
                    "the measured calibration %r of the virtual chip %s is lost or belongs to another version; the oracle made it anew. Measure it again by: "
                    "neckar calibrate --chip %s --kind %s", kind, lab.specimen.id, lab.specimen.id, kind,
                )  # fmt: skip
        found = found or calibrate(lab.specimen, target, "oracle", lab.effects)
        _write_kind(home, kind, found)
        made[kind] = found.provenance["method"]
    _write_stamp(home, stamp, made)


def _still_there(home: Path, kind: str) -> Calibration | None:
    """Return the measured calibration of a kind from the first of its files that is whole."""
    for path in (home / folder / f"{kind}_cocolist.pbin" for folder in FOLDERS):
        with suppress(OSError, FileFormatError):
            return Calibration.loads(path.read_bytes(), f"file {str(path)!r}")
    return None


def _write_kind(home: Path, kind: str, calibration: Calibration) -> None:
    for form, write in FORMATS.items():
        data = write(calibration)
        for folder in FOLDERS:
            write_whole(home / folder / f"{kind}_{form}", data, synced=False)


def _write_stamp(home: Path, stamp: str, methods: Mapping[str, str]) -> None:
    write_whole(home / _STAMP, json.dumps({"made_of": stamp, "methods": dict(methods)}).encode(), synced=False)
