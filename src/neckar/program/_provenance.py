"""Provenance: which virtual chip, which model, which seed, which effects, which versions."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neckar.errors import FileFormatError, ProgramError
from neckar.program._plain import FrozenDict, Plain, integer, summary
from neckar.program._schema import SCHEMA_VERSION

Json = bool | int | float | str | tuple[Any, ...] | Mapping[str, Any] | None


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Provenance(Plain):
    """Plain JSON that says how a Recording came about; with the Program it suffices to repeat the run.

    Parameters
    ----------
    neckar : str
        Version of the package.
    model_version : str
        Version of the circuit models; a change of it moves observables.
    schema_version : int
        Version of the data model.
    chip : mapping
        id, seed, statistics version, age in hours, hash of overrides.
    effects : mapping
        Which imperfections were on.
    instruments : str
        ``"silicon"`` or ``"open"``.
    run_seed : (int, int)
        Lab seed and run number.
    step_ticks : sequence of number
        Integration step in ticks, one value for each stretch of constant parameters of entry 0 (a snippet, or a part of it between writes that change
        parameters).
    active_circuits : sequence of int
        Circuits that were integrated.
    calibration : str, optional
        Id of the calibration in use.
    environment : mapping
        Versions of Python, numpy and numba.

    Raises
    ------
    ProgramError
        If a value is not plain JSON (finite numbers, integers of at most 64 bits, strings, booleans, None, sequences, mappings with string keys).
    """

    neckar: str
    model_version: str
    schema_version: int = SCHEMA_VERSION
    chip: Mapping[str, Any]
    effects: Mapping[str, Any]
    instruments: str
    run_seed: tuple[int, int]
    step_ticks: tuple[float, ...]
    active_circuits: tuple[int, ...]
    calibration: str | None = None
    environment: Mapping[str, Any]

    def __post_init__(self) -> None:
        self._set(**{f.name: _frozen_json(getattr(self, f.name), f"Provenance.{f.name}") for f in dataclasses.fields(self)})
        self._set(schema_version=integer(self.schema_version, "Provenance.schema_version", low=1))

    def to_json(self) -> str:
        """Return the provenance as a JSON object with sorted keys."""
        return json.dumps({f.name: getattr(self, f.name) for f in dataclasses.fields(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Provenance:
        """Read what :meth:`to_json` wrote; the round trip is exact.

        Raises
        ------
        FileFormatError
            If `text` is not JSON or has other keys.
        """
        try:
            return cls(**json.loads(text))
        except (json.JSONDecodeError, TypeError) as error:
            keys = ", ".join(f.name for f in dataclasses.fields(cls))
            text = f"the text {summary(text)} is not a provenance ({error}); allowed is a JSON object with {keys}. Use the text of to_json."
            raise FileFormatError(text) from error


class FrozenJson(FrozenDict[str, Any]):
    """A mapping that is known to be plain JSON and frozen: a provenance takes it without looking at its parts."""

    __slots__ = ()

    @classmethod
    def of(cls, mapping: Mapping[str, Any], where: str) -> FrozenJson:
        """Return a mapping frozen, with all its parts; `where` names it in an error."""
        return cls({key: _frozen_json(item, f"{where}[{key!r}]") for key, item in mapping.items()})


def _frozen_json(value: object, where: str) -> Json:
    """Return plain JSON with tuples for lists and frozen mappings for dictionaries."""
    if value is None or type(value) in (str, bool):
        return value  # type: ignore[return-value]
    if type(value) is FrozenJson:
        return value
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return FrozenDict({key: _frozen_json(item, f"{where}[{key!r}]") for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        if value and set(map(type, value)) == {int} and min(value) >= -(2**63) and max(value) < 2**64:
            return tuple(value)
        return tuple(_frozen_json(item, f"{where}[{i}]") for i, item in enumerate(value))
    if isinstance(value, str):
        return str(value)
    if (type(value) is float and math.isfinite(value)) or (type(value) is int and -(2**63) <= value < 2**64):
        return value
    kind = type(value).__name__
    raise ProgramError(f"{where} is {summary(value)} of type {kind}; allowed is plain JSON, numbers finite and within 64 bits. Convert it (.item()).")
