"""Characterisations that are no calibrations."""
