"""The lab: the one place where every front end gets chip, effects, instruments, seeds and executor.

    with neckar.Lab(chip=7, effects="ideal") as lab:
        recording = lab.run(program)

Public: :class:`Lab`, :func:`current_lab`, :class:`Session`, :class:`MapError`, :class:`MapKeyboardInterrupt`, :func:`again`, :func:`execute`,
:func:`observe`, :func:`observe_children`, :func:`summary`, :func:`command_line`, :data:`ENVIRONMENT`. Importing it imports neither numpy nor the machine.
"""

from neckar.lab._again import again
from neckar.lab._execute import execute
from neckar.lab._lab import Lab, current_lab
from neckar.lab._map import MapError, MapKeyboardInterrupt
from neckar.lab._observe import observe, observe_children, summary
from neckar.lab._session import Session
from neckar.lab._settings import ENVIRONMENT, command_line

__all__ = [
    "ENVIRONMENT",
    "Lab",
    "MapError",
    "MapKeyboardInterrupt",
    "Session",
    "again",
    "command_line",
    "current_lab",
    "execute",
    "observe",
    "observe_children",
    "summary",
]
