"""Parameters at the ends of their range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class BoundaryCheckResult:
    """Parameters inside a range.

    Attributes
    ----------
    parameters : ndarray
        Cut at its ends.
    error_mask : ndarray of bool
        Which reach an end.
    messages : list of str
    """

    parameters: NDArray[Any]
    error_mask: NDArray[np.bool_]
    messages: list[str]


def check_range_boundaries(parameters: NDArray[Any], boundaries: Any, errors: Sequence[str] | None = None) -> BoundaryCheckResult:
    """Return parameters cut at the ends of a range, and which reach an end.

    Parameters
    ----------
    parameters : ndarray
    boundaries : ParameterRange
    errors : sequence of two str, optional
        Messages for the lower and the upper end; ``{0}`` is replaced by the indices of the parameters there.
    """
    masks = parameters <= boundaries.lower, parameters >= boundaries.upper
    messages = [text.format(np.flatnonzero(mask)) for text, mask in zip(errors or ("", ""), masks, strict=True) if text and mask.any()]
    return BoundaryCheckResult(np.clip(parameters, boundaries.lower, boundaries.upper), masks[0] | masks[1], messages)
