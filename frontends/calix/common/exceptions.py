"""Errors of upstream's calibration."""


class CalibError(Exception):
    """Base of the errors of a calibration."""


class CalibNotSuccessful(CalibError):
    """A calibration did not find what it searched for."""


class CalibNotSupported(CalibError):
    """A calibration that is not possible this way."""


class TooFewSamplesError(CalibError):
    """The membrane converter sent fewer samples than expected."""


class AlgorithmError(Exception):
    """Base of the errors of a search."""


class ExcessiveNoiseError(AlgorithmError):
    """A search was started with more noise than its range has room for."""


class HardwareError(Exception):
    """The chip behaves unexpectedly."""
