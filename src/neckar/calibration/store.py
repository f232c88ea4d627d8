"""The files that notebooks load, in the folders where they look for them.

On the real machines a calibration runs every night and leaves files that scripts load; here they are made when somebody first asks for the chip, by the oracle,
in about a second. Layout and names are upstream's::

    <root>/hicann-dls-sr-hx/<chip>/stable/{latest,latest-weekly,ebrains-stable,ebrains-experimental}/<kind>_<format>

with the five kinds of :data:`neckar.calibration.NIGHTLY` in three formats each: ``cocolist.pbin`` (a configuration file, :mod:`neckar.chip.config_file`),
``cocolist.json.gz`` (the same as text) and ``calix-native.pkl`` (a pickle of one call, which hands the configuration file to the front end calix). All four
folders hold the same. The root is the environment variable ``NECKAR_CALIBRATION_CACHE``, or the user's cache folder.

Every file appears under its name complete or not at all, and its content depends on chip and version alone, so any number of processes may make them at
once. A folder whose stamp differs from what this version would make is made anew; files in it that somebody changed are noticed when they are read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import platformdirs

from neckar.calibration import NIGHTLY, Calibration, calibrate
from neckar.calibration.files import sweep, write_whole
from neckar.calibration.targets import key_of
from neckar.errors import CalibrationCacheError
from neckar.facts import brainscales2 as facts

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

_STAMP = ".neckar.json"
_LAYOUT_VERSION = 1


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


def identifier(specimen: Specimen, effects: Effects) -> str:
    """Return the name of a chip's folder: the chip, and what else changes its calibration."""
    from neckar.chip.specimen import Specimen

    name = specimen.id if specimen.id == Specimen.from_seed(specimen.seed).id else f"{specimen.id}-seed-{specimen.seed}"
    parts = [re.sub(r"[^A-Za-z0-9._-]+", "_", name)]
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
        try:
            _make(home, stamp, lab.specimen, lab.effects)
        except OSError as error:
            raise CalibrationCacheError(
                f"the calibration files of the virtual chip {lab.specimen.id} cannot be written to {home}: {error}. "
                f"Make room there, or name another folder by the environment variable {ENVIRONMENT}."
            ) from error
    return home / FOLDERS[0]


def _stamp(specimen: Specimen, effects: Effects) -> str:
    """Return a text that changes with everything the files depend on, except for the places of the files."""
    from neckar.calibration.oracle import provenance

    targets = hashlib.sha256("\n".join(map(key_of, NIGHTLY.values())).encode()).hexdigest()
    numbers = hashlib.sha256(repr(sorted((name, value) for name, value in vars(facts).items() if name.isupper())).encode()).hexdigest()
    relevant = {**provenance(specimen, effects), "chip": "", "effects": [effects.mismatch, effects.drift and specimen.age_h > 0]}
    return json.dumps({"layout": _LAYOUT_VERSION, "targets": targets, "facts": numbers, "files": FILES, **relevant}, sort_keys=True)


def _is_current(home: Path, stamp: str) -> bool:
    try:
        if (home / _STAMP).read_text(encoding="utf-8") != stamp:
            return False
    except (OSError, UnicodeDecodeError):
        return False
    return all((home / folder / name).is_file() for folder in FOLDERS for name in FILES)


def _make(home: Path, stamp: str, specimen: Specimen, effects: Effects) -> None:
    for folder in FOLDERS:
        (home / folder).mkdir(parents=True, exist_ok=True)
        sweep(home / folder)
    for kind, target in NIGHTLY.items():
        calibration = calibrate(specimen, target, "oracle", effects)
        for form, write in FORMATS.items():
            data = write(calibration)
            for folder in FOLDERS:
                write_whole(home / folder / f"{kind}_{form}", data)
    write_whole(home / _STAMP, stamp.encode())
