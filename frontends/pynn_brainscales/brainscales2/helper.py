"""Calibrated chips and their files, and the parts of a neuron circuit by name (``pynn.helper``).

Files of a calibration come from :mod:`neckar.calibration.store`, which makes them for the current lab's virtual chip when a path is asked for.
"""

from __future__ import annotations

import hashlib
import reprlib
from collections.abc import Iterable
from pathlib import Path

from dlens_vx_v3 import hxcomm, lola, sta
from dlens_vx_v3._member import Member
from dlens_vx_v3._part import Sub, declared
from dlens_vx_v3.hxcomm import ZERO_MOCK_IDENTIFIER, choice
from neckar.calibration import store, tell_origin
from neckar.chip.config_file import loads
from neckar.lab import current_lab
from pynn_brainscales.brainscales2._errors import ArgumentTypeError, MissingCalibrationError

__all__ = [
    "ATOMIC_NEURON_MEMBERS",
    "chip_from_file",
    "chip_from_nightly",
    "chip_from_portable_binary",
    "decompose_in_member_names",
    "get_unique_identifier",
    "get_values_of_atomic_neuron",
    "nightly_calib_path",
    "nightly_calib_url",
]

_FILE = "spiking_cocolist.pbin"

ATOMIC_NEURON_MEMBERS = sorted(name for name, entry in declared(lola.AtomicNeuron).items() if isinstance(entry, Sub))
"""Names of the groups of registers of ``lola.AtomicNeuron``."""


def chip_from_portable_binary(data: bytes) -> lola.Chip:
    """Return the chip that a configuration file of Neckar describes; registers that it does not mention have their default.

    Parameters
    ----------
    data : bytes
        Content of a ``*_cocolist.pbin`` that Neckar wrote.

    Raises
    ------
    FileFormatError
        If the bytes are damaged, cut short, or no configuration of Neckar; the text says what they look like.

    Warns
    -----
    ForeignCalibrationWarning
        If it is the calibration of another virtual chip than the current lab's.
    """
    return _chip(data, "the portable binary")


def chip_from_file(path: str | Path) -> lola.Chip:
    """Return the chip that a configuration file describes; errors and warnings as in :func:`chip_from_portable_binary`, and those of opening a file."""
    return _chip(Path(path).read_bytes(), f"file {str(path)!r}")


def _chip(data: bytes, source: str) -> lola.Chip:
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ArgumentTypeError(f"{source} is {reprlib.repr(data)}; allowed are the bytes of a file. Open it with mode 'rb', or use chip_from_file.")
    provenance = loads(data, source)[1]
    tell_origin(provenance, current_lab(), source, stacklevel=4)  # the script that calls a function of this module
    dump = sta.DumperDone()
    sta.from_portablebinary(dump, data)
    chip = sta.convert_to_chip(dump)
    if "method" in provenance:
        chip._store.calibration = f"{provenance['method']}, {provenance.get('chip', '?')}, sha256 {hashlib.sha256(data).hexdigest()[:16]}"
    return chip


def get_unique_identifier() -> list[str]:
    """Return the identifier of each chip that a connection would open; a virtual chip's is its name."""
    with hxcomm.ManagedConnection() as connection:
        return connection.get_unique_identifier()


def nightly_calib_path() -> Path:
    """Return where the calibration of the current lab's chip for spiking networks lies; the folder holds those of other kinds, too.

    The files are made by the oracle if they are not there yet (a second). With the connection without a chip (``HXCOMM_ENABLE_ZERO_MOCK``) it is upstream's
    path, where nothing is.

    Raises
    ------
    CalibrationCacheError
        If the files cannot be written.
    """
    if choice() == "zeromock":
        return Path("/wang/data/calibration", store.PLATFORM, ZERO_MOCK_IDENTIFIER, "stable", "latest", _FILE)
    return store.ensure(current_lab()) / _FILE


def nightly_calib_url() -> str:
    """Return the address of the same file: a ``file:`` URL, because a virtual chip's calibration lies on this machine."""
    return nightly_calib_path().as_uri()


def chip_from_nightly() -> lola.Chip:
    """Return the current lab's chip with its calibration for spiking networks.

    Raises
    ------
    MissingCalibrationError
        With the connection without a chip, which has no calibration.
    """
    path = nightly_calib_path()
    if not path.exists():
        raise MissingCalibrationError(f"the connection without a chip (HXCOMM_ENABLE_ZERO_MOCK) has no calibration in {path}. Remove the variable.")
    return chip_from_file(path)


def get_values_of_atomic_neuron(atomic_neuron: lola.AtomicNeuron, exclude: Iterable[str] | None = None) -> dict[str, float | bool]:
    """Return all registers of a neuron circuit by flat name, such as ``leak_v_leak``: switches as booleans, codes as floats.

    Parameters
    ----------
    atomic_neuron : lola.AtomicNeuron
    exclude : iterable of str, optional
        Flat names to leave out.
    """
    left_out = set(exclude or ())
    values: dict[str, float | bool] = {}
    for group in ATOMIC_NEURON_MEMBERS:
        part = getattr(atomic_neuron, group)
        for name, entry in sorted(declared(type(part)).items()):
            if isinstance(entry, Member) and (flat := f"{group}_{name}") not in left_out:
                value = getattr(part, name)
                values[flat] = value if isinstance(value, bool) else float(value)
    return values


def decompose_in_member_names(composed_name: str) -> tuple[str, str]:
    """Return group and register of a flat name: ``("multicompartment", "i_bias_nmda")`` for ``multicompartment_i_bias_nmda``.

    A name that belongs to no group is returned with an empty group, as upstream does.
    """
    groups = [group for group in ATOMIC_NEURON_MEMBERS if composed_name.startswith(group)]
    group = max(groups, key=len, default="")
    return group, composed_name[len(group) + 1 :] if group else composed_name
