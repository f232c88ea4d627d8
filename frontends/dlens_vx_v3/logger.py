"""Upstream's `pylogging`: named loggers with levels from TRACE to FATAL, on the standard library's :mod:`logging`.

All loggers hang below one logger of the standard library, `ROOT`, and not below its own root: a low level for an experiment's messages would otherwise open
the debug messages of every package in the process. Handlers of the standard library's root see the messages as long as no appender is configured here.
"""

from __future__ import annotations

import enum
import logging
import sys
from os import PathLike
from typing import IO

from neckar.errors import ConfigurationError, UnknownNameError, nearest

__all__ = [
    "LogLevel",
    "Logger",
    "append_to_cout",
    "append_to_file",
    "default_config",
    "get",
    "get_root",
    "reset",
    "set_loglevel",
]

ROOT = "pylogging"

_DATES = {"ABSOLUTE": "%H:%M:%S", "ISO8601": "%Y-%m-%d %H:%M:%S", "DATE": "%d %b %Y %H:%M:%S", "RELATIVE": "%(relativeCreated)d", "NULL": ""}


class LogLevel(enum.IntEnum):
    """Severity of a message, and the least one that a logger passes on. The numbers are those of the standard library."""

    ALL = 1
    TRACE = 5
    DEBUG = logging.DEBUG
    INFO = logging.INFO
    WARN = logging.WARNING
    ERROR = logging.ERROR
    FATAL = logging.CRITICAL
    OFF = 100


_NAMES = {level.value: level.name for level in LogLevel}


class Logger:
    """A named logger. Each method takes any number of objects and logs them, joined by spaces; what does not reach the logger's level is not formatted.

    Made by :func:`get`; the same name gives the same logger. Names with dots are a hierarchy: ``calix.common`` has the level of ``calix`` until it gets one.
    """

    def __init__(self, name: str, target: logging.Logger) -> None:
        self.name, self._target = name, target

    def TRACE(self, *message: object) -> None:
        """Log what only the search for a defect needs."""
        self._log(LogLevel.TRACE, message)

    def DEBUG(self, *message: object) -> None:
        """Log details."""
        self._log(LogLevel.DEBUG, message)

    def INFO(self, *message: object) -> None:
        """Log the course of events."""
        self._log(LogLevel.INFO, message)

    def WARN(self, *message: object) -> None:
        """Log what is probably not intended."""
        self._log(LogLevel.WARN, message)

    def ERROR(self, *message: object) -> None:
        """Log a failure."""
        self._log(LogLevel.ERROR, message)

    def FATAL(self, *message: object) -> None:
        """Log a failure after which nothing goes on."""
        self._log(LogLevel.FATAL, message)

    trace, debug, info, warn, error, fatal = TRACE, DEBUG, INFO, WARN, ERROR, FATAL

    def is_enabled_for(self, level: LogLevel) -> bool:
        """Return whether messages of a level pass this logger."""
        return self._target.isEnabledFor(level)

    def get_number_of_appenders(self) -> int:
        """Return how many outputs this logger has of its own."""
        return len(self._target.handlers)

    def __repr__(self) -> str:
        return f"Logger({self.name!r}, {LogLevel(self._target.getEffectiveLevel()).name})"

    def _log(self, level: LogLevel, message: tuple[object, ...]) -> None:
        if self._target.isEnabledFor(level):
            self._target.log(level, " ".join(map(str, message)), stacklevel=3)


_loggers: dict[str, Logger] = {}


def get(name: str) -> Logger:
    """Return the logger with a name.

    Raises
    ------
    ConfigurationError
        If the name is no text.
    """
    if not isinstance(name, str):
        raise ConfigurationError(f"logger.get got {name!r}; allowed is a name. Write for instance logger.get('experiment').")
    if name not in _loggers:
        _loggers[name] = Logger(name, logging.getLogger(f"{ROOT}.{name}" if name else ROOT))
    return _loggers[name]


def get_root() -> Logger:
    """Return the logger above all others."""
    return get("")


def set_loglevel(logger: Logger, level: LogLevel | int | str) -> None:
    """Let a logger, and those below it, pass messages from a level on."""
    _of(logger).setLevel(_level(level))


