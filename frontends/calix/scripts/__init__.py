"""Upstream's scripts that calibrate a chip and save the result."""
