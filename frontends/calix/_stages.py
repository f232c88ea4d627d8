"""Single parts of a calibration, measured on the chip of a connection as it is.

A calibration of a whole chip starts from a reset. The functions of upstream's modules calibrate a part of it, in the state in which the script has brought it:
here a bench takes over the registers that the chip holds, runs the stages of :mod:`neckar.calibration.measure`, and leaves their result on the chip.
"""

from __future__ import annotations

from typing import NoReturn

from calix.common.exceptions import CalibNotSupported
from neckar.errors import UnsupportedFeatureError


class MeasurementMissingError(UnsupportedFeatureError, CalibNotSupported):
    """Something was asked for that is not measured in this version."""


def refuse_measurement(what: str) -> NoReturn:
    """Raise the error that says what is not measured, and what to do."""
    raise MeasurementMissingError(
        f"{what} calibrates a part of a chip, which is not part of this version of Neckar. Calibrate the whole by calix.calibrate(target)."
    )
