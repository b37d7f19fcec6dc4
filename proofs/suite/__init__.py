"""Runs the obligations, reports them, and breaks the kernel to see that they notice."""
