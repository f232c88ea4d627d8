"""What was measured on a chip: the file that ``neckar chip characterise`` makes a script for, as plain arrays.

The file is a numpy archive of raw settings and readings, described in the script itself (``neckar/cli/_characterise_script.py``); nothing in it is executed.
Runs that are *checks* are kept for a test of predictions. Whatever fits asks :attr:`Characterisation.fitted`, which does not contain them.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.errors import CorruptFileError, FileFormatError, SchemaVersionError
from neckar.facts import AXES, check_field, registers

FORMAT, VERSION = "bss2-characterisation", 1
RECEPTORS = ("excitatory", "inhibitory")

_TABLE = registers("brainscales2")
_N = AXES["circuit"]

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Readings:
    """What the instruments showed in one run; times are NaN where there is no sample.

    Attributes
    ----------
    time_us, value : ndarray, shape (circuit, sample), float64
        Samples of a converter, LSB; no columns in a run of spikes.
    spike_us : ndarray, shape (spike,), float64
    spike_circuit : ndarray, shape (spike,), int64
    """

    time_us: Values = field(default_factory=lambda: np.zeros((_N, 0)))
    value: Values = field(default_factory=lambda: np.zeros((_N, 0)))
    spike_us: Values = field(default_factory=lambda: np.zeros(0))
    spike_circuit: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


def same_times(time_us: Values) -> list[slice]:
    """Return stretches of circuits that were read at the same times: hemispheres, or single circuits where the software hands on each one's own clock."""
    half = len(time_us) // 2
    result: list[slice] = []
    for part in (slice(0, half), slice(half, len(time_us))):
        equal = np.array_equal(time_us[part], np.broadcast_to(time_us[part][:1], time_us[part].shape), equal_nan=True)
        result += [part] if equal else [slice(i, i + 1) for i in range(part.start, part.stop)]
    return result


@dataclass(frozen=True, eq=False)
class Setting:
    """What a run was: codes of all circuits, switches on the way, and input.

    Attributes
    ----------
    name : str
    kind : str
        ``"cadc"``, ``"madc"`` or ``"spikes"``: what was read.
    codes : mapping of str to ndarray, shape (circuit,)
        Registers of the circuits; those that are missing have their default.
    sections : tuple of (float, mapping of str to int)
        Duration in us, and switches that change at its beginning.
    receptor : str or None
        The input that gets events.
    weight : int
        Of each synapse.
    events_us : tuple of float
        When all sources send one event.
    """

    name: str
    kind: str
    codes: Mapping[str, NDArray[Any]]
    sections: tuple[tuple[float, Mapping[str, int]], ...]
    receptor: str | None = None
    weight: int = 0
    events_us: tuple[float, ...] = ()

    @property
    def duration_us(self) -> float:
        """Duration of all sections."""
        return float(sum(us for us, _ in self.sections))


@dataclass(frozen=True, eq=False)
class Run:
    """A setting and what was read."""

    setting: Setting
    readings: Readings
    is_check: bool = False


@dataclass(frozen=True, eq=False)
class Synapses:
    """Where the synapses of one input are.

    Attributes
    ----------
    neuron, source, hemisphere, row, column : ndarray of int64, shape (synapse,)
    """

    neuron: NDArray[np.int64]
    source: NDArray[np.int64]
    hemisphere: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Characterisation:
    """All runs of one chip.

    Attributes
    ----------
    chip : str
        What the experiment's software calls it; a label.
    sources : int
        Spike sources of each input; each reaches all circuits by one synapse.
    runs : tuple of Run
    synapses : mapping of str to Synapses
        By receptor; empty columns where the software did not tell.
    placement : mapping of str to str
        By receptor, how the places are known: ``"read"``, or why they are unknown.
    """

    chip: str
    sources: int
    runs: tuple[Run, ...]
    synapses: Mapping[str, Synapses]
    placement: Mapping[str, str] = field(default_factory=dict)

    @property
    def fitted(self) -> Characterisation:
        """The characterisation without its checks: all that a fit may see."""
        return Characterisation(self.chip, self.sources, tuple(run for run in self.runs if not run.is_check), self.synapses, self.placement)

    @property
    def checks(self) -> tuple[Run, ...]:
        """The runs that predictions are compared with."""
        return tuple(run for run in self.runs if run.is_check)


def load(path: str | Path) -> Characterisation:
    """Read a characterisation.

    Parameters
    ----------
    path : str or Path
        What a script of ``neckar chip characterise`` wrote.

    Raises
    ------
    FileFormatError
        If the file is something else; CorruptFileError if it is incomplete, SchemaVersionError if a newer script wrote it.
    """
    where = str(path)
    try:
        with np.load(where, allow_pickle=False) as archive:
            if "header" not in archive:
                raise FileFormatError(f"{where} is a numpy archive without a header; allowed is what a script of neckar chip characterise wrote.")
            header = json.loads(str(archive["header"]))
            _check_header(header, where)
            return _read(header, archive)
    except (KeyError, IndexError, TypeError, json.JSONDecodeError, zipfile.BadZipFile, EOFError) as error:
        raise CorruptFileError(f"{where} is damaged or incomplete: {error}. Transfer it again, or run the script again.") from error
    except ValueError as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{where} is no characterisation of a chip: {error}. Allowed is what a script of neckar chip characterise wrote.") from error


def _check_header(header: Any, where: str) -> None:
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise FileFormatError(f"{where} does not say that it is a {FORMAT}; allowed is what a script of neckar chip characterise wrote.")
    if header["version"] > VERSION:
        raise SchemaVersionError(f"{where} has version {header['version']}; this Neckar reads versions up to {VERSION}. Update Neckar.")


def _read(header: dict[str, Any], archive: Any) -> Characterisation:
    runs = tuple(_run(said, number, archive) for number, said in enumerate(header["runs"]))
    columns = {receptor: archive[f"synapse_{receptor}"].astype(np.int64).reshape(-1, 5).T for receptor in RECEPTORS}
    synapses = {name: Synapses(*column) for name, column in columns.items()}
    said = {name: "read" if len(used.row) else "placement unknown: the file does not say why" for name, used in synapses.items()}
    return Characterisation(str(header["chip"]), int(header["sources"]), runs, synapses, {**said, **header.get("placement", {})})


def _run(said: dict[str, Any], number: int, archive: Any) -> Run:
    prefix = f"r{number}_"
    arrays = {name.removeprefix(prefix): archive[name] for name in archive.files if name.startswith(prefix)}
    codes = {name: check_field(_TABLE[name], np.broadcast_to(array, _N)) for name, array in arrays.items() if name in _TABLE}
    setting = Setting(
        name=said["name"],
        kind=said["kind"],
        codes=codes,
        sections=tuple((1e3 * ms, {name: int(value) for name, value in switches.items()}) for ms, switches in said["sections"]),
        receptor=said.get("receptor"),
        weight=int(said.get("weight", 0)),
        events_us=tuple(1e3 * ms for ms in said.get("events_ms", ())),
    )
    if said["kind"] == "spikes":
        readings = Readings(spike_us=arrays["spike_us"].astype(np.float64), spike_circuit=arrays["spike_circuit"].astype(np.int64))
    else:
        readings = Readings(arrays["time_us"].astype(np.float64), arrays["value"].astype(np.float64))
    return Run(setting, readings, bool(said["check"]))
