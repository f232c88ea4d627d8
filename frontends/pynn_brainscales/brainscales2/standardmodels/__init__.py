"""Cell and synapse types."""
