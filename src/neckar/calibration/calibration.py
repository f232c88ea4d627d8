"""The result of a calibration: plain data, the same for every method.

A :class:`Calibration` holds register fields, says for each element that was searched whether its target was reached, and carries its origin: method, chip,
effects, versions. Its bytes are a configuration file (:mod:`neckar.chip.config_file`), so whoever can read a configuration can load a calibrated chip, and
whoever wants to know where it comes from finds it in the same file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.targets import ChipTarget, from_json
from neckar.chip.config_file import dumps, dumps_text, loads
from neckar.errors import CorruptFileError, FileFormatError, UnknownNameError, nearest
from neckar.facts import AXES, registers
from neckar.program._plain import FrozenDict, Plain, frozen

_TABLE = registers("brainscales2")
_OWN_KEYS = ("calibration_target", "calibration_success")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Calibration(Plain):
    """Codes that make a chip do what was asked, and how far that was reached.

    Attributes
    ----------
    target : PotentialTarget, SpikingTarget, HagenTarget or HagenSyninTarget
    fields : mapping of str to ndarray
        Whole register fields, read-only. Apply them with ``ChipConfig.updated``.
    success : mapping of str to ndarray of bool
        For each searched field, in its shape: whether the element reached its target. Elements that did not hold the nearest code.
    provenance : mapping of str to str
        ``method`` (oracle or measurement), ``chip``, ``chip_seed``, ``statistics_version``, ``age_h``, ``overrides`` (digest), ``effects``, ``neckar``,
        ``model_version``.
    """

    target: ChipTarget
    fields: Mapping[str, NDArray[Any]]
    success: Mapping[str, NDArray[np.bool_]]
    provenance: Mapping[str, str]

    def __post_init__(self) -> None:
        self._set(
            fields=FrozenDict({name: frozen(array, f"fields[{name!r}]") for name, array in self.fields.items()}),
            success=FrozenDict({name: frozen(array, f"success[{name!r}]") for name, array in self.success.items()}),
            provenance=FrozenDict(self.provenance),
        )

    def reached(self, axis: str = "circuit") -> NDArray[np.bool_]:
        """Return which elements along an axis reached all of their targets.

        Parameters
        ----------
        axis : str
            ``"circuit"``, ``"quadrant"`` or, for several axes, their names joined by a comma, such as ``"hemisphere,driver"``. Fields with exactly these axes
            count. Without any, all elements reached theirs.

        Raises
        ------
        UnknownNameError
            If there is no such axis.
        """
        axes = tuple(axis.split(","))
        for name in axes:
            if name not in AXES:
                raise UnknownNameError(f"a calibration has no axis {name!r}{nearest(name, AXES)}")
        masks = [mask for name, mask in self.success.items() if _TABLE[name].axes == axes]
        whole = np.ones([AXES[name] for name in axes], bool)
        return np.logical_and.reduce([whole, *masks])

    def failures(self) -> dict[str, int]:
        """Return how many elements of each field missed their target; fields without failures are left out."""
        counts = {name: int(np.count_nonzero(~mask)) for name, mask in self.success.items()}
        return {name: count for name, count in counts.items() if count}

    def dumps(self) -> bytes:
        """Return the calibration as bytes of a configuration file."""
        return dumps(self.fields, self._texts())

    def dumps_text(self) -> bytes:
        """Return the calibration as a configuration in packed text."""
        return dumps_text(self.fields, self._texts())

    @classmethod
    def loads(cls, data: bytes, source: str = "calibration data") -> Calibration:
        """Read what :meth:`dumps` or :meth:`dumps_text` wrote; the round trip is exact.

        Raises
        ------
        FileFormatError
            If the bytes are no configuration file of Neckar, or one without a calibration; CorruptFileError if they are incomplete or damaged,
            SchemaVersionError if another version wrote them.
        """
        fields, provenance = loads(data, source)
        if any(key not in provenance for key in _OWN_KEYS):
            raise FileFormatError(f"{source} holds the configuration of a chip, but no calibration. Load it with pynn.helper.chip_from_file.")
        try:
            target = from_json(json.loads(provenance[_OWN_KEYS[0]]))
            success = {name: _unpacked(name, text) for name, text in json.loads(provenance[_OWN_KEYS[1]]).items()}
        except (KeyError, ValueError) as error:
            if isinstance(error, FileFormatError):
                raise
            raise CorruptFileError(f"{source} holds a calibration that contradicts itself: {error}. Make the calibration anew.") from error
        if not isinstance(target, ChipTarget):
            raise CorruptFileError(f"{source} holds a calibration of a {type(target).__name__}, which is only a part of one. Make the calibration anew.")
        origin = {name: text for name, text in provenance.items() if name not in _OWN_KEYS}
        return cls(target=target, fields=fields, success=success, provenance=origin)

    def _texts(self) -> dict[str, str]:
        success = {name: _packed(mask) for name, mask in self.success.items()}
        return {**self.provenance, _OWN_KEYS[0]: json.dumps(self.target.as_json()), _OWN_KEYS[1]: json.dumps(success)}


def _packed(mask: NDArray[np.bool_]) -> str:
    return "all" if mask.all() else np.packbits(mask).tobytes().hex()


def _unpacked(name: str, text: str) -> NDArray[np.bool_]:
    shape = _TABLE[name].shape
    if text == "all":
        return np.ones(shape, bool)
    size = int(np.prod(shape))
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8), count=size).astype(bool).reshape(shape)
