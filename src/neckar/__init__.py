"""Neckar: a digital twin of the BrainScaleS neuromorphic systems."""

__version__ = "0.1.0"
