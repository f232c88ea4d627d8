"""The configuration file: register fields of one chip as bytes behind a seal. It is the content of every ``*.pbin`` that Neckar writes.

Upstream stores configurations as serialised lists of containers (``*_cocolist.pbin``); those hold what a compiled library of one version needs, so they
cannot be read here, and reading a pickle would run foreign code. This file holds names and codes alone::

    neckar-config sha256:<digest of every byte after this line>
    version <version>
    bytes <size of the file>
    {"provenance": {...}, "fields": {name: {"dtype", "shape", "mask", "constant" or "bytes"}}}      one line of JSON
    <arrays, one after the other in the order of the fields, packed by zlib>

A field is stored whole. A *partial* file, the dump of some coordinates only, adds a mask per field: true where the file says something. An array of equal
codes takes no room, so the file of a calibrated chip has about 10 kB. The text form (:func:`dumps_text`) says the same as JSON, packed by gzip.

The bytes are a function of the contents alone: the same configuration gives the same file.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.errors import ConfigurationError, CorruptFileError, FileFormatError, SchemaVersionError, UnknownNameError, nearest
from neckar.facts import Register, check_field, registers

__all__ = ["VERSION", "PartialConfiguration", "dumps", "dumps_text", "loads", "loads_partial"]

VERSION = 1
"""Version of the format; files with a higher one are refused."""

_MAGIC = b"neckar-config sha256:"
_DIGEST_END = len(_MAGIC) + 64 + 1
_GZIP = b"\x1f\x8b"
_TEXT_FORMAT = "neckar-config"
_UNPACKED_MAX = 64 << 20
_FIELDS: Mapping[str, Register] = {name: register for name, register in registers("brainscales2").items() if not register.counter}
_WRITE_AGAIN = "Write or transfer it again; files of a calibration cache can be deleted, they are made anew."

Arrays = Mapping[str, NDArray[Any]]

_FOREIGN = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file; programs and recordings are read by neckar.load"),
    (b"neckar sha256:", "a Neckar file of a program or recording, which neckar.load reads"),
    (b"\x80", "a Python pickle; results of a calibration (*_calix-native.pkl) are read by calix.load"),
    (b"\x01", "a binary archive of the real platform, which only its own compiled library can read"),
    (b"\x00", "a binary archive of the real platform, which only its own compiled library can read"),
    (b"{", "a text of JSON without compression"),
    (b"[", "a text of JSON without compression"),
    (b"version https://git-lfs", "a pointer of Git LFS in place of the file"),
    (b"<", "a page of HTML or XML, perhaps the answer of a web server"),
)


@dataclass(frozen=True, eq=False)
class PartialConfiguration:
    """What a file says, and about which elements.

    Attributes
    ----------
    fields : mapping of str to ndarray
        Whole register fields, read-only; elements that the file says nothing about hold the default.
    masks : mapping of str to ndarray of bool
        True where the file says something, in the shape of the field; a field that is missing here is complete.
    provenance : mapping of str to str
    """

    fields: Arrays
    masks: Arrays
    provenance: Mapping[str, str]


def dumps(fields: Mapping[str, ArrayLike], provenance: Mapping[str, str] | None = None, masks: Mapping[str, ArrayLike] | None = None) -> bytes:
    """Return the bytes of a configuration file.

    Parameters
    ----------
    fields : mapping of str to array_like of int
        Whole register fields by name, for instance a :class:`~neckar.chip.config.ChipConfig` or its `delta_from`.
    provenance : mapping of str to str, optional
        Where the configuration comes from.
    masks : mapping of str to array_like of bool, optional
        For fields that are known in part: true where they are, in the shape of the field.

    Raises
    ------
    ConfigurationError
        If a field has the wrong shape or type, a mask belongs to no field, or the provenance is no text.
    ParameterRangeError
        If a code lies outside its range.
    UnknownNameError
        If a field does not exist; counters are not part of a configuration.
    """
    arrays, known = _checked(fields, masks or {})
    entries, blobs = {}, []
    for name, array in arrays.items():
        entry, packed = _described(array)
        if name in known:
            bits = np.packbits(known[name]).tobytes()
            entry["mask"] = len(bits)
            packed += bits
        entries[name] = entry
        blobs.append(packed)
    header = json.dumps({"provenance": _texts(provenance or {}), "fields": entries}, sort_keys=False, ensure_ascii=True).encode()
    body = header + b"\n" + zlib.compress(b"".join(blobs), 6)
    return _sealed(body)


def loads(data: bytes, source: str = "configuration data") -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return the register fields and the provenance of a configuration file.

    Parameters
    ----------
    data : bytes
        What :func:`dumps` or :func:`dumps_text` returned.
    source : str
        Start of the error's text, for instance ``"file 'spiking_cocolist.pbin'"``.

    Returns
    -------
    fields : dict of str to ndarray
        Whole fields in their dtype, read-only. Elements that a partial file says nothing about hold the default.
    provenance : dict of str to str

    Raises
    ------
    FileFormatError
        If the bytes are no configuration of Neckar; the text says what they look like.
    CorruptFileError
        If they are incomplete or damaged.
    SchemaVersionError
        If a newer Neckar wrote them, or one with other register fields.
    """
    contents = loads_partial(data, source)
    return dict(contents.fields), dict(contents.provenance)


