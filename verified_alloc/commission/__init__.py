"""Commissioning: the walk through a new cabinet, what it found, and its report."""
