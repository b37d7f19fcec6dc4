"""Mutants of the glue that no test can kill, or none should, each with its reason."""

ARGUED: dict[str, str] = {}
