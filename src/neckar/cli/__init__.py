"""The command ``neckar``: one file per command.

The files import nothing heavy; numpy, the machine and plots are loaded by the command that needs them, so that ``neckar --help`` answers at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from neckar import __version__
from neckar.cli import bench, calibrate, chip, cost, demo, doctor, kernel, passport, replay, run
