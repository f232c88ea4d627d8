"""Plain data in HDF5 groups and back.

One recursive pair of functions serves all types, because the tree describes itself: arrays are datasets; numbers, strings and None (empty) are attributes;
dataclasses, mappings and tuples are groups whose attribute ``__type__`` says which. Tuples of integers are datasets with ``__type__ = "tuple"``, strings that
hold a NUL are UTF-8 datasets with ``__type__ = "str"``. Keys of mappings are escaped like URLs; a tuple of strings as key is joined by commas.
"""

from __future__ import annotations

import dataclasses
import re
import urllib.parse
from typing import TYPE_CHECKING, Any

import numpy as np

from neckar.errors import CorruptFileError, ProgramError
from neckar.program._cost import Cost, CostItem, EnergyRange
from neckar.program._events import Events, Spikes
from neckar.program._losses import Losses
from neckar.program._machine import MachineState
from neckar.program._plain import FrozenDict, Plain, summary
from neckar.program._plasticity import NeuronView, Observable, PlasticityTask, PlasticityView
from neckar.program._program import Program, Snippet, TimedRead, TimedWrite
from neckar.program._provenance import Provenance
from neckar.program._record import CadcRecord, DriverProbe, MadcBursts, MadcChannel, Probe, Record, SensorProbe
from neckar.program._recording import BurstSamples, CadcSamples, DriverProbeSamples, ProbeSamples, Recording, Samples, SensorProbeSamples

if TYPE_CHECKING:
    import h5py

_RECORD_TYPES = (Record, MadcChannel, MadcBursts, CadcRecord, Probe, DriverProbe, SensorProbe)
_PROGRAM_TYPES = (Program, Snippet, Events, TimedWrite, TimedRead, *_RECORD_TYPES, PlasticityTask, PlasticityView, NeuronView, Observable)
_SAMPLE_TYPES = (Samples, BurstSamples, CadcSamples, ProbeSamples, DriverProbeSamples, SensorProbeSamples)
_RECORDING_TYPES = (Recording, Spikes, *_SAMPLE_TYPES, Losses, Cost, CostItem, EnergyRange, Provenance)
_TYPES: dict[str, type[Plain]] = {cls.__name__: cls for cls in (*_PROGRAM_TYPES, *_RECORDING_TYPES, MachineState)}

_COMPRESS_ABOVE_BYTES = 4096
_SPECIAL = re.compile(r"[%/,\x00]|^\.$|^__")


def write(group: h5py.Group, name: str, value: object) -> None:
    """Store `value` as member or attribute `name` of `group`."""
    import h5py

    if isinstance(value, np.ndarray):
        _write_array(group, name, value)
    elif value is None:
        group.attrs[name] = h5py.Empty("f8")
    elif isinstance(value, str) and "\0" in value:
        _write_array(group, name, np.frombuffer(value.encode(), np.uint8)).attrs["__type__"] = "str"
    elif isinstance(value, (bool, int, float, str)):
        group.attrs[name] = value
    elif isinstance(value, tuple) and all(type(item) is int and -(2**63) <= item < 2**63 for item in value):
        _write_array(group, name, np.asarray(value, np.int64)).attrs["__type__"] = "tuple"
    elif isinstance(value, tuple):
        _write_group(group, name, "tuple", {str(i): item for i, item in enumerate(value)})
    elif isinstance(value, dict):
        _write_group(group, name, "mapping", {_escape(key): item for key, item in value.items()})
    elif type(value).__name__ in _TYPES and isinstance(value, Plain):
        _write_group(group, name, type(value).__name__, {f.name: getattr(value, f.name) for f in dataclasses.fields(value)})  # type: ignore[arg-type]
    else:
        raise ProgramError(f"{group.name}/{name} is {summary(value)} of type {type(value).__name__}; a file holds the types of neckar.program. Convert it.")


def _write_array(group: h5py.Group, name: str, array: np.ndarray[Any, Any]) -> h5py.Dataset:
    options: dict[str, Any] = {"compression": "gzip", "compression_opts": 1} if array.nbytes > _COMPRESS_ABOVE_BYTES else {}
    return group.create_dataset(name, data=array, **options)


def _write_group(group: h5py.Group, name: str, kind: str, items: dict[str, object]) -> None:
    child = group.create_group(name)
    child.attrs["__type__"] = kind
    for key, item in items.items():
        write(child, key, item)


def read(node: h5py.Group | h5py.Dataset) -> Any:
    """Rebuild the value stored in `node`; constructors validate it again.

    Raises
    ------
    CorruptFileError
        If the node is not what :func:`write` stores.
    """
    import h5py

    kind = node.attrs.get("__type__")
    if isinstance(node, h5py.Dataset):
        return _read_dataset(node, kind)
    items: dict[str, Any] = {name: _plain(value) for name, value in node.attrs.items() if name != "__type__"}
    items |= {name: read(child) for name, child in node.items()}
    if kind == "tuple":
        return tuple(items[str(i)] for i in range(len(items)))
    if kind == "mapping":
        return FrozenDict({_unescape(name): item for name, item in items.items()})
    try:
        return _TYPES[kind](**items)
    except (KeyError, TypeError) as error:
        raise CorruptFileError(f"{node.name} of the file holds no {kind} of this schema: {error}. Write the file again with the present version.") from error


def _read_dataset(node: h5py.Dataset, kind: str | None) -> Any:
    array = np.asarray(node[()])
    if kind == "tuple":
        return tuple(array.tolist())
    if kind == "str":
        return array.tobytes().decode()
    array.setflags(write=False)
    return array


def _plain(value: Any) -> bool | int | float | str | None:
    """Return an attribute as plain Python value."""
    import h5py

    if isinstance(value, h5py.Empty):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _escape(key: str | tuple[str, ...]) -> str:
    """Return a mapping key as HDF5 name."""
    if isinstance(key, tuple):
        return ",".join(map(_escape, key))
    return _SPECIAL.sub(lambda match: "".join(f"%{ord(c):02X}" for c in match[0]), key) or "%"


def _unescape(name: str) -> str | tuple[str, ...]:
    """Invert :func:`_escape`."""
    if "," in name:
        return tuple(urllib.parse.unquote("" if part == "%" else part) for part in name.split(","))
    return "" if name == "%" else urllib.parse.unquote(name)
