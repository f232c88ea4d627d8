"""Upstream's place of :func:`calix.calibrate`."""

from calix._calibrate import calibrate

__all__ = ["calibrate"]
