"""Breaks the glue around the kernel, one small change at a time; some test must notice each."""
