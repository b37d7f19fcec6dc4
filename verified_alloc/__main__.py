"""`python -m verified_alloc`."""

from verified_alloc.cli import entry

entry()
