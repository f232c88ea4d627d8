"""The calibration of every week: correlation sensors of the chip of a connection, made as those of every night and saved in all formats."""

from __future__ import annotations

from pathlib import Path

from calix._connection import StatefulConnection
from calix.scripts.calix_generate_default_calibration import RecorderAndDumper, run_as_script
from dlens_vx_v3.hxcomm import ManagedConnection


class CorrelationCalib(RecorderAndDumper):
    """Spiking networks with correlation sensors."""

    kind = "correlation"


def run_and_save_all(deployment_folder: Path) -> None:
    """Calibrate the chip of a new connection and save the result in a folder."""
    with ManagedConnection() as connection:
        CorrelationCalib().record_and_dump(StatefulConnection(connection), deployment_folder)


if __name__ == "__main__":
    run_as_script(__doc__, run_and_save_all)
