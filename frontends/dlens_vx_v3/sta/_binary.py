"""Dumps as bytes: the content of the ``*.pbin`` files that hold a calibration.

The bytes are Neckar's configuration file (:mod:`neckar.chip.config_file`): register fields behind a seal. In its provenance stand the coordinates of the
dump, so that reading it gives the same pairs of coordinate and container back, and values that are only stored. Nothing in it is executed.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlens_vx_v3 import halco, lola
from dlens_vx_v3._container import Container, chip_of, container_type_of
from dlens_vx_v3.halco import Coordinate
from dlens_vx_v3.sta._builders import DumperDone, PlaybackProgramBuilderDumper
from neckar.chip import config_file
from neckar.chip.config import ChipConfig
from neckar.errors import ConfigurationError, CorruptFileError

COORDINATES = "coordinates"
"""Entry of the provenance: the coordinates of the dump in order, as JSON lists of type, number, and stored values."""

NOT_STORED = (halco.TimerOnDLS, halco.BarrierOnFPGA)


class PartialChip:
    """Registers of some elements of a chip, from a file that names no coordinates.

    Parameters
    ----------
    contents : PartialConfiguration
    """

    def __init__(self, contents: config_file.PartialConfiguration) -> None:
        self.contents = contents

    def write_to(self, config: ChipConfig, coord: Coordinate) -> None:
        """Write what the file says."""
        for name, codes in self.contents.fields.items():
            mask = self.contents.masks.get(name)
            config[name] = codes if mask is None else np.where(mask, codes, config[name])


def to_portablebinary(dump: DumperDone | PlaybackProgramBuilderDumper) -> bytes:
    """Return a dump as bytes.

    Parameters
    ----------
    dump : DumperDone or PlaybackProgramBuilderDumper
        Of several containers at a coordinate the last one counts. Waits are left out.

    Raises
    ------
    ConfigurationError
        If it is no dump.
    """
    if isinstance(dump, PlaybackProgramBuilderDumper):
        twin = PlaybackProgramBuilderDumper()
        twin.copy_back(dump)
        dump = twin.done()
    if not isinstance(dump, DumperDone):
        raise ConfigurationError(f"to_portablebinary got {type(dump).__name__}; allowed is what PlaybackProgramBuilderDumper().done() returns.")
    config = ChipConfig.default()
    masks: dict[str, NDArray[np.bool_]] = {}
    coordinates: dict[Coordinate, tuple[Coordinate, Any]] = {}
    for coordinate, container in dump.values:
        if isinstance(coordinate, NOT_STORED):
            continue
        for name, index, codes in container.codes(coordinate):
            key = tuple(slice(*part) if isinstance(part, tuple) else part for part in index)
            config[(name, *key)] = codes
            masks.setdefault(name, np.zeros(config[name].shape, bool))[key] = True
        coordinates.pop(coordinate, None)
        coordinates[coordinate] = coordinate, container
    listed = [[type(coordinate).__name__, int(coordinate.toEnum()), _stored(container)] for coordinate, container in coordinates.values()]
    fields = {name: config[name] for name in masks}
    return config_file.dumps(fields, {COORDINATES: json.dumps(listed)}, {name: mask for name, mask in masks.items() if not mask.all()})


def from_portablebinary(target: DumperDone, data: bytes) -> None:
    """Fill a dump from bytes.

    Parameters
    ----------
    target : DumperDone
        Its values are replaced.
    data : bytes
        What :func:`to_portablebinary` returned, or the content of a configuration file of Neckar.

    Raises
    ------
    FileFormatError, CorruptFileError, SchemaVersionError
        If it is something else, damaged, or newer; the text says which. The target stays as it was.
    """
    contents = config_file.loads_partial(bytes(data), "portable binary")
    config = ChipConfig(contents.fields)
    if COORDINATES not in contents.provenance:
        whole: Any = PartialChip(contents) if contents.masks else chip_of(config)
        target.values = [(halco.ChipOnDLS(), whole)]
        return
    try:
        listed = json.loads(contents.provenance[COORDINATES])
        target.values = [_pair(config, *entry) for entry in listed]
    except (AttributeError, TypeError, ValueError) as error:
        raise CorruptFileError(f"portable binary has an intact seal, but its list of coordinates is none: {error}. Write or transfer it again.") from error


def _pair(config: ChipConfig, kind: str, number: int, stored: list[Any]) -> tuple[Coordinate, Any]:
    coordinate = getattr(halco, kind)(halco.common.Enum(number))
    whole = isinstance(coordinate, halco.ChipOnDLS)
    container = chip_of(config.copy()) if whole else container_type_of(coordinate).read_from(config, coordinate)
    for key, value in stored:
        container._store.values[tuple(key)] = np.array(value, np.int64) if isinstance(value, list) else value
    return coordinate, container


def _stored(container: Container) -> list[Any]:
    """Return the values of a container that stand for no register: key and value of each that is not the default."""
    if isinstance(container, lola.Chip):
        found = dict(container._store.values)
    else:
        found = {(*part._key, member.name): member.read(part) for member, part in container._members() if not member.field}
        default = {(*part._key, member.name): member.read(part) for member, part in type(container)()._members() if not member.field}
        found = {key: value for key, value in found.items() if not np.array_equal(value, default[key])}
    return [[list(key), value.tolist() if isinstance(value, np.ndarray) else int(value)] for key, value in found.items()]
