"""A range with both ends."""

from typing import Any, NamedTuple


class ParameterRange(NamedTuple):
    """From `lower` to `upper`."""

    lower: Any
    upper: Any
