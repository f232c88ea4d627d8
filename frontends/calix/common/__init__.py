"""What all calibrations share."""
