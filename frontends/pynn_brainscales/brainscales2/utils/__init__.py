"""Tools around experiments."""
