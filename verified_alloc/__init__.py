"""A rule engine for DC fast chargers that share a pool of power modules."""
