"""Calibration with upstream's names (``import calix``), on Neckar's virtual chips.

Targets, options and results are upstream's; files ``*_calix-native.pkl`` load with ``pickle.load`` or :func:`load`. What calibrates is
:mod:`neckar.calibration`, by measurement as on silicon, or on request by inverting the model of the chip (:mod:`calix._calibrate`).
"""

from dlens_vx_v3._genuine import refuse_shadowing

refuse_shadowing(__name__, __file__)

from calix._calibrate import calibrate  # noqa: E402
from calix._native import load  # noqa: E402

__all__ = ["calibrate", "load"]
