"""The calibrations of every night of the chip of a connection, saved in all formats; ``neckar calibrate`` does the same, with a report.

They are measured, unless ``NECKAR_CALIBRATION_METHOD=oracle`` asks for the inverted model; a line of the log says which one it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from calix._calibrate import found_without_cache
from calix._connection import StatefulConnection
from calix._targets import from_neckar
from dlens_vx_v3 import logger
from dlens_vx_v3.hxcomm import ManagedConnection
from neckar.calibration import NIGHTLY, made_by
from neckar.calibration.store import FORMATS
from neckar.whole_file import write_whole

_log = logger.get("calix.scripts")


class RecorderAndDumper:
    """Calibrates a chip for one kind of experiments and saves the result."""

    kind: str

    def record_and_dump(self, connection: Any, deployment_folder: Path) -> None:
        """Calibrate the chip of a connection, leave it there, and write ``<kind>_<format>`` for each format into a folder.

        Parameters
        ----------
        connection : StatefulConnection or hxcomm.ConnectionHandle
        deployment_folder : Path
            Has to exist.
        """
        found = found_without_cache(*from_neckar(NIGHTLY[self.kind]), connection)
        _log.INFO(f"{self.kind} for {deployment_folder}: {made_by(found.provenance)}")
        for name, written in FORMATS.items():
            write_whole(Path(deployment_folder) / f"{self.kind}_{name}", written(found))


class HagenCalib(RecorderAndDumper):
    """Integration on membranes."""

    kind = "hagen"


class HagenSyninCalib(RecorderAndDumper):
    """Integration on synaptic lines."""

    kind = "hagen_synin"


class SpikingCalib(RecorderAndDumper):
    """Spiking networks."""

    kind = "spiking"


class SpikingCalib2(RecorderAndDumper):
    """Spiking networks with short time constants."""

    kind = "spiking2"


def run_and_save_all(deployment_folder: Path) -> None:
    """Calibrate the chip of a new connection for each kind and save all results in a folder."""
    with ManagedConnection() as connection:
        for calib in (HagenCalib(), HagenSyninCalib(), SpikingCalib(), SpikingCalib2()):
            calib.record_and_dump(StatefulConnection(connection), deployment_folder)


def run_as_script(description: str | None, run: Callable[[Path], None]) -> None:
    """Let a script on the command line fill the folder that is its argument, and say by which method."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("deployment_folder", type=Path, help="folder for the files; made if it does not exist")
    folder = parser.parse_args().deployment_folder
    folder.mkdir(parents=True, exist_ok=True)
    logger.default_config(level=logger.LogLevel.INFO)
    run(folder)


if __name__ == "__main__":
    run_as_script(__doc__, run_and_save_all)