def loads_partial(data: bytes, source: str = "configuration data") -> PartialConfiguration:
    """Return what a configuration file says and about which elements; parameters and errors as in :func:`loads`."""
    if data[:2] == _GZIP:
        return _parse_text(data, source)
    body = memoryview(data)[_check_seal(data, source) :]
    try:
        end = bytes(body).index(b"\n")
        header = json.loads(bytes(body[:end]))
        unpacked = memoryview(_unpacked(bytes(body[end + 1 :])))
        fields: dict[str, NDArray[Any]] = {}
        masks: dict[str, NDArray[Any]] = {}
        place = 0
        for name, entry in header["fields"].items():
            shape, dtype = tuple(entry["shape"]), np.dtype(entry["dtype"])
            if "constant" in entry:
                fields[name] = np.broadcast_to(np.array(entry["constant"], dtype), shape)
            else:
                fields[name] = np.frombuffer(unpacked[place : place + entry["bytes"]], dtype).reshape(shape)
                place += entry["bytes"]
            if "mask" in entry:
                bits = np.frombuffer(unpacked[place : place + entry["mask"]], np.uint8)
                masks[name] = np.unpackbits(bits, count=int(np.prod(shape))).astype(bool).reshape(shape)
                place += entry["mask"]
        return _contents(fields, masks, header["provenance"], source)
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        if isinstance(error, FileFormatError):
            raise
        raise CorruptFileError(f"{source} has an intact seal, but its contents contradict themselves: {error}. {_WRITE_AGAIN}") from error


def dumps_text(fields: Mapping[str, ArrayLike], provenance: Mapping[str, str] | None = None, masks: Mapping[str, ArrayLike] | None = None) -> bytes:
    """Return the same as JSON packed by gzip (``*_cocolist.json.gz``), for other tools; parameters and errors as in :func:`dumps`.

    The keys are ``format``, ``version``, ``sha256`` of the rest, ``provenance``, ``fields`` (nested lists by name) and, in partial files, ``masks``.
    """
    arrays, known = _checked(fields, masks or {})
    document: dict[str, Any] = {
        "provenance": _texts(provenance or {}),
        "fields": {name: array.astype(np.int64).tolist() for name, array in arrays.items()},
        "masks": {name: mask.astype(np.int64).tolist() for name, mask in known.items()},
    }
    head = {"format": _TEXT_FORMAT, "version": VERSION, "sha256": _text_digest(document)}
    return gzip.compress(json.dumps({**head, **document}).encode(), 6, mtime=0)


def _checked(fields: Mapping[str, ArrayLike], masks: Mapping[str, ArrayLike]) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Return fields and masks as arrays, in the order of the register table."""
    for name in (*fields, *masks):
        if name not in _FIELDS:
            raise UnknownNameError(f"a configuration file was asked to hold {name!r}, which is no register field{nearest(name, _FIELDS)}")
    if stray := sorted(set(masks) - set(fields)):
        raise ConfigurationError(f"a mask was given for {stray[0]}, which is not among the fields of the file. Give the field as well.")
    arrays = {name: check_field(register, fields[name]) for name, register in _FIELDS.items() if name in fields}
    known = {}
    for name in arrays:
        if name in masks:
            known[name] = np.asarray(masks[name], np.bool_)
            if known[name].shape != arrays[name].shape:
                raise ConfigurationError(f"the mask of {name} has shape {known[name].shape}; the field has {arrays[name].shape}. Give one value per element.")
    return arrays, known


def _texts(provenance: Mapping[str, str]) -> dict[str, str]:
    for key, value in provenance.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise ConfigurationError(f"provenance {key!r} is {value!r}; a configuration file holds texts. Convert it with str().")
    return dict(provenance)


def _described(array: NDArray[Any]) -> tuple[dict[str, Any], bytes]:
    """Return the entry of an array in the header and its bytes."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    entry: dict[str, Any] = {"dtype": little.dtype.str, "shape": list(array.shape)}
    if array.size and (array == array.flat[0]).all():
        return {**entry, "constant": int(array.flat[0])}, b""
    data = np.ascontiguousarray(little).tobytes()
    return {**entry, "bytes": len(data)}, data


def _sealed(body: bytes) -> bytes:
    """Return the body behind its seal."""
    fixed = f"version {VERSION}\nbytes "
    size = _DIGEST_END + len(fixed) + 11 + len(body)
    rest = f"{fixed}{size:010d}\n".encode() + body
    return _MAGIC + hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


