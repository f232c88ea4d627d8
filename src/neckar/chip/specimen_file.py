"""The file of a specimen: a chip that no seed describes, such as the twin of a measured one.

A numpy archive without pickles: ``header``, a text of JSON (format, version, id, seed, statistics version, age, and ``plain``, the names of parameters without
any deviation), and one array per other override, in the shape and unit of :func:`neckar.chip.specimen.mismatch_parameters`. Wherever a chip has a name,
``--chip``, ``NECKAR_CHIP``, ``Lab(chip=...)``, the path of such a file, which ends in ``.npz``, stands for the chip in it.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from neckar.chip.specimen import Specimen, mismatch_parameters
from neckar.errors import ConfigurationError, CorruptFileError, FileFormatError, SchemaVersionError
from neckar.whole_file import whole_file

__all__ = ["SUFFIX", "load_specimen", "save_specimen"]

SUFFIX = ".npz"
FORMAT, VERSION = "neckar-specimen", 1


def save_specimen(path: str | Path, specimen: Specimen) -> None:
    """Write a specimen to a file.

    Parameters
    ----------
    path : str or Path
        Ends in ``.npz``. An existing file is replaced.
    specimen : Specimen

    Raises
    ------
    ConfigurationError
        If the name of the file ends otherwise.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise ConfigurationError(f"the file of a chip was to be {path}; allowed is a name that ends in {SUFFIX}, by which --chip knows it. Add {SUFFIX}.")
    plain = [name for name, array in specimen.overrides.items() if (np.asarray(array) == _none(name)).all()]
    header = {
        "format": FORMAT,
        "version": VERSION,
        "id": specimen.id,
        "seed": specimen.seed,
        "statistics_version": specimen.statistics_version,
        "age_h": specimen.age_h,
        "plain": plain,
    }
    arrays = {name: np.asarray(array) for name, array in specimen.overrides.items() if name not in plain}
    with whole_file(path) as stream:
        np.savez_compressed(stream, header=np.array(json.dumps(header)), **arrays)  # type: ignore[arg-type]


def load_specimen(path: str | Path) -> Specimen:
    """Read what :func:`save_specimen` wrote; the round trip is exact.

    Raises
    ------
    ConfigurationError
        If there is no such file.
    FileFormatError
        If it is something else; CorruptFileError if it is damaged, SchemaVersionError if a newer Neckar wrote it.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            header = json.loads(str(archive["header"])) if "header" in archive else {}
            if header.get("format") != FORMAT:
                raise FileFormatError(f"{path} holds no virtual chip; allowed is a file that neckar chip fit or save_specimen wrote.")
            if header["version"] > VERSION:
                raise SchemaVersionError(f"{path} has version {header['version']}; this Neckar reads versions up to {VERSION}. Update Neckar.")
            overrides = {name: archive[name] for name in archive.files if name != "header"}
    except FileNotFoundError:
        raise ConfigurationError(f"no file {path} with a virtual chip exists. Write one with neckar chip fit, or name a chip of neckar chip list.") from None
    except (KeyError, zipfile.BadZipFile, EOFError, json.JSONDecodeError) as error:
        raise CorruptFileError(f"{path} is damaged: {error}. Transfer or write it again.") from error
    except ValueError as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path} holds no virtual chip: {error}. Allowed is a file that neckar chip fit or save_specimen wrote.") from error
    parameters = mismatch_parameters()
    overrides |= {name: np.full(parameters[name].shape, _none(name)) for name in header["plain"]}
    return Specimen(header["id"], header["seed"], header["statistics_version"], header["age_h"], overrides)


def _none(name: str) -> float:
    """Return the value of a parameter that deviates from nothing."""
    parameter = mismatch_parameters().get(name)
    return 1.0 if parameter is not None and parameter.is_factor else 0.0
