"""Prediction from one measurement: a model of all elements, shifted to what each showed at a probe. Behaviour as of calix ``common/algorithms.py``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from neckar.calibration.measure.outcome import Measurement, Outcome, Span, Values, wanted

Model = Callable[[Values], Values]
"""The code of a result, for the mean element."""


def predict(measure: Measurement, target: ArrayLike, probe: ArrayLike, span: Span, model: Model | None = None) -> Outcome:
    """Measure once at a probe and return the codes that a model expects to give the target. They are not measured again.

    Parameters
    ----------
    measure : callable
    target : array_like
        Per element or for all.
    probe : array_like of int, shape (element,)
        Codes of the one measurement.
    span : Span
        Codes beyond its ends are cut and count as unreached.
    model : callable, optional
        By default one code per unit of the result.
    """
    at = np.asarray(probe, np.int64)
    results = measure(at)
    model = model or (lambda result: result)
    exact = np.rint(at + model(wanted(target, len(at))) - model(results)).astype(np.int64)
    return Outcome(np.clip(exact, *span), (exact >= span.low) & (exact <= span.high))
