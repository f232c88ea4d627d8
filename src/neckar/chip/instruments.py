"""Whether the limits of the real instruments hold: a choice that labs, chips and recordings name by one word."""

from __future__ import annotations

from neckar.errors import UnknownNameError, nearest

INSTRUMENTS = ("silicon", "open")
"""``silicon``: two inputs of the MADC that share one converter, rows of the CADC in the pace of its processors. ``open``: any number of channels, each at
the full rate, and rows exactly when asked for."""


def checked_instruments(value: object) -> str:
    """Return one of :data:`INSTRUMENTS`.

    Raises
    ------
    UnknownNameError
        If it is none of them.
    """
    if value not in INSTRUMENTS:
        raise UnknownNameError(f"instruments is {value!r}; allowed is one of {', '.join(INSTRUMENTS)}{nearest(str(value), INSTRUMENTS)} Choose one of these.")
    return str(value)