def default_config(
    level: LogLevel | int | str = LogLevel.WARN,
    fname: str | PathLike[str] = "",
    dual: bool = False,
    print_location: bool = False,
    color: bool = True,
    date_format: str = "ABSOLUTE",
) -> None:
    """Write messages from a level on to the standard output.

    Parameters
    ----------
    level : LogLevel
    fname : str or path
        Write to this file instead.
    dual : bool
        Write to the file and to the standard output.
    print_location : bool
        Print the function, file and line of each message as well.
    color : bool
        Colour the level on a terminal.
    date_format : {"ABSOLUTE", "ISO8601", "DATE", "RELATIVE", "NULL"}
        Time of day, date and time, milliseconds since the start, or nothing.
    """
    formatter = _Formatter(print_location, color, date_format)
    root = _of(get_root())
    handlers: list[logging.Handler] = [_StandardOutput()] if dual or not fname else []
    handlers += [logging.FileHandler(fname)] if fname else []
    reset()
    root.setLevel(_level(level))
    for handler in handlers:
        _append(root, handler, formatter)


def append_to_cout(logger: Logger) -> None:
    """Write a logger's messages to the standard output as well."""
    _append(_of(logger), _StandardOutput(), _Formatter())


def append_to_file(filename: str | PathLike[str], logger: Logger) -> None:
    """Write a logger's messages to a file as well."""
    _append(_of(logger), logging.FileHandler(filename), _Formatter())


def reset() -> None:
    """Remove all outputs and the levels of all loggers."""
    for logger in (get_root(), *_loggers.values()):
        target = _of(logger)
        for handler in list(target.handlers):
            target.removeHandler(handler)
            handler.close()
        target.setLevel(logging.NOTSET)
        target.propagate = True


class _StandardOutput(logging.StreamHandler):
    """Writes to what is the standard output at that moment, as notebooks and test runners change it."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    @property
    def stream(self) -> IO[str]:
        return sys.stdout

    @stream.setter
    def stream(self, value: object) -> None:
        pass


class _Formatter(logging.Formatter):
    """Level, time, name and text of a message in one line."""

    def __init__(self, print_location: bool = False, color: bool = True, date_format: str = "ABSOLUTE") -> None:
        if date_format not in _DATES:
            raise UnknownNameError(f"date_format is {date_format!r}; allowed is one of {', '.join(_DATES)}{nearest(date_format, _DATES)} Choose one of these.")
        self.color, self.date_format, self.print_location = color, date_format, print_location
        super().__init__(datefmt=_DATES[date_format])

    def format(self, record: logging.LogRecord) -> str:
        level = f"{_NAMES.get(record.levelno, record.levelname):<5}"
        if self.color and sys.stdout.isatty():
            level = f"\033[{31 if record.levelno >= LogLevel.ERROR else 33 if record.levelno >= LogLevel.WARN else 32}m{level}\033[0m"
        where = f" ({record.funcName} in {record.filename}:{record.lineno})" if self.print_location else ""
        parts = (level, self._time(record), record.name.removeprefix(f"{ROOT}.") + where, record.getMessage())
        return "  ".join(part for part in parts if part)

    def _time(self, record: logging.LogRecord) -> str:
        if self.date_format in ("NULL", "RELATIVE"):
            return _DATES[self.date_format] % vars(record)
        return f"{self.formatTime(record, self.datefmt)},{int(record.msecs):03d}"


def _append(target: logging.Logger, handler: logging.Handler, formatter: logging.Formatter) -> None:
    handler.setFormatter(formatter)
    target.addHandler(handler)
    logging.getLogger(ROOT).propagate = False


def _of(logger: Logger) -> logging.Logger:
    """Return the standard library's logger."""
    if not isinstance(logger, Logger):
        raise ConfigurationError(f"{logger!r} is no logger of this module; allowed is what logger.get(name) returns. Get one first.")
    return logger._target


def _level(level: LogLevel | int | str) -> LogLevel:
    """Return a checked level."""
    try:
        return LogLevel[level.upper()] if isinstance(level, str) else LogLevel(level)
    except (KeyError, ValueError):
        names = [known.name for known in LogLevel]
        raise UnknownNameError(f"{level!r} is no log level; allowed is one of {', '.join(names)}{nearest(str(level), names)} Choose one of these.") from None