def _check_seal(data: bytes, source: str) -> int:
    """Return where the body starts, after checking that the bytes are complete, undamaged and of a known version."""
    if not data.startswith(_MAGIC[: max(len(data), 1)]):
        _refuse_foreign(data, source)
    fields = re.match(rb"version (\d+)\nbytes (\d+)\n", data[_DIGEST_END : _DIGEST_END + 40])
    if fields is None or len(data) < int(fields[2]):
        size = str(int(fields[2])) if fields else "an unknown number of"
        raise CorruptFileError(f"{source} is cut short: {len(data)} of {size} bytes are there. {_WRITE_AGAIN}")
    if data[len(_MAGIC) : _DIGEST_END] != hashlib.sha256(data[_DIGEST_END:]).hexdigest().encode() + b"\n":
        raise CorruptFileError(f"{source} is damaged: its SHA-256 digest differs from the one in its seal. {_WRITE_AGAIN}")
    if int(fields[1]) > VERSION:
        raise SchemaVersionError(f"{source} has version {int(fields[1])}; this Neckar reads configurations up to version {VERSION}. Install a newer one.")
    return _DIGEST_END + fields.end()


def _refuse_foreign(data: bytes, source: str) -> NoReturn:
    """Raise the error that says what the bytes look like."""
    if not data.strip(b"\0"):
        state = "empty" if not data else f"{len(data)} zero bytes"
        raise CorruptFileError(f"{source} is {state}: its writer did not finish. {_WRITE_AGAIN}")
    known = (meaning for start, meaning in _FOREIGN if data.startswith(start))
    meaning = next(known, f"something that starts with {data[:12]!r}")
    remedy = "Use a file that Neckar wrote, for instance beside pynn.helper.nightly_calib_path()."
    raise FileFormatError(f"{source} is no configuration of Neckar; it looks like {meaning}. {remedy}")


def _unpacked(packed: bytes) -> bytes:
    """Return the bytes that zlib packed, without trusting how many they are."""
    machine = zlib.decompressobj()
    data = machine.decompress(packed, _UNPACKED_MAX)
    if not machine.eof or machine.unused_data:
        raise ValueError("the packed arrays do not end where they should")
    return data


def _parse_text(data: bytes, source: str) -> PartialConfiguration:
    try:
        machine = zlib.decompressobj(wbits=31)
        text = machine.decompress(data, 4 * _UNPACKED_MAX)
        if not machine.eof:
            raise CorruptFileError(f"{source} is cut short: the packed text does not end. {_WRITE_AGAIN}")
    except zlib.error as error:
        raise CorruptFileError(f"{source} is damaged: {error}. {_WRITE_AGAIN}") from error
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("format") != _TEXT_FORMAT:
        raise FileFormatError(f"{source} is packed text, but no configuration of Neckar. Use a file that Neckar wrote.")
    try:
        if int(document["version"]) > VERSION:
            raise SchemaVersionError(f"{source} has version {document['version']}; this Neckar reads up to version {VERSION}. Install a newer one.")
        body = {name: document[name] for name in ("provenance", "fields", "masks")}
        if document["sha256"] != _text_digest(body):
            raise CorruptFileError(f"{source} is damaged or was edited: its SHA-256 digest differs. {_WRITE_AGAIN}")
        fields = {name: _of_type(name, codes) for name, codes in body["fields"].items()}
        masks = {name: np.asarray(mask, bool) for name, mask in body["masks"].items()}
        return _contents(fields, masks, body["provenance"], source)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise CorruptFileError(f"{source} contradicts itself: {error}. {_WRITE_AGAIN}") from error


def _of_type(name: str, codes: Any) -> NDArray[Any]:
    array = np.asarray(codes)
    return array.astype(np.bool_) if name in _FIELDS and _FIELDS[name].dtype == np.bool_ else array


def _text_digest(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _contents(fields: Arrays, masks: Arrays, provenance: Mapping[str, str], source: str) -> PartialConfiguration:
    """Check everything against the register table and return it; what is masked out becomes the default."""
    checked = {}
    for name, array in fields.items():
        if name not in _FIELDS:
            raise SchemaVersionError(f"{source} holds the field {name!r}, which this Neckar does not have{nearest(name, _FIELDS)} Another version wrote it.")
        whole = check_field(_FIELDS[name], array)
        if name in masks:
            whole = np.where(masks[name], whole, _FIELDS[name].default).astype(whole.dtype)
        whole = whole if whole.base is not None and whole.flags.c_contiguous and not whole.flags.writeable else np.array(whole)
        whole.flags.writeable = False
        checked[name] = whole
    return PartialConfiguration(MappingProxyType(checked), MappingProxyType(dict(masks)), MappingProxyType(_texts(provenance)))
