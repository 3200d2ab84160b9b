"""The metrics: what is measured of a round's model."""
