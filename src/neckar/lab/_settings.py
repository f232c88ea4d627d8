"""Where settings come from, and what they mean.

Four layers, the upper one wins for each setting separately:

1. ``with neckar.Lab(...)``, the innermost block first,
2. options of the command line (``neckar run --chip 7 script.py``),
3. environment variables (``NECKAR_CHIP=7``),
4. the defaults.

Values of the layers 2 and 3 are text; they are parsed once, by :func:`resolve`, and errors name the place the value came from.
"""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from neckar.errors import ConfigurationError, ParameterRangeError, UnknownNameError, nearest

if TYPE_CHECKING:
    from neckar.chip.effects import Effects
    from neckar.chip.specimen import Specimen

NAMES = ("chip", "effects", "instruments", "seed", "executor", "step_us")
ENVIRONMENT: Mapping[str, str] = MappingProxyType({name: f"NECKAR_{name.upper()}" for name in NAMES})
"""Environment variable of each setting."""

_DEFAULTS: Mapping[str, Any] = {"chip": "reference", "effects": None, "instruments": "silicon", "seed": 0, "executor": None, "step_us": None}
_SEED_MAX = 2**64 - 1


class Setting(NamedTuple):
    """A value as it was given, and where."""

    value: Any
    origin: str


class Outside(NamedTuple):
    """The layers around all ``with`` blocks at one moment."""

    options: Mapping[str, Any]
    environment: Mapping[str, str]

    def setting(self, name: str) -> Setting:
        """Return the uppermost value of one setting."""
        if self.options.get(name) is not None:
            return Setting(self.options[name], f"option --{name.replace('_', '-')}")
        if name in self.environment:
            return Setting(self.environment[name], f"environment variable {ENVIRONMENT[name]}")
        return Setting(_DEFAULTS[name], f"default of {name}")


_options: Mapping[str, Any] = MappingProxyType({})


def outside() -> Outside:
    """Return the layers of command line, environment and defaults as they are now. An empty environment variable counts as not set."""
    return Outside(_options, {name: os.environ[variable] for name, variable in ENVIRONMENT.items() if os.environ.get(variable)})


@contextmanager
def command_line(**options: Any) -> Iterator[None]:
    """Set the layer of the command line for the whole process; runs are counted from 0 inside.

    Parameters
    ----------
    **options
        Settings by name, as for :class:`~neckar.lab.Lab`, as text or values; None is not given.

    Raises
    ------
    UnknownNameError
        If there is no such setting.
    """
    global _options
    for name in options:
        if name not in NAMES:
            raise UnknownNameError(f"the command line sets {name!r}, which is no setting{nearest(name, NAMES)} Settings are {', '.join(NAMES)}.")
    before, _options = _options, MappingProxyType(dict(options))
    try:
        yield
    finally:
        _options = before


def resolve(name: str, setting: Setting) -> Any:
    """Return the checked, typed value of a setting.

    Raises
    ------
    ConfigurationError
        Or a subclass; the text starts with the origin of the value.
    """
    try:
        return _PARSERS[name](setting.value)
    except ConfigurationError as error:
        raise type(error)(f"{setting.origin}: {error}") from error


def specimen(value: str | int | Specimen) -> Specimen:
    """Return the specimen with a name or seed; a specimen is returned as it is."""
    from neckar.chip.specimen import Specimen

    if isinstance(value, Specimen):
        return value
    if isinstance(value, str):
        return Specimen.named(value)
    return Specimen.from_seed(_whole(value, "chip", "a name, a seed (a whole number) or a Specimen", "Write for instance chip=7."))


def _effects(value: str | Effects | None) -> Effects:
    from neckar.chip.effects import Effects

    if value is None:
        return Effects()
    if isinstance(value, str):
        return Effects.parse(value)
    if isinstance(value, Effects):
        return value
    raise ConfigurationError(f"effects is {value!r}; allowed is an Effects object or text. Write for instance effects='ideal'.")


def _instruments(value: object) -> str:
    from neckar.chip.instruments import checked_instruments

    return checked_instruments(value)


def _seed(value: object) -> int:
    seed = _whole(value, "seed", "a whole number from 0 to 2**64 - 1", "Write for instance seed=1.")
    if not 0 <= seed <= _SEED_MAX:
        raise ParameterRangeError(f"seed is {seed}; allowed is 0 to 2**64 - 1. Choose a seed inside this range.")
    return seed


def _executor(value: object) -> str | Executor:
    """Return an executor, ``"inline"`` or ``"processes:N"`` with N >= 1."""
    remedy = "Allowed is 'inline', 'processes', 'processes:N' with N >= 1, or a concurrent.futures.Executor."
    if value is None or value == "inline":
        return "inline"
    if isinstance(value, Executor):
        return value
    match = re.fullmatch(r"processes(?::([1-9][0-9]*))?", value) if isinstance(value, str) else None
    if match is None:
        raise ConfigurationError(f"executor is {value!r}. {remedy}")
    return f"processes:{match[1] or _processors()}"


def _step_us(value: object) -> float | None:
    """Return the upper bound of the integration step in microseconds, or None for the machine's choice."""
    if value is None:
        return None
    from neckar.program._time import whole_ticks

    try:
        step = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ConfigurationError(f"step_us is {value!r}; allowed is a number of microseconds of hardware time. Write for instance step_us=0.25.") from None
    whole_ticks(step, "step_us")
    return step


def _whole(value: object, what: str, allowed: str, remedy: str) -> int:
    """Return a whole number, given as one or as text."""
    try:
        return int(value) if isinstance(value, str) else operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ConfigurationError(f"{what} is {value!r}; allowed is {allowed}. {remedy}") from None


def _processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "chip": specimen,
    "effects": _effects,
    "instruments": _instruments,
    "seed": _seed,
    "executor": _executor,
    "step_us": _step_us,
}
