"""The finished stages of a calibration by measurement, in files.

A folder per calibration holds two files for the newest stage, written whole, the second last: what the chip holds (``<n>-chip.h5``, a file of
:mod:`neckar.program`) and where the bench stands (``<n>-bench.pbin``, a configuration file). A process that dies at any moment leaves the newest complete
pair, and the next one goes on from there: with the chip as it was, analog cells and all, and with the run numbers that follow. So a calibration that was
interrupted, however often, has the same bits as one that was not.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar import program as program_file
from neckar.calibration.files import sweep
from neckar.calibration.measure.journal import Checkpoint, Cost
from neckar.chip import config_file
from neckar.errors import FileFormatError
from neckar.lab import Lab, Session
from neckar.program import Program, Provenance, Recording
from neckar.whole_file import write_whole

_log = logging.getLogger(__name__)

_BENCH, _CHIP = "-bench.pbin", "-chip.h5"
_ABANDONED_S = 30 * 24 * 3600.0


def sweep_journals(folder: Path, own: Path) -> None:
    """Remove the journals in a folder but one's own that nobody has gone on with for a month, such as those of other versions; locks, empty, stay."""
    for path in set(folder.glob("*.journal")) - {own}:
        with contextlib.suppress(OSError):
            if time.time() - max(file.stat().st_mtime for file in (path, *path.iterdir())) > _ABANDONED_S:
                shutil.rmtree(path, ignore_errors=True)


class NumberedChip:
    """The chip of a lab whose runs are numbered by whoever holds it, so that an interrupted row goes on with the number that follows.

    Parameters
    ----------
    lab : Lab
        Its seed is that of the runs.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab, self._number = lab, 0
        self.session: Session = lab.session()

    def run(self, program: Program) -> Recording:
        """Run a program on the chip as the last one left it."""
        numbered = program.seeded(self._lab.seed, self._number)
        self._number += 1
        return self.session.run(numbered)

    def resume(self, state: program_file.MachineState, runs: int) -> None:
        """Take the chip as it is in a state after so many runs."""
        self.session, self._number = self._lab.session(state), runs


class FileJournal:
    """Keeps the finished stages of one calibration in a folder; a :class:`neckar.calibration.measure.Journal`.

    Parameters
    ----------
    folder : Path
        Its own. Made with the first stage.
    chip : NumberedChip
        The chip that is calibrated.
    """

    def __init__(self, folder: Path, chip: NumberedChip) -> None:
        self._folder, self._chip = folder, chip
        self._is_full = False

    def kept(self, stages: Sequence[str]) -> Checkpoint | None:
        """Return where the calibration stopped and bring the chip there; None, and the chip as it was, if no whole checkpoint belongs to the stages."""
        for path in sorted(self._folder.glob(f"*{_BENCH}"), reverse=True):
            try:
                checkpoint, state = self._read(path)
            except (OSError, FileFormatError, KeyError, TypeError, ValueError) as error:
                _log.warning("a finished stage in %s cannot be read (%s) and is measured again", path, error)
                continue
            if not checkpoint.begins(stages):
                _log.warning("the finished stages in %s are not the first ones of this calibration, and are not used", path)
                continue
            self._chip.resume(state, sum(cost.programs for cost in checkpoint.costs))
            _log.info("going on after %d finished stages, the last of them %s", len(checkpoint.costs), checkpoint.costs[-1].stage)
            return checkpoint
        return None

    def keep(self, checkpoint: Checkpoint) -> None:
        """Keep the newest stage; a disk that refuses is said once, and the calibration goes on without."""
        state = self._chip.session.state
        if self._is_full or state is None:  # nothing was run yet that an interruption could lose
            return
        stem = f"{len(checkpoint.costs):03d}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            sweep(self._folder)
            write_whole(self._folder / f"{stem}{_CHIP}", program_file.dumps(state=state), synced=False)
            write_whole(self._folder / f"{stem}{_BENCH}", config_file.dumps(checkpoint.codes, _texts(checkpoint)), synced=False)
        except OSError as error:
            self._is_full = True
            _log.warning("finished stages cannot be kept in %s (%s); the calibration goes on, and starts anew if it is interrupted", self._folder, error)
            return
        for path in self._folder.glob("*-*"):
            if not path.name.startswith(stem):
                with contextlib.suppress(OSError):
                    path.unlink()

    def remove(self) -> None:
        """Remove what was kept: the calibration is finished."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self, path: Path) -> tuple[Checkpoint, program_file.MachineState]:
        codes, texts = config_file.loads(path.read_bytes(), f"file {str(path)!r}")
        state = program_file.load(path.with_name(path.name.replace(_BENCH, _CHIP))).state
        if state is None:
            raise FileFormatError(f"the file beside {path} holds no state of a chip")
        costs = tuple(Cost(*cost) for cost in json.loads(texts["costs"]))
        checkpoint = Checkpoint(
            costs,
            codes,
            {name: np.asarray(state.registers[name]) for name in json.loads(texts["sent"])},
            _unpacked(json.loads(texts["success"])),
            Provenance.from_json(texts["provenance"]) if texts["provenance"] else None,
        )
        return checkpoint, state


def _texts(checkpoint: Checkpoint) -> dict[str, str]:
    return {
        "costs": json.dumps(checkpoint.costs),
        "sent": json.dumps(list(checkpoint.sent)),
        "success": json.dumps(_packed(checkpoint.success)),
        "provenance": checkpoint.provenance.to_json() if checkpoint.provenance is not None else "",
    }


def _packed(arrays: Mapping[str, NDArray[Any]]) -> dict[str, list[Any]]:
    """Return arrays as JSON, bit by bit."""
    listed = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return {name: [a.dtype.str, list(np.shape(arrays[name])), base64.b64encode(a.tobytes()).decode()] for name, a in listed.items()}


def _unpacked(listed: Mapping[str, list[Any]]) -> dict[str, NDArray[Any]]:
    return {name: np.frombuffer(base64.b64decode(data), dtype).reshape(shape) for name, (dtype, shape, data) in listed.items()}
