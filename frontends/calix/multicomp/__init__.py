"""Neurons of several compartments."""
